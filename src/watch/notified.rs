//! The notified state of each task and registry: what receivers have been told, and which events are due, so that each change of a state is
//! told once.
//!
//! The present state is compared with the notified one, and no queue of events is kept: an event that could not be sent, or was lost in a
//! crash, follows from the next comparison.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::task::{RunId, TaskKey};

use super::{
    Baseline, backoff,
    decide::{Problem, ProblemKind},
    reported_problems::without_variable_parts,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationEvent {
    Success,
    /// A run has failed, of a task whose last one had not.
    Failure,
    /// A run has succeeded after one that failed, or a registry answers again.
    Recovery,
    /// A task has failed so often in a row that a person has to look.
    Stalled,
    /// A registry or git repository gives no answer that tasks need.
    CheckFailing,
    /// A task still fails, some days after its failure was last told.
    StillFailing,
    /// A summary of a day or a week.
    Digest,
}

impl NotificationEvent {
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::Recovery,
        Self::Stalled,
        Self::CheckFailing,
        Self::StillFailing,
        Self::Digest,
    ];

    pub fn is_of_failed_run(self) -> bool {
        match self {
            Self::Failure | Self::Stalled | Self::StillFailing => true,
            Self::Success | Self::Recovery | Self::CheckFailing | Self::Digest => false,
        }
    }

    /// Tells whether it is good or neutral news.
    pub fn is_good(self) -> bool {
        match self {
            Self::Success | Self::Recovery | Self::Digest => true,
            Self::Failure | Self::Stalled | Self::CheckFailing | Self::StillFailing => false,
        }
    }

    /// Returns the event of this name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.word() == word)
    }

    /// Returns its name in config files and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Stalled => "stalled",
            Self::CheckFailing => "check-failing",
            Self::StillFailing => "still-failing",
            Self::Digest => "digest",
        }
    }
}

/// The notified state of one receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifiedState {
    /// When the receiver was first seen in the config file: it is not told of what happened before.
    pub since: Timestamp,
    /// The state of each task, by `registry/name`.
    #[serde(default)]
    pub tasks: BTreeMap<String, NotifiedTask>,
    /// The problems that it has been told of, by their subject: registries and repositories that do not answer, images that are gone, tasks
    /// whose files cannot be used.
    #[serde(default)]
    pub failing: BTreeMap<String, KnownProblem>,
    /// How many times in a row sending to it failed.
    #[serde(default)]
    pub failures: u32,
    /// When sending is tried again, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
    /// The error in its templates that has been reported, so that it is reported once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// When its last digest was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digested: Option<Timestamp>,
    /// The messages that could not be delivered, by the task or problem that they are about: they wait, and others are sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retries: BTreeMap<String, MessageRetry>,
    /// The tasks with news for which another process is to send: it was sending to this receiver when the news came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<TaskKey>,
}

/// When a message is sent again that could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRetry {
    /// How many times in a row it could not be delivered.
    pub failures: u32,
    pub next_try: Timestamp,
}

/// A problem that a receiver has been told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredOutage")]
pub struct KnownProblem {
    pub since: Timestamp,
    pub kind: ProblemKind,
}

/// The stored form: version 0.1 wrote only the time.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredOutage {
    Since(Timestamp),
    Whole { since: Timestamp, kind: ProblemKind },
}

