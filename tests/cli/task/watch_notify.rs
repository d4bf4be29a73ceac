//! Notifications about runs and failures, and their frequency.

use std::fs;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::process::Signal;
use serde_json::Value;
use sha2::Sha256;

use crate::support::{Receiver, Registry, World, eventually};

const SECRET: &str = "notify-canary-4711";

/// A machine with buildah, a registry with `base:1`, and a task whose build fails depending on a file of its context.
fn world() -> (World, Registry, Receiver) {
    let (world, registry, receiver) = (World::new(), Registry::start(), Receiver::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry, receiver)
}

fn task(world: &World, registry: &Registry, options: &[&str]) {
    world.write("web/state", "0");
    let dockerfile = format!(
        "FROM {}\nCOPY state /state\nRUN exit $(cat /state)\n",
        registry.image("base:1")
    );
    world.task_with(registry, "web", &dockerfile, options);
}

/// Sets the clock to this minute.
fn minute(world: &World, minute: u32) {
    world.set("ACRT_NOW", &(1_000_000_000 + minute * 60).to_string());
}

#[test]
fn each_change_is_notified_once_and_signed() {
    let (world, registry, receiver) = world();
    world.set("NOTIFY_SECRET", SECRET);
    world.config(&format!(
        "notify:\n- url: {}\n  secret: env:NOTIFY_SECRET\n  on: [success, failure, recovery, stalled, check-failing]\n",
        receiver.url("/hook")
    ));
    minute(&world, 0);
    task(&world, &registry, &[]);
    world.run("web").ok();
    assert_eq!(receiver.told(), ["success web"]);
    let first = &receiver.messages()[0];
    assert_eq!(first.header("x-acrt-event"), Some("success"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&first.body);
    let expected: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        first.header("x-hub-signature-256"),
        Some(format!("sha256={expected}").as_str())
    );
    let message = first.json();
    assert_eq!(message["schema"], 1);
    assert_eq!(message["run"]["runId"], "ca1");
    assert_eq!(message["run"]["outputImages"][0]["repository"], "web");
    assert_eq!(message["resume"], Value::Null);
    let text = message["message"].as_str().unwrap();
    assert!(text.ends_with("; cause: by hand"), "{text}");

    // It fails, is retried, and fails again: one notification, until the task is stalled.
    world.write("web/state", "3");
    registry.push_shell("base:1", &[("version", "two")]);
    for now in [10, 20, 30, 60, 100, 200] {
        minute(&world, now);
        world.watch_once().exits(1);
    }
    assert_eq!(
        receiver.told(),
        ["success web", "failure web", "stalled web"]
    );
    let stalled = receiver.messages()[2].json();
    let resume = format!("acrt task run --name web --registry {}", registry.host());
    assert_eq!(stalled["resume"], resume);
    let text = stalled["message"].as_str().unwrap();
    assert!(text.contains("has failed 5 times in a row"), "{text}");
    let cause = format!("; cause: {} ", registry.image("base:1"));
    assert!(text.contains(&cause) && text.contains(" → "), "{text}");

    world.write("web/state", "0");
    minute(&world, 300);
    world.watch_once().ok();
    minute(&world, 301);
    world.watch_once().ok().silent();
    let told = receiver.told().split_off(3);
    assert_eq!(told, ["success web", "recovery web"]);
}

/// Creates the task `web` and runs it, and lets its next run fail. Returns the digest of its base.
fn failing_task(world: &World, registry: &Registry, receiver: &Receiver) -> String {
    let url = receiver.url("/");
    world.config(&format!("notify: [{{url: '{url}', remindDays: 1}}]\n"));
    minute(world, 0);
    task(world, registry, &[]);
    world.run("web").ok();
    let built = registry.digest("base:1").unwrap();
    world.write("web/state", "3");
    registry.push_shell("base:1", &[("version", "two")]);
    minute(world, 10);
    world.watch_once().exits(1);
    assert_eq!(receiver.told(), ["failure web"]);
    built
}

