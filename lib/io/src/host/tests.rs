//! Looks at this machine, and at recorded ones that stand in a folder.

mod mounts;
mod sensors;

#[path = "../../../core/src/host/machines.rs"]
mod machines;

use super::*;
use machines::{Entry, MACHINES, Tree};
use rackwarden_base::time::Wall;
use rackwarden_core::host::sensors::{Files, Sensor};
use rackwarden_core::host::{FileSystem, Space, ThrottledSource, Uplink, procfs};
use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

const LONG: Duration = Duration::from_secs(20);

/// A folder of its own that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn empty(name: &str) -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rackwarden-{}-{name}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    fn of(machine: &str) -> Folder {
        let folder = Folder::empty(machine);
        for (path, entry) in &Tree::of(machine).entries {
            folder.put(path, entry);
        }
        folder
    }

    fn put(&self, path: &str, entry: &Entry) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        match entry {
            Entry::File(text) => fs::write(&path, text).expect("it can be written"),
            Entry::Link(target) => symlink(target, &path).expect("it can be made"),
        }
    }

    fn write(&self, path: &str, text: &str) {
        self.put(path, &Entry::File(text.to_owned()));
    }

    fn place(&self, ask: impl Fn(&str) -> Option<Space> + Send + Sync + 'static) -> Place {
        Place {
            root: self.0.clone(),
            ask_space: Arc::new(move |path: &CStr| ask(path.to_str().expect("plain"))),
            hangs_after: Duration::from_millis(30),
        }
    }

    fn sampler(&self) -> Sampler {
        Sampler::new(Clock::start(), self.place(|_| Some(some_space())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn some_space() -> Space {
    Space {
        size_bytes: 1000,
        free_bytes: 500,
        available_bytes: 400,
        inodes: 100,
        inodes_free: 90,
    }
}

/// What is asked there waits until the gate opens.
#[derive(Clone, Default)]
struct Gate {
    is_open: Arc<(Mutex<bool>, std::sync::Condvar)>,
}

impl Gate {
    fn pass(&self) {
        let (is_open, opened) = &*self.is_open;
        let guard = is_open.lock().expect("no panic");
        drop(opened.wait_while(guard, |is_open| !*is_open));
    }

    fn open(&self) {
        let (is_open, opened) = &*self.is_open;
        *is_open.lock().expect("no panic") = true;
        opened.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

fn sample(sampler: &mut Sampler) -> HostSample {
    *sampler.sample().expect("a sample")
}

/// Samples until it is as wanted.
fn until(sampler: &mut Sampler, is_wanted: impl Fn(&HostSample) -> bool) -> HostSample {
    let deadline = Instant::now() + LONG;
    loop {
        let found = sample(sampler);
        if is_wanted(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        thread::yield_now();
    }
}

fn celsius(sample: &HostSample, name: &str) -> Option<Option<f64>> {
    let found = sample.temperatures.iter().find(|own| *own.name == *name);
    found.map(|own| own.celsius)
}

fn volume<'a>(sample: &'a HostSample, mount: &str) -> &'a FileSystem {
    let found = sample.file_systems.iter().find(|own| *own.mount == *mount);
    found.unwrap_or_else(|| panic!("no {mount} in {sample:?}"))
}

fn receive(inbox: &Inbox) -> Event {
    inbox.receive(Some(LONG)).expect("an answer")
}

#[test]
fn both_looks_at_this_machine_are_answered() {
    let inbox = Inbox::new();
    let host = HostHandle::new(Clock::start(), inbox.clone());
    host.look(Ticket(1), Look::Sample);
    let Event::Done {
        ticket,
        reply: Reply::Host(result),
    } = receive(&inbox)
    else {
        panic!("a sample");
    };
    let sample = result.expect("it can be read");
    assert_eq!(ticket, Ticket(1));
    assert!(sample.taken.is_some());
    assert!(
        sample
            .memory
            .is_some_and(|memory| memory.total_bytes > 1 << 20)
    );
    assert!(sample.cpu.is_some_and(|cpu| cpu.idle > 0));
    assert!(!sample.cores.is_empty() && sample.load.is_some());
    assert!(sample.uptime.is_some_and(|uptime| uptime > Duration::ZERO));
    let root = volume(&sample, "/").space.expect("it can be asked");
    assert!(root.size_bytes >= root.free_bytes && root.size_bytes > 0);
    // Two that ask at the same time share one look.
    host.look(Ticket(2), Look::Processes(5));
    host.look(Ticket(3), Look::Processes(1));
    for (wanted, most) in [(Ticket(2), 5), (Ticket(3), 1)] {
        let Event::Done {
            ticket,
            reply: Reply::Processes(result),
        } = receive(&inbox)
        else {
            panic!("processes");
        };
        let processes = result.expect("they can be read");
        assert_eq!(ticket, wanted);
        assert!((1..=most).contains(&processes.by_memory.len()));
        assert!(processes.count >= processes.by_memory.len());
    }
}

#[test]
fn a_busy_process_stands_first() {
    let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = Arc::clone(&is_over);
    let busy = thread::spawn(move || while !flag.load(Ordering::Relaxed) {});
    let inbox = Inbox::new();
    let host = HostHandle::new(Clock::start(), inbox.clone());
    host.look(Ticket(1), Look::Processes(1000));
    let Event::Done {
        reply: Reply::Processes(result),
        ..
    } = receive(&inbox)
    else {
        panic!("processes");
    };
    is_over.store(true, Ordering::Relaxed);
    busy.join().expect("it ends");
    let processes = result.expect("they can be read");
    let own = processes
        .by_cpu
        .iter()
        .find(|own| own.pid == std::process::id());
    let own = own.unwrap_or_else(|| panic!("{processes:?}"));
    assert!(
        own.cpu_percent > 1.0 && own.memory_bytes > 1 << 20,
        "{own:?}"
    );
    let falls =
        |pair: &[rackwarden_core::host::Process]| pair[0].cpu_percent >= pair[1].cpu_percent;
    assert!(processes.by_cpu.windows(2).all(falls), "{processes:?}");
}

#[test]
fn networks_and_the_way_out() {
    for (machine, want, uplink) in [
        ("raspberry-pi-3", "eth0+ wlan0?", Uplink::Up),
        ("intel-server", "eno1+ eno2- bond0+v vlan7?v", Uplink::Up),
        ("amd-desktop", "enp5s0+ br0+v", Uplink::Up),
        ("threadripper", "", Uplink::NoRoute),
    ] {
        let folder = Folder::of(machine);
        let mut sampler = folder.sampler();
        sample(&mut sampler);
        let found = sample(&mut sampler);
        let tell = |own: &rackwarden_core::host::Network| {
            let carrier = match own.has_carrier {
                Some(true) => "+",
                Some(false) => "-",
                None => "?",
            };
            format!(
                "{}{carrier}{}",
                own.name,
                if own.is_virtual { "v" } else { "" }
            )
        };
        let told: Vec<String> = found.networks.iter().map(tell).collect();
        // The carrier of what is virtual and no way out is looked at twice a minute.
        assert_eq!(
            told.join(" ").replace("vlan7+v", "vlan7?v"),
            want,
            "{machine}"
        );
        assert_eq!(found.uplink, uplink, "{machine}");
    }
    let folder = Folder::of("raspberry-pi-3");
    let mut sampler = folder.sampler();
    let carrier = "sys/class/net/eth0/carrier";
    folder.write(carrier, "0\n");
    assert_eq!(sample(&mut sampler).uplink, Uplink::NoCarrier);
    folder.write(carrier, "1\n");
    assert_eq!(sample(&mut sampler).uplink, Uplink::Up);
    folder.write("proc/net/route", "Iface\tDestination\n");
    assert_eq!(sample(&mut sampler).uplink, Uplink::NoRoute);
    let zero = "0".repeat(32);
    let v6 = format!("{zero} 00 {zero} 00 {zero} 00000400 00000003 00000000 00450003     eth0\n");
    folder.write("proc/net/ipv6_route", &v6);
    assert_eq!(sample(&mut sampler).uplink, Uplink::Up);
}

#[test]
fn in_a_container_the_way_out_is_the_network() {
    let folder = Folder::of("raspberry-pi-3");
    let sys = folder.0.join("sys/class/net");
    fs::remove_dir_all(sys).expect("it is there");
    for name in ["eth0", "wlan0"] {
        folder.write(&format!("sys/class/net/{name}/carrier"), "1\n");
    }
    let found = sample(&mut folder.sampler());
    let told: Vec<_> = found
        .networks
        .iter()
        .map(|own| (&*own.name, own.is_virtual))
        .collect();
    assert_eq!(told, [("eth0", false), ("wlan0", true)]);
}

#[test]
fn interfaces_come_and_go() {
    let folder = Folder::of("raspberry-pi-3");
    let mut sampler = folder.sampler();
    let dev = |names: &[&str]| {
        let line = |name: &&str| format!("{name}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
        folder.write("proc/net/dev", &names.iter().map(line).collect::<String>());
    };
    for names in [
        &["lo", "eth0", "wlan0"][..],
        &["lo", "eth0", "veth1", "wlan0"],
        &["wlan0"],
        &["eth0", "wlan0"],
        &["wlan0", "eth0"],
        &[],
        &["eth0"],
    ] {
        dev(names);
        let found = sample(&mut sampler);
        let told: Vec<&str> = found.networks.iter().map(|own| &*own.name).collect();
        let want: Vec<&str> = names.iter().copied().filter(|name| *name != "lo").collect();
        assert_eq!(told, want);
        assert!(
            found
                .networks
                .iter()
                .all(|own| own.is_virtual == (*own.name == *"veth1"))
        );
    }
}

#[test]
fn the_word_of_a_raspberry_pi_has_a_source() {
    use ThrottledSource::{Firmware, Hwmon};
    for (machine, want) in [
        ("raspberry-pi-3", Some((0x50000, Firmware))),
        ("raspberry-pi-4", Some((1, Hwmon))),
        ("raspberry-pi-5", Some((0, Firmware))),
        ("raspberry-pi-zero-2", Some((0xE0008, Firmware))),
        ("rk3588", None),
    ] {
        let folder = Folder::of(machine);
        let mut sampler = folder.sampler();
        let is_wanted =
            |found: &HostSample| found.throttled.map(|own| (own.bits, own.source)) == want;
        until(&mut sampler, is_wanted);
    }
    // What denies what hwmon sees is not believed from then on.
    let folder = Folder::of("raspberry-pi-5");
    let mut sampler = folder.sampler();
    let alarm = "sys/class/hwmon/hwmon4/in0_lcrit_alarm";
    until(&mut sampler, |found| {
        found.throttled.is_some_and(|own| own.source == Firmware)
    });
    folder.write(alarm, "1\n");
    let source = |found: &HostSample| found.throttled.map(|own| (own.bits, own.source));
    assert_eq!(source(&sample(&mut sampler)), Some((1, Hwmon)));
    folder.write(alarm, "0\n");
    assert_eq!(source(&sample(&mut sampler)), Some((0, Hwmon)));
}

#[test]
fn without_proc_a_sample_fails_until_it_is_there() {
    let folder = Folder::empty("bare");
    let inbox = Inbox::new();
    let place = folder.place(|_| None);
    let host = HostHandle::at(place, Clock::start(), inbox.clone());
    let ask = |number| {
        host.look(Ticket(number), Look::Sample);
        match receive(&inbox) {
            Event::Done {
                reply: Reply::Host(result),
                ..
            } => result,
            other => panic!("{other:?}"),
        }
    };
    let fault = ask(1).expect_err("there is nothing");
    assert_eq!(fault.kind, FaultKind::Disk);
    assert!(
        fault.detail.starts_with("cannot read /proc/stat: "),
        "{fault}"
    );
    folder.write("proc/stat", "cpu  1 2 3 4\n");
    let sample = ask(2).expect("it is there");
    let rest = HostSample {
        taken: sample.taken,
        cpu: sample.cpu,
        uplink: sample.uplink,
        ..HostSample::default()
    };
    assert!(
        sample.cpu.is_some() && *sample == rest,
        "what is not there is absent: {sample:?}"
    );
    assert_eq!(sample.uplink, Uplink::Unknown);
}

#[test]
fn a_thread_that_hangs_is_given_up_and_every_look_answered_once() {
    let folder = Folder::of("raspberry-pi-3");
    let gate = Gate::default();
    let at = gate.clone();
    let is_stuck = Arc::new(AtomicUsize::new(0));
    let stuck = Arc::clone(&is_stuck);
    let inbox = Inbox::new();
    // Even a local file system may hang when its device is broken: the first time here.
    let place = folder.place(move |_| {
        if stuck.fetch_add(1, Ordering::SeqCst) == 0 {
            at.pass();
        }
        Some(some_space())
    });
    let mut host = HostHandle::at(place, Clock::start(), inbox.clone());
    host.patience = Duration::from_millis(20);
    host.look(Ticket(1), Look::Sample);
    let deadline = Instant::now() + LONG;
    while is_stuck.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    while lock(&host.samples.lock().expect("no panic").open)[0]
        .1
        .elapsed()
        <= host.patience
    {
        thread::yield_now();
    }
    host.look(Ticket(2), Look::Sample);
    let mut answered = Vec::new();
    for _ in 0..2 {
        let Event::Done {
            ticket,
            reply: Reply::Host(result),
        } = receive(&inbox)
        else {
            panic!("a sample");
        };
        answered.push((ticket, result.is_ok()));
    }
    assert_eq!(answered, [(Ticket(1), false), (Ticket(2), true)]);
    gate.open();
    host.look(Ticket(3), Look::Sample);
    assert!(matches!(
        receive(&inbox),
        Event::Done {
            ticket: Ticket(3),
            reply: Reply::Host(Ok(_))
        }
    ));
    assert!(
        inbox.receive(Some(Duration::ZERO)).is_none(),
        "no second answer"
    );
}

#[test]
fn long_files_are_read_as_far_as_they_matter() {
    let folder = Folder::empty("long");
    let core = |number: usize| format!("cpu{number} {number} 0 0 1000000000 0 0 0 0 0 0\n");
    for cores in [1, 60, 153, 154, 155, 400, 5000] {
        let mut stat = "cpu  1 2 3 4 5 6 7 8\n".to_owned();
        stat.extend((0..cores).map(core));
        for rest in [
            "",
            "intr 1 2 3\n",
            &format!("intr{}\n", " 0".repeat(20_000)),
        ] {
            folder.write("proc/stat", &format!("{stat}{rest}"));
            let found = sample(&mut folder.sampler());
            assert_eq!(found.cores.len(), cores);
            let (number, last) = found.cores[cores - 1];
            assert_eq!(
                (number as usize, last.user, last.idle),
                (cores - 1, u64::from(number), 1_000_000_000)
            );
        }
    }
    let line =
        |number: usize| format!("  veth{number:05}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
    for count in [0, 40, 41, 42, 43, 1000] {
        folder.write("proc/net/dev", &(0..count).map(line).collect::<String>());
        let found = sample(&mut folder.sampler());
        assert_eq!(found.networks.len(), count);
        assert!(found.networks.iter().all(|own| own.tx_bytes == 9));
    }
}
