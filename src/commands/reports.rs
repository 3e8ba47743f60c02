//! `reports`: what there is to export.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Arg;
use cluster::ElasticsearchError;
use comfy_table::{Cell, Color};
use optimize::listing::ListedReport;

use super::{
    Configured, OTHER_SETTINGS_HELP, connect, keep_words, printable, printed, report_list, runtime,
    table,
};
use crate::catalog::report_list::ReportList;

/// Flags of `reports`.
#[derive(clap::Args)]
#[command(mut_args = shown_for_lists, after_long_help = OTHER_SETTINGS_HELP)]
pub struct Reports {
    /// How they are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    configured: Configured,
}

/// What a narrow terminal does without, the first of them first.
const EXPENDABLE_COLUMNS: [&str; 5] = ["DISTRIBUTED BY", "COLLECTION", "GROUP BY", "VIEW", "TYPE"];

/// How reports are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people
    Table,
    /// One JSON object per line
    Jsonl,
    /// One JSON array
    Json,
}

/// Hides what makes no difference to a list, in `--help` and the man page.
fn shown_for_lists(flag: Arg) -> Arg {
    let is_needed = match flag.get_help_heading() {
        None | Some("Elasticsearch") => true,
        Some(_) => flag.get_id() == "assignee_analytics",
    };
    flag.hide(!is_needed)
}

/// Prints all reports of the installation.
pub fn run(arguments: Reports) -> Result<ExitCode, String> {
    let config = arguments.configured.load()?;
    let list = report_list(&config, connect(&config)?);
    let print = async {
        match arguments.format {
            Format::Table => print_table(&list).await,
            Format::Jsonl => print_json(&list, ["", "\n", "\n"]).await,
            Format::Json => print_json(&list, ["[\n", ",\n", "\n]\n"]).await,
        }
    };
    let result = match runtime()?.block_on(print) {
        Err(ListError::Output(error)) => printed(Err(error)).map_err(ListError::Output),
        result => result,
    };
    result.map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("the reports can't be read: {0}")]
    Elasticsearch(#[from] ElasticsearchError),
    #[error("the list can't be printed: {0}")]
    Output(#[from] io::Error),
}

async fn print_table(list: &ReportList) -> Result<(), ListError> {
    let mut table = table(&[
        "ID",
        "NAME",
        "TYPE",
        "COLLECTION",
        "VIEW",
        "GROUP BY",
        "DISTRIBUTED BY",
        "EXPORT",
    ]);
    list.for_each(|report| {
        let text = |text: Option<String>| Cell::new(printable(text.as_deref().unwrap_or("-")));
        let export = match &report.problem {
            None => Cell::new("yes").fg(Color::Green),
            Some(problem) => Cell::new(printable(&format!("no: {problem}"))).fg(Color::Red),
        };
        table.add_row([
            Cell::new(printable(&report.id)),
            text(report.name),
            Cell::new(report.kind),
            text(report.collection_id),
            text(report.view),
            text(report.group_by),
            text(report.distributed_by),
            export,
        ]);
    })
    .await?;
    let left_out = keep_words(&mut table, &EXPENDABLE_COLUMNS);
    let mut out = io::stdout();
    writeln!(out, "{}", table.trim_fmt())?;
    if !left_out.is_empty() {
        writeln!(
            out,
            "\nThis terminal has no room for {}; --format jsonl has everything.",
            left_out.join(", ")
        )?;
    }
    out.flush()?;
    Ok(())
}

/// Prints each report as soon as it is read, with `before` the first, `between` two, and `after` the last.
async fn print_json(
    list: &ReportList,
    [before, between, after]: [&str; 3],
) -> Result<(), ListError> {
    let mut out = io::BufWriter::new(io::stdout());
    let mut printed = write!(out, "{before}");
    let mut count = 0_u64;
    list.for_each(|report| {
        if printed.is_ok() {
            printed = print_one(&mut out, if count > 0 { between } else { "" }, &report);
        }
        count += 1;
    })
    .await?;
    printed?;
    let after = match (count, before.is_empty()) {
        (0, true) => "",
        (0, false) => "]\n",
        _ => after,
    };
    write!(out, "{after}")?;
    out.flush()?;
    Ok(())
}

fn print_one(out: &mut impl Write, before: &str, report: &ListedReport) -> io::Result<()> {
    write!(out, "{before}")?;
    out.write_all(&utf16::to_vec(report))
}
