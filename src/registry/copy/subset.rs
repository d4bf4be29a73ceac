//! An image reduced to some of its platforms.

use bytes::Bytes;
use serde_json::Value;

use crate::{
    image::{Digest, Platform},
    registry::documents::{
        head::{Defect, Kind},
        index::{self, Choice},
        manifest::{self, Document},
    },
};

use super::{endpoint::Endpoint, problem::CopyError, tree::RawDocument};

/// Returns what is copied of an image for these platforms: all of it if none are given, the manifest for a single one, or a new index of
/// those that were asked for, with a digest of its own.
///
/// # Errors
///
/// [`CopyError::Platform`] for one that the image lacks.
pub async fn of(
    from: &Endpoint,
    root: RawDocument,
    platforms: &[Platform],
) -> Result<RawDocument, CopyError> {
    let shape = manifest::parse(&root.media_type, &root.bytes);
    let shape = shape.map_err(|defect| CopyError::defect(&from.name(), &defect))?;
    let entries = match shape.1 {
        Document::Index(entries) => entries,
        Document::NoImage {
            kind: Kind::Index, ..
        } => Vec::new(),
        // A single manifest is for every platform, as in a pull.
        Document::Manifest { .. } | Document::NoImage { .. } => return Ok(root),
    };
    let mut chosen = Vec::new();
    let versions = |platform| index::versions(&entries, platform);
    for platform in platforms.iter().flat_map(versions) {
        let Choice::Manifest(digest) = index::choose(&entries, &platform) else {
            let image = from.name();
            return Err(CopyError::Platform { image, platform });
        };
        if !chosen.contains(digest) {
            chosen.push(digest.clone());
        }
    }
    match chosen.as_slice() {
        [] => Ok(root),
        [only] => {
            let child = root.children.iter().find(|child| child.digest == *only);
            from.document(child).await
        }
        several => narrowed(from, &root, several),
    }
}

/// Removes the entries that are neither chosen nor about a chosen one.
fn narrowed(
    from: &Endpoint,
    root: &RawDocument,
    chosen: &[Digest],
) -> Result<RawDocument, CopyError> {
    let malformed = |problem: String| CopyError::defect(&from.name(), &Defect::Form(problem));
    let mut index: Value =
        serde_json::from_slice(&root.bytes).map_err(|problem| malformed(problem.to_string()))?;
    let is_chosen = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        chosen.iter().any(|digest| digest.as_str() == text)
    };
    if let Some(entries) = index["manifests"].as_array_mut() {
        entries.retain(|entry| {
            let about = &entry["annotations"]["vnd.docker.reference.digest"];
            is_chosen(&entry["digest"]) || is_chosen(about)
        });
    }
    let bytes = Bytes::from(index.to_string());
    RawDocument::of(Digest::of(&bytes), root.media_type.clone(), bytes)
        .map_err(|defect| CopyError::defect(&from.name(), &defect))
}
