//! `acrt purge`: what is removed, what is kept, and what is reported.

use serde_json::json;

use crate::support::{Gateway, Image, Registry, World};

const NOW: &str = "2026-06-10T12:00:00Z";

/// A unique image that was created on a day of June 2026.
fn made(day: u32, text: &str) -> Image {
    Image::of(&[("text", text)]).created(&format!("2026-06-{day:02}T00:00:00Z"))
}

fn world() -> World {
    let world = World::new();
    world.set("ACRT_NOW", NOW);
    world
}

/// Pushes `web:1`, `web:2` … created on these days.
fn web(registry: &Registry, days: &[u32]) {
    for (n, day) in days.iter().enumerate() {
        let name = format!("web:{}", n + 1);
        registry.push_image(&name, &made(*day, &name));
    }
}

fn purge(world: &World, registry: &str, options: &[&str]) -> crate::support::Output {
    world.acrt(&[&["purge", "-r", registry], options].concat())
}

/// Tells whether the registry has a manifest.
fn has(registry: &Registry, repository: &str, digest: &str) -> bool {
    registry.digest(&format!("{repository}@{digest}")).is_some()
}

#[test]
fn purge_deletes_old_tags_and_prints_the_lines_of_acr_cli() {
    let (world, registry) = (world(), Registry::start());
    web(&registry, &[1, 2, 9]);
    registry.push_image("other:1", &made(1, "other"));
    let host = registry.host();
    let old = registry.digest("web:1").unwrap();
    let options = ["--filter", "web:.*", "--ago", "7d", "--concurrency", "1"];
    let dry = purge(&world, &host, &[&options[..], &["--dry-run"]].concat()).ok();
    assert_eq!(
        dry.stdout,
        format!(
            "DRY RUN: The following output shows what WOULD be deleted if the purge command was executed. Nothing is deleted.\n\
             Would delete tags for repository: web\n\
             Would delete: {host}/web:2\nWould delete: {host}/web:1\n\
             \nNumber of tags to be deleted: 2\nNumber of manifests to be deleted: 0\n"
        )
    );
    assert_eq!(registry.tags("web"), ["1", "2", "3"]);
    let json = [&options[..], &["--dry-run", "-o", "json"]].concat();
    let dry = purge(&world, &host, &json).ok().says(&["Would delete: "]);
    assert_eq!(dry.json(), json!({"tags": 2, "manifests": 0}));
    let query = [&options[..], &["--dry-run", "--query", "tags"]].concat();
    assert_eq!(purge(&world, &host, &query).ok().stdout.trim(), "2");
    let purged = purge(&world, &host, &options).ok();
    assert_eq!(
        purged.stdout,
        format!(
            "Deleting tags for repository: web\nDeleted {host}/web:2\nDeleted {host}/web:1\n\
             \nNumber of deleted tags: 2\nNumber of deleted manifests: 0\n"
        )
    );
    assert_eq!(registry.tags("web"), ["3"]);
    assert_eq!(registry.tags("other"), ["1"]);
    // Without --untagged the manifest is kept, and so are its other tags.
    assert!(has(&registry, "web", &old));
}

#[test]
fn purge_of_a_tag_keeps_other_tags_of_the_same_image_pullable() {
    let (world, registry) = (world(), Registry::start());
    let digest = registry.push_image("web:old-1", &made(1, "one"));
    registry.retag("web:stable", &digest);
    let options = ["--filter", "web:^old-", "--ago", "7d", "--untagged"];
    purge(&world, &registry.host(), &options).ok().prints(&[
        "Number of deleted tags: 1",
        "Number of deleted manifests: 0",
    ]);
    assert_eq!(registry.tags("web"), ["stable"]);
    assert_eq!(registry.digest("web:stable"), Some(digest.clone()));
    assert_eq!(registry.file("web:stable", "text").as_deref(), Some("one"));
}

