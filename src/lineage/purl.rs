//! Package URLs of images, by which provenance names the materials of a build.
//!
//! <https://github.com/package-url/purl-spec/blob/main/types-doc/docker-definition.md>

use packageurl::PackageUrl;

use crate::image::{Digest, Platform, Reference};

use super::base::{Base, shown};

/// Longer than the URL of any image with all its qualifiers.
const MAX_LENGTH: usize = 4096;

/// Parses the URL of a material; `None` where it is no image. An image whose name is invalid is returned without a name.
pub fn image(uri: &str, digest: Option<Digest>) -> Option<Base> {
    let is_image = ["pkg:docker/", "pkg:oci/"]
        .iter()
        .any(|of| uri.starts_with(of));
    if !is_image {
        return None;
    }
    let nameless = Base {
        written: shown(uri),
        image: None,
        digest,
        platform: None,
        is_frontend: false,
    };
    // An OCI layout in a folder has a name that means nothing elsewhere.
    if uri.len() > MAX_LENGTH || !uri.starts_with("pkg:docker/") {
        return Some(nameless);
    }
    Some(named(uri, &nameless).unwrap_or(nameless))
}

fn named(uri: &str, nameless: &Base) -> Option<Base> {
    let purl: PackageUrl<'_> = uri.parse().ok()?;
    let qualifier = |name: &str| purl.qualifiers().get(name).map(AsRef::as_ref);
    let path: Vec<&str> = [
        qualifier("repository_url"),
        purl.namespace(),
        Some(purl.name()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let pinned: Option<Digest> = match (qualifier("digest"), purl.version()) {
        (Some(digest), _) => Some(digest.parse().ok()?),
        (None, version) => version.and_then(|version| version.parse().ok()),
    };
    // A version is a tag, unless it is a digest.
    let tag = purl.version().filter(|version| !version.contains(':'));
    let mut name = path.join("/");
    if let Some(tag) = tag {
        name = format!("{name}:{tag}");
    }
    if let Some(pinned) = &pinned {
        name = format!("{name}@{pinned}");
    }
    let image: Reference = name.parse().ok()?;
    Some(Base {
        written: image.to_string(),
        image: Some(image),
        digest: nameless.digest.clone().or(pinned),
        platform: qualifier("platform").and_then(|it| it.parse::<Platform>().ok()),
        is_frontend: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> (String, Option<String>) {
        let base = image(uri, None).unwrap();
        let name = base.image.map(|image| image.to_string());
        (
            name.unwrap_or_default(),
            base.platform.map(|it| it.to_string()),
        )
    }

    #[test]
    fn package_urls_of_buildkit_name_their_images() {
        let digest = Digest::of(b"x");
        for (uri, name) in [
            ("pkg:docker/alpine@3.18", "docker.io/library/alpine:3.18"),
            (
                "pkg:docker/grafana/grafana@11.0-Beta",
                "docker.io/grafana/grafana:11.0-Beta",
            ),
            ("pkg:docker/ghcr.io/acme/web@1", "ghcr.io/acme/web:1"),
            ("pkg:docker/localhost:5000/base@1", "localhost:5000/base:1"),
            (
                "pkg:docker/localhost%3A5000/base@1",
                "localhost:5000/base:1",
            ),
            (
                "pkg:docker/acme/web@1?repository_url=gcr.io",
                "gcr.io/acme/web:1",
            ),
        ] {
            assert_eq!(read(uri).0, name, "{uri}");
        }
        let platform = read("pkg:docker/alpine@3?platform=linux%2Farm64").1;
        assert_eq!(platform.unwrap(), "linux/arm64");
        let pinned = format!("pkg:docker/alpine@3?digest={digest}&platform=linux%2Famd64");
        assert_eq!(
            read(&pinned).0,
            format!("docker.io/library/alpine:3@{digest}")
        );
        let bare = image(&format!("pkg:docker/alpine?digest={digest}"), None).unwrap();
        assert_eq!((bare.tag(), bare.digest.as_ref()), (None, Some(&digest)));
        let version = image(&format!("pkg:docker/alpine@{digest}"), None).unwrap();
        assert_eq!((version.tag(), version.digest), (None, Some(digest)));
    }

    #[test]
    fn package_url_of_no_image_is_skipped_and_an_image_without_a_name_kept() {
        for uri in [
            "git+https://x.example/a.git",
            "https://x.example/a.tgz",
            "pkg:npm/left-pad@1",
            "",
        ] {
            assert_eq!(image(uri, None), None, "{uri}");
        }
        for uri in [
            "pkg:oci/base@1".to_owned(),
            "pkg:docker/".to_owned(),
            "pkg:docker/No%20Name@1".to_owned(),
            "pkg:docker/a%1b%5b2J@1".to_owned(),
            format!("pkg:docker/{}", "a".repeat(10_000)),
        ] {
            let base = image(&uri, None).unwrap();
            assert_eq!(base.image, None, "{uri}");
            assert!(!base.written.contains(char::is_control));
        }
    }
}
