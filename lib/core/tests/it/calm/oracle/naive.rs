//! The same in the simplest way: every second is looked at, and every sample with its whole past.

use super::program::{Act, Program};

const DAY: i64 = 86_400;

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Value(f64),
    AtLeast(f64),
    Nothing,
}

/// What keeps people from being told.
#[derive(Clone, Copy, PartialEq)]
enum Why {
    Mute,
    MuteAll,
    Quiet,
    Budget,
}

#[derive(Clone, Copy)]
struct Held {
    why: Why,
    /// Beginnings.
    fired: u32,
    is_end: bool,
    is_critical: bool,
    /// It has become calm after so many changes.
    calm_after: Option<u32>,
}

#[derive(Clone, Copy)]
struct Flap {
    calm_at: i64,
    calm: i64,
    changes: u32,
    is_told: bool,
    is_critical: bool,
    is_end: bool,
}

#[derive(Clone, Copy)]
struct Mute {
    until: i64,
    /// As the wall clock will say, whatever happens to it.
    until_wall: i64,
}

struct Naive<'a> {
    program: &'a Program,
    /// Seconds after the beginning.
    at: i64,
    /// How far the wall clock was moved.
    moved: i64,
    past: Vec<(i64, Seen)>,
    /// Whether the two levels fire.
    fires: [bool; 2],
    is_critical: bool,
    is_seen: bool,
    /// People know that it fires.
    is_known: bool,
    sent: Vec<i64>,
    remind_at: Option<i64>,
    held: Option<Held>,
    mute: Option<Mute>,
    mute_all: Option<Mute>,
    changes: Vec<i64>,
    flap: Option<Flap>,
    flapped: Option<(i64, i64)>,
    told: Vec<(i64, String)>,
}

/// When people were told what, in seconds after the beginning.
pub(super) fn run(program: &Program) -> Vec<(i64, String)> {
    let mut naive = Naive {
        program,
        at: 0,
        moved: 0,
        past: Vec::new(),
        fires: [false; 2],
        is_critical: false,
        is_seen: false,
        is_known: false,
        sent: Vec::new(),
        remind_at: None,
        held: None,
        mute: None,
        mute_all: None,
        changes: Vec::new(),
        flap: None,
        flapped: None,
        told: Vec::new(),
    };
    for (wait, act) in &program.steps {
        naive.wait(*wait);
        naive.act(*act);
    }
    naive.wait(1500);
    naive.told
}

