//! Files that are replaced whole, and folders that only their owner may enter.

use std::{
    fs,
    io::{self, BufWriter, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Context as _, Error, Kind, Result};

/// The largest YAML file that is read.
pub const MAX_YAML: u64 = 1024 * 1024;

/// The largest JSON file that is read.
pub const MAX_JSON: u64 = 64 * 1024 * 1024;

/// Makes a folder and those above it, open to its owner alone.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where the folder cannot be made.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .context(Kind::Failed, || {
            format!("cannot make the folder `{}`", path.display())
        })
        .map_err(|error| error.hint("give a folder that you may write to with --state-dir"))
}

/// Replaces `path` in one step: a reader sees the old file or the new one, never half, also after a power cut.
///
/// # Errors
///
/// [`Kind::Failed`] with the path; the old file is then as it was.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    replace_with(path, |file| file.write_all(content))
}

/// Replaces `path` in one step by what `write` writes, for content that is not in memory as a whole.
///
/// # Errors
///
/// As [`replace`].
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let replace = || -> io::Result<()> {
        // Made with mode 0600, in the same folder so that the rename stays on one file system.
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .suffix(".new")
            .tempfile_in(folder)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()
    };
    replace().context(Kind::Failed, cannot)
}

/// Replaces `path` in one step by what everybody may read, in a folder that must be there.
///
/// # Errors
///
/// [`Kind::Failed`] with the path; the old file is then as it was.
pub fn publish(path: &Path, content: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().context(Kind::Failed, || {
        format!("cannot write `{}`", path.display())
    })
}

/// Replaces `path` by `value` as JSON, for records.
///
/// # Errors
///
/// As [`replace`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    replace_with(path, |file| {
        let mut lines = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut lines, value)?;
        lines.write_all(b"\n")?;
        lines.flush()
    })
}

/// Replaces `path` by `value` as YAML, for what a person may edit.
///
/// # Errors
///
/// As [`replace`].
pub fn write_yaml(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_yaml::to_string(value).context(Kind::Failed, || {
        format!("cannot write `{}` as YAML", path.display())
    })?;
    replace(path, text.as_bytes())
}

/// Reads a whole file of at most `limit` bytes; `None` if there is none.
///
/// # Errors
///
/// [`Kind::Failed`] with the path, where it cannot be read; [`Kind::Invalid`] where it is larger.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.context(Kind::Failed, cannot)?,
    };
    // One block of the right size: what grows by doubling takes up twice the room.
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut content = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0) + 1);
    file.take(limit + 1)
        .read_to_end(&mut content)
        .context(Kind::Failed, cannot)?;
    if content.len() as u64 > limit {
        return Err(Error::new(Kind::Invalid, cannot())
            .because(anyhow::anyhow!("it is larger than {limit} bytes")));
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

/// Reads a YAML file; `None` if there is none.
///
/// # Errors
///
/// [`Kind::Invalid`] with path, line and column, where it does not parse.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(content) = read(path, MAX_YAML)? else {
        return Ok(None);
    };
    serde_yaml::from_slice(&content)
        .map(Some)
        .context(Kind::Invalid, || broken(path))
}

fn broken(path: &Path) -> String {
    format!("cannot use `{}`: it does not parse", path.display())
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

/// Tells whether others than its owner may read or write a file.
#[must_use]
pub fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_whole_private_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        write_json(&path, &[1, 2]).unwrap();
        write_json(&path, &[3]).unwrap();
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), Some(vec![3]));
        assert!(!is_open_to_others(&path));
        assert!(!is_open_to_others(path.parent().unwrap()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_none_and_a_broken_one_is_named_with_its_place() {
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
    fn a_file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), Some(b"12345".to_vec()));
        assert_eq!(read(&path, 4).unwrap_err().kind(), Kind::Invalid);
    }
}
