//! Proxies of the environment. The environment is a process's own, so each case runs this test program once more.

use std::process::Output;

use acrt::{
    registry::Registries,
    sys::{
        clock::Clock,
        settings::{RegistrySettings, Settings},
    },
};

use super::{
    scripted::{Answer, Scripted, digest as canned},
    service::program,
    settings::reference,
};

/// The image that the second process looks at.
const IMAGE: &str = "ACRT_TEST_IMAGE";

/// Looks at an image in a process of its own, with these variables.
fn look(image: &str, variables: &[(&str, &str)]) -> Output {
    let this = std::env::current_exe().unwrap();
    let mut command = program(this.to_str().unwrap());
    command.args([
        "--exact",
        "proxy::in_a_process_of_its_own",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env_clear()
        .env(IMAGE, image)
        .envs(variables.iter().copied());
    command.output().unwrap()
}

#[tokio::test]
#[ignore = "started by the other tests"]
async fn in_a_process_of_its_own() {
    let mut settings = Settings::load(None).unwrap();
    let plain = RegistrySettings {
        plain_http: Some(true),
        ..RegistrySettings::default()
    };
    settings
        .config
        .registries
        .insert("registry.test".to_owned(), plain);
    let image = Settings::variable(IMAGE).unwrap();
    let registries = Registries::new(&settings, Clock::System, Vec::new());
    match registries.look(&reference(&image)).await {
        Ok(seen) => println!("seen {}", seen.digest),
        Err(error) => println!("error {}", acrt::Error::from(error).one_line()),
    }
}

fn server() -> Scripted {
    Scripted::start(|_, _| Answer::manifest(&canned('a')))
}

fn says(output: &Output, what: &str) -> bool {
    String::from_utf8_lossy(&output.stdout).contains(what)
}

#[test]
fn a_proxy_is_used_though_its_name_leads_to_this_machine() {
    let proxy = server();
    let address = format!("http://localhost:{}", proxy.port());
    let output = look("registry.test/base:1", &[("http_proxy", address.as_str())]);
    assert!(
        says(&output, &format!("seen {}", canned('a'))),
        "{output:?}"
    );
    assert_eq!(
        proxy.requests(),
        ["HEAD http://registry.test/v2/base/manifests/1"]
    );
}

#[test]
fn a_registry_that_no_proxy_names_is_asked_directly() {
    let proxy = server();
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let output = look(
        "registry.test/base:1",
        &[("http_proxy", address.as_str()), ("NO_PROXY", ".test")],
    );
    assert!(says(&output, "error "), "{output:?}");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn this_machine_is_never_reached_through_a_proxy() {
    let (proxy, registry) = (server(), server());
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let output = look(
        &registry.image("base:1"),
        &[("http_proxy", address.as_str())],
    );
    assert!(says(&output, "seen "), "{output:?}");
    assert_eq!((proxy.connections(), registry.requests().len()), (0, 1));
}

#[test]
fn the_password_of_a_proxy_is_not_told() {
    let output = look(
        "registry.test/base:1",
        &[("http_proxy", "http://user:hunter2-canary@127.0.0.1:1")],
    );
    assert!(says(&output, "error "), "{output:?}");
    assert!(!says(&output, "hunter2"), "{output:?}");
}
