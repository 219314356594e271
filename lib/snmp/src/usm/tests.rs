use super::crypt::Start;
use super::*;
use crate::message::Draft;
use crate::{Pdu, PduKind, SnmpAsk, Value, VarBind, Version};
use rackwarden_base::rng::Rng;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The engine of RFC 3414 section A.3.
const ENGINE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn user(auth: Option<Auth>, privacy: Option<Privacy>) -> Usm {
    Usm {
        user: "apc".into(),
        context: "".into(),
        auth: auth.map(|auth| Arc::new(Password::new(auth, "maplesyrup"))),
        privacy: privacy.map(|privacy| {
            let auth = auth.unwrap();
            (privacy, Arc::new(Password::new(auth, "maplesyrup")))
        }),
    }
}

#[test]
fn keys_are_those_of_rfc_3414_a_3() {
    for (auth, stretched, localised) in [
        (
            Auth::Md5,
            "9faf3283884e92834ebc9847d8edd963",
            "526f5eed9fcce26f8964c2930787d82b",
        ),
        (
            Auth::Sha1,
            "9fb5cc0381497b3793528939ff788d5d79145211",
            "6695febc9288e36282235fc7151f128497b38f3f",
        ),
    ] {
        let key = keys::stretch(auth, b"maplesyrup");
        assert_eq!(key.as_bytes(), hex(stretched));
        let key = keys::localise(auth, &key, &ENGINE);
        assert_eq!(key.as_bytes(), hex(localised));
    }
}

#[test]
fn short_keys_are_lengthened_as_both_drafts_say() {
    // draft-reeder-snmpv3-usm-3desede-00 sections B.1 and B.2, cut to the length of the cipher.
    let reeder_md5 = "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12";
    let reeder_sha = "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9c";
    let derived = |auth, privacy, want: &str| {
        let keys = Keys::localised(&user(Some(auth), Some(privacy)), &ENGINE);
        let (_, key) = keys.privacy.unwrap();
        assert_eq!(key.as_bytes(), hex(want), "{auth:?} {privacy:?}");
    };
    derived(Auth::Md5, Privacy::Aes256C, reeder_md5);
    derived(Auth::Md5, Privacy::Aes192C, &reeder_md5[..48]);
    derived(Auth::Sha1, Privacy::Aes256C, reeder_sha);
    derived(Auth::Sha1, Privacy::Aes192C, &reeder_sha[..48]);
    // The other draft hashes what is there: MD5 of 526f…d82b, SHA-1 of 6695…8f3f.
    let hashed = |auth, privacy, digest: &dyn Fn(&[u8]) -> Vec<u8>| {
        let keys = Keys::localised(&user(Some(auth), Some(privacy)), &ENGINE);
        let ((_, short), (_, key)) = (keys.auth.unwrap(), keys.privacy.unwrap());
        let mut want = short.as_bytes().to_vec();
        want.extend(digest(short.as_bytes()));
        want.truncate(privacy.key_len());
        assert_eq!(key.as_bytes(), want, "{auth:?} {privacy:?}");
    };
    hashed(Auth::Md5, Privacy::Aes256, &|key| {
        use md5::Digest;
        md5::Md5::digest(key).to_vec()
    });
    hashed(Auth::Sha1, Privacy::Aes192, &|key| {
        use sha1::Digest;
        sha1::Sha1::digest(key).to_vec()
    });
    // Longer digests are long enough, and both ways are one.
    for auth in [Auth::Sha256, Auth::Sha384, Auth::Sha512] {
        let key = |privacy| Keys::localised(&user(Some(auth), Some(privacy)), &ENGINE).privacy;
        let (_, ours) = key(Privacy::Aes256).unwrap();
        let (_, theirs) = key(Privacy::Aes256C).unwrap();
        assert_eq!(ours, theirs);
        assert_eq!(ours.as_bytes().len(), 32);
    }
}

