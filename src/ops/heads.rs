//! Which commits git repositories have said that they have: each is asked once, however many tasks are built from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::{
    store::secrets::Secrets,
    task::GitContext,
    watch::{Head, Node},
};

use super::App;

/// How long an answer is good for in the loop.
const FRESH: SignedDuration = SignedDuration::from_secs(59);

/// What repositories have said, for the next round of a loop.
#[derive(Debug, Default)]
pub struct Heads(HashMap<GitContext, Said>);

/// What a repository has said.
#[derive(Clone, Debug)]
struct Said {
    asked: Timestamp,
    answered: Timestamp,
    head: Head,
}

impl Heads {
    /// Forgets what was said by the repository that has one of these URLs, so that the next round asks it.
    pub fn forget(&mut self, urls: &[String]) {
        let places: Vec<String> = urls.iter().map(|url| place(url)).collect();
        self.0.retain(|git, _| !places.contains(&place(&git.url)));
    }

    /// Keeps what a repository said, and when it was asked.
    pub fn keep(&mut self, git: &GitContext, head: &Head, asked: Timestamp, now: Timestamp) {
        let said = Said {
            asked,
            answered: now,
            head: head.clone(),
        };
        self.0.insert(git.clone(), said);
    }

    /// Returns what was said within the last minute.
    #[must_use]
    pub fn said(&self) -> BTreeMap<GitContext, Head> {
        let heads = self.0.iter();
        heads
            .map(|(git, said)| (git.clone(), said.head.clone()))
            .collect()
    }

    /// Returns the repositories that are to be asked for their commits, with what opens each: those that tasks wait for and that have not
    /// answered within the last minute, unless `all` are to be asked now.
    #[must_use]
    pub fn open(
        &mut self,
        app: &App,
        nodes: &[Node<'_>],
        all: bool,
    ) -> BTreeMap<GitContext, Secrets> {
        let now = app.clock.now();
        let mut wanted = wanted(app, nodes);
        let outdated = self.outdated(nodes, now);
        self.0.retain(|git, said| {
            let age = now.duration_since(said.answered);
            let is_fresh = age < FRESH && !age.is_negative() && !outdated.contains(git);
            !all && wanted.contains_key(git) && is_fresh
        });
        wanted.retain(|git, _| !self.0.contains_key(git));
        wanted
    }
}

impl Heads {
    /// Returns the repositories of which a run has seen another commit since they were asked.
    fn outdated(&self, nodes: &[Node<'_>], now: Timestamp) -> BTreeSet<GitContext> {
        let outdated = nodes.iter().filter_map(|node| {
            let git = node.source()?;
            let Said { asked, head, .. } = self.0.get(git)?;
            let recorded = node.baseline.recorded.filter(|time| *time <= now)?;
            let is_same =
                matches!(head, Head::At(commit) if node.baseline.commit.as_ref() == Some(commit));
            (recorded > *asked && !is_same).then(|| git.clone())
        });
        outdated.collect()
    }
}

/// Returns the repositories whose commits run tasks, with what opens each.
fn wanted(app: &App, nodes: &[Node<'_>]) -> BTreeMap<GitContext, Secrets> {
    let mut wanted: BTreeMap<GitContext, Secrets> = BTreeMap::new();
    for node in nodes {
        let Some(git) = node.source() else { continue };
        let secrets = app.store.secrets(&node.task.key()).unwrap_or_default();
        let known = wanted.entry(git.clone()).or_default();
        // Of two tasks with one repository, the one that can open it asks.
        if known.git_access_token.is_none() {
            known.git_access_token = secrets.git_access_token;
        }
    }
    wanted
}

/// Returns the server of a repository; nothing for a file.
#[must_use]
pub fn server(url: &str) -> String {
    let place = place(url);
    place
        .split_once('/')
        .map_or(String::new(), |(host, _)| host.to_owned())
}

/// Returns where a repository is, however it is reached: as `example.com/team/web` for `https://me@example.com/Team/web.git`.
///
/// Two repositories that differ in no more than letters' case are taken for one: that costs a question, and the hosts that matter do the same.
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
        task::RunId,
        watch::{Baseline, Built, Snapshot},
    };

    #[test]
    fn a_repository_is_the_same_however_it_is_reached() {
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
    fn commit_that_a_run_has_overtaken_is_asked_for_again() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let web = "{schema: 1, name: web, registry: r.io, step: {type: Docker, contextPath: 'https://example.com/a.git#main', dockerFilePath: D}, trigger: {sourceTriggers: [{name: s, sourceTriggerEvents: [commit]}]}}";
        let mut baseline = Baseline::succeeded(RunId::new(1), Built::default(), at(20));
        baseline.commit = Some("2".into());
        let snapshot = Snapshot::new(serde_yaml::from_str(web).unwrap(), baseline, Clone::clone);
        let git = snapshot.node().source().unwrap().clone();
        let mut heads = Heads::default();
        for (commit, asked, outdated) in [("1", 10, 1), ("2", 10, 0), ("3", 30, 0)] {
            heads.keep(&git, &Head::At(commit.into()), at(asked), at(39));
            assert_eq!(heads.outdated(&[snapshot.node()], at(40)).len(), outdated);
        }
    }

    #[test]
    fn only_the_repository_that_is_named_is_asked_again() {
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
        assert_eq!(heads.0.keys().collect::<Vec<_>>(), [&git(all[1])]);
    }
}
