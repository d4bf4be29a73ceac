//! The programs that copy images, and the cost of one copy.

use std::{
    fmt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

/// The program to compare with.
pub const PEER: &str = "skopeo";

/// Another program to compare with, which may be missing.
const CRANE: &str = "crane";

/// A program that copies images.
#[derive(Clone, Copy)]
pub enum Tool {
    Acrt,
    Skopeo,
    Crane,
}

/// The cost of one copy.
#[derive(Clone, Copy)]
pub struct Measured {
    /// From the start of the process to its end.
    pub wall: Duration,
    /// The user and system time of the process.
    pub cpu: Duration,
    /// The peak resident memory, in KiB.
    pub kibibytes: f64,
    /// The requests that the target received.
    pub requests: usize,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acrt => "acrt import",
            Self::Skopeo => "skopeo copy --all",
            Self::Crane => "crane copy",
        })
    }
}

impl Tool {
    /// All programs.
    pub const ALL: [Self; 3] = [Self::Acrt, Self::Skopeo, Self::Crane];

    /// Tells whether it is installed.
    pub fn is_there(self) -> bool {
        let crane = || Command::new(CRANE).arg("version").output();
        !matches!(self, Self::Crane) || crane().is_ok()
    }

    /// Copies the image, in a process of its own.
    ///
    /// # Errors
    ///
    /// If the program fails.
    pub fn copy(self, from: &str, to: &str) -> Result<Measured> {
        let home = tempfile::tempdir()?;
        let program = match self {
            Self::Acrt => env!("CARGO_BIN_EXE_acrt"),
            Self::Skopeo => PEER,
            Self::Crane => CRANE,
        };
        let mut command = Command::new("/usr/bin/time");
        command.args(["-f", "%M %U %S", program]);
        match self {
            Self::Acrt => command.args(["import", "--source", from, "--image", to, "-o", "none"]),
            Self::Skopeo => command
                .args(["copy", "-q", "--all"])
                .args(["--src-tls-verify=false", "--dest-tls-verify=false"])
                .arg(format!("docker://{from}"))
                .arg(format!("docker://{to}")),
            Self::Crane => command.args(["copy", "--insecure", from, to]),
        };
        command
            .env("HOME", home.path())
            .env("ACRT_STATE_DIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let begun = Instant::now();
        let output = command
            .output()
            .context("`/usr/bin/time` is needed: apt-get install time")?;
        let wall = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{self} failed: {said}");
        let figures: Vec<f64> = said
            .lines()
            .last()
            .unwrap_or_default()
            .split(' ')
            .filter_map(|figure| figure.parse().ok())
            .collect();
        let [memory, user, system] = figures.as_slice() else {
            anyhow::bail!("`time` says nothing of use: {said}");
        };
        Ok(Measured {
            wall,
            cpu: Duration::from_secs_f64(user + system),
            kibibytes: *memory,
            requests: 0,
        })
    }
}
