//! The options of `task watch`.

use std::{net::SocketAddr, path::PathBuf};

use jiff::SignedDuration;

use crate::watch::Selection;

/// Which tags a round looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    All,
    Due,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// Which tags a round looks at.
    pub looks: Looks,
    /// How long a tag that moved must have been quiet before anything is built on it: the debounce.
    pub settle: SignedDuration,
    /// The maximum number of concurrent runs.
    pub jobs: usize,
    /// The tasks that a person wants to run; if given, no other task is run.
    pub selection: Option<Selection>,
    /// The address at which the loop receives webhooks.
    pub listen: Option<SocketAddr>,
    /// Whether the status page is served there.
    pub page: bool,
    /// Whether a single round reports all problems, and not only those that are new since the round before.
    pub repeat: bool,
    /// The file to which metrics are written after each round.
    pub metrics_file: Option<PathBuf>,
}
