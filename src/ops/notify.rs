//! Tells people about runs and failures: who is to be told, of what, and once.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    error::{Error, Kind, Result},
    image::Digest,
    notify::{Address, Receiver, deliver},
    store::{
        lock::{self, Lock},
        told::ToldFile,
    },
    sys::{
        command::CommandLine,
        secret::Secret,
        settings::{NotifySettings, Occasion},
        signal::Stop,
    },
    task::{Run, Task, TaskKey, TaskName, UpdatePayload},
    watch::{
        Known, Problem,
        told::{News, Silence, Told, silences},
    },
};

use super::{
    App,
    answer::{ImageUpdateAnswer, RunAnswer, resume},
    credential::resolved,
    event::{Event, Listener},
};

/// How long it is waited for somebody else who tells, before it is looked again.
const WAIT: Duration = Duration::from_millis(100);

/// What everybody is told who does not say what.
const BY_DEFAULT: [News; 4] = [
    News::Failure,
    News::Recovery,
    News::Stalled,
    News::CheckFailing,
];

/// Somebody who is told.
struct Channel {
    /// What it is kept under: it changes when it becomes somebody else.
    id: String,
    /// What it is called in messages.
    name: String,
    receiver: Receiver,
    on: Vec<News>,
    of: Scope,
    shape: Shape,
}

/// Of which tasks it is told.
enum Scope {
    All,
    /// Tasks of these names, or `registry/name`.
    Named(Vec<String>),
    One(TaskKey),
}

/// What it is told with.
enum Shape {
    /// The message of `docs/notify.md`.
    Message,
    /// What az's update trigger sends, for runs that a moved image caused.
    Update(UpdatePayload, Option<Secret>),
}

impl Channel {
    fn hears_of(&self, task: &TaskKey) -> bool {
        match &self.of {
            Scope::All => true,
            Scope::Named(names) => names
                .iter()
                .any(|name| *name == task.name.to_string() || *name == task.to_string()),
            Scope::One(key) => key == task,
        }
    }

    /// Tells whether it is told what is not of one task alone.
    fn hears_of_registries(&self) -> bool {
        !matches!(self.of, Scope::One(_)) && self.on.contains(&News::CheckFailing)
    }
}

/// The message. Keys are only ever added to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    schema: u32,
    event: &'static str,
    time: Timestamp,
    message: String,
    task: Option<TaskName>,
    registry: Option<String>,
    run: Option<RunAnswer>,
    resume: Option<String>,
    subject: Option<String>,
    since: Option<Timestamp>,
    tasks: Option<Vec<String>>,
}

/// What the webhook of a base image trigger is told.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Update {
    Default {
        schema: u32,
        event: &'static str,
        time: Timestamp,
        task: TaskName,
        registry: String,
        image_update_trigger: Option<ImageUpdateAnswer>,
        run: Box<RunAnswer>,
        token: Option<Secret>,
    },
    Token {
        token: Option<Secret>,
    },
}

/// Lets those who are told of a task know that it is going to run, so that what it comes to is news to them even after a crash.
///
/// # Errors
///
/// [`Kind::Invalid`] where the config file makes no sense, [`Kind::Failed`] where the state directory cannot be written.
pub async fn before_run(app: &App, task: &Task) -> Result<()> {
    let channels = channels(app, std::iter::once(task))?;
    let all_known = |told: &ToldFile| {
        let mut ids = channels.iter().map(|channel| &channel.id);
        ids.all(|id| told.receivers.contains_key(id))
    };
    if channels.is_empty() || all_known(&app.store.told()?) {
        return Ok(());
    }
    let _lock = hold(app).await?;
    let mut told = app.store.told()?;
    let now = app.clock.now();
    for channel in &channels {
        let entry = told.receivers.entry(channel.id.clone());
        entry.or_insert_with(|| Told::from(now));
    }
    app.store.save_told(&told)
}

