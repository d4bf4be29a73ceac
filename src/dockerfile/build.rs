//! The inputs of a build besides its Dockerfile.

use std::collections::BTreeMap;

use crate::{
    image::{Platform, Reference},
    secret::MaskedText,
};

/// The inputs besides the file that decide which images a build needs.
#[derive(Clone, Debug)]
pub struct Build {
    pub args: BTreeMap<String, MaskedText>,
    /// The stage to build; the last one if there is none.
    pub target: Option<String>,
    /// The platforms to build for; the platform of the builder if there is none.
    pub platforms: Vec<Platform>,
    /// The platform that the builder itself runs on.
    pub build_platform: Platform,
    /// Named contexts, by name, as `--build-context` has them.
    pub contexts: BTreeMap<String, String>,
    /// The `ONBUILD` triggers in the configurations of images, as far as the caller knows them.
    pub on_build: BTreeMap<Reference, Vec<String>>,
    /// Whether a builder reads the file itself, without the frontend that the file names.
    pub without_frontend: bool,
}

impl Build {
    /// Returns a build on this machine of the last stage, without arguments; `platforms` may be empty for the machine's own
    /// platform.
    pub fn on_host(platforms: &[Platform]) -> Self {
        let host = Platform::host();
        Self {
            args: BTreeMap::new(),
            target: None,
            platforms: if platforms.is_empty() {
                vec![host.clone()]
            } else {
                platforms.to_vec()
            },
            build_platform: host,
            contexts: BTreeMap::new(),
            on_build: BTreeMap::new(),
            without_frontend: false,
        }
    }
}
