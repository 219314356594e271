//! What of a recording is nobody's business, by the object and by what it looks like. It leaves out too much rather than
//! too little, but never a value that the device's profile reads.

use super::super::Identified;
use super::super::plan::Target;
use super::super::profile::Field;
use rackwarden_base::small::SmallMap;
use rackwarden_snmp::{Octets, Oid, Value, VarBind};

/// Stands where something was.
const SHOWN: &str = "<private>";
/// sysContact, sysName, sysLocation (RFC 3418).
const SYSTEM: [&[u32]; 3] = [
    &[1, 3, 6, 1, 2, 1, 1, 4],
    &[1, 3, 6, 1, 2, 1, 1, 5],
    &[1, 3, 6, 1, 2, 1, 1, 6],
];
/// entPhysicalSerialNum, entPhysicalAlias, entPhysicalAssetID, entPhysicalUris, entPhysicalUUID (RFC 6933), upsIdentName,
/// upsIdentAttachedDevices (RFC 1628)
const NAMED: [&[u32]; 7] = [
    &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 11],
    &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 14],
    &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 15],
    &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 18],
    &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 19],
    &[1, 3, 6, 1, 2, 1, 33, 1, 1, 5],
    &[1, 3, 6, 1, 2, 1, 33, 1, 1, 6],
];
const NAME: &str = "name, location or contact";
const ROW_NAME: &str = "name of an outlet, bank or probe";
/// Letters of a text that is looked for within others.
const SURE: usize = 8;
/// Files that look like hosts.
const ENDINGS: [&str; 9] = [
    "bin", "img", "hex", "htm", "html", "txt", "xml", "mib", "fw",
];

/// How often something of a kind was left out.
pub type Left = SmallMap<&'static str, u32>;

