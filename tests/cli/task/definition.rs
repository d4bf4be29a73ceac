//! Definitions written by hand: each option of `task create` has a key in the file, and the same file in another state directory is
//! the same task.

use crate::support::{Registry, World};

/// The kinds of tasks for the options below.
const BUILD: &str = "-t localhost:5000/t:{{.Run.ID}} -c web";
const GIT: &str = "-t localhost:5000/t:1 -c https://localhost:1/t.git";
const STEPS: &str = "-r localhost:5000 -c web -f acb.yaml";
const COPY: &str = "-t localhost:5000/t:1 --import localhost:5000/base:1";
const NONE: &str = "-r localhost:5000 -c /dev/null";

/// An option of `task create`, the task to create with it, its value, and the resulting key in the file.
const FLAGS: &[(&str, &str, &str, &str)] = &[
    (
        "registry",
        "-t t:1 -c web",
        "localhost:5001",
        "registry: localhost:5001",
    ),
    ("local", "-t t:1 -c web", "", "isLocal: true"),
    (
        "image",
        "-c web",
        "localhost:5000/other:2",
        "- localhost:5000/other:2",
    ),
    ("keep-tags", BUILD, "3", "keepTags: 3"),
    ("keep-days", BUILD, "4", "keepDays: 4"),
    ("no-push", BUILD, "true", "isPushEnabled: false"),
    (
        "context",
        "-t localhost:5000/t:1",
        "web",
        "contextPath: HERE/web",
    ),
    (
        "import",
        "-t localhost:5000/t:1",
        "localhost:5000/base:2",
        "source: localhost:5000/base:2",
    ),
    ("test", COPY, "true", "test:"),
    ("all-referrers", COPY, "", "allReferrers: true"),
    ("file", BUILD, "Other", "dockerFilePath: Other"),
    ("cmd", NONE, "localhost:5000/base:1", "encodedTaskContent: "),
    ("trust-context", BUILD, "true", "trustContext: true"),
    ("arg", BUILD, "A=b", "value: b"),
    ("secret-arg", BUILD, "A=b", "isSecret: true"),
    ("target", BUILD, "first", "target: first"),
    ("platform", BUILD, "linux/arm64", "- linux/arm64"),
    ("no-cache", BUILD, "true", "noCache: true"),
    ("timeout", BUILD, "10m", "timeout: 600"),
    ("keep-vcs", BUILD, "true", "keepVcs: true"),
    ("set", STEPS, "A=b", "value: b"),
    ("set-secret", STEPS, "A=b", "isSecret: true"),
    (
        "values",
        STEPS,
        "values.yaml",
        "valuesFilePath: values.yaml",
    ),
    ("allow-privileged", STEPS, "", "allowPrivileged: true"),
    ("status", BUILD, "Disabled", "\nstatus: Disabled"),
    (
        "base-image-trigger-enabled",
        BUILD,
        "false",
        "timeout: 3600",
    ),
    (
        "base-image-trigger-type",
        BUILD,
        "All",
        "baseImageTriggerType: All",
    ),
    ("base-image-trigger-name", BUILD, "mine", "name: mine"),
    (
        "update-trigger-payload-type",
        BUILD,
        "Token",
        "updateTriggerPayloadType: Token",
    ),
    ("on-change", BUILD, "run", "onChange: run"),
    (
        "window",
        BUILD,
        "* 1-5 * * SAT,SUN",
        "- '* 1-5 * * SAT,SUN'",
    ),
    ("min-age", BUILD, "3d", "minAge: 3d"),
    ("commit-trigger-enabled", GIT, "true", "- commit"),
    ("pull-request-trigger-enabled", GIT, "true", "- pullrequest"),
    (
        "source-trigger-name",
        "-t localhost:5000/t:1 -c https://localhost:1/t.git --commit-trigger-enabled",
        "mine",
        "name: mine",
    ),
    ("schedule", BUILD, "0 3 * * *", "schedule: 0 3 * * *"),
    ("on-success", BUILD, "true", "onSuccess:"),
];

