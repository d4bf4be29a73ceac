//! The contents of a registry: its repositories, the tags of one, and the parts of a manifest.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::image::{Digest, Platform, Reference};

use super::{
    client::{Registries, defective, refusal, success},
    documents::{body, head::Defect, kinds, manifest::StoredPlatform},
    problem::LookupError,
    requests::ask::Answer,
    transport::{
        http_client::cap,
        request_spec::{Access, RequestSpec},
    },
};

/// How many names are requested at once, as az does.
const PAGE: usize = 100;

/// The annotation of the OCI image specification with the time of creation.
const CREATED: &str = "org.opencontainers.image.created";

/// A manifest or an index, with its parts.
#[derive(Clone, Debug)]
pub struct Inspected {
    pub digest: Digest,
    pub media_type: String,
    /// The artifact type that it declares, if it is no image.
    pub artifact_type: Option<String>,
    /// Its bytes, unchanged.
    pub bytes: Vec<u8>,
    /// Its entries, if it is an index.
    pub children: Vec<ManifestPart>,
    pub config: Option<ManifestPart>,
    pub layers: Vec<ManifestPart>,
    /// The document that it refers to, if it is a signature, an SBOM or the like.
    pub subject: Option<Digest>,
    /// When it was made, from its annotations.
    pub created: Option<Timestamp>,
}

/// A descriptor in a manifest or an index.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestPart {
    pub digest: Digest,
    #[serde(default)]
    pub media_type: String,
    /// Its size in bytes.
    #[serde(default)]
    pub size: u64,
    /// Its platform, where the index gives one.
    #[serde(default, deserialize_with = "platform")]
    pub platform: Option<Platform>,
}

/// Deserializes a platform, unless a required part is missing.
fn platform<'de, D: Deserializer<'de>>(stored: D) -> Result<Option<Platform>, D::Error> {
    let stored = Option::<StoredPlatform>::deserialize(stored)?;
    Ok(stored.and_then(|stored| stored.platform()))
}

/// The fields of a manifest that are read: those that name other things.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedManifest {
    artifact_type: Option<String>,
    manifests: Option<Vec<ManifestPart>>,
    config: Option<ManifestPart>,
    layers: Option<Vec<ManifestPart>>,
    subject: Option<ManifestPart>,
    annotations: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Inspected {
    pub fn is_index(&self) -> bool {
        self.config.is_none() && self.layers.is_empty() && !self.children.is_empty()
            || self.media_type.contains("index")
            || self.media_type.contains("manifest.list")
    }

    /// Parses the response with a manifest.
    fn parse(headers: &HeaderMap, bytes: Vec<u8>) -> Result<Self, Defect> {
        let read = body::read(headers, &bytes)?;
        let stored: ListedManifest = serde_json::from_slice(&bytes)
            .map_err(|problem| Defect::Form(format!("its manifest is malformed: {problem}")))?;
        let config = stored.config;
        let own_type = config.as_ref().map(|config| config.media_type.clone());
        let artifact_type = stored.artifact_type.or(own_type);
        let created = stored.annotations.as_ref().and_then(|all| all.get(CREATED));
        Ok(Self {
            digest: read.seen.digest,
            media_type: read.seen.media_type,
            artifact_type: artifact_type.filter(|it| kinds::is_artifact(it)),
            children: stored.manifests.unwrap_or_default(),
            layers: stored.layers.unwrap_or_default(),
            config,
            subject: stored.subject.map(|subject| subject.digest),
            created: created.and_then(|created| created.as_str()?.parse().ok()),
            bytes,
        })
    }
}

impl RequestSpec {
    /// Requests a list of names: of a repository, or of the registry where `repository` is empty.
    fn list(repository: &str, thing: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            thing: thing.to_owned(),
            cap: cap::MANIFEST,
            ..Self::api()
        }
        .with(|more| {
            more.query = format!("n={PAGE}");
            if repository.is_empty() {
                more.access = Access::Catalog;
            }
        })
    }
}

impl Registries {
    /// Lists the repositories of a registry, sorted; `None` where it does not list them, or not for this login, as is common.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses this login altogether.
    pub async fn repositories(&self, registry: &str) -> Result<Option<Vec<String>>, LookupError> {
        let host = self.host(registry)?;
        // Before the list: a login that was accepted is refused the list alone, and not remembered as a wrong one.
        let api = host.ask(&RequestSpec::api()).await;
        let mut all = BTreeSet::new();
        let request_spec = RequestSpec::list("", "_catalog");
        let take = names_of(&mut all, "", "repositories");
        let refused = host.ask_for_pages(request_spec, take).await;
        let error = match refused {
            Ok(None) => return Ok(Some(all.into_iter().collect())),
            Ok(Some(answer)) if matches!(answer.response.status, 404 | 405 | 410 | 501) => {
                return Ok(None);
            }
            Ok(Some(answer)) => refusal(&answer),
            Err(error) => error,
        };
        if error.is_absent() {
            return Ok(None);
        }
        if !error.is_refused() {
            return Err(error);
        }
        match api {
            Ok(answer) if !matches!(answer.response.status, 401 | 403) => Ok(None),
            Ok(answer) => Err(refusal(&answer)),
            Err(error) => Err(error),
        }
    }

