//! Many broken inputs: none may cause a panic, or take more than a second of CPU time or 64 MiB.
//!
//! `ACRT_FUZZ_COUNT=1000000 cargo test --release --test fuzz -- --nocapture` prints how many were tried, with the slowest and the
//! largest. `ACRT_FUZZ_SEED` selects other inputs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod inputs;
mod outside;
mod templates;

use std::time::Duration;

use acrt::{
    image::Reference,
    steps::{TemplateRun, Values, Variables, read, secrets},
    sys::{config::Config, secret::Secret},
    task::{Context, Task, cron::Cron},
    watch::Baseline,
};
use nix::sys::resource::{UsageWho, getrusage};
use peak_alloc::PeakAlloc;

use inputs::{Input, Random};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The limit of CPU time for one input. An unoptimized build is many times slower.
const SLOWEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 1 });

/// The limit of memory for one input, besides its own size, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// The default number of inputs.
const COUNT: u64 = 20_000;

fn variables() -> Variables {
    let mut values =
        Values::parse("a: 1\nlist: [x, y]\nmap: {k: {l: v}}\ntext: some words\n").unwrap();
    values.set_secret("pin", Secret::new("1234"));
    Variables {
        run: TemplateRun {
            id: "ca1".into(),
            registry: "r.io".into(),
            date: "20260102-030405z".into(),
            ..TemplateRun::default()
        },
        values,
        secrets: [("token".to_owned(), Secret::new("hunter2-secret"))].into(),
        is_late: None,
    }
}

/// Parses an input by its kind; returns whether it was valid.
fn use_up(input: &Input, variables: &Variables) -> bool {
    match input {
        Input::TaskFile(text) => {
            let mut load = |_: &str| Ok("a: b\nc: '{{.Run.ID}}'\n".to_owned());
            let _ = secrets(text, variables, &mut load);
            match read(text, variables, &mut load) {
                Ok(file) => {
                    // The debug output of a file never shows its secrets.
                    let shown = format!("{:?}", file.graph);
                    let hidden = file.graph.texts_with_secrets().count();
                    assert!(hidden == 0 || !shown.contains("hunter2-secret"), "{text}");
                    true
                }
                Err(problem) => {
                    assert!(!problem.to_string().contains("hunter2-secret"), "{text}");
                    false
                }
            }
        }
        Input::Outside(kind, text) => outside::use_up(*kind, text),
        Input::Values(text) => Values::parse(text).is_ok(),
        Input::Definition(text) => serde_yaml::from_str::<Task>(text).is_ok(),
        Input::Config(text) => serde_yaml::from_str::<Config>(text).is_ok(),
        Input::State(text) => serde_json::from_str::<Baseline>(text).is_ok(),
        Input::Word(text) => {
            let _ = (
                text.parse::<Context>().is_ok(),
                text.parse::<Cron>().is_ok(),
            );
            text.parse::<Reference>().is_ok_and(|reference| {
                let again: Reference = reference.to_string().parse().unwrap();
                assert_eq!(again, reference, "{text}");
                true
            })
        }
    }
}

/// Returns the CPU time of this thread.
fn spent() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0)
    };
    Duration::from_micros(micros(user) + micros(system))
}

#[test]
#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a long run is told how long, and tells what it saw"
)]
fn fuzzed_inputs_neither_panic_nor_exceed_time_and_memory_limits() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count: u64 = number("ACRT_FUZZ_COUNT").unwrap_or(COUNT);
    let seed: u64 = number("ACRT_FUZZ_SEED").unwrap_or(1);
    let mut random = Random::new(seed);
    let corpus = inputs::corpus();
    let variables = variables();
    let mut usable = 0_u64;
    let (mut slowest, mut largest) = ((Duration::ZERO, String::new()), (0, String::new()));
    for _ in 0..count {
        let input = inputs::next(&corpus, &mut random);
        let (before, begun) = (MEMORY.current_usage(), spent());
        MEMORY.reset_peak_usage();
        usable += u64::from(use_up(&input, &variables));
        let time = spent().saturating_sub(begun);
        let bytes = MEMORY.peak_usage().saturating_sub(before);
        let shown = || format!("{:.4000?}", input.text());
        assert!(time < SLOWEST, "{time:?}: {}", shown());
        assert!(bytes < LARGEST, "{bytes} bytes: {}", shown());
        if time > slowest.0 {
            slowest = (time, shown());
        }
        if bytes > largest.0 {
            largest = (bytes, shown());
        }
    }
    println!("{count} inputs, {usable} usable");
    println!("slowest {:?}: {}", slowest.0, slowest.1);
    println!("largest {} KiB: {}", largest.0 / 1024, largest.1);
}
