//! `acrt task show`

use crate::support::World;

fn world() -> World {
    let world = World::new();
    world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    let context = world.context("web", "FROM scratch\n");
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        "localhost:5000",
        "-t",
        "web:latest",
        "-c",
        &context,
    ];
    world.acrt(&create).ok();
    world
}

#[test]
fn task_show_prints_one_document_with_every_key() {
    let world = world();
    let task = world.acrt(&["task", "show", "--name", "web"]).ok().json();
    assert_eq!(task["name"], "web");
    assert_eq!(task["registry"], "localhost:5000");
    assert_eq!(task["status"], "Enabled");
    assert_eq!(task["timeout"], 3600);
    assert_eq!(task["platform"]["os"], "linux");
    assert_eq!(task["creationDate"], "2026-01-31T08:00:00+00:00");
    assert_eq!(task["step"]["type"], "Docker");
    assert_eq!(task["step"]["arguments"], serde_json::json!([]));
    assert_eq!(task["step"]["target"], serde_json::Value::Null);
    assert_eq!(
        task["step"]["baseImageDependencies"],
        serde_json::Value::Null
    );
    assert_eq!(
        task["trigger"]["baseImageTrigger"]["name"],
        "defaultBaseimageTriggerName"
    );
    assert_eq!(task["trigger"]["timerTriggers"], serde_json::Value::Null);
    let keys: Vec<_> = task.as_object().unwrap().keys().cloned().collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn task_show_prints_the_same_task_in_every_format() {
    let world = world();
    let show = |format: &str| {
        world
            .acrt(&[
                "task",
                "show",
                "-n",
                "web",
                "-o",
                format,
                "--query",
                "{a: name, b: timeout, c: step.target}",
            ])
            .ok()
            .stdout
    };
    assert_eq!(
        show("json"),
        "{\n  \"a\": \"web\",\n  \"b\": 3600,\n  \"c\": null\n}\n"
    );
    assert_eq!(show("YAML"), "a: web\nb: 3600\nc: null\n");
    assert_eq!(show("tsv"), "web\t3600\tNone\n");
    assert_eq!(show("none"), "");
    assert_eq!(show("table"), "A    B\n---  ----\nweb  3600\n");
}

#[test]
fn task_show_table_is_readable_and_its_json_matches_az() {
    let world = world();
    let table = world
        .acrt(&["task", "show", "-n", "web", "-o", "table"])
        .ok();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = table.stdout.lines().map(words).collect();
    assert_eq!(lines[0], "WHAT HOW");
    for line in [
        "task web on localhost:5000",
        "state never-run",
        "to do acrt task run --name web",
        "pushes web:latest",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}: {table}");
    }
}

#[test]
fn task_show_of_a_missing_task_exits_3_and_with_a_wrong_option_exits_2() {
    let world = world();
    world
        .acrt(&["task", "show", "-n", "no"])
        .exits(3)
        .says(&["error: no task `no`"]);
    world
        .acrt(&["task", "show", "--nmae", "web"])
        .exits(2)
        .says(&["--name"]);
    world.acrt(&["task", "show"]).exits(2).says(&["--name"]);
    world
        .acrt(&["task", "show", "-n", "web", "-o", "xml"])
        .exits(2)
        .says(&["xml"]);
    world
        .acrt(&["task", "show", "-n", "web", "--query", "a["])
        .exits(2);
}

#[test]
fn task_show_reports_an_invalid_definition_with_its_position() {
    let world = world();
    let path = world.write(
        "state/tasks/localhost:5000/web.yaml",
        "schema: 1\nname: web\nnmae: x\n",
    );
    world
        .acrt(&["task", "show", "-n", "web"])
        .exits(2)
        .says(&[path.to_str().unwrap(), "nmae"]);
}

#[test]
fn secret_argument_values_are_shown_only_with_secure_properties() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "-n", "web", "-r", "localhost:5000", "-c"];
    let secret = [&context, "--arg", "A=1", "--secret-arg", "TOKEN=hunter2"];
    let created = world.acrt(&[&create[..], &secret].concat()).ok();
    assert!(!created.stdout.contains("hunter2"));
    let arguments = |options: &[&str]| {
        let show = [
            "task",
            "show",
            "-n",
            "web",
            "--query",
            "step.arguments[].value",
        ];
        world.acrt(&[&show[..], options].concat()).ok().json()
    };
    assert_eq!(arguments(&[]), serde_json::json!(["1"]));
    assert_eq!(
        arguments(&["--with-secure-properties"]),
        serde_json::json!(["1", "hunter2"])
    );
}

#[test]
fn query_of_an_archive_context_is_shown_only_with_secure_properties() {
    let world = World::new();
    let url = "https://example.com/web.tgz?sig=hunter2";
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        "localhost:5000",
        "-c",
        url,
    ];
    let created = world.acrt(&create).ok();
    let [shown, listed] =
        [&["task", "show", "-n", "web"][..], &["task", "list"]].map(|line| world.acrt(line).ok());
    for output in [created, shown, listed] {
        let text = output.stdout + &output.stderr;
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("https://example.com/web.tgz?***"), "{text}");
    }
    let context = [
        "task",
        "show",
        "-n",
        "web",
        "--with-secure-properties",
        "--query",
        "step.contextPath",
    ];
    assert_eq!(world.acrt(&context).ok().json(), serde_json::json!(url));
}
