//! Runs the published command lines of `tests/data/az-lines.txt`: each works, or is refused with acrt's alternative.

use std::fs;

use crate::support::{GitServer, Image, Output, Registry, World};

/// How many lines of each kind there are, and how many of them must work.
const TUTORIALS: (usize, usize) = (91, 85);
const SCRIPTS: (usize, usize) = (86, 82);

/// One line of the file.
struct Published {
    expected: String,
    line: String,
}

/// Returns the lines below a heading.
fn published(heading: &str) -> Vec<Published> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/az-lines.txt");
    let text = fs::read_to_string(path).unwrap();
    let (_, part) = text.split_once(&format!("== {heading}\n")).unwrap();
    let part = part.split("\n== ").next().unwrap();
    let lines = part.lines().filter_map(|line| {
        let (expected, line) = line.split_once(" az acr ")?;
        (!expected.starts_with('#')).then(|| Published {
            expected: expected.trim().to_owned(),
            line: line.to_owned(),
        })
    });
    lines.collect()
}

/// A machine on which the lines can run: three names of one registry, and the folder and the repositories that they name.
struct Machine {
    world: World,
    registry: Registry,
    server: GitServer,
}

impl Machine {
    fn start(set_up: impl Fn(&World)) -> Self {
        let (world, registry) = (World::new(), Registry::start());
        set_up(&world);
        world.git();
        let host = registry.host();
        let names = ["example", "examplebase", "exampledate"];
        let names = names.map(|name| format!("  {name}: {{loginServer: '{host}'}}\n"));
        world.config(&format!("registries:\n{}", names.concat()));
        world.set("ACRT_REGISTRY", "example");
        let shell = Image::of(&[("hello", "world")]).shell();
        let hello = shell.command(&["/bin/sh", "-c", "echo Hello"]);
        for name in ["hello-world:latest", "node:15-alpine"] {
            registry.push_image(&format!("library/{name}"), &hello);
        }
        for name in ["hello-world:latest", "acme/hello-world:latest"] {
            registry.push_image(name, &hello);
        }
        let files = files(&host);
        for (path, text) in &files {
            world.write(&format!("work/{path}"), text);
        }
        let borrowed: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        world.repository("helloworld-node", &borrowed);
        world.repository("acr-tasks", &borrowed);
        let server = GitServer::start(&world.path("repos"), None);
        // Dockerfile-app of the tutorials needs this base before the line that builds it.
        registry.push_image("baseimages/node:15-alpine", &hello);
        let machine = Self {
            world,
            registry,
            server,
        };
        // The last run, the tags to purge and an image of acr-cli, which need not be pulled.
        machine.type_words("build -r example -t web:0 .", "").ok();
        machine
    }

    /// Replaces the placeholders in a line of the file.
    fn filled(&self, line: &str) -> String {
        let host = self.registry.host();
        let digest = self.registry.digest("library/hello-world:latest").unwrap();
        let run = self
            .world
            .acrt(&["task", "list-runs", "--query", "[0].runId", "-o", "tsv"]);
        let mut line = line.replace("DIGEST", &digest);
        line = line.replace("--run-id RUN", &format!("--run-id {}", run.stdout.trim()));
        for name in ["helloworld-node", "acr-tasks"] {
            line = line.replace(
                &format!("https://github.com/acme/{name}.git"),
                &self.server.url(name),
            );
        }
        for name in ["example", "examplebase", "exampledate"] {
            line = line.replace(&format!("{name}.azurecr.io"), &host);
        }
        // The image of acr-cli is not pulled: acrt does its work.
        if !line.contains("acr/acr-cli") {
            for (other, here) in [
                ("docker.io/library", "library"),
                ("quay.io/acme", "acme"),
                ("ghcr.io/acme", "acme"),
            ] {
                line = line.replace(other, &format!("{host}/{here}"));
            }
            line = line.replace("mcr.microsoft.com", &host);
        }
        line
    }

    /// Runs a line in its shell, without `az acr`.
    fn type_words(&self, line: &str, more: &str) -> Output {
        let line = line.replace("\\$", "$");
        let words = shlex::split(&line).unwrap_or_else(|| panic!("{line}"));
        let words = shlex::try_join(words.iter().map(String::as_str)).unwrap();
        let password = match line.contains("--password-stdin") {
            true => "printf secret | ",
            false => "",
        };
        let typed = format!("cd work && {password}\"$0\" {words} {more} < /dev/null");
        let typed = match password {
            "" => typed,
            _ => typed.replace(" < /dev/null", ""),
        };
        self.world.shell(&typed)
    }

