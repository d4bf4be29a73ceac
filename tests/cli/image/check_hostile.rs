//! `acrt image check`: untrusted images with arbitrary content.

use serde_json::{Value, json};

use super::check::{DIGEST, NAME, checked, put_annotated};
use super::check_attested::{envelope, list, refer};
use crate::support::{Image, Registry, World};

const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Returns the state and the reason of the only image.
fn told(world: &World, image: &str) -> (String, String) {
    let answer = checked(world, &[image]).remove(0);
    let text = |key: &str| answer[key].as_str().unwrap().to_owned();
    (text("state"), text("reason"))
}

#[test]
fn invalid_base_annotation_is_shown_without_terminal_control_characters() {
    let (world, registry) = (World::new(), Registry::start());
    let digest = format!("sha256:{HEX}");
    for notes in [
        json!({NAME: "node:20\u{1b}[2J\u{7}\n", DIGEST: digest}),
        json!({NAME: "https://evil.example/node:20", DIGEST: digest}),
        json!({NAME: "--config=/etc/passwd", DIGEST: digest}),
        json!({NAME: "a".repeat(100_000), DIGEST: digest}),
        json!({NAME: "node:20", DIGEST: "sha256:../../../etc/passwd"}),
    ] {
        put_annotated(&registry, "web:1", &notes);
        let (state, reason) = told(&world, &registry.image("web:1"));
        assert_eq!(state, "unknown", "{notes}");
        assert!(
            reason.contains("names no image") || reason.contains("is no digest"),
            "{reason}"
        );
        assert!(
            reason.len() < 1000 && !reason.contains(char::is_control),
            "{reason}"
        );
    }
}

#[test]
fn oversized_or_foreign_attestation_is_reported_and_ignored() {
    let (world, registry) = (World::new(), Registry::start());
    let image = registry.push("web:1", &[("app", "1")]);
    let hex = image.trim_start_matches("sha256:").to_owned();
    let statement = |subject: &str, materials: Value| {
        json!({
            "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"digest": {"sha256": subject}}],
            "predicate": {"buildDefinition": {"resolvedDependencies": materials}},
        })
    };
    let node = json!({"uri": "pkg:docker/node@20", "digest": {"sha256": HEX}});
    let in_toto = "application/vnd.in-toto+json";
    let long = statement(
        &hex,
        json!([{"uri": format!("pkg:docker/{}", "n".repeat(10_000_000))}]),
    );
    let many = statement(
        &hex,
        json!(vec![json!({"uri": "pkg:docker/node@20"}); 100_000]),
    );
    let mut nested = envelope(&node);
    nested["payload"] = "W1tbW1tb".repeat(100_000).into();
    for (blob, says) in [
        (long.to_string(), "more than 8388608 bytes"),
        (many.to_string(), "a list has more than 2000"),
        (
            statement(HEX, json!([node])).to_string(),
            "is about another image",
        ),
        (nested.to_string(), "cannot read the attestation"),
        ("[".repeat(1_000_000), "cannot read the attestation"),
        (statement(&hex, json!([])).to_string(), "names no image"),
    ] {
        let entry = refer(&registry, "web", &image, in_toto, blob.as_bytes());
        list(&registry, "web", &image, &[entry]);
        let (state, reason) = told(&world, &registry.image("web:1"));
        assert_eq!(state, "unknown");
        assert!(reason.contains(says), "{says}: {reason}");
    }
    // A referrer in the list whose subject is another image.
    let other = registry.push("web:2", &[("app", "2")]);
    let about = statement(&hex, json!([node])).to_string();
    let entry = refer(&registry, "web", &other, in_toto, about.as_bytes());
    list(&registry, "web", &image, &[entry]);
    let (state, reason) = told(&world, &registry.image("web:1"));
    assert_eq!(state, "unknown");
    assert!(
        reason.contains("is listed as referring to it, but does not"),
        "{reason}"
    );
}

#[test]
fn nested_and_endless_indexes_are_refused() {
    let (world, registry) = (World::new(), Registry::start());
    let media_type = "application/vnd.oci.image.index.v1+json";
    let mut inner = registry.push_index("web:1", &[Image::of(&[("app", "1")])]);
    for _ in 0..5 {
        let entry = json!({"mediaType": media_type, "digest": inner, "size": 1});
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]});
        inner = registry.put_untagged("web", media_type, &index);
    }
    let (state, reason) = told(&world, &registry.image(&format!("web@{inner}")));
    assert_eq!(state, "unknown");
    assert!(reason.contains("are nested too deeply"), "{reason}");

    let manifest = registry.push("web:1", &[("app", "1")]);
    let entries: Vec<Value> = (0..65)
        .map(|n| json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": 1, "platform": {"os": "linux", "architecture": format!("a{n}")}}))
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries});
    let index = registry.put_untagged("web", media_type, &index);
    let (_, reason) = told(&world, &registry.image(&format!("web@{index}")));
    assert!(reason.contains("lists 65 images"), "{reason}");

    // A folder whose index refers to itself: the content does not match its digest.
    let digest = format!("sha256:{HEX}");
    let entry = json!({"mediaType": media_type, "digest": digest, "size": 1});
    let index =
        json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]}).to_string();
    world.write("cycle/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    world.write("cycle/index.json", &index);
    world.write(&format!("cycle/blobs/sha256/{HEX}"), &index);
    let (state, reason) = told(&world, "oci:cycle");
    assert_eq!(state, "unknown");
    assert!(reason.contains("has the content of"), "{reason}");
}

#[test]
fn artifact_is_reported_with_its_kind() {
    let (world, registry) = (World::new(), Registry::start());
    let image = registry.push("web:1", &[("app", "1")]);
    let entry = refer(
        &registry,
        "web",
        &image,
        "application/vnd.in-toto+json",
        b"{}",
    );
    let name = format!("web@{}", entry["digest"].as_str().unwrap());
    let (state, reason) = told(&world, &registry.image(&name));
    assert_eq!(state, "unknown");
    assert!(
        reason.contains("it is not an image but an attestation"),
        "{reason}"
    );
}
