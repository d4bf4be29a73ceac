//! Simulates months of watching at random: pushes, platforms and tags that come and go, registries that fail or hang, timers, crashes, and
//! other names of a registry. Invariants are checked at each step and at the end.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::OnceLock,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRunner},
};

use crate::{
    image::{Digest, Platform, Reference},
    task::{
        Dependency, DependencyKind, ImageDescriptor, Manifests, RunId, Task, TaskKey, TimerFiring,
    },
};

use super::{
    Baseline, Built, FailedLook, LookErrorKind, LookResult, Observation, OpenQuestions, Outcome,
    QuestionTarget, Round, Snapshot, TagRecords, Tags, Verdict,
    round::Job,
    schedule::{self, Pauses},
};

/// A change of the simulated world.
#[derive(Clone, Debug)]
enum WorldEvent {
    /// A new version of an image is pushed, perhaps of one that a task makes.
    Push(usize),
    /// The first version of an outside base is pushed again: a roll-back, or a tag that flaps.
    PushBack(usize),
    /// The index of an outside base changes, but no image in it: an attestation was added.
    Attest(usize),
    /// An outside base loses a platform, or has it again.
    Platform(usize, usize),
    /// The tag of an image is removed, or restored as it was.
    Untag(usize),
    /// From now on, builds of this task fail, or work again.
    Break(usize),
    /// The registry of an image stops answering, or answers again.
    CutOff(usize),
    /// The registry of an image accepts questions and withholds its answers, or gives them.
    Hang(usize),
    /// Time passes, in seconds.
    Pass(u32),
}

/// An event during a round.
#[derive(Clone, Debug)]
enum RoundEvent {
    /// The n-th open look is answered: with what is there now, or (`false`) with what was there when it was asked.
    Answer(usize, bool),
    /// The n-th active run ends.
    End(usize),
    /// The process dies with all its runs; the n-th run has pushed its image.
    Die(Option<usize>),
    /// The world changes.
    Happen(WorldEvent),
}

/// A move of a story: what happens between rounds, or a round.
#[derive(Clone, Debug)]
enum StoryMove {
    /// The world changes.
    Happen(WorldEvent),
    /// A person runs a task, without the watcher.
    Run(usize),
    /// A webhook names an image.
    Hint(usize),
    /// A round is made after so many seconds.
    Round(u32, RoundScript),
}

/// What happens in a simulated round.
#[derive(Clone, Debug, Default)]
struct RoundScript {
    /// The events during the round.
    beats: Vec<RoundEvent>,
    /// Whether the round looks at everything and waits for all answers, as `--once` does; else it ends and leaves open looks and runs to
    /// the next.
    is_once: bool,
}

/// The options of the watcher.
#[derive(Clone, Copy, Debug)]
struct SimulatedOptions {
    /// How many runs may go on side by side.
    jobs: usize,
    /// Seconds that a moved tag must be quiet (`--settle`).
    settle: i64,
}

/// The plan of a task, as numbers that are taken modulo what there is.
#[derive(Clone, Debug, Default)]
struct Plan {
    /// The outside bases that it depends on.
    outsides: BTreeSet<usize>,
    /// The earlier tasks that it depends on.
    tasks: BTreeSet<usize>,
    /// The earlier tasks that it depends on by a declared other name of their registry.
    declared: BTreeSet<usize>,
    /// The tasks that it depends on by an undeclared name of their registry: also later ones, and itself.
    undeclared: BTreeSet<usize>,
    /// Which of two platforms it is built for: 1, 2, or 3 for both.
    platforms: u8,
    /// Whether its registries were unreachable during its first run, so that the builder's own copies were used.
    is_blind: bool,
    /// Whether it also has a timer, at each full hour.
    is_timed: bool,
}

/// What a tag names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    index: u64,
    manifests: BTreeMap<Platform, u64>,
}

/// An outside base: what its tag names, and the image for each platform, also of platforms that its index lacks now.
#[derive(Clone, Debug)]
struct Outside {
    made: BTreeMap<Platform, u64>,
    absent: BTreeSet<Platform>,
}

/// A look without an answer yet.
#[derive(Clone, Debug)]
struct OpenLook {
    tag: Reference,
    asked: Timestamp,
    step: u64,
    /// What was there when the look was asked.
    then: Option<Content>,
    /// The digests to compare with, as known when the look was asked.
    built_on: BTreeSet<Digest>,
    platforms: BTreeSet<Platform>,
    read: Option<(Digest, BTreeSet<Platform>)>,
}

/// An active run.
#[derive(Clone, Debug)]
struct Running {
    task: usize,
    job: Job,
    started: Timestamp,
    step: u64,
    /// What it is built on; `None` where a registry did not answer.
    decided: Option<Vec<Dependency>>,
}

/// The answer of a look, and how recent it is.
#[derive(Clone, Debug)]
struct SimulatedAnswer {
    content: Option<Content>,
    step: u64,
}

#[derive(Debug)]
struct SimulatedWorld {
    now: Timestamp,
    /// A clock that counts every event.
    step: u64,
    /// The number of versions made so far.
    made: u64,
    manner: SimulatedOptions,
    tasks: Vec<Task>,
    platforms: Vec<Vec<Platform>>,
    /// The images that each task's Dockerfile names.
    bases: Vec<Vec<Reference>>,
    /// The tasks whose images each one depends on: by any name, and by a name that acrt can resolve.
    parents: Vec<BTreeSet<usize>>,
    known_parents: Vec<BTreeSet<usize>>,
    baseline: Vec<Baseline>,
    /// When each task's last successful run resolved its bases.
    resolved: Vec<u64>,
    /// The tag records on the disk.
    saved: TagRecords,
    /// The answers of looks when the records were written.
    saved_said: BTreeMap<Reference, SimulatedAnswer>,
    outsides: Vec<Outside>,
    truth: BTreeMap<Reference, Content>,
    untagged: BTreeSet<Reference>,
    cut_off: BTreeSet<Reference>,
    hanging: BTreeSet<Reference>,
    broken: BTreeSet<usize>,
    asked: OpenQuestions,
    open: Vec<OpenLook>,
    running: Vec<Running>,
    said: BTreeMap<Reference, SimulatedAnswer>,
    /// When each tag was last pushed by a run of the watcher, or named by a webhook: an answer must be newer than that.
    overtaken: BTreeMap<Reference, u64>,
    /// The times for which timers have been served, with their tasks.
    served: BTreeSet<(usize, Timestamp)>,
    /// When something is due that no look shows.
    next_due: Option<Timestamp>,
    /// How often each task has been run by the watcher.
    runs: Vec<usize>,
}

