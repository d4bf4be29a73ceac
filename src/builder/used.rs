//! What prevents the removal of an image from a builder's store: its names, and the containers that use it.

use crate::{
    image::{Digest, Reference},
    sys::command::CommandLine,
};

use super::{Builder, HeldImage};

impl Builder {
    /// Tells whether it has an image store from which images can be removed.
    pub fn keeps_images(&self) -> bool {
        self.remove_image("x").is_some() && self.inspect_image("x").is_some()
    }

    /// Returns the id of an image in the form that its commands take.
    pub fn id_text(&self, id: &Digest) -> String {
        match self {
            Self::Podman(_) | Self::Buildah(_) => id.hex().to_owned(),
            Self::Docker { .. } | Self::Buildx { .. } | Self::Buildctl(_) | Self::Command(_) => {
                id.to_string()
            }
        }
    }

    /// Returns the command that prints the ids of the containers of an image or of images built on it, running or not; `None` where the
    /// builder itself refuses to remove an image in use.
    pub fn containers_of(&self, image: &str) -> Option<CommandLine> {
        let list = self
            .containers()?
            .call(&["ps", "--all", "--quiet", "--filter"]);
        Some(list.arg(format!("ancestor={image}")))
    }

    /// Returns the command that prints all images with their tags, for a builder that does not report the tags of a single image.
    /// [`HeldImage::listed`] and [`HeldImage::take_tags`] read the output.
    pub fn list_tags(&self) -> Option<CommandLine> {
        let Self::Buildah(program) = self else {
            return None;
        };
        let list = program.call(&["images", "--all", "--no-trunc", "--format"]);
        Some(list.arg("{{.ID}} {{.Name}}:{{.Tag}}"))
    }
}

impl HeldImage {
    /// Returns the image with this id in a list of all images; `None` where it is not there.
    pub fn listed(id: &Digest, printed: &str) -> Option<Self> {
        let mut names = names_of(id, printed).peekable();
        names.peek()?;
        Some(Self {
            id: Some(id.clone()),
            tags: tags(names),
            ..Self::default()
        })
    }

    /// Sets the tags that a list of all images has for this one.
    pub fn take_tags(&mut self, printed: &str) {
        if let Some(id) = &self.id {
            self.tags = tags(names_of(id, printed));
        }
    }

    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Returns the name by which it can be removed next: a tag, else a digest in a repository; `None` where only its id is left.
    pub fn next_name(&self) -> Option<String> {
        let digest = self.on_registries().first().map(Reference::to_string);
        self.tags.first().cloned().or(digest)
    }
}

/// Returns the names that a list of all images has for an id.
fn names_of<'p>(id: &Digest, printed: &'p str) -> impl Iterator<Item = &'p str> {
    let lines = printed.lines().map(str::trim);
    let lines = lines.filter_map(|line| line.split_once(' '));
    let own = lines.filter(move |(one, _)| one.trim_start_matches("sha256:") == id.hex());
    own.map(|(_, name)| name.trim())
}

/// Returns those names that are tags.
fn tags<'p>(names: impl Iterator<Item = &'p str>) -> Vec<String> {
    let tags = names.filter(|name| !name.starts_with("<none>") && !name.ends_with(":<none>"));
    tags.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_an_image_are_found_in_the_list_of_all_images() {
        let (own, other) = (Digest::of(b"own"), Digest::of(b"other"));
        let text = format!(r#"{{"FromImageID":"{}","OCIv1":{{}}}}"#, own.hex());
        let mut image = HeldImage::parse(text.as_bytes()).unwrap();
        let list = format!("{own}   r.io/a:1\n{other} r.io/b:1\n{own} <none>:<none>\n");
        image.take_tags(&list);
        let listed = HeldImage::listed(&own, &list).unwrap();
        assert_eq!(
            (listed.id.as_ref(), listed.tags()),
            (Some(&own), image.tags())
        );
        assert_eq!(HeldImage::listed(&Digest::of(b"third"), &list), None);
        assert_eq!(image.tags(), ["r.io/a:1"]);
        assert_eq!(image.next_name().as_deref(), Some("r.io/a:1"));
        let text = format!(r#"[{{"Id":"{own}","RepoTags":[],"RepoDigests":["r.io/a@{own}"]}}]"#);
        let image = HeldImage::parse(text.as_bytes()).unwrap();
        assert_eq!(image.next_name(), Some(format!("r.io/a@{own}")));
    }
}
