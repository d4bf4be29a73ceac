//! Runs the command lines of a run, in one way for all: known by the folder of the run, for no longer than it may take, with their lines
//! in its log.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    error::{Error, Kind},
    store::runs::MARKER,
    sys::{
        command::CommandLine,
        process::{Ended, Limits},
        signal::Stop,
    },
    task::RunId,
};

use super::{
    execution::{Execution, Failure},
    run_log::PrefixedLog,
};

/// What command lines of a run are run with.
pub(super) struct Commands<'a> {
    pub execution: &'a Execution<'a>,
    pub run: RunId,
    pub lines: &'a PrefixedLog<'a>,
    /// Comes when they are to end.
    pub stop: &'a Stop,
    /// Where they may take less time than the run: until when, and what is said of one that takes longer.
    pub limit: Option<(Instant, String)>,
}

/// Why a command line came to nothing.
pub(super) enum CommandFailure {
    Exit(FailedCommand),
    /// It could not be started, or has ended with what it was for.
    Final(Failure),
}

/// A command line that failed by itself.
pub(super) struct FailedCommand {
    how: Exit,
    /// The last lines that it printed.
    pub said: Vec<String>,
    /// What it printed, as far as it was kept.
    pub printed: Vec<u8>,
}

enum Exit {
    Code(i32),
    Signal(i32),
}

impl FailedCommand {
    /// Says how it ended, where `code` is what its exit code is called, and `program` the program.
    pub fn how(&self, code: &str, program: &str) -> String {
        match self.how {
            Exit::Code(number) => format!("{code} is {number}"),
            Exit::Signal(signal) => format!("{program} was killed by signal {signal}"),
        }
    }
}

impl Commands<'_> {
    /// Runs a program to its end, and returns the first `keep` bytes of what it printed. `grace` is the time that it has to end by itself
    /// when it is told to.
    pub async fn run(
        &self,
        line: CommandLine,
        grace: Duration,
        keep: usize,
    ) -> Result<Vec<u8>, CommandFailure> {
        let run_deadline = self.execution.deadline;
        let deadline = self
            .limit
            .as_ref()
            .map_or(run_deadline, |(own, _)| (*own).min(run_deadline));
        let limits = Limits {
            timeout: Some(deadline.saturating_duration_since(Instant::now())),
            grace,
        };
        let marker = self.execution.app.store.layout().run_folder(self.run);
        let line = line.env(MARKER, marker.display().to_string());
        let mut printed = Vec::new();
        let ran = self.lines.run(&line, &limits, self.stop, |bytes| {
            let room = keep.saturating_sub(printed.len());
            printed.extend_from_slice(&bytes[..bytes.len().min(room)]);
        });
        let (ended, mut words) = ran.await.map_err(Failure::from)?;
        let how = match ended {
            Ended::Exited(0) => return Ok(printed),
            Ended::Exited(code) => Exit::Code(code),
            Ended::Killed(signal) => Exit::Signal(signal),
            Ended::Stopped(signal) => return Err(Failure::stopped(signal).into()),
            Ended::TimedOut => return Err(self.too_long().into()),
        };
        Err(CommandFailure::Exit(FailedCommand {
            how,
            said: words.said(),
            printed,
        }))
    }

    /// What becomes of what had no time left.
    pub fn too_long(&self) -> Failure {
        match &self.limit {
            Some((_, why)) if Instant::now() < self.execution.deadline => {
                Error::new(Kind::Failed, why.clone()).into()
            }
            _ => Failure::too_long(&self.execution.task),
        }
    }
}

impl From<Failure> for CommandFailure {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}
