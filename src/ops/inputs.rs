//! The inputs of a build, as far as they are known without a registry.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    builder::BuilderPlatforms,
    dockerfile::{BaseImage, BaseKind, Build, Dockerfile},
    error::{Context as _, Error, Kind, Result, excerpt},
    image::{Digest, Platform, Reference},
    secret::{MaskedText, Masks, Secret},
    source::local::{self, LocalContext},
    store::secrets::Secrets,
    task::{Argument, Context, DockerStep, Task, Untracked, name},
    watch::{FileStamp, FileState, ReadFile},
};

use super::{
    App,
    trust::{self, Trust},
};

/// Why an image is untracked that only a frontend other than Docker's can read.
pub const UNREAD: &str = "read by another frontend";

/// Why a frontend is untracked that no builder pulls.
const NO_FRONTEND: &str = "the builder reads Dockerfiles itself, without a frontend";

/// The inputs of a build, as far as they are known without a registry.
#[derive(Debug)]
pub struct Inputs {
    pub context: LocalContext,
    /// The path of the Dockerfile, for messages.
    pub path: PathBuf,
    pub dockerfile: Dockerfile,
    /// Arguments, target and platforms.
    pub build: Build,
    /// The platforms that the task or the builder's settings name; if empty, the builder's own.
    pub wanted: Vec<Platform>,
    /// The parts of a build on several builders: the platform of each builder, and the platforms that it builds for. Empty with one builder.
    pub parts: Vec<(Platform, Vec<Platform>)>,
    /// Images that earlier steps of the same run have built: the builder has them, whatever is in a registry.
    pub made: BTreeSet<Reference>,
    /// Images that the task itself pushes: none of them is used as a mirror of what it depends on.
    pub own: Vec<Reference>,
    /// Whether a builder pulls the frontend that the Dockerfile names. If not, the build does not depend on it.
    pub has_frontend: bool,
    /// Images that local tasks make, by canonical name: no registry is asked for them. Set by a run.
    pub local: BTreeSet<Reference>,
    /// A digest of the Dockerfile and the definition: when it changes, a failed task is tried again.
    pub digest: Digest,
}

/// Reads what a task is built from. Asks no registry.
///
/// # Errors
///
/// [`Kind::Invalid`] with path, line and column, where the context or the Dockerfile cannot be used.
pub fn read(app: &App, task: &Task, step: &DockerStep, secrets: &Secrets) -> Result<Inputs> {
    let context = open(app, task, &step.context_path)?;
    let definition = serde_json::to_vec(&(&task.step, &task.platforms)).unwrap_or_default();
    let build = Build {
        args: arguments_of(step, secrets).into_iter().collect(),
        target: step.target.clone(),
        contexts: step.contexts.clone(),
        ..Build::on_host(&task.platforms)
    };
    let inputs = match &step.docker_file_content {
        Some(text) => {
            let path = match task.name.as_str() {
                name::QUICK_RUN => "standard input".into(),
                _ => app.store.layout().task(&task.key()),
            };
            let text = text.clone().into_bytes();
            of_bytes(context, path, text, build, definition)?
        }
        None => of(context, &step.docker_file_path, build, definition)?,
    };
    Ok(Inputs {
        own: task.stable_images(),
        ..inputs
    })
}

/// Refuses a task one of whose secret values is not in its file of secrets, as after a copy of the definitions alone: an empty one would make
/// another image.
///
/// # Errors
///
/// [`Kind::Invalid`] with the name. A secret value in the definition itself is refused too, since it is shown with it.
pub fn check_secrets(task: &Task, secrets: &Secrets) -> Result<()> {
    let given = [
        (
            task.step.arguments(),
            &secrets.arguments,
            "build argument",
            "--secret-arg",
        ),
        (
            task.step.values(),
            &secrets.values,
            "value of templates",
            "--set-secret",
        ),
    ];
    for (list, stored, what, option) in given {
        for Argument { name, value, .. } in list.iter().filter(|it| it.is_secret) {
            let why = match value {
                Some(_) => "stands in the definition, where it is shown",
                None if stored.contains_key(name) => continue,
                None => "is not in its file of secrets",
            };
            let (task_name, update) = (&task.name, task.key().full_option());
            let error = format!("the secret {what} `{name}` of task `{task_name}` {why}");
            return Err(Error::invalid(error).hint(format!(
                "give it again, with the others: acrt task update {update} {option} {name}=VALUE"
            )));
        }
    }
    Ok(())
}

