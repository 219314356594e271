//! `docs/rules.md`: the timeline of each option, written by the engine itself.

use super::world::{report, settled_quietly};
use crate::{GROUP, OWNER, seconds};
use rackwarden_core::alert::{AlertState, Severity};
use rackwarden_core::config::{Config, Environment, parse};
use rackwarden_core::host::{SensorKind, Temperature, Uplink};
use rackwarden_core::plugins::PLUGINS;
use rackwarden_core::sim::Sim;
use std::path::Path;

/// What happens at a second of an example.
#[derive(Clone, Copy)]
enum Deed {
    /// The processor has this temperature, in °C.
    Heat(f64),
    /// Another sensor of the processor has.
    Second(&'static str, f64),
    /// The sensor is gone.
    Gone,
    /// The machine has a way out, or none.
    Uplink(Uplink),
    /// The PDU answers, or does not.
    Answers(bool),
    /// An alert that a plugin reports.
    Report(Severity, AlertState, &'static str),
    /// Somebody writes this.
    Says(&'static str),
    /// Somebody presses this.
    Presses(&'static str),
}

use Deed::{Answers, Gone, Heat, Presses, Report, Says, Second};

struct Example {
    name: &'static str,
    /// Lines of configuration, shown and in force.
    config: &'static str,
    deeds: &'static [(u64, Deed)],
    /// How many seconds are shown.
    lasting: u64,
}

const AT_ONCE: &str = "[monitor.thresholds]\n\
    cpu_temperature = { on = \"85 °C\", off = \"80 °C\", for = \"0s\", clear_for = \"0s\" }\n";

const EXAMPLES: &[Example] = &[
    Example {
        name: "on and off",
        config: AT_ONCE,
        deeds: &[
            (0, Heat(85.0)),
            (10, Heat(86.0)),
            (20, Heat(83.0)),
            (30, Heat(88.0)),
            (40, Heat(80.5)),
            (50, Heat(80.0)),
        ],
        lasting: 60,
    },
    Example {
        name: "for",
        config: "[monitor.thresholds]\n\
            cpu_temperature = { on = \"85 °C\", for = \"10s\", clear_for = \"0s\" }\n",
        deeds: &[
            (0, Heat(90.0)),
            (8, Heat(84.0)),
            (20, Heat(90.0)),
            (40, Heat(70.0)),
        ],
        lasting: 50,
    },
    Example {
        name: "clear_for",
        config: "[monitor.thresholds]\n\
            cpu_temperature = { on = \"85 °C\", for = \"0s\", clear_for = \"10s\" }\n",
        deeds: &[
            (0, Heat(90.0)),
            (10, Heat(70.0)),
            (16, Heat(81.0)),
            (30, Heat(70.0)),
        ],
        lasting: 50,
    },
    Example {
        name: "severity",
        config: "[monitor.thresholds]\n\
            cpu_temperature = { on = \"85 °C\", for = \"0s\", severity = \"critical\" }\n\
            \n[[notify.route]]\n\
            severity = \"critical\"\n\
            alert = \"monitor.*\"\n\
            to = [\"telegram:-1001234/7\"]     # topic 7 of that group\n",
        deeds: &[(0, Heat(90.0))],
        lasting: 5,
    },
    Example {
        name: "a rule that is off",
        config: "[monitor.thresholds]\ncpu_temperature = \"off\"\n",
        deeds: &[(0, Heat(95.0)), (60, Heat(50.0))],
        lasting: 70,
    },
    Example {
        name: "unknown",
        config: AT_ONCE,
        deeds: &[
            (0, Heat(90.0)),
            (10, Gone),
            (40, Heat(83.0)),
            (50, Gone),
            (60, Heat(50.0)),
        ],
        lasting: 70,
    },
    Example {
        name: "escalation",
        config: "",
        deeds: &[
            (
                0,
                Report(
                    Severity::Warning,
                    AlertState::Firing,
                    "90 of 100 slots in use",
                ),
            ),
            (
                60,
                Report(
                    Severity::Critical,
                    AlertState::Firing,
                    "99 of 100 slots in use",
                ),
            ),
            (
                90,
                Report(
                    Severity::Warning,
                    AlertState::Firing,
                    "91 of 100 slots in use",
                ),
            ),
            (
                120,
                Report(Severity::Warning, AlertState::Ok, "20 of 100 slots in use"),
            ),
        ],
        lasting: 130,
    },
    Example {
        name: "repeat",
        config: "[notify]\nrepeat = { warning = \"10m\" }\n\n\
            [monitor.thresholds]\ncpu_temperature = { on = \"85 °C\", for = \"0s\", clear_for = \"0s\" }\n",
        deeds: &[(0, Heat(90.0)), (1500, Heat(50.0))],
        lasting: 1510,
    },
    Example {
        name: "ack",
        config: "[notify]\nrepeat = { warning = \"10m\" }\n\n\
            [monitor.thresholds]\ncpu_temperature = { on = \"85 °C\", for = \"0s\", clear_for = \"0s\" }\n",
        deeds: &[(0, Heat(90.0)), (700, Presses("Ack")), (3000, Heat(50.0))],
        lasting: 3010,
    },
    Example {
        name: "max_notifications",
        config: "[notify]\nmax_notifications = 2\nreset_after = \"2m\"\n\n\
            [monitor.thresholds]\ncpu_temperature = { on = \"85 °C\", for = \"0s\", clear_for = \"0s\" }\n",
        deeds: &[
            (0, Heat(90.0)),
            (10, Heat(50.0)),
            (20, Heat(91.0)),
            (30, Heat(50.0)),
            (40, Heat(92.0)),
        ],
        lasting: 130,
    },
    Example {
        name: "flapping",
        config: AT_ONCE,
        deeds: &[
            (0, Heat(90.0)),
            (10, Heat(50.0)),
            (20, Heat(90.0)),
            (30, Heat(50.0)),
            (40, Heat(90.0)),
            (50, Heat(50.0)),
            (60, Heat(90.0)),
            (70, Heat(50.0)),
            (80, Heat(90.0)),
            (90, Heat(50.0)),
        ],
        lasting: 220,
    },
    Example {
        name: "mute",
        config: AT_ONCE,
        deeds: &[
            (0, Heat(90.0)),
            (
                10,
                Says("/mute monitor.cpu_temperature:cpu_thermal 5m new paste"),
            ),
            (30, Heat(50.0)),
            (100, Heat(95.0)),
        ],
        lasting: 320,
    },
    Example {
        name: "mute all",
        config: AT_ONCE,
        deeds: &[
            (0, Says("/mute all 5m moving racks")),
            (30, Heat(90.0)),
            (60, Heat(50.0)),
            (90, Second("acpitz", 95.0)),
        ],
        lasting: 310,
    },
    Example {
        name: "quiet_hours",
        config: "[notify]\ntimezone = \"UTC\"\nquiet_hours = \"20:01-20:05\"     # the example begins at 20:00:20\n\n\
            [monitor.thresholds]\ncpu_temperature = { on = \"85 °C\", for = \"0s\", clear_for = \"0s\" }\n",
        deeds: &[(60, Heat(90.0)), (90, Heat(50.0)), (120, Heat(91.0))],
        lasting: 300,
    },
    Example {
        name: "groups",
        config: AT_ONCE,
        deeds: &[
            (0, Heat(90.0)),
            (0, Second("acpitz", 91.0)),
            (10, Second("k10temp", 92.0)),
            (20, Heat(50.0)),
        ],
        lasting: 40,
    },
    Example {
        name: "inhibition",
        config: "[[pdu]]\nname = \"alpha\"\naddress = \"192.0.2.1\"\n",
        deeds: &[
            (0, Deed::Uplink(Uplink::NoRoute)),
            (0, Answers(false)),
            (120, Deed::Uplink(Uplink::Up)),
        ],
        lasting: 170,
    },
];

/// The configuration of an example, around what it shows.
fn config(text: &str) -> Config {
    let mut config =
        parse::parse(text, "a.toml", &Environment::bare(), PLUGINS).expect("no errors");
    let base = Sim::config(&[]);
    config.name = base.name;
    config.telegram = base.telegram;
    config.access = base.access;
    config.notify.to = base.notify.to;
    config
}

fn perform(sim: &mut Sim, deed: Deed) {
    let heat = |name: &str, celsius| Temperature {
        key: format!("thermal/{name}").into(),
        name: name.into(),
        kind: SensorKind::Cpu,
        is_main: true,
        celsius: Some(celsius),
        critical_celsius: None,
    };
    let set = |sim: &mut Sim, name: &str, celsius| {
        let list = &mut sim.machine().sample.temperatures;
        list.retain(|one| *one.name != *name);
        list.push(heat(name, celsius));
    };
    match deed {
        Heat(celsius) => set(sim, "cpu_thermal", celsius),
        Second(name, celsius) => set(sim, name, celsius),
        Gone => sim.machine().sample.temperatures.clear(),
        Deed::Uplink(uplink) => sim.machine().sample.uplink = uplink,
        Answers(answers) => sim.device("alpha").set_silent(!answers),
        Report(severity, state, words) => report("example.slots:host", severity, state, words),
        Says(line) => sim.post(OWNER, GROUP, line),
        Presses(label) => sim.press(OWNER, GROUP, label),
    }
}

fn words(deed: Deed) -> String {
    match deed {
        Heat(celsius) => format!("{celsius} °C"),
        Second(name, celsius) => format!("{name} {celsius} °C"),
        Gone => "no sensor".to_owned(),
        Deed::Uplink(Uplink::Up) => "a default route again".to_owned(),
        Deed::Uplink(_) => "no default route any more".to_owned(),
        Answers(false) => "alpha stops answering".to_owned(),
        Answers(true) => "alpha answers".to_owned(),
        Report(severity, state, _) => match state {
            AlertState::Firing => severity.name().to_owned(),
            _ => state.name().to_owned(),
        },
        Says(line) => line.to_owned(),
        Presses(label) => format!("[{label}] is pressed"),
    }
}

/// The states of all alerts, when they are not ok.
fn states(sim: &mut Sim) -> String {
    let snapshot = sim.look();
    let mut alerts: Vec<_> = snapshot.alerts.iter().collect();
    alerts.sort_by(|a, b| a.name.cmp(&b.name));
    let one = alerts.len() == 1;
    let words = alerts.iter().map(|alert| match one {
        true => alert.state.name().to_owned(),
        false => {
            let (_, what) = alert.name.split_once('.').unwrap_or_default();
            format!("{what} {}", alert.state.name())
        }
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        "ok".to_owned()
    } else {
        words.join(", ")
    }
}

/// What people see, with the number of the message.
fn seen(transcript: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for message in transcript.split("[t+").skip(1) {
        let (head, text) = message.split_once("] ").unwrap_or((message, ""));
        let chat = head.split(' ').nth(1).unwrap_or_default();
        let place = if chat == "telegram:-100" {
            String::new()
        } else {
            format!(" in {chat}")
        };
        let number = head.rsplit('#').next().unwrap_or_default();
        let deed = if head.contains(" edits ") {
            "reads"
        } else {
            "rings"
        };
        let mut text = text.trim_end().lines();
        let first = text.next().unwrap_or_default();
        lines.push(format!("#{number} {deed}{place}: {first}"));
        lines.extend(text.map(|line| format!("     {line}")));
    }
    lines
}

fn timeline(example: &Example) -> String {
    let mut sim = settled_quietly(config(example.config));
    let mut out = String::from("```toml\n");
    out.push_str(example.config.trim_end());
    out.push_str("\n```\n\n```\n");
    if example.config.is_empty() {
        out.clear();
        out.push_str("```\n");
    }
    let mut state = "ok".to_owned();
    for second in 0..example.lasting {
        let due = example.deeds.iter().filter(|(at, _)| *at == second);
        let done: Vec<String> = due
            .map(|(_, deed)| {
                perform(&mut sim, *deed);
                words(*deed)
            })
            .collect();
        sim.clear_transcript();
        sim.run_for(seconds(1));
        let now = states(&mut sim);
        let seen = seen(&sim.transcript());
        if done.is_empty() && seen.is_empty() && now == state {
            continue;
        }
        let line = format!("{second:>4} s  {:<26} {now}", done.join(", "));
        out.push_str(line.trim_end());
        out.push('\n');
        for line in seen {
            out.push_str(&format!("        {line}\n"));
        }
        state = now;
    }
    out.push_str("```\n");
    out
}

#[test]
fn the_documentation_shows_what_the_engine_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md");
    let text = std::fs::read_to_string(&path).expect("the documentation");
    let mut written = text.clone();
    for example in EXAMPLES {
        let mark = format!("<!-- {} -->\n", example.name);
        let (before, after) = written.split_once(&mark).expect(example.name);
        // The block ends where the next heading, text or mark begins.
        let rest = match after.starts_with("\n```") || after.starts_with("```") {
            true => after_blocks(after),
            false => after,
        };
        written = format!("{before}{mark}{}\n{}", timeline(example), rest.trim_start());
    }
    let written = format!("{}\n", written.trim_end());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &written).expect("the documentation can be written");
        return;
    }
    let differs = text.lines().zip(written.lines()).find(|(a, b)| a != b);
    assert_eq!(differs, None, "run it with UPDATE_EXPECT=1");
    assert_eq!(text, written, "run it with UPDATE_EXPECT=1");
}

/// What stands behind the fenced blocks that a text begins with.
fn after_blocks(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(block) = rest.strip_prefix("```") {
        rest = block
            .split_once("\n```\n")
            .map_or("", |(_, rest)| rest.trim_start());
    }
    rest
}
