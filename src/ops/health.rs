//! Checks whether everything works that acrt needs: a builder, the registries, their logins, the state directory.

use std::{collections::BTreeSet, os::unix::fs::MetadataExt as _};

use futures_util::future::join_all;
use serde::Serialize;

use crate::{
    builder,
    error::{Error, Kind, Result},
    image::Reference,
    registry::Health,
    sys::process,
};

use super::{
    App, Event, EventSink, credential::logins_at, joined::joined, notify, recall,
    run_builders::PlacedBuilder,
};

/// Clocks that differ by more than this, in seconds, make tokens and certificates fail.
const CLOCK_TOLERANCE: i64 = 60;

/// Free space below this, in MiB, gives a warning: a run's log and an image's layers need more.
const LITTLE_SPACE: u64 = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Ok,
    /// It works, but something about it should be known.
    Warning,
    Unknown,
    Failed,
}

impl CheckStatus {
    fn warning_if(is_off: bool) -> Self {
        if is_off { Self::Warning } else { Self::Ok }
    }
}

/// The result of a check of one thing.
#[derive(Debug, Serialize)]
pub struct Finding {
    check: &'static str,
    subject: String,
    pub status: CheckStatus,
    detail: String,
    hint: Option<String>,
}

impl Finding {
    fn new(
        check: &'static str,
        subject: impl Into<String>,
        status: CheckStatus,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            check,
            subject: subject.into(),
            status,
            detail: detail.into(),
            hint: None,
        }
    }

    fn of_error(check: &'static str, subject: impl Into<String>, error: &Error) -> Self {
        let status = match error.kind() {
            Kind::Unknown => CheckStatus::Unknown,
            _ => CheckStatus::Failed,
        };
        Self {
            hint: error.advice().map(str::to_owned),
            ..Self::new(check, subject, status, error.one_line())
        }
    }
}

/// The command that prints these checks.
const ITSELF: &str = "acrt check-health";

/// Checks the builders, the state directory and `registries`; if none is named, those that tasks and the config file use.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be read.
pub async fn check(
    app: &App,
    registries: Vec<String>,
    events: &EventSink<'_>,
) -> Result<Vec<Finding>> {
    let mut findings = builders(app).await;
    if let Err(error) = app.check_state_directory() {
        let subject = app.store.layout().root().display().to_string();
        findings.push(Finding::of_error("state directory", subject, &error));
        findings.extend(config_file(app));
        // A state directory that others may write is not to be trusted: stop here.
        return Ok(findings);
    }
    findings.extend(state_directory(app));
    findings.extend(config_file(app));
    let wanted = if registries.is_empty() {
        used(app)?
    } else {
        registries
            .iter()
            .map(|name| app.settings.login_server(name))
            .collect()
    };
    let is_wanted = |server: &str| wanted.iter().any(|one| app.is_same_registry(one, server));
    app.registries_with(logins_at(app, is_wanted, &[], &mut 0, events)?);
    let tags = recall::tags(app, events)?;
    for registry in wanted {
        events.send(Event::Doing(format!("asking {registry}")));
        let mut health = app.registries().health(&registry).await;
        // Another process may have been told to pause.
        let pauses = tags.records().iter().filter(|(tag, record)| {
            app.is_same_registry(tag.registry(), &registry) && record.rests(app.clock.now())
        });
        let pause = pauses.filter_map(|(_, record)| record.not_before).max();
        health.budget.paused_until = health.budget.paused_until.max(pause);
        findings.extend(of_registry(app, health));
    }
    Ok(findings)
}

/// Returns the worst result, as the kind that picks the exit code.
pub fn worst(findings: &[Finding]) -> Option<Kind> {
    let any = |status| findings.iter().any(|finding| finding.status == status);
    if any(CheckStatus::Failed) {
        Some(Kind::Failed)
    } else if any(CheckStatus::Unknown) {
        Some(Kind::Unknown)
    } else {
        None
    }
}