/// Returns the build arguments of a task with their values, in order.
pub fn arguments_of(step: &DockerStep, secrets: &Secrets) -> Vec<(String, MaskedText)> {
    let arguments = step.arguments.iter().map(|argument| {
        let value = if argument.is_secret {
            let secret = secrets.arguments.get(&argument.name).cloned();
            secret.map(MaskedText::from)
        } else {
            argument.value.clone().map(MaskedText::from)
        };
        (argument.name.clone(), value.unwrap_or_default())
    });
    arguments.collect()
}

/// Opens a context of this machine.
///
/// # Errors
///
/// [`Kind::Invalid`] where it does not exist, is not a folder, or is remote.
pub fn open(app: &App, task: &Task, context: &Context) -> Result<LocalContext> {
    let folder = trust::folder(app, task).ok_or_else(|| {
        Error::invalid(format!("cannot look into `{context}` before it is fetched")).hint(format!(
            "only a run fetches it: acrt task run {}",
            task.key().full_option()
        ))
    })?;
    let opened = LocalContext::open(&folder)?;
    Ok(match trust::of(app, task) {
        Trust::Owner => opened,
        Trust::Guest => opened.confined_to(&folder),
    })
}

/// Reads the inputs of a build. `file` is relative to the context; `definition` is what else the digest covers.
pub fn of(context: LocalContext, file: &Path, build: Build, definition: Vec<u8>) -> Result<Inputs> {
    let (path, bytes) = context.dockerfile(file)?;
    of_bytes(context, path, bytes, build, definition)
}

/// As [`of`], for a Dockerfile that has been read already.
fn of_bytes(
    context: LocalContext,
    path: PathBuf,
    bytes: Vec<u8>,
    build: Build,
    definition: Vec<u8>,
) -> Result<Inputs> {
    let dockerfile = Dockerfile::parse_with(&bytes, &build.args)
        .context(Kind::Invalid, || cannot_read(&path))
        .map_err(|error| without_secrets(error, &build))?;
    Ok(Inputs {
        digest: Digest::of(&[bytes, definition].concat()),
        context,
        path,
        dockerfile,
        build,
        wanted: Vec::new(),
        parts: Vec::new(),
        made: BTreeSet::new(),
        own: Vec::new(),
        has_frontend: true,
        local: BTreeSet::new(),
    })
}

/// A file modified this recently, in nanoseconds, may be modified again without a change of its timestamps.
const RACY: i128 = 2_000_000_000;

/// Returns files with their present state. The state of a file modified a moment ago counts as unknown: it is read again the next time.
pub fn stamped(paths: impl IntoIterator<Item = PathBuf>) -> Vec<ReadFile> {
    // Take the time of the file system, from a new file: its timestamps are compared with it.
    let now = tempfile::tempfile().and_then(|probe| probe.metadata());
    let certain = now.map_or(0, |now| FileStamp::of(&now).changed_at() - RACY);
    let state = |path: &Path| match std::fs::metadata(path) {
        Ok(metadata) => {
            let stamp = FileStamp::of(&metadata);
            if stamp.changed_at() < certain {
                FileState::At(stamp)
            } else {
                FileState::Unsettled
            }
        }
        Err(error) if is_absence(&error) => FileState::Absent,
        Err(_) => FileState::Unsettled,
    };
    let files = paths.into_iter().map(|path| ReadFile {
        state: state(&path),
        path,
    });
    files.collect()
}

