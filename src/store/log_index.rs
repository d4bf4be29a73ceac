//! An index of the lines of a log, so that any lines are read without the rest: a log may have a hundred megabytes.

use std::{
    fs::File,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::PathBuf,
};

use crate::{
    error::{Context as _, Kind, Result},
    sys::plain_file::open_at_once,
    task::RunId,
};

use super::{Store, file};

/// How many lines are between two indexed offsets.
const STEP: usize = 1000;

/// How many bytes are read at once.
const PIECE: usize = 64 * 1024;

/// The index of one log. A line ends with a line feed, or with a carriage return that no line feed follows, as in what is displayed.
#[derive(Clone, Debug)]
pub struct LogIndex {
    pub id: RunId,
    path: PathBuf,
    inode: u64,
    /// The size of the log in bytes.
    pub size: u64,
    /// The number of complete lines.
    ended: usize,
    /// Whether an incomplete line follows.
    has_rest: bool,
    /// The offset of each thousandth line.
    places: Vec<u64>,
    is_after_return: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLines {
    /// The number of the first line, counted from 1.
    pub first: usize,
    pub bytes: Vec<u8>,
    /// The offset in the file at which the lines end.
    pub end: u64,
}

impl Store {
    /// Builds the index of a log. `known` is an earlier index, of this run or another.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn log_index(&self, id: RunId, known: Option<LogIndex>) -> Result<LogIndex> {
        let path = self.layout.log(id);
        let blank = LogIndex {
            id,
            path: path.clone(),
            inode: 0,
            size: 0,
            ended: 0,
            has_rest: false,
            places: vec![0],
            is_after_return: false,
        };
        let cannot = || format!("cannot read the log `{}`", path.display());
        let Some(file) = file::open_if_there(&path).context(Kind::Failed, cannot)? else {
            return Ok(blank);
        };
        let now = file.metadata().context(Kind::Failed, cannot)?;
        let is_same = |it: &LogIndex| it.id == id && it.inode == now.ino() && it.size <= now.size();
        let mut index = known.filter(is_same).unwrap_or(blank);
        index.inode = now.ino();
        index
            .read_on(&file, now.size())
            .context(Kind::Failed, cannot)?;
        Ok(index)
    }
}

impl LogIndex {
    /// Returns the number of lines.
    pub fn lines(&self) -> usize {
        self.ended + usize::from(self.has_rest)
    }

    fn read_on(&mut self, file: &File, size: u64) -> std::io::Result<()> {
        let mut piece = vec![0; PIECE];
        while self.size < size {
            let read = file.read_at(&mut piece, self.size)?;
            let room = usize::try_from(size - self.size).unwrap_or(PIECE);
            let read = read.min(room);
            if read == 0 {
                break;
            }
            for (at, byte) in (self.size..).zip(&piece[..read]) {
                // Only now it is known that the carriage return alone ended a line.
                if self.is_after_return && *byte != b'\n' {
                    self.end_line(at);
                }
                self.is_after_return = *byte == b'\r';
                match byte {
                    b'\n' => self.end_line(at + 1),
                    _ => self.has_rest = true,
                }
            }
            self.size += read as u64;
        }
        Ok(())
    }

    fn end_line(&mut self, next: u64) {
        self.ended += 1;
        self.has_rest = false;
        if self.ended.is_multiple_of(STEP) {
            self.places.push(next);
        }
    }

    /// Reads the last `count` lines; fewer where they are longer than `most` bytes, and only the end of the last line where it alone is
    /// longer.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn read_end(&self, count: usize, most: usize) -> Result<LogLines> {
        let cannot = || format!("cannot read the log `{}`", self.path.display());
        if self.size == 0 {
            return Ok(LogLines::default());
        }
        let from = self.size.saturating_sub(most as u64);
        let mut bytes = vec![0; usize::try_from(self.size - from).unwrap_or(most)];
        let file = open_at_once(&self.path).context(Kind::Failed, cannot)?;
        file.read_exact_at(&mut bytes, from)
            .context(Kind::Failed, cannot)?;
        // The bytes before the first end of a line may be a part of a line.
        let mut starts: Vec<usize> = if from == 0 { vec![0] } else { Vec::new() };
        for (at, byte) in bytes.iter().enumerate() {
            let next = bytes.get(at + 1);
            let ends = *byte == b'\n' || *byte == b'\r' && next.is_some_and(|it| *it != b'\n');
            if ends && next.is_some() {
                starts.push(at + 1);
            }
        }
        let kept = starts.len().min(count).max(1);
        let start = starts.len().checked_sub(kept);
        let start = start.and_then(|place| starts.get(place)).copied();
        bytes.drain(..start.unwrap_or(0));
        Ok(LogLines {
            first: (self.lines() + 1).saturating_sub(kept),
            bytes,
            end: self.size,
        })
    }

    /// Reads `count` lines from number `first` on, counted from 1; fewer where they are longer than `most` bytes.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn read(&self, first: usize, count: usize, most: usize) -> Result<LogLines> {
        let cannot = || format!("cannot read the log `{}`", self.path.display());
        if self.size == 0 {
            return Ok(LogLines::default());
        }
        let file = open_at_once(&self.path).context(Kind::Failed, cannot)?;
        let place = (first.saturating_sub(1) / STEP).min(self.places.len() - 1);
        let mut before = first.saturating_sub(1) - place * STEP;
        let (mut at, mut left) = (self.places[place], count);
        let mut found = LogLines {
            first: first.max(1),
            ..LogLines::default()
        };
        let mut is_after_return = false;
        let mut piece = vec![0; PIECE];
        while at < self.size && left > 0 && found.bytes.len() < most {
            let read = file.read_at(&mut piece, at).context(Kind::Failed, cannot)?;
            let room = usize::try_from(self.size - at).unwrap_or(PIECE);
            let part = &piece[..read.min(room)];
            if part.is_empty() {
                break;
            }
            for byte in part {
                let ends_before = is_after_return && *byte != b'\n';
                is_after_return = *byte == b'\r';
                if ends_before && count_down(&mut before, &mut left) {
                    break;
                }
                if before == 0 {
                    found.bytes.push(*byte);
                }
                at += 1;
                if *byte == b'\n' && count_down(&mut before, &mut left) {
                    break;
                }
                if found.bytes.len() >= most {
                    break;
                }
            }
        }
        found.end = at;
        Ok(found)
    }
}

