#!/usr/bin/env bash
# Compiles acrt, and prints the path of the program: cargo's own settings (build.target) can put it into a folder of another name.
#
#   packaging/build.sh PROFILE      PROFILE is a profile of cargo: dev, demo, release or dist
set -euo pipefail
cd "$(dirname "$0")/.."

# Named, so that build.target-dir of cargo's settings does not count: `sudo make install` looks here without asking cargo.
target=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-target}}
acrt=$(cargo build --locked --profile "${1:?the profile}" --bin acrt --target-dir "$target" --message-format json-render-diagnostics |
    sed -n 's/.*"kind":\["bin"\].*"executable":"\([^"]*\)".*/\1/p')
[ -x "$acrt" ] || {
    echo "error: cargo built no program acrt with the profile \`$1\`" >&2
    exit 1
}
printf '%s\n' "$acrt"
