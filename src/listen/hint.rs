//! What a webhook tells, whatever its sender.

use crate::image::Reference;

/// Where something may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// A tag was pushed, with the digest where the sender says it. Its registry is named as the sender names it, which need not be how
    /// tasks name it.
    Image(Reference),
    /// A git repository has changed.
    Source(SourceHint),
}

/// A change in a git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceHint {
    /// The URLs that the sender knows it by: over HTTPS and over SSH. Only for comparison with those of tasks: nothing is ever fetched
    /// from a URL that came in by a webhook.
    pub repository: Vec<String>,
    /// What happened in it.
    pub change: Change,
}

/// What happened in a git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A branch has a new commit.
    Push {
        /// The branch, without `refs/heads/`.
        branch: String,
        commit: String,
    },
    /// A pull request, or merge request, was opened or has a new commit.
    PullRequest {
        number: u64,
        /// The branch that it is to be merged into.
        into: String,
        /// Its last commit.
        commit: String,
        /// Whether it comes from another repository: what it would build is a stranger's.
        from_fork: bool,
    },
}
