//! Options of multi-step files: values for their templates, and a command in place of a file.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    cli::flags::build::{is_empty_text, named_values},
    error::{Context as _, Error, Kind, Result},
    sys::secret::Secret,
    task::{
        Argument, Context, EncodedStep, FileStep, Step,
        multi_step::{encoded, file_of_command, is_task_file},
    },
};

/// The default multi-step file.
pub const DEFAULT_FILE: &str = "acb.yaml";

// `--set`, `--set-secret` and `--values`.
#[derive(Debug, Default, clap::Args)]
pub struct ValueArgs {
    /// Value for {{.Values.NAME}}, NAME=VALUE (can be repeated)
    #[arg(
        long = "set",
        help_heading = "Multi-step files",
        value_name = "NAME=VALUE"
    )]
    set: Vec<String>,
    /// Value that is never shown, NAME=VALUE; VALUE may be env:NAME or file:PATH (can be repeated)
    #[arg(
        long = "set-secret",
        help_heading = "Multi-step files",
        value_name = "NAME=VALUE"
    )]
    set_secret: Vec<Secret>,
    /// File of values, relative to the context; with --cmd or --file -, to the current folder
    #[arg(long, help_heading = "Multi-step files", value_name = "FILE")]
    values: Option<PathBuf>,
}

// `--trust-context` of one run.
#[derive(Debug, Default, clap::Args)]
pub struct TrustOnceArgs {
    /// Let what the context brings do all that you may: for contexts that you alone write
    #[arg(long, help_heading = "What is built")]
    pub trust_context: bool,
}

impl ValueArgs {
    pub fn has_values(&self) -> bool {
        !self.set.is_empty() || !self.set_secret.is_empty()
    }

    /// Tells whether a definition shall have no values: `--set ""`.
    pub fn are_emptied(&self) -> bool {
        is_empty_text(&self.set) && self.set_secret.is_empty()
    }

    pub fn file(&self) -> Option<&PathBuf> {
        self.values.as_ref()
    }

    /// Returns the values in the order given, and the secret ones separately. Of two with one name the last wins.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where one has no name.
    pub fn values(&self) -> Result<(Vec<Argument>, BTreeMap<String, Secret>)> {
        let both = named_values(&self.set, &self.set_secret, |text| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        });
        if both.0.iter().any(|value| value.name.is_empty()) {
            let what = "cannot use a value of --set or --set-secret: it has no name";
            return Err(Error::invalid(what).hint("write it as --set NAME=VALUE"));
        }
        Ok(both)
    }
}

/// The options that decide about a multi-step file.
#[derive(Debug)]
pub struct StepOptions<'a> {
    /// The context, as given.
    pub context: &'a Context,
    /// The file, as given.
    pub file: Option<&'a Path>,
    /// `--cmd`
    pub command: Option<&'a str>,
    /// The timeout in seconds for the step of a `--cmd`.
    pub timeout: u32,
    /// Values.
    pub values: &'a ValueArgs,
    /// `--allow-privileged`
    pub allow_privileged: bool,
    /// `--trust-context`
    pub trust_context: bool,
}

impl StepOptions<'_> {
    /// Returns the step that the options ask for; `None` for a Dockerfile. The text of a file that is stored in the
    /// definition is read now.
    pub fn step(&self) -> Result<Option<Step>> {
        if let Some(content) = self.content()? {
            return self.encoded(&content).map(Some);
        }
        let Some(file) = self.file.filter(|file| is_task_file(file)) else {
            return Ok(None);
        };
        Ok(Some(Step::FileTask(FileStep {
            context_path: self.context.clone(),
            task_file_path: file.to_owned(),
            values_file_path: self.values.file().cloned(),
            values: self.values.values()?.0,
            allow_privileged: self.allow_privileged,
            trust_context: self.trust_context,
            pushes: Vec::new(),
        })))
    }

    /// Returns a step with the content of a file.
    pub fn encoded(&self, content: &str) -> Result<Step> {
        let values = self.values.file().map(|path| text_of(path)).transpose()?;
        Ok(Step::EncodedTask(EncodedStep {
            context_path: Some(self.context.clone()).filter(|c| *c != Context::None),
            encoded_task_content: encoded(content),
            encoded_values_content: values.as_deref().map(encoded),
            values: self.values.values()?.0,
            allow_privileged: self.allow_privileged,
            trust_context: self.trust_context,
            pushes: Vec::new(),
        }))
    }

    /// Returns the text of a file that is stored in the definition; `None` where the file stays in the context.
    pub fn content(&self) -> Result<Option<String>> {
        match (self.command, self.file) {
            (Some(_), Some(_)) => Err(Error::invalid(
                "`--cmd` and `--file` cannot be used together",
            )),
            (Some(command), None) => Ok(Some(file_of_command(command, self.timeout))),
            (None, Some(file)) if file == Path::new("-") => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .context(Kind::Invalid, || {
                        "cannot read the task file from standard input".to_owned()
                    })?;
                Ok(Some(text))
            }
            (None, file) if *self.context == Context::None => {
                text_of(file.unwrap_or(Path::new(DEFAULT_FILE))).map(Some)
            }
            (None, _) => Ok(None),
        }
    }
}

/// Reads a file relative to the current folder.
pub fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).context(Kind::Invalid, || {
        format!("cannot read the file `{}`", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_at_the_first_equal_sign_and_secret_values_separated() {
        let args = ValueArgs {
            set: vec!["a=b=c".into(), "e".into(), "a=2".into()],
            set_secret: vec![Secret::new("t=env:TOKEN")],
            ..ValueArgs::default()
        };
        let (values, secrets) = args.values().unwrap();
        let told: Vec<_> = values
            .iter()
            .map(|value| (value.name.as_str(), value.value.as_deref(), value.is_secret))
            .collect();
        assert_eq!(
            told,
            [
                ("e", Some(""), false),
                ("a", Some("2"), false),
                ("t", None, true)
            ]
        );
        assert_eq!(secrets["t"].reveal(), "env:TOKEN");
    }

    #[test]
    fn value_without_a_name_is_refused() {
        for text in ["", "=1"] {
            let (plain, secret) = (vec![text.to_owned()], vec![Secret::new(text)]);
            let values = |set, set_secret| ValueArgs {
                set,
                set_secret,
                values: None,
            };
            assert!(values(plain, Vec::new()).values().is_err(), "{text}");
            assert!(values(Vec::new(), secret).values().is_err(), "{text}");
        }
    }

    #[test]
    fn step_type_is_chosen_by_file_and_context() {
        let values = ValueArgs::default();
        let kind = |context: &str, file: Option<&str>, command: Option<&str>| {
            let wanted = StepOptions {
                context: &context.parse().unwrap(),
                file: file.map(Path::new),
                command,
                timeout: 60,
                values: &values,
                allow_privileged: false,
                trust_context: false,
            };
            match wanted.step() {
                Ok(Some(Step::FileTask(_))) => "file",
                Ok(Some(Step::EncodedTask(_))) => "encoded",
                Ok(_) => "docker",
                Err(_) => "error",
            }
        };
        assert_eq!(kind(".", Some("acb.yaml"), None), "file");
        assert_eq!(kind(".", Some("Dockerfile"), None), "docker");
        assert_eq!(kind(".", None, None), "docker");
        assert_eq!(kind("/dev/null", None, Some("bash")), "encoded");
        assert_eq!(kind("/dev/null", Some("acb.yaml"), Some("bash")), "error");
        assert_eq!(kind("/dev/null", Some("no-such-file.yaml"), None), "error");
    }
}
