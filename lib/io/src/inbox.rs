//! The core's inbox: two lanes, both bounded. Measurements, chat and answers go before streams, so that a
//! flood of log lines cannot hide a power reading.

use rackwarden_core::event::Event;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which lane an event takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxLane {
    /// Measurements, chat, answers to our own requests. A worker that finds it full waits.
    Prompt,
    /// Streams. A worker that finds it full keeps its data and reads no further from its source.
    Stream,
}

/// Events that the prompt lane holds; its senders wait beyond that (each has few requests outstanding).
const PROMPT_CAPACITY: usize = 4096;
/// Events that the stream lane holds; one credit is one place.
const STREAM_CAPACITY: usize = 256;

/// The receiving end and the sending end in one; clones share the queues.
#[derive(Clone, Default)]
pub struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lanes: Mutex<Lanes>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Default)]
struct Lanes {
    prompt: VecDeque<Event>,
    stream: VecDeque<Event>,
    is_closed: bool,
}

impl Inbox {
    /// An empty inbox.
    pub fn new() -> Inbox {
        Inbox::default()
    }

    /// Puts an event into the prompt lane, waiting while it is full. Events after `close` are dropped.
    pub fn send(&self, event: Event) {
        let mut lanes = self.lock();
        while lanes.prompt.len() >= PROMPT_CAPACITY && !lanes.is_closed {
            lanes = self
                .shared
                .drained
                .wait(lanes)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !lanes.is_closed {
            lanes.prompt.push_back(event);
            // Whoever wakes up needs the lock.
            drop(lanes);
            self.shared.filled.notify_one();
        }
    }

    /// Puts an event into the stream lane.
    ///
    /// # Errors
    /// Gives the event back when the lane is full.
    pub fn try_send_stream(&self, event: Event) -> Result<(), Box<Event>> {
        let mut lanes = self.lock();
        if lanes.stream.len() >= STREAM_CAPACITY || lanes.is_closed {
            return Err(Box::new(event));
        }
        lanes.stream.push_back(event);
        drop(lanes);
        self.shared.filled.notify_one();
        Ok(())
    }

    /// Puts an event into the stream lane, waiting while it is full. Events after `close` are dropped.
    pub fn send_stream(&self, event: Event) {
        let mut lanes = self.lock();
        while lanes.stream.len() >= STREAM_CAPACITY && !lanes.is_closed {
            lanes = self
                .shared
                .drained
                .wait(lanes)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !lanes.is_closed {
            lanes.stream.push_back(event);
            drop(lanes);
            self.shared.filled.notify_one();
        }
    }

    /// The next event, prompt ones first; `None` when `timeout` has passed without one.
    pub fn receive(&self, timeout: Option<Duration>) -> Option<Event> {
        let mut lanes = self.lock();
        if lanes.prompt.is_empty() && lanes.stream.is_empty() {
            lanes = match timeout {
                Some(timeout) => {
                    self.shared
                        .filled
                        .wait_timeout_while(lanes, timeout, |lanes| {
                            lanes.prompt.is_empty() && lanes.stream.is_empty()
                        })
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .shared
                    .filled
                    .wait_while(lanes, |lanes| {
                        lanes.prompt.is_empty() && lanes.stream.is_empty()
                    })
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        let was_full =
            lanes.prompt.len() >= PROMPT_CAPACITY || lanes.stream.len() >= STREAM_CAPACITY;
        let event = lanes
            .prompt
            .pop_front()
            .or_else(|| lanes.stream.pop_front());
        if was_full {
            self.shared.drained.notify_all();
        }
        event
    }

    /// Nobody reads any longer: senders no longer wait, events are dropped.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.shared.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.shared
            .lanes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_events_overtake_streams() {
        let inbox = Inbox::new();
        inbox.try_send_stream(Event::Timeout).expect("room");
        inbox.send(Event::Stop);
        assert!(matches!(
            inbox.receive(Some(Duration::ZERO)),
            Some(Event::Stop)
        ));
        assert!(matches!(
            inbox.receive(Some(Duration::ZERO)),
            Some(Event::Timeout)
        ));
        assert!(inbox.receive(Some(Duration::ZERO)).is_none());
    }

    #[test]
    fn a_full_stream_lane_gives_the_event_back() {
        let inbox = Inbox::new();
        for _ in 0..STREAM_CAPACITY {
            inbox.try_send_stream(Event::Timeout).expect("room");
        }
        assert!(inbox.try_send_stream(Event::Timeout).is_err());
    }
}
