//! What the demo shows, step by step. Each step checks what it shows.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use console::style;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::client::{Client, percent_encoded};
use testkit::indices::{Index, Installation};
use testkit::sample::Sample;
use testkit::service::{Service, TOKEN};

/// The raw data report that is exported page by page.
const PAGED_REPORT: &str = "raw-orders";

/// The rows of one page.
const PAGE_SIZE: usize = 200;

/// The width of the longest bar.
const BAR_WIDTH: f64 = 40.0;

/// What a step works with.
pub(super) struct Context<'a> {
    /// The program of the service, which is that of the commands too.
    pub program: &'a Path,
    pub client: &'a Client,
    pub service: &'a Service,
    pub installation: &'a Installation,
    /// A folder for files.
    pub files: &'a Path,
    /// Whether everything is there for somebody to try afterwards.
    pub goes_on: bool,
}

/// One step.
pub(super) type Step = fn(&Context<'_>) -> anyhow::Result<()>;

impl Context<'_> {
    /// Exports a report, or the next page of it.
    fn export(
        &self,
        report: &str,
        limit: usize,
        search_request_id: Option<&str>,
    ) -> anyhow::Result<Value> {
        let mut path = path_of(report, limit);
        if let Some(id) = search_request_id {
            path.push_str(&format!("&searchRequestId={}", percent_encoded(id)));
        }
        let answer = self.client.get_with_token(&path, TOKEN)?.success();
        answer.with_context(|| {
            format!(
                "the export of {report} failed\n{}",
                self.service.last_log_lines()
            )
        })
    }
}

fn path_of(report: &str, limit: usize) -> String {
    format!("/api/public/export/report/{report}/result/json?limit={limit}&paginationTimeout=60")
}

/// Lists the stored reports.
pub(super) fn stored_reports(_: &Context<'_>) -> anyhow::Result<()> {
    let reports = Sample::reports();
    let text = |report: &Value, place: &str| {
        report
            .pointer(place)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let width = reports
        .iter()
        .map(|report| report.id.len())
        .max()
        .unwrap_or(0);
    for report in &reports {
        let padding = " ".repeat(width - report.id.len());
        println!(
            "{}{padding}  {}  {}",
            style(&report.id).cyan(),
            style(kind_of(&report.source)).dim(),
            text(&report.source, "/name")
        );
    }
    Ok(())
}

/// The kind of a report, by the shape of its result; all of one width.
fn kind_of(report: &Value) -> &'static str {
    let text = |place: &str| report.pointer(place).and_then(Value::as_str);
    let is_grouped = |place: &str| text(place).is_some_and(|group| group != "none");
    match (
        text("/data/view/properties/0"),
        is_grouped("/data/groupBy/type"),
        is_grouped("/data/distributedBy/type"),
    ) {
        _ if report.get("combined") == Some(&json!(true)) => "combined ",
        (Some("rawData"), ..) => "raw data ",
        (_, false, false) => "number   ",
        (_, true, false) => "map      ",
        (_, _, true) => "hyper map",
    }
}

