//! The networks for the containers of a multi-step run.

use std::collections::BTreeMap;

use crate::{
    error::{Error, Kind, Result},
    steps::{Graph, resources::DEFAULT_NETWORK},
    sys::process,
};

use super::{LABEL, step_context::StepContext};

/// Creates those networks of the file that containers use. Returns their names on the builder.
///
/// The default network is only created where containers could communicate: it costs time, and not every machine can have one.
pub(super) async fn make_networks(shared: &StepContext<'_>) -> Result<BTreeMap<String, String>> {
    let graph = &shared.read.graph;
    let mut made = BTreeMap::new();
    for network in &graph.networks {
        let used = graph
            .cmds()
            .any(|cmd| cmd.place.network.as_ref() == Some(&network.name));
        let is_default = network.name == DEFAULT_NETWORK;
        if !used || (is_default && !has_concurrent_containers(graph)) {
            continue;
        }
        if network.is_external {
            made.insert(network.name.clone(), network.name.clone());
            continue;
        }
        let name = shared.name(&network.name);
        let marker = shared.marker();
        let labels = [(LABEL.to_owned(), marker.display().to_string())].into();
        let line =
            shared
                .on
                .builder
                .make_network(&name, network.driver.as_deref(), network.ipv6, &labels);
        let Some(line) = line else {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "the builder `{}` has no networks, and steps of the file are in `{}`",
                    shared.on.builder.kind(),
                    network.name
                ),
            )
            .hint("run the steps with --builder docker or podman, or with `network: host`"));
        };
        let answer = process::ask(&line).await?;
        if !answer.succeeded() {
            return Err(Error::new(
                Kind::Failed,
                format!("cannot make the network `{}`", network.name),
            )
            .because(anyhow::anyhow!(answer.text())));
        }
        made.insert(network.name.clone(), name);
    }
    Ok(made)
}

/// Returns whether two containers of a file may run at the same time.
fn has_concurrent_containers(graph: &Graph) -> bool {
    let containers = || graph.cmds().filter(|cmd| cmd.own().is_none());
    containers().count() > 1 && (!graph.is_chain() || containers().any(|cmd| cmd.detach))
}
