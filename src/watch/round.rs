//! One round over all tasks: what is run, in which order, and what waits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    image::{Digest, Reference},
    task::{Task, TaskKey},
};

use super::{
    decide::{Reasons, Verdict, followed, tag_of},
    graph::{Graph, Vertex},
    known::Known,
    tags::Tags,
};

/// A task with what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Its definition.
    pub task: &'a Task,
    /// What its last successful run stood on.
    pub known: &'a Known,
    /// What its Dockerfile and definition are now; only needed while it fails.
    pub inputs: Option<&'a Digest>,
}

/// How a task's run in this round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, and its images are pushed.
    Succeeded,
    /// It did not.
    Failed,
    /// It was not started, because a run of it is going on already.
    Busy,
}

/// A run that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The task.
    pub task: TaskKey,
    /// Why.
    pub reasons: Reasons,
}

/// One round: every task is decided once, after all tasks whose images it stands on.
///
/// It starts nothing and waits for nothing. The caller makes each [`Job`], one after the other or side by side; when one has ended, it
/// looks again at the tags that the job pushed, and then says how it ended. Only that lets the tasks that stand on it be decided.
#[derive(Debug)]
pub struct Round<'a> {
    nodes: Vec<Node<'a>>,
    graph: Graph,
    children: Vec<Vec<usize>>,
    /// For each task, how many of those that it stands on have yet to be decided or to end.
    open: Vec<usize>,
    ready: BTreeSet<usize>,
    running: BTreeMap<TaskKey, usize>,
    verdicts: Vec<Option<Verdict>>,
    outcomes: Vec<Option<Outcome>>,
}

impl<'a> Round<'a> {
    /// Begins a round. Tasks in a cycle are decided at once: nothing can be done about them.
    #[must_use]
    pub fn new(nodes: Vec<Node<'a>>) -> Self {
        let vertices: Vec<Vertex> = nodes.iter().map(vertex).collect();
        let graph = Graph::new(&vertices);
        let mut verdicts = vec![None; nodes.len()];
        for cycle in &graph.cycles {
            for n in cycle {
                let path = cycle.iter().map(|n| nodes[*n].task.key()).collect();
                verdicts[*n] = Some(Verdict::Cycle(path));
            }
        }
        let open: Vec<usize> = graph.parents.iter().map(Vec::len).collect();
        let ready = graph.order.iter().copied().filter(|n| open[*n] == 0);
        Self {
            ready: ready.collect(),
            children: graph.children(),
            open,
            running: BTreeMap::new(),
            outcomes: vec![None; nodes.len()],
            verdicts,
            graph,
            nodes,
        }
    }

    /// Returns the tags that must be looked at, each once.
    #[must_use]
    pub fn tags(&self) -> Vec<Reference> {
        let mut tags: Vec<Reference> = self
            .nodes
            .iter()
            .flat_map(|node| followed(node).map(|(tag, _)| tag))
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
            let reasons = match &verdict {
                Verdict::Stale(reasons) => Some(reasons.clone()),
                _ => None,
            };
            self.verdicts[n] = Some(verdict);
            if let Some(reasons) = reasons {
                let task = self.nodes[n].task.key();
                self.running.insert(task.clone(), n);
                return Some(Job { task, reasons });
            }
            self.let_children_go(n);
        }
        None
    }

    /// Takes in how a job has ended.
    pub fn finished(&mut self, task: &TaskKey, outcome: Outcome) {
        if let Some(n) = self.running.remove(task) {
            self.outcomes[n] = Some(outcome);
            self.let_children_go(n);
        }
    }

    fn let_children_go(&mut self, parent: usize) {
        for child in &self.children[parent] {
            self.open[*child] -= 1;
            if self.open[*child] == 0 {
                self.ready.insert(*child);
            }
        }
    }

    /// Tells whether a task that has yet to be decided stands on one of `images`.
    #[must_use]
    pub fn is_stood_on(&self, images: &[Reference]) -> bool {
        let undecided = self.nodes.iter().zip(&self.verdicts);
        undecided
            .filter(|(_, verdict)| verdict.is_none())
            .any(|(node, _)| followed(node).any(|(tag, _)| images.contains(&tag)))
    }

    /// Returns what was decided for every task, in the order given, with how its run ended.
    pub fn verdicts(&self) -> impl Iterator<Item = (&Node<'a>, &Verdict, Option<Outcome>)> {
        self.nodes
            .iter()
            .zip(&self.verdicts)
            .zip(&self.outcomes)
            .filter_map(|((node, verdict), outcome)| Some((node, verdict.as_ref()?, *outcome)))
    }

    /// Returns the tags whose moves were the reason of a run.
    #[must_use]
    pub fn built_on(&self) -> BTreeSet<Reference> {
        let verdicts = self.verdicts.iter().flatten();
        let reasons = verdicts.filter_map(|verdict| match verdict {
            Verdict::Stale(reasons) => Some(reasons),
            _ => None,
        });
        reasons
            .flat_map(|reasons| reasons.moves.iter().map(|one| one.tag.clone()))
            .collect()
    }

    /// Returns when something will be due without any tag moving: a timer, the next try of a task that failed, the end of a wait.
    #[must_use]
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let timers = self.nodes.iter().map(|node| node.next_timer(now));
        let verdicts = self.verdicts.iter().flatten().map(Verdict::until);
        timers.chain(verdicts).flatten().min()
    }

    fn decide(&self, n: usize, tags: &Tags, now: Timestamp) -> Verdict {
        let verdict = self.nodes[n].decide(tags, now);
        let reasons = match &verdict {
            // A timer is no matter of what is current: a parent that fails every night must not keep its children from theirs.
            Verdict::Stale(reasons) if reasons.timers.is_empty() => reasons.clone(),
            Verdict::Current => Reasons::default(),
            _ => return verdict,
        };
        let on: Vec<TaskKey> = self.graph.parents[n]
            .iter()
            .filter(|parent| self.is_followed(n, **parent) && self.holds_back(**parent, &reasons))
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
        let pushes = self.nodes[parent].task.stable_images();
        followed(&self.nodes[child]).any(|(tag, _)| pushes.contains(&tag))
    }

    /// Tells whether what stands on this task must wait for it: it should have been rebuilt, and was not.
    ///
    /// A child that nothing else moved is only held back by a failure: whatever else its parent waits for will pass.
    fn holds_back(&self, parent: usize, reasons: &Reasons) -> bool {
        let Some(verdict) = &self.verdicts[parent] else {
            return false;
        };
        let moved = verdict
            .reasons()
            .is_some_and(|reasons| !reasons.moves.is_empty());
        match (verdict, self.outcomes[parent]) {
            (_, Some(Outcome::Succeeded)) => false,
            (_, Some(Outcome::Failed)) => moved,
            (_, Some(Outcome::Busy)) => !reasons.is_empty(),
            (Verdict::Unknown { .. } | Verdict::BackingOff { .. }, None) => moved,
            (Verdict::Settling { .. }, None) => !reasons.is_empty(),
            (Verdict::Waiting { .. }, None) => true,
            _ => false,
        }
    }
}

