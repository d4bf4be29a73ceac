//! A proxy that delays all bytes by half a round trip.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream as BlockingStream},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Handle,
    sync::mpsc,
    time::sleep_until,
};

/// The average delay of tokio's timer, which counts whole milliseconds and rounds up.
const LATENESS: Duration = Duration::from_micros(700);

/// Starts a proxy with this round-trip time in front of `target`, and returns its address.
///
/// # Errors
///
/// If no port is free.
pub fn start(target: SocketAddr, round_trip: Duration, servers: &Handle) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    servers.spawn(accept(listener, target, round_trip));
    Ok(address)
}

async fn accept(listener: TcpListener, target: SocketAddr, round_trip: Duration) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(target).await else {
                return;
            };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            // Opening a connection takes a round trip, which the proxy's near end has not waited for.
            tokio::spawn(carry(near_in, far_out, round_trip / 2, round_trip));
            tokio::spawn(carry(far_in, near_out, round_trip / 2, Duration::ZERO));
        });
    }
}

/// Forwards bytes with a delay of `delay`; the first ones are delayed by `opening` more.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    opening: Duration,
) {
    let (send, mut receive) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, bytes)) = receive.recv().await {
            sleep_until((due - LATENESS).into()).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    let mut earliest = Instant::now() + delay + opening;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        // Bytes stay in order.
        earliest = earliest.max(Instant::now() + delay);
        if send.send((earliest, buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

/// Checks that a request over a new connection takes two round trips, plus at most five percent.
///
/// # Errors
///
/// The measured time, or the error of the request.
pub fn check(begin: SocketAddr, round_trip: Duration) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let mut stream = BlockingStream::connect(begin)?;
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let ratio = times[times.len() / 2].as_secs_f64() / round_trip.as_secs_f64();
    ensure!(
        (1.97..=2.1).contains(&ratio),
        "the delay is not what it should be: an exchange took {ratio:.2} round trips instead of 2"
    );
    Ok(())
}
