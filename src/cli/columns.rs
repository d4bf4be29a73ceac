//! The columns of tables, with az's names and rules.

use std::{collections::BTreeSet, sync::OnceLock};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    image::Reference,
    ops::{
        App,
        answer::TaskAnswer,
        check::{CheckAnswer, brief},
        show::TaskList,
        status::TaskStatus,
        task::ambiguous_names,
    },
    sys::{clock::ahead, workers},
    view::{Column, Narrow, Shape, VertexStatus, View},
};

/// A task.
pub const TASK: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("PLATFORM", "/platform/os"),
    Column::at("STATUS", "/status"),
    Column::at("SOURCE REPOSITORY", "/step/contextPath"),
    Column::by("TRIGGERS", triggers),
    // acrt's own columns come after az's.
    Column::at("STATE", "/state"),
    Column::at("LOOKED", "/looked"),
];

pub fn task_view(app: &App, task: TaskAnswer) -> View {
    View::of(task, TASK).with_rows(ages(app))
}

/// Shows tasks; each answer is created when it is shown.
pub fn tasks_view(app: &App, tasks: TaskList) -> View {
    let list = move |shape: Shape| {
        tasks.show(move |answers| match shape.makes_rows() {
            true => shape.draw(answers.iter().map(TaskAnswer::row)),
            false => shape.draw(answers),
        })
    };
    View::list(list, TASK).with_rows(ages(app))
}

/// Returns a function that puts the registry in front of the name of a task in each row, which is in `key`, where several registries have a
/// task of that name.
pub fn full_names(app: &App, key: &'static str) -> impl Fn(&mut Value) + use<> {
    let (store, shared) = (app.store.clone(), OnceLock::new());
    move |rows| {
        // Only tables need them, and reading the names of thousands of tasks takes milliseconds.
        let shared = shared.get_or_init(|| {
            let names = ambiguous_names(&store).into_iter();
            names.map(String::from).collect::<BTreeSet<String>>()
        });
        for row in all(rows) {
            if let (Some(name), Some(registry)) = (row[key].as_str(), row["registry"].as_str())
                && shared.contains(name)
            {
                row[key] = json!(format!("{registry}/{name}"));
            }
        }
    }
}

/// Returns a function that adds to each row how long ago its task was looked at, and to its name the registry where that is needed.
fn ages(app: &App) -> impl Fn(&mut Value) + use<> {
    let (now, full_names) = (app.clock.now(), full_names(app, "name"));
    move |rows| {
        full_names(rows);
        for row in all(rows) {
            let looked = time(row, "lastLooked");
            row["looked"] = json!(looked.map_or(String::new(), |looked| age(looked, now)));
        }
    }
}

/// Returns the rows of an answer; an answer that is no list is one row.
fn all(rows: &mut Value) -> &mut [Value] {
    match rows {
        Value::Array(rows) => rows,
        one => std::slice::from_mut(one),
    }
}

/// The columns of `status`.
const STATUS: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("STATE", "/state")
        .painted(paint)
        .where_narrow(Narrow::Whole),
    Column::at("DEPENDS ON", "/bases"),
    Column::at("LAST RUN", "/run"),
    Column::at("WHY", "/why"),
    Column::at("NEXT", "/then"),
];

/// Shows the states of tasks.
pub fn status_view(app: &App, tasks: Vec<TaskStatus>) -> View {
    let (now, full_names) = (app.clock.now(), full_names(app, "name"));
    let prepare = move |rows: &mut Value| {
        full_names(rows);
        for row in all(rows) {
            let own = format!("{}/", row["registry"].as_str().unwrap_or_default());
            let bases = short(&row["dependsOn"]);
            row["bases"] = json!(bases.strip_prefix(&own).unwrap_or(&bases));
            row["why"] = json!(why_in_status(row, &own));
            let run = &row["lastRun"];
            let ran = time(run, "time").map(|ran| {
                let id = run["runId"].as_str().unwrap_or_default();
                let failed = if run["status"] == "Failed" {
                    " failed"
                } else {
                    ""
                };
                format!("{}, {id}{failed}", age(ran, now))
            });
            row["run"] = json!(ran);
            let next = &row["next"];
            let then = time(next, "time").map(|then| {
                format!(
                    "{} {}",
                    next["what"].as_str().unwrap_or_default(),
                    ahead(then, now)
                )
            });
            row["then"] = json!(then);
        }
    };
    let list = move |shape: Shape| {
        let parts = workers::parts(tasks.into_iter());
        workers::in_order(parts, move |part| shape.draw(part))
    };
    View::list(list, STATUS).with_rows(prepare).for_people()
}

