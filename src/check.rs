//! Can this configuration work? What an operator asks before a roll-out.

use std::fmt;

use cluster::server::{Distribution, Server, Support};
use cluster::{Credentials, Elasticsearch, ElasticsearchError, Refusal};
use optimize::scope::{DefinitionKind, IndexNames};
use serde_json::Value;

use crate::auth::{JwtSettings, JwtVerifier, NamedToken, access};
use crate::config::Config;
use crate::flags;

mod opensearch;
mod privileges;

/// The subject of what is said about the server itself.
const SERVER: &str = "server";

/// Open scrolls per node that Elasticsearch allows unless it is told otherwise.
const DEFAULT_MAX_OPEN_SCROLLS: u64 = 500;
/// Versions of the process instance index that the service knows (crates/optimize/docs/releases.md, "Index versions").
const PROCESS_INSTANCE_VERSIONS: [&str; 2] = ["8", "9"];
/// Versions of the decision instance index that the service knows.
const DECISION_INSTANCE_VERSIONS: [&str; 1] = ["5"];

/// How a finding bears on whether the service can work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but somebody should know.
    Note,
    /// It can't work.
    Bad,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Bad => "FAIL",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub subject: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// In words.
    pub detail: String,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, subject: &'static str, verdict: Verdict, detail: impl Into<String>) {
        self.0.push(Finding {
            subject,
            verdict,
            detail: detail.into(),
        });
    }

    /// Whether the service can work.
    pub fn can_work(&self) -> bool {
        self.0.iter().all(|finding| finding.verdict != Verdict::Bad)
    }

    /// Whether the service can work, in words.
    pub fn conclusion(&self) -> &'static str {
        if self.can_work() {
            "This configuration can work."
        } else {
            "This configuration can't work."
        }
    }

    /// The findings, in the order in which they were made.
    pub fn as_slice(&self) -> &[Finding] {
        &self.0
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .0
            .iter()
            .map(|finding| finding.subject.len())
            .max()
            .unwrap_or(0);
        for Finding {
            subject,
            verdict,
            detail,
        } in &self.0
        {
            writeln!(f, "{verdict:<4}  {subject:<width$}  {detail}")?;
        }
        f.write_str(self.conclusion())
    }
}

/// Looks at the configuration and at the cluster.
pub async fn check(config: &Config, elasticsearch: &Elasticsearch) -> Findings {
    let mut findings = Findings::default();
    match &config.jwt {
        Some(settings) => check_provider(settings, &mut findings).await,
        None => check_tokens(config, &mut findings),
    }
    check_access_rules(config, &mut findings);
    check_scroll_key(config, &mut findings);
    let names = IndexNames::new(&config.export.index_prefix);
    let server = check_server(config, elasticsearch, &mut findings).await;
    let goes_on = match server {
        None => false,
        Some(Distribution::OpenSearch) => {
            opensearch::check_privileges(elasticsearch, &names, &mut findings).await
        }
        Some(_) => privileges::check(elasticsearch, &names, &mut findings).await,
    };
    if goes_on {
        check_reports(elasticsearch, &names, &mut findings).await;
        check_instances(
            config,
            elasticsearch,
            &names,
            DefinitionKind::Process,
            &PROCESS_INSTANCE_VERSIONS,
            &mut findings,
        )
        .await;
        check_instances(
            config,
            elasticsearch,
            &names,
            DefinitionKind::Decision,
            &DECISION_INSTANCE_VERSIONS,
            &mut findings,
        )
        .await;
        check_scrolls(config, elasticsearch, &names, &mut findings).await;
    }
    findings
}

/// Whether tokens of the provider could be verified. The service fetches keys with the first token only, and again until it has some.
async fn check_provider(settings: &JwtSettings, findings: &mut Findings) {
    let published = match JwtVerifier::new(settings.clone()) {
        Ok(verifier) => verifier.published_keys().await,
        Err(error) => {
            findings.add("tokens", Verdict::Bad, error.to_string());
            return;
        }
    };
    let audience = settings.audiences.join(" or ");
    let (verdict, detail) = match published {
        Ok(keys) if keys.usable > 0 => (
            Verdict::Good,
            format!(
                "those of a provider are accepted that are for the audience {audience}; {} of its keys at {} can verify them",
                keys.usable, keys.address
            ),
        ),
        Ok(keys) => (
            Verdict::Bad,
            format!("there is no key at {} that can verify one", keys.address),
        ),
        Err(error) => (
            Verdict::Bad,
            format!(
                "the keys of the provider can't be fetched ({}, {}): {error}",
                flags::JWK_SET_URI,
                flags::ISSUER
            ),
        ),
    };
    findings.add("tokens", verdict, detail);
}

