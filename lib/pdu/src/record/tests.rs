use super::*;
use crate::identify::Options;
use crate::simulated::Agent;
use crate::{Kind, Plan, Reading};
use rackwarden_base::fault::Fault;
use rackwarden_base::time::Now;

fn walk(agent: &mut Agent, version: Version) -> Recorder {
    let mut recorder = Recorder::new(version);
    while let Some(ask) = recorder.ask() {
        let answer = agent.ask(Now::default(), version, &ask);
        recorder.handle(answer.as_ref()).expect("it answers");
    }
    recorder
}

fn identify(agent: &mut Agent, version: Version) -> Identified {
    let options = Options {
        version,
        ..Options::default()
    };
    let identified = agent.identify(Now::default(), options);
    identified.expect("it answers")
}

fn nothing() -> Identified {
    Identified {
        profile: None,
        why: None,
        vendor: None,
        model: None,
        sys_object_id: None,
        sys_descr: None,
        kind: Kind::NotAPdu,
        plan: Plan::default(),
        described_by: Box::default(),
        reading: Reading::default(),
        note: None,
    }
}

fn device(text: &str) -> Agent {
    Agent::from_recording(text.as_bytes()).expect("a recording")
}

#[test]
fn every_kind_of_value_comes_back_as_it_was() {
    let text = "1.3.6.1.2.1.1.1.0|4|A | device\n\
                1.3.6.1.4.1.99.1.1|2|-5\n\
                1.3.6.1.4.1.99.1.2|4x|0a20c3bc41\n\
                1.3.6.1.4.1.99.1.3|4|\n\
                1.3.6.1.4.1.99.1.4|5|\n\
                1.3.6.1.4.1.99.1.5|6|1.3.6.1.4.1.318\n\
                1.3.6.1.4.1.99.1.6|64x|00000000\n\
                1.3.6.1.4.1.99.1.7|65|4294967295\n\
                1.3.6.1.4.1.99.1.8|66|7\n\
                1.3.6.1.4.1.99.1.9|67|8\n\
                1.3.6.1.4.1.99.1.10|68x|9f7804\n\
                1.3.6.1.4.1.99.1.11|70|18446744073709551615\n\
                1.3.6.1.4.1.99.1.12|4x|2061\n";
    for version in [Version::V2c, Version::V1] {
        let recorder = walk(&mut device(text), version);
        let recording = recorder.finish(&nothing(), &[]);
        let want = match version {
            Version::V2c => text.to_owned(),
            // There is no Counter64 in version 1.
            Version::V1 => text.replace("1.3.6.1.4.1.99.1.11|70|18446744073709551615\n", ""),
        };
        assert_eq!(recording.text, want, "{version:?}");
        assert!(recording.left.is_empty() && !recording.is_cut);
    }
}

#[test]
fn trees_that_tell_of_others_are_not_walked() {
    let text = "1.3.6.1.2.1.1.1.0|4|x\n\
                1.3.6.1.2.1.4.20.1.1.10.0.0.7|64x|0a000007\n\
                1.3.6.1.4.1.318.1|2|1\n\
                1.3.6.1.4.1.8072.1.9.1|4|vacm\n\
                1.3.6.1.4.1.13742.1|2|2\n\
                1.3.6.1.6.3.18.1.1.1.2|4|public\n";
    let recording = walk(&mut device(text), Version::V2c).finish(&nothing(), &[]);
    assert_eq!(
        recording.text,
        "1.3.6.1.2.1.1.1.0|4|x\n1.3.6.1.4.1.318.1|2|1\n1.3.6.1.4.1.13742.1|2|2\n"
    );
}

#[test]
fn a_walked_device_is_read_as_before() {
    for version in [Version::V2c, Version::V1] {
        let mut agent = Agent::apc_rpdu2(3);
        agent.set_name("rack-3-left");
        agent.set_outlets(&[("web", 500.0), ("Outlet 2", 300.0)]);
        let before = identify(&mut agent, version);
        let recording = walk(&mut agent, version).finish(&before, &["public"]);
        assert!(!recording.text.contains("rack-3"), "{}", recording.text);
        assert!(!recording.text.contains("web"), "{}", recording.text);
        assert!(recording.text.contains("Outlet 2"), "{}", recording.text);
        let mut again = device(&recording.text);
        let mut after = identify(&mut again, version).reading;
        assert_eq!(&*after.outlets[0].name, "<private>");
        after.outlets[0].name = "web".into();
        let mut before = before.reading;
        // A recording of a moment stands still.
        (before.uptime_ticks, after.uptime_ticks) = (None, None);
        assert_eq!(before, after, "{version:?}");
    }
}

