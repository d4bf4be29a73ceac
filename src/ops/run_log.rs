//! The log of a run, and whoever watches the run: what is written into the one is told to the other, as it was written.

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
