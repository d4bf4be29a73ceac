//! A proxy in front of a registry that can delay requests, answer them itself, and count them.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

use super::{Registry, eventually};

/// A running proxy of a registry. When it ends, delayed requests continue.
pub struct Proxy {
    host: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether requests are held.
    hangs: bool,
    /// The only repository whose requests are held; `None` for all.
    hanging: Option<&'static str>,
    /// How many requests are held.
    kept: usize,
    /// All requests, as `HEAD /v2/base/manifests/1`.
    requests: Vec<String>,
    /// The digests to answer the next HEADs with.
    digests: Vec<String>,
    /// How many HEADs were answered with such a digest.
    shown: usize,
    /// The refusals for the next requests: the method or any, and a status line with headers.
    refusals: Vec<(Option<&'static str>, &'static str)>,
    /// Whether requests need an `Accept` that matches the response.
    is_strict: bool,
    /// Where the next requests with a large body are cut, if they are.
    cuts: VecDeque<Option<Cut>>,
    /// How many bytes of bodies have been received.
    taken: u64,
}

/// The cut of a request.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The number of bytes of its body after which it is cut.
    pub after: u64,
    /// Whether the registry gets the part before the cut.
    pub is_handed_on: bool,
}

impl Proxy {
    /// Returns a proxy that passes on all requests until told otherwise.
    pub fn to(registry: &Registry) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            upstream: registry.host(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { host, shared }
    }

    pub fn host(&self) -> String {
        self.host.clone()
    }

    /// Returns `name` with the proxy's address in front.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    /// Holds every request from now on.
    pub fn hang(&self) {
        self.shared.state().hangs = true;
    }

    /// Holds every request for this repository from now on.
    pub fn hang_for(&self, repository: &'static str) {
        let mut state = self.shared.state();
        (state.hangs, state.hanging) = (true, Some(repository));
    }

    /// Releases all held requests, and holds no more.
    pub fn go_on(&self) {
        self.shared.state().hangs = false;
        self.shared.changed.notify_all();
    }

    /// Returns how many requests are held now.
    pub fn kept(&self) -> usize {
        self.shared.state().kept
    }

    /// Waits until a request is held.
    pub fn has_kept(&self) {
        eventually("a request at the proxy", || (self.kept() > 0).then_some(()));
    }

    /// Answers the next HEADs with these digests, one each.
    pub fn answer_heads(&self, digests: &[&str]) {
        let digests = digests.iter().rev().map(|digest| (*digest).to_owned());
        self.shared.state().digests = digests.collect();
    }

    /// Refuses the next request with this method, or any, with this status line and headers.
    pub fn refuse(&self, method: Option<&'static str>, answer: &'static str) {
        self.shared.state().refusals.push((method, answer));
    }

    /// From now on, answers 406 to each request whose `Accept` does not match the response, like registries with strict content
    /// negotiation.
    pub fn be_strict(&self) {
        self.shared.state().is_strict = true;
    }

    /// Cuts the next requests with a body of more than a mebibyte, one each; `None` passes one on.
    pub fn cut(&self, cuts: &[Option<Cut>]) {
        self.shared.state().cuts.extend(cuts);
    }

    /// Returns how many bytes of bodies have been received.
    pub fn taken(&self) -> u64 {
        self.shared.state().taken
    }

    /// Returns how many HEADs the proxy has answered itself.
    pub fn shown(&self) -> usize {
        self.shared.state().shown
    }

