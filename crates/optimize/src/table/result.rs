//! The table of a report that aggregates: a row for each group, in the long form where it is distributed, and a column for
//! each measure of the report.
//!
//! `json` shows the first measure only, as Optimize's own export does. Here each measure is evaluated as `json` would if it
//! were the first ([`measures_of_process`]), and the results are put side by side by their keys: the first one says in which order.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::schema::{Column, ColumnType, Schema, Table};
use super::value::Value;
use crate::report::definition::{
    Aggregation, AggregationType, ProcessReportData, UserTaskDurationTime, ViewEntity, ViewProperty,
};
use crate::result::{Entry, ReportResult};

/// One measure of a report.
#[derive(Debug, Clone)]
pub struct Measure<R> {
    /// The name of its column.
    pub name: String,
    /// Whether it counts, so that it is a whole number.
    pub is_count: bool,
    /// The report with this measure in the first place.
    pub report: R,
}

impl<R> Measure<R> {
    /// How many there are of something.
    pub fn frequency(report: R) -> Self {
        Self {
            name: ViewProperty::Frequency.id().to_owned(),
            is_count: true,
            report,
        }
    }
}

/// The measures of a report on processes: by property, then by user task time, then by aggregation, each as they are stored.
/// What is stored twice counts once.
pub fn measures_of_process(report: &ProcessReportData) -> Vec<Measure<ProcessReportData>> {
    let mut measures: Vec<Measure<ProcessReportData>> = Vec::new();
    let mut add = |measure: Measure<ProcessReportData>| {
        if !measures.iter().any(|known| known.name == measure.name) {
            measures.push(measure);
        }
    };
    for (at, property) in report.view.properties.iter().enumerate() {
        let mut of_property = report.clone();
        // The others stay: whether a group is shown may depend on them.
        of_property.view.properties.rotate_left(at);
        if !is_aggregated(property) {
            add(Measure {
                name: property.id().to_owned(),
                is_count: *property == ViewProperty::Frequency,
                report: of_property,
            });
            continue;
        }
        for (time_at, time) in times(report, property) {
            let aggregations = &report.configuration.aggregation_types;
            for (aggregation_at, aggregation) in aggregations.iter().enumerate() {
                let mut report = of_property.clone();
                let configuration = &mut report.configuration;
                configuration.aggregation_types.rotate_left(aggregation_at);
                configuration.user_task_duration_times.rotate_left(time_at);
                let time = time.map_or_else(String::new, |time| format!(":{}", time.id()));
                add(Measure {
                    name: format!("{}:{}{time}", name_of(property), function(*aggregation)),
                    is_count: false,
                    report,
                });
            }
        }
    }
    measures
}

/// Whether a figure is put together from single values; the others are counts and shares of counts.
fn is_aggregated(property: &ViewProperty) -> bool {
    match property {
        ViewProperty::Frequency
        | ViewProperty::Percentage
        | ViewProperty::AutomationRate
        | ViewProperty::RawData
        | ViewProperty::Unknown(_) => false,
        ViewProperty::Duration
        | ViewProperty::InputTokens
        | ViewProperty::OutputTokens
        | ViewProperty::TotalTokens
        | ViewProperty::ToolCalls
        | ViewProperty::Variable(_) => true,
    }
}

fn name_of(property: &ViewProperty) -> &str {
    match property {
        ViewProperty::Variable(_) => "variable",
        other => other.id(),
    }
}

/// `avg`, `percentile95`.
fn function(aggregation: Aggregation) -> String {
    let kind = aggregation.kind.id();
    match (aggregation.kind, aggregation.value) {
        (AggregationType::Percentile, Some(value)) => format!("{kind}{value}"),
        _ => kind.to_owned(),
    }
}

/// The times of user tasks that a report measures, with their places; `None` for what has no others, and where only the
/// total time is asked for.
fn times(
    report: &ProcessReportData,
    property: &ViewProperty,
) -> Vec<(usize, Option<UserTaskDurationTime>)> {
    let times = &report.configuration.user_task_duration_times;
    let has_times =
        report.view.entity == Some(ViewEntity::UserTask) && *property == ViewProperty::Duration;
    if !has_times
        || times
            .iter()
            .all(|time| *time == UserTaskDurationTime::Total)
    {
        return vec![(0, None)];
    }
    let times = times.iter().enumerate();
    times.map(|(at, time)| (at, Some(*time))).collect()
}

