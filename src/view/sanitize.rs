//! Makes logs safe for a terminal while they are printed: text in them cannot move the cursor, change the terminal or overwrite
//! what is there; colours stay. Harmful characters are shown in a visible form, so that nothing is hidden.

use std::fmt::Write as _;

use super::column::is_harmful;

/// The longest sequence that sets colours, in bytes.
const LONGEST: usize = 64;

/// The start of a sequence that sets colours.
const CSI: &[u8] = b"\x1b[";

/// The sequence that resets all colours.
const PLAIN: &[u8] = b"\x1b[0m";

/// Converts a log that is passed in pieces, cut anywhere.
#[derive(Clone, Debug, Default)]
pub struct LogSanitizer {
    /// The incomplete end of the last piece: the start of a character, a sequence or a line end.
    held: Vec<u8>,
    /// Whether the last sequence left colours on.
    is_coloured: bool,
}

/// What some bytes start with.
enum Sequence {
    /// This many harmless bytes.
    Fine(usize),
    /// A sequence of this many bytes that sets colours.
    Colour(usize),
    /// A harmful character of this many bytes.
    Bad(char, usize),
    /// A byte that is invalid UTF-8.
    Broken(u8),
    /// A carriage return alone, after which text would overwrite the line.
    Return,
    /// An incomplete sequence or character.
    Unfinished,
}

impl LogSanitizer {
    /// Returns the safe text of the next piece.
    pub fn sanitize(&mut self, part: &[u8]) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(part);
        let mut out = Vec::with_capacity(bytes.len());
        let rest = self.read(&bytes, &mut out);
        self.held = rest.to_vec();
        out
    }

    /// Returns the rest at the end of the log, and resets the colours.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let held = std::mem::take(&mut self.held);
        for chunk in held.utf8_chunks() {
            chunk.valid().chars().for_each(|c| match c {
                '\r' => out.push(b'\n'),
                c => push(&mut out, c),
            });
            chunk.invalid().iter().for_each(|b| push_byte(&mut out, *b));
        }
        if std::mem::take(&mut self.is_coloured) {
            out.extend_from_slice(PLAIN);
        }
        out
    }

    /// Reads as far as possible, and returns the incomplete rest.
    fn read<'b>(&mut self, mut bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        while !bytes.is_empty() {
            let length = match token(bytes) {
                Sequence::Fine(length) => {
                    out.extend_from_slice(&bytes[..length]);
                    length
                }
                Sequence::Colour(length) => {
                    out.extend_from_slice(&bytes[..length]);
                    self.is_coloured = !matches!(&bytes[CSI.len()..length - 1], b"" | b"0");
                    length
                }
                Sequence::Bad(c, length) => {
                    push(out, c);
                    length
                }
                Sequence::Broken(byte) => {
                    push_byte(out, byte);
                    1
                }
                Sequence::Return => {
                    out.push(b'\n');
                    1
                }
                Sequence::Unfinished => return bytes,
            };
            bytes = &bytes[length..];
        }
        bytes
    }
}

/// Reads the start of some bytes, which are not empty.
fn token(bytes: &[u8]) -> Sequence {
    let plain = bytes
        .iter()
        .take_while(|b| matches!(b, b' '..=b'~' | b'\n' | b'\t'))
        .count();
    match bytes.first() {
        _ if plain > 0 => Sequence::Fine(plain),
        Some(b'\r') => match bytes.get(1) {
            None => Sequence::Unfinished,
            Some(b'\n') => Sequence::Fine(2),
            Some(_) => Sequence::Return,
        },
        Some(0x1b) => sequence(bytes),
        _ => character(bytes),
    }
}

/// Reads an escape sequence. Only those that set colours are allowed: numbers separated by `;` or `:`, and an `m`.
fn sequence(bytes: &[u8]) -> Sequence {
    let escape = Sequence::Bad('\u{1b}', 1);
    if bytes.len() < CSI.len() {
        return Sequence::Unfinished;
    }
    let Some(rest) = bytes.strip_prefix(CSI) else {
        return escape;
    };
    let numbers = rest
        .iter()
        .take_while(|b| matches!(b, b'0'..=b'9' | b';' | b':'))
        .count();
    if numbers > LONGEST {
        return escape;
    }
    match rest.get(numbers) {
        Some(b'm') => Sequence::Colour(CSI.len() + numbers + 1),
        Some(_) => escape,
        None => Sequence::Unfinished,
    }
}

