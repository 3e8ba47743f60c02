//! Filters that an instance can begin to match although nobody has changed it, as time passes.
//!
//! Whoever reads only what has changed would never see such an instance: "the previous week" has it next week, "runs for more
//! than a day" tomorrow. Filters by which an instance can only stop to match do no such harm: "the last seven days".

use crate::report::definition::{
    ComparisonOperator, DateField, DateFilter, DateFilterStart, DecisionFilter, DurationFilter,
    InstanceState, ProcessFilter, ProcessFilterKind, VariableCondition, VariableFilter,
};

/// The first of these filters that an instance can begin to match as time passes, as a message names it.
pub fn of_process_report(filters: &[ProcessFilter]) -> Option<String> {
    // The durations of what has ended stand still.
    let has_ended = filters.iter().any(|filter| {
        matches!(
            filter.kind,
            ProcessFilterKind::InstanceState(InstanceState::Completed)
        ) && filter.applies_to_all()
    });
    let mut kinds = filters.iter().map(|filter| &filter.kind).enumerate();
    kinds.find_map(|(position, kind)| {
        let name = grows_into(kind, has_ended)?;
        Some(place(position, &name))
    })
}

/// The same of a decision report.
pub fn of_decision_report(filters: &[DecisionFilter]) -> Option<String> {
    filters.iter().enumerate().find_map(|(position, filter)| {
        let name = match filter {
            DecisionFilter::EvaluationDateTime(date) => {
                may_catch_up(date).then(|| "evaluationDateTime".to_owned())
            }
            DecisionFilter::InputVariable(variable) => {
                may_reach(variable).then(|| format!("inputVariable {:?}", variable.name))
            }
            DecisionFilter::OutputVariable(variable) => {
                may_reach(variable).then(|| format!("outputVariable {:?}", variable.name))
            }
        }?;
        Some(place(position, &name))
    })
}

fn place(position: usize, name: &str) -> String {
    format!("data.filter[{position}] ({name})")
}

/// The name of a filter that an instance can begin to match.
fn grows_into(kind: &ProcessFilterKind, has_ended: bool) -> Option<String> {
    let (is_one, name) = match kind {
        ProcessFilterKind::InstanceDate(field, date) => (
            may_catch_up(date),
            match field {
                DateField::Start => "instanceStartDate",
                DateField::End => "instanceEndDate",
            },
        ),
        ProcessFilterKind::FlowNodeDate(field, filter) => (
            may_catch_up(&filter.date),
            match field {
                DateField::Start => "flowNodeStartDate",
                DateField::End => "flowNodeEndDate",
            },
        ),
        ProcessFilterKind::InstanceDuration(duration) => {
            (!has_ended && grows(duration), "processInstanceDuration")
        }
        ProcessFilterKind::FlowNodeDuration(durations) => (
            !has_ended && durations.iter().any(|(_, duration)| grows(duration)),
            "flowNodeDuration",
        ),
        ProcessFilterKind::Variable(variable) => {
            return may_reach(variable).then(|| format!("variable {:?}", variable.name));
        }
        ProcessFilterKind::MultipleVariable(variables) => {
            let variable = variables.iter().find(|variable| may_reach(variable))?;
            return Some(format!("multipleVariable {:?}", variable.name));
        }
        ProcessFilterKind::ExecutedFlowNodes(_)
        | ProcessFilterKind::ExecutingFlowNodes(_)
        | ProcessFilterKind::CanceledFlowNodes(_)
        | ProcessFilterKind::InstanceState(_)
        | ProcessFilterKind::Identity(..)
        | ProcessFilterKind::Incident(_)
        | ProcessFilterKind::FlowNodeStatus(_)
        | ProcessFilterKind::HasAgentInstances => return None,
    };
    is_one.then(|| name.to_owned())
}

/// Whether a range moves over a date that does not lie ahead: it ends before now, and its end moves with now.
fn may_catch_up(date: &DateFilter) -> bool {
    match date.start {
        DateFilterStart::Fixed(_) => false,
        // Up to now, or from now on.
        DateFilterStart::Rolling(period) => period.is_some_and(|period| period.value < 0),
        DateFilterStart::Relative(period) => period.is_some_and(|period| period.value != 0),
    }
}

