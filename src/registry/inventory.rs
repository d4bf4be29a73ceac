//! The contents of a registry: its repositories, the tags of one, and the parts of a manifest.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, LINK};
use serde::{Deserialize, Deserializer};

use crate::image::{Digest, Platform, Reference};

use super::{
    client::{Registries, defective, refusal, success},
    documents::{body, head::Defect, kinds, manifest::StoredPlatform},
    problem::{FailedRequest, LookupError},
    requests::host::Host,
    transport::{
        http_client::cap,
        request_spec::{Access, RequestSpec},
    },
};

/// How many names are requested at once, as az does.
const PAGE: usize = 100;

/// More pages than any list has, for a registry whose list never ends.
const MAX_PAGES: usize = 10_000;

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
    /// Tells whether it is an index.
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
    fn list(repository: &str, thing: &str, query: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            thing: thing.to_owned(),
            ..Self::api()
        }
        .with(|more| {
            query.clone_into(&mut more.query);
            if repository.is_empty() {
                more.access = Access::Catalog;
            }
        })
    }
}

impl Registries {
    /// Lists the repositories of a registry, sorted; `None` where it does not list them, as is common.
    pub async fn repositories(&self, registry: &str) -> Result<Option<Vec<String>>, LookupError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Page {
            repositories: Option<Vec<String>>,
        }
        let host = self.host(registry)?;
        let listed = pages(&host, "", "_catalog", |page: Page| page.repositories).await;
        match listed {
            Ok(names) => Ok(Some(names.into_iter().collect())),
            Err(error) if is_closed(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the tags of the repository of `image`, sorted; empty for a repository that does not exist.
    pub async fn tags(&self, image: &Reference) -> Result<Vec<String>, LookupError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let host = self.host_of(image)?;
        let listed = pages(&host, image.repository(), "tags/list", |page: Page| {
            page.tags
        })
        .await;
        match listed {
            Ok(names) => Ok(names.into_iter().collect()),
            Err(error) if error.is_absent() => Ok(Vec::new()),
            Err(error) => Err(error.shared_by(&image.name())),
        }
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
        let answer = host
            .ask(&RequestSpec::referrers(repository, digest))
            .await?;
        match answer.response.status {
            200 => {
                let read = Inspected::parse(&answer.response.headers, answer.response.body)
                    .map_err(|defect| defective(defect, answer.asked.clone()))?;
                let digests = read.children.into_iter().map(|child| child.digest);
                Ok(Some(digests.collect()))
            }
            400 | 404 | 405 => Ok(None),
            _ => Err(refusal(&answer)),
        }
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

/// Tells whether a registry does not list its repositories: not at all, or not for this login.
fn is_closed(error: &LookupError) -> bool {
    let refused = matches!(
        error.asked().status,
        Some(401 | 403 | 404 | 405 | 410 | 501)
    );
    error.is_absent() || error.is_refused() || refused
}

/// Reads a list of names page by page.
async fn pages<P: for<'a> Deserialize<'a>>(
    host: &Host,
    repository: &str,
    thing: &str,
    names: impl Fn(P) -> Option<Vec<String>>,
) -> Result<BTreeSet<String>, LookupError> {
    let mut all = BTreeSet::new();
    let mut query = format!("n={PAGE}");
    let mut seen = BTreeSet::new();
    for _ in 0..MAX_PAGES {
        let mut request_spec = RequestSpec::list(repository, thing, &query);
        request_spec.cap = cap::MANIFEST;
        let answer = success(host.ask(&request_spec).await?)?;
        let bad = |problem: String| LookupError::bad_reply(problem, answer.asked.clone());
        let page: P = serde_json::from_slice(&answer.response.body)
            .map_err(|problem| bad(format!("it is no list of names: {problem}")))?;
        all.extend(names(page).unwrap_or_default());
        let Some(next) = next(&answer.response.headers) else {
            return Ok(all);
        };
        if !seen.insert(next.clone()) {
            return Err(bad("the pages of its list form a cycle".into()));
        }
        query = next;
    }
    let asked = FailedRequest {
        registry: host.registry.clone(),
        ..Default::default()
    };
    Err(LookupError::bad_reply(
        "its list has no end".to_owned(),
        asked,
    ))
}

/// Returns the query of the next page, from `Link: <…?last=x&n=100>; rel="next"` (RFC 8288). Only the query is used: a list continues at
/// the same path.
fn next(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(LINK).iter();
    let links = links.filter_map(|link| link.to_str().ok());
    links.flat_map(|link| link.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let rel = parameters.split(';').map(str::trim);
        let is_next = rel.into_iter().any(|one| {
            let value = one.strip_prefix("rel=");
            value.is_some_and(|value| value.trim_matches('"').eq_ignore_ascii_case("next"))
        });
        let (_, query) = target.split_once('?')?;
        let query = query.split('#').next().unwrap_or(query);
        (is_next && !query.is_empty()).then(|| query.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_page_url_is_taken_from_the_link_header() {
        let of = |link: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().unwrap());
            next(&headers)
        };
        let query = Some("last=a&n=2".to_owned());
        assert_eq!(of("</v2/_catalog?last=a&n=2>; rel=\"next\""), query);
        assert_eq!(
            of("<https://r.example/v2/x/tags/list?last=a&n=2>; rel=next"),
            query
        );
        assert_eq!(
            of("</x?p=0>; rel=\"prev\", </x?last=a&n=2>;rel=\"next\""),
            query
        );
        assert_eq!(of("</v2/_catalog>; rel=\"next\""), None);
        assert_eq!(of("nonsense"), None);
    }
}
