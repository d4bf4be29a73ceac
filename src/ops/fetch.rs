//! Fetches the files of a build that are not on this machine, for as long as one run takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    error::{Context as _, Error, Kind, Result},
    source::{archive, git::Git, tarball},
    store::{file, runs::MARKER, secrets::Secrets},
    sys::signal::Stop,
    task::{Context, GitContext, RunId},
};

use super::{App, credential::resolved};

/// Files that were fetched for a run. They go with this value.
#[derive(Debug)]
pub struct Fetched {
    root: PathBuf,
    /// The folder of the build.
    pub folder: PathBuf,
    /// The commit, of a git repository.
    pub commit: Option<String>,
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // What stays is removed with the run, and only its owner can read it.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Fetches a context for a run.
///
/// # Errors
///
/// [`Kind::Unknown`] where it cannot be reached; [`Kind::Failed`] where it is not what it should be.
pub async fn fetch(
    app: &App,
    id: RunId,
    context: &Context,
    secrets: &Secrets,
    stop: &Stop,
) -> Result<Fetched> {
    let root = app.store.layout().run_context(id);
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
    };
    match context {
        Context::Git(git) => {
            let marker = app.store.layout().run_folder(id).display().to_string();
            let found = with_git(git, secrets, stop, async |git| {
                git.marked(MARKER, marker).fetch(&fetched.root).await
            })
            .await?;
            fetched.folder = found.folder;
            fetched.commit = Some(found.commit);
        }
        Context::Tarball(url) => tarball::fetch(url, &fetched.root).await?,
        Context::Artifact(image) => artifact(app, image, &fetched.root).await?,
        Context::Local(_) | Context::None => {}
    }
    Ok(fetched)
}

/// Asks a repository for the commit that a context names now.
///
/// # Errors
///
/// [`Kind::Unknown`] where it does not say.
pub async fn head(git: &GitContext, secrets: &Secrets, stop: &Stop) -> Result<String> {
    with_git(git, secrets, stop, async |git| git.head().await).await
}

async fn with_git<T>(
    context: &GitContext,
    secrets: &Secrets,
    stop: &Stop,
    work: impl AsyncFnOnce(Git<'_>) -> Result<T>,
) -> Result<T> {
    let token = secrets.git_access_token.as_ref();
    let token = token
        .map(|token| resolved(token, "the git access token"))
        .transpose()?;
    work(Git::new(context, token.as_ref(), stop)).await
}

async fn artifact(app: &App, image: &crate::image::Reference, into: &Path) -> Result<()> {
    let cannot = || format!("cannot fetch `oci://{image}`");
    let files = app.registries().artifact(image).await;
    let files =
        files.map_err(|error| Error::new(Kind::Unknown, cannot()).because(Error::from(error)))?;
    for file in files {
        let name = file.name.unwrap_or_else(|| image.to_string());
        match file.is_archive {
            true => archive::unpack(&name, file.bytes.as_slice(), into)?,
            false => archive::place(&name, file.bytes.as_slice(), into)?,
        }
    }
    Ok(())
}
