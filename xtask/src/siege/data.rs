//! What the attackers' reports are about.

use serde_json::{Value, json};
use testkit::indices::{Document, Index, Installation};

use super::attacks::Attack;
use crate::soak;

/// Instances of ten kilobytes for pages of odd sizes.
const WIDE: usize = 20_000;
/// Instances of 1.6 MB.
const HUGE: usize = 60;
/// Groups and days of a hyper map that has almost as many buckets as Elasticsearch makes (65,536): the days of two months, with
/// the three at the end of January that have none.
const GROUPS: usize = 1_000;
const PARTS: usize = 56;
/// Days, flow nodes and bytes of their ids that would make an answer of 171 MB, and more buckets than that.
const DAYS: usize = 120;
const FLOW_NODES: usize = 1_000;
const BYTES_OF_ID: usize = 1_400;

/// Stores what these attacks need.
pub(super) fn store(installation: &Installation, attacks: &[Attack]) -> anyhow::Result<()> {
    for attack in attacks {
        match attack {
            Attack::Buckets => buckets(installation)?,
            Attack::Sizes => {
                let wide =
                    |number| changed("wide", number, json!({"businessKey": "x".repeat(10_000)}));
                instances(installation, "wide", (0..WIDE).map(wide))?;
                raw_report(installation, "wide")?;
            }
            Attack::Instances => {
                let text = "lorem ipsum ".repeat(1_600_000 / 12);
                let huge = |number| {
                    let variable = json!({"id": "v", "name": "text", "type": "Object", "value": [text], "version": 1});
                    changed("huge", number, json!({"variables": [variable]}))
                };
                instances(installation, "huge", (0..HUGE).map(huge))?;
                raw_report(installation, "huge")?;
            }
            Attack::Readers | Attack::Heads | Attack::Contexts => {}
        }
    }
    Ok(())
}

fn buckets(installation: &Installation) -> anyhow::Result<()> {
    // Running for five years, with one that ran for one.
    let running = |number| {
        let end = if number == 0 {
            "2019-12-31"
        } else {
            "2023-12-31"
        };
        let dates = json!({"startDate": "2019-01-01T00:00:00.000+0000", "endDate": format!("{end}T00:00:00.000+0000")});
        changed("years", number, dates)
    };
    instances(installation, "years", (0..2).map(running))?;
    let by_hour = json!({"type": "runningDate", "value": {"unit": "hour"}});
    report(
        installation,
        "years",
        "years",
        "processInstance",
        json!(["frequency"]),
        by_hour,
        json!("none"),
        json!([]),
    )?;

    let cell = |number: usize| {
        let (group, part) = (number / PARTS, number % PARTS);
        let day = format!(
            "2024-{:02}-{:02}T10:00:00.000+0000",
            1 + part / 28,
            1 + part % 28
        );
        let variable = json!({"id": "v", "name": "group", "type": "String", "value": [format!("group {group:04}")], "version": 1});
        changed(
            "cells",
            number,
            json!({"startDate": day, "endDate": day, "variables": [variable]}),
        )
    };
    instances(installation, "cells", (0..GROUPS * PARTS).map(cell))?;
    let by_variable = || json!({"type": "variable", "value": {"name": "group", "type": "String"}});
    let by_day = || json!("startDate");
    report(
        installation,
        "cells",
        "cells",
        "processInstance",
        json!(["frequency"]),
        by_variable(),
        by_day(),
        json!([]),
    )?;
    let percentile = json!([{"type": "percentile", "value": 95}]);
    report(
        installation,
        "percentiles",
        "cells",
        "processInstance",
        json!(["duration"]),
        by_variable(),
        by_day(),
        percentile,
    )?;

    let day = |number: usize| {
        let date = format!(
            "2024-{:02}-{:02}T10:00:00.000+0000",
            1 + number / 28,
            1 + number % 28
        );
        let flow_nodes: Vec<Value> = (0..FLOW_NODES)
            .map(|node| {
                let id = format!("{node:04}{}", "n".repeat(BYTES_OF_ID - 4));
                json!({"flowNodeInstanceId": format!("{number}-{node}"), "flowNodeId": id, "flowNodeType": "task",
                    "startDate": date, "endDate": date, "totalDurationInMs": 1, "canceled": false, "definitionKey": "ids",
                    "definitionVersion": "1", "tenantId": null})
            })
            .collect();
        changed(
            "ids",
            number,
            json!({"startDate": date, "endDate": date, "flowNodeInstances": flow_nodes}),
        )
    };
    instances(installation, "ids", (0..DAYS).map(day))?;
    let by_start = json!({"type": "startDate", "value": {"unit": "day"}});
    report(
        installation,
        "ids",
        "ids",
        "flowNode",
        json!(["frequency"]),
        by_start,
        json!("flowNode"),
        json!([]),
    )
}

/// An instance like those of the ordinary clients, but for this.
fn changed(key: &str, number: usize, changes: Value) -> Value {
    let mut instance = soak::instance(key, &format!("{key}-{number:06}"));
    if let (Some(members), Value::Object(changes)) = (instance.as_object_mut(), changes) {
        members.extend(changes);
    }
    instance
}

fn instances(
    installation: &Installation,
    key: &str,
    instances: impl Iterator<Item = Value>,
) -> anyhow::Result<()> {
    let index = Index::ProcessInstance { key };
    installation.create(index)?;
    installation.store(instances.enumerate().map(|(number, source)| Document {
        index,
        id: number.to_string(),
        source,
    }))?;
    Ok(())
}

fn raw_report(installation: &Installation, key: &str) -> anyhow::Result<()> {
    store_report(installation, key, soak::report(key, 0))
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a report, each once"
)]
fn report(
    installation: &Installation,
    id: &str,
    key: &str,
    entity: &str,
    properties: Value,
    group_by: Value,
    distributed_by: Value,
    aggregations: Value,
) -> anyhow::Result<()> {
    let mut report = soak::report(key, 0);
    if let Some(data) = report.get_mut("data").and_then(Value::as_object_mut) {
        data.insert(
            "view".to_owned(),
            json!({"entity": entity, "properties": properties}),
        );
        data.insert("groupBy".to_owned(), group_by);
        let value = (distributed_by == "startDate").then(|| json!({"unit": "day"}));
        data.insert(
            "distributedBy".to_owned(),
            json!({"type": distributed_by, "value": value}),
        );
        let mut configuration = json!({});
        if aggregations != json!([]) {
            configuration = json!({"aggregationTypes": aggregations});
        }
        data.insert("configuration".to_owned(), configuration);
    }
    store_report(installation, id, report)
}

fn store_report(installation: &Installation, id: &str, mut source: Value) -> anyhow::Result<()> {
    if let Some(members) = source.as_object_mut() {
        members.insert("id".to_owned(), json!(id));
    }
    installation.store([Document {
        index: Index::SingleProcessReport,
        id: id.to_owned(),
        source,
    }])?;
    Ok(())
}
