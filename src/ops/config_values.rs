//! Values of the config file that are kept as text there, because `sys` does not know their form.

use std::collections::BTreeMap;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{InvalidMirror, Mirrors, reference::is_registry},
    sys::{aliases::Aliases, config::Config, settings::Settings},
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
    Error::invalid(format!("cannot use `{key}` in the config file"))
        .because(why)
        .hint(format!("to remove it: acrt config unset {key}"))
}

/// Reads the table of mirrors in the config file.
///
/// # Errors
///
/// [`Kind::Invalid`] with the file, where an entry is not valid.
pub fn mirrors(settings: &Settings) -> Result<Mirrors> {
    let path = settings.config_path.as_ref();
    mirrors_of(settings, &settings.config.mirrors).context(Kind::Invalid, || {
        let path = path.map(|path| path.display().to_string());
        format!("cannot use `mirrors` in `{}`", path.unwrap_or_default())
    })
}

/// Reads a table of mirrors, in which any name of a registry stands for all of them.
///
/// # Errors
///
/// [`InvalidMirror`] for an entry that is not valid.
pub fn mirrors_of(
    settings: &Settings,
    table: &BTreeMap<String, String>,
) -> Result<Mirrors, InvalidMirror> {
    let aliases = settings.aliases();
    let table = table.iter();
    let table: Vec<(String, &str)> = table
        .map(|(source, copy)| (own_name(&aliases, source), copy.as_str()))
        .collect();
    Mirrors::new(table.iter().map(|(source, copy)| (source.as_str(), *copy)))
}

/// Replaces the registry in a name or name prefix by its canonical name, if the name has one.
fn own_name(aliases: &Aliases, source: &str) -> String {
    let (host, rest) = match source.split_once('/') {
        Some((host, rest)) => (host, format!("/{rest}")),
        None => (source, String::new()),
    };
    if is_registry(host) && host.contains(['.', ':', ']']) || host.eq_ignore_ascii_case("localhost")
    {
        format!("{}{rest}", aliases.registry(host))
    } else {
        source.to_owned()
    }
}
