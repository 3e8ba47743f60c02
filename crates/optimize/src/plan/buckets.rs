//! Arithmetic of buckets: which intervals values are sorted into.

use super::PlanError;

pub mod dates;
pub mod durations;
pub mod numbers;

/// How many buckets Optimize aims at when it chooses their size itself
/// (crates/optimize/docs/buckets.md, "Automatic date buckets").
pub const AUTOMATIC_BUCKETS: i32 = 80;

/// More buckets than these are refused before Elasticsearch is asked: it would refuse them too, by the default of its
/// `search.max_buckets`.
pub const MAX_BUCKETS: u32 = 65_536;

/// The power of ten below a number, or the number itself if it is one; for negative numbers the one of larger amount
/// is below (crates/optimize/docs/buckets.md, "Duration buckets" and "Number buckets").
pub fn round_down_to_power_of_ten(number: f64) -> f64 {
    match number {
        _ if number > 0.0 => power_of_ten(floor_log10(number)),
        _ if number < 0.0 => -power_of_ten(ceil_log10(-number)),
        _ => 0.0,
    }
}

/// The power of ten above a positive number, or the number itself if it is one.
pub fn round_up_to_power_of_ten(number: f64) -> f64 {
    if number > 0.0 {
        power_of_ten(ceil_log10(number))
    } else {
        0.0
    }
}

/// A power of ten as its text reads: products of tens are a little off where there are many.
fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::NAN)
}

/// The least width of buckets between two numbers. With less than twice the distance from the largest of them to its
/// neighbour, a step to the next bucket can be lost in rounding, and who goes from bucket to bucket never arrives.
pub fn finest_interval(start: f64, end: f64) -> f64 {
    let largest = start.abs().max(end.abs());
    2.0 * (largest - largest.next_down())
}

/// Refuses more buckets than [`MAX_BUCKETS`].
///
/// # Errors
/// There would be more.
pub fn refuse_too_many(start: f64, end: f64, interval: f64) -> Result<(), PlanError> {
    // One after the other, because the difference of large numbers may be none.
    let buckets = end / interval - start / interval;
    if buckets < f64::from(MAX_BUCKETS) {
        return Ok(());
    }
    Err(PlanError::TooManyBuckets(format!(
        "Buckets of {interval} from {start} to {end} are more than {MAX_BUCKETS}"
    )))
}

/// The exponent of the largest power of ten that is not above a positive number.
///
/// A logarithm may be off by a little where it should be whole, so the powers themselves decide.
#[expect(
    clippy::cast_possible_truncation,
    reason = "exponents are within -324..=308"
)]
fn floor_log10(number: f64) -> i32 {
    let near = number.log10().floor() as i32;
    if power_of_ten(near + 1) <= number {
        near + 1
    } else if power_of_ten(near) > number {
        near - 1
    } else {
        near
    }
}

/// The exponent of the smallest power of ten that is not below a positive number.
fn ceil_log10(number: f64) -> i32 {
    let floor = floor_log10(number);
    if power_of_ten(floor) < number {
        floor + 1
    } else {
        floor
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn powers_of_ten_around_a_number() {
        for (number, down) in [
            (0.0, 0.0),
            (1.0, 1.0),
            (5.0, 1.0),
            (10.0, 10.0),
            (1401.0, 1000.0),
            (1000.0, 1000.0),
            (-5.0, -10.0),
            (-10.0, -10.0),
            (-11.0, -100.0),
            (0.05, 0.01),
        ] {
            assert_eq!(round_down_to_power_of_ten(number), down, "{number}");
        }
        for (number, up) in [
            (0.05, 0.1),
            (1.0, 1.0),
            (12.0, 100.0),
            (100.0, 100.0),
            (0.0, 0.0),
        ] {
            assert_eq!(round_up_to_power_of_ten(number), up, "{number}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_between_its_powers_of_ten(number in 1e-9..1e18_f64) {
            let (down, up) = (round_down_to_power_of_ten(number), round_up_to_power_of_ten(number));
            prop_assert!(down <= number && number <= up, "{down} {number} {up}");
            prop_assert!(up / down < 10.5);
        }

        #[test]
        fn powers_of_ten_are_their_own(exponent in -300..300_i32) {
            let power = power_of_ten(exponent);
            prop_assert_eq!(round_down_to_power_of_ten(power), power);
            prop_assert_eq!(round_up_to_power_of_ten(power), power);
        }
    }
}
