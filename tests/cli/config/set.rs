//! `acrt config set`

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::World;

use super::{FILE, config, text};

#[test]
fn config_set_value_is_used_shown_and_unset() {
    let world = World::new();
    config(&world, &["set", "defaults.registry=localhost:5000"])
        .ok()
        .silent();
    assert_eq!(text(&world), "defaults:\n  registry: localhost:5000\n");
    let context = world.context("web", "FROM scratch\n");
    let task = world
        .acrt(&["task", "create", "-n", "web", "-c", &context])
        .ok()
        .json();
    assert_eq!(task["registry"], "localhost:5000");
    let shown = config(&world, &["get", "defaults.registry"]).ok().json();
    assert_eq!(shown["value"], "localhost:5000");
    assert_eq!(shown["source"], world.path(FILE).to_str().unwrap());
    config(&world, &["unset", "defaults.registry"])
        .ok()
        .silent();
    config(&world, &["get", "defaults.registry"])
        .exits(3)
        .says(&["`defaults.registry` is not set", "acrt config list"]);
}

#[test]
fn config_set_keeps_comments_order_symlinks_and_permissions() {
    let world = World::new();
    let own = world.write(
        "dotfiles/acrt.yaml",
        "# mine\nwatch:\n  everySeconds: 60 # a minute\nruns: {keep: 5}\n",
    );
    fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&own, world.path(FILE)).unwrap();
    config(&world, &["set", "watch.everySeconds", "30"]).ok();
    assert_eq!(
        text(&world),
        "# mine\nwatch:\n  everySeconds: 30 # a minute\nruns: {keep: 5}\n"
    );
    assert!(world.path(FILE).is_symlink());
    assert_eq!(
        fs::metadata(&own).unwrap().permissions().mode() & 0o777,
        0o644
    );
}

#[test]
fn concurrent_config_set_keeps_every_value() {
    let world = World::new();
    let set = (0..10).map(|n| format!("registries.r{n}.loginServer=r{n}.lan:5000"));
    let set = set.map(|value| world.spawn(&["config", "set", &value]));
    for one in set.collect::<Vec<_>>() {
        one.wait().ok();
    }
    assert_eq!(text(&world).matches(".lan:5000").count(), 10);
}

#[test]
fn config_file_with_a_byte_order_mark_is_read_and_a_dangling_symlink_is_an_error() {
    let world = World::new();
    world.config("\u{feff}runs:\r\n  keep: 5\r\nwatch:\r\n  everySeconds: 60\r\n");
    world.acrt(&["task", "list"]).ok();
    config(&world, &["set", "runs.keep", "6"]).ok();
    assert_eq!(
        text(&world),
        "runs:\r\n  keep: 6\r\nwatch:\r\n  everySeconds: 60\r\n"
    );
    fs::remove_file(world.path(FILE)).unwrap();
    std::os::unix::fs::symlink("nowhere", world.path(FILE)).unwrap();
    for line in ["task list", "config list", "config set runs.keep 7"] {
        let said = world.acrt(&Vec::from_iter(line.split(' ')));
        assert_ne!(said.code, 0, "{said}");
        said.says(&["config.yaml", "No such file"]);
    }
}

#[test]
fn config_set_refuses_an_invalid_key_or_value_with_the_allowed_ones_and_changes_nothing() {
    let world = World::new();
    world.config("defaults: {builder: podman}\n");
    config(&world, &["set", "runs.keep=7", "defaults.registri=x"])
        .exits(2)
        .says(&["defaults.registri", "`registry`", "`builder`"]);
    config(&world, &["set", "watch.everySeconds=soon"])
        .exits(2)
        .says(&["watch.everySeconds", "soon"]);
    config(&world, &["set", "defaults.builder=make"])
        .exits(2)
        .says(&["no builder `make`", "podman"]);
    config(&world, &["set", "defaults.registry=a b"])
        .exits(2)
        .says(&["registry `a b`"]);
    config(&world, &["set", "registry=x"])
        .exits(2)
        .says(&["section.key"]);
    config(&world, &["set", "registry"])
        .exits(2)
        .says(&["KEY=VALUE"]);
    config(&world, &["unset", "runs.keep"]).exits(3);
    assert_eq!(text(&world), "defaults: {builder: podman}\n");
}

#[test]
fn config_set_refuses_a_format_and_names_of_registries_that_no_command_takes() {
    let world = World::new();
    for (pair, said) in [
        ("defaults.output=svg", "acrt task graph has them"),
        (
            "registries.http://r.test:5000.plainHttp=true",
            "write r.test:5000",
        ),
        (
            "registries.r.test/team.skipVerify=true",
            "registry `r.test/team`",
        ),
        ("registries.a b.plainHttp=true", "registry `a b`"),
        ("registries.a\nb.plainHttp=true", "registry `a\\nb`"),
    ] {
        config(&world, &["set", pair]).exits(2).says(&[said]);
    }
    assert!(!world.path(FILE).exists());
    config(
        &world,
        &["set", "registries.my_reg.loginServer=r.test:5000"],
    )
    .ok();
}

