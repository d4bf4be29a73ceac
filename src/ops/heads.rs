//! Asks git repositories which commits they have: each once, however many tasks are built from it.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{
    store::secrets::Secrets,
    sys::signal::Stop,
    task::GitContext,
    watch::{Head, Node},
};

use super::{App, fetch};

/// How many repositories are asked at once.
const AT_ONCE: usize = 8;

/// How long an answer is good for in the loop.
const FRESH: SignedDuration = SignedDuration::from_secs(59);

/// What repositories have said, for the next round of a loop.
#[derive(Debug, Default)]
pub struct Heads(HashMap<GitContext, (Timestamp, Head)>);

impl Heads {
    /// Returns the commits that tasks wait for: as they were said within the last minute, unless `all` are to be asked now.
    pub async fn of(
        &mut self,
        app: &App,
        nodes: &[Node<'_>],
        all: bool,
        stop: &Stop,
    ) -> BTreeMap<GitContext, Head> {
        let now = app.clock.now();
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
        self.0.retain(|git, (asked, _)| {
            let age = now.duration_since(*asked);
            !all && wanted.contains_key(git) && age < FRESH && !age.is_negative()
        });
        // The folder does not matter to the question.
        let mut open: BTreeMap<GitContext, &Secrets> = BTreeMap::new();
        for (git, secrets) in wanted.iter().filter(|(git, _)| !self.0.contains_key(git)) {
            open.insert(whole(git), secrets);
        }
        let said: HashMap<GitContext, Head> = stream::iter(open)
            .map(async |(git, secrets)| {
                let head = match fetch::head(&git, secrets, stop).await {
                    Ok(commit) => Head::At(commit),
                    Err(error) => Head::Unknown {
                        hint: error.advice().map(str::to_owned),
                        why: error.one_line(),
                    },
                };
                (git, head)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for git in wanted.keys() {
            if let Some(head) = said.get(&whole(git)) {
                self.0.insert(git.clone(), (now, head.clone()));
            }
        }
        let heads = self.0.iter();
        heads
            .map(|(git, (_, head))| (git.clone(), head.clone()))
            .collect()
    }
}

fn whole(git: &GitContext) -> GitContext {
    GitContext {
        folder: None,
        ..git.clone()
    }
}
