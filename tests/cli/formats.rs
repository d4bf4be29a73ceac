//! The full output of each kind of answer in each format: `tests/cli/snapshots/` has the texts.
//!
//! The state directory is written by hand, so that the output contains no path, time or digest of a machine. After an
//! intended change, `INSTA_UPDATE=always cargo test --test cli formats` regenerates the texts.

use insta::assert_snapshot;

use crate::support::World;

const TASK: &str = "schema: 1
name: web
registry: localhost:5000
creationDate: 2026-01-30T08:00:00Z
platforms: [linux/amd64]
builder: buildah
step:
  type: Docker
  contextPath: /src/web
  dockerFilePath: Dockerfile
  imageNames: [web:latest, \"web:{{.Run.ID}}\"]
  arguments: [{name: NODE, value: '20'}, {name: TOKEN, isSecret: true}]
trigger:
  baseImageTrigger: {}
  timerTriggers: [{name: nightly, schedule: 0 21 * * *}, {name: noon, schedule: 0 12 * * MON-FRI, status: Disabled}]
";

const RUN: &str = r#"{
  "schema": 1, "runId": "ca2", "task": "web", "registry": "localhost:5000",
  "status": "Failed", "runType": "AutoBuild",
  "createTime": "2026-01-31T08:00:00Z", "startTime": "2026-01-31T08:00:00.25Z",
  "finishTime": "2026-01-31T09:01:02.5Z", "lastUpdatedTime": "2026-01-31T09:01:02.5Z",
  "platforms": ["linux/amd64"],
  "outputImages": [{"registry": "localhost:5000", "repository": "web", "tag": "latest",
    "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}],
  "imageUpdateTrigger": {"id": "7d0f4e0c", "timestamp": "2026-01-31T08:00:00Z", "images": [
    {"registry": "docker.io", "repository": "library/node", "tag": "20-alpine",
     "digest": "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}]},
  "isArchiveEnabled": false,
  "runErrorMessage": "the build failed:\u001b[31m red\ttab\r\nnext line",
  "baseImageDependencies": null, "untrackedImages": [], "builder": "buildah"
}"#;

const SECRETS: &str = "schema: 1
arguments: {TOKEN: hunter2}
credentials:
  ghcr.io: {username: me, password: 'env:GHCR_TOKEN'}
  localhost:5000: {username: you, password: hunter2}
";

const DOCKERFILE: &str = "ARG NODE=20\nFROM node:${NODE}-alpine AS build\nFROM --platform=linux/amd64 nginx@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\nCOPY --from=build /x /x\n";

const FORMATS: [&str; 7] = ["json", "jsonc", "yaml", "yamlc", "table", "tsv", "none"];

/// A world with a task, its run, its secrets, and a second, disabled task.
fn world() -> World {
    let world = World::new();
    world.set("ACRT_NOW", "2026-01-31T10:00:00Z");
    let secrets = world.write("state/secrets/localhost:5000/web.yaml", SECRETS);
    std::fs::set_permissions(
        &secrets,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    world.write("state/tasks/localhost:5000/web.yaml", TASK);
    let off = TASK.replace("name: web\n", "name: api\nstatus: Disabled\n");
    let off = off.split("trigger:").next().unwrap().to_owned();
    world.write("state/tasks/localhost:5000/api.yaml", &off);
    world.write("state/runs/ca2/run.json", RUN);
    world.write(
        "state/runs/ca1/run.json",
        &RUN.replace("ca2", "ca1").replace("Failed", "Canceled"),
    );
    world.write("state/runs/last", "2");
    world.write("web/Dockerfile", DOCKERFILE);
    world
}

/// Returns the output of every format, one after the other.
fn every_format(world: &World, words: &[&str]) -> String {
    let shown = FORMATS.map(|format| {
        let answer = world.acrt(&[words, &["-o", format]].concat()).ok();
        let text = answer.stdout.replace('\u{1b}', "␛").replace('\t', "→");
        format!("--- {format}\n{text}")
    });
    shown.concat()
}

#[test]
fn task_commands_print_every_format() {
    let world = world();
    assert_snapshot!(
        "task-show",
        every_format(&world, &["task", "show", "-n", "web"])
    );
    assert_snapshot!("task-list", every_format(&world, &["task", "list"]));
    assert_snapshot!("task-check", every_format(&world, &["task", "check"]));
    let query = [
        "task",
        "list",
        "--query",
        "[].{name: name, on: status, step: step}",
    ];
    assert_snapshot!("task-list-query", every_format(&world, &query));
}

#[test]
fn timer_list_prints_every_format() {
    let list = ["task", "timer", "list", "-n", "web"];
    assert_snapshot!("task-timer-list", every_format(&world(), &list));
}

#[test]
fn run_commands_print_every_format() {
    let world = world();
    assert_snapshot!(
        "task-show-run",
        every_format(&world, &["task", "show-run", "--run-id", "ca2"])
    );
    assert_snapshot!(
        "task-list-runs",
        every_format(&world, &["task", "list-runs"])
    );
    let message = [
        "task",
        "show-run",
        "--run-id",
        "ca2",
        "--query",
        "{why: runErrorMessage}",
    ];
    assert_snapshot!("task-show-run-query", every_format(&world, &message));
}

#[test]
fn credential_list_and_identity_show_print_every_format() {
    let world = world();
    let list = ["task", "credential", "list", "-n", "web"];
    assert_snapshot!("task-credential-list", every_format(&world, &list));
    let show = ["task", "identity", "show", "-n", "web"];
    assert_snapshot!("task-identity-show", every_format(&world, &show));
}

#[test]
fn query_of_an_id_is_never_empty_and_columns_follow_the_query_order() {
    let world = world();
    let tsv = |words: &[&str], query: &str| {
        let line = [words, &["-o", "tsv", "--query", query]].concat();
        world.acrt(&line).ok().stdout
    };
    let show = ["task", "show", "-n", "web"];
    let runs = ["task", "list-runs"];
    assert_eq!(tsv(&show, "id"), "/registries/localhost:5000/tasks/web\n");
    assert_eq!(tsv(&["task", "list"], "[].type").lines().count(), 2);
    let run = ["task", "show-run", "--run-id", "ca2"];
    assert_eq!(tsv(&run, "id"), "/registries/localhost:5000/runs/ca2\n");
    assert_eq!(tsv(&show, "provisioningState"), "Succeeded\n");
    assert_eq!(tsv(&show, "isSystemTask"), "false\n");
    assert_eq!(
        tsv(
            &show,
            "credentials.customRegistries.\"ghcr.io\".userName.value"
        ),
        "me\n"
    );
    assert_eq!(tsv(&show, "identity"), "");
    assert_eq!(
        tsv(&runs, "[].{status:status,created:createTime,id:runId}"),
        "Failed\t2026-01-31T08:00:00+00:00\tca2\nCanceled\t2026-01-31T08:00:00+00:00\tca1\n"
    );
    assert_eq!(tsv(&runs, "[?status==`Failed`].runId"), "ca2\n");
    let table = ["task", "list-runs", "-o", "table", "--query"];
    let table = [&table[..], &["[].{status:status,run:runId}"]].concat();
    assert_eq!(
        world.acrt(&table).ok().stdout,
        "Status    Run\n--------  -----\nFailed    ca2\nCanceled  ca1\n"
    );
    let yaml = |query: &str| {
        let line = [&run[..], &["-o", "yaml", "--query", query]].concat();
        world.acrt(&line).ok().stdout
    };
    assert_eq!(yaml("runId"), "ca2\n...\n");
    assert_eq!(yaml("createTime"), "'2026-01-31T08:00:00+00:00'\n");
    assert_eq!(yaml("{on:status,a:runId}"), "a: ca2\n'on': Failed\n");
}

#[test]
fn deps_prints_every_format() {
    let world = world();
    assert_snapshot!("deps", every_format(&world, &["deps", "web"]));
}

#[test]
fn output_colours_follow_the_variables_in_formats_that_have_colours() {
    let world = world();
    let has_colour = |format: &str| {
        let show = ["task", "show", "-n", "web", "-o", format];
        world.acrt(&show).ok().stdout.contains('\u{1b}')
    };
    assert!(!has_colour("jsonc"));
    world.set("CLICOLOR_FORCE", "1");
    assert!(has_colour("jsonc") && has_colour("yamlc"));
    assert!(!has_colour("json") && !has_colour("table"));
    world.set("NO_COLOR", "1");
    assert!(!has_colour("jsonc") && !has_colour("yamlc"));
}