#[test]
fn failing_task_that_is_disabled_is_not_notified_as_recovered_before_a_run_succeeds() {
    let (world, registry, receiver) = world();
    failing_task(&world, &registry, &receiver);
    let status = |status: &str| {
        let update = ["task", "update", "-n", "web", "--status", status];
        world.acrt(&update).ok();
    };
    status("Disabled");
    minute(&world, 11);
    world.watch_once().ok().silent();
    minute(&world, 3000);
    world.watch_once().ok().silent();
    assert_eq!(receiver.told(), ["failure web"]);
    status("Enabled");
    world.watch_once().exits(1);
    world.write("web/state", "0");
    minute(&world, 3001);
    world.watch_once().ok();
    let told = receiver.told().split_off(1);
    assert_eq!(told, ["failure web", "recovery web"]);
}

#[test]
fn failure_whose_base_is_taken_back_is_over_an_hour_later_and_the_next_one_is_notified() {
    let (world, registry, receiver) = world();
    let built = failing_task(&world, &registry, &receiver);
    registry.retag("base:1", &built);
    for now in [69, 70, 3000] {
        minute(&world, now);
        world.watch_once().ok().silent();
    }
    assert_eq!(receiver.told(), ["failure web"]);
    registry.push_shell("base:1", &[("version", "two")]);
    minute(&world, 3001);
    world.watch_once().exits(1);
    assert_eq!(receiver.told(), ["failure web", "failure web"]);
}

#[test]
fn unreachable_registry_is_notified_once_for_all_its_tasks_and_once_on_recovery() {
    let (world, registry, receiver) = world();
    world.config(&format!("notify: [{{url: '{}'}}]\n", receiver.url("/")));
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "one", &from);
    world.tracked_task(&registry, "two", &from);
    registry.stop();
    for _ in 0..3 {
        world.watch_once().exits(4);
    }
    assert_eq!(
        receiver.told(),
        [format!("check-failing {}", registry.host())]
    );
    let message = receiver.messages()[0].json();
    let tasks: Vec<&str> = message["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task.as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(tasks, ["one", "two"]);
    registry.restart();
    let again = format!("{}: answers again", registry.host());
    world.watch_once().ok().says(&[&again]);
    world.watch_once().ok().silent();
    let told = receiver.told().split_off(1);
    assert_eq!(told, [format!("recovery {}", registry.host())]);
}

#[test]
fn notification_is_retried_after_server_errors_and_queued_while_the_receiver_is_down() {
    let (world, registry, receiver) = world();
    world.config(&format!(
        "notify: [{{name: ops, url: '{}', on: [success]}}]\n",
        receiver.url("/T0/PATH-CANARY")
    ));
    minute(&world, 0);
    task(&world, &registry, &[]);
    receiver.answers(&[500, 503]);
    world.run("web").ok();
    assert_eq!(receiver.messages().len(), 3);
    // An outage that lasts: the run is unaffected, and the notification waits.
    receiver.answers(&[502, 502, 502]);
    minute(&world, 10);
    let run = world.run("web").ok();
    run.says(&[
        "cannot notify `ops` of success: it answers 502",
        "tried again",
    ]);
    let before = receiver.told().len();
    world.watch_once().ok();
    assert_eq!(
        receiver.told().len(),
        before,
        "it is left alone for a minute"
    );
    minute(&world, 12);
    world.watch_once().ok().silent();
    assert_eq!(receiver.told().len(), before + 1);
    // A rejected message is not sent again and again, and the path of the URL is not shown.
    receiver.answers(&[404]);
    minute(&world, 20);
    let run = world.run("web").ok();
    assert!(run.stderr.contains("it answers 404"), "{run}");
    assert!(!run.to_string().contains("PATH-CANARY"), "{run}");
    let last = receiver.messages().len();
    assert_eq!(receiver.messages()[last - 1].status, 404);
    assert_ne!(receiver.messages()[last - 2].status, 404);
}

