//! Carries out a run in a process of its own, and records its result even if that process dies.
//!
//! Code that reads, renders, resolves, fetches, unpacks or builds for one task can hang, run out of memory or die: only its own run is
//! affected.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Context as _, Error, Kind, Result},
    store::{
        runs::{HeldRun, MARKER},
        secrets::Secrets,
    },
    sys::{
        command::CommandLine,
        config::LimitSettings,
        process::{self, Ended, Limits},
        signal::{Signal, Stop},
    },
    task::{RunStatus, Task},
};

use super::{
    App, Event, EventSink, execute,
    execution::{Execution, Failure, Finished, GRACE},
    recovery::remove_leftovers,
    run_request::RunRequest,
};

/// How much longer than it takes to end its builder a process may live after it is told to stop: to record the result.
const MARGIN: Duration = Duration::from_secs(2);

/// How much longer than that a process may live whose time is up: to find out what a builder that may hang has left, and whether it is away.
const INQUIRY: Duration = Duration::from_mins(1);

/// How many bytes of a process's other output are kept, as its last words in case it dies.
const LAST_WORDS: usize = 2048;

/// The maximum length of a message line, in bytes. The longest message is a piece of a log: 64 KiB and a line end, each byte as an escape of
/// six bytes at worst.
const MAX_MESSAGE: usize = 2 * 1024 * 1024;

/// The messages of a run's process to its supervisor, one line of JSON each: the events of the same names, and the end of the run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkerMessage {
    Doing(String),
    Note(String),
    Warning(String),
    Problem(ErrorText),
    Detail(String),
    /// [`Event::Log`], with a character for each byte, because a builder's output may not be UTF-8.
    Log(String),
    /// The run has ended, with the error if it failed.
    Ended(Option<ErrorText>),
}

/// What the process of a run gets on its standard input: it may hold secrets, which other users could read in a command line.
#[derive(Debug, Serialize, Deserialize)]
pub struct WorkerInput<R> {
    /// The text of the config file as the supervisor has read it: an edit in progress must not make a run fail.
    pub config: String,
    pub request: R,
}

impl<'a> WorkerInput<&'a RunRequest> {
    pub fn of(app: &App, request: &'a RunRequest) -> Self {
        Self {
            config: app.settings.config_text.clone().unwrap_or_default(),
            request,
        }
    }

    /// Returns it as JSON.
    pub fn text(&self) -> Result<Vec<u8>> {
        let cannot = || "cannot hand on the request".to_owned();
        serde_json::to_vec(self).context(Kind::Failed, cannot)
    }
}

/// An error in a message between processes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorText {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl From<&Error> for ErrorText {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.to_string(),
            causes: error.causes(),
            hint: error.advice().map(str::to_owned),
        }
    }
}

