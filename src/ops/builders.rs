//! The named builders: lists them with their state, and prunes them.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use crate::{
    builder::{self, Builder},
    error::{Error, Kind, Result},
    sys::{
        builders::BuilderSettings,
        process::{self, Ended, Limits, find},
        signal::Stop,
    },
};

use super::{App, Event, EventSink, answer::AzTimestamp, placing, platforms};

pub use crate::builder::CacheLimits;

/// How long a builder may take to prune its store.
const PRUNE_LIMIT: Duration = Duration::from_mins(30);

/// How long it has to exit by itself when it is told to stop.
const PRUNE_GRACE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuilderState {
    /// It answers, or has no daemon that could be away.
    Ready,
    Away,
    /// It cannot be used: its program is missing or cannot be run.
    Unusable,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuilderAnswer {
    name: String,
    kind: &'static str,
    /// The address of its daemon, if the config file has one.
    address: Option<String>,
    pools: Vec<String>,
    pub state: BuilderState,
    since: Option<AzTimestamp>,
    reason: Option<String>,
    platforms: Vec<String>,
    running: Option<usize>,
    jobs: Option<usize>,
    version: Option<String>,
    disk: Option<String>,
    is_default: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PruneAnswer {
    name: String,
    /// The last line that the builder printed, or why it failed.
    result: String,
    pub is_pruned: bool,
}

/// Returns the state of builders: those that are named, else those of the config file, else those that this machine has.
///
/// # Errors
///
/// [`Kind::Invalid`] where there is no builder of this name.
pub async fn list(
    app: &App,
    names: &[String],
    events: &EventSink<'_>,
) -> Result<Vec<BuilderAnswer>> {
    let names = known(app, names)?;
    events.send(Event::Doing("asking builders".into()));
    let asked = names.iter().map(|name| ask(app, name));
    join_all(asked).await.into_iter().collect()
}

/// Returns the worst state, as the kind that picks the exit code.
pub fn worst(answers: &[BuilderAnswer]) -> Option<Kind> {
    let any = |state| answers.iter().any(|one| one.state == state);
    match (any(BuilderState::Unusable), any(BuilderState::Away)) {
        (true, _) => Some(Kind::Failed),
        (false, true) => Some(Kind::BuilderAway),
        (false, false) => None,
    }
}

/// Returns the builders that the names mean. The name of a pool means its builders.
fn known(app: &App, names: &[String]) -> Result<Vec<String>> {
    let config = &app.settings.config;
    let mut all = Vec::new();
    for name in names {
        builder::check_name(name, &app.settings)?;
        match config.pools.get(name) {
            Some(pool) => all.extend(pool.builders.iter().cloned()),
            None => all.push(name.clone()),
        }
    }
    if names.is_empty() {
        all.extend(config.builders.keys().cloned());
        all.extend(config.pools.values().flat_map(|pool| pool.builders.clone()));
    }
    if all.is_empty() {
        let there = builder::ORDER
            .iter()
            .filter(|kind| find(kind.name(), &app.settings.path).is_some());
        all.extend(there.map(|kind| kind.name().to_owned()));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

async fn ask(app: &App, name: &str) -> Result<BuilderAnswer> {
    let config = &app.settings.config;
    let (kind, own) = config
        .builder(name)
        .ok_or_else(|| Error::invalid(format!("no builder `{name}`")))?;
    let pools = config.pools.iter();
    let pools = pools.filter(|(_, pool)| pool.builders.iter().any(|member| member == name));
    let jobs = app.jobs_of(name);
    let chosen = builder::chosen_name(None, &app.settings);
    let mut answer = BuilderAnswer {
        name: name.to_owned(),
        kind: kind.name(),
        address: own.address.or(own.connection).or(own.builder),
        pools: pools.map(|(name, _)| name.clone()).collect(),
        state: BuilderState::Ready,
        since: None,
        reason: None,
        platforms: own.platforms,
        running: jobs.map(|jobs| app.store.builder_places_taken(name, jobs)),
        jobs,
        version: None,
        disk: None,
        is_default: chosen == Some(name),
    };
    let is_there = placing::is_there(app, name, placing::NeededNodes::All).await?;
    let record = app.store.builders().away.remove(name);
    if !is_there || record.is_some() {
        answer.state = BuilderState::Away;
        answer.since = record.as_ref().map(|record| AzTimestamp(record.since));
        answer.reason = record.map(|record| record.why);
        return Ok(answer);
    }
    let builder = match builder::detect(Some(name), &app.settings).await {
        Ok(builder) => builder,
        Err(error) => {
            answer.state = BuilderState::Unusable;
            answer.reason = Some(error.one_line());
            return Ok(answer);
        }
    };
    if let Some(version) = builder.version() {
        let said = platforms::text(&version).await;
        answer.version = said.and_then(|said| said.trim().lines().next().map(str::to_owned));
    }
    if answer.platforms.is_empty() {
        let own = platforms::of(app, &builder).await.own;
        answer.platforms.push(own.to_string());
    }
    if let Some(usage) = builder.disk_usage() {
        answer.disk = platforms::ask(&usage).await.flatten();
    }
    Ok(answer)
}

/// Prunes builders: removes images without a tag that runs have made, and the builder's cache except what `keep` says. A builder that fails is
/// reported, and the others are pruned all the same.
///
/// # Errors
///
/// [`Kind::Invalid`] where there is no builder of this name.
pub async fn prune(
    app: &App,
    names: &[String],
    keep: &CacheLimits,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Vec<PruneAnswer>> {
    let mut answers = Vec::new();
    // The output of a builder is a detail: the answer has only its last line.
    let aside = EventSink::new(|event| match event {
        Event::Log(said) => {
            let said = String::from_utf8_lossy(said).trim_end().to_owned();
            events.send(Event::Detail(said));
        }
        other => events.send(other),
    });
    for name in known(app, names)? {
        match prune_one(app, &name, keep, stop, &aside).await {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                events.send(Event::Warning(error.one_line()));
                answers.push(PruneAnswer {
                    name,
                    result: error.one_line(),
                    is_pruned: false,
                });
                continue;
            }
        }
        note_room(app, &name)?;
    }
    Ok(answers)
}

/// Records that a builder has room for a build.
pub(super) fn note_room(app: &App, name: &str) -> Result<()> {
    if app.store.builders().is_full(name) {
        app.store.note_builder(name, None, app.clock.now())
    } else {
        Ok(())
    }
}

/// As [`prune`], for one builder.
pub(super) async fn prune_one(
    app: &App,
    name: &str,
    keep: &CacheLimits,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<PruneAnswer> {
    let builder = builder::detect(Some(name), &app.settings).await?;
    remove_dangling_images(app, name, &builder).await?;
    let result = prune_cache(&builder, name, keep, stop, events).await?;
    Ok(PruneAnswer {
        name: name.to_owned(),
        result,
        is_pruned: true,
    })
}

/// Removes the images without a tag that runs have made. The label alone does not show that: what others build on such an image inherits it.
async fn remove_dangling_images(app: &App, name: &str, builder: &Builder) -> Result<()> {
    let made = app.store.made_on(name).images;
    let Some(list) = builder.dangling_images(TASK_LABEL) else {
        return Ok(());
    };
    let mut gone = platforms::ids(&list).await.unwrap_or_default();
    gone.retain(|id| made.contains_key(id));
    for id in &gone.clone() {
        // An image that a container still uses stays.
        let removed = match builder.remove_image(&builder.id_text(id)) {
            Some(line) => platforms::answer(&line).await,
            None => None,
        };
        if removed.is_none() {
            gone.remove(id);
        }
    }
    app.store
        .change_made(name, |made| made.images.retain(|id, _| !gone.contains(id)))
}

/// Returns what is kept of a builder's cache, if the config file says it.
pub(super) fn keep(own: &BuilderSettings) -> Option<CacheLimits> {
    let keep = CacheLimits {
        bytes: own.keep_storage.map(|it| u64::from(it) * 1_000_000_000),
        hours: own.until,
    };
    (keep != CacheLimits::default()).then_some(keep)
}

/// Prunes a builder's cache except what `keep` says. Returns the last line that it printed; empty for a builder that has no cache of its own.
///
/// # Errors
///
/// [`Kind::Failed`] where the builder fails to do so.
pub(super) async fn prune_cache(
    builder: &Builder,
    name: &str,
    keep: &CacheLimits,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<String> {
    let Some(line) = builder.prune_cache(keep) else {
        return Ok(String::new());
    };
    events.send(Event::Doing(format!("pruning {name}")));
    let limits = Limits {
        timeout: Some(PRUNE_LIMIT),
        grace: PRUNE_GRACE,
    };
    let mut printed = Vec::new();
    let ended = process::run(&line, &limits, stop, &mut |bytes| {
        printed.extend_from_slice(bytes);
        events.send(Event::Log(bytes));
    })
    .await?;
    let printed = String::from_utf8_lossy(&printed);
    let said = printed.lines().last().unwrap_or_default().to_owned();
    match ended {
        Ended::Exited(0) => Ok(said),
        _ => {
            Err(Error::failed(format!("cannot prune `{name}`")).because(anyhow::anyhow!("{said}")))
        }
    }
}

/// The label of images that tasks have made. Its value is the name of the task.
pub const TASK_LABEL: &str = "io.acrt.task";
