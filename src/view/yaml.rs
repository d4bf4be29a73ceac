//! YAML, byte for byte as PyYAML's `safe_dump` writes it, which az uses: sorted keys, block style, lines folded after
//! column 80.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::column::is_harmful_in_lines;

/// After this column, a text continues on the next line, at its next blank.
const WIDTH: usize = 80;

/// Texts that YAML 1.1 would read as another type, so that they are quoted: booleans, numbers, null, merges, dates.
static TAKEN_FOR_OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns = [
        "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?",
        r"\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?",
        r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*",
        r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+",
        "[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+",
        "~|null|Null|NULL||<<|=|!|&|[*]",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?",
    ];
    Regex::new(&format!("^(?:{})$", patterns.join("|"))).ok()
});

/// Formats YAML, optionally with the keys in colour.
pub(super) fn draw(value: &Value, colour: bool) -> String {
    let mut writer = Writer::default();
    match value {
        Value::Object(fields) if !fields.is_empty() => writer.mapping(fields, 0, true),
        Value::Array(items) if !items.is_empty() => writer.sequence(items, 0, true),
        scalar => {
            let is_plain = writer.scalar(scalar, 2);
            writer.break_line();
            if is_plain {
                // Marks the end of a top-level plain scalar.
                writer.put("...");
                writer.break_line();
            }
        }
    }
    if !colour {
        return writer.out;
    }
    let coloured = writer.out.lines().map(|line| match line.split_once(':') {
        Some((key, rest)) => format!("\u{1b}[94m{key}\u{1b}[0m:{rest}\n"),
        None => format!("{line}\n"),
    });
    coloured.collect()
}

/// The output so far, and its current column.
#[derive(Default)]
struct Writer {
    out: String,
    column: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn break_line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn indent(&mut self, indent: usize) {
        self.break_line();
        self.put(&" ".repeat(indent));
    }

    /// Writes fields at `indent`. `is_here` tells whether the first one goes on the current line, as behind a dash.
    fn mapping(&mut self, fields: &serde_json::Map<String, Value>, indent: usize, is_here: bool) {
        for (n, (key, value)) in fields.iter().enumerate() {
            if n > 0 || !is_here {
                self.start_of_line(indent);
            }
            self.text(key, None);
            self.put(":");
            match value {
                Value::Object(fields) if !fields.is_empty() => {
                    self.break_line();
                    self.mapping(fields, indent + 2, false);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.break_line();
                    self.sequence(items, indent, false);
                }
                scalar => {
                    self.put(" ");
                    self.scalar(scalar, indent + 2);
                    self.break_line();
                }
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize, is_here: bool) {
        for (n, item) in items.iter().enumerate() {
            if n > 0 || !is_here {
                self.start_of_line(indent);
            }
            self.put("- ");
            match item {
                Value::Object(fields) if !fields.is_empty() => {
                    self.mapping(fields, indent + 2, true);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.sequence(items, indent + 2, true);
                }
                scalar => {
                    self.scalar(scalar, indent + 2);
                    self.break_line();
                }
            }
        }
    }

    fn start_of_line(&mut self, indent: usize) {
        self.put(&" ".repeat(indent));
    }

    /// Writes a scalar; returns whether it is plain.
    fn scalar(&mut self, value: &Value, indent: usize) -> bool {
        let plain = match value {
            Value::String(text) => return self.text(text, Some(indent)),
            Value::Object(_) => {
                self.put("{}");
                return false;
            }
            Value::Array(_) => {
                self.put("[]");
                return false;
            }
            Value::Number(number) => number_text(number),
            other => other.to_string(),
        };
        self.put(&plain);
        true
    }

    /// Writes a text, folded where an indent for further lines is given; returns whether it is plain.
    fn text(&mut self, text: &str, indent: Option<usize>) -> bool {
        let allowed = Allowed::of(text);
        let is_line = indent.is_some() || !text.contains(is_break);
        if allowed.plain && is_line && !is_taken_for_other(text) {
            self.plain(text, indent);
            return true;
        }
        if allowed.single_quotes && is_line {
            self.single_quoted(text, indent)
        } else {
            self.double_quoted(text, indent)
        }
        false
    }

    /// Writes a plain scalar, which has no line ends.
    fn plain(&mut self, text: &str, indent: Option<usize>) {
        let mut pieces = YamlPieces(text);
        while let Some(piece) = pieces.next(&[' ']) {
            match indent {
                Some(indent) if piece == " " && self.column > WIDTH => self.indent(indent),
                _ => self.put(piece),
            }
        }
    }

    fn single_quoted(&mut self, text: &str, indent: Option<usize>) {
        self.put("'");
        let mut pieces = YamlPieces(text);
        let mut is_first = true;
        while let Some(piece) = pieces.next(&[' ', '\n', '\u{85}', '\u{2028}', '\u{2029}', '\'']) {
            let is_last = pieces.0.is_empty();
            match (piece.chars().next(), indent) {
                (Some(' '), Some(indent))
                    if piece == " " && self.column > WIDTH && !is_first && !is_last =>
                {
                    self.indent(indent);
                }
                (Some(c), Some(indent)) if is_break(c) => {
                    if c == '\n' {
                        self.break_line();
                    }
                    for c in piece.chars() {
                        self.out.push(c);
                        self.column = 0;
                    }
                    self.put(&" ".repeat(indent));
                }
                (Some('\''), _) => self.put(&"''".repeat(piece.len())),
                _ => self.put(piece),
            }
            is_first = false;
        }
        self.put("'");
    }

    fn double_quoted(&mut self, text: &str, indent: Option<usize>) {
        self.put("\"");
        let chars: Vec<char> = text.chars().collect();
        let (mut start, mut end) = (0, 0);
        while end <= chars.len() {
            let c = chars.get(end).copied();
            if c.is_none_or(is_escaped) {
                self.put_all(&chars[start.min(end)..end]);
                start = end;
                if let Some(c) = c {
                    self.put(&escape(c));
                    start = end + 1;
                }
            }
            let is_inside = 0 < end && end + 1 < chars.len();
            let pending = end.saturating_sub(start);
            if let Some(indent) = indent
                && is_inside
                && (c == Some(' ') || start >= end)
                && self.column + pending > WIDTH + (start.saturating_sub(end))
            {
                if start < end {
                    self.put_all(&chars[start..end]);
                    start = end;
                }
                self.put("\\");
                self.indent(indent);
                if chars.get(start) == Some(&' ') {
                    self.put("\\");
                }
            }
            end += 1;
        }
        self.put("\"");
    }

    fn put_all(&mut self, chars: &[char]) {
        self.out.extend(chars);
        self.column += chars.len();
    }
}

/// Splits a text where runs of certain characters begin and end; a run of line ends is one piece, whichever they are.
struct YamlPieces<'t>(&'t str);

impl<'t> YamlPieces<'t> {
    fn next(&mut self, at: &[char]) -> Option<&'t str> {
        let first = self.0.chars().next()?;
        let goes_on = |c: char| match at.contains(&first) {
            true if is_break(first) => is_break(c),
            true => c == first,
            false => !at.contains(&c),
        };
        let end = self.0.find(|c| !goes_on(c)).unwrap_or(self.0.len());
        let (piece, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(piece)
    }
}

/// The styles that a text may be written in, besides double quotes.
struct Allowed {
    plain: bool,
    single_quotes: bool,
}

impl Allowed {
    /// PyYAML's `analyze_scalar`.
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let is_space = |c: Option<&char>| {
            c.is_none_or(|c| matches!(c, '\0' | ' ' | '\t' | '\r') || is_break(*c))
        };
        let mut has_indicator = text.starts_with("---") || text.starts_with("...");
        let (mut is_special, mut has_break) = (false, false);
        let (mut break_then_space, mut space_then_break) = (false, false);
        for (n, c) in chars.iter().copied().enumerate() {
            let before = n.checked_sub(1).and_then(|n| chars.get(n));
            let is_followed = is_space(chars.get(n + 1));
            has_indicator |= match (n, c) {
                (0, _) if "#,[]{}&*!|>'\"%@`".contains(c) => true,
                (0, '?' | '-') | (_, ':') => is_followed,
                (_, '#') => is_space(before),
                _ => false,
            };
            has_break |= is_break(c);
            is_special |= !is_printed(c) || is_harmful_in_lines(c);
            break_then_space |= c == ' ' && before.is_some_and(|c| is_break(*c));
            space_then_break |= is_break(c) && before == Some(&' ');
        }
        let is_edge = |c: Option<&char>| c.is_some_and(|c| *c == ' ' || is_break(*c));
        let has_edge = is_edge(chars.first()) || is_edge(chars.last());
        let single_quotes = !break_then_space && !space_then_break && !is_special;
        Self {
            plain: single_quotes && !has_edge && !has_break && !has_indicator,
            single_quotes,
        }
    }
}

