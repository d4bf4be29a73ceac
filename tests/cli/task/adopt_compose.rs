//! Compares what `acrt task adopt` and `docker compose config` read from compose files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{Registry, World, builders::compose_plugin, command};

use super::adopt::proposals;

/// Returns docker compose's view of the project in a folder.
fn judged(folder: &Path, variables: &[(&str, &str)]) -> Value {
    let mut judge = command(compose_plugin());
    judge
        .args(["--profile", "*", "config", "--format", "json"])
        .current_dir(folder)
        .envs(variables.iter().copied());
    let output = judge.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {told}", folder.display());
    // It doubles dollar signs, so that its output could be read again.
    let printed = String::from_utf8(output.stdout).unwrap().replace("$$", "$");
    serde_json::from_str(&printed).unwrap()
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let path = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &path),
            false => drop(fs::copy(entry.path(), path).unwrap()),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Creates the contexts and Dockerfiles of a project, so that it can be built.
fn furnish(judged: &Value) {
    for build in judged["services"]
        .as_object()
        .unwrap()
        .values()
        .map(|it| &it["build"])
    {
        let context = PathBuf::from(text(&build["context"]));
        if build.is_null() || build["dockerfile_inline"].is_string() {
            continue;
        }
        let path = context.join(text(&build["dockerfile"]));
        fs::create_dir_all(&context).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let stages: String = ["one", "two", "other", "top", "dev", "prod"]
            .iter()
            .map(|stage| format!("FROM scratch AS {stage}\n"))
            .collect();
        fs::write(path, format!("{stages}FROM scratch\n")).unwrap();
    }
}

