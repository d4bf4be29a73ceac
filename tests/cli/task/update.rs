//! `acrt task update`: changes only what is given.

use std::fs;

use crate::support::{Registry, World};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    (world, registry)
}

#[test]
fn task_update_without_options_changes_nothing() {
    let (world, _registry) = world();
    let before = world.acrt(&["task", "show", "-n", "web"]).ok().stdout;
    let after = world.acrt(&["task", "update", "-n", "web"]).ok().stdout;
    assert_eq!(after, before);
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn concurrent_task_update_is_applied_or_refused() {
    let (world, _registry) = world();
    for n in 1..6 {
        let (tags, days) = (n.to_string(), (100 * n).to_string());
        let all = [["--keep-tags", &tags], ["--keep-days", &days]];
        let all = all.map(|[key, value]| world.spawn(&["task", "update", "web", key, value]));
        let done = all.map(|one| one.wait().code);
        let task = world.acrt(&["task", "show", "web"]).ok().json();
        let kept = [task["keepTags"] == n, task["keepDays"] == 100 * n];
        assert_eq!(kept, done.map(|code| code == 0), "{task}");
    }
}

#[test]
fn task_update_replaces_a_list_whole_and_keeps_other_fields() {
    let (world, _registry) = world();
    world
        .acrt(&[
            "task",
            "update",
            "-n",
            "web",
            "--arg",
            "A=1",
            "--arg",
            "B=2",
            "--timeout",
            "900",
        ])
        .ok();
    let task = world
        .acrt(&["task", "update", "-n", "web", "--arg", "C=3"])
        .ok()
        .json();
    let arguments = task["step"]["arguments"].as_array().unwrap();
    assert_eq!(arguments.len(), 1);
    assert_eq!(arguments[0]["name"], "C");
    assert_eq!(task["timeout"], 900);
    assert_eq!(task["step"]["imageNames"][0], "web:latest");
}

#[test]
fn disabled_trigger_stays_in_the_definition_as_disabled() {
    let (world, registry) = world();
    let task = world
        .acrt(&[
            "task",
            "update",
            "-n",
            "web",
            "--base-image-trigger-enabled",
            "False",
        ])
        .ok()
        .json();
    assert_eq!(task["trigger"]["baseImageTrigger"]["status"], "Disabled");
    registry.push("base:1", &[("version", "two")]);
    world.watch_once().ok().silent();
    world
        .acrt(&[
            "task",
            "update",
            "-n",
            "web",
            "--base-image-trigger-enabled",
        ])
        .ok();
    world.watch_once().ok();
    assert_eq!(world.history(), ["web Succeeded"; 2]);
}

#[test]
fn name_and_type_of_a_base_image_trigger_that_is_off_are_kept() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let task = ["-n", "web", "-t", "localhost:5000/web:1", "-c", &context];
    let off = ["--base-image-trigger-enabled", "false"];
    let trigger = [
        "--base-image-trigger-type",
        "All",
        "--base-image-trigger-name",
        "mine",
    ];
    let create = [&["task", "create"], &task[..], &off, &trigger].concat();
    world.acrt(&create).ok();
    let on = [
        "task",
        "update",
        "web",
        "--base-image-trigger-enabled",
        "true",
    ];
    let shown = world.acrt(&on).ok().json();
    let trigger = &shown["trigger"]["baseImageTrigger"];
    assert_eq!(trigger["name"], "mine");
    assert_eq!(trigger["baseImageTriggerType"], "All");
    assert_eq!(trigger["status"], "Enabled");
}

#[test]
fn updated_dependencies_are_followed_after_the_next_run() {
    let (world, _registry) = world();
    let other = world.context("other", "FROM scratch\nCOPY Dockerfile /\n");
    world
        .acrt(&["task", "update", "-n", "web", "-c", &other])
        .ok()
        .says(&["acrt task run --name web"]);
    assert_eq!(world.state_of("web"), "never-run");
}

#[test]
fn task_update_that_adds_an_image_says_when_it_is_pushed() {
    let (world, _registry) = world();
    let update = ["task", "update", "-n", "web", "--image", "web:2"];
    let told = [
        "web:2",
        "is pushed by the next run: acrt task run --name web",
    ];
    world.acrt(&update).ok().says(&told);
    let again = world.acrt(&update).ok();
    assert!(!again.stderr.contains("next run"), "{again}");
}

#[test]
fn task_update_of_a_missing_task_is_not_found() {
    let (world, _registry) = world();
    world
        .acrt(&["task", "update", "-n", "wab", "--timeout", "900"])
        .exits(3)
        .says(&["wab", "acrt task list"]);
}

