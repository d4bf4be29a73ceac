//! `acrt import`

use crate::{
    cli::{
        columns,
        flags::{
            azure::AzureArgs,
            build::{Platforms, platforms},
            login::PasswordArgs,
        },
        outcome::Outcome,
        report::Report,
        task::run::detached,
    },
    error::{Error, Result},
    ops::{
        App,
        credential::StoredLogin,
        import::{self, Import},
    },
    sys::{
        secret::Secret,
        signal::{OnHangup, Stop},
    },
    view::View,
};

/// The user name for logins whose password is a token.
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt import --name localhost:5000 --source docker.io/library/node:20\n  acrt import -n localhost:5000 --source ghcr.io/acme/base:1 \\\n    -t base:1 -t base:latest --force\n  acrt import --source node:20 --image oci:/media/usb/images:node-20\n  acrt import --source oci:/media/usb/images:node-20 \\\n    -t localhost:5000/node:20"
)]
#[command(mut_arg("password", |arg| arg.help("Password at the registry of the source, or without a user a token; env:NAME or file:PATH say where it is")))]
pub struct ImportArgs {
    /// Image to copy, or a folder, as oci:FOLDER[:NAME]
    #[arg(long, value_name = "IMAGE")]
    source: String,
    /// Registry that the copy goes to [default: the one in --image, or $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    name: Option<String>,
    /// Registry of a source whose name has none; without --name, the registry that the copy goes to
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Name of the copy, as name:tag or oci:FOLDER[:NAME] [default: that of the source] (can be repeated)
    #[arg(short = 't', long = "image", value_name = "IMAGE")]
    images: Vec<String>,
    /// Repository that gets the copy without a tag (can be repeated)
    #[arg(long = "repository", value_name = "NAME")]
    repositories: Vec<String>,
    /// Move tags that name another image
    #[arg(long)]
    force: bool,
    /// Platforms to copy, as linux/amd64,linux/arm64; the copy gets another digest then [default: all]
    #[arg(long, value_parser = platforms)]
    platform: Option<Platforms>,
    /// Copy signatures, SBOMs and whatever else refers to the image too
    #[arg(long)]
    all_referrers: bool,
    /// User at the registry of the source; env:NAME or file:PATH say where it is
    #[arg(short, long)]
    username: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    /// Return at once; the copy continues in the background, as a run
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    azure: AzureArgs,
}

pub fn run(app: &App, report: &Report, args: ImportArgs) -> Result<Outcome> {
    let no_wait = args.no_wait;
    let import = request(report, args)?;
    if no_wait {
        return detached(app, report, &import::quick(app, &import)?, false);
    }
    let answer = app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        let events = report.events();
        import::import(app, &import, &stop, &events).await
    })?;
    Ok(Outcome::answer(
        View::of(answer, columns::IMPORT).rows_at("/images"),
    ))
}

fn request(report: &Report, args: ImportArgs) -> Result<Import> {
    let login = match (args.username, args.password.read(report)?) {
        (Some(username), Some(password)) => Some(StoredLogin {
            username: Secret::new(username),
            password,
        }),
        // As in az, a password alone is a token, which registries accept from any user. This is the user name for ACR's
        // tokens.
        (None, Some(password)) => Some(StoredLogin {
            username: Secret::new(TOKEN_USER),
            password,
        }),
        (None, None) => None,
        (Some(_), None) => {
            return Err(Error::invalid("a login for the source needs a password")
                .hint("give --password-stdin or --password env:NAME"));
        }
    };
    let source_registry = args.registry.as_deref().map(of_resource_id);
    let (registry, source_registry) = match args.name {
        Some(name) => (Some(name), source_registry),
        None => (source_registry, None),
    };
    Ok(Import {
        source: args.source,
        source_registry,
        images: args.images,
        repositories: args.repositories,
        registry,
        platforms: args.platform.unwrap_or_default().0,
        all_referrers: args.all_referrers,
        force: args.force,
        login,
    })
}

/// Returns the name of a registry from Azure's resource id, `/subscriptions/…/registries/NAME`.
fn of_resource_id(text: &str) -> String {
    let name = text
        .starts_with("/subscriptions/")
        .then(|| text.rsplit('/').next());
    name.flatten().unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_registry_accepts_an_azure_resource_id() {
        let id = "/subscriptions/1/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/acme";
        assert_eq!(of_resource_id(id), "acme");
        assert_eq!(of_resource_id("localhost:5000"), "localhost:5000");
    }
}
