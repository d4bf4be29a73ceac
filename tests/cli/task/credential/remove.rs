//! `acrt task credential remove`

use super::{login, world};

#[test]
fn removed_task_credential_is_no_longer_used() {
    let (world, registry) = world();
    login(&world, &registry);
    world.run("web").ok();
    let host = registry.host();
    let remove = [
        "task",
        "credential",
        "remove",
        "--name",
        "web",
        "--login-server",
        &host,
    ];
    assert_eq!(world.acrt(&remove).ok().stdout, "{}\n");
    world.run("web").exits(4);
    // Removing a missing one succeeds, as in az.
    let again = world.acrt(&remove).ok();
    let again = again.says(&["has no login for", "none was removed"]);
    assert_eq!(again.stdout, "{}\n");
    let other = [&remove[..4], &["other"], &remove[5..]].concat();
    world.acrt(&other).exits(3);
}
