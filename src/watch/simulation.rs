//! Months of watching in no time: pushes, failures, outages, timers and crashes at random, and what must hold at the end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{
    image::{Digest, Reference},
    task::{Dependency, DependencyKind, ImageDescriptor, Manifests, Occurrence, RunId, Task},
};

use super::{Built, Known, Miss, Observation, Outcome, Round, Snapshot, Tags, rhythm};

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
    /// Time passes, in seconds.
    Pass(u32),
    /// A round is made.
    Round(Course),
}

/// How a round goes.
#[derive(Clone, Debug, Default)]
struct Course {
    /// It dies when this run ends, if there is one: before its images are pushed, or after.
    dies_at: Option<(usize, bool)>,
    /// This base is pushed again while the first builds go on.
    pushed_meanwhile: Option<usize>,
    /// Which of the runs that go on ends next.
    picks: Vec<usize>,
}

/// How it is watched.
#[derive(Clone, Copy, Debug)]
struct Manner {
    /// Runs side by side.
    jobs: usize,
    /// Seconds that a moved tag must be quiet.
    settle: i64,
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
    manner: Manner,
    outsides: usize,
    /// The times that timers have been served for, with their tasks.
    served: Vec<(usize, Timestamp)>,
    /// When something is due that no look tells.
    next_due: Option<Timestamp>,
}

/// The outside bases and the tasks that one task stands on.
type Edges = (BTreeSet<usize>, BTreeSet<usize>);

fn outside(n: usize) -> Reference {
    format!("outside.example/base:{n}").parse().unwrap()
}

fn digest(image: &Reference, version: u64) -> Digest {
    Digest::of(format!("{image} {version}").as_bytes())
}