/// Returns the reason of a task's state for `status`: which images moved, without their digests. Images on the registry `own` of
/// the task are shown without it.
fn why_in_status(task: &Value, own: &str) -> String {
    let reason = brief_reason(task);
    let reason = reason.trim_end_matches(", so that nothing is followed");
    let parts = reason
        .split("; ")
        .map(|part| match part.split_once(" sha256:") {
            Some((image, digests)) if digests.contains(" -> ") => format!("{image} moved"),
            _ => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join("; ").replace(own, "")
}

/// The columns of `task adopt`.
pub const ADOPT: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("FILE", "/file"),
    Column::at("KEY", "/key"),
    Column::by("IMAGE", |task| listed(&task["images"])),
    Column::by("PLATFORMS", |task| listed(&task["platforms"])),
    Column::by("DEPENDS ON", |task| listed(&task["dependsOn"])),
    Column::at("CHANGE", "/change"),
    Column::at("WHY", "/why"),
];

/// Joins the texts of a list with commas.
pub fn listed(list: &Value) -> String {
    let texts = list.as_array().into_iter().flatten();
    let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
    texts.join(", ")
}

/// The causes of a task's runs.
pub const WHY: &[Column] = &[
    Column::at("WHAT", "/what"),
    Column::at("BEFORE", "/before").where_narrow(Narrow::Wrapped),
    Column::at("AFTER", "/after").where_narrow(Narrow::Wrapped),
];

/// The columns of `task show`.
pub const SHOW: &[Column] = &[
    Column::at("WHAT", "/what").where_narrow(Narrow::Whole),
    Column::at("HOW", "/how").where_narrow(Narrow::Wrapped),
];

/// The columns of `task graph`.
pub const GRAPH: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("KIND", "/kind"),
    Column::at("STATE", "/state").painted(paint),
    Column::at("REBUILDS", "/rebuilds"),
];

fn paint(state: &str) -> Option<&'static str> {
    tone(Some(state)).ansi()
}

pub fn tone(state: Option<&str>) -> VertexStatus {
    match state {
        None | Some("") => VertexStatus::Plain,
        Some("current") => VertexStatus::Good,
        Some("stale" | "changed" | "waiting" | "settling") => VertexStatus::Pending,
        Some("never-run" | "disabled" | "follows-nothing") => VertexStatus::Quiet,
        Some(_) => VertexStatus::Bad,
    }
}

/// Returns the short name of the first image, and the number of the others.
fn short(images: &Value) -> String {
    let mut images = images
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let Some(first) = images.next() else {
        return String::new();
    };
    let first = Reference::familiar_text(first);
    match images.count() {
        0 => first,
        more => format!("{first} +{more}"),
    }
}

/// Formats how long ago `then` was. A time in the future, after the clock was set back, counts as now.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    match now.duration_since(then).as_secs() {
        ..=0 => "just now".to_owned(),
        seconds @ 1..60 => format!("{seconds} s ago"),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// A run, with az's columns.
pub const RUN: &[Column] = match RUN_DETAIL.split_last() {
    Some((_cause, of_az)) => of_az,
    None => &[],
};

/// A run with its cause.
pub const RUN_DETAIL: &[Column] = &[
    Column::at("RUN ID", "/runId"),
    Column::at("TASK", "/task"),
    Column::at("PLATFORM", "/platform/os"),
    Column::at("STATUS", "/status"),
    Column::by("TRIGGER", trigger),
    Column::by("STARTED", started),
    Column::by("DURATION", duration),
    // acrt's own column comes after az's.
    Column::at("CAUSE", "/cause"),
];

