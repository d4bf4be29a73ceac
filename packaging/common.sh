# Shared by the scripts that create packages, which source it in the top folder of the repository, after setting PROFILE.
# shellcheck shell=bash

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
out=${OUT:-target/package}
profile=${PROFILE:-dist}
host=$(rustc -vV | sed -n 's/^host: //p')

# Prints what git says of the commit of this checkout, and nothing in an unpacked source archive. By the named folder, git finds no
# repository around this one, and does not refuse one of another owner.
commit() { # format of git show
    [ -e .git ] || return 0
    git --git-dir=.git show --no-patch --format="$1" HEAD || {
        echo "error: cannot read the commit of \`$PWD\` for this reason; without git, set SOURCE_DATE_EPOCH and ACRT_COMMIT" >&2
        return 1
    }
}

# Reproducible packages: every timestamp is the time of the commit.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    SOURCE_DATE_EPOCH=$(commit %ct)
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}
fi
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022

# Builds acrt for a package, and sets `acrt` to the path of the program. A program given by ACRT is used unchanged.
build_acrt() {
    acrt=${ACRT:-}
    if [ -z "$acrt" ]; then
        local flags joined folder
        export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-target}} ACRT_COMMIT=${ACRT_COMMIT:-}
        [ -n "$ACRT_COMMIT" ] || ACRT_COMMIT=$(commit %H)
        # Keeps local paths out of the program, so that the folder it is compiled in does not change its bytes. Such a path may have
        # blanks, at which RUSTFLAGS is split; the other variable, which replaces it, is split at this character.
        mkdir -p "$CARGO_TARGET_DIR"
        read -rd '' -a flags <<<"${RUSTFLAGS:-}" || true
        flags+=("--remap-path-prefix=$PWD=/acrt" "--remap-path-prefix=$(realpath "$CARGO_TARGET_DIR")=/acrt/target"
            "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo")
        printf -v joined '\x1f%s' "${flags[@]}"
        joined=${CARGO_ENCODED_RUSTFLAGS:-}$joined
        acrt=$(CARGO_ENCODED_RUSTFLAGS=${joined#$'\x1f'} packaging/build.sh "$profile")
        folder=$(dirname "$(dirname "$acrt")")
        [ "$folder" -ef "$CARGO_TARGET_DIR" ] || [ "${folder##*/}" = "$host" ] || {
            echo "error: \`$acrt\` is for another system than \`$host\`, for which the package is: unset build.target of cargo" >&2
            exit 1
        }
    fi
    [ -x "$acrt" ] || {
        echo "error: there is no program \`$acrt\`" >&2
        exit 1
    }
}

# Copies the examples for containers, and not what a user has put beside them, such as their config file.
put_compose_files() { install -D -m 644 -t "$1" packaging/compose/{buildah,buildkit,docker-socket}.yaml; }

# Gives all files in a folder the permissions and timestamps that they have in every checkout of the commit.
same_files() {
    chmod -R u=rwX,go=rX "$1"
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# Writes SHA256SUMS of all packages in the folder, with file names without a path.
sums() { (cd "$out" && find . -maxdepth 1 \( -name '*.deb' -o -name '*.tar.gz' \) -printf '%f\0' | sort -z | xargs -0 sha256sum >SHA256SUMS); }
