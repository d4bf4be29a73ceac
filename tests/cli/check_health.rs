//! `acrt check-health`: what works, what fails, and how to repair it.

use serde_json::Value;

use crate::support::{PASSWORD, Proxy, Registry, World};

fn finding<'f>(findings: &'f Value, check: &str, subject: &str) -> &'f Value {
    findings
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["check"] == check && finding["subject"] == subject)
        .unwrap_or_else(|| panic!("no {check} of {subject} in {findings:#}"))
}

#[test]
fn check_health_reports_success_with_the_credential_location() {
    let (world, registry) = (World::new(), Registry::with_login());
    world.buildah();
    world.write("home/.docker/config.json", &registry.docker_config());
    let host = registry.host();
    let output = world.acrt(&["check-health", &host]).ok();
    let findings = output.json();
    assert_eq!(finding(&findings, "builder", "buildah")["status"], "ok");
    assert_eq!(finding(&findings, "registry", &host)["status"], "ok");
    let login = finding(&findings, "login", &host);
    let place = login["detail"].as_str().unwrap();
    assert!(place.contains("config.json"), "{place}");
    assert!(place.contains(&host), "{place}");
    assert!(!output.stdout.contains(PASSWORD), "{output}");
    let state = world.state().display().to_string();
    assert_eq!(
        finding(&findings, "state directory", &state)["status"],
        "ok"
    );
}

#[test]
fn check_health_reports_unreachable_registry_as_unknown_and_refused_login_with_the_fix() {
    let (world, registry) = (World::new(), Registry::with_login());
    world.buildah();
    let host = registry.host();
    let findings = world
        .acrt(&["check-health", &host, "127.0.0.1:1"])
        .exits(4)
        .json();
    assert_eq!(
        finding(&findings, "registry", "127.0.0.1:1")["status"],
        "unknown"
    );
    let refused = finding(&findings, "registry", &host);
    assert_eq!(refused["status"], "unknown");
    let hint = refused["hint"].as_str().unwrap();
    assert_eq!(hint, format!("give a login: acrt login {host}"));
    let stored = registry
        .docker_config()
        .replace("\"auth\":\"", "\"auth\":\"eDp5");
    world.write("home/.docker/config.json", &stored);
    let findings = world.acrt(&["check-health", &host]).exits(4).json();
    let login = finding(&findings, "login", &host);
    assert_eq!(login["status"], "warning");
    let detail = login["detail"].as_str().unwrap();
    assert!(detail.starts_with("the registry refuses it; "), "{detail}");
}

#[test]
fn check_health_without_a_builder_fails_in_exit_code_and_table() {
    let world = World::new();
    let output = world.acrt(&["check-health", "-o", "table"]).exits(1);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("CHECK"), "{output}");
    assert!(lines[2].starts_with("builder"), "{output}");
    assert!(lines[2].contains("failed"), "{output}");
}

#[test]
fn check_health_of_an_address_or_an_empty_name_is_wrong_usage() {
    let world = World::new();
    for name in ["https://localhost:6300", ""] {
        world.acrt(&["check-health", name]).exits(2);
        world.acrt(&["check-health", "-n", name]).exits(2);
    }
}

#[test]
fn check_health_reports_each_builder_of_the_default_pool_by_its_name() {
    let world = World::new();
    world.buildah();
    world.fake("docker", "echo 'no daemon' >&2; exit 1");
    world.config(
        "builders: {d1: {kind: docker, address: 'tcp://127.0.0.1:1'}, b1: {kind: buildah}}\n\
         pools: {farm: {builders: [d1, b1]}}\ndefaults: {builder: farm}\n",
    );
    let findings = world.acrt(&["check-health"]).exits(1).json();
    assert_eq!(finding(&findings, "builder", "d1")["status"], "failed");
    assert_eq!(finding(&findings, "builder", "b1")["status"], "ok");
}

#[test]
fn check_health_shows_a_pause_that_a_registry_has_asked_an_earlier_command_for() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildah();
    let proxy = Proxy::to(&registry);
    registry.push("base:1", &[("version", "one")]);
    let base = proxy.image("base:1");
    world.tracked_task(&registry, "web", &format!("FROM {base}\n"));
    proxy.refuse(None, "429 Too Many Requests\r\nRetry-After: 600");
    assert_eq!(world.state_of("web"), "unknown");
    let host = base.split_once('/').unwrap().0;
    let findings = world.acrt(&["check-health", host]).json();
    let limits = finding(&findings, "limits", host);
    let detail = limits["detail"].as_str().unwrap();
    assert!(detail.starts_with("left alone until "), "{detail}");
    assert_eq!(limits["status"], "warning");
}

#[test]
fn check_health_warns_of_a_receiver_for_a_task_that_there_is_not() {
    let world = World::new();
    world.buildah();
    world.config("notify: [{name: ops, command: [cat], tasks: [web]}]\n");
    let warning = || {
        let findings = world.acrt(&["check-health"]).ok().json();
        let findings = findings.as_array().unwrap().clone();
        findings
            .into_iter()
            .find(|finding| finding["check"] == "config file")
            .unwrap()
    };
    let before = warning();
    assert_eq!(before["status"], "warning");
    assert_eq!(
        before["detail"],
        "receiver `ops` of notifications is for `web`, and no task has that name"
    );
    let context = world.context("web", "FROM scratch\n");
    let create = [
        "task", "create", "-n", "web", "--local", "--image", "web:1", "-c",
    ];
    world.acrt(&[&create[..], &[&context]].concat()).ok();
    assert_eq!(warning()["status"], "ok");
}
