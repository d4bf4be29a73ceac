//! The folders of a multi-step run, shared and for each step. They are removed when the run ends.

use std::{
    cell::Cell,
    ffi::OsStr,
    fs,
    io::{self, Read as _, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{
            DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink,
        },
    },
    path::{Path, PathBuf},
};

use rustix::fs::{self as fs_at, AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps};

use crate::{
    builder::Builder,
    error::{Context as _, Error, Kind, Result},
    source::{
        bounds::{MAX_BYTES, MAX_ENTRIES, TooLarge},
        left_out::{FolderId, LeftOut, id_of, is_version_control},
    },
    steps::{StepId, Volume},
    store::file,
    sys::{beneath, blocking::Cancellation, process},
    task::RunId,
};

use super::super::App;

#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

/// Returns where the workspace of a run is.
pub fn folder(app: &App, id: RunId) -> PathBuf {
    app.store.layout().run_steps(id).join("workspace")
}

impl Workspace {
    /// Creates the folders of a run, with a copy of its context, because steps must not write to the user's own folder.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path, where something cannot be copied.
    pub fn make(
        app: &App,
        id: RunId,
        context: Option<&Path>,
        leaves_out_vcs: bool,
        volumes: &[Volume],
    ) -> Result<Self> {
        let workspace = Self {
            root: app.store.layout().run_steps(id),
        };
        file::make_folder(&workspace.root)?;
        for name in ["home", "steps", "volumes"] {
            file::make_folder(&workspace.root.join(name))?;
        }
        give_mode(&workspace.home(), 0o1777)?;
        let copy = workspace.workspace();
        // Whatever the umask: a step may run as another user.
        fs::create_dir_all(&copy)
            .and_then(|()| fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)))
            .context(Kind::Failed, || cannot_copy(&copy))?;
        if let Some(context) = context {
            let how = FolderCopyOptions {
                skip: id_of(app.store.layout().root()),
                leaves_out_vcs,
                ..FolderCopyOptions::default()
            };
            copy_folder(context, &copy, &how)?;
        }
        for volume in volumes {
            workspace.fill(volume)?;
        }
        Ok(workspace)
    }

    /// Returns the folder that is `/workspace` in steps.
    pub fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// Returns the folder that is `/acb/home` in steps.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Writes the logins of the steps into their home folder. Whichever user a step has may read them; on this machine nobody but acrt's user
    /// gets through the folder above.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn write_logins(&self, text: &[u8]) -> Result<()> {
        let folder = self.home().join(".docker");
        let path = folder.join("config.json");
        file::make_folder(&folder)?;
        file::replace(&path, text)?;
        give_mode(&folder, 0o755)?;
        give_mode(&path, 0o644)
    }

    pub fn volume(&self, name: &str) -> PathBuf {
        self.root.join("volumes").join(name)
    }

    /// Returns the folder for acrt's own files of a step, and creates it if needed.
    pub fn step(&self, id: &StepId) -> Result<PathBuf> {
        // An id may contain a slash; its digest cannot.
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

fn give_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context(Kind::Failed, || {
        format!("cannot change the mode of `{}`", path.display())
    })
}

/// Removes the folders of a run. Containers may have left files whose owners exist only in them.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where they cannot be removed.
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

/// The maximum depth of nested folders in a context.
const MAX_DEPTH: usize = 256;

/// Copies a folder below `root`, without following any link on the way or inside.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where something cannot be copied.
pub fn copy_beneath(root: &Path, folder: &Path, to: &Path) -> Result<()> {
    let canonical = fs::canonicalize(root).context(Kind::Failed, || cannot_copy(root))?;
    let below = folder.strip_prefix(&canonical).unwrap_or(folder);
    let opened = beneath::open_folder_in(&canonical, below);
    let opened = opened.context(Kind::Failed, || cannot_copy(folder))?;
    file::make_folder(to)?;
    copy_opened(&opened, folder, to, &FolderCopyOptions::default(), 0)
}

