"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.engine.selection import Selection
    from reconcile.gitops.saved_plan import SavedPlan
    from reconcile.workspace import Workspace

LOCAL = "reconcile.yaml"
VARIABLE = "RECONCILE_FILE"
SYSTEM = "/etc/reconcile/reconcile.yaml"

File = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help=f"The YAML; else ./{LOCAL}, then ${VARIABLE}, then {SYSTEM}.",
        show_default=False,
    ),
]
FileUnread = Annotated[
    str | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="Taken as everywhere, and not read for this."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing where all is well.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown for a merge request.")]
Detailed = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit with 2 where there are changes.")
]
Sites = Annotated[
    list[str] | None,
    typer.Option("--site", metavar="NAME", help="Only this site; may be repeated."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="REF",
        help="Only this address or pattern, and what it requires; may be repeated.",
    ),
]
Excludes = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="REF", help="All but this address or pattern; may be repeated."
    ),
]

LockTimeout = Annotated[
    float,
    typer.Option(
        "--lock-timeout", metavar="SECONDS", min=0, help="Wait so long for another apply to end."
    ),
]


def chosen_file(given: str | None) -> str:
    """The file to use. Errors: ReconcileError where there is none in any of its places."""
    found = given if given is not None else found_file()
    if found is not None:
        return found
    raise ReconcileError(
        "There is no reconcile.yaml",
        f"neither ./{LOCAL} nor {SYSTEM} exists, and {VARIABLE} is not set",
        "Name a file with -f, or write one with `reconcile init`.",
    )


def refuse_two_forms(**asked: bool) -> None:
    """Errors: ReconcileError where more than one of these options was given."""
    names = [f"--{name}" for name, given in asked.items() if given]
    if len(names) > 1:
        told = " and ".join(names[:2])
        raise ReconcileError(f"{told} are two forms of one answer", "", "Choose one of them.")


def found_file() -> str | None:
    """The YAML in the first of its usual places; None where there is none."""
    for path in (LOCAL, os.environ.get(VARIABLE), SYSTEM):
        if path and (path == os.environ.get(VARIABLE) or os.path.exists(path)):
            return path
    return None


def opened(file: str | None) -> Workspace:
    """The workspace of the file that was given, or of the one in its usual places."""
    from reconcile.workspace import Workspace

    return Workspace.open(chosen_file(file))


def opened_records(file: str | None) -> Workspace:
    """The same for what reconcile itself remembers of the host, which outlives the YAML.

    Without any YAML it is looked for where it is by default.
    """
    from reconcile.config.load import load_bytes
    from reconcile.system import Host
    from reconcile.workspace import Workspace

    if file is None and found_file() is None:
        spec = load_bytes(b"version: 1", LOCAL)
        return Workspace(spec, Host(spec.host.settings()))
    return opened(file)


def opened_for(saved: SavedPlan, file: str | None) -> Workspace:
    """The workspace that a saved plan was made in. Errors: StalePlan where it is another now.

    The file that the plan names is taken only where nobody else could have written it:
    otherwise an approval could bring its own instructions.
    """
    from dataclasses import replace

    from reconcile import __version__
    from reconcile.engine.staleness import refuse_stale
    from reconcile.filesystem.user_files import only_ours
    from reconcile.system import Host

    # Before the YAML, which another host need not have.
    here = replace(saved.inputs, host=Host().name, version=__version__)
    refuse_stale(saved.inputs, here)
    workspace = opened(file or (saved.file if only_ours(saved.file) else None))
    refuse_stale(saved.inputs, replace(here, config=workspace.config.digest))
    return workspace


def selection(
    sites: Sequence[str] | None, targets: Sequence[str] | None, excludes: Sequence[str] | None
) -> Selection:
    """The part of the host that was asked for; all of it by default."""
    from reconcile.engine.selection import Selection

    return Selection(tuple(sites or ()), tuple(targets or ()), tuple(excludes or ()))
