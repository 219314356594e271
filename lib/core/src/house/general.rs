//! The commands that everybody begins with: `/start /help /id /status /plugins /version`.

use super::{Command, HouseCtx, machine};
use crate::alert::AlertState;
use crate::chat::{Answer, Invocation, Role, Spec};
use crate::snapshot::Snapshot;
use crate::text::Text;
use crate::time::Human;

/// The rows.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        spec: spec(
            ["start", "", "/start"],
            "what this agent can do for you",
            Role::Anyone,
        ),
        run: |house, invocation| tell(house, invocation, start),
    },
    Command {
        spec: spec(
            ["help", "[command]", "/help reset"],
            "the commands, or one of them with an example",
            Role::Anyone,
        ),
        run: |house, invocation| tell(house, invocation, help),
    },
    Command {
        spec: spec(
            ["id", "", "/id"],
            "your id and this chat's, for the configuration",
            Role::Anyone,
        ),
        run: |house, invocation| tell(house, invocation, id),
    },
    Command {
        spec: spec(
            ["status", "", "/status"],
            "host, power, alerts and plugins on one screen",
            Role::Viewer,
        ),
        run: |house, invocation| tell(house, invocation, status),
    },
    Command {
        spec: spec(["plugins", "", "/plugins"], "what runs", Role::Viewer),
        run: |house, invocation| tell(house, invocation, plugins),
    },
    Command {
        spec: spec(
            ["version", "", "/version"],
            "the version of the agent",
            Role::Viewer,
        ),
        run: |house, invocation| tell(house, invocation, version),
    },
];

/// A specification from its name, usage and example.
const fn spec(words: [&'static str; 3], help: &'static str, role: Role) -> Spec {
    let [name, usage, example] = words;
    Spec {
        name,
        usage,
        help,
        example,
        role,
        action: None,
        arg: None,
        changes_state: false,
    }
}

type Words = fn(&HouseCtx<'_>, &Invocation) -> Text;

fn tell(house: &mut HouseCtx<'_>, invocation: &Invocation, words: Words) {
    let text = words(house, invocation);
    house.answer(invocation, Answer::text(text));
}

fn version(_house: &HouseCtx<'_>, _invocation: &Invocation) -> Text {
    Text::from(concat!("rackwarden ", env!("CARGO_PKG_VERSION")))
}

fn start(house: &HouseCtx<'_>, invocation: &Invocation) -> Text {
    let mut text = Text::new()
        .plain("This is rackwarden on ")
        .bold(&*house.env.config.name)
        .plain(".");
    let now = house.env.now.wall;
    let caller = &invocation.caller;
    match house.access.role(now, caller) {
        Some(role) => text.push(
            crate::text::Style::Plain,
            format!(" You are {} here. You may use:", role.name()),
        ),
        None if house.access.knows(now, caller) => {
            text.push(crate::text::Style::Plain, " You may use:");
        }
        None => text.push(
            crate::text::Style::Plain,
            " It does not know you yet. Give its owner the id that /id shows; until then you may use:",
        ),
    }
    text.append(list(house, invocation));
    if !caller.is_private {
        text.push(
            crate::text::Style::Plain,
            "\nIn groups I only read lines that begin with a slash.",
        );
    }
    text
}

fn help(house: &HouseCtx<'_>, invocation: &Invocation) -> Text {
    let Some(wanted) = invocation.arg(0) else {
        let mut text = Text::new().plain("You may use:");
        text.append(list(house, invocation));
        return text.plain("\nNames may be shortened as long as they are unique.");
    };
    let wanted = wanted.trim_start_matches('/').to_ascii_lowercase();
    let allowed = allowed(house, invocation);
    let found: Vec<&&Spec> = match allowed.iter().find(|spec| spec.name == wanted) {
        Some(exact) => vec![exact],
        None => allowed
            .iter()
            .filter(|spec| spec.name.starts_with(&wanted))
            .collect(),
    };
    match found.as_slice() {
        [spec] => one(spec),
        [] => Text::from(format!("You have no command /{wanted}. /help lists yours.")),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|spec| format!("/{}", spec.name))
                .collect();
            Text::from(format!("/{wanted} may be {}.", names.join(", ")))
        }
    }
}

