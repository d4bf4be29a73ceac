//! Files that are replaced atomically, and folders that only their owner may enter.

use std::{
    fs,
    io::{self, BufWriter, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::io::Errno;
use serde::{Serialize, de::DeserializeOwned};
use tempfile::NamedTempFile;

use crate::{
    error::{Context as _, Error, Kind, Result},
    sys::plain_file::{open_at_once, to_replace},
};

use super::yaml_places::{located, located_without_values};

/// The largest YAML file that is read.
pub const MAX_YAML: u64 = 1024 * 1024;

/// The largest JSON file that is read.
pub const MAX_JSON: u64 = 64 * 1024 * 1024;

/// The prefix of the names of unfinished files.
const TEMPORARY: &str = ".tmp";

/// How many broken copies of a file are kept.
const BROKEN_COPIES: usize = 3;

/// Makes a folder in one that exists, accessible to the owner alone, unless it is there.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where the folder cannot be made.
pub fn make_folder(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        // A link to a folder counts.
        Err(_) if path.is_dir() => Ok(()),
        made => made.context(Kind::Failed, || cannot_make(path)),
    }
}

/// Makes a folder and its parents, accessible to the owner alone.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where the folder cannot be made.
pub fn make_folders(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.context(Kind::Failed, || cannot_make(path))
}

fn cannot_make(path: &Path) -> String {
    format!("cannot make the folder `{}`", path.display())
}

/// Replaces `path` in one step: a reader sees the old file or the new one, never half, also after a power cut.
///
/// # Errors
///
/// [`Kind::Failed`] with the path; the old file is then as it was.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    replace_with(path, |file| file.write_all(content))
}

/// Replaces `path` in one step by the output of `write`, for content that is not in memory as a whole.
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let replace = || -> io::Result<()> {
        let mut file = temporary(folder)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_folder(folder)
    };
    replace().context(Kind::Failed, || cannot_write(path))
}

pub(super) fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

/// Lets the new name of a file survive a power failure. Some network file systems cannot synchronize folders: they need it as little as they
/// offer it.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match fs::File::open(folder)?.sync_all() {
        Err(error)
            if error.kind() == ErrorKind::InvalidInput
                || error.kind() == ErrorKind::Unsupported =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Makes a temporary file of mode 0600 in `folder`, so that a rename stays on one file system. The file is locked while it is open, which
/// tells it from the file of a killed process.
///
/// # Errors
///
/// Where the file cannot be made.
pub(super) fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(folder)
            .map_err(without_name)?;
        // On a file system without locks, [`remove_abandoned`] cannot lock the file either, and leaves it.
        let _ = file.as_file().lock();
        // The file may have been removed before it was locked.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Returns an error without the random name of a temporary file, so that the same problem has the same message each time.
fn without_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.rsplit_once(" at path ") {
        Some((why, _)) => io::Error::new(error.kind(), why.to_owned()),
        None => error,
    }
}

/// Removes the temporary files of killed processes in `folder`. One that cannot be removed does no harm.
pub fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let is_temporary = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(TEMPORARY.as_bytes())
            && entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_temporary
            && let Ok(file) = open_at_once(&entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// As [`remove_abandoned`], also in the folders below.
pub fn remove_abandoned_below(folder: &Path) {
    remove_abandoned(folder);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_abandoned_below(&entry.path());
        }
    }
}

/// Moves the file or folder at `path` to `NAME.broken-TIME` beside it, and returns the new path. The newest three are kept.
///
/// # Errors
///
/// Where it cannot be moved.
pub(super) fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|it| it.to_str()))
    else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let prefix = format!("{name}.broken-");
    let copy = folder.join(format!("{prefix}{}", now.strftime("%Y%m%dT%H%M%SZ")));
    remove_any(&copy);
    fs::rename(path, &copy)?;
    let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().and_then(|it| it.to_str());
        name.is_some_and(|name| name.starts_with(&prefix)) && *path != copy
    };
    let mut older: Vec<PathBuf> = entries.filter(is_copy).collect();
    older.sort_unstable();
    let surplus = (older.len() + 1).saturating_sub(BROKEN_COPIES);
    older.iter().take(surplus).for_each(|path| remove_any(path));
    Ok(copy)
}

/// Removes a file, or a folder with all that is in it. Errors are ignored.
pub(super) fn remove_any(path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
}

