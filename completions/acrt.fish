# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_acrt_global_optspecs
    string join \n o/output= query= only-show-errors verbose debug builder= state-dir= config= h/help V/version
end

function __fish_acrt_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_acrt_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_acrt_using_subcommand
    set -l cmd (__fish_acrt_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c acrt -n "__fish_acrt_needs_command" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_needs_command" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_needs_command" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_needs_command" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_needs_command" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_needs_command" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_needs_command" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_needs_command" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_needs_command" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_needs_command" -s V -l version -d 'Print version'
complete -c acrt -n "__fish_acrt_needs_command" -f -a "task" -d 'Define, run and watch tasks'
complete -c acrt -n "__fish_acrt_needs_command" -f -a "deps" -d 'Show which images a Dockerfile stands on'
complete -c acrt -n "__fish_acrt_needs_command" -f -a "check-health" -d 'Check builder, registries, logins, clock and state directory'
complete -c acrt -n "__fish_acrt_needs_command" -f -a "completion" -d 'Print the completion script of a shell'
complete -c acrt -n "__fish_acrt_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "create" -d 'Create a task, or replace the one of that name'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "update" -d 'Change a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "show" -d 'Show a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "list" -d 'List all tasks'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "delete" -d 'Delete a task; its runs stay'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "run" -d 'Run a task now, and print its log'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "watch" -d 'Follow base images, and rebuild what stands on those that moved'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "check" -d 'Say what is stale and why, without building'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "list-runs" -d 'List runs, the newest first'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "show-run" -d 'Show a run'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "logs" -d 'Print the log of a run, and follow it while the run goes on'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "cancel-run" -d 'Stop a run that is queued or goes on'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "update-run" -d 'Keep a run from being removed when it grows old, or no longer'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "timer" -d 'Run a task at set times'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "credential" -d 'Give a task logins to registries, before those of docker and podman'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "execute" -d 'Carry out a run that `task run --no-wait` hands over on standard input'
complete -c acrt -n "__fish_acrt_using_subcommand task; and not __fish_seen_subcommand_from create update show list delete run watch check list-runs show-run logs cancel-run update-run timer credential execute help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s n -l name -d 'Name of the task: letters, digits, `-` and `_`' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s r -l registry -d 'Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s c -l context -d 'Folder of the build' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s f -l file -d 'Dockerfile, relative to the context' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s t -l image -d 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l status -d 'Enabled or Disabled' -r -f -a "Enabled\t'Triggers run the task'
Disabled\t'No trigger runs it'"
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l arg -d 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l secret-arg -d 'Build argument whose value is never shown, NAME=VALUE (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l target -d 'Stage to build, if not the last' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l platform -d 'Platforms to build for, as linux/amd64,linux/arm64 [default: the builder\'s own]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l no-push -d 'Build without pushing' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l no-cache -d 'Build without the builder\'s cache' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l timeout -d 'Seconds that a run may take' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l base-image-trigger-enabled -d 'Run the task when an image that it stands on moves' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l base-image-trigger-type -d 'Which images count: Runtime or All' -r -f -a "Runtime\t'What the final stage stands on'
All\t'Every image that the build needs'"
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l commit-trigger-enabled -d 'Run the task when its source changes' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l pull-request-trigger-enabled -d 'Run the task for pull requests' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l base-image-trigger-name -d 'Name of the base image trigger' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l schedule -d 'Run the task at set times too: five fields in UTC, with a name before a colon if it is to have one (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l agent-pool -d 'The name of the agent pool' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l log-template -d 'The log repository' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l assign-identity -d 'Managed identities' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l auth-mode -d 'Auth mode of the source registry' -r -f -a "Default\t''
None\t''"
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l cpu -d 'The number of processors' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l source-acr-auth-id -d 'Identity for the source registry' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l is-system-task -d 'Whether the task is a system task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s n -l name -d 'Name of the task' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s r -l registry -d 'Registry of the task; needed only where several have a task of this name' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s c -l context -d 'Folder of the build' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s f -l file -d 'Dockerfile, relative to the context' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s t -l image -d 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l status -d 'Enabled or Disabled' -r -f -a "Enabled\t'Triggers run the task'
Disabled\t'No trigger runs it'"
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l arg -d 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l secret-arg -d 'Build argument whose value is never shown, NAME=VALUE (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l target -d 'Stage to build; empty is the last' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l platform -d 'Platforms to build for, as linux/amd64,linux/arm64' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l no-push -d 'Build without pushing' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l no-cache -d 'Build without the builder\'s cache' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l timeout -d 'Seconds that a run may take' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l base-image-trigger-enabled -d 'Run the task when an image that it stands on moves' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l base-image-trigger-type -d 'Which images count: Runtime or All' -r -f -a "Runtime\t'What the final stage stands on'
All\t'Every image that the build needs'"
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l commit-trigger-enabled -d 'Run the task when its source changes' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l pull-request-trigger-enabled -d 'Run the task for pull requests' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l agent-pool -d 'The name of the agent pool' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l log-template -d 'The log repository' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l assign-identity -d 'Managed identities' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l auth-mode -d 'Auth mode of the source registry' -r -f -a "Default\t''
None\t''"
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l cpu -d 'The number of processors' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l source-acr-auth-id -d 'Identity for the source registry' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l is-system-task -d 'Whether the task is a system task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -s n -l name -d 'Name of the task' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -s r -l registry -d 'Registry of the task; needed only where several have a task of this name' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -s r -l registry -d 'Only tasks of this registry' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -s n -l name -d 'Name of the task' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -s r -l registry -d 'Registry of the task; needed only where several have a task of this name' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -s y -l yes -d 'Do not ask'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -s n -l name -d 'Name of the task' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -s r -l registry -d 'Registry of the task; needed only where several have a task of this name' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -s c -l context -d 'Another folder, for this run' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -s f -l file -d 'Another Dockerfile, for this run' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l target -d 'Another stage, for this run' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l arg -d 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l secret-arg -d 'Build argument whose value is never shown, NAME=VALUE (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l agent-pool -d 'The name of the agent pool' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l log-template -d 'The log repository' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l no-logs -d 'Print the run when it has ended, instead of its log'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l no-wait -d 'Return at once; the run goes on by itself'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l no-format -d 'Do not format the log; it never is'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l dry-run -d 'Print the builder\'s command lines, and run none of them'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l once -d 'Make one round, now, and end'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l dry-run -d 'Say what would be run, and run nothing'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l exit-code -d 'End with 10 if something was, or would be, rebuilt'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -s n -l name -d 'Only this task' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -s r -l registry -d 'Registry of that task; needed only where several have a task of this name' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l exit-code -d 'End with 10 if something is stale'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -s n -l name -d 'Only runs of this task' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -s r -l registry -d 'Only runs on this registry' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l run-status -d 'Only runs with this status: Queued, Started, Running, Succeeded, Failed, Canceled, Error or Timeout' -r -f -a "Queued\t''
Started\t''
Running\t''
Succeeded\t''
Failed\t''
Canceled\t''
Error\t''
Timeout\t''"
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -s t -l image -d 'Only runs that pushed this image, by name:tag or name@digest' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l top -d 'How many runs to list' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from list-runs" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l run-id -d 'Run to show, as `acrt task list-runs` lists it' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -s r -l registry -d 'Registry of the run; run ids are unique without it' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from show-run" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l run-id -d 'Run whose log to print [default: the newest]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -s n -l name -d 'The newest run of this task' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -s t -l image -d 'The newest run that pushed this image' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -s r -l registry -d 'Only runs on this registry' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l no-format -d 'Do not format the log; it never is'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l run-id -d 'Run to stop, as `acrt task list-runs` lists it' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -s r -l registry -d 'Registry of the run; run ids are unique without it' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from cancel-run" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l run-id -d 'Run to change, as `acrt task list-runs` lists it' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l no-archive -d 'Whether the run may be removed when it grows old' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -s r -l registry -d 'Registry of the run; run ids are unique without it' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -s g -l resource-group -d 'Name of resource group' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l subscription -d 'Name or id of subscription' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from update-run" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -f -a "add" -d 'Add a timer to a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -f -a "update" -d 'Change a timer of a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -f -a "remove" -d 'Remove a timer from a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -f -a "list" -d 'List the timers of a task, with the next three times of each'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from timer" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -f -a "add" -d 'Add a login to a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -f -a "update" -d 'Change a login of a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -f -a "remove" -d 'Remove a login from a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -f -a "list" -d 'List the logins of a task, without passwords'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from credential" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from execute" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "create" -d 'Create a task, or replace the one of that name'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "update" -d 'Change a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a task'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "list" -d 'List all tasks'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "delete" -d 'Delete a task; its runs stay'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run a task now, and print its log'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "watch" -d 'Follow base images, and rebuild what stands on those that moved'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "check" -d 'Say what is stale and why, without building'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "list-runs" -d 'List runs, the newest first'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "show-run" -d 'Show a run'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "logs" -d 'Print the log of a run, and follow it while the run goes on'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "cancel-run" -d 'Stop a run that is queued or goes on'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "update-run" -d 'Keep a run from being removed when it grows old, or no longer'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "timer" -d 'Run a task at set times'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "credential" -d 'Give a task logins to registries, before those of docker and podman'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "execute" -d 'Carry out a run that `task run --no-wait` hands over on standard input'
complete -c acrt -n "__fish_acrt_using_subcommand task; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c acrt -n "__fish_acrt_using_subcommand deps" -s f -l file -d 'Dockerfile, relative to the context; `-` reads it from standard input' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l arg -d 'Build argument, NAME=VALUE (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l target -d 'Stage to build, if not the last' -r
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l platform -d 'Platforms to build for, as linux/amd64,linux/arm64' -r
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l build-context -d 'Named context that stands in for an image or a stage, NAME=SOURCE (can be repeated)' -r
complete -c acrt -n "__fish_acrt_using_subcommand deps" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l digests -d 'Add digests, asked from the registries'
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand deps" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand deps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -s n -l name -d 'Registry to ask, as az names it' -r
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l ignore-errors -d 'Go on after errors; it always does'
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -s y -l yes -d 'Do not ask; nothing is asked'
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand check-health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c acrt -n "__fish_acrt_using_subcommand completion" -s o -l output -d 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none' -r
complete -c acrt -n "__fish_acrt_using_subcommand completion" -l query -d 'Pick from the answer, a JMESPath expression' -r
complete -c acrt -n "__fish_acrt_using_subcommand completion" -l builder -d 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]' -r
complete -c acrt -n "__fish_acrt_using_subcommand completion" -l state-dir -d 'Folder that keeps tasks and runs [default: the platform\'s, or $ACRT_STATE_DIR]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand completion" -l config -d 'Config file [default: the platform\'s, or $ACRT_CONFIG]' -r -F
complete -c acrt -n "__fish_acrt_using_subcommand completion" -l only-show-errors -d 'Print errors only, no warnings'
complete -c acrt -n "__fish_acrt_using_subcommand completion" -l verbose -d 'Tell more about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand completion" -l debug -d 'Tell everything about what is done'
complete -c acrt -n "__fish_acrt_using_subcommand completion" -s h -l help -d 'Print help'
complete -c acrt -n "__fish_acrt_using_subcommand help; and not __fish_seen_subcommand_from task deps check-health completion help" -f -a "task" -d 'Define, run and watch tasks'
complete -c acrt -n "__fish_acrt_using_subcommand help; and not __fish_seen_subcommand_from task deps check-health completion help" -f -a "deps" -d 'Show which images a Dockerfile stands on'
complete -c acrt -n "__fish_acrt_using_subcommand help; and not __fish_seen_subcommand_from task deps check-health completion help" -f -a "check-health" -d 'Check builder, registries, logins, clock and state directory'
complete -c acrt -n "__fish_acrt_using_subcommand help; and not __fish_seen_subcommand_from task deps check-health completion help" -f -a "completion" -d 'Print the completion script of a shell'
complete -c acrt -n "__fish_acrt_using_subcommand help; and not __fish_seen_subcommand_from task deps check-health completion help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "create" -d 'Create a task, or replace the one of that name'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "update" -d 'Change a task'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "show" -d 'Show a task'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "list" -d 'List all tasks'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "delete" -d 'Delete a task; its runs stay'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "run" -d 'Run a task now, and print its log'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "watch" -d 'Follow base images, and rebuild what stands on those that moved'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "check" -d 'Say what is stale and why, without building'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "list-runs" -d 'List runs, the newest first'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "show-run" -d 'Show a run'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "logs" -d 'Print the log of a run, and follow it while the run goes on'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "cancel-run" -d 'Stop a run that is queued or goes on'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "update-run" -d 'Keep a run from being removed when it grows old, or no longer'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "timer" -d 'Run a task at set times'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "credential" -d 'Give a task logins to registries, before those of docker and podman'
complete -c acrt -n "__fish_acrt_using_subcommand help; and __fish_seen_subcommand_from task" -f -a "execute" -d 'Carry out a run that `task run --no-wait` hands over on standard input'
