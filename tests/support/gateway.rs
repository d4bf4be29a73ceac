//! A gateway in front of a registry that answers some requests itself.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::Registry;

/// Returns the gateway's own response to a request with this head; `None` to pass it on.
type Rule = dyn Fn(&str) -> Option<&'static str> + Send + Sync;

/// A gateway that works as long as the test process lives.
pub struct Gateway {
    host: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    /// Starts a gateway in front of `registry`.
    pub fn start(
        registry: &Registry,
        rule: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (upstream, rule): (_, Arc<Rule>) = (registry.host(), Arc::new(rule));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, rule, seen) =
                    (upstream.clone(), Arc::clone(&rule), Arc::clone(&seen));
                // A client that disconnects does not fail the test.
                thread::spawn(move || serve(client, &upstream, &*rule, &seen).ok());
            }
        });
        Self { host, heads }
    }

    /// Returns its address, as in image names.
    pub fn host(&self) -> String {
        self.host.clone()
    }

    /// Returns `name` with the gateway's address in front.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    /// Returns the first lines of the requests that acrt itself has sent.
    pub fn requests(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        let own = heads.iter().filter(|head| is_acrt(head));
        own.filter_map(|head| head.lines().next())
            .map(str::to_owned)
            .collect()
    }
}

/// Tells whether acrt itself sent a request, and not its builder.
pub fn is_acrt(head: &str) -> bool {
    head.to_ascii_lowercase().contains("user-agent: acrt/")
}

/// How TLS begins, which a builder tries first: without an answer it would wait for ten seconds.
const TLS_HANDSHAKE: [u8; 1] = [0x16];

/// Serves one request and closes the connection.
fn serve(
    mut client: TcpStream,
    upstream: &str,
    rule: &Rule,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
        if head == TLS_HANDSHAKE {
            return client.shutdown(Shutdown::Both);
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(head.clone());
    if let Some(answer) = rule(&head) {
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().unwrap())
        });
        if head.to_ascii_lowercase().contains("expect: 100-continue") {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        client.read_exact(&mut vec![0; length.unwrap_or(0)])?;
        return client.write_all(answer.as_bytes());
    }
    let mut server = TcpStream::connect(upstream)?;
    let lines = head.trim_end().split("\r\n");
    let kept = lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let kept: Vec<&str> = kept.collect();
    server.write_all(format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n")).as_bytes())?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}
