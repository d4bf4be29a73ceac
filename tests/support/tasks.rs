//! Shortcuts for tasks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Output, Registry, World};

impl World {
    /// Creates a task that pushes `NAME:latest` to `registry`, built from a new folder with this Dockerfile.
    pub fn task(&self, registry: &Registry, name: &str, dockerfile: &str) {
        self.task_with(registry, name, dockerfile, &[]);
    }

    /// The same, with further options.
    pub fn task_with(&self, registry: &Registry, name: &str, dockerfile: &str, options: &[&str]) {
        let (context, host) = (self.context(name, dockerfile), registry.host());
        let image = format!("{name}:latest");
        let create = [
            "task",
            "create",
            "--name",
            name,
            "--registry",
            &host,
            "--image",
            &image,
        ];
        self.acrt(&[&create, ["--context", &context].as_slice(), options].concat())
            .ok();
    }

    /// Creates a task and makes its first run, so that its images are followed.
    pub fn tracked_task(&self, registry: &Registry, name: &str, dockerfile: &str) {
        self.task(registry, name, dockerfile);
        self.run(name).ok();
    }

    /// Runs a task to its end.
    pub fn run(&self, name: &str) -> Output {
        self.acrt(&["task", "run", "--name", name])
    }

    /// Runs one round of `watch`.
    pub fn watch_once(&self) -> Output {
        self.acrt(&["task", "watch", "--once"])
    }

    /// Returns all runs, the newest first.
    pub fn runs(&self) -> Vec<Value> {
        let runs = self
            .acrt(&["task", "list-runs", "--top", "1000"])
            .ok()
            .json();
        runs.as_array().unwrap().clone()
    }

    /// Returns `TASK STATUS` of each run, the oldest first.
    pub fn history(&self) -> Vec<String> {
        let text = |run: &Value, key: &str| run[key].as_str().unwrap_or("-").to_owned();
        let line = |run: &Value| format!("{} {}", text(run, "task"), text(run, "status"));
        self.runs().iter().rev().map(line).collect()
    }

    /// Returns the state of each task in `task check`, whatever its exit code.
    pub fn states(&self) -> BTreeMap<String, String> {
        let answer = self.acrt(&["task", "check"]).json();
        let text = |task: &Value, key: &str| task[key].as_str().unwrap().to_owned();
        let tasks = answer.as_array().unwrap().iter();
        tasks
            .map(|task| (text(task, "name"), text(task, "state")))
            .collect()
    }

    /// Returns the state of one task in `task check`.
    pub fn state_of(&self, name: &str) -> String {
        self.states().remove(name).unwrap()
    }
}
