//! Lists of tags, repositories and referrers: a part of a list is never taken for all of it.

use acrt::{
    image::Digest,
    registry::{
        Removal,
        copy::{CopyRequest, ImagePlace},
    },
};
use serde_json::json;

use super::{
    distribution::Distribution,
    documents::{self, INDEX, MANIFEST},
    scripted::{Answer, Request, Scripted, digest},
    settings::{anonymous, reference, words},
};

fn json_of(status: u16, body: &str) -> Answer {
    Answer::status(status)
        .header("Content-Type", "application/json")
        .body(body)
}

/// A registry whose lists end with a second page, to which `link` leads.
fn linked(link: &'static str) -> Scripted {
    Scripted::start(move |request, _| {
        if request.target.contains("last=2") {
            return json_of(200, r#"{"name":"a","tags":["3"],"repositories":["c"]}"#);
        }
        let first = r#"{"name":"a","tags":["1","2"],"repositories":["a","b"]}"#;
        json_of(200, first).header("Link", link)
    })
}

#[tokio::test]
async fn all_pages_of_tags_and_repositories_are_read_whatever_the_form_of_the_link() {
    for link in [
        r#"</v2/a/tags/list?last=2&cursor=x,y>; rel="next""#,
        r#"</v2/a/tags/list?last=2>; rel = "next""#,
        r#"</v2/a/tags/list?last=2>; title="page 2, 3"; rel="last next""#,
    ] {
        let (server, registries) = (linked(link), anonymous());
        let tags = registries.tags(&reference(&server.image("a"))).await;
        assert_eq!(tags.unwrap(), ["1", "2", "3"], "{link}");
        let repositories = registries.repositories(&server.host()).await;
        assert_eq!(repositories.unwrap().unwrap(), ["a", "b", "c"], "{link}");
    }
    let server = linked("</v2/a/tags/list/2>; rel=next");
    let error = anonymous().tags(&reference(&server.image("a"))).await;
    let (text, _) = words(error.unwrap_err());
    assert!(
        text.ends_with("200 OK: the link to its next page has no query"),
        "{text}"
    );
}

#[tokio::test]
async fn tag_list_is_empty_only_if_the_registry_says_so() {
    let tags = async |answer: Answer| {
        let server = Scripted::start(move |_, _| answer.clone());
        anonymous().tags(&reference(&server.image("a"))).await
    };
    for (status, body) in [
        (404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
        (404, r#"{"errors":[{"code":"NOT_FOUND","message":"x"}]}"#),
        (200, r#"{"name":"a","tags":null}"#),
        (200, r#"{"name":"a","tags":[]}"#),
    ] {
        let found = tags(json_of(status, body)).await;
        assert_eq!(found.unwrap(), Vec::<String>::new(), "{body}");
    }
    for (status, body) in [
        (404, "404 page not found"),
        (404, "<html>backend not found</html>"),
        (404, ""),
        (404, r#"{"errors":[{"code":"UNKNOWN"}]}"#),
        (410, ""),
        (200, r#"{"error":"overloaded"}"#),
        (200, r#"{"name":"b","tags":null}"#),
    ] {
        let error = tags(json_of(status, body)).await.unwrap_err();
        assert!(!error.is_absent(), "{status} {body}");
    }
}

#[tokio::test]
async fn list_with_a_missing_page_is_an_error() {
    let server = Scripted::start(|request: &Request, _| {
        if request.target.contains("last") {
            return json_of(404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#);
        }
        let first = json_of(200, r#"{"tags":["1"],"repositories":["a"]}"#);
        first.header("Link", "</x?last=1>; rel=next")
    });
    let registries = anonymous();
    let tags = registries.tags(&reference(&server.image("a"))).await;
    for error in [
        tags.unwrap_err(),
        registries.repositories(&server.host()).await.unwrap_err(),
    ] {
        assert!(!error.is_absent());
        let (text, _) = words(error);
        assert!(
            text.ends_with("NAME_UNKNOWN: a page of its list is missing"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn list_without_an_end_is_given_up() {
    let same = Scripted::start(|_, n| {
        let next = format!("</x?last={n}>; rel=next");
        json_of(200, r#"{"tags":["1"]}"#).header("Link", next)
    });
    let error = anonymous().tags(&reference(&same.image("a"))).await;
    let (text, _) = words(error.unwrap_err());
    assert!(text.ends_with("after a page with nothing new"), "{text}");
    assert_eq!(same.requests().len(), 2);
    let long = Scripted::start(|_, n| {
        let names: Vec<String> = (0..30)
            .map(|m| format!("{n}-{m}{}", "x".repeat(100_000)))
            .collect();
        json_of(200, &json!({"tags": names}).to_string())
            .header("Link", format!("</x?last={n}>; rel=next"))
    });
    let error = anonymous().tags(&reference(&long.image("a"))).await;
    let (text, _) = words(error.unwrap_err());
    assert!(text.ends_with("its list has no end"), "{text}");
    assert!(long.requests().len() < 20);
}

/// A registry with one image and three signatures of it, whose list of referrers has two pages.
fn signed() -> (Scripted, String) {
    let image = documents::manifest(b"{}");
    let subject = image.digest();
    let media_type = "application/vnd.dev.cosign.artifact.sig.v1+json";
    let about = json!({"mediaType": MANIFEST, "digest": subject, "size": image.bytes.len()});
    let signatures = [1, 2, 3].map(|n| {
        let more = json!({"artifactType": media_type, "subject": about, "annotations": {"n": n.to_string()}});
        documents::artifact(more, "application/vnd.oci.empty.v1+json", &[])
    });
    let list = format!("/v2/a/referrers/{subject}");
    let server = Scripted::start(move |request, _| {
        let target = request.target.as_str();
        let referrers = |signatures: &[documents::Document]| {
            let entries = signatures.iter().map(|it| {
                json!({"mediaType": MANIFEST, "digest": it.digest(), "size": it.bytes.len(),
                       "artifactType": media_type})
            });
            documents::answer(&documents::index(&entries.collect::<Vec<_>>()))
        };
        if target == list {
            let next = format!("<{list}?last=2>; rel=\"next\"");
            return referrers(&signatures[..2]).header("Link", next);
        }
        if request.path() == list {
            return referrers(&signatures[2..]);
        }
        if request.path().starts_with("/v2/a/blobs/") {
            return Answer::status(200).body("{}");
        }
        let all = signatures.iter().chain([&image]);
        let found = all.into_iter().find(|it| target.ends_with(&it.digest()));
        match found {
            Some(found) => documents::answer(found),
            None if target == "/v2/a/manifests/1" => documents::answer(&image),
            None if target.contains("/referrers/") => json_of(
                200,
                &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string(),
            ),
            None => json_of(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
        }
    });
    (server, subject)
}

#[tokio::test]
async fn all_pages_of_referrers_are_read_and_copied() {
    let (source, subject) = signed();
    let image = reference(&source.image("a:1"));
    let subject: Digest = subject.parse().unwrap();
    let listed = anonymous().referrers(&image, &subject).await.unwrap();
    let listed = listed.unwrap();
    assert_eq!(listed.len(), 3);
    let target = Distribution::start();
    let request = CopyRequest {
        from: ImagePlace::Registry(image),
        to: ImagePlace::Registry(reference(&target.image("a:1"))),
        tags: vec!["1".to_owned()],
        platforms: Vec::new(),
        all_referrers: true,
        force: false,
    };
    let copied = anonymous().copy(&request, &|_| {}, &()).await;
    copied.map_err(acrt::Error::from).unwrap();
    for referrer in listed {
        let path = format!("a/manifests/{referrer}");
        assert!(target.get(&path).await.is_some(), "{referrer}");
    }
}

#[tokio::test]
async fn referrers_with_an_unreadable_page_are_an_error() {
    let server = Scripted::start(|_, _| {
        let list = documents::answer(&documents::index(&[]));
        list.header("Link", "next")
    });
    let image = reference(&server.image("a:1"));
    let found = anonymous()
        .referrers(&image, &digest('a').parse().unwrap())
        .await;
    let (text, _) = words(found.unwrap_err());
    assert!(text.ends_with("its `Link` header is malformed"), "{text}");
}

#[tokio::test]
async fn referrers_api_is_absent_by_status_or_web_page_and_never_by_a_broken_list() {
    let referrers = async |answer: Answer| {
        let page = Answer::status(200).header("Content-Type", "text/html; charset=utf-8");
        let server = Scripted::start(move |request, _| match request.path() {
            "/login" => page.clone().body("<html>"),
            _ => answer.clone(),
        });
        let image = reference(&server.image("a:1"));
        let subject = digest('a').parse().unwrap();
        anonymous().referrers(&image, &subject).await
    };
    for status in [400, 404, 405, 406, 410, 501] {
        let found = referrers(Answer::status(status)).await;
        assert_eq!(found.unwrap(), None, "{status}");
    }
    for status in [303, 307] {
        let found = referrers(Answer::status(status).header("Location", "/login")).await;
        assert_eq!(found.unwrap(), None, "{status}");
    }
    let index = documents::index(&[]);
    let found = referrers(documents::answer(&index)).await;
    assert_eq!(found.unwrap(), Some(Vec::new()));
    let mut torn = documents::answer(&index);
    torn.body.truncate(20);
    for broken in [
        torn,
        json_of(200, "{}"),
        json_of(200, ""),
        Answer::status(403),
        Answer::status(429),
        Answer::status(500),
        Answer::status(503),
    ] {
        let status = broken.status;
        assert!(referrers(broken).await.is_err(), "{status}");
    }
}

#[tokio::test]
async fn digests_in_a_list_of_tags_are_no_tags() {
    let body = json!({"name": "a", "tags": ["1", digest('a'), "sha256-b"]}).to_string();
    let server = Scripted::start(move |_, _| json_of(200, &body));
    let tags = anonymous().tags(&reference(&server.image("a"))).await;
    assert_eq!(tags.unwrap(), ["1", "sha256-b"]);
}

#[tokio::test]
async fn tag_that_vanishes_before_its_removal_is_absent() {
    let image = documents::manifest(b"{}");
    let named: Digest = image.digest().parse().unwrap();
    let server = Scripted::start(move |request, _| match request.method.as_str() {
        "HEAD" => documents::answer(&image),
        _ => json_of(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
    });
    let tag = reference(&server.image("a:1"));
    let removed = anonymous().untag(&tag, &named, true).await;
    assert_eq!(removed.unwrap(), Removal::Absent);
}
