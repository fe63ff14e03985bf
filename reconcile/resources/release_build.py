"""Making the folder of a release: its source is copied, then its steps run in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic

from reconcile.engine.step_output import StepOutput
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.filesystem.path import ancestors_top_down
from reconcile.resources.release import Release, ReleaseStep, refuse_untrusted
from reconcile.system import Host
from reconcile.system.hidden_values import secret_values
from reconcile.system.services.process.environment_file import parse_environment
from reconcile.system.step_run import StepFailed, StepRun, run_step, stop_steps
from reconcile.wording import counted

OnNote = Callable[[str], None]
OnStep = Callable[[StepOutput], None]
LOG_BYTES = 1 << 20
"""Of the output of each step that is kept."""


def build_release(release: Release, host: Host, on_note: OnNote, on_step: OnStep) -> None:
    """Make the folder: copy the source, run each step in it, then make it read-only.

    It is used by nobody, so nothing undoes it: what is incomplete is made again, and removed
    at once where this fails. `on_step` gets each step that has ended, the one that failed too.
    Errors: StepFailed with the last lines of the step; HostError.
    """
    stop_steps(host, release.site)
    uid, gid = _account(release, host)
    listing = host.files.release_listing(release.source, release.excluded)
    if host.files.release_content(listing) != release.content:
        raise ChangedSincePlan(release.source, "another process wrote there, such as a build")
    _make_parents(release, host)
    _make_writable(release, host, uid, gid)
    on_note(f"Release {release.id} of {release.site}: copying {counted(release.files, 'file')}.")
    with _removed_on_failure(release, host):
        host.files.fill_release(release.path, listing, uid, gid)
        _run_steps(release, host, on_note, on_step)
        host.files.seal_release(release.path, uid, gid)


@contextmanager
def _removed_on_failure(release: Release, host: Host) -> Iterator[None]:
    """It may have filled the disk on which the version in use writes."""
    try:
        yield
    except (ReconcileError, OSError):
        # What cannot be removed now is made anew by the next apply.
        with suppress(ReconcileError, OSError):
            host.files.remove_release(release.path)
        raise


def _make_parents(release: Release, host: Host) -> None:
    """The folders above, which nobody else may be able to exchange. Errors: HostError."""
    _make_above(host, release.path)
    refuse_untrusted(host, release.path)


def _make_above(host: Host, path: str) -> None:
    me = host.accounts.current
    for folder in ancestors_top_down(path):
        if host.files.stat(folder, follow=True) is None:
            host.files.mkdir(folder, uid=me.uid, gid=me.gid, mode=0o755)


def _make_writable(release: Release, host: Host, uid: int, gid: int) -> None:
    """What the steps may write beside the release, such as the folder of a database."""
    for path in release.writable:
        if host.files.stat(path, follow=True) is None:
            _make_above(host, path)
            host.files.mkdir(path, uid=uid, gid=gid, mode=0o755)


def _account(release: Release, host: Host) -> tuple[int, int]:
    if release.user is None:
        me = host.accounts.current
        return me.uid, me.gid
    account = host.accounts.user(release.user)
    return account.uid, account.gid


def _run_steps(release: Release, host: Host, on_note: OnNote, on_step: OnStep) -> None:
    log, secrets = b"", _secrets(release, host)
    for number, step in enumerate(release.commands, 1):
        on_note(
            f"Release {release.id} of {release.site}: step {number} of {len(release.commands)}:"
            f" {step.text}"
        )
        run, began = _step_run(release, number, step, secrets), monotonic()
        ended = partial(StepOutput.of, str(release.ref), release.id or "", step.text)
        try:
            output = run_step(host, run)
        except StepFailed as error:
            why = error.why.partition("\n")[0]
            on_step(ended(monotonic() - began, error.output, why))
            host.state.write(release.log, log + error.output[-LOG_BYTES:])
            raise _step_failure(release, error, number, host.state.path_of(release.log)) from None
        on_step(ended(monotonic() - began, output))
        log += f"$ {step.text}\n".encode() + output[-LOG_BYTES:]
        host.state.write(release.log, log)


def _step_run(
    release: Release, number: int, step: ReleaseStep, secrets: frozenset[bytes]
) -> StepRun:
    return StepRun(
        release.site,
        number,
        step.argv,
        release.path,
        step.timeout_s,
        release.user,
        release.environment,
        release.environment_file,
        step.properties,
        secrets,
    )


def _secrets(release: Release, host: Host) -> frozenset[bytes]:
    """What no output shows: the values of the environment file."""
    found = host.files.content(release.environment_file) if release.environment_file else None
    text = found[1].decode("utf-8", "surrogateescape") if found else ""
    return secret_values(parse_environment(text))


def _step_failure(release: Release, error: StepFailed, number: int, log: str) -> StepFailed:
    step = release.commands[number - 1]
    ran = [one for one in release.commands[:number] if one.irreversible]
    left = "".join(f" `{one.text}` has run, and cannot be undone." for one in ran)
    error.what = f"Step {number} of release {release.id} of {release.site} failed: {step.text}"
    error.fix = (
        f"Correct it, then apply again; {log} has its output."
        f" Visitors still get the old version.{left}"
    )
    return error
