//! The log of a run: the output of its builder, with secrets masked.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    error::{Context as _, Kind, Result},
    secret::{Masks, Secret},
    sys::plain_file::open_at_once,
    task::RunId,
};

use super::{Store, file};

/// How much of a log is kept. A builder that prints for ever must not fill the disk, and the end matters most.
const BOUNDS: Bounds = Bounds {
    first: 16 * 1024 * 1024,
    last: 48 * 1024 * 1024,
};

/// The longest unfinished line that is held back to search it for secrets.
const MAX_LINE: usize = 64 * 1024;

/// How much of a log is kept, in bytes.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    first: u64,
    /// From its end, at least; up to twice as much is there until the middle is removed again.
    last: u64,
}

impl Bounds {
    /// The largest size of a finished log, with the note of what is left out.
    const fn kept(self) -> u64 {
        self.first + self.last + LONGEST_NOTE as u64
    }

    const fn most(self) -> u64 {
        self.first + 2 * self.last
    }
}

/// The open log of a run. Takes bytes as they come and returns whole lines.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    bounds: Bounds,
    masks: Masks,
    pending: Vec<u8>,
    size: u64,
    problem: Option<std::io::Error>,
}

impl Store {
    /// Opens the log of a run, to append to it. The values in `secrets` are masked.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn open_log(&self, id: RunId, secrets: &[Secret]) -> Result<Log> {
        let path = self.layout.log(id);
        let cannot = || format!("cannot write the log `{}`", path.display());
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .context(Kind::Failed, cannot)?;
        let size = file.metadata().context(Kind::Failed, cannot)?.len();
        Ok(Log {
            file,
            path,
            bounds: BOUNDS,
            masks: Masks::of(secrets),
            pending: Vec::new(),
            size,
            problem: None,
        })
    }

    /// Returns the last bytes of the log of a run, at most `most`; nothing where there is no log.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn end_of_log(&self, id: RunId, most: u64) -> Result<Vec<u8>> {
        let path = self.layout.log(id);
        let cannot = || format!("cannot read the log `{}`", path.display());
        let Some(mut file) = file::open_if_there(&path).context(Kind::Failed, cannot)? else {
            return Ok(Vec::new());
        };
        let mut end = Vec::new();
        let size = file.metadata().context(Kind::Failed, cannot)?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(most)))
            .and_then(|_| file.take(most).read_to_end(&mut end))
            .context(Kind::Failed, cannot)?;
        Ok(end)
    }

    /// Opens the log of a run, for reading from its beginning.
    pub fn read_log(&self, id: RunId) -> LogReader {
        LogReader {
            path: self.layout.log(id),
            bounds: BOUNDS,
            file: None,
        }
    }
}

impl Log {
    /// Masks further values from now on.
    pub fn hide(&mut self, secrets: &[Secret]) {
        self.masks.add(secrets);
    }

    /// Returns a text as the log would show it, without secrets.
    pub fn masked(&self, text: &str) -> String {
        self.masks.hide_in(text)
    }

    /// Takes bytes, and returns the lines that they complete, as written to the file.
    pub fn write(&mut self, bytes: &[u8]) -> Vec<u8> {
        let before = self.pending.len();
        self.pending.extend_from_slice(bytes);
        // The bytes held back before contain no end of a line.
        let end = match bytes.iter().rposition(|b| *b == b'\n') {
            Some(newline) => before + newline + 1,
            None if self.pending.len() >= MAX_LINE => self.masks.safe_end(&self.pending),
            None => 0,
        };
        if end == 0 {
            return Vec::new();
        }
        let whole: Vec<u8> = self.pending.drain(..end).collect();
        self.put(whole)
    }

    /// Returns where an unfinished line can be cut, so that no secret is cut in two.
    pub fn safe_end(&self, bytes: &[u8]) -> usize {
        self.masks.safe_end(bytes)
    }

    /// Writes one line of acrt's own.
    pub fn line(&mut self, text: &str) -> Vec<u8> {
        let mut out = self.flush();
        out.extend(self.write(format!("{text}\n").as_bytes()));
        out
    }

