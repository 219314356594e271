//! Cuts a long text into pages at line ends. A page never ends inside a character, or between a character and
//! the marks that belong to it; markup is closed and opened again by the spans themselves.

use crate::text::Text;

/// Splits `text` into pages of at most `limit` UTF-16 units.
pub(super) fn pages(text: &Text, limit: usize) -> Vec<Text> {
    if text.utf16_len() <= limit {
        return vec![text.clone()];
    }
    let mut pages = vec![Text::new()];
    let mut room = limit;
    for span in text.spans() {
        for line in span.text.split_inclusive('\n') {
            let mut rest = line;
            if units(rest) > room && units(rest) <= limit && room < limit {
                pages.push(Text::new());
                room = limit;
            }
            while !rest.is_empty() {
                if room == 0 {
                    pages.push(Text::new());
                    room = limit;
                }
                let (piece, after) = rest.split_at(fitting(rest, room, room == limit));
                if piece.is_empty() {
                    pages.push(Text::new());
                    room = limit;
                    continue;
                }
                if let Some(page) = pages.last_mut() {
                    page.push(span.style, piece);
                }
                room -= units(piece);
                rest = after;
            }
        }
    }
    pages.retain(|page| !page.to_plain().trim().is_empty());
    pages
}

/// How many bytes of `text` fit into `room` units: whole characters with their marks, and if there is a space
/// in the second half, up to that. On a fresh page at least one character is taken.
fn fitting(text: &str, room: usize, is_fresh: bool) -> usize {
    let mut used = 0;
    let mut cluster_end = 0;
    let mut last_space = 0;
    let mut hard_end = 0;
    let mut joins_next = false;
    for (at, ch) in text.char_indices() {
        if !joins_next && !is_mark(ch) {
            cluster_end = at;
        }
        // What follows a joiner belongs to it, and the second half of a flag to the first.
        joins_next = ch == '\u{200d}' || (is_flag(ch) && !joins_next);
        if used + ch.len_utf16() > room {
            let end = if last_space > cluster_end / 2 {
                last_space
            } else {
                cluster_end
            };
            // A run of marks longer than a page is cut where it must be.
            return if end == 0 && is_fresh { hard_end } else { end };
        }
        used += ch.len_utf16();
        hard_end = at + ch.len_utf8();
        if ch == ' ' {
            last_space = hard_end;
        }
    }
    text.len()
}

/// Combining marks, joiners, variation selectors and skin tones belong to the character before.
fn is_mark(ch: char) -> bool {
    matches!(ch, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

fn is_flag(ch: char) -> bool {
    matches!(ch, '\u{1f1e6}'..='\u{1f1ff}')
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::text::Style;

    #[test]
    fn a_text_at_the_limit_is_one_page_and_beyond_it_is_cut_at_a_line() {
        let at = Text::from("x".repeat(4096));
        assert_eq!(pages(&at, 4096).len(), 1);
        let lines = Text::from("0123456789\n".repeat(1000));
        let cut = pages(&lines, 4096);
        assert!(cut.iter().all(|page| page.to_plain().ends_with('\n')));
        let joined: String = cut.iter().map(Text::to_plain).collect();
        assert_eq!(joined, lines.to_plain());
    }

    #[test]
    fn pairs_and_clusters_stay_whole() {
        for (rule, cluster) in [
            ("surrogate_pair", "😀"),
            ("combining_mark", "e\u{301}"),
            ("skin_tone", "👍\u{1f3fd}"),
            ("family", "👨\u{200d}👩\u{200d}👧"),
            ("flag", "🇩🇪"),
        ] {
            let text = Text::from(cluster.repeat(700));
            for limit in [97, 98, 99, 100] {
                for page in pages(&text, limit) {
                    assert!(page.utf16_len() <= limit, "{rule}");
                    let length = page.to_plain().len();
                    assert_eq!(length % cluster.len(), 0, "{rule} at {limit}");
                }
            }
        }
    }

    #[test]
    fn any_text_is_kept_within_the_limit() {
        let mut rng = Rng::new(5);
        let letters: Vec<char> = "ab \n😀e\u{301}\u{200d}🇩<&".chars().collect();
        for _ in 0..500 {
            let mut text = Text::new();
            for _ in 0..rng.below(8) {
                let piece: String = (0..rng.below(80))
                    .map(|_| letters[rng.below(letters.len() as u64) as usize])
                    .collect();
                let style = [Style::Plain, Style::Bold, Style::Pre][rng.below(3) as usize];
                text.push(style, piece);
            }
            let squeezed = |text: String| text.replace([' ', '\n'], "");
            let cut = pages(&text, 40);
            assert!(cut.iter().all(|page| page.utf16_len() <= 40));
            let joined: String = cut.iter().map(|page| squeezed(page.to_plain())).collect();
            assert_eq!(joined, squeezed(text.to_plain()));
        }
    }
}
