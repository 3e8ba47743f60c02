//! Alerts and the dashboard ask for what the service tells: metrics and labels that exist. Every alert is explained and tested, every metric is shown.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect, in its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const RULES: &str = include_str!("../deploy/prometheus/optimize-export.rules.yaml");
const RULE_TESTS: &str = include_str!("../deploy/prometheus/optimize-export.rules.test.yaml");
const DASHBOARD: &str = include_str!("../deploy/grafana/optimize-export.json");
const GUIDE: &str = include_str!("../docs/OPERATING.md");
/// Where metrics and their labels are made.
const TELEMETRY: [&str; 2] = [
    include_str!("../src/telemetry.rs"),
    include_str!("../crates/cluster/src/telemetry.rs"),
];
/// Where the values of labels are made.
const VALUES: [&str; 2] = [
    include_str!("../src/telemetry.rs"),
    include_str!("../src/http/routes.rs"),
];
/// Labels that Prometheus adds, and the one of a histogram's buckets.
const LABELS_OF_PROMETHEUS: [&str; 3] = ["instance", "job", "le"];

fn parsed(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// What stands between two marks, everywhere.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    let parts = text.split(begin).skip(1);
    parts
        .filter_map(|part| part.split_once(end))
        .map(|(found, _)| found)
        .collect()
}

/// Each metric with the names that Prometheus keeps it under.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut metrics = BTreeMap::new();
    for source in TELEMETRY {
        for line in source.lines().filter(|line| line.starts_with("const ")) {
            let Some((constant, name)) = line
                .strip_prefix("const ")
                .and_then(|line| line.split_once(": &str = \"optimize_export_"))
            else {
                continue;
            };
            let name = format!("optimize_export_{}", name.trim_end_matches("\";"));
            let described_as = |kind: &str| {
                between(source, &format!("describe_{kind}!("), ",")
                    .iter()
                    .any(|first| first.trim() == constant)
            };
            let kept = if described_as("histogram") {
                ["bucket", "sum", "count"]
                    .iter()
                    .map(|part| format!("{name}_{part}"))
                    .collect()
            } else {
                assert!(described_as("counter") || described_as("gauge"), "{name}");
                BTreeSet::from([name.clone()])
            };
            metrics.insert(name, kept);
        }
    }
    assert!(metrics.len() > 15, "{metrics:?}");
    metrics
}

fn is_of_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The metrics that an expression names.
fn named(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|character| !is_of_a_name(character));
    words
        .filter(|word| word.starts_with("optimize_export_"))
        .collect()
}

/// The labels that an expression looks at: those of its matchers with their exact values, and those that it groups by.
fn labels(expression: &str) -> Vec<(&str, Option<&str>)> {
    let mut labels = Vec::new();
    for matchers in between(expression, "{", "}") {
        // No value has a comma.
        for matcher in matchers.split(',') {
            let name = matcher.trim().split(|c| !is_of_a_name(c)).next().unwrap();
            let is_exact = !matcher.contains("=~");
            let value = matcher
                .split('"')
                .nth(1)
                .filter(|_| is_exact && name != "status");
            labels.push((name, value));
        }
    }
    for by in between(expression, "by (", ")") {
        labels.extend(by.split(',').map(|name| (name.trim(), None)));
    }
    labels
}

fn rules() -> Vec<Value> {
    parsed(RULES)["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .clone()
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    panels
        .iter()
        .filter(|panel| panel["type"] != "row")
        .cloned()
        .collect()
}

/// All expressions, each with where it is.
fn expressions() -> Vec<(String, String)> {
    let mut expressions = Vec::new();
    for rule in rules() {
        expressions.push((rule["alert"].to_string(), rule["expr"].to_string()));
    }
    for panel in panels() {
        for target in panel["targets"].as_array().unwrap() {
            expressions.push((panel["title"].to_string(), target["expr"].to_string()));
        }
    }
    assert!(expressions.len() > 25, "{}", expressions.len());
    // As they are, without JSON's quoting of their quotes.
    expressions
        .into_iter()
        .map(|(place, expression)| (place, expression.replace("\\\"", "\"")))
        .collect()
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_exist() {
    let kept: BTreeSet<String> = metrics().into_values().flatten().collect();
    for (place, expression) in expressions() {
        let named = named(&expression);
        assert!(
            !named.is_empty() || expression.contains("up{"),
            "{place}: {expression}"
        );
        for metric in named {
            assert!(kept.contains(metric), "{place} asks for {metric}");
        }
    }
    let variables = between(DASHBOARD, "label_values(", ",");
    assert!(!variables.is_empty());
    for metric in variables {
        assert!(kept.contains(metric), "a variable asks for {metric}");
    }
}

#[test]
fn alerts_and_the_dashboard_ask_for_labels_that_exist() {
    let has_label = |name: &str| {
        TELEMETRY
            .iter()
            .any(|source| source.contains(&format!("\"{name}\" => ")))
    };
    let mut looked_at = 0;
    for (place, expression) in expressions() {
        for (name, value) in labels(&expression) {
            looked_at += 1;
            assert!(
                has_label(name) || LABELS_OF_PROMETHEUS.contains(&name),
                "{place} asks for the label {name}"
            );
            let is_made = |value: &str| {
                let quoted = format!("\"{value}\"");
                VALUES.iter().any(|source| source.contains(&quoted))
            };
            assert!(
                value.is_none_or(is_made),
                "{place} asks for {name}={value:?}"
            );
        }
    }
    assert!(looked_at > 40, "{looked_at}");
}

#[test]
fn the_dashboard_shows_every_metric() {
    let panels: String = panels().iter().map(Value::to_string).collect();
    let shown = named(&panels);
    for (metric, kept) in metrics() {
        assert!(
            kept.iter().any(|name| shown.contains(name.as_str())),
            "{metric} is on no panel"
        );
    }
}

#[test]
fn every_alert_is_explained_in_the_guide() {
    let mut explained = BTreeSet::new();
    for rule in rules() {
        let alert = rule["alert"].as_str().unwrap();
        let runbook = rule["annotations"]["runbook"].as_str().unwrap();
        assert_eq!(
            runbook,
            format!("docs/OPERATING.md#{}", alert.to_lowercase())
        );
        let heading = format!("\n#### {alert}\n\n");
        let paragraph = GUIDE.split_once(&heading).unwrap().1;
        assert!(
            !paragraph.starts_with('#') && paragraph.len() > 100,
            "{alert}"
        );
        assert!(rule["annotations"]["summary"].is_string(), "{alert}");
        explained.insert(alert.to_owned());
    }
    // And nothing else is.
    let headings = between(GUIDE, "\n#### Optimize", "\n");
    assert_eq!(
        headings
            .iter()
            .map(|name| format!("Optimize{name}"))
            .collect::<BTreeSet<_>>(),
        explained
    );
}

#[test]
fn every_alert_is_tested_both_ways() {
    let tests = parsed(RULE_TESTS);
    let cases: Vec<&Value> = tests["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .collect();
    for rule in rules() {
        for has_to_fire in [true, false] {
            let is_tested = cases.iter().any(|case| {
                case["alertname"] == rule["alert"]
                    && case["exp_alerts"].as_array().unwrap().is_empty() != has_to_fire
            });
            assert!(is_tested, "{}, fires: {has_to_fire}", rule["alert"]);
        }
    }
}
