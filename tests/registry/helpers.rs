//! Credential helpers as real programs.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::{
    another_process::{look, says},
    distribution::{Access, Distribution, PASSWORD, USER},
};

/// A home in which docker uses this script as credential helper; the helper records its requests in `asked`.
struct Home(tempfile::TempDir);

impl Home {
    fn with(script: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.path(".docker")).unwrap();
        fs::write(
            home.path(".docker/config.json"),
            r#"{"credsStore":"tests","auths":{}}"#,
        )
        .unwrap();
        let helper = home.path("docker-credential-tests");
        let script = format!(
            "#!/bin/sh\nread -r server\necho \"$1 $server\" >> {}\n{script}\n",
            home.path("asked").display()
        );
        fs::write(&helper, script).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o700)).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.path("asked")).unwrap_or_default()
    }

    fn look(&self, images: &[String]) -> std::process::Output {
        let home = self.0.path().to_str().unwrap();
        look(
            &images.join(" "),
            &[("HOME", home), ("PATH", &format!("{home}:/usr/bin:/bin"))],
        )
    }
}

#[tokio::test]
async fn credential_helper_is_called_once_for_many_tags() {
    let registry = Distribution::with(Access::Password);
    let mut images = Vec::new();
    for n in 0..12 {
        let name = format!("base{n}:1");
        registry.push(&name, &name).await;
        images.push(registry.image(&name));
    }
    let home = Home::with(&format!(
        r#"echo 'keychain is old' >&2; echo '{{"ServerURL":"x","Username":"{USER}","Secret":"{PASSWORD}"}}'"#
    ));
    let output = home.look(&images);
    for image in &images {
        assert!(says(&output, &format!("seen {image} ")), "{output:?}");
    }
    assert_eq!(home.asked(), format!("get {}\n", registry.host()));
}

#[tokio::test]
async fn credential_helper_without_a_login_leaves_requests_anonymous() {
    let registry = Distribution::with(Access::Password);
    let home = Home::with("echo 'credentials not found in native keychain'; exit 1");
    let output = home.look(&[registry.image("base:1")]);
    assert!(says(&output, "wants a login"), "{output:?}");
}

#[tokio::test]
async fn failing_credential_helper_is_reported_and_no_other_credential_tried() {
    let registry = Distribution::with(Access::Password);
    let home = Home::with("echo 'the keychain is locked'; exit 1");
    let output = home.look(&[registry.image("base:1")]);
    let words = format!(
        "`docker-credential-tests` fails: the keychain is locked; `{}` names it",
        home.path(".docker/config.json").display()
    );
    assert!(says(&output, &words), "{output:?}");
    assert_eq!(registry.requests().await.len(), 1);
}
