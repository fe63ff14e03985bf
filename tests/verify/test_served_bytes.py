"""Visitors get the bytes that lie on the disk, or the check names what stands between."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconcile.config.probes import Endpoint, FilesProbe
from reconcile.engine.model import Check
from reconcile.system import Host, HostSettings
from reconcile.system.http import HttpClient, HttpTarget
from reconcile.system.probe_login import login_line, made_password
from reconcile.verify import served_bytes
from reconcile.verify.configured_responses import as_configured
from reconcile.verify.disk_file import DiskFile, read_disk_file
from reconcile.verify.run_probes import run_probes
from reconcile.verify.served_bytes import with_changed
from tests.support.ports import free_port
from tests.support.wait import wait_for
from tests.verify.conftest import APP_USER, MAIN, listening, nginx_binary, running

pytestmark = pytest.mark.process

OLD, NEW = b"body { color: black }\n" * 200, b"body { color: white }\n" * 200
CONFIG = (
    MAIN.replace("processes 1", "processes 3")
    + """
    access_log off;
    types {{ text/css css; text/html html; }}
    proxy_cache_path {root}/cache keys_zone=pages:1m;
    include {root}/conf.d/*.conf;
    {first}
    server {{
        listen 127.0.0.1:{port};
        {ipv6}
        server_name shop.example;
        {server}
        location ^~ /static/ {{ alias {root}/static/; {location} }}
    }}
}}
"""
)
CACHED = "open_file_cache max=99 inactive=1h; open_file_cache_valid 1h;"


@dataclass
class Site:
    """A folder, and an nginx that serves it in some way."""

    root: Path
    port: int
    start: Callable[..., None]

    @property
    def css(self) -> Path:
        return self.root / "static/app.css"

    def check(
        self,
        *addresses: str,
        changed: tuple[str, ...] | None = None,
        is_adopted: bool = False,
        uploads: bool = False,
    ) -> list[Check]:
        endpoint = Endpoint("http", "shop.example", self.port, addresses or ("127.0.0.1",))
        probe = FilesProbe("files", "shop", endpoint, "/static/", f"{self.root}/static")
        probe = replace(probe, changed=changed, is_adopted=is_adopted, uploads=uploads)
        return list(run_probes(as_configured([probe], self.host), self.host, retry_s=0))

    @property
    def host(self) -> Host:
        config = f"{self.root}/nginx.conf"
        return Host(HostSettings(nginx_config=config, state_dir=f"{self.root}/state"))

    def password(self) -> str:
        """What asks for the password of the probes."""
        (self.root / "htpasswd").write_bytes(login_line(made_password(self.host)))
        return 'auth_basic "staff"; auth_basic_user_file {root}/htpasswd;'

    def visit(self, path: str = "/static/app.css", times: int = 40) -> None:
        for _ in range(times):
            HttpClient().request(HttpTarget("127.0.0.1", self.port, "shop.example"), path)


@pytest.fixture
def site() -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="reconcile-bytes-"))
    root.chmod(0o755)
    for name in ("static/img", "other", "v6", "conf.d"):
        (root / name).mkdir(parents=True)
    for name, data in {
        "app.css": NEW,
        "page.html": b"<p>new</p>",
        "img/a b%é?.svg": b"<svg/>",
    }.items():
        (root / "static" / name).write_bytes(data)
    (root / "static/empty.txt").touch()
    port = free_port()

    with ExitStack() as stack:

        def start(first: str = "", server: str = "", location: str = "", ipv6: str = "") -> None:
            fields = {"root": root, "port": port, "user": APP_USER}
            parts = {"first": first, "server": server, "location": location}
            given = {name: text.format(**fields) for name, text in parts.items()}
            given["ipv6"] = ipv6.format(**fields) or f"listen [::1]:{port};"
            (root / "nginx.conf").write_text(CONFIG.format(**fields, **given))
            command = [nginx_binary(), "-c", str(root / "nginx.conf")]
            stack.enter_context(running(command, lambda: listening(port)))

        yield Site(root, port, start)
    shutil.rmtree(root)


def test_every_worker_sends_every_file_over_both_families(site: Site) -> None:
    site.start()

    # On a busy machine a worker may get no time to accept a connection.
    checks = wait_for(lambda: by_every_worker(site.check("127.0.0.1", "::1")), "every worker")

    assert ["pass", "pass"] == [check.status for check in checks], checks
    assert "4 files, plain and compressed, by every worker" == checks[0].detail


def by_every_worker(checks: Sequence[Check]) -> Sequence[Check]:
    """`checks`, once the first has met every worker."""
    return () if re.search(r"by \d of 3 workers", checks[0].detail) else checks


@pytest.mark.parametrize("becomes", ["removed", "replaced"])
def test_a_file_that_changes_meanwhile_is_compared_by_the_next_run(
    site: Site, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    def read_and_change(host: Host, path: str) -> DiskFile | None:
        found = read_disk_file(host, path)
        if path == str(site.css) and site.css.exists() and site.css.read_bytes() == NEW:
            site.css.unlink() if becomes == "removed" else site.css.write_bytes(b"newer")
        return found

    site.start()
    monkeypatch.setattr(served_bytes, "read_disk_file", read_and_change)

    [check] = site.check()

    assert "pass" == check.status, check.detail


def test_a_large_file_is_compared_at_both_ends(site: Site) -> None:
    (site.root / "static/film.css").write_bytes(os.urandom(3 << 20))
    site.start()

    assert ["pass"] == [check.status for check in site.check()]


def test_what_is_compressed_on_the_way_is_the_same(site: Site) -> None:
    site.start(location="gzip on; gzip_types text/css;")

    assert ["pass"] == [check.status for check in site.check()]


def test_a_compressed_sibling_of_this_version_is_the_same(site: Site) -> None:
    (site.root / "static/app.css.gz").write_bytes(gzip.compress(NEW))
    site.start(location="gzip_static on;")

    assert ["pass"] == [check.status for check in site.check()]


def stale_in_every_worker(site: Site) -> None:
    site.css.write_bytes(OLD)
    site.start(first=CACHED)
    site.visit()
    replaced(site.css, NEW)


def removed_but_held_open(site: Site) -> None:
    site.start(location=CACHED)
    site.visit()
    replaced(site.css, OLD)


def stale_sibling(site: Site) -> None:
    (site.root / "static/app.css.gz").write_bytes(gzip.compress(OLD))
    site.start(location="gzip_static on;")


def broken_sibling(site: Site) -> None:
    (site.root / "static/app.css.gz").write_bytes(b"no gzip")
    site.start(location="gzip_static on;")


def truncated_sibling(site: Site) -> None:
    (site.root / "static/app.css.gz").write_bytes(gzip.compress(os.urandom(3000))[:-900])
    site.start(location="gzip_static on;")


def another_server_has_the_name(site: Site) -> None:
    (site.root / "other/app.css").write_bytes(OLD)
    site.start(
        first="server {{ listen 127.0.0.1:{port}; server_name shop.example;"
        " location / {{ alias {root}/other/; }} location /static/ {{ alias {root}/other/; }} }}"
    )


def another_server_on_ipv6(site: Site) -> None:
    (site.root / "v6/app.css").write_bytes(OLD)
    site.start(
        first="server {{ listen [::1]:{port}; location /static/ {{ alias {root}/v6/; }} }}",
        ipv6=" ",
    )


def a_longer_location(site: Site) -> None:
    site.start(server="location = /static/app.css {{ return 200 old; }}")


def another_folder(site: Site) -> None:
    (site.root / "other/app.css").write_bytes(OLD)
    site.start(server="location ^~ /static/app {{ alias {root}/other/app; }}")


def text_is_replaced(site: Site) -> None:
    site.start(location="sub_filter color colour; sub_filter_types text/css;")


def includes_are_run(site: Site) -> None:
    (site.root / "static/page.html").write_bytes(b'<!--#set var="a" value="b" -->')
    site.start(location="ssi on;")


def another_page_instead(site: Site) -> None:
    site.css.chmod(0)
    site.start(location="error_page 403 =200 /static/page.html;")


def not_readable(site: Site) -> None:
    site.css.chmod(0)
    site.start()


def an_old_answer_of_a_cache(site: Site) -> None:
    site.css.write_bytes(OLD)
    site.start(
        first="server {{ listen 127.0.0.1:{port}; server_name shop.example; location / {{"
        " proxy_pass http://[::1]:{port}; proxy_set_header Host shop.example;"
        " proxy_cache pages; proxy_cache_valid 200 1h; }} }}"
    )
    site.visit()
    replaced(site.css, NEW)


def replaced(path: Path, data: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(data)
    new.rename(path)


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        (stale_in_every_worker, "open_file_cache ("),
        (removed_but_held_open, "open_file_cache ("),
        (stale_sibling, "app.css.gz is broken or of another version"),
        (broken_sibling, "app.css.gz is broken or of another version"),
        (truncated_sibling, "app.css.gz is broken or of another version"),
        (another_server_has_the_name, "/other/app.css"),
        (another_server_on_ipv6, "/v6/app.css"),
        (a_longer_location, "location = /static/app.css ("),
        (another_folder, "location ^~ /static/app ("),
        (text_is_replaced, "sub_filter ("),
        (includes_are_run, "ssi ("),
        (another_page_instead, "/static/page.html"),
        (not_readable, "403"),
        (an_old_answer_of_a_cache, "proxy_cache pages may hold an older one"),
    ],
)
def test_other_bytes_are_found_and_their_cause_is_named(
    site: Site, plant: Callable[[Site], None], named: str
) -> None:
    plant(site)

    checks = site.check("127.0.0.1", "::1")

    assert "fail" in [check.status for check in checks], checks
    assert named in " ".join(check.detail for check in checks)


def test_behind_a_password_files_are_compared_too(site: Site) -> None:
    site.start(server=site.password())

    checks = site.check("127.0.0.1", "::1", changed=("app.css",))

    assert ["1 changed file, plain and compressed, by every worker"] * 2 == [
        one.detail for one in checks
    ]


def test_behind_a_password_other_bytes_are_found_and_their_cause_is_named(site: Site) -> None:
    (site.root / "other/app.css").write_bytes(OLD)
    other = "location ^~ /static/app {{ alias {root}/other/app; }}"
    site.start(server=site.password() + other)

    [check] = site.check()

    assert ("fail", True) == (check.status, "/other/app.css" in check.detail), check


def test_an_address_that_waits_for_the_proxy_protocol_gets_it(site: Site) -> None:
    site.start(ipv6="listen [::1]:{port} proxy_protocol;")

    checks = site.check("127.0.0.1", "::1")

    assert ["pass", "pass"] == [one.status for one in checks], checks


def test_one_worker_with_an_old_file_is_enough_to_fail(site: Site) -> None:
    site.css.write_bytes(OLD)
    site.start(first=CACHED)
    site.visit(times=1)
    replaced(site.css, NEW)

    assert ["fail"] == [check.status for check in site.check()]


def test_of_what_changed_every_file_is_compared_and_beyond_the_cap_a_sample(site: Site) -> None:
    names = [f"{number}.css" for number in range(250)]
    for name in names:
        (site.root / "static" / name).write_bytes(name.encode())
    site.start()

    [check, rest] = site.check(changed=tuple(names))

    assert ("pass", True) == (check.status, "a sample of 200 of 250 changed files" in check.detail)
    assert ("skipped", "50 files more: at most 200 are compared") == (rest.status, rest.detail)


def test_only_what_the_location_serves_of_what_an_apply_wrote_is_compared() -> None:
    probe = FilesProbe(
        "probe:shop /static/ sends what is on the disk",
        "shop",
        Endpoint("http", "shop.example", 80, ("127.0.0.1",)),
        "/static/",
        "/srv/static",
    )

    found = with_changed(probe, ["/srv/static/a.css", "/etc/nginx/nginx.conf"])

    assert found
    assert ("a.css",) == found.changed
    assert "probe:shop /static/ sends what this apply wrote" == found.name
    assert with_changed(probe, ["/etc/nginx/nginx.conf"]) is None


def test_an_adopted_site_may_serve_files_in_its_own_way(site: Site) -> None:
    a_longer_location(site)

    assert [("pass", False)] == [(one.status, one.warning) for one in site.check(is_adopted=True)]


def test_other_bytes_of_an_adopted_site_are_a_warning(site: Site) -> None:
    stale_sibling(site)

    assert [("pass", True)] == [(one.status, one.warning) for one in site.check(is_adopted=True)]


def test_an_upload_that_nginx_cannot_read_is_left_to_the_plan(site: Site) -> None:
    not_readable(site)

    assert ["pass"] == [check.status for check in site.check(uploads=True)]
