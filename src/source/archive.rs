//! Unpacks archives from other machines into a folder, and never writes outside of it.
//!
//! While files are written there is no symbolic link in the folder: links are made last, when it is known where all of them lead. So no
//! link can redirect a write, whatever the archive contains in which order.

use std::{
    cell::Cell,
    ffi::OsStr,
    fs::{self, File, Permissions},
    io::{self, BufRead, BufReader, Read, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    rc::Rc,
};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType, PaxExtensions};

use crate::{
    error::{Context as _, Error, Kind, Result},
    sys::blocking::Cancellation,
};

use super::{
    bounds::{MAX_BYTES, MAX_ENTRIES, TooLarge},
    times::stamp,
    tree::{self, PathError, ROOT, Tree},
};

/// The first two bytes of gzip data.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of formats that are not read, each with its name.
const UNREAD: [(&[u8], &str); 4] = [
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"PK\x03\x04", "a zip file"),
];

/// The largest extension of a header in bytes: a long name, or other extended attributes of an entry.
const MAX_EXTENSION: u64 = 1024 * 1024;

/// How many bytes are written at once.
const PART: usize = 64 * 1024;

/// A folder that archives and files are unpacked into, all within the same bounds.
pub struct Unpacking<'a> {
    root: &'a Path,
    wanted: &'a Cancellation,
    tree: Tree,
    /// The metadata of each node of the tree.
    notes: Vec<NodeMetadata>,
    /// How many more bytes may be unpacked, of all archives together.
    room: Rc<Cell<u64>>,
    /// Whether what is unpacked now is a layer of an image.
    is_layer: bool,
}

/// The mode and the time of a node. Where the archive has none, the mode does not depend on the umask and the time is 1970, so that unpacking
/// twice gives the same result.
#[derive(Clone, Copy, Debug, Default)]
struct NodeMetadata {
    mode: Option<u32>,
    time: u64,
}

impl NodeMetadata {
    fn seconds(self) -> i64 {
        i64::try_from(self.time).unwrap_or(0)
    }
}

/// The names of the next entry, from the extension entries before it.
#[derive(Debug, Default)]
struct EntryNames {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    /// Whether the entry has only the parts of its file that are not zero.
    is_sparse: bool,
}

impl<'a> Unpacking<'a> {
    /// Begins with an existing, empty folder.
    pub fn new(root: &'a Path, wanted: &'a Cancellation) -> Self {
        Self {
            root,
            wanted,
            tree: Tree::default(),
            notes: vec![NodeMetadata::default()],
            room: Rc::new(Cell::new(MAX_BYTES)),
            is_layer: false,
        }
    }

    /// Unpacks a layer of an image as [`Self::archive`] does. A layer that removes files of earlier ones is refused: they would stay.
    ///
    /// # Errors
    ///
    /// As [`Self::archive`].
    pub fn layer(&mut self, name: &str, input: impl Read) -> Result<()> {
        self.is_layer = true;
        let unpacked = self.archive(name, input);
        self.is_layer = false;
        unpacked
    }

    /// Unpacks an archive, with or without gzip.
    ///
    /// Files, folders, and links that stay inside are made, with their modes but without owners and special bits; devices and pipes are
    /// refused, and so is everything that would be outside.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with `name` and the entry.
    pub fn archive(&mut self, name: &str, input: impl Read) -> Result<()> {
        let cannot = || format!("cannot unpack `{name}`");
        let mut input = BufReader::new(input);
        let start = input.fill_buf().context(Kind::Failed, cannot)?;
        if start.starts_with(&GZIP) {
            return self.entries(name, MultiGzDecoder::new(input));
        }
        let unread = UNREAD.iter().find(|(magic, _)| start.starts_with(magic));
        let why = match unread {
            Some((_, what)) => format!("it is {what}"),
            None if start.is_empty() => "it is empty".to_owned(),
            None => return self.entries(name, input),
        };
        Err(Error::failed(cannot())
            .because(anyhow::Error::msg(why))
            .hint("archives are read as tar, and as tar compressed with gzip"))
    }

