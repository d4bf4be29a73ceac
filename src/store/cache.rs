//! A cache of many small files in one, so that ten thousand definitions are read as fast as one large file.
//!
//! The files remain authoritative. A copy counts only while its file has the same inode, size and times; the cache may be removed at any
//! time, and is not made for folders that are read fast enough without it. It consists of a line of JSON for each copy; then an index with
//! a line for each copy, which names its file, the state of that file, and where the copy is; and a last line with the offset of the index
//! and its checksum. So only the index is read to know what there is, and the copies are read a few at a time.

use std::{
    cmp::Ordering,
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Read as _, Seek as _, SeekFrom, Write},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use flate2::Crc;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::reference::is_registry,
    sys::{plain_file::open_at_once, workers},
    task::TaskKey,
    watch::FileStamp,
};

use super::{
    file::{self, names},
    layout::task_of,
};

/// With fewer files than this there is no cache.
const WORTHWHILE: usize = 200;

/// The cache is rewritten when more than one in this many files was not in it.
const STALE_SHARE: usize = 20;

/// A file that changed less than this many nanoseconds ago may change again without a difference in its times.
const RACY: i128 = 2_000_000_000;

/// The version of acrt that wrote the cache: another version may leave out fields that this one reads.
const WRITER: &str = env!("CARGO_PKG_VERSION");

/// The length of the last line of a cache.
const LAST_LINE: usize = "0123456789abcdef 01234567\n".len();

/// A folder with a folder for each registry, and in it a file for each task.
#[derive(Debug)]
pub struct TaskFiles<'a> {
    pub folder: PathBuf,
    /// The suffix of the files' names.
    pub suffix: &'a str,
    pub cache: PathBuf,
}

/// The files of a folder, sorted by registry and name. Those without a copy in the cache have been read.
pub struct Opened<T> {
    files: Vec<TaskFile<T>>,
    reader: Reader<T>,
}

/// Reads a file; returns `None` where it does not exist any more.
type Read<T> = Box<dyn Fn(&TaskKey) -> Result<Option<T>> + Send + Sync>;

/// A file of a task.
pub struct TaskFile<T> {
    pub key: TaskKey,
    /// The [`FileStamp::fingerprint`] that it was found with.
    pub state: u64,
    content: FileContent<T>,
}

enum FileContent<T> {
    Read(Box<Result<T>>),
    Copy(CacheSpan),
}

/// Reads files on any thread.
pub struct Reader<T> {
    copies: Option<File>,
    read: Read<T>,
}

/// Where a copy is in the cache, and its checksum.
#[derive(Clone, Copy, Debug)]
struct CacheSpan {
    at: u64,
    size: u32,
    sum: u32,
}

struct CacheEntry<'a> {
    registry: &'a str,
    name: &'a str,
    /// The hash of the state of the copied file.
    state: u64,
    place: CacheSpan,
}

impl<'a> CacheEntry<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        Some(Self {
            registry: words.next()?,
            name: words.next()?,
            state: u64::from_str_radix(words.next()?, 16).ok()?,
            place: CacheSpan {
                at: words.next()?.parse().ok()?,
                size: words.next()?.parse().ok()?,
                sum: words.next()?.parse().ok()?,
            },
        })
    }

    fn cmp(&self, key: &TaskKey) -> Ordering {
        (self.registry, self.name).cmp(&(&key.registry, key.name.as_str()))
    }
}

fn sum(parts: &[&[u8]]) -> u32 {
    let mut sum = Crc::new();
    parts.iter().for_each(|part| sum.update(part));
    sum.sum()
}

/// Opens a cache and reads its index. `None` where the cache is missing, broken or of another version.
fn open_copies(cache: &Path) -> Option<(File, String)> {
    let mut file = open_at_once(cache).ok()?;
    let end = file.metadata().ok()?.len().checked_sub(LAST_LINE as u64)?;
    let mut last = [0; LAST_LINE];
    file.read_exact_at(&mut last, end).ok()?;
    let (start, expected) = std::str::from_utf8(&last)
        .ok()?
        .trim_end()
        .split_once(' ')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut entries = String::with_capacity(usize::try_from(end.checked_sub(start)?).ok()?);
    (&file)
        .take(end - start)
        .read_to_string(&mut entries)
        .ok()?;
    let is_whole =
        u32::from_str_radix(expected, 16) == Ok(sum(&[WRITER.as_bytes(), entries.as_bytes()]));
    is_whole.then_some((file, entries))
}

