//! The client of all registries: the look-ups that the rest of the program makes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{Stream, StreamExt as _, stream};

use crate::{
    error::{self, Error},
    image::Reference,
    sys::{clock::Clock, secret::Secret, settings::Settings},
};

use super::{
    auth::groups,
    canonical,
    credentials::{auth_file::AuthFormat, credential::Login, keychain::Keychain},
    documents::{
        body::{self, ReadDocument},
        head::{self, Defect, ResolvedTag},
    },
    memory::{
        cache::{Cache, CacheExport, SeenTags},
        head_trust::LookMethod,
        learnt::Memory,
    },
    problem::{FailedRequest, LookupError, LookupFailure, MissingPart},
    requests::{ask::Answer, host::Host},
    transport::{
        connection_warmup::ConnectionWarmup,
        limits::{Concurrency, MAX_CONNECTIONS},
        request_spec::RequestSpec,
    },
};

/// A tag with its digest, or why the digest is unknown.
type LookedTag = (Reference, Result<ResolvedTag, LookupError>);

/// All registries, as this process knows them: connections, tokens, limits. Cheap to make; connections are opened when needed.
pub struct Registries {
    settings: Settings,
    pub(super) clock: Clock,
    pub(super) keychain: Arc<Keychain>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    memory: Arc<Memory>,
}

/// How many tags of a run are looked at concurrently that are not in the cache.
const CACHED_AT_ONCE: usize = 16;

impl Registries {
    /// Creates the registries from `settings`. `logins` take precedence over those of podman and docker.
    pub fn new(settings: &Settings, clock: Clock, logins: Vec<Login>) -> Self {
        Self::with_memory(settings, clock, logins, Arc::default())
    }

    /// Creates the registries from other `settings` and `logins`, with what these have learnt: limits and pauses that registries asked for,
    /// whether their HEAD responses are reliable, documents by digest, and recent looks at tags. Tokens and refused credentials are not
    /// taken over.
    pub fn with(&self, settings: &Settings, logins: Vec<Login>) -> Self {
        let memory = Arc::clone(&self.memory);
        Self::with_memory(settings, self.clock.clone(), logins, memory)
    }

    fn with_memory(
        settings: &Settings,
        clock: Clock,
        logins: Vec<Login>,
        memory: Arc<Memory>,
    ) -> Self {
        Self {
            keychain: Arc::new(Keychain::new(settings, logins)),
            settings: settings.clone(),
            clock,
            hosts: Mutex::default(),
            memory,
        }
    }

    /// Resolves a reference: one HEAD, and a GET only where the registry leaves no other way. Always sends a request.
    pub async fn look(&self, tag: &Reference) -> Result<ResolvedTag, LookupError> {
        let host = self.host_of(tag)?;
        let seen = self.look_at(&host, tag, 0).await;
        self.cache().looked(tag, &seen);
        seen
    }

    /// Remembers the answer of every look at a tag from now on, as long as the returned value lives. Only [`Self::look_cached`] and
    /// [`Self::look_all_cached`] use it.
    pub fn remember_tags(&self) -> SeenTags {
        self.memory.cache.hold_tags()
    }

    /// Remembers an answer about a tag also for other names of its registry, as far as these have the same login.
    pub async fn remember_for(
        &self,
        others: &BTreeSet<Reference>,
        tag: &Reference,
        seen: &ResolvedTag,
    ) {
        let login = async |tag: &Reference| {
            let registry = canonical(tag.registry());
            let found = self.keychain.find(registry, tag.repository()).await?;
            Ok::<_, String>(found.map(|found| found.credential))
        };
        let Ok(own) = login(tag).await else { return };
        for other in others {
            if login(other).await.as_ref() == Ok(&own) {
                self.cache().looked::<LookupError>(other, &Ok(seen.clone()));
            }
        }
    }

    /// Drops the remembered answer about a tag, because the tag was pushed.
    pub fn forget_tag(&self, tag: &Reference) {
        self.cache().forget_tag(tag);
    }

    /// Returns the remembered answer about a tag; else looks at it, once for all concurrent callers.
    pub async fn look_cached(&self, tag: &Reference) -> Result<ResolvedTag, LookupError> {
        if let Some(seen) = self.cache().seen(tag) {
            return Ok(seen);
        }
        let look = async || Box::pin(self.look(tag)).await;
        self.cache().look_flights.join(tag.clone(), look).await
    }