#[test]
fn codes_are_those_of_rfc_2202_and_rfc_4231() {
    let text = b"what do ya want for nothing?";
    for (auth, want) in [
        (Auth::Md5, "750c783e6ab0b503eaa86e31"),
        (Auth::Sha1, "effcdf6ae5eb2fa2d27416d5"),
        (Auth::Sha224, "a30e01098bc6dbbf45690f3a7e9e6d0f"),
        (
            Auth::Sha256,
            "5bdcc146bf60754e6a042426089575c75a003f089d273983",
        ),
        (
            Auth::Sha384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e",
        ),
        (
            Auth::Sha512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd",
        ),
    ] {
        let code = keys::code(auth, &Key::new(b"Jefe"), [&text[..9], &text[9..], &[]]);
        assert_eq!(&code.as_bytes()[..auth.code_len()], hex(want), "{auth:?}");
    }
}

#[test]
fn ciphers_are_those_of_their_standards() {
    let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    let start = Start {
        boots: 0x0001_0203,
        time: 0x0405_0607,
        salt: [8, 9, 10, 11, 12, 13, 14, 15],
    };
    // NIST SP 800-38A section F.3.13, F.3.15, F.3.17: the initialisation vector is 00 to 0f.
    for (privacy, key, want) in [
        (
            Privacy::Aes128,
            "2b7e151628aed2a6abf7158809cf4f3c",
            "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b",
        ),
        (
            Privacy::Aes192,
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a",
        ),
        (
            Privacy::Aes256C,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b",
        ),
    ] {
        let key = Key::new(&hex(key));
        let mut bytes = plain.clone();
        crypt::encrypt(privacy, &key, start, &mut bytes);
        assert_eq!(bytes, hex(want), "{privacy:?}");
        assert!(crypt::decrypt(privacy, &key, start, &mut bytes));
        assert_eq!(bytes, plain);
    }
    // FIPS 81: the vector is the salt, as the other half of the key is zero.
    let key = Key::new(&hex("0123456789abcdef0000000000000000"));
    let start = Start {
        salt: 0x1234_5678_90ab_cdef_u64.to_be_bytes(),
        ..start
    };
    let mut bytes = b"Now is the time for all ".to_vec();
    crypt::encrypt(Privacy::Des, &key, start, &mut bytes);
    let want = hex("e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6");
    assert_eq!(bytes, want);
    assert!(crypt::decrypt(Privacy::Des, &key, start, &mut bytes));
    assert_eq!(bytes, b"Now is the time for all ");
    assert!(!crypt::decrypt(Privacy::Des, &key, start, &mut bytes[1..]));
}

fn envelope(level: Level) -> Envelope<'static> {
    Envelope {
        message_id: 0x7fff_ffff,
        max_size: MAX_MESSAGE,
        is_reportable: true,
        engine_id: &ENGINE,
        boots: 7,
        time_s: 4242,
        user: b"apc",
        level,
        salt: 0x0102_0304_0506_0708,
    }
}

fn question() -> Pdu {
    Pdu {
        kind: PduKind::Get,
        request_id: 77,
        status: 0,
        index: 0,
        binds: vec![VarBind {
            oid: "1.3.6.1.2.1.1.3.0".parse().unwrap(),
            value: Value::Null,
        }],
    }
}

fn sealed(level: Level, keys: &Keys, pdu: &Pdu) -> Vec<u8> {
    let mut out = Vec::new();
    let scoped = Scoped {
        engine_id: &ENGINE,
        context: b"bank2",
        pdu: Draft::of_pdu(pdu),
    };
    seal(&mut out, &mut Vec::new(), &envelope(level), keys, &scoped).unwrap();
    out
}

/// Every user that can be.
fn users() -> Vec<Usm> {
    let mut users = vec![user(None, None)];
    for (_, auth) in Auth::NAMES {
        users.push(user(Some(auth), None));
        for (_, privacy) in Privacy::NAMES {
            users.push(user(Some(auth), Some(privacy)));
        }
    }
    users
}

