//! The status page over HTTP: its content, its access control, and its independence from the loop.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{Gate, PATIENCE, Registry, Running, World, eventually};

const TOKEN: &str = "page-canary-0123456789";

/// A running page of some command.
pub struct Page {
    pub running: Running,
    pub url: String,
}

/// The response of a server.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        headers
            .find(|(it, _)| it == name)
            .map_or("", |(_, value)| value)
    }

    #[track_caller]
    fn has(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.body.contains(text), "no `{text}` in {}", self.body);
        }
        self
    }

    #[track_caller]
    fn lacks(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.body.contains(text), "`{text}` is in {}", self.body);
        }
        self
    }
}

impl Page {
    /// Serves a state directory.
    pub fn serve(world: &World) -> Self {
        Self::at(
            world.spawn(&["status", "--serve", "127.0.0.1:0"]),
            "the page is at ",
        )
    }

    /// Serves the page of a loop.
    pub fn watch(world: &World) -> Self {
        let args = [
            "task",
            "watch",
            "--settle",
            "0",
            "--listen",
            "127.0.0.1:0",
            "--page",
        ];
        Self::at(world.spawn(&args), "listening on ")
    }

    fn at(running: Running, words: &str) -> Self {
        let url = running.stderr_after(words);
        Self { running, url }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0);
        let agent: ureq::Agent = config.build().into();
        let answer = match body {
            "" => agent.run(request.body(()).unwrap()),
            body => agent.run(request.body(body.to_owned()).unwrap()),
        };
        let mut answer = answer.unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers: answer
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: answer.body_mut().read_to_string().unwrap(),
        }
    }

    /// Opens an event stream, and reads its head.
    fn events(&self, query: &str) -> Events {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut events = Events(BufReader::new(stream));
        let head = format!("GET /events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        events.0.get_mut().write_all(head.as_bytes()).unwrap();
        assert_eq!(events.line(), "HTTP/1.1 200 OK");
        events.until("retry: 2000");
        events
    }

    /// Returns the peak memory, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.running.pid()));
        let status = status.unwrap();
        let size = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap()
                .trim()
                .trim_end_matches(" kB")
                .parse()
                .unwrap()
        };
        size("VmHWM:") - size("RssFile:")
    }
}

/// An open event stream.
struct Events(BufReader<TcpStream>);

impl Events {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads up to a line that starts with this.
    fn until(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let line = self.line();
            if line.starts_with(text) {
                return line;
            }
            assert!(begun.elapsed() < PATIENCE, "no `{text}`");
        }
    }
}

/// A machine with buildah and a registry with `base:1`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    (world, registry)
}

fn from(registry: &Registry) -> String {
    format!("FROM {}\n", registry.image("base:1"))
}

