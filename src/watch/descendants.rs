//! The tasks that are built on the images of a task, directly or not: that task must never depend on them.

use serde::{Deserialize, Serialize};

use crate::{image::Reference, task::TaskName};

/// All tasks that are built on the images of one task, nearest first, with images under the names by which references are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descendants {
    /// The images that the task itself pushes.
    pub of: Vec<Reference>,
    pub tasks: Vec<Descendant>,
}

/// A task that is built on an image of the task or of another descendant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descendant {
    pub name: TaskName,
    pub pushes: Vec<Reference>,
    /// The index of the descendant that it is built on; `None` where it is built on the task itself.
    pub built_on: Option<usize>,
}

impl Descendants {
    /// Tells whether these are the descendants of the task that pushes `pushes`.
    pub fn are_of(&self, pushes: &[Reference]) -> bool {
        pushes.iter().all(|image| self.of.contains(image))
    }

    /// Returns the tasks on the path from one of `bases` up to the task itself, nearest first; `None` where there is no path.
    pub fn way_from(&self, bases: &[Reference]) -> Option<Vec<&TaskName>> {
        let makes_one = |one: &&Descendant| one.pushes.iter().any(|image| bases.contains(image));
        let mut next = self.tasks.iter().find(makes_one);
        next?;
        let mut way = Vec::new();
        while let Some(one) = next
            && way.len() < self.tasks.len()
        {
            way.push(&one.name);
            next = one.built_on.and_then(|n| self.tasks.get(n));
        }
        Some(way)
    }
}
