//! `acrt task show`

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    cli::{columns, flags::one_task::AzureOneTaskArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::{self, App},
    sys::clock::ahead,
    view::View,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task show web\n  acrt task show web --query step.baseImageDependencies\n  acrt task show web --with-secure-properties --query step.arguments"
)]
pub struct ShowArgs {
    #[command(flatten)]
    task: AzureOneTaskArgs,
    /// Show the values of secret arguments too
    #[arg(long)]
    with_secure_properties: bool,
}

pub fn run(app: &App, report: &Report, args: ShowArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let task = if args.with_secure_properties {
        ops::show::with_secrets(app, &key)?
    } else {
        ops::show::task(app, &key)?
    };
    let portrait = if report.shows_tables {
        ops::show::details(app, &key, &report.events())?
    } else {
        None
    };
    let Some(portrait) = portrait else {
        return Ok(Outcome::answer(columns::task_view(app, task)));
    };
    let known = json!({"check": portrait.check, "runs": portrait.runs});
    let (option, now) = (ops::task::option_of(app, &key), app.clock.now());
    let view = View::of(task, columns::SHOW);
    Ok(Outcome::answer(view.with_rows(move |task| {
        *task = lines(task, &known, &option, now);
    })))
}

/// Formats a task as the lines of a table.
fn lines(task: &Value, known: &Value, option: &str, now: Timestamp) -> Value {
    let mut lines = Vec::new();
    let mut line = |what: &str, how: String| {
        if !how.is_empty() {
            lines.push(json!({"what": what, "how": how}));
        }
    };
    let check = &known["check"];
    let name = text(&task["name"]);
    line("task", format!("{name} on {}", text(&task["registry"])));
    line("state", text(&check["state"]));
    line("why", text(&check["reason"]));
    line(
        "to do",
        to_do(option, text(&check["state"]).as_str(), known),
    );
    let step = &task["step"];
    line(
        "builds",
        texts(step, &["contextPath", "dockerFilePath", "taskFilePath"]),
    );
    line("copies", text(&step["source"]));
    let verb = if step["isPushEnabled"] == json!(false) {
        "makes"
    } else {
        "pushes"
    };
    line(verb, columns::listed(&step["imageNames"]));
    line("platforms", columns::listed(&task["platforms"]));
    line("builder", text(&task["builder"]));
    for image in items(&check["images"]) {
        line("depends on", base(image, now));
    }
    for image in items(&check["untrackedImages"]) {
        line("not followed", texts(image, &["image", "reason"]));
    }
    for timer in items(&check["timers"]) {
        let next = timer.pointer("/nextOccurrences/0").and_then(Value::as_str);
        let next = next.and_then(|it| it.parse().ok());
        let next = next.map_or("never".to_owned(), |it| ahead(it, now));
        let schedule = text(&timer["schedule"]);
        line(
            "timer",
            format!("{} ({schedule}), next {next}", text(&timer["name"])),
        );
    }
    for window in items(&task["windows"]) {
        line("window", text(window));
    }
    for run in items(&known["runs"]) {
        line("run", one_run(run, now));
    }
    Value::Array(lines)
}

/// Formats a base: its digest, the age of that, and when it was looked at.
fn base(image: &Value, now: Timestamp) -> String {
    let digest: String = text(&image["recordedDigest"]).chars().take(19).collect();
    let ago = |key: &str| columns::time(image, key).map(|it| columns::age(it, now));
    let seen = ago("firstSeen").map(|it| format!(", seen {it}"));
    let looked = ago("lastLooked").map(|it| format!(", looked {it}"));
    format!(
        "{} {digest}, {}{}{}",
        text(&image["image"]),
        text(&image["state"]),
        seen.unwrap_or_default(),
        looked.unwrap_or_else(|| ", never looked at".to_owned())
    )
}

fn one_run(run: &Value, now: Timestamp) -> String {
    let asked = columns::time(run, "createTime").map(|it| columns::age(it, now));
    let why = text(&run["runErrorMessage"]);
    let why = if why.is_empty() {
        why
    } else {
        format!(": {why}")
    };
    format!(
        "{} {}, {}, {}{why}",
        text(&run["runId"]),
        text(&run["status"]),
        asked.unwrap_or_default(),
        text(&run["cause"])
    )
}

/// Returns the command that helps with the problem.
fn to_do(option: &str, state: &str, known: &Value) -> String {
    let run = format!("acrt task run {option}");
    match state {
        "failing" | "backing-off" | "stalled" => {
            let last = known.pointer("/runs/0/runId").and_then(Value::as_str);
            let logs = last.map(|id| format!("acrt task logs --run-id {id}; mend it, then "));
            format!("{}{run}", logs.unwrap_or_default())
        }
        "stale" | "never-run" | "changed" | "image-missing" | "settling" => run,
        "unknown" | "missing" | "unverified" => format!("acrt task check {option}"),
        "disabled" => format!("acrt task update {option} --status Enabled"),
        _ => String::new(),
    }
}

pub(super) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value, keys: &[&str]) -> String {
    let texts = keys.iter().map(|key| text(&value[*key]));
    let texts: Vec<String> = texts.filter(|it| !it.is_empty()).collect();
    texts.join(", ")
}
