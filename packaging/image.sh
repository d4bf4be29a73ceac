#!/usr/bin/env bash
# Builds the image localhost/acrt:VERSION from the Debian package, with the first of docker, podman and buildah that is installed.
#
#   IMAGE           the name of the image
#   IMAGE_BUILDER   docker, podman or buildah
#   BASE            the base image; the default is Debian 13
#   PACKAGES        additional Debian packages to install in it
set -euo pipefail
cd "$(dirname "$0")/.."
packaging/deb.sh
# shellcheck source=packaging/common.sh
. packaging/common.sh

builder=${IMAGE_BUILDER:-}
if [ -z "$builder" ]; then
    for builder in docker podman buildah; do
        ! command -v "$builder" >/dev/null || break
    done
fi
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
deb=acrt_${version}_$(dpkg --print-architecture).deb
cp "$out/$deb" packaging/Containerfile "$context"
set -- --file "$context/Containerfile" --tag "${IMAGE:-localhost/acrt:$version}"
[ -z "${BASE:-}" ] || set -- "$@" --build-arg "BASE=$BASE"
[ -z "${PACKAGES:-}" ] || set -- "$@" --build-arg "PACKAGES=$PACKAGES"
# With buildah and podman, images get a fixed timestamp, so that the same package gives the same image.
[ "$builder" = docker ] || set -- "$@" --timestamp "$SOURCE_DATE_EPOCH"
"$builder" build "$@" "$context"
