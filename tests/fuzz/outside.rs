//! Input from outside of this machine or from another process: webhooks, responses of registries, Dockerfiles, state files.

use std::{collections::BTreeMap, time::Instant};

use acrt::{
    dockerfile::{Build, Dockerfile},
    listen::{Proof, is_signed, read_payload},
    registry::{ImageConfig, Token, parse_manifest, select_challenge, server_words},
    store::Store,
    sys::secret::Secret,
    task::{Run, TaskKey},
    watch::{TagRecord, notified},
};
use axum::http::{HeaderMap, HeaderValue};

/// The reader of such an input.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Webhook,
    Proof,
    Manifest,
    ImageConfig,
    Challenge,
    Token,
    Refusal,
    Dockerfile,
    State,
    StateFile,
}

pub const KINDS: &[Kind] = &[
    Kind::Webhook,
    Kind::Proof,
    Kind::Manifest,
    Kind::ImageConfig,
    Kind::Challenge,
    Kind::Token,
    Kind::Refusal,
    Kind::Dockerfile,
    Kind::State,
    Kind::StateFile,
];

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Headers by which senders of webhooks are recognised.
const SENDERS: &[Option<(&str, &str)>] = &[
    None,
    Some(("x-gitlab-event", "Push Hook")),
    Some(("x-github-event", "push")),
    Some(("x-github-event", "package")),
    Some(("ce-type", "Microsoft.ContainerRegistry.ImagePushed")),
];

