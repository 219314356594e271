//! `import`: turns configurations of predecessors into ours. Here `iscbot` with `accesslist.conf` and `ips.csv`, and below it
//! `pytmbot`. Every line that cannot be read is reported with file and line; comments of ISCBot are kept as notes.

mod pytmbot;
mod yaml;

use crate::args::{ImportOptions, ImportSource};
use crate::failure::{Failure, Outcome, print, report};
use rackwarden_base::reader::quoted;
use rackwarden_io::environment::reason;
use std::fmt::Write;
use std::path::Path;

/// Runs the subcommand.
pub(crate) fn run(options: &ImportOptions) -> Outcome {
    match (options.source, options.files.as_slice()) {
        (ImportSource::Iscbot, [access, pdus]) => iscbot(access, pdus),
        (ImportSource::Pytmbot, [file]) => pytmbot(file),
        (ImportSource::Iscbot | ImportSource::Pytmbot, _) => Err(Failure::usage(
            "import: wrong number of files; write `rackwarden import pytmbot pytmbot.yaml`, or `rackwarden import iscbot accesslist.conf ips.csv`",
        )),
    }
}

fn pytmbot(path: &Path) -> Outcome {
    match pytmbot::import(&read(path)?, &name(path)) {
        Ok(text) => print(&text),
        Err(problems) => refuse("pytmbot", &problems),
    }
}

fn iscbot(access_path: &Path, pdus_path: &Path) -> Outcome {
    let mut problems = Vec::new();
    let access = access_list(&read(access_path)?, &name(access_path), &mut problems);
    let pdus = pdus(&read(pdus_path)?, &name(pdus_path), &mut problems);
    match problems.is_empty() {
        true => print(&toml(&access, &pdus)),
        false => refuse("iscbot", &problems),
    }
}

