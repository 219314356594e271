//! Rights in chat: `/grant /revoke /permissions /audit`.

use super::{Command, HouseCtx};
use crate::chat::access::{Entry, What};
use crate::chat::audit::AuditTail;
use crate::chat::{Answer, Caller, Invocation, Person, ReplyTo, Role, Spec, TRANSPORTS};
use crate::ctx::Notice;
use crate::text::Text;
use crate::time::{Now, Wall, Zone};
use std::time::Duration;

/// The rows.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        spec: Spec {
            name: "grant",
            usage: "<who> <role or action:target> [until]",
            help: "let somebody look, act or grant",
            example: "/grant telegram:42 operator 8h",
            role: Role::Owner,
            action: None,
            arg: None,
            changes_state: true,
        },
        run: |house, invocation| grant(house, invocation, &words(invocation)),
    },
    Command {
        spec: Spec {
            name: "revoke",
            usage: "<who> [role or action:target]",
            help: "take a right, or all of them, from somebody",
            example: "/revoke telegram:42 power.reset:alpha",
            role: Role::Owner,
            action: None,
            arg: None,
            changes_state: true,
        },
        run: |house, invocation| revoke(house, invocation, &words(invocation)),
    },
    Command {
        spec: Spec {
            name: "permissions",
            usage: "[who | check <who> <command> [target] [in <chat>]]",
            help: "who may do what, and which rule says so",
            example: "/permissions check 42 reset alpha",
            role: Role::Owner,
            action: None,
            arg: None,
            changes_state: false,
        },
        run: |house, invocation| permissions(house, invocation, &words(invocation)),
    },
    Command {
        spec: Spec {
            name: "audit",
            usage: "[n]",
            help: "who did what, where, with what result",
            example: "/audit 20",
            role: Role::Owner,
            action: None,
            arg: None,
            changes_state: false,
        },
        run: |house, invocation| audit(house, invocation, &words(invocation)),
    },
];

fn words(invocation: &Invocation) -> Vec<&str> {
    invocation.args.iter().map(String::as_str).collect()
}

fn grant(house: &mut HouseCtx<'_>, invocation: &Invocation, args: &[&str]) {
    let (who, right, until) = match args {
        [who, right] => (who, right, None),
        [who, right, until] => (who, right, Some(*until)),
        [who, right, word, until] if *word == "until" => (who, right, Some(*until)),
        _ => return house.usage(invocation, ""),
    };
    let zone = &house.env.config.notify.timezone;
    let parsed = Person::read(who).and_then(|who| {
        let until = until
            .map(|text| parse_until(text, house.env.now, zone))
            .transpose()?;
        Ok((who, parse_right(right)?, until))
    });
    let (who, what, until) = match parsed {
        Ok(parsed) => parsed,
        Err(wrong) => return house.usage(invocation, &wrong),
    };
    let end = until.map_or_else(String::new, |until| format!(" until {}", until.local(zone)));
    let by = invocation.caller.who.to_string();
    let outcome = house
        .access
        .grant(&who, what.clone(), until, &by, house.env.state);
    let right = in_words(&what);
    let action = format!("grant {right} to {who}{end}");
    match outcome {
        Ok(()) => {
            house.audit(invocation, action, "done");
            welcome(house, &who);
            house.answer(invocation, Answer::text(format!("{who} has {right}{end}.")));
        }
        Err(why) => {
            house.audit(invocation, action, format!("refused ({why})"));
            house.answer(invocation, Answer::text(format!("Not granted: {why}.")));
        }
    }
}

/// Whoever knocked is told that the door is open.
fn welcome(house: &mut HouseCtx<'_>, who: &Person) {
    if house.access.strangers.forget(who, house.env.state) {
        let to = ReplyTo {
            who: who.clone(),
            address: who.place(),
            session: None,
            edits: None,
            mark: None,
        };
        let answer = Answer::text("You may use this agent now; /help lists what.");
        house.env.notices.push(Notice::Answer { to, answer });
    }
}

/// Somebody gets no answer any longer, or is at least not asked about again.
fn keep_away(house: &mut HouseCtx<'_>, invocation: &Invocation, who: &str, is_block: bool) {
    let who = match Person::read(who) {
        Ok(who) if who.mailbox().is_some() => who,
        Ok(_) => {
            let title = TRANSPORTS[0].title;
            let wrong = format!("only a person of {title} can be kept away");
            return house.usage(invocation, &wrong);
        }
        Err(wrong) => return house.usage(invocation, &wrong),
    };
    if who == invocation.caller.who {
        return house.usage(invocation, "that is you");
    }
    let by = invocation.caller.who.to_string();
    let (action, result) = if is_block {
        let blocked = house
            .access
            .grant(&who, What::Blocked, None, &by, house.env.state);
        house.access.strangers.forget(&who, house.env.state);
        let done = || format!("{who} gets no answer any longer; /grant lifts that.");
        (format!("block {who}"), blocked.map(|()| done()))
    } else {
        let now = house.env.now.wall;
        house.access.strangers.ignore(now, &who, house.env.state);
        (
            format!("ignore {who}"),
            Ok(format!("Nobody is asked about {who} again.")),
        )
    };
    let (text, outcome) = match result {
        Ok(text) => (text, "done".to_owned()),
        Err(why) => (format!("Not done: {why}."), format!("refused ({why})")),
    };
    house.audit(invocation, action, outcome);
    house.answer(invocation, Answer::text(text));
}

