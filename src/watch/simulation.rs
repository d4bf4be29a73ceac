//! Months of watching in no time: pushes, failures, outages and crashes at random, and what must hold at the end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{
    image::{Digest, Reference},
    task::{Dependency, DependencyKind, ImageDescriptor, Manifests, RunId, Task},
};

use super::{Known, Node, Observation, Outcome, Round, Tags};

/// Something that happens to the world.
#[derive(Clone, Debug)]
enum Happening {
    /// Somebody pushes a new version of an outside base.
    Push(usize),
    /// Somebody pushes the version of an outside base that was there before: a roll-back, or a flapping mirror.
    PushBack(usize),
    /// From now on, builds of this task fail, or work again.
    Break(usize),
    Mend(usize),
    /// The registry of an outside base stops answering, or answers again.
    CutOff(usize),
    Reconnect(usize),
    /// Time passes, in minutes.
    Pass(u16),
    /// A round is made. It dies at this run, if there is one: before its images are pushed, or after.
    Round {
        dies_at: Option<(usize, bool)>,
    },
}

#[derive(Debug)]
struct World {
    now: Timestamp,
    tasks: Vec<Task>,
    bases: Vec<Vec<Reference>>,
    known: Vec<Known>,
    tags: Tags,
    /// What each registry really has: the version of each image.
    truth: BTreeMap<Reference, u64>,
    cut_off: BTreeSet<Reference>,
    broken: BTreeSet<usize>,
    builds: u64,
}

fn outside(n: usize) -> Reference {
    format!("outside.example/base:{n}").parse().unwrap()
}

fn digest(image: &Reference, version: u64) -> Digest {
    Digest::of(format!("{image} {version}").as_bytes())
}

impl World {
    /// Builds a world in which task `n` stands on the outside bases and the earlier tasks that `edges` says.
    fn new(edges: &[(BTreeSet<usize>, BTreeSet<usize>)], outsides: usize) -> Self {
        let tasks: Vec<Task> = (0..edges.len())
            .map(|n| {
                serde_yaml::from_str(&format!(
                    "{{schema: 1, name: t{n}, registry: r.io, step: {{type: Docker, contextPath: /c, dockerFilePath: D, imageNames: ['t{n}:1']}}, trigger: {{baseImageTrigger: {{}}}}}}"
                ))
                .unwrap()
            })
            .collect();
        let image = |n: usize| -> Reference { format!("r.io/t{n}:1").parse().unwrap() };
        let bases = edges
            .iter()
            .enumerate()
            .map(|(n, (on_outsides, on_tasks))| {
                let outsides = on_outsides.iter().map(|m| outside(m % outsides));
                let earlier = on_tasks.iter().filter(|m| **m < n).map(|m| image(*m));
                let all: BTreeSet<Reference> = outsides.chain(earlier).collect();
                all.into_iter().collect()
            })
            .collect();
        let truth = (0..outsides)
            .map(|n| (outside(n), 1))
            .chain((0..edges.len()).map(|n| (image(n), 0)))
            .collect();
        let mut world = Self {
            now: Timestamp::from_second(1_000_000).unwrap(),
            known: vec![Known::default(); tasks.len()],
            tasks,
            bases,
            tags: Tags::default(),
            truth,
            cut_off: BTreeSet::new(),
            broken: BTreeSet::new(),
            builds: 0,
        };
        for n in 0..world.tasks.len() {
            let decided = world.resolve(n);
            world.push(n);
            world.record(n, decided);
        }
        world
    }

    fn observe(&mut self, wanted: impl IntoIterator<Item = Reference>) {
        for tag in wanted {
            if self.cut_off.contains(&tag) {
                self.tags.miss(&tag, "no answer".into(), None, self.now);
            } else {
                let seen = Observation {
                    digest: digest(&tag, self.truth[&tag]),
                    manifests: Manifests::new(),
                };
                self.tags.observe(&tag, seen, self.now);
            }
        }
    }

    fn resolve(&self, n: usize) -> Vec<(Reference, u64)> {
        let version = |tag: &Reference| (tag.clone(), self.truth[tag]);
        self.bases[n].iter().map(version).collect()
    }

    fn push(&mut self, n: usize) {
        self.builds += 1;
        let image = self.tasks[n].stable_images().remove(0);
        self.truth.insert(image, self.builds);
    }

    fn record(&mut self, n: usize, decided: Vec<(Reference, u64)>) {
        let dependencies = decided
            .into_iter()
            .map(|(tag, version)| Dependency {
                image: ImageDescriptor::new(&tag, Some(digest(&tag, version))),
                kind: DependencyKind::Runtime,
                manifests: Manifests::new(),
                line: 1,
            })
            .collect();
        self.known[n] = Known::succeeded(RunId::new(self.builds), dependencies, vec![], self.now);
    }