#[test]
fn a_message_of_every_kind_is_read_as_it_was_written() {
    for user in users() {
        let keys = Keys::localised(&user, &ENGINE);
        let datagram = sealed(user.level(), &keys, &question());
        let padded = [datagram.as_slice(), &[0; 9]].concat();
        for datagram in [datagram, padded] {
            let raw = RawV3::read(&datagram).unwrap();
            assert_eq!(
                (raw.message_id, raw.boots, raw.time_s),
                (0x7fff_ffff, 7, 4242)
            );
            assert_eq!((raw.level, raw.is_reportable), (user.level(), true));
            assert_eq!((raw.engine_id, raw.user), (&ENGINE[..], &b"apc"[..]));
            assert_eq!(raw.max_size, MAX_MESSAGE);
            if let Some((auth, key)) = &keys.auth {
                assert!(raw.is_authentic(*auth, key), "{user:?}");
                assert!(!raw.is_authentic(*auth, &Key::new(b"another")));
            }
            let mut room = Vec::new();
            let opened = open(&raw, &keys, &mut room).unwrap();
            assert_eq!(
                (opened.engine_id, opened.context),
                (&ENGINE[..], &b"bank2"[..])
            );
            assert_eq!(opened.pdu.to_pdu(), Ok(question()));
        }
    }
}

#[test]
fn whatever_is_changed_is_noticed() {
    for (auth, privacy) in [
        (Auth::Md5, Privacy::Des),
        (Auth::Sha256, Privacy::Aes128),
        (Auth::Sha512, Privacy::Aes256C),
    ] {
        let keys = Keys::localised(&user(Some(auth), Some(privacy)), &ENGINE);
        let (_, key) = keys.auth.as_ref().unwrap();
        let datagram = sealed(Level::AuthPriv, &keys, &question());
        for at in 0..datagram.len() {
            for bit in 0..8 {
                let mut changed = datagram.clone();
                changed[at] ^= 1 << bit;
                let is_taken = RawV3::read(&changed).is_ok_and(|raw| raw.is_authentic(auth, key));
                assert!(!is_taken, "byte {at} bit {bit}");
            }
        }
        for len in 0..datagram.len() {
            assert!(RawV3::read(&datagram[..len]).is_err());
        }
    }
}

