//! Programs of faults: a seed makes some hundred steps, and a runner lets a simulated world live through them.

use super::oracle::{THINGS, Tape, judge};
use crate::{GROUP, OWNER};
use rackwarden_core::chat::{Answer, Invocation, Role, Spec, telegram};
use rackwarden_core::config::Config;
use rackwarden_core::ctx::Ctx;
use rackwarden_core::effect::{Effect, HttpRequest};
use rackwarden_core::endpoint::{Endpoint, Method};
use rackwarden_core::journal::Broken;
use rackwarden_core::plugins::Plugin;
use rackwarden_core::plugins::power;
use rackwarden_core::rng::Rng;
use rackwarden_core::sim::telegram::Closed;
use rackwarden_core::sim::{Sim, Weather};
use rackwarden_core::time::{Mono, Now};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const STEPS: usize = 500;
const PDUS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];
const MOVED: i64 = -1001;
const INTERVAL: Duration = Duration::from_secs(10);

/// One thing that happens, after a wait.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A PDU draws so many watts.
    Power(usize, f64),
    /// The last PDU answers nothing, or again.
    Silent(bool),
    /// The owner writes.
    Post(String),
    /// The owner presses the newest button with this label.
    Press(&'static str),
    /// The chat service is so for the next calls of a method.
    Weather(&'static str, u32, Weather),
    /// The weather is fair.
    Fair,
    /// A chat asks to wait for so many seconds.
    Flood(i64, u64),
    /// The owner blocks the bot, or no longer.
    Blocked(bool),
    /// The group becomes a supergroup.
    Migrate,
    /// The newest message of the group is deleted.
    Delete,
    /// Kill, and start again after this time; before it, wait for the next reading and then for this time.
    Kill(Option<Duration>, Duration),
    /// The same by a power cut.
    PowerCut(Option<Duration>, Duration, u64),
    /// The disk breaks, or is mended.
    Disk(Option<Broken>),
    /// The agent's clock jumps.
    Clock(i64),
}

/// A step: a wait, then something happens.
pub(crate) type Step = (Duration, Action);

/// What the oracle cannot be asked with these programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Nothing: the agent is judged as it is.
    #[default]
    None,
    /// A message that arrived is taken out of the server's log.
    DropsMessage,
    /// A message stands in the log twice.
    RepeatsMessage,
    /// The disk takes everything and keeps nothing.
    ForgetsDisk,
}

pub(crate) fn program(seed: u64) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    let mut unique = 0.0;
    (0..STEPS)
        .map(|number| {
            let wait = match rng.below(100) {
                0 => rng.below(900_000),
                1..=9 => rng.below(60_000),
                10..=69 => rng.below(12_000),
                _ => rng.below(400),
            };
            (
                Duration::from_millis(wait),
                action(&mut rng, number, &mut unique),
            )
        })
        .collect()
}

fn action(rng: &mut Rng, number: usize, unique: &mut f64) -> Action {
    let millis = |rng: &mut Rng, below| Duration::from_millis(rng.below(below));
    let moment = |rng: &mut Rng| (rng.below(3) > 0).then(|| Duration::from_millis(rng.below(80)));
    match rng.below(100) {
        0..=47 => {
            *unique += 10.0;
            let low = 1000.0 + 10.0 * rng.below(40) as f64;
            let is_high = rng.below(2) == 0;
            let watts = if is_high { 3000.0 + *unique } else { low };
            Action::Power(rng.below(3) as usize, watts)
        }
        48..=49 => Action::Silent(rng.below(2) == 0),
        50..=55 => Action::Post(match rng.below(6) {
            0..=2 => format!("/pulse {number}"),
            3 => "/mute delta 10m".to_owned(),
            4 => "/ack delta".to_owned(),
            _ => "/current".to_owned(),
        }),
        56..=57 => Action::Press(["Run now", "Ack", "Why"][rng.below(3) as usize]),
        58..=72 => {
            let method =
                ["*", "sendMessage", "editMessageText", "getUpdates"][rng.below(4) as usize];
            let times = [1, 1, 2, 5, 30][rng.below(5) as usize];
            Action::Weather(method, times, weather(rng))
        }
        73..=78 => Action::Fair,
        79..=81 => Action::Flood(
            [GROUP, OWNER][rng.below(2) as usize],
            [1, 30, 900][rng.below(3) as usize],
        ),
        82 => Action::Blocked(rng.below(2) == 0),
        83 if rng.below(12) == 0 => Action::Migrate,
        84 if rng.below(4) == 0 => Action::Delete,
        85..=89 => Action::Kill(moment(rng), millis(rng, 20_000)),
        90..=93 => Action::PowerCut(moment(rng), millis(rng, 60_000), rng.next_u64()),
        94..=96 => Action::Disk(
            [
                Some(Broken::Full),
                Some(Broken::ReadOnly),
                Some(Broken::Sync),
                None,
                None,
                None,
            ][rng.below(6) as usize],
        ),
        97 => Action::Clock([3_600_000, -3_600_000, 86_400_000, -300_000][rng.below(4) as usize]),
        _ => Action::Fair,
    }
}

