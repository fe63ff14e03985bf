"""Requests that a plan leaves answered as they are, known without routing them.

Of a thousand sites a plan mostly changes one.
"""

from __future__ import annotations

from reconcile.errors import ReconcileError
from reconcile.impact.changed_paths import ChangedPaths
from reconcile.impact.queried_paths import QueriedPaths
from reconcile.impact.response_diff import SampleRequest
from reconcile.nginx.model.listen import Address
from reconcile.nginx.model.tree_difference import TreeDifference
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.served_paths import ServedPaths
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.running.worker_view import WithAssumedFiles, WorkerView


class UnchangedAnswers:
    """The answers of servers that are the same before and after, and of unchanged files."""

    def __init__(
        self,
        before: Router,
        after: Router,
        difference: TreeDifference,
        served: ServedPaths,
        changed: ChangedPaths,
        files: WorkerView,
    ) -> None:
        self._before, self._after = before, after
        self._difference, self._served, self._changed = difference, served, changed
        self._files = files
        self._touches: dict[str, bool] = {}
        self._has_same_server: dict[tuple[Address, str], bool] = {}
        self._same_servers: dict[tuple[Server, Server], bool] = {}

    def include(self, sample: SampleRequest) -> bool:
        """Whether the sample is surely answered as before, at each of its addresses."""
        try:
            return all(map(self._is_answered_alike, sample.requests)) and not any(
                map(self._may_change, self._queried_paths(sample))
            )
        except Indeterminate:
            return False

    def _queried_paths(self, sample: SampleRequest) -> set[str]:
        """The paths on which the answers depend; links may lead out of the folders served."""
        found = QueriedPaths(WithAssumedFiles(self._files, sample.assumed_files))
        for request in sample.requests:
            self._before.route(request, found)
        return found.paths

    def _may_change(self, path: str) -> bool:
        if path not in self._touches:
            try:
                self._touches[path] = self._changed.touch_way(self._files.walk(path))
            except ReconcileError:
                # What cannot be examined may lead anywhere.
                self._touches[path] = True
        return self._touches[path]

    def _is_answered_alike(self, request: Request) -> bool:
        key = request.address, request.host
        if key not in self._has_same_server:
            self._has_same_server[key] = self._finds_same_server(*key)
        return self._has_same_server[key] and self._is_read_alike(request)

    def _finds_same_server(self, address: Address, host: str) -> bool:
        was, now = (one.servers.find(address, host) for one in (self._before, self._after))
        is_same_way = (was.why, was.listen) == (now.why, now.listen)
        return is_same_way and self._is_same_server(was.server, now.server)

    def _is_read_alike(self, request: Request) -> bool:
        """Whether the server that reads the request line, before the Host header, is the same."""
        was, now = (one.servers.default(request.address) for one in (self._before, self._after))
        is_same = was is not None and now is not None and self._is_same_server(was, now)
        return is_same or self._before.takes_alike(request, self._after)

    def _is_same_server(self, was: Server, now: Server) -> bool:
        if (was, now) not in self._same_servers:
            block = was.scope.directive
            self._same_servers[was, now] = self._difference.is_same_server(
                block, now.scope.directive
            ) and not any(map(self._changed.touch, self._served.of(block)))
        return self._same_servers[was, now]
