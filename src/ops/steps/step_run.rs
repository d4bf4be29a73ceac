//! One step in progress: its deadline, its log, and how its processes are run.

use std::{cell::RefCell, path::PathBuf, time::Duration};

use tokio::time::Instant;

use crate::{
    builder::{BuildRequest, Purpose},
    error::{Error, Result},
    ops::{
        Event, EventSink, assemble,
        commands::{CommandFailure, Commands, FailedCommand},
        execution::{Failure, GRACE},
        resolve::Resolved,
        run_log::PrefixedLog,
        trust::Trust,
        why_failed::with_last_words,
    },
    source::local::TRUST_HINT,
    steps::Step,
    sys::{
        beneath::{self, Unreadable},
        command::CommandLine,
    },
};

use super::{read::within, step_context::StepContext};

/// The same for a container: its first process often ignores the signal.
pub(super) const CONTAINER_GRACE: Duration = Duration::from_secs(2);

/// How many bytes of a step's output are searched for the errors after which it is retried.
const MAX_PRINTED: usize = 1024 * 1024;

pub(super) struct StepRun<'a> {
    /// What all steps of the run share.
    pub shared: &'a StepContext<'a>,
    pub step: &'a Step,
    pub lines: PrefixedLog<'a>,
    /// When the step times out, with all its retries.
    pub deadline: Instant,
}

/// Why a try of a step failed.
#[derive(Debug)]
pub(super) enum StepFailure {
    /// A process exited with a failure: another try may help, perhaps only after certain errors.
    Exit { error: Error, printed: Vec<u8> },
    /// Another try would not help.
    Final(Failure),
}

impl<E: Into<Failure>> From<E> for StepFailure {
    fn from(failure: E) -> Self {
        Self::Final(failure.into())
    }
}

impl<'a> StepRun<'a> {
    /// Starts a step: its timeout runs from now on.
    pub fn begin(shared: &'a StepContext<'a>, step: &'a Step) -> Self {
        Self {
            shared,
            step,
            lines: shared.lines_of(&step.id),
            deadline: Instant::now() + Duration::from_secs(u64::from(step.limits.timeout)),
        }
    }

    /// Reports a warning, and writes it to the log too.
    pub fn warn(&self, text: &str) {
        self.lines.say(text);
        let warning = Event::Warning(format!("step `{}`: {text}", self.step.id));
        self.lines.log.events.send(warning);
    }

    /// Warns of a secret that other users of the machine can see.
    pub fn warn_of_bare_secret(&self) {
        self.warn("a secret is among the arguments of the command, where other users of this machine can see it while it runs; hand it over in `env`");
    }

    /// Carries out an operation, and gives it up when the steps are to stop or the run has timed out.
    pub async fn unless_stopped<T>(
        &self,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        let shared = self.shared;
        Ok(shared
            .execution
            .until_stopped(&shared.stop, operation)
            .await??)
    }

