//! What one look at the machine costs: a sample beside the least that the same five readings can cost (kept-open files,
//! one pread each, a parser by hand), and the processes beside crate sysinfo. All in one run, in turns; medians.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml -p host -- [ROUNDS]`

use rackwarden_core::effect::Ticket;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::host::Look;
use rackwarden_io::clock::Clock;
use rackwarden_io::host::{HostHandle, Place, Sampler};
use rackwarden_io::inbox::Inbox;
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Of one measurement, warm.
const SAMPLES: u32 = 2_000;
/// A sample in each of these is a cold one: other things ran in between.
const PAUSE: Duration = Duration::from_millis(210);

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let rounds = rounds.unwrap_or(9);
    let mut floor = Floor::open();
    let mut sampler = Sampler::new(Clock::start(), Place::here());
    let sample = sampler.sample().expect("/proc is here");
    println!(
        "{} cores, {} interfaces, {} file systems, {} sensors",
        sample.cores.len(),
        sample.networks.len(),
        sample.file_systems.len(),
        sample.temperatures.len()
    );
    let mut library = Library::new();
    let mut warm = [const { Vec::new() }; 3];
    let mut cold = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        warm[0].push(repeat(SAMPLES, || floor.take()));
        warm[1].push(repeat(SAMPLES, || drop(black_box(sampler.sample()))));
        warm[2].push(repeat(SAMPLES / 10, || library.take()));
        for _ in 0..3 {
            cold[0].push(after_pause(|| floor.take()));
            cold[1].push(after_pause(|| drop(black_box(sampler.sample()))));
            cold[2].push(after_pause(|| library.take()));
        }
    }
    let names = ["limit", "one sample", "sysinfo, the same five"];
    println!(
        "{:<24} {:>10} {:>8} {:>10} {:>8}",
        "us CPU", "warm", "ratio", "cold", "ratio"
    );
    let [mut least_warm, mut least_cold] = [0.0; 2];
    for ((name, warm), cold) in names.iter().zip(&mut warm).zip(&mut cold) {
        let (warm, cold) = (median(warm), median(cold));
        if least_warm == 0.0 {
            (least_warm, least_cold) = (warm, cold);
        }
        let (by_warm, by_cold) = (warm / least_warm, cold / least_cold);
        println!("{name:<24} {warm:>10.1} {by_warm:>8.2} {cold:>10.1} {by_cold:>8.2}");
    }
    processes(rounds);
}

/// CPU time of all threads for two looks at all processes.
fn processes(rounds: usize) {
    let inbox = Inbox::new();
    let host = HostHandle::new(Clock::start(), inbox.clone());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut count = 0;
    for round in 0..rounds {
        ours.push(once(|| {
            host.look(Ticket(round as u64), Look::Processes(5));
            if let Some(Event::Done {
                reply: Reply::Processes(result),
                ..
            }) = inbox.receive(None)
            {
                count = result.map_or(0, |found| found.count);
            }
        }));
        theirs.push(once(|| {
            let mut system = sysinfo::System::new();
            for _ in 0..2 {
                let what = sysinfo::ProcessRefreshKind::nothing()
                    .with_cpu()
                    .with_memory();
                let what = what.without_tasks();
                system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::All, true, what);
                std::thread::sleep(Duration::from_millis(250));
            }
            black_box(system.processes().len());
        }));
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!("\nthe {count} processes, twice: {ours:.0} us, sysinfo {theirs:.0} us");
}

/// The five readings, each with one system call.
struct Floor {
    files: [File; 4],
    buffer: [u8; 8192],
}

impl Floor {
    fn open() -> Floor {
        let open = |path: &str| File::open(path).expect(path);
        let temperature = [
            "/sys/class/thermal/thermal_zone0/temp",
            "/sys/class/hwmon/hwmon0/temp1_input",
            // Without a sensor any file of sysfs has to do.
            "/sys/class/net/lo/mtu",
        ];
        let exists = |path: &&&str| std::path::Path::new(path).exists();
        let temperature = temperature.iter().find(exists).expect("sysfs");
        Floor {
            files: [
                open("/proc/stat"),
                open("/proc/meminfo"),
                open("/proc/net/dev"),
                open(temperature),
            ],
            buffer: [0; 8192],
        }
    }

    fn take(&mut self) {
        let mut sum = 0;
        for (file, key) in self.files.iter().zip(["cpu", "MemAvailable:", "lo:", ""]) {
            let read = file.read_at(&mut self.buffer, 0).expect("readable");
            sum += number_behind(&self.buffer[..read], key.as_bytes());
        }
        let space = rustix::fs::statvfs(c"/").expect("it is mounted");
        black_box(sum + space.f_blocks - space.f_bavail);
    }
}

fn number_behind(text: &[u8], key: &[u8]) -> u64 {
    let found = text
        .windows(key.len().max(1))
        .position(|window| key.is_empty() || window == key);
    let rest = &text[found.map_or(0, |at| at + key.len())..];
    let mut number = 0;
    for byte in rest {
        match byte {
            b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
            _ if number > 0 => break,
            _ => {}
        }
    }
    number
}

struct Library {
    system: sysinfo::System,
    disks: sysinfo::Disks,
    components: sysinfo::Components,
    networks: sysinfo::Networks,
}

impl Library {
    fn new() -> Library {
        Library {
            system: sysinfo::System::new(),
            disks: sysinfo::Disks::new_with_refreshed_list(),
            components: sysinfo::Components::new_with_refreshed_list(),
            networks: sysinfo::Networks::new_with_refreshed_list(),
        }
    }

    fn take(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let what = sysinfo::DiskRefreshKind::nothing().with_storage();
        self.disks.refresh_specifics(false, what);
        self.components.refresh(false);
        self.networks.refresh(false);
    }
}

/// Microseconds of CPU time for one of them.
fn repeat(times: u32, mut act: impl FnMut()) -> f64 {
    once(|| (0..times).for_each(|_| act())) / f64::from(times)
}

fn after_pause(act: impl FnOnce()) -> f64 {
    std::thread::sleep(PAUSE);
    once(act)
}

fn once(act: impl FnOnce()) -> f64 {
    let before = cpu_us();
    act();
    cpu_us() - before
}

fn cpu_us() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 * 1e6 + spent.tv_nsec as f64 / 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
