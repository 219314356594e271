//! What happens to values, sensors and file systems, and what people hear of it.

use super::*;
use rackwarden_core::host::{
    FileSystem, SensorKind, Space, Temperature, Throttled, ThrottledSource, Uplink,
};
use rackwarden_core::plugins::monitor;
use rackwarden_core::plugins::power;
use rackwarden_core::rng::Rng;
use std::time::Duration;

fn disk(mount: &str, used_percent: u64) -> FileSystem {
    let free = (100 - used_percent) * 10_000_000;
    FileSystem {
        mount: mount.into(),
        device: "/dev/sda1".into(),
        kind: "ext4".into(),
        space: Some(Space {
            size_bytes: 1_000_000_000,
            free_bytes: free,
            available_bytes: free,
            inodes: 1000,
            inodes_free: 900,
        }),
        ..FileSystem::default()
    }
}

fn sensor(name: &str, kind: SensorKind, celsius: f64) -> Temperature {
    Temperature {
        key: format!("pci/{name}").into(),
        name: name.into(),
        kind,
        is_main: true,
        celsius: Some(celsius),
        critical_celsius: None,
    }
}

#[test]
fn dithering_around_a_threshold_for_an_hour_is_one_message() {
    let mut sim = world(|config| {
        threshold(config, Metric::Disk, |own| {
            (own.rule.for_, own.rule.clear_for) = (seconds(0), seconds(0));
        });
    });
    let mut rng = Rng::new(7);
    for _ in 0..1800 {
        let used = 77 + rng.below(6);
        sim.machine().sample.file_systems = vec![disk("/", used)];
        sim.run_for(seconds(2));
    }
    let told = told(&sim, "disk usage");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_way_out_that_is_lost_is_told_before_what_lies_beyond_it() {
    let mut sim = world(|config| {
        config.plugins.insert(0, "power");
        let pdus = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
        *power::settings_mut(config) = power::settings(&pdus).clone();
    });
    sim.run_for(seconds(20));
    for (uplink, words) in [
        (Uplink::NoRoute, "no default route"),
        (Uplink::NoCarrier, "no carrier"),
    ] {
        sim.clear_transcript();
        sim.machine().sample.uplink = uplink;
        for name in ["alpha", "bravo"] {
            sim.device(name).set_silent(true);
        }
        sim.run_for(seconds(300));
        let warned = format!("🟠 rack: host: nothing beyond this machine can be reached: {words}");
        assert_eq!(told(&sim, &warned).len(), 1, "{}", sim.transcript());
        assert_eq!(told(&sim, "unreachable").len(), 0, "{}", sim.transcript());
        sim.machine().sample.uplink = Uplink::Up;
        for name in ["alpha", "bravo"] {
            sim.device(name).set_silent(false);
        }
        sim.run_for(seconds(300));
        let over = "✅ rack: host: there is a way out again after 5 min";
        assert_eq!(told(&sim, over).len(), 1, "{}", sim.transcript());
        assert_eq!(told(&sim, "unreachable").len(), 0, "{}", sim.transcript());
    }
}

#[test]
fn a_machine_without_a_way_out_has_lost_none() {
    let mut sim = world(|_| {});
    sim.machine().sample.uplink = Uplink::NoRoute;
    sim.kill_and_restart();
    sim.run_for(seconds(600));
    assert_eq!(sim.alert_state("monitor.uplink:host"), "ok");
    sim.machine().sample.uplink = Uplink::Up;
    sim.run_for(seconds(10));
    sim.machine().sample.uplink = Uplink::NoRoute;
    sim.run_for(seconds(3));
    sim.machine().sample.uplink = Uplink::Up;
    sim.run_for(seconds(60));
    assert_eq!(
        told(&sim, "nothing beyond").len(),
        0,
        "a cable was replugged"
    );
    sim.machine().sample.uplink = Uplink::NoCarrier;
    sim.run_for(seconds(20));
    assert_eq!(sim.alert_state("monitor.uplink:host"), "firing");
    sim.kill_and_restart();
    sim.run_for(seconds(20));
    assert_eq!(sim.alert_state("monitor.uplink:host"), "firing");
    sim.machine().sample.uplink = Uplink::Unknown;
    sim.run_for(seconds(20));
    assert_eq!(sim.alert_state("monitor.uplink:host"), "unknown");
    assert_eq!(told(&sim, "🟠").len(), 1, "{}", sim.transcript());
}

#[test]
fn a_sensor_that_vanishes_is_unknown_and_not_over() {
    for is_there in [false, true] {
        let mut sim = world(|_| {});
        let mut hot = sensor("nvme WD", SensorKind::Disk, 70.0);
        sim.machine().sample.temperatures = vec![hot.clone()];
        sim.run_for(seconds(30));
        let name = "monitor.disk_temperature:nvme WD";
        assert_eq!(sim.alert_state(name), "firing");
        // It is gone altogether, or there and reads nothing.
        hot.celsius = None;
        let rest = if is_there {
            vec![hot.clone()]
        } else {
            Vec::new()
        };
        sim.machine().sample.temperatures = rest;
        sim.run_for(seconds(3 * 3600));
        assert_eq!(sim.alert_state(name), "unknown");
        assert!(told(&sim, "✅").is_empty(), "{}", sim.transcript());
        hot.celsius = Some(30.0);
        sim.machine().sample.temperatures = vec![hot];
        sim.run_for(seconds(30));
        assert_eq!(sim.alert_state(name), "ok");
        let ends = told(&sim, "✅");
        assert!(
            ends.iter().any(|line| line.contains("peak 70 °C")),
            "{ends:?}"
        );
    }
}

#[test]
fn a_stick_that_was_pulled_out_is_forgotten_in_silence() {
    let mut sim = world(|_| {});
    sim.machine()
        .sample
        .file_systems
        .push(disk("/media/stick", 20));
    sim.run_for(seconds(10));
    sim.machine().sample.file_systems.pop();
    sim.run_for(seconds(60));
    assert_eq!(sim.alert_state("monitor.disk:/media/stick"), "unknown");
    sim.run_for(seconds(3600));
    assert_eq!(sim.alert_state("monitor.disk:/media/stick"), "ok");
    assert_eq!(sim.transcript(), "");
}

#[test]
fn a_file_system_that_hangs_is_told_and_its_fill_is_unknown() {
    let mut sim = world(|_| {});
    sim.machine().sample.file_systems = vec![disk("/", 20), disk("/mnt/nas", 90)];
    sim.run_for(seconds(30));
    assert_eq!(sim.alert_state("monitor.disk:/mnt/nas"), "firing");
    sim.clear_transcript();
    for hangs_for in 1..60 {
        let nas = &mut sim.machine().sample.file_systems[1];
        (nas.space, nas.hangs_for) = (None, Some(seconds(hangs_for)));
        sim.run_for(seconds(1));
    }
    assert_eq!(sim.alert_state("monitor.disk:/mnt/nas"), "unknown");
    assert_eq!(sim.alert_state("monitor.hang:/mnt/nas"), "firing");
    assert_eq!(
        told(&sim, "does not answer for").len(),
        1,
        "{}",
        sim.transcript()
    );
    assert!(told(&sim, "✅").is_empty(), "{}", sim.transcript());
    assert!(sim.ask("/disks").contains("does not answer for"));
    sim.machine().sample.file_systems[1] = disk("/mnt/nas", 90);
    sim.run_for(seconds(20));
    assert_eq!(sim.alert_state("monitor.hang:/mnt/nas"), "ok");
    assert_eq!(sim.alert_state("monitor.disk:/mnt/nas"), "firing");
}

#[test]
fn what_cannot_fill_up_or_is_excluded_is_not_judged() {
    let mut sim =
        world(|config| monitor::settings_mut(config).mounts.exclude = vec!["/mnt/*".to_owned()]);
    let mut rom = disk("/cdrom", 100);
    rom.is_read_only = true;
    let mut hanging = disk("/mnt/nas", 99);
    (hanging.space, hanging.hangs_for) = (None, Some(seconds(100)));
    sim.machine().sample.file_systems = vec![rom, disk("/mnt/usb", 99), hanging];
    sim.run_for(seconds(60));
    assert_eq!(sim.transcript(), "");
}

#[test]
fn single_things_have_thresholds_of_their_own() {
    let mut sim = world(|config| {
        let general = monitor::settings(config)
            .of(Metric::Disk)
            .general
            .expect("on");
        let mut own = general;
        own.rule.on = 95.0;
        own.severity = rackwarden_core::alert::Severity::Critical;
        let disk = &mut monitor::settings_mut(config).thresholds[Metric::Disk as usize];
        disk.single = vec![("/srv/*".to_owned(), Some(own)), ("/boot".to_owned(), None)];
    });
    sim.machine().sample.file_systems = vec![
        disk("/", 85),
        disk("/srv/a", 90),
        disk("/srv/b", 96),
        disk("/boot", 99),
    ];
    sim.run_for(seconds(30));
    let states = ["/", "/srv/a", "/srv/b", "/boot"];
    let states = states.map(|mount| sim.alert_state(&format!("monitor.disk:{mount}")));
    assert_eq!(states, ["firing", "ok", "firing", "ok"]);
    assert_eq!(told(&sim, "🔴").len(), 1, "{}", sim.transcript());
}

#[test]
fn under_voltage_is_told_in_a_sentence_and_over_after_a_quiet_minute() {
    let mut sim = world(|_| {});
    let set = |sim: &mut Sim, bits, lasting| {
        sim.machine().sample.throttled = Some(Throttled {
            bits,
            known: 0xF000F,
            source: ThrottledSource::Firmware,
        });
        sim.run_for(seconds(lasting));
    };
    set(&mut sim, 0x50000, 60);
    assert_eq!(sim.transcript(), "", "what was before is no alert");
    for _ in 0..10 {
        set(&mut sim, 0x50005, 4);
        set(&mut sim, 0x50000, 20);
    }
    let lines = told(&sim, "under-voltage");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("host: now under-voltage (the supply is below 4.63 V)"),
        "{lines:?}"
    );
    assert!(
        sim.ask("/sensors")
            .contains("nothing now; since boot under-voltage")
    );
    set(&mut sim, 0x50000, 70);
    assert_eq!(sim.alert_state("monitor.throttled:host"), "ok");
}

