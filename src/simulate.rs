//! `simulate`: answers SNMP as one or many PDUs, until it is told to end.

use crate::args::SimulateOptions;
use crate::failure::{Failure, Outcome, print};
use crate::user::UserOptions;
use rackwarden_core::config::suggest::nearest;
use rackwarden_core::pdu::Profiles;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::snmp::Usm;
use rackwarden_core::time::Zone;
use rackwarden_io::clock::Clock;
use rackwarden_io::environment::reason;
use rackwarden_io::simulator;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Serves the devices and returns after SIGINT or SIGTERM.
pub(crate) fn run(options: &SimulateOptions) -> Outcome {
    let cannot = |err: std::io::Error| Failure::operation(format!("simulate: {}", reason(&err)));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(cannot)?;
    let (what, model) = model(options)?;
    let usm = options.user.as_ref().map(UserOptions::usm).transpose()?;
    let usm = usm.map(Arc::new);
    let devices = (0..options.count).map(|number| device(options, &model, number, usm.as_ref()));
    let addresses =
        simulator::spawn(Clock::start(), options.listen, devices.collect()).map_err(|err| {
            Failure::operation(format!(
                "simulate: {err}; choose another address with --listen"
            ))
        })?;
    print(&match addresses.as_slice() {
        [first, .., last] => format!(
            "{} devices answer as {what} on {first} to {last}\n",
            addresses.len()
        ),
        [first] => format!("one device answers as {what} on {first}\n"),
        [] => String::new(),
    })?;
    signals.forever().next();
    Ok(())
}

fn model(options: &SimulateOptions) -> Result<(String, Agent), Failure> {
    if let Some(file) = &options.recording {
        return recording(file);
    }
    let profile = match &options.profile {
        Some(profile) => profile.as_str(),
        None => "apc-rpdu2",
    };
    if let Some(agent) = Agent::of_profile(profile) {
        return Ok((profile.to_owned(), agent));
    }
    let profiles = Profiles::builtin();
    let why = if profiles.named(profile).is_some() {
        format!("the devices of {profile} have no readings; choose another profile, or --recording")
    } else {
        let known = profiles.iter().map(|source| &*source.head().name);
        let hint = nearest(profile, known).map_or_else(
            || "see `rackwarden profiles`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        format!("there is no profile `{profile}`; {hint}")
    };
    Err(Failure::usage(format!("simulate: {why}")))
}

fn recording(file: &Path) -> Result<(String, Agent), Failure> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|err| {
        Failure::operation(format!("{shown}: {}; name a .snmprec file", reason(&err)))
    })?;
    let agent = Agent::from_recording(&bytes)
        .map_err(|why| Failure::operation(format!("{shown}: {why}; correct the file")))?;
    Ok((shown.to_string(), agent))
}

/// Each device has a name and a load of its own. A recording keeps its values.
fn device(options: &SimulateOptions, model: &Agent, number: u32, usm: Option<&Arc<Usm>>) -> Agent {
    let mut agent = model.clone();
    agent.set_communities(options.community.expose(), options.write_community.expose());
    if let Some(usm) = usm {
        agent.set_engine(&format!("rackwarden-{}", number + 1));
        agent.add_user(Arc::clone(usm), true);
    }
    if options.recording.is_none() {
        agent.set_zone(Zone::system());
        agent.set_name(&format!("pdu-{}", number + 1));
        let mean_w = 800.0 + f64::from(number * 37 % 23) * 60.0;
        let period = Duration::from_secs(40 + u64::from(number % 7) * 11);
        agent.set_wave(mean_w, mean_w * 0.2, period);
    }
    agent
}