/// Returns the registries that tasks push to or depend on, and those in the config file.
fn used(app: &App) -> Result<BTreeSet<String>> {
    let config = &app.settings.config.registries;
    let mut registries: BTreeSet<String> = config
        .keys()
        .map(|name| app.settings.login_server(name))
        .collect();
    let followed: Vec<_> = app.store.followed()?.collect();
    let tasks = followed
        .iter()
        .filter_map(|(_, followed)| followed.as_ref().ok());
    // Local images are on no registry.
    let local: BTreeSet<Reference> = tasks
        .filter(|(task, _)| task.is_local())
        .flat_map(|(task, _)| task.stable_images())
        .collect();
    for (key, followed) in &followed {
        let Ok((task, baseline)) = followed else {
            registries.insert(key.registry.clone());
            continue;
        };
        let bases = baseline.bases().filter(|base| !local.contains(base));
        registries.extend(bases.map(|base| base.registry().to_owned()));
        if !task.is_local() {
            registries.insert(key.registry.clone());
            let images = task.stable_images();
            registries.extend(images.iter().map(|image| image.registry().to_owned()));
        }
    }
    Ok(registries)
}

/// Checks the chosen builder, or each builder of the chosen pool.
async fn builders(app: &App) -> Vec<Finding> {
    let chosen = builder::chosen_name(None, &app.settings);
    let pool = chosen.and_then(|name| app.settings.config.pools.get(name));
    let members = pool.into_iter().flat_map(|pool| &pool.builders);
    let mut names: Vec<Option<&str>> = members.map(|name| Some(name.as_str())).collect();
    if names.is_empty() {
        names.push(chosen);
    }
    join_all(names.into_iter().map(|name| builder(app, name))).await
}

async fn builder(app: &App, name: Option<&str>) -> Finding {
    let found = PlacedBuilder::find(app, name, Vec::new()).await;
    let PlacedBuilder { name, builder, .. } = match found {
        Ok(found) => found,
        Err(error) => return Finding::of_error("builder", name.unwrap_or_default(), &error),
    };
    let Some(line) = builder.version() else {
        return Finding::new("builder", name, CheckStatus::Ok, "called by its template");
    };
    let answer = match process::ask(&line).await {
        Ok(answer) => answer,
        Err(error) => return Finding::of_error("builder", name, &error),
    };
    let (text, problem) = (answer.text(), answer.problem());
    let (status, said) = if answer.succeeded() {
        (CheckStatus::Ok, text.lines().next().unwrap_or_default())
    } else {
        let last = problem.lines().last();
        (
            CheckStatus::Failed,
            last.unwrap_or("it ended without any output"),
        )
    };
    let detail = format!("{}: {said}", line.program.display());
    Finding::new("builder", name, status, detail)
}

fn state_directory(app: &App) -> Vec<Finding> {
    let root = app.store.layout().root();
    let subject = root.display().to_string();
    let check = "state directory";
    if let Err(error) = app.store.prepare() {
        return vec![Finding::of_error(check, subject, &error)];
    }
    if let Err(problem) = tempfile::tempfile_in(root) {
        return vec![unwritable(check, subject, &problem)];
    }
    let mode = std::fs::metadata(root).map_or(0o700, |metadata| metadata.mode() & 0o777);
    let is_open = mode & 0o077 != 0;
    let detail = match is_open {
        true => format!("others may enter it: its mode is {mode:o}"),
        false => "can be written, by its owner alone".to_owned(),
    };
    let status = CheckStatus::warning_if(is_open);
    let mut findings = vec![Finding {
        hint: is_open.then(|| format!("chmod 700 '{subject}'")),
        ..Finding::new(check, subject.clone(), status, detail)
    }];
    if let Ok(space) = rustix::fs::statvfs(root) {
        let free = space.f_bavail.saturating_mul(space.f_frsize) / (1024 * 1024);
        let (status, detail) = (
            CheckStatus::warning_if(free < LITTLE_SPACE),
            format!("{free} MiB"),
        );
        findings.push(Finding::new("free space", subject, status, detail));
    }
    findings
}

/// A read-only state directory still serves for looks and listings.
fn unwritable(check: &'static str, subject: String, problem: &std::io::Error) -> Finding {
    use std::io::ErrorKind;
    let may_be_read = matches!(
        problem.kind(),
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
    );
    let status = if may_be_read {
        CheckStatus::Warning
    } else {
        CheckStatus::Failed
    };
    let detail = format!("it cannot be written: {problem}");
    Finding {
        hint: may_be_read
            .then(|| "nothing can be run or changed here, and everything can be looked at".into()),
        ..Finding::new(check, subject, status, detail)
    }
}

