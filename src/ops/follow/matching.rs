//! Matches the bases that an image names with the images that its Dockerfile names.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dockerfile::BaseImage,
    image::{Platform, Reference},
    lineage::{Base, Evidence},
    ops::{image_check::read::Lineage, joined::joined, resolve},
    task::{BaseImageTriggerType, DependencyKind},
};

/// An image that a Dockerfile names, with all places that name it combined.
#[derive(Clone, Debug)]
pub struct Named {
    pub reference: Reference,
    /// Its names as written in the Dockerfile, which a builder may have recorded instead.
    pub also: BTreeSet<Reference>,
    pub kind: DependencyKind,
    pub platforms: BTreeSet<Platform>,
    pub line: usize,
    /// Whether a local task makes it: then its id is compared, and no registry is asked.
    pub is_local: bool,
}

/// The bases of an image, matched with the images of its Dockerfile.
#[derive(Debug, PartialEq, Eq)]
pub struct Matched {
    pub evidence: Evidence,
    /// The index of the Dockerfile's image, and the base to compare it with for one platform.
    pub bases: Vec<(usize, Base)>,
    pub unproven: Vec<usize>,
}

impl Named {
    /// Returns the images that a Dockerfile names, each once.
    pub fn all(bases: &[BaseImage], is_local: impl Fn(&Reference) -> bool) -> Vec<Self> {
        let mut all: BTreeMap<&Reference, Self> = BTreeMap::new();
        for base in bases {
            let named = all.entry(&base.reference).or_insert_with(|| Self {
                reference: base.reference.clone(),
                also: BTreeSet::new(),
                kind: resolve::kind(base.kind),
                platforms: BTreeSet::new(),
                line: base.line,
                is_local: is_local(&base.reference),
            });
            named.also.extend(base.name.parse());
            named.kind = named.kind.min(resolve::kind(base.kind));
            named.platforms.extend(base.platforms.iter().cloned());
        }
        all.into_values().collect()
    }

    fn is(&self, base: &Base) -> bool {
        let Some(image) = &base.image else {
            // With only a digest, an annotation is about the image that the last stage begins with.
            return self.kind == DependencyKind::Runtime;
        };
        let mut names = self.also.iter().chain([&self.reference]);
        names.any(|name| match (name.without_digest(), base.tag()) {
            (Some(own), Some(tag)) => own == tag,
            _ => name.name() == image.name(),
        })
    }

    /// Returns whether the task can only be tracked if this base is known.
    fn must_be_known(&self, trigger: BaseImageTriggerType) -> bool {
        self.kind != DependencyKind::Frontend && self.kind.counts_for(trigger)
    }

    fn to_compare(&self, base: &Base, platform: &Platform) -> Base {
        Base {
            image: Some(self.reference.clone()),
            digest: base.digest.clone().filter(|_| !self.is_local),
            platform: Some(platform.clone()),
            written: base.written.clone(),
            is_frontend: false,
        }
    }
}

/// Returns the bases that are to be compared with the images that a Dockerfile names: those that the image names, or else the one that its
/// layers may show.
///
/// # Errors
///
/// Why the bases cannot be determined: the image names bases that the Dockerfile does not, or not all that it does.
pub fn matched(
    lineage: &Lineage,
    named: &[Named],
    trigger: BaseImageTriggerType,
) -> Result<Matched, String> {
    let told = match lineage.evidence {
        Some(evidence) => by_what_it_says(evidence, &lineage.bases, named, trigger),
        None => Err(match lineage.problems.as_slice() {
            [] => "it does not name its bases".to_owned(),
            problems => problems.join("; "),
        }),
    };
    match (told, lineage.evidence) {
        // A label may be inherited from the base.
        (Err(why), None | Some(Evidence::Label)) => {
            by_layers(named, trigger).map_err(|other| format!("{why}; {other}"))
        }
        (told, _) => told,
    }
}

