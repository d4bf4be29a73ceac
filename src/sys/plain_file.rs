//! Files that users name: opened without waiting for what may be in their place, and replaced only where they are files.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// Opens a file to read it. A named pipe in its place does not block until another program writes to it, but is open and empty.
///
/// # Errors
///
/// As [`File::open`].
pub fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Opens a file that settings name. A named pipe is refused.
///
/// # Errors
///
/// As [`File::open`].
pub fn open(path: &Path) -> io::Result<File> {
    let file = open_at_once(path)?;
    if file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is a named pipe, not a file"));
    }
    Ok(file)
}

/// Returns the path at which a file that users name may be replaced: a link is followed, so that it stays one.
///
/// # Errors
///
/// Where something else is in its place, such as a device or a named pipe, which the new file would remove.
pub fn to_replace(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::other(
            "it is not a regular file, and is left as it is",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(io::Error::other("it is a link to nothing")),
            Err(_) => Ok(path.to_owned()),
        },
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_file_a_link_to_a_file_and_nothing_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::write(at("file"), "").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        symlink("pipe", at("link-to-pipe")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (name, replaced) in [
            ("file", Some("file")),
            ("link", Some("file")),
            ("new", Some("new")),
            ("dangling", None),
            ("pipe", None),
            ("link-to-pipe", None),
            ("folder", None),
        ] {
            assert_eq!(to_replace(&at(name)).ok(), replaced.map(at), "{name}");
        }
    }
}
