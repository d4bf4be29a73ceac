//! The rules for URLs that a registry names, which keep a token realm or a redirect from reaching into the local network.
//!
//! A registry names the realm of its tokens and the targets of its redirects, and can see the responses of both. So it must not be able to
//! name a machine that is nearer to acrt than the registry itself. Names are checked where they are resolved for the connection: the
//! addresses that were checked are those that are connected to.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::{
    registry::error_text::{bare, clean},
    sys::settings,
};

/// How near an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressClass {
    /// On the public internet.
    Public,
    /// In a private network, by RFC 1918 and similar rules.
    Private,
    /// This machine, or only reachable on its own link, as the metadata services of clouds.
    Local,
}

impl AddressClass {
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        if address.is_loopback()
            || address.is_link_local()
            || address.is_multicast()
            || address.is_broadcast()
            || a == 0
            || a >= 240
        {
            Self::Local
        } else if address.is_private()
            || (a == 100 && b & 0xc0 == 64)
            || (a == 198 && b & 0xfe == 18)
        {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        // An IPv4 address embedded in IPv6 has the class of the IPv4 address: mapped, compatible, NAT64 and 6to4.
        let inner = match segments {
            [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                Some((high, low))
            }
            [0x2002, high, low, ..] => Some((high, low)),
            _ => None,
        };
        if address.is_loopback()
            || address.is_unspecified()
            || address.is_multicast()
            || address.is_unicast_link_local()
        {
            Self::Local
        } else if let Some((high, low)) = inner {
            Self::of_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        } else if address.is_unique_local() || segments[0] & 0xffc0 == 0xfec0 {
            Self::Private
        } else {
            Self::Public
        }
    }
}

/// Why a URL is forbidden. The text follows the name of its source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is no URL, not of http or https, or contains a login.
    #[error("`{0}` is not an absolute http or https URL without a login in it")]
    Form(String),
    /// It would go from https down to http.
    #[error("`{0}` is plain http, and the registry is not")]
    Downgrade(String),
    /// It is nearer to this machine than the registry.
    #[error(
        "`{0}` is inside this network, and the registry is not; list it under `registries` in the config file to allow it"
    )]
    Nearer(String),
}

/// Checks the URLs that a registry names, and resolves names for its connections.
#[derive(Debug)]
pub struct UrlPolicy {
    /// The registry's own host name, without port.
    host: String,
    /// Host names in the config file, which may have any address.
    known: HashSet<String>,
    /// Host names of proxies: they may be connected to at any address, but not be named by a registry.
    proxies: HashSet<String>,
    /// The class of the registry: of the farthest of its addresses, because farther is stricter.
    zone: Mutex<Option<AddressClass>>,
}

impl UrlPolicy {
    /// Returns the policy of the registry at `host`, a name or an address.
    pub fn new(host: &str, known: HashSet<String>, proxies: HashSet<String>) -> Self {
        Self {
            host: host.to_owned(),
            known,
            proxies,
            zone: Mutex::new(spelled(host)),
        }
    }

    /// Returns `text` as a URL that the response from `from` may redirect to; one without a host is relative to `from`.
    ///
    /// Names are only judged by their spelling here; their addresses are checked when they are resolved.
    pub fn redirect(&self, from: &Url, text: &str) -> Result<Url, Forbidden> {
        let url = from.join(text).map_err(|_| Forbidden::Form(clean(text)))?;
        self.admit(from, url)
    }

    /// Returns `text` as the URL of a token service that the registry at `origin` may name; it must be absolute.
    pub fn realm(&self, origin: &Url, text: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(text).map_err(|_| Forbidden::Form(clean(text)))?;
        self.admit(origin, url)
    }

