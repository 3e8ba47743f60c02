//! Whole reports in one request.

use std::fmt;

use clap::ValueEnum;

/// A format and an order of rows; `any` is the order that Elasticsearch has them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// The objects of the pages, one a line.
    Ndjson,
    /// The same, in any order.
    NdjsonAny,
    /// Comma separated values.
    Csv,
    /// The same, in any order.
    CsvAny,
    /// Apache Parquet.
    Parquet,
    /// The same, in any order.
    ParquetAny,
    /// Apache Arrow's stream format.
    Arrow,
    /// The same, in any order.
    ArrowAny,
}

impl Stream {
    /// The format, as it stands in the address.
    pub(super) const fn format(self) -> &'static str {
        match self {
            Self::Ndjson | Self::NdjsonAny => "ndjson",
            Self::Csv | Self::CsvAny => "csv",
            Self::Parquet | Self::ParquetAny => "parquet",
            Self::Arrow | Self::ArrowAny => "arrow",
        }
    }

    /// What stands behind it.
    pub(super) const fn query(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Csv | Self::Parquet | Self::Arrow => "",
            Self::NdjsonAny | Self::CsvAny | Self::ParquetAny | Self::ArrowAny => "?order=any",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        formatter.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}
