//! What a copy is asked for with.

use crate::{image::Platform, store::secrets::StoredLogin};

/// A copy, as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The image that is copied, or the folder that it is in.
    pub source: String,
    /// The registry of the source, where its name has none.
    pub source_registry: Option<String>,
    /// What the copy is called; as the source, if nothing is given.
    pub images: Vec<String>,
    /// Repositories that get it without a tag.
    pub repositories: Vec<String>,
    /// The registry that it goes to, where its names have none.
    pub registry: Option<String>,
    /// Its platforms; all if empty.
    pub platforms: Vec<Platform>,
    /// Whether what refers to it is copied too.
    pub all_referrers: bool,
    /// Whether tags that stand for another image are moved.
    pub force: bool,
    pub login: Option<StoredLogin>,
}