/// Exports a raw data report over several pages, and shows one row.
pub(super) fn pages(context: &Context<'_>) -> anyhow::Result<()> {
    println!(
        "{} in pages of {PAGE_SIZE} rows, each asked for with the searchRequestId of the one before\n",
        style(PAGED_REPORT).cyan()
    );
    println!("{}", style("page   rows   so far   total   time").dim());

    let mut ids = HashSet::new();
    let mut search_request_id: Option<String> = None;
    let mut total = None;
    for page in 1.. {
        let began = Instant::now();
        let body = context.export(PAGED_REPORT, PAGE_SIZE, search_request_id.as_deref())?;
        let rows = body
            .get("data")
            .and_then(Value::as_array)
            .context("a page has no rows")?;
        let page_total = body
            .get("totalNumberOfRecords")
            .and_then(Value::as_u64)
            .context("a page has no total")?;
        ensure!(
            *total.get_or_insert(page_total) == page_total,
            "the total changed from page to page"
        );
        for row in rows {
            let id = row
                .get("processInstanceId")
                .and_then(Value::as_str)
                .context("a row has no processInstanceId")?;
            ensure!(
                ids.insert(id.to_owned()),
                "process instance {id} came twice"
            );
        }
        println!(
            "{page:>4} {:>6} {:>8} {page_total:>7} {:>4} ms",
            rows.len(),
            ids.len(),
            began.elapsed().as_millis()
        );
        if rows.is_empty() {
            break;
        }
        search_request_id = body
            .get("searchRequestId")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned);
        ensure!(search_request_id.is_some(), "a page has no searchRequestId");
    }

    let stored = count_in_elasticsearch(context)?;
    ensure!(
        ids.len() as u64 == stored,
        "{} rows were exported, but {stored} process instances are stored",
        ids.len()
    );
    println!(
        "\n{} all {stored} process instances, each exactly once",
        style("✓").green()
    );
    println!("\nThe first row:\n{}", first_row_as_sent(context)?);
    Ok(())
}

/// The first row of the paged report, its members in the order in which they came.
fn first_row_as_sent(context: &Context<'_>) -> anyhow::Result<String> {
    #[derive(serde::Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    let answer = context
        .client
        .get_with_token(&path_of(PAGED_REPORT, 1), TOKEN)?;
    let page: Page<'_> = serde_json::from_str(&answer.text)?;
    let row = page.data.first().context("there is no row at all")?;
    let mut pretty = Vec::new();
    serde_transcode::transcode(
        &mut serde_json::Deserializer::from_str(row.get()),
        &mut serde_json::Serializer::pretty(&mut pretty),
    )?;
    Ok(String::from_utf8(pretty)?)
}

/// How many process instances the paged report has to have, as Elasticsearch itself says.
fn count_in_elasticsearch(context: &Context<'_>) -> anyhow::Result<u64> {
    let report = Sample::reports()
        .into_iter()
        .find(|report| report.id == PAGED_REPORT)
        .context("the paged report is missing")?;
    let key = report
        .source
        .pointer("/data/definitions/0/key")
        .and_then(Value::as_str)
        .context("the paged report has no definition")?;
    let alias = Index::ProcessInstance { key }.alias(context.installation.prefix());
    let body = context
        .installation
        .client()
        .get(&format!("/{alias}/_count"))?
        .success()?;
    body.get("count")
        .and_then(Value::as_u64)
        .context("Elasticsearch does not count")
}

/// Exports a report whose result is one number.
pub(super) fn number(context: &Context<'_>) -> anyhow::Result<()> {
    let body = context.export("orders-count", PAGE_SIZE, None)?;
    let number = body
        .get("data")
        .and_then(Value::as_f64)
        .context("the report has no number")?;
    ensure!(number > 0.0, "no order is counted");
    println!(
        "{} is {}",
        style("orders-count").cyan(),
        style(number).bold()
    );
    Ok(())
}

/// Exports a report whose result is a list of groups: process instances by month.
pub(super) fn groups(context: &Context<'_>) -> anyhow::Result<()> {
    bars(context, "orders-by-start-date-per-month", |key| {
        key.get(..7).unwrap_or(key)
    })
}

/// Exports a report on decisions: how many of them each rule of a decision table has matched.
pub(super) fn decisions(context: &Context<'_>) -> anyhow::Result<()> {
    bars(context, "discounts-by-matched-rule", |key| key)
}

/// Shows the groups of a report as bars, each under what is `shown` of its key.
fn bars(context: &Context<'_>, report: &str, shown: impl Fn(&str) -> &str) -> anyhow::Result<()> {
    let body = context.export(report, 1_000, None)?;
    let groups = body
        .get("data")
        .and_then(Value::as_array)
        .context("the report has no groups")?;
    ensure!(!groups.is_empty(), "the report is empty");
    let value_of = |group: &Value| group.get("value").and_then(Value::as_f64).unwrap_or(0.0);
    let largest = groups.iter().map(value_of).fold(1.0, f64::max);
    let mut rows = Vec::with_capacity(groups.len());
    for group in groups {
        let key = group
            .get("key")
            .and_then(Value::as_str)
            .context("a group has no key")?;
        rows.push((shown(key), value_of(group)));
    }
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    println!("{}", style(report).cyan());
    for (key, value) in rows {
        println!(
            "{key:width$} {value:>6}  {}",
            style("█".repeat(bar_length(value, largest))).cyan()
        );
    }
    Ok(())
}