    /// Looks at many tags as [`Self::look_cached`] does, each once, and returns them in any order.
    pub async fn look_all_cached(&self, tags: Vec<Reference>) -> Vec<LookedTag> {
        let tags: BTreeSet<Reference> = tags.into_iter().collect();
        for tag in tags.iter().filter(|tag| self.cache().seen(tag).is_none()) {
            if let Ok(host) = self.host_of(tag) {
                host.auth.expect([tag.repository().to_owned()]);
            }
        }
        stream::iter(tags)
            .map(async |tag| {
                let seen = self.look_cached(&tag).await;
                (tag, seen)
            })
            .buffer_unordered(CACHED_AT_ONCE)
            .collect()
            .await
    }

    /// Returns the remembered answers about these tags, with the documents behind them that are known, for another process, which calls
    /// [`Self::import`].
    pub fn export<'a>(&self, tags: impl IntoIterator<Item = &'a Reference>) -> CacheExport {
        self.cache().export(tags)
    }

    /// Takes over the answers of another process. They are remembered as long as this process lives.
    pub fn import(&self, answers: CacheExport) {
        self.cache().import(answers);
    }

    /// Looks at many tags, each once, and returns them in any order. Different registries are asked concurrently.
    pub async fn look_all(&self, tags: Vec<Reference>) -> Vec<LookedTag> {
        self.looks(tags).collect().await
    }

    /// Looks at many tags as [`Self::look_all`] does, and yields each answer as soon as it is known, so that a slow registry delays only
    /// its own answers.
    pub fn looks(&self, tags: Vec<Reference>) -> impl Stream<Item = LookedTag> + '_ {
        let mut by_registry: BTreeMap<String, BTreeSet<Reference>> = BTreeMap::new();
        for tag in tags {
            by_registry
                .entry(canonical(tag.registry()).to_owned())
                .or_default()
                .insert(tag);
        }
        let looks = by_registry
            .into_iter()
            .map(|(registry, tags)| self.look_at_registry(registry, tags).boxed_local());
        stream::select_all(looks)
    }

    /// Looks at tags of one registry: first at one tag, whose connection and challenge serve all others. With several connections, the
    /// first look on each of them comes before the others on it. The others wait only for a short time: a repository that never answers
    /// does not block the rest.
    fn look_at_registry(
        &self,
        registry: String,
        tags: BTreeSet<Reference>,
    ) -> impl Stream<Item = LookedTag> + '_ {
        let host = self.host(&registry);
        if let Ok(host) = &host {
            host.auth
                .expect(tags.iter().map(|tag| tag.repository().to_owned()));
        }
        let count = tags.len();
        let mut tags = groups::spread(tags.into_iter().collect()).into_iter();
        let first: Vec<Reference> = tags.by_ref().take(1).collect();
        let look = {
            let host = host.clone();
            move |tag: Reference, connection: usize, warmup: Rc<ConnectionWarmup>| {
                let host = host.clone();
                async move {
                    let seen = match host {
                        Ok(host) => self.look_at(&host, &tag, connection).await,
                        Err(error) => Err(error.shared_by(&tag.to_string())),
                    };
                    self.cache().looked(&tag, &seen);
                    warmup.answered();
                    (tag, seen)
                }
            }
        };
        let lead = Rc::new(ConnectionWarmup::new(first.len()));
        let others = {
            let (look, lead) = (look.clone(), Rc::clone(&lead));
            // The number of connections is known only after the first answer.
            stream::once(async move {
                lead.over(&self.clock).await;
                let concurrency =
                    host.map_or(Concurrency::SINGLE, |host| host.limits.concurrency(count));
                let leaders: Vec<_> = tags
                    .by_ref()
                    .take(concurrency.connections - 1)
                    .zip(1..)
                    .collect();
                let lead = Rc::new(ConnectionWarmup::new(leaders.len()));
                let leaders = {
                    let (look, lead) = (look.clone(), Rc::clone(&lead));
                    stream::iter(leaders)
                        .map(move |(tag, connection)| look(tag, connection, Rc::clone(&lead)))
                        .buffer_unordered(MAX_CONNECTIONS)
                };
                let connection_warmup =
                    Rc::new(ConnectionWarmup::new(concurrency.openers.min(tags.len())));
                let followers = tags.zip((0..concurrency.connections).cycle());
                let follow = move |(n, (tag, connection)): (usize, (Reference, usize))| {
                    let (connection_warmup, look) = (Rc::clone(&connection_warmup), look.clone());
                    async move {
                        if n >= concurrency.openers {
                            connection_warmup.over(&self.clock).await;
                        }
                        look(tag, connection, connection_warmup).await
                    }
                };
                let followers = stream::once(async move {
                    lead.over(&self.clock).await;
                    stream::iter(followers.enumerate())
                        .map(follow)
                        .buffer_unordered(concurrency.width)
                });
                stream::select(leaders, followers.flatten())
            })
        };
        let first = stream::iter(first).then(move |tag| look(tag, 0, Rc::clone(&lead)));
        stream::select(first, others.flatten())
    }

    /// Looks at a tag, over one of the registry's connections.
    async fn look_at(
        &self,
        host: &Host,
        tag: &Reference,
        connection: usize,
    ) -> Result<ResolvedTag, LookupError> {
        let on = |request_spec: RequestSpec| request_spec.on(connection);
        let keep = |read: &ReadDocument| self.cache().keep_document(read);
        resolve(host, tag, on, keep).await
    }

    /// Returns the text of a login file for a builder: the user's own logins, with `logins` of the task taking precedence; `None` where the
    /// task has none, because then the user's own files are used. The text is secret: it belongs into a file of mode 0600 that is removed
    /// after the build.
    ///
    /// # Errors
    ///
    /// [`error::Kind::Invalid`] where one of the user's own files is broken.
    pub fn auth_file(&self, logins: &[Login], format: AuthFormat) -> error::Result<Option<Secret>> {
        if logins.is_empty() {
            return Ok(None);
        }
        self.keychain
            .auth_file(logins, format)
            .map(Some)
            .map_err(|problem| {
                Error::invalid("cannot write the logins for the builder")
                    .because(anyhow::anyhow!(problem))
            })
    }

    /// Returns the login for a repository, or with an empty one for the registry as a whole.
    pub async fn login(&self, registry: &str, repository: &str) -> Result<Option<Login>, String> {
        let found = self
            .keychain
            .find(super::canonical(registry), repository)
            .await?;
        Ok(found.and_then(|found| found.credential.into_login(registry, found.source)))
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.memory.cache
    }

    /// Returns the registry of an image.
    pub(super) fn host_of(&self, image: &Reference) -> Result<Arc<Host>, LookupError> {
        self.host(image.registry())
            .map_err(|error| error.shared_by(&image.to_string()))
    }

    pub(super) fn host(&self, registry: &str) -> Result<Arc<Host>, LookupError> {
        let registry = canonical(registry);
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let host = Host::new(
            registry,
            &self.settings,
            &self.clock,
            Arc::clone(&self.keychain),
            &self.memory,
        )?;
        let host = Arc::new(host);
        hosts.insert(registry.to_owned(), Arc::clone(&host));
        Ok(host)
    }
}

