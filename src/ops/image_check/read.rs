//! Reads what an image in a registry or a folder says of its bases: annotations, then labels, then provenance.

use std::{collections::BTreeMap, rc::Rc};

use crate::{
    error::Error,
    image::{Digest, Platform},
    lineage::{
        Annotated, Base, Evidence, ImageRecord, MAX_ATTESTATION, Provenance, annotated,
        annotations_of, is_attestation, may_be_provenance,
    },
    ops::App,
    registry::{
        Document, ManifestKind,
        copy::{CopyError, Descriptor, Endpoint, ImagePlace, RawDocument},
        parse_manifest,
    },
};

/// The largest image config, in bytes.
const MAX_CONFIG: usize = 4 * 1024 * 1024;

/// How deep indexes may be nested, and how many of them are read.
const MAX_DEPTH: usize = 3;
const MAX_INDEXES: usize = 16;

/// How many images of an index are read.
const MAX_IMAGES: usize = 64;

/// How many attestations of one image are read, and how many blobs of each.
const MAX_ATTESTATIONS: usize = 16;

/// The annotations by which BuildKit marks an entry of an index as an attestation, and names the entry that it is about.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// What was read of an image for one platform.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The digest of its manifest; `None` for an image in a builder's own store.
    pub digest: Option<Digest>,
    pub record: Rc<ImageRecord>,
    pub lineage: Lineage,
}

/// The bases that an image names.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// How the image names them; `None` if it does not.
    pub evidence: Option<Evidence>,
    /// The bases; empty with evidence means that the image has none.
    pub bases: Vec<Base>,
    /// What could not be used, and why.
    pub problems: Vec<String>,
}

/// An image for one platform, or why it could not be read.
pub struct PlatformFacts {
    pub platform: Option<Platform>,
    pub facts: Result<Facts, String>,
}

pub struct ImageFacts {
    /// What the name points to: a manifest or an index.
    pub digest: Digest,
    pub platforms: Vec<PlatformFacts>,
}

/// The manifest of an image for one platform, not read yet.
#[derive(Clone, Default)]
struct ManifestEntry {
    /// `None` for the document that the image's name points to.
    descriptor: Option<Descriptor>,
    platform: Option<Platform>,
    /// Its annotations in the index.
    annotations: BTreeMap<String, String>,
    attestations: Vec<Descriptor>,
    index: Option<Rc<RawDocument>>,
}

/// Reads an image for each of its platforms, or for those that are wanted.
pub async fn read(
    app: &App,
    place: &ImagePlace,
    wanted: &[Platform],
) -> Result<ImageFacts, String> {
    let reader = &Endpoint::source(&app.registries(), place).map_err(said)?;
    let top = reader.document(None).await.map_err(said)?;
    let all = find(reader, &top).await?;
    let mut read = Vec::new();
    for (platform, found) in choose(all, wanted) {
        let Some(found) = found else {
            read.push(missing(platform));
            continue;
        };
        let facts = facts(reader, &top, &found).await;
        let own = facts
            .as_ref()
            .ok()
            .and_then(|it| it.record.platform.clone());
        // The platform of a single manifest is only in its config.
        let is_other = |own: &Platform| {
            platform
                .as_ref()
                .is_some_and(|it| own.distance(it).is_none())
        };
        if found.platform.is_none() && own.as_ref().is_some_and(is_other) {
            read.push(missing(platform));
            continue;
        }
        read.push(PlatformFacts {
            platform: found.platform.clone().or(own),
            facts,
        });
    }
    Ok(ImageFacts {
        digest: top.digest,
        platforms: read,
    })
}

/// Reads only the config of an image for a platform.
pub async fn record(
    app: &App,
    place: &ImagePlace,
    platform: &Platform,
) -> Result<ImageRecord, String> {
    let reader = &Endpoint::source(&app.registries(), place).map_err(said)?;
    let top = reader.document(None).await.map_err(said)?;
    let all = find(reader, &top).await?;
    let chosen = choose(all, std::slice::from_ref(platform))
        .into_iter()
        .next();
    let Some((_, Some(found))) = chosen else {
        return Err(format!("it does not exist for `{platform}`"));
    };
    let manifest = manifest(reader, &top, &found).await?;
    config(reader, &manifest).await
}

fn missing(platform: Option<Platform>) -> PlatformFacts {
    PlatformFacts {
        platform,
        facts: Err("it does not exist for this platform".to_owned()),
    }
}

/// Returns what is wrong on one line.
fn said(error: CopyError) -> String {
    match error {
        // Take the error out of its context: nothing is copied here.
        CopyError::Read(error) => Error::from(error).one_line(),
        CopyError::Malformed { image, problem } => format!("cannot read `{image}`: {problem}"),
        other => Error::from(other).one_line(),
    }
}

