//! One run: its definition, its secrets, its builders, and its deadline.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeSet,
    io::Read as _,
    path::Path,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Reference},
    secret::login_as_sent,
    store::secrets::Secrets,
    sys::{
        environment, plain_file,
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
    credential::{each_login, resolved},
    run_request::{Assignment, DEFAULT_JOBS},
};

/// How long a builder has to exit by itself when it is told to stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// How much of the file of a build secret is masked in the log.
const MAX_SECRET_FILE: u64 = 64 << 10;

/// Shorter lines of a build secret with several lines are not masked.
const SHORTEST_SECRET_LINE: usize = 8;

/// How a run failed: its status, and why.
#[derive(Debug)]
pub struct Failure {
    pub status: RunStatus,
    /// Why. The kind of the error picks the exit code.
    pub error: Error,
}

impl Failure {
    /// The failure of a run whose result is not known, so that nothing of it is recorded.
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
        let (status, error) = (RunStatus::Canceled, Error::new(signal.kind(), why));
        Self { status, error }
    }

    /// The failure of a run that took longer than its task allows.
    pub(super) fn too_long(task: &Task) -> Self {
        let why = format!("the run took longer than {} seconds", task.timeout);
        let (status, error) = (RunStatus::Timeout, Error::failed(why));
        Self { status, error }
    }
}

impl From<Error> for Failure {
    /// An error of kind unknown is not taken for a failure of the build.
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            Kind::Unknown | Kind::BuilderAway => RunStatus::Error,
            Kind::Interrupted | Kind::Terminated => RunStatus::Canceled,
            _ => RunStatus::Failed,
        };
        Self { status, error }
    }
}

/// A run that has ended, and why it failed if it did.
#[derive(Debug)]
pub struct Finished {
    pub run: Run,
    /// Whether its images stay with the builder.
    pub is_local: bool,
    pub error: Option<Error>,
}

/// The bases that the files of a local context name, how they use them, and these files.
#[derive(Debug)]
pub struct Named {
    pub(super) bases: Vec<Reference>,
    pub(super) usage: Option<Digest>,
    pub(super) files: Vec<ReadFile>,
}

/// A run that is being carried out.
pub struct Execution<'a> {
    pub app: &'a App,
    /// The definition that is carried out, with the overrides of this run.
    pub task: Task,
    /// Whether `task` is the stored definition: only then is the baseline recorded.
    pub recorded: bool,
    pub secrets: Secrets,
    /// How many steps of a multi-step file may run at once.
    pub jobs: usize,
    /// The stored definition, if `task` has its context fetched to this machine.
    pub stored: Option<Task>,
    /// What the files of a local context named when the run began; `None` where the context is not local or the run is not recorded.
    pub named: Option<Named>,
    /// A digest of the inputs, once they are read: with different inputs, a failed task is tried again.
    pub inputs: OnceCell<Digest>,
    /// The images and tasks that the task must not depend on, where a caller that knows all tasks has determined them.
    pub descendants: Option<Descendants>,
    /// The builders on which the run has a place; if empty, the task decides.
    pub placed: Vec<Assignment>,
    /// The builders that have been pruned in this run.
    pub pruned: RefCell<BTreeSet<String>>,
    pub stop: &'a Stop,
    /// When the run times out: the timeout of its task covers everything that the run does.
    pub deadline: Instant,
}

impl<'a> Execution<'a> {
    /// Returns a run that begins now and is not recorded.
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

    /// Carries out an operation, and gives it up when `stop` says so or the run has timed out.
    pub(super) async fn until_stopped<T>(
        &self,
        stop: &Stop,
        operation: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        tokio::select! {
            result = operation => Ok(result),
            signal = stop.wait() => Err(Failure::stopped(signal)),
            () = tokio::time::sleep_until(self.deadline) => Err(Failure::too_long(&self.task)),
        }
    }

    /// As [`Self::until_stopped`] with the run's own `stop`; a failure of the operation is one of the run.
    pub(super) async fn unless_stopped<T>(
        &self,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        Ok(self.until_stopped(self.stop, operation).await??)
    }

