//! Several alerts by their numbers: `#3 #5-9`, as buttons under a message about several write them.

use std::ops::RangeInclusive;

/// Numbers as words, those in a row as `#5-9`.
pub(crate) fn written(mut numbers: Vec<u32>) -> String {
    crate::small::sort_by_key(&mut numbers, |number| *number);
    let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(last) if *last.end() + 1 == number => *last = *last.start()..=number,
            Some(last) if *last.end() == number => {}
            _ => ranges.push(number..=number),
        }
    }
    let words = ranges.iter().map(|range| match range {
        one if one.start() == one.end() => format!("#{}", one.start()),
        several => format!("#{}-{}", several.start(), several.end()),
    });
    words.collect::<Vec<String>>().join(" ")
}

/// The numbers that a word stands for: `#3` or `#5-9`.
pub(crate) fn read(word: &str) -> Option<RangeInclusive<u32>> {
    let word = word.strip_prefix('#')?;
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// How many words at the beginning of these arguments are numbers, when they stand for more than one; else 0.
pub(crate) fn several(args: &[String]) -> usize {
    let count = args.iter().take_while(|arg| read(arg).is_some()).count();
    let is_range = |arg: &String| arg.contains('-');
    match &args[..count] {
        [one] if !is_range(one) => 0,
        words => words.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_one_word_and_read_back() {
        for (numbers, want) in [
            (vec![3], "#3"),
            (vec![5, 3, 4], "#3-5"),
            (vec![1, 3, 4, 9, 9], "#1 #3-4 #9"),
            (vec![], ""),
        ] {
            assert_eq!(written(numbers), want);
        }
        assert_eq!(read("#3-5"), Some(3..=5));
        for word in ["3", "#", "#x", "#3-", "#-3", "alpha", "#99999999999"] {
            assert_eq!(read(word), None, "{word}");
        }
        for (line, want) in [
            ("#3", 0),
            ("#3 1h", 0),
            ("#3-5 1h", 1),
            ("#3 #4 1h", 2),
            ("a #4", 0),
            ("", 0),
        ] {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(several(&args), want, "{line}");
        }
    }
}
