//! The dependency graph: the tasks, the images that they are built on, and the state of each.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    error::Result,
    image::Reference,
    task::{TaskKey, shared_names},
    watch::{
        Snapshot, State, Tags,
        graph::{Graph, children},
        round::vertex,
    },
};

use super::{
    App, EventSink,
    check::{load_with_tags, simulated, state_of},
    joined::{counted, joined},
    look::TagSubscriptions,
    show::with_runs,
};

/// A node: a task, or an image that no task makes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GraphNode {
    /// The image, or the name of the task, with its registry if several tasks have this name.
    pub name: String,
    /// `base` or `task`.
    pub kind: &'static str,
    /// The task, if it is one.
    #[serde(skip)]
    pub key: Option<TaskKey>,
    /// The state of a task, as far as it is known without asking a registry.
    pub state: Option<State>,
    /// How many tasks are rebuilt when it changes.
    pub rebuilds: usize,
}

impl GraphNode {
    /// Returns the note beside its name: its state, and how many tasks are rebuilt when it changes.
    pub fn note(&self) -> String {
        let images = counted(self.rebuilds, "image");
        let rebuilds = (self.rebuilds > 0).then(|| format!("rebuilds {images}"));
        let state = self.state.map(|state| state.word().to_owned());
        joined(state.into_iter().chain(rebuilds), ", ")
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GraphAnswer {
    /// Bases first, then tasks, parents before children.
    pub nodes: Vec<GraphNode>,
    /// Edges, by index in `nodes`: from a base or task to a task that depends on it.
    pub edges: Vec<(usize, usize)>,
}

impl GraphAnswer {
    /// Returns, for each node, the indexes of the nodes that it depends on.
    pub fn parents(&self) -> Vec<Vec<usize>> {
        let mut parents = vec![Vec::new(); self.nodes.len()];
        for (from, to) in &self.edges {
            parents[*to].push(*from);
        }
        parents
    }
}

/// Returns the dependency graph; with `only`, the part that this task depends on or that depends on it.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory itself cannot be read. A task that cannot be used is reported and left out.
pub fn graph(app: &App, only: Option<&TaskKey>, events: &EventSink<'_>) -> Result<GraphAnswer> {
    let (loaded, tags) = load_with_tags(app, &mut 0, events)?;
    let nodes: Vec<&Snapshot> = loaded.iter().collect();
    let states = states(app, &nodes, with_runs(app, tags, &nodes));
    Ok(graph_of(app, &nodes, &states, only))
}

/// Returns the dependency graph, with the states of the tasks.
pub(super) fn graph_of(
    app: &App,
    nodes: &[&Snapshot],
    states: &BTreeMap<TaskKey, State>,
    only: Option<&TaskKey>,
) -> GraphAnswer {
    let whole = WholeGraph::new(nodes);
    let wanted = TagSubscriptions::by(app, nodes);
    let children = children(&whole.parents);
    let kept: BTreeSet<usize> = match only {
        None => (0..whole.parents.len()).collect(),
        Some(key) => {
            let own = whole
                .tasks
                .iter()
                .position(|n| nodes[*n].task.key() == *key);
            let own = own.map(|turn| whole.bases.len() + turn);
            let both = own.map(|own| (reachable(&whole.parents, own), reachable(&children, own)));
            both.map(|(above, below)| &above | &below)
                .unwrap_or_default()
        }
    };
    let shared = shared_names(nodes.iter().map(|node| node.task.name.clone()));
    let places: BTreeMap<usize, usize> = kept.iter().copied().zip(0..).collect();
    let node = |n: &usize| {
        let task = n
            .checked_sub(whole.bases.len())
            .map(|turn| whole.tasks[turn]);
        GraphNode {
            name: match task {
                Some(task) => nodes[task].task.key().shown(&shared),
                None => wanted.spelled(whole.bases[*n]).familiar(),
            },
            kind: if task.is_some() { "task" } else { "base" },
            key: task.map(|n| nodes[n].task.key()),
            state: task.and_then(|n| states.get(&nodes[n].task.key()).copied()),
            rebuilds: reachable(&children, *n).len() - 1,
        }
    };
    let into = |n: &usize| {
        let from = whole.parents[*n]
            .iter()
            .filter_map(|parent| places.get(parent));
        let to = places[n];
        from.map(move |from| (*from, to)).collect::<Vec<_>>()
    };
    GraphAnswer {
        nodes: kept.iter().map(node).collect(),
        edges: kept.iter().flat_map(into).collect(),
    }
}

/// All bases and tasks; bases have the first indexes, tasks the following ones.
struct WholeGraph<'n> {
    /// The images that no task makes.
    bases: Vec<&'n Reference>,
    /// The tasks by index among the nodes, parents first; tasks in a cycle come last.
    tasks: Vec<usize>,
    /// The parents of each base and then of each task.
    parents: Vec<Vec<usize>>,
}

impl<'n> WholeGraph<'n> {
    fn new(nodes: &[&'n Snapshot]) -> Self {
        let vertices: Vec<_> = nodes.iter().map(|node| vertex(node)).collect();
        let graph = Graph::new(&vertices);
        let makes: BTreeSet<&Reference> = nodes.iter().flat_map(|it| &it.pushes).collect();
        let named = |node: &&'n Snapshot| {
            let bases = node.bases.iter().flatten().chain(&node.added);
            bases.chain(&node.mirrors)
        };
        let bases: BTreeSet<&'n Reference> = nodes.iter().flat_map(named).collect();
        let bases: Vec<&Reference> = bases.into_iter().filter(|it| !makes.contains(it)).collect();
        let place: BTreeMap<&Reference, usize> = bases.iter().copied().zip(0..).collect();
        let mut tasks = graph.order;
        let placed: BTreeSet<usize> = tasks.iter().copied().collect();
        tasks.extend((0..nodes.len()).filter(|n| !placed.contains(n)));
        let turns: BTreeMap<usize, usize> = tasks.iter().copied().zip(bases.len()..).collect();
        let mut parents = vec![Vec::new(); bases.len()];
        for n in &tasks {
            let own = named(&nodes[*n]).filter_map(|base| place.get(base));
            let makers = graph.parents[*n].iter().filter_map(|n| turns.get(n));
            let all: BTreeSet<usize> = own.chain(makers).copied().collect();
            parents.push(all.into_iter().collect());
        }
        Self {
            bases,
            tasks,
            parents,
        }
    }
}

fn states(app: &App, nodes: &[&Snapshot], mut tags: Tags) -> BTreeMap<TaskKey, State> {
    let (round, _) = simulated(nodes.to_vec(), &mut tags, app.clock.now());
    let verdicts = round.verdicts();
    verdicts
        .map(|(node, verdict, _)| (node.task.key(), state_of(verdict)))
        .collect()
}

/// Returns all nodes that can be reached from a node, and that node.
pub(super) fn reachable(next: &[Vec<usize>], from: usize) -> BTreeSet<usize> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(n) = open.pop() {
        if found.insert(n) {
            open.extend(&next[n]);
        }
    }
    found
}
