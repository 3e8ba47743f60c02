//! `access`: what a client would get of a report, and why.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Arg;
use optimize::access::Patterns;
use optimize::report::definition::StoredReport;
use optimize::scope::DefinitionKind;
use serde_json::{Map, Value};

use super::{
    Configured, OTHER_SETTINGS_HELP, access_rules, connect, index_names, printable, printed,
    runtime,
};
use crate::auth::Access;
use crate::auth::access::Rule;
use crate::catalog::reports::{Found, LoadError, ReportStore};
use crate::config::Config;

/// Hides what makes no difference to it, in `--help` and the man page.
fn shown_for_rules(flag: Arg) -> Arg {
    let is_needed = match flag.get_help_heading() {
        None | Some("Elasticsearch") => true,
        Some(_) => flag.get_id() == "access_rules_file",
    };
    flag.hide(!is_needed)
}

/// Flags of `access`.
#[derive(clap::Args)]
#[command(mut_args = shown_for_rules, after_long_help = OTHER_SETTINGS_HELP)]
pub struct AccessArguments {
    /// Name of the client, as the log of the service calls it
    client: String,

    /// Id of the report
    report_id: String,

    /// Claim of the client's token; can be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, String)>,

    #[command(flatten)]
    configured: Configured,
}

fn claim(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must have the form NAME=VALUE"),
    }
}

/// Tells it. The exit code is 0 if the client gets something, and 4 if it is refused, as that of `export`.
pub fn run(arguments: AccessArguments) -> Result<ExitCode, String> {
    let config = arguments.configured.load()?;
    let rules = access_rules(&config)?;
    let access = rules.access_of(&arguments.client, &claims(&arguments.claim));
    let found = runtime()?.block_on(find(&config, &arguments.report_id))?;
    let (text, is_allowed) = explain(&arguments.client, &arguments.report_id, &access, &found);
    let mut out = io::stdout();
    let result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed(result).map_err(|error| format!("it can't be printed: {error}"))?;
    Ok(if is_allowed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::connection::EXIT_REFUSED)
    })
}

/// Claims as a token has them; one that is given several times is a list, and dots lead into claims within others.
fn claims(given: &[(String, String)]) -> Map<String, Value> {
    let mut claims = Map::new();
    for (name, value) in given {
        let value = Value::from(value.as_str());
        match claims.get_mut(name) {
            None => {
                claims.insert(name.clone(), Value::Array(vec![value]));
            }
            Some(Value::Array(values)) => values.push(value),
            Some(_) => {}
        }
    }
    claims
}

async fn find(config: &Config, report_id: &str) -> Result<Found, String> {
    let names = index_names(config);
    let store = ReportStore::new(connect(config)?, names, config.export.cache_time_to_live);
    let found = store.get(report_id).await;
    found.map_err(|error| match &*error {
        LoadError::NotFound(id) => format!("there is no report with the id {}", printable(id)),
        other => other.to_string(),
    })
}

fn explain(client: &str, report_id: &str, access: &Access, found: &Found) -> (String, bool) {
    let mut text = String::new();
    let mut line = |what: &str, value: &str| {
        // A String takes everything.
        let _ = writeln!(text, "{:<13}{}", format!("{what}:"), printable(value));
    };
    line("Client", client);
    line("Report", found.name.as_deref().unwrap_or(report_id));
    if !access.has_rules() {
        line("Rules", "there are none, everybody may export everything");
        return (text, true);
    }
    let names = access.rule_names().filter(|names| !names.is_empty());
    line(
        "Rules",
        names.as_deref().unwrap_or("none names this client"),
    );
    let checked = access.check_report(report_id, found.collection_id.as_deref(), &found.report);
    if let Err(forbidden) = checked {
        line("Export", &format!("refused: {forbidden}"));
        return (text, false);
    }
    line("Export", "allowed");
    for definition in definitions(&found.report, access) {
        line("Definition", &definition);
    }
    for rule in access.rules() {
        for limit in limits(rule) {
            line("Limit", &format!("{limit} (rule {})", rule.name));
        }
    }
    (text, true)
}

/// Each definition that a report covers, with what is left of it.
fn definitions(report: &StoredReport, access: &Access) -> Vec<String> {
    let (kind, definitions, has_all_tenants) = match report {
        StoredReport::Process(data) if data.covers_all_definitions() => {
            return vec!["all of the cluster that the rules allow".to_owned()];
        }
        StoredReport::Process(data) => (
            DefinitionKind::Process,
            data.definitions.as_slice(),
            data.instant_preview_report,
        ),
        // Only the first one counts.
        StoredReport::Decision(data) => (
            DefinitionKind::Decision,
            data.definitions.get(..1).unwrap_or_default(),
            false,
        ),
        StoredReport::Combined => return Vec::new(),
    };
    let restrictions = access.restrictions();
    let named = |tenant: &Option<String>| tenant.clone().unwrap_or_else(|| "none".to_owned());
    let describe = |key: &str, tenants: &[Option<String>]| {
        if !restrictions.allow_definition(kind, key) {
            return format!("{key}: left out");
        }
        if has_all_tenants {
            return format!("{key}: all tenants that the rules allow");
        }
        let (seen, left_out): (Vec<_>, Vec<_>) =
            (tenants.iter()).partition(|tenant| restrictions.allow_tenant(tenant.as_deref()));
        let list = |tenants: Vec<&Option<String>>| {
            tenants
                .into_iter()
                .map(named)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match (seen.is_empty(), left_out.is_empty()) {
            (_, true) => format!("{key}: all of its tenants"),
            (true, false) => format!("{key}: left out with all of its tenants"),
            (false, false) => format!("{key}: tenants {}; left out {}", list(seen), list(left_out)),
        }
    };
    let keyed = definitions.iter().filter_map(|definition| {
        let key = definition.key.as_deref()?;
        Some(describe(key, &definition.tenant_ids))
    });
    keyed.collect()
}

/// Everything that a rule limits, as it was understood.
fn limits(rule: &Rule) -> Vec<String> {
    let listed = |what: &str, patterns: &Option<Patterns>| {
        let patterns = patterns.as_ref()?.to_string();
        let patterns = if patterns.is_empty() {
            "none"
        } else {
            &patterns
        };
        Some(format!("{what} {patterns}"))
    };
    let tenants = rule.limits.tenants.as_ref().map(|tenants| {
        let named = tenants.named.to_string();
        let without = tenants
            .none
            .then(|| "instances without a tenant".to_owned());
        let all: Vec<String> = (!named.is_empty())
            .then_some(named)
            .into_iter()
            .chain(without)
            .collect();
        format!(
            "tenants {}",
            if all.is_empty() {
                "none".to_owned()
            } else {
                all.join(", ")
            }
        )
    });
    let left_out = rule.limits.left_out.to_string();
    let left_out = (!left_out.is_empty()).then(|| format!("without the columns {left_out}"));
    let most = rule
        .concurrent_exports
        .map(|most| format!("{most} exports at the same time, and {most} whole reports"));
    [
        listed("reports", &rule.reports),
        listed("collections", &rule.collections),
        listed("processes", &rule.limits.processes),
        listed("decisions", &rule.limits.decisions),
        tenants,
        left_out,
        most,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_is_given_twice_is_a_list() {
        let given = ["groups=a", "groups=b=c", "sub=x"].map(|text| claim(text).unwrap());
        let expected = serde_json::json!({"groups": ["a", "b=c"], "sub": ["x"]});
        assert_eq!(Value::Object(claims(&given)), expected);
        assert!(claim("groups").is_err() && claim("=a").is_err());
    }
}
