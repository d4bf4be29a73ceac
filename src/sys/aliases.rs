//! Names of registries: a registry may have several, and each image counts as one under any of them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
};

/// Maps each registry to the one name by which it is compared, stored and looked up.
///
/// The loopback host has three names by itself, Docker Hub has four, and the config file may give a registry more. Images are requested and
/// built under the names as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(BTreeMap<String, String>);

/// The name of Docker Hub in image references.
const DOCKER_HUB: &str = "docker.io";

/// The hosts of Docker Hub.
const HUB_HOSTS: [&str; 3] = [
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

impl Aliases {
    /// Builds the table from pairs of an alias and the registry's own name.
    pub fn new<'t>(pairs: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(alias, name)| (built_in(alias).into_owned(), built_in(name).into_owned()));
        Self(pairs.filter(|(alias, name)| alias != name).collect())
    }

    /// Returns the one name of a registry, in lower case and without the default port of TLS.
    pub fn registry<'t>(&self, registry: &'t str) -> Cow<'t, str> {
        let mut name = built_in(registry);
        // An alias of an alias is followed. In a table with a cycle this ends at a name in the cycle, always the same.
        for _ in 0..self.0.len() {
            match self.0.get(name.as_ref()) {
                Some(next) => name = Cow::Owned(next.clone()),
                None => break,
            }
        }
        name
    }

    /// Returns all names of a registry: as it is written, its one name, those of the table, and the built-in ones.
    pub fn names_of(&self, registry: &str) -> BTreeSet<String> {
        let name = self.registry(registry).into_owned();
        let declared = self.0.iter().flat_map(|(alias, name)| [alias, name]);
        let declared = declared.filter(|other| self.registry(other) == name);
        let mut names: BTreeSet<String> = declared.cloned().collect();
        names.extend([registry.to_owned(), name.clone()]);
        for known in names.clone() {
            if known == DOCKER_HUB {
                names.extend(HUB_HOSTS.map(str::to_owned));
            }
            if let Some(port) = known.strip_prefix("localhost")
                && (port.is_empty() || port.starts_with(':'))
            {
                names.extend(["127.0.0.1", "[::1]"].map(|host| format!("{host}{port}")));
            }
        }
        names
    }
}

/// Returns the name of a registry by the built-in rules. Most names need no change and are not copied.
fn built_in(registry: &str) -> Cow<'_, str> {
    if registry.bytes().any(|b| b.is_ascii_uppercase()) {
        let lower = registry.to_ascii_lowercase();
        return Cow::Owned(built_in(&lower).into_owned());
    }
    if HUB_HOSTS.contains(&registry) {
        return Cow::Borrowed(DOCKER_HUB);
    }
    let (host, port) = split_port(registry);
    let name = host_name(host);
    match port.filter(|port| *port != "443") {
        Some(port) if name != host => Cow::Owned(format!("{name}:{port}")),
        Some(_) => Cow::Borrowed(registry),
        None => name,
    }
}

/// Returns the one name of a host without a port.
fn host_name(host: &str) -> Cow<'_, str> {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address: Option<Ipv6Addr> = address.and_then(|address| address.parse().ok());
    match address {
        None if host == "127.0.0.1" => Cow::Borrowed("localhost"),
        None => Cow::Borrowed(host),
        Some(address) => match address.to_ipv4_mapped() {
            _ if address == Ipv6Addr::LOCALHOST => Cow::Borrowed("localhost"),
            Some(Ipv4Addr::LOCALHOST) => Cow::Borrowed("localhost"),
            _ => Cow::Owned(format!("[{address}]")),
        },
    }
}

fn split_port(registry: &str) -> (&str, Option<&str>) {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_aliases_are_one_registry_for_each_port() {
        let aliases = Aliases::default();
        for name in [
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "[0:0:0:0:0:0:0:1]:5000",
            "[::ffff:7f00:1]:5000",
            "LOCALHOST:5000",
        ] {
            assert_eq!(aliases.registry(name), "localhost:5000", "{name}");
        }
        assert_eq!(aliases.registry("127.0.0.1"), "localhost");
        assert_eq!(aliases.registry("localhost:5001"), "localhost:5001");
        assert_eq!(aliases.registry("127.0.0.2:5000"), "127.0.0.2:5000");
    }

    #[test]
    fn hosts_are_compared_without_case_and_default_tls_port() {
        let aliases = Aliases::default();
        assert_eq!(aliases.registry("Registry.LAN:443"), "registry.lan");
        assert_eq!(aliases.registry("registry.lan:5000"), "registry.lan:5000");
        assert_eq!(
            aliases.registry("[2001:DB8::0:1]:5000"),
            "[2001:db8::1]:5000"
        );
        assert_eq!(aliases.registry("registry-1.docker.io"), "docker.io");
        let untouched = aliases.registry("registry.lan:5000");
        assert!(matches!(untouched, Cow::Borrowed(_)), "nothing is copied");
    }

    #[test]
    fn registry_aliases_resolve_through_the_table_and_a_loop_ends() {
        let aliases = Aliases::new([("pull.lan", "r.lan:5000"), ("r.lan:5000", "127.0.0.1:7")]);
        assert_eq!(aliases.registry("Pull.lan"), "localhost:7");
        let circle = Aliases::new([("a.lan", "b.lan"), ("b.lan", "a.lan")]);
        assert!(["a.lan", "b.lan"].contains(&circle.registry("a.lan").as_ref()));
    }
}
