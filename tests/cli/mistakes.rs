//! Usage errors: each message says what is wrong, why, and what to type instead.

use crate::support::{Registry, World};

/// A folder with a task `web`, an invalid Dockerfile, and a folder without one.
fn world() -> World {
    let world = World::new();
    world.fake("docker", "[ \"$1\" != build ]");
    world.context("web", "FROM scratch AS build\nFROM build AS final\n");
    world.context("form", "FORM alpine\n");
    world.context("fromm", "# syntax is not said\nfromm alpine\n");
    std::fs::create_dir(world.path("empty")).unwrap();
    world
        .acrt(&words("task create web -t localhost:5000/web:1 -c web"))
        .ok();
    world
}

/// Splits a line as a shell does.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        match n % 2 {
            0 => words.extend(part.split_whitespace()),
            _ => words.push(part),
        }
    }
    words
}

/// Command lines with their full error messages. `HERE` is the folder.
const MISTAKES: &[(&str, &str)] = &[
    // Commands.
    (
        "watch",
        "error: there is no command `acrt watch`\nhint: acrt task watch\n",
    ),
    (
        "check",
        "error: there is no command `acrt check`\nhint: acrt task check\n",
    ),
    (
        "logs web",
        "error: there is no command `acrt logs`\nhint: acrt task logs\n",
    ),
    (
        "task ls",
        "error: there is no command `acrt task ls`\nhint: acrt task list\n",
    ),
    (
        "task rm web",
        "error: there is no command `acrt task rm`\nhint: acrt task delete\n",
    ),
    (
        "task shwo web",
        "error: there is no command `acrt task shwo`\nhint: acrt task show\n",
    ),
    (
        "task timer rm web",
        "error: there is no command `acrt task timer rm`\nhint: acrt task timer remove\n",
    ),
    (
        "ps",
        "error: there is no command `acrt ps`\nhint: acrt task list-runs\n",
    ),
    (
        "list",
        "error: acrt has no `list`, which `az acr` has: the registries that are known are in the config file: `acrt config list`; for a task: `acrt task list`\n",
    ),
    (
        "create web",
        "error: acrt has no `create`, which `az acr` has: start a registry of your own, such as `docker run -d -p 5000:5000 registry:2`; for a task: `acrt task create`\n",
    ),
    // Options.
    (
        "task list --quiet",
        "error: there is no option `--quiet` here\nhint: --only-show-errors says nothing but errors, and -o none gives no answer\n",
    ),
    (
        "task list --json",
        "error: there is no option `--json` here\nhint: -o json\n",
    ),
    (
        "task create --tag x:1",
        "error: there is no option `--tag` here\nhint: -t IMAGE, or --image IMAGE\n",
    ),
    // Names of tasks and runs.
    (
        "task run wbe",
        "error: no task `wbe`\nhint: did you mean `web`? To list all: acrt task list\n",
    ),
    (
        "task show database",
        "error: no task `database`\nhint: to list all: acrt task list\n",
    ),
    (
        "task show web -r ghcr.io",
        "error: no task `web` of registry `ghcr.io`\nhint: there is one of registry `localhost:5000`\n",
    ),
    (
        "task show web --state-dir other",
        "error: no task `web`\nhint: there are no tasks in `HERE/other`; to make one: acrt --state-dir other task create --help\n",
    ),
    (
        "task logs web",
        "error: no run of task `web`\nhint: start one: acrt task run --name web\n",
    ),
    (
        "task logs nosuch",
        "error: no run of task `nosuch`\nhint: there is no such task; to list all: acrt task list\n",
    ),
    (
        "task show-run ca9",
        "error: no run `ca9`\nhint: there are none yet; to make one: acrt task run NAME\n",
    ),
    (
        "task show-run web",
        "error: no run `web`\nhint: `web` is a task; its runs: acrt task list-runs --name web\n",
    ),
    (
        "task create 'my web' -t localhost:5000/x:1",
        "error: invalid value 'my web' for '[NAME]': task name `my web` must be 1 to 50 letters, digits, `-` or `_`: `my-web` would do\n\nFor more information, try '--help'.\n",
    ),
    // Registries and images.
    (
        "task create x -t x:1 -c web -r http://localhost:5000/",
        "error: invalid value 'http://localhost:5000/' for '--registry <LOGIN_SERVER>': a registry is a host, perhaps with a port: write localhost:5000\n\nFor more information, try '--help'.\n",
    ),
    (
        "task create x -t x:1 -c web -r ghcr.io/acme",
        "error: invalid value 'ghcr.io/acme' for '--registry <LOGIN_SERVER>': a registry is a host, perhaps with a port: write ghcr.io, and what is behind it in the image, as acme/NAME:TAG\n\nFor more information, try '--help'.\n",
    ),
    (
        "repository list http://registry.lan",
        "error: invalid value 'http://registry.lan' for '[LOGIN_SERVER]': a registry is a host, perhaps with a port: write registry.lan; plain http is `plainHttp: true` of that registry in the config file\n\nFor more information, try '--help'.\n",
    ),
    (
        "repository list -n localhost:99999",
        "error: registry `localhost:99999` is not a host name with an optional port\nhint: name it as ghcr.io or localhost:5000, with a port from 1 to 65535\n",
    ),
    (
        "task create x -t http://localhost:5000/x:1 -c web",
        "error: `http://localhost:5000/x:1` is an address, and no image\nhint: write localhost:5000/x:1\n",
    ),
    (
        "task create x -t localhost:5000/Web:V1 -c web",
        "error: cannot use the images of task `x`\n  because: reference `localhost:5000/Web:V1`: repository name must be lower-case\nhint: write localhost:5000/web:V1\n",
    ),
    (
        "task create x -t localhost:5000/web:1:2 -c web",
        "error: cannot use the images of task `x`\n  because: reference `localhost:5000/web:1:2` is not of the form [registry/]repository[:tag][@digest]\nhint: write it as web:1 or localhost:5000/team/web:1\n",
    ),
    (
        "task create x -t x:1 -c web",
        "error: cannot tell which registry the task's images go to\nhint: give --registry, or set ACRT_REGISTRY, or put the registry into --image\n",
    ),
    // Contexts, files, stages.
    (
        "task create x -t localhost:5000/x:1 -c nowhere",
        "error: cannot use the context `HERE/nowhere`\n  because: No such file or directory (os error 2)\nhint: name an existing folder\n",
    ),
    (
        "task create x -t localhost:5000/x:1 -c web/Dockerfile",
        "error: cannot use the context `HERE/web/Dockerfile`\n  because: it is not a folder\nhint: name its folder, and the file in it with --file\n",
    ),
    (
        "task create x -t localhost:5000/x:1",
        "error: cannot tell what to build: there is no `Dockerfile` in `HERE`\nhint: name its folder with --context FOLDER, or an image to copy with --import IMAGE\n",
    ),
    (
        "task create x -t localhost:5000/x:1 -c empty",
        "error: cannot read the Dockerfile `HERE/empty/Dockerfile`\n  because: No such file or directory (os error 2)\nhint: name it with --file, relative to the context\n",
    ),
    (
        "task create x -t localhost:5000/x:1 -c web --target nope",
        "error: cannot tell what `HERE/web/Dockerfile` depends on\n  because: `nope`: the file has no stage of this name; there are `build`, `final`\n",
    ),
    (
        "task create x -t localhost:5000/x:1 -c form",
        "error: cannot tell what `HERE/form/Dockerfile` depends on\n  because: the file holds no stage: there is no `FROM`; `FORM` is none\n",
    ),
    (
        "task create x -t localhost:5000/x:1 -c fromm",
        "error: cannot tell what `HERE/fromm/Dockerfile` depends on\n  because: the file holds no stage: there is no `FROM`; `fromm` is none\n",
    ),
    // Times and platforms.
    (
        "task create x -t localhost:5000/x:1 -c web --schedule @daily",
        "error: invalid value '@daily' for '--schedule <[NAME:]CRON>': schedule `@daily` has 1 of the 5 fields minute, hour, day of month, month, day of week: write 0 0 * * *\n\nFor more information, try '--help'.\n",
    ),
    (
        "task update web --timeout '10 apples'",
        "error: invalid value '10 apples' for '--timeout <TIME>': `10 apples` is not a duration: seconds, or as 90s, 10m, 2h or 3d\n\nFor more information, try '--help'.\n",
    ),
    (
        "task update web --platform arm64/linux",
        "error: invalid value 'arm64/linux' for '--platform <PLATFORM>': platform `arm64/linux` is the wrong way round: write linux/arm64\n\nFor more information, try '--help'.\n",
    ),
    // No tasks, no runs.
    (
        "task list -o table --state-dir other",
        "no tasks in `HERE/other`; to make one: acrt --state-dir other task create --help\n",
    ),
    (
        "task check -o table --state-dir other",
        "no tasks in `HERE/other`; to make one: acrt --state-dir other task create --help\n",
    ),
    (
        "task graph --state-dir other",
        "no tasks in `HERE/other`; to make one: acrt --state-dir other task create --help\n",
    ),
    (
        "task run --all --state-dir other",
        "no tasks in `HERE/other`; to make one: acrt --state-dir other task create --help\n",
    ),
    (
        "task list-runs -o table",
        "no runs yet; to make one: acrt task run NAME\n",
    ),
    // Two tasks, one tag; one task twice.
    (
        "task create other -t localhost:5000/web:1 -c web",
        "warning: task `web` pushes the same tag: each run replaces the image of the other; give one of them another tag, or end it: acrt task delete --name web\ntask `other` follows nothing until it has run once: acrt task run --name other\n",
    ),
    (
        "task create web -t localhost:5000/web:2 -c web",
        "warning: task `web` exists and is replaced; its runs are kept\ntask `web` follows nothing until it has run once: acrt task run --name web\n",
    ),
];

