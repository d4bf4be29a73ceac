//! Errors of look-ups: absent, or unknown, with advice.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use reqwest::Url;
use rustls::{AlertDescription, CertificateError};

use crate::{
    error::{Error, Kind},
    image::Reference,
    sys::proxy,
};

use super::{credentials::credential::LoginSource, login_server, transport::retry};

/// Why a look-up has no result. The two cases must never be confused: only a registry that was reached, understood and permitted to answer
/// can say that something is absent.
#[derive(Clone, Debug)]
pub enum LookupError {
    /// The registry says that it does not exist.
    Absent {
        what: MissingPart,
        asked: Box<FailedRequest>,
    },
    /// Nothing is known about it.
    Unknown {
        why: LookupFailure,
        asked: Box<FailedRequest>,
    },
}

/// What a registry does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPart {
    /// The repository exists, the tag or digest does not.
    Tag,
    /// The repository is unknown, or hidden from this client.
    Repository,
    /// The image exists, but not for the platform.
    Platform,
}

/// Why a look-up learnt nothing.
#[derive(Clone, Debug)]
pub enum LookupFailure {
    /// The registry could not be reached: name, connection, TLS, or a response that broke off.
    Network(Arc<dyn std::error::Error + Send + Sync>),
    /// The registry requires a login, or does not accept the one that was sent.
    Refused {
        /// Where the login that was sent comes from; `None` if none was sent.
        login: Option<LoginSource>,
    },
    /// The registry asks for no more requests.
    Limited {
        /// The end of that pause.
        until: Timestamp,
    },
    /// The registry reported an error of its own.
    Server {
        /// When it may be asked again.
        until: Timestamp,
    },
    /// The response makes no sense, or breaks a rule of the protocol or of acrt.
    BadReply(String),
    /// The registry requires TLS, and was reached without.
    SpeaksTls,
    /// It exists and is no image, but a Helm chart, a signature, or files; described with its media type.
    NoImage(String),
    /// The image is in the format from before 2016, whose digest changes with each response.
    Schema1,
    /// The image lacks the blob with this digest, which its manifest lists.
    Incomplete(String),
    /// The login for this registry cannot be read.
    Login(String),
    /// The settings of this registry in the config file are invalid.
    Settings(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedRequest {
    /// The login server, as in the names of images.
    pub registry: String,
    /// The image, as written; empty where there is none.
    pub image: String,
    /// `HEAD`, `GET` or `POST`.
    pub method: &'static str,
    /// The URL, without its query, which may contain tokens of services and of other servers.
    pub url: String,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The server's message, without control characters, at most 300 characters.
    pub said: Option<String>,
}

impl FailedRequest {
    /// Returns the description of a failure about an image that no single request is to blame for.
    pub(super) fn about(image: &Reference) -> Self {
        Self {
            registry: image.registry().to_owned(),
            image: image.to_string(),
            ..Self::default()
        }
    }
}

impl LookupError {
    /// Returns that something is absent.
    pub(super) fn absent(what: MissingPart, asked: FailedRequest) -> Self {
        Self::Absent {
            what,
            asked: Box::new(asked),
        }
    }

    /// Returns that something is unknown.
    pub(super) fn unknown(why: LookupFailure, asked: FailedRequest) -> Self {
        Self::Unknown {
            why,
            asked: Box::new(asked),
        }
    }

    /// Returns that a response is invalid.
    pub(super) fn bad_reply(problem: String, asked: FailedRequest) -> Self {
        Self::unknown(LookupFailure::BadReply(problem), asked)
    }

    /// Returns why the look-up learnt nothing, if that is the error.
    fn why(&self) -> Option<&LookupFailure> {
        match self {
            Self::Absent { .. } => None,
            Self::Unknown { why, .. } => Some(why),
        }
    }

    /// Tells whether the registry said that the image does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }

    /// Tells whether the registry could not be reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.why(), Some(LookupFailure::Network(_)))
    }

    /// Tells whether the registry may answer another time: it could not be reached, reported an error of its own, or asked for no more
    /// requests.
    pub fn is_away(&self) -> bool {
        matches!(
            self.why(),
            Some(
                LookupFailure::Network(_)
                    | LookupFailure::Server { .. }
                    | LookupFailure::Limited { .. }
            )
        )
    }

    /// Tells whether the result is no image, so that nothing can be built on it.
    pub fn is_no_image(&self) -> bool {
        matches!(self.why(), Some(LookupFailure::NoImage(_)))
    }

    /// Tells whether the registry asked for no more requests.
    pub(super) fn is_limited(&self) -> bool {
        matches!(self.why(), Some(LookupFailure::Limited { .. }))
    }

    /// Tells whether the registry requires a login, or another one.
    pub fn is_refused(&self) -> bool {
        matches!(self.why(), Some(LookupFailure::Refused { .. }))
    }

    /// Tells whether there was a response, and it was negative.
    pub(super) fn is_of_the_answer(&self) -> bool {
        matches!(
            self.why(),
            Some(LookupFailure::Refused { .. } | LookupFailure::BadReply(_))
        )
    }

    /// Returns when the registry may be asked again, if that is known.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self.why()? {
            LookupFailure::Limited { until } | LookupFailure::Server { until } => Some(*until),
            _ => None,
        }
    }

    pub fn asked(&self) -> &FailedRequest {
        match self {
            Self::Absent { asked, .. } | Self::Unknown { asked, .. } => asked,
        }
    }

    fn asked_mut(&mut self) -> &mut FailedRequest {
        match self {
            Self::Absent { asked, .. } | Self::Unknown { asked, .. } => asked,
        }
    }

    /// Returns the same failure for another image of the same registry.
    pub(super) fn shared_by(&self, image: &str) -> Self {
        let mut shared = self.clone();
        image.clone_into(&mut shared.asked_mut().image);
        shared
    }

    /// Returns the failure of another request as that of a request that is not made because of it.
    pub(super) fn shared_with(&self, request: &FailedRequest) -> Self {
        let mut shared = self.shared_by(&request.image);
        let asked = shared.asked_mut();
        asked.method = request.method;
        asked.url.clone_from(&request.url);
        shared
    }

    fn message(&self) -> String {
        let FailedRequest {
            registry, image, ..
        } = self.asked();
        let subject = if image.is_empty() { registry } else { image };
        match self {
            Self::Absent { what, .. } => match what {
                MissingPart::Tag => {
                    format!("there is no `{subject}`: its repository has no such tag or digest")
                }
                MissingPart::Repository => format!(
                    "there is no `{subject}`: `{registry}` knows no such repository, or hides it from this login"
                ),
                MissingPart::Platform => format!("`{subject}` does not exist for this platform"),
            },
            Self::Unknown { why, .. } => {
                let text = why.message(registry, "pull it");
                match why {
                    LookupFailure::NoImage(_) => {
                        format!("nothing can be built on `{subject}`: {text}")
                    }
                    LookupFailure::Incomplete(_) => format!("`{subject}` is incomplete: {text}"),
                    _ => format!("cannot find out what `{subject}` is: {text}"),
                }
            }
        }
    }

    /// Returns the same failure for writing to `place`, a repository or an image.
    pub fn of_writing(self, place: &str) -> Error {
        let registry = self.asked().registry.clone();
        let message = match &self {
            Self::Absent { .. } => format!(
                "cannot write to `{place}`: `{registry}` knows no such repository, or hides it from this login"
            ),
            Self::Unknown { why, .. } => {
                let why = why.message(&registry, "push to it");
                format!("cannot write to `{place}`: {why}")
            }
        };
        let advice = match &self {
            Self::Absent { .. } => {
                format!("make the repository, or give a login that may: acrt login {registry}")
            }
            Self::Unknown { .. } => self.advice(),
        };
        Error::new(Kind::Unknown, message)
            .hint(advice)
            .because(self)
    }

    /// Returns advice about the proxy that a request went through, or would have gone through, if that is to blame.
    fn proxy_advice(&self) -> Option<String> {
        let url = Url::parse(&self.asked().url).ok()?;
        let host = url.host_str()?;
        match (self.why()?, proxy::of(&url)) {
            (LookupFailure::Settings(_), Err(_)) => Some(format!(
                "correct that variable, or name `{host}` in NO_PROXY"
            )),
            (why, Ok(Some(proxy))) if why.may_be_of_a_proxy(self.asked().status) => Some(format!(
                "requests to `{host}` go through the proxy `{}`: check that proxy and its login, or name `{host}` in NO_PROXY",
                proxy::shown(&proxy)
            )),
            _ => None,
        }
    }

    fn advice(&self) -> String {
        if let Some(advice) = self.proxy_advice() {
            return advice;
        }
        let registry = &self.asked().registry;
        let login = format!("acrt login {registry}");
        match self {
            Self::Absent { what, .. } => match what {
                MissingPart::Tag => match self.asked().image.parse::<Reference>() {
                    Ok(image) => format!(
                        "check the tag; to list all: acrt repository show-tags {registry} --repository {}",
                        image.repository()
                    ),
                    Err(_) => "check the tag".to_owned(),
                },
                MissingPart::Repository => {
                    format!("check the name; if the repository is private, give a login: {login}")
                }
                MissingPart::Platform => {
                    "build for a platform that the image has: --platform".to_owned()
                }
            },
            Self::Unknown { why, .. } => match why {
                LookupFailure::Network(cause) => {
                    // The server of a redirect or a token service may be another one.
                    let url = Url::parse(&self.asked().url);
                    let server = url.map_or_else(|_| registry.clone(), |url| login_server(&url));
                    network_advice(registry, &server, cause.as_ref())
                }
                LookupFailure::Refused { login: from } => match from {
                    None => format!("give a login: {login}"),
                    Some(LoginSource::Options) => {
                        "give another login with --username and --password".to_owned()
                    }
                    Some(LoginSource::Task { options, .. }) => format!(
                        "give the task another login: acrt task credential update {options} --login-server {registry}"
                    ),
                    Some(LoginSource::Stored(_)) => format!("give another login: {login}"),
                },
                LookupFailure::Limited { .. } => {
                    format!("nothing needs to be done; a login often has a higher limit: {login}")
                }
                LookupFailure::Server { .. } | LookupFailure::BadReply(_) => {
                    format!("see what answers there: acrt check-health {registry}")
                }
                LookupFailure::SpeaksTls => format!(
                    "`{registry}` seems to speak TLS: set `plainHttp: false` for it in the config file"
                ),
                LookupFailure::NoImage(_) => {
                    "name a tag that is an image, or push an image under this one".to_owned()
                }
                LookupFailure::Schema1 => {
                    "push the image again with any current builder".to_owned()
                }
                LookupFailure::Incomplete(_) => {
                    "push the image again, with all of its layers".to_owned()
                }
                LookupFailure::Login(_) => {
                    format!("see which file and key are used: acrt check-health {registry}")
                }
                LookupFailure::Settings(_) => {
                    format!(
                        "correct `registries` in the config file, then: acrt check-health {registry}"
                    )
                }
            },
        }
    }
}

