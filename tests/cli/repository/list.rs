//! `acrt repository list`

use serde_json::json;

use crate::support::{Gateway, Registry, World};

use super::{registry, repository};

#[test]
fn repository_list_prints_repositories_as_az_does() {
    let (world, registry) = (World::new(), registry());
    let all = repository(&world, &registry, &["list"]).ok().json();
    assert_eq!(all, json!(["other", "web"]));
    let top = repository(&world, &registry, &["list", "--top", "1", "-o", "tsv"]).ok();
    assert_eq!(top.stdout, "other\n");
    let table = repository(&world, &registry, &["list", "-o", "table"]).ok();
    assert_eq!(table.stdout, "Result\n--------\nother\nweb\n");
}

#[test]
fn repository_list_without_a_catalog_reports_it_and_shows_repositories_of_tasks() {
    let (world, registry) = (World::new(), registry());
    let gateway = Gateway::start(&registry, |head| {
        let closed =
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        head.starts_with("GET /v2/_catalog").then_some(closed)
    });
    let host = gateway.host();
    let context = world.context("web", "FROM scratch\n");
    let create = [
        "task",
        "create",
        "-n",
        "web",
        "-r",
        &host,
        "-t",
        "team/web:{{.Run.ID}}",
        "-c",
        &context,
    ];
    world.acrt(&create).ok();
    let listed = world.acrt(&["repository", "list", "-n", &host]).ok();
    let listed = listed.says(&["does not list its repositories"]);
    assert_eq!(listed.json(), json!(["team/web"]));
}

#[test]
fn repository_list_uses_a_given_login_and_half_a_login_is_a_usage_error() {
    let (world, registry) = (World::new(), Registry::with_login());
    registry.push("web:1", &[("a", "1")]);
    let host = registry.host();
    world.set("PASSWORD", "hunter2-canary");
    let line = ["repository", "list", "-n", &host, "-u", "acrt"];
    let listed = world
        .acrt(&[&line[..], &["-p", "env:PASSWORD"]].concat())
        .ok();
    assert_eq!(listed.json(), json!(["web"]));
    world.acrt(&line).exits(2).says(&["a user and a password"]);
}
