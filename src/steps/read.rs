//! Reads a task file into its graph.

use std::cell::Cell;

use crate::secret::MaskedText;

use super::{
    alias::{self, Expanded, Load},
    file,
    graph::Graph,
    problem::{FileWarning, FileWarnings, InvalidTaskFile},
    render::Renderer,
    resources::{self, SecretSource},
    variables::Variables,
    yaml::{self, MAX_BYTES, TOO_LARGE, YamlNode},
};

#[derive(Debug)]
pub struct TaskFile {
    pub graph: Graph,
    pub notices: Vec<FileWarning>,
    /// Whether `alias.src` made files of the context a part of it.
    pub is_from_context: bool,
}

/// Reads a task file.
///
/// `load` reads the aliases files that it names.
pub fn read(
    text: &str,
    variables: &Variables,
    load: Load<'_>,
) -> Result<TaskFile, InvalidTaskFile> {
    let redacted = |problem| redacted(problem, variables);
    let (renderer, mut expanded, text) = rendered(text, variables, load).map_err(redacted)?;
    let document = yaml::parse(&text).map_err(redacted)?;
    let reader = file::KeyReader {
        run: &variables.run,
        commands: &expanded.commands,
        renderer: &renderer,
        variables: Cell::default(),
    };
    let graph = reader.graph(&YamlNode::root(&document), &mut expanded.notices);
    let graph = graph.map_err(redacted)?;
    let mut notices = expanded.notices.into_shown();
    for notice in &mut notices {
        notice.text = variables.redacted(&notice.text);
    }
    Ok(TaskFile {
        graph,
        notices,
        is_from_context: expanded.is_from_context,
    })
}

fn redacted(problem: InvalidTaskFile, variables: &Variables) -> InvalidTaskFile {
    let text = variables.redacted(&problem.text);
    InvalidTaskFile { text, ..problem }
}

/// Returns the secrets that a task file asks for; for this, the file is rendered with empty secrets.
pub fn secrets(
    text: &str,
    variables: &Variables,
    load: Load<'_>,
) -> Result<RequestedSecrets, InvalidTaskFile> {
    if !text.contains("secrets") && !text.contains("src") {
        return Ok(RequestedSecrets::default());
    }
    let redacted = |problem| redacted(problem, variables);
    let (_, expanded, text) = rendered(text, variables, load).map_err(redacted)?;
    let document = yaml::parse(&text).map_err(redacted)?;
    let secrets = resources::secrets(&YamlNode::root(&document), &mut FileWarnings::default());
    Ok(RequestedSecrets {
        secrets: secrets.map_err(redacted)?,
        is_from_context: expanded.is_from_context,
    })
}

/// The secrets that a task file asks for.
#[derive(Debug, Default)]
pub struct RequestedSecrets {
    /// Each with the source that the file gives for it.
    pub secrets: Vec<SecretSource>,
    /// Whether `alias.src` made files of the context a part of the file.
    pub is_from_context: bool,
}

