//! What `doctor` says about each peer of a configuration: judged here from what the shell found out, with what to do
//! about it. Nothing in it is a secret.

mod host;

pub use host::host;

use crate::chat::Place;
use crate::config::TelegramConfig;
use crate::config::power::PduConfig;
use crate::effect::{HttpRequest, Ticket};
use crate::event::HttpResponse;
use crate::fault::{Fault, FaultKind};
use crate::pdu::{Identified, Kind};
use crate::snmp::Credentials;
use crate::text::clean;
use crate::time::{Human, RELEASED, Wall};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// A clock that differs by less is right: the service says whole seconds, and the way takes its time.
const SMALL_DRIFT: Duration = Duration::from_secs(5);
/// Beyond this, commands in chat look old or from the future.
const GREAT_DRIFT: Duration = Duration::from_secs(60);
/// State and logs need a few megabytes; a disk with less than this is about to be full.
const LITTLE_SPACE: u64 = 64 << 20;
const NO_SPACE: u64 = 4 << 20;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// It does not work.
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub grade: Grade,
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub says: String,
    /// What to do about it; empty when all is well.
    pub fix: &'static str,
}

impl Finding {
    /// All is well.
    pub fn ok(what: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding::new(Grade::Ok, what, says, "")
    }

    /// It works, but.
    pub fn warn(what: impl Into<String>, says: impl Into<String>, fix: &'static str) -> Finding {
        Finding::new(Grade::Warn, what, says, fix)
    }

    /// It does not work.
    pub fn fail(what: impl Into<String>, says: impl Into<String>, fix: &'static str) -> Finding {
        Finding::new(Grade::Fail, what, says, fix)
    }

    fn new(
        grade: Grade,
        what: impl Into<String>,
        says: impl Into<String>,
        fix: &'static str,
    ) -> Finding {
        Finding {
            grade,
            what: what.into(),
            says: says.into(),
            fix,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Ok => "ok  ",
            Grade::Warn => "warn",
            Grade::Fail => "fail",
        };
        let says = clean(self.says.replace('\n', " "));
        write!(
            f,
            "{grade}  {}: {says}",
            clean(self.what.replace('\n', " "))
        )?;
        match self.fix {
            "" => Ok(()),
            fix => write!(f, "; {fix}"),
        }
    }
}

/// Asks Telegram who the bot is.
pub fn who_is_the_bot(config: &TelegramConfig) -> HttpRequest {
    crate::chat::telegram_call(config, Ticket(0), "getMe", &json!({}))
}

/// Asks Telegram for a chat; in a group, for what the bot is there.
pub fn what_is_the_chat(config: &TelegramConfig, chat: i64) -> HttpRequest {
    let bot = config.token.expose().split(':').next();
    match bot.and_then(|id| id.parse::<i64>().ok()) {
        Some(bot) if chat < 0 => {
            let body = json!({ "chat_id": chat, "user_id": bot });
            crate::chat::telegram_call(config, Ticket(0), "getChatMember", &body)
        }
        _ => crate::chat::telegram_call(config, Ticket(0), "getChat", &json!({ "chat_id": chat })),
    }
}

type Answer = Result<HttpResponse, Fault>;

/// The bot's token, by the answer to `who_is_the_bot`.
pub fn token(answer: &Answer) -> Finding {
    match result(answer) {
        Ok(bot) => {
            let name = bot["username"].as_str().unwrap_or("a bot without a name");
            Finding::ok("Telegram", format!("the token is that of @{name}"))
        }
        Err((says, fix)) => Finding::fail("Telegram", says, fix),
    }
}

/// A chat, by the answer to `what_is_the_chat`.
pub fn chat(address: &Place, answer: &Answer) -> Finding {
    let what = address.to_string();
    let found = match result(answer) {
        Ok(found) => found,
        Err((says, _)) if says.contains("chat not found") => {
            return Finding::fail(
                what,
                says,
                "a person has to write to the bot first, a group has to have it as a member; check the number",
            );
        }
        Err((says, fix)) => return Finding::fail(what, says, fix),
    };
    match found["status"].as_str() {
        Some("left" | "kicked") => Finding::fail(
            what,
            "the bot is not in this group",
            "add it to the group as a member",
        ),
        Some("restricted") if found["can_send_messages"] == false => Finding::fail(
            what,
            "the bot may not write in this group",
            "let it send messages there",
        ),
        Some(status) => Finding::ok(what, format!("the bot is there ({status})")),
        None => Finding::ok(what, "the bot may write there"),
    }
}

