//! Streamed responses: server-sent events, and logs as plain text.

use std::{os::unix::fs::MetadataExt as _, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use tokio::{sync::watch, time::Instant};

use crate::{
    listen::{PageBody, PageRequest, PageResponse},
    page::Lines,
    store::{Store, lock, log::LogReader},
    sys::{blocking::run_blocking, clock::Clock},
    task::RunId,
};

/// How long one event stream lasts: shorter than a connection may live, so that it ends cleanly and the browser reconnects.
const LASTS: Duration = Duration::from_secs(50);

/// How often a log is read again while its run is in progress.
const FOLLOW: Duration = Duration::from_millis(300);

/// How often a keep-alive is sent while nothing happens.
const ALIVE: Duration = Duration::from_secs(15);

/// How much of a log is read at once, in bytes.
const PIECE: usize = 32 * 1024;

/// The event stream of one open page.
struct EventStream {
    changes: watch::Receiver<u64>,
    log: Option<FollowedLog>,
    clock: Clock,
    end: Instant,
    has_begun: bool,
}

/// The log that an open page follows.
struct FollowedLog {
    reader: LogReader,
    lines: Lines,
    open: std::path::PathBuf,
}

/// Returns the event stream of a page: `change` when anything has changed, and with `run=ID&after=LINE.OFFSET` the lines of the run's log
/// from there on.
pub fn events(
    changes: watch::Receiver<u64>,
    store: &Store,
    clock: &Clock,
    request: &PageRequest,
) -> PageResponse {
    let run = request.field("run").and_then(|id| id.parse::<RunId>().ok());
    // Continue after the last event of an interrupted stream, else after what the page contains.
    let after = request
        .last_event
        .clone()
        .or_else(|| request.field("after"));
    let log = run.and_then(|id| {
        let (line, offset) = after.as_deref()?.split_once('.')?;
        let mut reader = store.read_log(id);
        reader.begin_at(offset.parse().ok()?).ok()?;
        Some(FollowedLog {
            reader,
            lines: Lines::from(line.parse::<usize>().ok()?.checked_add(1)?),
            open: store.layout().open_run(id),
        })
    });
    let mut changes = changes;
    changes.mark_unchanged();
    let events = EventStream {
        changes,
        log,
        clock: clock.clone(),
        end: Instant::now() + LASTS,
        has_begun: false,
    };
    let stream = stream::unfold(events, |mut events| async move {
        let next = events.next().await?;
        Some((Bytes::from(next), events))
    });
    PageResponse {
        status: 200,
        kind: "text/event-stream",
        tag: None,
        body: PageBody::Events(Box::pin(stream)),
    }
}

impl EventStream {
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some("retry: 2000\n\n".to_owned());
        }
        loop {
            if Instant::now() >= self.end {
                return None;
            }
            let period = match self.log.take() {
                None => ALIVE,
                Some(mut log) => {
                    // On another thread: this one also receives webhooks.
                    let read = run_blocking(move |_| {
                        // Checked before the log is read: what is written in between is read in the next turn.
                        let goes_on = lock::is_held(&log.open);
                        let lines = log.next();
                        let rest = (lines.is_none() && !goes_on).then(|| log.rest());
                        Ok((log, lines, rest))
                    });
                    let (log, lines, rest) = read.await.ok()?;
                    if let Some(rest) = rest {
                        return Some(rest + "event: change\ndata: ended\n\n");
                    }
                    self.log = Some(log);
                    if lines.is_some() {
                        return lines;
                    }
                    FOLLOW
                }
            };
            let period = period.min(self.end.saturating_duration_since(Instant::now()));
            tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    let version = *self.changes.borrow_and_update();
                    return Some(format!("event: change\ndata: {version}\n\n"));
                }
                () = self.clock.pause(period) => if self.log.is_none() {
                    return Some(":\n\n".to_owned());
                },
            }
        }
    }
}

impl FollowedLog {
    /// Returns the event with the new lines; `None` if there are none, or they cannot be read.
    fn next(&mut self) -> Option<String> {
        let (mut piece, mut html) = (vec![0; PIECE], String::new());
        while html.is_empty() {
            match self.reader.read(&mut piece).ok()? {
                0 => return None,
                read => self.lines.push(&piece[..read], &mut html),
            }
        }
        Some(self.event(&html))
    }

    fn rest(&mut self) -> String {
        let mut html = String::new();
        self.lines.finish(&mut html);
        match html.as_str() {
            "" => html,
            html => self.event(html),
        }
    }

    fn event(&self, html: &str) -> String {
        let (line, offset) = (self.lines.next() - 1, self.reader.offset());
        let data: String = html.lines().map(|line| format!("data: {line}\n")).collect();
        format!("event: log\nid: {line}.{offset}\n{data}\n")
    }
}

pub fn log(store: &Store, id: RunId) -> PageResponse {
    let found = std::fs::metadata(store.layout().log(id)).ok();
    let tag = found.as_ref().map(|it| {
        let (inode, size) = (it.ino(), it.size());
        format!(
            "\"{inode:x}-{size:x}-{:x}-{:x}\"",
            it.mtime(),
            it.mtime_nsec()
        )
    });
    let reader = (store.read_log(id), vec![0; PIECE]);
    let stream = stream::unfold(reader, |(mut reader, mut piece)| async move {
        let read = run_blocking(move |_| {
            let read = reader.read(&mut piece)?;
            Ok((Bytes::copy_from_slice(&piece[..read]), (reader, piece)))
        });
        read.await.ok().filter(|(bytes, _)| !bytes.is_empty())
    });
    PageResponse {
        status: if found.is_some() { 200 } else { 404 },
        kind: "text/plain; charset=utf-8",
        tag,
        body: PageBody::Stream(Box::pin(stream)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    #[test]
    fn log_of_an_open_page_is_read_on_another_thread() {
        let folder = tempfile::tempdir().unwrap();
        let (store, id) = (Store::at(folder.path()), RunId::new(1));
        std::fs::create_dir_all(store.layout().run_folder(id)).unwrap();
        std::fs::write(store.layout().log(id), "one\n").unwrap();
        let request = PageRequest {
            path: "/events".into(),
            query: "run=ca1&after=0.0".into(),
            last_event: None,
        };
        let (_changed, changes) = watch::channel(0);
        let made = events(changes, &store, &Clock::System, &request);
        let PageBody::Events(mut events) = made.body else {
            panic!("no stream");
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(1).build();
        runtime.unwrap().block_on(async {
            assert!(events.next().await.unwrap().starts_with(b"retry"));
            // While the only other thread is busy, the server's thread goes on with other connections.
            let (free, busy) = std::sync::mpsc::channel::<()>();
            let other = tokio::task::spawn_blocking(move || busy.recv());
            assert_eq!(events.next().now_or_never(), None);
            drop(free);
            let _ = other.await.unwrap();
            let lines = events.next().await.unwrap();
            assert!(String::from_utf8_lossy(&lines).contains("one"));
        });
    }
}
