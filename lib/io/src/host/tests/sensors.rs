//! Sensors of recorded machines, which go, come back and change their numbers.

use super::*;

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
        let wanted = rackwarden_core::host::sensors::sensors(&tree);
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
    folder.write(path, "64000\n");
    assert_eq!(celsius(&sample(&mut sampler), core), Some(None));
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
