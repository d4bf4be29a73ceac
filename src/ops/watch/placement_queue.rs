//! The queue of runs that wait for a place on a builder.

use std::collections::VecDeque;

use crate::{
    builder::placement::{self, Placement, PlacementRequest},
    error::Result,
    ops::{
        App,
        placing::{Fleet, Place},
    },
    watch::{AwayBuilder, Snapshot, round::Job},
};

#[derive(Debug, Default)]
pub struct PlacementQueue {
    jobs: VecDeque<(Job, PlacementRequest)>,
    /// Whether all suitable places are taken, so that the queue has to be checked again.
    is_held_up: bool,
}

#[derive(Debug)]
pub enum NextJob {
    /// It can be run in this place.
    Run(Job, Place),
    /// It cannot be run: none of these builders answers.
    Away(Job, Vec<AwayBuilder>),
}

impl PlacementQueue {
    pub fn push(&mut self, app: &App, job: Job, node: Option<&Snapshot>) {
        // Which builders fit does not depend on their present state.
        let fleet = Fleet::idle(app);
        let placement_request = match node {
            Some(node) => fleet.placement_request(app, &node.task, &node.baseline),
            None => fleet.any(),
        };
        // If no builder fits, any place will do: the run fails and says why.
        let mut placement_request = match fleet.placement(&placement_request) {
            Placement::Unfit => fleet.any(),
            _ => placement_request,
        };
        placement_request.remaining = job.remaining;
        placement_request.has_lost = app.store.builders().lost.contains_key(&job.task.full());
        self.jobs.push_back((job, placement_request));
    }

    /// Returns whether the queue has to be checked again, because another process may free a place.
    pub fn is_held_up(&self) -> bool {
        self.is_held_up && !self.jobs.is_empty()
    }

    /// Takes out the job that starts next; `None` where all have to wait.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be used.
    pub fn next(&mut self, app: &App) -> Result<Option<NextJob>> {
        self.is_held_up = false;
        if self.jobs.is_empty() {
            return Ok(None);
        }
        let mut fleet = Fleet::read(app);
        let is_away = |(_, placement_request): &(Job, PlacementRequest)| {
            fleet.placement(placement_request) == Placement::Away
        };
        if let Some(n) = self.jobs.iter().position(is_away) {
            let next = self.jobs.remove(n);
            return Ok(next.map(|(job, placement_request)| {
                NextJob::Away(job, fleet.away(&placement_request))
            }));
        }
        loop {
            let requests = self
                .jobs
                .iter()
                .map(|(_, placement_request)| placement_request);
            let Some((n, parts)) = placement::next(&fleet.members, requests) else {
                self.is_held_up = true;
                return Ok(None);
            };
            if let Some(place) = fleet.take_on(app, &parts)? {
                let next = self.jobs.remove(n);
                return Ok(next.map(|(job, _)| NextJob::Run(job, place)));
            }
        }
    }
}
