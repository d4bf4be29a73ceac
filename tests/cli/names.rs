//! Registries with several names: an image is the same image under each of them.

use std::fs;

use crate::support::{Registry, World};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    (world, registry)
}

/// Returns the registry's address under another name of this machine.
fn by(registry: &Registry, host: &str) -> String {
    registry.host().replace("127.0.0.1", host)
}

/// The other names of this machine.
const NAMES: [&str; 3] = ["localhost", "LocalHost", "[::1]"];

#[test]
fn task_whose_base_is_its_own_image_under_an_alias_is_refused() {
    let (world, registry) = world();
    world.config(&format!(
        "registries: {{'{}': {{aliases: [Pull.Example]}}}}\n",
        registry.host()
    ));
    let host = registry.host();
    let others = NAMES.map(|name| by(&registry, name));
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    for other in [&others[..], &["pull.example", "PULL.EXAMPLE"]].concat() {
        let context = world.context("web", &format!("FROM {other}/web:1\n"));
        let create = ["task", "create", "-n", "web", "--context", &context];
        let own = ["-r", &host, "--image", "web:1"];
        let refused = world.acrt(&[&create[..], &own[..]].concat()).exits(2);
        refused.says(&["pushes", "/web:1` and depends on it"]);
        // The other way round, and by an update.
        let context = world.context("web", &format!("FROM {host}/web:1\n"));
        let create = ["task", "create", "-n", "web", "--context", &context];
        let image = format!("{other}/web:1");
        let theirs = ["-r", other, "--image", &image];
        world.acrt(&[&create[..], &theirs[..]].concat()).exits(2);
        let fine = ["-r", &host, "--image", "web:2"];
        world.acrt(&[&create[..], &fine[..]].concat()).ok();
        let update = [
            "task", "update", "-n", "web", "-r", &host, "--image", &image,
        ];
        world.acrt(&update).exits(2).says(&["and depends on it"]);
        world.acrt(&["task", "delete", "-n", "web", "-y"]).ok();
    }
}

#[test]
fn chain_under_several_registry_aliases_takes_one_round_and_one_request_for_each_tag() {
    let (world, registry) = world();
    let local = by(&registry, "localhost");
    let upper = by(&registry, "LOCALHOST");
    let parent = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "parent", &parent);
    world.tracked_task(&registry, "child", &format!("FROM {upper}/parent:latest\n"));
    world.tracked_task(&registry, "other", &format!("FROM {local}/base:1\n"));
    registry.forget_requests();
    world.watch_once().ok().silent();
    let asked = registry.requests();
    let asked: Vec<&str> = asked.iter().map(|it| it.path.as_str()).collect();
    let of = |name: &str| asked.iter().filter(|path| **path == name).count();
    assert_eq!(of("/v2/base/manifests/1"), 1, "{asked:?}");
    assert_eq!(of("/v2/parent/manifests/latest"), 1, "{asked:?}");

    registry.push("base:1", &[("version", "two")]);
    assert_eq!(world.states()["child"], "waiting");
    world.watch_once().ok();
    assert!(registry.depends_on("child:latest", "parent:latest"));
    assert!(registry.depends_on("parent:latest", "base:1"));
    let mut runs = world.history().split_off(3);
    runs.sort();
    assert_eq!(
        runs,
        ["child Succeeded", "other Succeeded", "parent Succeeded"]
    );
    world.watch_once().ok().silent();

    // Names are shown as they were written.
    let check = world.acrt(&["task", "check", "-n", "other"]).ok().json();
    assert_eq!(check[0]["images"][0]["image"], format!("{local}/base:1"));
}

