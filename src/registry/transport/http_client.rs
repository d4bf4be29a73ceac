//! One HTTP exchange: sends a request and reads the response within bounds. It follows no redirects and decides nothing.

use std::{
    io::Read as _,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Certificate, Client, ClientBuilder, Identity, Request, Response as RawResponse, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};

use crate::{
    registry::{
        error_text::{clean, server_words},
        header_text,
        problem::FailedRequest,
    },
    secret::{Masks, Secret},
    sys::{config::RegistrySettings, environment, plain_file, proxy},
};

use super::url_policy::{Forbidden, GuardedResolver, UrlPolicy};

/// The timeout for opening a connection, including TLS.
const CONNECT: Duration = Duration::from_secs(10);

/// The timeout of a whole exchange, so that a registry that sends a byte a second does not block.
const TOTAL: Duration = Duration::from_secs(30);

/// The timeout of a streamed body; the caller limits each of its parts.
const UNBOUNDED: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest pause within a streamed body.
pub const PAUSE: Duration = Duration::from_secs(60);

/// How long an idle connection is kept: shorter than servers keep theirs.
pub const IDLE: Duration = Duration::from_secs(55);

/// The bounds of bodies, in bytes as received: nothing is ever decompressed.
pub mod cap {
    /// A manifest or an index: the limit of registries themselves.
    pub const MANIFEST: usize = 4 * 1024 * 1024;
    /// The config of an image.
    pub const CONFIG: usize = 4 * 1024 * 1024;
    /// The response of a token service.
    pub const TOKEN: usize = 256 * 1024;
    /// The message of an error.
    pub const ERROR: usize = 64 * 1024;
}

/// A connection pool to one registry, made with the first request: a TLS client costs milliseconds and a megabyte.
#[derive(Debug)]
pub struct HttpClient {
    settings: RegistrySettings,
    tls: bool,
    guard: Arc<UrlPolicy>,
    client: OnceLock<Client>,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body, empty for HEAD.
    pub body: Vec<u8>,
    /// Whether it came over HTTP/2, where one connection carries all requests.
    pub http2: bool,
    /// The body of a success that was to be left unread.
    pub rest: Option<Box<RawResponse>>,
}

/// How the body of a success is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It is read, up to this many bytes.
    UpTo(usize),
    /// It is left for the caller, without a timeout.
    Left,
}

#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The settings in the config file are invalid.
    #[error("{0}")]
    Settings(String),
    #[error(transparent)]
    Network(#[from] reqwest::Error),
    #[error(transparent)]
    Forbidden(Forbidden),
    /// The body is longer than this bound in bytes.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// The body is compressed although that was not requested, so that its digest cannot be computed.
    #[error("the body comes with the encoding `{0}`, which was not asked for")]
    Encoded(String),
    #[error("no data came for {} seconds", .0.as_secs())]
    Silent(Duration),
}

impl HttpClient {
    /// Returns a connection pool for a registry with these settings, with or without TLS.
    pub fn new(settings: &RegistrySettings, tls: bool, guard: Arc<UrlPolicy>) -> Self {
        Self {
            settings: settings.clone(),
            tls,
            guard,
            client: OnceLock::new(),
        }
    }

    /// Returns the client, to build requests.
    ///
    /// # Errors
    ///
    /// [`TransportError::Settings`] where a certificate or a key cannot be used.
    pub fn client(&self) -> Result<&Client, TransportError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.build()?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Returns the client for requests to a URL.
    fn client_to(&self, url: &Url) -> Result<&Client, TransportError> {
        // Without this check, a request would be sent directly instead.
        proxy::of(url).map_err(TransportError::Settings)?;
        self.client()
    }

    /// Sends a request and reads the response: of a success as `wanted` says, else the message of the error.
    pub async fn send(&self, request: Request, wanted: Body) -> Result<Response, TransportError> {
        let has_body = request.method() != reqwest::Method::HEAD;
        let secrets = if has_body {
            secrets_in(&request)
        } else {
            Vec::new()
        };
        let mut response = match wanted {
            Body::UpTo(_) => {
                let client = self.client_to(request.url())?;
                client.execute(request).await.map_err(broken)?
            }
            // Boxed, because rare state must not make a thousand concurrent look-ups larger.
            Body::Left => Box::pin(self.open(request)).await?,
        };
        let status = response.status();
        let encoding = response.headers().get(reqwest::header::CONTENT_ENCODING);
        if let Some(encoding) = encoding.filter(|_| has_body && status.is_success()) {
            let encoding = String::from_utf8_lossy(encoding.as_bytes()).into_owned();
            if encoding != "identity" {
                return Err(TransportError::Encoded(clean(&encoding)));
            }
        }
        let mut body = Vec::new();
        if has_body && !status.is_success() {
            body = words_of(&mut response, &secrets).await;
        } else if let Body::UpTo(cap) = wanted
            && has_body
        {
            while let Some(chunk) = response.chunk().await.map_err(broken)? {
                if body.len() + chunk.len() > cap {
                    return Err(TransportError::TooLong(cap));
                }
                body.extend_from_slice(&chunk);
            }
        }
        let is_left = wanted == Body::Left && status.is_success();
        Ok(Response {
            status: status.as_u16(),
            http2: response.version() == reqwest::Version::HTTP_2,
            headers: std::mem::take(response.headers_mut()),
            body,
            rest: is_left.then(|| Box::new(response)),
        })
    }