/// Decides about every object of one recording.
pub(super) struct Private {
    /// Objects that a profile reads as values, and those that it reads as names.
    values: Vec<Oid>,
    names: Vec<Oid>,
    /// What says what the device is: read as well.
    described_by: Box<[Oid]>,
    /// Its model is written like some serial numbers.
    model: String,
    /// Texts that are private wherever they stand.
    known: Vec<(&'static str, String)>,
    /// Addresses of the device and around it, as they may stand in names of objects.
    addresses: Vec<[u8; 4]>,
    pub(super) left: Left,
}

impl Private {
    pub(super) fn new(identified: &Identified, secrets: &[&str], objects: &[VarBind]) -> Private {
        let (mut values, mut names) = (Vec::new(), Vec::new());
        for part in identified.plan.fast.iter().chain(&identified.plan.slow) {
            for cell in &part.cells {
                let is_name = matches!(
                    cell.target,
                    Target::Row {
                        field: Field::Name,
                        ..
                    }
                );
                if let Some(oid) = part.oids.get(usize::from(cell.of)) {
                    match is_name {
                        true => names.push(oid.clone()),
                        false => values.push(oid.clone()),
                    }
                }
            }
        }
        values.sort_unstable();
        names.sort_unstable();
        let mut known: Vec<(&'static str, String)> = secrets
            .iter()
            .map(|secret| ("secret", (*secret).to_owned()))
            .collect();
        let mut addresses = Vec::new();
        for bind in objects {
            match &bind.value {
                Value::IpAddress(bytes) if is_address(*bytes) => addresses.push(*bytes),
                value => {
                    let kind = match begins_with_one(&bind.oid, &SYSTEM) {
                        true => NAME,
                        false if names.binary_search(&bind.oid).is_ok() => ROW_NAME,
                        false => continue,
                    };
                    let text = value.as_text().map(|text| text.trim().to_owned());
                    // A word of one or two letters stands anywhere.
                    let is_name = |text: &String| text.chars().count() >= 3 && !is_usual_name(text);
                    known.extend(text.filter(is_name).map(|text| (kind, text)));
                }
            }
        }
        known.sort_unstable();
        known.dedup();
        addresses.sort_unstable();
        addresses.dedup();
        Private {
            values,
            names,
            described_by: identified.described_by.clone(),
            known,
            model: identified.model.clone().unwrap_or_default(),
            addresses,
            left: Left::new(),
        }
    }

    /// What may be shown of an object; `None` when its very name tells.
    pub(super) fn shown(&mut self, bind: &VarBind) -> Option<Value> {
        if self.has_address(&bind.oid) {
            self.leave("row of an address");
            return None;
        }
        let is_read = self.values.binary_search(&bind.oid).is_ok();
        if is_read
            || self
                .described_by
                .iter()
                .any(|oid| bind.oid.starts_with(oid))
        {
            return Some(bind.value.clone());
        }
        Some(match &bind.value {
            Value::IpAddress(bytes) if is_address(*bytes) => {
                self.leave("address");
                Value::IpAddress([0; 4])
            }
            Value::OctetString(bytes) => Value::OctetString(self.bytes(&bind.oid, bytes)),
            value => value.clone(),
        })
    }

    fn bytes(&mut self, oid: &Oid, bytes: &[u8]) -> Octets {
        let text = std::str::from_utf8(bytes).ok();
        let text = text.map(|text| text.trim_end_matches('\0'));
        let printable = text.filter(|text| !text.chars().any(char::is_control));
        if bytes.iter().all(|byte| *byte == 0) {
            return bytes.into();
        }
        let Some(text) = printable else {
            // Of these lengths are addresses of IPv4, Ethernet and IPv6; an engine's name begins with the highest bit.
            let is_address = matches!(bytes.len(), 4 | 6 | 16);
            let is_engine = bytes.len() > 8 && bytes[0] == 0x80;
            if is_address || is_engine {
                self.leave("address");
                return vec![0; bytes.len()].into();
            }
            // Several lines, or another alphabet: what is known is looked for, byte by byte.
            let text = String::from_utf8_lossy(bytes);
            let shown = self.words(&text);
            return match shown == text {
                true => bytes.into(),
                false => shown.into_bytes().into(),
            };
        };
        if text.trim().is_empty() {
            return bytes.into();
        }
        if begins_with_one(oid, &SYSTEM) {
            self.leave(NAME);
            return SHOWN.as_bytes().into();
        }
        if begins_with_one(oid, &NAMED) {
            self.leave("serial number or name");
            return SHOWN.as_bytes().into();
        }
        if self.names.binary_search(oid).is_ok() && !is_usual_name(text) {
            self.leave(ROW_NAME);
            return SHOWN.as_bytes().into();
        }
        self.words(text).into_bytes().into()
    }

    /// A text without what is private in it.
    fn words(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        let known = std::mem::take(&mut self.known);
        for (kind, known) in &known {
            // A short one may be a part of other words.
            let is_in_it = known.len() >= SURE && text.contains(&**known);
            if is_in_it || text.trim() == known {
                text = text.replace(&**known, SHOWN);
                self.leave(kind);
            }
        }
        self.known = known;
        let mut shown = String::with_capacity(text.len());
        let mut before = String::new();
        let mut rest = &*text;
        while let Some(ch) = rest.chars().next() {
            if is_between(ch) {
                shown.push(ch);
                rest = &rest[ch.len_utf8()..];
                continue;
            }
            let end = rest.find(is_between).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            shown.push_str(&self.word(word, &before));
            before = word.to_ascii_lowercase();
            rest = after;
        }
        shown
    }

    /// A word, or what stands for it; `before` is the word before it.
    fn word(&mut self, word: &str, before: &str) -> String {
        if self.model.contains(word) {
            return word.to_owned();
        }
        // `SN:` and the word behind it, `IP=10.0.0.1`
        if let Some((label, value)) = word.split_once([':', '=']) {
            let is_label = label.len() > 1 && label.bytes().all(|byte| byte.is_ascii_alphabetic());
            if is_label && !value.is_empty() && kind_of(word).is_none() {
                let shown = self.word(value, &label.to_ascii_lowercase());
                return format!("{}{shown}", &word[..word.len() - value.len()]);
            }
        }
        let before = before.trim_end_matches([':', '=', '#', '.']);
        let is_serial = matches!(before, "sn" | "s/n" | "serial" | "serialnumber" | "mac");
        let is_label = word.len() < 4 || !word.bytes().any(|byte| byte.is_ascii_digit());
        let is_known = |(kind, known): &(&'static str, String)| {
            let is_it = known == word && word.bytes().any(|byte| byte.is_ascii_digit());
            is_it.then_some(*kind)
        };
        let known = self.known.iter().find_map(is_known);
        match known
            .or(kind_of(word))
            .or((is_serial && !is_label).then_some("serial number"))
        {
            Some(kind) => {
                self.leave(kind);
                SHOWN.to_owned()
            }
            None => word.to_owned(),
        }
    }

    fn leave(&mut self, kind: &'static str) {
        *self.left.entry(kind).or_insert(0) += 1;
    }

    fn has_address(&self, oid: &Oid) -> bool {
        if self.addresses.is_empty() {
            return false;
        }
        let arcs: Vec<u32> = oid.arcs().collect();
        arcs.windows(4).skip(7).any(|window| {
            let is_it = |address: &[u8; 4]| {
                let address = address.map(u32::from);
                window == address
            };
            self.addresses.iter().any(is_it)
        })
    }
}

fn begins_with_one(oid: &Oid, prefixes: &[&[u32]]) -> bool {
    let is_prefix = |prefix: &&[u32]| {
        let mut arcs = oid.arcs();
        prefix.iter().all(|arc| arcs.next() == Some(*arc))
    };
    prefixes.iter().any(is_prefix)
}

/// Not `0.0.0.0` and not a mask.
fn is_address(bytes: [u8; 4]) -> bool {
    !matches!(bytes[0], 0 | 255)
}

/// `Outlet 7`, `Bank B1`, `Phase L2`: as the device came from its maker.
fn is_usual_name(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "outlet", "bank", "phase", "line", "probe", "sensor", "branch", "breaker", "inlet", "unit",
        "socket", "circuit",
    ];
    let letters: String = name.chars().filter(|ch| ch.is_alphabetic()).collect();
    let letters = letters.to_lowercase();
    name.len() <= 16
        && WORDS.iter().any(|word| {
            let rest = letters.strip_prefix(word);
            rest.is_some_and(|rest| rest.len() <= 2)
        })
}

fn is_between(ch: char) -> bool {
    ch.is_whitespace() || ",;()[]{}|\"'".contains(ch)
}

/// What a word is, when it is private.
fn kind_of(word: &str) -> Option<&'static str> {
    if word.contains(SHOWN) {
        return None;
    }
    let bytes = word.as_bytes();
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    for separator in [':', '-'] {
        let parts: Vec<&str> = word.split(separator).collect();
        if parts.len() >= 6 && parts.iter().all(|part| is_hex(part, 2)) {
            return Some("address");
        }
    }
    let is_quad = |text: &str| {
        let parts: Vec<&str> = text.split('.').collect();
        parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok())
    };
    let bare = word.split(['/', ':']).next().unwrap_or_default();
    if is_quad(bare) && !bare.starts_with("0.") && !bare.starts_with("255.") {
        return Some("address");
    }
    let is_v6 = word.contains(':')
        && word.matches(':').count() >= 2
        && word.parse::<std::net::Ipv6Addr>().is_ok();
    if is_v6 && word != "::" {
        return Some("address");
    }
    if word.contains('@') && word.len() > 2 {
        return Some("contact");
    }
    if is_host(word) {
        return Some("host name");
    }
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_one_word = bytes.iter().all(u8::is_ascii_alphanumeric);
    let is_zero = bytes.iter().all(|byte| *byte == b'0');
    if is_one_word
        && !is_zero
        && (word.len() >= 10 && digits >= 6 || word.len() >= 8 && digits == word.len())
    {
        return Some("serial number");
    }
    let is_dense = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    let has_small = bytes.iter().any(u8::is_ascii_lowercase);
    if word.len() >= 24 && digits > 0 && has_small && bytes.iter().all(is_dense) {
        return Some("key");
    }
    None
}

