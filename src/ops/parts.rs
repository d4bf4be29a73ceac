//! Builds for several platforms that no single builder has: in parts on several builders concurrently, joined by one index.
//!
//! Each part is pushed without a tag if its builder can do so, else under a temporary tag that is removed again. No tag of the task moves
//! before all parts and their index are in the registry.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use crate::{
    builder::BuildRequest,
    error::{Error, Result},
    image::{Digest, Platform, Reference},
    registry::{JoinedIndex, JoinedPart, Removal},
    store::file,
    task::RunStatus,
};

use super::{
    App, assemble,
    build_job::{BuildJob, BuildOutcome, BuilderWork},
    execution::{Execution, Failure},
    joined::joined,
    outputs::judge_platforms,
    pushed,
    run_builders::PlacedBuilder,
    run_log::{PrefixedLog, RunLog},
};

/// What a part has pushed: its digest in each repository, by the repository's name.
type PushedPart = BTreeMap<String, Digest>;

/// Returns the request for one builder's part of the build `whole`. Its labels name its own base.
///
/// # Errors
///
/// As [`assemble::labels`].
pub(super) fn part_of(
    job: &BuildJob<'_>,
    whole: &BuildRequest,
    on: &PlacedBuilder,
) -> Result<BuildRequest> {
    let mut request = whole.clone();
    let Some(first) = on.platforms.first() else {
        return Ok(request);
    };
    request.platforms.clone_from(&on.platforms);
    let labels = assemble::labels(
        job.execution,
        job.run,
        job.inputs,
        job.resolved,
        &on.platforms,
    )?;
    request.labels.extend(labels.clone());
    request.annotations = labels;
    request.by_digest = on.builder.pushes_by_digest();
    let mut repositories = BTreeSet::new();
    let images = whole.images.iter();
    request.images = images
        .filter(|image| repositories.insert(image.name()))
        .filter_map(|image| temporary(job.execution, image, first, &whole.run_id))
        .collect();
    let is_of_other = |it: &Platform| whole.platforms.contains(it) && !on.platforms.contains(it);
    for unpinned in &mut request.unpinned {
        if unpinned.platform.as_ref().is_some_and(is_of_other) {
            unpinned.platform = Some(first.clone());
        }
    }
    for platforms in request.bases.values_mut() {
        // If the Dockerfile takes this image for another platform only, each part may do so too.
        if !platforms.iter().all(is_of_other) {
            platforms.retain(|it| !is_of_other(it));
        }
    }
    Ok(request)
}

/// Returns the temporary tag of a part. It is the same in each run of a task, so that the next run removes the tag of a run that was killed.
fn temporary(
    execution: &Execution<'_>,
    image: &Reference,
    first: &Platform,
    run_id: &str,
) -> Option<Reference> {
    let root = execution.app.store.layout().root().display().to_string();
    let of = if execution.recorded {
        execution.task.key().full()
    } else {
        run_id.to_owned()
    };
    let unique = Digest::of(format!("{root} {of}").as_bytes());
    let platform = first.to_string();
    let platform = platform.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let tag = format!("acrt-part-{}-{platform}", &unique.hex()[..12]);
    format!("{}:{tag}", image.name()).parse().ok()
}

/// Builds the parts concurrently, joins them, and lets the tags point to the index.
pub(super) async fn build(
    job: &BuildJob<'_>,
    builders: &[PlacedBuilder],
    whole: BuildRequest,
    log: &RunLog<'_>,
) -> Result<BuildOutcome, Failure> {
    let mut requests = Vec::new();
    for (n, on) in builders.iter().enumerate() {
        let mut request = part_of(job, &whole, on)?;
        request.scratch = whole.scratch.join(format!("part-{}", n + 1));
        file::make_folder(&request.scratch)?;
        request.dockerfile = assemble::dockerfile_in(&request.scratch);
        requests.push(request);
    }
    let tagged: Vec<&Reference> = requests
        .iter()
        .filter(|request| request.push && !request.by_digest)
        .flat_map(|request| &request.images)
        .collect();
    let made = make_parts(job, builders, &requests, log).await;
    let made = match made {
        Ok(made) if whole.push => join(job.execution, &whole, builders, &made, log).await,
        Ok(_) => Ok(BuildOutcome::default()),
        Err(failure) => Err(failure),
    };
    remove_temporary(job.execution.app, &tagged, made.is_ok(), log).await;
    made
}