fn one(spec: &Spec) -> Text {
    let mut text = Text::new()
        .code(format!("/{} {}", spec.name, spec.usage).trim_end())
        .plain(format!(" — {}", spec.help));
    if !spec.example.is_empty() {
        text = text.plain("\nExample: ").code(spec.example);
    }
    let needs = match spec.action {
        Some(action) => format!("\nFor: {}, or a grant of {action}:NAME", spec.role.name()),
        None => format!("\nFor: {}", spec.role.name()),
    };
    text.plain(needs)
}

fn list(house: &HouseCtx<'_>, invocation: &Invocation) -> Text {
    let mut text = Text::new();
    for spec in allowed(house, invocation) {
        let usage = format!("\n/{} {}", spec.name, spec.usage);
        text = text.plain(format!("{} — {}", usage.trim_end(), spec.help));
    }
    text
}

fn allowed(house: &HouseCtx<'_>, invocation: &Invocation) -> Vec<&'static Spec> {
    let now = house.env.now.wall;
    let may = |spec: &&&'static Spec| {
        house
            .access
            .decide(now, &invocation.caller, spec, None)
            .is_allowed()
    };
    house.env.specs.iter().filter(may).copied().collect()
}

fn id(_house: &HouseCtx<'_>, invocation: &Invocation) -> Text {
    let caller = &invocation.caller;
    let mut text = Text::new().plain("You: ").code(caller.who.to_string());
    if caller.address.service().is_audience {
        text = text.plain("\nThis chat: ").code(caller.address.to_string());
        if let Some(everyone) = caller.address.everyone().filter(|_| !caller.is_private) {
            text = text
                .plain("\nEveryone who speaks here: ")
                .code(everyone.to_string());
        }
    }
    text
}

fn plugins(house: &HouseCtx<'_>, _invocation: &Invocation) -> Text {
    if house.plugins.is_empty() {
        return Text::from("No plugin runs: the configuration names none.");
    }
    Text::from(format!("Running: {}", house.plugins.join(", ")))
}

fn status(house: &HouseCtx<'_>, _invocation: &Invocation) -> Text {
    let snapshot = house.snapshot;
    let up = house.env.now.mono.since(house.started.mono);
    let mut text = Text::new()
        .bold(&*house.env.config.name)
        .plain(format!(", up {}\n", Human(up)));
    if let Some(host) = house.host {
        text = text.plain(machine::lines(host));
    }
    for view in &snapshot.views {
        text = view.status(text);
    }
    text = alerts(text, snapshot);
    let plugins = match house.plugins {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    text = text.plain(format!("Plugins: {plugins}\n"));
    match snapshot.health.problems.as_slice() {
        [] => text.plain("The agent itself is well."),
        problems => text.plain(format!("Problems: {}", problems.join("; "))),
    }
}

fn alerts(mut text: Text, snapshot: &Snapshot) -> Text {
    let firing: Vec<_> = snapshot
        .alerts
        .iter()
        .filter(|alert| alert.state == AlertState::Firing)
        .collect();
    if firing.is_empty() {
        return text.plain("Alerts: none fires\n");
    }
    text = text.plain(format!("Alerts: {} firing\n", firing.len()));
    for alert in firing.iter().take(5) {
        text = text.plain(format!("  {} ", alert.number)).plain(format!(
            "{} ({})\n",
            alert.summary,
            alert.severity.name()
        ));
    }
    match firing.len().saturating_sub(5) {
        0 => text,
        more => text.plain(format!("  and {more} more, see /alerts\n")),
    }
}
