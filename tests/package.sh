#!/usr/bin/env bash
# Installs the package in clean systems of Debian 12 and 13, uses it there, and removes it again.
#
#   tests/package.sh [ACRT]     ACRT is the program to package; by default, one is compiled with PROFILE
#
#   SUITES   releases of Debian; the default is "bookworm trixie"
#   IMAGE=1  also builds the container image, on the newest of them
#
# debootstrap creates the systems once, in target/clean-systems. A registry on loopback serves them.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
    exec sudo --preserve-env=PROFILE,SUITES,IMAGE,PATH,HOME,CARGO_HOME,RUSTUP_HOME,CARGO_TARGET_DIR "$0" "$@"
fi
export PATH=$PATH:/usr/sbin:/sbin
kept=target/clean-systems
suites=${SUITES:-bookworm trixie}
mkdir -p $kept
kept=$(realpath $kept)
work=$(mktemp -d -t acrt-package.XXXXXX)
registry_pid=''
unmount() {
    local mounted
    mounted=$(awk -v below="$work/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r)
    for place in $mounted; do umount "$place" || umount -l "$place"; done
}
clean_up() {
    trap - EXIT INT TERM
    [ -z "$registry_pid" ] || { kill "$registry_pid" && wait "$registry_pid"; } 2>/dev/null || true
    unmount
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
fail() {
    echo "package test failed: $*" >&2
    exit 1
}
trap 'fail "line $LINENO"' ERR

# The mirror that apt uses; Ubuntu's mirrors do not have Debian.
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
archive=${archive:-http://deb.debian.org/debian}

system() { # suite: makes a clean system with buildah, once
    [ ! -e "$kept/$1.tar" ] || return 0
    echo "making a clean system of $1 from $archive"
    debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
        --include=ca-certificates,git "$1" "$work/new-$1" "$archive" >"$work/debootstrap.log" 2>&1 || {
        tail -n 5 "$work/debootstrap.log" >&2
        fail "cannot make a clean system of $1 from $archive: is the archive reachable?"
    }
    cp tests/packages.sh "$work/new-$1/tmp"
    chroot "$work/new-$1" /tmp/packages.sh builder >"$work/debootstrap.log" 2>&1
    rm "$work/new-$1/tmp/packages.sh"
    chroot "$work/new-$1" apt-get clean
    tar -C "$work/new-$1" --one-file-system -cf "$kept/$1.tar.part" .
    mv "$kept/$1.tar.part" "$kept/$1.tar"
    rm -rf --one-file-system "$work/new-$1"
}

[ -z "${1:-}" ] || ACRT=$(realpath "$1")
export ACRT=${ACRT:-}
# An unpublished package need not be small.
[ "${PROFILE:-dist}" = dist ] && [ -z "$ACRT" ] || export PACK='-Zgzip -z1' LEVEL=-1
OUT=$work/package packaging/deb.sh
deb=$(ls "$work"/package/*.deb)
# Built again from the same program at another time, on another file system, package and archive are identical.
for folder in package again; do
    OUT=$work/$folder packaging/tarball.sh >/dev/null
done
mkdir "$work/memory"
mount -t tmpfs tmpfs "$work/memory"
OUT=$work/again TMPDIR=$work/memory packaging/deb.sh >/dev/null
umount "$work/memory"
diff "$work/package/SHA256SUMS" "$work/again/SHA256SUMS" || fail "the same program makes other packages"
(cd "$work/package" && sha256sum --quiet --check SHA256SUMS)
version=$(dpkg-deb --field "$deb" Version)
needed=$(dpkg-deb --field "$deb" Depends | sed -n 's/.*libc6 (>= \([0-9.]*\)).*/\1/p')
[ -n "$needed" ] || fail "the package does not say which libc6 it needs"

# A registry on a free loopback port: with port 0 the system picks one, and the log names it.
cat >"$work/registry.yml" <<END
version: 0.1
log: {formatter: text}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:0"}
END
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry_pid=$!
R=''
for _ in $(seq 100); do
    R=$(sed -n 's/.*listening on \(127[0-9.:]*\).*/\1/p' "$work/registry.log")
    [ -z "$R" ] || break
    sleep 0.1
done
[ -n "$R" ] || fail "the registry did not start: $(cat "$work/registry.log")"

# Without the files of the package manager, of users, and of buildah's containers.
files_of() {
    find "$1" -xdev -mindepth 1 \( -path "$1/proc" -o -path "$1/dev" -o -path "$1/sys" -o -path "$1/tmp" -o -path "$1/root" -o -path "$1/run" \
        -o -path "$1/var/lib/dpkg" -o -path "$1/var/log" -o -path "$1/var/lib/containers" -o -path "$1/var/cache" -o -path "$1/var/tmp" -o -path "$1/etc/cni" \) -prune \
        -o -printf '%P\n' | sort
}

use() { # suite: all that is tried in one system
    local suite=$1 tree=$work/$1
    system "$suite"
    mkdir "$tree"
    tar -C "$tree" -xf "$kept/$suite.tar"
    # containers/storage makes `/` a private mount, so it must be a mount point.
    mount --bind "$tree" "$tree"
    mount -t proc proc "$tree/proc"
    mount --rbind --make-rslave /dev "$tree/dev"
    mount --rbind --make-rslave /sys "$tree/sys"
    in_tree() {
        chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs ACRT_BUILDER=buildah "$@"
    }
    # Newer versions of buildah raise the limit of open files above what a container may allow; older ones set a low limit of processes.
    mkdir -p "$tree/etc/containers"
    local files processes=32768
    files=$(ulimit -Hn)
    [ "$(ulimit -Hu)" = unlimited ] || [ "$(ulimit -Hu)" -ge $processes ] || processes=$(ulimit -Hu)
    printf '[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n' \
        "$files" "$files" "$processes" "$processes" >"$tree/etc/containers/containers.conf"
    local has
    # shellcheck disable=SC2016  # the format is dpkg's
    has=$(in_tree dpkg-query -W -f '${Version}' libc6)
    if dpkg --compare-versions "$has" lt "$needed"; then
        echo "$suite: left out, because the program was linked on a newer system: it needs libc6 $needed, and $has is there"
        return 0
    fi
    files_of "$tree" >"$work/before"

    cp "$deb" "$tree/tmp/acrt.deb"
    in_tree dpkg -i /tmp/acrt.deb >"$work/dpkg.log" || fail "$(cat "$work/dpkg.log")"
    in_tree acrt --version | grep -q "^acrt $version\( ([0-9a-f]* 20[0-9-]*)\)\?$" || fail "acrt --version: $(in_tree acrt --version)"
    gzip -dc "$tree/usr/share/man/man1/acrt.1.gz" | grep -q '^\.TH acrt 1' || fail "no man page"
    [ "$(find "$tree/usr/share/man/man1" -name 'acrt*' | wc -l)" = "$(find docs/man -name '*.1' | wc -l)" ] || fail "man pages are missing"
    in_tree bash -c 'source /usr/share/bash-completion/completions/acrt; complete -p acrt' | grep -q _clap_complete_acrt
    in_tree env ACRT_COMPLETE=bash _CLAP_COMPLETE_INDEX=1 acrt -- acrt tas | grep -q '^task' || fail "nothing is completed"
    for file in zsh/vendor-completions/_acrt fish/vendor_completions.d/acrt.fish doc/acrt/copyright doc/acrt/changelog.gz doc/acrt/crates.txt.gz; do
        [ -s "$tree/usr/share/$file" ] || fail "/usr/share/$file is missing"
    done
    if command -v systemd-analyze >/dev/null; then
        # The program is installed in the clean system only.
        cp "$tree/usr/share/doc/acrt/examples/acrt-watch.system.service" "$work/acrt-watch.service"
        {
            XDG_RUNTIME_DIR=$work systemd-analyze verify --man=no --user --recursive-errors=no "$tree"/usr/lib/systemd/user/acrt-*
            systemd-analyze verify --man=no --recursive-errors=no "$work/acrt-watch.service"
        } 2>&1 | grep -v 'acrt is not executable' >"$work/units.log" || true
        [ ! -s "$work/units.log" ] || fail "units: $(cat "$work/units.log")"
    fi

    # A base that moves, and an image on it.
    mkdir -p "$tree/root/base" "$tree/root/web"
    cp "$(command -v busybox)" "$tree/root/base/busybox"
    printf 'FROM scratch\nCOPY busybox version /\n' >"$tree/root/base/Dockerfile"
    printf 'FROM %s/%s:1\nRUN ["/busybox", "cp", "/version", "/copy"]\n' "$R" "base-$suite" >"$tree/root/web/Dockerfile"
    local move="buildah build --quiet --tag $R/base-$suite:1 /root/base && buildah push --quiet --tls-verify=false $R/base-$suite:1"
    echo one >"$tree/root/base/version"
    in_tree sh -c "$move" >"$work/buildah.log" 2>&1 || fail "buildah in $suite: $(cat "$work/buildah.log")"
    in_tree acrt task create --name web --registry "$R" --image "web-$suite:latest" --context /root/web -o none --only-show-errors
    in_tree acrt task run --name web >"$work/run.log" 2>&1 || fail "a run in $suite: $(cat "$work/run.log")"
    [ -z "$(in_tree acrt task watch --once 2>&1)" ] || fail "something moved by itself"
    echo two >"$tree/root/base/version"
    in_tree sh -c "$move" >"$work/buildah.log" 2>&1
    in_tree acrt task watch --once | grep -q '^web: rebuilt' || fail "the moved base did not rebuild web"

    in_tree dpkg --purge acrt >"$work/dpkg.log" 2>&1
    files_of "$tree" >"$work/after"
    diff "$work/before" "$work/after" || fail "the package leaves something in $suite"
    [ -e "$tree/root/.local/state/acrt/tasks/$R/web.yaml" ] || fail "the state of the user went with the package"
    echo "$suite: installed, completed, built and rebuilt with $(in_tree buildah --version | cut -d ' ' -f 1-3), and gone"
    unmount
    rm -rf --one-file-system "$tree"
}

for suite in $suites; do
    use "$suite"
done

if [ -n "${IMAGE:-}" ]; then
    # The image of the system replaces the one from Docker Hub.
    export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs CONTAINERS_STORAGE_CONF=$work/storage.conf
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$work/images" "$work/run" >"$CONTAINERS_STORAGE_CONF"
    debian=$(buildah from scratch)
    buildah add --quiet "$debian" "$kept/${suites##* }.tar" /
    buildah commit --quiet "$debian" localhost/debian:clean
    OUT=$work/package IMAGE_BUILDER=buildah IMAGE=localhost/acrt:test BASE=localhost/debian:clean packaging/image.sh
    container=$(buildah from localhost/acrt:test)
    [ "$(buildah run "$container" -- id -un)" = acrt ] || fail "the image runs as somebody else than acrt"
    buildah run "$container" -- acrt --version
    buildah run "$container" -- acrt task list -o json | grep -q '^\[\]' || fail "the image cannot keep a state"
    buildah inspect --type image --format '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}} {{.OCIv1.Config.User}}' localhost/acrt:test
fi
