//! Axes: round numbers with their units, and times of day that people expect.

use super::{Chart, Threshold};
use crate::history::Unit;
use crate::time::{Wall, Zone};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};
use std::time::Duration;

/// A value axis: where it begins and ends, both ticks, and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) step: f64,
    pub(super) ticks: Vec<f64>,
    /// In which all of its numbers are written.
    pub(super) scale: Scale,
}

/// In which multiples of its unit a number is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    divisor: f64,
    prefix: &'static str,
    unit: Unit,
}

/// Multiples, largest first.
const PREFIXES: [(f64, &str); 8] = [
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
];
/// Ticks beyond this would not be read.
const MOST_TICKS: usize = 24;

impl Scale {
    /// For numbers up to this one.
    pub(super) fn of(unit: Unit, highest: f64) -> Scale {
        let highest = highest.abs();
        let has_prefix = match unit {
            Unit::Watts | Unit::BytesPerSecond => true,
            // `12 k` reads well behind nothing, `12 m` does not.
            Unit::Count => highest >= 1e4,
            Unit::Percent | Unit::Celsius => false,
        };
        let fits = |(divisor, _): &&(f64, &str)| {
            let is_small = *divisor < 1.0 && unit == Unit::BytesPerSecond;
            highest >= *divisor * 0.9995 && !is_small
        };
        let (divisor, prefix) = match has_prefix && highest > 0.0 {
            true => PREFIXES.iter().find(fits).copied().unwrap_or((1.0, "")),
            false => (1.0, ""),
        };
        Scale {
            divisor,
            prefix,
            unit,
        }
    }

    /// The unit with its prefix: `kW`, `MB/s`, `%`.
    pub(super) fn symbol(self) -> String {
        format!("{}{}", self.prefix, self.unit.symbol())
    }

    /// A number without its unit, with so many decimals.
    pub(super) fn number(self, value: f64, decimals: usize) -> String {
        let scaled = value / self.divisor;
        if scaled.abs() >= 1e7 {
            return format!("{scaled:.1e}");
        }
        let text = format!("{scaled:.decimals$}");
        match text.strip_prefix('-') {
            Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
            Some(rest) => format!("−{rest}"),
            None => text,
        }
    }

    /// Decimals that show a difference of `step`.
    pub(super) fn decimals(self, step: f64) -> usize {
        let mut step = (step / self.divisor).abs();
        let mut decimals = 0;
        while decimals < 6 && step > 0.0 && (step - step.round()).abs() > step * 1e-6 {
            step *= 10.0;
            decimals += 1;
        }
        decimals
    }

    /// A number with its unit.
    pub(super) fn with_unit(self, number: &str) -> String {
        let symbol = self.symbol();
        match symbol.is_empty() {
            true => number.to_owned(),
            false => format!("{number} {symbol}"),
        }
    }
}

/// Thresholds as they stand one above the other.
pub(super) fn highest_first(thresholds: &[Threshold]) -> Vec<&Threshold> {
    let finite = |threshold: &&Threshold| threshold.value.is_finite();
    let mut all: Vec<&Threshold> = thresholds.iter().filter(finite).collect();
    crate::small::sort_by_key(&mut all, |threshold| (-threshold.value * 1e3) as i64);
    all
}

/// Thresholds are part of the picture where the values come near to them.
pub(super) fn with_thresholds(chart: &Chart, low: f64, high: f64) -> (f64, f64) {
    let mut shown = (low, high);
    let reach = if chart.unit == Unit::Percent {
        3.0
    } else {
        2.0
    };
    for threshold in &chart.thresholds {
        let value = threshold.value;
        let is_near =
            value.is_finite() && value <= high.max(0.0) * reach && value >= low.min(low * 0.5);
        if is_near {
            shown = (shown.0.min(value), shown.1.max(value));
        }
    }
    shown
}

