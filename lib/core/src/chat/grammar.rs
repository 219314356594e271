//! Reads a command line: `/current@bot "Team Alpha" csv`. One grammar for every transport.
//! It knows nothing of rights and of what arguments mean.

use super::Spec;
use crate::config::suggest::distance;

/// What a transport allows in a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules<'a> {
    /// The bot's own name, for `/current@name`.
    pub bot_name: Option<&'a str>,
    /// In groups only what starts with a slash is meant for us.
    pub needs_slash: bool,
}

/// What a line says.
#[derive(Clone, Debug)]
pub enum Reading {
    /// A command and its arguments.
    Command {
        /// Which.
        spec: &'static Spec,
        /// Arguments, quotes resolved.
        args: Vec<String>,
    },
    /// It was meant as a command, but none has this name.
    Unknown {
        /// The word as typed, at most 40 characters of it.
        word: String,
        /// The command that is spelled most like it.
        nearest: Option<&'static str>,
    },
    /// More than one command starts like this.
    Ambiguous {
        /// The word as typed.
        word: String,
        /// The commands.
        candidates: Vec<&'static str>,
    },
    /// Words that are no command, in a place where everything is meant for us.
    Talk,
    /// Not meant for us.
    NotForUs,
}

/// Longest line that is read; what follows is cut off.
const MAX_LINE: usize = 4096;
/// Arguments beyond this many are joined to the last one.
const MAX_ARGS: usize = 32;