fn is_taken_for_other(text: &str) -> bool {
    // Without the pattern, quotes would be right too.
    TAKEN_FOR_OTHER
        .as_ref()
        .is_none_or(|pattern| pattern.is_match(text))
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printed(c: char) -> bool {
    matches!(c, '\n' | '\u{20}'..='\u{7e}' | '\u{85}' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10fffe}')
}

fn is_escaped(c: char) -> bool {
    let is_printed = matches!(c, '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{fffd}');
    !is_printed
        // Unlike PyYAML, acrt escapes what could control a terminal.
        || is_harmful_in_lines(c)
        || matches!(
            c,
            '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        )
}

fn escape(c: char) -> String {
    let letter = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            return match code {
                ..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{letter}")
}

/// Formats a number; with an exponent, YAML requires a point.
fn number_text(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_has_no_character_that_controls_a_terminal() {
        let value = serde_json::json!({"a\u{9b}": "x\u{202e}y\u{200f}"});
        let text = draw(&value, false);
        assert_eq!(text, "\"a\\x9B\": \"x\\u202Ey\\u200F\"\n");
        let read: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(read, value);
    }

    /// `tests/data/pyyaml.json` holds values, each with the text that PyYAML 6.0 writes for it.
    #[test]
    fn yaml_output_matches_pyyaml() {
        let cases = include_str!("../../tests/data/pyyaml.json");
        let cases: Vec<(Value, String)> = serde_json::from_str(cases).unwrap();
        assert!(cases.len() > 300);
        for (value, expected) in cases {
            let drawn = draw(&value, false);
            if expected.contains(is_harmful_in_lines) {
                // PyYAML prints what could control a terminal, such as U+0085, as it is.
                assert!(!drawn.contains(is_harmful_in_lines), "{value}");
                assert_eq!(serde_yaml::from_str::<Value>(&drawn).unwrap(), value);
            } else {
                assert_eq!(drawn, expected, "{value}");
            }
        }
    }
}
