//! A point in a build that waits until the test says go.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use super::eventually;

/// A step of a build asks it over loopback and gets no answer before the test is ready.
pub struct Gate {
    listener: TcpListener,
}

/// A build that waits at the gate.
pub struct Waiting {
    asker: TcpStream,
}

impl Gate {
    /// A gate without waiters.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    /// Where it is asked over HTTP.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// The command that waits here, for a `RUN` in an image with a shell and the machine's loopback.
    pub fn wait_command(&self) -> String {
        format!("wget -q -O /dev/null {}/", self.url())
    }

    /// Returns when a build has come to the gate.
    pub fn arrival(&self) -> Waiting {
        let asker = eventually("a build at the gate", || self.listener.accept().ok());
        Waiting { asker: asker.0 }
    }
}

impl Waiting {
    /// Tells whether who waited has ended meanwhile.
    pub fn is_gone(&mut self) -> bool {
        self.asker.set_nonblocking(true).unwrap();
        let mut request = [0; 4096];
        loop {
            match self.asker.read(&mut request) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(problem) => return problem.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Lets the build go on.
    pub fn go_on(mut self) {
        self.asker.set_nonblocking(false).unwrap();
        let mut request = [0; 4096];
        let _ = self.asker.read(&mut request).unwrap();
        self.asker
            .write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\ngo")
            .unwrap();
    }
}
