//! The status page over HTTP: access, headers, and caching. Its content is made elsewhere.

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{
    access::{Access, Admission},
    body,
    connection_limiter::Slot,
};

/// Everything comes from this server, nothing is inline, and no other page may show this one in a frame.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// The path of the login form.
const LOGIN: &str = "/login";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    pub path: String,
    /// The query string of the URL.
    pub query: String,
    /// The id of the last event that an interrupted stream has received.
    pub last_event: Option<String>,
}

impl PageRequest {
    /// Returns the first field of this name in the query.
    pub fn field(&self, name: &str) -> Option<String> {
        body::field(self.query.as_bytes(), name)
    }
}

/// A stream of bytes.
pub type PageStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

pub enum PageBody {
    Whole(Vec<u8>),
    /// Content that is produced while it is sent.
    Stream(PageStream),
    /// Server-sent events, as they happen.
    Events(PageStream),
}

pub struct PageResponse {
    pub status: u16,
    /// The content type of the body.
    pub kind: &'static str,
    /// The entity tag of this version; made from the body where it is not set.
    pub tag: Option<String>,
    pub body: PageBody,
}

/// Produces the content of a request. At `/login` that is the login form.
pub type PageSource =
    Arc<dyn Fn(PageRequest) -> Pin<Box<dyn Future<Output = PageResponse> + Send>> + Send + Sync>;

#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

pub struct Page<'p> {
    /// The source of its content.
    pub source: &'p PageSource,
    pub access: &'p Access,
    pub now: Timestamp,
}

/// Answers a request to the page.
pub async fn answer(page: Page<'_>, request: Request) -> Response {
    let policy = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    (policy, answer_any(&page, request).await).into_response()
}

async fn answer_any(page: &Page<'_>, request: Request) -> Response {
    let Page {
        source,
        access,
        now,
    } = *page;
    let (parts, body) = request.into_parts();
    let Some(Peer(peer)) = parts.extensions.get::<Peer>().copied() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let path = parts.uri.path().to_owned();
    if parts.method == Method::POST && path == LOGIN {
        let typed = body::read(&parts.headers, body).await;
        return match typed {
            Ok(typed) => log_in(page, peer, &parts.headers, &typed).await,
            Err(status) => status.into_response(),
        };
    }
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    let wanted = PageRequest {
        query: parts.uri.query().unwrap_or_default().to_owned(),
        last_event: text(&parts.headers, "last-event-id").map(str::to_owned),
        path,
    };
    // The files of the login form itself are open: they show no names.
    let is_open = matches!(wanted.path.as_str(), "/page.css" | "/page.js" | "/icon.svg");
    let slot = parts.extensions.get::<Arc<Slot>>();
    let admission = access.admit(peer, &parts.headers, now);
    match admission {
        _ if is_open => {}
        Admission::Granted => {}
        Admission::Proven => {
            if let Some(slot) = slot {
                slot.has_proven();
            }
        }
        refused => return refuse(source, refused, &wanted).await,
    }
    // The form for someone who needs none would ask again after each reload.
    if wanted.path == LOGIN {
        return see_other(&own_path(&wanted.field("next").unwrap_or_default()));
    }
    send(source(wanted).await, &parts.headers, slot)
}

/// Redirects to a path of this server.
fn see_other(path: &str) -> Response {
    let home = HeaderValue::from_static("/");
    let location = HeaderValue::from_str(path).unwrap_or(home);
    let no_store = [(CACHE_CONTROL, "no-store")];
    (StatusCode::SEE_OTHER, [(LOCATION, location)], no_store).into_response()
}

/// Redirects a browser to the login form, and tells all others why access is refused.
async fn refuse(source: &PageSource, why: Admission, wanted: &PageRequest) -> Response {
    let (status, text) = match why {
        Admission::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong tokens; try again in a minute\n",
        ),
        Admission::WrongHost => (
            StatusCode::MISDIRECTED_REQUEST,
            "this page is only for names of this machine, as localhost, and for that of `page.url` in the config file of acrt\n",
        ),
        Admission::NotByProxy => (
            StatusCode::FORBIDDEN,
            "this page is only for its proxy, `page.trustProxy` in the config file of acrt\n",
        ),
        _ => (StatusCode::UNAUTHORIZED, "this page needs a token\n"),
    };
    let is_for_programs = wanted.path.ends_with(".json") || wanted.path.ends_with("/events");
    if status == StatusCode::UNAUTHORIZED && !is_for_programs {
        let next = match wanted.query.as_str() {
            "" => wanted.path.clone(),
            query => format!("{}?{query}", wanted.path),
        };
        return form(source, status, &[("next", &next)]).await;
    }
    let answer = (status, [(CACHE_CONTROL, "no-store")], text);
    match status {
        StatusCode::UNAUTHORIZED => ([(WWW_AUTHENTICATE, "Bearer")], answer).into_response(),
        StatusCode::TOO_MANY_REQUESTS => ([(RETRY_AFTER, "60")], answer).into_response(),
        _ => answer.into_response(),
    }
}

