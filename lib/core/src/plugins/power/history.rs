//! Power over time: the series of the site, of teams and of PDUs.

use super::Power;
use super::view::PduState;
use crate::ctx::Ctx;
use crate::history::{self, SeriesId, Unit};
use crate::plugins::power::settings;

/// The series that power is noted in; `None` for a PDU beyond `[history] max_series`.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    site: Option<SeriesId>,
    teams: Vec<Option<SeriesId>>,
    pdus: Vec<Option<SeriesId>>,
    /// The limit that PDUs were last said to be left out for.
    told: Option<(usize, usize)>,
}

impl Tracks {
    /// Notes a reading of a PDU.
    pub(super) fn note_pdu(&self, ctx: &mut Ctx<'_>, index: u32, power_w: f64) {
        note(
            ctx,
            self.pdus.get(index as usize).copied().flatten(),
            power_w,
        );
    }

    /// Notes a sum of one cycle. Without some members it is what the others drew.
    pub(super) fn note_team(&self, ctx: &mut Ctx<'_>, index: u32, power_w: f64) {
        note(
            ctx,
            self.teams.get(index as usize).copied().flatten(),
            power_w,
        );
    }

    /// The same over all PDUs.
    pub(super) fn note_site(&self, ctx: &mut Ctx<'_>, power_w: f64) {
        note(ctx, self.site, power_w);
    }

    fn all(&self) -> impl Iterator<Item = SeriesId> {
        let lists = self.teams.iter().chain(&self.pdus);
        lists.chain([&self.site]).copied().flatten()
    }
}

fn note(ctx: &mut Ctx<'_>, id: Option<SeriesId>, power_w: f64) {
    if let Some(id) = id {
        ctx.history.note(id, power_w);
    }
}

impl Power {
    /// Opens the series of the configuration and ends those that are not in it any more.
    pub(super) fn open_tracks(&mut self, ctx: &mut Ctx<'_>) {
        let config = ctx.config;
        let every = settings(config).interval;
        let mut open = |name: &str| ctx.history.open(name, Unit::Watts, every);
        let kept = settings(config)
            .pdus
            .len()
            .min(config.history.max_series as usize);
        let tracks = Tracks {
            site: (!settings(config).pdus.is_empty())
                .then(|| open(history::TOTAL))
                .flatten(),
            teams: settings(config)
                .teams
                .iter()
                .map(|team| open(&history::of_team(&team.name)))
                .collect(),
            pdus: settings(config).pdus[..kept]
                .iter()
                .map(|pdu| open(&history::of_pdu(&pdu.name)))
                .collect(),
            told: (kept < settings(config).pdus.len())
                .then_some((kept, settings(config).pdus.len())),
        };
        if let Some((kept, pdus)) = tracks.told.filter(|_| tracks.told != self.tracks.told) {
            log::info!(
                "history: kept for the first {kept} of {pdus} PDUs; [history] max_series changes that"
            );
        }
        let old = std::mem::replace(&mut self.tracks, tracks);
        for id in old
            .all()
            .filter(|id| self.tracks.all().all(|other| other != *id))
        {
            ctx.history.close(id);
        }
    }
}

/// True when the last reading still stands for the present.
pub(super) fn is_live(state: PduState) -> bool {
    matches!(state, PduState::Ok | PduState::OverLimit)
}
