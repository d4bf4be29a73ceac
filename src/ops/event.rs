//! The events of a long operation, and the sink that receives them.

pub use crate::registry::copy::CopyProgress;

use crate::{
    task::{RunId, RunStatus, TaskKey},
    watch::{Verdict, notified::Outage},
};

/// Something that happened, to be reported to the user.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run has its id and waits for its start.
    Queued {
        id: RunId,
        task: &'a TaskKey,
        /// Whether it is a quick run, without a stored task.
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
    /// What is being done until the next such event, such as `building web`.
    Doing(String),
    /// What one of several runs is doing until the next such event.
    RunDoing {
        id: RunId,
        /// As in [`Self::Doing`].
        what: String,
    },
    Copying(CopyProgress<'a>),
    /// Whole lines of a run's log.
    Log(&'a [u8]),
    Ended {
        id: RunId,
        task: &'a TaskKey,
        status: RunStatus,
        reason: Option<&'a str>,
    },
    /// `watch` has rebuilt a task, on one line.
    Rebuilt(String),
    /// `watch` has decided something about a task that the user should know.
    Decided {
        task: &'a TaskKey,
        verdict: &'a Verdict,
    },
    /// A registry or git repository that tasks depend on does not answer.
    Silent {
        /// The registry, or the URL of the repository.
        place: &'a str,
        /// Why, and which tasks wait.
        outage: &'a Outage,
    },
    /// A registry or git repository that did not answer does so again, or no task waits for it any more.
    AnswersAgain(&'a str),
    /// A detail, for `--verbose`.
    Detail(String),
    /// Something that the user should know and that does not affect the result.
    Note(String),
    /// Something is wrong that did not stop the rest.
    Warning(String),
    /// Something failed, and the rest continued.
    Problem(crate::Error),
}

/// Receives events. It is shared by concurrent operations.
pub struct EventSink<'a>(Box<dyn Fn(Event<'_>) + 'a>);

impl<'a> EventSink<'a> {
    /// Passes each event to `receive`.
    pub fn new(receive: impl Fn(Event<'_>) + 'a) -> Self {
        Self(Box::new(receive))
    }

    /// Returns a sink that drops all events.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub fn send(&self, event: Event<'_>) {
        (self.0)(event);
    }

    /// Returns the value of a result. An error is sent as a problem, and the caller goes on without it.
    pub fn report<T>(&self, result: crate::error::Result<T>) -> Option<T> {
        let send = |error| self.send(Event::Problem(error));
        result.map_err(send).ok()
    }
}
