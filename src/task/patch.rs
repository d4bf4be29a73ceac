//! What `task update` changes.

use std::path::PathBuf;

use crate::image::Platform;

use super::{
    Age, Argument, BaseImageTrigger, BaseImageTriggerType, Context, DockerStep, OnChange, Status,
    Step, Task, TimerTrigger, UpdatePayload,
    multi_step::{EncodedStep, FileStep, is_task_file},
};

/// What becomes of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It gets this value.
    Set(T),
    /// It loses its value.
    Clear,
}

impl<T> Patch<T> {
    /// Changes a field that may be empty.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Set(value) => *field = Some(value),
            Self::Clear => *field = None,
        }
    }
}

/// What `task update` changes; `None` leaves a field alone. Lists are replaced, not merged, as az does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskPatch {
    /// Enabled or disabled.
    pub status: Option<Status>,
    /// The context.
    pub context: Option<Context>,
    /// The Dockerfile.
    pub file: Option<PathBuf>,
    /// The images.
    pub images: Option<Vec<String>>,
    /// The build arguments.
    pub arguments: Option<Vec<Argument>>,
    /// The stage.
    pub target: Patch<String>,
    /// The platforms.
    pub platforms: Option<Vec<Platform>>,
    /// Seconds that a run may take.
    pub timeout: Option<u32>,
    /// The builder.
    pub builder: Patch<String>,
    /// Whether images are pushed.
    pub push: Option<bool>,
    /// Whether the cache is left unused.
    pub no_cache: Option<bool>,
    /// A multi-step file to hold in the definition.
    pub content: Option<String>,
    /// The values file of a multi-step file: its path in the context.
    pub values_file: Patch<PathBuf>,
    /// The values file of a multi-step file that the definition holds.
    pub values_content: Option<String>,
    /// Values for the templates of a multi-step file.
    pub values: Option<Vec<Argument>>,
    /// Whether steps may be privileged.
    pub allow_privileged: Option<bool>,
    /// Whether `.git` is a part of the context.
    pub keep_vcs: Option<bool>,
    /// Whether what the context brings may do all that the definition may.
    pub trust_context: Option<bool>,
    /// What a successful run starts; empty is nothing.
    pub on_success: Option<Vec<String>>,
    /// What is done when its files name other images than the last run was built on.
    pub on_change: Option<OnChange>,
    /// How old the digest of a base must be.
    pub min_age: Option<Age>,
    /// What the webhook of the base image trigger is told.
    pub update_trigger_payload_type: Patch<UpdatePayload>,
    /// The image that is copied.
    pub source: Option<String>,
    /// What tries a new copy.
    pub test: Option<Vec<String>>,
    /// Whether the base image trigger works.
    pub base_image_trigger: Option<Status>,
    /// Which images count for it.
    pub base_image_trigger_type: Option<BaseImageTriggerType>,
    /// The timers.
    pub timers: Option<Vec<TimerTrigger>>,
}

/// Why a change does not fit a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It builds, and is told what to copy.
    #[error("it builds, and copies no image")]
    Builds,
    /// It copies, and is told what to build.
    #[error("it copies an image, and builds nothing")]
    Copies,
}

impl TaskPatch {
    /// Tells whether the changes are of the kind of the task. A build does not become a copy, nor a copy a build: what is known of one
    /// means nothing to the other.
    ///
    /// # Errors
    ///
    /// [`Misfit`] where they are not.
    pub fn fits(&self, step: &Step) -> Result<(), Misfit> {
        let of_copy = self.source.is_some() || self.test.is_some();
        let of_build = self.context.is_some()
            || self.file.is_some()
            || self.content.is_some()
            || self.values.is_some()
            || self.arguments.is_some()
            || self.target != Patch::Keep
            || self.push.is_some()
            || self.no_cache.is_some();
        match step {
            Step::Import(_) if of_build => Err(Misfit::Copies),
            Step::Import(_) => Ok(()),
            _ if of_copy => Err(Misfit::Builds),
            _ => Ok(()),
        }
    }

