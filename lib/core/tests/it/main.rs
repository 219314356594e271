//! The library from outside, most of it in virtual time. One executable, because each links the whole library.

mod access;
mod alerts;
mod calm;
mod chart_command;
mod charts;
mod chat;
mod delivery;
mod devices;
mod disk;
mod energy;
mod faults;
mod foul_weather;
mod history;
mod inbox;
mod outlets;
mod prediction;
mod record;
mod recordings;
mod simulated;
mod wear;
