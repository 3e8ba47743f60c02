//! The chain on two nodes: the one with the primary shards is killed half-way, and the other goes on with its replicas.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::elasticsearch::{Pair, Version};
use testkit::indices::{Index, Installation};
use testkit::proxy::Proxy;

use super::{KEY, Options, Outcome, chain, prepare, serve, set_index};

/// The prefix of the indices; the cluster is this run's own.
const PREFIX: &str = "failover";
/// How long copies of shards may take to be where they belong.
const PATIENCE: Duration = Duration::from_secs(90);

/// One chain, with as many shards as the first of those that are asked for.
pub(super) fn run(
    program: &Path,
    version: Version,
    shards: u32,
    options: &Options,
) -> anyhow::Result<Outcome> {
    let mut pair = Pair::start(version, &"512m".parse()?)?;
    let installation = Installation::new(pair.url(), PREFIX)?;
    prepare(&installation, KEY, &[KEY.to_owned()])?;
    let index = Index::ProcessInstance { key: KEY };
    installation.create_changed(index, |body| {
        set_index(body, "number_of_shards", json!(shards));
        set_index(body, "number_of_replicas", json!(0));
        set_index(body, "refresh_interval", json!("1s"));
        set_index(body, "routing.allocation.require._name", json!("second"));
    })?;
    let client = installation.client();
    let alias = index.alias(PREFIX);
    wait_for_primaries(client, &alias, "second")?;
    // The primaries stay where they are, and the replicas come to the other node.
    let both =
        json!({"index.routing.allocation.require._name": null, "index.number_of_replicas": 1});
    client
        .put(&format!("/{alias}/_settings"), &both)?
        .success()?;
    let replicas = json!({"index.number_of_replicas": 1});
    client.put("/_all/_settings", &replicas)?.success()?;
    wait_for_green(client)?;
    wait_for_primaries(client, &alias, "second")?;
    let proxy = Proxy::start(pair.url())?;
    let service = serve(program, &proxy.url(), PREFIX, options.change_overlap)?;
    let round_time = Duration::from_millis(options.round_time);
    let half = options.rounds.div_ceil(2);
    let outcome = chain(
        &service,
        &proxy,
        &installation,
        options,
        round_time,
        |round| {
            if round == half {
                pair.kill_second();
            }
        },
    )?;
    service.stop()?;
    let health = client.get("/_cluster/health")?.success()?;
    let nodes = health.get("number_of_nodes");
    ensure!(nodes == Some(&json!(1)), "no node was killed: {health}");
    Ok(outcome)
}

fn wait_for_green(client: &Client) -> anyhow::Result<()> {
    let health =
        client.get("/_cluster/health?wait_for_status=green&wait_for_nodes=2&timeout=90s")?;
    let status = health.success()?;
    ensure!(
        status.get("status") == Some(&json!("green")),
        "the replicas don't come: {status}"
    );
    Ok(())
}

fn wait_for_primaries(client: &Client, alias: &str, node: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let path = format!("/_cat/shards/{alias}?format=json&h=prirep,state,node");
        let shards = client.get(&path)?.success()?;
        let shards = shards.as_array().context("no shards")?;
        let text =
            |shard: &Value, name: &str| shard.get(name).and_then(Value::as_str).map(str::to_owned);
        let are_there = shards
            .iter()
            .filter(|shard| text(shard, "prirep").as_deref() == Some("p"))
            .all(|shard| {
                text(shard, "state").as_deref() == Some("STARTED")
                    && text(shard, "node").as_deref() == Some(node)
            });
        if are_there {
            return Ok(());
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "the primaries are elsewhere: {shards:?}"
        );
        thread::sleep(Duration::from_millis(200));
    }
}
