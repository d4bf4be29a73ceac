//! Sends notifications to one receiver: those that are new to it, in order.

use std::{collections::BTreeMap, ops::ControlFlow};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    notify::{DeliveryError, DeliveryResponse, NotificationPayload},
    ops::{App, Event, EventSink},
    sys::signal::Stop,
    task::{Run, RunId, TaskKey},
    watch::{
        Baseline, ProblemKind,
        notified::{KnownProblem, NotificationEvent, NotifiedState, Outage},
    },
};

use super::{
    channels::{Channel, Payload},
    digest,
    message::{Message, base_of, lead_to_page, update},
    templates::last_lines,
};

/// How many bytes at the end of a log are searched for its last lines.
const END_OF_LOG: u64 = 16 * 1024;

/// After how many undelivered messages in a row a receiver counts as unreachable, and gets no further ones for a while. After a single one
/// the others are sent: it may be the message.
const UNREACHABLE_AFTER: u32 = 2;

/// The subject under which an undelivered digest is kept.
const DIGEST: &str = "digest";

/// The sending of notifications to one receiver.
pub struct ChannelNotifier<'a> {
    pub app: &'a App,
    pub channel: &'a Channel,
    /// The problems that a round has found; `None` where it is about runs alone.
    pub silent: Option<&'a BTreeMap<String, Outage>>,
    pub stop: &'a Stop,
    pub events: &'a EventSink<'a>,
    pub notified: NotifiedState,
    pub failed_in_a_row: u32,
}

