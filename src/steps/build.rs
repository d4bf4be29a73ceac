//! The arguments of a `build` step, read as docker reads its own command line.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    image::{Platform, Reference},
    secret::MaskedText,
};

use super::{
    options::{self, InvalidOption, OptionGroup, OptionUse},
    resources::Mount,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildStep {
    /// The folder of the context, relative to the working directory.
    pub context: String,
    /// The remote context, if there is one: a git repository, an archive or an artifact. It also holds the Dockerfile.
    pub remote: Option<String>,
    /// The Dockerfile, relative to the working directory as in docker; `None` for `Dockerfile` in the context.
    pub file: Option<String>,
    /// The image names (`-t`), parsed as docker does.
    pub images: Vec<Reference>,
    /// Build arguments; one without a value takes it from the step's environment.
    pub args: Vec<(String, Option<MaskedText>)>,
    /// The target stage; `None` for the last one.
    pub target: Option<String>,
    /// The platforms; empty for the run's platforms.
    pub platforms: Vec<Platform>,
    pub no_cache: bool,
    pub labels: BTreeMap<String, String>,
    pub contexts: BTreeMap<String, String>,
    /// Further options, passed to the builder unchanged, one argument each.
    pub options: Vec<String>,
    /// The cache image on the registry, if the file asks for one.
    pub cache: Option<Reference>,
    /// Environment variables for the builder.
    pub env: Vec<(String, MaskedText)>,
    /// The folder that paths are relative to, as a path below `/workspace`.
    pub working_directory: Option<String>,
    /// Volumes of the file, for build secrets.
    pub mounts: Vec<Mount>,
    /// Whether an argument of the builder holds a secret, which other users of the machine could see.
    pub bares_secret: bool,
}

/// How many image names one build may have.
const MAX_IMAGES: usize = 100;

/// The options of `docker build` and `docker buildx build`.
const OPTIONS: &[OptionGroup] = &[
    (
        OptionUse::Ours,
        "tag/t= file/f= build-arg= target= platform= no-cache label= build-context=",
    ),
    (
        OptionUse::Handed,
        "add-host= cache-from= cache-to= cgroup-parent= cpu-period= cpu-quota= cpu-shares/c= cpuset-cpus= \
          cpuset-mems= memory/m= memory-swap= network= progress= secret= security-opt= shm-size= squash ssh= ulimit=",
    ),
    (
        OptionUse::Dropped,
        "compress force-rm isolation= load provenance= pull quiet/q rm sbom=",
    ),
    (
        OptionUse::Refused("it would write outside the run"),
        "iidfile= metadata-file= output/o=",
    ),
    (
        OptionUse::Refused("images are pushed by a `push` step"),
        "push",
    ),
];

pub fn parse(words: &[MaskedText]) -> Result<BuildStep, String> {
    let mut step = BuildStep::default();
    let mut context: Option<&MaskedText> = None;
    let mut words = words.iter();
    let mut only_context = false;
    while let Some(word) = words.next() {
        let written = word.reveal();
        if only_context || written == "-" || !written.starts_with('-') {
            if let Some(first) = context {
                return Err(format!(
                    "`build` takes one context, and has `{first}` and `{word}`"
                ));
            }
            context = Some(word);
        } else if written == "--" {
            only_context = true;
        } else {
            let take = |name: &str, value, is_handed| step.take(name, value, is_handed);
            let read = options::read(OPTIONS, word, || words.next().cloned(), take);
            read.map_err(option_error)?;
        }
    }
    let Some(context) = context else {
        return Err("`build` has no context: it ends with a folder, such as `.`".into());
    };
    step.bares_secret |= context.has_secret();
    match context.reveal() {
        "-" => return Err("a `build` cannot read its context from standard input".into()),
        // docker's own short form of a GitHub URL.
        written if written.starts_with("github.com/") => {
            step.remote = Some(format!("https://{written}"));
        }
        written if is_remote(written) => step.remote = Some(written.to_owned()),
        written => step.context = written.to_owned(),
    }
    step.without_doubles()
}

fn option_error(problem: InvalidOption) -> String {
    match problem {
        InvalidOption::Unknown(word) => format!("`build` has no option `{word}`"),
        InvalidOption::NoValue(word, _) => format!("the option `{word}` of `build` has no value"),
        InvalidOption::Refused(name, why) => format!("`build` cannot have `--{name}`: {why}"),
        InvalidOption::Wrong(why) => why,
    }
}

fn is_remote(context: &str) -> bool {
    context.contains("://") || context.starts_with("git@")
}

impl BuildStep {
    /// Returns the path of the Dockerfile relative to the working directory, or to the root of a remote context.
    pub fn file_path(&self) -> String {
        match &self.file {
            Some(file) => file.clone(),
            None if self.remote.is_some() => "Dockerfile".to_owned(),
            None => format!("{}/Dockerfile", self.context.trim_end_matches('/')),
        }
    }

    fn take(
        &mut self,
        name: &str,
        value: Option<MaskedText>,
        is_handed: bool,
    ) -> Result<(), String> {
        if !is_handed {
            return self.set(name, value.unwrap_or_default());
        }
        self.bares_secret |= value.as_ref().is_some_and(MaskedText::has_secret);
        self.options.push(match value {
            Some(value) => format!("--{name}={}", value.reveal()),
            None => format!("--{name}"),
        });
        Ok(())
    }

    fn set(&mut self, name: &str, value: MaskedText) -> Result<(), String> {
        if name == "build-arg" {
            let (name, value) = match value.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (value, None),
            };
            self.bares_secret |= name.has_secret();
            self.args.push((name.reveal().to_owned(), value));
            return Ok(());
        }
        self.bares_secret |= value.has_secret();
        let shown = value.to_string();
        let value = value.reveal();
        match name {
            "no-cache" => self.no_cache = value != "false",
            "tag" => {
                let image = value
                    .parse()
                    .map_err(|problem| format!("`--tag {shown}`: {problem}"))?;
                self.images.push(image);
            }
            "file" if value == "-" => {
                return Err("a `build` cannot read its Dockerfile from standard input".into());
            }
            "file" => self.file = Some(value.to_owned()),
            "target" => self.target = Some(value.to_owned()).filter(|target| !target.is_empty()),
            "platform" => {
                for one in value.split(',') {
                    let platform = one.trim().parse();
                    self.platforms.push(
                        platform.map_err(|problem| format!("`--platform {shown}`: {problem}"))?,
                    );
                }
            }
            "label" => {
                let (name, value) = value.split_once('=').unwrap_or((value, ""));
                self.labels.insert(name.to_owned(), value.to_owned());
            }
            _ => {
                let (name, place) = value.split_once('=').ok_or_else(|| {
                    format!("`--build-context {shown}` must be NAME=FOLDER or NAME=IMAGE")
                })?;
                self.contexts.insert(name.to_owned(), place.to_owned());
            }
        }
        Ok(())
    }

    /// Removes repeated image names.
    fn without_doubles(mut self) -> Result<Self, String> {
        let mut seen = BTreeSet::new();
        self.images.retain(|image| seen.insert(image.clone()));
        if self.images.len() > MAX_IMAGES {
            Err(format!("`build` has more than {MAX_IMAGES} tags"))
        } else {
            Ok(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<BuildStep, String> {
        let words = shell_words::split(text).unwrap();
        parse(&words.into_iter().map(MaskedText::from).collect::<Vec<_>>())
    }

    #[test]
    fn build_options_are_parsed_in_every_form_of_docker() {
        let same = [
            "-t r.io/web:1 -f sub/Dockerfile .",
            "--tag r.io/web:1 --file sub/Dockerfile .",
            "--tag=r.io/web:1 --file=sub/Dockerfile .",
            "-tr.io/web:1 -f=sub/Dockerfile .",
            "-qt r.io/web:1 . -fsub/Dockerfile",
            "-q -t r.io/web:1 -f sub/Dockerfile -- .",
        ];
        for text in same {
            let step = parsed(text).unwrap();
            assert_eq!(step.context, ".", "{text}");
            assert_eq!(step.file.as_deref(), Some("sub/Dockerfile"), "{text}");
            assert_eq!(step.images, ["r.io/web:1".parse().unwrap()], "{text}");
        }
    }

    #[test]
    fn build_values_keep_blanks_and_equal_signs() {
        let step =
            parsed("--build-arg 'A=b c=d' --build-arg B --label \"x=y z\" 'my folder'").unwrap();
        assert_eq!(
            step.args,
            [
                ("A".to_owned(), Some("b c=d".into())),
                ("B".to_owned(), None)
            ]
        );
        assert_eq!(step.labels["x"], "y z");
        assert_eq!(step.context, "my folder");
    }

    #[test]
    fn build_image_names_are_normalized_as_by_docker() {
        let step = parsed("-t web -t web:latest -t team/app:2 .").unwrap();
        let images: Vec<String> = step.images.iter().map(ToString::to_string).collect();
        assert_eq!(
            images,
            ["docker.io/library/web:latest", "docker.io/team/app:2"]
        );
    }

    #[test]
    fn unknown_build_options_are_passed_to_the_builder() {
        let step = parsed("--network host --ulimit=nofile=1 -m 1g --squash --pull --rm=true --no-cache --target x --platform linux/arm64,linux/amd64 .").unwrap();
        assert_eq!(
            step.options,
            [
                "--network=host",
                "--ulimit=nofile=1",
                "--memory=1g",
                "--squash"
            ]
        );
        assert!(step.no_cache);
        assert_eq!(step.target.as_deref(), Some("x"));
        assert_eq!(step.platforms.len(), 2);
        assert!(!parsed("--no-cache=false .").unwrap().no_cache);
    }

    #[test]
    fn secret_in_a_build_argument_is_kept_secret_and_elsewhere_reported() {
        let parsed = |text: &str| {
            let at = text.find("hunter2").unwrap();
            let words = crate::steps::shell_words::split(&MaskedText::with_secrets(
                text,
                std::iter::once(at..at + 7),
            ));
            parse(&words.unwrap()).unwrap()
        };
        for text in ["--build-arg A=x-hunter2 .", "--build-arg=A=x-hunter2 ."] {
            let step = parsed(text);
            assert!(!step.bares_secret, "{text}");
            let value = step.args[0].1.as_ref().unwrap();
            assert_eq!(value.to_string(), "x-***");
        }
        for text in [
            "--label a=hunter2 .",
            "-t=x:hunter2 .",
            "--network=hunter2 .",
            "hunter2",
        ] {
            assert!(parsed(text).bares_secret, "{text}");
        }
        let shown = format!("{:?}", parsed("--build-arg A=hunter2 ."));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn build_context_may_be_remote() {
        for (text, remote) in [
            (
                "https://github.com/a/b.git#main:c",
                "https://github.com/a/b.git#main:c",
            ),
            ("github.com/a/b", "https://github.com/a/b"),
            ("git@example.com:a/b", "git@example.com:a/b"),
            ("oci://r.io/a:1", "oci://r.io/a:1"),
        ] {
            let step = parsed(&format!("-t x {text} -f Dockerfile-app")).unwrap();
            assert_eq!(step.remote.as_deref(), Some(remote));
            assert_eq!(step.file_path(), "Dockerfile-app");
        }
        let step = parsed("https://github.com/a/b.git").unwrap();
        assert_eq!(step.file_path(), "Dockerfile");
        assert_eq!(parsed(".").unwrap().remote, None);
    }

    #[test]
    fn invalid_build_options_are_reported() {
        let problem = |text: &str| parsed(text).unwrap_err();
        assert_eq!(
            problem("-t web:1"),
            "`build` has no context: it ends with a folder, such as `.`"
        );
        assert_eq!(
            problem("a b"),
            "`build` takes one context, and has `a` and `b`"
        );
        assert_eq!(problem("--bogus ."), "`build` has no option `--bogus`");
        assert_eq!(problem("-x ."), "`build` has no option `-x`");
        assert_eq!(problem(". -t"), "the option `-t` of `build` has no value");
        assert_eq!(
            problem("--push -t web ."),
            "`build` cannot have `--push`: images are pushed by a `push` step"
        );
        assert!(problem("-t 'A B' .").starts_with("`--tag A B`: "));
        assert!(problem("-").contains("standard input"));
        assert!(problem("-f - .").contains("standard input"));
    }
}