    /// Returns `task` with the changes made.
    #[must_use]
    pub fn apply(self, mut task: Task) -> Task {
        task.step = self.turned(task.step);
        set(&mut task.status, self.status);
        if let Some(yes) = self.trust_context {
            task.step.set_trust_context(yes);
        }
        match &mut task.step {
            Step::Docker(step) => {
                set(&mut step.context_path, self.context);
                set(&mut step.docker_file_path, self.file);
                set(&mut step.image_names, self.images);
                set(&mut step.arguments, self.arguments);
                self.target.apply(&mut step.target);
                set(&mut step.is_push_enabled, self.push);
                set(&mut step.no_cache, self.no_cache);
            }
            Step::FileTask(step) => {
                set(&mut step.context_path, self.context);
                set(&mut step.task_file_path, self.file);
                self.values_file.apply(&mut step.values_file_path);
                set(&mut step.values, self.values);
                set(&mut step.allow_privileged, self.allow_privileged);
            }
            Step::EncodedTask(step) => {
                if let Some(context) = self.context {
                    step.context_path = Some(context).filter(|context| *context != Context::None);
                }
                set(&mut step.encoded_task_content, self.content);
                step.encoded_values_content =
                    self.values_content.or(step.encoded_values_content.take());
                set(&mut step.values, self.values);
                set(&mut step.allow_privileged, self.allow_privileged);
            }
            Step::Import(step) => {
                set(&mut step.source, self.source);
                set(&mut step.image_names, self.images);
                set(&mut step.test, self.test);
            }
        }
        set(&mut task.trigger.timer_triggers, self.timers);
        set(&mut task.platforms, self.platforms);
        set(&mut task.timeout, self.timeout);
        set(&mut task.on_success, self.on_success);
        set(&mut task.on_change, self.on_change);
        if self.min_age.is_some() {
            task.min_age = self.min_age;
        }
        set(&mut task.keep_vcs, self.keep_vcs);
        self.builder.apply(&mut task.builder);
        if self.base_image_trigger.is_some() || self.base_image_trigger_type.is_some() {
            // Naming the type of a trigger that is not there asks for it to be there.
            let trigger = task
                .trigger
                .base_image_trigger
                .get_or_insert_with(BaseImageTrigger::default);
            set(&mut trigger.status, self.base_image_trigger);
            set(
                &mut trigger.base_image_trigger_type,
                self.base_image_trigger_type,
            );
        }
        if let Some(trigger) = &mut task.trigger.base_image_trigger {
            self.update_trigger_payload_type
                .apply(&mut trigger.update_trigger_payload_type);
        }
        task
    }
}

