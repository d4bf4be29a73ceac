//! `acrt task adopt`: what it finds, what it proposes, and what it writes.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, chown},
    },
};

use serde_json::Value;

use crate::support::{Output, Registry, World, program};

const COMPOSE: &str = "name: shop
services:
  base: {build: ./base}
  web:
    image: example/web
    build: {context: ./web, additional_contexts: [parent=service:base]}
  api: {build: ./api}
  db: {image: 'postgres:16'}
";

/// A compose project of four services, three of which are built.
fn shop(world: &World) -> String {
    world.write("shop/compose.yaml", COMPOSE);
    world.write("shop/base/Dockerfile", "FROM scratch\n");
    world.write("shop/web/Dockerfile", "FROM parent\n");
    world.write("shop/api/Dockerfile", "FROM shop-base\n");
    world.path("shop").display().to_string()
}

/// Returns the proposals for a path, without writing anything.
pub fn proposals(world: &World, place: &str) -> Output {
    let registry = ["-r", "r.test"];
    let asked = ["task", "adopt", place, "--dry-run", "-o", "json"];
    world.acrt(&[&asked[..], &registry].concat())
}

fn texts(tasks: &Value, key: &str) -> Vec<String> {
    let tasks = tasks["tasks"].as_array().unwrap().iter();
    tasks
        .map(|task| match &task[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

fn left_out(answer: &Value, key: &str) -> String {
    let mut out = answer["leftOut"].as_array().unwrap().iter();
    let found = out.find(|one| one["key"] == key || one["file"].as_str().unwrap().ends_with(key));
    let found = found.unwrap_or_else(|| panic!("no {key} in {answer:#}"));
    found["why"].as_str().unwrap().to_owned()
}

#[test]
fn adopted_task_that_closes_a_cycle_through_another_one_is_refused() {
    let world = World::new();
    world.write("last/Dockerfile", "FROM r.test/two:latest\n");
    let last = world.path("last").display().to_string();
    world
        .acrt(&[
            "task",
            "create",
            "-r",
            "r.test",
            "-n",
            "last",
            "-t",
            "last:latest",
            "-c",
            &last,
        ])
        .ok();
    world.write("all/one/Dockerfile", "FROM r.test/last:latest\n");
    world.write("all/two/Dockerfile", "FROM r.test/one:latest\n");
    let all = world.path("all").display().to_string();
    world
        .acrt(&["task", "adopt", &all, "-r", "r.test", "--yes"])
        .exits(2)
        .says(&["tasks would depend on each other: two <- one <- last <- two"]);
    let tasks = world.acrt(&["task", "list"]).ok().json();
    let names: Vec<_> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["last", "one"]);
}

#[test]
fn cycle_of_dockerfiles_is_named_by_their_folders() {
    let world = World::new();
    world.write("all/one/Dockerfile", "FROM two\n");
    world.write("all/two/Dockerfile", "FROM one\n");
    let all = world.path("all").display().to_string();
    let cycle = format!("by way of {all}/two/Dockerfile -> {all}/one/Dockerfile");
    proposals(&world, &all).exits(2).says(&[&cycle]);
}

#[test]
fn adopt_makes_tasks_of_compose_services_in_dependency_order_with_resolved_images() {
    let world = World::new();
    let shop = shop(&world);
    let line = [
        "task", "adopt", &shop, "-r", "r.test", "--yes", "-o", "json",
    ];
    let answer = world.acrt(&line).ok().json();
    assert_eq!(texts(&answer, "name"), ["base", "web", "api"]);
    assert_eq!(
        texts(&answer, "dependsOn"),
        ["[]", r#"["base"]"#, r#"["base"]"#]
    );
    assert_eq!(texts(&answer, "change"), ["new"; 3]);
    let images = texts(&answer, "images");
    assert_eq!(images[1], r#"["r.test/example/web:latest"]"#);
    assert_eq!(left_out(&answer, "db"), "it builds nothing");
    let web = world.acrt(&["task", "show", "-n", "web"]).ok().json();
    assert_eq!(
        web["step"]["contexts"]["parent"],
        "docker-image://r.test/shop-base:latest"
    );
    assert_eq!(web["source"]["kind"], "compose");
    assert_eq!(web["source"]["key"], "web");
    assert_eq!(web["source"]["path"], format!("{shop}/compose.yaml"));
    let api = world.acrt(&["task", "show", "-n", "api"]).ok().json();
    assert_eq!(
        api["step"]["contexts"]["shop-base"],
        "docker-image://r.test/shop-base:latest"
    );
    let again = world.acrt(&line).ok().json();
    assert_eq!(texts(&again, "change"), ["same"; 3]);
}

#[test]
fn adopt_without_yes_writes_nothing() {
    let world = World::new();
    let shop = shop(&world);
    let asked = world.acrt(&["task", "adopt", &shop, "-r", "r.test"]);
    asked.exits(2).says(&["nothing was written", "--yes"]);
    world
        .acrt(&["task", "adopt", &shop, "-r", "r.test", "--dry-run"])
        .ok();
    world
        .acrt(&["task", "adopt", &shop])
        .exits(2)
        .says(&["--registry", "--local"]);
    assert_eq!(
        world.acrt(&["task", "list"]).ok().json(),
        serde_json::json!([])
    );
}

#[test]
fn repeated_adopt_writes_only_changes_and_keeps_edits_by_hand() {
    let world = World::new();
    let shop = shop(&world);
    let adopt = |more: &[&str]| {
        let mut line = vec!["task", "adopt", shop.as_str(), "--yes", "-o", "json"];
        line.extend(more);
        world.acrt(&line).ok()
    };
    adopt(&["-r", "r.test", "--schedule", "0 3 * * *"]);
    world
        .acrt(&["task", "update", "-n", "api", "--timeout", "77"])
        .ok();
    let compose = COMPOSE.replace("./web,", "./web, args: {A: '1'},").replace(
        "api: {build: ./api}",
        "api: {build: {context: ./api, args: {B: '2'}}}",
    );
    world.write("shop/compose.yaml", &compose);
    let second = adopt(&[]);
    let answer = second.json();
    assert_eq!(texts(&answer, "name"), ["base", "web", "api"]);
    assert_eq!(texts(&answer, "change"), ["same", "changed", "kept"]);
    second.says(&[
        "task `web` changes",
        "+   - name: A",
        "task `api` was changed by hand and is kept",
        "+   - name: B",
    ]);
    let show = |name: &str| world.acrt(&["task", "show", "-n", name]).ok().json();
    assert_eq!(show("api")["timeout"], 77);
    assert_eq!(show("api")["step"]["arguments"], serde_json::json!([]));
    assert_eq!(show("web")["step"]["arguments"][0]["name"], "A");
    assert_eq!(
        show("web")["trigger"]["timerTriggers"][0]["schedule"],
        "0 3 * * *"
    );
    world.write(
        "shop/compose.yaml",
        "name: shop\nservices:\n  base: {build: ./base}\n",
    );
    fs::remove_dir_all(world.path("shop/web")).unwrap();
    fs::remove_dir_all(world.path("shop/api")).unwrap();
    assert_eq!(texts(&adopt(&[]).json(), "change"), ["same"]);
    assert_eq!(
        texts(&adopt(&["--prune"]).json(), "change"),
        ["same", "gone", "gone"]
    );
    let left = world.acrt(&["task", "list"]).ok().json();
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[test]
fn adopt_of_a_folder_tree_makes_tasks_with_valid_and_unique_names() {
    let world = World::new();
    for (path, text) in [
        ("tree/base/Dockerfile", "FROM scratch\n"),
        ("tree/My App!/Dockerfile", "FROM base\n"),
        ("tree/a/web/Containerfile", "FROM scratch\n"),
        ("tree/b/web/Dockerfile", "FROM scratch\n"),
        ("tree/b/web/Dockerfile.dev", "FROM scratch\n"),
        ("tree/b/web/Dockerfile.dockerignore", "*\n"),
        ("tree/node_modules/x/Dockerfile", "FROM scratch\n"),
        ("tree/vendored/Dockerfile", "FROM scratch\n"),
        ("tree/old/Dockerfile", "FROM scratch\n"),
        ("tree/broken/Dockerfile", "RUN x\n"),
        ("tree/.gitignore", "node_modules\n"),
        ("tree/.dockerignore", "vendored\nDockerfile\n"),
        ("elsewhere/Dockerfile", "FROM scratch\n"),
    ] {
        world.write(path, text);
    }
    std::os::unix::fs::symlink(world.path("elsewhere"), world.path("tree/link")).unwrap();
    let tree = world.path("tree").display().to_string();
    let line = [
        "task",
        "adopt",
        &tree,
        "-r",
        "r.test",
        "--exclude",
        "old/",
        "--dry-run",
        "-o",
        "json",
    ];
    let answer = world.acrt(&line).ok().json();
    let mut names = texts(&answer, "name");
    let app = names.iter().position(|name| name == "my-app").unwrap();
    assert_eq!(answer["tasks"][app]["dependsOn"][0], "base");
    assert_eq!(
        answer["tasks"][app]["definition"]["step"]["contexts"]["base"],
        "docker-image://r.test/base:latest"
    );
    names.sort();
    assert_eq!(names, ["b-web", "base", "my-app", "web", "web-dev"]);
    assert!(left_out(&answer, "vendored/Dockerfile").contains(".dockerignore"));
    assert!(left_out(&answer, "broken/Dockerfile").contains("broken/Dockerfile"));
    let shallow = world.acrt(&[
        "task",
        "adopt",
        &tree,
        "-r",
        "r.test",
        "--depth",
        "1",
        "--dry-run",
    ]);
    shallow.exits(2).says(&["nothing was found"]);
}

#[test]
fn adopt_reports_unreadable_services_and_adopts_the_rest() {
    let world = World::new();
    world.write("w/Dockerfile", "FROM scratch\n");
    world.write("loop/Dockerfile", "FROM bad-two\n");
    world.write("loop2/Dockerfile", "FROM bad-one\n");
    let compose = "name: bad
services:
  good: {build: ./w}
  twin: {build: ./w, image: bad-good}
  other: {build: {context: ./w, args: {A: b}}, image: bad-good}
  own: {extends: own}
  unset: {build: {context: '${NEEDED:?is needed}'}}
  upper: {build: ./w, image: Example/Web}
  gone: {build: ./nowhere}
  git: {build: 'https://example.com/a.git#main:sub'}
  list: {build: [1]}
  one: {build: ./loop}
  two: {build: ./loop2}
  \"-x'\\n\\e[31m\": {build: ./w, image: hostile}
";
    world.write("compose.yaml", compose);
    world.write(
        "deep/compose.yaml",
        &format!("services: {}", "[".repeat(5000)),
    );
    world.write(
        "huge/compose.yaml",
        &format!("#{}\n", "x".repeat(10 * 1024 * 1024)),
    );
    let bomb: String = (1..30)
        .map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1))
        .collect();
    world.write("bomb/compose.yaml", &format!("a0: &a0 [x]\n{bomb}"));
    world.write(
        "bake/docker-bake.json",
        "{\"target\": {\"a\": {\n\"tags\": [",
    );
    let place = world.path("").display().to_string();
    let line = [
        "task",
        "adopt",
        &place,
        "-r",
        "r.test",
        "--dry-run",
        "-o",
        "json",
        "--exclude",
        "Dockerfile",
    ];
    let answer = world.acrt(&line).ok().json();
    assert_eq!(texts(&answer, "name"), ["good", "git", "x----31m"]);
    let out = |key: &str| left_out(&answer, key);
    assert_eq!(out("twin"), "it is the same build as `good`");
    assert!(out("other").contains("makes the same image `bad-good:latest` as `good`"));
    assert!(out("own").contains("line 6, `services.own.extends`"));
    assert!(out("unset").contains("line 7, `services.unset.build.context`"));
    assert!(out("unset").contains("is needed"));
    assert!(out("upper").contains("lower-case"));
    assert!(out("gone").contains("nowhere"));
    assert!(out("list").contains("line 11"));
    assert!(out("one").contains("built on itself"));
    assert!(out("deep/compose.yaml").contains("nested"));
    assert!(out("huge/compose.yaml").contains("larger than 1 MiB"));
    assert!(out("bomb/compose.yaml").contains("100000 nodes"));
    assert!(out("docker-bake.json").contains("line 2"));
}

const BAKE: &str = r#"{
  "variable": {"TAG": {"default": "dev"}},
  "group": {"default": {"targets": ["app", "tools"]}},
  "target": {
    "_common": {"args": {"A": "1"}, "platforms": ["linux/amd64"]},
    "base": {"context": "base"},
    "app": {"inherits": ["_common"], "context": "app", "tags": ["example/app:${TAG}"],
            "contexts": {"parent": "target:base"}, "args": {"B": "2"}},
    "tools": {"name": "tool-${v}", "matrix": {"v": ["one", "two"]}, "context": "tool",
              "args": {"V": "${v}"}, "tags": ["example/tool:${v}"]},
    "unused": {"context": "nowhere"}
  }
}"#;

fn bakery(world: &World) -> String {
    world.write("bakery/base/Dockerfile", "FROM scratch\n");
    world.write("bakery/app/Dockerfile", "FROM parent\n");
    world.write("bakery/tool/Dockerfile", "FROM scratch\n");
    world.path("bakery").display().to_string()
}

#[test]
fn adopt_reads_json_bake_files_with_inheritance_matrix_and_variables() {
    let world = World::new();
    let bakery = bakery(&world);
    world.write("bakery/docker-bake.json", BAKE);
    world.set("TAG", "2");
    let answer = proposals(&world, &bakery).ok().json();
    assert_eq!(
        texts(&answer, "name"),
        ["base", "app", "tool-one", "tool-two"].map(str::to_owned)
    );
    let app = &answer["tasks"][1];
    assert_eq!(app["images"][0], "r.test/example/app:2");
    assert_eq!(app["platforms"][0], "linux/amd64");
    assert_eq!(app["dependsOn"][0], "base");
    let args = app["definition"]["step"]["arguments"].as_array().unwrap();
    assert_eq!(args.len(), 2);
    assert_eq!(answer["tasks"][3]["images"][0], "r.test/example/tool:two");
    assert!(left_out(&answer, "unused").contains("by default"));
}

#[test]
fn adopt_of_an_hcl_bake_file_needs_docker_buildx() {
    let world = World::new();
    let bakery = bakery(&world);
    let hcl = r#"
variable "TAG" { default = "dev" }
group "default" { targets = ["app"] }
target "base" { context = "base" }
target "app" {
  context  = "app"
  contexts = { parent = "target:base" }
  tags     = ["example/app:${upper(TAG)}", "example/app:x"]
}
"#;
    world.write("bakery/docker-bake.hcl", hcl);
    let answer = proposals(&world, &bakery).ok().json();
    assert!(left_out(&answer, "docker-bake.hcl").contains("only docker buildx reads HCL"));
    world.newer_docker();
    let answer = proposals(&world, &bakery).ok().json();
    assert_eq!(texts(&answer, "name"), ["base", "app", "tool"]);
    assert_eq!(answer["tasks"][1]["images"][0], "r.test/example/app:DEV");
    world.set("TAG", "env");
    let answer = proposals(&world, &bakery).ok().json();
    assert_eq!(answer["tasks"][1]["images"][0], "r.test/example/app:ENV");
}

#[test]
fn adopted_tasks_run_in_dependency_order_and_follow_their_bases() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("from:1", &[("version", "one")]);
    world.write("shop/compose.yaml", COMPOSE);
    world.write(
        "shop/base/Dockerfile",
        &format!("FROM {}\n", registry.image("from:1")),
    );
    world.write("shop/web/Dockerfile", "FROM parent\n");
    world.write(
        "shop/api/Dockerfile",
        "FROM scratch\nCOPY --from=shop-base /version /copied\n",
    );
    let shop = world.path("shop").display().to_string();
    world
        .acrt(&[
            "task",
            "adopt",
            &shop,
            "-r",
            &registry.host(),
            "--yes",
            "--run",
        ])
        .ok();
    assert_eq!(
        registry.file("example/web:latest", "version").as_deref(),
        Some("one")
    );
    assert_eq!(
        registry.file("shop-api:latest", "copied").as_deref(),
        Some("one")
    );
    registry.push("from:1", &[("version", "two")]);
    world.watch_once();
    assert_eq!(
        registry.file("example/web:latest", "version").as_deref(),
        Some("two")
    );
    assert_eq!(
        registry.file("shop-api:latest", "copied").as_deref(),
        Some("two")
    );
}

#[test]
fn adopt_keeps_the_task_of_a_moved_source() {
    let world = World::new();
    for name in ["web", "api", "job"] {
        world.write(&format!("shop/{name}/Dockerfile"), "FROM scratch\n");
    }
    let shop = world.path("shop").display().to_string();
    let line = [
        "task", "adopt", &shop, "-r", "r.test", "--prune", "--yes", "-o", "json",
    ];
    world.acrt(&line).ok();
    fs::create_dir(world.path("shop/deep")).unwrap();
    fs::rename(world.path("shop/web"), world.path("shop/deep/web")).unwrap();
    fs::remove_dir_all(world.path("shop/api")).unwrap();
    fs::remove_dir_all(world.path("shop/job")).unwrap();
    let answer = world.acrt(&line).ok().json();
    assert_eq!(texts(&answer, "name"), ["web", "api", "job"]);
    assert_eq!(texts(&answer, "change"), ["changed", "gone", "gone"]);
    let web = world.acrt(&["task", "show", "-n", "web"]).ok().json();
    assert_eq!(web["source"]["path"], format!("{shop}/deep/web/Dockerfile"));
    world.acrt(&["task", "show", "-n", "job"]).exits(3);
    let again = world.acrt(&line).ok().json();
    assert_eq!(texts(&again, "change"), ["same"]);
}

#[test]
fn adopt_without_a_registry_remembers_that_of_the_path_when_its_only_file_was_moved_and_changed() {
    let world = World::new();
    world.write("shop/old/Dockerfile", "FROM scratch\n");
    let shop = world.path("shop").display().to_string();
    let line = ["task", "adopt", &shop, "--prune", "--yes", "-o", "json"];
    let registry = ["-r", "r.test"];
    world.acrt(&[&line[..], &registry].concat()).ok();
    fs::remove_dir_all(world.path("shop/old")).unwrap();
    world.write("shop/new/Dockerfile", "FROM scratch\nCOPY x /\n");
    let answer = world.acrt(&line).ok().json();
    assert_eq!(texts(&answer, "change"), ["new", "gone"]);
    assert_eq!(texts(&answer, "registry"), ["r.test"; 2]);
}

#[test]
fn compose_up_of_a_file_that_other_users_can_change_is_refused() {
    let world = World::new();
    let shop = shop(&world);
    let adopted = |options: &[&str]| {
        let line = ["task", "adopt", &shop, "--local", "--dry-run", "-o", "json"];
        world.acrt(&[&line[..], options].concat())
    };
    let names = ["base", "web", "api"];
    let count = |output: Output| output.json()["tasks"].as_array().unwrap().len();
    assert_eq!(count(adopted(&["--compose-up"]).ok()), names.len());
    chown(world.path("shop"), Some(1000), None).unwrap();
    let refused = adopted(&["--compose-up"]);
    assert_eq!(refused.stdout, "", "{refused}");
    let told =
        names.map(|name| format!("left out: `{name}` of `{shop}/compose.yaml`: cannot restart"));
    refused
        .says(&told.each_ref().map(String::as_str))
        .says(&["/shop` belongs to another user, of the id 1000"]);
    assert_eq!(count(adopted(&[]).ok()), names.len());
}

#[test]
fn adopt_prunes_no_task_of_a_folder_that_cannot_be_read_or_is_not_searched() {
    let world = World::new();
    world.write("shop/web/Dockerfile", "FROM scratch\n");
    world.write("shop/deep/api/Dockerfile", "FROM scratch\n");
    let shop = world.path("shop").display().to_string();
    let line = ["task", "adopt", &shop, "-r", "r.test", "--prune", "--yes"];
    world.acrt(&line).ok();
    let deep = world.path("shop/deep");
    fs::set_permissions(&deep, fs::Permissions::from_mode(0o000)).unwrap();
    // Without root's capability to ignore the permissions.
    let mut plain = world.command(program("setpriv"));
    plain
        .arg("--bounding-set=-dac_override,-dac_read_search")
        .arg(env!("CARGO_BIN_EXE_acrt"))
        .args(line);
    let adopted = world.start(plain, "setpriv acrt task adopt".into()).wait();
    fs::set_permissions(&deep, fs::Permissions::from_mode(0o755)).unwrap();
    adopted.ok().says(&[&format!(
        "left out: `{}`: permission denied",
        deep.display()
    )]);
    // Nor of one that is not searched.
    for narrower in [["--depth", "2"], ["--exclude", "deep"]] {
        world.acrt(&[&line[..], &narrower].concat()).ok();
    }
    let left = world.acrt(&["task", "list", "--query", "[].name"]).ok();
    assert_eq!(left.json(), serde_json::json!(["api", "web"]));
}

#[test]
fn targets_that_bake_does_not_build_by_default_are_no_mistake_and_short_names_of_github_are_no_folders()
 {
    let world = World::new();
    let bake =
        r#"{"target": {"default": {"context": "github.com/acme/web#main:sub"}, "other": {}}}"#;
    world.write("shop/docker-bake.json", bake);
    let output = proposals(&world, "shop").ok();
    let answer = output.json();
    assert_eq!(
        left_out(&answer, "other"),
        "bake does not build it by default"
    );
    assert!(!output.stderr.contains("warning"), "{}", output.stderr);
    let context = &answer["tasks"][0]["definition"]["step"]["contextPath"];
    assert_eq!(context, "https://github.com/acme/web.git#main:sub");
}

#[test]
fn adopt_run_runs_tasks_that_have_never_run_and_no_others() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let host = registry.host();
    world.write("app/Dockerfile", "FROM scratch\nENV A=1\n");
    let place = world.path("app").display().to_string();
    let adopt = ["task", "adopt", &place, "-r", &host, "--yes"];
    let exclude = ["--exclude", "it's/"];
    let hint = format!(r"acrt task adopt {place} --exclude='it'\''s/' --run,");
    world
        .acrt(&[&adopt[..], &exclude].concat())
        .ok()
        .says(&[&hint]);
    assert_eq!(world.runs().len(), 0);
    // The hint as typed: neither the registry nor --yes is needed again.
    world.acrt(&["task", "adopt", &place, "--run"]).ok();
    assert_eq!(world.runs().len(), 1);
    world.acrt(&[&adopt[..], &["--run"]].concat()).ok();
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn adopt_reports_each_line_of_a_change_on_a_line_of_its_own() {
    let world = World::new();
    let shop = shop(&world);
    let line = ["task", "adopt", &shop, "-r", "r.test", "--yes"];
    world.acrt(&line).ok();
    let changed = COMPOSE.replace(
        "{build: ./api}",
        "{build: {context: ./api, args: {A: '1'}}}",
    );
    world.write("shop/compose.yaml", &changed);
    let output = world.acrt(&line).ok();
    let output = output.says(&["task `api` changes:\n"]);
    assert!(!output.stderr.contains("\\n"), "{}", output.stderr);
}

#[test]
fn new_dockerfiles_take_no_image_of_an_adopted_one_and_get_longer_names() {
    let world = World::new();
    let (shop, of) = (
        world.path("shop").display().to_string(),
        "src/web/Dockerfile",
    );
    let line = [
        "task", "adopt", &shop, "-r", "r.test", "--yes", "-o", "json",
    ];
    world.write(&format!("shop/c/{of}"), "FROM scratch\n");
    world.acrt(&line).ok();
    let label = |name: &str| format!("FROM scratch\nLABEL of={name}\n");
    for name in ["a", "b", "d"] {
        world.write(&format!("shop/{name}/{of}"), &label(name));
    }
    // Two folders with the same names all the way up.
    world.write("shop/A-/src/web/Dockerfile", &label("A"));
    for changes in [["new", "new", "new", "same", "new"], ["same"; 5]] {
        let answer = world.acrt(&line).ok().json();
        assert_eq!(answer["leftOut"], serde_json::json!([]));
        let files = texts(&answer, "file");
        let image = |name: &str| {
            let at = files
                .iter()
                .position(|file| *file == format!("{shop}/{name}/{of}"));
            answer["tasks"][at.unwrap()]["images"][0]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            ["c", "A-", "a", "b", "d"].map(image),
            ["web", "src-web", "a-src-web", "b-src-web", "d-src-web"]
                .map(|image| format!("r.test/{image}:latest"))
        );
        assert_eq!(texts(&answer, "change"), changes);
    }
    // A folder has no more names than folders above it: then a number is appended.
    for name in ["x", "X", "x-"] {
        world.write(&format!("few/{name}/Dockerfile"), &label(name));
    }
    let few = world.path("few").display().to_string();
    let images = texts(&proposals(&world, &few).ok().json(), "images");
    assert!(
        images.iter().any(|it| it.contains("r.test/few-x-2:latest")),
        "{images:?}"
    );
}

#[test]
fn folder_that_is_typed_in_another_way_is_not_adopted_twice() {
    let world = World::new();
    world.write("shop/api/Dockerfile", "FROM scratch\n");
    world.write("shop/web/Dockerfile", "FROM scratch\n");
    world.write("shop/compose.yaml", "services: {api: {build: ./api}}\n");
    std::os::unix::fs::symlink("shop", world.path("link")).unwrap();
    for (typed, change) in [("shop", "new"), ("shop/web/..", "same"), ("link", "same")] {
        let line = [
            "task", "adopt", typed, "-r", "r.test", "--yes", "-o", "json",
        ];
        let answer = world.acrt(&line).ok().json();
        assert_eq!(texts(&answer, "name"), ["api", "web"], "{typed}");
        assert_eq!(texts(&answer, "change"), [change; 2], "{typed}");
        assert_eq!(
            answer["tasks"][0]["images"][0], "r.test/shop-api:latest",
            "{typed}"
        );
    }
    // A path that was stored with `..` is still the same one.
    let web = world.state().join("tasks/r.test/web.yaml");
    let text = fs::read_to_string(&web).unwrap();
    let path = world.path("shop/web/Dockerfile").display().to_string();
    let stored = world
        .path("shop/api/../web/Dockerfile")
        .display()
        .to_string();
    fs::write(&web, text.replace(&path, &stored)).unwrap();
    assert!(fs::read_to_string(&web).unwrap().contains("/../"));
    let answer = proposals(&world, "shop").ok().json();
    assert_eq!(texts(&answer, "name"), ["api", "web"]);
    // A task is named after the folder that `..` is.
    let create = [
        "task",
        "create",
        "-r",
        "r.test",
        "-t",
        "x:1",
        "-c",
        "shop/api/..",
        "-f",
        "web/Dockerfile",
    ];
    world.acrt(&create).ok();
    world.acrt(&["task", "show", "-n", "shop"]).ok();
}

#[test]
fn file_whose_path_is_not_utf8_is_left_out_and_the_rest_adopted() {
    let world = World::new();
    world.write("shop/web/Dockerfile", "FROM scratch\n");
    let odd = world.path("shop").join(OsStr::from_bytes(b"d\xff/api"));
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("Dockerfile"), "FROM scratch\n").unwrap();
    let line = [
        "task", "adopt", "shop", "-r", "r.test", "--yes", "-o", "json",
    ];
    let answer = world.acrt(&line).ok().json();
    assert_eq!(texts(&answer, "name"), ["web"]);
    assert_eq!(left_out(&answer, "api/Dockerfile"), "its path is not UTF-8");
}

