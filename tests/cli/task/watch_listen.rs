//! `acrt task watch --listen`: the effects of webhooks, and who may send them.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Gate, Registry, Running, World, eventually};

const SECRET: &str = "hooks-canary-4711";

/// A machine with buildah, and a registry with `base:1`. Tags are polled once an hour: an earlier look comes from a hint.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    configure(&world, "  lan: {secret: 'env:HOOK_SECRET'}\n");
    world.set("HOOK_SECRET", SECRET);
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

fn configure(world: &World, sources: &str) {
    world.config(&format!(
        "watch: {{everySeconds: 3600}}\nlisten:\n{sources}"
    ));
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

/// A loop that listens on its own port.
struct Loop {
    running: Running,
    url: String,
}

/// The response of a server.
struct Answer {
    status: u16,
    body: String,
}

impl Loop {
    fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    fn start_with(world: &World, options: &[&str]) -> Self {
        let watch = ["task", "watch", "--settle", "0", "--listen", "127.0.0.1:0"];
        let running = world.spawn(&[&watch, options].concat());
        let url = running.stderr_after("listening on ");
        Self { running, url }
    }

    /// Waits until it has looked at everything and sleeps.
    fn rests(&self) {
        eventually("the first round", || {
            self.metric("acrt_rounds_total")
                .filter(|rounds| *rounds > 0)
        });
    }

    fn get(&self, path: &str) -> Answer {
        send(ureq::http::Request::get(format!("{}{path}", self.url)), &[])
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = ureq::http::Request::post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request, body)
    }

    /// Sends Docker Distribution's webhook, with the secret.
    fn pushed(&self, registry: &Registry, image: &str) -> u16 {
        let body = push_event(&registry.host(), image).to_string();
        self.post(
            "/hooks/lan",
            &[("Authorization", &bearer())],
            body.as_bytes(),
        )
        .status
    }

    /// Returns a metric that the source `lan` may read.
    fn metric(&self, name: &str) -> Option<u64> {
        let page = ureq::http::Request::get(format!("{}/metrics", self.url));
        let page = send(page.header("Authorization", bearer()), &[]).body;
        let line = page.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    }
}

fn send(request: ureq::http::request::Builder, body: &[u8]) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let mut answer = agent.run(request.body(body).unwrap()).unwrap();
    Answer {
        status: answer.status().as_u16(),
        body: answer.body_mut().read_to_string().unwrap(),
    }
}

fn bearer() -> String {
    format!("Bearer {SECRET}")
}

fn push_event(host: &str, image: &str) -> Value {
    let (repository, tag) = image.split_once(':').unwrap();
    json!({"events": [{
        "action": "push",
        "target": {"repository": repository, "tag": tag},
        "request": {"host": host},
    }]})
}

#[test]
fn webhook_push_event_starts_the_rebuild_at_once() {
    let (world, registry) = world();
    let gate = Gate::new();
    let dockerfile = format!("{}RUN {}\n", from(&registry, "base:1"), gate.wait_command());
    world.task(&registry, "web", &dockerfile);
    let run = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    run.wait().ok();

    let watch = Loop::start(&world);
    registry.notify(
        &format!("{}/hooks/lan", watch.url),
        ("Authorization", &bearer()),
    );
    watch.rests();
    let runs = || {
        let entries = std::fs::read_dir(world.state().join("runs")).unwrap();
        entries.count()
    };
    let before = runs();
    registry.push_shell("base:1", &[("version", "two")]);
    let pushed = Instant::now();
    let started = eventually("the run", || (runs() > before).then(|| pushed.elapsed()));
    eprintln!("push to the run started: {} ms", started.as_millis());
    // A busy machine is far slower than the second that an idle one takes; the next scheduled look would come in an hour.
    assert!(started.as_secs() < 30, "{started:?}");
    gate.arrival().go_on();
    watch.running.stdout_has("web: rebuilt");
    assert_eq!(
        registry.file("web:latest", "version").as_deref(),
        Some("two")
    );
}

