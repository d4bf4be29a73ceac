//! Tracks existing images without a run: where an image shows what it was built on, this becomes the baseline of its task. Where it does not,
//! the task stays never-run.
//!
//! [`matching`] compares what an image says with what the Dockerfile names, [`image_check`](super::image_check) finds out what the bases are
//! now, and [`recorded`] makes the dependencies that a run would have recorded.

mod matching;
mod recorded;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use futures_util::{StreamExt as _, stream};

use crate::{
    dockerfile::BaseImage,
    error::{Error, Result},
    image::{Digest, Platform, Reference},
    lineage::{Evidence, LayerMatch, compare},
    registry::copy::ImagePlace,
    task::{BaseImageTriggerType, DependencyKind, ImageDescriptor, Step, Task, Untracked},
    watch::{BaseState, Baseline, Built, Observation, State},
};

use super::{
    App,
    adopt::{AdoptAnswer, ProposedChange, TrackingAnswer},
    credential::all_logins,
    event::EventSink,
    image_check::{
        answer::Row,
        assumed::Assumed,
        held,
        judge::{self, BaseComparator, SeenTag},
        read::{self, Facts, Lineage, PlatformFacts},
        reading_images,
    },
    inputs::{self, Inputs},
    local, pushed, reading, recall, resolve,
};

use matching::{Matched, Named, matched};
use recorded::{BaseComparison, Recorded};

/// How many images are read at once; the limits of a registry may be lower.
const AT_ONCE: usize = 16;

/// The baseline of a task's existing image, how it is known, and the state of the task.
struct Explanation {
    evidence: Evidence,
    /// One of current, stale, missing and follows-nothing.
    state: State,
    baseline: Baseline,
    seen: Vec<(Reference, Observation)>,
}

/// The existing image of a task, as it was read.
struct Candidate<'t> {
    task: &'t Task,
    trigger: BaseImageTriggerType,
    inputs: Inputs,
    outputs: Vec<ImageDescriptor>,
    rows: Vec<CandidateRow>,
}

/// The existing image for one platform.
struct CandidateRow {
    platform: Platform,
    facts: Facts,
    named: Vec<Named>,
    matched: Matched,
    /// Bases that local tasks make, by index: the id that the builder has under their name, and whether the image was built on it.
    local: BTreeMap<usize, (Digest, bool)>,
}

/// Makes the proposed tasks that were never run track the bases of their existing images, and adds the result to each proposal. Writes
/// nothing if the proposal is not written.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be used.
pub async fn adopted(app: &App, answer: &mut AdoptAnswer, events: &EventSink<'_>) -> Result<()> {
    let mut open = Vec::new();
    for (n, task) in answer.tasks.iter().enumerate() {
        let baseline = app.store.baseline(&task.task_key())?;
        if task.change != ProposedChange::Gone
            && !baseline.is_tracking()
            && baseline.failure.is_none()
        {
            open.push(n);
        }
    }
    let tasks: Vec<&Task> = open.iter().map(|n| &answer.tasks[*n].definition).collect();
    let explained = explain(app, &tasks, events).await?;
    for (n, explained) in open.into_iter().zip(explained) {
        let task = &mut answer.tasks[n];
        let tracking = match explained {
            Ok(explanation) => {
                let (evidence, state) = (explanation.evidence, explanation.state);
                if answer.written {
                    keep(app, &task.definition, explanation, events)?;
                }
                task.why = format!("{}; tracking by {evidence}, {}", task.why, state.word());
                TrackingAnswer {
                    evidence: Some(evidence),
                    state,
                    reason: None,
                }
            }
            Err(why) => {
                task.why = format!("{}; never-run: {why}", task.why);
                TrackingAnswer {
                    evidence: None,
                    state: State::NeverRun,
                    reason: Some(why),
                }
            }
        };
        task.tracking = Some(tracking);
    }
    Ok(())
}

/// Finds out for each task what its image was built on, or why that cannot be determined. Writes nothing.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be read.
async fn explain(
    app: &App,
    tasks: &[&Task],
    events: &EventSink<'_>,
) -> Result<Vec<Result<Explanation, String>>> {
    app.registries_with(all_logins(app, &[], &mut 0, events)?);
    let stored = app.store.tasks()?;
    let stored: Vec<Task> = stored.filter_map(|one| one.task.ok()).collect();
    let local = local::made_by(app, stored.iter().chain(tasks.iter().copied()));
    events.send(reading_images(tasks.len()));
    let candidates: Vec<Result<Candidate<'_>, String>> = stream::iter(tasks)
        .map(|task| candidate(app, task, &local))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let rows: Vec<Row> = candidates
        .iter()
        .flatten()
        .flat_map(Candidate::rows)
        .collect();
    let tags = judge::tags(&rows, &Assumed::Unknown);
    let judge = BaseComparator::look(app, Assumed::Unknown, tags, &rows, events).await;
    let mut rows = rows.iter();
    let mut explained = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        explained.push(match candidate {
            Ok(candidate) => {
                let own: Vec<&Row> = rows.by_ref().take(candidate.rows.len()).collect();
                candidate.explained(app, &judge, &own).await
            }
            Err(why) => Err(why),
        });
    }
    Ok(explained)
}

