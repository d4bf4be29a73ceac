//! The events of a long operation, and the sink that they are sent to.

use std::fmt;

pub use crate::registry::copy::Progress;

use crate::{
    task::{RunId, RunStatus, TaskKey},
    watch::{Verdict, notified::Outage},
};

/// Something that happened, for those who watch.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run has its id and will start.
    Queued {
        id: RunId,
        task: &'a TaskKey,
        /// Whether it is a build without a task.
        is_build: bool,
    },
    /// `watch` begins a run.
    Begun {
        id: RunId,
        task: &'a TaskKey,
        why: &'a str,
    },
    /// A run waits for another run of its task.
    WaitingForTask(&'a TaskKey),
    /// What is being done from now on, until something else is: as `building web`.
    Doing(String),
    /// What one run of several does from now on, until something else.
    RunDoing {
        id: RunId,
        /// The same as of [`Self::Doing`].
        what: String,
    },
    Copying(Progress<'a>),
    /// Whole lines of a run's log.
    Log(&'a [u8]),
    Ended {
        id: RunId,
        task: &'a TaskKey,
        status: RunStatus,
        reason: Option<&'a str>,
    },
    /// `watch` has rebuilt a task: the one line about it.
    Rebuilt(String),
    /// `watch` has decided something about a task that people should know.
    Decided {
        task: &'a TaskKey,
        verdict: &'a Verdict,
    },
    /// A registry or git repository does not say what tasks need to know.
    Silent {
        /// The registry, or the URL of the repository.
        place: &'a str,
        /// Why, and which tasks wait.
        outage: &'a Outage,
    },
    /// A registry or git repository that did not do so says it again.
    AnswersAgain(&'a str),
    /// A detail, for `--verbose`.
    Detail(String),
    /// Something that people should know and that changes no result.
    Note(String),
    /// Something that is not as it should be and that did not stop the rest.
    Warning(String),
    /// Something failed, and the rest went on.
    Problem(crate::Error),
}

/// Where events go. Shared by all that goes on side by side.
pub struct EventSink<'a>(Box<dyn Fn(Event<'_>) + 'a>);

impl<'a> EventSink<'a> {
    /// Gives each event to `receive`.
    pub fn new(receive: impl Fn(Event<'_>) + 'a) -> Self {
        Self(Box::new(receive))
    }

    /// Drops all events.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub fn send(&self, event: Event<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for EventSink<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EventSink")
    }
}
