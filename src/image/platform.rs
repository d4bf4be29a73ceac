//! Platforms: what an image runs on.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An operating system, an architecture and perhaps a variant of it, as in `linux/arm/v7`.
///
/// Normalised as containerd does: `x86_64` is `amd64`, `aarch64` is `arm64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    /// `os/architecture[/variant]`, in one piece: it is kept for every task and every tag.
    text: Box<str>,
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("platform `{0}` is not of the form os[/architecture[/variant]], as in `linux/arm64`")]
pub struct InvalidPlatform(pub String);

impl Platform {
    /// Returns a platform of its parts, normalised.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let os = os.to_ascii_lowercase();
        let os = match os.as_str() {
            "macos" => "darwin",
            os => os,
        };
        let architecture = architecture.to_ascii_lowercase();
        let variant = variant.map(str::to_ascii_lowercase).unwrap_or_default();
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("i386", _) => ("386", ""),
            ("aarch64" | "arm64", "8" | "v8" | "") => ("arm64", ""),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) => ("arm", "v7"),
            ("armel", _) => ("arm", "v6"),
            ("arm", "" | "7") => ("arm", "v7"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "6") => ("arm", "v6"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        let text = match variant {
            "" => format!("{os}/{architecture}"),
            variant => format!("{os}/{architecture}/{variant}"),
        };
        Self { text: text.into() }
    }

    /// Returns the platform of the machine that this program was built for, with Linux in place of
    /// a system that runs its containers in a Linux machine.
    #[must_use]
    pub fn host() -> Self {
        let os = match std::env::consts::OS {
            "windows" => "windows",
            _ => "linux",
        };
        Self::new(os, std::env::consts::ARCH, None)
    }

    /// Returns the operating system, `linux`.
    #[must_use]
    pub fn os(&self) -> &str {
        self.part(0).unwrap_or_default()
    }

    /// Returns the architecture in Go's words, `amd64`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        self.part(1).unwrap_or_default()
    }

    /// Returns the variant, `v7`, if there is one that means something.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.part(2)
    }

    fn part(&self, n: usize) -> Option<&str> {
        self.text.splitn(3, '/').nth(n)
    }

    /// Tells how well an image for `self` runs on `wanted`: 0 is exact, larger is worse, `None` is not at all.
    ///
    /// An older `arm` variant runs on a newer one, as containerd matches them; everything else must be equal.
    #[must_use]
    pub fn distance(&self, wanted: &Self) -> Option<u8> {
        if self == wanted {
            return Some(0);
        }
        if self.os() != wanted.os() || self.architecture() != wanted.architecture() {
            return None;
        }
        let number =
            |platform: &Self| -> Option<u8> { platform.variant()?.strip_prefix('v')?.parse().ok() };
        match self.architecture() {
            "arm" => number(wanted)?.checked_sub(number(self)?),
            "amd64" => match self.variant() {
                None => number(wanted),
                Some(_) => number(wanted)?.checked_sub(number(self)?),
            },
            _ => None,
        }
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    /// Reads `os`, `os/architecture` or `os/architecture/variant`; a missing architecture is `amd64`, as in ACR.
    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let invalid = || InvalidPlatform(text.into());
        let parts: Vec<&str> = text.split('/').collect();
        let well_formed = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if !parts.iter().all(well_formed) {
            return Err(invalid());
        }
        match parts.as_slice() {
            [os] => Ok(Self::new(os, "amd64", None)),
            [os, architecture] => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(text: String) -> Result<Self, InvalidPlatform> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.text.into()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn other_spellings_of_one_platform_are_equal() {
        assert_eq!(platform("linux/x86_64"), platform("linux/amd64"));
        assert_eq!(platform("linux/arm64/v8"), platform("linux/arm64"));
        assert_eq!(platform("Linux/AArch64"), platform("linux/arm64"));
        assert_eq!(platform("linux/arm"), platform("linux/arm/v7"));
        assert_eq!(platform("linux"), platform("linux/amd64"));
    }

    #[test]
    fn malformed_platforms_are_refused() {
        for text in ["", "/", "linux/", "linux//v7", "a/b/c/d", "linux/am d64"] {
            assert_eq!(
                text.parse::<Platform>(),
                Err(InvalidPlatform(text.into())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_older_arm_variant_runs_on_a_newer_one_and_not_the_other_way_round() {
        let v7 = platform("linux/arm/v7");
        assert_eq!(platform("linux/arm/v7").distance(&v7), Some(0));
        assert_eq!(platform("linux/arm/v6").distance(&v7), Some(1));
        assert_eq!(platform("linux/arm/v8").distance(&v7), None);
        assert_eq!(platform("linux/arm64").distance(&v7), None);
        assert_eq!(platform("windows/arm/v7").distance(&v7), None);
    }
}
