//! Dates of raw rows: `yyyy-MM-dd'T'HH:mm:ss.SSSZ`, with the offset they were stored with or in a zone asked for.
//!
//! Source: crates/optimize/docs/dates-and-numbers.md, "Dates of rows".

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::document::Text;
use crate::moment::Moment;
use crate::scan::is_plain_date;

/// A stored date as a row shows it. What is no date is shown as it is: a row must not get lost for it.
pub fn shown<'a>(stored: &'a str, zone: Option<&TimeZone>) -> Cow<'a, str> {
    if zone.is_none() && is_plain_date(stored.as_bytes()) {
        return Cow::Borrowed(stored);
    }
    let Some((moment, stored_offset)) = Moment::parse(stored) else {
        return Cow::Borrowed(stored);
    };
    let offset = zone.map_or(stored_offset, |zone| moment.offset_in(zone));
    Cow::Owned(moment.text(offset))
}

/// A date of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowDate<'r> {
    /// As it is stored, or none.
    AsStored(&'r Text<'r>),
    /// Converted.
    Shown(String),
}

impl<'r> RowDate<'r> {
    /// A stored date in a zone, or with its own offset.
    #[inline]
    pub fn of(stored: &'r Text<'r>, zone: Option<&TimeZone>) -> Self {
        match stored.as_deref().map(|date| shown(date, zone)) {
            None | Some(Cow::Borrowed(_)) => Self::AsStored(stored),
            Some(Cow::Owned(date)) => Self::Shown(date),
        }
    }
}

/// The point in time of a stored date, in milliseconds since 1970.
pub fn epoch_millis(stored: &str) -> Option<i64> {
    Moment::parse(stored).map(|(moment, _)| moment.millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    #[test]
    fn a_date_keeps_the_offset_it_was_stored_with() {
        assert_eq!(
            shown("2021-12-02T17:21:49.330+0200", None),
            "2021-12-02T17:21:49.330+0200"
        );
        assert_eq!(
            shown("2021-12-02T17:21:49.330Z", None),
            "2021-12-02T17:21:49.330+0000"
        );
        assert_eq!(
            shown("2021-12-02T17:21:49.330-03", None),
            "2021-12-02T17:21:49.330-0300"
        );
        assert_eq!(
            shown("2021-12-02T17:21:49.3+05:30", None),
            "2021-12-02T17:21:49.300+0530"
        );
        let no_offset = "2021-12-02T17:21:49.330+300000000000112";
        assert_eq!(shown(no_offset, None), no_offset);
    }

    #[test]
    fn a_zone_converts_it_over_daylight_saving() {
        assert_eq!(
            shown("2024-03-31T00:59:59.999+0000", Some(&berlin())),
            "2024-03-31T01:59:59.999+0100"
        );
        assert_eq!(
            shown("2024-03-31T01:00:00.000+0000", Some(&berlin())),
            "2024-03-31T03:00:00.000+0200"
        );
        assert_eq!(
            shown("2023-12-31T23:30:00.000+0000", Some(&berlin())),
            "2024-01-01T00:30:00.000+0100"
        );
    }

    #[test]
    fn years_beyond_9999_are_converted_too() {
        for (stored, expected) in [
            (
                "9999-12-31T00:00:00.000+0000",
                "9999-12-31T01:00:00.000+0100",
            ),
            (
                "9999-12-31T23:59:59.999+0000",
                "+10000-01-01T00:59:59.999+0100",
            ),
            (
                "+10000-07-01T00:00:00.000+1800",
                "+10000-06-30T08:00:00.000+0200",
            ),
        ] {
            assert_eq!(shown(stored, None), stored);
            assert_eq!(shown(stored, Some(&berlin())), expected);
        }
    }

    #[test]
    fn what_is_no_date_stays_as_it_is() {
        for text in [
            "",
            "T",
            "soon",
            "2021-13-02T17:21:49.330+0200",
            "2021-12-02T17:21:49.330+zz00",
            "é-T+é",
            "T+",
            "T-é",
        ] {
            assert_eq!(shown(text, Some(&berlin())), text);
            assert_eq!(epoch_millis(text), None, "{text}");
        }
    }

    #[test]
    fn points_in_time() {
        assert_eq!(epoch_millis("1970-01-01T01:00:00.001+0100"), Some(1));
        assert_eq!(
            epoch_millis("2023-06-15T12:01:00.000+0000"),
            Some(1_686_830_460_000)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC*") {
            let _ = shown(&text, None);
            let _ = shown(&text, Some(&TimeZone::UTC));
        }

        #[test]
        fn a_date_of_the_format_is_shown_as_it_is(millis in -62_135_596_800_000_i64..253_402_300_800_000, minutes in 0..=1080_i32) {
            let offset = jiff::tz::Offset::from_seconds(minutes * -60).unwrap();
            let moment = Moment::from_millis(millis + i64::from(minutes) * 60_000);
            let text = moment.text(offset);
            prop_assert!(is_plain_date(text.as_bytes()), "{}", text);
            prop_assert_eq!(shown(&text, None), text.as_str());
            prop_assert_eq!(epoch_millis(&text), Some(moment.millis()));
            if moment.millis() > 0 {
                prop_assert_eq!(epoch_millis(&shown(&text, Some(&berlin()))), Some(moment.millis()));
            }
        }
    }
}
