//! The definition of a task.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use crate::image::{Digest, InvalidReference, Platform, Reference};

use super::{
    Age, Argument, Context, ImportStep, RunId, Status, TaskKey, TaskName, TaskSource, Trigger,
    Window,
    multi_step::{EncodedStep, FileStep},
    name,
    template::{self, InvalidTemplate, RunVariables, SourceVariables},
};

/// The timeout of a run, in seconds, where the task sets none; as in ACR.
pub const DEFAULT_TIMEOUT: u32 = 3600;

/// A named, stored definition: a context, a step, images to push, triggers.
///
/// The serialized form is the definition's file, which a person may write and edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Task {
    pub schema: u32,
    /// The name, which is also the file's name.
    pub name: TaskName,
    /// The login server that the task's images are pushed to; also the name of the file's folder.
    pub registry: String,
    /// A disabled task is not run by any trigger.
    #[serde(default)]
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<Timestamp>,
    /// The platforms to build for; empty for the builder's own platform.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "Platform::deserialize_list"
    )]
    pub platforms: Vec<Platform>,
    /// The timeout of a run, in seconds.
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    pub timeout: u32,
    /// The builder; `None` to detect one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// Whether `.git` is a part of the context.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_vcs: bool,
    /// The program, with its arguments, that is started after a successful run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_success: Vec<String>,
    /// What happens when the task's files name other images than the last run was built on.
    #[serde(default, skip_serializing_if = "OnChange::is_tell")]
    pub on_change: OnChange,
    /// The minimum age of a base's digest before anything is built on it; `None` for the config file's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<Age>,
    /// When triggers may start a run of the task; `None` for the config file's default, empty for any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<Window>>,
    /// How many of the newest tags that runs made from each template, such as `web:{{.Run.ID}}`, are kept; all, if neither this nor
    /// `keep_days` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_tags: Option<u32>,
    /// For how many days such tags are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
    /// The file that the task was adopted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<TaskSource>>,
    pub step: Step,
    /// The triggers of the task.
    #[serde(default)]
    pub trigger: Trigger,
    /// The context that a run has fetched into the local folder that is the context now.
    #[serde(skip)]
    pub fetched_from: Option<Box<Context>>,
}

fn default_timeout() -> u32 {
    DEFAULT_TIMEOUT
}

/// Reads a timeout, which is at least one second: none would end before it begins.
fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    NonZeroU32::deserialize(deserializer).map(NonZeroU32::get)
}

/// What happens when the files of a task name other images than its last run was built on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnChange {
    /// The change is reported: the state is `changed` until the task is run.
    #[default]
    Tell,
    /// The task is run, as if a base had moved.
    Run,
}

impl OnChange {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_tell(&self) -> bool {
        *self == Self::Tell
    }
}

/// What a run of a task does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Step {
    /// Builds an image from a Dockerfile and pushes it.
    Docker(DockerStep),
    /// Carries out a multi-step file of the context.
    FileTask(FileStep),
    /// Carries out a multi-step file that the definition holds.
    EncodedTask(EncodedStep),
    Import(ImportStep),
}

impl Step {
    /// Tells whether the step is a multi-step file.
    pub fn is_multi_step(&self) -> bool {
        match self {
            Self::FileTask(_) | Self::EncodedTask(_) => true,
            Self::Docker(_) | Self::Import(_) => false,
        }
    }

    pub fn context(&self) -> Option<&Context> {
        match self {
            Self::Docker(step) => Some(&step.context_path),
            Self::FileTask(step) => Some(&step.context_path),
            Self::EncodedTask(step) => step.context_path.as_ref(),
            Self::Import(_) => None,
        }
    }

    /// Sets the context. An import step has none, and a file in the definition needs none.
    pub fn set_context(&mut self, context: Context) {
        match self {
            Self::Docker(step) => step.context_path = context,
            Self::FileTask(step) => step.context_path = context,
            Self::EncodedTask(step) => {
                step.context_path = Some(context).filter(|it| *it != Context::None);
            }
            Self::Import(_) => {}
        }
    }

    /// Returns the image names in the definition; those of a multi-step file are in that file.
    pub fn image_names(&self) -> &[String] {
        match self {
            Self::Docker(step) => &step.image_names,
            Self::Import(step) => &step.image_names,
            Self::FileTask(_) | Self::EncodedTask(_) => &[],
        }
    }

