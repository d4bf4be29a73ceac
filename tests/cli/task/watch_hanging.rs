//! `acrt task watch` with slow or hanging servers: no task waits for a registry, a git server or a build that it does not depend on.

use std::{
    io::{ErrorKind, Read as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Gate, Proxy, Registry, World, eventually};

/// A machine whose builder uses the image of the `FROM` line unchanged, and which looks at registries each second.
///
/// While a file `hold` exists, the builds of tasks whose names start with `slow` wait at the gate.
struct Place {
    world: World,
    registry: Registry,
    gate: Gate,
}

impl Place {
    fn new() -> Self {
        let (world, registry, gate) = (World::new(), Registry::start(), Gate::new());
        let (hold, wait) = (world.path("hold"), gate.wait_command());
        world.fake(
            "copy",
            &format!(
                "from=$(sed -n 's/^FROM //p' \"$1\")\n\
                 [ ! -e '{}' ] || case $2 in */slow*) busybox {wait} ;; esac\n\
                 exec skopeo copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false \"docker://$from\" \"docker://$2\"",
                hold.display()
            ),
        );
        let place = Self {
            world,
            registry,
            gate,
        };
        place.configure("watch: {everySeconds: 1}\n");
        place.world.set("ACRT_BUILDER", "command");
        place
    }

    fn configure(&self, more: &str) {
        let builder = "builders:\n  command:\n    build: [copy, '{dockerfile}', '{image}']\n";
        self.world.config(&format!("{builder}{more}"));
    }

    /// Pushes an image, and creates a task that follows it.
    fn follows(&self, task: &str, base: &str, image: &str) {
        self.push(base, "one");
        let dockerfile = format!("FROM {image}\n");
        self.world.tracked_task(&self.registry, task, &dockerfile);
    }

    fn push(&self, base: &str, version: &str) {
        self.registry.push(base, &[("version", version)]);
    }

    /// Waits until the image of a task has this version.
    fn has(&self, task: &str, version: &str) {
        let image = format!("{task}:latest");
        eventually(format!("version {version} of {task}"), || {
            let now = self.registry.file(&image, "version");
            (now.as_deref() == Some(version)).then_some(())
        });
    }

    /// Returns the number of runs of a task.
    fn runs(&self, task: &str) -> usize {
        let run = format!("{task} ");
        let history = self.world.history();
        history.iter().filter(|line| line.starts_with(&run)).count()
    }
}

#[test]
fn hanging_registry_delays_no_other_task_in_a_single_round() {
    let place = Place::new();
    let proxy = Proxy::to(&place.registry);
    place.follows("quick", "near:1", &place.registry.image("near:1"));
    place.follows("held", "far:1", &proxy.image("far:1"));
    for base in ["near:1", "far:1"] {
        place.push(base, "two");
    }
    proxy.requests();
    proxy.hang();
    let round = place.world.spawn(&["task", "watch", "--once"]);
    round.stdout_has("quick: rebuilt");
    // The only request is still open.
    proxy.has_kept();
    assert_eq!(proxy.requests(), ["HEAD /v2/far/manifests/1"]);
    proxy.go_on();
    round.wait().ok().prints(&["held: rebuilt"]);
    place.has("held", "two");
}

#[test]
fn hanging_repository_delays_no_other_repository_of_its_registry() {
    let place = Place::new();
    let proxy = Proxy::to(&place.registry);
    // The first by name, so that it is looked at before the others.
    place.follows("held", "aaa:1", &proxy.image("aaa:1"));
    for base in ["near", "next"] {
        let image = format!("{base}:1");
        place.follows(base, &image, &proxy.image(&image));
    }
    for base in ["aaa:1", "near:1", "next:1"] {
        place.push(base, "two");
    }
    proxy.hang_for("aaa");
    let round = place.world.spawn(&["task", "watch", "--once"]);
    round.stdout_has("near: rebuilt");
    round.stdout_has("next: rebuilt");
    // The only request is still open.
    assert_eq!(proxy.kept(), 1);
    proxy.go_on();
    round.wait().ok();
    place.has("held", "two");
}

#[test]
fn hanging_registry_delays_no_other_task_in_the_loop_and_gets_one_request() {
    let place = Place::new();
    let proxy = Proxy::to(&place.registry);
    place.follows("quick", "near:1", &place.registry.image("near:1"));
    place.follows("held", "far:1", &proxy.image("far:1"));
    proxy.requests();
    proxy.hang();
    let watch = place.world.spawn(&["task", "watch", "--settle", "0"]);
    proxy.has_kept();
    for version in ["two", "three"] {
        place.push("near:1", version);
        place.has("quick", version);
    }
    assert_eq!(proxy.requests(), ["HEAD /v2/far/manifests/1"]);
    place.push("far:1", "two");
    proxy.go_on();
    place.has("held", "two");
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    assert_eq!([place.runs("quick"), place.runs("held")], [3, 2]);
}

#[test]
fn hanging_notification_program_delays_no_round_or_run() {
    let place = Place::new();
    place.follows("quick", "near:1", &place.registry.image("near:1"));
    place.follows(
        "next",
        "quick:latest",
        &place.registry.image("quick:latest"),
    );
    let wait = place.gate.wait_command();
    place
        .world
        .fake("told", &format!("cat > /dev/null\nexec busybox {wait}"));
    place.configure("watch: {everySeconds: 1}\nnotify: [{command: [told], on: [success]}]\n");
    let watch = place.world.spawn(&["task", "watch", "--settle", "0"]);
    place.push("near:1", "two");
    let mut told = place.gate.arrival();
    // In the same round, and in later ones.
    place.has("next", "two");
    for version in ["three", "four"] {
        place.push("near:1", version);
        place.has("next", version);
    }
    assert!(!told.is_gone());
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
}

#[test]
fn hanging_git_server_delays_no_other_task() {
    let place = Place::new();
    place.world.git();
    place.follows("quick", "near:1", &place.registry.image("near:1"));
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let host = place.registry.host();
    // More repositories than are asked concurrently at one server.
    for n in 0..9 {
        let (name, image) = (format!("git{n}"), format!("git{n}:1"));
        let url = format!("http://{}/r{n}.git#main", server.local_addr().unwrap());
        let create = [
            "task", "create", "-n", &name, "-r", &host, "-t", &image, "-c", &url,
        ];
        let create = [&create[..], &["--commit-trigger-enabled"]].concat();
        place.world.acrt(&create).ok();
    }
    let near = place
        .world
        .repository("near", &[("Dockerfile", "FROM scratch\n")]);
    let create = [
        "task",
        "create",
        "-n",
        "near",
        "-r",
        &host,
        "-t",
        "near-git:1",
        "-c",
        &near.url(),
    ];
    let create = [&create[..], &["--commit-trigger-enabled"]].concat();
    place.world.acrt(&create).ok();
    place.push("near:1", "two");
    let round = place.world.spawn(&["task", "watch", "--once"]);
    let asked = server.accept().unwrap().0;
    round.stdout_has("quick: rebuilt");
    assert!(is_open(&asked), "the git server is not waited for any more");
    // From now on it refuses connections.
    drop((server, asked));
    round.wait().exits(4);
}

/// Tells whether the peer still waits for a response.
fn is_open(stream: &TcpStream) -> bool {
    let mut stream = stream;
    stream.set_nonblocking(true).unwrap();
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(problem) => return problem.kind() == ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn long_build_delays_no_other_task_and_runs_once() {
    let place = Place::new();
    place.follows("quick", "near:1", &place.registry.image("near:1"));
    place.follows("slow", "heavy:1", &place.registry.image("heavy:1"));
    place.world.tracked_task(
        &place.registry,
        "child",
        &format!("FROM {}\n", place.registry.image("slow:latest")),
    );
    place.world.write("hold", "");
    let watch = place
        .world
        .spawn(&["task", "watch", "--settle", "0", "--jobs", "2"]);
    place.push("heavy:1", "two");
    let build = place.gate.arrival();
    for version in ["two", "three"] {
        place.push("near:1", version);
        place.has("quick", version);
    }
    assert_eq!(place.runs("slow"), 2);
    build.go_on();
    place.has("child", "two");
    place.push("near:1", "four");
    place.has("quick", "four");
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    assert_eq!([place.runs("slow"), place.runs("child")], [2, 2]);
}

#[test]
fn long_build_with_one_job_does_not_delay_tag_lookups() {
    let place = Place::new();
    place.follows("quick", "near:1", &place.registry.image("near:1"));
    place.follows("slow", "heavy:1", &place.registry.image("heavy:1"));
    place.world.write("hold", "");
    let watch = place.world.spawn(&["task", "watch", "--settle", "0"]);
    place.push("heavy:1", "two");
    let build = place.gate.arrival();
    place.push("near:1", "two");
    place.registry.forget_requests();
    eventually("two looks at each tag", || {
        let requests = place.registry.requests();
        let looks = |base: &str| {
            let path = format!("/v2/{base}/manifests/1");
            requests
                .iter()
                .filter(|it| it.method == "HEAD" && it.path == path)
                .count()
        };
        (looks("near") >= 2 && looks("heavy") >= 2).then_some(())
    });
    assert_eq!(place.runs("quick"), 1);
    build.go_on();
    place.has("quick", "two");
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    assert_eq!([place.runs("quick"), place.runs("slow")], [2, 2]);
}

#[test]
fn digest_announced_by_webhook_is_looked_up_until_the_registry_shows_it() {
    let place = Place::new();
    place.configure("watch: {everySeconds: 3600}\nlisten: {lan: {secret: 'env:HOOK_SECRET'}}\n");
    place.world.set("HOOK_SECRET", "hooks-canary-4711");
    let proxy = Proxy::to(&place.registry);
    place.follows("web", "base:1", &proxy.image("base:1"));
    let old = place.registry.digest("base:1").unwrap();
    let new = place.registry.push("base:1", &[("version", "two")]);
    proxy.requests();
    // The look at the start of the loop, and the one after the webhook.
    proxy.answer_heads(&[&old, &old]);
    let watch = ["task", "watch", "--settle", "0", "--listen", "127.0.0.1:0"];
    let watch = place.world.spawn(&watch);
    let url = watch.stderr_after("listening on ");
    let looks = || proxy.shown();
    eventually("the first look", || (looks() == 1).then_some(()));
    let event = json!({"events": [{
        "action": "push",
        "target": {"repository": "base", "tag": "1", "digest": new},
        "request": {"host": proxy.host()},
    }]});
    let request = ureq::http::Request::post(format!("{url}/hooks/lan"))
        .header("Authorization", "Bearer hooks-canary-4711")
        .body(event.to_string())
        .unwrap();
    let answer = ureq::Agent::new_with_defaults().run(request).unwrap();
    assert_eq!(answer.status(), 202);
    place.has("web", "two");
    assert_eq!(looks(), 2);
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    assert_eq!(place.runs("web"), 2);
}

#[test]
fn run_that_a_registry_answers_ends_the_pause_after_an_error() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let proxy = Proxy::to(&registry);
    registry.push("base:1", &[("version", "one")]);
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", proxy.image("base:1")),
    );
    proxy.refuse(None, "429 Too Many Requests\r\nRetry-After: 600");
    assert_eq!(world.state_of("web"), "unknown");
    proxy.requests();
    assert_eq!(world.state_of("web"), "unknown");
    assert_eq!(proxy.requests(), [""; 0]);
    world.run("web").ok();
    proxy.requests();
    assert_eq!(world.state_of("web"), "current");
    assert_eq!(proxy.requests().len(), 1);
    world.watch_once().ok().silent();
}

