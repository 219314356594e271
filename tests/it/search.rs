//! Looks for secrets in everything that leaves a program, also where they are split, dumped or encoded.

/// So many characters of a secret in a row are a leak.
const PIECE: usize = 8;

/// The encodings in which the pieces of one secret are looked for.
pub(crate) struct Needles {
    plain: Vec<String>,
    hex: Vec<String>,
    decimal: Vec<String>,
    base64: Vec<String>,
}

impl Needles {
    /// # Panics
    /// Panics when the secret is shorter than a piece, or not ASCII.
    pub(crate) fn of(secret: &str) -> Needles {
        assert!(secret.is_ascii() && secret.len() >= PIECE, "{secret}");
        let pieces = || secret.as_bytes().windows(PIECE);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let join = |bytes: &[u8], one: fn(&u8) -> String, between: &str| {
            bytes.iter().map(one).collect::<Vec<_>>().join(between)
        };
        Needles {
            plain: pieces().map(text).collect(),
            hex: pieces()
                .map(|piece| join(piece, |byte| format!("{byte:02x}"), ""))
                .collect(),
            decimal: pieces()
                .map(|piece| join(piece, u8::to_string, ","))
                .collect(),
            base64: pieces()
                .flat_map(|piece| (0..3).map(move |before| base64_inside(piece, before)))
                .collect(),
        }
    }

    /// The name of the first encoding in which a piece is there.
    pub(crate) fn found_in(&self, texts: &Readings) -> Option<&'static str> {
        let ways = [
            ("as it is", &texts.raw, &self.plain),
            (
                "without blanks and line breaks",
                &texts.squeezed,
                &self.plain,
            ),
            ("percent-decoded", &texts.unescaped, &self.plain),
            ("hexadecimal", &texts.hex, &self.hex),
            ("a hex dump", &texts.dump, &self.hex),
            ("a list of numbers", &texts.squeezed, &self.decimal),
            ("base64", &texts.squeezed, &self.base64),
            ("base64 for URLs", &texts.url, &self.base64),
        ];
        let is_there =
            |text: &str, pieces: &[String]| pieces.iter().any(|piece| text.contains(piece));
        ways.into_iter()
            .find(|(_, text, pieces)| is_there(text, pieces))
            .map(|(name, ..)| name)
    }
}

/// A text in all the ways in which it is read.
pub(crate) struct Readings {
    raw: String,
    squeezed: String,
    unescaped: String,
    hex: String,
    dump: String,
    url: String,
}

impl Readings {
    pub(crate) fn of(bytes: &[u8]) -> Readings {
        let raw = String::from_utf8_lossy(bytes).into_owned();
        let squeezed: String = raw.chars().filter(|ch| !ch.is_whitespace()).collect();
        let lower = squeezed.to_ascii_lowercase();
        let hex = lower.replace("0x", "").replace("\\x", "");
        Readings {
            unescaped: unescape(&squeezed),
            hex: hex.replace([':', ',', '-', '[', ']'], ""),
            dump: dump(&raw.to_ascii_lowercase()),
            url: squeezed.replace('-', "+").replace('_', "/"),
            raw,
            squeezed,
        }
    }
}

/// The base64 of some bytes behind others, without the characters that the neighbours decide on.
fn base64_inside(bytes: &[u8], before: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padded = [&vec![0; before], bytes].concat();
    let bit = |at: usize| padded[at / 8] >> (7 - at % 8) & 1;
    let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    let digit = |at: usize| (at * 6..at * 6 + 6).fold(0, |sum, at| sum << 1 | usize::from(bit(at)));
    (first..end)
        .map(|at| char::from(DIGITS[digit(at)]))
        .collect()
}

/// `%41` and `\u0041` become `A`.
fn unescape(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['%', '\\']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let begin = if rest.starts_with("\\u") { 2 } else { 1 };
        let end = if begin == 2 { 6 } else { 3 };
        let digits = rest.get(begin..end).filter(|_| !rest.starts_with("\\\\"));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(ch) => {
                plain.push(ch);
                rest = &rest[end..];
            }
            None => {
                plain.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    plain + rest
}

/// The groups of a hex dump, of one or two bytes each, without its offsets and its column of text.
fn dump(text: &str) -> String {
    let is_group = |word: &&str| {
        matches!(word.len(), 2 | 4) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    text.split_whitespace().filter(is_group).collect()
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    let secret = "Qz7tWk3vXp9LmRbY";
    let needles = Needles::of(secret);
    let cases = [
        ("as it is", "GET /bot999:Qz7tWk3vXp9LmRbY/getMe"),
        ("as it is", "only a part: 3vXp9LmR …"),
        (
            "without blanks and line breaks",
            "Qz7t Wk3v\nXp9L\r\n\tmRbY",
        ),
        ("percent-decoded", "%51z7tWk%33vX%70%39LmRb%59"),
        (
            "percent-decoded",
            r"\\x 100 % \u0051z7tWk\u0033vXp\u0039LmRbY",
        ),
        ("hexadecimal", "key=517A3774576B3376587039\n4c6d526259"),
        ("hexadecimal", "51:7a:37:74:57:6b:33:76:58:70:39:4c"),
        ("hexadecimal", r"\x51\x7a\x37\x74\x57\x6b\x33\x76\x58"),
        (
            "hexadecimal",
            "[0x51, 0x7a, 0x37, 0x74, 0x57, 0x6b, 0x33, 0x76]",
        ),
        (
            "a hex dump",
            "00000000: 7451 7a37 7457  tQz.tW\n00000006: 6b33 7658 7039  k3.Xp9\n",
        ),
        (
            "a hex dump",
            "00000000  51 7a 37 74 57 6b  |Qz7.Wk|\n00000006  33 76 58 70 39 4c  |3vX.9L|\n",
        ),
        (
            "a list of numbers",
            "[81, 122, 55, 116, 87, 107, 51, 118, 88]",
        ),
        // In three positions: at the begin, behind one byte, behind two.
        ("base64", "UXo3dFdrM3ZYcDlMbVJiWQ=="),
        ("base64", "AFF6N3RXazN2WHA5\r\nTG1SYlk="),
        ("base64", "AABRejd0V2szdlhwOUxtUmJZ"),
    ];
    for (way, text) in cases {
        let found = needles.found_in(&Readings::of(text.as_bytes()));
        assert_eq!(found, Some(way), "{text}");
    }
    // 0xfb and 0xff make the digits that differ.
    let odd = Needles::of("a>?b>?c>?d>?");
    let url = Readings::of(b"YT4_Yj4_Yz4_ZD4_");
    assert_eq!(odd.found_in(&url), Some("base64 for URLs"));
    for text in [
        "",
        "Qz7tWk3",
        "Wk3vXp9 is 7 long: vXp9Lm?",
        "UXo3dFdr",
        "517a3774576b33",
    ] {
        assert_eq!(
            needles.found_in(&Readings::of(text.as_bytes())),
            None,
            "{text}"
        );
    }
}