    /// Writes input that is no archive as one file with this name.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the name leads outside, or the file cannot be written.
    pub fn file(&mut self, name: &str, input: impl Read) -> Result<()> {
        let cannot = || format!("cannot write `{}`", name.escape_debug());
        let mut input = self.counted(input);
        let written = self.write(Path::new(name), &mut input, NodeMetadata::default());
        written.map(drop).context(Kind::Failed, cannot)
    }

    /// Makes the links, now that it is known where they lead, and sets the modes and times of folders.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the link that leads out of the folder.
    pub fn finish(mut self, name: &str) -> Result<()> {
        let cannot = || format!("cannot unpack `{name}`");
        if let Err((link, why)) = self.tree.check_links() {
            return Err(refused(name, &self.tree.path(link), &why));
        }
        for thing in (1..self.tree.len()).rev() {
            if self.wanted.is_over() {
                return Err(Error::failed(cannot()).because(Cancelled));
            }
            if let tree::NodeKind::Link(target) = self.tree.kind(thing) {
                let path = self.root.join(self.tree.path(thing));
                let made =
                    symlink(target, &path).and_then(|()| stamp(&path, self.note(thing).seconds()));
                made.context(Kind::Failed, || {
                    format!("cannot unpack `{}` of `{name}`", path.display())
                })?;
            }
        }
        // Nodes in a folder have higher numbers and come first: making them would change the folder's time.
        for thing in (1..self.tree.len()).rev() {
            if let tree::NodeKind::Folder(_) = self.tree.kind(thing) {
                let (path, note) = (self.root.join(self.tree.path(thing)), self.note(thing));
                let given = self.complete(&path, note);
                given.context(Kind::Failed, cannot)?;
            }
        }
        Ok(())
    }

    fn complete(&self, path: &Path, note: NodeMetadata) -> io::Result<()> {
        if self.wanted.is_over() {
            return Err(io::Error::other(Cancelled));
        }
        // A folder without permission to enter can be neither built from nor removed.
        let mode = note.mode.unwrap_or(0o755) & 0o777 | 0o700;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        stamp(path, note.seconds())
    }

    fn note(&self, thing: usize) -> NodeMetadata {
        self.notes.get(thing).copied().unwrap_or_default()
    }

    fn entries(&mut self, name: &str, input: impl Read) -> Result<()> {
        let cannot = || format!("cannot unpack `{name}`");
        let mut archive = Archive::new(self.counted(input));
        let mut said = EntryNames::default();
        // Raw entries, because the library would keep a name of any length in memory.
        let entries = archive.entries().context(Kind::Failed, cannot)?.raw(true);
        for entry in entries {
            let mut entry = entry.context(Kind::Failed, cannot)?;
            let kind = entry.header().entry_type();
            if kind == EntryType::XGlobalHeader
                || said.take(kind, &mut entry).context(Kind::Failed, cannot)?
            {
                continue;
            }
            let EntryNames {
                path,
                target,
                size,
                is_sparse,
            } = std::mem::take(&mut said);
            let path = path.unwrap_or_else(|| entry.header().path_bytes().into_owned());
            let target = target.or_else(|| Some(entry.header().link_name_bytes()?.into_owned()));
            // Old archives mark a folder this way.
            let kind = match kind {
                EntryType::Regular if path.ends_with(b"/") => EntryType::Directory,
                other => other,
            };
            let (path, target) = (path_of(&path), path_of(&target.unwrap_or_default()));
            if is_sparse || kind == EntryType::GNUSparse {
                return Err(refused(name, &path, &EntryError::Sparse));
            }
            if self.is_layer && is_whiteout(&path) {
                return Err(refused(name, &path, &EntryError::Whiteout));
            }
            if size.is_some_and(|size| size != entry.size()) {
                return Err(refused(name, &path, &EntryError::TooLarge(TooLarge)));
            }
            self.entry(kind, &path, &target, &mut entry)
                .map_err(|why| refused(name, &path, &why))?;
        }
        Ok(())
    }

