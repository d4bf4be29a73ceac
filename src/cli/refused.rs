//! The commands of `az acr` that acrt has not: each is refused with what does that job here, if anything does.

/// Commands of az, as they are typed behind `acr`, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    (
        "agentpool",
        "runs work on this machine's builders; `--builder` chooses one",
    ),
    (
        "artifact-streaming",
        "nothing does this here: it is a service of Azure",
    ),
    (
        "build-task",
        "use `acrt task`, which has taken its place in az too",
    ),
    (
        "cache",
        "keep copies fresh with `acrt task create --import SOURCE`, or run the registry as a pull-through cache",
    ),
    (
        "check-name",
        "nothing needs this here: a registry is any login server",
    ),
    (
        "config",
        "set it up at the registry itself; for retention use `acrt purge` or `acrt task create --keep-tags`",
    ),
    (
        "connected-registry",
        "use `acrt import`, or `acrt task create --import SOURCE` for copies that stay fresh",
    ),
    (
        "create",
        "start a registry of your own, such as `docker run -d -p 5000:5000 registry:2`",
    ),
    (
        "credential",
        "use `acrt login`, and `acrt task credential` for the logins of a task",
    ),
    ("credential-set", "use `acrt task credential`"),
    (
        "delete",
        "use `acrt repository delete` for what is in a registry",
    ),
    ("encryption", "set it up at the registry itself"),
    (
        "export-pipeline",
        "use `acrt import --source IMAGE --image oci:FOLDER:NAME`",
    ),
    ("helm", "use `helm push` and `helm pull` with oci:// names"),
    (
        "identity",
        "use `acrt task credential`: there are no managed identities here",
    ),
    (
        "import-pipeline",
        "use `acrt import --source oci:FOLDER:NAME`",
    ),
    (
        "list",
        "the registries that are known are in the config file: `acrt config list`",
    ),
    ("network-rule", "set it up at the registry itself"),
    (
        "pack",
        "write a Dockerfile for `acrt build`, or run pack in a step: `acrt run --cmd \"buildpacksio/pack …\"`",
    ),
    ("pipeline-run", "use `acrt import`"),
    (
        "private-endpoint-connection",
        "set it up at the registry itself",
    ),
    ("private-link-resource", "set it up at the registry itself"),
    (
        "replication",
        "use `acrt task create --import SOURCE` for copies that stay fresh",
    ),
    ("scope-map", "set it up at the registry itself"),
    ("show", "use `acrt check-health REGISTRY`"),
    ("show-endpoints", "use `acrt check-health REGISTRY`"),
    (
        "show-usage",
        "use `acrt manifest list-metadata`, which has sizes",
    ),
    (
        "supply-chain",
        "use `verify` in the config file, and `acrt task watch`",
    ),
    ("taskrun", "use `acrt run`, or `acrt task run`"),
    (
        "token",
        "set it up at the registry itself, then `acrt login`",
    ),
    ("update", "set it up at the registry itself"),
    ("upgrade", "nothing needs this here"),
    (
        "webhook",
        "set it up at the registry itself; `acrt task watch --listen` receives webhooks, `notify` in the config file sends them",
    ),
    ("config authentication-as-arm", "nothing needs this here"),
    ("config content-trust", "use `verify` in the config file"),
    (
        "config retention",
        "use `acrt purge --untagged` in a task with `--schedule`",
    ),
    (
        "config soft-delete",
        "nothing does this here: what is deleted is gone",
    ),
    (
        "manifest list",
        "use `acrt manifest list-metadata` and `acrt manifest show`",
    ),
    (
        "manifest list-deleted",
        "nothing does this here: what is deleted is gone",
    ),
    (
        "manifest list-deleted-tags",
        "nothing does this here: what is deleted is gone",
    ),
    ("manifest list-referrers", "use `oras discover`"),
    ("manifest metadata", "use `acrt manifest list-metadata`"),
    (
        "manifest restore",
        "nothing does this here: what is deleted is gone",
    ),
    (
        "manifest show-metadata",
        "use `acrt repository show --image NAME@DIGEST`",
    ),
    (
        "manifest update-metadata",
        "nothing does this here: only ACR has locks",
    ),
    (
        "repository list-deleted",
        "nothing does this here: what is deleted is gone",
    ),
    (
        "repository show-manifests",
        "use `acrt manifest list-metadata`",
    ),
    (
        "repository update",
        "nothing does this here: only ACR has locks",
    ),
];

/// Returns the line that refuses a command of az, if that is what was typed; `usage` is what clap says of it.
#[must_use]
pub fn refusal(usage: &clap::Error, args: &[std::ffi::OsString]) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if usage.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let ContextValue::String(word) = usage.get(ContextKind::InvalidSubcommand)? else {
        return None;
    };
    let words: Vec<&str> = args.iter().skip(1).filter_map(|arg| arg.to_str()).collect();
    let at = words.iter().position(|other| other == word)?;
    let of_group = ["config", "manifest", "repository", "task"];
    let group = words[..at]
        .iter()
        .rev()
        .find(|word| of_group.contains(word));
    let command = match group {
        Some(group) => format!("{group} {word}"),
        None => word.clone(),
    };
    let (_, advice) = REFUSED.iter().find(|(name, _)| *name == command)?;
    Some(format!(
        "acrt has no `{command}`, which `az acr` has: {advice}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_refused_that_acrt_has() {
        let acrt = crate::cli::command();
        for (name, _) in REFUSED {
            let found = name
                .split(' ')
                .try_fold(&acrt, |command, word| command.find_subcommand(word));
            // Where only the group is another one than az's, what is beneath it is listed by itself.
            assert!(found.is_none() || *name == "config", "{name}");
        }
    }
}
