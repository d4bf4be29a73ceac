//! What earlier rounds run by cron have reported. cron mails all output, so that an unchanged problem is reported once a day and not in
//! each round.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::task::RunId;

use super::{Verdict, backoff::STALLED_AFTER};

/// How long an unchanged problem is not reported again.
const PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// What was reported of each subject, and when. A subject is a task as `registry/name`, or a sentence that is about no task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportedProblems(BTreeMap<String, BTreeMap<String, Timestamp>>);

impl ReportedProblems {
    /// Tells whether no problem is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the subjects with known problems.
    pub fn subjects(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Tells whether any of `what` is news about a subject; if so, records all of it as reported.
    pub fn say(&mut self, subject: &str, what: &[String], now: Timestamp) -> bool {
        let known = self.0.entry(subject.to_owned()).or_default();
        let what: Vec<String> = what
            .iter()
            .map(|text| without_variable_parts(text))
            .collect();
        let is_known = |what| known.get(what).is_some_and(|said| is_recent(*said, now));
        let is_news = !what.iter().all(is_known);
        if is_news {
            known.extend(what.into_iter().map(|what| (what, now)));
        }
        is_news
    }

    /// Forgets subjects that have no problem any more, so that a new problem is reported.
    ///
    /// Of the others, all reasons of the last day are kept, so that two reasons that alternate are not reported each time.
    pub fn keep_only(&mut self, is_open: impl Fn(&str) -> bool, now: Timestamp) {
        for known in self.0.values_mut() {
            known.retain(|_, said| is_recent(*said, now));
        }
        self.0
            .retain(|subject, known| is_open(subject) && !known.is_empty());
    }
}

/// A time ahead of now, from before the clock was set back, does not count: otherwise it could silence a report.
fn is_recent(said: Timestamp, now: Timestamp) -> bool {
    said <= now && now.duration_since(said) < PAUSE
}

/// Returns what a verdict says of its task, without its variable parts: counts, and the time of the next try.
pub fn gist(verdict: &Verdict) -> Vec<String> {
    let word = verdict.word();
    match verdict {
        Verdict::Failing {
            failures, run_id, ..
        }
        | Verdict::BackingOff {
            failures, run_id, ..
        } => {
            let stalled = (*failures >= STALLED_AFTER).then(|| "stalled".to_owned());
            stalled.into_iter().chain([gist_of_run(*run_id)]).collect()
        }
        Verdict::Canceled { run_id, .. } => vec![gist_of_run(*run_id)],
        Verdict::Waiting { on: tasks, .. } | Verdict::Cycle(tasks) => {
            let tasks = tasks.iter().map(|task| format!("{word}: {}", task.full()));
            tasks.collect()
        }
        Verdict::Changed(change) => {
            let named = change.named.iter().map(|image| format!("{word}: {image}"));
            let source = change
                .source
                .iter()
                .map(|source| format!("{word}: {source}"));
            named.chain(source).chain([word.to_owned()]).collect()
        }
        other => {
            let problems = other.problems().into_iter();
            let mut what: Vec<String> = problems
                .map(|problem| format!("{word}: {}: {}", problem.subject, problem.why))
                .collect();
            if what.is_empty() {
                what.push(word.to_owned());
            }
            what
        }
    }
}

/// Returns what is reported of a run that failed or was canceled: each such run is reported.
pub fn gist_of_run(id: RunId) -> String {
    format!("run {id}")
}

/// The minimum number of digits in a word that is an id, a time or an address. Status codes, lines and ports have fewer.
const DIGITS_OF_ID: usize = 6;

/// Removes what differs each time that the same thing happens: durations, as in `after 3 ms`, times, and the ids that servers give their
/// answers. Names and digests stay: another one is another problem.
pub fn without_variable_parts(text: &str) -> String {
    let mut words = text.split(' ').peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let is_of_unit = words.peek().is_some_and(|next| is_unit(bare(next)));
        let is_number = bare(word).parse::<f64>().is_ok();
        if !(is_number && is_of_unit || is_duration(bare(word)) || is_id_or_time(word)) {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// Returns a word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn is_unit(word: &str) -> bool {
    let word = match word {
        "ms" | "s" => return true,
        plural => plural.strip_suffix('s').unwrap_or(plural),
    };
    matches!(word, "millisecond" | "second" | "minute" | "hour" | "day")
}

/// Tells whether a word is a duration as Go writes it: `1m30.5s`.
fn is_duration(word: &str) -> bool {
    let units = word.trim_matches(|c: char| c.is_ascii_digit());
    let units = units.replace(|c: char| c.is_ascii_digit() || c == '.', "");
    word.starts_with(|c: char| c.is_ascii_digit())
        && matches!(
            units.as_str(),
            "ns" | "us" | "µs" | "ms" | "s" | "m" | "h" | "hm" | "hms"
        )
}

fn is_id_or_time(word: &str) -> bool {
    let is_name = word.contains(['/', '`']) || word.contains("sha256:");
    !is_name && word.chars().filter(char::is_ascii_digit).count() >= DIGITS_OF_ID
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const DAY: i64 = 24 * 60 * 60;

    fn say(said: &mut ReportedProblems, subject: &str, what: &str, second: i64) -> bool {
        let is_news = said.say(subject, &[what.to_owned()], at(second));
        said.keep_only(|one| one == subject, at(second));
        is_news
    }

    #[test]
    fn unchanged_message_is_reported_once_a_day() {
        let mut said = ReportedProblems::default();
        assert!(say(&mut said, "r.io/web", "refused", 0));
        assert!(!say(&mut said, "r.io/web", "refused", DAY - 1));
        assert!(say(&mut said, "r.io/web", "refused", DAY));
        assert!(!say(&mut said, "r.io/web", "refused", DAY + 1));
    }

    #[test]
    fn new_reason_is_reported_at_once_and_alternating_reasons_are_not() {
        let mut said = ReportedProblems::default();
        assert!(say(&mut said, "r.io/web", "refused", 0));
        assert!(say(&mut said, "r.io/web", "timed out", 1));
        assert!(!say(&mut said, "r.io/web", "refused", 2));
        let both = ["refused", "gone"].map(str::to_owned);
        assert!(said.say("r.io/web", &both, at(3)));
        assert!(!said.say("r.io/web", &both, at(4)));
    }

    #[test]
    fn resolved_problem_is_forgotten_and_reported_anew() {
        let mut said = ReportedProblems::default();
        assert!(say(&mut said, "r.io/web", "refused", 0));
        said.keep_only(|_| false, at(1));
        assert!(said.is_empty());
        assert!(say(&mut said, "r.io/web", "refused", 2));
    }

    #[test]
    fn clock_set_back_suppresses_no_message() {
        let mut said = ReportedProblems::default();
        assert!(say(&mut said, "r.io/web", "refused", 300 * DAY));
        assert!(say(&mut said, "r.io/web", "refused", DAY));
        assert!(!say(&mut said, "r.io/web", "refused", DAY + 1));
    }

    #[test]
    fn durations_times_and_ids_in_a_reason_do_not_make_it_a_new_one() {
        for (one, other) in [
            (
                "failed to connect to git.io port 443 after 3 ms: no",
                "failed to connect to git.io port 443 after 1207 ms: no",
            ),
            (
                "denied. CorrelationId: 6ab2a13c-6d0c-4ed5-a2a0-4a3c3e5d6f70",
                "denied. CorrelationId: 0d7d0bb1-9e7b-4f0e-8d35-9a1f0d6b1c11",
            ),
            (
                "verification time 1796059156 (UNIX), but certificate is not valid after 1796059153 (3 seconds ago)",
                "verification time 1796059456 (UNIX), but certificate is not valid after 1796059153 (303 seconds ago)",
            ),
            (
                "no answer in 1m30.5s, Timestamp: 2026-11-30 17:43:44Z",
                "no answer in 2.1s, Timestamp: 2026-12-01 09:00:01Z",
            ),
        ] {
            assert_eq!(without_variable_parts(one), without_variable_parts(other));
        }
    }

    #[test]
    fn another_line_status_name_or_digest_makes_a_reason_a_new_one() {
        for (one, other) in [
            ("line 3 is wrong", "line 4 is wrong"),
            ("3 - no such line", "4 - no such line"),
            ("status 401 of port 5000", "status 403 of port 5000"),
            ("no `r.io/web:20261130`", "no `r.io/web:20261201`"),
            (
                "no signature of sha256:123456789",
                "no signature of sha256:123456780",
            ),
        ] {
            assert_ne!(without_variable_parts(one), without_variable_parts(other));
        }
    }
}
