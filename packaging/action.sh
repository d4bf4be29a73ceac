#!/usr/bin/env bash
# The steps of the GitHub action in action.yml.
#
#   packaging/action.sh install    puts acrt on the PATH: the program of the release, or else one compiled from this source
#   packaging/action.sh run        runs `acrt $ACTION_COMMAND` on the definitions in $ACTION_TASKS
set -euo pipefail
source=$(dirname "$(dirname "$(realpath "$0")")")

install_acrt() {
    local version target name base folder
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$source/Cargo.toml" | head -n 1)
    target=$(uname -m)-unknown-linux-gnu
    name=acrt-$version-$target
    base=${ACTION_DOWNLOADS:-https://github.com/${ACTION_REPOSITORY:-}/releases/download/v$version}
    folder=${RUNNER_TEMP:-/tmp}/acrt-$version
    mkdir -p "$folder"
    if curl --fail --silent --show-error --location --retry 3 --output "$folder/$name.tar.gz" "$base/$name.tar.gz" &&
        curl --fail --silent --show-error --location --retry 3 --output "$folder/SHA256SUMS" "$base/SHA256SUMS"; then
        # A wrong checksum ends the installation: acrt is not compiled instead.
        (cd "$folder" && grep -F "  $name.tar.gz" SHA256SUMS | sha256sum --check --strict -)
        tar -C "$folder" --strip-components=1 -xzf "$folder/$name.tar.gz"
    else
        echo "no release of $version for $target there: compiling it"
        (cd "$source" && cargo build --locked --release --bin acrt --target-dir "$folder/target")
        cp "$folder/target/release/acrt" "$folder/acrt"
    fi
    "$folder/acrt" --version
    echo "$folder" >>"$GITHUB_PATH"
    # Part of the key of the cache that is saved.
    echo "time=$(date --utc +%Y%m%dT%H%M%S.%N)" >>"$GITHUB_OUTPUT"
}

run_acrt() {
    # The command is split at white space only: no expansion, no shell.
    local words code=0
    read -rd '' -a words <<<"$ACTION_COMMAND" || true
    if [ -n "${ACTION_TASKS:-}" ]; then
        umask 077
        # What was deleted in the repository must not go on from the cache.
        rm -rf "$ACRT_STATE_DIR/tasks"
        mkdir -p "$ACRT_STATE_DIR/tasks"
        cp -R "$ACTION_TASKS/." "$ACRT_STATE_DIR/tasks/"
    fi
    acrt "${words[@]}" || code=$?
    {
        echo "exit-code=$code"
        echo "stale=$([ "$code" = 10 ] && echo true || echo false)"
    } >>"$GITHUB_OUTPUT"
    [ "$code" = 10 ] || exit "$code"
}

case "${1:-}" in
    install) install_acrt ;;
    run) run_acrt ;;
    *)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
