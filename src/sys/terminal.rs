//! The terminal: its width, and whether it gets colours and progress lines.

use std::io;

use rustix::termios;

use super::environment;

/// Returns the width of the terminal in columns; `None` where stdout is no terminal.
pub fn terminal_width() -> Option<usize> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Returns the height of the terminal in rows; `None` where stdout is no terminal.
pub fn terminal_height() -> Option<usize> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_row)).filter(|height| *height > 0)
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