#[test]
fn config_set_creates_a_named_file_and_a_broken_value_can_be_unset() {
    let world = World::new();
    let path = world.path("new/own.yaml");
    let option = ["--config", path.to_str().unwrap()];
    config(
        &world,
        &[&["set", "defaults.builder=buildah"], &option[..]].concat(),
    )
    .ok();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    world.config("defaults: {registri: x, builder: podman}\n");
    world.acrt(&["task", "list"]).exits(2);
    config(&world, &["unset", "defaults.registri"]).ok();
    world.acrt(&["task", "list"]).ok();
}

#[test]
fn config_set_refuses_values_that_other_commands_could_not_use() {
    let world = World::new();
    config(&world, &["set", "watch.publicMaxSeconds=900"]).ok();
    let before = text(&world);
    for (pair, why) in [
        ("defaults.output=xml", "xml"),
        ("defaults.minAge=5x", "`5x` is not a duration"),
        ("defaults.minAge=-1", "`-1` is not a duration"),
        ("defaults.windows=[bad]", "bad"),
        (
            "watch.publicMinSeconds=901",
            "longer than watch.publicMaxSeconds",
        ),
        ("limits.openFiles=1", "`limits.openFiles`"),
        ("page.url=foo", "`foo`"),
        ("page.trustProxy=[x]", "`x`"),
        ("registries.r.aliases=['http://foo']", "`http://foo`"),
        ("registries.r.loginServer=http://foo", "`http://foo`"),
        ("mirrors.docker.io/library=http://foo", "mirrors"),
        ("notify=[{name: a}]", "either `command` or `url`"),
        ("notify=[{url: 'ftp://x'}]", "`notify`"),
        (
            "notify=[{command: [cat], preset: nope}]",
            "no preset `nope`",
        ),
        ("listen.bad/name.secret=env:X", "`bad/name`"),
        ("listen.lan.secret=hunter2", "env:NAME or file:PATH"),
    ] {
        config(&world, &["set", pair]).exits(2).says(&[why]);
        assert_eq!(text(&world), before, "{pair}");
    }
    config(
        &world,
        &[
            "set",
            "defaults.output=yaml",
            "page.trustProxy=[10.0.0.0/8]",
            "notify=[{url: 'env:UNSET', secret: 'env:UNSET', body: x, headers: {A: 'env:UNSET'}}]",
        ],
    )
    .ok();
}

#[test]
fn unusable_values_of_the_config_file_are_removed_by_the_command_in_the_hint() {
    for (section, value, key) in [
        ("defaults", "output: xml", "defaults.output"),
        ("defaults", "minAge: 5x", "defaults.minAge"),
        ("defaults", "windows: [bad]", "defaults.windows"),
    ] {
        let world = World::new();
        world.config(&format!("{section}: {{{value}}}\n"));
        let hint = format!("acrt config unset {key}");
        world.acrt(&["task", "list"]).exits(2).says(&[&hint]);
        config(&world, &["unset", key]).ok().silent();
        world.acrt(&["task", "list"]).ok();
    }
}

#[test]
fn verify_rule_that_no_image_matches_is_refused() {
    let world = World::new();
    for (images, why) in [
        ("docker.io/library/node:20", "rules are for repositories"),
        ("node", "`docker.io/library/node`"),
    ] {
        let rule = format!("verify=[{{images: ['{images}'], command: [vouch, '{{image}}']}}]");
        config(&world, &["set", &rule]).exits(2).says(&[why]);
    }
    let rule = "verify=[{images: ['a.io/*'], command: [vouch]}]";
    config(&world, &["set", rule])
        .exits(2)
        .says(&["no argument of its command holds `{image}`"]);
    assert!(!world.path("config.yaml").exists());
}

#[test]
fn every_key_of_config_list_can_be_shown_and_removed() {
    let world = World::new();
    config(
        &world,
        &[
            "set",
            "mirrors.docker.io/library=localhost:5000/base",
            "onSuccess=[echo, a]",
        ],
    )
    .ok();
    config(&world, &["set", "page=on"]).ok();
    config(
        &world,
        &[
            "set",
            "verify=[{images: ['a.io/*'], command: [true-name, '{image}']}]",
        ],
    )
    .ok();
    let listed = config(&world, &["list"]).ok().json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["mirrors.docker.io/library", "onSuccess", "page", "verify"]
    );
    for name in &names {
        config(&world, &["get", name]).ok();
        config(&world, &["unset", name]).ok();
    }
    assert_eq!(text(&world), "");
}