impl ChannelNotifier<'_> {
    /// Returns whether anything is to be sent or recorded.
    pub fn has_work(&self, tasks: &[(TaskKey, Baseline)]) -> bool {
        !self.notified.waiting.is_empty()
            || self.tasks_with_news(tasks).next().is_some()
            || self.has_news_of_round()
    }

    /// Returns the tasks about which something is to be sent or recorded.
    pub fn tasks_with_news<'t>(
        &self,
        tasks: &'t [(TaskKey, Baseline)],
    ) -> impl Iterator<Item = &'t TaskKey> {
        let (now, remind) = (self.app.clock.now(), self.remind_before());
        let heard = tasks
            .iter()
            .filter(|(key, _)| self.channel.hears_of(self.app, key));
        let new = heard.filter(move |(key, baseline)| {
            !self.notified.is_up_to_date(key, baseline, remind)
                && !self.notified.holds_back(&key.full(), now)
        });
        new.map(|(key, _)| key)
    }

    /// Returns whether there is news that is not about runs, and that only a round has.
    pub fn has_news_of_round(&self) -> bool {
        self.silent.is_some()
            && (self.digest_since().is_some()
                || !self.new_outages().is_empty()
                || !self.solved_problems().is_empty())
    }

    /// Sends all new events: those of a task in order, and after one that could not be delivered none of the same task. Breaks off where
    /// the receiver does not answer or acrt is to stop.
    pub async fn all(&mut self, tasks: &[(TaskKey, Baseline)]) -> ControlFlow<()> {
        let remind = self.remind_before();
        let mut groups: BTreeMap<_, Vec<(TaskKey, Baseline)>> = BTreeMap::new();
        let new: Vec<TaskKey> = self.tasks_with_news(tasks).cloned().collect();
        for key in new {
            // Another sender may have told of a newer run since the tasks were read.
            let Some(baseline) = self.events.report(self.app.store.baseline(&key)) else {
                continue;
            };
            self.notified.clear_ended(&key, &baseline);
            for event in self.notified.due_events(&key, &baseline, remind) {
                let task = (key.clone(), baseline.clone());
                if self.channel.groups {
                    let base = self.run_of(&baseline, event).as_ref().and_then(base_of);
                    groups.entry((event, base)).or_default().push(task);
                } else if !self.of_tasks(event, None, &[task]).await? {
                    break;
                }
            }
        }
        for ((event, base), mut tasks) in groups {
            let now = self.app.clock.now();
            tasks.retain(|(key, _)| !self.notified.holds_back(&key.full(), now));
            if !tasks.is_empty() {
                self.of_tasks(event, base, &tasks).await?;
            }
        }
        self.of_registries().await?;
        self.digest(tasks).await
    }

    /// Returns the time before which a failure must have been told to be told again.
    fn remind_before(&self) -> Option<Timestamp> {
        let days = i64::from(self.channel.remind_days?);
        let days = SignedDuration::from_hours(24 * days);
        self.app.clock.now().checked_sub(days).ok()
    }

    /// Returns the time of the last digest, if the next one is due.
    fn digest_since(&self) -> Option<Timestamp> {
        let now = self.app.clock.now();
        let since = self.notified.digested.unwrap_or(self.notified.since);
        let time = self.channel.digest?.last(now)?;
        (time > since && !self.notified.holds_back(DIGEST, now)).then_some(since)
    }

    /// Sends the digest since the last one, if it is due.
    async fn digest(&mut self, tasks: &[(TaskKey, Baseline)]) -> ControlFlow<()> {
        let Some(since) = self.digest_since().filter(|_| self.silent.is_some()) else {
            return ControlFlow::Continue(());
        };
        let event = NotificationEvent::Digest;
        let sent = match digest::digest(self.app, self.channel, tasks, since) {
            Ok(message) => self.deliver(event.word(), &message, None).await,
            Err(error) => Err(DeliveryError::Failed(error.one_line())),
        };
        if self.record(event, &[DIGEST.to_owned()], sent)? {
            self.notified.digested = Some(self.app.clock.now());
        }
        ControlFlow::Continue(())
    }

    /// Sends one message about the same event of some tasks. Returns whether they have been told of it.
    async fn of_tasks(
        &mut self,
        event: NotificationEvent,
        base: Option<String>,
        tasks: &[(TaskKey, Baseline)],
    ) -> ControlFlow<(), bool> {
        // A receiver with reminders gets them, whatever its events are.
        let is_wanted = event == NotificationEvent::StillFailing;
        if is_wanted || self.channel.on.contains(&event) {
            let sent = match tasks {
                [(key, baseline)] => self.of_task(key, baseline, event).await,
                many => {
                    let keys: Vec<&TaskKey> = many.iter().map(|(key, _)| key).collect();
                    let now = self.app.clock.now();
                    let message = Message::of_group(event, base.as_deref(), &keys, now);
                    self.deliver(event.word(), &message, None).await
                }
            };
            let subjects: Vec<String> = tasks.iter().map(|(key, _)| key.full()).collect();
            if !self.record(event, &subjects, sent)? {
                return ControlFlow::Continue(false);
            }
        }
        for (key, baseline) in tasks {
            let now = self.app.clock.now();
            self.notified.notified(key, event, baseline, now);
        }
        ControlFlow::Continue(true)
    }

    /// Records the result of a delivery. Returns whether the message is told: a message that is refused for good is, because to send it
    /// again and again would not change that.
    fn record(
        &mut self,
        event: NotificationEvent,
        subjects: &[String],
        sent: Result<(), DeliveryError>,
    ) -> ControlFlow<(), bool> {
        let (name, word) = (&self.channel.name, event.word());
        let why = match sent {
            Err(DeliveryError::Stopped) => return ControlFlow::Break(()),
            Err(DeliveryError::Failed(why)) => why,
            reached => {
                self.failed_in_a_row = 0;
                self.notified.reached(subjects);
                if let Err(DeliveryError::Refused(why)) = reached {
                    self.events.send(Event::Warning(format!(
                        "cannot notify `{name}` of {word}: {why}; this message is not sent again"
                    )));
                }
                return ControlFlow::Continue(true);
            }
        };
        self.events.send(Event::Warning(format!(
            "cannot notify `{name}` of {word}: {why}; it is tried again"
        )));
        let now = self.app.clock.now();
        self.notified.hold_back(subjects, now);
        self.failed_in_a_row += 1;
        if self.failed_in_a_row < UNREACHABLE_AFTER {
            return ControlFlow::Continue(false);
        }
        self.notified.failed(now);
        ControlFlow::Break(())
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

    /// Returns the problems of the round that the receiver has not been told of.
    fn new_outages(&self) -> Vec<String> {
        let now = self.app.clock.now();
        let all = self.silent.into_iter().flatten();
        let new = all.filter(|(subject, outage)| {
            self.channel.hears_of_registries()
                && outage
                    .tasks
                    .iter()
                    .any(|task| self.channel.hears_of(self.app, task))
                && !self.notified.failing.contains_key(*subject)
                && !self.notified.holds_back(subject, now)
        });
        new.map(|(subject, _)| subject.clone()).collect()
    }

    /// Returns the problems that the receiver has been told of, and that the round did not have.
    fn solved_problems(&self) -> Vec<(String, KnownProblem)> {
        let now = self.app.clock.now();
        let Some(silent) = self.silent.filter(|_| self.channel.hears_of_registries()) else {
            return Vec::new();
        };
        let told = self.notified.failing.iter().filter(|(subject, _)| {
            !silent.contains_key(*subject) && !self.notified.holds_back(subject, now)
        });
        told.map(|(subject, problem)| (subject.clone(), *problem))
            .collect()
    }

    async fn of_registries(&mut self) -> ControlFlow<()> {
        let now = self.app.clock.now();
        for subject in self.new_outages() {
            let Some(outage) = self.silent.and_then(|silent| silent.get(&subject)) else {
                continue;
            };
            let since = outage.since.unwrap_or(now);
            let message = Message::of_silence(&subject, outage, since, now);
            let event = NotificationEvent::CheckFailing;
            let sent = self.deliver(event.word(), &message, None).await;
            if self.record(event, std::slice::from_ref(&subject), sent)? {
                let kind = outage.kind;
                let problem = KnownProblem { since, kind };
                self.notified.failing.insert(subject, problem);
            }
        }
        for (subject, problem) in self.solved_problems() {
            let event = NotificationEvent::Recovery;
            if self.channel.on.contains(&event) {
                let text = solved(&subject, problem.kind);
                let mut message = Message::new(event, text, now);
                message.since = Some(problem.since);
                message.subject = Some(subject.clone());
                let sent = self.deliver(event.word(), &message, None).await;
                if !self.record(event, std::slice::from_ref(&subject), sent)? {
                    continue;
                }
            }
            self.notified.failing.remove(&subject);
        }
        ControlFlow::Continue(())
    }

    async fn of_task(
        &mut self,
        key: &TaskKey,
        baseline: &Baseline,
        event: NotificationEvent,
    ) -> Result<(), DeliveryError> {
        let run = self.run_of(baseline, event);
        match &self.channel.shape {
            Payload::Message => {
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

    /// Sends one message, with the end of the log of the run `log` if the templates use it.
    async fn deliver(
        &mut self,
        event: &str,
        message: &impl Serialize,
        log: Option<RunId>,
    ) -> Result<(), DeliveryError> {
        if self.stop.requested().is_some() {
            return Err(DeliveryError::Stopped);
        }
        let message = serde_json::to_value(message);
        let mut message = message.map_err(|error| DeliveryError::Failed(error.to_string()))?;
        if let Some(url) = &self.app.page_url {
            lead_to_page(&mut message, url);
        }
        let payload = self.payload(&message, log);
        let reply = self
            .channel
            .send(self.app, event, (&message, &payload), self.stop)
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

/// Returns the text of the message that a problem is solved. It also is where the tasks that it concerned are disabled or deleted.
fn solved(subject: &str, kind: ProblemKind) -> String {
    match kind {
        ProblemKind::Silent => format!("`{subject}` answers again, or is no longer needed"),
        ProblemKind::Gone => format!("{subject}: there again, or no longer needed"),
        ProblemKind::NoImage => format!("{subject}: an image again, or no longer needed"),
        ProblemKind::Unverified => format!("{subject}: vouched for, or no longer needed"),
        ProblemKind::Files => format!("{subject}: can be read again, or no longer needed"),
        ProblemKind::Builder => format!("{subject} answers again, or is no longer needed"),
    }
}
