#!/usr/bin/env bash
# Prints which crates are in the program, under which licences, and each different licence text once: most of them ask for that.
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
        # One that is known by its bytes is printed for the first crate, with the names of the others.
        text_of[$sum]="${text_of[$sum]:+${text_of[$sum]}, }$name $number"
        files[${#files[@]}]="$sum|$file"
    done
done <<<"$crates"
printf '%s\n' "${files[@]}" | sort -t '|' -k 1,1 -u | while IFS='|' read -r sum file; do
    printf '\n%s\n%s:\n\n' "----------------------------------------------------------------" "${text_of[$sum]}" | fold -s -w 120
    cat "$file"
done
