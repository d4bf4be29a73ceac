//! Access to the status page, which shows the names of tasks and images.
//!
//! On loopback every user of this machine may see it, under a name of this machine: a browser that came here by another name was led by
//! some website (DNS rebinding). From elsewhere it takes the token, or a trusted proxy with a login of its own.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use axum::http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, COOKIE, HOST, ORIGIN},
};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{Error, Result},
    sys::secret::Secret,
};

use super::{
    connection_limiter::Origin,
    proof::{self, Proof},
};

/// The shortest token, because a shorter one can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// How long a cookie is valid.
const LOGIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many wrong tokens an address may send within [`WINDOW`].
const TRIES: u32 = 10;
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// How many addresses with wrong tokens are remembered.
const REMEMBERED: usize = 1000;

/// The name of the cookie.
const NAME: &str = "acrt";

/// Who may see the page.
#[derive(Debug, Default)]
pub struct Access {
    token: Option<Secret>,
    proxies: Vec<IpNet>,
    /// The URL of the page, if people reach it under another address: `https://acrt.example.org`.
    url: Option<String>,
    attempts: Mutex<BTreeMap<Origin, (u32, Timestamp)>>,
}

/// Whether a request may see the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Granted,
    /// It may, because it has the token.
    Proven,
    NeedsToken,
    /// Too many wrong tokens came from its address.
    TooMany,
    /// It came under a name that is not this machine's.
    WrongHost,
    /// It did not come through the proxy.
    NotByProxy,
}

impl Access {
    /// Sets the token, the trusted proxies, and the public URL of the page.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] for a token that is too short, an invalid address of a proxy, or an invalid URL.
    pub fn new(token: Option<Secret>, proxies: &[String], url: Option<String>) -> Result<Self> {
        let is_short = |it: &Secret| it.reveal().len() < SHORTEST_TOKEN;
        if token.as_ref().is_some_and(is_short) {
            let problem =
                format!("the token of the page is shorter than {SHORTEST_TOKEN} characters");
            return Err(Error::invalid(problem).hint("make one: openssl rand -hex 16"));
        }
        let networks = proxies.iter().map(|proxy| {
            let no_network = || {
                Error::invalid(format!(
                    "`{}` of `page.trustProxy` is neither an address nor a network as 10.0.0.0/8",
                    proxy.escape_debug()
                ))
            };
            network(proxy).ok_or_else(no_network)
        });
        let proxies = networks.collect::<Result<_>>()?;
        let is_url = |url: &String| host_in(url).is_some_and(|host| !name_of(host).is_empty());
        if let Some(url) = url.as_ref().filter(|url| !is_url(url)) {
            return Err(Error::invalid(format!(
                "`page.url` is `{}`, which is not of the form https://acrt.example.org, without a path",
                url.escape_debug()
            )));
        }
        Ok(Self {
            token,
            proxies,
            url,
            attempts: Mutex::default(),
        })
    }

    /// Tells whether the page is protected, so that it may be reachable from other machines.
    pub fn requires_authentication(&self) -> bool {
        self.token.is_some() || !self.proxies.is_empty()
    }

    /// Decides about a request that came from `peer`.
    pub fn admit(&self, peer: IpAddr, headers: &HeaderMap, now: Timestamp) -> Admission {
        let address = peer.to_canonical();
        let is_local = address.is_loopback();
        let by_proxy = self.proxies.iter().any(|it| it.contains(&address));
        match &self.token {
            Some(token) if !by_proxy => self.admit_by_token(token, peer, headers, now),
            None if !by_proxy && !is_local => Admission::NotByProxy,
            _ if is_local && !self.is_own_name(headers) => Admission::WrongHost,
            _ => Admission::Granted,
        }
    }

