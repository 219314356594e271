//! What a command is: one row in the table of the module that owns it.

use super::{Caller, ReplyTo};
use crate::config::Config;
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

/// What everybody can know about a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The kind of thing that its first argument names (`pdu`, `alert`), by the word of a `Kind`: completed from a
    /// unique prefix before the right to act on it is checked. Without a kind, arguments are passed as written.
    pub arg: Option<&'static str>,
    /// True when it changes something: audited, and never run when it arrives late.
    pub changes_state: bool,
}

impl Spec {
    /// How the command is to be written.
    pub fn written_usage(&self) -> String {
        let line = format!("usage: /{} {}", self.name, self.usage);
        match self.example {
            "" => line.trim_end().to_owned(),
            example => format!("{} — for example {example}", line.trim_end()),
        }
    }
}

/// A row of a command table: the specification and the function that runs it.
pub struct Row<Run> {
    /// The specification.
    pub spec: Spec,
    /// Runs it. Answers through `answer`; wrong arguments are answered with `usage`.
    pub run: Run,
}

/// A command of a plugin.
pub type Command<Owner> = Row<fn(&mut Owner, &mut Ctx<'_>, &Invocation)>;

/// The specifications of a table.
pub fn specs<Run>(table: &'static [Row<Run>]) -> Vec<&'static Spec> {
    table.iter().map(|row| &row.spec).collect()
}

/// Runs the row that an invocation is for, when the table has it.
pub fn run<Owner>(
    table: &[Command<Owner>],
    owner: &mut Owner,
    ctx: &mut Ctx<'_>,
    invocation: &Invocation,
) {
    if let Some(row) = table.iter().find(|row| row.spec == *invocation.spec) {
        (row.run)(owner, ctx, invocation);
    }
}

/// A kind of things that arguments name. Whoever owns the things has it in a table.
pub struct Kind<Owner: ?Sized> {
    /// As `Spec::arg` names it.
    pub word: &'static str,
    /// Names that begin with the given text, whatever the case; a name that is exactly it stands alone.
    pub complete: fn(&Owner, &Config, &str) -> Vec<String>,
}

/// Names of a kind that begin with `prefix`, when the table has the kind.
pub fn complete<Owner: ?Sized>(
    table: &[Kind<Owner>],
    owner: &Owner,
    config: &Config,
    kind: &str,
    prefix: &str,
) -> Vec<String> {
    let kind = table.iter().find(|row| row.word == kind);
    kind.map_or_else(Vec::new, |kind| (kind.complete)(owner, config, prefix))
}

/// A command that somebody may run, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The command.
    pub spec: &'static Spec,
    /// Arguments, split at white space; quotes keep words together; the first one completed (`Spec::arg`).
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
        written(self.spec.name, &self.args)
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
