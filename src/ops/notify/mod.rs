//! Sends notifications about runs and failures: decides who receives which event, and sends each once.

mod channels;
mod digest;
mod message;
mod sample;
mod templates;

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use serde::Serialize;

use crate::{
    error::Result,
    notify::{DeliveryResponse, NotificationPayload},
    store::{
        lock::{self, Lock},
        notified::NotifiedFile,
    },
    sys::{
        command::CommandLine,
        process::{self, Ended},
        signal::Stop,
    },
    task::{Run, RunId, Task, TaskKey},
    watch::{
        Baseline, Problem, ProblemKind,
        notified::{KnownProblem, NotificationEvent, NotifiedState, Outage, outages},
    },
};

use super::{
    App,
    event::{Event, EventSink},
    recall,
};

use channels::{Channel, Channels, Payload};
use message::{Message, base_of, lead_to_page, update};
use templates::last_lines;

/// Returns why receivers of the config file cannot be used.
pub fn broken_receivers(app: &App) -> Vec<crate::error::Error> {
    channels::of_config(app).filter_map(Result::err).collect()
}

pub use sample::{PresetAnswer, SampleAnswer, events, presets, test};

/// How many bytes at the end of a log are searched for its last lines.
const END_OF_LOG: u64 = 16 * 1024;

/// The pause between two tries to get the lock while another process sends.
const WAIT: Duration = Duration::from_millis(100);

/// Stores a first state for new receivers of a task before its run, so that the result of the run is new to them even after a crash.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be written.
pub async fn before_run(app: &App, task: &Task, events: &EventSink<'_>) -> Result<()> {
    // Those that cannot be used are reported after the run.
    let channels = Channels::of(app, std::iter::once(task)).usable;
    let knows_all = |notified: &NotifiedFile| {
        let mut ids = channels.iter().map(|channel| &channel.id);
        ids.all(|id| notified.receivers.contains_key(id))
    };
    if channels.is_empty() || knows_all(&recall::notified(app, events)?) {
        return Ok(());
    }
    let _lock = hold(app).await?;
    let mut notified = recall::notified(app, events)?;
    let now = app.clock.now();
    for channel in &channels {
        let entry = notified.receivers.entry(channel.id.clone());
        entry.or_insert_with(|| NotifiedState::from(now));
    }
    app.store.save_notified(&notified)
}

/// Waits until no other process sends. It polls, because the lock may be held by another run in this process.
pub(super) async fn hold(app: &App) -> Result<Lock> {
    let path = app.store.layout().notified_lock();
    loop {
        if let Some(lock) = lock::try_lock(&path)? {
            return Ok(lock);
        }
        app.clock.pause(WAIT).await;
    }
}

/// Sends notifications about the result of a run. A failure to send is reported, and has no other effect. What is not sent because acrt is
/// stopped is sent later.
pub async fn after_run(app: &App, task: &Task, stop: &Stop, events: &EventSink<'_>) {
    notify_of_run(app, task, |_| true, stop, events).await;
}

/// As [`after_run`], for one of several runs of a round: receivers that group events are notified after the round.
pub async fn after_run_of_round(app: &App, task: &Task, stop: &Stop, events: &EventSink<'_>) {
    notify_of_run(app, task, |channel| !channel.groups, stop, events).await;
}

async fn notify_of_run(
    app: &App,
    task: &Task,
    is_told: impl Fn(&Channel) -> bool,
    stop: &Stop,
    events: &EventSink<'_>,
) {
    let work = async {
        let mut channels = Channels::of(app, std::iter::once(task));
        channels.report(events);
        channels.usable.retain(is_told);
        if channels.usable.is_empty() {
            return Ok(());
        }
        let baselines = vec![(task.key(), app.store.baseline(&task.key())?)];
        let notified = notify_all(app, &channels.usable, &baselines, None, events);
        notified.await.map(drop)
    };
    if let Err(error) = unless_stopped(work, stop).await {
        events.send(Event::Problem(error));
    }
}

/// Carries out `work`, unless acrt is to stop.
pub(super) async fn unless_stopped(
    work: impl Future<Output = Result<()>>,
    stop: &Stop,
) -> Result<()> {
    tokio::select! {
        done = work => done,
        _ = stop.wait() => Ok(()),
    }
}

