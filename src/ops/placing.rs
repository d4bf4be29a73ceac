//! Decides which builder makes a run: one that the run may use, that has a free place, and that answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    builder::{
        self,
        placement::{Member, Placement, PlacementRequest, RunPart, place as placement},
    },
    error::{Error, Kind, Result},
    image::Platform,
    store::{builders::AwayRecord, lock::Lock},
    sys::{
        builders::PoolOrder,
        process::{self, Ended},
        signal::Stop,
    },
    task::{RunId, Step, Task},
    watch::{AwayBuilder, Baseline, Snapshot},
};

use super::{App, Event, EventSink, joined::joined, run_request::Assignment};

/// The pause before a builder that did not answer is asked again.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// The pause before a builder whose disk was full gets a run again: only a build can show whether it still is.
const TRIED_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// How long a builder may take to answer that it is there: one that is gone mostly fails at once, but a busy one may be slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// The separator between the names of several builders in the record of a run.
pub(super) const BETWEEN: &str = ", ";

/// How often a run that waits for a place on a builder checks again.
pub(super) const WAIT: Duration = Duration::from_millis(300);

/// The places of a run on its builders. Dropping this frees them.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The builders: one, or one for each part; if empty, the builder that the machine has.
    pub builders: Vec<Assignment>,
    _locks: Vec<Lock>,
}

/// All named builders, with their present state.
#[derive(Debug)]
pub(super) struct Fleet {
    /// The builders; the last stands for whichever builder the machine has, if the task names none.
    pub members: Vec<Member>,
    away: BTreeMap<String, AwayRecord>,
    now: Timestamp,
}

impl Fleet {
    /// Returns the builders as if each were free and answered. Reads no state.
    pub fn idle(app: &App) -> Self {
        let config = &app.settings.config;
        let kinds = builder::BuilderKind::ALL.map(|kind| kind.name().to_owned());
        let names: BTreeSet<String> = config.builders.keys().cloned().chain(kinds).collect();
        let mut members: Vec<Member> = names
            .into_iter()
            .map(|name| {
                let own = config.builders.get(&name);
                let platforms = own.into_iter().flat_map(|own| &own.platforms);
                Member {
                    platforms: platforms.filter_map(|text| text.parse().ok()).collect(),
                    running: 0,
                    is_away: false,
                    jobs: app.jobs_of(&name),
                    name,
                }
            })
            .collect();
        members.push(Member {
            name: String::new(),
            platforms: Vec::new(),
            jobs: None,
            running: 0,
            is_away: false,
        });
        Self {
            members,
            away: BTreeMap::new(),
            now: app.clock.now(),
        }
    }

    /// Returns the builders with the number of their running builds, and which do not answer.
    pub fn read(app: &App) -> Self {
        let mut fleet = Self::idle(app);
        fleet.away = app.store.builders().away;
        let now = fleet.now;
        for member in &mut fleet.members {
            let (name, jobs) = (&member.name, member.jobs);
            member.running = jobs.map_or(0, |jobs| app.store.builder_places_taken(name, jobs));
            member.is_away = fleet
                .away
                .get(name)
                .is_some_and(|it| now < asked_again(it, now));
        }
        fleet
    }

    /// Returns the request of a run that takes whichever builder the machine has.
    pub fn any(&self) -> PlacementRequest {
        PlacementRequest {
            among: vec![self.members.len() - 1],
            ..PlacementRequest::default()
        }
    }

    /// Returns the request of a run of a task: which builders it may use.
    pub fn placement_request(
        &self,
        app: &App,
        task: &Task,
        baseline: &Baseline,
    ) -> PlacementRequest {
        let mut placement_request = self.asked(app, task, baseline);
        if placement_request.by != PoolOrder::Order && placement_request.among.len() > 1 {
            let last = baseline
                .run_id
                .and_then(|id| app.store.run(id).ok().flatten());
            let last = last.and_then(|run| run.builder);
            placement_request.last = last.map_or_else(Vec::new, |names| {
                names.split(BETWEEN).map(str::to_owned).collect()
            });
        }
        placement_request
    }

