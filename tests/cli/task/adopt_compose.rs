//! What `acrt task adopt` reads of compose files, beside what `docker compose config` reads of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{World, builders::compose_plugin, command};

/// Returns what docker compose says of the project in a folder.
fn judged(folder: &Path, variables: &[(&str, &str)]) -> Value {
    let mut judge = command(compose_plugin());
    judge
        .args(["--profile", "*", "config", "--format", "json"])
        .current_dir(folder)
        .envs(variables.iter().copied());
    let output = judge.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {told}", folder.display());
    // It writes dollar signs so that what it prints could be read again.
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

/// Makes the contexts and Dockerfiles that a project names, so that it can be built.
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

/// Returns what the judge says is built, in the keys of a definition.
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

/// Returns what acrt proposes to build, in the same keys.
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
fn compose_files_of_every_shape_are_read_as_docker_compose_reads_them() {
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
        // One task is enough for services that are one build.
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
fn variables_are_filled_in_as_docker_compose_does() {
    const FORMS: [&str; 30] = [
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
        let answer = world.acrt(&[
            "task",
            "adopt",
            folder.to_str().unwrap(),
            "-r",
            "r.test",
            "--dry-run",
            "-o",
            "json",
        ]);
        let proposed = proposed(&answer.ok().json());
        assert_eq!(proposed, wanted(&judged(&folder, &variables)), "{set}");
    }
}
