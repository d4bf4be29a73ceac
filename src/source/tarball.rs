//! A context that is an archive somewhere on the web.

use std::{
    io::{Seek as _, Write as _},
    path::Path,
    time::Duration,
};

use crate::error::{Context as _, Error, Kind, Result};

use super::archive;

/// How large an archive may be before it is unpacked, in bytes.
const MAX_DOWNLOAD: u64 = 2 * 1024 * 1024 * 1024;

/// How long the server may take for its next bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fetches an archive and unpacks it into a folder that is there.
///
/// # Errors
///
/// [`Kind::Unknown`] where the server does not give it; [`Kind::Failed`] where it cannot be unpacked.
pub async fn fetch(url: &str, into: &Path) -> Result<()> {
    // A query may hold what opens the door: it is not told.
    let told = url.split(['?', '#']).next().unwrap_or(url);
    let cannot = || Error::new(Kind::Unknown, format!("cannot fetch `{told}`"));
    let unsaid = |problem: reqwest::Error| cannot().because(problem.without_url());
    // Somebody else may have chosen a provider before; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .user_agent(concat!("acrt/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(PATIENCE)
        .build()
        .map_err(unsaid)?;
    let mut response = client.get(url).send().await.map_err(unsaid)?;
    if !response.status().is_success() {
        return Err(cannot()
            .because(anyhow::anyhow!("the server says {}", response.status()))
            .hint("see that the address is right, and that it needs no login"));
    }
    let unwritten = || format!("cannot keep what `{told}` holds");
    let mut file =
        tempfile::tempfile_in(into.parent().unwrap_or(into)).context(Kind::Failed, unwritten)?;
    let mut size: u64 = 0;
    while let Some(chunk) = response.chunk().await.map_err(unsaid)? {
        size += chunk.len() as u64;
        if size > MAX_DOWNLOAD {
            return Err(cannot().because(anyhow::anyhow!("it is larger than 2 GiB")));
        }
        file.write_all(&chunk).context(Kind::Failed, unwritten)?;
    }
    file.rewind().context(Kind::Failed, unwritten)?;
    archive::unpack(told, file, into)
}
