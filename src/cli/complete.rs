//! Shell completion: commands and options from their definitions, and names from the state directory.
//!
//! The completion script calls acrt with [`VARIABLE`] set. Without that variable, this module does nothing.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::Arc,
};

use clap::{Arg, Command, ValueHint};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
};

use super::flags::AZURE;
use crate::{
    ops::{self, App, EventSink, GlobalOptions},
    sys::builders::BuilderKind,
};

/// The variable that names the shell that asks for completions.
pub const VARIABLE: &str = "ACRT_COMPLETE";

/// How many of the newest runs are offered.
const RUNS: usize = 50;

/// Completes a command line if a shell asks for it; returns whether one did. `all` returns all commands.
pub fn answered(args: &[OsString], all: fn() -> Command) -> clap::error::Result<bool> {
    let folder = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| tree(args, all))
        .var(VARIABLE)
        .try_complete(args.iter().cloned(), folder.as_deref())
}

/// Returns the commands, with completers for the values of their options.
fn tree(args: &[OsString], all: fn() -> Command) -> Command {
    let global_options = Arc::new(global_options(args));
    let mut root = all();
    root.build();
    let root = root.mut_args(|arg| with_values(arg, registries, FORMATS, &global_options));
    root.mut_subcommands(|command| {
        let names: OfferedValues = match command.get_name() {
            "task" => task_names,
            "builder" => builders,
            "notify" => notification_names,
            _ => registries,
        };
        offer(command, names, &global_options)
    })
}

/// Returns all values of an option.
type OfferedValues = fn(&App) -> Vec<String>;

/// The output formats of all commands.
const FORMATS: OfferedValues = |_| words("json jsonc yaml yamlc table tsv none");

fn offer(command: Command, names: OfferedValues, global_options: &Arc<GlobalOptions>) -> Command {
    let names: OfferedValues = match command.get_name() {
        "presets" => |_| presets(),
        _ => names,
    };
    let formats: OfferedValues = match command.get_name() {
        "graph" => |app| [FORMATS(app), words("text dot mermaid svg")].concat(),
        _ => FORMATS,
    };
    let command = command
        .mut_args(|arg| with_values(arg, names, formats, global_options))
        .mut_subcommands(|sub| offer(sub, names, global_options));
    // The engine also offers hidden commands once nothing visible starts with what is typed; an empty name or a space
    // matches nothing. The names within a command must differ.
    match (command.is_hide_set(), command.get_name()) {
        (true, "status") => command.name(" "),
        (true, _) => command.name(""),
        (false, _) => command,
    }
}

/// Adds a completer to an option whose definition lists no values. `names` completes `--name`, which outside of tasks is a
/// registry, as in az; `formats` completes `--output`.
fn with_values(
    arg: Arg,
    names: OfferedValues,
    formats: OfferedValues,
    global_options: &Arc<GlobalOptions>,
) -> Arg {
    // Options without effect are not offered; hidden ones with an effect are.
    let has_no_effect = arg.get_help_heading() == Some(AZURE)
        || ["no_format", "ignore_errors"].contains(&arg.get_id().as_str());
    let arg = arg.hide(has_no_effect);
    let arg = match arg.get_id().as_str() {
        "context" | "state_dir" => arg.value_hint(ValueHint::DirPath),
        "file" | "config" | "values" | "metrics_file" => arg.value_hint(ValueHint::FilePath),
        _ => arg,
    };
    let is_switch = arg
        .get_value_names()
        .is_some_and(|names| names.iter().any(|name| name == "true|false"));
    let values: OfferedValues = match arg.get_id().as_str() {
        "name" | "names" | "bare_name" => names,
        "run_id" | "bare_run_id" => run_ids,
        "registry" | "login_server" => registries,
        "key" => |_| ops::config::keys(),
        "output" => formats,
        "builder" => builders,
        "platform" => |_| {
            words(
                "linux/amd64 linux/arm64 linux/arm/v7 linux/arm/v6 linux/386 linux/ppc64le linux/s390x linux/riscv64",
            )
        },
        _ if is_switch => |_| words("true false"),
        _ => return arg,
    };
    let global_options = Arc::clone(global_options);
    arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
        let Some(typed) = typed.to_str() else {
            return Vec::new();
        };
        // State that cannot be read is not offered; the command itself reports the error.
        let app = App::new((*global_options).clone());
        let all = app.and_then(|app| app.check_state_directory().map(|()| values(&app)));
        let fitting = all.unwrap_or_default().into_iter();
        fitting
            .filter(|value| value.starts_with(typed))
            .map(CompletionCandidate::new)
            .collect()
    }))
}

fn words(list: &str) -> Vec<String> {
    list.split(' ').map(str::to_owned).collect()
}

fn task_names(app: &App) -> Vec<String> {
    let keys = ops::task::keys(app).unwrap_or_default();
    distinct(keys.iter().map(|key| key.name.to_string()))
}

fn registries(app: &App) -> Vec<String> {
    let keys = ops::task::keys(app).unwrap_or_default();
    let configured = app.settings.config.registries.keys().cloned();
    let registries = keys.into_iter().map(|key| key.registry);
    distinct(registries.chain(configured))
}

fn builders(app: &App) -> Vec<String> {
    let config = &app.settings.config;
    let own = config.builders.keys().chain(config.pools.keys());
    let kinds = BuilderKind::ALL.map(|kind| kind.name().to_owned());
    distinct(own.cloned().chain(kinds))
}

/// Returns the names in order, each once.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

/// Returns the receivers of notifications that have names.
fn notification_names(app: &App) -> Vec<String> {
    let receivers = app.settings.config.notify.iter();
    receivers.filter_map(|it| it.name.clone()).collect()
}

fn presets() -> Vec<String> {
    let all = ops::notify::presets(None).unwrap_or_default();
    all.into_iter()
        .map(|preset| preset.name.to_owned())
        .collect()
}

fn run_ids(app: &App) -> Vec<String> {
    let newest = ops::runs::RunFilter {
        top: RUNS,
        ..Default::default()
    };
    let runs = ops::runs::list(app, &newest, &EventSink::none()).unwrap_or_default();
    runs.iter().map(|run| run.run_id.to_string()).collect()
}

/// Reads `--state-dir` and `--config` from the command line that is being typed.
fn global_options(args: &[OsString]) -> GlobalOptions {
    let value = |option: &str| -> Option<PathBuf> {
        let mut words = args.iter().skip_while(|word| *word != "--").skip(1);
        let with_equals = format!("{option}=");
        while let Some(word) = words.next() {
            if word == option {
                return words.next().map(PathBuf::from);
            }
            if let Some(value) = word.to_str().and_then(|w| w.strip_prefix(&with_equals)) {
                return Some(PathBuf::from(value));
            }
        }
        None
    };
    GlobalOptions {
        state_dir: value("--state-dir"),
        config: value("--config"),
        builder: None,
        config_text: None,
        allow_unsafe_permissions: args.iter().any(|it| it == "--allow-unsafe-permissions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_reads_the_state_directory_of_the_typed_line() {
        let line = "acrt -- acrt --state-dir /a task show --config=/b --name w";
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let global_options = global_options(&args);
        assert_eq!(global_options.state_dir, Some(PathBuf::from("/a")));
        assert_eq!(global_options.config, Some(PathBuf::from("/b")));
    }

    #[test]
    fn hidden_command_is_not_completed() {
        let tree = tree(&[], crate::cli::command);
        let task = tree.find_subcommand("task").unwrap();
        assert!(task.find_subcommand("show").is_some());
        assert!(tree.find_subcommand("execute").is_none());
    }
}