#[test]
fn any_message_size_is_taken() {
    for (size, is_taken) in [
        (&[2, 1, 0][..], true),
        (&[2, 2, 0x01, 0xe4], true),
        (&[2, 3, 0, 0xff, 0xff], true),
        (&[2, 4, 0x7f, 0xff, 0xff, 0xff], true),
        (&[2, 5, 0, 0x80, 0, 0, 0], false),
        (&[2, 1, 0xff], false),
    ] {
        let header = [&[2, 1, 5], size, &[4, 1, 4, 2, 1, 3]].concat();
        let security = hex("300d 0400 020100 020100 0400 0400 0400");
        let security = &security[..];
        let scoped = hex("3011 0400 0400 a00b 020101 020100 020100 3000");
        let string = |tag: u8, content: &[u8]| {
            [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
        };
        let inner = [
            vec![2, 1, 3],
            string(0x30, &header),
            string(4, &[&[0x30, 14][..], &security[2..]].concat()),
            scoped,
        ]
        .concat();
        let datagram = string(0x30, &inner);
        let read = RawV3::read(&datagram);
        assert_eq!(read.is_ok(), is_taken, "{size:x?}: {read:?}");
    }
}

#[test]
fn salts_differ_in_what_is_written() {
    let keys = Keys::localised(&user(Some(Auth::Md5), Some(Privacy::Des)), &ENGINE);
    let mut written = std::collections::BTreeSet::new();
    for salt in 0..100 {
        let envelope = Envelope {
            salt,
            ..envelope(Level::AuthPriv)
        };
        let scoped = Scoped {
            engine_id: &ENGINE,
            context: b"",
            pdu: Draft::empty(1),
        };
        let mut out = Vec::new();
        seal(&mut out, &mut Vec::new(), &envelope, &keys, &scoped).unwrap();
        assert!(written.insert(out));
    }
}

#[test]
fn a_level_without_its_keys_is_never_sent() {
    let scoped = Scoped {
        engine_id: &ENGINE,
        context: b"",
        pdu: Draft::empty(1),
    };
    let only_auth = Keys::localised(&user(Some(Auth::Sha1), None), &ENGINE);
    for (level, keys) in [
        (Level::AuthNoPriv, Keys::default()),
        (Level::AuthPriv, Keys::default()),
        (Level::AuthPriv, only_auth),
    ] {
        let mut out = Vec::new();
        let sealed = seal(&mut out, &mut Vec::new(), &envelope(level), &keys, &scoped);
        assert_eq!((sealed, out), (Err(NoKey), Vec::new()));
    }
}

#[test]
fn reports_are_known_by_their_counters() {
    for (name, want) in [
        ("1.3.6.1.6.3.15.1.1.1.0", Some(Report::UnsupportedLevel)),
        ("1.3.6.1.6.3.15.1.1.2.0", Some(Report::NotInTimeWindow)),
        ("1.3.6.1.6.3.15.1.1.3.0", Some(Report::UnknownUser)),
        ("1.3.6.1.6.3.15.1.1.4.0", Some(Report::UnknownEngine)),
        ("1.3.6.1.6.3.15.1.1.4", Some(Report::UnknownEngine)),
        ("1.3.6.1.6.3.15.1.1.5.0", Some(Report::WrongDigest)),
        ("1.3.6.1.6.3.15.1.1.6.0", Some(Report::DecryptionError)),
        ("1.3.6.1.6.3.12.1.5.0", Some(Report::UnknownContext)),
        ("1.3.6.1.6.3.15.1.1.7.0", None),
        ("1.3.6.1.2.1.1.3.0", None),
    ] {
        let oid: crate::Oid = name.parse().unwrap();
        assert_eq!(Report::of_name(oid.as_bytes()), want, "{name}");
    }
    let bind = report_bind(Report::WrongDigest, 3);
    assert_eq!(bind.oid.to_string(), "1.3.6.1.6.3.15.1.1.5.0");
}

#[test]
fn no_secret_shows() {
    let user = user(Some(Auth::Sha256), Some(Privacy::Aes256));
    let keys = Keys::localised(&user, &ENGINE);
    let shown = format!("{user:?} {keys:?}");
    assert!(shown.contains("SHA-256 ***"), "{shown}");
    assert!(!shown.contains("maplesyrup"), "{shown}");
    assert!(!shown.contains('['), "{shown}");
}

#[test]
fn names_are_understood_as_people_write_them() {
    assert_eq!(Auth::named("SHA-1"), Some(Auth::Sha1));
    assert_eq!(Auth::named("sha256"), Some(Auth::Sha256));
    assert_eq!(Auth::named("SHA-3"), None);
    assert_eq!(Privacy::named("AES128"), Some(Privacy::Aes128));
    assert_eq!(Privacy::named("aes-256-c"), Some(Privacy::Aes256C));
    assert_eq!(Level::named("authpriv"), Some(Level::AuthPriv));
    assert_eq!(
        (Auth::Sha1.name(), Privacy::Aes128.name()),
        ("SHA", "AES-128")
    );
}

#[test]
fn noise_is_never_a_message_that_counts() {
    let keys = Keys::localised(&user(Some(Auth::Sha256), Some(Privacy::Aes128)), &ENGINE);
    let ask = SnmpAsk::Get([question().binds[0].oid.clone()].into());
    let scoped = Scoped {
        engine_id: &ENGINE,
        context: b"",
        pdu: Draft::of_ask(Version::V2c, 5, &ask),
    };
    let mut whole = Vec::new();
    seal(
        &mut whole,
        &mut Vec::new(),
        &envelope(Level::AuthPriv),
        &keys,
        &scoped,
    )
    .unwrap();
    let mut rng = Rng::new(11);
    let mut room = Vec::new();
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next_u64() as u8;
        }
        bytes.truncate(rng.below(bytes.len() as u64 * 2) as usize);
        if let Ok(raw) = RawV3::read(&bytes) {
            let (auth, key) = keys.auth.as_ref().unwrap();
            assert!(bytes[..] == whole[..] || !raw.is_authentic(*auth, key));
            let _ = open(&raw, &keys, &mut room);
        }
    }
}
