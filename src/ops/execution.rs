//! What one run is: its definition, its secrets, its builders, and what ends it before its time.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeSet,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Reference},
    store::secrets::Secrets,
    sys::{
        secret::Secret,
        signal::{Signal, Stop},
    },
    task::{
        Run, RunStatus, Step, Task,
        template::{self, RunVariables},
    },
    watch::{Descendants, ReadFile},
};

use super::{
    App, adopt,
    credential::logins,
    run_request::{Assignment, DEFAULT_JOBS},
};

/// How long a builder has to end by itself when it is told to.
pub const GRACE: Duration = Duration::from_secs(10);

/// How a run ended badly: its status, and why.
#[derive(Debug)]
pub struct Failure {
    /// The status that the run gets.
    pub status: RunStatus,
    /// Why. Its kind picks the exit code.
    pub error: Error,
}

impl Failure {
    /// A run of which nothing can be said for sure, so that nothing of it is recorded.
    pub(super) fn unsure(error: Error) -> Self {
        Self {
            status: RunStatus::Error,
            error,
        }
    }

    pub(super) fn stopped(signal: Signal) -> Self {
        let why = match signal {
            Signal::Interrupt => "it was canceled, by Ctrl-C or `acrt task cancel-run`".into(),
            _ => format!("the run was stopped by {signal}"),
        };
        Self {
            status: RunStatus::Canceled,
            error: Error::new(signal.kind(), why),
        }
    }

    /// A run that took longer than its task allows.
    pub(super) fn too_long(task: &Task) -> Self {
        let why = format!("the run took longer than {} seconds", task.timeout);
        Self {
            status: RunStatus::Timeout,
            error: Error::new(Kind::Failed, why),
        }
    }
}

impl From<Error> for Failure {
    /// What could not be found out is no failure of the build.
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            Kind::Unknown | Kind::BuilderAway => RunStatus::Error,
            Kind::Interrupted | Kind::Terminated => RunStatus::Canceled,
            _ => RunStatus::Failed,
        };
        Self { status, error }
    }
}

/// A run that has ended, and why it did not succeed if it did not.
#[derive(Debug)]
pub struct Finished {
    pub run: Run,
    pub error: Option<Error>,
}

/// What the files of a local context name, and these files.
#[derive(Debug)]
pub struct Named {
    pub(super) bases: Vec<Reference>,
    pub(super) files: Vec<ReadFile>,
}

/// One run in the making.
pub struct Execution<'a> {
    pub app: &'a App,
    /// The definition that is carried out, with what one run overrides.
    pub task: Task,
    /// Whether `task` is the stored definition: only then is what it depended on recorded.
    pub recorded: bool,
    pub secrets: Secrets,
    /// How many steps of a multi-step file may work at once.
    pub jobs: usize,
    /// The definition as it is stored, once `task` has its context on this machine.
    pub stored: Option<Task>,
    /// What the files of a local context named when the run began; none where that is not asked.
    pub named: Option<Named>,
    /// What it is made of, once that is read: another value is worth another try.
    pub inputs: OnceCell<Digest>,
    /// What it must not depend on, where a caller that knows all tasks has found that out.
    pub descendants: Option<Descendants>,
    /// The builders on which it has a place; none leaves it to the task.
    pub placed: Vec<Assignment>,
    /// The builders that have been pruned for it.
    pub pruned: RefCell<BTreeSet<String>>,
    pub stop: &'a Stop,
    /// When it has taken too long: the timeout of its task, from its first byte to its last.
    pub deadline: Instant,
}

impl<'a> Execution<'a> {
    /// Returns a run that begins now, of which nothing is recorded.
    pub fn of(app: &'a App, task: Task, secrets: Secrets, stop: &'a Stop) -> Self {
        let allowed = Duration::from_secs(task.timeout.into());
        Self {
            app,
            task,
            recorded: false,
            secrets,
            jobs: DEFAULT_JOBS,
            stored: None,
            named: None,
            inputs: OnceCell::new(),
            descendants: None,
            placed: Vec::new(),
            pruned: RefCell::default(),
            stop,
            deadline: Instant::now() + allowed,
        }
    }

    /// Waits until the run is to stop or has taken too long.
    pub(super) async fn cut_short(&self, stop: &Stop) -> Failure {
        tokio::select! {
            signal = stop.wait() => Failure::stopped(signal),
            () = tokio::time::sleep_until(self.deadline) => Failure::too_long(&self.task),
        }
    }

    /// Gives up an operation when the run is to stop or has taken too long.
    pub(super) async fn unless_stopped<T>(
        &self,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            result = operation => Ok(result?),
            failure = self.cut_short(self.stop) => Err(failure),
        }
    }

    /// Returns everything that must not be in the log.
    pub(super) fn all_secrets(&self) -> Vec<Secret> {
        let arguments = self.secrets.arguments.values().cloned();
        let values = self.secrets.values.values().cloned();
        let passwords = logins(&self.secrets).unwrap_or_default();
        let token = self.secrets.git_access_token.iter().cloned();
        let variables = self.secret_variables().unwrap_or_default();
        arguments
            .chain(values)
            .chain(token)
            .chain(passwords.into_iter().map(|login| login.secret))
            .chain(variables.into_iter().map(|(_, value)| value))
            .collect()
    }

    /// Returns the variables that the definition takes secrets of its build from, with their values.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where one is not set.
    pub(super) fn secret_variables(&self) -> Result<Vec<(String, Secret)>> {
        let Step::Docker(step) = &self.task.step else {
            return Ok(Vec::new());
        };
        let secrets = step.options.iter();
        let secrets = secrets.filter_map(|option| option.strip_prefix("--secret="));
        let names = secrets.filter_map(|one| one.split(',').find_map(|it| it.strip_prefix("env=")));
        let value = |name: &str| {
            let value = adopt::variable(&self.task, name).ok_or_else(|| {
                let text = format!(
                    "variable `{name}` is not set, which a secret of the build is taken from"
                );
                Error::new(Kind::Invalid, text)
                    .hint("set it where acrt runs, or in the `.env` beside the compose file")
            })?;
            Ok((name.to_owned(), Secret::new(value)))
        };
        names.map(value).collect()
    }

    /// Returns the images that the run pushes.
    pub(super) fn images(&self, run: &Run) -> Result<Vec<Reference>> {
        let images = self.task.images(&self.variables(run));
        images.map_err(|problem| self.unusable().because(problem))
    }

    /// Returns the names of the images with run variables filled in, whatever they name.
    pub(super) fn image_names(&self, run: &Run) -> Result<Vec<String>> {
        let variables = self.variables(run);
        let names = self.task.step.image_names().iter();
        names
            .map(|name| template::render(name, &variables))
            .collect::<Result<_, _>>()
            .map_err(|problem| self.unusable().because(problem))
    }

    fn unusable(&self) -> Error {
        Error::new(
            Kind::Invalid,
            format!("cannot use the images of task `{}`", self.task.name),
        )
    }

    /// Returns what the run variables of templates stand for.
    pub(super) fn variables(&self, run: &Run) -> RunVariables {
        // Once it is fetched, the task's own context is a folder.
        let task = self.stored.as_ref().unwrap_or(&self.task);
        let commit = run.source_commit.as_deref();
        RunVariables {
            triggered_by: run.triggered_by().into(),
            ..task.run_variables(run.run_id, run.create_time, commit)
        }
    }
}
