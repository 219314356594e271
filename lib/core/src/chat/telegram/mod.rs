//! Telegram over the Bot API: one long poll for what comes in, single calls for what goes out.
//!
//! The number of the last update is on disk before the next poll confirms it. Every poll ends by a deadline, so a
//! connection that is alive but deaf is replaced. What an answer means is in `replies`, what an update means in
//! `updates`; calls are built in `requests`.

mod menu;
mod numbers;
mod poll;
mod poll_watchdog;
mod replies;
mod requests;
mod updates;

use super::access::Access;
use super::hub::ChatEnv;
use super::outbox::ItemId;
use super::place::{Person, Place};
use super::transport::{
    Limits, Menu, Outgoing, Pace, People, Readiness, Received, Service, Transport, TransportEvent,
};
use crate::config::{Config, TelegramConfig};
use crate::effect::{Effect, HttpRequest, Ticket, earlier};
use crate::event::Reply;
use crate::small::SmallMap;
use crate::state::Records;
use crate::time::{Human, Mono};
use menu::Menus;
use poll::{Batch, Poll};
use poll_watchdog::PollWatchdog;
use replies::Refusal;
use requests::Api;
use serde_json::Value;
use std::time::Duration;

/// A single call of the Bot API, for whoever looks whether it works.
pub(crate) fn call(
    config: &TelegramConfig,
    ticket: Ticket,
    method: &str,
    body: &Value,
) -> HttpRequest {
    Api::new(config).post(ticket, method, body)
}

/// Its row.
pub(super) const SERVICE: Service = Service {
    name: "telegram",
    title: "Telegram",
    make,
    forms: &["telegram:CHAT", "telegram:CHAT/TOPIC"],
    path: |text| {
        let (chat, topic) = read_path(text)?;
        Some(path(chat, topic))
    },
    people: &[
        People {
            name: "telegram",
            form: "telegram:USER",
            id: |text| Some(number(text)?.to_string()).filter(|id| !id.starts_with('-')),
            ..People::NONE
        },
        People {
            name: GROUP,
            form: "telegram-chat:CHAT",
            id: |text| Some(number(text)?.to_string()),
            is_group: true,
            ..People::NONE
        },
    ],
    topics: true,
    is_group: |chat| chat.starts_with('-'),
    is_audience: true,
    edits: true,
    gathers: true,
    ..Service::NONE
};

const GROUP: &str = "telegram-chat";

/// A chat, by its id; negative for groups.
pub fn place(chat: i64, topic: Option<i64>) -> Place {
    Place::new(SERVICE.name, path(chat, topic))
}

/// A person, by the id of the user.
pub fn user(id: i64) -> Person {
    Person::new(SERVICE.name, id.to_string())
}

/// Everyone who speaks in a chat.
pub fn group(chat: i64) -> Person {
    Person::new(GROUP, chat.to_string())
}

/// The chat and the topic of a place, when it is one of Telegram.
pub fn chat_of(place: &Place) -> Option<(i64, Option<i64>)> {
    read_path((place.transport() == SERVICE.name).then(|| place.path())?)
}

fn path(chat: i64, topic: Option<i64>) -> String {
    match topic {
        Some(topic) => format!("{chat}/{topic}"),
        None => chat.to_string(),
    }
}

fn read_path(text: &str) -> Option<(i64, Option<i64>)> {
    match text.split_once('/') {
        Some((chat, topic)) => Some((number(chat)?, Some(number(topic).filter(|id| *id > 0)?))),
        None => Some((number(text)?, None)),
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id| *id != 0)
}

/// The transport.
pub(super) struct Telegram {
    config: TelegramConfig,
    api: Api,
    bot: Option<Bot>,
    poll: Poll,
    calls: SmallMap<Ticket, Call>,
    menus: Menus,
    poll_watchdog: PollWatchdog,
    /// The service's clock, in seconds since the epoch, at this moment.
    service_time: Option<(i64, Mono)>,
    /// Nothing is sent before.
    send_again_at: Option<Mono>,
    send_failures: u32,
    receiving: Outage,
    sending: Outage,
    is_retired: bool,
}

/// Who we are.
#[derive(Clone, Debug)]
struct Bot {
    id: i64,
    name: String,
}

/// What a call was for.
enum Call {
    Greet,
    Poll { since: Mono },
    Send { item: ItemId, edit: Option<i64> },
    Press,
    Menu { chat: Option<i64> },
    Look,
}

/// What is wrong, since when; logged once when it begins and once when it ends.
#[derive(Debug, Default)]
struct Outage {
    problem: Option<String>,
    since: Option<Mono>,
    failures: u64,
    /// The owners know of it.
    is_told: bool,
}

/// The owners are told of a conflict that lasts longer.
const TOLD_AFTER: Duration = Duration::from_secs(30);

