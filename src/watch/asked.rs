//! What has been asked and has yet to answer. It may outlive the round in which it was asked.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{image::Reference, task::GitContext};

/// Something that was asked for and that has yet to answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaited {
    /// A registry, for a tag.
    Tag(Reference),
    /// A git repository, for its commit.
    Source(GitContext),
}

/// All that was asked and has yet to answer, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked(BTreeMap<Awaited, Question>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    at: Timestamp,
    /// Whether the answer may be older than something that is known to have happened since.
    is_overtaken: bool,
}

impl Asked {
    /// Takes in that something is asked, and tells whether it is to be: not where the answer is awaited already.
    pub fn ask(&mut self, what: Awaited, at: Timestamp) -> bool {
        let mut is_new = false;
        self.0.entry(what).or_insert_with(|| {
            is_new = true;
            Question {
                at,
                is_overtaken: false,
            }
        });
        is_new
    }

    /// Tells whether this has been asked and has yet to answer.
    pub fn has(&self, what: &Awaited) -> bool {
        self.0.contains_key(what)
    }

    /// Returns when this was asked, if it has yet to answer.
    pub fn since(&self, what: &Awaited) -> Option<Timestamp> {
        self.0.get(what).map(|question| question.at)
    }

    /// Tells whether everything has answered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in that what was asked may have changed since: an answer that is on its way already need not know of it.
    pub fn overtake(&mut self, which: impl Fn(&Awaited) -> bool) {
        for (what, question) in &mut self.0 {
            question.is_overtaken |= which(what);
        }
    }

    /// Takes in that an answer has come. Tells whether it has been overtaken, so that the question must be asked once more.
    pub fn answered(&mut self, what: &Awaited) -> bool {
        let question = self.0.remove(what);
        question.is_some_and(|question| question.is_overtaken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_is_asked_once_and_its_answer_counts_unless_something_happened_since() {
        let tag = |name: &str| Awaited::Tag(format!("r.io/{name}:1").parse().unwrap());
        let (mut asked, at) = (Asked::default(), Timestamp::UNIX_EPOCH);
        assert!(asked.ask(tag("a"), at) && asked.ask(tag("b"), at));
        assert!(!asked.ask(tag("a"), at + jiff::SignedDuration::from_secs(9)));
        assert_eq!(asked.since(&tag("a")), Some(at));
        asked.overtake(|what| *what == tag("a"));
        assert!(asked.answered(&tag("a")) && !asked.answered(&tag("b")));
        assert!(asked.is_empty() && asked.ask(tag("a"), at));
        assert!(!asked.answered(&tag("a")));
    }
}
