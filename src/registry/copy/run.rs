//! A copy from its first request to its last tag.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    image::Digest,
    registry::{Removal, client::Registries},
};

use super::{
    endpoint::Endpoint,
    image_copy::{AT_ONCE, ImageCopy},
    memory::CopyMemory,
    problem::CopyError,
    request::{Amount, Copied, CopyRequest, ImagePlace, ProgressWatcher, Tagged},
    subset,
    tree::{Descriptor, RawDocument},
};

impl Registries {
    /// Copies an image; `memory` has what earlier copies have left.
    ///
    /// # Errors
    ///
    /// [`CopyError`]: then no tag was changed, except those of [`CopyError::TagsLeft`], and what has been copied stays for the next try.
    pub async fn copy(
        &self,
        request: &CopyRequest,
        watch: ProgressWatcher<'_>,
        memory: &dyn CopyMemory,
    ) -> Result<Copied, CopyError> {
        let copy = ImageCopy::new(self, request, watch, memory)?;
        let copied = copy.carry_out(request).await;
        copy.remember();
        copied
    }

    /// Undoes what a copy of the image with `digest` did to these tags, for a copy to several targets that must change all or none. Returns
    /// those that stay changed. A tag that names something else by now is left alone.
    pub async fn put_back(
        &self,
        to: &ImagePlace,
        digest: &Digest,
        tags: &[(String, Tagged)],
    ) -> Vec<String> {
        let changed = tags.iter().filter(|(_, it)| *it != Tagged::Unchanged);
        let changed = changed.rev();
        let Ok(target) = Endpoint::target(self, to) else {
            return changed.map(|(tag, _)| tag.clone()).collect();
        };
        let mut left = Vec::new();
        for (tag, tagged) in changed {
            let is_back = self.put_one_back(&target, digest, tag, tagged).await;
            if !is_back.unwrap_or(false) {
                left.push(target.tagged(tag));
            }
        }
        left
    }

    async fn put_one_back(
        &self,
        target: &Endpoint,
        digest: &Digest,
        tag: &str,
        tagged: &Tagged,
    ) -> Result<bool, CopyError> {
        if target.digest_of(tag).await?.as_ref() != Some(digest) {
            return Ok(true);
        }
        match (target, tagged) {
            (_, Tagged::Moved(before)) => {
                let before = target.document(Some(&Descriptor::of(before))).await?;
                target.write(&before, Some(tag)).await?;
                Ok(true)
            }
            (Endpoint::Layout(layout), _) => layout.unlist(tag).map(|()| true),
            (Endpoint::Registry(remote), _) => {
                let removed = self.untag(&remote.with_tag(tag)?, digest, true).await;
                let removed = removed.map_err(|error| remote.unwritten(error))?;
                Ok(removed != Removal::Unsupported)
            }
        }
    }

    /// Checks whether a copy would be refused because a tag stands for another image; for a copy to several targets that must change all or
    /// none.
    ///
    /// # Errors
    ///
    /// [`CopyError`], for instance [`CopyError::Exists`].
    pub async fn may_copy(&self, request: &CopyRequest) -> Result<(), CopyError> {
        let copy = ImageCopy::new(self, request, &|_| {}, &())?;
        let before = copy.standing(&request.tags).await?;
        if before.iter().all(Option::is_none)
            || copy.nothing_to_do(request, &before).await?.is_some()
        {
            return Ok(());
        }
        let root = copy.from.document(None).await?;
        let root = subset::of(&copy.from, root, &request.platforms).await?;
        copy.judge(request, &root, before).map(drop)
    }
}

impl ImageCopy<'_> {
    async fn carry_out(&self, request: &CopyRequest) -> Result<Copied, CopyError> {
        let before = self.standing(&request.tags).await?;
        if let Some(copied) = self.nothing_to_do(request, &before).await? {
            return Ok(copied);
        }
        let root = self.from.document(None).await?;
        let source = root.digest.clone();
        let root = subset::of(&self.from, root, &request.platforms).await?;
        let tags = self.judge(request, &root, before)?;
        let whole = self.bring(&root).await?;
        if request.all_referrers {
            self.bring_referrers(whole).await?;
        }
        self.write_tags(request, &root, &tags).await?;
        if request.tags.is_empty() {
            self.to.keep(&root).await?;
        }
        Ok(Copied {
            digest: root.digest,
            source,
            tags,
            amount: self.amount(),
        })
    }

    /// Writes the tags that change, all or none.
    async fn write_tags(
        &self,
        request: &CopyRequest,
        root: &RawDocument,
        tags: &[Tagged],
    ) -> Result<(), CopyError> {
        let all = request.tags.iter().cloned().zip(tags.iter().cloned());
        let all: Vec<(String, Tagged)> = all.collect();
        for (n, (tag, tagged)) in all.iter().enumerate() {
            if *tagged == Tagged::Unchanged {
                continue;
            }
            if let Err(why) = self.write(root, Some(tag)).await {
                // This one too: only the response may have been lost.
                let begun = all.get(..=n).unwrap_or_default();
                let left = self.registries.put_back(&request.to, &root.digest, begun);
                return Err(why.with_tags_left(left.await));
            }
        }
        Ok(())
    }

    /// Returns the present digest of each tag at the target.
    async fn standing(&self, tags: &[String]) -> Result<Vec<Option<Digest>>, CopyError> {
        stream::iter(tags)
            .map(|tag| self.to.digest_of(tag))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Returns the result at once if all tags already stand for the source image: two requests, and nothing is read. A folder may have lost
    /// files, and with `--force` nothing is taken for complete unseen.
    async fn nothing_to_do(
        &self,
        request: &CopyRequest,
        before: &[Option<Digest>],
    ) -> Result<Option<Copied>, CopyError> {
        let Some(Some(digest)) = before.first() else {
            return Ok(None);
        };
        let alike = before.iter().all(|it| it.as_ref() == Some(digest));
        let sees_all = request.force || matches!(self.to, Endpoint::Layout(_));
        if !alike || sees_all || !request.platforms.is_empty() || request.all_referrers {
            return Ok(None);
        }
        let source = self.from.digest().await?;
        Ok((source == *digest).then(|| Copied {
            digest: source.clone(),
            source,
            tags: vec![Tagged::Unchanged; before.len()],
            amount: Amount::default(),
        }))
    }

    /// Decides what becomes of each tag.
    fn judge(
        &self,
        request: &CopyRequest,
        root: &RawDocument,
        before: Vec<Option<Digest>>,
    ) -> Result<Vec<Tagged>, CopyError> {
        let tags = request.tags.iter().zip(before);
        tags.map(|(tag, before)| match before {
            None => Ok(Tagged::Created),
            Some(there) if there == root.digest => Ok(Tagged::Unchanged),
            Some(there) if request.force => Ok(Tagged::Moved(there)),
            Some(there) => Err(CopyError::Exists {
                image: self.to.tagged(tag),
                there,
                new: root.digest.clone(),
            }),
        })
        .collect()
    }
}
