//! An image for some of its platforms alone.

use bytes::Bytes;
use serde_json::Value;

use crate::{
    image::{Digest, Platform},
    registry::{
        index,
        manifest::{self, Document as Shape},
    },
};

use super::{CopyError, side::Side, tree::Document};

/// Returns what is copied of an image for these platforms: all of it if there are none, the manifest of the only one,
/// or an index of those that were asked for, which has a digest of its own.
///
/// # Errors
///
/// [`CopyError::Platform`] for one that the image does not have.
pub async fn of(
    from: &Side,
    root: Document,
    platforms: &[Platform],
) -> Result<Document, CopyError> {
    let shape = manifest::parse(&root.media_type, &root.bytes);
    let shape = shape.map_err(|defect| CopyError::defect(&from.name(), &defect))?;
    let (_, Shape::Index(entries)) = shape else {
        // A single manifest is everybody's, as it is for whoever pulls it.
        return Ok(root);
    };
    let mut chosen = Vec::new();
    for platform in platforms {
        let digest = index::choose(&entries, platform).ok_or_else(|| CopyError::Platform {
            image: from.name(),
            platform: platform.clone(),
        })?;
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

/// Leaves out the entries that are neither chosen nor about one that is.
fn narrowed(from: &Side, root: &Document, chosen: &[Digest]) -> Result<Document, CopyError> {
    let malformed =
        |problem: String| CopyError::defect(&from.name(), &manifest::Defect::Form(problem));
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
    Document::of(Digest::of(&bytes), root.media_type.clone(), bytes)
        .map_err(|defect| CopyError::defect(&from.name(), &defect))
}
