//! What a command is: one row in the table of the module that owns it.

use super::{Caller, ReplyTo};
use crate::ctx::Ctx;

/// Roles, each with the rights of those before it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever writes in a private chat.
    Anyone,
    /// May look.
    Viewer,
    /// May change.
    Operator,
    /// May grant.
    Owner,
}

impl Role {
    /// As configuration and chat spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Anyone => "anyone",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Owner => "owner",
        }
    }

    /// Reads a role that can be granted.
    pub fn named(name: &str) -> Option<Role> {
        [Role::Viewer, Role::Operator, Role::Owner]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// What the first argument of a command names, so that it can be completed from a unique prefix before
/// the right to act on it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// Nothing that has a name; arguments are passed as written.
    Free,
    /// A PDU (a team stands for its members where the command says so).
    Pdu,
    /// A PDU or a team.
    PduOrTeam,
    /// An alert, by number or name; `all` where the command takes it.
    Alert,
}

/// What everybody can know about a command.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Without the slash.
    pub name: &'static str,
    /// Arguments, such as `<pdu> [since]`; empty for none.
    pub usage: &'static str,
    /// One line, lower case, without a full stop.
    pub help: &'static str,
    /// A whole line to copy, such as `/reset alpha`.
    pub example: &'static str,
    /// Who may run it without a grant of its own.
    pub role: Role,
    /// The action that is checked together with the target, such as `power.reset`.
    pub action: Option<&'static str>,
    /// What its first argument names.
    pub arg: Arg,
    /// True when it changes something: audited, and never run when it arrives late.
    pub changes_state: bool,
}

/// A row of a command table: the specification and the function that runs it.
pub struct Command<Owner: 'static> {
    /// The specification.
    pub spec: Spec,
    /// Runs it. Answers through `Ctx::answer`; wrong arguments are answered with `Ctx::usage`.
    pub run: fn(&mut Owner, &mut Ctx<'_>, &Invocation),
}

/// A command that somebody may run, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Name of the command.
    pub command: &'static str,
    /// Arguments, split at white space; quotes keep words together; the first one completed (`Arg`).
    pub args: Vec<String>,
    /// Who.
    pub caller: Caller,
    /// Where to answer.
    pub reply_to: ReplyTo,
    /// True when the caller pressed the confirming button.
    pub confirmed: bool,
}

impl Invocation {
    /// The line that would run it again.
    pub fn line(&self) -> String {
        written(self.command, &self.args)
    }

    /// What is said first when the agent ended while it was under way.
    pub fn outcome_unknown(&self) -> String {
        let line = self.line();
        format!(
            "Outcome unknown: the agent ended while {line} was under way. It was not run again."
        )
    }

    /// An argument, if there is one.
    pub fn arg(&self, index: usize) -> Option<&str> {
        self.args.get(index).map(String::as_str)
    }
}

/// A command with its arguments as somebody would write it.
pub(super) fn written(command: &str, args: &[String]) -> String {
    let mut line = format!("/{command}");
    for arg in args {
        line.push(' ');
        line.push_str(&super::grammar::quote(arg));
    }
    line
}
