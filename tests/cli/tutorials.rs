//! The command sequences of the official tutorials for ACR Tasks, with `acrt` in place of `az acr`, a registry on loopback
//! in place of Azure's, and a local repository in place of GitHub's.

use crate::support::{GitServer, Registry, World};

const DOCKERFILE_APP: &str =
    "ARG REGISTRY_NAME\nFROM ${REGISTRY_NAME}/baseimages/node:15-alpine\nCOPY . /src\n";
const DOCKERFILE_BASE: &str =
    "ARG REGISTRY_NAME\nFROM ${REGISTRY_NAME}/upstream/node:15-alpine\nARG NODE_VERSION=15\n";

/// A machine with buildah, a registry, and the tutorials' repository on a server that requires a token.
struct Tutorial {
    world: World,
    registry: Registry,
    server: GitServer,
    repository: crate::support::Repository,
}

impl Tutorial {
    fn start() -> Self {
        let (world, registry) = (World::new(), Registry::start());
        world.buildah();
        world.git();
        let files = [
            ("Dockerfile-app", DOCKERFILE_APP),
            ("Dockerfile-base", DOCKERFILE_BASE),
            ("server.js", "1"),
        ];
        let repository = world.repository("acr-build-helloworld-node", &files);
        let server = GitServer::start(&world.path("repos"), Some("pat"));
        registry.push_shell("upstream/node:15-alpine", &[("version", "15.0")]);
        world.set("ACR_NAME", &registry.host());
        world.set("GIT_PAT", "pat");
        Self {
            world,
            registry,
            server,
            repository,
        }
    }

    /// Runs a line of a tutorial, with its variables replaced as by a shell.
    fn type_line(&self, line: &str) -> crate::support::Output {
        let context = format!("{}#main", self.server.url("acr-build-helloworld-node"));
        let line = line
            .replace("$ACR_NAME.azurecr.io", &self.registry.host())
            .replace("$ACR_NAME", &self.registry.host())
            .replace("$GIT_PAT", "pat")
            .replace(
                "https://github.com/$GIT_USER/acr-build-helloworld-node.git#main",
                &context,
            );
        let words = shell_words::split(&line).unwrap();
        assert_eq!(words[..2], ["az", "acr"]);
        let words: Vec<&str> = words[2..].iter().map(String::as_str).collect();
        self.world.acrt(&words)
    }
}

#[test]
fn tutorial_base_image_update_in_the_same_registry() {
    let tutorial = Tutorial::start();
    // Tutorial: automate container image builds when a base image is updated in an Azure container registry
    tutorial
        .type_line("az acr build --registry $ACR_NAME --image baseimages/node:15-alpine --file Dockerfile-base --build-arg REGISTRY_NAME=$ACR_NAME.azurecr.io https://github.com/$GIT_USER/acr-build-helloworld-node.git#main")
        .exits(4);
    // Quick builds have no token; az uses the cloned folder.
    let work = tutorial.world.path("acr-build-helloworld-node-work");
    let build_base = format!(
        "az acr build --registry $ACR_NAME --image baseimages/node:15-alpine --file Dockerfile-base --build-arg REGISTRY_NAME=$ACR_NAME.azurecr.io {}",
        work.display()
    );
    tutorial.type_line(&build_base).ok();
    tutorial
        .type_line("az acr task create --registry $ACR_NAME --name baseexample1 --image helloworld:{{.Run.ID}} --arg REGISTRY_NAME=$ACR_NAME.azurecr.io --context https://github.com/$GIT_USER/acr-build-helloworld-node.git#main --file Dockerfile-app --git-access-token $GIT_PAT")
        .ok();
    tutorial
        .type_line("az acr task run --registry $ACR_NAME --name baseexample1")
        .ok();
    tutorial
        .type_line("az acr task list-runs --registry $ACR_NAME --output table")
        .ok()
        .prints(&["Manual", "Succeeded"]);
    tutorial
        .registry
        .push_shell("upstream/node:15-alpine", &[("version", "15.1")]);
    tutorial.type_line(&build_base).ok();
    tutorial.world.watch_once().ok();
    tutorial
        .type_line("az acr task list-runs --registry $ACR_NAME --output table")
        .ok()
        .prints(&["Image Update"]);
    let built = tutorial.registry.tags("helloworld");
    assert_eq!(built, ["ca3", "ca5"]);
}

