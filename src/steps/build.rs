//! The arguments of a `build` step, read as docker reads its own command line.

use std::collections::BTreeMap;

use crate::image::{Platform, Reference};

use super::step::Mount;

/// An image to build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildStep {
    /// The folder of its files, relative to the working directory.
    pub context: String,
    /// The Dockerfile, relative to the working directory as docker takes it; none is `Dockerfile` in the context.
    pub file: Option<String>,
    /// The images that it makes, by docker's own reading of the names.
    pub images: Vec<Reference>,
    /// Build arguments; one without a value takes it from the step's environment.
    pub args: Vec<(String, Option<String>)>,
    /// The stage, if not the last.
    pub target: Option<String>,
    /// The platforms; empty is the run's.
    pub platforms: Vec<Platform>,
    /// Whether the cache is left unused.
    pub no_cache: bool,
    /// Labels for the image.
    pub labels: BTreeMap<String, String>,
    /// Named contexts.
    pub contexts: BTreeMap<String, String>,
    /// Further options, handed to the builder as they are, one argument each.
    pub options: Vec<String>,
    /// The image that keeps its cache on the registry, if the file asks for one.
    pub cache: Option<Reference>,
    /// Variables of the builder.
    pub env: Vec<(String, String)>,
    /// The folder that paths are relative to, seen from `/workspace`.
    pub working_directory: Option<String>,
    /// Volumes of the file, for secrets of the build.
    pub mounts: Vec<Mount>,
}

/// What becomes of an option.
#[derive(Clone, Copy)]
enum Use {
    /// It is one of the fields above.
    Ours,
    /// The builder gets it.
    Handed,
    /// It changes nothing that counts here.
    Dropped,
    /// It cannot be.
    Refused(&'static str),
}

/// The options of `docker build` and `docker buildx build`: long name, short name, whether a value follows.
const OPTIONS: &[(&str, char, bool, Use)] = &[
    ("tag", 't', true, Use::Ours),
    ("file", 'f', true, Use::Ours),
    ("build-arg", ' ', true, Use::Ours),
    ("target", ' ', true, Use::Ours),
    ("platform", ' ', true, Use::Ours),
    ("no-cache", ' ', false, Use::Ours),
    ("label", ' ', true, Use::Ours),
    ("build-context", ' ', true, Use::Ours),
    ("add-host", ' ', true, Use::Handed),
    ("cache-from", ' ', true, Use::Handed),
    ("cache-to", ' ', true, Use::Handed),
    ("cgroup-parent", ' ', true, Use::Handed),
    ("cpu-period", ' ', true, Use::Handed),
    ("cpu-quota", ' ', true, Use::Handed),
    ("cpu-shares", 'c', true, Use::Handed),
    ("cpuset-cpus", ' ', true, Use::Handed),
    ("cpuset-mems", ' ', true, Use::Handed),
    ("memory", 'm', true, Use::Handed),
    ("memory-swap", ' ', true, Use::Handed),
    ("network", ' ', true, Use::Handed),
    ("progress", ' ', true, Use::Handed),
    ("secret", ' ', true, Use::Handed),
    ("security-opt", ' ', true, Use::Handed),
    ("shm-size", ' ', true, Use::Handed),
    ("squash", ' ', false, Use::Handed),
    ("ssh", ' ', true, Use::Handed),
    ("ulimit", ' ', true, Use::Handed),
    ("compress", ' ', false, Use::Dropped),
    ("force-rm", ' ', false, Use::Dropped),
    ("isolation", ' ', true, Use::Dropped),
    ("load", ' ', false, Use::Dropped),
    ("provenance", ' ', true, Use::Dropped),
    ("pull", ' ', false, Use::Dropped),
    ("quiet", 'q', false, Use::Dropped),
    ("rm", ' ', false, Use::Dropped),
    ("sbom", ' ', true, Use::Dropped),
    (
        "iidfile",
        ' ',
        true,
        Use::Refused("it would write outside the run"),
    ),
    (
        "metadata-file",
        ' ',
        true,
        Use::Refused("it would write outside the run"),
    ),
    (
        "output",
        'o',
        true,
        Use::Refused("it would write outside the run"),
    ),
    (
        "push",
        ' ',
        false,
        Use::Refused("images are pushed by a `push` step"),
    ),
];

/// Reads the words of a `build`.
///
/// # Errors
///
/// What is wrong with them, naming the option.
pub fn parse(words: &[String]) -> Result<BuildStep, String> {
    let mut step = BuildStep::default();
    let mut context: Option<&String> = None;
    let mut words = words.iter();
    let mut only_context = false;
    while let Some(word) = words.next() {
        if only_context || word == "-" || !word.starts_with('-') {
            if let Some(first) = &context {
                return Err(format!(
                    "`build` takes one context, and has `{first}` and `{word}`"
                ));
            }
            context = Some(word);
        } else if word == "--" {
            only_context = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let found = OPTIONS.iter().find(|option| option.0 == name);
            let (name, _, takes, usage) = found.ok_or_else(|| unknown(word))?;
            let value = match (takes, value) {
                (true, None) => Some(next(&mut words, word)?),
                (_, value) => value,
            };
            step.take(name, value, *usage)?;
        } else {
            step.short(&word[1..], &mut words)?;
        }
    }
    match context.map(String::as_str) {
        None => return Err("`build` has no context: it ends with a folder, such as `.`".into()),
        Some("-") => return Err("a `build` cannot read its context from standard input".into()),
        Some(context) if is_remote(context) => {
            return Err(format!(
                "the context `{context}` is not a folder of the workspace: fetch it with --context, or in a step before"
            ));
        }
        Some(context) => step.context = context.to_owned(),
    }
    Ok(step)
}

fn unknown(word: &str) -> String {
    format!("`build` has no option `{word}`")
}

fn next<'w>(words: &mut impl Iterator<Item = &'w String>, option: &str) -> Result<String, String> {
    words
        .next()
        .cloned()
        .ok_or_else(|| format!("the option `{option}` of `build` has no value"))
}

