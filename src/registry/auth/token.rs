//! Tokens: the token request, its response, and a cache that makes one request however many wait for it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{
    Client, Request, Url,
    header::{AUTHORIZATION, HeaderValue},
};
use serde::Deserialize;

use crate::{
    registry::{credentials::credential::Credential, problem::LookupError},
    secret::{Secret, login_as_sent},
};

/// The lifetime of a token in seconds if the response has none, and the shortest that is believed.
const SHORTEST_LIFE: u64 = 60;

/// The longest lifetime in seconds that is believed.
const LONGEST_LIFE: u64 = 24 * 3600;

/// The client id for OAuth2 token services.
const CLIENT_ID: &str = "acrt";

/// A token service, with its name for the registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Realm {
    /// Its URL, which the registry is allowed to name.
    pub url: Url,
    /// The service's name for the registry.
    pub service: Option<String>,
}

/// The scope and the credential of a token. Tokens of different keys are never used for each other.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenKey {
    /// The service that grants it.
    pub realm: Arc<Realm>,
    /// The scopes that it grants, in order.
    pub scopes: Arc<[String]>,
    /// The credential for which it is granted.
    pub credential: Option<Credential>,
}

/// A token, as the header in which it is sent.
#[derive(Debug)]
pub struct Token {
    /// Marked as sensitive, so that it is not printed.
    header: HeaderValue,
    expires: Instant,
}

/// The response of a token service. The token may have either name, and all other fields may be missing.
#[derive(Deserialize)]
struct TokenResponse {
    token: Option<Secret>,
    access_token: Option<Secret>,
    expires_in: Option<f64>,
}

impl Token {
    /// Returns a token that the user already has, with an unknown expiry.
    pub fn given(secret: &Secret, now: Instant) -> Result<Self, String> {
        Self::new(secret, LONGEST_LIFE, now)
    }

    /// Parses the response of a token service that was received at `now`.
    ///
    /// The lifetime counts from then, on the monotonic clock: `issued_at` is from another clock, and the local one may be set.
    ///
    /// # Errors
    ///
    /// What is wrong with the response, without any of its contents.
    pub fn parse(body: &[u8], now: Instant) -> Result<Self, String> {
        let answer: TokenResponse = serde_json::from_slice(body)
            .map_err(|error| format!("its answer is malformed in line {}", error.line()))?;
        let token = [answer.token, answer.access_token]
            .into_iter()
            .flatten()
            .find(|token| !token.reveal().is_empty())
            .ok_or("its answer holds no token")?;
        let life = answer
            .expires_in
            .filter(|life| life.is_finite())
            .unwrap_or_default();
        let life = Duration::try_from_secs_f64(life).map_or(0, |life| life.as_secs());
        Self::new(&token, life, now)
    }

    fn new(token: &Secret, life: u64, now: Instant) -> Result<Self, String> {
        if !token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token holds characters that no token has".to_owned());
        }
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
            .map_err(|_| "the token does not fit into a header".to_owned())?;
        header.set_sensitive(true);
        // Renewed before it expires, so that no request is under way with an expired token.
        let life = Duration::from_secs(life.clamp(SHORTEST_LIFE, LONGEST_LIFE)).mul_f64(0.9);
        Ok(Self {
            header,
            expires: now + life,
        })
    }

    pub fn header(&self) -> &HeaderValue {
        &self.header
    }

    fn is_alive(&self, now: Instant) -> bool {
        now < self.expires
    }
}

/// Returns the request for a token.
///
/// # Errors
///
/// The HTTP client's error, where the credential does not fit into a request.
pub fn request(client: &Client, key: &TokenKey) -> Result<Request, reqwest::Error> {
    let service = key.realm.service.as_deref();
    if let Some(Credential::Identity(secret)) = &key.credential {
        let scopes = key.scopes.join(" ");
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", secret.reveal()),
            ("client_id", CLIENT_ID),
            ("service", service.unwrap_or_default()),
            ("scope", &scopes),
        ];
        return client.post(key.realm.url.clone()).form(&form).build();
    }
    let mut url = key.realm.url.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        for scope in key.scopes.iter() {
            query.append_pair("scope", scope);
        }
    }
    let mut request = client.get(url).build()?;
    if let Some(Credential::Password { username, password }) = &key.credential {
        request
            .headers_mut()
            .insert(AUTHORIZATION, basic(username, password));
    }
    Ok(request)
}

