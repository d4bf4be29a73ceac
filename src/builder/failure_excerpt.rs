//! The last messages of a builder before it failed, in few lines: why it failed, and whether a registry has refused it.

use std::collections::VecDeque;

use crate::image::{Reference, reference::DOCKER_HUB};

use super::{BuilderKind, Purpose};

/// How many lines are kept of each kind.
const LINES: usize = 5;

/// How many bytes are kept of a line while it is printed: a reason is shorter.
const LONGEST: usize = 4096;

/// How many characters of one line are returned.
const SAID_OF_LINE: usize = 300;

/// How many characters are returned in all.
const SAID: usize = 1000;

/// Reads the output of a builder, with secrets already masked, and keeps its last messages.
#[derive(Debug, Default)]
pub struct FailureExcerpt {
    pending: Vec<u8>,
    last: VecDeque<Vec<u8>>,
    errors: VecDeque<ErrorLine>,
}

/// A line with an error, and the one before it: where the first gives only an exit code, the second says why.
#[derive(Debug)]
struct ErrorLine {
    before: Option<Vec<u8>>,
    line: Vec<u8>,
}

/// A registry that has refused a builder, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub registry: String,
}

impl FailureExcerpt {
    /// Reads a part of the output.
    pub fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let room = LONGEST.saturating_sub(self.pending.len());
            self.pending
                .extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.line();
            }
        }
    }

    fn line(&mut self) {
        // A program may print millions of such lines.
        let is_blank = |line: &[u8]| {
            line.iter()
                .all(|b| b.is_ascii() && !b.is_ascii_alphanumeric())
        };
        if is_blank(&self.pending) || self.last.back() == Some(&self.pending) {
            self.pending.clear();
            return;
        }
        let line = std::mem::take(&mut self.pending);
        let text = cleaned(&line);
        let text = text.as_str();
        if is_noise(text) {
            return;
        }
        if is_error(text) {
            let before = self.last.back();
            let before = before.filter(|it| !is_error(&cleaned(it))).cloned();
            let error = ErrorLine {
                before,
                line: line.clone(),
            };
            keep(&mut self.errors, error);
        }
        keep(&mut self.last, line);
    }

    /// Returns the last line that does not only show progress: after a failed exit this is the builder's own message, and what the build
    /// printed is above it.
    pub fn last(&mut self) -> Option<String> {
        self.line();
        self.last.back().map(|line| cleaned(line))
    }

    /// Returns its last lines about an error, else its last lines; each at most once, without control characters and within bounds. Empty
    /// where there was no output.
    pub fn said(&mut self) -> Vec<String> {
        self.line();
        let mut lines: Vec<String> = Vec::new();
        for error in &self.errors {
            let line = cleaned(&error.line);
            let before = error.before.as_ref().filter(|_| is_exit_code(&line));
            if let Some(before) = before.map(|it| cleaned(it)) {
                add(&mut lines, before);
            }
            add(&mut lines, line);
        }
        if self.errors.is_empty() {
            self.last
                .iter()
                .for_each(|line| add(&mut lines, cleaned(line)));
        }
        let mut room = SAID;
        // The last lines matter most.
        let mut kept: Vec<String> = lines
            .into_iter()
            .rev()
            .map(|line| shortened(line, SAID_OF_LINE))
            .take_while(|line| {
                let fits = line.chars().count() <= room;
                room = room.saturating_sub(line.chars().count());
                fits
            })
            .take(LINES)
            .collect();
        kept.reverse();
        kept
    }
}

fn keep<T>(lines: &mut VecDeque<T>, line: T) {
    lines.push_back(line);
    if lines.len() > LINES {
        lines.pop_front();
    }
}

/// Adds a line, unless another line contains it; lines that it contains are removed.
fn add(lines: &mut Vec<String>, line: String) {
    let body = |line: &str| {
        line.trim_start_matches(['E', 'R', 'O', 'r', 'o', 'e', ':', ' '])
            .to_owned()
    };
    let new = body(&line);
    if lines.iter().any(|old| old.contains(&new)) {
        return;
    }
    lines.retain(|old| !line.contains(&body(old)));
    lines.push(line);
}