/// Resolves a reference: one HEAD, and a GET where that does not suffice. `change` adds to both requests, and `keep` gets the document that
/// was read.
pub(super) async fn resolve(
    host: &Host,
    tag: &Reference,
    change: impl Fn(RequestSpec) -> RequestSpec,
    keep: impl FnOnce(&ReadDocument),
) -> Result<ResolvedTag, LookupError> {
    let way = host.heads.way(host.now());
    let mut claimed = None;
    if way != LookMethod::Body {
        let answer = host.ask(&change(RequestSpec::head(tag))).await?;
        match answer.response.status {
            200 => {
                let seen = head::seen(&answer.response.headers);
                let seen = seen.map_err(|defect| defective(defect, answer.asked.clone()))?;
                match (seen, way) {
                    (Some(seen), LookMethod::Trial { lied: true }) => claimed = Some(seen.digest),
                    (Some(seen), way) => {
                        if way != LookMethod::Head {
                            host.heads.trust();
                        }
                        return expected(seen, tag, answer.asked);
                    }
                    (None, _) => {
                        if head::digest(&answer.response.headers).is_none() {
                            host.heads.distrust(host.now(), false);
                        }
                    }
                }
            }
            405 | 501 => host.heads.distrust(host.now(), false),
            // A HEAD response has no body: only a GET tells what is absent, or that the registry does not support HEAD.
            400 | 404 => {}
            _ => return Err(refusal(&answer)),
        }
    }
    let (read, asked) = read(host, &change(RequestSpec::document(tag))).await?;
    keep(&read);
    if read.honest && claimed.as_ref() == Some(&read.seen.digest) {
        host.heads.trust();
    }
    expected(read.seen, tag, asked)
}

