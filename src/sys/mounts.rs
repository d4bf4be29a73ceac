//! File systems of other machines and of programs, such as NFS and FUSE, which may stop answering: a thread that reads a file there then blocks
//! for ever. A separate thread, which no other waits for, tries it first.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

/// The types of file systems that may stop to answer; those of FUSE have a type of their own for each program.
const TYPES: [&str; 10] = [
    "9p", "afs", "ceph", "cifs", "drvfs", "lustre", "nfs", "nfs4", "smb3", "virtiofs",
];

/// How long a file system may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long its answer counts, and the table of mount points.
const FRESH: Duration = Duration::from_secs(5);

/// Returns the mount point of the file system of a folder, if that does not answer now.
pub fn hanging(folder: &Path) -> Option<PathBuf> {
    let mounts = MountTable::current();
    let point = mounts.point(folder)?;
    let folder = folder.to_owned();
    let has_answered = answers(point, PATIENCE, move || {
        // Only that there is an answer matters; who reads the files later reports the errors.
        let _ = fs::read_dir(folder).map(|mut entries| entries.next().is_some());
    });
    (!has_answered).then(|| point.to_owned())
}

/// Which file systems may stop to answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct MountTable {
    /// Each mount point, and whether its file system is such a one; the last one of a path counts. Empty where there is no such one.
    points: Vec<(PathBuf, bool)>,
}

impl MountTable {
    /// Returns the mount points of this machine from `/proc/self/mountinfo`, see proc(5); where it cannot be read, there are none. It is read
    /// every few seconds, not for each of thousands of tasks.
    fn current() -> Arc<Self> {
        let mut last = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, mounts)) if at.elapsed() < FRESH => Arc::clone(mounts),
            _ => {
                let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
                let mounts = Arc::new(Self::parse(&text));
                *last = Some((Instant::now(), Arc::clone(&mounts)));
                mounts
            }
        }
    }

    fn parse(text: &[u8]) -> Self {
        let lines = text.split(|byte| *byte == b'\n');
        let points: Vec<(PathBuf, bool)> = lines.filter_map(mount).collect();
        match points.iter().any(|(_, may_hang)| *may_hang) {
            true => Self { points },
            false => Self::default(),
        }
    }

    /// Returns the mount point of the file system of a folder, if that may stop to answer.
    fn point(&self, folder: &Path) -> Option<&Path> {
        let above = self
            .points
            .iter()
            .filter(|(point, _)| folder.starts_with(point));
        let (point, may_hang) = above.max_by_key(|(point, _)| point.components().count())?;
        may_hang.then_some(point)
    }
}

/// Reads a line of `/proc/self/mountinfo`.
fn mount(line: &[u8]) -> Option<(PathBuf, bool)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = fields.nth(4)?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let kind = String::from_utf8_lossy(kind);
    let may_hang = kind.starts_with("fuse") && kind != "fusectl" || TYPES.contains(&&*kind);
    Some((unescaped(point), may_hang))
}

/// Returns a path whose blanks, tabs, line feeds and backslashes are written in octal, as `\040`.
fn unescaped(text: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                path.push(byte);
                rest = &behind[3..];
            }
            None => {
                path.push(*first);
                rest = behind;
            }
        }
    }
    OsString::from_vec(path).into()
}

/// The last try of a file system.
enum Probe {
    Answered(Instant),
    /// The thread that tries it still waits.
    Waiting(Receiver<()>),
}

static TABLE: Mutex<Option<(Instant, Arc<MountTable>)>> = Mutex::new(None);

static ATTEMPTS: Mutex<BTreeMap<PathBuf, Probe>> = Mutex::new(BTreeMap::new());

/// Returns whether `work` ends in time, with one thread at most for each mount point: while one waits, no other is started.
fn answers(point: &Path, patience: Duration, work: impl FnOnce() + Send + 'static) -> bool {
    let mut attempts = ATTEMPTS.lock().unwrap_or_else(PoisonError::into_inner);
    match attempts.get(point) {
        Some(Probe::Answered(at)) if at.elapsed() < FRESH => return true,
        Some(Probe::Waiting(done)) if done.try_recv() == Err(TryRecvError::Empty) => {
            return false;
        }
        _ => {}
    }
    let (tell, done) = mpsc::channel();
    let thread = thread::Builder::new().name("mount".to_owned());
    let spawned = thread.spawn(move || {
        work();
        // Nobody may wait for it any more.
        let _ = tell.send(());
    });
    let has_answered = spawned.is_err() || done.recv_timeout(patience).is_ok();
    let attempt = match has_answered {
        true => Probe::Answered(Instant::now()),
        false => Probe::Waiting(done),
    };
    attempts.insert(point.to_owned(), attempt);
    has_answered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_system_of_a_folder_is_that_of_the_nearest_mount_point() {
        let table = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            30 21 0:40 / /mnt rw,relatime shared:5 - nfs4 host:/x rw\n\
            31 30 8:2 / /mnt/local rw - ext4 /dev/sdb1 rw\n\
            32 21 0:41 / /my\\040files rw - fuse.sshfs me@host: rw\n\
            33 21 0:42 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n";
        let mounts = MountTable::parse(table);
        for (folder, point) in [
            ("/mnt/web", Some("/mnt")),
            ("/mnt", Some("/mnt")),
            ("/mntx", None),
            ("/mnt/local/web", None),
            ("/my files/web", Some("/my files")),
            ("/home/web", None),
            ("/sys/fs/fuse/connections", None),
        ] {
            assert_eq!(
                mounts.point(Path::new(folder)),
                point.map(Path::new),
                "{folder}"
            );
        }
        let local = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n";
        assert_eq!(MountTable::parse(local), MountTable::default());
    }

    #[test]
    fn file_system_that_hangs_is_tried_by_one_thread_until_it_answers() {
        let point = Path::new("/a file system of this test");
        let (answer, hung) = mpsc::channel::<()>();
        let wait = move || {
            let _ = hung.recv();
        };
        let soon = Duration::from_millis(10);
        assert!(!answers(point, soon, wait));
        assert!(!answers(point, soon, || panic!("a second thread")));
        answer.send(()).unwrap();
        while !answers(point, Duration::from_secs(60), || {}) {
            thread::yield_now();
        }
    }
}
