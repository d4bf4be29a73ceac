//! Makes the crontab line and the systemd unit for `task watch`, with settings that cron and systemd do not know, such as the `PATH` of the
//! builder.

use std::{env, path::Path};

use crate::{
    error::{Context as _, Error, Kind, Result},
    ops::{App, NOT_UTF8, joined::joined},
    secret::without_login,
    sys::{environment, ownership::INSIST},
};

/// How many characters Debian's cron takes for a command.
const MAX_COMMAND: usize = 998;

/// The systemd unit that packages install.
const UNIT: &str = include_str!("../../../docs/systemd/acrt-watch.service");

/// Environment variables by which registries, builders, their stores and their logins are found, or by which builders choose what they build.
/// None of them is secret, except the login in the URL of a proxy: such a URL is left out.
const VARIABLES: &str = "
    PATH HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    SSL_CERT_FILE SSL_CERT_DIR DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS
    DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_BUILDKIT DOCKER_DEFAULT_PLATFORM BUILDX_BUILDER
    BUILDX_CONFIG CONTAINER_HOST CONTAINER_CONNECTION CONTAINER_SSHKEY CONTAINERS_CONF
    CONTAINERS_REGISTRIES_CONF CONTAINERS_STORAGE_CONF STORAGE_DRIVER STORAGE_OPTS
    BUILDAH_FORMAT BUILDAH_ISOLATION BUILDKIT_HOST REGISTRY_AUTH_FILE XDG_RUNTIME_DIR
    XDG_CONFIG_HOME XDG_DATA_HOME ACRT_BUILDER ACRT_REGISTRY
";

struct WatchCommand {
    variables: Vec<(&'static str, String)>,
    words: Vec<String>,
}

impl WatchCommand {
    /// Returns the call of `task watch` with these options.
    fn of(app: &App, options: &[&str], others: &[String]) -> Result<Self> {
        let program = env::current_exe().context(Kind::Failed, || {
            "cannot find out where acrt itself is".to_owned()
        })?;
        let mut words = vec![absolute(&program)?, "--state-dir".to_owned()];
        words.push(absolute(app.store.layout().root())?);
        let config = app.settings.config_path.as_deref();
        if let Some(config) = config.filter(|path| path.exists()) {
            words.extend(["--config".to_owned(), absolute(config)?]);
        }
        let around = &app.global_options;
        if let Some(builder) = &around.builder {
            words.extend(["--builder".to_owned(), builder.clone()]);
        }
        if around.allow_unsafe_permissions {
            words.push("--allow-unsafe-permissions".to_owned());
        }
        let watch = ["task", "watch"].iter().chain(options);
        words.extend(watch.map(|word| (*word).to_owned()));
        words.extend_from_slice(others);
        let variables = VARIABLES
            .split_whitespace()
            .chain([INSIST])
            .filter_map(|name| Some((name, environment::variable(name)?)))
            .map(|(name, value)| match name {
                "PATH" => (name, usable_path(&value)),
                _ => (name, value),
            })
            .filter(|(_, value)| !value.is_empty() && !value.contains('\n'))
            .filter(|(name, value)| !is_proxy(name) || without_login(value) == *value)
            .collect();
        Ok(Self { variables, words })
    }
}

/// Returns a `PATH` without what finds no program under cron: folders that do not exist, relative ones, and those that it has already.
fn usable_path(path: &str) -> String {
    let mut folders: Vec<&str> = Vec::new();
    for folder in path.split(':') {
        let at = Path::new(folder);
        if at.is_absolute() && at.is_dir() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.join(":")
}

fn is_proxy(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// Returns a path as a crontab line or a unit names it.
///
/// # Errors
///
/// [`Kind::Invalid`] where the current folder is not known, or the path is not UTF-8.
pub fn absolute(path: &Path) -> Result<String> {
    let cannot = |path: &Path| format!("cannot use `{}`", path.display());
    let path = std::path::absolute(path).context(Kind::Invalid, || cannot(path))?;
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::invalid(cannot(&path)).because(anyhow::anyhow!(NOT_UTF8))),
    }
}

/// Returns a crontab line that runs a round every five minutes, with these options of `task watch`. A `%` is escaped, because cron takes it
/// for a line end.
///
/// # Errors
///
/// [`Kind::Failed`] where the program cannot find its own file; [`Kind::Invalid`] where the line is longer than cron takes.
pub fn crontab(app: &App, options: &[String]) -> Result<String> {
    let call = WatchCommand::of(app, &["--once"], options)?;
    let variables = call.variables.iter();
    let variables = variables.map(|(name, value)| format!("{name}={}", shell_words::quote(value)));
    let words = call
        .words
        .iter()
        .map(|word| shell_words::quote(word).into_owned());
    let line = joined(variables.chain(words), " ");
    let line = line.replace('%', "\\%");
    if line.len() > MAX_COMMAND {
        let length = line.len();
        return Err(Error::invalid(format!(
            "cannot make a crontab line: its command has {length} characters, and cron takes {MAX_COMMAND}"
        ))
        .hint("give it a PATH with only the folders that the builder needs, as in `PATH=/usr/bin:/bin acrt task watch --print-crontab`, or use systemd: --print-unit"));
    }
    Ok(format!("*/5 * * * * {line}\n"))
}

/// Returns the systemd unit that packages install, with the paths of this program and its folders, and these options of `task watch`.
pub fn unit(app: &App, options: &[String]) -> Result<String> {
    let call = WatchCommand::of(app, &[], options)?;
    let words = call
        .words
        .iter()
        .map(|word| escaped(word).replace('$', "$$"));
    let words = joined(words, " ");
    let mut text = String::new();
    for line in UNIT.lines() {
        if line.starts_with("ExecStart=") {
            for (name, value) in &call.variables {
                text.push_str(&format!(
                    "Environment={}\n",
                    escaped(&format!("{name}={value}"))
                ));
            }
            text.push_str(&format!("ExecStart={words}\n"));
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    Ok(text)
}

/// Quotes a word for systemd if needed, and doubles `%`.
fn escaped(word: &str) -> String {
    let word = word.replace('%', "%%");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.:=@+,%".contains(c);
    if word.chars().all(is_plain) {
        word
    } else {
        format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_that_is_not_utf8_is_refused_instead_of_named_differently() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/caf\xe9"));
        let error = absolute(path).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.one_line().ends_with(NOT_UTF8), "{error}");
        assert_eq!(absolute(Path::new("/café")).unwrap(), "/café");
    }

    #[test]
    fn path_for_cron_has_each_existing_absolute_folder_once() {
        let path = "/usr/bin:/no/such:relative::/bin:/usr/bin:/";
        assert_eq!(usable_path(path), "/usr/bin:/bin:/");
        assert_eq!(usable_path(""), "");
    }
}