impl From<ErrorText> for Error {
    fn from(text: ErrorText) -> Self {
        let mut causes = text.causes.into_iter().rev();
        let cause = causes
            .next()
            .map(|first| causes.fold(anyhow::anyhow!(first), |below, cause| below.context(cause)));
        let error = Self::new(text.kind, text.message);
        let error = match cause {
            Some(cause) => error.because(cause),
            None => error,
        };
        match text.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl WorkerMessage {
    /// Returns the message for an event; `None` for an event that is in the record of the run, and for the log unless it is followed.
    pub fn of(event: &Event<'_>, follows_log: bool) -> Option<Self> {
        match event {
            Event::Doing(text) => Some(Self::Doing(text.clone())),
            Event::Note(text) => Some(Self::Note(text.clone())),
            Event::Warning(text) => Some(Self::Warning(text.clone())),
            Event::Problem(error) => Some(Self::Problem(error.into())),
            Event::Detail(text) => Some(Self::Detail(text.clone())),
            Event::Log(bytes) if follows_log => {
                Some(Self::Log(bytes.iter().copied().map(char::from).collect()))
            }
            _ => None,
        }
    }

    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// What a process has sent so far.
#[derive(Debug, Default)]
struct WorkerOutput {
    pending: Vec<u8>,
    last_words: Vec<u8>,
    error: Option<Error>,
}

impl WorkerOutput {
    fn take(&mut self, bytes: &[u8], events: &EventSink<'_>) {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            self.line(&line, events);
        }
        if self.pending.len() > MAX_MESSAGE {
            let line = std::mem::take(&mut self.pending);
            self.line(&line, events);
        }
    }

    fn line(&mut self, line: &[u8], events: &EventSink<'_>) {
        match serde_json::from_slice(line) {
            Ok(WorkerMessage::Doing(text)) => events.send(Event::Doing(text)),
            Ok(WorkerMessage::Note(text)) => events.send(Event::Note(text)),
            Ok(WorkerMessage::Warning(text)) => events.send(Event::Warning(text)),
            Ok(WorkerMessage::Problem(error)) => events.send(Event::Problem(error.into())),
            Ok(WorkerMessage::Detail(text)) => events.send(Event::Detail(text)),
            Ok(WorkerMessage::Log(text)) => {
                let bytes: Vec<u8> = text
                    .chars()
                    .filter_map(|it| u8::try_from(it).ok())
                    .collect();
                events.send(Event::Log(&bytes));
            }
            Ok(WorkerMessage::Ended(error)) => self.error = error.map(Error::from),
            Err(_) => {
                self.last_words.extend_from_slice(line);
                let too_many = self.last_words.len().saturating_sub(LAST_WORDS);
                self.last_words.drain(..too_many);
            }
        }
    }
}

/// Returns the command line of this program that carries out a run, with the same global options.
///
/// # Errors
///
/// [`Kind::Failed`] where the program cannot find its own file.
pub(super) fn own_command(app: &App) -> Result<CommandLine> {
    // Use the running program, even if its file has been replaced by a newer one since.
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() {
        running
    } else {
        std::env::current_exe().context(Kind::Failed, || {
            "cannot find this program itself".to_owned()
        })?
    };
    let mut line = CommandLine::new(program).arg("execute").inheriting_all();
    let global_options = &app.global_options;
    line = line.flag("--state-dir", app.store.layout().root());
    if let Some(config) = &global_options.config {
        line = line.flag("--config", config);
    }
    if let Some(builder) = &global_options.builder {
        line = line.flag("--builder", builder);
    }
    if global_options.allow_unsafe_permissions {
        line = line.arg("--allow-unsafe-permissions");
    }
    Ok(line)
}

/// Carries out a run, whose record this process holds, in a process of its own, and ends its record.
///
/// # Errors
///
/// [`Kind::Failed`] where the process cannot be started or the state directory cannot be used. The result of the run itself is in
/// [`Finished`].
pub async fn supervise(
    app: &App,
    task: &Task,
    request: &RunRequest,
    mut held: HeldRun,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Finished> {
    let id = held.run.run_id;
    let input = WorkerInput::of(app, request).text()?;
    let marker = app.store.layout().run_folder(id).display().to_string();
    let mut line = own_command(app)?.env(MARKER, &marker);
    if !app.clock.is_real() {
        line = line.env("ACRT_NOW", app.clock.now().to_string());
    }
    let allowed = Limits {
        timeout: Some(Duration::from_secs(task.timeout.into()) + GRACE + INQUIRY + MARGIN),
        grace: GRACE + MARGIN,
    };
    let mut worker_output = WorkerOutput::default();
    let of_run = EventSink::new(|event| match event {
        Event::Doing(what) => {
            let what = format!("{}: {what}, run {id}", task.name);
            events.send(Event::RunDoing { id, what });
        }
        other => events.send(other),
    });
    let ended = process::work(&line, &input, &allowed, stop, &mut |bytes| {
        worker_output.take(bytes, &of_run);
    })
    .await?;
    if let Some(run) = app.store.run(id)? {
        held.run = run;
    }
    if held.run.status.is_open() {
        let failure = failure(app, task, ended, &worker_output);
        remove_leftovers(app, id, events).await?;
        let never = Stop::never();
        let execution = Execution {
            recorded: request.is_recorded(),
            ..Execution::of(app, task.clone(), Secrets::default(), &never)
        };
        return execute::fail(&execution, held, failure, events);
    }
    if matches!(held.run.status, RunStatus::Timeout | RunStatus::Canceled) {
        // The process of the run has ended the process group of its builder; a child of that may have left the group.
        events.report(process::end_marked_processes(MARKER, &marker).await);
    }
    let run = app.store.end_run(held)?;
    events.send(Event::Ended {
        id,
        task: &task.key(),
        status: run.status,
        reason: run.run_error_message.as_deref(),
    });
    let error = match run.status {
        RunStatus::Succeeded => None,
        status => {
            let is_canceled = status == RunStatus::Canceled;
            let signal = stop.requested().filter(|_| is_canceled);
            // That a run was canceled by itself does not stop the process that supervises it.
            let said = worker_output.error;
            let said = said.filter(|_| signal.is_some() || !is_canceled);
            Some(said.unwrap_or_else(|| {
                // Where it is stopped twice, its process may end before it has said that.
                let recorded = run.run_error_message.as_deref();
                Error::new(
                    signal.map_or(Kind::Failed, Signal::kind),
                    recorded.unwrap_or("it failed"),
                )
            }))
        }
    };
    let is_local = task.is_local();
    Ok(Finished {
        run,
        is_local,
        error,
    })
}

/// Returns the failure of a run whose process ended before the run did.
fn failure(app: &App, task: &Task, ended: Ended, worker_output: &WorkerOutput) -> Failure {
    let limits = &app.settings.config.limits;
    let last_words = String::from_utf8_lossy(&worker_output.last_words);
    match ended {
        Ended::Stopped(signal) => Failure::stopped(signal),
        Ended::TimedOut => Failure::too_long(task),
        Ended::Exited(code) => {
            let said = last_words.trim();
            let why = if said.is_empty() {
                format!("its process ended with {code} before the run did")
            } else {
                format!("its process ended with {code} before the run did: {said}")
            };
            Failure::from(Error::failed(why))
        }
        Ended::Killed(signal) => Failure::from(why_killed(signal, &last_words, limits)),
    }
}

fn why_killed(signal: i32, last_words: &str, limits: &LimitSettings) -> Error {
    if last_words.contains("overflowed its stack") {
        return Error::failed(format!(
            "what it reads is nested too deeply: its process overflowed the stack of {} MiB that limits.stackMib allows",
            limits.stack_mib
        ));
    }
    if last_words.contains("memory allocation of") {
        return Error::failed(format!(
            "its process used up the {} MiB of memory that limits.memoryMib allows",
            limits.memory_mib
        ));
    }
    match signal {
        // The kernel cannot grow the stack where the address space is used up, so that either limit may be the reason.
        SIGSEGV => Error::failed(format!(
            "its process could get no more memory: what it reads is too large or nested too deeply for the {} MiB of limits.memoryMib or the stack of {} MiB of limits.stackMib",
            limits.memory_mib, limits.stack_mib
        )),
        SIGXCPU => Error::failed(format!(
            "its process used up the {} seconds of CPU time that limits.cpuSeconds allows",
            limits.cpu_seconds
        )),
        SIGKILL => Error::failed("its process was killed from outside, perhaps for lack of memory"),
        other => Error::failed(format!("its process was killed by signal {other}")),
    }
}

const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGXCPU: i32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_kind_causes_and_hint_are_kept_between_processes() {
        let error = Error::new(Kind::Unknown, "cannot look at `x`")
            .because(anyhow::anyhow!("refused").context("no answer"))
            .hint("try again");
        let text = WorkerMessage::Ended(Some(ErrorText::from(&error))).line();
        let mut worker_output = WorkerOutput::default();
        let (first, rest) = text.as_bytes().split_at(10);
        worker_output.take(first, &EventSink::none());
        worker_output.take(rest, &EventSink::none());
        let back = worker_output.error.unwrap();
        assert_eq!(back.kind(), Kind::Unknown);
        assert_eq!(back.causes(), ["no answer", "refused"]);
        assert_eq!(back.one_line(), error.one_line());
        assert_eq!(back.advice(), Some("try again"));
    }

    #[test]
    fn log_bytes_are_kept_between_processes() {
        let bytes: Vec<u8> = (0..=255).rev().collect();
        let message = WorkerMessage::of(&Event::Log(&bytes), true).unwrap();
        let back = std::cell::RefCell::new(Vec::new());
        let events = EventSink::new(|event| {
            if let Event::Log(bytes) = event {
                back.borrow_mut().extend_from_slice(bytes);
            }
        });
        WorkerOutput::default().take(message.line().as_bytes(), &events);
        drop(events);
        assert_eq!(back.into_inner(), bytes);
        assert!(WorkerMessage::of(&Event::Log(&bytes), false).is_none());
    }

    #[test]
    fn stderr_of_a_killed_run_is_kept_as_its_failure_reason_up_to_a_limit() {
        let mut worker_output = WorkerOutput::default();
        for _ in 0..1_000 {
            worker_output.take(b"thread 'main' panicked\n", &EventSink::none());
        }
        worker_output.take(
            b"memory allocation of 99 bytes failed\n",
            &EventSink::none(),
        );
        assert!(worker_output.last_words.len() <= LAST_WORDS);
        let why = why_killed(
            6,
            &String::from_utf8_lossy(&worker_output.last_words),
            &LimitSettings::default(),
        );
        assert!(why.to_string().contains("limits.memoryMib"), "{why}");
    }

    #[test]
    fn signal_that_killed_a_run_is_reported_in_words() {
        let limits = LimitSettings::default();
        let why = |signal| why_killed(signal, "", &limits).to_string();
        assert!(
            why(SIGSEGV).contains("limits.memoryMib") && why(SIGSEGV).contains("limits.stackMib")
        );
        assert!(why(SIGXCPU).contains("CPU time"));
        assert!(why(SIGKILL).contains("killed from outside"));
        assert_eq!(why(4), "its process was killed by signal 4");
    }
}