/// Removes control sequences from a line, the text before a carriage return, and BuildKit's prefix: `#7 0.345 `.
fn cleaned(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\u{1b}' if letters.peek() == Some(&'[') => {
                letters.next();
                while letters.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            c if c.is_control() => plain.push(' '),
            // Characters that change the direction of the text after them.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c => plain.push(c),
        }
    }
    let plain = plain.trim();
    let numbered = plain.strip_prefix('#').and_then(|rest| {
        let (number, rest) = rest.split_once(' ')?;
        number.parse::<u32>().ok().map(|_| rest)
    });
    let rest = numbered.unwrap_or(plain);
    let timed = rest
        .split_once(' ')
        .filter(|(time, _)| time.contains('.') && time.parse::<f64>().is_ok_and(|it| it >= 0.0));
    timed.map_or(rest, |(_, rest)| rest).trim().to_owned()
}

/// Tells whether a line only shows progress.
fn is_noise(line: &str) -> bool {
    const STARTS: [&str; 14] = [
        "sha256:",
        "extracting ",
        "subprocess exited with",
        "Copying ",
        "--->",
        "Step ",
        "STEP ",
        "DONE ",
        "CACHED",
        "[",
        "> [",
        "Removing intermediate container",
        "Removed intermediate container",
        ">>> ",
    ];
    // A line of a Dockerfile that BuildKit shows: `   2 | RUN x`.
    let shown = line.split_once(" |").or_else(|| line.split_once('|'));
    let is_shown = shown.is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok());
    let is_dockerfile = line.strip_prefix("Dockerfile:");
    let is_dockerfile = is_dockerfile.is_some_and(|it| it.parse::<u32>().is_ok());
    is_shown
        || is_dockerfile
        || !line.chars().any(char::is_alphanumeric)
        || STARTS.iter().any(|start| line.starts_with(start))
}

fn is_error(line: &str) -> bool {
    const STARTS: [&str; 7] = [
        "error ", "error:", "err!", "npm err!", "e: ", "fatal:", "panic:",
    ];
    const PARTS: [&str; 5] = [
        ": error:",
        "fatal error:",
        "denied:",
        "unauthorized:",
        "returned a non-zero code",
    ];
    let small = line.to_lowercase();
    STARTS.iter().any(|start| small.starts_with(start)) || PARTS.iter().any(|it| small.contains(it))
}

/// Tells whether a line says only which exit code a command had.
fn is_exit_code(line: &str) -> bool {
    const PARTS: [&str; 4] = [
        "exit status",
        "exit code",
        "non-zero code",
        "did not complete successfully",
    ];
    PARTS.iter().any(|part| line.contains(part))
}

/// Cuts the middle out of a line that is too long: what failed is at its beginning, and why at its end.
fn shortened(line: String, longest: usize) -> String {
    let letters: Vec<char> = line.chars().collect();
    if letters.len() <= longest {
        return line;
    }
    let half = longest / 2;
    let (first, last) = (&letters[..half], &letters[letters.len() - half..]);
    format!(
        "{}…{}",
        first.iter().collect::<String>(),
        last.iter().collect::<String>()
    )
}

/// Returns which registry has refused a builder, if its last messages say so; `bases` are the images that it may have pulled.
pub fn refusal<'b>(
    said: &[String],
    purpose: &'b Purpose,
    bases: impl Iterator<Item = &'b Reference> + Clone,
) -> Option<Refusal> {
    const PHRASES: [&str; 10] = [
        "unauthorized",
        "authentication required",
        "no basic auth credentials",
        "access to the resource is denied",
        "access denied",
        "authorization failed",
        "insufficient_scope",
        "denied:",
        "403 forbidden",
        "status 403",
    ];
    let refused: Vec<String> = said
        .iter()
        .map(|line| line.to_lowercase().replace("permission denied", ""))
        .filter(|line| PHRASES.iter().any(|phrase| line.contains(phrase)))
        .collect();
    if refused.is_empty() {
        return None;
    }
    let own = match purpose {
        Purpose::Pull(image) => std::slice::from_ref(image),
        other => other.pushes(),
    };
    let images = || own.iter().chain(bases.clone());
    let is_named = |image: &&Reference| {
        let names = [image.registry().to_owned(), image.name(), image.familiar()];
        let of = |name: &String| refused.iter().any(|line| line.contains(name.as_str()));
        names.iter().any(of)
    };
    let named = images().find(is_named);
    // A script in a build may be refused by any server; only the registry refuses a push or a pull.
    let image = named.or_else(|| own.first())?;
    Some(Refusal {
        registry: image.registry().to_owned(),
    })
}