fn is_remote(context: &str) -> bool {
    context.contains("://") || context.starts_with("git@") || context.starts_with("github.com/")
}

impl BuildStep {
    /// Returns the path of the Dockerfile, relative to the working directory.
    #[must_use]
    pub fn file_path(&self) -> String {
        match &self.file {
            Some(file) => file.clone(),
            None => format!("{}/Dockerfile", self.context.trim_end_matches('/')),
        }
    }

    /// Reads a group of short options, as `-t x`, `-tx`, `-t=x` and `-qt x`.
    fn short<'w>(
        &mut self,
        group: &str,
        words: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), String> {
        let mut rest = group;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let option = format!("-{letter}");
            let found = OPTIONS
                .iter()
                .find(|option| option.1 == letter && letter != ' ');
            let (name, _, takes, usage) = found.ok_or_else(|| unknown(&option))?;
            if !takes {
                self.take(name, None, *usage)?;
                continue;
            }
            let value = match rest {
                "" => next(words, &option)?,
                rest => rest.strip_prefix('=').unwrap_or(rest).to_owned(),
            };
            return self.take(name, Some(value), *usage);
        }
        Ok(())
    }

    fn take(&mut self, name: &str, value: Option<String>, usage: Use) -> Result<(), String> {
        match usage {
            Use::Ours => return self.set(name, value),
            Use::Handed => self.options.push(match value {
                Some(value) => format!("--{name}={value}"),
                None => format!("--{name}"),
            }),
            Use::Dropped => {}
            Use::Refused(why) => return Err(format!("`build` cannot have `--{name}`: {why}")),
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        if name == "no-cache" {
            self.no_cache = value.is_none_or(|value| value != "false");
            return Ok(());
        }
        let value = value.unwrap_or_default();
        let pair = |text: &str| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.to_owned(), None),
        };
        match name {
            "tag" => {
                let image = value
                    .parse()
                    .map_err(|problem| format!("`--tag {value}`: {problem}"))?;
                if !self.images.contains(&image) {
                    self.images.push(image);
                }
            }
            "file" if value == "-" => {
                return Err("a `build` cannot read its Dockerfile from standard input".into());
            }
            "file" => self.file = Some(value),
            "build-arg" => self.args.push(pair(&value)),
            "target" => self.target = Some(value).filter(|target| !target.is_empty()),
            "platform" => {
                for one in value.split(',') {
                    let platform = one.trim().parse();
                    self.platforms.push(
                        platform.map_err(|problem| format!("`--platform {value}`: {problem}"))?,
                    );
                }
            }
            "label" => {
                let (name, value) = pair(&value);
                self.labels.insert(name, value.unwrap_or_default());
            }
            _ => {
                let (name, place) = pair(&value);
                let place = place.ok_or_else(|| {
                    format!("`--build-context {name}` must be NAME=FOLDER or NAME=IMAGE")
                })?;
                self.contexts.insert(name, place);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<BuildStep, String> {
        parse(&shell_words::split(text).unwrap())
    }

    #[test]
    fn options_are_read_in_every_form_that_docker_takes() {
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
    fn values_keep_blanks_and_equal_signs() {
        let step =
            parsed("--build-arg 'A=b c=d' --build-arg B --label \"x=y z\" 'my folder'").unwrap();
        assert_eq!(
            step.args,
            [
                ("A".to_owned(), Some("b c=d".to_owned())),
                ("B".to_owned(), None)
            ]
        );
        assert_eq!(step.labels["x"], "y z");
        assert_eq!(step.context, "my folder");
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let step = parsed("-t web -t web:latest -t team/app:2 .").unwrap();
        let images: Vec<String> = step.images.iter().map(ToString::to_string).collect();
        assert_eq!(
            images,
            ["docker.io/library/web:latest", "docker.io/team/app:2"]
        );
    }

    #[test]
    fn what_acrt_does_not_read_itself_goes_to_the_builder() {
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
    fn mistakes_are_named() {
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
        assert!(problem("https://github.com/a/b.git").contains("is not a folder of the workspace"));
        assert!(problem("-").contains("standard input"));
        assert!(problem("-f - .").contains("standard input"));
    }
}