fn by_what_it_says(
    evidence: Evidence,
    bases: &[Base],
    named: &[Named],
    trigger: BaseImageTriggerType,
) -> Result<Matched, String> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for base in bases {
        let mut own = (0..named.len()).filter(|n| named[*n].is(base)).peekable();
        if own.peek().is_none() && !base.is_frontend {
            let shown = &base.written;
            return Err(format!(
                "its {evidence} says that it was built on `{shown}`, which its Dockerfile does not name"
            ));
        }
        for n in own {
            let one = &named[n];
            if let Some(pinned) = one.reference.digest() {
                if base.digest.as_ref() != Some(pinned) {
                    let (shown, written) = (one.reference.familiar(), &base.written);
                    return Err(format!(
                        "its {evidence} says that it was built on another `{written}` than `{shown}` of its Dockerfile"
                    ));
                }
                known.insert(n);
                continue;
            }
            // Without a digest, only layers can show whether it is the image that the tag points to now.
            if base.digest.is_none() && one.kind != DependencyKind::Runtime {
                continue;
            }
            known.insert(n);
            let platforms = match &base.platform {
                Some(platform) => BTreeSet::from([platform.clone()]),
                None => one.platforms.clone(),
            };
            let compared = platforms.iter().map(|it| (n, one.to_compare(base, it)));
            found.extend(compared);
        }
    }
    let unproven: Vec<usize> = (0..named.len()).filter(|n| !known.contains(n)).collect();
    let open = unproven.iter().map(|n| &named[*n]);
    let open = listed(open.filter(|it| it.must_be_known(trigger)));
    if open.is_empty() {
        Ok(Matched {
            evidence,
            bases: found,
            unproven,
        })
    } else {
        Err(format!("its {evidence} does not say what {open} was"))
    }
}

/// Takes the image that the last stage begins with as the only base, if the Dockerfile names no other that counts. Comparing the layers shows
/// whether it is.
fn by_layers(named: &[Named], trigger: BaseImageTriggerType) -> Result<Matched, String> {
    let counts = |n: &usize| named[*n].must_be_known(trigger);
    let open: Vec<usize> = (0..named.len()).filter(counts).collect();
    let others = open.iter().map(|n| &named[*n]);
    let others = listed(others.filter(|it| it.kind != DependencyKind::Runtime));
    if !others.is_empty() {
        return Err(format!(
            "its layers tell only of what the last stage begins with, and not what {others} was"
        ));
    }
    let Some(n) = open.first().copied() else {
        return Err("its Dockerfile depends on no image".to_owned());
    };
    let one = &named[n];
    if one.reference.digest().is_some() {
        let shown = one.reference.familiar();
        return Err(format!("`{shown}` is pinned by its digest and cannot move"));
    }
    let unknown = Base {
        written: one.reference.to_string(),
        image: None,
        digest: None,
        platform: None,
        is_frontend: false,
    };
    let platforms = one.platforms.iter();
    Ok(Matched {
        evidence: Evidence::Layers,
        bases: platforms
            .map(|platform| (n, one.to_compare(&unknown, platform)))
            .collect(),
        unproven: (0..named.len()).filter(|other| *other != n).collect(),
    })
}

