//! The options of a copy, and its names: which image, which registry, which folder.

use std::path::{Path, PathBuf};

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{Platform, Reference},
    registry::copy::{ImagePlace, is_layout},
    store::secrets::StoredLogin,
};

use crate::ops::{App, task::registry_for};

/// The prefix for a folder in the OCI image layout, as in skopeo and buildah.
const FOLDER: &str = "oci:";

/// Other places of skopeo and podman, which acrt does not read or write. `dir:` is only one if a path follows.
const OTHERS: [&str; 6] = [
    "docker-archive:",
    "oci-archive:",
    "docker-daemon:",
    "containers-storage:",
    "dir:/",
    "dir:.",
];

/// The options of a copy.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The image to copy, or the folder that contains it.
    pub source: String,
    /// The registry of the source, if its name has none.
    pub source_registry: Option<String>,
    /// The names of the copy; if empty, the name of the source.
    pub images: Vec<String>,
    /// Repositories that get the copy without a tag.
    pub repositories: Vec<String>,
    /// The registry of the copy, if its names have none.
    pub registry: Option<String>,
    /// The platforms to copy; if empty, all.
    pub platforms: Vec<Platform>,
    pub all_referrers: bool,
    /// Whether tags that point to another image are moved.
    pub force: bool,
    pub login: Option<StoredLogin>,
}

/// A repository or folder that a copy goes to, with the tags that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The repository or folder; its own tag does not matter.
    pub place: ImagePlace,
    /// The tags; without any, the copy can be found by its digest only.
    pub tags: Vec<String>,
}

impl Target {
    /// Returns the names that the copy has there.
    pub fn names(&self) -> Vec<String> {
        let base = match &self.place {
            ImagePlace::Registry(image) => image.name(),
            ImagePlace::Layout { folder, .. } => format!("{FOLDER}{}", folder.display()),
        };
        if self.tags.is_empty() {
            vec![base]
        } else {
            self.tags
                .iter()
                .map(|tag| format!("{base}:{tag}"))
                .collect()
        }
    }
}

pub fn name(place: &ImagePlace) -> String {
    match place {
        ImagePlace::Registry(image) => image.to_string(),
        ImagePlace::Layout { folder, name } => {
            let name = name.as_ref().map(|name| format!(":{name}"));
            format!("{FOLDER}{}{}", folder.display(), name.unwrap_or_default())
        }
    }
}

/// Returns the login server of a place; `None` for a folder.
pub fn registry(place: &ImagePlace) -> Option<&str> {
    match place {
        ImagePlace::Registry(image) => Some(image.registry()),
        ImagePlace::Layout { .. } => None,
    }
}

/// Returns the place that is copied.
///
/// # Errors
///
/// [`Kind::Invalid`] where it is neither an image nor a folder.
pub fn source(app: &App, text: &str, registry: Option<&str>) -> Result<ImagePlace> {
    let of = || format!("cannot use the source `{}`", text.escape_debug());
    if let Some(place) = folder(text).context(Kind::Invalid, of)? {
        return Ok(place);
    }
    if OTHERS.iter().any(|other| text.starts_with(other)) {
        let text = text.escape_debug();
        return Err(Error::invalid(of())
            .because(anyhow::anyhow!("only registries and folders of the OCI image layout are read"))
            .hint(format!(
                "make such a folder: skopeo copy {text} oci:FOLDER:NAME; then: --source oci:FOLDER:NAME"
            )));
    }
    let image = match registry {
        Some(registry) => Reference::within(&app.settings.login_server(registry), text),
        None => text.parse(),
    };
    image.map(ImagePlace::Registry).context(Kind::Invalid, of)
}

