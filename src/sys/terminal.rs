//! The terminal: its width, and whether it gets colours and progress lines.

use std::io::{self, BufRead, Read as _};

use rustix::termios::{self, LocalModes, OptionalActions, Winsize};

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

/// Calls `prompt`, and reads a line that a person types on the terminal of stdin, without showing it; `None` after Ctrl-C.
pub fn read_hidden_line(prompt: impl FnOnce()) -> io::Result<Option<String>> {
    let stdin = io::stdin();
    let shown = termios::tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    // Ctrl-C is read as a byte: as a signal, it would leave the terminal without echo.
    let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    hidden.local_modes.remove(modes);
    termios::tcsetattr(&stdin, OptionalActions::Now, &hidden)?;
    prompt();
    let line = hidden_line(stdin.lock());
    termios::tcsetattr(&stdin, OptionalActions::Now, &shown)?;
    line
}

/// Reads a line as a terminal does: Ctrl-D ends it, and backspace removes a character.
fn hidden_line(typed: impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    for byte in typed.take(MAX_LINE).bytes() {
        match byte? {
            b'\n' | b'\r' | 0x04 => break,
            0x03 => return Ok(None),
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
    fn hidden_line_ends_at_enter_and_obeys_backspace_and_ctrl_c() {
        let typed = |bytes: &str| hidden_line(bytes.as_bytes()).unwrap();
        assert_eq!(typed("sesam\nrest").as_deref(), Some("sesam"));
        assert_eq!(typed("sé\u{7f}\u{7f}\u{7f}ab\u{8}\r").as_deref(), Some("a"));
        assert_eq!(typed("abc\u{4}d").as_deref(), Some("abc"));
        assert_eq!(typed("abc\u{3}"), None);
    }
}