#[test]
fn pages_are_rendered_from_the_state_directory_alone_and_change_nothing() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry));
    world.task(&registry, "new", &from(&registry));
    world.run("web").ok();
    let (host, base) = (registry.host(), registry.image("base:1"));
    registry.stop();
    let before = world.state_files();
    let page = Page::serve(&world);

    let list = page.get("/");
    list.has(&[
        "<h1>Tasks</h1>",
        ">web<",
        "current",
        "never-run",
        &host,
        "/runs/ca2",
    ]);
    page.get("/?state=current")
        .has(&["1 task found"])
        .lacks(&[">new<"]);
    let task = format!("/task?registry={}&name=web", host.replace(':', "%3A"));
    let task = page.get(&task);
    task.has(&[
        "<h1>web</h1>",
        &base,
        "current",
        "contextPath",
        "/runs/ca1",
        "/runs/ca2",
    ]);
    page.get("/runs/ca1")
        .has(&["Succeeded", "id=\"L1\"", "href=\"#L1\"", "Run ID: ca1"]);
    page.get("/runs").has(&["/runs/ca1", "/runs/ca2"]);
    page.get(&format!("/bases?image={base}"))
        .has(&["sha256:", ">web<"]);
    page.get("/bases").has(&[&base]);
    page.get("/graph")
        .has(&["<svg", "rebuilds 1 image", "current"]);
    page.get("/timeline")
        .has(&["2 rebuilt", "class=\"rebuilt\""]);
    assert!(page.get("/runs/ca1/log").body.contains("Run ID: ca1"));

    for path in [
        "/",
        "/graph",
        "/runs/ca1",
        "/status.json",
        "/runs/ca1/log",
        "/page.css",
        "/page.js",
    ] {
        let first = page.get(path);
        assert_eq!(first.status, 200, "{path}");
        assert!(
            first
                .header("content-security-policy")
                .starts_with("default-src 'self';")
        );
        assert!(
            first
                .header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
        assert_eq!(first.header("x-content-type-options"), "nosniff");
        assert_eq!(first.header("referrer-policy"), "no-referrer");
        // Neither scripts nor styles are inline.
        if path != "/page.js" {
            first.lacks(&["<style", " style=", "onload=", "javascript:"]);
        }
        let tag = first.header("etag").to_owned();
        let again = page.send("GET", path, &[("If-None-Match", &tag)], "");
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    for path in [
        "/nothing",
        "/runs/ca99",
        "/runs/ca99/log",
        "/task?registry=x&name=web",
        "/hooks",
        "/metrics",
    ] {
        assert_eq!(page.get(path).status, 404, "{path}");
    }
    assert_eq!(page.send("POST", "/", &[], "x").status, 405);
    assert_eq!(page.send("POST", "/hooks/lan/", &[], "x").status, 404);
    assert_eq!(page.get("/healthz").body, "ok\n");
    assert_eq!(world.state_files(), before, "it only reads");

    // What was known earlier is not known now.
    let (tasks, away) = (world.state().join("tasks"), world.path("away"));
    fs::rename(&tasks, &away).unwrap();
    fs::write(&tasks, "").unwrap();
    eventually("no answer for programs", || {
        (page.get("/status.json").status == 503).then_some(())
    });
    page.get("/").has(&[">web<", "cannot read the folder"]);
    page.get("/runs").has(&["/runs/ca1"]);
    fs::remove_file(&tasks).unwrap();
    fs::rename(&away, &tasks).unwrap();
    let answers_again = || {
        eventually("an answer again", || {
            (page.get("/status.json").status == 200).then_some(())
        });
    };
    answers_again();
    // As of a disk that is not mounted: an empty state directory, and none.
    for name in ["state", "state/tasks"] {
        let there = world.path(name);
        fs::rename(&there, &away).unwrap();
        eventually("no answer for programs", || {
            (page.get("/status.json").status == 503).then_some(())
        });
        page.get("/").has(&[">web<", "is gone"]);
        fs::rename(&away, &there).unwrap();
        answers_again();
    }
    page.running.ends_within_grace();
}

#[test]
fn page_on_loopback_refuses_foreign_host_names() {
    let world = World::new();
    let page = Page::serve(&world);
    let by = |host: &str| page.send("GET", "/", &[("Host", host)], "").status;
    assert_eq!(by("localhost:8585"), 200);
    for path in ["/", "/status.json", "/events", "/runs/ca1/log"] {
        let answer = page.send("GET", path, &[("Host", "rebound.example")], "");
        assert_eq!(answer.status, 421, "{path}");
        answer.lacks(&["acrt</title>"]);
    }
}

#[test]
fn page_off_loopback_requires_a_token_or_proxy_and_sets_a_cookie() {
    let (world, registry) = world();
    world.task(&registry, "covert", &from(&registry));
    let serve = ["status", "--serve", "0.0.0.0:0"];
    world
        .acrt(&serve)
        .exits(2)
        .says(&["names tasks and images", "page.token"]);
    world.config("page: {token: 'env:PAGE_TOKEN'}\n");
    world.set("PAGE_TOKEN", "short");
    world
        .acrt(&serve)
        .exits(2)
        .says(&["shorter than 16 characters"]);
    world.set("PAGE_TOKEN", TOKEN);
    let page = Page::serve(&world);

    for path in ["/", "/runs", "/graph"] {
        let answer = page.get(path);
        assert_eq!(answer.status, 401);
        answer
            .has(&["name=\"token\"", "name=\"next\""])
            .lacks(&["covert", TOKEN]);
    }
    for path in ["/status.json", "/events"] {
        let answer = page.get(path);
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, "Bearer")
        );
    }
    assert_eq!(page.get("/page.css").status, 200);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let wrong = page.send("POST", "/login", &form, "token=wrong&next=%2Fruns");
    assert_eq!(wrong.status, 401);
    wrong.has(&["This is not the token", "value=\"/runs\""]);
    let right = format!("token={TOKEN}&next=%2Fruns");
    let right = page.send("POST", "/login", &form, &right);
    assert_eq!((right.status, right.header("location")), (303, "/runs"));
    let elsewhere = format!("token={TOKEN}&next=%2F%2Fevil.example");
    let elsewhere = page.send("POST", "/login", &form, &elsewhere);
    assert_eq!(elsewhere.header("location"), "/");
    let cookie = right.header("set-cookie").to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN), "{cookie}");
    let value = cookie.split(';').next().unwrap();
    let seen = page.send("GET", "/", &[("Cookie", value)], "");
    assert_eq!(seen.status, 200);
    seen.has(&["covert"]).lacks(&[TOKEN]);
    // The form is not shown to someone who needs none.
    for (path, to) in [
        ("/login", "/"),
        ("/login?next=%2Fruns", "/runs"),
        ("/login?next=https%3A%2F%2Fevil.example", "/"),
    ] {
        let form = page.send("GET", path, &[("Cookie", value)], "");
        assert_eq!((form.status, form.header("location")), (303, to));
    }
    let bearer = format!("Bearer {TOKEN}");
    let json = page.send("GET", "/status.json", &[("Authorization", &bearer)], "");
    assert_eq!(json.status, 200);
    json.has(&["covert"]);

    for _ in 0..9 {
        page.send("POST", "/login", &form, "token=wrong");
    }
    let slow = page.send("POST", "/login", &form, &format!("token={TOKEN}"));
    assert_eq!(slow.status, 429);
    slow.has(&["Too many wrong tokens"]);
    // A user who is logged in stays logged in.
    assert_eq!(page.send("GET", "/", &[("Cookie", value)], "").status, 200);

    world.config("page: {trustProxy: [192.0.2.1]}\n");
    let behind = Page::at(world.spawn(&serve), "the page is at ");
    let past = TcpStream::connect(("127.0.0.1", port(&behind))).unwrap();
    // This machine itself is treated as on loopback.
    let answer = asked(past, "/");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn port(page: &Page) -> u16 {
    page.address().rsplit_once(':').unwrap().1.parse().unwrap()
}

