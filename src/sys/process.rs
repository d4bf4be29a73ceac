//! Processes: the only place in the program that starts one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal as Kill, kill_process_group};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
    time::Instant,
};

use crate::error::{Context as _, Error, Kind, Result};

use super::{
    command::CommandLine,
    environment, limits,
    signal::{Signal, Stop},
};

/// The most output that a process can have left in its pipe, in bytes: the largest pipe of Linux, see pipe(7).
const LEFT_IN_PIPE: usize = 1024 * 1024;

/// How long the output of an ended process is read while its children keep it open.
const DRAIN: Duration = Duration::from_millis(300);

/// How long a builder may take to remove what belongs to a container of its own that was killed, before SIGTERM.
const CLEANUP: Duration = Duration::from_secs(2);

/// How long processes left by a killed acrt may take to end after SIGTERM, and again after SIGKILL.
const LEFT_OVER: Duration = Duration::from_secs(5);

/// The timeout of a short answer, such as a program's version.
pub const QUESTION: Duration = Duration::from_secs(10);

/// Starts a program with at most so many KiB of memory that it can write to, see RLIMIT_DATA in getrlimit(2): files that it only maps do not
/// count. A shell sets the limit, so that it holds from the program's first instruction on, and for all that the program starts. Where
/// acrt itself has a lower limit that cannot be raised, that one holds.
const WITH_MEMORY: &str = r#"ulimit -d "$0" 2>/dev/null; exec "$@""#;

/// How much of a short answer is kept, in bytes.
pub const MAX_ANSWER: usize = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that acrt did not send.
    Killed(i32),
    /// By acrt: it took too long.
    TimedOut,
    /// By acrt, which was asked to stop.
    Stopped(Signal),
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How long it has to end by itself after SIGTERM, before SIGKILL.
    pub grace: Duration,
}

impl Limits {
    /// Returns the limits of a program that is asked for an answer.
    pub fn of_answer(timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            grace: Duration::from_millis(500),
        }
    }
}

/// The answer of a process: its two outputs, and how it ended. What it says on the second one is no part of what was asked for, but a warning,
/// or its reason if it fails.
#[derive(Debug)]
pub struct Reply {
    pub ended: Ended,
    pub output: Vec<u8>,
    pub errors: Vec<u8>,
}

impl Reply {
    /// Tells whether it exited by itself with code 0.
    pub fn succeeded(&self) -> bool {
        self.ended == Ended::Exited(0)
    }

    /// Returns its output as text, trimmed.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).trim().to_owned()
    }

    /// Returns what it says of why it failed: its errors, or else its output.
    pub fn problem(&self) -> String {
        let errors = String::from_utf8_lossy(&self.errors).trim().to_owned();
        if errors.is_empty() {
            self.text()
        } else {
            errors
        }
    }
}

/// Runs a process to its end: in a process group of its own, without input, its two outputs joined in the order written.
///
/// When it takes too long or acrt is asked to stop, the whole group gets SIGTERM, and SIGKILL after the grace period or at the second
/// signal: builders leave their steps running when only they themselves get a signal.
pub async fn run(
    line: &CommandLine,
    limits: &Limits,
    stop: &Stop,
    output: &mut dyn FnMut(&[u8]),
) -> Result<Ended> {
    carry_out(line, Input::None, limits, stop, (output, None)).await
}

/// Runs a process that reads `input` to its end, as [`run`] does, and keeps at most `most` bytes of each of its two outputs apart.
pub async fn converse(
    line: &CommandLine,
    input: &[u8],
    limits: &Limits,
    stop: &Stop,
    most: usize,
) -> Result<Reply> {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let keep = |kept: &mut Vec<u8>, bytes: &[u8]| {
        let room = most.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    };
    let (mut seen, mut said) = (
        |bytes: &[u8]| keep(&mut output, bytes),
        |bytes: &[u8]| keep(&mut errors, bytes),
    );
    let input = Input::Text(input);
    let ended = carry_out(line, input, limits, stop, (&mut seen, Some(&mut said))).await?;
    Ok(Reply {
        ended,
        output,
        errors,
    })
}

