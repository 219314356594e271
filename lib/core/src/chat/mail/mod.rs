//! Mail as a way out: every message is one plain text mail, threaded from an alert's beginning to its end. Mails are
//! not answered and not edited. How a mail is written is in `letter`; what a refusal means is decided here.

mod letter;

use super::Place;
use super::hub::ChatEnv;
use super::outbox::ItemId;
use super::transport::{
    Failure, Limits, Outgoing, Pace, Readiness, Service, Transport, TransportEvent,
};
use crate::alert::{AlertState, Report};
use crate::config::{Config, MailConfig};
use crate::ctx::Notice;
use crate::effect::{Effect, MailRequest, Ticket};
use crate::event::Reply;
use crate::fault::{Fault, FaultKind};
use crate::small::SmallMap;
use crate::state::Records;
use crate::time::{Human, Mono};
use letter::Letter;
use std::sync::Arc;
use std::time::Duration;

/// For one mail, from the connection to the last reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// Waits between attempts when the server cannot be reached or breaks off.
const AWAY_WAITS: [u64; 5] = [5, 15, 60, 120, 300];
/// Waits between attempts for an address that is put off (451, a full mailbox).
const BUSY_WAITS: [u64; 5] = [60, 180, 300, 900, 1800];
/// What only a person can mend is tried again after this time.
const DENIED_WAIT: Duration = Duration::from_secs(600);
/// An address that is put off for longer is treated as one that refuses.
const BUSY_AT_MOST: Duration = Duration::from_secs(72 * 3600);
/// Threads that are remembered; the least by name go first.
const MAX_THREADS: usize = 500;
/// The alert about mail itself.
const ALERT: &str = "agent.mail:delivery";

/// Its row.
pub(super) const SERVICE: Service = Service {
    name: "mail",
    title: "mail",
    make,
    forms: &["mail:NAME@HOST"],
    path: |text| is_mail(text).then(|| text.to_owned()),
    is_audience: true,
    gathers: true,
    is_long: true,
    is_fallback: true,
    closed_for: (Duration::from_secs(3600), "every hour"),
    ..Service::NONE
};

/// The mailbox of this address.
pub fn place(address: &str) -> Place {
    Place::new(SERVICE.name, address)
}

fn is_mail(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part
                .contains(|ch: char| ch.is_whitespace() || ch.is_control() || "<>,;\"".contains(ch))
    };
    is_plain(local) && is_plain(host)
}

/// The transport.
pub(super) struct Mail {
    server: Arc<MailConfig>,
    under_way: Option<Sending>,
    /// Nothing is sent before.
    again_at: Option<Mono>,
    failures: u32,
    /// Why nothing leaves, and since when.
    outage: Option<(Mono, String)>,
    /// Addresses that are put off: since when, and how often.
    busy: SmallMap<String, (Mono, u32)>,
    /// What a person has to mend, by address; the server's own refusals stand under the empty one. A mail that is
    /// accepted takes out what it disproves.
    refused: SmallMap<String, String>,
    /// The first mail about an alert that fires, by address and alert.
    threads: SmallMap<String, String>,
    /// What the alert about mail says at present.
    alarm: Alarm,
    is_retired: bool,
}

#[derive(PartialEq, Eq)]
enum Alarm {
    /// It may fire since before the start.
    Unknown,
    Quiet,
    Fires,
}

/// The mail that the server has at present.
struct Sending {
    ticket: Ticket,
    item: ItemId,
    to: String,
    letter: Letter,
}

/// Makes the transport when `[mail]` is there.
fn make(config: &Config) -> Option<Box<dyn Transport>> {
    Some(Box::new(Mail {
        server: config.mail.clone()?,
        under_way: None,
        again_at: None,
        failures: 0,
        outage: None,
        busy: SmallMap::new(),
        refused: SmallMap::new(),
        threads: SmallMap::new(),
        alarm: Alarm::Unknown,
        is_retired: false,
    }))
}

impl Transport for Mail {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn limits(&self) -> Limits {
        Limits {
            text_units: 65_536,
            caption_units: 65_536,
            pace: Some(Pace {
                chat_gap: Duration::from_secs(5),
                group_per_minute: 20,
                overall_gap: Duration::from_millis(200),
            }),
        }
    }

