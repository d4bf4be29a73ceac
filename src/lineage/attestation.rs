//! Provenance: a builder's attestation of how it made an image, and of its materials.
//!
//! An in-toto statement with an SLSA predicate of version 0.2 or 1, plain or in a signed envelope. Signatures are not checked: anyone who
//! may push an image may attest anything of it; `verify` is for where that is not enough.
//!
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>, <https://slsa.dev/spec/v1.0/provenance>,
//! <https://slsa.dev/spec/v0.2/provenance>, <https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};
use serde::Deserialize;

use crate::image::{Digest, Reference};

use super::{base::Base, bounded::list, purl};

/// The largest attestation that is read, in bytes: with `mode=max`, BuildKit includes the whole Dockerfile.
pub const MAX_ATTESTATION: usize = 8 * 1024 * 1024;

/// More materials or subjects than any build has.
const MAX_MATERIALS: usize = 2000;

/// The prefix of SLSA's predicate types.
const SLSA: &str = "https://slsa.dev/provenance/";

/// Parts of the build types of BuildKit.
const BUILDKIT: [&str; 2] = ["mobyproject.org/buildkit", "github.com/moby/buildkit"];

/// Dockerfile frontends: images that read Dockerfiles, whatever a statement says of them.
const FRONTENDS: [&str; 2] = [
    "docker.io/docker/dockerfile",
    "docker.io/docker/dockerfile-upstream",
];

/// The annotations of a blob with the type of its predicate: of BuildKit, of cosign, of sigstore's bundles.
const PREDICATE_TYPES: [&str; 3] = [
    "in-toto.io/predicate-type",
    "predicateType",
    "dev.sigstore.bundle.predicateType",
];

/// What a statement says of how an image was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The digests of the images that it is about.
    subjects: Vec<Digest>,
    /// The images among the materials of the build, each once.
    pub bases: Vec<Base>,
    /// Whether the builder lists all images that it uses.
    pub is_complete: bool,
}

/// Tells whether a document or a blob of this type may be an attestation; an unspecific type may.
pub fn is_attestation(media_type: &str) -> bool {
    let marks = [
        "in-toto",
        "intoto",
        "dsse",
        "sigstore.bundle",
        "attestation",
        "slsa",
    ];
    media_type.is_empty() || marks.iter().any(|mark| media_type.contains(mark))
}

/// Tells whether a blob with these annotations may be provenance: they say so, or give no type.
pub fn may_be_provenance(annotations: &BTreeMap<String, String>) -> bool {
    let mut types = PREDICATE_TYPES
        .iter()
        .filter_map(|key| annotations.get(*key));
    types.all(|of| of.starts_with(SLSA))
}

/// The payload in an envelope, or in a bundle with one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer {
    predicate_type: Option<String>,
    payload: Option<String>,
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(default, deserialize_with = "list::<_, _, MAX_MATERIALS>")]
    subject: Vec<StatementSubject>,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct StatementSubject {
    #[serde(default)]
    digest: Digests,
}

#[derive(Default, Deserialize)]
struct Digests {
    sha256: Option<String>,
}