fn is_absence(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Returns whether a file is the same as when it was read.
pub(super) fn is_unchanged(file: &ReadFile) -> bool {
    let now = std::fs::metadata(&file.path);
    match (file.state, now) {
        (FileState::At(stamp), Ok(now)) => FileStamp::of(&now) == stamp,
        (FileState::Absent, Err(error)) => is_absence(&error),
        _ => false,
    }
}

/// Hides secret arguments in an error, which quotes texts after variables are replaced.
fn without_secrets(error: Error, build: &Build) -> Error {
    let secrets: Vec<Secret> = build.args.values().flat_map(MaskedText::secrets).collect();
    let masks = Masks::of(&secrets);
    error.with_texts(|text| masks.hide_in(text))
}

/// Refuses a secret argument in the name of an image: it would be in the status, in records and in command lines.
fn refuse_secret_name(path: &Path, build: &Build, base: &BaseImage) -> Result<()> {
    let is_in_name = |value: &MaskedText| {
        if !value.has_secret() {
            return false;
        }
        let secrets: Vec<Secret> = value.secrets().collect();
        let masks = Masks::of(&secrets);
        masks.hide_in(&base.name) != base.name && masks.hide_in(&base.written) == base.written
    };
    match build.args.iter().find(|(_, value)| is_in_name(value)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::invalid(cannot_read(path))
            .because(anyhow::anyhow!(
                "line {} column {}: the secret argument `{name}` is a part of the name of the image `{}`, and would be shown wherever that is",
                base.line,
                base.column,
                excerpt(&base.written).escape_debug()
            ))
            .hint(format!("give it as an argument that is not secret: --arg {name}=VALUE"))),
    }
}

fn cannot_read(path: &std::path::Path) -> String {
    format!("cannot tell what `{}` depends on", path.display())
}

impl Inputs {
    /// Sets the platforms of a build by one builder; `named` are those of the task.
    pub fn build_with(&mut self, builder: &BuilderPlatforms, named: &[Platform]) {
        self.wanted = builder.wanted(named);
        self.build.build_platform = builder.own.clone();
        self.build.platforms = if self.wanted.is_empty() {
            vec![builder.own.clone()]
        } else {
            self.wanted.clone()
        };
    }

    /// Returns the images that a build for these platforms needs, each with the platforms that it is needed for.
    pub fn platforms_of_bases(
        &self,
        platforms: Vec<Platform>,
    ) -> Result<BTreeMap<Reference, BTreeSet<Platform>>> {
        let bases = self.bases_for(&platforms)?;
        let mut used: BTreeMap<Reference, BTreeSet<Platform>> = BTreeMap::new();
        for base in bases {
            used.entry(base.reference)
                .or_default()
                .extend(base.platforms);
        }
        Ok(used)
    }

    /// Returns every place in the Dockerfile that names an image which the build needs.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with path, line and column.
    pub fn bases(&self) -> Result<Vec<BaseImage>> {
        self.bases_for(&self.build.platforms)
    }

    /// Returns the platforms of the build for which the Dockerfile itself makes the image for another one, each with that one.
    pub fn forced_platforms(&self) -> BTreeMap<Platform, Platform> {
        let builds = self.builds_for(&self.build.platforms).into_iter();
        let forced = builds.flat_map(|build| self.dockerfile.forced_platforms(&build));
        forced.collect()
    }

    /// Returns the build of each part that has some of `platforms`. In each, `BUILDPLATFORM` is the platform of its own builder.
    fn builds_for(&self, platforms: &[Platform]) -> Vec<Build> {
        let own = (self.build.build_platform.clone(), platforms.to_vec());
        let parts = if self.parts.is_empty() {
            std::slice::from_ref(&own)
        } else {
            &self.parts
        };
        let builds = parts.iter().map(|(build_platform, its)| Build {
            build_platform: build_platform.clone(),
            platforms: its
                .iter()
                .filter(|it| platforms.contains(it))
                .cloned()
                .collect(),
            ..self.build.clone()
        });
        builds.filter(|build| !build.platforms.is_empty()).collect()
    }