async fn find(reader: &Endpoint, top: &RawDocument) -> Result<Vec<ManifestEntry>, String> {
    let mut found = Vec::new();
    let mut open = vec![(top.clone(), None::<ManifestEntry>, 0)];
    let mut indexes = 0;
    while let Some((document, above, depth)) = open.pop() {
        let parsed = parse_manifest(&document.media_type, &document.bytes);
        let (_, parsed) = parsed.map_err(|defect| defect.to_string())?;
        let entries = match parsed {
            Document::NoImage { what, .. } => return Err(format!("it is not an image but {what}")),
            Document::Manifest { .. } => {
                found.push(above.unwrap_or_default());
                continue;
            }
            Document::Index(entries) => entries,
        };
        indexes += 1;
        if depth == MAX_DEPTH || indexes > MAX_INDEXES {
            return Err("its indexes are nested too deeply".to_owned());
        }
        let index = Rc::new(document);
        for entry in entries {
            let child = index
                .children
                .iter()
                .find(|child| child.digest == entry.digest);
            let Some(child) = child else { continue };
            let one = ManifestEntry {
                descriptor: Some(child.clone()),
                platform: entry.platform.or_else(|| above.as_ref()?.platform.clone()),
                annotations: child.annotations.clone(),
                attestations: attestations(&index, &entry.digest),
                index: Some(Rc::clone(&index)),
            };
            match entry.kind {
                ManifestKind::Manifest => found.push(one),
                ManifestKind::Index => {
                    let below = reader.document(Some(child)).await.map_err(said)?;
                    open.push((below, Some(one), depth + 1));
                }
            }
        }
    }
    match found.len() {
        0 => Err("it lists no image".to_owned()),
        1..=MAX_IMAGES => Ok(found),
        many => Err(format!(
            "it lists {many} images, and {MAX_IMAGES} are read at most"
        )),
    }
}

/// Returns the attestations that an index has about one of its entries.
fn attestations(index: &RawDocument, subject: &Digest) -> Vec<Descriptor> {
    let about = |child: &&Descriptor| {
        child.annotations.contains_key(REFERENCE_TYPE)
            && child.annotations.get(REFERENCE_DIGEST).map(String::as_str) == Some(subject.as_str())
    };
    index.children.iter().filter(about).cloned().collect()
}

/// Returns the images to read, each with the wanted platform: all, or the one that fits each wanted platform best.
fn choose(
    all: Vec<ManifestEntry>,
    wanted: &[Platform],
) -> Vec<(Option<Platform>, Option<ManifestEntry>)> {
    if wanted.is_empty() {
        let all = all.into_iter();
        return all
            .map(|found| (found.platform.clone(), Some(found)))
            .collect();
    }
    let nearest = |platform: &Platform| {
        let distance = |found: &&ManifestEntry| match &found.platform {
            Some(own) => own.distance(platform),
            // Its config will tell.
            None => (all.len() == 1).then_some(0),
        };
        let known = all.iter().filter(|found| distance(found).is_some());
        known.min_by_key(|found| distance(found)).cloned()
    };
    let wanted = wanted.iter();
    wanted
        .map(|platform| (Some(platform.clone()), nearest(platform)))
        .collect()
}

async fn manifest(
    reader: &Endpoint,
    top: &RawDocument,
    found: &ManifestEntry,
) -> Result<RawDocument, String> {
    match &found.descriptor {
        None => Ok(top.clone()),
        Some(descriptor) => reader.document(Some(descriptor)).await.map_err(said),
    }
}

async fn config(reader: &Endpoint, manifest: &RawDocument) -> Result<ImageRecord, String> {
    let parsed = parse_manifest(&manifest.media_type, &manifest.bytes);
    let digest = match parsed.map_err(|defect| defect.to_string())? {
        (_, Document::Manifest { config }) => config,
        (_, Document::NoImage { what, .. }) => {
            return Err(format!("it is not an image but {what}"));
        }
        (_, Document::Index(_)) => {
            return Err("it has an index where a manifest is expected".into());
        }
    };
    let blob = manifest.blobs.iter().find(|blob| blob.digest == digest);
    let blob = blob.ok_or("its manifest has no config")?;
    let bytes = reader.blob(blob, MAX_CONFIG).await.map_err(said)?;
    ImageRecord::parse(&bytes)
}

async fn facts(
    reader: &Endpoint,
    top: &RawDocument,
    found: &ManifestEntry,
) -> Result<Facts, String> {
    let manifest = manifest(reader, top, found).await?;
    let record = config(reader, &manifest).await?;
    let mut lineage = Lineage::default();
    let index = found.index.as_ref();
    let notes = [
        annotations_of(&manifest.bytes),
        found.annotations.clone(),
        index
            .map(|index| annotations_of(&index.bytes))
            .unwrap_or_default(),
    ];
    if !notes
        .iter()
        .any(|notes| lineage.take(notes, Evidence::Annotation))
    {
        let mut attested = Attested {
            reader,
            subjects: subjects(&manifest, index.map(AsRef::as_ref), top),
            problems: Vec::new(),
        };
        let of_label = lineage.take(&record.labels, Evidence::Label);
        let provenance = if of_label && found.attestations.is_empty() {
            None
        } else {
            attested.find(&found.attestations, !of_label).await
        };
        lineage.problems.append(&mut attested.problems);
        if let Some(provenance) = provenance {
            lineage.correct(provenance);
        }
    }
    Ok(Facts {
        digest: Some(manifest.digest),
        record: Rc::new(record),
        lineage,
    })
}

