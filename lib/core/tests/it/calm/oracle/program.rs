//! What happens to one alert and the people who hear of it.

use rackwarden_core::rng::Rng;

/// Everything is in whole seconds.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// On and off of the level that warns …
    pub(super) warning: (f64, f64),
    /// … and of the critical one.
    pub(super) critical: (f64, f64),
    pub(super) lasting: u64,
    pub(super) clear_lasting: u64,
    pub(super) max_notifications: u32,
    pub(super) reset_after: u64,
    /// Reminders of warnings and of critical alerts.
    pub(super) repeat: (u64, u64),
    /// In minutes after midnight, UTC.
    pub(super) quiet: Option<(u16, u16)>,
    /// Seconds since the epoch at its beginning.
    pub(super) began: i64,
    /// How long after the step before, and what.
    pub(super) steps: Vec<(u64, Act)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Value(f64),
    AtLeast(f64),
    NoData,
    Mute(u64),
    MuteAll(u64),
    Unmute,
    UnmuteAll,
    Ack,
    /// The wall clock is set, by so much.
    Jump(i64),
    /// The machine sleeps.
    Sleep(u64),
    /// The agent is killed and comes back so much later.
    Restart(u64),
}

/// 2026-11-20 20:15:00 UTC.
const BEGAN: i64 = 1_795_205_700;

impl Program {
    pub(super) fn random(seed: u64) -> Program {
        let mut rng = Rng::new(seed ^ 0x5EED);
        let on = 100.0;
        let worse = on + 5.0 + rng.below(20) as f64;
        let (off, better) = (on - rng.below(6) as f64, worse - rng.below(5) as f64);
        let wants_all = rng.below(10) == 0;
        // A clock that jumps moves nights and what a restart can know, so it has programs of its own.
        let jumps = rng.below(3) == 0;
        let repeat = |rng: &mut Rng| 60 + rng.below(600);
        let mut program = Program {
            warning: (on, off),
            critical: (worse, better),
            lasting: [0, 0, 3, 10, 30][rng.below(5) as usize],
            clear_lasting: [0, 0, 2, 10, 30][rng.below(5) as usize],
            max_notifications: if wants_all {
                51
            } else {
                1 + rng.below(6) as u32
            },
            reset_after: 30 + rng.below(300),
            repeat: (repeat(&mut rng), repeat(&mut rng)),
            quiet: (!jumps && rng.below(3) == 0)
                .then(|| (20 * 60 + 16, 20 * 60 + 20 + rng.below(20) as u16)),
            began: BEGAN + rng.below(300) as i64,
            steps: Vec::new(),
        };
        // With every message told, ends that come thick and fast would wait for each other.
        let pace = if wants_all { 4 } else { 1 };
        let shape = rng.below(4);
        let mut level = 96.0 + rng.below(8) as f64;
        for index in 0..20 + rng.below(80) {
            level = match shape {
                // Dithers.
                0 => 94.0 + rng.below(13) as f64,
                // Swings.
                1 => [80.0, 130.0][(index / (1 + rng.below(2)) % 2) as usize],
                // Walks.
                2 => level + rng.below(9) as f64 - 4.0,
                // Steps between the levels.
                _ => [90.0, 103.0, 103.0, 128.0][rng.below(4) as usize],
            };
            let act = match rng.below(40) {
                0 => Act::NoData,
                1 => Act::AtLeast(level),
                2 => Act::Mute(10 + rng.below(400)),
                3 => Act::MuteAll(10 + rng.below(400)),
                4 => Act::Unmute,
                5 => Act::UnmuteAll,
                6 | 7 => Act::Ack,
                8 if jumps => Act::Jump(rng.below(200_000) as i64 - 100_000),
                9 if !jumps => Act::Restart(1 + rng.below(60)),
                10 => Act::Sleep(1 + rng.below(900)),
                _ => Act::Value(level),
            };
            let wait = match rng.below(30) {
                0 => 60 + rng.below(300),
                1..=3 => 10 + rng.below(30),
                _ => pace + rng.below(6),
            };
            program.steps.push((wait, act));
        }
        program
    }

    /// The smallest that still fails, by leaving steps out.
    pub(super) fn shrunk(mut self, fails: impl Fn(&Program) -> bool) -> Program {
        let mut size = self.steps.len() / 2;
        while size > 0 {
            let mut from = 0;
            while from < self.steps.len() {
                let mut without = self.clone();
                let until = (from + size).min(without.steps.len());
                let waited: u64 = without.steps.drain(from..until).map(|(wait, _)| wait).sum();
                let mut later = without.clone();
                if let Some((wait, _)) = later.steps.get_mut(from) {
                    *wait += waited;
                }
                match [without, later].into_iter().find(|smaller| fails(smaller)) {
                    Some(smaller) => self = smaller,
                    None => from += size,
                }
            }
            size /= 2;
        }
        self
    }
}
