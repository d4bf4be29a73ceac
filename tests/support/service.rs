//! A server that lives exactly as long as its test.

use std::{
    fs::{File, OpenOptions},
    os::unix::{fs::FileExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::command;

/// Starts its arguments, waits for the end of standard input, and kills them. The pipe is closed when the test process
/// ends in any way, so that even `kill -9` of the tests leaves no server behind.
///
/// The server's child is the first process of a PID namespace, whose end kills all others in it.
const KEEPER: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
cat <&3 >/dev/null
first=$(cat /proc/$server/task/$server/children)
kill -9 ${first:-$server}
wait $server
"#;

/// A running server, which a Ctrl-C on the tests does not reach.
pub struct Service {
    keeper: Child,
    out: File,
}

impl Service {
    /// Starts `line` with its output in the files `out` and `err`.
    pub fn start(line: &Command, out: &Path, err: &Path) -> Self {
        let mut file = OpenOptions::new();
        let file = file.read(true).write(true).create(true).truncate(true);
        let out = file.open(out).unwrap();
        let mut keeper = command("/bin/sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(line.get_program())
            .args(line.get_args())
            .env_clear()
            .env("PATH", super::SYSTEM_PATH)
            .envs(super::NO_COLLECTION)
            .stdin(Stdio::piped())
            .stdout(out.try_clone().unwrap())
            .stderr(File::create(err).unwrap())
            .process_group(0);
        for (name, value) in line.get_envs() {
            keeper.env(name, value.unwrap());
        }
        Self {
            keeper: keeper.spawn().unwrap(),
            out,
        }
    }

    /// Returns the size of its output so far.
    pub fn printed_bytes(&self) -> usize {
        self.out.metadata().unwrap().len().try_into().unwrap()
    }

    /// Returns its output so far, even if the file has been deleted.
    pub fn printed(&self) -> String {
        let mut bytes = vec![0; self.printed_bytes()];
        // The write position is shared by all processes with this file, and reading does not move it.
        self.out.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }
}
