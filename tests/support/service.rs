//! A server that lives exactly as long as the test that started it.

use std::{
    fs::{File, OpenOptions},
    os::unix::{fs::FileExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::command;

/// Starts its arguments, waits until standard input ends, and kills them. The pipe ends when the test process does, in
/// whatever way, so that not even `kill -9` on the tests leaves a server behind.
///
/// A child of the server's is the first process of a namespace, with which all others in it end.
const KEEPER: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
cat <&3 >/dev/null
first=$(cat /proc/$server/task/$server/children)
kill -9 ${first:-$server}
wait $server
"#;

/// A running server, out of reach of a Ctrl-C on the tests.
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

    /// Returns how many bytes it has printed so far.
    pub fn printed_bytes(&self) -> usize {
        self.out.metadata().unwrap().len().try_into().unwrap()
    }

    /// Returns what it has printed so far, even if that file is there no more.
    pub fn printed(&self) -> String {
        let mut bytes = vec![0; self.printed_bytes()];
        // Where the file is written next is one place for all who have it, and stays where it is.
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
