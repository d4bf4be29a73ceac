//! `acrt task check`: what is stale, and why, without building.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Image, Registry, World, own_platform};

fn world() -> (World, Registry) {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push("base:1", &[("version", "one")]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    (world, registry)
}

#[test]
fn task_check_reports_a_moved_base_with_both_digests_and_builds_nothing() {
    let (world, registry) = world();
    let old = registry.digest("base:1").unwrap();
    assert_eq!(world.state_of("web"), "current");
    let new = registry.push("base:1", &[("version", "two")]);
    let check = world.acrt(&["task", "check"]).ok().json();
    let task = &check[0];
    assert_eq!(task["state"], "stale");
    let image = &task["images"][0];
    assert_eq!(image["image"], registry.image("base:1"));
    assert_eq!(image["state"], "moved");
    assert_eq!(image["line"], 1);
    assert_eq!(image["recordedDigest"], old);
    assert_eq!(image["currentDigest"], new);
    assert_eq!(world.runs().len(), 1);
    // A digest that returns is no update.
    registry.push("base:1", &[("version", "one")]);
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn task_check_exit_code_reports_stale_only_with_the_flag() {
    let (world, registry) = world();
    let check = ["task", "check", "--exit-code"];
    world.acrt(&check).ok();
    registry.push("base:1", &[("version", "two")]);
    world.acrt(&check).exits(10);
    world.acrt(&["task", "check"]).ok();
}

#[test]
fn task_check_of_one_task_reads_a_moved_base_for_the_platforms_of_all_tasks() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    registry.push_both("base:1", "one", "one");
    for (name, platform) in [("amd", "linux/amd64"), ("arm", "linux/arm64")] {
        let dockerfile = format!("FROM {}\n", registry.image("base:1"));
        world.task_with(&registry, name, &dockerfile, &["--platform", platform]);
        world.run(name).ok();
    }
    registry.push_both("base:1", "two", "two");
    world.acrt(&["task", "check", "-n", "amd"]).ok();
    world.acrt(&["task", "watch", "--once", "--due"]).ok();
    assert_eq!(world.runs().len(), 4);
}

#[test]
fn deleted_base_tag_is_missing_and_current_again_when_restored_unchanged() {
    let (world, registry) = world();
    let digest = registry.digest("base:1").unwrap();
    registry.delete("base", &digest);
    let check = world.acrt(&["task", "check"]).exits(4);
    let task = check.json()[0].clone();
    assert_eq!(task["state"], "missing");
    assert_eq!(task["images"][0]["state"], "missing");
    assert!(task["images"][0]["errorSince"].is_string(), "{task}");
    assert_eq!(task["images"][0]["recordedDigest"], digest);
    let why = task["images"][0]["error"].as_str().unwrap();
    assert!(why.contains("base"), "{why}");
    registry.push("base:1", &[("version", "one")]);
    assert_eq!(world.state_of("web"), "current");
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Returns the bytes of an index.
fn index_of(registry: &Registry, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(registry.host()).unwrap();
    write!(stream, "GET /v2/{path} HTTP/1.0\r\nAccept: {INDEX}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap()
        + 4;
    answer.split_off(body)
}

/// Answers in place of a stopped registry: each HEAD with this digest, and each GET with this index.
fn answer_at(host: &str, digest: &str, index: Vec<u8>) {
    let listener = TcpListener::bind(host).unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {INDEX}\r\nDocker-Content-Digest: {digest}\r\nConnection: close\r\n"
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            let mut answer = format!("{head}Content-Length: {}\r\n\r\n", index.len()).into_bytes();
            if request[..read].starts_with(b"GET") {
                answer.extend_from_slice(&index);
            }
            let _ = stream.write_all(&answer);
        }
    });
}

#[test]
fn base_with_contradicting_head_and_get_digests_is_unknown() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let (os, architecture) = own_platform();
    let image = Image::of(&[("version", "one")]).platform(&format!("{os}/{architecture}"));
    registry.push_index("base:1", &[image]);
    let dockerfile = format!("FROM {}\n", registry.image("base:1"));
    world.tracked_task(&registry, "web", &dockerfile);
    assert_eq!(world.state_of("web"), "current");
    let index = index_of(&registry, "base/manifests/1");
    registry.stop();
    // A new digest, but with the content that the image was built on.
    let moved = format!("sha256:{}", "d".repeat(64));
    answer_at(&registry.host(), &moved, index);
    for _ in 0..2 {
        let task = world.acrt(&["task", "check"]).exits(4).json()[0].clone();
        assert_eq!(task["state"], "unknown");
        let why = task["images"][0]["error"].as_str().unwrap();
        assert!(why.contains("it contradicts itself"), "{why}");
    }
}

#[test]
fn base_of_an_unreachable_registry_is_unknown_with_the_time_since() {
    let (world, registry) = world();
    registry.stop();
    let task = world.acrt(&["task", "check", "-n", "web"]).exits(4).json()[0].clone();
    assert_eq!(task["state"], "unknown");
    assert!(task["images"][0]["errorSince"].is_string(), "{task}");
    registry.restart();
    assert_eq!(world.state_of("web"), "current");
}

#[test]
fn task_check_of_a_single_task_omits_the_others() {
    let (world, registry) = world();
    let dockerfile = format!("FROM {}\n", registry.image("web:latest"));
    world.tracked_task(&registry, "site", &dockerfile);
    let check = world.acrt(&["task", "check", "-n", "site"]).ok().json();
    assert_eq!(check.as_array().unwrap().len(), 1);
    assert_eq!(check[0]["name"], "site");
    world.acrt(&["task", "check", "-n", "no"]).exits(3);
}