/// Runs another process of acrt to its end, as [`run`] does: it reads `input`, and starts a session of its own with [`leave_session`].
pub async fn work(
    line: &CommandLine,
    input: &[u8],
    limits: &Limits,
    stop: &Stop,
    output: &mut dyn FnMut(&[u8]),
) -> Result<Ended> {
    carry_out(line, Input::OfAcrt(input), limits, stop, (output, None)).await
}

/// What a process reads.
#[derive(Clone, Copy)]
enum Input<'a> {
    /// Nothing, or the file that its command line names.
    None,
    Text(&'a [u8]),
    /// A text for another process of acrt, which starts a session of its own.
    OfAcrt(&'a [u8]),
}

/// What takes an output of a process.
type OutputSink<'a> = &'a mut dyn FnMut(&[u8]);

/// An output of a process while it is read.
struct OutputPipe<'a> {
    reader: pipe::Receiver,
    buffer: Vec<u8>,
    is_open: bool,
    sink: OutputSink<'a>,
}

impl<'a> OutputPipe<'a> {
    /// Makes a pipe, and returns its other end with it.
    fn new(sink: OutputSink<'a>) -> std::io::Result<(Self, std::io::PipeWriter)> {
        let (reader, writer) = std::io::pipe()?;
        let pipe = Self {
            reader: pipe::Receiver::from_owned_fd(reader.into())?,
            buffer: vec![0; 64 * 1024],
            is_open: true,
            sink,
        };
        Ok((pipe, writer))
    }

    /// Passes on what is read next, and returns its length.
    async fn pass_on(&mut self) -> usize {
        match self.reader.read(&mut self.buffer).await {
            Ok(count @ 1..) => {
                (self.sink)(&self.buffer[..count]);
                count
            }
            _ => {
                self.is_open = false;
                0
            }
        }
    }

    /// Passes on what an ended process has left. A grandchild that holds the pipe open must not block acrt, whether it is silent or prints
    /// without a pause; but what the process itself has left in the pipe is read, however slow this machine is: after the time is over, what
    /// can be read without waiting.
    async fn drain(&mut self, until: Instant) {
        let mut most = LEFT_IN_PIPE;
        while self.is_open && most > 0 {
            match tokio::time::timeout_at(until, self.pass_on()).await {
                Ok(count) => most = most.saturating_sub(count),
                Err(_) => self.is_open = false,
            }
        }
    }
}

async fn carry_out(
    line: &CommandLine,
    input: Input<'_>,
    allowed: &Limits,
    stop: &Stop,
    (output, errors): (OutputSink<'_>, Option<OutputSink<'_>>),
) -> Result<Ended> {
    let cannot = || format!("cannot start `{}`", line.program.display());
    let (mut output, writer) = OutputPipe::new(output).context(Kind::Failed, cannot)?;
    let (mut errors, error_writer) = match errors {
        Some(sink) => {
            let (errors, writer) = OutputPipe::new(sink).context(Kind::Failed, cannot)?;
            (Some(errors), writer)
        }
        None => (None, writer.try_clone().context(Kind::Failed, cannot)?),
    };
    let prepared = prepared(line).map_err(|problem| cannot_start(line, problem))?;
    let mut command = tokio::process::Command::from(prepared);
    let stdin = match (&line.stdin, input) {
        (Some(path), _) => Stdio::from(
            fs::File::open(path)
                .context(Kind::Failed, || format!("cannot read `{}`", path.display()))?,
        ),
        (None, Input::None) => Stdio::null(),
        (None, Input::Text(_) | Input::OfAcrt(_)) => Stdio::piped(),
    };
    let is_own = matches!(input, Input::OfAcrt(_));
    // The leader of a process group cannot start a session of its own.
    if !is_own {
        command.process_group(0);
    }
    command.stdin(stdin).stdout(writer).stderr(error_writer);
    let mut child =
        limits::lifted(|| command.spawn()).map_err(|problem| cannot_start(line, problem))?;
    // The command holds the write ends of the pipes; the output does not end before it is dropped.
    drop(command);
    let mut feed = std::pin::pin!(feed(child.stdin.take(), input));
    let mut is_fed = false;
    let group = group_of(&child);
    let mut stopper = Stopper {
        group,
        grace: allowed.grace,
        deadline: allowed.timeout.map(|timeout| Instant::now() + timeout),
        ending: None,
        terminate_at: None,
        kill_at: None,
        is_killed: false,
        running: true,
        is_own,
    };
    let status = loop {
        let is_heard = errors.as_ref().is_some_and(|errors| errors.is_open);
        tokio::select! {
            biased;
            status = child.wait() => break status.context(Kind::Failed, || {
                format!("cannot wait for `{}`", line.program.display())
            })?,
            () = stopper.next(stop) => {}
            () = &mut feed, if !is_fed => is_fed = true,
            // Without the pauses, timers and signals have to wait for many reads of a process that prints without one.
            _ = output.pass_on(), if output.is_open => tokio::task::yield_now().await,
            _ = async { Some(errors.as_mut()?.pass_on().await) }, if is_heard => tokio::task::yield_now().await,
        }
    };
    stopper.running = false;
    // A process that something else killed had no chance to end its children.
    if stopper.ending.is_some() || status.signal().is_some() {
        stopper.send(Kill::KILL);
    }
    let until = Instant::now() + DRAIN;
    output.drain(until).await;
    if let Some(mut errors) = errors {
        errors.drain(until).await;
    }
    Ok(stopper.ending.unwrap_or_else(|| ended(status)))
}

