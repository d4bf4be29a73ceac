
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'acrt' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'acrt'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'acrt' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('task', 'task', [CompletionResultType]::ParameterValue, 'Define, run and watch tasks')
            [CompletionResult]::new('deps', 'deps', [CompletionResultType]::ParameterValue, 'Show which images a Dockerfile stands on')
            [CompletionResult]::new('check-health', 'check-health', [CompletionResultType]::ParameterValue, 'Check builder, registries, logins, clock and state directory')
            [CompletionResult]::new('completion', 'completion', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;task' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create a task, or replace the one of that name')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a task')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List all tasks')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete a task; its runs stay')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a task now, and print its log')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Follow base images, and rebuild what stands on those that moved')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Say what is stale and why, without building')
            [CompletionResult]::new('list-runs', 'list-runs', [CompletionResultType]::ParameterValue, 'List runs, the newest first')
            [CompletionResult]::new('show-run', 'show-run', [CompletionResultType]::ParameterValue, 'Show a run')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Print the log of a run, and follow it while the run goes on')
            [CompletionResult]::new('cancel-run', 'cancel-run', [CompletionResultType]::ParameterValue, 'Stop a run that is queued or goes on')
            [CompletionResult]::new('update-run', 'update-run', [CompletionResultType]::ParameterValue, 'Keep a run from being removed when it grows old, or no longer')
            [CompletionResult]::new('timer', 'timer', [CompletionResultType]::ParameterValue, 'Run a task at set times')
            [CompletionResult]::new('credential', 'credential', [CompletionResultType]::ParameterValue, 'Give a task logins to registries, before those of docker and podman')
            [CompletionResult]::new('execute', 'execute', [CompletionResultType]::ParameterValue, 'Carry out a run that `task run --no-wait` hands over on standard input')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;task;create' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task: letters, digits, `-` and `_`')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task: letters, digits, `-` and `_`')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Folder of the build')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Folder of the build')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Dockerfile, relative to the context')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Dockerfile, relative to the context')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Enabled or Disabled')
            [CompletionResult]::new('--arg', '--arg', [CompletionResultType]::ParameterName, 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)')
            [CompletionResult]::new('--secret-arg', '--secret-arg', [CompletionResultType]::ParameterName, 'Build argument whose value is never shown, NAME=VALUE (can be repeated)')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Stage to build, if not the last')
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'Platforms to build for, as linux/amd64,linux/arm64 [default: the builder''s own]')
            [CompletionResult]::new('--no-push', '--no-push', [CompletionResultType]::ParameterName, 'Build without pushing')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Build without the builder''s cache')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Seconds that a run may take')
            [CompletionResult]::new('--base-image-trigger-enabled', '--base-image-trigger-enabled', [CompletionResultType]::ParameterName, 'Run the task when an image that it stands on moves')
            [CompletionResult]::new('--base-image-trigger-type', '--base-image-trigger-type', [CompletionResultType]::ParameterName, 'Which images count: Runtime or All')
            [CompletionResult]::new('--commit-trigger-enabled', '--commit-trigger-enabled', [CompletionResultType]::ParameterName, 'Run the task when its source changes')
            [CompletionResult]::new('--pull-request-trigger-enabled', '--pull-request-trigger-enabled', [CompletionResultType]::ParameterName, 'Run the task for pull requests')
            [CompletionResult]::new('--base-image-trigger-name', '--base-image-trigger-name', [CompletionResultType]::ParameterName, 'Name of the base image trigger')
            [CompletionResult]::new('--schedule', '--schedule', [CompletionResultType]::ParameterName, 'Run the task at set times too: five fields in UTC, with a name before a colon if it is to have one (can be repeated)')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('--agent-pool', '--agent-pool', [CompletionResultType]::ParameterName, 'The name of the agent pool')
            [CompletionResult]::new('--log-template', '--log-template', [CompletionResultType]::ParameterName, 'The log repository')
            [CompletionResult]::new('--assign-identity', '--assign-identity', [CompletionResultType]::ParameterName, 'Managed identities')
            [CompletionResult]::new('--auth-mode', '--auth-mode', [CompletionResultType]::ParameterName, 'Auth mode of the source registry')
            [CompletionResult]::new('--cpu', '--cpu', [CompletionResultType]::ParameterName, 'The number of processors')
            [CompletionResult]::new('--source-acr-auth-id', '--source-acr-auth-id', [CompletionResultType]::ParameterName, 'Identity for the source registry')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--is-system-task', '--is-system-task', [CompletionResultType]::ParameterName, 'Whether the task is a system task')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;task;update' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Folder of the build')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Folder of the build')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Dockerfile, relative to the context')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Dockerfile, relative to the context')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image to push, as name:tag; may hold {{.Run.ID}} and other run variables (can be repeated)')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Enabled or Disabled')
            [CompletionResult]::new('--arg', '--arg', [CompletionResultType]::ParameterName, 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)')
            [CompletionResult]::new('--secret-arg', '--secret-arg', [CompletionResultType]::ParameterName, 'Build argument whose value is never shown, NAME=VALUE (can be repeated)')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Stage to build; empty is the last')
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'Platforms to build for, as linux/amd64,linux/arm64')
            [CompletionResult]::new('--no-push', '--no-push', [CompletionResultType]::ParameterName, 'Build without pushing')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Build without the builder''s cache')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Seconds that a run may take')
            [CompletionResult]::new('--base-image-trigger-enabled', '--base-image-trigger-enabled', [CompletionResultType]::ParameterName, 'Run the task when an image that it stands on moves')
            [CompletionResult]::new('--base-image-trigger-type', '--base-image-trigger-type', [CompletionResultType]::ParameterName, 'Which images count: Runtime or All')
            [CompletionResult]::new('--commit-trigger-enabled', '--commit-trigger-enabled', [CompletionResultType]::ParameterName, 'Run the task when its source changes')
            [CompletionResult]::new('--pull-request-trigger-enabled', '--pull-request-trigger-enabled', [CompletionResultType]::ParameterName, 'Run the task for pull requests')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('--agent-pool', '--agent-pool', [CompletionResultType]::ParameterName, 'The name of the agent pool')
            [CompletionResult]::new('--log-template', '--log-template', [CompletionResultType]::ParameterName, 'The log repository')
            [CompletionResult]::new('--assign-identity', '--assign-identity', [CompletionResultType]::ParameterName, 'Managed identities')
            [CompletionResult]::new('--auth-mode', '--auth-mode', [CompletionResultType]::ParameterName, 'Auth mode of the source registry')
            [CompletionResult]::new('--cpu', '--cpu', [CompletionResultType]::ParameterName, 'The number of processors')
            [CompletionResult]::new('--source-acr-auth-id', '--source-acr-auth-id', [CompletionResultType]::ParameterName, 'Identity for the source registry')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--is-system-task', '--is-system-task', [CompletionResultType]::ParameterName, 'Whether the task is a system task')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;task;show' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;list' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Only tasks of this registry')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Only tasks of this registry')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;delete' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;run' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Another folder, for this run')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Another folder, for this run')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Another Dockerfile, for this run')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Another Dockerfile, for this run')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Another stage, for this run')
            [CompletionResult]::new('--arg', '--arg', [CompletionResultType]::ParameterName, 'Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)')
            [CompletionResult]::new('--secret-arg', '--secret-arg', [CompletionResultType]::ParameterName, 'Build argument whose value is never shown, NAME=VALUE (can be repeated)')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('--agent-pool', '--agent-pool', [CompletionResultType]::ParameterName, 'The name of the agent pool')
            [CompletionResult]::new('--log-template', '--log-template', [CompletionResultType]::ParameterName, 'The log repository')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--no-logs', '--no-logs', [CompletionResultType]::ParameterName, 'Print the run when it has ended, instead of its log')
            [CompletionResult]::new('--no-wait', '--no-wait', [CompletionResultType]::ParameterName, 'Return at once; the run goes on by itself')
            [CompletionResult]::new('--no-format', '--no-format', [CompletionResultType]::ParameterName, 'Do not format the log; it never is')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the builder''s command lines, and run none of them')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;task;watch' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'Make one round, now, and end')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be run, and run nothing')
            [CompletionResult]::new('--exit-code', '--exit-code', [CompletionResultType]::ParameterName, 'End with 10 if something was, or would be, rebuilt')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;task;check' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Only this task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Only this task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of that task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of that task; needed only where several have a task of this name')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--exit-code', '--exit-code', [CompletionResultType]::ParameterName, 'End with 10 if something is stale')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;task;list-runs' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Only runs of this task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Only runs of this task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Only runs on this registry')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Only runs on this registry')
            [CompletionResult]::new('--run-status', '--run-status', [CompletionResultType]::ParameterName, 'Only runs with this status: Queued, Started, Running, Succeeded, Failed, Canceled, Error or Timeout')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only runs that pushed this image, by name:tag or name@digest')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Only runs that pushed this image, by name:tag or name@digest')
            [CompletionResult]::new('--top', '--top', [CompletionResultType]::ParameterName, 'How many runs to list')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;show-run' {
            [CompletionResult]::new('--run-id', '--run-id', [CompletionResultType]::ParameterName, 'Run to show, as `acrt task list-runs` lists it')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the run; run ids are unique without it')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the run; run ids are unique without it')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;logs' {
            [CompletionResult]::new('--run-id', '--run-id', [CompletionResultType]::ParameterName, 'Run whose log to print [default: the newest]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The newest run of this task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The newest run of this task')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The newest run that pushed this image')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The newest run that pushed this image')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Only runs on this registry')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Only runs on this registry')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--no-format', '--no-format', [CompletionResultType]::ParameterName, 'Do not format the log; it never is')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;cancel-run' {
            [CompletionResult]::new('--run-id', '--run-id', [CompletionResultType]::ParameterName, 'Run to stop, as `acrt task list-runs` lists it')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the run; run ids are unique without it')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the run; run ids are unique without it')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;update-run' {
            [CompletionResult]::new('--run-id', '--run-id', [CompletionResultType]::ParameterName, 'Run to change, as `acrt task list-runs` lists it')
            [CompletionResult]::new('--no-archive', '--no-archive', [CompletionResultType]::ParameterName, 'Whether the run may be removed when it grows old')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the run; run ids are unique without it')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the run; run ids are unique without it')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;timer' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a timer to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a timer of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a timer from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the timers of a task, with the next three times of each')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;task;timer;add' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--timer-name', '--timer-name', [CompletionResultType]::ParameterName, 'Name of the timer')
            [CompletionResult]::new('--schedule', '--schedule', [CompletionResultType]::ParameterName, 'Minute, hour, day of month, month, day of week, in UTC, as "0 21 * * *"')
            [CompletionResult]::new('--enabled', '--enabled', [CompletionResultType]::ParameterName, 'Whether the timer does anything')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;task;timer;update' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--timer-name', '--timer-name', [CompletionResultType]::ParameterName, 'Name of the timer')
            [CompletionResult]::new('--schedule', '--schedule', [CompletionResultType]::ParameterName, 'Minute, hour, day of month, month, day of week, in UTC, as "0 21 * * *"')
            [CompletionResult]::new('--enabled', '--enabled', [CompletionResultType]::ParameterName, 'Whether the timer does anything')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;timer;remove' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--timer-name', '--timer-name', [CompletionResultType]::ParameterName, 'Name of the timer')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;timer;list' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;timer;help' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a timer to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a timer of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a timer from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the timers of a task, with the next three times of each')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;task;timer;help;add' {
            break
        }
        'acrt;task;timer;help;update' {
            break
        }
        'acrt;task;timer;help;remove' {
            break
        }
        'acrt;task;timer;help;list' {
            break
        }
        'acrt;task;timer;help;help' {
            break
        }
        'acrt;task;credential' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a login to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a login of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a login from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the logins of a task, without passwords')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;task;credential;add' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--login-server', '--login-server', [CompletionResultType]::ParameterName, 'Login server, as ghcr.io or localhost:5000')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'User; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('--username', '--username', [CompletionResultType]::ParameterName, 'User; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Password; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('--password', '--password', [CompletionResultType]::ParameterName, 'Password; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('--use-identity', '--use-identity', [CompletionResultType]::ParameterName, 'Managed identity, without effect outside Azure')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--password-stdin', '--password-stdin', [CompletionResultType]::ParameterName, 'Read the password from standard input')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;credential;update' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--login-server', '--login-server', [CompletionResultType]::ParameterName, 'Login server, as ghcr.io or localhost:5000')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'User; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('--username', '--username', [CompletionResultType]::ParameterName, 'User; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Password; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('--password', '--password', [CompletionResultType]::ParameterName, 'Password; env:NAME or file:PATH say where it is')
            [CompletionResult]::new('--use-identity', '--use-identity', [CompletionResultType]::ParameterName, 'Managed identity, without effect outside Azure')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--password-stdin', '--password-stdin', [CompletionResultType]::ParameterName, 'Read the password from standard input')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;credential;remove' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--login-server', '--login-server', [CompletionResultType]::ParameterName, 'Login server')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;credential;list' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the task')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry of the task; needed only where several have a task of this name')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--resource-group', '--resource-group', [CompletionResultType]::ParameterName, 'Name of resource group')
            [CompletionResult]::new('--subscription', '--subscription', [CompletionResultType]::ParameterName, 'Name or id of subscription')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;credential;help' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a login to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a login of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a login from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the logins of a task, without passwords')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;task;credential;help;add' {
            break
        }
        'acrt;task;credential;help;update' {
            break
        }
        'acrt;task;credential;help;remove' {
            break
        }
        'acrt;task;credential;help;list' {
            break
        }
        'acrt;task;credential;help;help' {
            break
        }
        'acrt;task;execute' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;task;help' {
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create a task, or replace the one of that name')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a task')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List all tasks')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete a task; its runs stay')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a task now, and print its log')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Follow base images, and rebuild what stands on those that moved')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Say what is stale and why, without building')
            [CompletionResult]::new('list-runs', 'list-runs', [CompletionResultType]::ParameterValue, 'List runs, the newest first')
            [CompletionResult]::new('show-run', 'show-run', [CompletionResultType]::ParameterValue, 'Show a run')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Print the log of a run, and follow it while the run goes on')
            [CompletionResult]::new('cancel-run', 'cancel-run', [CompletionResultType]::ParameterValue, 'Stop a run that is queued or goes on')
            [CompletionResult]::new('update-run', 'update-run', [CompletionResultType]::ParameterValue, 'Keep a run from being removed when it grows old, or no longer')
            [CompletionResult]::new('timer', 'timer', [CompletionResultType]::ParameterValue, 'Run a task at set times')
            [CompletionResult]::new('credential', 'credential', [CompletionResultType]::ParameterValue, 'Give a task logins to registries, before those of docker and podman')
            [CompletionResult]::new('execute', 'execute', [CompletionResultType]::ParameterValue, 'Carry out a run that `task run --no-wait` hands over on standard input')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;task;help;create' {
            break
        }
        'acrt;task;help;update' {
            break
        }
        'acrt;task;help;show' {
            break
        }
        'acrt;task;help;list' {
            break
        }
        'acrt;task;help;delete' {
            break
        }
        'acrt;task;help;run' {
            break
        }
        'acrt;task;help;watch' {
            break
        }
        'acrt;task;help;check' {
            break
        }
        'acrt;task;help;list-runs' {
            break
        }
        'acrt;task;help;show-run' {
            break
        }
        'acrt;task;help;logs' {
            break
        }
        'acrt;task;help;cancel-run' {
            break
        }
        'acrt;task;help;update-run' {
            break
        }
        'acrt;task;help;timer' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a timer to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a timer of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a timer from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the timers of a task, with the next three times of each')
            break
        }
        'acrt;task;help;timer;add' {
            break
        }
        'acrt;task;help;timer;update' {
            break
        }
        'acrt;task;help;timer;remove' {
            break
        }
        'acrt;task;help;timer;list' {
            break
        }
        'acrt;task;help;credential' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a login to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a login of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a login from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the logins of a task, without passwords')
            break
        }
        'acrt;task;help;credential;add' {
            break
        }
        'acrt;task;help;credential;update' {
            break
        }
        'acrt;task;help;credential;remove' {
            break
        }
        'acrt;task;help;credential;list' {
            break
        }
        'acrt;task;help;execute' {
            break
        }
        'acrt;task;help;help' {
            break
        }
        'acrt;deps' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Dockerfile, relative to the context; `-` reads it from standard input')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Dockerfile, relative to the context; `-` reads it from standard input')
            [CompletionResult]::new('--arg', '--arg', [CompletionResultType]::ParameterName, 'Build argument, NAME=VALUE (can be repeated)')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Stage to build, if not the last')
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'Platforms to build for, as linux/amd64,linux/arm64')
            [CompletionResult]::new('--build-context', '--build-context', [CompletionResultType]::ParameterName, 'Named context that stands in for an image or a stage, NAME=SOURCE (can be repeated)')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--digests', '--digests', [CompletionResultType]::ParameterName, 'Add digests, asked from the registries')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;check-health' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Registry to ask, as az names it')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Registry to ask, as az names it')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--ignore-errors', '--ignore-errors', [CompletionResultType]::ParameterName, 'Go on after errors; it always does')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask; nothing is asked')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask; nothing is asked')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'acrt;completion' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the answer as json, jsonc, yaml, yamlc, table, tsv or none')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Pick from the answer, a JMESPath expression')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'Builder: docker, podman, buildah or command [default: the first that works, or $ACRT_BUILDER]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Folder that keeps tasks and runs [default: the platform''s, or $ACRT_STATE_DIR]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Config file [default: the platform''s, or $ACRT_CONFIG]')
            [CompletionResult]::new('--only-show-errors', '--only-show-errors', [CompletionResultType]::ParameterName, 'Print errors only, no warnings')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more about what is done')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Tell everything about what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'acrt;help' {
            [CompletionResult]::new('task', 'task', [CompletionResultType]::ParameterValue, 'Define, run and watch tasks')
            [CompletionResult]::new('deps', 'deps', [CompletionResultType]::ParameterValue, 'Show which images a Dockerfile stands on')
            [CompletionResult]::new('check-health', 'check-health', [CompletionResultType]::ParameterValue, 'Check builder, registries, logins, clock and state directory')
            [CompletionResult]::new('completion', 'completion', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'acrt;help;task' {
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create a task, or replace the one of that name')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a task')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List all tasks')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete a task; its runs stay')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a task now, and print its log')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Follow base images, and rebuild what stands on those that moved')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Say what is stale and why, without building')
            [CompletionResult]::new('list-runs', 'list-runs', [CompletionResultType]::ParameterValue, 'List runs, the newest first')
            [CompletionResult]::new('show-run', 'show-run', [CompletionResultType]::ParameterValue, 'Show a run')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Print the log of a run, and follow it while the run goes on')
            [CompletionResult]::new('cancel-run', 'cancel-run', [CompletionResultType]::ParameterValue, 'Stop a run that is queued or goes on')
            [CompletionResult]::new('update-run', 'update-run', [CompletionResultType]::ParameterValue, 'Keep a run from being removed when it grows old, or no longer')
            [CompletionResult]::new('timer', 'timer', [CompletionResultType]::ParameterValue, 'Run a task at set times')
            [CompletionResult]::new('credential', 'credential', [CompletionResultType]::ParameterValue, 'Give a task logins to registries, before those of docker and podman')
            [CompletionResult]::new('execute', 'execute', [CompletionResultType]::ParameterValue, 'Carry out a run that `task run --no-wait` hands over on standard input')
            break
        }
        'acrt;help;task;create' {
            break
        }
        'acrt;help;task;update' {
            break
        }
        'acrt;help;task;show' {
            break
        }
        'acrt;help;task;list' {
            break
        }
        'acrt;help;task;delete' {
            break
        }
        'acrt;help;task;run' {
            break
        }
        'acrt;help;task;watch' {
            break
        }
        'acrt;help;task;check' {
            break
        }
        'acrt;help;task;list-runs' {
            break
        }
        'acrt;help;task;show-run' {
            break
        }
        'acrt;help;task;logs' {
            break
        }
        'acrt;help;task;cancel-run' {
            break
        }
        'acrt;help;task;update-run' {
            break
        }
        'acrt;help;task;timer' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a timer to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a timer of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a timer from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the timers of a task, with the next three times of each')
            break
        }
        'acrt;help;task;timer;add' {
            break
        }
        'acrt;help;task;timer;update' {
            break
        }
        'acrt;help;task;timer;remove' {
            break
        }
        'acrt;help;task;timer;list' {
            break
        }
        'acrt;help;task;credential' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a login to a task')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change a login of a task')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a login from a task')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the logins of a task, without passwords')
            break
        }
        'acrt;help;task;credential;add' {
            break
        }
        'acrt;help;task;credential;update' {
            break
        }
        'acrt;help;task;credential;remove' {
            break
        }
        'acrt;help;task;credential;list' {
            break
        }
        'acrt;help;task;execute' {
            break
        }
        'acrt;help;deps' {
            break
        }
        'acrt;help;check-health' {
            break
        }
        'acrt;help;completion' {
            break
        }
        'acrt;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
