//! Pictures: some are kept as they were looked at (`tests/it/charts`; `UPDATE_EXPECT=1` writes them anew), random ones are
//! only to be sound.
#![expect(clippy::disallowed_methods, reason = "a test reads its golden files")]

use crate::HOUR;
use rackwarden_core::chart::{Chart, Episode, Line, Theme, Threshold};
use rackwarden_core::history::{Curve, Span, Unit};
use rackwarden_core::rng::Rng;
use rackwarden_core::time::{Wall, Zone};
use std::f64::consts::TAU;
use std::path::PathBuf;
use std::time::Duration;

/// 20 November 2026, 20:15 in Berlin.
const NOW: Wall = Wall(1_795_202_100_000);

#[test]
fn the_pictures_are_as_they_were_looked_at() {
    for (name, chart) in gallery() {
        let png = chart.png();
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/charts/{name}.png"));
        let (size, pixels) = decode(&png);
        assert_eq!(size, chart.size, "{name}");
        assert!(png.len() <= 40_000, "{name}: {} bytes", png.len());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &png).expect("a writable folder");
            continue;
        }
        let wanted =
            std::fs::read(&path).expect("a picture to compare with; UPDATE_EXPECT=1 makes it");
        let (_, wanted) = decode(&wanted);
        // Rounding of floating-point numbers may differ between machines.
        let is_other = |(a, b): &(&u8, &u8)| a.abs_diff(**b) > 24;
        let others = pixels.iter().zip(&wanted).filter(is_other).count();
        assert!(
            pixels.len() == wanted.len() && others <= 60,
            "{name}: {others} values differ; UPDATE_EXPECT=1 makes it anew, to be looked at"
        );
    }
}

/// Whatever the values, there is a picture that others can read.
#[test]
fn no_values_break_a_picture() {
    let mut rng = Rng::new(11);
    for round in 0..60 {
        let chart = random(&mut rng);
        let (size, _) = decode(&chart.png());
        assert_eq!(size, chart.size, "{round}: {chart:?}");
    }
}

#[test]
fn noise_makes_no_file_large() {
    let mut rng = Rng::new(12);
    for (lines, noise_w, step_s) in [(1, 400.0, 2), (3, 300.0, 2), (8, 60.0, 2), (8, 200.0, 60)] {
        let mut chart = chart("Power of each PDU", HOUR, Unit::Watts);
        for index in 0..lines {
            let level = 600.0 + 500.0 * index as f64;
            let curve = curve(&chart, Duration::from_secs(step_s), |_| {
                let value = level + noise(&mut rng) * noise_w;
                let reach = noise(&mut rng).abs() * noise_w;
                Some((value - reach, value, value + reach))
            });
            chart.lines.push(Line {
                label: format!("pdu-{index}"),
                curve,
            });
        }
        let bytes = chart.png().len();
        assert!(
            bytes <= 40_000,
            "{lines} lines with {noise_w} W of noise: {bytes} bytes"
        );
    }
}

