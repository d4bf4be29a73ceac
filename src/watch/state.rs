//! The states of a task: their names, and the exit code that each causes, never change.

use serde::{Serialize, Serializer};

use crate::error::Kind;

/// What `task check` says of a task. `docs/triggers.md` has a row for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Everything that it depends on is as it was when it was built.
    Current,
    /// Its files name other images than its last run was built on.
    Changed,
    /// There is a reason to run it.
    Stale,
    /// There is a reason to run it, but a tag that moved is debounced: it may move again soon.
    Settling,
    /// There is a reason to run it, or will be, after tasks whose images it depends on, or when its builder answers or its window opens.
    Waiting,
    /// It failed, and is tried again later.
    BackingOff,
    /// It failed many times in a row, and is tried ever more seldom.
    Stalled,
    Unknown,
    /// An image that it depends on moved, and its new digest is not verified.
    Unverified,
    /// An image that it depends on is gone.
    Missing,
    /// An image that it pushed is gone.
    ImageMissing,
    /// Nothing that it depends on is followed.
    FollowsNothing,
    /// It was tried, and has never succeeded.
    Failing,
    NeverRun,
    Disabled,
    /// It depends on its own image, and would run again for ever.
    Cycle,
}

impl State {
    /// All states, in the order in which they are documented.
    pub const ALL: [Self; 16] = [
        Self::Current,
        Self::Changed,
        Self::Stale,
        Self::Settling,
        Self::Waiting,
        Self::BackingOff,
        Self::Stalled,
        Self::Unknown,
        Self::Unverified,
        Self::Missing,
        Self::ImageMissing,
        Self::FollowsNothing,
        Self::Failing,
        Self::NeverRun,
        Self::Disabled,
        Self::Cycle,
    ];

    /// Returns the word for it in tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Changed => "changed",
            Self::Stale => "stale",
            Self::Settling => "settling",
            Self::Waiting => "waiting",
            Self::BackingOff => "backing-off",
            Self::Stalled => "stalled",
            Self::Unknown => "unknown",
            Self::Unverified => "unverified",
            Self::Missing => "missing",
            Self::ImageMissing => "image-missing",
            Self::FollowsNothing => "follows-nothing",
            Self::Failing => "failing",
            Self::NeverRun => "never-run",
            Self::Disabled => "disabled",
            Self::Cycle => "cycle",
        }
    }

    /// Returns the severity, for sorting: 4 for a failure, 3 for unknown, 2 for a run to come, 1 for a task that nothing runs, 0 for
    /// current.
    pub fn severity(self) -> u8 {
        match self {
            Self::Cycle | Self::Failing | Self::Stalled | Self::BackingOff => 4,
            Self::Unknown | Self::Unverified | Self::Missing | Self::ImageMissing => 3,
            Self::Stale | Self::Changed | Self::Settling | Self::Waiting => 2,
            Self::NeverRun | Self::FollowsNothing | Self::Disabled => 1,
            Self::Current => 0,
        }
    }

    /// Returns its exit code in `task check`; [`Kind::Stale`] counts only with `--exit-code`.
    pub fn exit(self) -> Option<Kind> {
        match self {
            Self::Cycle => Some(Kind::Failed),
            Self::Unknown | Self::Unverified | Self::Missing | Self::ImageMissing => {
                Some(Kind::Unknown)
            }
            Self::Changed
            | Self::Stale
            | Self::Settling
            | Self::Waiting
            | Self::BackingOff
            | Self::Stalled
            | Self::Failing => Some(Kind::Stale),
            Self::Current | Self::FollowsNothing | Self::NeverRun | Self::Disabled => None,
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What has become of a base since something was built on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseState {
    /// Its tag still names what was built on.
    Current,
    /// Its tag names another image now.
    Moved,
    /// It has moved, and its new digest has not reached the minimum age.
    TooYoung,
    /// It has moved, and its new digest is not verified.
    Unverified,
    Missing,
    Unknown,
    /// It cannot move, or is not looked at.
    NotFollowed,
}

impl BaseState {
    /// Returns the word for it in tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Moved => "moved",
            Self::TooYoung => "too-young",
            Self::Unverified => "unverified",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::NotFollowed => "not-followed",
        }
    }
}

impl Serialize for BaseState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in the documents: the cells of each state, its name first.
    fn documented() -> Vec<Vec<&'static str>> {
        let page = include_str!("../../docs/triggers.md");
        let (_, table) = page.split_once("| state | meaning |").unwrap();
        let rows = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
            .collect()
    }

    #[test]
    fn state_table_of_the_documentation_matches_states_and_exit_codes() {
        let code = |kind: Option<Kind>| kind.map_or(0, Kind::exit_code).to_string();
        let expected: Vec<[String; 3]> = State::ALL
            .iter()
            .map(|state| {
                let plain = state.exit().filter(|kind| *kind != Kind::Stale);
                let asked = code(state.exit());
                [format!("`{}`", state.word()), code(plain), asked]
            })
            .collect();
        let rows: Vec<[String; 3]> = documented()
            .iter()
            .map(|cells| {
                assert_eq!(cells.len(), 6, "{cells:?}");
                assert!(cells.iter().all(|cell| !cell.is_empty()), "{cells:?}");
                [cells[0], cells[4], cells[5]].map(str::to_owned)
            })
            .collect();
        assert_eq!(rows, expected);
    }
}
