# Sourced by the scripts that build and test: runs a command as a named stage and says how long it took.
# shellcheck shell=bash

# stage NAME COMMAND [ARGUMENT...]
# Runs the command without standard input. Returns its status; under `set -e` a failed stage ends the script.
stage() {
  local name=$1 started=$SECONDS status=0
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  "$@" </dev/null || status=$?
  if ((status == 0)); then
    printf '== %s: done in %d s\n' "$name" $((SECONDS - started))
  else
    printf '== %s: FAILED (status %d) after %d s\n' "$name" "$status" $((SECONDS - started)) >&2
  fi
  return "$status"
}
