//! How much CPU time a call of `Core::step` takes, in a simulated world: nothing to do, a day's work, everything at once; and how
//! fast such a world is.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml -p step -- [idle] [host] [history] [work] [burst] [day] [month]`; without a name,
//! everything but the month.

#[path = "../../common/allocations.rs"]
mod allocations;

use rackwarden_core::effect::{Effects, Ticket};
use rackwarden_core::event::Event;
use rackwarden_core::history::{
    Append, Archive, Cell, MemoryStorage, Op, Query, Recall, Series, Span, Unit,
};
use rackwarden_core::rng::Rng;
use rackwarden_core::sim::Sim;
use rackwarden_core::time::Wall;
use rustix::time::{ClockId, clock_gettime};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    for (name, bench) in [
        ("idle", idle as fn()),
        ("host", host),
        ("history", history),
        ("work", work),
        ("burst", burst),
        ("day", || days(1)),
        ("month", || days(30)),
    ] {
        if asked.iter().any(|asked| asked == name) || (asked.is_empty() && name != "month") {
            bench();
            println!();
        }
    }
}

fn world(pdus: usize) -> Sim {
    let names: Vec<String> = (0..pdus).map(name).collect();
    let table: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    Sim::new(&table)
}

fn name(pdu: usize) -> String {
    format!("p{pdu:05}")
}

/// Between two polls: every PDU has a reading, nothing is due, nothing has arrived.
fn idle() {
    const STEPS: u32 = 200_000;
    println!(
        "{:>8} {:>10} {:>20}",
        "PDUs", "ns idle", "allocations a step"
    );
    for pdus in [4, 100, 1_000] {
        let mut sim = world(pdus);
        sim.run_for(Duration::from_millis(21_999));
        let now = sim.now();
        let mut effects = Effects::new();
        let before = allocations::count();
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let began = cpu_time();
            for _ in 0..STEPS {
                sim.core().step(now, Event::Timeout, &mut effects);
            }
            best = best.min(cpu_time() - began);
        }
        let count = allocations::count() - before;
        assert!(effects.is_empty(), "an idle step has no effects");
        println!(
            "{pdus:>8} {:>10.1} {:>20.3}",
            best.as_nanos() as f64 / f64::from(STEPS),
            count as f64 / f64::from(5 * STEPS)
        );
    }
}

/// A look at the machine each 2 s: 8 file systems, 8 sensors, 8 interfaces and 64 cores, and nothing is wrong.
fn host() {
    let mut config = Sim::config(&[]);
    config.plugins = vec!["monitor"];
    let mut sim = Sim::with_config(config);
    let sample = &mut sim.machine().sample;
    let core = sample.cores[0].1;
    sample.cores = (0..64).map(|number| (number, core)).collect();
    for number in 1..8 {
        let mut disk = sample.file_systems[0].clone();
        disk.mount = format!("/srv/{number}").into();
        sample.file_systems.push(disk);
        let mut sensor = sample.temperatures[0].clone();
        sensor.name = format!("sensor {number}").into();
        sample.temperatures.push(sensor);
        let mut network = sample.networks[0].clone();
        network.name = format!("eth{number}").into();
        sample.networks.push(network);
    }
    sim.run_for(Duration::from_secs(60));
    let counted = Rc::new(RefCell::new((0, 0)));
    let (noted, mut before) = (Rc::clone(&counted), 0);
    sim.around_steps(move |is_before| {
        if is_before {
            before = allocations::count();
        } else {
            let mut noted = noted.borrow_mut();
            noted.0 += allocations::count() - before;
            noted.1 += 1;
        }
    });
    sim.run_for(HOUR);
    let (allocations, steps) = *counted.borrow();
    println!("host: {allocations} allocations in {steps} steps of an hour");
    let times = watch(&mut sim);
    sim.run_for(HOUR);
    header("a look");
    print("", &mut times.borrow_mut());
}