    /// Makes a round, and returns which tasks were run, in order.
    fn round(&mut self, dies_at: Option<(usize, bool)>) -> Vec<usize> {
        let (tasks, known) = (self.tasks.clone(), self.known.clone());
        let nodes = tasks.iter().zip(&known).map(|(task, known)| Node {
            task,
            known,
            inputs: None,
        });
        let mut round = Round::new(nodes.collect());
        self.observe(round.tags());
        let mut ran = Vec::new();
        while let Some(job) = round.next(&self.tags, self.now) {
            let n = tasks.iter().position(|t| t.key() == job.task).unwrap();
            assert!(!ran.contains(&n), "a task is run twice in one round");
            let dies = dies_at.filter(|(at, _)| *at == ran.len());
            ran.push(n);
            if let Some((_, false)) = dies {
                return ran;
            }
            let decided = self.resolve(n);
            if self.broken.contains(&n) {
                let tried = decided
                    .iter()
                    .map(|(tag, version)| (tag.clone(), digest(tag, *version)))
                    .collect();
                self.known[n].failed(RunId::new(1), tried, None, self.now);
                round.finished(&job.task, Outcome::Failed);
                continue;
            }
            assert!(
                self.is_stale(n),
                "a task is run although it stands on what is there"
            );
            self.push(n);
            if dies.is_some() {
                return ran;
            }
            self.record(n, decided);
            self.observe(tasks[n].stable_images());
            round.finished(&job.task, Outcome::Succeeded);
        }
        ran
    }

    /// Tells by the truth, not by what was seen, whether a task stands on something older than there is.
    fn is_stale(&self, n: usize) -> bool {
        self.known[n].dependencies.iter().any(|dependency| {
            let tag: Reference = dependency.image.tagged().parse().unwrap();
            dependency.image.digest != Some(digest(&tag, self.truth[&tag]))
        })
    }

    fn happen(&mut self, happening: &Happening, outsides: usize) {
        let count = self.tasks.len();
        match happening {
            Happening::Push(n) => {
                self.builds += 1;
                self.truth
                    .insert(outside(n % outsides), self.builds + 1_000_000);
            }
            Happening::PushBack(n) => {
                self.truth.insert(outside(n % outsides), 1);
            }
            Happening::Break(n) => {
                self.broken.insert(n % count);
            }
            Happening::Mend(n) => {
                self.broken.remove(&(n % count));
            }
            Happening::CutOff(n) => {
                self.cut_off.insert(outside(n % outsides));
            }
            Happening::Reconnect(n) => {
                self.cut_off.remove(&outside(n % outsides));
            }
            Happening::Pass(minutes) => {
                self.now += SignedDuration::from_mins(i64::from(*minutes));
            }
            Happening::Round { dies_at } => {
                self.round(*dies_at);
            }
        }
    }
}

fn happenings() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (0..4_usize).prop_map(Happening::Push),
        1 => (0..4_usize).prop_map(Happening::PushBack),
        1 => (0..8_usize).prop_map(Happening::Break),
        1 => (0..8_usize).prop_map(Happening::Mend),
        1 => (0..4_usize).prop_map(Happening::CutOff),
        1 => (0..4_usize).prop_map(Happening::Reconnect),
        2 => (0..2000_u16).prop_map(Happening::Pass),
        5 => prop::option::weighted(0.3, (0..4_usize, any::<bool>()))
            .prop_map(|dies_at| Happening::Round { dies_at }),
    ]
}

fn edges() -> impl Strategy<Value = Vec<(BTreeSet<usize>, BTreeSet<usize>)>> {
    let some = || prop::collection::btree_set(0..8_usize, 0..3);
    prop::collection::vec((some(), some()), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_update_is_lost_and_nothing_loops_whatever_happens(
        edges in edges(),
        outsides in 1..4_usize,
        story in prop::collection::vec(happenings(), 0..60),
    ) {
        let mut world = World::new(&edges, outsides);
        for happening in &story {
            world.happen(happening, outsides);
        }
        // Everything works again, and every pause is over: one round carries all changes to the end.
        world.broken.clear();
        world.cut_off.clear();
        world.now += SignedDuration::from_hours(25);
        world.round(None);
        for n in 0..world.tasks.len() {
            prop_assert!(!world.is_stale(n), "task t{n} stands on something old");
        }
        prop_assert!(world.round(None).is_empty(), "a round without a change runs something");
    }
}
