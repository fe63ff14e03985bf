"""No traceback reaches a user, and every end has its exit code."""

from __future__ import annotations

import errno
import signal

import pytest

from reconcile.cli.error_boundary import TerminatedBySignal, run_guarded
from reconcile.errors import LockHeld, ReconcileError, StalePlan
from tests.support.command import Run

pytestmark = pytest.mark.process


def raising(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ReconcileError("what", "why", "fix"), 1),
        (LockHeld("what"), 4),
        (StalePlan("what"), 5),
        (KeyboardInterrupt(), 130),
        (TerminatedBySignal(signal.SIGTERM), 143),
        (ValueError("a fault of ours"), 1),
        (RecursionError(), 1),
        (MemoryError(), 1),
    ],
)
def test_every_way_to_end_has_its_exit_code(error: BaseException, code: int) -> None:
    assert code == run_guarded(lambda: raising(error))


def test_an_internal_error_is_reported_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_guarded(lambda: raising(ValueError("\x1b[2Jodd")))

    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert r"Internal error: ValueError: \x1b[2Jodd" in message
    assert "RECONCILE_DEBUG=1" in message


def test_an_error_of_the_machine_is_not_an_internal_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = run_guarded(lambda: raising(OSError(errno.EMFILE, "Too many open files")))

    message = capsys.readouterr().err
    assert (1, True) == (code, message.startswith("Error: System error: "))
    assert "  why: this process has too many open files\n" in message
    assert "  fix: Raise the limit of open files (ulimit -n).\n" in message


def test_the_traceback_is_there_for_who_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_DEBUG", "1")

    run_guarded(lambda: raising(ValueError("odd")))

    assert "Traceback" in capsys.readouterr().err


def test_what_why_and_fix_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    run_guarded(lambda: raising(ReconcileError("It broke", "of age", "Buy another.")))

    output = capsys.readouterr()
    assert ("", "Error: It broke\n  why: of age\n  fix: Buy another.\n") == (
        output.out,
        output.err,
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("history", "show", "last"), "Invalid value for 'N': use a whole number"),
        (("rollback", "--to", "-1"), "Invalid value for '--to': use at least 0"),
    ],
)
def test_a_bad_number_is_reported_in_plain_words(
    run: Run, arguments: tuple[str, ...], shown: str
) -> None:
    done = run(*arguments)

    assert (1, f"Error: {shown}") == (done.returncode, done.stderr.splitlines()[0])
