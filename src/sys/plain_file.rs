//! Opens files that settings name.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

/// Opens a file to read it, and never waits: a named pipe, which blocks until another program writes to it, is refused.
///
/// # Errors
///
/// As [`File::open`].
pub fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is a named pipe, not a file"));
    }
    Ok(file)
}
