//! What a request costs before Elasticsearch is asked: checking a token, translating filters, building a plan.

#![allow(clippy::expect_used, reason = "a benchmark that can't run should stop")]
#![allow(missing_docs, reason = "criterion's macros document nothing")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use optimize::filter::{self, FilterContext, ImplicitFilter};
use optimize::plan::answer::Answer;
use optimize::plan::context::{PlanContext, ProcessModels};
use optimize::plan::{Plan, Ranges, Room};
use optimize::report::definition::{ProcessReportData, StoredReport};
use optimize::scope::{DefinitionKind, DefinitionScope, IndexNames, Scope};
use optimize_export::auth::JwtVerifier;
use optimize_export::auth::jwt::{JwtSettings, KeySource};
use serde_json::{Value, json};
use testkit::sample::Sample;

/// A hyper map over months and a variable.
const PLANNED_REPORT: &str = "orders-by-month-and-customer-type";
/// Two filters on variables.
const FILTERED_REPORT: &str = "raw-orders-large-and-express";

fn stored(id: &str) -> String {
    let report = Sample::reports()
        .into_iter()
        .find(|report| report.id == id)
        .expect("the sample has this report");
    report.source.to_string()
}

fn process_report(json: &str) -> ProcessReportData {
    match StoredReport::parse(json).expect("the sample's reports can be read") {
        StoredReport::Process(report) => *report,
        _ => unreachable!("it is a report on processes"),
    }
}

fn filter_context() -> FilterContext {
    FilterContext {
        now: jiff::Timestamp::now(),
        time_zone: TimeZone::UTC,
        user_task_report: false,
        assignee_analytics: true,
    }
}

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("report");
    let json = stored(PLANNED_REPORT);
    group.bench_function("parse", |bencher| {
        bencher.iter(|| process_report(black_box(&json)));
    });

    let context = filter_context();
    let filtered = process_report(&stored(FILTERED_REPORT));
    group.bench_function("translate filters", |bencher| {
        bencher.iter(|| {
            let implicit = ImplicitFilter::of(black_box(&filtered));
            filter::narrowing(&filtered.filters, &[], implicit, &context)
        });
    });

    let planned = process_report(&json);
    let definitions = planned.definitions.iter().enumerate();
    let definitions = definitions
        .filter_map(|(position, definition)| DefinitionScope::new(definition, position, None).ok())
        .collect();
    let names = IndexNames::new("optimize");
    let scope = Scope::of_definitions(&names, DefinitionKind::Process, definitions);
    let models = ProcessModels::default();
    group.bench_function("build a plan", |bencher| {
        bencher.iter(|| {
            let context = PlanContext {
                report: black_box(&planned),
                scope: &scope,
                filter: &context,
                bucket_limit: 1_000,
                percentile_compression: None,
                models: &models,
            };
            let plan = Plan::of(&planned, context.filter).expect("it can be planned");
            plan.search(&context, Ranges::default(), &Room::unlimited())
                .expect("it can be searched")
        });
    });
    group.finish();
}

/// A hyper map of 250 days and 256 flow nodes, as Elasticsearch answers.
fn large_answer() -> String {
    let flow_node = |n: usize| json!({"key": format!("flow-node-{n}"), "doc_count": n});
    let flow_nodes: Vec<Value> = (0..256).map(flow_node).collect();
    let day = |n: usize| {
        json!({"key_as_string": "2024-03-01T00:00:00.000+0000", "key": n * 86_400_000, "doc_count": 256, "modelElements": {
            "doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": flow_nodes}})
    };
    let days: Vec<Value> = (0..250).map(day).collect();
    json!({"hits": {"total": {"value": 64_000}}, "aggregations": {"dates": {"buckets": days}}})
        .to_string()
}

fn answers(criterion: &mut Criterion) {
    let text = large_answer();
    let mut group = criterion.benchmark_group("answer of 64,000 buckets");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| serde_json::from_str::<Answer>(black_box(&text)).expect("it is one"));
    });
    let answer: Answer = serde_json::from_str(&text).expect("it is one");
    group.bench_function("read all keys and counts", |bencher| {
        bencher.iter(|| {
            let days = black_box(&answer).root().sub("dates");
            let days = days
                .and_then(|days| days.buckets())
                .expect("there are some");
            let flow_nodes = days
                .into_iter()
                .filter_map(|day| day.sub("modelElements").ok()?.buckets().ok());
            let counts = flow_nodes
                .flatten()
                .map(|node| (node.key(), node.doc_count()));
            counts.filter(|(key, _)| key.is_ok()).count()
        });
    });
    group.finish();
}

/// Publishes one key on loopback for as long as the process lives; gives back its address.
fn publish(key: &Value) -> String {
    let body = json!({"keys": [key]}).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    format!("http://{address}/keys")
}

fn tokens(criterion: &mut Criterion) {
    let algorithm = Algorithm::ES256;
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .expect("a key can be made");
    let key = EncodingKey::from_ec_der(pair.as_ref());
    let public = Jwk::from_encoding_key(&key, algorithm).expect("it has a public part");
    let mut public = serde_json::to_value(public).expect("it is JSON");
    if let Some(public) = public.as_object_mut() {
        public.insert("kid".to_owned(), json!("k"));
        public.insert("use".to_owned(), json!("sig"));
    }
    let header = Header {
        kid: Some("k".to_owned()),
        ..Header::new(algorithm)
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let expiry = now.expect("it is after 1970").as_secs() + 3_600;
    let claims = json!({"sub": "pipeline", "aud": "optimize", "exp": expiry});
    let token = encode(&header, &claims, &key).expect("it can be signed");
    let verifier = JwtVerifier::new(JwtSettings {
        keys: KeySource::KeySet(publish(&public).parse().expect("it is a URL")),
        audiences: vec!["optimize".to_owned()],
        issuer: None,
        client_claim: None,
        required_scope: None,
        required_claim: None,
    })
    .expect("it can be made");
    let runtime = tokio::runtime::Runtime::new().expect("it can be started");
    criterion.bench_function("verify a token", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            verifier
                .verify(black_box(&token))
                .await
                .expect("it is good")
        });
    });
}

criterion_group!(benches, plans, answers, tokens);
criterion_main!(benches);
