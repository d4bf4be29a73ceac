//! The front door: one file for each command, at the path at which it is typed.

mod build;
mod builder;
mod check_health;
mod columns;
mod complete;
mod completion;
mod config;
mod deps;
mod flags;
mod global;
mod image;
mod import;
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

use clap::{CommandFactory as _, Parser};

use crate::{
    error::{Kind, Result},
    ops::{App, GlobalOptions},
};

use global::Global;
use outcome::Outcome;
use report::Report;

/// Rebuild container images when what they are built from changes
#[derive(Debug, Parser)]
#[command(
    name = "acrt",
    version,
    // `build.rs` knows the commit and the day.
    long_version = concat!(env!("CARGO_PKG_VERSION"), env!("ACRT_BUILD")),
    infer_long_args = true,
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
    #[command(subcommand)]
    Task(Box<task::TaskCommand>),
    Build(Box<build::BuildArgs>),
    Run(Box<run::QuickRunArgs>),
    Import(Box<import::ImportArgs>),
    Status(status::StatusArgs),
    Purge(Box<purge::PurgeArgs>),
    #[command(subcommand)]
    Repository(Box<repository::RepositoryCommand>),
    #[command(subcommand)]
    Manifest(Box<manifest::ManifestCommand>),
    #[command(subcommand)]
    Image(Box<image::ImageCommand>),
    Login(login::LoginCommandArgs),
    Logout(logout::LogoutArgs),
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    #[command(subcommand)]
    Builder(builder::BuilderCommand),
    Deps(deps::DepsArgs),
    CheckHealth(check_health::CheckHealthArgs),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Completion(completion::CompletionArgs),
}

/// Returns every command with its options, as completions, man pages and the reference are made of them.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Carries out a command line, and returns its exit code.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    match complete::answered(&args, command) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(problem) => return report::usage(&problem),
    }
    let args = typed::meant(args);
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(usage) => {
            return match refused::refusal(&usage, &args, &command()) {
                Some(error) => report::refused(&error),
                None => report::usage(&usage),
            };
        }
    };
    let format = cli.global.format();
    let wanted = format.as_ref().ok().copied().flatten();
    let report = Report::new(&cli.global, wanted);
    flags::azure::tell_global(&cli.global, &report);
    let worked = format.and_then(|_| dispatch(&cli.global.surroundings(), &report, cli.command));
    report.done();
    let worked = worked.and_then(|outcome| show(&report, &cli.global, outcome));
    let kind = match worked {
        Ok(kind) => kind,
        Err(error) => {
            report.error(&error);
            Some(error.kind())
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
        Command::Task(command) => task::run(&with_state()?, report, *command),
        Command::Build(args) => build::run(&with_state()?, report, *args),
        Command::Run(args) => run::run(&with_state()?, report, *args),
        Command::Import(args) => import::run(&with_state()?, report, *args),
        Command::Status(args) => status::run(&with_state()?, report, args),
        Command::Purge(args) => purge::run(&with_state()?, report, *args),
        Command::Repository(command) => repository::run(&with_state()?, report, *command),
        Command::Manifest(command) => manifest::run(&with_state()?, report, *command),
        Command::Image(command) => image::run(&app()?, report, *command),
        Command::Login(args) => login::run(&app()?, report, args),
        Command::Logout(args) => logout::run(&app()?, report, args),
        Command::Notify(command) => notify::run(&app()?, command),
        Command::Builder(command) => builder::run(&with_state()?, report, command),
        Command::Deps(args) => deps::run(&app()?, report, args),
        Command::CheckHealth(args) => check_health::run(&app()?, report, args),
        Command::Config(command) => config::run(around, command),
        Command::Completion(args) => completion::run(report, args),
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
    fn flags_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_in_one_short_line_without_a_full_stop() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
                let name = sub.get_name();
                assert!(!about.is_empty(), "{name} has no help");
                assert!(
                    about.len() <= 72 && !about.ends_with('.'),
                    "{name}: {about}"
                );
                check(sub);
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn long_options_may_be_shortened_to_what_is_unique() {
        let line = "acrt task update --name web --base-image-trigger-ty all";
        assert!(Cli::try_parse_from(line.split(' ')).is_ok());
    }
}