#[test]
fn webhook_reads_and_decides_only_the_tasks_it_concerns() {
    let (world, registry) = world();
    registry.push_shell("other:1", &[("version", "one")]);
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    world.tracked_task(&registry, "site", &from(&registry, "web:latest"));
    world.tracked_task(&registry, "copy", &from(&registry, "other:1"));
    // 250 more of this task.
    let state = world.state();
    let file = |folder: &str, name: &str| state.join(folder).join(registry.host()).join(name);
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let (task, known) = (
        read(&file("tasks", "copy.yaml")),
        read(&file("baselines", "copy.json")),
    );
    for n in 0..250 {
        let renamed = |text: &str| {
            text.replace("copy:latest", &format!("t{n}:latest"))
                .replace("name: copy", &format!("name: t{n}"))
        };
        std::fs::write(file("tasks", &format!("t{n}.yaml")), renamed(&task)).unwrap();
        std::fs::write(file("baselines", &format!("t{n}.json")), renamed(&known)).unwrap();
    }
    let watch = Loop::start_with(&world, &["--verbose"]);
    watch.rests();
    // If another one were read from now on, it would be reported as broken.
    std::fs::write(file("tasks", "t7.yaml"), "schema: [").unwrap();
    registry.push_shell("base:1", &[("version", "two")]);
    assert_eq!(watch.pushed(&registry, "base:1"), 202);
    let concerned = watch.running.stderr_after("a webhook concerns ");
    assert_eq!(concerned, "2 of 253 tasks");
    watch.running.stdout_has("web: rebuilt");
    assert!(!watch.running.stderr().contains("t7.yaml"));
    watch.running.stdout_has("site: rebuilt");
    assert_eq!(
        registry.file("site:latest", "version").as_deref(),
        Some("two")
    );
    // A task created since may depend on anything: all tasks are decided.
    world.task(&registry, "new", &from(&registry, "base:1"));
    assert_eq!(watch.pushed(&registry, "nobody:1"), 202);
    watch.running.stderr_has("t7.yaml");
    watch.running.signal(Signal::TERM);
    let ended = watch.running.wait().exits(143);
    assert_eq!(ended.stderr.matches("a webhook concerns ").count(), 1);
}

#[test]
fn webhook_burst_makes_one_run_and_own_pulls_and_pushes_make_none() {
    let (world, registry) = world();
    world.tracked_task(&registry, "app", &from(&registry, "base:1"));
    world.tracked_task(&registry, "site", &from(&registry, "app:latest"));
    let watch = Loop::start(&world);
    registry.notify(
        &format!("{}/hooks/lan", watch.url),
        ("Authorization", &bearer()),
    );
    watch.rests();
    registry.push_shell("base:1", &[("version", "two")]);
    for _ in 0..50 {
        assert_eq!(watch.pushed(&registry, "base:1"), 202);
    }
    watch.running.stdout_has("site: rebuilt");
    let runs = world.runs();
    let seen_by = |run: usize| runs[run]["baseUpdates"][0]["seenBy"].as_str().unwrap();
    assert_eq!([seen_by(1), seen_by(0)], ["webhook", "run"]);
    let count = |outcome: &str| {
        let name = format!("acrt_webhooks_total{{source=\"lan\",outcome=\"{outcome}\"}}");
        watch.metric(&name).unwrap_or_default()
    };
    // Each look is a pull, for which the registry sends a webhook as for a push.
    eventually("word of our own looks", || {
        (count("ignored") >= watch.metric("acrt_looks_total").unwrap()).then_some(())
    });
    // Its push, our fifty, and one by each run.
    eventually("word of our own pushes", || {
        (count("hinted") == 53).then_some(())
    });
    assert_eq!(
        world.history()[2..],
        ["app Succeeded", "site Succeeded"],
        "each once"
    );
    watch.running.signal(Signal::TERM);
    watch.running.wait().exits(143);
}