impl TaskPatch {
    /// Makes a step of another kind of `step`, where the file that it is given asks for one.
    fn turned(&self, step: Step) -> Step {
        if let Some(content) = &self.content {
            return match step {
                Step::EncodedTask(step) => Step::EncodedTask(step),
                other => Step::EncodedTask(EncodedStep {
                    context_path: None,
                    encoded_task_content: content.clone(),
                    encoded_values_content: None,
                    values: other.values().to_vec(),
                    allow_privileged: other.allows_privileged(),
                    trust_context: other.trusts_context(),
                    pushes: Vec::new(),
                }),
            };
        }
        let Some(file) = &self.file else { return step };
        let context = self.context.as_ref().or(step.context()).cloned();
        match (step, context) {
            (Step::Docker(old), Some(context_path)) if is_task_file(file) => {
                Step::FileTask(FileStep {
                    context_path,
                    task_file_path: file.clone(),
                    values_file_path: None,
                    values: Vec::new(),
                    allow_privileged: false,
                    trust_context: old.trust_context,
                    pushes: Vec::new(),
                })
            }
            (Step::EncodedTask(step), Some(context_path)) if is_task_file(file) => {
                Step::FileTask(FileStep {
                    context_path,
                    task_file_path: file.clone(),
                    values_file_path: None,
                    values: step.values,
                    allow_privileged: step.allow_privileged,
                    trust_context: step.trust_context,
                    pushes: Vec::new(),
                })
            }
            (old @ (Step::FileTask(_) | Step::EncodedTask(_)), Some(context_path))
                if !is_task_file(file) =>
            {
                Step::Docker(DockerStep {
                    trust_context: old.trusts_context(),
                    context_path,
                    docker_file_path: file.clone(),
                    image_names: Vec::new(),
                    is_push_enabled: true,
                    no_cache: false,
                    target: None,
                    arguments: Vec::new(),
                })
            }
            (step, _) => step,
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        serde_yaml::from_str(
            "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: /c, dockerFilePath: D, isPushEnabled: false, target: prod}}",
        )
        .unwrap()
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        assert_eq!(TaskPatch::default().apply(task()), task());
    }

    #[test]
    fn a_build_is_not_told_what_to_copy_nor_a_copy_what_to_build() {
        let copies = TaskPatch {
            source: Some("node:20".into()),
            ..TaskPatch::default()
        };
        assert_eq!(copies.fits(&task().step), Err(Misfit::Builds));
        let builds = TaskPatch {
            target: Patch::Clear,
            ..TaskPatch::default()
        };
        assert_eq!(builds.fits(&task().step), Ok(()));
        let step: Step = serde_yaml::from_str("{type: Import, source: 'node:20'}").unwrap();
        assert_eq!(builds.fits(&step), Err(Misfit::Copies));
        assert_eq!(copies.fits(&step), Ok(()));
    }

    #[test]
    fn another_field_leaves_push_as_it_was() {
        let patch = TaskPatch {
            timeout: Some(900),
            ..TaskPatch::default()
        };
        let updated = patch.apply(task());
        let Step::Docker(step) = &updated.step else {
            panic!("{updated:?}")
        };
        assert!(!step.is_push_enabled);
        assert_eq!(updated.timeout, 900);
    }

    #[test]
    fn a_trigger_that_was_never_there_can_be_enabled() {
        let patch = TaskPatch {
            base_image_trigger: Some(Status::Enabled),
            ..TaskPatch::default()
        };
        let trigger = patch.apply(task()).trigger.base_image_trigger.unwrap();
        assert_eq!(trigger, BaseImageTrigger::default());
    }

    #[test]
    fn disabling_keeps_the_trigger_and_its_type() {
        let all = TaskPatch {
            base_image_trigger_type: Some(BaseImageTriggerType::All),
            ..TaskPatch::default()
        };
        let off = TaskPatch {
            base_image_trigger: Some(Status::Disabled),
            ..TaskPatch::default()
        };
        let trigger = off.apply(all.apply(task())).trigger.base_image_trigger;
        let trigger = trigger.unwrap();
        assert_eq!(trigger.status, Status::Disabled);
        assert_eq!(trigger.base_image_trigger_type, BaseImageTriggerType::All);
    }

    #[test]
    fn a_cleared_target_is_gone() {
        let patch = TaskPatch {
            target: Patch::Clear,
            ..TaskPatch::default()
        };
        let updated = patch.apply(task());
        let Step::Docker(step) = &updated.step else {
            panic!("{updated:?}")
        };
        assert_eq!(step.target, None);
    }

    #[test]
    fn trust_is_given_taken_back_and_kept_by_a_step_of_another_kind() {
        let trust = |yes| TaskPatch {
            trust_context: yes,
            file: Some("acb.yaml".into()),
            ..TaskPatch::default()
        };
        let trusting = trust(Some(true)).apply(task());
        assert!(matches!(trusting.step, Step::FileTask(_)));
        let docker = TaskPatch {
            file: Some("Dockerfile".into()),
            ..TaskPatch::default()
        };
        let docker = docker.apply(trusting);
        assert!(matches!(docker.step, Step::Docker(_)) && docker.step.trusts_context());
        assert!(!trust(Some(false)).apply(docker).step.trusts_context());
    }

    #[test]
    fn the_status_and_the_timers_of_a_task_can_be_changed() {
        let timers = serde_yaml::from_str("[{name: t1, schedule: '0 3 * * *'}]").unwrap();
        let patch = TaskPatch {
            status: Some(Status::Disabled),
            timers: Some(timers),
            ..TaskPatch::default()
        };
        let updated = patch.apply(task());
        assert_eq!(updated.status, Status::Disabled);
        assert_eq!(updated.trigger.timer_triggers[0].name.to_string(), "t1");
    }
}
