//! Access to the BuildKit inside of a Docker daemon: a socket that behaves like a buildkitd's.

use std::{
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    thread,
};

/// Asks a Docker daemon for its BuildKit: after the response, the connection is BuildKit's.
const UPGRADE: &[u8] =
    b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

/// Listens at `socket` for clients of BuildKit, as long as the test process lives.
pub fn listen(socket: &Path, daemon: PathBuf) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let daemon = daemon.clone();
            // A client that disconnects does not fail the test.
            thread::spawn(move || forward(&client, &daemon).ok());
        }
    });
}

fn forward(client: &UnixStream, daemon: &Path) -> io::Result<()> {
    let mut server = UnixStream::connect(daemon)?;
    server.write_all(UPGRADE)?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        server.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
    io::copy(&mut server, &mut &*client)?;
    client.shutdown(Shutdown::Write)
}
