//! What is done with bytes that nobody has checked. The fuzz targets call it with what a fuzzer makes up, `tests/robustness.rs`
//! with what `proptest` does.
//!
//! Each function stops with a panic if something panics, if output is no JSON, or if it is out of proportion to the input.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cluster::ElasticsearchError;
use cluster::hits::{HitSplitter, Piece};
use hyper::body::Body;
use jiff::tz::TimeZone;
use optimize::access::Restrictions;
use optimize::definitions::FlowNodeNames;
use optimize::definitions::clauses::DecisionClauses;
use optimize::filter::{self, FilterContext, ImplicitFilter};
use optimize::plan::context::{PlanContext, ProcessModels};
use optimize::plan::decision::{self, DecisionContext, DecisionPlan};
use optimize::plan::evaluation::Evaluation;
use optimize::plan::{Plan, PlanError, Room, combination};
use optimize::raw_data::Row;
use optimize::raw_data::cursor::Cursor;
use optimize::raw_data::decision_row::{DecisionInstance, DecisionRows};
use optimize::raw_data::hit;
use optimize::raw_data::process_row::{ProcessInstance, ProcessRows};
use optimize::raw_data::reuse::Reuse;
use optimize::raw_data::shape::{Object, Shape};
use optimize::raw_data::sorting::{decision_sort, process_sort};
use optimize::raw_data::variables::{ObjectVariables, VariableNames};
use optimize::report::definition::{
    DecisionReportData, ProcessReportData, StoredReport, ViewEntity,
};
use optimize::scope::{DefinitionKind, DefinitionScope, IndexNames, Scope, Versions};
use optimize_export::auth::{AccessRules, Authenticator, StaticTokens, Tokens};
use optimize_export::encode::Encoder;
use optimize_export::encode::json::{Envelope, PageEncoder};
use optimize_export::export::ExportError;
use optimize_export::http::error_body;
use optimize_export::http::parameters::{self, ParameterRules, Parameters};
use optimize_export::http::{compression, routes};
use serde_json::Value;
use warp::http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of output for one byte of input: a control character becomes six, and a row repeats its variables in a second place.
const MAX_GROWTH: usize = 40;
/// Bytes of output that need no input.
const FREE_OUTPUT: usize = 4_096;

const RULES: ParameterRules = ParameterRules {
    max_limit: 10_000,
    max_pagination_timeout: 86_400,
    lenient: false,
};

/// A query string, from its bytes to the values or to an error that says what is wrong.
pub fn parameters(bytes: &[u8]) {
    let query = String::from_utf8_lossy(bytes);
    for lenient in [false, true] {
        let rules = ParameterRules { lenient, ..RULES };
        match Parameters::parse(&query, &rules) {
            Ok(parameters) => {
                assert!(parameters.limit <= rules.max_limit);
                assert!(
                    (1..=rules.max_pagination_timeout).contains(&parameters.pagination_timeout)
                );
                assert!(
                    parameters
                        .search_request_id
                        .is_none_or(|id| id.len() <= bytes.len() * 3)
                );
            }
            Err(violations) => explain(&ExportError::BadRequest(violations.to_string())),
        }
    }
    if let Err(problem) = parameters::collection_id(&query) {
        explain(&ExportError::BadRequest(problem));
    }
}

/// Lines of `name: value`, as headers of a request.
pub fn headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(100) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts
            .next()
            .and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts
            .next()
            .and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    // The same bytes where they matter.
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        for name in [
            "authorization",
            "accept-encoding",
            "x-optimize-client-timezone",
        ] {
            headers.append(HeaderName::from_static(name), value.clone());
        }
    }
    compression::is_accepted(&headers);
    routes::client_time_zone(&headers);
    let nobody = Authenticator {
        tokens: Tokens::StaticTokens(StaticTokens::new(Vec::new())),
        rules: AccessRules::default(),
    };
    let refused = now(nobody.check(&headers)).expect_err("there is no token to be right");
    answer_has_a_body(&error_body::unauthorized(&refused));
}

/// A stored report, up to its queries. What stands behind a line `---` is an answer to them.
pub fn reports(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (source, answer) = text.split_once("\n---\n").unwrap_or((&text, "{}"));
    let report = match StoredReport::parse(source) {
        Ok(report) => report,
        Err(error) => return explain(&error.into()),
    };
    combination::describe(&report);
    let checked = match &report {
        StoredReport::Process(data) => combination::check_process_report(data, true),
        StoredReport::Decision(data) => combination::check_decision_report(data),
        StoredReport::Combined => return,
    };
    if let Err(error) = checked {
        return explain(&error.into());
    }
    match &report {
        StoredReport::Process(data) if data.is_raw_data() => {
            let scope = scope(DefinitionKind::Process);
            let context = filter_context(false);
            let implicit = ImplicitFilter::of(data);
            scope.query(&filter::narrowing(
                &data.filters,
                &scope.definitions,
                implicit,
                &context,
            ));
            process_sort(data.configuration.sorting.as_ref(), 0);
        }
        StoredReport::Process(data) => process_plan(data, answer),
        StoredReport::Decision(data) => decision_plan(data, answer),
        StoredReport::Combined => {}
    }
}

