//! What a file is written as: its name tells, or somebody says it.

use std::ffi::OsStr;
use std::path::Path;

use clap::ValueEnum;

/// The endings that are known, in the words of a message.
const KNOWN_ENDINGS: &str =
    ".json, .jsonl, .ndjson and .csv, each also with .gz or .zst behind it, .parquet and .arrows";

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// One JSON array
    Json,
    /// One JSON value per line
    Jsonl,
    /// The same as jsonl
    Ndjson,
    /// Comma separated values, with a header line
    Csv,
    /// Apache Parquet
    Parquet,
    /// Apache Arrow, the stream format
    Arrow,
}

impl FileFormat {
    /// Whether it can be compressed from outside; Parquet and Arrow have compression within.
    const fn is_text(self) -> bool {
        match self {
            Self::Json | Self::Jsonl | Self::Ndjson | Self::Csv => true,
            Self::Parquet | Self::Arrow => false,
        }
    }

    /// The format of a name that ends in this, without the dot.
    fn of_ending(ending: &str) -> Option<Self> {
        Some(match ending {
            "json" => Self::Json,
            "jsonl" => Self::Jsonl,
            "ndjson" => Self::Ndjson,
            "csv" => Self::Csv,
            "parquet" => Self::Parquet,
            "arrows" => Self::Arrow,
            _ => return None,
        })
    }
}

/// How a file is compressed while it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// What everything reads.
    Gzip,
    /// Smaller and faster.
    Zstd,
}

/// Why it is not known what to write.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The name does not tell, and nobody says it.
    #[error(
        "the name {0} does not tell the format; known endings are {KNOWN_ENDINGS}; for any other name give --format"
    )]
    Unknown(String),
    /// Compression from outside makes Parquet and Arrow unreadable for most tools.
    #[error("{0}: only json, jsonl, ndjson and csv can end in .gz or .zst")]
    Compressed(String),
}

/// Format and compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// The format.
    pub format: FileFormat,
    /// The compression, if there is one.
    pub compression: Option<Compression>,
}

impl FileKind {
    /// What is written to a file with this name. A format that is asked for goes before what the name tells, while `.gz` and
    /// `.zst` always mean what they say.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn of(path: &Path, format: Option<FileFormat>) -> Result<Self, FormatError> {
        let name = || path.display().to_string();
        let compression = match ending(path.extension()).as_str() {
            "gz" => Some(Compression::Gzip),
            "zst" => Some(Compression::Zstd),
            _ => None,
        };
        let told = match compression {
            Some(_) => path
                .file_stem()
                .and_then(|stem| Path::new(stem).extension()),
            None => path.extension(),
        };
        let told = FileFormat::of_ending(&ending(told))
            // Such as rows.parquet.gz, which is no known ending.
            .filter(|told| compression.is_none() || told.is_text());
        let format = format
            .or(told)
            .ok_or_else(|| FormatError::Unknown(name()))?;
        if compression.is_some() && !format.is_text() {
            return Err(FormatError::Compressed(name()));
        }
        Ok(Self {
            format,
            compression,
        })
    }

    /// What is written to the standard output, which has no name.
    pub fn of_standard_output(format: Option<FileFormat>) -> Self {
        Self {
            format: format.unwrap_or(FileFormat::Jsonl),
            compression: None,
        }
    }
}

fn ending(extension: Option<&OsStr>) -> String {
    extension
        .and_then(OsStr::to_str)
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, format: Option<FileFormat>) -> Option<(FileFormat, Option<Compression>)> {
        let kind = FileKind::of(Path::new(name), format).ok()?;
        Some((kind.format, kind.compression))
    }

    #[test]
    fn a_name_tells_the_format() {
        use Compression::{Gzip, Zstd};
        use FileFormat::{Arrow, Csv, Json, Jsonl, Ndjson, Parquet};
        for (name, expected) in [
            ("r.json", (Json, None)),
            ("folder.csv/r.jsonl", (Jsonl, None)),
            ("r.ndjson", (Ndjson, None)),
            ("r.CSV", (Csv, None)),
            ("a.b.parquet", (Parquet, None)),
            ("r.arrows", (Arrow, None)),
            ("r.json.gz", (Json, Some(Gzip))),
            ("r.jsonl.zst", (Jsonl, Some(Zstd))),
            ("r.ndjson.GZ", (Ndjson, Some(Gzip))),
            ("r.csv.zst", (Csv, Some(Zstd))),
        ] {
            assert_eq!(kind(name, None), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_name_that_does_not_tell_is_an_error_with_the_known_endings() {
        for name in [
            "r",
            "r.txt",
            "csv",
            ".csv",
            "r.gz",
            "r.txt.gz",
            "r.parquet.gz",
            "r.arrow",
            "r.csv.gz.gz",
        ] {
            assert_eq!(kind(name, None), None, "{name}");
        }
        let message = FileKind::of(Path::new("x.txt"), None)
            .unwrap_err()
            .to_string();
        for part in [
            "x.txt", ".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".arrows", ".gz", ".zst",
            "--format",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn the_format_that_is_asked_for_wins() {
        let csv = Some(FileFormat::Csv);
        assert_eq!(kind("r.json", csv), Some((FileFormat::Csv, None)));
        assert_eq!(kind("r", csv), Some((FileFormat::Csv, None)));
        let gzip = Some(Compression::Gzip);
        assert_eq!(kind("r.txt.gz", csv), Some((FileFormat::Csv, gzip)));
        assert_eq!(kind("r.parquet.gz", csv), Some((FileFormat::Csv, gzip)));
        assert_eq!(kind("r.csv.gz", Some(FileFormat::Parquet)), None);
        assert_eq!(kind("r.csv.zst", Some(FileFormat::Arrow)), None);
    }

    #[test]
    fn the_standard_output_gets_json_lines_unless_somebody_says_otherwise() {
        assert_eq!(FileKind::of_standard_output(None).format, FileFormat::Jsonl);
        let arrow = FileKind::of_standard_output(Some(FileFormat::Arrow));
        assert_eq!(arrow.format, FileFormat::Arrow);
    }
}
