//! Creates, updates and deletes tasks.

mod find;

use std::{collections::BTreeMap, path::Path};

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{Platform, Reference},
    notify::Address,
    steps::alias::with_built_in,
    store::secrets::Secrets,
    sys::secret::{Secret, is_place, to_store},
    task::{
        Argument, Context, RunId, Status, Step, Task, TaskKey, TaskPatch, TaskSource,
        multi_step::encoded, name, patch::left_behind,
    },
};

use super::{
    App, Event, EventSink, NOT_UTF8,
    chain::ImageMakers,
    inputs, reading,
    source_trigger::{self, SourceTriggerPatch},
    survey::Survey,
    timer,
};

pub use find::{
    ambiguous_names, default_registry, existing, find, keys, name_of, named_registry, none_yet,
    option_of, registry_for,
};
use find::{not_found, refuse_other_case};

/// The options for a task, new or existing.
#[derive(Clone, Debug, Default)]
pub struct TaskOptions {
    pub patch: TaskPatch,
    pub secrets: SecretPatch,
    pub source: SourceTriggerPatch,
}

/// Creates a task from a [`Task::blank`] one, or replaces the one of that name. The runs of a replaced task are kept. A task that
/// `is_named_after` its folder does not replace one that builds something else. Returns its key, and whether it has never run, so that
/// nothing is followed yet.
///
/// # Errors
///
/// [`Kind::Invalid`] where the definition is not valid: its Dockerfile is missing or broken, an image name cannot be parsed, it depends on
/// itself.
pub fn create(
    makers: &mut ImageMakers<'_>,
    task: Task,
    task_options: TaskOptions,
    is_named_after: bool,
    events: &EventSink<'_>,
) -> Result<(TaskKey, bool)> {
    let app = makers.app;
    let key = task.key();
    refuse_other_case(app, &key)?;
    check_fit(&task_options.patch, &task.step, key.name.as_str())?;
    let mut task = with_absolute_context(task_options.patch.apply(task))?;
    task_options.secrets.check(&task.step)?;
    task.creation_date = Some(app.clock.now());
    let has_token = task_options.secrets.git_access_token.is_some();
    task.trigger.source_triggers =
        source_trigger::of_new(&task_options.source, &task.step, has_token)?;
    source_trigger::report_pull_requests(&task.trigger.source_triggers, events);
    // A replaced task keeps its logins: they are no options of `create`. No file that a task is adopted from has a token.
    let kept = app.store.secrets(&key)?;
    let is_adopted = task.source.is_some();
    let is_git = task.step.context().and_then(Context::git).is_some();
    let mut secrets = Secrets {
        schema: Secrets::SCHEMA,
        update_trigger_token: kept.update_trigger_token,
        credentials: kept.credentials,
        git_access_token: kept.git_access_token.filter(|_| is_adopted && is_git),
        ..Secrets::default()
    };
    task_options.secrets.apply(&mut secrets)?;
    // A definition that does not parse may be replaced too: that is how it is repaired.
    let old = app.store.task(&key).ok().flatten();
    if is_named_after {
        named_after(&task, old.as_ref(), events)?;
    }
    if let Some(old) = &old {
        let given = std::mem::take(&mut task.trigger.timer_triggers);
        task.trigger.timer_triggers = timer::as_before(given, &old.trigger.timer_triggers);
        timer::count_anew(old, &mut task, app.clock.now());
    }
    let written = Some(task.fingerprint());
    let adopted = task.source.take();
    task.source = adopted.map(|source| Box::new(TaskSource { written, ..*source }));
    let replaces = app.store.layout().task(&key).exists();
    let had_run = app.store.baseline(&key).is_ok_and(|it| it.is_tracking());
    let survey = validate(makers, &task, &secrets, events)?;
    if task.status == Status::Enabled {
        makers.refuse_cycles(&task, &survey.pushes, &survey.bases, None)?;
    }
    let lock = app.store.lock_tasks()?;
    // Another command may have added a login since.
    secrets.credentials = app.store.secrets(&key)?.credentials;
    save(app, old.as_ref(), &task, &secrets, events)?;
    drop(lock);
    if replaces && !is_adopted {
        events.send(Event::Warning(format!(
            "task `{key}` exists and is replaced; its runs are kept"
        )));
    }
    makers.written(&task);
    // If a task had run before, [`save`] has reported whether it must be run again.
    Ok((key, !had_run))
}

