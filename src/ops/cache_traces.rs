//! Records what runs leave in BuildKit's cache, and removes the records that a later run has superseded.
//!
//! A cache record belongs to a run if it was not there before the build, and is a layer of a base of that build, or is built on such a layer
//! or on no base at all. BuildKit itself keeps whatever a build, an image or another record still uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    builder::CacheRecord,
    image::{Digest, Reference},
    store::made::MadeRecord,
    sys::{builders::Clean, process, signal::Stop},
    task::{Run, RunId},
};

use super::{App, clean, execution::Execution, run_builders::PlacedBuilder, run_log::RunLog};

/// What the builds of one run leave in the cache of their builder.
pub(super) struct CacheTraces<'a> {
    app: &'a App,
    on: &'a PlacedBuilder,
    policy: Clean,
    task: String,
    run: RunId,
    stop: &'a Stop,
}

impl<'a> CacheTraces<'a> {
    /// Begins to record what a run leaves; `None` where nothing is cleaned up after it, or the builder is not BuildKit.
    pub fn of(
        execution: &'a Execution<'_>,
        on: &'a PlacedBuilder,
        run: &Run,
        stop: &'a Stop,
    ) -> Option<Self> {
        let (app, task) = (execution.app, &execution.task);
        let policy = clean::policy(app, &on.name, task, run)?;
        on.builder.list_cache()?;
        Some(Self {
            app,
            on,
            policy,
            task: task.key().full(),
            run: run.run_id,
            stop,
        })
    }

    /// Records what a build of `step` has left, whether it succeeded or not. `before` are the cache records that were there before the build,
    /// `pulled` are its bases. The builder may take as long as `limit` to list its cache.
    async fn note(
        &self,
        step: &str,
        before: &BTreeMap<String, CacheRecord>,
        pulled: impl Iterator<Item = &Reference>,
        limit: Duration,
    ) {
        let Some(records) = self.records(limit).await else {
            return;
        };
        let bases: BTreeSet<Digest> = pulled.filter_map(|it| it.digest().cloned()).collect();
        let noted = self.app.store.change_made(&self.on.name, |made| {
            made.cache.retain(|id, _| records.contains_key(id));
            for id in records.keys().filter(|id| !before.contains_key(*id)) {
                let Some(bases) = bases_of(id, &records, &bases) else {
                    continue;
                };
                let record = made.cache.entry(id.clone()).or_insert_with(|| MadeRecord {
                    task: self.task.clone(),
                    step: step.to_owned(),
                    run: self.run,
                    bases: BTreeSet::new(),
                });
                record.bases.extend(bases);
            }
        });
        // A record that cannot be stored stays in the cache, and BuildKit prunes it by its own rules.
        noted.ok();
    }

    /// Removes the cache records that nothing needs any more, after the run has succeeded.
    pub async fn clean(&self, run: &Run, log: &RunLog<'_>) {
        let noted = self.app.store.made_on(&self.on.name).cache;
        let is_own = |one: &MadeRecord| one.task == self.task;
        // A run that has left nothing has superseded nothing.
        if !noted.values().any(|one| is_own(one) && one.run == self.run) {
            return;
        }
        let Some(records) = self.records(clean::REMOVAL).await else {
            return;
        };
        let gone: Vec<String> = if self.policy == Clean::All {
            let own = noted.iter().filter(|(_, one)| is_own(one));
            own.map(|(id, _)| id.clone()).collect()
        } else {
            let left = self.left(&noted, run);
            superseded(&noted, &records, &self.task, self.run, &left)
        };
        for line in self.on.builder.remove_cache(&gone) {
            match clean::converse(&line).await {
                Ok(printed) => {
                    let freed = process::last_line(&printed).unwrap_or_default();
                    let freed = freed.trim_start_matches("Total:").trim();
                    if !freed.starts_with("0") {
                        log.say(&format!(
                            "removed from {}: superseded cache, {freed}",
                            self.on.name
                        ));
                    }
                }
                Err(why) => log.say(&format!(
                    "cannot remove superseded cache from {}: {why}",
                    self.on.name
                )),
            }
        }
    }