/// Returns the header of Basic authentication, RFC 7617.
pub fn basic(username: &str, password: &Secret) -> HeaderValue {
    let login = login_as_sent(&format!("{username}:{}", password.reveal()));
    let mut header = HeaderValue::try_from(format!("Basic {}", login.reveal()))
        .unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    header.set_sensitive(true);
    header
}

/// Tokens that were granted, and those that are being requested now.
#[derive(Default)]
pub struct Tokens {
    cells: Mutex<HashMap<TokenKey, Arc<TokenCell>>>,
}

#[derive(Default)]
struct TokenCell {
    /// How many times this token was requested: a waiter sees from it whether the token is newer than its own question.
    asked: AtomicU64,
    last: tokio::sync::Mutex<Option<Result<Arc<Token>, LookupError>>>,
}

impl Tokens {
    /// Returns a token for `key`, and whether it is new. If there is none, `ask` requests one; other callers wait meanwhile and share the
    /// outcome, even a failure.
    pub async fn get(
        &self,
        key: &TokenKey,
        ask: impl AsyncFnOnce() -> Result<Token, LookupError>,
    ) -> Result<(Arc<Token>, bool), LookupError> {
        let cell = self.cell(key);
        let before = cell.asked.load(Ordering::Relaxed);
        let mut last = cell.last.lock().await;
        let is_new = cell.asked.load(Ordering::Relaxed) != before;
        match &*last {
            Some(Ok(token)) if token.is_alive(Instant::now()) => {
                return Ok((Arc::clone(token), is_new));
            }
            Some(Err(error)) if is_new => return Err(error.clone()),
            _ => {}
        }
        let answer = ask().await.map(Arc::new);
        cell.asked.fetch_add(1, Ordering::Relaxed);
        *last = Some(answer.clone());
        Ok((answer?, true))
    }

    /// Drops a token that was not accepted, unless a newer one is already there.
    pub async fn forget(&self, key: &TokenKey, token: &Arc<Token>) {
        let cell = self.cell(key);
        let mut last = cell.last.lock().await;
        if matches!(&*last, Some(Ok(known)) if Arc::ptr_eq(known, token)) {
            *last = None;
        }
    }

