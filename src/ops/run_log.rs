//! The log of a run, and the events about it: each line of the log is also an event.

use std::cell::RefCell;

use crate::{
    builder::FailureExcerpt,
    error::{Error, Result},
    store::log::Log,
    sys::{
        command::CommandLine,
        process::{self, Ended, Limits},
        secret::Secret,
        signal::Stop,
    },
};

use super::{Event, EventSink};

/// Writes the log of a run, and sends events about it. It is shared by the concurrent parts of a run.
pub struct RunLog<'a> {
    log: RefCell<Log>,
    /// Receives everything that is not a line of the log, too.
    pub events: &'a EventSink<'a>,
}

impl<'a> RunLog<'a> {
    pub const fn new(log: Log, events: &'a EventSink<'a>) -> Self {
        let log = RefCell::new(log);
        Self { log, events }
    }

    /// Hides further secrets in the log, from now on.
    pub fn hide(&self, secrets: &[Secret]) {
        self.log.borrow_mut().hide(secrets);
    }

    /// Returns an error as the log would show it: what failed may have read a secret, and quote it.
    pub fn masked(&self, error: Error) -> Error {
        let log = self.log.borrow();
        error.with_texts(|text| log.masked(text))
    }

    pub fn line(&self, text: &str) {
        let written = self.log.borrow_mut().line(text);
        self.events.send(Event::Log(&written));
    }

    /// Writes a line of acrt's own among those of a builder.
    pub fn say(&self, text: &str) {
        self.line(&format!("acrt: {text}"));
    }

    /// Returns the value of a result. An error becomes a line, and the caller goes on without the value.
    pub fn report<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.say(&error.one_line())).ok()
    }

    /// Returns the lines of a run without parts.
    pub fn lines(&'a self) -> PrefixedLog<'a> {
        PrefixedLog {
            log: self,
            prefix: String::new(),
        }
    }

    /// Reports what is being done from now on.
    pub fn doing(&self, what: String) {
        self.events.send(Event::Doing(what));
    }

    /// Writes output of a program as it comes. Returns whole lines as they were written, without secrets.
    fn write(&self, bytes: &[u8]) -> Vec<u8> {
        let written = self.log.borrow_mut().write(bytes);
        self.events.send(Event::Log(&written));
        written
    }

    /// Writes a last line without a line end, and returns it as it was written.
    fn flush(&self) -> Vec<u8> {
        let rest = self.log.borrow_mut().flush();
        self.events.send(Event::Log(&rest));
        rest
    }

    /// Returns the error that prevented a part of the log from being written, if there was one.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the id of the run.
    pub fn check(&self, id: impl std::fmt::Display) -> Result<()> {
        match self.log.borrow_mut().problem() {
            Some(problem) => {
                let text = format!("cannot write the log of run `{id}`");
                Err(Error::failed(text).because(problem))
            }
            None => Ok(()),
        }
    }

    pub fn finish(self) {
        self.log.into_inner().finish();
    }
}

/// The lines of one part of a run in its log, each with a prefix. The prefix is empty if the run has no other parts.
#[derive(Clone)]
pub struct PrefixedLog<'a> {
    pub log: &'a RunLog<'a>,
    pub prefix: String,
}

impl PrefixedLog<'_> {
    pub fn line(&self, text: &str) {
        self.log.line(&format!("{}{text}", self.prefix));
    }

    /// Writes one line of acrt's own.
    pub fn say(&self, text: &str) {
        self.line(&format!("acrt: {text}"));
    }

    /// Runs a program to its end, with its output in the log. `seen` gets the output too. Returns its last lines as well.
    pub async fn run(
        &self,
        line: &CommandLine,
        limits: &Limits,
        stop: &Stop,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<(Ended, FailureExcerpt)> {
        let (log, prefix) = (self.log, self.prefix.as_str());
        let mut lines = PrefixedLines {
            prefix,
            pending: Vec::new(),
        };
        let mut words = FailureExcerpt::default();
        let mut heard = |written: &[u8]| {
            for line in written.split_inclusive(|b| *b == b'\n') {
                words.take(line.strip_prefix(prefix.as_bytes()).unwrap_or(line));
            }
        };
        let ended = process::run(line, limits, stop, &mut |bytes| {
            seen(bytes);
            let whole = lines.take(bytes, |begun| log.log.borrow().safe_end(begun));
            heard(&log.write(&whole));
        })
        .await?;
        let mut written = log.write(&lines.rest());
        written.append(&mut log.flush());
        heard(&written);
        Ok((ended, words))
    }
}