/// What a result has: nothing that it is grouped by, groups, or groups that are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One number.
    Number,
    /// A number for each group.
    Map,
    /// A number for each part of each group.
    HyperMap,
}

impl Shape {
    /// That of a result.
    pub const fn of(result: &ReportResult) -> Self {
        match result {
            ReportResult::Number(_) => Self::Number,
            ReportResult::Map(_) => Self::Map,
            ReportResult::HyperMap(_) => Self::HyperMap,
        }
    }

    const fn primary_key(self) -> &'static [&'static str] {
        match self {
            Self::Number => &[],
            Self::Map => &["key"],
            Self::HyperMap => &["key", "distributionKey"],
        }
    }
}

/// The columns of a result.
pub fn schema<R>(shape: Shape, measures: &[Measure<R>]) -> Schema {
    let key = |name, source| Column::required(name, ColumnType::Text, source);
    let mut columns = Vec::new();
    if shape != Shape::Number {
        columns.push(key("key", "key of the group"));
        columns.push(key("label", "label of the group"));
    }
    if shape == Shape::HyperMap {
        columns.push(key("distributionKey", "key within the group"));
        columns.push(key("distributionLabel", "label within the group"));
    }
    columns.extend(measures.iter().map(|measure| {
        let column_type = if measure.is_count {
            ColumnType::Integer
        } else {
            ColumnType::Double
        };
        Column::nullable(&measure.name, column_type, "measure of the report")
    }));
    Schema {
        table: Table::Result,
        columns,
        primary_key: shape.primary_key(),
    }
}

/// The results of all measures of a report.
#[derive(Debug)]
pub struct ResultRows {
    shape: Shape,
    measures: Vec<MeasureRows>,
}

/// The result of one measure.
#[derive(Debug)]
struct MeasureRows {
    is_count: bool,
    rows: Vec<Row>,
}

/// The key of a group, and the key within it.
type Place = (Option<Arc<str>>, Option<Arc<str>>);

/// A key and its label.
type Texts = Option<(Arc<str>, Arc<str>)>;

/// A group, or a part of one, with its number. The texts are shared with the result.
#[derive(Debug)]
struct Row {
    group: Texts,
    part: Texts,
    number: Option<f64>,
}

impl Row {
    fn key(&self) -> (Option<&str>, Option<&str>) {
        (
            self.group.as_ref().map(|(key, _)| &**key),
            self.part.as_ref().map(|(key, _)| &**key),
        )
    }
}

fn texts<V>(entry: &Entry<V>) -> Texts {
    Some((Arc::clone(&entry.key), Arc::clone(&entry.label)))
}

fn rows_of(result: ReportResult) -> Vec<Row> {
    let single = |entry: Entry<Option<f64>>| Row {
        group: texts(&entry),
        part: None,
        number: entry.value,
    };
    match result {
        ReportResult::Number(number) => vec![Row {
            group: None,
            part: None,
            number,
        }],
        ReportResult::Map(entries) => entries.into_iter().map(single).collect(),
        ReportResult::HyperMap(entries) => (entries.into_iter())
            .flat_map(|entry| {
                let group = texts(&entry);
                let parts = entry.value.into_iter();
                parts.map(move |part| Row {
                    group: group.clone(),
                    part: texts(&part),
                    number: part.value,
                })
            })
            .collect(),
    }
}

impl ResultRows {
    /// Puts results side by side; all have the same shape, one for each measure.
    pub fn new(shape: Shape, results: impl IntoIterator<Item = (bool, ReportResult)>) -> Self {
        let measures = results.into_iter().map(|(is_count, result)| MeasureRows {
            is_count,
            rows: rows_of(result),
        });
        let mut rows = Self {
            shape,
            measures: measures.collect(),
        };
        rows.align();
        rows
    }

