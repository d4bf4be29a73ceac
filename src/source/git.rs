//! A context in a git repository, fetched by the `git` of this machine.

use std::{
    cell::OnceCell,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Context as _, Error, Kind, Result},
    secret::{Masks, Secret, login_as_sent},
    sys::{
        blocking::Cancellation,
        command::{CommandLine, quoted},
        environment,
        process::{self, Ended, Limits, MAX_ANSWER},
        signal::Stop,
    },
    task::GitContext,
};

use super::times::stamp;

/// How long a call may take, the most output of it that is kept, and which part of the memory it may use. A hostile server can make git
/// print, or keep, without end.
struct Bounds {
    timeout: Duration,
    output: usize,
    memory_divisor: u64,
}

/// The bounds of a fetch. It prints the most where it lists all files.
const FETCH: Bounds = Bounds {
    timeout: Duration::from_secs(30 * 60),
    output: 256 * 1024 * 1024,
    memory_divisor: 1,
};

/// The bounds of the query for a branch's head, which reads the names of all branches and tags, and prints few. The loop makes many.
const ASK: Bounds = Bounds {
    timeout: Duration::from_secs(60),
    output: MAX_ANSWER,
    memory_divisor: 4,
};

/// The settings of every call. Programs that the user's settings name for their own repositories are not for the files of a context: hooks
/// could run its scripts. Nor are settings about line ends and links: the same commit would give other files on another machine. Large files
/// and many threads would use more memory than a repository needs.
const SETTINGS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "core.autocrlf=false",
    "core.eol=lf",
    "core.symlinks=true",
    "core.attributesFile=/dev/null",
    "core.bigFileThreshold=64m",
    "pack.threads=4",
];

/// The protocols over which a guest's context may fetch what it names.
const PROTOCOLS: &str = "http:https:git";

/// The variable from which git's credential helper takes the token, which is in no command line and no file.
const TOKEN: &str = "ACRT_GIT_TOKEN";

/// The user name that goes with a token: any is accepted.
const USER: &str = "x-access-token";

/// The hashes that the objects of a repository can have. The user's git may prefer the second.
const HASHES: [&str; 2] = ["sha1", "sha256"];

/// The length of a SHA-256 hash, in digits.
const SHA256: usize = 64;

/// How many characters of git's messages are kept for an error.
const MAX_WORDS: usize = 2000;

/// The settings of the user that git needs to reach servers and to open folders, and that are no login.
const REACH: &str = r"^(http\.(.*\.)?(proxy|proxyauthmethod|sslbackend|sslcainfo|sslcapath|sslverify)|safe\.directory)$";

/// The settings with the programs of filters.
const FILTERS: &str = r"^filter\..*\.(clean|smudge|process|required)$";

/// What helps where a guest's context needs a login.
const TRUST: &str = "what a guest's context names is fetched without the logins of this machine and of the task; if only you write it, allow them: --trust-context";

/// The beginning of a Git LFS pointer file.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The largest Git LFS pointer file in bytes, by its specification.
const MAX_POINTER: u64 = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedCommit {
    /// The folder that the context names.
    pub folder: PathBuf,
    pub commit: String,
    /// When the commit was made, in seconds since 1970.
    pub time: i64,
}

/// Runs git for one repository.
pub struct Git<'a> {
    context: &'a GitContext,
    token: Option<&'a Secret>,
    stop: &'a Stop,
    marker: Option<(&'static str, String)>,
    is_guests: bool,
    /// The most memory of each of its processes, in MiB; 0 is no limit.
    memory_mib: u64,
    /// Whether ssh must be told not to prompt; found out once.
    tells_ssh: OnceCell<bool>,
}

impl<'a> Git<'a> {
    /// Prepares calls of git, with a limit for the memory of each process, in MiB. The token is sent only to the repository's own host.
    pub fn new(
        context: &'a GitContext,
        token: Option<&'a Secret>,
        stop: &'a Stop,
        memory_mib: u64,
    ) -> Self {
        Self {
            context,
            token,
            stop,
            marker: None,
            is_guests: false,
            memory_mib,
            tells_ssh: OnceCell::new(),
        }
    }

    /// Marks its processes with an environment variable, so that they are found if this process is killed.
    #[must_use]
    pub fn marked(mut self, name: &'static str, value: String) -> Self {
        self.marker = Some((name, value));
        self
    }

    /// Says whether the repository is a guest's: what it names itself, its submodules and addresses of Git LFS, is then fetched without any
    /// login. Its author may not know what is private to this machine's user.
    #[must_use]
    pub fn of_guest(mut self, is_guests: bool) -> Self {
        self.is_guests = is_guests;
        self
    }