    /// Returns the values for templates, which only multi-step files have.
    pub fn values(&self) -> &[Argument] {
        match self {
            Self::Docker(_) | Self::Import(_) => &[],
            Self::FileTask(step) => &step.values,
            Self::EncodedTask(step) => &step.values,
        }
    }

    /// Returns the build arguments, which only the build of a Dockerfile has.
    pub fn arguments(&self) -> &[Argument] {
        match self {
            Self::Docker(step) => &step.arguments,
            Self::FileTask(_) | Self::EncodedTask(_) | Self::Import(_) => &[],
        }
    }

    /// Tells whether some build arguments are secret, so that their values are stored separately.
    pub fn has_secret_arguments(&self) -> bool {
        self.arguments().iter().any(|argument| argument.is_secret)
    }

    /// Tells whether steps may be privileged.
    pub fn allows_privileged(&self) -> bool {
        match self {
            Self::Docker(_) | Self::Import(_) => false,
            Self::FileTask(step) => step.allow_privileged,
            Self::EncodedTask(step) => step.allow_privileged,
        }
    }

    /// Tells whether the context is trusted: its content may do all that the definition may.
    pub fn trusts_context(&self) -> bool {
        match self {
            Self::Docker(step) => step.trust_context,
            Self::FileTask(step) => step.trust_context,
            Self::EncodedTask(step) => step.trust_context,
            Self::Import(_) => false,
        }
    }

    /// Sets whether steps may be privileged. Only a multi-step file has such steps.
    pub fn set_allow_privileged(&mut self, yes: bool) {
        match self {
            Self::Docker(_) | Self::Import(_) => {}
            Self::FileTask(step) => step.allow_privileged = yes,
            Self::EncodedTask(step) => step.allow_privileged = yes,
        }
    }

    /// Sets whether the context is trusted. An import step has no context.
    pub fn set_trust_context(&mut self, yes: bool) {
        match self {
            Self::Docker(step) => step.trust_context = yes,
            Self::FileTask(step) => step.trust_context = yes,
            Self::EncodedTask(step) => step.trust_context = yes,
            Self::Import(_) => {}
        }
    }

    /// Makes the paths of files in a context relative to its folder.
    pub fn set_files_below(&mut self, folder: &Path) {
        let files = match self {
            Self::Docker(step) => [Some(&mut step.docker_file_path), None],
            Self::FileTask(step) => [
                Some(&mut step.task_file_path),
                step.values_file_path.as_mut(),
            ],
            Self::EncodedTask(_) | Self::Import(_) => [None, None],
        };
        for file in files.into_iter().flatten() {
            if let Ok(below) = file.strip_prefix(folder) {
                *file = below.to_owned();
            }
        }
    }

    /// Stores which images a multi-step file pushes. Those of other steps are in the definition.
    pub fn set_pushes(&mut self, images: Vec<Reference>) {
        match self {
            Self::Docker(_) | Self::Import(_) => {}
            Self::FileTask(step) => step.pushes = images,
            Self::EncodedTask(step) => step.pushes = images,
        }
    }
}

/// Builds an image from a Dockerfile and pushes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerStep {
    /// Where the files of the build are.
    pub context_path: Context,
    /// The Dockerfile, relative to the context.
    pub docker_file_path: PathBuf,
    /// The images, as `repository:tag`, on the task's registry unless they name another one. May hold run variables.
    #[serde(default)]
    pub image_names: Vec<String>,
    /// Whether the images are pushed after the build, if the task is not local: see [`Self::pushes`].
    #[serde(default = "yes")]
    pub is_push_enabled: bool,
    /// Whether the images stay in the builder's own store, where other local tasks build on them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_local: bool,
    /// Whether the builder's cache is ignored.
    #[serde(default)]
    pub no_cache: bool,
    /// The stage to build, if not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Build arguments, in the order given. The values of secret ones are stored separately.
    #[serde(default)]
    pub arguments: Vec<Argument>,
    /// The text of the Dockerfile, in place of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_file_content: Option<String>,
    /// Named contexts, as `--build-context` has them: a folder, or an image as `docker-image://name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, String>,
    /// Further options of `docker build`, each one argument.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether the context is trusted: its content may do all that the definition may, wherever it comes from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_context: bool,
}

