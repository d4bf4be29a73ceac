//! Decides which events of a round under cron are reported: those that are new since earlier rounds.

use std::{cell::RefCell, collections::BTreeSet};

use crate::{
    error::Result,
    ops::{App, Event, EventSink, notify, recall},
    sys::{clock::Clock, signal::Stop},
    task::RunStatus,
    watch::reported_problems::{ReportedProblems, gist, gist_of_run, without_variable_parts},
};

/// The prefix of a registry or repository that does not answer, which tells it from a task.
const SILENT: &str = "silent: ";

fn silent(place: &str) -> String {
    format!("{SILENT}{place}")
}

/// What earlier rounds have reported, and what this round has found.
pub struct ReportFilter {
    clock: Clock,
    before: ReportedProblems,
    reported: RefCell<ReportedProblems>,
    /// The subjects of this round's problems.
    open: RefCell<BTreeSet<String>>,
}

impl ReportFilter {
    /// Reads what earlier rounds have reported.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state cannot be read or written: if this round could not store that a problem is over, it
    /// must not suppress any report.
    pub fn recall(app: &App, events: &EventSink<'_>) -> Result<Self> {
        // If another process holds the lock, it is writing the file, so that the file can be written.
        let lock = app.store.try_lock(&app.store.layout().notified_lock())?;
        let file = recall::notified(app, events)?;
        if lock.is_some() && !file.said.is_empty() {
            app.store.save_notified(&file)?;
        }
        Ok(Self {
            clock: app.clock.clone(),
            before: file.said.clone(),
            reported: RefCell::new(file.said),
            open: RefCell::default(),
        })
    }

    /// Returns whether an event is to be reported, and counts it as reported.
    pub fn report_once(&self, event: &Event<'_>) -> bool {
        match event {
            Event::Decided { task, verdict } => self.say(task.full(), &gist(verdict)),
            Event::Silent { place, outage } => self.say(silent(place), &[outage.gist()]),
            Event::Ended {
                id, task, status, ..
            } => {
                // The cause of the failure is a problem of its own; that the task waits for the next try was reported already.
                if *status != RunStatus::Succeeded {
                    self.say(task.full(), &[gist_of_run(*id)]);
                }
                true
            }
            Event::Warning(text) | Event::Note(text) => {
                let what = without_variable_parts(text);
                self.say(what.clone(), &[what])
            }
            Event::Problem(error) => self.say(error.to_string(), &[error.one_line()]),
            _ => true,
        }
    }

    /// Returns the registries and repositories that did not answer in an earlier round, and delay nothing in this one.
    pub fn recovered_places(&self) -> Vec<String> {
        let open = self.open.borrow();
        let before = self.before.subjects();
        let places = before.filter(|subject| !open.contains(*subject));
        let places = places.filter_map(|subject| subject.strip_prefix(SILENT));
        places.map(str::to_owned).collect()
    }

    fn say(&self, subject: String, what: &[String]) -> bool {
        let now = self.clock.now();
        let is_news = self.reported.borrow_mut().say(&subject, what, now);
        self.open.borrow_mut().insert(subject);
        is_news
    }

    /// Stores what has been reported for the next round; if acrt is to stop, the next round reports it again.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be written.
    pub async fn keep(&self, app: &App, stop: &Stop, events: &EventSink<'_>) -> Result<()> {
        let (mut said, open) = (self.reported.borrow().clone(), self.open.borrow().clone());
        said.keep_only(|subject| open.contains(subject), self.clock.now());
        if said == self.before {
            return Ok(());
        }
        let Some(_lock) = notify::hold(app, stop).await? else {
            return Ok(());
        };
        let mut file = recall::notified(app, events)?;
        file.said = said;
        app.store.save_notified(&file)
    }
}
