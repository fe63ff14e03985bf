"""Static files as real packages have them: every byte and every link of theirs is fine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from html import escape
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import pytest

from reconcile.config.probes import CrawlProbe, Endpoint, FilesProbe
from reconcile.engine.model import Check
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.media_types import added_types
from reconcile.nginx.render.site_config import render_site
from reconcile.nginx.render.site_view import ListenView, LocationView, SiteView
from reconcile.nginx.running.discover import HostReader
from reconcile.system import Host, HostSettings
from reconcile.verify.run_probes import run_probes
from tests.support.ports import free_port
from tests.verify.conftest import APP_USER, listening, nginx_binary, running

pytestmark = [pytest.mark.process, pytest.mark.nightly]

PACKAGES = {
    "django": "django/contrib/admin/static/",
    "djangorestframework": "rest_framework/static/",
    "django-debug-toolbar": "debug_toolbar/static/",
    "django-jazzmin": "jazzmin/static/",
    "wagtail": r"wagtail/\w+/static/",
    "flask-admin": "flask_admin/static/",
    "jupyterlab": "jupyterlab/static/",
    "swagger-ui-bundle": "swagger_ui_bundle/vendor/",
    "sphinx-rtd-theme": "sphinx_rtd_theme/static/",
    "mkdocs-material": "material/templates/assets/",
    "streamlit": "streamlit/static/",
    "bokeh": "bokeh/server/static/",
}
MOST_LINKED = 25
"""Stylesheets, and scripts, that the front page of a package links."""
CONFIG = """
user {user};
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    client_body_temp_path {root}/tmp-body; proxy_temp_path {root}/tmp-proxy;
    fastcgi_temp_path {root}/tmp-f; uwsgi_temp_path {root}/tmp-u; scgi_temp_path {root}/tmp-s;
    include {root}/conf.d/*.conf;
}}
"""


@pytest.fixture
def root() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="reconcile-packages-"))
    path.chmod(0o755)
    (path / "conf.d").mkdir()
    yield path
    shutil.rmtree(path)


def unpacked(package: str, folder: str, target: Path) -> list[str]:
    """The package's files below `folder`, a regex, put into `target`; the names of all of them."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--only-binary", ":all:", "--dest", target.parent, package], check=True
    )
    [wheel] = target.parent.glob("*.whl")
    found = []
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            below = re.match(folder, name)
            if below and not name.endswith("/"):
                relative = name[below.end() :]
                path = target / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))
                found.append(relative)
    return found


def front_page(names: list[str]) -> str:
    """A page that loads the first stylesheets, scripts and images of the package."""

    def of(*endings: str) -> list[str]:
        shallow = sorted(names, key=lambda name: (name.count("/"), name))
        fitting = [name for name in shallow if PurePosixPath(name).suffix in endings]
        return [escape(f"/static/{quote(name)}") for name in fitting[:MOST_LINKED]]

    styles = (f'<link rel="stylesheet" href="{url}">' for url in of(".css"))
    scripts = (f'<script src="{url}"></script>' for url in of(".js"))
    images = (f'<img src="{url}">' for url in of(".png", ".svg", ".ico", ".webp"))
    return "".join(["<!doctype html>", *styles, *scripts, *images])


def checks_of(root: Path, names: list[str]) -> list[Check]:
    port = free_port()
    (root / "nginx.conf").write_text(CONFIG.format(root=root, user=APP_USER))
    settings = HostSettings(nginx_config=f"{root}/nginx.conf", state_dir=f"{root}/state")
    host = Host(settings)
    (root / "page").mkdir()
    (root / "page/index.html").write_text(front_page(names))
    view = SiteView(
        name="shop",
        server_names=("shop.example",),
        listens=(ListenView("127.0.0.1", port),),
        locations=(
            LocationView("static", "/static/", f"{root}/static"),
            LocationView("static", "/", f"{root}/page"),
        ),
        types=added_types(load(settings.nginx_config, HostReader(host))),
    )
    (root / "conf.d/shop.conf").write_bytes(render_site(view, "1.22.1"))
    endpoint = Endpoint("http", "shop.example", port, ("127.0.0.1",))
    probes = [
        FilesProbe("files", "shop", endpoint, "/static/", f"{root}/static"),
        CrawlProbe("crawl", "shop", endpoint, "/index.html", depth=3),
    ]
    with ExitStack() as stack:
        command = [nginx_binary(), "-c", str(root / "nginx.conf")]
        stack.enter_context(running(command, lambda: listening(port)))
        return list(run_probes(probes, host, retry_s=0))


@pytest.mark.parametrize(("package", "folder"), PACKAGES.items(), ids=PACKAGES)
def test_what_a_package_ships_is_sent_as_browsers_need_it(
    root: Path, package: str, folder: str
) -> None:
    names = unpacked(package, folder, root / "static")

    checks = checks_of(root, names)

    assert len(names) > 5
    assert ["pass", "pass"] == [check.status for check in checks], checks
