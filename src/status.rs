//! `status`: what the running agent sees, as text or as JSON.

use crate::args::StatusOptions;
use crate::failure::{Outcome, print};
use crate::local;
use rackwarden_core::host::Bytes;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Runs the subcommand. `--json` prints one object with `status`, `power`, `host` and `alerts`, each as the HTTP
/// interface has it.
pub(crate) fn run(options: &StatusOptions) -> Outcome {
    local::converse(
        options.config.as_deref(),
        &json!({"status": true}),
        |answer| {
            if options.json {
                let parts = ["status", "power", "host", "alerts"]
                    .map(|part| (part.to_owned(), answer[part].clone()));
                let object = Value::Object(parts.into_iter().collect());
                print(&format!("{object:#}\n"))
            } else {
                print(&text(answer))
            }
        },
    )
}

fn text(answer: &Value) -> String {
    let (status, power) = (&answer["status"], &answer["power"]);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} {}, up {}, {}",
        words(&status["name"]),
        words(&status["version"]),
        duration(&status["uptime_s"]),
        words(&status["health"]["status"])
    );
    for reason in list(&status["health"]["reasons"]) {
        let _ = writeln!(out, "  problem: {}", words(reason));
    }
    let pdus = list(&power["pdus"]);
    let teams = list(&power["teams"]);
    let names = pdus
        .iter()
        .chain(teams)
        .map(|row| words(&row["name"]).chars().count());
    let width = names.chain(["all PDUs".len()]).max().unwrap_or_default();
    let things = host_rows(&answer["host"]);
    let of_things = things.iter().map(|(name, _)| name.chars().count());
    let of_things = of_things.max().unwrap_or_default();
    for (name, words) in &things {
        let _ = writeln!(out, "{name:of_things$}  {words}");
    }
    for pdu in pdus {
        let mut note = Vec::new();
        note.extend(pdu["reason"].as_str().map(str::to_owned));
        if pdu["state"] != "ok" && pdu["state"] != "over_limit" && !pdu["age_s"].is_null() {
            note.push(format!("last reading {} ago", duration(&pdu["age_s"])));
        }
        row(&mut out, width, pdu, "", &note.join("; "));
    }
    for team in teams {
        sum_row(&mut out, width, team);
    }
    if !pdus.is_empty() {
        let mut site = power["site"].clone();
        site["name"] = "all PDUs".into();
        site["limit_w"] = match site["hard_limit_w"].is_null() {
            true => site["soft_limit_w"].clone(),
            false => site["hard_limit_w"].clone(),
        };
        sum_row(&mut out, width, &site);
    }
    for alert in list(&answer["alerts"]["alerts"]) {
        let _ = writeln!(
            out,
            "alert {}: {} {}: {}",
            alert["number"],
            words(&alert["severity"]),
            words(&alert["state"]),
            words(&alert["summary"])
        );
    }
    out
}

/// The machine: itself, its file systems, and the sensors that limits are meant for.
fn host_rows(host: &Value) -> Vec<(String, String)> {
    if host["time"].is_null() {
        return Vec::new();
    }
    let percent = |value: &Value| value.as_f64().map(|value| format!("{value:.0} %"));
    let bytes = |value: &Value| Bytes(value.as_f64().unwrap_or_default() as u64);
    let mut facts = Vec::new();
    facts.extend(percent(&host["cpu_percent"]).map(|busy| format!("CPU {busy}")));
    if let [one, five, fifteen] = list(&host["load"]) {
        let load = [one, five, fifteen].map(|load| load.as_f64().unwrap_or_default());
        facts.push(format!("load {:.2} {:.2} {:.2}", load[0], load[1], load[2]));
    }
    let memory = &host["memory"];
    if let Some(share) = percent(&memory["used_percent"]) {
        let (used, total) = (bytes(&memory["used_bytes"]), bytes(&memory["total_bytes"]));
        facts.push(format!("memory {used} of {total} ({share})"));
    }
    if !host["uptime_s"].is_null() {
        facts.push(format!("up {}", duration(&host["uptime_s"])));
    }
    let mut rows = vec![("host".to_owned(), facts.join(", "))];
    for disk in list(&host["disks"]) {
        let (free, size) = (bytes(&disk["available_bytes"]), bytes(&disk["total_bytes"]));
        let says = match percent(&disk["used_percent"]) {
            Some(share) => format!("{share}, {free} of {size} free"),
            None if disk["hangs_for_s"].is_null() => "-".to_owned(),
            None => format!("does not answer for {}", duration(&disk["hangs_for_s"])),
        };
        rows.push((words(&disk["mount"]).to_owned(), says));
    }
    for sensor in list(&host["temperatures"]) {
        if let (Some(celsius), true) = (
            sensor["temperature_celsius"].as_f64(),
            sensor["kind"] != "other" && sensor["is_main"] == true,
        ) {
            let name = words(&sensor["name"]).to_owned();
            rows.push((name, format!("{celsius:.1} °C")));
        }
    }
    if !host["throttled"].is_null() {
        let sentence = words(&host["throttled"]["sentence"]).to_owned();
        rows.push(("supply".to_owned(), sentence));
    }
    rows
}

