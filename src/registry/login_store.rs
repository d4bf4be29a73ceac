//! Stores or erases a login where docker and podman look for it: in their files, or in the helpers that these name.

use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata, Permissions},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown},
    path::Path,
};

use serde_json::{Map, Value, json};

use crate::sys::{plain_file::to_replace, secret::Secret};

use super::{
    canonical,
    client::Registries,
    credentials::{
        auth_file,
        credential::{Login, server},
        helper,
        login_file::{CredentialLocation, DOCKER_HUB_KEY, LoginFile, normalise},
    },
};

/// A change of the login in one file or helper.
enum LoginChange<'a> {
    Store(&'a Login),
    Erase,
}

impl Registries {
    /// Stores a login in docker's file, which podman reads too, and in each other file that has one for the same registry or that `also`
    /// names, because podman prefers that file. Returns the places in words.
    ///
    /// # Errors
    ///
    /// Which file or helper cannot be used, and why.
    pub async fn store_login(
        &self,
        login: &Login,
        also: Option<&Path>,
    ) -> Result<Vec<String>, String> {
        let registry = canonical(server(&login.registry)).to_owned();
        let paths = &self.keychain.paths;
        let Some(last) = paths.last() else {
            return Err(
                "there is no home directory to keep a login in; set HOME or DOCKER_CONFIG".into(),
            );
        };
        let mut places = BTreeSet::new();
        for path in paths {
            let file = read(path)?;
            let has_one = has_entry(&file, &registry);
            if path == last || has_one || also == Some(path.as_path()) {
                let change = LoginChange::Store(login);
                places.extend(apply(&file, path == last, &registry, &change).await?);
            }
        }
        self.keychain.forget(&registry);
        Ok(places.into_iter().collect())
    }

    /// Erases the login for a registry from all files and helpers. Returns the places in words; empty, where there was none.
    pub async fn erase_login(&self, registry: &str) -> Result<Vec<String>, String> {
        let registry = canonical(server(registry)).to_owned();
        let mut places = BTreeSet::new();
        let paths = &self.keychain.paths;
        for path in paths {
            let (file, is_dockers) = (read(path)?, Some(path) == paths.last());
            places.extend(apply(&file, is_dockers, &registry, &LoginChange::Erase).await?);
        }
        self.keychain.forget(&registry);
        Ok(places.into_iter().collect())
    }
}

fn read(path: &Path) -> Result<LoginFile, String> {
    match LoginFile::read(path)? {
        Some(file) => Ok(file),
        None => LoginFile::parse(path, ""),
    }
}

/// Tells whether a file has an entry for a registry, in any spelling.
fn has_entry(file: &LoginFile, registry: &str) -> bool {
    let auths = file.document.get("auths").and_then(Value::as_object);
    auths.is_some_and(|auths| auths.keys().any(|key| normalise(key) == registry))
}

/// Changes one file, or calls the helper that it names for the registry.
async fn apply(
    file: &LoginFile,
    is_dockers: bool,
    registry: &str,
    change: &LoginChange<'_>,
) -> Result<Vec<String>, String> {
    let helper = file
        .locations(registry, "")
        .into_iter()
        .find_map(|location| match location {
            CredentialLocation::Helper { helper, server } => Some((helper, server)),
            CredentialLocation::Entry(_) => None,
        });
    let mut document = file.document.clone();
    let mut auths = match document.remove("auths") {
        Some(Value::Object(auths)) => auths,
        _ => Map::new(),
    };
    let before = auths.clone();
    auths.retain(|key, _| normalise(key) != registry);
    let had_entry = auths.len() < before.len();
    let mut places = Vec::new();
    let key = if is_dockers && registry == crate::image::reference::DOCKER_HUB {
        DOCKER_HUB_KEY
    } else {
        registry
    };
    match (change, helper) {
        (LoginChange::Store(login), Some((helper, server))) => {
            let input = json!({
                "ServerURL": server, "Username": login.username, "Secret": login.secret.reveal()
            });
            helper::change(&helper, "store", &Secret::new(input.to_string())).await?;
            // As docker writes it: an empty entry shows that there is a login.
            auths.insert(key.to_owned(), json!({}));
            places.push(format!("`docker-credential-{helper}`"));
        }
        (LoginChange::Store(login), None) => {
            auths.insert(key.to_owned(), auth_file::entry(login));
            places.push(format!("`{}`", file.path.display()));
        }
        (LoginChange::Erase, helper) => {
            if let Some((helper, server)) = helper
                && helper::change(&helper, "erase", &Secret::new(server)).await?
            {
                places.push(format!("`docker-credential-{helper}`"));
            }
            if had_entry {
                places.push(format!("`{}`", file.path.display()));
            }
        }
    }
    if auths != before {
        document.insert("auths".to_owned(), Value::Object(auths));
        write(&file.path, &document)
            .map_err(|problem| format!("cannot write `{}`: {problem}", file.path.display()))?;
    }
    Ok(places)
}

