//! Values of the config file that are kept as text there, because `sys` does not know their form.

use crate::{
    error::{Error, Kind, Result},
    sys::config::Config,
    task::{Age, Window},
};

/// Returns the minimum age of a base's digest that the config file sets.
///
/// # Errors
///
/// [`Kind::Invalid`] where it is no duration.
pub fn min_age(config: &Config) -> Result<Age> {
    let age = config.defaults.min_age.as_deref();
    let age = age.map(str::parse::<Age>).transpose();
    Ok(age
        .map_err(|why| unusable("defaults.minAge", why))?
        .unwrap_or_default())
}

/// Returns the windows that the config file sets.
///
/// # Errors
///
/// [`Kind::Invalid`] where one is no window.
pub fn windows(config: &Config) -> Result<Vec<Window>> {
    let windows = config.defaults.windows.iter();
    let windows: Result<_, _> = windows.map(|text| text.parse::<Window>()).collect();
    windows.map_err(|why| unusable("defaults.windows", why))
}

/// Returns the error about a value of the config file, with the command that removes it.
fn unusable(key: &str, why: impl Into<anyhow::Error>) -> Error {
    Error::new(
        Kind::Invalid,
        format!("cannot use `{key}` in the config file"),
    )
    .because(why)
    .hint(format!("to remove it: acrt config unset {key}"))
}
