//! A builder whose disk is full: it is pruned once for a run, and left alone for a while where that has not helped.

use std::cell::RefCell;

use crate::{
    builder::Keep,
    error::{Error, Kind, Result},
};

use super::{
    builders,
    execute::{Execution, Failure, MOST_LOST},
    run_log::RunLog,
};

impl Execution<'_> {
    /// Lets a builder free what nothing uses, once in a run. Tells whether it is worth another try.
    pub(super) async fn free_disk(
        &self,
        name: &str,
        log: &RefCell<&mut RunLog<'_>>,
        prefix: &str,
    ) -> bool {
        if !self.pruned.borrow_mut().insert(name.to_owned()) {
            return false;
        }
        let say = |text: &str| log.borrow_mut().line(&format!("{prefix}acrt: {text}"));
        say(&format!(
            "builder {name} is out of disk; it is pruned, and tried once more"
        ));
        let events = log.borrow().events;
        let pruned = builders::prune_one(self.app, name, &Keep::default(), self.stop, events).await;
        if let Err(error) = pruned {
            say(&error.one_line());
            return false;
        }
        true
    }

    /// Turns a failure of a build that found no room on the disk of its builder into what becomes of the run.
    pub(super) fn full(&self, failure: Failure, name: &str) -> Failure {
        let store = &self.app.store;
        let was_full = store.builders().is_full(name);
        // While it is full for everybody, no task is to blame. One that only the machine has chosen is given runs all the same.
        let counts = self.recorded && (!was_full || self.placed.is_empty());
        let noted = store.note_full_builder(name, self.app.clock.now());
        let lost = if counts {
            noted.and_then(|()| store.note_lost_run(&self.task.key(), true))
        } else {
            noted.map(|()| 0)
        };
        let why = anyhow::Error::from(failure.error);
        match lost {
            Ok(lost) if lost >= MOST_LOST => {
                let text =
                    format!("builder {name} was out of disk in {lost} runs of this task in a row");
                Error::new(Kind::Failed, text).because(why).into()
            }
            _ => Error::new(Kind::BuilderAway, format!("builder {name} is out of disk"))
                .because(why)
                .hint("it is tried again in five minutes; look what fills it: acrt builder list -o table")
                .into(),
        }
    }

    /// Takes in that a builder has had room for a build.
    pub(super) fn has_room(&self, name: &str) -> Result<()> {
        if self.app.store.builders().is_full(name) {
            self.app
                .store
                .note_builder(name, None, self.app.clock.now())
        } else {
            Ok(())
        }
    }
}
