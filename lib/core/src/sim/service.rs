//! The chat service as a world: the model of the Bot API behind the agent's HTTP calls.

use super::Sim;
use super::telegram::{Reply as Answer, Service, Sight, Weather};
use super::world::{Out, TELEGRAM, World};
use crate::effect::{Effect, Ticket};
use crate::event::{HttpResponse, Reply};
use crate::fault::{Fault, FaultKind};
use crate::time::{Mono, Now, Wall};
use std::time::Duration;

/// From an answer to its arrival.
const WAY: Duration = Duration::from_millis(20);

/// The service, and what is between.
pub(super) struct Chat {
    pub(super) service: Service,
    dates: bool,
}

impl Default for Chat {
    fn default() -> Chat {
        Chat {
            service: Service::default(),
            dates: true,
        }
    }
}

impl World for Chat {
    /// The request arrives at once.
    fn request(&mut self, now: Now, effect: Effect, out: &mut Out) {
        let Effect::Http(request) = effect else {
            return;
        };
        let mut headers = request.headers.iter();
        let kind = headers.find(|(name, _)| *name == "content-type");
        self.service.call(
            now,
            request.ticket.0,
            request.url().expose(),
            kind.map_or("", |(_, value)| value.expose()),
            request.bytes(),
        );
        self.service
            .take_fresh()
            .iter()
            .map(line_of)
            .for_each(|line| out.see(line));
        self.handle_timeout(now, out);
    }

    fn poll_timeout(&self) -> Option<Mono> {
        self.service.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Now, out: &mut Out) {
        let date = self.dates.then_some(now.wall);
        for (ticket, answer) in self.service.take_replies(now) {
            let reply = Reply::Http(result_of(answer, date));
            out.reply(WAY, Ticket(ticket), reply);
        }
    }

    fn forget_agent(&mut self) {
        self.service.forget_callers();
    }
}

/// What people see.
fn line_of(sight: &Sight) -> String {
    let message = &sight.message;
    let edits = if message.edits > 0 { " edits" } else { "" };
    let text = match (&*message.text, &message.document) {
        ("", Some(_)) => "(file)",
        (text, _) => text,
    };
    let picture = if message.is_photo { "(picture) " } else { "" };
    format!(
        "telegram:{}{edits} #{}] {picture}{text}",
        message.chat, message.id
    )
}

/// The HTTP worker's reading of an answer.
fn result_of(answer: Answer, date: Option<Wall>) -> Result<HttpResponse, Fault> {
    let (kind, detail) = match answer {
        Answer::Answer(status, body) if body.len() <= 1 << 20 => {
            return Ok(HttpResponse {
                status,
                headers: date.into_iter().map(date_header).collect(),
                body,
                saved_bytes: None,
            });
        }
        Answer::Answer(..) | Answer::Gzip(_) => (FaultKind::Malformed, "not an answer"),
        Answer::Drip(..) | Answer::Lost => (FaultKind::Timeout, "no answer"),
        Answer::Away => (FaultKind::Unreachable, "connection refused"),
    };
    Err(Fault::new(kind, detail))
}

fn date_header(date: Wall) -> (String, String) {
    ("date".to_owned(), date.http_date())
}

impl Sim {
    /// The chat service itself: its messages and calls, chats that block, move or ask to wait.
    pub fn service(&mut self) -> &mut Service {
        &mut self.chat().service
    }

    /// Somebody writes into a chat of the simulated chat service.
    pub fn post(&mut self, user: i64, chat: i64, text: &str) {
        self.post_late(user, chat, text, Duration::ZERO);
    }

    /// Somebody wrote this so long ago, and the service delivers it only now.
    pub fn post_late(&mut self, user: i64, chat: i64, text: &str, age: Duration) {
        let at = self.world_now().wall.minus(age);
        self.service().post(user, chat, text, at);
        self.visit_worlds(true);
    }

    /// Somebody presses a button by its label, under the newest message that has one.
    ///
    /// # Panics
    /// Panics when no message has such a button.
    pub fn press(&mut self, user: i64, chat: i64, label: &str) {
        let at = self.world_now().wall;
        assert!(
            self.service().press(user, chat, label, at),
            "no button {label:?} in chat {chat}"
        );
        self.visit_worlds(true);
    }

    /// The chat service treats the next `times` calls of a method (`*` for every one) like this.
    pub fn set_weather(&mut self, method: &str, times: u32, weather: Weather) {
        let now = self.world_now();
        self.service().set_weather(now, method, times, weather);
        self.visit_worlds(true);
    }

    /// The chat service works again.
    pub fn clear_weather(&mut self) {
        self.service().clear_weather();
    }

    /// The chat service ignores what was confirmed and sends every update again with each poll.
    pub fn repeat_updates(&mut self) {
        self.service().repeat_updates();
    }

    /// From now on the chat service says what time it is with every answer, or does not.
    pub fn set_service_dates(&mut self, dates: bool) {
        self.chat().dates = dates;
    }

    fn chat(&mut self) -> &mut Chat {
        self.world(TELEGRAM)
    }
}
