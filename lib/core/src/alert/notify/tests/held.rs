//! What is held back by mutes and in quiet hours, and how it is told afterwards.

use super::*;

#[test]
fn a_mute_holds_messages_back_and_its_end_is_told_while_it_fires() {
    let mut world = plain();
    let (now, hour) = (world.now, Duration::from_secs(3600));
    world.book.mute(
        now,
        "power.limit:alpha",
        hour,
        ("Ann", "work"),
        &mut world.state,
    );
    world.fire("power.limit:alpha");
    world.fire("power.limit:bravo");
    world.secs(1000);
    world.restart(Duration::ZERO);
    world.secs(3000);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (bravo): too much",
        "[restart after 1000 s]",
        "[t+800.0s new 2] 🔁 rack-3: still firing after 30 min: (bravo): too much (21:59:00)",
        "[t+2600.0s new 3] 🔴 rack-3: (alpha): too much (21:59:00)",
        "[t+2600.0s new 4] 🔁 rack-3: still firing after 1 h: (bravo): too much (21:59:00)",
    ]);
}

#[test]
fn unmute_tells_at_once_what_fires() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(400);
    let (now, hour) = (world.now, Duration::from_secs(3600));
    world.book.mute(
        now,
        "power.limit:alpha",
        hour,
        ("Ann", ""),
        &mut world.state,
    );
    world.secs(60);
    assert!(
        world
            .book
            .unmute(world.now, "power.limit:alpha", &mut world.state)
    );
    world.secs(60);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+460.0s new 2] 🔴 rack-3: (alpha): too much; still firing, no longer muted (21:59:00)",
    ]);
}

#[test]
fn the_end_of_mute_all_is_one_summary() {
    let mut world = plain();
    world.book.mute(
        world.now,
        book::ALL,
        Duration::from_secs(600),
        ("Ann", ""),
        &mut world.state,
    );
    for _ in 0..3 {
        world.fire("power.limit:alpha");
        world.secs(2);
        world.end("power.limit:alpha");
        world.secs(2);
    }
    world.warn("power.unreachable:bravo");
    world.event("power.restart:charlie");
    world.secs(900);
    world.check(&[
        "[t+600.0s new 1] 🔔 rack-3: the mute of all alerts has ended; held back meanwhile \
         | ✅ (alpha): back; happened 3 times while all alerts were muted (21:59:10) \
         | ⚡ (charlie): restarted (21:59:12) \
         | 🟠 (bravo): no answer (21:59:12)",
    ]);
}

#[test]
fn the_end_of_mute_all_is_told_when_nothing_happened() {
    let mut world = plain();
    let mute = |world: &mut World, name: &str, seconds| {
        let span = Duration::from_secs(seconds);
        let state = &mut world.state;
        world.book.mute(world.now, name, span, ("Ann", ""), state);
    };
    mute(&mut world, book::ALL, 600);
    world.secs(700);
    mute(&mut world, book::ALL, 60);
    mute(&mut world, "power.limit:alpha", 1000);
    world.fire("power.limit:alpha");
    world.secs(100);
    world.check(&[
        "[t+600.0s new 1 silent] 🔔 rack-3: the mute of all alerts has ended; nothing was held back",
        "[t+760.0s new 2 silent] 🔔 rack-3: the mute of all alerts has ended",
    ]);
}

#[test]
fn quiet_hours_let_critical_alerts_through_and_end_with_a_digest() {
    let mut world = World::new(|config| {
        config.notify.quiet_hours = Some((22 * 60, 7 * 60));
        config.notify.timezone = Zone::UTC;
    });
    world.secs(120);
    world.warn("power.unreachable:alpha");
    world.warn("power.unreachable:bravo");
    world.secs(600);
    world.end("power.unreachable:alpha");
    world.fire("power.limit:charlie");
    world.secs(60);
    world
        .book
        .ack(world.now, "power.limit:charlie", "Ann", &mut world.state);
    world.secs(1);
    world.posted.lines.retain(|line| line.contains("new"));
    world.secs(9 * 3600);
    world.check(&[
        "[t+720.0s new 1] 🔴 rack-3: (charlie): too much",
        "[t+32460.0s new 2] 🔔 rack-3: held back during the quiet hours \
         | ✅ (alpha): back; happened once while it was quiet (2026-11-20 22:11:00) \
         | 🟠 (bravo): no answer (2026-11-20 22:01:00)",
    ]);
}

#[test]
fn the_last_of_mutes_and_nights_tells_what_they_held_back() {
    let mut world = World::new(|config| {
        config.notify.quiet_hours = Some((22 * 60, 7 * 60));
        config.notify.timezone = Zone::UTC;
        config.notify.repeat.warning = None;
    });
    let span = Duration::from_secs;
    let mute = |world: &mut World, name: &str, seconds| {
        let now = world.now;
        world
            .book
            .mute(now, name, span(seconds), ("Ann", ""), &mut world.state);
    };
    // Two mutes that end in the night, and one that begins in it and lasts until noon.
    mute(&mut world, "power.unreachable:alpha", 1800);
    mute(&mut world, "power.unreachable:bravo", 1800);
    world.warn("power.unreachable:alpha");
    world.secs(600);
    world.warn("power.unreachable:bravo");
    world.warn("power.unreachable:charlie");
    mute(&mut world, "power.unreachable:charlie", 14 * 3600);
    world.secs(24 * 3600);
    world.check(&[
        "[t+32460.0s new 1] 🔔 rack-3: held back during the quiet hours \
         | 🟠 (alpha): no answer (2026-11-20 21:59:00) \
         | 🟠 (bravo): no answer (2026-11-20 22:09:00)",
        "[t+51000.0s new 2] 🟠 rack-3: (charlie): no answer (2026-11-20 22:09:00)",
    ]);
}
