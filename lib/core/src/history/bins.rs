//! Curves of a bounded number of points: smallest of the smallest, highest of the highest, mean by time.

use super::{Curve, Span, Unit};
use crate::time::Wall;
use std::sync::Arc;
use std::time::Duration;

/// What is kept in memory has this resolution.
const FINEST_MS: i64 = 2000;
/// A question for more points is answered with so many.
const MOST_POINTS: u32 = 4000;

/// Equal stretches of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    start_ms: i64,
    step_ms: i64,
    count: usize,
}

impl Grid {
    /// At most `points` stretches over `from` to `to`. Their borders are multiples of the resolution: with others some
    /// would be empty though nothing is missing. What is finest ends with the last moment that is over, what is coarse
    /// with the stretch that is under way.
    pub(crate) fn new(from: Wall, to: Wall, points: u32, resolution_ms: i64) -> Grid {
        let most = i64::from(points.clamp(1, MOST_POINTS));
        let round_up =
            |ms: i64, to: i64| ms.div_euclid(to) * to + (ms.rem_euclid(to) > 0) as i64 * to;
        let (from_ms, to_ms) = (from.0.max(0), to.0.max(0));
        let end_ms = match resolution_ms {
            ..=FINEST_MS => to_ms / resolution_ms * resolution_ms,
            _ => round_up(to_ms, resolution_ms),
        };
        let span_ms = (end_ms - from_ms).max(0);
        let step_ms = round_up(round_up(span_ms, most).max(most) / most, resolution_ms);
        let count = round_up(span_ms, step_ms) / step_ms;
        Grid {
            start_ms: end_ms - count * step_ms,
            step_ms,
            count: count as usize,
        }
    }

    /// The stretch that a moment lies in.
    fn place(&self, at_ms: i64) -> Option<usize> {
        let place = (at_ms - self.start_ms).div_euclid(self.step_ms);
        usize::try_from(place)
            .ok()
            .filter(|place| *place < self.count)
    }

    /// The first moment after the stretch that a moment lies in.
    fn next_ms(&self, at_ms: i64) -> i64 {
        let place = (at_ms - self.start_ms).div_euclid(self.step_ms);
        self.start_ms + (place + 1) * self.step_ms
    }

    /// How many stretches there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The first moment of the first stretch.
    pub(crate) fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// The first moment after the last stretch.
    pub(crate) fn end_ms(&self) -> i64 {
        self.start_ms + self.count as i64 * self.step_ms
    }
}

/// What was found so far of one series.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    name: Arc<str>,
    unit: Unit,
    grid: Grid,
    bins: Vec<Bin>,
    /// The first moment that something is known of.
    begins_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    min: f32,
    max: f32,
    sum: f64,
    weight: u64,
}

