//! When a limit will be reached at the present trend. Pure, and of constant size, because every PDU has one.
//!
//! A straight line is fitted to the last minutes by least squares, older samples counting less and less. Nothing is
//! said of noise, of a step, and of a load that swings: the line has to explain nearly all of what moves, and it has to have
//! left behind where the load has been in the last hour.

use super::excess::Watch;
use crate::time::Mono;
use std::time::Duration;

/// After this a sample counts a third (1/e) …
const MEMORY: Duration = Duration::from_secs(120);
/// … but so many samples are remembered at least, however rarely it is read.
const MEMORY_SAMPLES: u32 = 20;
/// Nothing is said before so many samples, over so long a time.
const MIN_SAMPLES: u32 = 15;
const MIN_SPAN: Duration = Duration::from_secs(40);
/// The share of the variance that the line explains: a step explains 0.75 of its own, noise nothing.
const MIN_EXPLAINED: f64 = 0.9;
/// A rise by less of the limit in the time that is remembered is none, and so is one by less above where the load has been.
const MIN_RISE: f64 = 0.005;
/// Farther away than this, a trend says nothing.
const HORIZON: Duration = Duration::from_secs(3600);
/// How the range of the last hour is kept: maxima of parts of it, the newest one apart.
const NEW_S: u32 = 300;
const HALF_S: u32 = 1800;

/// The trend of one load.
#[derive(Clone, Debug, Default)]
pub(super) struct Trend {
    /// Seconds since the clock began.
    last_s: f64,
    begun_s: u32,
    samples: u32,
    last_w: f32,
    /// Power is told from the first one, so that sums of squares stay exact.
    origin_w: f64,
    sums: Sums,
    range: Range,
}

/// Sums over the samples by their weights; time in seconds before the last one, power from the origin.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    n: f64,
    t: f64,
    tt: f64,
    w: f64,
    tw: f64,
    ww: f64,
}

/// The highest power of the last hour, without the newest minutes.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    newest_w: f32,
    recent_w: f32,
    older_w: f32,
    /// Seconds since the clock began.
    newest_since_s: u32,
    recent_since_s: u32,
}

impl Trend {
    /// Takes a sample of a load that is read every `interval`.
    pub(super) fn note(&mut self, now: Mono, power_w: f64, interval: Duration) {
        let now_s = now.since(Mono::ZERO).as_secs_f64();
        let whole_s = now_s as u32;
        let mut passed_s = now_s - self.last_s;
        let gap = (interval * 5).max(Duration::from_secs(60));
        if self.samples == 0 || passed_s > gap.as_secs_f64() {
            *self = Trend {
                begun_s: whole_s,
                origin_w: power_w,
                range: Range::begin(whole_s),
                ..Trend::default()
            };
            passed_s = 0.0;
        } else if passed_s <= 0.0 {
            return;
        }
        let memory = MEMORY.max(interval * MEMORY_SAMPLES).as_secs_f64();
        self.sums.age(passed_s, memory);
        self.sums.add(power_w - self.origin_w);
        self.range.note(whole_s, power_w as f32);
        (self.last_s, self.last_w) = (now_s, power_w as f32);
        self.samples = self.samples.saturating_add(1);
    }

    /// The same in seconds, for a limit that is watched.
    pub(super) fn in_seconds(&self, watch: Option<&Watch>) -> Option<f32> {
        let left = self.reaches(watch?.limit.on_w)?;
        Some(left.as_secs_f32())
    }

    /// In how long this limit is reached; `None` when there is no rising trend, or the limit is far.
    pub(super) fn reaches(&self, limit_w: f64) -> Option<Duration> {
        let span_s = self.last_s - f64::from(self.begun_s);
        if self.samples < MIN_SAMPLES || span_s < MIN_SPAN.as_secs_f64() {
            return None;
        }
        let line = self.sums.line()?;
        let level_w = self.origin_w + line.level_w;
        // The line shoots over the crest of a wave.
        let least_w = level_w.min(self.last_w.into()) - limit_w * MIN_RISE;
        let is_new = self.range.highest().is_none_or(|highest| least_w > highest);
        let remembered_s = span_s.min(2.0 * MEMORY.as_secs_f64());
        let is_rising = line.slope * remembered_s > limit_w * MIN_RISE;
        if !is_rising || !is_new || line.explained < MIN_EXPLAINED || level_w >= limit_w {
            return None;
        }
        let seconds = (limit_w - level_w) / line.slope;
        (seconds <= HORIZON.as_secs_f64()).then(|| Duration::from_secs_f64(seconds))
    }
}

