//! `rackwarden probe`: identifies one device and prints its readings.

use crate::args::{ProbeOptions, SnmpVersion};
use crate::failure::{Failure, Outcome, print};
use crate::record;
use rackwarden_core::config::suggest::nearest;
use rackwarden_core::pdu::identify::Options;
use rackwarden_core::pdu::read::file as profile_file;
use rackwarden_core::pdu::{Electric, Identified, Kind, OutletReading, Profiles, Reading};
use rackwarden_core::plugins::power::{Host, host};
use rackwarden_core::plugins::power::{Probed, reading_object};
use rackwarden_core::secret::Secret;
use rackwarden_core::snmp::{Credentials, SnmpTarget, Version};
use rackwarden_core::time::{Wall, Zone};
use rackwarden_io::clock::Clock;
use rackwarden_io::environment::reason;
use rackwarden_io::session::Session;
use std::fmt::Write as _;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Runs it.
pub(crate) fn run(options: &ProbeOptions) -> Outcome {
    let credentials = credentials(options)?;
    let version = credentials.version();
    let (profiles, profile) = match &options.profile {
        Some(name) => profile(name)?,
        None => (Profiles::builtin(), None),
    };
    let failed = |why: String| {
        let what = match options.user {
            Some(_) => "check the address, the user, and that the device lets this machine in",
            None => "check the address, the community, and that the device lets this machine in",
        };
        Failure::operation(format!("probe {}: {why}; {what}", options.target))
    };
    let secrets = credentials.clone();
    let target = SnmpTarget {
        addr: address(&options.target)?,
        credentials,
        any_source: false,
    };
    let mut session = Session::open(target, options.timeout, options.retries)
        .map_err(|err| failed(err.to_string()))?;
    let wanted = Options {
        profiles,
        profile,
        unit: None,
        version,
    };
    let mut identified = session
        .identify(wanted)
        .map_err(|fault| failed(fault.detail))?;
    identified.reading = identified.reading.attached();
    let now = Clock::start().now().wall;
    if options.json {
        print(&json(&options.target, &identified, now))?;
        print("\n")?;
    } else {
        print(&text(&options.target, &identified))?;
    }
    match &options.record {
        Some(file) => record::run(&mut session, file, &identified, &secrets),
        None => Ok(()),
    }
}

fn credentials(options: &ProbeOptions) -> Result<Credentials, Failure> {
    let version = match (&options.user, options.version) {
        (Some(user), _) => return Ok(Credentials::Usm(Arc::new(user.usm()?))),
        (None, SnmpVersion::V1) => Version::V1,
        (None, SnmpVersion::V2c | SnmpVersion::V3) => Version::V2c,
    };
    let community = Arc::from(options.community.expose().as_str());
    Ok(Credentials::Community(version, Secret::new(community)))
}

/// The profiles to choose from, and the one to take: a name, or a file that ends in `.toml`.
fn profile(name: &str) -> Result<(Profiles, Option<Arc<str>>), Failure> {
    let profiles = Profiles::builtin();
    if name.ends_with(".toml") {
        let text = std::fs::read_to_string(name).map_err(|err| {
            Failure::operation(format!(
                "{name}: {}; name a file with a profile",
                reason(&err)
            ))
        })?;
        let source = profile_file(&text, name).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Failure::operation(lines.join("\n"))
        })?;
        let name = source.head().name.as_ref().into();
        return Ok((profiles.with(vec![source]), Some(name)));
    }
    if profiles.named(name).is_some() {
        return Ok((profiles, Some(name.into())));
    }
    let known = profiles.iter().map(|source| &*source.head().name);
    let hint = nearest(name, known).map_or_else(
        || "see `rackwarden profiles`".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Err(Failure::usage(format!(
        "--profile: there is no profile `{name}`; {hint}"
    )))
}

fn address(target: &str) -> Result<SocketAddr, Failure> {
    let found = host(target).map_err(|why| Failure::usage(format!("probe: `{target}` {why}")))?;
    let (name, port) = match found {
        Host::Ip(addr) => return Ok(addr),
        Host::Name(name, port) => (name, port),
    };
    let unknown =
        |why: String| Failure::operation(format!("probe {target}: {why}; check the name"));
    (&*name, port)
        .to_socket_addrs()
        .map_err(|err| unknown(format!("the name cannot be looked up: {}", reason(&err))))?
        .next()
        .ok_or_else(|| unknown("the name has no address".to_owned()))
}

fn restarted_at(reading: &Reading, now: Wall) -> Option<Wall> {
    let ticks = reading.uptime_ticks?;
    Some(now.minus(Duration::from_millis(u64::from(ticks) * 10)))
}

fn json(address: &str, identified: &Identified, now: Wall) -> String {
    let reading = &identified.reading;
    reading_object(&Probed {
        address,
        profile: identified.profile.as_ref().map(|head| &*head.name),
        time: now,
        restarted_at: restarted_at(reading, now),
        reading,
        peak_time: reading.peak_at.map(|at| at.to_wall(&Zone::system())),
        vendor: identified.vendor.as_deref(),
        model: identified.model.as_deref(),
        sys_object_id: identified.sys_object_id.as_deref(),
        sys_descr: identified.sys_descr.as_deref(),
        kind: identified.kind,
    })
}

