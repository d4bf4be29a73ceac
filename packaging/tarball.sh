#!/usr/bin/env bash
# Creates target/package/acrt-VERSION-TARGET.tar.gz with the program, man pages, completions, units and examples. PROFILE, ACRT and OUT are as in deb.sh; LEVEL is gzip's.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh

build_acrt
name=acrt-$version-$host
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/$name
mkdir "$tree"
install -m 755 "$acrt" "$tree/acrt"
strip --strip-unneeded "$tree/acrt"
cp README.md CHANGELOG.md LICENSE "$tree"
cp -r completions "$tree/completions"
cp -r docs/man "$tree/man"
cp -r docs/systemd "$tree/systemd"
put_compose_files "$tree/compose"
packaging/licences.sh >"$tree/crates.txt"
same_files "$tree"

mkdir -p "$out"
tar -C "$work" --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$name" |
    gzip "${LEVEL:--9}" -n >"$out/$name.tar.gz"
sums
ls -l "$out/$name.tar.gz" | awk '{print $NF ": " $5 " bytes"}'
