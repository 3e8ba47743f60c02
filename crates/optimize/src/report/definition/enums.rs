//! Enumerations that several parts of a report share (crates/optimize/docs/reports.md, "Shared enumerations" and "Custom buckets").

use crate::id_enum;

id_enum! {
    /// Type of a process or decision variable.
    pub enum VariableType {
        /// Text.
        String = "String",
        /// 16 bit integer.
        Short = "Short",
        /// 64 bit integer.
        Long = "Long",
        /// Floating point number.
        Double = "Double",
        /// 32 bit integer.
        Integer = "Integer",
        /// True or false.
        Boolean = "Boolean",
        /// Date with time and offset.
        Date = "Date",
        /// A serialized object.
        Object = "Object",
        /// A JSON document.
        Json = "Json",
    }
}

impl VariableType {
    /// Whether Optimize calculates with values of this type.
    pub const fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Integer | Self::Short | Self::Long | Self::Double
        )
    }
}

id_enum! {
    /// Unit of a date grouping.
    pub enum DateUnit {
        /// Calendar years.
        Year = "year",
        /// Calendar months.
        Month = "month",
        /// Weeks that start on Monday.
        Week = "week",
        /// Days.
        Day = "day",
        /// Hours.
        Hour = "hour",
        /// Minutes.
        Minute = "minute",
        /// About 80 buckets of equal length.
        Automatic = "automatic",
    }
}

id_enum! {
    /// Unit of a custom bucket.
    pub enum BucketUnit {
        /// Average years.
        Year = "year",
        /// Average months.
        Month = "month",
        /// Seven days.
        Week = "week",
        /// 24 hours.
        Day = "day",
        /// Hours.
        Hour = "hour",
        /// Minutes.
        Minute = "minute",
        /// Seconds.
        Second = "second",
        /// Milliseconds.
        Millisecond = "millisecond",
    }
}

impl BucketUnit {
    /// Length in milliseconds; months and years are the estimates of Java's `ChronoUnit`
    /// (crates/optimize/docs/dates-and-numbers.md, "Lengths of units").
    pub const fn millis(self) -> f64 {
        match self {
            Self::Millisecond => 1.0,
            Self::Second => 1_000.0,
            Self::Minute => 60_000.0,
            Self::Hour => 3_600_000.0,
            Self::Day => 86_400_000.0,
            Self::Week => 604_800_000.0,
            Self::Month => 2_629_746_000.0,
            Self::Year => 31_556_952_000.0,
        }
    }
}