#[test]
fn purge_untagged_deletes_manifests_but_keeps_those_of_a_kept_index() {
    let (world, registry) = (world(), Registry::start());
    let shared = made(1, "shared").platform("linux/amd64");
    let parts = |text: &str| [shared.clone(), made(1, text).platform("linux/arm64")];
    let old = registry.push_index("web:1", &parts("old"));
    let kept = [shared.clone(), made(9, "new").platform("linux/arm64")];
    registry.push_index("web:latest", &kept);
    let child = |image: &Image| image.parts().manifest.digest;
    let own = child(&parts("old")[1]);
    let options = ["--filter", "web:^\\d+$", "--ago", "7d", "--untagged"];
    purge(&world, &registry.host(), &options)
        .ok()
        .prints(&["Deleting manifests for repository: web"])
        .prints(&["Number of deleted tags: 1\nNumber of deleted manifests: 2"]);
    assert!(!has(&registry, "web", &old) && !has(&registry, "web", &own));
    assert!(has(&registry, "web", &child(&shared)));
    assert_eq!(
        registry.platforms("web:latest"),
        ["linux/amd64", "linux/arm64"]
    );
    // A second purge has nothing left to do.
    purge(&world, &registry.host(), &options)
        .ok()
        .prints(&["Number of deleted tags: 0\nNumber of deleted manifests: 0"]);
}

#[test]
fn purge_keep_retains_the_newest_matching_tags_and_ago_0_deletes_all() {
    let (world, registry) = (world(), Registry::start());
    web(&registry, &[1, 2, 3, 9]);
    let host = registry.host();
    purge(
        &world,
        &host,
        &["--filter", "web:.*", "--ago", "7d", "--keep", "2"],
    )
    .ok();
    assert_eq!(registry.tags("web"), ["2", "3", "4"]);
    let all = ["--filter", "web:.*", "--ago", "0d", "--untagged"];
    purge(&world, &host, &all).ok();
    assert_eq!(registry.tags("web"), [""; 0]);
}

#[test]
fn purge_keeps_and_reports_tags_without_an_age() {
    let (world, registry) = (world(), Registry::start());
    registry.push_image("web:none", &Image::of(&[("a", "1")]));
    registry.push_image(
        "web:epoch",
        &Image::of(&[("a", "2")]).created("1970-01-01T00:00:00Z"),
    );
    purge(
        &world,
        &registry.host(),
        &["--filter", "web:.*", "--ago", "1d"],
    )
    .ok()
    .says(&["web:epoch", "web:none", "nothing tells how old it is"]);
    assert_eq!(registry.tags("web"), ["epoch", "none"]);
}

#[test]
fn purge_keeps_or_deletes_a_signature_with_its_image() {
    let (world, registry) = (world(), Registry::start());
    let beside = |digest: &str| format!("web:{}.sig", digest.replace(':', "-"));
    let kept = registry.push_image("web:latest", &made(9, "kept"));
    let old = registry.push_image("web:1", &made(1, "old"));
    registry.push_image(&beside(&kept), &made(1, "signature of kept"));
    let gone = registry.push_image(&beside(&old), &made(1, "signature of old"));
    let options = ["--filter", "web:.*", "--ago", "7d", "--untagged"];
    purge(&world, &registry.host(), &options).ok();
    let signature = beside(&kept).split_once(':').unwrap().1.to_owned();
    assert_eq!(registry.tags("web"), ["latest".to_owned(), signature]);
    assert!(!has(&registry, "web", &gone));
}

#[test]
fn purge_keeps_and_reports_bases_and_last_outputs_of_tasks() {
    let (world, registry) = (world(), Registry::start());
    world.buildah();
    let base = registry.push_image("base:1", &made(1, "base").platform("linux/amd64"));
    world.set("ACRT_NOW", "2026-06-01T12:00:00Z");
    world.tracked_task(
        &registry,
        "web",
        &format!("FROM {}\n", registry.image("base:1")),
    );
    let pushed = registry.digest("web:latest").unwrap();
    world.set("ACRT_NOW", NOW);
    let options = ["--filter", ".*:.*", "--ago", "1d", "--untagged"];
    purge(&world, &registry.host(), &options).ok().says(&[
        "base:1",
        "is built on it",
        "web:latest",
        "has pushed last",
    ]);
    assert!(has(&registry, "base", &base) && has(&registry, "web", &pushed));
    assert_eq!(registry.tags("base"), ["1"]);
}