/// Tells whether an error is a missing permission to write: on a read-only file system, or as another user.
pub fn is_read_only(error: &Error) -> bool {
    let kind = io_error(error).map(io::Error::kind);
    matches!(
        kind,
        Some(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
    )
}

/// Tells whether an error comes from the present state of this process or machine, and not from the file.
pub(super) fn is_transient(error: &Error) -> bool {
    let code = io_error(error).and_then(io::Error::raw_os_error);
    let transient = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR];
    code.is_some_and(|code| transient.iter().any(|it| it.raw_os_error() == code))
}

fn io_error(error: &Error) -> Option<&io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Replaces `path`, which a user named, in one step by a file that everyone may read, in an existing folder.
///
/// # Errors
///
/// [`Kind::Failed`] with the path; the old file is then as it was.
pub fn publish(path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let path = to_replace(path)?;
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new().prefix(".").tempfile_in(folder);
        let mut file = file.map_err(without_name)?;
        file.write_all(content)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    write().context(Kind::Failed, || cannot_write(path))
}

/// Replaces `path` by `value` as JSON, for records.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    replace_with(path, |file| {
        let mut lines = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut lines, value)?;
        lines.write_all(b"\n")?;
        lines.flush()
    })
}

/// Replaces `path` by `value` as YAML, for what a person may edit.
pub fn write_yaml(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_yaml::to_string(value).context(Kind::Failed, || {
        format!("cannot write `{}` as YAML", path.display())
    })?;
    replace(path, text.as_bytes())
}

/// Reads a whole file of at most `limit` bytes; `None` if there is none. A link that leads nowhere is not nothing: what it named is missing.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where it cannot be read; [`Kind::Invalid`] where it is larger.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file = match open_at_once(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        opened => opened.context(Kind::Failed, cannot)?,
    };
    // One allocation of the right size: a buffer that grows by doubling takes up to twice the memory.
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut content = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0) + 1);
    file.take(limit + 1)
        .read_to_end(&mut content)
        .context(Kind::Failed, cannot)?;
    if content.len() as u64 > limit {
        return Err(
            Error::invalid(cannot()).because(anyhow::anyhow!("it is larger than {limit} bytes"))
        );
    }
    Ok(Some(content))
}

/// Reads a JSON record; `None` if there is none.
///
/// # Errors
///
/// [`Kind::Invalid`] with path, line and column, where it does not parse.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(content) = read(path, MAX_JSON)? else {
        return Ok(None);
    };
    serde_json::from_slice(&content)
        .map(Some)
        .context(Kind::Invalid, || broken(path))
}

/// Reads a JSON record that only saves work; the default, where it is missing or broken.
pub(super) fn read_json_or_default<T: DeserializeOwned + Default>(path: &Path) -> T {
    read_json(path).ok().flatten().unwrap_or_default()
}

/// Reads a YAML file; `None` if there is none.
///
/// # Errors
///
/// [`Kind::Invalid`] with path, line and column, where it does not parse.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    read_yaml_as(path, located)
}

/// Like [`read_yaml`], for a file of secrets: errors quote nothing of it.
pub(super) fn read_secret_yaml<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    read_yaml_as(path, located_without_values)
}

fn read_yaml_as<T: DeserializeOwned>(
    path: &Path,
    located: fn(&serde_yaml::Error, &[u8]) -> anyhow::Error,
) -> Result<Option<T>> {
    let Some(content) = read(path, MAX_YAML)? else {
        return Ok(None);
    };
    // The parser takes a byte order mark for a column, in which no second key stands.
    let content = content
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(&content);
    let read = serde_yaml::from_slice(content).map_err(|error| located(&error, content));
    read.map(Some)
        .context(Kind::Invalid, || broken(path))
        .map_err(|error| error.hint("mend it there; the keys of a definition are in docs/state.md"))
}

fn broken(path: &Path) -> String {
    format!("cannot use `{}`: it does not parse", path.display())
}

/// Refuses a layout of a file that this program does not know.
pub(super) fn check_schema(path: &Path, found: u32, known: u32) -> Result<()> {
    if found == known {
        return Ok(());
    }
    let cannot = format!("cannot use `{}`", path.display());
    let why = format!("it has schema {found}, and this acrt knows schema {known}");
    Err(Error::invalid(cannot).because(anyhow::anyhow!(why)))
}

