//! The platforms in the arguments that the settings add to every build.

use crate::image::Platform;

/// Returns the arguments of every build without platforms, for a build that names its own: docker would use only the last of all, and the
/// other builders all of them.
pub fn without_platforms(args: &[String]) -> Vec<String> {
    PlatformArgs::parse(args).others
}

/// The platforms that arguments of a build name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PlatformArgs {
    pub platforms: Vec<String>,
    pub os: Option<String>,
    pub architecture: Option<String>,
    pub variant: Option<String>,
    /// The arguments that name no platform.
    pub others: Vec<String>,
}

impl PlatformArgs {
    /// Reads arguments, with values after `=` or in the next argument.
    pub fn parse(args: &[String]) -> Self {
        let mut named = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let is_known = matches!(
                name,
                "--platform"
                    | "--opt"
                    | "--os"
                    | "--override-os"
                    | "--arch"
                    | "--override-arch"
                    | "--variant"
                    | "--override-variant"
            );
            if !is_known {
                named.others.push(arg.clone());
                continue;
            }
            let is_apart = inline.is_none();
            let Some(value) = inline.or_else(|| rest.next().cloned()) else {
                named.others.push(arg.clone());
                continue;
            };
            match name {
                "--platform" => named.add(&value),
                "--opt" => match value.strip_prefix("platform=") {
                    Some(list) => named.add(list),
                    None => {
                        named.others.push(arg.clone());
                        named.others.extend(is_apart.then_some(value));
                    }
                },
                "--os" | "--override-os" => named.os = Some(value),
                "--arch" | "--override-arch" => named.architecture = Some(value),
                _ => named.variant = Some(value),
            }
        }
        named
    }

    fn add(&mut self, list: &str) {
        self.platforms
            .extend(list.split(',').map(|one| one.trim().to_owned()));
    }

    /// Returns the platforms; empty where none is named, or one that only the builder can interpret. `own` completes a platform that is
    /// named in part.
    pub fn platforms(&self, own: &Platform) -> Vec<Platform> {
        if !self.platforms.is_empty() {
            return read_all(self.platforms.iter().map(String::as_str));
        }
        if self.os.is_none() && self.architecture.is_none() && self.variant.is_none() {
            return Vec::new();
        }
        let os = self.os.as_deref().unwrap_or(own.os());
        let (architecture, variant) = match &self.architecture {
            Some(architecture) => (architecture.as_str(), self.variant.as_deref()),
            None => (
                own.architecture(),
                self.variant.as_deref().or(own.variant()),
            ),
        };
        vec![Platform::new(os, architecture, variant)]
    }
}

/// Parses platforms, each once; none if one of them cannot be parsed, such as `local`, which is the builder's own.
pub fn read_all<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Platform> {
    let texts = texts.map(str::trim).filter(|text| !text.is_empty());
    let platforms = texts.map(|text| text.parse().ok().filter(|_| text != "local"));
    let platforms: Option<Vec<Platform>> = platforms.collect();
    Platform::each_once(platforms.unwrap_or_default())
}
