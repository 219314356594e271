//! SNMPv3 against another implementation, in every combination of protocols that both have: what one protects the other
//! reads, in both directions. Its decoder is an oracle; of its sessions nothing is used.
#![cfg(test)]

use rackwarden_core::snmp::message::Draft;
use rackwarden_core::snmp::usm::{
    self, Auth, Envelope, Keys, Password, Privacy, RawV3, Scoped, Usm,
};
use rackwarden_core::snmp::{Oid, Pdu, PduKind, Value, VarBind};
use snmp2::v3::{Auth as TheirLevel, AuthProtocol, Cipher, KeyExtension, Security};
use std::sync::Arc;

const ENGINE: &[u8] = &[0x80, 0, 0x7e, 0xd9, 4, b'o', b'r', b'a', b'c', b'l', b'e'];
const AUTH_PASSWORD: &str = "authentication-password";
const PRIV_PASSWORD: &str = "privacy-password";

const AUTHS: [(Auth, AuthProtocol); 6] = [
    (Auth::Md5, AuthProtocol::Md5),
    (Auth::Sha1, AuthProtocol::Sha1),
    (Auth::Sha224, AuthProtocol::Sha224),
    (Auth::Sha256, AuthProtocol::Sha256),
    (Auth::Sha384, AuthProtocol::Sha384),
    (Auth::Sha512, AuthProtocol::Sha512),
];
const PRIVACIES: [(Privacy, Cipher, KeyExtension); 6] = [
    (Privacy::Des, Cipher::Des, KeyExtension::Blumenthal),
    (Privacy::Aes128, Cipher::Aes128, KeyExtension::Blumenthal),
    (Privacy::Aes192, Cipher::Aes192, KeyExtension::Blumenthal),
    (Privacy::Aes256, Cipher::Aes256, KeyExtension::Blumenthal),
    (Privacy::Aes192C, Cipher::Aes192, KeyExtension::Reeder),
    (Privacy::Aes256C, Cipher::Aes256, KeyExtension::Reeder),
];

/// The same user for us and for them.
fn users() -> Vec<(Usm, Security)> {
    let mut users = Vec::new();
    for (auth, theirs) in AUTHS {
        let password = |text: &str| Arc::new(Password::new(auth, text));
        let with_auth = Usm {
            user: "apc".into(),
            context: "bank".into(),
            auth: Some(password(AUTH_PASSWORD)),
            privacy: None,
        };
        let security = || {
            Security::new(b"apc", AUTH_PASSWORD.as_bytes())
                .with_auth_protocol(theirs)
                .with_context_name("bank")
        };
        let known = |security: Security| {
            let known = security.with_engine_id(ENGINE).expect("keys");
            known.with_engine_boots_and_time(7, 4242)
        };
        users.push((
            with_auth.clone(),
            known(security().with_auth(TheirLevel::AuthNoPriv)),
        ));
        for (privacy, cipher, extension) in PRIVACIES {
            let usm = Usm {
                privacy: Some((privacy, password(PRIV_PASSWORD))),
                ..with_auth.clone()
            };
            let level = TheirLevel::AuthPriv {
                cipher,
                privacy_password: PRIV_PASSWORD.into(),
            };
            let theirs = security()
                .with_auth(level)
                .with_key_extension_method(extension);
            users.push((usm, known(theirs)));
        }
    }
    users
}

/// A response of this many values, so that all lengths of a last block occur.
fn response(values: u32) -> Pdu {
    let binds = (0..values).map(|number| VarBind {
        oid: Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 318, number]),
        value: Value::OctetString(vec![b'x'; number as usize].into()),
    });
    Pdu {
        kind: PduKind::Response,
        request_id: 4711,
        status: 0,
        index: 0,
        binds: binds.collect(),
    }
}

fn sealed(usm: &Usm, keys: &Keys, pdu: &Pdu) -> Vec<u8> {
    let envelope = Envelope {
        message_id: 4711,
        max_size: 65_507,
        is_reportable: false,
        engine_id: ENGINE,
        boots: 7,
        time_s: 4242,
        user: b"apc",
        level: usm.level(),
        salt: 0x0123_4567_89ab_cdef,
    };
    let scoped = Scoped {
        engine_id: ENGINE,
        context: b"bank",
        pdu: Draft::of_pdu(pdu),
    };
    let mut out = Vec::new();
    usm::seal(&mut out, &mut Vec::new(), &envelope, keys, &scoped).expect("keys");
    out
}

#[test]
fn what_one_protects_the_other_reads() {
    for (usm, mut security) in users() {
        let keys = Keys::localised(&usm, ENGINE);
        for values in 0..12 {
            let pdu = response(values);
            let ours = sealed(&usm, &keys, &pdu);
            let mut theirs = security.clone();
            let read = snmp2::Pdu::from_bytes_with_security(&ours, Some(&mut theirs));
            let read = read.unwrap_or_else(|err| panic!("{usm:?}: {err:?}"));
            assert_eq!((read.req_id, read.v3_msg_id), (4711, 4711), "{usm:?}");
            assert_eq!(read.varbinds.clone().count(), values as usize, "{usm:?}");

            let written = read.to_bytes_with_security(Some(&security)).expect("bytes");
            let message = RawV3::read(&written).unwrap_or_else(|err| panic!("{usm:?}: {err}"));
            assert_eq!((message.level, message.boots), (usm.level(), 7), "{usm:?}");
            let (auth, key) = keys.auth.as_ref().expect("a key");
            assert!(message.is_authentic(*auth, key), "{usm:?}");
            let mut room = Vec::new();
            let opened = usm::open(&message, &keys, &mut room)
                .unwrap_or_else(|err| panic!("{usm:?}: {err}"));
            assert_eq!(opened.pdu.to_pdu(), Ok(pdu), "{usm:?}");
            assert_eq!(opened.context, b"bank", "{usm:?}");
        }
        // And neither takes what was changed.
        let mut changed = sealed(&usm, &keys, &response(3));
        let last = changed.len() - 1;
        changed[last] ^= 1;
        assert!(snmp2::Pdu::from_bytes_with_security(&changed, Some(&mut security)).is_err());
        let message = RawV3::read(&changed).expect("its frame is whole");
        let (auth, key) = keys.auth.as_ref().expect("a key");
        assert!(!message.is_authentic(*auth, key));
    }
}