    fn cell(&self, key: &TokenKey) -> Arc<TokenCell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        match cells.get(key) {
            Some(cell) => Arc::clone(cell),
            None => Arc::clone(cells.entry(key.clone()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell as Counter;

    use super::*;
    use crate::{
        registry::{
            problem::{FailedRequest, LookupFailure},
            transport::http_client::secrets_in,
        },
        secret::Masks,
    };

    fn key(credential: Option<Credential>, scopes: &[&str]) -> TokenKey {
        TokenKey {
            realm: Arc::new(Realm {
                url: "https://auth.example/token?tenant=a".parse().unwrap(),
                service: Some("reg.example".into()),
            }),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            credential,
        }
    }

    fn life(body: &str) -> u64 {
        let now = Instant::now();
        let token = Token::parse(body.as_bytes(), now).unwrap();
        token.expires.duration_since(now).as_secs()
    }

    fn client() -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().tls_certs_only([]).build().unwrap()
    }

    #[test]
    fn token_is_read_under_either_key_and_expires_after_nine_tenths_of_its_lifetime() {
        assert_eq!(life(r#"{"token":"t","expires_in":300}"#), 270);
        assert_eq!(life(r#"{"access_token":"t","expires_in":4500}"#), 4050);
        assert_eq!(life(r#"{"token":"","access_token":"t"}"#), 54);
        assert_eq!(life(r#"{"token":"t","expires_in":2}"#), 54);
        assert_eq!(life(r#"{"token":"t","expires_in":-5}"#), 54);
        assert_eq!(life(r#"{"token":"t","expires_in":1e300}"#), 54);
        assert_eq!(life(r#"{"token":"t","expires_in":9999999}"#), 77_760);
    }

    #[test]
    fn token_response_without_a_usable_token_is_refused_and_not_quoted() {
        let problem = |body: &str| Token::parse(body.as_bytes(), Instant::now()).unwrap_err();
        assert_eq!(
            problem("<html>hunter2"),
            "its answer is malformed in line 1"
        );
        assert_eq!(problem("{}"), "its answer holds no token");
        assert_eq!(problem(r#"{"token":null}"#), "its answer holds no token");
        assert_eq!(
            problem(r#"{"token":"a\nX-Evil: hunter2"}"#),
            "the token holds characters that no token has"
        );
    }

    #[test]
    fn token_request_has_one_parameter_for_each_scope() {
        let request = request(
            &client(),
            &key(None, &["repository:a:pull", "repository:b/c:pull"]),
        )
        .unwrap();
        assert_eq!(request.method(), "GET");
        assert_eq!(
            request.url().as_str(),
            "https://auth.example/token?tenant=a&service=reg.example&scope=repository%3Aa%3Apull&scope=repository%3Ab%2Fc%3Apull"
        );
        assert!(!request.headers().contains_key(AUTHORIZATION));
    }

    #[test]
    fn message_that_repeats_a_login_or_token_is_shown_without_it() {
        let password = Credential::Password {
            username: "me".into(),
            password: Secret::new("hunter2"),
        };
        let identity = Credential::Identity(Secret::new("iden/tity+"));
        let said = "bad: me:hunter2 bWU6aHVudGVyMg== iden/tity+";
        for (credential, shown) in [
            (password, "bad: me:*** *** iden/tity+"),
            (identity, "bad: me:hunter2 bWU6aHVudGVyMg== ***"),
        ] {
            let request = request(&client(), &key(Some(credential), &[])).unwrap();
            let masks = Masks::of(&secrets_in(&request));
            assert_eq!(masks.hide_in(said), shown);
        }
    }

    #[test]
    fn password_is_sent_in_a_header_and_an_identity_token_in_a_form() {
        let password = Credential::Password {
            username: "Aladdin".into(),
            password: Secret::new("open sesame"),
        };
        let basic = request(&client(), &key(Some(password), &["s"])).unwrap();
        assert_eq!(
            basic.headers()[AUTHORIZATION],
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert!(basic.headers()[AUTHORIZATION].is_sensitive());

        let identity = Credential::Identity(Secret::new("a+b"));
        let post = request(&client(), &key(Some(identity), &["s", "t"])).unwrap();
        assert_eq!(post.method(), "POST");
        assert_eq!(post.url().as_str(), "https://auth.example/token?tenant=a");
        let body = String::from_utf8(post.body().unwrap().as_bytes().unwrap().to_vec()).unwrap();
        assert_eq!(
            body,
            "grant_type=refresh_token&refresh_token=a%2Bb&client_id=acrt&service=reg.example&scope=s+t"
        );
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_token_request() {
        let tokens = Tokens::default();
        let asked = Counter::new(0);
        let key = key(None, &["s"]);
        let get = || {
            tokens.get(&key, async || {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Token::parse(br#"{"token":"t"}"#, Instant::now()).map_err(|_| failure())
            })
        };
        let (first, second, third) = tokio::join!(get(), get(), get());
        assert!(first.unwrap().1 && second.unwrap().1 && third.unwrap().1);
        let (token, is_new) = get().await.unwrap();
        assert_eq!((asked.get(), is_new), (1, false));
        tokens.forget(&key, &token).await;
        get().await.unwrap();
        assert_eq!(asked.get(), 2);
    }

    #[tokio::test]
    async fn concurrent_callers_share_a_token_failure_and_later_ones_request_again() {
        let tokens = Tokens::default();
        let asked = Counter::new(0);
        let key = key(None, &["s"]);
        let get = || {
            tokens.get(&key, async || {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Err(failure())
            })
        };
        let (first, second) = tokio::join!(get(), get());
        assert!(first.is_err() && second.is_err());
        assert_eq!(asked.get(), 1);
        assert!(get().await.is_err());
        assert_eq!(asked.get(), 2);
    }

    #[tokio::test]
    async fn tokens_are_cached_for_each_credential() {
        let tokens = Tokens::default();
        let of = |name: &str| {
            key(
                Some(Credential::Password {
                    username: name.into(),
                    password: Secret::new("p"),
                }),
                &["s"],
            )
        };
        let get = async |key: &TokenKey, body: &'static str| {
            let (token, _) = tokens
                .get(key, async || {
                    Token::parse(body.as_bytes(), Instant::now()).map_err(|_| failure())
                })
                .await
                .unwrap();
            token.header().to_str().unwrap().to_owned()
        };
        assert_eq!(get(&of("a"), r#"{"token":"for-a"}"#).await, "Bearer for-a");
        assert_eq!(get(&of("b"), r#"{"token":"for-b"}"#).await, "Bearer for-b");
        assert_eq!(get(&of("a"), r#"{"token":"other"}"#).await, "Bearer for-a");
    }

    fn failure() -> LookupError {
        LookupError::unknown(
            LookupFailure::Refused { login: None },
            FailedRequest::default(),
        )
    }
}