/// The result of an import.
pub const IMPORT: &[Column] = &[
    Column::at("IMAGE", "/image"),
    Column::at("DIGEST", "/digest"),
    Column::at("STATE", "/state"),
];

/// The columns of `task check`.
const CHECK: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("STATE", "/state"),
    Column::by("REASON", brief_reason),
];

/// Shows the states of tasks and their reasons.
pub fn check_view(app: &App, tasks: Vec<CheckAnswer>) -> View {
    View::of(tasks, CHECK).with_rows(full_names(app, "name"))
}

/// Returns the reason of a task's state, shortened for a cell; the other formats have all of it.
fn brief_reason(task: &Value) -> String {
    brief(task["reason"].as_str().unwrap_or_default())
}

/// The bases of an image, and whether they moved.
const IMAGE_CHECK: &[Column] = &[
    Column::at("IMAGE", "/image"),
    Column::at("PLATFORM", "/platform"),
    Column::at("STATE", "/state").painted(paint),
    Column::at("BY", "/evidence"),
    Column::by("USED BY", |image| {
        let used = [listed(&image["services"]), listed(&image["containers"])];
        used.iter()
            .filter(|it| !it.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(", ")
    }),
    Column::at("SINCE", "/since"),
    Column::at("REASON", "/reason"),
];

/// Shows whether the bases of images have moved.
pub fn image_check_view(app: &App, images: Vec<crate::ops::image_check::ImageCheckAnswer>) -> View {
    let now = app.clock.now();
    let prepare = move |rows: &mut Value| {
        for row in rows.as_array_mut().into_iter().flatten() {
            let since = time(row, "staleSince");
            row["since"] = json!(since.map_or(String::new(), |since| age(since, now)));
        }
    };
    View::of(images, IMAGE_CHECK).with_rows(prepare)
}

/// The columns of `check-health`.
pub const HEALTH: &[Column] = &[
    Column::at("CHECK", "/check"),
    Column::at("SUBJECT", "/subject"),
    Column::at("STATUS", "/status"),
    Column::at("DETAIL", "/detail"),
    Column::at("HINT", "/hint"),
];

/// A builder.
pub const BUILDER: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("KIND", "/kind"),
    Column::at("STATE", "/state"),
    Column::at("ADDRESS", "/address"),
    Column::by("PLATFORMS", |builder| listed(&builder["platforms"])),
    Column::at("RUNNING", "/running"),
    Column::at("JOBS", "/jobs"),
    Column::at("VERSION", "/version"),
    Column::at("DISK", "/disk"),
    Column::at("REASON", "/reason"),
];

/// What was removed from a builder.
pub const PRUNED: &[Column] = &[Column::at("NAME", "/name"), Column::at("RESULT", "/result")];

/// A timer of a task.
pub const TIMER: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("SCHEDULE", "/schedule"),
    Column::at("STATUS", "/status"),
    Column::by("NEXT", next_occurrence),
];

/// A credential of a task.
pub const CREDENTIAL: &[Column] = &[
    Column::at("LOGIN SERVER", "/loginServer"),
    Column::at("USERNAME", "/userName/value"),
    Column::by("PASSWORD", password),
];

/// The identities of a task, with az's columns.
pub const IDENTITY: &[Column] = &[
    Column::at("PRINCIPAL ID", "/principalId"),
    Column::at("TENANT ID", "/tenantId"),
    Column::at("TYPE", "/type"),
    Column::at("USER ASSIGNED IDENTITIES", "/userAssignedIdentities"),
];

/// A value of the config file.
pub const CONFIG: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("VALUE", "/value"),
    Column::at("SOURCE", "/source"),
];

/// A reference to an image in a Dockerfile.
pub const DEPS: &[Column] = &[
    Column::at("LINE", "/line"),
    Column::at("WRITTEN", "/written"),
    Column::at("REFERENCE", "/reference"),
    Column::at("KIND", "/kind"),
    Column::by("TRACKED", tracked),
    Column::at("REASON", "/reason"),
];

/// The same with digests.
pub const DEPS_WITH_DIGESTS: &[Column] = &[
    Column::at("LINE", "/line"),
    Column::at("WRITTEN", "/written"),
    Column::at("REFERENCE", "/reference"),
    Column::at("DIGEST", "/digest"),
    Column::at("KIND", "/kind"),
    Column::by("TRACKED", tracked),
    Column::at("REASON", "/reason"),
];

