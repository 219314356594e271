//! Profiles that users write: within the configuration, and in files of a folder.

use super::*;
use crate::config::power;
use std::path::PathBuf;

const OWN: &str = r#"
[[profile]]
name = "own-pdu"
vendor = "Own"
title = "made here"
base = "1.3.6.1.4.1.99999"
decides = [".1.1"]
[profile.device]
power_w = { oid = ".1.1.0", scale = 0.1 }
[[profile.table]]
kind = "outlet"
rows = ".2.1.{row}"
on = { oid = ".2.1", on = [1], off = [0] }
switch = { on = ".2.2 = 1", off = ".2.2 = unsigned 0" }

[[pdu]]
name = "alpha"
address = "192.168.1.101"
profile = "own-pdu"
"#;

#[test]
fn a_profile_of_the_configuration_is_one_like_the_others() {
    let config = read(OWN);
    assert_eq!(
        power::settings(&config).pdus[0].profile.as_deref(),
        Some("own-pdu")
    );
    let source = power::settings(&config)
        .profiles
        .named("own-pdu")
        .expect("it is known");
    let profile = source.profile("1.3.6.1.4.1.99999").expect("it was read");
    assert_eq!(
        profile.device[0].2.oid.to_string(),
        "1.3.6.1.4.1.99999.1.1.0"
    );
    let switch = profile.tables[0].switch.as_ref().expect("it switches");
    assert_eq!(switch.off.value, crate::snmp::Value::Gauge32(0));
    assert!(
        power::settings(&config)
            .profiles
            .named("apc-rpdu2")
            .is_some()
    );
    let again = effective(&read(&effective(&config)));
    assert_eq!(again, effective(&config));
    assert!(again.contains("name = \"own-pdu\""), "{again}");
}

#[test]
fn a_folder_of_profiles_is_read_and_its_mistakes_have_a_file_and_a_line() {
    let mut env = world();
    env.list_folder = Box::new(|folder| {
        assert_eq!(folder, PathBuf::from("etc/profiles.d"));
        Ok(["b.toml", "notes.txt", "a.toml"]
            .map(|name| folder.join(name))
            .into())
    });
    let file = OWN.split("\n[[pdu]]").next().unwrap_or_default();
    let file = file.replace("[[profile]]\n", "").replace("profile.", "");
    let broken = file
        .replace("own-pdu", "other-pdu")
        .replace("rows = ", "row = ");
    let serve = |a: String, b: String| -> crate::config::ReadFile {
        Box::new(move |path| {
            let is_a = path.ends_with("a.toml");
            Ok(SecretFile {
                content: Secret::new(if is_a { a.clone() } else { b.clone() }),
                is_exposed: true,
            })
        })
    };
    let text = "[power]\nprofiles = \"profiles.d\"\n";
    let other = file.replace("own-pdu", "other-pdu");
    env.read_file = serve(file.clone(), other);
    let config = parse(text, "etc/rack.toml", &env, PLUGINS).expect("both are fine");
    assert!(power::settings(&config).profiles.named("own-pdu").is_some());
    assert!(
        power::settings(&config)
            .profiles
            .named("other-pdu")
            .is_some()
    );
    env.read_file = serve(file, broken);
    let errors = parse(text, "etc/rack.toml", &env, PLUGINS).expect_err("one is not");
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        errors
            .iter()
            .any(|error| error.contains("etc/profiles.d/b.toml:")
                && error.contains("table[0].row: unknown key; did you mean `rows`?")),
        "{errors:#?}"
    );
}

#[test]
fn what_is_wrong_with_a_profile_is_said_where_it_stands() {
    for (from, to, want) in [
        (
            "\"own-pdu\"\nvendor",
            "\"Own PDU\"\nvendor",
            "profile[0].name: is not a profile's name",
        ),
        (
            "\".1.1.0\"",
            "\".1.x.0\"",
            "profile[0].device.power_w: `.1.x.0` is not an OID",
        ),
        (
            "rows = \".2.1.{row}\"",
            "rows = \".2.1.{raw}\"",
            "profile[0].table[0].rows: `.2.1.{raw}` is not an OID with",
        ),
        (
            "kind = \"outlet\"",
            "kind = \"outlets\"",
            "did you mean `outlet`?",
        ),
        (
            "on = [1], off = [0]",
            "on = [1, 2, 3, 4, 5], off = [0]",
            "holds more than 4 numbers",
        ),
        ("\".2.2 = 1\"", "\".2.2\"", "is not a SET"),
        (
            "base = \"1.3.6.1.4.1.99999\"",
            "base = \"1.3.6.1.4.1.*\"",
            "has a base with `*`",
        ),
        ("decides = [\".1.1\"]", "", "profile[0].decides: is missing"),
    ] {
        let text = OWN.replace(from, to);
        assert_ne!(text, OWN, "{from}");
        let errors = errors(&text);
        assert!(
            errors.iter().any(|error| error.contains(want)),
            "{to}: {errors:#?}"
        );
    }
}
