//! The step of a task, in az's shape for each type of step.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    image::Digest,
    store::secrets::Secrets,
    task::{Argument, Context, Dependency, DockerStep, ImportStep, MirrorUse, Step},
};

/// An image that a task depends on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyAnswer {
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<MirrorUse>,
    registry: String,
    repository: String,
    tag: Option<String>,
    r#type: String,
}

impl From<&Dependency> for DependencyAnswer {
    fn from(dependency: &Dependency) -> Self {
        Self {
            registry: dependency.image.registry().to_owned(),
            repository: dependency.image.repository().to_owned(),
            tag: dependency.image.tag().map(str::to_owned),
            digest: dependency.image.digest.clone(),
            r#type: format!("{:?}", dependency.kind),
            mirror: dependency.mirror.as_deref().cloned(),
        }
    }
}

/// A build argument. The value of a secret one is `null`, unless secrets are asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentAnswer {
    is_secret: bool,
    name: String,
    value: Option<String>,
}

impl From<&Argument> for ArgumentAnswer {
    fn from(argument: &Argument) -> Self {
        Self {
            is_secret: argument.is_secret,
            name: argument.name.clone(),
            value: argument.value.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum StepAnswer {
    Docker(DockerAnswer),
    /// A multi-step file, in the context or in the definition.
    Steps(Box<StepsAnswer>),
    Import(ImportAnswer),
}

impl StepAnswer {
    /// Adds the values of secret arguments, and the queries of contexts, of the step that the answer is about.
    pub fn reveal(&mut self, of: &Step, secrets: &Secrets) {
        match (&mut *self, of) {
            (Self::Docker(answer), Step::Docker(step)) => {
                answer.context_path = step.context_path.with_query();
                answer.contexts.clone_from(&step.contexts);
            }
            (Self::Steps(answer), step) => {
                answer.context_path = step.context().map(Context::with_query);
            }
            _ => {}
        }
        let (arguments, kept) = match self {
            Self::Docker(step) => (&mut step.arguments, &secrets.arguments),
            Self::Steps(step) => (&mut step.values, &secrets.values),
            Self::Import(_) => return,
        };
        for argument in arguments.iter_mut().filter(|a| a.is_secret) {
            let value = kept.get(&argument.name);
            argument.value = value.map(|value| value.reveal().to_owned());
        }
    }

    /// Returns where its files are, if it has any.
    pub fn context_path(&self) -> Option<&str> {
        match self {
            Self::Docker(step) => Some(&step.context_path),
            Self::Steps(step) => step.context_path.as_deref(),
            Self::Import(_) => None,
        }
    }

    pub fn new(step: &Step, dependencies: Option<Vec<DependencyAnswer>>) -> Self {
        let (kind, place) = match step {
            Step::Docker(step) => return Self::Docker(DockerAnswer::new(step, dependencies)),
            Step::Import(step) => return Self::Import(ImportAnswer::new(step, dependencies)),
            Step::FileTask(step) => (
                "FileTask",
                PlaceAnswer::File {
                    task_file_path: step.task_file_path.display().to_string(),
                    values_file_path: step
                        .values_file_path
                        .as_ref()
                        .map(|path| path.display().to_string()),
                },
            ),
            Step::EncodedTask(step) => (
                "EncodedTask",
                PlaceAnswer::Encoded {
                    encoded_task_content: step.encoded_task_content.clone(),
                    encoded_values_content: step.encoded_values_content.clone(),
                },
            ),
        };
        Self::Steps(Box::new(StepsAnswer {
            r#type: kind,
            base_image_dependencies: dependencies,
            context_access_token: None,
            context_path: step.context().map(ToString::to_string),
            place,
            values: step.values().iter().map(Into::into).collect(),
            allow_privileged: step.allows_privileged(),
            trust_context: step.trusts_context(),
        }))
    }
}

/// A step that builds a Dockerfile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DockerAnswer {
    arguments: Vec<ArgumentAnswer>,
    base_image_dependencies: Option<Vec<DependencyAnswer>>,
    context_access_token: Option<()>,
    context_path: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    contexts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    docker_file_content: Option<String>,
    docker_file_path: String,
    image_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_local: bool,
    is_push_enabled: bool,
    no_cache: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    target: Option<String>,
    trust_context: bool,
    r#type: &'static str,
}

impl DockerAnswer {
    fn new(step: &DockerStep, dependencies: Option<Vec<DependencyAnswer>>) -> Self {
        Self {
            r#type: "Docker",
            arguments: step.arguments.iter().map(Into::into).collect(),
            base_image_dependencies: dependencies,
            context_access_token: None,
            context_path: step.context_path.to_string(),
            docker_file_path: step.docker_file_path.display().to_string(),
            image_names: (!step.image_names.is_empty()).then(|| step.image_names.clone()),
            is_push_enabled: step.pushes(),
            is_local: step.is_local,
            docker_file_content: step.docker_file_content.clone(),
            contexts: step
                .contexts
                .iter()
                .map(|(name, place)| {
                    let shown = place.parse().map(|it: Context| it.to_string());
                    (name.clone(), shown.unwrap_or_else(|_| place.clone()))
                })
                .collect(),
            options: step.options.clone(),
            no_cache: step.no_cache,
            target: step.target.clone(),
            trust_context: step.trust_context,
        }
    }
}

/// A step that copies an image. az has no such step; the keys are named like those of its other steps.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportAnswer {
    all_referrers: bool,
    base_image_dependencies: Option<Vec<DependencyAnswer>>,
    image_names: Vec<String>,
    source: String,
    test: Option<Vec<String>>,
    r#type: &'static str,
}

impl ImportAnswer {
    fn new(step: &ImportStep, dependencies: Option<Vec<DependencyAnswer>>) -> Self {
        Self {
            r#type: "Import",
            all_referrers: step.all_referrers,
            base_image_dependencies: dependencies,
            image_names: step.image_names.clone(),
            source: step.source.clone(),
            test: (!step.test.is_empty()).then(|| step.test.clone()),
        }
    }
}

/// A multi-step file. az shows different keys for a file in the context and one in the definition.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepsAnswer {
    allow_privileged: bool,
    base_image_dependencies: Option<Vec<DependencyAnswer>>,
    context_access_token: Option<()>,
    context_path: Option<String>,
    #[serde(flatten)]
    place: PlaceAnswer,
    trust_context: bool,
    r#type: &'static str,
    values: Vec<ArgumentAnswer>,
}

/// Where a multi-step file is.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum PlaceAnswer {
    File {
        task_file_path: String,
        values_file_path: Option<String>,
    },
    /// In the definition, in base64.
    Encoded {
        encoded_task_content: String,
        encoded_values_content: Option<String>,
    },
}
