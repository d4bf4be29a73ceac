//! Options with a login.

use std::io::Read as _;

use crate::{
    cli::{flags::AZURE, report::Report},
    error::{Context as _, Error, Kind, Result},
    ops::credential::StoredLogin,
    sys::secret::{Secret, is_place, to_store},
};

/// The longest password that is read.
const MAX_PASSWORD: u64 = 64 * 1024;

// `--login-server`, `--username` and the password.
#[derive(Debug, clap::Args)]
pub struct LoginArgs {
    /// Login server, as ghcr.io or localhost:5000
    #[arg(long)]
    login_server: String,
    /// User; env:NAME or file:PATH say where it is
    #[arg(short, long)]
    username: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    /// Managed identity for the login
    #[arg(long, hide_short_help = true, help_heading = AZURE, value_name = "IDENTITY")]
    use_identity: Option<String>,
}

// `--password` and `--password-stdin`.
#[derive(Debug, clap::Args)]
pub struct PasswordArgs {
    /// Password; env:NAME or file:PATH say where it is
    #[arg(
        short,
        long,
        allow_hyphen_values = true,
        conflicts_with = "password_stdin"
    )]
    password: Option<Secret>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordArgs {
    fn is_given(&self) -> bool {
        self.password.is_some() || self.password_stdin
    }

    /// Returns the given password, or the one from standard input.
    pub fn read(self, report: &Report) -> Result<Option<Secret>> {
        match self.password {
            None if self.password_stdin => standard_input().map(Some),
            password => Ok(password.inspect(|password| {
                warn_of_plain(report, password, "--password-stdin hides it");
            })),
        }
    }
}

/// Warns of a password that stands in the command line itself, with what the command has to hide it.
pub fn warn_of_plain(report: &Report, password: &Secret, better: &str) {
    // az's `@FILE` in place of a value is none in the command line.
    let mut line = std::env::args_os();
    let text = password.reveal();
    if !is_place(text) && line.any(|word| word.to_string_lossy().contains(text)) {
        report.warning(&format!(
            "other users can read a password in a command line; {better}"
        ));
    }
}

/// The parts of a login that were given.
#[derive(Debug)]
pub struct LoginParts {
    /// The login server.
    pub server: String,
    /// The user.
    pub username: Option<Secret>,
    /// The password.
    pub password: Option<Secret>,
}

impl LoginArgs {
    /// Tells whether only an identity of Azure was given, which no registry outside of Azure accepts; warns of it.
    pub fn is_of_azure_alone(&self, report: &Report) -> bool {
        let is_alone =
            self.use_identity.is_some() && self.username.is_none() && !self.password.is_given();
        if is_alone {
            report.warning(&format!(
                "without effect outside Azure: --use-identity; `{}` is reached with the logins of docker and podman",
                self.login_server
            ));
        }
        is_alone
    }

    pub fn parts(self, report: &Report) -> Result<LoginParts> {
        if self.use_identity.is_some() {
            report.warning("without effect outside Azure: --use-identity");
        }
        let parts = LoginParts {
            server: self.login_server,
            username: self.username.map(Secret::new).map(to_store).transpose()?,
            password: self.password.read(report)?.map(to_store).transpose()?,
        };
        let mut given = parts.username.iter().chain(&parts.password);
        match given.find(|part| part.reveal().is_empty()) {
            Some(_) => Err(incomplete()),
            None => Ok(parts),
        }
    }
}

/// Returns a login, of which no part may be empty.
///
/// # Errors
///
/// [`Kind::Invalid`] with the options that give the parts.
pub fn complete(username: Option<Secret>, password: Option<Secret>) -> Result<StoredLogin> {
    let is_there = |part: &Secret| !part.reveal().is_empty();
    match (username.filter(is_there), password.filter(is_there)) {
        (Some(username), Some(password)) => Ok(StoredLogin { username, password }),
        _ => Err(incomplete()),
    }
}

fn incomplete() -> Error {
    Error::invalid("a login needs a user and a password")
        .hint("give --username, and --password-stdin or --password env:NAME")
}

fn standard_input() -> Result<Secret> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_PASSWORD)
        .read_to_string(&mut text)
        .context(Kind::Invalid, || {
            "cannot read the password from standard input".to_owned()
        })?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Error::invalid("standard input gives no password"));
    }
    Ok(Secret::new(password))
}