fn check_tokens(config: &Config, findings: &mut Findings) {
    let unusable = config
        .access_tokens
        .iter()
        .any(|token| !token.can_be_sent());
    match config.access_tokens.len() {
        0 => findings.add(
            "access token",
            Verdict::Bad,
            format!(
                "none is configured; every request would be refused ({})",
                flags::ACCESS_TOKEN_FILE
            ),
        ),
        _ if unusable => findings.add(
            "access token",
            Verdict::Bad,
            "it holds characters that clients can't send in a bearer token; letters, digits and -._~+/ work",
        ),
        1 => findings.add("access token", Verdict::Good, "configured"),
        tokens => findings.add("access tokens", Verdict::Good, format!("{tokens} configured")),
    }
    for weakness in config.access_tokens.iter().filter_map(NamedToken::weakness) {
        findings.add("access token", Verdict::Note, weakness);
    }
}

fn check_scroll_key(config: &Config, findings: &mut Findings) {
    match &config.scroll_key {
        None => findings.add(
            "scroll key",
            Verdict::Note,
            format!(
                "none is configured; fine for one process, but replicas need a common one ({})",
                flags::SCROLL_KEY_FILE
            ),
        ),
        Some(_) => findings.add("scroll key", Verdict::Good, "configured"),
    }
}

fn check_access_rules(config: &Config, findings: &mut Findings) {
    let Some(file) = &config.access_rules_file else {
        return;
    };
    match access::read(file) {
        Ok(rules) => {
            let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
            let detail = match names.as_slice() {
                [] => "there is none; every export would be refused".to_owned(),
                names => names.join(", "),
            };
            let verdict = if rules.is_empty() {
                Verdict::Note
            } else {
                Verdict::Good
            };
            findings.add("access rules", verdict, detail);
        }
        Err(error) => findings.add("access rules", Verdict::Bad, error.to_string()),
    }
}

/// What the cluster is, where it can be looked further into. One that does not say what it is to this user is taken for an
/// Elasticsearch.
async fn check_server(
    config: &Config,
    elasticsearch: &Elasticsearch,
    findings: &mut Findings,
) -> Option<Distribution> {
    let server = match elasticsearch.ask_server().await {
        Ok(server) => server,
        // It knows who asks; the privileges will say what is missing.
        Err(ElasticsearchError::Refused { status: 403, .. }) => {
            return Some(Distribution::Elasticsearch);
        }
        Err(error) => {
            let has_credentials = !matches!(config.elasticsearch.credentials, Credentials::None);
            let detail = privileges::explain_refusal(&error, has_credentials);
            findings.add(SERVER, Verdict::Bad, detail);
            return None;
        }
    };
    let server = match server.support() {
        Support::Hidden => own_version(elasticsearch, server).await,
        _ => server,
    };
    let (verdict, detail) = judge_server(&server);
    findings.add(SERVER, verdict, detail);
    Some(server.distribution)
}

/// An OpenSearch that calls itself 7.10.2 for the sake of old clients still says of its nodes what they are.
async fn own_version(elasticsearch: &Elasticsearch, server: Server) -> Server {
    let nodes = elasticsearch
        .get("_nodes/_all/none?filter_path=nodes.*.version")
        .await;
    let version = nodes.ok().and_then(|answer| {
        let nodes = answer.get("nodes")?.as_object()?;
        let version = nodes.values().next()?.get("version")?.as_str()?;
        Some(version.to_owned())
    });
    match version {
        Some(version) => Server { version, ..server },
        None => server,
    }
}

/// A server is never refused for its version alone: what it can't do shows when it is asked.
fn judge_server(server: &Server) -> (Verdict, String) {
    let tested = Server::tested();
    match server.support() {
        Support::Tested => (Verdict::Good, format!("{server}, which is tested")),
        Support::SameMajor => (
            Verdict::Note,
            format!("{server} is not tested; it should do as well as what is: {tested}"),
        ),
        Support::Hidden => (
            Verdict::Note,
            format!(
                "{server} hides its version (compatibility.override_main_response_version); tested are {tested}"
            ),
        ),
        Support::Unknown => (
            Verdict::Note,
            format!("{server}: nothing is known about this major version; tested are {tested}"),
        ),
    }
}