    fn readiness(&self, now: Mono) -> Readiness {
        if self.under_way.is_some() {
            Readiness::Busy
        } else if self.again_at.is_some_and(|at| now < at) {
            Readiness::Down
        } else {
            Readiness::Ready
        }
    }

    fn start(&mut self, _env: &mut ChatEnv<'_>, records: &Records) {
        self.threads = records.all("mail.thread").into_iter().collect();
    }

    fn reload(&mut self, env: &mut ChatEnv<'_>) {
        let Some(server) = &env.config.mail else {
            self.is_retired = true;
            self.refused.clear();
            self.tell(env);
            return;
        };
        self.is_retired = false;
        if *server != self.server {
            self.server = Arc::clone(server);
            self.again_at = None;
            self.failures = 0;
            self.busy.clear();
            self.refused.clear();
            self.tell(env);
        }
    }

    fn is_retired(&self) -> bool {
        self.is_retired
    }

    /// What was mailed cannot be changed; whatever an edit has to say is told by a message of its own.
    fn send(&mut self, env: &mut ChatEnv<'_>, message: Outgoing) -> Vec<TransportEvent> {
        let item = message.item;
        if message.edit.is_some() {
            return vec![TransportEvent::Sent {
                item,
                message: None,
            }];
        }
        let to = message.to.path().to_owned();
        let alerts = message.alerts();
        let parents = alerts
            .iter()
            .filter_map(|alert| self.threads.get(&thread(&to, alert)).cloned());
        let mut references: Vec<String> = Vec::new();
        for parent in parents {
            if !references.contains(&parent) {
                references.push(parent);
            }
        }
        let letter = Letter::new(&message, alerts, references, &self.server);
        let ticket = env.tickets.issue();
        env.effects.push(Effect::Mail(MailRequest {
            ticket,
            server: Arc::clone(&self.server),
            message: letter.written(&message, &to, &self.server, env.config),
            to: to.clone(),
            timeout: PATIENCE,
        }));
        self.under_way = Some(Sending {
            ticket,
            item,
            to,
            letter,
        });
        Vec::new()
    }

    fn handle(
        &mut self,
        env: &mut ChatEnv<'_>,
        ticket: Ticket,
        reply: Reply,
    ) -> Result<Vec<TransportEvent>, Reply> {
        let Reply::Mail(result) = &reply else {
            return Err(reply);
        };
        let Some(sending) = self.under_way.take_if(|sending| sending.ticket == ticket) else {
            return Err(reply);
        };
        let item = sending.item;
        Ok(match result {
            Ok(()) => {
                self.accepted(env, &sending);
                vec![TransportEvent::Sent {
                    item,
                    message: None,
                }]
            }
            Err(fault) => {
                log::debug!("mail: message {item} was not accepted: {fault}");
                let failure = self.refused(env, &sending.to, fault);
                vec![TransportEvent::Failed { item, failure }]
            }
        })
    }

    fn poll_timeout(&self) -> Option<Mono> {
        self.again_at
    }

    fn handle_timeout(&mut self, env: &mut ChatEnv<'_>) {
        if self.again_at.is_some_and(|at| at <= env.now.mono) {
            self.again_at = None;
        }
    }

    fn problem(&self) -> Option<String> {
        let problem = self.outage.as_ref().map(|(_, problem)| problem);
        Some(format!(
            "mail: {}",
            problem.or_else(|| self.refused.values().next())?
        ))
    }
}

impl Mail {
    fn accepted(&mut self, env: &mut ChatEnv<'_>, sending: &Sending) {
        if let Some((since, _)) = self.outage.take() {
            let lasted = Human(env.now.mono.since(since));
            log::info!("mail: works again after {lasted}");
        }
        self.failures = 0;
        self.busy.remove(&sending.to);
        self.refused.remove(sending.to.as_str());
        self.refused.remove("");
        self.tell(env);
        for alert in &sending.letter.alerts {
            let key = thread(&sending.to, alert);
            if sending.letter.is_end {
                if self.threads.remove(&key).is_some() {
                    env.state.delete("mail.thread", &key);
                }
            } else if !self.threads.contains_key(&key) {
                env.state.put("mail.thread", &key, &sending.letter.id);
                self.threads.insert(key, sending.letter.id.clone());
            }
        }
        while self.threads.len() > MAX_THREADS {
            if let Some((key, _)) = self.threads.pop_first() {
                env.state.delete("mail.thread", &key);
            }
        }
    }

