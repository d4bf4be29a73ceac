//! Which tasks a tag concerns: those that follow or push it, with all that these are built on and all that is built on them.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher as _},
    rc::Rc,
};

use crate::{
    image::{Digest, Reference},
    task::TaskKey,
};

use super::{graph::Graph, snapshot::Node};

/// All tasks by family: of two tasks of which one depends on images of the other, both are in the same.
///
/// There may be ten thousand tags, so that no more than a number is kept of each. Where two have the same, a family too many is decided.
#[derive(Debug, Default)]
pub struct Families {
    /// The tasks, each with its family.
    tasks: Vec<(TaskKey, usize)>,
    /// The tags, each with a family that it concerns, in order.
    tags: Vec<(u64, usize)>,
    /// The digests that last runs have pushed, each with the family of the run, in order.
    pushed: Vec<(u64, usize)>,
    /// The families of which a task follows a git repository.
    with_source: BTreeSet<usize>,
}

/// Some of the families: what a round is over that decides no other task.
#[derive(Clone, Debug)]
pub struct Part {
    all: Rc<Families>,
    which: BTreeSet<usize>,
}

impl Families {
    /// Finds the families of tasks; `graph` is theirs.
    pub(super) fn new(nodes: &[Node<'_>], graph: &Graph, children: &[Vec<usize>]) -> Self {
        let mut families = Self::default();
        let mut of: Vec<Option<usize>> = vec![None; nodes.len()];
        let mut count = 0;
        for first in 0..nodes.len() {
            let mut open = vec![first];
            let is_new = of[first].is_none();
            while let Some(n) = open.pop() {
                if of[n].is_none() {
                    of[n] = Some(count);
                    families.add(&nodes[n], count);
                    open.extend(graph.parents[n].iter().chain(&children[n]));
                }
            }
            count += usize::from(is_new);
        }
        for marks in [&mut families.tags, &mut families.pushed] {
            marks.sort_unstable();
            marks.dedup();
            marks.shrink_to_fit();
        }
        families
    }

    fn add(&mut self, node: &Node<'_>, family: usize) {
        self.tasks.push((node.task.key(), family));
        let outputs = node.outputs.iter().flatten();
        let tags = node.followed().map(|(tag, _)| tag);
        let tags = tags.chain(node.pushes).chain(node.added).chain(outputs);
        self.tags.extend(tags.map(|tag| (mark(tag), family)));
        let pushed = node.pushed().map(|(_, _, digest)| (mark(digest), family));
        self.pushed.extend(pushed);
        if node.source().is_some() {
            self.with_source.insert(family);
        }
    }

    /// Returns how many tasks there are.
    pub fn count(&self) -> usize {
        self.tasks.len()
    }

    /// Returns those that some tags concern. None where they follow a git repository too: which of these are to be asked again only a round
    /// over all tasks knows.
    pub fn of(self: &Rc<Self>, tags: &[Reference]) -> Option<Part> {
        let which: BTreeSet<usize> = tags.iter().flat_map(|tag| found(&self.tags, tag)).collect();
        which.is_disjoint(&self.with_source).then(|| Part {
            all: Rc::clone(self),
            which,
        })
    }
}

impl Part {
    /// Returns their tasks, sorted.
    pub fn tasks(&self) -> Vec<TaskKey> {
        let own = self.all.tasks.iter();
        let own = own.filter(|(_, family)| self.which.contains(family));
        let mut tasks: Vec<TaskKey> = own.map(|(task, _)| task.clone()).collect();
        tasks.sort_unstable();
        tasks
    }

    /// Tells whether another family has pushed this digest. Whether building on it leads round in a circle only a round over all tasks knows.
    pub fn is_of_others(&self, digest: &Digest) -> bool {
        found(&self.all.pushed, digest).any(|family| !self.which.contains(&family))
    }
}

fn mark(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Returns the families of something that is marked.
fn found(marks: &[(u64, usize)], of: &impl Hash) -> impl Iterator<Item = usize> {
    let mark = mark(of);
    let first = marks.partition_point(|(other, _)| *other < mark);
    let found = marks[first..].iter().take_while(move |(it, _)| *it == mark);
    found.map(|(_, family)| *family)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        task::{Dependency, DependencyKind, ImageDescriptor, Manifests, RunId},
        watch::{Baseline, Built, Round, Snapshot},
    };

    fn image(name: &str) -> Reference {
        format!("r.io/{name}:1").parse().unwrap()
    }

    /// A task that was built on some images, and has pushed the digest of its name under that.
    fn task(name: &str, bases: &[&str], more: &str) -> Snapshot {
        let task = format!(
            "{{schema: 1, name: {name}, registry: r.io, step: {{type: Docker, contextPath: 'https://example.com/a.git#main', dockerFilePath: D, imageNames: ['{name}:1']}}, trigger: {{baseImageTrigger: {{}}{more}}}}}"
        );
        let dependencies = bases.iter().map(|base| Dependency {
            image: ImageDescriptor::new(&image(base), Some(Digest::of(base.as_bytes()))),
            kind: DependencyKind::Runtime,
            manifests: Manifests::new(),
            line: 1,
            mirror: None,
        });
        let digest = Digest::of(name.as_bytes());
        let built = Built {
            dependencies: dependencies.collect(),
            outputs: vec![ImageDescriptor::new(&image(name), Some(digest))],
            ..Built::default()
        };
        let known = Baseline::succeeded(RunId::new(1), built, Timestamp::UNIX_EPOCH);
        Snapshot::new(serde_yaml::from_str(&task).unwrap(), known, Clone::clone)
    }

    #[test]
    fn tag_concerns_who_follows_or_pushes_it_and_their_ancestors_and_descendants_alone() {
        let source = ", sourceTriggers: [{name: s, sourceTriggerEvents: [commit]}]";
        let tasks = [
            task("mid", &["base"], ""),
            task("leaf", &["mid", "tool"], ""),
            task("tool", &["other"], ""),
            task("alone", &["base"], ""),
            task("far", &["far-base"], ""),
            task("git", &["git-base"], source),
        ];
        let round = Round::new(tasks.iter().map(Snapshot::node).collect());
        let families = Rc::new(round.families());
        let of = |names: &[&str]| {
            let tags: Vec<Reference> = names.iter().map(|name| image(name)).collect();
            let tasks = families.of(&tags)?.tasks().into_iter();
            Some(tasks.map(|key| key.name.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(of(&["base"]).unwrap(), ["alone", "leaf", "mid", "tool"]);
        assert_eq!(of(&["other"]).unwrap(), ["leaf", "mid", "tool"]);
        assert_eq!(of(&["leaf"]).unwrap(), ["leaf", "mid", "tool"]);
        assert_eq!(of(&["alone", "far-base"]).unwrap(), ["alone", "far"]);
        assert!(of(&["unknown"]).unwrap().is_empty());
        assert_eq!(of(&["git-base"]), None);
        let part = families.of(&[image("far-base")]).unwrap();
        assert!(part.is_of_others(&Digest::of(b"mid")));
        assert!(!part.is_of_others(&Digest::of(b"far")));
        assert!(!part.is_of_others(&Digest::of(b"new")));
    }
}