/// Counts a line that has ended: one to skip, or one of those to read. Returns whether it was the last to read.
fn count_down(before: &mut usize, left: &mut usize) -> bool {
    match *before {
        0 => *left -= 1,
        _ => *before -= 1,
    }
    *left == 0
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn store_with(log: &[u8]) -> (tempfile::TempDir, Store, RunId) {
        let folder = tempfile::tempdir().unwrap();
        let (store, id) = (Store::at(folder.path()), RunId::new(1));
        std::fs::create_dir_all(store.layout().run_folder(id)).unwrap();
        std::fs::write(store.layout().log(id), log).unwrap();
        (folder, store, id)
    }

    #[test]
    fn log_index_reads_any_lines_and_finds_appended_ones() {
        let all: String = (1..=2500).map(|n| format!("line {n}\n")).collect();
        let (_folder, store, id) = store_with(all.as_bytes());
        let index = store.log_index(id, None).unwrap();
        assert_eq!(index.lines(), 2500);
        for first in [1, 2, 999, 1000, 1001, 1002, 2001, 2499] {
            let read = index.read(first, 2, 1000).unwrap();
            let expected = format!("line {first}\nline {}\n", first + 1);
            assert_eq!(String::from_utf8(read.bytes).unwrap(), expected);
        }
        assert_eq!(index.read(2500, 9, 1000).unwrap().end, all.len() as u64);
        assert_eq!(index.read(2600, 9, 1000).unwrap().bytes, b"");
        assert_eq!(index.read(1, 900, 10).unwrap().bytes.len(), 10);

        let path = store.layout().log(id);
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        file.write_all(b"half").unwrap();
        let index = store.log_index(id, Some(index)).unwrap();
        assert_eq!(index.lines(), 2501);
        file.write_all(b" and half\nmore").unwrap();
        let index = store.log_index(id, Some(index)).unwrap();
        assert_eq!(index.lines(), 2502);
        assert_eq!(index.read(2501, 1, 99).unwrap().bytes, b"half and half\n");
        let end = index.read_end(3, 1000).unwrap();
        assert_eq!(
            (end.first, end.bytes.as_slice()),
            (2500, &b"line 2500\nhalf and half\nmore"[..])
        );
        let end = index.read_end(9, 20).unwrap();
        assert_eq!(
            (end.first, end.bytes.as_slice()),
            (2501, &b"half and half\nmore"[..])
        );
        let end = index.read_end(9, 3).unwrap();
        assert_eq!((end.first, end.bytes.as_slice()), (2502, &b"ore"[..]));
        // Another file in its place is indexed anew.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "x\n".repeat(3000)).unwrap();
        assert_eq!(store.log_index(id, Some(index)).unwrap().lines(), 3000);
    }

    #[test]
    fn log_index_counts_carriage_returns_as_line_ends() {
        let (_folder, store, id) = store_with(b"one\rtwo\r\nthree\r\rfive\n");
        let index = store.log_index(id, None).unwrap();
        assert_eq!(index.lines(), 5);
        let line = |n| index.read(n, 1, 99).unwrap().bytes;
        assert_eq!([line(1), line(2)], [b"one\r".to_vec(), b"two\r\n".to_vec()]);
        let end = index.read_end(3, 99).unwrap();
        assert_eq!((end.first, end.bytes), (3, b"three\r\rfive\n".to_vec()));
        assert_eq!(index.read_end(99, 99).unwrap().first, 1);
        assert_eq!([line(4), line(5)], [b"\r".to_vec(), b"five\n".to_vec()]);
    }

    #[test]
    fn log_index_of_a_missing_log_has_no_lines() {
        let (_folder, store, _) = store_with(b"");
        let index = store.log_index(RunId::new(7), None).unwrap();
        assert_eq!(
            (index.lines(), index.read(1, 5, 99).unwrap()),
            (0, LogLines::default())
        );
    }
}