/// Returns the process group that a process leads.
fn group_of(child: &tokio::process::Child) -> Option<Pid> {
    let id = i32::try_from(child.id()?).ok()?;
    Pid::from_raw(id)
}

/// Writes the input of a process. A process that does not read it may end before that; its result counts then.
async fn feed(stdin: Option<tokio::process::ChildStdin>, input: Input<'_>) {
    if let (Some(mut stdin), Input::Text(text) | Input::OfAcrt(text)) = (stdin, input) {
        let _ = stdin.write_all(text).await;
    }
}

/// Asks a program for a short answer, such as its version: within ten seconds.
pub async fn ask(line: &CommandLine) -> Result<Reply> {
    ask_for(QUESTION, line).await
}

/// Asks a program as [`ask`] does, with another timeout.
pub async fn ask_for(timeout: Duration, line: &CommandLine) -> Result<Reply> {
    let limits = Limits::of_answer(timeout);
    converse(line, b"", &limits, &Stop::never(), MAX_ANSWER).await
}

/// Returns the last line that is not blank.
pub fn last_line(printed: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(printed);
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| !line.is_empty()).map(str::to_owned)
}

/// Starts a process that outlives this one and its terminal, gives it `input`, and returns the first line that it prints, which says that
/// it has taken over.
///
/// The process itself leaves the session, with [`leave_session`].
///
/// # Errors
///
/// [`Kind::Failed`] where it cannot be started, or ends before it prints a line.
pub fn detach(line: &CommandLine, input: &[u8]) -> Result<String> {
    let cannot = || "cannot start a background process".to_owned();
    let mut child = prepared(line)
        .and_then(|mut command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command.stderr(Stdio::null()).spawn()
        })
        .map_err(|problem| cannot_start(line, problem))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).context(Kind::Failed, cannot)?;
    }
    let mut answer = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut answer)
            .context(Kind::Failed, cannot)?;
    }
    if answer.is_empty() {
        let ended = child.wait().context(Kind::Failed, cannot)?;
        return Err(Error::failed(cannot()).because(anyhow::anyhow!(
            "it ended before it had said anything: {ended}"
        )));
    }
    Ok(answer)
}

/// Sends SIGINT to another process of acrt, as Ctrl-C would.
///
/// # Errors
///
/// [`Kind::Failed`] where the process does not exist or belongs to another user.
pub fn interrupt(pid: u32) -> Result<()> {
    let cannot = || format!("cannot signal the process {pid}");
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| Error::failed(cannot()))?;
    rustix::process::kill_process(process, Kill::INT).context(Kind::Failed, cannot)
}

/// Makes the kernel kill this process when its parent dies. Linux and FreeBSD only; elsewhere it goes on.
pub fn die_with_parent() {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        // Where the kernel does not support it, the next round ends what is left.
        let _ = rustix::process::set_parent_process_death_signal(Some(Kill::KILL));
    }
}

/// Leaves the session and the terminal of the process that started this one.
///
/// # Errors
///
/// [`Kind::Failed`] where the machine does not allow it.
pub fn leave_session() -> Result<()> {
    rustix::process::setsid()
        .map(|_| ())
        .context(Kind::Failed, || "cannot leave the terminal".to_owned())
}