/// Waits between attempts when nothing answers: short, because an alert may be waiting.
const UNREACHABLE_WAITS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Makes the transport when `[telegram]` is there.
fn make(config: &Config) -> Option<Box<dyn Transport>> {
    let config = config.telegram.clone()?;
    Some(Box::new(Telegram {
        api: Api::new(&config),
        config,
        bot: None,
        poll: Poll::default(),
        calls: SmallMap::new(),
        menus: Menus::default(),
        poll_watchdog: PollWatchdog::default(),
        service_time: None,
        send_again_at: None,
        send_failures: 0,
        receiving: Outage::default(),
        sending: Outage::default(),
        is_retired: false,
    }))
}

impl Transport for Telegram {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn limits(&self) -> Limits {
        Limits {
            // Telegram: message text is at most 4096 characters after entity parsing, counted in UTF-16 units.
            text_units: 4096,
            caption_units: 1024,
            pace: Some(Pace {
                chat_gap: Duration::from_secs(1),
                group_per_minute: 20,
                overall_gap: Duration::from_millis(34),
            }),
        }
    }

    fn readiness(&self, now: Mono) -> Readiness {
        if self.bot.is_none() || self.send_again_at.is_some_and(|at| now < at) {
            return Readiness::Down;
        }
        let is_sending = |call: &Call| matches!(call, Call::Send { .. });
        if self.calls.values().any(is_sending) {
            Readiness::Busy
        } else {
            Readiness::Ready
        }
    }

    fn pairing_place(&self, code: &str) -> Option<String> {
        Some(match self.bot_name() {
            Some(bot) => format!("@{bot} in a private chat: https://t.me/{bot}?start={code}"),
            None => "the bot in a private chat.".to_owned(),
        })
    }

    fn bot_name(&self) -> Option<&str> {
        self.bot.as_ref().map(|bot| bot.name.as_str())
    }

    fn start(&mut self, env: &mut ChatEnv<'_>, records: &Records) {
        self.poll.restore(records);
        self.menus.restore(records);
        self.greet(env);
    }

    fn reload(&mut self, env: &mut ChatEnv<'_>) {
        let Some(config) = &env.config.telegram else {
            self.is_retired = true;
            return;
        };
        self.is_retired = false;
        if *config == self.config {
            return;
        }
        self.api = Api::new(config);
        self.config = config.clone();
        self.bot = None;
        self.calls
            .retain(|_, call| matches!(call, Call::Send { .. }));
        self.poll.restart(env.now.mono);
    }

    fn is_retired(&self) -> bool {
        self.is_retired
    }

    fn send(&mut self, env: &mut ChatEnv<'_>, message: Outgoing) -> Vec<TransportEvent> {
        let ticket = env.tickets.issue();
        let request = self.api.send(ticket, &message, env.rng.next_u64());
        let call = Call::Send {
            item: message.item,
            edit: message.edit,
        };
        self.calls.insert(ticket, call);
        env.effects.push(Effect::Http(request));
        Vec::new()
    }

    fn acknowledge(&mut self, env: &mut ChatEnv<'_>, query: &str, text: Option<&str>) {
        let ticket = env.tickets.issue();
        let request = self.api.answer_press(ticket, query, text);
        self.calls.insert(ticket, Call::Press);
        env.effects.push(Effect::Http(request));
    }

    fn handle(
        &mut self,
        env: &mut ChatEnv<'_>,
        ticket: Ticket,
        reply: Reply,
    ) -> Result<Vec<TransportEvent>, Reply> {
        let Some(call) = self.calls.remove(&ticket) else {
            return Err(reply);
        };
        let Reply::Http(result) = reply else {
            return Err(reply);
        };
        let date = result
            .as_ref()
            .ok()
            .and_then(|response| response.date_unix_seconds());
        let answer = replies::read(result);
        if let (Some(date), Ok(_)) = (date, &answer) {
            self.service_time = Some((date, env.now.mono));
        }
        Ok(match call {
            Call::Greet => self.greeted(env, answer),
            Call::Poll { since } => self.polled(env, since, answer),
            Call::Look => match answer {
                Ok(info) => {
                    self.looked(env.now.mono, &info);
                    Vec::new()
                }
                Err(refusal) if refusal.is_denied() => self.failed(env, &refusal),
                Err(_) => Vec::new(),
            },
            Call::Send { item, edit } => self.sent(env, item, edit, answer),
            Call::Press => {
                if let Err(refusal) = answer {
                    log::debug!(
                        "telegram: a press was not acknowledged: {}",
                        refusal.in_words()
                    );
                }
                Vec::new()
            }
            Call::Menu { chat } => {
                self.menu_shown(env, chat, answer);
                Vec::new()
            }
        })
    }

