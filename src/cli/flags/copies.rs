//! Options of tasks that keep a copy.

use crate::error::{Context as _, Kind, Result};

/// Splits a command into its words as a shell does, without one: nothing in it is ever expanded.
pub fn words(command: &str) -> Result<Vec<String>> {
    shell_words::split(command).context(Kind::Invalid, || {
        format!("cannot use the command `{}`", command.escape_debug())
    })
}
