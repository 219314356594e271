use super::*;
use crate::history::{Archive, MemoryStorage, Op, Outcome, Recall, Span};
use rackwarden_base::Ticket;

const EVERY: Duration = Duration::from_secs(2);
/// 2026-11-20 20:00:00 UTC.
const BEGIN: i64 = 1_795_204_800_000;

fn at(seconds: u64) -> Now {
    let since_start = Duration::from_secs(seconds);
    Now {
        mono: Mono::new(since_start),
        wall: Wall(BEGIN).plus(since_start),
    }
}

/// Notes `value(second)` every two seconds from `from` on.
fn note(history: &mut History, id: SeriesId, from: u64, to: u64, value: impl Fn(u64) -> f64) {
    for second in (from..to).step_by(2) {
        history.advance(at(second));
        history.note(id, value(second));
    }
    history.advance(at(to));
}

fn ask(history: &History, now: Now, name: &str, seconds: u64, points: u32) -> Vec<Curve> {
    let query = Query {
        series: vec![name.into()],
        from: now.wall.minus(Duration::from_secs(seconds)),
        to: now.wall,
        points,
    };
    history.recall(now, &query)
}

fn averages(curve: &Curve) -> Vec<Option<f32>> {
    let avg = |point: &Option<Span>| point.map(|span| span.avg);
    curve.points.iter().map(avg).collect()
}

#[test]
fn every_value_of_the_last_hour_is_there_and_nothing_older() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    note(&mut history, id, 0, 8000, |second| second as f64);
    let curves = ask(&history, at(8000), "a", 3600, 1800);
    assert_eq!(curves[0].step, EVERY);
    assert_eq!(curves[0].start, at(4400).wall);
    let want: Vec<Option<f32>> = (4400..8000).step_by(2).map(|n| Some(n as f32)).collect();
    assert_eq!(averages(&curves[0]), want);
    let older = ask(&history, at(8000), "a", 7200, 3600);
    assert_eq!(averages(&older[0])[..1800], [None; 1800]);
    let coarse = &ask(&history, at(8000), "a", 3600, 60)[0];
    let last = coarse.points.last().copied().flatten().expect("known");
    assert_eq!((last.min, last.avg, last.max), (7940.0, 7969.0, 7998.0));
}

#[test]
fn a_curve_says_since_when_and_for_how_long_it_was_measured() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    let curve = |history: &History, now| ask(history, at(now), "a", 3600, 1).remove(0);
    let unknown = curve(&history, 100);
    assert_eq!((unknown.measured, unknown.begins), (Duration::ZERO, None));
    note(&mut history, id, 200, 300, |_| 500.0);
    note(&mut history, id, 400, 600, |_| 1000.0);
    let curve = curve(&history, 600);
    assert_eq!(curve.begins, Some(at(200).wall));
    // The last value before the gap stands for one slot more.
    assert_eq!(curve.measured, Duration::from_secs(100 + 2 + 200));
    assert_eq!(curve.points[0].map(|point| point.max), Some(1000.0));
}

#[test]
fn who_still_reads_what_was_sees_no_later_values() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    note(&mut history, id, 0, 3600, |_| 1.0);
    let query = Query {
        series: vec!["a".into()],
        from: at(0).wall,
        to: at(3600).wall,
        points: 1800,
    };
    let grid = Grid::new(query.from, query.to, query.points, SLOT_MS as i64);
    let memory = history.memory(at(3600), &query, 0, grid);
    note(&mut history, id, 3600, 7200, |_| 2.0);
    assert_eq!(averages(&memory.curves(grid)[0]), [Some(1.0); 1800]);
    assert_eq!(
        averages(&ask(&history, at(7200), "a", 3600, 1800)[0]),
        [Some(2.0); 1800]
    );
}

#[test]
fn a_lost_reading_is_bridged_and_silence_is_a_gap() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    for second in [0, 4, 12] {
        history.advance(at(second));
        history.note(id, second as f64);
    }
    history.advance(at(14));
    let curve = &ask(&history, at(14), "a", 14, 7)[0];
    let want = [
        Some(0.0),
        Some(0.0),
        Some(4.0),
        Some(4.0),
        None,
        None,
        Some(12.0),
    ];
    assert_eq!(averages(curve), want);
}

#[test]
fn a_slow_rate_leaves_no_gaps() {
    let mut history = History::new(at(0), false);
    let every = Duration::from_secs(30);
    let id = history.open("a", Unit::Watts, every).expect("room");
    for second in (0..=300).step_by(30) {
        history.advance(at(second));
        history.note(id, second as f64);
    }
    let curve = &ask(&history, at(300), "a", 300, 150)[0];
    assert_eq!(averages(curve)[14..16], [Some(0.0), Some(30.0)]);
    assert!(curve.points.iter().all(Option::is_some));
}

#[test]
fn several_values_in_two_seconds_count_as_their_mean() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    history.note(id, 100.0);
    history.note(id, 200.0);
    history.note(id, f64::NAN);
    history.advance(at(2));
    assert_eq!(averages(&ask(&history, at(2), "a", 2, 1)[0]), [Some(150.0)]);
}

#[test]
fn row_33_a_sleep_is_a_gap_and_not_a_flat_line() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    note(&mut history, id, 0, 60, |_| 7.0);
    note(&mut history, id, 660, 720, |_| 8.0);
    let values = averages(&ask(&history, at(720), "a", 720, 360)[0]);
    assert_eq!((values[29], values[330]), (Some(7.0), Some(8.0)));
    assert!(values[31..330].iter().all(Option::is_none), "{values:?}");
    // A sleep of days leaves nothing from before it.
    note(&mut history, id, 600_000, 600_060, |_| 9.0);
    let values = averages(&ask(&history, at(600_060), "a", 3600, 1800)[0]);
    assert_eq!(values.iter().flatten().count(), 30, "{values:?}");
}