    /// Returns the same without the builder of the last run.
    fn asked(&self, app: &App, task: &Task, baseline: &Baseline) -> PlacementRequest {
        let number = |name: &str| self.members.iter().position(|one| one.name == name);
        let name = match &task.step {
            Step::Import(_) => None,
            _ => app.builder_of(task),
        };
        let Some(name) = name else {
            return self.any();
        };
        let Some(pool) = app.settings.config.pools.get(&name) else {
            let known = number(&name).or_else(|| number(&name.to_ascii_lowercase()));
            return known.map_or_else(
                || self.any(),
                |n| PlacementRequest {
                    among: vec![n],
                    platforms: task.platforms.clone(),
                    ..PlacementRequest::default()
                },
            );
        };
        let among = pool.builders.iter().filter_map(|name| number(name));
        let mut placement_request = PlacementRequest {
            among: among.collect(),
            by: pool.by,
            platforms: task.platforms.clone(),
            // Steps use images of their builder, and a local image stays with it: neither can be split.
            may_be_split: match &task.step {
                Step::Docker(step) => !step.is_local,
                Step::FileTask(_) | Step::EncodedTask(_) | Step::Import(_) => false,
            },
            ..PlacementRequest::default()
        };
        if placement_request.platforms.is_empty() {
            self.keep_to_one_platform(&mut placement_request, baseline);
        }
        if task.is_local() {
            self.keep_to_one_builder(&mut placement_request);
        }
        placement_request
    }

    /// A task without named platforms is built for its builder's own platform, which must be the same in each run.
    fn keep_to_one_platform(&self, placement_request: &mut PlacementRequest, baseline: &Baseline) {
        let own = |n: &usize| self.members[*n].platforms.first();
        let first = placement_request.among.iter().find_map(own);
        let Some(wanted) = baseline.platforms.first().or(first).cloned() else {
            return;
        };
        placement_request
            .among
            .retain(|n| own(n).is_none_or(|own| *own == wanted));
        placement_request.platforms = vec![wanted];
    }

    /// Keeps local images together, where other local tasks and the user look for them: the first builder that can build for all platforms
    /// is chosen.
    fn keep_to_one_builder(&self, placement_request: &mut PlacementRequest) {
        let can = |n: &&usize| self.members[**n].builds_for(&placement_request.platforms);
        if let Some(first) = placement_request.among.iter().find(can).copied() {
            placement_request.among = vec![first];
        }
    }

    /// Returns where a run can go now.
    pub fn placement(&self, placement_request: &PlacementRequest) -> Placement {
        placement(&self.members, placement_request)
    }

    /// Takes a place on each of the builders; on none where another process has just taken one of these places.
    pub fn take_on(&mut self, app: &App, parts: &[RunPart]) -> Result<Option<Place>> {
        let (mut builders, mut locks) = (Vec::new(), Vec::new());
        for part in parts {
            let member = &mut self.members[part.member];
            if let Some(jobs) = member.jobs {
                let Some(lock) = app.store.take_builder_place(&member.name, jobs)? else {
                    member.running = jobs;
                    return Ok(None);
                };
                locks.push(lock);
            }
            if !member.name.is_empty() {
                builders.push(Assignment {
                    builder: member.name.clone(),
                    platforms: part.platforms.clone(),
                });
            }
        }
        for part in parts {
            self.members[part.member].running += 1;
        }
        Ok(Some(Place {
            builders,
            _locks: locks,
        }))
    }

    /// Returns the builders which a run may use and which do not answer.
    pub fn away(&self, placement_request: &PlacementRequest) -> Vec<AwayBuilder> {
        let is_for = |member: &&Member| {
            let mut platforms = placement_request.platforms.chunks(1);
            placement_request.platforms.is_empty() || platforms.any(|one| member.builds_for(one))
        };
        let members = placement_request.among.iter().map(|n| &self.members[*n]);
        let names = members.filter(is_for).map(|member| &member.name);
        let away = names.filter_map(|name| Some((name, self.away.get(name)?)));
        away.map(|(name, record)| AwayBuilder {
            builder: name.clone(),
            since: record.since,
            why: record.why.clone(),
            is_full: record.is_full,
            until: Some(asked_again(record, self.now)),
        })
        .collect()
    }
}

