//! What the steps of one run share: the folders, the log, the logins, and what has been found out so far.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    builder::{BuildRequest, Builder, BuilderPlatforms, LastWords, Purpose},
    error::{Error, Kind, Result},
    image::{Digest, Platform, Reference},
    ops::{
        event::Event,
        execute::{Execution, Failure, MARKER, stopped},
        inputs::Inputs,
        resolve::Resolved,
        run_log::{RunLog, run_beside},
        why_failed::with_last_words,
    },
    steps::StepId,
    sys::{
        command::CommandLine,
        process::{Ended, Limits},
        signal::Stop,
    },
    task::{Dependency, Run, RunStatus, Untracked},
    watch::Baseline,
};

use super::{read::MultiStep, workspace::Workspace};

/// How much of what a step printed is looked at for the errors after which it is tried again, in bytes.
const MAX_PRINTED: usize = 1024 * 1024;

/// What the steps of one run share.
pub(super) struct StepContext<'a, 'r> {
    pub execution: &'a Execution<'a>,
    pub run: &'a Run,
    pub read: &'a MultiStep,
    pub builder: &'a Builder,
    pub platforms: BuilderPlatforms,
    pub baseline: &'a Baseline,
    pub workspace: Workspace,
    /// Comes when the run is to stop, and when another step has failed.
    pub stop: Stop,
    /// When the run has taken too long.
    pub deadline: Instant,
    pub auth_dir: Option<PathBuf>,
    /// The networks of the file, by the names that the builder knows.
    pub networks: BTreeMap<String, String>,
    pub run_log: RefCell<&'a mut RunLog<'r>>,
    pub found: RefCell<StepResults>,
}

/// What has been found out so far.
#[derive(Debug, Default)]
pub(super) struct StepResults {
    /// What each step depends on, in the order in which that was decided.
    dependencies: Vec<(StepId, Vec<Dependency>)>,
    /// The last build of each step that builds.
    pub builds: BTreeMap<StepId, StepBuild>,
    pub untracked: Vec<Untracked>,
    /// In the order in which they were pushed.
    pub pushed: Vec<(Reference, Option<Digest>)>,
    /// The registries whose certificates are not verified, as has been told.
    pub unverified: BTreeSet<String>,
}

/// What a step has built.
#[derive(Debug)]
pub(super) struct StepBuild {
    pub images: Vec<Reference>,
    pub inputs: Inputs,
    pub resolved: Resolved,
    /// The platforms of the images as the builder says them; empty where it does not say.
    pub platforms: BTreeSet<Platform>,
}

impl StepResults {
    /// Takes in what one step depends on, in place of what an earlier try of it did.
    pub fn take(&mut self, step: &StepId, dependencies: &[Dependency], untracked: &[Untracked]) {
        let new = dependencies.to_vec();
        match self.dependencies.iter_mut().find(|(id, _)| id == step) {
            Some((_, old)) => *old = new,
            None => self.dependencies.push((step.clone(), new)),
        }
        for untracked in untracked {
            if !self.untracked.contains(untracked) {
                self.untracked.push(untracked.clone());
            }
        }
    }

    /// Returns what the steps depend on together. The first answer about an image stays, because a later one would hide a move in between;
    /// platforms that another step builds for count too.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let mut all: BTreeMap<Reference, Dependency> = BTreeMap::new();
        for dependency in self.dependencies.iter().flat_map(|(_, all)| all) {
            let Some(tag) = dependency.image.reference() else {
                continue;
            };
            all.entry(tag)
                .and_modify(|old| {
                    old.kind = old.kind.min(dependency.kind);
                    for (platform, manifest) in &dependency.manifests {
                        if !old.manifests.contains_key(platform) {
                            old.manifests.insert(platform.clone(), manifest.clone());
                        }
                    }
                })
                .or_insert_with(|| dependency.clone());
        }
        all.into_values().collect()
    }
}

/// How a process of a step ended.
#[derive(Debug)]
pub(super) struct StepProcess {
    ended: Ended,
    printed: Vec<u8>,
    words: LastWords,
}

/// What a process of a step was to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepWork<'a> {
    pub step: &'a crate::steps::Step,
    /// In words.
    pub what: &'a str,
    /// What it was to build or to push, where it was a builder's.
    pub request: Option<(&'a Purpose, &'a BuildRequest)>,
}

impl<'a> StepWork<'a> {
    /// Returns something that no registry can refuse.
    pub fn of(step: &'a crate::steps::Step, what: &'a str) -> Self {
        Self {
            step,
            what,
            request: None,
        }
    }
}

/// Why a try of a step came to nothing.
#[derive(Debug)]
pub(super) enum StepFailure {
    /// A process of it failed: worth another try, perhaps only after some errors.
    Exit { error: Error, printed: Vec<u8> },
    /// Another try would be no better.
    Final(Failure),
}

impl<E: Into<Failure>> From<E> for StepFailure {
    fn from(failure: E) -> Self {
        Self::Final(failure.into())
    }
}

impl StepContext<'_, '_> {
    /// Says something in the log, as one step's line or as the run's.
    pub fn say(&self, step: Option<&StepId>, text: &str) {
        let prefix = self.prefix(step);
        self.run_log.borrow_mut().line(&format!("{prefix}{text}"));
    }

    /// Tells something that people should know, besides the log.
    pub fn warn(&self, step: &StepId, text: &str) {
        self.say(Some(step), &format!("acrt: {text}"));
        let warning = Event::Warning(format!("step `{step}`: {text}"));
        self.run_log.borrow().events.send(warning);
    }