    /// Returns all requests so far, as `HEAD /v2/base/manifests/1`, and resets them.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().requests)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.go_on();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Passes on one request after it has been received completely, and closes the connection.
    fn serve(&self, stream: &TcpStream) {
        let mut head = Vec::new();
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                line if line.to_lowercase().starts_with("connection:") => {}
                line => head.push(line.to_owned()),
            }
        }
        let words: Vec<&str> = head[0].split(' ').collect();
        let (method, target) = (words[0].to_owned(), words[1].to_owned());
        let mut out = stream;
        let length = header(&head, "content-length").map_or(0, |it| it.parse().unwrap());
        let cut = self.cut_of(length);
        let mut body = Vec::new();
        let part = reader.take(cut.map_or(length, |cut| cut.after));
        let whole = self.take(part, &mut body);
        if let Some(cut) = cut {
            if cut.is_handed_on
                && let Ok(mut upstream) = TcpStream::connect(&self.upstream)
            {
                let _ = write!(upstream, "{}\r\n\r\n", head.join("\r\n"));
                let _ = upstream.write_all(&body);
                let _ = upstream.shutdown(Shutdown::Write);
                // When the registry gives up, it has received everything.
                let _ = upstream.read_to_end(&mut Vec::new());
            }
            return;
        }
        if whole.is_err() {
            return;
        }
        let accepted = header(&head, "accept");
        let own = match self.state().is_strict && !is_acceptable(&method, &target, accepted) {
            true => Some("406 Not Acceptable".to_owned()),
            false => self.admit(&method, &target),
        };
        if let Some(answer) = own {
            let rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = write!(out, "HTTP/1.1 {answer}\r\n{rest}");
            return;
        }
        let Ok(mut upstream) = TcpStream::connect(&self.upstream) else {
            return;
        };
        let request = format!("{}\r\nConnection: close\r\n\r\n", head.join("\r\n"));
        let mut answer = Vec::new();
        if upstream.write_all(request.as_bytes()).is_ok()
            && upstream.write_all(&body).is_ok()
            && upstream.read_to_end(&mut answer).is_ok()
        {
            let _ = out.write_all(&answer);
        }
    }

    fn cut_of(&self, length: u64) -> Option<Cut> {
        let mut state = self.state();
        let cut = state.cuts.pop_front_if(|_| length > 1024 * 1024);
        cut.flatten()
    }

    /// Reads a body piece by piece, and counts its bytes.
    fn take(&self, mut from: impl std::io::Read, body: &mut Vec<u8>) -> std::io::Result<()> {
        let mut piece = [0; 64 * 1024];
        while let read @ 1.. = from.read(&mut piece)? {
            body.extend_from_slice(&piece[..read]);
            self.state().taken += read as u64;
        }
        Ok(())
    }

    /// Counts a request and holds it if requested. Returns the proxy's own response, if it has one.
    fn admit(&self, method: &str, target: &str) -> Option<String> {
        let mut state = self.state();
        state.requests.push(format!("{method} {target}"));
        state.kept += 1;
        let is_meant = state
            .hanging
            .is_none_or(|it| target.starts_with(&format!("/v2/{it}/")));
        while state.hangs && is_meant {
            state = self.changed.wait(state).unwrap();
        }
        state.kept -= 1;
        let mut refusals = state.refusals.iter();
        let refused = refusals.position(|(which, _)| which.is_none_or(|which| which == method));
        if let Some(at) = refused {
            return Some(state.refusals.remove(at).1.to_owned());
        }
        let digest = (method == "HEAD").then(|| state.digests.pop()).flatten()?;
        state.shown += 1;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        Some(format!(
            "200 OK\r\nContent-Type: {kind}\r\nDocker-Content-Digest: {digest}"
        ))
    }
}

/// Returns the value of a header.
fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Tells whether the `Accept` of a request matches the possible responses.
fn is_acceptable(method: &str, target: &str, accepted: Option<&str>) -> bool {
    let reads = matches!(method, "GET" | "HEAD");
    let wanted: &[&str] = match target {
        target if target.contains("/manifests/") && reads => &[
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ],
        target if target.contains("/manifests/") => &["*/*"],
        target if target.contains("/referrers/") => &["application/vnd.oci.image.index.v1+json"],
        _ => &["*/*"],
    };
    let accepted = accepted.unwrap_or("*/*").split(',').map(str::trim);
    let accepted: Vec<&str> = accepted.collect();
    // Other accepted types do not matter, except those for manifests.
    wanted.iter().all(|one| accepted.contains(one))
}
