//! Names of tasks.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The name of the definition of every quick run, which is not stored.
pub const QUICK_RUN: &str = "quick-run";

/// A task's name: 1 to 50 letters, digits, `-` or `_`, so that it is safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskName(String);

/// A text that is no task name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task name `{}` must be 1 to 50 letters, digits, `-` or `_`{}", .0.escape_debug(), TaskName::like(.0).map(|name| format!(": `{name}` would do")).unwrap_or_default())]
pub struct InvalidTaskName(pub String);

impl TaskName {
    /// Makes a name of any text, such as a folder's name: invalid characters become `-`. `None` where nothing is left.
    pub fn like(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c| !allowed(c)).filter(|word| !word.is_empty());
        let mut name = words.collect::<Vec<_>>().join("-");
        name.truncate(50);
        name.trim_end_matches('-').parse().ok()
    }

    /// Returns the name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether two names differ only in upper and lower case.
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

/// The unique key of a task: its registry and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey {
    /// The login server that the task's images go to.
    pub registry: String,
    pub name: TaskName,
}

impl TaskKey {
    /// Returns registry and name, as `localhost:5000/web`, to distinguish tasks of the same name.
    pub fn full(&self) -> String {
        format!("{}/{}", self.registry, self.name)
    }

    /// Returns its name; with the registry, where the name is one of those that several registries have a task of.
    pub fn shown(&self, shared: &BTreeSet<TaskName>) -> String {
        if shared.contains(&self.name) {
            self.full()
        } else {
            self.name.to_string()
        }
    }

    /// Returns the option of a command that names the task: `--name web`.
    pub fn option(&self) -> String {
        let is_like_an_option = self.name.as_str().starts_with('-');
        let joint = if is_like_an_option { "=" } else { " " };
        format!("--name{joint}{}", self.name)
    }

    /// The same with the registry, for commands that must mean this task whatever others are called.
    pub fn full_option(&self) -> String {
        format!("{} --registry {}", self.option(), self.registry)
    }
}

/// Returns the names that occur more than once among those of all tasks: several registries have a task of that name.
pub fn shared_names(names: impl Iterator<Item = TaskName>) -> BTreeSet<TaskName> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(name.clone())).collect()
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
    fn task_name_of_letters_digits_dash_and_underscore_is_valid() {
        for text in ["a", "Web-1_x", &"n".repeat(50)] {
            assert_eq!(text.parse::<TaskName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn task_name_that_could_leave_its_folder_is_refused() {
        for text in ["", ".", "..", "a/b", "a b", "a\0", "é", &"n".repeat(51)] {
            assert_eq!(
                text.parse::<TaskName>(),
                Err(InvalidTaskName(text.into())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn text_with_a_letter_is_made_a_valid_task_name() {
        let like = |text: &str| TaskName::like(text).map(String::from);
        assert_eq!(like("my web.app (2)").as_deref(), Some("my-web-app-2"));
        assert_eq!(like("web").as_deref(), Some("web"));
        assert_eq!(like(&"é1".repeat(60)).map(|name| name.len()), Some(49));
        assert_eq!(like("..."), None);
        let told = "my web".parse::<TaskName>().unwrap_err().to_string();
        assert!(told.ends_with("`my-web` would do"), "{told}");
    }

    #[test]
    fn task_names_that_differ_only_in_case_are_detected() {
        let web: TaskName = "web".parse().unwrap();
        assert!(web.differs_only_in_case(&"WEB".parse().unwrap()));
        assert!(!web.differs_only_in_case(&web.clone()));
        assert!(!web.differs_only_in_case(&"web2".parse().unwrap()));
    }
}
