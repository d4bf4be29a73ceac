//! Removes the containers in which a build has worked that was stopped: podman then ends without doing so, and each keeps its base.
//!
//! Nothing in a container says which build has made it. So only those count that the builder has made since the build began, of an image that
//! the build is based on; and none is removed while another process might be building in the same store.

use std::collections::BTreeSet;

use crate::{
    builder::working_containers,
    image::Reference,
    sys::{clock::Clock, environment, process},
};

use super::{clean::converse, local, platforms, run_builders::PlacedBuilder, run_log::PrefixedLog};

/// The programs that build in the store of podman.
const BUILDERS: [&str; 2] = ["podman", "buildah"];

/// The variable that names another store.
const STORE: &str = "CONTAINERS_STORAGE_CONF";

/// With it, podman works on another machine.
const REMOTE: &str = "CONTAINER_HOST";

/// Runs a build on the bases `pulled`, and if it does not succeed, removes the containers that it has left.
pub(super) async fn removed<T, E>(
    on: &PlacedBuilder,
    pulled: impl Iterator<Item = &Reference>,
    lines: &PrefixedLog<'_>,
    build: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    // Not the clock of acrt: the builder has the machine's.
    let since = Clock::System.now().as_second();
    let built = build.await;
    if built.is_err() {
        remove(on, pulled, lines, since).await;
    }
    built
}

async fn remove(
    on: &PlacedBuilder,
    pulled: impl Iterator<Item = &Reference>,
    lines: &PrefixedLog<'_>,
    since: i64,
) {
    let list = on.builder.list_working_containers();
    let Some(list) = list.filter(|_| environment::variable(REMOTE).is_none()) else {
        return;
    };
    let mut bases = BTreeSet::new();
    for base in pulled {
        bases.insert(base.to_string());
        if let Ok(Some(held)) = local::held(&on.builder, base).await {
            bases.extend(held.id.map(|id| on.builder.id_text(&id)));
        }
    }
    let Some(printed) = platforms::answer(&list).await else {
        return;
    };
    let left = working_containers(&printed, &bases, since);
    if left.is_empty() {
        return;
    }
    // Asked after the list: what is begun from now on is not in it.
    if process::is_running(&BUILDERS, STORE) {
        let all = left.join(" ");
        lines.say(&format!(
            "{} may have left containers, which stay because it is doing something else too: {all}",
            on.name
        ));
        return;
    }
    for id in left {
        let Some(line) = on.builder.remove_container(&id) else {
            return;
        };
        if let Err(why) = converse(&line).await {
            lines.say(&format!(
                "cannot remove the container {id} of the build from {}: {why}",
                on.name
            ));
        }
    }
}
