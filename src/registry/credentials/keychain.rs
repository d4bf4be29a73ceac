//! Finds the login for a repository: first the task's own, then those in the files of podman and docker.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    registry::canonical,
    sys::{secret::Secret, settings::Settings},
};

use super::{
    auth_file::{self, AuthFormat},
    credential::{Credential, Login, LoginSource, server},
    helper,
    login_file::{self, CredentialLocation, LoginFile},
};

/// How long the contents of files, answers of helpers and refusals are cached: long enough for a round of looks, and short enough that a
/// `docker login` is noticed soon and an expired password of ECR is replaced.
pub const FRESH: Duration = Duration::from_secs(60);

/// A place where the login of a repository may be stored. Repositories with the same places have the same login.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoginPlace {
    /// Among the logins of tasks.
    Task(usize),
    File(usize, CredentialLocation),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLogin {
    pub credential: Credential,
    pub source: LoginSource,
    /// Where the search goes on if the registry refuses it, as a position among the places: only after the login of one of several tasks
    /// that may use the repository.
    pub next: Option<usize>,
}

/// All available logins, read when needed.
pub struct Keychain {
    logins: Vec<Login>,
    /// The files that are searched, in this order, whether or not they exist.
    pub paths: Vec<PathBuf>,
    files: Mutex<Known<Arc<[LoginFile]>>>,
    /// The answers of helpers, by their names and the servers that they were asked about.
    helpers: Mutex<HashMap<(String, String), HelperAnswer>>,
}

/// What was read last, and when.
type Known<T> = Option<(Instant, Result<T, String>)>;

/// The answer of a helper, which one caller waits for and the others share.
type HelperAnswer = Arc<tokio::sync::Mutex<Known<Option<Credential>>>>;

/// Returns what was read last, as long as it counts.
fn fresh<T: Clone>(known: &Known<T>) -> Option<Result<T, String>> {
    let (at, read) = known.as_ref()?;
    (at.elapsed() < FRESH).then(|| read.clone())
}

impl Keychain {
    /// Returns the logins of tasks, and those in the files of the settings. Reads nothing yet.
    pub fn new(settings: &Settings, logins: Vec<Login>) -> Self {
        Self {
            logins,
            paths: login_file::paths(settings),
            files: Mutex::default(),
            helpers: Mutex::default(),
        }
    }

    /// Returns the text of a login file for a builder: the user's own logins, with `logins` taking precedence.
    ///
    /// # Errors
    ///
    /// Which of the user's own files cannot be read, and why.
    pub fn auth_file(&self, logins: &[Login], format: AuthFormat) -> Result<Secret, String> {
        Ok(auth_file::text(&self.files()?, logins, format))
    }

    /// Returns the places that may have the login of a repository, in order: the tasks that use the repository, then the user's files. The
    /// login of a task is for no other repositories, so that it is not used for those of other tasks.
    ///
    /// # Errors
    ///
    /// Which file cannot be read, and why, if no task has a login: a broken file may be the one with the login.
    pub fn places(&self, registry: &str, repository: &str) -> Result<Vec<LoginPlace>, String> {
        let of_server = |login: &Login| canonical(server(&login.registry)) == registry;
        let mut places = Vec::new();
        for (n, login) in self.logins.iter().enumerate() {
            let is_for_all = login.repositories.is_empty();
            if of_server(login) && (is_for_all || login.repositories.contains(repository)) {
                places.push(LoginPlace::Task(n));
                // A login for everything is the one to use; for the registry as a whole, the first one decides.
                if is_for_all || repository.is_empty() {
                    return Ok(places);
                }
            }
        }
        let is_of_tasks = !places.is_empty();
        let files = match self.files() {
            Err(_) if is_of_tasks => return Ok(places),
            files => files?,
        };
        let locations = files.iter().enumerate().flat_map(|(n, file)| {
            file.locations(registry, repository)
                .into_iter()
                .map(move |location| LoginPlace::File(n, location))
        });
        // A repository that was not named may be that of a task which has just begun to depend on it.
        let others = self.logins.iter().position(of_server);
        places.extend(locations);
        places.extend(others.filter(|_| !is_of_tasks).map(LoginPlace::Task));
        Ok(places)
    }

    /// Finds the login of a repository; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Self::find_from`].
    pub async fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<FoundLogin>, String> {
        self.find_from(0, registry, repository).await
    }

