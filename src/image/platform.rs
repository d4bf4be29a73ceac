//! Platforms: the operating systems and architectures of images.
//!
//! They are parsed and formatted as by containerd (`github.com/containerd/platforms`), which docker, buildx and BuildKit
//! use: `os[(version)][/architecture[/variant]]`.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, de};

/// The operating systems that containerd knows: those of Go.
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

/// The architectures that containerd knows: those of Go.
const ARCHITECTURES: [&str; 24] = [
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
];

/// Unknown to containerd, which still accepts them beside an architecture: WebAssembly runs on no particular operating system.
const WASI_SYSTEMS: [&str; 2] = ["wasi", "wasip1"];
const WASI_ARCHITECTURES: [&str; 1] = ["wasm32"];

/// The longest version of an operating system: those of Windows have 16 characters.
const MAX_VERSION: usize = 64;

/// An operating system, optionally its version, an architecture and optionally its variant, as in `linux/arm/v7` and
/// `windows(10.0.20348.1)/amd64`.
///
/// Normalized as by containerd: `x86_64` is `amd64`, `aarch64` is `arm64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    /// `os[(version)]/architecture[/variant]`, in one string that all clones share: each task and each tag holds some.
    text: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlatform {
    #[error(
        "platform `{0}` is not of the form os[(version)][/architecture[/variant]], as in `linux/arm64`"
    )]
    Form(String),
    /// A single word that names neither an operating system nor an architecture.
    #[error(
        "platform `{0}` is neither an operating system ({systems}) nor an architecture ({architectures})",
        systems = SYSTEMS.join(", "),
        architectures = ARCHITECTURES.join(", ")
    )]
    Unknown(String),
    /// The architecture comes first.
    #[error("platform `{0}` is the wrong way round: write {1}")]
    Swapped(String, String),
    #[error(
        "platform `{0}` has an unknown operating system; known are {systems}, {wasi}",
        systems = SYSTEMS.join(", "),
        wasi = WASI_SYSTEMS.join(", ")
    )]
    System(String),
    #[error(
        "platform `{0}` has an unknown architecture; known are {architectures}, {wasi}",
        architectures = ARCHITECTURES.join(", "),
        wasi = WASI_ARCHITECTURES.join(", ")
    )]
    Architecture(String),
}

static HOST: LazyLock<Platform> = LazyLock::new(|| {
    let os = match std::env::consts::OS {
        "windows" => "windows",
        _ => "linux",
    };
    Platform::new(os, std::env::consts::ARCH, None)
});

impl Platform {
    /// Returns the normalized platform of these parts, which may be unknown ones: an image can have any.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let os = normal_system(os);
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

    /// Returns the same platform with another version of its operating system, such as `10.0.20348.1`. Characters that
    /// cannot occur in the text of a platform are percent-encoded, as by containerd. An empty or overlong version counts as
    /// none.
    pub fn with_os_version(&self, version: &str) -> Self {
        let rest = self.text.split_once('/').map_or("", |(_, rest)| rest);
        let os = self.os();
        let version = escaped(version);
        let text = match version.len() {
            1..=MAX_VERSION => format!("{os}({version})/{rest}"),
            _ => format!("{os}/{rest}"),
        };
        Self { text: text.into() }
    }

    /// Parses a platform by the rules of containerd's `platforms.Parse`, as BuildKit parses those of a Dockerfile: beside
    /// an architecture, any word may be an operating system; a known operating system or architecture alone is completed
    /// from `host`. Features of the operating system, as in `windows(10.0.17763+win32k)`, are dropped.
    pub fn parse(text: &str, host: &Self) -> Result<Self, InvalidPlatform> {
        let invalid = || InvalidPlatform::Form(text.into());
        let (first, rest) = match text.split_once('/') {
            Some((first, rest)) => (first, rest.split('/').collect()),
            None => (text, Vec::new()),
        };
        let (system, version) = system_and_version(first).ok_or_else(invalid)?;
        if !rest.iter().all(|part| is_part(part)) {
            return Err(invalid());
        }
        let platform = match rest.as_slice() {
            [] if SYSTEMS.contains(&normal_system(system).as_str()) => {
                Self::new(system, host.architecture(), host.variant())
            }
            [] => {
                let platform = Self::new(host.os(), first, None);
                if !ARCHITECTURES.contains(&platform.architecture()) {
                    return Err(InvalidPlatform::Unknown(text.into()));
                }
                platform
            }
            [architecture] => Self::new(system, architecture, None),
            [architecture, variant] => Self::new(system, architecture, Some(variant)),
            _ => return Err(invalid()),
        };
        Ok(match version {
            // The version is percent-encoded already.
            Some(version) => Self {
                text: platform
                    .text
                    .replacen('/', &format!("({version})/"), 1)
                    .into(),
            },
            None => platform,
        })
    }