/// Writes the baseline of a task, unless the task already has one or is being run.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the state directory cannot be written.
fn keep(app: &App, task: &Task, explanation: Explanation, events: &EventSink<'_>) -> Result<()> {
    let key = task.key();
    let Some(_lock) = app.store.try_lock_task(&key)? else {
        return Ok(());
    };
    let before = app.store.baseline(&key)?;
    if before.is_tracking() || before.failure.is_some() {
        return Ok(());
    }
    let baseline = explanation.baseline.serving(before, &[]);
    app.store.save_baseline(&key, &baseline)?;
    let mut tags = recall::tags(app, events)?;
    for (tag, seen) in explanation.seen {
        tags.observe(&tag, seen, app.clock.now());
    }
    recall::keep_tags(app, &tags, events);
    Ok(())
}

fn one_line(error: impl Into<Error>) -> String {
    error.into().one_line()
}

/// Reads the image of a task, for each of its platforms.
async fn candidate<'t>(
    app: &App,
    task: &'t Task,
    local: &BTreeSet<Reference>,
) -> Result<Candidate<'t>, String> {
    let Step::Docker(step) = &task.step else {
        return Err("its image is made by no Dockerfile".to_owned());
    };
    if step.context_path.is_remote() {
        return Err("its context is not on this machine, so that only a run reads it".to_owned());
    }
    let images = task.stable_images();
    let Some(image) = images.first() else {
        return Err("it names no image that stays the same from run to run".to_owned());
    };
    let trigger = task.trigger.base_image();
    let trigger = trigger.ok_or("its base image trigger is off")?;
    let secrets = app.store.secrets(&task.key()).unwrap_or_default();
    let inputs = inputs::read(app, task, step, &secrets).map_err(one_line)?;
    let (outputs, found) = if step.is_local {
        of_store(app, task, &images).await?
    } else {
        of_registry(app, task, &images).await?
    };
    let mut candidate = Candidate {
        task,
        trigger: trigger.base_image_trigger_type,
        inputs,
        outputs,
        rows: Vec::new(),
    };
    // Only a local task is built on what local tasks make.
    let none = BTreeSet::new();
    let local = if step.is_local { local } else { &none };
    for PlatformFacts { platform, facts } in found {
        let platform = platform.unwrap_or_else(Platform::host);
        let shown = image.familiar();
        let facts = facts.map_err(|why| format!("`{shown}` for {platform}: {why}"))?;
        let words = pushed::in_words_of(&task.platforms, [platform.clone()]);
        for platform in words {
            let row = candidate.row(app, platform, facts.clone(), local).await;
            let row = row.map_err(|why| format!("`{shown}`: {why}"))?;
            candidate.rows.push(row);
        }
    }
    Ok(candidate)
}

type ReadImages = (Vec<ImageDescriptor>, Vec<PlatformFacts>);

/// Reads an image from a registry. All its names must be the same image.
async fn of_registry(app: &App, task: &Task, images: &[Reference]) -> Result<ReadImages, String> {
    let first = images.first().cloned().ok_or("it names no image")?;
    let place = ImagePlace::Registry(first.clone());
    let read = read::read(app, &place, &task.platforms).await?;
    let others = images.iter().skip(1).cloned().collect();
    for (image, seen) in app.registries().look_all(others).await {
        if seen.map_err(one_line)?.digest != read.digest {
            let (one, other) = (first.familiar(), image.familiar());
            return Err(format!("`{one}` and `{other}` are two images"));
        }
    }
    let descriptor = |image| ImageDescriptor::new(image, Some(read.digest.clone()));
    Ok((images.iter().map(descriptor).collect(), read.platforms))
}

