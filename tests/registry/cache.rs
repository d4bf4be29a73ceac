//! Caching: content that cannot have changed is not requested twice, nor is a tag within a round.

use acrt::{
    image::{Platform, Reference},
    registry::{CacheExport, Registries},
};
use futures_util::future::join_all;
use serde_json::json;

use super::{
    distribution::Distribution,
    documents::{self, Document, entry, index},
    scripted::{Answer, Scripted, digest as canned},
    settings::{anonymous, client, digest, login, nobody, reference},
    token_service::{Rules, TokenService},
};

/// An index with a `linux/amd64` image, tagged `base:1`.
async fn base(registry: &Distribution, seed: &str) -> Document {
    let config = documents::config(seed, json!({"Labels": {"seed": seed}}));
    let image = registry.image_with("base", &config).await;
    let document = index(&[entry(&image, "linux/amd64")]);
    registry.put("base", "1", &document).await;
    document
}

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

/// Looks at a tag as a run does: digest, manifest and config.
async fn resolve(registries: &Registries, tag: &Reference) -> String {
    let looked = registries.look_all_cached(vec![tag.clone()]).await;
    let seen = looked.into_iter().next().unwrap().1.unwrap();
    let wanted = [amd64()];
    registries.platforms(tag, &seen, &wanted).await.unwrap();
    let pinned = tag.at(seen.digest.clone());
    let config = registries.config(&pinned, &wanted[0]).await.unwrap();
    config.labels["seed"].clone()
}

#[tokio::test]
async fn round_requests_each_tag_and_each_manifest_once_for_many_runs() {
    let registry = Distribution::start();
    base(&registry, "monday").await;
    let registries = anonymous();
    let tag = reference(&registry.image("base:1"));
    let round = registries.remember_tags();
    registries.look(&tag).await.unwrap();
    // Concurrently, and one after the other.
    let all = join_all((0..100).map(|_| resolve(&registries, &tag))).await;
    assert!(all.iter().all(|seed| seed == "monday"));
    for _ in 0..100 {
        resolve(&registries, &tag).await;
    }
    // HEAD, the index, the manifest, the config.
    assert_eq!(registry.requests().await.len(), 4);

    drop(round);
    base(&registry, "tuesday").await;
    assert_eq!(resolve(&registries, &tag).await, "tuesday");
    assert_eq!(registry.requests().await.len(), 8);
}

#[tokio::test]
async fn look_always_sends_a_request_and_updates_the_cache() {
    let registry = Distribution::start();
    let first = registry.push("base:1", "one").await;
    let registries = anonymous();
    let tag = reference(&registry.image("base:1"));
    let _round = registries.remember_tags();
    assert_eq!(digest(&registries, &tag.to_string()).await, first);
    let second = registry.push("base:1", "two").await;
    let cached = async || {
        let seen = registries.look_cached(&tag).await.unwrap();
        seen.digest.to_string()
    };
    assert_eq!(cached().await, first);
    registries.forget_tag(&tag);
    assert_eq!(cached().await, second);
    let third = registry.push("base:1", "three").await;
    let looked = registries.look_all(vec![tag.clone()]).await;
    assert_eq!(looked[0].1.as_ref().unwrap().digest.to_string(), third);
    assert_eq!(cached().await, third);
    assert_eq!(registry.requests().await.len(), 3);
    // A failed look leaves no cache entry.
    registry.delete("base", &third).await;
    assert!(registries.look(&tag).await.is_err());
    assert!(registries.look_cached(&tag).await.is_err());
}

#[tokio::test]
async fn cached_look_outside_a_round_is_shared_only_by_concurrent_callers() {
    let registry = Distribution::start();
    registry.push("base:1", "one").await;
    let registries = anonymous();
    let tag = reference(&registry.image("base:1"));
    let together = join_all((0..20).map(|_| registries.look_cached(&tag))).await;
    assert!(together.iter().all(Result::is_ok));
    assert_eq!(registry.requests().await.len(), 1);
    registries.look_cached(&tag).await.unwrap();
    assert_eq!(registry.requests().await.len(), 2);
}

#[tokio::test]
async fn failed_look_is_shared_by_its_waiters_and_names_each_image() {
    let server = Scripted::start(|_, _| Answer::manifest(&canned('a')));
    let registries = anonymous();
    let tags: Vec<Reference> = (0..5)
        .map(|n| reference(&server.image(&format!("base:{n}"))))
        .collect();
    let wanted = [amd64()];
    let asked = tags.iter().map(async |tag| {
        let seen = registries.look(tag).await.unwrap();
        registries.platforms(tag, &seen, &wanted).await.unwrap_err()
    });
    let errors = join_all(asked).await;
    for (error, tag) in errors.iter().zip(&tags) {
        assert_eq!(error.asked().image, tag.to_string());
    }
    let gets = |requests: Vec<String>| requests.iter().filter(|it| it.starts_with("GET")).count();
    assert!(gets(server.requests()) < 5, "{:?}", server.requests());
}

#[tokio::test]
async fn exported_cache_of_another_process_is_used_without_requests() {
    let registry = Distribution::start();
    base(&registry, "monday").await;
    let tag = reference(&registry.image("base:1"));
    let other = reference(&registry.image("other:1"));
    let registries = anonymous();
    let _round = registries.remember_tags();
    registries.look(&tag).await.unwrap();
    resolve(&registries, &tag).await;
    let answers = registries.export([&tag, &other]);
    let text = serde_json::to_string(&answers).unwrap();
    let before = registry.requests().await.len();

    let child = anonymous();
    let answers: CacheExport = serde_json::from_str(&text).unwrap();
    assert_eq!(answers.tags.keys().collect::<Vec<_>>(), [&tag]);
    child.import(answers);
    assert_eq!(resolve(&child, &tag).await, "monday");
    assert_eq!(registry.requests().await.len(), before);

    // Content that the child process itself has looked at or pushed takes precedence.
    base(&registry, "tuesday").await;
    child.forget_tag(&tag);
    assert_eq!(resolve(&child, &tag).await, "tuesday");
}

#[tokio::test]
async fn registry_client_with_other_credentials_keeps_learned_facts_and_gets_its_own_tokens() {
    let service = TokenService::start(Rules::default());
    let registry = Distribution::with(super::distribution::Access::Token {
        realm: service.realm(),
        certificate: service.certificate(),
    });
    let registry = registry.upload_with(service.token_for(&["base"]));
    base(&registry, "monday").await;
    let tag = reference(&registry.image("base:1"));
    let (first, _) = client(&nobody(), vec![login(&registry.host(), "ann", "a")]);
    resolve(&first, &tag).await;
    let before = registry.requests().await.len();
    let logins = vec![login(&registry.host(), "bob", "b")];
    let second = first.with(&nobody(), logins);
    resolve(&second, &tag).await;
    // A challenge and a HEAD; the content of the digest is cached.
    assert_eq!(registry.requests().await.len(), before + 2);
    let users: Vec<Option<String>> = service
        .received()
        .iter()
        .map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    let basic = |login: &str| Some(format!("Basic {login}"));
    assert_eq!(users, [basic("YW5uOmE="), basic("Ym9iOmI=")]);
    // The first process continues with its own answer.
    first.look(&tag).await.unwrap();
    assert_eq!(service.received().len(), 2);
}
