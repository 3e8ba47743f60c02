//! The query string.

use serde_json::json;

use crate::support::documents::{instances, raw_report};
use crate::support::{Optimize, Service};

fn refused(service: &Service, query: &str) -> String {
    let (status, code, detail) = service.export("r", query).error();
    assert_eq!((status, code.as_str()), (400, "badRequestError"), "{query}");
    detail
}

#[test]
fn limit_and_pagination_timeout_are_required_and_bounded() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();

    let both = refused(&service, "");
    assert!(
        both.contains("limit is missing") && both.contains("paginationTimeout is missing"),
        "{both}"
    );
    for limit in [
        "",
        "-1",
        "10001",
        "1.0",
        "many",
        "%FF",
        "%00",
        "1%202",
        "99999999999999999999999",
        "0x10",
    ] {
        let detail = refused(&service, &format!("limit={limit}&paginationTimeout=60"));
        assert!(
            detail.contains("limit") && detail.contains("0..=10000"),
            "{detail}"
        );
    }
    for timeout in ["", "0", "86401", "-5", "soon", "18446744073709551616"] {
        let detail = refused(&service, &format!("limit=1&paginationTimeout={timeout}"));
        assert!(
            detail.contains("paginationTimeout") && detail.contains("1..=86400"),
            "{detail}"
        );
    }
    refused(&service, "limit=1&limit=2&paginationTimeout=60");
    refused(
        &service,
        "limit=1&paginationTimeout=60&searchRequestId=a&searchRequestId=b",
    );
    refused(
        &service,
        "limit=1&paginationTimeout=60&searchRequestId=%FF%FE",
    );
    refused(
        &service,
        &format!("limit={}&paginationTimeout=60", "9".repeat(10_000)),
    );

    for query in [
        "limit=2&paginationTimeout=1",
        "limit=2&paginationTimeout=86400",
        "limit=%32&paginationTimeout=60&limit=2",
        "searchRequestId=&limit=2&paginationTimeout=60&unknown=%FF",
    ] {
        assert_eq!(
            service.export("r", query).ok()["numberOfRecordsInResponse"],
            2,
            "{query}"
        );
    }
    assert_eq!(
        service.first_page("r", 10_000).ok()["numberOfRecordsInResponse"],
        3
    );
}

#[test]
fn the_lenient_setting_has_the_defaults_of_optimize() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--lenient-parameters"]);
    assert_eq!(service.export("r", "").ok()["numberOfRecordsInResponse"], 3);
    assert_eq!(
        service.export("r", "limit=1").ok()["numberOfRecordsInResponse"],
        1
    );
    refused(&service, "limit=");
}

#[test]
fn an_operator_can_lower_the_bounds() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--max-limit", "2", "--max-pagination-timeout", "30"]);
    let detail = refused(&service, "limit=3&paginationTimeout=31");
    assert!(
        detail.contains("0..=2") && detail.contains("1..=30"),
        "{detail}"
    );
    assert_eq!(
        service.export("r", "limit=2&paginationTimeout=30").ok()["numberOfRecordsInResponse"],
        2
    );
}