/// Whether the value of a variable may lie ahead of a range that moves.
fn may_reach(variable: &VariableFilter) -> bool {
    match &variable.condition {
        VariableCondition::Date(date) => match date.start {
            DateFilterStart::Fixed(_) => false,
            DateFilterStart::Rolling(period) | DateFilterStart::Relative(period) => {
                period.is_some()
            }
        },
        VariableCondition::OneOf { .. }
        | VariableCondition::Contains { .. }
        | VariableCondition::Compare { .. }
        | VariableCondition::Exists => false,
    }
}

/// Whether something that runs comes to match by running.
fn grows(duration: &DurationFilter) -> bool {
    match duration.operator {
        ComparisonOperator::Greater | ComparisonOperator::GreaterOrEqual => true,
        ComparisonOperator::Less | ComparisonOperator::LessOrEqual => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::definition::StoredReport;

    fn process(filter: &str) -> Option<String> {
        let document = format!(
            r#"{{"reportType":"process","data":{{"view":{{"properties":["rawData"]}},"groupBy":{{"type":"none"}},"filter":[{filter}]}}}}"#
        );
        match StoredReport::parse(&document).unwrap() {
            StoredReport::Process(report) => of_process_report(&report.filters),
            other => panic!("{other:?}"),
        }
    }

    fn date(kind: &str, data: &str) -> Option<String> {
        process(&format!(
            r#"{{"type":"{kind}","filterLevel":"instance","appliedTo":["all"],"data":{data}}}"#
        ))
    }

    #[test]
    fn ranges_that_end_now_are_only_left_and_those_that_end_before_are_entered() {
        for (data, is_one) in [
            (
                r#"{"type":"rolling","start":{"value":7,"unit":"days"}}"#,
                false,
            ),
            (
                r#"{"type":"relative","start":{"value":0,"unit":"days"}}"#,
                false,
            ),
            (
                r#"{"type":"relative","start":{"value":1,"unit":"weeks"}}"#,
                true,
            ),
            (
                r#"{"type":"rolling","start":{"value":-1,"unit":"days"}}"#,
                true,
            ),
            (
                r#"{"type":"fixed","start":"2024-01-01T00:00:00.000+0000","end":null}"#,
                false,
            ),
        ] {
            for kind in ["instanceStartDate", "instanceEndDate"] {
                let expected = is_one.then(|| format!("data.filter[0] ({kind})"));
                assert_eq!(date(kind, data), expected, "{data}");
            }
        }
    }

    #[test]
    fn running_durations_grow() {
        let longer = r#"{"type":"processInstanceDuration","filterLevel":"instance","appliedTo":["all"],"data":{"value":1,"unit":"days","operator":">","includeNull":false}}"#;
        let completed = r#"{"type":"completedInstancesOnly","filterLevel":"instance","appliedTo":["all"],"data":null}"#;
        assert_eq!(
            process(longer).as_deref(),
            Some("data.filter[0] (processInstanceDuration)")
        );
        assert_eq!(process(&format!("{completed},{longer}")), None);
        assert_eq!(process(&longer.replace('>', "<")), None);
    }

    #[test]
    fn dates_of_variables_may_lie_ahead() {
        let variable = |data: &str| {
            process(&format!(
                r#"{{"type":"variable","filterLevel":"instance","appliedTo":["all"],"data":{{"name":"due","type":"Date","data":{data}}}}}"#
            ))
        };
        for data in [
            r#"{"type":"rolling","start":{"value":7,"unit":"days"}}"#,
            r#"{"type":"relative","start":{"value":0,"unit":"days"}}"#,
        ] {
            assert_eq!(
                variable(data).as_deref(),
                Some("data.filter[0] (variable \"due\")")
            );
        }
        let fixed = r#"{"type":"fixed","start":"2024-01-01T00:00:00.000+0000","end":null}"#;
        assert_eq!(variable(fixed), None);
    }
}
