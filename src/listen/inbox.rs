//! The inbox of hints that wait for the watch loop: each once, however often it was sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::image::Reference;

use super::hint::{Hint, SourceHint};

/// How many different images and how many different repositories may wait. With more, everything is looked at.
const ROOM: usize = 1000;

/// The inbox between the server, which adds hints, and the watch loop, which takes them.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<SharedInbox>);

#[derive(Debug, Default)]
struct SharedInbox {
    arrived: Notify,
    state: Mutex<InboxState>,
}

#[derive(Debug, Default)]
struct InboxState {
    waiting: InboxContents,
    counts: Counts,
    noticed: BTreeSet<UselessRequest>,
    /// The repositories and tags that tasks depend on, once they are known.
    followed: Option<BTreeSet<(String, String)>>,
}

/// What has come in since the last call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxContents {
    /// The pushed images, each once.
    pub images: BTreeSet<Reference>,
    /// The changes of git repositories, each once.
    pub sources: BTreeSet<SourceHint>,
    /// Whether more hints came than fit, so that everything must be looked at.
    pub everything: bool,
    /// Messages for people.
    pub notices: Vec<UselessRequest>,
}

/// A request that was of no use. Each is reported once in the life of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UselessRequest {
    /// The source that it was sent to.
    pub source: String,
    /// The outcome.
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It announced a push.
    Hinted,
    /// It announced something else, such as a pull or a test of the connection.
    Ignored,
    /// Its format is unknown.
    NotUnderstood,
    /// It did not have the secret.
    Refused,
    /// Its body was too large, or took too long.
    CutShort,
}

impl Outcome {
    /// Returns its name in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hinted => "hinted",
            Self::Ignored => "ignored",
            Self::NotUnderstood => "not_understood",
            Self::Refused => "refused",
            Self::CutShort => "cut_short",
        }
    }
}

/// The number of requests since the server was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By source and outcome.
    pub requests: BTreeMap<(String, Outcome), u64>,
    /// When the last authentic request of each source came.
    pub last: BTreeMap<String, Timestamp>,
}

impl Counts {
    /// Returns the counts of only those sources that may be seen.
    #[must_use]
    pub fn only(mut self, may_see: impl Fn(&str) -> bool) -> Self {
        self.requests.retain(|(source, _), _| may_see(source));
        self.last.retain(|source, _| may_see(source));
        self
    }
}

impl Inbox {
    /// Records a request, with its hints.
    pub fn put(&self, source: &str, outcome: Outcome, hints: Vec<Hint>, now: Timestamp) {
        let mut state = self.state();
        let count = state.counts.requests.entry((source.to_owned(), outcome));
        *count.or_default() += 1;
        let (is_read, is_noticed) = match outcome {
            Outcome::Hinted | Outcome::Ignored => (true, false),
            Outcome::NotUnderstood => (true, true),
            Outcome::Refused | Outcome::CutShort => (false, true),
        };
        if is_read {
            state.counts.last.insert(source.to_owned(), now);
        }
        if is_noticed {
            let notice = UselessRequest {
                source: source.to_owned(),
                outcome,
            };
            if state.noticed.insert(notice.clone()) {
                state.waiting.notices.push(notice);
            }
        }
        for hint in hints {
            state.add(hint);
        }
        if !state.waiting.is_empty() {
            self.0.arrived.notify_one();
        }
    }

    /// Sets the repositories and tags that tasks depend on. Where more images are named than may wait, only these count: whoever invents names
    /// causes no looks.
    pub fn follow(&self, names: BTreeSet<(String, String)>) {
        self.state().followed = Some(names);
    }

    /// Waits until something has come in; returns at once if something is waiting.
    pub async fn arrived(&self) {
        while self.state().waiting.is_empty() {
            self.0.arrived.notified().await;
        }
    }

    /// Takes everything that has come in.
    pub fn take(&self) -> InboxContents {
        std::mem::take(&mut self.state().waiting)
    }

