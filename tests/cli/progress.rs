//! The progress lines of a terminal, and the output at the end of a run.

use crate::support::{Gate, Registry, World, eventually};

/// Returns the lines of a terminal after all redraws.
fn screen(text: &str) -> Vec<String> {
    let lines = text.split('\n').map(|line| {
        let last = line
            .trim_end_matches('\r')
            .rsplit('\r')
            .next()
            .unwrap_or_default();
        let drawn = last.rsplit("\u{1b}[2K").next().unwrap_or_default();
        drawn.trim_end().to_owned()
    });
    lines.filter(|line| !line.is_empty()).collect()
}

fn world() -> (World, Registry, Gate) {
    let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
    world.buildah();
    registry.push_shell("base:1", &[]);
    let from = format!("FROM {}\n", registry.image("base:1"));
    let dockerfile = format!("{from}RUN echo above && {}\n", gate.wait_command());
    world.task(&registry, "web", &dockerfile);
    (world, registry, gate)
}

#[test]
fn terminal_shows_a_progress_line_below_the_log() {
    let (world, registry, gate) = world();
    let run = world.spawn_on_terminal(&["task", "run", "--name", "web"]);
    let waiting = gate.arrival();
    run.stdout_has(&format!(
        "web: building {}, run ca1",
        registry.image("web:latest")
    ));
    waiting.go_on();
    let printed = run.wait().ok().stdout;
    let lines = screen(&printed);
    assert!(lines.contains(&"above".to_owned()), "{lines:?}");
    let digest = registry.digest("web:latest").unwrap();
    let last = lines.last().unwrap();
    assert!(last.starts_with("run ca1: Succeeded in "), "{lines:?}");
    assert!(
        last.ends_with(&format!("pushed {}@{digest}", registry.image("web:latest"))),
        "{last}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("web: building")),
        "{lines:?}"
    );
}

#[test]
fn progress_line_is_absent_when_piped_in_ci_or_with_only_show_errors() {
    let (world, registry, gate) = world();
    drop(gate);
    world.task(
        &registry,
        "quick",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    let line = ": building ";
    let piped = world.run("quick").ok();
    assert!(
        !piped.stderr.contains('\r') && !piped.stderr.contains(line),
        "{piped}"
    );
    assert!(piped.stderr.contains("run ca1: Succeeded in "), "{piped}");
    let on_terminal = |options: &[&str]| {
        let run = [&["task", "run", "--name", "quick"], options].concat();
        world.spawn_on_terminal(&run).wait().ok().stdout
    };
    let quiet = on_terminal(&["--only-show-errors"]);
    assert!(
        !quiet.contains('\u{1b}') && !quiet.contains("Succeeded in"),
        "{quiet}"
    );
    assert!(on_terminal(&[]).contains(line));
    world.set("CI", "true");
    assert!(!on_terminal(&[]).contains(line));
    world.set("CI", "");
    world.set("TERM", "dumb");
    assert!(!on_terminal(&[]).contains(line));
}

#[test]
fn watch_on_a_terminal_shows_the_time_of_the_next_check() {
    let (world, registry, gate) = world();
    drop(gate);
    world.task(
        &registry,
        "quick",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    world.run("quick").ok();
    let watch = world.spawn_on_terminal(&["task", "watch"]);
    watch.stdout_has("watching, next look at ");
}

#[test]
fn task_create_reports_the_next_command() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        "localhost:5000",
        "-c",
        &context,
    ];
    world
        .acrt(&create)
        .ok()
        .says(&["follows nothing until it has run once: acrt task run --name web"]);
    world
        .acrt(&[&create[..], &["--only-show-errors"]].concat())
        .ok();
}