pub(super) async fn read(
    host: &Host,
    request_spec: &RequestSpec,
) -> Result<(ReadDocument, FailedRequest), LookupError> {
    let answer = success(host.ask(request_spec).await?)?;
    let read = body::read(&answer.response.headers, &answer.response.body)
        .map_err(|defect| defective(defect, answer.asked.clone()))?;
    if !read.honest {
        host.heads.distrust(host.now(), true);
    }
    Ok((read, answer.asked))
}

/// Checks that a reference by digest resolved to that digest.
fn expected(
    seen: ResolvedTag,
    tag: &Reference,
    asked: FailedRequest,
) -> Result<ResolvedTag, LookupError> {
    match tag.digest() {
        Some(digest) if *digest != seen.digest => {
            let problem = format!("it answers with `{}` for another digest", seen.digest);
            Err(LookupError::bad_reply(problem, asked))
        }
        _ => Ok(seen),
    }
}

pub(super) fn defective(defect: Defect, asked: FailedRequest) -> LookupError {
    let why = match defect {
        Defect::Schema1 => LookupFailure::Schema1,
        Defect::Form(problem) => LookupFailure::BadReply(problem),
    };
    LookupError::unknown(why, asked)
}

/// Returns an answer that is a success; [`refusal`] explains any other.
pub(super) fn success(answer: Answer) -> Result<Answer, LookupError> {
    match answer.response.status {
        200 => Ok(answer),
        _ => Err(refusal(&answer)),
    }
}

/// Returns the error that an unexpected answer stands for.
pub(super) fn refusal(answer: &Answer) -> LookupError {
    let asked = answer.asked.clone();
    match answer.response.status {
        400 if is_for_tls(&answer.response.body) => {
            LookupError::unknown(LookupFailure::SpeaksTls, asked)
        }
        404 if asked.said.as_deref() == Some(super::error_text::WEB_PAGE) => {
            LookupError::bad_reply("it is not a registry's answer".to_owned(), asked)
        }
        404 if answer.codes().iter().any(|code| code == "NAME_UNKNOWN") => {
            LookupError::absent(MissingPart::Repository, asked)
        }
        404 | 410 => match blob(&asked.url) {
            Some(digest) => LookupError::unknown(LookupFailure::Incomplete(digest), asked),
            None => LookupError::absent(MissingPart::Tag, asked),
        },
        // Docker Hub grants every client a token, and answers this for a repository that does not exist.
        401 | 403 if answer.had_token && asked.registry == crate::image::reference::DOCKER_HUB => {
            LookupError::absent(MissingPart::Repository, asked)
        }
        401 | 403 => {
            let login = answer.login.clone();
            LookupError::unknown(LookupFailure::Refused { login }, asked)
        }
        _ => LookupError::bad_reply("it is not what was asked for".to_owned(), asked),
    }
}

/// Returns the digest in the URL of a blob.
fn blob(url: &str) -> Option<String> {
    let (_, digest) = url.rsplit_once("/blobs/")?;
    digest.contains(':').then(|| digest.to_owned())
}

/// Tells whether this is the response of Go's servers or nginx to plain http on a port for TLS.
fn is_for_tls(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("HTTP request to an HTTPS server")
        || text.contains("HTTP request was sent to HTTPS port")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::registry::transport::http_client::Response;

    #[test]
    fn missing_blob_of_an_existing_tag_is_not_reported_as_a_missing_tag() {
        let error = |path: &str| {
            let answer = Answer {
                response: Response {
                    status: 404,
                    headers: HeaderMap::new(),
                    body: Vec::new(),
                    http2: false,
                    rest: None,
                },
                asked: FailedRequest {
                    registry: "r.example".into(),
                    image: "r.example/a:1".into(),
                    method: "GET",
                    url: format!("https://r.example/v2/a/{path}"),
                    status: Some(404),
                    said: None,
                },
                login: None,
                had_token: false,
            };
            refusal(&answer)
        };
        assert!(error("manifests/1").is_absent());
        let missing = error("blobs/sha256:ab");
        assert!(!missing.is_absent());
        let missing = Error::from(missing);
        assert_eq!(
            missing.to_string(),
            "`r.example/a:1` is incomplete: `r.example` lacks its blob `sha256:ab`"
        );
        assert_eq!(
            missing.advice(),
            Some("push the image again, with all of its layers")
        );
    }

    #[test]
    fn pending_lookup_future_is_small() {
        let clock = Clock::new(Some("0")).unwrap();
        let registries = Registries::new(&Settings::default(), clock, Vec::new());
        let tag = "r.example/base:1".parse().unwrap();
        let size = std::mem::size_of_val(&registries.look(&tag));
        assert!(size <= 2560, "{size}");
    }
}
