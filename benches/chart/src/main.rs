//! How long a chart takes to draw, and how large it is: 800×480, with as much noise as real readings have, and more.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml -p chart`
//!
//! The goal is at most 40 ms of a desktop core and 40 kB for each. On one core of a virtual machine with two, 2026-11-21 (a picture of more
//! than 40 kB is drawn again, coarser):
//!
//! ```text
//! chart                              median ms  worst ms    bytes
//! 1 line, 1 h of 2 s                       6.2       6.9    20571
//! 1 line, 1 h of 2 s, much noise           9.3      11.5    26501
//! 3 lines, 24 h of 1 min                   8.6      12.8    29263
//! 3 lines, 24 h of 1 min, much noise      11.5      11.9    37891
//! 8 lines, 1 h of 2 s                      8.7       9.5    25574
//! 8 lines, 1 year of 15 min               15.5      19.2    21395
//! 8 lines, 24 h of 1 min, much noise      29.3      39.4    34327
//! ```

use rackwarden_core::chart::{Chart, Line, Threshold};
use rackwarden_core::history::{Curve, Span, Unit};
use rackwarden_core::rng::Rng;
use rackwarden_core::time::{Wall, Zone};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

const NOW: Wall = Wall(1_795_202_100_000);
const HOUR: Duration = Duration::from_secs(3600);
const ROUNDS: usize = 40;

fn main() {
    println!(
        "{:34} {:>9} {:>9} {:>8}",
        "chart", "median ms", "worst ms", "bytes"
    );
    for (name, lines, span, step, noise) in [
        ("1 line, 1 h of 2 s", 1, HOUR, 2, 0.03),
        ("1 line, 1 h of 2 s, much noise", 1, HOUR, 2, 0.5),
        ("3 lines, 24 h of 1 min", 3, HOUR * 24, 60, 0.05),
        ("3 lines, 24 h of 1 min, much noise", 3, HOUR * 24, 60, 0.5),
        ("8 lines, 1 h of 2 s", 8, HOUR, 2, 0.03),
        ("8 lines, 1 year of 15 min", 8, HOUR * 24 * 365, 900, 0.05),
        ("8 lines, 24 h of 1 min, much noise", 8, HOUR * 24, 60, 0.3),
    ] {
        let chart = chart(lines, span, step, noise);
        let mut bytes = 0;
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let before = cpu_ms();
                bytes = chart.png().len();
                cpu_ms() - before
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{name:34} {:9.1} {:9.1} {bytes:8}",
            times[ROUNDS / 2],
            times[ROUNDS - 1]
        );
    }
}

fn chart(lines: usize, span: Duration, step_s: u64, noise: f64) -> Chart {
    let mut rng = Rng::new(7);
    let from = NOW.minus(span);
    let count = span.as_secs() / step_s;
    let line = |index: usize| {
        let level = 400.0 + 350.0 * index as f64;
        let points = (0..count).map(|at| {
            let wave = (at as f64 / count as f64 * 9.0 + index as f64).sin() * 60.0;
            let mut one = || rng.below(2001) as f64 / 1000.0 - 1.0;
            let avg = level + wave + (one() + one()) / 2.0 * noise * level.min(1000.0);
            let reach = noise * level.min(1000.0) * one().abs();
            Some(Span {
                min: (avg - reach) as f32,
                avg: avg as f32,
                max: (avg + reach) as f32,
            })
        });
        Line {
            label: format!("pdu-{index}"),
            curve: Curve {
                start: from,
                step: Duration::from_secs(step_s),
                points: points.collect(),
                ..Curve::default()
            },
        }
    };
    Chart {
        lines: (0..lines).map(line).collect(),
        thresholds: vec![Threshold {
            label: "limit".into(),
            value: 3000.0,
        }],
        ..Chart::new("Power".into(), Unit::Watts, from, NOW, Zone::UTC)
    }
}

fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1e6
}