fn revoke(house: &mut HouseCtx<'_>, invocation: &Invocation, args: &[&str]) {
    let (who, right) = match args {
        [who] => (who, None),
        [who, right] => (who, Some(*right)),
        _ => return house.usage(invocation, ""),
    };
    let parsed = Person::read(who).and_then(|who| Ok((who, right.map(parse_right).transpose()?)));
    let (who, what) = match parsed {
        Ok(parsed) => parsed,
        Err(wrong) => return house.usage(invocation, &wrong),
    };
    if who == invocation.caller.who {
        let why = "You cannot take rights from yourself; another owner can.";
        return house.answer(invocation, Answer::text(why));
    }
    let by = invocation.caller.who.to_string();
    house
        .access
        .revoke(&who, what.as_ref(), &by, house.env.state);
    let right = what
        .as_ref()
        .map_or_else(|| "every right".to_owned(), in_words);
    house.audit(invocation, format!("revoke {right} from {who}"), "done");
    let mut text = Text::from(format!("{who} has lost {right}.\n"));
    text.append(describe(house, Some(&who)));
    house.answer(invocation, Answer::text(text));
}

fn permissions(house: &mut HouseCtx<'_>, invocation: &Invocation, args: &[&str]) {
    let only = match args {
        ["grant", args @ ..] => return grant(house, invocation, args),
        ["revoke", args @ ..] => return revoke(house, invocation, args),
        ["block", who] => return keep_away(house, invocation, who, true),
        ["ignore", who] => return keep_away(house, invocation, who, false),
        ["check", args @ ..] => return check(house, invocation, args),
        [] => None,
        [who] => match Person::read(who) {
            Ok(who) => Some(who),
            Err(wrong) => return house.usage(invocation, &wrong),
        },
        _ => return house.usage(invocation, ""),
    };
    let text = describe(house, only.as_ref());
    house.answer(invocation, Answer::text(text));
}

/// Says whether somebody may run a command, and which rule decides.
fn check(house: &mut HouseCtx<'_>, invocation: &Invocation, args: &[&str]) {
    let (args, chat) = match args {
        [args @ .., word, chat] if *word == "in" => (args, Some(*chat)),
        args => (args, None),
    };
    let [who, command, target @ ..] = args else {
        return house.usage(invocation, "");
    };
    let subjects = Person::read(who).and_then(|who| Ok((who, chat.map(Person::read).transpose()?)));
    let (who, chat) = match subjects {
        Ok(subjects) => subjects,
        Err(wrong) => return house.usage(invocation, &wrong),
    };
    let command = command.trim_start_matches('/');
    let Some(spec) = house.env.specs.iter().find(|spec| spec.name == command) else {
        return house.usage(invocation, &format!("there is no command /{command}"));
    };
    let target = target.join(" ");
    let mut names = match target.as_str() {
        "" => Vec::new(),
        target => (spec.arg).map_or_else(Vec::new, |kind| house.env.names.complete(kind, target)),
    };
    if names.len() != 1 {
        names = vec![target];
    }
    let target = names.pop().filter(|target| !target.is_empty());
    let decision = house.access.decide(
        house.env.now.wall,
        &imagined(&who, chat.as_ref()),
        spec,
        target.as_deref(),
    );
    let may = if decision.is_allowed() {
        "may"
    } else {
        "may not"
    };
    let target = target.map_or_else(String::new, |target| format!(" {target}"));
    let text = format!("{who} {may} /{command}{target}: {}.", decision.because());
    house.answer(invocation, Answer::text(text));
}

/// Somebody as if speaking in that chat, or in private; for a chat, whoever speaks there without a right of their own.
fn imagined(who: &Person, chat: Option<&Person>) -> Caller {
    let (person, address) = match (who.is_group(), chat) {
        (true, _) => (who.member(), who.place()),
        (false, Some(chat)) if chat.place().service().is_audience => (who.clone(), chat.place()),
        (false, _) => (who.clone(), who.place()),
    };
    Caller {
        is_private: !address.is_group(),
        is_owner: person.is_owner(),
        who: person,
        name: String::new(),
        address,
    }
}

