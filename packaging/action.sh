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
        cp "$(CARGO_TARGET_DIR=$folder/target "$source/packaging/build.sh" release)" "$folder/acrt"
    fi
    "$folder/acrt" --version
    echo "$folder" >>"$GITHUB_PATH"
    # Part of the key of the cache that is saved.
    echo "time=$(date --utc +%Y%m%dT%H%M%S.%N)" >>"$GITHUB_OUTPUT"
}

fail() {
    echo "error: $*" >&2
    exit 2
}

# Replaces the definitions in the state directory: what was deleted in the repository must not go on from the cache. They are copied to
# another folder first, so that nothing is lost if they cannot be read.
copy_definitions() { # folder, state directory
    local new=$2/tasks.new
    [ -d "$1" ] || fail "there is no folder \`$1\` with definitions: the input \`tasks\` is a path in the repository, which is checked out first"
    case $(realpath "$1")/ in
        "$(realpath -m "$2")"/*)
            fail "the definitions in \`$1\` are in the state directory \`$2\`, where those of the cache replace them: move them to another folder"
            ;;
    esac
    umask 077
    rm -rf "$new"
    mkdir -p "$new"
    cp -R "$1/." "$new/" || {
        rm -rf "$new"
        fail "cannot copy the definitions in \`$1\` to the state directory \`$2\`"
    }
    rm -rf "$2/tasks"
    mv "$new" "$2/tasks"
}

run_acrt() {
    # The command is split at white space only: no expansion, no shell.
    local words code=0
    read -rd '' -a words <<<"$ACTION_COMMAND" || true
    [ -n "${ACRT_STATE_DIR:-}" ] || fail "the state directory is empty: leave out the input \`state\`, or name a folder"
    [ -z "${ACTION_TASKS:-}" ] || copy_definitions "$ACTION_TASKS" "$ACRT_STATE_DIR"
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