async fn check_reports(elasticsearch: &Elasticsearch, names: &IndexNames, findings: &mut Findings) {
    let match_all = serde_json::json!({"match_all": {}});
    let mut counts = Vec::new();
    for (index, kind) in [
        ("single-process-report", "process"),
        ("single-decision-report", "decision"),
        ("combined-report", "combined"),
    ] {
        let alias = names.alias(index);
        match elasticsearch
            .count(std::slice::from_ref(&alias), &match_all)
            .await
        {
            Ok(count) => counts.push(format!("{count} {kind}")),
            Err(error) if error.refusal() == Some(Refusal::IndexNotFound) => {
                findings.add(
                    "reports",
                    Verdict::Bad,
                    format!(
                        "there is no index {alias}; is {} right?",
                        flags::INDEX_PREFIX
                    ),
                );
                return;
            }
            Err(error) => {
                findings.add("reports", Verdict::Bad, format!("{alias}: {error}"));
                return;
            }
        }
    }
    findings.add("reports", Verdict::Good, counts.join(", "));
}

async fn check_instances(
    config: &Config,
    elasticsearch: &Elasticsearch,
    names: &IndexNames,
    kind: DefinitionKind,
    known_versions: &[&str],
    findings: &mut Findings,
) {
    let subject = match kind {
        DefinitionKind::Process => "process instances",
        DefinitionKind::Decision => "decision instances",
    };
    let alias = names.all_instances(kind);
    let indices = match elasticsearch.get(&format!("{alias}/_alias")).await {
        Ok(Value::Object(indices)) => indices,
        Ok(_) => {
            findings.add(
                subject,
                Verdict::Bad,
                format!("{alias}: the answer can't be read"),
            );
            return;
        }
        // An installation that has seen no instance yet has no alias: reports are empty then, as in Optimize.
        Err(ElasticsearchError::Refused { status: 404, .. }) => {
            findings.add(
                subject,
                Verdict::Note,
                format!("there is no alias {alias} yet"),
            );
            return;
        }
        // Exports do without; what is missing is told among the privileges.
        Err(error) if error.refusal() == Some(Refusal::AccessDenied) => {
            findings.add(
                subject,
                Verdict::Note,
                format!("{alias} can't be looked at without view_index_metadata (OpenSearch: indices:admin/aliases/get)"),
            );
            return;
        }
        Err(error) => {
            findings.add(subject, Verdict::Bad, format!("{alias}: {error}"));
            return;
        }
    };
    check_settings(config, elasticsearch, &alias, subject, findings).await;
    let version_of = |index: &str| {
        index
            .rsplit_once("_v")
            .map(|(_, version)| version.to_owned())
            .unwrap_or_default()
    };
    let unknown: Vec<&String> = indices
        .keys()
        .filter(|index| !known_versions.contains(&version_of(index).as_str()))
        .collect();
    match unknown.first() {
        None => findings.add(subject, Verdict::Good, format!("{} indices", indices.len())),
        Some(index) => findings.add(
            subject,
            Verdict::Bad,
            format!(
                "{} of {} indices have a version that this service does not know, such as {index}; known are {}",
                unknown.len(),
                indices.len(),
                known_versions.join(" and ")
            ),
        ),
    }
}

