//! Words for registries and repositories that do not answer: one line for each, with all tasks that wait for it.

use std::collections::BTreeSet;

use crate::{
    ops::joined::joined_first,
    task::TaskName,
    watch::{
        State,
        notified::{Outage, outages},
    },
};

use super::CheckAnswer;

/// How many tasks that wait for the same registry are named.
const NAMED: usize = 3;

/// Says which registry or repository does not answer, why, and which tasks wait for it: with their registries, where several have a task of
/// that name.
pub fn outage_text(place: &str, outage: &Outage, shared: &BTreeSet<TaskName>) -> String {
    let since = outage.since.map(|since| format!(" (since {since:.0})"));
    let since = since.unwrap_or_default();
    let word = State::Unknown.word();
    if let [task] = &outage.tasks[..] {
        let task = task.shown(shared);
        return format!("{task}: {word}: {}{since}", outage.why);
    }
    let count = outage.tasks.len();
    let names = joined_first(outage.tasks.iter().map(|task| task.shown(shared)), NAMED);
    let hint = outage.hint.as_ref().map(|hint| format!("; {hint}"));
    format!(
        "{place}: {word}: {}{since}; {count} tasks wait for it: {names}{}",
        outage.reason(),
        hint.unwrap_or_default()
    )
}

/// Returns one line for each registry or repository that does not answer, however many tasks wait for it.
pub fn outage_lines(tasks: &[CheckAnswer], shared: &BTreeSet<TaskName>) -> Vec<String> {
    let silent = tasks.iter().filter(|task| !task.silent.is_empty());
    let silent = silent.map(|task| (task.key(), task.silent.as_slice()));
    let outages = outages(silent);
    let lines = outages.iter();
    lines
        .map(|(place, outage)| outage_text(place, outage, shared))
        .collect()
}

/// Returns a reason as it is shown in a table: without the failed request, and each part once.
pub fn brief(reason: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in reason.split("; ") {
        match parts.last_mut() {
            // The text of a server may contain the same separator.
            Some(last) if last.contains("` is: ") && !part.contains("` is: ") => {
                *last = format!("{last}; {part}");
            }
            _ => parts.push(part.to_owned()),
        }
    }
    let mut brief: Vec<&str> = Vec::new();
    for part in &parts {
        let why = part.rsplit_once("` is: ").map_or(part.as_str(), |it| it.1);
        let ends = [": HEAD ", ": GET "]
            .into_iter()
            .filter_map(|end| why.find(end));
        let why = why.split_at(ends.min().unwrap_or(why.len())).0;
        if !brief.contains(&why) {
            brief.push(why);
        }
    }
    brief.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_reason_in_a_table_has_no_request_and_no_repetition() {
        let away = |tag: &str| {
            format!(
                "cannot find out what `r.io/{tag}` is: `r.io` cannot be reached: HEAD https://r.io/v2/{tag}: refused; really (since 2026)"
            )
        };
        let two = format!(
            "{}; what became of `r.io/x` is unknown: {}",
            away("a"),
            away("x")
        );
        assert_eq!(brief(&two), "`r.io` cannot be reached");
        assert_eq!(brief("`a` moved; `b` moved"), "`a` moved; `b` moved");
        assert_eq!(brief(""), "");
    }
}