fn asked(mut stream: TcpStream, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn hostile_names_and_log_lines_are_escaped() {
    let (world, registry) = world();
    let hostile = "<script>alert(1)</script>";
    world.task(
        &registry,
        "web",
        &format!(
            "{}LABEL a=\"{hostile}\"\nRUN printf '\\033[31m{hostile}\\033[0m \\033]0;title\\007 \"><img src=x onerror=alert(1)>\\n'; sleep 0.3; exit 7\n",
            from(&registry)
        ),
    );
    world.run("web").exits(1);
    let page = Page::serve(&world);
    let host = registry.host().replace(':', "%3A");
    for path in [
        "/runs/ca1",
        "/runs",
        "/",
        "/?q=%3Cscript%3E&base=%22%3E%3Cscript%3E&state=%22%3E%3Cscript%3E&registry=%3Cscript%3E",
        &format!("/task?registry={host}&name=web"),
        "/timeline",
        "/graph",
        "/bases?image=%3Cscript%3E",
        "/%3Cscript%3E",
    ] {
        let shown = page.get(path);
        assert_eq!(
            shown.body.matches("<script").count(),
            1,
            "{path}: {}",
            shown.body
        );
        shown.lacks(&["<img", "\u{1b}", "\u{7}"]);
    }
    let run = page.get("/runs/ca1");
    run.has(&[
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<span class=\"f1\">&lt;script&gt;",
    ]);
    let raw = page.get("/runs/ca1/log");
    assert_eq!(raw.header("content-type"), "text/plain; charset=utf-8");
    raw.has(&[hostile]);
}

#[test]
fn open_page_receives_base_moves_and_log_lines_while_the_run_continues() {
    let (world, registry) = world();
    world.config("watch: {everySeconds: 1}\n");
    let gate = Gate::new();
    let dockerfile = format!(
        "{}RUN echo before the gate && {} && echo behind it\n",
        from(&registry),
        gate.wait_command()
    );
    world.task(&registry, "web", &dockerfile);
    let first = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    first.wait().ok();
    let page = Page::watch(&world);
    eventually("the list", || {
        page.get("/").body.contains("current").then_some(())
    });
    let mut events = page.events("");
    registry.push_shell("base:1", &[("version", "two")]);
    let arrived = gate.arrival();
    events.until("event: change");
    let run = eventually("the run", || {
        let run = page.get("/runs/ca2");
        run.body.contains("before the gate").then_some(run)
    });
    run.has(&["Running", "data-run=\"ca2\"", "→"])
        .lacks(&[">behind it</li>"]);
    page.get("/graph")
        .has(&["class=\"lit\"", "moved, rebuilds 1 image"]);
    let after = run.body.split_once("data-after=\"").unwrap().1;
    let after = after.split_once('"').unwrap().0;
    let mut log = page.events(&format!("?run=ca2&after={after}"));
    arrived.go_on();
    log.until("event: log");
    let line: usize = after.split_once('.').unwrap().0.parse().unwrap();
    let next = log.until(&format!("data: <li id=\"L{}\">", line + 1));
    assert!(!next.is_empty());
    log.until("event: change");
    eventually("the end", || {
        page.get("/runs/ca2")
            .body
            .contains("Succeeded")
            .then_some(())
    });
    page.get("/runs/ca2")
        .has(&[">behind it</li>"])
        .lacks(&["data-run"]);
    page.running.signal(Signal::TERM);
    page.running.wait().exits(143);
}

#[test]
fn two_hundred_open_pages_and_slow_readers_delay_no_round() {
    let (world, registry) = world();
    world.config("watch: {everySeconds: 3600}\nlisten: {lan: {}}\n");
    world.tracked_task(&registry, "web", &from(&registry));
    let page = Page::watch(&world);
    eventually("the list", || {
        page.get("/").body.contains("current").then_some(())
    });
    registry.notify(&format!("{}/hooks/lan", page.url), ("X-Nothing", "1"));
    let rebuild = |version: &str, run: &str| {
        let begun = Instant::now();
        registry.push_shell("base:1", &[("version", version)]);
        eventually("the run", || {
            let shown = page.get(&format!("/runs/{run}"));
            shown.body.contains("Succeeded").then_some(())
        });
        begun.elapsed()
    };
    let alone = rebuild("two", "ca2");
    let mut open: Vec<Events> = (0..200).map(|_| page.events("")).collect();
    // These request much and read nothing.
    let slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(page.address()).unwrap();
            let ask = "GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(90);
            stream.write_all(ask.as_bytes()).unwrap();
            stream
        })
        .collect();
    let before = page.peak();
    let took = rebuild("three", "ca3");
    for events in &mut open {
        events.until("event: change");
    }
    eprintln!(
        "push to rebuilt: {} ms alone, {} ms with 200 open pages; {} MiB, of which {} before",
        alone.as_millis(),
        took.as_millis(),
        page.peak() / 1024,
        before / 1024
    );
    assert!(
        took < 2 * alone + Duration::from_secs(10),
        "{took:?}, alone {alone:?}"
    );
    assert!(page.peak() < 150 * 1024, "{} KiB", page.peak());
    // A few more fit, and then no more.
    let mut more = Vec::new();
    let refused = (0..100).any(|_| {
        let mut stream = TcpStream::connect(page.address()).unwrap();
        stream
            .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        more.push(reader);
        line.contains("503")
    });
    assert!(refused);
    assert_eq!(page.get("/").status, 200);
    drop((open, slow, more));
}

