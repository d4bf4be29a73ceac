//! Decides which steps may start, given how others ended. Owns no process and no clock.

use std::collections::HashMap;

use super::{
    graph::Graph,
    step::{Step, StepId},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It waits for other steps, or will never start.
    Skipped,
    Running,
    /// It succeeded, or its failure is ignored.
    Succeeded,
    Failed,
}

/// The states of a graph's steps during a run.
#[derive(Debug)]
pub struct StepProgress<'g> {
    graph: &'g Graph,
    states: HashMap<&'g StepId, StepState>,
}

impl<'g> StepProgress<'g> {
    /// Returns the state of a run in which no step has started.
    pub fn new(graph: &'g Graph) -> Self {
        let states = graph
            .steps()
            .iter()
            .map(|step| (&step.id, StepState::Skipped));
        Self {
            graph,
            states: states.collect(),
        }
    }

    /// Marks up to `room` steps that may start now as running, and returns them in the order of the file. After a failed step,
    /// no further step may start.
    pub fn start_ready(&mut self, room: usize) -> Vec<&'g Step> {
        if self.has_failed() {
            return Vec::new();
        }
        let ready: Vec<&'g Step> = self
            .graph
            .steps()
            .iter()
            .filter(|step| self.state(&step.id) == StepState::Skipped)
            .filter(|step| {
                let mut before = step.after.iter();
                before.all(|id| self.state(id) == StepState::Succeeded)
            })
            .take(room)
            .collect();
        for step in &ready {
            self.states.insert(&step.id, StepState::Running);
        }
        ready
    }

    /// Records how a step ended.
    pub fn finish(&mut self, step: &'g Step, ok: bool) {
        let state = if ok || step.ignores_errors {
            StepState::Succeeded
        } else {
            StepState::Failed
        };
        self.states.insert(&step.id, state);
    }

    pub fn state(&self, id: &StepId) -> StepState {
        self.states.get(id).copied().unwrap_or(StepState::Skipped)
    }

    pub fn has_failed(&self) -> bool {
        self.states
            .values()
            .any(|state| *state == StepState::Failed)
    }

    /// Returns how many steps are running.
    pub fn running(&self) -> usize {
        self.states
            .values()
            .filter(|state| **state == StepState::Running)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{Variables, read};

    fn graph(text: &str) -> Graph {
        read(text, &Variables::default(), &mut |_| Err(String::new()))
            .unwrap()
            .graph
    }

    fn names(steps: &[&Step]) -> Vec<String> {
        steps.iter().map(|step| step.id.to_string()).collect()
    }

    #[test]
    fn steps_without_when_run_one_after_the_other() {
        let graph = graph("steps:\n- {id: a, cmd: x}\n- {id: b, cmd: x}\n");
        let mut progress = StepProgress::new(&graph);
        let first = progress.start_ready(9);
        assert_eq!(names(&first), ["a"]);
        assert!(progress.start_ready(9).is_empty());
        progress.finish(first[0], true);
        assert_eq!(names(&progress.start_ready(9)), ["b"]);
    }

    #[test]
    fn push_step_waits_for_both_builds() {
        let graph = graph(
            "steps:\n- {id: a, build: ., when: ['-']}\n- {id: b, build: ., when: ['-']}\n- {id: p, push: [x], when: [a, b]}\n",
        );
        let mut progress = StepProgress::new(&graph);
        let builds = progress.start_ready(9);
        assert_eq!(names(&builds), ["a", "b"]);
        progress.finish(builds[1], true);
        assert!(progress.start_ready(9).is_empty());
        progress.finish(builds[0], true);
        assert_eq!(names(&progress.start_ready(9)), ["p"]);
    }

    #[test]
    fn steps_start_only_up_to_the_free_job_slots() {
        let graph =
            graph("steps:\n- {id: a, cmd: x, when: ['-']}\n- {id: b, cmd: x, when: ['-']}\n");
        let mut progress = StepProgress::new(&graph);
        assert_eq!(names(&progress.start_ready(1)), ["a"]);
        assert_eq!(progress.running(), 1);
        assert_eq!(names(&progress.start_ready(1)), ["b"]);
    }

    #[test]
    fn failed_step_stops_further_steps_unless_errors_are_ignored() {
        let graph = graph(
            "steps:\n- {id: a, cmd: x, ignoreErrors: true}\n- {id: b, cmd: x}\n- {id: c, cmd: x}\n- {id: d, cmd: x, when: ['-']}\n",
        );
        let mut progress = StepProgress::new(&graph);
        let (a, d) = match progress.start_ready(9)[..] {
            [a, d] => (a, d),
            ref other => panic!("{other:?}"),
        };
        progress.finish(a, false);
        assert_eq!(progress.state(&a.id), StepState::Succeeded);
        let b = progress.start_ready(9)[0];
        progress.finish(b, false);
        progress.finish(d, true);
        assert!(progress.has_failed());
        assert!(progress.start_ready(9).is_empty());
        let c = &graph.steps()[2].id;
        assert_eq!(progress.state(c), StepState::Skipped);
    }
}
