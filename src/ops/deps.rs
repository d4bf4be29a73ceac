//! Finds the images that a Dockerfile depends on, without a task and without a registry.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    dockerfile::{BaseImage, BaseKind, Build, Dockerfile, Pinning, Unpinnable, UnreadPart},
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Mirrors, Platform, Reference},
    source::local::LocalContext,
    store::file,
};

use super::{
    App,
    config_values::mirrors_of,
    inputs::UNREAD,
    resolve::{self, MAX_ON_BUILD},
};

#[derive(Clone, Debug)]
pub struct DepsRequest {
    /// The folder to which `file` is relative.
    pub context: PathBuf,
    pub file: PathBuf,
    /// The text of the Dockerfile, if it is not read from `file`.
    pub text: Option<Vec<u8>>,
    pub args: BTreeMap<String, String>,
    /// The target stage, if not the last.
    pub target: Option<String>,
    /// The platforms; if empty, this machine's.
    pub platforms: Vec<Platform>,
    /// Named contexts that replace images or stages.
    pub contexts: BTreeMap<String, String>,
    /// Whether to ask registries for digests, and for the `ONBUILD` triggers of base images.
    pub digests: bool,
    /// The mirrors that are shown beside the images; if empty, those of the config file.
    pub rewrite: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct DepsAnswer {
    /// The images that the final stage depends on.
    pub runtime: Vec<Reference>,
    /// Every other image that the build needs.
    pub buildtime: Vec<Reference>,
    /// The image that reads the Dockerfile, as `# syntax=` names it.
    pub frontend: Option<String>,
    /// Every place in the Dockerfile that names an image.
    pub images: Vec<DepsImage>,
    /// The Dockerfile with images replaced by their mirrors.
    #[serde(skip)]
    pub rewritten: Vec<u8>,
}

/// A place in the Dockerfile that names an image, or may do so.
#[derive(Debug, Default, Serialize)]
pub struct DepsImage {
    line: usize,
    written: String,
    /// The image; `None` where only a frontend other than Docker's can tell.
    reference: Option<Reference>,
    kind: Option<BaseKind>,
    /// Which value of `--base-image-trigger-type` tracks it: `Runtime` (and `All`), `All` alone, or none.
    tracked: bool,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// The mirror, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rewritten: Option<Reference>,
}

/// Returns what a Dockerfile depends on.
///
/// # Errors
///
/// [`Kind::Invalid`] with file, line and column, where it cannot be read; with `digests`, [`Kind::Unknown`] where a registry does not answer.
pub async fn deps(app: &App, request: DepsRequest) -> Result<DepsAnswer> {
    let (path, bytes) = match request.text {
        Some(text) => (PathBuf::from("<stdin>"), text),
        None => LocalContext::open(&request.context)?.dockerfile(&request.file)?,
    };
    let mut build = Build {
        args: request
            .args
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect(),
        target: request.target,
        contexts: request.contexts,
        ..Build::on_host(&request.platforms)
    };
    let cannot = || format!("cannot tell what `{}` depends on", path.display());
    let dockerfile = Dockerfile::parse_with(&bytes, &build.args).context(Kind::Invalid, cannot)?;
    let mut bases = dockerfile.bases(&build).context(Kind::Invalid, cannot)?;
    let mirrors = match request.rewrite.as_slice() {
        [] => app.mirrors.clone(),
        given => table(app, given)?,
    };
    let mut digests = BTreeMap::new();
    if request.digests {
        for _ in 0..MAX_ON_BUILD {
            add_digests(app, &path, &bases, &mut digests).await?;
            let triggers = triggers(app, &bases, &digests).await?;
            if triggers == build.on_build {
                break;
            }
            build.on_build = triggers;
            bases = dockerfile.bases(&build).context(Kind::Invalid, cannot)?;
        }
    }
    let copy = |base: &BaseImage| mirrors.of(&app.canonical(&base.reference));
    let mut answer = answer(&bases, &digests, &copy);
    answer
        .images
        .extend(dockerfile.unread(&build).into_iter().map(unread));
    answer.images.sort_by_key(|image| image.line);
    answer.rewritten = dockerfile.rewritten(&bases, &copy);
    Ok(answer)
}

/// Reads mirrors: `SOURCE=COPY`, or YAML files with such a map, at the top or under `mirrors` as in the config file.
///
/// # Errors
///
/// [`Kind::Invalid`] where an entry cannot be parsed.
fn table(app: &App, given: &[String]) -> Result<Mirrors> {
    let mut table: BTreeMap<String, String> = BTreeMap::new();
    for text in given {
        match text.split_once('=') {
            Some((source, copy)) => {
                table.insert(source.to_owned(), copy.to_owned());
            }
            None => table.extend(table_of(Path::new(text))?),
        }
    }
    mirrors_of(&app.settings, &table).context(Kind::Invalid, || {
        format!("cannot use `--rewrite {}`", given.join("` `--rewrite "))
    })
}

fn table_of(path: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Config {
        mirrors: BTreeMap<String, String>,
    }
    let none = || {
        let path = path.display();
        let text = format!("`{path}` is neither of the form SOURCE=COPY nor a file of such pairs");
        Error::invalid(text)
    };
    let read = || {
        let keys: BTreeMap<String, serde_yaml::Value> = file::read_yaml(path)?.ok_or_else(none)?;
        // An image may be called `mirrors` too.
        let is_config = keys.get("mirrors").is_some_and(|value| !value.is_string());
        let mirrors = if is_config {
            file::read_yaml::<Config>(path)?.map(|config| config.mirrors)
        } else {
            file::read_yaml(path)?
        };
        mirrors.ok_or_else(none)
    };
    read().map_err(|error: Error| {
        error.hint("write pairs, as in: --rewrite docker.io/library=localhost:5000/base")
    })
}

fn answer(
    bases: &[BaseImage],
    digests: &BTreeMap<Reference, Digest>,
    copy: &dyn Fn(&BaseImage) -> Option<Reference>,
) -> DepsAnswer {
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
        images: bases
            .iter()
            .map(|base| DepsImage {
                digest: digests.get(&base.reference).cloned(),
                rewritten: copy(base),
                ..image(base)
            })
            .collect(),
        rewritten: Vec::new(),
    }
}

