//! Converts logs to HTML: colours become classes, other escape sequences are removed, each line has a number to link
//! to.

use std::fmt::Write as _;

use crate::view::sanitize::LogSanitizer;

/// How much of a line is shown, in bytes.
const LONGEST: usize = 4096;

/// The start of the escape sequences that set colours and weights; they end with `m`.
const CSI: &str = "\u{1b}[";

/// Converts a log to list items; it may be passed in pieces, cut anywhere.
#[derive(Clone, Debug)]
pub struct Lines {
    sanitizer: LogSanitizer,
    style: Style,
    /// The number of the next line.
    next: usize,
    pending: Vec<u8>,
    /// How many bytes of the current line are left out.
    left_out: usize,
}

/// The style of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    colour: Option<u8>,
    is_bold: bool,
    is_dim: bool,
    is_italic: bool,
    is_underlined: bool,
}

impl Lines {
    /// Starts with this line number.
    pub fn from(number: usize) -> Self {
        Self {
            sanitizer: LogSanitizer::default(),
            style: Style::default(),
            next: number,
            pending: Vec::new(),
            left_out: 0,
        }
    }

    /// Returns the number of the next line.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Appends the complete lines of the next piece to `out`.
    pub fn push(&mut self, part: &[u8], out: &mut String) {
        let sanitized = self.sanitizer.sanitize(part);
        self.take(&sanitized, out);
    }

    /// Appends the rest at the end of the log.
    pub fn finish(&mut self, out: &mut String) {
        let rest = self.sanitizer.finish();
        self.take(&rest, out);
        if !self.pending.is_empty() {
            self.line(out);
        }
    }

    fn take(&mut self, sanitized: &[u8], out: &mut String) {
        let mut lines = sanitized.split(|b| *b == b'\n');
        let last = lines.next_back().unwrap_or_default();
        for line in lines {
            self.keep(line);
            self.line(out);
        }
        self.keep(last);
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.pending.len()).min(part.len());
        self.pending.extend_from_slice(&part[..room]);
        self.left_out += part.len() - room;
    }

    fn line(&mut self, out: &mut String) {
        let line = std::mem::take(&mut self.pending);
        let number = self.next;
        self.next += 1;
        let _ = write!(
            out,
            "<li id=\"L{number}\"><a href=\"#L{number}\" tabindex=\"-1\">{number}</a>"
        );
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
        self.style = coloured(&line, self.style, out);
        match std::mem::take(&mut self.left_out) {
            0 => {}
            more => {
                let _ = write!(out, " … {more} more bytes");
            }
        }
        out.push_str("</li>\n");
    }
}

/// Converts a whole log whose first line has the number `from`; also returns the number of the line after it.
pub fn lines(log: &[u8], from: usize) -> (String, usize) {
    let (mut lines, mut out) = (Lines::from(from), String::new());
    lines.push(log, &mut out);
    lines.finish(&mut out);
    (out, lines.next)
}

/// Splits the log of a run into those of its steps, by the `NAME | ` in front of each line, in the order of their first lines. Lines
/// of the run itself are under an empty name.
pub fn steps(log: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut steps: Vec<(String, Vec<u8>)> = Vec::new();
    for line in log.split_inclusive(|b| *b == b'\n') {
        let (name, line) = step_of(line).unwrap_or(("", line));
        let place = match steps.iter().position(|(step, _)| step == name) {
            Some(place) => place,
            None => {
                steps.push((name.to_owned(), Vec::new()));
                steps.len() - 1
            }
        };
        steps[place].1.extend_from_slice(line);
    }
    steps
}

/// Returns the step's name in front of a line, and the line without it.
fn step_of(line: &[u8]) -> Option<(&str, &[u8])> {
    let bar = line.windows(3).take(64).position(|part| part == b" | ")?;
    let name = std::str::from_utf8(&line[..bar]).ok()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!name.is_empty() && name.chars().all(fits)).then(|| (name, &line[bar + 3..]))
}

/// Writes a line with its colours and without all other escape sequences. Returns the style at its end.
fn coloured(line: &str, mut style: Style, out: &mut String) -> Style {
    let mut pieces = line.split(CSI);
    put(pieces.next().unwrap_or_default(), style, out);
    for piece in pieces {
        // A sequence without an end was cut off with its line.
        if let Some((numbers, text)) = piece.split_once('m') {
            style = style.set(numbers);
            put(text, style, out);
        }
    }
    style
}