/// Returns when a builder that did not answer is asked again: at once, where it was asked before the clock was set back.
fn asked_again(record: &AwayRecord, now: Timestamp) -> Timestamp {
    if record.asked > now {
        return now;
    }
    let pause = if record.is_full {
        TRIED_AGAIN
    } else {
        ASKED_AGAIN
    };
    record.asked.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

impl App {
    /// Returns the name of the builder or pool of a task; `None` is whichever builder the machine has.
    pub(super) fn builder_of(&self, task: &Task) -> Option<String> {
        let baseline = || self.store.baseline(&task.key()).unwrap_or_default();
        let last = task.is_local().then(baseline);
        self.builder_after(task, last.and_then(|it| it.run_id))
    }

    /// As [`Self::builder_of`], where the last successful run is known: the images of a local task are in the builder of that one, whichever
    /// builders answer now.
    pub(super) fn builder_after(&self, task: &Task, last: Option<RunId>) -> Option<String> {
        let choice = self.global_options.builder.as_deref();
        let choice = choice.or(task.builder.as_deref());
        if let Some(chosen) = builder::chosen_name(choice, &self.settings) {
            return Some(chosen.to_owned());
        }
        let last = last.filter(|_| task.is_local())?;
        let name = self.store.run(last).ok()??.builder?;
        self.settings.config.builder(&name)?;
        Some(name)
    }

    /// Returns how many builds a builder may run at once; `None` is unlimited.
    pub(super) fn jobs_of(&self, name: &str) -> Option<usize> {
        let own = self.settings.config.builders.get(name)?;
        own.jobs.or(own.kind.is_some().then_some(1))
    }

    /// Returns how many builds all builders in the config file together may run at once.
    pub fn jobs_of_all_builders(&self) -> usize {
        let names = self.settings.config.builders.keys();
        names.filter_map(|name| self.jobs_of(name)).sum()
    }
}

/// Waits for a place on a builder that answers, for a run by hand. Asks each builder, whatever is known of its state.
///
/// # Errors
///
/// [`Kind::BuilderAway`] where none of the builders answers; [`Kind::Invalid`] where no builder builds for one of the platforms.
pub(super) async fn place(
    app: &App,
    task: &Task,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Place> {
    let baseline = app.store.baseline(&task.key()).unwrap_or_default();
    let (mut silent, mut told) = (BTreeSet::new(), false);
    loop {
        let mut fleet = Fleet::read(app);
        for member in &mut fleet.members {
            member.is_away = silent.contains(&member.name);
        }
        let placement_request = fleet.placement_request(app, task, &baseline);
        match fleet.placement(&placement_request) {
            Placement::On(parts) => {
                let Some(place) = fleet.take_on(app, &parts)? else {
                    continue;
                };
                let all = place.builders.iter().map(|one| one.builder.as_str());
                match absent(app, all).await? {
                    Some(name) => drop(silent.insert(name.to_owned())),
                    None => return Ok(place),
                }
            }
            Placement::Full => {
                if !told {
                    events.send(Event::Doing("waiting for a free builder".into()));
                    told = true;
                }
                tokio::select! {
                    () = app.clock.pause(WAIT) => {}
                    signal = stop.wait() => {
                        let text = "the run was stopped while it waited for a builder";
                        return Err(Error::new(signal.kind(), text));
                    }
                }
            }
            Placement::Away => {
                let away = fleet.away(&placement_request);
                let said = joined(away.iter().map(AwayBuilder::said), "; ");
                let hint = "see all builders: acrt builder list -o table";
                return Err(Error::new(Kind::BuilderAway, said).hint(hint));
            }
            Placement::Unfit => return Err(unfit(app, task)),
        }
    }
}

/// Returns the builders that may make a run of a task, whether or not they are free or answer; if empty, whichever builder the machine has.
///
/// # Errors
///
/// [`Kind::Invalid`] where no builder builds for one of the platforms.
pub(super) fn fit(app: &App, task: &Task) -> Result<Vec<Assignment>> {
    let mut fleet = Fleet::idle(app);
    let baseline = app.store.baseline(&task.key()).unwrap_or_default();
    let placement_request = fleet.placement_request(app, task, &baseline);
    let Placement::On(parts) = fleet.placement(&placement_request) else {
        return Err(unfit(app, task));
    };
    let parts = parts.into_iter().map(|part| Assignment {
        builder: std::mem::take(&mut fleet.members[part.member].name),
        platforms: part.platforms,
    });
    Ok(parts.filter(|part| !part.builder.is_empty()).collect())
}

fn unfit(app: &App, task: &Task) -> Error {
    let fleet = Fleet::idle(app);
    let placement_request = fleet.asked(app, task, &Baseline::default());
    let is_for = |platform: &Platform, n: &usize| {
        fleet.members[*n].builds_for(std::slice::from_ref(platform))
    };
    let nobodys = |it: &&Platform| !placement_request.among.iter().any(|n| is_for(it, n));
    let name = app.builder_of(task).unwrap_or_default();
    let mut platforms: Vec<&Platform> = task.platforms.iter().filter(nobodys).collect();
    let is_covered = platforms.is_empty();
    if is_covered {
        platforms.extend(&task.platforms);
    }
    let of = if app.settings.config.pools.contains_key(&name) {
        format!("no builder of the pool `{name}` is")
    } else {
        format!("the builder `{name}` is not")
    };
    let text = format!(
        "{of} for {}, as its `platforms` say",
        joined(platforms, " and ")
    );
    let hint = if is_covered {
        "all steps of a run, and an image that stays local, are made by one builder: give one these `platforms` in the config file"
    } else {
        "give a builder these `platforms` in the config file"
    };
    Error::invalid(text).hint(hint)
}

/// Asks builders whether they are there, and stores the answers. Returns the first that does not answer.
pub(super) async fn absent<'b>(
    app: &App,
    names: impl Iterator<Item = &'b str>,
) -> Result<Option<&'b str>> {
    for name in names {
        if !is_there(app, name, NeededNodes::Any).await? {
            return Ok(Some(name));
        }
        if app.store.builders().is_full(name) {
            // This run finds out whether the disk is still full; others wait for that.
            app.store.note_full_builder(name, app.clock.now())?;
        }
    }
    Ok(None)
}

