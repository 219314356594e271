//! Random lives of alerts and people: whatever happens, in any order.

use super::*;

/// At most three messages about one alert in any five minutes, ends aside, and people know how things are.
#[test]
fn random_lives_keep_the_budget_and_end_with_the_truth() {
    let mut rng = crate::rng::Rng::new(11);
    for seed in 0..60 {
        let mut world = World::new(|config| {
            config.notify.repeat.critical = Some(Duration::from_secs(40 + seed));
        });
        let name = "power.limit:alpha";
        for _ in 0..80 {
            match rng.below(7) {
                0 | 1 => world.fire(name),
                2 | 3 => world.end(name),
                4 => world.event(name),
                5 => world.restart(Duration::from_secs(rng.below(60))),
                _ => {}
            }
            let pause = rng.below(30_000);
            world.wait(Duration::from_millis(pause));
        }
        world.secs(1500);
        let is_open = world.book.get(name).is_some();
        assert_eq!(
            world
                .notifier
                .told
                .get(name)
                .is_some_and(|told| told.known.is_some()),
            is_open
        );
        let held = world
            .notifier
            .told
            .get(name)
            .is_some_and(|told| told.held.is_some());
        assert!(!held, "seed {seed}: everything was told in the end");
        // Restarts put the transcript's clock back, so only stretches between them are judged.
        let mut times: Vec<f64> = Vec::new();
        for line in &world.posted.lines {
            if line.starts_with("[restart") {
                times.clear();
            } else if line.contains("new") && !line.contains("✅") {
                let at = line[3..]
                    .split('s')
                    .next()
                    .and_then(|text| text.parse().ok());
                times.push(at.expect("a time"));
                let recent = times
                    .iter()
                    .filter(|t| **t > times[times.len() - 1] - 299.9);
                assert!(recent.count() <= 3, "seed {seed}: {:?}", world.posted.lines);
            }
        }
    }
}

/// Mutes, nights, acknowledgements and restarts in any order: once all of that is over, people know what fires and
/// nothing is held back any longer.
#[test]
fn whatever_people_do_they_know_in_the_end() {
    let names = [
        "power.limit:alpha",
        "power.limit:bravo",
        "power.unreachable:alpha",
    ];
    let mut rng = crate::rng::Rng::new(54);
    for seed in 0..60 {
        let mut world = World::new(|config| {
            config.notify.quiet_hours = Some((22 * 60, 23 * 60));
            config.notify.max_notifications = 1 + seed % 4;
        });
        for _ in 0..100 {
            let name = names[rng.below(3) as usize];
            let (now, span) = (world.now, Duration::from_secs(1 + rng.below(2000)));
            let muted = if rng.below(3) == 0 { book::ALL } else { name };
            match rng.below(10) {
                0..=2 if name == names[2] => world.warn(name),
                0..=2 => world.fire(name),
                3 | 4 => world.end(name),
                5 => world
                    .book
                    .mute(now, muted, span, ("Ann", ""), &mut world.state),
                6 => drop(world.book.unmute(now, muted, &mut world.state)),
                7 => drop(world.book.ack(now, name, "Ann", &mut world.state)),
                8 => world.restart(Duration::from_secs(rng.below(60))),
                _ => world.event(name),
            }
            let pause = rng.below(120_000);
            world.wait(Duration::from_millis(pause));
        }
        world.secs(3 * 3600);
        for name in names {
            let is_open = world.book.get(name).is_some();
            let told = world.notifier.told.get(name);
            let knows = told.is_some_and(|told| told.known.is_some());
            assert_eq!(knows, is_open, "seed {seed}, {name}: {told:?}");
            let waits = told.is_some_and(|told| told.held.is_some() || told.queue.is_some());
            assert!(!waits, "seed {seed}, {name}: {told:?}");
        }
        let live: usize = world
            .notifier
            .messages
            .values()
            .map(|message| message.lines.len())
            .sum();
        assert!(live < 100, "old messages are let go: {live}");
    }
}
