"""The outermost frame of every command: errors as what / why / fix, and the exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

from reconcile.cli.standard_streams import discard, guard_streams, output_failure
from reconcile.cli.terminal import style
from reconcile.errors import ExitCode, ReconcileError
from reconcile.output.error import error_text

DEBUG = "RECONCILE_DEBUG"
NO_WORKING_DIRECTORY = ReconcileError(
    "The working directory no longer exists", "it was removed", "cd to an existing directory."
)
# The parser speaks to programmers.
_PARSER_WORDS = {
    "Input should be a valid integer, unable to parse string as an integer": "use a whole number",
    "Input should be greater than or equal to": "use at least",
}
_TERMINATING = (signal.SIGTERM, signal.SIGHUP)
# Caused by the system, whatever was being done.
_SYSTEM_ERRORS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EROFS)


class TerminatedBySignal(BaseException):
    """A signal asked the process to end; like Ctrl-C it leaves time to clean up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def run_guarded(command: Callable[[], int]) -> int:
    """Return the exit code of `command`; print no traceback, and nothing for a closed pipe."""
    _handle_signals()
    guard_streams()
    code = _exit_code(command)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    failure = output_failure()
    return int(code if failure is None else _report_lost_output(code, failure))


def _exit_code(command: Callable[[], int]) -> int:
    try:
        return command()
    except ReconcileError as error:
        return _print_error(error)
    except TerminatedBySignal as end:
        return 128 + end.number
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        _discard_closed()
        return ExitCode.ERROR
    except Exception as error:  # noqa: BLE001  the one place that reports it
        if hasattr(error, "format_message"):
            return _usage_error(error)
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        if isinstance(error, OSError) and error.errno in _SYSTEM_ERRORS:
            return _system_error(error)
        if isinstance(error, FileNotFoundError) and not _has_working_directory():
            return _print_error(NO_WORKING_DIRECTORY)
        return _internal_error(error)


def _usage_error(error: Exception) -> int:
    """An error of the command line; the parser's own exit code 2 would mean "changes"."""
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(f"{error}\n")
        return ExitCode.OK
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "reconcile"
    what = str(error.format_message())  # type: ignore[attr-defined] # the parser's own errors
    for words, plain in _PARSER_WORDS.items():
        what = what.replace(words, plain)
    return _print_error(ReconcileError(what, "", f"See {command} --help."))


def _report_lost_output(code: int, failure: OSError) -> int:
    """The exit code of a command whose answer did not reach its reader: never a success."""
    why = failure.strerror or str(failure)
    fix = "Send it elsewhere. What the command changed is in `reconcile history`."
    _print_error(ReconcileError("The output could not be written", why, fix))
    return ExitCode.ERROR if code in (ExitCode.OK, ExitCode.CHANGES) else code


def _has_working_directory() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _system_error(error: OSError) -> int:
    # Imports the filesystem, which --help does without.
    from reconcile.filesystem.host_error import host_error

    return _print_error(host_error(f"System error: {error}", error))


def _internal_error(error: Exception) -> int:
    return _print_error(
        ReconcileError(
            f"Internal error: {type(error).__name__}: {error}",
            "This is a bug. The next apply rolls back the changes of an unfinished one.",
            f"Run it again with {DEBUG}=1 and report the output, with the version of reconcile.",
        )
    )


def _print_error(error: ReconcileError) -> int:
    if "--json" in sys.argv:
        _print_document(error)
    text = error_text(error.what, error.why, error.fix, style(sys.stderr))
    try:
        sys.stderr.write(text + "\n")
    except BrokenPipeError:
        discard(sys.stderr)
    return error.exit_code


def _print_document(error: ReconcileError) -> None:
    # Imports pydantic, which --help does without.
    from reconcile.output.json import error_document, to_json

    document = error_document(error.what, error.why, error.fix, error.exit_code)
    try:
        sys.stdout.write(to_json(document) + "\n")
    except BrokenPipeError:
        discard(sys.stdout)


def _discard_closed() -> None:
    """Discard the stream whose reader has gone, so that flushing it at exit succeeds."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            discard(stream)


def _handle_signals() -> None:
    for number in _TERMINATING:
        # nohup ignores SIGHUP on purpose.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise TerminatedBySignal(number)
