//! What comes and goes all the time is one message, and one when it is calm.

use super::*;

const ALPHA: &str = "power.limit:alpha";

/// Fires and ends so often, so many seconds apart.
fn toggle(world: &mut World, times: usize, seconds: u64) {
    for _ in 0..times {
        world.fire(ALPHA);
        world.secs(seconds);
        world.end(ALPHA);
        world.secs(seconds);
    }
}

/// New messages that say this.
#[track_caller]
fn assert_news(world: &World, text: &str, want: usize) {
    let lines = world.posted.lines.iter();
    let got = lines.filter(|line| line.contains(" new ") && line.contains(text));
    assert_eq!(got.count(), want, "{text}: {:#?}", world.posted.lines);
}

#[test]
fn flapping_is_one_message_that_is_edited_and_one_when_it_is_calm() {
    let mut world = plain();
    toggle(&mut world, 12, 2);
    world.secs(600);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+2.2s new 2] ✅ rack-3: (alpha): back",
        "[t+2.2s edit 1] ✅ rack-3: (alpha): too much (21:59:00) — 21:59:02, back",
        "[t+4.0s new 3] 🔴 rack-3: (alpha): too much",
        "[t+6.2s new 4] ✅ rack-3: (alpha): back",
        "[t+6.2s edit 3] ✅ rack-3: (alpha): too much (21:59:04) — 21:59:06, back",
        "[t+8.0s new 5] 🔴 rack-3: (alpha): too much",
        "[t+10.0s new 6] ✅ rack-3: (alpha): flapping, 6 changes since 21:59:00: back — told again when calm for 2 min",
        "[t+10.0s edit 5] ✅ rack-3: (alpha): too much (21:59:08) — 21:59:10, back",
        "[t+20.0s edit 6] ✅ rack-3: (alpha): flapping, 10 changes since 21:59:00: back — told again when calm for 2 min",
        "[t+30.0s edit 6] 🔴 rack-3: (alpha): flapping, 15 changes since 21:59:00: too much — told again when calm for 2 min",
        "[t+40.0s edit 6] ✅ rack-3: (alpha): flapping, 20 changes since 21:59:00: back — told again when calm for 2 min",
        "[t+50.0s edit 6] ✅ rack-3: (alpha): flapping, 24 changes since 21:59:00: back — told again when calm for 2 min",
        "[t+166.2s new 7] ✅ rack-3: (alpha): back; calm after 24 changes in 46 s (21:59:46)",
        "[t+166.2s edit 6] ✅ rack-3: (alpha): flapping, 24 changes since 21:59:00: back (21:59:46) — calm at 22:01:46",
    ]);
    world.fire("power.limit:bravo");
    world.secs(3600 * 2);
    assert!(!world.notifier.told.contains_key(ALPHA), "it is forgotten");
}

#[test]
fn a_longer_calm_is_waited_for_each_time_and_the_first_one_again_after_an_hour() {
    let mut world = plain();
    for calm in ["2 min", "4 min", "8 min", "10 min", "10 min"] {
        world.posted.lines.clear();
        toggle(&mut world, 4, 10);
        world.secs(700);
        assert_news(&world, &format!("told again when calm for {calm}"), 1);
        assert_news(&world, "calm after 8 changes in 70 s", 1);
        assert_eq!(world.news(), 7);
    }
    world.secs(4000);
    world.posted.lines.clear();
    toggle(&mut world, 4, 10);
    assert_news(&world, "told again when calm for 2 min", 1);
}

#[test]
fn what_still_fires_when_it_is_calm_is_told_with_its_reminders() {
    let mut world = plain();
    toggle(&mut world, 5, 2);
    world.fire(ALPHA);
    world.secs(125);
    assert_news(
        &world,
        "🔴 rack-3: (alpha): too much; calm after 11 changes",
        0,
    );
    // The budget goes first: three messages in five minutes.
    world.secs(175);
    assert_news(&world, "🔴 rack-3: (alpha): too much", 4);
    world.secs(1800);
    assert_news(&world, "🔁", 1);
    world.end(ALPHA);
    world.secs(1);
    assert_news(&world, "✅ rack-3: (alpha): back", 3);
}