/// One round in progress.
struct SimulatedRound<'a> {
    nodes: &'a [&'a Snapshot],
    round: Round<'a>,
    tags: Tags,
    queue: VecDeque<Job>,
    /// The tasks whose verdicts have been checked.
    judged: BTreeSet<usize>,
    left_out: BTreeSet<usize>,
}

const OWN: &str = "r.io";
const DECLARED: &str = "declared.io";
const UNDECLARED: &str = "undeclared.io";

/// The most tasks, and the most outside bases, of a world.
const MOST: usize = 5;

/// All images that exist, parsed once: parsing a name takes longer than all else that is done with it.
struct ImageNames {
    outsides: Vec<Reference>,
    /// The image of each task, under each name of its registry.
    images: BTreeMap<&'static str, Vec<Reference>>,
    /// All images, by their written names.
    written: BTreeMap<String, Reference>,
}

fn names() -> &'static ImageNames {
    static NAMES: OnceLock<ImageNames> = OnceLock::new();
    NAMES.get_or_init(|| {
        let read = |name: String| -> Reference { name.parse().unwrap() };
        let images = |host: &'static str| {
            let images = (0..MOST).map(|n| read(format!("{host}/t{n}:1")));
            (host, images.collect())
        };
        let outsides: Vec<Reference> = (0..MOST)
            .map(|n| read(format!("outside.example/base:{n}")))
            .collect();
        let images = BTreeMap::from([OWN, DECLARED, UNDECLARED].map(images));
        let all = outsides.iter().chain(images.values().flatten());
        let written = all.map(|it| (ImageDescriptor::new(it, None).tagged(), it.clone()));
        ImageNames {
            written: written.collect(),
            outsides,
            images,
        }
    })
}

/// Returns the tag of a dependency.
fn tag_of(dependency: &Dependency) -> &'static Reference {
    &names().written[&dependency.image.tagged()]
}

fn outside(n: usize) -> Reference {
    names().outsides[n].clone()
}

/// The image of a task under a name of its registry: the registry's own, or another.
fn image(registry: &str, n: usize) -> Reference {
    names().images[registry][n].clone()
}

/// The one name that the declared names of a registry are reduced to.
fn canonical(image: &Reference) -> Reference {
    match image.registry() {
        DECLARED => on_own(image),
        _ => image.clone(),
    }
}

/// The name under which the world stores an image.
fn true_name(image: &Reference) -> Reference {
    match image.registry() {
        DECLARED | UNDECLARED => on_own(image),
        _ => image.clone(),
    }
}

fn on_own(alias: &Reference) -> Reference {
    let number = alias.repository()[1..].parse().unwrap();
    image(OWN, number)
}

/// A digest made without hashing, of which ten thousand stories would need millions.
fn digest(kind: u64, number: u64) -> Digest {
    format!("sha256:{kind:032x}{number:032x}").parse().unwrap()
}

fn both() -> &'static [Platform; 2] {
    static BOTH: OnceLock<[Platform; 2]> = OnceLock::new();
    BOTH.get_or_init(|| {
        [
            "linux/amd64".parse().unwrap(),
            "linux/arm64".parse().unwrap(),
        ]
    })
}

/// Returns task `n`, parsed once for all stories.
fn task(n: usize, is_timed: bool) -> Task {
    static TASKS: OnceLock<Vec<[Task; 2]>> = OnceLock::new();
    let read = |n: usize, timer: &str| -> Task {
        serde_yaml::from_str(&format!(
            "{{schema: 1, name: t{n}, registry: {OWN}, step: {{type: Docker, contextPath: /c, dockerFilePath: D, imageNames: ['t{n}:1']}}, trigger: {{baseImageTrigger: {{}}, timerTriggers: [{timer}]}}}}"
        ))
        .unwrap()
    };
    let timer = "{name: t1, schedule: '0 * * * *', since: '1970-01-12T13:46:40Z'}";
    let tasks = TASKS.get_or_init(|| (0..MOST).map(|n| [read(n, ""), read(n, timer)]).collect());
    tasks[n][usize::from(is_timed)].clone()
}

impl Content {
    fn digest(&self) -> Digest {
        digest(1, self.index)
    }

    fn manifest(&self, platform: &Platform) -> Option<Digest> {
        Some(digest(2, *self.manifests.get(platform)?))
    }

    /// Tells whether a run was built on this content: on the same index, or on the same manifests for its platforms.
    fn is_what(&self, dependency: &Dependency) -> bool {
        let Some(recorded) = &dependency.image.digest else {
            return false;
        };
        let same = |(platform, manifest): (&Platform, &Option<Digest>)| {
            manifest.is_some() && self.manifest(platform) == *manifest
        };
        let manifests = &dependency.manifests;
        *recorded == self.digest() || (!manifests.is_empty() && manifests.iter().all(same))
    }
}

