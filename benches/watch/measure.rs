//! Measures tools in turns, so that a disturbance affects all of them.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::{
    cores::Mark,
    counts::Counts,
    launch::{Figures, Job},
    registry::Registry,
};

/// A command to measure.
pub struct Tool {
    /// Its name in the tables.
    pub name: String,
    /// What it runs.
    pub job: Job,
    /// How often it runs.
    pub runs: usize,
}

impl Tool {
    /// Returns a tool with this name.
    #[must_use]
    pub fn new(name: &str, job: Job, runs: usize) -> Self {
        Self {
            name: name.to_owned(),
            job,
            runs,
        }
    }
}

/// The figures of one tool.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The heading of the table.
    pub heading: String,
    /// The tool.
    pub tool: String,
    /// How many tags it looks at, 0 for none.
    pub tags: usize,
    /// The median of the times.
    pub wall: Duration,
    /// The shortest of the times.
    pub best: Duration,
    /// The median of the CPU times.
    pub cpu: Duration,
    /// The median of the peak memories.
    pub peak_kib: u64,
    /// Whether the peak memory is only an upper bound.
    pub peak_is_bound: bool,
    /// The requests to the registry in the last run, where they are counted.
    pub asked: Option<Counts>,
    /// Whether the requests were the same in each run.
    pub steady: bool,
    /// The share of the machine that other programs used meanwhile.
    pub foreign: f64,
}

impl Row {
    /// Returns the bytes per tag.
    #[must_use]
    pub fn bytes_per_tag(&self) -> Option<f64> {
        let asked = self.asked.as_ref()?;
        Some(asked.bytes() as f64 / self.tags.max(1) as f64)
    }

    /// Returns the peak memory in MiB.
    #[must_use]
    pub fn peak_mib(&self) -> f64 {
        self.peak_kib as f64 / 1024.0
    }

    /// Takes the better times of another try; the counts of requests must be right in each try.
    pub fn improve(&mut self, other: &Self) {
        self.wall = self.wall.min(other.wall);
        self.best = self.best.min(other.best);
        self.cpu = self.cpu.min(other.cpu);
        self.peak_kib = self.peak_kib.min(other.peak_kib);
        self.foreign = self.foreign.min(other.foreign);
        let same = match (&self.asked, &other.asked) {
            (Some(one), Some(two)) => one.exact() == two.exact(),
            _ => true,
        };
        self.steady = self.steady && other.steady && same;
    }
}

/// Runs tools in turns: each once without measuring, then A, B, A, B.
///
/// # Errors
///
/// If one of them fails.
pub fn in_turns(
    heading: &str,
    tags: usize,
    tools: &[Tool],
    registry: Option<&Registry>,
) -> Result<Vec<Row>> {
    let mark = Mark::now()?;
    // A tool that runs only once or twice is slow enough to need no warm-up.
    for tool in tools.iter().filter(|tool| tool.runs > 2) {
        tool.job.measure()?;
    }
    let _ = registry.map(Registry::asked);
    let mut taken: Vec<(Vec<Figures>, Vec<Counts>)> =
        tools.iter().map(|_| (vec![], vec![])).collect();
    for turn in 0..tools.iter().map(|tool| tool.runs).max().unwrap_or(0) {
        for (tool, (figures, counts)) in tools.iter().zip(&mut taken) {
            if turn < tool.runs {
                figures.push(tool.job.measure()?);
                counts.extend(registry.map(Registry::asked));
            }
        }
    }
    let foreign = mark.foreign_share()?;
    let rows = tools.iter().zip(taken).map(|(tool, (figures, counts))| {
        let walls = sorted(figures.iter().map(|figures| figures.wall));
        Row {
            heading: heading.to_owned(),
            tool: tool.name.clone(),
            tags,
            wall: median(&walls),
            best: walls.first().copied().unwrap_or_default(),
            cpu: median(&sorted(figures.iter().map(|figures| figures.cpu))),
            peak_kib: median(&sorted(figures.iter().map(|figures| figures.peak_kib))),
            peak_is_bound: figures
                .iter()
                .any(|figures| figures.peak_kib <= figures.floor_kib),
            steady: counts
                .windows(2)
                .all(|pair| pair[0].exact() == pair[1].exact()),
            asked: counts.into_iter().next_back(),
            foreign,
        }
    });
    Ok(rows.collect())
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values
}

fn median<T: Copy + Default>(sorted: &[T]) -> T {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
