//! The letters of charts: strokes of one pen, drawn for this purpose, so that no machine needs a font and any size
//! is as sharp as the next. What is not among them is written in letters that are, else as a box.

use super::words::cut_middle;

/// Strokes, as they stand in `GLYPHS`, are laid on a grid of these units: the baseline is 4, small letters reach 14,
/// capitals 18.
const BASELINE: f32 = 4.0;
/// Height of capitals in grid units, and as a share of the em.
const CAPITAL: f32 = 14.0;
const CAPITAL_EM: f32 = 0.72;
/// The grid is a little narrower than it is high.
const NARROW: f32 = 0.90;
/// Space after each glyph, in grid units; between words there is more.
const BEARING: f32 = 3.4;
const SPACE: f32 = 5.5;
/// Digits are equally wide, so that columns of numbers stand.
const DIGIT: f32 = 8.0;
/// Straight pieces that a curve is drawn as.
const PIECES: usize = 5;

/// From `!` to `~` in the order of ASCII. A stroke is a run of points, each two digits of base 36 (x, y); `'` before a
/// point makes it the control point of a quadratic curve, and between two of those lies a point of the curve itself.
/// A space ends a stroke.
const GLYPHS: [&str; 94] = [
    "0i09 0405",
    "0i0e 3i3e",
    "3h15 7h55 1d8d 0979",
    "8f'8i4i'0i'0b4b'8b'8444'0407 4k42",
    "9i24 2i'4i'4d'0d'0i2i 99'b9'b4'74'7999",
    "942e'2i4i'6i6f'6c2a'0907'0434'6499",
    "0i0e",
    "3k'0g0b'0632",
    "0k'3g3b'3602",
    "3i3c 0h6d 6h0d",
    "4d45 0989",
    "1402",
    "0959",
    "0405",
    "026k",
    "4i'8i'84'04'0i4i",
    "1f4i44",
    "0e'0i4i'8i8e'8c590484",
    "0f'0i4i'7i7f'7b3b4b'8b87'8444'0407",
    "646i0888",
    "7i1i0b'2d4d'8d88'8444'0407",
    "6i'0g09 4d'8d'84'04'0d4d",
    "0i8i34",
    "4i'7i'7b'1b'1i4i 4b'8b'84'04'0b4b",
    "4i'8i'89'09'0i4i 8d'8624",
    "0405 0c0d",
    "1c1d 1402",
    "7e0974",
    "0b8b 0787",
    "0e7904",
    "0f'0i3i'7i7e'7b3a38 3435",
    "6c'8c'88'48'4c6c 8d88'88a8'c8cb'ci6i'0i0b'0464",
    "045ia4 2989",
    "040i4i'7i'7b4b0b 4b'8b'844404",
    "9f'9i5i'0i'0454'9497",
    "040i4i'9i'944404",
    "8i0i0484 0b7b",
    "8i0i04 0b7b",
    "9f'9i5i'0i'0454'949a5a",
    "040i 949i 0b9b",
    "040i",
    "6i68'6434'0407",
    "040i 8i0a 3d84",
    "0i0474",
    "040i58aia4",
    "040i949i",
    "5i'ai'a4'04'0i5i",
    "040i4i'8i'8a4a0a",
    "5i'ai'a4'04'0i5i 67a3",
    "040i4i'8i'8a4a0a 4a84",
    "8f'8i4i'0i'0b4b'8b'8444'0407",
    "0i8i 4i44",
    "0i09'0444'84898i",
    "0i54ai",
    "0i346g94ci",
    "0i84 048i",
    "0i4b8i 4b44",
    "0i8i0484",
    "3k0k0232",
    "0k61",
    "0k3k3202",
    "0d4i8d",
    "0282",
    "0i2g",
    "0c'0e4e'7e7b74 7a3a'0a'0434'7478",
    "0i04 4e'8e'84'04'0e4e",
    "7c'7e4e'0e'0444'7476",
    "8i84 4e'8e'84'04'0e4e",
    "0989'8e4e'0e'0444'7476",
    "5i'2i2f24 0e5e",
    "8e83'8040'1011 4e'8e'84'04'0e4e",
    "0i04 0a'0e4e'8e8a84",
    "0e04 0h0i",
    "2e22'2000 2h2i",
    "0i04 7e08 2a74",
    "0i06'0424",
    "0e04 0a'0e3e'6e6a64 6a'6e9e'cecac4",
    "0e04 0a'0e4e'8e8a84",
    "4e'8e'84'04'0e4e",
    "0e00 4e'8e'84'04'0e4e",
    "8e80 4e'8e'84'04'0e4e",
    "0e04 0a'0e5e",
    "6c'6e3e'0e'0939'79'7434'0406",
    "2h27'2454 0e5e",
    "0e08'0444'8488 8e84",
    "0e448e",
    "0e346d94ce",
    "0e74 047e",
    "0e44 8e20",
    "0e7e0474",
    "4k'2k2g'2b0b'2b26'2242",
    "0k01",
    "0k'2k2g'2b4b'2b26'2202",
    "08'0b2b'3b49'5767'8789",
];