impl SimulatedWorld {
    fn new(plans: &[Plan], outsides: usize, manner: SimulatedOptions) -> Self {
        let numbers = |set: &BTreeSet<usize>| set.clone().into_iter();
        let bases = plans.iter().enumerate().map(|(n, plan)| {
            let earlier = |m: &usize| *m < n;
            let outer = numbers(&plan.outsides).map(|m| outside(m % outsides));
            let tasks = numbers(&plan.tasks).filter(earlier);
            let declared = numbers(&plan.declared).filter(earlier);
            let undeclared = numbers(&plan.undeclared).map(|m| m % plans.len());
            let all: BTreeSet<Reference> = outer
                .chain(tasks.map(|m| image(OWN, m)))
                .chain(declared.map(|m| image(DECLARED, m)))
                .chain(undeclared.map(|m| image(UNDECLARED, m)))
                .collect();
            all.into_iter().collect()
        });
        let bases: Vec<Vec<Reference>> = bases.collect();
        let built = |plan: &Plan| {
            let bits = both().iter().enumerate();
            let chosen = bits.filter(|(bit, _)| plan.platforms & (1 << bit) != 0);
            chosen.map(|(_, platform)| platform.clone()).collect()
        };
        let mut world = Self {
            now: Timestamp::from_second(1_000_000).unwrap(),
            step: 0,
            made: 0,
            manner,
            tasks: (0..plans.len())
                .map(|n| task(n, plans[n].is_timed))
                .collect(),
            platforms: plans.iter().map(built).collect(),
            parents: parents(&bases, true_name),
            known_parents: parents(&bases, canonical),
            bases,
            baseline: vec![Baseline::default(); plans.len()],
            resolved: vec![0; plans.len()],
            saved: TagRecords::new(),
            saved_said: BTreeMap::new(),
            outsides: Vec::new(),
            truth: BTreeMap::new(),
            untagged: BTreeSet::new(),
            cut_off: BTreeSet::new(),
            hanging: BTreeSet::new(),
            broken: BTreeSet::new(),
            asked: OpenQuestions::default(),
            open: Vec::new(),
            running: Vec::new(),
            said: BTreeMap::new(),
            overtaken: BTreeMap::new(),
            served: BTreeSet::new(),
            next_due: None,
            runs: vec![0; plans.len()],
        };
        for n in 0..outsides {
            let made = both().iter().zip(1..).map(|(it, m)| (it.clone(), 10 + m));
            world.outsides.push(Outside {
                made: made.collect(),
                absent: BTreeSet::new(),
            });
            world.publish(n);
        }
        for n in 0..plans.len() {
            world.push_task(n);
        }
        for (n, plan) in plans.iter().enumerate() {
            let mut decided = world.resolve(n).unwrap();
            if plan.is_blind {
                for dependency in &mut decided {
                    dependency.image.digest = None;
                    dependency.manifests = Manifests::new();
                }
            }
            world.push_task(n);
            let started = world.now;
            world.record(n, decided, started, &[]);
        }
        world
    }

    /// Advances the clock, so that no two events have the same time.
    fn tick(&mut self) {
        self.step += 1;
        self.now += SignedDuration::from_millis(1);
    }

    /// Returns a number that has not been used yet.
    fn fresh(&mut self) -> u64 {
        self.made += 1;
        1000 + self.made
    }

    /// Points the tag of an outside base to an index of the platforms that it has now.
    fn publish(&mut self, n: usize) {
        let index = self.fresh();
        let Outside { made, absent } = &self.outsides[n];
        let present = made
            .iter()
            .filter(|(platform, _)| !absent.contains(*platform));
        let manifests = present.map(|(it, number)| (it.clone(), *number)).collect();
        self.truth.insert(outside(n), Content { index, manifests });
    }

    fn push_task(&mut self, n: usize) {
        let index = self.fresh();
        let platforms = self.platforms[n].iter().zip(0..);
        let manifests = platforms.map(|(it, m)| (it.clone(), index * 10 + m));
        let content = Content {
            index,
            manifests: manifests.collect(),
        };
        self.truth.insert(image(OWN, n), content);
        self.untagged.remove(&image(OWN, n));
    }

    /// Returns an image by number: an outside base, or a task's image under one of its names.
    fn any(&self, n: usize) -> Reference {
        let (outsides, tasks) = (self.outsides.len(), self.tasks.len());
        let names = [OWN, UNDECLARED];
        match n % (outsides + 2 * tasks) {
            n if n < outsides => outside(n),
            n => image(names[(n - outsides) % 2], (n - outsides) / 2),
        }
    }

    /// Returns what the tag names now, if it exists.
    fn content(&self, tag: &Reference) -> Option<Content> {
        let name = true_name(tag);
        let is_there = !self.untagged.contains(&name);
        self.truth.get(&name).filter(|_| is_there).cloned()
    }

    fn is_reachable(&self, tag: &Reference) -> bool {
        let tag = canonical(tag);
        !self.cut_off.contains(&tag) && !self.hanging.contains(&tag)
    }

    /// Resolves the bases of a run; `None` where a registry does not answer, or has no such tag.
    fn resolve(&self, n: usize) -> Option<Vec<Dependency>> {
        let dependency = |tag: &Reference| {
            let content = self.content(tag).filter(|_| self.is_reachable(tag))?;
            let platforms = self.platforms[n].iter();
            let manifests = platforms.map(|it| (it.clone(), content.manifest(it)));
            Some(Dependency {
                image: ImageDescriptor::new(tag, Some(content.digest())),
                kind: DependencyKind::Runtime,
                manifests: manifests.collect(),
                is_local: false,
                line: 1,
                mirror: None,
            })
        };
        self.bases[n].iter().map(dependency).collect()
    }

    fn record(
        &mut self,
        n: usize,
        dependencies: Vec<Dependency>,
        started: Timestamp,
        timers: &[TimerFiring],
    ) {
        let pushed = self.truth[&image(OWN, n)].digest();
        let built = Built {
            dependencies,
            outputs: vec![ImageDescriptor::new(&image(OWN, n), Some(pushed))],
            ..Built::default()
        };
        let before = std::mem::take(&mut self.baseline[n]);
        let baseline = Baseline::succeeded(RunId::new(self.made), built, started);
        self.baseline[n] = baseline.serving(before, timers);
        for TimerFiring { time, .. } in timers {
            let is_first = self.served.insert((n, *time));
            assert!(is_first, "a timer is served twice for one time");
        }
    }