#[test]
fn state_directory_in_the_folder_is_not_searched() {
    let world = World::new();
    world.write("shop/web/Dockerfile", "FROM scratch\n");
    world.write("shop/state/runs/ca1/Dockerfile", "FROM scratch\n");
    let state = world.path("shop/state").display().to_string();
    world.set("ACRT_STATE_DIR", &state);
    let answer = proposals(&world, "shop").ok().json();
    assert_eq!(texts(&answer, "name"), ["web"]);
}

#[test]
fn adopted_task_keeps_its_secrets_when_its_file_changes_and_in_another_registry() {
    let world = World::new();
    let compose = |args: &str| {
        let build = format!("{{context: 'https://git.test/a/b.git#main', args: {{{args}}}}}");
        world.write(
            "shop/compose.yaml",
            &format!("services: {{a: {{build: {build}}}}}\n"),
        );
    };
    compose("");
    let adopt = |registry: &str| {
        world
            .acrt(&[
                "task", "adopt", "shop", "-r", registry, "--yes", "-o", "json",
            ])
            .ok()
            .json()
    };
    adopt("r.test");
    let token = ["--git-access-token", "env:TOKEN"];
    world
        .acrt(&[&["task", "update", "-n", "a"][..], &token].concat())
        .ok();
    let login = [
        "--login-server",
        "other.test",
        "-u",
        "me",
        "-p",
        "env:PASSWORD",
    ];
    world
        .acrt(&[&["task", "credential", "add", "-n", "a"][..], &login].concat())
        .ok();
    let secrets = |registry: &str| {
        fs::read_to_string(world.state().join(format!("secrets/{registry}/a.yaml")))
    };
    let before = secrets("r.test").unwrap();
    assert!(
        before.contains("env:TOKEN") && before.contains("other.test"),
        "{before}"
    );
    compose("A: '1'");
    assert_eq!(texts(&adopt("r.test"), "change"), ["changed"]);
    assert_eq!(secrets("r.test").unwrap(), before);
    adopt("elsewhere.test");
    assert_eq!(secrets("elsewhere.test").unwrap(), before);
    assert!(secrets("r.test").is_err());
}

