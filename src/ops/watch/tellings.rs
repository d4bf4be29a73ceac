//! What people are still to be told: one thing after the other, beside the rounds, which wait for none of it.

use std::{collections::VecDeque, convert::Infallible, rc::Rc};

use futures_util::{FutureExt as _, future::LocalBoxFuture};

use crate::{
    ops::{
        App,
        event::{Event, EventSink},
        notify,
    },
    sys::signal::Stop,
    task::TaskKey,
    watch::Problem,
};

/// What people are still to be told.
pub struct Tellings<'a> {
    stop: &'a Stop,
    events: &'a EventSink<'a>,
    current: Option<LocalBoxFuture<'a, ()>>,
    /// The runs that come after that.
    runs: VecDeque<(Rc<App>, TaskKey)>,
    /// What the last round has found out; what one before it has, and was not told of, is the same or no longer true.
    round: Option<(Rc<App>, Problems)>,
}

/// What keeps tasks from what they should do.
pub type Problems = Vec<(TaskKey, Vec<Problem>)>;

impl<'a> Tellings<'a> {
    /// Returns that there is nothing to be told.
    pub fn none(stop: &'a Stop, events: &'a EventSink<'a>) -> Self {
        Self {
            stop,
            events,
            current: None,
            runs: VecDeque::new(),
            round: None,
        }
    }

    /// Lets people be told of a run.
    pub fn run(&mut self, app: &Rc<App>, task: &TaskKey) {
        self.runs.push_back((Rc::clone(app), task.clone()));
    }

    /// Lets people be told of what a round has found out.
    pub fn round(&mut self, app: &Rc<App>, problems: Problems) {
        self.round = Some((Rc::clone(app), problems));
    }

    /// Goes on with telling, for as long as it is polled: what is half told goes on at the next call.
    pub async fn go_on(&mut self) -> Infallible {
        self.all().await;
        std::future::pending().await
    }

    /// Tells everything.
    pub async fn all(&mut self) {
        loop {
            if self.current.is_none() {
                self.current = self.next();
            }
            let Some(current) = &mut self.current else {
                return;
            };
            current.await;
            self.current = None;
        }
    }

    fn next(&mut self) -> Option<LocalBoxFuture<'a, ()>> {
        let (stop, events) = (self.stop, self.events);
        if let Some((app, key)) = self.runs.pop_front() {
            let telling = async move {
                match app.store.task(&key) {
                    Ok(Some(task)) => notify::after_run_of_round(&app, &task, stop, events).await,
                    // It was deleted meanwhile, with all who were to be told of it.
                    Ok(None) => {}
                    Err(error) => events.send(Event::Problem(error)),
                }
            };
            return Some(telling.boxed_local());
        }
        let (app, problems) = self.round.take()?;
        let telling = async move { notify::after_round(&app, &problems, stop, events).await };
        Some(telling.boxed_local())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::GlobalOptions;

    #[test]
    fn rounds_that_were_not_told_of_are_told_of_once_and_after_the_runs_before() {
        let folder = tempfile::tempdir().unwrap();
        let app = Rc::new(
            App::new(GlobalOptions {
                state_dir: Some(folder.path().to_owned()),
                ..GlobalOptions::default()
            })
            .unwrap(),
        );
        let (stop, events) = (Stop::never(), EventSink::none());
        let mut tellings = Tellings::none(&stop, &events);
        tellings.round(&app, Vec::new());
        tellings.run(
            &app,
            &TaskKey {
                registry: "r.io".into(),
                name: "web".parse().unwrap(),
            },
        );
        tellings.round(&app, Vec::new());
        assert!(tellings.next().is_some() && tellings.round.is_some());
        assert!(tellings.next().is_some() && tellings.next().is_none());
    }
}
