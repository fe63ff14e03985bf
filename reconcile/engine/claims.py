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
        """The desired resource that claims `path`, None where nothing does.

        Of several at one path that which is the path itself, as a directory is and its tree is not.
        """
        for name in (path, *ancestors(path)) if path.startswith("/") else ():
            named = self._by_name.get(name, ())
            claiming = [resource for resource in named if resource.claims(path, self._host)]
            if claiming:
                return next((one for one in claiming if one.form), claiming[0])
        return None
