//! The commands, one file each. A command gives back its exit code, or a message for the person who called it.

use std::io;
use std::path::PathBuf;

use cluster::Elasticsearch;
use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Table, Width, presets};
use optimize::scope::IndexNames;

use crate::auth::{AccessRules, access as access_file};
use crate::catalog::report_list::ReportList;
use crate::config::{Config, Environment, Settings};
use crate::flags;

pub mod access;
pub mod check;
pub mod command_line;
pub mod completions;
pub mod connection;
pub mod export;
pub mod healthcheck;
pub mod reports;
pub mod schema;
pub mod serve;
pub mod sync;

/// A command that needs the whole configuration.
#[derive(clap::Args)]
pub struct Configured {
    /// YAML file with settings
    #[arg(long, env = "OPTIMIZE_EXPORT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// What `--help` says of a command that does not show all settings.
const OTHER_SETTINGS_HELP: &str = "The other settings of `serve` are understood too, so that all commands can share a file, and make no difference here.";

impl Configured {
    /// Puts flags, environment and file together.
    pub fn load(self) -> Result<Config, String> {
        Config::load(self.settings, self.config.as_deref(), &environment())
            .map_err(|error| error.to_string())
    }
}

/// The environment, without what is not UTF-8.
fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime can't be started: {error}"))
}

fn connect(config: &Config) -> Result<Elasticsearch, String> {
    Elasticsearch::new(config.elasticsearch.clone()).map_err(|error| error.to_string())
}

fn index_names(config: &Config) -> IndexNames {
    IndexNames::new(&config.export.index_prefix)
}

/// The access rules of the configuration, as their file has them now.
fn access_rules(config: &Config) -> Result<AccessRules, String> {
    match &config.access_rules_file {
        None => Ok(AccessRules::default()),
        Some(file) => match access_file::read(file) {
            Ok(rules) => Ok(AccessRules::new(rules)),
            Err(error) => Err(format!("{}: {error}", flags::ACCESS_RULES_FILE)),
        },
    }
}

fn report_list(config: &Config, elasticsearch: Elasticsearch) -> ReportList {
    ReportList::new(
        elasticsearch,
        index_names(config),
        config.export.assignee_analytics,
    )
}

/// Names are what users typed; control characters in them are not for a terminal.
fn printable(text: &str) -> String {
    utf16::for_people(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// What became of printing something. A reader who has enough, such as `head`, is no error.
fn printed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A table for people: within the width of a terminal if it goes to one, else one line per row.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(
        header
            .iter()
            .map(|name| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    table.set_content_arrangement(if table.is_tty() {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    });
    table
}

/// Makes each column of a filled table as wide as its longest word, so that lines are broken between words only. Where the terminal
/// has no room for that, columns are left out, of those that are `expendable` the first ones first; their headers are given back.
fn keep_words(table: &mut Table, expendable: &[&str]) -> Vec<String> {
    let mut columns: Vec<(String, u16)> = Vec::new();
    for row in table.header().into_iter().chain(table.row_iter()) {
        for (column, cell) in row.cell_iter().enumerate() {
            let content = cell.content();
            let longest = content.split_whitespace().map(|word| word.chars().count());
            let longest = u16::try_from(longest.max().unwrap_or(0)).unwrap_or(u16::MAX);
            match columns.get_mut(column) {
                Some((_, width)) => *width = longest.max(*width),
                None => columns.push((content, longest)),
            }
        }
    }
    for (column, (_, width)) in table.column_iter_mut().zip(&mut columns) {
        *width = width.saturating_add(column.padding_width());
    }
    let room = table.width().map_or(usize::MAX, usize::from);
    let needed = |left_out: &[String]| {
        let shown = columns.iter().filter(|(name, _)| !left_out.contains(name));
        shown.map(|(_, width)| usize::from(*width)).sum::<usize>()
    };
    let mut left_out: Vec<String> = Vec::new();
    for name in expendable {
        if needed(&left_out) <= room {
            break;
        }
        left_out.push((*name).to_owned());
    }
    for (column, (name, width)) in table.column_iter_mut().zip(&columns) {
        column.set_constraint(if left_out.contains(name) {
            ColumnConstraint::Hidden
        } else {
            ColumnConstraint::LowerBoundary(Width::Fixed(*width))
        });
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_table_are_whole_however_narrow_the_terminal() {
        let rows = [
            [
                "raw-all-processes-sorted-by-duration",
                "All processes, sorted by their durations",
                "processInstance-percentage",
                "no: combinations of numbers",
            ],
            [
                "85b1c3b0-6d2f-4f5e-9a54-0f6e6f7f2a11",
                "Bestellungen",
                "rawData",
                "yes",
            ],
        ];
        for (width, expected) in [
            (60, vec!["VIEW", "NAME"]),
            (80, vec!["VIEW"]),
            (100, vec![]),
            (200, vec![]),
        ] {
            let mut table = table(&["ID", "NAME", "VIEW", "EXPORT"]);
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
            table.add_rows(rows);
            let left_out = keep_words(&mut table, &["VIEW", "NAME"]);
            assert_eq!(left_out, expected, "{width}");
            let printed = table.trim_fmt();
            let lines: Vec<&str> = printed.lines().collect();
            assert!(
                lines.iter().all(|line| line.len() <= usize::from(width)),
                "{width}: {printed}"
            );
            let printed: Vec<&str> = printed.split_whitespace().collect();
            for [id, name, view, export] in rows {
                for (column, text) in [
                    ("ID", id),
                    ("NAME", name),
                    ("VIEW", view),
                    ("EXPORT", export),
                ] {
                    let is_shown = !left_out.iter().any(|name| name == column);
                    for word in text.split(' ') {
                        assert!(!is_shown || printed.contains(&word), "{width}: {word}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_goes_to_no_terminal_has_all_columns() {
        let mut table = table(&["ID", "NAME"]);
        table
            .force_no_tty()
            .add_row(["x".repeat(500), "n".to_owned()]);
        assert!(keep_words(&mut table, &["NAME"]).is_empty());
    }
}