/// Ends what is left of a builder whose acrt was killed: every process that has `name=value` in its environment, with its whole process
/// group, and waits until all of them are gone. Returns how many there were.
///
/// The groups get SIGTERM first: a killed builder leaves its step and its mounts behind, while a terminated one removes them. Those that do
/// not end within five seconds get SIGKILL. Needs `/proc`; elsewhere nothing is found.
///
/// # Errors
///
/// [`Kind::Failed`] with a process that still exists five seconds after SIGKILL.
pub async fn end_marked_processes(name: &str, value: &str) -> Result<usize> {
    end_marked_within(name, value, LEFT_OVER).await
}

async fn end_marked_within(name: &str, value: &str, grace: Duration) -> Result<usize> {
    let marker = format!("{name}={value}");
    let mut groups = BTreeSet::new();
    let (mut found, mut asked) = (BTreeSet::new(), BTreeSet::new());
    let begun = Instant::now();
    let mut was_empty = false;
    loop {
        let left = left_running(marker.as_bytes(), &groups);
        // Searched twice: a process that was being started when its acrt was killed has no environment for a moment.
        if left.is_empty() && was_empty {
            return Ok(found.len());
        }
        was_empty = left.is_empty();
        let waited = begun.elapsed();
        if let Some(process) = left.first().filter(|_| waited > LEFT_OVER + grace) {
            return Err(Error::failed(format!(
                "the process {} was killed, and does not end",
                process.pid
            ))
            .hint(format!(
                "see what holds it: cat /proc/{}/status",
                process.pid
            )));
        }
        // A group without members is dropped: its number may be used again.
        groups = left.iter().map(|process| process.group).collect();
        for group in &groups {
            if waited > grace {
                send(*group, Kill::KILL);
            } else if asked.insert(*group) {
                send(*group, Kill::TERM);
            }
        }
        found.extend(left.iter().map(|process| process.pid));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A process that is no zombie, as `/proc` shows it.
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
}

/// Returns all processes. Needs `/proc`; elsewhere none is found.
fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| living(entry.file_name().to_str()?.parse().ok()?))
}

/// Returns a process; `None` for a zombie.
fn living(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it, in parentheses, may contain any characters.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (!matches!(state, "Z" | "X")).then_some(Process { pid, parent, group })
}

/// Returns the processes that have `marker` in their environment or are in one of `groups`, but never those of this process's own group.
fn left_running(marker: &[u8], groups: &BTreeSet<i32>) -> Vec<Process> {
    let own = rustix::process::getpgrp().as_raw_nonzero().get();
    let others = processes().filter(|it| it.group != own);
    others
        .filter(|it| groups.contains(&it.group) || has_variable(it.pid, marker))
        .collect()
}

/// Tells whether a process that this one may look into runs one of `programs` with the same value of an environment variable as this process.
/// Needs `/proc`; elsewhere one is assumed.
pub fn is_running(programs: &[&str], variable: &str) -> bool {
    let Ok(entries) = fs::read_dir("/proc") else {
        return true;
    };
    let own = environment::variable(variable).map(String::into_bytes);
    let value = |pid: &str| -> Option<Option<Vec<u8>>> {
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let name = format!("{variable}=");
        let mut all = environ.split(|b| *b == 0);
        let value = all.find_map(|it| it.strip_prefix(name.as_bytes()));
        Some(value.map(<[u8]>::to_vec))
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|pid| {
        let Some(pid) = pid.to_str() else {
            return false;
        };
        let program = fs::read_link(format!("/proc/{pid}/exe"));
        let name = program
            .ok()
            .and_then(|it| it.file_name()?.to_str().map(str::to_owned));
        let Some(name) = name.filter(|it| programs.contains(&it.as_str())) else {
            return false;
        };
        // Not one that only holds namespaces open, which renames itself.
        let title = fs::read_to_string(format!("/proc/{pid}/comm"));
        let is_itself = title.is_ok_and(|title| title.trim_end() == name);
        is_itself && value(pid).is_none_or(|value| value == own)
    })
}

