//! Limits the number of connections, and decides which are closed when there are too many.
//!
//! A connection for which there is no room waits: after [`FAIR`], the one is closed for it that has been open the longest without having
//! shown a secret. Where very many wait, further ones are closed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// The most connections that are served at once.
const INSIDE: usize = 64;

/// The most of these from strangers: from addresses that have never shown a secret.
const STRANGERS: usize = 48;

/// The most of these from one address.
const OF_ONE: usize = 32;

/// The most connections that wait to be served, in all and from one address.
const WAITING: usize = 512;
const WAITING_OF_ONE: usize = 128;

/// The most connections that only receive events of the page; they do not count as served.
const LISTENING: usize = 256;

/// How long every connection may be served before it can be closed for another. A request takes milliseconds.
const FAIR: Duration = Duration::from_secs(2);

/// How many addresses are remembered that have shown a secret.
const KNOWN: usize = 1000;

/// The origin of a connection: an address, or for IPv6 the network that one customer gets. All of 127.0.0.0/8 is this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Self(Ipv6Addr::from(network).into())
            }
            address if address.is_loopback() => Self(Ipv4Addr::LOCALHOST.into()),
            address => Self(address),
        }
    }
}

/// The connection limits of one server. Clones share their state.
#[derive(Clone, Debug)]
pub struct ConnectionLimiter(Arc<SharedLimiter>);

#[derive(Debug)]
struct SharedLimiter {
    /// How long every connection may be served before it can be closed for another.
    fair: Duration,
    state: Mutex<LimiterState>,
    /// Notified when a connection has ended.
    left: Notify,
}

#[derive(Debug, Default)]
struct LimiterState {
    next: u64,
    inside: BTreeMap<u64, OpenConnection>,
    /// The connections that only receive events.
    listening: BTreeSet<u64>,
    waiting: BTreeMap<Origin, usize>,
    /// The addresses that have shown a secret, the latest last.
    known: VecDeque<Origin>,
}

#[derive(Debug)]
struct OpenConnection {
    origin: Origin,
    since: Instant,
    has_proven: bool,
    cut: Arc<Notify>,
}

/// Whether there is room for a new connection.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    /// There is room.
    Free,
    /// There is, once this connection is closed.
    InPlaceOf(u64),
    /// Not yet.
    None,
}

impl LimiterState {
    /// Decides whether there is room for another connection from `origin`.
    fn room(&self, origin: Origin, now: Instant, fair: Duration) -> Room {
        let is_stranger = |origin: Origin| !self.known.contains(&origin);
        let own = |connection: &OpenConnection| connection.origin == origin;
        let strange = |connection: &OpenConnection| is_stranger(connection.origin);
        let count = |which: &dyn Fn(&OpenConnection) -> bool| {
            self.inside
                .values()
                .filter(|connection| which(connection))
                .count()
        };
        let go: &dyn Fn(&OpenConnection) -> bool = if count(&own) >= OF_ONE {
            &own
        } else if is_stranger(origin) && count(&strange) >= STRANGERS {
            &strange
        } else if self.inside.len() < INSIDE {
            return Room::Free;
        } else if count(&strange) > 0 {
            &strange
        } else {
            &|_| true
        };
        let may_go = self.inside.iter().filter(|(_, connection)| {
            go(connection) && now.duration_since(connection.since) >= fair
        });
        match may_go.min_by_key(|(_, connection)| (connection.has_proven, connection.since)) {
            Some((id, _)) => Room::InPlaceOf(*id),
            None => Room::None,
        }
    }

    /// Accepts a connection, if there is room.
    fn admit(
        &mut self,
        origin: Origin,
        now: Instant,
        fair: Duration,
    ) -> Option<(u64, Arc<Notify>)> {
        match self.room(origin, now, fair) {
            Room::None => return None,
            Room::InPlaceOf(id) => {
                if let Some(connection) = self.inside.remove(&id) {
                    connection.cut.notify_one();
                }
            }
            Room::Free => {}
        }
        let (id, cut) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        let connection = OpenConnection {
            origin,
            since: now,
            has_proven: false,
            cut: Arc::clone(&cut),
        };
        self.inside.insert(id, connection);
        Some((id, cut))
    }