impl<T: DeserializeOwned + Send + 'static> Opened<T> {
    /// Returns how many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Removes and returns the files that cannot be used, each with its error.
    pub fn take_broken(&mut self) -> Vec<(TaskKey, Error)> {
        let is_broken = |file: &mut TaskFile<T>| matches!(&file.content, FileContent::Read(read) if read.is_err());
        let broken = self.files.extract_if(.., is_broken);
        let errors = broken.filter_map(|file| match file.content {
            FileContent::Read(read) => Some((file.key, read.err()?)),
            FileContent::Copy(_) => None,
        });
        errors.collect()
    }

    /// Removes a file. Returns whether it was there.
    pub fn remove(&mut self, key: &TaskKey) -> bool {
        let found = self.files.binary_search_by(|file| file.key.cmp(key));
        found.map(|n| self.files.remove(n)).is_ok()
    }

    /// Returns the files, and their reader.
    pub fn split(self) -> (std::vec::IntoIter<TaskFile<T>>, Reader<T>) {
        (self.files.into_iter(), self.reader)
    }

    /// Reads all files, in their order, on all cores, without those that have been removed meanwhile.
    pub fn read_all(self) -> impl Iterator<Item = (TaskKey, Result<T>)> {
        let (files, reader) = self.split();
        let read = move |part| {
            let read = reader.read(part);
            read.map(|(key, _, value)| (key, value)).collect::<Vec<_>>()
        };
        workers::in_order(workers::parts(files), read).flatten()
    }
}

/// The most bytes that are read at once.
const MOST_AT_ONCE: u64 = 4 * 1024 * 1024;

impl<T: DeserializeOwned> Reader<T> {
    /// Reads some files, whose copies are beside each other. Those that have been removed meanwhile are left out.
    pub fn read(&self, part: Vec<TaskFile<T>>) -> impl Iterator<Item = (TaskKey, u64, Result<T>)> {
        let copies = self.copies(&part);
        part.into_iter().filter_map(move |file| {
            let value = match file.content {
                FileContent::Read(value) => Some(*value),
                FileContent::Copy(place) => {
                    let copy = copies.as_ref().and_then(|copies| copies.read(place));
                    copy.map(Ok).or_else(|| (self.read)(&file.key).transpose())
                }
            };
            Some((file.key, file.state, value?))
        })
    }

    /// Reads the piece of the cache with the copies of these files; `None` where it is too large, so that the files themselves are read.
    fn copies(&self, part: &[TaskFile<T>]) -> Option<Copies> {
        let places = part.iter().filter_map(|file| match file.content {
            FileContent::Copy(place) => Some(place),
            FileContent::Read(_) => None,
        });
        let (start, end) = places.fold((u64::MAX, 0), |(start, end), place| {
            let behind = place.at.saturating_add(place.size.into());
            (place.at.min(start), behind.max(end))
        });
        let size = end
            .checked_sub(start)
            .filter(|size| *size <= MOST_AT_ONCE)?;
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        self.copies
            .as_ref()?
            .read_exact_at(&mut bytes, start)
            .ok()?;
        Some(Copies { start, bytes })
    }
}

/// A piece of a cache.
struct Copies {
    start: u64,
    bytes: Vec<u8>,
}

impl Copies {
    /// Reads a copy; `None` where its checksum is wrong.
    fn read<T: DeserializeOwned>(&self, place: CacheSpan) -> Option<T> {
        let at = usize::try_from(place.at.checked_sub(self.start)?).ok()?;
        let copy = self.bytes.get(at..)?;
        let copy = copy.get(..usize::try_from(place.size).ok()?)?;
        let is_whole = sum(&[copy]) == place.sum;
        // Checked as a whole, its strings need not be checked one by one.
        let copy = std::str::from_utf8(copy).ok().filter(|_| is_whole)?;
        serde_json::from_str(copy).ok()
    }
}

