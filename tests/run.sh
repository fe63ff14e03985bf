#!/bin/sh
# Runs all tests; installs first what they need. Arguments go to pytest:
#   tests/run.sh                     everything
#   tests/run.sh -m 'not host'       without root, without real hosts
#   tests/run.sh tests/spec -k mode  some
set -eu
cd "$(dirname "$0")/.."
tests/install.sh

NOTHING_COLLECTED=5

run_pytest() {
  .venv/bin/python -m pytest "$@"
}

# Hosts are booted by root; the rest runs as who asked.
run_pytest_as_root() {
  if [ "$(id -u)" -eq 0 ]; then run_pytest "$@"; else
    printf 'tests: the host tests need root: using sudo\n' >&2
    sudo --preserve-env .venv/bin/python -m pytest "$@"
  fi
}

# With a choice of its own (-m), one run; else the fast tests first. Two processes share the
# tests, a file's hosts stay with one of them; -n0 among the arguments has all in one.
for argument in "$@"; do
  case $argument in -m | -m?*)
    run_pytest "$@"
    exit
    ;;
  esac
done

fast=0 hosts=0
run_pytest -n auto --dist worksteal -m 'not host and not nightly' "$@" || fast=$?
[ "$fast" -eq 0 ] || [ "$fast" -eq "$NOTHING_COLLECTED" ] || exit "$fast"
run_pytest_as_root -n 2 --dist loadfile -m 'host and not nightly' "$@" || hosts=$?
[ "$hosts" -ne "$NOTHING_COLLECTED" ] || exit "$fast"
exit "$hosts"
