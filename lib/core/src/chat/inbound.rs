//! From a message to a command that may run: the grammar, completion, the one authorisation function, the age
//! of the message, refusals. Every entry (line, edited message, button, terminal) comes through `receive`.

use super::access::{Decision, Knock};
use super::buttons::Press;
use super::command::written;
use super::grammar::{self, Reading, Rules};
use super::hub::{Chat, ChatEnv, Resumed};
use super::pairing;
use super::pending_commands::Mark;
use super::{
    Age, Answer, Bound, Button, Caller, Incoming, IncomingKind, Invocation, ReplyTo, SessionId,
    Spec,
};
use crate::ctx::Notice;
use crate::text::Text;
use crate::time::Human;
use std::cell::Cell;
use std::time::Duration;

/// A state-changing command that is older than this is offered, not run.
const MAX_AGE: Duration = Duration::from_secs(60);
/// A question that is older than this is not answered by itself: who asked has looked elsewhere since.
const MAX_QUESTION_AGE: Duration = Duration::from_secs(600);
/// Names that are listed when a name is ambiguous.
const MAX_CANDIDATES: usize = 8;
/// Bytes of a refused line that are kept.
const MAX_REFUSED: usize = 120;
/// Owners who are asked about a stranger.
const MAX_ASKED_OWNERS: usize = 5;

/// One message on its way in.
struct Visit {
    caller: Caller,
    reply_to: ReplyTo,
    /// The confirming button was pressed.
    confirmed: bool,
    /// The name under which a press is to be acknowledged, until that is done.
    query: Cell<Option<String>>,
    /// A button was pressed.
    is_press: bool,
    /// An edit of an earlier message, which may have been run already.
    is_edit: bool,
    age: Age,
}

impl Chat {
    /// Takes one message; the command comes back when it may run now.
    pub(super) fn receive(
        &mut self,
        env: &mut ChatEnv<'_>,
        incoming: Incoming,
        session: Option<SessionId>,
    ) -> Option<Invocation> {
        let mut visit = Visit {
            reply_to: ReplyTo {
                who: incoming.caller.who.clone(),
                address: incoming.caller.address.clone(),
                session,
                edits: None,
                mark: None,
            },
            caller: incoming.caller,
            confirmed: false,
            query: Cell::new(None),
            is_press: false,
            is_edit: matches!(incoming.kind, IncomingKind::Text { edited: true, .. }),
            age: incoming.age,
        };
        if self.access.is_blocked(env.now.wall, &visit.caller) {
            self.counters.refused += 1;
            return None;
        }
        match incoming.kind {
            IncomingKind::Text { text, .. } => {
                if session.is_none() && visit.caller.is_private {
                    if pairing::candidate(&text).is_some() {
                        self.receive_code(env, &visit, &text);
                        return None;
                    }
                    self.introduce(env, &visit.caller);
                }
                self.receive_line(env, visit, &text)
            }
            IncomingKind::Foreign(text) => {
                self.receive_foreign(env, visit, &text);
                None
            }
            IncomingKind::Press { code, query } => {
                visit.query.set(Some(query));
                visit.is_press = true;
                self.receive_press(env, visit, &code, incoming.message)
            }
        }
    }

    fn receive_press(
        &mut self,
        env: &mut ChatEnv<'_>,
        mut visit: Visit,
        code: &str,
        message: Option<i64>,
    ) -> Option<Invocation> {
        let caller = &visit.caller;
        let press =
            self.outbox
                .buttons
                .press(env.now.mono, code, &caller.who, &caller.address, message);
        match press {
            Press::Run { command, bound } => {
                visit.confirmed = bound == Bound::Confirm;
                if bound != Bound::Open && visit.reply_to.session.is_none() {
                    visit.reply_to.edits = message;
                }
                self.receive_line(env, visit, &command)
            }
            Press::Gone => {
                let is_known =
                    visit.caller.is_owner || self.access.knows(env.now.wall, &visit.caller);
                if !is_known {
                    self.counters.refused += 1;
                    self.note_refusal(env, &visit, "a button", "nobody handed it out");
                }
                let line = "This button has expired. Please write the command again.";
                if is_known || self.may_small_talk(env, &visit) {
                    self.say_to_presser(env, &visit, line);
                }
                None
            }
            Press::NotYours { command } => {
                self.counters.refused += 1;
                self.note_refusal(env, &visit, &command, "the button belongs to somebody else");
                if self.access.knows(env.now.wall, &visit.caller)
                    || self.may_small_talk(env, &visit)
                {
                    self.say_to_presser(env, &visit, "This button belongs to somebody else.");
                }
                None
            }
        }
    }

