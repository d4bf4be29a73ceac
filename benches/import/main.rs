//! Measures image copies in turn with `skopeo copy --all`, and with `crane copy` where it is installed, between two real registries on this
//! machine.
//!
//! `cargo bench --bench import` measures; `-- --quick` uses smaller images and fewer turns.

#![allow(clippy::print_stdout, reason = "its figures are its answer")]
#![allow(
    clippy::disallowed_methods,
    reason = "it starts whole processes, and waits for servers in real time"
)]

#[path = "../watch/delay.rs"]
mod delay;
mod registry;
mod tools;

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::runtime::{Builder, Handle};

use registry::Registry;
use tools::{Measured, Tool};

/// An image to copy, and the state of the target before.
struct Case {
    name: &'static str,
    layers: usize,
    bytes: usize,
    platforms: usize,
    /// Whether the same image is at the target already.
    present: bool,
    /// The round-trip time to the target.
    away: Option<Duration>,
}

const CASES: [Case; 4] = [
    Case {
        name: "many small layers",
        layers: 40,
        bytes: 20_000,
        platforms: 3,
        present: false,
        away: None,
    },
    Case {
        name: "one large layer",
        layers: 1,
        bytes: 500_000_000,
        platforms: 1,
        present: false,
        away: None,
    },
    Case {
        name: "everything present",
        layers: 40,
        bytes: 20_000,
        platforms: 3,
        present: true,
        away: None,
    },
    Case {
        name: "120 small layers, 50 ms away",
        layers: 120,
        bytes: 20_000,
        platforms: 1,
        present: false,
        away: Some(Duration::from_millis(50)),
    },
];

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    for program in [registry::PROGRAM, tools::PEER] {
        if std::process::Command::new(program)
            .arg("--version")
            .output()
            .is_err()
        {
            bail!("`{program}` is not installed: apt-get install docker-registry skopeo");
        }
    }
    println!("| copy | tool | median | CPU | peak memory | requests at the target |");
    println!("|---|---|---|---|---|---|");
    // Wires need a thread of their own, because this one waits for programs.
    let wires = Builder::new_current_thread().enable_all().build()?;
    let handle = wires.handle().clone();
    std::thread::spawn(move || wires.block_on(std::future::pending::<()>()));
    for case in &CASES {
        measure(case, quick, &handle)?;
    }
    Ok(())
}

fn measure(case: &Case, quick: bool, wires: &Handle) -> Result<()> {
    let turns = if quick { 3 } else { 9 };
    let source = Registry::start()?;
    let bytes = if quick { case.bytes / 10 } else { case.bytes };
    source.push("image", case.platforms, case.layers, bytes)?;
    let tools = Tool::ALL.into_iter().filter(|tool| tool.is_there());
    let mut all: Vec<(Tool, Vec<Measured>)> = tools.map(|tool| (tool, Vec::new())).collect();
    for _ in 0..turns {
        for (tool, measured) in &mut all {
            let target = Registry::start()?;
            let to = match case.away {
                Some(round_trip) => {
                    let wire = delay::start(target.host().parse()?, round_trip, wires)?;
                    delay::check(wire, round_trip)?;
                    registry::image_at(&wire.to_string())
                }
                None => target.image(),
            };
            if case.present {
                tool.copy(&source.image(), &to)?;
            }
            let before = target.requests()?;
            let mut one = tool.copy(&source.image(), &to)?;
            one.requests = target.requests()? - before;
            measured.push(one);
        }
    }
    for (tool, measured) in all {
        let one = median(&measured);
        println!(
            "| {} | {tool} | {:.0} ms | {:.0} ms | {:.0} MiB | {} |",
            case.name,
            millis(one.wall),
            millis(one.cpu),
            one.kibibytes / 1024.0,
            one.requests
        );
    }
    Ok(())
}

/// Returns the median of each figure by itself.
fn median(measured: &[Measured]) -> Measured {
    fn middle<T: PartialOrd + Copy>(measured: &[Measured], figure: impl Fn(&Measured) -> T) -> T {
        let mut all: Vec<T> = measured.iter().map(figure).collect();
        all.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        all[all.len() / 2]
    }
    Measured {
        wall: middle(measured, |one| one.wall),
        cpu: middle(measured, |one| one.cpu),
        kibibytes: middle(measured, |one| one.kibibytes),
        requests: middle(measured, |one| one.requests),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
