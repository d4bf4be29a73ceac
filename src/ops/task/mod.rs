//! Create, update, show, list and delete tasks.

mod find;

use std::{collections::BTreeMap, path::Path};

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::Platform,
    store::{lock, secrets::Secrets},
    sys::secret::Secret,
    task::{
        Age, Argument, BaseImageTrigger, Context, DockerStep, EncodedStep, FileStep, OnChange,
        RunId, Status, Step, Task, TaskKey, TaskName, TaskPatch, Trigger,
        multi_step::encoded,
        template::{RunVariables, SourceVariables},
    },
    watch::Baseline,
};

use super::{
    App, chain,
    event::{Event, EventSink},
    reading,
    source_trigger::{self, SourceTriggerPatch},
    timer::{self, Schedule, timers},
};

pub use find::{existing, find, keys, registry_for};
use find::{not_found, refuse_other_case};

/// A task to be made.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its name.
    pub name: TaskName,
    /// Its registry, as it was typed; found from the images or the defaults if left out.
    pub registry: Option<String>,
    /// What its runs do.
    pub step: Step,
    /// The values of its secret arguments.
    pub secret_arguments: BTreeMap<String, Secret>,
    /// What opens the git repository of its context.
    pub git_access_token: Option<Secret>,
    /// The secret values of its templates.
    pub secret_values: BTreeMap<String, Secret>,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// Seconds that a run may take.
    pub timeout: u32,
    /// Its builder.
    pub builder: Option<String>,
    /// Enabled or disabled.
    pub status: Status,
    /// Its base image trigger; none if it was switched off.
    pub base_image_trigger: Option<BaseImageTrigger>,
    /// Its timers.
    pub schedules: Vec<Schedule>,
    /// What its source is to run it for.
    pub source: SourceTriggerPatch,
    /// Whether `.git` is a part of its context.
    pub keep_vcs: bool,
    /// What a successful run starts.
    pub on_success: Vec<String>,
    /// What is done when its files name other images than the last run was built on.
    pub on_change: OnChange,
    /// How many of the newest tags made from a template are kept.
    pub keep_tags: Option<u32>,
    /// For how many days they are kept.
    pub keep_days: Option<u32>,
    /// How old the digest of a base must be before anything is built on it.
    pub min_age: Option<Age>,
    /// Where the webhook of its base image trigger is.
    pub update_trigger_endpoint: Option<Secret>,
}

/// Makes a task, or replaces the one of that name. Its runs are kept either way.
///
/// # Errors
///
/// [`Kind::Invalid`] where the definition makes no sense: its Dockerfile is missing or broken, an image name is no
/// reference, it depends on itself.
pub fn create(app: &App, new: NewTask, events: &EventSink<'_>) -> Result<TaskKey> {
    let registry = registry_for(app, new.registry.as_deref(), new.step.image_names())?;
    let key = TaskKey {
        registry,
        name: new.name,
    };
    refuse_other_case(app, &key)?;
    let mut task = Task {
        schema: Task::SCHEMA,
        name: key.name.clone(),
        registry: key.registry.clone(),
        status: new.status,
        creation_date: Some(app.clock.now()),
        platforms: new.platforms,
        timeout: new.timeout,
        builder: new.builder,
        keep_vcs: new.keep_vcs,
        on_success: new.on_success,
        on_change: new.on_change,
        keep_tags: new.keep_tags,
        keep_days: new.keep_days,
        min_age: new.min_age,
        step: with_absolute_context(new.step)?,
        trigger: Trigger {
            base_image_trigger: new.base_image_trigger,
            timer_triggers: timers(new.schedules, app.clock.now())?,
            source_triggers: Vec::new(),
        },
        is_fetched: false,
    };
    let has_token = new.git_access_token.is_some();
    task.trigger.source_triggers = source_trigger::of_new(&new.source, &task.step, has_token)?;
    source_trigger::tell_of_pull_requests(&task.trigger.source_triggers, events);
    // A replaced task keeps its logins: they are not among what `create` is told.
    let kept = app.store.secrets(&key).unwrap_or_default();
    let secrets = Secrets {
        schema: Secrets::SCHEMA,
        arguments: new.secret_arguments,
        values: new.secret_values,
        git_access_token: new.git_access_token.clone(),
        update_trigger_endpoint: new.update_trigger_endpoint,
        update_trigger_token: kept.update_trigger_token,
        credentials: kept.credentials,
    };
    // A definition that does not parse is replaced like any other: that is how it is mended.
    let old = app.store.task(&key).ok().flatten();
    if let Some(old) = &old {
        let given = std::mem::take(&mut task.trigger.timer_triggers);
        task.trigger.timer_triggers = timer::as_before(given, &old.trigger.timer_triggers);
        timer::count_anew(old, &mut task, app.clock.now());
    }
    let replaces = app.store.layout().task(&key).exists();
    validate(app, &task, &secrets, events)?;
    if replaces {
        events.send(Event::Warning(format!(
            "task `{key}` exists and is replaced; its runs are kept"
        )));
    }
    let baseline = save(app, old.as_ref(), &task, &secrets, events)?;
    if !baseline.has_run() {
        events.send(Event::Note(first_run(&key)));
    }
    Ok(key)
}