#[test]
fn large_log_is_served_in_parts_with_little_memory() {
    let (world, registry) = world();
    world.tracked_task(&registry, "web", &from(&registry));
    let log = world.state().join("runs/ca1/log");
    let line = format!("{}\n", "x".repeat(999));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&log).unwrap());
    for _ in 0..200_000 {
        file.write_all(line.as_bytes()).unwrap();
    }
    file.write_all(b"the very end\n").unwrap();
    file.flush().unwrap();
    let page = Page::serve(&world);
    let end = page.get("/runs/ca1");
    end.has(&["id=\"L200001\"", "the very end", "of 200001"])
        .lacks(&["id=\"L1\""]);
    let middle = page.get("/runs/ca1?from=100000");
    middle
        .has(&["id=\"L100000\"", "id=\"L100040\""])
        .lacks(&["the very end", "id=\"L99999\""]);
    assert!(end.body.len() < 90_000, "{}", end.body.len());
    // A client that requests all of it and does not read it delays no other.
    let mut slow = TcpStream::connect(page.address()).unwrap();
    slow.write_all(b"GET /runs/ca1/log HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    for _ in 0..5 {
        assert_eq!(page.get("/").status, 200);
    }
    let whole = page.send("HEAD", "/runs/ca1/log", &[], "");
    assert_eq!(whole.status, 200);
    eprintln!("memory with a log of 200 MB: {} MiB", page.peak() / 1024);
    assert!(page.peak() < 100 * 1024, "{} KiB", page.peak());
}

