//! Whether the loops that must not stand still do move. The shell shows what it hands out and what comes back; as long
//! as nothing is overdue, the service manager's watchdog may be fed. A loop that has nothing to do moves. Mail is not looked
//! at: a name look-up of its takes as long as the system's resolver likes, and a restart would not help. Of HTTP calls those
//! count whose endpoint says that a loop depends on it.

use crate::effect::{Effect, Ticket};
use crate::event::Event;
use crate::small::SmallMap;
use crate::time::Mono;
use std::time::Duration;

/// A worker answers by its deadline; this much later it is stuck, however busy the machine is.
const GRACE: Duration = Duration::from_secs(10);

/// The loops: sampling, those of essential endpoints, and the schedule of the core itself.
#[derive(Default)]
pub struct Liveness {
    sampling: Loop,
    /// By their names.
    calling: SmallMap<&'static str, Loop>,
    calls: Vec<(Ticket, &'static str)>,
    /// When the core last had nothing left that was due.
    idle_at: Mono,
    now: Mono,
}

#[derive(Default)]
struct Loop {
    open: usize,
    /// The longest that one of the open requests may take.
    longest: Duration,
    /// Until then something has to come back.
    until: Mono,
}

impl Loop {
    fn hand_out(&mut self, now: Mono, count: usize, within: Duration) {
        if self.open == 0 {
            self.longest = Duration::ZERO;
        }
        self.longest = self.longest.max(within);
        if self.open == 0 {
            self.until = now + self.longest + GRACE;
        }
        self.open += count;
    }

    fn come_back(&mut self, now: Mono, count: usize) {
        self.open = self.open.saturating_sub(count);
        self.until = now + self.longest + GRACE;
    }

    fn is_stuck(&self, now: Mono) -> bool {
        self.open > 0 && self.until < now
    }
}

impl Liveness {
    /// An effect is handed to its worker.
    pub fn hand_out(&mut self, now: Mono, effect: &Effect) {
        match effect {
            Effect::Snmp(requests) => {
                let last = requests.iter().map(|request| request.deadline).max();
                let within = last.map_or(Duration::ZERO, |at| at.since(now));
                self.sampling.hand_out(now, requests.len(), within);
            }
            Effect::Http(request) => {
                if let Some(name) = request.endpoint.essential {
                    self.calls.push((request.ticket, name));
                    let own = self.calling.entry(name).or_default();
                    own.hand_out(now, 1, request.timeout);
                }
            }
            _ => {}
        }
    }

    /// A worker's answer came.
    pub fn come_back(&mut self, now: Mono, event: &Event) {
        match event {
            Event::Snmp(replies) => self.sampling.come_back(now, replies.len()),
            Event::Done { ticket, .. } => {
                let at = self.calls.iter().position(|(open, _)| open == ticket);
                if let Some(at) = at {
                    let (_, name) = self.calls.swap_remove(at);
                    self.calling.entry(name).or_default().come_back(now, 1);
                }
            }
            _ => {}
        }
    }

    /// The core has taken its turn, and wants the next one at `due`.
    pub fn turn(&mut self, now: Mono, due: Option<Mono>) {
        self.now = now;
        if due.is_none_or(|at| at > now) {
            self.idle_at = now;
        }
    }

    /// The machine slept for so long: nobody was late.
    pub fn skip(&mut self, slept: Duration) {
        self.sampling.until += slept;
        for own in self.calling.values_mut() {
            own.until += slept;
        }
        self.idle_at += slept;
    }

    /// Which loop stands still, at the last turn.
    pub fn stuck(&self) -> Option<&'static str> {
        if self.sampling.is_stuck(self.now) {
            return Some("sampling");
        }
        let mut calling = self.calling.iter();
        if let Some((name, _)) = calling.find(|(_, own)| own.is_stuck(self.now)) {
            return Some(name);
        }
        (self.now.since(self.idle_at) > GRACE).then_some("the schedule")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::HttpRequest;
    use crate::endpoint::{Endpoint, Method};
    use crate::event::Reply;
    use crate::fault::{Fault, FaultKind};
    use std::sync::Arc;

