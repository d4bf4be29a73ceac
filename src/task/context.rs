//! Where the files of a build come from.

use std::{
    borrow::Cow,
    fmt,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::{
    error::excerpt,
    image::{InvalidReference, Reference},
};

/// The location of a build's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Context {
    /// A folder of this machine; absolute, except in definitions written by hand.
    Local(PathBuf),
    /// A folder of a git repository; boxed, because most contexts are folders.
    Git(Box<GitContext>),
    /// An archive fetched by http or https.
    Tarball(String),
    /// The files of an artifact in a registry.
    Artifact(Reference),
    /// No files: `/dev/null`.
    None,
}

/// A folder of a git repository, written `URL#REF:FOLDER` as in `docker build` and ACR.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GitContext {
    /// The repository, without a fragment and without a password.
    pub url: String,
    /// The branch, tag or commit; `None` for the repository's default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The folder in the repository; `None` for the whole repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// Why a text is no context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContext {
    #[error("context is empty")]
    Empty,
    /// `-`, which docker takes as an archive on standard input.
    #[error("context `-` would be an archive on standard input: unpack it, and name the folder")]
    Stdin,
    /// A URL of an unknown kind.
    #[error(
        "context `{0}` is no git repository, archive or artifact: these begin with https://, http://, ssh://, git://, file:// or oci://, or have the form USER@HOST:PATH"
    )]
    Scheme(String),
    /// A password would be stored in the definition and shown. This message leaves it out too.
    #[error(
        "context holds a password, or a user name, which may be a token: leave it out of the URL and give it with --git-access-token"
    )]
    Password,
    /// The query of a git address may be a secret, and would be stored and shown. This message leaves it out too.
    #[error(
        "context `{0}` is taken for a git repository, whose address has no query: leave out what is behind the question mark. A branch and a folder are named behind `#`, and a token is given with --git-access-token; the address of an archive has no `#`"
    )]
    Query(String),
    /// The part behind `#` would be taken for an option, or lies outside of the repository.
    #[error(
        "context `{0}` must name a branch, tag or commit, and a folder inside of the repository, behind the number sign"
    )]
    Fragment(String),
    /// Nothing would heed the part behind `#`.
    #[error(
        "context `{0}` is an archive: it has no branches, and is used as a whole, so nothing may be behind a number sign"
    )]
    Archive(String),
    /// The part behind `oci://` is no reference.
    #[error(transparent)]
    Artifact(#[from] InvalidReference),
}

/// The schemes of git URLs.
const GIT_SCHEMES: [&str; 3] = ["git", "ssh", "file"];

/// The file extensions of archives.
const ARCHIVES: [&str; 3] = [".tar.gz", ".tgz", ".tar"];

/// Hosts whose URLs are git repositories even without `.git`.
const GIT_HOSTS: [&str; 3] = ["github.com", GITLAB, "bitbucket.org"];

const GITLAB: &str = "gitlab.com";

impl Context {
    /// The text for no context.
    pub const NONE: &str = "/dev/null";

    /// Returns the folder, resolved against `home` if it is relative; `None` if the files must be fetched first.
    pub fn folder(&self, home: &Path) -> Option<PathBuf> {
        match self {
            Self::Local(path) => Some(home.join(path)),
            Self::None => Some(Self::NONE.into()),
            Self::Git(_) | Self::Tarball(_) | Self::Artifact(_) => None,
        }
    }

    /// Tells whether the files must be fetched before a build.
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Git(_) | Self::Tarball(_) | Self::Artifact(_) => true,
            Self::Local(_) | Self::None => false,
        }
    }

    /// Returns it as it is written in a definition, with the query of an archive's URL, which `Display` hides: it is often a signature.
    pub fn with_query(&self) -> String {
        match self {
            Self::Tarball(url) => url.clone(),
            other => other.to_string(),
        }
    }

    /// Returns the git repository, if the context is one.
    pub fn git(&self) -> Option<&GitContext> {
        match self {
            Self::Git(git) => Some(git),
            _ => None,
        }
    }
}

/// Returns the address of a repository without its scheme that a path ends with, such as `github.com/acme/web`, which docker takes for one.
pub fn address_in(path: &Path) -> Option<PathBuf> {
    let is_host = |part: &Component<'_>| GIT_HOSTS.iter().any(|host| part.as_os_str() == *host);
    let address: PathBuf = path
        .components()
        .skip_while(|part| !is_host(part))
        .collect();
    (address.components().count() > 2).then_some(address)
}

