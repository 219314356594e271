//! Whether the loops that must not stand still do move. The shell shows what it hands out and what comes back; as long
//! as nothing is overdue, the service manager's watchdog may be fed. A loop that has nothing to do moves. Mail is not looked
//! at: a name look-up of its takes as long as the system's resolver likes, and a restart would not help.

use crate::effect::{Effect, HttpLane, Ticket};
use crate::event::Event;
use crate::time::Mono;
use std::time::Duration;

/// A worker answers by its deadline; this much later it is stuck, however busy the machine is.
const GRACE: Duration = Duration::from_secs(10);

/// The loops: sampling, delivery, listening, and the schedule of the core itself.
#[derive(Default)]
pub struct Pulse {
    sampling: Loop,
    delivery: Loop,
    listening: Loop,
    calls: Vec<(Ticket, HttpLane)>,
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

impl Pulse {
    /// An effect is handed to its worker.
    pub fn hand_out(&mut self, now: Mono, effect: &Effect) {
        match effect {
            Effect::Snmp(requests) => {
                let last = requests.iter().map(|request| request.deadline).max();
                let within = last.map_or(Duration::ZERO, |at| at.since(now));
                self.sampling.hand_out(now, requests.len(), within);
            }
            // Nothing depends on the ping.
            Effect::Http(request) if request.lane != HttpLane::Heartbeat => {
                self.calls.push((request.ticket, request.lane));
                self.of(request.lane).hand_out(now, 1, request.timeout);
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
                    let (_, lane) = self.calls.swap_remove(at);
                    self.of(lane).come_back(now, 1);
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
        for own in [&mut self.sampling, &mut self.delivery, &mut self.listening] {
            own.until += slept;
        }
        self.idle_at += slept;
    }

    /// Which loop stands still, at the last turn.
    pub fn stuck(&self) -> Option<&'static str> {
        if self.sampling.is_stuck(self.now) {
            Some("sampling")
        } else if self.delivery.is_stuck(self.now) {
            Some("delivery")
        } else if self.listening.is_stuck(self.now) {
            Some("the poll for messages")
        } else if self.now.since(self.idle_at) > GRACE {
            Some("the schedule")
        } else {
            None
        }
    }

    fn of(&mut self, lane: HttpLane) -> &mut Loop {
        match lane {
            HttpLane::Call | HttpLane::Heartbeat => &mut self.delivery,
            HttpLane::LongPoll => &mut self.listening,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::HttpRequest;
    use crate::event::Reply;
    use crate::fault::{Fault, FaultKind};
    use crate::secret::Secret;

    fn at(seconds: u64) -> Mono {
        Mono::new(Duration::from_secs(seconds))
    }

    fn call(ticket: u64, lane: HttpLane, seconds: u64) -> Effect {
        Effect::Http(HttpRequest {
            ticket: Ticket(ticket),
            lane,
            method: "POST",
            url: Secret::new(String::new()),
            headers: Vec::new(),
            body: Secret::new(Vec::new()),
            timeout: Duration::from_secs(seconds),
            max_response_bytes: 0,
        })
    }

    fn answer(ticket: u64) -> Event {
        Event::Done {
            ticket: Ticket(ticket),
            reply: Reply::Http(Err(Fault::new(FaultKind::Timeout, ""))),
        }
    }

    fn stuck(pulse: &mut Pulse, seconds: u64) -> Option<&'static str> {
        pulse.turn(at(seconds), None);
        pulse.stuck()
    }

    #[test]
    fn a_loop_with_nothing_to_do_moves() {
        assert_eq!(stuck(&mut Pulse::default(), 1_000_000), None);
    }

    #[test]
    fn a_call_that_never_comes_back_is_noticed_after_its_deadline() {
        for (lane, name) in [
            (HttpLane::Call, "delivery"),
            (HttpLane::LongPoll, "the poll for messages"),
        ] {
            let mut pulse = Pulse::default();
            pulse.hand_out(at(0), &call(1, lane, 60));
            assert_eq!(stuck(&mut pulse, 70), None);
            assert_eq!(stuck(&mut pulse, 71), Some(name));
            pulse.come_back(at(72), &answer(1));
            assert_eq!(stuck(&mut pulse, 1000), None);
        }
    }

    #[test]
    fn row_33_nobody_is_late_after_a_sleep() {
        let mut pulse = Pulse::default();
        pulse.hand_out(at(0), &call(1, HttpLane::LongPoll, 60));
        pulse.turn(at(0), Some(at(2)));
        pulse.skip(Duration::from_secs(10_000));
        pulse.turn(at(10_050), Some(at(10_049)));
        assert_eq!(pulse.stuck(), Some("the schedule"), "it had 50 s");
        assert_eq!(stuck(&mut pulse, 10_070), None);
        assert_eq!(stuck(&mut pulse, 10_071), Some("the poll for messages"));
    }

    #[test]
    fn calls_that_wait_for_each_other_have_a_deadline_each() {
        let mut pulse = Pulse::default();
        pulse.hand_out(at(0), &call(1, HttpLane::Call, 30));
        pulse.hand_out(at(0), &call(2, HttpLane::Call, 30));
        pulse.come_back(at(30), &answer(1));
        assert_eq!(stuck(&mut pulse, 60), None);
        assert_eq!(stuck(&mut pulse, 71), Some("delivery"));
    }

    #[test]
    fn a_poll_that_moves_does_not_hide_a_delivery_that_does_not() {
        let mut pulse = Pulse::default();
        pulse.hand_out(at(0), &call(1, HttpLane::Call, 30));
        for round in 0..4 {
            pulse.hand_out(at(round * 20), &call(9, HttpLane::LongPoll, 50));
            pulse.come_back(at(round * 20 + 19), &answer(9));
        }
        assert_eq!(stuck(&mut pulse, 80), Some("delivery"));
    }

    #[test]
    fn a_core_that_is_always_behind_turns_in_vain() {
        let mut pulse = Pulse::default();
        pulse.turn(at(0), Some(at(2)));
        for second in 1..=10 {
            pulse.turn(at(second), Some(at(0)));
        }
        assert_eq!(pulse.stuck(), None);
        pulse.turn(at(11), Some(at(0)));
        assert_eq!(pulse.stuck(), Some("the schedule"));
    }
}