/// A run without a stored task, as it is asked for.
#[derive(Clone, Debug)]
pub struct QuickTask<'a> {
    /// The registry, as it was typed; found from the defaults if left out.
    pub registry: Option<&'a str>,
    /// What is run.
    pub step: Step,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// Seconds that it may take.
    pub timeout: u32,
    /// The values of its secret arguments.
    pub secret_arguments: BTreeMap<String, Secret>,
    /// The secret values of its templates.
    pub secret_values: BTreeMap<String, Secret>,
    /// Whether `.git` is a part of its context.
    pub keep_vcs: bool,
}

/// Returns the definition of a run that nobody keeps, with its secrets.
///
/// # Errors
///
/// [`Kind::Invalid`] where its files cannot be used, or nobody can tell which registry it is for.
pub fn quick(app: &App, new: QuickTask<'_>) -> Result<(Task, Secrets)> {
    let name = "quick-run".parse();
    let task = Task {
        schema: Task::SCHEMA,
        name: name.context(Kind::Failed, || "cannot name a quick run".to_owned())?,
        registry: registry_for(app, new.registry, new.step.image_names())?,
        status: Status::Enabled,
        creation_date: None,
        platforms: new.platforms,
        timeout: new.timeout,
        builder: None,
        keep_vcs: new.keep_vcs,
        on_success: Vec::new(),
        on_change: OnChange::Tell,
        keep_tags: None,
        keep_days: None,
        min_age: None,
        step: with_absolute_context(new.step)?,
        trigger: Trigger {
            base_image_trigger: None,
            timer_triggers: Vec::new(),
            source_triggers: Vec::new(),
        },
        is_fetched: false,
    };
    let secrets = Secrets {
        schema: Secrets::SCHEMA,
        arguments: new.secret_arguments,
        values: new.secret_values,
        ..Secrets::default()
    };
    if let Step::Docker(step) = &task.step {
        for argument in &step.arguments {
            check_argument(argument)?;
        }
    }
    reading::survey(app, &task, &secrets)?;
    Ok((task, secrets))
}

/// Refuses options that mean nothing to the step of a task, rather than to leave them out in silence.
///
/// # Errors
///
/// [`Kind::Invalid`] with the options and what the task does.
pub fn check_fit(given: &TaskPatch, step: &Step, task: &str) -> Result<()> {
    given.fits(step).map_err(|misfit| {
        let what = format!("cannot use these options for task `{task}`: {misfit}");
        Error::new(Kind::Invalid, what).hint(misfit.hint())
    })
}

