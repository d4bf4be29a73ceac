//! The output that an answer is drawn for.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The output that an answer is drawn for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Canvas {
    /// Whether colours may be used.
    pub colour: bool,
    /// The width in columns; `None` for no limit.
    pub width: Option<usize>,
}

/// Wraps a cell into lines of at most `most` columns, between words where possible.
pub(super) fn wrap(cell: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in cell.split_inclusive(' ') {
        let last = lines.last().map_or(0, |line| line.width());
        if last > 0 && last + word.trim_end().width() > most {
            lines.push(String::new());
        }
        for c in word.chars() {
            let last = lines.last().map_or(0, |line| line.width());
            if last > 0 && last + c.width().unwrap_or(0) > most && c != ' ' {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Cuts a cell to at most `most` columns, with a sign where it is cut.
pub(super) fn cut(cell: &str, most: usize) -> Cow<'_, str> {
    if cell.width() <= most {
        return Cow::Borrowed(cell);
    }
    let mut kept = String::new();
    for c in cell.chars() {
        if kept.width() + c.width().unwrap_or(0) + 1 > most {
            break;
        }
        kept.push(c);
    }
    Cow::Owned(kept + "…")
}