#[test]
fn a_sleep_is_neither_a_long_excess_nor_a_rate() {
    let mut sim = world(|_| {});
    sim.run_for(seconds(20));
    sim.machine().cpu_percent = 99.0;
    sim.run_for(seconds(4));
    assert_eq!(sim.alert_state("monitor.cpu:host"), "pending");
    sim.suspend(seconds(3 * 3600));
    sim.run_for(Duration::from_millis(500));
    let host = sim
        .snapshot()
        .and_then(|snapshot| monitor::view(snapshot).host.clone());
    let host = host.expect("it is watched");
    assert_eq!((host.cpu_percent, host.rates[0].rx), (None, None));
    sim.run_for(seconds(6));
    assert_eq!(sim.alert_state("monitor.cpu:host"), "pending");
    sim.run_for(seconds(10));
    assert_eq!(sim.alert_state("monitor.cpu:host"), "firing");
    assert!(sim.machine().looks < 40, "no looks are made up for");
}

#[test]
fn a_counter_that_goes_backwards_gives_no_value_and_no_alert() {
    let mut sim = world(|_| {});
    sim.run_for(seconds(9));
    let cpu = sim.machine().sample.cpu.as_mut().expect("it has");
    (cpu.user, cpu.idle) = (0, 0);
    sim.machine().sample.networks[0].rx_bytes = 0;
    sim.run_for(seconds(2));
    let host = sim
        .snapshot()
        .and_then(|snapshot| monitor::view(snapshot).host.clone());
    let host = host.expect("it is watched");
    assert_eq!((host.cpu_percent, host.rates[0].rx), (None, None));
    assert!(host.rates[0].tx.is_some());
    sim.run_for(seconds(60));
    assert_eq!(sim.transcript(), "");
}