    /// Makes an empty repository whose objects have this kind of hash.
    async fn init(&self, into: &Path, hash: &str) -> Result<()> {
        let init = self.line(into, &["init", "--quiet", "."]);
        let init = init.env("GIT_DEFAULT_HASH", hash);
        self.call(init, &FETCH, self.login_hint()).await?;
        // Relative addresses of submodules, and that of Git LFS, are resolved against the remote.
        let url = self.context.url.as_str();
        self.run(into, &["remote", "add", "origin", url]).await?;
        Ok(())
    }

    /// Fetches the files of one commit, with its submodules and Git LFS files, into an existing, empty folder.
    ///
    /// # Errors
    ///
    /// [`Kind::Unknown`] where the repository cannot be reached, or lacks the reference; [`Kind::Failed`] where it lacks the folder, or has
    /// Git LFS files and Git LFS is not installed.
    pub async fn fetch(&self, into: &Path) -> Result<FetchedCommit> {
        self.find_ssh(into).await;
        let commit = self.fetch_commit(into).await?;
        let lfs = self.run(into, &["lfs", "version"]).await.is_ok();
        let filter = lfs_filter(lfs);
        let unused = self.unused_filters(into).await;
        let unused = unused
            .iter()
            .flat_map(|setting| ["-c", setting.as_str()])
            .collect::<Vec<_>>();
        let checkout = ["checkout", "--quiet", "--detach", &commit];
        let checkout: Vec<&str> = filter
            .iter()
            .copied()
            .chain(unused)
            .chain(checkout)
            .collect();
        // Whoever writes `.lfsconfig` chooses the server that Git LFS asks.
        let names_server = format!("{commit}:.lfsconfig");
        let names_server = ["cat-file", "-e", &names_server];
        if self.is_guests && self.run(into, &names_server).await.is_ok() {
            self.run_without_logins(into, &checkout).await?;
        } else {
            self.run(into, &checkout).await?;
        }
        let shown = [
            "-c",
            "log.showSignature=false",
            "show",
            "--no-patch",
            "--format=%H %ct",
            "HEAD",
        ];
        let shown = self.run(into, &shown).await?;
        let (commit, time) = shown.trim().split_once(' ').unwrap_or((shown.trim(), ""));
        if into.join(".gitmodules").is_file() {
            let modules = ["submodule", "--quiet", "update"];
            let how = ["--init", "--recursive", "--depth=1"];
            // A remote repository must not bring in files of this machine, even where the user allows that for repositories of their own;
            // nor may a guest's that is on this machine, where its author may be another user.
            let files = if !self.is_guests && self.context.url.starts_with("file:") {
                "protocol.file.allow=always"
            } else {
                "protocol.file.allow=never"
            };
            let allowed = ["-c", files, "-c", "protocol.ext.allow=never"];
            let modules = filter.iter().copied().chain(allowed).chain(modules);
            let modules: Vec<&str> = modules.chain(how).collect();
            if self.is_guests {
                self.run_without_logins(into, &modules).await?;
            } else {
                self.run(into, &modules).await?;
            }
        }
        let folder = self.inside(into)?;
        self.refuse_pointers(into, &folder, lfs).await?;
        Ok(FetchedCommit {
            folder,
            commit: commit.to_owned(),
            time: time.parse().unwrap_or(0),
        })
    }

    /// Fetches the commit into a new repository, and returns what names it there.
    async fn fetch_commit(&self, into: &Path) -> Result<String> {
        let mut hashes = HASHES;
        let length = self.context.reference.as_ref().map(String::len);
        if self.context.may_be_commit() && length == Some(SHA256) {
            hashes.reverse();
        }
        self.init(into, hashes[0]).await?;
        match self.fetch_into(into).await {
            Err(error) if has_other_hashes(&error) => {
                let made = into.join(".git");
                fs::remove_dir_all(&made).context(Kind::Failed, || {
                    format!("cannot remove `{}`", made.display())
                })?;
                self.init(into, hashes[1]).await?;
                self.fetch_into(into).await
            }
            fetched => fetched,
        }
    }