/// The flags without a key, and why.
const WITHOUT_KEY: &[(&str, &str)] = &[
    (
        "name",
        "it is the name of the file, and its key is tried with every other flag",
    ),
    (
        "git-access-token",
        "a secret, which is kept in secrets/ and in no definition",
    ),
    (
        "update-trigger-endpoint",
        "its URL may hold a secret, and is kept in secrets/",
    ),
    (
        "run",
        "it runs the task, and is no part of what the task is",
    ),
    ("help", "it is no part of the task"),
    ("subscription", "means nothing outside Azure"),
    ("resource-group", "means nothing outside Azure"),
    ("agent-pool", "means nothing outside Azure"),
    ("log-template", "means nothing outside Azure"),
    ("assign-identity", "means nothing outside Azure"),
    ("auth-mode", "means nothing outside Azure"),
    ("cpu", "means nothing outside Azure"),
    ("is-system-task", "means nothing outside Azure"),
    ("source-acr-auth-id", "means nothing outside Azure"),
];

fn world() -> World {
    let world = World::new();
    world.context("web", "FROM scratch AS first\nFROM first\n");
    world.write("web/Other", "FROM scratch\n");
    world.write(
        "web/acb.yaml",
        "version: v1.1.0\nsteps:\n- push: ['$Registry/t:1']\n",
    );
    world.write("web/values.yaml", "A: b\n");
    world
}

#[test]
fn every_flag_of_task_create_has_a_definition_key_or_a_documented_exception() {
    let mut command = acrt::cli::command();
    command.build();
    let create = command
        .find_subcommand("task")
        .and_then(|task| task.find_subcommand("create"))
        .unwrap();
    let every = |flag: &&clap::Arg| {
        command
            .get_arguments()
            .any(|it| it.get_id() == flag.get_id())
    };
    let flags = create.get_arguments().filter(|flag| !every(flag));
    let flags: Vec<&str> = flags.filter_map(clap::Arg::get_long).collect();
    assert!(flags.len() > 30, "{flags:?}");
    let known = |flag: &str| {
        FLAGS.iter().any(|it| it.0 == flag) || WITHOUT_KEY.iter().any(|it| it.0 == flag)
    };
    let unknown: Vec<&str> = flags.into_iter().filter(|flag| !known(flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(WITHOUT_KEY.iter().all(|(_, why)| why.len() > 10));
}

#[test]
fn each_create_flag_sets_its_definition_key_and_a_copied_definition_is_the_same_task() {
    let (world, other) = (world(), World::new());
    let here = world.path("").display().to_string();
    let described = include_str!("../../../docs/state.md");
    let mut wrong = Vec::new();
    for (n, (flag, kind, value, wanted)) in FLAGS.iter().enumerate() {
        let name = format!("t{n}");
        let option = format!("--{flag}");
        let mut line = vec!["task", "create", &name, "-o", "none"];
        line.extend(kind.split_whitespace());
        line.push(&option);
        line.extend(Some(*value).filter(|value| !value.is_empty()));
        world.acrt(&line).ok();
        let registry = match *flag {
            "registry" => "localhost:5001",
            "local" => "localhost",
            _ => "localhost:5000",
        };
        let place = format!("state/tasks/{registry}/{name}.yaml");
        let file = std::fs::read_to_string(world.path(&place)).unwrap();
        let wanted = wanted.replace("HERE/", &here);
        let has_trigger = file.contains("baseImageTrigger:");
        if !file.contains(&wanted) || has_trigger == (*flag == "base-image-trigger-enabled") {
            wrong.push(format!("--{flag}: `{wanted}` is not in\n{file}"));
        }
        let key = wanted
            .trim_start_matches(['-', ' ', '\n'])
            .split(':')
            .next()
            .unwrap();
        if wanted.contains(": ") && !described.contains(key) {
            wrong.push(format!("--{flag}: docs/state.md has no `{key}`"));
        }
        other.write(&place, &file);
        let shown = |world: &World| {
            world
                .acrt(&["task", "show", &name, "-o", "json"])
                .ok()
                .json()
        };
        if shown(&world) != shown(&other) {
            wrong.push(format!(
                "--{flag}: the same file is another task\n{}\n{}",
                shown(&world),
                shown(&other)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn minimal_definition_is_built() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let host = registry.host();
    let text = format!(
        "schema: 1\nname: web\nregistry: {host}\nstep:\n  type: Docker\n  contextPath: {context}\n  dockerFilePath: Dockerfile\n  imageNames: [web:1]\n"
    );
    world.write(&format!("state/tasks/{host}/web.yaml"), &text);
    world.run("web").ok();
    assert!(registry.depends_on("web:1", "base:1"));
}
