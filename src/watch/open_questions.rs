//! Questions to registries and git repositories that have no answer yet. A question may outlive the round that asked it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{image::Reference, task::GitContext};

/// Where an answer is awaited from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuestionTarget {
    /// A registry, for a tag.
    Tag(Reference),
    /// A git repository, for its commit.
    Source(GitContext),
}

/// All questions without an answer, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenQuestions(BTreeMap<QuestionTarget, OpenQuestion>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenQuestion {
    at: Timestamp,
    /// Whether the thing asked about may have changed since the question, so that the answer may be out of date.
    is_overtaken: bool,
}

impl OpenQuestions {
    /// Records a question. Returns false where the same question has no answer yet and must not be asked twice.
    pub fn ask(&mut self, what: QuestionTarget, at: Timestamp) -> bool {
        let is_new = !self.has(&what);
        self.0.entry(what).or_insert(OpenQuestion {
            at,
            is_overtaken: false,
        });
        is_new
    }

    /// Tells whether this question has no answer yet.
    pub fn has(&self, what: &QuestionTarget) -> bool {
        self.0.contains_key(what)
    }

    /// Returns when this question was asked, if it has no answer yet.
    pub fn since(&self, what: &QuestionTarget) -> Option<Timestamp> {
        self.0.get(what).map(|question| question.at)
    }

    /// Tells whether every question has an answer.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records that what `which` selects may have changed since it was asked about: an answer already on its way may not show the change.
    pub fn overtake(&mut self, which: impl Fn(&QuestionTarget) -> bool) {
        for (what, question) in &mut self.0 {
            question.is_overtaken |= which(what);
        }
    }

    /// Records an answer. Returns whether it may be out of date, so that the question must be asked once more.
    pub fn answered(&mut self, what: &QuestionTarget) -> bool {
        let question = self.0.remove(what);
        question.is_some_and(|question| question.is_overtaken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_question_is_asked_once_and_its_answer_is_discarded_when_overtaken() {
        let tag = |name: &str| QuestionTarget::Tag(format!("r.io/{name}:1").parse().unwrap());
        let (mut asked, at) = (OpenQuestions::default(), Timestamp::UNIX_EPOCH);
        assert!(asked.ask(tag("a"), at) && asked.ask(tag("b"), at));
        assert!(!asked.ask(tag("a"), at + jiff::SignedDuration::from_secs(9)));
        assert_eq!(asked.since(&tag("a")), Some(at));
        asked.overtake(|what| *what == tag("a"));
        assert!(asked.answered(&tag("a")) && !asked.answered(&tag("b")));
        assert!(asked.is_empty() && asked.ask(tag("a"), at));
        assert!(!asked.answered(&tag("a")));
    }
}
