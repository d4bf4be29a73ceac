//! The queue of notifications to send. It is processed concurrently with the rounds, which do not wait for it.

use std::{cell::RefCell, collections::VecDeque, convert::Infallible, rc::Rc};

use futures_util::{
    FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream::FuturesUnordered,
};

use crate::{
    ops::{App, EventSink, notify},
    sys::signal::Stop,
    task::TaskKey,
    watch::{Problem, Round, Snapshot, Verdict},
};

use super::reported::LastReported;

/// How many of them are sent at once.
const MOST_AT_ONCE: usize = 32;

pub struct PendingNotifications<'a> {
    stop: &'a Stop,
    events: &'a EventSink<'a>,
    /// Those being sent: a receiver that hangs delays only what goes to it.
    current: FuturesUnordered<LocalBoxFuture<'a, ()>>,
    /// The runs to send notifications about, after `current`.
    runs: VecDeque<(Rc<App>, TaskKey)>,
    /// The problems that the last round has found. They replace those of an earlier round that have not been sent, which are the same or no
    /// longer true.
    round: Option<(Rc<App>, Problems)>,
    /// The receivers that could not be used after the last round.
    reported: Rc<RefCell<LastReported>>,
}

pub type Problems = Vec<(TaskKey, Vec<Problem>)>;

impl<'a> PendingNotifications<'a> {
    pub fn new(stop: &'a Stop, events: &'a EventSink<'a>) -> Self {
        Self {
            stop,
            events,
            current: FuturesUnordered::new(),
            runs: VecDeque::new(),
            round: None,
            reported: Rc::default(),
        }
    }

    /// Queues the notifications about a run.
    pub fn queue_run(&mut self, app: &Rc<App>, task: &TaskKey) {
        self.runs.push_back((Rc::clone(app), task.clone()));
    }

    /// Queues the notifications about the problems of a round.
    pub fn queue_round(&mut self, app: &Rc<App>, problems: Problems) {
        self.round = Some((Rc::clone(app), problems));
    }

    /// Sends notifications for as long as it is polled; a half-sent one continues at the next call.
    pub async fn send_forever(&mut self) -> Infallible {
        self.send_all().await;
        std::future::pending().await
    }

    /// Sends everything. If acrt is to stop, only waits for what is being sent: the next watcher sends the rest.
    pub async fn send_all(&mut self) {
        loop {
            while self.current.len() < MOST_AT_ONCE
                && let Some(next) = self.next()
            {
                self.current.push(next);
            }
            if self.current.next().await.is_none() {
                return;
            }
        }
    }

    fn next(&mut self) -> Option<LocalBoxFuture<'a, ()>> {
        let (stop, events) = (self.stop, self.events);
        if stop.requested().is_some() {
            return None;
        }
        if let Some((app, key)) = self.runs.pop_front() {
            let delivery = async move {
                // A task that was deleted meanwhile has no receivers any more.
                if let Some(task) = events.report(app.store.task(&key)).flatten() {
                    notify::after_run_of_round(&app, &task, stop, events).await;
                }
            };
            return Some(delivery.boxed_local());
        }
        let (app, problems) = self.round.take()?;
        let reported = Rc::clone(&self.reported);
        let report = move |broken| reported.borrow_mut().report_new(broken, events);
        let delivery =
            async move { notify::after_round(&app, &problems, report, stop, events).await };
        Some(delivery.boxed_local())
    }
}

/// Returns the problems that receivers of notifications are told of after a round; `None` where there are no receivers.
pub fn problems_to_notify(app: &App, loaded: &[Snapshot], round: &Round<'_>) -> Option<Problems> {
    let config = &app.settings.config;
    let of_task = |one: &Snapshot| {
        let trigger = one.task.trigger.base_image_trigger.as_ref();
        let is_restarted = one.task.source.as_ref().is_some_and(|it| it.compose_up);
        is_restarted
            || !one.task.on_success.is_empty()
            || trigger.is_some_and(|trigger| trigger.update_trigger_payload_type.is_some())
    };
    let has_none = config.notify.is_empty() && config.on_success.is_empty();
    if has_none && !loaded.iter().any(of_task) {
        return None;
    }
    let away = app.store.builders().away;
    // If some builders of a pool answer, the tasks are built, but receivers are told of the others.
    let elsewhere = |node: &Snapshot, verdict: &Verdict| {
        let known = node
            .away
            .iter()
            .filter(|one| away.contains_key(&one.builder));
        let known = known.filter(|_| !matches!(verdict, Verdict::NoBuilder { .. }));
        known.map(Problem::of_builder).collect::<Vec<_>>()
    };
    let problems = round
        .verdicts()
        .map(|(node, verdict, _)| {
            let problems = [verdict.problems(), elsewhere(node, verdict)].concat();
            (node.task.key(), problems)
        })
        .filter(|(_, problems)| !problems.is_empty());
    Some(problems.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::GlobalOptions;

    #[test]
    fn skipped_round_notifications_are_sent_once_after_those_of_earlier_runs() {
        let folder = tempfile::tempdir().unwrap();
        let app = Rc::new(
            App::new(GlobalOptions {
                state_dir: Some(folder.path().to_owned()),
                ..GlobalOptions::default()
            })
            .unwrap(),
        );
        let (stop, events) = (Stop::never(), EventSink::none());
        let mut notifications = PendingNotifications::new(&stop, &events);
        notifications.queue_round(&app, Vec::new());
        notifications.queue_run(
            &app,
            &TaskKey {
                registry: "r.io".into(),
                name: "web".parse().unwrap(),
            },
        );
        notifications.queue_round(&app, Vec::new());
        assert!(notifications.next().is_some() && notifications.round.is_some());
        assert!(notifications.next().is_some() && notifications.next().is_none());
    }
}
