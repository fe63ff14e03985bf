#!/bin/sh
# Runs all tests; installs first what they need. Arguments go to pytest:
#   tests/run.sh                     everything
#   tests/run.sh -m 'not host'       without root, without real hosts
#   tests/run.sh tests/config -k mode  some
set -eu
cd "$(dirname "$0")/.."
tests/install.sh

NOTHING_COLLECTED=5

run_pytest() {
  .venv/bin/python -m pytest "$@"
}

# Hosts are booted by root; the rest runs as who asked.
# shellcheck disable=SC2317  # called by its name
run_pytest_as_root() {
  if [ "$(id -u)" -eq 0 ]; then run_pytest "$@"; else
    printf 'tests: the host tests need root: using sudo\n' >&2
    sudo --preserve-env .venv/bin/python -m pytest "$@"
  fi
}

# With a choice of its own (-m), one run; -n0 among the arguments has all in one process.
for argument in "$@"; do
  case $argument in -m | -m?*)
    run_pytest "$@"
    exit
    ;;
  esac
done

# A stage that has no test among the chosen ones is none; one that fails is the last.
stage() {
  run=$1 marked=$2 status=0
  shift 2
  "$run" -m "$marked and not nightly" "$@" || status=$?
  [ "$status" -eq 0 ] || [ "$status" -eq "$NOTHING_COLLECTED" ] || exit "$status"
  [ "$status" -ne 0 ] || some=0
}

# The fast tests first. Those with processes and hosts wait half of their time: more of them at once
# than there are processors. A file's hosts stay with one worker.
some=$NOTHING_COLLECTED
processors=$(getconf _NPROCESSORS_ONLN)
stage run_pytest 'not process and not host' -n auto --dist worksteal "$@"
stage run_pytest 'process and not host' -n "$((processors * 2))" --dist worksteal "$@"
stage run_pytest_as_root host -n 3 --dist loadfile "$@"
exit "$some"
