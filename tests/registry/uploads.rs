//! Interrupted uploads to a registry that keeps the received part, as the distribution specification allows.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use acrt::{
    image::Digest,
    registry::copy::{Copied, CopyError, CopyMemory, CopyRequest, ImagePlace, KeptUpload},
    sys::secret::Secret,
};

use super::{
    distribution::Distribution,
    settings::{anonymous, reference},
};

const LAYER: usize = 24_000_000;

/// A registry with one large upload at a time, which it interrupts where a test says.
struct Target {
    host: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The received bytes of each upload, by its path.
    stored: BTreeMap<String, Vec<u8>>,
    /// After how many bytes the next large requests are cut; `None` for no cut.
    cuts: VecDeque<Option<usize>>,
    /// How many of the next status queries of uploads are answered with 404.
    forgets: usize,
    refuses_pieces: bool,
    /// The `OCI-Chunk-Min-Length` of new uploads.
    least: Option<&'static str>,
    /// How many bytes of large requests have been received.
    taken: usize,
    /// Each large request: its method and its `Content-Range`.
    log: Vec<(String, String)>,
}

impl Target {
    fn start(cuts: &[Option<usize>]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let state = Arc::new(Mutex::new(State {
            cuts: cuts.iter().copied().collect(),
            ..State::default()
        }));
        let target = Self {
            host: listener.local_addr().unwrap().to_string(),
            state: Arc::clone(&state),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    while serve(&mut reader, &state).is_some() {}
                });
            }
        });
        target
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn methods(&self) -> Vec<String> {
        let state = self.state();
        state.log.iter().map(|(method, _)| method.clone()).collect()
    }
}

/// Answers one request; `None` at the end of the connection.
fn serve(reader: &mut BufReader<TcpStream>, state: &Mutex<State>) -> Option<()> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut range) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-range" => value.clone_into(&mut range),
            _ => {}
        }
    }
    let is_upload = target.contains("/blobs/uploads/");
    let answer = if is_upload && length > 1_000_000 {
        take(reader, state, (&method, &target), (length, range))?
    } else {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut state = state.lock().unwrap();
        match method.as_str() {
            "POST" => {
                let path = format!("/v2/own/blobs/uploads/{}", state.stored.len());
                state.stored.insert(path.clone(), Vec::new());
                let least = state
                    .least
                    .map(|it| format!("\r\nOCI-Chunk-Min-Length: {it}"));
                format!(
                    "202 Accepted\r\nLocation: {path}?at=0{}",
                    least.unwrap_or_default()
                )
            }
            "GET" if is_upload && state.forgets > 0 => {
                state.forgets -= 1;
                "404 Not Found".to_owned()
            }
            "GET" if is_upload => format!("204 No Content\r\n{}", state.progress(&target)),
            "PUT" => "201 Created".to_owned(),
            "DELETE" => "204 No Content".to_owned(),
            _ => "404 Not Found".to_owned(),
        }
    };
    let mut out = reader.get_ref();
    write!(out, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").ok()
}

/// Receives the bytes of an upload, piece by piece.
fn take(
    reader: &mut BufReader<TcpStream>,
    shared: &Mutex<State>,
    (method, target): (&str, &str),
    (length, range): (usize, String),
) -> Option<String> {
    let (cut, is_refused, is_next) = {
        let mut state = shared.lock().unwrap();
        let first = range.split('-').next().unwrap().parse().unwrap_or(0);
        let is_next = first == state.of(target).len();
        state.log.push((method.to_owned(), range));
        let is_refused = state.refuses_pieces && method == "PATCH";
        (state.cuts.pop_front().flatten(), is_refused, is_next)
    };
    let mut left = cut.unwrap_or(length).min(length);
    let mut piece = vec![0; 256 * 1024];
    while left > 0 {
        let most = left.min(piece.len());
        let read = reader
            .read(&mut piece[..most])
            .ok()
            .filter(|read| *read > 0)?;
        left -= read;
        let mut state = shared.lock().unwrap();
        state.taken += read;
        if is_next && !is_refused {
            state.of(target).extend_from_slice(&piece[..read]);
        }
    }
    if cut.is_some() {
        return None;
    }
    let mut state = shared.lock().unwrap();
    Some(match method {
        _ if !is_next => "416 Range Not Satisfiable".to_owned(),
        "PATCH" if is_refused => "405 Method Not Allowed".to_owned(),
        "PATCH" => format!("202 Accepted\r\n{}", state.progress(target)),
        _ => {
            let digest = Digest::of(state.of(target)).to_string();
            let is_whole = target.contains(&digest.replace(':', "%3A"));
            let status = if is_whole {
                "201 Created"
            } else {
                "400 Bad Request"
            };
            status.to_owned()
        }
    })
}

