use super::super::bins::Grid;
use super::super::storage::MemoryStorage;
use super::super::{Curve, Memory, Unit};
use super::*;
use crate::journal::{Broken, Trouble};
use crate::rng::Rng;
use crate::time::Wall;
use rackwarden_base::Ticket;

/// 2026-11-20 20:00 UTC, which begins a quarter.
const BEGIN: u32 = 1_795_204_800 / 60;

fn series(names: &[&str]) -> Arc<Vec<Series>> {
    let one = |name: &&str| Series {
        name: (*name).into(),
        unit: Unit::Watts,
    };
    Arc::new(names.iter().map(one).collect())
}

fn cell(value: f32) -> Cell {
    Cell {
        span: Span {
            min: value - 1.0,
            avg: value,
            max: value + 1.0,
        },
        share: 30,
    }
}

/// Minutes from `first` on, each with the same value for every series plus its place.
fn append(series: &Arc<Vec<Series>>, first: u32, count: u32, value: f32) -> Append {
    let row = || (0..series.len()).map(|place| cell(value + place as f32));
    Append {
        series: Arc::clone(series),
        minutes: (first..first + count).collect(),
        cells: (0..count).flat_map(|_| row()).collect(),
        now: first + count,
    }
}

fn ask(
    archive: &mut Archive<MemoryStorage>,
    name: &str,
    level: Level,
    from: u32,
    until: u32,
) -> Vec<Curve> {
    let ms = |minute: u32| i64::from(minute) * 60_000;
    let grid = Grid::new(Wall(ms(from)), Wall(ms(until)), 4000, level.ms());
    let recall = Recall {
        ticket: Ticket(1),
        series: vec![name.into()],
        level,
        grid,
        from_ms: ms(from),
        until_ms: ms(until),
        memory: Memory::default(),
        found: Vec::new(),
    };
    match archive.handle(Op::Recall(Box::new(recall))) {
        Some(Outcome::Recalled { result, .. }) => result.expect("read"),
        other => panic!("{other:?}"),
    }
}

/// The means of the minutes from `from` on.
fn minutes(
    archive: &mut Archive<MemoryStorage>,
    name: &str,
    from: u32,
    until: u32,
) -> Vec<Option<f32>> {
    let curves = ask(archive, name, Level::Minutes, from, until);
    let points = curves.first().map(|curve| curve.points.clone());
    let mut points = points.unwrap_or_default();
    points.resize((until - from) as usize, None);
    points
        .iter()
        .map(|point| point.map(|span| span.avg))
        .collect()
}

fn archive() -> Archive<MemoryStorage> {
    Archive::new(MemoryStorage::default())
}

fn again(archive: Archive<MemoryStorage>) -> Archive<MemoryStorage> {
    Archive::new(archive.into_storage())
}

#[test]
fn what_is_written_is_read_after_a_restart_and_what_is_not_is_a_gap() {
    let mut archive = archive();
    let both = series(&["a", "b"]);
    archive
        .append(&append(&both, BEGIN, 5, 100.0))
        .expect("write");
    archive
        .append(&append(&both, BEGIN + 8, 2, 200.0))
        .expect("write");
    let mut archive = again(archive);
    let mut want = vec![Some(101.0); 5];
    want.extend([None; 3]);
    want.extend([Some(201.0); 2]);
    assert_eq!(minutes(&mut archive, "b", BEGIN, BEGIN + 10), want);
    assert!(
        minutes(&mut archive, "c", BEGIN, BEGIN + 10)
            .iter()
            .all(Option::is_none)
    );
}

#[test]
fn a_week_is_kept_in_minutes_and_a_year_in_quarters() {
    let mut archive = archive();
    let one = series(&["a"]);
    let days = 400;
    for hour in 0..days * 24 {
        let mut write = append(&one, BEGIN + hour * 60, 60, 0.0);
        for (at, place) in (0..).zip(&mut write.cells) {
            *place = cell(((hour * 4 + at / 15) % 1000) as f32);
        }
        archive.append(&write).expect("write");
    }
    let end = BEGIN + days * DAY;
    for day in 1..=8 {
        let from = end - day * DAY;
        let values = minutes(&mut archive, "a", from, from + DAY);
        let count = values.iter().flatten().count();
        assert_eq!(count as u32, if day <= 7 { DAY } else { 0 }, "{day}");
    }
    let year = &ask(&mut archive, "a", Level::Quarters, end - 380 * DAY, end)[0];
    assert_eq!(year.step.as_secs(), 10 * 15 * 60);
    assert_eq!(year.points.iter().flatten().count(), 365 * 96 / 10);
    let quarters = &ask(&mut archive, "a", Level::Quarters, end - 30 * DAY, end)[0];
    for (back, point) in (1..).zip(quarters.points.iter().rev()) {
        let value = ((days * 96 - back) % 1000) as f32;
        assert_eq!(*point, Some(cell(value).span), "{back}");
    }
    // The files have stopped growing.
    let size = archive.storage().size();
    archive.append(&append(&one, end, 15, 1.0)).expect("write");
    assert_eq!(archive.storage().size(), size);
}

