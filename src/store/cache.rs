//! Parsed copies of many small files, so that ten thousand definitions are read as fast as one large one.
//!
//! The files stay the truth. A copy counts only while its file has the same inode, size and times; the cache may be removed at
//! any time, and is not made at all for folders that are read fast enough without it. It has a line of JSON for each copy, in the
//! order of the files, so that it is read and written without ever being in memory as a whole.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, BufWriter, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    error::Result,
    image::reference::is_registry,
    task::{TaskKey, TaskName},
    watch::FileStamp,
};

use super::file::{self, names};

/// Fewer files than this are read one by one.
const WORTHWHILE: usize = 200;

/// A cache is written again when more than one in this many files was not in it.
const STALE_SHARE: usize = 20;

/// A file that changed this recently, in nanoseconds, may change again without its times telling.
const RACY: i128 = 2_000_000_000;

#[derive(Serialize, Deserialize)]
struct Copy<T> {
    key: TaskKey,
    stamp: FileStamp,
    value: T,
}

/// A folder with a folder for each registry, and in it a file for each task.
#[derive(Debug)]
pub struct TaskFiles<'a> {
    /// The folder.
    pub folder: PathBuf,
    /// How the files' names end.
    pub suffix: &'a str,
    /// Where the cache is.
    pub cache: PathBuf,
}

/// The copies of a cache, one after the other. One that is missing has none, and a broken one none from there on: it holds
/// nothing that cannot be had again.
struct Copies<T> {
    lines: Option<BufReader<File>>,
    line: Vec<u8>,
    of: PhantomData<T>,
}

