//! Elasticsearch is killed and comes back.

use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::support::documents::instances;
use testkit::elasticsearch::{Error, Killable, Version};
use testkit::indices::{Document, Index, Installation};

#[test]
fn a_node_that_is_killed_and_comes_back_makes_the_client_wait_and_start_over() {
    let mut elasticsearch =
        match Killable::start(Version::wanted().unwrap(), "512m".parse().unwrap()) {
            Ok(elasticsearch) => elasticsearch,
            // Where Elasticsearch comes from containers alone, there is no process to be killed.
            Err(Error::Java { found, .. }) => return println!("not run without Java: {found}"),
            Err(error) => panic!("{error}"),
        };
    let installation = Installation::new(elasticsearch.url(), "killed").unwrap();
    let index = Index::ProcessInstance { key: "order" };
    for index in [
        Index::ProcessDefinition,
        Index::SingleProcessReport,
        Index::SingleDecisionReport,
        Index::CombinedReport,
        index,
    ] {
        installation.create(index).unwrap();
    }
    let report = raw_report("r", "order", json!({}));
    let documents = instances("order", 50).into_iter().map(|source| Document {
        index,
        id: source["processInstanceId"].as_str().unwrap().to_owned(),
        source,
    });
    installation.store(documents).unwrap();
    installation
        .store([Document {
            index: Index::SingleProcessReport,
            id: "r".to_owned(),
            source: report,
        }])
        .unwrap();

    let proxy = Proxy::start(elasticsearch.url());
    let service = Service::start(&proxy.url(), "killed", &["--cache-ttl", "0"], &[]);
    let page = service.first_page("r", 20).ok();
    assert_eq!(ids(&page).len(), 20);
    elasticsearch.kill();
    for answer in [service.first_page("r", 20), service.next_page("r", &page)] {
        assert_wait(&answer, (503, "elasticsearchConnectionError"));
    }

    elasticsearch.restart().unwrap();
    proxy.set_target(elasticsearch.url());
    // It answers before its shards are there: all that a client may see until then is that it has to wait.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = service.first_page("r", 20);
        if answer.status == 200 {
            assert_eq!(answer.ok()["totalNumberOfRecords"], 50);
            break;
        }
        assert_wait(&answer, (503, "elasticsearchConnectionError"));
        assert!(Instant::now() < deadline, "it does not come back");
        thread::sleep(Duration::from_millis(200));
    }
    assert_start_over(&service, &page);
    assert_eq!(service.ids("r").len(), 50);
}