impl Naive<'_> {
    fn wait(&mut self, seconds: u64) {
        self.look();
        for _ in 0..seconds {
            self.at += 1;
            self.look();
        }
    }

    fn wall(&self) -> i64 {
        self.program.began + self.at + self.moved
    }

    fn act(&mut self, act: Act) {
        let mute = |seconds: u64| {
            Some(Mute {
                until: self.at + seconds as i64,
                until_wall: self.wall() + seconds as i64,
            })
        };
        match act {
            Act::Value(value) => self.see(Seen::Value(value)),
            Act::AtLeast(value) => self.see(Seen::AtLeast(value)),
            Act::NoData => self.see(Seen::Nothing),
            Act::Mute(seconds) => self.mute = mute(seconds),
            Act::MuteAll(seconds) => self.mute_all = mute(seconds),
            Act::Unmute => {
                if self.mute.take().is_some() {
                    self.end_mute(Why::Mute);
                }
            }
            Act::UnmuteAll => {
                if self.mute_all.take().is_some() {
                    self.end_mute(Why::MuteAll);
                }
            }
            Act::Ack => {
                if self.fires[0] && !self.is_seen {
                    self.is_seen = true;
                    self.remind_at = None;
                }
            }
            Act::Jump(seconds) => self.moved += seconds,
            Act::Sleep(seconds) => self.at += seconds as i64,
            Act::Restart(seconds) => {
                self.at += seconds as i64;
                self.past.clear();
            }
        }
    }

    fn see(&mut self, seen: Seen) {
        self.past.push((self.at, seen));
        let (had_fired, was_critical) = (self.fires[0], self.is_critical);
        for (level, (on, off)) in [self.program.warning, self.program.critical]
            .into_iter()
            .enumerate()
        {
            let above = |seen: Seen| matches!(seen, Seen::Value(v) | Seen::AtLeast(v) if v > on);
            let below = |seen: Seen| matches!(seen, Seen::Value(v) if v <= off);
            self.fires[level] = match self.fires[level] {
                true => !self.has_lasted(below, self.program.clear_lasting),
                false => self.has_lasted(above, self.program.lasting),
            };
        }
        if self.fires[0] {
            self.is_critical = self.fires[1];
        }
        match (had_fired, self.fires[0]) {
            (false, true) => self.begin(false),
            (true, true) if self.is_critical && !was_critical => self.begin(true),
            (true, true) if !self.is_critical && was_critical => self.get_better(),
            (true, false) => self.finish(),
            _ => {}
        }
    }

    /// True when it has held for every sample since so long ago.
    fn has_lasted(&self, holds: impl Fn(Seen) -> bool, span: u64) -> bool {
        let run = self.past.iter().rev().take_while(|(_, seen)| holds(*seen));
        let first = run.map(|(at, _)| *at).last();
        first.is_some_and(|first| self.at - first >= span as i64)
    }

    /// What keeps people from being told at this moment.
    fn obstacle(&self, is_critical: bool) -> Option<Why> {
        match (self.mute, self.mute_all) {
            (Some(own), Some(all)) if own.until_wall > all.until_wall => return Some(Why::Mute),
            (_, Some(_)) => return Some(Why::MuteAll),
            (Some(_), None) => return Some(Why::Mute),
            (None, None) => {}
        }
        if !is_critical && self.quiet_for().is_some() {
            return Some(Why::Quiet);
        }
        self.budget_free_at().map(|_| Why::Budget)
    }

    fn quiet_for(&self) -> Option<i64> {
        let (from, until) = self.program.quiet?;
        let now = self.wall().rem_euclid(DAY);
        let (from, until) = (i64::from(from) * 60, i64::from(until) * 60);
        (from <= now && now < until).then_some(until - now)
    }

    /// The first moment after this one at which less than all of the budget lies within the span.
    fn budget_free_at(&self) -> Option<i64> {
        let span = self.program.reset_after as i64;
        let is_used_up = |at: i64| {
            let recent = self.sent.iter().filter(|sent| **sent + span > at);
            recent.count() >= self.program.max_notifications as usize
        };
        is_used_up(self.at).then(|| (self.at..).find(|at| !is_used_up(*at)).unwrap_or(self.at))
    }

    fn repeat(&self) -> i64 {
        let (warning, critical) = self.program.repeat;
        (if self.is_critical { critical } else { warning }) as i64
    }

    fn sign(&self, is_end: bool) -> &'static str {
        match (is_end, self.is_critical) {
            (true, _) => "over",
            (false, true) => "critical",
            (false, false) => "warning",
        }
    }

    /// Counts changes; more than so many in ten minutes are flapping.
    fn count(&mut self) {
        let most = self.program.max_notifications as usize;
        if most > 50 {
            return;
        }
        self.changes.push(self.at);
        let recent = self
            .changes
            .iter()
            .filter(|change| **change + 600 > self.at)
            .count();
        if let Some(flap) = &mut self.flap {
            flap.changes += 1;
            flap.calm_at = self.at + flap.calm;
        } else if recent > 5.max(2 * most - 1) {
            let calm = match self.flapped {
                Some((ended, calm)) if ended + 3600 > self.at => (2 * calm).min(600),
                _ => 120,
            };
            self.flap = Some(Flap {
                calm_at: self.at + calm,
                calm,
                changes: 5.max(2 * most as u32 - 1) + 1,
                is_told: false,
                is_critical: self.is_critical,
                is_end: false,
            });
        }
    }

    /// It fires, or gets worse.
    fn begin(&mut self, _gets_worse: bool) {
        self.count();
        let obstacle = self.obstacle(self.is_critical);
        if self.is_taken_by_flapping(false, obstacle) {
            return;
        }
        match obstacle {
            Some(why) => self.hold(why, false, None),
            None => self.tell(false, None),
        }
    }

    fn get_better(&mut self) {
        self.count();
        if self.flap.is_some_and(|flap| flap.is_told) {
            self.is_taken_by_flapping(false, None);
        }
    }

    fn finish(&mut self) {
        self.count();
        self.is_seen = false;
        self.remind_at = None;
        let knew = std::mem::take(&mut self.is_known);
        let obstacle = self.obstacle(self.is_critical);
        let counts = |why: &Why| !knew || *why != Why::Budget;
        if self.is_taken_by_flapping(true, obstacle.filter(counts)) {
            return;
        }
        // An end is never kept back by the budget, but what nobody was told of waits with its beginning.
        let obstacle = obstacle.filter(|why| *why != Why::Budget);
        let waits = self.held.map(|held| held.why).filter(|_| !knew);
        match obstacle.or(waits) {
            Some(why) => self.hold(why, true, None),
            None if knew => self.tell(true, None),
            None => {}
        }
    }

    /// The one message about flapping, or an edit of it.
    fn is_taken_by_flapping(&mut self, is_end: bool, obstacle: Option<Why>) -> bool {
        let Some(mut flap) = self.flap else {
            return false;
        };
        flap.is_end = is_end;
        let gets_worse = flap.is_told && self.is_critical && !flap.is_critical;
        flap.is_critical |= self.is_critical;
        let is_taken = !gets_worse && (flap.is_told || obstacle.is_none());
        if is_taken {
            self.is_known = !is_end;
            self.remind_at = None;
            if let Some(held) = self.held.as_mut().filter(|_| flap.is_told) {
                held.is_end = is_end;
                held.is_critical |= self.is_critical;
                held.calm_after = None;
            }
            if !flap.is_told {
                flap.is_told = true;
                let was_untold = self.held.take().is_some_and(|held| held.fired > 0);
                if !is_end || was_untold {
                    self.sent.push(self.at);
                }
                let text = format!("flapping {}, {}", flap.changes, self.sign(is_end));
                self.told.push((self.at, text));
            }
        }
        self.flap = Some(flap);
        is_taken
    }

    fn hold(&mut self, why: Why, is_end: bool, calm_after: Option<u32>) {
        let before = self.held;
        self.held = Some(Held {
            why,
            fired: before.map_or(0, |held| held.fired) + u32::from(!is_end),
            is_end,
            is_critical: self.is_critical || before.is_some_and(|held| held.is_critical),
            calm_after,
        });
    }

    /// A message of its own.
    fn tell(&mut self, is_end: bool, calm_after: Option<u32>) {
        let held = self.held.take();
        if !is_end || held.is_some_and(|held| held.fired > 0) {
            self.sent.push(self.at);
        }
        if !is_end {
            self.is_known = true;
            self.remind_at = Some(self.at + self.repeat());
        }
        let missed = held.map(|held| missed(held, is_end)).unwrap_or_default();
        let text = format!("{}{}{missed}", self.sign(is_end), calm(calm_after));
        self.told.push((self.at, text));
    }

    fn end_mute(&mut self, why: Why) {
        let is_flapping = self.flap.is_some_and(|flap| flap.is_told);
        let is_told = self.sent.last() == Some(&self.at);
        if self.fires[0] && !self.is_seen && self.held.is_none() && !is_flapping && !is_told {
            self.held = Some(Held {
                why,
                fired: 0,
                is_end: false,
                is_critical: self.is_critical,
                calm_after: None,
            });
        }
        // What another mute or the night holds back now, that one tells.
        if let Some(held) = self.held.filter(|held| held.why != Why::Budget) {
            let next = self.obstacle(held.is_critical);
            let next = next.filter(|why| *why != Why::Budget);
            self.held = Some(Held {
                why: next.unwrap_or(why),
                ..held
            });
        }
        let has_summary = self.held.is_some_and(|held| held.why == Why::MuteAll);
        if why == Why::MuteAll && !has_summary && self.quiet_for().is_none() {
            let text = match self.held {
                Some(_) => "unmuted",
                None => "unmuted, nothing",
            };
            self.told.push((self.at, text.to_owned()));
        }
        self.release();
    }

    /// Everything that may be due in this second.
    fn look(&mut self) {
        let is_over = |mute: Option<Mute>, at| mute.is_some_and(|mute: Mute| mute.until <= at);
        let (own, all) = (is_over(self.mute, self.at), is_over(self.mute_all, self.at));
        if own {
            self.mute = None;
        }
        if all {
            self.mute_all = None;
            self.end_mute(Why::MuteAll);
        }
        if own {
            self.end_mute(Why::Mute);
        }
        if let Some(flap) = self.flap.filter(|flap| flap.calm_at <= self.at) {
            self.become_calm(flap);
        }
        self.release();
        if self.remind_at.is_some_and(|due| due <= self.at) {
            self.remind();
        }
    }

    fn become_calm(&mut self, flap: Flap) {
        self.flap = None;
        self.flapped = Some((self.at, flap.calm));
        if !flap.is_told {
            return;
        }
        let obstacle = self.obstacle(self.is_critical);
        match obstacle.filter(|why| !flap.is_end || *why != Why::Budget) {
            Some(why) => self.hold(why, flap.is_end, Some(flap.changes)),
            None => self.tell(flap.is_end, Some(flap.changes)),
        }
        if self.is_seen {
            self.remind_at = None;
        }
    }

    /// Tells what was held back, if nothing holds it back any longer.
    fn release(&mut self) {
        let Some(held) = self.held else { return };
        if self.obstacle(held.is_critical).is_some() {
            return;
        }
        let is_end = !self.fires[0];
        let calm_after = held.calm_after.filter(|_| is_end);
        match held.why {
            Why::Mute | Why::Budget => self.tell(is_end, calm_after),
            Why::MuteAll | Why::Quiet => {
                self.held = None;
                self.sent.push(self.at);
                if !is_end {
                    self.is_known = true;
                    self.remind_at = (!self.is_seen).then(|| self.at + self.repeat());
                }
                let missed = missed(held, is_end);
                let calm = calm(calm_after);
                let text = format!("summary, {}{calm}{missed}", self.sign(is_end));
                self.told.push((self.at, text));
            }
        }
    }

    fn remind(&mut self) {
        if !self.fires[0] || self.is_seen {
            self.remind_at = None;
            return;
        }
        let later = self.at + self.repeat();
        self.remind_at = Some(match self.obstacle(self.is_critical) {
            Some(Why::Quiet) => self.at + self.quiet_for().unwrap_or(0).min(60),
            Some(Why::Budget) => self.budget_free_at().unwrap_or(later),
            Some(Why::Mute | Why::MuteAll) => later,
            None => {
                self.sent.push(self.at);
                self.told.push((self.at, "reminder".to_owned()));
                later
            }
        });
    }
}

fn calm(after: Option<u32>) -> String {
    after.map_or_else(String::new, |changes| format!(", calm after {changes}"))
}

fn missed(held: Held, is_end: bool) -> String {
    if held.fired > 1 || (held.fired == 1 && held.is_end && is_end) {
        format!(", {} times", held.fired)
    } else {
        String::new()
    }
}
