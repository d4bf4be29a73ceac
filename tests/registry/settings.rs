//! What a test tells the client: settings, a clock that no pause holds up, and logins.

use std::path::Path;

use acrt::{
    image::Reference,
    registry::{Login, LookupError, Registries, Seen},
    sys::{clock::Clock, config::RegistrySettings, secret::Secret, settings::Settings},
};

/// The settings of a user whose home is empty.
pub fn nobody() -> Settings {
    Settings::default()
}

/// The settings of a user whose docker keeps logins in `home`.
pub fn at_home(home: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.home = Some(home.to_owned());
    settings
}

/// Settings for one registry.
pub fn with(registry: &str, own: RegistrySettings) -> Settings {
    let mut settings = Settings::default();
    settings.config.registries.insert(registry.to_owned(), own);
    settings
}

/// A client on a clock that stands still but for pauses, which take no time: 9 September 2001, 01:46:40.
pub fn client(settings: &Settings, logins: Vec<Login>) -> (Registries, Clock) {
    let clock = Clock::new(Some("1000000000")).unwrap();
    (Registries::new(settings, clock.clone(), logins), clock)
}

/// A client without settings and logins.
pub fn anonymous() -> Registries {
    client(&nobody(), Vec::new()).0
}

pub fn login(registry: &str, username: &str, secret: &str) -> Login {
    Login {
        repositories: std::collections::BTreeSet::new(),
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

/// Looks at one tag that has no answer.
pub async fn failure(registries: &Registries, tag: &str) -> LookupError {
    registries.look(&reference(tag)).await.unwrap_err()
}

/// Looks at tags that all have answers.
pub async fn all(registries: &Registries, tags: &[String]) -> Vec<(Reference, Seen)> {
    let tags = tags.iter().map(|tag| reference(tag)).collect();
    let looked = registries.look_all(tags).await;
    looked
        .into_iter()
        .map(|(tag, seen)| (tag, seen.unwrap()))
        .collect()
}

/// Returns message, causes and hint as a person reads them.
pub fn words(error: LookupError) -> (String, String) {
    let error = acrt::Error::from(error);
    (
        error.one_line(),
        error.advice().unwrap_or_default().to_owned(),
    )
}
