complete --keep-order --exclusive --command acrt --arguments "(ACRT_COMPLETE=fish acrt -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