/// Reports the name that a task gets from its folder, and refuses to replace a task that builds something else.
fn named_after(task: &Task, old: Option<&Task>, events: &EventSink<'_>) -> Result<()> {
    let name = &task.name;
    let what = |task: &Task| match &task.step {
        Step::Import(step) => format!("copies `{}`", step.source),
        Step::Docker(step) => format!(
            "builds `{}` of `{}`",
            step.docker_file_path.display(),
            step.context_path
        ),
        step => format!("works on `{}`", step.context().unwrap_or(&Context::None)),
    };
    let does = what(task);
    if let Some(other) = old.map(what).filter(|other| *other != does) {
        return Err(Error::invalid(format!(
            "a task `{name}` exists and {other}, and this one {does}"
        ))
        .hint("give this one a name of its own: acrt task create NAME …"));
    }
    events.send(Event::Note(format!(
        "the task is called `{name}`, and {does}"
    )));
    Ok(())
}

/// The options of a quick run, which has no stored task.
#[derive(Clone, Debug)]
pub struct QuickTask<'a> {
    /// The registry as the user typed it; `None` for the default.
    pub registry: Option<&'a str>,
    pub step: Step,
    pub platforms: Vec<Platform>,
    /// The timeout in seconds.
    pub timeout: u32,
    /// The values of its secret arguments.
    pub secret_arguments: BTreeMap<String, Secret>,
    /// The secret values of its templates.
    pub secret_values: BTreeMap<String, Secret>,
    /// Whether `.git` is part of its context.
    pub keep_vcs: bool,
}

/// Returns the definition of a quick run, which is not stored, with its secrets.
///
/// # Errors
///
/// [`Kind::Invalid`] where its files cannot be used, or its registry is not known.
pub fn quick(app: &App, new: QuickTask<'_>) -> Result<(Task, Secrets)> {
    let name = name::QUICK_RUN.parse();
    // A build that pushes nothing needs no registry, as with docker.
    let is_build = matches!(new.step, Step::Docker(_));
    let pushes = !new.step.image_names().is_empty() || !is_build;
    let registry = match registry_for(app, new.registry, new.step.image_names()) {
        Err(_) if new.registry.is_none() && !pushes => "localhost".to_owned(),
        found => found?,
    };
    let key = TaskKey {
        registry,
        name: name.context(Kind::Failed, || "cannot name a quick run".to_owned())?,
    };
    let task = Task {
        platforms: new.platforms,
        timeout: new.timeout,
        keep_vcs: new.keep_vcs,
        ..with_absolute_context(Task::blank(key, new.step))?
    };
    let secrets = Secrets {
        schema: Secrets::SCHEMA,
        arguments: new.secret_arguments,
        values: new.secret_values,
        ..Secrets::default()
    };
    images(app, &task)?;
    check_arguments(&task.step)?;
    reading::survey(app, &task, &secrets)?;
    Ok((task, secrets))
}

/// Refuses options that do not apply to the step of a task, instead of ignoring them.
///
/// # Errors
///
/// [`Kind::Invalid`] with the options and what the task does.
pub fn check_fit(given: &TaskPatch, step: &Step, task: &str) -> Result<()> {
    if given.push == Some(true) && matches!(step, Step::Docker(step) if step.is_local) {
        let what = format!("task `{task}` is local: its images stay in the builder's store");
        return Err(Error::invalid(what)
            .hint("to push them, create a task with --registry in its place: acrt task create"));
    }
    given.fits(step).map_err(|inapplicable| {
        let what = format!("cannot use these options for task `{task}`: {inapplicable}");
        Error::invalid(what).hint(inapplicable.hint())
    })
}

/// The secrets of a task to replace; `None` changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretPatch {
    /// The secret build arguments.
    pub arguments: Option<BTreeMap<String, Secret>>,
    /// The secret values of templates.
    pub values: Option<BTreeMap<String, Secret>>,
    /// The token for the git repository of the context.
    pub git_access_token: Option<Secret>,
    /// The endpoint of the base image trigger's webhook.
    pub update_trigger_endpoint: Option<Secret>,
}

