#!/usr/bin/env bash
# What action.yml does in a workflow.
#
#   packaging/action.sh install    puts acrt on the PATH: that of the release, else compiled from this source
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
        # A file that is not the one of the release is no reason to compile, but to stop.
        (cd "$folder" && grep -F "  $name.tar.gz" SHA256SUMS | sha256sum --check --strict -)
        tar -C "$folder" --strip-components=1 -xzf "$folder/$name.tar.gz"
    else
        echo "no release of $version for $target there: compiling it"
        (cd "$source" && cargo build --locked --release --bin acrt --target-dir "$folder/target")
        cp "$folder/target/release/acrt" "$folder/acrt"
    fi
    "$folder/acrt" --version
    echo "$folder" >>"$GITHUB_PATH"
}

run_acrt() {
    # Words are split as they stand: nothing is expanded, and no shell reads them.
    local words code=0
    read -ra words <<<"$ACTION_COMMAND"
    if [ -n "${ACTION_TASKS:-}" ]; then
        umask 077
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
