//! Families of tasks: which tasks a moved tag concerns.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher as _},
    rc::Rc,
};

use crate::{
    image::{Digest, Reference},
    task::TaskKey,
};

use super::{graph::Graph, snapshot::Snapshot};

/// All tasks by family, the connected parts of the dependency graph: a task is in one family with the tasks that it depends on and with
/// those that depend on it.
///
/// There may be ten thousand tags, so only a hash of each is kept. Where two hashes collide, one family more than needed is decided.
#[derive(Debug, Default)]
pub struct Families {
    /// The tasks, each with its family.
    tasks: Vec<(TaskKey, usize)>,
    /// A hash of each tag, with a family that follows or pushes it; sorted.
    tags: Vec<(u64, usize)>,
    /// A hash of each digest that a last run has pushed, with the family of that run; sorted.
    pushed: Vec<(u64, usize)>,
    /// The families in which a task follows a git repository.
    with_source: BTreeSet<usize>,
}

/// Some of the families: a round over a part decides no task outside of it.
#[derive(Clone, Debug)]
pub struct FamilySubset {
    all: Rc<Families>,
    which: BTreeSet<usize>,
}

impl Families {
    /// Groups tasks into families; `graph` is the graph of these tasks.
    pub(super) fn new(nodes: &[&Snapshot], graph: &Graph, children: &[Vec<usize>]) -> Self {
        let mut families = Self::default();
        let mut of: Vec<Option<usize>> = vec![None; nodes.len()];
        let mut count = 0;
        for first in 0..nodes.len() {
            let mut open = vec![first];
            let is_new = of[first].is_none();
            while let Some(n) = open.pop() {
                if of[n].is_none() {
                    of[n] = Some(count);
                    families.add(nodes[n], count);
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

    fn add(&mut self, node: &Snapshot, family: usize) {
        self.tasks.push((node.task.key(), family));
        let outputs = node.outputs.iter().flatten();
        let tags = node.followed().map(|(tag, _)| tag);
        let tags = tags.chain(&node.pushes).chain(&node.added).chain(outputs);
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

    /// Returns the families that some tags concern. `None` where one of them follows a git repository: only a round over all tasks knows
    /// which repositories are to be asked again.
    pub fn of(self: &Rc<Self>, tags: &[Reference]) -> Option<FamilySubset> {
        let which: BTreeSet<usize> = tags.iter().flat_map(|tag| found(&self.tags, tag)).collect();
        which.is_disjoint(&self.with_source).then(|| FamilySubset {
            all: Rc::clone(self),
            which,
        })
    }
}

impl FamilySubset {
    /// Returns the tasks of these families, sorted.
    pub fn tasks(&self) -> Vec<TaskKey> {
        let own = self.all.tasks.iter();
        let own = own.filter(|(_, family)| self.which.contains(family));
        let mut tasks: Vec<TaskKey> = own.map(|(task, _)| task.clone()).collect();
        tasks.sort_unstable();
        tasks
    }

    /// Tells whether another family has pushed this digest: only a round over all tasks can tell whether building on it makes a cycle.
    pub fn is_of_others(&self, digest: &Digest) -> bool {
        found(&self.all.pushed, digest).any(|family| !self.which.contains(&family))
    }
}

fn mark(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Returns the families of `of` in sorted hashes.
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

    /// A task that was built on some images, and has pushed the digest of its name under that name.
    fn task(name: &str, bases: &[&str], more: &str) -> Snapshot {
        let task = format!(
            "{{schema: 1, name: {name}, registry: r.io, step: {{type: Docker, contextPath: 'https://example.com/a.git#main', dockerFilePath: D, imageNames: ['{name}:1']}}, trigger: {{baseImageTrigger: {{}}{more}}}}}"
        );
        let dependencies = bases.iter().map(|base| Dependency {
            image: ImageDescriptor::new(&image(base), Some(Digest::of(base.as_bytes()))),
            kind: DependencyKind::Runtime,
            manifests: Manifests::new(),
            is_local: false,
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
    fn tag_concerns_only_its_tasks_and_their_ancestors_and_descendants() {
        let source = ", sourceTriggers: [{name: s, sourceTriggerEvents: [commit]}]";
        let tasks = [
            task("mid", &["base"], ""),
            task("leaf", &["mid", "tool"], ""),
            task("tool", &["other"], ""),
            task("alone", &["base"], ""),
            task("far", &["far-base"], ""),
            task("git", &["git-base"], source),
        ];
        let round = Round::new(tasks.iter().collect());
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
