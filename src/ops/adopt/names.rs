//! Makes names of tasks and images from the names of services, targets and folders.

use std::collections::BTreeSet;

use crate::{ops::joined::joined, task::TaskName};

/// The longest name of a task.
const LONGEST: usize = 50;

/// Makes a valid task name: other characters become `-`. `None` where nothing is left.
pub fn valid(text: &str) -> Option<TaskName> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let text = text.replace(|c| !fits(c), "-");
    let text: String = text.trim_matches('-').chars().take(LONGEST).collect();
    text.parse().ok()
}

/// Returns the first name that is not taken, or else the last one with a number appended.
pub fn unique(wanted: &[String], taken: &BTreeSet<String>) -> Option<TaskName> {
    // Two names that differ only in case would be one file on some machines.
    let is_free = |name: &TaskName| !taken.contains(&name.as_str().to_lowercase());
    let names: Vec<TaskName> = wanted.iter().filter_map(|name| valid(name)).collect();
    if let Some(name) = names.iter().find(|name| is_free(name)) {
        return Some(name.clone());
    }
    let last = names.last().map_or("task", TaskName::as_str);
    let last: String = last.chars().take(LONGEST - 5).collect();
    numbered(&last)
        .filter_map(|name| valid(&name))
        .find(is_free)
}

/// Returns a name with numbers appended, one after the other.
pub fn numbered(name: &str) -> impl Iterator<Item = String> + use<'_> {
    (2..10_000).map(move |n| format!("{name}-{n}"))
}

/// Tells whether a name is another one with a number appended.
pub fn is_numbered(name: &str, of: &str) -> bool {
    let number = name.strip_prefix(of).and_then(|it| it.strip_prefix('-'));
    number.is_some_and(|it| it.parse::<u16>().is_ok())
}

/// Makes a repository name of a folder's name; `None` where nothing is left.
pub fn repository(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parts = text.split(|c| !fits(c)).filter(|part| !part.is_empty());
    let name = joined(parts, "-");
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adopted_task_names_are_made_valid_and_unique() {
        let taken = ["web".to_owned(), "shop-web".to_owned()].into();
        let name = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|it| (*it).to_owned()).collect();
            unique(&wanted, &taken).unwrap().to_string()
        };
        assert_eq!(name(&["api"]), "api");
        assert_eq!(name(&["WEB", "shop-web"]), "shop-web-2");
        assert_eq!(name(&["--a b'\n\u{1b}[31m"]), "a-b----31m");
        assert_eq!(name(&["ä"]), "task-2");
        assert_eq!(name(&[&"x".repeat(80)]).len(), 50);
    }

    #[test]
    fn repository_name_is_derived_from_a_folder_name() {
        assert_eq!(repository("My App!").as_deref(), Some("my-app"));
        assert_eq!(repository("--"), None);
    }
}
