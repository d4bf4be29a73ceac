//! One round over all tasks: which are run, in which order, and which wait.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    image::{Digest, Reference},
    task::{Dependency, Status, Step, TaskKey},
};

use super::{
    away::AwayBuilder,
    decide::{Move, Problem, Reasons, Verdict},
    descendants::{Descendant, Descendants},
    families::{Families, FamilySubset},
    graph::{Graph, Vertex, children},
    open_questions::{OpenQuestions, QuestionTarget},
    selection::Selection,
    snapshot::Snapshot,
    tags::Tags,
};

/// The least that a run is taken to last, so that of two chains the one with more tasks counts as longer.
const SHORTEST: Duration = Duration::from_millis(1);

/// How a task's run in this round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, and its images are pushed.
    Succeeded,
    Failed,
    /// It was not started, because another run of the task is going on.
    Busy,
}

/// A run that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub task: TaskKey,
    pub reasons: Reasons,
    /// The digests to build on where bases must have a minimum age.
    pub pins: Vec<(Reference, Digest)>,
    /// The tasks that its task must not depend on.
    pub descendants: Descendants,
    /// The longest time until this run and the chain of runs that wait for it are done, if each takes as long as the last run of its task.
    pub remaining: Duration,
    pub decided: Timestamp,
}

/// The decision about a task. Nearly all are current, so that case takes no memory of its own.
#[derive(Clone, Debug, Default)]
enum Decision {
    /// Not decided yet.
    #[default]
    Open,
    /// Decided: the task is current.
    Current,
    /// Any other verdict.
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

/// One round: every task is decided once, as soon as all that it depends on has answered and the tasks whose images it depends on are
/// decided and have ended.
///
/// A round starts nothing and waits for nothing. The caller reports each answer, runs each [`Job`], one after the other or side by side,
/// and after each run looks again at the tags that it pushed before it reports the end of the job; only then the tasks that depend on it
/// are decided. A question without an answer delays only the tasks that depend on it: they are not decided in this round.
#[derive(Debug)]
pub struct Round<'a> {
    nodes: Vec<&'a Snapshot>,
    graph: Graph,
    children: Vec<Vec<usize>>,
    /// For each task, the number of parents that are not decided or still run, and of answers that it waits for.
    open: Vec<usize>,
    /// The tasks that wait for each answer.
    waiting: BTreeMap<QuestionTarget, Vec<usize>>,
    ready: BTreeSet<usize>,
    /// The tasks that are being run by jobs of earlier rounds.
    busy: BTreeSet<usize>,
    /// The tasks that this round leaves to the next, because its data on them is older than their last run, or is incomplete.
    left_out: BTreeSet<usize>,
    running: BTreeMap<TaskKey, usize>,
    decisions: Vec<Decision>,
    outcomes: Vec<Option<Outcome>>,
    /// What a person asks to be run; then nothing else is.
    selection: Option<Selection>,
    /// The part of all tasks that this round is over; `None` for all.
    part: Option<FamilySubset>,
    /// Which tasks pushed each digest, computed when first needed.
    makers: OnceCell<HashMap<Digest, Vec<usize>>>,
    /// See [`Job::remaining`], for each task; computed when first needed.
    remaining: OnceCell<Vec<Duration>>,
}

impl<'a> Round<'a> {
    /// Begins a round in which every question has been answered.
    pub fn new(nodes: Vec<&'a Snapshot>) -> Self {
        Self::beside(nodes, &OpenQuestions::default(), &BTreeSet::new())
    }