/// Further characters, in the same way.
const MORE: &[(char, &str)] = &[
    ('°', "2i'4i'4e'0e'0i2i"),
    ('µ', "0e08'0444'8488 8e84 0800"),
    ('ß', "040f'0i3i'7i'7b3b'8b'8434"),
    ('≥', "0g7c08 0474"),
    ('≤', "7g0c78 0474"),
    ('±', "4g48 0c8c 0484"),
    ('−', "0989"),
    ('–', "0989"),
    ('—', "09c9"),
    ('·', "090a"),
    ('×', "0c65 650c 056c"),
    ('→', "0999 6c9966"),
    ('▲', "045ea404"),
    ('▼', "0e54ae0e"),
    ('…', "0405 4445 8485"),
    (
        'æ',
        "0c'0e3e'6e6b64 6a3a'0a'0434'6468 69c9'ce9e'6e69'6494'c4c6",
    ),
    ('ø', "4e'8e'84'04'0e4e 038f"),
    ('Ø', "5i'ai'a4'04'0i5i 13ak"),
];
/// Accents above a small letter, drawn around the middle x = 4.
const ACCENTS: &[(char, &str)] = &[
    ('\'', "3g5i"),
    ('`', "3i5g"),
    ('^', "2g4i6g"),
    ('~', "1g'1h3h'4h5g'6g7h"),
    (':', "2h2i 6h6i"),
    ('o', "4g'5g'5j'3j'3g4g"),
    (',', "44'5242'4023"),
];
/// Letters with accents: the letter, the base and the accent.
const ACCENTED: &str = "ÀA`ÁA'ÂA^ÃA~ÄA:ÅAoÇC,ÈE`ÉE'ÊE^ËE:ÌI`ÍI'ÎI^ÏI:ÑN~ÒO`ÓO'ÔO^ÕO~ÖO:ÙU`ÚU'ÛU^ÜU:ÝY'\
    àa`áa'âa^ãa~äa:åaoçc,èe`ée'êe^ëe:ìi`íi'îi^ïi:ñn~òo`óo'ôo^õo~öo:ùu`úu'ûu^üu:ýy'ÿy:\
    čc^šs^žz^řr^ěe^ůuoćc'śs'źz'ńn'ğg^şs,țt,ČC^ŠS^ŽZ^ŘR^ŚS'ŁL'łl'";
