//! `docs/devices.md` is written from the profiles. `UPDATE_EXPECT=1 cargo test -p rackwarden-pdu --test it devices` writes it anew.
#![expect(clippy::disallowed_methods, reason = "a test reads its golden file")]

use rackwarden_pdu::profile::{Field, Head, Part, Profile, Quantity, RowKind};
use rackwarden_pdu::{Profiles, Source};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const BEFORE: &str = "\
# Devices

What the profiles that come with the agent read. This file is written from them: `UPDATE_EXPECT=1 cargo test -p rackwarden-pdu --test it devices`.

What a device answers decides what is read of it: a model without a meter has no watts, however well its family is known. *Recorded* families are
proven by recordings of real devices, which the tests play; the others are written from their MIB alone. Other devices can be described in a
[profile](profiles.md) of your own, and one that only says `identify-only` can be told about with the output of `rackwarden probe`.

W watts, VA volt-amperes, A amperes, V volts, kWh energy, PF power factor, peak the highest watts since a reset with its time, limit the device's own threshold of
overload, rating what an inlet, phase or breaker is made for (rated W: the whole device), °C and % what its sensors say. Outlets are switched on, off or, where it says *cycle*, off and on again by the device.

| family | maker | models | device | phases | banks | outlets | sensors | switched | reset | evidence |
|---|---|---|---|---|---|---|---|---|---|---|
";

#[test]
fn the_list_of_devices_is_that_of_the_profiles() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/devices.md");
    let mut sources: Vec<_> = Profiles::builtin().iter().cloned().collect();
    sources.sort_by_key(|source| {
        let head = source.head();
        (
            head.is_fallback,
            head.vendor.to_lowercase(),
            head.name.clone(),
        )
    });
    let mut want = BEFORE.to_owned();
    for source in &sources {
        want += &row(source);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &want).expect("docs/devices.md can be written");
    }
    let have = std::fs::read_to_string(path).unwrap_or_default();
    let differs = want
        .lines()
        .zip(have.lines())
        .find(|(want, have)| want != have);
    assert_eq!(differs, None, "run it with UPDATE_EXPECT=1");
    assert_eq!(
        want.lines().count(),
        have.lines().count(),
        "run it with UPDATE_EXPECT=1"
    );
}

fn row(source: &Source) -> String {
    let head = source.head();
    let profile = source.example().expect("the tests read every profile");
    let maker = if head.is_fallback {
        "any"
    } else {
        &head.vendor
    };
    let cells = [
        format!("`{}`", head.name),
        format!("{maker}: {}", head.title),
        head.models.join(", "),
        device(&profile),
        rows(&profile, RowKind::Phase),
        rows(&profile, RowKind::Bank),
        rows(&profile, RowKind::Outlet),
        rows(&profile, RowKind::Probe),
        switched(&profile).to_owned(),
        resets(&profile),
        evidence(head),
    ];
    let mut line = "|".to_owned();
    for cell in cells {
        let _ = write!(line, " {} |", cell.replace('|', "/"));
    }
    line + "\n"
}

fn device(profile: &Profile) -> String {
    let told = profile.device.iter().map(|(quantity, _, _)| *quantity);
    let named = profile.variables.iter().flat_map(|named| &named.device);
    let mut told: BTreeSet<Quantity> = told.chain(named.map(|(quantity, _)| *quantity)).collect();
    // What its rows add up to
    for (quantity, field) in [
        (Quantity::Power, Field::Power),
        (Quantity::Apparent, Field::Apparent),
        (Quantity::Energy, Field::Energy),
    ] {
        let is_part = |kind| kind == RowKind::Phase || Some(kind) == profile.parts;
        let mut parts = profile.tables.iter().filter(|table| is_part(table.kind));
        let is_power = field == Field::Power;
        if parts.any(|table| {
            let is_summed = is_power || table.kind == RowKind::Phase;
            is_summed && table.columns.iter().any(|(known, _)| *known == field)
        }) {
            told.insert(quantity);
        }
    }
    let words = [
        (Quantity::Power, "W"),
        (Quantity::Apparent, "VA"),
        (Quantity::Current, "A"),
        (Quantity::Voltage, "V"),
        (Quantity::Energy, "kWh"),
        (Quantity::Factor, "PF"),
        (Quantity::Peak, "peak"),
        (Quantity::Limit, "limit"),
        (Quantity::RatedCurrent, "rating"),
        (Quantity::RatedPower, "rated W"),
    ];
    let words = words.iter().filter(|(quantity, _)| told.contains(quantity));
    let mut words: Vec<&str> = words.map(|(_, word)| *word).collect();
    let has_unit = |part: &Part| matches!(part, Part::Unit | Part::UnitRest);
    if profile
        .units
        .iter()
        .any(|rows| rows.shape.iter().any(has_unit))
    {
        words.push("several units");
    }
    words.join(" ")
}

fn rows(profile: &Profile, kind: RowKind) -> String {
    let tables = profile.tables.iter().filter(|table| table.kind == kind);
    let fields = tables.flat_map(|table| table.columns.iter().map(|(field, _)| *field));
    let named = profile.variables.iter().flat_map(|named| &named.rows);
    let named = named.filter(|(of, _, _)| *of == kind);
    let fields: BTreeSet<Field> = fields.chain(named.map(|(_, field, _)| *field)).collect();
    let words: Vec<&str> = fields
        .iter()
        .map(|field| match field {
            Field::Power => "W",
            Field::Apparent => "VA",
            Field::Current => "A",
            Field::Voltage => "V",
            Field::Energy => "kWh",
            Field::Factor => "PF",
            Field::Rating => "rating",
            Field::On => "on/off",
            Field::Temperature => "°C",
            Field::Humidity => "%",
            Field::Name => "name",
        })
        .collect();
    words.join(" ")
}

fn switched(profile: &Profile) -> &'static str {
    let mut switches = profile
        .tables
        .iter()
        .filter_map(|table| table.switch.as_ref());
    match switches.clone().next() {
        None => "",
        Some(_) if switches.any(|switch| switch.cycle.is_some()) => "on off cycle",
        Some(_) => "on off",
    }
}

fn resets(profile: &Profile) -> String {
    let known = [
        ("peak", &profile.peak_reset),
        ("energy", &profile.energy_reset),
    ];
    let can = known.iter().filter(|(_, resets)| !resets.is_empty());
    can.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn evidence(head: &Head) -> String {
    if head.recorded.is_empty() {
        match &*head.mib {
            "" => "unproven".to_owned(),
            mib => format!("{mib} alone"),
        }
    } else {
        format!("recorded: {}", head.recorded.join(", "))
    }
}