impl Digests {
    fn digest(&self) -> Option<Digest> {
        format!("sha256:{}", self.sha256.as_ref()?).parse().ok()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_type: Option<String>,
    /// Of version 0.2.
    #[serde(default, deserialize_with = "list::<_, _, MAX_MATERIALS>")]
    materials: Vec<Material>,
    /// Of version 1.
    build_definition: Option<BuildDefinition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: Option<String>,
    #[serde(default, deserialize_with = "list::<_, _, MAX_MATERIALS>")]
    resolved_dependencies: Vec<Material>,
}

#[derive(Deserialize)]
struct Material {
    uri: Option<String>,
    #[serde(default)]
    digest: Option<Digests>,
}

/// The fields in which BuildKit names the Dockerfile frontend. Other builders use the same fields for other data.
#[derive(Deserialize)]
struct BuildKitStatement {
    predicate: BuildKitPredicate,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildKitPredicate {
    invocation: Option<Invocation>,
    build_definition: Option<BuildKitDefinition>,
}

#[derive(Deserialize)]
struct Invocation {
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildKitDefinition {
    external_parameters: Option<ExternalParameters>,
}

#[derive(Deserialize)]
struct ExternalParameters {
    request: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    args: Option<FrontendArgs>,
}

#[derive(Deserialize)]
struct FrontendArgs {
    source: Option<String>,
}

impl Provenance {
    /// Parses a statement, or the envelope around it; `None` where it attests something else.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let outer: Outer = read(bytes)?;
        let (Some(payload), None) = (
            outer.dsse_envelope.map(|it| it.payload).or(outer.payload),
            &outer.predicate_type,
        ) else {
            return Self::of_statement(bytes, outer.predicate_type.as_deref());
        };
        let statement = BASE64_STANDARD
            .decode(&payload)
            .or_else(|_| BASE64_URL_SAFE.decode(&payload))
            .map_err(|_| "its envelope holds no base64".to_owned())?;
        let inner: Outer = read(&statement)?;
        Self::of_statement(&statement, inner.predicate_type.as_deref())
    }