/// A threshold with what it is: `limit 3 kW`.
pub(super) fn threshold_text(unit: Unit, threshold: &Threshold) -> String {
    let scale = Scale::of(unit, threshold.value);
    let decimals = scale.decimals(threshold.value).min(3);
    let value = scale.with_unit(&scale.number(threshold.value, decimals));
    format!("{} {value}", threshold.label)
        .trim_start()
        .to_owned()
}

/// Decimals that make a number of three digits.
fn digits(value: f64) -> usize {
    match value.abs() {
        value if value >= 99.95 || value == 0.0 => 0,
        value if value >= 9.995 => 1,
        value if value >= 0.1 => 2,
        _ => 3,
    }
}

/// Decimals for some values that are written one below the other.
pub(super) fn common_digits(scale: Scale, highest: f64) -> usize {
    digits(highest / scale.divisor)
}

impl ValueAxis {
    /// An axis that shows everything from `low` to `high`, with about `wanted` ticks.
    pub(super) fn of(unit: Unit, low: f64, high: f64, wanted: usize) -> ValueAxis {
        let (low, high) = spread(unit, low, high);
        let step = nice((high - low) / wanted.max(1) as f64);
        let (mut first, mut last) = ((low / step).floor(), (high / step).ceil());
        // A curve that touches the frame looks cut off.
        let room = (high - low) * 0.02;
        if last * step - high < room
            && !(unit == Unit::Percent && high <= 100.0 && last * step >= 100.0)
        {
            last += 1.0;
        }
        if low - first * step < room && low != 0.0 {
            first -= 1.0;
        }
        let count = ((last - first) as usize).min(MOST_TICKS);
        let ticks: Vec<f64> = (0..=count)
            .map(|tick| (first + tick as f64) * step)
            .collect();
        let (low, high) = (first * step, last * step);
        ValueAxis {
            low,
            high,
            step,
            ticks,
            scale: Scale::of(unit, low.abs().max(high.abs())),
        }
    }

    /// The text of a tick, without its unit.
    pub(super) fn label(&self, tick: f64) -> String {
        self.scale.number(tick, self.scale.decimals(self.step))
    }
}

/// Makes room around values that hardly differ: noise of a few watts is not to look like a drama.
pub(super) fn spread(unit: Unit, low: f64, high: f64) -> (f64, f64) {
    let least = match unit {
        Unit::Watts | Unit::Percent | Unit::Celsius => 2.0,
        Unit::BytesPerSecond => 1000.0,
        Unit::Count => 0.2,
    };
    let largest = low.abs().max(high.abs());
    let (mut low, mut high) = (low, high);
    let span = (largest * 0.12).max(least).max(largest * 1e-5);
    if high - low < span {
        let middle = (low + high) / 2.0;
        let moved = (middle - span / 2.0, middle + span / 2.0);
        (low, high) = match low >= 0.0 && moved.0 < 0.0 {
            true => (0.0, span.max(high)),
            false => moved,
        };
    }
    // From zero, where that costs little, and always where nothing else makes sense.
    let begins_at_zero = matches!(unit, Unit::Percent | Unit::BytesPerSecond | Unit::Count);
    if low > 0.0 && (begins_at_zero || low < high * 0.6) {
        low = 0.0;
    }
    (low, high)
}

/// The next round number: 1, 2 or 5 of some power of ten.
fn nice(step: f64) -> f64 {
    let power = 10f64.powi(step.log10().floor() as i32);
    let share = step / power;
    let factor = match share {
        share if share <= 1.0 => 1.0,
        share if share <= 2.0 => 2.0,
        share if share <= 5.0 => 5.0,
        _ => 10.0,
    };
    factor * power
}

/// A moment on the time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeTick {
    pub(super) at: Wall,
    pub(super) label: String,
    /// A new day, month or year begins.
    pub(super) is_major: bool,
}

/// From one tick to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Seconds(i64),
    /// Hours that divide a day, by the clock on the wall.
    Hours(i8),
    Days(i32),
    Months(i32),
}

