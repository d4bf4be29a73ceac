//! Logs in to a registry for docker, podman and acrt alike, and logs out.

use serde::Serialize;

use crate::{
    error::{Error, Kind, Result},
    registry::Login,
};

use super::{
    App, Event, EventSink,
    credential::{StoredLogin, looked_up},
};

/// A token of a registry, in az's shape.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenAnswer {
    access_token: String,
    login_server: String,
}

/// Checks a login, and stores it where docker and podman find it. Without `login`, the stored login is checked.
///
/// # Errors
///
/// [`Kind::Unknown`] where the registry does not accept it; [`Kind::Failed`] where it cannot be stored.
pub async fn login(
    app: &App,
    registry: &str,
    login: Option<StoredLogin>,
    events: &EventSink<'_>,
) -> Result<()> {
    let login = given(registry, login)?;
    app.registries_with(login.iter().cloned().collect());
    check(app, registry, login.is_some(), events).await?;
    let Some(login) = login else {
        return Ok(());
    };
    let also = app.settings.credentials.registry_auth_file.as_deref();
    let kept = app.registries().store_login(&login, also).await;
    let places = kept.map_err(|problem| unusable("keep the login for", registry, problem))?;
    events.send(Event::Note(format!(
        "the login for `{registry}` is kept in {}",
        places.join(" and ")
    )));
    Ok(())
}

/// Returns a token of a registry. Stores nothing.
///
/// # Errors
///
/// As [`login`]; [`Kind::Failed`] where the registry grants no tokens.
pub async fn token(app: &App, registry: &str, login: Option<StoredLogin>) -> Result<TokenAnswer> {
    let login = given(registry, login)?;
    app.registries_with(login.iter().cloned().collect());
    match app.registries().access_token(registry).await? {
        Some(token) => Ok(TokenAnswer {
            access_token: token.reveal().to_owned(),
            login_server: registry.to_owned(),
        }),
        None => Err(Error::failed(format!(
            "`{registry}` grants no tokens: it takes user and password"
        ))
        .hint("leave out --expose-token")),
    }
}

/// Removes the login for a registry wherever docker and podman store it. Returns whether there was one.
///
/// # Errors
///
/// [`Kind::Failed`] where a file or helper cannot be used.
pub async fn logout(app: &App, registry: &str) -> Result<bool> {
    let erased = app.registries().erase_login(registry).await;
    let places = erased.map_err(|problem| unusable("forget the login for", registry, problem))?;
    Ok(!places.is_empty())
}

fn given(registry: &str, login: Option<StoredLogin>) -> Result<Option<Login>> {
    let login = login.map(|login| looked_up(registry.to_owned(), &login, ""));
    login.transpose()
}

/// Checks the login with a request to the registry's API.
async fn check(app: &App, registry: &str, is_new: bool, events: &EventSink<'_>) -> Result<()> {
    let health = app.registries().health(registry).await;
    let login = health
        .login
        .map_err(|problem| unusable("read the login for", registry, problem))?;
    match health.api {
        Ok(()) => {
            if login.is_none() && !is_new {
                events.send(Event::Warning(format!(
                    "no login for `{registry}` is stored; it answers without one"
                )));
            }
            Ok(())
        }
        Err(error) if error.is_refused() && is_new => Err(Error::new(
            Kind::Unknown,
            format!("`{registry}` does not accept this user and password"),
        )
        .because(error)
        .hint("no login was saved; try again")),
        Err(error) if error.is_refused() && login.is_none() => {
            let none = format!("there is no login for `{registry}`");
            Err(Error::new(Kind::Unknown, none).because(error).hint(format!(
                "give one: acrt login --name {registry} --username USER --password-stdin"
            )))
        }
        Err(error) => Err(error.into()),
    }
}

fn unusable(what: &str, registry: &str, problem: String) -> Error {
    Error::failed(format!("cannot {what} `{registry}`")).because(anyhow::anyhow!(problem))
}
