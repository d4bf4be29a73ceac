//! Answers page requests from a snapshot of the state directory, one request after the other.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use crate::{
    image::Reference,
    listen::{PageRequest, PageResponse},
    ops::{App, answer::AzTimestamp, graph::reachable, runs},
    page::{
        self, BaseRow, BaseView, DigestRow, GraphVertex, LogWindow, RunView, TaskFilter, TaskView,
        TimelineEvent, TimelineEventKind,
    },
    store::LogIndex,
    task::{Context, Run, RunId, Task, TaskKey},
    watch::{TagRecord, graph::children},
};

use super::{
    model::PageSnapshot,
    responses::{HTML, whole},
};

/// How many lines of a log are on one page.
const LINES: usize = 400;

/// How many bytes of a log are on one page: with the markup of each line, a page stays below 100 KB.
const SHOWN: usize = 48 * 1024;

/// How many bytes at the end of a log are split into steps.
const STEPS: u64 = 256 * 1024;

/// How many runs are in a list.
const RUNS: usize = 100;

/// How many bases are in a list.
const BASES: usize = 1000;

/// How long the snapshot is used although nothing has changed: timers and debounces depend on the time alone.
const FRESH: Duration = Duration::from_secs(30);

/// The shortest time between two reads, and the same as a multiple of the time that a read takes.
const PAUSE: Duration = Duration::from_millis(200);
const SHARE: u32 = 5;

pub struct PageRenderer {
    app: App,
    model: Option<PageSnapshot>,
    /// Whether the last attempt to read everything failed, so that the snapshot is of earlier.
    is_outdated: bool,
    /// The fingerprint of the state directory when it was read.
    fingerprint: u64,
    read: Instant,
    took: Duration,
    /// The index of the log that was shown last.
    index: Option<LogIndex>,
}

impl PageRenderer {
    /// Returns a renderer that has read nothing yet.
    pub fn new(app: App) -> Self {
        Self {
            app,
            model: None,
            is_outdated: false,
            fingerprint: 0,
            read: Instant::now(),
            took: Duration::ZERO,
            index: None,
        }
    }

    /// Returns the version of the content, which changes with it.
    pub fn version(&self) -> u64 {
        self.model.as_ref().map_or(0, |model| model.version)
    }

    /// Reads everything again if it has changed, but not more often than the load on the machine allows.
    pub fn refresh(&mut self) {
        let age = self.read.elapsed();
        if age < PAUSE.max(self.took * SHARE) && self.model.is_some() {
            return;
        }
        if age >= FRESH || self.app.store.fingerprint() != self.fingerprint {
            self.read();
        }
    }

    fn read(&mut self) {
        let begun = Instant::now();
        // Take it first: a change during the read leads to another read.
        self.fingerprint = self.app.store.fingerprint();
        match PageSnapshot::read(&self.app, self.model.as_mut()) {
            Ok(model) => (self.model, self.is_outdated) = (Some(model), false),
            Err(error) => {
                self.is_outdated = true;
                if let Some(model) = &mut self.model {
                    let problems = vec![error.one_line()];
                    if model.overview.problems != problems {
                        model.overview.problems = problems;
                        model.version = model.version.wrapping_add(1);
                    }
                }
            }
        }
        (self.read, self.took) = (Instant::now(), begun.elapsed());
    }

    pub fn answer(&mut self, request: &PageRequest) -> PageResponse {
        let path = request.path.strip_prefix('/').unwrap_or_default();
        if let Some(id) = path.strip_prefix("runs/").and_then(|id| id.parse().ok()) {
            return self.run(id, request).map_or_else(missing, html);
        }
        // A program that reads it must not take what was known earlier for what is known now.
        let is_of_use = |_: &&PageSnapshot| !(self.is_outdated && path == "status.json");
        let Some(model) = self.model.as_ref().filter(is_of_use) else {
            let text = "The state directory cannot be read; the log of acrt says why.";
            return whole(503, HTML, page::problem("Nothing is known", text));
        };
        let found = match path {
            "" => {
                let filter = TaskFilter::of(&request.query);
                Some(page::list(&model.overview, model.rows.iter(), &filter))
            }
            "status.json" => return whole(200, "application/json", model.json.clone()),
            "task" => key_of(request).and_then(|key| self.task(model, &key)),
            "runs" => Some(page::runs(model.runs.values().rev().take(RUNS))),
            "bases" => match request.field("image") {
                Some(image) => self.base(model, &image),
                None => Some(bases(model)),
            },
            "graph" => self.graph(model, key_of(request).as_ref()),
            "timeline" => Some(self.timeline(model)),
            _ => None,
        };
        found.map_or_else(missing, html)
    }

