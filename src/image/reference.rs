//! References: an image's registry, repository, tag and digest.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::excerpt;

use super::{Digest, InvalidDigest};

/// The registry of names without a host.
pub const DOCKER_HUB: &str = "docker.io";

/// Another name of Docker Hub, in references only.
const OTHER_HUB: &str = "index.docker.io";

/// The longest name, registry and slash included, that registries and clients accept.
const MAX_NAME: usize = 255;

/// A normalized reference, such as `docker.io/library/node:20-alpine`.
///
/// The grammar and the rules are those of `github.com/distribution/reference`: a name without a registry is on Docker
/// Hub, an official image is in `library/`, and `:latest` is added only where there is neither tag nor digest. With
/// both, the digest decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// `registry/repository[:tag]`, in one string that all clones share: a round over ten thousand tasks holds several for each.
    text: Arc<str>,
    registry_end: u16,
    repository_end: u16,
    /// Boxed, because few references have one.
    digest: Option<Box<Digest>>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    #[error("reference is empty")]
    Empty,
    /// The repository has upper-case letters.
    #[error("reference `{0}`: repository name must be lower-case")]
    UpperCase(String),
    /// A name of 64 hex digits cannot be distinguished from an image id.
    #[error("reference `{0}`: a name of 64 hex digits is an image id, not a repository")]
    HexName(String),
    /// The registry is no host name or address with an optional port.
    #[error("reference `{text}`: registry `{registry}` is not a host name with an optional port")]
    Registry { text: String, registry: String },
    #[error("reference `{0}` is not of the form [registry/]repository[:tag][@digest]")]
    Form(String),
    #[error(
        "reference `{text}`: tag `{tag}` must be 1 to 128 letters, digits, `_`, `.` or `-`, and start with none of the last two"
    )]
    Tag { text: String, tag: String },
    #[error("reference `{text}`: {problem}")]
    Digest {
        text: String,
        problem: InvalidDigest,
    },
    /// The name is longer than registries allow.
    #[error(
        "reference `{0}`: registry and repository together must not be longer than 255 characters"
    )]
    TooLong(String),
}

impl Reference {
    /// Returns the login server, `docker.io` or `host[:port]`.
    pub fn registry(&self) -> &str {
        &self.text[..usize::from(self.registry_end)]
    }

    /// Returns the repository, `library/node`.
    pub fn repository(&self) -> &str {
        &self.text[usize::from(self.registry_end) + 1..usize::from(self.repository_end)]
    }

    /// Returns the tag, given or implied, if there is one.
    pub fn tag(&self) -> Option<&str> {
        self.text.get(usize::from(self.repository_end) + 1..)
    }