/// Returns what a task pushes and stands on, for the graph.
#[must_use]
pub fn vertex(node: &Node<'_>) -> Vertex {
    Vertex {
        pushes: node.task.stable_images(),
        bases: node
            .known
            .dependencies
            .iter()
            .flat_map(|dependency| {
                let mirror = dependency.mirror.as_ref();
                // What makes the copy goes first, so that the copy is there when it is wanted.
                tag_of(&dependency.image)
                    .into_iter()
                    .chain(mirror.map(|mirror| mirror.image.clone()))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Built;
    use crate::{
        task::{Dependency, DependencyKind, ImageDescriptor, Manifests, RunId},
        watch::tags::Observation,
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
    fn built(bases: &[&str], on: &str) -> Known {
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
        Known::succeeded(RunId::new(1), built, at(0))
    }

    fn digest(name: &str, version: &str) -> Digest {
        Digest::of(format!("{name} {version}").as_bytes())
    }

    fn see(tags: &mut Tags, name: &str, version: &str) {
        let seen = Observation {
            digest: digest(name, version),
            manifests: Manifests::new(),
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

    struct Story {
        tasks: Vec<(Task, Known)>,
        tags: Tags,
        failing: Vec<&'static str>,
    }

    impl Story {
        /// Plays one round; what succeeds pushes version `new`. Returns the tasks run, in order, and every verdict.
        fn play(&mut self) -> (Vec<String>, Vec<(String, &'static str)>) {
            let nodes = self.tasks.iter().map(|(task, known)| Node {
                task,
                known,
                inputs: None,
            });
            let mut round = Round::new(nodes.collect());
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
            .miss(&image("far"), "no answer".into(), None, at(1));
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
                (task("fresh"), Known::default()),
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
        let nodes = tasks.iter().map(|(task, known)| Node {
            task,
            known,
            inputs: None,
        });
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
        let tasks: Vec<(Task, Known)> = (0..50)
            .map(|n| (task(&format!("t{n}")), built(&["base"], "old")))
            .collect();
        let nodes = tasks.iter().map(|(task, known)| Node {
            task,
            known,
            inputs: None,
        });
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
        let nodes = story.tasks.iter().map(|(task, known)| Node {
            task,
            known,
            inputs: None,
        });
        let mut round = Round::new(nodes.collect());
        let job = round.next(&story.tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "app");
        round.finished(&job.task, Outcome::Succeeded);
        assert_eq!(round.next(&story.tags, at(2)), None);
        let words: Vec<&str> = round.verdicts().map(|(_, v, _)| v.word()).collect();
        assert_eq!(words, ["current", "stale"]);
    }

    #[test]
    fn jobs_go_on_side_by_side_where_no_task_stands_on_the_other() {
        let tasks = [
            (task("top"), built(&["left", "right"], "old")),
            (task("left"), built(&["base"], "old")),
            (task("right"), built(&["base"], "old")),
        ];
        let mut tags = seeing(&[("base", "new"), ("left", "old"), ("right", "old")]);
        let nodes = tasks.iter().map(|(task, known)| Node {
            task,
            known,
            inputs: None,
        });
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
        let mut tags = Tags::default().settling(jiff::SignedDuration::from_secs(60));
        for (name, version) in [("base", "new"), ("app", "old"), ("other", "new")] {
            see(&mut tags, name, version);
        }
        let nodes = tasks.iter().map(|(task, known)| Node {
            task,
            known,
            inputs: None,
        });
        let mut round = Round::new(nodes.collect());
        let job = round.next(&tags, at(2)).unwrap();
        assert_eq!(job.task.to_string(), "timed");
        assert_eq!(job.reasons.moves.len(), 1);
        assert_eq!(round.next(&tags, at(2)), None);
        let words: Vec<&str> = round.verdicts().map(|(_, v, _)| v.word()).collect();
        assert_eq!(words, ["settling", "settling", "stale"]);
        assert_eq!(round.next_due(at(2)), Some(at(60)));
    }
}