impl DockerStep {
    /// Tells whether a run pushes the images: those of a local task stay in the builder's store, whatever else the definition says.
    pub fn pushes(&self) -> bool {
        self.is_push_enabled && !self.is_local
    }
}

pub(super) fn yes() -> bool {
    true
}

/// Why an image name of a task cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImageName {
    /// The name's template cannot be rendered.
    #[error(transparent)]
    Template(#[from] InvalidTemplate),
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// The name has a digest, which only the registry can assign.
    #[error("image name `{0}` must not have a digest: it is what the push makes")]
    Digest(String),
}

impl Task {
    /// Returns what messages call it: a quick run has no name that its user knows.
    pub fn in_words(&self) -> String {
        match self.name.as_str() {
            name::QUICK_RUN => "the run".to_owned(),
            name => format!("task `{name}`"),
        }
    }

    /// Returns the values of a run's template variables, where `commit` is the one checked out of a git context.
    pub fn run_variables(&self, id: RunId, date: Timestamp, commit: Option<&str>) -> RunVariables {
        let platform = self.platforms.first().cloned();
        let platform = platform.unwrap_or_else(Platform::host);
        RunVariables {
            id,
            date,
            registry: self.registry.clone(),
            task: self.name.to_string(),
            os: platform.os().into(),
            architecture: platform.architecture().into(),
            triggered_by: String::new(),
            source: SourceVariables::of(
                self.fetched_from.as_deref().or(self.step.context()),
                commit,
            ),
        }
    }

    /// The version of the file format that this program writes.
    pub const SCHEMA: u32 = 1;

    /// Returns a task with only the required fields.
    pub fn blank(key: TaskKey, step: Step) -> Self {
        Self {
            schema: Self::SCHEMA,
            name: key.name,
            registry: key.registry,
            status: Status::Enabled,
            creation_date: None,
            platforms: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            builder: None,
            keep_vcs: false,
            on_success: Vec::new(),
            on_change: OnChange::Tell,
            min_age: None,
            windows: None,
            keep_tags: None,
            keep_days: None,
            source: None,
            step,
            trigger: Trigger::default(),
            fetched_from: None,
        }
    }

    /// Returns the task's registry and name.
    pub fn key(&self) -> TaskKey {
        TaskKey {
            registry: self.registry.clone(),
            name: self.name.clone(),
        }
    }

    /// Returns the images that a run pushes, with the run variables filled in.
    ///
    /// # Errors
    ///
    /// [`InvalidImageName`] for the first name that cannot be used.
    pub fn images(&self, run: &RunVariables) -> Result<Vec<Reference>, InvalidImageName> {
        let mut images: Vec<Reference> = Vec::new();
        for name in self.step.image_names() {
            let image = self.named(&template::render(name, run)?)?;
            if image.digest().is_some() {
                return Err(InvalidImageName::Digest(name.clone()));
            }
            if !images.contains(&image) {
                images.push(image);
            }
        }
        Ok(images)
    }

    /// Tells whether its images stay with the builder, where other local tasks find them.
    pub fn is_local(&self) -> bool {
        match &self.step {
            Step::Docker(step) => step.is_local,
            Step::FileTask(_) | Step::EncodedTask(_) | Step::Import(_) => false,
        }
    }

    /// Parses an image name, relative to the task's registry or to the builder's own store.
    fn named(&self, name: &str) -> Result<Reference, InvalidReference> {
        if self.is_local() {
            name.parse()
        } else {
            Reference::within(&self.registry, name)
        }
    }

    /// Returns the images that other tasks can depend on: those that are pushed and whose names are the same in every
    /// run.
    pub fn stable_images(&self) -> Vec<Reference> {
        match &self.step {
            Step::Docker(step) if !step.is_push_enabled && !step.is_local => return Vec::new(),
            Step::Docker(_) | Step::Import(_) => {}
            Step::FileTask(step) => return step.pushes.clone(),
            Step::EncodedTask(step) => return step.pushes.clone(),
        }
        let names = self.step.image_names().iter();
        names
            .filter(|name| !template::is_unique(name))
            .filter_map(|name| self.named(name).ok())
            .collect()
    }