impl GitContext {
    /// Tells whether this context is on the same host as another one, reached by the same scheme, so that a credential for the other
    /// host may be used for this one. True for http and https addresses only; ssh has keys of its own.
    pub fn is_beside(&self, other: &Self) -> bool {
        let origin = |context: &Self| {
            let (scheme, rest) = context.url.split_once("://")?;
            let scheme = scheme.to_ascii_lowercase();
            let port = match scheme.as_str() {
                "https" => ":443",
                "http" => ":80",
                _ => return None,
            };
            // Readers disagree on whether the text behind a backslash is host or path.
            let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
            let host = authority.strip_suffix(port).unwrap_or(&authority);
            let is_host = !host.is_empty() && authority.chars().all(is_plain);
            is_host.then(|| (scheme, host.to_owned()))
        };
        origin(self).is_some_and(|own| Some(own) == origin(other))
    }

    /// Tells whether the context names a commit, which cannot move: by its full hash, or by the beginning of the hash of the commit that
    /// was built from it. Whether the beginning of another hash names a commit or a branch is only known by the repository.
    pub fn is_fixed(&self, built: Option<&str>) -> bool {
        let Some(reference) = self.reference.as_ref().filter(|_| self.may_be_commit()) else {
            return false;
        };
        let names = |commit: &str| commit.starts_with(&reference.to_ascii_lowercase());
        matches!(reference.len(), 40 | 64) || built.is_some_and(names)
    }

    /// Tells whether the reference has the form of a commit hash, or of the beginning of one.
    pub fn may_be_commit(&self) -> bool {
        self.reference.as_ref().is_some_and(|reference| {
            (7..=64).contains(&reference.len()) && reference.bytes().all(|b| b.is_ascii_hexdigit())
        })
    }
}

impl FromStr for Context {
    type Err = InvalidContext;

    fn from_str(text: &str) -> Result<Self, InvalidContext> {
        if text.is_empty() {
            return Err(InvalidContext::Empty);
        }
        if text == "-" {
            return Err(InvalidContext::Stdin);
        }
        if text.eq_ignore_ascii_case(Self::NONE) {
            return Ok(Self::None);
        }
        if is_scp(text) {
            return git(text).map(|it| Self::Git(Box::new(it)));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Local(text.into()));
        };
        // git knows them in lower case only.
        let scheme = scheme.to_ascii_lowercase();
        let text = &*format!("{scheme}://{rest}");
        match scheme.as_str() {
            scheme if GIT_SCHEMES.contains(&scheme) => git(text).map(|it| Self::Git(Box::new(it))),
            "oci" => Ok(Self::Artifact(rest.parse()?)),
            "http" | "https" if is_git(rest) => git(text).map(|it| Self::Git(Box::new(it))),
            "http" | "https" => {
                if has_password(text) {
                    Err(InvalidContext::Password)
                } else if let Some((address, _)) = text.split_once('#') {
                    // Without its query, which is often a signature.
                    let address = address.split('?').next().unwrap_or(address);
                    Err(InvalidContext::Archive(excerpt(address)))
                } else {
                    Ok(Self::Tarball(text.into()))
                }
            }
            // Without its query, which is often a signature.
            _ => Err(InvalidContext::Scheme(excerpt(
                text.split('?').next().unwrap_or(text),
            ))),
        }
    }
}

/// Tells whether the path of a URL ends as the names of archives do.
pub fn is_archive_name(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ARCHIVES.iter().any(|end| lower.ends_with(end))
}

/// Tells whether a text is `USER@HOST:PATH`, the other way to write an address of ssh. The rule is that of BuildKit's
/// `util/gitutil/git_url.go`.
fn is_scp(text: &str) -> bool {
    let is_name = |text: &str, others: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        !text.is_empty() && text.chars().all(is_part)
    };
    let parts = || {
        let (user, rest) = text.split_once('@')?;
        let (host, _) = rest.split_once(':')?;
        Some((user, host))
    };
    parts().is_some_and(|(user, host)| is_name(user, "-_") && is_name(host, "-."))
        && !text.contains("://")
}

/// Distinguishes a repository from an archive by the URL behind its scheme.
fn is_git(rest: &str) -> bool {
    let (address, fragment) = match rest.split_once('#') {
        Some((address, _)) => (address, true),
        None => (rest, false),
    };
    let address = address.split('?').next().unwrap_or(address);
    if is_archive_name(address) {
        return false;
    }
    let lower = address.to_ascii_lowercase();
    let host = lower.split('/').next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or(host);
    let parts = lower.trim_end_matches('/').split('/').count();
    fragment
        || lower.trim_end_matches('/').ends_with(".git")
        // Azure DevOps
        || lower.contains("/_git/")
        || GIT_HOSTS.contains(&host) && parts == 3
        // A project in subgroups: its pages are behind `/-/`, and no group is called `api`.
        || host == GITLAB && parts > 3 && !lower.contains("/-/") && !lower.contains("gitlab.com/api/")
}