/// Reads an image from the builder's own store. All its names must be the same image.
async fn of_store(app: &App, task: &Task, images: &[Reference]) -> Result<ReadImages, String> {
    let builder = local::store(app.builder_of(task).as_deref(), &app.settings).await;
    let builder = builder.map_err(one_line)?;
    let (mut outputs, mut facts) = (Vec::<ImageDescriptor>::new(), None);
    for image in images {
        let held = local::held(&builder, image).await.map_err(one_line)?;
        let held = held.filter(|held| held.id.is_some());
        let held = held.ok_or_else(|| format!("the builder has no `{}`", image.familiar()))?;
        if outputs.first().is_some_and(|first| first.digest != held.id) {
            let other = image.familiar();
            return Err(format!("`{other}` is another image than its first name"));
        }
        outputs.push(ImageDescriptor::new(image, held.id.clone()));
        facts = Some(held::facts(&held)?);
    }
    let facts = facts.ok_or("it names no image")?;
    let platform = facts.record.platform.clone();
    let is_other = |own: &Platform| {
        let mut wanted = task.platforms.iter();
        !task.platforms.is_empty() && !wanted.any(|it| own.distance(it).is_some())
    };
    if platform.as_ref().is_some_and(is_other) {
        return Err("the builder has it for another platform".to_owned());
    }
    let facts = Ok(facts);
    Ok((outputs, vec![PlatformFacts { platform, facts }]))
}

impl Candidate<'_> {
    /// Compares what the image for one platform says with what the Dockerfile names for it.
    async fn row(
        &mut self,
        app: &App,
        platform: Platform,
        facts: Facts,
        local: &BTreeSet<Reference>,
    ) -> Result<CandidateRow, String> {
        self.inputs.build.platforms = vec![platform.clone()];
        let bases = self.inputs.bases().map_err(one_line)?;
        let is_local = |image: &Reference| local.contains(&app.canonical(image));
        let named = Named::all(&bases, is_local);
        let matched = matched(&facts.lineage, &named, self.trigger)?;
        let mut of_store = BTreeMap::new();
        for n in matched.bases.iter().map(|(n, _)| *n) {
            let one = &named[n];
            if !one.is_local || of_store.contains_key(&n) {
                continue;
            }
            let shown = one.reference.familiar();
            let builder = local::store(app.builder_of(self.task).as_deref(), &app.settings).await;
            let builder = builder.map_err(one_line)?;
            let parent = local::held(&builder, &one.reference).await;
            let parent = parent.map_err(one_line)?;
            let missing = || format!("the builder has no `{shown}`, which it is built on");
            let parent = parent.ok_or_else(missing)?;
            let id = parent.id.clone().ok_or_else(missing)?;
            let is_on = match compare(&facts.record, &held::facts(&parent)?.record) {
                LayerMatch::BuiltOn(_) => true,
                LayerMatch::NotBuiltOn(_) => false,
                LayerMatch::Unclear(why) => return Err(format!("`{shown}`: {why}")),
            };
            of_store.insert(n, (id, is_on));
        }
        Ok(CandidateRow {
            platform,
            facts,
            named,
            matched,
            local: of_store,
        })
    }

    /// Returns the rows to compare, with the bases that are on registries.
    fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().map(|row| Row {
            image: String::new(),
            services: Vec::new(),
            containers: Vec::new(),
            platform: Some(row.platform.clone()),
            facts: Ok(Facts {
                digest: None,
                record: Rc::clone(&row.facts.record),
                lineage: Lineage {
                    evidence: Some(row.matched.evidence),
                    bases: row.on_registries().map(|(_, base)| base.clone()).collect(),
                    problems: Vec::new(),
                },
            }),
        })
    }

    /// Returns what is to be recorded, after the bases have been looked at.
    async fn explained(
        self,
        app: &App,
        judge: &BaseComparator<'_>,
        rows: &[&Row],
    ) -> Result<Explanation, String> {
        let mut recorded = Recorded::default();
        let mut evidence = Evidence::Annotation;
        let (mut is_stale, mut is_missing, mut untracked) = (false, false, Vec::new());
        for (row, judged) in self.rows.iter().zip(rows) {
            let answer = judge.answer(judged).await;
            evidence = evidence.max(answer.evidence.unwrap_or(row.matched.evidence));
            for ((n, base), found) in row.on_registries().zip(&answer.bases) {
                let comparison = match found.state {
                    BaseState::Current => BaseComparison::Current,
                    BaseState::Moved => BaseComparison::Moved(base.digest.clone()),
                    // A missing base is recorded by the digest that was built on, if that is known.
                    BaseState::Missing if base.digest.is_some() => {
                        BaseComparison::Moved(base.digest.clone())
                    }
                    _ => {
                        let why = found.error.clone().unwrap_or_default();
                        return Err(format!("{}: {why}", found.image));
                    }
                };
                is_missing |= found.state == BaseState::Missing;
                is_stale |= found.state == BaseState::Moved;
                let platform = base.platform.as_ref().unwrap_or(&row.platform);
                let named = &row.named[*n];
                recorded.add(judge, named, platform, comparison).await?;
            }
            for (n, (id, is_on)) in &row.local {
                is_stale |= !is_on;
                let comparison = if *is_on {
                    BaseComparison::Current
                } else {
                    BaseComparison::Moved(None)
                };
                recorded.add_local(&row.named[*n], &row.platform, id, comparison);
            }
            untracked.extend(row.untracked());
        }
        self.refuse_further_bases(app, judge).await?;
        untracked.extend(self.inputs.untracked());
        let mut once = BTreeSet::new();
        untracked.retain(|one| once.insert(one.image.clone()));
        let (now, task) = (app.clock.now(), self.task);
        let secrets = app.store.secrets(&task.key()).unwrap_or_default();
        let survey = reading::survey_with_source(app, task, &secrets).map_err(one_line)?;
        let dependencies = recorded.dependencies();
        let seen = seen(app, judge, &dependencies).await?;
        let built = Built {
            untracked,
            named: Some(survey.bases),
            usage: survey.usage,
            files: survey.files,
            platforms: self.rows.iter().map(|row| row.platform.clone()).collect(),
            outputs: self.outputs,
            dependencies,
        };
        let state = match built.dependencies.is_empty() {
            _ if is_missing => State::Missing,
            _ if is_stale => State::Stale,
            true => State::FollowsNothing,
            false => State::Current,
        };
        let mut baseline = Baseline::explained(evidence, built, now);
        baseline.pushed = Some(now);
        Ok(Explanation {
            evidence,
            state,
            baseline,
            seen,
        })
    }

    /// Refuses an image whose bases have `ONBUILD` instructions that name images: its build depends on more than the Dockerfile says.
    async fn refuse_further_bases(
        &self,
        app: &App,
        judge: &BaseComparator<'_>,
    ) -> Result<(), String> {
        let bases = self.inputs.bases().map_err(one_line)?;
        let images = bases.iter();
        let images = images.filter_map(|it| Some((it, judge.seen(&it.reference)?.pinned())));
        let mut build = self.inputs.build.clone();
        build.on_build = resolve::on_build(app, images).await.map_err(one_line)?;
        let further = self.inputs.dockerfile.bases(&build);
        let further = further.map_err(|problem| problem.to_string())?;
        let is_new = |one: &&BaseImage| !bases.iter().any(|it| it.reference == one.reference);
        match further.iter().find(is_new) {
            None => Ok(()),
            Some(one) => Err(format!(
                "its base has every build on it depend on `{}` too, and nothing says what that was",
                one.reference.familiar()
            )),
        }
    }
}