fn refuse(what: &str, problems: &[String]) -> Outcome {
    for problem in problems {
        report(&Failure::operation(problem.clone()));
    }
    let lines = match problems.len() {
        1 => "1 line cannot be read; correct it".to_owned(),
        count => format!("{count} lines cannot be read; correct them"),
    };
    Err(Failure::operation(format!(
        "import {what}: {lines} and run it again"
    )))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Files of that time are often not UTF-8.
fn read(path: &Path) -> Result<String, Failure> {
    const MAX_BYTES: u64 = 16 << 20;
    let failed = |why: String| {
        Failure::operation(format!(
            "{}: cannot be read: {why}; check the path",
            path.display()
        ))
    };
    let metadata = std::fs::metadata(path).map_err(|err| failed(reason(&err)))?;
    if metadata.len() > MAX_BYTES {
        return Err(failed("larger than 16 MiB".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|err| failed(reason(&err)))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // In Latin-1 every byte is the character of that number.
        Err(err) => err.into_bytes().into_iter().map(char::from).collect(),
    };
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// An id and what stood behind it.
#[derive(Debug, PartialEq)]
struct Person {
    id: i64,
    note: String,
}

#[derive(Debug, Default, PartialEq)]
struct AccessList {
    group: Option<Person>,
    users: Vec<Person>,
    notes: Vec<String>,
}

/// Each line begins with an integer; the rest of the line is a comment, as is a line without one. The first negative integer is
/// the group; users are positive. (A file without a group made its first user the group, which is never meant.)
fn access_list(text: &str, file: &str, problems: &mut Vec<String>) -> AccessList {
    let mut list = AccessList::default();
    for (number, line) in numbered(text) {
        let digits = line
            .char_indices()
            .find(|(at, ch)| !(ch.is_ascii_digit() || (*at == 0 && *ch == '-')))
            .map_or(line.len(), |(at, _)| at);
        let (id, note) = line.split_at(digits);
        if !id.contains(|ch: char| ch.is_ascii_digit()) {
            list.notes.push(comment(line));
            continue;
        }
        let note = comment(note);
        match id.parse::<i64>() {
            Err(_) => problems.push(format!(
                "{file}:{number}: `{id}` is too long for an id; write the number that /id shows"
            )),
            Ok(0) => problems.push(format!(
                "{file}:{number}: 0 is nobody; write the number that /id shows"
            )),
            Ok(id) if id < 0 && list.group.is_none() => list.group = Some(Person { id, note }),
            Ok(id) if id < 0 => problems.push(format!(
                "{file}:{number}: a second group; the list has one, give the other a [[access.grant]] of its own"
            )),
            Ok(id) if list.users.iter().any(|user| user.id == id) => {}
            Ok(id) => list.users.push(Person { id, note }),
        }
    }
    list
}

#[derive(Debug, PartialEq)]
struct Pdu {
    name: String,
    address: String,
    team: Option<String>,
}

#[derive(Debug, Default, PartialEq)]
struct Pdus {
    list: Vec<Pdu>,
    notes: Vec<String>,
}

/// `NUM,NAME` or `NUM,NAME,TEAM`, where NUM is the last number of 192.168.1.N. A whole address is taken as well. In files
/// of two columns the name is that of the team, and names repeat: the address tells such PDUs apart.
fn pdus(text: &str, file: &str, problems: &mut Vec<String>) -> Pdus {
    let mut pdus = Pdus::default();
    for (number, line) in numbered(text) {
        if line.starts_with(['#', ';']) || line.starts_with("//") {
            pdus.notes.push(comment(line));
            continue;
        }
        let mut columns = line
            .split([',', ';'])
            .map(|column| column.trim().trim_matches('"').trim());
        let (address, name, team) = (columns.next(), columns.next(), columns.next());
        let address = address.unwrap_or("");
        let Some(address) = whole_address(address) else {
            problems.push(format!(
                "{file}:{number}: `{}` is not a number from 1 to 254; write NUM,NAME or NUM,NAME,TEAM",
                comment(address)
            ));
            continue;
        };
        let Some(name) = name.map(printable).filter(|name| !name.is_empty()) else {
            problems.push(format!(
                "{file}:{number}: no name; write NUM,NAME or NUM,NAME,TEAM"
            ));
            continue;
        };
        if columns.any(|more| !more.is_empty()) {
            problems.push(format!(
                "{file}:{number}: more than three columns; write NUM,NAME or NUM,NAME,TEAM"
            ));
            continue;
        }
        if pdus.list.iter().any(|known| known.address == address) {
            problems.push(format!(
                "{file}:{number}: {address} stands here twice; leave one of the lines"
            ));
            continue;
        }
        pdus.list.push(Pdu {
            name,
            address,
            team: team.map(printable).filter(|team| !team.is_empty()),
        });
    }
    distinct(&mut pdus.list);
    pdus
}

fn whole_address(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<std::net::Ipv4Addr>() {
        return Some(address.to_string());
    }
    let octet = text
        .parse::<u8>()
        .ok()
        .filter(|octet| (1..=254).contains(octet))?;
    Some(format!("192.168.1.{octet}"))
}

/// PDUs of one name become members of a team of that name; names that are also a team's get the address appended.
fn distinct(list: &mut [Pdu]) {
    let names: Vec<String> = list.iter().map(|pdu| pdu.name.clone()).collect();
    let is_repeated = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    for pdu in list.iter_mut() {
        if is_repeated(&pdu.name) {
            let team = pdu.name.clone();
            pdu.team.get_or_insert(team);
        }
    }
    let teams: Vec<String> = list.iter().filter_map(|pdu| pdu.team.clone()).collect();
    for pdu in list.iter_mut() {
        if is_repeated(&pdu.name) || teams.contains(&pdu.name) {
            let last = pdu.address.rsplit('.').next().unwrap_or("");
            let short: String = pdu.name.chars().take(58).collect();
            pdu.name = format!("{} .{last}", short.trim_end());
        }
    }
}

/// Lines that are not blank, counted from 1.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty())
}

/// What a name may consist of, at most 64 characters.
fn printable(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|ch| !ch.is_control())
        .take(64)
        .collect();
    kept.trim().to_owned()
}

/// A comment without its mark.
fn comment(text: &str) -> String {
    let text = text.trim_start_matches(|ch: char| ch.is_whitespace() || "#;/:,-".contains(ch));
    let kept: String = text
        .chars()
        .filter(|ch| !ch.is_control())
        .take(200)
        .collect();
    kept.trim().to_owned()
}

fn toml(access: &AccessList, pdus: &Pdus) -> String {
    let mut text = String::from(
        "# Imported from ISCBot. Put the bot's token into the file below (mode 0600) and take the `#` off these two lines, or
# give it as $RACKWARDEN_TELEGRAM_TOKEN. Look over the rest, and try it with `rackwarden check`.

#[telegram]
#token_file = \"/etc/rackwarden/telegram.token\"
",
    );
    people(&mut text, access);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "
[power]
interval = \"2s\"
limit = \"6 kW\"   # what ISCBot warned at; for each PDU and team that sets none
"
    );
    notes(&mut text, &pdus.notes);
    for pdu in &pdus.list {
        let _ = write!(
            text,
            "\n[[pdu]]\nname = {}\naddress = {}\ncommunity = \"public\"\n",
            quoted(&pdu.name),
            quoted(&pdu.address)
        );
        if let Some(team) = &pdu.team {
            let _ = writeln!(text, "team = {}", quoted(team));
        }
    }
    text
}

fn people(text: &mut String, access: &AccessList) {
    text.push_str("\n[access]\n");
    notes(text, &access.notes);
    match access.users.first() {
        None => text.push_str(
            "owners = []   # nobody was listed; `rackwarden pair` makes you one once the agent runs\n",
        ),
        Some(owner) => {
            let _ = writeln!(
                text,
                "owners = [\"telegram:{}\"]   # the first user of the list{}",
                owner.id,
                remark(&owner.note)
            );
        }
    }
    for user in access.users.iter().skip(1) {
        let _ = write!(
            text,
            "\n[[access.grant]]\nwho = \"telegram:{}\"{}\nrole = \"operator\"   # could reset peaks\n",
            user.id,
            note(&user.note)
        );
    }
    if let Some(group) = &access.group {
        let _ = write!(
            text,
            "\n[[access.grant]]\nwho = \"telegram-chat:{}\"{}\nrole = \"operator\"   # everyone who speaks in the group could reset peaks\n",
            group.id,
            note(&group.note)
        );
    }
    let to = access.group.as_ref().or(access.users.first());
    let to: Vec<String> = to
        .iter()
        .map(|person| format!("\"telegram:{}\"", person.id))
        .collect();
    let _ = write!(text, "\n[notify]\nto = [{}]\n", to.join(", "));
}