/// Kills the containers that a builder has started itself, and returns whether there were any. podman ends at SIGTERM without them: they
/// would run on, with their networks. If it is the container that ends, podman removes what belongs to it and ends too.
fn kill_containers(builder: Pid) -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(own) = namespace("self") else {
        return false;
    };
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for process in processes() {
        children
            .entry(process.parent)
            .or_default()
            .push(process.pid);
    }
    let mut open = vec![builder.as_raw_nonzero().get()];
    let mut has_any = false;
    while let Some(pid) = open.pop() {
        open.extend(children.remove(&pid).unwrap_or_default());
        let is_contained = namespace(&pid.to_string()).is_some_and(|it| it != own);
        if let Some(pid) = Pid::from_raw(pid).filter(|_| is_contained) {
            has_any |= rustix::process::kill_process(pid, Kill::KILL).is_ok();
        }
    }
    has_any
}

fn has_variable(pid: i32, marker: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|b| *b == 0).any(|one| one == marker))
}

fn send(group: i32, signal: Kill) {
    if let Some(group) = Pid::from_raw(group) {
        // It is no error if no process is left.
        let _ = kill_process_group(group, signal);
    }
}

/// Finds a program on `path`, as a shell does, but in no relative folder of it.
pub fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        fs::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_program(path));
    }
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|path| is_program(path))
}

#[expect(clippy::disallowed_methods, reason = "the one place")]
fn prepared(line: &CommandLine) -> std::io::Result<std::process::Command> {
    // A relative path would be looked up in the folder in which the program is started, which may be a guest's.
    let program = if line.program.components().nth(1).is_some() {
        std::path::absolute(&line.program)?
    } else {
        line.program.clone()
    };
    let mut command = if line.memory_mib == 0 {
        std::process::Command::new(program)
    } else {
        // The shell would report a missing program in words of its own.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = find(&program.to_string_lossy(), &path);
        let program = found.ok_or(rustix::io::Errno::NOENT)?;
        let kib = line.memory_mib.saturating_mul(1024).to_string();
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", WITH_MEMORY, &kib]).arg(program);
        shell
    };
    command.args(&line.args);
    if line.inherits_all {
        // The protocol of the service manager is only for this process, not for its children.
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
    } else {
        command.env_clear().envs(environment::handed_on());
    }
    for (name, value) in &line.env {
        command.env(name, value.reveal());
    }
    if let Some(dir) = &line.dir {
        // As a shell does: docker compose takes `${PWD}` of a file from it.
        command.env("PWD", std::path::absolute(dir)?);
        command.current_dir(dir);
    }
    Ok(command)
}

fn cannot_start(line: &CommandLine, problem: std::io::Error) -> Error {
    let missing = problem.kind() == std::io::ErrorKind::NotFound;
    let error =
        Error::failed(format!("cannot start `{}`", line.program.display())).because(problem);
    if missing {
        error.hint("install it, or put its folder on PATH")
    } else {
        error
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, Some(signal)) => Ended::Killed(signal),
        (None, None) => Ended::Exited(1),
    }
}

/// Ends a process group: with SIGTERM first, then with SIGKILL.
struct Stopper {
    group: Option<Pid>,
    grace: Duration,
    deadline: Option<Instant>,
    ending: Option<Ended>,
    /// When the group gets SIGTERM, if it is given time to end by itself first.
    terminate_at: Option<Instant>,
    kill_at: Option<Instant>,
    is_killed: bool,
    running: bool,
    /// Whether the process is one of acrt and gets the same signal as this one, because it reports by which signal it ended.
    is_own: bool,
}

impl Drop for Stopper {
    /// Kills the group if nothing waits for the process any more, so that it does not go on unseen.
    fn drop(&mut self) {
        if self.running {
            self.send(Kill::KILL);
        }
    }
}

impl Stopper {
    /// Waits until the group must be signalled next, and sends the signal.
    async fn next(&mut self, stop: &Stop) {
        match self.kill_at {
            None => {
                self.ending = Some(tokio::select! {
                    signal = stop.wait() => Ended::Stopped(signal),
                    () = until(self.deadline) => Ended::TimedOut,
                });
                let now = Instant::now();
                self.kill_at = Some(now + self.grace);
                if !self.is_own && self.group.is_some_and(kill_containers) {
                    self.terminate_at = Some(now + CLEANUP.min(self.grace / 2));
                } else {
                    self.terminate();
                }
            }
            Some(kill_at) => {
                tokio::select! {
                    () = stop.wait_again(), if !self.is_killed => {}
                    () = until(self.terminate_at), if self.terminate_at.is_some() => {
                        self.terminate_at = None;
                        self.terminate();
                        return;
                    }
                    () = tokio::time::sleep_until(kill_at) => {}
                }
                self.is_killed = true;
                self.send(Kill::KILL);
                // Processes that fork while they are killed are killed again soon.
                self.kill_at = Some(Instant::now() + Duration::from_millis(50));
            }
        }
    }

