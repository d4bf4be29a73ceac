//! Logins of tasks: adds, updates, removes and lists them, and resolves references to secrets.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{Reference, reference::is_registry},
    registry::canonical,
    store::{file, secrets::Secrets},
    sys::{environment, secret::Secret},
    task::{Task, TaskKey},
    watch::{Baseline, Snapshot},
};

use super::{App, EventSink, task};

pub use super::answer::CredentialsAnswer;
pub use crate::{
    registry::{Login, LoginSource},
    store::secrets::StoredLogin,
};

/// The largest file that a login is read from.
const MAX_FILE: u64 = 64 * 1024;

/// Adds a login to a task.
///
/// # Errors
///
/// [`Kind::Failed`] if the task has one for that server; [`Kind::Invalid`] if the server is no host name.
pub fn add(
    app: &App,
    key: &TaskKey,
    server: &str,
    login: StoredLogin,
) -> Result<CredentialsAnswer> {
    let server = login_server(server)?;
    change(app, key, |credentials| {
        if credentials.contains_key(&server) {
            let text = format!("task `{key}` has a login for `{server}` already");
            return Err(Error::failed(text).hint(format!(
                "change it: acrt task credential update {} --login-server {server}",
                task::option_of(app, key)
            )));
        }
        credentials.insert(server, login);
        Ok(())
    })
}

/// Changes a login of a task.
///
/// # Errors
///
/// [`Kind::NotFound`] if the task has none for that server.
pub fn update(
    app: &App,
    key: &TaskKey,
    server: &str,
    username: Option<Secret>,
    password: Option<Secret>,
) -> Result<CredentialsAnswer> {
    let server = login_server(server)?;
    change(app, key, |credentials| {
        let login = credentials
            .get_mut(&server)
            .ok_or_else(|| none(app, key, &server))?;
        if let Some(username) = username {
            login.username = username;
        }
        if let Some(password) = password {
            login.password = password;
        }
        Ok(())
    })
}

/// Removes a login from a task. Returns whether there was one: a missing one is no error, as in az.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task; [`Kind::Invalid`] if the server is no host name.
pub fn remove(app: &App, key: &TaskKey, server: &str) -> Result<(CredentialsAnswer, bool)> {
    let server = login_server(server)?;
    let mut removed = None;
    let answer = change(app, key, |credentials| {
        removed = credentials.remove(&server);
        Ok(())
    })?;
    Ok((answer, removed.is_some()))
}

/// Returns the logins of a task.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task.
pub fn list(app: &App, key: &TaskKey) -> Result<CredentialsAnswer> {
    task::existing(app, key)?;
    Ok(CredentialsAnswer::new(&app.store.secrets(key)?))
}

/// Returns the logins of a task, with their references to variables and files resolved.
///
/// # Errors
///
/// [`Kind::Invalid`] where a variable is unset or a file cannot be read.
pub fn logins(key: Option<&TaskKey>, secrets: &Secrets) -> Result<Vec<Login>> {
    each_login(key, secrets).collect()
}

/// Returns each login of a task as [`logins`] does, or why it cannot be used. Without a task, they are options of the command.
pub(super) fn each_login(
    key: Option<&TaskKey>,
    secrets: &Secrets,
) -> impl Iterator<Item = Result<Login>> {
    let source = key.map_or(LoginSource::Options, |key| LoginSource::Task {
        name: key.name.to_string(),
        options: key.full_option(),
    });
    secrets.credentials.iter().map(move |(server, login)| {
        let of = format!(" of the login for `{server}`");
        let login = match key {
            None => looked_up(server.to_ascii_lowercase(), login, &of)?,
            Some(key) => {
                let of = format!("{of} of task `{key}`");
                looked_up(server.to_ascii_lowercase(), login, &of).map_err(|error| {
                    error.hint(format!(
                        "give another: acrt task credential update {} --login-server {server}",
                        key.full_option()
                    ))
                })?
            }
        };
        let source = source.clone();
        Ok(Login { source, ..login })
    })
}

