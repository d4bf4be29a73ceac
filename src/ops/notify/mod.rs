//! Tells people about runs and failures: who is to be told, of what, and once.

mod channels;
mod message;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    error::Result,
    notify::{Receiver, deliver},
    store::{
        lock::{self, Lock},
        told::ToldFile,
    },
    sys::signal::Stop,
    task::{Task, TaskKey},
    watch::{
        Known, Problem, ProblemKind,
        told::{News, Silence, Told, Trouble, silences},
    },
};

use super::{
    App,
    event::{Event, EventSink},
    recall,
};

use channels::{Channel, Shape, channels};
use message::{Message, update, with_variables};

/// How long it is waited for somebody else who tells, before it is looked again.
const WAIT: Duration = Duration::from_millis(100);

/// Lets those who are told of a task know that it is going to run, so that what it comes to is news to them even after a crash.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where the config file makes no sense, [`crate::error::Kind::Failed`] where the state directory cannot be written.
pub async fn before_run(app: &App, task: &Task, events: &EventSink<'_>) -> Result<()> {
    let channels = channels(app, std::iter::once(task))?;
    let all_known = |told: &ToldFile| {
        let mut ids = channels.iter().map(|channel| &channel.id);
        ids.all(|id| told.receivers.contains_key(id))
    };
    if channels.is_empty() || all_known(&recall::told(app, events)?) {
        return Ok(());
    }
    let _lock = hold(app).await?;
    let mut told = recall::told(app, events)?;
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
pub async fn after_run(app: &App, task: &Task, stop: &Stop, events: &EventSink<'_>) {
    let work = async {
        let channels = channels(app, std::iter::once(task))?;
        if channels.is_empty() {
            return Ok(());
        }
        let known = vec![(task.key(), app.store.known(&task.key())?)];
        tell_all(app, &channels, &known, None, events).await
    };
    if let Err(error) = unless_stopped(work, stop).await {
        events.send(Event::Problem(error));
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
    events: &EventSink<'_>,
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
        tell_all(app, &channels, &known, Some(&silent), events).await
    };
    if let Err(error) = unless_stopped(work, stop).await {
        events.send(Event::Problem(error));
    }
}

/// Tells each channel what is news to it, one after the other.
async fn tell_all(
    app: &App,
    channels: &[Channel],
    tasks: &[(TaskKey, Known)],
    silent: Option<&BTreeMap<String, Silence>>,
    events: &EventSink<'_>,
) -> Result<()> {
    let _lock = hold(app).await?;
    let mut file = recall::told(app, events)?;
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
            events,
        };
        match work.all(tasks, silent).await {
            Ok(()) => told.reached(),
            Err((event, why)) => {
                told.failed(now);
                let name = &channel.name;
                let word = event.word();
                events.send(Event::Warning(format!(
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
        tasks.iter().map(|(key, _)| key.full()).collect();
    for told in file.receivers.values_mut() {
        told.keep_only(|task| names.contains(task));
    }
}

/// One channel while it is told.
struct Telling<'a> {
    app: &'a App,
    channel: &'a Channel,
    told: &'a mut Told,
    events: &'a EventSink<'a>,
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
            let message = Message::of_silence(subject, silence, since, now);
            self.send(News::CheckFailing, &message).await?;
            let kind = silence.kind;
            let trouble = Trouble { since, kind };
            self.told.failing.insert(subject.clone(), trouble);
        }
        let again: Vec<(String, Trouble)> = self.told.failing.clone().into_iter().collect();
        let again = again.into_iter().filter(|(it, _)| !silent.contains_key(it));
        for (subject, trouble) in again {
            if self.channel.on.contains(&News::Recovery) {
                let text = match trouble.kind {
                    ProblemKind::Silent => format!("`{subject}` answers again"),
                    ProblemKind::Gone => format!("{subject}: there again, or wanted no more"),
                    ProblemKind::NoImage => {
                        format!("{subject}: an image again, or wanted no more")
                    }
                    ProblemKind::Unverified => {
                        format!("{subject}: vouched for, or wanted no more")
                    }
                    ProblemKind::Files => format!("{subject}: can be read again"),
                };
                let mut message = Message::new(News::Recovery, text, now);
                message.since = Some(trouble.since);
                message.subject = Some(subject.clone());
                self.send(News::Recovery, &message).await?;
            }
            self.told.failing.remove(&subject);
        }
        Ok(())
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
                let now = self.app.clock.now();
                let message = Message::of_run(news, key, known, run.as_ref(), now);
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

    async fn send(&mut self, news: News, message: &Message) -> Result<(), (News, String)> {
        let sent = self.deliver(news.word(), message).await;
        sent.map_err(|why| (news, why))
    }

    async fn deliver(&mut self, event: &str, message: &impl Serialize) -> Result<(), String> {
        let receiver = match with_variables(&self.channel.receiver, message) {
            Receiver::Command(line) => Receiver::Command(self.app.within_reach(line)),
            webhook => webhook,
        };
        let printed = deliver(&receiver, event, message, &self.app.clock).await?;
        if !printed.is_empty() {
            self.events.send(Event::Log(&printed));
        }
        Ok(())
    }
}
