//! `acrt login`

use crate::{
    cli::{
        flags::{login::password, registry::RegistryNameArgs},
        outcome::Outcome,
        report::Report,
    },
    error::{Error, Result},
    ops::{App, credential::StoredLogin, login},
    sys::secret::Secret,
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
    /// Password; env:NAME or file:PATH say where it is
    #[arg(short, long, conflicts_with = "password_stdin")]
    password: Option<Secret>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
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
    let given = match (
        args.username,
        password(report, args.password, args.password_stdin)?,
    ) {
        (Some(username), Some(password)) => Some(StoredLogin { username, password }),
        (Some(username), None) if report.can_ask() => {
            let password = Secret::new(report.ask_hidden("Password: ")?);
            Some(StoredLogin { username, password })
        }
        (None, None) => None,
        _ => {
            return Err(Error::invalid("a login needs a user and a password")
                .hint("give --username, and --password-stdin or --password env:NAME"));
        }
    };
    if args.expose_token {
        let token = app.wait(login::token(app, &registry, given))?;
        return Ok(Outcome::of(token, &[]));
    }
    let events = report.events();
    app.wait(login::login(app, &registry, given, &events))?;
    report.answer(b"Login Succeeded\n")?;
    Ok(Outcome::default())
}