impl LookupFailure {
    /// Tells whether a proxy may be the cause: its connection failed, or it demands a login.
    fn may_be_of_a_proxy(&self, status: Option<u16>) -> bool {
        match self {
            Self::Network(cause) => !matches!(
                retry::tls_error(cause.as_ref()),
                Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
            ),
            Self::BadReply(_) => status == Some(407),
            _ => false,
        }
    }

    /// Describes what is wrong with `registry`, or with the login that may not do what is wanted.
    fn message(&self, registry: &str, wanted: &str) -> String {
        match self {
            Self::Network(_) => format!("`{registry}` cannot be reached"),
            Self::Refused { login: None } => format!("`{registry}` wants a login"),
            Self::Refused { login: Some(login) } => format!(
                "`{registry}` refuses the login from {login}, or that login may not {wanted}"
            ),
            Self::Limited { until } => {
                format!("`{registry}` limits us until {}", seconds(*until))
            }
            Self::Server { .. } => format!("`{registry}` is in trouble"),
            Self::BadReply(_) => format!("the answer of `{registry}` cannot be used"),
            Self::SpeaksTls => format!("`{registry}` speaks TLS, but was contacted without it"),
            Self::NoImage(what) => format!("it is not an image but {what}"),
            Self::Schema1 => "it is stored in the outdated schema 1 format".to_owned(),
            Self::Incomplete(digest) => format!("`{registry}` lacks its blob `{digest}`"),
            Self::Login(_) => format!("the login for `{registry}` cannot be read"),
            Self::Settings(_) => format!("the settings of `{registry}` cannot be used"),
        }
    }
}

