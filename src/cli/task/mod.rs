//! `acrt task …`: task definitions, runs, and the loop that follows base images.

mod adopt;
mod cancel_run;
mod check;
mod create;
mod credential;
mod delete;
mod graph;
mod identity;
mod list;
mod list_runs;
mod logs;
pub mod run;
mod show;
mod show_run;
mod timer;
mod update;
mod update_run;
mod watch;
mod why;

use crate::{error::Result, ops::App};

use super::{
    lazy_args::LazyArgs,
    outcome::Outcome,
    report::Report,
    status::{self, StatusArgs},
};

#[derive(Debug, clap::Subcommand)]
pub enum TaskCommand {
    /// Create a task, or replace the one of that name
    ///
    /// A task builds a Dockerfile and pushes the images, carries out the steps of a YAML file, or keeps a copy of an image. Once it has run, it is run again whenever what it depends on moves. In a folder with a Dockerfile an image is all that must be named.
    Create(LazyArgs<create::CreateArgs>),
    /// Make tasks of what compose files, bake files and Dockerfiles build
    ///
    /// Shows what it would do, asks, and writes. A second time it changes only what has changed there; what a hand has changed stays.
    Adopt(LazyArgs<adopt::AdoptArgs>),
    /// Change a task
    ///
    /// What is not given stays as it is. Lists are replaced as a whole: `--image`, `--arg` and `--schedule` name all that shall be there.
    Update(LazyArgs<update::UpdateArgs>),
    /// Show a task
    ///
    /// On a terminal, and with -o table, what people want to know of it: what it builds, what it depends on, its timers and its last runs,
    /// and what is wrong. JSON is that of az.
    Show(LazyArgs<show::ShowArgs>),
    /// List all tasks
    List(LazyArgs<list::ListArgs>),
    /// Delete a task; its runs stay
    Delete(LazyArgs<delete::DeleteArgs>),
    /// Run a task now, and print its log
    ///
    /// Ctrl-C stops the builder. Options that change what is built hold for this run only, and what it depends on is then not recorded.
    Run(LazyArgs<run::RunArgs>),
    /// Follow base images, and rebuild what depends on those that moved
    ///
    /// Looks at each tag once a round, rebuilds stale tasks parents first, and goes on until it is stopped. With --once it makes one round
    /// over everything, prints a line for each task that it rebuilt, and nothing if there was nothing to do. What is wrong and has not changed
    /// is then said once a day, because cron mails it; on a terminal, and with --repeat, always. The exit code tells it each time.
    Watch(LazyArgs<watch::WatchArgs>),
    /// Say what is stale and why, without building
    ///
    /// Every tag is looked at now. A task that depends on a stale one is `waiting`: it is rebuilt after it.
    Check(LazyArgs<check::CheckArgs>),
    /// Show what depends on what, as a tree or a picture
    ///
    /// From what is known, without asking any registry. `-o` takes text, dot (Graphviz), mermaid and svg too.
    Graph(LazyArgs<graph::GraphArgs>),
    /// Show why a task was rebuilt, or would be, and what differs in its base
    ///
    /// Of each base that moved two manifests and two configs are read, and nothing else.
    Why(LazyArgs<why::WhyArgs>),
    #[command(hide = true)]
    Status(LazyArgs<StatusArgs>),
    /// List runs, the newest first
    ListRuns(LazyArgs<list_runs::ListRunsArgs>),
    /// Show a run
    ShowRun(LazyArgs<show_run::ShowRunArgs>),
    /// Print the log of a run, and follow it while the run goes on
    Logs(LazyArgs<logs::LogsArgs>),
    /// Stop a run that is queued or running
    CancelRun(LazyArgs<cancel_run::CancelRunArgs>),
    /// Protect a run from removal, or stop protecting it
    UpdateRun(LazyArgs<update_run::UpdateRunArgs>),
    /// Run a task at set times
    #[command(subcommand)]
    Timer(LazyArgs<timer::TimerCommand>),
    /// Give a task logins to registries, before those of docker and podman
    #[command(subcommand)]
    Credential(LazyArgs<credential::CredentialCommand>),
    /// Accept what az says of managed identities; there are none here
    #[command(subcommand)]
    Identity(LazyArgs<identity::IdentityCommand>),
}

pub fn run(app: &App, report: &Report, command: TaskCommand) -> Result<Outcome> {
    match command {
        TaskCommand::Adopt(args) => adopt::run(app, report, *args.0),
        TaskCommand::Create(args) => create::run(app, report, *args.0),
        TaskCommand::Update(args) => update::run(app, report, *args.0),
        TaskCommand::Show(args) => show::run(app, report, *args.0),
        TaskCommand::List(args) => list::run(app, report, *args.0),
        TaskCommand::Delete(args) => delete::run(app, report, *args.0),
        TaskCommand::Run(args) => run::run(app, report, *args.0),
        TaskCommand::Watch(args) => watch::run(app, report, *args.0),
        TaskCommand::Status(args) => status::run(app, report, *args.0),
        TaskCommand::Graph(args) => graph::run(app, report, *args.0),
        TaskCommand::Why(args) => why::run(app, *args.0),
        TaskCommand::Check(args) => check::run(app, report, *args.0),
        TaskCommand::ListRuns(args) => list_runs::run(app, report, *args.0),
        TaskCommand::ShowRun(args) => show_run::run(app, *args.0),
        TaskCommand::Logs(args) => logs::run(app, report, *args.0),
        TaskCommand::CancelRun(args) => cancel_run::run(app, report, *args.0),
        TaskCommand::UpdateRun(args) => update_run::run(app, *args.0),
        TaskCommand::Timer(group) => timer::run(app, *group.0),
        TaskCommand::Credential(group) => credential::run(app, report, *group.0),
        TaskCommand::Identity(group) => identity::run(app, report, *group.0),
    }
}
