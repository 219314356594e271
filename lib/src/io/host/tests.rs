//! Looks at this machine, and at recorded ones that stand in a folder.

use super::*;
use crate::host::machines::{Entry, MACHINES, Tree};
use crate::host::sensors::{Files, Sensor};
use crate::host::{FileSystem, Space, ThrottledSource, Uplink, procfs};
use crate::time::Wall;
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
    let Event::Host { ticket, result } = receive(&inbox) else {
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
        let Event::Processes { ticket, result } = receive(&inbox) else {
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
    let Event::Processes { result, .. } = receive(&inbox) else {
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
        own.cpu_percent > 5.0 && own.memory_bytes > 1 << 20,
        "{own:?}"
    );
    let falls = |pair: &[crate::host::Process]| pair[0].cpu_percent >= pair[1].cpu_percent;
    assert!(processes.by_cpu.windows(2).all(falls), "{processes:?}");
}

#[test]
fn recorded_machines_are_read_as_they_are() {
    for (name, _) in MACHINES {
        let tree = Tree::of(name);
        let folder = Folder::of(name);
        let mut sampler = folder.sampler();
        let read_from = |sensor: &Sensor| {
            let text = |path: &str| tree.text(path).expect("recorded");
            let is_faulty = sensor
                .fault
                .as_ref()
                .is_some_and(|path| text(path) == "1\n");
            let celsius = sensor.celsius(text(&sensor.path).as_bytes());
            celsius.filter(|_| !is_faulty)
        };
        let found = until(&mut sampler, |found| {
            let mut volumes = found.file_systems.iter();
            volumes.all(|own| own.space.is_some())
        });
        let mut cores = Vec::new();
        let text = |path: &str| tree.text(path).expect("recorded");
        assert_eq!(
            found.cpu,
            procfs::cpu_times(text("proc/stat").as_bytes(), &mut cores)
        );
        assert!(found.cpu.is_some() && found.cores == cores, "{name}");
        assert_eq!(
            found.memory,
            procfs::memory(text("proc/meminfo").as_bytes())
        );
        assert!(found.load.is_some() && found.uptime.is_some(), "{name}");
        assert_eq!(found.booted, Some(Wall(1_795_000_000_000)), "{name}");
        // Those behind a bus follow.
        let wanted = crate::host::sensors::sensors(&tree);
        let found = until(&mut sampler, |found| {
            let read = found
                .temperatures
                .iter()
                .filter(|own| own.celsius.is_some());
            let readable = wanted.iter().filter_map(read_from);
            read.count() == readable.count()
        });
        for (own, sensor) in found.temperatures.iter().zip(&wanted) {
            assert_eq!(own.celsius, read_from(sensor), "{name} {}", own.name);
            assert_eq!((&*own.key, own.kind), (&*sensor.key, sensor.kind), "{name}");
        }
        assert_eq!(found.temperatures.len(), wanted.len(), "{name}");
    }
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
        let tell = |own: &crate::host::Network| {
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
fn a_hung_mount_is_told_and_delays_nothing() {
    let folder = Folder::of("raspberry-pi-4");
    let gate = Gate::default();
    let at = gate.clone();
    let place = folder.place(move |path| {
        if path == "/mnt/nas" {
            at.pass();
        }
        Some(some_space())
    });
    let mut sampler = Sampler::new(Clock::start(), place);
    let found = until(&mut sampler, |found| {
        volume(found, "/mnt/nas").hangs_for.is_some() && volume(found, "/mnt/usb").space.is_some()
    });
    let nas = volume(&found, "/mnt/nas");
    assert_eq!(nas.space, None, "no value instead of an old one");
    for mount in ["/", "/boot/firmware", "/mnt/usb"] {
        assert_eq!(volume(&found, mount).space, Some(some_space()), "{mount}");
        assert_eq!(volume(&found, mount).hangs_for, None);
    }
    let longer = until(&mut sampler, |later| {
        volume(later, "/mnt/nas").hangs_for > nas.hangs_for
    });
    assert_eq!(volume(&longer, "/mnt/nas").space, None);
    gate.open();
    let back = until(&mut sampler, |found| {
        volume(found, "/mnt/nas").space.is_some()
    });
    assert_eq!(volume(&back, "/mnt/nas").hangs_for, None);
}

#[test]
fn samples_come_at_their_rate_while_a_mount_hangs() {
    let folder = Folder::of("raspberry-pi-4");
    let gate = Gate::default();
    let at = gate.clone();
    let inbox = Inbox::new();
    let place = folder.place(move |path| {
        if path.starts_with("/mnt") {
            at.pass();
        }
        Some(some_space())
    });
    let host = HostHandle::at(place, Clock::start(), inbox.clone());
    let mut numbers = 0..;
    let mut looks = || {
        let mut late: Vec<Duration> = Vec::new();
        for number in numbers.by_ref().take(300) {
            let asked = Instant::now();
            host.look(Ticket(number), Look::Sample);
            let Event::Host { ticket, result } = receive(&inbox) else {
                panic!("a sample");
            };
            late.push(asked.elapsed());
            assert!(ticket == Ticket(number) && result.is_ok());
        }
        late.sort();
        late.split_off(290)
    };
    // The first one waits for answers, but not for long. What else keeps the processors busy makes another attempt.
    let mut latest = looks();
    for _ in 0..20 {
        if latest[7] >= Duration::from_millis(50) {
            latest = looks();
        }
    }
    assert!(latest[7] < Duration::from_millis(50), "{latest:?}");
}

#[test]
fn hung_mounts_hide_none_that_answers() {
    let folder = Folder::empty("mounts");
    folder.write("proc/stat", "cpu  1 2 3 4\n");
    let mut mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n".to_owned();
    for number in 10..15 {
        mounts.push_str(&format!(
            "{number} 1 0:{number} / /hangs/{number} rw - nfs4 nas:/{number} rw\n"
        ));
    }
    mounts.push_str("90 1 0:90 / /projects rw - nfs4 other:/ rw\n");
    folder.write("proc/self/mountinfo", &mounts);
    let gate = Gate::default();
    let at = gate.clone();
    let place = folder.place(move |path| {
        if path.starts_with("/hangs") {
            at.pass();
        }
        Some(some_space())
    });
    let mut sampler = Sampler::new(Clock::start(), place);
    let found = until(&mut sampler, |found| {
        let mut hanging = found
            .file_systems
            .iter()
            .filter(|own| own.mount.starts_with("/hangs"));
        hanging.all(|own| own.hangs_for.is_some()) && volume(found, "/projects").space.is_some()
    });
    assert_eq!(found.file_systems.len(), 7);
    // What is unmounted while it hangs is forgotten, and what takes its place is asked.
    let mounts = mounts.replace("/hangs/10", "/instead/10");
    folder.write("proc/self/mountinfo", &mounts);
    sampler.forget();
    let found = until(&mut sampler, |found| {
        let mut volumes = found.file_systems.iter();
        volumes.any(|own| &*own.mount == "/instead/10" && own.space.is_some())
    });
    assert!(
        found
            .file_systems
            .iter()
            .all(|own| &*own.mount != "/hangs/10")
    );
}

#[test]
fn a_vanished_sensor_has_no_value_and_comes_back_as_the_same() {
    let folder = Folder::of("amd-desktop");
    let mut sampler = folder.sampler();
    let gpu = "amdgpu edge";
    let before = until(&mut sampler, |found| {
        celsius(found, gpu) == Some(Some(54.0))
    });
    let tree = Tree::of("amd-desktop");
    let of_gpu = |path: &str| path.contains("0000:2d:00.0") || path.ends_with("class/hwmon/hwmon3");
    fs::remove_file(folder.0.join("sys/class/hwmon/hwmon3")).expect("it is there");
    let device = "sys/devices/pci0000:00/0000:00:03.1/0000:2b:00.0/0000:2c:00.0/0000:2d:00.0";
    fs::remove_dir_all(folder.0.join(device)).expect("it is there");
    sampler.forget();
    let found = sample(&mut sampler);
    assert_eq!(celsius(&found, gpu), Some(None), "known, without a value");
    assert_eq!(found.temperatures.len(), before.temperatures.len());
    assert_eq!(celsius(&found, "k10temp Tctl"), Some(Some(62.375)));
    // It comes back under another number.
    for (path, entry) in tree.entries.iter().filter(|(path, _)| of_gpu(path)) {
        let turn = |text: &str| text.replace("hwmon3", "hwmon9");
        let entry = match entry {
            Entry::File(text) => Entry::File(text.clone()),
            Entry::Link(target) => Entry::Link(turn(target)),
        };
        folder.put(&turn(path), &entry);
    }
    sampler.forget();
    let after = until(&mut sampler, |found| {
        celsius(found, gpu) == Some(Some(54.0))
    });
    let keys = |found: &HostSample| -> Vec<Arc<str>> {
        found
            .temperatures
            .iter()
            .map(|own| Arc::clone(&own.key))
            .collect()
    };
    assert_eq!(keys(&after), keys(&before));
}

#[test]
fn a_file_that_was_replaced_is_not_read_as_it_was() {
    let folder = Folder::of("amd-desktop");
    let mut sampler = folder.sampler();
    let core = "k10temp Tctl";
    let found = sample(&mut sampler);
    assert_eq!(celsius(&found, core), Some(Some(62.375)));
    let path = "sys/devices/pci0000:00/0000:00:18.3/hwmon/hwmon2/temp1_input";
    fs::remove_file(folder.0.join(path)).expect("it is there");
    assert_eq!(celsius(&sample(&mut sampler), core), Some(None));
    folder.write(path, "64000\n");
    until(&mut sampler, |found| {
        celsius(found, core) == Some(Some(64.0))
    });
}

#[test]
fn numbers_that_change_hands_change_no_value() {
    let folder = Folder::of("intel-server");
    let mut sampler = folder.sampler();
    let is_read = |found: &HostSample| {
        celsius(found, "drivetemp ST4000NM0035-1V4 (15a2)") == Some(Some(31.0))
    };
    let before = until(&mut sampler, is_read);
    // hwmon0 to hwmon7 become hwmon7 to hwmon0.
    let turn = |text: &str| {
        let (head, number) = text.rsplit_once("hwmon").expect("a link of that class");
        let number: usize = number.parse().expect("a number");
        format!("{head}hwmon{}", 7 - number)
    };
    fs::remove_dir_all(folder.0.join("sys")).expect("it is there");
    for (path, entry) in &Tree::of("intel-server").entries {
        let mut path = path.clone();
        let mut entry = entry.clone();
        if let Entry::Link(target) = &mut entry {
            if path.contains("class/hwmon") {
                (path, *target) = (turn(&path), turn(target));
            }
        } else if let Some(at) = path
            .find("/hwmon")
            .filter(|_| path.starts_with("sys/devices"))
        {
            let at = path[at + 1..]
                .find("hwmon")
                .map(|next| at + 1 + next)
                .unwrap_or(at);
            let at = if path[at..].starts_with("hwmon/") {
                at + "hwmon/".len()
            } else {
                at
            };
            let number: usize = path[at + 5..at + 6].parse().expect("a number");
            path.replace_range(at + 5..at + 6, &(7 - number).to_string());
        }
        folder.put(&path, &entry);
    }
    sampler.forget();
    let known = |found: &HostSample| {
        let values = found.temperatures.iter();
        let values = values.map(|own| (own.key.to_string(), own.celsius));
        values.collect::<Vec<_>>()
    };
    // Never a value of another one in between.
    let deadline = Instant::now() + LONG;
    loop {
        let found = known(&sample(&mut sampler));
        for (now, then) in found.iter().zip(known(&before)) {
            assert_eq!(now.0, then.0);
            assert!(now.1.is_none() || now.1 == then.1, "{now:?} {then:?}");
        }
        if found == known(&before) {
            break;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        thread::yield_now();
    }
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
            Event::Host { result, .. } => result,
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
        let Event::Host { ticket, result } = receive(&inbox) else {
            panic!("a sample");
        };
        answered.push((ticket, result.is_ok()));
    }
    assert_eq!(answered, [(Ticket(1), false), (Ticket(2), true)]);
    gate.open();
    host.look(Ticket(3), Look::Sample);
    assert!(matches!(
        receive(&inbox),
        Event::Host {
            ticket: Ticket(3),
            result: Ok(_)
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