/// Sends notifications about the problems that a round has found, and those that could not be sent before.
pub async fn after_round(
    app: &App,
    problems: &[(TaskKey, Vec<Problem>)],
    stop: &Stop,
    events: &EventSink<'_>,
) {
    let work = async {
        let followed: Vec<(Task, Baseline)> = app
            .store
            .followed()?
            .filter_map(|(_, followed)| followed.ok())
            .collect();
        let mut channels = Channels::of(app, followed.iter().map(|(task, _)| task));
        let is_complete = channels.broken.is_empty();
        channels.report(events);
        if channels.usable.is_empty() {
            return Ok(());
        }
        let baselines: Vec<(TaskKey, Baseline)> = followed
            .into_iter()
            .map(|(task, baseline)| (task.key(), baseline))
            .collect();
        let problems = problems
            .iter()
            .map(|(key, problems)| (key.clone(), problems.as_slice()));
        let silent = outages(problems);
        let notified = notify_all(app, &channels.usable, &baselines, Some(&silent), events);
        let (_lock, file) = notified.await?;
        // The state of a receiver that cannot be used now stays for when it can.
        if is_complete {
            forget(app, file, &channels.usable, &baselines)?;
        }
        Ok(())
    };
    if let Err(error) = unless_stopped(work, stop).await {
        events.send(Event::Problem(error));
    }
}

/// Sends each receiver what is new to it, one after the other. Returns what they have been told, with its lock.
async fn notify_all(
    app: &App,
    channels: &[Channel],
    tasks: &[(TaskKey, Baseline)],
    silent: Option<&BTreeMap<String, Outage>>,
    events: &EventSink<'_>,
) -> Result<(Lock, NotifiedFile)> {
    let lock = hold(app).await?;
    let mut file = recall::notified(app, events)?;
    for channel in channels {
        let before = file.receivers.get(&channel.id).cloned();
        let now = app.clock.now();
        let notified = file.receivers.entry(channel.id.clone());
        let notified = notified.or_insert_with(|| NotifiedState::from(now));
        notified.take_back(now);
        if notified.rests(now) {
            continue;
        }
        let mut work = ChannelNotifier {
            app,
            channel,
            notified,
            events,
        };
        match work.all(tasks, silent).await {
            Ok(()) => notified.reached(),
            Err(NotificationFailure { event, why }) => {
                notified.failed(now);
                let name = &channel.name;
                let word = event.word();
                events.send(Event::Warning(format!(
                    "cannot notify `{name}` of {word}: {why}; it is tried again"
                )));
            }
        }
        // Save before the next receiver, which may take long, so that nothing is sent twice.
        if before.as_ref() != file.receivers.get(&channel.id) {
            app.store.save_notified(&file)?;
        }
    }
    Ok((lock, file))
}

/// Removes the state of receivers and tasks that no longer exist. The caller holds the lock of the file.
fn forget(
    app: &App,
    mut file: NotifiedFile,
    channels: &[Channel],
    tasks: &[(TaskKey, Baseline)],
) -> Result<()> {
    let before = file.clone();
    file.receivers
        .retain(|id, _| channels.iter().any(|channel| channel.id == *id));
    let names: std::collections::BTreeSet<String> =
        tasks.iter().map(|(key, _)| key.full()).collect();
    for notified in file.receivers.values_mut() {
        notified.keep_only(|task| names.contains(task));
    }
    if file == before {
        Ok(())
    } else {
        app.store.save_notified(&file)
    }
}

/// An event that could not be sent to a receiver, and why.
struct NotificationFailure {
    event: NotificationEvent,
    why: String,
}

/// The sending of notifications to one receiver.
struct ChannelNotifier<'a> {
    app: &'a App,
    channel: &'a Channel,
    notified: &'a mut NotifiedState,
    events: &'a EventSink<'a>,
}

