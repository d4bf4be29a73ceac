//! The order of steps, by their `when`. A graph cannot be made of anything but steps that wait for earlier ones.

use super::{
    file::{Network, Volume},
    problem::InvalidTaskFile,
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

    /// Tells whether `step` can only start when `before` has ended.
    #[must_use]
    pub fn follows(&self, step: &Step, before: &StepId) -> bool {
        step.after.iter().any(|id| {
            id == before
                || self
                    .step(id)
                    .is_some_and(|above| self.follows(above, before))
        })
    }
}

/// Puts steps into order: each with what it waits for.
///
/// # Errors
///
/// [`InvalidTaskFile`] with the line, where `when` names a step that is not there, stands further down, or is the step itself.
pub(super) fn ordered(
    drafts: Vec<(Step, When, Option<usize>)>,
) -> Result<Vec<Step>, InvalidTaskFile> {
    let ids: Vec<StepId> = drafts.iter().map(|(step, _, _)| step.id.clone()).collect();
    let mut steps: Vec<Step> = Vec::new();
    for (n, (mut step, when, line)) in drafts.into_iter().enumerate() {
        if ids[..n].contains(&step.id) {
            return Err(InvalidTaskFile::at(
                step.line,
                format!("there are two steps `{}`", step.id),
            ));
        }
        step.after = match when {
            When::AtOnce => Vec::new(),
            When::Previous => ids[..n].last().cloned().into_iter().collect(),
            When::After(names) => {
                check(&step.id, &names, &ids, n).map_err(|text| InvalidTaskFile::at(line, text))?;
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