    /// Sends a request with a streamed body or response. Only the wait for the response to a request without body has a timeout here.
    pub async fn open(&self, mut request: Request) -> Result<RawResponse, TransportError> {
        *request.timeout_mut() = Some(UNBOUNDED);
        let answers_at_once = request.body().is_none();
        let answer = self.client_to(request.url())?.execute(request);
        if answers_at_once {
            let answer = tokio::time::timeout(TOTAL, answer).await;
            return answer
                .map_err(|_| TransportError::Silent(TOTAL))?
                .map_err(broken);
        }
        answer.await.map_err(broken)
    }

    fn build(&self) -> Result<Client, TransportError> {
        let builder = proxy::client()
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&self.guard))))
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .pool_idle_timeout(IDLE)
            .referer(false);
        let builder = if self.tls {
            self.with_tls(builder)?
        } else {
            // Without verification the system's certificates need not be read.
            builder.tls_certs_only([])
        };
        builder.build().map_err(|error| {
            let why = deepest(&error);
            TransportError::Settings(match &self.settings.client_certificate {
                // The words of TLS are about the certificate of a peer.
                Some(path) if why.contains("UnsupportedCertVersion") => format!(
                    "cannot use the client certificate `{}`: it is of X.509 version 1, and must be of version 3",
                    path.display()
                ),
                _ => format!("cannot set up TLS: {why}"),
            })
        })
    }

    fn with_tls(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, TransportError> {
        let settings = &self.settings;
        if let Some(path) = &settings.ca_file {
            let certificates = Certificate::from_pem_bundle(&read(path)?)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| {
                    TransportError::Settings(format!(
                        "`{}` holds no PEM certificate",
                        path.display()
                    ))
                })?;
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(path) = &settings.client_certificate {
            let mut pem = read(path)?;
            if let Some(key) = &settings.client_key {
                pem.push(b'\n');
                pem.extend(read(key)?);
            }
            let identity = Identity::from_pem(&pem).map_err(|error| {
                TransportError::Settings(format!(
                    "cannot use the client certificate `{}`: {}",
                    path.display(),
                    deepest(&error)
                ))
            })?;
            builder = builder.identity(identity);
        }
        if settings.skip_verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        Ok(builder)
    }
}

pub fn with_response(asked: FailedRequest, response: &Response) -> FailedRequest {
    FailedRequest {
        status: Some(response.status),
        said: server_words(&response.headers, &response.body)
            .filter(|_| response.status >= 400)
            .map(|(error_text, _)| error_text),
        ..asked
    }
}

/// Returns the error of a connection; one that [`UrlPolicy`] has refused is its own kind.
pub fn broken(error: reqwest::Error) -> TransportError {
    let forbidden = anyhow::Chain::new(&error).find_map(|cause| cause.downcast_ref::<Forbidden>());
    match forbidden.cloned() {
        Some(forbidden) => TransportError::Forbidden(forbidden),
        // The caller adds the URL, without its query.
        None => TransportError::Network(error.without_url()),
    }
}

/// Returns the secrets that a request carries: a password, a token, or an `Authorization` as it is sent.
pub fn secrets_in(request: &Request) -> Vec<Secret> {
    let text = |name| header_text(request.headers(), name);
    let mut secrets = Vec::new();
    if let Some((_, sent)) = text(AUTHORIZATION).and_then(|value| value.split_once(' ')) {
        secrets.push(Secret::new(sent));
        let login = BASE64_STANDARD.decode(sent).ok();
        let login = login.and_then(|login| String::from_utf8(login).ok());
        let password = login.as_ref().and_then(|login| login.split_once(':'));
        secrets.extend(password.map(|(_, password)| Secret::new(password)));
    }
    let is_form = text(CONTENT_TYPE).is_some_and(|kind| kind.contains("form-urlencoded"));
    let form = request.body().and_then(|body| body.as_bytes());
    if let Some(form) = form.filter(|_| is_form) {
        let fields = form_urlencoded::parse(form);
        let tokens = fields.filter(|(name, _)| name == "refresh_token");
        secrets.extend(tokens.map(|(_, token)| Secret::new(token)));
    }
    secrets
}

