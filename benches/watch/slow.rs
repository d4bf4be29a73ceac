//! Four registries, one of which is slow: how that delays the other three.

use std::time::Duration;

use anyhow::Result;

use crate::{
    home::{Home, Site},
    places::{Door, Endpoint, Place, Servers, Wire},
};

/// How long the slow registry waits before a response.
const PAUSE: Duration = Duration::from_secs(5);

/// Tags on each registry.
const TAGS: usize = 25;

/// How often each case is measured; the median counts.
const RUNS: usize = 3;

/// How long the fast registries are in use, beside a fast one and beside a slow one.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Neighbours {
    /// All four are fast.
    pub alone: Duration,
    /// One of the four is slow.
    pub beside_slow: Duration,
}

impl Neighbours {
    /// Measures both.
    ///
    /// # Errors
    ///
    /// If acrt fails.
    pub fn measure(servers: &Servers) -> Result<Self> {
        Ok(Self {
            alone: span(servers, Duration::ZERO)?,
            beside_slow: span(servers, PAUSE)?,
        })
    }

    /// Returns the ratio of the two.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.beside_slow.as_secs_f64() / self.alone.as_secs_f64()
    }
}

/// Returns how long the longest of three fast registries is in use when the fourth has this pause.
fn span(servers: &Servers, pause: Duration) -> Result<Duration> {
    let place = Place {
        wire: Wire::Http,
        door: Door::Open,
        rtt: 50,
    };
    let quick: Vec<Endpoint> = (0..3)
        .map(|_| servers.open(place, Duration::ZERO))
        .collect::<Result<_>>()?;
    let fourth = servers.open(place, pause)?;
    let all = quick.iter().chain([&fourth]);
    let sites: Vec<Site> = all.map(|endpoint| endpoint.site.clone()).collect();
    let home = Home::make(&sites, TAGS * 4, TAGS, &servers.identity.ca_file)?;
    let watch = home.acrt(&["task", "watch", "--once"]);
    let mut spans = Vec::new();
    for _ in 0..RUNS {
        watch.measure()?;
        let longest = quick.iter().map(|endpoint| endpoint.registry.span()).max();
        spans.extend(longest);
        for endpoint in &quick {
            let _ = endpoint.registry.asked();
        }
    }
    spans.sort_unstable();
    Ok(spans[RUNS / 2])
}
