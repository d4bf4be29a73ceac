//! Options whose value is the command line of a program.

use crate::error::{Context as _, Kind, Result};

/// Splits a command into words like a shell, without expanding anything.
pub fn words(command: &str) -> Result<Vec<String>> {
    shell_words::split(command).context(Kind::Invalid, || {
        format!("cannot use the command `{}`", command.escape_debug())
    })
}
