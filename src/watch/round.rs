//! One round over all tasks: what is run, in which order, and what waits.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    image::{Digest, Reference},
    task::{Dependency, Step, TaskKey},
};

use super::{
    asked::{Asked, Awaited},
    away::AwayBuilder,
    decide::{Move, Reasons, Verdict},
    descendants::{Descendant, Descendants},
    families::{Families, Part},
    graph::{Graph, Vertex},
    selection::Selection,
    snapshot::Node,
    tags::Tags,
};

/// What a run takes at least, so that of two chains the one of more tasks is the longer.
const SHORTEST: Duration = Duration::from_millis(1);

/// How a task's run in this round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, and its images are pushed.
    Succeeded,
    Failed,
    /// It was not started, because a run of it is going on already.
    Busy,
}

/// A run that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub task: TaskKey,
    pub reasons: Reasons,
    /// The digests that it is to be built on because its bases must be old enough.
    pub pins: Vec<(Reference, Digest)>,
    /// What it must not depend on.
    pub descendants: Descendants,
    /// How long it takes at most until it and all that waits for it is done, one task built on the other, if runs take what the last took.
    pub remaining: Duration,
    pub decided: Timestamp,
}

/// What was decided for a task. Nearly all are current, and those take up nothing but their place.
#[derive(Clone, Debug, Default)]
enum Decision {
    /// Nothing yet.
    #[default]
    Open,
    /// That it needs nothing.
    Current,
    /// Something else.
    As(Box<Verdict>),
}

impl Decision {
    fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Open => None,
            Self::Current => Some(&Verdict::Current),
            Self::As(verdict) => Some(verdict),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl From<Verdict> for Decision {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Current => Self::Current,
            other => Self::As(Box::new(other)),
        }
    }
}

/// One round: every task is decided once, as soon as all that it depends on has answered and all tasks whose images it depends on are
/// decided and have ended.
///
/// It starts nothing and waits for nothing. The caller says what has answered, makes each [`Job`], one after the other or side by side, and
/// when one has ended looks again at the tags that the job pushed, and then says how it ended. Only that lets the tasks that depend on it be
/// decided. What never answers keeps only the tasks waiting that depend on it: they are not decided in this round.
#[derive(Debug)]
pub struct Round<'a> {
    nodes: Vec<Node<'a>>,
    graph: Graph,
    children: Vec<Vec<usize>>,
    /// For each task, how many tasks that it depends on have yet to be decided or to end, and how many answers it waits for.
    open: Vec<usize>,
    /// The tasks that wait for each answer.
    waiting: BTreeMap<Awaited, Vec<usize>>,
    ready: BTreeSet<usize>,
    /// The tasks that are being run by jobs of earlier rounds.
    busy: BTreeSet<usize>,
    /// The tasks that are not decided in this round, because what is known of them here is older than their last run, or not all that counts.
    left_out: BTreeSet<usize>,
    running: BTreeMap<TaskKey, usize>,
    decisions: Vec<Decision>,
    outcomes: Vec<Option<Outcome>>,
    /// What a person asks for, where nothing else is to be run.
    selection: Option<Selection>,
    /// Which of all tasks these are; none where they are all.
    part: Option<Part>,
    /// Which tasks pushed each digest, found out at the first question.
    makers: OnceCell<HashMap<Digest, Vec<usize>>>,
    /// How long each and what waits for it takes at most; found out at the first question.
    remaining: OnceCell<Vec<Duration>>,
}

impl<'a> Round<'a> {
    /// Begins a round in which everything has answered already.
    pub fn new(nodes: Vec<Node<'a>>) -> Self {
        Self::beside(nodes, &Asked::default(), &BTreeSet::new())
    }

    /// Begins a round in which some answers are still to come, beside runs that an earlier round began. Tasks in a cycle are decided at
    /// once: nothing can be done about them.
    pub fn beside(nodes: Vec<Node<'a>>, asked: &Asked, running: &BTreeSet<TaskKey>) -> Self {
        let vertices: Vec<Vertex> = nodes.iter().map(vertex).collect();
        let graph = Graph::new(&vertices);
        let mut decisions = vec![Decision::Open; nodes.len()];
        for cycle in &graph.cycles {
            for n in cycle {
                let path = cycle.iter().map(|n| nodes[*n].task.key()).collect();
                decisions[*n] = Verdict::Cycle(path).into();
            }
        }
        let mut open: Vec<usize> = graph.parents.iter().map(Vec::len).collect();
        let mut waiting: BTreeMap<Awaited, Vec<usize>> = BTreeMap::new();
        for (n, node) in nodes.iter().enumerate().filter(|_| !asked.is_empty()) {
            for one in awaited_by(*node).filter(|one| asked.has(one)) {
                waiting.entry(one).or_default().push(n);
                open[n] += 1;
            }
        }
        let ready = graph.order.iter().copied().filter(|n| open[*n] == 0);
        let keys = nodes.iter().enumerate().filter(|_| !running.is_empty());
        let busy = keys.filter(|(_, node)| running.contains(&node.task.key()));
        Self {
            busy: busy.map(|(n, _)| n).collect(),
            left_out: BTreeSet::new(),
            ready: ready.collect(),
            children: graph.children(),
            open,
            running: BTreeMap::new(),
            outcomes: vec![None; nodes.len()],
            selection: None,
            part: None,
            waiting,
            makers: OnceCell::new(),
            remaining: OnceCell::new(),
            decisions,
            graph,
            nodes,
        }
    }

    /// Runs what a person asks for, and nothing else.
    #[must_use]
    pub fn of_selection(self, selection: Option<Selection>) -> Self {
        Self { selection, ..self }
    }

    /// Makes it one over some of all tasks: it leaves to the next what only a round over all can decide.
    pub fn of_part(self, part: Option<Part>) -> Self {
        Self { part, ..self }
    }

    /// Returns which tasks belong together.
    pub fn families(&self) -> Families {
        Families::new(&self.nodes, &self.graph, &self.children)
    }

