//! Copies of images beside `skopeo copy --all`, in turns, between two real registries on this machine.
//!
//! `cargo bench --bench import` measures; `-- --quick` does so with smaller images and fewer turns.

#![allow(clippy::print_stdout, reason = "its figures are its answer")]
#![allow(
    clippy::disallowed_methods,
    reason = "it starts whole processes, and waits for servers in real time"
)]

mod registry;
mod tools;

use std::time::Duration;

use anyhow::{Result, bail};

use registry::Registry;
use tools::{Measured, Tool};

/// An image that is copied, and what is at the target before.
struct Case {
    name: &'static str,
    layers: usize,
    bytes: usize,
    platforms: usize,
    /// Whether the same image is at the target already.
    present: bool,
}

const CASES: [Case; 3] = [
    Case {
        name: "many small layers",
        layers: 40,
        bytes: 20_000,
        platforms: 3,
        present: false,
    },
    Case {
        name: "one large layer",
        layers: 1,
        bytes: 500_000_000,
        platforms: 1,
        present: false,
    },
    Case {
        name: "everything present",
        layers: 40,
        bytes: 20_000,
        platforms: 3,
        present: true,
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
    for case in &CASES {
        measure(case, if quick { 3 } else { 9 }, quick)?;
    }
    Ok(())
}

fn measure(case: &Case, turns: usize, quick: bool) -> Result<()> {
    let source = Registry::start()?;
    let bytes = if quick { case.bytes / 10 } else { case.bytes };
    source.push("image", case.platforms, case.layers, bytes)?;
    let mut all: Vec<(Tool, Vec<Measured>)> = [Tool::Acrt, Tool::Skopeo]
        .map(|tool| (tool, Vec::new()))
        .into();
    for _ in 0..turns {
        for (tool, measured) in &mut all {
            let target = Registry::start()?;
            if case.present {
                tool.copy(&source, &target)?;
            }
            let before = target.requests()?;
            let mut one = tool.copy(&source, &target)?;
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

/// Returns the middle of each figure by itself.
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
