//! `import pytmbot`: turns `pytmbot.yaml` of any version into our configuration. Its values are lists of one element or
//! plain; of longer lists pyTMbot read the first. Secrets stay where they are.

use super::yaml::{self, Node, Value};
use rackwarden_base::reader::quoted;
use std::fmt::Write;

/// What was found in a file.
#[derive(Debug, Default)]
struct Found {
    admins: Vec<i64>,
    users: Vec<i64>,
    chats: Vec<i64>,
    thresholds: Vec<(&'static str, String)>,
    interval: Option<String>,
    notifications: Vec<(&'static str, String)>,
    /// What has no counterpart, with its line.
    left_out: Vec<String>,
    problems: Vec<String>,
}

/// Their name of a threshold, ours, and the unit.
const THRESHOLDS: &[(&str, &str, &str)] = &[
    ("cpu_usage_threshold", "cpu", "%"),
    ("memory_usage_threshold", "memory", "%"),
    ("disk_usage_threshold", "disk", "%"),
    ("cpu_temperature_threshold", "cpu_temperature", "°C"),
    ("gpu_temperature_threshold", "gpu_temperature", "°C"),
    ("disk_temperature_threshold", "disk_temperature", "°C"),
];

/// The configuration as text.
///
/// # Errors
/// Everything that cannot be read, each with file and line.
pub(super) fn import(text: &str, file: &str) -> Result<String, Vec<String>> {
    let top = match yaml::read(text) {
        Ok(top) => top,
        Err((line, what)) => {
            return Err(vec![format!(
                "{file}:{line}: {what}; see pytmbot.yaml.sample"
            )]);
        }
    };
    let mut reader = Reader {
        file,
        counts_seconds: counts_seconds(&top),
        found: Found::default(),
    };
    reader.top(&top);
    match reader.found.problems.is_empty() {
        true => Ok(toml(&reader.found)),
        false => Err(reader.found.problems),
    }
}

/// Since 0.3 the span after which messages are counted anew is meant in seconds.
fn counts_seconds(top: &[(String, Node)]) -> bool {
    let version = top.iter().find(|(key, _)| key == "config_version");
    let Some(Value::Scalar(version)) = version.map(|(_, node)| first(node)) else {
        return false;
    };
    let mut parts = version.trim_start_matches('v').split(['.', '-']);
    let mut part = || parts.next().and_then(|part| part.parse::<u32>().ok());
    (part(), part()) >= (Some(0), Some(3))
}

/// The value, or the first of a list.
fn first(node: &Node) -> &Value {
    match &node.value {
        Value::List(items) => items.first().map_or(&Value::Nothing, |item| &item.value),
        value => value,
    }
}

struct Reader<'a> {
    file: &'a str,
    counts_seconds: bool,
    found: Found,
}

impl Reader<'_> {
    fn top(&mut self, top: &[(String, Node)]) {
        for (key, node) in top {
            match key.as_str() {
                "config_version" => {}
                // A secret; the head of the result says where it goes.
                "bot_token" => {}
                "chat_id" => self.section(key, node, |reader, key, node| {
                    match key {
                        "global_chat_id" => reader.found.chats = reader.ids(node, true),
                        _ => return false,
                    }
                    true
                }),
                "access_control" => self.section(key, node, |reader, key, node| {
                    match key {
                        "allowed_user_ids" => reader.found.users = reader.ids(node, false),
                        "allowed_admins_ids" => reader.found.admins = reader.ids(node, false),
                        _ => return false,
                    }
                    true
                }),
                "plugins_config" => self.section(key, node, |reader, key, node| {
                    if key != "monitor" {
                        return false;
                    }
                    reader.section("plugins_config.monitor", node, Reader::monitor);
                    true
                }),
                _ => self.leave_out(key, node),
            }
        }
    }