    /// Writes the rest of an unfinished last line.
    pub fn flush(&mut self) -> Vec<u8> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let mut rest = std::mem::take(&mut self.pending);
        rest.push(b'\n');
        self.put(rest)
    }

    /// Cuts the log to its final size. Nothing is written after that.
    pub fn finish(mut self) -> Vec<u8> {
        let rest = self.flush();
        if self.size > self.bounds.kept() && self.problem.is_none() {
            // A log that is too long and cannot be cut is still a log.
            let _ = self.take_out_middle();
        }
        rest
    }

    /// Returns the error of an earlier write, if there was one. The builder's output was consumed all the same: a builder that cannot print
    /// would never end.
    pub fn problem(&mut self) -> Option<std::io::Error> {
        self.problem.take()
    }

    fn put(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let bytes = self.masks.hide(bytes);
        if self.problem.is_none() {
            self.size += bytes.len() as u64;
            let mut result = self.file.write_all(&bytes);
            if self.size > self.bounds.most() {
                result = result.and_then(|()| self.take_out_middle());
            }
            self.problem = result.err();
        }
        bytes
    }

    /// Removes the middle: replaces the log, in one step, by its first and its last part with a note between them.
    fn take_out_middle(&mut self) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let before = Gap::of(&self.file, self.bounds);
        let from = self.start_of_end()?;
        let gap = Gap {
            at: self.bounds.first,
            left_out: before.map_or(from, |gap| gap.position(from)) - self.bounds.first,
        };
        let mut new = file::temporary(folder)?;
        let mut old = &self.file;
        old.rewind()?;
        std::io::copy(&mut old.take(self.bounds.first), new.as_file_mut())?;
        new.write_all(gap.note().as_bytes())?;
        old.seek(SeekFrom::Start(from))?;
        std::io::copy(&mut old, new.as_file_mut())?;
        self.size = new.as_file().metadata()?.len();
        self.file = new.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Returns where the last part begins: at the next line, if one begins soon.
    fn start_of_end(&self) -> std::io::Result<u64> {
        let from = self.size - self.bounds.last;
        let mut soon = vec![0; MAX_LINE.min(usize::try_from(self.bounds.last).unwrap_or(MAX_LINE))];
        // The line feed of the line before counts too.
        let read = self.file.read_at(&mut soon, from - 1)?;
        let newline = soon.iter().take(read).position(|b| *b == b'\n');
        Ok(newline.map_or(from, |newline| from + newline as u64))
    }
}

/// The gap in the middle of a log, where bytes are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    /// The offset of the note about the gap.
    at: u64,
    /// The number of bytes left out.
    left_out: u64,
}

/// The longest possible note, in bytes.
const LONGEST_NOTE: usize = 96;

const NOTE: (&str, &str) = ("\nacrt: ", " bytes of this log are left out here\n");

impl Gap {
    /// Finds the gap in a file.
    fn of(file: &File, bounds: Bounds) -> Option<Self> {
        let mut text = [0; LONGEST_NOTE];
        let read = file.read_at(&mut text, bounds.first).ok()?;
        let text = text.get(..read)?.strip_prefix(NOTE.0.as_bytes())?;
        let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = text.split_at(digits);
        rest.starts_with(NOTE.1.as_bytes()).then_some(())?;
        let left_out = std::str::from_utf8(number).ok()?.parse().ok()?;
        let at = bounds.first;
        Some(Self { at, left_out })
    }

    fn note(self) -> String {
        format!("{}{}{}", NOTE.0, self.left_out, NOTE.1)
    }

    /// Returns the position among all bytes ever written of the byte at `offset` of the file.
    fn position(self, offset: u64) -> u64 {
        if offset <= self.at {
            offset
        } else {
            offset.saturating_sub(self.note().len() as u64).max(self.at) + self.left_out
        }
    }

