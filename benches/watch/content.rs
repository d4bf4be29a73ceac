//! The content of the registries: numbered repositories, each with one tag, and the tag's content before and after its
//! move.

use acrt::image::Digest;

/// The tag of every repository.
pub const TAG: &str = "1";

/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The content of a tag.
pub struct Document {
    /// The media type.
    pub kind: &'static str,
    /// The digest.
    pub digest: Digest,
    /// The digest of the linux/amd64 manifest in it, or its own digest if it is a manifest.
    pub manifest: Digest,
    /// The document itself.
    pub body: Vec<u8>,
}

/// Returns the name of a repository.
#[must_use]
pub fn repository(number: usize) -> String {
    format!("base/r{number:05}")
}

/// Returns the image config of the tag of `repository`.
#[must_use]
pub fn config(repository: &str, moved: bool) -> Vec<u8> {
    let about = format!("{repository} moved: {moved}");
    format!("{{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"{about}\",\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[]}}}}")
        .into_bytes()
}

impl Document {
    /// Returns the content of the tag of `repository`: an index or a manifest.
    #[must_use]
    pub fn of(repository: &str, moved: bool, index: bool) -> Self {
        let text = |kind: &str, rest: &str| {
            format!("{{\"schemaVersion\":2,\"mediaType\":\"{kind}\",{rest}}}")
        };
        let config = config(repository, moved);
        let (config, size) = (Digest::of(&config), config.len());
        let config_kind = "application/vnd.oci.image.config.v1+json";
        let manifest = text(
            MANIFEST,
            &format!(
                "\"config\":{{\"mediaType\":\"{config_kind}\",\"digest\":\"{config}\",\"size\":{size}}},\"layers\":[]"
            ),
        );
        let digest = Digest::of(manifest.as_bytes());
        if !index {
            return Self {
                kind: MANIFEST,
                manifest: digest.clone(),
                digest,
                body: manifest.into_bytes(),
            };
        }
        let entry = |digest: &Digest, architecture: &str| {
            let size = manifest.len();
            format!(
                "{{\"mediaType\":\"{MANIFEST}\",\"digest\":\"{digest}\",\"size\":{size},\"platform\":{{\"os\":\"linux\",\"architecture\":\"{architecture}\"}}}}"
            )
        };
        let other = Digest::of(repository.as_bytes());
        let entries = format!("{},{}", entry(&digest, "amd64"), entry(&other, "arm64"));
        let index = text(INDEX, &format!("\"manifests\":[{entries}]"));
        Self {
            kind: INDEX,
            digest: Digest::of(index.as_bytes()),
            manifest: digest,
            body: index.into_bytes(),
        }
    }
}