#[test]
fn parts_of_a_minute_become_one_minute() {
    let mut archive = archive();
    let one = series(&["a"]);
    let mut first = append(&one, BEGIN, 1, 100.0);
    first.cells[0].share = 10;
    archive.append(&first).expect("write");
    let mut archive = again(archive);
    let mut second = append(&one, BEGIN, 1, 400.0);
    second.cells[0].share = 20;
    archive.append(&second).expect("write");
    let curve = &ask(&mut archive, "a", Level::Minutes, BEGIN, BEGIN + 1)[0];
    let want = Span {
        min: 99.0,
        avg: 300.0,
        max: 401.0,
    };
    assert_eq!(curve.points, [Some(want)]);
}

#[test]
fn a_quarter_is_made_of_its_minutes_whatever_came_between() {
    let mut archive = archive();
    let one = series(&["a"]);
    archive
        .append(&append(&one, BEGIN, 5, 10.0))
        .expect("write");
    // Killed, and started again after the quarter was over.
    let mut archive = again(archive);
    archive
        .append(&append(&one, BEGIN + 20, 5, 40.0))
        .expect("write");
    let read = |archive: &mut Archive<MemoryStorage>, until| {
        let curves = ask(archive, "a", Level::Quarters, BEGIN, until);
        let points = curves[0].points.iter();
        points
            .map(|point| point.map(|span| span.avg))
            .collect::<Vec<_>>()
    };
    // The second is not over: its minutes answer.
    assert_eq!(read(&mut archive, BEGIN + 25), [Some(10.0), Some(40.0)]);
    let id = archive.present().expect("generation").0;
    let columns = archive.columns(id).expect("columns");
    let quarter = BEGIN / QUARTER;
    let is_there = |archive: &mut Archive<MemoryStorage>, quarter| {
        archive.has_number(Level::Quarters, id, columns, quarter)
    };
    assert!(is_there(&mut archive, quarter), "found at the start");
    assert!(!is_there(&mut archive, quarter + 1));
    archive
        .append(&append(&one, BEGIN + 25, 10, 70.0))
        .expect("write");
    assert!(is_there(&mut archive, quarter + 1));
    assert_eq!(
        read(&mut archive, BEGIN + 35),
        [Some(10.0), Some(55.0), Some(70.0)]
    );
}

#[test]
fn a_series_that_comes_or_goes_leaves_the_others_alone() {
    let mut archive = archive();
    let names: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    let of = |count: usize| {
        let names: Vec<&str> = names[..count].iter().map(String::as_str).collect();
        series(&names)
    };
    // A wider generation begins more than once.
    for (step, count) in [2, 6, 5, 30, 29, 40, 3].into_iter().enumerate() {
        let first = BEGIN + step as u32 * 5;
        archive
            .append(&append(&of(count), first, 5, 1000.0))
            .expect("write");
        archive = again(archive);
    }
    assert!(archive.open().is_ok());
    assert_eq!(
        archive.index.as_ref().map(|index| index.generations.len()),
        Some(2)
    );
    for (place, name) in names.iter().enumerate() {
        let values = minutes(&mut archive, name, BEGIN, BEGIN + 35);
        for (step, count) in [2, 6, 5, 30, 29, 40, 3].into_iter().enumerate() {
            let want = (place < count).then_some(1000.0 + place as f32);
            assert_eq!(values[step * 5..][..5], [want; 5], "{name} {step}");
        }
    }
    // A quarter that two generations share has both.
    let curve = &ask(&mut archive, "s0", Level::Quarters, BEGIN, BEGIN + 30)[0];
    assert!(
        curve
            .points
            .iter()
            .all(|point| *point == Some(cell(1000.0).span))
    );
}