    fn pauses(&self, tag: &Reference) -> Pauses {
        let seconds = Duration::from_secs;
        let (shortest, longest) = if *tag == outside(0) {
            (seconds(600), seconds(3600))
        } else {
            (seconds(60), seconds(60))
        };
        Pauses::new(shortest, longest, seconds(3600))
    }

    /// Tells whether a look that is newer than its last run shows that a task must be rebuilt.
    fn is_seen_stale(&self, n: usize) -> bool {
        self.baseline[n].dependencies.iter().any(|dependency| {
            let tag = canonical(tag_of(dependency));
            let said = self.said.get(&tag);
            said.is_some_and(|said| {
                let content = said.content.as_ref();
                let is_newer = said.step > self.resolved[n];
                is_newer && content.is_some_and(|content| !content.is_what(dependency))
            })
        })
    }

    /// Tells whether a task is stale in truth, regardless of what was seen.
    fn is_stale(&self, n: usize) -> bool {
        self.baseline[n].dependencies.iter().any(|dependency| {
            let content = self.content(tag_of(dependency));
            content.is_none_or(|content| !content.is_what(dependency))
        })
    }

    fn is_in_cycle(&self, n: usize) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), self.parents[n].clone());
        while let Some(m) = open.pop_first() {
            if seen.insert(m) {
                open.extend(&self.parents[m]);
            }
        }
        seen.contains(&n)
    }

    fn number(&self, task: &TaskKey) -> usize {
        let mut tasks = self.tasks.iter();
        tasks.position(|one| one.name == task.name).unwrap()
    }

    fn happen(&mut self, happening: &WorldEvent) {
        self.tick();
        let (count, outsides) = (self.tasks.len(), self.outsides.len());
        let toggle = |set: &mut BTreeSet<Reference>, tag: Reference| {
            if !set.remove(&tag) {
                set.insert(tag);
            }
        };
        match happening {
            WorldEvent::Push(n) => self.push_any(*n),
            WorldEvent::PushBack(n) => {
                let made = self.outsides[n % outsides].made.iter_mut();
                made.zip(1..).for_each(|((_, number), m)| *number = 10 + m);
                self.publish(n % outsides);
                if self.outsides[n % outsides].absent.is_empty() {
                    let content = self.truth.get_mut(&outside(n % outsides)).unwrap();
                    content.index = 1001 + (n % outsides) as u64;
                }
            }
            WorldEvent::Attest(n) => self.publish(n % outsides),
            WorldEvent::Platform(n, m) => {
                let platform = both()[m % 2].clone();
                let absent = &mut self.outsides[n % outsides].absent;
                if !absent.remove(&platform) && absent.is_empty() {
                    absent.insert(platform);
                }
                self.publish(n % outsides);
            }
            WorldEvent::Untag(n) => {
                let name = true_name(&self.any(*n));
                toggle(&mut self.untagged, name);
            }
            WorldEvent::Break(n) => {
                if !self.broken.remove(&(n % count)) {
                    self.broken.insert(n % count);
                }
            }
            WorldEvent::CutOff(n) => {
                let tag = self.any(*n);
                toggle(&mut self.cut_off, tag);
            }
            WorldEvent::Hang(n) => {
                let tag = self.any(*n);
                toggle(&mut self.hanging, tag);
            }
            WorldEvent::Pass(seconds) => {
                self.now += SignedDuration::from_secs(i64::from(*seconds));
            }
        }
    }

    fn push_any(&mut self, n: usize) {
        let tag = true_name(&self.any(n));
        match (0..self.outsides.len()).find(|n| outside(*n) == tag) {
            Some(n) => {
                for platform in both() {
                    let number = self.fresh();
                    self.outsides[n].made.insert(platform.clone(), number);
                }
                self.publish(n);
            }
            None => {
                let of = (0..self.tasks.len()).find(|m| image(OWN, *m) == tag);
                self.push_task(of.unwrap());
            }
        }
    }

    fn go(&mut self, step: &StoryMove) {
        match step {
            StoryMove::Happen(happening) => self.happen(happening),
            StoryMove::Run(n) => self.run_by_hand(n % self.tasks.len()),
            StoryMove::Hint(n) => {
                self.tick();
                let tag = canonical(&self.any(*n));
                if let Some(record) = self.saved.get_mut(&tag) {
                    record.next_look = Some(self.now);
                    self.overtaken.insert(tag, self.step);
                }
            }
            StoryMove::Round(seconds, course) => {
                self.now += SignedDuration::from_secs(i64::from(*seconds));
                self.round(course);
            }
        }
    }

    fn run_by_hand(&mut self, n: usize) {
        self.tick();
        let is_free = !self.running.iter().any(|run| run.task == n);
        let decided = self.resolve(n);
        if let Some(decided) = decided.filter(|_| is_free && !self.broken.contains(&n)) {
            (self.resolved[n], self.baseline[n].failure) = (self.step, None);
            let started = self.now;
            self.tick();
            self.push_task(n);
            self.record(n, decided, started, &[]);
        }
    }

    /// Plays a round, and returns the tasks that were run, in the order in which they began.
    fn round(&mut self, course: &RoundScript) -> Vec<usize> {
        let baselines = self
            .tasks
            .iter()
            .cloned()
            .zip(self.baseline.iter().cloned());
        let snapshots: Vec<Snapshot> = baselines
            .map(|(task, baseline)| Snapshot::new(task, baseline, canonical))
            .collect();
        let nodes: Vec<&Snapshot> = snapshots.iter().collect();
        let quiet = SignedDuration::from_secs(self.manner.settle);
        let mut tags = Tags::new(self.saved.clone()).debounced_by(quiet);
        self.tick();
        self.ask_due(&nodes, &mut tags, course.is_once);
        let running = self.running.iter().map(|run| run.job.task.clone());
        let mut work = SimulatedRound {
            round: Round::beside(nodes.clone(), &self.asked, &running.collect()),
            nodes: &nodes,
            tags,
            queue: VecDeque::new(),
            judged: BTreeSet::new(),
            left_out: BTreeSet::new(),
        };
        let (mut ran, mut beats) = (Vec::new(), course.beats.iter());
        loop {
            self.start(&mut work, &mut ran);
            if self.running.is_empty() && self.asked.is_empty() {
                break;
            }
            self.tick();
            match beats.next() {
                Some(beat) => {
                    if self.beat(&mut work, beat) {
                        return ran;
                    }
                }
                None if course.is_once => self.go_on(&mut work),
                None => break,
            }
        }
        for (n, verdict) in work.round.decisions().enumerate() {
            let runs = nodes[n].outlived_runs(&work.tags, self.now);
            if verdict == Some(&Verdict::Current) && !runs.is_empty() {
                self.baseline[n].failure = None;
            }
        }
        self.next_due = work.round.next_due(self.now);
        work.tags.built_on(&work.round.built_on());
        self.save(&work);
        ran
    }

    fn save(&mut self, work: &SimulatedRound<'_>) {
        self.saved = work.tags.records().clone();
        self.saved_said = self.said.clone();
    }

    /// Asks about what is due, as the watcher does.
    fn ask_due(&mut self, nodes: &[&Snapshot], tags: &mut Tags, all: bool) {
        let followed = nodes.iter().flat_map(|node| node.followed());
        let wanted: BTreeSet<Reference> = followed.map(|(tag, _)| tag.clone()).collect();
        tags.keep_only(&wanted);
        for (tag, _, digest) in nodes.iter().flat_map(|node| node.pushed()) {
            tags.take_in_pushed(tag, digest);
        }
        let outdated = nodes.iter().flat_map(|node| node.outdated(tags, self.now));
        let outdated: BTreeSet<Reference> = outdated.cloned().collect();
        for tag in wanted {
            let record = tags.get(&tag);
            let is_due = record.is_none_or(|it| it.is_due(self.pauses(&tag), self.now));
            if !(all || is_due || outdated.contains(&tag)) {
                continue;
            }
            let what = QuestionTarget::Tag(tag.clone());
            let since = self.asked.since(&what);
            if since.is_some() && record.and_then(|it| it.next_look) != since {
                self.asked.overtake(|other| *other == what);
            }
            self.ask(nodes, tags, &tag);
        }
    }

    fn ask(&mut self, nodes: &[&Snapshot], tags: &mut Tags, tag: &Reference) {
        if !self.asked.ask(QuestionTarget::Tag(tag.clone()), self.now) {
            return;
        }
        let record = tags.entry(tag);
        record.next_look = Some(self.now);
        let followed = nodes.iter().flat_map(|node| node.followed());
        let by: Vec<&Dependency> = followed.filter(|it| it.0 == tag).map(|it| it.1).collect();
        let digests = by.iter().filter_map(|it| it.image.digest.clone());
        let platforms = by.iter().flat_map(|it| it.manifests.keys().cloned());
        self.open.push(OpenLook {
            tag: tag.clone(),
            asked: self.now,
            step: self.step,
            then: self.content(tag),
            built_on: digests.collect(),
            platforms: platforms.collect(),
            read: record.digest.clone().map(|digest| {
                let platforms = record.manifests.keys().cloned();
                (digest, platforms.collect())
            }),
        });
    }

    /// Decides what can be decided, starts what may start, and checks both.
    fn start(&mut self, work: &mut SimulatedRound<'_>, ran: &mut Vec<usize>) {
        self.decide(work);
        while self.running.len() < self.manner.jobs
            && let Some(job) = work.queue.pop_front()
        {
            let n = self.number(&job.task);
            if job.decided < self.now {
                // The job has waited for its place.
                work.round.decide_again(&job.task);
                work.judged.remove(&n);
                let nodes = work.nodes;
                for (tag, _) in nodes[n].followed() {
                    self.ask(nodes, &mut work.tags, tag);
                    work.round.await_answer(QuestionTarget::Tag(tag.clone()));
                }
                self.decide(work);
                continue;
            }
            self.save(work);
            assert!(!ran.contains(&n), "t{n} is run twice in one round");
            for other in &self.running {
                assert_ne!(other.task, n, "t{n} is run twice at once");
                assert!(
                    !self.known_parents[n].contains(&other.task) || !job.reasons.timers.is_empty(),
                    "t{n} is run beside t{}, whose image it depends on",
                    other.task
                );
            }
            self.check_backoff(n);
            ran.push(n);
            self.runs[n] += 1;
            self.running.push(Running {
                task: n,
                job,
                started: self.now,
                step: self.step,
                decided: self.resolve(n),
            });
            self.tick();
        }
        self.check_that_no_task_waits_for_others(work);
    }

    /// Decides what can be decided, and checks the verdicts.
    fn decide(&mut self, work: &mut SimulatedRound<'_>) {
        while let Some(job) = work.round.next(&work.tags, self.now) {
            let n = self.number(&job.task);
            assert!(
                !job.reasons.timers.is_empty() || self.is_seen_stale(n) || self.was_blind(n),
                "t{n} is to be run although nothing that it depends on is known to have moved"
            );
            work.queue.push_back(job);
        }
        self.judge(work);
    }

    fn was_blind(&self, n: usize) -> bool {
        let dependencies = self.baseline[n].dependencies.iter();
        dependencies.filter(|it| it.image.digest.is_none()).count() > 0
    }

    /// Checks each verdict once. A task may be `current` only if every base answered that it is what the task is built on, and answered
    /// after the last event that is known of it.
    fn judge(&self, work: &mut SimulatedRound<'_>) {
        for (node, verdict, _) in work.round.verdicts() {
            let mut tasks = self.tasks.iter();
            let n = tasks.position(|one| one.name == node.task.name).unwrap();
            if !work.judged.insert(n) || *verdict != Verdict::Current {
                continue;
            }
            for dependency in &self.baseline[n].dependencies {
                let tag = &canonical(tag_of(dependency));
                let said = self.said.get(tag).expect("it was never looked at");
                let content = said.content.as_ref().expect("it did not answer");
                assert!(content.is_what(dependency), "t{n} is not current on {tag}");
                let overtaken = self.overtaken.get(tag).copied().unwrap_or_default();
                assert!(
                    said.step >= overtaken,
                    "t{n} is taken for current by what {tag} was before"
                );
            }
        }
    }

    /// Checks that each undecided task waits for one of its own bases, or for a task that it depends on.
    fn check_that_no_task_waits_for_others(&self, work: &SimulatedRound<'_>) {
        let is_full = self.running.len() >= self.manner.jobs;
        assert!(work.queue.is_empty() || is_full, "a run waits for nothing");
        for (n, node) in work.nodes.iter().enumerate() {
            if work.judged.contains(&n) || work.left_out.contains(&n) {
                continue;
            }
            let mut tags = node.followed().map(|it| QuestionTarget::Tag(it.0.clone()));
            let is_awaited = tags.any(|what| self.asked.has(&what));
            let is_open = |m: &usize| {
                !work.judged.contains(m) || work.round.is_running(&self.tasks[*m].key())
            };
            assert!(
                is_awaited || self.known_parents[n].iter().any(is_open),
                "t{n} waits for nothing of its own"
            );
        }
    }

    /// Plays an event during a round. Returns whether the process has died of it.
    fn beat(&mut self, work: &mut SimulatedRound<'_>, beat: &RoundEvent) -> bool {
        match beat {
            RoundEvent::Answer(n, is_late) => {
                let hanging = &self.hanging;
                let open = self.open.iter().enumerate();
                let open = open.filter(|(_, look)| !hanging.contains(&look.tag));
                let ready: Vec<usize> = open.map(|(at, _)| at).collect();
                if let Some(at) = ready.get(n % ready.len().max(1)) {
                    self.answer(work, *at, *is_late);
                }
            }
            RoundEvent::End(n) if !self.running.is_empty() => {
                self.end(work, n % self.running.len());
            }
            RoundEvent::End(_) => {}
            RoundEvent::Die(pushed) => {
                let count = self.running.len().max(1);
                let pushed = pushed.and_then(|n| self.running.get(n % count).cloned());
                if let Some(run) = pushed.filter(|run| run.decided.is_some()) {
                    self.push_task(run.task);
                }
                self.running.clear();
                self.open.clear();
                self.asked = OpenQuestions::default();
                self.overtaken.clear();
                self.said = self.saved_said.clone();
                return true;
            }
            RoundEvent::Happen(happening) => self.happen(happening),
        }
        false
    }

    /// Plays a round to its end: looks that hang are given up.
    fn go_on(&mut self, work: &mut SimulatedRound<'_>) {
        if self.open.is_empty() {
            self.end(work, 0);
        } else {
            self.answer(work, 0, false);
        }
    }

    fn answer(&mut self, work: &mut SimulatedRound<'_>, at: usize, is_late: bool) {
        let look = self.open.remove(at);
        let (tag, what) = (look.tag.clone(), QuestionTarget::Tag(look.tag.clone()));
        let (content, step) = if is_late {
            (look.then.clone(), look.step)
        } else {
            (self.content(&tag), self.step)
        };
        let result = match &content {
            _ if !self.is_reachable(&tag) => Err(FailedLook::unknown("no answer")),
            None => Err(FailedLook {
                kind: LookErrorKind::Absent,
                ..FailedLook::unknown("no such tag")
            }),
            Some(content) => Ok(look.observation(content)),
        };
        let is_overtaken = self.asked.answered(&what);
        if is_overtaken && result.is_ok() {
            return self.ask(work.nodes, &mut work.tags, &tag);
        }
        let said = SimulatedAnswer {
            content: content.filter(|_| result.is_ok()),
            step,
        };
        self.said.insert(tag.clone(), said);
        let looked = LookResult {
            asked: look.asked,
            result,
            not_before: None,
        };
        let pauses = self.pauses(&tag);
        work.tags.take_in(&tag, looked, pauses, self.now);
        work.round.answered(&what);
    }

    fn end(&mut self, work: &mut SimulatedRound<'_>, at: usize) {
        let run = self.running.remove(at);
        let (n, key) = (run.task, &run.job.task);
        if !work.round.is_running(key) && !work.judged.contains(&n) {
            work.left_out.insert(n);
        }
        let is_broken = self.broken.contains(&n);
        let Some(decided) = run.decided.clone().filter(|_| !is_broken) else {
            self.fail(&run);
            return work.round.finished(key, Outcome::Failed);
        };
        self.push_task(n);
        let (tag, what) = (image(OWN, n), QuestionTarget::Tag(image(OWN, n)));
        self.overtaken.insert(tag.clone(), self.step);
        self.record(n, decided, run.started, &run.job.reasons.timers);
        self.resolved[n] = run.step;
        work.tags.take_in_pushed(&tag, &self.truth[&tag].digest());
        self.asked.overtake(|other| *other == what);
        if !work.round.is_running(key) && work.tags.get(&tag).is_some() {
            work.tags.entry(&tag).next_look = Some(self.now);
        }
        for wanted in work.round.wanted_images(key) {
            self.ask(work.nodes, &mut work.tags, &wanted);
            work.round.await_answer(QuestionTarget::Tag(wanted));
        }
        work.round.finished(key, Outcome::Succeeded);
    }

    /// Records a failed run: the digests that caused it, and those that it resolved, if it did.
    fn fail(&mut self, run: &Running) {
        let moves = run.job.reasons.moves.iter();
        let causes = moves.filter_map(|one| Some((one.tag.clone(), one.to.clone()?)));
        let causes: BTreeMap<Reference, Digest> = causes.collect();
        let resolved = run.decided.iter().flatten();
        let resolved =
            resolved.filter_map(|it| Some((canonical(tag_of(it)), it.image.digest.clone()?)));
        let mut tried = causes.clone();
        tried.extend(resolved);
        let baseline = &mut self.baseline[run.task];
        baseline.failed(RunId::new(1), tried, None, self.now);
        if let Some(failure) = &mut baseline.failure {
            failure.causes = causes;
        }
    }

    /// Checks that a task whose last run failed is run again only when its backoff is over, or when a base has been seen to move to a digest
    /// that was not tried.
    fn check_backoff(&self, n: usize) {
        let Some(failure) = &self.baseline[n].failure else {
            return;
        };
        let has_untried = self.baseline[n].dependencies.iter().any(|dependency| {
            let tag = canonical(tag_of(dependency));
            let said = self.said.get(&tag).and_then(|said| said.content.as_ref());
            said.is_some_and(|content| {
                !content.is_what(dependency) && !failure.has_tried(&tag, &content.digest())
            })
        });
        assert!(
            has_untried || self.now >= failure.next_try,
            "t{n} is run again before its backoff is over"
        );
    }

    /// Repairs everything, and waits until every pause is over.
    fn mend(&mut self) {
        for n in 0..self.outsides.len() {
            if !self.outsides[n].absent.is_empty() {
                self.outsides[n].absent.clear();
                self.publish(n);
            }
        }
        self.untagged.clear();
        self.cut_off.clear();
        self.hanging.clear();
        self.broken.clear();
        // Timers would run tasks that nothing else runs.
        self.tasks = (0..self.tasks.len()).map(|n| task(n, false)).collect();
        // Active runs end, and may fail because of earlier damage.
        self.round(&once());
        self.now += SignedDuration::from_hours(25);
    }
}

