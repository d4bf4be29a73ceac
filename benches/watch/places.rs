//! Where the registries of a run are: by how they are spoken to, who is let in, and how far they are.

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

/// How a registry is spoken to.
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

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// Everybody.
    Open,
    /// Who has the password.
    Basic,
    /// Who has a token.
    Bearer,
}

/// Where a registry is, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// How it is spoken to.
    pub wire: Wire,
    /// Who is let in.
    pub door: Door,
    /// The round trip to it, in milliseconds.
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

/// A registry, and where a client finds it.
pub struct Endpoint {
    /// The registry.
    pub registry: Registry,
    /// Where the wire to it begins.
    pub address: SocketAddr,
    /// How a client sees it.
    pub site: Site,
}

/// The side that answers: a thread with an event loop, on its own core.
pub struct Servers {
    /// The event loop.
    pub handle: Handle,
    /// What TLS and tokens depend on.
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
    /// Where the machine does not give one, or a certificate cannot be made.
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

    /// Returns the registry of a place, started when it is first asked for.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, or its delay is not what it should be.
    pub fn at(&mut self, place: Place) -> Result<Arc<Endpoint>> {
        if let Some(endpoint) = self.places.get(&place) {
            return Ok(Arc::clone(endpoint));
        }
        let endpoint = Arc::new(self.open(place, Duration::ZERO)?);
        self.places.insert(place, Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// Starts a registry of its own, that takes `pause` for each answer.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, or its delay is not what it should be.
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
        // Both kinds of documents are met: what is behind TLS are indexes.
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

    /// Puts `target` as far away as a place is, and returns where it is then found.
    ///
    /// # Errors
    ///
    /// Where no port is to be had, or the delay is not what it should be.
    pub fn far(&self, target: SocketAddr, place: Place) -> Result<SocketAddr> {
        if place.rtt == 0 {
            return Ok(target);
        }
        delay::start(target, place.round_trip(), &self.handle)
    }

    /// Checks the delay itself, on a plain registry behind it.
    ///
    /// # Errors
    ///
    /// How long it is instead.
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
