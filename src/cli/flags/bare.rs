//! What is named by an option, as in az, or by a bare word.

use std::fmt::Display;

use crate::error::{Error, Kind, Result};

/// Returns what was given once, by a bare word or by an option; the same twice is once.
pub fn one_of<T: PartialEq + Display>(
    bare: Option<T>,
    given: Option<T>,
    option: &str,
) -> Result<Option<T>> {
    match (bare, given) {
        (Some(bare), Some(given)) if bare != given => Err(Error::new(
            Kind::Invalid,
            format!("`{bare}` and `{option} {given}` name two things: one is meant"),
        )
        .hint("leave one of the two out")),
        (bare, given) => Ok(bare.or(given)),
    }
}