    /// Decides what a refusal means for the message, for its address, and for all of mail.
    fn refused(&mut self, env: &mut ChatEnv<'_>, to: &str, fault: &Fault) -> Failure {
        let why = fault.detail.clone();
        match fault.kind {
            FaultKind::Busy => self.put_off(env, to, why),
            FaultKind::TooLarge => Failure::TooLong,
            FaultKind::Unwanted => {
                self.refuse(env, to, format!("{to} is refused: {why}"));
                Failure::Closed(why)
            }
            FaultKind::Rejected => {
                self.refuse(env, to, format!("a message to {to} is refused: {why}"));
                Failure::Parked(why)
            }
            kind => {
                let is_denied = matches!(kind, FaultKind::Denied | FaultKind::Tls);
                if is_denied {
                    self.refuse(env, "", why.clone());
                    self.again_at = Some(env.now.mono + DENIED_WAIT);
                } else {
                    self.again_at = Some(env.now.mono + wait(&AWAY_WAITS, self.failures, env));
                }
                self.failures = self.failures.saturating_add(1);
                self.note_outage(env.now.mono, why);
                Failure::Retry {
                    maybe_arrived: kind == FaultKind::Interrupted,
                }
            }
        }
    }

    fn put_off(&mut self, env: &mut ChatEnv<'_>, to: &str, why: String) -> Failure {
        let now = env.now.mono;
        let (since, times) = self.busy.entry(to.to_owned()).or_insert((now, 0));
        let (lasts, failures) = (now.since(*since), *times);
        *times = times.saturating_add(1);
        if lasts < BUSY_AT_MOST {
            return Failure::Wait(wait(&BUSY_WAITS, failures, env));
        }
        let problem = format!("{to} is put off for {}: {why}", Human(lasts));
        self.refuse(env, to, problem);
        Failure::Closed(why)
    }

    fn note_outage(&mut self, now: Mono, problem: String) {
        let since = self.outage.as_ref().map_or(now, |(since, _)| *since);
        if self.outage.as_ref().map(|(_, known)| known) != Some(&problem) {
            log::warn!("mail: {problem}");
        }
        self.outage = Some((since, problem));
    }

    fn refuse(&mut self, env: &mut ChatEnv<'_>, to: &str, problem: String) {
        self.refused.insert(to.to_owned(), problem);
        self.tell(env);
    }

    /// Tells people what they have to mend, or that all of it is mended; once each.
    fn tell(&mut self, env: &mut ChatEnv<'_>) {
        let problem = self.refused.values().next();
        let alarm = match problem {
            Some(_) => Alarm::Fires,
            None => Alarm::Quiet,
        };
        if self.alarm == alarm {
            return;
        }
        self.alarm = alarm;
        let (state, summary, reason) = match problem {
            Some(why) => (
                AlertState::Firing,
                format!("messages are not accepted: {why}"),
                "a mail was refused",
            ),
            None => (
                AlertState::Ok,
                "messages are accepted again".to_owned(),
                "a mail was accepted",
            ),
        };
        let report = Report::of_agent(env.now, ALERT, "mail", (state, summary, reason));
        env.notices.push(Notice::Report(report));
    }
}

/// Names a thread in memory and on disk.
fn thread(to: &str, alert: &str) -> String {
    format!("{to} {alert}")
}

/// The wait after so many failures, shortened at random by up to a quarter, so that many agents do not knock together.
fn wait(seconds: &[u64], failures: u32, env: &mut ChatEnv<'_>) -> Duration {
    let last = seconds.len().saturating_sub(1);
    let whole = seconds
        .get((failures as usize).min(last))
        .map_or(0, |seconds| seconds * 1000);
    Duration::from_millis(whole - env.rng.below(whole / 4 + 1))
}