/// Returns advice about a failed connection to `server`, by its cause.
fn network_advice(
    registry: &str,
    server: &str,
    cause: &(dyn std::error::Error + 'static),
) -> String {
    match retry::tls_error(cause) {
        Some(rustls::Error::InvalidMessage(_)) if server.eq_ignore_ascii_case(registry) => format!(
            "`{registry}` seems to speak plain http: set `plainHttp: true` for it in the config file"
        ),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => format!(
            "its certificate is for other names: use one of them for `{server}`, or a certificate with this one"
        ),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => format!(
            "renew the certificate of `{server}`, or correct the clock of this machine: acrt check-health"
        ),
        Some(rustls::Error::InvalidCertificate(_)) => format!(
            "if its certificate is from a private authority, set `caFile` for `{server}` in the config file"
        ),
        Some(rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
        )) => format!(
            "`{server}` wants a client certificate: set `clientCertificate` and `clientKey` for it in the config file"
        ),
        _ => format!("see what answers there: acrt check-health {registry}"),
    }
}

/// Drops the fractions of a second.
fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

impl fmt::Display for LookupError {
    /// Prints the request and its outcome, as the cause below the message of [`Error`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedRequest {
            method,
            url,
            status,
            said,
            ..
        } = self.asked();
        write!(f, "{method} {url}")?;
        if let Some(status) = status {
            write!(f, ": {status}")?;
            let reason = reqwest::StatusCode::from_u16(*status)
                .ok()
                .and_then(|status| status.canonical_reason());
            if let Some(reason) = reason {
                write!(f, " {reason}")?;
            }
        }
        if let Some(said) = said {
            write!(f, ": {said}")?;
        }
        match self.why() {
            Some(
                LookupFailure::BadReply(problem)
                | LookupFailure::Login(problem)
                | LookupFailure::Settings(problem),
            ) => write!(f, ": {problem}"),
            Some(LookupFailure::Network(cause)) if cause.source().is_none() => {
                write!(f, ": {cause}")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.why()? {
            // The outer message of the HTTP client only repeats the URL.
            LookupFailure::Network(cause) => cause.source(),
            _ => None,
        }
    }
}

