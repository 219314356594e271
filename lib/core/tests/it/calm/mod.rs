//! Alerts that people trust because they never spam and never stay silent: what hides what, what flaps, and what each
//! option of a rule does, second by second.

#![expect(
    clippy::disallowed_methods,
    reason = "seeds come from the environment, two threads share them, and the documentation is read"
)]

mod clocks;
mod flapping;
mod groups;
mod inhibition;
mod oracle;
mod timelines;
mod world;
