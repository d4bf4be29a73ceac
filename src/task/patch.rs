//! The changes of `task update`.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use crate::image::Platform;

use super::{
    Age, Argument, BaseImageTrigger, BaseImageTriggerType, Context, DockerStep, OnChange, Status,
    Step, Task, TimerTrigger, UpdatePayload, Window,
    multi_step::{EncodedStep, FileStep, is_task_file},
};

/// The change of one optional field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    #[default]
    Keep,
    Set(T),
    Clear,
}

impl<T> From<Option<T>> for Patch<T> {
    /// `None` leaves the field unchanged.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Keep, Self::Set)
    }
}

impl<T> Patch<T> {
    /// Applies the change to a field.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Set(value) => *field = Some(value),
            Self::Clear => *field = None,
        }
    }
}

/// The changes of `task update`; `None` leaves a field unchanged. Lists are replaced, not merged, as in az.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskPatch {
    pub status: Option<Status>,
    pub context: Option<Context>,
    pub file: Option<PathBuf>,
    pub images: Option<Vec<String>>,
    pub arguments: Option<Vec<Argument>>,
    pub target: Patch<String>,
    pub platforms: Option<Vec<Platform>>,
    /// The timeout of a run, in seconds.
    pub timeout: Option<u32>,
    pub builder: Patch<String>,
    pub push: Option<bool>,
    /// Whether the builder's cache is ignored.
    pub no_cache: Option<bool>,
    /// A multi-step file to store in the definition.
    pub content: Option<String>,
    /// The path of a multi-step file's values file in the context.
    pub values_file: Patch<PathBuf>,
    /// The values file of a multi-step file that is stored in the definition.
    pub values_content: Option<String>,
    /// Values for the templates of a multi-step file.
    pub values: Option<Vec<Argument>>,
    pub allow_privileged: Option<bool>,
    /// Whether `.git` is a part of the context.
    pub keep_vcs: Option<bool>,
    /// Whether the context is trusted.
    pub trust_context: Option<bool>,
    /// The program that is started after a successful run; empty for none.
    pub on_success: Option<Vec<String>>,
    /// What happens when the task's files name other images than the last run was built on.
    pub on_change: Option<OnChange>,
    /// The minimum age of a base's digest.
    pub min_age: Patch<Age>,
    /// When triggers may start a run; empty for any time.
    pub windows: Option<Vec<Window>>,
    /// How many of the newest tags made from a template are kept.
    pub keep_tags: Patch<u32>,
    /// For how many days they are kept.
    pub keep_days: Patch<u32>,
    /// The payload of the base image trigger's webhook.
    pub update_trigger_payload_type: Patch<UpdatePayload>,
    pub source: Option<String>,
    pub test: Option<Vec<String>>,
    /// Whether the base image trigger is enabled.
    pub base_image_trigger: Option<Status>,
    pub base_image_trigger_type: Option<BaseImageTriggerType>,
    pub timers: Option<Vec<TimerTrigger>>,
}

/// The kinds of steps, as far as options apply to them or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    Docker,
    /// A multi-step file.
    MultiStep,
    Import,
}

impl StepKind {
    fn of(step: &Step) -> Self {
        match step {
            Step::Docker(_) => Self::Docker,
            Step::FileTask(_) | Step::EncodedTask(_) => Self::MultiStep,
            Step::Import(_) => Self::Import,
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "builds a Dockerfile",
            Self::MultiStep => "carries out a multi-step file",
            Self::Import => "copies an image, and builds nothing",
        })
    }
}

/// Options that do not apply to a task's kind of step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it {kind}; {} {} nothing to that", .options.join(" and "), if .options.len() == 1 { "means" } else { "mean" })]
pub struct InapplicableOptions {
    pub kind: StepKind,
    pub options: Vec<&'static str>,
}

