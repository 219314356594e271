//! Drawings of the page as inline SVG: bars and sparklines. Attributes instead of styles, which the
//! content policy would not let through.

use crate::history::{Spark, Unit};
use crate::time::Human;
use std::fmt::Write as _;
use std::time::Duration;

/// A share of its limit from which a bar warns.
const NEAR: f64 = 0.9;

/// A value against its limits, the one that warns and the one that counts; empty without a limit. The full width is the
/// limit, or the value where that is more; marks show the limits that lie within.
pub fn bar(value: Option<f64>, soft: Option<f64>, limit: Option<f64>) -> String {
    let Some(limit) = limit.or(soft).filter(|limit| *limit > 0.0) else {
        return String::new();
    };
    let value = value.unwrap_or(0.0).max(0.0);
    let full = limit.max(value);
    let is_near = value > limit * NEAR || soft.is_some_and(|soft| value > soft);
    let class = match (value > limit, is_near) {
        (true, _) => "over_limit",
        (false, true) => "near",
        (false, false) => "ok",
    };
    let width = |value: f64| (value / full * 1000.0).round() / 10.0;
    let mut svg = format!(
        "<svg class=\"bar {class}\" viewBox=\"0 0 100 8\" preserveAspectRatio=none role=img \
         aria-label=\"{:.0} % of the limit\"><rect width={} height=8 />",
        value / limit * 100.0,
        width(value)
    );
    let marks = [soft, Some(limit)].into_iter().flatten();
    for x in marks.filter(|mark| *mark < full).map(width) {
        let _ = write!(svg, "<line x1={x} x2={x} y1=0 y2=8 />");
    }
    svg.push_str("</svg>");
    svg
}

/// A line with the area below it; gaps where there was no reading. `None` without two readings.
pub fn sparkline(series: &Spark, limit: Option<f64>, points: usize) -> Option<String> {
    const WIDTH: f64 = 240.0;
    const HEIGHT: f64 = 100.0;
    let values = thinned(&series.values, points);
    let known = || values.iter().copied().filter(|value| value.is_finite());
    if known().count() < 2 {
        return None;
    }
    let (low, high) = known().fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let limit = limit.filter(|limit| high > limit * 0.85 && low < limit * 1.5);
    let high = limit.map_or(high, |limit| high.max(limit));
    // Noise of a few watts is not to look like a drama.
    let span = (high - low).max(high.abs() * 0.12).max(1.0);
    let middle = (high + low) / 2.0;
    let (bottom, span) = (middle - span * 0.6, span * 1.2);
    let x = |index: usize| (index as f64 / (values.len() - 1) as f64 * WIDTH).round();
    let y = |value: f64| (HEIGHT - (value - bottom) / span * HEIGHT).round();
    let (mut line, mut area) = (String::new(), String::new());
    for run in runs(&values) {
        let mut command = 'M';
        for index in run.clone() {
            let _ = write!(line, "{command}{} {}", x(index), y(values[index]));
            command = 'L';
        }
        if run.len() == 1 {
            // A point alone is a dot: a line without length has round ends.
            line.push_str("h0");
        }
        let _ = write!(area, "M{} {HEIGHT}", x(run.start));
        for index in run.clone() {
            let _ = write!(area, "L{} {}", x(index), y(values[index]));
        }
        let _ = write!(area, "L{} {HEIGHT}Z", x(run.end - 1));
    }
    let covered = covered(series);
    let what = match series.unit {
        Unit::Watts => "power",
        _ => "values",
    };
    let mut svg = format!(
        "<svg class=spark viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=none role=img \
         aria-label=\"{what} over the last {covered}\"><path class=a d=\"{area}\"/><path class=l d=\"{line}\"/>"
    );
    if let Some(limit) = limit {
        let _ = write!(svg, "<path class=m d=\"M0 {}H{WIDTH}\"/>", y(limit));
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// The time from the first value to the last.
pub fn covered(series: &Spark) -> Human {
    let steps = series.values.len().saturating_sub(1) as u64;
    Human(Duration::from_secs(u64::from(series.step_s) * steps))
}

/// At most `points` values: the highest of each stretch, NaN where a stretch has none.
fn thinned(values: &[f32], points: usize) -> Vec<f64> {
    let stretch = values.len().div_ceil(points).max(1);
    values
        .chunks(stretch)
        .map(|chunk| chunk.iter().copied().fold(f32::NAN, f32::max).into())
        .collect()
}

/// Stretches without a gap.
fn runs(values: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match runs.last_mut() {
            _ if !value.is_finite() => {}
            Some(run) if run.end == index => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_sparkline_has_gaps_where_there_was_no_reading() {
        let mut series = Spark {
            values: vec![1.0, 2.0, f32::NAN, 3.0, 4.0],
            step_s: 2,
            ..Spark::default()
        };
        let svg = sparkline(&series, None, 60).expect("four readings");
        assert_eq!(
            svg.split("class=l")
                .nth(1)
                .map(|rest| rest.matches('M').count()),
            Some(2)
        );
        series.values = vec![f32::NAN, 5.0, f32::NAN];
        assert_eq!(sparkline(&series, None, 60), None);
        series.values = (0..1000).map(|n| n as f32).collect();
        assert!(sparkline(&series, Some(900.0), 60).expect("many").len() < 2000);
    }
}
