//! The proxies in the environment, and which hosts are reached without them.
//!
//! The rules of `NO_PROXY` are those of Go's programs, such as docker, podman and skopeo. The HTTP client's own know no ports.

use std::{net::IpAddr, sync::LazyLock};

use ipnet::IpNet;
use reqwest::{Client, ClientBuilder, Proxy, Url, redirect::Policy};

use super::{environment, settings};

/// A variable that is set, by its name.
type Variable = (&'static str, String);

/// The variables that count; they are asked for with each of thousands of requests.
struct ProxyVariables {
    http: Option<Variable>,
    https: Option<Variable>,
    excluded: Option<Variable>,
}

static VARIABLES: LazyLock<ProxyVariables> = LazyLock::new(|| ProxyVariables {
    http: first_set(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]),
    https: first_set(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
    excluded: first_set(&["NO_PROXY", "no_proxy"]),
});

/// Begins an HTTP client that names acrt, follows no redirects, and chooses proxies by these rules in place of its own. [`of`] says where that
/// choice cannot be made.
pub fn client() -> ClientBuilder {
    // A provider may have been installed before; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .proxy(Proxy::custom(|url| of(url).ok().flatten()))
        .user_agent(concat!("acrt/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
}

/// Returns the proxy for requests to a URL; `None` where they are sent directly.
///
/// # Errors
///
/// Which variable has no usable address, without the address, which may contain a password.
pub fn of(url: &Url) -> Result<Option<Url>, String> {
    let proxy = match url.scheme() {
        "https" => &VARIABLES.https,
        _ => &VARIABLES.http,
    };
    let Some((name, value)) = proxy else {
        return Ok(None);
    };
    let host = url.host_str().unwrap_or_default();
    let excluded = VARIABLES.excluded.as_ref();
    let is_excluded =
        excluded.is_some_and(|(_, it)| excludes(it, host, url.port_or_known_default()));
    // As in Go's programs: the loopback of a proxy is another machine.
    if settings::is_loopback(host) || is_excluded {
        return Ok(None);
    }
    let proxy = address(value).ok_or_else(|| {
        format!("`{name}` is not the address of an http proxy, such as http://proxy.example:3128")
    })?;
    Ok(Some(proxy))
}

/// Returns a proxy as it is shown: without its login.
pub fn shown(proxy: &Url) -> String {
    proxy.origin().ascii_serialization()
}

fn first_set(names: &[&'static str]) -> Option<Variable> {
    names.iter().find_map(|&name| {
        let value = environment::variable(name)?;
        (!value.trim().is_empty()).then_some((name, value))
    })
}

fn address(value: &str) -> Option<Url> {
    let value = value.trim();
    let url = match value.contains("://") {
        true => Url::parse(value),
        false => Url::parse(&format!("http://{value}")),
    };
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Tells whether a list like that of `NO_PROXY` has a host: by its name, the name of a domain that it is in, its address, a network, each
/// but the last also with a port, or `*` for all.
fn excludes(list: &str, host: &str, port: Option<u16>) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host
        .trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_owned();
    let address: Option<IpAddr> = host.parse().ok();
    let list = list.to_ascii_lowercase();
    let mut entries = list.split(|c: char| c == ',' || c.is_whitespace());
    entries.any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Ok(network) = entry.parse::<IpNet>() {
            return address.is_some_and(|address| network.contains(&address));
        }
        let (name, own_port) = split_port(entry);
        if own_port.is_some() && own_port != port {
            return false;
        }
        if let Ok(own) = name.parse::<IpAddr>() {
            return address == Some(own);
        }
        // `.lan` and `*.lan` have what is in the domain, and not the domain itself.
        let below = name.strip_prefix("*.").or(name.strip_prefix('.'));
        let domain = below.unwrap_or(name).trim_end_matches('.');
        let above = host.strip_suffix(domain);
        !domain.is_empty()
            && address.is_none()
            && above.is_some_and(|it| it.ends_with('.') || (it.is_empty() && below.is_none()))
    })
}

/// Splits the port from `host:port`; an IPv6 address with a port is in brackets.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').unwrap_or((rest, ""));
        let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
        return (address, port);
    }
    match entry.split_once(':') {
        Some((host, "")) => (host, None),
        Some((host, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(list: &str, host: &str) -> bool {
        excludes(list, host, Some(5000))
    }

    #[test]
    fn host_is_excluded_by_name_domain_port_and_asterisk() {
        for list in [
            "registry.lan",
            "REGISTRY.LAN",
            "registry.lan:5000",
            "registry.lan:",
            "lan",
            ".lan",
            "*.lan",
            ".lan:5000",
            "lan.",
            "*",
            "other, registry.lan:5000",
            "other registry.lan",
        ] {
            assert!(excluded(list, "registry.lan"), "{list}");
        }
        for list in [
            "",
            " , ",
            "registry.lan:443",
            "egistry.lan",
            "my.registry.lan",
            ".registry.lan",
            "*.registry.lan",
            ".registry.lan:5000",
            "*lan",
            "*.registry.lan.example",
            "registry.lan:x",
            "10.0.0.0/8",
            ".",
            "*.",
        ] {
            assert!(!excluded(list, "registry.lan"), "{list}");
        }
    }

    #[test]
    fn address_is_excluded_by_itself_network_port_and_asterisk() {
        for list in [
            "10.99.5.1",
            "10.99.5.1:5000",
            "10.99.0.0/16",
            "a, 10.99.5.1 ,b",
            "*",
        ] {
            assert!(excluded(list, "10.99.5.1"), "{list}");
        }
        for list in ["10.99.5.1:443", "10.98.0.0/16", "99.5.1", "5.1", "fd00::/8"] {
            assert!(!excluded(list, "10.99.5.1"), "{list}");
        }
        for list in [
            "fd00:5::1",
            "[fd00:5::1]",
            "[fd00:5::1]:5000",
            "fd00:5:0::1",
            "fd00::/8",
            "*",
        ] {
            assert!(excluded(list, "[fd00:5::1]"), "{list}");
        }
        for list in ["[fd00:5::1]:443", "fd00:5::2", "fd01::/16"] {
            assert!(!excluded(list, "[fd00:5::1]"), "{list}");
        }
    }

    #[test]
    fn address_of_a_proxy_needs_no_scheme_and_has_no_other_than_http() {
        let of = |value| address(value).map(|url| shown(&url));
        assert_eq!(of("10.0.0.1:3128").unwrap(), "http://10.0.0.1:3128");
        assert_eq!(of("http://u:p@proxy:80").unwrap(), "http://proxy");
        assert_eq!(of("https://proxy").unwrap(), "https://proxy");
        for value in ["http://:::bad", "socks5://proxy:1", "http://", "a b"] {
            assert_eq!(of(value), None, "{value}");
        }
    }
}
