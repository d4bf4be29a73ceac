//! Columns of tables, and texts that a terminal may show.

use serde_json::Value;

/// How a cell's text is had from an item of the answer.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    /// It is the value at this JSON pointer.
    At(&'static str),
    /// It is worked out.
    By(fn(&Value) -> String),
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Where its cells come from.
    pub cell: Cell,
    /// The colour that a text of it has, as the number of an ANSI escape sequence.
    pub paint: Option<fn(&str) -> Option<&'static str>>,
    /// What becomes of its texts where the terminal is narrow.
    pub narrow: Narrow,
}

/// What becomes of the texts of a column where the terminal is narrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Narrow {
    /// They are cut.
    #[default]
    Cut,
    /// They stay whole, because a part of one says nothing.
    Whole,
    /// They go on in further lines.
    Wrapped,
}

impl Column {
    /// Returns a column of the values at a JSON pointer.
    pub const fn at(title: &'static str, pointer: &'static str) -> Self {
        Self {
            title,
            cell: Cell::At(pointer),
            paint: None,
            narrow: Narrow::Cut,
        }
    }

    /// Returns a column of values that are worked out.
    pub const fn by(title: &'static str, cell: fn(&Value) -> String) -> Self {
        Self {
            cell: Cell::By(cell),
            ..Self::at(title, "")
        }
    }

    /// Says what becomes of its texts where the terminal is narrow.
    #[must_use]
    pub const fn where_narrow(mut self, narrow: Narrow) -> Self {
        self.narrow = narrow;
        self
    }

    /// Gives its texts colours.
    #[must_use]
    pub const fn painted(mut self, paint: fn(&str) -> Option<&'static str>) -> Self {
        self.paint = Some(paint);
        self
    }

    pub(super) fn text(&self, item: &Value) -> String {
        match self.cell {
            Cell::At(pointer) => item.pointer(pointer).map(plain).unwrap_or_default(),
            Cell::By(cell) => cell(item),
        }
    }
}

/// Returns a value as a person reads it: texts without quotes, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

/// Tells whether a character would move a terminal's cursor, colour it or turn its writing round.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Replaces what would move a terminal's cursor, colour it or turn its writing round.
pub fn harmless(text: &str) -> String {
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_lose_their_power() {
        assert_eq!(
            harmless("a\u{1b}]52;x\u{7}b\n\u{202e}c"),
            "a\\u{1b}]52;x\\u{7}b\\n\\u{202e}c"
        );
        assert_eq!(harmless("né 节点"), "né 节点");
    }
}