impl TaskFiles<'_> {
    /// Finds all files, and reads those with `read` of which the cache has no copy.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where a folder cannot be read. What is wrong with one file is in its own result.
    pub fn open<T: Serialize>(
        &self,
        read: impl Fn(&TaskKey) -> Result<Option<T>> + Send + Sync + 'static,
    ) -> Result<Opened<T>> {
        let found = self.find()?;
        let is_worthwhile = found.len() >= WORTHWHILE;
        let (copies, entries) = match open_copies(&self.cache).filter(|_| is_worthwhile) {
            Some((file, entries)) => (Some(file), entries),
            None => (None, String::new()),
        };
        let mut entries = entries.lines().map_while(CacheEntry::read).peekable();
        let mut files = Vec::with_capacity(found.len());
        let mut stamps = Vec::with_capacity(found.len());
        let mut missed = 0;
        for (key, stamp) in found {
            let state = stamp.fingerprint();
            // Both lists are sorted: entries before this key belong to files that do not exist any more.
            while entries.next_if(|entry| entry.cmp(&key).is_lt()).is_some() {}
            let entry = entries.next_if(|entry| entry.cmp(&key).is_eq());
            let content = match entry.filter(|entry| entry.state == state) {
                Some(entry) => FileContent::Copy(entry.place),
                None => {
                    missed += 1;
                    // The file was removed after the folder was read.
                    let Some(value) = read(&key).transpose() else {
                        continue;
                    };
                    FileContent::Read(Box::new(value))
                }
            };
            files.push(TaskFile {
                key,
                state,
                content,
            });
            stamps.push(stamp);
        }
        if is_worthwhile && missed > files.len() / STALE_SHARE {
            let certain = self.certain_before();
            let files = files.iter().zip(stamps);
            let files = files.filter(|(_, stamp)| stamp.changed_at() < certain);
            self.remember(files.map(|(file, _)| file), copies.as_ref());
        }
        let read = Box::new(read);
        Ok(Opened {
            files,
            reader: Reader { copies, read },
        })
    }

    fn find(&self) -> Result<Vec<(TaskKey, FileStamp)>> {
        let mut found = Vec::new();
        let mut registries = names(&self.folder)?;
        registries.sort_unstable();
        for registry in registries {
            if !is_registry(&registry) {
                continue;
            }
            let folder = self.folder.join(&registry);
            let entries = match fs::read_dir(&folder) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                entries => entries.context(Kind::Failed, || {
                    format!("cannot read the folder `{}`", folder.display())
                })?,
            };
            let first = found.len();
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name
                    .to_str()
                    .and_then(|name| task_of(&folder, name, self.suffix));
                // Of a link, what it names is read and may change.
                let metadata = match entry.file_type() {
                    Ok(kind) if kind.is_symlink() => {
                        fs::metadata(entry.path()).or_else(|_| entry.metadata())
                    }
                    _ => entry.metadata(),
                };
                if let (Some(name), Ok(metadata)) = (name, metadata) {
                    let registry = registry.clone();
                    found.push((TaskKey { registry, name }, FileStamp::of(&metadata)));
                }
            }
            // All are of one registry: only the names need comparing.
            found[first..].sort_unstable_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        }
        Ok(found)
    }

    /// Writes the cache, with these files. A failure to write costs only time.
    fn remember<'f, T: Serialize + 'f>(
        &self,
        files: impl Iterator<Item = &'f TaskFile<T>>,
        before: Option<&File>,
    ) {
        // A folder at the path of the cache cannot be replaced by a rename, so that no cache could ever be made.
        if self.cache.is_dir() {
            file::remove_any(&self.cache);
        }
        let write = |file: &mut File| -> io::Result<()> {
            let mut out = BufWriter::new(file);
            let (mut entries, mut at) = (String::new(), 0);
            let mut copy = Vec::new();
            for file in files {
                copy.clear();
                match (&file.content, before) {
                    (FileContent::Read(value), _) => match value.as_ref() {
                        Ok(value) => serde_json::to_writer(&mut copy, value)?,
                        Err(_) => continue,
                    },
                    (FileContent::Copy(place), Some(before)) => {
                        copy.resize(usize::try_from(place.size).unwrap_or_default(), 0);
                        before.read_exact_at(&mut copy, place.at)?;
                        copy.pop();
                    }
                    (FileContent::Copy(_), None) => continue,
                }
                copy.push(b'\n');
                out.write_all(&copy)?;
                let (TaskKey { registry, name }, state) = (&file.key, file.state);
                let (size, sum) = (copy.len(), sum(&[&copy]));
                entries.push_str(&format!("{registry} {name} {state:x} {at} {size} {sum}\n"));
                at += size;
            }
            out.write_all(entries.as_bytes())?;
            let sum = sum(&[WRITER.as_bytes(), entries.as_bytes()]);
            writeln!(out, "{at:016x} {sum:08x}")?;
            out.flush()
        };
        if let Some(folder) = self.cache.parent() {
            let _ = file::make_folder(folder);
        }
        let _ = file::replace_with(&self.cache, write);
    }

    /// Returns the time such that any later change to a file last changed before it would show in that file's times.
    ///
    /// It is the file system's own clock, read from a new file, because that clock sets the times.
    fn certain_before(&self) -> i128 {
        tempfile::tempfile_in(&self.folder)
            .and_then(|probe| probe.metadata())
            .map_or(0, |now| FileStamp::of(&now).changed_at() - RACY)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;

    fn files(folder: &Path) -> TaskFiles<'static> {
        TaskFiles {
            folder: folder.join("baselines"),
            suffix: ".json",
            cache: folder.join("cache/baselines.json"),
        }
    }

    /// Returns the path of a task's file, of two registries in turns.
    fn path(files: &TaskFiles<'_>, n: usize) -> PathBuf {
        let registry = if n.is_multiple_of(2) { "r.io" } else { "z.io" };
        files.folder.join(format!("{registry}/t{n}.json"))
    }

    fn fill(files: &TaskFiles<'_>, count: usize) {
        for n in 0..count {
            let path = path(files, n);
            file::make_folders(path.parent().unwrap()).unwrap();
            fs::write(&path, n.to_string()).unwrap();
        }
    }

    /// Opens files, with a counter of how many of them have been read.
    fn open(files: &TaskFiles<'_>) -> (Opened<usize>, Arc<AtomicUsize>) {
        let (folder, read) = (files.folder.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&read);
        let opened = files.open(move |key| {
            count.fetch_add(1, Ordering::Relaxed);
            file::read_json::<usize>(&folder.join(format!("{}/{}.json", key.registry, key.name)))
        });
        (opened.unwrap(), read)
    }

    fn read_all(files: &TaskFiles<'_>) -> (Vec<usize>, usize) {
        let (opened, read) = open(files);
        let values = opened.read_all().map(|(_, value)| value.unwrap());
        let mut values: Vec<usize> = values.collect();
        values.sort_unstable();
        (values, read.load(Ordering::Relaxed))
    }

    /// Makes the cache as if all files had last changed long ago.
    fn make_old(files: &TaskFiles<'_>) {
        let (opened, _) = open(files);
        files.remember(opened.files.iter(), opened.reader.copies.as_ref());
        assert_eq!(read_all(files).1, 0);
    }

    #[test]
    fn few_files_are_read_without_a_cache() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, 3);
        assert_eq!(read_all(&files), (vec![0, 1, 2], 3));
        assert!(!files.cache.exists());
    }

    #[test]
    fn just_modified_file_is_not_taken_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        assert_eq!(read_all(&files).1, WORTHWHILE);
        // The files have just been made: their times could hide another change.
        assert_eq!(read_all(&files).1, WORTHWHILE);
    }

    #[test]
    fn unmodified_files_are_taken_from_the_cache_until_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        make_old(&files);
        fs::write(path(&files, 0), "777").unwrap();
        fs::remove_file(path(&files, 1)).unwrap();
        fs::write(files.folder.join("r.io/new.json"), "778").unwrap();
        let (values, read) = read_all(&files);
        assert_eq!((&values[WORTHWHILE - 2..], read), (&[777, 778][..], 2));
        assert_eq!(values[0], 2);
    }

    #[test]
    fn symlinked_file_is_read_again_when_its_target_changes() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        let own = folder.path().join("own.json");
        fs::rename(path(&files, 0), &own).unwrap();
        std::os::unix::fs::symlink(&own, path(&files, 0)).unwrap();
        make_old(&files);
        fs::write(&own, "777").unwrap();
        let (values, read) = read_all(&files);
        assert_eq!((values.last(), read), (Some(&777), 1));
        fs::remove_file(&own).unwrap();
        let broken = open(&files).0.take_broken();
        assert_eq!(broken.len(), 1, "{broken:?}");
    }

    #[test]
    fn valid_cache_entries_are_kept_when_the_cache_is_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        make_old(&files);
        let few = WORTHWHILE / STALE_SHARE;
        (0..few).for_each(|n| fs::write(path(&files, n), "777").unwrap());
        assert_eq!(read_all(&files).1, few);
        make_old(&files);
        let values = read_all(&files).0;
        assert_eq!(values.iter().filter(|it| **it == 777).count(), few);
        assert_eq!(values[0], few);
    }

    #[test]
    fn broken_cache_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        make_old(&files);
        let whole = fs::read(&files.cache).unwrap();
        let all: Vec<usize> = (0..WORTHWHILE).collect();
        let bytes = [
            0,
            1,
            whole.len() / 2,
            whole.len() - LAST_LINE - 1,
            whole.len() - 2,
        ];
        let turned = bytes.map(|n| {
            let mut turned = whole.clone();
            turned[n] ^= 1;
            turned
        });
        let cut = [0, 1, LAST_LINE, whole.len() - 1].map(|n| whole[..n].to_vec());
        for broken in turned.into_iter().chain(cut).chain([b"{".to_vec()]) {
            file::replace(&files.cache, &broken).unwrap();
            assert_eq!(read_all(&files).0, all);
        }
    }

    #[test]
    fn corrupt_cache_entry_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        make_old(&files);
        let mut bytes = fs::read(&files.cache).unwrap();
        assert_eq!(&bytes[..2], b"0\n");
        bytes[0] = b'7';
        file::replace(&files.cache, &bytes).unwrap();
        assert_eq!(read_all(&files), ((0..WORTHWHILE).collect(), 1));
    }

    #[test]
    fn cache_of_another_version_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        make_old(&files);
        let text = fs::read_to_string(&files.cache).unwrap();
        let (head, last) = text.split_at(text.len() - LAST_LINE);
        let start = usize::from_str_radix(&last[..16], 16).unwrap();
        let other = sum(&[b"0.0.1", &head.as_bytes()[start..]]);
        let of_another = format!("{head}{start:016x} {other:08x}\n");
        // Version 0.1 wrote a line with key, stamp and value for each file, and no index.
        let of_the_first = "{\"key\":{\"registry\":\"r.io\",\"name\":\"t0\"},\"value\":9}\n";
        for cache in [of_another.as_str(), of_the_first] {
            file::replace(&files.cache, cache.as_bytes()).unwrap();
            assert_eq!(read_all(&files), ((0..WORTHWHILE).collect(), WORTHWHILE));
        }
    }

    #[test]
    fn invalid_files_are_listed_before_any_cache_entry_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        make_old(&files);
        fs::write(path(&files, 7), "{").unwrap();
        let (mut opened, _) = open(&files);
        let broken = opened.take_broken();
        assert_eq!(broken.len(), 1);
        assert_eq!(broken[0].0.name.as_str(), "t7");
        assert_eq!(opened.len(), WORTHWHILE - 1);
        assert!(!opened.remove(&broken[0].0));
        assert!(opened.read_all().all(|(_, value)| value.is_ok()));
    }

    #[test]
    fn folder_in_place_of_the_cache_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        fs::create_dir_all(files.cache.join("a")).unwrap();
        assert_eq!(read_all(&files).0.len(), WORTHWHILE);
        assert!(files.cache.is_file());
    }
}
