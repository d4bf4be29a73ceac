//! What refers to an image: signatures, SBOMs and attestations that were pushed beside it.

use std::collections::BTreeSet;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::{
    image::{Digest, Reference},
    registry::{client::refusal, request_spec::RequestSpec},
};

use super::{
    Copy, CopyError,
    endpoint::Endpoint,
    remote::{Listed, Remote},
    tree::{Descriptor, Document},
};

/// More referrers than any image has that people make.
const MAX_REFERRERS: usize = 1000;

/// The tags under which cosign keeps what belongs to a digest, where it does not use referrers.
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

impl Copy<'_> {
    /// Copies what refers to these documents, and what refers to that.
    pub(super) async fn bring_referrers(&self, documents: Vec<Digest>) -> Result<(), CopyError> {
        let mut known: BTreeSet<Digest> = documents.iter().cloned().collect();
        let mut open = documents;
        while let Some(subject) = open.pop() {
            for referrer in self.from.referrers(&subject).await? {
                if known.len() > MAX_REFERRERS || !known.insert(referrer.digest.clone()) {
                    continue;
                }
                let document = self.from.document(Some(&referrer)).await?;
                let whole = self.bring(&document).await?;
                if let Endpoint::Registry(target) = &self.to {
                    target.list_referrer(&subject, &document).await?;
                } else {
                    self.to.keep(&document).await?;
                }
                open.extend(whole);
            }
            if let (Endpoint::Registry(from), Endpoint::Registry(_)) = (&self.from, &self.to) {
                self.bring_cosigned(from, &subject).await?;
            }
        }
        Ok(())
    }

    /// Copies what cosign keeps under tags that are named after a digest.
    async fn bring_cosigned(&self, from: &Remote, subject: &Digest) -> Result<(), CopyError> {
        for kind in COSIGN {
            let tag = format!("{}.{kind}", tag_of(subject));
            let Some(document) = from.tagged(&tag).await? else {
                continue;
            };
            self.bring(&document).await?;
            self.write(&document, Some(&tag)).await?;
        }
        Ok(())
    }
}

/// Returns the tag that stands for a digest where a registry has no list of referrers, as the distribution specification
/// names it.
fn tag_of(digest: &Digest) -> String {
    digest.as_str().replace(':', "-")
}

impl Remote {
    /// Returns what refers to a document, as the registry or the tag in place of its list says.
    pub async fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, CopyError> {
        let request_spec = RequestSpec::referrers(&self.image, digest);
        let answer = self
            .host
            .ask(&request_spec)
            .await
            .map_err(CopyError::Read)?;
        if answer.response.status == 200 {
            let list = Document::parse(&answer.response.headers, answer.response.body.into());
            let list =
                list.map_err(|defect| CopyError::defect(&self.image.to_string(), &defect))?;
            return Ok(list.children);
        }
        if !matches!(answer.response.status, 400 | 404 | 405) {
            return Err(CopyError::Read(refusal(&answer)));
        }
        let list = self.tagged(&tag_of(digest)).await?;
        Ok(list.map(|list| list.children).unwrap_or_default())
    }

    /// Reads the document of a tag, if there is one.
    async fn tagged(&self, tag: &str) -> Result<Option<Document>, CopyError> {
        let Ok(image) = format!("{}:{tag}", self.image.name()).parse::<Reference>() else {
            return Ok(None);
        };
        let tagged = Self {
            host: self.host.clone(),
            image,
        };
        match tagged.document(None).await {
            Ok(document) => Ok(Some(document)),
            Err(CopyError::Read(error)) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes what refers to `subject`, and where the registry keeps no list of such, adds it to the one under the tag.
    async fn list_referrer(&self, subject: &Digest, document: &Document) -> Result<(), CopyError> {
        if document.subject.is_none() || self.write(document, None).await? == Listed::ByRegistry {
            return Ok(());
        }
        let tag = tag_of(subject);
        let listed = self.tagged(&tag).await?;
        let mut list = match &listed {
            Some(list) => serde_json::from_slice(&list.bytes).unwrap_or(Value::Null),
            None => json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [],
            }),
        };
        let Some(entries) = list["manifests"].as_array_mut() else {
            return Ok(());
        };
        let digest = document.digest.as_str();
        if entries.iter().any(|entry| entry["digest"] == digest) {
            return Ok(());
        }
        let mut entry = json!({
            "mediaType": document.media_type,
            "digest": digest,
            "size": document.bytes.len(),
        });
        if let Some(artifact_type) = document.artifact_type() {
            entry["artifactType"] = artifact_type.into();
        }
        entries.push(entry);
        let mut headers = HeaderMap::new();
        let index = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
        headers.insert(CONTENT_TYPE, index);
        let list = Document::parse(&headers, list.to_string().into());
        let list = list.map_err(|defect| CopyError::defect(&self.place(), &defect))?;
        self.write(&list, Some(&tag)).await.map(drop)
    }
}
