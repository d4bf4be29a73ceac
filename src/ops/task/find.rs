//! Resolves the names that the user typed to a task and a registry.

use std::collections::BTreeSet;

use crate::{
    error::{Error, Kind, Result},
    image::reference::meant_registry,
    ops::App,
    store::Store,
    sys::near::near,
    task::{RunId, Task, TaskKey, TaskName, shared_names},
};

/// Returns the keys of all tasks, from the names of their files alone.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory itself cannot be read.
pub fn keys(app: &App) -> Result<Vec<TaskKey>> {
    app.store.task_keys()
}

/// Finds the task that a name means: on `registry` if one is given, else on the default registry, else the only one of that name.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is none, [`Kind::Invalid`] if there are several.
pub fn find(app: &App, name: &TaskName, registry: Option<&str>) -> Result<TaskKey> {
    let on = |registry: String| TaskKey {
        registry,
        name: name.clone(),
    };
    let mut keys: Vec<TaskKey> = Vec::new();
    if let Some(registry) = registry {
        let key = on(app.settings.login_server(registry));
        if app.store.layout().task(&key).exists() {
            return Ok(key);
        }
        // The registry may be written with an alias.
        keys.extend(app.store.task_keys()?);
        keys.retain(|other| app.is_same_registry(&other.registry, &key.registry));
    } else {
        keys.extend(app.store.task_keys()?);
    }
    keys.retain(|key| key.name == *name);
    match keys.len() {
        0 => Err(not_found(app, name, registry)),
        1 => Ok(keys.remove(0)),
        _ => default_registry(app)
            .and_then(|registry| {
                let exact = keys.iter().find(|key| key.registry == registry);
                let mut all = keys.iter();
                exact.or_else(|| all.find(|key| app.is_same_registry(&key.registry, &registry)))
            })
            .cloned()
            .ok_or_else(|| {
                let registries: Vec<_> = keys.iter().map(|key| key.registry.as_str()).collect();
                Error::invalid(format!(
                    "several registries have a task `{name}`: {}",
                    registries.join(", ")
                ))
                .hint(format!("say which one, as --registry {}", keys[0].registry))
            }),
    }
}

/// Returns the definition of a task, or an error if it does not exist.
///
/// # Errors
///
/// [`Kind::NotFound`] if it does not exist; [`Kind::Invalid`] if its file cannot be used.
pub fn existing(app: &App, key: &TaskKey) -> Result<Task> {
    app.store
        .task(key)?
        .ok_or_else(|| not_found(app, &key.name, None))
}

/// Returns the option that names a task in a command: `--name web`, with the registry where several have a task of that name.
pub fn option_of(app: &App, key: &TaskKey) -> String {
    if app.store.has_namesake(key).unwrap_or_default() {
        key.full_option()
    } else {
        key.option()
    }
}

/// Returns the name of a task, with the registry where several have a task of that name.
pub fn name_of(app: &App, key: &TaskKey) -> String {
    if app.store.has_namesake(key).unwrap_or_default() {
        key.full()
    } else {
        key.name.to_string()
    }
}

/// Returns the names that several registries have a task of. A state directory that cannot be read has none: other errors report it.
pub fn ambiguous_names(store: &Store) -> BTreeSet<TaskName> {
    let keys = store.task_keys().unwrap_or_default();
    shared_names(keys.into_iter().map(|key| key.name))
}

pub fn default_registry(app: &App) -> Option<String> {
    let name = app
        .settings
        .registry
        .as_ref()
        .or(app.settings.config.defaults.registry.as_ref())?;
    Some(app.settings.login_server(name))
}

/// Returns the registry of a new task: the given one, else the one that its images name, else the default.
pub fn registry_for(app: &App, given: Option<&str>, images: &[String]) -> Result<String> {
    let hint = if images.is_empty() {
        "give --registry, or set ACRT_REGISTRY"
    } else {
        "give --registry, or set ACRT_REGISTRY, or put the registry into --image"
    };
    registry_or(app, given, images, ("the task's images go to", hint))
}

/// Returns the registry that a command is about: the given one, else the one that the name of an image or a repository begins with, else
/// the default.
pub fn named_registry(app: &App, given: Option<&str>, name: Option<&str>) -> Result<String> {
    let names: Vec<String> = name.into_iter().map(str::to_owned).collect();
    let hint = "name it, as localhost:5000, or set ACRT_REGISTRY";
    registry_or(app, given, &names, ("is meant", hint))
}

