//! Reads and changes the config file, one value at a time.

use std::{
    fmt::Display,
    fs::File,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Serialize;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{
        Mirrors,
        reference::{is_registry, meant_registry},
    },
    listen::{self, Access},
    store::file,
    sys::{
        config::Config,
        config_file::{self, ConfigEditError, Key},
        environment, ownership,
        plain_file::to_replace,
        settings::Settings,
    },
};

use super::{
    GlobalOptions,
    config_values::{min_age, windows},
    notify, verify,
};

/// How many open files every run needs at least.
const FEWEST_FILES: u64 = 64;

const READ: &str = "cannot read the config file";

/// A value of the config file. A secret one is shown as `***`, unless it only says where the secret is kept.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Its key, such as `defaults.registry`.
    pub name: String,
    value: serde_json::Value,
    source: PathBuf,
}

/// Returns all values that the config file has, in the order of the file.
///
/// # Errors
///
/// [`Kind::Invalid`] where the file does not parse.
pub fn list(around: &GlobalOptions) -> Result<Vec<Entry>> {
    let (path, text) = read(around)?;
    let entries = config_file::entries(&text).map_err(|problem| refused(READ, &path, problem))?;
    entries
        .into_iter()
        .map(|(key, value)| entry(&path, &key, &value))
        .collect()
}

/// Returns one value of the config file.
///
/// # Errors
///
/// [`Kind::NotFound`] where the file has no such value.
pub fn get(around: &GlobalOptions, name: &str) -> Result<Entry> {
    let (path, text) = read(around)?;
    let refused = |problem| refused(READ, &path, problem);
    let key: Key = name.parse().map_err(refused)?;
    match config_file::get(&text, &key).map_err(refused)? {
        Some(value) => entry(&path, &key, &value),
        None => Err(not_set(&path, &key)),
    }
}

/// Sets all of these values or none, and creates the file if there is none. `check_format` says why a text is no output format of every command.
///
/// # Errors
///
/// [`Kind::Invalid`] for an unknown key, or a value that the key does not accept.
pub fn set(
    around: &GlobalOptions,
    pairs: &[(String, String)],
    check_format: fn(&str) -> Result<(), String>,
) -> Result<()> {
    let _held = hold(around)?;
    let (path, mut text) = read(around)?;
    let before = text.clone();
    for (name, value) in pairs {
        let doing = format!("cannot set `{}` in", name.escape_debug());
        let refused = |problem| refused(&doing, &path, problem);
        let key: Key = name.parse().map_err(refused)?;
        text = config_file::set(&text, &key, value).map_err(refused)?;
        let alone = config_file::alone(&key, value).map_err(refused)?;
        check(&alone, check_format)
            .context(Kind::Invalid, || format!("{doing} `{}`", path.display()))?;
    }
    check_change(&path, &before, &text)?;
    write(&path, &text)
}

/// Removes all of these values or none.
///
/// # Errors
///
/// [`Kind::NotFound`] where the file has no such value.
pub fn unset(around: &GlobalOptions, names: &[String]) -> Result<()> {
    let _held = hold(around)?;
    let (path, mut text) = read(around)?;
    let before = text.clone();
    for name in names {
        let doing = format!("cannot remove `{}` from", name.escape_debug());
        let refused = |problem| refused(&doing, &path, problem);
        let key: Key = name.parse().map_err(refused)?;
        text = config_file::unset(&text, &key)
            .map_err(refused)?
            .ok_or_else(|| not_set(&path, &key))?;
    }
    check_change(&path, &before, &text)?;
    write(&path, &text)
}

/// Returns the output format that `$ACRT_OUTPUT` or `defaults.output` of the config file names. A config file that cannot be used is reported
/// by the command itself.
///
/// # Errors
///
/// [`Kind::Invalid`] where it is no known format.
pub fn default_format<F: FromStr<Err: Display>>(around: &GlobalOptions) -> Result<Option<F>> {
    let parse = |text: &str, place: &str| {
        let format = text.parse().map(Some);
        format.map_err(|problem: F::Err| Error::invalid(format!("{place}: {problem}")))
    };
    if let Some(text) = environment::variable("ACRT_OUTPUT").filter(|text| !text.is_empty()) {
        return parse(&text, "ACRT_OUTPUT");
    }
    let insists = around.allow_unsafe_permissions;
    let settings = Settings::load(around.config.as_deref(), None, insists).ok();
    match settings.and_then(|settings| settings.config.defaults.output) {
        Some(text) => parse(&text, "defaults.output in the config file")
            .map_err(|error| error.hint("to remove it: acrt config unset defaults.output")),
        None => Ok(None),
    }
}

pub fn keys() -> Vec<String> {
    config_file::KEYS
        .iter()
        .map(|key| (*key).to_owned())
        .collect()
}

