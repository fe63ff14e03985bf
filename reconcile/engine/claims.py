"""Which paths the desired resources hold: a removal takes nothing that one of them holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.filesystem.path import ancestors

if TYPE_CHECKING:
    from reconcile.engine.model import Desired
    from reconcile.engine.resource import Resource
    from reconcile.system import Host


class Claims:
    """The claims of `desired`, asked about one path at a time."""

    def __init__(self, desired: Desired, host: Host) -> None:
        self._host = host
        self._by_name: dict[str, list[Resource]] = {}
        for item in desired.values():
            self._by_name.setdefault(item.resource.name, []).append(item.resource)

    def holder(self, path: str) -> Resource | None:
        """The desired resource that claims `path`, None where nothing does."""
        for name in (path, *ancestors(path)) if path.startswith("/") else ():
            for resource in self._by_name.get(name, ()):
                if resource.claims(path, self._host):
                    return resource
        return None