/// What Telegram answered, or what is wrong and what to do.
fn result(answer: &Answer) -> Result<Value, (String, &'static str)> {
    let response = match answer {
        Ok(response) => response,
        Err(fault) if fault.kind == FaultKind::Tls => {
            return Err((
                fault.detail.clone(),
                "check this machine's clock, api_url and ca_file",
            ));
        }
        Err(fault) => {
            return Err((
                format!("cannot be reached: {}", fault.detail),
                "check the network, api_url and the proxy",
            ));
        }
    };
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if body["ok"] == true {
        return Ok(body["result"].clone());
    }
    let says = body["description"]
        .as_str()
        .unwrap_or("not an answer of the Bot API");
    let says = format!("{says} ({})", response.status);
    Err(match response.status {
        401 | 404 if body["ok"] == false => (
            format!("the token is refused: {says}"),
            "get the bot's token from @BotFather",
        ),
        403 => (
            says,
            "let the bot in again: unblock it, or add it to the group",
        ),
        429 => (says, "try again later"),
        _ => (says, "check api_url and the network"),
    })
}

/// This machine's clock, by the `Date` of an answer if there was one.
pub fn clock(now: Wall, date_unix_seconds: Option<i64>) -> Finding {
    let set = "set the clock, or let systemd-timesyncd do it";
    let Some(date) = date_unix_seconds else {
        return match now < RELEASED {
            true => Finding::fail("clock", format!("it says {}", now.rfc3339()), set),
            false => Finding::ok("clock", "nothing to compare it with, but it has been set"),
        };
    };
    let seconds = now.unix_seconds().abs_diff(date);
    let drift = Duration::from_secs(seconds);
    let side = if now.unix_seconds() > date {
        "ahead"
    } else {
        "behind"
    };
    let says = format!("{} {side} of Telegram's", Human(drift));
    match drift {
        _ if drift <= SMALL_DRIFT => Finding::ok("clock", "it agrees with Telegram's"),
        _ if drift <= GREAT_DRIFT => Finding::warn("clock", says, set),
        _ => Finding::fail("clock", says, set),
    }
}

/// A PDU, by what it said when asked what it is; `writes` is whether it answers to the write community, if there is one.
pub fn pdu(
    pdu: &PduConfig,
    asked: Result<&Identified, &Fault>,
    writes: Option<Result<(), String>>,
) -> Finding {
    let what = &*pdu.name;
    let identified = match asked {
        Ok(identified) => identified,
        Err(fault) => {
            return Finding::fail(
                what,
                fault.detail.clone(),
                match pdu.credentials {
                    Credentials::Usm(_) if fault.kind == FaultKind::Denied => {
                        "correct snmp_v3, or the user on the device"
                    }
                    Credentials::Usm(_) => {
                        "check the address, and that the device speaks SNMPv3 and lets this machine in"
                    }
                    Credentials::Community(..) => {
                        "check the address, version and community, and that the device lets this machine in"
                    }
                },
            );
        }
    };
    let model = identified.model.as_deref().or(identified.vendor.as_deref());
    let model = model.unwrap_or("a device of unknown make");
    let says = match identified.reading.power_w {
        Some(watts) => format!("{model}, {watts:.0} W"),
        None => format!("{model}, {}", identified.kind.name()),
    };
    match identified.kind {
        Kind::NotAPdu => Finding::fail(what, format!("{model} is not a PDU"), "check the address"),
        Kind::OutletsOnly | Kind::IdentifyOnly => Finding::warn(
            what,
            says,
            "it reads no power, so it is watched for answering alone",
        ),
        Kind::Full | Kind::Partial => match (writes, &pdu.write) {
            (Some(Err(why)), Some(Credentials::Usm(_))) => Finding::warn(
                what,
                format!("{says}; write_v3: {why}"),
                "check write_v3, else /reset clears the agent's own peak alone",
            ),
            (Some(Err(_)), _) => Finding::warn(
                what,
                format!("{says}; no answer to write_community"),
                "check write_community, else /reset clears the agent's own peak alone",
            ),
            _ => Finding::ok(what, says),
        },
    }
}

/// The file system of the state directory, with what is free for the agent.
pub fn space(path: &str, free_bytes: u64, is_read_only: bool) -> Finding {
    let free = format!("{} MiB free", free_bytes >> 20);
    if is_read_only {
        return Finding::fail(
            path,
            "read-only",
            "mount it writable, or set another state_dir",
        );
    }
    match free_bytes {
        _ if free_bytes < NO_SPACE => {
            Finding::fail(path, free, "make room, or set another state_dir")
        }
        _ if free_bytes < LITTLE_SPACE => Finding::warn(path, free, "make room soon"),
        _ => Finding::ok(path, format!("writable, {free}")),
    }
}

