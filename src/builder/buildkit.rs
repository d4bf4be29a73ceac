//! What buildx and buildctl share: both are clients of BuildKit, which builds and pushes in one command.

use std::path::PathBuf;

use crate::{
    image::{Digest, Reference},
    sys::command::CommandLine,
};

use super::{
    BuildCommand, BuildRequest, DigestSource, Purpose, program::csv_field, request::IMAGE,
};

/// The build argument that names the frontend, the image that reads the Dockerfile.
const SYNTAX: &str = "BUILDKIT_SYNTAX";

/// The images that one command pushes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PushGroup {
    pub images: Vec<Reference>,
    pub push: bool,
    /// Whether their registries are reached without TLS.
    pub is_plain: bool,
    /// The file to which the command writes the digest of the image.
    pub metadata: PathBuf,
    /// Whether an earlier command has built the same image.
    pub again: bool,
    /// Whether the images are pushed without a tag.
    pub by_digest: bool,
}

impl PushGroup {
    /// Returns the command of a build that builds and pushes the images by this line.
    pub fn command(&self, line: CommandLine) -> BuildCommand {
        if !self.push {
            return BuildCommand::new(Purpose::Build, line);
        }
        BuildCommand {
            purpose: Purpose::Publish(self.images.clone()),
            line,
            digest: DigestSource::Metadata(self.metadata.clone()),
        }
    }

    /// Returns the fields of an output that names and pushes the images, as BuildKit's exporter `image` takes them.
    pub fn output(&self) -> Vec<String> {
        let name = |image: &Reference| {
            if self.by_digest {
                image.name()
            } else {
                image.to_string()
            }
        };
        let names: Vec<String> = self.images.iter().map(name).collect();
        let mut fields = vec!["type=image".to_owned(), format!("name={}", names.join(","))];
        if self.by_digest {
            fields.push("push-by-digest=true".into());
            fields.push("name-canonical=true".into());
            // Nothing in a store of images would show which run has made an image without a tag.
            fields.push("store=false".into());
        }
        if self.push {
            fields.push("push=true".into());
        }
        if self.is_plain {
            fields.push("registry.insecure=true".into());
        }
        fields
    }
}

/// Joins fields to one line of comma-separated values.
pub(super) fn written(fields: Vec<String>) -> String {
    let fields: Vec<String> = fields.into_iter().map(csv_field).collect();
    fields.join(",")
}

/// Splits a build into commands. One is enough, unless some of its registries are without TLS and others with: a command with permission to
/// leave out TLS leaves it out for all its images, so that a second command pushes the others and takes the build from the cache.
pub(super) fn passes(request: &BuildRequest) -> Vec<PushGroup> {
    let push = request.push && !request.images.is_empty();
    let pass = |n: usize, images: Vec<Reference>, is_plain: bool| PushGroup {
        images,
        push,
        is_plain,
        metadata: request.scratch.join(format!("metadata-{n}.json")),
        again: n > 1,
        by_digest: push && request.by_digest,
    };
    if !push {
        return vec![pass(1, request.images.clone(), false)];
    }
    let (plain, safe): (Vec<_>, Vec<_>) = request
        .images
        .iter()
        .cloned()
        .partition(|image| request.is_plain(image));
    let parts = [(safe, false), (plain, true)];
    let parts = parts.into_iter().filter(|(images, _)| !images.is_empty());
    parts
        .zip(1..)
        .map(|((images, is_plain), n)| pass(n, images, is_plain))
        .collect()
}

