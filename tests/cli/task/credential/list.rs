//! `acrt task credential list`: what is shown of logins.

use super::{login, world};

#[test]
fn credential_list_shows_passwords_in_no_format() {
    let (world, registry) = world();
    let list = ["task", "credential", "list", "--name", "web"];
    assert_eq!(world.acrt(&list).ok().stdout, "{}\n");
    login(&world, &registry);
    let answer = world.acrt(&list).ok().json();
    let place = format!("file:{}", world.path("password").display());
    assert_eq!(
        answer[registry.host()],
        serde_json::json!({
            "identity": null,
            "password": {"type": "Opaque", "value": place},
            "userName": {"type": "Opaque", "value": "acrt"},
        })
    );
    let table = world.acrt(&[&list[..], &["-o", "table"]].concat()).ok();
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("LOGIN SERVER"), "{table}");
    assert!(lines[2].starts_with(&registry.host()), "{table}");
}

#[test]
fn credential_list_of_an_unknown_task_is_not_found() {
    let (world, _registry) = world();
    world
        .acrt(&["task", "credential", "list", "--name", "other"])
        .exits(3);
}