/// `pdu-7.example.org`, also with a scheme before it and a path behind it; a file is none.
fn is_host(word: &str) -> bool {
    let word = word.split_once("://").map_or(word, |(_, rest)| rest);
    let host = word.split(['/', ':']).next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.chars().all(|ch| ch.is_alphanumeric() || ch == '-')
    };
    let top = labels.last().copied().unwrap_or_default();
    labels.len() >= 2
        && labels.iter().all(is_label)
        && top.len() >= 2
        && top.chars().all(char::is_alphabetic)
        && labels[0].chars().any(char::is_alphabetic)
        && labels[0].len() > 1
        && !ENDINGS.contains(&top.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Private {
        Private {
            values: Vec::new(),
            names: Vec::new(),
            described_by: Box::default(),
            known: vec![
                ("secret", "hunter2".into()),
                ("name, location or contact", "Rack 3, Basel".into()),
            ],
            model: "MG02E4W1-42ITB3-3PS56B2A10-S".into(),
            addresses: vec![[10, 1, 2, 3]],
            left: Left::new(),
        }
    }

    #[test]
    fn what_is_private_in_a_text_is_found_and_what_tells_of_the_device_stays() {
        for (text, want) in [
            (
                "APC Web/SNMP Management Card (MB:v3.9.2 PF:v3.9.2 PN:apc_hw02_aos_392.bin AF1:v3.9.2 AN1:apc_hw02_rpdu_392.bin MN:AP7920 HR:B2 SN: ZA0909003404 MD:02/28/2009)",
                "APC Web/SNMP Management Card (MB:v3.9.2 PF:v3.9.2 PN:apc_hw02_aos_392.bin AF1:v3.9.2 AN1:apc_hw02_rpdu_392.bin MN:AP7920 HR:B2 SN: <private> MD:02/28/2009)",
            ),
            ("SN:5A1234E12345", "SN:<private>"),
            ("S/N 77-41", "S/N <private>"),
            ("serial number", "serial number"),
            ("AP8959EU3", "AP8959EU3"),
            (
                "MG02E4W1-42ITB3-3PS56B2A10-S",
                "MG02E4W1-42ITB3-3PS56B2A10-S",
            ),
            ("PX2-5260R", "PX2-5260R"),
            ("PDU3EVSR10H50", "PDU3EVSR10H50"),
            ("00:C0:B7:6E:2F:11", "<private>"),
            ("00-c0-b7-6e-2f-11", "<private>"),
            ("eth0 10.1.2.3/24", "eth0 <private>"),
            ("http://pdu-7.example.org:80/x", "<private>"),
            ("IP=192.168.1.7, up", "IP=<private>, up"),
            ("fe80::1", "<private>"),
            ("2010/01/01 00:34:36", "2010/01/01 00:34:36"),
            ("00:34:36", "00:34:36"),
            ("Jane Doe <jane@example.org>", "Jane Doe <private>"),
            ("in Rack 3, Basel", "in <private>"),
            ("login hunter2", "login <private>"),
            ("left of hunter22", "left of hunter22"),
            ("200-240V", "200-240V"),
            ("1.25 kW", "1.25 kW"),
            ("000000000000", "000000000000"),
            ("12345678", "<private>"),
            ("1234567", "1234567"),
            (
                "integer: min 0, max 2000000000, scale /10",
                "integer: min 0, max <private>, scale /10",
            ),
            ("eyJhbGciOiJIUzI1NiIsInR5cCI", "<private>"),
            ("firmware.bin", "firmware.bin"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.0", "255.255.255.0"),
            ("", ""),
        ] {
            assert_eq!(nobody().words(text), want, "{text}");
        }
    }

    #[test]
    fn bytes_and_names_that_tell_addresses_are_left_out() {
        let shown = |oid: &str, value: Value| {
            let oid: Oid = oid.parse().expect("an OID");
            nobody().shown(&VarBind { oid, value })
        };
        let bytes = |bytes: &[u8]| Value::OctetString(bytes.into());
        let plain = "1.3.6.1.4.1.318.1.1.9.1";
        assert_eq!(
            shown("1.3.6.1.4.1.318.1.1.9.10.1.2.3", Value::Integer(1)),
            None
        );
        assert_eq!(
            shown(plain, Value::IpAddress([10, 9, 9, 9])),
            Some(Value::IpAddress([0; 4]))
        );
        assert_eq!(
            shown(plain, Value::IpAddress([255, 255, 255, 0])),
            Some(Value::IpAddress([255, 255, 255, 0]))
        );
        assert_eq!(
            shown(plain, bytes(&[0, 0xc0, 0xb7, 1, 2, 3])),
            Some(bytes(&[0; 6]))
        );
        // DateAndTime (RFC 2579) has eight bytes.
        let time = [7, 0xe4, 1, 2, 3, 4, 5, 0];
        assert_eq!(shown(plain, bytes(&time)), Some(bytes(&time)));
        let name = "1.3.6.1.2.1.1.5.0";
        assert_eq!(shown(name, bytes(b"x")), Some(bytes(b"<private>")));
        assert_eq!(shown(plain, bytes(b"x")), Some(bytes(b"x")));
        assert_eq!(
            shown(plain, bytes("Zürich\nhunter2".as_bytes())),
            Some(bytes("Zürich\n<private>".as_bytes()))
        );
    }

    #[test]
    fn a_name_as_the_maker_gave_it_stays() {
        for (name, want) in [
            ("Outlet 7", true),
            ("OUTLET12", true),
            ("Bank B1", true),
            ("Phase L2", true),
            ("Outlet nas", false),
            ("web-1", false),
            ("Linus", false),
        ] {
            assert_eq!(is_usual_name(name), want, "{name}");
        }
    }
}