#[test]
fn git_push_webhook_starts_the_run_of_its_commit() {
    let (world, registry) = world();
    world.git();
    let dockerfile = format!("{}COPY text /text\n", from(&registry, "base:1"));
    let files = [("Dockerfile", dockerfile.as_str()), ("text", "one")];
    let repository = world.repository("web", &files);
    let (host, url) = (registry.host(), repository.url());
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        &host,
        "-t",
        "web:latest",
        "-c",
        &url,
    ];
    let create = [&create[..], &["--commit-trigger-enabled"]].concat();
    world.acrt(&create).ok();
    world.run("web").ok();
    let begun = Instant::now();
    let watch = Loop::start(&world);
    watch.rests();
    let commit = repository.commit(&[("text", "two")]);
    let body = json!({
        "ref": "refs/heads/main", "after": commit, "repository": {"clone_url": url},
    });
    let authorization = bearer();
    let headers = [
        ("X-GitHub-Event", "push"),
        ("Authorization", authorization.as_str()),
    ];
    let answer = watch.post("/hooks/lan", &headers, body.to_string().as_bytes());
    assert_eq!(answer.status, 202);
    watch.running.stdout_has("web: rebuilt");
    // By schedule, the loop would have looked a minute after its first look.
    assert!(begun.elapsed().as_secs() < 59, "{:?}", begun.elapsed());
    assert_eq!(registry.file("web:latest", "text").as_deref(), Some("two"));
}

#[test]
fn webhook_with_a_wrong_secret_is_refused_and_causes_no_tag_lookup() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let watch = Loop::start(&world);
    watch.rests();
    registry.push_shell("base:1", &[("version", "two")]);
    registry.forget_requests();
    let body = push_event(&registry.host(), "base:1").to_string();
    let signature = format!("sha256={}", "0".repeat(64));
    for headers in [
        &[][..],
        &[("Authorization", "Bearer wrong")],
        &[("X-Hub-Signature-256", &signature)],
        &[("X-Hub-Signature-256", "sha256=")],
        &[("X-Gitlab-Token", "")],
    ] {
        let answer = watch.post("/hooks/lan", headers, body.as_bytes());
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, ""),
            "{headers:?}"
        );
    }
    let other = watch.post("/hooks/other", &[("Authorization", &bearer())], b"{}");
    assert_eq!(other.status, 404);
    watch
        .running
        .stderr_has("a webhook for `lan` is not authenticated by its secret");
    assert_eq!(registry.requests(), []);
    let refused = watch.metric("acrt_webhooks_total{source=\"lan\",outcome=\"refused\"}");
    assert_eq!(refused, Some(5));
    watch.running.signal(Signal::TERM);
    let output = watch.running.wait().exits(143);
    assert!(!output.stderr.contains(SECRET), "{output}");
    assert_eq!(
        output.stderr.matches("is not authenticated").count(),
        1,
        "{output}"
    );
}

