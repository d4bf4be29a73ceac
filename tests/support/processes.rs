//! Running processes, from `/proc`.

use std::{fs, path::Path};

use rustix::process::{Pid, Signal, kill_process};

/// A process found in `/proc`.
#[derive(Debug)]
pub struct Process {
    pub pid: i32,
    /// Its arguments, joined by blanks.
    pub line: String,
}

/// Returns the processes whose arguments contain `text`.
pub fn with_argument(text: &str) -> Vec<Process> {
    all()
        .filter(|process| process.line.contains(text))
        .collect()
}

/// Returns the processes that were started with `dir` in their arguments or environment, or that work in it.
pub fn inside(dir: &Path) -> Vec<Process> {
    let needle = dir.to_str().unwrap();
    all()
        .filter(|process| {
            let proc = Path::new("/proc").join(process.pid.to_string());
            let environment = fs::read(proc.join("environ")).unwrap_or_default();
            let lies_in =
                |link: &str| fs::read_link(proc.join(link)).is_ok_and(|to| to.starts_with(dir));
            process.line.contains(needle)
                || String::from_utf8_lossy(&environment).contains(needle)
                || lies_in("cwd")
                || lies_in("root")
        })
        .collect()
}

/// Kills processes without warning, like a power cut.
pub fn kill(processes: &[Process]) {
    for process in processes {
        if let Some(pid) = Pid::from_raw(process.pid) {
            // It may have ended meanwhile.
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

/// Tells whether this process, and so its children, ignores one of SIGHUP, SIGINT and SIGQUIT: under nohup, or as a background job of
/// a script.
pub fn is_deaf() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let (_, mask) = status.split_once("SigIgn:\t").unwrap();
    let (mask, _) = mask.split_once('\n').unwrap();
    // Signals 1, 2 and 3.
    u64::from_str_radix(mask, 16).unwrap() & 0b111 != 0
}

fn all() -> impl Iterator<Item = Process> {
    let own = i32::try_from(std::process::id()).unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(move |pid| *pid != own)
        .filter_map(|pid| {
            // A process that ends meanwhile has no arguments any more, and neither has a zombie.
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&arguments).replace('\0', " ");
            (!line.is_empty()).then(|| Process {
                pid,
                line: line.trim_end().to_owned(),
            })
        })
}