/// Tells whether the last message of a client is that it has lost its daemon, in the words of docker, BuildKit and podman.
pub fn has_lost_its_daemon(last: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "error during connect",
        "cannot connect to the docker daemon",
        "cannot connect to podman",
        "unexpected eof",
        "grpc: the client connection is closing",
        "failed to receive status: rpc error: code = unavailable",
        "failed to solve: rpc error: code = unavailable",
        "failed to solve: unavailable:",
        "rpc error: code = unavailable",
    ];
    let last = last.to_lowercase();
    let last = last.strip_prefix("error: ").unwrap_or(&last);
    let last = last.strip_prefix("failed to build: ").unwrap_or(last);
    // What the client could not pack of the context ends its request too.
    BEGINNINGS.iter().any(|it| last.starts_with(it)) && !last.contains(": archive/tar: ")
}

/// Tells whether the last message of a builder is that its disk is full. The kernel's reason is at the end of the message; a `RUN` that
/// failed is quoted before its exit code.
pub fn is_out_of_disk(last: &str) -> bool {
    const REASONS: [&str; 2] = ["no space left on device", "disk quota exceeded"];
    let last = last.to_lowercase();
    // containerd adds the code of an error; buildah and podman add that of their child which unpacks a copied file.
    let last = last.strip_suffix(": unknown").unwrap_or(&last);
    let unpacking = last.strip_suffix("): exit status 1");
    let unpacking = unpacking.filter(|it| it.contains("processing tar file("));
    let last = unpacking.unwrap_or(last);
    let last = last.trim_end_matches(|c: char| !c.is_alphanumeric());
    REASONS.iter().any(|reason| last.ends_with(reason))
}

/// Tells whether the last message of buildah or podman is that it lacks netavark, without which versions newer than Debian 12's build nothing.
pub fn lacks_netavark(last: &str) -> bool {
    last.contains("could not find \"netavark\"")
}

