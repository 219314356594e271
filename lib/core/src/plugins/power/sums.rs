//! Sums over a team or the site, of readings of one cycle. A sum with a missing member is a lower bound.

use super::Power;
use super::excess::{Level, Subject, Watch};
use super::limits::judge_limit;
use super::trend::Trend;
use super::view::{PduState, SumView};
use crate::alert::{AlertState, Sample};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::plugins::power::settings;
use crate::time::{Now, Wall};

/// The sum over a team or all PDUs.
#[derive(Debug, Default)]
pub(super) struct Sum {
    members: u32,
    cycles: [Cycle; 2],
    /// The critical limit.
    pub(super) hard: Option<Watch>,
    /// The limit that warns.
    pub(super) soft: Option<Watch>,
    /// What readers see: the last complete cycle.
    pub(super) view: SumView,
    /// Where it is going.
    pub(super) trend: Trend,
    /// Highest sum, and when.
    pub(super) peak: Option<(f64, Wall)>,
    /// The peak has changed since it was saved.
    pub(super) is_dirty: bool,
}

/// One cycle of a sum. Two may overlap, because late slots of one cycle may answer after early ones of the next.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    number: u64,
    sum_w: f64,
    read: u32,
    ended: u32,
}

/// What is known of a cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// Polls are still out; it is at least this much.
    SoFar(f64),
    /// Every poll has ended. The sum, if any member was read, and whether all were.
    Whole { sum_w: Option<f64>, is_exact: bool },
}

impl Default for Cycle {
    fn default() -> Cycle {
        Cycle::new(u64::MAX)
    }
}

impl Cycle {
    const fn new(number: u64) -> Cycle {
        Cycle {
            number,
            sum_w: 0.0,
            read: 0,
            ended: 0,
        }
    }
}

impl Sum {
    pub(super) fn new(members: usize) -> Sum {
        Sum {
            members: members as u32,
            ..Sum::default()
        }
    }

    /// Begins to count anew, because the members have changed.
    pub(super) fn restart(&mut self, members: usize) {
        self.members = members as u32;
        self.cycles = [Cycle::default(); 2];
        self.trend = Trend::default();
    }

    /// A poll of a member in this cycle has ended, with or without power.
    pub(super) fn note(&mut self, number: u64, power_w: Option<f64>) -> Option<Known> {
        let cycle = &mut self.cycles[(number & 1) as usize];
        if cycle.number != number {
            *cycle = Cycle::new(number);
        }
        cycle.ended += 1;
        if let Some(power_w) = power_w {
            cycle.sum_w += power_w;
            cycle.read += 1;
        }
        if cycle.ended >= self.members {
            return Some(Known::Whole {
                sum_w: (cycle.read > 0).then_some(cycle.sum_w),
                is_exact: cycle.read == self.members,
            });
        }
        power_w.map(|_| Known::SoFar(cycle.sum_w))
    }

    /// The limits that are watched, the critical one first.
    pub(super) fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.hard.iter().chain(&self.soft)
    }

    /// Notes a new highest sum.
    pub(super) fn raise_peak(&mut self, sum_w: f64, at: Wall) {
        if self.peak.is_none_or(|(peak, _)| sum_w > peak) {
            self.peak = Some((sum_w, at));
            self.view.peak = self.peak;
            self.is_dirty = true;
        }
    }
}

impl Power {
    /// Counts the end of a device's poll in the sums of a cycle. Once for each device and cycle.
    pub(super) fn note_cycle(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        cycle: u64,
        power_w: Option<f64>,
        at: Now,
    ) {
        let team = settings(ctx.config)
            .pdus
            .get(index as usize)
            .and_then(|pdu| pdu.team);
        if let Some(team) = team {
            self.note_sum(ctx, Subject::Team(team), cycle, power_w, at);
        }
        self.note_sum(ctx, Subject::Site, cycle, power_w, at);
    }