/// Which secrets of a task are replaced; `None` leaves them alone.
#[derive(Clone, Debug, Default)]
pub struct SecretPatch {
    /// Those of build arguments.
    pub arguments: Option<BTreeMap<String, Secret>>,
    /// Those of templates.
    pub values: Option<BTreeMap<String, Secret>>,
    /// What opens the git repository of the context.
    pub git_access_token: Option<Secret>,
    /// Where the webhook of the base image trigger is.
    pub update_trigger_endpoint: Option<Secret>,
}

/// Changes a task.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is none; [`Kind::Invalid`] as [`create`].
pub fn update(
    app: &App,
    key: &TaskKey,
    patch: TaskPatch,
    wish: &SourceTriggerPatch,
    new_secrets: SecretPatch,
    events: &EventSink<'_>,
) -> Result<()> {
    let old = existing(app, key)?;
    check_fit(&patch, &old.step, key.name.as_str())?;
    let mut patch = patch;
    patch.context = patch.context.map(absolute).transpose()?;
    let mut secrets = app.store.secrets(key)?;
    if let Some(arguments) = new_secrets.arguments {
        secrets.schema = Secrets::SCHEMA;
        secrets.arguments = arguments;
    }
    if let Some(values) = new_secrets.values {
        secrets.schema = Secrets::SCHEMA;
        secrets.values = values;
    }
    if let Some(token) = new_secrets.git_access_token {
        secrets.schema = Secrets::SCHEMA;
        secrets.git_access_token = Some(token);
    }
    if let Some(endpoint) = new_secrets.update_trigger_endpoint {
        secrets.schema = Secrets::SCHEMA;
        secrets.update_trigger_endpoint =
            Some(endpoint).filter(|endpoint| !endpoint.reveal().is_empty());
    }
    let mut task = patch.apply(old.clone());
    let sources = std::mem::take(&mut task.trigger.source_triggers);
    task.trigger.source_triggers = source_trigger::changed(wish, sources, &task.step)?;
    if wish.pull_requests == Some(true) {
        source_trigger::tell_of_pull_requests(&task.trigger.source_triggers, events);
    }
    let timers = std::mem::take(&mut task.trigger.timer_triggers);
    task.trigger.timer_triggers = timer::as_before(timers, &old.trigger.timer_triggers);
    timer::count_anew(&old, &mut task, app.clock.now());
    validate(app, &task, &secrets, events)?;
    save(app, Some(&old), &task, &secrets, events)?;
    Ok(())
}

/// Keeps what the webhook of a task's base image trigger is given, in base64 as az sends it.
///
/// # Errors
///
/// [`Kind::Invalid`] and [`Kind::Failed`] as the file of its secrets cannot be read or written.
pub fn keep_update_token(app: &App, key: &TaskKey, token: &str) -> Result<()> {
    let mut secrets = app.store.secrets(key)?;
    secrets.schema = Secrets::SCHEMA;
    secrets.update_trigger_token = Some(Secret::new(encoded(token)));
    app.store.save_secrets(key, &secrets)
}

/// Deletes a task with what is known of it and its secrets. Its runs stay.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is none.
pub fn delete(app: &App, key: &TaskKey) -> Result<()> {
    if !app.store.layout().task(key).exists() {
        return Err(not_found(app, &key.name));
    }
    app.store.delete_task(key)
}

fn with_absolute_context(step: Step) -> Result<Step> {
    Ok(match step {
        Step::Docker(step) => Step::Docker(DockerStep {
            context_path: absolute(step.context_path)?,
            ..step
        }),
        Step::FileTask(step) => Step::FileTask(FileStep {
            context_path: absolute(step.context_path)?,
            ..step
        }),
        Step::EncodedTask(step) => Step::EncodedTask(EncodedStep {
            context_path: step.context_path.map(absolute).transpose()?,
            ..step
        }),
        Step::Import(step) => Step::Import(step),
    })
}

/// Makes a local context absolute: watchers and cron start in other folders.
///
/// # Errors
///
/// [`Kind::Invalid`] where there is no current folder to see it from.
pub fn absolute(context: Context) -> Result<Context> {
    match context {
        Context::Local(path) => std::path::absolute(&path)
            .map(|path| Context::Local(normal(&path)))
            .context(Kind::Invalid, || {
                format!("cannot use the context `{}`", path.display())
            }),
        elsewhere => Ok(elsewhere),
    }
}

