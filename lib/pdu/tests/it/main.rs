//! Profiles and recordings of real devices.

mod devices;
mod record;
mod recordings;