    async fn fetch_into(&self, into: &Path) -> Result<String> {
        let wanted = self.context.reference.as_deref().unwrap_or("HEAD");
        let url = self.context.url.as_str();
        let shallow = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--depth=1",
            "--",
            url,
            wanted,
        ];
        match self.run(into, &shallow).await {
            Ok(_) => Ok("FETCH_HEAD".to_owned()),
            Err(error) if has_other_hashes(&error) => Err(error),
            // Some servers give single commits only to clients that fetch all, and do not resolve a shortened commit.
            Err(_) if self.context.may_be_commit() => {
                let heads = "+refs/heads/*:refs/remotes/origin/*";
                let whole = ["fetch", "--quiet", "--tags", "--", url, heads];
                self.run(into, &whole).await?;
                let commit = format!("{wanted}^{{commit}}");
                let is_there = ["rev-parse", "--quiet", "--verify", &commit];
                match self.run(into, &is_there).await {
                    Ok(_) => Ok(commit),
                    Err(_) => Err(self.lacks(wanted)),
                }
            }
            Err(error) if lacks_reference(&error) => Err(error.hint(what_it_has(url))),
            Err(error) => Err(error),
        }
    }

    fn lacks(&self, wanted: &str) -> Error {
        self.cannot()
            .because(anyhow::anyhow!("the repository has no `{wanted}`"))
            .hint(what_it_has(&self.context.url))
    }

    /// Prepares git's own data in a checkout for a build that asks git for a version: the branch or tag is in it by its name, and two fetches
    /// of a commit give the same, without logs and the times and inodes of files.
    ///
    /// # Errors
    ///
    /// [`Kind::Unknown`] where git fails; [`Kind::Failed`] with the path that cannot be removed.
    pub async fn prepare_metadata(&self, root: &Path) -> Result<()> {
        let fetched = fs::read_to_string(root.join(".git/FETCH_HEAD")).unwrap_or_default();
        if let Some(name) = fetched_reference(&fetched) {
            let store = ["update-ref", &name, "FETCH_HEAD"];
            self.run(root, &store).await?;
        }
        for module in modules(root) {
            // The index that a checkout leaves has the times and inodes of its files.
            self.run(&module, &["read-tree", "HEAD"]).await?;
            let asked = ["rev-parse", "--absolute-git-dir"];
            let folder = self.run(&module, &asked).await?;
            let folder = Path::new(folder.trim_end_matches('\n'));
            for left in ["FETCH_HEAD", "ORIG_HEAD", "logs"] {
                let path = folder.join(left);
                let removed = match path.is_dir() {
                    true => fs::remove_dir_all(&path),
                    false if path.exists() => fs::remove_file(&path),
                    false => Ok(()),
                };
                removed.context(Kind::Failed, || {
                    format!("cannot remove `{}`", path.display())
                })?;
            }
        }
        Ok(())
    }

    /// Refuses Git LFS pointers whose files were not fetched: a build would use the pointer's text as the file.
    async fn refuse_pointers(&self, root: &Path, folder: &Path, lfs: bool) -> Result<()> {
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (root, folder) = (whole(root), whole(folder));
        for module in modules(&root) {
            let listed = self
                .run(&module, &["ls-files", "-z", "--", ":(attr:filter=lfs)"])
                .await?;
            let mut files = listed.split('\0').filter(|name| !name.is_empty());
            let pointer = files.find(|name| {
                let path = module.join(name);
                path.starts_with(&folder) && is_pointer(&path)
            });
            if let Some(name) = pointer {
                let (problem, hint) = if lfs {
                    ("has not brought it", "type in a clone of it: git lfs pull")
                } else {
                    ("is missing on this machine", "install git-lfs")
                };
                let name = name.escape_debug();
                let why =
                    format!("it keeps files in Git LFS, such as `{name}`, and git-lfs {problem}");
                return Err(self.unusable(&why).hint(hint));
            }
        }
        Ok(())
    }

    /// Finds out whether the user has configured how ssh is called: then that is used. Otherwise ssh must not wait for a person to type a
    /// password.
    async fn find_ssh(&self, dir: &Path) {
        let is_set =
            |name: &str| environment::variable(name).is_some_and(|value| !value.is_empty());
        let mut is_chosen = is_set("GIT_SSH_COMMAND") || is_set("GIT_SSH");
        if !is_chosen {
            let line = self.line(dir, &["config", "--get", "core.sshCommand"]);
            // If this query fails, the next call reports the error.
            is_chosen = process::ask(&line).await.is_ok_and(|it| it.succeeded());
        }
        // Set only once, before anything else is called.
        let _ = self.tells_ssh.set(!is_chosen);
    }

    /// Returns the commit that the branch or tag names now, without fetching anything. What is neither, and may be a shortened commit, is
    /// returned itself.
    ///
    /// # Errors
    ///
    /// [`Kind::Unknown`] where the repository cannot be reached, or lacks the branch or tag.
    pub async fn head(&self) -> Result<String> {
        let wanted = self.context.reference.as_deref().unwrap_or("HEAD");
        let url = self.context.url.as_str();
        self.find_ssh(Path::new("/")).await;
        let names = names_of(wanted);
        let names = names.iter().map(String::as_str);
        let line: Vec<&str> = ["ls-remote", "--", url].into_iter().chain(names).collect();
        let line = self.line(Path::new("/"), &line);
        let found = self.call(line, &ASK, self.login_hint()).await?;
        if let Some(commit) = commit_of(wanted, &found) {
            Ok(commit.to_owned())
        } else if self.context.may_be_commit() {
            Ok(wanted.to_ascii_lowercase())
        } else {
            Err(self.lacks(wanted))
        }
    }

    /// Returns the folder that the context names. No symbolic link may lead it out of the repository.
    fn inside(&self, root: &Path) -> Result<PathBuf> {
        let Some(folder) = &self.context.folder else {
            return Ok(root.to_owned());
        };
        let missing = |_| self.unusable(&format!("the repository has no folder `{folder}`"));
        let real = root.join(folder).canonicalize().map_err(missing)?;
        let home = root.canonicalize();
        let home = home.map_err(|problem| self.unusable(&problem.to_string()))?;
        if real.starts_with(home) && real.is_dir() {
            Ok(real)
        } else {
            Err(self.unusable(&format!("`{folder}` is no folder of the repository")))
        }
    }

    fn unusable(&self, why: &str) -> Error {
        Error::failed(format!("cannot use the context `{}`", self.context))
            .because(anyhow::anyhow!("{why}"))
    }

    async fn run(&self, dir: &Path, args: &[&str]) -> Result<String> {
        let line = self.line(dir, args);
        self.call(line, &FETCH, self.login_hint()).await
    }

    /// Returns settings that empty the filters of the user in a guest's checkout: its author chooses which of them gets which text, and a
    /// filter may decrypt that text, or run what is beside it.
    async fn unused_filters(&self, dir: &Path) -> Vec<String> {
        if !self.is_guests {
            return Vec::new();
        }
        let listed = ["config", "--null", "--name-only", "--get-regexp", FILTERS];
        // Ends with 1 where there are none.
        let listed = self.run(dir, &listed).await.unwrap_or_default();
        let own = listed.split('\0').filter(|name| !name.is_empty());
        own.filter(|name| !name.starts_with("filter.lfs."))
            .map(|name| match name.ends_with(".required") {
                true => format!("{name}=false"),
                false => format!("{name}="),
            })
            .collect()
    }

    /// Calls git with neither the user's logins nor the task's token.
    async fn run_without_logins(&self, dir: &Path, args: &[&str]) -> Result<String> {
        let reach = ["config", "--null", "--get-regexp", REACH];
        // Ends with 1 where there are no such settings.
        let reach = self.run(dir, &reach).await.unwrap_or_default();
        let reach: Vec<(&str, &str)> = reach
            .split('\0')
            .filter_map(|setting| setting.split_once('\n'))
            .collect();
        let line = self.line_without_logins(dir, args, &reach);
        self.call(line, &FETCH, TRUST)
            .await
            .map_err(|error| match lacks_commit(&error) {
                true => error.hint("the repository of a submodule does not have, or does not give, the commit that is wanted: push it there, or let the repository name another one"),
                false => error,
            })
    }

    fn login_hint(&self) -> &'static str {
        match self.token {
            Some(_) => {
                "check that the token is valid for this repository: acrt task update --name NAME --git-access-token TOKEN"
            }
            None => {
                "check that the repository exists; a private one needs a login that git itself knows, or the --git-access-token of a task"
            }
        }
    }

    async fn call(
        &self,
        mut line: CommandLine,
        bounds: &Bounds,
        hint: &'static str,
    ) -> Result<String> {
        let limits = Limits {
            timeout: Some(bounds.timeout),
            grace: Duration::from_secs(2),
        };
        line.memory_mib = self.memory_mib.div_ceil(bounds.memory_divisor);
        let most = bounds.output;
        let reply = process::converse(&line, b"", &limits, self.stop, most).await?;
        if reply.output.len().max(reply.errors.len()) == most {
            let why = anyhow::anyhow!("git prints more than {} MiB", most >> 20);
            return Err(self.cannot().because(why));
        }
        if reply.succeeded() {
            return Ok(String::from_utf8_lossy(&reply.output).into_owned());
        }
        // git passes on what the server says, which may repeat the token, or the login as it was sent.
        let login = self
            .token
            .map(|token| login_as_sent(&format!("{USER}:{}", token.reveal())));
        let mut masks = Masks::of(&environment::proxy_secrets());
        masks.add(self.token.into_iter().chain(&login));
        let errors = masks.hide(reply.errors);
        let text = String::from_utf8_lossy(&errors);
        let problem = match reply.ended {
            Ended::Stopped(signal) => {
                return Err(Error::new(
                    signal.kind(),
                    format!("it was stopped by {signal}"),
                ));
            }
            Ended::TimedOut => format!("git took longer than {} seconds", bounds.timeout.as_secs()),
            Ended::Killed(signal) => format!("git was killed by signal {signal}"),
            Ended::Exited(_) if line.memory_mib > 0 && lacks_memory(&text) => {
                return Err(self.out_of_memory(line.memory_mib, &words(&text)));
            }
            Ended::Exited(code) => match words(&text) {
                words if words.is_empty() => format!("git ended with {code}"),
                words => words,
            },
        };
        Err(self.cannot().because(anyhow::anyhow!(problem)).hint(hint))
    }

    fn out_of_memory(&self, mib: u64, said: &str) -> Error {
        let all = self.memory_mib;
        let limit = match mib == all {
            true => "limits.memoryMib".to_owned(),
            false => format!("a part of the {all} of limits.memoryMib"),
        };
        let why = anyhow::anyhow!(
            "git used up the {mib} MiB of memory that it may have ({limit}): the repository has too many files, branches or tags, or too large ones: {said}"
        );
        let more = all.saturating_mul(2);
        self.cannot().because(why).hint(format!(
            "if the repository is meant to be that large, allow more: acrt config set limits.memoryMib={more}"
        ))
    }

    fn cannot(&self) -> Error {
        Error::new(Kind::Unknown, format!("cannot fetch `{}`", self.context))
    }

    fn plain_line(&self, dir: &Path, args: &[&str]) -> CommandLine {
        let mut line = CommandLine::new("git")
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            // Without the Git LFS files, something else would be built.
            .env("GIT_LFS_SKIP_SMUDGE", "0")
            // The hooks and attributes of this machine are no part of a context.
            .env("GIT_TEMPLATE_DIR", "")
            .env("GIT_ATTR_NOSYSTEM", "1")
            // Messages are shown to people and not parsed; in this locale they can be looked up.
            .env("LC_ALL", "C");
        line.dir = Some(dir.to_owned());
        if let Some((name, value)) = &self.marker {
            line = line.env(*name, value.clone());
        }
        line
    }

    fn line(&self, dir: &Path, args: &[&str]) -> CommandLine {
        let mut line = self.plain_line(dir, args);
        if self.tells_ssh.get() == Some(&true) {
            line = line.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        if let (Some(token), Some(host)) = (self.token, host_of(&self.context.url)) {
            // The helper is set for this host alone, so that neither a redirect nor a submodule on
            // another host gets the token.
            // `echo` of some shells would replace what follows a backslash in the token.
            let helper = format!(
                "!f() {{ test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' {USER} \"${TOKEN}\"; }}; f"
            );
            let key = format!("credential.{host}.helper");
            line = with_settings(line, &[(&key, ""), (&key, &helper)])
                .secret_env(TOKEN, token.clone());
        }
        line
    }

    /// Returns a call of git that finds no login: logins are not only in credential helpers and keys, but also in `~/.netrc`, rewritten URLs
    /// and extra headers. So of all settings of the user it has only those of `reach`.
    fn line_without_logins(
        &self,
        dir: &Path,
        args: &[&str],
        reach: &[(&str, &str)],
    ) -> CommandLine {
        // Git LFS reads files of this machine whatever the protocols of git.
        let no_files = [("lfs.customtransfer.lfs-standalone-file.path", "false")];
        let line = self
            .plain_line(dir, args)
            .env("HOME", "/dev/null")
            .env("XDG_CONFIG_HOME", "/dev/null")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_PARAMETERS", "")
            .env("GIT_ASKPASS", "")
            .env("SSH_AUTH_SOCK", "")
            // Git LFS calls ssh whatever the protocols of git.
            .env("GIT_SSH_COMMAND", "false")
            .env("GIT_ALLOW_PROTOCOL", PROTOCOLS);
        with_settings_behind(0, line, &[&no_files, reach].concat())
    }
}