/// Opens a file like [`open`]; `None` if there is none.
pub(super) fn open_if_there(path: &Path) -> io::Result<Option<fs::File>> {
    match open_at_once(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Removes a file, if it is there.
///
/// # Errors
///
/// [`Kind::Failed`] with the path.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.context(Kind::Failed, || {
            format!("cannot remove `{}`", path.display())
        }),
    }
}

/// Tells whether users other than its owner may read or write a file.
pub fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Returns the names in a folder; none if it does not exist.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let cannot = || format!("cannot read the folder `{}`", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context(Kind::Failed, cannot)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.context(Kind::Failed, cannot)?.file_name();
        if let Ok(name) = name.into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_file_is_whole_and_private_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        make_folder(path.parent().unwrap()).unwrap();
        write_json(&path, &[1, 2]).unwrap();
        write_json(&path, &[3]).unwrap();
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), Some(vec![3]));
        assert!(!is_open_to_others(&path));
        assert!(!is_open_to_others(path.parent().unwrap()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn missing_file_is_none_and_a_broken_one_is_reported_with_its_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), None);
        fs::write(&path, "[1,\n oops]").unwrap();
        let error = read_json::<Vec<u8>>(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        let text = error.one_line();
        assert!(text.contains("x.json`"), "{text}");
        assert!(text.contains("line 2 column 2"), "{text}");
    }

    #[test]
    fn file_with_a_byte_order_mark_is_read_and_its_errors_have_the_right_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        type Keys = std::collections::BTreeMap<String, u8>;
        fs::write(&path, "\u{feff}a: 1\r\nb: 2\r\n").unwrap();
        let read = read_yaml::<Keys>(&path).unwrap().unwrap();
        assert_eq!(read.into_values().collect::<Vec<_>>(), [1, 2]);
        fs::write(&path, "\u{feff}a: x\nb: 2\n").unwrap();
        let error = read_yaml::<Keys>(&path).unwrap_err().one_line();
        assert!(error.contains("line 1 column 4"), "{error}");
    }

    #[test]
    fn dangling_symlink_is_an_error_and_not_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        let error = read_json::<Vec<u8>>(&path).unwrap_err().one_line();
        assert!(error.contains("x.json`: No such file"), "{error}");
    }

    #[test]
    fn file_that_cannot_be_written_has_the_same_error_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere/x");
        let error = publish(&path, b"").unwrap_err().one_line();
        assert_eq!(error, publish(&path, b"").unwrap_err().one_line());
        assert!(error.contains("No such file"), "{error}");
    }

    #[test]
    fn published_file_replaces_a_file_behind_its_link_and_no_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "old").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        publish(&at("link"), b"new").unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "new");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        let error = publish(&at("pipe"), b"new").unwrap_err().one_line();
        assert!(
            error.ends_with("pipe`: it is not a regular file, and is left as it is"),
            "{error}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn temporary_file_is_removed_only_after_its_process_ended() {
        let folder = tempfile::tempdir().unwrap();
        let written = temporary(folder.path()).unwrap();
        // A killed process leaves a file without a lock.
        fs::write(folder.path().join(".tmpAbC123"), "half").unwrap();
        fs::write(folder.path().join("kept.json"), "{}").unwrap();
        remove_abandoned(folder.path());
        assert!(written.path().exists());
        assert!(!folder.path().join(".tmpAbC123").exists());
        assert!(folder.path().join("kept.json").exists());
        written.persist(folder.path().join("whole")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn temporary_files_in_use_survive_concurrent_removal_of_abandoned_ones() {
        let folder = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    remove_abandoned(folder.path());
                }
            });
            for n in 0..500 {
                write_json(&folder.path().join("x.json"), &n).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn pipe_in_place_of_a_file_is_read_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(read(&path, 5).unwrap(), Some(Vec::new()));
    }

    #[test]
    fn broken_file_is_set_aside_and_the_newest_three_copies_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bases.json");
        for day in 1..=5 {
            fs::write(&path, day.to_string()).unwrap();
            let now = format!("2026-01-0{day}T08:00:00Z").parse().unwrap();
            set_aside(&path, now).unwrap();
        }
        let names = fs::read_dir(folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        let kept = ["20260103", "20260104", "20260105"];
        let kept = kept.map(|day| format!("bases.json.broken-{day}T080000Z"));
        assert_eq!(names, kept);
    }

    #[test]
    fn file_over_the_size_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), Some(b"12345".to_vec()));
        assert_eq!(read(&path, 4).unwrap_err().kind(), Kind::Invalid);
    }
}