    fn handle_stored(&mut self, env: &mut ChatEnv<'_>, seq: u64) {
        if self.poll.is_stored(seq) {
            self.poll_again(env);
        }
    }

    fn poll_timeout(&self) -> Option<Mono> {
        let menus = self
            .may_show_menus()
            .then(|| self.menus.poll_timeout())
            .flatten();
        let looks = self.bot.as_ref().and(self.poll_watchdog.poll_timeout());
        let polls = earlier(self.poll.wakes_at(), looks);
        earlier(earlier(polls, self.send_again_at), menus)
    }

    fn handle_timeout(&mut self, env: &mut ChatEnv<'_>) {
        let now = env.now.mono;
        if self.send_again_at.is_some_and(|at| at <= now) {
            self.send_again_at = None;
        }
        if self.poll.wakes_at().is_some_and(|at| at <= now) {
            if self.bot.is_some() {
                self.poll_again(env);
            } else {
                self.greet(env);
            }
        }
        if self.bot.is_some() {
            self.watch_poll(env);
        }
        let due = self.may_show_menus().then(|| self.menus.due(now)).flatten();
        if let Some((chat, commands)) = due {
            let ticket = env.tickets.issue();
            let request = self.api.set_commands(ticket, chat, &commands);
            self.calls.insert(ticket, Call::Menu { chat });
            env.effects.push(Effect::Http(request));
        }
    }

    fn show_menu(&mut self, _env: &mut ChatEnv<'_>, access: &Access, menu: Menu<'_>) {
        self.menus.plan(access, menu);
    }

    fn away_since(&self) -> Option<Mono> {
        let sending = self.sending.since.filter(|_| self.send_failures > 0);
        earlier(self.receiving.since, sending)
    }

    fn problem(&self) -> Option<String> {
        let problem = self
            .receiving
            .problem
            .as_ref()
            .or(self.sending.problem.as_ref())?;
        Some(format!("Telegram: {problem}"))
    }

    fn received(&self) -> Received {
        self.poll.received()
    }
}

impl Telegram {
    /// One menu at a time.
    fn may_show_menus(&self) -> bool {
        let is_menu = |call: &Call| matches!(call, Call::Menu { .. });
        self.bot.is_some() && !self.calls.values().any(is_menu)
    }

    fn greet(&mut self, env: &mut ChatEnv<'_>) {
        let ticket = env.tickets.issue();
        self.calls.insert(ticket, Call::Greet);
        self.poll.begin_greeting();
        env.effects.push(Effect::Http(self.api.get_me(ticket)));
    }

    fn greeted(
        &mut self,
        env: &mut ChatEnv<'_>,
        answer: Result<Value, Refusal>,
    ) -> Vec<TransportEvent> {
        let me = match answer {
            Ok(me) => me,
            Err(refusal) => return self.failed(env, &refusal),
        };
        let bot = Bot {
            id: me["id"].as_i64().unwrap_or(0),
            name: me["username"].as_str().unwrap_or_default().to_owned(),
        };
        log::info!("telegram: connected as @{}", bot.name);
        self.poll.belongs_to(bot.id);
        self.bot = Some(bot);
        self.poll_watchdog.begin(env.now.mono);
        let events = self.recovered(env.now.mono);
        self.poll_again(env);
        events
    }

    fn poll_again(&mut self, env: &mut ChatEnv<'_>) {
        let ticket = env.tickets.issue();
        let since = env.now.mono;
        self.calls.insert(ticket, Call::Poll { since });
        let (offset, limit) = self.poll.begin();
        env.effects
            .push(Effect::Http(self.api.get_updates(ticket, offset, limit)));
    }

    fn polled(
        &mut self,
        env: &mut ChatEnv<'_>,
        since: Mono,
        answer: Result<Value, Refusal>,
    ) -> Vec<TransportEvent> {
        let updates = match answer {
            Ok(Value::Array(updates)) => updates,
            Ok(_) => return self.failed(env, &Refusal::Garbled(200)),
            Err(refusal) => return self.failed(env, &refusal),
        };
        let now = env.now.mono;
        let mut events = self.recovered(now);
        let batch = Batch {
            since,
            // The difference of the clocks is remembered by the one that does not jump.
            service_time: self
                .service_time
                .map(|(at, then)| at + now.since(then).as_secs() as i64),
            updates: &updates,
        };
        events.extend(self.poll.take(env, batch));
        for event in &events {
            if let TransportEvent::Incoming(incoming) = event {
                if let Some((chat, _)) = chat_of(&incoming.caller.address) {
                    self.menus.retry(chat);
                }
            }
        }
        if !updates.is_empty() {
            self.poll_watchdog.heard(now);
        }
        if self.poll.may_go_on() {
            self.poll_again(env);
        }
        events
    }

