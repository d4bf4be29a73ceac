//! Runs the commands in the documents line by line, on a machine with a registry, a builder, a git server, and stand-ins that record
//! their calls for other programs.

use std::{fs, path::Path};

use rustix::process::Signal;

use crate::support::{GitServer, PASSWORD, Registry, World, next_port};

/// Lines that are not run: the document, the start of the line, and the reason. A heredoc is part of the line that
/// starts it.
const NOT_TYPED: &[(&str, &str, &str)] = &[
    (
        "README.md",
        "make ",
        "compiles acrt, which takes minutes; CI does all four",
    ),
    (
        "docs/fleet.md",
        "apt-get ",
        "installs a builder on another machine",
    ),
    (
        "docs/fleet.md",
        "tar ",
        "installs a builder on another machine",
    ),
    (
        "docs/fleet.md",
        "systemd-run ",
        "starts a builder on another machine",
    ),
    (
        "docs/fleet.md",
        "acrt builder check ",
        "asks three machines of a network that is not there; tests/cli/farm.rs has some",
    ),
    (
        "docs/fleet.md",
        "acrt task watch",
        "builds on the same three machines",
    ),
    (
        "docs/performance.md",
        "make ",
        "measures for a quarter of an hour; .ci/run does",
    ),
    (
        "docs/performance.md",
        "cargo ",
        "measures for minutes; .ci/run does",
    ),
    (
        "docs/adopt.md",
        "acrt task adopt -r ",
        "follows images that are there before acrt; tests/cli/task/adopt_no_run.rs has some",
    ),
    (
        "docs/page.md",
        "acrt status --serve ",
        "serves until it is stopped; tests/cli/page.rs asks it",
    ),
];

/// The machine that the documents assume.
struct Machine {
    world: World,
    /// `localhost:5000`
    own: Registry,
    /// Docker Hub.
    hub: Registry,
    /// `ghcr.io`
    remote: Registry,
    server: GitServer,
}

impl Machine {
    fn new(document: &str) -> Self {
        let world = World::new();
        world.buildah();
        world.git();
        world.set("ACRT_BUILDER", "buildah");
        for program in ["docker", "podman", "kubectl", "systemctl", "loginctl"] {
            world.fake(program, "exit 0");
        }
        let table = world.path("crontab");
        let crontab = format!(
            "if [ \"$1\" = -l ]; then cat {0} 2>/dev/null; else cat >{0}; fi",
            table.display()
        );
        world.fake("crontab", &crontab);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_acrt"), world.path("bin/acrt")).unwrap();
        let server = GitServer::start(&world.path("repos"), None);
        let machine = Self {
            world,
            own: Registry::start(),
            hub: Registry::start(),
            remote: Registry::with_login(),
            server,
        };
        machine.fill(document);
        machine
    }

    /// Creates the images, folders and tasks that a document assumes.
    fn fill(&self, document: &str) {
        let Self {
            world,
            own,
            hub,
            remote,
            ..
        } = self;
        for name in ["library/node:20", "library/node:20-alpine", "alpine:3"] {
            hub.push_shell(name, &[("version", "20")]);
        }
        remote.push("acme/base:1", &[("version", "one")]);
        if !["README.md", "docs/import.md"].contains(&document) {
            own.push_shell("base:1", &[("version", "one")]);
        }
        own.push("node:20-alpine", &[("version", "20")]);
        let from = format!("FROM {}\n", own.image("base:1"));
        world.context("here/web", &from);
        world.context("here/images/base", &from);
        world.context("here", &format!("FROM {}\n", own.image("node:20-alpine")));
        world.write("here/web/acb.yaml", "version: v1.1.0\nsteps:\n- build: -t $Registry/web:{{.Values.tag}}x .\n- push: ['$Registry/web:{{.Values.tag}}x']\n");
        world.write("here/compose.yaml", "services: {web: {build: ./web}}\n");
        world.write("here/token", PASSWORD);
        fs::create_dir(world.path("usb")).unwrap();
        world.repository("web", &[("Dockerfile", &from)]);
        if document != "docs/start.md" {
            world.write("home/.docker/config.json", &remote.docker_config());
        }
        if ["docs/recipes.md", "docs/troubleshooting.md"].contains(&document) {
            for name in ["web", "api"] {
                let image = own.image(&format!("{name}:1"));
                let context = world.path("here/web").display().to_string();
                world
                    .acrt(&["task", "create", name, "-t", &image, "-c", &context])
                    .ok();
                world.run(name).ok();
            }
        }
    }

    /// Replaces the names in the documents by those of this machine.
    fn filled_in(&self, line: &str) -> String {
        let (own, hub, remote) = (self.own.host(), self.hub.host(), self.remote.host());
        let web = format!("-r {own} -t web:1 -c ./web");
        let usb = self.world.path("usb").display().to_string();
        let replaced = [
            ("https://github.com/acme/web.git", self.server.url("web")),
            ("docker.io/library=", format!("{hub}/library=")),
            ("docker.io/", format!("{hub}/")),
            ("--source node:", format!("--source {hub}/library/node:")),
            ("\"alpine:3", format!("\"{hub}/alpine:3")),
            ("ghcr.io", remote),
            ("localhost:5000", own),
            ("127.0.0.1:8585", format!("127.0.0.1:{}", next_port())),
            ("/media/usb", usb),
            ("-u me ", "-u acrt ".to_owned()),
            // A user would answer the question.
            ("--compose-up --run", "--compose-up --run --yes".to_owned()),
            ("adopt ./images", "adopt --yes ./images".to_owned()),
            ("…", web),
        ];
        replaced
            .iter()
            .fold(line.to_owned(), |line, (from, to)| line.replace(from, to))
    }

