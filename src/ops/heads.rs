//! Which commits git repositories have said that they have: each is asked once, however many tasks are built from it.

use std::collections::{BTreeMap, HashMap};

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
pub struct Heads(HashMap<GitContext, (Timestamp, Head)>);

impl Heads {
    /// Forgets what was said by the repository that has one of these URLs, so that the next round asks it.
    pub fn forget(&mut self, urls: &[String]) {
        let places: Vec<String> = urls.iter().map(|url| place(url)).collect();
        self.0.retain(|git, _| !places.contains(&place(&git.url)));
    }

    /// Keeps what a repository said.
    pub fn keep(&mut self, git: &GitContext, head: &Head, now: Timestamp) {
        self.0.insert(git.clone(), (now, head.clone()));
    }

    /// Returns what was said within the last minute.
    #[must_use]
    pub fn said(&self) -> BTreeMap<GitContext, Head> {
        let heads = self.0.iter();
        heads
            .map(|(git, (_, head))| (git.clone(), head.clone()))
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
        self.0.retain(|git, (asked, _)| {
            let age = now.duration_since(*asked);
            !all && wanted.contains_key(git) && age < FRESH && !age.is_negative()
        });
        wanted.retain(|git, _| !self.0.contains_key(git));
        wanted
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

/// Returns where a repository is, however it is reached: as `example.com/team/web` for `https://me@example.com/Team/web.git`.
///
/// Two repositories that differ in no more than letters' case are taken for one: that costs a question, and the hosts that matter do the same.
fn place(url: &str) -> String {
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
    fn only_the_repository_that_is_named_is_asked_again() {
        let git = |url: &str| GitContext {
            url: url.into(),
            reference: None,
            folder: Some("sub".into()),
        };
        let said = |url| (git(url), (Timestamp::UNIX_EPOCH, Head::At("1".into())));
        let all = ["https://example.com/a.git", "https://example.com/b.git"];
        let mut heads = Heads(all.map(said).into_iter().collect());
        heads.forget(&[
            "git@example.com:c.git".into(),
            "git@example.com:a.git".into(),
        ]);
        assert_eq!(heads.0.keys().collect::<Vec<_>>(), [&git(all[1])]);
    }
}
