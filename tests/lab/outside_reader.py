"""pytest-testinfra on a test host: its commands go through the host's namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

if TYPE_CHECKING:
    from tests.lab.debian import DebianHost


class NamespaceBackend(BaseBackend):
    """testinfra's way into a DebianHost."""

    NAME = "namespace"

    def __init__(self, target: DebianHost) -> None:
        super().__init__(target.id)
        self._target = target

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        line = self.get_command(command, *args)
        done = self._target.run("/bin/sh", "-c", line, check=False)
        return self.result(done.returncode, line.encode(), done.stdout, done.stderr)


def testinfra_host(target: DebianHost) -> Host:
    """The testinfra host that reads `target`."""
    backend = NamespaceBackend(target)
    host = Host(backend)
    backend.set_host(host)
    return host
