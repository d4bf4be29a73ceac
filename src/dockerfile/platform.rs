//! `FROM --platform=`: the platforms of containerd, which may be written in part.

use crate::image::Platform;

const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const ARCHITECTURES: [&str; 26] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "ppc64",
    "ppc64le",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
    "x86_64",
    "aarch64",
];

/// Reads a platform; a system or an architecture alone is completed from `host`.
///
/// The rules are those of containerd's `platforms.Parse`. The version of a system, `windows(10.0)/amd64`, is read and
/// dropped.
pub(super) fn parse(text: &str, host: &Platform) -> Option<Platform> {
    let parts: Vec<&str> = text.split('/').collect();
    let (first, rest) = parts.split_first()?;
    let system = system(first)?;
    if !rest.iter().all(|part| is_part(part)) {
        return None;
    }
    match rest {
        [] if SYSTEMS.contains(&Platform::new(system, "", None).os()) => {
            Some(Platform::new(system, host.architecture(), host.variant()))
        }
        [] => {
            let platform = Platform::new(host.os(), first, None);
            let is_known = |name: &str| ARCHITECTURES.contains(&name);
            (is_known(platform.architecture())).then_some(platform)
        }
        [architecture] => Some(Platform::new(system, architecture, None)),
        [architecture, variant] => Some(Platform::new(system, architecture, Some(variant))),
        _ => None,
    }
}

/// Reads `system` or `system(version)`, and returns the system.
fn system(text: &str) -> Option<&str> {
    let (system, version) = match text.split_once('(') {
        Some((system, version)) => (system, version.strip_suffix(')')?),
        None => (text, ""),
    };
    let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    (is_part(system) && !system.contains('.') && version.chars().all(is_version)).then_some(system)
}

fn is_part(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !text.is_empty() && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        parse(text, &Platform::new("linux", "amd64", None)).map(|platform| platform.to_string())
    }

    #[test]
    fn platforms_are_read_in_full_and_in_part() {
        assert_eq!(parsed("linux/arm64"), Some("linux/arm64".into()));
        assert_eq!(parsed("linux/arm/v6"), Some("linux/arm/v6".into()));
        assert_eq!(parsed("linux/x86_64"), Some("linux/amd64".into()));
        assert_eq!(parsed("windows"), Some("windows/amd64".into()));
        assert_eq!(parsed("arm64"), Some("linux/arm64".into()));
        assert_eq!(parsed("aarch64"), Some("linux/arm64".into()));
        assert_eq!(
            parsed("windows(10.0.17763)/amd64"),
            Some("windows/amd64".into())
        );
        assert_eq!(parsed("new/thing"), Some("new/thing".into()));
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "foo",
            "/",
            "linux/",
            "/amd64",
            "a/b/c/d",
            "linux/a b",
            "li.nux/a",
            "linux(1/amd64",
            "*",
        ] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
