//! The order of steps, by their `when`. A graph cannot be made of anything but steps that wait for earlier ones.

use std::collections::BTreeSet;

use super::{
    resources::{Network, Volume},
    step::{Step, StepId},
};

/// What a step says about its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Nothing: after the step before it in the file.
    Previous,
    /// `-`: at once.
    AtOnce,
    /// After these.
    After(Vec<StepId>),
}

/// The steps of a task file, in an order in which they can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The version that the file names, as it is written.
    pub version: String,
    pub(super) steps: Vec<Step>,
    /// The networks that the run makes or uses.
    pub networks: Vec<Network>,
    /// The volumes that the run makes.
    pub volumes: Vec<Volume>,
}

impl Graph {
    /// Returns the steps in the order of the file; each stands after those that it waits for.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns a step.
    #[must_use]
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// Returns which step waits for which; `None` is the beginning.
    #[must_use]
    pub fn edges(&self) -> Vec<(Option<&StepId>, &StepId)> {
        let mut edges = Vec::new();
        for step in &self.steps {
            if step.after.is_empty() {
                edges.push((None, &step.id));
            }
            edges.extend(step.after.iter().map(|before| (Some(before), &step.id)));
        }
        edges
    }

    /// Returns the steps that have ended when `step` starts.
    #[must_use]
    pub fn ancestors(&self, step: &Step) -> BTreeSet<&StepId> {
        let mut found = BTreeSet::new();
        let mut wanted: BTreeSet<&StepId> = BTreeSet::new();
        wanted.extend(self.step(&step.id).into_iter().flat_map(|step| &step.after));
        // Each step stands after those that it waits for, so that one look from the end finds them all.
        for other in self.steps.iter().rev() {
            if wanted.remove(&other.id) {
                found.insert(&other.id);
                wanted.extend(&other.after);
            }
        }
        found
    }

    /// Tells whether every step waits for the one before it in the file.
    #[must_use]
    pub fn is_chain(&self) -> bool {
        let follows =
            |pair: &[Step]| matches!(pair, [first, second] if second.after == [first.id.clone()]);
        self.steps.windows(2).all(follows)
    }
}

/// What is wrong with the order of a file: the number of the step, counted from 0, the key that is to blame, and why.
pub(super) type Disorder = (usize, &'static str, String);

/// Puts steps into order: each with what it waits for.
///
/// # Errors
///
/// [`Disorder`] where two steps have one name, or `when` names a step that is not there, stands further down, or is the step itself.
pub(super) fn ordered(drafts: Vec<(Step, When)>) -> Result<Vec<Step>, Disorder> {
    let ids: Vec<StepId> = drafts.iter().map(|(step, _)| step.id.clone()).collect();
    let mut steps: Vec<Step> = Vec::new();
    for (n, (mut step, when)) in drafts.into_iter().enumerate() {
        if ids[..n].contains(&step.id) {
            return Err((n, "id", format!("there are two steps `{}`", step.id)));
        }
        step.after = match when {
            When::AtOnce => Vec::new(),
            When::Previous => ids[..n].last().cloned().into_iter().collect(),
            When::After(names) => {
                check(&step.id, &names, &ids, n).map_err(|text| (n, "when", text))?;
                names
            }
        };
        steps.push(step);
    }
    Ok(steps)
}

fn check(step: &StepId, names: &[StepId], ids: &[StepId], n: usize) -> Result<(), String> {
    for (at, name) in names.iter().enumerate() {
        if name == step {
            return Err(format!("step `{step}` waits for itself"));
        }
        if names[..at].contains(name) {
            return Err(format!("step `{step}` names `{name}` twice in its `when`"));
        }
        if ids[..n].contains(name) {
            continue;
        }
        return Err(match ids.contains(name) {
            true => format!(
                "step `{step}` waits for `{name}`, which stands further down: a step can only wait for steps before it"
            ),
            false => format!("step `{step}` waits for `{name}`, and there is no such step"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::steps::{Graph, Variables, read};

    fn graph(text: &str) -> Graph {
        read(text, &Variables::default(), &mut |_| Err(String::new()))
            .unwrap()
            .0
    }

    #[test]
    fn a_step_follows_all_that_its_predecessors_follow() {
        let graph = graph(
            "steps:\n- {id: a, cmd: x}\n- {id: b, cmd: x, when: ['-']}\n- {id: c, cmd: x, when: [a]}\n- {id: d, cmd: x}\n",
        );
        let names = |n: usize| -> Vec<String> {
            let found = graph.ancestors(&graph.steps()[n]);
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(3), ["a", "c"]);
        assert_eq!(names(1), Vec::<String>::new());
        assert!(!graph.is_chain());
    }

    #[test]
    fn without_when_a_file_is_a_chain() {
        assert!(graph("steps:\n- {cmd: x}\n- {cmd: x}\n- {cmd: x}\n").is_chain());
        assert!(graph("steps:\n- {id: a, cmd: x}\n- {cmd: x, when: [a]}\n").is_chain());
    }
}
