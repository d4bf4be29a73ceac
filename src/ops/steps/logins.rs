//! The logins that the containers of a run find: in docker's file of them, in their home, as in ACR.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    image::Reference,
    ops::{
        event::{Event, EventSink},
        execute::Execution,
        trust::Trust,
    },
    steps::{Action, Graph},
    store::{file, log::Log},
};

use super::{read::MultiStep, workspace::Workspace};

impl Execution<'_> {
    /// Writes the logins to the registries that the task uses or names where `cmd` steps find them. They go with the workspace.
    ///
    /// A guest's file gets none: it could take them elsewhere.
    pub(super) async fn hand_logins_over(
        &self,
        workspace: &Workspace,
        read: &MultiStep,
        log: &mut Log,
        events: &EventSink<'_>,
    ) -> Result<()> {
        let has_containers = |step: &crate::steps::Step| matches!(step.action, Action::Cmd(_));
        if !read.graph.steps().iter().any(has_containers) {
            return Ok(());
        }
        let registries = self.app.registries();
        let mut logins = Vec::new();
        let mut say = |text: String| {
            let line = log.line(&format!("acrt: {text}"));
            events.send(Event::Log(&line));
        };
        for (registry, repository) in self.registries_of(&read.graph) {
            match registries.login(&registry, &repository).await {
                Ok(Some(login)) => logins.push(login),
                Ok(None) => {}
                Err(problem) => say(format!("steps have no login for `{registry}`: {problem}")),
            }
        }
        // Of several repositories on one registry, the first that has a login.
        let mut seen = BTreeSet::new();
        logins.retain(|login| seen.insert(login.registry.clone()));
        if logins.is_empty() {
            return Ok(());
        }
        if read.trust == Trust::Guest {
            say(
                "steps get no logins: the context is a guest's, and --trust-context is not given"
                    .into(),
            );
            return Ok(());
        }
        let hidden = crate::registry::hidden_in_auth_file(&logins);
        log.hide(&hidden);
        let text = crate::registry::auth_file_of(&logins);
        let path = workspace.home().join(".docker/config.json");
        file::replace(&path, text.reveal().as_bytes())
    }

    /// Returns the registries that a task uses or names, each with a repository on it; the task's own first.
    fn registries_of(&self, graph: &Graph) -> Vec<(String, String)> {
        let mut all = vec![(self.task.registry.clone(), String::new())];
        let named = self.secrets.credentials.keys();
        all.extend(named.map(|server| (server.clone(), String::new())));
        let images = graph.steps().iter().flat_map(|step| match &step.action {
            Action::Cmd(cmd) => vec![cmd.image.clone()],
            Action::Build(build) => build.images.clone(),
            Action::Push(pushed) => pushed.iter().map(|one| one.image.clone()).collect(),
        });
        let place = |image: Reference| (image.registry().to_owned(), image.repository().to_owned());
        all.extend(images.map(place));
        all.dedup();
        all
    }
}