    /// Returns the counts of requests.
    pub fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, InboxState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InboxState {
    fn add(&mut self, hint: Hint) {
        let waiting = &mut self.waiting;
        match hint {
            Hint::Image(image) => {
                if waiting.images.len() < ROOM {
                    waiting.images.insert(image);
                } else if !waiting.images.contains(&image)
                    && self
                        .followed
                        .as_ref()
                        .is_none_or(|all| is_among(all, &image))
                {
                    waiting.everything = true;
                }
            }
            Hint::Source(source) => {
                if waiting.sources.len() < ROOM {
                    waiting.sources.insert(source);
                } else if !waiting.sources.contains(&source) {
                    waiting.everything = true;
                }
            }
        }
    }
}

/// Tells whether an image is among these, under any name of its registry.
fn is_among(followed: &BTreeSet<(String, String)>, image: &Reference) -> bool {
    let tag = image.tag().unwrap_or_default();
    followed.contains(&(image.repository().to_owned(), tag.to_owned()))
}

impl InboxContents {
    fn is_empty(&self) -> bool {
        self.images.is_empty()
            && self.sources.is_empty()
            && self.notices.is_empty()
            && !self.everything
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::listen::Change;

    fn image(tag: usize) -> Reference {
        format!("r.io/base:{tag}").parse().unwrap()
    }

    fn hint(tag: usize) -> Hint {
        Hint::Image(image(tag))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn repeated_webhook_hints_are_merged() {
        let inbox = Inbox::default();
        for second in 0..50 {
            inbox.put("lan", Outcome::Hinted, vec![hint(1)], at(second));
        }
        assert_eq!(inbox.take().images, BTreeSet::from([image(1)]));
        assert_eq!(inbox.take(), InboxContents::default());
        let counts = inbox.counts();
        assert_eq!(counts.requests[&("lan".to_owned(), Outcome::Hinted)], 50);
        assert_eq!(counts.last["lan"], at(49));
    }

    #[test]
    fn hints_over_the_limit_mark_all_tags_due() {
        let inbox = Inbox::default();
        inbox.put("lan", Outcome::Hinted, (0..ROOM).map(hint).collect(), at(0));
        inbox.put("lan", Outcome::Hinted, vec![hint(0)], at(0));
        assert!(!inbox.0.state.lock().unwrap().waiting.everything);
        inbox.put("lan", Outcome::Hinted, vec![hint(ROOM)], at(0));
        let arrivals = inbox.take();
        assert!(arrivals.everything);
        assert_eq!(arrivals.images.len(), ROOM);
    }

    #[test]
    fn hints_over_the_limit_for_images_that_no_task_follows_mark_nothing_due() {
        let inbox = Inbox::default();
        let followed = ("base".to_owned(), (ROOM + 1).to_string());
        inbox.follow([followed].into());
        inbox.put(
            "lan",
            Outcome::Hinted,
            (0..=ROOM).map(hint).collect(),
            at(0),
        );
        assert!(!inbox.0.state.lock().unwrap().waiting.everything);
        let alias = Hint::Image(format!("127.0.0.1:5000/base:{}", ROOM + 1).parse().unwrap());
        inbox.put("lan", Outcome::Hinted, vec![alias], at(0));
        assert!(inbox.take().everything);
    }

    #[test]
    fn git_webhook_after_a_burst_of_images_is_kept() {
        let inbox = Inbox::default();
        let source = |n: usize| {
            Hint::Source(SourceHint {
                repository: vec![format!("https://git.example/{n}.git")],
                change: Change::Push {
                    branch: "main".into(),
                    commit: "1".into(),
                },
            })
        };
        inbox.follow(BTreeSet::new());
        inbox.put(
            "lan",
            Outcome::Hinted,
            (0..=ROOM).map(hint).collect(),
            at(0),
        );
        inbox.put("lan", Outcome::Hinted, vec![source(0)], at(0));
        let arrivals = inbox.take();
        assert!(arrivals.sources.len() == 1 && !arrivals.everything);
        inbox.put(
            "lan",
            Outcome::Hinted,
            (0..=ROOM).map(source).collect(),
            at(0),
        );
        assert!(inbox.take().everything);
    }

    #[test]
    fn ignored_webhook_wakes_no_round() {
        let inbox = Inbox::default();
        assert_eq!(inbox.arrived().now_or_never(), None);
        inbox.put("lan", Outcome::Ignored, vec![], at(0));
        assert_eq!(inbox.arrived().now_or_never(), None);
        inbox.put("lan", Outcome::Hinted, vec![hint(1)], at(0));
        assert_eq!(inbox.arrived().now_or_never(), Some(()));
        drop(inbox.take());
        assert_eq!(inbox.arrived().now_or_never(), None);
    }

    #[test]
    fn wrong_secret_is_reported_once_for_each_source_and_is_no_last_webhook() {
        let inbox = Inbox::default();
        for source in ["lan", "lan", "hub", "lan"] {
            inbox.put(source, Outcome::Refused, vec![], at(0));
        }
        let told: Vec<_> = inbox.take().notices.into_iter().map(|n| n.source).collect();
        assert_eq!(told, ["lan", "hub"]);
        assert!(inbox.counts().last.is_empty());
    }
}
