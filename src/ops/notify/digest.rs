//! The digest notification: once a day or a week, what moved, was rebuilt, failed, and still waits.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::Result,
    ops::{App, joined::joined_first},
    task::{RunStatus, TaskKey},
    watch::Baseline,
};

use super::{
    channels::Channel,
    message::{Message, base_of},
};

/// How many runs are read for one digest.
const MOST_RUNS: usize = 10_000;

/// Runs are listed by the time when they were created, and a digest is about those that ended since the last one: none is created this
/// long before its end.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(48);

/// How many names are listed in one line.
const SHOWN: usize = 20;

/// Returns the digest of a receiver's tasks, about the runs that have ended since the time `since`.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the folder of runs cannot be read.
pub fn digest(
    app: &App,
    channel: &Channel,
    tasks: &[(TaskKey, Baseline)],
    since: Timestamp,
) -> Result<Message> {
    let now = app.clock.now();
    let (mut moved, mut rebuilt, mut failed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut runs = (0, 0);
    let ids = app.store.run_ids()?;
    let newest = ids.iter().take(MOST_RUNS);
    for run in newest.filter_map(|id| app.store.run(*id).ok().flatten()) {
        if since.duration_since(run.create_time) > LONGEST_RUN {
            break;
        }
        let has_ended = run.finish_time.is_some_and(|time| time >= since);
        let key = run.task_key().filter(|key| channel.hears_of(app, key));
        let Some(key) = key.filter(|_| has_ended) else {
            continue;
        };
        match run.status {
            RunStatus::Succeeded => {
                runs.0 += 1;
                moved.extend(base_of(&run));
                rebuilt.insert(key.full());
            }
            RunStatus::Failed | RunStatus::Error | RunStatus::Timeout => {
                runs.1 += 1;
                failed.insert(key.full());
            }
            RunStatus::Queued | RunStatus::Started | RunStatus::Running | RunStatus::Canceled => {}
        }
    }
    let heard = tasks.iter().filter(|(key, _)| channel.hears_of(app, key));
    let failing = heard.filter_map(|(key, baseline)| {
        let failure = baseline.failure.as_ref()?;
        let times = match failure.count {
            1 => "once".to_owned(),
            many => format!("{many} times"),
        };
        Some(format!("{} ({times})", key.full()))
    });
    let failing: BTreeSet<String> = failing.collect();
    let mut text = format!(
        "since {since:.0}: {} succeeded, {} failed",
        match runs.0 {
            1 => "1 run has".to_owned(),
            many => format!("{many} runs have"),
        },
        match runs.1 {
            0 => "none has".to_owned(),
            1 => "1 has".to_owned(),
            many => format!("{many} have"),
        }
    );
    for (word, names) in [
        ("moved", &moved),
        ("rebuilt", &rebuilt),
        ("failed", &failed),
        ("still failing", &failing),
    ] {
        text.push_str(&line(word, names));
    }
    Ok(Message::of_digest(text, rebuilt, since, now))
}

/// Returns some names on a line of their own; empty where there are none.
fn line(word: &str, names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("\n{word}: {}", joined_first(names, SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_digest_shows_some_of_many_names_and_counts_the_rest() {
        let names = (10..35).map(|n| format!("r.io/t{n}")).collect();
        let text = line("rebuilt", &names);
        assert!(text.starts_with("\nrebuilt: r.io/t10, r.io/t11"), "{text}");
        assert!(text.ends_with("r.io/t29 and 5 more"), "{text}");
        assert_eq!(line("moved", &BTreeSet::new()), "");
    }
}