    /// Returns the definition without its dates and its origin, to compare two definitions.
    pub fn bare(&self) -> Self {
        let mut bare = self.clone();
        bare.creation_date = None;
        bare.source = None;
        for timer in &mut bare.trigger.timer_triggers {
            timer.since = None;
        }
        bare
    }

    /// Returns a digest of what the definition says.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&serde_json::to_vec(&self.bare()).unwrap_or_default())
    }

    /// Tells whether the definition was changed since it was adopted.
    pub fn is_edited(&self) -> bool {
        let written = self
            .source
            .as_ref()
            .and_then(|source| source.written.as_ref());
        written.is_some_and(|written| *written != self.fingerprint())
    }

    /// Tells whether a record of this task's dependencies would also be true of `other`.
    pub fn has_same_inputs(&self, other: &Self) -> bool {
        self.input_digest() == other.input_digest()
    }

    /// Returns a digest of what the definition says about what its images are built from.
    pub fn input_digest(&self) -> Digest {
        let step = match &self.step {
            Step::Docker(step) => json!([
                "Docker",
                step.context_path,
                step.docker_file_path,
                step.target,
                step.arguments,
                step.docker_file_content,
                step.contexts,
            ]),
            Step::FileTask(step) => json!([
                "FileTask",
                step.context_path,
                step.task_file_path,
                step.values_file_path,
                step.values,
            ]),
            Step::EncodedTask(step) => json!([
                "EncodedTask",
                step.context_path,
                step.encoded_task_content,
                step.encoded_values_content,
                step.values,
            ]),
            Step::Import(step) => json!(["Import", step.source]),
        };
        let all = json!([step, self.platforms]);
        Digest::of(all.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn task(yaml: &str) -> Task {
        serde_yaml::from_str(yaml).unwrap()
    }

    const SHORT: &str = "
schema: 1
name: web
registry: localhost:5000
step: {type: Docker, contextPath: /src/web, dockerFilePath: Dockerfile, imageNames: ['web:latest', 'web:{{.Run.ID}}', 'ghcr.io/a/web:1']}
";

    fn run() -> RunVariables {
        RunVariables {
            id: RunId::new(1),
            date: Timestamp::UNIX_EPOCH,
            registry: "localhost:5000".into(),
            task: "web".into(),
            os: "linux".into(),
            architecture: "amd64".into(),
            triggered_by: "Manual".into(),
            source: None,
        }
    }

    #[test]
    fn minimal_definition_has_only_a_step() {
        let task = task(SHORT);
        assert_eq!(task.timeout, 3600);
        assert_eq!(task.status, Status::Enabled);
        let Step::Docker(step) = &task.step else {
            panic!("it builds a Dockerfile");
        };
        assert!(step.is_push_enabled);
        assert_eq!(task.trigger.base_image_trigger, None);
    }

    #[test]
    fn definition_is_written_and_read_back() {
        let task = task(SHORT);
        let text = serde_yaml::to_string(&task).unwrap();
        assert_eq!(serde_yaml::from_str::<Task>(&text).unwrap(), task);
    }

    #[test]
    fn unknown_definition_key_is_reported_with_its_position() {
        let error = serde_yaml::from_str::<Task>(&format!("{SHORT}tiemout: 5\n")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("unknown field `tiemout`"), "{text}");
    }

    #[test]
    fn timeout_of_no_time_is_refused_with_its_position() {
        let error = serde_yaml::from_str::<Task>(&format!("{SHORT}\ntimeout: 0")).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("timeout: ") && text.contains("line"),
            "{text}"
        );
    }

    #[test]
    fn image_names_get_the_registry_and_run_variables() {
        let images = task(SHORT).images(&run()).unwrap();
        let images: Vec<String> = images.iter().map(ToString::to_string).collect();
        assert_eq!(
            images,
            [
                "localhost:5000/web:latest",
                "localhost:5000/web:ca1",
                "ghcr.io/a/web:1"
            ]
        );
    }

    #[test]
    fn dependencies_are_only_on_pushed_names_without_run_variables() {
        let mut task = task(SHORT);
        let names = |task: &Task| -> Vec<String> {
            task.stable_images()
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
            names(&task),
            ["localhost:5000/web:latest", "ghcr.io/a/web:1"]
        );
        let Step::Docker(step) = &mut task.step else {
            panic!("it builds a Dockerfile");
        };
        step.is_push_enabled = false;
        assert!(names(&task).is_empty());
    }
}
