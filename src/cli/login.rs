//! `acrt login`

use crate::{
    cli::{
        flags::{
            login::{PasswordArgs, complete},
            registry::RegistryNameArgs,
        },
        outcome::Outcome,
        report::Report,
    },
    error::Result,
    ops::{App, login},
    sys::{
        secret::Secret,
        signal::{OnHangup, Stop},
    },
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt login localhost:5000 -u me --password-stdin < password\n  acrt login ghcr.io -u me -p env:GHCR_TOKEN\n  acrt login ghcr.io --expose-token --query accessToken -o tsv"
)]
pub struct LoginCommandArgs {
    #[command(flatten)]
    name: RegistryNameArgs,
    /// User; env:NAME or file:PATH say where it is. On a terminal, its password is asked for
    #[arg(short, long)]
    username: Option<Secret>,
    #[command(flatten)]
    password: PasswordArgs,
    /// Print a token of the registry, and keep no login
    #[arg(short = 't', long)]
    expose_token: bool,
    /// Tenant part of the login server
    #[arg(long, hide_short_help = true, help_heading = crate::cli::flags::AZURE, value_name = "SUFFIX")]
    suffix: Option<String>,
    /// Name of resource group
    #[arg(short = 'g', long, hide_short_help = true, help_heading = crate::cli::flags::AZURE, value_name = "NAME")]
    resource_group: Option<String>,
}

pub fn run(app: &App, report: &Report, args: LoginCommandArgs) -> Result<Outcome> {
    let registry = args.name.find(app, report, None)?;
    let password = args.password.read(report)?;
    app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        let work = log_in(
            app,
            report,
            &registry,
            (args.username, password),
            args.expose_token,
        );
        stop.or(work).await
    })
}

async fn log_in(
    app: &App,
    report: &Report,
    registry: &str,
    given: (Option<Secret>, Option<Secret>),
    exposes_token: bool,
) -> Result<Outcome> {
    let given = match given {
        (None, None) => None,
        (Some(username), None) if report.can_ask() => {
            let password = Secret::new(report.ask_hidden("Password: ").await?);
            Some(complete(Some(username), Some(password))?)
        }
        (username, password) => Some(complete(username, password)?),
    };
    if exposes_token {
        let token = login::token(app, registry, given).await?;
        return Ok(Outcome::of(token, &[]));
    }
    login::login(app, registry, given, &report.events()).await?;
    report.answer(b"Login Succeeded\n")?;
    Ok(Outcome::default())
}