    pub fn bases_for(&self, platforms: &[Platform]) -> Result<Vec<BaseImage>> {
        let mut all: Vec<BaseImage> = Vec::new();
        for build in self.builds_for(platforms) {
            let bases = self.dockerfile.bases(&build);
            let others = all.len();
            let bases = bases
                .context(Kind::Invalid, || cannot_read(&self.path))
                .map_err(|error| without_secrets(error, &build))?;
            for base in bases {
                if base.kind == BaseKind::Frontend && !self.has_frontend {
                    continue;
                }
                refuse_secret_name(&self.path, &build, &base)?;
                let place = (base.line, base.column, base.kind);
                let is_it = |other: &&mut BaseImage| {
                    (other.line, other.column, other.kind) == place
                        && other.reference == base.reference
                };
                match all[..others].iter_mut().find(is_it) {
                    Some(known) => known.platforms.extend(base.platforms),
                    None => all.push(base),
                }
            }
        }
        Ok(all)
    }

    /// Returns the files that decide which images are named: the Dockerfile, and files that would be used instead of it.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = local::preferred_to(&self.path);
        files.push(self.path.clone());
        files
    }

    /// Returns what the Dockerfile names and no run follows: the frontend, if no builder pulls it, and the places that only a frontend can
    /// read.
    pub fn untracked(&self) -> Vec<Untracked> {
        let frontend = self.dockerfile.frontend(&self.build.args);
        let frontend = frontend.filter(|_| !self.has_frontend);
        let unread = self.dockerfile.unread(&self.build).into_iter();
        let untracked = |image, reason: &str| Untracked {
            image,
            reason: reason.to_owned(),
        };
        frontend
            .map(|image| untracked(image.to_owned(), NO_FRONTEND))
            .into_iter()
            .chain(unread.map(|unread| untracked(unread.written, UNREAD)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secret_argument_in_the_name_of_an_image_is_refused_without_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let bases = |dockerfile: &str| {
            fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
            let secret = MaskedText::from(Secret::new("hunter2"));
            let build = Build {
                args: [("TOKEN".to_owned(), secret)].into(),
                ..Build::on_host(&[])
            };
            let context = LocalContext::open(folder.path())?;
            let mut inputs = of(context, Path::new("Dockerfile"), build, Vec::new())?;
            inputs.build.platforms = vec![Platform::host()];
            inputs.bases()
        };
        let refused = |dockerfile: &str| bases(dockerfile).unwrap_err().one_line();
        let named = refused("ARG TOKEN\nARG X=a-$TOKEN\nFROM r.io/base:$X\n");
        assert!(
            named.contains("line 3 column 6: the secret argument `TOKEN`")
                && !named.contains("hunter2"),
            "{named}"
        );
        let broken = refused("ARG TOKEN\nFROM r.io/base:$TOKEN/\n");
        assert!(!broken.contains("hunter2"), "{broken}");
        // By chance.
        assert!(bases("ARG TOKEN\nFROM hunter2/base:1\nRUN $TOKEN\n").is_ok());
    }

    #[test]
    fn missing_input_file_is_unchanged_until_it_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/Dockerfile");
        let absent = stamped([path.clone()]);
        assert_eq!(absent[0].state, FileState::Absent);
        assert!(is_unchanged(&absent[0]));
        fs::create_dir(folder.path().join("sub")).unwrap();
        assert!(is_unchanged(&absent[0]));
        fs::write(&path, "FROM scratch\n").unwrap();
        assert!(!is_unchanged(&absent[0]));
        // It was modified a moment ago, and may be modified again without a change of its timestamps.
        let young = stamped([path.clone()]);
        assert_eq!(young[0].state, FileState::Unsettled);
        assert!(!is_unchanged(&young[0]));
        let metadata = fs::metadata(&path).unwrap();
        let certain = ReadFile {
            state: FileState::At(FileStamp::of(&metadata)),
            path: path.clone(),
        };
        assert!(is_unchanged(&certain));
        fs::remove_file(&path).unwrap();
        assert!(!is_unchanged(&certain));
    }
}