/// Adds settings after those in the user's own environment.
fn with_settings(line: CommandLine, settings: &[(&str, &str)]) -> CommandLine {
    let own = environment::variable("GIT_CONFIG_COUNT");
    let own = own.and_then(|count| count.parse::<usize>().ok());
    with_settings_behind(own.unwrap_or(0), line, settings)
}

fn with_settings_behind(own: usize, line: CommandLine, settings: &[(&str, &str)]) -> CommandLine {
    let count = own.saturating_add(settings.len());
    let line = line.env("GIT_CONFIG_COUNT", count.to_string());
    (own..).zip(settings).fold(line, |line, (n, (key, value))| {
        line.env(format!("GIT_CONFIG_KEY_{n}"), *key)
            .secret_env(format!("GIT_CONFIG_VALUE_{n}"), Secret::new(*value))
    })
}

/// Tells whether git refused to fetch because the remote's objects have another kind of hash.
fn has_other_hashes(error: &Error) -> bool {
    error.one_line().contains("mismatched algorithms")
}

fn lacks_reference(error: &Error) -> bool {
    error.one_line().contains("couldn't find remote ref")
}

/// Tells whether a server answered that it has no such commit: no login would help.
fn lacks_commit(error: &Error) -> bool {
    let text = error.one_line();
    ["not our ref", "did not contain", "unadvertised object"]
        .iter()
        .any(|said| text.contains(said))
}