/// A fitted line.
struct Line {
    /// Watts a second.
    slope: f64,
    /// Power now, from the origin.
    level_w: f64,
    /// The share of the variance that it explains.
    explained: f64,
}

impl Sums {
    /// Moves the origin of time to `passed` seconds later, and lets everything count less.
    fn age(&mut self, passed: f64, memory: f64) {
        self.tt += passed * (passed * self.n - 2.0 * self.t);
        self.tw -= passed * self.w;
        self.t -= passed * self.n;
        let keep = (-passed / memory).exp();
        for sum in [
            &mut self.n,
            &mut self.t,
            &mut self.tt,
            &mut self.w,
            &mut self.tw,
            &mut self.ww,
        ] {
            *sum *= keep;
        }
    }

    fn add(&mut self, power_w: f64) {
        self.n += 1.0;
        self.w += power_w;
        self.ww += power_w * power_w;
    }

    fn line(&self) -> Option<Line> {
        let (mean_t, mean_w) = (self.t / self.n, self.w / self.n);
        let of_time = self.tt / self.n - mean_t * mean_t;
        let of_power = self.ww / self.n - mean_w * mean_w;
        let both = self.tw / self.n - mean_t * mean_w;
        let is_sound = of_time > 0.0 && of_power > 0.0;
        let slope = both / of_time;
        is_sound.then(|| Line {
            slope,
            level_w: mean_w - slope * mean_t,
            explained: slope * both / of_power,
        })
    }
}

impl Range {
    fn begin(now_s: u32) -> Range {
        Range {
            newest_w: f32::MIN,
            recent_w: f32::MIN,
            older_w: f32::MIN,
            newest_since_s: now_s,
            recent_since_s: now_s,
        }
    }

    fn note(&mut self, now_s: u32, power_w: f32) {
        if now_s.saturating_sub(self.newest_since_s) >= NEW_S {
            self.recent_w = self.recent_w.max(self.newest_w);
            (self.newest_w, self.newest_since_s) = (f32::MIN, now_s);
        }
        if now_s.saturating_sub(self.recent_since_s) >= HALF_S {
            self.older_w = self.recent_w;
            (self.recent_w, self.recent_since_s) = (f32::MIN, now_s);
        }
        self.newest_w = self.newest_w.max(power_w);
    }

    fn highest(&self) -> Option<f64> {
        let highest = self.recent_w.max(self.older_w);
        (highest > f32::MIN).then(|| f64::from(highest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const INTERVAL: Duration = Duration::from_secs(2);

    /// Feeds `hours` of a load and counts the samples at which something was said, and what was said last.
    fn told(hours: f64, limit_w: f64, mut load: impl FnMut(f64) -> f64) -> (u32, Option<Duration>) {
        let (mut trend, mut said) = (Trend::default(), 0);
        let mut last = None;
        for step in 0..(hours * 1800.0) as u64 {
            let now = Mono::ZERO + Duration::from_secs(1000 + step * 2);
            trend.note(now, load(step as f64 * 2.0), INTERVAL);
            last = trend.reaches(limit_w);
            said += u32::from(last.is_some());
        }
        (said, last)
    }

    /// About a normal distribution, of this width.
    fn noise(rng: &mut Rng, width: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| rng.below(1000) as f64 / 1000.0).sum();
        (sum - 6.0) * width
    }

    #[test]
    fn a_steady_rise_is_told_with_its_time() {
        // A watt a second from 1000 W: after 500 s, 1500 s are left to 3000 W.
        let (_, last) = told(500.0 / 3600.0, 3000.0, |t| 1000.0 + t);
        let left = last.expect("it rises").as_secs_f64();
        assert!((left - 1502.0).abs() < 5.0, "{left}");
    }

    #[test]
    fn a_rise_in_noise_is_told_about_right() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let (_, last) = told(600.0 / 3600.0, 3000.0, |t| {
                1000.0 + t + noise(&mut rng, 15.0)
            });
            let left = last.expect("it rises").as_secs_f64();
            assert!((left - 1400.0).abs() < 200.0, "{seed}: {left}");
        }
    }