/// Settings of indices that make exports fail.
async fn check_settings(
    config: &Config,
    elasticsearch: &Elasticsearch,
    alias: &str,
    subject: &'static str,
    findings: &mut Findings,
) {
    // Elasticsearch sets the first one when it closes an index and removes it when it opens it; the state itself is told
    // only to those who may monitor.
    let path = format!(
        "{alias}/_settings/index.verified_before_close,index.blocks.read,index.max_result_window?flat_settings=true"
    );
    let indices = match elasticsearch.get(&path).await {
        Ok(Value::Object(indices)) => indices,
        Ok(_) => return,
        Err(error) => {
            let detail = format!("the settings of {alias} can't be read: {error}");
            findings.add(subject, Verdict::Note, detail);
            return;
        }
    };
    let with = |condition: &dyn Fn(&Value) -> bool| {
        let found: Vec<&str> = indices
            .iter()
            .filter(|(_, index)| index.get("settings").is_some_and(condition))
            .map(|(name, _)| name.as_str())
            .collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    let is_on =
        |settings: &Value, name: &str| settings.get(name).and_then(Value::as_str) == Some("true");
    if let Some(closed) = with(&|settings| is_on(settings, "index.verified_before_close")) {
        findings.add(
            subject,
            Verdict::Bad,
            format!("closed: {closed}; reports over them fail before they are opened or deleted"),
        );
    }
    if let Some(blocked) = with(&|settings| is_on(settings, "index.blocks.read")) {
        findings.add(
            subject,
            Verdict::Bad,
            format!("not to be read (index.blocks.read): {blocked}; reports over them fail"),
        );
    }
    let has_small_window = |settings: &Value| {
        let window = settings
            .get("index.max_result_window")
            .and_then(Value::as_str);
        window
            .and_then(|window| window.parse::<u32>().ok())
            .is_some_and(|window| window < config.parameters.max_limit)
    };
    if let Some(small) = with(&has_small_window) {
        findings.add(
            subject,
            Verdict::Note,
            format!(
                "index.max_result_window is below {} {}: {small}; a larger limit is refused there",
                flags::MAX_LIMIT,
                config.parameters.max_limit
            ),
        );
    }
}

/// A scroll takes one context per shard.
async fn check_scrolls(
    config: &Config,
    elasticsearch: &Elasticsearch,
    names: &IndexNames,
    findings: &mut Findings,
) {
    let path = "_cluster/settings?include_defaults=true&flat_settings=true\
                &filter_path=*.search.max_open_scroll_context,*.search.max_keep_alive";
    let settings = match elasticsearch.get(path).await {
        Ok(settings) => settings,
        Err(error) => {
            findings.add(
                "scrolls",
                Verdict::Note,
                format!("the limits of the cluster can't be read: {error}"),
            );
            return;
        }
    };
    let setting = |name: &str| {
        ["transient", "persistent", "defaults"]
            .iter()
            .find_map(|level| settings.get(level)?.get(name)?.as_str())
    };
    let max_open = setting("search.max_open_scroll_context")
        .and_then(|text| text.parse().ok())
        .unwrap_or(DEFAULT_MAX_OPEN_SCROLLS);
    let alias = names.all_instances(DefinitionKind::Process);
    let shards = match elasticsearch.get(&format!("{alias}/_search_shards")).await {
        Ok(answer) => answer
            .get("shards")
            .and_then(Value::as_array)
            .map_or(0, Vec::len) as u64,
        Err(error) if error.refusal() == Some(Refusal::AccessDenied) => {
            findings.add(
                "scrolls",
                Verdict::Note,
                "shards can't be counted without view_index_metadata (OpenSearch: indices:admin/shards/search_shards)",
            );
            return;
        }
        Err(_) => 0,
    };
    if shards > max_open {
        findings.add(
            "scrolls",
            Verdict::Note,
            format!(
                "a report over all process definitions needs {shards} scroll contexts, but a node may open {max_open} \
                 (search.max_open_scroll_context)"
            ),
        );
    } else {
        findings.add(
            "scrolls",
            Verdict::Good,
            format!("{shards} shards at most per report, {max_open} contexts per node"),
        );
    }
    let keep_alive = setting("search.max_keep_alive").and_then(seconds);
    match keep_alive {
        Some(seconds) if seconds < u64::from(config.parameters.max_pagination_timeout) => findings.add(
            "keep-alive",
            Verdict::Note,
            format!(
                "Elasticsearch keeps a scroll for {seconds} s at most (search.max_keep_alive), less than {} {}",
                flags::MAX_PAGINATION_TIMEOUT,
                config.parameters.max_pagination_timeout
            ),
        ),
        _ => findings.add("keep-alive", Verdict::Good, format!("{} s at most", config.parameters.max_pagination_timeout)),
    }
}

/// An Elasticsearch time value in seconds, as far as whole units go.
fn seconds(text: &str) -> Option<u64> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit_start)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_values() {
        assert_eq!(seconds("24h"), Some(86_400));
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("100"), None);
        assert_eq!(seconds("99999999999999999999d"), None);
    }

    #[test]
    fn no_server_is_refused_for_its_version() {
        let judged = |distribution, version: &str| {
            judge_server(&Server {
                distribution,
                version: version.to_owned(),
            })
        };
        let (verdict, detail) = judged(Distribution::Elasticsearch, "9.4.3");
        assert_eq!(
            (verdict, detail.as_str()),
            (Verdict::Good, "Elasticsearch 9.4.3, which is tested")
        );
        for (distribution, version, says) in [
            (
                Distribution::Elasticsearch,
                "9.9.0",
                "is not tested; it should do",
            ),
            (Distribution::OpenSearch, "7.10.2", "hides its version"),
            (Distribution::OpenSearch, "4.0.0", "nothing is known"),
            (
                Distribution::Other("x".to_owned()),
                "1.0",
                "nothing is known",
            ),
        ] {
            let (verdict, detail) = judged(distribution, version);
            assert_eq!(verdict, Verdict::Note, "{detail}");
            assert!(detail.contains(says), "{detail}");
        }
    }

    #[test]
    fn findings_are_a_table() {
        let mut findings = Findings::default();
        findings.add("reports", Verdict::Good, "3 process");
        findings.add("scroll key", Verdict::Note, "none");
        insta::assert_snapshot!(findings.to_string(), @"
        ok    reports     3 process
        note  scroll key  none
        This configuration can work.
        ");
        findings.add("server", Verdict::Bad, "away");
        assert!(!findings.can_work());
    }
}