    /// Returns how many tasks it is over.
    pub fn tasks(&self) -> usize {
        self.nodes.len()
    }

    /// Tells whether tasks are left to the next round.
    pub fn leaves_some(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// Returns the tags that must be looked at, each once.
    pub fn tags(&self) -> Vec<Reference> {
        let mut tags: Vec<Reference> = self
            .nodes
            .iter()
            .flat_map(|node| node.followed().map(|(tag, _)| tag.clone()))
            .collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// Decides tasks until one is to be run, and returns that one. `None` where nothing more can be begun for now; where no job goes
    /// on either, that is the end of the round.
    pub fn next(&mut self, tags: &Tags, now: Timestamp) -> Option<Job> {
        while let Some(n) = self.ready.pop_first() {
            let verdict = self.decide(n, tags, now);
            if self.is_for_all(&verdict) {
                self.left_out.insert(n);
                continue;
            }
            let is_busy = self.busy.contains(&n);
            let reasons = match &verdict {
                Verdict::Stale(reasons)
                    if !is_busy && (reasons.by_hand || self.selection.is_none()) =>
                {
                    Some(reasons.clone())
                }
                _ => None,
            };
            self.decisions[n] = verdict.into();
            self.outcomes[n] = is_busy.then_some(Outcome::Busy);
            if let Some(reasons) = reasons {
                let task = self.nodes[n].task.key();
                self.running.insert(task.clone(), n);
                return Some(Job {
                    task,
                    reasons,
                    pins: self.nodes[n].pins(tags, now),
                    descendants: self.descendants(n),
                    remaining: self.remaining()[n],
                    decided: now,
                });
            }
            self.let_children_go(n);
        }
        None
    }

    /// Tells whether only a round over all tasks can decide this: what a task is to be built on was made by one that is not here.
    fn is_for_all(&self, verdict: &Verdict) -> bool {
        let moves = verdict
            .reasons()
            .map_or(&[][..], |reasons| reasons.moves.as_slice());
        let mut now = moves.iter().filter_map(|one| one.to.as_ref());
        let part = self.part.as_ref();
        part.is_some_and(|part| now.any(|digest| part.is_of_others(digest)))
    }

    /// Returns what is built on the images of a task, by what the files of all say and their last runs were built on.
    fn descendants(&self, ancestor: usize) -> Descendants {
        let mut found: Vec<(usize, Option<usize>)> = Vec::new();
        let mut seen = BTreeSet::from([ancestor]);
        let mut next = 0;
        let mut above = (ancestor, None);
        loop {
            for child in &self.children[above.0] {
                if seen.insert(*child) {
                    found.push((*child, above.1));
                }
            }
            let Some((n, _)) = found.get(next) else {
                break;
            };
            above = (*n, Some(next));
            next += 1;
        }
        let tasks = found.into_iter().map(|(n, built_on)| Descendant {
            name: self.nodes[n].task.name.clone(),
            pushes: self.nodes[n].pushes.to_vec(),
            built_on,
        });
        Descendants {
            of: self.nodes[ancestor].pushes.to_vec(),
            tasks: tasks.collect(),
        }
    }

    /// Returns, for each task, how long its run takes and those take that a move of its images makes, one built on the other, at most: as
    /// long as the last of each took, or as runs take on average.
    fn remaining(&self) -> &[Duration] {
        self.remaining.get_or_init(|| {
            let known = self.nodes.iter().filter_map(|node| node.baseline.took());
            let (count, sum) = known.fold((0, Duration::ZERO), |(count, sum), took| {
                (count + 1, sum.saturating_add(took))
            });
            let typical = sum.checked_div(count).unwrap_or(SHORTEST);
            let mut remaining = vec![Duration::ZERO; self.nodes.len()];
            for parent in self.graph.order.iter().rev().copied() {
                let own = self.nodes[parent].baseline.took().unwrap_or(typical);
                let children = self.children[parent].iter().copied();
                let run = children.filter(|child| self.is_followed(*child, parent));
                let below = run.map(|child| remaining[child]).max().unwrap_or_default();
                remaining[parent] = below.saturating_add(own.max(SHORTEST));
            }
            remaining
        })
    }

    /// Takes in that an answer has come, whatever it says.
    pub fn answered(&mut self, awaited: &Awaited) {
        for n in self.waiting.remove(awaited).unwrap_or_default() {
            self.let_go(n);
        }
    }

    /// Lets tasks that have yet to be decided wait for one more answer.
    pub fn await_answer(&mut self, awaited: Awaited) {
        let Awaited::Tag(tag) = &awaited else {
            return;
        };
        let known = self.waiting.get(&awaited);
        let undecided = (0..self.nodes.len()).filter(|n| self.decisions[*n].is_open());
        let undecided = undecided.filter(|n| known.is_none_or(|known| !known.contains(n)));
        let follow = |n: &usize| self.nodes[*n].followed().any(|(other, _)| other == tag);
        let waiting: Vec<usize> = undecided.filter(follow).collect();
        for n in &waiting {
            self.open[*n] += 1;
            self.ready.remove(n);
        }
        self.waiting.entry(awaited).or_default().extend(waiting);
    }

    /// Decides a task anew that was to be run and has yet to be begun: while it waited for its place, what it is to be built on may have
    /// moved on, and its window may have closed.
    pub fn decide_again(&mut self, task: &TaskKey) {
        if let Some(n) = self.running.remove(task) {
            self.decisions[n] = Decision::Open;
            self.ready.insert(n);
        }
    }

    /// Takes in what became of the images that tasks have pushed, once all answers are there: no task waits for them.
    pub fn judge_outputs(&mut self, tags: &Tags) {
        for (node, decision) in self.nodes.iter().zip(&mut self.decisions) {
            if matches!(
                decision.verdict(),
                Some(Verdict::Current | Verdict::FollowsNothing)
            ) && let Some(missing) = node.missing_images(tags)
            {
                *decision = missing.into();
            }
        }
    }

    /// Tells whether a task is being run by a job of this round.
    pub fn is_running(&self, task: &TaskKey) -> bool {
        self.running.contains_key(task)
    }

    /// Returns what the last run of a task was built on.
    pub fn dependencies(&self, task: &TaskKey) -> Vec<Dependency> {
        let node = self.running.get(task).map(|n| self.nodes[*n]);
        node.map_or_else(Vec::new, |node| node.baseline.dependencies.clone())
    }

    /// Returns the images that a task pushes under names that stay.
    pub fn pushes(&self, task: &TaskKey) -> Vec<Reference> {
        let mut nodes = self.nodes.iter();
        let is_it =
            |node: &&Node<'_>| node.task.name == task.name && node.task.registry == task.registry;
        let node = match self.running.get(task) {
            Some(n) => self.nodes.get(*n),
            None => nodes.find(is_it),
        };
        node.map_or_else(Vec::new, |node| node.pushes.to_vec())
    }

    /// Takes in how a job has ended. The task of one that an earlier round began is left to the next round, unless it is decided: what is
    /// known of it here is older than that run.
    pub fn finished(&mut self, task: &TaskKey, outcome: Outcome) {
        if let Some(n) = self.running.remove(task) {
            self.outcomes[n] = Some(outcome);
            self.let_children_go(n);
            return;
        }
        if let Some(n) = self.busy_number(task) {
            self.left_out.insert(n);
            self.ready.remove(&n);
            if !self.decisions[n].is_open() {
                self.outcomes[n] = Some(outcome);
            }
        }
    }

    /// Takes in that the builders of a task do not answer which was to be run: it is left until they do.
    pub fn put_off(&mut self, task: &TaskKey, away: Vec<AwayBuilder>) {
        let Some(n) = self.running.remove(task) else {
            return;
        };
        let decided = self.decisions[n].verdict();
        let reasons = decided.and_then(Verdict::reasons).cloned();
        let reasons = reasons.unwrap_or_default();
        self.decisions[n] = Verdict::NoBuilder { away, reasons }.into();
        self.let_children_go(n);
    }

    /// Returns what is known of a task that is to be run or is being run by a job of this round.
    pub fn node_of(&self, task: &TaskKey) -> Option<Node<'a>> {
        self.running.get(task).map(|n| self.nodes[*n])
    }

    /// Returns which task this is, of those that are being run by jobs of earlier rounds.
    fn busy_number(&self, task: &TaskKey) -> Option<usize> {
        let mut busy = self.busy.iter().copied();
        busy.find(|n| self.nodes[*n].task.key() == *task)
    }

    fn let_children_go(&mut self, parent: usize) {
        for n in 0..self.children[parent].len() {
            self.let_go(self.children[parent][n]);
        }
    }

    /// Takes one thing off what a task waits for. Tasks in a cycle are decided already, and so are those behind one.
    fn let_go(&mut self, n: usize) {
        self.open[n] -= 1;
        if self.open[n] == 0 && self.decisions[n].is_open() && !self.left_out.contains(&n) {
            self.ready.insert(n);
        }
    }

    /// Returns those of the images that a task pushes which tasks that have yet to be decided depend on; of a run that goes on, whichever
    /// round began it.
    pub fn wanted_images(&self, task: &TaskKey) -> Vec<Reference> {
        let maker = self.running.get(task).copied();
        let Some(maker) = maker.or_else(|| self.busy_number(task)) else {
            return Vec::new();
        };
        let undecided = self.children[maker].iter();
        let undecided = undecided.filter(|n| self.decisions[**n].is_open());
        let wanted: BTreeSet<&Reference> = undecided
            .flat_map(|n| self.nodes[*n].followed().map(|(tag, _)| tag))
            .collect();
        let images = self.nodes[maker].pushes.iter();
        images
            .filter(|image| wanted.contains(image))
            .cloned()
            .collect()
    }

    /// Returns what was decided for every task, in the order given, with how its run ended.
    pub fn verdicts(&self) -> impl Iterator<Item = (&Node<'a>, &Verdict, Option<Outcome>)> {
        self.nodes
            .iter()
            .zip(&self.decisions)
            .zip(&self.outcomes)
            .filter_map(|((node, decision), outcome)| Some((node, decision.verdict()?, *outcome)))
    }

    /// Returns what was decided for each task, in the order given; nothing for those that were left out.
    pub fn decisions(&self) -> impl Iterator<Item = Option<&Verdict>> {
        self.decisions.iter().map(Decision::verdict)
    }

    /// Returns the tags whose moves were the reason of a run.
    pub fn built_on(&self) -> BTreeSet<Reference> {
        let verdicts = self.decisions().flatten();
        let reasons = verdicts.filter_map(|verdict| match verdict {
            Verdict::Stale(reasons) => Some(reasons),
            _ => None,
        });
        reasons
            .flat_map(|reasons| reasons.moves.iter().map(|one| one.tag.clone()))
            .collect()
    }

    /// Returns when something will be due without any tag moving: a timer, the next try of a task that failed, the end of a wait.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let timers = self.nodes.iter().map(|node| node.next_timer(now));
        let verdicts = self.decisions().flatten().map(Verdict::until);
        timers.chain(verdicts).flatten().min()
    }