/// Waits until nobody else tells anybody. Not by the kernel's own waiting: who holds the lock may be another run of this very process.
async fn hold(app: &App) -> Result<Lock> {
    let path = app.store.layout().told_lock();
    loop {
        if let Some(lock) = lock::try_lock(&path)? {
            return Ok(lock);
        }
        app.clock.pause(WAIT).await;
    }
}

/// Tells what a run of a task has changed. That somebody could not be told is said, and changes nothing else.
/// Who is told when acrt is stopped is told later.
pub async fn after_run(app: &App, task: &Task, stop: &Stop, tell: Listener<'_>) {
    let work = async {
        let channels = channels(app, std::iter::once(task))?;
        if channels.is_empty() {
            return Ok(());
        }
        let known = vec![(task.key(), app.store.known(&task.key())?)];
        tell_all(app, &channels, &known, None, &mut *tell).await
    };
    if let Err(error) = unless_stopped(work, stop).await {
        tell(Event::Problem(error));
    }
}

async fn unless_stopped(work: impl Future<Output = Result<()>>, stop: &Stop) -> Result<()> {
    tokio::select! {
        done = work => done,
        _ = stop.wait() => Ok(()),
    }
}

/// Tells what a round has found out, and what could not be told before.
pub async fn after_round(
    app: &App,
    problems: &[(TaskKey, Vec<Problem>)],
    stop: &Stop,
    tell: Listener<'_>,
) {
    let work = async {
        let followed: Vec<(Task, Known)> = app
            .store
            .followed()?
            .into_iter()
            .filter_map(|(_, followed)| followed.ok())
            .collect();
        let channels = channels(app, followed.iter().map(|(task, _)| task))?;
        if channels.is_empty() {
            return Ok(());
        }
        let known: Vec<(TaskKey, Known)> = followed
            .into_iter()
            .map(|(task, known)| (task.key(), known))
            .collect();
        let problems = problems
            .iter()
            .map(|(key, problems)| (key.clone(), problems.as_slice()));
        let silent = silences(problems);
        tell_all(app, &channels, &known, Some(&silent), &mut *tell).await
    };
    if let Err(error) = unless_stopped(work, stop).await {
        tell(Event::Problem(error));
    }
}

/// Tells each channel what is news to it, one after the other.
async fn tell_all(
    app: &App,
    channels: &[Channel],
    tasks: &[(TaskKey, Known)],
    silent: Option<&BTreeMap<String, Silence>>,
    tell: Listener<'_>,
) -> Result<()> {
    let _lock = hold(app).await?;
    let mut file = app.store.told()?;
    for channel in channels {
        let before = file.receivers.get(&channel.id).cloned();
        let now = app.clock.now();
        let told = file.receivers.entry(channel.id.clone());
        let told = told.or_insert_with(|| Told::from(now));
        if told.rests(now) {
            continue;
        }
        let mut work = Telling {
            app,
            channel,
            told,
            tell: &mut *tell,
        };
        match work.all(tasks, silent).await {
            Ok(()) => told.reached(),
            Err((event, why)) => {
                told.failed(now);
                let name = &channel.name;
                let word = event.word();
                tell(Event::Warning(format!(
                    "cannot tell `{name}` of {word}: {why}; it is tried again"
                )));
            }
        }
        // Before the next is told, which may take long: what was told is not to be told twice.
        if before.as_ref() != file.receivers.get(&channel.id) {
            app.store.save_told(&file)?;
        }
    }
    let before = file.clone();
    if silent.is_some() {
        forget(&mut file, channels, tasks);
    }
    match file == before {
        true => Ok(()),
        false => app.store.save_told(&file),
    }
}

/// Forgets who is told no more, and tasks that are no more.
fn forget(file: &mut ToldFile, channels: &[Channel], tasks: &[(TaskKey, Known)]) {
    file.receivers
        .retain(|id, _| channels.iter().any(|channel| channel.id == *id));
    let names: std::collections::BTreeSet<String> =
        tasks.iter().map(|(key, _)| key.to_string()).collect();
    for told in file.receivers.values_mut() {
        told.keep_only(|task| names.contains(task));
    }
}

