//! Dates as Optimize stores them.

use jiff::Timestamp;

/// Milliseconds since 1970.
pub type Millis = i64;

/// One second.
pub const SECOND: Millis = 1_000;
/// One minute.
pub const MINUTE: Millis = 60 * SECOND;
/// One hour.
pub const HOUR: Millis = 60 * MINUTE;
/// One day.
pub const DAY: Millis = 24 * HOUR;

/// "Now" of the sample data, 2025-06-30T16:00:00Z: nothing in it is later, and what runs, runs then.
pub const BASE_DATE: Millis = 1_751_299_200_000;

/// Spells a date as Optimize does: three digits of a second, and an offset without a colon.
pub fn date(millis: Millis) -> String {
    Timestamp::from_millisecond(millis)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%S%.3f%z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_milliseconds_and_an_offset_without_colon() {
        assert_eq!(date(BASE_DATE), "2025-06-30T16:00:00.000+0000");
        assert_eq!(date(BASE_DATE + 7), "2025-06-30T16:00:00.007+0000");
    }
}
