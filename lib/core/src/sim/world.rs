//! Worlds: the peers of a simulated agent. Each takes the requests and streams of one endpoint, by the endpoint's name, or the
//! runs of one program, by the program's name, and answers them in virtual time.

use crate::effect::{Effect, Ticket};
use crate::event::{Event, Reply};
use crate::fault::{Fault, FaultKind};
use crate::run::{RunAction, RunEvent};
use crate::stream::{StreamAction, StreamEvent};
use crate::time::{Mono, Now};
use rackwarden_base::AsAny;
use std::collections::BTreeMap;
use std::time::Duration;

/// Name of the world that answers SNMP: the PDUs.
pub const PDUS: &str = "pdus";
/// Name of the world that looks at the machine.
pub const MACHINE: &str = "machine";
/// Name of the mail server.
pub const MAIL: &str = "mail";
/// Name of the chat service.
pub const TELEGRAM: &str = "telegram";
/// Name of the service that `[heartbeat]` pings.
pub const HEARTBEAT: &str = "heartbeat";

/// A simulated peer. Its clock is right, whatever the agent's shows.
pub trait World: AsAny {
    /// Takes what the agent asks of it.
    fn request(&mut self, now: Now, effect: Effect, out: &mut Out);

    /// When it acts by itself.
    fn poll_timeout(&self) -> Option<Mono> {
        None
    }

    /// Acts. Called when `poll_timeout` is due, and whenever a test may have changed the world.
    fn handle_timeout(&mut self, _now: Now, _out: &mut Out) {}

    /// The agent has ended, and with it every connection.
    fn forget_agent(&mut self) {}
}

/// The output of a world: events for the agent, and lines for the transcript.
#[derive(Default)]
pub struct Out {
    pub(super) events: Vec<(Duration, Event)>,
    pub(super) lines: Vec<String>,
}

impl Out {
    /// Answers a request after a while.
    pub fn reply(&mut self, delay: Duration, ticket: Ticket, reply: Reply) {
        self.event(delay, Event::Done { ticket, reply });
    }

    /// Something reaches the agent after a while.
    pub fn event(&mut self, delay: Duration, event: Event) {
        self.events.push((delay, event));
    }

    /// People see something.
    pub fn see(&mut self, line: String) {
        self.lines.push(line);
    }
}

/// Which worlds streams and runs belong to, from their beginning to the agent's end.
#[derive(Default)]
pub(super) struct Routes(BTreeMap<Ticket, String>);

impl Routes {
    /// Name of the world that an effect is for; none for what the simulator does itself.
    pub(super) fn world_of(&mut self, effect: &Effect) -> Option<String> {
        let name = match effect {
            Effect::Snmp(_) => PDUS,
            Effect::Http(request) => &request.endpoint.name,
            Effect::Mail(_) => MAIL,
            Effect::Host { .. } => MACHINE,
            Effect::Stream(op) => match &op.action {
                StreamAction::Open(open) => self.enter(op.ticket, &open.endpoint.name),
                _ => self.0.get(&op.ticket).map_or("", |name| name),
            },
            Effect::Run(op) => match &op.action {
                RunAction::Start(start) => self.enter(op.ticket, program(&start.argv)),
                _ => self.0.get(&op.ticket).map_or("", |name| name),
            },
            Effect::Resolve { .. }
            | Effect::Store(_)
            | Effect::Append { .. }
            | Effect::History(_)
            | Effect::Reply(_)
            | Effect::Work { .. } => return None,
        };
        Some(name.to_owned())
    }

    fn enter<'a>(&mut self, ticket: Ticket, name: &'a str) -> &'a str {
        self.0.insert(ticket, name.to_owned());
        name
    }
}

/// Name of a program without its folder.
fn program(argv: &[String]) -> &str {
    let path = argv.first().map_or("", |path| path);
    path.rsplit('/').next().unwrap_or_default()
}

/// Answers a request that no world takes: nobody listens, and no program is there.
pub(super) fn nobody(effect: Effect, out: &mut Out) {
    let fault = Fault::new(FaultKind::Unreachable, "connection refused");
    let (ticket, reply) = match effect {
        Effect::Http(request) => (request.ticket, Reply::Http(Err(fault))),
        Effect::Mail(request) => (request.ticket, Reply::Mail(Err(fault))),
        Effect::Host { ticket, .. } => (ticket, Reply::Host(Err(fault))),
        Effect::Stream(op) if matches!(op.action, StreamAction::Open(_)) => {
            let closed = StreamEvent::Closed(Err(fault));
            (op.ticket, Reply::Stream(closed))
        }
        Effect::Run(op) if matches!(op.action, RunAction::Start(_)) => {
            let fault = Fault::new(FaultKind::Rejected, "no program is in this world");
            (op.ticket, Reply::Run(RunEvent::Ended(Err(fault))))
        }
        _ => return,
    };
    out.reply(Duration::from_millis(1), ticket, reply);
}
