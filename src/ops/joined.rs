//! Words for several items on one line of text.

use std::fmt::Display;

/// Joins items with the separator `between`.
pub(super) fn joined(items: impl IntoIterator<Item: Display>, between: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|it| it.to_string()).collect();
    items.join(between)
}

/// Returns a number of things in words: `1 tag`, `2 tags`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// Joins the first `most` items, and adds how many more there are.
pub fn joined_first<I>(items: I, most: usize) -> String
where
    I: IntoIterator<Item: Display, IntoIter: ExactSizeIterator>,
{
    let items = items.into_iter();
    let more = items.len().saturating_sub(most);
    let shown = joined(items.take(most), ", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
