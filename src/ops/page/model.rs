//! A snapshot of all that the status page shows of tasks.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    error::Result,
    image::Reference,
    ops::{
        App, Event, EventSink,
        answer::AzTimestamp,
        check::load_with_tags,
        graph::{GraphAnswer, graph_of},
        show::with_runs,
        status::{StatusReport, TaskStatus, report},
    },
    page::{BuilderRow, Overview, RegistryRow, RunMark, TaskRow},
    task::{Run, RunId, RunStatus, TaskKey},
    watch::{BaseState, Snapshot, State, Tags},
};

/// How many of the newest runs are kept in memory.
const RUNS: u64 = 2000;

/// How many problems are shown.
const PROBLEMS: usize = 20;

#[derive(Debug)]
pub struct PageSnapshot {
    /// The part of the page above the list of tasks.
    pub overview: Overview,
    /// The tasks, the worst first.
    pub rows: Vec<TaskRow>,
    /// The status of the same tasks in full.
    pub report: StatusReport,
    pub graph: GraphAnswer,
    pub tags: Tags,
    pub runs: BTreeMap<RunId, Run>,
    pub json: String,
    /// A version that changes with the content.
    pub version: u64,
}

/// The body of `GET /status.json`. Its schema is `docs/schemas/page-status.schema.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusJson<'m> {
    schema: u32,
    version: &'static str,
    summary: Summary,
    states: BTreeMap<&'static str, usize>,
    last_look: Option<AzTimestamp>,
    next_look: Option<AzTimestamp>,
    builders: Vec<BuilderJson<'m>>,
    registries: Vec<RegistryJson<'m>>,
    problems: &'m [String],
    tasks: &'m [TaskStatus],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    tasks: usize,
    current: usize,
    stale: usize,
    failing: usize,
    unknown: usize,
    idle: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuilderJson<'m> {
    name: &'m str,
    /// Since when it does not answer; `null` where it does, as far as is known.
    away_since: Option<AzTimestamp>,
    reason: Option<&'m str>,
    running: Option<usize>,
    jobs: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistryJson<'m> {
    name: &'m str,
    tags: usize,
    errors: usize,
    error: Option<&'m str>,
    paused_until: Option<AzTimestamp>,
}

impl PageSnapshot {
    /// Reads everything. `before` is the last snapshot: its runs are taken over, and those that had ended are not read again.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory itself cannot be read, or is gone.
    pub fn read(app: &App, before: Option<&mut Self>) -> Result<Self> {
        let problems = std::cell::RefCell::new(Vec::new());
        let events = EventSink::new(|event| match event {
            Event::Problem(error) => problems.borrow_mut().push(error.one_line()),
            Event::Warning(text) => problems.borrow_mut().push(text),
            _ => {}
        });
        let (loaded, tags) = load_with_tags(app, &mut 0, &events)?;
        if loaded.is_empty() && before.as_ref().is_some_and(|it| !it.rows.is_empty()) {
            app.store.check_present()?;
        }
        let nodes: Vec<&Snapshot> = loaded.iter().collect();
        let mut tags = with_runs(app, tags, &nodes);
        let report = report(&nodes, &mut tags, |_| true, app.clock.now());
        let state = |task: &TaskStatus| (key(task), task.state);
        let states: BTreeMap<TaskKey, State> = report.tasks.iter().map(state).collect();
        let graph = graph_of(app, &nodes, &states, None);
        let mut overview = overview(app, &report, &nodes, &tags);
        drop(events);
        overview.problems = problems.into_inner();
        overview.problems.truncate(PROBLEMS);
        let before = before.map(|before| std::mem::take(&mut before.runs));
        let runs = newest_runs(app, before.unwrap_or_default());
        let json = json(&overview, &report);
        let version = version(&json, &runs);
        Ok(Self {
            rows: report.tasks.iter().map(row).collect(),
            overview,
            report,
            graph,
            tags,
            runs,
            json,
            version,
        })
    }

    pub fn task(&self, key: &TaskKey) -> Option<(&TaskRow, &TaskStatus)> {
        let place = self.rows.iter().position(|row| row.key == *key)?;
        Some((self.rows.get(place)?, self.report.tasks.get(place)?))
    }

    /// Returns the images that have moved and for which tasks are still to be rebuilt, by canonical name.
    pub fn moved(&self, app: &App) -> BTreeSet<String> {
        let open = self
            .report
            .tasks
            .iter()
            .filter(|task| task.state.severity() > 1);
        let images = open.flat_map(|task| &task.images);
        let moved = images.filter(|image| image.state == BaseState::Moved);
        let name = |image: &str| Some(app.canonical(&image.parse::<Reference>().ok()?).familiar());
        moved.filter_map(|image| name(&image.image)).collect()
    }
}

pub fn key(task: &TaskStatus) -> TaskKey {
    TaskKey {
        registry: task.registry.clone(),
        name: task.name.clone(),
    }
}