    fn admit(&self, from: &Url, url: Url) -> Result<Url, Forbidden> {
        let shown = || clean(&bare(&url));
        let has_login = !url.username().is_empty() || url.password().is_some();
        let Some(host) = url.host_str().filter(|_| !has_login) else {
            return Err(Forbidden::Form(shown()));
        };
        match (from.scheme(), url.scheme()) {
            (_, "https") | ("http", "http") => {}
            (_, "http") => return Err(Forbidden::Downgrade(shown())),
            _ => return Err(Forbidden::Form(shown())),
        }
        let spelled = spelled(host).unwrap_or(AddressClass::Public);
        let is_proxy = self.proxies.contains(host);
        if host == self.host || self.known.contains(host) || (spelled <= self.zone() && !is_proxy) {
            Ok(url)
        } else {
            Err(Forbidden::Nearer(shown()))
        }
    }

    /// Returns the class of the registry. Unknown, as behind a proxy that resolves names, counts as far away.
    fn zone(&self) -> AddressClass {
        self.zone
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .unwrap_or(AddressClass::Public)
    }

    /// Records the addresses of `name`, and returns whether it may be connected to.
    fn resolved(&self, name: &str, addresses: &[SocketAddr]) -> Result<(), Forbidden> {
        let zones = || {
            addresses
                .iter()
                .map(|address| AddressClass::of(address.ip()))
        };
        if name == self.host {
            *self.zone.lock().unwrap_or_else(PoisonError::into_inner) = zones().min();
            return Ok(());
        }
        let is_chosen = self.known.contains(name) || self.proxies.contains(name);
        if is_chosen || zones().all(|zone| zone <= self.zone()) {
            Ok(())
        } else {
            Err(Forbidden::Nearer(name.to_owned()))
        }
    }
}

/// Returns the class of a host as far as its spelling shows it; `None` for a name that must be resolved.
fn spelled(host: &str) -> Option<AddressClass> {
    match address(host) {
        Some(address) => Some(AddressClass::of(address)),
        None => settings::is_loopback(host).then_some(AddressClass::Local),
    }
}

