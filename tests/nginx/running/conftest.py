"""A real nginx of our own for each test, in a folder of its own, on free ports."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple

import pytest

from reconcile.config.context import CompileContext, SiteContext
from reconcile.config.load import load_bytes
from reconcile.config.site.site_probes import site_probes
from reconcile.engine.model import Check
from reconcile.nginx.render.site_config import render_site
from reconcile.nginx.render.site_view import ListenView, LocationView, SiteView, TlsView
from reconcile.resources.file import File
from reconcile.system import Host, HostSettings
from reconcile.system.processes import workers
from reconcile.verify.configured_responses import as_configured
from reconcile.verify.run_probes import run_probes
from tests.support.host_facts import HOST
from tests.support.ports import free_port
from tests.support.wait import wait_for

NGINX = "/usr/sbin/nginx"

WORKERS = 2
MAIN = """
user www-data;
worker_processes {workers};
pid {root}/run/nginx.pid;
error_log {root}/log/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {root}/log/access.log;
    client_body_temp_path {root}/tmp/body;
    proxy_temp_path {root}/tmp/proxy;
    fastcgi_temp_path {root}/tmp/fastcgi;
    uwsgi_temp_path {root}/tmp/uwsgi;
    scgi_temp_path {root}/tmp/scgi;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    # What a foreign http block may hold, and our locations must not inherit.
    expires 1h;
    autoindex on;
    {http}
    include {root}/etc/sites-enabled/*;
}}
"""


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Answer:
    status: int
    headers: Message
    body: bytes

    def all(self, name: str) -> list[str]:
        return self.headers.get_all(name) or []


@dataclass
class Nginx:
    """nginx under `root`: etc/, log/, run/, tmp/."""

    root: Path
    http: str = ""
    binary: str = NGINX
    started: bool = field(default=False, init=False)

    @property
    def config(self) -> Path:
        return self.root / "etc/nginx.conf"

    @property
    def master(self) -> int:
        return int((self.root / "run/nginx.pid").read_text())

    def lay_out(self) -> None:
        for name in ("etc/sites-enabled", "etc/sites-available", "log", "run", "tmp"):
            (self.root / name).mkdir(parents=True)
        self.config.write_text(MAIN.format(root=self.root, http=self.http, workers=WORKERS))

    def site(self, name: str, text: bytes | str) -> Path:
        data = text.encode() if isinstance(text, str) else text
        path = self.root / f"etc/sites-enabled/{name}.conf"
        path.write_bytes(data)
        return path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.binary, "-c", str(self.config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def start(self) -> None:
        result = self.run()
        assert (0, "") == (result.returncode, result.stderr)
        self.started = True
        self.wait_for_pid()
        # A worker has its title only when it runs: one without is not found yet.
        wait_for(lambda: len(workers(self.master)) == WORKERS, "nginx's workers")

    def wait_for_pid(self) -> None:
        """Until nginx has written its pid: it opens the file first."""
        pid_file = self.root / "run/nginx.pid"
        wait_for(lambda: pid_file.exists() and pid_file.read_text().strip(), "nginx's pid")

    def stop(self) -> None:
        pid_file = self.root / "run/nginx.pid"
        if self.started and pid_file.exists():
            os.kill(self.master, signal.SIGTERM)
            wait_for(lambda: not pid_file.exists(), "nginx to stop")

    def error_log(self) -> str:
        return (self.root / "log/error.log").read_text()


class _App(BaseHTTPRequestHandler):
    """The app: /x-accel/NAME sends the private file NAME through nginx, /status/404 an error."""

    def do_GET(self) -> None:
        is_status = self.path.startswith("/status/")
        self.send_response(int(self.path.removeprefix("/status/")) if is_status else 200)
        if self.path.startswith("/x-accel/"):
            self.send_header(
                "X-Accel-Redirect", "/protected/" + self.path.removeprefix("/x-accel/")
            )
        self.send_header("X-Served-By", "app")
        self.end_headers()
        if is_status:
            self.wfile.write(b"own page")
            return
        wanted = (
            *("Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"),
            "X-Tenant",
        )
        self.wfile.write("\n".join(f"{n}={self.headers[n]}" for n in wanted).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        """Nginx hangs up on an upload that is too large; that is no news."""


@dataclass
class World:
    """One site of ours behind a real nginx, with files to ask for."""

    nginx: Nginx
    root: Path
    port: int
    tls_port: int
    view: SiteView

    def write(self, **changes: object) -> Path:
        self.view = replace(self.view, **changes)
        return self.nginx.site("myapp", render_site(self.view, "1.22.1"))

    def serve(self, **changes: object) -> None:
        self.write(**changes)
        self.nginx.start()

    def ask(
        self,
        target: str,
        method: str = "GET",
        *,
        body: bytes | None = None,
        port: int | None = None,
        headers: dict[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> Answer:
        """One raw request on a fresh connection; `target` goes out as it is."""
        port = port or self.port
        if port == self.tls_port:
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection(address, port, timeout=60, context=context)
        else:
            connection = http.client.HTTPConnection(address, port, timeout=60)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": "example.com", **(headers or {})}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer


class Served(NamedTuple):
    """A site of a YAML behind the world's nginx."""

    world: World
    site: SiteContext

    def failed_probes(self) -> list[str]:
        """What its own probes find wrong."""
        # The app of these tests has no page to crawl.
        wrong = (one for one in self.checks() if one.status != "pass" and " crawl " not in one.name)
        return [f"{one.name}: {one.detail}" for one in wrong]

    def checks(self) -> tuple[Check, ...]:
        """The results of its own probes."""
        host = host_with(self.world.nginx)
        return run_probes(as_configured(tuple(site_probes(self.site)), host), host, retry_s=2)


def serve_yaml(world: World, *lines: str, files: Mapping[str, str] | None = None) -> Served:
    """Serve the site that has these lines; ROOT stands for the world's folder.

    `files` are what the YAML names, relative to the folder.
    """
    for name, text in (files or {}).items():
        (world.root / name).write_text(text)
    listen = next((one for one in lines if one.startswith("listen:")), f"listen: [{world.port}]")
    tls = f", '{world.tls_port} ssl'" if any(one.startswith("tls:") for one in lines) else ""
    keys = [listen.replace("]", f"{tls}]"), *(one for one in lines if one is not listen)]
    text = "\n".join(["version: 1", "sites:", "  myapp:", *(f"    {line}" for line in keys)])
    if not any(one.startswith("server_names:") for one in lines):
        text += "\n    server_names: [example.com]"
    config = load_bytes(
        text.replace("ROOT", str(world.root)).encode(), f"{world.root}/reconcile.yaml"
    )
    sources = {path: Path(path).read_bytes() for path in config.file_sources()}
    facts = replace(
        HOST,
        sources=sources,
        pages_dir=f"{world.root}/pages",
        passwords_dir=f"{world.root}/passwords",
        resolvers=("127.0.0.1:9",),
    )
    site = CompileContext(config, facts).sites["myapp"]
    for item in site.declared.compile("myapp", site.context):
        if isinstance(item.resource, File) and item.resource.path.startswith(str(world.root)):
            Path(item.resource.path).parent.mkdir(parents=True, exist_ok=True)
            data = item.resource.file_data(host_with(world.nginx))
            Path(item.resource.path).write_bytes(data)
    # The probes write there as the app's user.
    shutil.chown(world.root / "media", "www-data", "www-data")
    world.nginx.site("myapp", site.nginx_content)
    world.nginx.start()
    return Served(world, site)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the workers may enter, which pytest's own are not."""
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="reconcile-nginx-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def nginx(place: Path) -> Iterator[Nginx]:
    server = Nginx(place / "nginx")
    server.lay_out()
    yield server
    server.stop()


@pytest.fixture
def world(nginx: Nginx, place: Path) -> Iterator[World]:
    """The canonical site with a static, a media and a private location, not yet started."""
    for name in ("static/css", "static/.git", "static/.well-known", "media", "private"):
        (place / name).mkdir(parents=True)
    for name, text in {
        "static/health.txt": "ok\n",
        "static/css/app.css": "body {}\n",
        "static/.git/HEAD": "ref\n",
        "static/.env": "SECRET=1\n",
        "static/.well-known/security.txt": "Contact: x\n",
        "media/.env": "SECRET=1\n",
        "media/sample.txt": "upload\n",
        "media/evil.html": "<script>1</script>",
        "media/evil.svg": "<svg/>",
        "media/evil.js": "1",
        "media/evil.xml": "<a/>",
        "media/evil.pdf": "%PDF",
        "media/photo.png": "png",
        "media/photo.jxl": "jxl",
        "media/noext": "<script>1</script>",
        "private/report.txt": "secret report\n",
        "staticsecret.txt": "sibling\n",
        "app.py": "source\n",
    }.items():
        (place / name).write_text(text)
    sock = place / "app.sock"
    server = _Server(str(sock), _App)
    sock.chmod(0o666)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    port, tls_port = free_port(), free_port()
    view = SiteView(
        name="myapp",
        server_names=("example.com",),
        listens=(ListenView("", port), ListenView("[::]", port)),
        upstream=f"unix:{sock}",
        max_upload_bytes=2 << 20,
        locations=(
            LocationView("static", "/static/", f"{place}/static", "public, max-age=604800"),
            LocationView("media", "/media/", f"{place}/media", "public, max-age=86400"),
            LocationView("private", "/protected/", f"{place}/private"),
        ),
    )
    yield World(nginx, place, port, tls_port, view)
    server.shutdown()
    server.server_close()


@pytest.fixture
def with_tls(world: World) -> World:
    """The same world with a certificate of its own and a TLS port."""
    key, certificate = world.root / "key.pem", world.root / "certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            key,
            "-out",
            certificate,
            "-days",
            "2",
            "-subj",
            "/CN=example.com",
        ],
        check=True,
        capture_output=True,
    )
    tls = TlsView(str(certificate), str(key), redirect=True, hsts="max-age=31536000")
    listens = (*world.view.listens, ListenView("", world.tls_port, tls=True))
    world.view = replace(world.view, tls=tls, listens=listens)
    return world


@pytest.fixture
def host(nginx: Nginx) -> Host:
    """Reconcile's view of this machine, with that nginx as its nginx."""
    return host_with(nginx)


def host_with(nginx: Nginx) -> Host:
    return Host(
        HostSettings(
            service_manager="process",
            state_dir=str(nginx.root / "state"),
            nginx_config=str(nginx.config),
            nginx_binary=nginx.binary,
        )
    )
