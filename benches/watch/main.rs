//! Measures acrt and other tools: start-up time, the cost of a round in which nothing has moved, and the requests to registries.
//!
//! `cargo bench --bench watch` prints tables and the goals of docs/performance.md; `-- --help` lists the options.
//! Registries, delays and clients all run on this machine, servers and clients on a core each.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark starts processes, waits and prints"
)]

mod cases;
mod content;
mod cores;
mod counts;
mod delay;
mod distribution;
mod floor;
mod goals;
mod home;
mod launch;
mod measure;
mod offline;
mod options;
mod peers;
mod places;
mod registry;
mod report;
mod rounds;
mod slow;
mod tls;
mod tokens;

use std::{process::ExitCode, thread, time::Duration};

use anyhow::Result;
use clap::Parser as _;

use cases::Prepared;
use distribution::Distribution;
use goals::{judge, worth_another_try};
use measure::Row;
use offline::Offline;
use options::Options;
use places::{Door, Place, Servers, Wire};
use report::Report;
use slow::Neighbours;

/// How old files must be before acrt trusts its cache of them.
const REST: Duration = Duration::from_millis(2100);

/// How often `--check` measures a goal that is missed.
const TRIES: usize = 3;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let done = match args.next().as_deref() {
        Some(launch::MODE) => launch::main().map(|()| true),
        Some(floor::MODE) => floor::main(args).map(|()| true),
        _ => run(&Options::parse()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; returns whether the requested checks passed.
fn run(options: &Options) -> Result<bool> {
    let bench = Bench::prepare(options)?;
    if !options.counts {
        bench.servers.check_delay(FAR)?;
    }
    let mut rows = bench.measure(options, |heading| options.wants(heading))?;
    let wants_slow = !options.quick && options.wants("slow");
    let neighbours = match wants_slow {
        true => Some(Neighbours::measure(&bench.servers)?),
        false => None,
    };
    let cases = cases::all(options.quick);
    // Counts do not improve in another try, unlike times.
    let rounds = match options.wants(rounds::HEADING) {
        true => rounds::measure(&bench.servers, options.quick)?,
        false => Vec::new(),
    };
    let mut goals = judge(&rows, &cases, neighbours);
    for _ in 1..TRIES {
        let again = worth_another_try(&goals, options);
        if again.is_empty() {
            break;
        }
        let better = bench.measure(options, |heading| {
            again.iter().any(|missed| missed.starts_with(heading))
        })?;
        for row in &mut rows {
            let same = |other: &&Row| other.heading == row.heading && other.tool == row.tool;
            if let Some(other) = better.iter().find(same) {
                row.improve(other);
            }
        }
        goals = judge(&rows, &cases, neighbours);
    }
    goals.extend(rounds);
    let missed = worth_another_try(&goals, options);
    let report = Report {
        rows,
        neighbours,
        goals,
    };
    println!("{}", report.markdown()?);
    if let Some(path) = &options.json {
        report.save(path)?;
    }
    for heading in &missed {
        eprintln!("a goal is missed: {heading}");
    }
    Ok(missed.is_empty())
}

/// The place for the check of the delay, and of the real registry.
const FAR: Place = Place {
    wire: Wire::Https,
    door: Door::Bearer,
    rtt: 50,
};

/// All registries and homes of the benchmark.
struct Bench {
    servers: Servers,
    offline: Option<Offline>,
    cases: Vec<(String, Prepared)>,
    real: Vec<(String, Distribution)>,
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self> {
        let mut servers = Servers::start()?;
        let offline = match options.wants(offline::HEADING) {
            true => Some(Offline::new(&servers, options.quick)?),
            false => None,
        };
        let mut cases = Vec::new();
        for case in cases::all(options.quick) {
            let heading = case.to_string();
            if options.wants(&heading) {
                let prepared = Prepared::new(case, &mut servers)?;
                cases.push((heading, prepared));
            }
        }
        let mut real = Vec::new();
        if !options.quick && peers::is_installed(distribution::PROGRAM) {
            let open = Place {
                wire: Wire::Http,
                door: Door::Open,
                ..FAR
            };
            for (place, tags) in [(open, 1000), (FAR, 100), (FAR, 1000)] {
                let heading = Distribution::heading(place, tags);
                if options.wants(&heading) {
                    let started = Distribution::start(&mut servers, place, tags)?;
                    real.push((heading, started));
                }
            }
        }
        thread::sleep(REST);
        Ok(Self {
            servers,
            offline,
            cases,
            real,
        })
    }

    /// Measures everything whose heading is selected.
    fn measure(&self, options: &Options, wants: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        if let Some(offline) = self.offline.as_ref().filter(|_| wants(offline::HEADING)) {
            rows.extend(offline.measure(options)?);
        }
        for (_, case) in self.cases.iter().filter(|(heading, _)| wants(heading)) {
            rows.extend(case.measure(options, &self.servers)?);
        }
        for (_, real) in self.real.iter().filter(|(heading, _)| wants(heading)) {
            rows.extend(real.measure(options, &self.servers)?);
        }
        Ok(rows)
    }
}