/// Adds a prefix to each line.
struct PrefixedLines<'p> {
    prefix: &'p str,
    pending: Vec<u8>,
}

impl PrefixedLines<'_> {
    /// The maximum length of a line that is held back.
    const LONGEST: usize = 64 * 1024;

    /// Takes bytes, and returns the lines that they complete. A longer line is broken at an end where `safe_end` finds no secret.
    fn take(&mut self, bytes: &[u8], safe_end: impl Fn(&[u8]) -> usize) -> Vec<u8> {
        if self.prefix.is_empty() {
            // The log itself holds back what it has to.
            return bytes.to_vec();
        }
        let mut out = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                out.extend_from_slice(self.prefix.as_bytes());
                out.append(&mut self.pending);
            } else if self.pending.len() >= Self::LONGEST {
                let behind = self.pending.split_off(safe_end(&self.pending));
                out.extend(self.rest());
                self.pending = behind;
            }
        }
        out
    }

    fn rest(&mut self) -> Vec<u8> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let mut out = self.prefix.as_bytes().to_vec();
        out.append(&mut self.pending);
        out.push(b'\n');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::Store, task::RunId};

    #[test]
    fn log_lines_are_prefixed_with_their_step() {
        let mut lines = PrefixedLines {
            prefix: "test | ",
            pending: Vec::new(),
        };
        let mut take = |bytes: &[u8]| lines.take(bytes, <[u8]>::len);
        assert_eq!(take(b"one\ntw"), b"test | one\n");
        assert_eq!(take(b"o\n\nx"), b"test | two\ntest | \n");
        assert_eq!(lines.rest(), b"test | x\n");
        assert_eq!(lines.rest(), b"");
    }

    #[test]
    fn error_of_a_run_has_no_secrets_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let (store, id) = (Store::at(folder.path()), RunId::new(1));
        std::fs::create_dir_all(store.layout().run_folder(id)).unwrap();
        let log = store.open_log(id, &[Secret::new("hunter2")]).unwrap();
        let events = EventSink::none();
        let log = RunLog::new(log, &events);
        let cause = anyhow::anyhow!("`r.io/base:hunter2` is no image");
        let error = Error::invalid("cannot build").because(cause);
        assert_eq!(
            log.masked(error).one_line(),
            "cannot build: `r.io/base:***` is no image"
        );
    }

    #[tokio::test]
    async fn secret_is_redacted_anywhere_in_an_endless_log_line() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let id = RunId::new(1);
        std::fs::create_dir_all(store.layout().run_folder(id)).unwrap();
        let (secret, stop) = ("canary-0123456789", Stop::never());
        let limits = Limits {
            timeout: None,
            grace: std::time::Duration::ZERO,
        };
        for prefix in ["", "test | "] {
            for before in (PrefixedLines::LONGEST - secret.len())..=PrefixedLines::LONGEST {
                let text = folder.path().join("text");
                let body = format!("{}{secret}{}", "x".repeat(before), "y".repeat(70_000));
                std::fs::write(&text, body).unwrap();
                let log = store.open_log(id, &[Secret::new(secret)]).unwrap();
                let events = EventSink::none();
                let log = RunLog::new(log, &events);
                let lines = PrefixedLog {
                    log: &log,
                    prefix: prefix.to_owned(),
                };
                let line = CommandLine::new("/bin/cat").arg(text.display().to_string());
                lines.run(&line, &limits, &stop, |_| {}).await.unwrap();
                log.finish();
                let written = std::fs::read_to_string(store.layout().log(id)).unwrap();
                assert_eq!(written.matches("***").count(), 1, "{before}");
                assert!(!written.contains("0123"), "{before}");
                std::fs::remove_file(store.layout().log(id)).unwrap();
            }
        }
    }
}
