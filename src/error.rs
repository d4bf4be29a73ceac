//! The error type of the crate: a kind that picks the exit code, a message, its causes and a hint.

use std::fmt;

use crate::secret::without_login;

/// How many characters of a text an error quotes.
const MOST_QUOTED: usize = 200;

/// Returns a text from outside as an error quotes it: its beginning, and without a login.
pub fn excerpt(text: &str) -> String {
    cut(without_login(text), MOST_QUOTED)
}

/// Returns the first characters of a text, with `…` if there are more.
pub fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A result whose error is [`Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a failure means to the caller. It only decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Something failed: a run, or an unexpected error.
    Failed,
    /// Wrong usage, or input that does not parse.
    Invalid,
    /// No such task, run, timer or credential.
    NotFound,
    /// The answer is not known: a registry did not answer, refused, or limited the rate.
    Unknown,
    /// The builder does not answer, so that the result of a build is not known.
    BuilderAway,
    /// Another watcher holds the state directory.
    Locked,
    /// Something is stale, or was rebuilt, and the caller asked for an exit code that says so.
    Stale,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

impl Kind {
    /// Returns the kind for a run that ended with this kind of error: [`Kind::Failed`] unless the kind says more.
    pub const fn of_run(self) -> Self {
        match self {
            Self::Unknown | Self::BuilderAway | Self::Interrupted | Self::Terminated => self,
            _ => Self::Failed,
        }
    }

    /// Returns the exit code. The numbers are frozen; scripts and cron jobs rely on them.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::NotFound => 3,
            Self::Unknown | Self::BuilderAway => 4,
            Self::Locked => 5,
            Self::Stale => 10,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// An error: what was being done and to which thing, why it failed, and what to do next.
///
/// The message is in lower case and without a full stop, because it may become a link in a chain.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    cause: Option<anyhow::Error>,
    hint: Option<String>,
}

impl Error {
    /// Returns an error; the message says what was being done, to which thing.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cause: None,
            hint: None,
        }
    }

    /// Returns an error about wrong usage, or input that does not parse.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// Returns an error about something that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what to do next, preferably a command to type.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Rewrites its message, its causes and its hint. Causes keep their types only if no text changes.
    #[must_use]
    pub fn with_texts(self, rewrite: impl Fn(&str) -> String) -> Self {
        let is_same = |text: &str| rewrite(text) == text;
        let causes = self.causes();
        let hint = self.advice().map(str::to_owned);
        if is_same(&self.message)
            && causes.iter().all(|it| is_same(it))
            && hint.iter().all(|it| is_same(it))
        {
            return self;
        }
        let causes = causes.iter().rev().map(|cause| rewrite(cause));
        let cause = causes.fold(None, |inner: Option<anyhow::Error>, text| {
            Some(match inner {
                Some(inner) => inner.context(text),
                None => anyhow::Error::msg(text),
            })
        });
        Self {
            kind: self.kind,
            message: rewrite(&self.message),
            cause,
            hint: hint.map(|hint| rewrite(&hint)),
        }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the messages of the causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        for cause in self.cause.iter().flat_map(anyhow::Error::chain) {
            let text = cause.to_string();
            // Many libraries repeat their source in their own message; once is enough.
            if causes.last().is_none_or(|last| !last.ends_with(&text)) {
                causes.push(text);
            }
        }
        causes
    }

    /// Returns the first error of this type among the causes.
    pub fn find<E: std::error::Error + Send + Sync + 'static>(&self) -> Option<&E> {
        let mut causes = self.cause.iter().flat_map(anyhow::Error::chain);
        causes.find_map(|cause| cause.downcast_ref::<E>())
    }

    /// Returns the hint of this error, or else of the first of its causes that has one.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref().or_else(|| {
            self.cause
                .iter()
                .flat_map(anyhow::Error::chain)
                .find_map(|cause| cause.downcast_ref::<Self>()?.hint.as_deref())
        })
    }

    /// Returns the message and the causes on one line.
    pub fn one_line(&self) -> String {
        let mut text = self.message.clone();
        for cause in self.causes() {
            text.push_str(": ");
            text.push_str(&cause);
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| {
            let source: &(dyn std::error::Error + 'static) = cause.as_ref();
            source
        })
    }
}

/// Adds to an error what was being done.
pub trait Context<T> {
    /// Turns the error into an [`Error`] with a kind and a message; the old error becomes its cause.
    ///
    /// # Errors
    ///
    /// The error with its new kind and message.
    fn context(self, kind: Kind, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Context<T> for Result<T, E> {
    fn context(self, kind: Kind, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::new(kind, message()).because(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_cut_and_has_no_login() {
        assert_eq!(excerpt("é"), "é");
        assert_eq!(excerpt(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
        assert_eq!(excerpt("me:hunter2@r.io/X"), "***@r.io/X");
    }

    #[test]
    fn exit_codes_are_frozen() {
        let codes = [
            (Kind::Failed, 1),
            (Kind::Invalid, 2),
            (Kind::NotFound, 3),
            (Kind::Unknown, 4),
            (Kind::Locked, 5),
            (Kind::Stale, 10),
            (Kind::Interrupted, 130),
            (Kind::Terminated, 143),
        ];
        for (kind, code) in codes {
            assert_eq!(kind.exit_code(), code, "{kind:?}");
        }
    }

    #[test]
    fn error_with_rewritten_texts_keeps_its_kind_and_the_order_of_its_causes() {
        let inner = Error::failed("b hunter2").because(anyhow::anyhow!("c"));
        let error = Error::new(Kind::Unknown, "a")
            .because(inner)
            .hint("d hunter2");
        let error = error.with_texts(|text| text.replace("hunter2", "***"));
        assert_eq!(error.one_line(), "a: b ***: c");
        assert_eq!(
            (error.kind(), error.advice()),
            (Kind::Unknown, Some("d ***"))
        );
        let same = Error::failed("a").because(std::io::Error::other("b"));
        let same = same.with_texts(str::to_owned);
        assert!(same.find::<std::io::Error>().is_some());
    }

    #[test]
    fn error_causes_are_shown_once_each_and_the_outermost_hint_wins() {
        let inner = Error::new(Kind::Unknown, "HEAD http://h/v2/: connection refused")
            .because(std::io::Error::other("connection refused"))
            .hint("start the registry");
        let outer = Error::new(Kind::Unknown, "cannot read the digest of `h/a:1`").because(inner);
        assert_eq!(outer.causes(), ["HEAD http://h/v2/: connection refused"]);
        assert_eq!(outer.advice(), Some("start the registry"));
        assert_eq!(
            outer.one_line(),
            "cannot read the digest of `h/a:1`: HEAD http://h/v2/: connection refused"
        );
    }
}
