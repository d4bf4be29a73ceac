#!/usr/bin/env bash
# Prints the crates in the program with their licences, and each distinct licence text once, as most licences require.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

crates=$(cargo tree --locked --offline --edges normal --prefix none --no-dedupe --format '{p}|{l}|{r}' |
    sed 's/ (proc-macro)//' | grep -v '^acrt v' | sort -u)
echo "acrt contains these crates:"
echo
sed 's/|/  /g' <<<"$crates"
# The folder of each crate, as cargo names it: in the registry's cache, or among vendored crates.
# Only crates of this platform: cargo has not downloaded those of others.
host=$(rustc -vV | sed -n 's/^host: //p')
folders=$(cargo metadata --locked --offline --filter-platform "$host" --format-version 1 |
    grep -oE '"name":"[^"]*","version":"[^"]*","id":|"manifest_path":"[^"]*"' |
    sed 'N; s/"name":"\(.*\)","version":"\(.*\)","id":\n"manifest_path":"\(.*\)\/Cargo.toml"/\1 v\2|\3/')
declare -A folder_of
while IFS='|' read -r package folder; do
    folder_of[$package]=$folder
done <<<"$folders"
declare -A text_of
files=()
while IFS='|' read -r package _; do
    # Behind the version stands where a crate is from that is none of crates.io's.
    package=${package%% (*}
    for file in "${folder_of[$package]}"/{LICEN[CS]E,COPYING,COPYRIGHT,NOTICE}*; do
        [ -f "$file" ] || continue
        sum=$(sha256sum <"$file")
        # Identical texts are printed once, with the names of all crates that have them.
        text_of[$sum]="${text_of[$sum]:+${text_of[$sum]}, }${package/ v/ }"
        files[${#files[@]}]="$sum|$file"
    done
done <<<"$crates"
printf '%s\n' "${files[@]}" | sort -t '|' -k 1,1 -u | while IFS='|' read -r sum file; do
    printf '\n%s\n%s:\n\n' "----------------------------------------------------------------" "${text_of[$sum]}" | fold -s -w 120
    cat "$file"
done