    /// Returns all secrets, which must not be in the log.
    pub(super) fn all_secrets(&self) -> Vec<Secret> {
        let arguments = self.secrets.arguments.values().cloned();
        let values = self.secrets.values.values();
        let values = values.filter_map(|it| resolved(it, "a secret value").ok());
        let logins = each_login(None, &self.secrets).filter_map(Result::ok);
        let logins = logins.flat_map(|login| {
            let sent = format!("{}:{}", login.username, login.secret.reveal());
            [login.secret, login_as_sent(&sent)]
        });
        let token = self.secrets.git_access_token.iter();
        let token = token.filter_map(|it| resolved(it, "the git access token").ok());
        let variables = self.secret_variables().unwrap_or_default();
        arguments
            .chain(values)
            .chain(token)
            .chain(logins)
            .chain(variables.into_iter().map(|(_, value)| value))
            .chain(self.secret_lines())
            .chain(environment::proxy_secrets())
            .collect()
    }

    /// Returns the environment variables that build secrets of the definition come from, with their values.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where a variable is not set.
    pub(super) fn secret_variables(&self) -> Result<Vec<(String, Secret)>> {
        let names = self.sources_of_secrets(&["env="]);
        let value = |name: &str| {
            let value = adopt::variable(&self.task, name).ok_or_else(|| {
                let text = format!(
                    "variable `{name}` is not set, which a secret of the build is taken from"
                );
                Error::invalid(text)
                    .hint("set it where acrt runs, or in the `.env` beside the compose file")
            })?;
            Ok((name.to_owned(), Secret::new(value)))
        };
        names.map(value).collect()
    }

    /// Returns the lines of the files that build secrets of the definition come from. Of a file with several lines, short ones are left out:
    /// a log has them anyway. A file that cannot be read is reported by the build.
    fn secret_lines(&self) -> Vec<Secret> {
        let files = self.sources_of_secrets(&["src=", "source="]);
        let contents = files.filter_map(|path| {
            let mut content = Vec::new();
            let file = plain_file::open(Path::new(path)).ok()?;
            file.take(MAX_SECRET_FILE).read_to_end(&mut content).ok()?;
            Some(String::from_utf8_lossy(&content).into_owned())
        });
        let mut lines = Vec::new();
        for content in contents {
            let is_one = content.trim().lines().count() == 1;
            let own = content.lines().map(str::trim);
            let own = own.filter(|line| is_one || line.len() >= SHORTEST_SECRET_LINE);
            lines.extend(own.map(Secret::new));
        }
        lines
    }

    /// Returns what the build secrets of the definition have in one of these fields, such as `env=`.
    fn sources_of_secrets(&self, fields: &[&str]) -> impl Iterator<Item = &str> {
        let options = match &self.task.step {
            Step::Docker(step) => step.options.as_slice(),
            Step::FileTask(_) | Step::EncodedTask(_) | Step::Import(_) => &[],
        };
        let secrets = options.iter().filter_map(|it| it.strip_prefix("--secret="));
        secrets.filter_map(|one| {
            let mut all = one.split(',');
            all.find_map(|it| fields.iter().find_map(|field| it.strip_prefix(field)))
        })
    }

    /// Returns the images that the run pushes.
    pub(super) fn images(&self, run: &Run) -> Result<Vec<Reference>> {
        let images = self.task.images(&self.variables(run));
        images.map_err(|problem| self.unusable().because(problem))
    }

    /// Returns the names of the images with run variables filled in, without parsing the names.
    pub(super) fn image_names(&self, run: &Run) -> Result<Vec<String>> {
        let variables = self.variables(run);
        let names = self.task.step.image_names().iter();
        names
            .map(|name| template::render(name, &variables))
            .collect::<Result<_, _>>()
            .map_err(|problem| self.unusable().because(problem))
    }

    fn unusable(&self) -> Error {
        Error::invalid(format!("cannot use the images of {}", self.task.in_words()))
    }

    /// Returns the task as it is defined: the context of `task` is a local folder once it is fetched.
    pub(super) fn definition(&self) -> &Task {
        self.stored.as_ref().unwrap_or(&self.task)
    }

    /// Returns the values of the run variables in templates.
    pub(super) fn variables(&self, run: &Run) -> RunVariables {
        let commit = run.source_commit.as_deref();
        let task = self.definition();
        RunVariables {
            triggered_by: run.triggered_by().into(),
            ..task.run_variables(run.run_id, run.create_time, commit)
        }
    }
}
