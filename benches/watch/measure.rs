//! Measures tools in turns, so that what disturbs one disturbs all.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::{
    cores::Mark,
    counts::Counts,
    launch::{Figures, Job},
    registry::Registry,
};

/// Something to be measured.
pub struct Tool {
    /// What it is called in the tables.
    pub name: String,
    /// What it runs.
    pub job: Job,
    /// How often.
    pub runs: usize,
}

impl Tool {
    /// Returns one with its name.
    #[must_use]
    pub fn new(name: &str, job: Job, runs: usize) -> Self {
        Self {
            name: name.to_owned(),
            job,
            runs,
        }
    }
}

/// What was measured of a tool.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Under which heading it stands.
    pub heading: String,
    /// The tool.
    pub tool: String,
    /// Tags that it looks at, or 0 where it looks at none.
    pub tags: usize,
    /// The median of the times.
    pub wall: Duration,
    /// The shortest of the times.
    pub best: Duration,
    /// The median of the CPU times.
    pub cpu: Duration,
    /// The median of the peak memories.
    pub peak_kib: u64,
    /// Whether the peak memory may also be less.
    pub peak_is_bound: bool,
    /// What the registry was asked in the last run, where it counts.
    pub asked: Option<Counts>,
    /// Whether it was asked the same in each run.
    pub steady: bool,
    /// The share of the machine that others took meanwhile.
    pub foreign: f64,
}

impl Row {
    /// Returns the bytes for each tag.
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

    /// Takes over from another try what was better there; but what a registry was asked must be right in each.
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

/// Runs tools in turns: each once without being measured, then A, B, A, B.
///
/// # Errors
///
/// Where one of them fails.
pub fn in_turns(
    heading: &str,
    tags: usize,
    tools: &[Tool],
    registry: Option<&Registry>,
) -> Result<Vec<Row>> {
    let mark = Mark::now()?;
    // A tool that is run once or twice is slow enough to need no warming up.
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