    fn note_sum(
        &mut self,
        ctx: &mut Ctx<'_>,
        subject: Subject,
        cycle: u64,
        power_w: Option<f64>,
        at: Now,
    ) {
        let sum = match subject {
            Subject::Team(team) => match self.teams.get_mut(team as usize) {
                Some(sum) => sum,
                None => return,
            },
            _ => &mut self.site,
        };
        let Some(known) = sum.note(cycle, power_w) else {
            return;
        };
        let sample = match known {
            // Waiting for the rest cannot make it less: an excess is told now.
            Known::SoFar(sum_w) => {
                let is_news = |watch: &Watch| !watch.is_open() && sum_w > watch.limit.on_w;
                if !sum.watches().any(is_news) {
                    return;
                }
                Sample::LowerBound(sum_w)
            }
            Known::Whole {
                sum_w: Some(sum_w),
                is_exact: true,
            } => Sample::Value(sum_w),
            Known::Whole {
                sum_w: Some(sum_w), ..
            } => Sample::LowerBound(sum_w),
            Known::Whole { sum_w: None, .. } => Sample::NoData,
        };
        for (level, watch) in [(Level::Hard, &mut sum.hard), (Level::Soft, &mut sum.soft)] {
            if let Some(watch) = watch {
                judge_limit(ctx, &mut self.episodes, subject, level, watch, sample, at);
            }
        }
        if let Known::Whole { sum_w, is_exact } = known {
            if let Some(sum_w) = sum_w {
                match subject {
                    Subject::Team(team) => self.tracks.note_team(ctx, team, sum_w),
                    _ => self.tracks.note_site(ctx, sum_w),
                }
                sum.raise_peak(sum_w, at.wall);
            }
            let firing = |watch: &Watch| watch.state.state == AlertState::Firing;
            sum.view.power_w = sum_w;
            sum.view.limit_in_s = sum_w.filter(|_| is_exact).and_then(|sum_w| {
                sum.trend
                    .note(at.mono, sum_w, settings(ctx.config).interval);
                sum.trend
                    .in_seconds(sum.hard.as_ref().or(sum.soft.as_ref()))
            });
            sum.view.state = match is_exact {
                _ if sum.watches().any(firing) => PduState::OverLimit,
                true => PduState::Ok,
                false => PduState::Unknown,
            };
            self.note_missing(ctx.config, subject, cycle, is_exact);
        }
    }

    fn note_missing(&mut self, config: &Config, subject: Subject, cycle: u64, is_exact: bool) {
        let devices = &self.devices;
        let is_missing = |index: &u32| {
            devices
                .get(*index as usize)
                .is_none_or(|device| !device.has_read_in(cycle))
        };
        let (view, members) = match subject {
            Subject::Team(team) => {
                let (Some(sum), Some(team)) = (
                    self.teams.get_mut(team as usize),
                    settings(config).teams.get(team as usize),
                ) else {
                    return;
                };
                (&mut sum.view, Some(team.members.as_slice()))
            }
            _ => (&mut self.site.view, None),
        };
        if is_exact {
            if !view.missing.is_empty() {
                view.missing = [].into();
            }
            return;
        }
        let missing: Vec<u32> = match members {
            Some(members) => members.iter().copied().filter(is_missing).collect(),
            None => (0..devices.len() as u32).filter(is_missing).collect(),
        };
        if *view.missing != *missing {
            view.missing = missing.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_whole_when_every_poll_has_ended_and_exact_when_all_were_read() {
        let mut sum = Sum::new(3);
        assert_eq!(sum.note(4, Some(100.0)), Some(Known::SoFar(100.0)));
        assert_eq!(sum.note(4, None), None);
        let bound = Known::Whole {
            sum_w: Some(300.0),
            is_exact: false,
        };
        assert_eq!(sum.note(4, Some(200.0)), Some(bound));
    }

    #[test]
    fn overlapping_cycles_do_not_mix() {
        let mut sum = Sum::new(2);
        sum.note(4, Some(100.0));
        assert_eq!(sum.note(5, Some(1.0)), Some(Known::SoFar(1.0)));
        let exact = |w| {
            Some(Known::Whole {
                sum_w: Some(w),
                is_exact: true,
            })
        };
        assert_eq!(sum.note(4, Some(200.0)), exact(300.0));
        assert_eq!(sum.note(5, Some(2.0)), exact(3.0));
    }

    #[test]
    fn a_cycle_in_which_nobody_answers_has_no_sum() {
        let mut sum = Sum::new(1);
        let none = Known::Whole {
            sum_w: None,
            is_exact: false,
        };
        assert_eq!(sum.note(1, None), Some(none));
    }
}
