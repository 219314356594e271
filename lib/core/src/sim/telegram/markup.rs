//! Telegram's HTML: what is left of a text when the markup is read, and the refusals of its parser.

use super::refused;
use serde_json::Value;

type Refusal = (u16, String, Value);

/// Tags without attributes that the parser knows.
const TAGS: [&str; 14] = [
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "code",
    "pre",
    "blockquote",
    "tg-spoiler",
    "a",
];

/// The text of a field without its markup; a refusal where the real parser has one.
pub(super) fn text(parameters: &Value, field: &str) -> Result<String, Refusal> {
    let text = parameters[field].as_str().unwrap_or_default();
    match parameters["parse_mode"].as_str() {
        None => Ok(text.to_owned()),
        Some(mode) if mode.eq_ignore_ascii_case("html") => read(text),
        Some(_) => refused(400, "Bad Request: unsupported parse_mode"),
    }
}

fn read(text: &str) -> Result<String, Refusal> {
    let bad = |why: String| refused(400, format!("Bad Request: can't parse entities: {why}"));
    let (mut out, mut open, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        let offset = text.len() - rest.len() + at;
        rest = &rest[at..];
        if rest.starts_with('&') {
            let (ch, length) = entity(rest).unwrap_or(('&', 1));
            out.push(ch);
            rest = &rest[length..];
            continue;
        }
        let Some((tag, tail)) = rest[1..].split_once('>') else {
            return bad(format!("Unclosed start tag at byte offset {offset}"));
        };
        rest = tail;
        match tag.strip_prefix('/') {
            Some(name) => match open.pop() {
                Some(own) if own == name || name.is_empty() => {}
                Some(own) => {
                    return bad(format!(
                        "Unmatched end tag at byte offset {offset}, expected \"</{own}>\", found \"</{name}>\""
                    ));
                }
                None => return bad(format!("Unexpected end tag at byte offset {offset}")),
            },
            None if TAGS.contains(&tag) => open.push(tag),
            None => {
                let name = tag.split_whitespace().next().unwrap_or_default();
                return bad(format!(
                    "Unsupported start tag \"{name}\" at byte offset {offset}"
                ));
            }
        }
    }
    if let Some(tag) = open.pop() {
        return bad(format!(
            "Can't find end tag corresponding to start tag \"{tag}\""
        ));
    }
    out.push_str(rest);
    Ok(out)
}

/// The character of an entity and how long its name is; what is none stands for itself.
fn entity(text: &str) -> Option<(char, usize)> {
    let (name, _) = text.get(1..)?.split_once(';')?;
    let ch = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|ch| *ch != '\0')?
        }
    };
    Some((ch, name.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_read_or_refused_with_the_place_of_the_fault() {
        for (given, want) in [
            (
                "a &lt;b&gt; &amp; &#39;c&#x41; &nope; &",
                "a <b> & 'cA &nope; &",
            ),
            ("<b>x <i>y</i></b>", "x y"),
            ("a > b", "a > b"),
        ] {
            assert_eq!(read(given).as_deref(), Ok(want));
        }
        for (given, why) in [
            ("a <b", "Unclosed start tag at byte offset 2"),
            ("é <x>", "Unsupported start tag \"x\" at byte offset 3"),
            ("</b>", "Unexpected end tag at byte offset 0"),
            (
                "<b>x</i>",
                "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\"",
            ),
            (
                "<b>x",
                "Can't find end tag corresponding to start tag \"b\"",
            ),
        ] {
            let refusal = read(given).expect_err(given);
            assert_eq!(refusal.0, 400);
            assert!(refusal.1.ends_with(why), "{given}: {}", refusal.1);
        }
    }
}