    /// Begins a round in which some questions have no answer yet and runs of an earlier round still go on. Tasks in a cycle are decided at
    /// once: they cannot be run. A disabled task closes no cycle, because a move of its bases does not run it.
    pub fn beside(
        nodes: Vec<&'a Snapshot>,
        asked: &OpenQuestions,
        running: &BTreeSet<TaskKey>,
    ) -> Self {
        let mut vertices: Vec<Vertex<'_>> = nodes.iter().map(|node| vertex(node)).collect();
        for (node, vertex) in nodes.iter().zip(&mut vertices) {
            if node.task.status == Status::Disabled {
                vertex.bases.clear();
            }
        }
        let graph = Graph::new(&vertices);
        let children = children(&graph.parents);
        let mut decisions = vec![Decision::Open; nodes.len()];
        for cycle in &graph.cycles {
            for n in cycle {
                let path = cycle.iter().map(|n| nodes[*n].task.key()).collect();
                decisions[*n] = Verdict::Cycle(path).into();
            }
        }
        let mut open: Vec<usize> = graph.parents.iter().map(Vec::len).collect();
        let decided = (0..nodes.len()).filter(|n| !decisions[*n].is_open());
        for child in decided.flat_map(|n| &children[n]) {
            open[*child] -= 1;
        }
        let mut waiting: BTreeMap<QuestionTarget, Vec<usize>> = BTreeMap::new();
        for (n, node) in nodes.iter().enumerate().filter(|_| !asked.is_empty()) {
            for one in awaited_by(node).filter(|one| asked.has(one)) {
                waiting.entry(one).or_default().push(n);
                open[n] += 1;
            }
        }
        let ready = (0..nodes.len()).filter(|n| open[*n] == 0 && decisions[*n].is_open());
        let keys = nodes.iter().enumerate().filter(|_| !running.is_empty());
        let busy = keys.filter(|(_, node)| running.contains(&node.task.key()));
        Self {
            busy: busy.map(|(n, _)| n).collect(),
            left_out: BTreeSet::new(),
            ready: ready.collect(),
            children,
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

    /// Limits the round to what a person asks to be run.
    #[must_use]
    pub fn of_selection(self, selection: Option<Selection>) -> Self {
        Self { selection, ..self }
    }

    /// Limits the round to a part of all tasks: what only a round over all tasks can decide is left to the next.
    pub fn of_part(self, part: Option<FamilySubset>) -> Self {
        Self { part, ..self }
    }

    pub fn families(&self) -> Families {
        Families::new(&self.nodes, &self.graph, &self.children)
    }

    /// Returns the number of tasks in the round.
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

    /// Decides tasks until one is to be run, and returns its job. `None` where no job can begin for now; if none is running either, the
    /// round is over.
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

    /// Tells whether only a round over all tasks can decide this: a base of the task was pushed by a task outside of this part.
    fn is_for_all(&self, verdict: &Verdict) -> bool {
        let moves = verdict
            .reasons()
            .map_or(&[][..], |reasons| reasons.moves.as_slice());
        let mut now = moves.iter().filter_map(|one| one.to.as_ref());
        let part = self.part.as_ref();
        part.is_some_and(|part| now.any(|digest| part.is_of_others(digest)))
    }

    /// Returns the tasks that are built on the images of a task, from what the files of all tasks name and what their last runs were built
    /// on.
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

    /// Returns, for each task, the longest time of its run and the chain of runs that follows from a move of its images: each run takes as
    /// long as the last of its task, or the average where there was none.
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

    /// Records that a question was answered, whatever the answer.
    pub fn answered(&mut self, awaited: &QuestionTarget) {
        for n in self.waiting.remove(awaited).unwrap_or_default() {
            self.let_go(n);
        }
    }

    /// Makes the tasks that are not decided yet and follow this tag wait for one more answer.
    pub fn await_answer(&mut self, awaited: QuestionTarget) {
        let QuestionTarget::Tag(tag) = &awaited else {
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

    /// Makes a task undecided again whose job has not begun: while it waited for its place, its bases may have moved, and its window may
    /// have closed.
    pub fn decide_again(&mut self, task: &TaskKey) {
        if let Some(n) = self.running.remove(task) {
            self.decisions[n] = Decision::Open;
            self.ready.insert(n);
        }
    }

    /// Changes the verdict of tasks whose pushed images are gone. Called once all answers are there, because no task waits for them.
    pub fn judge_outputs(&mut self, tags: &Tags, now: Timestamp) {
        for (node, decision) in self.nodes.iter().zip(&mut self.decisions) {
            if matches!(
                decision.verdict(),
                Some(Verdict::Current | Verdict::FollowsNothing | Verdict::TooYoung { .. })
            ) && let Some(missing) = node.missing_images(tags, now)
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
        let node = self.node_of(task);
        node.map_or_else(Vec::new, |node| node.baseline.dependencies.clone())
    }

    /// Returns the images that a task pushes under stable tags.
    pub fn pushes(&self, task: &TaskKey) -> Vec<Reference> {
        let mut nodes = self.nodes.iter();
        let is_it =
            |node: &&&Snapshot| node.task.name == task.name && node.task.registry == task.registry;
        let node = match self.running.get(task) {
            Some(n) => self.nodes.get(*n),
            None => nodes.find(is_it),
        };
        node.map_or_else(Vec::new, |node| node.pushes.to_vec())
    }

    /// Records how a job has ended. The task of a job that an earlier round began is left to the next round, unless it is decided already:
    /// this round's data on it is older than that run.
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

    /// Records that the builders of a task that was to be run do not answer: it is put off until they do.
    pub fn put_off(&mut self, task: &TaskKey, away: Vec<AwayBuilder>) {
        self.decide_otherwise(task, |reasons| Verdict::NoBuilder { away, reasons });
    }

    /// Records that a registry did not answer the run of a task, which is repeated when it does.
    pub fn had_no_answer(&mut self, task: &TaskKey, problem: Problem) {
        let problems = vec![problem];
        self.decide_otherwise(task, |reasons| Verdict::Unknown { problems, reasons });
    }

    /// Changes the verdict about a task that was to be run.
    fn decide_otherwise(&mut self, task: &TaskKey, verdict: impl FnOnce(Reasons) -> Verdict) {
        let Some(n) = self.running.remove(task) else {
            return;
        };
        let decided = self.decisions[n].verdict();
        let reasons = decided.and_then(Verdict::reasons).cloned();
        self.decisions[n] = verdict(reasons.unwrap_or_default()).into();
        self.let_children_go(n);
    }

    /// Returns the data on a task that a job of this round runs, or is to run.
    pub fn node_of(&self, task: &TaskKey) -> Option<&'a Snapshot> {
        self.running.get(task).map(|n| self.nodes[*n])
    }

    /// Returns the index of a task that a job of an earlier round runs.
    fn busy_number(&self, task: &TaskKey) -> Option<usize> {
        let mut busy = self.busy.iter().copied();
        busy.find(|n| self.nodes[*n].task.key() == *task)
    }

    fn let_children_go(&mut self, parent: usize) {
        for n in 0..self.children[parent].len() {
            self.let_go(self.children[parent][n]);
        }
    }

    /// Reduces the count of what a task waits for. Tasks in a cycle are decided already.
    fn let_go(&mut self, n: usize) {
        self.open[n] -= 1;
        if self.open[n] == 0 && self.decisions[n].is_open() && !self.left_out.contains(&n) {
            self.ready.insert(n);
        }
    }

    /// Returns those images that a task pushes on which undecided tasks depend; also for a run that an earlier round began.
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

    /// Returns the verdict of every decided task, in the order given, with how its run ended.
    pub fn verdicts(&self) -> impl Iterator<Item = (&'a Snapshot, &Verdict, Option<Outcome>)> {
        self.nodes
            .iter()
            .zip(&self.decisions)
            .zip(&self.outcomes)
            .filter_map(|((node, decision), outcome)| Some((*node, decision.verdict()?, *outcome)))
    }

    /// Returns the verdict of each task, in the order given; `None` for those that were left out.
    pub fn decisions(&self) -> impl Iterator<Item = Option<&Verdict>> {
        self.decisions.iter().map(Decision::verdict)
    }

    /// Returns the tags whose moves were reasons of runs.
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

    /// Returns when something is due even if no tag moves: a timer, the next try of a failed task, the end of a wait.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let timers = self.nodes.iter().map(|node| node.next_timer(now));
        let verdicts = self.decisions().flatten().map(Verdict::until);
        let away = self.nodes.iter().map(|node| node.baseline.away.as_ref());
        let away = away.map(|away| Some(away?.run.next_try).filter(|time| *time > now));
        timers.chain(verdicts).chain(away).flatten().min()
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

    /// Decides what a task needs, regardless of its windows.
    fn decide_at_any_time(&self, n: usize, tags: &Tags, now: Timestamp) -> Verdict {
        let mut verdict = self.nodes[n].decide(tags, now);
        if let Some(selection) = self.selection
            && selection.takes(self.nodes[n], &verdict)
        {
            // It is not built on images that are too young.
            let known = verdict.reasons().cloned();
            let known = known.filter(|_| !matches!(verdict, Verdict::TooYoung { .. }));
            let mut reasons = known.unwrap_or_default();
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
            // A timer fires whatever the state of the bases: a parent that fails every night must not keep its children from their timers.
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

    /// Tells whether a move of the parent's image would run the child: only then does the child wait for the parent.
    fn is_followed(&self, child: usize, parent: usize) -> bool {
        let pushes = &self.nodes[parent].pushes;
        self.nodes[child]
            .followed()
            .any(|(tag, _)| pushes.contains(tag))
    }

    /// Tells whether the children of this task must wait for it: it should have been rebuilt, and was not.
    ///
    /// A failed parent, or one in a cycle, holds back only a child for which nothing else moved. A closed window of the parent, or a base of
    /// it that is too young, holds back no child: the child's own windows and minimum age decide.
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
                | Verdict::Canceled { .. }
                | Verdict::NoBuilder { .. },
                None,
            ) => moved,
            (Verdict::Settling { .. }, None) => !reasons.is_empty(),
            (Verdict::Waiting { .. }, None) => true,
            // Of a cycle that only digests show, each task has been run.
            (Verdict::Cycle(_), None) => {
                let mut cycles = self.graph.cycles.iter();
                reasons.is_empty() && cycles.any(|cycle| cycle.contains(&parent))
            }
            _ => false,
        }
    }

    /// Returns a cycle of tasks that only digests show: the new image of a base is what the task itself pushed, under an undeclared name of
    /// its registry, or what another task pushed that depends on this one in the same way.
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
            // While tasks push and tags are looked at side by side, one of the two may be older than what the base's task pushed last.
            let above = self.nodes[maker].followed();
            let above = above.flat_map(|(tag, dependency)| {
                let seen = tags.get(tag).and_then(|record| record.digest.as_ref());
                [seen, dependency.image.digest.as_ref()]
            });
            let above = above.flatten().collect();
            if maker == goal || self.leads_back(goal, above, tags, seen, path) {
                return true;
            }
            path.pop();
        }
        false
    }

    /// Returns the tasks that pushed each digest last: several tasks may make the same image. A task that copies is left out, because the
    /// copy has the digest of its source.
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

/// Returns the questions without whose answers a task cannot be decided.
pub fn awaited_by(node: &Snapshot) -> impl Iterator<Item = QuestionTarget> {
    let tags = node
        .followed()
        .map(|(tag, _)| QuestionTarget::Tag(tag.clone()));
    let source = node.source().cloned().map(QuestionTarget::Source);
    tags.chain(source)
}

/// Returns what a task pushes and depends on, for the graph: the bases of its last run and those of the next. A task that copies a base
/// comes before the tasks that use the copy.
pub fn vertex(node: &Snapshot) -> Vertex<'_> {
    let bases = node.bases.iter().flatten().chain(&node.added);
    let bases = bases.chain(&node.mirrors);
    Vertex {
        pushes: &node.pushes,
        bases: bases.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        task::{Cause, Dependency, DependencyKind, ImageDescriptor, Manifests, RunId, Task},
        watch::{Baseline, Built, FailedLook, LookErrorKind, Observation, Reading, Snapshot},
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

    /// A baseline of a run that was built on version `on` of these images.
    fn built(bases: &[&str], on: &str) -> Baseline {
        let dependencies = bases
            .iter()
            .map(|base| Dependency {
                image: ImageDescriptor::new(&image(base), Some(digest(base, on))),
                kind: DependencyKind::Runtime,
                manifests: Manifests::new(),
                is_local: false,
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
        observe(tags, name, digest(name, version));
    }

    fn observe(tags: &mut Tags, name: &str, digest: Digest) {
        let seen = Observation {
            digest,
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
        /// Plays one round; a run that succeeds pushes version `new`. Returns the tasks run, in order, and every verdict.
        fn play(&mut self) -> (Vec<String>, Vec<(String, &'static str)>) {
            let snapshots = snapshots(&self.tasks);
            let mut round = Round::new(snapshots.iter().collect());
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
    fn moved_base_rebuilds_the_whole_chain_in_one_round() {
        assert_eq!(chain().play().0, ["app", "site"]);
    }

    #[test]
    fn round_without_a_moved_base_runs_nothing() {
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
    fn failed_parent_makes_its_stale_child_wait() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "base"], "old");
        story.failing = vec!["app"];
        let (ran, verdicts) = story.play();
        assert_eq!(ran, ["app"]);
        assert_eq!(verdicts[0], ("site".into(), "waiting"));
    }

    #[test]
    fn diamond_of_four_tasks_makes_four_runs() {
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

    /// The same task, with a window of one hour of the day.
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
    fn closed_window_of_a_parent_does_not_delay_a_child_with_its_own_moved_base() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "base"], "old");
        story.tasks[1].0 = in_hour(task("app"), 5);
        assert_eq!(story.play().0, ["site"]);
    }

    #[test]
    fn closed_window_sets_the_next_due_time_and_does_not_delay_a_manual_run() {
        let mut story = chain();
        story.tasks[1].0 = in_hour(task("app"), 5);
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<&Snapshot> = snapshots.iter().collect();
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

    /// A task whose bases must be a hundred seconds old.
    fn aged(name: &str, bases: &[&str]) -> Snapshot {
        let mut baseline = built(bases, "old");
        let output = ImageDescriptor::new(&image(name), Some(digest(name, "old")));
        baseline.outputs = vec![output];
        let mut node = Snapshot::new(task(name), baseline, Clone::clone);
        node.set_min_ages(|_| jiff::SignedDuration::from_secs(100));
        node
    }

    #[test]
    fn base_that_is_too_young_hides_neither_changed_nor_broken_files_nor_a_missing_image() {
        let mut node = aged("app", &["base"]);
        let mut tags = seeing(&[("base", "new")]);
        assert_eq!(node.decide(&tags, at(2)).word(), "settling");
        for (reading, word) in [
            (
                Reading {
                    changed: Some(vec![image("other")]),
                    ..Reading::default()
                },
                "changed",
            ),
            (
                Reading {
                    problem: Some("no such file".into()),
                    ..Reading::default()
                },
                "unknown",
            ),
        ] {
            node.reading = Some(Box::new(reading));
            assert_eq!(node.decide(&tags, at(2)).word(), word);
        }
        node.reading = None;
        let mut round = Round::new(vec![&node]);
        assert_eq!(round.next(&tags, at(2)), None);
        let gone = FailedLook {
            kind: LookErrorKind::Absent,
            ..FailedLook::unknown("no such tag")
        };
        tags.miss(&image("app"), gone, at(3));
        round.judge_outputs(&tags, at(3));
        let words: Vec<&str> = round.verdicts().map(|(_, v, _)| v.word()).collect();
        assert_eq!(words, ["image-missing"]);
    }

    #[test]
    fn base_of_a_parent_that_is_too_young_delays_no_child_with_its_own_moved_base() {
        let site = Snapshot::new(task("site"), built(&["app", "tool"], "old"), Clone::clone);
        let app = aged("app", &["base"]);
        let tags = seeing(&[("base", "new"), ("app", "old"), ("tool", "new")]);
        let mut round = Round::new(vec![&site, &app]);
        let job = round.next(&tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "site");
        assert_eq!(round.next(&tags, at(2)), None);
    }

    #[test]
    fn task_with_a_base_that_is_too_young_is_run_by_hand_with_all_tasks_on_the_old_base() {
        let mut app = aged("app", &["base"]);
        let tags = seeing(&[("base", "new")]);
        let next = |app: &Snapshot, selection: Selection| {
            let mut round = Round::new(vec![app]).of_selection(Some(selection));
            round.next(&tags, at(2))
        };
        let [all, stale, failed] = [0, 1, 2].map(|which| Selection {
            all: which == 0,
            stale: which == 1,
            failed: which == 2,
        });
        let job = next(&app, all).unwrap();
        assert_eq!(job.pins, [(image("base"), digest("base", "old"))]);
        assert_eq!(job.reasons.cause(), Cause::Manual);
        assert_eq!(next(&app, stale), None);
        assert_eq!(next(&app, failed), None);
        app.baseline
            .failed(RunId::new(2), BTreeMap::new(), None, at(1));
        assert!(next(&app, failed).is_some());
    }

    #[test]
    fn run_that_waited_for_a_job_slot_is_decided_again() {
        let mut story = chain();
        story.tasks[1].0 = in_hour(task("app"), 0);
        let snapshots = snapshots(&story.tasks);
        let mut round = Round::new(snapshots.iter().collect());
        let job = round.next(&story.tags, at(2)).unwrap();
        assert_eq!(job.decided, at(2));
        // Its base has moved again, in an answer that came later.
        round.decide_again(&job.task);
        let awaited = QuestionTarget::Tag(image("base"));
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
    fn unreachable_base_is_unknown_and_other_tasks_run() {
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
            .miss(&image("far"), FailedLook::unknown("no answer"), at(1));
        let (ran, verdicts) = story.play();
        assert_eq!(ran, ["app"]);
        assert_eq!(verdicts[0], ("cut-off".into(), "unknown"));
    }

    #[test]
    fn tasks_of_a_dependency_cycle_are_never_run() {
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
    fn never_run_and_disabled_tasks_are_not_run() {
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
        let nodes = snapshots.iter();
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
    fn tag_of_many_tasks_is_requested_once() {
        let tasks: Vec<(Task, Baseline)> = (0..50)
            .map(|n| (task(&format!("t{n}")), built(&["base"], "old")))
            .collect();
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter();
        assert_eq!(Round::new(nodes.collect()).tags(), [image("base")]);
    }

    #[test]
    fn failed_parent_makes_a_child_without_its_own_change_wait() {
        let mut story = chain();
        story.failing = vec!["app"];
        let (ran, verdicts) = story.play();
        assert_eq!(ran, ["app"]);
        assert_eq!(verdicts[0], ("site".into(), "waiting"));
    }

    #[test]
    fn rebuilt_parent_with_an_unchanged_digest_rebuilds_no_child() {
        let story = chain();
        let snapshots = snapshots(&story.tasks);
        let nodes = snapshots.iter();
        let mut round = Round::new(nodes.collect());
        let job = round.next(&story.tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "app");
        round.finished(&job.task, Outcome::Succeeded);
        assert_eq!(round.next(&story.tags, at(2)), None);
        let words: Vec<&str> = round.verdicts().map(|(_, v, _)| v.word()).collect();
        assert_eq!(words, ["current", "stale"]);
    }

    #[test]
    fn independent_tasks_run_in_parallel_and_their_dependant_after_both() {
        let tasks = [
            (task("top"), built(&["left", "right"], "old")),
            (task("left"), built(&["base"], "old")),
            (task("right"), built(&["base"], "old")),
        ];
        let mut tags = seeing(&[("base", "new"), ("left", "old"), ("right", "old")]);
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter();
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
    fn child_of_a_debounced_parent_waits_and_a_timer_does_not() {
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
        let nodes = snapshots.iter();
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
    fn hanging_registry_delays_only_its_own_tasks() {
        let tasks = [
            (task("slow"), built(&["far"], "old")),
            (task("quick"), built(&["base"], "old")),
            (task("child"), built(&["quick", "far"], "old")),
        ];
        let mut tags = seeing(&[("base", "new"), ("quick", "old")]);
        let snapshots = snapshots(&tasks);
        let nodes = snapshots.iter();
        let far = QuestionTarget::Tag(image("far"));
        let mut asked = OpenQuestions::default();
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
    fn child_waits_for_a_new_lookup_of_the_tag_its_parent_pushed() {
        let story = chain();
        let snapshots = snapshots(&story.tasks);
        let mut round = Round::new(snapshots.iter().collect());
        let job = round.next(&story.tags, at(2)).unwrap();
        let wanted = round.wanted_images(&job.task);
        assert_eq!(wanted, [image("app")]);
        let look = QuestionTarget::Tag(image("app"));
        round.await_answer(look.clone());
        round.finished(&job.task, Outcome::Succeeded);
        assert_eq!(round.next(&story.tags, at(2)), None);
        let mut tags = story.tags;
        see(&mut tags, "app", "new");
        round.answered(&look);
        assert_eq!(round.next(&tags, at(2)).unwrap().task.to_string(), "site");
    }

    #[test]
    fn task_running_in_an_earlier_round_is_not_run_again_and_its_stale_child_waits() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "base"], "old");
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<&Snapshot> = snapshots.iter().collect();
        let running = BTreeSet::from([story.tasks[1].0.key()]);
        let mut round = Round::beside(nodes, &OpenQuestions::default(), &running);
        assert_eq!(round.next(&story.tags, at(2)), None);
        let verdicts = round.verdicts();
        let words: Vec<_> = verdicts.map(|(_, it, end)| (it.word(), end)).collect();
        assert_eq!(words, [("waiting", None), ("stale", Some(Outcome::Busy))]);
    }

    #[test]
    fn task_whose_run_ends_before_its_decision_is_left_to_the_next_round() {
        let story = chain();
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<&Snapshot> = snapshots.iter().collect();
        let (app, base) = (story.tasks[1].0.key(), QuestionTarget::Tag(image("base")));
        let mut asked = OpenQuestions::default();
        asked.ask(base.clone(), at(1));
        let mut round = Round::beside(nodes, &asked, &BTreeSet::from([app.clone()]));
        assert_eq!(round.next(&story.tags, at(2)), None);
        round.finished(&app, Outcome::Succeeded);
        round.answered(&base);
        assert_eq!(round.next(&story.tags, at(2)), None);
        assert_eq!(round.verdicts().count(), 0);
    }

    #[test]
    fn undecided_child_waits_for_a_new_lookup_of_a_tag_pushed_in_an_earlier_round() {
        let mut story = chain();
        story.tasks[0].1 = built(&["app", "far"], "old");
        let snapshots = snapshots(&story.tasks);
        let nodes: Vec<&Snapshot> = snapshots.iter().collect();
        let (app, far) = (story.tasks[1].0.key(), QuestionTarget::Tag(image("far")));
        let mut asked = OpenQuestions::default();
        asked.ask(far.clone(), at(1));
        let mut round = Round::beside(nodes, &asked, &BTreeSet::from([app.clone()]));
        assert_eq!(round.next(&story.tags, at(2)), None);
        assert_eq!(round.wanted_images(&app), [image("app")]);
        let look = QuestionTarget::Tag(image("app"));
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

    /// Adds to a baseline that the task pushed this version of its image.
    fn having_pushed(mut baseline: Baseline, name: &str, version: &str) -> Baseline {
        baseline.outputs = vec![ImageDescriptor::new(
            &image(name),
            Some(digest(name, version)),
        )];
        baseline
    }

    fn verdicts_of(tasks: &[(Task, Baseline)], tags: &Tags) -> Vec<&'static str> {
        let snapshots = snapshots(tasks);
        let mut round = Round::new(snapshots.iter().collect());
        assert_eq!(round.next(tags, at(2)), None);
        round
            .verdicts()
            .map(|(_, verdict, _)| verdict.word())
            .collect()
    }

    #[test]
    fn task_that_is_built_on_a_cycle_waits_for_the_task_that_makes_its_base() {
        let tasks = [
            (task("a"), built(&["b"], "1")),
            (task("b"), built(&["a"], "1")),
            (task("c"), built(&["b"], "1")),
            (task("d"), built(&["c"], "1")),
        ];
        let tags = seeing(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let words = ["cycle", "cycle", "waiting", "waiting"];
        assert_eq!(verdicts_of(&tasks, &tags), words);
        let snapshots = snapshots(&tasks);
        let mut round = Round::new(snapshots.iter().collect());
        round.next(&tags, at(2));
        let on = vec![task("b").key()];
        let reasons = Reasons::default();
        let waits = Verdict::Waiting { on, reasons };
        assert_eq!(round.decisions().nth(2), Some(Some(&waits)));
    }

    #[test]
    fn disabled_task_closes_no_cycle() {
        let mut tasks = [
            (task("a"), built(&["b"], "1")),
            (task("b"), built(&["a"], "1")),
        ];
        tasks[0].0.status = Status::Disabled;
        let tags = seeing(&[("a", "1"), ("b", "1")]);
        assert_eq!(verdicts_of(&tasks, &tags), ["disabled", "current"]);
    }

    #[test]
    fn base_that_moved_to_an_image_of_the_task_itself_is_a_cycle() {
        let baseline = having_pushed(built(&["alias"], "old"), "a", "new");
        let mut tags = Tags::default();
        observe(&mut tags, "alias", digest("a", "new"));
        assert_eq!(verdicts_of(&[(task("a"), baseline)], &tags), ["cycle"]);
    }

    #[test]
    fn cycle_is_detected_when_another_task_pushed_the_same_image() {
        let baseline = having_pushed(built(&["alias"], "old"), "a", "new");
        let tasks = [(task("a"), baseline.clone()), (task("b"), baseline)];
        let mut tags = Tags::default();
        observe(&mut tags, "alias", digest("a", "new"));
        assert_eq!(verdicts_of(&tasks, &tags), ["cycle", "cycle"]);
    }

    #[test]
    fn tasks_on_each_other_under_aliases_are_a_cycle() {
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
            observe(&mut tags, &format!("alias-{name}"), digest(name, "new"));
        }
        assert_eq!(verdicts_of(&tasks, &tags), ["cycle", "cycle"]);
    }

    #[test]
    fn cycle_under_aliases_is_found_while_one_of_its_tags_has_not_been_looked_at_again() {
        let a = having_pushed(built(&["alias-b"], "old"), "a", "new");
        let mut b = having_pushed(built(&["alias-a"], "old"), "b", "new");
        b.dependencies[0].image.digest = Some(digest("a", "new"));
        let tasks = [(task("a"), a), (task("b"), b)];
        let mut tags = Tags::default();
        observe(&mut tags, "alias-b", digest("b", "new"));
        assert_eq!(verdicts_of(&tasks, &tags), ["cycle", "unknown"]);
    }

    #[test]
    fn run_duration_is_estimated_from_the_last_runs_or_the_average() {
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
        let round = Round::new(snapshots.iter().collect());
        let seconds: Vec<u64> = round.remaining().iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [70, 60, 30, 50]);
    }

    #[test]
    fn job_knows_its_dependants_and_the_duration_of_the_chain_behind_it() {
        let loaded = [
            Snapshot::new(task("a"), built(&["base"], "old"), Clone::clone),
            Snapshot::new(task("b"), built(&["a", "base"], "old"), Clone::clone),
            Snapshot::new(task("c"), built(&["b"], "old"), Clone::clone),
            Snapshot::new(task("lone"), built(&["base"], "old"), Clone::clone),
        ];
        let mut tags = Tags::default();
        for (name, now) in [("base", "new"), ("a", "old"), ("b", "old")] {
            see(&mut tags, name, now);
        }
        let mut round = Round::new(loaded.iter().collect());
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