#[test]
fn receiver_that_hangs_delays_neither_other_receivers_nor_other_runs_and_gets_every_message() {
    let (world, registry, receiver) = world();
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.task(&registry, "web", &from);
    let (hung, free) = (world.path("hung"), world.path("free"));
    world.task_with(&registry, "other", &from, &["--on-success", "/bin/true"]);
    world.config(&format!(
        "notify:\n- command: [/bin/sh, -c, 'echo $ACRT_TASK >> {}; until [ -e {} ]; do /bin/sleep 0.02; done']\n  on: [success]\n- {{url: '{}', on: [success]}}\n",
        hung.display(),
        free.display(),
        receiver.url("/")
    ));
    let hangs = world.spawn(&["task", "run", "--name", "web"]);
    eventually("the program that hangs", || hung.exists().then_some(()));
    eventually("the other receiver", || {
        (receiver.told() == ["success web"]).then_some(())
    });
    world.run("other").ok();
    assert_eq!(receiver.told(), ["success web", "success other"]);
    assert_eq!(fs::read_to_string(&hung).unwrap(), "web\n");
    // The sender that was there looks at what the second one could not send.
    fs::write(&free, "").unwrap();
    hangs.wait().ok();
    assert_eq!(fs::read_to_string(&hung).unwrap(), "web\nother\n");
    world.watch_once().ok().silent();
    assert_eq!(fs::read_to_string(&hung).unwrap(), "web\nother\n");
    assert_eq!(receiver.told().len(), 2);
    assert_eq!(world.temporary_files(), [""; 0]);
}

#[test]
fn hook_that_runs_another_task_ends_and_each_success_is_notified_once() {
    let (world, registry, receiver) = world();
    world.config(&format!(
        "notify: [{{url: '{}', on: [success]}}]\n",
        receiver.url("/")
    ));
    let from = format!("FROM {}\n", registry.image("base:1"));
    let hook = format!("{} task run --name other", env!("CARGO_BIN_EXE_acrt"));
    world.task_with(&registry, "web", &from, &["--on-success", &hook]);
    world.task(&registry, "other", &from);
    world.run("web").ok();
    let mut told = receiver.told();
    told.sort();
    assert_eq!(told, ["success other", "success web"]);
    world.watch_once().ok().silent();
    assert_eq!(world.history(), ["web Succeeded", "other Succeeded"]);
}

#[test]
fn message_that_is_refused_or_undeliverable_does_not_keep_back_those_about_other_tasks() {
    let (world, registry, receiver) = world();
    let log = world.path("log");
    world.config(&format!(
        "notify:\n- {{name: ops, url: '{}', on: [success]}}\n- name: script\n  command: [/bin/sh, -c, 'echo $ACRT_TASK >> {}; [ $ACRT_TASK != web ]']\n  on: [success]\n",
        receiver.url("/"),
        log.display()
    ));
    minute(&world, 0);
    receiver.answers(&[400]);
    let from = format!("FROM {}\n", registry.image("base:1"));
    world.task(&registry, "web", &from);
    world.task(&registry, "other", &from);
    world.run("web").ok().says(&[
        "cannot notify `ops` of success: it answers 400",
        "not sent again",
        "cannot notify `script` of success: its exit code is 1; it is tried again",
    ]);
    let other = world.run("other").ok();
    assert!(!other.stderr.contains("cannot notify"), "{other}");
    assert_eq!(receiver.told(), ["success other"]);
    minute(&world, 2);
    world.watch_once().ok().says(&["cannot notify `script`"]);
    assert_eq!(receiver.messages().len(), 2);
    assert_eq!(fs::read_to_string(&log).unwrap(), "web\nother\nweb\n");
}

#[test]
fn receiver_and_metrics_file_that_cannot_be_used_are_reported_once_by_the_loop() {
    let (world, _, _) = world();
    world.config("notify: [{name: lost, url: 'env:NO_SUCH_URL'}]\nwatch: {everySeconds: 1}\n");
    let nowhere = world.path("nowhere/acrt.prom");
    let nowhere = nowhere.to_str().unwrap();
    let watch = world.spawn(&["task", "watch", "--metrics-file", nowhere]);
    watch.stderr_has("`NO_SUCH_URL`");
    for reloads in 1..=3 {
        watch.signal(Signal::HUP);
        eventually("another round", || {
            let seen = watch.stderr().matches("read the config file").count();
            (seen == reloads).then_some(())
        });
    }
    watch.signal(Signal::TERM);
    let output = watch.wait().exits(143);
    let count = |text: &str| output.stderr.matches(text).count();
    assert_eq!(count("NO_SUCH_URL"), 1, "{output}");
    assert_eq!(count("cannot write"), 1, "{output}");
}

