//! The files of an artifact: something in a registry that is no image, such as a build context.

use serde::Deserialize;

use crate::image::{Platform, Reference};

use super::{
    client::{Registries, success},
    copy::Descriptor,
    documents::{
        index::{self, Choice},
        manifest::{self as document, Document},
    },
    problem::{FailedRequest, LookupError},
    transport::request_spec::RequestSpec,
};

/// How many files an artifact may have.
const MAX_LAYERS: usize = 256;

/// How deep indexes may be nested.
const MAX_NESTED: usize = 3;

/// The annotation with the name of a file, as `oras push` writes it.
const TITLE: &str = "org.opencontainers.image.title";

/// The annotation of a packed folder, as `oras push` writes it.
const UNPACK: &str = "io.deis.oras.content.unpack";

/// A file of an artifact that has not been fetched yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Its blob, for [`Registries::fetch_blob`].
    pub layer: Descriptor,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

impl ArtifactFile {
    pub fn name(&self) -> Option<&str> {
        self.layer.annotations.get(TITLE).map(String::as_str)
    }

    /// Returns its size in bytes according to its manifest. No more than that is downloaded.
    pub fn size(&self) -> u64 {
        self.layer.size
    }

    /// Tells whether it is an archive that must be unpacked.
    pub fn is_archive(&self) -> bool {
        let layer = &self.layer;
        let packed = layer.annotations.get(UNPACK).is_some_and(|it| it == "true");
        let (media_type, _) = layer
            .media_type
            .split_once(';')
            .unwrap_or((&layer.media_type, ""));
        let tar = media_type.ends_with(".tar")
            || media_type.contains(".tar+")
            || media_type.contains(".tar.");
        packed || tar && !layer.annotations.contains_key(TITLE)
    }
}

impl Registries {
    /// Returns the files of an artifact, in their order.
    pub async fn artifact(&self, image: &Reference) -> Result<Vec<ArtifactFile>, LookupError> {
        self.nested_artifact(image, 0).await
    }

    async fn nested_artifact(
        &self,
        image: &Reference,
        level: usize,
    ) -> Result<Vec<ArtifactFile>, LookupError> {
        let host = self.host_of(image)?;
        let answer = success(host.ask(&RequestSpec::document(image)).await?)?;
        let bad =
            |asked: &FailedRequest, problem: String| LookupError::bad_reply(problem, asked.clone());
        let wanted = image.digest();
        if wanted.is_some_and(|digest| !digest.matches(&answer.response.body)) {
            return Err(bad(
                &answer.asked,
                "its content does not match its digest".into(),
            ));
        }
        if let Ok((_, Document::Index(entries))) = document::parse("", &answer.response.body) {
            let host = Platform::host();
            return match index::choose(&entries, &host) {
                Choice::Manifest(digest) if level < MAX_NESTED => {
                    Box::pin(self.nested_artifact(&image.at(digest.clone()), level + 1)).await
                }
                _ => {
                    let named =
                        format!("name one by its digest, as oci://{}@sha256:…", image.name());
                    let problem = format!("it is an index without a manifest for {host}; {named}");
                    Err(bad(&answer.asked, problem))
                }
            };
        }
        let manifest: Manifest = serde_json::from_slice(&answer.response.body)
            .map_err(|problem| bad(&answer.asked, format!("it is no artifact: {problem}")))?;
        if manifest.layers.is_empty() || manifest.layers.len() > MAX_LAYERS {
            let problem = format!(
                "it has {} files, and a context has 1 to {MAX_LAYERS}",
                manifest.layers.len()
            );
            return Err(bad(&answer.asked, problem));
        }
        let files = manifest.layers.into_iter();
        Ok(files.map(|layer| ArtifactFile { layer }).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::image::Digest;

    use super::*;

    fn layer(media_type: &str, annotations: &[(&str, &str)]) -> ArtifactFile {
        let layer = Descriptor {
            media_type: media_type.into(),
            artifact_type: String::new(),
            digest: Digest::of(b""),
            size: 0,
            urls: Vec::new(),
            annotations: annotations
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        };
        ArtifactFile { layer }
    }

    #[test]
    fn image_layers_and_packed_folders_are_unpacked_and_titled_files_are_not() {
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        assert!(layer(tar, &[]).is_archive());
        assert!(layer("application/vnd.oci.image.layer.v1.tar", &[]).is_archive());
        assert!(layer(tar, &[(TITLE, "app"), (UNPACK, "true")]).is_archive());
        assert!(!layer(tar, &[(TITLE, "data.tar.gz")]).is_archive());
        assert!(!layer("text/plain", &[(TITLE, "Dockerfile")]).is_archive());
    }
}
