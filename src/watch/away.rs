//! A builder that does not answer, as shown for the tasks that wait for it.

use jiff::Timestamp;

/// A builder that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwayBuilder {
    pub builder: String,
    pub since: Timestamp,
    pub why: String,
    /// Whether it answers but its disk is full.
    pub is_full: bool,
    /// When it is tried again; `None` where it is not going to be.
    pub until: Option<Timestamp>,
}

impl AwayBuilder {
    /// Describes it on one line.
    pub fn said(&self) -> String {
        let (name, since) = (&self.builder, self.since);
        if self.is_full {
            return format!("builder {name} is out of disk since {since:.0}");
        }
        format!(
            "builder {name} does not answer since {since:.0}: {}",
            self.why
        )
    }
}
