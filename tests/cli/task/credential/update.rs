//! `acrt task credential update`

use super::{login, with_password, world};
use crate::support::PASSWORD;

#[test]
fn updated_task_credential_password_replaces_the_old_one() {
    let (world, registry) = world();
    let words = with_password(&world, &registry, "update", PASSWORD);
    let update: Vec<&str> = words.iter().map(String::as_str).collect();
    world.acrt(&update).exits(3);
    login(&world, &registry);
    world.write("password", "wrong\n");
    world.run("web").exits(4);
    with_password(&world, &registry, "update", PASSWORD);
    world.acrt(&update).ok();
    world.run("web").ok();
}
