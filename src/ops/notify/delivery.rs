//! Sends notifications to all receivers side by side, and records what each has been told.
//!
//! The file of the notified state is locked only while it is read or written: a hook may call acrt, and no run waits for a receiver that
//! hangs. During a delivery the sender holds a lock of that receiver. A second sender does not wait for it, but records which tasks it had
//! news of; the first one looks at them before it ends.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};

use crate::{
    error::Result,
    ops::{App, EventSink, recall},
    store::lock::Lock,
    sys::signal::Stop,
    task::TaskKey,
    watch::{
        Baseline,
        notified::{NotifiedState, Outage},
    },
};

use super::{channel_notifier::ChannelNotifier, channels::Channel};

/// The pause between two tries to get a lock that another process holds.
const WAIT: Duration = Duration::from_millis(100);

/// How often a sender with news that no later run repeats tries to get the lock of a receiver: for ten seconds, as long as a webhook may
/// take to answer.
const TRIES: usize = 100;

/// How many receivers are sent to at once.
const MOST_AT_ONCE: usize = 32;

/// Waits until no other process changes the notified state; `None` if acrt is to stop first. It polls, because the lock may be held by
/// another run in this process.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the lock cannot be used.
pub async fn hold(app: &App, stop: &Stop) -> Result<Option<Lock>> {
    let path = app.store.layout().notified_lock();
    loop {
        if let Some(lock) = app.store.try_lock(&path)? {
            return Ok(Some(lock));
        }
        tokio::select! {
            () = app.clock.pause(WAIT) => {}
            _ = stop.wait() => return Ok(None),
        }
    }
}

/// Removes the state of receivers and tasks that no longer exist.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be written.
pub async fn forget(
    app: &App,
    channels: &[Channel],
    tasks: &[(TaskKey, Baseline)],
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<()> {
    let Some(_lock) = hold(app, stop).await? else {
        return Ok(());
    };
    let before = recall::notified(app, events)?;
    let mut file = before.clone();
    let ids: BTreeSet<&String> = channels.iter().map(|channel| &channel.id).collect();
    file.receivers.retain(|id, _| ids.contains(id));
    let names: BTreeSet<String> = tasks.iter().map(|(key, _)| key.full()).collect();
    for notified in file.receivers.values_mut() {
        notified.keep_only(|task| names.contains(task), app.clock.now());
    }
    if file == before {
        Ok(())
    } else {
        app.store.save_notified(&file)
    }
}

/// What is compared with the notified state of receivers.
pub struct Delivery<'a> {
    pub app: &'a App,
    pub tasks: Vec<(TaskKey, Baseline)>,
    /// The problems that a round has found; `None` where it is about runs alone.
    pub silent: Option<&'a BTreeMap<String, Outage>>,
    pub stop: &'a Stop,
    pub events: &'a EventSink<'a>,
}

impl Delivery<'_> {
    /// Sends each receiver what is new to it. A failure to send is reported.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be used.
    pub async fn to_all(&self, channels: &[Channel]) -> Result<()> {
        let Some(lock) = hold(self.app, self.stop).await? else {
            return Ok(());
        };
        let mut file = recall::notified(self.app, self.events)?;
        let (before, now) = (file.receivers.clone(), self.app.clock.now());
        for channel in channels {
            let notified = file.receivers.entry(channel.id.clone());
            let notified = notified.or_insert_with(|| NotifiedState::from(now));
            notified.take_back(now);
        }
        if file.receivers != before {
            self.app.store.save_notified(&file)?;
        }
        drop(lock);
        let due = channels.iter().filter(|channel| {
            // Two entries of the config file with one name share their state.
            let notified = file.receivers.get(&channel.id).cloned().unwrap_or_default();
            !notified.rests(now) && self.notifier(channel, notified).has_work(&self.tasks)
        });
        let due: Vec<&Channel> = due.collect();
        let sent = stream::iter(due).for_each_concurrent(MOST_AT_ONCE, |channel| async move {
            self.events.report(self.to_one(channel).await);
        });
        sent.await;
        Ok(())
    }

    async fn to_one(&self, channel: &Channel) -> Result<()> {
        let Some((claim, notified)) = self.claim(channel).await? else {
            return Ok(());
        };
        let mut notifier = self.notifier(channel, notified);
        let mut waiting = std::mem::take(&mut notifier.notified.waiting);
        // Copied only if another sender has left word: there may be thousands.
        let mut tasks = Cow::Borrowed(self.tasks.as_slice());
        loop {
            for key in waiting {
                if !tasks.iter().any(|(known, _)| *known == key) {
                    let baseline = self.app.store.baseline(&key)?;
                    tasks.to_mut().push((key, baseline));
                }
            }
            let goes_on = notifier.all(&tasks).await.is_continue();
            let Some(_lock) = hold(self.app, self.stop).await? else {
                return Ok(());
            };
            let mut file = recall::notified(self.app, self.events)?;
            let stored = file.receivers.entry(channel.id.clone()).or_default();
            waiting = std::mem::take(&mut stored.waiting);
            let is_last = waiting.is_empty() || !goes_on;
            stored.clone_from(&notifier.notified);
            if is_last {
                stored.waiting = std::mem::take(&mut waiting);
            }
            self.app.store.save_notified(&file)?;
            if is_last {
                // Before the file is unlocked: who finds the receiver busy must be able to leave word.
                return claim.remove();
            }
            tasks = Cow::Owned(Vec::new());
        }
    }

    /// Takes the lock of a receiver. If another sender holds it, records which tasks there is news of, and returns `None`.
    async fn claim(&self, channel: &Channel) -> Result<Option<(Lock, NotifiedState)>> {
        let path = self.app.store.layout().receiver_lock(&channel.id);
        for _ in 0..TRIES {
            let Some(lock) = hold(self.app, self.stop).await? else {
                return Ok(None);
            };
            let mut file = recall::notified(self.app, self.events)?;
            let entry = file.receivers.entry(channel.id.clone());
            let notified = entry.or_insert_with(|| NotifiedState::from(self.app.clock.now()));
            if notified.rests(self.app.clock.now()) {
                break;
            }
            if let Some(claim) = self.app.store.try_lock(&path)? {
                return Ok(Some((claim, notified.clone())));
            }
            let notifier = self.notifier(channel, notified.clone());
            let new = notifier.tasks_with_news(&self.tasks);
            let new: Vec<TaskKey> = new
                .filter(|key| !notified.waiting.contains(key))
                .cloned()
                .collect();
            if !new.is_empty() {
                notified.waiting.extend(new);
                self.app.store.save_notified(&file)?;
            }
            drop(lock);
            if !notifier.has_news_of_round() {
                break;
            }
            tokio::select! {
                () = self.app.clock.pause(WAIT) => {}
                _ = self.stop.wait() => break,
            }
        }
        Ok(None)
    }

    fn notifier<'a>(
        &'a self,
        channel: &'a Channel,
        notified: NotifiedState,
    ) -> ChannelNotifier<'a> {
        ChannelNotifier {
            app: self.app,
            channel,
            silent: self.silent,
            stop: self.stop,
            events: self.events,
            notified,
            failed_in_a_row: 0,
        }
    }
}
