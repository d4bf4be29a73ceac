//! Fetches the context of a build that is not on this machine, for the duration of one run.

use std::{
    fs,
    fs::File,
    io::{ErrorKind, Seek as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::Reference,
    source::{
        archive::Unpacking,
        bounds::{self, MAX_DOWNLOAD, TooLarge},
        git::{self, Git},
        local::{LocalContext, TRUST_HINT},
        tarball,
    },
    store::{file, runs::MARKER, secrets::Secrets},
    sys::{blocking::run_blocking, signal::Stop},
    task::{Context, GitContext, RunId, Task},
};

use super::{
    App,
    credential::resolved,
    steps::workspace,
    trust::{self, Trust},
};

/// Files that were fetched for a run. They are removed when this is dropped.
#[derive(Debug)]
pub struct Fetched {
    root: PathBuf,
    pub folder: PathBuf,
    /// The commit, if it is a git repository.
    pub commit: Option<String>,
    /// What the user should know about how it was fetched.
    pub notes: Vec<String>,
}

impl Fetched {
    /// Says what was fetched, for the log.
    pub fn in_words(&self, context: &Context) -> String {
        match (&self.commit, context) {
            (Some(commit), _) => format!("fetched {context} at {commit}"),
            (None, Context::Local(_)) => format!("copied {context}"),
            (None, _) => format!("fetched {context}"),
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // A child process that was stopped may still write a file. What cannot be removed here is removed with the run, and only its owner
        // can read it.
        for _ in 0..TRIES {
            match fs::remove_dir_all(&self.root) {
                Err(error) if error.kind() != ErrorKind::NotFound => std::thread::yield_now(),
                _ => return,
            }
        }
    }
}

/// How often to try to remove a folder that a process still writes to.
const TRIES: usize = 1000;

/// How often to measure what git has fetched: git itself has no limit.
const MEASURE: Duration = Duration::from_secs(1);

/// Where the files of a context go, and what is kept of them.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The folder for the files; it is created anew.
    pub root: PathBuf,
    /// The folder of the run, for temporary files.
    pub beside: PathBuf,
    pub keeps_vcs: bool,
    /// Whose the context is: what a guest's repository names itself is fetched without logins.
    pub trust: Trust,
}

/// Fetches the context of a task for a run, or copies it where it is a guest's folder of this machine.
///
/// # Errors
///
/// [`Kind::Unknown`] where it cannot be reached; [`Kind::Failed`] where it is not what the context says, or exceeds the size limits of a
/// context.
pub async fn fetch(
    app: &App,
    id: RunId,
    task: &Task,
    secrets: &Secrets,
    stop: &Stop,
) -> Result<Fetched> {
    let folder = trust::folder(app, task).map(Context::Local);
    let to = Destination {
        root: app.store.layout().run_context(id),
        beside: app.store.layout().run_folder(id),
        keeps_vcs: task.keep_vcs,
        trust: trust::of(app, task),
    };
    let context = folder.as_ref().or_else(|| task.step.context());
    fetch_into(app, to, context.unwrap_or(&Context::None), secrets, stop).await
}

pub async fn fetch_into(
    app: &App,
    to: Destination,
    context: &Context,
    secrets: &Secrets,
    stop: &Stop,
) -> Result<Fetched> {
    let Destination {
        root,
        beside,
        keeps_vcs,
        trust,
    } = to;
    // What an earlier try has left would be taken for a part of this one.
    if root.exists() {
        fs::remove_dir_all(&root).context(Kind::Failed, || {
            format!("cannot remove `{}`", root.display())
        })?;
    }
    file::make_folder(&root)?;
    let mut fetched = Fetched {
        folder: root.clone(),
        root,
        commit: None,
        notes: Vec::new(),
    };
    let root = fetched.root.clone();
    match context {
        Context::Git(context) => {
            let marker = beside.display().to_string();
            let memory_mib = app.settings.config.limits.memory_mib;
            let found = with_git(context, secrets, stop, memory_mib, async |git| {
                let git = git.marked(MARKER, marker).of_guest(trust == Trust::Guest);
                let found = within_bounds(&root, git.fetch(&root)).await?;
                if keeps_vcs {
                    git.prepare_metadata(&root).await?;
                }
                Ok(found)
            })
            .await?;
            let time = found.time;
            run_blocking(move |wanted| git::normalise(&root, keeps_vcs, time, wanted)).await?;
            fetched.folder = found.folder;
            fetched.commit = Some(found.commit);
        }
        Context::Tarball(url) => {
            let archive = tarball::fetch(url, &beside).await?;
            fetched.notes = archive.notes;
            let piece = FetchedFile {
                name: archive.name.clone(),
                kind: FileKind::Archive,
                file: archive.file,
            };
            unpack(archive.name, vec![piece], root).await?;
        }
        Context::Artifact(image) => {
            let pieces = artifact(app, image, &beside).await?;
            unpack(format!("oci://{image}"), pieces, root).await?;
        }
        Context::Local(folder) => {
            LocalContext::open(folder)?;
            copy_of_guest(app, folder, root, keeps_vcs).await?;
        }
        Context::None => {}
    }
    Ok(fetched)
}

/// Copies a guest's folder for a run: its owner could replace it, or what is in it, by a link while the builder reads it.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where something cannot be copied.
pub async fn copy_of_guest(app: &App, from: &Path, to: PathBuf, keeps_vcs: bool) -> Result<()> {
    let (from, state) = (from.to_owned(), app.store.layout().root().to_owned());
    run_blocking(move |wanted| {
        workspace::copy_of_guest(&from, &to, &state, !keeps_vcs, wanted)
            .map_err(|error| error.hint(TRUST_HINT))
    })
    .await
}

/// A file that was fetched, opened at its beginning.
struct FetchedFile {
    name: String,
    kind: FileKind,
    file: File,
}

/// How a file that was fetched comes into the context.
enum FileKind {
    /// As it is.
    Plain,
    Archive,
    /// A layer of an image.
    Layer,
}

/// Unpacks the files of a context into the folder that a builder reads.
async fn unpack(name: String, pieces: Vec<FetchedFile>, root: PathBuf) -> Result<()> {
    run_blocking(move |wanted| {
        let mut unpacking = Unpacking::new(&root, wanted);
        for piece in pieces {
            match piece.kind {
                FileKind::Plain => unpacking.file(&piece.name, piece.file)?,
                FileKind::Archive => unpacking.archive(&piece.name, piece.file)?,
                FileKind::Layer => unpacking.layer(&piece.name, piece.file)?,
            }
        }
        unpacking.finish(&name)
    })
    .await
}

/// Gives up a git fetch that exceeds the size limits of a context.
async fn within_bounds<T>(root: &Path, fetch: impl Future<Output = Result<T>>) -> Result<T> {
    let fetched = tokio::select! {
        fetched = fetch => fetched?,
        error = outgrown(root) => return Err(error),
    };
    if measured(root).await? {
        Err(too_large(root))
    } else {
        Ok(fetched)
    }
}

/// Waits until a folder exceeds the size limits of a context.
async fn outgrown(root: &Path) -> Error {
    loop {
        let begun = Instant::now();
        match measured(root).await {
            Ok(true) => return too_large(root),
            Err(error) => return error,
            Ok(false) => {}
        }
        // A folder that takes long to measure is measured less often.
        tokio::time::sleep(MEASURE.max(begun.elapsed() * 10)).await;
    }
}

async fn measured(root: &Path) -> Result<bool> {
    let root = root.to_owned();
    run_blocking(move |wanted| {
        bounds::is_exceeded(&root, wanted)
            .context(Kind::Failed, || format!("cannot read `{}`", root.display()))
    })
    .await
}

fn too_large(root: &Path) -> Error {
    Error::failed(format!("cannot keep the context in `{}`", root.display())).because(TooLarge)
}

/// Returns the commit that a repository's branch or tag points to now.
///
/// # Errors
///
/// [`Kind::Unknown`] where the repository does not answer.
pub async fn head(
    git: &GitContext,
    secrets: &Secrets,
    stop: &Stop,
    memory_mib: u64,
) -> Result<String> {
    let asked = async |git: Git<'_>| git.head().await;
    with_git(git, secrets, stop, memory_mib, asked).await
}

async fn with_git<T>(
    context: &GitContext,
    secrets: &Secrets,
    stop: &Stop,
    memory_mib: u64,
    work: impl AsyncFnOnce(Git<'_>) -> Result<T>,
) -> Result<T> {
    let token = secrets.git_access_token.as_ref();
    let token = token
        .map(|token| resolved(token, "the git access token"))
        .transpose()?;
    work(Git::new(context, token.as_ref(), stop, memory_mib)).await
}

/// Fetches the files of an OCI artifact into `folder`.
async fn artifact(app: &App, image: &Reference, folder: &Path) -> Result<Vec<FetchedFile>> {
    let cannot = |kind| Error::new(kind, format!("cannot fetch `oci://{image}`"));
    let registries = app.registries();
    let files = registries.artifact(image).await;
    let files = files.map_err(|error| cannot(Kind::Unknown).because(Error::from(error)))?;
    let size = files
        .iter()
        .fold(0, |size: u64, file| size.saturating_add(file.size()));
    if size > MAX_DOWNLOAD {
        return Err(cannot(Kind::Failed).because(anyhow::anyhow!("it is larger than 2 GiB")));
    }
    let mut pieces = Vec::with_capacity(files.len());
    for told in files {
        let unwritten = || format!("cannot keep what `oci://{image}` holds");
        let mut file = tempfile::tempfile_in(folder).context(Kind::Failed, unwritten)?;
        let fetched = registries.fetch_blob(image, &told.layer, &mut file).await;
        fetched.map_err(|error| {
            let error = Error::from(error);
            cannot(error.kind()).because(error)
        })?;
        file.rewind().context(Kind::Failed, unwritten)?;
        pieces.push(FetchedFile {
            name: told.name().map_or_else(|| image.to_string(), str::to_owned),
            kind: match (told.is_archive(), told.name()) {
                (false, _) => FileKind::Plain,
                (true, Some(_)) => FileKind::Archive,
                (true, None) => FileKind::Layer,
            },
            file,
        });
    }
    Ok(pieces)
}
