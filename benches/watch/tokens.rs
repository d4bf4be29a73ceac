//! Tokens as Docker Distribution expects them: signed with ES256, and larger the more they grant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::{Value, json};

use crate::tls::Identity;

/// The name of the registry at the token service, and of the token service at the registry.
pub const SERVICE: &str = "acrt-bench";

/// The lifetime of a token.
const LIFE: Duration = Duration::from_secs(600);

/// Issues a token for every requested scope.
pub struct Issuer {
    key: EcdsaKeyPair,
    certificate: String,
    random: SystemRandom,
}

impl Issuer {
    /// Returns an issuer that signs with the key of `identity`.
    ///
    /// # Errors
    ///
    /// If ring does not accept the key.
    pub fn new(identity: &Identity) -> Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, &identity.key, &random)
            .map_err(|refused| anyhow!("the key for tokens cannot be used: {refused}"))?;
        Ok(Self {
            key,
            certificate: STANDARD.encode(&identity.certificate),
            random,
        })
    }

    /// Returns the body of a response that grants `scopes`, each `repository:NAME:ACTIONS`.
    ///
    /// # Errors
    ///
    /// If the machine has no random numbers.
    pub fn grant(&self, scopes: &[String]) -> Result<Vec<u8>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let access: Vec<Value> = scopes
            .iter()
            .filter_map(|scope| {
                let (kind, rest) = scope.split_once(':')?;
                let (name, actions) = rest.rsplit_once(':')?;
                let actions: Vec<&str> = actions.split(',').collect();
                Some(json!({"type": kind, "name": name, "actions": actions}))
            })
            .collect();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": SERVICE,
            "aud": SERVICE,
            "sub": "",
            "iat": now.as_secs(),
            "nbf": now.as_secs().saturating_sub(60),
            "exp": (now + LIFE).as_secs(),
            "jti": now.as_nanos().to_string(),
            "access": access,
        });
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self
            .key
            .sign(&self.random, signed.as_bytes())
            .map_err(|refused| anyhow!("cannot sign a token: {refused}"))?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        Ok(serde_json::to_vec(
            &json!({"token": token, "expires_in": LIFE.as_secs()}),
        )?)
    }
}

/// Tells whether a token grants to pull from `repository`. Its signature is not checked: no test forges one.
#[must_use]
pub fn grants(token: &str, repository: &str) -> bool {
    let claims = token.split('.').nth(1);
    let claims = claims.and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    let access = claims.and_then(|mut claims| match claims["access"].take() {
        Value::Array(access) => Some(access),
        _ => None,
    });
    access
        .into_iter()
        .flatten()
        .any(|grant| grant["name"] == repository)
}
