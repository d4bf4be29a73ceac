//! Proxies from the environment.

use super::{
    another_process::{look, says},
    scripted::{Answer, Scripted, digest as canned},
};

fn server() -> Scripted {
    Scripted::start(|_, _| Answer::manifest(&canned('a')))
}

#[test]
fn proxy_whose_name_resolves_to_loopback_is_used() {
    let proxy = server();
    let address = format!("http://localhost:{}", proxy.port());
    let output = look("registry.test/base:1", &[("http_proxy", address.as_str())]);
    assert!(says(&output, &canned('a')), "{output:?}");
    assert_eq!(
        proxy.requests(),
        ["HEAD http://registry.test/v2/base/manifests/1"]
    );
}

#[test]
fn registry_excluded_by_no_proxy_is_requested_directly() {
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
fn loopback_registry_is_never_requested_through_a_proxy() {
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
fn proxy_password_is_not_shown() {
    let output = look(
        "registry.test/base:1",
        &[("http_proxy", "http://user:hunter2-canary@127.0.0.1:1")],
    );
    assert!(says(&output, "error "), "{output:?}");
    assert!(!says(&output, "hunter2"), "{output:?}");
}