    fn receive_line(
        &mut self,
        env: &mut ChatEnv<'_>,
        visit: Visit,
        line: &str,
    ) -> Option<Invocation> {
        let rules = Rules {
            bot_name: self.bot_name(&visit.caller.address),
            needs_slash: !visit.caller.is_private,
        };
        match grammar::read(line, env.specs, rules) {
            Reading::Command { spec, args } => self.receive_command(env, visit, spec, args),
            Reading::NotForUs => None,
            // In a group it may be meant for another bot, unless it is nearly one of ours.
            Reading::Unknown { nearest: None, .. } | Reading::Talk if !visit.caller.is_private => {
                None
            }
            // Talk from long ago is not taken up again.
            _ if matches!(visit.age, Age::Known(age) if age > MAX_QUESTION_AGE) => None,
            reading => {
                self.explain(env, &visit, reading);
                None
            }
        }
    }

    fn receive_command(
        &mut self,
        env: &mut ChatEnv<'_>,
        visit: Visit,
        spec: &'static Spec,
        args: Vec<String>,
    ) -> Option<Invocation> {
        let args = match complete(env, spec, args) {
            Ok(args) => args,
            Err(ambiguity) => {
                let may_look = self.access.decide(env.now.wall, &visit.caller, spec, None);
                match may_look {
                    Decision::Allowed { .. } => self.reply(env, &visit, ambiguity),
                    Decision::Refused { because } => self.refuse(env, &visit, spec.name, &because),
                }
                return None;
            }
        };
        let line = written(spec.name, &args);
        let because = match self.decide(env, &visit.caller, spec, &args) {
            Decision::Allowed { because } => because,
            Decision::Refused { because } => {
                self.refuse(env, &visit, &line, &because);
                return None;
            }
        };
        let is_stranger = !visit.caller.is_owner && !self.access.knows(env.now.wall, &visit.caller);
        if is_stranger && !self.may_small_talk(env, &visit) {
            return None;
        }
        // A button that is bound to who asked dies with the agent, and what those under alerts do may be done twice.
        let may_come_again = self.forgets && !visit.is_press && visit.reply_to.session.is_none();
        match (spec.changes_state, visit.age) {
            (true, _) if may_come_again => {
                self.offer(env, &visit, &line);
                return None;
            }
            (true, Age::Live) if !visit.is_edit => {}
            (true, Age::Known(age)) if age <= MAX_AGE && !visit.is_edit => {}
            (true, _) => {
                self.offer(env, &visit, &line);
                return None;
            }
            (false, Age::Known(age)) if age > MAX_QUESTION_AGE => {
                self.acknowledge(env, &visit, None);
                self.put_aside(env, &visit.reply_to.address, line, age);
                return None;
            }
            _ => {}
        }
        self.acknowledge(env, &visit, None);
        if spec.changes_state {
            let outcome = format!("accepted ({because})");
            audit(env, &visit.caller, line, outcome);
        }
        self.counters.commands += 1;
        let mut invocation = Invocation {
            spec,
            args,
            caller: visit.caller,
            reply_to: visit.reply_to,
            confirmed: visit.confirmed,
        };
        if invocation.reply_to.session.is_none() {
            let number = self.pending_commands.begin(&invocation, env.now.wall);
            invocation.reply_to.mark = Some(number);
        }
        Some(invocation)
    }

