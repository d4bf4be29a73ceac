//! The columns of tables, in az's words and with az's rules.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    image::Reference,
    ops::{App, answer::TaskAnswer, check::brief, status::TaskStatus},
    sys::clock::ahead,
    view::{Column, Narrow, Tone, View},
};

/// A task.
pub const TASK: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("PLATFORM", "/platform/os"),
    Column::at("STATUS", "/status"),
    Column::at("SOURCE REPOSITORY", "/step/contextPath"),
    Column::by("TRIGGERS", triggers),
    // acrt's own come after those of az.
    Column::at("STATE", "/state"),
    Column::at("LOOKED", "/looked"),
];

/// Shows a task.
pub fn task_view(app: &App, task: TaskAnswer) -> View {
    View::of(task, TASK).with_rows(ages(app))
}

/// Shows tasks, which are only made where they are shown.
pub fn tasks_view<I: Iterator<Item = TaskAnswer> + 'static>(
    app: &App,
    tasks: impl FnOnce() -> I + 'static,
) -> View {
    View::list(tasks, TASK).with_rows(ages(app))
}

/// Returns what says in each row of tasks how long ago they were looked at.
fn ages(app: &App) -> impl Fn(&mut Value) + use<> {
    let now = app.clock.now();
    move |rows| {
        for row in all(rows) {
            let looked = time(row, "lastLooked");
            row["looked"] = json!(looked.map_or(String::new(), |looked| age(looked, now)));
        }
    }
}

/// Returns the rows of an answer, or the one that it is.
fn all(rows: &mut Value) -> &mut [Value] {
    match rows {
        Value::Array(rows) => rows,
        one => std::slice::from_mut(one),
    }
}

/// How a task is doing.
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

/// Shows how tasks are doing.
pub fn status_view(app: &App, tasks: Vec<TaskStatus>) -> View {
    let now = app.clock.now();
    let prepare = move |rows: &mut Value| {
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
    let view = View::list(move || tasks.into_iter(), STATUS);
    view.with_rows(prepare).for_people()
}

/// Returns the reason of a task's state as `status` has it: which images moved, and not from what to what. Images of the task's own
/// registry, which `own` is, are named without it.
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

/// What `task adopt` proposes.
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

/// Returns the texts of a list with commas between them.
pub fn listed(list: &Value) -> String {
    let texts = list.as_array().into_iter().flatten();
    let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
    texts.join(", ")
}

/// Why a task was rebuilt.
pub const WHY: &[Column] = &[
    Column::at("WHAT", "/what"),
    Column::at("BEFORE", "/before").where_narrow(Narrow::Wrapped),
    Column::at("AFTER", "/after").where_narrow(Narrow::Wrapped),
];

/// A task for people.
pub const SHOW: &[Column] = &[
    Column::at("WHAT", "/what").where_narrow(Narrow::Whole),
    Column::at("HOW", "/how").where_narrow(Narrow::Wrapped),
];

/// What depends on what.
pub const GRAPH: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("KIND", "/kind"),
    Column::at("STATE", "/state").painted(paint),
    Column::at("REBUILDS", "/rebuilds"),
];

/// The colour of a state.
fn paint(state: &str) -> Option<&'static str> {
    tone(Some(state)).ansi()
}

/// Says how something is doing whose state is this.
pub fn tone(state: Option<&str>) -> Tone {
    match state {
        None | Some("") => Tone::Plain,
        Some("current") => Tone::Good,
        Some("stale" | "changed" | "waiting" | "settling") => Tone::Pending,
        Some("never-run" | "disabled" | "follows-nothing") => Tone::Quiet,
        Some(_) => Tone::Bad,
    }
}

/// Names the first of some images as people write it, and how many more there are.
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

/// Says how long ago something was. What a clock that was set back puts into the future is now.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    match now.duration_since(then).as_secs() {
        ..=0 => "just now".to_owned(),
        seconds @ 1..60 => format!("{seconds} s ago"),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// A run: the columns of az.
pub const RUN: &[Column] = match RUN_DETAIL.split_last() {
    Some((_cause, of_az)) => of_az,
    None => &[],
};

/// A run, and why it was made.
pub const RUN_DETAIL: &[Column] = &[
    Column::at("RUN ID", "/runId"),
    Column::at("TASK", "/task"),
    Column::at("PLATFORM", "/platform/os"),
    Column::at("STATUS", "/status"),
    Column::by("TRIGGER", trigger),
    Column::by("STARTED", started),
    Column::by("DURATION", duration),
    // acrt's own comes after those of az.
    Column::at("CAUSE", "/cause"),
];

/// The names of a copy.
pub const IMPORT: &[Column] = &[
    Column::at("IMAGE", "/image"),
    Column::at("DIGEST", "/digest"),
    Column::at("STATE", "/state"),
];

/// What a task needs.
pub const CHECK: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("STATE", "/state"),
    Column::by("REASON", brief_reason),
];

/// Returns the reason of a task's state as a cell holds it; the whole of it is in the other formats.
fn brief_reason(task: &Value) -> String {
    brief(task["reason"].as_str().unwrap_or_default())
}

/// What an image was built on, and what became of it.
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

/// Shows whether images are on their newest bases.
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

/// Something whose health was checked.
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

/// What a builder has freed.
pub const PRUNED: &[Column] = &[Column::at("NAME", "/name"), Column::at("RESULT", "/result")];

/// A timer of a task.
pub const TIMER: &[Column] = &[
    Column::at("NAME", "/name"),
    Column::at("SCHEDULE", "/schedule"),
    Column::at("STATUS", "/status"),
    Column::by("NEXT", next_occurrence),
];

/// A login of a task.
pub const CREDENTIAL: &[Column] = &[
    Column::at("LOGIN SERVER", "/loginServer"),
    Column::at("USERNAME", "/userName/value"),
    Column::by("PASSWORD", password),
];

/// The identities of a task, in the columns of az.
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

/// A place in a Dockerfile that names an image.
pub const DEPS: &[Column] = &[
    Column::at("LINE", "/line"),
    Column::at("WRITTEN", "/written"),
    Column::at("REFERENCE", "/reference"),
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

/// What started a run: az's first that applies.
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

/// Reads a moment of an answer.
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

/// How long a finished run took; hours go on beyond a day.
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

/// Where a password is kept; never the password.
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
    fn triggers_are_named_once_each_and_only_while_enabled() {
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
    fn ages_are_said_in_the_largest_unit_that_fits() {
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
    fn a_run_shows_when_it_started_and_how_long_it_took() {
        let run =
            json!({"startTime": "2026-01-25T05:50:51.9Z", "finishTime": "2026-01-26T08:51:26.1Z"});
        assert_eq!(started(&run), "2026-01-25T05:50:51Z");
        assert_eq!(duration(&run), "27:00:34");
        let open = json!({"startTime": "2026-01-25T05:50:51Z", "finishTime": null});
        assert_eq!(duration(&open), "");
    }
}