#[test]
fn option_that_does_not_apply_to_the_step_type_is_refused_with_the_step_type() {
    let (world, registry) = world();
    let context = world.path("web").display().to_string();
    world.write("web/acb.yaml", "steps:\n- cmd: alpine\n");
    let create = |name: &str, options: &[&str]| {
        let registry = registry.host();
        let line = ["task", "create", "-n", name, "-r", &registry];
        world.acrt(&[&line, options].concat())
    };
    create("file", &["-c", &context, "-f", "acb.yaml"]).ok();
    create("inline", &["-c", "/dev/null", "--cmd", "alpine"]).ok();
    create(
        "copy",
        &["--import", &registry.image("base:1"), "-t", "copy:1"],
    )
    .ok();
    let dockerfile = "it builds a Dockerfile;";
    let multi_step = "it carries out a multi-step file;";
    let import = "it copies an image, and builds nothing;";
    let cases: &[(&str, &[&str], &str)] = &[
        ("web", &["--import", "node:20"], dockerfile),
        ("web", &["--test", "true"], dockerfile),
        ("web", &["--values", "v.yaml"], dockerfile),
        ("web", &["--set", "a=b"], dockerfile),
        ("web", &["--set-secret", "a=b"], dockerfile),
        ("web", &["--allow-privileged"], dockerfile),
        ("file", &["--image", "x:1"], multi_step),
        ("file", &["--target", "prod"], multi_step),
        ("file", &["--arg", "A=1"], multi_step),
        ("inline", &["--secret-arg", "A=1"], multi_step),
        ("inline", &["--no-cache"], multi_step),
        ("inline", &["--no-push"], multi_step),
        ("inline", &["--import", "node:20"], multi_step),
        ("copy", &["--target", "prod"], import),
        ("copy", &["--context", "."], import),
        ("copy", &["--set", "a=b"], import),
        ("copy", &["--keep-vcs"], import),
    ];
    for (name, options, why) in cases {
        let show = || world.acrt(&["task", "show", "-n", name]).ok().stdout;
        let before = show();
        let refused = world.acrt(&[&["task", "update", "-n", name], *options].concat());
        assert_eq!(refused.code, 2, "{name} {options:?}: {refused}");
        assert!(
            refused.stderr.contains(why),
            "{name} {options:?}: {refused}"
        );
        assert!(
            refused.stderr.contains(options[0]),
            "{name} {options:?}: {refused}"
        );
        assert_eq!(show(), before, "{name} {options:?}");
    }
    for options in [
        &["-c", &context, "-f", "acb.yaml", "--target", "prod"][..],
        &["-c", &context, "-f", "acb.yaml", "-t", "x:1"],
        &["-c", &context, "-t", "x:1", "--set", "a=b"],
        &["-c", "/dev/null", "--cmd", "alpine", "--no-cache"],
    ] {
        let refused = create("other", options);
        assert_eq!(refused.code, 2, "{options:?}: {refused}");
        assert!(refused.stderr.contains("mean"), "{options:?}: {refused}");
    }
    for options in [&["--target", "prod"][..], &["--arg", "A=1"]] {
        let refused = world.acrt(&[&["task", "run", "-n", "file", "--no-wait"], options].concat());
        assert_eq!(refused.code, 2, "{options:?}: {refused}");
        assert!(
            refused.stderr.contains(multi_step),
            "{options:?}: {refused}"
        );
    }
    let refused = world.acrt(&["task", "run", "-n", "web", "--set", "a=b"]);
    assert!(
        refused.code == 2 && refused.stderr.contains(dockerfile),
        "{refused}"
    );
    // A value that changes nothing is accepted.
    world
        .acrt(&["task", "update", "-n", "file", "--no-push", "false"])
        .ok();
}

#[test]
fn update_to_another_step_type_warns_of_what_it_drops_and_removes_its_secrets() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    world.write("web/acb.yaml", "steps:\n- cmd: alpine date\n");
    let create = ["task", "create", "-n", "web", "-r", "r.test", "-t", "web:1"];
    let options = ["-c", &context, "--secret-arg", "S=hidden", "--no-cache"];
    world.acrt(&[&create[..], &options].concat()).ok();
    let secrets = world.state().join("secrets/r.test/web.yaml");
    let update = |options: &[&str]| world.acrt(&[&["task", "update", "web"], options].concat());
    let dropped = "which drops --image web:1, --secret-arg, --no-cache; what is pushed is up";
    let refused = update(&["-f", "missing.yaml"]);
    assert!(!refused.stderr.contains("drops"), "{refused}");
    assert!(refused.code == 2 && secrets.exists(), "{refused}");
    update(&["-f", "acb.yaml"]).ok().says(&[dropped]);
    assert!(!secrets.exists());
    update(&["--set-secret", "T=hidden", "--set", "A=b"]).ok();
    let kept = update(&["--cmd", "alpine date"]).ok();
    assert!(!kept.stderr.contains("drops"), "{kept}");
    assert_eq!(kept.json()["step"]["contextPath"], *context);
    assert!(secrets.exists());
    update(&["-f", "Dockerfile", "-t", "web:2"])
        .ok()
        .says(&["which drops --set, --set-secret"]);
    assert!(!secrets.exists());
}