fn weather(rng: &mut Rng) -> Weather {
    match rng.below(9) {
        0..=2 => Weather::LosesAnswer,
        3 => Weather::IsAway,
        4 => Weather::Garbles,
        5 => Weather::Body(br#"{"ok":true,"resu"#.to_vec()),
        6 => Weather::Refuses(502, "Bad Gateway", json!(null)),
        7 => Weather::Refuses(401, "Unauthorized", json!(null)),
        _ => Weather::Refuses(
            429,
            "Too Many Requests: retry after 5",
            json!({"retry_after": 5}),
        ),
    }
}

const PULSE: Spec = Spec {
    name: "pulse",
    usage: "<number>",
    help: "does something that must not be done twice",
    example: "/pulse 1",
    role: Role::Operator,
    action: None,
    arg: None,
    changes_state: true,
};

/// A plugin with an effect in the world that can be counted.
struct Pulse;

impl Plugin for Pulse {
    fn name(&self) -> &'static str {
        "pulse"
    }

    fn commands(&self) -> Vec<&'static Spec> {
        vec![&PULSE]
    }

    fn run(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let number = invocation.arg(0).unwrap_or_default();
        let world = Arc::new(Endpoint::url("world", "http://world.sim"));
        let path = format!("/pulse/{number}");
        ctx.effects.push(Effect::Http(HttpRequest {
            timeout: Duration::from_secs(5),
            ..HttpRequest::new(ctx.tickets.issue(), world, Method::Post, path)
        }));
        ctx.answer(
            &invocation.reply_to,
            Answer::text(format!("pulsed {number}")),
        );
    }
}

fn config() -> Config {
    let limits: Vec<(&str, f64)> = PDUS.iter().map(|name| (*name, 3000.0)).collect();
    let mut config = Sim::config(&limits);
    Sim::team(&mut config, "Team Alpha", THINGS[3].1, &["alpha", "bravo"]);
    let chat = |chat| telegram::place(chat, None);
    config.notify.to = vec![chat(GROUP), chat(OWNER)];
    config.notify.max_notifications = 100_000;
    power::settings_mut(&mut config).interval = INTERVAL;
    power::settings_mut(&mut config).unreachable_after = INTERVAL * 4;
    config
}

/// A world, and what was noted of it for the oracle.
struct World {
    sim: Sim,
    tape: Vec<Tape>,
    read: [Mono; 4],
    /// When the gap to the next reading began to count.
    awake: bool,
    is_silent: bool,
    late: Vec<String>,
    /// When a pulse was last asked for.
    asked: BTreeMap<String, Mono>,
    checks_repeats: bool,
    broken_since: Option<Mono>,
    /// When the disk took nothing.
    broken: Vec<(Mono, Mono)>,
}

/// Runs a program; what is wrong, one line each.
pub(crate) fn run(steps: &[Step], sabotage: Sabotage) -> Vec<String> {
    let mut world = World {
        sim: Sim::with_plugins(config(), &[|_: &Arc<Config>| Box::new(Pulse)]),
        tape: Vec::new(),
        read: [Mono::ZERO; 4],
        awake: false,
        is_silent: false,
        late: Vec::new(),
        asked: BTreeMap::new(),
        checks_repeats: true,
        broken_since: None,
        broken: Vec::new(),
    };
    world.pass(Duration::from_secs(10));
    for (wait, action) in steps {
        world.pass(*wait);
        world.act(action, sabotage);
    }
    world.settle();
    world.judge(sabotage)
}

impl World {
    /// Lets time pass and notes the readings that the agent takes.
    fn pass(&mut self, span: Duration) {
        let mut left = span;
        while left > Duration::ZERO {
            let part = left.min(Duration::from_secs(4));
            self.sim.run_for(part);
            left -= part;
            self.note();
        }
    }