fn registry_or(
    app: &App,
    given: Option<&str>,
    images: &[String],
    (which, hint): (&str, &str),
) -> Result<String> {
    if let Some(image) = images.iter().find(|image| image.contains("://")) {
        let (_, rest) = image.split_once("://").unwrap_or_default();
        let (image, rest) = (image.escape_debug(), rest.escape_debug());
        return Err(
            Error::invalid(format!("`{image}` is an address, and no image"))
                .hint(format!("write {rest}")),
        );
    }
    let registry = match given {
        Some(name) => app.settings.login_server(name),
        None => match images_registry(images).or_else(|| default_registry(app)) {
            Some(registry) => registry,
            None => {
                let mut text = format!("cannot tell which registry {which}");
                let named: Vec<String> = named_hosts(images).into_iter().collect();
                let hint = match crate::sys::environment::variable("AZURE_DEFAULTS_ACR") {
                    _ if named.len() > 1 => {
                        text = format!(
                            "{text}: the names are on different ones, `{}`",
                            named.join("`, `")
                        );
                        "say which is the main one, with --registry or ACRT_REGISTRY: names keep the registry that they begin with".to_owned()
                    }
                    Some(name) => {
                        format!("$AZURE_DEFAULTS_ACR is for az alone: set ACRT_REGISTRY={name}")
                    }
                    None => hint.into(),
                };
                return Err(Error::invalid(text).hint(hint));
            }
        },
    };
    if crate::image::reference::is_registry(&registry) {
        Ok(registry)
    } else {
        Err(Error::invalid(format!(
            "registry `{}` is not a host name with an optional port",
            registry.escape_debug()
        ))
        .hint(match meant_registry(&registry) {
            Some(meant) => meant,
            None => "name it as ghcr.io or localhost:5000, with a port from 1 to 65535".to_owned(),
        }))
    }
}

/// Returns the registry that all images name, if it is the same.
fn images_registry(images: &[String]) -> Option<String> {
    let mut registries = images.iter().map(|image| named_host(image));
    let first = registries.next()??;
    registries
        .all(|registry| registry.as_ref() == Some(&first))
        .then_some(first)
}

fn named_hosts(images: &[String]) -> BTreeSet<String> {
    images
        .iter()
        .filter_map(|image| named_host(image))
        .collect()
}

fn named_host(image: &str) -> Option<String> {
    let host = image.split_once('/')?.0;
    let is_host = host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost");
    is_host.then(|| host.to_ascii_lowercase())
}

/// Refuses a name that differs from an existing one only in case: on some machines both would be the same file, and it is likely a mistake.
pub fn refuse_other_case(app: &App, key: &TaskKey) -> Result<()> {
    let other =
        app.store.task_keys()?.into_iter().find(|other| {
            other.registry == key.registry && other.name.differs_only_in_case(&key.name)
        });
    match other {
        Some(other) => Err(Error::invalid(format!(
            "a task `{other}` exists, and `{key}` differs from it only in case"
        ))
        .hint("choose another name, or use the name as it is spelled there")),
        None => Ok(()),
    }
}

/// If there are no tasks, returns a message that says how to create one.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be read.
pub fn none_yet(app: &App) -> Result<Option<String>> {
    let folder = app.store.layout().root().display();
    let none = format!("no tasks in `{folder}`; to make one: acrt task create --help");
    Ok(app.store.task_keys()?.is_empty().then_some(none))
}

/// Returns the error about a task that does not exist, with a task of the same name elsewhere or of a similar name.
pub fn not_found(app: &App, name: &TaskName, registry: Option<&str>) -> Error {
    let on = registry.map(|registry| app.settings.login_server(registry));
    let place = on.map_or(String::new(), |registry| {
        format!(" of registry `{registry}`")
    });
    let error = Error::new(Kind::NotFound, format!("no task `{name}`{place}"));
    let keys = app.store.task_keys().unwrap_or_default();
    if keys.is_empty() {
        let folder = app.store.layout().root().display();
        return error.hint(format!(
            "there are no tasks in `{folder}`; to make one: acrt task create --help"
        ));
    }
    if let Some(key) = keys.iter().find(|key| key.name == *name) {
        return error.hint(format!("there is one of registry `{}`", key.registry));
    }
    // The user may have typed the id of a run.
    if let Ok(id) = name.as_str().parse::<RunId>()
        && app.store.run(id).is_ok_and(|run| run.is_some())
    {
        return error.hint(format!("`{id}` is a run: acrt task show-run {id}"));
    }
    match near(name.as_str(), keys.iter().map(|key| key.name.to_string())) {
        Some(other) => error.hint(format!(
            "did you mean `{other}`? To list all: acrt task list"
        )),
        None => error.hint("to list all: acrt task list"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_is_taken_from_the_images_where_all_name_the_same() {
        let registry = |images: &[&str]| {
            let images: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
            images_registry(&images)
        };
        assert_eq!(
            registry(&["localhost:5000/web:1", "LOCALHOST:5000/web:2"]).as_deref(),
            Some("localhost:5000")
        );
        assert_eq!(registry(&["a.io/web:1", "b.io/web:2"]), None);
        assert_eq!(registry(&["web:1"]), None);
        assert_eq!(registry(&["team/web:1"]), None);
        assert_eq!(registry(&[]), None);
    }
}
