"""nginx: what it has loaded, what its files declare, how it answers; each is read once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from posixpath import normpath
from typing import TYPE_CHECKING

from reconcile.doctor.nginx_error_log import ErrorLogLine, read_error_logs
from reconcile.doctor.request_builder import RequestBuilder
from reconcile.nginx.routing.content import ADMITTING
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import PathKinds, Request
from reconcile.nginx.routing.route import Answer, Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped
from reconcile.nginx.running.config_test import ConfigTest
from reconcile.nginx.running.discover import NginxInstallation, discover
from reconcile.nginx.running.foreign_code import NotRunAsRoot, refuse_foreign
from reconcile.nginx.running.loaded_config import RunningNginx, find_running
from reconcile.nginx.running.worker_view import WithAssumedFiles, WorkerView, worker_account
from reconcile.system.accounts import Account

if TYPE_CHECKING:
    from reconcile.doctor.location_mapping import LocationMapping
    from reconcile.nginx.model.config_tree import ConfigTree
    from reconcile.nginx.running.config_test import NginxError
    from reconcile.system import Host

TOO_LARGE = "client intended to send too large body"
"""Of a request, in nginx's error log."""


class NginxReadings:
    """The nginx of a host.

    Errors: each member raises ReconcileError or OSError where it cannot be read.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    @cached_property
    def installation(self) -> NginxInstallation:
        """The program, its build and its files."""
        return discover(self._host)

    @property
    def tree(self) -> ConfigTree:
        """The configuration on the disk."""
        return self.installation.tree

    @cached_property
    def router(self) -> Router:
        """The simulation of nginx with that configuration."""
        return Router(self.tree, prefix=self.installation.build.prefix)

    @cached_property
    def requests(self) -> RequestBuilder:
        """Requests that are certain to reach a given server."""
        return RequestBuilder(self.router.servers)

    @cached_property
    def running(self) -> RunningNginx | None:
        """The processes of nginx; None where it does not run."""
        return find_running(self.installation)

    @cached_property
    def config_error(self) -> NginxError | None:
        """What `nginx -t` reports for the configuration on the disk.

        Errors: NotRunAsRoot where root would obey what somebody else can write.
        """
        refuse_foreign(self.installation)
        return ConfigTest(self.installation, {}).run()[0]

    @property
    def is_accepted(self) -> bool:
        """Whether nginx accepts the configuration on the disk, as far as that is known."""
        try:
            return self.config_error is None
        except NotRunAsRoot:
            return False

    @cached_property
    def worker(self) -> Account:
        """The account of the workers."""
        return worker_account(self.installation)

    @cached_property
    def disk(self) -> WorkerView:
        """The files as the workers can access them."""
        return WorkerView(self._host, self.worker)

    def disk_with(self, path: str) -> WithAssumedFiles:
        """The disk as if the file `path` existed."""
        return WithAssumedFiles(self.disk, {normpath(path)})

    @cached_property
    def error_lines(self) -> tuple[ErrorLogLine, ...]:
        """The last lines of every error log."""
        return read_error_logs(self.tree, self.installation.layout.error_log)

    @cached_property
    def rejected_uploads(self) -> tuple[ErrorLogLine, ...]:
        """Those about a request that was too large, the last one first."""
        return tuple(line for line in reversed(self.error_lines) if TOO_LARGE in line.message)

    def route(
        self,
        server: Server,
        uri: str,
        files: PathKinds | None = None,
        host: str = "",
        *,
        prefers_tls: bool = False,
    ) -> Route | None:
        """How `server` answers a visitor; None where other servers have all of its names.

        Errors: Indeterminate where the answer cannot be predicted: unknown is never correct.
        """
        request = self.requests.request(server, uri, host, prefers_tls=prefers_tls)
        return self.route_request(request, files) if request else None

    def try_route(self, server: Server, uri: str) -> Route | None:
        """As `route`, but None where the answer cannot be predicted."""
        try:
            return self.route(server, uri)
        except Indeterminate:
            return None

    def route_to_file(self, mapping: LocationMapping, name: str) -> Route | None:
        """How a visitor gets the file `name` of a location, as if it existed.

        None where visitors cannot request files of the location. Errors: as `route`.
        """
        if mapping.is_internal or not mapping.prefix.endswith("/"):
            return None
        disk = self.disk_with(mapping.folder + name)
        return self.route(mapping.server, mapping.prefix + escaped(name), disk, mapping.host)

    def route_request(self, request: Request, files: PathKinds | None = None) -> Route:
        """How `request` is answered, to a visitor whom no app or module has let in.

        Errors: Indeterminate where that cannot be predicted.
        """
        route = self.predict(request, files)
        if route.answer.kind == "unknown":
            raise Indeterminate(f"{request.uri}: {route.answer.reason}")
        return route

    def predict(self, request: Request, files: PathKinds | None = None) -> Route:
        """The same; what cannot be predicted has the answer `unknown`."""
        return _without_login(self.router.route(request, files or self.disk))


def _without_login(route: Route) -> Route:
    """Where another service decides who is let in, a visitor without its login is not."""
    reason = route.answer.reason
    if route.answer.kind == "unknown" and reason.removesuffix(" decides") in ADMITTING:
        return replace(route, answer=Answer("error", 401, reason=reason))
    return route