    /// Decides about a command with these arguments: about each thing, when it is for several.
    fn decide(&self, env: &ChatEnv<'_>, caller: &Caller, spec: &Spec, args: &[String]) -> Decision {
        let decide = |target: Option<&str>| self.access.decide(env.now.wall, caller, spec, target);
        let Some(kind) = spec.arg else {
            return decide(None);
        };
        let words = args[..env.names.several(kind, args)].iter();
        let names = words.flat_map(|word| env.names.complete(kind, word));
        let mut decisions = names.map(|name| decide(Some(&name)));
        let Some(first) = decisions.next() else {
            return decide(args.first().map(String::as_str));
        };
        let refused = decisions.find(|decision| !decision.is_allowed());
        match refused.filter(|_| first.is_allowed()) {
            Some(refused) => refused,
            None => first,
        }
    }

    /// Decides about a command that was under way when the agent ended. One that may have had an effect is never
    /// run again; one that only reads is, while somebody may still wait for it.
    pub(super) fn resume_one(
        &mut self,
        env: &mut ChatEnv<'_>,
        number: u64,
        mark: Mark,
    ) -> Option<Resumed> {
        let Some(spec) = env.specs.iter().find(|spec| *spec.name == mark.command) else {
            self.pending_commands.finish(Some(number), env.state);
            return None;
        };
        let (has_begun, at) = (mark.has_begun, mark.at);
        let invocation = mark.invocation(spec, number);
        let may = self.decide(env, &invocation.caller, spec, &invocation.args);
        let age = env.now.wall.since(at);
        let to = invocation.reply_to.clone();
        match (has_begun, may.is_allowed()) {
            (true, true) => return Some(Resumed::Unknown(invocation)),
            (true, false) => self.answer(env, &to, Answer::text(invocation.outcome_unknown())),
            (false, true) if age <= MAX_QUESTION_AGE => return Some(Resumed::Again(invocation)),
            (false, true) => {
                self.pending_commands.finish(Some(number), env.state);
                self.put_aside(env, &to.address, invocation.line(), age);
            }
            (false, false) => self.pending_commands.finish(Some(number), env.state),
        }
        None
    }

    /// A code is a secret, also a wrong or an old one, so it is nowhere repeated.
    fn receive_code(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, text: &str) {
        if self.take_code(env, &visit.reply_to, &visit.caller, text) {
            return;
        }
        if self.access.knows(env.now.wall, &visit.caller) {
            let text = "This code is wrong or has expired.";
            self.reply(env, visit, Answer::text(text));
        } else {
            self.refuse(env, visit, "a code", "wrong or expired");
        }
    }

    /// Asks the owners about somebody who holds no right.
    fn introduce(&mut self, env: &mut ChatEnv<'_>, caller: &Caller) {
        let now = env.now.wall;
        if caller.who.mailbox().is_none() || self.access.knows(now, caller) {
            return;
        }
        let owners = self.access.owners(now);
        if owners.is_empty() {
            return;
        }
        let who = caller.who.to_string();
        let (text, buttons) = match self.access.strangers.knock(now, &caller.who, env.state) {
            Knock::Silence => return,
            Knock::TooMany => (
                Text::from(
                    "More strangers write to the bot than I ask about in a day; /audit names some.",
                ),
                Vec::new(),
            ),
            Knock::Ask => {
                let button = |label: &str, command: &str| Button::lasting(label, command);
                let rows = vec![
                    vec![
                        button("viewer", &format!("/grant {who} viewer")),
                        button("operator", &format!("/grant {who} operator")),
                    ],
                    vec![
                        button("ignore", &format!("/permissions ignore {who}")),
                        button("block", &format!("/permissions block {who}")),
                    ],
                ];
                let text = Text::new()
                    .plain("A stranger writes to the bot: ")
                    .code(&*who)
                    .plain(format!(", who goes by {}. Let them in?", caller.name));
                (text, rows)
            }
        };
        for owner in owners.iter().take(MAX_ASKED_OWNERS) {
            self.tell_owner(env, owner, text.clone(), buttons.clone(), true);
        }
    }