/// A device with sins: how often it may be asked before it falls silent, and what it does not answer.
struct Sinner {
    objects: Vec<VarBind>,
    most: usize,
    silent_after: Option<Oid>,
    turns_back: bool,
}

impl Sinner {
    fn new(count: u32) -> Sinner {
        let bind = |row: u32| VarBind {
            oid: Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 99, 1, row / 10, row % 10]),
            value: Value::Integer(row.into()),
        };
        Sinner {
            objects: (10..count + 10).map(bind).collect(),
            most: usize::MAX,
            silent_after: None,
            turns_back: false,
        }
    }

    fn answer(&self, ask: &SnmpAsk) -> Result<SnmpAnswer, Fault> {
        let silence = Err(Fault::new(FaultKind::Timeout, "no answer"));
        let (oid, count) = match ask {
            SnmpAsk::GetBulk {
                oids,
                max_repetitions,
                ..
            } => (&oids[0], usize::from(*max_repetitions)),
            SnmpAsk::GetNext(oids) => (&oids[0], 1),
            _ => return silence,
        };
        if count > self.most || self.silent_after.as_ref() == Some(oid) {
            return silence;
        }
        let mut binds: Vec<VarBind> = self
            .objects
            .iter()
            .filter(|bind| bind.oid > *oid)
            .take(count)
            .cloned()
            .collect();
        if self
            .silent_after
            .as_ref()
            .is_some_and(|after| binds.iter().rev().skip(1).any(|bind| bind.oid == *after))
        {
            return silence;
        }
        if binds.is_empty() {
            binds.push(match self.turns_back {
                true => self.objects[0].clone(),
                false => VarBind {
                    oid: oid.clone(),
                    value: Value::EndOfMibView,
                },
            });
        }
        Ok(SnmpAnswer::Binds(binds.into()))
    }

    fn walk(&self) -> Recorder {
        let mut recorder = Recorder::new(Version::V2c);
        for _ in 0..5000 {
            let Some(ask) = recorder.ask() else {
                return recorder;
            };
            recorder
                .handle(self.answer(&ask).as_ref())
                .expect("it answers something");
        }
        panic!("the walk does not end");
    }
}

#[test]
fn a_device_that_takes_little_at_once_is_asked_for_less() {
    for most in [7, 3, 1] {
        let mut sinner = Sinner::new(60);
        sinner.most = most;
        let recorder = sinner.walk();
        assert_eq!(recorder.objects(), 60, "at most {most}");
        assert!(!recorder.is_cut);
    }
}

#[test]
fn a_place_without_an_answer_is_passed_by() {
    let mut sinner = Sinner::new(60);
    sinner.silent_after = Some(sinner.objects[14].oid.clone());
    let recorder = sinner.walk();
    assert_eq!(recorder.objects(), 55, "the rest of one column is missing");
    assert_eq!(recorder.gaps, 1);
    let recording = recorder.finish(&nothing(), &[]);
    assert_eq!((recording.gaps, recording.is_cut), (1, false));
}

#[test]
fn an_object_that_is_not_there_after_all_is_not_recorded() {
    let mut sinner = Sinner::new(20);
    sinner.objects[5].value = Value::NoSuchInstance;
    let recording = sinner.walk().finish(&nothing(), &[]);
    assert_eq!(recording.objects, 19);
    assert_eq!(recording.text.lines().count(), 19);
}

#[test]
fn a_device_that_goes_round_in_circles_is_left() {
    let mut sinner = Sinner::new(20);
    sinner.turns_back = true;
    let recorder = sinner.walk();
    assert_eq!(recorder.objects(), 20);
}

#[test]
fn a_device_that_falls_silent_is_recorded_as_far_as_it_went() {
    let sinner = Sinner::new(20);
    let mut recorder = Recorder::new(Version::V2c);
    let silence = Fault::new(FaultKind::Timeout, "no answer");
    for _ in 0..2 {
        let ask = recorder.ask().expect("more");
        if recorder.objects() == 0 {
            let _ = recorder.handle(sinner.answer(&ask).as_ref());
        }
    }
    while recorder.roots.len() > 2 {
        recorder.next_root();
    }
    let ask = recorder.ask().expect("more");
    recorder.handle(sinner.answer(&ask).as_ref()).expect("fine");
    for _ in 0..50 {
        if recorder.ask().is_none() {
            break;
        }
        recorder.handle(Err(&silence)).expect("it has something");
    }
    assert!(recorder.ask().is_none());
    let recording = recorder.finish(&nothing(), &[]);
    assert!(recording.is_cut && recording.objects > 0, "{recording:?}");
    let mut dead = Recorder::new(Version::V1);
    let mut asked = 0;
    while dead.ask().is_some() {
        asked += 1;
        if dead.handle(Err(&silence)).is_err() {
            break;
        }
    }
    assert!(asked < 10, "{asked}");
}
