//! `acrt login`: a login is checked, and stored where docker and podman find it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use crate::support::{Gateway, Output, PASSWORD, Registry, World, program};

const DOCKER: &str = "home/.docker/config.json";

fn login(world: &World, registry: &Registry, password: &str, options: &str) -> Output {
    let host = registry.host();
    world.write("password", &format!("{password}\n"));
    let file = world.path("password");
    world.shell(&format!(
        "\"$0\" login -n {host} -u acrt --password-stdin {options} < {}",
        file.display()
    ))
}

fn document(world: &World, path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(world.path(path)).unwrap()).unwrap()
}

#[test]
fn login_is_stored_for_docker_podman_and_acrt_and_keeps_the_rest_of_the_file() {
    let (world, registry) = (World::new(), Registry::with_login());
    registry.push("web:1", &[("a", "1")]);
    let before = r#"{"auths":{"other.example":{"auth":"kept"}},"proxies":{"default":{"httpProxy":"http://p"}}}"#;
    world.write(DOCKER, before);
    world
        .acrt(&["repository", "list", "-n", &registry.host()])
        .exits(4);
    let done = login(&world, &registry, PASSWORD, "").ok();
    assert_eq!(done.stdout, "Login Succeeded\n");
    assert!(!done.to_string().contains(PASSWORD), "{done}");
    let file = document(&world, DOCKER);
    assert_eq!(
        file["auths"][registry.host()]["auth"],
        "YWNydDpodW50ZXIyLWNhbmFyeQ=="
    );
    assert_eq!(file["auths"]["other.example"], json!({"auth": "kept"}));
    assert_eq!(file["proxies"]["default"]["httpProxy"], "http://p");
    let mode = fs::metadata(world.path(DOCKER))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = world
        .acrt(&["repository", "list", "-n", &registry.host()])
        .ok();
    assert_eq!(listed.json(), json!(["web"]));
    // The stored login can be checked without entering it again.
    let again = world.acrt(&["login", "-n", &registry.host()]).ok();
    assert_eq!(again.stdout, "Login Succeeded\n");
    let mut podman = world.command("/usr/bin/podman");
    podman.args(["login", "--get-login", &registry.host()]);
    let output = podman.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "acrt\n",
        "{output:?}"
    );
}

/// Runs a shell line on a terminal, on which something is typed once the line has printed `seen`.
fn on_terminal(world: &World, line: &str, seen: &str, typed: &str) -> Output {
    world.set("SHELL", "/bin/sh");
    world.write("typed", typed);
    let script = program("script");
    world.shell(&format!(
        "{{ until /bin/grep -q '{seen}' seen 2>/dev/null; do :; done; /bin/cat typed; }} \
         | {} -qec \"PATH=/bin:/usr/bin; {line}\" /dev/null | /usr/bin/tee seen",
        script.display()
    ))
}

#[test]
fn login_on_a_terminal_asks_for_the_password_without_showing_it() {
    let (world, registry) = (World::new(), Registry::with_login());
    let host = registry.host();
    let login = format!("'$0' login -n {host} -u acrt");
    let typed = format!("wrong\u{15}{PASSWORD}\n");
    let done = on_terminal(&world, &login, "Password:", &typed).ok();
    let done = done.prints(&["Password: ", "Login Succeeded"]);
    assert!(!done.to_string().contains(PASSWORD), "{done}");
    world.acrt(&["repository", "list", "-n", &host]).ok();
    world.acrt(&["login", "-n", &host, "-u", "acrt"]).exits(2);
}

#[test]
fn login_on_a_terminal_without_a_password_is_refused() {
    let (world, registry) = (World::new(), Registry::start());
    let login = format!("'$0' login -n {} -u acrt; echo code \\$?", registry.host());
    for typed in ["\u{4}", "\n"] {
        std::fs::write(world.path("seen"), "").unwrap();
        on_terminal(&world, &login, "Password:", typed)
            .prints(&["a user and a password", "code 2"]);
    }
    assert!(!world.path(DOCKER).exists());
    for (user, password) in [("", "x"), ("x", "")] {
        let host = registry.host();
        let line = ["login", "-n", &host, "-u", user, "-p", password];
        world.acrt(&line).exits(2).says(&["a user and a password"]);
    }
}

#[test]
fn terminal_shows_what_is_typed_again_after_a_signal_at_the_password_prompt() {
    let (world, registry) = (World::new(), Registry::start());
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        std::fs::write(world.path("seen"), "").unwrap();
        let line = format!(
            "'$0' login -n {} -u acrt </dev/tty & p=\\$!; until stty -a | grep -qw -e -echo; do :; done; \
             kill -{signal} \\$p; wait \\$p; echo code \\$?; stty -a | grep -qw -e -echo || echo shown",
            registry.host()
        );
        let code = format!("code {code}");
        on_terminal(&world, &line, "code", "").prints(&[&code, "shown"]);
    }
}