    /// Hands every entry of a map to `take`, which says whether it knew the key.
    fn section(&mut self, name: &str, node: &Node, take: impl Fn(&mut Self, &str, &Node) -> bool) {
        match &node.value {
            Value::Nothing => {}
            Value::Map(entries) => {
                for (key, node) in entries {
                    if !take(self, key, node) {
                        self.leave_out(&format!("{name}.{key}"), node);
                    }
                }
            }
            _ => self.problem(node, &format!("{name} is not a section")),
        }
    }

    fn monitor(&mut self, key: &str, node: &Node) -> bool {
        match key {
            // Their spelling, and the one that it should have.
            "tracehold" | "threshold" | "thresholds" => {
                self.section("plugins_config.monitor.tracehold", node, Reader::threshold);
            }
            "check_interval" => {
                let span = self.number(node, 0.1, 3600.0, "seconds from 0.1 to 3600");
                self.found.interval = span.map(seconds);
            }
            "max_notifications" => {
                let most = self.number(node, 1.0, 1000.0, "a whole number from 1 to 1000");
                if let Some(most) = most {
                    let most = most.trunc().to_string();
                    self.found.notifications.push(("max_notifications", most));
                }
            }
            "reset_notification_count" => self.reset_after(node),
            "retry_attempts" => {
                let attempts = self.number(node, 0.0, 1000.0, "a whole number from 0 to 1000");
                if let Some(attempts) = attempts {
                    let attempts = attempts.trunc().to_string();
                    self.found.notifications.push(("retry_attempts", attempts));
                }
            }
            "retry_interval" => {
                let span = self.number(node, 1.0, 86400.0, "seconds from 1 to 86400");
                if let Some(span) = span {
                    let span = quoted(&seconds(span));
                    self.found.notifications.push(("retry_interval", span));
                }
            }
            _ => return false,
        }
        true
    }

    fn threshold(&mut self, key: &str, node: &Node) -> bool {
        let Some((_, ours, unit)) = THRESHOLDS.iter().find(|(theirs, ..)| *theirs == key) else {
            return false;
        };
        let value = match *unit {
            "%" => self.number(node, 0.0, 100.0, "a share from 0 to 100"),
            _ => self.number(node, 0.0, 1000.0, "degrees Celsius from 0 to 1000"),
        };
        if let Some(value) = value {
            self.found
                .thresholds
                .push((ours, quoted(&format!("{value} {unit}"))));
        }
        true
    }

    /// Files of before 0.3 have minutes. The sample of 0.3 still says minutes, where its code takes seconds: a value that
    /// is too short for those is taken for what was meant.
    fn reset_after(&mut self, node: &Node) {
        let Some(value) = self.number(node, 1.0, 1e6, "a whole number from 1") else {
            return;
        };
        let span = match self.counts_seconds && value >= 30.0 {
            true => value,
            false => value * 60.0,
        };
        self.found
            .notifications
            .push(("reset_after", quoted(&seconds(span))));
    }

    fn number(&mut self, node: &Node, from: f64, to: f64, expected: &str) -> Option<f64> {
        let Value::Scalar(text) = first(node) else {
            if *first(node) != Value::Nothing {
                self.problem(node, &format!("is not a number; write {expected}"));
            }
            return None;
        };
        let text = text.trim().trim_end_matches('%').trim_end();
        if text.is_empty() {
            return None;
        }
        let wrong = match text.parse::<f64>() {
            Ok(number) if (from..=to).contains(&number) => return Some(number),
            Ok(_) => "is out of range",
            Err(_) => "is not a number",
        };
        self.problem(node, &format!("{wrong}; write {expected}"));
        None
    }

