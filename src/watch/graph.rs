//! Which task depends on which.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::image::Reference;

/// A task in the graph: what it pushes, and what it depends on.
#[derive(Clone, Debug, Default)]
pub struct Vertex<'a> {
    /// The images that it pushes under stable tags.
    pub pushes: &'a [Reference],
    /// The images that it depends on.
    pub bases: Vec<&'a Reference>,
}

/// The dependency graph of tasks, with an order in which each task comes after those that it depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// For each task, those whose images it depends on.
    pub parents: Vec<Vec<usize>>,
    /// All tasks that are in no cycle and depend on none, parents first, else in the order given.
    pub order: Vec<usize>,
    /// The tasks in cycles; each cycle in the order of its dependencies.
    pub cycles: Vec<Vec<usize>>,
}

impl Graph {
    pub fn new(vertices: &[Vertex<'_>]) -> Self {
        let mut made_by: HashMap<&Reference, Vec<usize>> = HashMap::new();
        for (n, vertex) in vertices.iter().enumerate() {
            for image in vertex.pushes {
                made_by.entry(image).or_default().push(n);
            }
        }
        let parents: Vec<Vec<usize>> = vertices
            .iter()
            .map(|vertex| {
                let makers: BTreeSet<usize> = vertex
                    .bases
                    .iter()
                    .filter_map(|base| made_by.get(*base))
                    .flatten()
                    .copied()
                    .collect();
                makers.into_iter().collect()
            })
            .collect();
        let order = parents_first(&parents);
        let cycles = cycles(&parents, &order);
        Self {
            parents,
            order,
            cycles,
        }
    }
}

/// Inverts `parents`: returns the children of each, in rising order.
pub fn children(parents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); parents.len()];
    for (child, its) in parents.iter().enumerate() {
        for parent in its {
            children[*parent].push(child);
        }
    }
    children
}

/// Orders by Kahn's algorithm; what it cannot place is in a cycle, or behind one.
fn parents_first(parents: &[Vec<usize>]) -> Vec<usize> {
    let children = children(parents);
    let mut open: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut ready: BTreeSet<usize> = (0..parents.len()).filter(|n| open[*n] == 0).collect();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for child in &children[next] {
            open[*child] -= 1;
            if open[*child] == 0 {
                ready.insert(*child);
            }
        }
    }
    order
}

/// Finds a cycle of each task that is in one: the shortest, unless the task is in a cycle that is found already.
fn cycles(parents: &[Vec<usize>], order: &[usize]) -> Vec<Vec<usize>> {
    if order.len() == parents.len() {
        return Vec::new();
    }
    // What has no place in either direction is in a cycle, or between two.
    let above = order.iter().copied();
    let below = parents_first(&children(parents));
    let placed: BTreeSet<usize> = above.chain(below).collect();
    let mut found: BTreeSet<usize> = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in (0..parents.len()).filter(|n| !placed.contains(n)) {
        if !found.contains(&start)
            && let Some(cycle) = way_back(parents, &placed, start)
        {
            found.extend(&cycle);
            cycles.push(cycle);
        }
    }
    cycles
}

/// Returns the shortest way of a change of a task back to that task.
fn way_back(parents: &[Vec<usize>], placed: &BTreeSet<usize>, start: usize) -> Option<Vec<usize>> {
    // For each task, the one that depends on it and by which it was reached.
    let mut child_of: HashMap<usize, usize> = HashMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(child) = open.pop_front() {
        for parent in parents[child].iter().filter(|n| !placed.contains(n)) {
            if child_of.contains_key(parent) {
                continue;
            }
            child_of.insert(*parent, child);
            open.push_back(*parent);
            if *parent == start {
                let next = |n: &usize| child_of.get(n).copied().filter(|n| *n != start);
                let way = std::iter::successors(next(&start), next);
                return Some(way.chain([start]).collect());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the graph of tasks that each push one image, and depend on some.
    fn graph(tasks: &[(&str, &[&str])]) -> Graph {
        let image = |name: &str| -> Reference { format!("r.io/{name}:1").parse().unwrap() };
        let images = tasks.iter().map(|(pushes, bases)| {
            let bases: Vec<Reference> = bases.iter().map(|base| image(base)).collect();
            ([image(pushes)], bases)
        });
        let images: Vec<_> = images.collect();
        let vertices = images.iter().map(|(pushes, bases)| Vertex {
            pushes,
            bases: bases.iter().collect(),
        });
        Graph::new(&vertices.collect::<Vec<_>>())
    }

    #[test]
    fn graph_order_puts_parents_first_and_keeps_the_rest() {
        let graph = graph(&[
            ("top", &["left", "right"]),
            ("left", &["root"]),
            ("alone", &[]),
            ("right", &["root"]),
            ("root", &["outside"]),
        ]);
        assert_eq!(graph.order, [2, 4, 1, 3, 0]);
        assert_eq!(graph.parents[0], [1, 3]);
        assert!(graph.cycles.is_empty());
    }

    #[test]
    fn graph_cycle_is_reported_in_the_direction_of_change() {
        let graph = graph(&[("a", &["c"]), ("b", &["a"]), ("c", &["b"]), ("fine", &[])]);
        assert_eq!(graph.order, [3]);
        assert_eq!(graph.cycles, [vec![1, 2, 0]]);
    }

    #[test]
    fn task_on_its_own_image_is_a_cycle_of_one() {
        let graph = graph(&[("a", &["a"])]);
        assert_eq!(graph.cycles, [vec![0]]);
        assert!(graph.order.is_empty());
    }

    #[test]
    fn task_that_only_depends_on_a_cycle_is_in_none() {
        let graph = graph(&[
            ("a", &["b"]),
            ("b", &["a"]),
            ("x", &["a"]),
            ("between", &["a"]),
            ("c", &["c", "between"]),
        ]);
        assert_eq!(graph.cycles, [vec![1, 0], vec![4]]);
        assert!(graph.order.is_empty());
    }

    #[test]
    fn each_task_of_two_cycles_with_one_in_common_is_in_a_cycle() {
        let graph = graph(&[("a", &["b", "c"]), ("b", &["a"]), ("c", &["a"])]);
        assert_eq!(graph.cycles, [vec![1, 0], vec![0, 2]]);
    }
}
