//! `acrt task credential add`: a login that is used for looks, builds and pushes, and shown nowhere.

use super::{login, with_password, world};
use crate::support::{PASSWORD, Registry, World};

#[test]
fn task_credential_is_used_for_tag_lookup_build_and_push_by_every_builder() {
    let builders = [
        World::buildah,
        World::podman,
        World::docker,
        World::buildx_elsewhere,
    ];
    for builder in builders {
        let (world, registry) = (World::new(), Registry::with_login());
        builder(&world);
        registry.push("base:1", &[("version", "one")]);
        let dockerfile = format!("FROM {}\n", registry.image("base:1"));
        world.task(&registry, "web", &dockerfile);
        login(&world, &registry);
        world.run("web").ok();
        assert!(registry.depends_on("web:latest", "base:1"));

        registry.push("base:1", &[("version", "two")]);
        world.watch_once().ok();
        assert!(registry.depends_on("web:latest", "base:1"));
        for (path, text) in world.state_files() {
            assert!(!text.contains(PASSWORD), "{}", path.display());
        }
        assert!(!world.path("state/runs/ca1/logins").exists());
    }
}

#[test]
fn wrong_password_of_a_task_credential_is_reported_with_the_registry() {
    let (world, registry) = world();
    let mut words = with_password(&world, &registry, "add", "wrong");
    words.extend(["--username".into(), "acrt".into()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.acrt(&words).ok();
    world.run("web").exits(4).says(&[&registry.host()]);
}

#[test]
fn login_that_cannot_be_found_is_in_the_way_of_no_other_registry_and_names_its_task() {
    let (world, registry) = world();
    let host = registry.host();
    let add = ["task", "credential", "add", "-n", "web", "-u", "acrt"];
    let of = |server: &'static str, password| {
        world.acrt(&[&add[..], &["--login-server", server, "-p", password]].concat())
    };
    of("other.example", "env:UNSET").ok();
    for place in ["env:", "file:", "env:A B"] {
        of("third.example", place).exits(2);
    }
    let list = ["repository", "list", "-n", &host, "-u", "acrt", "-p"];
    world.write("password", PASSWORD);
    let file = format!("file:{}", world.path("password").display());
    let listed = world.acrt(&[&list[..], &[&file]].concat()).ok();
    assert_eq!(listed.stderr, "", "{listed}");
    let list = ["repository", "list", "-n", "other.example"];
    world.acrt(&list).says(&[
        "of task `",
        "acrt task credential update --name web",
        "--login-server other.example",
    ]);
}

#[test]
fn duplicate_or_incomplete_task_credential_is_refused() {
    let (world, registry) = world();
    login(&world, &registry);
    let mut words = with_password(&world, &registry, "add", PASSWORD);
    let half: Vec<&str> = words.iter().map(String::as_str).collect();
    world.acrt(&half).exits(2).says(&["--username"]);
    words.extend(["--username".into(), "acrt".into()]);
    let again: Vec<&str> = words.iter().map(String::as_str).collect();
    world
        .acrt(&again)
        .exits(1)
        .says(&["already", "credential update"]);
}

/// Gives a task the registry's login with a password.
fn give(world: &World, registry: &Registry, command: &str, name: &str, password: &str) {
    let file = world.write(&format!("password-{name}"), password);
    let password = format!("file:{}", file.display());
    let host = registry.host();
    let line = ["task", "credential", command, "--name", name];
    let login = ["--username", "acrt", "--password", &password];
    world
        .acrt(&[&line[..], &["--login-server", &host], &login].concat())
        .ok();
}

#[test]
fn revoked_credential_of_a_task_leaves_another_task_on_the_same_tag_alone() {
    let (world, registry) = (World::new(), Registry::with_login());
    world.buildah();
    registry.push("shared:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("shared:1"));
    for name in ["one", "two"] {
        world.task(&registry, name, &dockerfile);
        give(&world, &registry, "add", name, PASSWORD);
        world.run(name).ok();
    }
    give(&world, &registry, "update", "one", "revoked");
    registry.push("shared:1", &[("version", "two")]);
    assert_eq!(world.states()["two"], "stale");
    // A base that is new in its Dockerfile is looked at with its own login, too.
    registry.push("other:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("other:1"));
    world.context("two", &dockerfile);
    let output = world.acrt(&["task", "check", "--name", "two"]);
    assert!(!output.stdout.contains("refuses"), "{output}");
    assert!(!output.stderr.contains("refuses"), "{output}");
}

#[test]
fn task_credential_is_not_used_by_another_task_of_the_same_registry() {
    let (world, registry) = (World::new(), Registry::with_login());
    world.buildah();
    for name in ["one", "two"] {
        let base = format!("base-{name}:1");
        registry.push(&base, &[("version", name)]);
        let dockerfile = format!("FROM {}\n", registry.image(&base));
        world.task(&registry, name, &dockerfile);
        give(&world, &registry, "add", name, PASSWORD);
        world.run(name).ok();
    }
    give(&world, &registry, "update", "one", "wrong");
    let states = world.states();
    assert_eq!(states["one"], "unknown");
    assert_eq!(states["two"], "current");
}

#[test]
fn azure_identity_of_a_credential_is_accepted_and_reported_as_without_effect() {
    let (world, registry) = world();
    let host = registry.host();
    for command in ["add", "update"] {
        for identity in ["[system]", "/subscriptions/1/identities/me"] {
            let line = ["task", "credential", command, "-n", "web", "-r", &host];
            let of = [
                "--login-server",
                "acme.azurecr.io",
                "--use-identity",
                identity,
            ];
            let added = world.acrt(&[&line[..], &of].concat()).ok();
            assert_eq!(added.stdout, "{}\n");
            added.says(&[
                "warning: without effect outside Azure: --use-identity",
                "acme.azurecr.io",
            ]);
        }
    }
    // With an identity and a login, the login counts.
    let mut words = with_password(&world, &registry, "add", PASSWORD);
    words.extend(["--username", "acrt", "--use-identity", "[system]"].map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert!(world.acrt(&words).ok().json()[host].is_object());
}
