//! `acrt task credential …`

mod add;
mod list;
mod remove;
mod update;

use crate::support::{PASSWORD, Registry, World};

/// A registry that requires a login, a base on it, and a task `web` that depends on the base.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::with_login());
    registry.push("base:1", &[("version", "one")]);
    world.buildah();
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.task(&registry, "web", &dockerfile);
    (world, registry)
}

/// `acrt task credential COMMAND` for the task and its registry, with the password in a file.
fn with_password(world: &World, registry: &Registry, command: &str, password: &str) -> Vec<String> {
    let file = world.write("password", &format!("{password}\n"));
    let host = registry.host();
    let words = ["task", "credential", command, "--name", "web"];
    let words = words.into_iter().chain(["--login-server", &host]);
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.extend(["--password".into(), format!("file:{}", file.display())]);
    words
}

/// Gives the task `web` the registry's login.
fn login(world: &World, registry: &Registry) {
    let mut words = with_password(world, registry, "add", PASSWORD);
    words.extend(["--username".into(), "acrt".into()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.acrt(&words).ok();
}