impl<T> Copies<T> {
    fn open(cache: &Path) -> Self {
        Self {
            lines: file::open(cache).ok().map(BufReader::new),
            line: Vec::new(),
            of: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Iterator for Copies<T> {
    type Item = Copy<T>;

    fn next(&mut self) -> Option<Copy<T>> {
        self.line.clear();
        self.lines
            .as_mut()?
            .read_until(b'\n', &mut self.line)
            .ok()?;
        let copy = serde_json::from_slice(&self.line).ok();
        if copy.is_none() {
            self.lines = None;
        }
        copy
    }
}

struct FoundFiles {
    key: TaskKey,
    stamp: FileStamp,
}

impl TaskFiles<'_> {
    /// Reads all files, sorted by registry and name, with `read` for each that the cache does not have.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where a folder cannot be read. What is wrong with one file is in its own result.
    pub fn read_all<T: Serialize + DeserializeOwned>(
        &self,
        read: impl Fn(&TaskKey) -> Result<Option<T>>,
    ) -> Result<Vec<(TaskKey, Result<T>)>> {
        let found = self.find()?;
        if found.len() < WORTHWHILE {
            return Ok(found
                .into_iter()
                .filter_map(|file| {
                    // A file that went away since the folder was read is no longer there.
                    let value = read(&file.key).transpose()?;
                    Some((file.key, value))
                })
                .collect());
        }
        let mut copies = Copies::open(&self.cache).peekable();
        let mut values = Vec::with_capacity(found.len());
        let mut stamps = Vec::with_capacity(found.len());
        let mut missed = 0;
        for file in found {
            // Both are sorted: what is left behind here belongs to files that are gone.
            while copies.next_if(|copy| copy.key < file.key).is_some() {}
            let copy: Option<Copy<T>> = copies.next_if(|copy| copy.key == file.key);
            let value = match copy.filter(|copy| copy.stamp == file.stamp) {
                Some(copy) => Some(Ok(copy.value)),
                None => {
                    missed += 1;
                    read(&file.key).transpose()
                }
            };
            if let Some(value) = value {
                values.push((file.key, value));
                stamps.push(file.stamp);
            }
        }
        if missed > values.len() / STALE_SHARE {
            self.remember(&values, &stamps, self.settled());
        }
        Ok(values)
    }

    fn find(&self) -> Result<Vec<FoundFiles>> {
        let mut found = Vec::new();
        for registry in names(&self.folder)? {
            if !is_registry(&registry) {
                continue;
            }
            let Ok(entries) = fs::read_dir(self.folder.join(&registry)) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name
                    .to_str()
                    .and_then(|name| name.strip_suffix(self.suffix))
                    .and_then(|name| name.parse::<TaskName>().ok());
                if let (Some(name), Ok(metadata)) = (name, entry.metadata()) {
                    found.push(FoundFiles {
                        key: TaskKey {
                            registry: registry.clone(),
                            name,
                        },
                        stamp: FileStamp::of(&metadata),
                    });
                }
            }
        }
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// Writes the cache, with the files that last changed before `settled`. That it cannot be written costs time and
    /// nothing else.
    fn remember<T: Serialize>(
        &self,
        values: &[(TaskKey, Result<T>)],
        stamps: &[FileStamp],
        settled: i128,
    ) {
        let mut copies = values
            .iter()
            .zip(stamps)
            .filter(|(_, stamp)| stamp.changed_at() < settled)
            .filter_map(|((key, value), stamp)| {
                Some(Copy {
                    key: key.clone(),
                    stamp: *stamp,
                    value: value.as_ref().ok()?,
                })
            });
        // A folder in its place could not be replaced, and the cache would never be made again.
        if self.cache.is_dir() {
            file::remove_any(&self.cache);
        }
        let _ = file::replace_with(&self.cache, |file| {
            let mut lines = BufWriter::new(file);
            copies.try_for_each(|copy| {
                serde_json::to_writer(&mut lines, &copy)?;
                lines.write_all(b"\n")
            })?;
            lines.flush()
        });
    }

    /// Returns the moment before which a change would show in a file's times whatever came after it.
    ///
    /// The file system's own clock is asked, by a file made now: it is the one that gives the times.
    fn settled(&self) -> i128 {
        tempfile::tempfile_in(&self.folder)
            .and_then(|probe| probe.metadata())
            .map_or(0, |now| FileStamp::of(&now).changed_at() - RACY)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, path::Path};

    use super::*;

    fn files(folder: &Path) -> TaskFiles<'static> {
        TaskFiles {
            folder: folder.join("baselines"),
            suffix: ".json",
            cache: folder.join("cache/baselines.json"),
        }
    }

    fn fill(files: &TaskFiles<'_>, count: usize) {
        for n in 0..count {
            let path = files.folder.join(format!("r.io/t{n}.json"));
            file::make_folder(path.parent().unwrap()).unwrap();
            fs::write(&path, n.to_string()).unwrap();
        }
    }

    fn read_all(files: &TaskFiles<'_>) -> (Vec<usize>, usize) {
        let read = Cell::new(0);
        let all = files.read_all(|key| {
            read.set(read.get() + 1);
            file::read_json::<usize>(&files.folder.join(format!("r.io/{}.json", key.name)))
        });
        let values = all.unwrap().into_iter().map(|(_, value)| value.unwrap());
        let mut values: Vec<usize> = values.collect();
        values.sort_unstable();
        (values, read.get())
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
    fn a_file_that_has_just_changed_is_not_taken_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        assert_eq!(read_all(&files).1, WORTHWHILE);
        // The files were made a moment ago: their times could hide another change.
        assert_eq!(read_all(&files).1, WORTHWHILE);
    }

    #[test]
    fn settled_files_come_from_the_cache_until_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        let stamps: Vec<FileStamp> = files.find().unwrap().iter().map(|f| f.stamp).collect();
        let values = files.read_all(|key| {
            file::read_json::<usize>(&files.folder.join(format!("r.io/{}.json", key.name)))
        });
        files.remember(&values.unwrap(), &stamps, i128::MAX);
        assert_eq!(read_all(&files).1, 0);
        fs::write(files.folder.join("r.io/t0.json"), "777").unwrap();
        let (values, read) = read_all(&files);
        assert_eq!((values.last(), read), (Some(&777), 1));
    }

    #[test]
    fn a_broken_cache_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        file::replace(&files.cache, b"{").unwrap();
        assert_eq!(read_all(&files).0.len(), WORTHWHILE);
    }

    #[test]
    fn folder_in_the_place_of_a_cache_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        fill(&files, WORTHWHILE);
        fs::create_dir_all(files.cache.join("a")).unwrap();
        assert_eq!(read_all(&files).0.len(), WORTHWHILE);
        assert!(files.cache.is_file());
    }
}
