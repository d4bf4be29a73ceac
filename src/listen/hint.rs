//! A hint: what a webhook says, whatever its sender.

use crate::image::Reference;

/// Where something may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// A tag was pushed, with its digest where the sender gives it. The registry has the sender's name for it, which may differ from that
    /// in tasks.
    Image(Reference),
    /// A git repository has changed.
    Source(SourceHint),
}

/// A change in a git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceHint {
    /// The repository's URLs in the webhook: over HTTPS and over SSH. They are only compared with those of tasks: nothing is ever fetched
    /// from a URL in a webhook.
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
        /// Whether it comes from another repository, so that its code is a stranger's.
        from_fork: bool,
    },
}
