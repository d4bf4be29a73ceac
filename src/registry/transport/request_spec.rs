//! What a registry is asked, before it is known how: the method, the thing, and how much of an answer is read.

use reqwest::{
    Method, Request, Url,
    header::{
        ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
        RANGE,
    },
};

use crate::image::{Digest, Reference};

use super::http_client::{Body, cap};

/// The types of manifests that are read, in one header line: without the first two a registry hands out another representation,
/// with another digest, and without the OCI types an image that is there looks deleted.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// What is accepted as the answer to the writing or removal of a manifest: registries that negotiate at all do so by the place.
const WRITTEN: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, */*";

/// The type of a list of referrers.
const REFERRERS: &str = "application/vnd.oci.image.index.v1+json";

/// A request to a registry, without what it takes to be let in.
#[derive(Clone, Debug)]
pub struct RequestSpec {
    /// `HEAD`, `GET`, or for those who write `POST`, `PUT` or `DELETE`.
    pub method: Method,
    /// The repository that it is about; none, if it is about the registry.
    pub repository: String,
    /// What is asked for, below the repository: `manifests/…` or `blobs/…`.
    pub thing: String,
    /// The image in question, for people.
    pub image: String,
    /// How many bytes of an answer are read.
    pub cap: usize,
    /// Which of the registry's connections it takes, where there are several.
    pub connection: usize,
    /// What only those have who copy images. Boxed, because a thousand look-ups at once have none.
    pub more: Option<Box<Extras>>,
}

/// What a request has beyond a method and a place.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// What it needs to be allowed to.
    pub access: Access,
    /// Parameters of the URL, as they are sent.
    pub query: String,
    /// Where the registry said to go, in place of the path.
    pub url: Option<Url>,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
    /// Whether the body of a success is left unread, however long it is, for the caller.
    pub leaves_body: bool,
}

/// What a request needs to be allowed to do with its repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    #[default]
    Pull,
    Push,
    /// Read and write, and read another repository of the same registry.
    PushFrom(String),
    Delete,
    /// List the repositories of the registry.
    Catalog,
}

impl RequestSpec {
    /// Asks for the digest of what a reference names.
    pub fn head(image: &Reference) -> Self {
        Self::manifest(Method::HEAD, image, image.tag_or_digest())
    }

    /// Returns the same question on another connection.
    pub fn on(self, connection: usize) -> Self {
        Self { connection, ..self }
    }

    /// Asks for the document that a reference names.
    pub fn document(image: &Reference) -> Self {
        Self::manifest(Method::GET, image, image.tag_or_digest())
    }

    /// Asks for the document with `digest` in the repository of `image`.
    pub fn document_at(image: &Reference, digest: &Digest) -> Self {
        Self::manifest(Method::GET, image, digest.as_str())
    }

    /// Asks for the config with `digest` in the repository of `image`.
    pub fn config_at(image: &Reference, digest: &Digest) -> Self {
        Self {
            thing: format!("blobs/{digest}"),
            cap: cap::CONFIG,
            ..Self::manifest(Method::GET, image, "")
        }
    }

    /// Asks whether the distribution API is there at all. Only ever asked for the health of a registry.
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

    /// Asks for what a reference names as a client that is going to write beside it: a token for both serves both.
    pub fn head_to_push(image: &Reference) -> Self {
        Self::head(image).with(|more| more.access = Access::Push)
    }

    /// Asks whether a document with `digest` is there, as [`Self::head_to_push`].
    pub fn head_at_to_push(image: &Reference, digest: &Digest) -> Self {
        Self::manifest(Method::HEAD, image, digest.as_str()).with(|more| more.access = Access::Push)
    }

    /// Asks for what refers to a document.
    pub fn referrers(image: &Reference, digest: &Digest) -> Self {
        Self {
            thing: format!("referrers/{digest}"),
            ..Self::document(image)
        }
    }

    /// Writes a document as the tag or digest `which`.
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

    /// Asks whether a blob is there.
    pub fn head_blob(image: &Reference, digest: &Digest) -> Self {
        Self {
            method: Method::HEAD,
            ..Self::config_at(image, digest)
        }
        .with(|more| more.access = Access::Push)
    }

    /// Asks for a blob from the byte `from` on; its body is left to be read.
    pub fn blob(image: &Reference, digest: &Digest, from: u64) -> Self {
        Self::config_at(image, digest).with(|more| {
            more.leaves_body = true;
            if from > 0 {
                more.header(RANGE, &format!("bytes={from}-"));
            }
        })
    }

    /// Begins the upload of a blob, or has it taken over from another repository, `mount` of the same registry.
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

    /// Asks an upload how far it has come, or with `DELETE` to be given up.
    pub fn upload(method: Method, image: &Reference, url: Url) -> Self {
        Self {
            method,
            ..Self::begin_upload(image, None)
        }
        .with(|more| more.url = Some(url))
    }

    /// Adds what only some have.
    pub fn with(mut self, change: impl FnOnce(&mut Extras)) -> Self {
        change(self.more.get_or_insert_default());
        self
    }

    /// Returns what it needs to be allowed to.
    pub fn access(&self) -> &Access {
        self.more
            .as_ref()
            .map_or(&Access::Pull, |more| &more.access)
    }

    /// Returns the path of the URL. The grammar of references leaves nothing in it to be escaped.
    pub fn path(&self) -> String {
        match self.repository.as_str() {
            "" => format!("/v2/{}", self.thing),
            repository => format!("/v2/{repository}/{}", self.thing),
        }
    }

    /// Returns the URL at a registry, or where the registry said to go.
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

    /// Returns the repository in a URL that asks a registry for the same.
    pub fn repository_in<'u>(&self, url: &'u Url) -> Option<&'u str> {
        // Some registries have their API below a path of their own.
        let (_, path) = url.path().split_once("/v2/")?;
        if self.repository.is_empty() {
            return path.is_empty().then_some("");
        }
        path.strip_suffix(self.thing.as_str())?.strip_suffix('/')
    }

    /// Returns the request as it is sent to a place.
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
            // Be it an empty one: servers refuse those of this kind without a length.
            if matches!(self.method, Method::POST | Method::PUT) {
                *request.body_mut() = Some(more.body.clone().into());
            }
        }
        request
    }

    /// Returns which answers are accepted. Some registries negotiate that for all that they are asked, and answer 406 to a request for a
    /// blob, a list or an upload that accepts manifests alone: Pulp is one.
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

    /// Returns the method as it is written.
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

impl Extras {
    /// Adds a header whose value is made of what no header could be broken with.
    pub fn header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }
}
