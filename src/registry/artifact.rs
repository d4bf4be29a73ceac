//! The files of an artifact: what somebody pushed to a registry that is no image, such as a build context.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::image::{Digest, Reference};

use super::{
    client::{Registries, refusal},
    problem::{Asked, LookupError, Trouble},
    question::Question,
};

/// How many files an artifact may have.
const MAX_LAYERS: usize = 256;

/// The annotation with the name of a file, as `oras push` writes it.
const TITLE: &str = "org.opencontainers.image.title";

/// The annotation of a folder that was packed, as `oras push` writes it.
const UNPACK: &str = "io.deis.oras.content.unpack";

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whether it is an archive that is to be unpacked.
    pub is_archive: bool,
    /// What is in it; its digest is that of the manifest.
    pub bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: Digest,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Layer {
    fn is_archive(&self) -> bool {
        let packed = self.annotations.get(UNPACK).is_some_and(|it| it == "true");
        let (media_type, _) = self
            .media_type
            .split_once(';')
            .unwrap_or((&self.media_type, ""));
        let tar = media_type.ends_with(".tar")
            || media_type.contains(".tar+")
            || media_type.contains(".tar.");
        packed || tar && !self.annotations.contains_key(TITLE)
    }
}

impl Registries {
    /// Reads all files of an artifact, in their order.
    ///
    /// # Errors
    ///
    /// [`LookupError`]: absent, or could not tell.
    pub async fn artifact(&self, image: &Reference) -> Result<Vec<ArtifactFile>, LookupError> {
        let host = self.host_of(image)?;
        let answer = host.ask(&Question::document(image)).await?;
        if answer.reply.status != 200 {
            return Err(refusal(&answer));
        }
        let bad = |asked: &Asked, problem: String| {
            LookupError::unknown(Trouble::BadReply(problem), asked.clone())
        };
        let wanted = image.digest();
        if wanted.is_some_and(|digest| !digest.matches(&answer.reply.body)) {
            return Err(bad(
                &answer.asked,
                "its content is not of its digest".into(),
            ));
        }
        let manifest: Manifest = serde_json::from_slice(&answer.reply.body)
            .map_err(|problem| bad(&answer.asked, format!("it is no artifact: {problem}")))?;
        if manifest.layers.is_empty() || manifest.layers.len() > MAX_LAYERS {
            let problem = format!(
                "it has {} files, and a context has 1 to {MAX_LAYERS}",
                manifest.layers.len()
            );
            return Err(bad(&answer.asked, problem));
        }
        let mut files = Vec::with_capacity(manifest.layers.len());
        for layer in manifest.layers {
            let answer = host.ask(&Question::file_at(image, &layer.digest)).await?;
            if answer.reply.status != 200 {
                return Err(refusal(&answer));
            }
            if !layer.digest.matches(&answer.reply.body) {
                let problem = format!("the content of `{}` is not of its digest", layer.digest);
                return Err(bad(&answer.asked, problem));
            }
            files.push(ArtifactFile {
                is_archive: layer.is_archive(),
                name: layer.annotations.get(TITLE).cloned(),
                bytes: answer.reply.body,
            });
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(media_type: &str, annotations: &[(&str, &str)]) -> Layer {
        Layer {
            media_type: media_type.into(),
            digest: Digest::of(b""),
            annotations: annotations
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        }
    }

    #[test]
    fn layers_of_images_and_packed_folders_are_unpacked_and_named_files_are_kept() {
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        assert!(layer(tar, &[]).is_archive());
        assert!(layer("application/vnd.oci.image.layer.v1.tar", &[]).is_archive());
        assert!(layer(tar, &[(TITLE, "app"), (UNPACK, "true")]).is_archive());
        assert!(!layer(tar, &[(TITLE, "data.tar.gz")]).is_archive());
        assert!(!layer("text/plain", &[(TITLE, "Dockerfile")]).is_archive());
    }
}
