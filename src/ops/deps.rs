//! Which images a Dockerfile stands on, without a task and without a registry.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    dockerfile::{BaseImage, BaseKind, Build, Dockerfile},
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Mirrors, Platform, Reference},
    source::local::LocalContext,
    store::file,
};

use super::App;

/// What is asked.
#[derive(Clone, Debug)]
pub struct DepsRequest {
    /// The folder that `file` is relative to.
    pub context: PathBuf,
    /// The Dockerfile.
    pub file: PathBuf,
    /// The Dockerfile's text, where it does not come from `file`.
    pub text: Option<Vec<u8>>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The stage, if not the last.
    pub target: Option<String>,
    /// The platforms; empty is this machine's.
    pub platforms: Vec<Platform>,
    /// Named contexts that stand in for images or stages.
    pub contexts: BTreeMap<String, String>,
    /// Whether registries are asked for digests.
    pub digests: bool,
    /// The copies that are named beside the images; those of the config file, if none is given.
    pub rewrite: Vec<String>,
}

/// The images that a Dockerfile stands on.
#[derive(Debug, Serialize)]
pub struct DepsAnswer {
    /// What the final stage stands on.
    pub runtime: Vec<Reference>,
    /// Every other image that the build needs.
    pub buildtime: Vec<Reference>,
    /// The image that reads the Dockerfile, as `# syntax=` names it.
    pub frontend: Option<String>,
    /// Every place that names an image.
    pub images: Vec<DepsImage>,
    /// The Dockerfile with the copies in the places of the images that have one.
    #[serde(skip)]
    pub rewritten: Vec<u8>,
}

/// One place that names an image.
#[derive(Debug, Serialize)]
pub struct DepsImage {
    line: usize,
    written: String,
    reference: Reference,
    kind: BaseKind,
    /// Which value of `--base-image-trigger-type` follows it: `Runtime` (and `All`), `All` alone, or none.
    tracked: bool,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// The copy of one's own, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rewritten: Option<Reference>,
}

/// Tells what a Dockerfile stands on.
///
/// # Errors
///
/// [`Kind::Invalid`] with file, line and column, where it cannot be read; with `digests`, [`Kind::Unknown`] where a
/// registry does not answer.
pub async fn deps(app: &App, request: DepsRequest) -> Result<DepsAnswer> {
    let (path, bytes) = match request.text {
        Some(text) => (PathBuf::from("<stdin>"), text),
        None => LocalContext::open(&request.context)?.dockerfile(&request.file)?,
    };
    let host = Platform::host();
    let build = Build {
        args: request.args,
        target: request.target,
        platforms: match request.platforms.is_empty() {
            true => vec![host.clone()],
            false => request.platforms,
        },
        build_platform: host,
        contexts: request.contexts,
        on_build: BTreeMap::new(),
    };
    let cannot = || format!("cannot tell what `{}` stands on", path.display());
    let dockerfile = Dockerfile::parse(&bytes).context(Kind::Invalid, cannot)?;
    let bases = dockerfile.bases(&build).context(Kind::Invalid, cannot)?;
    let mirrors = match request.rewrite.as_slice() {
        [] => app.mirrors.clone(),
        given => table(given)?,
    };
    let copy = |base: &BaseImage| match request.rewrite.is_empty() {
        true => app.copy_of(&base.reference),
        false => mirrors.of(&base.reference),
    };
    let mut answer = answer(&bases, &copy);
    answer.rewritten = dockerfile.rewritten(&bases, &copy);
    if request.digests {
        add_digests(app, &path, &mut answer).await?;
    }
    Ok(answer)
}

/// Reads `SOURCE=COPY`, or files of YAML with a map of such or with one under `mirrors`, as the config file has it.
///
/// # Errors
///
/// [`Kind::Invalid`] where something makes no sense.
fn table(given: &[String]) -> Result<Mirrors> {
    let mut table: BTreeMap<String, String> = BTreeMap::new();
    for text in given {
        match text.split_once('=') {
            Some((source, copy)) => {
                table.insert(source.to_owned(), copy.to_owned());
            }
            None => table.extend(table_of(Path::new(text))?),
        }
    }
    let pairs = table.iter().map(|(a, b)| (a.as_str(), b.as_str()));
    Mirrors::new(pairs).context(Kind::Invalid, || {
        format!("cannot use `--rewrite {}`", given.join("` `--rewrite "))
    })
}

fn table_of(path: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Table {
        Config { mirrors: BTreeMap<String, String> },
        Bare(BTreeMap<String, String>),
    }
    let none = || {
        Error::new(
            Kind::Invalid,
            format!(
                "`{}` is neither SOURCE=COPY nor a file of such",
                path.display()
            ),
        )
        .hint("as in: --rewrite docker.io/library=localhost:5000/base")
    };
    match file::read_yaml::<Table>(path)?.ok_or_else(none)? {
        Table::Config { mirrors } | Table::Bare(mirrors) => Ok(mirrors),
    }
}

fn answer(bases: &[BaseImage], copy: &dyn Fn(&BaseImage) -> Option<Reference>) -> DepsAnswer {
    let of = |kind: BaseKind| {
        let mut references: Vec<Reference> = bases
            .iter()
            .filter(|base| base.kind == kind)
            .map(|base| base.reference.clone())
            .collect();
        references.sort_unstable();
        references.dedup();
        references
    };
    let runtime = of(BaseKind::Runtime);
    let mut buildtime = of(BaseKind::Buildtime);
    buildtime.retain(|reference| !runtime.contains(reference));
    DepsAnswer {
        runtime,
        buildtime,
        frontend: bases
            .iter()
            .find(|base| base.kind == BaseKind::Frontend)
            .map(|base| base.written.clone()),
        images: bases.iter().map(|base| image(base, copy(base))).collect(),
        rewritten: Vec::new(),
    }
}

fn image(base: &BaseImage, rewritten: Option<Reference>) -> DepsImage {
    let fixed = base.reference.digest().is_some();
    let reason = match base.kind {
        _ if fixed => "pinned by its digest: it cannot move",
        BaseKind::Runtime => "the final stage stands on it",
        BaseKind::Buildtime => "followed with --base-image-trigger-type All",
        BaseKind::Frontend => "reads the Dockerfile; followed with --base-image-trigger-type All",
    };
    DepsImage {
        line: base.line,
        written: base.written.clone(),
        reference: base.reference.clone(),
        kind: base.kind,
        tracked: !fixed && base.kind == BaseKind::Runtime,
        reason: reason.to_owned(),
        digest: None,
        rewritten,
    }
}

async fn add_digests(app: &App, path: &Path, answer: &mut DepsAnswer) -> Result<()> {
    let mut tags: Vec<Reference> = answer
        .images
        .iter()
        .filter(|image| image.reference.digest().is_none())
        .map(|image| image.reference.clone())
        .collect();
    tags.sort_unstable();
    tags.dedup();
    let mut digests: BTreeMap<Reference, Digest> = BTreeMap::new();
    for (tag, looked) in app.registries().look_all(tags).await {
        let seen = looked.map_err(|error| {
            Error::new(
                Kind::Unknown,
                format!(
                    "cannot find the digests of what `{}` stands on",
                    path.display()
                ),
            )
            .because(Error::from(error))
        })?;
        digests.insert(tag, seen.digest);
    }
    for image in &mut answer.images {
        image.digest = match image.reference.digest() {
            Some(digest) => Some(digest.clone()),
            None => digests.get(&image.reference).cloned(),
        };
    }
    Ok(())
}