fn git(text: &str) -> Result<GitContext, InvalidContext> {
    let text = &*without_user(text);
    if has_password(text) {
        return Err(InvalidContext::Password);
    }
    let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
    let fragment = &*decoded(url, fragment);
    let (reference, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
    let is_inside = |folder: &str| !folder.split('/').any(|part| matches!(part, ".." | ".git"));
    let plain = |text: &str| !text.starts_with('-') && !text.contains(|c: char| c.is_control());
    // Colons and blanks are in no reference; `..` would be a revision range.
    let is_reference = |text: &str| {
        plain(text) && !text.contains([' ', ':', '^', '~', '*', '[', '\\']) && !text.contains("..")
    };
    if url.contains('?') || reference.contains('?') {
        let address = url.split('?').next().unwrap_or(url);
        return Err(InvalidContext::Query(excerpt(address)));
    }
    if !is_reference(reference) || !plain(folder) || !is_inside(folder) || !plain(url) {
        return Err(InvalidContext::Fragment(excerpt(
            &text.escape_debug().to_string(),
        )));
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(GitContext {
        url: url.to_owned(),
        reference: some(reference),
        folder: some(folder.trim_matches('/')).filter(|folder| folder != "."),
    })
}

/// Decodes the part of a URL behind `#` as docker does; that of an address which is no URL is plain.
fn decoded<'t>(url: &str, fragment: &'t str) -> Cow<'t, str> {
    if url.contains("://") {
        percent_decode_str(fragment).decode_utf8_lossy()
    } else {
        fragment.into()
    }
}

/// Leaves out the user name in the addresses that Azure DevOps and Bitbucket show for a clone: there it is no token, but the name of the
/// organization or of the person who reads the page.
fn without_user(text: &str) -> Cow<'_, str> {
    let parts = || {
        let (scheme, rest) = text.split_once("://")?;
        let (user, rest) = rest.split_once('@')?;
        let (host, path) = rest.split_once('/')?;
        let is_name = match host {
            "dev.azure.com" => path.split('/').next() == Some(user),
            "bitbucket.org" => !user.contains([':', '/', '?', '#']),
            _ => false,
        };
        (scheme == "https" && is_name).then_some(rest)
    };
    parts().map_or(text.into(), |rest| format!("https://{rest}").into())
}

/// Tells whether the part of a URL before the host holds a password; over ssh a user name alone is common.
fn has_password(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        // Over http, a user name alone is usually a token.
        Some((user, _)) => user.contains(':') || scheme.to_ascii_lowercase().starts_with("http"),
        None => false,
    }
}

impl TryFrom<String> for Context {
    type Error = InvalidContext;

    fn try_from(text: String) -> Result<Self, InvalidContext> {
        text.parse()
    }
}

impl From<Context> for String {
    fn from(context: Context) -> Self {
        context.with_query()
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Git(git) => git.fmt(f),
            Self::Tarball(url) => match url.find(['?', '#']) {
                Some(end) => write!(f, "{}?***", &url[..end]),
                None => f.write_str(url),
            },
            Self::Artifact(reference) => write!(f, "oci://{reference}"),
            Self::None => f.write_str(Self::NONE),
        }
    }
}