/// Reads a multi-byte character or a control character.
fn character(bytes: &[u8]) -> Sequence {
    let (most, longest) = (&bytes[..bytes.len().min(4)], 4);
    let text = match std::str::from_utf8(most) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            std::str::from_utf8(&most[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(error) if error.error_len().is_none() && most.len() < longest => {
            return Sequence::Unfinished;
        }
        Err(_) => return Sequence::Broken(bytes[0]),
    };
    match text.chars().next() {
        Some(c) if is_harmful(c) => Sequence::Bad(c, c.len_utf8()),
        Some(c) => Sequence::Fine(c.len_utf8()),
        None => Sequence::Broken(bytes[0]),
    }
}

/// Writes a character, or its code if it must not be printed.
fn push(out: &mut Vec<u8>, c: char) {
    if is_harmful(c) && !matches!(c, '\n' | '\t') {
        out.extend(c.escape_default().map(|c| c as u8));
    } else {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Writes the code of an invalid byte: an 8-bit terminal may obey the byte itself.
fn push_byte(out: &mut Vec<u8>, byte: u8) {
    let mut text = String::new();
    let _ = write!(text, "\\x{byte:02x}");
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sanitized(bytes: &[u8]) -> String {
        let mut sanitizer = LogSanitizer::default();
        let mut out = sanitizer.sanitize(bytes);
        out.extend(sanitizer.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn terminal_control_sequences_are_escaped() {
        for (bytes, shown) in [
            (&b"a\x1b[2Jb"[..], "a\\u{1b}[2Jb"),
            (b"\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            (b"\x1bP1$r0m\x1b\\", "\\u{1b}P1$r0m\\u{1b}\\"),
            (
                b"\x1b[?25l\x1b[>4;2m\x1b[1 m",
                "\\u{1b}[?25l\\u{1b}[>4;2m\\u{1b}[1 m",
            ),
            ("\u{9b}31m\u{9d}".as_bytes(), "\\u{9b}31m\\u{9d}"),
            (b"\x9b2J\xff\xe9", "\\x9b2J\\xff\\xe9"),
            (b"a\x08\x7f\x00\x0b\x0c", "a\\u{8}\\u{7f}\\u{0}\\u{b}\\u{c}"),
            (
                "a\u{202e}b\u{2066}c\u{61c}".as_bytes(),
                "a\\u{202e}b\\u{2066}c\\u{61c}",
            ),
            (b"\x1b[31\x1b[32m.\x1b[0m", "\\u{1b}[31\x1b[32m.\x1b[0m"),
        ] {
            assert_eq!(sanitized(bytes), shown);
        }
        let long = format!("\x1b[{}m", "1;".repeat(40));
        assert!(sanitized(long.as_bytes()).starts_with("\\u{1b}["));
    }

    #[test]
    fn carriage_return_becomes_a_line_end_and_the_last_line_is_kept() {
        assert_eq!(sanitized(b"10%\r20%\r\ndone\r"), "10%\n20%\r\ndone\n");
        assert_eq!(sanitized(b"a\r\r\nb"), "a\n\r\nb");
    }

    #[test]
    fn colours_are_kept_and_reset_at_the_end_of_the_log() {
        let text = "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m\n";
        assert_eq!(sanitized(text.as_bytes()), text);
        assert_eq!(sanitized(b"\x1b[8mhidden"), "\x1b[8mhidden\x1b[0m");
    }

    #[test]
    fn incomplete_escape_sequence_at_the_end_is_escaped() {
        assert_eq!(sanitized(b"\x1b"), "\\u{1b}");
        assert_eq!(sanitized(b"\x1b[31"), "\\u{1b}[31");
        assert_eq!(sanitized(b"\xe2\x82"), "\\xe2\\x82");
    }

    /// Generates logs of harmful sequences and any other bytes.
    fn log() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            Just(b"\x1b".to_vec()),
            Just(b"\x1b[".to_vec()),
            Just(b"\x1b]".to_vec()),
            Just(b"31;1".to_vec()),
            Just(b"m".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\n".to_vec()),
            Just("\u{9b}é\u{202e}漢🎉".as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..4),
            "[ -~]{0,6}".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn sanitized_log_has_no_control_sequences_but_colours(bytes in log()) {
            let text = sanitized(&bytes);
            let mut rest = text.as_str();
            while let Some(at) = rest.find(|c: char| is_harmful(c) && !"\n\t".contains(c)) {
                rest = &rest[at..];
                if let Some(after) = rest.strip_prefix("\r\n") {
                    rest = after;
                    continue;
                }
                let colour = rest.strip_prefix("\x1b[").and_then(|it| it.split_once('m'));
                prop_assert!(colour.is_some(), "{rest:?}");
                let (numbers, after) = colour.unwrap();
                prop_assert!(numbers.bytes().all(|b| b.is_ascii_digit() || b":;".contains(&b)), "{rest:?}");
                rest = after;
            }
        }

        #[test]
        fn sanitized_log_is_the_same_wherever_it_is_split(bytes in log(), cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..5)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut sanitizer = LogSanitizer::default();
            let mut out = Vec::new();
            for pair in cuts.windows(2) {
                out.extend(sanitizer.sanitize(&bytes[pair[0]..pair[1]]));
            }
            out.extend(sanitizer.finish());
            prop_assert_eq!(String::from_utf8(out).unwrap(), sanitized(&bytes));
        }

        #[test]
        fn harmless_text_is_unchanged_and_sanitizing_twice_changes_nothing(bytes in log(), text in "[ -~\n\té漢🎉]{0,40}") {
            prop_assert_eq!(sanitized(text.as_bytes()), text.clone());
            let once = sanitized(&bytes);
            prop_assert_eq!(sanitized(once.as_bytes()), once);
        }
    }
}