    fn note(&mut self) {
        let snapshot = self.sim.look();
        let power = power::view(&snapshot);
        let mut is_new = [false; 4];
        for (index, pdu) in power.pdus.iter().enumerate() {
            let (Some((mono, wall)), Some(watts)) = (pdu.read, pdu.power_w) else {
                continue;
            };
            is_new[index] = mono > self.read[index];
            if !is_new[index] {
                continue;
            }
            if self.awake && index < 3 && mono.since(self.read[index]) > INTERVAL * 3 / 2 {
                self.late.push(format!(
                    "late: {} at {mono:?}, before it {:?}",
                    PDUS[index], self.read[index]
                ));
            }
            self.read[index] = mono;
            if index < 3 {
                let view = &power.pdus[index];
                let peak = view.peak_w.filter(|_| view.peak_is_devices);
                let peak: Vec<f64> = peak.into_iter().collect();
                self.tape
                    .push(Tape::Reading(index, Now { mono, wall }, watts, peak));
            }
        }
        self.awake |= is_new[..3].iter().all(|new| *new);
        if let ([true, true, ..], Some(alpha), Some(bravo)) =
            (is_new, power.pdus[0].power_w, power.pdus[1].power_w)
        {
            let (mono, wall) = power.pdus[1].read.unwrap_or_default();
            self.tape.push(Tape::Reading(
                3,
                Now { mono, wall },
                alpha + bravo,
                vec![alpha, bravo],
            ));
        }
    }

    /// Waits for the next reading, if asked to, and then for this time.
    fn wait_for_moment(&mut self, after: Option<Duration>) {
        let Some(after) = after else { return };
        let before = self.read[0];
        for _ in 0..600 {
            self.sim.run_for(Duration::from_millis(20));
            self.note();
            if self.read[0] != before {
                break;
            }
        }
        self.sim.run_for(after);
        self.note();
    }

    fn restart_after(&mut self, down: Duration, forgets: bool) {
        let end = self.sim.now().mono;
        self.sim.run_for(down);
        if forgets {
            *self.sim.storage() = Default::default();
        }
        let kept = self.sim.restart();
        let is_whole = forgets || kept == self.sim.now().mono;
        let until = if is_whole {
            end + Duration::from_millis(1)
        } else {
            kept
        };
        self.tape.push(Tape::Cut(until, end));
        self.awake = false;
    }

    fn act(&mut self, action: &Action, sabotage: Sabotage) {
        let now = self.sim.now();
        let forgets = sabotage == Sabotage::ForgetsDisk;
        match action {
            Action::Power(pdu, watts) => self.sim.device(PDUS[*pdu]).set_power(*watts),
            Action::Silent(is_silent) => {
                self.is_silent = *is_silent;
                self.sim.device("delta").set_silent(*is_silent);
            }
            Action::Post(text) => {
                if text.starts_with("/pulse") {
                    self.asked.insert(text[1..].to_owned(), now.mono);
                }
                self.sim.post(OWNER, OWNER, text);
            }
            Action::Press(label) => self.press(label, now.mono),
            Action::Weather(method, times, weather) => {
                self.sim.set_weather(method, *times, weather.clone())
            }
            Action::Fair => self.sim.clear_weather(),
            Action::Flood(chat, seconds) => {
                self.sim
                    .service()
                    .flood(*chat, now.mono + Duration::from_secs(*seconds));
            }
            Action::Blocked(is_blocked) => {
                let why = is_blocked.then_some(Closed::Blocked);
                self.sim.service().set_closed(OWNER, why);
            }
            Action::Migrate => {
                self.checks_repeats = false;
                self.sim.service().migrate(GROUP, MOVED);
            }
            Action::Delete => {
                self.checks_repeats = false;
                let messages = self.sim.service().messages();
                let newest = messages.iter().rev().find(|message| message.chat != OWNER);
                if let Some((chat, id)) = newest.map(|message| (message.chat, message.id)) {
                    self.sim.service().delete_message(chat, id);
                }
            }
            Action::Kill(..) | Action::PowerCut(..) if self.is_unwritten(now.mono) => {
                // An end while the disk takes nothing, or just after it, forgets what was not written.
                self.sim.storage().set_broken(None);
                self.note_mended(now.mono);
                self.pass(Duration::from_secs(7));
                self.act(action, sabotage);
            }
            Action::Kill(moment, down) => {
                self.wait_for_moment(*moment);
                self.sim.kill();
                self.restart_after(*down, forgets);
            }
            Action::PowerCut(moment, down, seed) => {
                self.wait_for_moment(*moment);
                self.sim.cut_power(*seed);
                self.restart_after(*down, forgets);
            }
            Action::Disk(broken) => {
                self.sim.storage().set_broken(*broken);
                match broken {
                    Some(_) => {
                        self.broken_since.get_or_insert(now.mono);
                    }
                    None => self.note_mended(now.mono),
                }
            }
            Action::Clock(by) => self.sim.step_wall(*by),
        }
    }