impl CandidateRow {
    fn on_registries(&self) -> impl Iterator<Item = &(usize, crate::lineage::Base)> {
        let bases = self.matched.bases.iter();
        bases.filter(|(n, _)| !self.named[*n].is_local)
    }

    /// Returns the images that are not tracked until a run has found out what they are.
    fn untracked(&self) -> impl Iterator<Item = Untracked> {
        let named = self.named.iter().enumerate();
        named.filter_map(|(n, one)| {
            let reason = match one.reference.digest() {
                Some(_) => "it is pinned by its digest and cannot move",
                None if !self.matched.unproven.contains(&n) => return None,
                None if one.kind == DependencyKind::Frontend => {
                    "it only reads the Dockerfile, and nothing says which one did; the first run follows it"
                }
                None => "nothing says what it was; the first run follows it",
            };
            Some(Untracked {
                image: one.reference.familiar(),
                reason: reason.to_owned(),
            })
        })
    }
}

/// Returns what was seen of the bases now, to be stored with the tags.
async fn seen(
    app: &App,
    judge: &BaseComparator<'_>,
    dependencies: &[crate::task::Dependency],
) -> Result<Vec<(Reference, Observation)>, String> {
    let mut all = Vec::new();
    for dependency in dependencies {
        let Some(tag) = dependency.image.reference() else {
            continue;
        };
        let Some(SeenTag { image, seen }) = judge.seen(&tag) else {
            continue;
        };
        let platforms: Vec<Platform> = dependency.manifests.keys().cloned().collect();
        let manifests = app.registries().platforms(image, seen, &platforms).await;
        let seen = Observation {
            digest: seen.digest.clone(),
            manifests: manifests.map_err(one_line)?.into_iter().collect(),
            created: None,
        };
        all.push((app.canonical(&tag), seen));
    }
    Ok(all)
}
