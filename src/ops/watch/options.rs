//! How it is watched.

use std::{net::SocketAddr, path::PathBuf};

use jiff::SignedDuration;

use crate::watch::Selection;

/// Which tags a round looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    All,
    Due,
}

/// How it is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// Which tags a round looks at.
    pub looks: Looks,
    /// How long a tag that moved must have been quiet before anything is built on it.
    pub settle: SignedDuration,
    /// How many runs go on side by side, at most.
    pub jobs: usize,
    /// What a person asks to be run; nothing else is then.
    pub selection: Option<Selection>,
    /// Where the loop takes in webhooks.
    pub listen: Option<SocketAddr>,
    /// Whether it shows the status page there.
    pub page: bool,
    /// Whether a single round says all that is wrong, and not only what is news since the round before it.
    pub repeat: bool,
    /// The file that metrics are written to after each round.
    pub metrics_file: Option<PathBuf>,
}
