#!/usr/bin/env bash
# Installs acrt with its man pages, completions and systemd units below a prefix, or uninstalls them.
#
#   packaging/install.sh [-u] ACRT      ACRT is the path of the program; -u uninstalls
#
# PREFIX (default /usr/local) is where acrt will run from; DESTDIR (default none) is prepended to it, to create packages.
set -euo pipefail

uninstall=''
if [ "${1:-}" = -u ]; then
    uninstall=yes
    shift
fi
acrt=${1:?the program}
repository=$(dirname "$(dirname "$(realpath "$0")")")
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}$prefix
[ -n "$uninstall" ] || [ -f "$acrt" ] || {
    echo "error: there is no program \`$acrt\`: run \`make build\` first" >&2
    exit 1
}

put() { # mode, file, destination below the prefix
    if [ -n "$uninstall" ]; then
        rm -f "$root/$3"
    else
        install -D -m "$1" "$2" "$root/$3"
    fi
}

name_program() { # unit: lets it start the installed program
    # systemd splits at blanks, and % begins a specifier; sed takes &, | and \ for itself.
    local program=${prefix//%/%%}/bin/acrt
    case $program in
        *[!A-Za-z0-9/._+@:,=%-]*)
            program=${program//\\/\\\\}
            program="\"${program//\"/\\\"}\""
            ;;
    esac
    program=$(printf '%s' "$program" | sed 's/[&|\]/\\&/g')
    sed -i "s|^ExecStart=[^ ]*/acrt |ExecStart=$program |" "$1"
}

put 755 "$acrt" bin/acrt
for page in "$repository"/docs/man/*.1; do
    put 644 "$page" "share/man/man1/${page##*/}"
done
put 644 "$repository/completions/acrt.bash" share/bash-completion/completions/acrt
put 644 "$repository/completions/acrt.fish" share/fish/vendor_completions.d/acrt.fish
# Debian's zsh reads completions of packages (/usr) from another folder than those installed by an administrator.
if [ "$prefix" = /usr ]; then
    put 644 "$repository/completions/_acrt" share/zsh/vendor-completions/_acrt
else
    put 644 "$repository/completions/_acrt" share/zsh/site-functions/_acrt
fi
# User units go to the folder of packages or to that of the user; none is enabled.
units=lib/systemd/user
[ "$prefix" != "${HOME:-}/.local" ] || units=share/systemd/user
for unit in acrt-watch.service acrt-watch-once.service acrt-watch-once.timer; do
    put 644 "$repository/docs/systemd/$unit" "$units/$unit"
    [ -n "$uninstall" ] || name_program "$root/$units/$unit"
done
put 644 "$repository/docs/systemd/system/acrt-watch.service" share/doc/acrt/examples/acrt-watch.system.service
[ -n "$uninstall" ] || name_program "$root/share/doc/acrt/examples/acrt-watch.system.service"

if [ -n "$uninstall" ]; then
    # Only empty folders are removed: others are shared with other programs.
    for folder in share/doc/acrt/examples share/doc/acrt; do
        rmdir "$root/$folder" 2>/dev/null || true
    done
fi
