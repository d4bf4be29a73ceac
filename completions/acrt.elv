
use builtin;
use str;

set edit:completion:arg-completer[acrt] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'acrt'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'acrt'= {
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand task 'Define, run and watch tasks'
            cand deps 'Show which images a Dockerfile stands on'
            cand check-health 'Check builder, registries, logins, clock and state directory'
            cand completion 'Print the completion script of a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;task'= {
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
            cand create 'Create a task, or replace the one of that name'
            cand update 'Change a task'
            cand show 'Show a task'
            cand list 'List all tasks'
            cand delete 'Delete a task; its runs stay'
            cand run 'Run a task now, and print its log'
            cand watch 'Follow base images, and rebuild what stands on those that moved'
            cand check 'Say what is stale and why, without building'
            cand list-runs 'List runs, the newest first'
            cand show-run 'Show a run'
            cand logs 'Print the log of a run, and follow it while the run goes on'
            cand cancel-run 'Stop a run that is queued or goes on'
            cand update-run 'Keep a run from being removed when it grows old, or no longer'
            cand timer 'Run a task at set times'
            cand credential 'Give a task logins to registries, before those of docker and podman'
            cand execute 'Carry out a run that `task run --no-wait` hands over on standard input'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;task;create'= {
            cand -n 'Name of the task: letters, digits, `-` and `_`'
            cand --name 'Name of the task: letters, digits, `-` and `_`'
            cand -r 'Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]'
            cand --registry 'Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]'
            cand -c 'Folder of the build'
            cand --context 'Folder of the build'
            cand -f 'Dockerfile, relative to the context'
            cand --file 'Dockerfile, relative to the context'
            cand -t 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)'
            cand --image 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)'
            cand --status 'Enabled or Disabled'
            cand --arg 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)'
            cand --secret-arg 'Build argument whose value is never shown, NAME=VALUE (can be repeated)'
            cand --target 'Stage to build, if not the last'
            cand --platform 'Platforms to build for, as linux/amd64,linux/arm64 [default: the builder''s own]'
            cand --no-push 'Build without pushing'
            cand --no-cache 'Build without the builder''s cache'
            cand --timeout 'Seconds that a run may take'
            cand --base-image-trigger-enabled 'Run the task when an image that it stands on moves'
            cand --base-image-trigger-type 'Which images count: Runtime or All'
            cand --commit-trigger-enabled 'Run the task when its source changes'
            cand --pull-request-trigger-enabled 'Run the task for pull requests'
            cand --base-image-trigger-name 'Name of the base image trigger'
            cand --schedule 'Run the task at set times too: five fields in UTC, with a name before a colon if it is to have one (can be repeated)'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand --agent-pool 'The name of the agent pool'
            cand --log-template 'The log repository'
            cand --assign-identity 'Managed identities'
            cand --auth-mode 'Auth mode of the source registry'
            cand --cpu 'The number of processors'
            cand --source-acr-auth-id 'Identity for the source registry'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --is-system-task 'Whether the task is a system task'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;task;update'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand -c 'Folder of the build'
            cand --context 'Folder of the build'
            cand -f 'Dockerfile, relative to the context'
            cand --file 'Dockerfile, relative to the context'
            cand -t 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)'
            cand --image 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)'
            cand --status 'Enabled or Disabled'
            cand --arg 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)'
            cand --secret-arg 'Build argument whose value is never shown, NAME=VALUE (can be repeated)'
            cand --target 'Stage to build; empty is the last'
            cand --platform 'Platforms to build for, as linux/amd64,linux/arm64'
            cand --no-push 'Build without pushing'
            cand --no-cache 'Build without the builder''s cache'
            cand --timeout 'Seconds that a run may take'
            cand --base-image-trigger-enabled 'Run the task when an image that it stands on moves'
            cand --base-image-trigger-type 'Which images count: Runtime or All'
            cand --commit-trigger-enabled 'Run the task when its source changes'
            cand --pull-request-trigger-enabled 'Run the task for pull requests'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand --agent-pool 'The name of the agent pool'
            cand --log-template 'The log repository'
            cand --assign-identity 'Managed identities'
            cand --auth-mode 'Auth mode of the source registry'
            cand --cpu 'The number of processors'
            cand --source-acr-auth-id 'Identity for the source registry'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --is-system-task 'Whether the task is a system task'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;task;show'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;list'= {
            cand -r 'Only tasks of this registry'
            cand --registry 'Only tasks of this registry'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;delete'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;run'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand -c 'Another folder, for this run'
            cand --context 'Another folder, for this run'
            cand -f 'Another Dockerfile, for this run'
            cand --file 'Another Dockerfile, for this run'
            cand --target 'Another stage, for this run'
            cand --arg 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)'
            cand --secret-arg 'Build argument whose value is never shown, NAME=VALUE (can be repeated)'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand --agent-pool 'The name of the agent pool'
            cand --log-template 'The log repository'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --no-logs 'Print the run when it has ended, instead of its log'
            cand --no-wait 'Return at once; the run goes on by itself'
            cand --no-format 'Do not format the log; it never is'
            cand --dry-run 'Print the builder''s command lines, and run none of them'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;task;watch'= {
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --once 'Make one round, now, and end'
            cand --dry-run 'Say what would be run, and run nothing'
            cand --exit-code 'End with 10 if something was, or would be, rebuilt'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;task;check'= {
            cand -n 'Only this task'
            cand --name 'Only this task'
            cand -r 'Registry of that task; needed only where several have a task of this name'
            cand --registry 'Registry of that task; needed only where several have a task of this name'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --exit-code 'End with 10 if something is stale'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;task;list-runs'= {
            cand -n 'Only runs of this task'
            cand --name 'Only runs of this task'
            cand -r 'Only runs on this registry'
            cand --registry 'Only runs on this registry'
            cand --run-status 'Only runs with this status: Queued, Started, Running, Succeeded, Failed, Canceled, Error or Timeout'
            cand -t 'Only runs that pushed this image, by name:tag or name@digest'
            cand --image 'Only runs that pushed this image, by name:tag or name@digest'
            cand --top 'How many runs to list'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;show-run'= {
            cand --run-id 'Run to show, as `acrt task list-runs` lists it'
            cand -r 'Registry of the run; run ids are unique without it'
            cand --registry 'Registry of the run; run ids are unique without it'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;logs'= {
            cand --run-id 'Run whose log to print [default: the newest]'
            cand -n 'The newest run of this task'
            cand --name 'The newest run of this task'
            cand -t 'The newest run that pushed this image'
            cand --image 'The newest run that pushed this image'
            cand -r 'Only runs on this registry'
            cand --registry 'Only runs on this registry'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --no-format 'Do not format the log; it never is'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;cancel-run'= {
            cand --run-id 'Run to stop, as `acrt task list-runs` lists it'
            cand -r 'Registry of the run; run ids are unique without it'
            cand --registry 'Registry of the run; run ids are unique without it'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;update-run'= {
            cand --run-id 'Run to change, as `acrt task list-runs` lists it'
            cand --no-archive 'Whether the run may be removed when it grows old'
            cand -r 'Registry of the run; run ids are unique without it'
            cand --registry 'Registry of the run; run ids are unique without it'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;timer'= {
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
            cand add 'Add a timer to a task'
            cand update 'Change a timer of a task'
            cand remove 'Remove a timer from a task'
            cand list 'List the timers of a task, with the next three times of each'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;task;timer;add'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand --timer-name 'Name of the timer'
            cand --schedule 'Minute, hour, day of month, month, day of week, in UTC, as "0 21 * * *"'
            cand --enabled 'Whether the timer does anything'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;task;timer;update'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand --timer-name 'Name of the timer'
            cand --schedule 'Minute, hour, day of month, month, day of week, in UTC, as "0 21 * * *"'
            cand --enabled 'Whether the timer does anything'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;timer;remove'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand --timer-name 'Name of the timer'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;timer;list'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;timer;help'= {
            cand add 'Add a timer to a task'
            cand update 'Change a timer of a task'
            cand remove 'Remove a timer from a task'
            cand list 'List the timers of a task, with the next three times of each'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;task;timer;help;add'= {
        }
        &'acrt;task;timer;help;update'= {
        }
        &'acrt;task;timer;help;remove'= {
        }
        &'acrt;task;timer;help;list'= {
        }
        &'acrt;task;timer;help;help'= {
        }
        &'acrt;task;credential'= {
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
            cand add 'Add a login to a task'
            cand update 'Change a login of a task'
            cand remove 'Remove a login from a task'
            cand list 'List the logins of a task, without passwords'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;task;credential;add'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand --login-server 'Login server, as ghcr.io or localhost:5000'
            cand -u 'User; env:NAME or file:PATH say where it is'
            cand --username 'User; env:NAME or file:PATH say where it is'
            cand -p 'Password; env:NAME or file:PATH say where it is'
            cand --password 'Password; env:NAME or file:PATH say where it is'
            cand --use-identity 'Managed identity, without effect outside Azure'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --password-stdin 'Read the password from standard input'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;credential;update'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand --login-server 'Login server, as ghcr.io or localhost:5000'
            cand -u 'User; env:NAME or file:PATH say where it is'
            cand --username 'User; env:NAME or file:PATH say where it is'
            cand -p 'Password; env:NAME or file:PATH say where it is'
            cand --password 'Password; env:NAME or file:PATH say where it is'
            cand --use-identity 'Managed identity, without effect outside Azure'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --password-stdin 'Read the password from standard input'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;credential;remove'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand --login-server 'Login server'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;credential;list'= {
            cand -n 'Name of the task'
            cand --name 'Name of the task'
            cand -r 'Registry of the task; needed only where several have a task of this name'
            cand --registry 'Registry of the task; needed only where several have a task of this name'
            cand -g 'Name of resource group'
            cand --resource-group 'Name of resource group'
            cand --subscription 'Name or id of subscription'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;credential;help'= {
            cand add 'Add a login to a task'
            cand update 'Change a login of a task'
            cand remove 'Remove a login from a task'
            cand list 'List the logins of a task, without passwords'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;task;credential;help;add'= {
        }
        &'acrt;task;credential;help;update'= {
        }
        &'acrt;task;credential;help;remove'= {
        }
        &'acrt;task;credential;help;list'= {
        }
        &'acrt;task;credential;help;help'= {
        }
        &'acrt;task;execute'= {
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;task;help'= {
            cand create 'Create a task, or replace the one of that name'
            cand update 'Change a task'
            cand show 'Show a task'
            cand list 'List all tasks'
            cand delete 'Delete a task; its runs stay'
            cand run 'Run a task now, and print its log'
            cand watch 'Follow base images, and rebuild what stands on those that moved'
            cand check 'Say what is stale and why, without building'
            cand list-runs 'List runs, the newest first'
            cand show-run 'Show a run'
            cand logs 'Print the log of a run, and follow it while the run goes on'
            cand cancel-run 'Stop a run that is queued or goes on'
            cand update-run 'Keep a run from being removed when it grows old, or no longer'
            cand timer 'Run a task at set times'
            cand credential 'Give a task logins to registries, before those of docker and podman'
            cand execute 'Carry out a run that `task run --no-wait` hands over on standard input'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;task;help;create'= {
        }
        &'acrt;task;help;update'= {
        }
        &'acrt;task;help;show'= {
        }
        &'acrt;task;help;list'= {
        }
        &'acrt;task;help;delete'= {
        }
        &'acrt;task;help;run'= {
        }
        &'acrt;task;help;watch'= {
        }
        &'acrt;task;help;check'= {
        }
        &'acrt;task;help;list-runs'= {
        }
        &'acrt;task;help;show-run'= {
        }
        &'acrt;task;help;logs'= {
        }
        &'acrt;task;help;cancel-run'= {
        }
        &'acrt;task;help;update-run'= {
        }
        &'acrt;task;help;timer'= {
            cand add 'Add a timer to a task'
            cand update 'Change a timer of a task'
            cand remove 'Remove a timer from a task'
            cand list 'List the timers of a task, with the next three times of each'
        }
        &'acrt;task;help;timer;add'= {
        }
        &'acrt;task;help;timer;update'= {
        }
        &'acrt;task;help;timer;remove'= {
        }
        &'acrt;task;help;timer;list'= {
        }
        &'acrt;task;help;credential'= {
            cand add 'Add a login to a task'
            cand update 'Change a login of a task'
            cand remove 'Remove a login from a task'
            cand list 'List the logins of a task, without passwords'
        }
        &'acrt;task;help;credential;add'= {
        }
        &'acrt;task;help;credential;update'= {
        }
        &'acrt;task;help;credential;remove'= {
        }
        &'acrt;task;help;credential;list'= {
        }
        &'acrt;task;help;execute'= {
        }
        &'acrt;task;help;help'= {
        }
        &'acrt;deps'= {
            cand -f 'Dockerfile, relative to the context; `-` reads it from standard input'
            cand --file 'Dockerfile, relative to the context; `-` reads it from standard input'
            cand --arg 'Build argument, NAME=VALUE (can be repeated)'
            cand --target 'Stage to build, if not the last'
            cand --platform 'Platforms to build for, as linux/amd64,linux/arm64'
            cand --build-context 'Named context that stands in for an image or a stage, NAME=SOURCE (can be repeated)'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --digests 'Add digests, asked from the registries'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;check-health'= {
            cand -n 'Registry to ask, as az names it'
            cand --name 'Registry to ask, as az names it'
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --ignore-errors 'Go on after errors; it always does'
            cand -y 'Do not ask; nothing is asked'
            cand --yes 'Do not ask; nothing is asked'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'acrt;completion'= {
            cand -o 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --output 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none'
            cand --query 'Pick from the answer, a JMESPath expression'
            cand --builder 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]'
            cand --state-dir 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]'
            cand --config 'Config file [default: the platform''s, or $ACRT_CONFIG]'
            cand --only-show-errors 'Print errors only, no warnings'
            cand --verbose 'Tell more about what is done'
            cand --debug 'Tell everything about what is done'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'acrt;help'= {
            cand task 'Define, run and watch tasks'
            cand deps 'Show which images a Dockerfile stands on'
            cand check-health 'Check builder, registries, logins, clock and state directory'
            cand completion 'Print the completion script of a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'acrt;help;task'= {
            cand create 'Create a task, or replace the one of that name'
            cand update 'Change a task'
            cand show 'Show a task'
            cand list 'List all tasks'
            cand delete 'Delete a task; its runs stay'
            cand run 'Run a task now, and print its log'
            cand watch 'Follow base images, and rebuild what stands on those that moved'
            cand check 'Say what is stale and why, without building'
            cand list-runs 'List runs, the newest first'
            cand show-run 'Show a run'
            cand logs 'Print the log of a run, and follow it while the run goes on'
            cand cancel-run 'Stop a run that is queued or goes on'
            cand update-run 'Keep a run from being removed when it grows old, or no longer'
            cand timer 'Run a task at set times'
            cand credential 'Give a task logins to registries, before those of docker and podman'
            cand execute 'Carry out a run that `task run --no-wait` hands over on standard input'
        }
        &'acrt;help;task;create'= {
        }
        &'acrt;help;task;update'= {
        }
        &'acrt;help;task;show'= {
        }
        &'acrt;help;task;list'= {
        }
        &'acrt;help;task;delete'= {
        }
        &'acrt;help;task;run'= {
        }
        &'acrt;help;task;watch'= {
        }
        &'acrt;help;task;check'= {
        }
        &'acrt;help;task;list-runs'= {
        }
        &'acrt;help;task;show-run'= {
        }
        &'acrt;help;task;logs'= {
        }
        &'acrt;help;task;cancel-run'= {
        }
        &'acrt;help;task;update-run'= {
        }
        &'acrt;help;task;timer'= {
            cand add 'Add a timer to a task'
            cand update 'Change a timer of a task'
            cand remove 'Remove a timer from a task'
            cand list 'List the timers of a task, with the next three times of each'
        }
        &'acrt;help;task;timer;add'= {
        }
        &'acrt;help;task;timer;update'= {
        }
        &'acrt;help;task;timer;remove'= {
        }
        &'acrt;help;task;timer;list'= {
        }
        &'acrt;help;task;credential'= {
            cand add 'Add a login to a task'
            cand update 'Change a login of a task'
            cand remove 'Remove a login from a task'
            cand list 'List the logins of a task, without passwords'
        }
        &'acrt;help;task;credential;add'= {
        }
        &'acrt;help;task;credential;update'= {
        }
        &'acrt;help;task;credential;remove'= {
        }
        &'acrt;help;task;credential;list'= {
        }
        &'acrt;help;task;execute'= {
        }
        &'acrt;help;deps'= {
        }
        &'acrt;help;check-health'= {
        }
        &'acrt;help;completion'= {
        }
        &'acrt;help;help'= {
        }
    ]
    $completions[$command]
}
