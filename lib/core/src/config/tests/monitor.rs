//! `[monitor]`: thresholds in every form, and who hears of them.

use super::*;
use crate::alert::{Rule, Severity};
use crate::config::monitor::{Metric, Settings, settings};

fn monitor(config: &Config) -> Settings {
    settings(config).clone()
}

fn rule(on: f64, off: f64, for_s: u64, clear_for_s: u64) -> Rule {
    Rule {
        on,
        off,
        for_: Duration::from_secs(for_s),
        clear_for: Duration::from_secs(clear_for_s),
    }
}

#[test]
fn no_table_means_the_documented_thresholds() {
    let config = monitor(&read(""));
    assert_eq!(config.interval, Duration::from_secs(2));
    let shown: Vec<_> = Metric::ALL
        .iter()
        .map(|metric| {
            let threshold = config.of(*metric).of(&["x"]).expect("on by default");
            assert_eq!(threshold.severity, Severity::Warning);
            (metric.name(), threshold.rule)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("cpu", rule(80.0, 75.0, 10, 10)),
            ("memory", rule(80.0, 75.0, 10, 10)),
            ("disk", rule(80.0, 75.0, 10, 10)),
            ("inodes", rule(90.0, 85.0, 10, 10)),
            ("cpu_temperature", rule(85.0, 80.0, 10, 10)),
            ("gpu_temperature", rule(90.0, 85.0, 10, 10)),
            ("disk_temperature", rule(60.0, 55.0, 10, 10)),
        ]
    );
    assert_eq!(
        (config.retry_attempts, config.retry_interval),
        (3, Duration::from_secs(10))
    );
    assert!(config.notify.is_none());
    assert!(config.mounts.has("/mnt/usb"));
}

#[test]
fn a_threshold_is_a_value_a_table_or_off() {
    for (text, want) in [
        ("'90 %'", Some(rule(90.0, 85.0, 10, 10))),
        ("'3 %'", Some(rule(3.0, 2.7, 10, 10))),
        ("'off'", None),
        ("{ on = '70 %' }", Some(rule(70.0, 65.0, 10, 10))),
        ("{ on = 'off' }", None),
        ("{ for = '0s' }", Some(rule(80.0, 75.0, 0, 10))),
        (
            "{ on = '70 %', off = '10 %', for = '1m', clear_for = '0s' }",
            Some(rule(70.0, 10.0, 60, 0)),
        ),
    ] {
        let config = monitor(&read(&format!("[monitor.thresholds]\ncpu = {text}\n")));
        let got = config.of(Metric::Cpu).general.map(|own| own.rule);
        assert_eq!(got, want, "{text}");
    }
    let cold = monitor(&read("[monitor.thresholds]\ndisk_temperature = '-10 °C'\n"));
    let cold = cold.of(Metric::DiskTemperature).general.expect("on");
    assert_eq!(cold.rule, rule(-10.0, -15.0, 10, 10));
}

#[test]
fn single_mounts_and_sensors_differ_by_name_or_pattern() {
    let text = "[monitor.thresholds]\n\
         disk = { on = '70 %', for = '1m', mount = { '/var' = '90 %', '/srv/*' = { off = '50 %', severity = 'critical' }, '/srv/b*' = 'off' } }\n\
         inodes = 'off'\n\
         [monitor.thresholds.cpu_temperature]\non = 'off'\nsensor.'coretemp *' = '95 °C'\n\
         [monitor.thresholds.mounts]\nexclude = ['/mnt/*']\ninclude = ['/*']\n";
    let config = monitor(&read(text));
    let disk = |mount: &str| {
        let threshold = config.of(Metric::Disk).of(&[mount])?;
        Some((threshold.rule, threshold.severity))
    };
    let of = |rule| Some((rule, Severity::Warning));
    assert_eq!(disk("/"), of(rule(70.0, 65.0, 60, 10)));
    assert_eq!(disk("/var"), of(rule(90.0, 85.0, 60, 10)));
    assert_eq!(
        disk("/srv/a"),
        Some((rule(70.0, 50.0, 60, 10), Severity::Critical))
    );
    assert_eq!(disk("/srv/big"), None);
    assert_eq!(config.of(Metric::Inodes).of(&["/"]), None);
    let heat = config.of(Metric::CpuTemperature);
    assert_eq!(heat.of(&["cpu_thermal"]), None);
    let package = heat.of(&["coretemp Package id 0", "key"]).expect("named");
    assert_eq!(package.rule, rule(95.0, 90.0, 10, 10));
    assert!(config.mounts.has("/var") && !config.mounts.has("/mnt/usb"));
    let again = monitor(&read(&effective(&read(text))));
    assert_eq!(again, config);
}

