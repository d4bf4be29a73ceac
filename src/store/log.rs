//! The log of a run: what its builder printed, with secrets hidden.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt as _,
};

use crate::{
    error::{Context as _, Kind, Result},
    sys::secret::Secret,
    task::RunId,
};

use super::Store;

/// How much of a log is kept. A builder that prints for ever must not fill the disk.
const MAX_LOG: usize = 64 * 1024 * 1024;

/// The longest piece of a line that is held back to look for secrets in it.
const MAX_LINE: usize = 64 * 1024;

/// Secrets shorter than this are not looked for: they would blot out half of the log.
const SHORTEST_SECRET: usize = 4;

/// The open log of a run. Takes bytes as they come and hands on whole lines.
#[derive(Debug)]
pub struct Log {
    file: File,
    secrets: Vec<String>,
    pending: Vec<u8>,
    written: usize,
    problem: Option<std::io::Error>,
}

impl Store {
    /// Opens the log of a run. The values in `secrets` will not be in it.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn open_log(&self, id: RunId, secrets: &[Secret]) -> Result<Log> {
        let path = self.layout.log(id);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .context(Kind::Failed, || {
                format!("cannot write the log `{}`", path.display())
            })?;
        let mut log = Log {
            file,
            secrets: Vec::new(),
            pending: Vec::new(),
            written: 0,
            problem: None,
        };
        log.hide(secrets);
        Ok(log)
    }
}

impl Log {
    /// Keeps further values out of the log, from now on.
    pub fn hide(&mut self, secrets: &[Secret]) {
        let lines = secrets
            .iter()
            .flat_map(|secret| secret.reveal().lines().map(str::to_owned));
        self.secrets
            .extend(lines.filter(|line| line.len() >= SHORTEST_SECRET));
        // A secret that contains another one must be hidden first, and whole.
        self.secrets
            .sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Takes bytes, and returns the lines that they complete, as they were written.
    pub fn write(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.pending.extend_from_slice(bytes);
        let end = match self.pending.iter().rposition(|b| *b == b'\n') {
            Some(newline) => newline + 1,
            None if self.pending.len() >= MAX_LINE => self.pending.len(),
            None => return Vec::new(),
        };
        let whole: Vec<u8> = self.pending.drain(..end).collect();
        self.put(whole)
    }

    /// Writes one line of acrt's own.
    pub fn line(&mut self, text: &str) -> Vec<u8> {
        let mut out = self.flush();
        out.extend(self.write(format!("{text}\n").as_bytes()));
        out
    }

    /// Writes what is left of a last line without an end.
    pub fn flush(&mut self) -> Vec<u8> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let mut rest = std::mem::take(&mut self.pending);
        rest.push(b'\n');
        self.put(rest)
    }

    /// Returns what went wrong while writing, if anything did. The builder's output was taken all the same: a builder
    /// that cannot print would never end.
    pub fn problem(&mut self) -> Option<std::io::Error> {
        self.problem.take()
    }

    fn put(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let bytes = hide(&self.secrets, bytes);
        if self.written < MAX_LOG && self.problem.is_none() {
            self.written += bytes.len();
            let mut result = self.file.write_all(&bytes);
            if self.written >= MAX_LOG {
                let note = b"acrt: the log is cut here, it has grown too large\n";
                result = result.and_then(|()| self.file.write_all(note));
            }
            self.problem = result.err();
        }
        bytes
    }
}

/// Replaces every secret in `bytes` by `***`.
fn hide(secrets: &[String], bytes: Vec<u8>) -> Vec<u8> {
    secrets.iter().fold(bytes, |bytes, secret| {
        let needle = secret.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.windows(needle.len()).position(|part| part == needle) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(b"***");
            rest = &rest[at + needle.len()..];
        }
        out.extend_from_slice(rest);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(secrets: &[&str]) -> (tempfile::TempDir, Store, Log) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        std::fs::create_dir_all(store.layout().run_folder(RunId::new(1))).unwrap();
        let secrets: Vec<Secret> = secrets.iter().map(|s| Secret::new(*s)).collect();
        let log = store.open_log(RunId::new(1), &secrets).unwrap();
        (folder, store, log)
    }

    #[test]
    fn secrets_are_hidden_even_when_they_arrive_in_pieces() {
        let (_folder, store, mut log) = log(&["hunter2", "hunter2-and-more"]);
        assert_eq!(log.write(b"pass=hun"), b"");
        assert_eq!(
            log.write(b"ter2-and-more, hunter2\nrest"),
            b"pass=***, ***\n"
        );
        assert_eq!(log.flush(), b"rest\n");
        let written = std::fs::read(store.layout().log(RunId::new(1))).unwrap();
        assert_eq!(written, b"pass=***, ***\nrest\n");
    }

    #[test]
    fn each_line_of_a_secret_is_hidden_and_very_short_ones_are_not() {
        let (_folder, _store, mut log) = log(&["first line\nsecond line\nab"]);
        assert_eq!(
            log.write(b"first line, second line, ab\n"),
            b"***, ***, ab\n"
        );
    }

    #[test]
    fn own_lines_start_on_a_line_of_their_own() {
        let (_folder, _store, mut log) = log(&[]);
        log.write(b"half a line");
        assert_eq!(log.line("run ca1 ended"), b"half a line\nrun ca1 ended\n");
    }
}
