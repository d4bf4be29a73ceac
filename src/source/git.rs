//! A context that is a folder of a git repository, fetched by the `git` of this machine.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Error, Kind, Result},
    sys::{
        command::CommandLine,
        process::{self, Ended, Limits},
        secret::Secret,
        signal::Stop,
    },
    task::GitContext,
};

/// How long a fetch may take.
const FETCH: Duration = Duration::from_secs(30 * 60);

/// How long the question for a branch's head may take.
const ASK: Duration = Duration::from_secs(60);

/// The variable that git's credential helper takes the token from: it is in no command line and no file.
const TOKEN: &str = "ACRT_GIT_TOKEN";

/// How much of what git says is kept for an error.
const MAX_WORDS: usize = 2000;

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The folder that the context names.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
}

/// Calls git about one repository.
pub struct Git<'a> {
    context: &'a GitContext,
    token: Option<&'a Secret>,
    stop: &'a Stop,
    marker: Option<(&'static str, String)>,
}

impl<'a> Git<'a> {
    /// Prepares to call git. The token goes to the repository's own host and to no other.
    #[must_use]
    pub fn new(context: &'a GitContext, token: Option<&'a Secret>, stop: &'a Stop) -> Self {
        Self {
            context,
            token,
            stop,
            marker: None,
        }
    }

    /// Marks its processes by a variable, so that they can be found if this one is killed.
    #[must_use]
    pub fn marked(mut self, name: &'static str, value: String) -> Self {
        self.marker = Some((name, value));
        self
    }

    /// Fetches the files of one commit, with its submodules, into a folder that is there and empty.
    ///
    /// # Errors
    ///
    /// [`Kind::Unknown`] where the repository cannot be reached; [`Kind::Failed`] where it has no such reference or folder.
    pub async fn fetch(&self, into: &Path) -> Result<Fetched> {
        let wanted = self.context.reference.as_deref().unwrap_or("HEAD");
        let url = self.context.url.as_str();
        self.run(into, &["init", "--quiet", "."]).await?;
        let shallow = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--depth=1",
            "--",
            url,
            wanted,
        ];
        let commit = match self.run(into, &shallow).await {
            Ok(_) => "FETCH_HEAD".to_owned(),
            // Some servers give single commits only to those who have all, and a shortened commit is no name to them.
            Err(_) if is_commit(wanted) => {
                let heads = "+refs/heads/*:refs/remotes/origin/*";
                let whole = ["fetch", "--quiet", "--tags", "--", url, heads];
                self.run(into, &whole).await?;
                format!("{wanted}^{{commit}}")
            }
            Err(error) => return Err(error),
        };
        self.run(into, &["checkout", "--quiet", "--detach", &commit])
            .await?;
        let commit = self.run(into, &["rev-parse", "HEAD"]).await?;
        if into.join(".gitmodules").is_file() {
            // For submodules with addresses relative to the repository's own.
            self.run(into, &["remote", "add", "origin", url]).await?;
            let modules = [
                "submodule",
                "--quiet",
                "update",
                "--init",
                "--recursive",
                "--depth=1",
            ];
            self.run(into, &modules).await?;
        }
        Ok(Fetched {
            folder: self.inside(into)?,
            commit: commit.trim().to_owned(),
        })
    }

    /// Asks which commit the branch or tag names now, without fetching anything.
    ///
    /// # Errors
    ///
    /// [`Kind::Unknown`] where the repository cannot be reached, or does not have it.
    pub async fn head(&self) -> Result<String> {
        let wanted = self.context.reference.as_deref().unwrap_or("HEAD");
        let url = self.context.url.as_str();
        let line = ["ls-remote", "--exit-code", "--", url, wanted];
        let found = self.call(Path::new("/"), &line, ASK).await?;
        let all: Vec<(&str, &str)> = found
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect();
        // A branch goes before a tag of the same name, as in git fetch; a tag's commit before the tag.
        let names = [
            wanted.to_owned(),
            format!("refs/heads/{wanted}"),
            format!("refs/tags/{wanted}^{{}}"),
            format!("refs/tags/{wanted}"),
            format!("refs/{wanted}"),
        ];
        let find = |name: &String| all.iter().find(|(_, found)| found == name);
        match names.iter().find_map(find) {
            Some((commit, _)) => Ok((*commit).to_owned()),
            None => Err(self
                .cannot()
                .because(anyhow::anyhow!("the repository has no `{wanted}`"))),
        }
    }

    /// Returns the folder that the context names, which a link must not lead out of the repository.
    fn inside(&self, root: &Path) -> Result<PathBuf> {
        let Some(folder) = &self.context.folder else {
            return Ok(root.to_owned());
        };
        let cannot = |problem: &str| {
            Error::new(
                Kind::Failed,
                format!("cannot use the context `{}`", self.context),
            )
            .because(anyhow::anyhow!("{problem}"))
        };
        let path = root.join(folder);
        let real = path.canonicalize();
        let real = real.map_err(|_| cannot(&format!("the repository has no folder `{folder}`")))?;
        let home = root.canonicalize();
        let home = home.map_err(|problem| cannot(&problem.to_string()))?;
        match real.starts_with(home) && real.is_dir() {
            true => Ok(real),
            false => Err(cannot(&format!(
                "`{folder}` is no folder of the repository"
            ))),
        }
    }

    async fn run(&self, dir: &Path, args: &[&str]) -> Result<String> {
        self.call(dir, args, FETCH).await
    }

    async fn call(&self, dir: &Path, args: &[&str], patience: Duration) -> Result<String> {
        let limits = Limits {
            timeout: Some(patience),
            grace: Duration::from_secs(2),
        };
        let mut printed = Vec::new();
        let line = self.line(dir, args);
        let ended = process::run(&line, &limits, self.stop, &mut |bytes| {
            printed.extend_from_slice(bytes);
        })
        .await?;
        let text = String::from_utf8_lossy(&printed);
        let problem = match ended {
            Ended::Exited(0) => return Ok(text.into_owned()),
            Ended::Stopped(signal) => {
                return Err(Error::new(
                    signal.kind(),
                    format!("it was stopped by {signal}"),
                ));
            }
            Ended::TimedOut => format!("git took longer than {} seconds", patience.as_secs()),
            Ended::Killed(signal) => format!("git was killed by signal {signal}"),
            Ended::Exited(code) => match words(&text) {
                words if words.is_empty() => format!("git ended with {code}"),
                words => words,
            },
        };
        let hint = match self.token {
            Some(_) => {
                "see that the token is good for this repository: acrt task update --git-access-token"
            }
            None => {
                "see that the repository is there; a private one needs --git-access-token, or a login that git itself knows"
            }
        };
        Err(self.cannot().because(anyhow::anyhow!(problem)).hint(hint))
    }

    fn cannot(&self) -> Error {
        Error::new(Kind::Unknown, format!("cannot fetch `{}`", self.context))
    }

    fn line(&self, dir: &Path, args: &[&str]) -> CommandLine {
        let mut line = CommandLine::new("git")
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            // Messages are shown, and not taken apart; these are the ones that people can look up.
            .env("LC_ALL", "C")
            .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        line.dir = Some(dir.to_owned());
        if let (Some(token), Some(host)) = (self.token, host_of(&self.context.url)) {
            // Any user will do with a token. The helper is asked for this host alone, so that neither a redirect nor a
            // submodule of somebody else gets to see it.
            let helper = format!(
                "!f() {{ test \"$1\" = get && echo username=x-access-token && echo \"password=${TOKEN}\"; }}; f"
            );
            line = line
                .env("GIT_CONFIG_COUNT", "2")
                .env("GIT_CONFIG_KEY_0", format!("credential.{host}.helper"))
                .env("GIT_CONFIG_VALUE_0", "")
                .env("GIT_CONFIG_KEY_1", format!("credential.{host}.helper"))
                .env("GIT_CONFIG_VALUE_1", helper)
                .secret_env(TOKEN, token.clone());
        }
        if let Some((name, value)) = &self.marker {
            line = line.env(*name, value.clone());
        }
        line
    }
}