#[test]
fn tutorial_base_image_update_in_another_registry() {
    let tutorial = Tutorial::start();
    let base = Registry::start();
    base.push_shell("baseimages/node:15-alpine", &[("version", "15.0")]);
    let create = format!(
        "az acr task create --registry $ACR_NAME --name baseexample2 --image helloworld:{{{{.Run.ID}}}} --arg REGISTRY_NAME={} --context https://github.com/$GIT_USER/acr-build-helloworld-node.git#main --file Dockerfile-app --git-access-token $GIT_PAT",
        base.host()
    );
    tutorial.type_line(&create).ok();
    let login = format!(
        "az acr task credential add --name baseexample2 --registry $ACR_NAME --login-server {} --username u --password p",
        base.host()
    );
    tutorial.type_line(&login).ok();
    tutorial
        .type_line("az acr task run --registry $ACR_NAME --name baseexample2")
        .ok();
    base.push_shell("baseimages/node:15-alpine", &[("version", "15.1")]);
    tutorial.world.watch_once().ok();
    tutorial
        .type_line("az acr task list-runs --registry $ACR_NAME --output table")
        .ok()
        .prints(&["Image Update"]);
}

#[test]
fn tutorial_commit_builds_an_image_with_several_tags() {
    let tutorial = Tutorial::start();
    tutorial
        .registry
        .push_shell("baseimages/node:15-alpine", &[("version", "15.0")]);
    tutorial
        .type_line("az acr task create --registry $ACR_NAME --name taskhelloworld --image helloworld:{{.Run.ID}} --image helloworld:latest --arg REGISTRY_NAME=$ACR_NAME.azurecr.io --context https://github.com/$GIT_USER/acr-build-helloworld-node.git#main --file Dockerfile-app --git-access-token $GIT_PAT")
        .ok();
    tutorial
        .type_line("az acr task run --registry $ACR_NAME --name taskhelloworld")
        .ok();
    tutorial.repository.commit(&[("server.js", "2")]);
    tutorial.world.watch_once().ok();
    tutorial
        .type_line("az acr task list-runs --registry $ACR_NAME --output table")
        .ok()
        .prints(&["Commit", "Manual"]);
    assert_eq!(
        tutorial.registry.digest("helloworld:ca2"),
        tutorial.registry.digest("helloworld:latest")
    );
    assert_eq!(
        tutorial
            .registry
            .file("helloworld:latest", "src/server.js")
            .as_deref(),
        Some("2")
    );
}

#[test]
fn tutorial_task_on_a_schedule() {
    let tutorial = Tutorial::start();
    tutorial.world.set("ACRT_NOW", "2026-03-01T20:00:00Z");
    tutorial.registry.push_shell("hello:1", &[]);
    tutorial
        .type_line("az acr task create --name timertask --registry $ACR_NAME --cmd \"$ACR_NAME.azurecr.io/hello:1 sh -c :\" --schedule \"0 21 * * *\" --context /dev/null")
        .ok();
    tutorial
        .type_line("az acr task show --name timertask --registry $ACR_NAME --output table")
        .ok()
        .prints(&["timertask", "(0 21 * * *), next in 1 h"]);
    tutorial.type_line("az acr task timer add --name timertask --registry $ACR_NAME --timer-name timer2 --schedule \"30 10 * * *\"").ok();
    tutorial.type_line("az acr task timer update --name timertask --registry $ACR_NAME --timer-name timer2 --schedule \"30 11 * * *\"").ok();
    tutorial
        .type_line("az acr task timer list --name timertask --registry $ACR_NAME")
        .ok()
        .prints(&["30 11 * * *"]);
    tutorial
        .type_line(
            "az acr task timer remove --name timertask --registry $ACR_NAME --timer-name timer2",
        )
        .ok();
    tutorial.world.set("ACRT_NOW", "2026-03-01T21:00:30Z");
    tutorial.world.watch_once().ok();
    tutorial
        .type_line("az acr task list-runs --name timertask --registry $ACR_NAME --output table")
        .ok()
        .prints(&["Timer", "Succeeded"]);
}

#[test]
fn tutorial_triggers_are_disabled_and_enabled() {
    let tutorial = Tutorial::start();
    tutorial
        .registry
        .push_shell("baseimages/node:15-alpine", &[("version", "15.0")]);
    tutorial
        .type_line("az acr task create --registry $ACR_NAME --name web --image web:latest --arg REGISTRY_NAME=$ACR_NAME.azurecr.io --context https://github.com/$GIT_USER/acr-build-helloworld-node.git#main --file Dockerfile-app --git-access-token $GIT_PAT --base-image-trigger-enabled false --commit-trigger-enabled false")
        .ok();
    tutorial
        .type_line("az acr task run --registry $ACR_NAME --name web")
        .ok();
    tutorial
        .registry
        .push_shell("baseimages/node:15-alpine", &[("version", "15.1")]);
    tutorial.repository.commit(&[("server.js", "2")]);
    tutorial.world.watch_once().ok().silent();
    tutorial.type_line("az acr task update --registry $ACR_NAME --name web --base-image-trigger-enabled True --commit-trigger-enabled").ok();
    tutorial.world.watch_once().ok();
    tutorial.world.watch_once().ok().silent();
    assert_eq!(tutorial.world.history().len(), 2);
}