impl OpenLook {
    /// Returns what a registry answers about this content, for what is asked.
    fn observation(&self, content: &Content) -> Observation {
        let digest = content.digest();
        let read = self.read.as_ref().filter(|(read, _)| *read == digest);
        let is_read = |it: &Platform| read.is_some_and(|(_, platforms)| platforms.contains(it));
        let is_same = self.built_on.iter().all(|built_on| *built_on == digest);
        let wanted = self.platforms.iter().filter(|it| !is_same && !is_read(it));
        let manifests = wanted.map(|it| (it.clone(), content.manifest(it)));
        Observation {
            manifests: manifests.collect(),
            digest,
            created: None,
        }
    }
}

/// Returns the tasks whose images each task depends on, as far as `name` shows.
fn parents(
    bases: &[Vec<Reference>],
    name: impl Fn(&Reference) -> Reference,
) -> Vec<BTreeSet<usize>> {
    let of = |bases: &Vec<Reference>| {
        let bases: BTreeSet<Reference> = bases.iter().map(&name).collect();
        let tasks = 0..MOST;
        tasks.filter(|m| bases.contains(&image(OWN, *m))).collect()
    };
    bases.iter().map(of).collect()
}

fn once() -> RoundScript {
    RoundScript {
        beats: Vec::new(),
        is_once: true,
    }
}