/// Returns scheme and host of a URL over http, for which alone a token is of use.
fn host_of(url: &str) -> Option<&str> {
    let start = url.find("://")? + 3;
    let scheme = url[..start].to_ascii_lowercase();
    let end = url[start..]
        .find('/')
        .map_or(url.len(), |slash| start + slash);
    scheme.starts_with("http").then(|| &url[..end])
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Returns the end of what git said, on one line and without what a terminal would obey.
fn words(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let text: String = lines
        .join("; ")
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let start = text.len().saturating_sub(MAX_WORDS);
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at));
    text[start.unwrap_or(text.len())..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(url: &str) -> GitContext {
        GitContext {
            url: url.into(),
            reference: None,
            folder: None,
        }
    }

    #[test]
    fn a_token_is_in_the_environment_and_for_its_host_alone() {
        let (context, token, stop) = (
            git("https://example.com:8443/acme/web.git"),
            Secret::new("hunter2".to_owned()),
            Stop::never(),
        );
        let line = Git::new(&context, Some(&token), &stop).line(Path::new("/"), &["fetch"]);
        let told = line.to_string();
        assert!(!told.contains("hunter2"), "{told}");
        let value = |name: &str| {
            let found = line.env.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.reveal().to_owned())
        };
        assert_eq!(value(TOKEN).as_deref(), Some("hunter2"));
        assert_eq!(
            value("GIT_CONFIG_KEY_1").as_deref(),
            Some("credential.https://example.com:8443.helper")
        );
        assert!(!value("GIT_CONFIG_VALUE_1").unwrap().contains("hunter2"));
    }

    #[test]
    fn a_token_is_of_no_use_over_ssh() {
        assert_eq!(
            host_of("https://example.com/x"),
            Some("https://example.com")
        );
        assert_eq!(host_of("HTTP://example.com"), Some("HTTP://example.com"));
        assert_eq!(host_of("ssh://git@example.com/x"), None);
        assert_eq!(host_of("git@example.com:x"), None);
    }

    #[test]
    fn what_git_says_is_one_line_of_its_end() {
        assert_eq!(words("a\n\x1b[31mb\r\n\n"), "a; [31mb");
        assert!(words(&"é".repeat(3000)).len() <= MAX_WORDS);
    }
}