#[test]
fn watch_on_a_terminal_reports_the_build_the_failure_and_the_recovery() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    world.write("web/state", "0");
    let dockerfile = format!(
        "FROM {}\nCOPY state /state\nRUN exit $(cat /state)\n",
        registry.image("base:1")
    );
    world.tracked_task(&registry, "web", &dockerfile);
    world.write("web/state", "3");
    registry.push_shell("base:1", &[("version", "two")]);
    let watch = world.spawn_on_terminal(&["task", "watch", "--settle", "0"]);
    watch.stdout_has("follows 1 tag of 1 task");
    let image = registry.image("web:latest");
    watch.stdout_has(&format!("web: building {image}, run ca2"));
    watch.stdout_has("ended with Failed");
    let shown = watch.kill().stdout;
    let lines = screen(&shown);
    let is_stamped = |line: &&String| {
        let time = line.split(' ').next().unwrap_or_default();
        time.len() == 9 && time.ends_with('Z') && time.matches(':').count() == 2
    };
    let stamped: Vec<&String> = lines.iter().filter(is_stamped).collect();
    let has = |part: &str| stamped.iter().any(|line| line.contains(part));
    assert!(has("follows 1 tag of 1 task"), "{lines:?}");
    assert!(has("error:\u{1b}[0m run `ca2` of task"), "{lines:?}");
    // After the repair it is retried at once, and the next watcher reports the recovery.
    world.write("web/state", "0");
    registry.push_shell("base:1", &[("version", "three")]);
    // The terminal is gone, and its programs end by themselves.
    let once = eventually("the end of the loop", || {
        let once = world.watch_once();
        (once.code != 5).then_some(once)
    });
    once.ok()
        .prints(&["web: rebuilt", ", after a run that failed"]);
}

/// Interprets terminal output, and returns the visible lines.
fn played(printed: &str) -> Vec<String> {
    let (mut lines, mut row): (Vec<String>, usize) = (vec![String::new()], 0);
    let mut rest = printed.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(String::new());
                }
            }
            '\r' => {}
            '\u{1b}' => {
                let mut code = String::new();
                while let Some(c) =
                    rest.next_if(|_| !code.ends_with(|c: char| c.is_ascii_alphabetic()))
                {
                    code.push(c);
                }
                let count = code.trim_matches(|c: char| !c.is_ascii_digit());
                match code.chars().last() {
                    Some('A') => row = row.saturating_sub(count.parse().unwrap_or(1)),
                    Some('K') => lines[row].clear(),
                    _ => {}
                }
            }
            c => lines[row].push(c),
        }
    }
    lines
}

#[test]
fn parallel_runs_have_a_progress_line_each_until_they_end() {
    let (world, registry, gate) = world();
    let dockerfile = std::fs::read_to_string(world.path("web/Dockerfile")).unwrap();
    world.task(&registry, "api", &dockerfile);
    let run = world.spawn_on_terminal(&["task", "run", "--all", "--jobs", "2"]);
    let waiting = [gate.arrival(), gate.arrival()];
    let building = |name: &str| {
        format!(
            "{name}: building {}, run ca",
            registry.image(&format!("{name}:latest"))
        )
    };
    let both = eventually("a line for each run", || {
        let lines = played(&run.stdout());
        let has = |name| {
            lines
                .iter()
                .filter(|line| line.contains(&building(name)))
                .count()
                == 1
        };
        (has("api") && has("web")).then_some(lines)
    });
    assert!(
        !both.iter().any(|line| line.contains("looking at")),
        "{both:?}"
    );
    let [first, second] = waiting;
    first.go_on();
    eventually("the end of one line", || {
        let lines = played(&run.stdout());
        let left = ["api", "web"]
            .iter()
            .filter(|name| lines.iter().any(|line| line.contains(&building(name))));
        (left.count() == 1).then_some(())
    });
    second.go_on();
    let lines = played(&run.wait().ok().stdout);
    assert!(
        !lines.iter().any(|line| line.contains(": building")),
        "{lines:?}"
    );
    assert_eq!(
        lines.iter().filter(|line| line.contains("rebuilt")).count(),
        2,
        "{lines:?}"
    );
}