    /// Returns the platform of the machine that this program was built for, with Linux in place of a system that runs
    /// its containers in a Linux virtual machine.
    pub fn host() -> Self {
        HOST.clone()
    }

    /// Returns the operating system, `linux`, without its version.
    pub fn os(&self) -> &str {
        let first = self.part(0).unwrap_or_default();
        first.split_once('(').map_or(first, |(os, _)| os)
    }

    /// Returns the version of the operating system, `10.0.20348.1`, if there is one, percent-encoded as in the text.
    pub fn os_version(&self) -> Option<&str> {
        let (_, version) = self.part(0)?.split_once('(')?;
        version.strip_suffix(')')
    }

    /// Returns the architecture in Go's words, `amd64`.
    pub fn architecture(&self) -> &str {
        self.part(1).unwrap_or_default()
    }

    /// Returns the variant, `v7`, if there is one.
    pub fn variant(&self) -> Option<&str> {
        self.part(2)
    }

    fn part(&self, n: usize) -> Option<&str> {
        self.text.splitn(3, '/').nth(n)
    }

    /// Returns whether both are for the same operating system and architecture, whatever their versions and variants: the configs of images
    /// seldom name these.
    pub fn has_architecture_of(&self, other: &Self) -> bool {
        self.os() == other.os() && self.architecture() == other.architecture()
    }

    /// Returns how well an image for `self` runs on `wanted`: 0 is an exact match, larger is worse, `None` is not at
    /// all.
    ///
    /// As in containerd, an image for an older `arm` variant runs on a newer one. A version of Windows runs on one of the
    /// same build, which is its first three numbers, and on a platform without a version. Everything else must be equal.
    pub fn distance(&self, wanted: &Self) -> Option<u16> {
        if self == wanted {
            return Some(0);
        }
        if !self.has_architecture_of(wanted) {
            return None;
        }
        let version = self.version_distance(wanted)?;
        let number =
            |platform: &Self| -> Option<u8> { platform.variant()?.strip_prefix('v')?.parse().ok() };
        let variant = match self.architecture() {
            _ if self.variant() == wanted.variant() => 0,
            "arm" => number(wanted)?.checked_sub(number(self)?)?,
            "amd64" => match self.variant() {
                None => number(wanted)?,
                Some(_) => number(wanted)?.checked_sub(number(self)?)?,
            },
            _ => return None,
        };
        Some(version << 8 | u16::from(variant))
    }

    fn version_distance(&self, wanted: &Self) -> Option<u16> {
        let Some(theirs) = wanted.os_version() else {
            return Some(0);
        };
        let Some(ours) = self.os_version() else {
            return Some(2);
        };
        if ours == theirs {
            return Some(0);
        }
        // Versions of other systems are not compared.
        let is_same_build = self.os() != "windows" || build(ours).starts_with(&build(theirs));
        is_same_build.then_some(1)
    }

    /// Returns the platforms without those that came before: a build makes one image for each.
    pub fn each_once(platforms: Vec<Self>) -> Vec<Self> {
        let mut once = Vec::new();
        for platform in platforms {
            if !once.contains(&platform) {
                once.push(platform);
            }
        }
        once
    }

    /// Reads a list of platforms from a definition or a request, each once, and with [`Platform::from_str`].
    pub fn deserialize_list<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Self>, D::Error> {
        let texts = Vec::<String>::deserialize(input)?;
        let platforms = texts.iter().map(|text| text.parse());
        platforms
            .collect::<Result<_, InvalidPlatform>>()
            .map(Self::each_once)
            .map_err(de::Error::custom)
    }
}

/// Returns the numbers of a Windows version that must match for images to run.
fn build(version: &str) -> Vec<&str> {
    version.split('.').take(3).collect()
}

fn normal_system(os: &str) -> String {
    match os.to_ascii_lowercase().as_str() {
        "macos" => "darwin".to_owned(),
        os => os.to_owned(),
    }
}

