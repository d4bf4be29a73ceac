//! The log of a run, and whoever watches the run: what is written into the one is told to the other, as it was written.

use std::cell::RefCell;

use crate::{
    builder::LastWords,
    error::{Error, Kind, Result},
    store::log::Log,
    sys::{
        command::CommandLine,
        process::{self, Ended, Limits},
        secret::Secret,
        signal::Stop,
    },
};

use super::event::{Event, EventSink};

/// Where a run tells what it does.
#[derive(Debug)]
pub struct RunLog<'a> {
    log: Log,
    /// Where all goes that is no line of the log.
    pub events: &'a EventSink<'a>,
}

impl<'a> RunLog<'a> {
    /// Writes on at the end of a log.
    #[must_use]
    pub const fn new(log: Log, events: &'a EventSink<'a>) -> Self {
        Self { log, events }
    }

    /// Keeps further values out of the log, from now on.
    pub fn hide(&mut self, secrets: &[Secret]) {
        self.log.hide(secrets);
    }

    /// Writes one line as it is.
    pub fn line(&mut self, text: &str) {
        let written = self.log.line(text);
        self.events.send(Event::Log(&written));
    }

    /// Writes one line of acrt's own among those of a builder.
    pub fn say(&mut self, text: &str) {
        self.line(&format!("acrt: {text}"));
    }

    /// Writes what a program prints, as it comes. Returns whole lines as they were written, without secrets.
    pub fn write(&mut self, bytes: &[u8]) -> Vec<u8> {
        let written = self.log.write(bytes);
        self.events.send(Event::Log(&written));
        written
    }

    /// Tells what is done from now on.
    pub fn doing(&self, what: String) {
        self.events.send(Event::Doing(what));
    }

    /// Runs a program to its end, its command line and what it prints in the log. `seen` gets what it prints too. Returns its last words
    /// as well.
    ///
    /// # Errors
    ///
    /// As [`process::run`], where it cannot be started.
    pub async fn run(
        &mut self,
        line: &CommandLine,
        limits: &Limits,
        stop: &Stop,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<(Ended, LastWords)> {
        let mut words = LastWords::default();
        let ended = process::run(line, limits, stop, &mut |bytes| {
            seen(bytes);
            words.take(&self.write(bytes));
        })
        .await?;
        let rest = self.log.flush();
        words.take(&rest);
        self.events.send(Event::Log(&rest));
        Ok((ended, words))
    }

    /// Says what kept the log from being written, if anything did.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the run.
    pub fn check(&mut self, id: impl std::fmt::Display) -> Result<()> {
        match self.log.problem() {
            Some(problem) => {
                let text = format!("cannot write the log of run `{id}`");
                Err(Error::new(Kind::Failed, text).because(problem))
            }
            None => Ok(()),
        }
    }

    /// Ends the log. Nothing is written after that.
    pub fn finish(self) {
        self.log.finish();
    }
}

/// Runs a program to its end as [`RunLog::run`] does, beside others that write to the same log: `prefix` stands before each of its lines.
///
/// # Errors
///
/// As [`process::run`], where it cannot be started.
pub async fn run_beside(
    (log, prefix): (&RefCell<&mut RunLog<'_>>, &str),
    line: &CommandLine,
    limits: &Limits,
    stop: &Stop,
    mut seen: impl FnMut(&[u8]),
) -> Result<(Ended, LastWords)> {
    let mut lines = PrefixedLines {
        prefix,
        pending: Vec::new(),
    };
    let mut words = LastWords::default();
    let mut write = |lines: &[u8]| {
        let written = log.borrow_mut().write(lines);
        for line in written.split_inclusive(|b| *b == b'\n') {
            words.take(line.strip_prefix(prefix.as_bytes()).unwrap_or(line));
        }
    };
    let ended = process::run(line, limits, stop, &mut |bytes| {
        seen(bytes);
        write(&lines.take(bytes));
    })
    .await?;
    write(&lines.rest());
    Ok((ended, words))
}

/// Puts a prefix before each line.
struct PrefixedLines<'p> {
    prefix: &'p str,
    pending: Vec<u8>,
}

impl PrefixedLines<'_> {
    /// The longest piece of a line that is held back.
    const LONGEST: usize = 64 * 1024;

    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                out.extend_from_slice(self.prefix.as_bytes());
                out.append(&mut self.pending);
            } else if self.pending.len() >= Self::LONGEST {
                out.extend(self.rest());
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

    #[test]
    fn each_line_says_whose_it_is() {
        let mut lines = PrefixedLines {
            prefix: "test | ",
            pending: Vec::new(),
        };
        assert_eq!(lines.take(b"one\ntw"), b"test | one\n");
        assert_eq!(lines.take(b"o\n\nx"), b"test | two\ntest | \n");
        assert_eq!(lines.rest(), b"test | x\n");
        assert_eq!(lines.rest(), b"");
    }
}