fn happenings() -> impl Strategy<Value = WorldEvent> {
    prop_oneof![
        4 => (0..16_usize).prop_map(WorldEvent::Push),
        1 => (0..3_usize).prop_map(WorldEvent::PushBack),
        1 => (0..3_usize).prop_map(WorldEvent::Attest),
        1 => (0..3_usize, 0..2_usize).prop_map(|(n, m)| WorldEvent::Platform(n, m)),
        1 => (0..16_usize).prop_map(WorldEvent::Untag),
        1 => (0..5_usize).prop_map(WorldEvent::Break),
        1 => (0..16_usize).prop_map(WorldEvent::CutOff),
        2 => (0..16_usize).prop_map(WorldEvent::Hang),
        1 => (0..300_u32).prop_map(WorldEvent::Pass),
        1 => (0..120_000_u32).prop_map(WorldEvent::Pass),
    ]
}

fn beats() -> impl Strategy<Value = RoundEvent> {
    prop_oneof![
        24 => (0..8_usize, any::<bool>()).prop_map(|(n, is_late)| RoundEvent::Answer(n, is_late)),
        10 => (0..4_usize).prop_map(RoundEvent::End),
        1 => prop::option::of(0..4_usize).prop_map(RoundEvent::Die),
        5 => happenings().prop_map(RoundEvent::Happen),
    ]
}