/// Checks the config file, which was read before, and the receivers of notifications in it.
fn config_file(app: &App) -> Vec<Finding> {
    let path = app.settings.config_path.as_ref();
    let subject = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let detail = if path.is_some_and(|path| path.exists()) {
        "read"
    } else {
        "there is none, and none is needed"
    };
    let check = "config file";
    let broken = notify::broken_receivers(app).into_iter();
    let mut findings: Vec<Finding> = broken
        .map(|error| Finding::of_error(check, subject.clone(), &error))
        .collect();
    // Tasks that cannot be listed are reported by what lists them.
    for (receiver, name) in notify::names_without_a_task(app).unwrap_or_default() {
        let detail = format!(
            "receiver `{receiver}` of notifications is for `{name}`, and no task has that name"
        );
        findings.push(Finding {
            hint: Some("see the names: acrt task list -o table".to_owned()),
            ..Finding::new(check, subject.clone(), CheckStatus::Warning, detail)
        });
    }
    if findings.is_empty() {
        findings.push(Finding::new(check, subject, CheckStatus::Ok, detail));
    }
    findings
}

fn of_registry(app: &App, health: Health) -> Vec<Finding> {
    let registry = health.registry;
    let found = |check, status, detail: String| {
        let subject = registry.clone();
        Finding::new(check, subject, status, detail)
    };
    let mut findings = Vec::new();
    let wants_login = health.api.as_ref().is_err_and(|error| error.is_refused());
    findings.push(match health.api {
        Ok(()) => {
            let took = health.took.as_millis();
            let detail = format!("its API answers, in {took} ms");
            found("registry", CheckStatus::Ok, detail)
        }
        Err(error) => {
            let mut finding = Finding::of_error("registry", registry.clone(), &error.into());
            // Most advice about a registry that does not answer is this command.
            let is_itself = |hint: &str| hint.starts_with("see ") && hint.contains(ITSELF);
            if let Some(hint) = finding.hint.as_mut().filter(|hint| is_itself(hint)) {
                *hint = "check its name and port, and that it is running".to_owned();
            }
            finding
        }
    });
    let looked = joined(health.looked_into.iter().map(|path| path.display()), ", ");
    findings.push(match health.login {
        Ok(Some(place)) if wants_login => {
            let detail = format!("the registry refuses it; {place}");
            found("login", CheckStatus::Warning, detail)
        }
        Ok(Some(place)) => found("login", CheckStatus::Ok, place),
        Ok(None) if wants_login => {
            let detail = format!("none, although it requires one; looked in {looked}");
            Finding {
                hint: Some(format!("log in: acrt login {registry}")),
                ..found("login", CheckStatus::Warning, detail)
            }
        }
        Ok(None) => {
            let detail = format!("none; looked into {looked}");
            found("login", CheckStatus::Ok, detail)
        }
        Err(problem) => found("login", CheckStatus::Failed, problem),
    });
    if app.settings.registry(&registry).skip_verify {
        let detail = "not verified: skipVerify is set in the config file";
        findings.push(found("certificate", CheckStatus::Warning, detail.into()));
    }
    let budget = health.budget;
    if let Some(remaining) = &budget.remaining {
        let limit = budget.limit.as_deref().unwrap_or("unknown");
        let source = budget.source;
        let source = source.map_or(String::new(), |it| format!(", counted for {it}"));
        let detail = format!("{remaining} left of {limit}{source}");
        findings.push(found("limits", CheckStatus::Ok, detail));
    }
    if let Some(until) = budget.paused_until {
        let detail = format!("left alone until {until:.0}");
        findings.push(found("limits", CheckStatus::Warning, detail));
    }
    if let Some(ahead) = health.clock_ahead {
        let seconds = ahead.as_secs();
        let detail = match seconds {
            -1..=1 => "as ours".to_owned(),
            2.. => format!("{seconds} seconds ahead of ours"),
            _ => format!("{} seconds behind ours", -seconds),
        };
        let status = CheckStatus::warning_if(seconds.abs() > CLOCK_TOLERANCE);
        findings.push(found("clock", status, detail));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_health_checks_come_before_unknown_ones() {
        let finding = |status| Finding::new("x", "", status, "");
        let of = |all: &[CheckStatus]| worst(&all.iter().map(|s| finding(*s)).collect::<Vec<_>>());
        assert_eq!(of(&[CheckStatus::Ok, CheckStatus::Warning]), None);
        assert_eq!(
            of(&[CheckStatus::Ok, CheckStatus::Unknown]),
            Some(Kind::Unknown)
        );
        assert_eq!(
            of(&[CheckStatus::Unknown, CheckStatus::Failed]),
            Some(Kind::Failed)
        );
    }
}
