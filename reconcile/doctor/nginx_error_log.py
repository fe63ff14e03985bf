"""The last lines of nginx's error logs, parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.system.logs import tail_with_rotated

if TYPE_CHECKING:
    from reconcile.nginx.routing.servers import Server

LOG_BYTES = 256 << 10
"""How much of each log is read, from its end."""

_LINE = re.compile(
    r"^(?P<at>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] "
    r"(?:\d+#\d+: )?(?:\*\d+ )?(?P<message>.*)$"
)
_CALL = re.compile(r'^(?P<call>[a-z_]+\(\)) (?:to )?"?(?P<path>[^"]*?)"? failed \((?P<errno>\d+):')
_SERVER = re.compile(r", server: ([^,]*), request: ")


class ErrorLogLine(NamedTuple):
    """One line of an error log; `path` is "" and `errno` 0 where it has none."""

    log: str
    at: str
    level: str
    message: str
    call: str = ""
    path: str = ""
    errno: int = 0

    @property
    def server(self) -> str:
        """The first name of the server that it is about; "" where it names none."""
        found = _SERVER.search(self.message)
        return found[1] if found else ""

    def is_about(self, server: Server) -> bool:
        """Whether it is about `server`; nginx logs its name without a leading dot.

        Source: ngx_http_core_merge_srv_conf.
        """
        return bool(self.server) and self.server in (name.lstrip(".") for name in server.names)

    @property
    def written_s(self) -> float:
        """The time in seconds since the epoch; a log has local times without a zone."""
        return datetime.strptime(self.at, "%Y/%m/%d %H:%M:%S").timestamp()

    def __str__(self) -> str:
        return f"{self.log}: {self.at} [{self.level}] {self.message}"


def read_error_logs(tree: ConfigTree, main: str) -> tuple[ErrorLogLine, ...]:
    """The last lines of every error log of the configuration, oldest first within a log."""
    named = (one.args[0] for one in tree.written("error_log") if one.args)
    paths = dict.fromkeys([main, *named])
    return tuple(
        line
        for path in paths
        if path.startswith("/") and "$" not in path
        for log, lines in tail_with_rotated(path, LOG_BYTES)
        for line in parse_error_log(log, lines)
    )


def parse_error_log(log: str, lines: Iterable[str]) -> Iterator[ErrorLogLine]:
    """Parse lines of an error log; those in another format are left out."""
    for text in lines:
        if match := _LINE.match(text):
            call = _CALL.match(match["message"])
            yield ErrorLogLine(
                log,
                match["at"],
                match["level"],
                match["message"],
                call["call"] if call else "",
                call["path"] if call else "",
                int(call["errno"]) if call else 0,
            )
