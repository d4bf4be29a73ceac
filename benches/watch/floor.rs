//! The lower bound for a client over HTTP/1.1: HEAD requests and nothing else.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use crate::content::{TAG, repository};

/// The first argument of the process for the lower bound; address, number of tags and number of connections follow.
pub const MODE: &str = "floor";

/// Sends one HEAD for each tag.
///
/// # Errors
///
/// If the arguments are invalid, or a response is not 200.
pub fn main(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || args.next().context("an argument is missing");
    let address: SocketAddr = next()?.parse()?;
    let tags: usize = next()?.parse()?;
    let connections: usize = next()?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let workers: Vec<_> = (0..connections.min(tags))
            .map(|first| tokio::spawn(ask(address, (first..tags).step_by(connections))))
            .collect();
        for worker in workers {
            worker.await??;
        }
        Ok(())
    })
}

async fn ask(address: SocketAddr, tags: impl Iterator<Item = usize>) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    for tag in tags {
        let request = format!(
            "HEAD /v2/{}/manifests/{TAG} HTTP/1.1\r\nHost: {address}\r\n\r\n",
            repository(tag)
        );
        stream.write_all(request.as_bytes()).await?;
        stream.read_until(b'\n', &mut line).await?;
        ensure!(
            line.starts_with(b"HTTP/1.1 200"),
            "the registry does not answer"
        );
        while line != b"\r\n" {
            line.clear();
            ensure!(
                stream.read_until(b'\n', &mut line).await? > 0,
                "the registry hung up"
            );
        }
        line.clear();
    }
    Ok(())
}
