//! `acrt image check`: provenance from BuildKit and from other tools.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::check::{DIGEST, NAME, checked, put_annotated, verdict};
use crate::support::{Gateway, Image, Registry, World};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Builds with buildx and these options, and pushes.
pub fn buildx(world: &World, image: &str, dockerfile: &str, options: &[&str]) {
    let context = world.context("context", dockerfile);
    let mut call = world.command(world.path("bin/docker"));
    let build = ["buildx", "build", "--pull", "--push", "--tag", image];
    call.args([&build, options, &[&context]].concat());
    world.start(call, format!("buildx {image}")).wait().ok();
}

/// Returns a statement that an image was made from others, `(name, digest)`.
fn statement(version: &str, subject: &str, materials: &[(&str, &str)]) -> Value {
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let materials: Vec<Value> = materials
        .iter()
        .map(|(name, digest)| {
            let (name, tag) = name.rsplit_once(':').unwrap();
            json!({"uri": format!("pkg:docker/{name}@{tag}?platform=linux%2Famd64"), "digest": {"sha256": hex(digest)}})
        })
        .collect();
    let predicate = match version {
        "v0.2" => json!({"buildType": "x", "builder": {"id": ""}, "materials": materials}),
        _ => {
            json!({"buildDefinition": {"buildType": "x", "externalParameters": {}, "resolvedDependencies": materials}})
        }
    };
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": format!("https://slsa.dev/provenance/{version}"),
        "subject": [{"name": "_", "digest": {"sha256": hex(subject)}}],
        "predicate": predicate,
    })
}

/// Wraps a statement in an envelope with as much of a signature as is read.
pub fn envelope(statement: &Value) -> Value {
    let payload = BASE64_STANDARD.encode(statement.to_string());
    json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [{"sig": ""}]})
}

/// Pushes a referrer of `subject` with a blob, and returns its entry for a referrers list.
pub fn refer(
    registry: &Registry,
    repository: &str,
    subject: &str,
    media_type: &str,
    blob: &[u8],
) -> Value {
    let config = registry.put_blob(repository, b"{}");
    let digest = registry.put_blob(repository, blob);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": media_type,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": media_type, "digest": digest, "size": blob.len()}],
        "subject": {"mediaType": MANIFEST, "digest": subject, "size": 1},
    });
    let digest = registry.put_untagged(repository, MANIFEST, &manifest);
    let size = manifest.to_string().len();
    json!({"mediaType": MANIFEST, "artifactType": media_type, "digest": digest, "size": size})
}

/// Pushes a referrers list for `subject` under the fallback tag.
pub fn list(registry: &Registry, repository: &str, subject: &str, referrers: &[Value]) {
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": referrers});
    let digest = registry.put_untagged(repository, INDEX, &list);
    let tag = subject.replace(':', "-");
    registry.retag(&format!("{repository}:{tag}"), &digest);
}

#[test]
fn provenance_of_buildkit_names_the_images_of_all_stages() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildx();
    for mode in ["min", "max"] {
        registry.push("base:1", &[("v", "1")]);
        registry.push("tools:1", &[("t", mode)]);
        let image = registry.image(&format!("{mode}:1"));
        let dockerfile = format!(
            "FROM {} AS tools\nFROM {}\nCOPY --from=tools /t /t\n",
            registry.image("tools:1"),
            registry.image("base:1")
        );
        buildx(
            &world,
            &image,
            &dockerfile,
            &[&format!("--provenance=mode={mode}"), "--sbom=false"],
        );
        let provenance = json!("provenance");
        assert_eq!(
            verdict(&world, &[&image]),
            ("current".into(), provenance.clone()),
            "{mode}"
        );
        registry.push("tools:1", &[("t", "new")]);
        let stale = checked(&world, &[&image]).remove(0);
        assert_eq!(stale["state"], "stale", "{mode}: {stale}");
        assert_eq!(stale["evidence"], provenance);
        let bases = stale["bases"].as_array().unwrap().iter();
        let bases: Vec<_> = bases
            .map(|it| (it["image"].as_str().unwrap(), it["state"].as_str().unwrap()))
            .collect();
        let mut expected = [
            (registry.image("base:1"), "current"),
            (registry.image("tools:1"), "moved"),
        ];
        expected.sort();
        let mut found = bases.clone();
        found.sort_unstable();
        assert_eq!(
            found,
            expected
                .each_ref()
                .map(|(image, state)| (image.as_str(), *state))
        );
    }
    let image = registry.image("scratch:1");
    buildx(
        &world,
        &image,
        "FROM scratch\nCOPY Dockerfile /\n",
        &["--provenance=mode=max"],
    );
    assert_eq!(
        verdict(&world, &[&image]),
        ("follows-nothing".into(), json!("provenance"))
    );
}

