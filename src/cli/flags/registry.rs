//! Options that name a registry and the login for it, for commands that read a registry.

use std::collections::BTreeSet;

use clap::ValueEnum;

use crate::{
    cli::{flags::AZURE, report::Report},
    error::{Error, Result},
    image::reference::{is_registry, meant_registry},
    ops::{
        App,
        credential::{Login, LoginSource, logins_at, resolved},
        repository::{Listing, TimeOrder},
        task::named_registry,
    },
    sys::secret::Secret,
};

use super::{bare::one_of, login::warn_of_plain};

/// Parses the name of a registry, which may be a name of the config file; that is checked later.
pub fn login_server(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the name is empty: is the variable set that it comes from?".into());
    }
    match meant_registry(text) {
        Some(meant) => Err(format!(
            "a registry is a host, perhaps with a port: {meant}"
        )),
        None => Ok(text.to_owned()),
    }
}

/// Reports which registry a bare name stands for: Azure's registry of that name, as in az, unless the config file
/// defines it.
pub fn report_azure(app: &App, report: &Report, name: Option<&str>) {
    if let Some(name) = name
        && let server = app.settings.login_server(name)
        && is_registry(&server)
        && server
            .strip_suffix(".azurecr.io")
            .is_some_and(|own| own.eq_ignore_ascii_case(name))
    {
        report.note(&format!(
            "registry `{name}` means `{server}`; name a registry of this machine with its port, such as localhost:5000"
        ));
    }
}

// `--username`, `--password` and options of Azure.
#[derive(Debug, clap::Args)]
pub struct RegistryLoginArgs {
    /// User at the registry; env:NAME or file:PATH say where it is
    #[arg(short, long)]
    username: Option<Secret>,
    /// Password at the registry; env:NAME or file:PATH say where it is
    #[arg(short, long, allow_hyphen_values = true, requires = "username")]
    password: Option<Secret>,
    /// Tenant part of the login server
    #[arg(long, hide_short_help = true, help_heading = AZURE, value_name = "SUFFIX")]
    suffix: Option<String>,
    /// Name of resource group
    #[arg(short = 'g', long, hide_short_help = true, help_heading = AZURE, value_name = "NAME")]
    resource_group: Option<String>,
}

impl RegistryLoginArgs {
    /// Makes all logins known to the registry client; the given login takes precedence for `registry`.
    pub fn enter(self, app: &App, report: &Report, registry: &str) -> Result<()> {
        let is_wanted = |server: &str| app.is_same_registry(server, registry);
        let mut logins = logins_at(app, is_wanted, &[], &mut 0, &report.events())?;
        let password = self.password.inspect(|password| {
            warn_of_plain(
                report,
                password,
                "--password env:NAME or file:PATH hides it",
            );
        });
        match (self.username, password) {
            (Some(username), Some(password)) => {
                let username = resolved(&username, "the user")?;
                let login = Login {
                    registry: registry.to_owned(),
                    username: username.reveal().to_owned(),
                    secret: resolved(&password, "the password")?,
                    repositories: BTreeSet::new(),
                    source: LoginSource::Options,
                };
                logins.insert(0, login);
            }
            (None, _) => {}
            (Some(_), None) => {
                return Err(
                    Error::invalid("a login needs a user and a password").hint(format!(
                        "give --password env:NAME, or log in once: acrt login {registry}"
                    )),
                );
            }
        }
        app.registries_with(logins);
        Ok(())
    }
}

// A registry: a bare argument or `--name`, which az uses for registries outside of tasks.
#[derive(Debug, clap::Args)]
pub struct RegistryNameArgs {
    /// Registry [default: $ACRT_REGISTRY]
    #[arg(value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    bare_name: Option<String>,
    /// The same, as az takes it
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    name: Option<String>,
}

impl RegistryNameArgs {
    /// Returns the registry; if none is given, that of an image or a repository, or the default.
    pub fn find(self, app: &App, report: &Report, of: Option<&str>) -> Result<String> {
        let name = one_of(self.bare_name, self.name, "--name")?;
        report_azure(app, report, name.as_deref());
        named_registry(app, name.as_deref(), of)
    }
}

// A registry and the login for it, for the commands of `acr repository`.
#[derive(Debug, clap::Args)]
pub struct RegistryArgs {
    #[command(flatten)]
    name: RegistryNameArgs,
    #[command(flatten)]
    entry: RegistryLoginArgs,
}

impl RegistryArgs {
    /// Returns the registry, as [`RegistryNameArgs::find`] does, after making all logins known.
    pub fn enter(self, app: &App, report: &Report, of: Option<&str>) -> Result<String> {
        let registry = self.name.find(app, report, of)?;
        self.entry.enter(app, report, &registry)?;
        Ok(registry)
    }
}

// `--top` and `--orderby`
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ListingArgs {
    /// Show no more than this many
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    top: Option<usize>,
    /// Order by time instead of by name
    #[arg(long, ignore_case = true)]
    orderby: Option<OrderBy>,
}

/// `--orderby`
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum OrderBy {
    /// The oldest first
    TimeAsc,
    /// The newest first
    TimeDesc,
}

impl From<ListingArgs> for Listing {
    fn from(args: ListingArgs) -> Self {
        Self {
            top: args.top,
            order: args.orderby.map(|order| match order {
                OrderBy::TimeAsc => TimeOrder::Ascending,
                OrderBy::TimeDesc => TimeOrder::Descending,
            }),
        }
    }
}