#[test]
fn page_of_a_run_shows_its_steps_side_by_side() {
    let (world, registry) = world();
    let image = registry.image("base:1");
    let file = format!(
        "version: v1.1.0\nsteps:\n- id: one\n  cmd: {image} /bin/sh -c 'echo first'\n- id: two\n  cmd: {image} /bin/sh -c 'echo second'\n"
    );
    let folder = world.context("steps", "");
    world.write("steps/acb.yaml", &file);
    let host = registry.host();
    let create = [
        "task", "create", "-n", "steps", "-r", &host, "-c", &folder, "-f", "acb.yaml",
    ];
    world.acrt(&create).ok();
    world.run("steps").ok();
    let page = Page::serve(&world);
    page.get("/runs/ca1").has(&["Steps side by side", "one | "]);
    let steps = page.get("/runs/ca1?view=steps");
    steps
        .has(&["<h3>one</h3>", "<h3>two</h3>", "In the order of time"])
        .lacks(&["one | "]);
}

#[test]
fn notification_links_to_the_page_of_its_run() {
    let (world, registry) = world();
    let note = world.path("note");
    let notify = format!(
        "watch: {{everySeconds: 1}}\nnotify: [{{name: note, command: [/usr/bin/tee, '{}'], body: '{{{{ .Url }}}}', on: [success]}}]\n",
        note.display()
    );
    world.config(&notify);
    world.tracked_task(&registry, "web", &from(&registry));
    let page = Page::watch(&world);
    eventually("the list", || {
        page.get("/").body.contains("current").then_some(())
    });
    registry.push_shell("base:1", &[("version", "two")]);
    page.running.stdout_has("web: rebuilt");
    let expected = format!("{}/runs/ca2", page.url);
    eventually("the note", || {
        let text = std::fs::read_to_string(&note).ok()?;
        (text == expected).then_some(())
    });
}
