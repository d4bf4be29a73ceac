//! Reads what the files of a task say now, and compares it with what its last run was built on.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Kind, Result},
    image::Reference,
    store::secrets::Secrets,
    sys::mounts,
    task::{Context, Step, Task},
    watch::{Baseline, FileStamp, FileState, ReadFile, Reading},
};

use super::{
    App, adopt, import,
    inputs::{is_unchanged, read, stamped},
    steps,
    survey::{Survey, usage, uses},
};

/// Returns what can be said about a task without a run and without a registry.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where its files cannot be used.
pub fn survey(app: &App, task: &Task, secrets: &Secrets) -> Result<Survey> {
    let survey = survey_files(app, task, secrets)?;
    // The definition itself is an input too, and so are secret arguments.
    let (layout, key) = (app.store.layout(), task.key());
    let has_secrets = task.step.has_secret_arguments();
    let own = [
        Some(layout.task(&key)),
        has_secrets.then(|| layout.secrets(&key)),
    ];
    let mut files = stamped(own.into_iter().flatten());
    files.extend(survey.files);
    Ok(Survey { files, ..survey })
}

/// As [`survey`], with the files that the task was adopted from. If these have changed, they are read again each time.
pub fn survey_with_source(app: &App, task: &Task, secrets: &Secrets) -> Result<Survey> {
    let mut survey = survey(app, task, secrets)?;
    let (changed, files) = adopt::has_changed(task);
    let mut files = stamped(files);
    if changed.is_some() {
        for file in &mut files {
            file.state = FileState::Unsettled;
        }
    }
    survey.files.extend(files);
    survey.source = changed;
    Ok(survey)
}

fn survey_files(app: &App, task: &Task, secrets: &Secrets) -> Result<Survey> {
    if is_remote(task) {
        // A remote context is read by the run that fetches it.
        return Ok(Survey {
            usage: Some(task.input_digest()),
            pushes: task.stable_images(),
            ..Survey::default()
        });
    }
    refuse_hanging(task)?;
    let step = match &task.step {
        Step::Docker(step) => step,
        Step::Import(step) => return import::survey(task, step),
        Step::FileTask(_) | Step::EncodedTask(_) => {
            return steps::read::survey(app, task, secrets);
        }
    };
    let inputs = read(app, task, step, secrets)?;
    let bases = inputs.bases()?;
    let names: BTreeSet<&Reference> = bases.iter().map(|base| &base.reference).collect();
    Ok(Survey {
        bases: names.into_iter().cloned().collect(),
        usage: Some(usage(uses(app, &bases))),
        pushes: task.stable_images(),
        files: stamped(inputs.files()),
        digest: Some(inputs.digest),
        ..Survey::default()
    })
}

/// Returns whether the files of a task are compared with what its last run read, and have not changed since. The state of the file of the
/// definition may be known already, as [`FileStamp::fingerprint`].
pub fn is_as_read(task: &Task, baseline: &Baseline, definition: Option<(&Path, u64)>) -> bool {
    let is_as_it_was = |file: &ReadFile| match definition {
        Some((path, state)) if file.path.as_os_str() == path.as_os_str() => {
            matches!(file.state, FileState::At(stamp) if stamp.fingerprint() == state)
        }
        _ => is_unchanged(file),
    };
    let files = &baseline.files;
    is_compared(task, baseline) && !files.is_empty() && files.iter().all(is_as_it_was)
}

/// Returns where the file system of a task's local context is, if that does not answer.
pub fn hanging(task: &Task) -> Option<PathBuf> {
    match task.step.context()? {
        Context::Local(folder) => mounts::hanging(folder),
        _ => None,
    }
}

/// Says that the files of a task cannot be read, because the file system at `point` does not answer.
pub fn of_hanging(point: &Path) -> Reading {
    Reading {
        problem: Some(no_answer(point)),
        ..Reading::default()
    }
}

/// Refuses to read a context whose file system does not answer: nothing could stop a run that waits for it.
///
/// # Errors
///
/// [`Kind::Unknown`] with the mount point.
pub fn refuse_hanging(task: &Task) -> Result<()> {
    match hanging(task) {
        Some(point) => Err(Error::new(Kind::Unknown, no_answer(&point))
            .hint("it is tried again when triggers run the task next")),
        None => Ok(()),
    }
}

fn no_answer(point: &Path) -> String {
    format!(
        "the context cannot be read: the file system at `{}` does not answer",
        point.display()
    )
}

fn is_compared(task: &Task, baseline: &Baseline) -> bool {
    baseline.is_tracking() && (!is_remote(task) || baseline.usage.is_some())
}