#[test]
fn webhook_secret_is_accepted_in_every_supported_header() {
    let (world, registry) = world();
    let watch = Loop::start(&world);
    let body = push_event(&registry.host(), "base:1").to_string();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = ring::hmac::sign(&key, body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let signature = format!("sha256={hex}");
    // acrt:hooks-canary-4711
    let basic = "Basic YWNydDpob29rcy1jYW5hcnktNDcxMQ==";
    for header in [
        ("Authorization", bearer().as_str()),
        ("Authorization", basic),
        ("Authorization", SECRET),
        ("X-Gitlab-Token", SECRET),
        ("X-Hub-Signature-256", &signature),
    ] {
        let answer = watch.post("/hooks/lan", &[header], body.as_bytes());
        assert_eq!(answer.status, 202, "{header:?}");
    }
    let path = format!("/hooks/lan?access_token={SECRET}");
    assert_eq!(watch.post(&path, &[], body.as_bytes()).status, 202);
    let changed = body.replace("push", "pusj");
    let answer = watch.post(
        "/hooks/lan",
        &[("X-Hub-Signature-256", &signature)],
        changed.as_bytes(),
    );
    assert_eq!(answer.status, 401);
}

#[test]
fn authenticated_webhook_with_an_unusable_body_is_never_an_error_response() {
    let (world, _registry) = world();
    let watch = Loop::start(&world);
    let post = |body: &str| {
        let headers = [("Authorization", bearer())];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        watch.post("/hooks/lan", &headers, body.as_bytes())
    };
    for body in [
        "",
        "not json",
        "{}",
        "[[[[",
        r#"{"events": [{"action": "pull"}]}"#,
    ] {
        assert_eq!(post(body).status, 200, "{body}");
    }
    let question = include_str!("../../data/webhooks/event-grid-validation.json");
    assert_eq!(
        post(question).body,
        r#"{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}"#
    );
    watch.running.stderr_has("is of an unknown kind");
}

#[test]
fn oversized_webhook_body_and_slow_sender_are_cut_off() {
    let (world, _registry) = world();
    let watch = Loop::start(&world);
    let address = watch.url.strip_prefix("http://").unwrap();
    let mut large = TcpStream::connect(address).unwrap();
    write!(
        large,
        "POST /hooks/lan HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 1048577\r\n\r\n"
    )
    .unwrap();
    assert!(line(&mut large).starts_with("HTTP/1.1 413 "));
    // The sender sees the response also if it sends the whole body first.
    for (headers, status) in [(vec![("Authorization", bearer())], 413), (vec![], 401)] {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = vec![b' '; 5_000_000];
        assert_eq!(watch.post("/hooks/lan", &headers, &body).status, status);
    }

    // More connections than are served at once, none of which finishes its headers.
    let slow: Vec<TcpStream> = (0..70)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream
                .write_all(b"POST /hooks/lan HTTP/1.1\r\nHost: x\r\nX: ")
                .unwrap();
            stream
        })
        .collect();
    assert_eq!(watch.get("/healthz").status, 200);
    for mut stream in slow {
        let mut rest = Vec::new();
        // With or without a response, the connection is closed.
        drop(stream.read_to_end(&mut rest));
    }
}

fn line(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        text.extend(byte);
    }
    String::from_utf8(text).unwrap()
}

/// Reads up to the end of a response's head, and returns the bytes behind it.
fn head(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let line = line(stream);
        assert!(!line.is_empty(), "{text}");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[test]
fn clients_that_hold_connections_open_do_not_block_other_clients() {
    let (world, registry) = world();
    let watch = Loop::start(&world);
    watch.rests();
    let address = watch.url.strip_prefix("http://").unwrap().to_owned();
    // Each requests much at once, and reads nothing.
    let page = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(64);
    let greedy: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(&page).unwrap();
            stream
        })
        .collect();
    // Each sends often enough to stay alive, forever if allowed.
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let lively = std::thread::spawn(move || {
        let connect = || TcpStream::connect(&address).unwrap();
        let mut streams: Vec<TcpStream> = (0..64).map(|_| connect()).collect();
        let patience = std::time::Duration::from_millis(200);
        while stopped.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            for stream in &mut streams {
                if stream
                    .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    .is_err()
                {
                    *stream = connect();
                }
            }
        }
    });
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(watch.get("/healthz").status, 200);
        assert_eq!(watch.pushed(&registry, "base:1"), 202);
        assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    }
    drop(stop);
    lively.join().unwrap();
    drop(greedy);
}