#[test]
fn row_32_a_step_of_the_clock_moves_the_hour_as_a_whole() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    note(&mut history, id, 0, 600, |second| second as f64);
    for step_ms in [-3_600_000, 86_400_000, -1_795_200_000_000] {
        let mut now = at(600);
        now.wall.0 += step_ms;
        let curve = &ask(&history, now, "a", 600, 300)[0];
        let want: Vec<Option<f32>> = (0..600).step_by(2).map(|n| Some(n as f32)).collect();
        assert_eq!(averages(curve), want, "{step_ms}");
    }
}

#[test]
fn a_series_that_ended_is_there_for_an_hour_and_its_place_is_used_again() {
    let mut history = History::new(at(0), false);
    let old = history.open("old", Unit::Watts, EVERY).expect("room");
    let other = history.open("other", Unit::Watts, EVERY).expect("room");
    note(&mut history, old, 0, 60, |_| 1.0);
    history.close(old);
    note(&mut history, other, 60, 600, |_| 2.0);
    assert_eq!(history.sparks().len(), 1);
    let values = averages(&ask(&history, at(600), "old", 600, 300)[0]);
    assert_eq!(values.iter().flatten().count(), 30);
    // It comes back: the same series goes on.
    assert_eq!(history.open("old", Unit::Watts, EVERY), Some(old));
    history.close(old);
    note(&mut history, other, 600, 4300, |_| 2.0);
    assert!(ask(&history, at(4300), "old", 600, 10).is_empty());
    let new = history.open("new", Unit::Watts, EVERY).expect("room");
    assert_eq!(new.place, old.place);
    // Who still holds the old name changes nothing.
    history.note(old, 99.0);
    history.advance(at(4302));
    assert_eq!(averages(&ask(&history, at(4302), "new", 2, 1)[0]), [None]);
}

#[test]
fn a_name_that_ends_in_a_slash_stands_for_all_that_begin_with_it() {
    let mut history = History::new(at(0), false);
    for name in [
        "power.total",
        "power.pdu/bravo",
        "power.pdu/alpha",
        "power.pdux",
    ] {
        history.open(name, Unit::Watts, EVERY).expect("room");
    }
    let names = |query: &str| -> Vec<String> {
        let curves = ask(&history, at(10), query, 10, 5);
        curves.iter().map(|curve| curve.name.to_string()).collect()
    };
    assert_eq!(names("power.pdu/"), ["power.pdu/alpha", "power.pdu/bravo"]);
    assert_eq!(names("power.total"), ["power.total"]);
    assert!(names("power").is_empty());
}

#[test]
fn a_stop_while_a_write_is_under_way_counts_nothing_twice() {
    let mut history = History::new(at(0), true);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    note(&mut history, id, 0, 300, |_| 1.0);
    let mut ops = history.handle_timeout(at(300));
    note(&mut history, id, 300, 320, |_| 1.0);
    ops.extend(history.stop(at(320)));
    let mut archive = Archive::new(MemoryStorage::default());
    for op in ops {
        archive.handle(op);
    }
    let query = Query {
        series: vec!["a".into()],
        from: at(0).wall,
        to: at(360).wall,
        points: 1,
    };
    let recall = Recall::new(Ticket(1), &query, query.to);
    let Some(Outcome::Recalled { result, .. }) = archive.handle(Op::Recall(recall.into())) else {
        panic!("a question without an answer");
    };
    let measured = result.expect("memory can be read")[0].measured;
    assert_eq!(measured, Duration::from_secs(322));
}

#[test]
fn sparklines_show_ten_minutes() {
    let mut history = History::new(at(0), false);
    let id = history.open("a", Unit::Watts, EVERY).expect("room");
    note(&mut history, id, 0, 20, |second| second as f64);
    let sparks = history.sparks();
    assert_eq!(sparks[0].values, [1.0, 5.0, 9.0, 13.0, 17.0]);
    let revision = history.revision();
    note(&mut history, id, 20, 1000, |second| second as f64);
    assert!(history.revision() > revision);
    let sparks = history.sparks();
    assert_eq!((sparks[0].values.len(), sparks[0].values[0]), (150, 401.0));
    // Step by step it comes to the same.
    let other = history.open("b", Unit::Watts, EVERY).expect("room");
    for second in (1000..2000).step_by(2) {
        note(&mut history, id, second, second + 2, |second| second as f64);
        history.note(other, 7.0);
        let sparks = Arc::clone(&history.sparks());
        if second % 5 == 0 {
            continue;
        }
        history.sparks = None;
        let anew = history.sparks();
        for (one, other) in sparks.iter().zip(anew.iter()) {
            let bits = |values: &[f32]| values.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&one.values), bits(&other.values), "{second}");
        }
    }
}

#[test]
fn there_is_an_end_to_series() {
    let mut history = History::new(at(0), false);
    let opened = (0..2000)
        .filter(|n| {
            history
                .open(&format!("host.x/{n}"), Unit::Count, EVERY)
                .is_some()
        })
        .count();
    assert_eq!(opened, MOST_OTHERS);
    assert!(history.open("power.pdu/a", Unit::Watts, EVERY).is_some());
}