fn moves() -> impl Strategy<Value = StoryMove> {
    let pause = prop_oneof![Just(0_u32), Just(61), Just(700)];
    let course = (prop::collection::vec(beats(), 0..10), any::<bool>());
    prop_oneof![
        5 => happenings().prop_map(StoryMove::Happen),
        1 => (0..5_usize).prop_map(StoryMove::Run),
        1 => (0..16_usize).prop_map(StoryMove::Hint),
        7 => (pause, course).prop_map(|(pause, (beats, is_once))| {
            StoryMove::Round(pause, RoundScript { beats, is_once })
        }),
    ]
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let some = |most| prop::collection::btree_set(0..5_usize, 0..=most);
    let plan = (
        (
            some(2),
            some(2),
            some(1),
            prop_oneof![3 => some(0), 1 => some(1)],
        ),
        (
            1..4_u8,
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.1),
        ),
    );
    let plan = plan.prop_map(|((outsides, tasks, declared, undeclared), other)| Plan {
        outsides,
        tasks,
        declared,
        undeclared,
        platforms: other.0,
        is_blind: other.1,
        is_timed: other.2,
    });
    prop::collection::vec(plan, 1..5)
}

/// The number of stories of each of [`TELLERS`]; the variable `ACRT_SIMULATION_CASES` raises it.
#[expect(clippy::disallowed_methods, reason = "only this test has this setting")]
fn stories() -> ProptestConfig {
    let cases = std::env::var("ACRT_SIMULATION_CASES").ok();
    ProptestConfig {
        cases: cases.map_or(10_000, |cases| cases.parse().unwrap()) / TELLERS,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        // In a debug build, the default takes longer than the stories.
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    }
}

