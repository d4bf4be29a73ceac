//! What the steps of one run share: folders, log, logins, and results so far.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use crate::{
    builder::BuilderPlatforms,
    image::{Digest, Platform, Reference},
    ops::{
        execution::{Execution, Failure},
        inputs::Inputs,
        resolve::Resolved,
        run_builders::PlacedBuilder,
        run_log::{PrefixedLog, RunLog},
    },
    steps::{Step, StepId},
    sys::signal::Stop,
    task::{Dependency, Run, Untracked},
    watch::Baseline,
};

use super::{read::MultiStep, workspace::Workspace};

pub(super) struct StepContext<'a> {
    pub execution: &'a Execution<'a>,
    pub run: &'a Run,
    pub read: &'a MultiStep,
    pub on: &'a PlacedBuilder,
    pub platforms: BuilderPlatforms,
    pub baseline: &'a Baseline,
    pub workspace: Workspace,
    /// Stops the steps when the run is to stop, or another step has failed.
    pub stop: Stop,
    pub auth_dir: Option<PathBuf>,
    /// The networks of the file, each with its name on the builder.
    pub networks: BTreeMap<String, String>,
    pub log: &'a RunLog<'a>,
    pub found: RefCell<StepResults>,
}

#[derive(Debug, Default)]
pub(super) struct StepResults {
    /// The dependencies of each step, in the order in which they were resolved.
    dependencies: Vec<(StepId, Vec<Dependency>)>,
    /// The last build of each step that builds.
    pub builds: BTreeMap<StepId, StepBuild>,
    pub untracked: Vec<Untracked>,
    /// The pushed images, in the order of the pushes.
    pub pushed: Vec<(Reference, Option<Digest>)>,
    /// The registries for which it has been reported that their certificates are not verified.
    pub unverified: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct StepBuild {
    pub images: Vec<Reference>,
    pub inputs: Inputs,
    pub resolved: Resolved,
    /// The platforms of the images as the builder reports them; empty where it does not.
    pub platforms: BTreeSet<Platform>,
}

impl StepResults {
    /// Sets the dependencies of a step, replacing those of an earlier try.
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

    /// Returns the dependencies of all steps. If several steps depend on one image, the digest of the first is kept, because a later one
    /// would hide a move in between; the platforms of all steps are combined.
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
    /// Returns the log for a step: with the name of the step as the prefix, if there are several.
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

    /// Returns the images that the steps before `step` have built: it takes them from the builder, and not from a registry. A build that has
    /// failed, which may be ignored, has built none.
    pub fn made_before(&self, step: &Step) -> BTreeSet<Reference> {
        let found = self.found.borrow();
        let before = self.read.graph.ancestors(step);
        let builds = before.filter_map(|other| found.builds.get(&other.id));
        builds.flat_map(|build| build.images.clone()).collect()
    }

    /// Waits, unless the steps are to stop.
    pub async fn pause(&self, seconds: u32) -> Result<(), Failure> {
        if seconds == 0 {
            return Ok(());
        }
        let pause = Duration::from_secs(u64::from(seconds));
        let pause = self.execution.app.clock.sleep(pause);
        self.execution.until_stopped(&self.stop, pause).await
    }

    /// Returns the marker of the run's processes and containers: the path of its folder.
    pub fn marker(&self) -> PathBuf {
        let layout = self.execution.app.store.layout();
        layout.run_folder(self.run.run_id)
    }

    /// Returns the name of a container or network of this run on the builder.
    pub fn name(&self, of: &str) -> String {
        format!(
            "{}{}",
            prefix_of(self.execution.app, self.run.run_id),
            sanitize(of)
        )
    }
}

/// Returns the prefix for the names of a run's containers and networks, which is unique among all runs of all state directories.
pub(super) fn prefix_of(app: &crate::ops::App, id: crate::task::RunId) -> String {
    let folder = app.store.layout().run_folder(id);
    let unique = Digest::of(folder.as_os_str().as_encoded_bytes());
    format!("acrt-{}-{id}-", &unique.hex()[..12])
}

/// Replaces characters that builders refuse in names: only letters, digits, `_`, `.` and `-` are allowed. Names that differ before differ
/// afterwards too.
fn sanitize(name: &str) -> String {
    let is_tame = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let tamed = name.replace(|c| !is_tame(c), "-");
    if tamed == name {
        return tamed;
    }
    let digest = Digest::of(name.as_bytes());
    format!("{tamed}-{}", &digest.hex()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{DependencyKind, ImageDescriptor};

    #[test]
    fn dependency_platforms_are_merged_over_steps_from_the_last_try_of_each() {
        let on = |platform: &str, digest: &str| Dependency {
            image: ImageDescriptor::new(
                &"r.io/base:1".parse().unwrap(),
                Some(Digest::of(digest.as_bytes())),
            ),
            kind: DependencyKind::Runtime,
            manifests: [(platform.parse().unwrap(), None)].into_iter().collect(),
            is_local: false,
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
    fn container_name_is_sanitized_for_builders_and_stays_unique() {
        assert_eq!(sanitize("web-1_a.B"), "web-1_a.B");
        let sanitized = sanitize("web/1");
        assert!(sanitized.starts_with("web-1-"), "{sanitized}");
        assert!(sanitize("тест").is_ascii());
        assert_ne!(sanitize("тест"), sanitize("пуск"));
    }
}
