#!/usr/bin/env bash
# Installs with apt what `make demo` and `make test` need and this machine lacks. Starts no service.
#
#   tests/packages.sh demo    what the demo needs
#   tests/packages.sh test    what the demo and the tests need
#   tests/packages.sh package what `make deb` and `make tarball` need; image: and `make image`
#   tests/packages.sh builder what builds with buildah need
#   tests/packages.sh clean-systems   what tests/package.sh needs
#   tests/packages.sh -n …    only print what would be installed
set -euo pipefail

# Each line is a program and its package on Debian and Ubuntu.
demo='
cc               build-essential
docker-registry  docker-registry
skopeo           skopeo
git              git
'
builder='
buildah          buildah
'
# In systems newer than Debian 12 and Ubuntu 22.04, buildah builds nothing without netavark, which its packages only recommend.
grep -q '^VERSION_CODENAME=\(bookworm\|jammy\)' /etc/os-release || builder="${builder}netavark netavark
"
demo=$demo$builder
test='
dockerd          docker.io
docker           docker-cli
podman           podman
busybox          busybox-static
nginx            nginx-light
openssl          openssl
strace           strace
git-lfs          git-lfs
script           bsdutils
fish             fish
zsh              zsh
'
# Packages of Debian; in Ubuntu these are snaps.
browser='
chromium         chromium
chromedriver     chromium-driver
'
package='
cc               build-essential
dpkg-shlibdeps   dpkg-dev
xz               xz-utils
git              git
'
clean_systems='
debootstrap      debootstrap
docker-registry  docker-registry
busybox          busybox-static
'

# A newer Docker than Debian 12's, with buildx: unpacked into a folder of the tests instead of installed, so that the tests have both.
newer=/usr/local/lib/acrt-tests
newer_test='docker-buildx docker-compose docker.io docker-cli containerd'

dry_run=''
if [ "${1:-}" = -n ]; then
    dry_run=yes
    shift
fi
case "${1:-}" in
    demo) wanted=$demo newer_test='' ;;
    test)
        wanted=$demo$test
        if grep -q '^ID=ubuntu' /etc/os-release; then
            command -v chromedriver >/dev/null || echo "Ubuntu's browsers are no packages of apt's: the tests in one are skipped"
        else
            wanted=$wanted$browser
        fi
        ;;
    package) wanted=$package newer_test='' ;;
    builder) wanted=$builder newer_test='' ;;
    image)
        wanted=$package newer_test=''
        command -v docker >/dev/null || command -v podman >/dev/null || wanted=$wanted$builder
        ;;
    clean-systems) wanted=$package$clean_systems newer_test='' ;;
    *)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac

# Servers are in /usr/sbin, which is not on every user's PATH, and helpers of buildah in folders of podman.
export PATH=$PATH:/usr/sbin:/sbin:/usr/lib/podman:/usr/libexec/podman
missing=''
while read -r program package; do
    if [ -n "$program" ] && ! command -v "$program" >/dev/null; then
        missing="$missing $package"
    fi
done <<<"$wanted"

if [ -e $newer/usr/libexec/docker/cli-plugins/docker-buildx ] && [ -e $newer/usr/libexec/docker/cli-plugins/docker-compose ] && [ -e $newer/usr/sbin/dockerd ]; then
    newer_test=''
fi

if [ -z "$missing$newer_test" ]; then
    echo "all packages for \`$1\` are there"
    exit 0
fi
if [ -n "$dry_run" ]; then
    echo "to install:$missing"
    [ -z "$newer_test" ] || echo "to unpack into $newer: $newer_test"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "error: there is no apt here; install by hand:$missing" >&2
    exit 1
fi
as_root=''
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "error: run as root, or install sudo; to install:$missing" >&2
        exit 1
    }
    as_root=sudo
fi

# A test run must not leave a registry on port 5000, a web server on port 80 and a Docker daemon running.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod +x $policy
fi

apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0"
$apt update
# Since Debian 13 the client is a separate package; before, it was in the daemon's package.
if ! apt-cache show docker-cli >/dev/null 2>&1; then
    missing=${missing//docker-cli/docker.io}
fi
if [ -n "$missing" ]; then
    echo "installing:$missing"
    # shellcheck disable=SC2086  # words are meant to be split
    $apt install --no-install-recommends $missing
fi
[ -n "$newer_test" ] || exit 0

echo "unpacking into $newer: $newer_test"
fetched=$(mktemp -d)
cd "$fetched"
# apt's user cannot write there.
apt="$apt -o APT::Sandbox::User=root"
if ! apt-cache show docker-buildx >/dev/null 2>&1; then
    # Debian 13's packages run on Debian 12. They use separate package lists, so that nothing else comes from Debian 13.
    # shellcheck disable=SC2016  # the format is apt's
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
    mkdir -p lists/partial cache/archives/partial
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" >sources.list
    apt="$apt -o Dir::Etc::SourceList=$fetched/sources.list -o Dir::Etc::SourceParts=-"
    apt="$apt -o Dir::State::Lists=$fetched/lists -o Dir::Cache=$fetched/cache"
    $apt update
fi
# The client has a separate package, or is in the daemon's.
for package in $newer_test; do
    $apt download "$package" || [ "$package" = docker-cli ]
done
for package in *.deb; do
    $as_root dpkg --extract "$package" $newer
done
cd / && $as_root rm -rf "$fetched"