fn what_it_has(url: &str) -> String {
    format!("see what it has: git ls-remote {}", quoted(url))
}

/// Returns the settings with which a checkout fetches Git LFS files, whether or not `git lfs install` was ever run; or with which it leaves
/// the pointers, so that missing files are reported clearly.
fn lfs_filter(lfs: bool) -> [&'static str; 8] {
    let [clean, smudge, process, required] = if lfs {
        [
            "filter.lfs.clean=git-lfs clean -- %f",
            "filter.lfs.smudge=git-lfs smudge -- %f",
            "filter.lfs.process=git-lfs filter-process",
            "filter.lfs.required=true",
        ]
    } else {
        [
            "filter.lfs.clean=",
            "filter.lfs.smudge=",
            "filter.lfs.process=",
            "filter.lfs.required=false",
        ]
    };
    ["-c", clean, "-c", smudge, "-c", process, "-c", required]
}

/// Returns the repository and its fetched submodules: git marks each with a `.git`, and checks out no file of that name.
fn modules(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    if !root.join(".gitmodules").is_file() {
        return found;
    }
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if entry.file_name() == ".git" {
                if folder != root {
                    found.push(folder.clone());
                }
            } else if is_folder {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// Tells whether a file is a Git LFS pointer.
fn is_pointer(path: &Path) -> bool {
    let is_small = |it: &fs::Metadata| it.is_file() && it.len() <= MAX_POINTER;
    fs::symlink_metadata(path).is_ok_and(|metadata| is_small(&metadata))
        && fs::read(path).is_ok_and(|text| text.starts_with(POINTER))
}

/// Turns a checkout into a context: removes git's own data, unless `keeps_vcs`, and sets all times to that of the commit and all modes to
/// those that git records, whatever the umask, so that two fetches give the same result.
///
/// # Errors
///
/// [`Kind::Failed`] with the path that cannot be changed.
pub fn normalise(root: &Path, keeps_vcs: bool, time: i64, wanted: &Cancellation) -> Result<()> {
    let mut folders = vec![root.to_owned()];
    let mut done = Vec::new();
    while let Some(folder) = folders.pop() {
        let cannot = || format!("cannot set the modes and times of `{}`", folder.display());
        for entry in fs::read_dir(&folder).context(Kind::Failed, cannot)? {
            if wanted.is_over() {
                return Err(Error::failed(cannot()));
            }
            let entry = entry.context(Kind::Failed, cannot)?;
            let metadata = entry.metadata().context(Kind::Failed, cannot)?;
            let path = entry.path();
            if entry.file_name() == ".git" && !keeps_vcs {
                let removed = match metadata.is_dir() {
                    true => fs::remove_dir_all(&path),
                    false => fs::remove_file(&path),
                };
                removed.context(Kind::Failed, cannot)?;
            } else if metadata.is_dir() {
                folders.push(path);
            } else {
                if metadata.is_file() {
                    let is_program = metadata.permissions().mode() & 0o100 != 0;
                    let mode = if is_program { 0o755 } else { 0o644 };
                    let mode = Permissions::from_mode(mode);
                    fs::set_permissions(&path, mode).context(Kind::Failed, cannot)?;
                }
                stamp(&path, time).context(Kind::Failed, cannot)?;
            }
        }
        done.push(folder);
    }
    for folder in done {
        let set = fs::set_permissions(&folder, Permissions::from_mode(0o755));
        set.and_then(|()| stamp(&folder, time))
            .context(Kind::Failed, || {
                format!("cannot set the modes and times of `{}`", folder.display())
            })?;
    }
    Ok(())
}

/// Tells whether git, or a program that it calls, got no more memory. What a server says of itself is behind `remote:`.
fn lacks_memory(said: &str) -> bool {
    let own = said.lines().filter(|line| !line.starts_with("remote:"));
    own.map(str::to_ascii_lowercase)
        .any(|line| line.contains("out of memory") || line.contains("cannot allocate memory"))
}

/// The names that a branch or tag may have in full begin with one of these, in the order in which git resolves names.
const PLACES: [&str; 4] = ["", "refs/", "refs/tags/", "refs/heads/"];

/// Returns the full names that a name may stand for, for `git ls-remote`: it would also list the branches whose names only end with a shorter
/// one. The second of each pair is the commit of a tag that is an object of its own.
fn names_of(wanted: &str) -> Vec<String> {
    let names = PLACES.iter().map(|place| format!("{place}{wanted}"));
    names
        .filter(|name| name == "HEAD" || name.starts_with("refs/"))
        .flat_map(|name| [format!("{name}^{{}}"), name])
        .collect()
}

/// Returns the commit of a branch or tag from what `git ls-remote` lists: that of a tag takes precedence over that of a branch, and the commit
/// of a tag over the tag object.
fn commit_of<'a>(wanted: &str, listed: &'a str) -> Option<&'a str> {
    let find = |name: &str| {
        let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(_, found)| *found == name).map(|found| found.0)
    };
    names_of(wanted).iter().find_map(|name| find(name))
}

