"""Which paths nginx queries for a request."""

from __future__ import annotations

from reconcile.nginx.routing.request import FileKind, LinkRefusal, LinkRule, PathKinds


class QueriedPaths:
    """Another view that remembers which paths were queried."""

    def __init__(self, files: PathKinds) -> None:
        self._files = files
        self.paths: set[str] = set()

    def kind(self, path: str) -> FileKind:
        """See `PathKinds.kind`."""
        self.paths.add(path)
        return self._files.kind(path)

    def link_refusal(self, path: str, rule: LinkRule, start: int) -> LinkRefusal | None:
        """See `PathKinds.link_refusal`."""
        self.paths.add(path)
        return self._files.link_refusal(path, rule, start)
