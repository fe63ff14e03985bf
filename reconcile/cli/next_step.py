"""What to do next on this host, for whoever types `reconcile` alone."""

from __future__ import annotations

import re

from reconcile.cli.options import find_config_file
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_tree import ConfigTree, named
from reconcile.nginx.running.discover import discover
from reconcile.output.escape import printable
from reconcile.system import Host
from reconcile.wording import first_few

_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


def next_step() -> str:
    """One sentence with the command: plan where a YAML is, adopt where a site is, else init."""
    file = find_config_file()
    if file is not None:
        return f"Next: reconcile plan (it compares this host with {printable(file)})."
    names = _served_names()
    if names:
        served = first_few(names)
        return f"Next: reconcile adopt -o reconcile.yaml (Nginx serves {served} here)."
    return "Next: reconcile init (it writes a reconcile.yaml to start from)."


def _served_names() -> list[str]:
    try:
        tree = discover(Host()).tree
    except ReconcileError:
        # Without an nginx that can be read there is nothing to adopt.
        return []
    return list(dict.fromkeys(_server_names(tree)))


def _server_names(tree: ConfigTree) -> list[str]:
    directives = [
        line for server in tree.servers for line in named(tree.children(server), "server_name")
    ]
    return [name for line in directives for name in line.args if _NAME.fullmatch(name)]
