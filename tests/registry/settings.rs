//! The client's settings, clock and logins in tests.

use std::path::Path;

use acrt::{
    image::Reference,
    registry::{Login, LoginSource, LookupError, Registries, ResolvedTag},
    sys::{clock::Clock, config::RegistrySettings, secret::Secret, settings::Settings},
};

/// Returns the settings of a user with an empty home.
pub fn nobody() -> Settings {
    Settings::default()
}

/// Returns the settings of a user whose docker stores logins in `home`.
pub fn at_home(home: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.home = Some(home.to_owned());
    settings
}

/// Returns settings for one registry.
pub fn with(registry: &str, own: RegistrySettings) -> Settings {
    let mut settings = Settings::default();
    settings.config.registries.insert(registry.to_owned(), own);
    settings
}

/// Returns a client with a clock that only pauses advance, immediately: 9 September 2001, 01:46:40.
pub fn client(settings: &Settings, logins: Vec<Login>) -> (Registries, Clock) {
    let clock = Clock::new(Some("1000000000")).unwrap();
    (Registries::new(settings, clock.clone(), logins), clock)
}

/// Returns a client without settings and logins.
pub fn anonymous() -> Registries {
    client(&nobody(), Vec::new()).0
}

pub fn login(registry: &str, username: &str, secret: &str) -> Login {
    Login {
        repositories: std::collections::BTreeSet::new(),
        source: LoginSource::Options,
        registry: registry.to_owned(),
        username: username.to_owned(),
        secret: Secret::new(secret),
    }
}

pub fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

/// Looks at one tag and returns its digest.
pub async fn digest(registries: &Registries, tag: &str) -> String {
    registries
        .look(&reference(tag))
        .await
        .unwrap()
        .digest
        .to_string()
}

/// Looks at one tag and expects a failure.
pub async fn failure(registries: &Registries, tag: &str) -> LookupError {
    registries.look(&reference(tag)).await.unwrap_err()
}

/// Looks at tags and expects all to succeed.
pub async fn all(registries: &Registries, tags: &[String]) -> Vec<(Reference, ResolvedTag)> {
    let tags = tags.iter().map(|tag| reference(tag)).collect();
    let looked = registries.look_all(tags).await;
    looked
        .into_iter()
        .map(|(tag, seen)| (tag, seen.unwrap()))
        .collect()
}

/// Returns the message with its causes, and the hint, as they are shown.
pub fn words(error: LookupError) -> (String, String) {
    let error = acrt::Error::from(error);
    (
        error.one_line(),
        error.advice().unwrap_or_default().to_owned(),
    )
}