/// Links the files of a folder into another one, without those that are left out. A file that cannot be linked, because it belongs to
/// another user or is on another disk, is copied.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where something cannot be linked or copied.
pub fn link_lean(app: &App, from: &Path, to: &Path, left_out: &LeftOut) -> Result<()> {
    let how = FolderCopyOptions {
        skip: id_of(app.store.layout().root()),
        leaves_out_vcs: left_out.has_version_control(),
        links: true,
        bounds: None,
    };
    copy_folder(from, to, &how)
}

/// Copies a guest's folder, which its owner can replace by a link at any time: it is opened once, and no link of the owner's is followed.
/// `state` is the state directory, which is left out.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where something cannot be copied, or the folder has more than a context may have.
pub fn copy_of_guest(
    from: &Path,
    to: &Path,
    state: &Path,
    leaves_out_vcs: bool,
    wanted: &Cancellation,
) -> Result<()> {
    let opened = beneath::open_folder_in(from, Path::new(""));
    let opened = opened.context(Kind::Failed, || cannot_copy(from))?;
    let look = fs_at::fstat(&opened).map_err(io::Error::from);
    let look = look.context(Kind::Failed, || cannot_copy(from))?;
    file::make_folder(to)?;
    let how = FolderCopyOptions {
        skip: id_of(state),
        leaves_out_vcs,
        links: false,
        bounds: Some(CopyBounds {
            bytes: Cell::new(MAX_BYTES),
            entries: Cell::new(MAX_ENTRIES),
            wanted: wanted.clone(),
        }),
    };
    copy_opened(&opened, from, to, &how, 0)?;
    finish_folder(to, &look, &how).context(Kind::Failed, || cannot_copy(from))
}

fn copy_folder(from: &Path, to: &Path, how: &FolderCopyOptions) -> Result<()> {
    let opened = fs::File::open(from).context(Kind::Failed, || cannot_copy(from))?;
    copy_opened(&opened, from, to, how, 0)
}

#[derive(Default)]
struct FolderCopyOptions {
    /// A folder that is left out of the copy: the state directory, which must not be copied into itself.
    skip: Option<FolderId>,
    leaves_out_vcs: bool,
    /// Whether to link files where possible.
    links: bool,
    /// The bounds of a guest's folder.
    bounds: Option<CopyBounds>,
}

/// What a copy may still have, and whether it is still wanted.
struct CopyBounds {
    bytes: Cell<u64>,
    entries: Cell<usize>,
    wanted: Cancellation,
}

impl FolderCopyOptions {
    /// Counts one more file, folder or link in the copy.
    fn count(&self, bytes: u64) -> io::Result<()> {
        let Some(bounds) = &self.bounds else {
            return Ok(());
        };
        if bounds.wanted.is_over() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let bytes = bounds.bytes.get().checked_sub(bytes);
        let entries = bounds.entries.get().checked_sub(1);
        let (bytes, entries) = bytes.zip(entries).ok_or(io::Error::other(TooLarge))?;
        bounds.bytes.set(bytes);
        bounds.entries.set(entries);
        Ok(())
    }
}

/// Copies the content of an open folder. Every entry is opened relative to its folder, because the owner of the context could replace a path
/// by a link after it was checked. `from` is only for messages; `depth` is the depth of the folder in the copy.
fn copy_opened(
    folder: &fs::File,
    from: &Path,
    to: &Path,
    how: &FolderCopyOptions,
    depth: usize,
) -> Result<()> {
    let cannot = |problem: rustix::io::Errno| {
        Error::failed(cannot_copy(from)).because(io::Error::from(problem))
    };
    if depth > MAX_DEPTH {
        return Err(Error::failed(cannot_copy(from)).because(anyhow::anyhow!(
            "its folders are nested more than {MAX_DEPTH} deep"
        )));
    }
    for entry in Dir::read_from(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let file_name = OsStr::from_bytes(name.to_bytes());
        if how.leaves_out_vcs && is_version_control(file_name) {
            continue;
        }
        let (path, copy) = (from.join(file_name), to.join(file_name));
        copy_entry(folder, &path, &copy, how, depth)?;
    }
    Ok(())
}

