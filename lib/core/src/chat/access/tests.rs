use super::*;
use crate::chat::telegram;
use crate::config::GrantConfig;
use crate::state::Pending;

fn grant(who: Person, role: Option<Role>, allow: &[&str], deny: &[&str]) -> GrantConfig {
    GrantConfig {
        who,
        role,
        allow: allow.iter().map(|text| (*text).to_owned()).collect(),
        deny: deny.iter().map(|text| (*text).to_owned()).collect(),
        until: None,
    }
}

fn access() -> Access {
    let mut expired = grant(telegram::user(5), Some(Role::Operator), &[], &[]);
    expired.until = Some(Wall(1000));
    Access::new(&AccessConfig {
        owners: vec![telegram::user(1)],
        grants: vec![
            grant(
                telegram::user(2),
                Some(Role::Operator),
                &[],
                &["power.reset:bravo"],
            ),
            grant(telegram::user(3), Some(Role::Viewer), &[], &[]),
            grant(
                telegram::user(4),
                None,
                &["power.reset:al*"],
                &["power.reset:alto"],
            ),
            expired,
            grant(telegram::group(-9), Some(Role::Owner), &["audit:*"], &[]),
            grant(sessions::local(1000), Some(Role::Viewer), &[], &[]),
        ],
    })
}

fn caller(who: Person, chat: i64) -> Caller {
    let is_private = chat > 0;
    Caller {
        who,
        name: "N".into(),
        address: telegram::place(chat, None),
        is_private,
        is_owner: false,
    }
}

fn spec(role: Role, action: Option<&'static str>) -> Spec {
    Spec {
        name: "thing",
        usage: "",
        help: "",
        example: "",
        role,
        action,
        arg: None,
        changes_state: false,
    }
}

#[test]
fn every_role_meets_every_entry_and_action() {
    let access = access();
    let anyone = spec(Role::Anyone, None);
    let view = spec(Role::Viewer, None);
    let operate = spec(Role::Operator, None);
    let own = spec(Role::Owner, None);
    let reset = spec(Role::Operator, Some("power.reset"));
    let user = |id| caller(telegram::user(id), id);
    let in_group = |id| caller(telegram::user(id), -9);
    let channel = caller(telegram::group(-9), -9);
    let channel_elsewhere = caller(telegram::group(-9), -7);
    let mut terminal = caller(sessions::terminal(), 99);
    terminal.is_owner = true;
    let mut posing = channel.clone();
    posing.is_owner = true;
    let mut uid = caller(sessions::local(1000), 1);
    uid.address = sessions::local(1000).place();
    // For each caller: anyone, viewer, operator, owner, reset alone, reset alpha, reset bravo, reset alto.
    for (rule, caller, want) in [
        ("owner_may_all", user(1), "11111111"),
        ("operator_but_for_the_denied", user(2), "11101101"),
        ("viewer_may_look", user(3), "11000000"),
        ("single_action_on_single_targets", user(4), "10001100"),
        ("expired_is_a_stranger", user(5), "10000000"),
        ("stranger_may_ask_who_he_is", user(6), "10000000"),
        ("group_gives_operator_at_most", in_group(6), "11101111"),
        ("deny_of_a_person_wins_in_a_group", in_group(2), "11101101"),
        ("owner_stays_owner_in_a_group", in_group(1), "11111111"),
        ("channel_is_viewer_at_most", channel, "11000000"),
        (
            "channel_has_no_right_elsewhere",
            channel_elsewhere,
            "00000000",
        ),
        ("channel_is_never_owner", posing, "11000000"),
        (
            "stranger_in_a_group",
            caller(telegram::user(6), -8),
            "00000000",
        ),
        ("transport_proves_owner", terminal, "11111111"),
        ("local_uid_by_grant", uid, "11000000"),
    ] {
        let asks: [(&Spec, Option<&str>); 8] = [
            (&anyone, None),
            (&view, None),
            (&operate, None),
            (&own, None),
            (&reset, None),
            (&reset, Some("alpha")),
            (&reset, Some("bravo")),
            (&reset, Some("alto")),
        ];
        let got: String = asks
            .into_iter()
            .map(|(spec, target)| {
                let decision = access.decide(Wall(2000), &caller, spec, target);
                assert!(!decision.because().is_empty());
                if decision.is_allowed() { '1' } else { '0' }
            })
            .collect();
        assert_eq!(got, want, "{rule}");
    }
}

