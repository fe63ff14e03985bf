"""A real nginx of our own on free ports, serving a small tree of files that name themselves."""

from __future__ import annotations

import errno
import glob
import http.client
import os
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.request import FileKind, LinkRule, Request
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.router import Router
from tests.support.overlay import OverlayReader

NGINX = os.environ.get("NGINX_BINARY", "/usr/sbin/nginx")

MAIN = """\
pid {prefix}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {prefix}/tmp-body;
    proxy_temp_path {prefix}/tmp-proxy;
    fastcgi_temp_path {prefix}/tmp-fastcgi;
    uwsgi_temp_path {prefix}/tmp-uwsgi;
    scgi_temp_path {prefix}/tmp-scgi;
    include {prefix}/http.conf;
}}
"""


class DiskReader:
    """The reader over the real file system."""

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def glob(self, pattern: str) -> list[str]:
        return sorted(glob.glob(pattern), key=lambda path: path.encode("utf-8", "surrogateescape"))


FILES = [
    *["index.html", "c.css", "d.html", ".env", "a/index.html", "a/c.css", "a/d.html", "a/.env"],
    *[
        "a/b/c.css",
        "a/b/x.txt",
        "b/c.css",
        "b/a/d.html",
        "a b.css",
        "other.htm",
        "e.HTML",
        "ab.css",
    ],
]
"""Each holds its own absolute path."""

STARTUP_LIMIT_S = 5


@dataclass(frozen=True)
class Answered:
    """What a client saw."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.headers if key.lower() == name.lower())

    def one(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


class RealFiles:
    """The disk as a worker that is root sees it."""

    def kind(self, path: str) -> FileKind:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return "missing"
        if stat.S_ISREG(mode):
            return "file"
        return "directory" if stat.S_ISDIR(mode) else "special"

    def link_refusal(self, path: str, rule: LinkRule, start: int) -> None:
        """None of the files is a link."""


@dataclass(frozen=True)
class Running:
    """A configuration that nginx serves, and that our router read."""

    address: Address
    router: Router

    def ask(
        self,
        uri: str,
        host: str = "x.test",
        method: str = "GET",
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answered:
        """The real answer."""
        connection = http.client.HTTPConnection(self.address.host, self.address.port, timeout=10)
        try:
            connection.putrequest(method, uri, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Answered(answer.status, answer.read(), tuple(answer.getheaders()))
        finally:
            connection.close()

    def predict(
        self,
        uri: str,
        host: str = "x.test",
        method: str = "GET",
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Route:
        """Our prediction of it."""
        request = Request(
            uri,
            host=host,
            address=self.address,
            method=method,
            body_length=len(body),
            headers={name.lower(): value for name, value in headers.items()},
            is_stranger=True,
        )
        return self.router.route(request, RealFiles())


def lay_files(prefix: Path) -> None:
    """Make the tree of files below r1/ and r2/."""
    for root in ("r1", "r2"):
        for name in FILES:
            path = prefix / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(path))
        (prefix / root / "empty").mkdir(exist_ok=True)


class Nothing:
    """An empty disk."""

    def read(self, path: str) -> bytes:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

    def glob(self, pattern: str) -> list[str]:
        return []


def overlay(files: Mapping[str, bytes | None]) -> OverlayReader:
    """These files and no others."""
    return OverlayReader(Nothing(), files)


@contextmanager
def running(
    prefix: Path, http_block: str, port: int, host: str = "127.0.0.1", binary: str = NGINX
) -> Iterator[Running | None]:
    """Serve `http_block` (which listens on `port`); None where nginx refuses it."""
    config = prefix / "nginx.conf"
    config.write_text(MAIN.format(prefix=prefix))
    (prefix / "http.conf").write_text(http_block)
    log = prefix / "start.log"
    (prefix / "nginx.pid").unlink(missing_ok=True)
    with log.open("wb") as errors:
        process = subprocess.Popen(
            # A run that is killed takes its nginx along.
            [
                *("setpriv", "--pdeathsig", "KILL", binary),
                *("-p", f"{prefix}/", "-c", str(config), "-e", "stderr"),
                *("-g", "daemon off; master_process off;"),
            ],
            stdout=errors,
            stderr=errors,
        )
    try:
        if not _serves(process, prefix / "nginx.pid"):
            yield None
        else:
            router = Router(load(str(config), DiskReader()), prefix=str(prefix))
            yield Running(Address(host, port), router)
    finally:
        # SIGTERM may fall between nginx's look at its flags and its sleep, and be slept over.
        process.kill()
        process.wait()


def _serves(process: subprocess.Popen[bytes], pid_file: Path) -> bool:
    """Wait for the pid file, which nginx writes once its sockets are open."""
    deadline = time.monotonic() + STARTUP_LIMIT_S
    while time.monotonic() < deadline:
        if pid_file.exists():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    raise TimeoutError("nginx neither starts nor gives up")
