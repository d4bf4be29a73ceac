#!/usr/bin/env bash
# A demonstration on this machine: two images that depend on each other, a base that moves, and acrt that rebuilds both.
#
#   tests/demo.sh [ACRT]      ACRT is the program; the default is target/release/acrt
#
# The registry and buildah use a temporary folder, which is removed at the end, also after Ctrl-C.
set -euo pipefail

acrt=$(realpath "${1:-$(dirname "$0")/../target/release/acrt}")
if [ "$(id -u)" != 0 ]; then
    exec sudo "$(realpath "$0")" "$acrt"
fi

dir=$(mktemp -d -t acrt-demo.XXXXXX)
registry_pid=''
clean_up() {
    trap - EXIT INT TERM
    if [ -n "$registry_pid" ]; then
        kill "$registry_pid" 2>/dev/null || true
        wait "$registry_pid" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'echo "demo failed: line $LINENO" >&2' ERR
trap 'exit 130' INT
trap 'exit 143' TERM

bold='' plain=''
if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }
fail() {
    echo "demo failed: $*" >&2
    exit 1
}

# buildah with its own store, and without its own network or cgroups.
cat >"$dir/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$dir/images"
runroot = "$dir/run"
EOF
cat >"$dir/containers.conf" <<EOF
[network]
network_config_dir = "$dir/net"
EOF
export CONTAINERS_STORAGE_CONF=$dir/storage.conf CONTAINERS_CONF=$dir/containers.conf BUILDAH_ISOLATION=chroot
export HOME=$dir ACRT_STATE_DIR=$dir/state ACRT_BUILDER=buildah
export PATH=$dir/bin:$PATH:/usr/sbin
mkdir "$dir/bin"
ln -s "$acrt" "$dir/bin/acrt"

# A registry on a free loopback port: with port 0 the system picks one, and the log names it.
cat >"$dir/registry.yml" <<EOF
version: 0.1
log: {formatter: text}
storage: {filesystem: {rootdirectory: $dir/registry}}
http: {addr: "127.0.0.1:0"}
EOF
: >"$dir/registry.log"
docker-registry serve "$dir/registry.yml" >>"$dir/registry.log" 2>&1 &
registry_pid=$!
R=''
for _ in $(seq 100); do
    R=$(sed -n 's/.*listening on \(127[0-9.:]*\).*/\1/p' "$dir/registry.log")
    [ -z "$R" ] || break
    sleep 0.1
done
[ -n "$R" ] || fail "the registry did not start: $(cat "$dir/registry.log")"

cd "$dir"
mkdir base app site

push_base() {
    echo "$1" >base/version
    printf 'FROM scratch\nCOPY version /version\n' >base/Dockerfile
    buildah build --quiet --tag "$R/base:1" base >/dev/null
    show buildah push --quiet --tls-verify=false "$R/base:1"
}
digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$R/$1"; }
label_of() { skopeo inspect --tls-verify=false --format "{{index .Labels \"$2\"}}" "docker://$R/$1"; }
# Prints the file in the first layer of an image, which is its base's.
version_in() {
    rm -rf copy
    skopeo copy --quiet --src-tls-verify=false "docker://$R/$1" dir:copy
    first_layer=$(skopeo inspect --tls-verify=false --format '{{index .Layers 0}}' "docker://$R/$1")
    tar -xOf "copy/${first_layer#sha256:}" version
}
expect() { # what, found, wanted
    printf '%s: %s\n' "$1" "$2"
    [ "$2" = "$3" ] || fail "$1 is not $3"
}

say "A registry listens on $R. This is the base image."
push_base one

say "app depends on base, site depends on app."
printf 'FROM %s/base:1\nCOPY app.txt /\n' "$R" >app/Dockerfile
printf 'FROM %s/app:latest\nCOPY site.txt /\n' "$R" >site/Dockerfile
echo app >app/app.txt
echo site >site/site.txt
show head -n 1 app/Dockerfile site/Dockerfile

say "Two tasks, and a first run of each. From now on, what they depended on is followed."
show acrt task create app -t "$R/app:latest" -c ./app -o none --only-show-errors
show acrt task create site -t "$R/site:latest" -c ./site -o none --only-show-errors
show acrt task run --all
old_base=$(digest_of base:1)
expect "version in site" "$(version_in site:latest)" one
expect "printed by watch --once" "$(acrt task watch --once 2>&1)" ""

say "Somebody pushes a new base under the same tag. What is stale, and why?"
push_base two
new_base=$(digest_of base:1)
[ "$new_base" != "$old_base" ] || fail "the base did not move"
code=0
acrt task check --exit-code -o none || code=$?
expect "exit code of task check --exit-code" "$code" 10
show acrt status -o table
show acrt task graph

say "One round of watch rebuilds app, then site, which depends on it."
show acrt task watch --once

say "The runs, newest first."
show acrt task list-runs -o table

say "The images in the registry depend on the new base."
expect "version in app" "$(version_in app:latest)" two
expect "version in site" "$(version_in site:latest)" two
expect "app's label org.opencontainers.image.base.digest" \
    "$(label_of app:latest org.opencontainers.image.base.digest)" "$new_base"
expect "site's label org.opencontainers.image.base.digest" \
    "$(label_of site:latest org.opencontainers.image.base.digest)" "$(digest_of app:latest)"
expect "runs" "$(acrt task list-runs --query 'length(@)')" 4

say "A second round has nothing to do: it is silent, and 0."
show acrt task watch --once
expect "printed by watch --once" "$(acrt task watch --once 2>&1)" ""

say "Done. Everything was in $dir, which is removed now."