#[test]
fn retry_after_of_a_registry_holds_in_all_rounds_of_the_loop() {
    let place = Place::new();
    let proxy = Proxy::to(&place.registry);
    place.follows("quick", "near:1", &place.registry.image("near:1"));
    for base in ["far", "further"] {
        let image = format!("{base}:1");
        place.follows(base, &image, &proxy.image(&image));
    }
    proxy.requests();
    proxy.refuse(None, "429 Too Many Requests\r\nRetry-After: 600");
    let watch = place.world.spawn(&["task", "watch", "--settle", "0"]);
    for version in ["two", "three"] {
        place.push("near:1", version);
        place.has("quick", version);
    }
    assert_eq!(proxy.requests().len(), 1);
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    // Later commands do not ask it either.
    place.world.watch_once().exits(4);
    assert_eq!(proxy.requests(), [""; 0]);
}

#[test]
fn registry_that_refuses_head_gets_head_again_after_ten_lookups() {
    let place = Place::new();
    let proxy = Proxy::to(&place.registry);
    place.follows("web", "far:1", &proxy.image("far:1"));
    proxy.requests();
    proxy.refuse(Some("HEAD"), "405 Method Not Allowed");
    // Each pause is a jump of this clock.
    place.world.set("ACRT_NOW", "2026-01-31T08:00:00Z");
    place.configure("watch: {everySeconds: 60}\n");
    let watch = place.world.spawn(&["task", "watch"]);
    let mut asked = Vec::new();
    eventually("sixteen requests", || {
        asked.extend(proxy.requests());
        (asked.len() >= 16).then_some(())
    });
    watch.signal(Signal::TERM);
    watch.wait().exits(143);
    let methods = asked.iter().filter_map(|line| line.split(' ').next());
    // The refused look, and ten more.
    let (heads, gets) = (["HEAD"; 4], ["GET"; 11]);
    let expected = [&["HEAD"], gets.as_slice(), &heads].concat();
    assert_eq!(methods.take(16).collect::<Vec<_>>(), expected);
}