    /// Returns what stands before a step's lines; nothing where there is only one step.
    pub fn prefix(&self, step: Option<&StepId>) -> String {
        match step {
            Some(step) if self.read.graph.steps().len() > 1 => format!("{step} | "),
            _ => String::new(),
        }
    }

    /// Runs one process of a step to its end, its lines in the log.
    pub async fn process(
        &self,
        step: &StepId,
        line: CommandLine,
        deadline: Instant,
        grace: Duration,
    ) -> Result<StepProcess> {
        self.say(Some(step), &format!("$ {line}"));
        let marker = self.marker();
        let line = line.env(MARKER, marker.display().to_string());
        let limits = Limits {
            timeout: Some(
                deadline
                    .min(self.deadline)
                    .saturating_duration_since(Instant::now()),
            ),
            grace,
        };
        let mut printed = Vec::new();
        let prefix = self.prefix(Some(step));
        let log = (&self.run_log, prefix.as_str());
        let (ended, words) = run_beside(log, &line, &limits, &self.stop, |bytes| {
            let room = MAX_PRINTED.saturating_sub(printed.len());
            printed.extend_from_slice(&bytes[..bytes.len().min(room)]);
        })
        .await?;
        Ok(StepProcess {
            ended,
            printed,
            words,
        })
    }

    /// Waits until the steps are to stop or the run has taken too long.
    pub async fn cut_short(&self) -> Failure {
        tokio::select! {
            signal = self.stop.wait() => stopped(signal),
            () = tokio::time::sleep_until(self.deadline) => self.execution.took_too_long(),
        }
    }

    /// Turns how a process of a step ended into what becomes of the step.
    pub fn judge(&self, work: StepWork<'_>, process: StepProcess) -> Result<Vec<u8>, StepFailure> {
        let StepWork {
            step,
            what,
            request,
        } = work;
        let StepProcess {
            ended,
            printed,
            mut words,
        } = process;
        let id = &step.id;
        let mut exit = |text: String, printed| {
            let error = Error::new(Kind::Failed, text);
            let error = match request {
                Some((purpose, request)) => {
                    with_last_words(error, &mut words, (self.builder, purpose), request)
                }
                // What a container of somebody prints says nothing of the builder.
                None => match words.said() {
                    said if said.is_empty() => error,
                    said => error.because(anyhow::anyhow!(said.join("; "))),
                },
            };
            Err(StepFailure::Exit { error, printed })
        };
        let failure = |status, text: String| {
            StepFailure::Final(Failure {
                status,
                error: Error::new(Kind::Failed, text),
            })
        };
        match ended {
            Ended::Exited(0) => Ok(printed),
            Ended::Exited(code) => exit(
                format!("step `{id}` failed: the exit code of {what} is {code}"),
                printed,
            ),
            Ended::Killed(signal) => exit(
                format!("step `{id}` failed: {what} was killed by signal {signal}"),
                printed,
            ),
            Ended::TimedOut if Instant::now() >= self.deadline => Err(failure(
                RunStatus::Timeout,
                format!(
                    "the run took longer than {} seconds",
                    self.execution.task.timeout
                ),
            )),
            Ended::TimedOut => Err(failure(
                RunStatus::Failed,
                format!(
                    "step `{id}` took longer than {} seconds",
                    step.limits.timeout
                ),
            )),
            Ended::Stopped(signal) => Err(StepFailure::Final(stopped(signal))),
        }
    }

    /// Returns what processes and containers of the run are known by: the path of its folder.
    pub fn marker(&self) -> PathBuf {
        let layout = self.execution.app.store.layout();
        layout.run_folder(self.run.run_id)
    }

    /// Returns the name that a container or a network of this run has on the machine.
    pub fn name(&self, of: &str) -> String {
        format!(
            "{}{}",
            prefix_of(self.execution.app, self.run.run_id),
            tame(of)
        )
    }
}

/// Returns what the names of all containers and networks of a run begin with: unlike those of any other run of any state directory.
pub(super) fn prefix_of(app: &crate::ops::App, id: crate::task::RunId) -> String {
    let folder = app.store.layout().run_folder(id);
    let unique = Digest::of(folder.as_os_str().as_encoded_bytes());
    format!("acrt-{}-{id}-", &unique.hex()[..12])
}

/// Makes a name of letters, digits, `_`, `.` and `-`, which is all that builders take.
fn tame(name: &str) -> String {
    let tame = |c: char| match c {
        c if c.is_ascii_alphanumeric() || "_.-".contains(c) => c,
        _ => '-',
    };
    name.chars().map(tame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{DependencyKind, ImageDescriptor};

    #[test]
    fn platforms_of_all_steps_count_and_the_last_try_of_each() {
        let on = |platform: &str, digest: &str| Dependency {
            image: ImageDescriptor::new(
                &"r.io/base:1".parse().unwrap(),
                Some(Digest::of(digest.as_bytes())),
            ),
            kind: DependencyKind::Runtime,
            manifests: [(platform.parse().unwrap(), None)].into_iter().collect(),
            line: 1,
            mirror: None,
        };
        let step = |id: &str| StepId::new(id).unwrap();
        let mut found = StepResults::default();
        found.take(&step("a"), &[on("linux/s390x", "first")], &[]);
        found.take(&step("b"), &[on("linux/arm64", "third")], &[]);
        found.take(&step("a"), &[on("linux/amd64", "second")], &[]);
        let all = found.dependencies();
        assert_eq!(all.len(), 1);
        let platforms: Vec<String> = all[0].manifests.keys().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(all[0].image.digest, Some(Digest::of(b"second")));
    }

    #[test]
    fn names_are_such_as_builders_take() {
        assert_eq!(tame("a/b c:d_1.x-y"), "a-b-c-d_1.x-y");
    }
}