    fn has_proven(&mut self, id: u64) {
        let Some(connection) = self.inside.get_mut(&id) else {
            return;
        };
        connection.has_proven = true;
        let origin = connection.origin;
        if self.known.back() != Some(&origin) {
            self.known.retain(|known| *known != origin);
            self.known.push_back(origin);
        }
        if self.known.len() > KNOWN {
            self.known.pop_front();
        }
    }

    /// Lets a connection wait, unless too many do.
    fn queue(&mut self, origin: Origin) -> bool {
        let all: usize = self.waiting.values().sum();
        let own = self.waiting.entry(origin).or_default();
        let may = all < WAITING && *own < WAITING_OF_ONE;
        *own += usize::from(may);
        may
    }

    fn unqueue(&mut self, origin: Origin) {
        if let Some(own) = self.waiting.get_mut(&origin) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.waiting.remove(&origin);
            }
        }
    }
}

/// The place of a connection that is served. Dropping it frees the place.
#[derive(Debug)]
pub struct Slot {
    limiter: ConnectionLimiter,
    id: u64,
    cut: Arc<Notify>,
}

/// The place of a waiting connection.
struct Queued<'a> {
    limiter: &'a ConnectionLimiter,
    origin: Origin,
}

impl Default for ConnectionLimiter {
    fn default() -> Self {
        Self::new(FAIR)
    }
}

impl ConnectionLimiter {
    fn new(fair: Duration) -> Self {
        Self(Arc::new(SharedLimiter {
            fair,
            state: Mutex::default(),
            left: Notify::new(),
        }))
    }

    /// Waits until there is room for a connection. `None` where too many wait already.
    pub async fn enter(&self, origin: Origin) -> Option<Slot> {
        if let Some(slot) = self.try_enter(origin) {
            return Some(slot);
        }
        if !self.state().queue(origin) {
            return None;
        }
        let queued = Queued {
            limiter: self,
            origin,
        };
        loop {
            // Wakes when a connection ends, or one has been served for long enough to be closed.
            let _ = tokio::time::timeout(self.0.fair / 8, queued.limiter.0.left.notified()).await;
            if let Some(slot) = self.try_enter(origin) {
                return Some(slot);
            }
        }
    }