/// Which nodes of a builder have to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NeededNodes {
    /// One, which may be enough for a run.
    Any,
    All,
}

/// Asks a builder whether it is there, and stores the answer.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be written.
pub(super) async fn is_there(app: &App, name: &str, needed: NeededNodes) -> Result<bool> {
    let why = silence(app, name, needed).await;
    let is_there = why.is_none();
    // An answer does not show that there is room for a build again.
    if is_there && app.store.builders().is_full(name) {
        return Ok(true);
    }
    app.store.note_builder(name, why, app.clock.now())?;
    Ok(is_there)
}

/// Returns why a builder is away; `None` where it answers, or has no daemon that could be away.
pub(super) async fn silence(app: &App, name: &str, needed: NeededNodes) -> Option<String> {
    let question = builder::reachability(name, &app.settings)?;
    let reply = match process::ask_for(PATIENCE, &question.line).await {
        Ok(reply) => reply,
        Err(error) => return Some(error.one_line()),
    };
    let printed = String::from_utf8_lossy(&reply.output);
    match reply.ended {
        Ended::Exited(0) => {
            let nodes = question.read(&printed);
            let is_enough = needed == NeededNodes::Any && nodes.contains(&None);
            nodes.into_iter().flatten().next().filter(|_| !is_enough)
        }
        // Waiting does not help here. The run reports what is missing.
        _ if builder::lacks_buildx(&String::from_utf8_lossy(&reply.errors)) => None,
        Ended::TimedOut => Some(format!("no answer within {} seconds", PATIENCE.as_secs())),
        _ => {
            let why = process::last_line(&reply.errors);
            let why = why.or_else(|| process::last_line(&reply.output));
            Some(why.unwrap_or_else(|| "it ended without any output".into()))
        }
    }
}

/// Adds to tasks which of their builders do not answer. `asks` says whether these builders will be asked again.
pub(super) fn add_away(app: &App, loaded: &mut [Snapshot], asks: bool) {
    if app.store.builders().away.is_empty() {
        return;
    }
    let mut fleet = Fleet::idle(app);
    fleet.away = app.store.builders().away;
    for member in &mut fleet.members {
        member.is_away = fleet.away.contains_key(&member.name);
    }
    for one in loaded {
        let placement_request = fleet.asked(app, &one.task, &one.baseline);
        let mut away = fleet.away(&placement_request);
        if !asks {
            away.iter_mut().for_each(|one| one.until = None);
        }
        one.set_away(away, fleet.placement(&placement_request) == Placement::Away);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builder_asked_before_the_clock_was_set_back_is_asked_at_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let record = AwayRecord {
            since: at(100),
            asked: at(100),
            why: String::new(),
            is_full: false,
        };
        assert_eq!(asked_again(&record, at(100)), at(115));
        assert_eq!(asked_again(&record, at(99)), at(99));
    }
}
