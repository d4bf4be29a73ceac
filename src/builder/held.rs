//! What a builder reports of the images in its own store.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    image::{Digest, Platform, Reference},
    sys::command::CommandLine,
};

use super::{BuildRequest, Builder, buildah};

/// An image in a builder's store, as far as the builder describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldImage {
    /// The platforms that it is made for; empty where the builder does not say.
    pub platforms: Vec<Platform>,
    /// The `ONBUILD` instructions, which run in every build on it.
    pub on_build: Vec<String>,
    /// Its config, in the form of the OCI image specification, as far as the builder reports it.
    pub config: Value,
    /// The annotations of its manifest, where the builder keeps them.
    pub annotations: BTreeMap<String, String>,
    /// Its digests in repositories.
    pub(super) digests: Vec<Reference>,
    /// The digest with which it came to the builder.
    pub(super) own: Option<Digest>,
    /// The builder's own id for it: the same content has the same id.
    pub id: Option<Digest>,
    /// The digests of the images in it, where it is a manifest list.
    pub parts: Vec<Digest>,
    /// Its tags, where this command reports them.
    pub(super) tags: Vec<String>,
}

impl HeldImage {
    /// Parses the output of [`Builder::inspect_image`] and [`Builder::inspect_built`]; `None` where it is something else.
    pub fn parse(printed: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(printed).ok()?;
        if document["manifests"].is_array() {
            return Some(of_list(&document));
        }
        if document["OCIv1"].is_object() {
            return Some(of_buildah(&document));
        }
        of_docker(document.as_array()?.first()?)
    }

    /// Returns its references by digest in repositories.
    pub fn on_registries(&self) -> &[Reference] {
        &self.digests
    }

    /// Returns the digests by which the repository of `image` may know it: first the digest with which it came, which is that of the index
    /// where there was one; last that of its manifest.
    pub fn digests_of(&self, image: &Reference) -> Vec<Digest> {
        let named = self.digests.iter().filter(|one| one.name() == image.name());
        let mut digests: Vec<Digest> = named.filter_map(Reference::digest).cloned().collect();
        // buildah reports no repository beside the digest; the image has the name that was asked for.
        if self.digests.is_empty() {
            digests.extend(self.own.clone());
        }
        digests.sort_by_key(|digest| Some(digest) != self.own.as_ref());
        digests
    }
}

/// Reads an entry of the list that `docker image inspect` and `podman image inspect` print.
fn of_docker(image: &Value) -> Option<HeldImage> {
    image.as_object()?;
    let digests = texts(&image["RepoDigests"]);
    Some(HeldImage {
        platforms: Vec::from_iter(platform(
            &image["Os"],
            &image["Architecture"],
            &image["Variant"],
        )),
        on_build: texts(&image["Config"]["OnBuild"]),
        config: json!({
            "os": image["Os"],
            "architecture": image["Architecture"],
            "variant": image["Variant"],
            "created": image["Created"],
            "config": image["Config"],
            "rootfs": {"diff_ids": image["RootFS"]["Layers"]},
            // Only podman reports it.
            "history": image["History"],
        }),
        annotations: map(&image["Annotations"]),
        digests: digests.iter().filter_map(|one| one.parse().ok()).collect(),
        id: id(&image["Id"]),
        parts: Vec::new(),
        // Docker 28 with the store of containerd also lists names with digests.
        tags: texts(&image["RepoTags"])
            .into_iter()
            .filter(|name| !name.contains('@'))
            .collect(),
        // Only podman reports it. Without a repository's digest it is not from a registry.
        own: text(&image["Digest"])
            .and_then(|digest| digest.parse().ok())
            .filter(|_| !digests.is_empty()),
    })
}

/// Reads what `buildah inspect --type image` prints.
fn of_buildah(image: &Value) -> HeldImage {
    let config = &image["OCIv1"];
    HeldImage {
        platforms: Vec::from_iter(platform(
            &config["os"],
            &config["architecture"],
            &config["variant"],
        )),
        on_build: texts(&image["Docker"]["config"]["OnBuild"]),
        config: config.clone(),
        annotations: map(&image["ImageAnnotations"]),
        id: id(&image["FromImageID"]),
        own: text(&image["FromImageDigest"]).and_then(|digest| digest.parse().ok()),
        ..HeldImage::default()
    }
}