    fn sent(
        &mut self,
        env: &mut ChatEnv<'_>,
        item: ItemId,
        edit: Option<i64>,
        answer: Result<Value, Refusal>,
    ) -> Vec<TransportEvent> {
        let refusal = match answer {
            Ok(message) => {
                self.send_failures = 0;
                self.sending.end("sending", env.now.mono);
                let message = message["message_id"].as_i64().or(edit);
                return vec![TransportEvent::Sent { item, message }];
            }
            Err(refusal) => refusal,
        };
        if edit.is_some() && replies::is_not_modified(&refusal) {
            return vec![TransportEvent::Sent {
                item,
                message: edit,
            }];
        }
        log::debug!(
            "telegram: message {item} was not taken: {}",
            refusal.in_words()
        );
        if refusal.is_outage() {
            let wait = wait(&UNREACHABLE_WAITS, self.send_failures, env);
            self.send_failures += 1;
            self.send_again_at = Some(env.now.mono + wait);
            let problem = format!("sending fails: {}", refusal.in_words());
            self.sending.note(env.now.mono, problem);
        }
        let failure = refusal.failure();
        let mut events = vec![TransportEvent::Failed { item, failure }];
        if refusal.is_denied() && self.bot.is_some() {
            events.extend(self.failed(env, &refusal));
        }
        events
    }

    fn menu_shown(
        &mut self,
        env: &mut ChatEnv<'_>,
        chat: Option<i64>,
        answer: Result<Value, Refusal>,
    ) {
        match answer {
            Ok(_) => self.menus.note(chat, true, env.state),
            Err(Refusal::Api {
                code: 400 | 403,
                text,
                ..
            }) => {
                log::debug!("telegram: no menu for {chat:?} yet: {text}");
                self.menus.note(chat, false, env.state);
            }
            Err(refusal) => {
                log::debug!("telegram: menu for {chat:?}: {}", refusal.in_words());
                self.menus.hold(env.now.mono + Duration::from_secs(60));
            }
        }
    }

    /// A greeting or a poll failed, or a message met a token that is refused. Then nothing is called until it is
    /// time to greet again.
    fn failed(&mut self, env: &mut ChatEnv<'_>, refusal: &Refusal) -> Vec<TransportEvent> {
        if refusal.is_denied() {
            self.bot = None;
            self.calls
                .retain(|_, call| !matches!(call, Call::Poll { .. }));
        }
        let wait = self.poll.back_off(env, refusal);
        let now = env.now.mono;
        self.receiving
            .note(now, poll::remedy(refusal, env.now.wall));
        log::debug!("telegram: next attempt in {}", Human(wait));
        let is_conflict = matches!(refusal, Refusal::Api { code: 409, .. });
        let told = self.receiving.tell(now, is_conflict);
        told.map(TransportEvent::Tell).into_iter().collect()
    }

    /// Receiving works. When it did not, sending is worth a try at once.
    fn recovered(&mut self, now: Mono) -> Vec<TransportEvent> {
        self.poll.reset_failures();
        let lasted = self.receiving.since.filter(|_| self.receiving.is_told);
        let told = lasted.map(|since| {
            let lasted = Human(now.since(since));
            TransportEvent::Tell(format!("Commands are received again, after {lasted}."))
        });
        if self.receiving.end("receiving", now) {
            self.send_again_at = None;
            self.send_failures = 0;
        }
        told.into_iter().collect()
    }
}

impl Outage {
    fn note(&mut self, now: Mono, problem: String) {
        self.failures += 1;
        if self.since.is_none() {
            self.since = Some(now);
        }
        if self.problem.as_ref() != Some(&problem) {
            log::warn!("telegram: {problem}");
            self.problem = Some(problem);
        }
    }

    /// What to tell the owners, once in each conflict.
    fn tell(&mut self, now: Mono, is_conflict: bool) -> Option<String> {
        let is_due = self
            .since
            .is_some_and(|since| now.since(since) >= TOLD_AFTER);
        if !is_conflict || !is_due || self.is_told {
            return None;
        }
        self.is_told = true;
        let problem = self.problem.as_ref()?;
        Some(format!("No command reaches me: {problem}."))
    }

    fn end(&mut self, what: &str, now: Mono) -> bool {
        let (Some(since), Some(_)) = (self.since.take(), self.problem.take()) else {
            return false;
        };
        log::info!(
            "telegram: {what} works again after {} and {} failures",
            Human(now.since(since)),
            self.failures
        );
        self.failures = 0;
        self.is_told = false;
        true
    }
}

/// The wait after so many failures, shortened at random by up to half, so that many agents do not knock together.
fn wait(waits: &[Duration], failures: u32, env: &mut ChatEnv<'_>) -> Duration {
    let index = (failures as usize).min(waits.len() - 1);
    let whole = waits[index];
    let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    whole - Duration::from_millis(env.rng.below(millis / 2 + 1))
}
