//! Shorter command lines: names without their option, defaults from the folder and the image, units of time.

use crate::support::{Registry, World};

fn world_with_web() -> World {
    let world = World::new();
    world.fake("docker", "[ \"$1\" != build ]");
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "web", "-t", "localhost:5000/web:1", "-c"];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    world
}

#[test]
fn positional_name_is_accepted_wherever_an_option_takes_it() {
    let world = world_with_web();
    let timer = ["--timer-name", "t", "--schedule", "0 1 * * *"];
    let add = [&["task", "timer", "add", "web"], &timer[..]].concat();
    world.acrt(&add).ok();
    for line in [
        "task show web",
        "task show web --registry localhost:5000",
        "task update web --timeout 10m",
        "task graph web",
        "task check web",
        "task timer list web",
        "task timer remove web --timer-name t",
        "task credential list web",
        "task identity show web",
        "task list-runs web",
        "task run web --dry-run",
        // As in az, and both if they mean the same.
        "task show -n web",
        "task show web --name web",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        world.acrt(&words).ok();
    }
    world.acrt(&["task", "run", "web"]).exits(1);
    world.acrt(&["task", "logs", "web"]).ok();
    world.acrt(&["task", "show-run", "ca1"]).ok();
    world.acrt(&["task", "delete", "web", "-y"]).ok();
    world.acrt(&["task", "show", "web"]).exits(3);
}

#[test]
fn positional_name_that_differs_from_the_option_is_refused() {
    let world = world_with_web();
    for line in ["task show web -n api", "task logs web --name api"] {
        let words: Vec<&str> = line.split(' ').collect();
        let refused = world.acrt(&words).exits(2);
        assert_eq!(
            refused.stderr,
            "error: `web` and `--name api` contradict each other\nhint: leave one of the two out\n"
        );
    }
    let two = world.acrt(&["task", "show-run", "ca1", "--run-id", "ca2"]);
    two.exits(2).says(&["`ca1` and `--run-id ca2`"]);
    let none = world.acrt(&["task", "show"]).exits(2);
    none.says(&["<NAME|--name <NAME>>"]);
}

#[test]
fn name_that_begins_with_a_dash_is_accepted_behind_two_dashes() {
    let world = World::new();
    let missing = world.acrt(&["task", "show", "--", "-web"]).exits(3);
    missing.says(&["no task `-web`"]);
    world.acrt(&["task", "show", "--name=-web"]).exits(3);
}

#[test]
fn registry_may_be_a_positional_argument() {
    let (world, registry) = (World::new(), Registry::start());
    registry.push("base:1", &[("version", "one")]);
    let host = registry.host();
    let listed = world.acrt(&["repository", "list", &host]).ok();
    assert_eq!(listed.json(), serde_json::json!(["base"]));
    world.acrt(&["logout", &host]).ok();
    let tags = ["repository", "show-tags", &host, "--repository", "base"];
    world.acrt(&tags).ok();
    let two = world.acrt(&["repository", "list", &host, "-n", "other.io"]);
    two.exits(2).says(&["`--name other.io`"]);
}

#[test]
fn registry_option_with_an_empty_value_is_refused_by_every_command() {
    let world = World::new();
    for line in [
        "task create -n web -t web:1 -r",
        "task show web -r",
        "task list -r",
        "task list-runs -r",
        "status -r",
        "build . --no-push -r",
        "repository list -n",
        "purge --filter x:y --ago 1d -r",
        "login -n",
        "import --source x --image y:1 -n",
    ] {
        let words = Vec::from_iter(line.split(' ').chain([""]));
        let refused = world.acrt(&words).exits(2);
        assert!(!refused.stderr.contains("azurecr.io"), "{refused}");
        refused.says(&["is the variable set that it comes from?"]);
    }
}

#[test]
fn task_create_needs_only_a_folder_and_an_image() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let folder = world.context("my web", &format!("FROM {}\n", registry.image("base:1")));
    let image = registry.image("web:1");
    let at = |folder: &str, words: &[&str]| {
        let mut acrt = world.command(env!("CARGO_BIN_EXE_acrt"));
        acrt.args(words).current_dir(folder);
        world.start(acrt, words.join(" ")).wait()
    };
    let created = at(&folder, &["task", "create", "-t", &image, "--run"]).ok();
    assert!(!created.stderr.contains("follows nothing"), "{created}");
    created.says(&[&format!(
        "the task is called `my-web`, and builds `Dockerfile` of `{folder}`"
    )]);
    let task = world.acrt(&["task", "show", "my-web"]).ok().json();
    assert_eq!(task["step"]["contextPath"], folder);
    assert_eq!(world.history(), ["my-web Succeeded"]);
    assert!(registry.depends_on("web:1", "base:1"));
    // It is the same task the second time, and does not overwrite another one.
    at(&folder, &["task", "create", "-t", &image]).ok();
    let other = world.context("other/my-web", "FROM scratch\n");
    let refused = at(&other, &["task", "create", "-t", &image]).exits(2);
    refused.says(&[
        "a task `my-web` exists and builds",
        "hint: give this one a name of its own: acrt task create NAME",
    ]);
    let empty = world.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    let nothing = at(empty, &["task", "create", "-t", &image]).exits(2);
    nothing.says(&[
        &format!("there is no `Dockerfile` in `{empty}`"),
        "hint: name its folder with --context FOLDER",
    ]);
    let copy = [
        "task",
        "create",
        "-t",
        &image,
        "--import",
        "docker.io/library/node:20",
    ];
    at(empty, &copy).ok().says(&["the task is called `node`"]);
}

#[test]
fn durations_may_have_units() {
    let world = world_with_web();
    for (given, seconds) in [("90", 90), ("10m", 600), ("1h 30m", 5400)] {
        let update = ["task", "update", "web", "--timeout", given];
        world.acrt(&update).ok();
        let task = world.acrt(&["task", "show", "web"]).ok().json();
        assert_eq!(task["timeout"], seconds);
    }
    for wrong in ["10 apples", "-1m", "0"] {
        let update = ["task", "update", "web", &format!("--timeout={wrong}")];
        world.acrt(&update).exits(2).says(&["--timeout <TIME>"]);
    }
    let wrong = world.acrt(&["task", "watch", "--settle", "soon"]).exits(2);
    wrong.says(&["seconds, or as 90s, 10m, 2h or 3d"]);
}