/// One channel while it is told.
struct Telling<'a> {
    app: &'a App,
    channel: &'a Channel,
    told: &'a mut Told,
    tell: Listener<'a>,
}

impl Telling<'_> {
    /// Tells all that is news. Ends at the first that cannot be told, so that nothing is told out of its order.
    async fn all(
        &mut self,
        tasks: &[(TaskKey, Known)],
        silent: Option<&BTreeMap<String, Silence>>,
    ) -> Result<(), (News, String)> {
        for (key, known) in tasks.iter().filter(|(key, _)| self.channel.hears_of(key)) {
            self.told.settle(key, known);
            for news in self.told.news(key, known) {
                if self.channel.on.contains(&news) {
                    self.of_task(key, known, news)
                        .await
                        .map_err(|why| (news, why))?;
                }
                self.told.told(key, news, known);
            }
        }
        if let Some(silent) = silent.filter(|_| self.channel.hears_of_registries()) {
            self.of_registries(silent).await?;
        }
        Ok(())
    }

    async fn of_registries(
        &mut self,
        silent: &BTreeMap<String, Silence>,
    ) -> Result<(), (News, String)> {
        let now = self.app.clock.now();
        for (subject, silence) in silent {
            let heard = silence.tasks.iter().any(|task| self.channel.hears_of(task));
            if !heard || self.told.failing.contains_key(subject) {
                continue;
            }
            let since = silence.since.unwrap_or(now);
            let message = self.of_silence(subject, silence, since);
            self.send(News::CheckFailing, &message).await?;
            self.told.failing.insert(subject.clone(), since);
        }
        let again: Vec<String> = self.told.failing.keys().cloned().collect();
        for subject in again.into_iter().filter(|it| !silent.contains_key(it)) {
            if self.channel.on.contains(&News::Recovery) {
                let text = format!("`{subject}` answers again");
                let mut message = self.message(News::Recovery, text);
                message.since = self.told.failing.get(&subject).copied();
                message.subject = Some(subject.clone());
                self.send(News::Recovery, &message).await?;
            }
            self.told.failing.remove(&subject);
        }
        Ok(())
    }

    fn of_silence(&self, subject: &str, silence: &Silence, since: Timestamp) -> Message {
        const SHOWN: usize = 20;
        let text = format!(
            "cannot find out whether {} of {} tasks moved: {}",
            subject,
            silence.tasks.len(),
            silence.why
        );
        let tasks = silence.tasks.iter().take(SHOWN).map(ToString::to_string);
        Message {
            subject: Some(subject.to_owned()),
            since: Some(since),
            tasks: Some(tasks.collect()),
            ..self.message(News::CheckFailing, text)
        }
    }

    async fn of_task(&mut self, key: &TaskKey, known: &Known, news: News) -> Result<(), String> {
        let id = match news {
            News::Failure | News::Stalled => known.failure.as_ref().map(|failure| failure.run_id),
            _ => known.run_id,
        };
        // A run may have been pruned meanwhile; that it was is still news.
        let run = id.and_then(|id| self.app.store.run(id).ok().flatten());
        match &self.channel.shape {
            Shape::Message => {
                let message = self.of_run(key, known, news, run.as_ref());
                self.deliver(news.word(), &message).await
            }
            Shape::Update(payload, token) => {
                let Some(run) = run.filter(|run| run.image_update_trigger.is_some()) else {
                    return Ok(());
                };
                let update = update(*payload, token.clone(), key, &run, self.app.clock.now());
                self.deliver("image-update", &update).await
            }
        }
    }

    fn of_run(&self, key: &TaskKey, known: &Known, news: News, run: Option<&Run>) -> Message {
        let failures = known.failure.as_ref().map_or(0, |failure| failure.count);
        let of = run.map_or_else(
            || format!("task `{key}`"),
            |run| format!("run `{}` of task `{key}`", run.run_id),
        );
        let why = run.and_then(|run| run.run_error_message.clone());
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        let text = match news {
            News::Success => format!("{of} has succeeded"),
            News::Recovery => format!("{of} has succeeded, after others had failed"),
            News::Failure => format!("{of} has failed{why}"),
            News::Stalled => {
                format!("task `{key}` has failed {failures} times in a row{why}")
            }
            News::CheckFailing => of,
        };
        let failing = matches!(news, News::Failure | News::Stalled);
        Message {
            task: Some(key.name.clone()),
            registry: Some(key.registry.clone()),
            run: run.map(RunAnswer::from),
            resume: failing.then(|| resume(key)),
            ..self.message(news, text)
        }
    }

    fn message(&self, news: News, text: String) -> Message {
        Message {
            schema: 1,
            event: news.word(),
            time: self.app.clock.now(),
            message: text,
            task: None,
            registry: None,
            run: None,
            resume: None,
            subject: None,
            since: None,
            tasks: None,
        }
    }

    async fn send(&mut self, news: News, message: &Message) -> Result<(), (News, String)> {
        let sent = self.deliver(news.word(), message).await;
        sent.map_err(|why| (news, why))
    }

    async fn deliver(&mut self, event: &str, message: &impl Serialize) -> Result<(), String> {
        let receiver = self.with_environment(message);
        let printed = deliver(&receiver, event, message, &self.app.clock).await?;
        if !printed.is_empty() {
            (self.tell)(Event::Log(&printed));
        }
        Ok(())
    }

    /// Gives a program the most wanted of the message as variables too, so that a one-line script needs no JSON.
    fn with_environment(&self, message: &impl Serialize) -> Receiver {
        let Receiver::Command(line) = &self.channel.receiver else {
            return self.channel.receiver.clone();
        };
        let message = serde_json::to_value(message).unwrap_or_default();
        let text = |pointer: &str| {
            let value = message.pointer(pointer).and_then(|value| value.as_str());
            value.unwrap_or_default().to_owned()
        };
        let images = message.pointer("/run/outputImages");
        let images = images.and_then(|images| images.as_array()).cloned();
        let images: Vec<String> = images
            .unwrap_or_default()
            .iter()
            .filter_map(pinned_name)
            .collect();
        let line = line
            .clone()
            .env("ACRT_EVENT", text("/event"))
            .env("ACRT_MESSAGE", text("/message"))
            .env("ACRT_TASK", text("/task"))
            .env("ACRT_REGISTRY", text("/registry"))
            .env("ACRT_RUN_ID", text("/run/runId"))
            .env("ACRT_IMAGES", images.join(" "));
        Receiver::Command(line)
    }
}