impl InapplicableOptions {
    /// Returns what to type instead.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            StepKind::Docker => {
                "values and privileges are for a multi-step file (--file acb.yaml), and --import is for a task of its own: acrt task create NAME --image NAME:TAG --import IMAGE"
            }
            StepKind::MultiStep => {
                "a multi-step file says itself what its steps build, with which arguments, and what they push; --set NAME=VALUE hands it values"
            }
            StepKind::Import => {
                "to make a task of another kind: acrt task create NAME --image NAME:TAG --context FOLDER"
            }
        }
    }
}

impl TaskPatch {
    /// Checks that every change applies to the task as changed. A build cannot become an import or an import a build, because the
    /// baseline of one means nothing to the other.
    ///
    /// # Errors
    ///
    /// [`InapplicableOptions`] with the options that do not fit.
    pub fn fits(&self, step: &Step) -> Result<(), InapplicableOptions> {
        let kind = match StepKind::of(step) {
            StepKind::Import => StepKind::Import,
            _ => StepKind::of(&self.turned(step.clone())),
        };
        // Every field is named, so that the compiler reports a forgotten new one.
        let Self {
            context,
            file,
            images,
            arguments,
            target,
            push,
            no_cache,
            content,
            values_file,
            values_content,
            values,
            allow_privileged,
            keep_vcs,
            trust_context,
            source,
            test,
            // These apply to every task.
            status: _,
            platforms: _,
            timeout: _,
            builder: _,
            on_success: _,
            on_change: _,
            keep_tags: _,
            keep_days: _,
            min_age: _,
            windows: _,
            update_trigger_payload_type: _,
            base_image_trigger: _,
            base_image_trigger_type: _,
            timers: _,
        } = self;
        use StepKind::{Docker, Import, MultiStep};
        // A value that changes nothing, such as `--no-push false`, applies to every kind.
        let is_local = matches!(step, Step::Docker(step) if step.is_local);
        let given: [(&str, bool, &[StepKind]); 15] = [
            // Only a Dockerfile's image can stay with the builder.
            ("--local", is_local, &[Docker]),
            ("--context", context.is_some(), &[Docker, MultiStep]),
            ("--file", file.is_some(), &[Docker, MultiStep]),
            ("--file or --cmd", content.is_some(), &[Docker, MultiStep]),
            ("--image", images.is_some(), &[Docker, Import]),
            ("--arg or --secret-arg", arguments.is_some(), &[Docker]),
            ("--target", *target != Patch::Keep, &[Docker]),
            ("--no-push", *push == Some(false), &[Docker]),
            ("--no-cache", *no_cache == Some(true), &[Docker]),
            (
                "--values",
                *values_file != Patch::Keep || values_content.is_some(),
                &[MultiStep],
            ),
            ("--set or --set-secret", values.is_some(), &[MultiStep]),
            (
                "--allow-privileged",
                *allow_privileged == Some(true),
                &[MultiStep],
            ),
            ("--keep-vcs", *keep_vcs == Some(true), &[Docker, MultiStep]),
            (
                "--trust-context",
                *trust_context == Some(true),
                &[Docker, MultiStep],
            ),
            (
                "--import or --test",
                source.is_some() || test.is_some(),
                &[Import],
            ),
        ];
        let options: Vec<_> = given
            .into_iter()
            .filter(|(_, is_given, kinds)| *is_given && !kinds.contains(&kind))
            .map(|(option, ..)| option)
            .collect();
        if options.is_empty() {
            return Ok(());
        }
        Err(InapplicableOptions { kind, options })
    }