/// Takes out `.` and empty parts; `..` stays, because a link may stand before it.
fn normal(path: &Path) -> std::path::PathBuf {
    path.components().collect()
}

/// Checks all that can be checked without a registry or a builder.
fn validate(app: &App, task: &Task, secrets: &Secrets, events: &EventSink<'_>) -> Result<()> {
    let sample = RunVariables {
        id: RunId::new(1),
        date: app.clock.now(),
        registry: task.registry.clone(),
        task: task.name.to_string(),
        os: "linux".into(),
        architecture: "amd64".into(),
        triggered_by: String::new(),
        source: SourceVariables::of(task.step.context(), Some("0")),
    };
    let images = task.images(&sample).context(Kind::Invalid, || {
        format!("cannot use the images of task `{}`", task.name)
    })?;
    if let Step::Docker(step) = &task.step {
        for argument in &step.arguments {
            check_argument(argument)?;
        }
        if images.is_empty() && step.is_push_enabled {
            events.send(Event::Warning(format!(
                "task `{}` has no --image: its runs build, and push nothing",
                task.name
            )));
        }
    }
    let survey = reading::survey(app, task, secrets)?;
    for notice in &survey.notices {
        events.send(Event::Warning(notice.to_string()));
    }
    if let Some(step) = survey.privileged.first()
        && !task.step.allows_privileged()
    {
        events.send(Event::Warning(format!(
            "step `{step}` asks to be privileged, and runs will be refused without --allow-privileged"
        )));
    }
    if let Some(refused) = &survey.refused {
        events.send(Event::Warning(format!(
            "the context is a guest's, and runs will be refused without --trust-context: {refused}"
        )));
    }
    chain::refuse_cycles(app, task, &survey.pushes, &survey.bases, None)
}

fn check_argument(argument: &Argument) -> Result<()> {
    let name = &argument.name;
    let fine = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.');
    if fine {
        Ok(())
    } else {
        Err(Error::new(
            Kind::Invalid,
            format!(
                "build argument name `{}` is not made of letters, digits, `_`, `-` and `.`",
                name.escape_debug()
            ),
        ))
    }
}

/// Writes a definition, after it has forgotten what the old one depended on where that no longer holds.
fn save(
    app: &App,
    old: Option<&Task>,
    task: &Task,
    secrets: &Secrets,
    events: &EventSink<'_>,
) -> Result<Baseline> {
    let key = task.key();
    app.store.prepare()?;
    let mut baseline = app.store.baseline(&key).unwrap_or_default();
    let same_secrets = app
        .store
        .secrets(&key)
        .is_ok_and(|kept| kept.arguments == secrets.arguments && kept.values == secrets.values);
    let holds = same_secrets && old.is_some_and(|old| old.depends_on_the_same_as(task));
    if !holds {
        // Before the definition: a crash in between leaves a task that says it must be run, never one that
        // follows the wrong images.
        let forgotten = baseline.forgotten();
        match forgotten.timers.is_empty() {
            true => app.store.forget_baseline(&key)?,
            false => app.store.save_baseline(&key, &forgotten)?,
        }
        if baseline.has_run() {
            events.send(Event::Warning(format!(
                "what task `{key}` depends on has changed: nothing is followed until it has run again: acrt task run --name {key}"
            )));
        }
        baseline = forgotten;
    } else if baseline.failure.take().is_some() {
        // A change is worth a try at once, and ends that the task is marked as stalled. What a run that goes on knows is its own.
        if let Some(_lock) = lock::try_lock(&app.store.layout().task_lock(&key))? {
            app.store.save_baseline(&key, &baseline)?;
        }
    }
    app.store.save_secrets(&key, secrets)?;
    app.store.save_task(task)?;
    Ok(baseline)
}

fn first_run(key: &TaskKey) -> String {
    format!("task `{key}` follows nothing until it has run once: acrt task run --name {key}")
}
