//! Archives that come from elsewhere: unpacked into a folder, and never a byte outside of it.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    path::{Component, Path},
};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use crate::error::{Context as _, Error, Kind, Result};

/// How much an archive may hold, in bytes: a few bytes can be unpacked to any number.
pub const MAX_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// How many files and folders an archive may hold.
const MAX_ENTRIES: usize = 500_000;

/// The first two bytes of what gzip has compressed.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Unpacks an archive, compressed by gzip or not, into a folder that is there.
///
/// Files, folders and links that stay inside are made, with their modes but without owners and special bits; devices and
/// pipes are refused, and so is everything that would be outside.
///
/// # Errors
///
/// [`Kind::Failed`] with `name` and the entry.
pub fn unpack(name: &str, input: impl Read, into: &Path) -> Result<()> {
    let cannot = || format!("cannot unpack `{name}`");
    let mut input = BufReader::new(input);
    let start = input.fill_buf().context(Kind::Failed, cannot)?;
    match start.starts_with(&GZIP) {
        true => entries(name, MultiGzDecoder::new(input), into),
        false => entries(name, input, into),
    }
}

fn entries(name: &str, input: impl Read, into: &Path) -> Result<()> {
    let cannot = || format!("cannot unpack `{name}`");
    // One byte more than allowed tells that there is more.
    let mut archive = Archive::new(input.take(MAX_BYTES + 1));
    archive.set_preserve_ownerships(false);
    archive.set_overwrite(true);
    let mut bytes: u64 = 0;
    let entries = archive.entries().context(Kind::Failed, cannot)?;
    for (count, entry) in entries.enumerate() {
        let mut entry = entry.context(Kind::Failed, cannot)?;
        let path = entry.path().context(Kind::Failed, cannot)?.into_owned();
        let refuse = |problem: &str| {
            Error::new(Kind::Failed, cannot())
                .because(anyhow::anyhow!("`{}` {problem}", path.display()))
        };
        bytes = bytes.saturating_add(entry.size());
        if count >= MAX_ENTRIES || bytes > MAX_BYTES {
            return Err(refuse(
                "is more than an archive may hold: 8 GiB, and 500,000 files",
            ));
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
            EntryType::Symlink | EntryType::Link => {
                let target = entry.link_name().context(Kind::Failed, cannot)?;
                let from = match entry.header().entry_type() {
                    EntryType::Symlink => path.parent().unwrap_or(Path::new("")),
                    // A hard link's target is seen from the archive's root.
                    _ => Path::new(""),
                };
                if !target.is_some_and(|target| stays_inside(from, &target)) {
                    return Err(refuse("is a link that leads out of the archive"));
                }
            }
            EntryType::XGlobalHeader => continue,
            _ => {
                return Err(refuse(
                    "is a device, a pipe or something else that no build needs",
                ));
            }
        }
        if !stays_inside(Path::new(""), &path) {
            return Err(refuse("lies outside of the archive"));
        }
        let unpacked = entry.unpack_in(into).context(Kind::Failed, || {
            format!("cannot unpack `{}` of `{name}`", path.display())
        })?;
        if !unpacked {
            return Err(refuse("lies outside of the archive"));
        }
    }
    Ok(())
}

/// Tells whether `path`, seen from the folder `from`, stays below where `from` begins.
fn stays_inside(from: &Path, path: &Path) -> bool {
    let mut depth = 0_usize;
    for part in from.components().chain(path.components()) {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// Writes what is no archive as one file with a name.
///
/// # Errors
///
/// [`Kind::Failed`] where the name leads elsewhere, or the file cannot be written.
pub fn place(name: &str, mut input: impl Read, into: &Path) -> Result<()> {
    let cannot = || format!("cannot write `{}`", name.escape_debug());
    if name.is_empty() || !stays_inside(Path::new(""), Path::new(name)) {
        return Err(Error::new(Kind::Failed, cannot())
            .because(anyhow::anyhow!("it lies outside of the context")));
    }
    let path = into.join(name);
    let folder = path.parent().unwrap_or(into);
    fs::create_dir_all(folder).context(Kind::Failed, cannot)?;
    let mut file = fs::File::create(&path).context(Kind::Failed, cannot)?;
    io::copy(&mut input, &mut file).context(Kind::Failed, cannot)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tar::{Builder, Header};

    use super::*;

    /// Makes an archive of entries: kind, path, and content or target.
    fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (kind, path, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            // Written as bytes: the library itself refuses to write what is to be refused here.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            let links = matches!(kind, EntryType::Symlink | EntryType::Link);
            let data = if links {
                header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
                ""
            } else {
                content
            };
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> (tempfile::TempDir, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("in");
        fs::create_dir(&into).unwrap();
        let result = unpack("a.tar", bytes, &into);
        (folder, result)
    }

    #[test]
    fn files_folders_and_links_that_stay_inside_are_made() {
        use EntryType::{Directory, Regular, Symlink};
        let bytes = archive(&[
            (Directory, "app/", ""),
            (Regular, "./app/Dockerfile", "FROM scratch\n"),
            (Symlink, "app/link", "../app/Dockerfile"),
        ]);
        let (folder, result) = unpacked(&bytes);
        result.unwrap();
        let read = |path: &str| fs::read_to_string(folder.path().join("in").join(path)).unwrap();
        assert_eq!(read("app/Dockerfile"), "FROM scratch\n");
        assert_eq!(read("app/link"), "FROM scratch\n");
    }

    #[test]
    fn a_compressed_archive_is_known_by_its_bytes() {
        let bytes = archive(&[(EntryType::Regular, "a", "1")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        let (folder, result) = unpacked(&gzip.finish().unwrap());
        result.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("in/a")).unwrap(), "1");
    }

    #[test]
    fn what_would_be_outside_or_is_no_file_is_refused_and_named() {
        use EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
        for entry in [
            (Regular, "../evil", "x"),
            (Regular, "a/../../evil", "x"),
            (Regular, "/evil", "x"),
            (Symlink, "evil", "/etc/passwd"),
            (Symlink, "a/evil", "../../x"),
            (Link, "evil", "../x"),
            (Char, "evil", ""),
            (Block, "evil", ""),
            (Fifo, "evil", ""),
        ] {
            let (folder, result) = unpacked(&archive(&[entry]));
            let error = result.unwrap_err();
            assert!(error.causes()[0].contains("evil"), "{entry:?}: {error:?}");
            assert!(!folder.path().join("evil").exists(), "{entry:?}");
        }
    }

    #[test]
    fn a_link_does_not_open_a_way_out_for_the_next_entry() {
        use EntryType::{Regular, Symlink};
        let bytes = archive(&[
            (Symlink, "a", "b/.."),
            (Symlink, "c", "."),
            (Regular, "c/x", "1"),
        ]);
        let (folder, _) = unpacked(&bytes);
        let outside: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(outside.len(), 1);
    }

    #[test]
    fn what_is_no_archive_is_told() {
        assert!(unpacked(b"<html>not found</html> and so on").1.is_err());
    }

    #[test]
    fn a_single_file_is_placed_under_its_name_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        place(
            "sub/Dockerfile",
            b"FROM scratch\n".as_slice(),
            folder.path(),
        )
        .unwrap();
        assert!(folder.path().join("sub/Dockerfile").exists());
        for name in ["", "../x", "/x"] {
            assert!(
                place(name, b"".as_slice(), folder.path()).is_err(),
                "{name:?}"
            );
        }
    }
}
