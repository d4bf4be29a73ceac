//! Columns of tables, and text that is safe for a terminal.

use serde_json::Value;

/// The source of a cell's text.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    /// The value at this JSON pointer in the item.
    At(&'static str),
    /// The result of this function on the item.
    By(fn(&Value) -> String),
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The heading.
    pub title: &'static str,
    /// The source of its cells.
    pub cell: Cell,
    /// The colour of a cell's text, as the number of an ANSI escape sequence.
    pub paint: Option<fn(&str) -> Option<&'static str>>,
    /// What happens to its cells on a narrow terminal.
    pub narrow: Narrow,
}

/// What happens to the cells of a column on a narrow terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Narrow {
    #[default]
    Cut,
    /// They stay whole, because a part of one would be useless.
    Whole,
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

    /// Returns a column of computed values.
    pub const fn by(title: &'static str, cell: fn(&Value) -> String) -> Self {
        Self {
            cell: Cell::By(cell),
            ..Self::at(title, "")
        }
    }

    /// Sets what happens to the cells on a narrow terminal.
    #[must_use]
    pub const fn where_narrow(mut self, narrow: Narrow) -> Self {
        self.narrow = narrow;
        self
    }

    /// Sets the colours of the cells.
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

/// Returns a value for people: text without quotes, null as an empty text.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

/// Tells whether a character could move a terminal's cursor, set colours or change the direction of writing.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for a character of a text with several lines.
pub fn is_harmful_in_lines(c: char) -> bool {
    c != '\n' && is_harmful(c)
}

/// Replaces all [harmful](is_harmful) characters.
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
    fn control_characters_of_a_cell_are_escaped() {
        assert_eq!(
            harmless("a\u{1b}]52;x\u{7}b\n\u{202e}c"),
            "a\\u{1b}]52;x\\u{7}b\\n\\u{202e}c"
        );
        assert_eq!(harmless("né 节点"), "né 节点");
    }
}
