//! The networks for the containers of a multi-step run.

use std::collections::BTreeMap;

use crate::{
    error::{Error, Result},
    steps::{Action, Graph, Step, resources::DEFAULT_NETWORK},
    sys::process,
};

use super::{LABEL, step_context::StepContext};

/// Creates those networks of the file that containers use, of which at most `jobs` run at once. Returns their names on the builder.
///
/// The default network is only created where containers could communicate: it costs time, and not every machine can have one.
pub(super) async fn make_networks(
    shared: &StepContext<'_>,
    jobs: usize,
) -> Result<BTreeMap<String, String>> {
    let (graph, builder) = (&shared.read.graph, &shared.on.builder);
    let mut made = BTreeMap::new();
    for network in &graph.networks {
        let used = graph
            .cmds()
            .any(|cmd| cmd.place.network.as_ref() == Some(&network.name));
        let is_default = network.name == DEFAULT_NETWORK;
        if !used || (is_default && !has_concurrent_containers(graph, jobs)) {
            continue;
        }
        if network.is_external {
            made.insert(network.name.clone(), network.name.clone());
            continue;
        }
        let name = shared.name(&network.name);
        let marker = shared.marker();
        let labels = [(LABEL.to_owned(), marker.display().to_string())].into();
        let driver = network.driver.as_deref();
        let Some(line) = builder.make_network(&name, driver, network.ipv6, &labels) else {
            return Err(Error::invalid(format!(
                    "the builder `{}` has no networks, and steps of the file are in `{}`",
                    builder.kind(),
                    network.name
                ),
            )
            .hint("run the steps with --builder docker or podman, or one after the other with --jobs 1, or with `network: host`"));
        };
        let answer = process::ask(&line).await?;
        if !answer.succeeded() {
            let text = format!("cannot make the network `{}`", network.name);
            return Err(Error::failed(text).because(anyhow::anyhow!(answer.problem())));
        }
        made.insert(network.name.clone(), name);
    }
    Ok(made)
}

/// Returns whether two containers of a file may run at the same time, where at most `jobs` steps do.
fn has_concurrent_containers(graph: &Graph, jobs: usize) -> bool {
    let is_container =
        |step: &Step| matches!(&step.action, Action::Cmd(cmd) if cmd.own().is_none());
    let containers = || graph.steps().iter().filter(|step| is_container(step));
    let detaches = |step: &Step| matches!(&step.action, Action::Cmd(cmd) if cmd.detach);
    let is_parallel = jobs > 1 && !graph.is_chain(is_container);
    containers().count() > 1 && (is_parallel || containers().any(detaches))
}

#[cfg(test)]
mod tests {
    use crate::steps::{Variables, read};

    #[test]
    fn only_containers_that_can_meet_need_a_network() {
        let needed = |steps: &str, jobs| {
            let text = format!("steps:\n{steps}");
            let file = read(&text, &Variables::default(), &mut |_| Err(String::new())).unwrap();
            super::has_concurrent_containers(&file.graph, jobs)
        };
        let redundant = "- {id: a, cmd: x}\n- {id: b, cmd: x}\n- {cmd: x, when: [a, b]}\n";
        let beside_a_build =
            "- {id: a, cmd: x}\n- {build: ., when: ['-']}\n- {cmd: x, when: [a]}\n";
        let parallel = "- {cmd: x}\n- {cmd: x, when: ['-']}\n";
        let detached = "- {cmd: x, detach: true}\n- {cmd: x}\n";
        for (steps, jobs, expected) in [
            (redundant, 4, false),
            (beside_a_build, 4, false),
            (parallel, 4, true),
            (parallel, 1, false),
            (detached, 1, true),
        ] {
            assert_eq!(needed(steps, jobs), expected, "{steps}");
        }
    }
}