fn is_remote(task: &Task) -> bool {
    task.step.context().is_some_and(Context::is_remote)
}

/// Reads what the files of a task say now, where that matters: if the last run failed or was canceled, or a file has changed since the last
/// run read it, which [`is_as_read`] says. Of a task with a remote context only the definition is read.
pub fn reading(app: &App, task: &Task, baseline: &Baseline, is_as_read: bool) -> Option<Reading> {
    let is_compared = is_compared(task, baseline);
    let has_failed =
        baseline.failure.is_some() || baseline.canceled.is_some() || baseline.away.is_some();
    if !has_failed && (!is_compared || is_as_read) {
        return None;
    }
    let secrets = if task.step.has_secret_arguments() {
        app.store.secrets(&task.key())
    } else {
        Ok(Secrets::default())
    };
    let read = secrets.and_then(|secrets| {
        let survey = survey_with_source(app, task, &secrets)?;
        if is_compared && !is_remote(task) {
            steps::read::refuse_broken(app, task, &secrets)?;
            refuse_vanished(baseline, &survey)?;
        }
        Ok(survey)
    });
    Some(match read {
        Ok(survey) if is_compared => compared(app, baseline, survey),
        Ok(survey) => Reading {
            digest: survey.digest,
            ..Reading::default()
        },
        Err(error) => Reading {
            problem: is_compared.then(|| error.one_line()),
            ..Reading::default()
        },
    })
}

/// Reads the files of a task that has never run: all images that they name will be its bases. If they cannot be read, the run reports that.
pub fn of_first_run(app: &App, task: &Task) -> Reading {
    let secrets = app.store.secrets(&task.key()).unwrap_or_default();
    let survey = survey(app, task, &secrets).unwrap_or_default();
    Reading {
        digest: survey.digest,
        added: survey.bases,
        ..Reading::default()
    }
}

fn modified_at(file: &ReadFile) -> Option<jiff::Timestamp> {
    let now = std::fs::metadata(&file.path).ok()?;
    Some(FileStamp::of(&now).modified_at())
}

/// Refuses a task whose last run read a file that is missing now and still needed. A file that was missing then may be made by a step.
fn refuse_vanished(baseline: &Baseline, survey: &Survey) -> Result<()> {
    let was_there = |path: &PathBuf| {
        let mut files = baseline.files.iter();
        files.any(|file| file.path == *path && file.state != FileState::Absent)
    };
    let mut wanted = survey.files.iter();
    match wanted.find(|file| file.state == FileState::Absent && was_there(&file.path)) {
        None => Ok(()),
        Some(file) => {
            let why = anyhow::anyhow!("it is not there, and was when the last run read it");
            let text = format!("cannot read `{}`", file.path.display());
            Err(Error::invalid(text).because(why))
        }
    }
}

/// Compares the images that the files name now, and how they use them, with the last run.
fn compared(app: &App, baseline: &Baseline, survey: Survey) -> Reading {
    let own = |image: &Reference| app.canonical(image);
    let names: BTreeSet<Reference> = survey.bases.iter().map(own).collect();
    let before: BTreeSet<Reference> = match &baseline.named {
        Some(named) => named.iter().map(own).collect(),
        // Version 0.1 recorded all resolved images, which are more than those that the files name.
        None => {
            let untracked = baseline.untracked.iter();
            let untracked = untracked.filter_map(|untracked| untracked.image.parse().ok());
            let all = baseline.bases().chain(untracked);
            all.map(|image| own(&image)).collect()
        }
    };
    let has_same_names = match baseline.named {
        Some(_) => before == names,
        None => names.is_subset(&before),
    };
    let is_same = has_same_names && (baseline.usage.is_none() || baseline.usage == survey.usage);
    let mut reading = Reading {
        source: survey.source.clone(),
        digest: survey.digest,
        modified: survey.files.iter().filter_map(modified_at).max(),
        ..Reading::default()
    };
    if is_same {
        let is_settled = |file: &ReadFile| file.state != FileState::Unsettled;
        let is_news = before == names
            && survey.files != baseline.files
            && survey.files.iter().all(is_settled);
        reading.renewed = is_news.then_some((survey.bases, survey.files));
        return reading;
    }
    let bases = survey.bases.iter();
    let added = bases.filter(|image| !before.contains(&own(image)));
    reading.added = added.cloned().collect();
    // Images from `ONBUILD` triggers of a base are in no file; they are kept.
    if baseline.named.is_some() {
        reading.dropped = before.difference(&names).cloned().collect();
    }
    reading.changed = Some(survey.bases);
    reading
}