fn random(rng: &mut Rng) -> Chart {
    let units = [
        Unit::Watts,
        Unit::Percent,
        Unit::Celsius,
        Unit::BytesPerSecond,
        Unit::Count,
    ];
    let zones = [
        "UTC",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
    ];
    let spans_s = [
        0,
        1,
        59,
        600,
        3600,
        86_400,
        604_800,
        31_536_000,
        3_000_000_000,
    ];
    let pick = |rng: &mut Rng, count: usize| rng.below(count as u64) as usize;
    let span = Duration::from_secs(spans_s[pick(rng, spans_s.len())]);
    let until = match rng.below(12) {
        0 => Wall(i64::MAX),
        1 => Wall(i64::MIN),
        2 => Wall(0),
        _ => Wall(NOW.0 + rng.below(40_000_000_000) as i64),
    };
    let mut chart = chart("x", HOUR, units[pick(rng, units.len())]);
    (chart.from, chart.until) = (until.minus(span), until);
    chart.zone = Zone::named(zones[pick(rng, zones.len())]).expect("a zone");
    chart.size = (240 + rng.below(700) as u16, 180 + rng.below(400) as u16);
    chart.title = "rack ".repeat(pick(rng, 60));
    for _ in 0..rng.below(12) {
        let step = Duration::from_secs([0, 1, 2, 60, 900][pick(rng, 5)]);
        let points = (0..rng.below(400)).map(|_| {
            let mut value = || match rng.below(40) {
                0 => f32::NAN,
                1 => f32::INFINITY,
                2 => f32::MAX,
                3 => f32::MIN,
                4 => 1e-40,
                5 => 0.0,
                other => rng.below(1000) as f32 * (other as f32 - 20.0),
            };
            let span = Span {
                min: value(),
                avg: value(),
                max: value(),
            };
            (rng.below(5) > 0).then_some(span)
        });
        let curve = Curve {
            start: chart.from,
            step,
            points: points.collect(),
            ..Curve::default()
        };
        chart.lines.push(Line {
            label: "line ".repeat(pick(rng, 20)),
            curve,
        });
    }
    for _ in 0..rng.below(4) {
        let value = [0.0, -1.0, 80.0, 3000.0, 1e300, f64::NAN, f64::INFINITY][pick(rng, 7)];
        chart.thresholds.push(Threshold {
            label: "limit".into(),
            value,
        });
        let from = chart.from.plus(span.mul_f64(rng.below(100) as f64 / 100.0));
        chart.episodes.push(Episode {
            from,
            until: chart.until,
        });
    }
    chart
}

/// Pictures that show everything once.
fn gallery() -> Vec<(&'static str, Chart)> {
    vec![
        ("power", power(Theme::Light)),
        ("power_dark", power(Theme::Dark)),
        ("pdus", pdus(Theme::Light)),
        ("pdus_dark", pdus(Theme::Dark)),
        ("temperatures", temperatures()),
        ("network", network()),
        ("nothing", nothing()),
        ("constant", constant()),
        ("letters", letters()),
    ]
}

fn power(theme: Theme) -> Chart {
    let mut rng = Rng::new(1);
    let mut chart = chart("Power of Team Alpha", HOUR, Unit::Watts);
    chart.theme = theme;
    let curve = curve(&chart, Duration::from_secs(2), |t| {
        let step = if (0.62..0.78).contains(&t) {
            900.0
        } else {
            0.0
        };
        let value = 2350.0 + 130.0 * (t * TAU * 2.0).sin() + step + noise(&mut rng) * 60.0;
        (!(0.31..0.35).contains(&t)).then_some((value - 40.0, value, value + 40.0))
    });
    chart.lines.push(Line {
        label: "Team Alpha".into(),
        curve,
    });
    chart.thresholds.push(Threshold {
        label: "limit".into(),
        value: 3000.0,
    });
    chart.episodes.push(Episode {
        from: NOW.minus(HOUR).plus(HOUR.mul_f64(0.62)),
        until: NOW.minus(HOUR).plus(HOUR.mul_f64(0.78)),
    });
    chart.note = "shaded: above the limit".into();
    chart
}

fn pdus(theme: Theme) -> Chart {
    let mut rng = Rng::new(2);
    let mut chart = chart("Power of each PDU", HOUR * 24, Unit::Watts);
    chart.theme = theme;
    for (index, name) in [
        "alpha",
        "bravo",
        "charlie",
        "delta",
        "rack-17-left-front-upper-row-b",
        "foxtrot",
        "golf",
        "hotel",
    ]
    .into_iter()
    .enumerate()
    {
        let level = 300.0 + 340.0 * index as f64;
        let curve = curve(&chart, Duration::from_secs(60), |t| {
            let day = (t * TAU + index as f64).sin() * 90.0;
            let value = level + day + noise(&mut rng) * 45.0;
            Some((value - 20.0, value, value + 20.0))
        });
        chart.lines.push(Line {
            label: name.into(),
            curve,
        });
    }
    chart.more = 12;
    chart
}