/// What is written in other letters.
const SPELT: &[(&str, &str)] = &[
    ("\u{a0}\u{202f}\u{2009}", " "),
    ("‘’′", "'"),
    ("“”„″«»", "\""),
    ("•", "·"),
    ("‐‑", "-"),
    ("Æ", "AE"),
    ("œ", "oe"),
    ("μ", "µ"),
    ("€", "EUR"),
    ("Ω", "Ohm"),
    ("аА", "a"),
    ("бБ", "b"),
    ("вВ", "v"),
    ("гГ", "g"),
    ("дД", "d"),
    ("еЕёЁэЭ", "e"),
    ("жЖ", "zh"),
    ("зЗ", "z"),
    ("иИйЙ", "i"),
    ("кК", "k"),
    ("лЛ", "l"),
    ("мМ", "m"),
    ("нН", "n"),
    ("оО", "o"),
    ("пП", "p"),
    ("рР", "r"),
    ("сС", "s"),
    ("тТ", "t"),
    ("уУ", "u"),
    ("фФ", "f"),
    ("хХ", "kh"),
    ("цЦ", "ts"),
    ("чЧ", "ch"),
    ("шШ", "sh"),
    ("щЩ", "shch"),
    ("ыЫ", "y"),
    ("ьЬъЪ", ""),
    ("юЮ", "yu"),
    ("яЯ", "ya"),
];
/// What stands for everything else.
const BOX: &str = "040i8i8404";
/// Pairs that would gape; the space between them in grid units is less by this.
const KERN: f32 = 1.6;

/// A point in pixels.
pub(super) type Point = (f32, f32);

/// Calls `stroke` with every straight piece of a text whose baseline begins at `at`; returns where it ends.
pub(super) fn write(text: &str, em: f32, at: Point, stroke: &mut dyn FnMut(Point, Point)) -> f32 {
    let unit = em * CAPITAL_EM / CAPITAL;
    let mut x = at.0;
    walk(text, &mut |glyph, shift, advance| {
        let origin = (x + shift * unit * NARROW, at.1);
        draw(glyph, unit, origin, stroke);
        x += advance * unit * NARROW;
    });
    x - BEARING * unit * NARROW
}

/// Width of a text in pixels.
pub(super) fn width(text: &str, em: f32) -> f32 {
    if text.is_empty() {
        return 0.0;
    }
    write(text, em, (0.0, 0.0), &mut |_, _| {})
}

/// How thick the pen is, as a half of its width.
pub(super) fn pen(em: f32, is_bold: bool) -> f32 {
    em * if is_bold { 0.056 } else { 0.041 }
}

/// How high digits and capitals are, in pixels.
pub(super) fn capital(em: f32) -> f32 {
    em * CAPITAL_EM
}

/// The text itself when it fits, else as much of its beginning and its end as there is room for.
pub(super) fn elide(text: &str, em: f32, room: f32) -> String {
    if width(text, em) <= room {
        return text.to_owned();
    }
    let lengths = (0..text.chars().count().min(200)).rev();
    let mut shorter = lengths.map(|length| cut_middle(text, length));
    let fits = |short: &String| width(short, em) <= room;
    shorter.find(fits).unwrap_or_default()
}

/// Calls `place` with each glyph, how far it is shifted in its cell, and how far the next one is.
fn walk(text: &str, place: &mut dyn FnMut(&str, f32, f32)) {
    let mut chars = text.chars().peekable();
    while let Some(ch) = chars.next() {
        let kern = match chars.peek() {
            Some(next) if gapes(ch, *next) => KERN,
            _ => 0.0,
        };
        letter(ch, kern, place);
    }
}

fn letter(ch: char, kern: f32, place: &mut dyn FnMut(&str, f32, f32)) {
    let glyph = match ch {
        ' ' => return place("", 0.0, SPACE),
        '!'..='~' => Some(GLYPHS[ch as usize - '!' as usize]),
        _ => MORE
            .iter()
            .find(|(own, _)| *own == ch)
            .map(|(_, glyph)| *glyph),
    };
    if let Some(glyph) = glyph {
        let own = extent(glyph);
        let cell = if ch.is_ascii_digit() { DIGIT } else { own };
        return place(glyph, (cell - own) / 2.0, cell + BEARING - kern);
    }
    if let Some((base, accent)) = accented(ch) {
        let glyph = GLYPHS[base as usize - '!' as usize];
        let mark = ACCENTS.iter().find(|(own, _)| *own == accent);
        let middle = extent(glyph) / 2.0 - 4.0;
        place(if base == 'i' { "0e04" } else { glyph }, 0.0, 0.0);
        if let Some((_, mark)) = mark {
            // Marks of capitals stand above them; a cedilla hangs from the baseline of both.
            let mark = if base.is_ascii_uppercase() && accent != ',' {
                raised(mark)
            } else {
                (*mark).to_owned()
            };
            place(&mark, middle, 0.0);
        }
        return place("", 0.0, extent(glyph) + BEARING - kern);
    }
    match SPELT.iter().find(|(all, _)| all.contains(ch)) {
        Some((_, spelt)) => spelt.chars().for_each(|ch| letter(ch, 0.0, place)),
        None => place(BOX, 0.0, extent(BOX) + BEARING),
    }
}