/// Reads `system`, `system(version)` or `system(version+feature)`.
fn system_and_version(text: &str) -> Option<(&str, Option<&str>)> {
    let (system, options) = match text.split_once('(') {
        Some((system, options)) => (system, options.strip_suffix(')')?),
        None => (text, ""),
    };
    let mut options = options.split('+');
    let version = options.next().unwrap_or_default();
    let is_well_formed = is_part(system)
        && !system.contains('.')
        && is_escaped(version)
        && options.all(|feature| !feature.is_empty() && is_escaped(feature));
    let version = Some(version).filter(|version| !version.is_empty());
    is_well_formed.then_some((system, version))
}

fn is_part(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// Tells whether a text has only plain characters and percent-encodings, such as `%2B`.
fn is_escaped(text: &str) -> bool {
    let mut pieces = text.split('%');
    let plain = |piece: &str| piece.bytes().all(is_plain);
    let is_escape = |piece: &str| {
        let code = piece.as_bytes().get(..2);
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit)) && plain(piece)
    };
    pieces.next().is_some_and(plain) && pieces.all(is_escape)
}

/// Percent-encodes a text, unless it is encoded already.
fn escaped(text: &str) -> String {
    /// All but what [`is_plain`] accepts.
    const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');
    if is_escaped(text) {
        text.to_owned()
    } else {
        utf8_percent_encode(text, SPECIAL).to_string()
    }
}

/// Returns containerd's name of an architecture, with its variant, for other names: those of `uname -m` and of Docker
/// Hub's accounts.
fn spelled(architecture: &str) -> &str {
    match architecture.to_ascii_lowercase().as_str() {
        "armv5" | "armv5l" | "armv5tel" | "arm32v5" => "arm/v5",
        "armv6" | "armv6l" | "arm32v6" => "arm/v6",
        "armv7" | "armv7l" | "arm32v7" => "arm/v7",
        "arm64v8" => "arm64",
        "i686" => "386",
        _ => architecture,
    }
}

/// Tells whether a word is a known architecture under any of its names.
fn is_architecture(word: &str) -> bool {
    let architecture = spelled(word).split('/').next().unwrap_or_default();
    ARCHITECTURES.contains(&Platform::new("", architecture, None).architecture())
}

/// Tells whether a word is a variant, `v7` or `7`, and no architecture.
fn is_variant(word: &str) -> bool {
    let number = word.strip_prefix(['v', 'V']).unwrap_or(word);
    number.starts_with(|c: char| c.is_ascii_digit()) && !is_architecture(word)
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    /// Parses a platform that a person wrote. It differs from containerd in four ways: `linux` and `windows` alone are
    /// `amd64`, as in ACR; an architecture alone, with or without its variant (`arm64`, `arm/v7`), is Linux; the names of
    /// `uname -m` (`armv7l`) are accepted; an unknown operating system or architecture is refused.
    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        let whole = match parts.as_slice() {
            [system] if is_for_amd64(system) => format!("{system}/amd64"),
            [architecture] if is_architecture(architecture) => {
                format!("linux/{}", spelled(architecture))
            }
            [architecture, variant] if is_architecture(architecture) && is_variant(variant) => {
                format!("linux/{text}")
            }
            [system, architecture] => format!("{system}/{}", spelled(architecture)),
            _ => text.to_owned(),
        };
        let platform = Self::parse(&whole, &HOST).map_err(|problem| match problem {
            InvalidPlatform::Form(_) => InvalidPlatform::Form(text.into()),
            other => other,
        })?;
        let (os, architecture) = (platform.os(), platform.architecture());
        if !SYSTEMS.contains(&os) && !WASI_SYSTEMS.contains(&os) {
            if ARCHITECTURES.contains(&os) && SYSTEMS.contains(&architecture) {
                let meant = Self::new(architecture, os, None).to_string();
                return Err(InvalidPlatform::Swapped(text.into(), meant));
            }
            return Err(InvalidPlatform::System(text.into()));
        }
        if !ARCHITECTURES.contains(&architecture) && !WASI_ARCHITECTURES.contains(&architecture) {
            return Err(InvalidPlatform::Architecture(text.into()));
        }
        Ok(platform)
    }
}

