//! Sizes as people write them: `256MiB`, `1GiB`, plain bytes.

use std::str::FromStr;

/// Smallest size of a file: a header and a few rows have to find room.
const MIN_BYTES: u64 = 1024;
/// Largest size of a file. S3 takes 10,000 parts of an upload, and ours have 8 MiB.
const MAX_BYTES: u64 = 64 * GIB;
const GIB: u64 = 1024 * 1024 * 1024;
/// What may stand behind a number.
const UNITS: [(&str, u64); 5] = [
    ("KiB", 1024),
    ("MiB", 1024 * 1024),
    ("GiB", GIB),
    ("B", 1),
    ("", 1),
];

/// How large a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSize(pub u64);

impl FileSize {
    /// Large enough that a reader has little to open, small enough that several can read at once.
    pub const DEFAULT: Self = Self(256 * 1024 * 1024);
}

/// Why a text is no size of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Something else than a number and a unit.
    #[error(
        "{0:?} is no size; write bytes, or a whole number with KiB, MiB or GiB, such as 256MiB"
    )]
    NoSize(String),
    /// Too small or too large.
    #[error("a file has 1 KiB at least and 64 GiB at most")]
    OutOfRange,
}

impl FromStr for FileSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let no_size = || SizeError::NoSize(text.to_owned());
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.get(digits.len()..).unwrap_or_default();
        let (_, factor) = UNITS
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .ok_or_else(no_size)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(no_size());
        }
        let number: u128 = digits.parse().map_err(|_| no_size())?;
        let bytes = number.saturating_mul(u128::from(factor));
        match u64::try_from(bytes) {
            Ok(bytes @ MIN_BYTES..=MAX_BYTES) => Ok(Self(bytes)),
            _ => Err(SizeError::OutOfRange),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("256MiB", 268_435_456),
            ("1GiB", 1_073_741_824),
            ("64gib", 68_719_476_736),
            ("2kib", 2_048),
            ("1024", 1_024),
            ("5000B", 5_000),
        ] {
            assert_eq!(text.parse(), Ok(FileSize(bytes)), "{text}");
        }
        assert_eq!("256MiB".parse(), Ok(FileSize::DEFAULT));
    }

    #[test]
    fn what_is_no_size_is_told() {
        for text in ["", "MiB", "1.5GiB", "-1", "+5000", "256 MiB", "1MB", "é"] {
            assert_eq!(
                text.parse::<FileSize>(),
                Err(SizeError::NoSize(text.to_owned())),
                "{text}"
            );
        }
        for text in ["0", "1023", "65GiB", "99999999999999999999999999999GiB"] {
            assert_eq!(
                text.parse::<FileSize>(),
                Err(SizeError::OutOfRange),
                "{text}"
            );
        }
    }
}