    fn counted<R: Read>(&self, inner: R) -> Counted<'a, R> {
        Counted {
            inner,
            room: Rc::clone(&self.room),
            wanted: self.wanted,
        }
    }

    fn entry(
        &mut self,
        kind: EntryType,
        path: &Path,
        target: &Path,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), EntryError> {
        let note = NodeMetadata {
            mode: entry.header().mode().ok(),
            time: entry.header().mtime().unwrap_or(0),
        };
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let size = entry.size();
                if self.write(path, entry, note)? == size {
                    Ok(())
                } else {
                    Err(EntryError::Io(io::ErrorKind::UnexpectedEof.into()))
                }
            }
            EntryType::Directory => {
                let folder = self.tree.folder(path)?;
                self.grown(folder, note)
            }
            EntryType::Symlink => self.link(path, target, note),
            EntryType::Link => self.hard_link(path, target, note),
            _ => Err(EntryError::NoFile),
        }
    }

    fn link(&mut self, path: &Path, target: &Path, note: NodeMetadata) -> Result<(), EntryError> {
        let (thing, before) = self.tree.link(path, target)?;
        self.grown(thing, note)?;
        self.clear(before)
    }

    fn hard_link(
        &mut self,
        path: &Path,
        target: &Path,
        note: NodeMetadata,
    ) -> Result<(), EntryError> {
        let to = self.tree.hard_target(target)?;
        if let tree::NodeKind::Link(target) = self.tree.kind(to) {
            let target = target.clone();
            return self.link(path, &target, note);
        }
        let to = self.root.join(self.tree.path(to));
        let (thing, before) = self.tree.file(path)?;
        self.grown(thing, note)?;
        let path = self.root.join(self.tree.path(thing));
        if to != path {
            self.clear(before)?;
            fs::hard_link(to, path)?;
        }
        Ok(())
    }

    /// Writes a file, and returns its size.
    fn write(
        &mut self,
        path: &Path,
        input: &mut impl Read,
        note: NodeMetadata,
    ) -> Result<u64, EntryError> {
        let (thing, before) = self.tree.file(path)?;
        self.grown(thing, note)?;
        self.clear(before)?;
        // Created new, so that nothing is written into a file that has another name as well.
        let path = self.root.join(self.tree.path(thing));
        let mut file = File::create_new(&path)?;
        let (mut part, mut written) = (vec![0; PART], 0_u64);
        loop {
            let count = input.read(&mut part)?;
            if count == 0 {
                break;
            }
            file.write_all(part.get(..count).unwrap_or_default())?;
            written += count as u64;
        }
        let mode = note.mode.unwrap_or(0o644) & 0o777;
        file.set_permissions(Permissions::from_mode(mode))?;
        stamp(&path, note.seconds())?;
        Ok(written)
    }

    /// Removes the file that another replaces. Links do not exist yet.
    fn clear(&self, before: Option<usize>) -> Result<(), EntryError> {
        let Some(before) = before else { return Ok(()) };
        match fs::remove_file(self.root.join(self.tree.path(before))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Records the node `thing` that was added to the tree, and makes the folders that came with it.
    fn grown(&mut self, thing: usize, note: NodeMetadata) -> Result<(), EntryError> {
        if self.tree.len() > MAX_ENTRIES {
            return Err(EntryError::TooLarge(TooLarge));
        }
        while self.notes.len() < self.tree.len() {
            let new = self.notes.len();
            self.notes.push(NodeMetadata::default());
            if let tree::NodeKind::Folder(_) = self.tree.kind(new) {
                fs::create_dir(self.root.join(self.tree.path(new)))?;
            }
        }
        if let Some(own) = self.notes.get_mut(thing).filter(|_| thing != ROOT) {
            *own = note;
        }
        Ok(())
    }
}

impl EntryNames {
    /// Reads an entry that only extends the header of the next one. Returns whether it was one.
    fn take(&mut self, kind: EntryType, entry: &mut Entry<'_, impl Read>) -> io::Result<bool> {
        match kind {
            EntryType::GNULongName => self.path = Some(without_end(extension(entry)?)),
            EntryType::GNULongLink => self.target = Some(without_end(extension(entry)?)),
            EntryType::XHeader => {
                for record in PaxExtensions::new(&extension(entry)?) {
                    let record = record?;
                    match record.key_bytes() {
                        b"path" => self.path = Some(record.value_bytes().to_vec()),
                        b"linkpath" => self.target = Some(record.value_bytes().to_vec()),
                        // Only used where the size does not fit into the header, which is more than may be unpacked.
                        b"size" => self.size = record.value().ok().and_then(|it| it.parse().ok()),
                        key => self.is_sparse |= key.starts_with(b"GNU.sparse."),
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads the content of an extension entry.
fn extension(entry: &mut Entry<'_, impl Read>) -> io::Result<Vec<u8>> {
    if entry.size() > MAX_EXTENSION {
        return Err(io::Error::other("a name in it is longer than 1 MiB"));
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text)?;
    Ok(text)
}

/// Returns a name without trailing zero bytes.
fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(name.len()));
    name
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn refused(name: &str, path: &Path, why: &(dyn std::error::Error + 'static)) -> Error {
    let causes: Vec<String> = anyhow::Chain::new(why).map(ToString::to_string).collect();
    let text = causes.join(": ");
    Error::failed(format!("cannot unpack `{name}`")).because(anyhow::anyhow!(
        "`{}` {text}",
        path.to_string_lossy().escape_debug()
    ))
}

/// Tells whether an entry removes files of earlier layers (OCI image-spec v1.1, layer.md, "Whiteouts").
fn is_whiteout(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_bytes().starts_with(b".wh."))
}

/// Why an entry is not made.
#[derive(Debug, thiserror::Error)]
enum EntryError {
    #[error("is a device, a pipe or something else that no build needs")]
    NoFile,
    #[error("is a sparse file; pack it without --sparse")]
    Sparse,
    #[error(
        "removes files of an earlier layer, and a context is made of layers that only add files"
    )]
    Whiteout,
    #[error(transparent)]
    Misplaced(#[from] PathError),
    #[error("is one too many")]
    TooLarge(#[source] TooLarge),
    #[error("cannot be written")]
    Io(#[from] io::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("it is not waited for any more")]
struct Cancelled;

/// A reader of an archive that counts the decompressed bytes, and stops when the result is not wanted any more.
struct Counted<'a, R> {
    inner: R,
    room: Rc<Cell<u64>>,
    wanted: &'a Cancellation,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wanted.is_over() {
            return Err(io::Error::other(Cancelled));
        }
        let count = self.inner.read(buffer)?;
        let left = self.room.get().checked_sub(count as u64);
        self.room
            .set(left.ok_or_else(|| io::Error::other(TooLarge))?);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tar::{Builder, Header};

    use super::*;

    /// Makes an archive of entries: kind, path, and content or target.
    fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (kind, path, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            header.set_mtime(1_000_000_000);
            // Written as bytes: the library refuses to write the names that are to be refused here.
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

    /// A temporary folder, with the destination folder in it.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(crate::source::times::quick_folder());
            fs::create_dir(folder.root()).unwrap();
            folder
        }

        fn root(&self) -> PathBuf {
            self.0.path().join("in")
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.root().join(path)).unwrap()
        }
    }

    fn unpacked(bytes: &[u8]) -> (Folder, Result<()>) {
        let (folder, wanted) = (Folder::new(), Cancellation::default());
        let root = folder.root();
        let mut unpacking = Unpacking::new(&root, &wanted);
        let result = unpacking.archive("a.tar", bytes);
        let result = result.and_then(|()| unpacking.finish("a.tar"));
        (folder, result)
    }

    #[test]
    fn archive_files_folders_and_inner_links_are_unpacked_with_mode_and_time() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let (folder, result) = unpacked(&archive(&[
            (Directory, "app/", ""),
            (Symlink, "app/link", "../app/Dockerfile"),
            (Regular, "./app/Dockerfile", "FROM scratch\n"),
            (Link, "hard", "app/Dockerfile"),
            (Regular, "deep/down/x", "1"),
        ]));
        result.unwrap();
        for path in ["app/Dockerfile", "app/link", "hard"] {
            assert_eq!(folder.read(path), "FROM scratch\n", "{path}");
        }
        for (path, time) in [
            ("app", 1_000_000_000),
            ("app/link", 1_000_000_000),
            ("hard", 1_000_000_000),
            ("deep", 0),
        ] {
            let metadata = fs::symlink_metadata(folder.root().join(path)).unwrap();
            let modified = metadata.modified().unwrap();
            let age = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(age.as_secs(), time, "{path}");
        }
        let mode = fs::metadata(folder.root().join("hard"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o7777, 0o755);
    }

    #[test]
    fn compressed_archive_is_recognized_by_its_bytes() {
        let bytes = archive(&[(EntryType::Regular, "a", "1")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        let (folder, result) = unpacked(&gzip.finish().unwrap());
        result.unwrap();
        assert_eq!(folder.read("a"), "1");
    }

    #[test]
    fn archive_of_another_format_or_without_content_is_refused_by_its_kind() {
        for (bytes, why) in [
            (&b"\xfd7zXZ\0..."[..], "it is compressed with xz"),
            (b"PK\x03\x04...", "it is a zip file"),
            (b"", "it is empty"),
        ] {
            let (_, result) = unpacked(bytes);
            assert_eq!(result.unwrap_err().causes(), [why]);
        }
    }

    #[test]
    fn archive_entries_outside_the_folder_and_special_files_are_refused_by_name() {
        use EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
        for entry in [
            (Regular, "../evil", "x"),
            (Regular, "a/../../evil", "x"),
            (Regular, "/evil", "x"),
            (Symlink, "evil", "/etc/passwd"),
            (Symlink, "a/evil", "../../x"),
            (Symlink, "evil", ".."),
            (Link, "evil", "../x"),
            (Link, "evil", "/etc/passwd"),
            (Link, "evil", "nothing"),
            (Char, "evil", ""),
            (Block, "evil", ""),
            (Fifo, "evil", ""),
        ] {
            let (folder, result) = unpacked(&archive(&[entry]));
            let error = result.unwrap_err();
            assert!(error.causes()[0].contains("evil"), "{entry:?}: {error:?}");
            assert!(!folder.0.path().join("evil").exists(), "{entry:?}");
        }
    }

    #[test]
    fn layer_that_removes_a_file_is_refused_and_an_archive_keeps_a_file_of_that_name() {
        let bytes = archive(&[(EntryType::Regular, "a/.wh.secret", "")]);
        let (folder, wanted) = (Folder::new(), Cancellation::default());
        let root = folder.root();
        let mut unpacking = Unpacking::new(&root, &wanted);
        let error = unpacking.layer("layer", bytes.as_slice()).unwrap_err();
        let why = error.causes().join(": ");
        assert!(
            why.contains("`a/.wh.secret` removes files of an earlier layer"),
            "{why}"
        );
        let (folder, result) = unpacked(&bytes);
        result.unwrap();
        assert_eq!(folder.read("a/.wh.secret"), "");
    }

    #[test]
    fn sparse_file_of_an_archive_is_refused_in_both_formats() {
        let old = archive(&[(EntryType::GNUSparse, "big", "x")]);
        let pax = "22 GNU.sparse.major=1\n";
        let new = archive(&[
            (EntryType::XHeader, "PaxHeaders/big", pax),
            (EntryType::Regular, "GNUSparseFile.1/big", "x"),
        ]);
        for bytes in [old, new] {
            let (_, result) = unpacked(&bytes);
            let why = result.unwrap_err().causes().join(": ");
            assert!(why.contains("big` is a sparse file"), "{why}");
        }
    }

    #[test]
    fn archive_links_that_together_lead_outside_are_refused_in_any_order() {
        use EntryType::{Link, Regular, Symlink};
        for entries in [
            &[(Symlink, "here", "."), (Symlink, "evil", "here/here/../..")][..],
            &[(Symlink, "evil", "here/here/../.."), (Symlink, "here", ".")],
            &[
                (Symlink, "a", "evil"),
                (Symlink, "evil", "b"),
                (Symlink, "b", ".."),
            ],
            &[
                (Symlink, "up", "deep/.."),
                (Symlink, "deep/evil", "../up/../x"),
                (Regular, "deep/x", ""),
            ],
            // The symbolic link stays inside where it is, but not where its hard link is.
            &[(Symlink, "deep/ok", "../x"), (Link, "evil", "deep/ok")],
        ] {
            let (_, result) = unpacked(&archive(entries));
            let cause = result.unwrap_err().causes().remove(0);
            assert!(cause.contains("leads out"), "{entries:?}: {cause}");
        }
    }

    #[test]
    fn archive_entry_is_not_written_through_a_link_that_leads_outside_or_was_replaced() {
        use EntryType::{Link, Regular, Symlink};
        for way in ["..", "/tmp"] {
            let entries = [(Symlink, "c", way), (Regular, "c/acrt-evil", "1")];
            let (folder, result) = unpacked(&archive(&entries));
            result.unwrap_err();
            assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1);
            assert!(!Path::new("/tmp/acrt-evil").exists());
        }
        let (folder, result) = unpacked(&archive(&[
            (Regular, "a", "1"),
            (Link, "b", "a"),
            (Regular, "b", "2"),
            (Symlink, "d", "."),
            (Regular, "d/c", "3"),
        ]));
        result.unwrap();
        assert_eq!(
            ["a", "b", "c"].map(|path| folder.read(path)),
            ["1", "2", "3"]
        );
    }

    #[test]
    fn long_archive_names_are_read_and_endless_ones_refused() {
        let long = format!("{}/x", "n".repeat(200));
        let (folder, result) = unpacked(&archive(&[
            (
                EntryType::GNULongName,
                "././@LongLink",
                &format!("{long}\0"),
            ),
            (EntryType::Regular, "cut", "1"),
            (EntryType::XHeader, "pax", "17 path=deep/pax\n"),
            (EntryType::Regular, "cut", "2"),
        ]));
        result.unwrap();
        assert_eq!([folder.read(&long), folder.read("deep/pax")], ["1", "2"]);
        for kind in [
            EntryType::GNULongName,
            EntryType::GNULongLink,
            EntryType::XHeader,
        ] {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(7 * 1024 * 1024 * 1024);
            header.set_cksum();
            let (_, result) = unpacked(header.as_bytes());
            let cause = result.unwrap_err().causes().join(" ");
            assert!(cause.contains("longer than 1 MiB"), "{kind:?}: {cause}");
        }
    }

    #[test]
    fn archives_and_files_of_one_context_share_one_size_limit() {
        let (folder, wanted) = (Folder::new(), Cancellation::default());
        let root = folder.root();
        let mut unpacking = Unpacking::new(&root, &wanted);
        unpacking.room.set(10_000);
        let bytes = archive(&[(EntryType::Regular, "a", "1")]);
        unpacking.archive("a.tar", bytes.as_slice()).unwrap();
        unpacking.file("b", [0; 6000].as_slice()).unwrap();
        let error = unpacking.archive("c.tar", vec![0; 6000].as_slice());
        let told = error.and_then(|()| unpacking.file("d", [0; 6000].as_slice()));
        let told = told.unwrap_err().one_line();
        assert!(told.contains("more than a context may have"), "{told}");
    }

    #[test]
    fn many_nested_archive_folders_unpack_fast_and_can_be_canceled() {
        let mut builder = Builder::new(Vec::new());
        for n in 0..300 {
            let deep: PathBuf = std::iter::once(format!("d{n}"))
                .chain((0..60).map(|m| format!("e{m}")))
                .collect();
            for path in deep.ancestors().filter(|it| *it != Path::new("")) {
                let mut header = Header::new_gnu();
                header.set_entry_type(EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                builder.append_data(&mut header, path, io::empty()).unwrap();
            }
        }
        let bytes = builder.into_inner().unwrap();
        let begun = std::time::Instant::now();
        let (folder, result) = unpacked(&bytes);
        result.unwrap();
        assert!(folder.root().join("d299/e0/e1/e2").is_dir());
        // It takes a second or two; a check of every folder above each node would take a minute.
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());

        let given_up = Cancellation::given_up();
        let root = folder.root();
        let error = Unpacking::new(&root, &given_up).archive("a.tar", bytes.as_slice());
        assert!(error.unwrap_err().one_line().contains("not waited for"));
    }

    #[test]
    fn file_that_is_no_archive_is_reported() {
        assert!(unpacked(b"<html>not found</html> and so on").1.is_err());
    }

    #[test]
    fn single_context_file_is_placed_under_its_name_and_nowhere_else() {
        let (folder, wanted) = (Folder::new(), Cancellation::default());
        let root = folder.root();
        let mut unpacking = Unpacking::new(&root, &wanted);
        unpacking
            .file("sub/Dockerfile", b"FROM scratch\n".as_slice())
            .unwrap();
        for name in ["", ".", "../x", "/x"] {
            assert!(unpacking.file(name, b"".as_slice()).is_err(), "{name:?}");
        }
        unpacking.finish("x").unwrap();
        assert_eq!(folder.read("sub/Dockerfile"), "FROM scratch\n");
    }
}
