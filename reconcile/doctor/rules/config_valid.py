"""nginx rejects the configuration on the disk: `nginx -t` fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, caused, error
from reconcile.engine.model import Finding
from reconcile.nginx.running.foreign_code import ForeignFile, foreign_files

_MISSING = re.compile(r'"(/[^"]+)".*No such file or directory')


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error where `nginx -t` fails."""
    if foreign := foreign_files(inspection.nginx.installation):
        yield _foreign(foreign)
        yield Inconclusive("nginx -t", f"not run, as root would obey {foreign[0]}")
        return
    found = inspection.nginx.config_error
    if found is None:
        return
    if inspection.host.is_unprivileged_viewer and "Permission denied" in found.message:
        yield Inconclusive("nginx -t", f"{found.message}. Run it with sudo.")
    else:
        position = found.position if found.file else "nginx -t"
        rejected = error(
            "nginx rejects its configuration: a reload keeps the old one; a restart would leave"
            " nginx down.",
            f"{position}: {found.message}",
            fix=f"Fix {position if found.file else 'what nginx -t reports'}, then: nginx -t &&"
            " systemctl reload nginx",
        )
        missing = _MISSING.search(found.message)
        yield caused(rejected, f"missing {missing[1]}", is_symptom=True) if missing else rejected


def _foreign(found: Sequence[ForeignFile]) -> Finding:
    path = quote(found[0].path)
    return error(
        "Others can write what nginx obeys as root when it starts or reloads.",
        *map(str, found),
        fix=f"chown root:root {path} && chmod go-w {path}",
    )


RULE = Rule(
    id="config-valid",
    summary="nginx rejects its configuration.",
    severity="error",
    help=(
        "A reload keeps the old configuration, and a restart leaves nginx down. Fix the "
        "line that nginx names."
    ),
    reads=("configuration",),
    guide_rows=("DB1", "CL7"),
    check=check,
)
