//! What there is to show an answer on.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Where an answer is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Canvas {
    /// Whether colours may be used.
    pub colour: bool,
    /// How many columns there are; none where lines may be as long as they are.
    pub width: Option<usize>,
}

/// Returns a cell in pieces that fit, broken between words where that is possible.
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

/// Returns as much of a cell as fits, and a sign where that is not all.
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