const STEPS: [(Step, i64); 24] = {
    use Step::{Days, Hours, Months, Seconds};
    [
        (Seconds(1), 1),
        (Seconds(2), 2),
        (Seconds(5), 5),
        (Seconds(10), 10),
        (Seconds(15), 15),
        (Seconds(30), 30),
        (Seconds(60), 60),
        (Seconds(120), 120),
        (Seconds(300), 300),
        (Seconds(600), 600),
        (Seconds(900), 900),
        (Seconds(1800), 1800),
        (Seconds(3600), 3600),
        (Hours(2), 7200),
        (Hours(3), 10_800),
        (Hours(6), 21_600),
        (Hours(12), 43_200),
        (Days(1), 86_400),
        (Days(2), 172_800),
        (Days(7), 604_800),
        (Months(1), 2_635_000),
        (Months(3), 7_900_000),
        (Months(6), 15_800_000),
        (Months(12), 31_500_000),
    ]
};

/// Ticks from `from` to `until`, at most `wanted` or few more.
pub(super) fn time_ticks(from: Wall, until: Wall, wanted: usize, zone: &Zone) -> Vec<TimeTick> {
    let seconds = until.since(from).as_secs_f64() / wanted.max(1) as f64;
    let fits = |(_, length): &&(Step, i64)| *length as f64 >= seconds;
    let step = STEPS
        .iter()
        .find(fits)
        .map_or(Step::Months(12), |(step, _)| *step);
    let mut ticks: Vec<TimeTick> = Vec::new();
    for at in moments(step, from, until, zone) {
        if at >= from && at <= until && ticks.last().is_none_or(|last| last.at < at) {
            let (label, is_major) = label(step, at, zone);
            ticks.push(TimeTick {
                at,
                label,
                is_major,
            });
        }
        if ticks.len() >= MOST_TICKS * 4 {
            break;
        }
    }
    ticks
}

/// Round moments around a span; some lie outside of it.
fn moments(step: Step, from: Wall, until: Wall, zone: &Zone) -> Vec<Wall> {
    let begin = from.zoned(zone).datetime();
    let day = begin.date();
    let mut moments = Vec::new();
    match step {
        Step::Seconds(seconds) => {
            // By the local clock, because there are zones of half an hour.
            let offset_s = i64::from(from.zoned(zone).offset().seconds());
            let local = from.unix_seconds().saturating_add(offset_s);
            let mut at = local.div_euclid(seconds) * seconds - offset_s;
            while Wall(at.saturating_mul(1000)) <= until && moments.len() <= MOST_TICKS * 4 {
                moments.push(Wall(at.saturating_mul(1000)));
                at += seconds;
            }
        }
        Step::Hours(hours) => each_day(day, 1, until, zone, &mut |day| {
            for hour in (0..24).step_by(hours as usize) {
                moments.extend(moment(day.at(hour, 0, 0, 0), zone));
            }
        }),
        Step::Days(days) => {
            // Weeks begin on Mondays, pairs of days on days that stay the same from one chart to the next.
            let past = match days {
                7 => i64::from(day.weekday().to_monday_zero_offset()),
                _ => from
                    .unix_seconds()
                    .div_euclid(86_400)
                    .rem_euclid(i64::from(days)),
            };
            let first = day.checked_sub(past.days()).unwrap_or(day);
            each_day(first, days, until, zone, &mut |day| {
                moments.extend(moment(day.at(0, 0, 0, 0), zone));
            });
        }
        Step::Months(months) => {
            let mut first = day.first_of_month();
            while (i32::from(first.month()) - 1) % months != 0 {
                let Ok(earlier) = first.checked_sub(1.month()) else {
                    break;
                };
                first = earlier;
            }
            while let Some(at) = moment(first.at(0, 0, 0, 0), zone).filter(|at| *at <= until) {
                moments.push(at);
                let Ok(later) = first.checked_add(months.months()) else {
                    break;
                };
                first = later;
            }
        }
    }
    moments
}

