//! Commands and options that acrt does not have: those of `az acr` are refused with acrt's alternative, if there is one, and others with
//! the command or option that is probably meant.

use std::ffi::OsString;

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{error::Error, sys::near::near};

/// Commands of az, as typed behind `acr`, and the alternatives: one per line.
const REFUSED: &str = "\
agentpool: runs work on this machine's builders; `--builder` chooses one
artifact-streaming: nothing does this here: it is a service of Azure
build-task: use `acrt task`, which has taken its place in az too
cache: keep copies fresh with `acrt task create --import SOURCE`, or run the registry as a pull-through cache
check-name: nothing needs this here: a registry is any login server
config: set it up at the registry itself; for retention use `acrt purge` or `acrt task create --keep-tags`
connected-registry: use `acrt import`, or `acrt task create --import SOURCE` for copies that stay fresh
create: start a registry of your own, such as `docker run -d -p 5000:5000 registry:2`
credential: use `acrt login`, and `acrt task credential` for the logins of a task
credential-set: use `acrt task credential`
delete: use `acrt repository delete` for what is in a registry
encryption: set it up at the registry itself
export-pipeline: use `acrt import --source IMAGE --image oci:FOLDER:NAME`
helm: use `helm push` and `helm pull` with oci:// names
identity: use `acrt task credential`: there are no managed identities here
import-pipeline: use `acrt import --source oci:FOLDER:NAME`
list: the registries that are known are in the config file: `acrt config list`
network-rule: set it up at the registry itself
pack: write a Dockerfile for `acrt build`, or run pack in a step: `acrt run --cmd \"buildpacksio/pack …\"`
pipeline-run: use `acrt import`
private-endpoint-connection: set it up at the registry itself
private-link-resource: set it up at the registry itself
replication: use `acrt task create --import SOURCE` for copies that stay fresh
scope-map: set it up at the registry itself
show: use `acrt check-health REGISTRY`
show-endpoints: use `acrt check-health REGISTRY`
show-usage: use `acrt manifest list-metadata`, which has sizes
supply-chain: use `verify` in the config file, and `acrt task watch`
taskrun: use `acrt run`, or `acrt task run`
token: set it up at the registry itself, then `acrt login`
update: set it up at the registry itself
upgrade: nothing needs this here
webhook: set it up at the registry itself; `acrt task watch --listen` receives webhooks, `notify` in the config file sends them
config authentication-as-arm: nothing needs this here
config content-trust: use `verify` in the config file
config retention: use `acrt purge --untagged` in a task with `--schedule`
config soft-delete: nothing does this here: what is deleted is gone
manifest list: use `acrt manifest list-metadata` and `acrt manifest show`
manifest list-deleted: nothing does this here: what is deleted is gone
manifest list-deleted-tags: nothing does this here: what is deleted is gone
manifest list-referrers: use `oras discover`
manifest metadata: use `acrt manifest list-metadata`
manifest restore: nothing does this here: what is deleted is gone
manifest update-metadata: nothing does this here: only ACR has locks
repository list-deleted: nothing does this here: what is deleted is gone
repository update: nothing does this here: only ACR has locks";

/// Names of commands in other programs, and acrt's names for them.
const SYNONYMS: &[(&str, &str)] = &[
    ("add", "create"),
    ("cancel", "cancel-run"),
    ("copy", "import"),
    ("cp", "import"),
    ("doctor", "check-health"),
    ("edit", "update"),
    ("edit", "set"),
    ("exec", "run"),
    ("get", "show"),
    ("health", "check-health"),
    ("inspect", "show"),
    ("log", "logs"),
    ("ls", "list"),
    ("new", "create"),
    ("ps", "list-runs"),
    ("pull", "import"),
    ("rebuild", "run"),
    ("remove", "delete"),
    ("rm", "delete"),
    ("runs", "list-runs"),
    ("set", "update"),
    ("show", "get"),
    ("start", "run"),
    ("stop", "cancel-run"),
    ("tags", "show-tags"),
    ("tree", "graph"),
];

/// Options of other programs, and acrt's options for them.
const OPTIONS: &[(&str, &str)] = &[
    ("--build-arg", "--arg NAME=VALUE"),
    ("--dockerfile", "--file DOCKERFILE"),
    ("--force", "--yes, for commands that ask for confirmation"),
    ("--follow", "a log is followed while its run goes on"),
    ("--format", "-o table, json, yaml or tsv"),
    ("--json", "-o json"),
    ("--push", "images are pushed, but for --no-push"),
    (
        "--quiet",
        "--only-show-errors says nothing but errors, and -o none gives no answer",
    ),
    ("--tag", "-t IMAGE, or --image IMAGE"),
    (
        "-q",
        "--only-show-errors says nothing but errors, and -o none gives no answer",
    ),
    ("-v", "--verbose, or --version"),
];