/// Returns an image that a run pushed, by its digest, as `registry/repository@sha256:…`.
fn pinned_name(image: &serde_json::Value) -> Option<String> {
    let text = |key: &str| image[key].as_str();
    let name = format!("{}/{}", text("registry")?, text("repository")?);
    Some(format!("{name}@{}", text("digest")?))
}

fn update(
    payload: UpdatePayload,
    token: Option<Secret>,
    key: &TaskKey,
    run: &Run,
    now: Timestamp,
) -> Update {
    match payload {
        UpdatePayload::Token => Update::Token { token },
        UpdatePayload::Default => Update::Default {
            schema: 1,
            event: "image-update",
            time: now,
            task: key.name.clone(),
            registry: key.registry.clone(),
            image_update_trigger: run.image_update_trigger.as_ref().map(Into::into),
            run: Box::new(run.into()),
            token,
        },
    }
}

/// Returns everybody who is told of these tasks.
fn channels<'t>(app: &App, tasks: impl Iterator<Item = &'t Task>) -> Result<Vec<Channel>> {
    let config = &app.settings.config;
    let mut channels = Vec::new();
    for (place, settings) in config.notify.iter().enumerate() {
        channels.push(configured(settings, place)?);
    }
    for task in tasks {
        let own = match task.on_success.is_empty() {
            true => &config.on_success,
            false => &task.on_success,
        };
        channels.extend(hook(task, own));
        channels.extend(update_trigger(app, task)?);
    }
    Ok(channels)
}