impl SecretPatch {
    /// Refuses what could never be used: an endpoint that is no URL, and a token for a context that is no git repository.
    fn check(&self, step: &Step) -> Result<()> {
        let endpoint = self.update_trigger_endpoint.as_ref().map(Secret::reveal);
        let endpoint = endpoint.filter(|it| !it.is_empty() && !is_place(it));
        endpoint
            .map(Address::parse)
            .transpose()
            .map_err(|problem| {
                let what = "cannot use the URL of --update-trigger-endpoint";
                Error::invalid(what).because(anyhow::anyhow!("{problem}"))
            })?;
        let token = self.git_access_token.as_ref().map(Secret::reveal);
        if token.is_some_and(|it| !it.is_empty()) && step.context().and_then(Context::git).is_none()
        {
            let what = "the context is no git repository, and needs no token";
            return Err(Error::invalid(what).hint("leave out --git-access-token"));
        }
        Ok(())
    }

    fn apply(self, secrets: &mut Secrets) -> Result<()> {
        let all = |secrets: BTreeMap<String, Secret>| -> Result<BTreeMap<String, Secret>> {
            let stored = secrets.into_iter();
            stored.map(|(name, it)| Ok((name, to_store(it)?))).collect()
        };
        let one = |secret: Secret| -> Result<Option<Secret>> {
            Ok(Some(to_store(secret)?).filter(|it| !it.reveal().is_empty()))
        };
        secrets.schema = Secrets::SCHEMA;
        if let Some(arguments) = self.arguments {
            secrets.arguments = all(arguments)?;
        }
        if let Some(values) = self.values {
            secrets.values = all(values)?;
        }
        if let Some(token) = self.git_access_token {
            secrets.git_access_token = one(token)?;
        }
        if let Some(endpoint) = self.update_trigger_endpoint {
            secrets.update_trigger_endpoint = one(endpoint)?;
        }
        Ok(())
    }
}

/// Changes a task.
///
/// # Errors
///
/// [`Kind::Invalid`] as [`create`]; [`Kind::Failed`] where another command has changed it meanwhile.
pub fn update(
    app: &App,
    old: Task,
    task_options: TaskOptions,
    events: &EventSink<'_>,
) -> Result<()> {
    let key = old.key();
    check_fit(&task_options.patch, &old.step, key.name.as_str())?;
    let before = app.store.secrets(&key)?;
    let mut secrets = before.clone();
    let mut patch = task_options.patch;
    patch.context = patch.context.map(absolute).transpose()?;
    let keeps_trust = patch.trust_context.is_none();
    let mut task = patch.apply(old.clone());
    let loses_token = task_options.secrets.git_access_token.is_none()
        && drop_token_of_other_host(&mut secrets, old.step.context(), task.step.context());
    task_options.secrets.check(&task.step)?;
    if task_options.secrets != SecretPatch::default() {
        task_options.secrets.apply(&mut secrets)?;
    }
    remove_unused(&mut secrets, &old.step, &task.step);
    let sources = std::mem::take(&mut task.trigger.source_triggers);
    task.trigger.source_triggers =
        source_trigger::changed(&task_options.source, sources, &task.step)?;
    if task_options.source.pull_requests == Some(true) {
        source_trigger::report_pull_requests(&task.trigger.source_triggers, events);
    }
    let timers = std::mem::take(&mut task.trigger.timer_triggers);
    task.trigger.timer_triggers = timer::as_before(timers, &old.trigger.timer_triggers);
    timer::count_anew(&old, &mut task, app.clock.now());
    // A change that closes no cycle is not refused because of one that is there: such a change may be what ends it.
    let is_in_same_place = old.status == task.status
        && secrets.arguments == before.arguments
        && secrets.values == before.values
        && old.has_same_inputs(&task)
        && old.step.image_names() == task.step.image_names();
    let makers = &mut ImageMakers::of(app);
    let survey = validate(makers, &task, &secrets, events)?;
    if task.status == Status::Enabled && !is_in_same_place {
        makers.refuse_cycles(&task, &survey.pushes, &survey.bases, None)?;
    }
    let _lock = app.store.lock_tasks()?;
    if app.store.task(&key)?.as_ref() != Some(&old) || app.store.secrets(&key)? != before {
        let why = format!("another command has changed task `{key}` meanwhile");
        return Err(Error::failed(why).hint("type it again"));
    }
    if keeps_trust {
        report_kept_trust(&old, &task, events);
    }
    report_left_behind(&old, &task, events);
    if loses_token {
        events.send(Event::Warning(format!(
            "the git token of task `{}` is for another host than that of the new context, and removed; give one for it: --git-access-token",
            task.name
        )));
    }
    save(app, Some(&old), &task, &secrets, events)?;
    Ok(())
}