#[test]
fn each_mistake_reports_the_subject_the_reason_and_the_next_command() {
    let world = world();
    let here = world.path("");
    let here = here.to_str().unwrap().trim_end_matches('/');
    let mut wrong = Vec::new();
    for (line, said) in MISTAKES {
        let said = said.replace("HERE", here);
        let output = world.acrt(&words(line));
        if output.stderr != said {
            wrong.push(format!(
                "acrt {line}\n  is: {:?}\n  not: {said:?}",
                output.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn registry_without_a_domain_is_reported_as_azures() {
    let world = world();
    let create = words("task create x -t x:1 -c web -r MyReg");
    world.acrt(&create).ok().says(&[
        "registry `MyReg` means `myreg.azurecr.io`; name a registry of this machine with its port, such as localhost:5000\n",
    ]);
    world.config("registries: {MyReg: {loginServer: 'localhost:5000'}}\n");
    let known = world.acrt(&create).ok();
    assert!(!known.stderr.contains("means"), "{known}");
}

#[test]
fn platform_without_an_operating_system_is_linux() {
    let world = world();
    world.acrt(&words("task update web --platform arm64")).ok();
    let task = world.acrt(&["task", "show", "web"]).ok();
    assert_eq!(task.json()["platform"]["architecture"], "arm64");
    let wrong = world.acrt(&words("task update web --platform linux/amd46"));
    wrong
        .exits(2)
        .says(&["unknown architecture; known are 386, amd64"]);
}

#[test]
fn build_without_image_and_registry_keeps_the_image_local_as_docker_does() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let context = world.context("web", &format!("FROM {}\n", registry.image("base:1")));
    let built = world.acrt(&["build", &context]).ok();
    built.says(&["Skipping image push after build", "pushed nothing"]);
    assert_eq!(registry.digest("web:latest"), None);
}

#[test]
fn missing_login_is_reported_as_a_problem_by_check_health() {
    let (world, registry) = (World::new(), Registry::with_login());
    let found = world.acrt(&["check-health", &registry.host()]);
    let all = found.json();
    let login = all
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["check"] == "login");
    let login = login.unwrap();
    assert_eq!(login["status"], "warning", "{login}");
    assert_eq!(
        login["hint"],
        format!("log in: acrt login {}", registry.host())
    );
}

#[test]
fn mistyped_key_of_a_definition_is_reported_with_file_line_and_column() {
    let world = world();
    let path = world.path("state/tasks/localhost:5000/web.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to, said) in [
        (
            "timeout",
            "timeuot",
            "unknown field `timeuot`, expected one of `schema`",
        ),
        (
            "timeout: 3600",
            "timeout: soon",
            "timeout: invalid type: string \"soon\", expected a nonzero u32 at line 6 column 10",
        ),
        ("name: web\n", "", "missing field `name`"),
        (
            "noCache: false",
            "noCahce: false",
            "unknown field `noCahce`",
        ),
    ] {
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        world.acrt(&["task", "show", "web"]).exits(2).says(&[
            &format!(
                "error: cannot use `{}`: it does not parse\n",
                path.display()
            ),
            said,
            " at line ",
            " column ",
            "hint: mend it there",
        ]);
    }
}

#[test]
fn invalid_value_of_a_definition_is_reported_at_the_value() {
    let world = world();
    let path = world.path("state/tasks/localhost:5000/web.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to, line_of) in [
        (
            "timeout: 3600",
            "timeout: 3600\nplatforms: [linux/amd46]",
            "linux/amd46",
        ),
        ("timeout: 3600", "timeout: 3600\nminAge: soon", "soon"),
        ("timeout: 3600", "timeout: 3600\nname: web", "name: web"),
        ("  - localhost:5000/web:1\n", "", "imageNames: few"),
        (
            "trigger:",
            "trigger:\n  timerTriggers:\n  - name: one\n    schedule: 0 99 * * *",
            "0 99 * * *",
        ),
    ] {
        let text = good.replacen(from, to, 1);
        let text = match line_of {
            "imageNames: few" => text.replace("imageNames:", "imageNames: few"),
            _ => text,
        };
        let searched = line_of.trim_start_matches("imageNames: ");
        let (n, line) = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(searched))
            .last()
            .unwrap();
        let place = format!(
            " at line {} column {}\n",
            n + 1,
            line.find(searched).unwrap() + 1
        );
        std::fs::write(&path, &text).unwrap();
        world
            .acrt(&["task", "show", "web"])
            .exits(2)
            .says(&[&place]);
    }
}

#[test]
fn error_text_is_coloured_where_colour_is_requested() {
    let world = world();
    world.set("CLICOLOR_FORCE", "1");
    let coloured = world.acrt(&["task", "show", "database"]).exits(3);
    assert_eq!(
        coloured.stderr,
        "\x1b[1;31merror:\x1b[0m no task `database`\n\x1b[1;32mhint:\x1b[0m to list all: acrt task list\n"
    );
    world.set("NO_COLOR", "1");
    let plain = world.acrt(&["task", "show", "database"]).exits(3);
    assert!(plain.stderr.starts_with("error: no task"), "{plain}");
}

#[test]
fn hints_about_a_task_name_the_registry_where_several_have_one_of_that_name() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let create = |registry: &str| {
        let task = ["task", "create", "-n", "web", "-c", &context];
        world.acrt(&[&task[..], &["-r", registry]].concat()).ok()
    };
    create("a.test").says(&["acrt task run --name web\n"]);
    create("b.test").says(&["acrt task run --name web --registry b.test\n"]);
    let of = ["-n", "web", "-r", "b.test"];
    world
        .acrt(&[&["task", "timer", "update", "--timer-name", "a b"], &of[..]].concat())
        .exits(3)
        .says(&["acrt task timer add --name web --registry b.test --timer-name 'a b' --schedule"]);
    world
        .acrt(&["task", "show", "-n", "web"])
        .exits(2)
        .says(&["say which one, as --registry a.test"]);
    let odd = ["task", "create", "-n=-x", "-r", "a.test", "-c", &context];
    world.acrt(&odd).ok().says(&["acrt task run --name=-x\n"]);
    world.acrt(&["task", "show", "--name=-x"]).ok();
}

#[test]
fn image_name_with_variables_of_task_files_is_refused_with_its_templates() {
    let world = World::new();
    let context = world.context("web", "FROM scratch\n");
    let image = "$Registry/y:$ID";
    world
        .acrt(&[
            "task", "create", "-n", "web", "-r", "a.test", "-t", image, "-c", &context,
        ])
        .exits(2)
        .says(&["write {{.Run.Registry}}/y:{{.Run.ID}}"]);
    world
        .acrt(&[
            "task",
            "create",
            "-n",
            "web",
            "-r",
            "a.test",
            "-t",
            "{{.Run.Registry}}/y:{{.Run.ID}}",
            "-c",
            &context,
        ])
        .ok();
}

#[test]
fn repository_commands_take_the_registry_of_the_name_and_ask_for_it_without_one() {
    let (world, registry) = (World::new(), Registry::start());
    registry.push("web:1", &[("version", "one")]);
    let (image, repository) = (registry.image("web:1"), registry.image("web"));
    world.acrt(&["repository", "show", "--image", &image]).ok();
    let tags = ["repository", "show-tags", "--repository", &repository];
    world.acrt(&tags).ok();
    let hint = "name it, as localhost:5000, or set ACRT_REGISTRY";
    for line in [
        &["repository", "list"][..],
        &["login"],
        &["repository", "show", "--image", "web:1"],
    ] {
        world
            .acrt(line)
            .exits(2)
            .says(&["cannot tell which registry is meant", hint]);
    }
}

#[test]
fn login_in_an_address_on_the_command_line_is_in_no_error() {
    let world = world();
    for line in [
        "task create -n a -r r.io --context https://user:hunter2@example.com/x.git",
        "task create -n a -r r.io --context=ssh://user:hunter2@example.com/x.git",
        "task create -n a -r r.io -c https://user:hunter2@example.com/x.tar.gz",
        "task create -n a -r r.io -c https://example.com/x.tar.gz?sig=hunter2#:sub",
        "task create -n a -r r.io -c ftp://user:hunter2@example.com/x",
        "task create -n a -r r.io -c oci://user:hunter2@r.io/x:1",
        "build -r r.io https://hunter2@example.com/x.git",
        "task credential add -n web -r localhost:5000 --login-server https://bob:hunter2@r.io -u a -p b",
        "login https://bob:hunter2@r.io -u a -p b",
        "import -r localhost:5000 --source bob:hunter2@r.io/x:1",
        "check-health https://bob:hunter2@r.io",
    ] {
        let refused = world.acrt(&words(line)).exits(2);
        let refused = refused.stdout + &refused.stderr;
        assert!(!refused.contains("hunter2"), "{line}: {refused}");
        assert!(refused.contains("error:"), "{line}: {refused}");
    }
}

#[test]
fn password_that_begins_like_an_option_is_a_password() {
    let world = world();
    for password in ["--hunter2", "-hunter2", "-V"] {
        let refused = world.acrt(&["login", "127.0.0.1:1", "-u", "me", "-p", password]);
        let refused = refused.exits(4).says(&["127.0.0.1:1"]);
        assert!(!(refused.stdout + &refused.stderr).contains("hunter2"));
    }
}
