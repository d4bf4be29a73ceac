//! The registries of a run: their protocols, their authorization and their distance.

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::{
    cores, delay,
    home::Site,
    registry::{Entry, Registry, Setup},
    tls::Identity,
    tokens::Issuer,
};

/// The protocol of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// Plain, HTTP/1.1.
    Http,
    /// TLS, HTTP/2.
    Https,
    /// TLS, HTTP/1.1.
    Https1,
}

/// The authorization of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// None.
    Open,
    /// A password.
    Basic,
    /// A bearer token.
    Bearer,
}

/// The kind and the distance of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Its protocol.
    pub wire: Wire,
    /// Its authorization.
    pub door: Door,
    /// The round-trip time, in milliseconds.
    pub rtt: u64,
}

impl Place {
    /// Returns the round trip.
    #[must_use]
    pub fn round_trip(self) -> Duration {
        Duration::from_millis(self.rtt)
    }

    /// Tells whether one connection carries many requests at once.
    #[must_use]
    pub fn is_http2(self) -> bool {
        self.wire == Wire::Https
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.wire {
            Wire::Http => "http",
            Wire::Https => "https, HTTP/2",
            Wire::Https1 => "https, HTTP/1.1",
        })?;
        f.write_str(match self.door {
            Door::Open => "",
            Door::Basic => ", password",
            Door::Bearer => ", tokens",
        })?;
        write!(f, ", {} ms", self.rtt)
    }
}

/// A running registry with its delay.
pub struct Endpoint {
    /// The registry.
    pub registry: Registry,
    /// The address of the delay in front of it.
    pub address: SocketAddr,
    /// The registry as clients see it.
    pub site: Site,
}

/// The servers: a thread with an event loop, on its own core.
pub struct Servers {
    /// The event loop.
    pub handle: Handle,
    /// The keys for TLS and tokens.
    pub identity: Identity,
    /// Grants tokens.
    pub issuer: Arc<Issuer>,
    places: BTreeMap<Place, Arc<Endpoint>>,
}

impl Servers {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the thread or the certificate cannot be created.
    pub fn start() -> Result<Self> {
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = cores::take(cores::Side::Servers).and_then(|()| {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                Ok(builder.enable_all().build()?)
            });
            match runtime {
                Ok(runtime) => {
                    let _ = send.send(Ok(runtime.handle().clone()));
                    runtime.block_on(std::future::pending::<()>());
                }
                Err(error) => {
                    let _ = send.send(Err(error));
                }
            }
        });
        let identity = Identity::make()?;
        Ok(Self {
            handle: receive.recv().context("the servers' thread ended")??,
            issuer: Arc::new(Issuer::new(&identity)?),
            identity,
            places: BTreeMap::new(),
        })
    }

    /// Returns the registry of a place, started on first use.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or its delay is wrong.
    pub fn at(&mut self, place: Place) -> Result<Arc<Endpoint>> {
        if let Some(endpoint) = self.places.get(&place) {
            return Ok(Arc::clone(endpoint));
        }
        let endpoint = Arc::new(self.open(place, Duration::ZERO)?);
        self.places.insert(place, Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// Starts a separate registry that waits for `pause` before each response.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or its delay is wrong.
    pub fn open(&self, place: Place, pause: Duration) -> Result<Endpoint> {
        let tls = match place.wire {
            Wire::Http => None,
            Wire::Https => Some(self.identity.acceptor(&["h2", "http/1.1"])?),
            Wire::Https1 => Some(self.identity.acceptor(&["http/1.1"])?),
        };
        let entry = match place.door {
            Door::Open => Entry::Open,
            Door::Basic => Entry::Basic,
            Door::Bearer => Entry::Bearer(Arc::clone(&self.issuer)),
        };
        // Both kinds of content occur: registries with TLS have indexes.
        let indexes = place.wire != Wire::Http;
        let setup = Setup {
            tls,
            entry,
            indexes,
            pause,
        };
        let registry = Registry::start(setup, &self.handle)?;
        let address = self.far(registry.address, place)?;
        Ok(Endpoint {
            site: Site {
                host: address.to_string(),
                tls: place.wire != Wire::Http,
                login: place.door == Door::Basic,
                indexes,
            },
            registry,
            address,
        })
    }

    /// Puts `target` behind the delay of a place, and returns the new address.
    ///
    /// # Errors
    ///
    /// If no port is free, or the delay is wrong.
    pub fn far(&self, target: SocketAddr, place: Place) -> Result<SocketAddr> {
        if place.rtt == 0 {
            return Ok(target);
        }
        delay::start(target, place.round_trip(), &self.handle)
    }

    /// Checks the delay itself, with a plain registry behind it.
    ///
    /// # Errors
    ///
    /// The measured delay.
    pub fn check_delay(&self, place: Place) -> Result<()> {
        let plain = Place {
            wire: Wire::Http,
            door: Door::Open,
            ..place
        };
        let endpoint = self.open(plain, Duration::ZERO)?;
        delay::check(endpoint.address, place.round_trip())
    }
}
