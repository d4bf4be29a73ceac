//! The referrers of an image: signatures, SBOMs and attestations that were pushed beside it.

use std::collections::BTreeSet;

use crate::image::Digest;

use super::{
    endpoint::Endpoint, image_copy::ImageCopy, problem::CopyError, remote::Remote, remote_referrers,
};

/// More referrers than any image has.
const MAX_REFERRERS: usize = 1000;

/// The suffixes of the tags under which cosign stores what belongs to a digest, where it does not use referrers.
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

impl ImageCopy<'_> {
    /// Copies the referrers of these documents, and their referrers in turn.
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

    /// Copies what cosign stores under tags that are named after a digest.
    async fn bring_cosigned(&self, from: &Remote, subject: &Digest) -> Result<(), CopyError> {
        for kind in COSIGN {
            let tag = format!("{}.{kind}", remote_referrers::tag_of(subject));
            let Some(document) = from.tagged(&tag).await? else {
                continue;
            };
            self.bring(&document).await?;
            self.write(&document, Some(&tag)).await?;
        }
        Ok(())
    }
}
