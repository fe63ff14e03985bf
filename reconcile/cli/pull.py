"""`reconcile pull`: a revision of a Git repository, verified before a byte of it is used."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import Json, LockTimeout, Quiet
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ExitCode, LockHeld, ReconcileError

if TYPE_CHECKING:
    from reconcile.cli.looking import Looking
    from reconcile.gitops.pull import Origin, Pulled
    from reconcile.system import Host
    from reconcile.workspace import Workspace
    from reconcile.workspace.applying import ApplyOptions

Path = Annotated[str, typer.Option("--file", "-f", metavar="FILE", help="The YAML in there.")]


class Then(StrEnum):
    """What is done with a revision that was accepted."""

    PLAN = "plan"
    DRIFT = "drift"
    APPLY = "apply"


def pull(
    repository: Annotated[str, typer.Argument(metavar="URL", help="Where it is fetched from.")],
    file: Path = "reconcile.yaml",
    branch: Annotated[
        str | None,
        typer.Option(
            "--branch", metavar="NAME", help="The branch to fetch; main where none is named."
        ),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="NAME", help="Fetch this tag, and no branch.")
    ] = None,
    allowed_signers: Annotated[
        str | None,
        typer.Option(
            "--allowed-signers",
            metavar="FILE",
            help="SSH keys that may sign, as ssh-keygen lists them.",
        ),
    ] = None,
    gpg_keys: Annotated[
        str | None,
        typer.Option("--gpg-keys", metavar="FILE", help="GPG keys that may sign, exported."),
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Take also what nobody has signed.")
    ] = False,
    then: Annotated[Then, typer.Option("--then", help="What to do with the revision.")] = Then.PLAN,
    retry: Annotated[
        bool, typer.Option("--retry", help="Apply a revision that has failed before.")
    ] = False,
    max_deletes: Annotated[
        int | None,
        typer.Option("--max-deletes", metavar="N", min=0, help="Refuse a plan that destroys more."),
    ] = None,
    state_dir: Annotated[
        str, typer.Option("--state-dir", metavar="DIR", help="Where the mirror is kept.")
    ] = "/var/lib/reconcile",
    lock_timeout: LockTimeout = 0.0,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Fetch a signed revision, then plan, compare or apply it."""
    from reconcile.cli.looking import Looking
    from reconcile.gitops.pull import origin, pull, refuse_failed
    from reconcile.system import Host, HostSettings
    from reconcile.system.lock import try_lock
    from reconcile.workspace import Workspace

    host = Host(HostSettings(state_dir=state_dir))
    of = origin(
        repository,
        branch=branch,
        tag=tag,
        file=file,
        ssh_signers=allowed_signers,
        gpg_keys=gpg_keys,
        unsigned=unsigned,
    )
    with try_lock(host, "pull.lock", timeout_s=lock_timeout) as ours:
        if not ours:
            raise LockHeld("another pull is at work on this host", "", "Give --lock-timeout.")
        pulled = pull(host, of)
        workspace = Workspace.open(pulled.file, pulled.commit)
        if then is Then.APPLY:
            if not retry:
                refuse_failed(host, of, pulled.commit)
            options = _unattended(max_deletes)
            return _apply(
                workspace, host, of, pulled, options, lock_timeout, json=json, quiet=quiet
            )
        look = Looking()
        code, text = _looked(look, workspace, then, json=json)
    if code != ExitCode.OK or not quiet:
        show(text)
        if not json:
            look.tell()
    return code


def _looked(look: Looking, workspace: Workspace, then: Then, *, json: bool) -> tuple[int, str]:
    """The exit code, and what there is to say."""
    from dataclasses import replace

    from reconcile.output.json import drift_document, dumped, plan_document
    from reconcile.output.text import drift_text, plan_text
    from reconcile.workspace.checking import check_drift
    from reconcile.workspace.planning import plan_changes

    if then is Then.DRIFT:
        seen = look(lambda: check_drift(workspace))
        if not json:
            return seen.exit_code, drift_text(seen, style())
        noted = replace(seen, plan=look.noting(seen.plan))
        return seen.exit_code, dumped(drift_document(noted, now=now()))
    plan = look(lambda: plan_changes(workspace))
    code = plan.exit_code(detailed=True)
    if not json:
        return code, plan_text(plan, style())
    return code, dumped(plan_document(look.noting(plan), code, now=now()))


def _unattended(max_deletes: int | None) -> ApplyOptions:
    """Nobody looks, so there are limits to what may go."""
    from dataclasses import replace

    from reconcile.workspace.applying import UNATTENDED

    return UNATTENDED if max_deletes is None else replace(UNATTENDED, max_deletes=max_deletes)


def _apply(
    workspace: Workspace,
    host: Host,
    of: Origin,
    pulled: Pulled,
    options: ApplyOptions,
    lock_timeout_s: float,
    *,
    json: bool,
    quiet: bool,
) -> int:
    """Nobody looks, so nothing is asked; what fails is not tried again."""
    from reconcile.cli.progress import listener
    from reconcile.gitops.pull import remember_failure
    from reconcile.workspace.applying import apply_plan, locked
    from reconcile.workspace.planning import plan_changes

    listen = listener(json=json)
    with locked(workspace, "pull", timeout_s=lock_timeout_s, on_event=listen) as current:
        plan = plan_changes(current)
        silent = quiet and plan.exit_code(detailed=True) == ExitCode.OK
        if not silent:
            listen.plan(plan)
        try:
            with listen.working(plan):
                report = apply_plan(
                    current, plan, "reconcile pull", options=options, on_event=listen
                )
        except ReconcileError as error:
            remember_failure(host, of, pulled.commit, error.what)
            raise
    code = report.exit_code(detailed=False)
    if code != ExitCode.OK:
        remember_failure(host, of, pulled.commit, report.error)
    if code != ExitCode.OK or not silent:
        listen.end(report, code)
    return code