/// Parses the host of a URL or a login server as an address, with or without brackets.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// The policy as a resolver for the HTTP client.
pub struct GuardedResolver(pub Arc<UrlPolicy>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.collect();
            guard.resolved(name.as_str(), &addresses)?;
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(address: &str) -> AddressClass {
        AddressClass::of(address.parse().unwrap())
    }

    fn at(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect()
    }

    #[test]
    fn loopback_and_metadata_service_addresses_are_local() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            assert_eq!(zone(text), AddressClass::Local, "{text}");
        }
    }

    #[test]
    fn private_networks_are_between_public_and_local_addresses() {
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "fd00:ec2::254",
            "::ffff:10.0.0.1",
            "fec0::1",
        ] {
            assert_eq!(zone(text), AddressClass::Private, "{text}");
        }
        for text in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(zone(text), AddressClass::Public, "{text}");
        }
    }

    #[test]
    fn registry_may_redirect_to_public_hosts_and_to_its_own_address_class() {
        let public = UrlPolicy::new("registry.example", HashSet::new(), HashSet::new());
        public
            .resolved("registry.example", &at(&["93.184.216.34"]))
            .unwrap();
        assert_eq!(
            public.resolved("auth.example", &at(&["93.184.216.35"])),
            Ok(())
        );
        let private = UrlPolicy::new("registry.lan", HashSet::new(), HashSet::new());
        private
            .resolved("registry.lan", &at(&["192.168.1.2"]))
            .unwrap();
        assert_eq!(private.resolved("auth.lan", &at(&["10.0.0.3"])), Ok(()));
        assert_eq!(
            private.resolved("auth.lan", &at(&["127.0.0.1"])),
            Err(Forbidden::Nearer("auth.lan".into()))
        );
    }

    #[test]
    fn host_with_one_local_address_among_public_ones_is_refused() {
        let guard = UrlPolicy::new("registry.example", HashSet::new(), HashSet::new());
        assert_eq!(
            guard.resolved("auth.example", &at(&["93.184.216.35", "169.254.169.254"])),
            Err(Forbidden::Nearer("auth.example".into()))
        );
    }

    #[test]
    fn registry_with_local_and_public_addresses_counts_as_public() {
        let guard = UrlPolicy::new("registry.example", HashSet::new(), HashSet::new());
        guard
            .resolved("registry.example", &at(&["93.184.216.34", "127.0.0.1"]))
            .unwrap();
        assert!(guard.resolved("auth.example", &at(&["127.0.0.1"])).is_err());
    }

    #[test]
    fn host_allowed_by_the_config_file_may_have_any_address() {
        let guard = UrlPolicy::new(
            "registry.example",
            HashSet::from(["auth.corp".to_owned()]),
            HashSet::new(),
        );
        assert_eq!(guard.resolved("auth.corp", &at(&["10.0.0.3"])), Ok(()));
    }

    #[test]
    fn proxy_may_have_any_address_and_is_refused_as_a_token_realm() {
        let origin = Url::parse("https://registry.example/").unwrap();
        let proxies = HashSet::from(["proxy.corp".to_owned()]);
        let guard = UrlPolicy::new("registry.example", HashSet::new(), proxies);
        assert_eq!(guard.resolved("proxy.corp", &at(&["10.0.0.8"])), Ok(()));
        assert_eq!(
            guard.realm(&origin, "https://proxy.corp/token"),
            Err(Forbidden::Nearer("https://proxy.corp/token".into()))
        );
    }

    #[test]
    fn relative_redirect_keeps_the_host() {
        let elsewhere = Url::parse("https://cdn.example/a/b?x").unwrap();
        let guard = UrlPolicy::new("registry.example", HashSet::new(), HashSet::new());
        assert_eq!(
            guard.redirect(&elsewhere, "../c").unwrap().as_str(),
            "https://cdn.example/c"
        );
        assert_eq!(
            guard
                .redirect(&elsewhere, "//other.example/c")
                .unwrap()
                .as_str(),
            "https://other.example/c"
        );
    }

    #[test]
    fn token_realm_is_judged_by_scheme_credential_and_spelling() {
        let origin = Url::parse("https://registry.example/").unwrap();
        let guard = UrlPolicy::new("registry.example", HashSet::new(), HashSet::new());
        let admit = |text: &str| guard.realm(&origin, text);
        assert!(admit("https://auth.example/token?a=b").is_ok());
        for (text, why) in [
            ("/token", Forbidden::Form("/token".into())),
            (
                "ftp://auth.example/",
                Forbidden::Form("ftp://auth.example/".into()),
            ),
            (
                "https://u:p@auth.example/",
                Forbidden::Form("https://u:p@auth.example/".into()),
            ),
            (
                "http://auth.example/",
                Forbidden::Downgrade("http://auth.example/".into()),
            ),
            (
                "https://127.0.0.1/",
                Forbidden::Nearer("https://127.0.0.1/".into()),
            ),
            (
                "https://2130706433/?a",
                Forbidden::Nearer("https://127.0.0.1/".into()),
            ),
            ("https://[::1]/", Forbidden::Nearer("https://[::1]/".into())),
            (
                "https://localhost:1/",
                Forbidden::Nearer("https://localhost:1/".into()),
            ),
            (
                "https://10.1.2.3/",
                Forbidden::Nearer("https://10.1.2.3/".into()),
            ),
        ] {
            assert_eq!(admit(text), Err(why), "{text}");
        }
    }

    #[test]
    fn loopback_registry_may_redirect_to_loopback() {
        let origin = Url::parse("http://127.0.0.1:5000/").unwrap();
        let guard = UrlPolicy::new("127.0.0.1", HashSet::new(), HashSet::new());
        assert!(guard.realm(&origin, "http://127.0.0.1:5001/token").is_ok());
        assert!(guard.realm(&origin, "http://localhost:5001/token").is_ok());
        assert_eq!(
            guard.redirect(&origin, "/v2/b").unwrap().as_str(),
            "http://127.0.0.1:5000/v2/b"
        );
    }
}
