//! Temperature sensors: which there are is found out when they came or went, their files stay open. A processor's are
//! read at once, those behind a bus by `slow`.

use super::kept::{Kept, Root};
use super::slow::{Answer, Known, Slow};
use rackwarden_core::host::Temperature;
use rackwarden_core::host::sensors::{self, Files, Sensor};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often one behind a bus is read, or a little later, with a sample.
const ASK_EVERY: Duration = Duration::from_millis(9_500);
/// For so long at least, one that vanished is told as not readable.
const MISSED_FOR: Duration = Duration::from_secs(25);

#[derive(Default)]
pub(super) struct Sensed {
    list: Vec<Watched>,
    /// Of the classes in which sensors stand.
    signature: Option<u64>,
    /// One that could be read is not there any more.
    has_lost: bool,
}

struct Watched {
    /// As it was told last.
    told: Temperature,
    source: Source,
    /// It could be read since it was found.
    was_readable: bool,
}

enum Source {
    Own(Gauge),
    Apart(u64),
    Gone(Instant),
}

impl Sensed {
    /// Something is to be looked for before the usual time.
    pub(super) fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// Looks for sensors, if any came or went. Each keeps its name as long as it is known; one that went is kept for a
    /// while, without a value.
    pub(super) fn scan(&mut self, root: &Root, slow: &mut Slow) -> bool {
        self.list.retain(|watched| match watched.source {
            Source::Gone(since) => since.elapsed() < MISSED_FOR,
            _ => true,
        });
        let signature = Some(signature(root));
        if self.signature == signature && !self.has_lost {
            return false;
        }
        self.signature = signature;
        self.has_lost = false;
        let found = sensors::sensors(root);
        let named = |watched: &Watched| {
            (
                Arc::clone(&watched.told.key),
                Arc::clone(&watched.told.name),
            )
        };
        let known: Vec<(Arc<str>, Arc<str>)> = self.list.iter().map(named).collect();
        let names = sensors::unique_names(&found, &known);
        let before = std::mem::take(&mut self.list);
        for mut watched in before {
            if let Source::Apart(question) = watched.source {
                slow.remove(question);
            }
            if !found.iter().any(|sensor| *sensor.key == *watched.told.key) {
                watched.told.celsius = None;
                if !matches!(watched.source, Source::Gone(_)) {
                    watched.source = Source::Gone(Instant::now());
                }
                self.list.push(watched);
            }
        }
        for (sensor, name) in found.into_iter().zip(names) {
            self.list.push(Watched::new(root, slow, sensor, name));
        }
        rackwarden_base::small::sort_by_key(&mut self.list, |watched| {
            Arc::clone(&watched.told.key)
        });
        true
    }

    /// What is known of each.
    pub(super) fn tell(&mut self, slow: &Slow) -> Vec<Temperature> {
        for watched in &mut self.list {
            let answer = match &mut watched.source {
                Source::Own(gauge) => gauge.read(),
                Source::Apart(question) => match slow.known(*question) {
                    Known::Answer(Some(answer)) => answer,
                    _ => Answer::Celsius(None),
                },
                Source::Gone(_) => Answer::Celsius(None),
            };
            watched.told.celsius = match answer {
                Answer::Celsius(celsius) => celsius,
                _ => None,
            };
            self.has_lost |= answer == Answer::Gone && watched.was_readable;
            watched.was_readable |= watched.told.celsius.is_some();
        }
        self.list
            .iter()
            .map(|watched| watched.told.clone())
            .collect()
    }
}

/// Reads a sensor. Its file stays open, so that another device of the same path is not taken for this one.
struct Gauge {
    sensor: Sensor,
    file: Kept,
    fault: Option<Kept>,
}

impl Watched {
    fn new(root: &Root, slow: &mut Slow, sensor: Sensor, name: Arc<str>) -> Watched {
        let told = Temperature {
            key: sensor.key.as_str().into(),
            name,
            kind: sensor.kind,
            is_main: sensor.is_main,
            celsius: None,
            critical_celsius: sensor.critical_celsius,
        };
        let may_hang = sensor.may_hang();
        let mut gauge = Gauge {
            file: root.keep(&sensor.path),
            fault: sensor.fault.as_ref().map(|path| root.keep(path)),
            sensor,
        };
        let source = match may_hang {
            true => Source::Apart(slow.add(ASK_EVERY, Box::new(move || gauge.read()))),
            false => Source::Own(gauge),
        };
        Watched {
            told,
            source,
            was_readable: false,
        }
    }
}

impl Gauge {
    fn read(&mut self) -> Answer {
        let mut text = [0; 24];
        let is_faulty = self.fault.as_mut().and_then(Kept::read_flag) == Some(true);
        match self.file.read(&mut text) {
            Ok(_) if self.file.is_deleted() => Answer::Gone,
            Ok(text) => Answer::Celsius(self.sensor.celsius(text).filter(|_| !is_faulty)),
            Err(err) if is_gone(&err) => Answer::Gone,
            Err(_) => Answer::Celsius(None),
        }
    }
}

/// A device that answers badly is not gone.
fn is_gone(err: &io::Error) -> bool {
    let gone = [
        rustix::io::Errno::NODEV,
        rustix::io::Errno::NOENT,
        rustix::io::Errno::NXIO,
    ];
    gone.iter()
        .any(|errno| err.raw_os_error() == Some(errno.raw_os_error()))
}

/// Changes when a chip or a zone comes, goes, or gets another number.
fn signature(root: &Root) -> u64 {
    let mut sum = 0u64;
    for class in ["sys/class/hwmon", "sys/class/thermal"] {
        for name in root.names(class) {
            let link = root.link(&format!("{class}/{name}")).unwrap_or_default();
            // FNV-1a; added up, for a folder has no order.
            let bytes = name.bytes().chain(link.bytes());
            let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            sum = sum.wrapping_add(hash);
        }
    }
    sum
}