impl From<StoredOutage> for KnownProblem {
    fn from(stored: StoredOutage) -> Self {
        match stored {
            StoredOutage::Whole { since, kind } => Self { since, kind },
            StoredOutage::Since(since) => Self {
                since,
                kind: ProblemKind::Silent,
            },
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifiedTask {
    /// The last run whose success was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failing: bool,
    /// The failed run that was told last, until a recovery is told; unknown in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<RunId>,
    /// Whether it was told that the task has stalled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stalled: bool,
    /// When its failure was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Timestamp>,
}

impl NotifiedTask {
    /// Tells whether a run has succeeded after the failure that was told.
    fn is_recovered(&self, baseline: &Baseline) -> bool {
        (self.failing || self.failed.is_some()) && baseline.run_id > self.failed
    }

    fn clear_failure(&mut self) {
        self.failing = false;
        self.stalled = false;
        self.told = None;
    }
}

/// A problem, with all tasks that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    pub kind: ProblemKind,
    /// How many images or tasks are combined in this one notification.
    pub subjects: usize,
    /// Since when, as far as that is known.
    pub since: Option<Timestamp>,
    /// Why, for the first of the subjects.
    pub why: String,
    pub hint: Option<String>,
    /// The tasks that cannot be decided because of it.
    pub tasks: Vec<TaskKey>,
}

impl NotifiedState {
    /// Returns the state of a new receiver, which has been told nothing.
    pub fn from(now: Timestamp) -> Self {
        Self {
            since: now,
            ..Self::default()
        }
    }

    /// Takes times in the future, of a clock that has been set back since, for now: reminders, digests and news of successes would wait
    /// until the clock has caught up.
    pub fn take_back(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
        self.digested = self.digested.map(|time| time.min(now));
        for task in self.tasks.values_mut() {
            task.told = task.told.map(|time| time.min(now));
        }
    }

    /// Tells whether sending still pauses after a failure.
    pub fn rests(&self, now: Timestamp) -> bool {
        self.next_try
            .is_some_and(|next| pauses(self.failures, next, now))
    }

    /// Records that the receiver cannot be reached.
    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.next_try = Some(backoff::next_try(self.failures, now));
    }

    /// Records that the receiver has got a message about these tasks or problems.
    pub fn reached(&mut self, subjects: &[String]) {
        self.failures = 0;
        self.next_try = None;
        for subject in subjects {
            self.retries.remove(subject);
        }
    }

    /// Records that a message about these tasks or problems could not be delivered.
    pub fn hold_back(&mut self, subjects: &[String], now: Timestamp) {
        for subject in subjects {
            let last = self.retries.get(subject).map_or(0, |retry| retry.failures);
            let failures = last.saturating_add(1);
            let next_try = backoff::next_try(failures, now);
            let retry = MessageRetry { failures, next_try };
            self.retries.insert(subject.clone(), retry);
        }
    }

    /// Tells whether messages about a task or problem still wait after one that could not be delivered.
    pub fn holds_back(&self, subject: &str, now: Timestamp) -> bool {
        self.retries
            .get(subject)
            .is_some_and(|retry| pauses(retry.failures, retry.next_try, now))
    }

    /// Tells whether nothing about a task is to be sent or recorded.
    pub fn is_up_to_date(
        &self,
        task: &TaskKey,
        baseline: &Baseline,
        remind: Option<Timestamp>,
    ) -> bool {
        let notified = self.of(task);
        let is_over = notified.failing && baseline.failure.is_none();
        let is_up_to_date = (baseline.is_stalled() || !notified.stalled) && !is_over;
        is_up_to_date && self.due_events(task, baseline, remind).is_empty()
    }

    /// Returns the events of a task that are due, in the order in which they are sent. `StillFailing` is due where the failure was last
    /// told before `remind`.
    pub fn due_events(
        &self,
        task: &TaskKey,
        baseline: &Baseline,
        remind: Option<Timestamp>,
    ) -> Vec<NotificationEvent> {
        let notified = self.of(task);
        let mut event = Vec::new();
        match &baseline.failure {
            Some(_) => {
                if !notified.failing {
                    event.push(NotificationEvent::Failure);
                }
                if baseline.is_stalled() && !notified.stalled {
                    event.push(NotificationEvent::Stalled);
                }
                let is_old =
                    remind.is_some_and(|before| notified.told.unwrap_or(self.since) < before);
                if event.is_empty() && is_old {
                    event.push(NotificationEvent::StillFailing);
                }
            }
            None => {
                if self.is_new_success(&notified, baseline) {
                    event.push(NotificationEvent::Success);
                }
                if notified.is_recovered(baseline) {
                    event.push(NotificationEvent::Recovery);
                }
            }
        }
        event
    }

    fn is_new_success(&self, notified: &NotifiedTask, baseline: &Baseline) -> bool {
        match (baseline.run_id, notified.run) {
            (None, _) => false,
            (Some(run), Some(last)) => run != last,
            (Some(_), None) => baseline.recorded.is_some_and(|time| time >= self.since),
        }
    }

    /// Records that an event of a task was told.
    pub fn notified(
        &mut self,
        task: &TaskKey,
        event: NotificationEvent,
        baseline: &Baseline,
        now: Timestamp,
    ) {
        let entry = self.tasks.entry(task.full()).or_default();
        if event.is_of_failed_run() {
            entry.failed = baseline.failure.as_ref().map(|failure| failure.run_id);
            entry.told = Some(now);
        }
        match event {
            NotificationEvent::Success => entry.run = baseline.run_id,
            NotificationEvent::Failure => entry.failing = true,
            NotificationEvent::Stalled => entry.stalled = true,
            NotificationEvent::Recovery => {
                entry.clear_failure();
                entry.failed = None;
            }
            NotificationEvent::StillFailing
            | NotificationEvent::CheckFailing
            | NotificationEvent::Digest => {}
        }
    }

    /// Clears the failure of a task that fails no more without a run that succeeded (it was changed or created anew, or its base was taken
    /// back), or is no longer stalled: neither needs a notification. The next failure is told again, and the next success as the recovery.
    pub fn clear_ended(&mut self, task: &TaskKey, baseline: &Baseline) {
        let Some(entry) = self.tasks.get_mut(&task.full()) else {
            return;
        };
        if baseline.failure.is_none() && !entry.is_recovered(baseline) {
            entry.clear_failure();
        }
        entry.stalled &= baseline.is_stalled();
    }

    /// Removes tasks that do not exist any more, and retries whose messages are no longer due.
    pub fn keep_only(&mut self, is_task: impl Fn(&str) -> bool, now: Timestamp) {
        self.tasks.retain(|task, _| is_task(task));
        self.waiting.retain(|task| is_task(&task.full()));
        // What is still due is tried in the first round after its time.
        let is_due = |retry: &MessageRetry| now.duration_since(retry.next_try) < FORGOTTEN_AFTER;
        self.retries
            .retain(|subject, retry| is_task(subject) || is_due(retry));
    }

    fn of(&self, task: &TaskKey) -> NotifiedTask {
        self.tasks.get(&task.full()).cloned().unwrap_or_default()
    }
}

/// Tells whether sending still pauses at `now`, after `failures` in a row, until `next`. A clock that was set back must not silence
/// notifications for longer than the next pause.
fn pauses(failures: u32, next: Timestamp, now: Timestamp) -> bool {
    now < next && next <= backoff::next_try(failures.saturating_add(1), now)
}

/// After how long a message that was not tried again is no longer due: its problem is solved.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(48);

/// Up to how many images of a registry, or tasks with broken files, are told one by one.
const FEW: usize = 10;

/// Groups the problems of all verdicts: by registry where it does not answer, so that an outage is told once; else by image or task, as
/// long as these are few.
pub fn outages<'a>(
    problems: impl Iterator<Item = (TaskKey, &'a [Problem])>,
) -> BTreeMap<String, Outage> {
    let mut outages: BTreeMap<String, Outage> = BTreeMap::new();
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (task, problems) in problems {
        for problem in problems {
            let subject = subject_of(problem);
            let members = groups.entry(group_of(problem)).or_default();
            members.insert(subject.clone());
            let silence = outages.entry(subject).or_insert_with(|| Outage {
                kind: problem.kind,
                subjects: 1,
                since: problem.since,
                why: problem.why.clone(),
                hint: problem.hint.clone(),
                tasks: Vec::new(),
            });
            silence.since = silence.since.min(problem.since).or(problem.since);
            if silence.tasks.last() != Some(&task) {
                silence.tasks.push(task.clone());
            }
        }
    }
    for (group, members) in groups.into_iter().filter(|(_, it)| it.len() > FEW) {
        let mut all = members.iter().filter_map(|it| outages.remove(it));
        let first = all.next();
        let whole = first.map(|first| all.fold(first, Outage::with));
        outages.extend(whole.map(|whole| (group, whole)));
    }
    outages
}

impl Outage {
    /// Returns why, without the image that was asked for, so that it holds for all images of a registry.
    pub fn reason(&self) -> &str {
        match self.why.split_once("` is: ") {
            Some((_, reason)) => reason,
            None => &self.why,
        }
    }

