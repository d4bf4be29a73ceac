//! Removes tags and manifests.
//!
//! The distribution specification lets a registry refuse either. Most remove manifests and not tags, such as Docker Distribution before
//! 3.0; there a tag is moved to a copy of its manifest that differs in one annotation, and the copy is removed, so that the tag never names
//! something that cannot be pulled.

use reqwest::{Method, header::HeaderValue};

use crate::image::{Digest, Reference};

use super::{
    client::{Registries, refusal},
    inventory::Inspected,
    problem::{FailedRequest, LookupError},
    requests::ask::Answer,
    transport::request_spec::{Access, RequestSpec},
};

/// The annotation in which the copy of a manifest differs.
const REMOVED: &str = "io.acrt.removed";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Removed,
    /// It did not exist any more.
    Absent,
    /// Not removed: the tag names another digest now.
    Moved,
    /// Not removed: the registry does not support it.
    Unsupported,
}

impl RequestSpec {
    /// Requests the removal of the manifest `which`, a digest or a tag.
    fn delete(image: &Reference, which: &str) -> Self {
        Self {
            method: Method::DELETE,
            thing: format!("manifests/{which}"),
            ..Self::document(image)
        }
        .with(|more| more.access = Access::Delete)
    }
}

impl Registries {
    /// Removes the manifest with `digest` from the repository of `image`, and thereby every tag that names it.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry cannot be reached, or refuses for another reason than missing support.
    pub async fn delete_manifest(
        &self,
        image: &Reference,
        digest: &Digest,
    ) -> Result<Removal, LookupError> {
        let host = self.host_of(image)?;
        let answer = host
            .ask(&RequestSpec::delete(image, digest.as_str()))
            .await?;
        match answer.response.status {
            200..300 => Ok(Removal::Removed),
            404 | 410 if !is_unsupported(&answer) => Ok(Removal::Absent),
            _ if is_unsupported(&answer) => Ok(Removal::Unsupported),
            _ => Err(refusal(&answer)),
        }
    }

    /// Removes a tag, if it still names `digest`, and keeps the manifest. If the registry does not remove tags, `may_copy` says whether
    /// that is done with a copy of the manifest.
    pub async fn untag(
        &self,
        tag: &Reference,
        digest: &Digest,
        may_copy: bool,
    ) -> Result<Removal, LookupError> {
        match self.look(tag).await {
            Ok(seen) if seen.digest != *digest => return Ok(Removal::Moved),
            Err(error) if error.is_absent() => return Ok(Removal::Absent),
            looked => drop(looked?),
        }
        let host = self.host_of(tag)?;
        let answer = host
            .ask(&RequestSpec::delete(tag, tag.tag_or_digest()))
            .await?;
        self.forget_tag(tag);
        match answer.response.status {
            200..300 => Ok(Removal::Removed),
            status if !matches!(status, 400 | 404 | 410) && !is_unsupported(&answer) => {
                Err(refusal(&answer))
            }
            _ if may_copy => self.untag_by_copy(tag, digest).await,
            _ => Ok(Removal::Unsupported),
        }
    }

    async fn untag_by_copy(
        &self,
        tag: &Reference,
        digest: &Digest,
    ) -> Result<Removal, LookupError> {
        // Nothing is written to a registry that would not remove it again.
        let nothing = Digest::of(tag.to_string().as_bytes());
        if self.delete_manifest(tag, &nothing).await? == Removal::Unsupported {
            return Ok(Removal::Unsupported);
        }
        let original = match self.inspect(tag).await {
            Err(error) if error.is_absent() => return Ok(Removal::Absent),
            inspected => inspected?,
        };
        if original.digest != *digest {
            return Ok(Removal::Moved);
        }
        let copy = self.marked(&original).ok_or_else(|| {
            let problem = "its manifest has annotations of another form".to_owned();
            LookupError::bad_reply(problem, FailedRequest::about(tag))
        })?;
        self.put(tag, &original.media_type, copy.clone()).await?;
        match self.delete_manifest(tag, &Digest::of(&copy)).await {
            Ok(Removal::Removed | Removal::Absent) => Ok(Removal::Removed),
            kept => {
                // The tag names its original digest again.
                self.put(tag, &original.media_type, original.bytes).await?;
                kept
            }
        }
    }

    /// Returns a manifest with one more annotation.
    fn marked(&self, original: &Inspected) -> Option<Vec<u8>> {
        let mut copy: serde_json::Value = serde_json::from_slice(&original.bytes).ok()?;
        let fields = copy.as_object_mut()?;
        let annotations = fields
            .entry("annotations")
            .or_insert_with(|| serde_json::json!({}));
        if annotations.is_null() {
            *annotations = serde_json::json!({});
        }
        let now = self.clock.now().to_string();
        annotations
            .as_object_mut()?
            .insert(REMOVED.to_owned(), now.into());
        serde_json::to_vec(&copy).ok()
    }

    /// Writes a manifest under a tag, or by digest alone.
    pub(super) async fn put(
        &self,
        tag: &Reference,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<(), LookupError> {
        let host = self.host_of(tag)?;
        let media_type = HeaderValue::from_str(media_type);
        let media_type =
            media_type.unwrap_or_else(|_| HeaderValue::from_static("application/json"));
        let request_spec =
            RequestSpec::put_manifest(tag, tag.tag_or_digest(), media_type, bytes.into());
        let answer = host.ask(&request_spec).await?;
        self.forget_tag(tag);
        match answer.response.status {
            200..300 => Ok(()),
            _ => Err(refusal(&answer)),
        }
    }
}

impl LookupError {
    /// Tells whether the registry refused to remove just this tag or manifest, as ACR does with one that is locked.
    pub fn is_locked(&self) -> bool {
        self.asked().status == Some(405)
    }
}

/// Tells whether the response says that the registry does not support this removal.
fn is_unsupported(answer: &Answer) -> bool {
    let codes = answer.codes();
    let has_code = codes.iter().any(|code| !code.is_empty());
    match answer.response.status {
        501 => true,
        405 if !has_code => true,
        _ => codes.iter().any(|code| code == "UNSUPPORTED"),
    }
}