/// Reads the message of an error response, which may repeat `secrets`, and that of a proxy its login. A response that breaks off still has its status.
pub async fn words_of(response: &mut reqwest::Response, secrets: &[Secret]) -> Vec<u8> {
    let mut error_text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = cap::ERROR - error_text.len();
        error_text.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if error_text.len() == cap::ERROR {
            break;
        }
    }
    let mut masks = Masks::of(secrets);
    masks.add(&environment::proxy_secrets());
    masks.hide_in_answer(error_text)
}

fn read(path: &Path) -> Result<Vec<u8>, TransportError> {
    let mut content = Vec::new();
    plain_file::open(path)
        .and_then(|mut file| file.read_to_end(&mut content))
        .map_err(|error| {
            TransportError::Settings(format!("cannot read `{}`: {error}", path.display()))
        })?;
    Ok(content)
}

/// Returns the innermost cause: the outer ones of the HTTP client only say "builder error".
fn deepest(error: &reqwest::Error) -> String {
    anyhow::Chain::new(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use reqwest::Method;

    use super::*;

    fn http_client(settings: &RegistrySettings, tls: bool) -> HttpClient {
        let guard = UrlPolicy::new("registry.example", HashSet::new(), HashSet::new());
        HttpClient::new(settings, tls, Arc::new(guard))
    }

    #[tokio::test]
    async fn remote_registry_host_that_resolves_to_loopback_is_not_connected() {
        let http_client = http_client(&RegistrySettings::default(), false);
        let request = Request::new(Method::GET, Url::parse("http://localhost:1/token").unwrap());
        let error = http_client.send(request, Body::UpTo(0)).await.unwrap_err();
        assert!(
            matches!(&error, TransportError::Forbidden(Forbidden::Nearer(name)) if name == "localhost"),
            "{error:?}"
        );
    }

    /// A certificate of X.509 version 1 with its key, made for this test.
    const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBHzCBxQIUUvieFk211CEobbQ0Yu+yEvnspG0wCgYIKoZIzj0EAwIwETEPMA0G\n\
A1UEAwwGY2xpZW50MCAXDTI2MTEzMDE3NTEzMVoYDzIxMjYxMTA2MTc1MTMxWjAR\n\
MQ8wDQYDVQQDDAZjbGllbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS+UFgl\n\
H8J8Ulwwzb3FLySykLUlRYMB1ieg9MgB2fmTiGUxwwQyW4X35jbPzU0+niPiXDzq\n\
Gj2b/yrpaEsCjwTSMAoGCCqGSM49BAMCA0kAMEYCIQDboWMlQTmqM2m5UkaJ9LXN\n\
HVqwdGpg9r6523hc+F28iQIhANBWGeqeVcJkQqn6/SjIyRZ9XnOSK/mgHI8NOc7F\n\
/AZo\n\
-----END CERTIFICATE-----\n\
-----BEGIN EC PRIVATE KEY-----\n\
MHcCAQEEIB6fV+svQR8u3nnl82rjIEagwQQ7EIVwxjNRrfycAUjkoAoGCCqGSM49\n\
AwEHoUQDQgAEvlBYJR/CfFJcMM29xS8kspC1JUWDAdYnoPTIAdn5k4hlMcMEMluF\n\
9+Y2z81NPp4j4lw86ho9m/8q6WhLAo8E0g==\n\
-----END EC PRIVATE KEY-----\n";

    #[test]
    fn client_certificate_of_an_old_version_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.pem");
        std::fs::write(&path, VERSION_1).unwrap();
        let settings = RegistrySettings {
            client_certificate: Some(path.clone()),
            ..RegistrySettings::default()
        };
        let error = http_client(&settings, true).client().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot use the client certificate `{}`: it is of X.509 version 1, and must be of version 3",
                path.display()
            )
        );
    }

    #[test]
    fn unusable_certificate_or_key_is_reported_without_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        std::fs::write(&key, "hunter2").unwrap();
        let problem = |settings: RegistrySettings| {
            http_client(&settings, true)
                .client()
                .unwrap_err()
                .to_string()
        };
        let shown = key.display();
        assert_eq!(
            problem(RegistrySettings {
                ca_file: Some(key.clone()),
                ..RegistrySettings::default()
            }),
            format!("`{shown}` holds no PEM certificate")
        );
        let identity = problem(RegistrySettings {
            client_certificate: Some(key.clone()),
            ..RegistrySettings::default()
        });
        assert!(
            identity.starts_with(&format!("cannot use the client certificate `{shown}`")),
            "{identity}"
        );
        assert!(!identity.contains("hunter2"), "{identity}");
    }
}
