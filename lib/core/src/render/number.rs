//! Numbers and times as text, for bodies with thousands of them.

use crate::time::Wall;
use std::fmt::Write as _;

/// A number without the noise of binary sums (`0.1 + 0.2`), which is beyond six decimals.
pub(super) fn rounded(value: f64) -> f64 {
    match value.abs() < 1e9 {
        true => (value * 1e6).round() / 1e6,
        false => value,
    }
}

/// A number without decimals that is exact.
pub(super) fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9e15;
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

/// Adds a number as short as it can be written: `270`, `1967.7`.
pub fn push_number(out: &mut String, value: f64) {
    let value = rounded(value);
    let _ = match whole(value) {
        Some(whole) => write!(out, "{whole}"),
        None => write!(out, "{value}"),
    };
}

/// Two decimals at most, for people.
pub fn number(value: f64) -> String {
    let mut out = String::new();
    push_number(&mut out, (value * 100.0).round() / 100.0);
    out
}

/// A time as `Wall::rfc3339` prints it, without a general formatter: there are two for each PDU. `None` for years of
/// more than four digits.
pub(super) fn rfc3339(time: Wall) -> Option<[u8; 20]> {
    const DAY: i64 = 86_400;
    /// Days from 1 March of the year 0 to the epoch; years that begin in March end with the leap day.
    const EPOCH: i64 = 719_468;
    /// Days of four centuries, after which the calendar repeats.
    const ERA: i64 = 146_097;
    let seconds = time.unix_seconds();
    let days = seconds.div_euclid(DAY) + EPOCH;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return None;
    }
    let of_day = seconds.rem_euclid(DAY);
    let (mut out, mut at) = ([0; 20], 0);
    let mut digits = |value: i64, width: u32, after: u8| {
        for place in (0..width).rev() {
            out[at] = b'0' + (value / 10i64.pow(place) % 10) as u8;
            at += 1;
        }
        out[at] = after;
        at += 1;
    };
    digits(year, 4, b'-');
    digits(month, 2, b'-');
    digits(day, 2, b'T');
    digits(of_day / 3600, 2, b':');
    digits(of_day / 60 % 60, 2, b':');
    digits(of_day % 60, 2, b'Z');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact() {
        for (value, want) in [
            (270.0, "270"),
            (1967.7, "1967.7"),
            (19677.0 * 0.1, "1967.7"),
            (0.1 + 0.2, "0.3"),
            (-12.5, "-12.5"),
            (-1e-9, "0"),
            (0.000_001, "0.000001"),
            (4_444_200_000.0, "4444200000"),
            (1e21, "1000000000000000000000"),
        ] {
            let mut out = String::new();
            push_number(&mut out, value);
            assert_eq!(out, want);
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let mut rng = crate::rng::Rng::new(3);
        let days = (-800_000..800_000).step_by(97).map(|day| day * 86_400_000);
        let anywhere = (0..2000).map(|_| (rng.next_u64() >> 13) as i64 - (1 << 50));
        for millis in days.chain(anywhere).chain([0, -1, i64::MAX, i64::MIN]) {
            let want = Wall(millis).rfc3339();
            if let Some(digits) = rfc3339(Wall(millis)) {
                assert_eq!(digits, want.as_bytes(), "{millis}");
            }
        }
    }
}