#[test]
fn mounts_stand_beside_the_disk_threshold_or_inside_of_it() {
    for text in [
        "disk = '80 %'\nmounts = { exclude = ['/mnt/*'] }\n",
        "disk = { on = '80 %', mounts = { exclude = ['/mnt/*'] } }\n",
    ] {
        let config = monitor(&read(&format!("[monitor.thresholds]\n{text}")));
        assert_eq!(config.mounts.exclude, ["/mnt/*"], "{text}");
        let disk = config.of(Metric::Disk).general.map(|own| own.rule);
        assert_eq!(disk, Some(rule(80.0, 75.0, 10, 10)));
    }
}

#[test]
fn the_monitor_tells_as_notify_says_unless_it_says_otherwise() {
    let notify = "[notify]\nto = ['telegram:1']\nmax_notifications = 5\n";
    let config = read(notify);
    assert_eq!(config.notify_of("monitor.cpu:host"), &config.notify);
    let config = read(&format!(
        "{notify}[monitor.notifications]\nto = ['telegram:2']\nreset_after = '1h'\nretry_attempts = 9\n"
    ));
    let own = config.notify_of("monitor.cpu:host");
    let shown = |notify: &NotifyConfig| {
        let to = notify.to[0].to_string();
        (to, notify.max_notifications, notify.reset_after.as_secs())
    };
    assert_eq!(shown(own), ("telegram:2".to_owned(), 5, 3600));
    assert_eq!(
        shown(config.notify_of("power.limit:alpha")),
        ("telegram:1".to_owned(), 5, 300)
    );
    assert_eq!(monitor(&config).retry_attempts, 9);
    let silent = read("[monitor.notifications]\nto = ['telegram:2']\n");
    let warning = silent.warnings.join("\n");
    assert!(warning.contains("there is no bot token"), "{warning}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, want) in [
        (
            "[monitor]\ninterval = '1ms'\n",
            "f:2:12: monitor.interval: is out of range; write a time from 100ms to 1h",
        ),
        (
            "[monitor.thresholds]\ncpu = 80\n",
            "f:2:7: monitor.thresholds.cpu: needs a unit; write \"80 %\"",
        ),
        (
            "[monitor.thresholds]\ncpu = { on = '80 %', mount = {} }\n",
            "f:2:22: monitor.thresholds.cpu.mount: unknown key",
        ),
        (
            "[monitor.thresholds]\ndisk = { mount = { '/a' = '8 °C' } }\n",
            "f:2:27: monitor.thresholds.disk.mount.\"/a\": `°C` is not a unit of it; write %, such as \"80 %\"",
        ),
        (
            "[monitor.thresholds]\ndisk = { mount = { '/a' = { off = '85 %' } } }\n",
            "f:2:35: monitor.thresholds.disk.mount.\"/a\".off: is not below `on`",
        ),
        (
            "[monitor.thresholds]\ndisk = { mounts = { exclude = ['/a'] } }\nmounts = { exclude = ['/b'] }\n",
            "f:3:10: monitor.thresholds.mounts: stands here and in `disk`; give one of them",
        ),
        (
            "[monitor.thresholds]\nmounts = { excluded = ['/b'] }\n",
            "f:2:12: monitor.thresholds.mounts.excluded: unknown key; did you mean `exclude`?",
        ),
        (
            "[monitor.notifications]\nretry_interval = '10ms'\n",
            "f:2:18: monitor.notifications.retry_interval: is out of range; write a time from 1s to 1d",
        ),
        (
            "[monitor.notifications]\nroute = []\n",
            "f:2:1: monitor.notifications.route: unknown key",
        ),
    ] {
        assert_eq!(errors(text), [want], "{text}");
    }
}

#[test]
fn what_the_documentation_shows_is_accepted_and_its_defaults_are_the_defaults() {
    let document = include_str!("../../../../../docs/host.md");
    let blocks = document.split("```toml\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|rest| rest.split("```").next().expect("it begins"))
        .collect();
    assert!(blocks.len() > 3);
    for block in &blocks {
        read(block);
    }
    assert_eq!(monitor(&read(blocks[0])), monitor(&read("")));
    for metric in Metric::ALL {
        assert!(blocks[0].contains(metric.name()), "{}", metric.name());
    }
}
