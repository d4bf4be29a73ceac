//! Sends notifications about runs and failures: decides who receives which event, and sends each once.

mod channel_notifier;
mod channels;
mod delivery;
mod digest;
mod message;
mod sample;
mod templates;

use crate::{
    error::{Error, Result},
    store::notified::NotifiedFile,
    sys::signal::Stop,
    task::{Task, TaskKey},
    watch::{
        Baseline, Problem,
        notified::{NotifiedState, outages},
    },
};

use super::{App, Event, EventSink, recall};

use channels::{Channel, Channels};
use delivery::{Delivery, forget};

pub fn broken_receivers(app: &App) -> Vec<Error> {
    channels::of_config(app).filter_map(Result::err).collect()
}

/// Returns, for each receiver of the config file and each name it has of a task that there is not, both.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the tasks cannot be listed.
pub fn names_without_a_task(app: &App) -> Result<Vec<(String, String)>> {
    let tasks = app.store.task_keys()?;
    let mut unknown = Vec::new();
    for channel in channels::of_config(app).flatten() {
        let names = channel.names_without_a_task(app, &tasks).into_iter();
        unknown.extend(names.map(|name| (channel.name.clone(), name.to_owned())));
    }
    Ok(unknown)
}

pub use channels::check;
pub use delivery::hold;
pub use sample::{PresetAnswer, SampleAnswer, events, presets, test};

/// Stores a first state for new receivers of a task before its run, so that the result of the run is new to them even after a crash.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be written.
pub async fn before_run(app: &App, task: &Task, stop: &Stop, events: &EventSink<'_>) -> Result<()> {
    // Those that cannot be used are reported after the run.
    let channels = Channels::of(app, std::iter::once(task)).usable;
    let knows_all = |notified: &NotifiedFile| {
        let mut ids = channels.iter().map(|channel| &channel.id);
        ids.all(|id| notified.receivers.contains_key(id))
    };
    if channels.is_empty() || knows_all(&recall::notified(app, events)?) {
        return Ok(());
    }
    let Some(_lock) = hold(app, stop).await? else {
        return Ok(());
    };
    let mut notified = recall::notified(app, events)?;
    let now = app.clock.now();
    for channel in &channels {
        let entry = notified.receivers.entry(channel.id.clone());
        entry.or_insert_with(|| NotifiedState::from(now));
    }
    app.store.save_notified(&notified)
}

/// Sends notifications about the result of a run. A failure to send is reported, and has no other effect. What is not sent because acrt is
/// stopped is sent later.
pub async fn after_run(app: &App, task: &Task, stop: &Stop, events: &EventSink<'_>) {
    let channels = Channels::of(app, std::iter::once(task));
    for error in channels.broken {
        events.send(Event::Problem(error));
    }
    notify_of_run(app, task, &channels.usable, stop, events).await;
}

/// As [`after_run`], for one of several runs of a round: receivers that group events are notified after the round, which also reports those
/// that cannot be used.
pub async fn after_run_of_round(app: &App, task: &Task, stop: &Stop, events: &EventSink<'_>) {
    let mut channels = Channels::of(app, std::iter::once(task)).usable;
    channels.retain(|channel| !channel.groups);
    notify_of_run(app, task, &channels, stop, events).await;
}

async fn notify_of_run(
    app: &App,
    task: &Task,
    channels: &[Channel],
    stop: &Stop,
    events: &EventSink<'_>,
) {
    if channels.is_empty() {
        return;
    }
    let work = async {
        let delivery = Delivery {
            app,
            tasks: vec![(task.key(), app.store.baseline(&task.key())?)],
            silent: None,
            stop,
            events,
        };
        delivery.to_all(channels).await
    };
    events.report(work.await);
}

/// Sends notifications about the problems that a round has found, and those that could not be sent before. `report` is called with the
/// receivers that cannot be used, before anything is sent.
pub async fn after_round(
    app: &App,
    problems: &[(TaskKey, Vec<Problem>)],
    report: impl FnOnce(Vec<Error>),
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
        report(std::mem::take(&mut channels.broken));
        if channels.usable.is_empty() {
            return Ok(());
        }
        let tasks: Vec<(TaskKey, Baseline)> = followed
            .into_iter()
            .map(|(task, baseline)| (task.key(), baseline))
            .collect();
        // The state of a receiver that cannot be used now stays for when it can.
        if is_complete {
            forget(app, &channels.usable, &tasks, stop, events).await?;
        }
        let problems = problems
            .iter()
            .map(|(key, problems)| (key.clone(), problems.as_slice()));
        let silent = outages(problems);
        let delivery = Delivery {
            app,
            tasks,
            silent: Some(&silent),
            stop,
            events,
        };
        delivery.to_all(&channels.usable).await
    };
    events.report(work.await);
}
