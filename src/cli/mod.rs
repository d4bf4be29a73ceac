//! The command line: one file for each command, at the path at which it is typed.

mod build;
mod builder;
mod check_health;
mod columns;
mod complete;
mod completion;
mod config;
mod deps;
mod execute;
mod flags;
mod global;
mod image;
mod import;
mod lazy_args;
mod login;
mod logout;
mod manifest;
mod notify;
mod outcome;
mod progress;
mod purge;
mod refused;
mod report;
mod repository;
mod run;
mod status;
mod task;
mod typed;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use crate::{
    error::{Kind, Result},
    ops::{App, GlobalOptions},
};

use global::Global;
use lazy_args::LazyArgs;
use outcome::Outcome;
use report::Report;

/// Rebuild container images when what they are built from changes
#[derive(Debug, Parser)]
#[command(
    name = "acrt",
    version,
    // `build.rs` sets the commit and its date.
    long_version = concat!(env!("CARGO_PKG_VERSION"), env!("ACRT_BUILD")),
    infer_long_args = true,
    // The last of several values of an option wins, as in az.
    args_override_self = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Begin with: acrt task create --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Define, run and watch tasks
    #[command(subcommand)]
    Task(LazyArgs<task::TaskCommand>),
    /// Build and push an image without a task
    ///
    /// Its bases are resolved and pinned as those of a task are. What it depends on is recorded with the run, and not followed.
    Build(LazyArgs<build::BuildArgs>),
    /// Run the steps of a file, or one command, without a task
    ///
    /// The steps work on a copy of the folder. What they depend on is recorded with the run, and not followed.
    Run(LazyArgs<run::QuickRunArgs>),
    /// Copy an image to another registry or folder
    ///
    /// All platforms are copied, byte for byte, so that the digest stays the same. What is there already is not sent again. No container daemon is needed.
    Import(LazyArgs<import::ImportArgs>),
    /// Show how all tasks are doing, the worst first
    Status(LazyArgs<status::StatusArgs>),
    /// Remove old tags and manifests from a registry
    ///
    /// What a tag that stays names stays, with all that is beneath it and all that refers to it; so does what a task was built on or has pushed last.
    Purge(LazyArgs<purge::PurgeArgs>),
    /// List, show and delete the repositories and tags of a registry
    #[command(subcommand)]
    Repository(LazyArgs<repository::RepositoryCommand>),
    /// List, show and delete manifests
    #[command(subcommand)]
    Manifest(LazyArgs<manifest::ManifestCommand>),
    /// Ask about images that no task makes
    #[command(subcommand)]
    Image(LazyArgs<image::ImageCommand>),
    /// Log in to a registry, for docker, podman and acrt alike
    ///
    /// The login is checked first. It is kept where docker and podman find it: with the credential helper that they are set up for, else in their files. Without a user, the login that there is is checked.
    Login(LazyArgs<login::LoginCommandArgs>),
    /// Forget the login for a registry, of docker and podman too
    ///
    /// Logins of tasks stay: acrt task credential remove.
    Logout(LazyArgs<logout::LogoutArgs>),
    /// Try out notifications of runs and failures
    #[command(subcommand)]
    Notify(LazyArgs<notify::NotifyCommand>),
    /// List, check and prune builders
    #[command(subcommand)]
    Builder(LazyArgs<builder::BuilderCommand>),
    /// Show which images a Dockerfile depends on
    ///
    /// Works offline, without a task. Variables, stages and `COPY --from` are read as BuildKit reads them. What only another
    /// frontend can read, as `# syntax=` asks for, is listed without an image.
    Deps(LazyArgs<deps::DepsArgs>),
    /// Check builder, registries, logins, clock and state directory
    ///
    /// Says which file and key a login comes from, and never the login itself.
    CheckHealth(LazyArgs<check_health::CheckHealthArgs>),
    /// Read and change the config file
    #[command(subcommand)]
    Config(LazyArgs<config::ConfigCommand>),
    /// Carry out a run that another acrt hands over on standard input
    #[command(hide = true)]
    Execute(LazyArgs<execute::ExecuteArgs>),
    /// Print the completion script of a shell
    ///
    /// The script asks acrt itself, and so knows the names of tasks and runs too.
    Completion(LazyArgs<completion::CompletionArgs>),
}

/// Returns all commands, for completions, man pages and the reference. The options of a command exist only after [`clap::Command::build`],
/// or where the command is the typed one.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs a command line, and returns its exit code.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    match complete::answered(&args, command) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(problem) => return report::usage(&problem, &args),
    }
    let args = typed::meant(args);
    let mut all = command();
    let parsed = all.try_get_matches_from_mut(&args).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches).and_then(|cli| {
            let global = Global::typed(&matches)?;
            Ok(Cli { global, ..cli })
        });
        Ok((cli.map_err(|usage| usage.format(&mut all))?, matches))
    });
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(usage) => {
            return match refused::refusal(&usage, &args, command) {
                Some(error) => report::refused(&error),
                None => report::usage(&usage, &args),
            };
        }
    };
    let format = match &cli.command {
        Command::Task(group) if matches!(*group.0, task::TaskCommand::Graph(_)) => {
            cli.global.format()
        }
        // The file must be repairable, also where its own output format is wrong.
        Command::Config(_) if cli.global.output.is_none() => {
            Ok(cli.global.format_of_any_answer().unwrap_or_default())
        }
        _ => cli.global.format_of_any_answer(),
    };
    let wanted = format.as_ref().ok().copied().flatten();
    let report = Report::new(&cli.global, wanted, &all);
    let subscription = cli.global.subscription.as_deref();
    flags::azure::warn_without_effect(&all, &matches, subscription, &report);
    let worked = format.and_then(|_| dispatch(&cli.global.options(), &report, cli.command));
    report.done();
    let worked = worked.and_then(|outcome| show(&report, &cli.global, outcome));
    let kind = match worked {
        Ok(kind) => kind,
        Err(error) => {
            let kind = error.kind();
            report.error(&report::without_logins(error, &args));
            Some(kind)
        }
    };
    let kind = match kind {
        None | Some(Kind::Stale | Kind::Unknown) if report.output_is_lost() => Some(Kind::Failed),
        kind => kind,
    };
    ExitCode::from(kind.map_or(0, Kind::exit_code))
}