    /// Returns the digest, if one was given. It overrides the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_deref()
    }

    /// Returns registry and repository, `docker.io/library/node`.
    pub fn name(&self) -> String {
        self.text[..usize::from(self.repository_end)].to_owned()
    }

    /// Returns the reference as Docker prints it: without Docker Hub, and without `library/` for official images.
    pub fn familiar(&self) -> String {
        let whole = self.to_string();
        let hub = whole.strip_prefix(DOCKER_HUB);
        let Some(name) = hub.and_then(|name| name.strip_prefix('/')) else {
            return whole;
        };
        let official = name.strip_prefix("library/");
        official
            .filter(|official| !official.contains('/'))
            .unwrap_or(name)
            .to_owned()
    }

    /// Returns the [`familiar`](Self::familiar) name of a reference's text; a text that is no reference is returned
    /// unchanged.
    pub fn familiar_text(text: &str) -> String {
        let reference = text.parse::<Self>();
        reference.map_or_else(|_| text.to_owned(), |it| it.familiar())
    }

    /// Returns the shortest form: what Docker prints, without `:latest`. BuildKit looks up named contexts by it.
    pub fn shortest(&self) -> String {
        let short = self.familiar();
        short.strip_suffix(":latest").unwrap_or(&short).to_owned()
    }

    /// Returns the reference by tag alone; `None` where it has no tag.
    pub fn without_digest(&self) -> Option<Self> {
        self.tag()?;
        Some(Self {
            digest: None,
            ..self.clone()
        })
    }

    /// Returns the same repository at `digest`, without a tag, as written into a pinned Dockerfile.
    pub fn at(&self, digest: Digest) -> Self {
        Self {
            text: self.name().into(),
            registry_end: self.registry_end,
            repository_end: self.repository_end,
            digest: Some(Box::new(digest)),
        }
    }

    /// Returns the same repository, tag and digest on another registry; `None` where `registry` is no valid registry
    /// name.
    pub fn on(&self, registry: &str) -> Option<Self> {
        let rest = self.to_string();
        let rest = rest.get(usize::from(self.registry_end)..)?;
        format!("{registry}{rest}").parse().ok()
    }

    /// Returns the part that is requested from a registry: the digest if there is one, else the tag.
    pub fn tag_or_digest(&self) -> &str {
        match (self.digest(), self.tag()) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }

    /// Returns the reference with these parts; `None` unless they are those of a normalized reference.
    pub fn of_parts(registry: &str, repository: &str, tag: &str) -> Option<Self> {
        let length = registry.len() + 1 + repository.len();
        let is_other = registry == OTHER_HUB || registry == DOCKER_HUB && !repository.contains('/');
        let is_name = is_host(registry) && is_registry(registry) && is_repository(repository);
        if length > MAX_NAME || is_other || !is_name || !is_tag(tag) {
            return None;
        }
        Some(Self {
            text: [registry, "/", repository, ":", tag].concat().into(),
            registry_end: u16::try_from(registry.len()).ok()?,
            repository_end: u16::try_from(length).ok()?,
            digest: None,
        })
    }

    /// Parses a repository and tag that belong to `registry` unless they name another one, as in `--image` of a task.
    pub fn within(registry: &str, text: &str) -> Result<Self, InvalidReference> {
        match split_registry(text.split('@').next().unwrap_or(text)) {
            (Some(_), _) => text.parse(),
            (None, _) if text.is_empty() => Err(InvalidReference::Empty),
            (None, _) => format!("{registry}/{text}").parse(),
        }
    }

    /// Returns registry, repository and tag for comparison; each part includes the separator in front of it.
    fn parts(&self) -> (&[u8], &[u8], &[u8]) {
        let (registry, rest) = self.text.as_bytes().split_at(self.registry_end.into());
        let repository = usize::from(self.repository_end - self.registry_end);
        let (repository, tag) = rest.split_at(repository);
        (registry, repository, tag)
    }
}

impl Ord for Reference {
    /// Orders by registry, then repository, then tag.
    fn cmp(&self, other: &Self) -> Ordering {
        let ends = |one: &Self| (one.registry_end, one.repository_end);
        // Nearly all comparisons are of names with parts of equal lengths.
        let by_text = if ends(self) == ends(other) {
            self.text.cmp(&other.text)
        } else {
            self.parts().cmp(&other.parts())
        };
        by_text.then_with(|| self.digest.cmp(&other.digest))
    }
}

impl PartialOrd for Reference {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Splits off the registry: the first component is a host if it has a dot or a colon, is `localhost`, or has upper-case letters.
fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((host, rest)) if is_host(host) => (Some(host), rest),
        _ => (None, name),
    }
}

/// Tells whether the part of a name before its first slash is a host.
fn is_host(part: &str) -> bool {
    let tells = |b: u8| matches!(b, b'.' | b':') || b.is_ascii_uppercase();
    part == "localhost" || part.bytes().any(tells)
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.is_empty() {
            return Err(InvalidReference::Empty);
        }
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(InvalidReference::HexName(excerpt(text)));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(parse_digest(text, digest)?)),
            None => (text, None),
        };
        let (registry, rest) = split_registry(rest);
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        let registry = match registry {
            None | Some(OTHER_HUB) => DOCKER_HUB,
            Some(host) => host,
        };
        if !is_registry(registry) {
            return Err(InvalidReference::Registry {
                text: excerpt(text),
                registry: excerpt(registry),
            });
        }
        if !is_repository(path) {
            return Err(
                if path.bytes().any(|b| b.is_ascii_uppercase())
                    && is_repository(&path.to_ascii_lowercase())
                {
                    InvalidReference::UpperCase(excerpt(text))
                } else {
                    InvalidReference::Form(excerpt(text))
                },
            );
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(InvalidReference::Tag {
                text: excerpt(text),
                tag: excerpt(tag),
            });
        }
        let is_official = registry == DOCKER_HUB && !path.contains('/');
        let library = if is_official { "library/" } else { "" };
        let length = registry.len() + 1 + library.len() + path.len();
        if length > MAX_NAME {
            return Err(InvalidReference::TooLong(excerpt(text)));
        }
        let too_long = |_| InvalidReference::TooLong(excerpt(text));
        let registry_end = u16::try_from(registry.len()).map_err(too_long)?;
        let repository_end = u16::try_from(length).map_err(too_long)?;
        let tag = match (tag, &digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        let separator = if tag.is_some() { ":" } else { "" };
        let parts = [registry, "/", library, path, separator, tag.unwrap_or("")];
        Ok(Self {
            text: parts.concat().into(),
            registry_end,
            repository_end,
            digest: digest.map(Box::new),
        })
    }
}

