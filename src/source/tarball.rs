//! A context in an archive on the web.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
    time::Duration,
};

use reqwest::{Response, Url, header::LOCATION};

use crate::{
    error::{Context as _, Error, Kind, Result},
    sys::proxy,
    task::context::is_archive_name,
};

use super::bounds::MAX_DOWNLOAD;

/// The timeout for the server's next bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 10;

#[derive(Debug)]
pub struct FetchedArchive {
    /// Its name, without parts of the URL that may be secret.
    pub name: String,
    /// The content, at its beginning, in a file without a name.
    pub file: File,
    /// Remarks for people about redirects.
    pub notes: Vec<String>,
}

/// Downloads an archive into a file in `folder`.
///
/// # Errors
///
/// [`Kind::Unknown`] where the server does not send it, or redirects to an unencrypted URL; [`Kind::Failed`] where it cannot be stored.
pub async fn fetch(url: &str, folder: &Path) -> Result<FetchedArchive> {
    // A query may contain a secret, and is not shown.
    let name = url.split(['?', '#']).next().unwrap_or(url).to_owned();
    let cannot = || Error::new(Kind::Unknown, format!("cannot fetch `{name}`"));
    let request_error = |problem: reqwest::Error| cannot().because(problem.without_url());
    let client = proxy::client()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(READ_TIMEOUT)
        .build()
        .map_err(request_error)?;
    let mut at = Url::parse(url).map_err(|problem| cannot().because(problem))?;
    proxy::of(&at).map_err(|problem| cannot().because(anyhow::anyhow!(problem)))?;
    let mut notes = Vec::new();
    let mut response = client.get(at.clone()).send().await.map_err(request_error)?;
    while let Some(next) = redirect_target(&at, &response).map_err(|why| cannot().because(why))? {
        if notes.len() >= MAX_REDIRECTS {
            return Err(cannot().because(anyhow::anyhow!("it is redirected without end")));
        }
        // Only a redirect to another origin is noted; all of them count towards the limit.
        notes.push(
            (at.origin() != next.origin())
                .then(|| format!("{} redirects to {}", origin(&at), origin(&next))),
        );
        at = next;
        response = client.get(at.clone()).send().await.map_err(request_error)?;
    }
    if !response.status().is_success() {
        let repository = match is_archive_name(&name) {
            true => String::new(),
            false => format!("; if it is a git repository, write `{name}#`"),
        };
        return Err(cannot()
            .because(anyhow::anyhow!("the server says {}", response.status()))
            .hint(format!(
                "check that the address is right, and that it needs no login{repository}"
            )));
    }
    let unwritten = || format!("cannot keep what `{name}` holds");
    let mut file = tempfile::tempfile_in(folder).context(Kind::Failed, unwritten)?;
    let mut size: u64 = 0;
    while let Some(chunk) = response.chunk().await.map_err(request_error)? {
        size += chunk.len() as u64;
        if size > MAX_DOWNLOAD {
            return Err(cannot().because(anyhow::anyhow!("it is larger than 2 GiB")));
        }
        file.write_all(&chunk).context(Kind::Failed, unwritten)?;
    }
    file.rewind().context(Kind::Failed, unwritten)?;
    Ok(FetchedArchive {
        name,
        file,
        notes: notes.into_iter().flatten().collect(),
    })
}

/// Returns the target of a redirect, if the response is one.
fn redirect_target(from: &Url, response: &Response) -> Result<Option<Url>, anyhow::Error> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    next(from, location.unwrap_or_default()).map(Some)
}

/// Checks a redirect: https must not become http.
fn next(from: &Url, location: &str) -> Result<Url, anyhow::Error> {
    let next = from.join(location);
    let next = next.map_err(|_| anyhow::anyhow!("it is redirected without an address"))?;
    match (from.scheme(), next.scheme()) {
        ("http", "http" | "https") | ("https", "https") => Ok(next),
        ("https", "http") => Err(anyhow::anyhow!(
            "it is redirected to {}, where it could be changed on the way",
            origin(&next)
        )),
        (_, other) => Err(anyhow::anyhow!(
            "it is redirected to an address of `{other}`"
        )),
    }
}

/// Returns scheme and host of a URL, which are not secret.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_download_is_never_redirected_to_http() {
        let next = |from: &str, location: &str| {
            let next = next(&Url::parse(from).unwrap(), location);
            next.map(|url| url.to_string())
                .map_err(|why| why.to_string())
        };
        assert_eq!(
            next("https://a.b/x/y", "z?q=1").unwrap(),
            "https://a.b/x/z?q=1"
        );
        assert_eq!(next("http://a.b/", "https://c.d/").unwrap(), "https://c.d/");
        let refused = next("https://a.b/", "http://u:p@c.d:8/x?secret").unwrap_err();
        assert!(
            refused.contains("http://c.d:8") && !refused.contains("secret"),
            "{refused}"
        );
        for location in ["file:///etc/passwd", "ftp://a.b/", "http://"] {
            assert!(next("http://a.b/", location).is_err(), "{location}");
        }
    }
}