#[test]
fn login_that_the_registry_refuses_is_not_stored() {
    let (world, registry) = (World::new(), Registry::with_login());
    login(&world, &registry, "wrong-canary", "")
        .exits(4)
        .says(&[
            "does not accept this user and password",
            "no login was saved",
        ]);
    assert!(!world.path(DOCKER).exists());
    world
        .acrt(&["login", "-n", &registry.host()])
        .exits(4)
        .says(&["there is no login", "acrt login"]);
    world
        .acrt(&["login", "-n", &registry.host(), "-u", "acrt"])
        .exits(2)
        .says(&["a user and a password"]);
}

#[test]
fn login_replaces_an_older_podman_login_because_podman_reads_it_first() {
    let (world, registry) = (World::new(), Registry::with_login());
    let podmans = "config/containers/auth.json";
    let old = json!({"auths": {registry.host(): {"auth": "b2xkOm9sZA=="}}});
    world.write(podmans, &old.to_string());
    login(&world, &registry, PASSWORD, "").ok();
    for path in [podmans, DOCKER] {
        let auth = &document(&world, path)["auths"][registry.host()]["auth"];
        assert_eq!(auth, "YWNydDpodW50ZXIyLWNhbmFyeQ==", "{path}");
    }
}

#[test]
fn login_is_stored_by_the_credential_helper_of_docker() {
    let (world, registry) = (World::new(), Registry::with_login());
    world.write(DOCKER, r#"{"credsStore":"box"}"#);
    let kept = world.path("kept.json");
    let script = format!(
        "case $1 in store) /bin/cat > {0};; get) /bin/cat {0} 2>/dev/null || {{ echo 'credentials not found in native keychain'; exit 1; }};; \
         erase) /bin/rm {0} 2>/dev/null || {{ echo 'credentials not found in native keychain'; exit 1; }};; esac",
        kept.display()
    );
    world.fake("docker-credential-box", &script);
    login(&world, &registry, PASSWORD, "").ok();
    let stored: Value = serde_json::from_str(&fs::read_to_string(&kept).unwrap()).unwrap();
    assert_eq!(stored["Username"], "acrt");
    assert_eq!(stored["ServerURL"], registry.host().as_str());
    assert!(
        !fs::read_to_string(world.path(DOCKER))
            .unwrap()
            .contains("auth\"")
    );
    world
        .acrt(&["repository", "list", "-n", &registry.host()])
        .ok();
    let out = world.acrt(&["logout", "-n", &registry.host()]).ok();
    assert_eq!(
        out.stdout,
        format!("Removing login credentials for {}\n", registry.host())
    );
    assert!(!kept.exists());
}

#[test]
fn expose_token_of_a_registry_without_tokens_is_refused() {
    let (world, registry) = (World::new(), Registry::with_login());
    login(&world, &registry, PASSWORD, "--expose-token")
        .exits(1)
        .says(&["grants no tokens"]);
    assert!(!world.path(DOCKER).exists());
    // A token stored in place of a password is what az shows.
    let token = json!({"auths": {registry.host(): {"auth": "MDA6", "identitytoken": "refresh"}}});
    world.write(DOCKER, &token.to_string());
    let open = Registry::start();
    let token = json!({"auths": {open.host(): {"auth": "MDA6", "identitytoken": "refresh"}}});
    world.write(DOCKER, &token.to_string());
    let shown = world
        .acrt(&["login", "-n", &open.host(), "--expose-token"])
        .ok()
        .json();
    assert_eq!(
        shown,
        json!({"accessToken": "refresh", "loginServer": open.host()})
    );
}

#[test]
fn expose_token_shows_a_token_of_the_token_service_and_stores_nothing() {
    let (world, registry) = (World::new(), Registry::start());
    let service = Gateway::start(&registry, |head| {
        Some(
            match head.contains("authorization: Basic YWNydDpodW50ZXIy") {
                true => {
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"token\":\"granted\"}"
                }
                false => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            },
        )
    });
    let challenge = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"s\"\r\nContent-Length: 0\r\n\r\n",
        service.host()
    );
    let challenge: &'static str = challenge.leak();
    let guarded = Gateway::start(&registry, move |head| {
        let is_granted = head
            .to_ascii_lowercase()
            .contains("authorization: bearer granted");
        (!is_granted).then_some(challenge)
    });
    world.set("PASSWORD", PASSWORD);
    let host = guarded.host();
    let words = [
        "login",
        "-n",
        &host,
        "-u",
        "acrt",
        "-p",
        "env:PASSWORD",
        "--expose-token",
    ];
    let shown = world.acrt(&words).ok().json();
    assert_eq!(
        shown,
        json!({"accessToken": "granted", "loginServer": host})
    );
    assert!(!world.path(DOCKER).exists());
    let asked = service.requests();
    assert!(
        asked.iter().all(|line| line.starts_with("GET /token?")),
        "{asked:?}"
    );
    world.set("PASSWORD", "wrong-canary");
    let refused = world.acrt(&words).exits(4);
    assert!(!refused.to_string().contains("wrong-canary"), "{refused}");
}

#[test]
fn login_without_a_user_warns_if_none_is_stored_and_the_registry_is_open() {
    let (world, registry) = (World::new(), Registry::start());
    let checked = world.acrt(&["login", "-n", &registry.host()]).ok();
    let none = format!("no login for `{}` is stored", registry.host());
    checked.says(&[&none]);
}