    fn try_enter(&self, origin: Origin) -> Option<Slot> {
        let (id, cut) = self.state().admit(origin, Instant::now(), self.0.fair)?;
        Some(Slot {
            limiter: self.clone(),
            id,
            cut,
        })
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Records that a request on this connection has shown a secret.
    pub fn has_proven(&self) {
        self.limiter.state().has_proven(self.id);
    }

    /// Records that this connection will only receive events from now on, which frees its place. False where too many do.
    pub fn listens(&self) -> bool {
        let mut state = self.limiter.state();
        if state.listening.len() >= LISTENING {
            return false;
        }
        state.inside.remove(&self.id);
        state.listening.insert(self.id);
        drop(state);
        self.limiter.0.left.notify_one();
        true
    }

    /// Waits until this connection must be closed for another.
    pub async fn cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.inside.remove(&self.id);
        state.listening.remove(&self.id);
        drop(state);
        self.limiter.0.left.notify_one();
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.limiter.state().unqueue(self.origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(n: u8) -> Origin {
        IpAddr::from([10, 0, 0, n]).into()
    }

    /// Accepts `count` connections from one address, and returns the last.
    fn fill(state: &mut LimiterState, from: Origin, count: usize, now: Instant) -> u64 {
        (0..count)
            .map(|_| state.admit(from, now, FAIR).expect("there is room").0)
            .last()
            .unwrap()
    }

    #[test]
    fn address_at_its_connection_limit_replaces_its_own_connections_only() {
        let (mut state, start) = (LimiterState::default(), Instant::now());
        fill(&mut state, origin(1), OF_ONE, start);
        // In a burst none is closed: they wait.
        assert_eq!(state.room(origin(1), start, FAIR), Room::None);
        assert_eq!(state.room(origin(2), start, FAIR), Room::Free);
        let later = start + FAIR;
        assert_eq!(state.room(origin(1), later, FAIR), Room::InPlaceOf(0));
        assert!(state.admit(origin(1), later, FAIR).is_some());
        assert_eq!(state.inside.len(), OF_ONE);
    }

    #[test]
    fn unauthenticated_connections_leave_room_for_authenticated_ones() {
        let (mut state, start) = (LimiterState::default(), Instant::now());
        let id = fill(&mut state, origin(9), 1, start);
        state.has_proven(id);
        state.inside.clear();
        for n in 0..STRANGERS {
            fill(&mut state, origin(100 + u8::try_from(n).unwrap()), 1, start);
        }
        assert_eq!(state.room(origin(1), start, FAIR), Room::None);
        fill(&mut state, origin(9), INSIDE - STRANGERS, start);
        // A known address comes before strangers that have had their time.
        assert_eq!(state.room(origin(9), start, FAIR), Room::None);
        let first = *state.inside.keys().next().unwrap();
        assert_eq!(
            state.room(origin(9), start + FAIR, FAIR),
            Room::InPlaceOf(first)
        );
    }

    #[test]
    fn authenticated_connections_are_closed_last() {
        let (mut state, start) = (LimiterState::default(), Instant::now());
        fill(&mut state, origin(1), OF_ONE, start);
        state.has_proven(0);
        assert_eq!(
            state.room(origin(1), start + FAIR, FAIR),
            Room::InPlaceOf(1)
        );
        (1..OF_ONE as u64).for_each(|id| state.has_proven(id));
        assert_eq!(
            state.room(origin(1), start + FAIR, FAIR),
            Room::InPlaceOf(0)
        );
    }

    #[test]
    fn waiting_connections_and_remembered_addresses_are_limited() {
        let mut state = LimiterState::default();
        let waits = (0..WAITING_OF_ONE + 5).filter(|_| state.queue(origin(1)));
        assert_eq!(waits.count(), WAITING_OF_ONE);
        let others = (2..200).filter(|n| (0..10).all(|_| state.queue(origin(*n))));
        assert_eq!(others.count(), (WAITING - WAITING_OF_ONE) / 10);
        state.unqueue(origin(1));
        assert_eq!(state.waiting[&origin(1)], WAITING_OF_ONE - 1);
        for n in 0..=KNOWN as u32 {
            let from = Origin::from(IpAddr::from(n.to_be_bytes()));
            let (id, _) = state.admit(from, Instant::now(), FAIR).unwrap();
            state.has_proven(id);
            state.inside.clear();
        }
        assert_eq!(state.known.len(), KNOWN);
    }

    #[test]
    fn ipv6_network_counts_as_one_address_and_mapped_ipv4_as_ipv4() {
        let of = |text: &str| Origin::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_eq!(of("127.9.8.7"), of("127.0.0.1"));
    }

    #[tokio::test]
    async fn event_stream_connections_are_counted_separately_and_limited() {
        let limiter = ConnectionLimiter::default();
        let mut listening = Vec::new();
        for _ in 0..LISTENING {
            let slot = limiter.enter(origin(1)).await.unwrap();
            assert!(slot.listens());
            listening.push(slot);
        }
        assert!(limiter.state().inside.is_empty());
        let one_more = limiter.enter(origin(1)).await.unwrap();
        assert!(!one_more.listens());
        listening.pop();
        assert!(one_more.listens());
    }

    #[tokio::test]
    async fn waiting_connection_is_admitted_when_another_ends_or_is_old_enough() {
        let fair = Duration::from_millis(400);
        let limiter = ConnectionLimiter::new(fair);
        let mut inside = Vec::new();
        for _ in 0..OF_ONE {
            inside.push(limiter.enter(origin(1)).await.unwrap());
        }
        let begun = Instant::now();
        let first = inside.remove(0);
        let (next, ()) = tokio::join!(limiter.enter(origin(1)), async { drop(first) });
        inside.push(next.unwrap());
        assert!(limiter.enter(origin(1)).await.is_some());
        assert!(begun.elapsed() >= fair / 2);
        // The oldest connection was asked to close.
        inside[0].cut().await;
        assert!(limiter.state().waiting.is_empty());
    }
}