#[test]
fn purge_keeps_the_base_and_the_last_output_of_a_task_that_was_changed_since() {
    let (world, registry) = (world(), Registry::start());
    world.buildah();
    let base = registry.push_image("base:1", &made(1, "base").platform("linux/amd64"));
    registry.push_image("next:1", &made(1, "next").platform("linux/amd64"));
    world.set("ACRT_NOW", "2026-06-01T12:00:00Z");
    let from = |name| format!("FROM {}\n", registry.image(name));
    world.tracked_task(&registry, "web", &from("base:1"));
    let pushed = registry.digest("web:latest").unwrap();
    world.set("ACRT_NOW", NOW);
    world.context("web", &from("next:1"));
    let update = ["task", "update", "--name", "web", "--arg", "unused=1"];
    world.acrt(&update).ok();
    let options = ["--filter", ".*:.*", "--ago", "1d", "--untagged"];
    purge(&world, &registry.host(), &options).ok().says(&[
        "base:1",
        "next:1",
        "names it",
        "web:latest",
    ]);
    assert!(has(&registry, "base", &base) && has(&registry, "web", &pushed));
    assert_eq!(registry.tags("next"), ["1"]);
}

#[test]
fn purge_reports_once_that_the_registry_refuses_deletion_and_sends_no_writes() {
    let (world, registry) = (world(), Registry::without_delete());
    web(&registry, &[1, 2, 3]);
    let digest = registry.digest("web:1");
    let options = ["--filter", "web:.*", "--ago", "1d", "--untagged"];
    let refused = purge(&world, &registry.host(), &options).exits(1);
    let said = refused.stderr.matches("does not delete tags or manifests");
    assert_eq!(said.count(), 1, "{refused}");
    assert!(
        refused.stderr.contains("delete: {enabled: true}"),
        "{refused}"
    );
    assert_eq!(registry.tags("web"), ["1", "2", "3"]);
    assert_eq!(registry.digest("web:1"), digest);
    let requests = registry.requests();
    assert!(
        requests
            .iter()
            .all(|it| it.method != "PUT" && it.method != "POST")
    );
    assert_eq!(
        requests.iter().filter(|it| it.method == "DELETE").count(),
        2
    );
}

#[test]
fn purge_skips_locked_tags_and_manifests_and_deletes_the_others() {
    let (world, registry) = (world(), Registry::start());
    let parts = ["linux/amd64", "linux/arm64"].map(|it| made(1, it).platform(it));
    let locked = registry.push_index("web:multi", &parts);
    for (tag, day) in [("1", 1), ("3", 3)] {
        registry.push_image(&format!("web:{tag}"), &made(day, tag));
    }
    let index = locked.clone();
    let gateway = Gateway::start(&registry, move |head| {
        let answer = "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 53\r\nConnection: close\r\n\r\n{\"errors\":[{\"code\":\"REGISTRY_DISALLOWED_OPERATION\"}]}";
        let which = head.strip_prefix("DELETE /v2/web/manifests/")?;
        let is_locked = which.starts_with("3 ") || which.starts_with(&index);
        is_locked.then_some(answer)
    });
    let host = gateway.host();
    let untag = ["repository", "untag", "-n", &host, "--image", "web:3"];
    let told = format!("`{host}/web:3` is locked");
    world.acrt(&untag).exits(1).says(&[&told]);
    let options = ["--filter", "web:.*", "--ago", "1d", "--untagged"];
    purge(&world, &host, &options).ok().prints(&[
        &format!("Skipped {host}/web:3, HTTP status: 405"),
        &format!("Skipped {host}/web@{locked}, HTTP status: 405"),
        "Number of deleted tags: 1",
        "Number of deleted manifests: 1",
    ]);
    assert_eq!(registry.tags("web"), ["3", "multi"]);
    assert_eq!(registry.platforms("web:multi").len(), 2);
    for part in parts {
        assert!(has(&registry, "web", &part.parts().manifest.digest));
    }
}

