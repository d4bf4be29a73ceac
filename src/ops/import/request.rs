//! The options of a copy.

use crate::{image::Platform, store::secrets::StoredLogin};

/// The options of a copy.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The image to copy, or the folder that contains it.
    pub source: String,
    /// The registry of the source, if its name has none.
    pub source_registry: Option<String>,
    /// The names of the copy; if empty, the name of the source.
    pub images: Vec<String>,
    /// Repositories that get the copy without a tag.
    pub repositories: Vec<String>,
    /// The registry of the copy, if its names have none.
    pub registry: Option<String>,
    /// The platforms to copy; if empty, all.
    pub platforms: Vec<Platform>,
    /// Whether its referrers are copied too.
    pub all_referrers: bool,
    /// Whether tags that point to another image are moved.
    pub force: bool,
    pub login: Option<StoredLogin>,
}
