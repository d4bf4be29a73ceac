//! `acrt task logs`

use crate::{
    cli::{
        flags::{azure::AzureArgs, one_task::NameArgs, run_id::run_id},
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{self, App, runs::RunFilter},
};

use super::list_runs::checked;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task logs                    (the newest run)\n  acrt task logs web                (the newest run of a task)\n  acrt task logs --run-id ca7"
)]
#[command(mut_arg("bare_name", |arg| arg.help("The newest run of this task")))]
pub struct LogsArgs {
    /// Run whose log to print [default: the newest]
    #[arg(long)]
    run_id: Option<String>,
    #[command(flatten)]
    name: NameArgs,
    /// The newest run that pushed this image
    #[arg(short = 't', long)]
    image: Option<String>,
    /// Only runs on this registry
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Print the log unchanged, with all control sequences
    #[arg(long)]
    raw: bool,
    /// Do not format the log; it never is
    #[arg(long, hide_short_help = true)]
    no_format: bool,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: LogsArgs) -> Result<Outcome> {
    report.shows_raw(args.raw);
    let registry = args.registry.map(|it| app.settings.login_server(&it));
    let id = match args.run_id {
        Some(id) => run_id(app, &id)?,
        None => {
            let filter = RunFilter {
                task: args.name.get()?,
                image: args.image.map(checked).transpose()?,
                registry,
                ..RunFilter::default()
            };
            let id = ops::runs::newest(app, &filter)?;
            report.as_az(&format!(
                "Showing logs of the last created run with ID: {id}"
            ));
            id
        }
    };
    let is_read = || report.is_read();
    app.wait(ops::runs::logs(app, id, &is_read, &report.events()))?;
    Ok(Outcome::default())
}