#[test]
fn purge_without_a_catalog_uses_repositories_of_tasks_runs_and_filters() {
    let (world, registry) = (world(), Registry::start());
    for name in ["web:1", "named:1", "unknown:1"] {
        registry.push_image(name, &made(1, name));
    }
    let gateway = Gateway::start(&registry, |head| {
        let closed = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        head.starts_with("GET /v2/_catalog").then_some(closed)
    });
    let host = gateway.host();
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        &host,
        "-t",
        "web:{{.Run.ID}}",
    ];
    let context = world.context("web", "FROM scratch\n");
    world.acrt(&[&create[..], &["-c", &context]].concat()).ok();
    let options = ["-f", "named:.*", "-f", ".*:.*", "--ago", "1d"];
    let purged = purge(&world, &host, &options).ok();
    let purged = purged.says(&["does not list its repositories"]);
    purged.prints(&[
        "Deleting tags for repository: named\n",
        "Deleting tags for repository: web\n",
        "Number of deleted tags: 2",
    ]);
    assert_eq!(registry.tags("unknown"), ["1"]);
    let named = purge(&world, &host, &["-f", "named:.*", "--ago", "1d"]).ok();
    assert!(!named.stderr.contains("does not list"), "{named}");
}

#[test]
fn refused_login_fails_purge_and_repository_list_and_one_for_less_does_not() {
    let (world, registry) = (world(), Registry::with_login());
    registry.push_image("web:1", &made(1, "web"));
    let host = registry.host();
    let wrong = registry
        .docker_config()
        .replace("\"auth\":\"", "\"auth\":\"eDp5");
    for logins in ["{}", &wrong] {
        world.write("home/.docker/config.json", logins);
        for filter in [".*:.*", "web:.*"] {
            let purged = purge(&world, &host, &["-f", filter, "--ago", "1d"]);
            purged.exits(4).says(&["login"]);
        }
        let list = world.acrt(&["repository", "list", "-n", &host]);
        list.exits(4).says(&["login"]);
    }
    let open = Registry::start();
    let gateway = Gateway::start(&open, |head| {
        let refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        head.starts_with("GET /v2/_catalog").then_some(refused)
    });
    let list = ["repository", "list", "-n", &gateway.host()];
    let listed = world.acrt(&list).ok().says(&["does not list"]);
    assert_eq!(listed.json(), json!([]));
}