/// Returns a login with its references to variables and files resolved. `of` is added to the names of its parts in errors.
pub(super) fn looked_up(registry: String, login: &StoredLogin, of: &str) -> Result<Login> {
    let username = resolved(&login.username, &format!("the user{of}"))?;
    Ok(Login {
        registry,
        username: username.reveal().to_owned(),
        secret: resolved(&login.password, &format!("the password{of}"))?,
        repositories: BTreeSet::new(),
        source: LoginSource::Options,
    })
}

/// Returns the logins of all tasks, for looks that tasks share. A login that cannot be used is reported and left out; `broken` counts the
/// files that cannot be used. `read` are the tasks whose files were read: images that they name now are theirs too.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be read.
pub fn all_logins(
    app: &App,
    read: &[Snapshot],
    broken: &mut usize,
    events: &EventSink<'_>,
) -> Result<Vec<Login>> {
    logins_at(app, |_| true, read, broken, events)
}

/// Returns the logins of all tasks at some registries, as [`all_logins`] does: those of others cannot be in the way.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be read.
pub fn logins_at(
    app: &App,
    is_wanted: impl Fn(&str) -> bool,
    read: &[Snapshot],
    broken: &mut usize,
    events: &EventSink<'_>,
) -> Result<Vec<Login>> {
    let mut of_tasks: Vec<(TaskKey, Vec<Login>)> = Vec::new();
    for key in app.store.keys_with_secrets()? {
        let secrets = events.report(app.store.secrets(&key));
        *broken += usize::from(secrets.is_none());
        let mut secrets = secrets.unwrap_or_default();
        secrets.credentials.retain(|server, _| is_wanted(server));
        let usable = each_login(Some(&key), &secrets).filter_map(|login| events.report(login));
        let logins: Vec<Login> = usable.collect();
        if !logins.is_empty() {
            of_tasks.push((key, logins));
        }
    }
    if of_tasks.is_empty() {
        return Ok(Vec::new());
    }
    let mut images: BTreeMap<TaskKey, Vec<Reference>> = app
        .store
        .followed()?
        .filter_map(|(key, followed)| Some((key, images_of(&followed.ok()?))))
        .collect();
    for snapshot in read.iter().filter(|snapshot| !snapshot.added.is_empty()) {
        let images = images.entry(snapshot.task.key()).or_default();
        images.extend_from_slice(&snapshot.added);
    }
    let mut all: Vec<Login> = Vec::new();
    for (key, logins) in of_tasks {
        let images = images.get(&key).map_or(&[][..], Vec::as_slice);
        for login in logins {
            narrow(&mut all, login, images);
        }
    }
    Ok(all)
}

/// Adds the login of a task for its repositories only: another task may have a different login for the same registry. The same login of
/// several tasks is added once.
fn narrow(all: &mut Vec<Login>, login: Login, images: &[Reference]) {
    let server = login.registry.clone();
    let own = images
        .iter()
        .filter(|image| canonical(image.registry()) == canonical(&server));
    let own = own.map(|image| image.repository().to_owned());
    let same = |other: &&mut Login| {
        (&other.registry, &other.username, &other.secret)
            == (&login.registry, &login.username, &login.secret)
    };
    match all.iter_mut().find(same) {
        Some(other) => other.repositories.extend(own),
        None => all.push(Login {
            // If the task has no image there, the empty name, which no image has, restricts the login to none of the repositories instead of
            // all.
            repositories: own.chain([String::new()]).collect(),
            ..login
        }),
    }
}

/// Returns the images that a task depends on, as its last run recorded them, and those that it pushes.
fn images_of((task, baseline): &(Task, Baseline)) -> Vec<Reference> {
    let recorded = baseline.dependencies.iter();
    let recorded = recorded.filter_map(|dependency| dependency.image.tagged().parse().ok());
    recorded.chain(task.stable_images()).collect()
}

