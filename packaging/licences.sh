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
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
declare -A text_of
files=()
while IFS='|' read -r package _; do
    name=${package%% v*} number=${package#* v}
    for file in "$sources"/*/"$name-$number"/{LICEN[CS]E,COPYING,COPYRIGHT,NOTICE}*; do
        [ -f "$file" ] || continue
        sum=$(sha256sum <"$file")
        # Identical texts are printed once, with the names of all crates that have them.
        text_of[$sum]="${text_of[$sum]:+${text_of[$sum]}, }$name $number"
        files[${#files[@]}]="$sum|$file"
    done
done <<<"$crates"
printf '%s\n' "${files[@]}" | sort -t '|' -k 1,1 -u | while IFS='|' read -r sum file; do
    printf '\n%s\n%s:\n\n' "----------------------------------------------------------------" "${text_of[$sum]}" | fold -s -w 120
    cat "$file"
done
