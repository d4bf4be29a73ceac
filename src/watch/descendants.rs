//! What is built on the images of a task, directly or not: what that task must never depend on.

use serde::{Deserialize, Serialize};

use crate::{image::Reference, task::TaskName};

/// All tasks that are built on the images of one, nearest first. Names of images are those that references are compared by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descendants {
    /// The images that the one pushes.
    pub of: Vec<Reference>,
    pub tasks: Vec<Descendant>,
}

/// A task that is built on an image of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descendant {
    pub name: TaskName,
    pub pushes: Vec<Reference>,
    /// Which of the others it is built on; none for the one whose descendants these are.
    pub built_on: Option<usize>,
}

impl Descendants {
    /// Tells whether these are all that is built on `pushes`.
    pub fn are_of(&self, pushes: &[Reference]) -> bool {
        pushes.iter().all(|image| self.of.contains(image))
    }

    /// Returns the tasks on the way from one of `bases` up to the task itself, nearest first; none where no way leads there.
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