    /// Finds the login of a repository among its places from a position on; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Which file, entry or helper is broken. Then no other login is tried.
    pub async fn find_from(
        &self,
        from: usize,
        registry: &str,
        repository: &str,
    ) -> Result<Option<FoundLogin>, String> {
        let places = self.places(registry, repository)?;
        for (position, place) in places.into_iter().enumerate().skip(from) {
            let found = match place {
                LoginPlace::Task(n) => self.logins.get(n).and_then(|login| {
                    let is_of_several =
                        !repository.is_empty() && login.repositories.contains(repository);
                    Some(FoundLogin {
                        credential: login.credential()?,
                        source: login.source.clone(),
                        next: is_of_several.then_some(position + 1),
                    })
                }),
                LoginPlace::File(n, location) => self.in_file(n, location).await?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn in_file(
        &self,
        n: usize,
        location: CredentialLocation,
    ) -> Result<Option<FoundLogin>, String> {
        let files = self.files()?;
        let Some(file) = files.get(n) else {
            return Ok(None);
        };
        let path = file.path.display();
        match location {
            CredentialLocation::Entry(key) => {
                Ok(file.entry(&key)?.map(|(credential, key)| FoundLogin {
                    credential,
                    source: LoginSource::Stored(format!("`{path}`, key `{key}`")),
                    next: None,
                }))
            }
            CredentialLocation::Helper { helper, server } => {
                let place = format!("`docker-credential-{helper}`, which `{path}` names");
                let answer = Box::pin(self.ask(helper, server)).await;
                let answer = answer.map_err(|problem| format!("{problem}; `{path}` names it"))?;
                Ok(answer.map(|credential| FoundLogin {
                    credential,
                    source: LoginSource::Stored(place),
                    next: None,
                }))
            }
        }
    }

    /// Asks a helper once for all concurrent callers.
    async fn ask(&self, helper: String, server: String) -> Result<Option<Credential>, String> {
        let cell = {
            let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (helper.clone(), server.clone());
            Arc::clone(helpers.entry(key).or_default())
        };
        let mut known = cell.lock().await;
        if let Some(answer) = fresh(&known) {
            return answer;
        }
        let answer = helper::ask(&helper, &server).await;
        *known = Some((Instant::now(), answer.clone()));
        answer
    }

    fn files(&self) -> Result<Arc<[LoginFile]>, String> {
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = fresh(&known) {
            return files;
        }
        let read = self
            .paths
            .iter()
            .filter_map(|path| LoginFile::read(path).transpose());
        let files: Result<Arc<[LoginFile]>, String> = read.collect();
        *known = Some((Instant::now(), files.clone()));
        files
    }

    /// Drops what files and helpers have said about a registry, because it does not accept that login.
    pub fn forget(&self, registry: &str) {
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
        helpers.retain(|(_, asked), _| canonical(server(asked)) != registry);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(folder)
        }

        fn keychain(&self, logins: Vec<Login>) -> Keychain {
            let mut settings = Settings::default();
            settings.home = Some(self.0.path().to_owned());
            Keychain::new(&settings, logins)
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).display().to_string()
        }
    }

    fn login(registry: &str, username: &str) -> Login {
        Login {
            registry: registry.into(),
            username: username.into(),
            secret: Secret::new("s"),
            repositories: BTreeSet::new(),
            source: LoginSource::Options,
        }
    }

    const DOCKER: &str = ".docker/config.json";
    const PODMAN: &str = ".config/containers/auth.json";

    async fn place(keychain: &Keychain, registry: &str) -> Option<String> {
        keychain
            .find(registry, "a/b")
            .await
            .unwrap()
            .map(|found| found.source.to_string())
    }

    #[tokio::test]
    async fn credentials_of_two_tasks_for_one_registry_apply_to_their_own_repositories() {
        let for_one = |username: &str, repository: &str| Login {
            repositories: BTreeSet::from([repository.to_owned()]),
            ..login("r.example", username)
        };
        let user = async |keychain: &Keychain, repository: &str| {
            let found = keychain.find("r.example", repository).await.unwrap();
            match found.map(|found| found.credential) {
                Some(Credential::Password { username, .. }) => username,
                other => panic!("{other:?}"),
            }
        };
        let logins = vec![for_one("ann", "a/x"), for_one("bob", "b/x")];
        let nobody = Folder::with(&[]).keychain(logins.clone());
        assert_eq!(user(&nobody, "a/x").await, "ann");
        assert_eq!(user(&nobody, "b/x").await, "bob");
        // A repository that was not named: the user's own login first, then any.
        assert_eq!(user(&nobody, "c/x").await, "ann");
        let auth = r#"{"auths":{"r.example":{"auth":"bWU6cHc="}}}"#;
        let mine = Folder::with(&[(DOCKER, auth)]);
        let me = mine.keychain(logins);
        assert_eq!(user(&me, "b/x").await, "bob");
        assert_eq!(user(&me, "c/x").await, "me");
    }

    #[tokio::test]
    async fn refused_login_of_a_task_is_followed_by_those_of_other_tasks_of_the_repository_and_the_files()
     {
        let of = |username: &str, repositories: &[&str]| Login {
            repositories: repositories.iter().map(|&it| it.to_owned()).collect(),
            ..login("r.example", username)
        };
        let logins = vec![
            of("ann", &["", "shared"]),
            of("eve", &["", "other"]),
            of("bob", &["", "shared"]),
        ];
        let auth = r#"{"auths":{"r.example":{"auth":"bWU6cHc="}}}"#;
        let folder = Folder::with(&[(PODMAN, auth), (DOCKER, auth)]);
        let users = async |keychain: &Keychain, repository: &str| {
            let mut users = Vec::new();
            let mut from = Some(0);
            while let Some(position) = from {
                let found = keychain.find_from(position, "r.example", repository);
                let found = found.await.unwrap();
                from = found.as_ref().and_then(|found| found.next);
                users.extend(found.map(|found| match found.credential {
                    Credential::Password { username, .. } => username,
                    other => panic!("{other:?}"),
                }));
            }
            users
        };
        let keychain = folder.keychain(logins.clone());
        assert_eq!(users(&keychain, "shared").await, ["ann", "bob", "me"]);
        assert_eq!(users(&keychain, "other").await, ["eve", "me"]);
        // What no task uses, and the registry as a whole, have one login.
        assert_eq!(users(&keychain, "new").await, ["me"]);
        assert_eq!(users(&keychain, "").await, ["ann"]);
        // So has a run.
        let run = folder.keychain(vec![login("r.example", "ann")]);
        assert_eq!(users(&run, "shared").await, ["ann"]);
        // A broken file harms no task that has a login of its own.
        let broken = Folder::with(&[(PODMAN, "{")]).keychain(logins);
        assert!(broken.find("r.example", "shared").await.is_ok());
        assert!(broken.find_from(1, "r.example", "shared").await.is_ok());
    }

    #[tokio::test]
    async fn task_credential_comes_before_the_podman_file_and_that_before_docker() {
        let auth = r#"{"auths":{"r.example":{"auth":"dTpw"}}}"#;
        let both = Folder::with(&[(DOCKER, auth), (PODMAN, auth)]);
        let with_task = both.keychain(vec![login("r.example", "u")]);
        assert_eq!(
            place(&with_task, "r.example").await.unwrap(),
            "the command line"
        );
        let podman = format!("`{}`, key `r.example`", both.path(PODMAN));
        assert_eq!(
            place(&both.keychain(vec![]), "r.example").await,
            Some(podman)
        );
        let docker = Folder::with(&[
            (DOCKER, auth),
            (PODMAN, r#"{"auths":{"other":{"auth":"dTpw"}}}"#),
        ]);
        let expected = format!("`{}`, key `r.example`", docker.path(DOCKER));
        assert_eq!(
            place(&docker.keychain(vec![]), "r.example").await,
            Some(expected)
        );
        assert_eq!(
            place(&docker.keychain(vec![]), "nobody.example").await,
            None
        );
    }

    #[tokio::test]
    async fn server_of_a_task_credential_accepts_docker_login_spellings() {
        let folder = Folder::with(&[]);
        for name in [
            "docker.io",
            "https://index.docker.io/v1/",
            "registry-1.docker.io",
        ] {
            let keychain = folder.keychain(vec![login(name, "<token>")]);
            let found = keychain
                .find("docker.io", "library/a")
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                found.credential,
                Credential::Identity(Secret::new("s")),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn broken_auth_file_is_an_error_and_not_a_missing_credential() {
        let folder = Folder::with(&[(PODMAN, "{")]);
        let keychain = folder.keychain(vec![login("mine.example", "u")]);
        assert_eq!(
            keychain.find("r.example", "a").await,
            Err(format!("`{}` is malformed in line 1", folder.path(PODMAN)))
        );
        assert!(keychain.find("mine.example", "a").await.is_ok());
    }

    #[tokio::test]
    async fn failing_helper_is_an_error_and_no_other_credential_is_used() {
        let folder = Folder::with(&[
            (
                PODMAN,
                r#"{"credHelpers":{"r.example":"acrt-has-no-such-helper"}}"#,
            ),
            (DOCKER, r#"{"auths":{"r.example":{"auth":"dTpw"}}}"#),
        ]);
        let keychain = folder.keychain(vec![]);
        assert_eq!(
            keychain.find("r.example", "a").await,
            Err(format!(
                "`docker-credential-acrt-has-no-such-helper` cannot be started; it must be on PATH; `{}` names it",
                folder.path(PODMAN)
            ))
        );
    }

    #[tokio::test]
    async fn refused_credential_is_read_again_from_its_file() {
        let folder = Folder::with(&[(DOCKER, r#"{"auths":{"r.example":{"auth":"dTpw"}}}"#)]);
        let keychain = folder.keychain(vec![]);
        let user = async || match keychain
            .find("r.example", "a")
            .await
            .unwrap()
            .unwrap()
            .credential
        {
            Credential::Password { username, .. } => username,
            other => panic!("{other:?}"),
        };
        assert_eq!(user().await, "u");
        fs::write(
            folder.0.path().join(DOCKER),
            r#"{"auths":{"r.example":{"auth":"YTpi"}}}"#,
        )
        .unwrap();
        assert_eq!(user().await, "u");
        keychain.forget("r.example");
        assert_eq!(user().await, "a");
    }
}
