//! What is secret in a text, written into the text itself: for templates, YAML and the words of a shell, which only carry text.
//!
//! The marks are two of Unicode's noncharacters, which are never part of a text that is exchanged.

use std::borrow::Cow;

use crate::secret::MaskedText;

/// Where a secret begins.
pub(super) const OPEN: char = '\u{fdd0}';

/// Where it ends.
pub(super) const CLOSE: char = '\u{fdd1}';

const BOTH: [char; 2] = [OPEN, CLOSE];

/// Tells whether a text has marks.
pub(super) fn has_marks(text: &str) -> bool {
    text.contains(BOTH)
}

/// Takes the marks out of a text.
pub(super) fn without(text: &str) -> Cow<'_, str> {
    if has_marks(text) {
        Cow::Owned(text.replace(BOTH, ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// Marks all of a text as secret. A secret that is empty needs no marks.
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

/// Reads texts that were one before something took it apart: a secret may begin in one and end in another.
#[derive(Debug, Default)]
pub(super) struct MarkedReader {
    depth: usize,
}

impl MarkedReader {
    /// Reads the next text. Where a mark was lost, more counts as secret, and never less.
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
    fn a_marked_text_is_read_back_as_it_was() {
        let text = MaskedText::with_secrets("a=hunter2;b", std::iter::once(2..9));
        assert_eq!(written(&text), "a=\u{fdd0}hunter2\u{fdd1};b");
        assert_eq!(read(&written(&text)), text);
        assert_eq!(without(&written(&text)), text.reveal());
        assert_eq!(around(""), "");
    }

    #[test]
    fn a_secret_that_was_taken_apart_is_secret_in_every_part() {
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