fn change(
    app: &App,
    key: &TaskKey,
    make: impl FnOnce(&mut BTreeMap<String, StoredLogin>) -> Result<()>,
) -> Result<CredentialsAnswer> {
    let _lock = app.store.lock_tasks()?;
    task::existing(app, key)?;
    let mut secrets = app.store.secrets(key)?;
    make(&mut secrets.credentials)?;
    secrets.schema = Secrets::SCHEMA;
    app.store.save_secrets(key, &secrets)?;
    Ok(CredentialsAnswer::new(&secrets))
}

fn none(app: &App, key: &TaskKey, server: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("task `{key}` has no login for `{server}`"),
    )
    .hint(format!(
        "see which it has: acrt task credential list {}",
        task::option_of(app, key)
    ))
}

/// Reads a login server, with or without a scheme.
fn login_server(text: &str) -> Result<String> {
    let bare = text
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_end_matches('/');
    if is_registry(bare) {
        Ok(bare.to_ascii_lowercase())
    } else {
        Err(Error::invalid(format!(
            "login server `{}` is not a host name with an optional port",
            text.escape_debug()
        )))
    }
}

/// Resolves a value that may only say where the secret is kept: `env:NAME` or `file:PATH`.
///
/// # Errors
///
/// [`Kind::Invalid`] where a variable is unset or a file cannot be read.
pub fn resolved(value: &Secret, what: &str) -> Result<Secret> {
    let text = value.reveal();
    if let Some(name) = text.strip_prefix("env:") {
        environment::withhold(name);
        return environment::variable(name).map(Secret::new).ok_or_else(|| {
            Error::invalid(format!(
                "{what} is in the variable `{name}`, which is unset"
            ))
        });
    }
    if let Some(path) = text.strip_prefix("file:") {
        let cannot = || format!("{what} is in the file `{path}`, which cannot be read");
        let bytes = file::read(path.as_ref(), MAX_FILE)
            .context(Kind::Invalid, cannot)?
            .ok_or_else(|| Error::invalid(cannot()).because(anyhow::anyhow!("it is not there")))?;
        let text = String::from_utf8(bytes).context(Kind::Invalid, cannot)?;
        // The line end that editors and `echo` add is not part of a password.
        return Ok(Secret::new(text.trim_end_matches(['\n', '\r'])));
    }
    Ok(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(username: &str, password: &str) -> Secrets {
        Secrets {
            schema: Secrets::SCHEMA,
            credentials: BTreeMap::from([(
                "r.io".to_owned(),
                StoredLogin {
                    username: Secret::new(username),
                    password: Secret::new(password),
                },
            )]),
            ..Secrets::default()
        }
    }

    #[test]
    fn credential_shows_the_location_and_never_the_password() {
        let shown = |password| {
            let answer = CredentialsAnswer::new(&secrets("me", password));
            serde_json::to_value(answer).unwrap()["r.io"].clone()
        };
        assert_eq!(
            shown("hunter2")["password"]["value"],
            serde_json::Value::Null
        );
        assert_eq!(shown("env:TOKEN")["password"]["value"], "env:TOKEN");
        assert_eq!(shown("hunter2")["userName"]["value"], "me");
    }

    #[test]
    fn password_of_a_file_is_read_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2\n").unwrap();
        let logins = logins(None, &secrets("me", &format!("file:{}", path.display()))).unwrap();
        assert_eq!(logins[0].secret.reveal(), "hunter2");
        assert_eq!(logins[0].username, "me");
    }

    #[test]
    fn missing_password_is_an_error_with_its_location() {
        let error = logins(None, &secrets("me", "env:NO_SUCH_VARIABLE_HERE")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the password of the login for `r.io` is in the variable `NO_SUCH_VARIABLE_HERE`, which is unset"
        );
    }

    #[test]
    fn login_server_is_accepted_with_or_without_a_scheme() {
        assert_eq!(login_server("https://ghcr.io/").unwrap(), "ghcr.io");
        assert_eq!(login_server("LocalHost:5000").unwrap(), "localhost:5000");
        assert!(login_server("a b").is_err());
    }
}
