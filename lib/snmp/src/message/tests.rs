use super::*;
use rackwarden_base::rng::Rng;
use std::sync::Arc;

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn message(kind: PduKind, binds: Vec<VarBind>) -> Message {
    Message {
        version: Version::V2c,
        community: Secret::new(b"public".as_slice().into()),
        pdu: Pdu {
            kind,
            request_id: 4711,
            status: 0,
            index: 0,
            binds,
        },
    }
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// As a widely used manager sends it: `snmpget -v2c -c public … sysUpTime.0`.
const GET_UPTIME: &str = "3027 020101 0406 7075626c6963 a01a 0202 1267 020100 020100 300e 300c 0608 2b06010201010300 0500";

#[test]
fn a_request_has_the_bytes_of_the_standard() {
    let ask = SnmpAsk::Get(Arc::from([oid("1.3.6.1.2.1.1.3.0")]));
    let mut out = Vec::new();
    encode_request(&mut out, Version::V2c, b"public", 4711, &ask);
    assert_eq!(out, hex(GET_UPTIME));
    let asked = VarBind {
        oid: oid("1.3.6.1.2.1.1.3.0"),
        value: Value::Null,
    };
    assert_eq!(
        Message::decode(&out),
        Ok(message(PduKind::Get, vec![asked]))
    );
}

#[test]
fn a_bulk_request_carries_its_counts() {
    let ask = SnmpAsk::GetBulk {
        non_repeaters: 1,
        max_repetitions: 200,
        oids: Arc::from([oid("1.3"), oid("1.4")]),
    };
    let mut out = Vec::new();
    encode_request(&mut out, Version::V2c, b"public", 1, &ask);
    let pdu = Message::decode(&out).unwrap().pdu;
    assert_eq!(
        (pdu.kind, pdu.status, pdu.index),
        (PduKind::GetBulk, 1, 200)
    );
}

#[test]
fn negative_counts_are_zero_and_a_negative_status_is_an_error() {
    let mut bytes = hex(GET_UPTIME);
    let status = bytes.len() - 20;
    assert_eq!(bytes[status - 2..=status], [2, 1, 0]);
    bytes[status] = 0xff;
    assert_eq!(Message::decode(&bytes).unwrap().pdu.status, u32::MAX);
    bytes[15 - 2] = 0xa5;
    let pdu = Message::decode(&bytes).unwrap().pdu;
    assert_eq!((pdu.kind, pdu.status), (PduKind::GetBulk, 0));
}

#[test]
fn padding_behind_the_message_is_ignored_and_inside_of_it_is_not() {
    let good = hex(GET_UPTIME);
    let mut padded = good.clone();
    padded.extend([0; 7]);
    assert_eq!(Message::decode(&padded), Message::decode(&good));
    for inside in [
        "3029 020101 0406 7075626c6963 a01a 0202 1267 020100 020100 300e 300c 0608 2b06010201010300 0500 0500",
        "3029 020101 0406 7075626c6963 a01c 0202 1267 020100 020100 300e 300c 0608 2b06010201010300 0500 0500",
        "3029 020101 0406 7075626c6963 a01c 0202 1267 020100 020100 3010 300e 0608 2b06010201010300 0500 0500",
    ] {
        assert!(Message::decode(&hex(inside)).is_err(), "{inside}");
    }
}

#[test]
fn messages_of_other_protocols_are_refused() {
    let changed = |place: usize, byte: u8| {
        let mut bytes = hex(GET_UPTIME);
        bytes[place] = byte;
        Message::decode(&bytes).map(drop)
    };
    assert_eq!(changed(0, 0x30), Ok(()));
    for (place, byte, what) in [
        (0, 0x31, "not a sequence"),
        (4, 3, "version 3"),
        (4, 2, "a version that never was"),
        (5, 2, "a community that is a number"),
        (13, 0xa4, "a trap of version 1"),
        (13, 0xa9, "no PDU"),
        (15, 4, "an id that is text"),
    ] {
        assert!(changed(place, byte).is_err(), "{what}");
    }
    assert!(Message::decode(b"").is_err());
    assert!(Message::decode(b"GET / HTTP/1.1\r\n\r\n").is_err());
}

#[test]
fn cut_off_anywhere_it_is_an_error() {
    let bytes = hex(GET_UPTIME);
    for len in 0..bytes.len() {
        assert!(Message::decode(&bytes[..len]).is_err(), "{len}");
    }
}

fn random_value(rng: &mut Rng) -> Value {
    let number = rng.next_u64() >> rng.below(64);
    match rng.below(13) {
        0 => Value::Integer(number as i32 as i64),
        1 => Value::OctetString(vec![number as u8; rng.below(400) as usize].into()),
        2 => Value::Null,
        3 => Value::ObjectId(random_oid(rng)),
        4 => Value::IpAddress((number as u32).to_be_bytes()),
        5 => Value::Counter32(number as u32),
        6 => Value::Gauge32(number as u32),
        7 => Value::TimeTicks(number as u32),
        8 => Value::Opaque(vec![number as u8; rng.below(9) as usize].into()),
        // The oracle takes a Counter64 above 2^63 for an error in one direction.
        9 => Value::Counter64(number >> 1),
        10 => Value::NoSuchObject,
        11 => Value::NoSuchInstance,
        _ => Value::EndOfMibView,
    }
}

fn random_oid(rng: &mut Rng) -> Oid {
    let mut arcs = vec![1, 3];
    for _ in 0..rng.below(20) {
        arcs.push((rng.next_u64() >> (32 + rng.below(32))) as u32);
    }
    Oid::from_arcs(&arcs)
}

fn random_message(rng: &mut Rng) -> Message {
    let binds = (0..rng.below(12))
        .map(|_| VarBind {
            oid: random_oid(rng),
            value: random_value(rng),
        })
        .collect();
    let mut message = message(PduKind::Response, binds);
    message.pdu.request_id = rng.next_u64() as i32;
    message.pdu.status = rng.below(19) as u32;
    message.pdu.index = rng.below(200) as u32;
    message
}

#[test]
fn messages_come_back_as_they_went_out() {
    let mut rng = Rng::new(5);
    for _ in 0..2000 {
        let message = random_message(&mut rng);
        assert_eq!(Message::decode(&encoded(&message)), Ok(message));
    }
}

/// The value as another implementation reads it, in ours.
fn of_oracle(value: &snmp2::Value<'_>) -> Option<Value> {
    let oid_of = |oid: &snmp2::Oid<'_>| oid.to_id_string().parse().ok();
    Some(match value {
        snmp2::Value::Integer(number) => Value::Integer(*number),
        snmp2::Value::OctetString(bytes) => Value::OctetString((*bytes).into()),
        snmp2::Value::Null => Value::Null,
        snmp2::Value::ObjectIdentifier(oid) => Value::ObjectId(oid_of(oid)?),
        snmp2::Value::IpAddress(octets) => Value::IpAddress(*octets),
        snmp2::Value::Counter32(number) => Value::Counter32(*number),
        snmp2::Value::Unsigned32(number) => Value::Gauge32(*number),
        snmp2::Value::Timeticks(number) => Value::TimeTicks(*number),
        snmp2::Value::Opaque(bytes) => Value::Opaque((*bytes).into()),
        snmp2::Value::Counter64(number) => Value::Counter64(*number),
        snmp2::Value::NoSuchObject => Value::NoSuchObject,
        snmp2::Value::NoSuchInstance => Value::NoSuchInstance,
        snmp2::Value::EndOfMibView => Value::EndOfMibView,
        _ => return None,
    })
}

#[test]
fn another_implementation_reads_the_same() {
    let mut rng = Rng::new(6);
    for _ in 0..2000 {
        let message = random_message(&mut rng);
        let bytes = encoded(&message);
        let oracle = snmp2::Pdu::from_bytes(&bytes).unwrap();
        assert_eq!(oracle.req_id, message.pdu.request_id);
        assert_eq!(oracle.community, &message.community.expose()[..]);
        assert_eq!(oracle.error_status, message.pdu.status);
        assert_eq!(oracle.error_index, message.pdu.index);
        let binds: Vec<VarBind> = oracle
            .varbinds
            .clone()
            .map(|(oid, value)| VarBind {
                oid: oid.to_id_string().parse().unwrap(),
                value: of_oracle(&value).unwrap(),
            })
            .collect();
        assert_eq!(binds, message.pdu.binds);
    }
}

/// Flips bits in good messages. Nothing panics; what both implementations accept they read alike, as far as
/// the numbers go (padding and unsigned numbers are read more kindly here).
#[test]
fn mutilated_messages_are_refused_or_read_like_elsewhere() {
    let mut rng = Rng::new(7);
    let mut both = 0;
    for _ in 0..20_000 {
        let mut bytes = encoded(&random_message(&mut rng));
        for _ in 0..=rng.below(3) {
            let place = rng.below(bytes.len() as u64) as usize;
            bytes[place] ^= 1 << rng.below(8);
        }
        bytes.truncate(bytes.len() - rng.below(2) as usize);
        let Ok(ours) = Message::decode(&bytes) else {
            continue;
        };
        // The oracle panics on a number without digits.
        let Ok(Some((request_id, theirs))) = std::panic::catch_unwind(|| integers(&bytes)) else {
            continue;
        };
        both += 1;
        assert_eq!(ours.pdu.request_id, request_id);
        for (bind, theirs) in ours.pdu.binds.iter().zip(theirs) {
            if let (Value::Integer(ours), Some(theirs)) = (&bind.value, theirs) {
                assert_eq!(*ours, theirs);
            }
        }
    }
    assert!(both > 1000, "only {both} messages were read by both");
}

/// The request id that the oracle reads, and for each varbind the INTEGER in it.
fn integers(bytes: &[u8]) -> Option<(i32, Vec<Option<i64>>)> {
    let pdu = snmp2::Pdu::from_bytes(bytes).ok()?;
    let integers = pdu.varbinds.clone().map(|(_, value)| match value {
        snmp2::Value::Integer(number) => Some(number),
        _ => None,
    });
    Some((pdu.req_id, integers.collect()))
}