/// Copies one entry of an open folder: links as links, files and folders with their modes.
fn copy_entry(
    folder: &fs::File,
    path: &Path,
    copy: &Path,
    how: &FolderCopyOptions,
    depth: usize,
) -> Result<()> {
    let cannot = || cannot_copy(path);
    let errno = |problem: rustix::io::Errno| io::Error::from(problem);
    let name = path.file_name().unwrap_or_default();
    let look = fs_at::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    let look = match look.map_err(errno) {
        // It was removed meanwhile.
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
        look => look.context(Kind::Failed, cannot)?,
    };
    let kind = FileType::from_raw_mode(look.st_mode);
    let bytes = if kind == FileType::RegularFile {
        look.st_size
    } else {
        0
    };
    let bytes = u64::try_from(bytes).unwrap_or(0);
    how.count(bytes).context(Kind::Failed, cannot)?;
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = |flags: OFlags| {
        let opened = fs_at::openat(folder, name, flags, Mode::empty());
        opened.map(fs::File::from).map_err(errno)
    };
    match kind {
        FileType::Symlink => {
            let target = fs_at::readlinkat(folder, name, Vec::new()).map_err(errno);
            let target = target.context(Kind::Failed, cannot)?;
            symlink(OsStr::from_bytes(target.to_bytes()), copy)
                .and_then(|()| keep_time(copy, &look))
                .context(Kind::Failed, cannot)
        }
        FileType::Directory => {
            let opened = open(flags | OFlags::DIRECTORY).context(Kind::Failed, cannot)?;
            let found = opened.metadata().context(Kind::Failed, cannot)?;
            if how.skip == Some((found.dev(), found.ino())) {
                return Ok(());
            }
            fs::create_dir(copy).context(Kind::Failed, cannot)?;
            copy_opened(&opened, path, copy, how, depth + 1)?;
            finish_folder(copy, &look, how).context(Kind::Failed, cannot)
        }
        FileType::RegularFile => {
            if how.links && fs_at::linkat(folder, name, fs_at::CWD, copy, AtFlags::empty()).is_ok()
            {
                return Ok(());
            }
            let opened = open(flags).context(Kind::Failed, cannot)?;
            let found = opened.metadata().context(Kind::Failed, cannot)?;
            if !found.is_file() {
                return Ok(());
            }
            // Of a guest's file only as much as was counted: it may grow.
            let mut opened = opened.take(if how.bounds.is_some() {
                bytes
            } else {
                u64::MAX
            });
            let copied = fs::File::create_new(copy).and_then(|mut file| {
                io::copy(&mut opened, &mut file)?;
                file.set_permissions(found.permissions())?;
                keep_time(copy, &look)
            });
            copied.context(Kind::Failed, cannot)
        }
        // Sockets, pipes and devices are of no use to a step.
        _ => Ok(()),
    }
}

/// Gives a copied folder the mode and the time of the other one. The owner of a guest's copy can always remove its files.
fn finish_folder(copy: &Path, of: &Stat, how: &FolderCopyOptions) -> io::Result<()> {
    let own = if how.bounds.is_some() { 0o700 } else { 0 };
    let mode = of.st_mode & 0o7777 | own;
    fs::set_permissions(copy, fs::Permissions::from_mode(mode))?;
    keep_time(copy, of)
}