impl fmt::Display for GitContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        let reference = self.reference.as_deref().unwrap_or_default();
        let fragment = match &self.folder {
            Some(folder) => format!("{reference}:{folder}"),
            None => reference.to_owned(),
        };
        // It is decoded where it is read again.
        let fragment = match self.url.contains("://") {
            true => fragment.replace('%', "%25"),
            false => fragment,
        };
        match fragment.as_str() {
            "" => Ok(()),
            fragment => write!(f, "#{fragment}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(text: &str) -> Context {
        text.parse().unwrap()
    }

    fn git(url: &str, reference: Option<&str>, folder: Option<&str>) -> Context {
        Context::Git(Box::new(GitContext {
            url: url.into(),
            reference: reference.map(Into::into),
            folder: folder.map(Into::into),
        }))
    }

    #[test]
    fn git_context_may_have_a_reference_and_a_folder() {
        let url = "https://github.com/acme/web.git";
        assert_eq!(context(url), git(url, None, None));
        for (fragment, reference, folder) in [
            ("#main", Some("main"), None),
            ("#main:app", Some("main"), Some("app")),
            ("#:app/sub/", None, Some("app/sub")),
            ("#v1.0:.", Some("v1.0"), None),
            ("#main:/app", Some("main"), Some("app")),
            ("#feat%2Fx:my%20dir", Some("feat/x"), Some("my dir")),
            ("#refs/pull/5/head", Some("refs/pull/5/head"), None),
            ("#", None, None),
        ] {
            assert_eq!(
                context(&format!("{url}{fragment}")),
                git(url, reference, folder),
                "{fragment}"
            );
        }
    }

    #[test]
    fn context_credential_is_for_the_same_host_port_and_scheme_only() {
        let is_beside = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|url| GitContext {
                url: url.into(),
                reference: None,
                folder: None,
            });
            one.is_beside(&other)
        };
        let own = "https://git.example.com/acme/web.git";
        for other in [
            "https://git.example.com/else/x.git",
            "https://GIT.example.com:443/x.git",
        ] {
            assert!(is_beside(own, other), "{other}");
        }
        for other in [
            "http://git.example.com/x.git",
            "https://git.example.com:8443/x.git",
            "https://git.example.com.evil.example/x.git",
            "https://git.example.com@evil.example/x.git",
            "https://evil.example/git.example.com/x.git",
            "https://evil.example\\@git.example.com/x.git",
            "https://git.example.com\\.evil.example/x.git",
            "git@git.example.com:acme/x.git",
            "ssh://git.example.com/x.git",
            "file:///git.example.com/x.git",
        ] {
            assert!(!is_beside(own, other), "{other}");
            assert!(!is_beside(other, own), "{other}");
        }
        assert!(!is_beside("ssh://a/x.git", "ssh://a/y.git"));
    }

    #[test]
    fn git_context_is_recognized_by_scheme_suffix_host_or_fragment() {
        for url in [
            "https://github.com/acme/web",
            "https://dev.azure.com/acme/project/_git/web",
            "https://gitlab.com/acme/web",
            "https://gitlab.com/acme/sub/group/web",
            "http://127.0.0.1:8080/web.git",
            "ssh://git@example.com/web.git",
            "git@github.com:acme/web.git",
            "org-1@git.example.com:web",
            "git://127.0.0.1/web",
            "file:///srv/web.git",
        ] {
            assert_eq!(context(url), git(url, None, None), "{url}");
        }
        let fragment = "https://git.example.com/web#main";
        assert_eq!(
            context(fragment),
            git("https://git.example.com/web", Some("main"), None)
        );
        for (upper, lower) in [("HTTPS", "https"), ("GIT", "git"), ("Ssh", "ssh")] {
            let url = "://git.example.com/web.git";
            let expected = git(&format!("{lower}{url}"), None, None);
            assert_eq!(context(&format!("{upper}{url}")), expected);
        }
    }

    #[test]
    fn context_kinds_are_distinguished() {
        for url in [
            "https://example.com/web.tar.gz",
            "http://127.0.0.1:1/a.tgz?x=1",
            "https://github.com/acme/web/archive/main.tar.gz",
            "https://gitlab.com/acme/sub/web/-/archive/main/web.tar.bz2",
            "https://gitlab.com/api/v4/projects/1/repository/archive",
        ] {
            assert_eq!(context(url), Context::Tarball(url.into()));
        }
        assert_eq!(
            context("oci://r.io/context:1"),
            Context::Artifact("r.io/context:1".parse().unwrap())
        );
        assert_eq!(context("/DEV/null"), Context::None);
        for path in [
            ".",
            "./web",
            "/srv/web",
            "-odd",
            "a b",
            "github.com/acme/web",
            "git@example.com",
            "./me@example.com:web",
        ] {
            assert_eq!(context(path), Context::Local(path.into()));
        }
    }

    #[test]
    fn every_context_is_printed_and_parsed_back() {
        for text in [
            "https://github.com/acme/web.git#main:app",
            "https://github.com/acme/web.git#:app",
            "git@github.com:acme/web.git#v1",
            "git@github.com:acme/web.git#100%25",
            "https://github.com/acme/web.git#100%25:my dir",
            "oci://r.io/context:1",
            "https://example.com/web.tar.gz",
            "/srv/web",
            "/dev/null",
        ] {
            assert_eq!(context(text).to_string(), text);
        }
    }

    #[test]
    fn query_of_an_archive_is_stored_and_not_shown() {
        let url = "https://example.com/web.tgz?sig=hunter2";
        let archive = context(url);
        assert_eq!(archive.to_string(), "https://example.com/web.tgz?***");
        assert_eq!(String::from(archive), url);
        let refused = format!("{url}#sub").parse::<Context>().unwrap_err();
        assert_eq!(
            refused,
            InvalidContext::Archive("https://example.com/web.tgz".into())
        );
    }

    #[test]
    fn context_with_a_password_is_refused_without_repeating_it() {
        for text in [
            "https://me:hunter2@example.com/web.git",
            "https://hunter2@github.com/acme/web.git#main",
            "https://hunter2@dev.azure.com/acme/project/_git/web",
            "https://me:hunter2@bitbucket.org/acme/web.git",
            "https://me:hunter2@example.com/web.tar.gz",
            "ssh://git:hunter2@example.com/web.git",
        ] {
            let problem = text.parse::<Context>().unwrap_err();
            assert_eq!(problem, InvalidContext::Password);
            assert!(!problem.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn git_address_with_a_query_is_refused_without_repeating_it() {
        for text in [
            "https://example.com/web.git?private_token=hunter2",
            "https://example.com/web.git?private_token=hunter2#main",
            "https://example.com/web.git#main?private_token=hunter2",
            "https://example.com/get?sig=hunter2#sub",
            "https://github.com/acme/web?hunter2",
            "ssh://git@example.com/web?hunter2",
            "git@example.com:web?hunter2",
        ] {
            let problem = text.parse::<Context>().unwrap_err();
            assert!(matches!(problem, InvalidContext::Query(_)), "{text}");
            assert!(!problem.to_string().contains("hunter2"), "{text}");
        }
        let other = "ftp://example.com/web.tgz?sig=hunter2".parse::<Context>();
        assert!(!other.unwrap_err().to_string().contains("hunter2"));
        let folder = git("https://example.com/web.git", Some("main"), Some("a?b"));
        assert_eq!(context("https://example.com/web.git#main:a?b"), folder);
    }

    #[test]
    fn user_name_in_the_clone_address_of_a_known_host_is_left_out() {
        for (address, url) in [
            (
                "https://acme@dev.azure.com/acme/project/_git/web",
                "https://dev.azure.com/acme/project/_git/web",
            ),
            (
                "https://me@bitbucket.org/acme/web.git",
                "https://bitbucket.org/acme/web.git",
            ),
        ] {
            let wanted = git(url, Some("main"), None);
            assert_eq!(context(&format!("{address}#main")), wanted);
        }
    }

    #[test]
    fn beginning_of_a_commit_hash_is_fixed_once_that_commit_was_built() {
        let is_fixed = |reference: &str, built: Option<&str>| {
            let context = context(&format!("https://example.com/web.git#{reference}"));
            context.git().unwrap().is_fixed(built)
        };
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert!(is_fixed(commit, None) && is_fixed(commit, Some("other")));
        assert!(is_fixed("0123456", Some(commit)) && is_fixed("0123456789ABC", Some(commit)));
        for (reference, built) in [
            ("0123456", None),
            ("1234567", Some(commit)),
            ("012345", Some(commit)),
            ("main", Some(commit)),
        ] {
            assert!(!is_fixed(reference, built), "{reference} {built:?}");
        }
    }

    #[test]
    fn context_that_looks_like_an_option_or_leaves_the_repository_is_refused() {
        for fragment in [
            "--upload-pack=evil",
            "main:../..",
            "main:/../..",
            "main:%2e%2e/..",
            "%2Dx",
            "main:a/../../b",
            "main:.git",
            "main:-x",
            "a..b",
            "a b",
            "main\n",
        ] {
            let text = format!("https://example.com/web.git#{fragment}");
            assert!(
                matches!(text.parse::<Context>(), Err(InvalidContext::Fragment(_))),
                "{fragment:?}"
            );
        }
        assert!(matches!(
            "https://example.com/a.tar.gz#:sub".parse::<Context>(),
            Err(InvalidContext::Archive(_))
        ));
        assert!(matches!(
            "ext::sh -c evil://x".parse::<Context>(),
            Err(InvalidContext::Scheme(_))
        ));
        assert!(matches!(
            "ftp://example.com/x".parse::<Context>(),
            Err(InvalidContext::Scheme(_))
        ));
        assert_eq!("".parse::<Context>(), Err(InvalidContext::Empty));
        assert_eq!("-".parse::<Context>(), Err(InvalidContext::Stdin));
        assert_eq!(context("./-"), Context::Local("./-".into()));
    }
}