    #[test]
    fn a_fast_rise_is_told_within_a_minute() {
        let (said, _) = told(60.0 / 3600.0, 3000.0, |t| 1000.0 + 20.0 * t);
        assert!(said >= 8, "{said}");
    }

    #[test]
    fn steady_load_and_noise_say_nothing() {
        assert_eq!(told(5.0, 1001.0, |_| 1000.0).0, 0);
        for seed in 0..10 {
            let mut rng = Rng::new(seed);
            let load = |_| 2900.0 + noise(&mut rng, 20.0);
            assert_eq!(told(10.0, 3000.0, load).0, 0, "{seed}");
        }
    }

    #[test]
    fn a_walk_without_aim_says_hardly_ever_anything() {
        let mut said = 0;
        for seed in 0..10 {
            let mut rng = Rng::new(seed);
            let mut power = 2000.0;
            let load = |_| {
                power = (power + noise(&mut rng, 3.0)).clamp(1500.0, 2500.0);
                power
            };
            said += told(10.0, 3000.0, load).0;
        }
        // Of 180,000 samples.
        assert!(said < 900, "{said}");
    }

    #[test]
    fn steps_say_nothing() {
        for height in [50.0, 500.0, 1500.0] {
            let load = |t: f64| 1000.0 + if t > 3000.0 { height } else { 0.0 };
            assert_eq!(told(3.0, 3000.0, load).0, 0, "{height}");
        }
        // A load that is switched on and off every ten minutes.
        let load = |t: f64| {
            1000.0
                + if (t / 600.0) as u64 % 2 == 0 {
                    0.0
                } else {
                    900.0
                }
        };
        assert_eq!(told(6.0, 3000.0, load).0, 0);
    }

    #[test]
    fn a_swing_says_nothing_once_it_is_known() {
        for period in [20.0, 60.0, 300.0, 1200.0, 2400.0] {
            let load = |t: f64| 2000.0 + 500.0 * (t / period * std::f64::consts::TAU).sin();
            let (mut trend, mut said) = (Trend::default(), 0);
            for step in 0..9000u64 {
                let t = step as f64 * 2.0;
                trend.note(
                    Mono::ZERO + Duration::from_secs(1000 + step * 2),
                    load(t),
                    INTERVAL,
                );
                let is_known = t > period + f64::from(NEW_S);
                said += u32::from(is_known && trend.reaches(2600.0).is_some());
            }
            assert_eq!(said, 0, "period {period}");
        }
    }

    #[test]
    fn a_falling_load_one_that_is_above_and_a_far_limit_say_nothing() {
        assert_eq!(told(0.3, 3000.0, |t| 2900.0 - t).0, 0);
        let (_, last) = told(0.3, 1500.0, |t| 1000.0 + t);
        assert_eq!(last, None);
        assert_eq!(told(0.3, 100_000.0, |t| 1000.0 + t).0, 0);
    }

    #[test]
    fn after_a_gap_it_begins_anew() {
        let mut trend = Trend::default();
        let at = |seconds: u64| Mono::ZERO + Duration::from_secs(seconds);
        for step in 0..200 {
            trend.note(at(step * 2), 1000.0 + step as f64, INTERVAL);
        }
        assert!(trend.reaches(2000.0).is_some());
        trend.note(at(600), 1300.0, INTERVAL);
        assert_eq!(trend.reaches(2000.0), None);
    }

    #[test]
    fn what_is_read_every_minute_has_a_trend_too() {
        let mut trend = Trend::default();
        let minute = Duration::from_secs(60);
        for step in 0..40u32 {
            let now = Mono::ZERO + minute * (step + 1);
            trend.note(now, 1000.0 + f64::from(step) * 30.0, minute);
        }
        let left = trend.reaches(3000.0).expect("it rises").as_secs_f64();
        assert!((left - 1660.0).abs() < 30.0, "{left}");
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Trend>() <= 104, "{}", size_of::<Trend>());
    }
}
