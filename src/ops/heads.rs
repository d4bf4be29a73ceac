//! The commits that git repositories point to: each repository is asked once, however many tasks are built from it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::Result,
    store::{
        secrets::Secrets,
        sources::{SeenCommit, SilentSource, SourceAnswers},
    },
    task::GitContext,
    watch::{Head, Snapshot, Tags},
};

use super::{App, EventSink, recall};

/// How long an answer is valid in the loop.
const FRESH: SignedDuration = SignedDuration::from_secs(59);

/// How often that time is doubled at most for a repository that does not answer; more than any configured limit needs.
const MOST_DOUBLINGS: u32 = 16;

/// The answers of repositories, kept between the rounds of a loop.
#[derive(Debug, Default)]
pub struct Heads {
    said: HashMap<GitContext, HeadAnswer>,
    /// The repositories that did not answer when they were last asked.
    silent: BTreeMap<GitContext, SilentSource>,
    /// The commits of repositories when they last answered.
    seen: BTreeMap<GitContext, SeenCommit>,
    is_recalled: bool,
    is_saved: bool,
}

#[derive(Clone, Debug)]
struct HeadAnswer {
    asked: Timestamp,
    answered: Timestamp,
    head: Head,
}

impl HeadAnswer {
    fn at(asked: Timestamp, head: Head) -> Self {
        Self {
            asked,
            answered: asked,
            head,
        }
    }
}

impl Heads {
    /// Forgets the answer of the repository with one of these URLs, so that the next round asks it.
    pub fn forget(&mut self, urls: &[String]) {
        let places: Vec<String> = urls.iter().map(|url| place(url)).collect();
        self.said
            .retain(|git, _| !places.contains(&place(&git.url)));
    }

    /// Forgets all answers; the repositories that do not answer keep their pauses.
    pub fn forget_all(&mut self) {
        self.said
            .retain(|_, said| matches!(said.head, Head::Unknown { .. }));
    }

    /// Reads what repositories have answered an earlier process, at the first call.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be read at the moment.
    pub fn recall(&mut self, app: &App, events: &EventSink<'_>) -> Result<()> {
        if self.is_recalled {
            return Ok(());
        }
        let answers = recall::source_answers(app, events)?;
        for seen in answers.seen {
            let said = HeadAnswer::at(seen.asked, Head::At(seen.commit.clone()));
            self.said.insert(seen.git.clone(), said);
            self.seen.insert(seen.git.clone(), seen);
        }
        for silent in answers.silent {
            let head = Head::Unknown {
                why: silent.why.clone(),
                hint: silent.hint.clone(),
            };
            let said = HeadAnswer::at(silent.asked, head);
            self.said.insert(silent.git.clone(), said);
            self.silent.insert(silent.git.clone(), silent);
        }
        (self.is_recalled, self.is_saved) = (true, true);
        Ok(())
    }

    /// Stores what repositories have answered for a later process, if that has changed.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where the state directory cannot be written.
    pub fn save(&mut self, app: &App) -> Result<()> {
        if !self.is_saved {
            app.store.save_source_answers(SourceAnswers {
                silent: self.silent.values().cloned().collect(),
                seen: self.seen.values().cloned().collect(),
            })?;
        }
        self.is_saved = true;
        Ok(())
    }

    /// Keeps the answer of a repository, and when it was asked.
    pub fn keep(&mut self, git: &GitContext, head: &Head, asked: Timestamp, now: Timestamp) {
        let said = HeadAnswer {
            asked,
            answered: now,
            head: head.clone(),
        };
        self.said.insert(git.clone(), said);
        let before = self.silent.remove(git);
        self.is_saved &= before.is_none();
        let git = git.clone();
        match head {
            Head::Unknown { why, hint } => {
                let misses = before.map_or(0, |silent| silent.misses);
                let silent = SilentSource {
                    git: git.clone(),
                    misses: misses.saturating_add(1),
                    asked,
                    why: why.clone(),
                    hint: hint.clone(),
                };
                self.silent.insert(git, silent);
                self.is_saved = false;
            }
            Head::At(commit) => {
                // An unchanged answer is not written again and again.
                let known = self.seen.get(&git);
                if known.is_none_or(|seen| seen.commit != *commit) {
                    let commit = commit.clone();
                    let seen = SeenCommit {
                        git: git.clone(),
                        commit,
                        asked,
                    };
                    self.seen.insert(git, seen);
                    self.is_saved = false;
                }
            }
        }
    }

    /// Returns how long an answer of a repository is valid: a minute, and twice as long after each further failure in a row, up to the
    /// longest pause between two looks at a tag.
    fn good_for(&self, git: &GitContext, longest: Duration) -> SignedDuration {
        let misses = self.silent.get(git).map_or(0, |silent| silent.misses);
        let doublings = misses.saturating_sub(1).min(MOST_DOUBLINGS);
        let longest = SignedDuration::try_from(longest).unwrap_or(FRESH);
        FRESH.saturating_mul(1 << doublings).min(longest.max(FRESH))
    }