    fn of_statement(bytes: &[u8], predicate_type: Option<&str>) -> Result<Option<Self>, String> {
        if !predicate_type.is_some_and(|of| of.starts_with(SLSA)) {
            return Ok(None);
        }
        let Statement { subject, predicate } = read(bytes)?;
        let (build_type, materials) = match predicate.build_definition {
            Some(definition) => (definition.build_type, definition.resolved_dependencies),
            None => (predicate.build_type, predicate.materials),
        };
        let is_buildkit =
            build_type.is_some_and(|of| BUILDKIT.iter().any(|mark| of.contains(mark)));
        let frontend = if is_buildkit { frontend(bytes) } else { None };
        let mut bases: Vec<Base> = Vec::new();
        for material in materials {
            let digest = material.digest.and_then(|it| it.digest());
            let Some(mut base) = purl::image(material.uri.as_deref().unwrap_or_default(), digest)
            else {
                continue;
            };
            let tag = base.tag();
            let name = base.image.as_ref().map(Reference::name);
            base.is_frontend = (tag.is_some() && tag == frontend)
                || name.is_some_and(|name| FRONTENDS.contains(&name.as_str()));
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        Ok(Some(Self {
            subjects: subject.iter().filter_map(|it| it.digest.digest()).collect(),
            bases,
            is_complete: is_buildkit,
        }))
    }

    /// Tells whether it has subjects. BuildKit's has none where the image has no name.
    pub fn has_subject(&self) -> bool {
        !self.subjects.is_empty()
    }

    /// Tells whether it is about an image, by the digest of its manifest or of the index above.
    pub fn is_about(&self, digests: &[Digest]) -> bool {
        self.subjects
            .iter()
            .any(|subject| digests.contains(subject))
    }
}

fn read<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|problem| format!("it is malformed: {problem}"))
}

/// Returns the tag of the Dockerfile frontend.
fn frontend(statement: &[u8]) -> Option<Reference> {
    let BuildKitStatement { predicate } = serde_json::from_slice(statement).ok()?;
    let of_old = predicate.invocation.and_then(|it| it.parameters);
    let of_new = predicate
        .build_definition
        .and_then(|it| it.external_parameters);
    let parameters = of_old.or(of_new.and_then(|it| it.request))?;
    let source: Reference = parameters.args?.source?.parse().ok()?;
    source.without_digest()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn digest() -> Digest {
        format!("sha256:{HEX}").parse().unwrap()
    }

    fn old(materials: &Value) -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": "x", "digest": {"sha256": HEX}}],
            "predicate": {
                "buildType": "https://mobyproject.org/buildkit@v1",
                "invocation": {"parameters": {"frontend": "gateway.v0", "args": {"source": "r.io/front:1", "cmdline": "r.io/front:1"}}},
                "materials": materials,
            },
        })
    }

    fn new(materials: &Value) -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"digest": {"sha256": HEX}}],
            "predicate": {"buildDefinition": {
                "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                "externalParameters": {"request": {"frontend": "gateway.v0", "args": {"source": "r.io/front:1"}}},
                "resolvedDependencies": materials,
            }},
        })
    }

    fn parsed(statement: &Value) -> Provenance {
        let bytes = statement.to_string();
        Provenance::parse(bytes.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn provenance_of_both_versions_lists_all_images_once_and_the_frontend() {
        let materials = json!([
            {"uri": "pkg:docker/node@20?platform=linux%2Famd64", "digest": {"sha256": HEX}},
            {"uri": "pkg:docker/node@20?platform=linux%2Famd64", "digest": {"sha256": HEX}},
            {"uri": "pkg:docker/r.io/front@1", "digest": {"sha256": HEX}},
            {"uri": "pkg:docker/docker/dockerfile@1", "digest": {"sha256": HEX}},
            {"uri": "https://x.example/a.git", "digest": {"sha1": "x"}},
        ]);
        for statement in [old(&materials), new(&materials)] {
            let read = parsed(&statement);
            let names: Vec<_> = read
                .bases
                .iter()
                .map(|base| (base.written.as_str(), base.is_frontend))
                .collect();
            assert_eq!(
                names,
                [
                    ("docker.io/library/node:20", false),
                    ("r.io/front:1", true),
                    ("docker.io/docker/dockerfile:1", true)
                ]
            );
            assert!(read.bases.iter().all(|base| base.digest == Some(digest())));
            assert!(read.is_complete && read.is_about(&[digest()]));
            assert!(!read.is_about(&[Digest::of(b"other")]));
        }
        assert_eq!(parsed(&old(&Value::Null)).bases, []);
    }

    #[test]
    fn attestation_envelopes_and_bundles_are_unwrapped() {
        let statement = new(&json!([{"uri": "pkg:docker/node@20"}]));
        let payload = BASE64_STANDARD.encode(statement.to_string());
        let envelope = json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []});
        let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope});
        for signed in [&envelope, &bundle] {
            assert_eq!(parsed(signed), parsed(&statement));
        }
        let broken = json!({"payload": "\u{1b}"}).to_string();
        assert!(Provenance::parse(broken.as_bytes()).is_err());
    }

    #[test]
    fn statements_of_other_predicate_types_are_ignored() {
        for predicate in [
            json!("text"),
            json!([1]),
            json!({"materials": 5}),
            Value::Null,
        ] {
            let other = json!({"predicateType": "https://spdx.dev/Document", "subject": 1, "predicate": predicate});
            assert_eq!(Provenance::parse(other.to_string().as_bytes()), Ok(None));
        }
        assert_eq!(Provenance::parse(b"{}"), Ok(None));
        for broken in ["", "[]", "{", "{\"payload\":1}"] {
            assert!(Provenance::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn oversized_statement_is_refused() {
        let many = vec![json!({"uri": "pkg:docker/node@20"}); 100_000];
        let why = Provenance::parse(old(&json!(many)).to_string().as_bytes()).unwrap_err();
        assert!(why.contains("a list has more than 2000"), "{why}");
        let nested = format!(
            r#"{{"predicateType":"{SLSA}v1","predicate":{}"#,
            "[".repeat(1_000_000)
        );
        assert!(Provenance::parse(nested.as_bytes()).is_err());
    }

    #[test]
    fn provenance_is_distinguished_from_other_attestations_by_annotation() {
        let notes =
            |value: &str| BTreeMap::from([(PREDICATE_TYPES[0].to_owned(), value.to_owned())]);
        assert!(may_be_provenance(&notes(
            "https://slsa.dev/provenance/v0.2"
        )));
        assert!(may_be_provenance(&BTreeMap::new()));
        assert!(!may_be_provenance(&notes("https://spdx.dev/Document")));
        assert!(is_attestation("application/vnd.dsse.envelope.v1+json"));
        assert!(!is_attestation(
            "application/vnd.dev.cosign.simplesigning.v1+json"
        ));
    }
}
