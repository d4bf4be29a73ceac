//! Explains why a task was rebuilt, or would be, and how a base differs between before and after.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Reference},
    registry::{ImageSummary, LookupError},
    task::{BaseUpdate, Run, RunId, RunStatus, TaskKey, TaskName},
    watch::{State, Verdict},
};

use super::{
    App,
    answer::{AzTimestamp, BaseUpdateAnswer},
    check::{reason, state_of},
    credential::logins,
    local, runs,
    show::verdict_of,
    task::option_of,
};

/// How many bases are compared.
const MOST_BASES: usize = 8;

/// How many differences of one kind are listed.
const MOST: usize = 30;

/// The maximum length of a value that is shown, in characters.
const LONGEST: usize = 200;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyAnswer {
    name: TaskName,
    registry: String,
    state: State,
    /// The run that is explained; `None` for the next run.
    run_id: Option<RunId>,
    status: Option<RunStatus>,
    /// When the run was requested.
    time: Option<AzTimestamp>,
    /// The reason, on one line.
    cause: String,
    bases: Vec<BaseDifference>,
}

/// A base that moved, and how it differs from before.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseDifference {
    #[serde(flatten)]
    update: BaseUpdateAnswer,
    differences: Vec<Difference>,
    /// Why the two images could not be compared.
    problem: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// `created`, `size`, `layer`, `env NAME`, `entrypoint`, `cmd`, `user`, `workdir`, `label NAME` or `port`.
    what: String,
    before: Option<String>,
    after: Option<String>,
}

/// Explains why a task would be rebuilt, if it would; else why `run`, or its last run, was made. For each base that moved, two manifests and
/// two configs are read, and nothing else.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such task, or no such run of it; [`Kind::Failed`] where the state directory cannot be read.
pub async fn why(app: &App, key: &TaskKey, run: Option<RunId>) -> Result<WhyAnswer> {
    let verdict = verdict_of(app, key)?;
    let moves = verdict.as_ref().and_then(Verdict::reasons);
    let pending = moves.filter(|reasons| run.is_none() && !reasons.is_empty());
    let of_run = match (&pending, run) {
        (Some(_), _) => None,
        (None, Some(id)) => Some(run_of(app, key, id)?),
        (None, None) => last_run(app, key)?,
    };
    let updates = match (&pending, &of_run) {
        (Some(reasons), _) => reasons.moves.iter().map(|it| it.update.clone()).collect(),
        (None, Some(run)) => run.base_updates.clone(),
        (None, None) => Vec::new(),
    };
    let cause = match (&pending, &of_run, &verdict) {
        (Some(_), _, Some(verdict)) => reason(key, verdict),
        (None, Some(run), _) => run.cause_with_sightings(),
        (_, _, Some(verdict)) => match reason(key, verdict) {
            why if why.is_empty() => "nothing has moved, and none of its runs is kept".to_owned(),
            why => why,
        },
        (_, _, None) => "it was never run".to_owned(),
    };
    app.registries_with(logins(Some(key), &app.store.secrets(key)?)?);
    let local = match app.store.task(key)? {
        Some(task) => local::images_for(app, &task, &app.store.baseline(key)?)?,
        None => BTreeSet::new(),
    };
    let mut bases = Vec::new();
    for update in updates.iter().take(MOST_BASES) {
        bases.push(compare(app, update, &local).await);
    }
    Ok(WhyAnswer {
        name: key.name.clone(),
        registry: key.registry.clone(),
        state: verdict.as_ref().map_or(State::Unknown, state_of),
        run_id: of_run.as_ref().map(|run| run.run_id),
        status: of_run.as_ref().map(|run| run.status),
        time: of_run.as_ref().map(|run| AzTimestamp(run.create_time)),
        cause,
        bases,
    })
}

fn run_of(app: &App, key: &TaskKey, id: RunId) -> Result<Run> {
    let run = app.store.run(id)?;
    let is_its = |run: &Run| {
        run.task.as_ref() == Some(&key.name) && app.is_same_registry(&run.registry, &key.registry)
    };
    run.filter(is_its).ok_or_else(|| {
        Error::new(Kind::NotFound, format!("task `{key}` has no run `{id}`")).hint(format!(
            "see its runs: acrt task list-runs {}",
            option_of(app, key)
        ))
    })
}

/// Returns the last run of a task. Records that cannot be read are skipped.
fn last_run(app: &App, key: &TaskKey) -> Result<Option<Run>> {
    let ids = runs::ids(app, &runs::of_task(key))?;
    Ok(ids.into_iter().find_map(|id| run_of(app, key, id).ok()))
}

async fn compare(app: &App, update: &BaseUpdate, local: &BTreeSet<Reference>) -> BaseDifference {
    let (differences, problem) = match read_both(app, update, local).await {
        Ok((before, after)) => (differences(&before, &after), None),
        Err(why) => (Vec::new(), Some(why)),
    };
    BaseDifference {
        update: update.into(),
        differences,
        problem,
    }
}

async fn read_both(
    app: &App,
    update: &BaseUpdate,
    local: &BTreeSet<Reference>,
) -> Result<(ImageSummary, ImageSummary), String> {
    let of = |manifest: &Option<Digest>, whole: &Option<Digest>| manifest.clone().or(whole.clone());
    let before = of(&update.previous_manifest, &update.previous_digest)
        .ok_or("it is not known what it was built on before")?;
    let after = of(&update.manifest, &update.digest)
        .ok_or("it has yet to be made by the run of another task")?;
    let image: Reference = update
        .image
        .parse()
        .map_err(|_| "it is no image".to_owned())?;
    if local.contains(&app.canonical(&image)) {
        return Err("a local task makes it, and only images on registries are compared".to_owned());
    }
    let told = |which: &str, digest: &Digest, error: LookupError| {
        if error.is_absent() {
            format!(
                "its registry no longer has {which} ({digest}), so that the two cannot be compared"
            )
        } else {
            format!("{which} cannot be read: {}", Error::from(error).one_line())
        }
    };
    let platform = update.platform.as_ref();
    let registries = app.registries();
    let read = async |which: &str, digest: &Digest| {
        let summary = registries
            .summary(&image.at(digest.clone()), platform)
            .await;
        summary.map_err(|error| told(which, digest, error))
    };
    Ok((
        read("what it was", &before).await?,
        read("what it is now", &after).await?,
    ))
}