/// Removes the git token where a context is on another host than the one that it was given for. Returns whether there was one.
pub(super) fn drop_token_of_other_host(
    secrets: &mut Secrets,
    old: Option<&Context>,
    new: Option<&Context>,
) -> bool {
    let both = old.and_then(Context::git).zip(new.and_then(Context::git));
    let is_beside = both.is_some_and(|(old, new)| new.is_beside(old));
    old != new && !is_beside && secrets.git_access_token.take().is_some()
}

/// Removes the secrets of options that a change of the kind of step has left behind.
fn remove_unused(secrets: &mut Secrets, old: &Step, new: &Step) {
    let is_secret = |list: &[Argument], name: &String| {
        let mut all = list.iter();
        all.any(|argument| argument.is_secret && argument.name == *name)
    };
    // Where the kind is the same, these options are replaced with their secrets.
    if std::mem::discriminant(old) != std::mem::discriminant(new) {
        secrets
            .arguments
            .retain(|name, _| is_secret(new.arguments(), name));
        secrets
            .values
            .retain(|name, _| is_secret(new.values(), name));
    }
}

/// Warns of a change to another kind of step, which has no place for options of the one before.
fn report_left_behind(old: &Task, new: &Task, events: &EventSink<'_>) {
    let options = left_behind(&old.step, &new.step);
    if options.is_empty() {
        return;
    }
    let pushes = if old.step.image_names().is_empty() {
        ""
    } else {
        "; what is pushed is up to the steps"
    };
    events.send(Event::Warning(format!(
        "task `{}` has another kind of step now, which drops {}{pushes}",
        new.name,
        options.join(", ")
    )));
}

/// Says that another context is trusted as the one before was.
fn report_kept_trust(old: &Task, new: &Task, events: &EventSink<'_>) {
    if new.step.trusts_context() && old.step.context() != new.step.context() {
        events.send(Event::Note(format!(
            "the new context of task `{}` is trusted, as the one before was; if that is not meant: acrt task update {} --trust-context false",
            new.name,
            new.key().full_option()
        )));
    }
}

/// Stores the token for the webhook of a task's base image trigger, in base64 as az sends it.
///
/// # Errors
///
/// [`Kind::Invalid`] and [`Kind::Failed`] where the file of its secrets cannot be read or written.
pub fn keep_update_token(app: &App, key: &TaskKey, token: &str) -> Result<()> {
    let _lock = app.store.lock_tasks()?;
    let mut secrets = app.store.secrets(key)?;
    secrets.schema = Secrets::SCHEMA;
    secrets.update_trigger_token = Some(Secret::new(encoded(token)));
    app.store.save_secrets(key, &secrets)
}

/// Deletes a task with its baseline and its secrets. Its runs stay.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is none.
pub fn delete(app: &App, key: &TaskKey) -> Result<()> {
    if !app.store.layout().task(key).exists() {
        return Err(not_found(app, &key.name, None));
    }
    app.store.delete_task(key)
}

fn with_absolute_context(mut task: Task) -> Result<Task> {
    if let Some(context) = task.step.context().cloned() {
        task.step.set_context(absolute(context)?);
    }
    Ok(task)
}

/// Makes a local context absolute: watchers and cron have other current folders.
///
/// # Errors
///
/// [`Kind::Invalid`] where the current folder is not known, or a definition cannot name the path.
pub fn absolute(context: Context) -> Result<Context> {
    let Context::Local(path) = context else {
        return Ok(context);
    };
    let cannot = |path: &Path| format!("cannot use the context `{}`", path.display());
    let path = std::path::absolute(&path).context(Kind::Invalid, || cannot(&path))?;
    if path.to_str().is_none() {
        return Err(Error::invalid(cannot(&path)).because(anyhow::anyhow!(NOT_UTF8)));
    }
    Ok(Context::Local(normal(&path)))
}

/// Removes `.` and empty components; `..` stays, because a link may come before it.
fn normal(path: &Path) -> std::path::PathBuf {
    path.components().collect()
}

/// Returns the images that a run of a task would push, with sample values in their templates.
///
/// # Errors
///
/// [`Kind::Invalid`] where a name is none.
fn images(app: &App, task: &Task) -> Result<Vec<Reference>> {
    let sample = task.run_variables(RunId::new(1), app.clock.now(), Some("0"));
    let images = task.images(&sample).context(Kind::Invalid, || {
        format!("cannot use the images of {}", task.in_words())
    });
    images.map_err(|error| error.hint(image_form(task.step.image_names())))
}

