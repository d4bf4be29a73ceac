
set edit:completion:arg-completer[acrt] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) ACRT_COMPLETE="elvish" acrt -- $@words) | to-lines
}

