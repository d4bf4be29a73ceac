//! The copy of a Dockerfile with digests in place of tags.

use std::{collections::BTreeMap, ops::Range};

use super::{
    bases::{BaseImage, Pinning},
    file::Dockerfile,
};
use crate::image::Reference;

impl Dockerfile {
    /// Returns the file with other names in place of some images, as `name@digest`; all other bytes stay the same.
    ///
    /// `bases` are those that [`Dockerfile::bases`] found in this file. Names are written in full, with the registry: a
    /// full name means the same to every builder and needs no quotes or escapes. Where a name continues on another
    /// line, the new one goes on its last line; comments between its parts stay.
    pub fn rewritten(
        &self,
        bases: &[BaseImage],
        name: &dyn Fn(&BaseImage) -> Option<Reference>,
    ) -> Vec<u8> {
        let mut edits: BTreeMap<usize, (Range<usize>, String)> = BTreeMap::new();
        for base in bases {
            let Pinning::Place(place) = &base.pinning else {
                continue;
            };
            let Some(name) = name(base) else {
                continue;
            };
            let mut name = name.to_string();
            for range in place.ranges().rev() {
                // All parts of the name but the last are removed.
                edits.insert(range.start, (range.clone(), std::mem::take(&mut name)));
            }
        }
        let mut pinned = Vec::with_capacity(self.bytes.len() + 64 * edits.len());
        let mut at = 0;
        for (range, name) in edits.into_values() {
            // The offsets of bases of another file may be out of range.
            let Some(before) = self
                .bytes
                .get(at..range.start)
                .filter(|_| range.end <= self.bytes.len())
            else {
                continue;
            };
            pinned.extend_from_slice(before);
            pinned.extend_from_slice(name.as_bytes());
            at = range.end;
        }
        pinned.extend_from_slice(self.bytes.get(at..).unwrap_or_default());
        pinned
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::Build;
    use super::*;
    use crate::image::{Digest, Platform};

    fn build(platforms: &[&str]) -> Build {
        Build {
            args: BTreeMap::from([("TAG".to_owned(), "1".into())]),
            target: None,
            platforms: platforms.iter().map(|text| text.parse().unwrap()).collect(),
            build_platform: Platform::new("linux", "amd64", None),
            contexts: BTreeMap::new(),
            on_build: BTreeMap::new(),
            without_frontend: false,
        }
    }

    fn digest() -> Digest {
        Digest::of(b"abc")
    }

    fn at_digest(base: &BaseImage) -> Option<Reference> {
        Some(base.reference.at(digest()))
    }

    /// The pinned copy, with `@` for the digest.
    fn pinned_for(file: &str, platforms: &[&str]) -> String {
        let dockerfile = Dockerfile::parse(file.as_bytes()).unwrap();
        let bases = dockerfile.bases(&build(platforms)).unwrap();
        let pinned = dockerfile.rewritten(&bases, &at_digest);
        String::from_utf8(pinned)
            .unwrap()
            .replace(&format!("@{}", digest()), "@")
    }

    fn pinned(file: &str) -> String {
        pinned_for(file, &["linux/amd64"])
    }

    #[test]
    fn pinned_copy_replaces_image_names_in_place() {
        assert_eq!(
            pinned("FROM alpine:3.19 AS a\nFROM a\n"),
            "FROM docker.io/library/alpine@ AS a\nFROM a\n"
        );
        assert_eq!(
            pinned("from --platform=linux/arm64\tghcr.io/a/b  as x"),
            "from --platform=linux/arm64\tghcr.io/a/b@  as x"
        );
        assert_eq!(
            pinned("FROM localhost:5000/a:1\n"),
            "FROM localhost:5000/a@\n"
        );
        assert_eq!(pinned("FROM [::1]:5000/a:1\n"), "FROM [::1]:5000/a@\n");
    }

    #[test]
    fn pinned_copy_keeps_every_other_byte() {
        assert_eq!(
            pinned("\u{feff}# c\r\n\r\n\tFROM\ta \r\n# d\r\nRUN <<E\r\nFROM a\r\nE\r\n"),
            "\u{feff}# c\r\n\r\n\tFROM\tdocker.io/library/a@ \r\n# d\r\nRUN <<E\r\nFROM a\r\nE\r\n"
        );
        let bytes = b"FROM a\nRUN \xff\xfe\n";
        let dockerfile = Dockerfile::parse(bytes).unwrap();
        let bases = dockerfile.bases(&build(&[])).unwrap();
        let pinned = dockerfile.rewritten(&bases, &at_digest);
        assert!(pinned.ends_with(b"\nRUN \xff\xfe\n"));
    }

    #[test]
    fn pinned_copy_replaces_a_name_with_variables_and_quotes_whole() {
        assert_eq!(
            pinned("ARG TAG\nFROM \"alpine\":${TAG:-'2'}\n"),
            "ARG TAG\nFROM docker.io/library/alpine@\n"
        );
        assert_eq!(
            pinned("# escape=`\nFROM alp`ine\n"),
            "# escape=`\nFROM docker.io/library/alpine@\n"
        );
    }

    #[test]
    fn pinned_copy_replaces_a_name_over_several_lines_on_its_last() {
        assert_eq!(
            pinned("FROM alp\\\n# c\n\nine:3 AS x\nRUN y"),
            "FROM \\\n# c\n\ndocker.io/library/alpine@ AS x\nRUN y"
        );
        assert_eq!(
            pinned("FROM \\\nal\\ \r\npi\\\r\nne\r\nRUN y\r\n"),
            "FROM \\\n\\ \r\n\\\r\ndocker.io/library/alpine@\r\nRUN y\r\n"
        );
    }

    #[test]
    fn pinned_copy_keeps_quotes_of_flags() {
        assert_eq!(
            pinned(
                "FROM a\nCOPY --from=\"b:1\" x y\nCOPY --from=b\"c:1\" x y\nCOPY --from=\\b x y\n"
            ),
            "FROM docker.io/library/a@\nCOPY --from=\"docker.io/library/b@\" x y\n\
             COPY --from=\"docker.io/library/bc@\" x y\nCOPY --from=docker.io/library/b@ x y\n"
        );
        assert_eq!(
            pinned("FROM a\nCOPY --from=ngi\\\nnx:1 x y\n"),
            "FROM docker.io/library/a@\nCOPY --from=\\\ndocker.io/library/nginx@ x y\n"
        );
    }

    #[test]
    fn pinned_copy_replaces_every_mount_of_a_line() {
        assert_eq!(
            pinned("FROM a\nRUN --mount=from=b,target=/x --mount='\"from=c\",target=/y' z\n"),
            "FROM docker.io/library/a@\n\
             RUN --mount=from=docker.io/library/b@,target=/x --mount='\"from=docker.io/library/c@\",target=/y' z\n"
        );
    }

    #[test]
    fn pinned_copy_replaces_onbuild_images_in_place() {
        assert_eq!(
            pinned("FROM a AS x\nONBUILD COPY --from=b / /\nFROM x\n"),
            "FROM docker.io/library/a@ AS x\nONBUILD COPY --from=docker.io/library/b@ / /\nFROM x\n"
        );
        let unused = "FROM scratch AS x\nONBUILD COPY --from=b / /\n";
        assert_eq!(pinned(unused), unused);
    }

    #[test]
    fn pinned_copy_replaces_the_frontend_in_its_comment() {
        assert_eq!(
            pinned("# syntax = docker/dockerfile:1 x\nFROM scratch\n"),
            "# syntax = docker.io/docker/dockerfile@ x\nFROM scratch\n"
        );
    }

    #[test]
    fn pinned_copy_keeps_lines_of_another_frontend() {
        assert_eq!(
            pinned(
                "# syntax=x/y\nFROM a\nINCLUDE  <<b\tc \\\n d\r\nFROM ./e AS f\nCOPY --from=g / /\nCOPY --from=h:1 / /\n"
            ),
            "# syntax=docker.io/x/y@\nFROM docker.io/library/a@\nINCLUDE  <<b\tc \\\n d\r\nFROM ./e AS f\nCOPY --from=g / /\n\
             COPY --from=docker.io/library/h@ / /\n"
        );
        let other = "apiVersion: v1\nfrom: alpine\n";
        assert_eq!(
            pinned(&format!("#syntax=x/y\n{other}")),
            format!("#syntax=docker.io/x/y@\n{other}")
        );
    }

    #[test]
    fn pinned_copy_keeps_unused_stages() {
        let file = "FROM b AS u\nCOPY --from=c / /\nFROM scratch\n";
        assert_eq!(pinned(file), file);
    }

    #[test]
    fn pinned_copy_keeps_a_name_that_differs_between_platforms() {
        let file = "FROM a AS x\nFROM b:$TARGETARCH\nCOPY --from=x / /\n";
        assert_eq!(
            pinned_for(file, &["linux/amd64", "linux/arm64"]),
            "FROM docker.io/library/a@ AS x\nFROM b:$TARGETARCH\nCOPY --from=x / /\n"
        );
        assert_eq!(
            pinned_for(file, &["linux/arm64"]),
            "FROM docker.io/library/a@ AS x\nFROM docker.io/library/b@\nCOPY --from=x / /\n"
        );
        let stage = "FROM scratch AS b-amd64\nFROM b-$TARGETARCH\n";
        assert_eq!(pinned_for(stage, &["linux/amd64", "linux/arm64"]), stage);
    }

    #[test]
    fn pinned_copy_without_pins_is_the_file() {
        let file = b"FROM a\r\nCOPY --from=b / /";
        let dockerfile = Dockerfile::parse(file).unwrap();
        let bases = dockerfile.bases(&build(&[])).unwrap();
        assert_eq!(dockerfile.rewritten(&bases, &|_| None), file);
        assert_eq!(dockerfile.rewritten(&[], &at_digest), file);
    }

    #[test]
    fn pinned_copy_ignores_bases_of_another_file() {
        let long = Dockerfile::parse(format!("{}FROM a", "\n".repeat(99)).as_bytes()).unwrap();
        let bases = long.bases(&build(&[])).unwrap();
        let short = Dockerfile::parse(b"FROM b").unwrap();
        assert_eq!(short.rewritten(&bases, &at_digest), b"FROM b");
    }
}
