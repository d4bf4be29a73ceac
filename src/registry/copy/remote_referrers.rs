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
        LookupError,
        client::{defective, refusal},
        documents::head::{content_type, is_web_page},
        requests::host::Host,
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

impl Host {
    /// Lists the referrers of a document, each once; `None` where the registry has no referrers API. GHCR and registry.k8s.io redirect to a web
    /// page then.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, refuses, or sends a list that cannot be read: it may have referrers then.
    pub async fn referrers(
        &self,
        image: &Reference,
        digest: &Digest,
    ) -> Result<Option<Vec<Descriptor>>, LookupError> {
        let mut found: Vec<Descriptor> = Vec::new();
        let mut known = BTreeSet::new();
        let mut is_page = false;
        let request_spec = RequestSpec::referrers(image, digest);
        let refused = self.ask_for_pages(request_spec, |answer| {
            let media_type = content_type(&answer.response.headers);
            is_page = known.is_empty() && is_web_page(&media_type);
            if is_page {
                return Ok(0);
            }
            let body = answer.response.body.clone().into();
            let list = RawDocument::parse(&answer.response.headers, body)
                .map_err(|defect| defective(defect, answer.asked.clone()))?;
            let before = found.len();
            let new = list.children.into_iter();
            found.extend(new.filter(|child| known.insert(child.digest.clone())));
            Ok(found.len() - before)
        });
        match refused.await? {
            None if is_page => Ok(None),
            None => Ok(Some(found)),
            Some(answer) if matches!(answer.response.status, 400 | 404 | 405 | 406 | 410 | 501) => {
                Ok(None)
            }
            Some(answer) => Err(refusal(&answer)),
        }
    }
}

impl Remote {
    /// Returns the referrers of a document, from the registry's list or the referrers tag.
    pub async fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, CopyError> {
        let found = self.host.referrers(&self.image, digest).await;
        if let Some(found) = found.map_err(CopyError::Read)? {
            return Ok(found);
        }
        let list = self.tagged(&tag_of(digest)).await?;
        let list = list.filter(|list| list.digest != *digest);
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
        // GitLab takes the tag for the digest itself, and accepts no list under it.
        if listed.as_ref().is_some_and(|it| it.digest == *subject) {
            return Ok(());
        }
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