#[test]
fn runs_by_another_registry_alias_use_the_answer_of_the_round() {
    let (world, registry) = world();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    let local = by(&registry, "localhost");
    world.tracked_task(
        &registry,
        "one",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    world.tracked_task(&registry, "two", &format!("FROM {local}/base:1\n"));
    registry.push("base:1", &[("version", "two")]);
    registry.forget_requests();
    world.set("ACRT_NOW", "2026-01-31T09:00:00Z");
    world.watch_once().ok();
    assert_eq!(world.runs().len(), 4);
    let asked = registry.requests();
    let asked: Vec<&str> = asked.iter().map(|it| it.path.as_str()).collect();
    let of_tag = asked.iter().filter(|path| **path == "/v2/base/manifests/1");
    assert_eq!(of_tag.count(), 1, "{asked:?}");
}

#[test]
fn settings_of_one_registry_alias_apply_to_all() {
    let (world, registry) = world();
    let local = by(&registry, "localhost");
    // Loopback uses http by default.
    world.config(&format!(
        "registries: {{'{}': {{plainHttp: false}}}}\n",
        by(&registry, "LOCALHOST")
    ));
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.task(&registry, "web", &dockerfile);
    world.run("web").exits(4).says(&["https://127.0.0.1:"]);
    // With a certificate authority it would use TLS, unless it is set to http: the builder is told so too.
    world.config(&format!(
        "registries: {{'{local}': {{caFile: /none.pem, plainHttp: true}}}}\n"
    ));
    world.run("web").ok();
    let plan = world.acrt(&["task", "run", "-n", "web", "--dry-run"]).ok();
    assert!(plan.stdout.contains("--tls-verify=false"), "{plan}");
}

#[test]
fn credential_belongs_to_the_registry_name_it_was_stored_for() {
    let (world, registry) = (World::new(), Registry::with_login());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let login = registry.docker_config();
    let local = by(&registry, "localhost");
    world.write("home/.docker/config.json", &login);
    let dockerfile = format!("FROM {local}/base:1\n");
    world.task(&registry, "other", &dockerfile);
    world
        .run("other")
        .exits(4)
        .says(&[&format!("`{local}` wants a login")]);
    // Host names are not case-sensitive, also in files of logins; but buildah, which reads them too, compares case.
    let both = |name: &str| {
        let more =
            format!("{{\"auths\":{{\"{name}\":{{\"auth\":\"YWNydDpodW50ZXIyLWNhbmFyeQ==\"}},");
        login.replace("{\"auths\":{", &more)
    };
    world.write("home/.docker/config.json", &both(&local.to_uppercase()));
    let plan = ["task", "run", "-n", "other", "--dry-run"];
    world.acrt(&plan).ok();
    world.write("home/.docker/config.json", &both(&local));
    world.run("other").ok();
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    // One of two names with a login is enough to look at an image.
    for kept in [&login, &login.replace("127.0.0.1", "localhost")] {
        world.write("home/.docker/config.json", kept);
        let states = world.states();
        assert_eq!([&states["web"], &states["other"]], ["current", "current"]);
    }
}

#[test]
fn tasks_are_found_by_every_alias_of_their_registry() {
    let (world, registry) = world();
    let host = registry.host();
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let upper = by(&registry, "LOCALHOST");
    let image = format!("{upper}/web:latest");
    let create = ["task", "create", "-n", "web", "--context", &context];
    world
        .acrt(&[&create[..], &["--image", &image]].concat())
        .ok();
    let local = by(&registry, "localhost");
    assert!(
        world
            .path(&format!("state/tasks/{local}/web.yaml"))
            .exists()
    );
    for name in [&host, &upper, &local] {
        let show = world.acrt(&["task", "show", "-n", "web", "-r", name]).ok();
        assert_eq!(show.json()["registry"], local);
        let list = world.acrt(&["task", "list", "-r", name]).ok().json();
        assert_eq!(list.as_array().unwrap().len(), 1, "{name}");
    }
    world.acrt(&["task", "run", "-n", "web", "-r", &host]).ok();
    let runs = ["task", "list-runs", "-r", &host, "--image", "web:latest"];
    let runs = world.acrt(&runs).ok().json();
    assert_eq!(runs.as_array().unwrap().len(), 1);

    // As a person wrote it.
    let path = format!("state/tasks/{local}/web.yaml");
    let definition = fs::read_to_string(world.path(&path)).unwrap();
    world.write(&path, &definition.replace(&local, &upper));
    world.acrt(&["task", "show", "-n", "web"]).ok();
    assert_eq!(world.state_of("web"), "current");
    let folder = |name: &str| world.path(&format!("state/tasks/{name}"));
    fs::rename(folder(&local), folder(&upper)).unwrap();
    for name in [&host, &upper, &local] {
        world.acrt(&["task", "show", "-n", "web", "-r", name]).ok();
    }
    fs::rename(folder(&upper), folder(&local)).unwrap();
    // A short name of the config file is not case-sensitive either.
    world.config(&format!(
        "registries: {{Dev: {{loginServer: '{upper}'}}}}\n"
    ));
    world.acrt(&["task", "show", "-n", "web", "-r", "DEV"]).ok();
}

#[test]
fn mirrors_of_one_registry_alias_apply_to_all() {
    let (world, registry) = world();
    registry.push("copies/base:1", &[("version", "one")]);
    world.config(&format!(
        "mirrors: {{'{}': '{}'}}\n",
        by(&registry, "LOCALHOST"),
        registry.image("copies")
    ));
    world.task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    let run = world.run("web").ok();
    let taken = format!("is taken from {}", registry.image("copies/base@"));
    assert!(run.stdout.contains(&taken), "{run}");
}
