//! Opens files without waiting for what may be in their place.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
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