/// Checks all that can be checked without a registry, a builder or other tasks, and returns what the files say.
fn validate(
    makers: &mut ImageMakers<'_>,
    task: &Task,
    secrets: &Secrets,
    events: &EventSink<'_>,
) -> Result<Survey> {
    let app = makers.app;
    let images = images(app, task)?;
    if let Err(missing) = inputs::check_secrets(task, secrets) {
        events.send(Event::Warning(missing.one_line()));
    }
    check_arguments(&task.step)?;
    if let Step::Docker(step) = &task.step
        && images.is_empty()
        && step.pushes()
    {
        events.send(Event::Warning(format!(
            "task `{}` has no --image: its runs build, and push nothing",
            task.name
        )));
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
    for other in makers.others_that_push(&task.key(), &survey.pushes)? {
        events.send(Event::Warning(format!(
            "task `{other}` pushes the same tag: each run replaces the image of the other; give one of them another tag, or end it: acrt task delete {}",
            option_of(app, &other)
        )));
    }
    Ok(survey)
}

/// Returns a hint about how to write an image name, with the most likely mistake corrected.
fn image_form(names: &[String]) -> String {
    // The variables of task files, which are none here.
    let with_templates = |name: &String| {
        let text = with_built_in(name)?;
        (text != *name && !text.contains('$')).then_some(text)
    };
    if let Some(name) = names.iter().find_map(with_templates) {
        return format!("write {name}");
    }
    let lower = |name: &String| {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, ""));
        let (is_upper, colon) = (
            repository != repository.to_lowercase(),
            if tag.is_empty() { "" } else { ":" },
        );
        is_upper.then(|| format!("write {}{colon}{tag}", repository.to_lowercase()))
    };
    let lower = names
        .iter()
        .filter(|name| !name.contains("{{"))
        .find_map(lower);
    lower.unwrap_or_else(|| "write it as web:1 or localhost:5000/team/web:1".to_owned())
}

fn check_arguments(step: &Step) -> Result<()> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut names = step.arguments().iter().map(|argument| &argument.name);
    match names.find(|name| name.is_empty() || !name.chars().all(is_fine)) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!(
            "build argument name `{}` is not made of letters, digits, `_`, `-` and `.`",
            name.escape_debug()
        ))),
    }
}

/// Writes a definition. If the dependencies of the old one may differ, its baseline is removed first.
fn save(
    app: &App,
    old: Option<&Task>,
    task: &Task,
    secrets: &Secrets,
    events: &EventSink<'_>,
) -> Result<()> {
    let key = task.key();
    let mut baseline = app.store.baseline(&key).unwrap_or_default();
    let same_secrets = app
        .store
        .secrets(&key)
        .is_ok_and(|kept| kept.arguments == secrets.arguments && kept.values == secrets.values);
    let holds = same_secrets && old.is_some_and(|old| old.has_same_inputs(task));
    if !holds {
        // Before the definition: after a crash in between, the task has to be run again, but never tracks the wrong images.
        let forgotten = baseline.forgotten();
        if forgotten.timers.is_empty() {
            app.store.forget_baseline(&key)?
        } else {
            app.store.save_baseline(&key, &forgotten)?
        }
        if baseline.is_tracking() {
            events.send(Event::Warning(format!(
                "what task `{key}` depends on has changed: nothing is followed until it has run again: acrt task run {}",
                option_of(app, &key)
            )));
        }
    } else if baseline.failure.take().is_some()
        | baseline.canceled.take().is_some()
        | baseline.away.take().is_some()
    {
        // A changed task is tried at once and no longer stalled. While a run is in progress, the baseline belongs to that run.
        if let Some(_lock) = app.store.try_lock_task(&key)? {
            app.store.save_baseline(&key, &baseline)?;
        }
    }
    if holds && baseline.is_tracking() {
        let before = old.map(Task::stable_images).unwrap_or_default();
        let images = task.stable_images().into_iter();
        for image in images.filter(|image| !before.contains(image)) {
            let verb = if task.is_local() { "made" } else { "pushed" };
            events.send(Event::Note(format!(
                "`{image}` is {verb} by the next run: acrt task run {}",
                option_of(app, &key)
            )));
        }
    }
    app.store.save_secrets(&key, secrets)?;
    app.store.save_task(task)
}