    /// Somebody else's words are never run, whoever brings them.
    fn receive_foreign(&mut self, env: &mut ChatEnv<'_>, visit: Visit, line: &str) {
        let rules = Rules {
            bot_name: self.bot_name(&visit.caller.address),
            needs_slash: true,
        };
        let Reading::Command { spec, args } = grammar::read(line, env.specs, rules) else {
            return;
        };
        self.counters.refused += 1;
        let line = written(spec.name, &args);
        self.note_refusal(env, &visit, &line, "forwarded, so somebody else's words");
        let key = visit.caller.who.to_string();
        if self.access.knows(env.now.wall, &visit.caller)
            && self.refusals.to_known.take(env.now.mono, &key).is_some()
        {
            let text = "Not run: it was forwarded, so it is somebody else's. Write it yourself.";
            self.reply(env, &visit, Answer::text(text));
        }
    }

    /// Says no: once in a while to the person, to the audit log, and to the log with the id to copy.
    fn refuse(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, line: &str, because: &str) {
        self.counters.refused += 1;
        self.note_refusal(env, visit, line, because);
        let caller = &visit.caller;
        let is_known = self.access.knows(env.now.wall, caller);
        let key = if is_known {
            caller.who.to_string()
        } else {
            caller.address.to_string()
        };
        let now = env.now.mono;
        let may_answer = visit.reply_to.session.is_some()
            || match is_known {
                true => self.refusals.to_known.take(now, &key).is_some(),
                false => {
                    self.refusals.to_strangers.take(now, &key).is_some()
                        && self.refusals.to_crowd.take(now, "").is_some()
                }
            };
        let text = match (is_known, caller.is_private) {
            (true, _) => format!("You may not do that: {because}."),
            (false, true) => {
                "You may not use this agent. /id shows the id that its owner needs to let you in."
                    .to_owned()
            }
            (false, false) => format!("{} may not use this agent here.", caller.who),
        };
        if visit.is_press && visit.reply_to.session.is_none() {
            // Each takes a call, and a crowd would hold up everybody's.
            if is_known || may_answer {
                self.acknowledge(env, visit, Some(&text));
            }
        } else if may_answer {
            self.reply(env, visit, Answer::text(text));
        }
    }

    fn note_refusal(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, line: &str, because: &str) {
        let caller = &visit.caller;
        let (now, who) = (env.now.mono, caller.who.to_string());
        let is_known = self.access.knows(env.now.wall, caller);
        let limiter = match is_known {
            true => &mut self.refusals.audited,
            false => &mut self.refusals.audited_strangers,
        };
        let Some(mut held_back) = limiter.take(now, &who) else {
            return;
        };
        if !is_known {
            match self.refusals.audited_crowd.take(now, "") {
                Some(of_others) => held_back += of_others,
                None => return,
            }
        }
        let line = env.config.without_secrets(line.to_owned());
        let line = grammar::cut(&line, MAX_REFUSED);
        let more = match held_back {
            0 => String::new(),
            count => format!("; {count} more refusals before this one"),
        };
        audit(
            env,
            caller,
            line.to_owned(),
            format!("refused ({because}{more})"),
        );
        log::warn!(
            "chat: refused {line} to {}: {because}{more}; to allow it, add [[access.grant]] with who = \"{}\"",
            caller.for_audit(),
            caller.who
        );
    }

    /// What a stranger may ask is answered, but not without end.
    fn may_small_talk(&mut self, env: &mut ChatEnv<'_>, visit: &Visit) -> bool {
        let key = visit.caller.address.to_string();
        visit.reply_to.session.is_some()
            || (self.refusals.small_talk.take(env.now.mono, &key).is_some()
                && self.refusals.to_crowd.take(env.now.mono, "").is_some())
    }

