//! The status page in a real browser.

use rustix::process::Signal;

use crate::{
    page::Page,
    support::{Browser, Gate, Registry, World},
};

/// A script that finds accessibility problems of a page.
const ACCESSIBLE: &str = include_str!("../data/accessible.js");

/// Set in a loaded page; lost if the page is loaded again.
const MARK: &str = "window.isStillTheSame = true";

/// A machine with buildah and a registry with `base:1`; `svc` is built on it, and `web` on `svc`.
fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    world.tracked_task(&registry, "svc", &from(&registry, "base:1"));
    world.tracked_task(&registry, "web", &from(&registry, "svc:latest"));
    (world, registry)
}

fn from(registry: &Registry, image: &str) -> String {
    format!("FROM {}\n", registry.image(image))
}

/// Stops a loop.
fn stop(page: Page) {
    page.running.signal(Signal::TERM);
    page.running.wait().exits(143);
}

fn task_page(url: &str, registry: &Registry, name: &str) -> String {
    let host = registry.host().replace(':', "%3A");
    format!("{url}/task?registry={host}&name={name}")
}

#[test]
fn page_lists_tasks_links_to_details_and_is_accessible() {
    let (world, registry) = world();
    world.task(&registry, "new", &from(&registry, "base:1"));
    let Some(browser) = Browser::open(&world) else {
        return;
    };
    let page = Page::serve(&world);
    let url = &page.url;

    browser.visit(url);
    browser.shows("main", "3 tasks");
    for name in ["svc", "web", "new"] {
        browser.shows("#tasks tbody", name);
    }
    browser.enter("input[type=search]", "web");
    browser.shows("#tasks", "1 task found");
    browser.click("#tasks tbody a");
    browser.shows("h1", "web");
    browser.shows("#bases", "svc:latest");
    browser.click("#runs tbody a");
    browser.shows("h1", "Run ca2 of web");
    browser.shows("ol.log", "Successfully tagged");
    browser.click("#run a[href^='/bases']");
    browser.shows("h1", "svc:latest");
    browser.click("nav a[href='/graph']");
    browser.shows("svg", "web");
    browser.click("svg a");
    browser.shows("h1", "base:1");
    assert!(browser.url().contains("/bases?image="), "{}", browser.url());

    let pages = [
        ("list", url.clone()),
        ("task", task_page(url, &registry, "web")),
        ("run", format!("{url}/runs/ca1")),
        ("graph", format!("{url}/graph")),
        ("bases", format!("{url}/bases")),
        (
            "base",
            format!("{url}/bases?image={}", registry.image("base:1")),
        ),
        ("runs", format!("{url}/runs")),
        ("timeline", format!("{url}/timeline")),
        ("nothing", format!("{url}/nothing")),
    ];
    for (device, width, height) in [("desktop", 1280, 800), ("phone", 390, 844)] {
        browser.resize(width, height);
        for scheme in ["light", "dark"] {
            browser.prefer("prefers-color-scheme", scheme);
            for (name, address) in &pages {
                browser.visit(address);
                let problems = browser.script(ACCESSIBLE);
                let where_ = format!("{name} on a {device} in {scheme}: {problems:#}");
                assert_eq!(problems.as_array().unwrap().len(), 0, "{where_}");
                browser.keep_picture(&format!("{name}-{device}-{scheme}"));
                // A missing page is reported when it is loaded, and when it would become live, perhaps late.
                let mut complaints = browser.complaints();
                complaints.retain(|it| !it.contains("/nothing - Failed to load resource"));
                assert_eq!(complaints, Vec::<String>::new(), "{where_}");
            }
        }
    }
    browser.prefer("prefers-reduced-motion", "reduce");
    browser.visit(&format!("{url}/graph"));
    assert_eq!(browser.script("return document.getAnimations().length"), 0);
    page.running.ends_within_grace();
}

#[test]
fn keyboard_focus_follows_the_reading_order_of_the_page() {
    let (world, registry) = world();
    let Some(browser) = Browser::open(&world) else {
        return;
    };
    let page = Page::serve(&world);
    let url = &page.url;
    browser.visit(url);
    let first: Vec<String> = (0..6).map(|_| browser.tab()).collect();
    assert_eq!(
        first,
        [
            "Skip to the content",
            "Tasks",
            "Graph",
            "Bases",
            "Runs",
            "Timeline"
        ]
    );
    let rest: Vec<String> = (0..18).map(|_| browser.tab()).collect();
    let place = |text: &str| {
        let found = rest.iter().position(|it| it.contains(text));
        found.unwrap_or_else(|| panic!("no `{text}` in {rest:?}"))
    };
    let order = [
        "current", "stale", "failing", "unknown", "idle", "Filter", "svc", "web",
    ];
    let places: Vec<usize> = order.iter().map(|text| place(text)).collect();
    assert!(places.is_sorted(), "{rest:?}");
    // The skip link works.
    browser.visit(url);
    browser.tab();
    browser.press_enter();
    assert_eq!(browser.script("return document.activeElement.id"), "main");
    // The focus is visible.
    browser.tab();
    let outline = browser.script("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid");
    browser.visit(&task_page(url, &registry, "web"));
    page.running.ends_within_grace();
}

