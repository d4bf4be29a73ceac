#!/usr/bin/env bash
# Creates target/package/acrt_VERSION_ARCH.deb.
#
#   PROFILE   the cargo profile: dist (default), release, demo or dev
#   ACRT      an existing program to package, instead of compiling one
#   OUT       the output folder
#   PACK      dpkg-deb's compression options
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh

build_acrt
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

DESTDIR=$tree PREFIX=/usr packaging/install.sh "$acrt"
strip --strip-unneeded "$tree/usr/bin/acrt"
gzip -9n "$tree"/usr/share/man/man1/*.1
docs=$tree/usr/share/doc/acrt
install -D -m 644 CHANGELOG.md "$docs/changelog"
gzip -9n "$docs/changelog"
put_compose_files "$docs/examples/compose"
packaging/licences.sh >"$docs/crates.txt"
gzip -9n "$docs/crates.txt"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: acrt\n'
    printf 'Comment: The crates that are compiled into the program, with their licences, are in crates.txt.gz beside this file.\n\n'
    printf 'Files: *\nCopyright: %s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) //p' LICENSE)"
    sed '1,/^Copyright/d; s/^$/./; s/^/ /' LICENSE | sed '1{/^ \.$/d}'
} >"$docs/copyright"

# The versions of shared libraries that the program needs, from the symbols that it uses.
mkdir "$work/debian"
printf 'Source: acrt\n\nPackage: acrt\nArchitecture: any\n' >"$work/debian/control"
cp "$tree/usr/bin/acrt" "$work/acrt"
depends=$(cd "$work" && dpkg-shlibdeps -O --ignore-missing-info acrt 2>/dev/null | sed -n 's/^shlibs:Depends=//p')

# As dpkg-gencontrol counts: the kibibytes of each file, and one for each folder, whose size depends on the file system.
size=$(find "$tree/usr" -printf '%y %s\n' | awk '{total += $1 == "f" ? int(($2 + 1023) / 1024) : 1} END {print total}')
mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<END
Package: acrt
Version: $version
Architecture: $arch
Maintainer: ${DEBFULLNAME:-acrt} <${DEBEMAIL:-acrt@localhost}>
Installed-Size: $size
Depends: $depends
Recommends: buildah | docker.io | podman, ca-certificates, git
Suggests: docker-buildx, git-lfs, openssh-client
Section: admin
Priority: optional
Description: rebuild container images when their base images move
 acrt watches the images that Dockerfiles depend on, and rebuilds with docker,
 podman, buildah or BuildKit what is no longer current, parents first. Its
 commands are those of "az acr task", for any OCI registry and without a cloud.
END
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
same_files "$tree"

mkdir -p "$out"
deb=$out/acrt_${version}_$arch.deb
# shellcheck disable=SC2086  # options are meant to be split
dpkg-deb --root-owner-group ${PACK:--Zxz} --build "$tree" "$deb" >/dev/null
sums
ls -l "$deb" | awk '{print $NF ": " $5 " bytes"}'
