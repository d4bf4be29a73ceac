//! A token service for Docker Distribution: it grants what the test allows, and counts requests.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::json;

use super::{
    nginx::Authority,
    scripted::{Answer, Request, Scripted},
};

/// The behaviour of the service.
#[derive(Clone, Default)]
pub struct Rules {
    /// The required `user:password`; everybody gets a token, if unset.
    pub login: Option<&'static str>,
    /// Grants only the first of several scopes.
    pub only_first: bool,
    /// Refuses requests for more than one scope.
    pub one_scope: bool,
    /// Repositories for which no token is granted.
    pub denied: Vec<&'static str>,
    /// The reported lifetime of tokens in seconds; none, if unset.
    pub expires_in: Option<u64>,
}

/// A running token service.
pub struct TokenService {
    authority: Authority,
    signer: Arc<Signer>,
    server: Scripted,
}

struct Signer {
    key: EcdsaKeyPair,
    chain: String,
}

impl TokenService {
    pub fn start(rules: Rules) -> Self {
        let authority = Authority::new();
        let signer = Arc::new(Signer {
            key: key(&fs::read_to_string(authority.key()).unwrap()),
            chain: pem(&fs::read_to_string(authority.certificate()).unwrap()),
        });
        let server = Scripted::start({
            let signer = Arc::clone(&signer);
            move |request, _| answer(request, &rules, &signer)
        });
        Self {
            authority,
            signer,
            server,
        }
    }

    pub fn realm(&self) -> String {
        format!("http://{}/token", self.server.host())
    }

    pub fn certificate(&self) -> PathBuf {
        self.authority.certificate()
    }

    /// Returns a token for full access to these repositories.
    pub fn token_for(&self, repositories: &[&str]) -> String {
        let access = repositories.iter().map(|name| json!({"type": "repository", "name": name, "actions": ["*", "pull", "push", "delete"]}));
        self.signer.sign(access.collect())
    }

    /// Returns the repositories of each requested token.
    pub fn asked_for(&self) -> Vec<Vec<String>> {
        self.server.received().iter().map(repositories).collect()
    }

    /// Returns the scopes of each requested token.
    pub fn scopes(&self) -> Vec<Vec<String>> {
        self.server.received().iter().map(scopes).collect()
    }

    pub fn received(&self) -> Vec<Request> {
        self.server.received()
    }
}

fn answer(request: &Request, rules: &Rules, signer: &Signer) -> Answer {
    let wanted = rules
        .login
        .map(|login| format!("Basic {}", STANDARD.encode(login)));
    if wanted.is_some() && request.header("authorization") != wanted.as_deref() {
        return Answer::status(401)
            .body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#);
    }
    let mut asked = repositories(request);
    if rules.one_scope && asked.len() > 1 {
        return Answer::status(400).body("one scope, please");
    }
    if rules.only_first {
        asked.truncate(1);
    }
    asked.retain(|name| !rules.denied.contains(&name.as_str()));
    let access = scopes(request).into_iter().filter_map(|scope| {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<&str> = actions.split(',').collect();
        let is_granted = asked.iter().any(|asked| asked == name);
        is_granted.then(|| json!({"type": kind, "name": name, "actions": actions}))
    });
    let mut body = json!({"token": signer.sign(access.collect())});
    if let Some(life) = rules.expires_in {
        body["expires_in"] = json!(life);
    }
    Answer::status(200)
        .header("Content-Type", "application/json")
        .body(body.to_string())
}

/// Returns the repositories in the scopes of a request.
fn repositories(request: &Request) -> Vec<String> {
    let scopes = scopes(request).into_iter();
    let names = scopes.map(|scope| scope.split(':').nth(1).unwrap().to_owned());
    names.collect()
}

/// Returns the scopes of a request, from its query or its form.
fn scopes(request: &Request) -> Vec<String> {
    let query = request
        .target
        .split_once('?')
        .map_or(request.body.as_str(), |(_, query)| query);
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    let scopes = url.query_pairs().filter(|(name, _)| name == "scope");
    scopes
        .flat_map(|(_, scopes)| scopes.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

impl Signer {
    fn sign(&self, access: Vec<serde_json::Value>) -> String {
        let now = jiff::Timestamp::now().as_second();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.chain]});
        let claims: BTreeMap<&str, serde_json::Value> = [
            ("iss", json!("issuer.test")),
            ("sub", json!("")),
            ("aud", json!("registry.test")),
            ("nbf", json!(now - 30)),
            ("iat", json!(now)),
            ("exp", json!(now + 300)),
            ("jti", json!("1")),
            ("access", json!(access)),
        ]
        .into();
        let part = |value: String| URL_SAFE_NO_PAD.encode(value);
        let text = format!(
            "{}.{}",
            part(header.to_string()),
            part(json!(claims).to_string())
        );
        let signature = self
            .key
            .sign(&SystemRandom::new(), text.as_bytes())
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn key(text: &str) -> EcdsaKeyPair {
    let der = STANDARD.decode(pem(text)).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new()).unwrap()
}

/// Returns the base64 text of a PEM file.
fn pem(text: &str) -> String {
    text.lines()
        .filter(|line| !line.starts_with("-----"))
        .collect()
}