/// How many threads play stories: in one thread, they would take longer than all other tests together.
const TELLERS: u32 = 4;

#[test]
fn simulated_rounds_lose_no_update_and_never_loop() {
    let tell = || {
        let settle = prop_oneof![Just(0), Just(60), Just(600)];
        let story = prop::collection::vec(moves(), 0..14);
        let told = (plans(), 1..4_usize, 1..4_usize, settle, story);
        let result =
            TestRunner::new(stories()).run(&told, |(plans, outsides, jobs, settle, story)| {
                let world =
                    SimulatedWorld::new(&plans, outsides, SimulatedOptions { jobs, settle });
                end_well(world, &plans, &story)
            });
        if let Err(problem) = result {
            panic!("{problem}");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..TELLERS {
            scope.spawn(tell);
        }
    });
}

/// Plays a story, and checks that all is current once everything works again.
fn end_well(
    mut world: SimulatedWorld,
    plans: &[Plan],
    story: &[StoryMove],
) -> Result<(), TestCaseError> {
    for step in story {
        world.go(step);
    }
    world.mend();
    // Once the moves are seen and debounced, one round carries all changes to the end: up to each undeclared name, behind which they are
    // seen and debounced once more.
    world.round(&once());
    world.runs.fill(0);
    let quiet = SignedDuration::from_secs(world.manner.settle);
    let undeclared = plans
        .iter()
        .map(|plan| plan.undeclared.len())
        .sum::<usize>();
    for _ in 0..=2 * undeclared {
        world.now += quiet;
        world.round(&once());
    }
    for n in 0..plans.len() {
        let is_in_cycle = world.is_in_cycle(n);
        prop_assert!(
            !world.is_stale(n) || is_in_cycle,
            "t{n} depends on something old"
        );
        prop_assert!(
            world.runs[n] <= 1 || undeclared > 0,
            "t{n} was run {} times",
            world.runs[n]
        );
    }
    world.now += quiet;
    for _ in 0..3 {
        world.now += quiet;
        let more = world.round(&once());
        prop_assert!(more.is_empty(), "rounds without a change run {more:?}");
    }
    Ok(())
}

/// Plans a chain of three tasks on one base, and one task beside it that runs each hour.
fn chain() -> Vec<Plan> {
    let on = |outsides: &[usize], tasks: &[usize]| Plan {
        outsides: outsides.iter().copied().collect(),
        tasks: tasks.iter().copied().collect(),
        platforms: 1,
        ..Plan::default()
    };
    let timed = Plan {
        is_timed: true,
        ..on(&[], &[])
    };
    vec![on(&[0], &[]), on(&[], &[0]), on(&[0], &[1]), timed]
}

/// Watches a chain for some days, at the intervals of the loop.
fn watch(days: i64, settle: i64, pushes_at: impl Fn(i64) -> bool) -> (SimulatedWorld, Vec<usize>) {
    let mut world = SimulatedWorld::new(&chain(), 1, SimulatedOptions { jobs: 2, settle });
    world.now = "2026-01-05T00:00:30Z".parse().unwrap();
    world.baseline[3].timers = [("t1".parse().unwrap(), world.now)].into();
    let (begin, mut pushed) = (world.now, 0);
    while world.now.duration_since(begin) < SignedDuration::from_hours(24 * days) {
        // All pushes during the sleep.
        let minute = world.now.duration_since(begin).as_mins();
        while pushed <= minute {
            if pushes_at(pushed) {
                world.push_any(0);
            }
            pushed += 1;
        }
        world.round(&once());
        world.now += schedule::time_until_next(world.next_due, world.now);
    }
    let runs = world.runs.clone();
    (world, runs)
}

#[test]
fn simulated_week_makes_one_run_of_each_task_for_each_push_and_timer_time() {
    let (world, runs) = watch(7, 60, |minute| minute > 0 && minute % 97 == 0);
    // 10,080 minutes hold 103 such pushes, and a week 168 full hours.
    assert_eq!(runs, [103, 103, 103, 168]);
    assert!((0..3).all(|n| !world.is_stale(n)));
}

#[test]
fn simulated_burst_of_pushes_is_debounced_to_one_run() {
    // Five pushes, a minute apart, four times a day.
    let burst = |minute: i64| (100..105).contains(&(minute % 360));
    let (world, runs) = watch(2, 90, burst);
    assert_eq!(runs, [8, 8, 8, 48]);
    assert!((0..3).all(|n| !world.is_stale(n)));
}

#[test]
fn simulated_tag_that_always_moves_is_built_despite_the_debounce() {
    let (_, runs) = watch(1, 90, |_| true);
    // Ten debounce periods of 90 seconds are a quarter of an hour; the wait begins anew with the next push.
    assert!((80..=97).contains(&runs[0]), "{runs:?}");
}

#[test]
fn simulated_task_on_its_own_image_under_an_alias_runs_once() {
    let own = Plan {
        outsides: [0].into(),
        undeclared: [0].into(),
        platforms: 3,
        ..Plan::default()
    };
    let mut world = SimulatedWorld::new(&[own], 1, SimulatedOptions { jobs: 1, settle: 0 });
    // The push of its own image has moved the base already.
    assert!(world.round(&once()).is_empty());
    // A person runs it on that image: then the base has moved once more.
    world.run_by_hand(0);
    assert!(world.round(&once()).is_empty());
    assert!(world.is_stale(0) && world.is_in_cycle(0));
}
