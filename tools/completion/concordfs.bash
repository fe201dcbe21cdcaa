# bash completion for concordfs(1).
# shellcheck shell=bash

# The ids that `concordfs rejected` takes.
_concordfs_parked_ids() {
  concordfs rejected list --json 2>/dev/null | grep -oE '"id": *"[0-9a-f]+"' | grep -oE '[0-9a-f]{6,}'
}

_concordfs() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' options='' i
  local commands='init mount umount run status rejected refresh sync'
  COMPREPLY=()

  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ " $commands " == *" ${COMP_WORDS[i]} "* ]]; then
      command=${COMP_WORDS[i]}
      break
    fi
  done
  if [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
    return
  fi

  # The command that `run` is to run completes as it does on its own.
  if [[ $command == run ]]; then
    for ((; i < COMP_CWORD; ++i)); do
      if [[ ${COMP_WORDS[i]} == -- ]]; then
        if declare -F _command_offset >/dev/null; then
          _command_offset $((i + 1))
        else
          mapfile -t COMPREPLY < <(compgen -c -- "$current")
        fi
        return
      fi
    done
  fi

  case $previous in
    --durability)
      mapfile -t COMPREPLY < <(compgen -W 'process power' -- "$current")
      return
      ;;
    --push)
      mapfile -t COMPREPLY < <(compgen -W 'sync async' -- "$current")
      return
      ;;
    --repo | --mount | --output | --remote | --ssh-key | --remote-token-file)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      compopt -o filenames 2>/dev/null
      return
      ;;
    --agent | --branch | --retry | --max-file-size | --cache-memory | --scratch | --temporary | --fetch-period | --remote-timeout | --push-backlog | -o) return ;;
  esac

  case $command in
    init) options='--branch --help' ;;
    mount)
      options='--branch --agent --read-only --allow-other --durability --max-file-size --cache-memory --scratch --temporary --no-default-temporaries --no-passthrough --remote --ssh-key --remote-token-file --fetch-period --remote-timeout --push --push-backlog --push-rejected --foreground -o --help'
      ;;
    run) options='--agent --retry --mount --help --' ;;
    status) options='--json --help' ;;
    rejected)
      options='--json --repo --output --help'
      case $previous in
        rejected) options="list show diff restore drop $options" ;;
        show | diff | restore | drop) options=$(_concordfs_parked_ids) ;;
      esac
      ;;
    *) options='--help' ;;
  esac
  if [[ $current == -* || $command == rejected || $command == run ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi
  if [[ $command == init || $command == umount ]]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
  compopt -o filenames 2>/dev/null
}

complete -F _concordfs concordfs
