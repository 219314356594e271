//! Every recorded device is recorded again, without what is private: it reads as before.

#![expect(clippy::disallowed_methods, reason = "a test reads its recordings")]

use rackwarden_core::fault::{Fault, FaultKind};
use rackwarden_core::pdu::identify::{Next, Options};
use rackwarden_core::pdu::record::Recorder;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::pdu::{Identified, Identify};
use rackwarden_core::snmp::message::encode_request;
use rackwarden_core::snmp::{ErrorStatus, Message, SnmpAnswer, SnmpAsk, Version};
use rackwarden_core::time::Now;
use std::path::Path;

fn answer(agent: &mut Agent, ask: &SnmpAsk) -> Result<SnmpAnswer, Fault> {
    let mut question = Vec::new();
    encode_request(&mut question, Version::V2c, b"public", 1, ask);
    let answer = agent.handle(Now::default(), &question);
    let answer = answer.ok_or(Fault::new(FaultKind::Timeout, "no answer"))?;
    let pdu = Message::decode(&answer).expect("an answer").pdu;
    if pdu.status != 0 {
        return Ok(SnmpAnswer::Error {
            status: ErrorStatus(pdu.status),
            index: pdu.index,
        });
    }
    Ok(match ask {
        SnmpAsk::Get(_) => {
            SnmpAnswer::Values(pdu.binds.into_iter().map(|bind| bind.value).collect())
        }
        _ => SnmpAnswer::Binds(pdu.binds.into()),
    })
}

fn identify(agent: &mut Agent) -> Identified {
    let mut identify = Identify::new(Options::default());
    let mut next = identify.ask();
    loop {
        next = match next {
            Next::Ask(ask) => identify.handle(answer(agent, &ask).as_ref()),
            Next::Identified(identified) => return *identified,
            Next::GaveUp(fault) => panic!("{fault}"),
        };
    }
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/pdu");
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
            let answer = answer(&mut first, &ask);
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