    fn task(&self, model: &PageSnapshot, key: &TaskKey) -> Option<String> {
        let (row, status) = model.task(key)?;
        let time = |time: &AzTimestamp| time.0;
        let bases = status.images.iter().map(|image| BaseRow {
            image: Reference::familiar_text(&image.image),
            state: image.state,
            recorded: image.recorded_digest.as_ref().map(ToString::to_string),
            current: image.current_digest.as_ref().map(ToString::to_string),
            looked: image.last_looked.as_ref().map(time),
            error: image.error.clone(),
        });
        let timers = status.timers.iter().map(|timer| {
            let next = timer.next_occurrences.first().map(time);
            (timer.name.to_string(), timer.schedule.to_string(), next)
        });
        let view = TaskView {
            row,
            bases: bases.collect(),
            timers: timers.collect(),
            runs: self.runs_of(key),
            definition: self.app.store.task(key).ok()?.map(definition)?,
        };
        Some(page::task(&view))
    }

    fn runs_of(&self, key: &TaskKey) -> Vec<Run> {
        let ids = runs::ids(&self.app, &runs::of_task(key)).unwrap_or_default();
        let all = ids
            .into_iter()
            .filter_map(|id| self.app.store.run(id).ok()?);
        all.filter(|run| run.is_of(key)).take(RUNS).collect()
    }

    fn run(&mut self, id: RunId, request: &PageRequest) -> Option<String> {
        let run = self.app.store.run(id).ok()??;
        let index = self.app.store.log_index(id, self.index.take()).ok()?;
        let lines = index.lines();
        let from = request
            .field("from")
            .and_then(|from| from.parse::<usize>().ok());
        let found = match from {
            Some(from) => index.read(from.clamp(1, lines.max(1)), LINES, SHOWN),
            None => index.read_end(LINES, SHOWN),
        };
        let found = found.ok()?;
        let task = run
            .task_key()
            .and_then(|key| self.app.store.task(&key).ok()?);
        let has_steps = task.is_some_and(|task| task.step.is_multi_step());
        let steps = (has_steps && request.field("view").as_deref() == Some("steps"))
            .then(|| self.app.store.end_of_log(id, STEPS).ok())
            .flatten();
        let view = RunView {
            run: &run,
            log: LogWindow {
                bytes: found.bytes,
                first: found.first.max(1),
                lines,
                size: index.size,
                end: found.end,
            },
            has_steps,
            steps: steps.map(|log| page::steps(&log)),
        };
        let page = page::run(&view);
        self.index = Some(index);
        Some(page)
    }

    fn base(&self, model: &PageSnapshot, name: &str) -> Option<String> {
        let image: Reference = name.parse().ok()?;
        let own = self.app.canonical(&image);
        let is_it = |other: &str| {
            let other = other.parse::<Reference>();
            other.is_ok_and(|other| self.app.canonical(&other) == own)
        };
        let tasks = model.rows.iter();
        let tasks: Vec<_> = tasks
            .filter(|row| row.bases.iter().any(|base| is_it(base)))
            .collect();
        let record = model.tags.get(&own);
        if record.is_none() && tasks.is_empty() {
            return None;
        }
        let updates = model.runs.values().rev().flat_map(|run| &run.base_updates);
        let seen = updates
            .filter(|update| is_it(&update.image))
            .flat_map(|update| {
                let row = |digest: &crate::image::Digest, since, seen_by| DigestRow {
                    digest: digest.to_string(),
                    since,
                    seen_by,
                };
                let by = update.seen_by.map(|by| by.word());
                let now = update.digest.as_ref().map(|it| row(it, update.seen, by));
                let before = update
                    .previous_digest
                    .as_ref()
                    .map(|it| row(it, None, None));
                now.into_iter().chain(before)
            });
        let view = BaseView {
            image: image.familiar(),
            looked: record.and_then(|it| it.last_looked),
            next_look: record.and_then(|it| it.next_look),
            error: record
                .and_then(|it| it.error.as_ref())
                .map(|it| (it.message.clone(), it.since)),
            digests: digests(record, seen),
            tasks,
        };
        Some(page::base(&view))
    }

    fn graph(&self, model: &PageSnapshot, only: Option<&TaskKey>) -> Option<String> {
        let (nodes, parents) = (&model.graph.nodes, model.graph.parents());
        let children = children(&parents);
        let kept: BTreeSet<usize> = match only {
            None => (0..nodes.len()).collect(),
            Some(key) => {
                let own = nodes
                    .iter()
                    .position(|node| node.key.as_ref() == Some(key))?;
                &reachable(&parents, own) | &reachable(&children, own)
            }
        };
        let moved = model.moved(&self.app);
        // The graph has the names as the files write them; compare canonical names.
        let is_moved = |name: &str| {
            let base = name.parse::<Reference>();
            base.is_ok_and(|base| moved.contains(&self.app.canonical(&base).familiar()))
        };
        let mut is_lit = vec![false; nodes.len()];
        // Bases come first, then tasks, parents before children.
        for (n, node) in nodes.iter().enumerate() {
            is_lit[n] = match node.state {
                None => is_moved(&node.name),
                Some(state) => {
                    state.severity() > 1 && parents[n].iter().any(|parent| is_lit[*parent])
                }
            };
        }
        let places: Vec<usize> = kept.iter().copied().collect();
        let vertex = |n: &usize| {
            let node = &nodes[*n];
            let moved = (node.key.is_none() && is_lit[*n]).then_some("moved, ");
            GraphVertex {
                name: node.name.clone(),
                note: format!("{}{}", moved.unwrap_or_default(), node.note()),
                key: node.key.clone(),
                state: node.state,
                parents: parents[*n]
                    .iter()
                    .filter_map(|parent| places.binary_search(parent).ok())
                    .collect(),
                is_lit: is_lit[*n],
            }
        };
        let of = only.map(|key| key.name.as_str());
        Some(page::graph(kept.iter().map(vertex).collect(), of))
    }