/// The number of characters of a bar.
fn bar_length(value: f64, largest: f64) -> usize {
    (value / largest * BAR_WIDTH).round().clamp(0.0, BAR_WIDTH) as usize
}

/// Exports the report that was paged before in one request, as a Parquet file, and reads that back.
pub(super) fn file(context: &Context<'_>) -> anyhow::Result<()> {
    let path = context.files.join(format!("{PAGED_REPORT}.parquet"));
    let mut file = File::create_new(&path).context("can't write the file")?;
    let began = Instant::now();
    let target = format!("/api/public/export/report/{PAGED_REPORT}/result/parquet");
    let exported = context.client.download(&target, TOKEN, &mut file);
    let bytes = exported.with_context(|| {
        format!(
            "the export of {PAGED_REPORT} as a file failed\n{}",
            context.service.last_log_lines()
        )
    })?;
    println!(
        "{} as Parquet, in one request\n",
        style(PAGED_REPORT).cyan()
    );
    println!(
        "{}   {} kB, {} ms",
        style(path.display()).bold(),
        bytes.div_ceil(1_000),
        began.elapsed().as_millis()
    );

    let reader = SerializedFileReader::new(File::open(&path)?).context("the file is no Parquet")?;
    let metadata = reader.metadata().file_metadata();
    let stored = count_in_elasticsearch(context)?;
    ensure!(
        u64::try_from(metadata.num_rows()).ok() == Some(stored),
        "the file has {} rows, but {stored} process instances are stored",
        metadata.num_rows()
    );
    println!(
        "{} {stored} rows, {} columns with types",
        style("✓").green(),
        metadata.schema_descr().num_columns()
    );
    if !context.goes_on {
        return Ok(());
    }
    println!(
        "\n{}",
        style("# open it with one of these, while the demo runs").dim()
    );
    let path = path.display();
    println!("duckdb -c \"SELECT * FROM '{path}' LIMIT 5\"");
    for package in ["polars", "pandas"] {
        println!("python3 -c \"import {package}; print({package}.read_parquet('{path}'))\"");
    }
    Ok(())
}

/// Prints commands to try.
pub(super) fn commands(context: &Context<'_>) -> anyhow::Result<()> {
    let url = &context.service.url;
    let curl = |what: &str, report: &str, limit: usize| {
        println!("{}", style(format!("# {what}")).dim());
        println!(
            "curl -sH 'Authorization: Bearer {TOKEN}' '{url}{}'\n",
            path_of(report, limit)
        );
    };
    curl(
        "two rows, and a searchRequestId for more",
        "raw-all-processes-sorted-by-duration",
        2,
    );
    curl("decision instances", "raw-discounts", 2);
    curl("a map", "invoices-user-tasks-by-assignee", 100);
    curl("a hyper map", "orders-by-month-and-customer-type", 100);
    println!("{}", style("# the events of all orders, as a table").dim());
    println!(
        "curl -sH 'Authorization: Bearer {TOKEN}' -o events.csv '{url}/api/public/export/report/{PAGED_REPORT}/result/csv?table=flowNodes'\n"
    );
    println!("{}", style("# the same by the command line").dim());
    println!(
        "OPTIMIZE_EXPORT_ACCESS_TOKEN={TOKEN} {} export {PAGED_REPORT} --url {url} --table flowNodes -o events.parquet\n",
        context.program.display()
    );
    println!("{}", style("# what happens without a token").dim());
    println!("curl -i '{url}{}'", path_of(PAGED_REPORT, 2));
    Ok(())
}