impl ChannelNotifier<'_> {
    /// Sends all new events. Stops at the first failure, so that events are sent in order.
    async fn all(
        &mut self,
        tasks: &[(TaskKey, Baseline)],
        silent: Option<&BTreeMap<String, Outage>>,
    ) -> Result<(), NotificationFailure> {
        let days = self
            .channel
            .remind_days
            .map(|days| SignedDuration::from_hours(24 * i64::from(days)));
        let remind = days.and_then(|days| self.app.clock.now().checked_sub(days).ok());
        let mut groups: BTreeMap<_, Vec<&(TaskKey, Baseline)>> = BTreeMap::new();
        for task in tasks.iter().filter(|(key, _)| self.channel.hears_of(key)) {
            let (key, baseline) = task;
            self.notified.settle(key, baseline);
            for event in self.notified.due_events(key, baseline, remind) {
                if self.channel.groups {
                    let base = self.run_of(baseline, event).as_ref().and_then(base_of);
                    groups.entry((event, base)).or_default().push(task);
                } else {
                    self.of_tasks(event, None, &[task]).await?;
                }
            }
        }
        for ((event, base), tasks) in groups {
            self.of_tasks(event, base, &tasks).await?;
        }
        if let Some(silent) = silent.filter(|_| self.channel.hears_of_registries()) {
            self.of_registries(silent).await?;
        }
        if silent.is_some() {
            self.digest(tasks).await?;
        }
        Ok(())
    }

    /// Sends the digest since the last one, if it is due.
    async fn digest(&mut self, tasks: &[(TaskKey, Baseline)]) -> Result<(), NotificationFailure> {
        let now = self.app.clock.now();
        let since = self.notified.digested.unwrap_or(self.notified.since);
        let time = self.channel.digest.and_then(|digest| digest.last(now));
        if time.is_none_or(|time| time <= since) {
            return Ok(());
        }
        let message = digest::digest(self.app, self.channel, tasks, since);
        let message = message.map_err(|error| NotificationFailure {
            event: NotificationEvent::Digest,
            why: error.one_line(),
        })?;
        self.send(NotificationEvent::Digest, &message).await?;
        self.notified.digested = Some(now);
        Ok(())
    }

    /// Sends one message about the same event of some tasks.
    async fn of_tasks(
        &mut self,
        event: NotificationEvent,
        base: Option<String>,
        tasks: &[&(TaskKey, Baseline)],
    ) -> Result<(), NotificationFailure> {
        // A receiver with reminders gets them, whatever its events are.
        let is_wanted = event == NotificationEvent::StillFailing;
        if is_wanted || self.channel.on.contains(&event) {
            let told = match tasks {
                [(key, baseline)] => self.of_task(key, baseline, event).await,
                many => {
                    let keys: Vec<&TaskKey> = many.iter().map(|(key, _)| key).collect();
                    let now = self.app.clock.now();
                    let message = Message::of_group(event, base.as_deref(), &keys, now);
                    self.deliver(event.word(), &message, None).await
                }
            };
            told.map_err(|why| NotificationFailure { event, why })?;
        }
        for (key, baseline) in tasks {
            let now = self.app.clock.now();
            self.notified.notified(key, event, baseline, now);
        }
        Ok(())
    }

    /// Returns the run that an event is about. It may have been pruned meanwhile; the event is sent all the same.
    fn run_of(&self, baseline: &Baseline, event: NotificationEvent) -> Option<Run> {
        let failure = baseline.failure.as_ref();
        let id = if event.is_of_failed_run() {
            failure.map(|failure| failure.run_id)
        } else {
            baseline.run_id
        };
        id.and_then(|id| self.app.store.run(id).ok().flatten())
    }

    async fn of_registries(
        &mut self,
        silent: &BTreeMap<String, Outage>,
    ) -> Result<(), NotificationFailure> {
        let now = self.app.clock.now();
        for (subject, silence) in silent {
            let heard = silence.tasks.iter().any(|task| self.channel.hears_of(task));
            if !heard || self.notified.failing.contains_key(subject) {
                continue;
            }
            let since = silence.since.unwrap_or(now);
            let message = Message::of_silence(subject, silence, since, now);
            self.send(NotificationEvent::CheckFailing, &message).await?;
            let kind = silence.kind;
            let trouble = KnownProblem { since, kind };
            self.notified.failing.insert(subject.clone(), trouble);
        }
        let again: Vec<(String, KnownProblem)> =
            self.notified.failing.clone().into_iter().collect();
        let again = again.into_iter().filter(|(it, _)| !silent.contains_key(it));
        for (subject, trouble) in again {
            if self.channel.on.contains(&NotificationEvent::Recovery) {
                let text = match trouble.kind {
                    ProblemKind::Silent => format!("`{subject}` answers again"),
                    ProblemKind::Gone => format!("{subject}: there again, or no longer needed"),
                    ProblemKind::NoImage => {
                        format!("{subject}: an image again, or no longer needed")
                    }
                    ProblemKind::Unverified => {
                        format!("{subject}: vouched for, or no longer needed")
                    }
                    ProblemKind::Files => format!("{subject}: can be read again"),
                    ProblemKind::Builder => format!("{subject} answers again"),
                };
                let mut message = Message::new(NotificationEvent::Recovery, text, now);
                message.since = Some(trouble.since);
                message.subject = Some(subject.clone());
                self.send(NotificationEvent::Recovery, &message).await?;
            }
            self.notified.failing.remove(&subject);
        }
        Ok(())
    }

    async fn of_task(
        &mut self,
        key: &TaskKey,
        baseline: &Baseline,
        event: NotificationEvent,
    ) -> Result<(), String> {
        let run = self.run_of(baseline, event);
        match &self.channel.shape {
            Payload::Message => {
                if let Some(question) = &self.channel.only_if
                    && !self.is_wanted(question).await?
                {
                    return Ok(());
                }
                let now = self.app.clock.now();
                let message = Message::of_run(event, key, baseline, run.as_ref(), now);
                let log = run.filter(|_| baseline.failure.is_some());
                self.deliver(event.word(), &message, log.map(|run| run.run_id))
                    .await
            }
            Payload::Update(payload, token) => {
                let Some(run) = run.filter(|run| run.image_update_trigger.is_some()) else {
                    return Ok(());
                };
                let update = update(*payload, token.clone(), key, &run, self.app.clock.now());
                self.deliver("image-update", &update, None).await
            }
        }
    }

    /// Returns whether the command that decides prints anything.
    async fn is_wanted(&self, question: &CommandLine) -> Result<bool, String> {
        let line = self.app.within_reach(question.clone());
        let reply = process::converse(&line, b"").await;
        let reply = reply.map_err(|error| error.one_line())?;
        match reply.ended {
            Ended::Exited(0) => Ok(!reply.output.trim_ascii().is_empty()),
            _ => Err(String::from_utf8_lossy(&reply.errors).trim().to_owned()),
        }
    }

    async fn send(
        &mut self,
        event: NotificationEvent,
        message: &Message,
    ) -> Result<(), NotificationFailure> {
        let sent = self.deliver(event.word(), message, None).await;
        sent.map_err(|why| NotificationFailure { event, why })
    }

    /// Sends one message, with the end of the log of the run `log` if the templates use it.
    async fn deliver(
        &mut self,
        event: &str,
        message: &impl Serialize,
        log: Option<RunId>,
    ) -> Result<(), String> {
        let mut message = serde_json::to_value(message).map_err(|problem| problem.to_string())?;
        if let Some(url) = &self.app.page_url {
            lead_to_page(&mut message, url);
        }
        let payload = self.payload(&message, log);
        let reply = self
            .channel
            .send(self.app, event, &message, &payload)
            .await?;
        if let DeliveryResponse::Printed(printed) = reply
            && !printed.is_empty()
        {
            self.events.send(Event::Log(&printed));
        }
        Ok(())
    }

    /// Returns the payload, and reports once what is wrong with the templates.
    fn payload(&mut self, message: &serde_json::Value, log: Option<RunId>) -> NotificationPayload {
        let end = || log.and_then(|id| self.app.store.end_of_log(id, END_OF_LOG).ok());
        let last = || last_lines(&end().unwrap_or_default());
        let (payload, broken) = self.channel.payload(message, last);
        if let Some(why) = &broken
            && self.notified.broken != broken
        {
            let name = &self.channel.name;
            self.events.send(Event::Warning(format!(
                "cannot use the templates of `{name}`: {why}; it gets the message as JSON"
            )));
        }
        self.notified.broken = broken;
        payload
    }
}
