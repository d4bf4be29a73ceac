//! Binds clients and servers to cores, and measures the CPU time that other programs use.

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

/// The two sides of a connection. Each has its own core if the machine has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The measured programs.
    Clients,
    /// The servers that they talk to.
    Servers,
}

/// Binds this thread and its children to the core of its side.
///
/// # Errors
///
/// If the kernel does not allow it.
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

/// Returns the sum of user and system time.
#[must_use]
pub fn cpu_time(usage: &Usage) -> Duration {
    let duration = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    duration(usage.user_time()) + duration(usage.system_time())
}

/// The CPU times at some moment, to compute the share of other programs since then.
pub struct Mark {
    at: Instant,
    busy: Duration,
    own: Duration,
}

impl Mark {
    /// Reads the current CPU times.
    ///
    /// # Errors
    ///
    /// If the kernel does not provide them.
    pub fn now() -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            busy: busy()?,
            own: own()?,
        })
    }

    /// Returns the share of the machine that other programs have used since, from 0 to 1.
    ///
    /// # Errors
    ///
    /// If the kernel does not provide it.
    pub fn foreign_share(&self) -> Result<f64> {
        let foreign = (busy()?.saturating_sub(self.busy)).saturating_sub(own()? - self.own);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let total = self.at.elapsed().as_secs_f64() * cores as f64;
        Ok((foreign.as_secs_f64() / total.max(f64::EPSILON)).min(1.0))
    }
}

/// Returns the CPU time of this process and of the children that it has waited for.
fn own() -> Result<Duration> {
    let own = getrusage(UsageWho::RUSAGE_SELF)?;
    let children = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(cpu_time(&own) + cpu_time(&children))
}

/// Returns the CPU time of the whole machine since its start: all but idle and waiting, see proc(5).
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
