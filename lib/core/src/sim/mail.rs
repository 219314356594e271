//! The simulated mail server: takes mails, or treats them as servers do in foul weather.

use super::Sim;
use super::world::{MAIL, Out, World};
use crate::effect::{Effect, MailRequest};
use crate::event::Reply;
use crate::fault::{Fault, FaultKind};
use crate::time::Now;
use std::time::Duration;

/// How the mail server treats a mail.
#[derive(Clone, Debug)]
pub enum MailWeather {
    /// It says no, of this kind and with these words.
    Refuses(FaultKind, &'static str),
    /// It says so to mails for addresses that begin like this, and accepts others.
    RefusesTo(&'static str, FaultKind, &'static str),
    /// It refuses what has more bytes.
    TakesAtMost(usize),
    /// It accepts the mail, but the connection ends before it says so.
    LosesAnswer,
    /// Nothing is there.
    IsAway,
}

/// State of the server.
#[derive(Default)]
pub(super) struct PostOffice {
    weather: Vec<(u32, MailWeather)>,
    mails: Vec<(String, String)>,
}

impl World for PostOffice {
    fn request(&mut self, _now: Now, effect: Effect, out: &mut Out) {
        let Effect::Mail(request) = effect else {
            return;
        };
        let (result, seen) = self.take(&request);
        seen.into_iter().for_each(|line| out.see(line));
        let delay = Duration::from_millis(300);
        out.reply(delay, request.ticket, Reply::Mail(result));
    }
}

impl PostOffice {
    /// Takes a mail; says what came of it, and what people see of it.
    fn take(&mut self, request: &MailRequest) -> (Result<(), Fault>, Option<String>) {
        let weather = self.weather.iter_mut().find(|(left, _)| *left > 0);
        let weather = weather.map(|(left, weather)| {
            *left -= 1;
            weather.clone()
        });
        let refused = |kind, words: &str| Err(Fault::new(kind, words));
        let result = match weather {
            None => Ok(()),
            Some(MailWeather::LosesAnswer) => refused(FaultKind::Interrupted, "connection reset"),
            Some(MailWeather::RefusesTo(whom, kind, words)) if request.to.starts_with(whom) => {
                return (refused(kind, words), None);
            }
            Some(MailWeather::RefusesTo(..)) => Ok(()),
            Some(MailWeather::TakesAtMost(most)) if request.message.len() <= most => Ok(()),
            Some(MailWeather::TakesAtMost(_)) => {
                return (refused(FaultKind::TooLarge, "552 too large"), None);
            }
            Some(MailWeather::IsAway) => {
                return (refused(FaultKind::Unreachable, "connection refused"), None);
            }
            Some(MailWeather::Refuses(kind, words)) => return (refused(kind, words), None),
        };
        let mail = String::from_utf8_lossy(&request.message).into_owned();
        let (head, body) = mail.split_once("\r\n\r\n").unwrap_or_default();
        let subject = head.replace("\r\n ", "");
        let subject = subject
            .split("\r\n")
            .find_map(|line| line.strip_prefix("Subject: "))
            .map(|subject| subject.replace("?==?utf-8?Q?", ""))
            .unwrap_or_default();
        let subject = match subject.strip_prefix("=?utf-8?Q?") {
            Some(words) => readable(&words.trim_end_matches("?=").replace('_', " ")),
            None => subject,
        };
        let text = readable(&body.replace("=\r\n", "")).replace("\r\n", "\n");
        let text = text.split("\n\n-- \n").next().unwrap_or_default();
        let seen = format!("mail:{}] {subject} | {text}", request.to);
        self.mails.push((request.to.clone(), mail));
        (result, Some(seen))
    }
}

/// Quoted-printable as a person reads it.
fn readable(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (first, byte) {
            (b'=', Some(byte)) => {
                out.push(byte);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Sim {
    /// The mail server treats the next `times` mails like this; then it accepts them again.
    pub fn set_mail_weather(&mut self, times: u32, weather: MailWeather) {
        let office: &mut PostOffice = self.world(MAIL);
        office.weather.push((times, weather));
    }

    /// The mail server works again.
    pub fn clear_mail_weather(&mut self) {
        self.world::<PostOffice>(MAIL).weather.clear();
    }

    /// Mails that were accepted, as they came: recipient, head and body.
    pub fn mails(&self) -> &[(String, String)] {
        &self.look_at::<PostOffice>(MAIL).mails
    }
}
