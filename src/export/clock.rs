//! The time at which an export looks at its data.

use jiff::Timestamp;

/// The current time as Optimize takes it: whole milliseconds.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
