//! Mirrors of images, by name prefix.

use std::collections::BTreeMap;

use super::Reference;

/// Maps the name prefix of images to the name prefix of their mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors(BTreeMap<String, String>);

/// Why an entry of the table is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMirror {
    /// One side is no prefix of an image's name.
    #[error("`{}` is neither a registry nor a repository", .0.escape_debug())]
    Name(String),
    /// One side has a tag or a digest.
    #[error("`{}` has a tag or a digest; leave it out, because each image keeps its own", .0.escape_debug())]
    Tagged(String),
    /// A mirror without a registry would be looked for on Docker Hub.
    #[error("the copy `{}` names no registry", .0.escape_debug())]
    NoRegistry(String),
}

impl Mirrors {
    /// Reads a table. The left side is read as in a Dockerfile: `node` is `docker.io/library/node`; the right side must name
    /// its registry.
    pub fn new<'t>(
        table: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Self, InvalidMirror> {
        let mut mirrors = BTreeMap::new();
        for (source, copy) in table {
            let copy = beginning(copy)?;
            let host = copy.split('/').next().unwrap_or_default();
            if !is_registry(host) {
                return Err(InvalidMirror::NoRegistry(copy.to_owned()));
            }
            mirrors.insert(full(beginning(source)?)?, copy.to_owned());
        }
        Ok(Self(mirrors))
    }

    /// Tells whether the table has no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the mirror of an image, with its tag and digest, if there is one. The longest matching prefix wins.
    pub fn of(&self, image: &Reference) -> Option<Reference> {
        let (whole, name) = (image.to_string(), image.name());
        let mut beginning = name.as_str();
        let copy = loop {
            if let Some(copy) = self.0.get(beginning) {
                break copy;
            }
            beginning = beginning.rsplit_once('/')?.0;
        };
        let rest = whole.get(beginning.len()..)?;
        format!("{copy}{rest}").parse().ok()
    }
}

/// Checks that a text may be the prefix of an image's name.
fn beginning(text: &str) -> Result<&str, InvalidMirror> {
    let text = text.trim_end_matches('/');
    let (host, path) = match text.split_once('/') {
        Some((host, path)) => (host, path),
        None => (text, ""),
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let bare = !is_registry(host) && path.is_empty();
    if text.contains('@') || last.contains(':') || bare && text.contains(':') {
        return Err(InvalidMirror::Tagged(text.to_owned()));
    }
    // A text is a valid prefix if appending a component makes a valid reference.
    match format!("{text}/x").parse::<Reference>() {
        Ok(_) => Ok(text),
        Err(_) => Err(InvalidMirror::Name(text.to_owned())),
    }
}

/// Returns a prefix with its registry, as images are compared.
fn full(text: &str) -> Result<String, InvalidMirror> {
    let host = text.split('/').next().unwrap_or_default();
    if is_registry(host) {
        // Host names are not case-sensitive.
        return Ok(format!(
            "{}{}",
            host.to_ascii_lowercase(),
            &text[host.len()..]
        ));
    }
    let image: Reference = text
        .parse()
        .map_err(|_| InvalidMirror::Name(text.to_owned()))?;
    Ok(image.name())
}

/// Distinguishes a registry from the first component of a repository, by the rule of Docker's references. Without a `/` behind it,
/// `node:20` could also be a registry with a port; it is taken for a name with a tag, since no registry listens on such a port.
fn is_registry(text: &str) -> bool {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains('.') && host != "localhost" => port
            .parse::<u16>()
            .is_ok_and(|port| port >= 1000 || port == 80 || port == 443),
        Some(_) => true,
        None => text.contains('.') || text == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy_of(table: &[(&str, &str)], image: &str) -> Option<String> {
        let mirrors = Mirrors::new(table.iter().copied()).unwrap();
        let copy = mirrors.of(&image.parse().unwrap());
        copy.map(|copy| copy.to_string())
    }

    const OWN: &str = "registry.lan:5000/base";

    #[test]
    fn mirror_replaces_the_prefix_of_a_name_and_keeps_tag_and_digest() {
        let table = [("docker.io/library", OWN)];
        assert_eq!(
            copy_of(&table, "node:20").unwrap(),
            "registry.lan:5000/base/node:20"
        );
        let digest = crate::image::Digest::of(b"");
        assert_eq!(
            copy_of(&table, &format!("node:20@{digest}")).unwrap(),
            format!("registry.lan:5000/base/node:20@{digest}")
        );
        assert_eq!(copy_of(&table, "grafana/grafana:1"), None);
        assert_eq!(copy_of(&table, "ghcr.io/library/node:20"), None);
    }

    #[test]
    fn mirror_may_be_of_a_whole_registry_or_of_one_repository() {
        let table = [("mcr.microsoft.com", "r.io/mcr"), ("node", "r.io/own/js")];
        assert_eq!(
            copy_of(&table, "mcr.microsoft.com/dotnet/sdk:8.0").unwrap(),
            "r.io/mcr/dotnet/sdk:8.0"
        );
        assert_eq!(copy_of(&table, "node:20").unwrap(), "r.io/own/js:20");
        // Components of names are compared whole.
        assert_eq!(copy_of(&table, "node-red:1"), None);
        assert_eq!(copy_of(&table, "mcr.microsoft.com.evil.example/a:1"), None);
    }

    #[test]
    fn mirror_with_the_longest_prefix_wins() {
        let table = [
            ("docker.io", "r.io/hub"),
            ("docker.io/library", "r.io/official"),
            ("docker.io/library/node", "r.io/js/node"),
        ];
        assert_eq!(copy_of(&table, "node:20").unwrap(), "r.io/js/node:20");
        assert_eq!(
            copy_of(&table, "nginx").unwrap(),
            "r.io/official/nginx:latest"
        );
        assert_eq!(copy_of(&table, "a/b:1").unwrap(), "r.io/hub/a/b:1");
    }

    #[test]
    fn invalid_mirror_prefix_is_reported() {
        let problem = |source, copy| Mirrors::new([(source, copy)]).unwrap_err();
        assert_eq!(
            problem("docker.io/library/node:20", OWN),
            InvalidMirror::Tagged("docker.io/library/node:20".into())
        );
        assert_eq!(
            problem("node:20", OWN),
            InvalidMirror::Tagged("node:20".into())
        );
        assert_eq!(
            problem("node", "own/node"),
            InvalidMirror::NoRegistry("own/node".into())
        );
        assert_eq!(
            problem("No Name", OWN),
            InvalidMirror::Name("No Name".into())
        );
        assert_eq!(problem("", OWN), InvalidMirror::Name("".into()));
        assert!(Mirrors::new([("localhost:5000", "localhost:5001/copies/")]).is_ok());
        assert!(Mirrors::new([("registry:5000", "r.io"), ("r.io:443/a", "b:80")]).is_ok());
    }
}