    fn admit_by_token(
        &self,
        token: &Secret,
        peer: IpAddr,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Admission {
        if cookies(headers).any(|cookie| is_cookie(token, cookie, now)) {
            return Admission::Proven;
        }
        if !headers.contains_key(AUTHORIZATION) {
            return Admission::NeedsToken;
        }
        self.judge(peer, now, Proof::of(token, headers, "") == Proof::Secret)
    }

    /// Checks a token from the login form. Returns the cookie for the right one.
    pub fn log_in(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        typed: &str,
        now: Timestamp,
    ) -> (Admission, Option<String>) {
        let Some(token) = &self.token else {
            return (Admission::Granted, None);
        };
        match self.judge(peer, now, proof::is_secret(token, typed.trim())) {
            Admission::Proven => {
                let cookie = self.cookie(token, headers, now);
                (Admission::Proven, Some(cookie))
            }
            other => (other, None),
        }
    }

    /// Counts wrong tokens. After too many, the right token is refused too: otherwise guessing would find it.
    fn judge(&self, peer: IpAddr, now: Timestamp, is_right: bool) -> Admission {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        let origin = Origin::from(peer);
        if attempts
            .get(&origin)
            .is_some_and(|(count, _)| *count >= TRIES)
        {
            return Admission::TooMany;
        }
        if is_right {
            return Admission::Proven;
        }
        // A sender that fills the memory from many addresses makes all new addresses wait.
        if attempts.len() >= REMEMBERED && !attempts.contains_key(&origin) {
            return Admission::TooMany;
        }
        attempts.entry(origin).or_insert((0, now)).0 += 1;
        Admission::NeedsToken
    }

    /// Returns the cookie: its expiry, and a MAC over that with the token as key. It does not reveal the token, and a new token makes it
    /// invalid. Browsers drop a `Secure` cookie of a page that they opened by HTTP, and so by another host than that of its URL.
    fn cookie(&self, token: &Secret, headers: &HeaderMap, now: Timestamp) -> String {
        let until = now
            .saturating_add(LOGIN)
            .map_or(now, |until| until)
            .as_second();
        let value = proof::signature(token, message(until).as_bytes());
        let secure = match &self.url {
            Some(url) if is_https(url) && self.is_at_url(&host_of(headers)) => "; Secure",
            _ => "",
        };
        let age = LOGIN.as_secs();
        format!("{NAME}={until}.{value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
    }

    /// Tells whether the `Host` of a request is a name of this machine, or that of the page's URL.
    fn is_own_name(&self, headers: &HeaderMap) -> bool {
        let host = host_of(headers);
        is_local_name(&host) || self.is_at_url(&host)
    }

    /// Tells whether a host is that of the page's URL, on whichever port: proxies pass on hosts with and without one.
    fn is_at_url(&self, host: &str) -> bool {
        let own = self.url.as_deref().and_then(host_in);
        own.is_some_and(|own| name_of(own) == name_of(host))
    }
}

fn host_of(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    host.unwrap_or_default().to_owned()
}

/// Returns a host without its port and the brackets of an IPv6 address, in lower case.
fn name_of(host: &str) -> String {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.to_ascii_lowercase()
}

/// Tells whether a host, with its port if it has one, is a name of this machine.
fn is_local_name(host: &str) -> bool {
    let name = name_of(host);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// Returns the response to a request that a website may have made in a browser on this machine: with a `Host` that is not a name of this
/// machine, or from a page of another `Origin`.
pub fn refusal_of_website(headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    if !text(HOST).is_some_and(is_local_name) {
        return Some((
            StatusCode::MISDIRECTED_REQUEST,
            "without a secret, webhooks are only for names of this machine, as localhost; a sender under `listen` in the config file of acrt may have one\n",
        ));
    }
    let is_own = |origin: &str| {
        origin
            .split_once("://")
            .is_some_and(|(_, host)| is_local_name(host))
    };
    text(ORIGIN)
        .is_some_and(|origin| !is_own(origin))
        .then_some((
            StatusCode::FORBIDDEN,
            "without a secret, no website may send webhooks\n",
        ))
}

/// Parses an address or a network: `10.0.0.7`, `10.0.0.0/8`.
fn network(text: &str) -> Option<IpNet> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).ok()
}

fn message(until: i64) -> String {
    format!("the page of acrt until {until}")
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let all = headers.get_all(COOKIE).into_iter();
    let all = all.filter_map(|value| value.to_str().ok());
    let all = all.flat_map(|value| value.split(';'));
    all.filter_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='))
}

fn is_cookie(token: &Secret, cookie: &str, now: Timestamp) -> bool {
    let parts = || {
        let (until, value) = cookie.split_once('.')?;
        Some((until.parse::<i64>().ok()?, proof::bytes_of_hex(value)?))
    };
    parts().is_some_and(|(until, value)| {
        until > now.as_second() && proof::is_signed(token, &value, message(until).as_bytes())
    })
}

fn is_https(url: &str) -> bool {
    url.get(..8)
        .is_some_and(|it| it.eq_ignore_ascii_case("https://"))
}

/// Returns the host and port of a URL without a path.
fn host_in(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_http = ["http", "https"]
        .iter()
        .any(|it| scheme.eq_ignore_ascii_case(it));
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    (is_http && host.chars().all(fits)).then_some(host)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn access(token: Option<&str>, proxies: &[&str], url: Option<&str>) -> Access {
        let proxies: Vec<String> = proxies.iter().map(|it| (*it).to_owned()).collect();
        Access::new(token.map(Secret::new), &proxies, url.map(str::to_owned)).unwrap()
    }

    fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
        let all = all
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        all.collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn by_host(access: &Access, peer: &str, host: &str) -> Admission {
        access.admit(ip(peer), &headers(&[(HOST, host)]), at(0))
    }

    #[test]
    fn loopback_page_requires_a_local_host_name_and_no_token() {
        let plain = access(None, &[], None);
        for host in [
            "localhost:8585",
            "127.0.0.1:8585",
            "127.9.0.1",
            "[::1]:8585",
            "LOCALHOST",
        ] {
            assert_eq!(
                by_host(&plain, "127.0.0.1", host),
                Admission::Granted,
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "",
            "[::2]",
        ] {
            assert_eq!(by_host(&plain, "::1", host), Admission::WrongHost, "{host}");
        }
        assert_eq!(
            by_host(&plain, "192.0.2.1", "localhost"),
            Admission::NotByProxy
        );
    }

    #[test]
    fn request_of_a_website_is_recognized_by_its_host_or_origin() {
        let status = |all: &[(HeaderName, &str)]| {
            refusal_of_website(&headers(all)).map(|(status, _)| status.as_u16())
        };
        let local = (HOST, "127.0.0.1:8585");
        assert_eq!(status(std::slice::from_ref(&local)), None);
        assert_eq!(status(&[(HOST, "evil.example")]), Some(421));
        assert_eq!(status(&[]), Some(421));
        for (origin, expected) in [
            ("http://localhost:8585", None),
            ("https://[::1]", None),
            ("http://evil.example", Some(403)),
            ("http://localhost.evil.example", Some(403)),
            ("null", Some(403)),
        ] {
            assert_eq!(
                status(&[local.clone(), (ORIGIN, origin)]),
                expected,
                "{origin}"
            );
        }
    }

    #[test]
    fn configured_proxy_needs_no_token_and_others_do() {
        let behind = access(
            None,
            &["10.1.0.0/16", "::1", "127.0.0.1"],
            Some("https://acrt.lan"),
        );
        assert_eq!(by_host(&behind, "10.1.2.3", "anything"), Admission::Granted);
        assert_eq!(
            by_host(&behind, "::ffff:10.1.2.3", "anything"),
            Admission::Granted
        );
        assert_eq!(
            by_host(&behind, "10.2.0.1", "anything"),
            Admission::NotByProxy
        );
        assert_eq!(
            by_host(&behind, "127.0.0.1", "acrt.lan"),
            Admission::Granted
        );
        for other in ["evil.example", "evil.example:443", "acrt.lan.evil.example"] {
            assert_eq!(
                by_host(&behind, "127.0.0.1", other),
                Admission::WrongHost,
                "{other}"
            );
        }
        let both = access(Some(TOKEN), &["10.1.0.7"], None);
        assert_eq!(by_host(&both, "10.1.0.7", "x"), Admission::Granted);
        assert_eq!(
            by_host(&both, "127.0.0.1", "localhost"),
            Admission::NeedsToken
        );
        for wrong in ["10.0.0.0/33", "proxy.lan", "/8", "1.2.3.4/x"] {
            assert!(
                Access::new(None, &[wrong.to_owned()], None).is_err(),
                "{wrong}"
            );
        }
        for wrong in ["acrt.lan", "https://", "https://a/b", "javascript:x"] {
            assert!(
                Access::new(None, &[], Some(wrong.to_owned())).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn host_of_the_page_url_is_its_own_in_any_case_and_on_any_port() {
        for url in [
            "https://acrt.lan:8443",
            "https://acrt.lan:443/",
            "HTTPS://Acrt.LAN",
            "http://[2001:db8::1]:80",
        ] {
            let page = access(None, &[], Some(url));
            let (own, other) = match url.contains('[') {
                true => ("[2001:DB8::1]", "[2001:db8::2]"),
                false => ("acrt.lan", "lan"),
            };
            for host in [own.to_owned(), format!("{own}:8443"), own.to_uppercase()] {
                let admission = by_host(&page, "127.0.0.1", &host);
                assert_eq!(admission, Admission::Granted, "{url} {host}");
            }
            let admission = by_host(&page, "127.0.0.1", other);
            assert_eq!(admission, Admission::WrongHost, "{url}");
        }
    }

    #[test]
    fn page_cookie_is_secure_only_for_the_host_of_an_https_url() {
        for (url, host, is_secure) in [
            ("https://acrt.lan", "acrt.lan:443", true),
            ("https://acrt.lan:8443", "ACRT.lan", true),
            ("https://acrt.lan", "build.lan:8585", false),
            ("http://acrt.lan", "acrt.lan", false),
        ] {
            let page = access(Some(TOKEN), &[], Some(url));
            let headers = headers(&[(HOST, host)]);
            let (_, cookie) = page.log_in(ip("192.0.2.1"), &headers, TOKEN, at(1000));
            let cookie = cookie.unwrap();
            assert_eq!(cookie.ends_with("; Secure"), is_secure, "{url} {host}");
        }
    }

    #[test]
    fn page_cookie_is_valid_for_a_month_and_differs_from_the_token() {
        let closed = access(Some(TOKEN), &[], Some("https://acrt.lan"));
        let (admission, cookie) = closed.log_in(
            ip("192.0.2.1"),
            &headers(&[(HOST, "acrt.lan")]),
            TOKEN,
            at(1000),
        );
        let cookie = cookie.unwrap();
        assert_eq!(admission, Admission::Proven);
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure") && !cookie.contains(TOKEN));
        let value = cookie.split(';').next().unwrap();
        let shown = |value: &str, second: i64| {
            closed.admit(ip("192.0.2.9"), &headers(&[(COOKIE, value)]), at(second))
        };
        assert_eq!(shown(&format!("a=b; {value}"), 2000), Admission::Proven);
        assert_eq!(shown(value, 1000 + LOGIN.as_secs()), Admission::NeedsToken);
        let later = value.replacen("acrt=", "acrt=9", 1);
        let cut = &value[..value.len() - 1];
        for wrong in [
            later.as_str(),
            cut,
            "acrt=",
            "acrt=9999999999.",
            &format!("acrt={TOKEN}"),
        ] {
            assert_eq!(shown(wrong, 2000), Admission::NeedsToken, "{wrong}");
        }
        // Another token makes it invalid.
        let other = access(Some("fedcba9876543210"), &[], None);
        let headers = headers(&[(COOKIE, value)]);
        assert_eq!(
            other.admit(ip("192.0.2.9"), &headers, at(2000)),
            Admission::NeedsToken
        );
    }

    #[test]
    fn wrong_tokens_are_rate_limited_by_address_and_a_cookie_is_still_accepted() {
        let closed = access(Some(TOKEN), &[], None);
        let (one, other) = (ip("2001:db8::1"), ip("192.0.2.1"));
        let cookie = closed
            .log_in(one, &HeaderMap::new(), TOKEN, at(0))
            .1
            .unwrap();
        for _ in 0..TRIES {
            assert_eq!(
                closed.log_in(one, &HeaderMap::new(), "wrong", at(1)).0,
                Admission::NeedsToken
            );
        }
        // From anywhere in the same network, by the form or a header, even with the right token.
        let neighbour = ip("2001:db8::2");
        assert_eq!(
            closed.log_in(neighbour, &HeaderMap::new(), TOKEN, at(2)).0,
            Admission::TooMany
        );
        let bearer = headers(&[(AUTHORIZATION, &format!("Bearer {TOKEN}"))]);
        assert_eq!(closed.admit(one, &bearer, at(2)), Admission::TooMany);
        assert_eq!(closed.admit(other, &bearer, at(2)), Admission::Proven);
        let cookie = headers(&[(COOKIE, cookie.split(';').next().unwrap())]);
        assert_eq!(closed.admit(one, &cookie, at(2)), Admission::Proven);
        assert_eq!(closed.admit(one, &bearer, at(62)), Admission::Proven);
        for n in 0..2 * REMEMBERED as u32 {
            closed.log_in(
                IpAddr::from(n.to_be_bytes()),
                &HeaderMap::new(),
                "wrong",
                at(100),
            );
        }
        assert!(closed.attempts.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn short_page_token_is_refused() {
        assert!(Access::new(Some(Secret::new("secret")), &[], None).is_err());
    }
}
