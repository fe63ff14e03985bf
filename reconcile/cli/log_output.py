"""Print the log of readings and effects: -v as text, --log-json as one JSON object per line."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

from reconcile.output.escape import printable
from reconcile.system import Host
from reconcile.system.call_log import LOGGER, log_calls


def start_logging(*, as_json: bool) -> None:
    """Log every call that reaches the host from now on to stderr; JSON wins over text."""
    if LOGGER.handlers and not as_json:
        return
    handler = _StderrHandler(sys.stderr)
    handler.setFormatter(JsonLine() if as_json else TextLine(with_time=not _is_journal()))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.propagate = False
    Host.wrap_part = log_calls


class TextLine(logging.Formatter):
    """The time of day, if the reader does not add it, then call, arguments and outcome."""

    def __init__(self, *, with_time: bool) -> None:
        super().__init__()
        self._with_time = with_time

    def format(self, record: logging.LogRecord) -> str:
        """The line, with control characters escaped."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        line = printable(record.getMessage())
        return f"{time} {line}" if self._with_time else line


class JsonLine(logging.Formatter):
    """An object with the fields of schemas/log.schema.json."""

    def format(self, record: logging.LogRecord) -> str:
        """The object, its time in UTC."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time.replace("+00:00", "Z"), **getattr(record, "call", {})}
        # ASCII, so that any byte of a file name survives any encoding of stderr.
        return json.dumps(fields)


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg] # generic in the stubs only
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Nothing: an apply continues after the reader of its log has gone."""


def _is_journal() -> bool:
    """Whether stderr is connected to the journal, which records the time itself.

    Source: systemd.exec(5), JOURNAL_STREAM.
    """
    try:
        stream = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"
