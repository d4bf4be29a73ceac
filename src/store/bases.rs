//! The records of tags, in one file, and the changes since it was written, in a journal beside it.
//!
//! With ten thousand tags the file has megabytes, and a few tags are looked at each minute. So changed records are appended to
//! `bases.journal`, and when the journal has grown as large as the file, the whole file is written anew. The first line of the journal says
//! which file it belongs to: a process that rewrites the file makes the journal void, even a version of acrt without a journal.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Context as _, Kind, Result},
    image::Reference,
    sys::plain_file::open_at_once,
    watch::{FileStamp, TagRecord, TagRecords, Tags},
};

use super::{
    ReadResult, Store,
    file::{self, check_schema},
    recall::recall,
};

/// The schema version of the file that this program writes.
const SCHEMA: u32 = 1;

/// The file: `T` is [`TagRecords`] when it is read, and a sorted map of references when it is written.
#[derive(Serialize, Deserialize)]
struct Bases<T> {
    schema: u32,
    tags: T,
}

/// A file smaller than this, in bytes, is rewritten on each change, without a journal.
const WORTHWHILE: u64 = 256 * 1024;

/// The first line of the journal.
#[derive(Serialize, Deserialize)]
struct JournalHead {
    schema: u32,
    /// The stamp of the file that the journal belongs to. Beside any other file, the journal is ignored.
    of: FileStamp,
}

/// Any other line of the journal.
#[derive(Serialize, Deserialize)]
struct JournalEntry<T, R> {
    tag: T,
    /// The new record; `None` where the tag was forgotten.
    record: Option<R>,
}

impl Store {
    /// Reads the records of tags: none, where there is no file. A broken file is set aside, and then every tag is looked at again.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where it cannot be read at the moment.
    pub fn tags(&self, now: Timestamp) -> Result<ReadResult<Tags>> {
        recall(&self.layout.bases(), now, |path| {
            let stamp = stamp_of(path);
            let Some(mut bases) = file::read_json::<Bases<TagRecords>>(path)? else {
                return Ok(None);
            };
            check_schema(path, bases.schema, SCHEMA)?;
            if let Some((stamp, _)) = stamp {
                self.replay(stamp, &mut bases.tags);
            }
            Ok(Some(Tags::new(bases.tags)))
        })
    }

    /// Writes the records of all tags.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn save_tags(&self, tags: &Tags) -> Result<()> {
        let sorted: BTreeMap<&Reference, &TagRecord> = tags.records().iter().collect();
        let bases = Bases {
            schema: SCHEMA,
            tags: sorted,
        };
        self.write_json(&self.layout.bases(), &bases)?;
        // The journal does not belong to the new file.
        file::remove(&self.layout.bases_journal())
    }

    /// Writes the records that have changed: only these, where there are many in all.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn note_tags(&self, tags: &mut Tags) -> Result<()> {
        let changed = tags.take_unwritten();
        if changed.is_empty() {
            return Ok(());
        }
        let Some((stamp, size)) = stamp_of(&self.layout.bases()) else {
            return self.save_tags(tags);
        };
        if size < WORTHWHILE {
            return self.save_tags(tags);
        }
        let path = self.layout.bases_journal();
        let mut lines = Vec::new();
        let known = match self.journal_of(stamp) {
            Some(_) => match whole_lines(&path) {
                Some(size) => size,
                // A process was killed while it wrote the last line of the journal.
                None => return self.save_tags(tags),
            },
            None => {
                let head = JournalHead {
                    schema: SCHEMA,
                    of: stamp,
                };
                write_line(&mut lines, &head, &path)?;
                0
            }
        };
        for tag in &changed {
            let record = tags.get(tag);
            write_line(&mut lines, &JournalEntry { tag, record }, &path)?;
        }
        if known + lines.len() as u64 > size {
            return self.save_tags(tags);
        }
        append(&path, &lines, known).context(Kind::Failed, || file::cannot_write(&path))
    }

    /// Opens the journal behind its first line, if that line says that the journal belongs to this file.
    fn journal_of(&self, stamp: FileStamp) -> Option<BufReader<File>> {
        let mut journal = BufReader::new(open_at_once(&self.layout.bases_journal()).ok()?);
        let mut line = String::new();
        journal.by_ref().take(1024).read_line(&mut line).ok()?;
        let head: JournalHead = serde_json::from_str(&line).ok()?;
        (head.schema == SCHEMA && head.of == stamp).then_some(journal)
    }

    /// Applies the journal to `tags`, up to where it is cut off or broken.
    fn replay(&self, stamp: FileStamp, tags: &mut TagRecords) {
        let Some(mut journal) = self.journal_of(stamp) else {
            return;
        };
        let mut line = Vec::new();
        while let Ok(1..) = {
            line.clear();
            journal
                .by_ref()
                .take(file::MAX_JSON)
                .read_until(b'\n', &mut line)
        } {
            let Ok(JournalEntry { tag, record }) = serde_json::from_slice(&line) else {
                return;
            };
            match record {
                Some(record) => tags.insert(tag, record),
                None => tags.swap_remove(&tag),
            };
        }
    }
}