#[test]
fn each_platform_has_its_own_provenance() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildx();
    let base = |arm: &str| registry.push_both("base:1", "1", arm);
    base("1");
    let image = registry.image("web:1");
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    buildx(
        &world,
        &image,
        &dockerfile,
        &[
            "--platform=linux/amd64,linux/arm64",
            "--provenance=mode=max",
        ],
    );
    let states = || -> Vec<String> {
        let answers = checked(&world, &[&image]);
        let answers = answers.iter();
        answers
            .map(|it| {
                format!(
                    "{} {}",
                    it["platform"].as_str().unwrap(),
                    it["state"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(states(), ["linux/amd64 current", "linux/arm64 current"]);
    base("2");
    assert_eq!(states(), ["linux/amd64 current", "linux/arm64 stale"]);
}

#[test]
fn base_label_inherited_from_the_base_is_overridden_by_provenance() {
    let (world, registry) = (World::new(), Registry::start());
    world.buildx();
    let below = registry.push("below:1", &[("v", "1")]);
    let base = Image::of(&[("v", "2")])
        .label(NAME, &registry.image("below:1"))
        .label(DIGEST, &below);
    registry.push_image("base:1", &base);
    let image = registry.image("web:1");
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /\n", registry.image("base:1"));
    buildx(&world, &image, &dockerfile, &["--provenance=mode=min"]);
    assert_eq!(
        verdict(&world, &[&image]),
        ("current".into(), json!("provenance"))
    );
    registry.push("base:1", &[("v", "3")]);
    assert_eq!(
        verdict(&world, &[&image]),
        ("stale".into(), json!("provenance"))
    );
    // A label of the image itself agrees with the provenance, and takes precedence.
    let own = format!("LABEL {NAME}={}\n", registry.image("base:1"));
    buildx(
        &world,
        &image,
        &format!("{dockerfile}{own}"),
        &["--provenance=mode=min"],
    );
    assert_eq!(
        verdict(&world, &[&image]),
        ("current".into(), json!("label"))
    );
}

#[test]
fn provenance_attached_to_an_image_is_found_by_tag_and_by_referrers() {
    let registry = Registry::start();
    let base = registry.push("base:1", &[("v", "1")]);
    let image = registry.push("web:1", &[("app", "1")]);
    let name = registry.image("base:1");
    let made_of = [(name.as_str(), base.as_str())];
    let other = json!({"_type": "x", "predicateType": "https://spdx.dev/Document", "subject": [], "predicate": {}});
    let in_toto = "application/vnd.in-toto+json";
    let dsse = "application/vnd.dsse.envelope.v1+json";
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let signature = "application/vnd.dev.cosign.simplesigning.v1+json";
    let statements = [
        (in_toto, statement("v0.2", &image, &made_of)),
        (in_toto, statement("v1", &image, &made_of)),
        (dsse, envelope(&statement("v1", &image, &made_of))),
        (
            bundle,
            json!({"mediaType": bundle, "dsseEnvelope": envelope(&statement("v0.2", &image, &made_of))}),
        ),
    ];
    for (media_type, statement) in statements {
        let world = World::new();
        let entries = [
            refer(&registry, "web", &image, signature, b"{\"critical\":{}}"),
            refer(
                &registry,
                "web",
                &image,
                in_toto,
                other.to_string().as_bytes(),
            ),
            refer(
                &registry,
                "web",
                &image,
                media_type,
                statement.to_string().as_bytes(),
            ),
        ];
        list(&registry, "web", &image, &entries);
        let found = verdict(&world, &[&registry.image("web:1")]);
        assert_eq!(
            found,
            ("current".into(), json!("provenance")),
            "{media_type}"
        );
    }
    // A registry with the referrers API.
    list(&registry, "web", &image, &[]);
    let statement = statement("v1", &image, &made_of);
    let entry = refer(
        &registry,
        "web",
        &image,
        in_toto,
        statement.to_string().as_bytes(),
    );
    let body = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {INDEX}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer: &'static str = Box::leak(answer.into_boxed_str());
    let path = format!("/referrers/{image}");
    let gateway = Gateway::start(&registry, move |head| {
        head.contains(&path).then_some(answer)
    });
    let world = World::new();
    assert_eq!(verdict(&world, &[&registry.image("web:1")]).0, "unknown");
    let found = verdict(&world, &[&gateway.image("web:1")]);
    assert_eq!(found, ("current".into(), json!("provenance")));
}

#[test]
fn cosign_provenance_of_an_index_applies_to_its_images() {
    let (world, registry) = (World::new(), Registry::start());
    let base = registry.push("base:1", &[("v", "1")]);
    let index = registry.push_index(
        "web:1",
        &[Image::of(&[("app", "1")]).platform("linux/amd64")],
    );
    let name = registry.image("base:1");
    let signed = envelope(&statement("v0.2", &index, &[(&name, &base)])).to_string();
    let media_type = "application/vnd.dsse.envelope.v1+json";
    let entry = refer(&registry, "web", &index, media_type, signed.as_bytes());
    let tag = format!("web:{}.att", index.replace(':', "-"));
    registry.retag(&tag, entry["digest"].as_str().unwrap());
    assert_eq!(
        verdict(&world, &[&registry.image("web:1")]),
        ("current".into(), json!("provenance"))
    );
}

#[test]
fn credential_of_a_registry_is_not_sent_to_another_that_provenance_names() {
    let (world, registry, other) = (World::new(), Registry::with_login(), Registry::start());
    world.write("home/.docker/config.json", &registry.docker_config());
    let base = other.push("base:1", &[("v", "1")]);
    let stranger = Gateway::start(&other, |head| {
        let has_login = head.to_ascii_lowercase().contains("authorization:");
        has_login.then_some("HTTP/1.1 418 I was told a secret\r\nContent-Length: 0\r\n\r\n")
    });
    let image = registry.push("web:1", &[("app", "1")]);
    let name = stranger.image("base:1");
    let statement = statement("v1", &image, &[(&name, &base)]).to_string();
    let entry = refer(
        &registry,
        "web",
        &image,
        "application/vnd.in-toto+json",
        statement.as_bytes(),
    );
    list(&registry, "web", &image, &[entry]);
    let found = verdict(&world, &[&registry.image("web:1")]);
    assert_eq!(found, ("current".into(), json!("provenance")));
    assert_eq!(stranger.requests().len(), 1, "{:?}", stranger.requests());
    put_annotated(&registry, "api:1", &json!({NAME: name, DIGEST: base}));
    assert_eq!(verdict(&world, &[&registry.image("api:1")]).0, "current");
}