    fn decide(&self, n: usize, tags: &Tags, now: Timestamp) -> Verdict {
        match self.decide_at_any_time(n, tags, now) {
            Verdict::Stale(reasons) | Verdict::NoBuilder { reasons, .. }
                if !reasons.by_hand
                    && let Some(until) = self.nodes[n].closed_until(now) =>
            {
                Verdict::OutsideWindow { reasons, until }
            }
            verdict => verdict,
        }
    }

    /// Decides what a task needs, whether or not its window is open.
    fn decide_at_any_time(&self, n: usize, tags: &Tags, now: Timestamp) -> Verdict {
        let mut verdict = self.nodes[n].decide(tags, now);
        if let Some(selection) = self.selection
            && selection.takes(&self.nodes[n], &verdict)
        {
            let mut reasons = verdict.reasons().cloned().unwrap_or_default();
            reasons.by_hand = true;
            verdict = Verdict::Stale(reasons);
        }
        let node = &self.nodes[n];
        let rests = |away: &AwayBuilder| away.until.is_none_or(|until| now < until);
        if let Verdict::Stale(reasons) = &verdict
            && node.is_stuck
            && node.away.iter().all(rests)
        {
            return Verdict::NoBuilder {
                away: node.away.to_vec(),
                reasons: reasons.clone(),
            };
        }
        let reasons = match &verdict {
            // A timer is no matter of what is current: a parent that fails every night must not keep its children from theirs.
            Verdict::Stale(reasons) if reasons.timers.is_empty() || reasons.by_hand => {
                reasons.clone()
            }
            Verdict::Current => Reasons::default(),
            _ => return verdict,
        };
        if let Some(path) = self.cycle_by_digest(n, tags, &reasons.moves) {
            return Verdict::Cycle(path);
        }
        let on: Vec<TaskKey> = self.graph.parents[n]
            .iter()
            .filter(|parent| reasons.by_hand || self.is_followed(n, **parent))
            .filter(|parent| self.holds_back(**parent, &reasons))
            .map(|parent| self.nodes[*parent].task.key())
            .collect();
        if on.is_empty() {
            verdict
        } else {
            Verdict::Waiting { on, reasons }
        }
    }