#[test]
fn page_shows_a_moved_base_and_its_rebuild_without_a_reload() {
    let (world, registry) = world();
    let Some(browser) = Browser::open(&world) else {
        return;
    };
    world.config("watch: {everySeconds: 1}\n");
    let page = Page::watch(&world);
    let url = &page.url;
    browser.visit(url);
    browser.shows("#tasks", "ca2");
    browser.script(MARK);
    registry.push_shell("base:1", &[("version", "two")]);
    // Both are rebuilt, the child after its parent.
    browser.shows("#tasks", "ca4");
    assert_eq!(browser.script("return window.isStillTheSame"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    stop(page);
}

#[test]
fn page_appends_to_the_log_of_a_run_and_highlights_the_path_of_a_moved_base() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let gate = Gate::new();
    let dockerfile = format!(
        "{}RUN echo before the gate && {} && echo behind it\n",
        from(&registry, "base:1"),
        gate.wait_command()
    );
    world.task(&registry, "web", &dockerfile);
    let first = world.spawn(&["task", "run", "--name", "web"]);
    gate.arrival().go_on();
    first.wait().ok();
    let Some(browser) = Browser::open(&world) else {
        return;
    };
    world.config("watch: {everySeconds: 1}\n");
    let page = Page::watch(&world);
    let url = &page.url;
    registry.push_shell("base:1", &[("version", "two")]);
    let arrived = gate.arrival();
    browser.visit(&format!("{url}/graph"));
    assert_eq!(
        browser.script("return document.querySelectorAll('path.lit').length"),
        1
    );
    browser.keep_picture("graph-moved");
    browser.visit(&format!("{url}/runs/ca2"));
    browser.script(MARK);
    browser.shows("ol.log", "before the gate");
    browser.shows("#run", "Running");
    arrived.go_on();
    browser.shows("ol.log", "Run ID: ca2 was successful");
    browser.shows("#run", "Succeeded");
    assert_eq!(browser.script("return window.isStillTheSame"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    stop(page);
}

#[test]
fn hostile_content_is_not_executed_by_the_page() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_shell("base:1", &[("version", "one")]);
    let hostile = "<img src=x onerror=window.isHacked=1><script>window.isHacked=1</script>";
    let dockerfile = format!(
        "{}LABEL a=\"{hostile}\"\nRUN printf '\\033[31m{hostile}\\033[0m\\n'; exit 7\n",
        from(&registry, "base:1")
    );
    world.task_with(
        &registry,
        "web",
        &dockerfile,
        &["--arg", &format!("A={hostile}")],
    );
    world.run("web").exits(1);
    let Some(browser) = Browser::open(&world) else {
        return;
    };
    let page = Page::serve(&world);
    let url = &page.url;
    let all = [
        url.clone(),
        format!("{url}/runs/ca1"),
        format!("{url}/runs"),
        task_page(url, &registry, "web"),
        format!(
            "{url}/?q={}",
            "%3Cimg%20src%3Dx%20onerror%3Dwindow.isHacked%3D1%3E"
        ),
        format!("{url}/timeline"),
    ];
    for address in all {
        browser.visit(&address);
        assert_eq!(
            browser.script("return window.isHacked ?? 'safe'"),
            "safe",
            "{address}"
        );
        assert_eq!(
            browser.script("return document.images.length"),
            0,
            "{address}"
        );
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{address}");
    }
    browser.visit(&format!("{url}/runs/ca1"));
    browser.shows("ol.log", hostile);
    browser.visit(&task_page(url, &registry, "web"));
    browser.shows("pre", "onerror=window.isHacked");
    page.running.ends_within_grace();
}

#[test]
fn page_without_scripts_shows_the_same_content() {
    let (world, registry) = world();
    let Some(browser) = Browser::open(&world) else {
        return;
    };
    let page = Page::serve(&world);
    let url = &page.url;
    browser.without_scripts();
    browser.visit(url);
    for name in ["svc", "web"] {
        assert!(browser.text("#tasks").contains(name));
    }
    browser.click("#tasks tbody a");
    assert_eq!(browser.text("h1"), "svc");
    assert!(browser.text("#bases").contains(&registry.image("base:1")));
    page.running.ends_within_grace();
}