fn put(text: &str, style: Style, out: &mut String) {
    if text.is_empty() {
        return;
    }
    let classes = style.classes();
    if !classes.is_empty() {
        let _ = write!(out, "<span class=\"{classes}\">");
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    if !classes.is_empty() {
        out.push_str("</span>");
    }
}

impl Style {
    /// Applies one sequence of numbers separated by `;` or `:` (ECMA-48, SGR). Attributes without a class are ignored.
    fn set(mut self, numbers: &str) -> Self {
        let mut numbers = numbers
            .split([';', ':'])
            .map(|number| number.parse().unwrap_or(0_u16));
        while let Some(number) = numbers.next() {
            match number {
                0 => self = Self::default(),
                1 => self.is_bold = true,
                2 => self.is_dim = true,
                3 => self.is_italic = true,
                4 => self.is_underlined = true,
                22 => (self.is_bold, self.is_dim) = (false, false),
                23 => self.is_italic = false,
                24 => self.is_underlined = false,
                30..=37 => self.colour = Some((number - 30) as u8),
                90..=97 => self.colour = Some((number - 90) as u8),
                38 | 48 => {
                    let colour = match numbers.next() {
                        Some(5) => numbers.next().filter(|n| *n < 16).map(|n| (n % 8) as u8),
                        Some(2) => {
                            let _ = numbers.by_ref().take(3).count();
                            None
                        }
                        _ => None,
                    };
                    if number == 38 {
                        self.colour = colour;
                    }
                }
                39 => self.colour = None,
                _ => {}
            }
        }
        self
    }

    fn classes(self) -> String {
        let colour = self.colour.map(|colour| format!("f{colour}"));
        let flag = |is_on: bool, class: &str| is_on.then(|| class.to_owned());
        let all = [
            colour,
            flag(self.is_bold, "bo"),
            flag(self.is_dim, "di"),
            flag(self.is_italic, "it"),
            flag(self.is_underlined, "un"),
        ];
        all.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines without the HTML around each.
    fn shown(log: &[u8]) -> Vec<String> {
        let (all, _) = lines(log, 1);
        let inner = |line: &str| {
            let (_, text) = line.split_once("</a>").unwrap();
            text.strip_suffix("</li>").unwrap().to_owned()
        };
        all.lines().map(inner).collect()
    }

    #[test]
    fn log_colours_become_classes_and_continue_on_the_next_line() {
        let log = b"\x1b[1;31mred\n still\x1b[0m no\n\x1b[38;5;2mgreen\x1b[39m \x1b[38;2;1;2;3mtrue\x1b[48;5;1m x";
        assert_eq!(
            shown(log),
            [
                "<span class=\"f1 bo\">red</span>",
                "<span class=\"f1 bo\"> still</span> no",
                "<span class=\"f2\">green</span> true x",
            ]
        );
    }

    #[test]
    fn markup_and_other_escape_sequences_in_a_log_are_shown_as_text() {
        let log = b"<script>alert('&')</script>\n\x1b]0;title\x07\x1b[2J\x1b[31\n\xff \"x\"";
        let shown = shown(log);
        assert_eq!(shown[0], "&lt;script&gt;alert('&amp;')&lt;/script&gt;");
        assert!(
            shown
                .iter()
                .all(|line| !line.contains('\u{1b}') && !line.contains('\u{7}'))
        );
        assert!(shown[2].ends_with(" &quot;x&quot;"), "{shown:?}");
    }

    #[test]
    fn log_lines_are_the_same_for_any_chunking() {
        let log = "one\n\u{1b}[32mtwo äöü\u{1b}[0m\r\nthree\rfour\n\nfive".as_bytes();
        let whole = lines(log, 7);
        assert_eq!(whole.1, 13);
        for size in 1..8 {
            let (mut some, mut out) = (Lines::from(7), String::new());
            log.chunks(size).for_each(|part| some.push(part, &mut out));
            some.finish(&mut out);
            assert_eq!((out, some.next()), whole);
        }
    }

    #[test]
    fn endless_log_line_is_cut_with_bounded_memory() {
        let (mut some, mut out) = (Lines::from(1), String::new());
        for _ in 0..1000 {
            some.push(&[b'x'; 10_000], &mut out);
        }
        assert!(some.pending.len() <= LONGEST && out.is_empty());
        some.push(b"\nend\n", &mut out);
        assert!(out.contains("… 9995904 more bytes") && out.contains("id=\"L2\""));
        assert!(out.len() < 2 * LONGEST);
    }

    #[test]
    fn log_lines_of_steps_are_separated_by_their_prefix() {
        let log = b"run ca1\nbuild | $ docker <b>\ntest | ok\nbuild | a | b\n<i> | x\n";
        let steps = steps(log);
        let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["", "build", "test"]);
        assert_eq!(steps[1].1, b"$ docker <b>\na | b\n");
        assert_eq!(steps[0].1, b"run ca1\n<i> | x\n");
    }
}
