"""Checks that visitors get the bytes that lie on the disk, whichever worker answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from reconcile.config.probes import FilesProbe
from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.verify.byte_causes import cause
from reconcile.verify.compare_bytes import Mismatch, mismatch
from reconcile.verify.disk_file import (
    MOST_CHANGED,
    choose_files,
    file_path,
    read_disk_file,
    url_path,
)
from reconcile.verify.http_probe import ProbeClient, check_name, target_of
from reconcile.verify.serving import Serving
from reconcile.verify.worker_connections import WorkerConnections, worker_connections
from reconcile.wording import counted, first_few

if TYPE_CHECKING:
    from reconcile.nginx.routing.route import Route

LONGEST_S = 10.0
"""How long the files of one location may take over one address."""
SHOWN = 3


def check_files(
    probe: FilesProbe, serving: Callable[[], Serving], client: ProbeClient
) -> tuple[Check, ...]:
    """One check for each address: every worker sends each file as it lies on the disk."""
    checks = (
        client.retry_until_ok(partial(_check_address, probe, serving, client, address))
        for address in probe.endpoint.addresses
    )
    return (*checks, *_beyond_the_cap(probe))


def _beyond_the_cap(probe: FilesProbe) -> Iterator[Check]:
    """A skipped check for the files that an apply wrote and that are not compared."""
    if probe.changed is None:
        return
    chosen = choose_files(probe)
    if chosen.left_out:
        detail = f"{counted(chosen.left_out, 'file')} more: at most {MOST_CHANGED} are compared"
        yield Check(f"{probe.name}, the rest", "skipped", detail)


def _check_address(
    probe: FilesProbe, serving: Callable[[], Serving], client: ProbeClient, address: str
) -> Check:
    name = check_name(probe.name, address)
    try:
        return _Comparison(probe, serving(), client, address).check(name)
    except ReconcileError as error:
        return Check(name, "unknown", in_one_line(error))
    except OSError as error:
        # Whether it should exist, and who may read it, is for the plan.
        return Check(name, "skipped", f"{probe.dir}: {error.strerror or error}")


class _Refused(Exception):
    """The configuration refuses the request on purpose."""


@dataclass
class _Comparison:
    probe: FilesProbe
    serving: Serving
    client: ProbeClient
    address: str
    compared: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, name: str) -> Check:
        """Compare the chosen files. Errors: ReconcileError, OSError."""
        chosen = choose_files(self.probe)
        endpoint = self.probe.endpoint
        target = target_of(endpoint, self.address)
        workers, timeout_s = self.serving.workers, self.client.timeout_s
        with worker_connections(target, workers, timeout_s=timeout_s) as pool:
            if not pool.connections:
                return self._unconnected(name)
            try:
                in_time = self._compare(chosen.paths, pool)
            except _Refused as refusal:
                return Check(name, "skipped", str(refusal))
        if self.wrong:
            return self._failed(name)
        if not self.compared:
            return Check(name, "pass", "there is no file yet")
        note = chosen.note if in_time else f"{self.compared} of {chosen.note} in {LONGEST_S:g} s"
        detail = f"{note}, plain and compressed, {pool.description}".strip(", ")
        return Check(name, "pass", detail, warning=not in_time)

    def _failed(self, name: str) -> Check:
        detail = first_few(self.wrong, SHOWN)
        if self.probe.is_adopted:
            return Check(name, "pass", detail, warning=True)
        return Check(name, "fail", detail)

    def _unconnected(self, name: str) -> Check:
        """The reason is that of an ordinary request."""
        answer = self.client.get(self.probe.endpoint, self.address, self.probe.prefix)
        if answer.error == "no_such_family":
            return Check(name, "skipped", "this host has no such address family")
        return Check(name, "fail", f"no response: {answer.detail or answer.error}")

    def _compare(self, paths: Iterable[str], pool: WorkerConnections) -> bool:
        """Compare each file over every connection; whether there was time for all."""
        deadline = time.monotonic() + LONGEST_S
        for path in paths:
            if time.monotonic() > deadline or self.client.cancelled.is_set():
                return False
            self._compare_file(path, pool)
        return True

    def _compare_file(self, path: str, pool: WorkerConnections) -> None:
        url, absolute = url_path(self.probe, path), file_path(self.probe, path)
        route = self.serving.route(self.probe.endpoint, self.address, url)
        is_sent = route.answer.kind == "file" and route.answer.path == absolute
        if not is_sent and self._is_on_purpose(route):
            return
        file = read_disk_file(self.serving.host, absolute)
        if file is None:
            return
        self.compared += 1
        for connection in pool.connections:
            found = mismatch(connection, url, file, compresses=self.probe.compresses)
            if found:
                # Users add and remove uploads at any time; the next run compares what is new.
                if read_disk_file(self.serving.host, absolute) == file:
                    self._note(found, route, url, absolute)
                return

    def _is_on_purpose(self, route: Route) -> bool:
        """Whether the site answers otherwise by its own `extra`, its adopted file, or a mode."""
        if self.probe.uploads and route.answer.reason == "denied":
            return True
        is_other = route.location is not None and route.location.name != self.probe.prefix
        return self.probe.is_adopted or (is_other and self.serving.is_managed(route))

    def _note(self, found: Mismatch, route: Route, url: str, absolute: str) -> None:
        refusal = dict(self.probe.refusals).get(found.response.status)
        if refusal:
            raise _Refused(f"{found.response.status}, as configured: {refusal}")
        why = cause(found, route, absolute, self.serving)
        compressed = " compressed" if found.form == "compressed" else ""
        self.wrong.append(f"{url}{compressed}: {found.what}{f' ({why})' if why else ''}")


def with_changed(probe: FilesProbe, paths: Iterable[str]) -> FilesProbe | None:
    """The probe of those of the absolute `paths` that it serves; None where there are none."""
    below = probe.dir.rstrip("/") + "/"
    changed = tuple(path.removeprefix(below) for path in paths if path.startswith(below))
    if not changed:
        return None
    name = probe.name.replace("what is on the disk", "what this apply wrote")
    return replace(probe, name=name, changed=changed)
