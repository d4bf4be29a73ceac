//! Who runs on which core, and how much of them others take.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        resource::{Usage, UsageWho, getrusage},
        time::TimeVal,
    },
    unistd::Pid,
};

/// The two sides of a connection. Each has a core of its own, where there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is measured.
    Clients,
    /// What answers it.
    Servers,
}

/// Binds this thread, and what it starts, to the core of its side.
///
/// # Errors
///
/// Where the kernel does not let it.
pub fn take(side: Side) -> Result<()> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
    let (Some(first), Some(second)) = (cores.next(), cores.next()) else {
        return Ok(());
    };
    let mut chosen = CpuSet::new();
    chosen.set(match side {
        Side::Clients => first,
        Side::Servers => second,
    })?;
    sched_setaffinity(Pid::from_raw(0), &chosen)?;
    Ok(())
}

/// Returns user and system time together.
#[must_use]
pub fn cpu_time(usage: &Usage) -> Duration {
    let duration = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    duration(usage.user_time()) + duration(usage.system_time())
}

/// A moment, to tell from it how much of the machine others took since.
pub struct Mark {
    at: Instant,
    busy: Duration,
    own: Duration,
}

impl Mark {
    /// Takes down this moment.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell.
    pub fn now() -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            busy: busy()?,
            own: own()?,
        })
    }

    /// Returns the share of the machine that others have taken since, from 0 to 1.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell.
    pub fn foreign_share(&self) -> Result<f64> {
        let foreign = (busy()?.saturating_sub(self.busy)).saturating_sub(own()? - self.own);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let total = self.at.elapsed().as_secs_f64() * cores as f64;
        Ok((foreign.as_secs_f64() / total.max(f64::EPSILON)).min(1.0))
    }
}

/// Returns what this process and all that it has waited for have used.
fn own() -> Result<Duration> {
    let own = getrusage(UsageWho::RUSAGE_SELF)?;
    let children = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(cpu_time(&own) + cpu_time(&children))
}

/// Returns how long the machine's cores have worked since it started: all but idle and waiting, see proc(5).
fn busy() -> Result<Duration> {
    const HUNDREDTHS: u64 = 100;
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("`/proc/stat` is empty")?;
    let ticks = line.split_ascii_whitespace().skip(1).take(8).enumerate();
    let busy: u64 = ticks
        .filter(|(column, _)| !matches!(column, 3 | 4))
        .filter_map(|(_, ticks)| ticks.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(busy * 1000 / HUNDREDTHS))
}