impl Refusal {
    /// Returns the command with which the user logs this builder in to the registry, which may be without TLS.
    pub fn login(&self, kind: BuilderKind, plain_http: bool) -> String {
        let (program, insecure) = match kind {
            BuilderKind::Docker | BuilderKind::Buildx | BuilderKind::Buildctl => ("docker", ""),
            BuilderKind::Podman => ("podman", " --tls-verify=false"),
            BuilderKind::Buildah => ("buildah", " --tls-verify=false"),
            BuilderKind::Command => ("acrt", ""),
        };
        let insecure = if plain_http { insecure } else { "" };
        match self.registry.as_str() {
            DOCKER_HUB if program == "docker" => "docker login".to_owned(),
            registry => format!("{program} login{insecure} {registry}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(printed: &str) -> Vec<String> {
        let mut words = FailureExcerpt::default();
        // In pieces, as a pipe delivers it.
        printed
            .as_bytes()
            .chunks(7)
            .for_each(|piece| words.take(piece));
        words.said()
    }

    #[test]
    fn buildkit_failure_reason_is_reported_once_with_the_line_before_an_exit_code() {
        let lines = said(
            "#5 [2/2] RUN npm run build\n#5 0.345 \u{1b}[31msh: npm: not found\u{1b}[0m\n#5 ERROR: process \"/bin/sh -c npm run build\" did not complete successfully: exit code: 127\n------\n > [2/2] RUN npm run build:\n0.345 sh: npm: not found\n------\nDockerfile:2\n--------------------\n   1 |     FROM busybox\n   2 | >>> RUN npm run build\n--------------------\nERROR: failed to solve: process \"/bin/sh -c npm run build\" did not complete successfully: exit code: 127\n",
        );
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert_eq!(lines[0], "sh: npm: not found");
        assert!(
            lines[1].starts_with("ERROR: failed to solve: process"),
            "{lines:#?}"
        );
    }

    #[test]
    fn failure_reason_is_found_in_the_output_of_each_builder() {
        let cases = [
            (
                "Step 2/2 : RUN foo\n ---> Running in 0123456789ab\n/bin/sh: foo: not found\nThe command '/bin/sh -c foo' returned a non-zero code: 127\n",
                vec![
                    "/bin/sh: foo: not found",
                    "The command '/bin/sh -c foo' returned a non-zero code: 127",
                ],
            ),
            (
                "STEP 2/2: RUN foo\n/bin/sh: foo: not found\nError: building at STEP \"RUN foo\": while running runtime: exit status 127\n",
                vec![
                    "/bin/sh: foo: not found",
                    "Error: building at STEP \"RUN foo\": while running runtime: exit status 127",
                ],
            ),
            (
                "Copying blob\nerror: failed to solve: base: not found\n",
                vec!["error: failed to solve: base: not found"],
            ),
            (
                "one\ntwo\nthree\nfour\nfive\nsix",
                vec!["two", "three", "four", "five", "six"],
            ),
            (
                "panic: runtime error: invalid memory address\n\ngoroutine 49 [running]:\nsync.(*Once).Do(...)\n\tsync/once.go:1 +0xab\nmain.main()\n\tmain.go:9 +0x1\n",
                vec!["panic: runtime error: invalid memory address"],
            ),
            ("", vec![]),
        ];
        for (printed, expected) in cases {
            assert_eq!(said(printed), expected, "{printed}");
        }
    }

    #[test]
    fn failure_reason_is_bounded_and_has_no_control_characters() {
        let mut words = FailureExcerpt::default();
        words.take(b"Error: red \x1b[31m\x1b]0;title\x07 \xff\r");
        words.take("x".repeat(1_000_000).as_bytes());
        words.take("\nError: \u{202e}evil\x1b[2J\n".as_bytes());
        let lines = words.said();
        let all = lines.join("");
        assert!(all.chars().count() <= SAID + LINES, "{}", all.len());
        assert!(!all.chars().any(|c| c.is_control() || c == '\u{202e}'));
        assert_eq!(lines.last().map(String::as_str), Some("Error: evil"));
    }

    /// Returns the last message of a builder that has printed this.
    fn last(printed: &str) -> String {
        let mut words = FailureExcerpt::default();
        words.take(printed.as_bytes());
        words.last().unwrap_or_default()
    }

    #[test]
    fn full_disk_is_recognized_by_the_end_of_the_last_message_of_a_builder() {
        for line in [
            "ERROR: failed to solve: write /d: no space left on device",
            "Error processing tar file(exit status 1): write /noise: no space left on device",
            "Error: building at STEP \"COPY r /r\": storing \"/src/r\": copying file: processing tar file(write /r: no space left on device): exit status 1",
            "Error: mkdir /var/lib: Disk quota exceeded",
            "ERROR: failed to solve: mount callback failed on /m: write /m/noise: no space left on device: unknown",
            "time=\"2026-01-01T00:00:00Z\" level=error msg=\"write /d: no space left on device\"",
        ] {
            assert!(is_out_of_disk(&last(&format!("x\n{line}\n"))), "{line}");
        }
        let printed = "Error: ENOSPC: no space left on device, watch /src: no space left on device";
        for line in [
            format!("STEP 2/2: RUN test\n{printed}\nError: building at STEP \"RUN test\": while running runtime: exit status 1\n"),
            format!("#5 0.1 {printed}\nERROR: failed to solve: process \"/bin/sh -c test\" did not complete successfully: exit code: 1\n"),
            format!("{printed}\nThe command '/bin/sh -c test' returned a non-zero code: 1\n"),
            // An earlier line that contains the last one does not replace it.
            format!("Error: building at STEP: exit status 1: {printed}\nError: building at STEP: exit status 1\n"),
            // The echo of what was run.
            "Error: building at STEP \"RUN echo no space left on device\": exit status 1".to_owned(),
            "Error: building at STEP \"RUN echo processing tar file(no space left on device)\": exit status 1".to_owned(),
            "ERROR: failed to solve: process \"/bin/sh -c echo no space left on device\" did not complete successfully: exit code: 1".to_owned(),
            "Step 2/2 : RUN echo no space left on device\nCOPY failed: no such file\n".to_owned(),
            "npm ERR! ENOSPC: System limit for number of file watchers reached".to_owned(),
            "Error: no space between words".to_owned(),
        ] {
            assert!(!is_out_of_disk(&last(&line)), "{line}");
        }
    }

    #[test]
    fn missing_netavark_is_recognized_by_the_last_line_of_buildah() {
        let line = "Error: creating build container: could not find \"netavark\" in one of [/usr/libexec/podman /usr/lib/podman].  To resolve this error, set the helper_binaries_dir key in the `[engine]` section of containers.conf to the directory containing your helper binaries.";
        assert!(lacks_netavark(&last(&format!("x\n{line}\n"))));
        let echo =
            "Error: building at STEP \"RUN echo could not find \\\"netavark\\\"\": exit status 1\n";
        assert!(!lacks_netavark(&last(echo)));
    }

    #[test]
    fn lost_daemon_is_recognized_by_the_last_line_of_its_client() {
        let is_lost = |line: &str| has_lost_its_daemon(&last(&format!("x\n{line}\n")));
        for line in [
            "error: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            "ERROR: failed to solve: Unavailable: error reading from server: EOF",
            "ERROR: failed to build: failed to solve: Unavailable: error reading from server: EOF",
            "error during connect: Post \"http://old/v1.24/build\": EOF",
            "unexpected EOF",
            "Error: unexpected EOF",
            "grpc: the client connection is closing: context canceled",
        ] {
            assert!(is_lost(line), "{line}");
        }
        for line in [
            "ERROR: failed to solve: node:20: unexpected status from HEAD request: 503 Service Unavailable",
            "ERROR: failed to solve: process \"/bin/sh -c docker ps\" did not complete successfully: exit code: 1",
            "error: connection refused",
            "error during connect: Post \"http://old/v1.24/build\": archive/tar: write too long",
            // Printed by a step; the client's own message does not look like an error.
            "error during connect: x\nCOPY failed: no such file",
        ] {
            assert!(!is_lost(line), "{line}");
        }
    }

    #[test]
    fn registry_refusal_names_the_registry_and_a_denied_script_is_no_refusal() {
        let image = |name: &str| name.parse::<Reference>().unwrap();
        let bases = [image("ghcr.io/acme/base:1"), image("node:20")];
        let of = |line: &str, purpose: &Purpose| {
            let found = refusal(&[line.to_owned()], purpose, bases.iter());
            found.map(|it| it.registry)
        };
        let push = Purpose::Push(image("r.io/web:1"));
        let denied = "denied: requested access to the resource is denied";
        assert_eq!(of(denied, &push).as_deref(), Some("r.io"));
        assert_eq!(of("Error: no space left on device", &push), None);
        let pull = "ERROR: ghcr.io/acme/base@sha256:aa: unauthorized";
        assert_eq!(of(pull, &Purpose::Build).as_deref(), Some("ghcr.io"));
        let hub = "pull access denied for node, repository does not exist: node:20";
        assert_eq!(of(hub, &Purpose::Build).as_deref(), Some("docker.io"));
        assert_eq!(of("cp: /x: Permission denied: no", &Purpose::Build), None);
        assert_eq!(of("curl: 403 Forbidden", &Purpose::Build), None);
        let refusal = Refusal {
            registry: "r.io".into(),
        };
        let login = |kind| refusal.login(kind, true);
        assert_eq!(
            login(BuilderKind::Buildah),
            "buildah login --tls-verify=false r.io"
        );
        assert_eq!(login(BuilderKind::Buildctl), "docker login r.io");
    }
}