fn note(note: &str) -> String {
    match note {
        "" => String::new(),
        note => format!("   # {note}"),
    }
}

fn remark(note: &str) -> String {
    match note {
        "" => String::new(),
        note => format!(": {note}"),
    }
}

fn notes(text: &mut String, notes: &[String]) {
    for note in notes.iter().filter(|note| !note.is_empty()) {
        let _ = writeln!(text, "# {note}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::config::{Config, Environment, SecretFile, parse};
    use rackwarden_core::plugins::PLUGINS;
    use rackwarden_core::plugins::power;
    use rackwarden_core::secret::Secret;

    const ACCESS: &str = "# who may\n-1001234 the rack group\n424242424 Anna\n133742241\n133742241 again\n\nnobody\n";
    const PDUS: &str = "101,alpha,Team Alpha\n102,bravo,Team Alpha\r\n103,charlie\n";

    fn imported(access: &str, pdus: &str) -> (String, Config) {
        let mut problems = Vec::new();
        let access = access_list(access, "a", &mut problems);
        let pdus = self::pdus(pdus, "p", &mut problems);
        assert_eq!(problems, Vec::<String>::new());
        let text = toml(&access, &pdus);
        let mut env = Environment::bare();
        env.read_file = Box::new(|_| {
            Ok(SecretFile {
                content: Secret::new("1:token".to_owned()),
                is_exposed: false,
            })
        });
        let config = parse::parse(&text, "imported.toml", &env, PLUGINS);
        (
            text.clone(),
            config.unwrap_or_else(|errors| panic!("{errors:?}\n{text}")),
        )
    }

    #[test]
    fn people_and_pdus_arrive() {
        let (text, config) = imported(ACCESS, PDUS);
        assert_eq!(config.access.owners.len(), 1);
        assert_eq!(config.access.owners[0].to_string(), "telegram:424242424");
        let who: Vec<String> = config
            .access
            .grants
            .iter()
            .map(|grant| grant.who.to_string())
            .collect();
        assert_eq!(who, ["telegram:133742241", "telegram-chat:-1001234"]);
        assert_eq!(config.notify.to[0].to_string(), "telegram:-1001234");
        let names: Vec<&str> = power::settings(&config)
            .pdus
            .iter()
            .map(|pdu| &*pdu.name)
            .collect();
        assert_eq!(names, ["alpha", "bravo", "charlie"]);
        assert_eq!(power::settings(&config).teams.len(), 1);
        assert_eq!(power::settings(&config).teams[0].members, [0, 1]);
        assert!(text.contains("192.168.1.103"));
        for note in ["who may", "the rack group", "Anna", "nobody"] {
            assert!(text.contains(note), "{note}");
        }
    }

    #[test]
    fn a_list_without_a_group_stays_without_one() {
        let (_, config) = imported("7 Bob\n8\n", "101,a\n");
        assert_eq!(config.access.owners[0].to_string(), "telegram:7");
        assert_eq!(config.notify.to[0].to_string(), "telegram:7");
    }

    #[test]
    fn names_that_repeat_are_a_team_told_apart_by_address() {
        let (_, config) = imported(
            "7\n",
            "101,North\n102,North\n103,South,South\n10.0.0.9,West\n",
        );
        let names: Vec<&str> = power::settings(&config)
            .pdus
            .iter()
            .map(|pdu| &*pdu.name)
            .collect();
        assert_eq!(names, ["North .101", "North .102", "South .103", "West"]);
        let teams: Vec<&str> = power::settings(&config)
            .teams
            .iter()
            .map(|team| &*team.name)
            .collect();
        assert_eq!(teams, ["North", "South"]);
    }

    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        let (_, config) = imported("7 x\"]\u{1b} # y\n", "101,a\\\"b [[pdu]]\n");
        assert_eq!(&*power::settings(&config).pdus[0].name, "a\\\"b [[pdu]]");
    }

    #[test]
    fn every_line_that_cannot_be_read_is_reported_with_its_number() {
        let mut problems = Vec::new();
        access_list(
            "0\n-5\n-6\n99999999999999999999 x\n",
            "access",
            &mut problems,
        );
        pdus(
            "abc,x\n300,y\n101\n101,a,b,c\n102,ok\n102,twice\n",
            "ips",
            &mut problems,
        );
        let places: Vec<&str> = problems
            .iter()
            .map(|problem| problem.split(": ").next().unwrap_or(""))
            .collect();
        let want = [
            "access:1", "access:3", "access:4", "ips:1", "ips:2", "ips:3", "ips:4", "ips:6",
        ];
        assert_eq!(places, want);
    }
}