impl World {
    /// Builds a world in which task `n` stands on the outside bases and the earlier tasks that `edges` says.
    ///
    /// Those in `timed` have a timer too, at each full hour.
    fn new(edges: &[Edges], outsides: usize, timed: &BTreeSet<usize>, manner: Manner) -> Self {
        let tasks: Vec<Task> = (0..edges.len())
            .map(|n| {
                let timer = match timed.contains(&n) {
                    true => "{name: t1, schedule: '0 * * * *', since: '1970-01-12T13:46:40Z'}",
                    false => "",
                };
                serde_yaml::from_str(&format!(
                    "{{schema: 1, name: t{n}, registry: r.io, step: {{type: Docker, contextPath: /c, dockerFilePath: D, imageNames: ['t{n}:1']}}, trigger: {{baseImageTrigger: {{}}, timerTriggers: [{timer}]}}}}"
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
            manner,
            outsides,
            served: Vec::new(),
            next_due: None,
        };
        for n in 0..world.tasks.len() {
            let decided = world.resolve(n);
            world.push(n);
            world.record(n, decided, &[]);
        }
        world
    }

    fn observe(&mut self, wanted: impl IntoIterator<Item = Reference>) {
        for tag in wanted {
            if self.cut_off.contains(&tag) {
                let miss = Miss::unknown("no answer");
                self.tags.miss(&tag, miss, self.now);
            } else {
                let seen = Observation {
                    digest: digest(&tag, self.truth[&tag]),
                    manifests: Manifests::new(),
                    created: None,
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

    fn record(&mut self, n: usize, decided: Vec<(Reference, u64)>, timers: &[Occurrence]) {
        let dependencies = decided
            .into_iter()
            .map(|(tag, version)| Dependency {
                image: ImageDescriptor::new(&tag, Some(digest(&tag, version))),
                kind: DependencyKind::Runtime,
                manifests: Manifests::new(),
                line: 1,
                mirror: None,
            })
            .collect();
        let before = std::mem::take(&mut self.known[n]);
        let built = Built {
            dependencies,
            ..Built::default()
        };
        let known = Known::succeeded(RunId::new(self.builds), built, self.now);
        self.known[n] = known.serving(before, timers);
        for Occurrence { time, .. } in timers {
            assert!(
                !self.served.contains(&(n, *time)),
                "a timer is served twice for one time"
            );
            self.served.push((n, *time));
        }
    }

    /// Makes a round, and returns which tasks were run, in the order in which they began.
    fn round(&mut self, course: &Course) -> Vec<usize> {
        let tasks = self.tasks.clone();
        let known = tasks.iter().cloned().zip(self.known.iter().cloned());
        let snapshots: Vec<Snapshot> = known
            .map(|(task, known)| Snapshot::new(task, known, Clone::clone))
            .collect();
        let mut round = Round::new(snapshots.iter().map(Snapshot::node).collect());
        let quiet = SignedDuration::from_secs(self.manner.settle);
        self.tags = Tags::new(self.tags.records().clone()).settling(quiet);
        self.observe(round.tags());
        let mut meanwhile = course.pushed_meanwhile;
        let mut disturbed = false;
        let mut picks = course.picks.iter().copied();
        let (mut ran, mut ended, mut running) = (Vec::new(), 0, Vec::new());
        loop {
            while running.len() < self.manner.jobs
                && let Some(job) = round.next(&self.tags, self.now)
            {
                let n = tasks.iter().position(|t| t.key() == job.task).unwrap();
                assert!(!ran.contains(&n), "a task is run twice in one round");
                assert!(
                    disturbed || self.is_stale(n) || !job.reasons.timers.is_empty(),
                    "a task is run although it stands on what is there"
                );
                assert!(
                    !running.iter().any(|(m, _, _)| self.stands_on(n, *m)),
                    "a task is run beside one whose image it stands on"
                );
                ran.push(n);
                running.push((n, job, self.resolve(n)));
            }
            if running.is_empty() {
                self.next_due = round.next_due(self.now);
                self.tags.built_on(&round.built_on());
                return ran;
            }
            if let Some(base) = meanwhile.take() {
                disturbed = true;
                self.push_outside(base);
            }
            let pick = picks.next().unwrap_or_default() % running.len();
            let (n, job, decided) = running.remove(pick);
            let dies = course.dies_at.filter(|(at, _)| *at == ended);
            ended += 1;
            if let Some((_, false)) = dies {
                return ran;
            }
            if self.broken.contains(&n) {
                let tried = decided
                    .iter()
                    .map(|(tag, version)| (tag.clone(), digest(tag, *version)))
                    .collect();
                self.known[n].failed(RunId::new(1), tried, None, self.now);
                round.finished(&job.task, Outcome::Failed);
                continue;
            }
            self.push(n);
            if dies.is_some() {
                return ran;
            }
            self.record(n, decided, &job.reasons.timers);
            self.tags.settle(tasks[n].stable_images());
            self.observe(tasks[n].stable_images());
            round.finished(&job.task, Outcome::Succeeded);
        }
    }

    fn stands_on(&self, child: usize, parent: usize) -> bool {
        let pushes = self.tasks[parent].stable_images();
        self.bases[child].iter().any(|base| pushes.contains(base))
    }

    fn push_outside(&mut self, n: usize) {
        self.builds += 1;
        let base = outside(n % self.outsides);
        self.truth.insert(base, self.builds + 1_000_000);
    }

    /// Tells by the truth, not by what was seen, whether a task stands on something older than there is.
    fn is_stale(&self, n: usize) -> bool {
        self.known[n].dependencies.iter().any(|dependency| {
            let tag: Reference = dependency.image.tagged().parse().unwrap();
            dependency.image.digest != Some(digest(&tag, self.truth[&tag]))
        })
    }

    fn happen(&mut self, happening: &Happening) {
        let (count, outsides) = (self.tasks.len(), self.outsides);
        match happening {
            Happening::Push(n) => self.push_outside(*n),
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
            Happening::Pass(seconds) => {
                self.now += SignedDuration::from_secs(i64::from(*seconds));
            }
            Happening::Round(course) => {
                self.round(course);
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
        1 => (0..300_u32).prop_map(Happening::Pass),
        1 => (0..120_000_u32).prop_map(Happening::Pass),
        5 => course().prop_map(Happening::Round),
    ]
}

fn course() -> impl Strategy<Value = Course> {
    (
        prop::option::weighted(0.3, (0..4_usize, any::<bool>())),
        prop::option::weighted(0.2, 0..4_usize),
        prop::collection::vec(0..8_usize, 0..8),
    )
        .prop_map(|(dies_at, pushed_meanwhile, picks)| Course {
            dies_at,
            pushed_meanwhile,
            picks,
        })
}

fn edges() -> impl Strategy<Value = Vec<Edges>> {
    let some = || prop::collection::btree_set(0..8_usize, 0..3);
    prop::collection::vec((some(), some()), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_update_is_lost_and_nothing_loops_whatever_happens(
        edges in edges(),
        outsides in 1..4_usize,
        timed in prop::collection::btree_set(0..8_usize, 0..3),
        jobs in 1..4_usize,
        settle in prop_oneof![Just(0), Just(60), Just(600)],
        story in prop::collection::vec(happenings(), 0..60),
    ) {
        let mut world = World::new(&edges, outsides, &timed, Manner { jobs, settle });
        for happening in &story {
            world.happen(happening);
        }
        // Everything works again, and every pause is over: once what moved is seen and has been quiet, one round carries all changes to
        // the end.
        world.broken.clear();
        world.cut_off.clear();
        world.now += SignedDuration::from_hours(25);
        world.round(&Course::default());
        world.now += SignedDuration::from_secs(settle);
        world.round(&Course::default());
        for n in 0..world.tasks.len() {
            prop_assert!(!world.is_stale(n), "task t{n} stands on something old");
        }
        prop_assert!(world.round(&Course::default()).is_empty(), "a round without a change runs something");
    }
}

/// A chain of three tasks on one base, and one beside it that runs each hour: for a week, in steps as the loop makes them.
fn week(settle: i64, pushes_at: impl Fn(i64) -> bool) -> (World, Vec<usize>) {
    let on = |outsides: &[usize], tasks: &[usize]| {
        let set = |all: &[usize]| all.iter().copied().collect::<BTreeSet<usize>>();
        (set(outsides), set(tasks))
    };
    let edges = [on(&[0], &[]), on(&[], &[0]), on(&[0], &[1]), on(&[], &[])];
    let manner = Manner { jobs: 2, settle };
    let mut world = World::new(&edges, 1, &[3].into(), manner);
    world.now = "2026-01-05T00:00:30Z".parse().unwrap();
    world.known[3].timers = [("t1".parse().unwrap(), world.now)].into();
    let (begin, mut runs) = (world.now, vec![0; 4]);
    let mut pushed = 0;
    while world.now.duration_since(begin) < SignedDuration::from_hours(7 * 24) {
        // All pushes that fell into the time slept.
        let minute = world.now.duration_since(begin).as_mins();
        while pushed <= minute {
            if pushes_at(pushed) {
                world.push_outside(0);
            }
            pushed += 1;
        }
        for n in world.round(&Course::default()) {
            runs[n] += 1;
        }
        world.now += rhythm::nap(world.next_due, world.now);
    }
    (world, runs)
}

#[test]
fn a_week_of_the_loop_makes_one_run_of_each_task_for_each_push_and_one_for_each_hour() {
    let (world, runs) = week(60, |minute| minute > 0 && minute % 97 == 0);
    // 10,080 minutes hold 103 such pushes, and a week 168 full hours.
    assert_eq!(runs, [103, 103, 103, 168]);
    assert!((0..3).all(|n| !world.is_stale(n)));
}

#[test]
fn pushes_in_a_row_are_waited_for_and_make_one_run() {
    // Five pushes, a minute apart, four times a day.
    let burst = |minute: i64| (100..105).contains(&(minute % 360));
    let (world, runs) = week(90, burst);
    assert_eq!(runs, [28, 28, 28, 168]);
    assert!((0..3).all(|n| !world.is_stale(n)));
}

#[test]
fn a_tag_that_never_stays_quiet_is_built_all_the_same() {
    let (_, runs) = week(90, |_| true);
    // Ten quiet periods of 90 seconds are a quarter of an hour; the wait begins anew with the next push.
    assert!((560..=680).contains(&runs[0]), "{runs:?}");
}
