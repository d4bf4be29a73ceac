//! Runs commands and measures their cost.
//!
//! The kernel counts the peak memory of a parent for a process that it starts. So the benchmark starts itself again for each
//! measurement, and that small launcher starts the measured commands.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::cores;

/// The first argument of the launcher process.
pub const MODE: &str = "launch";

/// Commands to measure together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Programs with their arguments.
    pub commands: Vec<Vec<String>>,
    /// How many run at the same time.
    pub at_once: usize,
    /// Their whole environment, besides `PATH`.
    pub env: Vec<(String, PathBuf)>,
    /// The file for their standard output, if it is kept.
    pub stdout: Option<PathBuf>,
}

/// The cost of commands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// From before the first starts to after the last ends.
    pub wall: Duration,
    /// User and system time of all of them.
    pub cpu: Duration,
    /// The peak memory of the largest command.
    pub peak_kib: u64,
    /// The peak memory of the launcher, below which a command's memory cannot be measured.
    pub floor_kib: u64,
    /// The exit codes that were not 0.
    pub failures: Vec<Option<i32>>,
    /// The last lines of their standard error.
    pub complaint: String,
}

impl Job {
    /// Returns a job for one program with an empty environment, besides what `with` adds.
    #[must_use]
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            commands: vec![command.into_iter().map(Into::into).collect()],
            at_once: 1,
            env: Vec::new(),
            stdout: None,
        }
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.env.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts the one program without its output.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub fn start(&self) -> Result<Child> {
        let command = self.commands.first().context("no command")?;
        let (program, args) = command.split_first().context("an empty command")?;
        let mut child = Command::new(program);
        child
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        child
            .spawn()
            .with_context(|| format!("cannot start `{program}`"))
    }

    /// Runs the job in a launcher process.
    ///
    /// # Errors
    ///
    /// If a program cannot be started, or exits with a code other than 0.
    pub fn measure(&self) -> Result<Figures> {
        let itself = std::env::current_exe().context("cannot find the benchmark itself")?;
        let mut small = Command::new(itself)
            .arg(MODE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the benchmark anew")?;
        let mut stdin = small.stdin.take().context("it has no standard input")?;
        stdin.write_all(&serde_json::to_vec(self)?)?;
        drop(stdin);
        let output = small.wait_with_output()?;
        let first = self.commands.first().map(|command| command.join(" "));
        let first = first.unwrap_or_default();
        ensure!(output.status.success(), "`{first}` could not be measured");
        let figures: Figures = serde_json::from_slice(&output.stdout)?;
        if let Some(code) = figures.failures.first() {
            bail!("`{first}` ended with {code:?}: {}", figures.complaint);
        }
        Ok(figures)
    }
}

/// The launcher process: reads a job, runs it on the clients' core, writes the figures.
///
/// # Errors
///
/// If a program cannot be started.
pub fn main() -> Result<()> {
    cores::take(cores::Side::Clients)?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let job: Job = serde_json::from_str(&text)?;
    let figures = run(&job)?;
    serde_json::to_writer(std::io::stdout(), &figures)?;
    Ok(())
}

fn run(job: &Job) -> Result<Figures> {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let ended = match job.at_once {
        // Another thread would count as memory.
        1 => vec![work(job, &next)],
        many => thread::scope(|scope| {
            let workers: Vec<_> = (0..many)
                .map(|_| scope.spawn(|| work(job, &next)))
                .collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined
                .map(|work| work.unwrap_or_else(|_| bail!("a thread ended badly")))
                .collect()
        }),
    };
    let wall = start.elapsed();
    let mut failures = Vec::new();
    let mut complaint = String::new();
    for work in ended {
        for (code, words) in work? {
            failures.push(code);
            complaint = words;
        }
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(Figures {
        wall,
        cpu: cores::cpu_time(&usage),
        peak_kib: u64::try_from(usage.max_rss())?,
        floor_kib: own_peak_kib()?,
        failures,
        complaint,
    })
}

/// Runs commands until none is left, and returns the failed ones.
fn work(job: &Job, next: &AtomicUsize) -> Result<Vec<(Option<i32>, String)>> {
    let mut failures = Vec::new();
    while let Some(command) = job.commands.get(next.fetch_add(1, Ordering::Relaxed)) {
        let (program, args) = command.split_first().context("an empty command")?;
        let stdout = match &job.stdout {
            Some(path) => Stdio::from(File::create(path)?),
            None => Stdio::null(),
        };
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(job.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{program}`"))?;
        let mut words = String::new();
        if let Some(stderr) = &mut child.stderr {
            stderr.read_to_string(&mut words)?;
        }
        let status = child.wait()?;
        if !status.success() {
            let lines: Vec<&str> = words.lines().collect();
            let last = lines[lines.len().saturating_sub(5)..].join("\n");
            failures.push((status.code(), last));
        }
    }
    Ok(failures)
}

/// Returns the peak memory of this process since its exec.
fn own_peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    Ok(peak
        .context("the kernel tells no peak memory")?
        .trim()
        .parse()?)
}
