//! Command lines of programs, separate from their execution.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::PathBuf};

use super::secret::{MaskedText, Secret};

/// The command line of a process that has not been started: it can be compared, printed, logged, and run.
///
/// Every argument is one element of the child's argv, and no shell is involved.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The program, a name to find on `PATH` or a path.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Variables that are set for it, besides those that every program gets.
    pub env: Vec<(String, EnvValue)>,
    /// Whether it gets all variables that acrt itself was started with, as another process of acrt does, instead of only those that
    /// [`super::environment`] hands on.
    pub inherits_all: bool,
    /// The folder in which it is started; the caller's own if unset.
    pub dir: Option<PathBuf>,
    /// The file for its standard input; empty input, if unset.
    pub stdin: Option<PathBuf>,
    /// The most memory that it and each program that it starts may have, in MiB; 0 is no limit.
    pub memory_mib: u64,
    /// How the arguments with secret parts are printed, by their number.
    shown: BTreeMap<usize, String>,
}

/// The value of an environment variable: shown, or kept secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvValue {
    /// May be printed.
    Plain(String),
    /// Prints as `***`.
    Secret(Secret),
}

impl EnvValue {
    /// Returns the value itself, for the child's environment.
    pub fn reveal(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret(secret) => secret.reveal(),
        }
    }
}

impl CommandLine {
    /// Returns a call of `program` without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds one argument that may have secret parts. These are not printed, but other users of the machine can see them in the process
    /// list.
    #[must_use]
    pub fn text(mut self, text: &MaskedText) -> Self {
        if text.has_secret() {
            self.shown.insert(self.args.len(), text.to_string());
        }
        self.arg(text.reveal())
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds `--name=value` as one argument, so that a value that starts with `-` stays a value.
    #[must_use]
    pub fn flag(self, name: &str, value: impl Into<OsString>) -> Self {
        let mut flag = OsString::from(name);
        flag.push("=");
        flag.push(value.into());
        self.arg(flag)
    }

    /// Adds [`Self::flag`] for each value: of an option without a value, nothing.
    #[must_use]
    pub fn flags<T: Into<OsString>>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values = values.into_iter();
        values.fold(self, |line, value| line.flag(name, value))
    }

    /// Adds `--name=KEY=VALUE` for each pair.
    #[must_use]
    pub fn pairs<'p>(
        self,
        name: &str,
        pairs: impl IntoIterator<Item = (&'p String, &'p String)>,
    ) -> Self {
        let values = pairs
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"));
        self.flags(name, values)
    }

    /// Sets a variable that may be printed.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), EnvValue::Plain(value.into())));
        self
    }

    /// Hands on all variables that acrt itself was started with: for processes of acrt.
    #[must_use]
    pub fn inheriting_all(mut self) -> Self {
        self.inherits_all = true;
        self
    }

    /// Sets a variable that must not be printed.
    #[must_use]
    pub fn secret_env(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.env.push((name.into(), EnvValue::Secret(value)));
        self
    }
}

impl fmt::Display for CommandLine {
    /// Prints it so that a person can paste it into a shell, with secrets as `***`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            match value {
                EnvValue::Plain(value) => write!(f, "{name}={} ", quoted(value))?,
                EnvValue::Secret(_) => write!(f, "{name}=*** ")?,
            }
        }
        f.write_str(&quoted(&self.program.to_string_lossy()))?;
        for (n, arg) in self.args.iter().enumerate() {
            let arg = match self.shown.get(&n) {
                Some(shown) => shown.into(),
                None => arg.to_string_lossy(),
            };
            write!(f, " {}", quoted(&arg))?;
        }
        Ok(())
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// Quotes a word for a POSIX shell where needed, and escapes control characters.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(char::is_control) {
        return format!("$'{}'", word.escape_default());
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_printed_with_shell_quotes_and_redacted_secrets() {
        let line = CommandLine::new("buildah")
            .arg("build")
            .flag("--build-arg", "A=b c")
            .flag("--tag", "-x")
            .env("BUILDAH_ISOLATION", "chroot")
            .secret_env("TOKEN", Secret::new("hunter2"))
            .arg("it's")
            .arg("");
        assert_eq!(
            line.to_string(),
            r"BUILDAH_ISOLATION=chroot TOKEN=*** buildah build '--build-arg=A=b c' --tag=-x 'it'\''s' ''"
        );
    }

    #[test]
    fn secret_parts_of_arguments_are_redacted() {
        let text = MaskedText::with_secrets("echo hunter2", std::iter::once(5..12));
        let line = CommandLine::new("sh").arg("-c").text(&text).arg("x");
        assert_eq!(line.args[1], "echo hunter2");
        assert_eq!(line.to_string(), "sh -c 'echo ***' x");
        assert_eq!(format!("{line:?}"), "`sh -c 'echo ***' x`");
    }

    #[test]
    fn control_characters_of_a_command_are_escaped() {
        assert_eq!(
            CommandLine::new("x").arg("a\u{1b}[2Jb").to_string(),
            r"x $'a\u{1b}[2Jb'"
        );
    }
}