    /// Runs a line of the file; returns an error if it fails.
    fn problem(&self, published: &Published) -> Option<String> {
        let line = self.filled(&published.line);
        let output = self.type_words(&line, "");
        let is_told = output.stderr.contains("without effect outside Azure");
        let is_hinted = ["acrt ", "`", "nothing ", "hint: "];
        let is_hinted = is_hinted.iter().any(|text| output.stderr.contains(text));
        let is_silent = published.line.contains("--only-show-errors");
        let is_right = match published.expected.as_str() {
            "done" => output.code == 0 && !is_told,
            "warned" => output.code == 0 && (is_told || is_silent),
            "refused" => output.code == 2 && is_hinted && !output.stderr.contains("Usage:"),
            "missing" => output.code == 3,
            "asks" => {
                let refused = output.code == 2 && output.stderr.contains("--yes");
                refused && self.type_words(&line, "--yes").code == 0
            }
            other => panic!("nothing is known of `{other}`"),
        };
        (!is_right).then(|| format!("{} az acr {}\n{output}", published.expected, published.line))
    }
}

/// The files of the folder and of the repositories.
fn files(host: &str) -> Vec<(String, String)> {
    let from = format!("FROM {host}/hello-world:latest\n");
    let steps = |steps: &str| {
        format!("version: v1.1.0\nsteps:\n{steps}")
            .replace("$HELLO", &format!("{host}/hello-world:latest"))
    };
    let build = "- build: -t $Registry/hello-world:$ID .\n- push: ['$Registry/hello-world:$ID']\n";
    let multi = |second: &str, push: &str| {
        steps(&format!(
            "- build: -t {{{{.Run.Registry}}}}/hello-world:{{{{.Run.ID}}}} -f Dockerfile .\n{second}\
             - cmd: -t {{{{.Run.Registry}}}}/hello-world:{{{{.Run.ID}}}} sh -c 'trap exit TERM; while :; do busybox sleep 0.1; done'\n  id: test\n  detach: true\n\
             - cmd: docker stop test\n\
             - push:\n  - '{{{{.Run.Registry}}}}/hello-world:{{{{.Run.ID}}}}'\n{push}"
        ))
    };
    let dockerfile_of_folder = |folder: &str| (format!("{folder}/Dockerfile"), from.clone());
    let file = |path: &str, text: String| (path.to_owned(), text);
    vec![
        file("Dockerfile", from.clone()),
        file("Dockerfile.api", from.clone()),
        file("hello-world.dockerfile", from.clone()),
        file("multipleRegistries/hello-world.dockerfile", from.clone()),
        dockerfile_of_folder("server"),
        dockerfile_of_folder("docker"),
        file("Dockerfile-base", format!("FROM {host}/node:15-alpine\nENV NODE_VERSION 15\n").replace("/node", "/library/node")),
        file("Dockerfile-app", "ARG REGISTRY_NAME\nFROM ${REGISTRY_NAME}/baseimages/node:15-alpine\n".into()),
        file("Dockerfile.stages", format!("FROM {host}/hello-world:latest AS base\nARG TOKEN\nFROM base\n")),
        file("taskmulti.yaml", multi("", "")),
        file(
            "taskmulti-multiregistry.yaml",
            multi(
                "- build: -t {{.Values.regDate}}/hello-world:{{.Run.Date}} -f Dockerfile .\n",
                "  - '{{.Values.regDate}}/hello-world:{{.Run.Date}}'\n",
            ),
        ),
        file("helloworldtask.yaml", steps("- cmd: $HELLO\n")),
        file(
            "dockerhubtask.yaml",
            "version: v1.1.0\nsecrets:\n- id: password\n  keyvault: https://acme.vault.azure.net/secrets/Password\nsteps:\n\
             - cmd: bash echo '{{.Secrets.password}}' | docker login --username me --password-stdin\n".into(),
        ),
        file("build-push-hello-world.yaml", steps(build)),
        file("acb.yaml", steps("- cmd: $HELLO sh -c 'echo {{.Values.tag}}'\n")),
        file("acr-task.yaml", steps("- cmd: $HELLO\n")),
        file("values.yaml", steps("- cmd: $HELLO sh -c 'echo {{.Values.a}}'\n")),
        file("values-of.yaml", "a: b\n".into()),
    ]
}

/// Runs the lines below a heading. The share of working lines must be at least that of `most` in `count`.
fn type_all(machine: &Machine, heading: &str, (count, most): (usize, usize)) {
    let lines = published(heading);
    let problems: Vec<String> = lines
        .iter()
        .filter_map(|line| machine.problem(line))
        .collect();
    let wrong = problems.len();
    assert!(
        problems.is_empty(),
        "{wrong} of {}:\n\n{}",
        lines.len(),
        problems.join("\n")
    );
    let is_refused = |line: &&Published| matches!(line.expected.as_str(), "refused" | "missing");
    let done = lines.len() - lines.iter().filter(is_refused).count();
    assert!(
        lines.len() >= count && done * count >= most * lines.len(),
        "{done} of {} are done",
        lines.len()
    );
}

#[test]
fn tutorial_commands_of_az_are_done_or_refused_with_the_alternative() {
    let machine = Machine::start(|world| drop(world.docker()));
    type_all(&machine, "tutorials", TUTORIALS);
    type_all(&machine, "azure", (0, 0));
}

#[test]
fn public_script_commands_of_az_are_done_or_refused_with_the_alternative() {
    let machine = Machine::start(|world| drop(world.buildah()));
    type_all(&machine, "scripts", SCRIPTS);
}