/// Host and port of a URL, to see whether somebody is there without asking for anything.
pub fn host_of(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let place = rest.split(['/', '?', '#']).next()?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let usual = if scheme == "https" { 443 } else { 80 };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, usual),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::telegram;
    use crate::secret::Secret;

    fn answer(status: u16, body: &str) -> Answer {
        Ok(HttpResponse {
            status,
            body: body.as_bytes().to_vec(),
            ..HttpResponse::default()
        })
    }

    #[test]
    fn a_token_is_judged_by_what_telegram_says() {
        let html = "<html>please log in</html>";
        for (answer, want) in [
            (
                answer(200, r#"{"ok":true,"result":{"username":"rack_bot"}}"#),
                "ok    Telegram: the token is that of @rack_bot",
            ),
            (
                answer(401, r#"{"ok":false,"description":"Unauthorized"}"#),
                "fail  Telegram: the token is refused: Unauthorized (401); get the bot's token from @BotFather",
            ),
            (
                answer(200, html),
                "fail  Telegram: not an answer of the Bot API (200); check api_url and the network",
            ),
            (
                Err(Fault::new(FaultKind::Timeout, "no answer in time")),
                "fail  Telegram: cannot be reached: no answer in time; check the network, api_url and the proxy",
            ),
            (
                Err(Fault::new(FaultKind::Tls, "certificate expired")),
                "fail  Telegram: certificate expired; check this machine's clock, api_url and ca_file",
            ),
        ] {
            assert_eq!(token(&answer).to_string(), want);
        }
    }

    #[test]
    fn a_chat_is_judged_by_what_the_bot_may_do_there() {
        let group = telegram::place(-100, None);
        for (answer, want) in [
            (
                answer(200, r#"{"ok":true,"result":{"status":"member"}}"#),
                Grade::Ok,
            ),
            (
                answer(200, r#"{"ok":true,"result":{"type":"private"}}"#),
                Grade::Ok,
            ),
            (
                answer(200, r#"{"ok":true,"result":{"status":"kicked"}}"#),
                Grade::Fail,
            ),
            (
                answer(
                    200,
                    r#"{"ok":true,"result":{"status":"restricted","can_send_messages":false}}"#,
                ),
                Grade::Fail,
            ),
            (
                answer(
                    400,
                    r#"{"ok":false,"description":"Bad Request: chat not found"}"#,
                ),
                Grade::Fail,
            ),
        ] {
            let finding = chat(&group, &answer);
            assert_eq!(finding.grade, want, "{finding}");
            assert_eq!(finding.fix.is_empty(), want == Grade::Ok, "{finding}");
        }
    }

    #[test]
    fn a_clock_is_judged_by_its_distance() {
        let date = 1_795_205_702;
        for (ahead_s, grade) in [
            (0, Grade::Ok),
            (-5, Grade::Ok),
            (6, Grade::Warn),
            (-61, Grade::Fail),
            (-1_000_000_000, Grade::Fail),
        ] {
            let finding = clock(Wall((date + ahead_s) * 1000), Some(date));
            assert_eq!(finding.grade, grade, "{finding}");
        }
        assert_eq!(clock(Wall(0), None).grade, Grade::Fail);
        assert_eq!(clock(Wall(date * 1000), None).grade, Grade::Ok);
    }

    #[test]
    fn the_place_of_a_url_is_found_without_what_is_secret_in_it() {
        for (url, want) in [
            ("https://hc.example/ping/uuid", Some(("hc.example", 443))),
            (
                "http://user:key@hc.example:8080?x=1",
                Some(("hc.example", 8080)),
            ),
            ("https://[2001:db8::1]/a", Some(("2001:db8::1", 443))),
            ("https://[2001:db8::1]:444/a", Some(("2001:db8::1", 444))),
            ("nonsense", None),
            ("http:///", None),
        ] {
            let found = host_of(url);
            let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(found, want, "{url}");
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_a_device_says() {
        let finding = Finding::fail("al\npha", "no\u{1b}[31m\nanswer", "wait");
        assert_eq!(finding.to_string(), "fail  al pha: no[31m answer; wait");
    }

    #[test]
    fn the_token_stands_in_no_request_that_is_printed() {
        let config = TelegramConfig {
            token: Secret::new("7:very-secret".to_owned()),
            api_url: "http://api".to_owned(),
            proxy: None,
            ca_file: None,
        };
        let request = what_is_the_chat(&config, -100);
        assert!(
            request
                .url()
                .expose()
                .ends_with("/bot7:very-secret/getChatMember")
        );
        assert!(!format!("{request:?}").contains("very-secret"));
    }
}