fn sum_row(out: &mut String, width: usize, sum: &Value) {
    let missing: Vec<&str> = list(&sum["missing"]).iter().map(words).collect();
    match missing.is_empty() {
        true => row(out, width, sum, "", ""),
        false => row(
            out,
            width,
            sum,
            "≥ ",
            &format!("without {}", missing.join(", ")),
        ),
    }
}

fn row(out: &mut String, width: usize, row: &Value, bound: &str, note: &str) {
    let watts = |key: &str| row[key].as_f64().map(|watts| format!("{watts:.0} W"));
    let power = watts("power_w").map_or("-".to_owned(), |power| format!("{bound}{power}"));
    let limit = watts("limit_w").map_or(String::new(), |limit| format!("of {limit}"));
    let name = words(&row["name"]);
    let state = words(&row["state"]).replace('_', " ");
    let line = format!("{name:width$}  {power:>10} {limit:<12} {state:<11} {note}");
    out.push_str(line.trim_end());
    out.push('\n');
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn duration(seconds: &Value) -> String {
    let seconds = seconds.as_f64().unwrap_or_default().clamp(0.0, 1e12);
    let duration = std::time::Duration::from_secs_f64(seconds);
    rackwarden_core::time::Human(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::http::sample::{self, Sample};
    use rackwarden_core::http::{View, json as bodies};

    #[test]
    fn the_text_tells_power_limits_and_what_is_missing() {
        let snapshot = sample::snapshot(Sample::Unreachable);
        let view = View::new(&snapshot, snapshot.now);
        let parsed = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
        let answer = json!({
            "status": parsed(bodies::status(&view)),
            "power": parsed(bodies::power(&view)),
            "host": parsed(rackwarden_core::http::host::host(&view)),
            "alerts": parsed(bodies::alerts(&view)),
        });
        let text = text(&answer);
        let want = "\
rack-3 0.1.0, up 1 d 1 h, ok
host         CPU 12 %, load 0.42 0.37 0.31, memory 1.2 GiB of 4 GiB (29 %), up 14 d 6 h
/            57 %, 12.1 GiB of 29.8 GiB free
/mnt/nas     does not answer for 75 s
cpu_thermal  51.2 °C
supply       now under-voltage (the supply is below 4.63 V) and throttled
alpha           1968 W of 3000 W    ok
bravo                - of 3000 W    unreachable no answer within 1.8 s; last reading 3 min 12 s ago
charlie              - of 3000 W    unknown     unknown user apc
delta            270 W of 3000 W    stale       last reading 6 s ago
Team Alpha    ≥ 1968 W of 6000 W    unknown     without bravo
Team Bravo     ≥ 270 W of 6000 W    unknown     without charlie
all PDUs      ≥ 2238 W of 17000 W   unknown     without bravo, charlie
alert 1: warning firing: Team Alpha (bravo): no answer since 20:11:50
";
        assert_eq!(text, want);
    }
}
