//! `acrt task watch --print-crontab` and `--print-unit`: their output works in the bare environments of cron and systemd.

use crate::support::{Registry, World, program};

#[test]
fn printed_crontab_line_works_as_cron_runs_it() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let base = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &base);
    registry.push("base:1", &[("version", "two")]);
    let printed = world
        .acrt(&["task", "watch", "--print-crontab"])
        .ok()
        .stdout;
    let line = printed.strip_prefix("*/5 * * * * ").unwrap().trim_end();
    assert!(
        line.contains("PATH=") && line.ends_with(" task watch --once"),
        "{line}"
    );
    // As cron does: the shell gets the line with `\%` as `%`, and a nearly empty environment.
    let home = format!("HOME={}", world.path("").display());
    let mut cron = world.command("/usr/bin/env");
    cron.args(["-i", &home, "/bin/sh", "-c", &line.replace("\\%", "%")]);
    let ran = world.start(cron, line.to_owned()).wait().ok();
    ran.prints(&["web: rebuilt"]);
    assert!(registry.depends_on("web:latest", "base:1"));
}

#[test]
fn percent_sign_is_escaped_for_cron_and_systemd() {
    let world = World::new();
    let folder = world.path("100% mine");
    let folder = folder.to_str().unwrap();
    let at = ["--state-dir", folder, "task", "watch"];
    let crontab = world.acrt(&[&at[..], &["--print-crontab"]].concat()).ok();
    crontab.prints(&["100\\% mine'"]);
    let unit = world.acrt(&[&at[..], &["--print-unit"]].concat()).ok();
    unit.prints(&["100%% mine\" task watch --log-format json\n"]);
}

#[test]
fn printed_unit_matches_the_packaged_one_with_the_path_of_this_program() {
    let world = World::new();
    let unit = world.acrt(&["task", "watch", "--print-unit"]).ok().stdout;
    let packaged = include_str!("../../../docs/systemd/acrt-watch.service");
    let other = |text: &str| {
        let own =
            |line: &&str| !line.starts_with("ExecStart=") && !line.starts_with("Environment=");
        text.lines()
            .filter(own)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(other(&unit), other(packaged));
    assert!(unit.contains(&format!(
        "ExecStart={} --state-dir ",
        env!("CARGO_BIN_EXE_acrt")
    )));
    assert!(unit.contains("\nEnvironment=PATH="), "{unit}");
    let Some(verify) = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
    else {
        return;
    };
    let path = world.write("acrt-watch.service", &unit);
    let mut analyze = world.command(program(verify));
    analyze.args(["verify", "--man=no", "--user"]).arg(path);
    let said = world.start(analyze, "verify".into()).wait();
    assert!(!said.stderr.contains("acrt-watch.service:"), "{said}");
}

#[test]
fn printed_crontab_line_and_unit_keep_the_given_options() {
    let world = World::new();
    let options = [
        "--builder",
        "buildah",
        "--allow-unsafe-permissions",
        "task",
        "watch",
    ];
    let watch = ["--jobs", "2", "--settle", "5m", "--metrics-file", "/m.prom"];
    let line = [&options[..], &watch].concat();
    let global = " --builder buildah --allow-unsafe-permissions task watch ";
    let own = " --settle 300 --jobs 2 --metrics-file /m.prom\n";
    let crontab = world.acrt(&[&line[..], &["--print-crontab"]].concat()).ok();
    crontab.prints(&[global, own]);
    let unit = world.acrt(&[&line[..], &["--print-unit"]].concat()).ok();
    unit.prints(&[global, own]);
    world.set("ACRT_ALLOW_UNSAFE_PERMISSIONS", "true");
    world.set("BUILDX_BUILDER", "mine");
    world.set("HTTPS_PROXY", "http://proxy.lan:3128");
    world.set("HTTP_PROXY", "http://me:hunter2@proxy.lan:3128");
    let crontab = world.acrt(&["task", "watch", "--print-crontab"]).ok();
    let crontab = crontab.prints(&[
        "ACRT_ALLOW_UNSAFE_PERMISSIONS=true ",
        "BUILDX_BUILDER=mine ",
        "HTTPS_PROXY=http://proxy.lan:3128 ",
    ]);
    assert!(!crontab.stdout.contains("hunter2"), "{crontab}");
    let due = [
        "task",
        "watch",
        "--print-crontab",
        "--due",
        "--repeat",
        "--log-format=json",
    ];
    world
        .acrt(&due)
        .ok()
        .prints(&[" --once --log-format json --due --repeat\n"]);
    let text = ["task", "watch", "--print-unit", "--log-format=text"];
    world.acrt(&text).ok().prints(&[" --log-format text\n"]);
    let due = ["task", "watch", "--print-unit", "--due"];
    world.acrt(&due).exits(2).says(&["cannot be used with"]);
    let listen = ["task", "watch", "--listen", "127.0.0.1:8585", "--page"];
    let unit = [&listen[..], &["--print-unit"]].concat();
    let own = " task watch --log-format json --listen 127.0.0.1:8585 --page\n";
    world.acrt(&unit).ok().prints(&[own]);
    for option in ["--once", "--print-crontab"] {
        let both = [&listen[..], &[option]].concat();
        world.acrt(&both).exits(2).says(&["cannot be used with"]);
    }
}

#[test]
fn crontab_line_that_is_too_long_for_cron_is_refused_and_no_folder_of_the_path_is_repeated() {
    let world = World::new();
    let print = ["task", "watch", "--print-crontab"];
    let path = world.path("bin").display().to_string();
    world.set(
        "PATH",
        &format!("{path}:{}", "/no/such/folder:/usr:".repeat(100)),
    );
    let line = world.acrt(&print).ok().stdout;
    assert!(
        !line.contains("/no/such") && line.matches(":/usr ").count() == 1,
        "{line}"
    );
    let folder = world.path(&"x".repeat(200));
    let long: Vec<String> = (0..5)
        .map(|n| format!("{}/{n}", folder.display()))
        .collect();
    for folder in &long {
        std::fs::create_dir_all(folder).unwrap();
    }
    world.set("PATH", &format!("{path}:{}", long.join(":")));
    world
        .acrt(&print)
        .exits(2)
        .says(&["cron takes 998", "--print-unit"]);
}
