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

#[test]
fn registry_excluded_by_no_proxy_with_its_port_is_requested_directly() {
    let proxy = server();
    let address = format!("http://127.0.0.1:{}", proxy.port());
    for list in ["registry.test:80", "*.test", "registry.test:443,.test:80"] {
        let output = look(
            "registry.test/base:1",
            &[("http_proxy", address.as_str()), ("no_proxy", list)],
        );
        assert!(says(&output, "error "), "{list}: {output:?}");
        assert_eq!(proxy.connections(), 0, "{list}");
    }
    let output = look(
        "registry.test/base:1",
        &[
            ("http_proxy", address.as_str()),
            ("no_proxy", "registry.test:443"),
        ],
    );
    assert!(says(&output, "seen "), "{output:?}");
}

#[test]
fn variable_without_a_usable_proxy_is_reported_and_nothing_is_sent() {
    for value in ["http://:::bad-canary", "socks5://127.0.0.1:1"] {
        let output = look("registry.test/base:1", &[("http_proxy", value)]);
        assert!(
            says(
                &output,
                "`http_proxy` is not the address of an http proxy, such as http://proxy.example:3128"
            ) && says(
                &output,
                "correct that variable, or name `registry.test` in NO_PROXY"
            ),
            "{output:?}"
        );
        assert!(!says(&output, "canary"), "{output:?}");
    }
}

#[test]
fn proxy_that_fails_or_demands_a_login_is_named_without_its_password() {
    let proxy = Scripted::start(|_, _| Answer::status(407));
    let demanding = format!("http://u:hunter2-canary@127.0.0.1:{}", proxy.port());
    for address in [demanding.as_str(), "http://u:hunter2-canary@127.0.0.1:1"] {
        let output = look("registry.test/base:1", &[("http_proxy", address)]);
        let (_, shown) = address.split_once('@').unwrap();
        assert!(
            says(
                &output,
                &format!("requests to `registry.test` go through the proxy `http://{shown}`")
            ),
            "{output:?}"
        );
        assert!(!says(&output, "canary"), "{output:?}");
    }
}