    /// Returns the bases that the task was built on before and that no task is built on now.
    fn left(&self, noted: &BTreeMap<String, MadeRecord>, run: &Run) -> BTreeSet<Digest> {
        let own = noted.values().filter(|one| one.task == self.task);
        let mut left: BTreeSet<Digest> = own.flat_map(|one| one.bases.clone()).collect();
        for current in run.base_image_dependencies.iter().flatten() {
            if let Some(digest) = &current.image.digest {
                left.remove(digest);
            }
        }
        if left.is_empty() {
            return left;
        }
        match clean::named_by_tasks(self.app) {
            Some(named) => left.into_iter().filter(|it| !named.contains(it)).collect(),
            None => BTreeSet::new(),
        }
    }

    async fn records(&self, limit: Duration) -> Option<BTreeMap<String, CacheRecord>> {
        let list = self.on.builder.list_cache()?;
        let printed = tokio::select! {
            reply = process::ask_for(limit, &list) => clean::output(reply).ok()?,
            _ = self.stop.wait() => return None,
        };
        let all = CacheRecord::parse_all(&String::from_utf8_lossy(&printed));
        let all = all.into_iter().filter(CacheRecord::is_of_a_build);
        Some(all.map(|one| (one.id.clone(), one)).collect())
    }
}

/// Runs a build on the bases `pulled`, and records what it leaves in the builder's cache, if that is wanted. `step` tells the builds of one
/// run apart.
pub(super) async fn noted<T, E>(
    traces: Option<CacheTraces<'_>>,
    step: &str,
    pulled: impl Iterator<Item = &Reference>,
    build: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(traces) = traces else {
        return build.await;
    };
    // Listing a large cache on a busy machine can take longer than other questions to a builder may.
    let before = traces.records(clean::REMOVAL).await;
    let built = build.await;
    if let Some(before) = before {
        // After a failure the builder may hang.
        let limit = match &built {
            Ok(_) => clean::REMOVAL,
            Err(_) => process::QUESTION,
        };
        traces.note(step, &before, pulled, limit).await;
    }
    built
}

/// Returns the bases of a build that a cache record is built on; `None` where the record seems to belong to another build.
fn bases_of(
    id: &str,
    records: &BTreeMap<String, CacheRecord>,
    bases: &BTreeSet<Digest>,
) -> Option<BTreeSet<Digest>> {
    let (mut below, mut seen) = (vec![id], BTreeSet::new());
    let mut pulled = BTreeSet::new();
    while let Some(record) = below.pop().and_then(|id| records.get(id)) {
        pulled.extend(record.base());
        below.extend(
            record
                .parents
                .iter()
                .map(String::as_str)
                .filter(|id| seen.insert(*id)),
        );
    }
    let own: BTreeSet<Digest> = pulled.intersection(bases).cloned().collect();
    (!own.is_empty() || pulled.is_empty()).then_some(own)
}