/// The enabled triggers of a task.
fn triggers(task: &Value) -> String {
    let enabled = |pointer: &str| task.pointer(pointer).and_then(Value::as_str) == Some("Enabled");
    let mut names = Vec::new();
    if enabled("/trigger/baseImageTrigger/status") {
        names.push("BASE_IMAGE");
    }
    if enabled("/trigger/sourceTriggers/0/status") {
        names.push("SOURCE");
    }
    let timers = task.pointer("/trigger/timerTriggers");
    let timers = timers.and_then(Value::as_array).map(Vec::as_slice);
    if timers
        .unwrap_or_default()
        .iter()
        .any(|timer| timer["status"] == "Enabled")
    {
        names.push("TIMER");
    }
    names.join(", ")
}

/// Returns what triggered a run: the first of az's words that applies.
fn trigger(run: &Value) -> String {
    if let Some(event) = run.pointer("/sourceTrigger/eventType") {
        return event.as_str().unwrap_or_default().to_owned();
    }
    if !run["timerTrigger"].is_null() {
        "Timer".into()
    } else if !run["imageUpdateTrigger"].is_null() {
        "Image Update".into()
    } else {
        "Manual".into()
    }
}

/// Parses a time in an answer.
pub fn time(run: &Value, key: &str) -> Option<jiff::Timestamp> {
    run[key].as_str()?.parse().ok()
}

fn started(run: &Value) -> String {
    let started = time(run, "startTime");
    started.map_or(String::new(), |time| {
        time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

fn next_occurrence(timer: &Value) -> String {
    let next = timer.pointer("/nextOccurrences/0").and_then(Value::as_str);
    let next: Option<jiff::Timestamp> = next.and_then(|next| next.parse().ok());
    next.map_or(String::new(), |time| {
        time.strftime("%Y-%m-%dT%H:%MZ").to_string()
    })
}

/// Returns how long an ended run took; a day or more is shown in hours.
fn duration(run: &Value) -> String {
    let (Some(start), Some(end)) = (time(run, "startTime"), time(run, "finishTime")) else {
        return String::new();
    };
    let seconds = end.duration_since(start).as_secs().max(0);
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Returns where a password is stored, never the password itself.
fn password(login: &Value) -> String {
    let place = login["password"]["value"].as_str();
    place.unwrap_or("stored").to_owned()
}

fn tracked(image: &Value) -> String {
    match image["tracked"].as_bool() {
        Some(true) => "yes".into(),
        _ => "no".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn enabled_triggers_are_listed_once_each() {
        let task = json!({"trigger": {
            "baseImageTrigger": {"status": "Enabled"},
            "sourceTriggers": null,
            "timerTriggers": [{"status": "Disabled"}, {"status": "Enabled"}]
        }});
        assert_eq!(triggers(&task), "BASE_IMAGE, TIMER");
        let off = json!({"trigger": {"baseImageTrigger": {"status": "Disabled"}}});
        assert_eq!(triggers(&off), "");
    }

    #[test]
    fn age_is_shown_in_the_largest_unit_that_fits() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let said = [-5, 0, 1, 59, 60, 3599, 3600, 86_399, 86_400, 900_000].map(|seconds| {
            let then = Timestamp::from_second(1_000_000 - seconds).unwrap();
            age(then, now)
        });
        let expected = [
            "just now",
            "just now",
            "1 s ago",
            "59 s ago",
            "1 min ago",
            "59 min ago",
            "1 h ago",
            "23 h ago",
            "1 d ago",
            "10 d ago",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn run_row_shows_start_time_and_duration() {
        let run =
            json!({"startTime": "2026-01-25T05:50:51.9Z", "finishTime": "2026-01-26T08:51:26.1Z"});
        assert_eq!(started(&run), "2026-01-25T05:50:51Z");
        assert_eq!(duration(&run), "27:00:34");
        let open = json!({"startTime": "2026-01-25T05:50:51Z", "finishTime": null});
        assert_eq!(duration(&open), "");
    }
}