/// What people read. Nothing in it that the device has written can reach the terminal as a control sequence.
fn text(address: &str, identified: &Identified) -> String {
    let reading = &identified.reading;
    let mut lines = vec![format!("{address}: {}", name(identified))];
    let mut row = |label: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("  {label:<12} {value}"));
        }
    };
    row("kind", identified.kind.name().to_owned());
    row("profile", profile_and_why(identified));
    row("power", quantity(reading.power_w, "W"));
    row("apparent", quantity(reading.apparent_va, "VA"));
    let factor = reading.power_factor.map(|factor| factor.to_string());
    row("power factor", factor.unwrap_or_default());
    row("current", quantity(reading.current_a, "A"));
    row("voltage", quantity(reading.voltage_v, "V"));
    row("rated", rated(reading.rating_a, reading.rating_w));
    let nearest = reading.nearest_rated().map(|rated| rated.to_string());
    row("nearest", nearest.unwrap_or_default());
    row("peak", peak(reading));
    row("energy", quantity(reading.energy_kwh, "kWh"));
    for unit in &reading.units {
        row(&format!("unit {}", unit.index), measured(&unit.electric));
    }
    for phase in &reading.phases {
        let values = [measured(&phase.electric), rated_words(phase.rating_a)];
        row(&format!("phase {}", phase.index), join(&values));
    }
    for bank in &reading.banks {
        let values = [
            measured(&bank.electric),
            rated_words(bank.rating_a),
            bank.name.to_string(),
        ];
        row(&format!("bank {}", bank.index), join(&values));
    }
    row("outlets", outlets(&reading.outlets));
    for probe in &reading.temperatures {
        row(
            &format!("probe {}", probe.name),
            format!("{} °C", probe.value),
        );
    }
    for probe in &reading.humidities {
        row(
            &format!("probe {}", probe.name),
            format!("{} %", probe.value),
        );
    }
    row(
        "sysObjectID",
        identified.sys_object_id.clone().unwrap_or_default(),
    );
    row("sysDescr", identified.sys_descr.clone().unwrap_or_default());
    row("note", identified.note.clone().unwrap_or_default());
    lines
        .iter()
        .map(|line| line.replace(char::is_control, " ") + "\n")
        .collect()
}

fn profile_and_why(identified: &Identified) -> String {
    let Some(head) = &identified.profile else {
        return String::new();
    };
    match &identified.why {
        Some(why) => format!("{}: {why}", head.name),
        None => head.name.to_string(),
    }
}

fn name(identified: &Identified) -> String {
    let mut name = match (identified.vendor.as_deref(), &identified.model) {
        (Some(vendor), Some(model)) if model.starts_with(vendor) => model.clone(),
        (Some(vendor), Some(model)) => format!("{vendor} {model}"),
        (Some(vendor), None) => vendor.to_owned(),
        (None, Some(model)) => model.clone(),
        (None, None) => "an SNMP agent of unknown make".to_owned(),
    };
    if identified.kind == Kind::NotAPdu {
        name.push_str(", not a PDU");
    }
    name
}

fn quantity(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(String::new, |value| format!("{value} {unit}"))
}

fn rated(rating_a: Option<f32>, rating_w: Option<f32>) -> String {
    join(&[
        quantity(rating_a.map(f64::from), "A"),
        quantity(rating_w.map(f64::from), "W"),
    ])
}

fn rated_words(rating_a: Option<f32>) -> String {
    rating_a.map_or_else(String::new, |rating_a| format!("rated {rating_a} A"))
}

fn measured(electric: &Electric) -> String {
    join(&[
        quantity(electric.power_w, "W"),
        quantity(electric.apparent_va, "VA"),
        quantity(electric.current_a, "A"),
        quantity(electric.voltage_v, "V"),
        quantity(electric.energy_kwh, "kWh"),
        match electric.power_factor {
            Some(factor) => format!("power factor {factor}"),
            None => String::new(),
        },
    ])
}

fn join(values: &[String]) -> String {
    let there: Vec<&str> = values
        .iter()
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .collect();
    there.join("  ")
}

fn peak(reading: &Reading) -> String {
    let mut peak = quantity(reading.peak_w, "W");
    if let (false, Some(at)) = (peak.is_empty(), reading.peak_at) {
        let _ = write!(
            peak,
            " at {} by its own clock",
            at.to_wall(&Zone::UTC).local(&Zone::UTC)
        );
    }
    peak
}

fn outlets(outlets: &[OutletReading]) -> String {
    if outlets.is_empty() {
        return String::new();
    }
    let on = outlets
        .iter()
        .filter(|outlet| outlet.on == Some(true))
        .count();
    let known = outlets.iter().any(|outlet| outlet.on.is_some());
    let metered = outlets
        .iter()
        .filter(|outlet| outlet.electric.power_w.is_some())
        .count();
    let mut text = outlets.len().to_string();
    if known {
        let _ = write!(text, ", {on} on");
    }
    if metered > 0 {
        let _ = write!(text, ", {metered} metered");
    }
    text
}
