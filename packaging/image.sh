#!/usr/bin/env bash
# Makes the image localhost/acrt:VERSION with the first of docker, podman and buildah that is there, from the package.
#
#   IMAGE           its name
#   IMAGE_BUILDER   docker, podman or buildah
#   BASE            the image below; Debian 13 if left out
#   PACKAGES        further Debian packages in it
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
# OCI images have no times of their own with buildah and podman, so that the same package makes the same image.
[ "$builder" = docker ] || set -- "$@" --timestamp "$SOURCE_DATE_EPOCH"
"$builder" build "$@" "$context"
