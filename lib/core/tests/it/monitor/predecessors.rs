//! What went wrong in pyTMbot's monitor, each with a test that fails when it goes wrong here.

use super::*;
use rackwarden_core::fault::{Fault, FaultKind};
use rackwarden_core::plugins::monitor;
use rackwarden_core::sim::Weather;

#[test]
fn a_period_of_two_seconds_is_two_seconds_however_busy_the_machine_is() {
    let mut sim = world(|_| {});
    sim.machine().cpu_percent = 100.0;
    sim.run_for(seconds(600));
    let looks = monitor::view(sim.snapshot().expect("a publication"))
        .looks
        .ok;
    assert!((300..=301).contains(&looks), "{looks}");
}

#[test]
fn the_threshold_itself_a_blip_and_a_dip_are_no_alerts_and_an_end_is_told() {
    let mut sim = world(|config| {
        threshold(config, Metric::Memory, |memory| memory.rule.on = 75.0);
    });
    let use_memory = |sim: &mut Sim, percent: u64, lasting: u64| {
        let memory = sim.machine().sample.memory.as_mut().expect("it has");
        memory.available_bytes = memory.total_bytes / 100 * (100 - percent);
        sim.run_for(seconds(lasting));
    };
    use_memory(&mut sim, 25, 10);
    let memory = sim.machine().sample.memory.as_mut().expect("it has");
    memory.available_bytes = memory.total_bytes / 4;
    sim.run_for(seconds(60));
    assert_eq!(told(&sim, "memory"), Vec::<String>::new(), "exactly 75 %");
    for _ in 0..20 {
        use_memory(&mut sim, 90, 8);
        use_memory(&mut sim, 60, 8);
    }
    assert_eq!(told(&sim, "memory"), Vec::<String>::new(), "blips");
    use_memory(&mut sim, 90, 60);
    use_memory(&mut sim, 76, 60);
    use_memory(&mut sim, 90, 60);
    use_memory(&mut sim, 60, 60);
    let lines = told(&sim, "#1]");
    assert!(
        lines[0].contains("🟠") && lines[0].contains("memory usage above threshold: 90 % > 75 %")
    );
    let ends = told(&sim, "#2]");
    assert!(
        ends[0].contains("✅") && ends[0].contains("back below threshold after"),
        "{ends:?}"
    );
    assert!(told(&sim, "#3]").is_empty(), "{}", sim.transcript());
}

#[test]
fn a_storm_of_one_value_takes_no_message_from_another_nor_from_power() {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.plugins = vec!["power", "monitor"];
    config.notify.max_notifications = 1;
    for metric in Metric::ALL {
        threshold(&mut config, metric, |own| {
            (own.rule.for_, own.rule.clear_for) = (seconds(0), seconds(0));
        });
    }
    let mut sim = Sim::with_config(config);
    sim.run_for(seconds(10));
    for round in 0..30 {
        let is_bad = round % 2 == 0;
        // Three things go wrong together, again and again.
        sim.machine().cpu_percent = if is_bad { 99.0 } else { 3.0 };
        let free = if is_bad {
            1_000_000_000
        } else {
            19_000_000_000
        };
        let disk = &mut sim.machine().sample.file_systems[0];
        let space = disk.space.as_mut().expect("it answers");
        (space.free_bytes, space.available_bytes) = (free, free);
        sim.device("alpha")
            .set_power(if is_bad { 3500.0 } else { 500.0 });
        sim.run_for(seconds(6));
    }
    let fired = |words: &str| {
        let all = told(&sim, words);
        let new = all.iter().filter(|line| !line.contains("edits"));
        new.filter(|line| line.contains("🟠") || line.contains("🔴"))
            .count()
    };
    // One in each five minutes; the first may share its message with the other two.
    for words in ["CPU usage above", "disk usage above", "above power limit"] {
        assert_eq!(fired(words), 1, "{words}\n{}", sim.transcript());
    }
}

#[test]
fn a_budget_is_free_again_by_itself() {
    let mut sim = world(|config| {
        config.notify.max_notifications = 1;
        config.notify.reset_after = seconds(60);
    });
    for _ in 0..3 {
        sim.machine().cpu_percent = 99.0;
        sim.run_for(seconds(60));
        sim.machine().cpu_percent = 3.0;
        sim.run_for(seconds(60));
    }
    let fired = told(&sim, "CPU usage above threshold: 99 %");
    let fired = fired.iter().filter(|line| !line.contains("edits"));
    assert_eq!(fired.count(), 3, "{}", sim.transcript());
}