#[test]
fn notification_program_gets_the_message_on_standard_input_and_in_variables() {
    let (world, registry, _) = world();
    let told = world.path("told");
    world.config(&format!(
        "notify:\n- command: [/bin/sh, -c, '/bin/cat > {0}; echo \"$ACRT_EVENT $ACRT_TASK $ACRT_RUN_ID $ACRT_IMAGES\" > {0}.env', '-weird \"arg\"']\n  on: [success]\n  tasks: [web]\n",
        told.display()
    ));
    task(&world, &registry, &[]);
    world.run("web").ok();
    let message: Value = serde_json::from_str(&fs::read_to_string(&told).unwrap()).unwrap();
    assert_eq!(message["task"], "web");
    let variables = fs::read_to_string(world.path("told.env")).unwrap();
    let image = format!(
        "{}@{}",
        registry.image("web"),
        registry.digest("web:latest").unwrap()
    );
    assert_eq!(variables, format!("success web ca1 {image}\n"));
    // It gets no notifications about other tasks.
    fs::remove_file(&told).unwrap();
    world.tracked_task(
        &registry,
        "other",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    assert!(!told.exists());
}

#[test]
fn after_success_hook_runs_after_each_success_and_its_failure_does_not_fail_the_run() {
    let (world, registry, _) = world();
    let deployed = world.path("deployed");
    world.write("exit", "0");
    let hook = format!(
        "/bin/sh -c 'echo $ACRT_RUN_ID >> {}; exit $(/bin/cat {})'",
        deployed.display(),
        world.path("exit").display()
    );
    minute(&world, 0);
    task(&world, &registry, &["--on-success", &hook]);
    world.run("web").ok();
    registry.push_shell("base:1", &[("version", "two")]);
    minute(&world, 5);
    world.watch_once().ok();
    assert_eq!(fs::read_to_string(&deployed).unwrap(), "ca1\nca2\n");
    // A failed run starts nothing.
    world.write("web/state", "3");
    world.run("web").exits(1);
    assert_eq!(fs::read_to_string(&deployed).unwrap(), "ca1\nca2\n");
    world.write("web/state", "0");
    world.write("exit", "7");
    minute(&world, 10);
    let run = world.run("web").ok();
    assert!(run.stderr.contains("its exit code is 7"), "{run}");
    assert_eq!(world.runs()[0]["status"], "Succeeded");
    // It is retried when its backoff ends.
    world.write("exit", "0");
    minute(&world, 12);
    world.watch_once().ok();
    world.watch_once().ok();
    assert_eq!(
        fs::read_to_string(&deployed).unwrap(),
        "ca1\nca2\nca4\nca4\n"
    );
    let update = ["task", "update", "--name", "web", "--on-success", ""];
    world.acrt(&update).ok();
    world.run("web").ok();
    assert_eq!(
        fs::read_to_string(&deployed).unwrap(),
        "ca1\nca2\nca4\nca4\n"
    );
}

#[test]
fn update_trigger_endpoint_of_az_receives_runs_caused_by_a_moved_image() {
    let (world, registry, receiver) = world();
    let url = receiver.url("/update?code=CODE-CANARY");
    task(&world, &registry, &["--update-trigger-endpoint", &url]);
    let token = [
        "task",
        "run",
        "--name",
        "web",
        "--update-trigger-token",
        "opaque",
    ];
    world.acrt(&token).ok();
    assert!(receiver.messages().is_empty(), "a run by hand is no update");
    let digest = registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok();
    let messages = receiver.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].path, "/update?code=CODE-CANARY");
    let message = messages[0].json();
    assert_eq!(
        message["imageUpdateTrigger"]["images"][0]["digest"],
        digest.as_str()
    );
    assert_eq!(message["token"], "b3BhcXVl");
    let show = ["task", "show", "--name", "web"];
    let shown = world.acrt(&show).ok();
    assert!(!shown.stdout.contains("CODE-CANARY"), "{shown}");
    let trigger = &shown.json()["trigger"]["baseImageTrigger"];
    assert_eq!(trigger["updateTriggerPayloadType"], "Default");

    let update = [
        "task",
        "update",
        "--name",
        "web",
        "--update-trigger-payload-type",
        "token",
    ];
    world.acrt(&update).ok();
    registry.push_shell("base:1", &[("version", "three")]);
    world.watch_once().ok();
    let messages = receiver.messages();
    assert_eq!(messages[1].json(), serde_json::json!({"token": "b3BhcXVl"}));
    let end = [
        "task",
        "update",
        "--name",
        "web",
        "--update-trigger-endpoint",
        "",
    ];
    world.acrt(&end).ok();
    registry.push_shell("base:1", &[("version", "four")]);
    world.watch_once().ok();
    assert_eq!(receiver.messages().len(), 2);
    for (path, text) in world.state_files() {
        let is_secret = path.components().any(|part| part.as_os_str() == "secrets");
        assert!(
            is_secret || !text.contains("CODE-CANARY"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn invalid_notification_receiver_is_reported_with_its_position() {
    let (world, registry, _) = world();
    world.config("notify: [{on: [success]}]\n");
    task(&world, &registry, &[]);
    world.run("web").ok().says(&[
        "cannot use entry 1 of `notify` in the config file",
        "must have either",
    ]);
    world.config("notify: [{url: 'https://x', on: [succes]}]\n");
    world
        .acrt(&["task", "list"])
        .exits(2)
        .says(&["succes", "check-failing"]);
}

#[test]
fn receiver_that_cannot_be_used_is_reported_and_the_others_are_notified() {
    let (world, registry, receiver) = world();
    world.config(&format!(
        "notify:\n- {{name: lost, url: 'env:NO_SUCH_URL', on: [success]}}\n- {{name: ops, url: '{}', on: [success]}}\n",
        receiver.url("/")
    ));
    task(
        &world,
        &registry,
        &["--on-success", "/usr/bin/touch hooked"],
    );
    let told = "`lost` of `notify` in the config file is in the variable `NO_SUCH_URL`";
    world.run("web").ok().says(&[told]);
    assert_eq!(receiver.told(), ["success web"]);
    assert!(world.path("hooked").exists() || world.path("web/hooked").exists());
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().says(&[told]);
    assert_eq!(receiver.told().len(), 2);
    world.acrt(&["notify", "test", "-n", "ops"]).ok();
    world
        .acrt(&["notify", "test", "-n", "lost"])
        .exits(2)
        .says(&[told]);
    let health = world.acrt(&["check-health", &registry.host()]);
    assert!(health.stdout.contains("NO_SUCH_URL"), "{health}");
}

#[test]
fn metrics_file_is_replaced_atomically() {
    use std::os::unix::fs::PermissionsExt as _;
    let (world, registry, _) = world();
    task(&world, &registry, &[]);
    world.run("web").ok();
    let path = world.path("acrt.prom");
    let once = [
        "task",
        "watch",
        "--once",
        "--metrics-file",
        path.to_str().unwrap(),
    ];
    registry.push_shell("base:1", &[("version", "two")]);
    world.acrt(&once).ok();
    let text = fs::read_to_string(&path).unwrap();
    for line in [
        "acrt_rounds_total 1",
        "acrt_runs_total{status=\"Succeeded\"} 1",
        "acrt_tasks{state=\"current\"} 1",
        "acrt_last_round_timestamp_seconds ",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    // A missing folder is reported, and the round continues.
    let nowhere = world.path("nowhere/acrt.prom");
    let once = [
        "task",
        "watch",
        "--once",
        "--metrics-file",
        nowhere.to_str().unwrap(),
    ];
    world.acrt(&once).ok().says(&["cannot write"]);
}

#[test]
fn tasks_rebuilt_by_one_base_are_one_message_for_a_templated_receiver() {
    let (world, registry, receiver) = world();
    world.config(&format!(
        "notify:\n- {{name: chat, url: '{}', preset: slack, on: [success, failure]}}\n- {{name: each, url: '{}', on: [success]}}\n",
        receiver.url("/chat"),
        receiver.url("/each")
    ));
    let from = format!("FROM {}\n", registry.image("base:1"));
    for name in ["one", "two", "three"] {
        world.tracked_task(&registry, name, &from);
    }
    let to = |path: &str| {
        let messages = receiver.messages().into_iter();
        let messages = messages.filter(|it| it.path == path);
        messages.map(|it| it.json()).collect::<Vec<_>>()
    };
    let (chat, each) = (to("/chat").len(), to("/each").len());
    registry.push_shell("base:1", &[("version", "two")]);
    world.watch_once().ok();
    let (chat, each) = (to("/chat").split_off(chat), to("/each").split_off(each));
    assert_eq!((chat.len(), each.len()), (1, 3), "{chat:?}");
    let text = chat[0]["text"].as_str().unwrap();
    assert!(text.contains("3 tasks have succeeded: `"), "{text}");
    assert!(text.contains("base:1` has moved"), "{text}");
    let names = ["/one", "/two", "/three"];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    let before = receiver.messages().len();
    world.watch_once().ok();
    assert_eq!(
        receiver.messages().len(),
        before,
        "each change is told once"
    );
}

#[test]
fn broken_notification_template_is_reported_once_and_the_plain_message_sent() {
    let (world, registry, receiver) = world();
    world.config(&format!(
        "notify: [{{name: chat, url: '{}', body: '{{{{ .Task | nosuch }}}}', on: [success]}}]\n",
        receiver.url("/")
    ));
    task(&world, &registry, &[]);
    let first = world.run("web").ok();
    first.says(&["cannot use the templates of `chat`", "nosuch"]);
    let second = world.run("web").ok();
    let again = second.stderr.contains("cannot use the templates");
    assert!(!again, "{}", second.stderr);
    assert_eq!(receiver.told(), ["success web", "success web"]);
}

#[test]
fn notification_digest_is_sent_at_its_time_and_open_failures_are_repeated_after_remind_days() {
    let (world, registry, receiver) = world();
    world.set("TZ", "UTC");
    world.config(&format!(
        "notify: [{{name: ops, url: '{}', on: [failure], remindDays: 2, digest: daily 08:00}}]\n",
        receiver.url("/")
    ));
    // 1_000_000_000 is 2001-09-09T01:46:40Z.
    minute(&world, 0);
    task(&world, &registry, &[]);
    world.run("web").ok();
    world.watch_once().ok();
    let events = || -> Vec<Value> {
        let messages = receiver.messages();
        messages
            .iter()
            .map(|it| it.json()["event"].clone())
            .collect()
    };
    assert_eq!(events(), Vec::<Value>::new());
    world.write("web/state", "3");
    minute(&world, 60);
    world.run("web").exits(1);
    assert_eq!(events(), ["failure"]);
    // Half past eight: one digest, in any number of rounds.
    for now in [404, 405] {
        minute(&world, now);
        world.watch_once();
    }
    assert_eq!(events(), ["failure", "digest"]);
    let digest = receiver.messages()[1].json();
    let text = digest["message"].as_str().unwrap();
    assert!(text.contains("1 run has succeeded"), "{text}");
    assert!(
        text.contains("\nrebuilt: ") && text.contains("\nstill failing: "),
        "{text}"
    );
    minute(&world, 60 + 2 * 24 * 60 + 1);
    world.watch_once();
    assert!(events().contains(&"still-failing".into()), "{:?}", events());
    // The next digest has the events after the last one, even if these are older.
    world.write("web/state", "0");
    minute(&world, 60 + 3 * 24 * 60);
    let ran = world.run("web").ok();
    let id = ran
        .stderr
        .split("ID: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    // As if it had begun before the last digest, and ended after it.
    let path = world.state().join(format!("runs/{id}/run.json"));
    let mut run: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    run["createTime"] = "2001-09-11T02:06:40Z".into();
    fs::write(&path, run.to_string()).unwrap();
    minute(&world, 60 + 4 * 24 * 60);
    world.watch_once();
    let last = receiver.messages().pop().unwrap().json();
    let text = last["message"].as_str().unwrap();
    assert!(text.contains("1 run has succeeded"), "{text}");
    assert!(text.contains("\nrebuilt: "), "{text}");
}