    /// Returns the offset in the file of a position among all bytes ever written; of the note, where that byte is left out.
    fn offset(self, position: u64) -> u64 {
        if position <= self.at + self.left_out {
            position.min(self.at)
        } else {
            position - self.left_out + self.note().len() as u64
        }
    }
}

/// Reads a log piece by piece, also while it is written and its middle is removed.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    bounds: Bounds,
    file: Option<File>,
}

impl LogReader {
    /// Moves to this offset of the file, or to its end where it has become shorter.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn begin_at(&mut self, offset: u64) -> Result<()> {
        let mut skip = || -> std::io::Result<()> {
            let Some(mut file) = file::open_if_there(&self.path)? else {
                return Ok(());
            };
            let size = file.metadata()?.len();
            file.seek(SeekFrom::Start(offset.min(size)))?;
            self.file = Some(file);
            Ok(())
        };
        skip().context(Kind::Failed, || {
            format!("cannot read the log `{}`", self.path.display())
        })
    }

    /// Returns the present offset in the file.
    pub fn offset(&self) -> u64 {
        let mut file = self.file.as_ref();
        let place = file.as_mut().map(|file| file.stream_position());
        place.and_then(|place| place.ok()).unwrap_or_default()
    }

    /// Reads the next bytes; none, where there are no more for now.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.read_on(buffer).context(Kind::Failed, || {
            format!("cannot read the log `{}`", self.path.display())
        })
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(mut old) = self.file.as_ref() else {
            self.file = file::open_if_there(&self.path)?;
            return match &self.file {
                Some(_) => self.read_on(buffer),
                None => Ok(0),
            };
        };
        let read = old.read(buffer)?;
        if read > 0 || !self.is_replaced(old)? {
            return Ok(read);
        }
        // Bytes that were written to the old file after the last read and before it was replaced.
        let read = old.read(buffer)?;
        if read > 0 {
            return Ok(read);
        }
        let offset = old.stream_position()?;
        let position = Gap::of(old, self.bounds).map_or(offset, |gap| gap.position(offset));
        let mut new = open_at_once(&self.path)?;
        let offset = Gap::of(&new, self.bounds).map_or(position, |gap| gap.offset(position));
        new.seek(SeekFrom::Start(offset))?;
        let read = new.read(buffer)?;
        self.file = Some(new);
        Ok(read)
    }

    fn is_replaced(&self, file: &File) -> std::io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(now) => Ok(now.ino() != file.metadata()?.ino()),
            // The log was removed with its run: there is no more.
            Err(_) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> RunId {
        RunId::new(1)
    }

    fn log(secrets: &[&str]) -> (tempfile::TempDir, Store, Log) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        std::fs::create_dir_all(store.layout().run_folder(id())).unwrap();
        let secrets: Vec<Secret> = secrets.iter().map(|s| Secret::new(*s)).collect();
        let log = store.open_log(id(), &secrets).unwrap();
        (folder, store, log)
    }

    #[test]
    fn secrets_are_redacted_across_write_boundaries() {
        let (_folder, store, mut log) = log(&["hunter2", "hunter2-and-more"]);
        assert_eq!(log.write(b"pass=hun"), b"");
        assert_eq!(
            log.write(b"ter2-and-more, hunter2\nrest"),
            b"pass=***, ***\n"
        );
        assert_eq!(log.flush(), b"rest\n");
        let written = std::fs::read(store.layout().log(id())).unwrap();
        assert_eq!(written, b"pass=***, ***\nrest\n");
    }

    #[test]
    fn overlapping_secrets_are_redacted_whole() {
        let (_folder, _store, mut log) = log(&["abcd", "cdefgh", "secret", "cret"]);
        assert_eq!(log.write(b"abcdefgh\n"), b"***\n");
        assert_eq!(log.write(b"secretsecret cret\n"), b"****** ***\n");
    }

    #[test]
    fn secret_across_pieces_of_an_endless_line_is_redacted() {
        let (_folder, _store, mut log) = log(&["correct-horse-battery"]);
        let mut out = Vec::new();
        for at in MAX_LINE - 30..MAX_LINE + 10 {
            let mut line = vec![b'x'; at];
            line.extend_from_slice(b"correct-horse-battery");
            for piece in line.chunks(1000) {
                out.extend(log.write(piece));
            }
            out.extend(log.write(b"\n"));
        }
        assert_eq!(out.iter().filter(|b| **b == b'*').count(), 40 * 3);
        assert!(!out.windows(5).any(|part| part == b"horse"));
    }

    #[test]
    fn each_line_of_a_secret_is_redacted_and_very_short_ones_are_not() {
        let (_folder, _store, mut log) = log(&["first line\nsecond line\nab"]);
        assert_eq!(
            log.write(b"first line, second line, ab\n"),
            b"***, ***, ab\n"
        );
    }

    #[test]
    fn own_log_lines_start_on_a_new_line() {
        let (_folder, _store, mut log) = log(&[]);
        log.write(b"half a line");
        assert_eq!(log.line("run ca1 ended"), b"half a line\nrun ca1 ended\n");
    }

    const SMALL: Bounds = Bounds {
        first: 100,
        last: 300,
    };

    #[test]
    fn long_log_keeps_its_beginning_and_end_with_a_notice_between() {
        let (_folder, store, mut log) = log(&[]);
        log.bounds = SMALL;
        let mut largest = 0;
        for n in 0..1000 {
            log.write(format!("line {n:04}\n").as_bytes());
            largest = largest.max(std::fs::metadata(store.layout().log(id())).unwrap().len());
        }
        log.finish();
        assert!(largest <= SMALL.most(), "{largest}");
        let text = std::fs::read_to_string(store.layout().log(id())).unwrap();
        assert!(text.starts_with("line 0000\n") && text.ends_with("line 0999\n"));
        let (first, rest) = text.split_once("\n\nacrt: ").unwrap();
        assert!(first.ends_with("line 0009"), "{text}");
        let (left_out, last) = rest.split_once(NOTE.1).unwrap();
        assert!((290..=396).contains(&last.len()), "{text}");
        // 10,000 bytes were written in all.
        let sum = 100 + left_out.parse::<usize>().unwrap() + last.len();
        assert_eq!(sum, 10_000, "{text}");
    }

    #[test]
    fn log_reader_gets_each_line_once_while_the_middle_is_removed() {
        let (_folder, store, mut log) = log(&[]);
        log.bounds = SMALL;
        let mut reader = LogReader {
            bounds: SMALL,
            ..store.read_log(id())
        };
        let (mut seen, mut buffer) = (Vec::new(), [0; 7]);
        let mut all = String::new();
        for n in 0..500 {
            let line = format!("line {n:04}\n");
            log.write(line.as_bytes());
            all += &line;
            // The reader lags behind by up to 20 lines, which still exist.
            if n % 20 == 0 {
                while let read @ 1.. = reader.read(&mut buffer).unwrap() {
                    seen.extend_from_slice(&buffer[..read]);
                }
            }
        }
        log.finish();
        while let read @ 1.. = reader.read(&mut buffer).unwrap() {
            seen.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(String::from_utf8(seen).unwrap(), all);
    }

    #[test]
    fn log_reader_that_is_far_behind_is_notified_of_removed_lines() {
        let (_folder, store, mut log) = log(&[]);
        log.bounds = SMALL;
        let mut reader = LogReader {
            bounds: SMALL,
            ..store.read_log(id())
        };
        log.write(b"line 0000\n");
        let mut buffer = [0; 10];
        assert_eq!(reader.read(&mut buffer).unwrap(), 10);
        for n in 1..1000 {
            log.write(format!("line {n:04}\n").as_bytes());
        }
        log.finish();
        let mut seen = Vec::new();
        while let read @ 1.. = reader.read(&mut buffer).unwrap() {
            seen.extend_from_slice(&buffer[..read]);
        }
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.starts_with("line 0001\n") && seen.ends_with("line 0999\n"));
        assert!(
            seen.contains("bytes of this log are left out here\n"),
            "{seen}"
        );
    }
}