fn row(task: &TaskStatus) -> TaskRow {
    TaskRow {
        key: key(task),
        state: task.state,
        reason: task.reason.clone(),
        bases: (task.depends_on.iter())
            .map(|image| Reference::familiar_text(image))
            .collect(),
        run: task.last_run.as_ref().map(|run| RunMark {
            id: run.run_id,
            is_well: run.status == RunStatus::Succeeded,
            time: run.time.0,
        }),
        next: task
            .next
            .as_ref()
            .map(|next| (next.what.clone(), next.time.0)),
    }
}

fn overview(app: &App, report: &StatusReport, nodes: &[&Snapshot], tags: &Tags) -> Overview {
    let followed: BTreeSet<&Reference> = nodes
        .iter()
        .flat_map(|node| node.followed())
        .map(|(tag, _)| tag)
        .collect();
    let mut registries: BTreeMap<&str, RegistryRow> = BTreeMap::new();
    for tag in &followed {
        let row = registries
            .entry(tag.registry())
            .or_insert_with(|| RegistryRow {
                name: tag.registry().to_owned(),
                tags: 0,
                errors: 0,
                error: None,
                paused_until: None,
            });
        row.tags += 1;
        let Some(record) = tags.get(tag) else {
            continue;
        };
        if let Some(error) = &record.error {
            row.errors += 1;
            row.error = Some(error.message.clone());
        }
        let paused = record.not_before.filter(|_| record.rests(app.clock.now()));
        row.paused_until = row.paused_until.max(paused);
    }
    let next = followed.iter().filter_map(|tag| tags.get(tag)?.next_look);
    Overview {
        states: report.counts.clone(),
        looked: report.looked,
        next_look: next.min(),
        builders: builders(app),
        registries: registries.into_values().collect(),
        bases: followed.iter().map(|tag| tag.familiar()).collect(),
        problems: Vec::new(),
    }
}

/// Returns the builders in the config file, and those that do not answer.
fn builders(app: &App) -> Vec<BuilderRow> {
    let away = app.store.builders().away;
    let named = app.settings.config.builders.keys();
    let names: BTreeSet<&String> = named.chain(away.keys()).collect();
    let row = |name: &String| BuilderRow {
        name: name.clone(),
        away: away
            .get(name)
            .map(|record| (record.since, record.why.clone())),
        jobs: app
            .jobs_of(name)
            .map(|jobs| (app.store.builder_places_taken(name, jobs), jobs)),
    };
    names.into_iter().map(row).collect()
}

/// Returns the newest runs. Those that had ended in `before` are not read again.
fn newest_runs(app: &App, mut before: BTreeMap<RunId, Run>) -> BTreeMap<RunId, Run> {
    let last = app.store.last_number();
    let oldest = last.saturating_sub(RUNS) + 1;
    let mut runs = BTreeMap::new();
    for number in oldest..=last {
        let id = RunId::new(number);
        let known = before.remove(&id).filter(|run| !run.status.is_open());
        // A record that cannot be read is reported by every list of runs.
        if let Some(run) = known.or_else(|| app.store.run(id).ok().flatten()) {
            runs.insert(id, run);
        }
    }
    runs
}

fn json(overview: &Overview, report: &StatusReport) -> String {
    let count = |state: State| {
        let found = overview.states.iter().find(|(it, _)| *it == state);
        found.map_or(0, |(_, count)| *count)
    };
    let answer = StatusJson {
        schema: 1,
        version: env!("CARGO_PKG_VERSION"),
        summary: Summary {
            tasks: report.tasks.len(),
            current: overview.count(0),
            stale: overview.count(2),
            failing: overview.count(4),
            unknown: overview.count(3),
            idle: overview.count(1),
        },
        states: State::ALL.map(|state| (state.word(), count(state))).into(),
        last_look: overview.looked.map(AzTimestamp),
        next_look: overview.next_look.map(AzTimestamp),
        builders: overview
            .builders
            .iter()
            .map(|builder| BuilderJson {
                name: &builder.name,
                away_since: builder.away.as_ref().map(|(since, _)| AzTimestamp(*since)),
                reason: builder.away.as_ref().map(|(_, why)| why.as_str()),
                running: builder.jobs.map(|(running, _)| running),
                jobs: builder.jobs.map(|(_, jobs)| jobs),
            })
            .collect(),
        registries: overview
            .registries
            .iter()
            .map(|registry| RegistryJson {
                name: &registry.name,
                tags: registry.tags,
                errors: registry.errors,
                error: registry.error.as_deref(),
                paused_until: registry.paused_until.map(AzTimestamp),
            })
            .collect(),
        problems: &overview.problems,
        tasks: &report.tasks,
    };
    // This structure can always be serialized.
    serde_json::to_string(&answer).unwrap_or_default()
}

fn version(json: &str, runs: &BTreeMap<RunId, Run>) -> u64 {
    let mut hash = DefaultHasher::new();
    json.hash(&mut hash);
    let ends: Vec<(RunId, RunStatus, Timestamp)> = runs
        .values()
        .map(|run| (run.run_id, run.status, run.last_updated_time))
        .collect();
    ends.hash(&mut hash);
    hash.finish()
}
