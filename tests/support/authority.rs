//! A certificate authority that no system trusts, and its certificates.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A certificate authority that no system trusts.
pub struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let authority = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=acrt tests",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        authority
    }

    /// The file with its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The file with its key.
    #[allow(dead_code, reason = "not all tests sign anything themselves")]
    pub fn key(&self) -> PathBuf {
        self.dir.path().join("ca.key")
    }

    /// Issues a certificate for an address, and returns the files of the certificate and its key.
    pub fn issue(&self, name: &str, address: &str) -> (PathBuf, PathBuf) {
        let file = |suffix: &str| format!("{name}.{suffix}");
        let subject = format!("/CN={name}");
        fs::write(
            self.dir.path().join(file("ext")),
            format!("subjectAltName=IP:{address}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n"),
        )
        .unwrap();
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &file("key"),
            "-out",
            &file("csr"),
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &file("csr"),
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            &file("ext"),
            "-out",
            &file("pem"),
        ]);
        (
            self.dir.path().join(file("pem")),
            self.dir.path().join(file("key")),
        )
    }

    #[expect(clippy::disallowed_methods, reason = "tests run programs")]
    fn openssl(&self, args: &[&str]) {
        let mut command = Command::new("openssl");
        command
            .args(args)
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{args:?}");
    }
}
