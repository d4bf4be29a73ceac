//! Names of tasks.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A task's name: 1 to 50 letters, digits, `-` or `_`. Safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskName(String);

/// Why a text is no task name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task name `{}` must be 1 to 50 letters, digits, `-` or `_`", .0.escape_debug())]
pub struct InvalidTaskName(pub String);

impl TaskName {
    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether the two are one name but for upper and lower case.
    #[must_use]
    pub fn differs_only_in_case(&self, other: &Self) -> bool {
        self != other && self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl FromStr for TaskName {
    type Err = InvalidTaskName;

    fn from_str(text: &str) -> Result<Self, InvalidTaskName> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=50).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidTaskName(text.into()))
        }
    }
}

impl TryFrom<String> for TaskName {
    type Error = InvalidTaskName;

    fn try_from(text: String) -> Result<Self, InvalidTaskName> {
        text.parse()
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.0
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What tells one task from all others: its registry and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey {
    /// The login server that the task's images go to.
    pub registry: String,
    /// Its name on that registry.
    pub name: TaskName,
}

impl TaskKey {
    /// Returns its registry and its name, as `localhost:5000/web`: where two tasks of one name must not be taken for each other.
    #[must_use]
    pub fn full(&self) -> String {
        format!("{}/{}", self.registry, self.name)
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_dash_and_underscore_make_a_name() {
        for text in ["a", "Web-1_x", &"n".repeat(50)] {
            assert_eq!(text.parse::<TaskName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn anything_that_could_leave_its_folder_is_refused() {
        for text in ["", ".", "..", "a/b", "a b", "a\0", "é", &"n".repeat(51)] {
            assert_eq!(
                text.parse::<TaskName>(),
                Err(InvalidTaskName(text.into())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn names_that_differ_only_in_case_are_noticed() {
        let web: TaskName = "web".parse().unwrap();
        assert!(web.differs_only_in_case(&"WEB".parse().unwrap()));
        assert!(!web.differs_only_in_case(&web.clone()));
        assert!(!web.differs_only_in_case(&"web2".parse().unwrap()));
    }
}
