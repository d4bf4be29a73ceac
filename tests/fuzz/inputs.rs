//! Inputs of every kind, mutated from valid ones.

use super::{outside, outside::KINDS, templates};

/// The kinds of inputs, by their reader.
pub enum Input {
    TaskFile(String),
    Values(String),
    Definition(String),
    Config(String),
    State(String),
    Word(String),
    Outside(outside::Kind, String),
}

impl Input {
    pub fn text(&self) -> &str {
        match self {
            Self::TaskFile(text)
            | Self::Values(text)
            | Self::Definition(text)
            | Self::Config(text)
            | Self::State(text)
            | Self::Word(text)
            | Self::Outside(_, text) => text,
        }
    }
}

/// A small pseudorandom generator; the same seed gives the same inputs.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }
}

/// Valid inputs of each kind.
pub struct Corpus {
    files: Vec<String>,
    definitions: Vec<String>,
    configs: Vec<String>,
    states: Vec<String>,
    words: Vec<String>,
    outside: Vec<Vec<String>>,
}

pub fn corpus() -> Corpus {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../data/task-yaml.json")).unwrap();
    let text = |case: &serde_json::Value| case["yaml"].as_str().unwrap().to_owned();
    let own = |texts: &[&str]| texts.iter().copied().map(str::to_owned).collect();
    Corpus {
        outside: KINDS.iter().map(|kind| outside::corpus(*kind)).collect(),
        files: cases.iter().map(text).collect(),
        definitions: own(&[
            "schema: 1\nname: web\nregistry: r.io\nstep: {type: Docker, contextPath: /c, dockerFilePath: D, imageNames: ['web:{{.Run.ID}}'], arguments: [{name: A, value: b, isSecret: false}]}\ntrigger: {baseImageTrigger: {name: x, status: Enabled}, timerTriggers: [{name: t, schedule: '0 3 * * *'}]}\n",
            "schema: 1\nname: t\nregistry: r.io\ntimeout: 60\nplatforms: [linux/amd64]\nstep: {type: FileTask, contextPath: 'https://github.com/a/b.git#main:x', taskFilePath: acb.yaml, values: [{name: a, value: b}], trustContext: true}\n",
        ]),
        configs: own(&[
            "registry: r.io\nbuilder: docker\nregistries: {r.io: {plainHttp: true}}\nwatch: {interval: 1m}\nruns: {keep: 5}\n",
            "mirrors: {docker.io: localhost:5000}\nnotify: {url: 'http://x/y'}\n",
        ]),
        states: own(&[
            "{\"schema\":1,\"run\":\"ca1\",\"dependencies\":[{\"image\":{\"registry\":\"r.io\",\"repository\":\"a\",\"tag\":\"1\",\"digest\":\"sha256:aa\"},\"kind\":\"Runtime\"}],\"failure\":null}",
        ]),
        words: own(&[
            "r.io/a/b:1",
            "localhost:5000/x@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "[::1]:5000/x",
            "node:20-alpine",
            "https://github.com/a/b.git#main:sub",
            "oci://r.io/a:1",
            "git@github.com:a/b.git",
            "*/5 1-3 * * MON-FRI",
            "0 21 29 2 *",
        ]),
    }
}

/// Tokens that have a meaning for a parser.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{/*",
    "*/}}",
    "{{if 1}}",
    "{{else if 0}}",
    "{{else}}",
    "{{end}}",
    "{{range until 9}}",
    "{{.Secrets.token}}",
    "{{.Values.pin | b64enc}}",
    "{{define \"x\"}}",
    "{{template \"x\"}}",
    "\n",
    "\r\n",
    "\t",
    " ",
    "  ",
    "- ",
    ": ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'",
    "\"",
    "\\",
    "`",
    "|",
    "|-\n  ",
    ">\n ",
    "#",
    " #",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "!",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "@",
    "$",
    "$$",
    "$ID",
    "$Registry",
    "version: v1.1.0\n",
    "alias: {src: [x]}\n",
    "steps:\n",
    "- cmd: ",
    "- build: ",
    "push: [",
    "env: [",
    "when: [",
    "-t x:1 ",
    "--secret id=a,src=/x ",
    "secrets:\n- id: ",
    "volumes:\n- name: ",
    "0",
    "1",
    "-1",
    "99999999999",
    "1e9",
    "true",
    "null",
    "~",
    "\u{feff}",
    "\u{fdd0}",
    "\u{fdd1}",
    "\0",
    "\u{85}",
    "\u{2028}",
    "é",
    "sha256:",
    "/",
    ":",
    "://",
    "..",
    "%",
    "*",
    "/5",
    "MON",
    "FROM ",
    "FROM ${A:-",
    "${A:-",
    "ARG A=",
    "COPY --from=",
    "RUN --mount=type=bind,from=",
    "<<EOF\n",
    "# escape=`\n",
    "Bearer realm=",
    "=\"",
    "\\\"",
    "null,",
    "[[",
    "{\"a\":",
    "\"manifests\":[",
    "\"platform\":",
];

/// Returns the next input.
pub fn next(corpus: &Corpus, random: &mut Random) -> Input {
    match random.below(24) {
        0..=5 => Input::TaskFile(mutated(&corpus.files, random)),
        6..=9 => Input::TaskFile(templates::file(random)),
        10 => Input::TaskFile(mutated(&[templates::file(random)], random)),
        11 => Input::Values(mutated(&corpus.files, random)),
        12 => Input::Definition(mutated(&corpus.definitions, random)),
        13 => Input::Config(mutated(&corpus.configs, random)),
        14 => Input::State(mutated(&corpus.states, random)),
        15 => Input::Word(mutated(&corpus.words, random)),
        _ => {
            let n = random.below(KINDS.len());
            Input::Outside(KINDS[n], mutated(&corpus.outside[n], random))
        }
    }
}

fn mutated(corpus: &[String], random: &mut Random) -> String {
    let mut text: Vec<char> = corpus[random.below(corpus.len())].chars().collect();
    for _ in 0..1 + random.below(6) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(24)).min(text.len());
        match random.below(10) {
            0 => drop(text.drain(at..end)),
            1 => {
                let copy = text[at..end].repeat(1 + random.below(4));
                text.splice(at..at, copy);
            }
            2 => {
                let other: Vec<char> = corpus[random.below(corpus.len())].chars().collect();
                let from = random.below(other.len() + 1);
                text.splice(at..end, other[from..].iter().copied());
            }
            // One token many times; not for files that only the owner writes.
            3 if corpus.len() != 2 && random.below(8) == 0 => {
                let piece = PIECES[random.below(PIECES.len())];
                let many = piece.repeat(1 + random.below(20_000));
                text.splice(at..at, many.chars());
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                text.splice(at..at, piece.chars());
            }
        }
    }
    text.into_iter().collect()
}
