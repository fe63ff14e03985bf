"""`reconcile pull`: a revision of a Git repository, verified before a byte of it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from reconcile.cli.options import Json, LockTimeout, MaxDeletes, Quiet
from reconcile.cli.progress import event_sink, relative_to
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.run_reading import RunReading, shell_command
from reconcile.cli.terminal import now, show, style
from reconcile.engine.apply_report import Report
from reconcile.engine.drift_report import Drift
from reconcile.engine.host_hold import exit_code_under, refuse_held
from reconcile.errors import ExitCode, LockHeld, ReconcileError
from reconcile.gitops.pull_revision import (
    Pulled,
    RemoteSource,
    record_failure,
    refuse_failed,
    remote_source,
)
from reconcile.gitops.pull_revision import pull as pull_revision
from reconcile.gitops.readings import readings_path
from reconcile.output.json import drift_document, plan_document, to_json
from reconcile.output.text import drift_text, plan_text
from reconcile.system import Host, HostSettings
from reconcile.system.lock import try_lock
from reconcile.workspace import Workspace
from reconcile.workspace.applying import UNATTENDED, ApplyOptions, apply_plan, locked_to_apply
from reconcile.workspace.checking import check_drift
from reconcile.workspace.planning import plan_changes

_PASSWORD = re.compile(r"^((?:https?|ftps?)://)[^/]*@|(?<=://)[^/@:]*:[^/]*@", re.I)


class PullAction(StrEnum):
    """What to do with a verified revision."""

    PLAN = "plan"
    DRIFT = "drift"
    APPLY = "apply"


def pull(
    repository: Annotated[
        str, typer.Argument(metavar="URL", help="URL or path of the Git repository.")
    ],
    file: Annotated[
        str,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Path of the configuration file in the repository.",
        ),
    ] = "reconcile.yaml",
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="NAME", help="The branch to fetch; by default main."),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="NAME", help="The tag to fetch.")
    ] = None,
    allowed_signers: Annotated[
        str | None,
        typer.Option(
            "--allowed-signers",
            metavar="FILE",
            help="Trusted SSH keys, in ssh-keygen's format.",
        ),
    ] = None,
    gpg_keys: Annotated[
        str | None,
        typer.Option("--gpg-keys", metavar="FILE", help="Trusted GPG keys, exported."),
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Accept unsigned revisions.")
    ] = False,
    then: Annotated[
        PullAction, typer.Option("--then", help="What to do with the revision.")
    ] = PullAction.PLAN,
    retry: Annotated[
        bool, typer.Option("--retry", help="Apply a revision that failed before.")
    ] = False,
    max_deletes: MaxDeletes = None,
    state_dir: Annotated[
        str, typer.Option("--state-dir", metavar="DIR", help="Where to keep the fetched files.")
    ] = "/var/lib/reconcile",
    readings: Annotated[
        str | None,
        typer.Option(
            "--readings",
            metavar="DIR",
            help="Where to write the result for collectors; by default the --state-dir"
            " followed by -readings.",
        ),
    ] = None,
    lock_timeout: LockTimeout = 0.0,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Fetch a signed Git revision, then plan, check or apply it.

    The signature is verified before anything of the revision is used.

    \b
    Examples:
      reconcile pull https://git.example/site.git --allowed-signers signers
      reconcile pull /srv/site.git --unsigned --then apply

    \b
    Exit codes:
      0  no changes, or applied
      1  error
      2  changes or drift (--then plan or drift)
      3  HTTP checks failed; a failed apply was rolled back
      4  another apply or pull is running
      6  a hold is in force: nothing was applied
    """
    host = Host(HostSettings(state_dir=state_dir))
    source = remote_source(
        repository,
        branch=branch,
        tag=tag,
        file=file,
        ssh_signers=allowed_signers,
        gpg_keys=gpg_keys,
        unsigned=unsigned,
    )
    reading = RunReading(readings or readings_path(host), "pull", _command(source))
    with try_lock(host, "pull.lock", timeout_s=lock_timeout) as is_held:
        if not is_held:
            raise LockHeld("Another pull is running on this host", "", "Use --lock-timeout.")
        with reading.of_failure(host), _pulled(host, source, then) as (pulled, workspace):
            if then is PullAction.APPLY:
                if not retry:
                    refuse_failed(host, source, pulled.commit)
                options = _unattended_options(max_deletes)
                code, report = _apply(
                    workspace, host, source, pulled, options, lock_timeout, json=json, quiet=quiet
                )
                reading.leave_report(workspace, report, code)
                return code
            read_only = ReadOnlyGuard()
            drift = read_only(lambda: check_drift(workspace))
            code, text = _plan_or_drift(read_only, drift, then, json=json)
            reading.leave(workspace, drift, code)
    if code != ExitCode.OK or not quiet:
        show(text if json else relative_to(pulled.folder, text))
        if not json:
            read_only.print_note()
    return code