    fn terminate(&self) {
        self.send(match self.ending {
            Some(Ended::Stopped(Signal::Interrupt)) if self.is_own => Kill::INT,
            Some(Ended::Stopped(Signal::Hangup)) if self.is_own => Kill::HUP,
            _ => Kill::TERM,
        });
    }

    fn send(&self, signal: Kill) {
        if let Some(group) = self.group {
            // A process that is about to start a session of its own leads no group yet. It is no error if no process is left.
            if kill_process_group(group, signal).is_err() {
                let _ = rustix::process::kill_process(group, signal);
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> CommandLine {
        CommandLine::new("/bin/sh").arg("-c").arg(script)
    }

    fn limits(timeout_ms: u64) -> Limits {
        Limits {
            timeout: Some(Duration::from_millis(timeout_ms)),
            grace: Duration::from_millis(200),
        }
    }

    /// Tells whether a process has ended, even if it is a zombie.
    fn is_gone(process: u32) -> bool {
        fs::read_to_string(format!("/proc/{process}/stat"))
            .map_or(true, |stat| stat.contains(") Z "))
    }

    #[tokio::test]
    async fn dropped_process_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!("sleep 60 & echo $$ $! > {}; wait", pids.display());
        let (line, limits, stop) = (sh(&script), limits(60_000), Stop::never());
        let mut ignore = |_: &[u8]| {};
        let process = run(&line, &limits, &stop, &mut ignore);
        let started = async {
            while fs::read_to_string(&pids).map_or(true, |text| text.is_empty()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = process => panic!("it should still run"),
            () = started => {}
        }
        let pids = fs::read_to_string(&pids).unwrap();
        for process in pids.split_whitespace() {
            let process = process.parse().unwrap();
            while !is_gone(process) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    #[tokio::test]
    async fn children_of_a_killed_process_are_killed() {
        let (ended, text) = run_sh("sleep 60 & echo $!; kill -9 $$", limits(60_000)).await;
        assert_eq!(ended, Ended::Killed(9));
        let child = text.trim().parse().unwrap();
        while !is_gone(child) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[test]
    fn detached_process_that_exits_without_output_is_an_error() {
        let error = detach(&sh("exit 3"), b"").unwrap_err();
        let cause = error.causes().remove(0);
        assert!(cause.contains("before it had said anything"), "{cause}");
    }

    async fn run_sh(script: &str, limits: Limits) -> (Ended, String) {
        let mut text = Vec::new();
        let ended = run(&sh(script), &limits, &Stop::never(), &mut |bytes| {
            text.extend_from_slice(bytes);
        })
        .await
        .unwrap();
        (ended, String::from_utf8(text).unwrap())
    }

    #[tokio::test]
    async fn conversation_passes_input_and_collects_both_outputs() {
        let line = sh("read -r word; echo \"<$word>\"; echo oops >&2; exit 3");
        let reply = converse(&line, b"hello\n", &limits(60_000), &Stop::never(), 100).await;
        let reply = reply.unwrap();
        assert_eq!(reply.ended, Ended::Exited(3));
        assert_eq!(
            (reply.output, reply.errors),
            (b"<hello>\n".to_vec(), b"oops\n".to_vec())
        );
    }

    #[tokio::test]
    async fn conversation_ends_with_a_process_that_does_not_read_its_input() {
        let (line, input) = (sh("sleep 60 & echo done"), vec![b'x'; 1_000_000]);
        let reply = converse(&line, &input, &limits(60_000), &Stop::never(), 100).await;
        let reply = reply.unwrap();
        assert_eq!(
            (reply.ended, reply.output),
            (Ended::Exited(0), b"done\n".to_vec())
        );
    }

    #[tokio::test]
    async fn silent_process_of_a_conversation_is_killed_with_its_children_at_the_timeout() {
        let before = std::time::Instant::now();
        let line = sh("sleep 61 & echo $!; wait");
        let reply = ask_for(Duration::from_secs(2), &line).await.unwrap();
        assert_eq!(reply.ended, Ended::TimedOut);
        let child: u32 = String::from_utf8(reply.output)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        while !is_gone(child) {
            assert!(before.elapsed() < Duration::from_secs(30), "{child} lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn errors_of_a_query_are_no_part_of_its_answer() {
        let script = "i=0; while [ $i -lt 5000 ]; do echo warning: something >&2; echo answer; i=$((i + 1)); done";
        let reply = ask(&sh(script)).await.unwrap();
        assert!(reply.succeeded());
        assert_eq!(reply.output, b"answer\n".repeat(5000));
        assert_eq!(reply.errors, b"warning: something\n".repeat(5000));
        let failed = ask(&sh("echo one; echo two >&2; exit 3")).await.unwrap();
        assert_eq!(
            (failed.text(), failed.problem()),
            ("one".into(), "two".into())
        );
        assert_eq!(ask(&sh("echo one; exit 3")).await.unwrap().problem(), "one");
    }

    #[tokio::test]
    async fn both_outputs_arrive_in_the_order_written() {
        let (ended, text) = run_sh("echo a; echo b >&2; echo c; exit 7", limits(5000)).await;
        assert_eq!((ended, text.as_str()), (Ended::Exited(7), "a\nb\nc\n"));
    }

    #[tokio::test]
    async fn process_over_its_timeout_is_killed_with_its_children() {
        let before = std::time::Instant::now();
        let (ended, text) = run_sh(
            "(trap '' TERM; sleep 60) & echo $!; wait; sleep 60",
            limits(2_000),
        )
        .await;
        assert_eq!(ended, Ended::TimedOut);
        assert!(before.elapsed() < Duration::from_secs(30));
        let child: u32 = text.trim().parse().unwrap();
        while !is_gone(child) {
            assert!(before.elapsed() < Duration::from_secs(30), "{child} lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn container_of_a_stopped_process_is_killed_first_and_the_process_removes_what_is_left() {
        let script = "trap 'echo terminated; exit' TERM
            unshare --user --map-root-user --pid --fork sleep 60 2>/dev/null
            echo removed";
        let (ended, text) = run_sh(script, limits(1_000)).await;
        assert_eq!((ended, text.as_str()), (Ended::TimedOut, "removed\n"));
    }

    #[tokio::test]
    async fn process_that_fills_the_pipe_and_hangs_is_killed_at_the_timeout() {
        let before = std::time::Instant::now();
        let script = "dd if=/dev/zero bs=65536 count=1 2>/dev/null; sleep 60";
        let (ended, text) = run_sh(script, limits(2_000)).await;
        assert_eq!((ended, text.len()), (Ended::TimedOut, 65_536));
        assert!(before.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test]
    async fn process_that_prints_without_a_pause_is_stopped_and_timed_out_at_once() {
        let (halt, stop) = Stop::never().or_halt();
        let reads_after = std::cell::Cell::new(0);
        let mut ask = |_: &[u8]| {
            halt.ask();
            reads_after.set(reads_after.get() + 1);
        };
        let line = CommandLine::new("yes");
        let ended = run(&line, &limits(60_000), &stop, &mut ask).await.unwrap();
        assert!(matches!(ended, Ended::Stopped(_)), "{ended:?}");
        // What was in the pipe, and what it printed before the signal reached it.
        assert!(reads_after.get() < 32, "{}", reads_after.get());
        let mut late = Duration::ZERO;
        let (allowed, before) = (limits(200), std::time::Instant::now());
        let mut busy = |_: &[u8]| {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_millis(20) {
                std::hint::spin_loop();
            }
            late = before.elapsed();
        };
        let ended = run(&line, &allowed, &Stop::never(), &mut busy).await;
        assert_eq!(ended.unwrap(), Ended::TimedOut);
        assert!(late < Duration::from_millis(2_000), "{late:?}");
    }

    #[tokio::test]
    async fn grandchild_that_holds_the_output_does_not_delay_the_result() {
        let before = std::time::Instant::now();
        let (ended, text) = run_sh("sleep 60 & echo done", limits(120_000)).await;
        assert_eq!((ended, text.as_str()), (Ended::Exited(0), "done\n"));
        assert!(before.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test]
    async fn process_input_is_empty_and_secrets_are_passed_in_the_environment() {
        let line =
            sh("cat; echo $TOKEN").secret_env("TOKEN", super::super::secret::Secret::new("x y"));
        let answer = ask(&line).await.unwrap();
        assert_eq!(answer.text(), "x y");
        assert!(answer.succeeded());
    }

    #[tokio::test]
    async fn missing_program_is_reported_with_its_name() {
        for memory_mib in [0, 64] {
            let mut line = CommandLine::new("/no/such/program");
            line.memory_mib = memory_mib;
            let error = ask(&line).await.unwrap_err();
            assert_eq!(error.to_string(), "cannot start `/no/such/program`");
            assert!(error.advice().unwrap().starts_with("install it"));
        }
    }

    #[tokio::test]
    async fn relative_path_of_a_program_is_not_looked_up_in_the_folder_where_it_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("prog");
        std::os::unix::fs::symlink("/bin/true", &program).unwrap();
        let mut line = CommandLine::new("./prog");
        line.dir = Some(folder.path().to_owned());
        assert!(ask(&line).await.is_err());
        line.program = program;
        assert!(ask(&line).await.unwrap().succeeded());
    }

    #[tokio::test]
    async fn program_that_is_started_in_a_folder_gets_it_as_pwd() {
        let mut line = CommandLine::new("printenv").arg("PWD").env("PWD", "/else");
        line.dir = Some(PathBuf::from("/usr"));
        assert_eq!(ask(&line).await.unwrap().text(), "/usr");
    }

    #[tokio::test]
    async fn memory_limit_binds_a_program_and_those_that_it_starts() {
        let mut line = sh(r#"ulimit -d; /bin/sh -c "ulimit -d"; echo "$1 $2""#);
        line = line.args(["sh", "a  b", "$c"]);
        line.memory_mib = 64;
        assert_eq!(ask(&line).await.unwrap().text(), "65536\n65536\na  b $c");
        line.memory_mib = u64::MAX;
        assert!(ask(&line).await.unwrap().succeeded());
    }

    /// Starts a shell in a process group of its own, marked by `marker`, and waits until its environment is visible.
    fn marked_sh(script: &str, marker: &str) -> std::process::Child {
        let line = sh(script).env("ACRT_TEST_MARK", marker);
        let mut command = prepared(&line).unwrap();
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let before = std::time::Instant::now();
        while !has_variable(pid, format!("ACRT_TEST_MARK={marker}").as_bytes()) {
            assert!(before.elapsed() < Duration::from_secs(30), "never shown");
        }
        child
    }

    #[tokio::test]
    async fn marked_process_is_terminated_and_waited_for() {
        let marker = format!("/tmp/asked-{}", std::process::id());
        let mut child = marked_sh("sleep 60", &marker);
        let ended = end_marked_processes("ACRT_TEST_MARK", &marker).await;
        assert!(ended.unwrap() >= 1);
        assert_eq!(child.wait().unwrap().signal(), Some(15));
    }

    #[tokio::test]
    async fn marked_process_that_ignores_sigterm_is_killed_with_unmarked_members_of_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let marker = folder.path().display().to_string();
        // The second process has neither the marker nor a living parent when the first has ended.
        let script = format!(
            "trap '' TERM; env -i /bin/sh -c 'trap \"\" TERM; echo $$ >> {0}; sleep 60 & wait; sleep 60' & echo $$ >> {0}; sleep 60",
            pids.display()
        );
        let mut child = marked_sh(&script, &marker);
        let written = || fs::read_to_string(&pids).unwrap_or_default();
        while written().lines().count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        end_marked_within("ACRT_TEST_MARK", &marker, Duration::from_millis(100))
            .await
            .unwrap();
        for process in written().lines() {
            assert!(is_gone(process.parse().unwrap()), "{process} lives");
        }
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn programs_are_found_on_the_path_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("prog");
        fs::write(&program, "").unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find("prog", &path), None);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find("prog", &path), Some(program));
        let relative = Path::new(".ci");
        assert!(relative.join("run").is_file());
        assert_eq!(find("run", relative.as_os_str()), None);
    }
}
