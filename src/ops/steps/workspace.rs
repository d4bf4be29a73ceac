//! The folders of a multi-step run: what its steps share, and what is theirs alone. They go when the run ends.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

use crate::{
    builder::Builder,
    error::{Context as _, Kind, Result},
    steps::{StepId, Volume},
    store::file,
    sys::process,
    task::RunId,
};

use super::super::App;

/// The folders of one run.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

/// Returns where the workspace of a run is.
pub fn folder(app: &App, id: RunId) -> PathBuf {
    app.store.layout().run_steps(id).join("workspace")
}

impl Workspace {
    /// Makes the folders of a run, with a copy of its context: what steps write must not be in the user's own folder.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path, where something cannot be copied.
    pub fn make(app: &App, id: RunId, context: Option<&Path>, volumes: &[Volume]) -> Result<Self> {
        let workspace = Self {
            root: app.store.layout().run_steps(id),
        };
        for name in ["home", "steps", "volumes"] {
            file::make_folder(&workspace.root.join(name))?;
        }
        let copy = workspace.workspace();
        fs::create_dir_all(&copy).context(Kind::Failed, || cannot_copy(&copy))?;
        if let Some(context) = context {
            // A state directory inside the context must not be copied into itself.
            let own = fs::canonicalize(app.store.layout().root()).unwrap_or_default();
            copy_folder(context, &copy, &own)?;
        }
        for volume in volumes {
            workspace.fill(volume)?;
        }
        Ok(workspace)
    }

    /// Returns what is `/workspace` to steps.
    pub fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// Returns what is `/acb/home` to steps.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Returns the folder of a volume.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.root.join("volumes").join(name)
    }

    /// Returns a folder for what acrt itself keeps for a step, made when it is asked for.
    pub fn step(&self, id: &StepId) -> Result<PathBuf> {
        // An id may hold a slash; a digest of it cannot.
        let name = crate::image::Digest::of(id.as_str().as_bytes());
        let folder = self.root.join("steps").join(&name.hex()[..16]);
        file::make_folder(&folder)?;
        Ok(folder)
    }

    fn fill(&self, volume: &Volume) -> Result<()> {
        let folder = self.volume(&volume.name);
        let cannot = || format!("cannot write the volume `{}`", volume.name);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .context(Kind::Failed, cannot)?;
        for (name, bytes) in &volume.files {
            fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(folder.join(name))
                .and_then(|mut file| file.write_all(bytes))
                .context(Kind::Failed, cannot)?;
        }
        Ok(())
    }
}

/// Removes the folders of a run. Containers may have left files of users that only exist in them.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where they stay.
pub async fn remove(app: &App, id: RunId, builder: Option<&Builder>) -> Result<()> {
    let root = app.store.layout().run_steps(id);
    let removed = match fs::remove_dir_all(&root) {
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        removed => removed,
    };
    if removed.is_err()
        && let Some(line) = builder.and_then(|builder| builder.remove_folder(&root))
        && process::ask(&line)
            .await
            .is_ok_and(|answer| answer.succeeded())
    {
        return Ok(());
    }
    removed.context(Kind::Failed, || {
        format!("cannot remove `{}`", root.display())
    })
}

fn copy_folder(from: &Path, to: &Path, skip: &Path) -> Result<()> {
    let cannot = || cannot_copy(from);
    for entry in fs::read_dir(from).context(Kind::Failed, cannot)? {
        let entry = entry.context(Kind::Failed, cannot)?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().context(Kind::Failed, cannot)?;
        if kind.is_symlink() {
            let target = fs::read_link(&path).context(Kind::Failed, cannot)?;
            symlink(target, &copy).context(Kind::Failed, || cannot_copy(&path))?;
        } else if kind.is_dir() {
            if fs::canonicalize(&path).is_ok_and(|path| path == skip) {
                continue;
            }
            fs::create_dir(&copy).context(Kind::Failed, || cannot_copy(&path))?;
            copy_folder(&path, &copy, skip)?;
            let mode = fs::metadata(&path)
                .context(Kind::Failed, cannot)?
                .permissions();
            fs::set_permissions(&copy, mode).context(Kind::Failed, || cannot_copy(&path))?;
        } else if kind.is_file() {
            fs::copy(&path, &copy).context(Kind::Failed, || cannot_copy(&path))?;
        }
        // Sockets and pipes are nothing that a step could use.
    }
    Ok(())
}

fn cannot_copy(path: &Path) -> String {
    format!("cannot copy `{}` into the workspace", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_context_is_copied_with_links_and_modes_and_without_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::create_dir_all(from.join("state/runs")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("sub/run.sh"), "x").unwrap();
        fs::set_permissions(from.join("sub/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("sub/run.sh", from.join("link")).unwrap();
        let skip = fs::canonicalize(from.join("state")).unwrap();
        copy_folder(&from, &to, &skip).unwrap();
        let mode = fs::metadata(to.join("sub/run.sh"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(
            fs::read_link(to.join("link")).unwrap(),
            Path::new("sub/run.sh")
        );
        assert!(!to.join("state").exists());
    }
}
