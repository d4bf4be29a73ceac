//! A running program, and its output and exit code.

use std::{
    fmt::{Display, from_fn},
    fs,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::eventually;

/// A running `acrt`, which is killed when the test ends.
pub struct Running {
    child: Child,
    line: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts `command` in a process group of its own, with its output in files whose names start with `output`.
    pub fn start(mut command: Command, line: String, output: &std::path::Path) -> Self {
        let (stdout, stderr) = (output.with_extension("out"), output.with_extension("err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&stdout).unwrap())
            .stderr(fs::File::create(&stderr).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            child,
            line,
            stdout,
            stderr,
        }
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to this process only, as `kill PID` does.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends SIGTERM, as systemd does, and checks that it ends within its grace period, whatever its children do.
    #[track_caller]
    pub fn ends_within_grace(self) {
        let asked = Instant::now();
        self.signal(Signal::TERM);
        self.wait().exits(143);
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(12), "{took:?}");
    }

    /// Waits until its standard error contains `text`.
    pub fn stderr_has(&self, text: &str) {
        eventually(self.text(text), || {
            fs::read_to_string(&self.stderr)
                .unwrap()
                .contains(text)
                .then_some(())
        });
    }

    /// Waits until a line of its standard error contains `text`, and returns the rest of that line.
    pub fn stderr_after(&self, text: &str) -> String {
        eventually(self.text(text), || {
            let printed = fs::read_to_string(&self.stderr).unwrap();
            let (_, rest) = printed.split_once(text)?;
            // An unfinished line may still grow.
            rest.split_once('\n').map(|(line, _)| line.to_owned())
        })
    }

    /// Waits until its standard output contains `text`.
    pub fn stdout_has(&self, text: &str) {
        eventually(self.text(text), || {
            fs::read_to_string(&self.stdout)
                .unwrap()
                .contains(text)
                .then_some(())
        });
    }

    fn text(&self, text: &str) -> impl Display {
        awaited(format!("`{text}`"), &self.line, &self.stderr)
    }

    /// Returns its standard output so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap()
    }

    /// Returns its standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Output {
        let what = awaited("the end".to_owned(), &self.line, &self.stderr);
        let status = eventually(what, || self.child.try_wait().unwrap());
        Output {
            line: self.line.clone(),
            code: exit_code(status),
            stdout: fs::read_to_string(&self.stdout).unwrap(),
            stderr: fs::read_to_string(&self.stderr).unwrap(),
        }
    }

    /// Kills it without warning, like a power cut.
    pub fn kill(self) -> Output {
        self.signal(Signal::KILL);
        self.wait()
    }
}

/// Describes what a program was expected to do, and its standard error so far, which says what it is waiting for.
fn awaited(what: String, line: &str, stderr: &Path) -> impl Display {
    from_fn(move |f| {
        let said = fs::read_to_string(stderr).unwrap_or_default();
        write!(f, "{what} of {line}, which has said {said:?}")
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended, which is fine.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Returns the exit code as in a shell: 128 plus the signal's number for a killed program.
fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// The output and the exit code of a program.
#[derive(Debug)]
pub struct Output {
    line: String,
    /// The exit code, or 128 plus the number of the signal that killed it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Checks that it succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Checks that standard error contains each of `texts`.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "no `{text}` in {self}");
        }
        self
    }

    /// Checks that standard output contains each of `texts`.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "no `{text}` in {self}");
        }
        self
    }

    /// Checks that it printed nothing at all.
    #[track_caller]
    pub fn silent(self) -> Self {
        assert!(self.stdout.is_empty() && self.stderr.is_empty(), "{self}");
        self
    }

    /// Parses standard output, which must be exactly one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(problem) => panic!("{problem} in {self}"),
        }
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}`: exit {}\n--- stdout\n{}--- stderr\n{}---",
            self.line, self.code, self.stdout, self.stderr
        )
    }
}
