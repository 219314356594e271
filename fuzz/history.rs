//! Files of the long history with damage: as they are, and with the checksums made right around them.

use super::crc32;
use rackwarden_core::effect::Ticket;
use rackwarden_core::history::{
    Append, Archive, Cell, File, History, MemoryStorage, Op, Outcome, Query, Recall, Series, Span,
    Unit,
};
use rackwarden_core::time::{Mono, Now, Wall};
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-20 20:00 UTC.
const NOW: Wall = Wall(1_795_204_800_000);
/// The generation that the seeds are about.
const ID: u32 = 29_920_080;

/// Reads, writes and reads again whatever stands in the files.
pub fn history(data: &[u8]) {
    let sealed = |magic: &[u8]| {
        let body = [magic, data].concat();
        [body.as_slice(), &crc32(&body).to_le_bytes()].concat()
    };
    for (is_sealed, index) in [(false, data.to_vec()), (true, sealed(b"RWHIST1\n"))] {
        let mut storage = MemoryStorage::default();
        storage.overwrite(File::Index, &index);
        let records = [b"RWHREC1\n".as_slice(), &ID.to_le_bytes(), data].concat();
        storage.overwrite(File::Minutes(ID), &records);
        storage.overwrite(File::Quarters(ID), data);
        let mut archive = Archive::new(storage);
        for series in ["power.total", "power."] {
            recall(&mut archive, series);
        }
        if is_sealed {
            archive.handle(Op::Append(append()));
            assert!(
                recall(&mut archive, "power.total"),
                "what was just written is there"
            );
        }
    }
    let now = Now {
        mono: Mono::ZERO,
        wall: NOW,
    };
    for hour in [data.to_vec(), sealed(b"RWHOUR1\n")] {
        let mut history = History::new(now, true);
        let _ = history.open("power.total", Unit::Watts, Duration::from_secs(2));
        history.handle_hour(now, &hour);
    }
}

fn append() -> Append {
    let span = Span {
        min: 1.0,
        avg: 2.0,
        max: 3.0,
    };
    let minute = (NOW.0 / 60_000) as u32;
    let series = Series {
        name: "power.total".into(),
        unit: Unit::Watts,
    };
    Append {
        series: Arc::new(vec![series]),
        minutes: vec![minute - 2, minute - 1],
        cells: vec![Cell { span, share: 30 }; 2],
        now: minute,
    }
}

/// True when there is a value.
fn recall(archive: &mut Archive<MemoryStorage>, series: &str) -> bool {
    let query = Query {
        series: vec![series.into()],
        from: Wall(NOW.0 - 3_600_000),
        to: NOW,
        points: 60,
    };
    let recall = Recall::new(Ticket(1), &query, NOW);
    let Some(Outcome::Recalled { result, .. }) = archive.handle(Op::Recall(Box::new(recall)))
    else {
        panic!("a question without an answer");
    };
    let curves = result.expect("memory can be read");
    curves
        .iter()
        .any(|curve| curve.points.iter().any(Option::is_some))
}

/// An index of two generations, records, an hour.
pub fn history_seeds() -> Vec<Vec<u8>> {
    let mut archive = Archive::new(MemoryStorage::default());
    archive.handle(Op::Append(append()));
    let storage = archive.storage();
    let mut index = storage.whole(File::Index).unwrap_or_default();
    index.truncate(index.len().saturating_sub(4));
    let column = [0, 0, 0, 0, 0, 0, 11, 0];
    let hour = [
        &NOW.0.to_le_bytes()[..],
        &2u32.to_le_bytes(),
        &[0, 11, 0],
        b"power.total",
        &[0; 8],
    ];
    vec![
        index.split_off(8.min(index.len())),
        [
            &ID.to_le_bytes()[..],
            &[8, 0, 0, 0, 0, 0, 0, 1, 0],
            &column,
            b"power.total",
        ]
        .concat(),
        hour.concat(),
        vec![0; 176],
        Vec::new(),
    ]
}