#[test]
fn adopt_merges_the_bake_files_that_docker_buildx_merges_by_default() {
    let world = World::new();
    let bakery = bakery(&world);
    world.write("bakery/docker-bake.json", BAKE);
    let over = r#"{"target": {"app": {"tags": ["example/other:${TAG}"], "args": {"A": "3"}}}, "group": {"default": {"targets": ["app"]}}}"#;
    world.write("bakery/docker-bake.override.json", over);
    let line = [
        "task", "adopt", &bakery, "-r", "r.test", "--yes", "-o", "json",
    ];
    let answer = world.acrt(&line).ok().json();
    assert_eq!(texts(&answer, "name"), ["base", "app", "tool"]);
    let app = &answer["tasks"][1];
    assert_eq!(app["images"][0], "r.test/example/other:dev");
    let args = app["definition"]["step"]["arguments"].as_array().unwrap();
    let values: Vec<&Value> = args.iter().map(|argument| &argument["value"]).collect();
    assert_eq!(values, ["3", "2"]);
    let hcl = "target \"app\" { tags = [\"example/hcl:1\"] }\n";
    world.write("bakery/docker-bake.hcl", hcl);
    let answer = world.acrt(&line).ok().json();
    assert!(left_out(&answer, "docker-bake.hcl").contains("only docker buildx reads HCL"));
    assert_eq!(texts(&answer, "change"), ["same"; 3]);
    world.newer_docker();
    let answer = proposals(&world, &bakery).ok().json();
    assert_eq!(answer["tasks"][1]["images"][0], "r.test/example/hcl:1");
}
