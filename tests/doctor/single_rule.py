"""A host with a configuration of the test's own, and what one rule says of it; nothing runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reconcile.config.load import load_bytes
from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.read_declaration import declaration
from reconcile.doctor.rules import load_rule
from reconcile.engine.model import Finding
from reconcile.output.findings import Diagnosis
from reconcile.system import Host, HostSettings

NGINX = """
user www-data;
error_log {root}/error.log;
pid {root}/nginx.pid;
events {{ }}
http {{
    include {root}/conf.d/*.conf;
}}
"""


def configured(root: Path, http: str) -> Host:
    """A host whose nginx has this http block."""
    (root / "nginx.conf").write_text(NGINX.format(root=root))
    (root / "conf.d").mkdir(exist_ok=True)
    (root / "conf.d/site.conf").write_text(http)
    settings = HostSettings(
        service_manager="none", state_dir=str(root / "state"), nginx_config=str(root / "nginx.conf")
    )
    return Host(settings)


def ask(
    rule: str, host: Host, root: Path, yaml: str = "version: 1", *, site: str = ""
) -> Diagnosis:
    """What one rule says, with this reconcile.yaml in `root`, of the server `site` ("": of all)."""
    declared = declaration(load_bytes(yaml.encode(), str(root / "reconcile.yaml")))
    only = frozenset(filter(None, [site]))
    return diagnose(HostInspection(host, declared, only), [load_rule(rule)])


def found(rule: str, root: Path, http: str) -> list[Finding]:
    """What one rule finds in this http block, notes aside; `{root}` stands for `root`."""
    return serious(ask(rule, configured(root, http.replace("{root}", str(root))), root))


def noted(rule: str, root: Path, http: str) -> list[Finding]:
    """The same with the notes alone."""
    every = ask(rule, configured(root, http.replace("{root}", str(root))), root).findings
    return [finding for finding in every if finding.severity == "note"]


def serious(found: Diagnosis) -> list[Finding]:
    """What it found, notes aside; everything has to have been looked at."""
    assert () == found.unknown
    return [finding for finding in found.findings if finding.severity != "note"]


def state_of(root: Path) -> dict[str, Any]:
    """Every file below `root`, by what would show a change."""
    found = {}
    for top, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = os.path.join(top, name)
            st = os.lstat(path)
            found[path] = (st.st_mode, st.st_uid, st.st_size, st.st_mtime_ns, st.st_ino)
    return found
