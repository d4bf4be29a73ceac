# Completion of acrt for bash, which asks acrt itself.

_clap_complete_acrt() {
    local IFS=$'\013' i piece tail glued=0 at=-1
    local words=()
    # Bash parts words at `:` and `=`, and acrt has registries with ports: they are put together again.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        tail=$piece
        if [[ $piece =~ ^[:=]+$ ]]; then
            tail=
        elif ((i == COMP_CWORD)); then
            piece=$2 tail=$2
            [[ ${COMP_LINE:0:COMP_POINT} == *' ' ]] && glued=0
        fi
        if ((at >= 0)) && { ((glued)) || [[ $piece =~ ^[:=]+$ ]]; }; then
            words[at]+=$piece
        else
            at=$((at + 1))
            words[at]=$piece
        fi
        glued=0
        [[ $piece =~ ^[:=]+$ ]] && glued=1
    done
    local typed=${words[at]}
    local before=${typed%"$tail"}
    local space=true
    compopt +o nospace 2>/dev/null && space=false
    COMPREPLY=($(
        _CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$at" _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
            _CLAP_COMPLETE_SPACE="$space" ACRT_COMPLETE=bash acrt -- "${words[@]}"
    ))
    if [[ $? != 0 ]]; then
        unset COMPREPLY
        return
    fi
    # What stands before the piece that bash replaces is on the line already.
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$before"}
    done
    if [[ $space == false && ${COMPREPLY-} =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
}
if [[ ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 || ${BASH_VERSINFO[0]} -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _clap_complete_acrt acrt
else
    complete -o nospace -o bashdefault -F _clap_complete_acrt acrt
fi
