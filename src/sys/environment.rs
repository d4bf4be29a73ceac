//! Which environment variables acrt hands on to the programs that it starts: those that they need to find their files, servers and locale,
//! and none that may hold a secret of another program.
//!
//! The environment belongs to the whole process, and so do these rules.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use serde::Deserialize;

use crate::secret::{Secret, secrets_of_login};

/// The variables that every program gets: names, or prefixes with `*`.
const HANDED_ON: &str = "PATH HOME USER LOGNAME LANG LC_* TZ TMPDIR TERM HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY http_proxy \
    https_proxy ftp_proxy all_proxy no_proxy DOCKER_* BUILDKIT_* BUILDX_* BUILDAH_* STORAGE_* CONTAINER* \
    REGISTRY_AUTH_FILE XDG_* SSH_AUTH_SOCK GIT_* SSL_CERT_*";

/// Variables that bind git to one repository, as a hook sets them. acrt's own calls of git would act on that repository.
const OF_ONE_REPOSITORY: &str = "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_DIR GIT_GRAFT_FILE GIT_IMPLICIT_WORK_TREE GIT_INDEX_FILE \
    GIT_NAMESPACE GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_QUARANTINE_PATH GIT_SHALLOW_FILE GIT_WORK_TREE";

/// The rules of this process.
static RULES: RwLock<Rules> = RwLock::new(Rules {
    pass: Vec::new(),
    withheld: BTreeSet::new(),
});

