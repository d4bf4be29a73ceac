//! `acrt logout`

use crate::support::{Registry, World};

#[test]
fn logout_removes_one_login_and_keeps_the_others() {
    let (world, registry) = (World::new(), Registry::with_login());
    let host = registry.host();
    let mut file: serde_json::Value = serde_json::from_str(&registry.docker_config()).unwrap();
    file["auths"]["other.example"] = serde_json::json!({"auth": "kept"});
    let path = world.write("home/.docker/config.json", &file.to_string());
    let out = world.acrt(&["logout", "-n", &host]).ok();
    assert_eq!(
        out.stdout,
        format!("Removing login credentials for {host}\n")
    );
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        !text.contains(&host) && text.contains("other.example"),
        "{text}"
    );
    world.acrt(&["login", "-n", &host]).exits(4);
    let again = world.acrt(&["logout", "-n", &host]).ok();
    assert_eq!(again.stdout, format!("Not logged in to {host}\n"));
}