#[test]
fn a_reload_keeps_what_fires_and_ends_what_is_not_judged_any_more() {
    let mut sim = world(|_| {});
    sim.machine().cpu_percent = 99.0;
    sim.machine().sample.file_systems = vec![disk("/", 85)];
    sim.run_for(seconds(60));
    sim.clear_transcript();
    let mut config = Sim::config(&[]);
    config.plugins = vec!["monitor"];
    monitor::settings_mut(&mut config).thresholds[Metric::Disk as usize].general = None;
    monitor::settings_mut(&mut config).interval = seconds(10);
    threshold(&mut config, Metric::Cpu, |own| own.rule.on = 90.0);
    let looks = sim.machine().looks;
    sim.reload(config);
    sim.run_for(seconds(60));
    assert_eq!(sim.alert_state("monitor.cpu:host"), "firing");
    assert_eq!(sim.alert_state("monitor.disk:/"), "ok");
    let text = sim.transcript();
    assert!(text.contains("removed from the configuration"), "{text}");
    assert!(!text.contains("CPU usage back"), "{text}");
    let looks = sim.machine().looks - looks;
    assert!((6..=9).contains(&looks), "every ten seconds: {looks}");
}

#[test]
fn the_host_is_in_history_and_on_the_status_screen() {
    let mut sim = world(|_| {});
    sim.machine().sample.networks[0].has_carrier = Some(true);
    sim.run_for(seconds(30));
    let looks = sim.machine().looks;
    let status = sim.ask("/status");
    assert!(
        status.contains("Host: CPU 5 %, load 0.10 0.20 0.30, memory 1 GiB of 4 GiB (25 %)"),
        "{status}"
    );
    assert!(status.contains("/ 39 %, CPU at 45 °C"), "{status}");
    assert!(sim.machine().looks <= looks + 1, "the last look serves");
}

