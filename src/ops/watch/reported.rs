//! Decides what a round reports of tasks and outages: each thing once, and only a few of many tasks with the same problem.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    error::Error,
    ops::{Event, EventSink},
    task::TaskKey,
    watch::{
        ProblemKind, Verdict,
        notified::{self, Outage},
        reported_problems::{gist, without_variable_parts},
    },
};

/// What has been reported already, so that the loop reports each thing once.
#[derive(Debug, Default)]
pub struct LastReported {
    tasks: HashMap<TaskKey, Vec<String>>,
    /// Registries and git repositories that do not answer: why, and whether several tasks wait.
    silent: BTreeMap<String, (String, bool)>,
    /// The files or receivers that could not be used in the last round, by what was wrong with each.
    broken: BTreeSet<String>,
}

impl LastReported {
    /// Reports those of the problems with files or receivers that the last round did not have.
    pub fn report_new(&mut self, found: Vec<Error>, events: &EventSink<'_>) {
        let gist = |error: &Error| without_variable_parts(&error.one_line());
        let now = found.iter().map(gist).collect();
        let last = std::mem::replace(&mut self.broken, now);
        for error in found.into_iter().filter(|it| !last.contains(&gist(it))) {
            events.send(Event::Problem(error));
        }
    }

    /// Returns whether a verdict is worth reporting and differs from the last reported one in more than counts, times and ids.
    pub fn is_news(&mut self, key: &TaskKey, verdict: &Verdict) -> bool {
        if !is_worth_reporting(verdict) {
            self.tasks.remove(key);
            return false;
        }
        let what = gist(verdict);
        let what: Vec<String> = what.iter().map(|it| without_variable_parts(it)).collect();
        self.tasks.insert(key.clone(), what.clone()) != Some(what)
    }

    /// Reports which registries and repositories do not answer, once for all tasks that wait, and which answer again.
    pub fn report_outages(&mut self, outages: &BTreeMap<String, Outage>, events: &EventSink<'_>) {
        for (place, outage) in outages {
            let now = (outage.gist(), outage.tasks.len() > 1);
            if self.silent.insert(place.clone(), now.clone()) != Some(now) {
                events.send(Event::Silent { place, outage });
            }
        }
        let again = |place: &String, _: &mut _| !outages.contains_key(place);
        for (place, _) in self.silent.extract_if(.., again) {
            events.send(Event::AnswersAgain(&place));
        }
    }
}

/// Counts tasks with the same problem: a few are reported singly and the others as a number, so that a registry that is down, or has lost its
/// images, does not flood the output.
#[derive(Debug, Default)]
pub struct OutageSummary(BTreeMap<(ProblemKind, String), usize>);

impl OutageSummary {
    /// How many tasks with the same problem are reported singly.
    const FEW: usize = 10;

    /// Returns whether this verdict is reported singly.
    pub fn admits(&mut self, verdict: &Verdict) -> bool {
        let problems = verdict.problems();
        let Some(problem) = problems.first() else {
            return true;
        };
        let group = (problem.kind, notified::group_of(problem));
        let waiting = self.0.entry(group).or_default();
        *waiting += 1;
        *waiting <= Self::FEW
    }

    pub fn report_the_rest(&self, events: &EventSink<'_>) {
        for ((kind, group), waiting) in &self.0 {
            if let more @ 1.. = waiting.saturating_sub(Self::FEW) {
                let problem = match kind {
                    ProblemKind::Silent => format!("wait for `{group}`"),
                    ProblemKind::Gone => format!("miss {group}"),
                    ProblemKind::NoImage => format!("name {group} that are none"),
                    ProblemKind::Unverified => format!("name {group} that must be verified"),
                    ProblemKind::Files => "have files that cannot be used".to_owned(),
                    ProblemKind::Builder => format!("wait for {group}"),
                };
                let tasks = if more == 1 { "task" } else { "tasks" };
                events.send(Event::Warning(format!(
                    "{more} more {tasks} {problem}; all of them: acrt task check -o table"
                )));
            }
        }
    }
}

fn is_worth_reporting(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Unknown { .. }
        | Verdict::Missing { .. }
        | Verdict::Unverified { .. }
        | Verdict::Changed(_)
        | Verdict::ImageMissing { .. }
        | Verdict::BackingOff { .. }
        | Verdict::Canceled { .. }
        | Verdict::Waiting { .. }
        | Verdict::NoBuilder { .. }
        | Verdict::OutsideWindow { .. }
        | Verdict::Cycle(_) => true,
        Verdict::Failing { until, .. } => until.is_some(),
        Verdict::Disabled
        | Verdict::TriggerOff
        | Verdict::NeverRun
        | Verdict::Current
        | Verdict::FollowsNothing
        | Verdict::Stale(_)
        | Verdict::TooYoung { .. }
        | Verdict::Settling { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::watch::{Problem, decide::Reasons};

    use super::*;

    #[test]
    fn refusal_with_another_request_id_is_reported_once_and_another_refusal_anew() {
        let unknown = |why: &str| Verdict::Unknown {
            problems: vec![Problem {
                kind: ProblemKind::Silent,
                subject: "r.io/base:1".to_owned(),
                why: why.to_owned(),
                since: None,
                hint: None,
            }],
            reasons: Reasons::default(),
        };
        let key = TaskKey {
            registry: "r.io".to_owned(),
            name: "web".parse().unwrap(),
        };
        let mut reported = LastReported::default();
        let mut is_news = |why: &str| {
            let verdict = unknown(why);
            let problems = verdict.silence().unwrap_or_default();
            let outages = notified::outages([(key.clone(), problems)].into_iter());
            let sent = std::cell::Cell::new(false);
            let event = |_: Event<'_>| sent.set(true);
            reported.report_outages(&outages, &EventSink::new(event));
            (reported.is_news(&key, &verdict), sent.get())
        };
        let refusal = |id: &str| format!("`r.io` refuses the login: denied. CorrelationId: {id}");
        let first = refusal("6ab2a13c-6d0c-4ed5-a2a0-4a3c3e5d6f70");
        let second = refusal("0d7d0bb1-9e7b-4f0e-8d35-9a1f0d6b1c11");
        assert_eq!(is_news(&first), (true, true));
        assert_eq!(is_news(&second), (false, false));
        assert_eq!(is_news("`r.io` cannot be reached"), (true, true));
    }
}