    /// Ids of people, or of chats, which may be negative.
    fn ids(&mut self, node: &Node, of_chats: bool) -> Vec<i64> {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut ids = Vec::new();
        for item in items {
            let text = match &item.value {
                Value::Nothing => continue,
                Value::Scalar(text) if text.is_empty() => continue,
                Value::Scalar(text) => text.as_str(),
                _ => "",
            };
            match text.parse::<i64>() {
                // The sample's placeholder.
                Ok(0) => {}
                Ok(id) if id < 0 && !of_chats => {
                    self.problem(item, "is the id of a group; write the number of a person");
                }
                Ok(id) if ids.contains(&id) => {}
                Ok(id) => ids.push(id),
                Err(_) => self.problem(item, "is not an id; write the number that /id shows"),
            }
        }
        ids
    }

    fn leave_out(&mut self, name: &str, node: &Node) {
        let name: String = name
            .chars()
            .filter(|ch| !ch.is_control())
            .take(80)
            .collect();
        self.found
            .left_out
            .push(format!("{name} (line {})", node.line));
    }

    fn problem(&mut self, node: &Node, what: &str) {
        self.found
            .problems
            .push(format!("{}:{}: {what}", self.file, node.line));
    }
}

fn seconds(span: f64) -> String {
    let millis = (span * 1e3).round() as u64;
    rackwarden_core::config::units::format_duration(std::time::Duration::from_millis(millis))
}

fn toml(found: &Found) -> String {
    let mut text = String::from(
        "# Imported from pyTMbot. Put the bot's token into the file below (mode 0600) and take the `#` off these two lines, or
# give it as $RACKWARDEN_TELEGRAM_TOKEN. Look over the rest, and try it with `rackwarden check`.
",
    );
    if !found.left_out.is_empty() {
        text += "#\n# Not taken over, because there is nothing like it here yet:\n";
        for what in &found.left_out {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "#   {what}");
        }
    }
    text += "\n#[telegram]\n#token_file = \"/etc/rackwarden/telegram.token\"\n";
    people(&mut text, found);
    text += "\n[monitor]\n";
    if let Some(interval) = &found.interval {
        let _ = writeln!(text, "interval = {}", quoted(interval));
    }
    table(&mut text, "monitor.thresholds", &found.thresholds);
    table(&mut text, "monitor.notifications", &found.notifications);
    text
}

fn people(text: &mut String, found: &Found) {
    let listed = |ids: &[i64]| {
        let ids: Vec<String> = ids.iter().map(|id| format!("\"telegram:{id}\"")).collect();
        ids.join(", ")
    };
    text.push_str("\n[access]\n");
    let note = match found.admins.is_empty() {
        true => "nobody was listed; `rackwarden pair` makes you one once the agent runs",
        false => "the admins",
    };
    let _ = writeln!(text, "owners = [{}]   # {note}", listed(&found.admins));
    for user in &found.users {
        if !found.admins.contains(user) {
            let _ = write!(
                text,
                "\n[[access.grant]]\nwho = \"telegram:{user}\"\nrole = \"viewer\"\n"
            );
        }
    }
    // Of several, the first was told.
    let to = listed(found.chats.get(..1).unwrap_or_default());
    let _ = write!(text, "\n[notify]\nto = [{to}]\n");
}