/// Refuses values whose form the config file itself does not know: a command that needs them would refuse them later.
fn check(config: &Config, check_format: fn(&str) -> Result<(), String>) -> Result<()> {
    let invalid = |problem: String| Err(Error::invalid(problem));
    let defaults = &config.defaults;
    let servers = config.registries.values().flat_map(|it| &it.login_server);
    let aliases = config.registries.values().flat_map(|it| &it.aliases);
    let hooks = config.listen.values().flat_map(|it| &it.registry);
    // A name of the config file's own may have `_` too.
    let is_bare = |name: &&String| {
        name.chars()
            .all(|c| c.is_alphanumeric() || "-_".contains(c))
    };
    let keys = config.registries.keys().filter(|name| !is_bare(name));
    let names = (defaults.registry.iter().chain(servers)).chain(aliases.chain(hooks));
    if let Some(name) = names.chain(keys).find(|name| !is_registry(name)) {
        let error = Error::invalid(format!(
            "registry `{}` is not a host name with an optional port",
            name.escape_debug()
        ));
        return Err(match meant_registry(name) {
            Some(meant) => error.hint(meant),
            None => error,
        });
    }
    let files = config.limits.open_files;
    if (1..FEWEST_FILES).contains(&files) {
        return invalid(format!(
            "with `limits.openFiles` of {files} no run could start: it is at least {FEWEST_FILES}, or 0 for no limit"
        ));
    }
    let copies = config.mirrors.iter();
    if let Err(problem) = Mirrors::new(copies.map(|(of, copy)| (of.as_str(), copy.as_str()))) {
        return invalid(format!("cannot use `mirrors`: {problem}"));
    }
    verify::check(&config.verify)?;
    notify::check(&config.notify)?;
    listen::check_names(config.listen.keys())?;
    if let Some(Err(problem)) = defaults.output.as_deref().map(check_format) {
        return invalid(problem);
    }
    if let Err(problem) = (min_age(config).map(drop)).and_then(|()| windows(config).map(drop)) {
        return invalid(problem.causes().join(": "));
    }
    Access::new(None, &config.page.trust_proxy, config.page.url.clone()).map(drop)
}

fn check_change(path: &Path, before: &str, after: &str) -> Result<()> {
    config_file::check_change(before, after)
        .map_err(|problem| refused("cannot change", path, problem))
}

/// Returns the path of the config file; of a link, that of the file that it leads to.
fn path_of(around: &GlobalOptions) -> Result<PathBuf> {
    let (Some(path), _) = Settings::config_path(around.config.as_deref()) else {
        return Err(Error::invalid("cannot tell where the config file is")
            .hint("set ACRT_CONFIG or give --config"));
    };
    let cannot = || format!("cannot use the config file `{}`", path.display());
    let path = std::path::absolute(&path).context(Kind::Invalid, cannot)?;
    // A change replaces the file, and the link stays.
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    if let Ok(metadata) = std::fs::metadata(&path)
        && !(around.allow_unsafe_permissions || Settings::insists())
    {
        ownership::check("the config file", &path, &metadata)?;
    }
    Ok(path)
}

fn read(around: &GlobalOptions) -> Result<(PathBuf, String)> {
    let path = path_of(around)?;
    let bytes = file::read(&path, file::MAX_YAML)?.unwrap_or_default();
    let text = String::from_utf8(bytes).context(Kind::Invalid, || {
        format!("cannot read the config file `{}`", path.display())
    })?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    Ok((path, text))
}

/// Takes the lock for changes of the config file: that of its folder. None where the file system has no such locks.
fn hold(around: &GlobalOptions) -> Result<Option<File>> {
    let path = path_of(around)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    file::make_folders(folder)?;
    let folder = File::open(folder);
    Ok(folder.and_then(|it| it.lock().map(|()| it)).ok())
}

/// Replaces the file atomically, and keeps its permissions.
fn write(path: &Path, text: &str) -> Result<()> {
    let path = &to_replace(path).context(Kind::Invalid, || {
        format!("cannot change the config file `{}`", path.display())
    })?;
    let allowed = std::fs::metadata(path).map(|metadata| metadata.permissions());
    file::replace(path, text.as_bytes())?;
    match allowed {
        Ok(allowed) => std::fs::set_permissions(path, allowed).context(Kind::Failed, || {
            format!("cannot set the permissions of `{}`", path.display())
        }),
        Err(_) => Ok(()),
    }
}

fn entry(path: &Path, key: &Key, value: &serde_yaml::Value) -> Result<Entry> {
    let value = serde_json::to_value(key.shown(value)).context(Kind::Invalid, || {
        format!("cannot show `{key}` of `{}`", path.display())
    })?;
    Ok(Entry {
        name: key.to_string(),
        value,
        source: path.to_owned(),
    })
}

/// Returns the error for a change that cannot be made; `doing` says what the change was.
fn refused(doing: &str, path: &Path, problem: ConfigEditError) -> Error {
    let error = Error::invalid(format!("{doing} `{}`", path.display()));
    match problem {
        ConfigEditError::Style => error.because(problem).hint("edit it by hand"),
        problem => error.because(problem),
    }
}

fn not_set(path: &Path, key: &Key) -> Error {
    Error::new(
        Kind::NotFound,
        format!("`{key}` is not set in `{}`", path.display()),
    )
    .hint("see what is set: acrt config list -o table")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt as _;

    use super::*;

    #[test]
    fn pipe_in_place_of_the_config_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let error = write(&path, "runs: {keep: 5}\n").unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.one_line().contains("not a regular file"), "{error}");
        assert!(std::fs::metadata(&path).unwrap().file_type().is_fifo());
    }
}