/// Gives a copy the time of the other file, folder or link: times are a part of images, and equal files must give equal images.
fn keep_time(copy: &Path, of: &Stat) -> io::Result<()> {
    let time = Timespec {
        tv_sec: of.st_mtime,
        tv_nsec: i64::try_from(of.st_mtime_nsec).unwrap_or(0),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(fs_at::utimensat(
        fs_at::CWD,
        copy,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

fn cannot_copy(path: &Path) -> String {
    format!("cannot copy `{}` into the workspace", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_copy_keeps_symlinks_and_modes_and_omits_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::create_dir_all(from.join("state/runs")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("sub/run.sh"), "x").unwrap();
        fs::set_permissions(from.join("sub/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("sub/run.sh", from.join("link")).unwrap();
        let old = rustix::fs::Timestamps {
            last_access: Timespec {
                tv_sec: 7,
                tv_nsec: 8,
            },
            last_modification: Timespec {
                tv_sec: 7,
                tv_nsec: 8,
            },
        };
        for path in ["sub/run.sh", "sub", "link"] {
            let path = from.join(path);
            fs_at::utimensat(fs_at::CWD, path, &old, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        }
        let how = FolderCopyOptions {
            skip: id_of(&from.join("state")),
            ..FolderCopyOptions::default()
        };
        copy_folder(&from, &to, &how).unwrap();
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
        for path in ["sub/run.sh", "sub", "link"] {
            let copied = fs::symlink_metadata(to.join(path)).unwrap();
            assert_eq!((copied.mtime(), copied.mtime_nsec()), (7, 8), "{path}");
        }
    }

    #[test]
    fn copy_of_a_guests_folder_has_bounds_and_can_be_removed() {
        let outer = tempfile::tempdir().unwrap();
        let (from, state) = (outer.path().join("from"), outer.path().join("state"));
        fs::create_dir_all(from.join("sub/.git")).unwrap();
        fs::write(from.join("sub/file"), "text").unwrap();
        fs::set_permissions(from.join("sub"), fs::Permissions::from_mode(0o555)).unwrap();
        let copy = |to: &str, wanted: &Cancellation| {
            let to = outer.path().join(to);
            copy_of_guest(&from, &to, &state, true, wanted).map(|()| to)
        };
        let to = copy("first", &Cancellation::default()).unwrap();
        assert_eq!(fs::read(to.join("sub/file")).unwrap(), b"text");
        assert!(!to.join("sub/.git").exists());
        let mode = fs::metadata(to.join("sub")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(copy("second", &Cancellation::given_up()).is_err());
        let sparse = fs::File::create(from.join("sparse")).unwrap();
        sparse.set_len(MAX_BYTES + 1).unwrap();
        let error = copy("third", &Cancellation::default()).unwrap_err();
        assert!(error.one_line().contains("8 GiB"), "{error:?}");
        // A link is followed only where nobody else can change it.
        fs::remove_file(from.join("sparse")).unwrap();
        let link = outer.path().join("link");
        symlink(&from, &link).unwrap();
        let wanted = Cancellation::default();
        let to = outer.path().join("fourth");
        copy_of_guest(&link, &to, &state, true, &wanted).unwrap();
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o757)).unwrap();
        let error = copy_of_guest(&link, &outer.path().join("fifth"), &state, true, &wanted);
        let told = error.unwrap_err().one_line();
        assert!(
            told.contains("is a link that other users can change"),
            "{told}"
        );
    }

    #[test]
    fn context_is_hard_linked_without_vcs_files() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for path in ["sub/.git", ".git", ".github"] {
            fs::create_dir_all(from.join(path)).unwrap();
            fs::write(from.join(path).join("config"), "x").unwrap();
        }
        fs::create_dir(&to).unwrap();
        let how = FolderCopyOptions {
            leaves_out_vcs: true,
            links: true,
            ..FolderCopyOptions::default()
        };
        copy_folder(&from, &to, &how).unwrap();
        assert!(!to.join(".git").exists() && !to.join("sub/.git").exists());
        let inode = |root: &Path| fs::metadata(root.join(".github/config")).unwrap().ino();
        assert_eq!(inode(&from), inode(&to));
    }

    #[test]
    fn context_copy_follows_no_symlink_and_skips_pipes() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(outer.path().join("secret"), "hunter2").unwrap();
        symlink("../../secret", root.join("sub/link")).unwrap();
        symlink("..", root.join("up")).unwrap();
        let pipe = root.join("sub/pipe");
        fs_at::mkfifoat(fs_at::CWD, &pipe, Mode::RUSR).unwrap();
        let copy = outer.path().join("copy");
        copy_beneath(&root, &root.join("sub"), &copy).unwrap();
        assert!(copy.join("link").is_symlink());
        assert!(!copy.join("pipe").exists());
        let out = copy_beneath(&root, &root.join("up"), &outer.path().join("other"));
        assert!(out.unwrap_err().one_line().contains("leads out"));
        let mut deep = root.clone();
        for _ in 0..300 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        let error = copy_beneath(&root, &root, &outer.path().join("deep"));
        assert!(
            error
                .unwrap_err()
                .one_line()
                .contains("nested more than 256 deep")
        );
    }
}