/// Returns the builds in docker compose's view, with the keys of a definition.
fn wanted(judged: &Value) -> BTreeMap<String, Value> {
    let project = text(&judged["name"]);
    let services = judged["services"].as_object().unwrap().iter();
    let built = services.filter(|(_, service)| !service["build"].is_null());
    let entries = built.map(|(name, service)| {
        let build = &service["build"];
        let mut images = vec![match service["image"].as_str() {
            Some(image) => image.to_owned(),
            None => format!("{project}-{name}"),
        }];
        images.extend(build["tags"].as_array().into_iter().flatten().map(text));
        let images =
            images.iter().map(
                |image| match image.rsplit('/').next().unwrap().contains(':') {
                    true => image.clone(),
                    false => format!("{image}:latest"),
                },
            );
        let args = build["args"].as_object().into_iter().flatten();
        let args: BTreeMap<String, String> = args
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let mut platforms: Vec<String> = build["platforms"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect();
        platforms.extend(
            service["platform"]
                .as_str()
                .filter(|_| platforms.is_empty())
                .map(str::to_owned),
        );
        let others = build["additional_contexts"]
            .as_object()
            .into_iter()
            .flatten();
        let others: BTreeMap<String, String> = others
            .map(|(name, place)| (name.clone(), text(place)))
            .collect();
        let secrets = build["secrets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|secret| {
                let source = text(&secret["source"]);
                let file = text(&judged["secrets"][&source]["file"]);
                let id = secret["target"].as_str().unwrap_or(&source).to_owned();
                format!("--secret=id={id},src={file}")
            });
        let labels = build["labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(name, value)| format!("--label={name}={}", text(value)));
        let mut options: Vec<String> = labels.chain(secrets).collect();
        let network = build["network"]
            .as_str()
            .map(|it| format!("--network={it}"));
        options.extend(network);
        let hosts = build["extra_hosts"].as_array().into_iter().flatten();
        options
            .extend(hosts.map(|host| format!("--add-host={}", text(host).replacen('=', ":", 1))));
        options.sort();
        let entry = json!({
            "context": build["context"],
            "dockerfile": build["dockerfile"],
            "inline": build["dockerfile_inline"],
            "target": build["target"],
            "args": args,
            "images": images.collect::<Vec<_>>(),
            "platforms": platforms,
            "contexts": others,
            "options": options,
            "noCache": build["no_cache"].as_bool().unwrap_or(false),
        });
        (name.clone(), entry)
    });
    entries.collect()
}

/// Returns the builds that acrt proposes, with the same keys.
fn proposed(answer: &Value) -> BTreeMap<String, Value> {
    let tasks = answer["tasks"].as_array().unwrap().iter();
    let entries = tasks.map(|task| {
        let (definition, step) = (&task["definition"], &task["definition"]["step"]);
        let args = step["arguments"].as_array().unwrap().iter();
        let args: BTreeMap<String, String> =
            args.map(|arg| (text(&arg["name"]), text(&arg["value"]))).collect();
        let inline = &step["dockerFileContent"];
        let contexts = step["contexts"].as_object().into_iter().flatten();
        let contexts: BTreeMap<String, String> = contexts
            .map(|(name, place)| {
                let place = text(place);
                let own = place.strip_prefix("docker-image://r.test/contexts-");
                let service = own.map(|it| format!("service:{}", it.trim_end_matches(":latest")));
                (name.clone(), service.unwrap_or(place))
            })
            .collect();
        let mut options: Vec<String> = step["options"].as_array().into_iter().flatten().map(text).collect();
        options.retain(|it| !it.starts_with("--shm-size"));
        options.sort();
        let entry = json!({
            "context": step["contextPath"],
            "dockerfile": if inline.is_null() { step["dockerFilePath"].clone() } else { Value::Null },
            "inline": inline,
            "target": step["target"],
            "args": args,
            "images": step["imageNames"],
            "platforms": definition["platforms"].as_array().cloned().unwrap_or_default(),
            "contexts": contexts,
            "options": options,
            "noCache": step["noCache"],
        });
        (text(&task["key"]), entry)
    });
    entries.collect()
}

#[test]
fn adopt_reads_compose_files_of_every_shape_as_docker_compose_does() {
    let shapes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/compose");
    let mut count = 0;
    for shape in fs::read_dir(shapes).unwrap().map(|entry| entry.unwrap()) {
        let name = shape.file_name().into_string().unwrap();
        let world = World::new();
        let folder = world.path(&format!("shapes/{name}"));
        copied(&shape.path(), &folder);
        let judged = judged(&folder, &[]);
        furnish(&judged);
        let place = folder.display().to_string();
        let options = [
            "-r",
            "r.test",
            "--exclude",
            "Dockerfile*",
            "--exclude",
            "*.Dockerfile",
        ];
        let mut line = vec![
            "task",
            "adopt",
            &place,
            "--depth",
            "1",
            "--dry-run",
            "-o",
            "json",
        ];
        line.extend(options);
        let answer = world.acrt(&line).ok().json();
        let mut wanted = wanted(&judged);
        // Services with the same build become one task.
        for out in answer["leftOut"].as_array().unwrap() {
            if text(&out["why"]).starts_with("it is the same build") {
                wanted.remove(&text(&out["key"]));
            }
        }
        assert_eq!(proposed(&answer), wanted, "{name}");
        count += 1;
    }
    assert!(count >= 20, "{count} shapes");
}

#[test]
fn adopt_expands_compose_variables_as_docker_compose_does() {
    const FORMS: [&str; 36] = [
        "$SET",
        "${SET}",
        "${SET:-d}",
        "${SET-d}",
        "${SET:+d}",
        "${SET+d}",
        "${SET:?e}",
        "${SET?e}",
        "$BLANK",
        "${BLANK}",
        "${BLANK:-d}",
        "${BLANK-d}",
        "${BLANK:+d}",
        "${BLANK+d}",
        "${BLANK?e}",
        "$UNSET",
        "${UNSET}",
        "${UNSET:-d}",
        "${UNSET-d}",
        "${UNSET:+d}",
        "${UNSET+d}",
        "${UNSET:-${SET}}",
        "${UNSET:-${BLANK:-deep}}",
        "${SET:+${UNSET:-x}}",
        "a${SET}b$SET.c",
        "$$SET",
        "$${SET}",
        "${UNSET:-a:b-c?d}",
        "${UNSET:-}",
        "${FILE}${OUTER}",
        "${SET:-{}}",
        "${UNSET:-{}}",
        "${UNSET:-{a:{b}}}-{${SET}}",
        "${UNSET:-{a}b}c}",
        "${UNSET:-{}x",
        "${UNSET:-{${SET}}",
    ];
    let world = World::new();
    let args: String = (0..)
        .zip(FORMS)
        .map(|(n, form)| format!("        A{n}: \"{form}\"\n"))
        .collect();
    let compose = format!("services:\n  web:\n    build:\n      context: .\n      args:\n{args}");
    world.write("vars/compose.yaml", &compose);
    world.write("vars/.env", "BLANK=\nFILE=f-${SET}\nOUTER=inner\nSET=no\n");
    world.write("vars/Dockerfile", "FROM scratch\n");
    let folder = world.path("vars");
    for set in ["s", "with space", "$x"] {
        let variables = [("SET", set), ("OUTER", "outer")];
        variables
            .iter()
            .for_each(|(name, value)| world.set(name, value));
        let answer = proposals(&world, folder.to_str().unwrap());
        let proposed = proposed(&answer.ok().json());
        assert_eq!(proposed, wanted(&judged(&folder, &variables)), "{set}");
    }
}

#[test]
fn compose_file_of_the_environment_counts_for_the_current_folder_and_never_beside_a_file_that_is_named()
 {
    let world = World::new();
    let service = |name: &str| {
        let end = if name == "main" { ".main" } else { "" };
        format!(
            "services: {{{name}: {{image: 'x/{name}:${{V:-none}}', build: {{context: ., dockerfile: Dockerfile{end}}}}}}}\n"
        )
    };
    world.write("shop/compose.yaml", &service("main"));
    world.write("shop/.env", "V=root\n");
    for (file, name) in [("sub/a.yaml", "a"), ("sub/b.yaml", "b")] {
        world.write(&format!("shop/{file}"), &service(name));
    }
    world.write("shop/sub/.env", "V=sub\n");
    // A Dockerfile that no compose file names would become a task too.
    world.write("shop/Dockerfile.main", "FROM scratch\n");
    world.write("shop/sub/Dockerfile", "FROM scratch\n");
    let shop = world.path("shop");
    let adopted = |paths: &[&str], folder: &Path| {
        let mut call = world.command(env!("CARGO_BIN_EXE_acrt"));
        call.args([
            "task",
            "adopt",
            "-r",
            "r.test",
            "--depth",
            "1",
            "--dry-run",
            "-o",
            "json",
        ]);
        call.args(paths).current_dir(folder);
        let output = world.start(call, format!("adopt {paths:?}")).wait();
        let mut found = proposed(&output.ok().json());
        found.remove("Dockerfile.main");
        found
    };
    let files = [("COMPOSE_FILE", "sub/a.yaml:sub/b.yaml")];
    world.set(files[0].0, files[0].1);
    assert_eq!(adopted(&[], &shop), wanted(&judged(&shop, &files)));
    assert_eq!(
        adopted(&["."], &shop).keys().collect::<Vec<_>>(),
        ["a", "b"]
    );
    let name = |found: &BTreeMap<String, Value>| found.keys().cloned().collect::<Vec<_>>();
    assert_eq!(name(&adopted(&["compose.yaml"], &shop)), ["main"]);
    assert_eq!(name(&adopted(&["sub/a.yaml"], &shop)), ["a"]);
    assert_eq!(
        name(&adopted(&["shop"], &world.path(""))),
        ["main"],
        "it is another folder"
    );
    world.set("COMPOSE_FILE", "");
    world.write("shop/.env", "V=root\nCOMPOSE_FILE=sub/a.yaml\n");
    assert_eq!(adopted(&[], &shop), wanted(&judged(&shop, &[])));
    assert_eq!(name(&adopted(&["shop"], &world.path(""))), ["a"]);
}

#[test]
fn adopt_turns_compose_ssh_ulimits_and_secrets_into_build_options() {
    let world = World::new();
    let compose = "services:
  web:
    build:
      context: .
      ssh: [default, 'key=./id']
      ulimits: {nofile: 100, nproc: {soft: 1, hard: 2}}
      entitlements: [network.host]
      privileged: true
      secrets: [token, {source: file, target: here}]
secrets:
  token: {environment: TOKEN}
  file: {file: ~/f}
";
    world.write("shop/compose.yaml", compose);
    world.write("shop/Dockerfile", "FROM scratch\n");
    let (shop, home) = (world.path("shop"), world.path("home"));
    let (folder, home) = (shop.display(), home.display());
    let answer = proposals(&world, "shop").ok().json();
    let task = &answer["tasks"][0];
    assert_eq!(
        task["definition"]["step"]["options"],
        json!([
            "--ssh=default",
            format!("--ssh=key={folder}/id"),
            "--ulimit=nofile=100",
            "--ulimit=nproc=1:2",
            "--allow=network.host",
            "--allow=security.insecure",
            "--secret=id=token,env=TOKEN",
            format!("--secret=id=here,src={home}/f"),
        ])
    );
    let why = text(&task["why"]);
    for needed in [
        "the variable TOKEN",
        "an ssh agent",
        "that allows security.insecure",
    ] {
        assert!(why.contains(needed), "{why}");
    }
    // The same project as a bake file.
    let bake = json!({"target": {"default": {
        "ssh": ["default", {"id": "key", "paths": ["./id"]}],
        "secret": ["type=env,id=token,env=TOKEN", {"type": "file", "id": "here", "src": "f"}],
        "entitlements": ["network.host"],
    }}});
    world.write("bake/docker-bake.json", &bake.to_string());
    world.write("bake/Dockerfile", "FROM scratch\n");
    let answer = proposals(&world, "bake").ok().json();
    let folder = world.path("bake");
    let folder = folder.display();
    assert_eq!(
        answer["tasks"][0]["definition"]["step"]["options"],
        json!([
            "--allow=network.host",
            "--ssh=default",
            format!("--ssh=key={folder}/id"),
            "--secret=id=token,env=TOKEN",
            format!("--secret=id=here,src={folder}/f"),
        ])
    );
}

#[test]
fn compose_secrets_and_ssh_agent_reach_the_build_and_nothing_else() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("v", "1")]);
    let dockerfile = format!(
        "FROM {}\nRUN --mount=type=secret,id=token cat /run/secrets/token | wc -c > /length\nRUN --mount=type=secret,id=file cat /run/secrets/file\nRUN --mount=type=ssh test -S \"$SSH_AUTH_SOCK\"\n",
        registry.image("base:1")
    );
    world.write("shop/Dockerfile", &dockerfile);
    let compose = "services: {web: {image: web, build: {context: ., ssh: [default], secrets: [token, file]}}}\nsecrets: {token: {environment: TOKEN}, file: {file: ./file}}\n";
    world.write("shop/compose.yaml", compose);
    world.write("shop/file", "hunter2-in-a-file\n");
    let socket = world.path("agent");
    let mut agent = command("ssh-agent");
    agent.arg("-D").arg("-a").arg(&socket);
    let agent = world.start(agent, "ssh-agent".to_owned());
    agent.stdout_has("SSH_AUTH_SOCK");
    world.set("SSH_AUTH_SOCK", &socket.display().to_string());
    let host = registry.host();
    world
        .acrt(&["task", "adopt", "shop", "-r", &host, "--yes"])
        .ok();
    let problem = "variable `TOKEN` is not set, which a secret of the build is taken from";
    world.run("web").exits(1).says(&[problem, ".env"]);
    // A watcher started by cron finds it beside the compose file.
    world.write("shop/.env", "TOKEN=hunter2\n");
    let output = world.run("web").ok();
    assert!(!format!("{}{}", output.stdout, output.stderr).contains("hunter2"));
    assert_eq!(registry.file("web:latest", "length").unwrap().trim(), "7");
    for (path, text) in world.state_files() {
        assert!(!text.contains("hunter2"), "{}", path.display());
    }
    world.set("TOKEN", "longer than that");
    world.run("web").ok();
    assert_eq!(registry.file("web:latest", "length").unwrap().trim(), "16");
    agent.kill();
}