#[test]
fn a_restart_forgets_nothing_of_it() {
    let mut world = plain();
    toggle(&mut world, 2, 10);
    world.restart(Duration::from_secs(5));
    world.fire(ALPHA);
    world.secs(10);
    world.end(ALPHA);
    world.secs(10);
    assert_news(&world, "flapping, 6 changes since 21:59:00: back", 1);
    world.fire(ALPHA);
    world.restart(Duration::from_secs(5));
    world.end(ALPHA);
    world.restart(Duration::from_secs(5));
    world.secs(300);
    assert_news(&world, "back; calm after 8 changes in 70 s", 1);
    assert_eq!(world.news(), 7);
    let edited = world.posted.lines.iter();
    let edited = edited.filter(|line| line.contains("calm at 22:02:10"));
    assert_eq!(edited.count(), 1, "{:#?}", world.posted.lines);
}

#[test]
fn a_warning_that_flaps_never_hides_that_it_became_critical() {
    let mut world = plain();
    for _ in 0..4 {
        world.warn(ALPHA);
        world.secs(60);
        world.end(ALPHA);
        world.secs(20);
    }
    assert_news(&world, "flapping", 1);
    world.warn(ALPHA);
    world.secs(5);
    assert_news(&world, "🔴", 0);
    world.fire(ALPHA);
    world.secs(1);
    assert_news(&world, "🔴 rack-3: (alpha): too much", 1);
}

#[test]
fn a_mute_holds_its_end_back_and_what_is_muted_begins_no_message() {
    let mut world = plain();
    toggle(&mut world, 4, 2);
    let hour = Duration::from_secs(3600);
    world
        .book
        .mute(world.now, ALPHA, hour, ("Ann", ""), &mut world.state);
    world.secs(3599);
    assert_news(&world, "calm after", 0);
    world.secs(2);
    assert_news(&world, "back; calm after 8 changes in 14 s", 1);
    world
        .book
        .mute(world.now, ALPHA, hour, ("Ann", ""), &mut world.state);
    let before = world.news();
    toggle(&mut world, 20, 20);
    assert_eq!(world.news(), before);
    world.secs(4000);
    assert_news(&world, "back; happened 20 times while muted", 1);
    assert_eq!(world.news(), before + 1);
}

#[test]
fn who_asks_for_every_message_gets_it() {
    let mut world = World::new(|config| config.notify.max_notifications = 51);
    toggle(&mut world, 12, 10);
    assert_eq!(world.news(), 24);
    // With ten in five minutes, nineteen changes in ten are usual.
    let mut world = World::new(|config| config.notify.max_notifications = 10);
    toggle(&mut world, 12, 10);
    assert_news(&world, "flapping, 20 changes", 1);
    assert_eq!(world.news(), 20);
}

#[test]
fn many_messages_about_it_are_edited_no_oftener_than_one() {
    for apart in [0, 9] {
        let mut world = plain();
        for second in 0..300 {
            for number in 0..20 {
                // All at the same moment, or some seconds apart, with a message for each.
                match (second + number * apart) % 20 {
                    0 => world.fire(&format!("power.limit:p{number}")),
                    2 => world.end(&format!("power.limit:p{number}")),
                    _ => {}
                }
            }
            if second == 100 {
                world.posted.lines.clear();
            }
            world.secs(1);
        }
        let edits = world.posted.lines.iter();
        let edits = edits.filter(|line| line.contains("edit") && line.contains("flapping"));
        let edits = edits.count();
        assert!((5..=25).contains(&edits), "{apart}: {edits}");
    }
}

#[test]
fn a_rule_that_is_removed_while_it_flaps_ends_with_its_words() {
    let mut world = plain();
    toggle(&mut world, 3, 2);
    world.fire(ALPHA);
    world.secs(1);
    world.report(
        ReportKind::Removed,
        AlertState::Ok,
        Severity::Critical,
        ALPHA,
        "removed from the configuration",
    );
    world.secs(600);
    assert_news(&world, "removed from the configuration", 1);
    assert_news(&world, "calm", 1);
}
