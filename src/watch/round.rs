//! One round over all tasks: what is run, in which order, and what waits.

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
/// It starts nothing and waits for nothing. The caller makes each [`Job`], looks again at the tags that it pushed, and says
/// how it ended before it asks for the next.
#[derive(Debug)]
pub struct Round<'a> {
    nodes: Vec<Node<'a>>,
    graph: Graph,
    next: usize,
    verdicts: Vec<Option<Verdict>>,
    outcomes: Vec<Option<Outcome>>,
    running: Option<usize>,
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
        let count = nodes.len();
        Self {
            nodes,
            graph,
            next: 0,
            verdicts,
            outcomes: vec![None; count],
            running: None,
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

    /// Decides tasks until one is to be run, and returns that one. `None` ends the round.
    pub fn next(&mut self, tags: &Tags, now: Timestamp) -> Option<Job> {
        while let Some(n) = self.graph.order.get(self.next).copied() {
            self.next += 1;
            let verdict = self.decide(n, tags, now);
            let job = match &verdict {
                Verdict::Stale(reasons) => Some(Job {
                    task: self.nodes[n].task.key(),
                    reasons: reasons.clone(),
                }),
                _ => None,
            };
            self.verdicts[n] = Some(verdict);
            if job.is_some() {
                self.running = Some(n);
                return job;
            }
        }
        None
    }

    /// Takes in how the job that [`Round::next`] gave last has ended.
    pub fn finished(&mut self, outcome: Outcome) {
        if let Some(n) = self.running.take() {
            self.outcomes[n] = Some(outcome);
        }
    }

    /// Tells whether a task that has yet to be decided stands on one of `images`.
    #[must_use]
    pub fn is_stood_on(&self, images: &[Reference]) -> bool {
        self.graph.order[self.next.min(self.graph.order.len())..]
            .iter()
            .any(|n| followed(&self.nodes[*n]).any(|(tag, _)| images.contains(&tag)))
    }

    /// Returns what was decided for every task, in the order given, with how its run ended.
    pub fn verdicts(&self) -> impl Iterator<Item = (&Node<'a>, &Verdict, Option<Outcome>)> {
        self.nodes
            .iter()
            .zip(&self.verdicts)
            .zip(&self.outcomes)
            .filter_map(|((node, verdict), outcome)| Some((node, verdict.as_ref()?, *outcome)))
    }

    fn decide(&self, n: usize, tags: &Tags, now: Timestamp) -> Verdict {
        let verdict = self.nodes[n].decide(tags, now);
        let Verdict::Stale(reasons) = verdict else {
            return verdict;
        };
        // A timer is no matter of what is current: a parent that fails every night must not keep its children from theirs.
        if !reasons.timers.is_empty() {
            return Verdict::Stale(reasons);
        }
        let on: Vec<TaskKey> = self.graph.parents[n]
            .iter()
            .filter(|parent| self.is_followed(n, **parent) && self.holds_back(**parent))
            .map(|parent| self.nodes[*parent].task.key())
            .collect();
        if on.is_empty() {
            Verdict::Stale(reasons)
        } else {
            Verdict::Waiting { on, reasons }
        }
    }

    /// Tells whether a move of the parent's image would run the child: only then is the parent worth waiting for.
    fn is_followed(&self, child: usize, parent: usize) -> bool {
        let pushes = self.nodes[parent].task.stable_images();
        followed(&self.nodes[child]).any(|(tag, _)| pushes.contains(&tag))
    }

    /// Tells whether what stands on this task must wait for it: it should have been run, and was not, or failed.
    fn holds_back(&self, n: usize) -> bool {
        match (&self.verdicts[n], self.outcomes[n]) {
            (_, Some(Outcome::Failed | Outcome::Busy)) => true,
            (_, Some(Outcome::Succeeded)) => false,
            (Some(Verdict::Unknown { reasons, .. }), None) => !reasons.is_empty(),
            (Some(Verdict::BackingOff { .. } | Verdict::Waiting { .. }), None) => true,
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
            .filter_map(|dependency| tag_of(&dependency.image))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            })
            .collect();
        Known::succeeded(RunId::new(1), dependencies, vec![], at(0))
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
                    round.finished(Outcome::Failed);
                } else {
                    see(&mut self.tags, &name, "new");
                    round.finished(Outcome::Succeeded);
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
        round.finished(Outcome::Succeeded);
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
}