fn each_day(first: Date, step: i32, until: Wall, zone: &Zone, act: &mut dyn FnMut(Date)) {
    let mut day = first;
    let mut count = 0;
    while moment(day.at(0, 0, 0, 0), zone).is_some_and(|at| at <= until) && count < 400 {
        act(day);
        count += 1;
        let Ok(next) = day.checked_add(step.days()) else {
            return;
        };
        day = next;
    }
}

fn moment(civil: DateTime, zone: &Zone) -> Option<Wall> {
    let zoned = civil.to_zoned(zone.inner().clone()).ok()?;
    Some(Wall(zoned.timestamp().as_millisecond()))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn label(step: Step, at: Wall, zone: &Zone) -> (String, bool) {
    let local = at.zoned(zone).datetime();
    let month = MONTHS[(local.month() as usize).clamp(1, 12) - 1];
    let (hour, minute, second) = (local.hour(), local.minute(), local.second());
    let is_midnight = (hour, minute, second) == (0, 0, 0);
    match step {
        Step::Months(_) if local.month() == 1 => (local.year().to_string(), true),
        Step::Months(_) => (month.to_owned(), false),
        Step::Days(_) => (format!("{} {month}", local.day()), local.day() == 1),
        _ if is_midnight => (format!("{} {month}", local.day()), true),
        Step::Seconds(seconds) if seconds < 60 => {
            (format!("{hour:02}:{minute:02}:{second:02}"), false)
        }
        _ => (format!("{hour:02}:{minute:02}"), false),
    }
}

/// What a chart covers, for its heading: `20 Nov 2026, 19:15–20:15 CET`.
pub(super) fn span_text(from: Wall, until: Wall, zone: &Zone) -> String {
    let (begin, end) = (from.zoned(zone), until.zoned(zone));
    let day = |at: &jiff::Zoned| {
        let month = MONTHS[(at.month() as usize).clamp(1, 12) - 1];
        format!("{} {month}", at.day())
    };
    let clock = |at: &jiff::Zoned| format!("{:02}:{:02}", at.hour(), at.minute());
    let name = |at: &jiff::Zoned| {
        let info = zone.inner().to_offset_info(at.timestamp());
        match info.abbreviation() {
            "" => "UTC".to_owned(),
            abbreviation => abbreviation.to_owned(),
        }
    };
    let (year, zone_name) = (end.year(), name(&end));
    let is_short = until.since(from) <= Duration::from_secs(3 * 86_400);
    if !is_short {
        let first_year = match begin.year() == year {
            true => String::new(),
            false => format!(" {}", begin.year()),
        };
        return format!("{}{first_year} – {} {year}", day(&begin), day(&end));
    }
    if begin.date() == end.date() && name(&begin) == zone_name {
        return format!(
            "{} {year}, {}–{} {zone_name}",
            day(&end),
            clock(&begin),
            clock(&end)
        );
    }
    let first_zone = match name(&begin) == zone_name {
        true => String::new(),
        false => format!(" {}", name(&begin)),
    };
    format!(
        "{} {}{first_zone} – {} {year} {} {zone_name}",
        day(&begin),
        clock(&begin),
        day(&end),
        clock(&end)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, until: &str, zone: &Zone) -> String {
        let wall = |text| Wall::parse(text, zone).expect("a moment");
        let ticks = time_ticks(wall(from), wall(until), 8, zone);
        let labels: Vec<String> = ticks.into_iter().map(|tick| tick.label).collect();
        labels.join(" ")
    }

    #[test]
    fn times_are_round_by_the_local_clock() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let calcutta = Zone::named("Asia/Kolkata").expect("a zone");
        for (from, until, zone, want) in [
            (
                "2026-11-20T19:15",
                "2026-11-20T20:15",
                &berlin,
                "19:20 19:30 19:40 19:50 20:00 20:10",
            ),
            (
                "2026-11-20T19:15:03",
                "2026-11-20T19:16:03",
                &berlin,
                "19:15:10 19:15:20 19:15:30 19:15:40 19:15:50 19:16:00",
            ),
            (
                "2026-11-20T14:00",
                "2026-11-21T14:00",
                &calcutta,
                "15:00 18:00 21:00 21 Nov 03:00 06:00 09:00 12:00",
            ),
            (
                "2026-11-20T18:40",
                "2026-11-20T19:40",
                &calcutta,
                "18:40 18:50 19:00 19:10 19:20 19:30 19:40",
            ),
            (
                "2026-11-13T14:00",
                "2026-11-20T14:00",
                &berlin,
                "14 Nov 15 Nov 16 Nov 17 Nov 18 Nov 19 Nov 20 Nov",
            ),
            (
                "2026-10-22T14:00",
                "2026-11-21T14:00",
                &berlin,
                "26 Oct 2 Nov 9 Nov 16 Nov",
            ),
            (
                "2025-11-20T14:00",
                "2026-11-20T14:00",
                &berlin,
                "2026 Apr Jul Oct",
            ),
        ] {
            assert_eq!(labels(from, until, zone), want, "{from} to {until}");
        }
    }

    #[test]
    fn a_change_of_the_clocks_repeats_or_skips_an_hour() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let spring = "2026-03-29T00:00 2026-03-29T06:00 01:00 03:00 04:00 05:00 06:00";
        let autumn = "2026-10-25T00:00 2026-10-25T05:00 01:00 02:00 02:00 03:00 04:00 05:00";
        for (text, midnight) in [(spring, "29 Mar"), (autumn, "25 Oct")] {
            let mut words = text.splitn(3, ' ');
            let (from, until) = (words.next().expect("from"), words.next().expect("until"));
            let want = format!("{midnight} {}", words.next().expect("ticks"));
            assert_eq!(labels(from, until, &berlin), want);
        }
        assert_eq!(
            labels("2026-10-24T18:00", "2026-10-25T18:00", &berlin),
            "18:00 25 Oct 06:00 12:00 18:00"
        );
        let wall = |text| Wall::parse(text, &berlin).expect("a moment");
        assert_eq!(
            span_text(wall("2026-10-25T01:00"), wall("2026-10-25T05:00"), &berlin),
            "25 Oct 01:00 CEST – 25 Oct 2026 05:00 CET"
        );
    }

    #[test]
    fn values_stand_on_round_numbers() {
        for (unit, low, high, want) in [
            (Unit::Watts, 2310.0, 2980.0, "2.2 2.4 2.6 2.8 3.0 kW"),
            (Unit::Watts, 0.0, 0.0, "0.0 0.5 1.0 1.5 2.0 2.5 W"),
            (Unit::Watts, 812.0, 812.0, "760 780 800 820 840 860 880 W"),
            (Unit::Watts, -40.0, 35.0, "−60 −40 −20 0 20 40 W"),
            (Unit::Percent, 3.0, 100.0, "0 20 40 60 80 100 %"),
            (Unit::Celsius, 45.0, 47.0, "42 44 46 48 50 °C"),
            (Unit::BytesPerSecond, 0.0, 3_400_000.0, "0 1 2 3 4 MB/s"),
            (Unit::Count, 0.02, 0.31, "0.0 0.1 0.2 0.3 0.4 "),
            (Unit::Watts, 1e30, 3e30, "0 1.0e15"),
        ] {
            let axis = ValueAxis::of(unit, low, high, 5);
            let labels: Vec<String> = axis.ticks.iter().map(|tick| axis.label(*tick)).collect();
            let got = format!("{} {}", labels.join(" "), axis.scale.symbol());
            assert!(
                got.starts_with(want) && axis.ticks.len() > 1,
                "{low} to {high}: {got}"
            );
        }
    }
}