impl Bins {
    pub(crate) fn new(name: Arc<str>, unit: Unit, grid: Grid) -> Bins {
        Bins {
            name,
            unit,
            grid,
            bins: vec![Bin::default(); grid.count],
            begins_ms: None,
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Adds what was measured for `weight_ms` of the `length_ms` from `at_ms` on. What it was not measured in is taken
    /// to be their beginning, as it is after a start.
    pub(crate) fn add(&mut self, at_ms: i64, length_ms: i64, span: Span, weight_ms: u32) {
        if let (Some(place), 1..) = (self.grid.place(at_ms), weight_ms) {
            self.bins[place].add(span, weight_ms);
            self.note_begin(at_ms + (length_ms - i64::from(weight_ms)).max(0));
        }
    }

    /// Adds values that each stood for `every_ms`, the first from `at_ms` on; NaN where nothing was measured.
    pub(crate) fn add_run(
        &mut self,
        mut at_ms: i64,
        every_ms: u32,
        values: impl Iterator<Item = f32>,
    ) {
        let (mut place, mut next_ms) = (None, i64::MIN);
        for value in values {
            if at_ms >= next_ms {
                (place, next_ms) = (self.grid.place(at_ms), self.grid.next_ms(at_ms));
            }
            if let (Some(place), true) = (place, value.is_finite()) {
                let span = Span {
                    min: value,
                    avg: value,
                    max: value,
                };
                self.bins[place].add(span, every_ms);
                self.note_begin(at_ms);
            }
            at_ms += i64::from(every_ms);
        }
    }

    fn note_begin(&mut self, at_ms: i64) {
        let earlier = self.begins_ms.filter(|begins_ms| *begins_ms <= at_ms);
        self.begins_ms = earlier.or(Some(at_ms));
    }

    pub(crate) fn into_curve(self) -> Curve {
        let measured_ms = self.bins.iter().map(|bin| bin.weight).sum();
        let points = self.bins.iter().map(|bin| {
            (bin.weight > 0).then(|| Span {
                min: bin.min,
                // A mean that is rounded may lie a hair outside.
                avg: ((bin.sum / bin.weight as f64) as f32).clamp(bin.min, bin.max),
                max: bin.max,
            })
        });
        Curve {
            points: points.collect(),
            name: self.name,
            unit: self.unit,
            start: Wall(self.grid.start_ms()),
            step: Duration::from_millis(self.grid.step_ms.unsigned_abs()),
            measured: Duration::from_millis(measured_ms),
            begins: self.begins_ms.map(Wall),
        }
    }
}

impl Bin {
    fn add(&mut self, span: Span, weight_ms: u32) {
        if self.weight == 0 {
            (self.min, self.max) = (span.min, span.max);
        }
        self.min = self.min.min(span.min);
        self.max = self.max.max(span.max);
        self.sum += f64::from(span.avg) * f64::from(weight_ms);
        self.weight += u64::from(weight_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_grid_covers_what_was_asked_with_at_most_so_many_points() {
        let mut rng = Rng::new(3);
        for _ in 0..20_000 {
            let from = rng.below(2_000_000_000_000) as i64;
            let longest = 1 << rng.below(36);
            let span = 1 + rng.below(longest) as i64;
            let points = 1 + rng.below(1000) as u32;
            let resolution = [2000, 60_000, 900_000][rng.below(3) as usize];
            let grid = Grid::new(Wall(from), Wall(from + span), points, resolution);
            let end_ms = grid.start_ms + grid.count as i64 * grid.step_ms;
            assert!(grid.count <= points as usize, "{grid:?}");
            assert_eq!((grid.step_ms % resolution, end_ms % resolution), (0, 0));
            assert!(grid.start_ms <= from || grid.count == 0, "{grid:?}");
            assert!(end_ms > from + span - 2000 && end_ms < from + span + resolution);
            // Not coarser than it must be.
            let needed = (end_ms - from).max(0) / i64::from(points);
            assert!(
                grid.step_ms <= needed + resolution,
                "{grid:?} for {span} in {points}"
            );
        }
        for (from, to) in [(5000, 5000), (9000, 2000), (-9, -5)] {
            assert_eq!(Grid::new(Wall(from), Wall(to), 10, 2000).count, 0);
        }
        let hour = Grid::new(Wall(7_200_001), Wall(10_800_001), 60, 2000);
        assert_eq!((hour.step_ms, hour.count), (60_000, 60));
        let hour = Grid::new(Wall(7_200_000), Wall(10_800_000), 60, 60_000);
        assert_eq!((hour.step_ms, hour.count), (60_000, 60));
    }

    #[test]
    fn downsampling_agrees_with_a_naive_one() {
        let mut rng = Rng::new(4);
        for round in 0..300_u32 {
            let resolution = [2000, 60_000][round as usize % 2];
            let from = rng.below(1_000_000_000) as i64;
            let grid = Grid::new(
                Wall(from),
                Wall(from + resolution * 500),
                1 + rng.below(90) as u32,
                resolution,
            );
            let mut bins = Bins::new("a".into(), Unit::Watts, grid);
            let mut all = Vec::new();
            for step in -5..510_i64 {
                if rng.below(4) == 0 {
                    continue;
                }
                let at = from + step * resolution;
                let low = rng.below(1000) as f32 - 500.0;
                let span = Span {
                    min: low,
                    avg: low + rng.below(50) as f32,
                    max: low + 50.0,
                };
                let weight = rng.below(resolution as u64) as u32;
                bins.add(at, resolution, span, weight);
                all.push((at, span, weight));
            }
            let curve = bins.into_curve();
            let step = curve.step.as_millis() as i64;
            for (index, point) in (0i64..).zip(&curve.points) {
                let begin = curve.start.0 + index * step;
                let inside: Vec<_> = all
                    .iter()
                    .filter(|(at, _, weight)| (begin..begin + step).contains(at) && *weight > 0)
                    .collect();
                let Some(point) = point else {
                    assert!(inside.is_empty());
                    continue;
                };
                let min = inside.iter().map(|one| one.1.min).fold(f32::MAX, f32::min);
                let max = inside.iter().map(|one| one.1.max).fold(f32::MIN, f32::max);
                let weight: f64 = inside.iter().map(|one| f64::from(one.2)).sum();
                let sum: f64 = inside
                    .iter()
                    .map(|one| f64::from(one.1.avg) * f64::from(one.2))
                    .sum();
                assert_eq!((point.min, point.max), (min, max));
                assert!((f64::from(point.avg) - sum / weight).abs() < 0.001);
            }
        }
    }
}