#[test]
fn empty_value_in_task_update_removes_what_was_set() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    world.write("web/acb.yaml", "steps:\n- cmd: alpine date\n");
    world.write("web/v.yaml", "A: b\n");
    let definition = |name: &str| {
        let path = world.state().join(format!("tasks/r.test/{name}.yaml"));
        std::fs::read_to_string(path).unwrap()
    };
    let task = |command: &str, name: &str, options: &[&str]| {
        world.acrt(&[&["task", command, name], options].concat())
    };
    let of_build = ["--platform", "--min-age", "--arg", "--schedule"];
    let of_steps = ["--values", "--set", "--allow-privileged"];
    let bare = ["-r", "r.test", "-c", &context];
    let image = [&bare[..], &["-t", "web:1"]].concat();
    let steps = [&bare[..], &["-f", "acb.yaml"]].concat();
    for (name, bare, options, values, none) in [
        (
            "web",
            image,
            &of_build[..],
            &["linux/arm64", "3d", "A=1", "0 3 * * *"][..],
            "",
        ),
        (
            "steps",
            steps,
            &of_steps[..],
            &["v.yaml", "A=1", "true"],
            "false",
        ),
    ] {
        task("create", name, &bare).ok();
        let before = definition(name);
        for (option, value) in options.iter().zip(values) {
            let removed = if *option == "--allow-privileged" {
                none
            } else {
                ""
            };
            task("update", name, &[option, value]).ok();
            assert_ne!(definition(name), before, "{option}");
            task("update", name, &[option, removed]).ok();
            assert_eq!(definition(name), before, "{option}");
        }
    }
    for option in [
        ["--set", "=1"],
        ["--set-secret", ""],
        ["--set-secret", "=hidden"],
    ] {
        let refused = task("update", "steps", &option)
            .exits(2)
            .says(&["it has no name"]);
        assert!(!refused.stderr.contains("hidden"), "{refused}");
    }
}

#[test]
fn endpoint_that_is_no_url_and_token_for_a_folder_are_refused() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = [
        "task", "create", "-n", "web", "-r", "r.test", "-c", &context,
    ];
    for endpoint in ["notaurl", "ftp://x"] {
        let option = ["--update-trigger-endpoint", endpoint];
        world
            .acrt(&[&create[..], &option].concat())
            .exits(2)
            .says(&["cannot use the URL of --update-trigger-endpoint"]);
    }
    let token = ["--git-access-token", "x"];
    let no_token = [
        "the context is no git repository",
        "leave out --git-access-token",
    ];
    world
        .acrt(&[&create[..], &token].concat())
        .exits(2)
        .says(&no_token);
    let option = ["--update-trigger-endpoint", "env:HOOK"];
    world.acrt(&[&create[..], &option].concat()).ok();
    let update = ["task", "update", "web"];
    world
        .acrt(&[&update[..], &token].concat())
        .exits(2)
        .says(&no_token);
    let option = ["--update-trigger-endpoint", "notaurl"];
    world.acrt(&[&update[..], &option].concat()).exits(2);
}

#[test]
fn local_task_pushes_nothing_whatever_its_definition_says() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "-n", "web", "--local", "-t", "web:1"];
    world.acrt(&[&create[..], &["-c", &context]].concat()).ok();
    world
        .acrt(&["task", "update", "web", "--no-push", "false"])
        .exits(2)
        .says(&["task `web` is local"]);
    let file = world.state().join("tasks/localhost/web.yaml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("isPushEnabled: false"), "{text}");
    for pushes in ["isPushEnabled: true", "target: x"] {
        fs::write(&file, text.replace("isPushEnabled: false", pushes)).unwrap();
        let shown = world.acrt(&["task", "show", "-n", "web"]).ok().json();
        assert_eq!(shown["step"]["isPushEnabled"], false, "{pushes}");
    }
}