/// The history of 200 series: an hour of the core, which writes every 5 minutes; a write, and a question about a year.
fn history() {
    let mut sim = world(200);
    sim.run_for(HOUR);
    header("200 series");
    let times = watch(&mut sim);
    sim.run_for(HOUR);
    print("", &mut times.borrow_mut());
    header("drawn");
    let times = watch(&mut sim);
    for _ in 0..30 {
        sim.say("/chart pdus");
        sim.run_for(Duration::from_secs(2));
    }
    print("", &mut times.borrow_mut());

    let series = (0..200).map(|number| Series {
        name: name(number).into(),
        unit: Unit::Watts,
    });
    let series = Arc::new(series.collect::<Vec<_>>());
    let begin = (sim.now().wall.0 / 60_000) as u32 / 60 * 60;
    let mut archive = Archive::new(MemoryStorage::default());
    let append = |archive: &mut Archive<MemoryStorage>, first: u32, count: u32| {
        let span = Span {
            min: 1.0,
            avg: 2.0,
            max: 3.0,
        };
        let append = Append {
            series: Arc::clone(&series),
            minutes: (first..first + count).collect(),
            cells: vec![Cell { span, share: 30 }; count as usize * series.len()],
            now: first + count,
        };
        let began = cpu_time();
        archive.handle(Op::Append(append));
        cpu_time() - began
    };
    const YEAR_HOURS: u32 = 365 * 24;
    for hour in 0..YEAR_HOURS {
        append(&mut archive, begin + hour * 60, 60);
    }
    let end = begin + YEAR_HOURS * 60;
    let mut writes: Vec<Duration> = (0..300)
        .map(|step| append(&mut archive, end + step * 5, 6))
        .collect();
    header("a write");
    print("", &mut writes);
    let now = Wall(i64::from(end + 1500) * 60_000);
    for (span, days, points) in [("a day", 1, 720), ("a week", 7, 700), ("a year", 365, 800)] {
        let query = Query {
            series: vec![name(7)],
            from: Wall(now.0 - days * 86_400_000),
            to: now,
            points,
        };
        let mut reading = archive.begin(Recall::new(Ticket(1), &query, now));
        let mut pieces = Vec::new();
        loop {
            let began = cpu_time();
            let is_done = archive.read_some(&mut reading);
            pieces.push(cpu_time() - began);
            if is_done {
                break;
            }
        }
        let all: Duration = pieces.iter().sum();
        println!(
            "{span}: {:.1} ms in {} pieces",
            all.as_secs_f64() * 1e3,
            pieces.len()
        );
    }
}

/// Polls every 2 s; every 10 s of it one PDU more is above its limit for half a minute.
fn work() {
    header("PDUs, hours");
    for (pdus, span) in [(100, HOUR * 24), (1_000, HOUR * 2), (10_000, HOUR / 4)] {
        let mut sim = world(pdus);
        let mut rng = Rng::new(1);
        sim.run_for(Duration::from_secs(10));
        let times = watch(&mut sim);
        for _ in 0..span.as_secs() / 10 {
            let name = name(rng.below(pdus as u64) as usize);
            let (high, low) = (name.clone(), name);
            sim.after(Duration::ZERO, move |sim| {
                sim.device(&high).set_power(3500.0)
            });
            sim.after(Duration::from_secs(30), move |sim| {
                sim.device(&low).set_power(1000.0)
            });
            sim.run_for(Duration::from_secs(10));
        }
        let label = format!("{pdus}, {}", span.as_secs_f64() / 3600.0);
        print(&label, &mut times.borrow_mut());
    }
}

/// All PDUs cross their limits in the same cycle, and fall back a minute later.
fn burst() {
    header("alerts at once");
    for pdus in [100, 1_000, 10_000] {
        let mut sim = world(pdus);
        sim.run_for(Duration::from_secs(20));
        let times = watch(&mut sim);
        for power_w in [3500.0, 1000.0] {
            (0..pdus).for_each(|pdu| sim.device(&name(pdu)).set_power(power_w));
            sim.run_for(Duration::from_secs(60));
        }
        print(&pdus.to_string(), &mut times.borrow_mut());
    }
}

/// One PDU that is above its limit for a minute of each hour.
fn days(days: u32) {
    println!("{:>10} {:>12} {:>10}", "days", "CPU, s", "steps");
    let mut transcripts = Vec::new();
    for _ in 0..2 {
        let began = cpu_time();
        let mut sim = world(1);
        for hour in 0..days * 24 {
            let at = HOUR * hour + Duration::from_secs(600);
            sim.after(at, |sim| sim.device(&name(0)).set_power(3500.0));
            let back = at + Duration::from_secs(60);
            sim.after(back, |sim| sim.device(&name(0)).set_power(1000.0));
        }
        sim.run_for(HOUR * 24 * days);
        println!(
            "{days:>10} {:>12.2} {:>10}",
            (cpu_time() - began).as_secs_f64(),
            sim.steps()
        );
        transcripts.push(sim.transcript());
    }
    assert_eq!(transcripts[0], transcripts[1], "a world repeats itself");
}

type Times = Rc<RefCell<Vec<Duration>>>;

/// Notes the time of every step from now on.
fn watch(sim: &mut Sim) -> Times {
    let times = Times::default();
    let (noted, mut began) = (Rc::clone(&times), Duration::ZERO);
    sim.around_steps(move |is_before| {
        if is_before {
            began = cpu_time();
        } else {
            noted.borrow_mut().push(cpu_time() - began);
        }
    });
    times
}

/// CPU time of this thread, which other programs on the machine change little.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn header(what: &str) {
    println!(
        "{what:>14} {:>9} {:>9} {:>9} {:>9} {:>9}   µs a step",
        "steps", "median", "99 %", "99.9 %", "longest"
    );
}

fn print(label: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    println!(
        "{label:>14} {:>9} {:>9.1} {:>9.1} {:>9.1} {:>9.1}",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