fn describe(house: &HouseCtx<'_>, only: Option<&Person>) -> Text {
    let zone = &house.env.config.notify.timezone;
    let mut text = Text::new();
    for (who, entries) in house.access.list(only) {
        text = text.code(who.to_string());
        for (entry, is_file) in entries {
            text = text.plain(format!(
                "\n  {}",
                entry_line(&entry, is_file, house.env.now, zone)
            ));
        }
        text = text.line();
    }
    match (text.is_empty(), only) {
        (true, Some(who)) => Text::from(format!("{who} has no right of its own.")),
        (true, None) => Text::from("Nobody has any right, except through this machine itself."),
        (false, _) => text,
    }
}

fn entry_line(entry: &Entry, is_file: bool, now: Now, zone: &Zone) -> String {
    let from = if is_file {
        "configuration".to_owned()
    } else {
        format!("by {}", entry.by)
    };
    let until = match entry.until {
        None => String::new(),
        Some(until) if until <= now.wall => format!(", ended {}", until.local(zone)),
        Some(until) => format!(", until {}", until.local(zone)),
    };
    format!("{} ({from}{until})", in_words(&entry.what))
}

fn audit(house: &mut HouseCtx<'_>, invocation: &Invocation, args: &[&str]) {
    let count = match args {
        [] => Some(10),
        [count] => count.parse().ok(),
        _ => None,
    };
    let Some(count) = count.filter(|count| (1..=AuditTail::CAPACITY).contains(count)) else {
        return house.usage(
            invocation,
            &format!("n is a number from 1 to {}", AuditTail::CAPACITY),
        );
    };
    let lines: Vec<&str> = house.audit.newest(count).collect();
    let text = if lines.is_empty() {
        Text::from("Nothing has been done yet.")
    } else {
        Text::from(lines.join("\n"))
    };
    house.answer(invocation, Answer::text(text));
}

fn parse_right(text: &str) -> Result<What, String> {
    let expected = || {
        format!(
            "`{text}` is no right; write viewer, operator, owner, or ACTION:TARGET such as power.reset:alpha"
        )
    };
    if let Some(role) = Role::named(&text.to_ascii_lowercase()) {
        return Ok(What::Role(role));
    }
    let (action, target) = text.split_once(':').ok_or_else(expected)?;
    if action.is_empty() || target.is_empty() || text.len() > 200 {
        return Err(expected());
    }
    Ok(What::Allow(text.to_owned()))
}

fn in_words(what: &What) -> String {
    match what {
        What::Role(role) => format!("the role {}", role.name()),
        What::NoRole => "the configuration's role taken".into(),
        What::Nothing => "everything that the configuration gives taken".into(),
        What::Blocked => "blocked".into(),
        What::Allow(pattern) => pattern.clone(),
        What::Deny(pattern) => format!("{pattern} denied"),
    }
}

/// Reads the end of a grant: a span from now (`30m`, `8h`, `7d`, `2w`) or a local date, with or without a time.
fn parse_until(text: &str, now: Now, zone: &Zone) -> Result<Wall, String> {
    let expected = || format!("`{text}` is no end; write 8h, 7d, 2027-01-01 or 2027-01-01T12:00");
    if let Some(span) = parse_span(text) {
        return Ok(now.wall.plus(span));
    }
    let until = Wall::parse(text, zone).ok_or_else(expected)?;
    if until <= now.wall {
        return Err(format!("`{text}` is in the past"));
    }
    Ok(until)
}

fn parse_span(text: &str) -> Option<Duration> {
    let digits = text.find(|ch: char| !ch.is_ascii_digit())?;
    let count: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    (count > 0).then(|| Duration::from_secs(count.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mono;

    #[test]
    fn ends_are_spans_or_local_dates() {
        let now = Now {
            mono: Mono::ZERO,
            wall: Wall(1_795_205_702_000),
        };
        for (text, want) in [
            ("8h", Ok(Wall(1_795_205_702_000 + 8 * 3_600_000))),
            ("2027-01-01", Ok(Wall(1_798_761_600_000))),
            ("2027-01-01T12:00", Ok(Wall(1_798_804_800_000))),
            ("2020-01-01", Err(())),
            ("0h", Err(())),
            ("soon", Err(())),
            ("99999999999999999999d", Err(())),
        ] {
            let got = parse_until(text, now, &Zone::UTC).map_err(|_| ());
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn rights_are_roles_or_actions_on_targets() {
        for (text, is_right) in [
            ("viewer", true),
            ("Operator", true),
            ("power.reset:alpha", true),
            ("docker.restart:web-*", true),
            ("anyone", false),
            ("power.reset", false),
            (":x", false),
        ] {
            assert_eq!(parse_right(text).is_ok(), is_right, "{text}");
        }
    }
}
