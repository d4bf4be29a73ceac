//! `acrt completion`: the scripts in `completions/` equal the program's output.

use std::{fs, path::Path};

use crate::support::{World, program};

#[test]
fn completion_scripts_in_the_repository_are_up_to_date() {
    let world = World::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (shell, file) in [
        ("bash", "acrt.bash"),
        ("zsh", "_acrt"),
        ("fish", "acrt.fish"),
        ("powershell", "_acrt.ps1"),
        ("elvish", "acrt.elv"),
    ] {
        let printed = world.acrt(&["completion", shell]).ok().stdout;
        let kept = fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            printed == kept,
            "completions/{file} is stale: make completions"
        );
    }
}

#[test]
fn completion_for_an_unknown_shell_is_a_usage_error() {
    World::new().acrt(&["completion", "tcsh"]).exits(2);
}

/// Returns bash's completions for the last word of a line.
fn offered(world: &World, line: &str) -> Vec<String> {
    let bin = world.path("bin/acrt");
    if !bin.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_acrt"), &bin).unwrap();
    }
    let script = "eval \"$(acrt completion bash)\"
        IFS=' ' read -ra COMP_WORDS <<<\"$1\"; [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_TYPE=9
        _clap_complete_acrt acrt \"${COMP_WORDS[COMP_CWORD]}\" '' 2>/dev/null
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = world.command("/bin/bash");
    bash.args(["-c", script, "bash", line]);
    let printed = world.start(bash, line.to_owned()).wait().ok().stdout;
    let lines = printed.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_names_of_the_state_directory() {
    let world = World::new();
    world.fake("docker", "exit 1");
    let context = world.context("web", "FROM scratch\n");
    for name in ["web", "worker", "api"] {
        world
            .acrt(&[
                "task",
                "create",
                "-n",
                name,
                "-r",
                "localhost:5000",
                "-c",
                &context,
            ])
            .ok();
    }
    assert_eq!(
        offered(&world, "acrt task show --name w"),
        ["web", "worker"]
    );
    assert_eq!(offered(&world, "acrt task show -n a"), ["api"]);
    assert_eq!(
        offered(&world, "acrt task list --registry loc"),
        ["localhost:5000"]
    );
    assert_eq!(offered(&world, "acrt task show-run --run-id "), [""; 0]);
    world.acrt(&["task", "run", "-n", "web"]).exits(1);
    assert_eq!(offered(&world, "acrt task show-run --run-id "), ["ca1"]);
    assert_eq!(offered(&world, "acrt task list-ru"), ["list-runs"]);
    assert_eq!(offered(&world, "acrt task create --no-c"), ["--no-cache"]);
    assert_eq!(offered(&world, "acrt task create --no-cache f"), ["false"]);
    assert!(!offered(&world, "acrt task list --").contains(&"--resource-group".to_owned()));
    assert_eq!(
        offered(&world, "acrt config get defaults."),
        [
            "defaults.registry",
            "defaults.builder",
            "defaults.output",
            "defaults.minAge",
            "defaults.windows"
        ]
    );
    assert_eq!(offered(&world, "acrt task exec"), [""; 0]);
    assert_eq!(
        offered(&world, "acrt task show --state-dir none --name w"),
        [""; 0]
    );
}

#[test]
fn fish_completes_options_with_descriptions() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "-n", "web", "-r", "localhost:5000", "-c"];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_acrt"), world.path("bin/acrt")).unwrap();
    let offered = |line: &str| {
        let mut fish = world.command(program("fish"));
        let script = "acrt completion fish | source; complete -C $argv[1]";
        fish.args(["--no-config", "-c", script, line]);
        world.start(fish, line.to_owned()).wait().ok().stdout
    };
    assert_eq!(offered("acrt task show --name w"), "web\n");
    assert_eq!(
        offered("acrt task create --no-c"),
        "--no-cache\tBuild without the builder's cache\n"
    );
}

/// Returns bash's completions for words that bash has split at each `:` and `=`.
fn offered_for(world: &World, pieces: &[&str]) -> Vec<String> {
    offered(world, "acrt");
    let script = "eval \"$(acrt completion bash)\"
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        cur=${COMP_WORDS[COMP_CWORD]}; [[ $cur == [:=] ]] && cur=
        _clap_complete_acrt acrt \"$cur\" '' 2>/dev/null
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = world.command("/bin/bash");
    bash.args(["-c", script, "bash"]).args(pieces);
    let printed = world.start(bash, pieces.join(" ")).wait().ok().stdout;
    let lines = printed.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

#[test]
fn bash_completes_a_registry_with_a_port_despite_splitting_at_the_colon() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "web", "-t", "localhost:5000/web:1", "-c"];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    for (pieces, expected) in [
        (
            &["acrt", "task", "list", "-r", "localhost", ":", "50"][..],
            "5000",
        ),
        (&["acrt", "task", "list", "-r", "localhost", ":"], "5000"),
        (&["acrt", "task", "list", "-r", "loc"], "localhost:5000"),
        (
            &["acrt", "task", "list", "--registry", "=", "loc"],
            "localhost:5000",
        ),
        (
            &[
                "acrt",
                "task",
                "list",
                "--registry",
                "=",
                "localhost",
                ":",
                "5",
            ],
            "5000",
        ),
        (
            &[
                "acrt",
                "task",
                "list",
                "-r",
                "localhost",
                ":",
                "5000",
                "--outp",
            ],
            "--output",
        ),
        (
            &["acrt", "task", "show", "-r", "localhost", ":", "5000", "w"],
            "web",
        ),
    ] {
        assert_eq!(offered_for(&world, pieces), [expected], "{pieces:?}");
    }
}