    /// Returns the reason without its variable parts: the request that had no answer, the end of a pause, and ids and times.
    pub fn gist(&self) -> String {
        let parts = self.reason().split(": ");
        let kept = parts.filter(|part| !part.contains("://"));
        let kept = kept.map(|part| part.split(" until ").next().unwrap_or_default());
        without_variable_parts(&kept.collect::<Vec<_>>().join(": "))
    }

    fn with(mut self, other: Self) -> Self {
        self.subjects += other.subjects;
        self.since = self.since.min(other.since).or(other.since);
        let new = other.tasks.into_iter();
        self.tasks.extend(new);
        self.tasks.sort_unstable();
        self.tasks.dedup();
        self
    }
}

/// Returns the subject under which a problem is told: the registry or repository that does not answer; else the image, or the task.
fn subject_of(problem: &Problem) -> String {
    match problem.kind {
        ProblemKind::Silent => registry_of(problem),
        ProblemKind::Files => format!("task {}", problem.subject),
        ProblemKind::Gone
        | ProblemKind::NoImage
        | ProblemKind::Unverified
        | ProblemKind::Builder => problem.subject.clone(),
    }
}

/// Returns the group under which a problem is told where there are many of its kind.
pub fn group_of(problem: &Problem) -> String {
    match problem.kind {
        ProblemKind::Silent => registry_of(problem),
        ProblemKind::Files => "files of tasks".to_owned(),
        ProblemKind::Builder => problem.subject.clone(),
        ProblemKind::Gone | ProblemKind::NoImage | ProblemKind::Unverified => {
            format!("images of {}", registry_of(problem))
        }
    }
}

/// Returns the registry of an image, or the repository itself.
fn registry_of(problem: &Problem) -> String {
    match problem.subject.parse::<crate::image::Reference>() {
        Ok(image) => image.registry().to_owned(),
        Err(_) => problem.subject.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TaskKey {
        TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn succeeded(run: u64, second: i64) -> Baseline {
        Baseline::succeeded(RunId::new(run), crate::watch::Built::default(), at(second))
    }

    fn failed(mut baseline: Baseline, times: u64) -> Baseline {
        for n in 0..times {
            baseline.failed(RunId::new(100 + n), BTreeMap::new(), None, at(1000));
        }
        baseline
    }

    /// Records all events that are due as told, and returns them.
    fn notify(notified: &mut NotifiedState, baseline: &Baseline) -> Vec<NotificationEvent> {
        notified.clear_ended(&key(), baseline);
        let event = notified.due_events(&key(), baseline, None);
        for one in &event {
            notified.notified(&key(), *one, baseline, at(0));
        }
        event
    }

    #[test]
    fn each_task_change_is_notified_once() {
        let mut notified = NotifiedState::from(at(10));
        let good = succeeded(1, 20);
        assert_eq!(notify(&mut notified, &good), [NotificationEvent::Success]);
        assert_eq!(notify(&mut notified, &good), []);
        let bad = failed(good, 1);
        assert_eq!(notify(&mut notified, &bad), [NotificationEvent::Failure]);
        let worse = failed(bad, 2);
        assert_eq!(notify(&mut notified, &worse), []);
        let stalled = failed(worse, 2);
        assert_eq!(
            notify(&mut notified, &stalled),
            [NotificationEvent::Stalled]
        );
        assert_eq!(notify(&mut notified, &stalled), []);
        let again = succeeded(900, 2000);
        assert_eq!(
            notify(&mut notified, &again),
            [NotificationEvent::Success, NotificationEvent::Recovery]
        );
        assert_eq!(notify(&mut notified, &again), []);
    }

    #[test]
    fn clock_that_was_set_back_delays_neither_successes_nor_reminders_nor_digests() {
        let mut notified = NotifiedState::from(at(9000));
        notified.digested = Some(at(9000));
        let bad = failed(Baseline::default(), 1);
        notified.notified(&key(), NotificationEvent::Failure, &bad, at(9000));
        notified.take_back(at(100));
        assert_eq!(notified.digested, Some(at(100)));
        let remind = Some(at(101));
        assert_eq!(
            notified.due_events(&key(), &bad, remind),
            [NotificationEvent::StillFailing]
        );
        assert_eq!(
            notified.due_events(&key(), &succeeded(200, 120), remind),
            [NotificationEvent::Success, NotificationEvent::Recovery]
        );
    }

    #[test]
    fn failure_is_notified_again_after_remind_days_until_success() {
        let mut notified = NotifiedState::from(at(10));
        let bad = failed(Baseline::default(), 1);
        notify(&mut notified, &bad);
        notified.notified(&key(), NotificationEvent::Failure, &bad, at(1000));
        let mut due = |remind| {
            let due = notified.due_events(&key(), &bad, Some(at(remind)));
            for one in &due {
                notified.notified(&key(), *one, &bad, at(5000));
            }
            due
        };
        assert_eq!(due(1000), []);
        assert_eq!(due(1001), [NotificationEvent::StillFailing]);
        assert_eq!(due(1001), []);
        let again = succeeded(900, 2000);
        let due = notified.due_events(&key(), &again, Some(at(9000)));
        assert!(!due.contains(&NotificationEvent::StillFailing));
    }

    #[test]
    fn tasks_with_one_name_on_two_registries_are_notified_separately() {
        let mut notified = NotifiedState::from(at(10));
        let bad = failed(Baseline::default(), 1);
        assert_eq!(notify(&mut notified, &bad), [NotificationEvent::Failure]);
        let other = TaskKey {
            registry: "other.io".into(),
            ..key()
        };
        assert_eq!(
            notified.due_events(&other, &bad, None),
            [NotificationEvent::Failure]
        );
    }

    #[test]
    fn new_receiver_is_notified_of_open_failures_and_not_of_earlier_events() {
        let mut notified = NotifiedState::from(at(100));
        assert_eq!(notify(&mut notified, &succeeded(1, 20)), []);
        assert_eq!(
            notify(&mut notified, &failed(succeeded(1, 20), 1)),
            [NotificationEvent::Failure]
        );
    }

    #[test]
    fn unsent_notification_stays_due() {
        let notified = NotifiedState::from(at(10));
        let baseline = failed(Baseline::default(), 5);
        assert_eq!(
            notified.due_events(&key(), &baseline, None),
            [NotificationEvent::Failure, NotificationEvent::Stalled]
        );
        assert_eq!(
            notified.due_events(&key(), &baseline, None),
            [NotificationEvent::Failure, NotificationEvent::Stalled]
        );
    }

    #[test]
    fn recreated_task_is_not_notified_as_recovered() {
        let mut notified = NotifiedState::from(at(10));
        notify(&mut notified, &failed(Baseline::default(), 5));
        assert_eq!(notify(&mut notified, &Baseline::default()), []);
        assert_eq!(
            notify(&mut notified, &failed(Baseline::default(), 1)),
            [NotificationEvent::Failure]
        );
    }

    #[test]
    fn failure_that_ends_without_a_run_is_not_notified_as_recovery_but_the_next_success_is() {
        let mut notified = NotifiedState::from(at(10));
        let good = succeeded(1, 20);
        notify(&mut notified, &good);
        notify(&mut notified, &failed(good.clone(), 5));
        assert!(!notified.is_up_to_date(&key(), &good, Some(at(9000))));
        assert_eq!(notify(&mut notified, &good), []);
        assert!(notified.is_up_to_date(&key(), &good, Some(at(9000))));
        let mut again = notified.clone();
        assert_eq!(
            notify(&mut again, &failed(good, 5)),
            [NotificationEvent::Failure, NotificationEvent::Stalled]
        );
        for mut notified in [notified, again] {
            assert_eq!(
                notify(&mut notified, &succeeded(900, 2000)),
                [NotificationEvent::Success, NotificationEvent::Recovery]
            );
        }
    }

    #[test]
    fn recovery_from_a_failure_of_an_earlier_version_s_state_file_is_notified() {
        let mut notified = NotifiedState::from(at(10));
        let told = r#"{"run": "ca1", "failing": true, "told": "1970-01-01T00:00:00Z"}"#;
        let told: NotifiedTask = serde_json::from_str(told).unwrap();
        notified.tasks.insert(key().full(), told);
        assert_eq!(
            notify(&mut notified, &succeeded(2, 20)),
            [NotificationEvent::Success, NotificationEvent::Recovery]
        );
    }

    #[test]
    fn unreachable_receiver_is_retried_with_growing_backoff() {
        let mut notified = NotifiedState::from(at(0));
        assert!(!notified.rests(at(0)));
        notified.failed(at(0));
        assert!(notified.rests(at(59)) && !notified.rests(at(60)));
        notified.failed(at(60));
        assert!(notified.rests(at(179)) && !notified.rests(at(180)));
        // A clock that is set back by years does not silence for years.
        notified.next_try = Some(at(1_000_000));
        assert!(!notified.rests(at(200)));
        notified.reached(&[]);
        assert!(!notified.rests(at(0)));
    }

    #[test]
    fn undelivered_message_waits_with_growing_backoff_until_it_is_delivered_and_no_other_does() {
        let (web, api) = (["r.io/web".to_owned()], ["r.io/api".to_owned()]);
        let mut notified = NotifiedState::from(at(0));
        notified.hold_back(&web, at(0));
        notified.hold_back(&web, at(60));
        assert!(notified.holds_back("r.io/web", at(179)));
        assert!(!notified.holds_back("r.io/web", at(180)));
        assert!(!notified.holds_back("r.io/api", at(61)) && !notified.rests(at(61)));
        notified.reached(&api);
        assert_eq!(notified.retries["r.io/web"].failures, 2);
        notified.reached(&web);
        assert!(notified.retries.is_empty());
        notified.hold_back(&["r.io".to_owned()], at(0));
        notified.keep_only(|_| false, at(3600));
        assert!(!notified.retries.is_empty());
        notified.keep_only(|_| false, at(3 * 86_400));
        assert!(notified.retries.is_empty());
    }

    #[test]
    fn receiver_is_up_to_date_where_nothing_is_due_and_no_recorded_state_is_over() {
        let mut notified = NotifiedState::from(at(10));
        let stalled = failed(succeeded(1, 20), 5);
        assert!(!notified.is_up_to_date(&key(), &stalled, None));
        notify(&mut notified, &stalled);
        assert!(notified.is_up_to_date(&key(), &stalled, None));
        // Recreated, or no longer stalled: nothing is sent, but the state changes.
        assert!(!notified.is_up_to_date(&key(), &Baseline::default(), None));
        assert!(!notified.is_up_to_date(&key(), &failed(succeeded(1, 20), 1), None));
    }

    #[test]
    fn unreachable_registry_is_one_outage_for_all_its_tags() {
        let problem = |subject: &str| Problem {
            kind: ProblemKind::Silent,
            subject: subject.into(),
            why: "it cannot be reached".into(),
            since: Some(at(5)),
            hint: None,
        };
        let problems = [
            problem("r.io/a:1"),
            problem("r.io/b:2"),
            problem("https://git.example/x.git"),
        ];
        let outages = outages([(key(), problems.as_slice())].into_iter());
        let names: Vec<&String> = outages.keys().collect();
        assert_eq!(names, ["https://git.example/x.git", "r.io"]);
        assert_eq!(outages["r.io"].tasks, [key()]);
    }

    #[test]
    fn missing_images_and_broken_files_are_no_registry_outage() {
        let problem = |kind, subject: &str| Problem {
            kind,
            subject: subject.into(),
            why: "gone".into(),
            since: None,
            hint: None,
        };
        let problems = [
            problem(ProblemKind::Gone, "r.io/a:1"),
            problem(ProblemKind::Gone, "r.io/b:1"),
            problem(ProblemKind::Files, "r.io/web"),
        ];
        let outages = outages([(key(), problems.as_slice())].into_iter());
        let subjects: Vec<&String> = outages.keys().collect();
        assert_eq!(subjects, ["r.io/a:1", "r.io/b:1", "task r.io/web"]);
    }

    #[test]
    fn many_missing_images_of_a_registry_are_one_outage() {
        let problems: Vec<Problem> = (0..=FEW)
            .map(|n| Problem {
                kind: ProblemKind::Gone,
                subject: format!("r.io/a:{n}"),
                why: "gone".into(),
                since: Some(at(10 - i64::try_from(n).unwrap())),
                hint: None,
            })
            .collect();
        let few = outages([(key(), &problems[1..])].into_iter());
        assert_eq!(few.len(), FEW);
        let many = outages([(key(), problems.as_slice())].into_iter());
        let subjects: Vec<&String> = many.keys().collect();
        assert_eq!(subjects, ["images of r.io"]);
        let silence = &many["images of r.io"];
        assert_eq!((silence.subjects, silence.since), (FEW + 1, Some(at(0))));
        assert_eq!(silence.tasks, [key()]);
    }

    #[test]
    fn outage_of_a_version_0_1_state_file_is_read() {
        let trouble: KnownProblem = serde_json::from_str(r#""2026-01-01T00:00:00Z""#).unwrap();
        assert_eq!(trouble.kind, ProblemKind::Silent);
        let gone = KnownProblem {
            kind: ProblemKind::Gone,
            ..trouble
        };
        let text = serde_json::to_string(&gone).unwrap();
        assert_eq!(serde_json::from_str::<KnownProblem>(&text).unwrap(), gone);
    }
}
