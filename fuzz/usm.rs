//! SNMPv3: what anybody can send to an engine that waits for an answer, and to a simulated device.

use rackwarden_core::effect::Ticket;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::rng::Rng;
use rackwarden_core::snmp::engine::Engine;
use rackwarden_core::snmp::usm::{self, Auth, Keys, Level, Password, Privacy, RawV3, Usm};
use rackwarden_core::snmp::{Credentials, SnmpAnswer, SnmpAsk, SnmpRequest, SnmpTarget};
use rackwarden_core::time::{Mono, Now, Wall, Zone};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One user at each level; their keys are made once.
fn users() -> &'static [Arc<Usm>] {
    static USERS: OnceLock<Vec<Arc<Usm>>> = OnceLock::new();
    USERS.get_or_init(|| {
        let password = |auth: Auth| Arc::new(Password::new(auth, "fuzzpass1"));
        let user = |name: &str, auth: Option<Auth>, privacy: Option<Privacy>| {
            Arc::new(Usm {
                user: name.into(),
                context: "".into(),
                auth: auth.map(password),
                privacy: privacy
                    .zip(auth)
                    .map(|(privacy, auth)| (privacy, password(auth))),
            })
        };
        vec![
            user("plain", None, None),
            user("proved", Some(Auth::Sha256), None),
            user("sealed", Some(Auth::Md5), Some(Privacy::Des)),
            user("aes", Some(Auth::Sha512), Some(Privacy::Aes128)),
        ]
    })
}

/// A device with these users, whose keys are made once.
fn device() -> Agent {
    static DEVICE: OnceLock<Agent> = OnceLock::new();
    DEVICE
        .get_or_init(|| {
            let mut agent = Agent::apc_rpdu2(1);
            for user in users() {
                agent.add_user(Arc::clone(user), true);
            }
            agent
        })
        .clone()
}

fn addr() -> SocketAddr {
    SocketAddr::from(super::DEVICE)
}

fn now() -> Now {
    Now {
        mono: Mono::ZERO,
        wall: Wall::parse("2026-11-20T12:00:00Z", &Zone::UTC).expect("a moment"),
    }
}

/// An engine that has met the device and waits for this user's answer, what it asked, and what the device says to that.
fn waiting(user: &Arc<Usm>) -> (Engine, Vec<Vec<u8>>) {
    let mut engine = Engine::new(Rng::new(7));
    let target = SnmpTarget {
        addr: addr(),
        credentials: Credentials::Usm(Arc::clone(user)),
        any_source: false,
    };
    engine.submit(
        Mono::ZERO,
        [SnmpRequest {
            ticket: Ticket(1),
            target: Arc::new(target),
            ask: SnmpAsk::Get(super::asked()),
            timeout: Duration::from_millis(500),
            retries: 1,
            deadline: Mono::ZERO + Duration::from_millis(1800),
        }],
    );
    let mut device = device();
    let mut said = Vec::new();
    let mut datagram = Vec::new();
    while engine.poll_transmit(Mono::ZERO, &mut datagram).is_some() {
        said.push(datagram.clone());
        let answer = device.handle(now(), &datagram).expect("an answer");
        said.push(answer.clone());
        if said.len() == 2 {
            assert!(engine.handle_datagram(Mono::ZERO, addr(), &answer));
        }
    }
    (engine, said)
}

/// A datagram of SNMPv3, given to everybody who may get one.
pub fn snmp_v3(data: &[u8]) {
    if let Ok(message) = RawV3::read(data) {
        let mut room = Vec::new();
        for user in users() {
            let keys = Keys::localised(user, message.engine_id);
            if let Ok(scoped) = usm::open(&message, &keys, &mut room) {
                let _ = scoped.pdu.to_pdu();
            }
        }
        assert!(room.len() <= data.len(), "what is decrypted is no longer");
    }
    for user in users() {
        let (mut engine, _) = waiting(user);
        engine.handle_datagram(Mono::ZERO, addr(), data);
        let mut datagram = Vec::new();
        let again = engine.poll_transmit(Mono::ZERO, &mut datagram).is_some();
        assert!(!again || engine.poll_transmit(Mono::ZERO, &mut datagram).is_none());
        engine.handle_timeout(Mono::ZERO + Duration::from_secs(2));
        let replies = engine.take_replies();
        assert_eq!(replies.len(), 1, "a question is answered exactly once");
        let is_answer = matches!(replies[0].result, Ok(SnmpAnswer::Values(_)));
        if is_answer && user.level() > Level::NoAuthNoPriv {
            let message = RawV3::read(data).expect("only a message answers");
            let keys = Keys::localised(user, message.engine_id);
            let (auth, key) = keys.auth.as_ref().expect("a key");
            assert!(message.level == user.level() && message.is_authentic(*auth, key));
        }
    }
    let mut device = device();
    if let Some(answer) = device.handle(now(), data) {
        assert!(RawV3::read(&answer).is_ok() || super::Message::decode(&answer).is_ok());
    }
}

pub fn snmp_v3_seeds() -> Vec<Vec<u8>> {
    users().iter().flat_map(|user| waiting(user).1).collect()
}