#[test]
fn completion_offers_formats_builders_states_platforms_and_positional_names() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "web", "-t", "localhost:5000/web:1", "-c"];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    for (line, expected) in [
        ("acrt task list -o ta", "table"),
        ("acrt task graph -o sv", "svg"),
        ("acrt --builder builda", "buildah"),
        ("acrt task list-runs --run-status Fa", "Failed"),
        ("acrt task create --platform linux/s", "linux/s390x"),
        ("acrt task update web --status Dis", "Disabled"),
        (
            "acrt task update web --base-image-trigger-type Ru",
            "Runtime",
        ),
        ("acrt task watch --log-format j", "json"),
        ("acrt task run w", "web"),
        ("acrt repository list loc", "localhost:5000"),
    ] {
        assert_eq!(offered(&world, line), [expected], "{line}");
    }
    let formats = offered(&world, "acrt task list -o ");
    assert!(!formats.contains(&"svg".to_owned()), "{formats:?}");
    let options = offered(&world, "acrt task logs --");
    assert!(options.contains(&"--raw".to_owned()), "{options:?}");
    assert!(!options.contains(&"--no-format".to_owned()), "{options:?}");
}

/// Returns a line after the Tab key was pressed at its end in a zsh on a terminal.
fn completed_by_zsh(world: &World, line: &str) -> String {
    let setup = world.write(
        "zsh-setup",
        "PROMPT= RPROMPT=
        autoload -Uz compinit; compinit -u -d $TMPDIR/zcompdump
        eval \"$(acrt completion zsh)\"
        show() { print -r -- $BUFFER >$TMPDIR/line; exit }
        zle -N show; bindkey '^X' show
        print ready
",
    );
    let script = "zmodload zsh/zpty
        zpty shell $0 -f -i
        zpty -w shell \"source $1\"; zpty -r -m shell said '*ready*'
        zpty -w -n shell \"$2\"$'\\t\\x18'
        while zpty -t shell; do zpty -r shell said || break; done; zpty -d shell";
    let mut zsh = world.command(program("zsh"));
    zsh.args(["-f", "-c", script]).arg(program("zsh"));
    zsh.arg(setup).arg(line);
    world.start(zsh, line.to_owned()).wait();
    let shown = world.path("tmp/line");
    let line = fs::read_to_string(&shown).unwrap();
    fs::remove_file(shown).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn zsh_completes_names_enums_and_a_registry_with_a_port() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = ["task", "create", "web", "-t", "localhost:5000/web:1", "-c"];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    std::os::unix::fs::symlink(program("expr"), world.path("bin/expr")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_acrt"), world.path("bin/acrt")).unwrap();
    for (line, expected) in [
        ("acrt task list-ru", "acrt task list-runs"),
        ("acrt task show --name w", "acrt task show --name web"),
        ("acrt task run w", "acrt task run web"),
        ("acrt task create --no-c", "acrt task create --no-cache"),
        ("acrt task list -o ta", "acrt task list -o table"),
        (
            "acrt task create --platform linux/s",
            "acrt task create --platform linux/s390x",
        ),
        ("acrt task list -r loc", "acrt task list -r localhost:5000"),
        (
            "acrt task list -r localhost:50",
            "acrt task list -r localhost:5000",
        ),
        (
            "acrt task list --registry=loc",
            "acrt task list --registry=localhost:5000",
        ),
        (
            "acrt task show -r localhost:5000 w",
            "acrt task show -r localhost:5000 web",
        ),
    ] {
        assert_eq!(completed_by_zsh(&world, line), expected, "{line}");
    }
}

#[test]
fn builders_presets_and_receivers_are_completed_where_they_are_meant() {
    let world = World::new();
    world.config("builders: {lab: {kind: buildah}}\nnotify: [{name: chat, command: [cat]}]\n");
    let has = |line: &str, name: &str| offered(&world, line).contains(&name.to_owned());
    assert!(has("acrt builder check ", "lab"));
    assert!(has("acrt notify presets ", "slack"));
    assert!(has("acrt notify test --name ", "chat"));
}
