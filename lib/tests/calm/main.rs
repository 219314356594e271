//! Alerts that people trust because they never spam and never stay silent: what hides what, what flaps, and what each
//! option of a rule does, second by second.

mod flapping;
mod inhibition;
mod world;