/// Returns where a copy goes, each repository and folder once.
///
/// # Errors
///
/// [`Kind::Invalid`] where a name is not valid, or its registry is not known.
pub fn targets(app: &App, import: &Import, source: &ImagePlace) -> Result<Vec<Target>> {
    for name in &import.images {
        refuse_other_place(name)?;
    }
    let nothing = import.images.is_empty() && import.repositories.is_empty();
    let names = import.images.iter().chain(&import.repositories);
    let names = names.filter(|name| !name.starts_with(FOLDER));
    let names: Vec<String> = names.cloned().collect();
    let registry = if nothing || !names.is_empty() {
        registry_for(app, import.registry.as_deref(), &names)?
    } else {
        String::new()
    };
    let mut targets = Vec::new();
    if nothing {
        add(&mut targets, same_name(&registry, source)?);
    }
    for name in &import.images {
        add(&mut targets, image(&registry, name)?);
    }
    for name in &import.repositories {
        add(&mut targets, repository(&registry, name)?);
    }
    Ok(targets)
}

/// Refuses a target that only skopeo writes to.
fn refuse_other_place(text: &str) -> Result<()> {
    if !OTHERS.iter().any(|other| text.starts_with(other)) {
        return Ok(());
    }
    let text = text.escape_debug();
    let problem = "only registries and folders of the OCI image layout are written";
    Err(Error::invalid(format!("cannot use the image name `{text}`"))
    .because(anyhow::anyhow!(problem))
    .hint(format!(
        "copy to such a folder: --image oci:FOLDER:NAME; then: skopeo copy oci:FOLDER:NAME {text}"
    )))
}

/// Adds a target. Tags of the same repository become one target: its blobs are copied once, and its tags change at the end.
pub fn add(targets: &mut Vec<Target>, new: Target) {
    let same = |old: &&mut Target| {
        let same = match (&old.place, &new.place) {
            (ImagePlace::Registry(old), ImagePlace::Registry(new)) => old.name() == new.name(),
            (old, new) => old == new,
        };
        same && old.tags.is_empty() == new.tags.is_empty()
    };
    match targets.iter_mut().find(same) {
        Some(old) => {
            for tag in new.tags {
                if !old.tags.contains(&tag) {
                    old.tags.push(tag);
                }
            }
        }
        None => targets.push(new),
    }
}

/// Returns the target that a name means, `repository:tag` or `oci:FOLDER[:NAME]`.
///
/// # Errors
///
/// [`Kind::Invalid`] where the name is neither.
pub fn image(registry: &str, text: &str) -> Result<Target> {
    let of = || format!("cannot use the image name `{}`", text.escape_debug());
    if let Some(ImagePlace::Layout { folder, name }) = folder(text).context(Kind::Invalid, of)? {
        return Ok(Target {
            tags: name.into_iter().collect(),
            place: ImagePlace::Layout { folder, name: None },
        });
    }
    let image = Reference::within(registry, text).context(Kind::Invalid, of)?;
    if image.digest().is_some() {
        return Err(Error::invalid(of()).because(anyhow::anyhow!(
            "it names a digest, and a copy has that of its source"
        )));
    }
    Ok(Target {
        tags: vec![image.tag().unwrap_or("latest").to_owned()],
        place: ImagePlace::Registry(image),
    })
}

/// Returns the target for a repository that gets the copy without a tag.
///
/// # Errors
///
/// [`Kind::Invalid`] where it is no repository name, or has a tag.
pub fn repository(registry: &str, text: &str) -> Result<Target> {
    let of = || format!("cannot use the repository `{}`", text.escape_debug());
    let last = text.rsplit('/').next().unwrap_or(text);
    if last.contains([':', '@']) {
        return Err(Error::invalid(of())
            .because(anyhow::anyhow!("it has a tag or a digest"))
            .hint("for a copy with a tag: --image"));
    }
    let image = Reference::within(registry, text).context(Kind::Invalid, of)?;
    Ok(Target {
        place: ImagePlace::Registry(image),
        tags: Vec::new(),
    })
}

/// Returns the target in `registry` with the repository and tag of the source, without its digest.
fn same_name(registry: &str, source: &ImagePlace) -> Result<Target> {
    match source {
        ImagePlace::Registry(source) => {
            let tag = source.tag().unwrap_or("latest");
            image(
                registry,
                &format!("{registry}/{}:{tag}", source.repository()),
            )
        }
        ImagePlace::Layout { .. } => Err(Error::invalid("a copy out of a folder needs a name")
            .hint("give --image repository:tag")),
    }
}