    const DELIVERY: Option<&str> = Some("delivery");
    const POLL: Option<&str> = Some("the poll for messages");

    fn at(seconds: u64) -> Mono {
        Mono::new(Duration::from_secs(seconds))
    }

    fn call(ticket: u64, essential: Option<&'static str>, seconds: u64) -> Effect {
        let endpoint = Endpoint {
            essential,
            ..Endpoint::url("chat", "")
        };
        Effect::Http(HttpRequest {
            timeout: Duration::from_secs(seconds),
            ..HttpRequest::new(Ticket(ticket), Arc::new(endpoint), Method::Post, "")
        })
    }

    fn answer(ticket: u64) -> Event {
        Event::Done {
            ticket: Ticket(ticket),
            reply: Reply::Http(Err(Fault::new(FaultKind::Timeout, ""))),
        }
    }

    fn stuck(liveness: &mut Liveness, seconds: u64) -> Option<&'static str> {
        liveness.turn(at(seconds), None);
        liveness.stuck()
    }

    #[test]
    fn a_loop_with_nothing_to_do_moves() {
        assert_eq!(stuck(&mut Liveness::default(), 1_000_000), None);
    }

    #[test]
    fn a_call_that_never_comes_back_is_noticed_after_its_deadline() {
        for name in [DELIVERY, POLL] {
            let mut liveness = Liveness::default();
            liveness.hand_out(at(0), &call(1, name, 60));
            assert_eq!(stuck(&mut liveness, 70), None);
            assert_eq!(stuck(&mut liveness, 71), name);
            liveness.come_back(at(72), &answer(1));
            assert_eq!(stuck(&mut liveness, 1000), None);
        }
    }

    #[test]
    fn a_service_of_a_guest_that_hangs_is_no_reason_to_restart_the_agent() {
        let mut liveness = Liveness::default();
        liveness.hand_out(at(0), &call(1, None, 30));
        assert_eq!(stuck(&mut liveness, 1000), None);
    }

    #[test]
    fn row_33_nobody_is_late_after_a_sleep() {
        let mut liveness = Liveness::default();
        liveness.hand_out(at(0), &call(1, POLL, 60));
        liveness.turn(at(0), Some(at(2)));
        liveness.skip(Duration::from_secs(10_000));
        liveness.turn(at(10_050), Some(at(10_049)));
        assert_eq!(liveness.stuck(), Some("the schedule"), "it had 50 s");
        assert_eq!(stuck(&mut liveness, 10_070), None);
        assert_eq!(stuck(&mut liveness, 10_071), Some("the poll for messages"));
    }

    #[test]
    fn calls_that_wait_for_each_other_have_a_deadline_each() {
        let mut liveness = Liveness::default();
        liveness.hand_out(at(0), &call(1, DELIVERY, 30));
        liveness.hand_out(at(0), &call(2, DELIVERY, 30));
        liveness.come_back(at(30), &answer(1));
        assert_eq!(stuck(&mut liveness, 60), None);
        assert_eq!(stuck(&mut liveness, 71), Some("delivery"));
    }

    #[test]
    fn a_poll_that_moves_does_not_hide_a_delivery_that_does_not() {
        let mut liveness = Liveness::default();
        liveness.hand_out(at(0), &call(1, DELIVERY, 30));
        for round in 0..4 {
            liveness.hand_out(at(round * 20), &call(9, POLL, 50));
            liveness.come_back(at(round * 20 + 19), &answer(9));
        }
        assert_eq!(stuck(&mut liveness, 80), Some("delivery"));
    }

    #[test]
    fn a_core_that_is_always_behind_turns_in_vain() {
        let mut liveness = Liveness::default();
        liveness.turn(at(0), Some(at(2)));
        for second in 1..=10 {
            liveness.turn(at(second), Some(at(0)));
        }
        assert_eq!(liveness.stuck(), None);
        liveness.turn(at(11), Some(at(0)));
        assert_eq!(liveness.stuck(), Some("the schedule"));
    }
}