fn listed<'n>(named: impl Iterator<Item = &'n Named>) -> String {
    joined(
        named.map(|it| format!("`{}`", it.reference.familiar())),
        ", ",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    const ALL: BaseImageTriggerType = BaseImageTriggerType::All;

    fn named(image: &str, kind: DependencyKind) -> Named {
        Named {
            reference: image.parse().unwrap(),
            also: BTreeSet::new(),
            kind,
            platforms: ["linux/amd64".parse().unwrap()].into(),
            line: 1,
            is_local: false,
        }
    }

    fn lineage(evidence: Evidence, bases: &[(&str, Option<&str>)]) -> Lineage {
        let base = |(image, digest): &(&str, Option<&str>)| Base {
            written: (*image).to_owned(),
            image: image.parse().ok(),
            digest: digest.map(|it| Digest::of(it.as_bytes())),
            platform: None,
            is_frontend: image.contains("dockerfile"),
        };
        Lineage {
            evidence: Some(evidence),
            bases: bases.iter().map(base).collect(),
            problems: Vec::new(),
        }
    }

    use DependencyKind::{Buildtime, Frontend, Runtime};

    #[test]
    fn provenance_matches_only_with_exactly_the_images_of_the_dockerfile() {
        let file = [
            named("node:20", Runtime),
            named("golang:1", Buildtime),
            named("docker/dockerfile:1", Frontend),
        ];
        let says = |bases: &[(&str, Option<&str>)]| {
            matched(&lineage(Evidence::Provenance, bases), &file, ALL)
        };
        let (node, go) = (("node:20", Some("n")), ("golang:1", Some("g")));
        let whole = says(&[node, go, ("docker/dockerfile:1", Some("d"))]).unwrap();
        assert_eq!((whole.bases.len(), whole.unproven.len()), (3, 0));
        // An image that only reads the Dockerfile may be unknown.
        assert_eq!(says(&[node, go]).unwrap().unproven, [2]);
        let problem = says(&[node]).unwrap_err();
        assert_eq!(problem, "its provenance does not say what `golang:1` was");
        let problem = says(&[node, go, ("redis:7", Some("r"))]).unwrap_err();
        assert!(
            problem.contains("`redis:7`, which its Dockerfile"),
            "{problem}"
        );
        let problem = says(&[("node:18", Some("n")), go]).unwrap_err();
        assert!(problem.contains("`node:18`"), "{problem}");
        // If only the last stage counts, the other images may be unknown.
        let one = lineage(Evidence::Provenance, &[node]);
        let found = matched(&one, &file, BaseImageTriggerType::Runtime).unwrap();
        assert_eq!(found.unproven, [1, 2]);
    }

    #[test]
    fn contradicting_base_label_falls_back_to_layers_and_an_annotation_does_not() {
        let file = [named("team/base:1", Runtime)];
        let says = |evidence| {
            let lineage = lineage(evidence, &[("debian:12", Some("d"))]);
            matched(&lineage, &file, ALL)
        };
        let by_layers = says(Evidence::Label).unwrap();
        assert_eq!(by_layers.evidence, Evidence::Layers);
        assert_eq!(by_layers.bases[0].1.digest, None);
        assert!(
            says(Evidence::Annotation)
                .unwrap_err()
                .contains("debian:12")
        );
    }

    #[test]
    fn layers_identify_one_base_only() {
        let nothing = Lineage::default();
        let problem = |file: &[Named]| matched(&nothing, file, ALL).unwrap_err();
        let stages = [named("node:20", Runtime), named("golang:1", Buildtime)];
        assert!(problem(&stages).contains("not what `golang:1` was"));
        assert!(problem(&[]).contains("depends on no image"));
        let pinned = named(&format!("node:20@{}", Digest::of(b"x")), Runtime);
        assert!(problem(&[pinned]).contains("cannot move"));
        let file = [
            named("node:20", Runtime),
            named("docker/dockerfile:1", Frontend),
        ];
        let found = matched(&nothing, &file, ALL).unwrap();
        assert_eq!((found.bases.len(), found.unproven), (1, vec![1]));
    }

    #[test]
    fn pinned_base_must_match_the_pinned_digest() {
        let image = format!("node:20@{}", Digest::of(b"x"));
        let file = [named(&image, Runtime)];
        let says = |digest| {
            let lineage = lineage(Evidence::Annotation, &[("node:20", Some(digest))]);
            matched(&lineage, &file, ALL)
        };
        assert_eq!(says("x").unwrap().bases, []);
        assert!(says("y").unwrap_err().contains("another `node:20`"));
    }
}
