//! An image reduced to some of its platforms.

use bytes::Bytes;
use serde_json::Value;

use crate::{
    image::{Digest, Platform},
    registry::documents::{
        head::{Defect, ManifestKind},
        index::{self, Choice},
        manifest::{self, Document},
    },
};

use super::{
    endpoint::Endpoint,
    problem::CopyError,
    tree::{MAX_DEPTH, RawDocument},
};

/// The largest config that is read.
const MAX_CONFIG: usize = 8 * 1024 * 1024;

/// Returns what is copied of an image for these platforms: all of it if none are given, the manifest for a single one, or a new index of
/// those that were asked for, with a digest of its own.
///
/// # Errors
///
/// [`CopyError::Platform`] for one that the image lacks.
pub async fn of(
    from: &Endpoint,
    mut root: RawDocument,
    platforms: &[Platform],
) -> Result<RawDocument, CopyError> {
    // An index may list only another index.
    for _ in 0..MAX_DEPTH {
        match chosen(from, &root, platforms).await?.as_slice() {
            [] => return Ok(root),
            [only] => {
                let child = root.children.iter().find(|child| child.digest == *only);
                root = from.document(child).await?;
                if !root.blobs.is_empty() {
                    return Ok(root);
                }
            }
            several => return narrowed(from, &root, several),
        }
    }
    let problem = "its indexes are nested too deeply";
    Err(CopyError::malformed(&from.name(), &root.digest, problem))
}

/// Returns the entries of an index for these platforms; none, if all of a document is copied.
async fn chosen(
    from: &Endpoint,
    root: &RawDocument,
    platforms: &[Platform],
) -> Result<Vec<Digest>, CopyError> {
    let shape = manifest::parse(&root.media_type, &root.bytes);
    let shape = shape.map_err(|defect| CopyError::defect(&from.name(), &defect))?;
    let entries = match shape.1 {
        Document::Index(entries) => entries,
        Document::NoImage {
            kind: ManifestKind::Index,
            ..
        } => Vec::new(),
        Document::Manifest { config } => {
            refuse_other_platform(from, root, &config, platforms).await?;
            return Ok(Vec::new());
        }
        Document::NoImage { .. } => return Ok(Vec::new()),
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
    Ok(chosen)
}

/// Refuses platforms for which a single image is not made. An image that does not say its platform is for all of them.
async fn refuse_other_platform(
    from: &Endpoint,
    root: &RawDocument,
    config: &Digest,
    platforms: &[Platform],
) -> Result<(), CopyError> {
    let config = root.blobs.iter().find(|blob| blob.digest == *config);
    let Some(config) = config.filter(|_| !platforms.is_empty()) else {
        return Ok(());
    };
    let malformed = |problem: &str| CopyError::malformed(&from.name(), &config.digest, problem);
    let mut chunks = from.open(config, 0).await?;
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await.map_err(|why| malformed(&why))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_CONFIG {
            return Err(malformed("the config is larger than 8 MiB"));
        }
    }
    if !config.digest.matches(&body) {
        return Err(malformed("the content does not match the digest"));
    }
    let own = index::ImageConfig::parse(&body).map_err(|why| malformed(&why.to_string()))?;
    let Some(own) = own.platform else {
        return Ok(());
    };
    let other = platforms.iter().find(|it| own.distance(it).is_none());
    other.map_or(Ok(()), |platform| {
        Err(CopyError::Platform {
            image: from.name(),
            platform: platform.clone(),
        })
    })
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
