#!/usr/bin/env bash
# Installs what is missing on a bare Debian 12, then runs `reconcile demo`.
# Arguments are passed to the demo: ./examples/quickstart.sh --keep
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$here/.venv

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "Root is needed for: $*" >&2
        echo "Run it as root, or install sudo." >&2
        exit 1
    fi
}

quietly() {
    local output
    output=$("$@" 2>&1) || {
        printf '%s\n' "$output" >&2
        exit 1
    }
}

missing_packages() {
    # Debian's python3 has ensurepip only with python3-venv.
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    [ -x /usr/sbin/nginx ] || echo nginx-light
}

install_missing() {
    local packages
    packages=$(missing_packages)
    [ -n "$packages" ] || return 0
    # shellcheck disable=SC2086 # one word per package
    set -- $packages
    if ! command -v apt-get >/dev/null; then
        echo "Missing, and apt-get is not available: $*" >&2
        exit 1
    fi
    echo "Installing with apt-get: $*"
    quietly as_root apt-get -q update
    quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install "$@"
}

install_reconcile() {
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || {
        echo "Creating $venv"
        python3 -m venv "$venv"
    }
    "$venv/bin/python" -c 'import deepdiff, flask, gunicorn, reconcile, typer' 2>/dev/null && return
    echo "Installing reconcile into $venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$here[demo]"
}

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed; this is $(python3 --version 2>&1)." >&2
    exit 1
}
install_missing
install_reconcile
exec "$venv/bin/reconcile" demo "$@"
