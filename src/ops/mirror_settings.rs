//! The mirrors that the config file names.

use crate::{
    error::{Context as _, Kind, Result},
    image::{Mirrors, reference::is_registry},
    sys::{aliases::Aliases, settings::Settings},
};

/// Reads the table of mirrors in the config file.
///
/// # Errors
///
/// [`Kind::Invalid`] with the file, where an entry is not valid.
pub fn mirrors(settings: &Settings) -> Result<Mirrors> {
    let path = settings.config_path.as_ref();
    let aliases = settings.aliases();
    let table = settings.config.mirrors.iter();
    let table: Vec<(String, &str)> = table
        .map(|(source, copy)| (own_name(&aliases, source), copy.as_str()))
        .collect();
    let table = table.iter().map(|(source, copy)| (source.as_str(), *copy));
    Mirrors::new(table).context(Kind::Invalid, || {
        let path = path.map(|path| path.display().to_string());
        format!("cannot use `mirrors` in `{}`", path.unwrap_or_default())
    })
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