#[test]
fn row_32_a_clock_that_steps_back_destroys_nothing() {
    let mut archive = archive();
    let one = series(&["a"]);
    archive
        .append(&append(&one, BEGIN, 60, 100.0))
        .expect("write");
    let before = minutes(&mut archive, "a", BEGIN - 60, BEGIN + 60);
    // It steps back by an hour, and the hour is lived through again.
    for minute in 0..60 {
        archive
            .append(&append(&one, BEGIN + minute, 1, 500.0))
            .expect("write");
        archive = again(archive);
    }
    let after = &ask(&mut archive, "a", Level::Minutes, BEGIN, BEGIN + 60)[0];
    for point in &after.points {
        let point = point.expect("measured");
        assert_eq!((point.min, point.avg, point.max), (99.0, 300.0, 501.0));
    }
    assert!(before[..60].iter().all(Option::is_none));
}

/// A small life: minutes in which anything may go wrong. What was acknowledged must be there afterwards, and nothing else.
#[test]
fn row_22_every_operation_fails_in_turn_and_nothing_acknowledged_is_lost() {
    let troubles = [
        Trouble::Fails,
        Trouble::FailsHalfway,
        Trouble::PowerCut,
        Trouble::PowerCutHalfway,
    ];
    let names: Vec<String> = (0..12).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut tried = 0;
    for trouble in troubles {
        for operation in 0.. {
            let mut storage = MemoryStorage::default();
            storage.trouble_at(operation, trouble);
            let mut archive = Archive::new(storage);
            let mut acknowledged = Vec::new();
            let mut waiting = 0;
            for step in 0..12_u32 {
                // The third and later ones need a wider generation.
                let series = series(&names[..if step < 3 { 2 } else { 12 }]);
                let first = BEGIN + 5 * (step - waiting);
                let write = append(&series, first, 5 * (waiting + 1), 100.0);
                match archive.append(&write) {
                    Ok(()) => {
                        acknowledged.extend(write.minutes.iter().map(|at| (*at, series.len())));
                        waiting = 0;
                    }
                    Err(_) => waiting += 1,
                }
                if matches!(trouble, Trouble::PowerCut | Trouble::PowerCutHalfway) && waiting == 1 {
                    archive.storage().power_cut_torn(&mut Rng::new(operation));
                    archive = again(archive);
                    waiting = 0;
                }
            }
            let has_happened = archive.storage().operations() > operation;
            let mut archive = again(archive);
            for (place, name) in names.iter().enumerate() {
                let values = minutes(&mut archive, name, BEGIN, BEGIN + 60);
                for (minute, value) in (BEGIN..).zip(&values) {
                    let is_due = acknowledged
                        .iter()
                        .any(|(at, count)| *at == minute && place < *count);
                    let want = 100.0 + place as f32;
                    assert!(
                        *value == Some(want) || (value.is_none() && !is_due),
                        "{trouble:?} {operation}: {name} at {}: {value:?}",
                        minute - BEGIN
                    );
                }
            }
            // Weights as well: nothing was counted twice.
            let curve = &ask(&mut archive, "s1", Level::Quarters, BEGIN, BEGIN + 60)[0];
            assert!(
                curve
                    .points
                    .iter()
                    .flatten()
                    .all(|span| *span == cell(101.0).span)
            );
            tried += 1;
            if !has_happened {
                break;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_minute_that_is_written_again_after_a_failure_counts_once() {
    let mut archive = archive();
    let one = series(&["a"]);
    let mut part = append(&one, BEGIN, 1, 100.0);
    part.cells[0].share = 10;
    archive.append(&part).expect("write");
    let mut rest = append(&one, BEGIN, 2, 400.0);
    rest.cells[0].share = 20;
    for broken in [Broken::Sync, Broken::Full, Broken::Sync] {
        archive.storage().set_broken(Some(broken));
        archive.append(&rest).expect_err("broken");
    }
    archive.storage().set_broken(None);
    archive.append(&rest).expect("write");
    assert_eq!(
        minutes(&mut archive, "a", BEGIN, BEGIN + 2),
        [Some(300.0), Some(400.0)]
    );
}

#[test]
fn row_23_bad_files_are_kept_beside_and_the_rest_goes_on() {
    let one = series(&["a"]);
    for file in [0, 1, 2] {
        for bytes in [
            &b"x"[..],
            &[0x5a; 5000],
            b"RWHIST0\nxxxxxxx",
            b"RWHREC2\nxxxxxxxx",
            &[0; 100],
        ] {
            let mut archive = archive();
            archive
                .append(&append(&one, BEGIN, 20, 1.0))
                .expect("write");
            let id = archive.present().expect("generation").0;
            let bad = [File::Index, File::Minutes(id), File::Quarters(id)][file];
            archive.storage().overwrite(bad, bytes);
            let mut archive = again(archive);
            let event = archive.handle(Op::Append(append(&one, BEGIN + 20, 20, 2.0)));
            let Some(Outcome::Archived {
                result: Ok(()),
                repairs,
            }) = event
            else {
                panic!("{event:?}");
            };
            assert!(!repairs.is_empty(), "{bad:?} {bytes:?}");
            let values = minutes(&mut archive, "a", BEGIN, BEGIN + 40);
            assert_eq!(values[20..], [Some(2.0); 20], "{bad:?}");
            let event = again(archive).handle(Op::Append(append(&one, BEGIN + 40, 5, 3.0)));
            assert!(
                matches!(event, Some(Outcome::Archived { result: Ok(()), repairs }) if repairs.is_empty())
            );
        }
    }
}

/// Whatever stands in the files: no panic, no number that was never written, and writing goes on.
#[test]
fn rubbish_in_the_files_is_a_gap() {
    let mut rng = Rng::new(11);
    for _ in 0..300 {
        let both = series(&["a", "b"]);
        let mut archive = archive();
        archive
            .append(&append(&both, BEGIN, 60, 7.0))
            .expect("write");
        let id = archive.present().expect("generation").0;
        for _ in 0..1 + rng.below(20) {
            let file = [File::Minutes(id), File::Quarters(id)][rng.below(2) as usize];
            let length = 1 + rng.below(600) as usize;
            let rubbish: Vec<u8> = (0..length).map(|_| rng.below(256) as u8).collect();
            let column = archive.columns(id).expect("columns");
            let near = offset(Level::Minutes, column, BEGIN) as usize;
            let at = 12 + (near + rng.below(6000) as usize) * rng.below(2) as usize;
            archive.storage().scribble(file, at, &rubbish);
        }
        let mut archive = again(archive);
        for level in [Level::Minutes, Level::Quarters] {
            for curve in ask(&mut archive, "a", level, BEGIN - 100, BEGIN + 100) {
                assert!(
                    curve
                        .points
                        .iter()
                        .flatten()
                        .all(|span| *span == cell(7.0).span)
                );
            }
        }
        archive
            .append(&append(&both, BEGIN + 60, 5, 9.0))
            .expect("write");
        assert_eq!(
            minutes(&mut archive, "b", BEGIN + 60, BEGIN + 65),
            [Some(10.0); 5]
        );
    }
}

#[test]
#[expect(
    clippy::disallowed_macros,
    reason = "the numbers are for docs/history.md"
)]
fn a_year_of_two_hundred_series_takes_less_than_120_mb_and_a_day_less_than_20() {
    let names: Vec<String> = (0..200).map(|n| format!("power.pdu/rack-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let series = series(&names);
    let mut archive = archive();
    archive
        .append(&append(&series, BEGIN, 5, 1.0))
        .expect("write");
    let before = archive.storage().written();
    for step in 1..=288 {
        // As the agent writes: the minute under way is in two of them.
        archive
            .append(&append(&series, BEGIN + step * 5 - 1, 6, 1.0))
            .expect("write");
    }
    let written = archive.storage().written();
    let bytes = written.block_bytes - before.block_bytes;
    let syncs = written.syncs - before.syncs;
    let day = bytes + syncs * (12 << 10);
    let (_, columns) = archive.present().expect("generation");
    let records = Level::Minutes.records() + Level::Quarters.records();
    let year = u64::from(records) * record_bytes(columns) as u64;
    println!(
        "200 series: {day} bytes a day ({bytes} in whole blocks, {syncs} syncs), {year} bytes for a year"
    );
    assert!(
        day < 20_000_000,
        "{day} bytes a day: {bytes} in {syncs} syncs"
    );
    assert!(year < 120_000_000, "{year} bytes a year");
}