/// The name of a variable, or a prefix of names that ends with `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_suffix('*').unwrap_or(&text);
        let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits && !text.is_empty() {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{}` is not the name of a variable, such as AWS_PROFILE, or AWS_* for all that start with AWS_",
                text.escape_debug()
            ))
        }
    }
}

/// Returns a path that was written in `folder` as an absolute one; `~` is the user's home folder.
pub fn resolved(path: &Path, folder: &Path) -> PathBuf {
    let home = || variable("HOME").filter(|home| !home.is_empty());
    match path.strip_prefix("~").ok().zip(home()) {
        Some((rest, home)) => Path::new(&home).join(rest),
        None => folder.join(path),
    }
}

/// Which variables are handed on besides the usual ones, and which are withheld.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pass: Vec<Pattern>,
    withheld: BTreeSet<String>,
}

impl Rules {
    /// Hands on the variables of `pass`, and withholds those in which acrt finds its own secrets, whatever their names. Such a variable is
    /// handed on only where `pass` has its full name.
    pub fn new(pass: Vec<Pattern>, withheld: impl IntoIterator<Item = String>) -> Self {
        Self {
            pass,
            withheld: withheld.into_iter().collect(),
        }
    }

    fn is_passed(&self, name: &str) -> bool {
        self.pass.iter().any(|pattern| pattern.0 == name)
    }

    /// Tells whether a variable of this name is handed on.
    pub fn hands_on(&self, name: &str) -> bool {
        if self.is_passed(name) {
            return true;
        }
        if self.withheld.contains(name) || OF_ONE_REPOSITORY.split(' ').any(|it| it == name) {
            return false;
        }
        let own = self.pass.iter().map(|pattern| pattern.0.as_str());
        let mut all = HANDED_ON.split(' ').chain(own);
        all.any(|pattern| match pattern.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => name == pattern,
        })
    }
}

/// Sets the rules of this process.
pub fn rule(rules: Rules) {
    *RULES.write().unwrap_or_else(PoisonError::into_inner) = rules;
}

/// Returns the value of an environment variable of the user's choice, as `--arg NAME` asks for it.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variables that name proxies, in lower case; the same names in upper case count too.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"];

/// Returns the logins of the proxies of this process: a proxy may repeat them in its answers, and builders hand them on to what they run.
pub fn proxy_secrets() -> Vec<Secret> {
    let names = PROXIES
        .into_iter()
        .flat_map(|name| [name.to_owned(), name.to_uppercase()]);
    let values = names.filter_map(|name| variable(&name));
    values.flat_map(|value| secrets_of_proxy(&value)).collect()
}

fn secrets_of_proxy(address: &str) -> Vec<Secret> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    // A password may have a slash in it, which no proxy's address has behind its host.
    let login = authority.rsplit_once('@').or_else(|| rest.rsplit_once('@'));
    login.map_or_else(Vec::new, |(login, _)| secrets_of_login(login))
}

/// Withholds a variable in which acrt has found a secret.
pub fn withhold(name: &str) {
    let is_known = |rules: &Rules| rules.withheld.contains(name);
    if !is_known(&RULES.read().unwrap_or_else(PoisonError::into_inner)) {
        let mut rules = RULES.write().unwrap_or_else(PoisonError::into_inner);
        rules.withheld.insert(name.to_owned());
    }
}

/// Returns all variables of this process, with the absolute folders of `PATH` only: a relative or empty one would be that of the folder in
/// which a program is started, such as the checkout of a guest, who would choose the program.
fn all() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let value = if name == "PATH" {
            absolute_folders(&value)?
        } else {
            value
        };
        Some((name, value))
    })
}

/// Returns the absolute folders of a `PATH`; `None` without any, because an empty `PATH` is the current folder.
fn absolute_folders(path: &OsStr) -> Option<OsString> {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    let path = std::env::join_paths(folders).ok()?;
    (!path.is_empty()).then_some(path)
}

/// Returns the environment that a program gets.
pub fn handed_on() -> Vec<(OsString, OsString)> {
    let rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    all()
        .filter(|(name, _)| name.to_str().is_some_and(|name| rules.hands_on(name)))
        .collect()
}

/// Returns all variables but those with acrt's own secrets, as values that are not printed: for a program that reads a file of the user's own,
/// which names the variables that it uses.
pub fn without_own_secrets() -> Vec<(String, Secret)> {
    let rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let is_own = |name: &str| rules.withheld.contains(name) && !rules.is_passed(name);
    let all = all().filter_map(|(name, value)| {
        let value = value.into_string().ok()?;
        Some((name.into_string().ok()?, Secret::new(value)))
    });
    all.filter(|(name, _)| !is_own(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Masks;

    #[test]
    fn proxy_login_is_secret_and_its_host_is_not() {
        let hidden =
            |address: &str, said: &str| Masks::of(&secrets_of_proxy(address)).hide_in(said);
        let said = "bob pw%401 pw@1 Ym9iOnB3QDE= proxy";
        assert_eq!(
            hidden("http://bob:pw%401@proxy:3128/", said),
            "bob *** *** *** proxy"
        );
        assert_eq!(hidden("bob:p/wd@proxy:3128", "bob:p/wd"), "bob:***");
        assert_eq!(hidden("http://token@proxy", "token"), "***");
        assert!(secrets_of_proxy("http://proxy:3128").is_empty());
    }

    #[test]
    fn relative_and_empty_folders_of_the_path_are_left_out() {
        let left = |path: &str| absolute_folders(OsStr::new(path));
        for path in [
            ":/usr/bin:/bin",
            "/usr/bin:/bin:",
            "/usr/bin::/bin",
            ".:bin:/usr/bin:../x:/bin",
        ] {
            assert_eq!(left(path), Some("/usr/bin:/bin".into()), "{path}");
        }
        for path in ["", ":", ".", "bin"] {
            assert_eq!(left(path), None, "{path}");
        }
    }

    fn rules(pass: &[&str], withheld: &[&str]) -> Rules {
        let pass = pass
            .iter()
            .map(|text| Pattern::try_from((*text).to_owned()).unwrap());
        Rules::new(pass.collect(), withheld.iter().map(|it| (*it).to_owned()))
    }

    #[test]
    fn needed_variables_are_passed_to_programs_and_no_others() {
        let usual = rules(&[], &[]);
        for name in [
            "PATH",
            "LC_ALL",
            "https_proxy",
            "NO_PROXY",
            "DOCKER_HOST",
            "CONTAINERS_CONF",
            "CONTAINER_HOST",
            "XDG_RUNTIME_DIR",
            "GIT_SSH_COMMAND",
            "SSL_CERT_FILE",
            "BUILDKIT_HOST",
            "TZ",
        ] {
            assert!(usual.hands_on(name), "{name}");
        }
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "AZURE_CLIENT_SECRET",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "HOOK_SECRET",
            "ACRT_STATE_DIR",
            "PATHS",
            "LD_PRELOAD",
            "path",
            "NOTIFY_SOCKET",
            "GIT_DIR",
            "GIT_INDEX_FILE",
            "",
        ] {
            assert!(!usual.hands_on(name), "{name}");
        }
    }

    #[test]
    fn variables_named_by_the_config_are_passed_too() {
        let own = rules(&["AWS_*", "EDITOR", "GIT_DIR"], &[]);
        for name in ["AWS_PROFILE", "AWS_", "EDITOR", "GIT_DIR", "HOME"] {
            assert!(own.hands_on(name), "{name}");
        }
        assert!(!own.hands_on("EDITORS") && !own.hands_on("AWS"));
    }

    #[test]
    fn variables_with_acrt_secrets_are_not_passed_whatever_their_name() {
        assert!(!rules(&[], &["DOCKER_HUB_HOOK"]).hands_on("DOCKER_HUB_HOOK"));
        assert!(!rules(&["*"], &["HOOK"]).hands_on("HOOK"));
        assert!(rules(&["HOOK"], &["HOOK"]).hands_on("HOOK"));
    }

    #[test]
    fn variable_pattern_is_a_name_with_an_optional_trailing_star() {
        for text in ["A", "A_*", "*", "a1"] {
            assert!(Pattern::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in ["", "A=B", "*A", "A*B", "A B", "A**"] {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
