"""What the configuration on the disk makes of requests, read once for all probes."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.nginx.model.listen import Address
from reconcile.nginx.render.site_config import is_managed
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.loaded_config import find_running, read_loaded
from reconcile.nginx.running.worker_view import WorkerView, worker_account
from reconcile.system.probe_login import authorization, read_password
from reconcile.verify.login import ASKS

if TYPE_CHECKING:
    from reconcile.config.probes import Endpoint
    from reconcile.nginx.routing.route import Route
    from reconcile.system import Host


class Serving:
    """The host's nginx: how it routes, and which workers run. Errors: ReconcileError."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.nginx = discover(host)

    @cached_property
    def router(self) -> Router:
        """Routes by the configuration on the disk."""
        return Router(self.nginx.tree, self.nginx.build.prefix)

    @cached_property
    def files(self) -> WorkerView:
        """The disk as a worker sees it."""
        return WorkerView(self.host, worker_account(self.nginx))

    @cached_property
    def workers(self) -> tuple[int, ...]:
        """The processes that accept connections."""
        now = find_running(self.nginx)
        return tuple(worker.pid for worker in now.workers) if now else ()

    @cached_property
    def is_loaded(self) -> bool:
        """Whether the workers have the configuration on the disk, as far as that is known."""
        now = find_running(self.nginx)
        try:
            return now is None or read_loaded(self.nginx, now).matches_disk(self.nginx)
        except ReconcileError:
            return True

    def route(self, endpoint: Endpoint, address: str, path: str) -> Route:
        """The way of a request to `path` at one address of an endpoint, with its login."""
        request = Request(
            path,
            endpoint.host,
            Address(address, endpoint.port),
            scheme=endpoint.scheme,
            client=address,
            is_logged_in=bool(endpoint.authorization),
        )
        return self.router.route(request, self.files)

    def with_login(self, endpoint: Endpoint, address: str, path: str) -> Endpoint:
        """`endpoint`, with the login of our probes where nginx asks for a password at `path`."""
        answer = self.route(endpoint, address, path).answer
        is_asked = answer.status == 401 and answer.reason.startswith(ASKS)
        return replace(endpoint, authorization=self._login) if is_asked else endpoint

    @cached_property
    def _login(self) -> str:
        password = read_password(self.host)
        return authorization(password) if password else ""

    def is_managed(self, route: Route) -> bool:
        """Whether the location, or the server, that answers stands in a file of reconcile's."""
        scope = route.location or (route.server.scope if route.server else None)
        file = self.nginx.tree.files.get(scope.directive.file) if scope else None
        return file is not None and is_managed(file.data)