/// Replaces the aliases of a file, and renders its templates.
fn rendered(
    text: &str,
    variables: &Variables,
    load: Load<'_>,
) -> Result<(Renderer, Expanded, MaskedText), InvalidTaskFile> {
    if text.len() > MAX_BYTES {
        return Err(InvalidTaskFile::new(TOO_LARGE));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let renderer = Renderer::new(variables)?;
    let expanded = alias::expand(text, &renderer, load)?;
    let text = renderer.render(&expanded.text)?;
    if text.reveal().trim().is_empty() {
        return Err(InvalidTaskFile::new("the file is empty"));
    }
    Ok((renderer, expanded, text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::steps::{Action, Step, TemplateRun, Values};

    fn variables(case: &Value) -> Variables {
        let mut values = Values::parse(case["values"].as_str().unwrap()).unwrap();
        for set in case["set"].as_array().unwrap() {
            let (name, value) = set.as_str().unwrap().split_once('=').unwrap();
            values.set(name, value);
        }
        Variables {
            run: TemplateRun {
                id: "r1".into(),
                registry: "myreg.example.io".into(),
                registry_name: "myreg".into(),
                date: "20260102-030405z".into(),
                commit: "abc123".into(),
                branch: "main".into(),
                os: "linux".into(),
                architecture: "amd64".into(),
                task_name: "t1".into(),
                ..TemplateRun::default()
            },
            values,
            ..Variables::default()
        }
    }

    fn pairs(pairs: &[(String, MaskedText)]) -> Vec<String> {
        pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", value.reveal()))
            .collect()
    }

    /// Compares a step with the keys that a test case expects.
    fn compare(name: &str, step: &Step, expected: &Value) {
        let is = |key: &str, found: Value| {
            if let Some(wanted) = expected.get(key) {
                assert_eq!(found, *wanted, "{name}: `{key}` of {}", step.id);
            }
        };
        is("id", step.id.as_str().into());
        is("timeout", step.limits.timeout.into());
        is("retryDelay", step.limits.retry_delay.into());
        match &step.action {
            Action::Cmd(cmd) => {
                let words = shell_words::split(expected["cmd"].as_str().unwrap()).unwrap();
                let image: crate::image::Reference = words[0].parse().unwrap();
                let args: Vec<&str> = cmd.args.iter().map(MaskedText::reveal).collect();
                assert_eq!(cmd.image, image, "{name}");
                assert_eq!(args, words[1..], "{name}");
                let env = pairs(&cmd.place.env);
                is(
                    "env",
                    if env.is_empty() {
                        Value::Null
                    } else {
                        json!(env)
                    },
                );
                is("network", json!(cmd.place.network));
                is("workingDirectory", json!(cmd.place.working_directory));
            }
            Action::Build(build) => {
                let tags: Vec<_> = build.images.iter().map(ToString::to_string).collect();
                let tags: Vec<_> = tags
                    .iter()
                    .map(|tag| tag.trim_start_matches("docker.io/library/"))
                    .collect();
                is("tags", json!(tags));
                let args = build.args.iter();
                let args: Vec<_> = args
                    .map(|(name, value)| {
                        let value = value.as_ref().map_or("", MaskedText::reveal);
                        format!("{name}={value}")
                    })
                    .collect();
                is("buildArgs", json!(args));
                if expected["build"].as_str().unwrap().contains("--cache-to") {
                    let cache = build.cache.as_ref().unwrap().to_string();
                    assert!(
                        expected["build"]
                            .as_str()
                            .unwrap()
                            .contains(&format!("--cache-from=type=registry,ref={cache} ")),
                        "{name}"
                    );
                }
            }
            Action::Push(pushed) => {
                let images: Vec<_> = pushed.iter().map(|one| one.image.to_string()).collect();
                is("push", json!(images));
            }
        }
    }

    #[test]
    fn task_file_corpus_matches_acr_or_reports_its_line() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/data/task-yaml.json")).unwrap();
        assert!(cases.len() > 70, "{}", cases.len());
        for case in &cases {
            let name = case["name"].as_str().unwrap();
            if name == "set-bad" {
                // The command line checks the values of `--set`.
                continue;
            }
            let expected = &case["expect"];
            let read = read(
                case["yaml"].as_str().unwrap(),
                &variables(case),
                &mut |_| Err(String::new()),
            );
            let (graph, notices) = match (read, expected["message"].as_str()) {
                (Ok(read), None) => (read.graph, read.notices),
                (Err(problem), Some(message)) => {
                    let told = problem.to_string();
                    let same =
                        told == message || (message.ends_with(": ") && told.starts_with(message));
                    assert!(same, "{name}: {told}");
                    continue;
                }
                (Err(problem), None) => panic!("{name}: {problem}"),
                (Ok(_), Some(_)) => panic!("{name}: no problem was found"),
            };
            assert_eq!(graph.version, expected["version"], "{name}");
            let mut edges = Vec::new();
            for step in graph.steps() {
                if step.after.is_empty() {
                    edges.push(json!(["", step.id.as_str()]));
                }
                let after = step.after.iter();
                edges.extend(after.map(|id| json!([id.as_str(), step.id.as_str()])));
            }
            assert_eq!(Value::from(edges), expected["edges"], "{name}");
            let steps = expected["steps"].as_array().unwrap();
            assert_eq!(graph.steps().len(), steps.len(), "{name}");
            for (step, expected) in graph.steps().iter().zip(steps) {
                compare(name, step, expected);
            }
            if let Some(wanted) = expected.get("notices") {
                let told: Vec<_> = notices.iter().map(ToString::to_string).collect();
                assert_eq!(json!(told), *wanted, "{name}");
            }
        }
    }

    #[test]
    fn task_file_with_more_than_a_thousand_steps_is_refused() {
        let steps = |count: usize| format!("steps:\n{}", "- cmd: x\n  retries: 1\n".repeat(count));
        let read = |count| {
            read(&steps(count), &Variables::default(), &mut |_| {
                Err(String::new())
            })
        };
        assert_eq!(read(1000).unwrap().graph.steps().len(), 1000);
        assert_eq!(
            read(1001).unwrap_err().to_string(),
            "the file has more than 1000 steps"
        );
    }

    #[test]
    fn secret_declarations_are_found_before_their_values_are_read() {
        let text = "secrets:\n- {id: token, keyvault: 'env:TOKEN'}\n- id: other\nsteps:\n- cmd: x {{.Secrets.token}}\n";
        let found = secrets(text, &Variables::default(), &mut |_| Err(String::new())).unwrap();
        let found: Vec<_> = found
            .secrets
            .iter()
            .map(|one| (one.id.as_str(), one.place.as_deref(), one.line))
            .collect();
        assert_eq!(
            found,
            [
                ("token", Some("env:TOKEN"), Some(2)),
                ("other", None, Some(3))
            ]
        );
    }
}