/// Reads a line.
pub fn read(line: &str, specs: &[&'static Spec], rules: Rules<'_>) -> Reading {
    let line = cut(line.trim(), MAX_LINE);
    let (has_slash, rest) = match line.strip_prefix('/') {
        Some(rest) => (true, rest),
        None if rules.needs_slash => return Reading::NotForUs,
        None => (false, line),
    };
    let (head, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (name, bot) = match head.split_once('@') {
        Some((name, bot)) => (name, Some(bot)),
        None => (head, None),
    };
    let is_ours = bot.is_none_or(|bot| {
        rules
            .bot_name
            .is_some_and(|own| own.eq_ignore_ascii_case(bot))
    });
    if !is_ours {
        return Reading::NotForUs;
    }
    let candidates = candidates(name, specs);
    match (candidates.as_slice(), has_slash) {
        ([spec], _) => Reading::Command {
            spec,
            args: split(tail),
        },
        ([], true) => Reading::Unknown {
            word: cut(name, 40).to_owned(),
            nearest: nearest(name, specs),
        },
        ([], false) => Reading::Talk,
        (several, true) => Reading::Ambiguous {
            word: cut(name, 40).to_owned(),
            candidates: several.iter().map(|spec| spec.name).collect(),
        },
        (_, false) => Reading::Talk,
    }
}

/// Splits arguments at white space; single, double and typographic double quotes keep words together. A quote
/// that nobody closes reaches to the end. An apostrophe within a word is a letter.
pub fn split(text: &str) -> Vec<String> {
    let mut args = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let closing = match first {
            '"' | '\'' => Some(first),
            '“' | '„' => Some('”'),
            _ => None,
        };
        let (word, after) = match closing {
            Some(closing) => {
                let inner = &rest[first.len_utf8()..];
                let is_end = |ch: char| ch == closing || (first == '„' && ch == '“');
                inner.split_once(is_end).unwrap_or((inner, ""))
            }
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        if args.len() == MAX_ARGS - 1 && !after.trim().is_empty() {
            args.push(rest.trim_end().to_owned());
            break;
        }
        args.push(word.to_owned());
        rest = after.trim_start();
    }
    args
}

/// Writes arguments so that `split` reads them back.
pub fn quote(arg: &str) -> String {
    let is_plain = !arg.is_empty()
        && !arg.contains(char::is_whitespace)
        && !arg.starts_with(['"', '\'', '“', '„']);
    if is_plain {
        arg.to_owned()
    } else if arg.contains('"') {
        format!("'{arg}'")
    } else {
        format!("\"{arg}\"")
    }
}

fn candidates(name: &str, specs: &[&'static Spec]) -> Vec<&'static Spec> {
    if name.is_empty() {
        return Vec::new();
    }
    let name = name.to_ascii_lowercase();
    if let Some(exact) = specs.iter().find(|spec| spec.name == name) {
        return vec![exact];
    }
    specs
        .iter()
        .copied()
        .filter(|spec| spec.name.starts_with(&name))
        .collect()
}

/// The command with the smallest edit distance, when it is small enough to be meant.
fn nearest(name: &str, specs: &[&'static Spec]) -> Option<&'static str> {
    let name = cut(name, 32).to_lowercase();
    specs
        .iter()
        .map(|spec| (distance(&name, spec.name), spec.name))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// At most `bytes` of a text, cut at a character.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Role;

    const fn spec(name: &'static str) -> Spec {
        Spec {
            name,
            usage: "",
            help: "",
            example: "",
            role: Role::Viewer,
            action: None,
            arg: None,
            changes_state: false,
        }
    }

    static SPECS: [Spec; 5] = [
        spec("current"),
        spec("reset"),
        spec("revoke"),
        spec("status"),
        spec("start"),
    ];

    fn say(line: &str, needs_slash: bool) -> String {
        let specs: Vec<&'static Spec> = SPECS.iter().collect();
        let rules = Rules {
            bot_name: Some("RackBot"),
            needs_slash,
        };
        match read(line, &specs, rules) {
            Reading::Command { spec, args } => format!("{} {}", spec.name, args.join("|")),
            Reading::Unknown { word, nearest } => format!("unknown {word} {nearest:?}"),
            Reading::Ambiguous { candidates, .. } => format!("ambiguous {candidates:?}"),
            Reading::Talk => "talk".into(),
            Reading::NotForUs => "not for us".into(),
        }
    }

    #[test]
    fn a_line_is_read_as_people_write_it() {
        for (rule, line, want) in [
            ("plain", "/current", "current "),
            (
                "name_of_the_bot_is_ours",
                "/current@rackbot alpha",
                "current alpha",
            ),
            ("another_bot_is_not", "/current@other", "not for us"),
            ("unique_prefix", "/c  a  b ", "current a|b"),
            ("case_does_not_matter", "/CUR", "current "),
            (
                "quotes_keep_words_together",
                "/cur \"Team Alpha\" 'x y' z",
                "current Team Alpha|x y|z",
            ),
            (
                "typographic_quotes_too",
                "/cur “Team Alpha” z",
                "current Team Alpha|z",
            ),
            (
                "an_open_quote_reaches_to_the_end",
                "/cur \"Team Alpha",
                "current Team Alpha",
            ),
            (
                "two_names_are_ambiguous",
                "/re",
                "ambiguous [\"reset\", \"revoke\"]",
            ),
            ("exact_before_prefix", "/start", "start "),
            (
                "the_nearest_is_named",
                "/curent",
                "unknown curent Some(\"current\")",
            ),
            (
                "swapped_letters_are_near",
                "/rseet",
                "unknown rseet Some(\"reset\")",
            ),
            ("nothing_near", "/xyzzy", "unknown xyzzy None"),
            ("slash_alone", "/", "unknown  None"),
            (
                "without_a_slash_where_all_is_ours",
                "current alpha",
                "current alpha",
            ),
            ("talk_is_no_command", "good morning", "talk"),
        ] {
            assert_eq!(say(line, false), want, "{rule}");
        }
        assert_eq!(say("current", true), "not for us");
    }

    #[test]
    fn quoted_arguments_read_back() {
        for arg in ["alpha", "Team Alpha", "", "it's", "say \"x\" y", "\"q"] {
            assert_eq!(split(&quote(arg)), [arg]);
        }
    }

    #[test]
    fn random_lines_never_panic_and_stay_bounded() {
        let mut rng = crate::rng::Rng::new(1);
        let alphabet: Vec<char> = "/@ \"'“”„ \n\tcurent😀\u{0}é".chars().collect();
        for _ in 0..20_000 {
            let length = rng.below(60);
            let line: String = (0..length)
                .map(|_| alphabet[rng.below(alphabet.len() as u64) as usize])
                .collect();
            say(&line, rng.below(2) == 0);
        }
        assert!(split(&"a ".repeat(1000)).len() <= MAX_ARGS);
    }
}