fn differences(before: &ImageSummary, after: &ImageSummary) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut one = |what: &str, before: Option<String>, after: Option<String>| {
        let empty = |text: &String| !text.is_empty();
        let (before, after) = (before.filter(empty), after.filter(empty));
        if before != after {
            found.push(Difference {
                what: bounded(what),
                before: before.as_deref().map(bounded),
                after: after.as_deref().map(bounded),
            });
        }
    };
    let moment = |summary: &ImageSummary| summary.created.map(|it| format!("{it:.0}"));
    one("created", moment(before), moment(after));
    let size = |summary: &ImageSummary| Some(format!("{} bytes", summary.size()));
    one("size", size(before), size(after));
    let words = |words: &[String]| Some(words.join(" "));
    one(
        "entrypoint",
        words(&before.entrypoint),
        words(&after.entrypoint),
    );
    one("cmd", words(&before.cmd), words(&after.cmd));
    one("user", Some(before.user.clone()), Some(after.user.clone()));
    one(
        "workdir",
        Some(before.working_dir.clone()),
        Some(after.working_dir.clone()),
    );
    let layers = |summary: &ImageSummary| -> BTreeMap<String, String> {
        let layers = summary.layers.iter();
        layers
            .map(|(digest, size)| {
                (
                    digest.to_string(),
                    format!("{} {size} bytes", digest.short()),
                )
            })
            .collect()
    };
    let ports = |summary: &ImageSummary| -> BTreeMap<String, String> {
        summary
            .ports
            .iter()
            .map(|it| (it.clone(), it.clone()))
            .collect()
    };
    let maps = [
        ("layer", layers(before), layers(after), false),
        ("port", ports(before), ports(after), false),
        ("env", before.env.clone(), after.env.clone(), true),
        ("label", before.labels.clone(), after.labels.clone(), true),
    ];
    for (kind, old, new, is_named) in maps {
        let names = old
            .keys()
            .chain(new.keys().filter(|name| !old.contains_key(*name)));
        let changed: Vec<&String> = names
            .filter(|name| old.get(*name) != new.get(*name))
            .collect();
        for name in changed.iter().take(MOST) {
            let what = if is_named {
                format!("{kind} {name}")
            } else {
                kind.to_owned()
            };
            // A variable that is set but empty differs from one that is not set.
            let value = |map: &BTreeMap<String, String>| {
                map.get(*name).map(|it| {
                    if it.is_empty() {
                        "\"\"".to_owned()
                    } else {
                        it.clone()
                    }
                })
            };
            one(&what, value(&old), value(&new));
        }
        if let more @ 1.. = changed.len().saturating_sub(MOST) {
            one(kind, None, Some(format!("and {more} more")));
        }
    }
    found
}

/// Removes control characters from a text, and cuts it to the maximum length.
fn bounded(text: &str) -> String {
    let harmless = text.chars().map(|c| match c {
        c if c.is_control() => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    });
    let short: String = harmless.take(LONGEST + 1).collect();
    if short.chars().count() <= LONGEST {
        return short;
    }
    short.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(env: &[(&str, &str)], layers: &[&str]) -> ImageSummary {
        let pairs = |all: &[(&str, &str)]| {
            let all = all.iter();
            all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        ImageSummary {
            env: pairs(env),
            layers: layers
                .iter()
                .map(|it| (Digest::of(it.as_bytes()), 10))
                .collect(),
            ..ImageSummary::default()
        }
    }

    #[test]
    fn package_differences_are_listed_once_each_up_to_a_limit() {
        let before = summary(&[("A", "1"), ("B", "x"), ("E", "")], &["low", "old"]);
        let after = ImageSummary {
            user: "app\u{1b}[2J".into(),
            ..summary(&[("A", "2"), ("C", "y")], &["low", "new", "more"])
        };
        let found = differences(&before, &after);
        let of = |what: &str| -> Vec<_> {
            let found = found.iter().filter(|it| it.what == what);
            found
                .map(|it| (it.before.as_deref(), it.after.as_deref()))
                .collect()
        };
        assert_eq!(of("env A"), [(Some("1"), Some("2"))]);
        assert_eq!(of("env B"), [(Some("x"), None)]);
        assert_eq!(of("env C"), [(None, Some("y"))]);
        assert_eq!(of("env E"), [(Some("\"\""), None)]);
        assert_eq!(of("user"), [(None, Some("app [2J"))]);
        assert_eq!(of("size"), [(Some("20 bytes"), Some("30 bytes"))]);
        assert_eq!(of("layer").len(), 3);
        assert_eq!(differences(&before, &before), []);
        let many: Vec<(String, String)> =
            (0..100).map(|n| (n.to_string(), "v".repeat(999))).collect();
        let many = ImageSummary {
            labels: many.into_iter().collect(),
            ..before.clone()
        };
        let found = differences(&before, &many);
        assert_eq!(found.len(), MOST + 1);
        assert!(found.iter().all(|it| {
            it.after
                .as_ref()
                .is_some_and(|it| it.chars().count() <= LONGEST)
        }));
    }
}