impl From<LookupError> for Error {
    fn from(error: LookupError) -> Self {
        Self::new(Kind::Unknown, error.message())
            .hint(error.advice())
            .because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> FailedRequest {
        FailedRequest {
            registry: "ghcr.io".into(),
            image: "ghcr.io/acme/base:1".into(),
            method: "HEAD",
            url: "https://ghcr.io/v2/acme/base/manifests/1".into(),
            status: Some(401),
            said: Some("authentication required".into()),
        }
    }

    #[test]
    fn refusal_message_has_image_reason_request_and_next_command() {
        let error = Error::from(LookupError::unknown(
            LookupFailure::Refused { login: None },
            asked(),
        ));
        assert_eq!(error.kind(), Kind::Unknown);
        assert_eq!(
            error.one_line(),
            "cannot find out what `ghcr.io/acme/base:1` is: `ghcr.io` wants a login: \
             HEAD https://ghcr.io/v2/acme/base/manifests/1: 401 Unauthorized: authentication required"
        );
        assert_eq!(error.advice(), Some("give a login: acrt login ghcr.io"));
    }

    #[test]
    fn image_is_absent_only_by_a_registry_response() {
        let absent = LookupError::absent(MissingPart::Tag, asked());
        assert!(absent.is_absent() && !absent.is_unreachable());
        let refused = LookupError::unknown(LookupFailure::Refused { login: None }, asked());
        assert!(!refused.is_absent() && !refused.is_unreachable());
        let broken = LookupFailure::Network(Arc::new(std::io::Error::other("connection refused")));
        let broken = LookupError::unknown(broken, asked());
        assert!(broken.is_unreachable());
        assert_eq!(
            broken.advice(),
            "see what answers there: acrt check-health ghcr.io"
        );
    }

    #[test]
    fn rate_limit_error_has_its_retry_time() {
        let until = Timestamp::from_second(1_000).unwrap();
        let error = LookupError::unknown(LookupFailure::Limited { until }, asked());
        assert_eq!(error.retry_at(), Some(until));
        assert!(
            error
                .message()
                .ends_with("`ghcr.io` limits us until 1970-01-01T00:16:40Z")
        );
    }

    #[test]
    fn advice_about_tls_fits_what_is_wrong_with_the_certificate() {
        for (error, advice) in [
            (
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
                "if its certificate is from a private authority, set `caFile` for `ghcr.io` in the config file",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
                "its certificate is for other names: use one of them for `ghcr.io`, or a certificate with this one",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::Expired),
                "renew the certificate of `ghcr.io`, or correct the clock of this machine: acrt check-health",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
                "`ghcr.io` wants a client certificate: set `clientCertificate` and `clientKey` for it in the config file",
            ),
        ] {
            let cause = std::io::Error::other(error);
            let error = LookupError::unknown(LookupFailure::Network(Arc::new(cause)), asked());
            assert_eq!(error.advice(), advice);
        }
    }
}