#[test]
fn run_without_the_value_of_a_secret_is_refused_with_its_name() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\nARG A\n");
    world.write(
        "web/acb.yaml",
        "steps: [{cmd: 'alpine echo {{.Values.V}}'}]\n",
    );
    let create = ["task", "create", "-r", "r.test", "-c", &context];
    let file = ["-n", "web", "--secret-arg", "A=x"];
    world.acrt(&[&create[..], &file].concat()).ok();
    let steps = ["-n", "steps", "-f", "acb.yaml", "--set-secret", "V=x"];
    world.acrt(&[&create[..], &steps].concat()).ok();
    fs::remove_dir_all(world.state().join("secrets")).unwrap();
    for (task, what, option) in [
        ("web", "argument `A`", "--secret-arg A=VALUE"),
        ("steps", "templates `V`", "--set-secret V=VALUE"),
    ] {
        let missing = [what, "is not in its file of secrets", option];
        let run = ["task", "run", task, "--dry-run"];
        world.acrt(&run).exits(2).says(&missing);
        world.acrt(&run[..3]).exits(1).says(&missing);
    }
    let definition = world.state().join("tasks/r.test/web.yaml");
    let text = fs::read_to_string(&definition).unwrap();
    let shown = text.replace("isSecret: true", "isSecret: true\n    value: x");
    fs::write(&definition, shown).unwrap();
    let run = ["task", "run", "web", "--dry-run"];
    world.acrt(&run).exits(2).says(&["where it is shown"]);
}

#[test]
fn git_token_is_for_the_host_of_the_context_that_it_was_given_for() {
    let world = World::new();
    let context = "https://git.test/a/b.git";
    let create = ["task", "create", "-n", "web", "-r", "r.test", "-c", context];
    let token = ["--git-access-token", "env:TOKEN"];
    world.acrt(&[&create[..], &token].concat()).ok();
    let secrets = || fs::read_to_string(world.state().join("secrets/r.test/web.yaml"));
    let has_token = || secrets().is_ok_and(|text| text.contains("env:TOKEN"));
    let update = |options: &[&str]| world.acrt(&[&["task", "update", "web"], options].concat());
    update(&["-c", "https://git.test/c/d.git#v1"]).ok();
    assert!(has_token());
    update(&["-c", "https://other.test/c/d.git"])
        .ok()
        .says(&["is for another host", "--git-access-token"]);
    assert!(!has_token());
    update(&["-c", context, "--git-access-token", "env:TOKEN"]).ok();
    assert!(has_token());
    update(&["--git-access-token", ""]).ok();
    assert!(!secrets().is_ok_and(|text| text.contains("gitAccessToken")));
}

#[test]
fn webhook_token_of_a_run_that_is_refused_or_only_planned_is_not_stored() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = [
        "task", "create", "-n", "web", "-r", "r.test", "-c", &context,
    ];
    world.acrt(&create).ok();
    let run = ["task", "run", "web", "--update-trigger-token", "x"];
    world.acrt(&[&run[..], &["--set", "k=1"]].concat()).exits(2);
    world
        .acrt(&[&run[..], &["-f", "acb.yaml"]].concat())
        .exits(2);
    world.buildah();
    world.acrt(&[&run[..], &["--dry-run"]].concat()).ok();
    assert!(!world.state().join("secrets/r.test/web.yaml").exists());
}

#[test]
fn build_argument_without_value_or_variable_is_empty_with_a_warning() {
    let world = World::new();
    let context = world.context("web", "ARG A=1\nFROM scratch\n");
    let create = [
        "task", "create", "-n", "web", "-r", "r.test", "-c", &context,
    ];
    let said = "the build argument `A` is empty";
    let of = |world: &World| world.acrt(&[&create[..], &["--arg", "A"]].concat()).ok();
    let task = of(&world).says(&[said]).json();
    assert_eq!(task["step"]["arguments"][0]["value"], "");
    world.set("A", "2");
    let task = of(&world).json();
    assert_eq!(task["step"]["arguments"][0]["value"], "2");
}

#[test]
fn task_in_a_cycle_can_be_disabled_but_not_enabled() {
    let (world, registry) = (World::new(), Registry::start());
    let from = |image: &str| format!("FROM {}\n", registry.image(image));
    world.task(&registry, "a", &from("base:1"));
    world.task(&registry, "b", &from("a:latest"));
    world.context("a", &from("b:latest"));
    let update = |options: &[&str]| world.acrt(&[&["task", "update", "-n", "a"], options].concat());
    update(&["--timeout", "900"]).ok();
    update(&["--arg", "A=1"]).exits(2).says(&["a <- b <- a"]);
    update(&["--status", "Disabled"]).ok();
    update(&["--arg", "A=1"]).ok();
    // The other one can be changed now, because nothing runs this one.
    world
        .acrt(&["task", "update", "-n", "b", "--arg", "A=1"])
        .ok();
    update(&["--status", "Enabled"])
        .exits(2)
        .says(&["a <- b <- a"]);
}
