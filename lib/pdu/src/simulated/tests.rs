use super::*;
use rackwarden_base::secret::Secret;
use rackwarden_base::time::{Mono, Wall};
use rackwarden_snmp::{ErrorStatus, Pdu, PduKind, VarBind, Version};

const POWER: &str = "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1";
const PEAK: &str = "1.3.6.1.4.1.318.1.1.26.4.3.1.6.1";
const RESET: &str = "1.3.6.1.4.1.318.1.1.26.4.1.1.10.1";

#[test]
fn power_moves_and_the_peak_keeps_a_short_excess_between_two_questions() {
    let mut agent = Agent::apc_rpdu2(1);
    agent.set_power(2000.0);
    agent.add_step(Duration::from_secs(3), Duration::from_secs(4), 1500.0);
    assert_eq!(read(&mut agent, 0, POWER), Value::Integer(200));
    assert_eq!(read(&mut agent, 6, POWER), Value::Integer(200));
    assert_eq!(read(&mut agent, 6, PEAK), Value::Integer(350));
}

#[test]
fn the_peak_is_reset_by_writing_2_with_the_right_community() {
    let mut agent = Agent::apc_rpdu2(1);
    agent.set_power(3000.0);
    read(&mut agent, 0, PEAK);
    agent.set_power(1000.0);
    let bind = VarBind {
        oid: RESET.parse().expect("oid"),
        value: Value::Integer(2),
    };
    let refused = ask(
        &mut agent,
        1,
        "public",
        PduKind::Set,
        Version::V2c,
        bind.clone(),
    )
    .expect("an answer");
    assert_eq!(
        (refused.status, refused.index),
        (ErrorStatus::NO_ACCESS.0, 1)
    );
    assert_eq!(read(&mut agent, 1, PEAK), Value::Integer(300));
    let done = ask(&mut agent, 2, "private", PduKind::Set, Version::V2c, bind).expect("an answer");
    assert_eq!(done.status, 0);
    assert_eq!(read(&mut agent, 3, PEAK), Value::Integer(100));
    assert_eq!(read(&mut agent, 3, RESET), Value::Integer(1));
}

#[test]
fn a_stranger_gets_no_answer() {
    let mut agent = Agent::apc_rpdu();
    assert_eq!(
        ask(
            &mut agent,
            0,
            "guess",
            PduKind::Get,
            Version::V2c,
            question(POWER)
        ),
        None
    );
    assert_eq!(agent.handle(Now::default(), b"rubbish"), None);
}

#[test]
fn missing_objects_are_told_as_the_version_has_it() {
    let mut agent = Agent::apc_epdu();
    let v2c = ask(
        &mut agent,
        0,
        "public",
        PduKind::Get,
        Version::V2c,
        question(POWER),
    )
    .expect("an answer");
    assert_eq!((v2c.status, &v2c.binds[0].value), (0, &Value::NoSuchObject));
    let v1 = ask(
        &mut agent,
        0,
        "public",
        PduKind::Get,
        Version::V1,
        question(POWER),
    )
    .expect("an answer");
    assert_eq!((v1.status, v1.index), (ErrorStatus::NO_SUCH_NAME.0, 1));
}

#[test]
fn a_walk_visits_every_object_once_and_ends() {
    let mut agent = Agent::apc_rpdu2(3);
    let mut name: Oid = "1.3".parse().expect("oid");
    let mut seen = 0;
    loop {
        let bind = VarBind {
            oid: name.clone(),
            value: Value::Null,
        };
        let answer = ask(
            &mut agent,
            0,
            "public",
            PduKind::GetNext,
            Version::V2c,
            bind,
        )
        .expect("an answer");
        if answer.binds[0].value == Value::EndOfMibView {
            break;
        }
        assert!(answer.binds[0].oid > name);
        name = answer.binds[0].oid.clone();
        seen += 1;
    }
    assert_eq!(seen, agent.mib.len());
}

#[test]
fn recordings_are_read_with_their_oddities() {
    let text = b"1.3.6.1.2.1.1.1.0|4|two\nlines\n.1.3.6.1.2.1.1.2.0|6|.1.3.6.1.4.1.318\n1.3.6.1.2.1.1.5.0|4x|6869\n\
        1.3.6.1.4.1.1.0|2:numeric|function=sin,rate=0.2,scale=200,offset=300,min=0,max=600\n1.3.6.1.4.1.2.0|2:writecache|value=1\n1.3.6.1.4.1.3.0|70|18446744073709551615\n";
    let mut agent = Agent::from_recording(text).expect("a recording");
    let string = |text: &str| Value::OctetString(text.as_bytes().into());
    assert_eq!(
        read(&mut agent, 0, "1.3.6.1.2.1.1.1.0"),
        string("two\nlines")
    );
    assert_eq!(read(&mut agent, 0, "1.3.6.1.2.1.1.5.0"), string("hi"));
    assert_eq!(read(&mut agent, 0, "1.3.6.1.4.1.1.0"), Value::Integer(300));
    assert_eq!(read(&mut agent, 0, "1.3.6.1.4.1.2.0"), Value::Integer(1));
    assert_eq!(
        read(&mut agent, 0, "1.3.6.1.4.1.3.0"),
        Value::Counter64(u64::MAX)
    );
}

#[test]
fn bad_recordings_name_the_line() {
    for (text, want) in [
        ("", "no record"),
        ("rubbish", "line 1"),
        (
            "1.3.6.1|2|1\n1.3.6.2|2|x",
            "line 2: \"x\" is not a whole number",
        ),
        ("1.3.6.1|99|1", "tag \"99\""),
        ("1.3.6.1|2:delay|wait=1", "\"delay\""),
        ("1.3.6.1|4x|0", "odd number"),
    ] {
        let err = Agent::from_recording(text.as_bytes()).expect_err(text);
        assert!(err.contains(want), "{text:?}: {err}");
    }
}

fn question(name: &str) -> VarBind {
    VarBind {
        oid: name.parse().expect("oid"),
        value: Value::Null,
    }
}

fn read(agent: &mut Agent, second: u64, name: &str) -> Value {
    ask(
        agent,
        second,
        "public",
        PduKind::Get,
        Version::V2c,
        question(name),
    )
    .expect("an answer")
    .binds[0]
        .value
        .clone()
}

fn ask(
    agent: &mut Agent,
    second: u64,
    community: &str,
    kind: PduKind,
    version: Version,
    bind: VarBind,
) -> Option<Pdu> {
    let pdu = Pdu {
        kind,
        request_id: 7,
        status: 0,
        index: 0,
        binds: vec![bind],
    };
    let community = Secret::new(community.as_bytes().into());
    let mut datagram = Vec::new();
    Message {
        version,
        community,
        pdu,
    }
    .encode(&mut datagram);
    let since = Duration::from_secs(second);
    let now = Now {
        mono: Mono::new(since),
        wall: Wall(1_795_204_800_000).plus(since),
    };
    let answer = agent.handle(now, &datagram)?;
    Some(Message::decode(&answer).expect("a message").pdu)
}