/// Reads a manifest list, as `podman manifest inspect` and `buildah manifest inspect` print it.
fn of_list(list: &Value) -> HeldImage {
    let entries = || list["manifests"].as_array().into_iter().flatten();
    let platforms = entries().filter_map(|entry| {
        let of = &entry["platform"];
        platform(&of["os"], &of["architecture"], &of["variant"])
    });
    HeldImage {
        platforms: platforms.collect(),
        parts: entries()
            .filter_map(|entry| text(&entry["digest"])?.parse().ok())
            .collect(),
        ..HeldImage::default()
    }
}

/// Reads an id, which not every builder writes as a digest with its algorithm.
fn id(value: &Value) -> Option<Digest> {
    let text = text(value)?;
    if text.contains(':') {
        text.parse().ok()
    } else {
        format!("sha256:{text}").parse().ok()
    }
}

fn platform(os: &Value, architecture: &Value, variant: &Value) -> Option<Platform> {
    Some(Platform::new(text(os)?, text(architecture)?, text(variant)))
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(text);
    texts.map(str::to_owned).collect()
}

fn map(object: &Value) -> BTreeMap<String, String> {
    let fields = object.as_object().into_iter().flatten();
    fields
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

impl Builder {
    /// Returns the command that prints the images of the running containers, one on each line: the image's name or id, and after a space
    /// the name with which the container was created, where that may name another image by now. `None` for a builder that runs no
    /// containers.
    pub fn running_images(&self) -> Option<CommandLine> {
        let (program, format) = match self {
            // Prints the id where the name stands for another image now.
            Self::Docker { program, .. } | Self::Buildx { program, .. } => {
                (program, "{{.Image}} {{.Names}}")
            }
            Self::Podman(program) => (program, "{{.ImageID}} {{.Image}} {{.Names}}"),
            Self::Buildah(_) | Self::Buildctl(_) | Self::Command(_) => return None,
        };
        Some(program.call(&["ps", "--no-trunc", "--format", format]))
    }

    /// Returns the command that prints, as JSON, the image that the builder's store has under a name, and fails where it has none; `None`
    /// where the builder cannot tell. [`HeldImage::parse`] reads the output.
    pub fn inspect_image(&self, name: &str) -> Option<CommandLine> {
        match self {
            Self::Docker { program, .. }
            | Self::Buildx {
                program,
                in_daemon: true,
            }
            | Self::Podman(program) => Some(program.call(&["image", "inspect", "--", name])),
            Self::Buildah(program) => {
                Some(program.call(&["inspect", "--type", "image", "--", name]))
            }
            Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => None,
        }
    }

    /// Returns the commands that print, as JSON, each image of the manifest list `built`, whose name is `list`.
    pub fn inspect_parts(&self, list: &str, built: &HeldImage) -> Vec<CommandLine> {
        let name = list.rsplit_once(':').map_or(list, |(name, _)| name);
        let parts = built.parts.iter();
        let inspect = |digest| self.inspect_image(&format!("{name}@{digest}"));
        parts.filter_map(inspect).collect()
    }

    /// Returns the command that describes the image that a build has made, before it is pushed; `None` where it has no name on this
    /// machine.
    pub fn inspect_built(&self, request: &BuildRequest) -> Option<CommandLine> {
        let image = request.images.first()?.to_string();
        let is_single = request.platforms.len() < 2;
        match self {
            // A BuildKit elsewhere has loaded the image into the daemon.
            Self::Docker { program, .. } | Self::Buildx { program, .. } if is_single => {
                Some(program.call(&["image", "inspect", "--"]).arg(image))
            }
            Self::Podman(_) | Self::Buildah(_) => match self.list_of(request) {
                Some(list) => self.inspect_list(&list),
                None => self.inspect_image(&image),
            },
            Self::Docker { .. } | Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => {
                None
            }
        }
    }

    /// Returns the name of the manifest list that a build makes; `None` where it makes none.
    pub fn list_of(&self, request: &BuildRequest) -> Option<String> {
        self.podman_or_buildah()?;
        buildah::gathered(request).ok().flatten()
    }

    /// Returns the command that prints the names of the manifest lists of all builds, one on each line.
    pub fn image_lists(&self) -> Option<CommandLine> {
        let name = match self {
            Self::Buildah(_) => "{{.Name}}:{{.Tag}}",
            _ => "{{.Repository}}:{{.Tag}}",
        };
        let list = self.podman_or_buildah()?.call(&["images"]);
        let list = list.flag("--filter", format!("reference={}*", buildah::LISTS));
        Some(list.flag("--format", name))
    }

    /// Returns the command that prints a manifest list as JSON. [`HeldImage::parse`] reads the output.
    pub fn inspect_list(&self, list: &str) -> Option<CommandLine> {
        let program = self.podman_or_buildah()?;
        Some(program.call(&["manifest", "inspect", "--", list]))
    }

    /// Returns the command that removes a manifest list, but not the images in it.
    pub fn remove_list(&self, list: &str) -> Option<CommandLine> {
        Some(buildah::remove_list(self.podman_or_buildah()?, list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn image_id_is_read_from_the_output_of_each_builder() {
        let own = digest("own");
        for text in [
            format!(r#"[{{"Id":"{own}"}}]"#),
            format!(r#"[{{"Id":"{}"}}]"#, own.hex()),
            format!(r#"{{"FromImageID":"{}","OCIv1":{{}}}}"#, own.hex()),
        ] {
            let image = HeldImage::parse(text.as_bytes()).unwrap();
            assert_eq!(image.id, Some(own.clone()), "{text}");
        }
    }

    fn shown(image: &HeldImage) -> Vec<String> {
        image.platforms.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn repository_digests_are_read_from_docker_output() {
        let (own, other) = (digest("own"), digest("other"));
        let text = format!(
            r#"[{{"RepoDigests":["r.io/other@{other}","node@{own}"],"Os":"linux","Architecture":"arm","Variant":"v7","Config":{{"OnBuild":["RUN x"]}}}}]"#
        );
        let image = HeldImage::parse(text.as_bytes()).unwrap();
        assert_eq!(shown(&image), ["linux/arm/v7"]);
        assert_eq!(image.on_build, ["RUN x"]);
        assert_eq!(
            image.digests_of(&"docker.io/library/node:20".parse().unwrap()),
            [own]
        );
        assert_eq!(image.digests_of(&"r.io/third:1".parse().unwrap()), []);
    }

    #[test]
    fn digest_of_a_pulled_image_is_read_from_podman_output() {
        let (index, manifest) = (digest("index"), digest("manifest"));
        let text = format!(
            r#"[{{"Digest":"{index}","RepoDigests":["r.io/a@{manifest}","r.io/a@{index}"],"Os":"linux","Architecture":"amd64"}}]"#
        );
        let image = HeldImage::parse(text.as_bytes()).unwrap();
        assert_eq!(
            image.digests_of(&"r.io/a:1".parse().unwrap()),
            [index, manifest]
        );
    }

    #[test]
    fn manifest_digest_is_read_from_buildah_output() {
        let manifest = digest("manifest");
        let text = format!(
            r#"{{"FromImageDigest":"{manifest}","OCIv1":{{"os":"windows","architecture":"amd64"}},"Docker":{{"config":{{"OnBuild":null}}}}}}"#
        );
        let image = HeldImage::parse(text.as_bytes()).unwrap();
        assert_eq!(shown(&image), ["windows/amd64"]);
        assert_eq!(image.digests_of(&"r.io/a:1".parse().unwrap()), [manifest]);
    }

    #[test]
    fn platforms_are_read_from_a_manifest_list() {
        let text = br#"{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}},{"platform":{"os":"linux","architecture":"arm64"}}]}"#;
        let image = HeldImage::parse(text).unwrap();
        assert_eq!(shown(&image), ["linux/amd64", "linux/arm64"]);
    }

    #[test]
    fn image_without_digests_has_none_and_other_output_is_no_image() {
        let text = br#"[{"RepoDigests":[],"Os":"linux","Architecture":"amd64"}]"#;
        let image = HeldImage::parse(text).unwrap();
        assert_eq!(image.digests_of(&"r.io/a:1".parse().unwrap()), []);
        for text in ["ok", "[]", "{}", "[1]", ""] {
            assert_eq!(HeldImage::parse(text.as_bytes()), None, "{text}");
        }
    }
}