fn image(base: &BaseImage) -> DepsImage {
    let fixed = base.reference.digest().is_some();
    let reason = match (base.kind, &base.pinning) {
        _ if fixed => "pinned by its digest: it cannot move",
        (_, Pinning::Impossible(Unpinnable::Stage)) => {
            "an image, unless it is a stage that another frontend reads"
        }
        (BaseKind::Buildtime, Pinning::Impossible(Unpinnable::Trigger)) => {
            "named by an ONBUILD trigger; followed with --base-image-trigger-type All"
        }
        (BaseKind::Runtime, _) => "the final stage depends on it",
        (BaseKind::Buildtime, _) => "followed with --base-image-trigger-type All",
        (BaseKind::Frontend, _) => {
            "reads the Dockerfile where BuildKit builds it; then followed with --base-image-trigger-type All"
        }
    };
    DepsImage {
        line: base.line,
        written: base.written.clone(),
        reference: Some(base.reference.clone()),
        kind: Some(base.kind),
        tracked: !fixed && base.kind == BaseKind::Runtime,
        reason: reason.to_owned(),
        ..DepsImage::default()
    }
}

fn unread(unread: UnreadPart) -> DepsImage {
    DepsImage {
        line: unread.line,
        written: unread.written,
        reason: format!("untracked: {UNREAD}"),
        ..DepsImage::default()
    }
}

/// Asks the registries for the digests of images that have none yet.
async fn add_digests(
    app: &App,
    path: &Path,
    bases: &[BaseImage],
    digests: &mut BTreeMap<Reference, Digest>,
) -> Result<()> {
    let mut tags = BTreeSet::new();
    for reference in bases.iter().map(|base| &base.reference) {
        match reference.digest() {
            Some(digest) => drop(digests.insert(reference.clone(), digest.clone())),
            None if digests.contains_key(reference) => {}
            None => drop(tags.insert(reference.clone())),
        }
    }
    for (tag, looked) in app.registries().look_all(tags.into_iter().collect()).await {
        let mut named = bases.iter().filter(|base| base.reference == tag);
        match looked {
            Ok(seen) => drop(digests.insert(tag, seen.digest)),
            Err(_) if named.all(resolve::may_be_stage) => {}
            Err(error) => {
                let cannot = format!(
                    "cannot find the digests of what `{}` depends on",
                    path.display()
                );
                return Err(Error::new(Kind::Unknown, cannot).because(Error::from(error)));
            }
        }
    }
    Ok(())
}

/// Returns the `ONBUILD` triggers of the images that stages begin with: they may name further images.
async fn triggers(
    app: &App,
    bases: &[BaseImage],
    digests: &BTreeMap<Reference, Digest>,
) -> Result<BTreeMap<Reference, Vec<String>>> {
    let images = bases.iter().filter_map(|base| {
        let digest = digests.get(&base.reference)?.clone();
        Some((base, base.reference.at(digest)))
    });
    resolve::on_build(app, images).await
}
