//! The logins for the containers of a run: a docker config file in their home folder, as in ACR.

use std::collections::BTreeSet;

use crate::{
    error::Result,
    image::Reference,
    ops::{execution::Execution, run_log::RunLog, trust::Trust},
    steps::{Action, Graph},
};

use super::{read::MultiStep, workspace::Workspace};

/// The maximum number of repositories to get logins for: each may take a credential helper a moment.
const MOST: usize = 100;

/// Writes the logins for the registries that the task uses or names where `cmd` steps find them. They are removed with the workspace.
///
/// A guest's file gets none, because it could send them elsewhere.
pub(super) async fn hand_over(
    execution: &Execution<'_>,
    workspace: &Workspace,
    read: &MultiStep,
    log: &RunLog<'_>,
) -> Result<()> {
    if read.graph.cmds().next().is_none() {
        return Ok(());
    }
    let registries = execution.app.registries();
    let mut logins = Vec::new();
    for (registry, repository) in registries_of(execution, &read.graph) {
        match registries.login(&registry, &repository).await {
            Ok(Some(login)) => logins.push(login),
            Ok(None) => {}
            Err(problem) => log.say(&format!("steps have no login for `{registry}`: {problem}")),
        }
    }
    // If several repositories of a registry have logins, the first counts.
    let mut seen = BTreeSet::new();
    logins.retain(|login| seen.insert(login.registry.clone()));
    if logins.is_empty() {
        return Ok(());
    }
    if read.trust == Trust::Guest {
        log.say("steps get no logins: the context is a guest's, and --trust-context is not given");
        return Ok(());
    }
    let hidden = crate::registry::hidden_in_auth_file(&logins);
    log.hide(&hidden);
    let text = crate::registry::auth_file_of(&logins);
    workspace.write_logins(text.reveal().as_bytes())
}

/// Returns the registries that a task uses or names, each with a repository there; the task's own first.
fn registries_of(execution: &Execution<'_>, graph: &Graph) -> Vec<(String, String)> {
    let mut all = vec![(execution.task.registry.clone(), String::new())];
    let named = execution.secrets.credentials.keys();
    all.extend(named.map(|server| (server.clone(), String::new())));
    let images = graph.steps().iter().flat_map(|step| match &step.action {
        Action::Cmd(cmd) => vec![cmd.image.clone()],
        Action::Build(build) => build.images.clone(),
        Action::Push(pushed) => pushed.iter().map(|one| one.image.clone()).collect(),
    });
    let place = |image: Reference| (image.registry().to_owned(), image.repository().to_owned());
    all.extend(images.map(place));
    let words = graph.cmds().flat_map(|cmd| &cmd.args);
    all.extend(words.flat_map(|word| images_in(word.reveal())).map(place));
    let mut seen = BTreeSet::new();
    all.retain(|place| seen.insert(place.clone()));
    all.truncate(MOST);
    all
}

/// Returns the images and artifacts in the words of a command that name a registry, as in `oras push ghcr.io/acme/web:1`.
fn images_in(word: &str) -> Vec<Reference> {
    let ends = |c: char| c.is_whitespace() || "'\"`;|&<>()=,".contains(c);
    let names = word.split(ends).filter_map(|name| {
        let name = name.split_once("://").map_or(name, |(_, behind)| behind);
        let (host, _) = name.split_once('/')?;
        let is_host = host.contains(['.', ':']) || host == "localhost";
        is_host.then(|| name.parse().ok())?
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_found_in_step_commands() {
        let found = |word: &str| {
            let images = images_in(word);
            let images: Vec<String> = images.iter().map(Reference::name).collect();
            images.join(" ")
        };
        assert_eq!(found("ghcr.io/acme/web:1"), "ghcr.io/acme/web");
        assert_eq!(
            found("set -e; oras cp localhost:5000/a:1 docker://r.io/b && helm push x oci://h.io/c"),
            "localhost:5000/a r.io/b h.io/c"
        );
        assert_eq!(found("--to=r.io/a"), "r.io/a");
        for word in ["web", "./a/b", "/etc/x", "a/b", "../x"] {
            assert_eq!(found(word), "", "{word}");
        }
    }
}
