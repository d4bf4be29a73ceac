//! A server that lives exactly as long as the test that started it.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
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
}

impl Service {
    /// Starts `line` with its output in the files `out` and `err`.
    pub fn start(line: &Command, out: &Path, err: &Path) -> Self {
        let mut keeper = command("/bin/sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(line.get_program())
            .args(line.get_args())
            .env_clear()
            .env("PATH", super::SYSTEM_PATH)
            .envs(super::NO_COLLECTION)
            .stdin(Stdio::piped())
            .stdout(File::create(out).unwrap())
            .stderr(File::create(err).unwrap())
            .process_group(0);
        for (name, value) in line.get_envs() {
            keeper.env(name, value.unwrap());
        }
        Self {
            keeper: keeper.spawn().unwrap(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }
}
