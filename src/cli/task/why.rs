//! `acrt task why`

use serde_json::{Value, json};

use crate::{
    cli::{
        columns,
        flags::{one_task::OneTaskArgs, run_id::run_id},
        outcome::Outcome,
    },
    error::Result,
    ops::{App, why::why},
    view::View,
};

use super::show::{items, text};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task why web\n  acrt task why web --run-id ca4\n  acrt task why web -o json --query 'bases[].differences[]'"
)]
pub struct WhyArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    /// Why this run was made, and not the next or the last
    #[arg(long, value_name = "ID")]
    run_id: Option<String>,
}

pub fn run(app: &App, args: WhyArgs) -> Result<Outcome> {
    let key = args.task.find(app)?;
    let run_id = args.run_id.map(|id| run_id(app, &id)).transpose()?;
    let answer = app.wait(why(app, &key, run_id))?;
    let view = View::of(answer, columns::WHY).with_rows(|rows| *rows = lines(rows));
    Ok(Outcome::answer(view.for_people()))
}

/// Formats the answer as the lines of a table.
fn lines(answer: &Value) -> Value {
    let line = |what: &str, before: &str, after: &str| json!({"what": what, "before": before, "after": after});
    let whose = match answer["runId"].as_str() {
        Some(id) => format!("run {id}, {}", text(&answer["status"])),
        None => format!("the next run; it is {} now", text(&answer["state"])),
    };
    let mut lines = vec![
        line("task", "", &text(&answer["name"])),
        line("run", "", &whose),
        line("cause", "", &text(&answer["cause"])),
    ];
    for base in items(&answer["bases"]) {
        let digest = |key: &str| text(&base[key]).chars().take(19).collect::<String>();
        let image = text(&base["image"]);
        lines.push(line(&image, &digest("previousDigest"), &digest("digest")));
        if let (Some(seen), Some(by)) = (base["seen"].as_str(), base["seenBy"].as_str()) {
            let second = seen.split(['.', '+']).next().unwrap_or_default();
            lines.push(line("  seen", "", &format!("{second}Z by {by}")));
        }
        for one in items(&base["differences"]) {
            let what = format!("  {}", text(&one["what"]));
            lines.push(line(&what, &text(&one["before"]), &text(&one["after"])));
        }
        if let Some(problem) = base["problem"].as_str() {
            lines.push(line("  not compared", "", problem));
        }
    }
    Value::Array(lines)
}