    /// Tells whether a move of the parent's image would run the child: only then is the parent worth waiting for.
    fn is_followed(&self, child: usize, parent: usize) -> bool {
        let pushes = self.nodes[parent].pushes;
        self.nodes[child]
            .followed()
            .any(|(tag, _)| pushes.contains(tag))
    }

    /// Tells whether what depends on this task must wait for it: it should have been rebuilt, and was not.
    ///
    /// A child that nothing else moved is only held back by a failure: whatever else its parent waits for will pass. None is held back by
    /// its parent's window: its own decides.
    fn holds_back(&self, parent: usize, reasons: &Reasons) -> bool {
        let Some(verdict) = self.decisions[parent].verdict() else {
            return false;
        };
        let moved = verdict
            .reasons()
            .is_some_and(|reasons| reasons.by_hand || !reasons.moves.is_empty());
        match (verdict, self.outcomes[parent]) {
            (_, Some(Outcome::Succeeded)) => false,
            (_, Some(Outcome::Failed)) => moved,
            (_, Some(Outcome::Busy)) => !reasons.is_empty(),
            (
                Verdict::Unknown { .. }
                | Verdict::Missing { .. }
                | Verdict::Unverified { .. }
                | Verdict::BackingOff { .. }
                | Verdict::NoBuilder { .. },
                None,
            ) => moved,
            (Verdict::Settling { .. } | Verdict::TooYoung { .. }, None) => !reasons.is_empty(),
            (Verdict::Waiting { .. }, None) => true,
            _ => false,
        }
    }
}

impl Round<'_> {
    /// Returns the tasks that make each other run although no name tells: a base that moved is what the task itself pushed, under a name
    /// of its registry that was not declared, or what another task pushed that depends on it in the same way.
    fn cycle_by_digest(&self, n: usize, tags: &Tags, moves: &[Move]) -> Option<Vec<TaskKey>> {
        let mut path = Vec::new();
        let mut seen = BTreeSet::new();
        let now = moves.iter().filter_map(|one| one.to.as_ref());
        self.leads_back(n, now.collect(), tags, &mut seen, &mut path)
            .then(|| {
                path.iter()
                    .rev()
                    .map(|n| self.nodes[*n].task.key())
                    .collect()
            })
    }

    fn leads_back<'t>(
        &self,
        goal: usize,
        digests: Vec<&'t Digest>,
        tags: &'t Tags,
        seen: &mut BTreeSet<usize>,
        path: &mut Vec<usize>,
    ) -> bool {
        let makers = digests
            .iter()
            .filter_map(|digest| self.makers().get(*digest));
        for maker in makers.flatten().copied() {
            if maker != goal && !seen.insert(maker) {
                continue;
            }
            path.push(maker);
            let above = self.nodes[maker].followed();
            let above = above.filter_map(|(tag, _)| tags.get(tag)?.digest.as_ref());
            if maker == goal || self.leads_back(goal, above.collect(), tags, seen, path) {
                return true;
            }
            path.pop();
        }
        false
    }

    /// Returns which tasks pushed each digest last: several may make the same image. A copy has the digest of its source and makes
    /// nothing.
    fn makers(&self) -> &HashMap<Digest, Vec<usize>> {
        self.makers.get_or_init(|| {
            let mut makers: HashMap<Digest, Vec<usize>> = HashMap::new();
            let nodes = self.nodes.iter().enumerate();
            for (n, node) in nodes.filter(|(_, node)| !matches!(node.task.step, Step::Import(_))) {
                for (_, _, digest) in node.pushed() {
                    makers.entry(digest.clone()).or_default().push(n);
                }
            }
            makers
        })
    }
}

/// Returns the answers without which a task cannot be decided.
pub fn awaited_by(node: Node<'_>) -> impl Iterator<Item = Awaited> {
    let tags = node.followed().map(|(tag, _)| Awaited::Tag(tag.clone()));
    let source = node.source().cloned().map(Awaited::Source);
    tags.chain(source)
}

