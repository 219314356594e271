//! Questions that may take for ever: how full a share is whose server is away, how hot a disk is that is failing. They
//! are asked on threads of their own, and who wants to know takes what was answered last. A thread that hangs holds its
//! one question; for the others another one is started.

use rackwarden_core::host::Space;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A question that takes longer does not make the others wait.
const SLOW_AFTER: Duration = Duration::from_millis(500);
/// So many questions may hang; while they do, others are not asked.
const MAX_THREADS: usize = 16;
const STACK_BYTES: usize = 128 * 1024;

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    /// Of a file system; `None` when it could not be asked.
    Space(Option<Space>),
    /// Of a sensor; `None` when it could not be read or means nothing.
    Celsius(Option<f64>),
    /// The sensor is not there any more.
    Gone,
    /// Of the firmware; `None` when it could not be read.
    Word(Option<u32>),
}

/// Asks.
pub(super) type Ask = Box<dyn FnMut() -> Answer + Send>;

/// What is known of a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// It was answered, or is being asked for the first time.
    Answer(Option<Answer>),
    /// It has not been answered for so long.
    Hangs(Duration),
    /// It waits behind others that hang.
    Waits,
}

/// The questions. Their threads end with it.
pub(super) struct Slow {
    shared: Arc<Shared>,
    /// What has not answered by then hangs.
    hangs_after: Duration,
    next: u64,
    has_warned: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something is to be asked.
    wanted: Condvar,
    /// Something was answered.
    answered: Condvar,
}

#[derive(Default)]
struct State {
    questions: Vec<Question>,
    threads: usize,
    /// What threads are asking, and since when; also what was removed meanwhile.
    busy: Vec<(u64, Instant)>,
    is_over: bool,
}

struct Question {
    id: u64,
    every: Duration,
    due: Instant,
    stage: Stage,
    /// Away while it is being asked.
    ask: Option<Ask>,
    answer: Option<Answer>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Idle,
    Waiting { since: Instant },
    Asked { since: Instant },
}

impl Slow {
    pub(super) fn new(hangs_after: Duration) -> Slow {
        Slow {
            shared: Arc::default(),
            hangs_after,
            next: 0,
            has_warned: false,
        }
    }

    /// A new question, due at once and then `every` so often. Its number is never given again.
    pub(super) fn add(&mut self, every: Duration, ask: Ask) -> u64 {
        self.next += 1;
        self.lock().questions.push(Question {
            id: self.next,
            every,
            due: Instant::now(),
            stage: Stage::Idle,
            ask: Some(ask),
            answer: None,
        });
        self.next
    }

    /// Forgets a question, also one that hangs.
    pub(super) fn remove(&self, id: u64) {
        self.lock().questions.retain(|question| question.id != id);
    }

    /// Has everything asked that is due. Without a thread to be had it waits.
    pub(super) fn ask(&mut self) {
        let now = Instant::now();
        let mut state = self.lock();
        for question in &mut state.questions {
            if question.stage == Stage::Idle && question.due <= now {
                question.stage = Stage::Waiting { since: now };
                question.due = now + question.every;
            }
        }
        if state.first_waiting().is_none() {
            return;
        }
        let is_slow = |(_, since): &&(u64, Instant)| now - *since > SLOW_AFTER;
        let held = state.busy.iter().filter(is_slow).count();
        let wants_another = state.threads <= held;
        let started = match wants_another {
            true if state.threads >= MAX_THREADS => Err(format!("{held} of them hang")),
            true => start(Arc::clone(&self.shared)).map_err(|err| err.to_string()),
            false => Ok(()),
        };
        state.threads += usize::from(wants_another && started.is_ok());
        drop(state);
        self.shared.wanted.notify_one();
        match started {
            Err(why) if !self.has_warned => {
                log::warn!("some file systems and disks are not asked: {why}");
                self.has_warned = true;
            }
            Err(_) => {}
            Ok(()) => self.has_warned = false,
        }
    }

    /// Waits until everything was answered once, but not for long.
    pub(super) fn settle(&self, patience: Duration) {
        let is_open = |state: &mut State| {
            let mut questions = state.questions.iter();
            questions.any(|question| question.answer.is_none() && question.stage != Stage::Idle)
        };
        let state = self.lock();
        drop(
            self.shared
                .answered
                .wait_timeout_while(state, patience, is_open),
        );
    }

    /// What is known of a question.
    pub(super) fn known(&self, id: u64) -> Known {
        let state = self.lock();
        let Some(question) = state.questions.iter().find(|question| question.id == id) else {
            return Known::Answer(None);
        };
        match question.stage {
            Stage::Asked { since } if since.elapsed() >= self.hangs_after => {
                Known::Hangs(since.elapsed())
            }
            Stage::Waiting { since } if since.elapsed() >= self.hangs_after => Known::Waits,
            _ => Known::Answer(question.answer),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.lock().is_over = true;
        self.shared.wanted.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks what waits, until it is over or another thread has nothing to do either.
    fn run(&self) {
        let mut state = self.lock();
        while !state.is_over {
            let Some(at) = state.first_waiting() else {
                if state.threads - state.busy.len() > 1 {
                    break;
                }
                let woken = self.wanted.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let question = &mut state.questions[at];
            let (id, since) = (question.id, Instant::now());
            question.stage = Stage::Asked { since };
            let Some(mut ask) = question.ask.take() else {
                continue;
            };
            state.busy.push((id, since));
            drop(state);
            let answer = ask();
            state = self.lock();
            state.busy.retain(|(busy, _)| *busy != id);
            if let Some(question) = state.questions.iter_mut().find(|own| own.id == id) {
                question.stage = Stage::Idle;
                question.ask = Some(ask);
                question.answer = Some(answer);
            }
            self.answered.notify_all();
        }
        state.threads -= 1;
    }
}

impl State {
    /// What has waited longest.
    fn first_waiting(&self) -> Option<usize> {
        let waiting = self
            .questions
            .iter()
            .enumerate()
            .filter_map(|(at, question)| match question.stage {
                Stage::Waiting { since } => Some((since, at)),
                _ => None,
            });
        waiting.min().map(|(_, at)| at)
    }
}

fn start(shared: Arc<Shared>) -> std::io::Result<()> {
    let spawned = thread::Builder::new()
        .name("slow".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || shared.run());
    spawned.map(drop)
}