#[test]
fn each_topic_has_its_command() {
    let mut sim = world(|_| {});
    sim.machine().processes = programs();
    sim.run_for(seconds(10));
    for (line, want) in [
        (
            "/load",
            "0.10 0.20 0.30 over 1, 5 and 15 min\nCPU 5 %\ncore 0  5 %",
        ),
        (
            "/memory",
            "memory  25 %  1 GiB  of    4 GiB\nswap     0 %    0 B  of  512 MiB",
        ),
        ("/disks", "/  39 %  17.7 GiB free  of 29.8 GiB  inodes 5 %"),
        ("/sensors", "cpu_thermal  45.0 °C  CPU  critical 110 °C"),
        ("/network", "way out: up\neth0  in  2 KiB/s"),
        ("/processes", "188 %   40 MiB  7  ffmpeg"),
        ("/uptime", "Up 1 h, since 2026-11-20 19:00:0"),
    ] {
        let text = sim.ask(line);
        assert!(text.contains(want), "{line}: {text}");
    }
    sim.machine().is_silent = true;
    sim.run_for(seconds(20));
    for line in ["/load", "/processes"] {
        sim.clear_transcript();
        sim.say(line);
        sim.run_for(seconds(12));
        let text = sim.transcript();
        assert!(
            text.contains("The host cannot be looked at: no answer within 10 s"),
            "{line}: {text}"
        );
    }
}

#[test]
fn a_slow_machine_is_not_asked_twice_at_once() {
    let mut sim = world(|config| monitor::settings_mut(config).interval = seconds(1));
    sim.machine().is_silent = true;
    sim.run_for(seconds(9));
    assert_eq!(sim.machine().looks, 1);
    sim.machine().is_silent = false;
    sim.run_for(seconds(20));
    let looks = monitor::view(sim.snapshot().expect("a publication")).looks;
    assert!(looks.overrun >= 7, "{looks:?}");
}

#[test]
fn every_rule_can_be_tested_with_a_made_up_value() {
    let mut sim = world(|_| {});
    sim.machine().sample.file_systems.push(disk("/srv", 20));
    sim.run_for(seconds(10));
    for (line, want) in [
        (
            "monitor.cpu 97",
            "host: CPU usage above threshold: 97 % > 80 %",
        ),
        (
            "monitor.memory:host 97",
            "host: memory usage above threshold: 97 % > 80 %",
        ),
        (
            "monitor.disk:/srv 81",
            "/srv: disk usage above threshold: 81 % > 80 %",
        ),
        (
            "monitor.disk:/not/seen 99%",
            "/not/seen: disk usage above threshold: 99 % > 80 %",
        ),
        (
            "monitor.hang:/srv 12",
            "/srv: file system does not answer for 12 s",
        ),
        ("monitor.throttled 1", "host: now under-voltage"),
        (
            "monitor.cpu_temperature:cpu_thermal 91",
            "cpu_thermal: CPU temperature above threshold: 91 °C > 85 °C",
        ),
        ("cpu 97", "host: CPU usage above threshold: 97 % > 80 %"),
        (
            "monitor.disk 81",
            "/: disk usage above threshold: 81 % > 80 %",
        ),
        (
            "monitor.gpu_temperature 95",
            "any sensor: GPU temperature above threshold: 95 °C > 90 °C",
        ),
    ] {
        let (name, value) = line.split_once(' ').expect("two words");
        let mut text = sim.ask(&format!("test-alert {value} {name}"));
        sim.run_for(seconds(3));
        text += &sim.transcript();
        assert!(
            text.contains("TEST") && text.contains(want),
            "{line}: {text}"
        );
    }
    assert_eq!(sim.alert_state("monitor.cpu:host"), "ok");
    let text = sim.ask("test-alert 60 monitor.cpu");
    assert!(text.contains("does not fire at 60"), "{text}");
    let text = sim.ask("test-alert 60 monitor.cpuu:host");
    assert!(text.contains("did you mean `monitor.cpu:host`?"), "{text}");
}