fn gapes(left: char, right: char) -> bool {
    match left {
        'T' | 'V' | 'Y' | 'W' | 'F' | 'P' => {
            matches!(right, 'a'..='h' | 'm'..='s' | 'u'..='z' | '.' | ',' | 'A')
        }
        'A' => matches!(right, 'T' | 'V' | 'Y' | 'W' | 'v' | 'y'),
        'L' => matches!(right, 'T' | 'V' | 'Y'),
        'r' | 'f' => matches!(right, '.' | ',' | 'a' | 'o' | 'e'),
        _ => false,
    }
}

fn accented(ch: char) -> Option<(char, char)> {
    let mut all = ACCENTED.chars();
    while let (Some(own), Some(base), Some(accent)) = (all.next(), all.next(), all.next()) {
        if own == ch {
            return Some((base, accent));
        }
    }
    None
}

/// A mark four units higher.
fn raised(mark: &str) -> String {
    let mut is_y = false;
    mark.chars()
        .map(|ch| match ch {
            '\'' | ' ' => ch,
            _ => {
                let raised = digit(ch as u8) as u32 + 4;
                let new = if is_y {
                    char::from_digit(raised.min(35), 36)
                } else {
                    Some(ch)
                };
                is_y = !is_y;
                new.unwrap_or(ch)
            }
        })
        .collect()
}

/// The largest x of a glyph.
fn extent(glyph: &str) -> f32 {
    let mut widest = 0.0f32;
    points(glyph, &mut |point| {
        if let Some((x, ..)) = point {
            widest = widest.max(x);
        }
    });
    widest
}

/// Calls `take` with each point (x, y, whether it is a control point), and with `None` where a stroke ends.
fn points(glyph: &str, take: &mut dyn FnMut(Option<(f32, f32, bool)>)) {
    let mut bytes = glyph.bytes();
    let mut is_control = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' => take(None),
            b'\'' => is_control = true,
            _ => {
                let y = bytes.next().map_or(0.0, digit);
                take(Some((digit(byte), y, is_control)));
                is_control = false;
            }
        }
    }
    take(None);
}

fn digit(byte: u8) -> f32 {
    f32::from(match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'z' => byte - b'a' + 10,
        _ => 0,
    })
}

fn draw(glyph: &str, unit: f32, origin: Point, stroke: &mut dyn FnMut(Point, Point)) {
    let (mut pen, mut control) = (None::<Point>, None::<Point>);
    points(glyph, &mut |point| {
        let Some((x, y, is_control)) = point else {
            (pen, control) = (None, None);
            return;
        };
        let to = (
            origin.0 + x * unit * NARROW,
            origin.1 - (y - BASELINE) * unit,
        );
        let Some(from) = pen else {
            pen = Some(to);
            return;
        };
        match (control, is_control) {
            (None, true) => control = Some(to),
            (None, false) => {
                stroke(from, to);
                pen = Some(to);
            }
            (Some(before), _) => {
                let end = if is_control { middle(before, to) } else { to };
                curve(from, before, end, stroke);
                pen = Some(end);
                control = is_control.then_some(to);
            }
        }
    });
}

fn middle(a: Point, b: Point) -> Point {
    ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0)
}

fn curve(from: Point, control: Point, to: Point, stroke: &mut dyn FnMut(Point, Point)) {
    let mut last = from;
    for piece in 1..=PIECES {
        let t = piece as f32 / PIECES as f32;
        let (a, b, c) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
        let next = (
            a * from.0 + b * control.0 + c * to.0,
            a * from.1 + b * control.1 + c * to.1,
        );
        stroke(last, next);
        last = next;
    }
}
