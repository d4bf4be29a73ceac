//! Marks around the secret parts of a text, inside the text itself, so that they survive templates, YAML and the splitting into
//! words, all of which only carry text.
//!
//! The marks are two of Unicode's noncharacters, which never occur in exchanged text.

use std::borrow::Cow;

use crate::secret::MaskedText;

/// The start of a secret.
pub(super) const OPEN: char = '\u{fdd0}';

/// The end of a secret.
pub(super) const CLOSE: char = '\u{fdd1}';

const BOTH: [char; 2] = [OPEN, CLOSE];

pub(super) fn has_marks(text: &str) -> bool {
    text.contains(BOTH)
}

/// Removes the marks from a text.
pub(super) fn without(text: &str) -> Cow<'_, str> {
    if has_marks(text) {
        Cow::Owned(text.replace(BOTH, ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// Marks a whole text as secret. An empty secret needs no marks.
pub(super) fn around(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("{OPEN}{}{CLOSE}", without(text))
    }
}

/// Writes a text with marks around its secret parts.
pub(super) fn written(text: &MaskedText) -> String {
    let (all, mut out, mut at) = (text.reveal(), String::new(), 0);
    for range in text.secret_ranges() {
        out.push_str(&all[at..range.start]);
        out.push(OPEN);
        out.push_str(&all[range.clone()]);
        out.push(CLOSE);
        at = range.end;
    }
    out + &all[at..]
}

/// Reads the pieces of a text that was split: a secret may start in one piece and end in another.
#[derive(Debug, Default)]
pub(super) struct MarkedReader {
    depth: usize,
}

impl MarkedReader {
    /// Reads the next piece. Where a mark was lost, too much is treated as secret, never too little.
    pub fn read(&mut self, marked: &str) -> MaskedText {
        if self.depth == 0 && !has_marks(marked) {
            return MaskedText::from(marked);
        }
        let mut text = String::with_capacity(marked.len());
        let mut secret = Vec::new();
        let mut begin = 0;
        for c in marked.chars() {
            match c {
                OPEN => {
                    if self.depth == 0 {
                        begin = text.len();
                    }
                    self.depth += 1;
                }
                CLOSE => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        secret.push(begin..text.len());
                        begin = 0;
                    }
                }
                c => text.push(c),
            }
        }
        if self.depth > 0 {
            secret.push(begin..text.len());
        }
        MaskedText::with_secrets(text, secret)
    }
}

/// Reads one text.
pub(super) fn read(marked: &str) -> MaskedText {
    MarkedReader::default().read(marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_text_is_read_back_unchanged() {
        let text = MaskedText::with_secrets("a=hunter2;b", std::iter::once(2..9));
        assert_eq!(written(&text), "a=\u{fdd0}hunter2\u{fdd1};b");
        assert_eq!(read(&written(&text)), text);
        assert_eq!(without(&written(&text)), text.reveal());
        assert_eq!(around(""), "");
    }

    #[test]
    fn split_secret_is_secret_in_every_part() {
        let mut reader = MarkedReader::default();
        let parts = ["x \u{fdd0}a", "b", "c\u{fdd1} y"];
        let shown: Vec<_> = parts
            .iter()
            .map(|part| reader.read(part).to_string())
            .collect();
        assert_eq!(shown, ["x ***", "***", "*** y"]);
        assert_eq!(read("lost\u{fdd1} y").to_string(), "*** y");
        assert_eq!(
            read("\u{fdd0}a\u{fdd0}b\u{fdd1}c\u{fdd1}d").to_string(),
            "***d"
        );
    }
}