fn dispatch(around: &GlobalOptions, report: &Report, command: Command) -> Result<Outcome> {
    let app = || App::new(around.clone());
    let with_state = || -> Result<App> {
        let app = app()?;
        app.check_state_directory()?;
        Ok(app)
    };
    match command {
        Command::Task(group) => task::run(&with_state()?, report, *group.0),
        Command::Build(args) => build::run(&with_state()?, report, *args.0),
        Command::Run(args) => run::run(&with_state()?, report, *args.0),
        Command::Import(args) => import::run(&with_state()?, report, *args.0),
        Command::Status(args) => status::run(&with_state()?, report, *args.0),
        Command::Purge(args) => purge::run(&with_state()?, report, *args.0),
        Command::Repository(group) => repository::run(&with_state()?, report, *group.0),
        Command::Manifest(group) => manifest::run(&with_state()?, report, *group.0),
        Command::Image(group) => image::run(&app()?, report, *group.0),
        Command::Login(args) => login::run(&app()?, report, *args.0),
        Command::Logout(args) => logout::run(&app()?, report, *args.0),
        Command::Notify(group) => notify::run(&app()?, *group.0),
        Command::Builder(group) => builder::run(&with_state()?, report, *group.0),
        Command::Deps(args) => deps::run(&app()?, report, *args.0),
        Command::CheckHealth(args) => check_health::run(&app()?, report, *args.0),
        Command::Config(group) => config::run(around, *group.0),
        Command::Execute(_) => execute::run(around, report),
        Command::Completion(args) => completion::run(report, *args.0),
    }
}

fn show(report: &Report, global: &Global, outcome: Outcome) -> Result<Option<Kind>> {
    if let Some(view) = outcome.view {
        report.show(view, global.query.as_ref())?;
        report.summarize();
    }
    Ok(outcome.exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    /// Returns the visible subcommands of a command, each with its description.
    fn below(command: &clap::Command) -> Vec<(String, String)> {
        let visible = command.get_subcommands();
        let visible = visible.filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
        let said = |sub: &clap::Command| sub.get_about().map(ToString::to_string);
        visible
            .map(|sub| (sub.get_name().to_owned(), said(sub).unwrap_or_default()))
            .collect()
    }

    /// Calls `look` with each command and group, all of them built, and the words of its path.
    fn every_command(look: &mut dyn FnMut(&[&str], &clap::Command)) {
        fn each(
            words: &[&str],
            command: &clap::Command,
            look: &mut dyn FnMut(&[&str], &clap::Command),
        ) {
            look(words, command);
            for (name, _) in below(command) {
                let words = [words, &[&name]].concat();
                each(&words, command.find_subcommand(&name).unwrap(), look);
            }
        }
        let mut root = command();
        root.build();
        each(&["acrt"], &root, look);
    }

    #[test]
    fn every_command_has_a_short_description_without_a_full_stop() {
        every_command(&mut |_, command| {
            for (name, about) in below(command) {
                assert!(!about.is_empty(), "{name} has no help");
                assert!(
                    about.len() <= 72 && !about.ends_with('.'),
                    "{name}: {about}"
                );
            }
        });
    }

    #[test]
    fn unbuilt_commands_have_no_arguments_and_the_same_description_as_built_ones() {
        every_command(&mut |words, built| {
            let mut root = command();
            let line = words.iter().chain(&["--help"]);
            root.try_get_matches_from_mut(line).unwrap_err();
            let typed = words[1..].iter().fold(&root, |group, word| {
                let others = group.get_subcommands();
                for other in others.filter(|it| ![*word, "help"].contains(&it.get_name())) {
                    assert_eq!(other.get_arguments().count(), 0, "{other}");
                    assert!(!other.has_subcommands(), "{other}");
                }
                group.find_subcommand(word).unwrap()
            });
            assert_eq!(below(typed), below(built));
        });
    }

    #[test]
    fn global_options_may_stand_anywhere_and_the_last_of_two_wins() {
        let of = |line: &str| {
            let matches = command().get_matches_from(line.split(' '));
            Global::typed(&matches).unwrap()
        };
        let global = of("acrt --verbose -o json task --state-dir a -o tsv list --state-dir b");
        assert!(global.verbose && !global.debug);
        assert_eq!(global.output, Some(crate::view::Format::Tsv));
        assert_eq!(global.state_dir, Some("b".into()));
        assert!(of("acrt task credential --debug list -n web").debug);
    }

    #[test]
    fn long_options_may_be_abbreviated_to_a_unique_prefix() {
        let line = "acrt task update --name web --base-image-trigger-ty all";
        assert!(Cli::try_parse_from(line.split(' ')).is_ok());
    }
}