/// Builds the parts. The first failure stops the others.
async fn make_parts(
    job: &BuildJob<'_>,
    builders: &[PlacedBuilder],
    requests: &[BuildRequest],
    log: &RunLog<'_>,
) -> Result<Vec<PushedPart>, Failure> {
    let (halt, stop) = job.execution.stop.or_halt();
    let parts = builders.iter().zip(requests).enumerate();
    let mut working: FuturesUnordered<_> = parts
        .map(|(n, (on, request))| {
            let work = BuilderWork {
                on,
                request: request.clone(),
                lines: PrefixedLog {
                    log,
                    prefix: format!("{} | ", joined(&on.platforms, " and ")),
                },
                stop: &stop,
            };
            async move { (n, make_part(job, work).await) }
        })
        .collect();
    let mut made = BTreeMap::new();
    let mut first: Option<Failure> = None;
    while let Some((n, ended)) = working.next().await {
        match ended {
            Ok(part) => drop(made.insert(n, part)),
            Err(failure) if first.is_none() => {
                halt.ask();
                first = Some(named(failure, &builders[n]));
            }
            Err(_) => {}
        }
    }
    match first {
        Some(failure) => Err(failure),
        None => Ok(made.into_values().collect()),
    }
}

/// Builds one part, and checks that it was pushed and is for the right platforms.
async fn make_part(job: &BuildJob<'_>, work: BuilderWork<'_>) -> Result<PushedPart, Failure> {
    let (request, on) = (work.request.clone(), work.on);
    let lines = work.lines.clone();
    let outcome = job.build_on(work).await?;
    let mut part = PushedPart::new();
    if !request.push {
        return Ok(part);
    }
    let registries = job.execution.app.registries();
    for image in &request.images {
        let digest = match outcome.digests.get(image) {
            Some(digest) => digest.clone(),
            None if request.by_digest => {
                let text = format!("builder {} does not say what it has pushed", on.name);
                return Err(Error::failed(text).into());
            }
            None => {
                let looking = async { Ok(registries.look(image).await?.digest) };
                job.execution.unless_stopped(looking).await?
            }
        };
        let pinned = image.at(digest.clone());
        let reading = async { Ok(registries.configured_for(&pinned).await?) };
        let made = pushed::in_words_of(&on.platforms, job.execution.unless_stopped(reading).await?);
        judge_platforms(&made, &on.platforms, job.inputs)?;
        part.insert(image.name(), digest);
    }
    let digests: BTreeSet<&Digest> = part.values().collect();
    let digests = joined(digests, ", ");
    lines.say(&format!("built by {}: {digests}", on.name));
    Ok(part)
}

/// Pushes an index of the parts to each repository, and then the tags, in their order.
async fn join(
    execution: &Execution<'_>,
    whole: &BuildRequest,
    builders: &[PlacedBuilder],
    made: &[PushedPart],
    log: &RunLog<'_>,
) -> Result<BuildOutcome, Failure> {
    log.doing("joining the parts".into());
    let registries = execution.app.registries();
    let mut indexes: BTreeMap<String, JoinedIndex> = BTreeMap::new();
    for image in &whole.images {
        let name = image.name();
        if indexes.contains_key(&name) {
            continue;
        }
        let parts = builders.iter().zip(made).filter_map(|(on, part)| {
            Some(JoinedPart {
                digest: part.get(&name)?.clone(),
                platforms: on.platforms.clone(),
            })
        });
        let parts: Vec<JoinedPart> = parts.collect();
        let putting = async {
            let index = registries.join(image, &parts, &whole.annotations).await?;
            let by_digest = image.at(index.digest.clone());
            let put = registries.put_index(&by_digest, &index).await;
            put.map_err(|error| error.of_writing(&name))?;
            Ok(index)
        };
        let index = execution.unless_stopped(putting).await?;
        log.say(&format!("joined to {name}@{}", index.digest));
        indexes.insert(name, index);
    }
    let mut outcome = BuildOutcome::default();
    for image in &whole.images {
        let Some(index) = indexes.get(&image.name()) else {
            continue;
        };
        let putting = async {
            let put = registries.put_index(image, index).await;
            put.map_err(|error| error.of_writing(&image.to_string()))
        };
        execution.unless_stopped(putting).await?;
        outcome.digests.insert(image.clone(), index.digest.clone());
    }
    Ok(outcome)
}

/// Removes the temporary tags of the parts. A failure is reported, and does not fail the run.
async fn remove_temporary(app: &App, tags: &[&Reference], is_joined: bool, log: &RunLog<'_>) {
    let registries = app.registries();
    for tag in tags {
        let removing = async {
            let seen = registries.look(tag).await?;
            registries.untag(tag, &seen.digest, true).await
        };
        let why = match removing.await {
            Ok(Removal::Removed | Removal::Absent | Removal::Moved) => continue,
            Ok(Removal::Unsupported) => "its registry removes nothing".to_owned(),
            Err(error) if error.is_absent() => continue,
            Err(error) => Error::from(error).one_line(),
        };
        if is_joined {
            log.say(&format!("the tag {tag} of a part stays: {why}"));
        }
    }
}

/// Adds the part and its builder to a failure.
fn named(failure: Failure, on: &PlacedBuilder) -> Failure {
    if failure.status == RunStatus::Canceled {
        return failure;
    }
    let platforms = joined(&on.platforms, " and ");
    let text = format!("the part for {platforms} on builder {} failed", on.name);
    Failure {
        status: failure.status,
        error: Error::new(failure.error.kind(), text).because(failure.error),
    }
}
