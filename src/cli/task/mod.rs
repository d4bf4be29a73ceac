//! `acrt task …`: definitions, runs, and the loop that follows base images.

mod adopt;
mod cancel_run;
mod check;
mod create;
mod credential;
mod delete;
mod execute;
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
    outcome::Outcome,
    report::Report,
    status::{self, StatusArgs},
};

/// Define, run and watch tasks
#[derive(Debug, clap::Subcommand)]
pub enum TaskCommand {
    Create(create::CreateArgs),
    Adopt(Box<adopt::AdoptArgs>),
    Update(update::UpdateArgs),
    Show(show::ShowArgs),
    List(list::ListArgs),
    Delete(delete::DeleteArgs),
    Run(run::RunArgs),
    Watch(watch::WatchArgs),
    Check(check::CheckArgs),
    Graph(graph::GraphArgs),
    Why(why::WhyArgs),
    #[command(hide = true)]
    Status(StatusArgs),
    ListRuns(list_runs::ListRunsArgs),
    ShowRun(show_run::ShowRunArgs),
    Logs(logs::LogsArgs),
    CancelRun(cancel_run::CancelRunArgs),
    UpdateRun(update_run::UpdateRunArgs),
    #[command(subcommand)]
    Timer(timer::TimerCommand),
    #[command(subcommand)]
    Credential(credential::CredentialCommand),
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    Execute(execute::ExecuteArgs),
}

pub fn run(app: &App, report: &Report, command: TaskCommand) -> Result<Outcome> {
    match command {
        TaskCommand::Adopt(args) => adopt::run(app, report, *args),
        TaskCommand::Create(args) => create::run(app, report, args),
        TaskCommand::Update(args) => update::run(app, report, args),
        TaskCommand::Show(args) => show::run(app, report, args),
        TaskCommand::List(args) => list::run(app, report, args),
        TaskCommand::Delete(args) => delete::run(app, report, args),
        TaskCommand::Run(args) => run::run(app, report, args),
        TaskCommand::Watch(args) => watch::run(app, report, args),
        TaskCommand::Status(args) => status::run(app, report, args),
        TaskCommand::Graph(args) => graph::run(app, report, args),
        TaskCommand::Why(args) => why::run(app, report, args),
        TaskCommand::Check(args) => check::run(app, report, args),
        TaskCommand::ListRuns(args) => list_runs::run(app, report, args),
        TaskCommand::ShowRun(args) => show_run::run(app, report, args),
        TaskCommand::Logs(args) => logs::run(app, report, args),
        TaskCommand::CancelRun(args) => cancel_run::run(app, report, args),
        TaskCommand::UpdateRun(args) => update_run::run(app, report, args),
        TaskCommand::Timer(command) => timer::run(app, report, command),
        TaskCommand::Credential(command) => credential::run(app, report, command),
        TaskCommand::Identity(command) => identity::run(app, report, command),
        TaskCommand::Execute(args) => execute::run(app, report, args),
    }
}