    /// Puts the rows of every measure into the order of the first one. A group that only a later measure has comes last.
    fn align(&mut self) {
        let Some((first, others)) = self.measures.split_first_mut() else {
            return;
        };
        for other in &mut *others {
            let is_aligned = first.rows.len() == other.rows.len()
                && (first.rows.iter().zip(&other.rows)).all(|(a, b)| a.key() == b.key());
            if is_aligned {
                continue;
            }
            let mut own: HashMap<Place, Row> = HashMap::new();
            let shared = |texts: &Texts| texts.as_ref().map(|(key, _)| Arc::clone(key));
            let mut left = Vec::new();
            for row in std::mem::take(&mut other.rows) {
                let key = (shared(&row.group), shared(&row.part));
                left.push(key.clone());
                own.entry(key).or_insert(row);
            }
            other.rows = (first.rows.iter())
                .map(|row| {
                    let key = (shared(&row.group), shared(&row.part));
                    let number = own.remove(&key).and_then(|own| own.number);
                    Row {
                        group: None,
                        part: None,
                        number,
                    }
                })
                .collect();
            for key in left {
                if let Some(row) = own.remove(&key) {
                    let number = row.number;
                    first.rows.push(Row {
                        number: None,
                        ..row
                    });
                    other.rows.push(Row {
                        group: None,
                        part: None,
                        number,
                    });
                }
            }
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.measures.first().map_or(0, |first| first.rows.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives some of the rows one after the other: the columns that were `selected`, in that order.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn for_each<E>(
        &self,
        range: Range<usize>,
        selected: &[usize],
        mut each: impl FnMut(&[Value<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(first) = self.measures.first() else {
            return Ok(());
        };
        let mut all: Vec<Value<'_>> = Vec::new();
        let mut row: Vec<Value<'_>> = Vec::with_capacity(selected.len());
        let heads = first.rows.iter().enumerate();
        for (at, head) in heads.skip(range.start).take(range.len()) {
            all.clear();
            for (key, label) in head.group.iter().chain(&head.part) {
                all.push(Value::text(Some(key)));
                all.push(Value::text(Some(label)));
            }
            for measure in &self.measures {
                let number = measure.rows.get(at).and_then(|row| row.number);
                all.push(if measure.is_count {
                    Value::integer(number.map(whole))
                } else {
                    Value::double(number)
                });
            }
            row.clear();
            row.extend(
                selected
                    .iter()
                    .map(|at| all.get(*at).cloned().unwrap_or(Value::Null)),
            );
            each(&row)?;
        }
        Ok(())
    }

    /// What the result has.
    pub const fn shape(&self) -> Shape {
        self.shape
    }
}

/// A count that was computed with as a floating point number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "no index has 2^53 documents"
)]
fn whole(number: f64) -> i64 {
    number as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::definition::StoredReport;

    fn report(view: &str, configuration: &str) -> ProcessReportData {
        let document = format!(
            r#"{{"combined":false,"reportType":"process","data":{{"view":{view},"groupBy":{{"type":"none"}},"configuration":{configuration}}}}}"#
        );
        match StoredReport::parse(&document).unwrap() {
            StoredReport::Process(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    fn names(view: &str, configuration: &str) -> Vec<String> {
        let measures = measures_of_process(&report(view, configuration));
        measures.into_iter().map(|measure| measure.name).collect()
    }

    #[test]
    fn each_measure_has_a_column() {
        let view = r#"{"entity":"userTask","properties":["frequency","duration","frequency"]}"#;
        let configuration = r#"{"aggregationTypes":[{"type":"max"},{"type":"percentile","value":99.5}],
            "userTaskDurationTimes":["idle","total"]}"#;
        assert_eq!(
            names(view, configuration),
            [
                "frequency",
                "duration:max:idle",
                "duration:percentile99.5:idle",
                "duration:max:total",
                "duration:percentile99.5:total"
            ]
        );
        assert_eq!(
            names(r#"{"entity":"userTask","properties":["duration"]}"#, "{}"),
            ["duration:avg"]
        );
        let variable = r#"{"entity":"variable","properties":[{"name":"amount","type":"Double"}]}"#;
        assert_eq!(
            names(
                variable,
                r#"{"aggregationTypes":[{"type":"sum"},{"type":"percentile","value":50}]}"#
            ),
            ["variable:sum", "variable:percentile50"]
        );
        assert_eq!(
            names(
                r#"{"entity":"processInstance","properties":["percentage"]}"#,
                "{}"
            ),
            ["percentage"]
        );
    }

    #[test]
    fn a_measure_stands_first_in_its_report_and_the_others_stay() {
        let view = r#"{"entity":"userTask","properties":["frequency","duration"]}"#;
        let configuration = r#"{"aggregationTypes":[{"type":"min"},{"type":"max"}],"userTaskDurationTimes":["idle","work"]}"#;
        let measures = measures_of_process(&report(view, configuration));
        let last = measures.last().unwrap();
        assert_eq!(last.name, "duration:max:work");
        assert_eq!(
            last.report.view.properties,
            [ViewProperty::Duration, ViewProperty::Frequency]
        );
        let configuration = &last.report.configuration;
        let kinds: Vec<_> = configuration
            .aggregation_types
            .iter()
            .map(|a| a.kind)
            .collect();
        assert_eq!(kinds, [AggregationType::Max, AggregationType::Min]);
        assert_eq!(
            configuration.user_task_duration_times,
            [UserTaskDurationTime::Work, UserTaskDurationTime::Idle]
        );
    }

    fn entry<V>(key: &str, value: V) -> Entry<V> {
        Entry::new(key.to_owned(), Some(key.to_uppercase()), value)
    }

    fn rows(rows: &ResultRows, selected: &[usize]) -> Vec<String> {
        let mut shown = Vec::new();
        rows.for_each(0..usize::MAX, selected, |row| {
            shown.push(format!("{row:?}"));
            Ok::<_, ()>(())
        })
        .unwrap();
        shown
    }

    #[test]
    fn measures_stand_side_by_side_whatever_their_order() {
        let counts = ReportResult::Map(vec![entry("b", Some(2.0)), entry("a", Some(1.0))]);
        let times = ReportResult::Map(vec![
            entry("a", Some(0.5)),
            entry("c", Some(7.0)),
            entry("b", None),
        ]);
        let table = ResultRows::new(Shape::Map, [(true, counts), (false, times)]);
        assert_eq!(table.len(), 3);
        assert_eq!(
            rows(&table, &[0, 2, 3]),
            [
                r#"[Text("b"), Integer(2), Null]"#,
                r#"[Text("a"), Integer(1), Double(0.5)]"#,
                r#"[Text("c"), Null, Double(7.0)]"#
            ]
        );
        assert_eq!(rows(&table, &[1]).first().unwrap(), r#"[Text("B")]"#);
    }

    #[test]
    fn a_distributed_result_has_the_long_form_and_a_number_one_row() {
        let result = ReportResult::HyperMap(vec![
            entry("g", vec![entry("x", Some(1.0)), entry("y", None)]),
            entry("empty", Vec::new()),
        ]);
        let table = ResultRows::new(Shape::of(&result), [(true, result)]);
        assert_eq!(
            rows(&table, &[0, 2, 4]),
            [
                r#"[Text("g"), Text("x"), Integer(1)]"#,
                r#"[Text("g"), Text("y"), Null]"#
            ]
        );
        let number = ReportResult::Number(None);
        let table = ResultRows::new(Shape::of(&number), [(false, number)]);
        assert_eq!(rows(&table, &[0]), ["[Null]"]);
    }

    #[test]
    fn the_columns_follow_the_shape() {
        let measures = measures_of_process(&report(
            r#"{"entity":"processInstance","properties":["frequency","duration"]}"#,
            "{}",
        ));
        let names = |shape| {
            let schema = schema(shape, &measures);
            schema
                .columns
                .into_iter()
                .map(|column| column.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Shape::Number), ["frequency", "duration:avg"]);
        assert_eq!(
            names(Shape::Map),
            ["key", "label", "frequency", "duration:avg"]
        );
        assert_eq!(
            names(Shape::HyperMap),
            [
                "key",
                "label",
                "distributionKey",
                "distributionLabel",
                "frequency",
                "duration:avg"
            ]
        );
    }
}
