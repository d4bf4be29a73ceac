//! The referrers of a document in a repository: from the registry's referrers API, or from the tag that replaces it.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>

use std::collections::BTreeSet;

use bytes::Bytes;
use oci_client::manifest::OCI_IMAGE_INDEX_MEDIA_TYPE;
use serde_json::Value;

use crate::{
    image::{Digest, Reference},
    registry::{
        client::{defective, refusal},
        transport::request_spec::RequestSpec,
    },
};

use super::{
    problem::CopyError,
    remote::{Listed, Remote},
    tree::{self, Descriptor, RawDocument},
};

/// Returns the referrers tag of a digest, for a registry without the referrers API, as the distribution specification names it.
pub fn tag_of(digest: &Digest) -> String {
    digest.as_str().replace(':', "-")
}

impl Remote {
    /// Returns the referrers of a document, from the registry's list or the referrers tag.
    pub async fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, CopyError> {
        let mut found: Vec<Descriptor> = Vec::new();
        let mut known = BTreeSet::new();
        let request_spec = RequestSpec::referrers(&self.image, digest);
        let refused = self.host.ask_for_pages(request_spec, |answer| {
            let body = answer.response.body.clone().into();
            let list = RawDocument::parse(&answer.response.headers, body)
                .map_err(|defect| defective(defect, answer.asked.clone()))?;
            let before = found.len();
            let new = list.children.into_iter();
            found.extend(new.filter(|child| known.insert(child.digest.clone())));
            Ok(found.len() - before)
        });
        match refused.await.map_err(CopyError::Read)? {
            None => return Ok(found),
            Some(answer) if matches!(answer.response.status, 400 | 404 | 405) => {}
            Some(answer) => return Err(CopyError::Read(refusal(&answer))),
        }
        let list = self.tagged(&tag_of(digest)).await?;
        Ok(list.map(|list| list.children).unwrap_or_default())
    }

    /// Reads the document of a tag, if there is one.
    pub async fn tagged(&self, tag: &str) -> Result<Option<RawDocument>, CopyError> {
        let Ok(image) = format!("{}:{tag}", self.image.name()).parse::<Reference>() else {
            return Ok(None);
        };
        match self.at(image).document(None).await {
            Ok(document) => Ok(Some(document)),
            Err(CopyError::Read(error)) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a referrer of `subject`, and where the registry keeps no list of referrers, adds it to the list under the referrers tag.
    pub async fn list_referrer(
        &self,
        subject: &Digest,
        document: &RawDocument,
    ) -> Result<(), CopyError> {
        if document.subject.is_none() || self.write(document, None).await? == Listed::ByRegistry {
            return Ok(());
        }
        let tag = tag_of(subject);
        let listed = self.tagged(&tag).await?;
        let mut list = match &listed {
            Some(list) => serde_json::from_slice(&list.bytes).unwrap_or(Value::Null),
            None => tree::empty_index(),
        };
        let Some(entries) = list["manifests"].as_array_mut() else {
            return Ok(());
        };
        let digest = document.digest.as_str();
        if entries.iter().any(|entry| entry["digest"] == digest) {
            return Ok(());
        }
        let mut entry = document.entry();
        if let Some(artifact_type) = document.artifact_type() {
            entry["artifactType"] = artifact_type.into();
        }
        entries.push(entry);
        let bytes = Bytes::from(list.to_string());
        let media_type = OCI_IMAGE_INDEX_MEDIA_TYPE.to_owned();
        let list = RawDocument::of(Digest::of(&bytes), media_type, bytes)
            .map_err(|defect| CopyError::defect(&self.place(), &defect))?;
        self.write(&list, Some(&tag)).await.map(drop)
    }
}
