//! Many broken files: none may cause a panic, a hang or a wrong pin.
//!
//! `ACRT_FUZZ_COUNT=1000000 cargo test --release --test dockerfile -- --ignored --nocapture` prints how many files were
//! tried and the slowest one.

use std::time::{Duration, Instant};

use acrt::dockerfile::Dockerfile;
use serde::Deserialize;

use super::{build, check};

/// Tokens that have a meaning for a parser.
const PIECES: [&str; 59] = [
    "\\",
    "`",
    "\\\n",
    "`\n",
    "\n",
    "\r\n",
    " ",
    "\t",
    "'",
    "\"",
    "<<",
    "<<-",
    "<<EOF",
    "EOF\n",
    "$",
    "${",
    "}",
    ":-",
    ":+",
    "?",
    "#",
    "##",
    "%",
    "/",
    "//",
    "*",
    "--",
    "--from=",
    "--mount=",
    "from=",
    "--platform=",
    "=",
    ",",
    "[",
    "]",
    "\u{feff}",
    "\u{a0}",
    "\u{e0}",
    "\u{2003}",
    "\u{b}",
    "\u{c}",
    "\0",
    "FROM ",
    "\nFROM a AS b\n",
    "ARG A=$A$A\n",
    "COPY --from=b c d\n",
    "RUN --mount=from=a,target=/x y\n",
    "ONBUILD ",
    " AS ",
    "# escape=`\n",
    "# syntax=x\n",
    "INCLUDE x\n",
    "// syntax=x\n",
    "type=tmpfs,",
    "ENV A ",
    "HEALTHCHECK CMD ",
    "${A:-${B:-",
    "0",
    "1",
];

/// A small pseudorandom generator; the same seed gives the same files.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }
}

fn corpus() -> Vec<Vec<u8>> {
    #[derive(Deserialize)]
    struct Case {
        #[serde(alias = "text")]
        dockerfile: String,
    }
    [
        include_str!("../data/dockerfile.json"),
        include_str!("../data/dockerfile-more.json"),
        include_str!("../data/buildkit-lines.json"),
    ]
    .into_iter()
    .flat_map(|cases| serde_json::from_str::<Vec<Case>>(cases).unwrap())
    .map(|case| case.dockerfile.into_bytes())
    .collect()
}

fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut file = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(6) {
        let at = random.below(file.len() + 1);
        let end = (at + random.below(12)).min(file.len());
        match random.below(8) {
            0 => drop(file.drain(at..end)),
            1 => {
                let copy: Vec<u8> = file[at..end].repeat(1 + random.below(4));
                file.splice(at..at, copy);
            }
            2 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                file.splice(at..end, other[from..].iter().copied());
            }
            3 => {
                let byte = random.next() as u8;
                file.insert(at, byte);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                file.splice(at..at, piece.bytes());
            }
        }
    }
    file
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a long run is told how long, and tells what it saw"
)]
fn fuzzed_dockerfiles_do_not_panic() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count: u64 = number("ACRT_FUZZ_COUNT").unwrap_or(1_000_000);
    let mut random = Random(number("ACRT_FUZZ_SEED").unwrap_or(1).max(1));
    let corpus = corpus();
    let (mut readable, mut buildable) = (0, 0);
    let mut slowest = (Duration::ZERO, Vec::new());
    let builds = [
        build(&["linux/amd64"]),
        build(&["linux/arm64", "linux/amd64"]),
    ];
    for n in 0..count {
        let file = mutated(&corpus, &mut random);
        let start = Instant::now();
        readable += u64::from(Dockerfile::parse(&file).is_ok());
        buildable += u64::from(check(&file, &builds[usize::from(n % 8 == 0)]));
        let time = start.elapsed();
        if time > slowest.0 {
            slowest = (time, file);
        }
    }
    println!(
        "{count} files, {readable} readable, {buildable} buildable; slowest {:?} for {} bytes: {:?}",
        slowest.0,
        slowest.1.len(),
        String::from_utf8_lossy(&slowest.1)
    );
    assert!(slowest.0 < Duration::from_secs(1));
}