/// Returns why a command line is refused, where the intent is known; `usage` is clap's error, `root` builds all commands.
pub fn refusal(usage: &clap::Error, args: &[OsString], root: fn() -> Command) -> Option<Error> {
    let told = |kind| match usage.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    match usage.kind() {
        ErrorKind::InvalidSubcommand => {
            let mut root = root();
            root.build();
            command_refused(told(ContextKind::InvalidSubcommand)?, args, &root)
        }
        ErrorKind::UnknownArgument => option_refused(told(ContextKind::InvalidArg)?),
        _ => None,
    }
}

fn option_refused(option: &str) -> Option<Error> {
    let (_, advice) = OPTIONS.iter().find(|(name, _)| *name == option)?;
    Some(Error::invalid(format!("there is no option `{option}` here")).hint(*advice))
}

fn command_refused(word: &str, args: &[OsString], root: &Command) -> Option<Error> {
    let (mut group, mut path) = (root, Vec::new());
    for typed in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if typed == word {
            break;
        }
        if let Some(sub) = group.find_subcommand(typed) {
            group = sub;
            path.push(typed);
        }
    }
    path.push(word);
    let typed = path.join(" ");
    let mut refused = REFUSED.lines().filter_map(|line| line.split_once(": "));
    if let Some((_, advice)) = refused.find(|(name, _)| *name == typed) {
        let of_task = root
            .find_subcommand("task")
            .filter(|task| path.len() == 1 && task.find_subcommand(word).is_some())
            .map(|_| format!("; for a task: `acrt task {word}`"));
        return Some(Error::invalid(format!(
            "acrt has no `{typed}`, which `az acr` has: {advice}{}",
            of_task.unwrap_or_default()
        )));
    }
    let meant = meant(word, &path[..path.len() - 1], root)?;
    Some(
        Error::invalid(format!("there is no command `acrt {typed}`")).hint(format!("acrt {meant}")),
    )
}

/// Returns the command that is probably meant: one of that name or a similar one in the same group; where the group is that of tasks or none,
/// else in another group, tasks first.
fn meant(word: &str, group: &[&str], root: &Command) -> Option<String> {
    let mut all = Vec::new();
    list(root, "", &mut all);
    let group = group.join(" ");
    let rank = |path: &str| match path.rsplit_once(' ').map_or("", |(group, _)| group) {
        own if own == group => 0,
        "task" => 1,
        "" => 2,
        _ => 3,
    };
    if !["", "task"].contains(&group.as_str()) {
        all.retain(|path| rank(path) == 0);
    }
    all.sort_by_key(|path| rank(path));
    let last = |path: &str| path.rsplit(' ').next().unwrap_or_default().to_owned();
    let synonyms = SYNONYMS.iter().filter(|(typed, _)| *typed == word);
    let mut named = vec![word];
    named.extend(synonyms.map(|(_, name)| *name));
    if named.contains(&"delete") {
        named.push("remove");
    }
    let exact = all.iter().find(|path| named.contains(&last(path).as_str()));
    exact.cloned().or_else(|| {
        let name = near(word, all.iter().map(|path| last(path)))?;
        all.iter().find(|path| last(path) == name).cloned()
    })
}

/// Lists the paths of all visible commands.
fn list(command: &Command, above: &str, all: &mut Vec<String>) {
    let visible = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
    for sub in visible {
        let path = format!("{above}{}", sub.get_name());
        if sub.has_subcommands() {
            list(sub, &format!("{path} "), all)
        } else {
            all.push(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_command_is_suggested_from_its_own_group_first() {
        let mut root = crate::cli::command();
        root.build();
        let of = |group: &[&str], word: &str| meant(word, group, &root);
        for (group, word, expected) in [
            (&[][..], "list", "task list"),
            (&[], "watch", "task watch"),
            (&[], "check", "task check"),
            (&[], "logs", "task logs"),
            (&["task"], "ls", "task list"),
            (&["task"], "rm", "task delete"),
            (&["task", "timer"], "rm", "task timer remove"),
            (&["task"], "biuld", "build"),
            (&["task"], "udpate", "task update"),
            (&["repository"], "tags", "repository show-tags"),
            (&["config"], "edit", "config set"),
            (&["config"], "show", "config get"),
            (&[], "stauts", "status"),
        ] {
            assert_eq!(of(group, word).as_deref(), Some(expected), "{word}");
        }
        assert_eq!(of(&[], "xyzzy"), None);
        for (group, word) in [
            (&["builder"], "add"),
            (&["image"], "ls"),
            (&["notify"], "ls"),
        ] {
            assert_eq!(of(group, word), None, "{group:?} {word}");
        }
    }

    #[test]
    fn refused_commands_do_not_include_an_acrt_command() {
        let mut acrt = crate::cli::command();
        acrt.build();
        for (name, _) in REFUSED.lines().filter_map(|line| line.split_once(": ")) {
            let found = name
                .split(' ')
                .try_fold(&acrt, |command, word| command.find_subcommand(word));
            // Where only the group differs from az's, its commands are listed one by one.
            assert!(found.is_none() || name == "config", "{name}");
        }
    }
}