/// Replaces a file as a whole. A symbolic link stays one. A new file is readable only by its owner; an existing one keeps owner, group and
/// their permissions, as docker and podman keep them: root may store a login in the file of another user.
fn write(path: &Path, document: &Map<String, Value>) -> std::io::Result<()> {
    let target = to_replace(path)?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    if !folder.exists() {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut text = Vec::new();
    let indented = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, indented);
    serde::Serialize::serialize(document, &mut writer)?;
    text.push(b'\n');
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&text)?;
    if let Ok(old) = fs::metadata(&target) {
        keep_access(file.as_file(), &old)?;
    }
    file.as_file().sync_all()?;
    file.persist(&target)?;
    Ok(())
}

/// Gives `file`, which only its owner may read, the owner and group of the file that it replaces, and their permissions. The group of a file
/// that everybody could read gets no access, since that was never granted on purpose.
fn keep_access(file: &File, old: &Metadata) -> std::io::Result<()> {
    let own = file.metadata()?;
    let is_same = (own.uid(), own.gid()) == (old.uid(), old.gid());
    // Where only root may do that, the new owner is this user, and nobody else gets access.
    if is_same || fchown(file, Some(old.uid()), Some(old.gid())).is_ok() {
        let kept = match old.mode() {
            mode if mode & 0o007 != 0 => mode & 0o600,
            mode => mode & 0o660,
        };
        file.set_permissions(Permissions::from_mode(kept))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_in_place_of_a_file_of_logins_is_not_replaced() {
        use std::os::unix::fs::FileTypeExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let problem = write(&path, &Map::new()).unwrap_err().to_string();
        assert!(problem.contains("not a regular file"), "{problem}");
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    }

    #[test]
    fn rewritten_login_file_keeps_owner_and_mode_and_is_never_open_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let access = || {
            let it = fs::metadata(&path).unwrap();
            (it.uid(), it.gid(), it.mode() & 0o777)
        };
        let (mine, group, _) = {
            write(&path, &Map::new()).unwrap();
            access()
        };
        assert_eq!(access(), (mine, group, 0o600));
        // Only root may give a file away.
        let (owner, group) = match std::os::unix::fs::chown(&path, Some(1234), Some(4321)) {
            Ok(()) => (1234, 4321),
            Err(_) => (mine, group),
        };
        for (before, after) in [
            (0o640, 0o640),
            (0o600, 0o600),
            (0o400, 0o400),
            (0o644, 0o600),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            write(&path, &Map::new()).unwrap();
            assert_eq!(access(), (owner, group, after), "{before:o}");
        }
    }

    #[test]
    fn stored_key_matches_only_the_whole_registry_name() {
        for key in [
            "r.example",
            "https://r.example/v1/",
            "R.example",
            "http://r.example",
            "r.example/v2/",
        ] {
            assert_eq!(normalise(key), "r.example", "{key}");
        }
        for key in ["r.example/team", "r.example.evil.example", "r.example:5000"] {
            assert_ne!(normalise(key), "r.example", "{key}");
        }
        assert_eq!(normalise(DOCKER_HUB_KEY), "docker.io");
    }
}