    /// Lists the tags of the repository of `image`, sorted; empty for a repository that does not exist.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not send the whole list, and does not say that it knows no such repository: other images may
    /// have tags then.
    pub async fn tags(&self, image: &Reference) -> Result<Vec<String>, LookupError> {
        let host = self.host_of(image)?;
        let mut all = BTreeSet::new();
        let request_spec = RequestSpec::list(image.repository(), "tags/list");
        let take = names_of(&mut all, image.repository(), "tags");
        let refused = host.ask_for_pages(request_spec, take).await;
        let error = match refused {
            // Artifactory lists the digests of images in an index among the tags.
            Ok(None) => {
                let tags = all.into_iter();
                return Ok(tags.filter(|it| it.parse::<Digest>().is_err()).collect());
            }
            Ok(Some(answer)) if knows_no_repository(&answer) => return Ok(Vec::new()),
            // Anything in front of a registry may answer this, for a repository that exists too.
            Ok(Some(answer)) if matches!(answer.response.status, 404 | 410) => {
                LookupError::bad_reply("it is no list of names".to_owned(), answer.asked)
            }
            Ok(Some(answer)) => refusal(&answer),
            Err(error) => error,
        };
        Err(error.shared_by(&image.name()))
    }

    /// Reads the manifest of `image`, by digest if it has one.
    ///
    /// # Errors
    ///
    /// [`LookupError`]: absent, or unknown; also where the bytes do not match the digest.
    pub async fn inspect(&self, image: &Reference) -> Result<Inspected, LookupError> {
        let host = self.host_of(image)?;
        let mut answer = success(host.ask(&RequestSpec::document(image)).await?)?;
        let bytes = std::mem::take(&mut answer.response.body);
        let read = Inspected::parse(&answer.response.headers, bytes)
            .map_err(|defect| defective(defect, answer.asked.clone()))?;
        match image.digest() {
            Some(digest) if *digest != read.digest => {
                let problem = "its content does not match its digest".to_owned();
                Err(LookupError::bad_reply(problem, answer.asked))
            }
            _ => Ok(read),
        }
    }

    /// Lists the referrers of a manifest from the registry; `None` where the registry has no referrers API.
    pub async fn referrers(
        &self,
        repository: &Reference,
        digest: &Digest,
    ) -> Result<Option<Vec<Digest>>, LookupError> {
        let host = self.host_of(repository)?;
        let found = host.referrers(repository, digest).await?;
        Ok(found.map(|all| all.into_iter().map(|it| it.digest).collect()))
    }

    /// Returns when an image was made and its platform, from its config; `None` without a config of an image.
    pub async fn made(
        &self,
        image: &Reference,
        manifest: &Inspected,
    ) -> Result<(Option<Timestamp>, Option<Platform>), LookupError> {
        let config = manifest.config.as_ref();
        let config =
            config.filter(|it| !it.media_type.is_empty() && kinds::is_image_config(&it.media_type));
        match config {
            Some(config) => {
                let config = self.config_at(image, &config.digest).await?;
                Ok((config.created, config.platform.clone()))
            }
            None => Ok((None, None)),
        }
    }
}

/// Returns a function that reads a page of a list, with names in the field `key`, into `all`.
fn names_of(
    all: &mut BTreeSet<String>,
    repository: &str,
    key: &str,
) -> impl FnMut(&Answer) -> Result<usize, LookupError> {
    move |answer| {
        let names = names_in(&answer.response.body, repository, key)
            .map_err(|problem| LookupError::bad_reply(problem, answer.asked.clone()))?;
        let before = all.len();
        all.extend(names);
        Ok(all.len() - before)
    }
}

/// Parses one page of a list of names.
fn names_in(body: &[u8], repository: &str, key: &str) -> Result<Vec<String>, String> {
    let no_list = |problem: &dyn std::fmt::Display| format!("it is no list of names: {problem}");
    let mut page: serde_json::Map<String, Value> =
        serde_json::from_slice(body).map_err(|problem| no_list(&problem))?;
    let is_named = page.get("name").and_then(Value::as_str).unwrap_or_default() == repository;
    match page.remove(key) {
        // Docker Distribution sends this for a repository without tags.
        Some(Value::Null) if is_named => Ok(Vec::new()),
        Some(names) => serde_json::from_value(names).map_err(|problem| no_list(&problem)),
        None => Err(no_list(&format_args!("it has no `{key}`"))),
    }
}

/// Tells whether the registry itself says that it knows no such repository. Harbor says `NOT_FOUND`, all others use the code of the
/// distribution specification.
fn knows_no_repository(answer: &Answer) -> bool {
    let is_it = |code: &String| matches!(code.as_str(), "NAME_UNKNOWN" | "NOT_FOUND");
    answer.response.status == 404 && answer.codes().iter().any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_of_names_without_a_list_is_refused_unless_an_empty_repository_says_null() {
        let tags = |body: &str| names_in(body.as_bytes(), "a/b", "tags");
        assert_eq!(tags(r#"{"tags":["1"]}"#), Ok(vec!["1".to_owned()]));
        assert_eq!(tags(r#"{"name":"a/b","tags":null}"#), Ok(Vec::new()));
        assert_eq!(tags(r#"{"name":"a/b","tags":[]}"#), Ok(Vec::new()));
        for body in [
            r#"{"error":"overloaded"}"#,
            r#"{"tags":null}"#,
            r#"{"name":"other","tags":null}"#,
            r#"{"name":"a/b","tags":{}}"#,
            r#"{"name":"a/b","tags":[1]}"#,
            "[]",
            "null",
            "",
        ] {
            assert!(tags(body).is_err(), "{body}");
        }
        let repositories = |body: &str| names_in(body.as_bytes(), "", "repositories");
        assert_eq!(repositories(r#"{"repositories":null}"#), Ok(Vec::new()));
        assert!(repositories("{}").is_err());
    }
}
