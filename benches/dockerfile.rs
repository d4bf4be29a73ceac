//! Measures finding the dependencies of a Dockerfile: `cargo bench --bench dockerfile`.
//!
//! The goals: under 100 µs for a typical file, under 50 ms for any file of 1 MiB; and a file of twice the size takes
//! twice the time.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark has nobody to hand an error to"
)]

use std::collections::BTreeMap;

use acrt::{
    dockerfile::{Build, Dockerfile},
    image::{Digest, Platform},
};
use divan::{Bencher, black_box, counter::BytesCount};

const MIB: usize = 1 << 20;

fn main() {
    divan::main();
}

const TYPICAL: &str = r#"# syntax=docker/dockerfile:1
ARG NODE_VERSION=20
ARG VARIANT=alpine

FROM --platform=$BUILDPLATFORM golang:1.22-${VARIANT} AS tools
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go install example.com/tool@latest

FROM node:${NODE_VERSION}-${VARIANT} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . .
# The tests need the tool.
COPY --from=tools /go/bin/tool /usr/local/bin/
ENV NODE_ENV=production \
    PATH="/src/bin:$PATH"
RUN <<EOF
set -e
npm run build
npm prune --omit=dev
EOF

FROM nginx:1.25-${VARIANT}
LABEL org.opencontainers.image.title="web" org.opencontainers.image.source=https://example.com/web
COPY --from=build /src/dist /usr/share/nginx/html
COPY --from=ghcr.io/acme/certs:2 /certs /etc/ssl/certs
RUN apk add --no-cache curl \
    && rm -rf /tmp/*
EXPOSE 80 443/tcp
USER nginx
HEALTHCHECK --interval=30s CMD curl -f http://localhost/ || exit 1
CMD ["nginx", "-g", "daemon off;"]
"#;

fn build() -> Build {
    Build {
        args: BTreeMap::new(),
        target: None,
        platforms: vec![Platform::new("linux", "arm64", None)],
        build_platform: Platform::new("linux", "amd64", None),
        contexts: BTreeMap::new(),
        on_build: BTreeMap::new(),
        without_frontend: false,
    }
}

/// Returns a file of `size` bytes: a first line, then `line` repeated, with a number in place of `#N`.
fn long(size: usize, first: &str, line: &str) -> String {
    let mut file = first.to_owned();
    for n in 0.. {
        let next = line.replace("#N", &n.to_string());
        if file.len() + next.len() > size {
            return file;
        }
        file.push_str(&next);
    }
    file
}

fn bases(bencher: Bencher<'_, '_>, file: &str) {
    let build = build();
    bencher.counter(BytesCount::of_str(file)).bench(|| {
        let file = Dockerfile::parse(black_box(file).as_bytes()).unwrap();
        file.bases(&build).unwrap().len()
    });
}

#[divan::bench]
fn typical(bencher: Bencher<'_, '_>) {
    bases(bencher, TYPICAL);
}

#[divan::bench]
fn typical_pinned(bencher: Bencher<'_, '_>) {
    let file = Dockerfile::parse(TYPICAL.as_bytes()).unwrap();
    let bases = file.bases(&build()).unwrap();
    let digest = Digest::of(b"");
    bencher.bench(|| {
        file.rewritten(black_box(&bases), &|base| {
            Some(base.reference.at(digest.clone()))
        })
    });
}

/// The typical file, repeated.
#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn many_typical_files(bencher: Bencher<'_, '_>, size: usize) {
    let body: String = TYPICAL
        .lines()
        .skip(3)
        .map(|line| format!("{line}\n"))
        .collect();
    let head = "ARG NODE_VERSION=20\nARG VARIANT=alpine\n";
    bases(bencher, &long(size, head, &body));
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn one_long_continuation(bencher: Bencher<'_, '_>, size: usize) {
    bases(
        bencher,
        &long(size, "FROM a\nRUN x", " \\\n  && echo 'step #N' \"$HOME\""),
    );
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn many_heredocs(bencher: Bencher<'_, '_>, size: usize) {
    bases(
        bencher,
        &long(size, "FROM a\n", "RUN <<EOF cat\nFROM evil\nEOF\n"),
    );
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn one_long_heredoc(bencher: Bencher<'_, '_>, size: usize) {
    bases(
        bencher,
        &(long(size, "FROM a\nRUN <<EOF\n", "echo line #N\n") + "EOF\n"),
    );
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn a_chain_of_stages(bencher: Bencher<'_, '_>, size: usize) {
    bases(
        bencher,
        &long(size, "FROM a AS s\n", "FROM s AS s\nRUN make step-#N\n"),
    );
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn many_stages_with_images(bencher: Bencher<'_, '_>, size: usize) {
    let line = "FROM img:#N AS s#N\nCOPY --from=base / /\n";
    bases(bencher, &long(size, "FROM base AS base\n", line));
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn many_mounts(bencher: Bencher<'_, '_>, size: usize) {
    let line = "RUN --mount=type=bind,from=img:#N,target=/x --mount=type=cache,target=/y make\n";
    bases(bencher, &long(size, "FROM a\n", line));
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn many_arguments(bencher: Bencher<'_, '_>, size: usize) {
    let file = long(size, "", "ARG A#N=${A:-x}-'#N'\n");
    bases(bencher, &(file + "FROM a\n"));
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn one_long_environment(bencher: Bencher<'_, '_>, size: usize) {
    bases(
        bencher,
        &long(
            size,
            "FROM a\nENV x=y",
            " \\\n  V#N=\"${PATH:-/bin}:/opt/#N\"",
        ),
    );
}

/// Lines that only another frontend can read, each of which may start an unclosed heredoc.
#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn many_lines_of_another_frontend(bencher: Bencher<'_, '_>, size: usize) {
    let line = "INCLUDE <<E#N\nFROM img:#N AS s#N\nCOPY --from=s / /\n";
    let file = long(size, "# syntax=other/frontend\nFROM a AS s\n", line);
    bases(bencher, &file);
}

#[divan::bench(sample_count = 20, args = [MIB / 4, MIB / 2, MIB])]
fn one_long_mount(bencher: Bencher<'_, '_>, size: usize) {
    let file = long(size, "FROM a\nRUN --mount=target=/x", ",from=img:#N");
    bases(bencher, &(file + " make\n"));
}
