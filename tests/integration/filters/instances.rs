//! Filters on the state of instances, on incidents and on agents.

use super::*;

#[test]
fn states_of_instances() {
    let instance =
        |state: Option<&str>, end: Option<&str>| json!({"state": state, "endDate": end.map(date)});
    let instances = Instances::of_process(
        "state",
        json!({
            "active": instance(Some("ACTIVE"), None),
            "completed": instance(Some("COMPLETED"), Some("2024-03-01T00:00:00.000")),
            "externally": instance(Some("EXTERNALLY_TERMINATED"), Some("2024-03-01T00:00:00.000")),
            "internally": instance(Some("INTERNALLY_TERMINATED"), Some("2024-03-01T00:00:00.000")),
            "stateless": instance(None, None),
            "suspended": instance(Some("SUSPENDED"), None),
        }),
    );
    let state = |filter_type: &str| on_instances(filter_type, json!(null));
    instances.check(
        &context(),
        [
            (state("runningInstancesOnly"), "active stateless suspended"),
            (
                state("completedInstancesOnly"),
                "completed externally internally",
            ),
            (state("canceledInstancesOnly"), "externally internally"),
            (
                state("nonCanceledInstancesOnly"),
                "active completed stateless suspended",
            ),
            (state("suspendedInstancesOnly"), "suspended"),
            (
                state("nonSuspendedInstancesOnly"),
                "active completed externally internally stateless",
            ),
        ],
    );
    let none = json!([]);
    let ended = instances.found(&none, ImplicitFilter::CompletedInstancesOnly, &context());
    assert_eq!(ended, "completed externally internally");
}

#[test]
fn incidents() {
    let instance = |states: &[&str]| {
        let incidents = states.iter().map(|state| json!({"incidentStatus": state}));
        json!({"incidents": incidents.collect::<Vec<_>>()})
    };
    let instances = Instances::of_process(
        "incidents",
        json!({
            "deleted": instance(&["deleted"]),
            "none": instance(&[]),
            "open": instance(&["open"]),
            "open-and-resolved": instance(&["open", "resolved"]),
            "resolved": instance(&["resolved"]),
            "unknown": {},
        }),
    );
    let has = |filter_type: &str| on_instances(filter_type, json!(null));
    let sees = |filter_type: &str| on_view(filter_type, json!(null));
    instances.check(
        &context(),
        [
            (has("includesOpenIncident"), "open open-and-resolved"),
            (
                has("includesResolvedIncident"),
                "open-and-resolved resolved",
            ),
            (has("includesClosedIncident"), "deleted"),
            (has("doesNotIncludeIncident"), "none unknown"),
            (sees("includesOpenIncident"), "open open-and-resolved"),
            (
                sees("includesResolvedIncident"),
                "open-and-resolved resolved",
            ),
        ],
    );
    let found = |filters| instances.found(&filters, ImplicitFilter::None, &context());
    // Two incidents can satisfy two filters, but for those of the view level it has to be one.
    let on_instances = json!([has("includesOpenIncident"), has("includesResolvedIncident")]);
    assert_eq!(found(on_instances), "open-and-resolved");
    assert_eq!(
        found(json!([
            sees("includesOpenIncident"),
            sees("includesResolvedIncident")
        ])),
        ""
    );
}

#[test]
fn agents() {
    let instances = Instances::of_process(
        "agents",
        json!({"with": {"agentInstances": [{"agentInstanceId": "a"}]}, "without": {}, "empty": {"agentInstances": []}}),
    );
    let with_agents = || on_instances("hasAgentInstances", json!(null));
    instances.check(&context(), [(with_agents(), "with")]);

    // An index that knows no agents, here that of a decision, has no instance with one, and takes the question.
    let decisions = Instances::of_decision("no-agents", json!({"any": {}}));
    let narrowing = filter::narrowing(
        &process_filters(&json!([with_agents()])),
        &[],
        ImplicitFilter::None,
        &context(),
    );
    assert_eq!(decisions.ids(&decisions.scope().query(&narrowing)), "");
}