#[test]
fn what_could_not_be_sent_is_sent_when_it_can() {
    let mut sim = world(|config| config.notify.max_notifications = 1);
    sim.set_weather("*", 1000, Weather::IsAway);
    sim.machine().cpu_percent = 99.0;
    sim.run_for(seconds(60));
    assert!(told(&sim, "CPU usage").is_empty());
    sim.clear_weather();
    sim.run_for(seconds(120));
    assert_eq!(told(&sim, "#1]").len(), 1, "{}", sim.transcript());
}

#[test]
fn an_alert_that_begins_while_messages_are_held_back_is_told_later() {
    let mut sim = world(|config| {
        config.notify.max_notifications = 1;
        config.notify.reset_after = seconds(120);
    });
    let busy = |sim: &mut Sim, percent: f64, lasting: u64| {
        sim.machine().cpu_percent = percent;
        sim.run_for(seconds(lasting));
    };
    busy(&mut sim, 99.0, 30);
    busy(&mut sim, 3.0, 30);
    sim.clear_transcript();
    busy(&mut sim, 98.0, 30);
    assert!(told(&sim, "98 %").is_empty(), "{}", sim.transcript());
    busy(&mut sim, 98.0, 120);
    assert_eq!(told(&sim, "98 %").len(), 1, "{}", sim.transcript());
}

#[test]
fn a_look_that_fails_does_not_end_the_watch() {
    for is_silent in [false, true] {
        let mut sim = world(|_| {});
        sim.run_for(seconds(20));
        let machine = sim.machine();
        machine.is_silent = is_silent;
        machine.fault = Some(Fault::new(FaultKind::Disk, "too many open files"));
        sim.run_for(seconds(600));
        let looks = sim.machine().looks;
        assert!((14..=30).contains(&looks), "not too often: {looks}");
        assert_eq!(sim.alert_state("monitor.sampler:host"), "firing");
        assert_eq!(sim.alert_state("monitor.memory:host"), "unknown");
        assert_eq!(
            told(&sim, "cannot be looked at").len(),
            1,
            "{}",
            sim.transcript()
        );
        let machine = sim.machine();
        (machine.is_silent, machine.fault) = (false, None);
        sim.run_for(seconds(70));
        assert_eq!(sim.alert_state("monitor.sampler:host"), "ok");
        assert_eq!(sim.alert_state("monitor.memory:host"), "ok");
        sim.machine().cpu_percent = 99.0;
        sim.run_for(seconds(30));
        assert_eq!(sim.alert_state("monitor.cpu:host"), "firing");
    }
}

#[test]
fn the_sensor_of_a_raspberry_pi_alerts() {
    let mut sim = world(|_| {});
    sim.machine().sample.temperatures[0].celsius = Some(86.4);
    sim.run_for(seconds(30));
    let lines = told(&sim, "cpu_thermal");
    assert!(
        lines[0].contains("CPU temperature above threshold: 86.4 °C > 85 °C"),
        "{lines:?}"
    );
}

#[test]
fn processor_and_memory_alerts_name_the_programs_that_use_the_most() {
    let mut sim = world(|_| {});
    sim.machine().processes = programs();
    sim.machine().cpu_percent = 97.0;
    let memory = sim.machine().sample.memory.as_mut().expect("it has");
    memory.available_bytes = 100 << 20;
    sim.run_for(seconds(30));
    let text = sim.transcript();
    for want in [
        "CPU usage above threshold: 97 % > 80 %; most: ffmpeg 188 %, python3 45 %",
        "memory usage above threshold: 97.6 % > 80 %; most: python3 300 MiB, ffmpeg 40 MiB",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
}

#[test]
fn a_message_that_could_not_wait_for_the_programs_is_edited() {
    let mut sim = world(|config| {
        threshold(config, Metric::Cpu, |own| own.rule.for_ = seconds(0));
    });
    sim.machine().processes = programs();
    sim.machine().cpu_percent = 97.0;
    sim.run_for(seconds(4));
    let lines = told(&sim, "CPU usage");
    assert!(
        lines[0].contains("97 % > 80 %") && !lines[0].contains("most:"),
        "{lines:?}"
    );
    sim.run_for(seconds(4));
    let lines = told(&sim, "edits #1");
    assert!(
        lines[0].contains("97 % > 80 %; most: ffmpeg 188 %"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn alerts_go_on_after_a_restart_and_are_not_told_again() {
    let mut sim = world(|_| {});
    sim.machine().cpu_percent = 99.0;
    sim.run_for(seconds(30));
    assert_eq!(told(&sim, "#1]").len(), 1);
    sim.kill_and_restart();
    sim.run_for(seconds(60));
    assert_eq!(sim.alert_state("monitor.cpu:host"), "firing");
    assert_eq!(told(&sim, "telegram:-100").len(), 1, "{}", sim.transcript());
    sim.machine().cpu_percent = 1.0;
    sim.run_for(seconds(30));
    let lines = told(&sim, "telegram:-100");
    assert!(lines[1].contains("✅"), "{lines:?}");
}
