//! Moments as Elasticsearch stores them: milliseconds since 1970, to the year 292278994.
//!
//! The calendar of [`jiff`] ends with the year 9999 and its last timestamp a day earlier, while Optimize's date format
//! goes on as `+10000-01-01T00:00:00.000+0000`. The Gregorian calendar repeats itself every 400 years, which are a whole
//! number of weeks, and no zone changes its rules in years so far away. So whatever is outside of the years 0 to 9199 is
//! computed a number of whole cycles nearer to them, and moved back.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};

/// Length of a cycle of the calendar.
pub const CYCLE_YEARS: i64 = 400;
/// Its days, of which there are whole weeks.
pub const CYCLE_DAYS: i64 = 146_097;

const CYCLE_MILLIS: i64 = CYCLE_DAYS * 86_400_000;
/// Start of the year 0 in UTC.
const YEAR_ZERO: i64 = -62_167_219_200_000;
/// The cycle that later ones are computed in, counted from the year 0: a cycle before and after it is in jiff's range.
const LAST_CYCLE: i64 = 22;
/// The largest offset that Java has.
const MAX_OFFSET_SECONDS: i32 = 18 * 3600;

/// A moment, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// Before every date that Optimize can store: its format begins with the year 1, in whatever zone.
    pub const EARLIEST: Self = Self(YEAR_ZERO);
    /// After every date that a calculation can be about. A millisecond is left, since Elasticsearch turns "after" into
    /// "from the next one on".
    pub const LATEST: Self = Self(i64::MAX - 1);

    /// So many milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The moment with the whole cycles that it had to be moved by to be in jiff's range.
    fn in_range(self) -> (i64, Timestamp) {
        let since_year_zero = i128::from(self.0) - i128::from(YEAR_ZERO);
        let cycle = since_year_zero.div_euclid(i128::from(CYCLE_MILLIS));
        // It fits: a cycle is long.
        let cycle = i64::try_from(cycle).unwrap_or_default();
        let cycles = cycles_beyond(cycle);
        let near = Timestamp::from_millisecond(self.0 - cycles * CYCLE_MILLIS);
        (cycles, near.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// The moment that has been computed so many cycles nearer; `None` where it is beyond all moments.
    fn from_range(cycles: i64, near: Timestamp) -> Option<Self> {
        let distance = cycles.checked_mul(CYCLE_MILLIS)?;
        near.as_millisecond().checked_add(distance).map(Self)
    }

    /// The offset of a zone at this moment.
    pub fn offset_in(self, zone: &TimeZone) -> Offset {
        zone.to_offset(self.in_range().1)
    }

    /// Calculates in a zone. `None` where that leads beyond all moments.
    pub fn map_in(
        self,
        zone: &TimeZone,
        calculation: impl FnOnce(ZonedDateTime) -> Option<ZonedDateTime>,
    ) -> Option<Self> {
        let (cycles, near) = self.in_range();
        let result = calculation(near.to_zoned_datetime(zone.clone()))?;
        Self::from_range(cycles, result.timestamp())
    }

    /// What the clock on the wall shows.
    pub fn local(self, offset: Offset) -> Local {
        let (cycles, near) = self.in_range();
        Local {
            cycles,
            near: offset.to_datetime(near),
        }
    }

    /// In Optimize's format.
    ///
    /// The pattern's `Z` has no room for the seconds of an offset: Java leaves them out, and zones had such offsets in
    /// the 19th century only. The year 0, which Java can't tell from the year 1, is `0000`.
    pub fn text(self, offset: Offset) -> String {
        let local = self.local(offset);
        let (year, near) = (local.year(), local.near);
        let year = match year {
            0..=9999 => format!("{year:04}"),
            10_000.. => format!("+{year}"),
            _ => format!("-{:04}", year.unsigned_abs()),
        };
        let minutes = offset.seconds().abs() / 60;
        let sign = if offset.seconds() < 0 && minutes > 0 {
            '-'
        } else {
            '+'
        };
        format!(
            "{year}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{sign}{:02}{:02}",
            near.month(),
            near.day(),
            near.hour(),
            near.minute(),
            near.second(),
            near.millisecond(),
            minutes / 60,
            minutes % 60,
        )
    }

    /// The same in UTC.
    pub fn utc_text(self) -> String {
        self.text(Offset::UTC)
    }

    /// Reads Optimize's format, with the offset that it is written in; also `Z` and offsets of two digits or with a
    /// colon (crates/optimize/docs/dates-and-numbers.md, "Read dates").
    pub fn parse(text: &str) -> Option<(Self, Offset)> {
        let time = text.find('T')? + 1;
        let offset = time + text.get(time..)?.find(['+', '-', 'Z'])?;
        let (local, offset) = text.split_at_checked(offset)?;
        let (local, offset) = (Local::parse(local)?, parse_offset(offset)?);
        Some((local.at(offset)?, offset))
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

/// How many cycles something in this one, counted from the year 0, has to be moved by.
fn cycles_beyond(cycle: i64) -> i64 {
    if cycle > LAST_CYCLE {
        cycle - LAST_CYCLE
    } else {
        cycle.min(0)
    }
}

/// A date and time without an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    cycles: i64,
    near: DateTime,
}

impl Local {
    /// The year.
    pub fn year(&self) -> i64 {
        i64::from(self.near.year()) + self.cycles * CYCLE_YEARS
    }

    /// Date and time, some whole cycles of the calendar nearer.
    pub fn near(&self) -> DateTime {
        self.near
    }

    /// The same, but for what is computed from [`Local::near`], and moved by some whole cycles more.
    #[must_use]
    pub fn with(self, near: DateTime, more_cycles: i64) -> Self {
        Self {
            cycles: self.cycles.saturating_add(more_cycles),
            near,
        }
    }

    /// The moment at which a clock with this offset shows it; `None` where it is beyond all moments.
    pub fn at(self, offset: Offset) -> Option<Moment> {
        Moment::from_range(self.cycles, offset.to_timestamp(self.near).ok()?)
    }

    /// Reads `2021-12-02T17:21:49.330`. A year of more than four digits has a sign. What is finer than milliseconds is
    /// cut off.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['+', '-']);
        let (year, rest) = match digits {
            Some(digits) => digits.split_at_checked(digits.find('-')?)?,
            None => text.split_at_checked(4)?,
        };
        if !year.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let length = year.len();
        let year: i64 = year.parse().ok()?;
        let year = match digits {
            Some(_) if text.starts_with('+') && length > 4 => year,
            Some(_) if text.starts_with('-') && length >= 4 => -year,
            Some(_) => return None,
            None => year,
        };
        let cycles = cycles_beyond(year.div_euclid(CYCLE_YEARS));
        let near: DateTime = if cycles == 0 && digits.is_none() {
            text.parse().ok()?
        } else {
            format!("{:04}{rest}", year - cycles * CYCLE_YEARS)
                .parse()
                .ok()?
        };
        let near = if near.microsecond() == 0 && near.nanosecond() == 0 {
            near
        } else {
            near.with().microsecond(0).nanosecond(0).build().ok()?
        };
        Some(Self { cycles, near })
    }
}

/// Reads `+0200`, `+02`, `+02:00` or `Z`.
fn parse_offset(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 2..=4) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let hours: i32 = hours.parse().ok()?;
    let minutes: i32 = if minutes.is_empty() {
        0
    } else {
        minutes.parse().ok()?
    };
    let seconds = hours * 3600 + minutes * 60;
    if minutes > 59 || seconds > MAX_OFFSET_SECONDS {
        return None;
    }
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(text: &str) -> i64 {
        Moment::parse(text)
            .unwrap_or_else(|| panic!("{text}"))
            .0
            .millis()
    }

    fn in_zone(text: &str, zone: &str) -> String {
        let moment = Moment::from_millis(millis(text));
        moment.text(moment.offset_in(&TimeZone::get(zone).unwrap()))
    }

    /// Texts and milliseconds as Elasticsearch has them: each was stored in a date field, and read from its doc values.
    #[test]
    fn dates_are_those_of_elasticsearch() {
        for (text, expected) in [
            ("0001-01-01T00:00:00.000+1800", -62_135_661_600_000),
            ("0001-01-01T00:00:00.000+0000", -62_135_596_800_000),
            ("2024-01-01T00:00:00.000-0000", 1_704_067_200_000),
            ("9999-12-31T00:00:00.000+0000", 253_402_214_400_000),
            ("9999-12-31T23:59:59.999+1800", 253_402_235_999_999),
            ("+10000-01-01T00:00:00.000+0000", 253_402_300_800_000),
            ("9999-12-31T23:59:59.999-1800", 253_402_365_599_999),
            ("+12345-06-07T08:09:10.111+0100", 327_416_972_950_111),
            (
                "+292278993-01-01T00:00:00.000+0000",
                9_223_371_985_593_600_000,
            ),
            ("+292278994-08-17T07:12:55.807+0000", i64::MAX),
        ] {
            assert_eq!(millis(text), expected, "{text}");
            let (moment, offset) = Moment::parse(text).unwrap();
            assert_eq!(moment.text(offset), text.replace("-0000", "+0000"));
        }
        for text in [
            "10000-01-01T00:00:00.000+0000",
            "+2024-01-01T00:00:00.000+0000",
            "+292278994-08-17T07:12:55.808+0000",
            "+99999999999999999999-01-01T00:00:00.000+0000",
            "+999999999-01-01T00:00:00.000+0000",
            "2024-01-01T00:00:00.000+1801",
            "2024-01-01T00:00:00.000+0160",
            "2024-01-01T00:00:00.000+010203",
            "2023-02-29T00:00:00.000+0000",
            "+11111-02-29T00:00:00.000+0000",
            "2024-01-01",
            "+é-01-01T00:00:00.000+0000",
            "20é4-01-01T00:00:00.000+0000",
            "+T+",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn zones_go_on_beyond_the_year_9999() {
        assert_eq!(
            in_zone("9999-12-31T23:30:00.000+0000", "Europe/Berlin"),
            "+10000-01-01T00:30:00.000+0100"
        );
        assert_eq!(
            in_zone("+10000-01-01T00:30:00.000+0000", "America/New_York"),
            "9999-12-31T19:30:00.000-0500"
        );
        // Summer, and the last Sunday in March of the year 12024, which has the calendar of 2024: 31 March.
        assert_eq!(
            in_zone("+12024-03-31T00:59:59.999+0000", "Europe/Berlin"),
            "+12024-03-31T01:59:59.999+0100"
        );
        assert_eq!(
            in_zone("+12024-03-31T01:00:00.000+0000", "Europe/Berlin"),
            "+12024-03-31T03:00:00.000+0200"
        );
    }

    #[test]
    fn the_year_0_is_told_from_the_year_1() {
        assert_eq!(
            in_zone("0001-01-01T00:00:00.000+1800", "UTC"),
            "0000-12-31T06:00:00.000+0000"
        );
        assert_eq!(
            millis("0000-12-31T06:00:00.000+0000"),
            millis("0001-01-01T00:00:00.000+1800")
        );
    }

    #[test]
    fn seconds_of_an_offset_are_left_out_as_in_java() {
        // `DateTimeFormatterBuilder` cuts both the hours and the minutes off towards zero, and an offset of less than a
        // minute is none.
        let text = |seconds| Moment(0).text(Offset::from_seconds(seconds).unwrap());
        for (seconds, expected) in [
            (-17_762, "1969-12-31T19:03:58.000-0456"),
            (-75, "1969-12-31T23:58:45.000-0001"),
            (-44, "1969-12-31T23:59:16.000+0000"),
            (44, "1970-01-01T00:00:44.000+0000"),
            (1_172, "1970-01-01T00:19:32.000+0019"),
            (64_800, "1970-01-01T18:00:00.000+1800"),
        ] {
            assert_eq!(text(seconds), expected);
        }
        assert_eq!(
            in_zone("1883-11-18T12:00:00.000+0000", "America/New_York"),
            "1883-11-18T07:03:58.000-0456"
        );
    }

    fn any_zone() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "UTC",
            "Europe/Berlin",
            "Europe/Dublin",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Africa/Monrovia",
            "Asia/Kathmandu",
        ])
    }

    /// Anywhere, and near the ends of jiff's calendar more often than anywhere else.
    fn any_millis() -> impl Strategy<Value = i64> {
        prop_oneof![
            Moment::EARLIEST.0..=i64::MAX,
            Moment::EARLIEST.0..400_000_000_000_000,
            253_402_000_000_000..253_403_000_000_000_i64,
            any::<i64>(),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in any_millis(), minutes in -1080..=1080_i32) {
            let moment = Moment(millis);
            let offset = Offset::from_seconds(minutes * 60).unwrap();
            prop_assert_eq!(Moment::parse(&moment.text(offset)), Some((moment, offset)));
        }

        #[test]
        fn a_zone_keeps_the_moment(millis in any_millis(), zone in any_zone()) {
            let moment = Moment(millis);
            let offset = moment.offset_in(&TimeZone::get(zone).unwrap());
            // What the text has no room for: the seconds of offsets of the 19th century.
            let seconds = i64::from(offset.seconds() % 60) * 1000;
            let written = moment.text(offset);
            let read = Moment::parse(&written).map(|(read, _)| i128::from(read.0));
            let expected = i128::from(millis) + i128::from(seconds);
            prop_assert_eq!(read, i64::try_from(expected).ok().map(i128::from), "{}", written);
        }

        #[test]
        fn a_cycle_later_all_is_the_same(millis in 0..200_000_000_000_000_i64, cycles in 0..700_000_i64, zone in any_zone()) {
            let zone = TimeZone::get(zone).unwrap();
            // From the year 8800 on, where no zone has changes of its own.
            let near = Moment(millis % CYCLE_MILLIS + YEAR_ZERO + LAST_CYCLE * CYCLE_MILLIS);
            let far = Moment(near.0 + cycles * CYCLE_MILLIS);
            prop_assert_eq!(near.offset_in(&zone), far.offset_in(&zone));
            let (near, far) = (near.local(near.offset_in(&zone)), far.local(far.offset_in(&zone)));
            prop_assert_eq!(far.year() - near.year(), cycles * CYCLE_YEARS);
            prop_assert_eq!(far.near().date().weekday(), near.near().date().weekday());
        }

        #[test]
        fn any_text_is_taken(text in "\\PC*") {
            let _ = Moment::parse(&text);
        }
    }
}