impl State {
    fn of(&mut self, target: &str) -> &mut Vec<u8> {
        let path = target.split('?').next().unwrap();
        self.stored.get_mut(path).unwrap()
    }

    fn progress(&mut self, target: &str) -> String {
        let path = target.split('?').next().unwrap();
        let last = self.of(target).len().saturating_sub(1);
        format!("Range: 0-{last}\r\nLocation: {path}?at={last}")
    }

    /// Returns the received bytes of the layer's last upload.
    fn layer(&mut self) -> &mut Vec<u8> {
        let mut uploads = self.stored.values_mut();
        uploads.rfind(|it| !it.is_empty()).unwrap()
    }
}

/// The stored URL of an upload, shared by the processes of a test.
#[derive(Default)]
struct Memory(RefCell<Option<Secret>>);

struct Kept<'a>(&'a Memory);

impl KeptUpload for Kept<'_> {
    fn location(&mut self) -> Option<Secret> {
        self.0.0.borrow().clone()
    }

    fn keep(&mut self, location: &Secret) {
        self.0.0.replace(Some(location.clone()));
    }

    fn forget(self: Box<Self>) {
        self.0.0.take();
    }
}

impl CopyMemory for Memory {
    fn upload(&self, _: &str, _: &Digest) -> Option<Box<dyn KeptUpload + '_>> {
        Some(Box::new(Kept(self)))
    }
}

/// A source of an image with one large layer.
async fn source() -> Distribution {
    let source = Distribution::start();
    let layer: Vec<u8> = (0..LAYER).map(|n| (n % 251) as u8).collect();
    let image = source.layered("base", "x", &[&layer]).await;
    source.put("base", "1", &image).await;
    source
}

/// Copies to a target, as a separate process would.
async fn copy(
    source: &Distribution,
    target: &Target,
    memory: &dyn CopyMemory,
) -> Result<Copied, CopyError> {
    let request = CopyRequest {
        from: ImagePlace::Registry(reference(&source.image("base:1"))),
        to: ImagePlace::Registry(reference(&format!("{}/own:1", target.host))),
        tags: vec!["1".to_owned()],
        platforms: Vec::new(),
        all_referrers: false,
        force: false,
    };
    anonymous().copy(&request, &|_| {}, memory).await
}

#[tokio::test]
async fn upload_resumes_with_the_byte_after_the_last_received() {
    let (source, target) = (source().await, Target::start(&[Some(10_000_000)]));
    copy(&source, &target, &()).await.unwrap();
    let state = target.state();
    assert_eq!(state.taken, LAYER);
    let rest = ("PUT".to_owned(), "10000000-23999999".to_owned());
    assert_eq!(state.log, [("PUT".to_owned(), String::new()), rest]);
}

#[tokio::test]
async fn expired_upload_is_restarted_in_resumable_chunks() {
    let cuts = [Some(10_000_000), None, Some(4_000_000)];
    let (source, target) = (source().await, Target::start(&cuts));
    target.state().forgets = 1;
    copy(&source, &target, &()).await.unwrap();
    assert_eq!(target.state().taken, 10_000_000 + LAYER);
    assert_eq!(target.methods(), ["PUT", "PATCH", "PUT", "PUT"]);
    // The config; and the layer from its beginning, once more, and after the cut piece. A piece continues where the last one ended.
    let asked = source.requests().await;
    let of_blobs = asked
        .iter()
        .filter(|it| it.starts_with("GET /v2/base/blobs/"));
    assert_eq!(of_blobs.count(), 4, "{asked:?}");
}

