//! What devices are rated for, and what is left to it.

use super::agent::Agent;
use rackwarden_pdu::identify::Options;

type Row = (
    &'static str,
    Option<f32>,
    &'static [Option<f32>],
    &'static [Option<f32>],
    Option<&'static str>,
);

const NONE: Option<f32> = None;

/// Recording, inlet, phases, banks, and which of them is nearest to its rating.
const RATED: &[Row] = &[
    ("apc_ap7900b", NONE, &[NONE], &[], None),
    (
        "centreon-cyberpower",
        NONE,
        &[NONE],
        &[Some(16.0)],
        Some("breaker 16 A: 15 A left on bank 1"),
    ),
    (
        "eatonpdu_2",
        NONE,
        &[Some(16.0)],
        &[],
        Some("breaker 16 A: 1.9 A left on phase 1"),
    ),
    (
        "liebert_mph2rg",
        Some(16.0),
        &[Some(16.0)],
        &[Some(16.0)],
        Some("breaker 16 A: 13.6 A left"),
    ),
    (
        "panduit",
        NONE,
        &[],
        &[Some(16.0); 6],
        Some("breaker 16 A: 14 A left on bank 3"),
    ),
    (
        "raritan-pdu",
        Some(16.0),
        &[Some(16.0)],
        &[],
        Some("breaker 16 A: 13 A left"),
    ),
    (
        "raritan-pdu_px3",
        Some(32.0),
        &[Some(32.0)],
        &[Some(16.0); 2],
        Some("breaker 32 A: 24.5 A left"),
    ),
    (
        "schleifenbauer",
        Some(32.0),
        &[Some(32.0); 3],
        &[],
        Some("breaker 32 A: 31.7 A left on phase 1"),
    ),
    (
        "sentry3_3phase",
        NONE,
        &[Some(10.0); 4],
        &[],
        Some("breaker 10 A: 7.9 A left on phase 4"),
    ),
    ("sentry4", NONE, &[NONE; 6], &[], None),
];

#[test]
fn what_a_device_is_rated_for_is_read_once_and_held_against_its_currents() {
    for (name, inlet, phases, banks, nearest) in RATED {
        let (identified, _) = Agent::open(name).identify(Options::default());
        let reading = &identified.reading;
        let of_phases: Vec<_> = reading.phases.iter().map(|it| it.rating_a).collect();
        let of_banks: Vec<_> = reading.banks.iter().map(|it| it.rating_a).collect();
        let told = reading.nearest_rated().map(|rated| rated.to_string());
        assert_eq!(
            (reading.rating_a, of_phases.as_slice(), of_banks.as_slice()),
            (*inlet, *phases, *banks),
            "{name}"
        );
        assert_eq!(told.as_deref(), *nearest, "{name}");
    }
}
