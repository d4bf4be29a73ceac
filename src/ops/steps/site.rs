//! What the steps of one run share: the folders, the log, the logins, and what has been found out so far.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    builder::BuilderPlatforms,
    image::{Digest, Platform, Reference},
    ops::{
        execution::Execution,
        inputs::Inputs,
        resolve::Resolved,
        run_builders::PlacedBuilder,
        run_log::{PrefixedLog, RunLog},
    },
    steps::StepId,
    sys::signal::Stop,
    task::{Dependency, Run, Untracked},
    watch::Baseline,
};

use super::{read::MultiStep, workspace::Workspace};

/// What the steps of one run share.
pub(super) struct StepContext<'a> {
    pub execution: &'a Execution<'a>,
    pub run: &'a Run,
    pub read: &'a MultiStep,
    pub on: &'a PlacedBuilder,
    pub platforms: BuilderPlatforms,
    pub baseline: &'a Baseline,
    pub workspace: Workspace,
    /// Comes when the run is to stop, and when another step has failed.
    pub stop: Stop,
    pub auth_dir: Option<PathBuf>,
    /// The networks of the file, by the names that the builder knows.
    pub networks: BTreeMap<String, String>,
    pub log: &'a RunLog<'a>,
    pub found: RefCell<StepResults>,
}

/// What has been found out so far.
#[derive(Debug, Default)]
pub(super) struct StepResults {
    /// What each step depends on, in the order in which that was decided.
    dependencies: Vec<(StepId, Vec<Dependency>)>,
    /// The last build of each step that builds.
    pub builds: BTreeMap<StepId, StepBuild>,
    pub untracked: Vec<Untracked>,
    /// In the order in which they were pushed.
    pub pushed: Vec<(Reference, Option<Digest>)>,
    /// The registries whose certificates are not verified, as has been told.
    pub unverified: BTreeSet<String>,
}

/// What a step has built.
#[derive(Debug)]
pub(super) struct StepBuild {
    pub images: Vec<Reference>,
    pub inputs: Inputs,
    pub resolved: Resolved,
    /// The platforms of the images as the builder says them; empty where it does not say.
    pub platforms: BTreeSet<Platform>,
}

impl StepResults {
    /// Takes in what one step depends on, in place of what an earlier try of it did.
    pub fn take(&mut self, step: &StepId, dependencies: &[Dependency], untracked: &[Untracked]) {
        let new = dependencies.to_vec();
        match self.dependencies.iter_mut().find(|(id, _)| id == step) {
            Some((_, old)) => *old = new,
            None => self.dependencies.push((step.clone(), new)),
        }
        for untracked in untracked {
            if !self.untracked.contains(untracked) {
                self.untracked.push(untracked.clone());
            }
        }
    }

    /// Returns what the steps depend on together. The first answer about an image stays, because a later one would hide a move in between;
    /// platforms that another step builds for count too.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let mut all: BTreeMap<Reference, Dependency> = BTreeMap::new();
        for dependency in self.dependencies.iter().flat_map(|(_, all)| all) {
            let Some(tag) = dependency.image.reference() else {
                continue;
            };
            all.entry(tag)
                .and_modify(|old| {
                    old.kind = old.kind.min(dependency.kind);
                    for (platform, manifest) in &dependency.manifests {
                        if !old.manifests.contains_key(platform) {
                            old.manifests.insert(platform.clone(), manifest.clone());
                        }
                    }
                })
                .or_insert_with(|| dependency.clone());
        }
        all.into_values().collect()
    }
}

impl<'a> StepContext<'a> {
    /// Returns where the lines of a step go: each behind the name of the step, where there is more than one.
    pub fn lines_of(&self, step: &StepId) -> PrefixedLog<'a> {
        let is_alone = self.read.graph.steps().len() == 1;
        PrefixedLog {
            log: self.log,
            prefix: if is_alone {
                String::new()
            } else {
                format!("{step} | ")
            },
        }
    }

    /// Returns what processes and containers of the run are known by: the path of its folder.
    pub fn marker(&self) -> PathBuf {
        let layout = self.execution.app.store.layout();
        layout.run_folder(self.run.run_id)
    }

    /// Returns the name that a container or a network of this run has on the machine.
    pub fn name(&self, of: &str) -> String {
        format!(
            "{}{}",
            prefix_of(self.execution.app, self.run.run_id),
            tame(of)
        )
    }
}

/// Returns what the names of all containers and networks of a run begin with: unlike those of any other run of any state directory.
pub(super) fn prefix_of(app: &crate::ops::App, id: crate::task::RunId) -> String {
    let folder = app.store.layout().run_folder(id);
    let unique = Digest::of(folder.as_os_str().as_encoded_bytes());
    format!("acrt-{}-{id}-", &unique.hex()[..12])
}

/// Makes a name of letters, digits, `_`, `.` and `-`, which is all that builders take.
fn tame(name: &str) -> String {
    let tame = |c: char| match c {
        c if c.is_ascii_alphanumeric() || "_.-".contains(c) => c,
        _ => '-',
    };
    name.chars().map(tame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{DependencyKind, ImageDescriptor};

    #[test]
    fn platforms_of_all_steps_count_and_the_last_try_of_each() {
        let on = |platform: &str, digest: &str| Dependency {
            image: ImageDescriptor::new(
                &"r.io/base:1".parse().unwrap(),
                Some(Digest::of(digest.as_bytes())),
            ),
            kind: DependencyKind::Runtime,
            manifests: [(platform.parse().unwrap(), None)].into_iter().collect(),
            line: 1,
            mirror: None,
        };
        let step = |id: &str| StepId::new(id).unwrap();
        let mut found = StepResults::default();
        found.take(&step("a"), &[on("linux/s390x", "first")], &[]);
        found.take(&step("b"), &[on("linux/arm64", "third")], &[]);
        found.take(&step("a"), &[on("linux/amd64", "second")], &[]);
        let all = found.dependencies();
        assert_eq!(all.len(), 1);
        let platforms: Vec<String> = all[0].manifests.keys().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(all[0].image.digest, Some(Digest::of(b"second")));
    }

    #[test]
    fn names_are_such_as_builders_take() {
        assert_eq!(tame("a/b c:d_1.x-y"), "a-b-c-d_1.x-y");
    }
}