/// Returns the login form.
async fn form(source: &PageSource, status: StatusCode, fields: &[(&str, &str)]) -> Response {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let form = source(PageRequest {
        path: LOGIN.to_owned(),
        query,
        last_event: None,
    });
    let PageBody::Whole(body) = form.await.body else {
        return status.into_response();
    };
    let kind = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, kind, body).into_response()
}

async fn log_in(page: &Page<'_>, peer: IpAddr, headers: &HeaderMap, typed: &[u8]) -> Response {
    let given = |name: &str| body::field(typed, name).unwrap_or_default();
    let next = own_path(&given("next"));
    let (admission, cookie) = page.access.log_in(peer, headers, &given("token"), page.now);
    let wrong = match admission {
        Admission::TooMany => Some((StatusCode::TOO_MANY_REQUESTS, "slow")),
        Admission::NeedsToken => Some((StatusCode::UNAUTHORIZED, "wrong")),
        _ => None,
    };
    if let Some((status, why)) = wrong {
        return form(page.source, status, &[("next", &next), ("why", why)]).await;
    }
    let mut answer = see_other(&next);
    let cookie = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok());
    if let Some(cookie) = cookie {
        answer.headers_mut().insert(SET_COOKIE, cookie);
    }
    answer
}

/// Returns a path of this server; the start page for anything else, such as the address of another site.
fn own_path(next: &str) -> String {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_own { next } else { "/" }.to_owned()
}

/// Sends the content, unless the browser has it already.
fn send(made: PageResponse, headers: &HeaderMap, slot: Option<&Arc<Slot>>) -> Response {
    let status = StatusCode::from_u16(made.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match made.body {
        PageBody::Events(events) => {
            // A stream of events takes no place of requests; such streams have a limit of their own.
            if slot.is_some_and(|slot| !slot.listens()) {
                let later = [(RETRY_AFTER, "30")];
                return (StatusCode::SERVICE_UNAVAILABLE, later).into_response();
            }
            let body = Body::from_stream(events.map(Ok::<_, std::convert::Infallible>));
            // Otherwise nginx would buffer the events.
            let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
            (status, [(CONNECTION, "close"), unbuffered], body).into_response()
        }
        PageBody::Stream(stream) => {
            if let Some(same) = unchanged(made.tag.as_deref(), headers) {
                return same;
            }
            let body = Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>));
            with_tag((status, body).into_response(), made.tag.as_deref())
        }
        PageBody::Whole(body) => {
            let tag = made.tag.unwrap_or_else(|| tag_of(&body));
            if let Some(same) = unchanged(Some(&tag), headers).filter(|_| status.is_success()) {
                return same;
            }
            with_tag((status, body).into_response(), Some(&tag))
        }
    };
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(made.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer
}

fn tag_of(body: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(body));
    format!("\"{}\"", &digest[..24])
}

/// Returns a 304 response if the browser has this version (RFC 9110, section 13.1.2).
fn unchanged(tag: Option<&str>, headers: &HeaderMap) -> Option<Response> {
    let tag = tag?;
    let known = text(headers, IF_NONE_MATCH.as_str())?;
    let mut known = known.split(',').map(str::trim);
    let is_known = known.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag);
    is_known.then(|| with_tag(StatusCode::NOT_MODIFIED.into_response(), Some(tag)))
}

fn with_tag(mut answer: Response, tag: Option<&str>) -> Response {
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_redirects_to_paths_of_this_page_only() {
        for path in ["/", "/runs/ca1", "/task?registry=a&name=b"] {
            assert_eq!(own_path(path), path);
        }
        for path in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nb: c",
            "/ä",
        ] {
            assert_eq!(own_path(path), "/", "{path}");
        }
    }

    #[test]
    fn etag_covers_the_whole_body_and_a_known_one_is_answered_without_a_body() {
        let tag = tag_of(b"body");
        assert_ne!(tag, tag_of(b"body "));
        let sent = |known: &str| {
            let value = HeaderValue::from_str(known).unwrap();
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, value)]);
            let made = PageResponse {
                status: 200,
                kind: "text/plain",
                tag: None,
                body: PageBody::Whole(b"body".to_vec()),
            };
            send(made, &headers, None).status().as_u16()
        };
        assert_eq!(sent(&tag), 304);
        assert_eq!(sent(&format!("\"other\", W/{tag}")), 304);
        assert_eq!(sent("*"), 304);
        assert_eq!(sent("\"other\""), 200);
    }
}
