"""What nginx and the apps have complained of lately: the ends of their logs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from reconcile.errors import ReconcileError
from reconcile.nginx.model.tree import ConfigTree, Directive
from reconcile.system.logs import recent, tail

if TYPE_CHECKING:
    from reconcile.doctor.units import UnitView
    from reconcile.nginx.routing.servers import Server
    from reconcile.system import Host

LOG_BYTES = 256 << 10
"""How much of each log is read, from its end."""
JOURNAL_LINES = 400

_LINE = re.compile(
    r"^(?P<at>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] "
    r"(?:\d+#\d+: )?(?:\*\d+ )?(?P<said>.*)$"
)
_CALL = re.compile(r'^(?P<call>[a-z_]+\(\)) (?:to )?"?(?P<path>[^"]*?)"? failed \((?P<errno>\d+):')
_SERVER = re.compile(r", server: ([^,]*), request: ")


class LogLine(NamedTuple):
    """One line of an error log; `path` and `errno` are "" and 0 where it names none."""

    log: str
    at: str
    level: str
    said: str
    call: str = ""
    path: str = ""
    errno: int = 0

    @property
    def server(self) -> str:
        """The first name of the server that it is about, "" where it is about none."""
        found = _SERVER.search(self.said)
        return found[1] if found else ""

    def is_about(self, server: Server) -> bool:
        """Source: ngx_http_core_merge_srv_conf; a dot before a name is not shown."""
        return bool(self.server) and self.server in (name.lstrip(".") for name in server.names)

    @property
    def written_s(self) -> float:
        """When, in seconds since the epoch; its times are those of this machine, without a zone."""
        from datetime import datetime

        return datetime.strptime(self.at, "%Y/%m/%d %H:%M:%S").timestamp()

    def __str__(self) -> str:
        return f"{self.log}: {self.at} [{self.level}] {self.said}"


def read_error_logs(tree: ConfigTree, main: str) -> tuple[LogLine, ...]:
    """The last lines of every error log of the configuration, oldest first within a log."""
    paths = dict.fromkeys([main, *_written(tree.directives, tree)])
    return tuple(
        line
        for path in paths
        if path.startswith("/") and "$" not in path
        for log, lines in recent(path, LOG_BYTES)
        for line in parsed(log, lines)
    )


def parsed(log: str, lines: Iterable[str]) -> Iterator[LogLine]:
    """Lines of an error log; what is none of nginx's is left out."""
    for text in lines:
        if match := _LINE.match(text):
            call = _CALL.match(match["said"])
            yield LogLine(
                log,
                match["at"],
                match["level"],
                match["said"],
                call["call"] if call else "",
                call["path"] if call else "",
                int(call["errno"]) if call else 0,
            )


def _written(directives: Iterable[Directive], tree: ConfigTree) -> Iterator[str]:
    for directive in directives:
        if directive.block is not None and directive.name in ("http", "server", "location"):
            yield from _written(tree.children(directive), tree)
        elif directive.name == "error_log" and directive.args:
            yield directive.args[0]


def read_journal(host: Host, unit: UnitView) -> tuple[str, ...]:
    """The last lines that a unit's present run has logged, oldest first."""
    from reconcile.system.services import checked

    if host.settings.service_manager == "process":
        return tail(f"{host.settings.state_dir}/log/{checked(unit.name)}.log", LOG_BYTES)
    return _journal(host, unit)


def journal_since(host: Host, unit: UnitView, since_s: float) -> tuple[str, ...]:
    """Those of the last lines that a unit has logged since then; seconds since the epoch."""
    return _journal(host, unit, f"--since=@{int(since_s)}")


def _journal(host: Host, unit: UnitView, *options: str) -> tuple[str, ...]:
    run = unit.properties.get("InvocationID")
    if not run or host.commands.find("journalctl") is None:
        return ()
    _refuse_blind(host, unit)
    done = host.commands.run(
        (
            "journalctl",
            "--quiet",
            "--no-pager",
            "--output=cat",
            f"--lines={JOURNAL_LINES}",
            *options,
            f"_SYSTEMD_INVOCATION_ID={run}",
        ),
        timeout_s=10,
    )
    return tuple(done.stdout.splitlines())


def _refuse_blind(host: Host, unit: UnitView) -> None:
    """Whoever may not read the journal is shown an empty one. Source: journalctl(1), access."""
    patterns = ("/run/log/journal/*/system.journal", "/var/log/journal/*/system.journal")
    journals = [path for pattern in patterns for path in host.files.glob(pattern)]
    me = host.accounts.current
    if journals and not any(host.files.access(path, me).can_read for path in journals):
        raise ReconcileError(
            what=f"The journal of {unit.name} cannot be read",
            why=f"{me.name} is in none of its groups (systemd-journal, adm). Run it with sudo.",
        )