#[test]
fn grants_in_chat_survive_and_revoking_the_files_grant_is_a_denial() {
    let (view, operate) = (spec(Role::Viewer, None), spec(Role::Operator, None));
    let mut access = access();
    let mut state = Pending::new(0);
    let (two, six) = (telegram::user(2), telegram::user(6));
    access
        .grant(
            &six,
            What::Role(Role::Operator),
            Some(Wall(5000)),
            "o",
            &mut state,
        )
        .expect("may");
    access.revoke(&two, Some(&What::Role(Role::Operator)), "o", &mut state);
    let mut records = Records::default();
    records.apply(&state.take().expect("changes"));
    let mut again = self::access();
    again.restore(&records);
    let may = |access: &Access, id, spec: &Spec, at| {
        access
            .decide(Wall(at), &caller(telegram::user(id), id), spec, None)
            .is_allowed()
    };
    assert!(may(&again, 6, &operate, 4999) && !may(&again, 6, &view, 5000));
    assert!(
        !may(&again, 2, &view, 2000),
        "the denial survives a restart"
    );
    again.revoke(&six, None, "o", &mut state);
    assert!(!may(&again, 6, &view, 2000));
    again
        .grant(&two, What::Role(Role::Viewer), None, "o", &mut state)
        .expect("may");
    assert!(may(&again, 2, &view, 2000) && !may(&again, 2, &operate, 2000));
    let denied = What::Allow("power.reset:bravo".into());
    assert!(again.grant(&two, denied, None, "o", &mut state).is_err());
    let chat_owner = again.grant(
        &telegram::group(-9),
        What::Role(Role::Owner),
        None,
        "o",
        &mut state,
    );
    assert!(chat_owner.is_err());
}

#[test]
fn revoking_one_action_of_an_operator_denies_that_one() {
    let mut access = access();
    let mut state = Pending::new(0);
    let pattern = What::Allow("power.reset:alpha".into());
    let two = caller(telegram::user(2), 2);
    assert!(access.may(Wall(0), &two, "power.reset", "alpha", Role::Operator));
    access.revoke(&two.who, Some(&pattern), "o", &mut state);
    assert!(!access.may(Wall(0), &two, "power.reset", "ALPHA", Role::Operator));
    assert!(access.may(Wall(0), &two, "power.reset", "charlie", Role::Operator));
    access
        .grant(&two.who, pattern, None, "o", &mut state)
        .expect("may");
    assert!(access.may(Wall(0), &two, "power.reset", "alpha", Role::Operator));
}

#[test]
fn granting_one_thing_again_gives_back_nothing_else() {
    let mut access = access();
    let mut state = Pending::new(0);
    let four = caller(telegram::user(4), 4);
    access.revoke(&four.who, None, "o", &mut state);
    assert!(!access.may(Wall(0), &four, "power.reset", "alpha", Role::Operator));
    let other = What::Allow("docker.restart:web".into());
    access
        .grant(&four.who, other, None, "o", &mut state)
        .expect("may");
    assert!(access.may(Wall(0), &four, "docker.restart", "web", Role::Operator));
    assert!(!access.may(Wall(0), &four, "power.reset", "alpha", Role::Operator));
    let again = What::Allow("power.reset:alpha".into());
    access
        .grant(&four.who, again, None, "o", &mut state)
        .expect("may");
    assert!(access.may(Wall(0), &four, "power.reset", "alpha", Role::Operator));
}

#[test]
fn a_supergroup_keeps_the_rights_of_its_group() {
    let mut access = access();
    let place = |chat| telegram::place(chat, None);
    access.add_alias(&place(-9), &place(-100), &mut Pending::new(0));
    let speaker = caller(telegram::user(6), -100);
    assert_eq!(access.role(Wall(0), &speaker), Some(Role::Operator));
    let today = access.current_chat(&telegram::group(-9));
    assert_eq!(today, telegram::group(-100));
}

#[test]
fn stars_match_any_run() {
    for (pattern, text, want) in [
        ("*", "", true),
        ("web-*", "web-1", true),
        ("web-*", "we", false),
        ("*a*b", "xaxxb", true),
        ("a*b*c", "abbc", true),
        ("a*b*c", "abb", false),
        ("Alpha", "alpha", true),
    ] {
        assert_eq!(glob(pattern, text), want, "{pattern} {text}");
    }
}
