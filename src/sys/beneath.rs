//! Opens files and folders of another owner safely: without leaving a folder, and only if they are of the expected kind.
//!
//! A symbolic link may lead to `/etc/shadow`, a name may be a pipe without a writer, and both may change between a check and its use.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::ownership;

#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("it is a folder")]
    Folder,
    /// A device, a pipe, a socket, or a file of the kernel's: reading it could block for ever, or have an effect.
    #[error("it is not a regular file")]
    NoFile,
    /// Larger than the limit, which is given in bytes.
    #[error("it is larger than {}", size(*.0))]
    TooLarge(u64),
    /// A part of the path leads out of the folder.
    #[error("it leads out of the context")]
    Outside,
    /// It does not exist, or may not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Unreadable {
    /// Tells whether the error is that the file does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

fn size(bytes: u64) -> String {
    match bytes % (1024 * 1024) {
        0 => format!("{} MiB", bytes / 1024 / 1024),
        _ => format!("{bytes} bytes"),
    }
}

/// Reads a regular file of at most `limit` bytes, and follows any symbolic links.
///
/// # Errors
///
/// [`Unreadable`], without blocking.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Unreadable> {
    read_by(&opening(path), limit)
}

/// Opens a regular file, and follows any symbolic links.
///
/// # Errors
///
/// [`Unreadable`], without blocking.
pub fn open(path: &Path) -> Result<File, Unreadable> {
    open_by(&opening(path)).map(|(file, _)| file)
}

fn opening(path: &Path) -> impl Fn(OFlags) -> Result<File, Unreadable> {
    move |flags| {
        let file = rustix::fs::open(path, harmless(flags), Mode::empty());
        Ok(File::from(file.map_err(io::Error::from)?))
    }
}

/// Reads a regular file of at most `limit` bytes. No part of `path` may lead out of `root`.
///
/// # Errors
///
/// [`Unreadable`], without blocking.
pub fn read_in(root: &Path, path: &Path, limit: u64) -> Result<Vec<u8>, Unreadable> {
    read_by(&|flags| open_in(root, path, flags), limit)
}

/// Returns the path of a folder without symbolic links. No part of `path` may lead out of `root`.
pub fn folder_in(root: &Path, path: &Path) -> Result<PathBuf, Unreadable> {
    let opened = open_in(root, path, OFlags::PATH | OFlags::DIRECTORY)?.metadata()?;
    let root = fs::canonicalize(root)?;
    let found = fs::canonicalize(root.join(path))?;
    let now = fs::metadata(&found)?;
    if found.starts_with(&root) && (now.dev(), now.ino()) == (opened.dev(), opened.ino()) {
        Ok(found)
    } else {
        Err(Unreadable::Outside)
    }
}

/// Adds the flags for every open: it must not block, and must not give this process a controlling terminal.
fn harmless(flags: OFlags) -> OFlags {
    if flags.contains(OFlags::PATH) {
        flags | OFlags::CLOEXEC
    } else {
        flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
    }
}

