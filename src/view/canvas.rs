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