    /// Answers a line that is no command.
    fn explain(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, reading: Reading) {
        let is_known = visit.caller.is_owner || self.access.knows(env.now.wall, &visit.caller);
        let text = match reading {
            _ if !is_known => {
                return self.refuse(env, visit, "a message", "holds no role here");
            }
            Reading::Unknown {
                word,
                nearest: Some(nearest),
            } => format!("There is no command /{word}. Did you mean /{nearest}?"),
            Reading::Unknown { word, .. } if word.is_empty() => "/help lists the commands.".into(),
            Reading::Unknown { word, .. } => {
                format!("There is no command /{word}. /help lists them.")
            }
            Reading::Ambiguous { word, candidates } => {
                format!("/{word} may be /{}.", candidates.join(", /"))
            }
            _ => "I read commands only; /help lists them.".into(),
        };
        self.reply(env, visit, Answer::text(text));
    }

    /// Offers a command as a button instead of running it: an old one, an edit, or one that a crash would bring again.
    fn offer(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, line: &str) {
        let (why, audited) = match visit.age {
            Age::Known(age) if age > MAX_AGE => {
                (format!("it was sent {} ago", Human(age)), "too old")
            }
            Age::Unknown => (
                "it was sent at a time that I cannot tell".to_owned(),
                "too old",
            ),
            _ if visit.is_edit => ("it is an edit of an earlier message".to_owned(), "an edit"),
            Age::Live | Age::Known(_) => (
                "the state cannot be written, so after a crash this could run twice".to_owned(),
                "the state cannot be written",
            ),
        };
        let text = Text::new()
            .plain(format!("Not run, because {why}: "))
            .code(line);
        let answer = Answer {
            buttons: vec![vec![Button::once("Run now", line)]],
            ..Answer::text(text)
        };
        self.acknowledge(env, visit, None);
        audit(
            env,
            &visit.caller,
            line.to_owned(),
            format!("{audited}, offered again"),
        );
        self.reply(env, visit, answer);
    }

    fn reply(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, answer: Answer) {
        self.acknowledge(env, visit, None);
        self.answer(env, &visit.reply_to, answer);
    }

    /// One line to whoever pressed a button: as a toast where the service has it.
    fn say_to_presser(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, line: &str) {
        if visit.reply_to.session.is_some() {
            self.answer(env, &visit.reply_to, Answer::text(line));
        } else {
            self.acknowledge(env, visit, Some(line));
        }
    }

    fn acknowledge(&mut self, env: &mut ChatEnv<'_>, visit: &Visit, text: Option<&str>) {
        let (Some(query), None) = (visit.query.take(), visit.reply_to.session) else {
            return;
        };
        let transport = self.transport_of(&visit.caller.address);
        if let Some(transport) = transport {
            transport.acknowledge(env, &query, text);
        }
    }
}

/// Completes the first argument. Words that together begin a name are joined; what begins no name stays as
/// written, because it may be another argument.
fn complete(env: &ChatEnv<'_>, spec: &Spec, mut args: Vec<String>) -> Result<Vec<String>, Answer> {
    let Some(kind) = spec.arg.filter(|kind| env.names.several(kind, &args) == 0) else {
        return Ok(args);
    };
    for count in (1..=args.len().min(6)).rev() {
        let typed = args[..count].join(" ");
        let mut names = env.names.complete(kind, &typed);
        names.dedup();
        match names.len() {
            0 => {}
            1 => {
                args.splice(..count, names);
                return Ok(args);
            }
            many => {
                let shown = names.len().min(MAX_CANDIDATES);
                let more = if many > shown { ", …" } else { "" };
                return Err(Answer::text(format!(
                    "`{typed}` may be {}{more}.",
                    names[..shown].join(", ")
                )));
            }
        }
    }
    Ok(args)
}

fn audit(env: &mut ChatEnv<'_>, caller: &Caller, action: String, outcome: String) {
    env.notices.push(Notice::Audit {
        who: caller.for_audit(),
        action,
        outcome,
    });
}

#[cfg(test)]
mod tests;