    /// Resolves images, unless the step is stopped. The result is recorded and logged, and warnings become those of the step.
    pub async fn resolve(
        &self,
        resolve: impl AsyncFnOnce(&EventSink<'_>) -> Result<Resolved>,
    ) -> Result<Resolved, Failure> {
        let warnings = RefCell::new(Vec::new());
        let resolved = {
            let events = EventSink::new(|event| {
                if let Event::Warning(text) = event {
                    warnings.borrow_mut().push(text);
                }
            });
            self.unless_stopped(resolve(&events)).await?
        };
        let (app, mut found) = (self.shared.execution.app, self.shared.found.borrow_mut());
        found.take(&self.step.id, &resolved.dependencies, &resolved.untracked);
        for line in resolved.in_words() {
            self.lines.say(&line);
        }
        for registry in assemble::unverified(app, resolved.pulled.keys()) {
            let skips = app.settings.registry(&registry).skip_verify;
            if skips && found.unverified.insert(registry.clone()) {
                self.lines.log.say(&assemble::not_verified(&registry));
            }
        }
        for text in warnings.take() {
            self.warn(&text);
        }
        Ok(resolved)
    }

    /// Runs a process of the step to its end. `what` describes it in messages; `grace` is the time that it has when it is told to stop.
    pub async fn run(
        &self,
        what: &str,
        line: CommandLine,
        grace: Duration,
    ) -> Result<(), StepFailure> {
        let ran = self.process(line, grace).await;
        ran.map_err(|why| self.failed(what, why, because_of_words))?;
        Ok(())
    }

    /// Runs a command line of the builder, and returns its output; `request` is what is built or pushed.
    pub async fn run_builder(
        &self,
        line: CommandLine,
        purpose: &Purpose,
        request: &BuildRequest,
    ) -> Result<Vec<u8>, StepFailure> {
        let builder = &self.shared.on.builder;
        let ran = self.process(line, GRACE).await;
        ran.map_err(|why| {
            self.failed(&purpose.to_string(), why, |error, command| {
                with_last_words(error, command, builder, purpose, request)
            })
        })
    }

    fn commands(&self) -> Commands<'_> {
        let limit = self.step.limits.timeout;
        let too_long = format!("step `{}` took longer than {limit} seconds", self.step.id);
        Commands {
            execution: self.shared.execution,
            run: self.shared.run.run_id,
            lines: &self.lines,
            stop: &self.shared.stop,
            limit: Some((self.deadline, too_long)),
        }
    }

    /// Returns the failure of the step when its time is over.
    pub fn too_long(&self) -> Failure {
        self.commands().too_long()
    }

    async fn process(&self, line: CommandLine, grace: Duration) -> Result<Vec<u8>, CommandFailure> {
        self.lines.line(&format!("$ {line}"));
        self.commands().run(line, grace, MAX_PRINTED).await
    }

    fn failed(
        &self,
        what: &str,
        why: CommandFailure,
        add_words: impl FnOnce(Error, &FailedCommand) -> Error,
    ) -> StepFailure {
        let command: FailedCommand = match why {
            CommandFailure::Exit(command) => command,
            CommandFailure::Final(failure) => return StepFailure::Final(failure),
        };
        let how = command.how(&format!("the exit code of {what}"), what);
        let text = format!("step `{}` failed: {how}", self.step.id);
        StepFailure::Exit {
            error: add_words(Error::failed(text), &command),
            printed: command.printed,
        }
    }

    /// Returns a folder of the workspace as a path on this machine. If the file is a guest's, no link on the way may lead outside.
    pub fn directory(&self, working_directory: Option<&str>, path: &str) -> Result<PathBuf> {
        let clean = inside(working_directory, path)?;
        let root = self.shared.workspace.workspace();
        if self.shared.read.trust == Trust::Guest {
            return beneath::folder_in(&root, &clean).map_err(|problem| {
                let text = format!("cannot use the folder `{path}` of the workspace");
                let hint = match problem {
                    Unreadable::Outside => TRUST_HINT,
                    _ => "name a folder of the context, or one that an earlier step makes",
                };
                Error::invalid(text).because(problem).hint(hint)
            });
        }
        Ok(if clean.as_os_str().is_empty() {
            root
        } else {
            root.join(clean)
        })
    }
}

/// Adds the last lines of a container to an error, without advice about the builder.
fn because_of_words(error: Error, command: &FailedCommand) -> Error {
    match command.said.as_slice() {
        [] => error,
        said => error.because(anyhow::anyhow!(said.join("; "))),
    }
}

/// Returns a path relative to the workspace.
pub(super) fn inside(working_directory: Option<&str>, path: &str) -> Result<PathBuf> {
    within(working_directory, path.as_ref()).ok_or_else(|| {
        Error::invalid(format!("`{path}` is outside the workspace"))
            .hint("name a path below the context")
    })
}