/// Returns the program that a task starts when it has succeeded.
fn hook(task: &Task, command: &[String]) -> Option<Channel> {
    let (program, arguments) = command.split_first()?;
    let key = task.key();
    Some(Channel {
        id: format!("on-success {key} {}", short(&command.join("\0"))),
        name: format!("the program `{program}` that task `{key}` starts after success"),
        receiver: Receiver::Command(CommandLine::new(program).args(arguments.iter().cloned())),
        on: vec![News::Success],
        of: Scope::One(key),
        shape: Shape::Message,
    })
}

/// Returns the webhook of a task's base image trigger.
fn update_trigger(app: &App, task: &Task) -> Result<Option<Channel>> {
    let trigger = task.trigger.base_image_trigger.as_ref();
    let Some(payload) = trigger.and_then(|trigger| trigger.update_trigger_payload_type) else {
        return Ok(None);
    };
    let key = task.key();
    let secrets = app.store.secrets(&key)?;
    let Some(endpoint) = &secrets.update_trigger_endpoint else {
        return Ok(None);
    };
    let what = format!("the update trigger endpoint of task `{key}`");
    let url = resolved(endpoint, &what)?;
    let url = Address::parse(url.reveal()).map_err(|problem| unusable(&what, problem))?;
    Ok(Some(Channel {
        id: format!("update-trigger {key} {}", short(endpoint.reveal())),
        name: format!("{url}"),
        receiver: Receiver::Webhook { url, secret: None },
        on: vec![News::Success],
        of: Scope::One(key),
        shape: Shape::Update(payload, secrets.update_trigger_token),
    }))
}

/// Returns a receiver of the config file.
fn configured(settings: &NotifySettings, place: usize) -> Result<Channel> {
    let what = match &settings.name {
        Some(name) => format!("`{name}` of `notify` in the config file"),
        None => format!("entry {} of `notify` in the config file", place + 1),
    };
    let (receiver, kept) = match (settings.command.split_first(), &settings.url) {
        (Some((program, arguments)), None) => {
            let line = CommandLine::new(program).args(arguments.iter().cloned());
            (Receiver::Command(line), settings.command.join("\0"))
        }
        (None, Some(url)) => {
            let read = resolved(&Secret::new(url.clone()), &what)?;
            let url = Address::parse(read.reveal()).map_err(|why| unusable(&what, why))?;
            let place = settings.secret.as_ref();
            let secret = place.map(|place| place.read(&format!("the secret of {what}")));
            let secret = secret.transpose()?;
            (Receiver::Webhook { url, secret }, read.reveal().to_owned())
        }
        _ => {
            return Err(unusable(
                &what,
                "it has neither or both of `command` and `url`",
            ));
        }
    };
    let on = match &settings.on {
        Some(on) => on.iter().copied().map(news_of).collect(),
        None => BY_DEFAULT.to_vec(),
    };
    let name = settings.name.clone();
    Ok(Channel {
        id: match &settings.name {
            Some(name) => format!("notify {name}"),
            None => format!("notify {}", short(&kept)),
        },
        name: name.unwrap_or_else(|| receiver.to_string()),
        receiver,
        on,
        of: match settings.tasks.is_empty() {
            true => Scope::All,
            false => Scope::Named(settings.tasks.clone()),
        },
        shape: Shape::Message,
    })
}

fn unusable(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("cannot use {what}: {why}"))
        .hint("docs/notify.md shows what it may say")
}

/// Returns a few digits that stand for a text which must not be seen.
fn short(text: &str) -> String {
    Digest::of(text.as_bytes()).hex().chars().take(12).collect()
}

fn news_of(occasion: Occasion) -> News {
    match occasion {
        Occasion::Success => News::Success,
        Occasion::Failure => News::Failure,
        Occasion::Recovery => News::Recovery,
        Occasion::Stalled => News::Stalled,
        Occasion::CheckFailing => News::CheckFailing,
    }
}