/// Returns the cache records of runs that nothing needs any more: layers of the bases in `left` and what is built on them, and what an
/// earlier run of the task made for a step that this run has made anew, with what is built on that.
fn superseded(
    noted: &BTreeMap<String, MadeRecord>,
    records: &BTreeMap<String, CacheRecord>,
    task: &str,
    run: RunId,
    left: &BTreeSet<Digest>,
) -> Vec<String> {
    let here: Vec<(&String, &MadeRecord, &CacheRecord)> = noted
        .iter()
        .filter_map(|(id, made)| Some((id, made, records.get(id)?)))
        .collect();
    let fresh: BTreeSet<(&str, &str, &[String])> = here
        .iter()
        .filter(|(_, made, _)| made.task == task && made.run == run)
        .map(|(_, made, record)| (&*made.step, &*record.what, &*record.parents))
        .collect();
    let mut gone = BTreeSet::new();
    loop {
        let before = gone.len();
        for (id, made, record) in &here {
            let is_left = !made.bases.is_empty() && made.bases.is_subset(left);
            let is_earlier = made.task == task && made.run < run;
            let step = (&*made.step, &*record.what, &*record.parents);
            let is_on_gone = || {
                let mut parents = record.parents.iter();
                let is_same = |id: &String| noted.get(id).is_some_and(|it| it.step == made.step);
                parents.any(|id| gone.contains(id) && is_same(id))
            };
            if is_left || (is_earlier && (fresh.contains(&step) || is_on_gone())) {
                gone.insert((*id).clone());
            }
        }
        if gone.len() == before {
            return gone.into_iter().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(all: &[(&str, &str, &str)]) -> BTreeMap<String, CacheRecord> {
        let text: String = all
            .iter()
            .map(|(id, parents, what)| {
                format!("ID: {id}\nParents: {parents}\nDescription: {what}\n\n")
            })
            .collect();
        let all = CacheRecord::parse_all(&text).into_iter();
        all.map(|one| (one.id.clone(), one)).collect()
    }

    fn noted(all: &[(&str, &str, u64, &[&Digest])]) -> BTreeMap<String, MadeRecord> {
        let one = |(id, task, run, bases): &(&str, &str, u64, &[&Digest])| {
            let made = MadeRecord {
                task: (*task).to_owned(),
                step: String::new(),
                run: RunId::new(*run),
                bases: bases.iter().map(|it| (*it).clone()).collect(),
            };
            ((*id).to_owned(), made)
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn cache_record_belongs_to_the_build_on_its_base_or_on_none() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let (of_old, of_new) = (
            format!("pulled from r/b@{old}"),
            format!("pulled from r/b@{new}"),
        );
        // The two bases share a layer, which the old one has brought.
        let all = records(&[
            ("common", "", &of_old),
            ("own", "common", &of_new),
            ("step", "own", "[2/2] COPY a /"),
            ("others", "common", "[2/2] COPY b /"),
            ("context", "", "local source for context"),
        ]);
        let build = BTreeSet::from([new.clone()]);
        let of = |id| bases_of(id, &all, &build);
        assert_eq!(of("step"), Some(build.clone()));
        assert_eq!(of("own"), Some(build.clone()));
        assert_eq!((of("others"), of("common")), (None, None));
        assert_eq!(of("context"), Some(BTreeSet::new()));
    }

    #[test]
    fn superseded_cache_records_are_those_of_old_bases_and_of_repeated_steps() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let (copy, run) = ("[2/3] COPY a /", "mount / from exec make");
        let all = records(&[
            ("base1", "", "pulled from r/b@x"),
            ("copy1", "base1", copy),
            ("other1", "base1", copy),
            ("base2", "", "pulled from r/b@y"),
            ("go", "base2", "[build 2/3] COPY go /"),
            ("copy2", "base2", copy),
            ("run2", "copy2", run),
            ("heir", "copy2", "[2/2] COPY heir /"),
            ("copy3", "base2", copy),
            ("run3", "copy3", run),
        ]);
        let web = noted(&[
            ("base1", "web", 1, &[&old]),
            ("copy1", "web", 1, &[&old]),
            ("other1", "api", 1, &[&old]),
            ("base2", "web", 2, &[&new]),
            ("go", "web", 2, &[&new]),
            ("copy2", "web", 2, &[&new]),
            ("run2", "web", 2, &[&new]),
            ("heir", "api", 2, &[&new]),
            ("copy3", "web", 3, &[&new]),
            ("run3", "web", 3, &[&new]),
            ("nowhere", "web", 1, &[&old]),
        ]);
        let gone = |left: &[&Digest]| {
            let left = left.iter().map(|it| (*it).clone()).collect();
            superseded(&web, &all, "web", RunId::new(3), &left)
        };
        assert_eq!(gone(&[]), ["copy2", "run2"]);
        assert_eq!(gone(&[&old]), ["base1", "copy1", "copy2", "other1", "run2"]);
    }
}