    /// Returns `task` with these changes.
    pub fn apply(self, mut task: Task) -> Task {
        task.step = self.turned(task.step);
        set(&mut task.status, self.status);
        if let Some(yes) = self.trust_context {
            task.step.set_trust_context(yes);
        }
        if let Some(context) = self.context {
            task.step.set_context(context);
        }
        match &mut task.step {
            Step::Docker(step) => {
                set(&mut step.docker_file_path, self.file);
                set(&mut step.image_names, self.images);
                set(&mut step.arguments, self.arguments);
                self.target.apply(&mut step.target);
                set(&mut step.is_push_enabled, self.push);
                set(&mut step.no_cache, self.no_cache);
            }
            Step::FileTask(step) => {
                set(&mut step.task_file_path, self.file);
                self.values_file.apply(&mut step.values_file_path);
                set(&mut step.values, self.values);
                set(&mut step.allow_privileged, self.allow_privileged);
            }
            Step::EncodedTask(step) => {
                set(&mut step.encoded_task_content, self.content);
                if self.values_file != Patch::Keep {
                    step.encoded_values_content = self.values_content;
                }
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
        self.keep_tags.apply(&mut task.keep_tags);
        self.keep_days.apply(&mut task.keep_days);
        self.min_age.apply(&mut task.min_age);
        if self.windows.is_some() {
            task.windows = self.windows;
        }
        set(&mut task.keep_vcs, self.keep_vcs);
        self.builder.apply(&mut task.builder);
        if self.base_image_trigger.is_some() || self.base_image_trigger_type.is_some() {
            // Setting the type of a missing trigger adds the trigger.
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
        let trigger = &mut task.trigger.base_image_trigger;
        if let Patch::Set(_) = self.update_trigger_payload_type {
            // The payload of a missing trigger is kept for when the trigger is enabled.
            trigger.get_or_insert_with(BaseImageTrigger::disabled);
        }
        if let Some(trigger) = trigger {
            self.update_trigger_payload_type
                .apply(&mut trigger.update_trigger_payload_type);
        }
        task
    }

    /// Turns `step` into another kind of step where the given file requires it.
    fn turned(&self, step: Step) -> Step {
        if let Some(content) = &self.content {
            return match step {
                Step::EncodedTask(_) => step,
                other => Step::EncodedTask(EncodedStep {
                    context_path: other.context().filter(|it| **it != Context::None).cloned(),
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
            (old @ (Step::Docker(_) | Step::EncodedTask(_)), Some(context_path))
                if is_task_file(file) =>
            {
                Step::FileTask(FileStep {
                    context_path,
                    task_file_path: file.clone(),
                    values_file_path: None,
                    values: old.values().to_vec(),
                    allow_privileged: old.allows_privileged(),
                    trust_context: old.trusts_context(),
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
                    docker_file_content: None,
                    contexts: BTreeMap::new(),
                    options: Vec::new(),
                    is_local: false,
                })
            }
            (step, _) => step,
        }
    }
}

/// Returns the options of a step that a change to another kind of step has left behind, because that has no place for them.
pub fn left_behind(old: &Step, new: &Step) -> Vec<String> {
    if std::mem::discriminant(old) == std::mem::discriminant(new) {
        return Vec::new();
    }
    let kept = given_options(new);
    let mut given = given_options(old);
    given.retain(|option| !kept.contains(option));
    given
}

/// Returns the options that a step was given, as they are typed. Those that only `task adopt` writes are called by their keys.
fn given_options(step: &Step) -> Vec<String> {
    let has = |arguments: &[Argument], is_secret| {
        let mut all = arguments.iter();
        all.any(|argument| argument.is_secret == is_secret)
    };
    let images = format!("--image {}", step.image_names().join(" --image "));
    let has_values = match step {
        Step::FileTask(step) => step.values_file_path.is_some(),
        Step::EncodedTask(step) => step.encoded_values_content.is_some(),
        Step::Docker(_) | Step::Import(_) => false,
    };
    let mut options = vec![
        (&*images, !step.image_names().is_empty()),
        ("--arg", has(step.arguments(), false)),
        ("--secret-arg", has(step.arguments(), true)),
        ("--set", has(step.values(), false)),
        ("--set-secret", has(step.values(), true)),
        ("--values", has_values),
        ("--allow-privileged", step.allows_privileged()),
    ];
    if let Step::Docker(step) = step {
        options.extend([
            ("--target", step.target.is_some()),
            ("--no-push", !step.is_push_enabled),
            ("--no-cache", step.no_cache),
            ("dockerFileContent", step.docker_file_content.is_some()),
            ("contexts", !step.contexts.is_empty()),
            ("options", !step.options.is_empty()),
        ]);
    }
    let given = options.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(option, _)| option.to_owned()).collect()
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
    fn empty_patch_changes_nothing() {
        assert_eq!(TaskPatch::default().apply(task()), task());
    }

    #[test]
    fn patch_option_that_does_not_apply_to_the_step_type_is_refused() {
        let step = |text: &str| serde_yaml::from_str::<Step>(text).unwrap();
        let docker = task().step;
        let file = step("{type: FileTask, contextPath: /c, taskFilePath: acb.yaml}");
        let encoded = step("{type: EncodedTask, encodedTaskContent: eA==}");
        let copy = step("{type: Import, source: 'node:20'}");
        let patch = TaskPatch::default;
        #[rustfmt::skip]
        let cases: Vec<(TaskPatch, [bool; 4])> = vec![
            (patch(), [true, true, true, true]),
            (TaskPatch { source: Some("node:20".into()), ..patch() }, [false, false, false, true]),
            (TaskPatch { test: Some(Vec::new()), ..patch() }, [false, false, false, true]),
            (TaskPatch { context: Some(Context::None), ..patch() }, [true, true, true, false]),
            (TaskPatch { images: Some(Vec::new()), ..patch() }, [true, false, false, true]),
            (TaskPatch { arguments: Some(Vec::new()), ..patch() }, [true, false, false, false]),
            (TaskPatch { target: Patch::Clear, ..patch() }, [true, false, false, false]),
            (TaskPatch { push: Some(false), ..patch() }, [true, false, false, false]),
            (TaskPatch { push: Some(true), ..patch() }, [true, true, true, true]),
            (TaskPatch { no_cache: Some(true), ..patch() }, [true, false, false, false]),
            (TaskPatch { values: Some(Vec::new()), ..patch() }, [false, true, true, false]),
            (TaskPatch { values_file: Patch::Set("v.yaml".into()), ..patch() }, [false, true, true, false]),
            (TaskPatch { allow_privileged: Some(true), ..patch() }, [false, true, true, false]),
            (TaskPatch { keep_vcs: Some(true), ..patch() }, [true, true, true, false]),
            (TaskPatch { trust_context: Some(true), ..patch() }, [true, true, true, false]),
            (TaskPatch { timeout: Some(1), ..patch() }, [true, true, true, true]),
            // The step after the changes counts.
            (TaskPatch { file: Some("acb.yaml".into()), values: Some(Vec::new()), ..patch() }, [true, true, true, false]),
            (TaskPatch { content: Some("eA==".into()), values: Some(Vec::new()), ..patch() }, [true, true, true, false]),
            (TaskPatch { file: Some("acb.yaml".into()), target: Patch::Clear, ..patch() }, [false, false, false, false]),
            (TaskPatch { file: Some("Dockerfile".into()), target: Patch::Clear, ..patch() }, [true, true, false, false]),
        ];
        for (patch, fits) in cases {
            let found = [&docker, &file, &encoded, &copy].map(|step| patch.fits(step).is_ok());
            assert_eq!(found, fits, "{patch:?}");
        }
        let local = step("{type: Docker, contextPath: /c, dockerFilePath: D, isLocal: true}");
        let to_file = |file: &str| TaskPatch {
            file: Some(file.into()),
            ..patch()
        };
        assert!(to_file("Other").fits(&local).is_ok());
        let inapplicable = to_file("acb.yaml").fits(&local).unwrap_err();
        assert_eq!(inapplicable.options, ["--local"]);
        let both = TaskPatch {
            target: Patch::Set("prod".into()),
            no_cache: Some(true),
            ..patch()
        };
        let inapplicable = both.fits(&file).unwrap_err();
        assert_eq!(
            inapplicable.to_string(),
            "it carries out a multi-step file; --target and --no-cache mean nothing to that"
        );
    }

    #[test]
    fn patch_of_another_field_keeps_the_push_setting() {
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
    fn patch_enables_a_missing_trigger() {
        let patch = TaskPatch {
            base_image_trigger: Some(Status::Enabled),
            ..TaskPatch::default()
        };
        let trigger = patch.apply(task()).trigger.base_image_trigger.unwrap();
        assert_eq!(trigger, BaseImageTrigger::default());
    }

    #[test]
    fn patch_that_disables_a_trigger_keeps_its_type() {
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
    fn patch_of_the_payload_of_a_missing_trigger_keeps_it_for_later() {
        let payload = TaskPatch {
            update_trigger_payload_type: Patch::Set(UpdatePayload::Token),
            ..TaskPatch::default()
        };
        let trigger = payload.apply(task()).trigger.base_image_trigger.unwrap();
        assert_eq!(trigger.status, Status::Disabled);
        let kept = trigger.update_trigger_payload_type;
        assert_eq!(kept, Some(UpdatePayload::Token));
    }

    #[test]
    fn patch_clears_the_target() {
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
    fn patch_clears_the_values_file_of_a_definition_and_keeps_it_unless_asked() {
        let mut old = task();
        old.step = serde_yaml::from_str(
            "{type: EncodedTask, encodedTaskContent: eA==, encodedValuesContent: eQ==}",
        )
        .unwrap();
        let patch = |values_file| TaskPatch {
            values_file,
            ..TaskPatch::default()
        };
        assert_eq!(patch(Patch::Keep).apply(old.clone()), old);
        let Step::EncodedTask(step) = patch(Patch::Clear).apply(old).step else {
            panic!("it is another kind of step")
        };
        assert_eq!(step.encoded_values_content, None);
    }

    #[test]
    fn patch_grants_and_revokes_trust_and_keeps_it_for_another_step_type() {
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
    fn change_to_another_step_type_keeps_the_context_and_names_what_it_leaves_behind() {
        let step = |text: &str| serde_yaml::from_str::<Step>(text).unwrap();
        let docker = step(
            "{type: Docker, contextPath: /c, dockerFilePath: D, imageNames: ['w:1', 'w:2'], isPushEnabled: false, noCache: true, target: prod, arguments: [{name: A, value: b}, {name: S, isSecret: true}]}",
        );
        let values = "values: [{name: A, value: b}, {name: S, isSecret: true}]";
        let file = step(&format!(
            "{{type: FileTask, contextPath: /c, taskFilePath: acb.yaml, valuesFilePath: v.yaml, allowPrivileged: true, {values}}}"
        ));
        let to_file = |file: &str| TaskPatch {
            file: Some(file.into()),
            ..TaskPatch::default()
        };
        let to_command = TaskPatch {
            content: Some("eA==".into()),
            ..TaskPatch::default()
        };
        let of_docker = [
            "--image w:1 --image w:2",
            "--arg",
            "--secret-arg",
            "--target",
            "--no-push",
            "--no-cache",
        ];
        let cases: [(&Step, TaskPatch, &[&str]); 5] = [
            (&docker, to_file("Other"), &[]),
            (&docker, to_file("acb.yaml"), &of_docker),
            (&docker, to_command.clone(), &of_docker),
            (
                &file,
                to_file("Dockerfile"),
                &["--set", "--set-secret", "--values", "--allow-privileged"],
            ),
            (&file, to_command, &["--values"]),
        ];
        for (old, patch, expected) in cases {
            let new = patch.turned(old.clone());
            assert_eq!(left_behind(old, &new), expected, "{patch:?}");
            assert_eq!(new.context(), old.context(), "{patch:?}");
        }
    }

    #[test]
    fn patch_changes_status_and_timers() {
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
