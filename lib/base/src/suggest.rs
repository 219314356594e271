//! The nearest known word to one that is not known: for keys, commands and options.

/// The candidate with the smallest edit distance to `word`, if any is near enough to be meant. Case is ignored.
/// Ties go to the first candidate.
///
/// # Examples
/// ```
/// use rackwarden_base::suggest::nearest;
/// assert_eq!(nearest("adress", ["name", "address"]), Some("address"));
/// assert_eq!(nearest("xyzzy", ["name", "address"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.to_lowercase().chars().take(MAX_LENGTH).collect();
    let length = word.chars().count();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: String = candidate.to_lowercase().chars().take(MAX_LENGTH).collect();
        let letters_length = letters.chars().count();
        let distance = distance(&word, &letters);
        let allowed = 1 + length.min(letters_length) / 3;
        let is_start = length >= 3 && letters.starts_with(&word);
        let is_near = is_start || (distance <= allowed && distance < letters_length);
        let is_nearer = best.is_none_or(|(nearest, _)| distance < nearest);
        if is_near && is_nearer {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Longer words are compared by their beginning.
const MAX_LENGTH: usize = 64;

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let width = b.len() + 1;
    let mut before_last = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let substituted = last[j] + usize::from(x != y);
            let mut cost = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row[j + 1] = cost;
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_strangers_are_not() {
        let words = ["interval", "timeout", "retries", "limit", "clear"];
        for (word, want) in [
            ("intervall", Some("interval")),
            ("Timeout", Some("timeout")),
            ("tiemout", Some("timeout")),
            ("retrys", Some("retries")),
            ("limits", Some("limit")),
            ("int", Some("interval")),
            ("xyzzy", None),
            ("", None),
            ("q", None),
        ] {
            assert_eq!(nearest(word, words), want, "{word}");
        }
    }

    #[test]
    fn distances_are_symmetric_and_bounded_by_length() {
        for (a, b, want) in [("", "abc", 3), ("abc", "acb", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), want);
            assert_eq!(distance(b, a), want);
        }
    }
}