@contextmanager
def _pulled(
    host: Host, source: RemoteSource, then: PullAction
) -> Iterator[tuple[Pulled, Workspace]]:
    """Fetch a revision and open its configuration; paths in errors are relative to it."""
    if then is PullAction.APPLY:
        refuse_held(host.state)
    pulled = pull_revision(host, source)
    with _errors_relative_to(pulled.folder):
        yield pulled, Workspace.open(pulled.file, pulled.commit, source.file)


@contextmanager
def _errors_relative_to(folder: str) -> Iterator[None]:
    """Show paths below `folder` from there: where a checkout lies means nothing to people."""
    try:
        yield
    except ReconcileError as error:
        error.what, error.why, error.fix = (
            relative_to(folder, text) for text in (error.what, error.why, error.fix)
        )
        raise


def _plan_or_drift(
    read_only: ReadOnlyGuard, drift: Drift, then: PullAction, *, json: bool
) -> tuple[int, str]:
    """The exit code, and what to print."""
    if then is PullAction.DRIFT:
        code = exit_code_under(drift.plan.hold, drift.exit_code)
        if not json:
            return code, drift_text(drift, style())
        noted = replace(drift, plan=read_only.with_note(drift.plan))
        return code, to_json(drift_document(noted, now=now(), exit_code=code))
    plan = drift.plan
    code = exit_code_under(plan.hold, plan.exit_code(detailed=True))
    if not json:
        return code, plan_text(plan, style())
    return code, to_json(plan_document(read_only.with_note(plan), code, now=now()))


def _unattended_options(max_deletes: int | None) -> ApplyOptions:
    """With a limit on deletions, as no one confirms them."""
    return UNATTENDED if max_deletes is None else replace(UNATTENDED, max_deletes=max_deletes)


def _apply(
    workspace: Workspace,
    host: Host,
    source: RemoteSource,
    pulled: Pulled,
    options: ApplyOptions,
    lock_timeout_s: float,
    *,
    json: bool,
    quiet: bool,
) -> tuple[int, Report]:
    """Apply without asking; a revision that fails is recorded and not tried again."""
    events = event_sink(json=json, checkout=pulled.folder)
    with locked_to_apply(workspace, "pull", timeout_s=lock_timeout_s, on_event=events) as current:
        plan = plan_changes(current)
        silent = quiet and plan.exit_code(detailed=True) == ExitCode.OK
        if not silent:
            events.plan(plan)
        try:
            with events.applying(plan):
                report = apply_plan(
                    current, plan, "reconcile pull", options=options, on_event=events
                )
        except ReconcileError as error:
            record_failure(host, source, pulled.commit, error.what)
            raise
    code = report.exit_code(detailed=False)
    if code != ExitCode.OK:
        record_failure(host, source, pulled.commit, report.error)
    if code != ExitCode.OK or not silent:
        events.end(report, code)
    return code, report


def _command(source: RemoteSource) -> str:
    """The command that applies this source again, without a password or token in its URL."""
    url = _PASSWORD.sub(lambda found: found[1] or "", source.url)
    kind, _, name = source.ref.removeprefix("refs/").partition("/")
    options = {
        "-f": source.file,
        "--tag" if kind == "tags" else "--branch": name,
        "--allowed-signers": source.ssh_signers,
        "--gpg-keys": source.gpg_keys,
    }
    given = [part for name, value in options.items() if value for part in (name, value)]
    unsigned = ["--unsigned"] * source.unsigned
    return shell_command(["reconcile", "pull", url, *given, *unsigned, "--then", "apply"])