    /// Returns the answers that are still valid.
    pub fn said(&self) -> BTreeMap<GitContext, Head> {
        let heads = self.said.iter();
        heads
            .map(|(git, said)| (git.clone(), said.head.clone()))
            .collect()
    }

    /// Returns the repositories to ask now, with the secrets for each: those that tasks depend on and that have no valid answer, or all of
    /// them with `all`. Repositories that do not answer are asked less and less often.
    pub fn open(
        &mut self,
        app: &App,
        nodes: &[&Snapshot],
        all: bool,
    ) -> BTreeMap<GitContext, Secrets> {
        let now = app.clock.now();
        let mut wanted = wanted(app, nodes);
        let outdated = self.outdated(nodes, now);
        let longest = app.settings.config.watch.longest_pause();
        let mut said = std::mem::take(&mut self.said);
        said.retain(|git, said| {
            let age = now.duration_since(said.answered);
            let is_fresh = age < self.good_for(git, longest) && !age.is_negative();
            !all && wanted.contains_key(git) && is_fresh && !outdated.contains(git)
        });
        self.said = said;
        let known = self.silent.len() + self.seen.len();
        self.silent.retain(|git, _| wanted.contains_key(git));
        self.seen.retain(|git, _| wanted.contains_key(git));
        self.is_saved &= known == self.silent.len() + self.seen.len();
        wanted.retain(|git, _| !self.said.contains_key(git));
        wanted
    }

    /// Returns the repositories of which a run has seen a newer commit since they were asked.
    fn outdated(&self, nodes: &[&Snapshot], now: Timestamp) -> BTreeSet<GitContext> {
        let outdated = nodes.iter().filter_map(|node| {
            let git = node.source()?;
            let HeadAnswer { asked, head, .. } = self.said.get(git)?;
            let recorded = node.baseline.recorded.filter(|time| *time <= now)?;
            let is_same =
                matches!(head, Head::At(commit) if node.baseline.commit.as_ref() == Some(commit));
            (recorded > *asked && !is_same).then(|| git.clone())
        });
        outdated.collect()
    }
}

/// Returns what repositories last answered, as far as that is stored; without the answers that are older than a run which has seen another
/// commit. Asks none.
pub fn last_known(app: &App, nodes: &[&Snapshot]) -> BTreeMap<GitContext, Head> {
    let mut heads = Heads::default();
    if nodes.iter().all(|node| node.source().is_none())
        || heads.recall(app, &EventSink::none()).is_err()
    {
        return BTreeMap::new();
    }
    let outdated = heads.outdated(nodes, app.clock.now());
    heads.said.retain(|git, _| !outdated.contains(git));
    heads.said()
}

/// Stores what repositories have answered to the questions of this moment, for commands that ask none. A failure is reported, and does not
/// invalidate the answers.
pub fn keep_answers(
    app: &App,
    nodes: &[&Snapshot],
    tags: &Tags,
    asked: Timestamp,
    events: &EventSink<'_>,
) {
    let sources: BTreeSet<&GitContext> = nodes.iter().filter_map(|node| node.source()).collect();
    let mut heads = Heads::default();
    let kept = heads.recall(app, events).and_then(|()| {
        for git in sources {
            if let Some(head) = tags.head(git) {
                heads.keep(git, head, asked, app.clock.now());
            }
        }
        heads.save(app)
    });
    if let Err(error) = kept {
        recall::report_unkept("cannot store the commits that were found", &error, events);
    }
}

/// Returns the repositories whose commits trigger tasks, with the secrets for each.
fn wanted(app: &App, nodes: &[&Snapshot]) -> BTreeMap<GitContext, Secrets> {
    let mut wanted: BTreeMap<GitContext, Secrets> = BTreeMap::new();
    for node in nodes {
        let Some(git) = node.source() else { continue };
        let secrets = app.store.secrets(&node.task.key()).unwrap_or_default();
        let known = wanted.entry(git.clone()).or_default();
        // If two tasks use the same repository, take the token of the one that has one.
        if known.git_access_token.is_none() {
            known.git_access_token = secrets.git_access_token;
        }
    }
    wanted
}

/// Returns the server in a repository's URL; empty for a local one.
pub fn server(url: &str) -> String {
    let place = place(url);
    place
        .split_once('/')
        .map_or(String::new(), |(host, _)| host.to_owned())
}

