//! A request before it is known how to authorize it: the method, the resource, and how much of the response is read.

use reqwest::{
    Method, Request, Url,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE},
};

use crate::image::{Digest, Reference};

use super::http_client::{Body, cap};

/// The accepted types of manifests, in one header line: without the first two a registry sends another representation with another digest,
/// and without the OCI types an existing image looks deleted.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// The types accepted in the response to writing or removing a manifest: registries that negotiate these at all do so by the resource.
const WRITTEN: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, */*";

/// The type of a list of referrers.
const REFERRERS: &str = "application/vnd.oci.image.index.v1+json";

/// A request to a registry, without its authorization.
#[derive(Clone, Debug)]
pub struct RequestSpec {
    /// `HEAD`, `GET`, or for writing `POST`, `PUT` or `DELETE`.
    pub method: Method,
    /// The repository; empty for a request about the registry itself.
    pub repository: String,
    /// The resource below the repository: `manifests/…` or `blobs/…`.
    pub thing: String,
    /// The image, for messages.
    pub image: String,
    /// How many bytes of a response are read.
    pub cap: usize,
    /// Which of the registry's connections it uses, where there are several.
    pub connection: usize,
    /// The fields that only requests of copies have. Boxed, because a thousand concurrent look-ups have none.
    pub more: Option<Box<Extras>>,
}

/// The further fields of a request.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// The access that it needs.
    pub access: Access,
    /// The query of the URL, as sent.
    pub query: String,
    /// The URL that the registry has given, instead of the path.
    pub url: Option<Url>,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
    /// Whether the body of a success is left unread for the caller, however long it is.
    pub leaves_body: bool,
}

/// The access to its repository that a request needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    #[default]
    Pull,
    Push,
    /// Push and pull, and pull from another repository of the same registry.
    PushFrom(String),
    Delete,
    /// List the repositories of the registry.
    Catalog,
}

impl RequestSpec {
    /// Requests the digest of a reference.
    pub fn head(image: &Reference) -> Self {
        Self::manifest(Method::HEAD, image, image.tag_or_digest())
    }

    /// Returns the same request on another connection.
    pub fn on(self, connection: usize) -> Self {
        Self { connection, ..self }
    }

    /// Requests the document of a reference.
    pub fn document(image: &Reference) -> Self {
        Self::manifest(Method::GET, image, image.tag_or_digest())
    }

    /// Requests the document with `digest` in the repository of `image`.
    pub fn document_at(image: &Reference, digest: &Digest) -> Self {
        Self::manifest(Method::GET, image, digest.as_str())
    }

    /// Requests the config with `digest` in the repository of `image`.
    pub fn config_at(image: &Reference, digest: &Digest) -> Self {
        Self {
            thing: format!("blobs/{digest}"),
            cap: cap::CONFIG,
            ..Self::manifest(Method::GET, image, "")
        }
    }

    /// Requests the distribution API itself. Only used for the health of a registry.
    pub fn api() -> Self {
        Self {
            method: Method::GET,
            repository: String::new(),
            thing: String::new(),
            image: String::new(),
            cap: cap::ERROR,
            connection: 0,
            more: None,
        }
    }

    fn manifest(method: Method, image: &Reference, which: &str) -> Self {
        Self {
            method,
            repository: image.repository().to_owned(),
            thing: format!("manifests/{which}"),
            image: image.to_string(),
            cap: cap::MANIFEST,
            connection: 0,
            more: None,
        }
    }

    /// Asks whether a document with `digest` exists, with permission to push: a token for both serves both.
    pub fn head_at_to_push(image: &Reference, digest: &Digest) -> Self {
        Self::manifest(Method::HEAD, image, digest.as_str()).with(|more| more.access = Access::Push)
    }

    pub fn referrers(image: &Reference, digest: &Digest) -> Self {
        Self {
            thing: format!("referrers/{digest}"),
            ..Self::document(image)
        }
    }

    /// Writes a document under the tag or digest `which`.
    pub fn put_manifest(
        image: &Reference,
        which: &str,
        media_type: HeaderValue,
        body: bytes::Bytes,
    ) -> Self {
        Self::manifest(Method::PUT, image, which).with(|more| {
            more.access = Access::Push;
            more.headers.insert(CONTENT_TYPE, media_type);
            more.body = body;
        })
    }

    /// Asks whether a blob exists.
    pub fn head_blob(image: &Reference, digest: &Digest) -> Self {
        Self {
            method: Method::HEAD,
            ..Self::config_at(image, digest)
        }
        .with(|more| more.access = Access::Push)
    }

    /// Requests a blob from the byte `from` on; its body is left for the caller.
    pub fn blob(image: &Reference, digest: &Digest, from: u64) -> Self {
        Self::config_at(image, digest).with(|more| {
            more.leaves_body = true;
            if from > 0 {
                let range = HeaderValue::from_str(&format!("bytes={from}-"));
                more.headers.extend(range.ok().map(|range| (RANGE, range)));
            }
        })
    }

    /// Opens the upload of a blob, or mounts it from another repository of the same registry, `mount`.
    pub fn begin_upload(image: &Reference, mount: Option<(&Digest, &str)>) -> Self {
        Self {
            method: Method::POST,
            thing: "blobs/uploads/".to_owned(),
            cap: cap::ERROR,
            ..Self::document(image)
        }
        .with(|more| match mount {
            None => more.access = Access::Push,
            Some((digest, from)) => {
                more.access = Access::PushFrom(from.to_owned());
                more.query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("mount", digest.as_str())
                    .append_pair("from", from)
                    .finish();
            }
        })
    }

    /// Asks how far an upload has come, or with `DELETE` cancels it.
    pub fn upload(method: Method, image: &Reference, url: Url) -> Self {
        Self {
            method,
            ..Self::begin_upload(image, None)
        }
        .with(|more| more.url = Some(url))
    }

    /// Sets further fields.
    pub fn with(mut self, change: impl FnOnce(&mut Extras)) -> Self {
        change(self.more.get_or_insert_default());
        self
    }

    pub fn access(&self) -> &Access {
        self.more
            .as_ref()
            .map_or(&Access::Pull, |more| &more.access)
    }

    /// Returns the path of the URL. Nothing in it needs escaping, by the grammar of references.
    pub fn path(&self) -> String {
        match self.repository.as_str() {
            "" => format!("/v2/{}", self.thing),
            repository => format!("/v2/{repository}/{}", self.thing),
        }
    }

    /// Returns the URL at a registry, or the one that the registry has given.
    pub fn url(&self, origin: &Url) -> Url {
        let more = self.more.as_ref();
        if let Some(url) = more.and_then(|more| more.url.clone()) {
            return url;
        }
        let mut url = origin.clone();
        url.set_path(&self.path());
        let query = more.map(|more| more.query.as_str());
        url.set_query(query.filter(|query| !query.is_empty()));
        url
    }

    /// Returns the repository in a URL that requests the same resource from a registry.
    pub fn repository_in<'u>(&self, url: &'u Url) -> Option<&'u str> {
        // Some registries have their API below a path of their own.
        let (_, path) = url.path().split_once("/v2/")?;
        if self.repository.is_empty() {
            return path.is_empty().then_some("");
        }
        path.strip_suffix(self.thing.as_str())?.strip_suffix('/')
    }

    pub fn request(&self, url: &Url, authorization: Option<&HeaderValue>) -> Request {
        let mut request = Request::new(self.method.clone(), url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(self.accepted()));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(more) = &self.more {
            headers.extend(more.headers.clone());
            // Even for an empty body: servers refuse these methods without a length.
            if matches!(self.method, Method::POST | Method::PUT) {
                *request.body_mut() = Some(more.body.clone().into());
            }
        }
        request
    }

    /// Returns the accepted types. Some registries negotiate them for every resource, and answer 406 to a request for a blob, a list or an
    /// upload that accepts only manifests: Pulp is one.
    fn accepted(&self) -> &'static str {
        let kind = self.thing.split('/').next().unwrap_or_default();
        match kind {
            "manifests" if matches!(self.method, Method::GET | Method::HEAD) => MANIFESTS,
            "manifests" => WRITTEN,
            "referrers" => REFERRERS,
            _ => "*/*",
        }
    }

    /// Returns how much of the body of a success is read.
    pub fn wanted(&self) -> Body {
        if self.more.as_ref().is_some_and(|more| more.leaves_body) {
            return Body::Left;
        }
        Body::UpTo(self.cap)
    }

    /// Returns the method's name.
    pub fn verb(&self) -> &'static str {
        match self.method {
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "GET",
        }
    }
}