/// Reads `oci:FOLDER[:NAME]`. As for skopeo, the first colon separates the folder from the name, which may have colons and slashes itself;
/// a path with colons is recognized if the folder exists.
fn folder(text: &str) -> Result<Option<ImagePlace>, anyhow::Error> {
    let Some(rest) = text.strip_prefix(FOLDER) else {
        return Ok(None);
    };
    let mut parted = rest.match_indices(':').map(|(at, _)| rest.split_at(at));
    let is_there = |(path, _): &(&str, &str)| is_layout(Path::new(path));
    let (path, name) = match parted.clone().find(is_there) {
        None if is_layout(Path::new(rest)) => (rest, None),
        there => there
            .or_else(|| parted.next())
            .map_or((rest, None), |(path, name)| (path, name.strip_prefix(':'))),
    };
    anyhow::ensure!(!path.is_empty(), "it names no folder: oci:FOLDER[:NAME]");
    anyhow::ensure!(name != Some(""), "there is no name behind its colon");
    // Make it absolute: a background run starts in another folder.
    let folder: PathBuf = std::path::absolute(path)?;
    Ok(Some(ImagePlace::Layout {
        folder,
        name: name.map(str::to_owned),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(path: &str, name: Option<&str>) -> ImagePlace {
        ImagePlace::Layout {
            folder: path.into(),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn oci_layout_location_is_parsed_as_by_skopeo() {
        for (text, path, name) in [
            ("oci:/srv/images", "/srv/images", None),
            ("oci:/srv/images:1.0", "/srv/images", Some("1.0")),
            (
                "oci:/srv/images:r.io/web:1",
                "/srv/images",
                Some("r.io/web:1"),
            ),
        ] {
            assert_eq!(folder(text).unwrap(), Some(layout(path, name)), "{text}");
        }
        assert_eq!(folder("docker.io/library/node:20").unwrap(), None);
        assert!(folder("oci:").is_err() && folder("oci:/a:").is_err());
    }

    #[test]
    fn path_of_an_oci_layout_may_have_colons_if_it_exists() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a:b").display().to_string();
        std::fs::create_dir(&path).unwrap();
        std::fs::write(format!("{path}/oci-layout"), "{}").unwrap();
        for (text, name) in [("", None), (":1.0", Some("1.0")), (":x/y:2", Some("x/y:2"))] {
            let read = folder(&format!("oci:{path}{text}")).unwrap();
            assert_eq!(read, Some(layout(&path, name)));
        }
    }

    #[test]
    fn import_target_without_a_name_has_the_name_of_its_source() {
        let source = ImagePlace::Registry("node:20".parse().unwrap());
        let target = same_name("localhost:5000", &source).unwrap();
        assert_eq!(target.names(), ["localhost:5000/library/node:20"]);
        let digest = crate::image::Digest::of(b"");
        let source = ImagePlace::Registry(format!("ghcr.io/a/b@{digest}").parse().unwrap());
        let target = same_name("localhost:5000", &source).unwrap();
        assert_eq!(target.names(), ["localhost:5000/a/b:latest"]);
        assert!(same_name("localhost:5000", &layout("/srv", None)).is_err());
    }

    #[test]
    fn import_tags_of_one_repository_are_one_target_and_a_target_without_tag_is_another() {
        let mut targets = Vec::new();
        for name in ["node:20", "node:latest", "node:20", "other:1"] {
            add(&mut targets, image("r.io", name).unwrap());
        }
        add(&mut targets, repository("r.io", "node").unwrap());
        let names: Vec<Vec<String>> = targets.iter().map(Target::names).collect();
        assert_eq!(
            names,
            [
                vec!["r.io/node:20".to_owned(), "r.io/node:latest".into()],
                vec!["r.io/other:1".into()],
                vec!["r.io/node".into()],
            ]
        );
    }

    #[test]
    fn import_target_refuses_a_digest_and_a_repository_refuses_a_tag() {
        let digest = crate::image::Digest::of(b"");
        assert!(image("r.io", &format!("node@{digest}")).is_err());
        assert!(repository("r.io", "node:20").is_err());
        assert!(repository("r.io", "localhost:5000/node").is_ok());
        assert!(image("r.io", "Node Twenty").is_err());
    }
}