/// Returns the stamp that identifies a file, and its size in bytes.
fn stamp_of(path: &Path) -> Option<(FileStamp, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((FileStamp::of(&metadata), metadata.len()))
}

/// Returns the size of a file that ends with a line feed; `None` for any other.
fn whole_lines(path: &Path) -> Option<u64> {
    let mut file = open_at_once(path).ok()?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1)).ok()?;
    file.read_exact(&mut last).ok()?;
    (last == *b"\n").then(|| file.stream_position().ok())?
}

fn write_line(lines: &mut Vec<u8>, line: &impl Serialize, path: &Path) -> Result<()> {
    serde_json::to_writer(&mut *lines, line).context(Kind::Failed, || {
        format!("cannot write `{}` as JSON", path.display())
    })?;
    lines.push(b'\n');
    Ok(())
}

/// Appends lines behind the first `known` bytes of a file.
fn append(path: &Path, lines: &[u8], known: u64) -> std::io::Result<()> {
    let mut journal = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    journal.set_len(known)?;
    journal.seek(SeekFrom::End(0))?;
    journal.write_all(lines)?;
    journal.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_file_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut tags = Tags::default();
        let tag = "r.io/base:1".parse().unwrap();
        tags.miss(
            &tag,
            crate::watch::FailedLook::unknown("no answer"),
            jiff::Timestamp::UNIX_EPOCH,
        );
        store.save_tags(&tags).unwrap();
        let read = store.tags(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((read.value.records(), read.problem), (tags.records(), None));
    }

    #[test]
    fn bases_file_of_another_schema_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        std::fs::write(store.layout().bases(), r#"{"schema": 9, "tags": {}}"#).unwrap();
        let read = store.tags(Timestamp::UNIX_EPOCH).unwrap();
        assert!(read.value.records().is_empty());
        assert!(read.problem.unwrap().contains("it has schema 9"));
        assert!(!store.layout().bases().exists());
    }

    /// Stores so many tags that a change does not rewrite the file.
    fn many(store: &Store) -> Tags {
        let mut tags = Tags::default();
        for n in 0..3000 {
            look(&mut tags, n, 0);
        }
        store.note_tags(&mut tags).unwrap();
        tags
    }

    fn look(tags: &mut Tags, n: usize, second: i64) {
        let tag = format!("r.io/base:{n}").parse().unwrap();
        let now = Timestamp::from_second(second).unwrap();
        tags.miss(&tag, crate::watch::FailedLook::unknown("no answer"), now);
    }

    fn read(store: &Store) -> Tags {
        store.tags(Timestamp::UNIX_EPOCH).unwrap().value
    }

    #[test]
    fn bases_journal_has_only_changed_tags() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut tags = many(&store);
        let (base, journal) = (store.layout().bases(), store.layout().bases_journal());
        let whole = std::fs::read(&base).unwrap();
        assert!(whole.len() as u64 > WORTHWHILE && !journal.exists());
        store.note_tags(&mut tags).unwrap();
        assert!(!journal.exists(), "nothing has changed");
        for second in 1..=20 {
            look(&mut tags, 7, second);
            look(&mut tags, 8, second);
            store.note_tags(&mut tags).unwrap();
        }
        let wanted = tags.records().keys().skip(1).cloned().collect();
        tags.keep_only(&wanted);
        store.note_tags(&mut tags).unwrap();
        assert_eq!(std::fs::read(&base).unwrap(), whole);
        let written = std::fs::metadata(&journal).unwrap().len();
        assert!(written < 42 * 300, "{written}");
        assert_eq!(read(&store).records(), tags.records());
        // A line that a killed process left unfinished is ignored, and so are those behind it.
        let text = std::fs::read(&journal).unwrap();
        std::fs::write(&journal, &text[..text.len() - 5]).unwrap();
        assert_eq!(read(&store).records().len(), tags.records().len() + 1);
        look(&mut tags, 9, 30);
        store.note_tags(&mut tags).unwrap();
        assert_eq!(read(&store).records(), tags.records());
        // The journal grows no larger than its file.
        for second in 50..53 {
            for n in 0..3000 {
                look(&mut tags, n, second);
            }
            store.note_tags(&mut tags).unwrap();
            let size = std::fs::metadata(&journal).map_or(0, |journal| journal.len());
            assert!(size <= std::fs::metadata(&base).unwrap().len());
        }
        assert_ne!(std::fs::read(&base).unwrap(), whole);
        assert_eq!(read(&store).records(), tags.records());
    }

    #[test]
    fn bases_journal_of_another_file_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut tags = many(&store);
        look(&mut tags, 7, 5);
        store.note_tags(&mut tags).unwrap();
        let journal = std::fs::read(store.layout().bases_journal()).unwrap();
        let mut other = Tags::default();
        look(&mut other, 1, 1);
        store.save_tags(&other).unwrap();
        // As if a version without a journal had written the file.
        std::fs::write(store.layout().bases_journal(), journal).unwrap();
        assert_eq!(read(&store).records(), other.records());
        let mut tags = many(&store);
        look(&mut tags, 9, 9);
        store.note_tags(&mut tags).unwrap();
        assert_eq!(read(&store).records(), tags.records());
    }
}
