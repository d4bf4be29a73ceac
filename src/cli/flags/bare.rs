//! Values given by an option, as in az, or by a bare argument.

use std::fmt::Display;

use crate::error::{Error, Result};

/// Returns the value of a bare argument or an option; both may be given if they are equal.
pub fn one_of<T: PartialEq + Display>(
    bare: Option<T>,
    given: Option<T>,
    option: &str,
) -> Result<Option<T>> {
    match (bare, given) {
        (Some(bare), Some(given)) if bare != given => Err(Error::invalid(format!(
            "`{}` and `{option} {}` contradict each other",
            bare.to_string().escape_debug(),
            given.to_string().escape_debug()
        ))
        .hint("leave one of the two out")),
        (bare, given) => Ok(bare.or(given)),
    }
}