fn table(text: &mut String, name: &str, entries: &[(&'static str, String)]) {
    if entries.is_empty() {
        return;
    }
    let _ = write!(text, "\n[{name}]\n");
    for (key, value) in entries {
        let _ = writeln!(text, "{key} = {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::config::{Config, Environment, parse};
    use rackwarden_core::plugins::PLUGINS;
    use rackwarden_core::plugins::monitor;
    use rackwarden_core::plugins::monitor::Metric;

    const OLD: &str = include_str!("../../tests/fixtures/import/pytmbot-0.1.yaml");

    fn imported(text: &str) -> (String, Config) {
        let text = import(text, "f").unwrap_or_else(|problems| panic!("{problems:?}"));
        let config = parse::parse(&text, "imported.toml", &Environment::bare(), PLUGINS);
        let config = config.unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        (text, config)
    }

    #[test]
    fn a_file_of_the_first_versions_arrives() {
        let (text, config) = imported(OLD);
        let monitor = monitor::settings(&config);
        let on = |metric: Metric| monitor.of(metric).general.expect("on").rule.on;
        let on: Vec<f64> = Metric::ALL.into_iter().map(on).collect();
        assert_eq!(on, [81.0, 82.0, 83.0, 90.0, 84.0, 85.5, 61.0]);
        assert_eq!(monitor.interval.as_secs(), 2);
        assert_eq!(
            (monitor.retry_attempts, monitor.retry_interval.as_secs()),
            (4, 11)
        );
        let notify = config.notify_of("monitor.cpu:host");
        assert_eq!(
            (notify.max_notifications, notify.reset_after.as_secs()),
            (2, 420)
        );
        assert_eq!(notify.to[0].to_string(), "telegram:-1001234567890");
        let owners: Vec<String> = config
            .access
            .owners
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(owners, ["telegram:424242424"]);
        assert_eq!(config.access.grants.len(), 1);
        assert_eq!(
            config.access.grants[0].who.to_string(),
            "telegram:133742241"
        );
        for secret in ["s3cr3t-token", "s3cr3t-salt", "s3cr3t-path"] {
            assert!(OLD.contains(secret) && !text.contains(secret), "{secret}");
        }
        for left_out in [
            "docker (line",
            "webhook_config",
            "plugins_config.outline",
            "influxdb",
        ] {
            assert!(text.contains(left_out), "{left_out}\n{text}");
        }
    }

    #[test]
    fn spellings_forms_and_units_of_later_versions_are_known() {
        let span = |text: &str| {
            let (_, config) = imported(&format!(
                "{text}plugins_config:\n  monitor:\n    reset_notification_count: [5]\n"
            ));
            config.notify_of("monitor.cpu:host").reset_after.as_secs()
        };
        // The sample of 0.3 still has 5 and calls it minutes.
        assert_eq!(span("config_version: '0.3.0-dev'\n"), 300);
        assert_eq!(span(""), 300);
        let newer = "config_version: 0.3.3\nplugins_config:\n  monitor:\n    threshold:\n      cpu_usage_threshold: 70\n    reset_notification_count:\n      - 600\n    check_interval: '5'\n";
        let (_, config) = imported(newer);
        assert_eq!(
            monitor::settings(&config)
                .of(Metric::Cpu)
                .general
                .expect("on")
                .rule
                .on,
            70.0
        );
        assert_eq!(config.notify_of("monitor.x").reset_after.as_secs(), 600);
        assert_eq!(monitor::settings(&config).interval.as_secs(), 5);
        let older = newer.replace("0.3.3", "0.2.2").replace("600", "6");
        assert_eq!(
            imported(&older)
                .1
                .notify_of("monitor.x")
                .reset_after
                .as_secs(),
            360
        );
    }

    #[test]
    fn an_empty_file_still_gives_a_configuration() {
        let (text, config) = imported("");
        assert!(config.access.owners.is_empty() && text.contains("rackwarden pair"));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, want) in [
            (
                "plugins_config:\n  monitor:\n    tracehold:\n      cpu_usage_threshold:\n        - 180\n",
                "f:5: is out of range; write a share from 0 to 100",
            ),
            (
                "plugins_config:\n  monitor:\n    check_interval: soon\n",
                "f:3: is not a number; write seconds from 0.1 to 3600",
            ),
            (
                "access_control:\n  allowed_user_ids: [1, joe]\n",
                "f:2: is not an id; write the number that /id shows",
            ),
            (
                "access_control:\n  allowed_admins_ids:\n    - -100\n",
                "f:3: is the id of a group; write the number of a person",
            ),
            ("chat_id: 5\n", "f:1: chat_id is not a section"),
            (
                "bot_token: &s3cr3t x\n",
                "f:1: has an anchor, which is not read; see pytmbot.yaml.sample",
            ),
        ] {
            assert_eq!(import(text, "f"), Err(vec![want.to_owned()]), "{text}");
        }
    }
}
