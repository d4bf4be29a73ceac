//! Any other builder, by templates of its command lines in the config file.

use std::path::PathBuf;

use crate::{
    error::{Error, Result},
    image::Reference,
    sys::{builders::BuilderSettings, command::CommandLine},
};

use super::{BuildCommand, BuildRequest, Purpose, program::with_logins};

/// The placeholders of an argument, for messages.
const PLACEHOLDERS: &str = "{dockerfile}, {context}, {image}, {runId}, {target}, {platform}, {noCache}, and once per item {images}, {args}, {labels}";

/// The placeholders that stand for several items, in the order in which they are looked for.
const LISTS: [&str; 3] = ["images", "args", "labels"];

/// Command lines with placeholders. Each argument stays one argument, whatever replaces its placeholders; no shell is involved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    build: Vec<String>,
    push: Vec<String>,
}

impl Template {
    /// Reads the templates in the config file.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] where it is missing, or has an unknown placeholder.
    pub fn new(settings: &BuilderSettings) -> Result<Self> {
        if settings.build.is_empty() {
            return Err(Error::invalid("the builder `command` has no command line")
            .hint("put it into the config file: builders: {command: {build: [mybuild, --file, '{dockerfile}', '{context}']}}"));
        }
        let nothing = BuildRequest::default();
        let is_known = |name: &&str| LISTS.contains(name) || value(name, &nothing, None).is_some();
        for argument in settings.build.iter().chain(&settings.push) {
            if let Some(unknown) = gaps(argument).find(|gap| !is_known(gap)) {
                return Err(Error::invalid(format!(
                        "the builder `command` has `{{{unknown}}}` in `{argument}`, which is not a known placeholder"
                    ),
                )
                .hint(format!("there are {PLACEHOLDERS}")));
            }
        }
        Ok(Self {
            build: settings.build.clone(),
            push: settings.push.clone(),
        })
    }

    /// Returns the commands to run, in order.
    pub(super) fn plan(&self, request: &BuildRequest) -> Vec<BuildCommand> {
        let build = filled(&self.build, request, request.images.first());
        let mut commands = vec![BuildCommand::new(Purpose::Build, build)];
        if request.push && !self.push.is_empty() {
            let images = request.images.iter();
            commands.extend(images.map(|image| self.push_of(request, image)));
        }
        commands
    }

    /// Returns the command that pushes one image.
    pub(super) fn push(&self, request: &BuildRequest, image: &Reference) -> Result<BuildCommand> {
        if self.push.is_empty() {
            return Err(Error::invalid("the builder `command` has no command line for pushes")
            .hint("put it into the config file: builders: {command: {push: [mybuild, push, '{image}']}}"));
        }
        Ok(self.push_of(request, image))
    }

    fn push_of(&self, request: &BuildRequest, image: &Reference) -> BuildCommand {
        let line = filled(&self.push, request, Some(image));
        BuildCommand::new(Purpose::Push(image.clone()), line)
    }
}

/// Returns the names of the placeholders in an argument.
fn gaps(argument: &str) -> impl Iterator<Item = &str> {
    argument
        .split('{')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0))
        .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic()))
}

fn filled(template: &[String], request: &BuildRequest, image: Option<&Reference>) -> CommandLine {
    let mut words = template
        .iter()
        .flat_map(|argument| arguments(argument, request, image));
    let mut line = CommandLine::new(PathBuf::from(words.next().unwrap_or_default()));
    line = line.args(words);
    for (name, value) in &request.secret_args {
        line = line.secret_env(name, value.clone());
    }
    with_logins(line, request.auth_dir.as_deref())
}

/// Replaces the placeholders of an argument; an argument that names a list is repeated for each item.
fn arguments(argument: &str, request: &BuildRequest, image: Option<&Reference>) -> Vec<String> {
    let Some((list, items)) = list_in(argument, request) else {
        return vec![single(argument, |name| value(name, request, image))];
    };
    let with = |item: &String| {
        single(argument, |name| {
            if name == list {
                Some(item.clone())
            } else {
                value(name, request, image)
            }
        })
    };
    items.iter().map(with).collect()
}

/// Returns the list that an argument names, if it names one, with its items.
fn list_in(argument: &str, request: &BuildRequest) -> Option<(&'static str, Vec<String>)> {
    let pair = |(name, value): (&String, &String)| format!("{name}={value}");
    let is_named = |list: &&str| argument.contains(&format!("{{{list}}}"));
    let list = LISTS.into_iter().find(is_named)?;
    let items = match list {
        "images" => request.image_names().collect(),
        "args" => (request.args.iter())
            .map(|(name, value)| pair((name, value)))
            .collect(),
        _ => request.labels.iter().map(pair).collect(),
    };
    Some((list, items))
}

/// Replaces the placeholders of an argument. The values are not searched again: they may contain braces.
fn single(argument: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match value(name) {
            Some(value) => out.push_str(&value),
            None => {
                out.push('{');
                out.push_str(name);
                out.push('}');
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn value(name: &str, request: &BuildRequest, image: Option<&Reference>) -> Option<String> {
    Some(match name {
        "dockerfile" => request.dockerfile.display().to_string(),
        "context" => request.context.display().to_string(),
        "image" => image.map(ToString::to_string).unwrap_or_default(),
        "runId" => request.run_id.clone(),
        "target" => request.target.clone().unwrap_or_default(),
        "platform" => request.platform_list().unwrap_or_default(),
        "noCache" => request.no_cache.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::request::tests::{full, printed};

    fn settings(build: &[&str], push: &[&str]) -> BuilderSettings {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        BuilderSettings {
            build: words(build),
            push: words(push),
            ..BuilderSettings::default()
        }
    }

    #[test]
    fn template_placeholders_are_filled_and_lists_repeat_their_argument() {
        let template = Template::new(&settings(
            &[
                "mybuild",
                "-f",
                "{dockerfile}",
                "--tag={images}",
                "--arg={args}",
                "{context}",
            ],
            &["mypush", "{image}"],
        ))
        .unwrap();
        assert_eq!(
            printed(&template.plan(&full())),
            [
                "TOKEN=*** mybuild -f /state/runs/ca1/Dockerfile --tag=localhost:5000/web:1 --tag=ghcr.io/a/web:1 '--arg=A=-b c' '/src/my web'",
                "TOKEN=*** mypush localhost:5000/web:1",
                "TOKEN=*** mypush ghcr.io/a/web:1",
            ]
        );
    }

    #[test]
    fn placeholder_in_a_filled_value_is_not_filled() {
        let template = Template::new(&settings(&["x", "--arg={args}", "{target}"], &[])).unwrap();
        let mut request = full();
        request.secret_args.clear();
        request.args = vec![("A".into(), "{image} {args}".into())];
        request.target = Some("{runId}".into());
        assert_eq!(
            printed(&template.plan(&request)),
            ["x '--arg=A={image} {args}' '{runId}'"]
        );
    }

    #[test]
    fn unknown_placeholder_or_missing_template_is_refused() {
        let error = Template::new(&settings(&["x", "{dockerFile}"], &[])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the builder `command` has `{dockerFile}` in `{dockerFile}`, which is not a known placeholder"
        );
        assert!(Template::new(&settings(&[], &[])).is_err());
    }

    #[test]
    fn braces_without_a_placeholder_are_kept() {
        let template = Template::new(&settings(&["x", "{\"a\": 1}", "{}", "{runId}"], &[]));
        let mut request = full();
        request.secret_args.clear();
        assert_eq!(
            printed(&template.unwrap().plan(&request))[0],
            "x '{\"a\": 1}' '{}' ca1"
        );
    }
}