/// Returns the request with those images pinned that cannot be pinned in the Dockerfile.
///
/// A named context replaces every image of its name, wherever that is used; the image that a named context or `BUILDKIT_SYNTAX` names is
/// pinned there. See `docker buildx build --build-context`.
pub(super) fn pinned(request: &BuildRequest) -> BuildRequest {
    let mut pinned = request.clone();
    for place in pinned.contexts.values_mut() {
        *place = request.resolved_context(place);
    }
    for (_, value) in pinned.args.iter_mut().filter(|(name, _)| name == SYNTAX) {
        if let Some(image) = request.pinned(value) {
            *value = image.to_string();
        }
    }
    for unpinned in &request.unpinned {
        let place = format!("{IMAGE}{}", unpinned.pinned());
        let name = unpinned.image.shortest();
        pinned.contexts.entry(name).or_insert(place);
    }
    pinned
}

/// Returns the digest in a metadata file: of the index, where there are several platforms; `None` where it has no digest.
pub fn digest_in_metadata(bytes: &[u8]) -> Option<Digest> {
    let metadata: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    metadata["containerimage.digest"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{Unpinned, request::tests::full};

    fn unpinned(image: &str) -> Unpinned {
        Unpinned {
            image: image.parse().unwrap(),
            digest: Digest::of(b"x"),
            platform: None,
        }
    }

    fn names(pass: &PushGroup) -> Vec<String> {
        pass.images.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn buildkit_pushes_to_registries_with_and_without_tls_in_separate_groups() {
        let passes = passes(&full());
        assert_eq!(passes.len(), 2);
        assert_eq!(names(&passes[0]), ["ghcr.io/a/web:1"]);
        assert!(!passes[0].is_plain && !passes[0].again);
        assert_eq!(names(&passes[1]), ["localhost:5000/web:1"]);
        assert!(passes[1].is_plain && passes[1].again);
        assert_ne!(passes[0].metadata, passes[1].metadata);
    }

    #[test]
    fn buildkit_build_without_a_push_runs_once() {
        let mut request = full();
        request.push = false;
        let passes = passes(&request);
        assert_eq!(passes.len(), 1);
        assert_eq!(passes[0].images.len(), 2);
        let command = passes[0].command(CommandLine::new("x"));
        assert_eq!(command.purpose, Purpose::Build);
    }

    #[test]
    fn buildkit_build_without_an_image_pushes_nothing() {
        let mut request = full();
        request.images.clear();
        let passes = passes(&request);
        assert_eq!(passes.len(), 1);
        assert!(!passes[0].push);
    }

    #[test]
    fn unpinned_image_is_pinned_by_a_named_context() {
        let mut request = full();
        let digest = Digest::of(b"x");
        request.unpinned = vec![unpinned("node:20"), unpinned("r.io/library/a")];
        let contexts = pinned(&request).contexts;
        assert_eq!(
            contexts["node:20"],
            format!("docker-image://docker.io/library/node@{digest}")
        );
        assert_eq!(
            contexts["r.io/library/a"],
            format!("docker-image://r.io/library/a@{digest}")
        );
    }

    #[test]
    fn image_named_by_a_context_or_the_syntax_is_pinned_there() {
        let mut request = full();
        let digest = Digest::of(b"x");
        request.contexts = [("base".to_owned(), "docker-image://r.io/base:1".to_owned())].into();
        request.args = vec![("BUILDKIT_SYNTAX".into(), "r.io/syntax:1".into())];
        request.unpinned = vec![unpinned("r.io/base:1"), unpinned("r.io/syntax:1")];
        let pinned = pinned(&request);
        assert_eq!(
            pinned.contexts["base"],
            format!("docker-image://r.io/base@{digest}")
        );
        assert_eq!(pinned.args[0].1, format!("r.io/syntax@{digest}"));
    }

    #[test]
    fn digest_is_read_from_the_buildkit_metadata_file() {
        let digest = Digest::of(b"x");
        let text = format!(r#"{{"containerimage.digest": "{digest}", "image.name": "a"}}"#);
        assert_eq!(digest_in_metadata(text.as_bytes()), Some(digest));
        assert_eq!(digest_in_metadata(b"{}"), None);
        assert_eq!(digest_in_metadata(b"cut of"), None);
    }
}
