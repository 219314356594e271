//! The Prometheus text format: one family after another, absent instead of zero.

use super::number::push_number;

/// Metrics under way, family by family.
#[derive(Debug, Default)]
pub struct Metrics {
    out: String,
}

impl Metrics {
    /// Nothing yet, with room for `capacity` bytes.
    pub fn new(capacity: usize) -> Metrics {
        Metrics {
            out: String::with_capacity(capacity),
        }
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.out
    }

    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        for part in [
            "# HELP ",
            name,
            " ",
            help,
            "\n# TYPE ",
            name,
            " ",
            kind,
            "\n",
        ] {
            self.out.push_str(part);
        }
    }

    /// A family of one gauge.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.line(name, "", Some(value));
    }

    /// A family of counters by their result.
    pub fn results(&mut self, name: &str, help: &str, counts: &[(&str, u64)]) {
        self.family(name, "counter", help);
        for (result, count) in counts {
            self.sample(name, &[("result", result)], Some(*count as f64));
        }
    }

    /// A sample with its labels; nothing for a value that is not known.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: Option<f64>) {
        let mut text = String::new();
        for (key, value) in labels {
            push_label(&mut text, key, value);
        }
        self.line(name, &text, value);
    }

    /// The same, with labels made by `push_label`.
    pub fn line(&mut self, name: &str, labels: &str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return;
        };
        self.out.push_str(name);
        if !labels.is_empty() {
            self.out.push('{');
            self.out.push_str(labels);
            self.out.push('}');
        }
        self.out.push(' ');
        push_number(&mut self.out, value);
        self.out.push('\n');
    }
}

/// Adds a label.
pub fn push_label(labels: &mut String, key: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(key);
    labels.push_str("=\"");
    if !value.contains(['\\', '"', '\n']) {
        labels.push_str(value);
        labels.push('"');
        return;
    }
    for ch in value.chars() {
        match ch {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            ch => labels.push(ch),
        }
    }
    labels.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_format() {
        let mut labels = String::new();
        push_label(&mut labels, "pdu", "a\"b\\c\nd}");
        assert_eq!(labels, "pdu=\"a\\\"b\\\\c\\nd}\"");
    }
}
