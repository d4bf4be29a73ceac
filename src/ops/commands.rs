//! Runs the command lines of a run: marked with the folder of the run, until the deadline of the run at most, with their output in its log.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    error::Error,
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

/// What the command lines of a run share.
pub(super) struct Commands<'a> {
    pub execution: &'a Execution<'a>,
    pub run: RunId,
    pub lines: &'a PrefixedLog<'a>,
    pub stop: &'a Stop,
    /// A deadline earlier than that of the run, and the error for a command line that exceeds it.
    pub limit: Option<(Instant, String)>,
}

/// Why a command line failed.
pub(super) enum CommandFailure {
    Exit(FailedCommand),
    /// It could not be started, or was stopped, or ran out of time.
    Final(Failure),
}

/// A command line that exited with a failure or was killed.
pub(super) struct FailedCommand {
    how: Exit,
    /// The last lines that it printed.
    pub said: Vec<String>,
    /// Its own last message; `None` where it was killed, so that the last line may be that of a program which it had started.
    pub last: Option<String>,
    /// The beginning of its output.
    pub printed: Vec<u8>,
}

enum Exit {
    Code(i32),
    Signal(i32),
}

impl FailedCommand {
    /// Says how it ended; `code` is the word for its exit code, `program` the word for the program.
    pub fn how(&self, code: &str, program: &str) -> String {
        match self.how {
            Exit::Code(number) => format!("{code} is {number}"),
            Exit::Signal(signal) => format!("{program} was killed by signal {signal}"),
        }
    }
}

impl Commands<'_> {
    /// Runs a program to its end, and returns the first `keep` bytes of its output. `grace` is the time that it has to exit by itself when it
    /// is told to stop.
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
            said: words.said(),
            last: words.last().filter(|_| matches!(how, Exit::Code(_))),
            how,
            printed,
        }))
    }

    /// Returns the failure of a command line that had no time left.
    pub fn too_long(&self) -> Failure {
        match &self.limit {
            Some((_, why)) if Instant::now() < self.execution.deadline => {
                Error::failed(why.clone()).into()
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
