//! Texts that keep their byte offsets in the file, even where lines are joined and quotes removed.

use std::{borrow::Cow, fmt, ops::Range};

/// Decodes a file to a text of the same length in bytes.
///
/// A byte that is not UTF-8 becomes a DEL, which is no blank, no letter and no part of a name, so that, as in BuildKit,
/// it has no meaning.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{7f}'));
    }
    Cow::Owned(text)
}

/// The byte order mark that some editors write at the start of a file.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns where the text of a file begins, behind its byte order mark.
pub(super) fn start(file: &str) -> usize {
    if file.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len_utf8()
    } else {
        0
    }
}

/// The byte ranges of the file in which a token is written, in order.
///
/// There are several ranges if the token continues on another line or has quotes within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceRange {
    first: Range<usize>,
    more: Vec<Range<usize>>,
}

impl SourceRange {
    fn new(range: Range<usize>) -> Self {
        Self {
            first: range,
            more: Vec::new(),
        }
    }

    /// Returns the offset of the first byte.
    pub fn start(&self) -> usize {
        self.first.start
    }

    /// Returns the ranges of bytes, in order, none touching the next.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = &Range<usize>> {
        std::iter::once(&self.first).chain(&self.more)
    }

    fn push(&mut self, range: Range<usize>) {
        let last = self.more.last_mut().unwrap_or(&mut self.first);
        if last.end == range.start {
            last.end = range.end;
        } else if last.start == last.end {
            *last = range;
        } else if !range.is_empty() {
            self.more.push(range);
        }
    }
}

impl fmt::Display for SourceRange {
    /// Writes the ranges, as in `15..18 30..35`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first.start, self.first.end)?;
        let mut more = self.more.iter();
        more.try_for_each(|range| write!(f, " {}..{}", range.start, range.end))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceToken {
    pub text: String,
    pub place: SourceRange,
}

/// A logical line: physical lines joined, with the offset of each in the file.
#[derive(Clone, Debug)]
pub(super) struct LogicalLine<'f> {
    text: Cow<'f, str>,
    first: usize,
    mappings: Vec<OffsetMapping>,
}

/// From byte `at` on, the text comes from the file's byte `offset` on.
#[derive(Clone, Copy, Debug)]
struct OffsetMapping {
    at: usize,
    offset: usize,
}

impl<'f> LogicalLine<'f> {
    /// Returns a text that stands at `offset` in the file.
    pub fn new(text: &'f str, offset: usize) -> Self {
        Self {
            text: Cow::Borrowed(text),
            first: offset,
            mappings: Vec::new(),
        }
    }

    /// Adds a text that stands at another offset.
    pub fn join(&mut self, text: &str, offset: usize) {
        let at = self.text.len();
        self.mappings.push(OffsetMapping { at, offset });
        self.text.to_mut().push_str(text);
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the offset in the file of the byte at `at`.
    pub fn offset(&self, at: usize) -> usize {
        let mapping = self.mapping(at);
        mapping.offset + (at - mapping.at)
    }

    /// Returns where the bytes of `range` stand in the file.
    pub fn place(&self, range: Range<usize>) -> SourceRange {
        let start = self.offset(range.start);
        let mut place = SourceRange::new(start..start);
        self.extend(&mut place, range);
        place
    }

    /// Adds to `place` where the bytes of `range` stand in the file.
    pub fn extend(&self, place: &mut SourceRange, range: Range<usize>) {
        let mut at = range.start;
        let mut next = self.mappings.partition_point(|mapping| mapping.at <= at);
        while at < range.end {
            let end = self
                .mappings
                .get(next)
                .map_or(range.end, |mapping| mapping.at.min(range.end));
            let offset = self.offset(at);
            place.push(offset..offset + (end - at));
            at = end;
            next += 1;
        }
    }

    /// Returns the bytes of `range` as written, with their place.
    pub fn token(&self, range: Range<usize>) -> SourceToken {
        SourceToken {
            text: self.text.get(range.clone()).unwrap_or_default().to_owned(),
            place: self.place(range),
        }
    }

    /// Returns the text from `at` on; it keeps its places in the file.
    pub fn tail(&self, at: usize) -> LogicalLine<'_> {
        let first = self.offset(at);
        let behind = self.mappings.partition_point(|mapping| mapping.at <= at);
        LogicalLine {
            text: Cow::Borrowed(self.text.get(at..).unwrap_or_default()),
            first,
            mappings: self.mappings[behind..]
                .iter()
                .map(|mapping| OffsetMapping {
                    at: mapping.at - at,
                    offset: mapping.offset,
                })
                .collect(),
        }
    }

    fn mapping(&self, at: usize) -> OffsetMapping {
        let behind = self.mappings.partition_point(|mapping| mapping.at <= at);
        behind
            .checked_sub(1)
            .and_then(|last| self.mappings.get(last))
            .copied()
            .unwrap_or(OffsetMapping {
                at: 0,
                offset: self.first,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_utf8_bytes_keep_their_length() {
        assert_eq!(decode(b"FROM a\n"), "FROM a\n");
        assert_eq!(decode(b"a\xff\xfeb"), "a\u{7f}\u{7f}b");
        assert_eq!(decode("é".as_bytes()), "é");
        assert_eq!(decode(b"\xe2\x82").len(), 2);
    }

    #[test]
    fn joined_text_maps_each_byte_to_its_position() {
        let mut text = LogicalLine::new("FROM alp", 10);
        text.join("ine:3", 30);
        assert_eq!(text.as_str(), "FROM alpine:3");
        assert_eq!(text.offset(0), 10);
        assert_eq!(text.offset(8), 30);
        let token = text.token(5..13);
        assert_eq!(token.text, "alpine:3");
        assert_eq!(token.place.to_string(), "15..18 30..35");
        assert_eq!(token.place.start(), 15);
    }

    #[test]
    fn tail_of_a_text_keeps_its_positions() {
        let mut text = LogicalLine::new("ONBUILD CO", 0);
        text.join("PY a b", 20);
        let tail = text.tail(8);
        assert_eq!(tail.as_str(), "COPY a b");
        assert_eq!(tail.place(0..4).to_string(), "8..10 20..22");
        assert_eq!(tail.place(5..6).to_string(), "23..24");
    }

    #[test]
    fn adjacent_ranges_are_merged() {
        let text = LogicalLine::new("abc", 5);
        let mut place = text.place(0..1);
        text.extend(&mut place, 1..2);
        assert_eq!(place.to_string(), "5..7");
        text.extend(&mut place, 3..3);
        assert_eq!(place.to_string(), "5..7");
    }
}