    /// Presses the newest button; what it runs was asked for now.
    fn press(&mut self, label: &str, now: Mono) {
        let messages = self.sim.service().messages();
        let has_it = |(text, _): &(String, String)| text.contains(label);
        let newest = messages
            .iter()
            .rev()
            .filter(|message| message.chat == OWNER);
        let Some(text) = newest
            .filter(|message| message.buttons.iter().any(has_it))
            .map(|message| message.text.clone())
            .next()
        else {
            return;
        };
        for asked in self
            .asked
            .iter_mut()
            .filter(|(pulse, _)| text.contains(pulse.as_str()))
        {
            *asked.1 = now;
        }
        self.sim.press(OWNER, OWNER, label);
    }

    /// Something waits for the disk, or may still do so.
    fn is_unwritten(&self, now: Mono) -> bool {
        let is_recent = |(_, until): &(Mono, Mono)| now < *until;
        self.broken_since.is_some() || self.broken.last().is_some_and(is_recent)
    }

    /// What waited for the disk is written some seconds after it is mended.
    fn note_mended(&mut self, now: Mono) {
        if let Some(since) = self.broken_since.take() {
            self.broken.push((since, now + Duration::from_secs(6)));
        }
    }

    /// Everything is well again, for long enough.
    fn settle(&mut self) {
        self.note_mended(self.sim.now().mono);
        self.sim.clear_weather();
        self.sim.storage().set_broken(None);
        self.sim.service().set_closed(OWNER, None);
        for pdu in PDUS {
            self.sim.device(pdu).set_silent(false);
            self.sim.device(pdu).set_power(1000.0);
        }
        self.pass(Duration::from_secs(1600));
    }

    fn judge(&mut self, sabotage: Sabotage) -> Vec<String> {
        let mut wrong = std::mem::take(&mut self.late);
        let mut sights = self.sim.service().sights().to_vec();
        let is_news = |text: &str| text.contains(": above power limit: ") && !text.contains("🔁");
        let told = sights
            .iter()
            .position(|sight| sight.message.edits == 0 && is_news(&sight.message.text));
        match (sabotage, told) {
            (Sabotage::DropsMessage, Some(at)) => {
                let gone = sights[at].message.id;
                sights.retain(|sight| sight.message.id != gone);
            }
            (Sabotage::RepeatsMessage, Some(at)) => sights.push(sights[at].clone()),
            _ => {}
        }
        wrong.extend(judge(&self.tape, &sights, self.checks_repeats));
        self.judge_pulses(&mut wrong);
        if !wrong.is_empty() && std::env::var_os("FAULT_TRANSCRIPT").is_some() {
            println!("{}", self.sim.transcript());
        }
        wrong
    }

    /// Each pulse reached the world at most once, and not long after it was asked for. While the disk takes nothing,
    /// nobody can know after a kill what was done before it.
    fn judge_pulses(&mut self, wrong: &mut Vec<String>) {
        let mut runs: BTreeMap<String, Vec<Mono>> = BTreeMap::new();
        for call in self.sim.service().calls() {
            if call.method.parse::<u32>().is_ok() {
                let at = call.at.mono;
                runs.entry(format!("pulse {}", call.method))
                    .or_default()
                    .push(at);
            }
        }
        for (pulse, times) in runs {
            let is_unwritten = |at: &Mono| {
                self.broken
                    .iter()
                    .any(|(from, until)| from <= at && at <= until)
            };
            if times.len() > 1 && !is_unwritten(&times[0]) {
                wrong.push(format!("ran at {times:?}: {pulse}"));
            }
            let asked = self.asked.get(&pulse).copied().unwrap_or_default();
            if times
                .iter()
                .any(|at| at.since(asked) > Duration::from_secs(62))
            {
                wrong.push(format!(
                    "too late: {pulse} at {times:?}, asked for at {asked:?}"
                ));
            }
        }
    }
}
