//! The terminal: its width, and whether it gets colours and progress lines.

use std::io::{self, BufRead, Read as _};

use rustix::termios::{self, LocalModes, OptionalActions, Termios, Winsize};

use super::environment;

/// How many bytes of a typed line are read.
const MAX_LINE: u64 = 64 * 1024;

/// Returns the width of the terminal in columns; `None` where stdout is no terminal.
pub fn terminal_width() -> Option<usize> {
    size_of(|size| size.ws_col)
}

/// Returns the height of the terminal in rows; `None` where stdout is no terminal.
pub fn terminal_height() -> Option<usize> {
    size_of(|size| size.ws_row)
}

fn size_of(side: impl FnOnce(Winsize) -> u16) -> Option<usize> {
    let size = side(termios::tcgetwinsize(io::stdout()).ok()?);
    (size > 0).then(|| usize::from(size))
}

/// The terminal of stdin while it does not show what is typed. Dropped, it is as it was before.
struct HiddenInput(Termios);

impl HiddenInput {
    fn begin() -> io::Result<Self> {
        let shown = termios::tcgetattr(io::stdin())?;
        let mut hidden = shown.clone();
        // Ctrl-C is read as a byte, so that it also ends a line that is read without a handler of signals.
        let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        hidden.local_modes.remove(modes);
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self(shown))
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Calls `prompt`, and reads a line that a person types on the terminal of stdin, without showing it; `None` after Ctrl-C. If the future is
/// dropped, the terminal shows again what is typed.
pub async fn read_hidden_line(prompt: impl FnOnce()) -> io::Result<Option<String>> {
    let _hidden = HiddenInput::begin()?;
    prompt();
    tokio::task::spawn_blocking(|| hidden_line(io::stdin().lock())).await?
}

/// Reads a line as a terminal does: Ctrl-D ends it, backspace removes a character, Ctrl-W a word, and Ctrl-U all.
fn hidden_line(typed: impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    for byte in typed.take(MAX_LINE).bytes() {
        match byte? {
            b'\n' | b'\r' | 0x04 => break,
            0x03 => return Ok(None),
            0x15 => line.clear(),
            0x17 => {
                let word = line.trim_ascii_end();
                let blank = word.iter().rposition(u8::is_ascii_whitespace);
                line.truncate(blank.map_or(0, |at| at + 1));
            }
            0x08 | 0x7f => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            byte => line.push(byte),
        }
    }
    String::from_utf8(line).map(Some).map_err(io::Error::other)
}

/// Tells whether a stream gets colours: `NO_COLOR` turns them off, `CLICOLOR_FORCE` on; else a terminal that is not dumb gets them.
pub fn wants_colour(is_terminal: bool) -> bool {
    if variable("NO_COLOR").is_some() {
        return false;
    }
    if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let off = variable("CLICOLOR").is_some_and(|value| value == "0");
    is_terminal && !off && variable("TERM").is_some_and(|term| term != "dumb")
}

/// Tells whether a stream gets a progress line that is redrawn: a terminal that is not dumb, and not the log of a CI job, which would keep
/// every drawing.
pub fn wants_progress(is_terminal: bool) -> bool {
    is_terminal && variable("CI").is_none() && variable("TERM").is_some_and(|term| term != "dumb")
}

fn variable(name: &str) -> Option<String> {
    environment::variable(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_line_ends_at_enter_and_obeys_the_keys_of_a_terminal() {
        let typed = |bytes: &str| hidden_line(bytes.as_bytes()).unwrap();
        assert_eq!(typed("sesam\nrest").as_deref(), Some("sesam"));
        assert_eq!(typed("sé\u{7f}\u{7f}\u{7f}ab\u{8}\r").as_deref(), Some("a"));
        assert_eq!(typed("abc\u{4}d").as_deref(), Some("abc"));
        assert_eq!(typed("abc\u{3}"), None);
        assert_eq!(typed("abc\u{15}d\n").as_deref(), Some("d"));
        assert_eq!(typed("a bc  \u{17}d\n").as_deref(), Some("a d"));
        assert_eq!(typed("abc\u{17}\u{17}d\n").as_deref(), Some("d"));
    }
}
