"""The last line: whatever happens, a person gets what / why / fix and a script its exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from reconcile.cli.terminal import forget_stdout, style
from reconcile.errors import ExitCode, ReconcileError

DEBUG = "RECONCILE_DEBUG"
_ENDING = (signal.SIGTERM, signal.SIGHUP)
# Whatever was being done, the machine is at fault.
_MACHINE = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EROFS)


class Ended(BaseException):
    """Asked to end by a signal; like Ctrl-C it leaves time to clean up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def guarded(command: Callable[[], int]) -> int:
    """The exit code of `command`; no traceback, no noise on a closed pipe."""
    _listen_to_signals()
    for stream in (sys.stdout, sys.stderr):
        # Another encoding than UTF-8 must not make a message fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = _outcome(command)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()
    return int(code)


def _outcome(command: Callable[[], int]) -> int:
    try:
        return command()
    except ReconcileError as error:
        return _told(error.what, error.why, error.fix, error.exit_code)
    except Ended as end:
        return 128 + end.number
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        forget_stdout()
        return ExitCode.ERROR
    except Exception as error:  # noqa: BLE001  it is told, in the one place for it
        _trace(error)
        if isinstance(error, OSError) and error.errno in _MACHINE:
            return _refused(error)
        return _unexpected(error)


def _trace(error: Exception) -> None:
    if os.environ.get(DEBUG) and not hasattr(error, "format_message"):
        import traceback

        traceback.print_exception(error)


def _refused(error: OSError) -> int:
    from reconcile.filesystem.host_error import host_error

    told = host_error(f"The machine refused a call: {error}", error)
    return _told(told.what, told.why, told.fix, told.exit_code)


def _unexpected(error: Exception) -> int:
    if hasattr(error, "format_message"):
        return _misused(error)
    return _told(
        f"reconcile met a fault of its own: {type(error).__name__}: {error}",
        "This is a bug. Changes of an unfinished apply are rolled back by the next one.",
        f"Run it again with {DEBUG}=1 and report what it prints, with the version of reconcile.",
        ExitCode.ERROR,
    )


def _misused(error: Exception) -> int:
    """A usage error of the command line; its own exit code 2 would say "changes"."""
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(f"{error}\n")
        return ExitCode.OK
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "reconcile"
    what = str(error.format_message())  # type: ignore[attr-defined] # the parser's own errors
    return _told(what, "", f"See {command} --help.", ExitCode.ERROR)


def _told(what: str, why: str, fix: str, code: ExitCode) -> int:
    from reconcile.output.error import error_text

    if "--json" in sys.argv:
        _print_document(what, why, fix, code)
    sys.stderr.write(error_text(what, why, fix, style(sys.stderr)) + "\n")
    return code


def _print_document(what: str, why: str, fix: str, code: ExitCode) -> None:
    from reconcile.output.json import dumped, error_document

    try:
        sys.stdout.write(dumped(error_document(what, why, fix, code)) + "\n")
    except BrokenPipeError:
        forget_stdout()


def _listen_to_signals() -> None:
    for number in _ENDING:
        # nohup has it ignored, and means it.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)
