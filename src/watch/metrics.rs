//! Metrics of the watch loop, in the text format that Prometheus reads. `docs/metrics.md` is the contract of the names.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{SignedDuration, Timestamp};

use crate::image::Reference;

use super::{
    decide::Verdict,
    round::{Outcome, Round},
    tags::{LookErrorKind, Tags},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    pub rounds: u64,
    /// How many rounds ended with an error of their own, not of a task.
    pub failed_rounds: u64,
    /// The last completed round over all tasks.
    pub last: Option<RoundMetrics>,
    /// How many tags were looked at.
    pub looks: u64,
    /// How many runs have ended, by status.
    pub runs: BTreeMap<String, u64>,
    /// How many webhooks came in, by source and outcome.
    pub webhooks: Vec<(String, &'static str, u64)>,
    /// When the last authentic webhook of each source came.
    pub last_webhooks: Vec<(String, Timestamp)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RoundMetrics {
    pub ended: Timestamp,
    /// How long it took, with all its builds.
    pub took: SignedDuration,
    /// The number of tasks in each state.
    pub tasks: BTreeMap<&'static str, u64>,
    pub tags: u64,
    /// How many tags had no answer in their last look.
    pub unanswered_tags: u64,
}

impl RoundMetrics {
    pub fn of(round: &Round<'_>, tags: &Tags, began: Timestamp, ended: Timestamp) -> Self {
        let mut tasks = BTreeMap::new();
        for (_, verdict, outcome) in round.verdicts() {
            // A stale task that has been rebuilt in this round is current.
            let state = match outcome {
                Some(Outcome::Succeeded) => Verdict::Current.word(),
                _ => verdict.word(),
            };
            *tasks.entry(state).or_default() += 1;
        }
        let followed = round.tags();
        // A missing tag is an answer, with a state of its own.
        let is_silent = |tag: &&Reference| {
            let error = tags.look_error(tag);
            error.is_some_and(|error| error != LookErrorKind::Absent)
        };
        let unanswered = followed.iter().filter(is_silent);
        Self {
            ended,
            took: ended.duration_since(began),
            tasks,
            tags: count(followed.len()),
            unanswered_tags: count(unanswered.count()),
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Metrics {
    pub fn round_ended(&mut self, round: Option<RoundMetrics>, looks: usize) {
        self.rounds += 1;
        self.looks += count(looks);
        self.last = round.or(self.last.take());
    }

    /// Counts a round that ended with an error.
    pub fn round_failed(&mut self) {
        self.rounds += 1;
        self.failed_rounds += 1;
    }

    pub fn run_ended(&mut self, status: impl ToString) {
        *self.runs.entry(status.to_string()).or_default() += 1;
    }

    /// Renders all metrics in the text format of Prometheus, version 0.0.4.
    pub fn text(&self) -> String {
        let mut page = MetricsPage::default();
        page.family(
            "acrt_build_info",
            "gauge",
            "The version of acrt, as a label.",
        );
        page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.family("acrt_rounds_total", "counter", "Rounds made.");
        page.sample(&[], self.rounds);
        let help = "Rounds that ended with an error of their own, such as a full disk.";
        page.family("acrt_failed_rounds_total", "counter", help);
        page.sample(&[], self.failed_rounds);
        page.family("acrt_looks_total", "counter", "Tags looked at.");
        page.sample(&[], self.looks);
        page.family(
            "acrt_runs_total",
            "counter",
            "Runs that have ended, by status.",
        );
        for (status, count) in &self.runs {
            page.sample(&[("status", status)], *count);
        }
        if let Some(round) = &self.last {
            page.round(round);
        }
        let help = "Webhooks, by source and what became of them.";
        page.family("acrt_webhooks_total", "counter", help);
        for (source, outcome, count) in &self.webhooks {
            page.sample(&[("source", source), ("outcome", outcome)], *count);
        }
        let help = "When the last authentic webhook of a source came.";
        page.family("acrt_last_webhook_timestamp_seconds", "gauge", help);
        for (source, last) in &self.last_webhooks {
            page.sample(&[("source", source)], last.as_second());
        }
        page.text
    }
}

/// A page of metrics under construction.
#[derive(Debug, Default)]
struct MetricsPage {
    text: String,
    name: &'static str,
}

impl MetricsPage {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(self.name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let before = if n == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }

    fn round(&mut self, round: &RoundMetrics) {
        let help = "When the last round ended.";
        self.family("acrt_last_round_timestamp_seconds", "gauge", help);
        self.sample(&[], round.ended.as_second());
        let help = "How long the last round took, with all its builds.";
        self.family("acrt_last_round_duration_seconds", "gauge", help);
        self.sample(&[], round.took.as_secs_f64());
        let help = "Tasks, by what the last round decided for them.";
        self.family("acrt_tasks", "gauge", help);
        for (state, count) in &round.tasks {
            self.sample(&[("state", state)], *count);
        }
        self.family("acrt_tags", "gauge", "Tags that are followed.");
        self.sample(&[], round.tags);
        let help = "Tags that gave no answer when they were last looked at.";
        self.family("acrt_tag_look_errors", "gauge", help);
        self.sample(&[], round.unanswered_tags);
    }
}

/// Escapes the value of a label, as the format wants it between quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn metrics_page_has_every_measured_value() {
        let mut metrics = Metrics::default();
        metrics.round_failed();
        metrics.run_ended("Failed");
        metrics.run_ended("Succeeded");
        metrics.run_ended("Succeeded");
        let round = RoundMetrics {
            ended: at(1_000_000_000),
            took: SignedDuration::from_millis(1_500),
            tasks: BTreeMap::from([("current", 3), ("unknown", 1)]),
            tags: 2,
            unanswered_tags: 1,
        };
        metrics.round_ended(Some(round), 2);
        metrics.round_ended(None, 1);
        metrics.webhooks = vec![("lan".into(), "hinted", 7)];
        metrics.last_webhooks = vec![("lan".into(), at(5))];
        let page = metrics.text();
        let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples[1..],
            [
                "acrt_rounds_total 3",
                "acrt_failed_rounds_total 1",
                "acrt_looks_total 3",
                r#"acrt_runs_total{status="Failed"} 1"#,
                r#"acrt_runs_total{status="Succeeded"} 2"#,
                "acrt_last_round_timestamp_seconds 1000000000",
                "acrt_last_round_duration_seconds 1.5",
                r#"acrt_tasks{state="current"} 3"#,
                r#"acrt_tasks{state="unknown"} 1"#,
                "acrt_tags 2",
                "acrt_tag_look_errors 1",
                r#"acrt_webhooks_total{source="lan",outcome="hinted"} 7"#,
                r#"acrt_last_webhook_timestamp_seconds{source="lan"} 5"#,
            ]
        );
        assert!(samples[0].starts_with("acrt_build_info{version=\""));
    }

    #[test]
    fn metric_family_is_described_once_before_its_samples() {
        let page = Metrics::default().text();
        let types: Vec<_> = page.lines().filter(|l| l.starts_with("# TYPE")).collect();
        let names: std::collections::BTreeSet<_> = types.iter().collect();
        assert_eq!(types.len(), names.len());
        assert!(page.starts_with("# HELP acrt_build_info "));
        assert!(!page.contains("acrt_last_round"), "no round was made");
    }

    #[test]
    fn metric_label_values_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