/// Tells whether a text is an operating system alone, optionally with its version, which means `amd64`, as ACR
/// documents.
fn is_for_amd64(text: &str) -> bool {
    let system = system_and_version(text).map(|(system, _)| system.to_ascii_lowercase());
    matches!(system.as_deref(), Some("linux" | "windows"))
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    /// Reads a platform from a state file, by whatever rules it was parsed then: `acrt` 0.1 accepted any words.
    fn try_from(text: String) -> Result<Self, InvalidPlatform> {
        // Nearly all recorded platforms are this machine's.
        if *text == *HOST.text {
            return Ok(HOST.clone());
        }
        let recorded = |problem| {
            let parts: Vec<&str> = text.split('/').collect();
            match parts.as_slice() {
                [os, architecture, variant @ ..]
                    if variant.len() < 2 && parts.iter().all(|part| is_part(part)) =>
                {
                    Ok(Self::new(os, architecture, variant.first().copied()))
                }
                _ => Err(problem),
            }
        };
        Self::parse(&text, &HOST).or_else(recorded)
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.text.as_ref().to_owned()
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

    fn refused(text: &str) -> String {
        text.parse::<Platform>().unwrap_err().to_string()
    }

    #[test]
    fn equivalent_platform_spellings_are_equal() {
        for (text, platform) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("Linux/AArch64", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/armv7l", "linux/arm/v7"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/i386", "linux/386"),
            ("macos/arm64", "darwin/arm64"),
            ("wasi/wasm", "wasi/wasm"),
        ] {
            assert_eq!(
                text.parse::<Platform>().unwrap().to_string(),
                platform,
                "{text}"
            );
        }
    }

    #[test]
    fn architecture_alone_means_linux_and_system_alone_means_amd64() {
        for (text, platform) in [
            ("arm64", "linux/arm64"),
            ("AArch64", "linux/arm64"),
            ("x86_64", "linux/amd64"),
            ("386", "linux/386"),
            ("arm", "linux/arm/v7"),
            ("armv7", "linux/arm/v7"),
            ("arm32v6", "linux/arm/v6"),
            ("armhf", "linux/arm/v7"),
            ("arm/v7", "linux/arm/v7"),
            ("arm/6", "linux/arm/v6"),
            ("arm64/v8", "linux/arm64"),
            ("amd64/v2", "linux/amd64/v2"),
            ("s390x", "linux/s390x"),
            ("linux", "linux/amd64"),
            ("windows", "windows/amd64"),
            ("windows(10.0.20348.1)", "windows(10.0.20348.1)/amd64"),
        ] {
            assert_eq!(
                text.parse::<Platform>().unwrap().to_string(),
                platform,
                "{text}"
            );
        }
        let freebsd = platform("freebsd");
        assert_eq!(freebsd.architecture(), Platform::host().architecture());
    }

    #[test]
    fn malformed_platforms_are_refused() {
        for text in [
            "",
            "/",
            "linux/",
            "linux//v7",
            "a/b/c/d",
            "linux/am d64",
            "arm/",
            "/arm64",
            "linux/*",
            "windows(1/amd64",
            "windows(10.0%2)/amd64",
            "windows(10.0+)/amd64",
            "li.nux/amd64",
        ] {
            let invalid = InvalidPlatform::Form(text.into());
            assert_eq!(text.parse::<Platform>(), Err(invalid), "{text:?}");
        }
    }

    #[test]
    fn unknown_systems_and_architectures_are_refused_with_the_known_ones() {
        for text in ["arm64/amd64", "Linus/amd64", "arm/386", "unknown/unknown"] {
            assert!(
                refused(text).starts_with(&format!(
                    "platform `{text}` has an unknown operating system; known are aix, android, darwin,"
                )),
                "{}",
                refused(text)
            );
        }
        for text in ["linux/arm65", "windows/linux", "linux/armv9/v1"] {
            assert!(
                refused(text).starts_with(&format!(
                    "platform `{text}` has an unknown architecture; known are 386, amd64,"
                )),
                "{}",
                refused(text)
            );
        }
        assert_eq!(
            refused("amd64/linux"),
            "platform `amd64/linux` is the wrong way round: write linux/amd64"
        );
        let neither = refused("arm46");
        assert!(
            neither.contains("neither an operating system (aix, ")
                && neither.contains("nor an architecture (386, "),
            "{neither}"
        );
    }

    #[test]
    fn windows_version_of_a_platform_is_kept_and_parsed_back() {
        let whole = platform("windows(10.0.20348.1)/amd64");
        assert_eq!(
            (
                whole.os(),
                whole.os_version(),
                whole.architecture(),
                whole.variant()
            ),
            ("windows", Some("10.0.20348.1"), "amd64", None)
        );
        assert_eq!(
            platform("Windows(10.0.1+win32k)/x86_64").to_string(),
            "windows(10.0.1)/amd64"
        );
        assert_eq!(platform("windows()/amd64"), platform("windows/amd64"));
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(json, r#""windows(10.0.20348.1)/amd64""#);
        assert_eq!(serde_json::from_str::<Platform>(&json).unwrap(), whole);
    }

    #[test]
    fn any_windows_version_of_an_index_can_be_parsed_back() {
        let plain = platform("windows/amd64");
        for (version, text) in [
            (
                "10.0.17763+build.42",
                "windows(10.0.17763%2Bbuild.42)/amd64",
            ),
            ("1.0 (beta)/x", "windows(1.0%20%28beta%29%2Fx)/amd64"),
            ("", "windows/amd64"),
            (&"9".repeat(65), "windows/amd64"),
        ] {
            let versioned = plain.with_os_version(version);
            assert_eq!(versioned.to_string(), text);
            assert_eq!(platform(text), versioned);
            let again = plain.with_os_version(versioned.os_version().unwrap_or_default());
            assert_eq!(again, versioned);
        }
        let other = platform("windows(10.0.1)/arm64").with_os_version("10.0.2");
        assert_eq!(other.to_string(), "windows(10.0.2)/arm64");
    }

    #[test]
    fn unknown_platforms_are_accepted_in_recorded_state_and_refused_in_definitions() {
        let recorded = |text: &str| serde_json::from_str::<Platform>(&format!("{text:?}"));
        for text in ["arm64/amd64", "new/thing/x", "li.nux/a"] {
            assert_eq!(recorded(text).unwrap().to_string(), text);
        }
        assert!(recorded("a b/c").is_err());
        let told = |text: &str| {
            let mut input = serde_json::Deserializer::from_str(text);
            Platform::deserialize_list(&mut input).map_err(|problem| problem.to_string())
        };
        assert_eq!(told(r#"["arm/v7"]"#), Ok(vec![platform("linux/arm/v7")]));
        let problem = told(r#"["linux/amd64","arm64/amd64"]"#).unwrap_err();
        assert!(
            problem.contains("platform `arm64/amd64` has an unknown"),
            "{problem}"
        );
    }

    #[test]
    fn platforms_of_a_dockerfile_are_parsed_as_by_buildkit() {
        let host = platform("linux/arm64");
        let parsed = |text: &str| Platform::parse(text, &host).ok().map(|it| it.to_string());
        for (text, platform) in [
            ("linux/arm64", "linux/arm64"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/x86_64", "linux/amd64"),
            ("windows", "windows/arm64"),
            ("amd64", "linux/amd64"),
            ("aarch64", "linux/arm64"),
            ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
            ("new/thing", "new/thing"),
            ("arm/v7", "arm/v7"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(platform), "{text}");
        }
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
            "armv7",
            "arm64(1)",
        ] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn windows_version_runs_on_the_same_build_and_the_exact_one_is_preferred() {
        let wanted = platform("windows(10.0.20348.1)/amd64");
        let distance = |text: &str| platform(text).distance(&wanted);
        let exact = distance("windows(10.0.20348.1)/amd64");
        let build = distance("windows(10.0.20348.5)/amd64");
        let unnamed = distance("windows/amd64");
        assert_eq!(exact, Some(0));
        assert!(exact < build && build < unnamed, "{build:?} {unnamed:?}");
        assert_eq!(distance("windows(10.0.17763.1)/amd64"), None);
        assert_eq!(distance("windows(10.0.203480.1)/amd64"), None);
        assert_eq!(distance("windows(10.0.20348.1)/arm64"), None);
        let any = platform("windows/amd64");
        assert_eq!(
            wanted.distance(&any),
            platform("windows(10.0.1.1)/amd64").distance(&any)
        );
        assert_eq!(wanted.distance(&platform("windows(10.0)/amd64")), build);
    }

    #[test]
    fn older_arm_variant_runs_on_a_newer_one_and_not_vice_versa() {
        let v7 = platform("linux/arm/v7");
        assert_eq!(platform("linux/arm/v7").distance(&v7), Some(0));
        assert_eq!(platform("linux/arm/v6").distance(&v7), Some(1));
        assert_eq!(platform("linux/arm/v8").distance(&v7), None);
        assert_eq!(platform("linux/arm64").distance(&v7), None);
        assert_eq!(platform("windows/arm/v7").distance(&v7), None);
    }
}