fn temperatures() -> Chart {
    let mut rng = Rng::new(3);
    let mut chart = chart("Temperatures", HOUR * 24 * 7, Unit::Celsius);
    for (name, level) in [
        ("cpu_thermal", 61.0),
        ("nvme0 (Composite)", 44.0),
        ("sda", 36.0),
    ] {
        let curve = curve(&chart, Duration::from_secs(900), |t| {
            let value = level + (t * TAU * 7.0).sin() * 6.0 + noise(&mut rng) * 2.0;
            (t > 0.1 || level > 60.0).then_some((value - 3.0, value, value + 4.0))
        });
        chart.lines.push(Line {
            label: name.into(),
            curve,
        });
    }
    chart.thresholds = vec![
        Threshold {
            label: "CPU".into(),
            value: 85.0,
        },
        Threshold {
            label: "disk".into(),
            value: 60.0,
        },
    ];
    chart
}

fn network() -> Chart {
    let mut rng = Rng::new(4);
    let mut chart = chart("Network of eth0", HOUR * 6, Unit::BytesPerSecond);
    chart.zone = Zone::named("Asia/Kolkata").expect("a zone");
    for (name, level) in [("received", 9e5), ("sent", 1.2e5)] {
        let curve = curve(&chart, Duration::from_secs(60), |t| {
            let burst = if (t * 40.0) as u64 % 7 == 0 { 3.0 } else { 1.0 };
            let value: f64 = level * burst * (0.6 + 0.4 * noise(&mut rng).abs());
            Some((value * 0.2, value, value * 1.9))
        });
        chart.lines.push(Line {
            label: name.into(),
            curve,
        });
    }
    chart
}

fn nothing() -> Chart {
    let mut chart = chart("Power of charlie", HOUR, Unit::Watts);
    let curve = curve(&chart, Duration::from_secs(2), |_| None);
    chart.lines.push(Line {
        label: "charlie".into(),
        curve,
    });
    chart
}

fn constant() -> Chart {
    let mut chart = chart("Memory", Duration::from_secs(600), Unit::Percent);
    chart.size = (480, 300);
    let curve = curve(&chart, Duration::from_secs(2), |t| {
        (t > 0.5).then_some((63.0, 63.0, 63.0))
    });
    chart.lines.push(Line {
        label: "memory".into(),
        curve,
    });
    chart.thresholds.push(Threshold {
        label: "threshold".into(),
        value: 80.0,
    });
    chart
}

/// Every letter, in names that are too long for a legend but here.
fn letters() -> Chart {
    let all: String = (' '..='~').collect();
    let mut chart = chart(&all[33..59], HOUR, Unit::Count);
    for text in [
        &all[..33],
        &all[33..64],
        &all[64..],
        "äöüßÄÖÜ éèêñçåøÅØæ °µ≥≤±×–—·…→ Привет 漢",
    ] {
        chart.note = text.to_owned();
        chart.lines.push(Line {
            label: text.to_owned(),
            ..Line::default()
        });
    }
    chart.lines.truncate(3);
    chart.size = (1100, 480);
    chart
}

fn chart(title: &str, span: Duration, unit: Unit) -> Chart {
    let zone = Zone::named("Europe/Berlin").expect("a zone");
    Chart::new(title.to_owned(), unit, NOW.minus(span), NOW, zone)
}

/// A curve over the whole chart; `value` gives smallest, mean and highest at a share of it.
fn curve(
    chart: &Chart,
    step: Duration,
    mut value: impl FnMut(f64) -> Option<(f64, f64, f64)>,
) -> Curve {
    let count = chart.until.since(chart.from).as_millis() / step.as_millis();
    let points = (0..count).map(|index| {
        let (min, avg, max) = value(index as f64 / count as f64)?;
        Some(Span {
            min: min as f32,
            avg: avg as f32,
            max: max as f32,
        })
    });
    Curve {
        unit: chart.unit,
        start: chart.from,
        step,
        points: points.collect(),
        ..Curve::default()
    }
}

/// Between −1 and 1, mostly near 0.
fn noise(rng: &mut Rng) -> f64 {
    let mut one = || rng.below(2001) as f64 / 1000.0 - 1.0;
    (one() + one() + one()) / 3.0
}

/// Size and colours, by a decoder that others wrote.
fn decode(png: &[u8]) -> ((u16, u16), Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a PNG file");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    pixels.truncate(info.buffer_size());
    ((info.width as u16, info.height as u16), pixels)
}