#[test]
fn purge_follows_pagination_of_repositories_and_tags() {
    let (world, registry) = (world(), Registry::start());
    web(&registry, &[1, 2, 3]);
    fn page(body: &str, next: Option<&str>) -> &'static str {
        let link = next
            .map(|next| format!("Link: <{next}>; rel=\"next\"\r\n"))
            .unwrap_or_default();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{link}");
        let text = format!(
            "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        Box::leak(text.into_boxed_str())
    }
    let gateway = Gateway::start(&registry, |head| {
        let target = head.split(' ').nth(1)?;
        Some(match target {
            "/v2/_catalog?n=100" => page(
                r#"{"repositories":["a"]}"#,
                Some("/v2/_catalog?last=a&n=100"),
            ),
            "/v2/_catalog?last=a&n=100" => page(r#"{"repositories":["web"]}"#, None),
            "/v2/web/tags/list?n=100" => {
                page(r#"{"tags":["1"]}"#, Some("/v2/web/tags/list?last=1&n=100"))
            }
            "/v2/web/tags/list?last=1&n=100" => page(r#"{"tags":["2","3"]}"#, None),
            _ => return None,
        })
    });
    purge(
        &world,
        &gateway.host(),
        &["--filter", "web:.*", "--ago", "1d", "--dry-run"],
    )
    .ok()
    .prints(&["web:1\n", "web:2\n", "web:3\n", "to be deleted: 3"]);
}

#[test]
fn purge_deletes_referrers_with_their_image() {
    let (world, registry) = (world(), Registry::start());
    let old = registry.push_image("web:1", &made(1, "old"));
    registry.push_image("web:latest", &made(9, "kept"));
    let config = registry.manifest("web:1")["config"].clone();
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let sbom = registry.put_untagged(
        "web",
        oci,
        &json!({
            "schemaVersion": 2, "mediaType": oci, "artifactType": "application/spdx+json",
            "config": config, "layers": [],
            "subject": {"mediaType": oci, "digest": old, "size": 1}
        }),
    );
    let list = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": oci, "digest": sbom, "size": 1}]})
    .to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{list}",
        list.len()
    );
    let answer: &'static str = Box::leak(answer.into_boxed_str());
    let path: &'static str = Box::leak(format!("GET /v2/web/referrers/{old} ").into_boxed_str());
    let gateway = Gateway::start(&registry, move |head| {
        head.starts_with(path).then_some(answer)
    });
    let options = ["--filter", "web:^1$", "--ago", "7d", "--untagged"];
    purge(&world, &gateway.host(), &options)
        .ok()
        .prints(&["Number of deleted manifests: 2"]);
    assert!(!has(&registry, "web", &sbom) && !has(&registry, "web", &old));
}

#[test]
fn purge_with_an_invalid_filter_or_age_is_a_usage_error() {
    let world = world();
    for (filter, ago, said) in [
        ("web", "1d", "REPOSITORY:TAG"),
        ("web:(", "1d", "no expression"),
        ("web:.*", "soon", "`soon` is no age"),
        ("web:.*", "-1d", "`-1d` is no age"),
    ] {
        purge(&world, "localhost:1", &["--filter", filter, "--ago", ago])
            .exits(2)
            .says(&[said]);
    }
    purge(&world, "localhost:1", &["--filter", "a:b"])
        .exits(2)
        .says(&["--ago"]);
    purge(&world, "127.0.0.1:9", &["--filter", "a:b", "--ago", "1d"])
        .exits(4)
        .prints(&["Failed to complete purge", "Number of deleted tags: 0"]);
}

#[test]
fn documented_purge_task_runs_unchanged() {
    let (world, registry) = (world(), Registry::start());
    world.buildah();
    let host = registry.host();
    registry.push_image("hello-world:1", &made(1, "old"));
    registry.push_image("hello-world:2", &made(11, "new"));
    world.set("R", &host);
    let line = "PURGE_CMD=\"acr purge --filter 'hello-world:.*' --untagged --ago 1d\"; \
        \"$0\" task create --name purgeTask --cmd \"$PURGE_CMD\" --schedule \"0 0 * * *\" -r $R -c /dev/null && \
        \"$0\" task run -n purgeTask -r $R";
    world.shell(line).ok().prints(&[
        &format!("Deleted {host}/hello-world:1"),
        "Number of deleted tags: 1",
        "Number of deleted manifests: 1",
    ]);
    assert_eq!(registry.tags("hello-world"), ["2"]);
    let log = world.acrt(&["task", "logs", "-n", "purgeTask"]).ok();
    assert!(log.stdout.contains("$ acr purge --filter"), "{log}");
    // The timer does the same, and nothing is looked up in Azure.
    registry.push_image("hello-world:3", &made(2, "old again"));
    world.set("ACRT_NOW", "2026-06-11T00:00:30Z");
    world.watch_once().ok();
    assert_eq!(registry.tags("hello-world"), ["2"]);
}

#[test]
fn quick_run_accepts_every_name_of_acr_cli_and_reports_invalid_purge_options() {
    let (world, registry) = (world(), Registry::start());
    world.buildah();
    web(&registry, &[1, 9]);
    let host = registry.host();
    let run = |command: &str| world.acrt(&["run", "-r", &host, "--cmd", command, "/dev/null"]);
    run("mcr.microsoft.com/acr/acr-cli:0.14 purge --registry {{.Run.Registry}} --filter web:.* --ago 7d")
        .ok()
        .prints(&["Number of deleted tags: 1"]);
    assert_eq!(registry.tags("web"), ["2"]);
    let create = [
        "task",
        "create",
        "-n",
        "wrong",
        "-r",
        &host,
        "-c",
        "/dev/null",
    ];
    let words = [
        &create[..],
        &["--cmd", "acr purge --filter web:.* --ago soon"],
    ]
    .concat();
    world.acrt(&words).exits(2).says(&["`soon` is no age"]);
    let wrong = run("acr purge --filter web:.*").exits(2);
    assert!(
        wrong.to_string().contains("needs `--filter` and `--ago`"),
        "{wrong}"
    );
}

#[test]
fn purge_untagged_only_deletes_manifests_without_a_tag_and_no_tags() {
    let (world, registry) = (world(), Registry::start());
    let host = registry.host();
    world.buildah();
    let base = registry.push("base:1", &[("a", "1")]);
    // Two runs: the manifest of the first has no tag any more.
    for text in ["one", "two"] {
        let context = world.context(
            "web",
            &format!("FROM {}\nLABEL text={text}\n", registry.image("base:1")),
        );
        world
            .acrt(&["build", "-r", &host, "-t", "web:1", &context])
            .ok();
    }
    world.set("ACRT_NOW", "2026-06-10T12:00:01Z");
    let line = [
        "run",
        "-r",
        &host,
        "--cmd",
        "acr purge --untagged-only",
        "/dev/null",
    ];
    let log = world.acrt(&line).ok().prints(&[
        "Number of deleted manifests: 1",
        "Number of deleted tags: 0",
    ]);
    assert!(!log.stdout.contains("Deleting tags"), "{log}");
    assert_eq!(registry.tags("web"), ["1"]);
    assert!(has(&registry, "base", &base));
    purge(&world, &host, &["--untagged-only", "--dry-run"])
        .ok()
        .prints(&["Number of manifests to be deleted: 0"]);
    purge(&world, &host, &["--untagged-only", "--keep", "1"])
        .exits(2)
        .says(&["`--keep` counts tags"]);
    purge(&world, &host, &["--filter", "web:.*"])
        .exits(2)
        .says(&["--ago"]);
}

#[test]
fn acr_cli_commands_run_without_a_builder() {
    let (world, registry) = (world(), Registry::start());
    web(&registry, &[1, 2, 9]);
    let host = registry.host();
    let run = |command: &str| world.acrt(&["run", "-r", &host, "--cmd", command, "/dev/null"]);
    run("acr purge --help")
        .ok()
        .prints(&["acr purge --filter", "acr tag list"]);
    run("acr purge --registry $RegistryName --filter web:.* --ago 9d")
        .ok()
        .prints(&[&format!("Deleted {host}/web:1")]);
    run("acr tag list -r $Registry --repository web")
        .ok()
        .prints(&[
            "Listing tags for the \"web\" repository:",
            &format!("{host}/web:2\n"),
            &format!("{host}/web:3\n"),
        ]);
    let digest = registry.digest("web:3").unwrap();
    run("acr manifest list --repository web")
        .ok()
        .prints(&[&format!("{host}/web@{digest}")]);
    run("acr tag delete --repository web 2")
        .ok()
        .prints(&[&format!("{host}/web:2")]);
    assert_eq!(registry.tags("web"), ["3"]);
    run(&format!("acr manifest delete --repository web {digest}")).ok();
    assert!(!has(&registry, "web", &digest));
    run("acr tag list --repository none").exits(1);
    let create = [
        "task",
        "create",
        "-n",
        "login",
        "-r",
        &host,
        "-c",
        "/dev/null",
        "--cmd",
        "acr login x",
    ];
    world
        .acrt(&create)
        .exits(2)
        .says(&["`acr login x` is not supported"]);
    run("acr tag list").exits(2).says(&["needs `--repository`"]);
    // Steps in containers still need a builder.
    run("alpine true").exits(1).says(&["no builder"]);
}

#[test]
fn purge_keeps_a_manifest_whose_tag_the_registry_does_not_list() {
    let (world, registry) = (world(), Registry::start());
    let gateway = Gateway::start(&registry, |head| {
        let empty = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 26\r\nConnection: close\r\n\r\n{\"name\":\"web\",\"tags\":null}";
        head.starts_with("GET /v2/web/tags/list").then_some(empty)
    });
    let (host, base) = (gateway.host(), registry.image("base:1"));
    registry.push_image("base:1", &made(1, "one"));
    let mut create = vec!["task", "create", "-n", "web", "-r", &host];
    create.extend(["--import", &base, "-t", "web:{{.Run.ID}}"]);
    world.acrt(&create).ok();
    world.run("web").ok();
    let first = registry.digest("web:ca1").unwrap();
    registry.push_image("base:1", &made(2, "two"));
    world.run("web").ok();
    world.set("ACRT_NOW", "2026-06-11T12:00:00Z");
    let options = ["--filter", "web:.*", "--ago", "0d", "--untagged-only"];
    purge(&world, &host, &options)
        .ok()
        .prints(&["Number of deleted manifests: 0"])
        .says(&[&format!(
            "kept {host}/web@{first}: its tag `ca1` still exists"
        )]);
    assert_eq!(registry.digest("web:ca1"), Some(first.clone()));
    // A tag that is really gone protects nothing.
    let listed = ["--filter", "web:^ca1$", "--ago", "0d", "--untagged"];
    purge(&world, &registry.host(), &listed).ok();
    assert!(!has(&registry, "web", &first));
}