/// Returns the full name of the branch or tag that was fetched from the text of `FETCH_HEAD`; `None` where it was fetched by no such name.
fn fetched_reference(fetch_head: &str) -> Option<String> {
    // The field between is only filled for what was fetched along.
    let (_, named) = fetch_head.lines().next()?.split_once("\t\t")?;
    let (kind, named) = named.split_once(" '")?;
    let (name, _) = named.split_once("' of ")?;
    match kind {
        "tag" => Some(format!("refs/tags/{name}")),
        "branch" => Some(format!("refs/heads/{name}")),
        _ => None,
    }
}

/// Returns scheme and host of a URL over http or https; only there a token is used.
fn host_of(url: &str) -> Option<&str> {
    let start = url.find("://")? + 3;
    let scheme = url[..start].to_ascii_lowercase();
    let end = url[start..]
        .find('/')
        .map_or(url.len(), |slash| start + slash);
    scheme.starts_with("http").then(|| &url[..end])
}

/// Returns the end of git's messages, on one line and without control characters.
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
    let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_WORDS));
    text[start..].to_owned()
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
    fn git_token_is_passed_in_the_environment_for_its_host_only() {
        let (context, token, stop) = (
            git("https://example.com:8443/acme/web.git"),
            Secret::new("hunter2".to_owned()),
            Stop::never(),
        );
        let line = Git::new(&context, Some(&token), &stop, 0).line(Path::new("/"), &["fetch"]);
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
    fn git_call_for_what_a_guest_names_has_no_login_and_only_settings_of_the_network() {
        let (context, token, stop) = (
            git("https://example.com/acme/web.git"),
            Secret::new("hunter2".to_owned()),
            Stop::never(),
        );
        let git = Git::new(&context, Some(&token), &stop, 0).of_guest(true);
        let reach = [("http.proxy", "http://proxy:1")];
        let line = git.line_without_logins(Path::new("/"), &["submodule", "update"], &reach);
        let value = |name: &str| {
            let found = line.env.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.reveal().to_owned())
        };
        assert_eq!(value(TOKEN), None);
        assert_eq!(value("HOME").as_deref(), Some("/dev/null"));
        assert_eq!(
            value("GIT_ALLOW_PROTOCOL").as_deref(),
            Some("http:https:git")
        );
        assert_eq!(value("GIT_CONFIG_COUNT").as_deref(), Some("2"));
        let files = "lfs.customtransfer.lfs-standalone-file.path";
        for (n, key, text) in [(0, files, "false"), (1, "http.proxy", "http://proxy:1")] {
            let found = ["KEY", "VALUE"].map(|it| value(&format!("GIT_CONFIG_{it}_{n}")));
            assert_eq!(found, [Some(key.to_owned()), Some(text.to_owned())]);
        }
    }

    #[test]
    fn git_settings_of_acrt_are_added_after_those_of_the_user() {
        let line = with_settings_behind(2, CommandLine::new("git"), &[("a.b", "c"), ("a.d", "")]);
        assert_eq!(
            line.to_string(),
            "GIT_CONFIG_COUNT=4 GIT_CONFIG_KEY_2=a.b GIT_CONFIG_VALUE_2=*** GIT_CONFIG_KEY_3=a.d GIT_CONFIG_VALUE_3=*** git"
        );
    }

    #[test]
    fn checkout_has_the_time_of_its_commit_and_no_git_metadata() {
        let (root, wanted) = (tempfile::tempdir().unwrap(), Cancellation::default());
        let path = |path: &str| root.path().join(path);
        let fill = || {
            fs::create_dir_all(path(".git/objects")).unwrap();
            fs::create_dir_all(path("lib")).unwrap();
            fs::write(path("lib/.git"), "gitdir: ../.git/modules/lib").unwrap();
            fs::write(path("lib/.gitignore"), "x").unwrap();
        };
        let age = |path: &Path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            let age = modified.duration_since(std::time::SystemTime::UNIX_EPOCH);
            age.unwrap().as_secs()
        };
        fill();
        normalise(root.path(), true, 1_000_000_000, &wanted).unwrap();
        for kept in [".git/objects", ".git", "lib/.git"] {
            assert_eq!(age(&path(kept)), 1_000_000_000, "{kept}");
        }
        fill();
        normalise(root.path(), false, 1_000_000_000, &wanted).unwrap();
        assert!(!path(".git").exists() && !path("lib/.git").exists());
        for kept in ["", "lib", "lib/.gitignore"] {
            assert_eq!(age(&path(kept)), 1_000_000_000, "{kept}");
        }
    }

    #[test]
    fn checkout_made_with_another_umask_has_the_same_modes() {
        let (root, wanted) = (tempfile::tempdir().unwrap(), Cancellation::default());
        let path = |path: &str| root.path().join(path);
        fs::create_dir(path("bin")).unwrap();
        for name in ["text", "bin/run"] {
            fs::write(path(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        for (file, folder) in [(0o600, 0o700), (0o666, 0o777)] {
            for (name, mode) in [
                ("text", file),
                ("bin/run", file | folder & 0o111),
                ("bin", folder),
                ("", folder),
            ] {
                fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
            }
            normalise(root.path(), false, 0, &wanted).unwrap();
            assert_eq!([mode("text"), mode("bin/run")], [0o644, 0o755]);
            assert_eq!([mode("bin"), mode("")], [0o755, 0o755]);
        }
    }

    #[test]
    fn name_of_a_tag_and_a_branch_is_resolved_as_git_fetch_does_and_to_the_commit() {
        let listed = "1\tHEAD\n2\trefs/heads/both\n3\trefs/heads/x/both\n4\trefs/tags/both\n5\trefs/tags/note\n6\trefs/tags/note^{}\n";
        for (wanted, commit) in [
            ("HEAD", Some("1")),
            ("both", Some("4")),
            ("heads/both", Some("2")),
            ("refs/heads/both", Some("2")),
            ("x/both", Some("3")),
            ("note", Some("6")),
            ("refs/tags/note", Some("6")),
            ("th", None),
        ] {
            assert_eq!(commit_of(wanted, listed), commit, "{wanted}");
        }
        assert_eq!(commit_of("main", ""), None);
    }

    #[test]
    fn only_the_full_names_of_a_branch_or_tag_are_asked_for() {
        assert_eq!(
            names_of("HEAD").join(" "),
            "HEAD^{} HEAD refs/HEAD^{} refs/HEAD refs/tags/HEAD^{} refs/tags/HEAD refs/heads/HEAD^{} refs/heads/HEAD"
        );
        assert_eq!(
            names_of("a/b").join(" "),
            "refs/a/b^{} refs/a/b refs/tags/a/b^{} refs/tags/a/b refs/heads/a/b^{} refs/heads/a/b"
        );
        assert!(names_of("refs/heads/a").contains(&"refs/heads/a".to_owned()));
    }

    #[test]
    fn memory_that_a_server_lacks_is_not_that_of_git() {
        assert!(lacks_memory("x\nfatal: Out of memory, realloc failed\n"));
        assert!(lacks_memory("fatal: mmap failed: Cannot allocate memory"));
        assert!(!lacks_memory(
            "remote: fatal: Out of memory, malloc failed\nfatal: early EOF"
        ));
    }

    #[test]
    fn fetched_branch_or_tag_is_named_and_nothing_else_is() {
        let named = |text: &str| fetched_reference(&format!("0123\t{text} of https://a.b/c.git\n"));
        assert_eq!(named("\ttag 'v1'").as_deref(), Some("refs/tags/v1"));
        assert_eq!(named("\tbranch 'a/b'").as_deref(), Some("refs/heads/a/b"));
        assert_eq!(named("not-for-merge\tbranch 'main'"), None);
        assert_eq!(named("\t'refs/pull/5/head'"), None);
        assert_eq!(fetched_reference("0123\t\thttps://a.b/c.git\n"), None);
    }

    #[test]
    fn git_token_has_no_host_for_an_ssh_url() {
        assert_eq!(
            host_of("https://example.com/x"),
            Some("https://example.com")
        );
        assert_eq!(host_of("HTTP://example.com"), Some("HTTP://example.com"));
        assert_eq!(host_of("ssh://git@example.com/x"), None);
        assert_eq!(host_of("git@example.com:x"), None);
    }

    #[test]
    fn git_error_is_one_line_from_the_end_of_its_output() {
        assert_eq!(words("a\n\x1b[31mb\r\n\n"), "a; [31mb");
        assert!(words(&"é".repeat(3000)).len() <= MAX_WORDS);
    }
}