fn process_plan(data: &ProcessReportData, answer: &str) {
    let filter = filter_context(data.view.entity == Some(ViewEntity::UserTask));
    let plan = match Plan::of(data, &filter) {
        Ok(plan) => plan,
        Err(error) => return explain(&error.into()),
    };
    let scope = scope(DefinitionKind::Process);
    let evaluation = optimize::plan::ProcessEvaluation {
        plan: &plan,
        context: PlanContext {
            report: data,
            scope: &scope,
            filter: &filter,
            bucket_limit: 1_000,
            percentile_compression: None,
            models: &ProcessModels::default(),
        },
    };
    evaluate(&evaluation, answer);
}

fn decision_plan(data: &DecisionReportData, answer: &str) {
    let filter = filter_context(false);
    let scope = scope(DefinitionKind::Decision);
    decision_sort(data.configuration.sorting.as_ref());
    if data.is_raw_data() {
        decision::instance_query(data, &scope, &filter);
        return;
    }
    let plan = DecisionPlan::new(DecisionContext {
        report: data,
        scope: &scope,
        filter: &filter,
        bucket_limit: 1_000,
    });
    evaluate(&plan, answer);
}

fn evaluate(evaluation: &impl Evaluation, answer: &str) {
    evaluation.statistics();
    evaluation.result_without_index();
    let answer = serde_json::from_str(answer).ok();
    // Hardly any answer here has what was asked for.
    let ranges = answer
        .as_ref()
        .and_then(|answer| evaluation.ranges(answer).ok());
    let ranges = ranges.unwrap_or_default();
    match evaluation.search(ranges, &Room::unlimited()) {
        Ok(search) => is_json(search.into_text().as_bytes()),
        Err(error) => return explain(&error.into()),
    }
    if let Some(answer) = &answer {
        match evaluation.result(ranges, answer, &Room::unlimited()) {
            Ok(result) => {
                is_json(&Envelope::default().with_result(result));
            }
            Err(PlanError::Absent(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// An instance that has something of everything.
fn full_instance<T: Object<'static> + Default>() -> T {
    const HIT: &str = r#"{"_source":{"processInstanceId":"i","businessKey":"b\"k","duration":5,"tenantId":"t","dataSource":{"name":"d"},
        "variables":[{"name":"a","type":"Object","value":["1","2"]}],"flowNodeInstances":[{"flowNodeId":"task"},{"flowNodeId":"x"}],
        "incidents":[{"incidentStatus":"open"}],"decisionInstanceId":"e","inputs":[{"clauseId":"c","value":"1"}],
        "outputs":[{"clauseId":"c","value":"2"}]}}"#;
    let mut instance = T::default();
    hit::read(&mut instance, &mut Cursor::new(HIT), &mut Shape::default()).expect("it is a hit");
    instance
}

/// Reads a hit in the room of another, which has to make no difference.
fn read_hit<'t, T>(room: T, text: &'t str, shape: &mut Shape) -> Option<T>
where
    T: Object<'t> + Default + Debug,
{
    let (mut instance, mut cursor) = (room, Cursor::new(text));
    let read = hit::read(&mut instance, &mut cursor, shape).map(|_| cursor.position());
    let (mut alone, mut cursor) = (T::default(), Cursor::new(text));
    let read_alone = hit::read(&mut alone, &mut cursor, &mut Shape::default());
    assert_eq!(read, read_alone.map(|_| cursor.position()));
    let end = read.ok()?;
    assert!(text.is_char_boundary(end));
    assert_eq!(format!("{instance:?}"), format!("{alone:?}"));
    Some(instance)
}

/// A hit with a stored instance, read as both kinds, with its row written.
pub fn instances(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let names = VariableNames::new(vec!["a".to_owned(), "b".to_owned(), "\u{1}".to_owned()]);
    let flow_nodes = FlowNodeNames::from([("task".to_owned(), Some("Task".to_owned()))]);
    let zone = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
    // Known the second time.
    let (mut process_shape, mut decision_shape) = (Shape::default(), Shape::default());
    for (object_variables, time_zone) in [
        (ObjectVariables::Values, None),
        (ObjectVariables::Placeholder, Some(&zone)),
    ] {
        let room: ProcessInstance<'static> = full_instance();
        if let Some(instance) = read_hit(room.emptied(), &text, &mut process_shape) {
            instance.definition();
            let mut out = Vec::new();
            let mut rows = ProcessRows {
                now: 1_750_000_000_000,
                variable_names: &names,
                object_variables,
                time_zone,
                restrictions: &Restrictions::default(),
                scratch: Default::default(),
            };
            let row = Row::Process(rows.row(&instance, &flow_nodes));
            PageEncoder::new(Envelope::default())
                .row(&row, &mut out)
                .expect("any row has its JSON");
            is_proportionate(&out, &text);
        }
        let room: DecisionInstance<'static> = full_instance();
        if let Some(instance) = read_hit(room.emptied(), &text, &mut decision_shape) {
            let mut out = Vec::new();
            let clauses = DecisionClauses::default();
            let mut rows = DecisionRows {
                clauses: &clauses,
                time_zone,
                restrictions: &Restrictions::default(),
                scratch: Default::default(),
            };
            let row = Row::Decision(rows.row(&instance));
            PageEncoder::new(Envelope::default())
                .row(&row, &mut out)
                .expect("any row has its JSON");
            is_proportionate(&out, &text);
        }
    }
}

/// An answer of Elasticsearch, whole and in two pieces; the first byte says where it is cut.
pub fn answers(bytes: &[u8]) {
    let (cut, answer) = match bytes.split_first() {
        Some((cut, answer)) => (usize::from(*cut) * answer.len() / 256, answer),
        None => (0, bytes),
    };
    let whole = split(&[answer]);
    let (first, second) = answer.split_at(cut);
    let in_pieces = split(&[first, second]);
    assert_eq!(
        whole.is_some(),
        in_pieces.is_some(),
        "the network's pieces make a difference"
    );
    assert_eq!(whole, in_pieces, "the network's pieces make a difference");
    for status in [200, 400, 404, 429, 500, 503] {
        let error = ElasticsearchError::from_answer(status, answer);
        explain(&ExportError::from(error).in_continuation(status == 503));
    }
    if let Ok(failures) = serde_json::from_slice::<Value>(answer) {
        explain(&ElasticsearchError::from_shard_failures(1, &failures).into());
        explain(&ElasticsearchError::from_document_error(&failures).into());
    }
}

/// The head of an answer and how many hits it has; `None` if it is none.
fn split(pieces: &[&[u8]]) -> Option<(String, usize)> {
    let mut splitter = HitSplitter::default();
    let (mut head, mut hits) = (String::new(), 0);
    let mut pieces = pieces.iter();
    loop {
        match splitter.next_piece().ok()? {
            Piece::Head(range) => head = splitter.text(range).unwrap_or_default().to_owned(),
            Piece::Hit => {
                let mut cursor = Cursor::new(splitter.rest().ok()?);
                match cursor.skip() {
                    Ok(()) => {
                        let length = cursor.position();
                        splitter.advance(length).ok()?;
                        hits += 1;
                    }
                    Err(optimize::raw_data::cursor::ReadError::Incomplete) => {
                        splitter.wait().ok()?;
                    }
                    Err(_) => return None,
                }
            }
            Piece::End if splitter.is_complete() => return Some((head, hits)),
            Piece::End | Piece::Incomplete => match pieces.next() {
                Some(piece) => splitter.push(piece).ok()?,
                None if splitter.is_complete() => return None,
                None => splitter.complete().ok()?,
            },
        }
    }
}

fn scope(kind: DefinitionKind) -> Scope {
    let definition = DefinitionScope {
        identifier: Some("first".to_owned()),
        key: "p".to_owned(),
        label: "Process".to_owned(),
        versions: Versions::All,
        tenant_ids: vec![None],
    };
    Scope::of_definitions(&IndexNames::new("optimize"), kind, vec![definition])
}

fn filter_context(user_task_report: bool) -> FilterContext {
    FilterContext {
        now: jiff::Timestamp::UNIX_EPOCH,
        time_zone: TimeZone::UTC,
        user_task_report,
        assignee_analytics: true,
    }
}

/// An error has a body.
fn explain(error: &ExportError) {
    answer_has_a_body(&error_body::export_failed(error));
}

fn answer_has_a_body(answer: &warp::reply::Response) {
    assert!(answer.status().as_u16() >= 400);
    let length = answer.body().size_hint().exact();
    assert!(
        length.is_some_and(|length| (20..20_000).contains(&length)),
        "{length:?}"
    );
}

fn is_json(bytes: &[u8]) {
    let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
    assert!(
        parsed.is_ok(),
        "{parsed:?}: {}",
        String::from_utf8_lossy(bytes)
    );
}

fn is_proportionate(row: &[u8], input: &str) {
    is_json(row);
    assert!(
        row.len() <= FREE_OUTPUT + MAX_GROWTH * input.len(),
        "{} bytes out of {}",
        row.len(),
        input.len()
    );
}

/// What a future gives that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("it waits for nothing"),
    }
}