fn parse_digest(text: &str, digest: &str) -> Result<Digest, InvalidReference> {
    digest.parse().map_err(|problem| InvalidReference::Digest {
        text: excerpt(text),
        problem,
    })
}

/// Returns what to write in place of a registry name that is a URL or an image; `None` where it is neither.
pub fn meant_registry(name: &str) -> Option<String> {
    let (is_http, rest) = match name.split_once("://") {
        Some((scheme, rest)) => (scheme.eq_ignore_ascii_case("http"), rest),
        None if name.contains('/') => (false, name),
        None => return None,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if !is_registry(host) {
        return None;
    }
    let path = match path.trim_matches('/') {
        "" => String::new(),
        path => format!(", and what is behind it in the image, as {path}/NAME:TAG"),
    };
    let is_own = ["localhost", "127.", "[::1]"]
        .iter()
        .any(|own| host.starts_with(own));
    let plain = if is_http && !is_own {
        "; plain http is `plainHttp: true` of that registry in the config file"
    } else {
        ""
    };
    Some(format!("write {host}{path}{plain}"))
}

/// Tells whether `text` is a host name, an IPv4 address or a bracketed IPv6 address, with an optional port from 1 to 65535.
///
/// The grammar allows no `_` in a host. Without a port, though, it takes the whole name for a path, whose first
/// component clients take for the host: `my_reg.local/img` is an image, `my_reg.local:5000/img` is not.
pub fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => match port.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port_is_fine = port.is_none_or(|port| {
        let is_number = port.bytes().all(|b| b.is_ascii_digit());
        is_number && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    let host_is_fine = if text.starts_with('[') {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
    } else {
        host.as_bytes().split(|b| *b == b'.').all(is_host_part)
            || (port.is_none() && host.contains('.') && is_path_part(host.as_bytes()))
    };
    port_is_fine && host_is_fine
}

fn is_host_part(part: &[u8]) -> bool {
    let ends = [part.first(), part.last()];
    ends.iter()
        .all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

fn is_repository(path: &str) -> bool {
    path.as_bytes().split(|b| *b == b'/').all(is_path_part)
}

/// Matches runs of lower-case letters and digits, joined by one of `.`, `_`, `__` or any number of `-`.
fn is_path_part(part: &[u8]) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut at = 0;
    loop {
        let start = at;
        while at < part.len() && alphanumeric(part[at]) {
            at += 1;
        }
        if at == start {
            return false;
        }
        if at == part.len() {
            return true;
        }
        let rest = &part[at..];
        at += match rest {
            [b'.', ..] => 1,
            [b'_', b'_', ..] => 2,
            [b'_', ..] => 1,
            [b'-', ..] => rest.iter().take_while(|b| **b == b'-').count(),
            _ => return false,
        };
    }
}

fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    bytes.len() <= 128
        && bytes
            .first()
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        super::parsed(input)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        text.parse::<Reference>().unwrap().to_string()
    }

    fn hex(n: usize) -> String {
        "a".repeat(n)
    }

    #[test]
    fn short_names_are_on_docker_hub_with_tag_latest() {
        assert_eq!(normal("node"), "docker.io/library/node:latest");
        assert_eq!(normal("node:20"), "docker.io/library/node:20");
        assert_eq!(normal("acme/node"), "docker.io/acme/node:latest");
        assert_eq!(normal("registry/foo:1"), "docker.io/registry/foo:1");
        assert_eq!(normal("docker.io/node"), "docker.io/library/node:latest");
        assert_eq!(normal("index.docker.io/a/b:7"), "docker.io/a/b:7");
        assert_eq!(
            normal("registry-1.docker.io/a/b:7"),
            "registry-1.docker.io/a/b:7"
        );
    }

    #[test]
    fn first_name_part_is_a_host_by_dot_colon_localhost_or_upper_case() {
        assert_eq!(normal("localhost/foo"), "localhost/foo:latest");
        assert_eq!(normal("localhost:5000/foo"), "localhost:5000/foo:latest");
        assert_eq!(normal("FOO/bar:1"), "FOO/bar:1");
        assert_eq!(normal("a.b/c/d"), "a.b/c/d:latest");
        assert_eq!(normal("[::1]:5000/x:1"), "[::1]:5000/x:1");
        assert_eq!(normal("[2001:db8::1]/x"), "[2001:db8::1]/x:latest");
    }

    #[test]
    fn host_may_have_underscores_without_a_port() {
        assert_eq!(normal("my_reg.local/img:1"), "my_reg.local/img:1");
        assert_eq!(normal("my__reg.local/a/b"), "my__reg.local/a/b:latest");
        assert_eq!(normal("my_reg/img"), "docker.io/my_reg/img:latest");
        assert!(!is_registry("my_reg"));
        for text in [
            "my_reg.local:5000/img",
            "My_reg.local/img",
            "_reg.local/img",
            "a___b.local/img",
            "my_.local/img",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn registry_port_is_a_number_from_1_to_65535() {
        for port in ["1", "443", "5000", "65535", "05000"] {
            assert!(is_registry(&format!("localhost:{port}")), "{port}");
            assert!(is_registry(&format!("[::1]:{port}")), "{port}");
        }
        for port in [
            "",
            "0",
            "00",
            "65536",
            "99999",
            "18446744073709551617",
            "+5",
            "-1",
            "5a",
        ] {
            assert!(!is_registry(&format!("localhost:{port}")), "{port}");
            assert!(!is_registry(&format!("[::1]:{port}")), "{port}");
            let image = format!("localhost:{port}/web:1");
            assert!(image.parse::<Reference>().is_err(), "{image}");
        }
    }

    #[test]
    fn digest_is_accepted_with_or_without_a_tag() {
        let digest = format!("sha256:{}", hex(64));
        assert_eq!(
            normal(&format!("node@{digest}")),
            format!("docker.io/library/node@{digest}")
        );
        assert_eq!(
            normal(&format!("h:1/n:2@{digest}")),
            format!("h:1/n:2@{digest}")
        );
    }

    #[test]
    fn familiar_names_keep_the_digest() {
        let digest = format!("@sha256:{}", hex(64));
        for (text, familiar, shortest) in [
            ("docker.io/library/node", "node:latest", "node"),
            ("docker.io/acme/node:1", "acme/node:1", "acme/node:1"),
            ("docker.io/library/a/b:1", "library/a/b:1", "library/a/b:1"),
            ("ghcr.io/a/b", "ghcr.io/a/b:latest", "ghcr.io/a/b"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.familiar(), familiar);
            assert_eq!(reference.shortest(), shortest);
        }
        for name in [
            "node",
            "node:20",
            "node:latest",
            "acme/node",
            "ghcr.io/a/b:1",
        ] {
            let text = format!("{name}{digest}");
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.familiar(), text);
            assert_eq!(reference.shortest(), text);
        }
    }

    #[test]
    fn malformed_references_are_refused_with_the_reason() {
        let wrong = |text: &str| text.parse::<Reference>().unwrap_err();
        assert_eq!(wrong(""), InvalidReference::Empty);
        assert_eq!(
            wrong("Alpine:3"),
            InvalidReference::UpperCase("Alpine:3".into())
        );
        assert_eq!(wrong(&hex(64)), InvalidReference::HexName(hex(64)));
        for text in [
            "/x", "x/", "a//b", "a___b", "-a", "a-", "a..b", "x@", "a b", "é", "a/:b", "@", ":1",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
        assert!(matches!(wrong("a:"), InvalidReference::Tag { .. }));
        assert!(matches!(wrong("a:.x"), InvalidReference::Tag { .. }));
        assert!(matches!(
            wrong(&format!("a:{}", hex(129))),
            InvalidReference::Tag { .. }
        ));
        assert!(matches!(
            wrong("-h.io/a"),
            InvalidReference::Registry { .. }
        ));
        assert!(matches!(
            wrong("h:port/a"),
            InvalidReference::Registry { .. }
        ));
        assert!(matches!(
            wrong("a@sha256:abc"),
            InvalidReference::Digest { .. }
        ));
        assert!(matches!(wrong(&hex(250)), InvalidReference::TooLong(_)));
    }

    #[test]
    fn reference_separators_follow_the_distribution_grammar() {
        assert_eq!(normal("a__b/c--d:1_x.y-z"), "docker.io/a__b/c--d:1_x.y-z");
        assert_eq!(normal("a-----b"), "docker.io/library/a-----b:latest");
    }

    #[test]
    fn name_without_a_registry_gets_the_given_one() {
        let within = |text| {
            Reference::within("localhost:5000", text)
                .unwrap()
                .to_string()
        };
        assert_eq!(within("web:1"), "localhost:5000/web:1");
        assert_eq!(within("team/web"), "localhost:5000/team/web:latest");
        assert_eq!(within("ghcr.io/a/b:1"), "ghcr.io/a/b:1");
        assert!(Reference::within("localhost:5000", "").is_err());
    }
}
