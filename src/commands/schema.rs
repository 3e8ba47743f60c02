//! `schema`: which tables a report has, and which columns.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use comfy_table::Cell;

use super::connection::{Connection, exit_code};
use super::export::TableFlags;
use super::{environment, keep_words, printable, printed, table};
use crate::client::table::{TableSchema, schema_json};
use crate::config;

/// Flags of `schema`.
#[derive(clap::Args)]
pub struct Schema {
    /// Id of the report
    report_id: String,

    /// Print the answer of the service as it is
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    table: TableFlags,

    #[command(flatten)]
    connection: Connection,
}

/// Prints the columns of a table. The exit codes are those of `export`.
pub fn run(arguments: Schema) -> Result<ExitCode, String> {
    let environment = environment();
    config::check_variables(&environment).map_err(|error| error.to_string())?;
    let service = arguments.connection.service(&environment)?;
    let answer = schema_json(
        &service,
        &arguments.report_id,
        &arguments.table.parameters(),
    );
    let text = answer.and_then(|mut json| {
        let schema = TableSchema::parse(&json)?;
        if arguments.json {
            json.push(b'\n');
            Ok(json)
        } else {
            Ok(for_people(&schema).into_bytes())
        }
    });
    match text {
        Ok(text) => {
            let mut out = io::stdout();
            let result = out.write_all(&text).and_then(|()| out.flush());
            printed(result).map_err(|error| format!("the schema can't be printed: {error}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("optimize-export: {error}");
            Ok(ExitCode::from(exit_code(&error)))
        }
    }
}

fn for_people(schema: &TableSchema) -> String {
    let name = schema.report_name.as_deref().unwrap_or(&schema.report_id);
    let others: Vec<&str> = (schema.tables.iter())
        .filter(|table| **table != schema.table)
        .map(String::as_str)
        .collect();
    let or_none = |text: String| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    };
    let mut columns = table(&["COLUMN", "TYPE", "NULL", "SOURCE"]);
    for column in &schema.columns {
        columns.add_row([
            Cell::new(printable(&column.name)),
            Cell::new(printable(&column.column_type)),
            Cell::new(if column.is_nullable { "yes" } else { "no" }),
            Cell::new(printable(&column.source)),
        ]);
    }
    keep_words(&mut columns, &[]);
    let mut text = String::new();
    for (what, value) in [
        ("Report", name.to_owned()),
        ("Table", schema.table.clone()),
        ("Other tables", or_none(others.join(", "))),
        ("Primary key", or_none(schema.primary_key.join(", "))),
        ("Schema id", schema.schema_id.clone()),
    ] {
        // A String takes everything.
        let _ = writeln!(text, "{:<14}{}", format!("{what}:"), printable(&value));
    }
    let _ = writeln!(text, "\n{}", columns.trim_fmt());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_the_table_and_its_columns() {
        let json = r#"{"reportId":"r","reportName":"Orders\u001b[31m","table":"variables","tables":["instances","flowNodes","variables"],
            "primaryKey":["processInstanceId","name"],"schemaId":"0011223344556677","columns":[
            {"name":"processInstanceId","type":"text","nullable":false,"source":"processInstanceId"},
            {"name":"value","type":"text","nullable":true,"source":"variables.value"}],"later":1}"#;
        let text = for_people(&TableSchema::parse(json.as_bytes()).unwrap());
        insta::assert_snapshot!(text, @r"
        Report:       Orders [31m
        Table:        variables
        Other tables: instances, flowNodes
        Primary key:  processInstanceId, name
        Schema id:    0011223344556677

         COLUMN             TYPE  NULL  SOURCE
         processInstanceId  text  no    processInstanceId
         value              text  yes   variables.value
        ");
    }

    #[test]
    fn what_is_missing_is_a_dash() {
        let json = r#"{"reportId":"r","reportName":null,"table":"result","tables":["result"],"primaryKey":[],"schemaId":"0","columns":[]}"#;
        let text = for_people(&TableSchema::parse(json.as_bytes()).unwrap());
        for line in ["Report:       r", "Other tables: -", "Primary key:  -"] {
            assert!(text.contains(line), "{text}");
        }
        assert!(TableSchema::parse(b"<html>").is_err());
        assert!(TableSchema::parse(b"{}").is_err());
    }
}