#[tokio::test]
async fn upload_of_an_earlier_process_is_resumed_without_sending_received_bytes() {
    let cuts = [Some(10_000_000), Some(0), Some(0), Some(0), Some(0)];
    let (source, target) = (source().await, Target::start(&cuts));
    let memory = Memory::default();
    copy(&source, &target, &memory).await.unwrap_err();
    target.state().cuts.clear();
    let copied = copy(&source, &target, &memory).await.unwrap();
    assert_eq!(target.state().taken, LAYER);
    // Two of the config, which each process sends, and one of the layer.
    assert_eq!(target.state().stored.len(), 3);
    let sent = usize::try_from(copied.amount.bytes).unwrap();
    // With the config.
    assert!(sent < LAYER - 10_000_000 + 1_000, "{sent}");
    assert!(memory.0.borrow().is_none());
}

#[tokio::test]
async fn upload_with_a_corrupt_beginning_is_restarted() {
    let cuts = [Some(10_000_000), Some(0), Some(0), Some(0), Some(0)];
    let (source, target) = (source().await, Target::start(&cuts));
    let memory = Memory::default();
    copy(&source, &target, &memory).await.unwrap_err();
    target.state().layer()[5] ^= 1;
    target.state().cuts.clear();
    copy(&source, &target, &memory).await.unwrap();
    let layer = target.state().layer().clone();
    assert_eq!((layer.len(), layer[5]), (LAYER, 5));
}

#[tokio::test]
async fn registry_that_refuses_chunks_gets_one_monolithic_request() {
    let (source, target) = (source().await, Target::start(&[Some(10_000_000)]));
    target.state().forgets = 1;
    target.state().refuses_pieces = true;
    copy(&source, &target, &()).await.unwrap();
    assert_eq!(target.methods(), ["PUT", "PATCH", "PUT"]);
}

#[tokio::test]
async fn upload_that_always_breaks_off_fails() {
    let cuts = [Some(1_000_000); 40];
    let (source, target) = (source().await, Target::start(&cuts));
    target.state().forgets = usize::MAX;
    copy(&source, &target, &()).await.unwrap_err();
    assert_eq!(target.methods().len(), 4);
}

#[tokio::test]
async fn upload_chunk_has_the_minimum_size_of_the_registry() {
    let ranges = async |least| {
        let (source, target) = (source().await, Target::start(&[Some(1_000)]));
        (target.state().least, target.state().forgets) = (Some(least), 1);
        copy(&source, &target, &()).await.unwrap();
        let log = target.state().log.split_off(1);
        log.into_iter().map(|(_, range)| range).collect::<Vec<_>>()
    };
    assert_eq!(
        ranges("20000000").await,
        ["0-19999999", "20000000-23999999"]
    );
    // All of it is the last piece.
    assert_eq!(ranges("30000000").await, [""]);
    assert_eq!(ranges("-1").await, ["0-16777215", "16777216-23999999"]);
}

#[tokio::test]
async fn resumed_upload_chunk_has_the_minimum_size_recorded_by_the_earlier_process() {
    let cuts = [Some(1_000_000), Some(0), Some(0), Some(0), Some(0)];
    let (source, target) = (source().await, Target::start(&cuts));
    target.state().least = Some("20000000");
    let memory = Memory::default();
    copy(&source, &target, &memory).await.unwrap_err();
    target.state().cuts.clear();
    target.state().log.clear();
    copy(&source, &target, &memory).await.unwrap();
    let ranges: Vec<String> = target
        .state()
        .log
        .iter()
        .map(|(_, range)| range.clone())
        .collect();
    assert_eq!(ranges, ["1000000-20999999", "21000000-23999999"]);
}