/// Returns the digests by which attestations may name an image: its manifest's, and those of the indexes above it.
fn subjects(manifest: &RawDocument, index: Option<&RawDocument>, top: &RawDocument) -> Vec<Digest> {
    let mut subjects = vec![manifest.digest.clone()];
    for above in index.into_iter().chain([top]) {
        if !subjects.contains(&above.digest) {
            subjects.push(above.digest.clone());
        }
    }
    subjects
}

impl Lineage {
    /// Takes the bases from annotations or labels. Returns whether these name any.
    pub fn take(&mut self, notes: &BTreeMap<String, String>, evidence: Evidence) -> bool {
        match annotated(notes) {
            Annotated::Nothing => return false,
            Annotated::Unusable(why) => {
                self.problems.push(why);
                return false;
            }
            Annotated::Scratch => {}
            Annotated::Base(base) => self.bases.push(*base),
        }
        self.evidence = Some(evidence);
        true
    }

    /// Takes the bases from provenance, if a label names an image that the build did not use: such a label is inherited from the base.
    fn correct(&mut self, provenance: Provenance) {
        let names = |base: &Base| base.image.as_ref().map(|image| image.name());
        let is_inherited = |label: &Base| {
            let mut all = provenance.bases.iter();
            !all.any(|base| names(base) == names(label))
        };
        if self.evidence.is_some() && !self.bases.iter().any(is_inherited) {
            return;
        }
        if provenance.bases.is_empty() && !provenance.is_complete {
            self.problems
                .push("its provenance names no image".to_owned());
            return;
        }
        self.evidence = Some(Evidence::Provenance);
        self.bases = provenance.bases;
    }
}

/// The search for provenance of an image.
struct Attested<'a> {
    reader: &'a Endpoint,
    /// The digests of the image's manifest and of the indexes above it.
    subjects: Vec<Digest>,
    problems: Vec<String>,
}

impl Attested<'_> {
    /// Returns the first provenance of the image: from the index, else from its referrers.
    async fn find(&mut self, listed: &[Descriptor], refers: bool) -> Option<Provenance> {
        for attestation in listed.iter().take(MAX_ATTESTATIONS) {
            if let Some(found) = self.read(attestation, None).await {
                return Some(found);
            }
        }
        if !refers {
            return None;
        }
        for subject in self.subjects.clone() {
            let referrers = self.reader.referrers(&subject).await;
            let referrers = self.keep(referrers).unwrap_or_default();
            let about = |one: &&Descriptor| {
                is_attestation(&one.artifact_type) && may_be_provenance(&one.annotations)
            };
            for referrer in referrers.iter().filter(about).take(MAX_ATTESTATIONS) {
                if let Some(found) = self.read(referrer, Some(&subject)).await {
                    return Some(found);
                }
            }
            let attached = self.reader.attached(&subject).await;
            if let Some(attached) = self.keep(attached).flatten()
                && let Some(found) = self.open(&attached, false).await
            {
                return Some(found);
            }
        }
        None
    }

    /// Reads a document that refers to `subject`, or that an index lists.
    async fn read(&mut self, which: &Descriptor, subject: Option<&Digest>) -> Option<Provenance> {
        let document = self.reader.document(Some(which)).await;
        let document = self.keep(document)?;
        if subject.is_some() && document.subject.as_ref() != subject {
            let problem = format!(
                "`{}` is listed as referring to it, but does not",
                which.digest
            );
            self.problems.push(problem);
            return None;
        }
        self.open(&document, subject.is_none()).await
    }

    /// Reads the blobs of an attestation. If an index lists it, the subject may be missing in the attestation itself.
    async fn open(&mut self, document: &RawDocument, is_listed: bool) -> Option<Provenance> {
        let about = |blob: &&Descriptor| {
            is_attestation(&blob.media_type) && may_be_provenance(&blob.annotations)
        };
        for blob in document.blobs.iter().filter(about).take(MAX_ATTESTATIONS) {
            let bytes = self.reader.blob(blob, MAX_ATTESTATION).await;
            let Some(bytes) = self.keep(bytes) else {
                continue;
            };
            match Provenance::parse(&bytes) {
                Ok(Some(found))
                    if found.is_about(&self.subjects) || is_listed && !found.has_subject() =>
                {
                    return Some(found);
                }
                Ok(Some(_)) => {
                    let problem =
                        format!("the provenance `{}` is about another image", blob.digest);
                    self.problems.push(problem);
                }
                Ok(None) => {}
                Err(why) => {
                    let problem = format!("cannot read the attestation `{}`: {why}", blob.digest);
                    self.problems.push(problem);
                }
            }
        }
        None
    }

    /// Returns what was read; an error is kept for the answer.
    fn keep<T>(&mut self, read: Result<T, CopyError>) -> Option<T> {
        read.map_err(|error| self.problems.push(said(error))).ok()
    }
}
