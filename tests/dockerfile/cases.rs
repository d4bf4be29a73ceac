//! Runs the cases of `tests/data/dockerfile.json` and `dockerfile-more.json`: files with BuildKit's results.

use std::collections::{BTreeMap, BTreeSet};

use acrt::{
    dockerfile::{BaseKind, Build, Dockerfile, DockerfileError, DockerfileErrorKind},
    image::{Platform, Reference},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    dockerfile: String,
    #[serde(default)]
    args: BTreeMap<String, String>,
    target: Option<String>,
    platform: Option<String>,
    #[serde(default)]
    build_contexts: BTreeMap<String, String>,
    #[serde(default)]
    image_onbuild: BTreeMap<String, Vec<String>>,
    expect: Answer,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Answer {
    runtime: BTreeSet<String>,
    buildtime: BTreeSet<String>,
    frontend: Option<String>,
    /// The parts that only a frontend other than Docker's can read, in the order of the file.
    #[serde(default)]
    unread: Vec<String>,
    error_kind: Option<String>,
}

impl Case {
    fn build(&self) -> Build {
        let host = Platform::new("linux", "amd64", None);
        let platforms = self.platform.iter().flat_map(|list| list.split(','));
        Build {
            args: self
                .args
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect(),
            target: self.target.clone(),
            platforms: platforms.map(|text| text.parse().unwrap()).collect(),
            build_platform: host,
            contexts: self.build_contexts.clone(),
            on_build: self
                .image_onbuild
                .iter()
                .map(|(image, triggers)| (image.parse::<Reference>().unwrap(), triggers.clone()))
                .collect(),
            without_frontend: false,
        }
    }

    fn answer(&self) -> Result<Answer, DockerfileError> {
        let build = self.build();
        let file = Dockerfile::parse_with(self.dockerfile.as_bytes(), &build.args)?;
        let unread = file.unread(&build).into_iter();
        let mut answer = Answer {
            unread: unread.map(|unread| unread.written).collect(),
            ..Answer::default()
        };
        for base in file.bases(&build)? {
            let reference = base.reference.to_string();
            match base.kind {
                BaseKind::Runtime => answer.runtime.insert(reference),
                BaseKind::Buildtime => answer.buildtime.insert(reference),
                BaseKind::Frontend => answer.frontend.replace(base.written).is_none(),
            };
        }
        Ok(answer)
    }

    /// Returns the difference from the expected result, if there is one.
    fn complaint(&self) -> Option<String> {
        let found = self.answer();
        let as_expected = match &found {
            Ok(found) => *found == self.expect,
            Err(error) => {
                let kind = match error.kind {
                    DockerfileErrorKind::Syntax => "syntax",
                    DockerfileErrorKind::Dependency => "dependency",
                };
                self.expect.error_kind.as_deref() == Some(kind)
            }
        };
        (!as_expected).then(|| format!("{}: {found:?}, not {:?}", self.name, self.expect))
    }
}

fn run(cases: &str, at_least: usize) {
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() >= at_least);
    let complaints: Vec<String> = cases.iter().filter_map(Case::complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn dockerfile_corpus_matches_buildkit() {
    run(include_str!("../data/dockerfile.json"), 86);
}

#[test]
fn further_dockerfile_corpus_matches_its_expectations() {
    run(include_str!("../data/dockerfile-more.json"), 290);
}
