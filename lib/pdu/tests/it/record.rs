//! Every recorded device is recorded again, without what is private: it reads as before.

#![expect(clippy::disallowed_methods, reason = "a test reads its recordings")]

use rackwarden_base::time::Now;
use rackwarden_pdu::Identified;
use rackwarden_pdu::identify::Options;
use rackwarden_pdu::record::Recorder;
use rackwarden_pdu::simulated::Agent;
use rackwarden_snmp::Version;
use std::path::Path;

fn identify(agent: &mut Agent) -> Identified {
    let identified = agent.identify(Now::default(), Options::default());
    identified.expect("it answers")
}

/// What it is and reads, without names.
fn told(identified: Identified) -> String {
    let mut reading = identified.reading.attached();
    reading.uptime_ticks = None;
    let banks = reading.banks.iter_mut().map(|bank| &mut bank.name);
    let outlets = reading.outlets.iter_mut().map(|outlet| &mut outlet.name);
    let probes = reading
        .temperatures
        .iter_mut()
        .chain(&mut reading.humidities);
    let probes = probes.map(|probe| &mut probe.name);
    for name in banks.chain(outlets).chain(probes) {
        *name = "".into();
    }
    let profile = identified.profile.map(|head| head.name.clone());
    format!(
        "{:?} {profile:?} {:?} {reading:?}",
        identified.kind, identified.model
    )
}

#[test]
fn every_recorded_device_reads_as_before_when_it_is_recorded_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pdu");
    let (mut devices, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).expect("the fixtures").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "snmprec") {
            continue;
        }
        devices += 1;
        let bytes = std::fs::read(&path).expect("a file");
        let mut first = Agent::from_recording(&bytes).expect("a recording");
        let before = identify(&mut first);
        let mut recorder = Recorder::new(Version::V2c);
        while let Some(ask) = recorder.ask() {
            let answer = first.ask(Now::default(), Version::V2c, &ask);
            recorder.handle(answer.as_ref()).expect("it answers");
        }
        let recording = recorder.finish(&before, &["public"]);
        assert!(!recording.is_cut, "{}", path.display());
        let mut second = Agent::from_recording(recording.text.as_bytes()).expect("a recording");
        let (before, after) = (told(before), told(identify(&mut second)));
        if before != after {
            wrong.push(format!("{}:\n  {before}\n  {after}", path.display()));
        }
    }
    assert!(devices >= 40, "{devices}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