#[test]
fn connection_is_closed_after_100_requests() {
    let (world, _registry) = world();
    let watch = Loop::start(&world);
    let mut stream = TcpStream::connect(watch.url.strip_prefix("http://").unwrap()).unwrap();
    for n in 1..=100 {
        stream
            .write_all(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let head = head(&mut stream).to_lowercase();
        assert!(head.starts_with("http/1.1 404"), "{head}");
        assert_eq!(head.contains("connection: close"), n == 100, "{n}: {head}");
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
}

#[test]
fn health_over_http_matches_the_watchdog_notification() {
    let (world, _registry) = world();
    let path = world.path("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(crate::support::PATIENCE))
        .unwrap();
    world.set("NOTIFY_SOCKET", path.to_str().unwrap());
    world.set("WATCHDOG_USEC", "20000");
    let watch = Loop::start(&world);
    watch.rests();
    assert_eq!(watch.get("/healthz").status, 200);
    let hears = |text: &str| {
        let mut heard = [0; 512];
        loop {
            let length = manager.recv(&mut heard).unwrap();
            if String::from_utf8_lossy(&heard[..length]).contains(text) {
                break;
            }
        }
    };
    hears("WATCHDOG=1");

    // The state directory can no longer be used, so the loop cannot work.
    let tasks = world.state().join("tasks");
    let away = world.state().join("away");
    let has_tasks = std::fs::rename(&tasks, &away).is_ok();
    std::os::unix::fs::symlink(&tasks, &tasks).unwrap();
    watch.running.signal(Signal::HUP);
    let sick = eventually("the failed round", || {
        Some(watch.get("/healthz")).filter(|health| health.status != 200)
    });
    assert_eq!(
        (sick.status, sick.body.as_str()),
        (503, "the last round failed; its log says why\n")
    );
    hears("STATUS=the last round failed");
    manager.set_nonblocking(true).unwrap();
    let mut told = Vec::new();
    let mut heard = [0; 512];
    while let Ok(length) = manager.recv(&mut heard) {
        told.push(String::from_utf8_lossy(&heard[..length]).into_owned());
    }
    assert!(!told.iter().any(|it| it.contains("WATCHDOG")), "{told:?}");
    manager.set_nonblocking(false).unwrap();

    std::fs::remove_file(&tasks).unwrap();
    if has_tasks {
        std::fs::rename(&away, &tasks).unwrap();
    }
    watch.running.signal(Signal::HUP);
    eventually("a round that is well", || {
        (watch.get("/healthz").status == 200).then_some(())
    });
    hears("WATCHDOG=1");
}

#[test]
fn metrics_without_the_secret_hide_webhook_source_names() {
    let (world, registry) = world();
    let get = |watch: &Loop, authorization: Option<&str>| {
        let mut page = ureq::http::Request::get(format!("{}/metrics", watch.url));
        if let Some(text) = authorization {
            page = page.header("Authorization", text);
        }
        send(page, &[])
    };
    let sources = "  lan: {secret: 'env:HOOK_SECRET'}\n  hub: {secret: 'env:HUB_SECRET'}\n";
    world.set("HUB_SECRET", "hub-canary");
    world.set("METRICS_SECRET", "metrics-canary");
    configure(&world, sources);
    let watch = Loop::start(&world);
    watch.pushed(&registry, "base:1");
    watch.post("/hooks/hub", &[], b"{}");
    let open = get(&watch, None);
    assert_eq!(open.status, 200);
    assert!(open.body.contains("acrt_rounds_total"), "{}", open.body);
    assert!(
        !open.body.contains("lan") && !open.body.contains("hub"),
        "{}",
        open.body
    );
    let own = get(&watch, Some(&bearer())).body;
    assert!(
        own.contains("source=\"lan\"") && !own.contains("hub"),
        "{own}"
    );
    assert_eq!(get(&watch, Some("Bearer wrong")).status, 401);

    configure(
        &world,
        &format!("{sources}metrics: {{secret: 'env:METRICS_SECRET'}}\n"),
    );
    watch.running.signal(Signal::HUP);
    watch.running.stderr_has("read the config file");
    let refused = get(&watch, None);
    assert_eq!((refused.status, refused.body.as_str()), (401, ""));
    // As Prometheus sends it with `authorization`, and with `basic_auth` and any user: anybody:metrics-canary.
    for secret in [
        "Bearer metrics-canary",
        "Basic YW55Ym9keTptZXRyaWNzLWNhbmFyeQ==",
    ] {
        let all = get(&watch, Some(secret));
        assert_eq!(all.status, 200);
        for name in ["source=\"lan\"", "source=\"hub\",outcome=\"refused\"} 1"] {
            assert!(all.body.contains(name), "{}", all.body);
        }
    }
}

#[test]
fn listener_off_loopback_without_a_secret_is_refused() {
    let (world, _registry) = world();
    let listen = |address: &str| world.acrt(&["task", "watch", "--listen", address]);
    configure(&world, "  lan: {}\n");
    listen("0.0.0.0:0")
        .exits(2)
        .says(&["webhook source `lan` has no secret", "127.0.0.1"]);
    configure(&world, "  {}\n");
    listen("[::]:0")
        .exits(2)
        .says(&["no webhook source has a secret"]);
    configure(&world, "  lan: {secret: hunter2-canary}\n");
    let output = listen("127.0.0.1:0")
        .exits(2)
        .says(&["env:NAME or file:PATH"]);
    assert!(!output.stderr.contains("hunter2-canary"), "{output}");
    configure(&world, "  lan: {secret: 'env:NOT_SET_ANYWHERE'}\n");
    listen("127.0.0.1:0")
        .exits(2)
        .says(&["NOT_SET_ANYWHERE", "lan"]);
    configure(&world, "  'a/b': {}\n");
    listen("127.0.0.1:0")
        .exits(2)
        .says(&["webhook source `a/b`"]);
    listen("everywhere").exits(2).says(&["127.0.0.1:8585"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    configure(&world, "  {}\n");
    listen(&taken.local_addr().unwrap().to_string())
        .exits(1)
        .says(&["cannot listen on `127.0.0.1:"]);
}

#[test]
fn webhook_on_loopback_is_accepted_without_a_configured_source() {
    let (world, registry) = world();
    configure(&world, "  {}\n");
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    let watch = Loop::start(&world);
    watch.rests();
    registry.push_shell("base:1", &[("version", "two")]);
    // The pusher uses another name for the registry than the task.
    let body = push_event("registry.invalid", "base:1").to_string();
    assert_eq!(watch.post("/hooks", &[], body.as_bytes()).status, 202);
    watch.running.stdout_has("web: rebuilt");
    assert_eq!(watch.post("/hooks/some", &[], body.as_bytes()).status, 202);
    // A website in a browser on this machine shows itself by its own name.
    let website = [("Host", "evil.example")];
    assert_eq!(watch.post("/hooks", &website, body.as_bytes()).status, 421);
    let website = [("Origin", "http://evil.example")];
    assert_eq!(watch.post("/hooks", &website, body.as_bytes()).status, 403);
}

#[test]
fn health_and_metrics_endpoints_answer() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry, "base:1"));
    world.task(&registry, "new", &from(&registry, "base:1"));
    let watch = Loop::start(&world);
    watch.rests();
    let health = watch.get("/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    assert_eq!(watch.get("/").status, 404);
    assert_eq!(watch.get("/hooks/lan").status, 405);
    for (metric, value) in [
        ("acrt_tasks{state=\"current\"}", 1),
        ("acrt_tasks{state=\"never-run\"}", 1),
        ("acrt_tags", 1),
        ("acrt_tag_look_errors", 0),
    ] {
        assert_eq!(watch.metric(metric), Some(value), "{metric}");
    }
    registry.push_shell("base:1", &[("version", "two")]);
    watch.pushed(&registry, "base:1");
    watch.running.stdout_has("web: rebuilt");
    eventually("the run in the metrics", || {
        let succeeded = watch.metric("acrt_runs_total{status=\"Succeeded\"}");
        (succeeded == Some(1)).then_some(())
    });
    assert_eq!(watch.metric("acrt_tasks{state=\"current\"}"), Some(1));
}

#[test]
fn sighup_reloads_webhook_sources() {
    let (world, registry) = world();
    let watch = Loop::start(&world);
    let send = |path: &str| {
        let body = push_event(&registry.host(), "base:1").to_string();
        watch
            .post(path, &[("Authorization", &bearer())], body.as_bytes())
            .status
    };
    assert_eq!((send("/hooks/lan"), send("/hooks/hub")), (202, 404));
    configure(&world, "  hub: {secret: 'env:HOOK_SECRET'}\n");
    watch.running.signal(Signal::HUP);
    watch.running.stderr_has("read the config file");
    assert_eq!((send("/hooks/lan"), send("/hooks/hub")), (404, 202));
}
