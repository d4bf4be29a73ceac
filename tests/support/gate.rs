//! A point in a build at which it waits for the test.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use super::eventually;

/// A step of a build requests it over loopback, and gets no response until the test is ready.
pub struct Gate {
    listener: TcpListener,
}

/// A build that waits at the gate.
pub struct Waiting {
    asker: TcpStream,
}

impl Gate {
    /// Returns a gate without waiting builds.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Returns a command that waits here, for a `RUN` in an image with a shell and with access to the machine's
    /// loopback.
    pub fn wait_command(&self) -> String {
        format!("wget -q -O /dev/null {}/", self.url())
    }

    /// Waits until a build has reached the gate.
    pub fn arrival(&self) -> Waiting {
        let asker = eventually("a build at the gate", || self.listener.accept().ok());
        Waiting { asker: asker.0 }
    }
}

impl Waiting {
    /// Tells whether the waiting build has ended meanwhile.
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

    /// Lets the build continue.
    pub fn go_on(mut self) {
        self.asker.set_nonblocking(false).unwrap();
        let mut request = [0; 4096];
        let _ = self.asker.read(&mut request).unwrap();
        self.asker
            .write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\ngo")
            .unwrap();
    }
}