/// Returns a name for a repository that is the same for all its URLs: `example.com/team/web` for `https://me@example.com/Team/web.git`.
///
/// Repositories that differ only in upper and lower case count as one: at worst that costs an extra request, and the well-known hosts do the
/// same.
pub fn place(url: &str) -> String {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        // git@example.com:team/web.git
        None => url.replacen(':', "/", 1),
    };
    let (host, path) = rest.split_once('/').unwrap_or((&rest, ""));
    let host = host.rsplit('@').next().unwrap_or(host);
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("{host}/{path}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::GlobalOptions,
        sys::clock::Clock,
        task::RunId,
        watch::{Baseline, Built, Snapshot},
    };

    #[test]
    fn git_repository_is_the_same_for_every_url_form() {
        for url in [
            "https://example.com/team/web.git",
            "https://example.com/team/web",
            "https://me@example.com/Team/Web.git/",
            "ssh://git@example.com/team/web.git",
            "git@example.com:team/web.git",
        ] {
            assert_eq!(place(url), "example.com/team/web", "{url}");
        }
        assert_ne!(
            place("https://example.com/team/web2"),
            "example.com/team/web"
        );
        assert_ne!(
            place("https://example.org/team/web"),
            "example.com/team/web"
        );
    }

    #[test]
    fn commit_older_than_that_of_a_run_is_looked_up_again() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let web = "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: 'https://example.com/a.git#main', dockerFilePath: D}, trigger: {sourceTriggers: [{name: s, sourceTriggerEvents: [commit]}]}}";
        let mut baseline = Baseline::succeeded(RunId::new(1), Built::default(), at(20));
        baseline.commit = Some("2".into());
        let snapshot = Snapshot::new(serde_yaml::from_str(web).unwrap(), baseline, Clone::clone);
        let git = snapshot.source().unwrap().clone();
        let mut heads = Heads::default();
        for (commit, asked, outdated) in [("1", 10, 1), ("2", 10, 0), ("3", 30, 0)] {
            heads.keep(&git, &Head::At(commit.into()), at(asked), at(39));
            assert_eq!(heads.outdated(&[&snapshot], at(40)).len(), outdated);
        }
    }

    #[test]
    fn commit_lookup_is_repeated_for_the_named_repository_only() {
        let git = |url: &str| GitContext {
            url: url.into(),
            reference: None,
            folder: Some("sub".into()),
        };
        let (now, head) = (Timestamp::UNIX_EPOCH, Head::At("1".into()));
        let all = ["https://example.com/a.git", "https://example.com/b.git"];
        let mut heads = Heads::default();
        for url in all {
            heads.keep(&git(url), &head, now, now);
        }
        heads.forget(&[
            "git@example.com:c.git".into(),
            "git@example.com:a.git".into(),
        ]);
        assert_eq!(heads.said.keys().collect::<Vec<_>>(), [&git(all[1])]);
    }

    #[test]
    fn unreachable_git_repository_is_retried_with_backoff_across_processes() {
        let folder = tempfile::tempdir().unwrap();
        let mut app = App::new(GlobalOptions {
            state_dir: Some(folder.path().to_owned()),
            ..GlobalOptions::default()
        })
        .unwrap();
        let web = "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: 'https://example.com/a.git#main', dockerFilePath: D}, trigger: {sourceTriggers: [{name: s, sourceTriggerEvents: [commit]}]}}";
        let web = serde_yaml::from_str(web).unwrap();
        let snapshot = Snapshot::new(web, Baseline::default(), Clone::clone);
        let nodes = [&snapshot];
        let git = nodes[0].source().unwrap().clone();
        let dead = Head::Unknown {
            why: "no answer".into(),
            hint: None,
        };
        let mut heads = Heads::default();
        let mut asked = Vec::new();
        for minute in 0..=600 {
            app.clock = Clock::new(Some(&(minute * 60).to_string())).unwrap();
            let now = app.clock.now();
            // In the second half of the test, each round is in a new process.
            if minute > 300 {
                heads = Heads::default();
            }
            heads.recall(&app, &EventSink::none()).unwrap();
            assert!(heads.said().contains_key(&git) || minute == 0);
            if !heads.open(&app, &nodes, false).is_empty() {
                asked.push(minute);
                heads.keep(&git, &dead, now, now);
            }
            heads.save(&app).unwrap();
        }
        assert_eq!(
            asked,
            [
                0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543
            ]
        );
        // A repository named by a webhook is asked at once, and one that answers is asked every minute again.
        heads.forget(&["https://example.com/a.git".into()]);
        assert_eq!(heads.open(&app, &nodes, false).len(), 1);
        let now = app.clock.now();
        heads.keep(&git, &Head::At("1".into()), now, now);
        heads.save(&app).unwrap();
        let stored = app.store.source_answers(now).unwrap().value;
        assert!(stored.silent.is_empty(), "{stored:?}");
        assert_eq!(
            last_known(&app, &nodes),
            [(git, Head::At("1".into()))].into()
        );
        app.clock = Clock::new(Some(&(601 * 60).to_string())).unwrap();
        assert_eq!(heads.open(&app, &nodes, false).len(), 1);
    }
}