/// Returns what a task pushes and depends on, for the graph: what its last run was built on, and what the next one will be. What makes the
/// copy of a base goes first, so that the copy is there when it is wanted.
pub fn vertex(node: &Node<'_>) -> Vertex {
    let bases = node.bases.iter().flatten().chain(node.added);
    let bases = bases.chain(node.mirrors);
    Vertex {
        pushes: node.pushes.to_vec(),
        bases: bases.cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        task::{Dependency, DependencyKind, ImageDescriptor, Manifests, RunId, Task},
        watch::{Baseline, Built, Miss, Observation, Snapshot},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn image(name: &str) -> Reference {
        format!("r.io/{name}:1").parse().unwrap()
    }

    fn task(name: &str) -> Task {
        serde_yaml::from_str(&format!(
            "{{schema: 1, name: {name}, registry: r.io, step: {{type: Docker, contextPath: /c, dockerFilePath: D, imageNames: ['{name}:1']}}, trigger: {{baseImageTrigger: {{}}}}}}"
        ))
        .unwrap()
    }

    /// Records that the task was built on version `on` of these images.
    fn built(bases: &[&str], on: &str) -> Baseline {
        let dependencies = bases
            .iter()
            .map(|base| Dependency {
                image: ImageDescriptor::new(&image(base), Some(digest(base, on))),
                kind: DependencyKind::Runtime,
                manifests: Manifests::new(),
                line: 1,
                mirror: None,
            })
            .collect();
        let built = Built {
            dependencies,
            ..Built::default()
        };
        Baseline::succeeded(RunId::new(1), built, at(0))
    }

    fn digest(name: &str, version: &str) -> Digest {
        Digest::of(format!("{name} {version}").as_bytes())
    }

    fn see(tags: &mut Tags, name: &str, version: &str) {
        let seen = Observation {
            digest: digest(name, version),
            manifests: Manifests::new(),
            created: None,
        };
        tags.observe(&image(name), seen, at(1));
    }

    fn seeing(versions: &[(&str, &str)]) -> Tags {
        let mut tags = Tags::default();
        for (name, version) in versions {
            see(&mut tags, name, version);
        }
        tags
    }

    fn snapshots(tasks: &[(Task, Baseline)]) -> Vec<Snapshot> {
        let tasks = tasks.iter().cloned();
        tasks
            .map(|(task, baseline)| Snapshot::new(task, baseline, Clone::clone))
            .collect()
    }

    struct Story {
        tasks: Vec<(Task, Baseline)>,
        tags: Tags,
        failing: Vec<&'static str>,
    }

    impl Story {
        /// Plays one round; what succeeds pushes version `new`. Returns the tasks run, in order, and every verdict.
        fn play(&mut self) -> (Vec<String>, Vec<(String, &'static str)>) {
            let snapshots = snapshots(&self.tasks);
            let mut round = Round::new(snapshots.iter().map(Snapshot::node).collect());
            let mut ran = Vec::new();
            while let Some(job) = round.next(&self.tags, at(2)) {
                let name = job.task.to_string();
                if self.failing.contains(&name.as_str()) {
                    round.finished(&job.task, Outcome::Failed);
                } else {
                    see(&mut self.tags, &name, "new");
                    round.finished(&job.task, Outcome::Succeeded);
                }
                ran.push(name);
            }
            let verdicts = round
                .verdicts()
                .map(|(node, verdict, _)| (node.task.name.to_string(), verdict.word()))
                .collect();
            (ran, verdicts)
        }
    }

    fn chain() -> Story {
        Story {
            tasks: vec![
                (task("site"), built(&["app"], "old")),
                (task("app"), built(&["base"], "old")),
            ],
            tags: seeing(&[("base", "new"), ("app", "old")]),
            failing: vec![],
        }
    }

    #[test]
    fn a_change_travels_the_whole_chain_in_one_round() {
        assert_eq!(chain().play().0, ["app", "site"]);
    }

    #[test]
    fn nothing_moved_and_nothing_is_run() {
        let mut story = chain();
        see(&mut story.tags, "base", "old");
        let (ran, verdicts) = story.play();
        assert!(ran.is_empty());
        assert_eq!(
            verdicts,
            [("site".into(), "current"), ("app".into(), "current")]
        );
    }

    #[test]
    fn a_failed_parent_makes_its_stale_child_wait() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "base"], "old");
        story.failing = vec!["app"];
        let (ran, verdicts) = story.play();
        assert_eq!(ran, ["app"]);
        assert_eq!(verdicts[0], ("site".into(), "waiting"));
    }

    #[test]
    fn a_diamond_is_four_runs() {
        let mut story = Story {
            tasks: vec![
                (task("top"), built(&["left", "right"], "old")),
                (task("left"), built(&["root"], "old")),
                (task("right"), built(&["root"], "old")),
                (task("root"), built(&["base"], "old")),
            ],
            tags: seeing(&[
                ("base", "new"),
                ("root", "old"),
                ("left", "old"),
                ("right", "old"),
            ]),
            failing: vec![],
        };
        assert_eq!(story.play().0, ["root", "left", "right", "top"]);
    }

    /// The same task, to be run by itself in the first hour after 1970 began, or in the fifth.
    fn in_hour(task: Task, hour: u32) -> Task {
        let window = format!("0 {hour} 1 1 *");
        Task {
            windows: Some(vec![window.parse().unwrap()]),
            ..task
        }
    }

    #[test]
    fn each_task_of_a_chain_waits_for_its_own_window() {
        let mut story = chain();
        story.tasks[1].0 = in_hour(task("app"), 5);
        let (ran, verdicts) = story.play();
        assert!(ran.is_empty());
        assert_eq!(
            verdicts,
            [("site".into(), "current"), ("app".into(), "waiting")]
        );
        let mut story = chain();
        story.tasks[0].0 = in_hour(task("site"), 5);
        story.tasks[1].0 = in_hour(task("app"), 0);
        let (ran, verdicts) = story.play();
        assert_eq!(ran, ["app"]);
        assert_eq!(verdicts[0], ("site".into(), "waiting"));
    }

    #[test]
    fn window_of_a_parent_holds_back_no_child_that_has_a_reason_of_its_own() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "base"], "old");
        story.tasks[1].0 = in_hour(task("app"), 5);
        assert_eq!(story.play().0, ["site"]);
    }

    #[test]
    fn window_opens_at_the_next_due_time_and_keeps_no_run_by_hand_away() {
        let mut story = chain();
        story.tasks[1].0 = in_hour(task("app"), 5);
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<Node<'_>> = snapshots.iter().map(Snapshot::node).collect();
        let mut round = Round::new(nodes.clone());
        assert!(round.next(&story.tags, at(2)).is_none());
        assert_eq!(round.next_due(at(2)), Some(at(5 * 3600)));
        let mut round = Round::new(nodes.clone());
        assert!(round.next(&story.tags, at(5 * 3600)).is_some());
        let stale = Selection {
            stale: true,
            ..Selection::default()
        };
        let mut round = Round::new(nodes).of_selection(Some(stale));
        let job = round.next(&story.tags, at(2)).unwrap();
        assert!(job.reasons.by_hand && job.reasons.moves.len() == 1);
    }

    #[test]
    fn run_that_waited_for_its_place_is_decided_anew() {
        let mut story = chain();
        story.tasks[1].0 = in_hour(task("app"), 0);
        let snapshots = snapshots(&story.tasks);
        let mut round = Round::new(snapshots.iter().map(Snapshot::node).collect());
        let job = round.next(&story.tags, at(2)).unwrap();
        assert_eq!(job.decided, at(2));
        // Its base has moved on, once its registry has answered.
        round.decide_again(&job.task);
        let awaited = Awaited::Tag(image("base"));
        round.await_answer(awaited.clone());
        assert!(round.next(&story.tags, at(3)).is_none());
        see(&mut story.tags, "base", "newer");
        round.answered(&awaited);
        let job = round.next(&story.tags, at(3)).unwrap();
        let to = job.reasons.moves[0].to.clone();
        assert_eq!(to, Some(digest("base", "newer")));
        // Its window has closed.
        round.decide_again(&job.task);
        assert!(round.next(&story.tags, at(3600)).is_none());
        let words: Vec<&str> = round.verdicts().map(|it| it.1.word()).collect();
        assert_eq!(words, ["current", "waiting"]);
    }

    #[test]
    fn an_unreachable_base_is_unknown_and_the_others_go_on() {
        let mut story = Story {
            tasks: vec![
                (task("cut-off"), built(&["far"], "old")),
                (task("app"), built(&["base"], "old")),
            ],
            tags: seeing(&[("base", "new"), ("far", "old")]),
            failing: vec![],
        };
        story
            .tags
            .miss(&image("far"), Miss::unknown("no answer"), at(1));
        let (ran, verdicts) = story.play();
        assert_eq!(ran, ["app"]);
        assert_eq!(verdicts[0], ("cut-off".into(), "unknown"));
    }

    #[test]
    fn tasks_on_each_other_are_never_run() {
        let mut story = Story {
            tasks: vec![
                (task("a"), built(&["b"], "old")),
                (task("b"), built(&["a"], "old")),
            ],
            tags: seeing(&[("a", "new"), ("b", "new")]),
            failing: vec![],
        };
        let (ran, verdicts) = story.play();
        assert!(ran.is_empty());
        assert_eq!(verdicts, [("a".into(), "cycle"), ("b".into(), "cycle")]);
    }

    #[test]
    fn a_task_that_never_ran_or_is_switched_off_is_left_alone() {
        let mut off = task("off");
        off.trigger.base_image_trigger = None;
        let mut disabled = task("disabled");
        disabled.status = crate::task::Status::Disabled;
        let mut story = Story {
            tasks: vec![
                (task("fresh"), Baseline::default()),
                (off, built(&["base"], "old")),
                (disabled, built(&["base"], "old")),
            ],
            tags: seeing(&[("base", "new")]),
            failing: vec![],
        };
        let (ran, verdicts) = story.play();
        assert!(ran.is_empty());
        assert_eq!(
            verdicts.iter().map(|v| v.1).collect::<Vec<_>>(),
            ["never-run", "disabled", "disabled"]
        );
    }

    #[test]
    fn several_moved_bases_make_one_run_with_all_causes() {
        let tasks = [(task("app"), built(&["one", "two"], "old"))];
        let tags = seeing(&[("one", "new"), ("two", "new")]);
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter().map(Snapshot::node);
        let mut round = Round::new(nodes.collect());
        let job = round.next(&tags, at(2)).unwrap();
        let moved: Vec<String> = job
            .reasons
            .moves
            .iter()
            .map(|m| m.tag.to_string())
            .collect();
        assert_eq!(moved, ["r.io/one:1", "r.io/two:1"]);
        round.finished(&job.task, Outcome::Succeeded);
        assert_eq!(round.next(&tags, at(2)), None);
    }

    #[test]
    fn a_tag_that_many_tasks_share_is_asked_for_once() {
        let tasks: Vec<(Task, Baseline)> = (0..50)
            .map(|n| (task(&format!("t{n}")), built(&["base"], "old")))
            .collect();
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter().map(Snapshot::node);
        assert_eq!(Round::new(nodes.collect()).tags(), [image("base")]);
    }

    #[test]
    fn a_failed_parent_makes_a_child_wait_that_nothing_else_moved() {
        let mut story = chain();
        story.failing = vec!["app"];
        let (ran, verdicts) = story.play();
        assert_eq!(ran, ["app"]);
        assert_eq!(verdicts[0], ("site".into(), "waiting"));
    }

    #[test]
    fn a_rebuilt_parent_whose_digest_is_as_before_stops_there() {
        let story = chain();
        let snapshots = snapshots(&story.tasks);
        let nodes = snapshots.iter().map(Snapshot::node);
        let mut round = Round::new(nodes.collect());
        let job = round.next(&story.tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "app");
        round.finished(&job.task, Outcome::Succeeded);
        assert_eq!(round.next(&story.tags, at(2)), None);
        let words: Vec<&str> = round.verdicts().map(|(_, v, _)| v.word()).collect();
        assert_eq!(words, ["current", "stale"]);
    }

    #[test]
    fn jobs_go_on_side_by_side_where_no_task_depends_on_the_other() {
        let tasks = [
            (task("top"), built(&["left", "right"], "old")),
            (task("left"), built(&["base"], "old")),
            (task("right"), built(&["base"], "old")),
        ];
        let mut tags = seeing(&[("base", "new"), ("left", "old"), ("right", "old")]);
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter().map(Snapshot::node);
        let mut round = Round::new(nodes.collect());
        let mut next = |tags: &Tags, done: Option<&Job>| {
            if let Some(job) = done {
                round.finished(&job.task, Outcome::Succeeded);
            }
            round.next(tags, at(2))
        };
        let left = next(&tags, None).unwrap();
        let right = next(&tags, None).unwrap();
        assert_eq!(
            [left.task.to_string(), right.task.to_string()],
            ["left", "right"]
        );
        assert_eq!(next(&tags, None), None);
        see(&mut tags, "right", "new");
        assert_eq!(next(&tags, Some(&right)), None);
        see(&mut tags, "left", "new");
        let top = next(&tags, Some(&left)).unwrap();
        assert_eq!(top.reasons.moves.len(), 2);
    }

    #[test]
    fn a_child_of_a_settling_parent_waits_and_a_timer_waits_for_nothing() {
        let mut timed = task("timed");
        timed.trigger.timer_triggers = serde_yaml::from_str(
            "[{name: t1, schedule: '* * * * *', since: '1969-12-31T00:00:00Z'}]",
        )
        .unwrap();
        let tasks = [
            (task("site"), built(&["app", "other"], "old")),
            (task("app"), built(&["base"], "old")),
            (timed, built(&["base"], "old")),
        ];
        let mut tags = Tags::default().debounced_by(jiff::SignedDuration::from_secs(60));
        for (name, version) in [("base", "new"), ("app", "old"), ("other", "new")] {
            see(&mut tags, name, version);
        }
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter().map(Snapshot::node);
        let mut round = Round::new(nodes.collect());
        let job = round.next(&tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "timed");
        assert_eq!(job.reasons.moves.len(), 1);
        assert_eq!(round.next(&tags, at(2)), None);
        let words: Vec<&str> = round.verdicts().map(|(_, v, _)| v.word()).collect();
        assert_eq!(words, ["settling", "settling", "stale"]);
        assert_eq!(round.next_due(at(2)), Some(at(60)));
    }

    #[test]
    fn registry_that_hangs_keeps_only_its_own_tasks_waiting() {
        let tasks = [
            (task("slow"), built(&["far"], "old")),
            (task("quick"), built(&["base"], "old")),
            (task("child"), built(&["quick", "far"], "old")),
        ];
        let mut tags = seeing(&[("base", "new"), ("quick", "old")]);
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter().map(Snapshot::node);
        let far = Awaited::Tag(image("far"));
        let mut asked = Asked::default();
        asked.ask(far.clone(), at(1));
        let mut round = Round::beside(nodes.collect(), &asked, &BTreeSet::new());
        let job = round.next(&tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "quick");
        see(&mut tags, "quick", "new");
        round.finished(&job.task, Outcome::Succeeded);
        assert_eq!(round.next(&tags, at(2)), None);
        assert_eq!(round.verdicts().count(), 1);
        see(&mut tags, "far", "old");
        round.answered(&far);
        let job = round.next(&tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "child");
        assert_eq!(round.verdicts().count(), 3);
    }

    #[test]
    fn child_waits_for_a_fresh_look_at_what_its_parent_pushed() {
        let story = chain();
        let snapshots = snapshots(&story.tasks);
        let mut round = Round::new(snapshots.iter().map(Snapshot::node).collect());
        let job = round.next(&story.tags, at(2)).unwrap();
        let wanted = round.wanted_images(&job.task);
        assert_eq!(wanted, [image("app")]);
        let look = Awaited::Tag(image("app"));
        round.await_answer(look.clone());
        round.finished(&job.task, Outcome::Succeeded);
        assert_eq!(round.next(&story.tags, at(2)), None);
        let mut tags = story.tags;
        see(&mut tags, "app", "new");
        round.answered(&look);
        assert_eq!(round.next(&tags, at(2)).unwrap().task.to_string(), "site");
    }

    #[test]
    fn task_that_an_earlier_round_runs_is_not_run_again_and_its_stale_child_waits() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "base"], "old");
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<Node<'_>> = snapshots.iter().map(Snapshot::node).collect();
        let running = BTreeSet::from([story.tasks[1].0.key()]);
        let mut round = Round::beside(nodes, &Asked::default(), &running);
        assert_eq!(round.next(&story.tags, at(2)), None);
        let verdicts = round.verdicts();
        let words: Vec<_> = verdicts.map(|(_, it, end)| (it.word(), end)).collect();
        assert_eq!(words, [("waiting", None), ("stale", Some(Outcome::Busy))]);
    }

    #[test]
    fn task_whose_run_ends_before_it_is_decided_is_left_to_the_next_round() {
        let story = chain();
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<Node<'_>> = snapshots.iter().map(Snapshot::node).collect();
        let (app, base) = (story.tasks[1].0.key(), Awaited::Tag(image("base")));
        let mut asked = Asked::default();
        asked.ask(base.clone(), at(1));
        let mut round = Round::beside(nodes, &asked, &BTreeSet::from([app.clone()]));
        assert_eq!(round.next(&story.tags, at(2)), None);
        round.finished(&app, Outcome::Succeeded);
        round.answered(&base);
        assert_eq!(round.next(&story.tags, at(2)), None);
        assert_eq!(round.verdicts().count(), 0);
    }

    #[test]
    fn undecided_child_waits_for_a_fresh_look_also_at_what_a_run_of_an_earlier_round_pushed() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "far"], "old");
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<Node<'_>> = snapshots.iter().map(Snapshot::node).collect();
        let (app, far) = (story.tasks[1].0.key(), Awaited::Tag(image("far")));
        let mut asked = Asked::default();
        asked.ask(far.clone(), at(1));
        let mut round = Round::beside(nodes, &asked, &BTreeSet::from([app.clone()]));
        assert_eq!(round.next(&story.tags, at(2)), None);
        assert_eq!(round.wanted_images(&app), [image("app")]);
        let look = Awaited::Tag(image("app"));
        round.await_answer(look.clone());
        round.finished(&app, Outcome::Succeeded);
        see(&mut story.tags, "far", "old");
        round.answered(&far);
        assert_eq!(round.next(&story.tags, at(2)), None);
        assert_eq!(round.verdicts().count(), 1);
        see(&mut story.tags, "app", "new");
        round.answered(&look);
        let job = round.next(&story.tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "site");
    }

    /// Adds that a task pushed its image, as this version of it.
    fn having_pushed(mut baseline: Baseline, name: &str, version: &str) -> Baseline {
        baseline.outputs = vec![ImageDescriptor::new(
            &image(name),
            Some(digest(name, version)),
        )];
        baseline
    }

    fn verdicts_of(tasks: &[(Task, Baseline)], tags: &Tags) -> Vec<&'static str> {
        let snapshots = snapshots(tasks);
        let mut round = Round::new(snapshots.iter().map(Snapshot::node).collect());
        assert_eq!(round.next(tags, at(2)), None);
        round
            .verdicts()
            .map(|(_, verdict, _)| verdict.word())
            .collect()
    }

    #[test]
    fn base_that_moved_to_what_the_task_itself_pushed_is_a_cycle() {
        let baseline = having_pushed(built(&["alias"], "old"), "a", "new");
        let mut tags = Tags::default();
        let seen = Observation {
            digest: digest("a", "new"),
            manifests: Manifests::new(),
            created: None,
        };
        tags.observe(&image("alias"), seen, at(1));
        assert_eq!(verdicts_of(&[(task("a"), baseline)], &tags), ["cycle"]);
    }

    #[test]
    fn cycle_is_found_also_where_another_task_pushed_the_same_image() {
        let baseline = having_pushed(built(&["alias"], "old"), "a", "new");
        let tasks = [(task("a"), baseline.clone()), (task("b"), baseline)];
        let mut tags = Tags::default();
        let seen = Observation {
            digest: digest("a", "new"),
            manifests: Manifests::new(),
            created: None,
        };
        tags.observe(&image("alias"), seen, at(1));
        assert_eq!(verdicts_of(&tasks, &tags), ["cycle", "cycle"]);
    }

    #[test]
    fn tasks_on_each_other_by_other_names_are_a_cycle() {
        let tasks = [
            (
                task("a"),
                having_pushed(built(&["alias-b"], "old"), "a", "new"),
            ),
            (
                task("b"),
                having_pushed(built(&["alias-a"], "old"), "b", "new"),
            ),
        ];
        let mut tags = Tags::default();
        for name in ["a", "b"] {
            let seen = Observation {
                digest: digest(name, "new"),
                manifests: Manifests::new(),
                created: None,
            };
            tags.observe(&image(&format!("alias-{name}")), seen, at(1));
        }
        assert_eq!(verdicts_of(&tasks, &tags), ["cycle", "cycle"]);
    }

    #[test]
    fn runs_are_taken_to_be_as_long_as_the_last_ones_or_as_runs_are_on_average() {
        let took = |bases: &[&str], seconds| Baseline {
            pushed: Some(at(seconds)),
            ..built(bases, "old")
        };
        let story = Story {
            tasks: vec![
                (task("a"), took(&["base"], 10)),
                (task("b"), took(&["a"], 30)),
                (task("c"), built(&["b"], "old")),
                (task("lone"), took(&["base"], 50)),
            ],
            tags: seeing(&[("base", "new"), ("a", "old"), ("b", "old")]),
            failing: vec![],
        };
        let snapshots = snapshots(&story.tasks);
        let round = Round::new(snapshots.iter().map(Snapshot::node).collect());
        let seconds: Vec<u64> = round.remaining().iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [70, 60, 30, 50]);
    }

    #[test]
    fn job_knows_what_is_built_on_it_and_how_long_the_way_behind_it_is() {
        let loaded = [
            Snapshot::new(task("a"), built(&["base"], "old"), Clone::clone),
            Snapshot::new(task("b"), built(&["a", "base"], "old"), Clone::clone),
            Snapshot::new(task("c"), built(&["b"], "old"), Clone::clone),
            Snapshot::new(task("lone"), built(&["base"], "old"), Clone::clone),
        ];
        let mut tags = Tags::default();
        for (name, now) in [("base", "new"), ("a", "old"), ("b", "old")] {
            let seen = Observation {
                digest: digest(name, now),
                manifests: Manifests::new(),
                created: None,
            };
            tags.observe(&image(name), seen, at(1));
        }
        let mut round = Round::new(loaded.iter().map(Snapshot::node).collect());
        let first = round.next(&tags, at(2)).unwrap();
        let second = round.next(&tags, at(2)).unwrap();
        let of = |job: &Job| (job.task.name.to_string(), job.remaining);
        let millis = Duration::from_millis;
        assert_eq!(
            (of(&first), of(&second)),
            (("a".into(), millis(3)), ("lone".into(), millis(1)))
        );
        assert!(second.descendants.tasks.is_empty());
        let below = &first.descendants;
        assert!(below.are_of(&[image("a")]) && !below.are_of(&[image("a"), image("z")]));
        assert_eq!(below.way_from(&[image("base")]), None);
        let way = below.way_from(&[image("base"), image("c")]).unwrap();
        let way: Vec<&str> = way.into_iter().map(|name| name.as_str()).collect();
        assert_eq!(way, ["c", "b"]);
    }
}