    fn type_line(&self, line: &str) {
        let line = format!(
            "PATH=$PATH:/usr/sbin:/usr/bin:/bin; cd {}; {}",
            self.world.path("here").display(),
            self.filled_in(line)
        );
        let is_loop = line.contains("acrt task watch")
            && !["--once", "--print"].iter().any(|it| line.contains(it));
        if !is_loop {
            self.world.shell(&line).ok();
            return;
        }
        // The shell runs the text before it, and acrt itself must get the signal.
        let line = line.replace("acrt task watch", "exec acrt task watch");
        let mut shell = self.world.command("/bin/sh");
        shell.args(["-c", &line]);
        let watch = self.world.start(shell, line);
        watch.stderr_has("\n");
        watch.signal(Signal::INT);
        watch.wait().exits(130);
    }
}

/// Returns the lines of shell blocks; a continued line, or one with a heredoc, is one line.
fn lines_of(text: &str) -> Vec<String> {
    let blocks = text.split("```").skip(1).step_by(2);
    let blocks = blocks.filter_map(|block| block.strip_prefix("sh\n"));
    let mut found = Vec::new();
    for block in blocks {
        let mut lines = block.lines();
        while let Some(line) = lines.next() {
            let mut whole = line.trim().to_owned();
            while let Some(begun) = whole.strip_suffix('\\') {
                whole = format!("{begun}{}", lines.next().unwrap().trim());
            }
            if whole.contains("<<'END'") {
                for line in lines.by_ref() {
                    whole = format!("{whole}\n{line}");
                    if line == "END" {
                        break;
                    }
                }
            }
            if !whole.is_empty() {
                found.push(whole);
            }
        }
    }
    found
}

/// Runs the lines of a document. `typed` and `left` are the numbers of lines that are run or not, so that none is
/// missed.
fn type_document(document: &str, typed: usize, left: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(document)).unwrap();
    let is_left = |line: &String| {
        NOT_TYPED
            .iter()
            .any(|(of, begin, _)| *of == document && line.starts_with(begin))
    };
    let (not_typed, to_type): (Vec<String>, Vec<String>) =
        lines_of(&text).into_iter().partition(is_left);
    let machine = Machine::new(document);
    let mut count = 0;
    for line in &to_type {
        if line.starts_with('#') {
            // README: "a new base is pushed under the same tag".
            assert!(line.contains("a new base is pushed"), "{line}");
            machine.own.push_shell("base:1", &[("version", "two")]);
            continue;
        }
        if document == "docs/start.md" && line.starts_with("acrt login") {
            // The second half is a tutorial of its own.
            fs::remove_dir_all(machine.world.state()).unwrap();
        }
        machine.type_line(line);
        count += 1;
    }
    assert_eq!(
        (count, not_typed.len()),
        (typed, left),
        "{document}: {not_typed:?}"
    );
}

macro_rules! documents {
    ($($test:ident $path:literal $typed:literal $left:literal;)*) => {
        const DOCUMENTS: &[&str] = &[$($path),*];
        $(
            #[test]
            fn $test() {
                type_document($path, $typed, $left);
            }
        )*
    };
}

documents! {
    readme_is_typed "README.md" 10 4;
    adopting_is_typed "docs/adopt.md" 4 1;
    fleet_is_typed "docs/fleet.md" 8 5;
    importing_is_typed "docs/import.md" 10 0;
    notifying_is_typed "docs/notify.md" 1 0;
    page_is_typed "docs/page.md" 1 1;
    performance_is_typed "docs/performance.md" 0 5;
    recipes_are_typed "docs/recipes.md" 20 0;
    start_is_typed "docs/start.md" 12 0;
    steps_are_typed "docs/steps.md" 4 0;
    triggers_are_typed "docs/triggers.md" 6 0;
    troubleshooting_is_typed "docs/troubleshooting.md" 3 0;
    verifying_is_typed "docs/verify.md" 2 0;
    watching_is_typed "docs/watch.md" 1 0;
}

#[test]
fn every_document_with_commands_has_a_test_and_every_exception_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut with_commands = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let is_text = path.extension().is_some_and(|it| it == "md");
        if is_text && !lines_of(&fs::read_to_string(&path).unwrap()).is_empty() {
            with_commands.push(format!("docs/{}", path.file_name().unwrap().display()));
        }
    }
    with_commands.sort();
    let mut documents = DOCUMENTS.to_vec();
    documents.sort_unstable();
    assert_eq!(with_commands, documents);
    for (document, begin, why) in NOT_TYPED {
        let lines = lines_of(&fs::read_to_string(root.join(document)).unwrap());
        assert!(
            lines.iter().any(|line| line.starts_with(begin)),
            "{document}: {begin}"
        );
        assert!(why.len() > 10, "{document}: {begin}: {why}");
    }
}