    fn timeline(&self, model: &PageSnapshot) -> String {
        let now = self.app.clock.now();
        let since = page::since(now);
        let mut happened: Vec<TimelineEvent> = Vec::new();
        let mut seen = BTreeSet::new();
        for run in model.runs.values() {
            let subject = run
                .task
                .as_ref()
                .map_or_else(|| run.run_id.to_string(), ToString::to_string);
            let ended = run.finish_time.filter(|end| *end >= since);
            if let Some(time) = ended {
                let kind = match run.status {
                    crate::task::RunStatus::Succeeded => TimelineEventKind::Rebuilt,
                    _ => TimelineEventKind::Failed,
                };
                happened.push(TimelineEvent {
                    time,
                    kind,
                    subject,
                    link: page::run_path(run.run_id),
                    detail: run.run_error_message.clone().unwrap_or_else(|| run.cause()),
                });
            }
            for update in &run.base_updates {
                let Some(time) = update.seen.filter(|seen| *seen >= since) else {
                    continue;
                };
                // One update can cause many runs.
                if seen.insert((update.image.clone(), update.digest.clone())) {
                    let image = Reference::familiar_text(&update.image);
                    happened.push(TimelineEvent {
                        time,
                        kind: TimelineEventKind::Moved,
                        link: page::base_path(&image),
                        subject: image,
                        detail: update.line(),
                    });
                }
            }
        }
        happened.sort_by_key(|one| std::cmp::Reverse(one.time));
        page::timeline(&happened, now)
    }
}

fn bases(model: &PageSnapshot) -> String {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for base in model.rows.iter().flat_map(|row| &row.bases) {
        *counts.entry(base).or_default() += 1;
    }
    let mut all: Vec<(&str, usize)> = counts.into_iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    page::bases(&all, BASES)
}

/// Returns the digests that a tag had, the newest first, each once: from the last look, and from earlier looks and runs.
fn digests(record: Option<&TagRecord>, seen: impl Iterator<Item = DigestRow>) -> Vec<DigestRow> {
    let current = record.and_then(|record| {
        Some(DigestRow {
            digest: record.digest.as_ref()?.to_string(),
            since: record.first_seen,
            seen_by: record.seen_by.map(|by| by.word()),
        })
    });
    let earlier = record
        .into_iter()
        .flat_map(|record| record.history.iter().rev());
    let earlier = earlier.map(|earlier| DigestRow {
        digest: earlier.digest.to_string(),
        since: Some(earlier.since),
        seen_by: None,
    });
    let mut all: Vec<DigestRow> = Vec::new();
    for row in current.into_iter().chain(earlier).chain(seen) {
        if all.iter().all(|known| known.digest != row.digest) {
            all.push(row);
        }
    }
    all
}

/// Returns a definition as it is stored, without secrets in the URL of its context. A definition has no passwords.
fn definition(mut task: Task) -> String {
    if let Some(context @ Context::Tarball(_)) = task.step.context() {
        let shown = Context::Tarball(context.to_string());
        task.step.set_context(shown);
    }
    serde_yaml::to_string(&task).unwrap_or_default()
}

fn key_of(request: &PageRequest) -> Option<TaskKey> {
    Some(TaskKey {
        registry: request.field("registry")?,
        name: request.field("name")?.parse().ok()?,
    })
}

fn html(page: String) -> PageResponse {
    whole(200, HTML, page)
}

fn missing() -> PageResponse {
    let text = "It may have been removed, or the address is not quite right.";
    whole(404, HTML, page::problem("There is no such page", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_on_the_page_hides_credentials_of_its_context_url() {
        let yaml = "schema: 1\nname: web\nregistry: r.io\nstep: {type: Docker, contextPath: 'https://host/a/b.tgz?sig=canary', dockerFilePath: Dockerfile}\n";
        let task: Task = serde_yaml::from_str(yaml).unwrap();
        let shown = definition(task);
        assert!(
            shown.contains("https://host/a/b.tgz") && !shown.contains("canary"),
            "{shown}"
        );
    }
}