/// Opens a folder. No part of `path` may lead out of `root`, and no link that another user can change to it.
pub fn open_folder_in(root: &Path, path: &Path) -> Result<File, Unreadable> {
    open_in(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Opens `path`, which must not lead out of `root`. The owner of `root` could replace it, or a folder above it, by a link.
fn open_in(root: &Path, path: &Path, flags: OFlags) -> Result<File, Unreadable> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let ((folder, _), how) = (ownership::open(root)?, harmless(flags));
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // The kernel asks for another try when folders are moved at the same time.
    for _ in 0..16 {
        match rustix::fs::openat2(&folder, path, how, Mode::empty(), resolve) {
            Ok(file) => return Ok(File::from(file)),
            Err(Errno::AGAIN) => {}
            Err(Errno::XDEV | Errno::LOOP) => return Err(Unreadable::Outside),
            // Older kernels lack the call, and some sandboxes forbid it.
            Err(Errno::NOSYS | Errno::PERM) => return open_by_path(root, path, flags),
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    Err(Unreadable::Outside)
}

/// Opens without `openat2`: the path is resolved, checked, opened, and checked again.
fn open_by_path(root: &Path, path: &Path, flags: OFlags) -> Result<File, Unreadable> {
    let folder = ownership::open(root)?.0.metadata()?;
    let root = fs::canonicalize(root)?;
    let now = fs::symlink_metadata(&root)?;
    if (folder.dev(), folder.ino()) != (now.dev(), now.ino()) {
        return Err(Unreadable::Outside);
    }
    let found = fs::canonicalize(root.join(path))?;
    if !found.starts_with(&root) {
        return Err(Unreadable::Outside);
    }
    let flags = harmless(flags) | OFlags::NOFOLLOW;
    let opened = rustix::fs::open(&found, flags, Mode::empty()).map_err(io::Error::from)?;
    let opened = File::from(opened);
    let (then, now) = (opened.metadata()?, fs::symlink_metadata(&found)?);
    let is_same = (then.dev(), then.ino()) == (now.dev(), now.ino());
    if is_same && fs::canonicalize(&found)? == found {
        Ok(opened)
    } else {
        Err(Unreadable::Outside)
    }
}

/// Opens a regular file by `open`, and returns its size too. It is checked before it is opened for reading, because opening a device can have
/// an effect, and after, because another file may be there by then.
fn open_by(open: &dyn Fn(OFlags) -> Result<File, Unreadable>) -> Result<(File, u64), Unreadable> {
    check(&open(OFlags::PATH)?)?;
    let file = open(OFlags::RDONLY)?;
    let size = check(&file)?;
    Ok((file, size))
}

/// Reads the regular file that `open` opens.
fn read_by(
    open: &dyn Fn(OFlags) -> Result<File, Unreadable>,
    limit: u64,
) -> Result<Vec<u8>, Unreadable> {
    let (file, size) = open_by(open)?;
    if size > limit {
        return Err(Unreadable::TooLarge(limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    // The file may grow while it is read.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        Err(Unreadable::TooLarge(limit))
    } else {
        Ok(bytes)
    }
}

/// Checks that a file is a regular one, and returns its size.
fn check(file: &File) -> Result<u64, Unreadable> {
    let found = file.metadata()?;
    if found.is_dir() {
        return Err(Unreadable::Folder);
    }
    if found.is_file() && !is_of_the_kernel(file) {
        Ok(found.len())
    } else {
        Err(Unreadable::NoFile)
    }
}

/// Tells whether a file is in `/proc`, `/sys` or the like, whose files are regular only by type.
fn is_of_the_kernel(file: &File) -> bool {
    /// The magic numbers of proc, sysfs, debugfs, tracefs, securityfs, bpf, cgroup, cgroup2, selinux, configfs and pstore.
    const KINDS: [u64; 11] = [
        0x9fa0,
        0x6265_6572,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0xcafe_4a11,
        0x0027_e0eb,
        0x6367_7270,
        0xf97c_ff8c,
        0x6265_6570,
        0x6165_676c,
    ];
    // Some systems have the type as a signed number.
    let kind = rustix::fs::fstatfs(file).map(|found| u64::try_from(found.f_type).unwrap_or(0));
    kind.is_ok_and(|kind| KINDS.contains(&(kind & 0xffff_ffff)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Reads in both ways: with `openat2`, and without.
    fn both(root: &Path, path: &str) -> [Result<Vec<u8>, String>; 2] {
        let path = Path::new(path);
        let by_path = read_by(&|flags| open_by_path(root, path, flags), 100);
        [read_in(root, path, 100), by_path].map(|read| read.map_err(|error| error.to_string()))
    }

    #[test]
    fn file_in_a_folder_is_read_also_through_inner_symlinks() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "text").unwrap();
        symlink("a/b/file", root.join("link")).unwrap();
        symlink("./b/../b", root.join("a/folder")).unwrap();
        for path in ["a/b/file", "link", "a/folder/file", "a/../a/b/file"] {
            for read in both(root, path) {
                assert_eq!(read, Ok(b"text".to_vec()), "{path}");
            }
        }
        let found = folder_in(root, Path::new("a/folder")).unwrap();
        assert_eq!(found, fs::canonicalize(root).unwrap().join("a/b"));
        assert!(folder_in(root, Path::new("")).is_ok());
        assert!(folder_in(root, Path::new("link")).is_err());
    }

    #[test]
    fn path_that_leads_outside_the_folder_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(outer.path().join("secret"), "hunter2").unwrap();
        symlink("../secret", root.join("relative")).unwrap();
        symlink(outer.path().join("secret"), root.join("absolute")).unwrap();
        symlink("/etc", root.join("folder")).unwrap();
        symlink("../..", root.join("a/up")).unwrap();
        let outside = Err("it leads out of the context".to_owned());
        for path in [
            "relative",
            "absolute",
            "folder/passwd",
            "a/up/secret",
            "../secret",
        ] {
            for read in both(&root, path) {
                assert_eq!(read, outside, "{path}");
            }
        }
        for path in ["folder", "a/up", "..", "/etc"] {
            assert!(folder_in(&root, Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn pipes_devices_and_kernel_files_are_refused_at_once() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let pipe = root.join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        fs::write(root.join("large"), vec![0; 101]).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        for (path, told) in [
            ("pipe", "it is not a regular file"),
            ("socket", "it is not a regular file"),
            ("folder", "it is a folder"),
            ("large", "it is larger than 100 bytes"),
        ] {
            for read in both(root, path) {
                assert_eq!(read, Err(told.to_owned()), "{path}");
            }
            let told_of = read(&root.join(path), 100).unwrap_err().to_string();
            assert_eq!(told_of, told, "{path}");
        }
        for path in [
            "/dev/ptmx",
            "/dev/zero",
            "/dev/null",
            "/proc/kmsg",
            "/proc/self/environ",
            "/proc/self/mem",
            "/sys/kernel/uevent_seqnum",
        ] {
            if !Path::new(path).exists() {
                continue;
            }
            let told = read(Path::new(path), 100).unwrap_err().to_string();
            let is_refused = told == "it is not a regular file" || told.contains("denied");
            assert!(is_refused, "{path}: {told}");
            symlink(path, root.join("link")).unwrap();
            assert!(read(&root.join("link"), 100).is_err(), "{path}");
            fs::remove_file(root.join("link")).unwrap();
        }
    }
}
