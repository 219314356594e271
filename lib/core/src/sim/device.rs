//! The PDUs of a simulated world.

use crate::config::{Host, Limit, Limits, PduConfig};
use crate::pdu::simulated::Agent;
use crate::snmp::Credentials;
use std::net::SocketAddr;
use std::time::Duration;

/// A simulated PDU and the wire to it.
pub struct Device {
    pub(super) agent: Agent,
    pub(super) delay: Duration,
    pub(super) is_silent: bool,
    pub(super) questions: usize,
}

impl Device {
    /// Real power from now on, in watts.
    pub fn set_power(&mut self, watts: f64) {
        self.agent.set_power(watts);
    }

    /// Answers nothing from now on, or answers again.
    pub fn set_silent(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
    }

    /// Time from the question to the answer.
    pub fn set_delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// Datagrams that have reached it so far.
    pub fn questions(&self) -> usize {
        self.questions
    }

    /// The simulated device itself.
    pub fn agent(&mut self) -> &mut Agent {
        &mut self.agent
    }
}

/// A PDU of a simulated world, with an address of its own.
pub(super) fn pdu_config(index: usize, name: &str, limit_w: f64) -> PduConfig {
    PduConfig {
        name: name.into(),
        host: Host::Ip(SocketAddr::from((
            [10, 0, (index / 250) as u8, (index % 250 + 1) as u8],
            161,
        ))),
        credentials: Credentials::community("public"),
        write: Some(Credentials::community("private")),
        profile: None,
        limits: hard(limit_w),
        device_limit: false,
        team: None,
        unit: None,
        any_source: false,
    }
}

/// One limit, with the usual hysteresis.
pub(super) fn hard(limit_w: f64) -> Limits {
    Limits {
        soft: None,
        hard: Some(Limit {
            on_w: limit_w,
            off_w: limit_w * 0.97,
        }),
    }
}