/// Returns valid inputs of a kind.
pub fn corpus(kind: Kind) -> Vec<String> {
    let texts: &[&str] = match kind {
        Kind::Webhook => &[
            r#"{"events":[{"action":"push","target":{"repository":"a/b","tag":"1","digest":"DIGEST","mediaType":"x"},"request":{"host":"r.io"}}]}"#,
            r#"{"push_data":{"tag":"1"},"repository":{"repo_name":"a/b"}}"#,
            r#"{"type":"PUSH_ARTIFACT","event_data":{"resources":[{"tag":"1","digest":"DIGEST","resource_url":"r.io/a/b:1"}],"repository":{"repo_full_name":"a/b"}}}"#,
            r#"{"ref":"refs/heads/main","after":"0123456789abcdef0123456789abcdef01234567","repository":{"clone_url":"https://g.io/a/b.git","full_name":"a/b"}}"#,
            r#"[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"x"}}]"#,
            r#"{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","subject":"a:1","data":{"target":{"repository":"a","tag":"1"},"request":{"host":"r.io"}}}"#,
        ],
        Kind::Proof => &[
            "Bearer hunter2",
            "Basic YTpodW50ZXIy",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            "access_token=hunter2&a=%20b",
        ],
        Kind::Manifest => &[
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"DIGEST","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"DIGEST","size":3}],"annotations":{"a":"b"}}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"DIGEST","size":2,"platform":{"os":"linux","architecture":"arm","variant":"v7"}}]}"#,
            r#"{"schemaVersion":1,"name":"a","tag":"1","fsLayers":[],"history":[{"v1Compatibility":"{}"}]}"#,
        ],
        Kind::ImageConfig => &[
            r#"{"os":"linux","architecture":"amd64","created":"2026-01-31T08:00:00Z","config":{"Labels":{"a":"b"},"OnBuild":["RUN x"]},"rootfs":{"type":"layers","diff_ids":["DIGEST"]}}"#,
        ],
        Kind::Challenge => &[
            r#"Bearer realm="https://r.io/token",service="r.io",scope="repository:a/b:pull,push""#,
            r#"Basic realm="a \"b\"", Bearer realm=x , error="insufficient_scope""#,
            "Negotiate abc==, NTLM",
        ],
        Kind::Token => &[
            r#"{"token":"abc","access_token":"def","expires_in":300,"issued_at":"2026-01-31T08:00:00Z"}"#,
        ],
        Kind::Refusal => {
            &[r#"{"errors":[{"code":"DENIED","message":"not for you","detail":{"a":[1]}}]}"#]
        }
        Kind::Dockerfile => &[
            "# syntax=docker/dockerfile:1\nARG V=1\nFROM --platform=$BUILDPLATFORM r.io/a:${V:-2} AS b\nRUN --mount=type=bind,from=b,target=/x make\nFROM b\nCOPY --from=b /x /y\n",
            "FROM a\nRUN <<EOF cat >x\nFROM b\nEOF\nCOPY <<-\"A\" <<B /\n\tx\nA\ny\nB\n",
            "# escape=`\nFROM a`\n:1 as x\nONBUILD COPY --from=x . .\nENV A=b C='d e' D\\ x=1\nARG A=${B:+c}${C#*/}${D/a/b}\nFROM ${A}\n",
        ],
        Kind::State => &[
            r#"{"id":"/x","runId":"ca1","status":"Succeeded","runType":"AutoRun","createTime":"2026-01-31T08:00:00Z","agentConfiguration":{"cpu":2},"platform":{"os":"Linux"},"outputImages":[{"registry":"r.io","repository":"a","tag":"1","digest":"DIGEST"}]}"#,
            r#"{"digest":"DIGEST","seen":"2026-01-31T08:00:00Z","looked":"2026-01-31T08:00:00Z","error":null}"#,
            r#"{"failed":{"run":"ca1","since":"2026-01-31T08:00:00Z"},"silent":{"r.io":"2026-01-31T08:00:00Z"}}"#,
        ],
        Kind::StateFile => &[
            r#"{"schema":1,"tags":{"r.io/a:1":{"digest":"DIGEST","seen":"2026-01-31T08:00:00Z","looked":"2026-01-31T08:00:00Z","error":null}}}"#,
            r#"{"schema":1,"receivers":{"x":{"since":"2026-01-31T08:00:00Z","failed":{"r.io/a":{"run":"ca1","since":"2026-01-31T08:00:00Z"}},"silent":{}}}}"#,
            r#"{"schema":1,"run":"ca1","dependencies":[{"image":{"registry":"r.io","repository":"a","tag":"1","digest":"DIGEST"},"kind":"Runtime"}],"failure":null}"#,
        ],
    };
    texts
        .iter()
        .map(|text| text.replace("DIGEST", DIGEST))
        .collect()
}

/// Parses an input by its kind; returns whether it was valid.
#[allow(clippy::disallowed_methods, reason = "a token lives from a moment on")]
pub fn use_up(kind: Kind, text: &str) -> bool {
    let bytes = text.as_bytes();
    match kind {
        Kind::Webhook => serde_json::from_str(text).is_ok_and(|body| {
            let understood = SENDERS.iter().filter(|sender| {
                let mut headers = HeaderMap::new();
                if let Some((name, value)) = sender {
                    headers.insert(*name, HeaderValue::from_static(value));
                    headers.insert("ce-subject", HeaderValue::from_static("a:1"));
                }
                let own = read_payload(&headers, &body, None).is_ok();
                own && read_payload(&headers, &body, Some("r.io")).is_ok()
            });
            understood.count() > 0
        }),
        Kind::Proof => {
            let secret = Secret::new("hunter2");
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                for name in ["authorization", "x-hub-signature-256", "x-gitlab-token"] {
                    headers.insert(name, value.clone());
                }
            }
            match Proof::of(&secret, &headers, text) {
                Proof::Secret => true,
                Proof::Signed(signature) => is_signed(&secret, &signature, bytes),
                Proof::Missing => false,
            }
        }
        Kind::Manifest => {
            let of = |media_type: &str| parse_manifest(media_type, bytes).is_ok();
            of(MANIFEST) | of(INDEX) | of("") | of(text.get(..40).unwrap_or_default())
        }
        Kind::ImageConfig => ImageConfig::parse(bytes).is_ok(),
        Kind::Challenge => {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                headers.insert("www-authenticate", value);
            }
            select_challenge(&headers).is_some()
        }
        Kind::StateFile => {
            let folder = tempfile::tempdir().unwrap();
            let (store, now) = (Store::at(folder.path()), jiff::Timestamp::UNIX_EPOCH);
            let key = TaskKey {
                registry: "r.io".into(),
                name: "a".parse().unwrap(),
            };
            let layout = store.layout();
            for path in [layout.bases(), layout.notified(), layout.baseline(&key)] {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            // An unusable file is set aside, never lost.
            let tags = store.tags(now).unwrap();
            assert!(tags.problem.is_some() != layout.bases().exists(), "{text}");
            let notified = store.notified(now).unwrap();
            assert!(
                notified.problem.is_some() != layout.notified().exists(),
                "{text}"
            );
            tags.problem.is_none() | notified.problem.is_none() | store.baseline(&key).is_ok()
        }
        Kind::Token => Token::parse(bytes, Instant::now()).is_ok(),
        Kind::Refusal => server_words(&HeaderMap::new(), bytes).is_some(),
        Kind::Dockerfile => {
            let build = Build {
                args: BTreeMap::new(),
                target: None,
                platforms: vec!["linux/arm64".parse().unwrap()],
                build_platform: "linux/amd64".parse().unwrap(),
                contexts: BTreeMap::new(),
                on_build: BTreeMap::new(),
                without_frontend: false,
            };
            Dockerfile::parse(bytes).is_ok_and(|file| {
                let _ = file.unread(&build);
                file.bases(&build).is_ok()
            })
        }
        Kind::State => {
            serde_json::from_str::<Run>(text).is_ok()
                | serde_json::from_str::<TagRecord>(text).is_ok()
                | serde_json::from_str::<notified::NotifiedState>(text).is_ok()
                | serde_json::from_str::<notified::NotifiedTask>(text).is_ok()
        }
    }
}
