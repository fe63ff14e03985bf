"""A site's file goes where this host's nginx reads sites."""

from __future__ import annotations

import subprocess

import pytest

from reconcile.errors import ReconcileError
from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.layout import Layout, read_layout
from reconcile.nginx.model.listen import Address, parse_addresses
from tests.support.real_nginx import NGINX, DiskReader, overlay


def layout_of(text: str, build: Build = Build(), **files: str) -> Layout:
    planned: dict[str, bytes | None] = {f"/n/{name}": data.encode() for name, data in files.items()}
    planned["/n/nginx.conf"] = text.encode()
    return read_layout(load("/n/nginx.conf", overlay(planned)), build)


@pytest.mark.process
def test_debian_reads_sites_enabled(disk: DiskReader) -> None:
    version = subprocess.run([NGINX, "-V"], capture_output=True, text=True, check=True).stderr

    layout = read_layout(load("/etc/nginx/nginx.conf", disk), Build.parse(version))

    assert ("sites-enabled", "www-data", "/run/nginx.pid", "/var/log/nginx/error.log") == (
        layout.style,
        layout.worker_user,
        layout.pid_path,
        layout.error_log,
    )
    assert "/etc/nginx/sites-available/shop.conf" == layout.file_path("shop")
    assert "/etc/nginx/sites-enabled/shop.conf" == layout.link_path("shop")


@pytest.mark.parametrize(
    ("includes", "loaded"),
    [
        ("include conf.d/*.conf; include sites-enabled/*;", "/n/sites-enabled/shop.conf"),
        ("include conf.d/*.conf; include sites-enabled/*.conf;", "/n/sites-enabled/shop.conf"),
        ("include conf.d/*.conf; include sites-enabled/*.vhost;", "/n/conf.d/shop.conf"),
        ("include /opt/n/conf.d/*;", "/opt/n/conf.d/shop.conf"),
    ],
)
def test_a_site_goes_where_its_name_is_read(includes: str, loaded: str) -> None:
    layout = layout_of(f"http {{ {includes} }}")

    assert loaded == (layout.link_path("shop") or layout.file_path("shop"))


def test_in_conf_d_there_is_no_link() -> None:
    layout = layout_of("http { include conf.d/*.conf; }")

    assert ("/n/conf.d/shop.conf", None) == (layout.file_path("shop"), layout.link_path("shop"))


@pytest.mark.parametrize(
    "text",
    [
        "include conf.d/*.conf; http { }",
        "http { server { listen 80; } }",
        "http { include servers.conf; }",
        "http { include vhosts/*.conf; }",
    ],
)
def test_without_a_folder_of_sites_the_rest_is_read_and_no_site_has_a_place(text: str) -> None:
    layout = layout_of(f"user web; {text}", **{"servers.conf": "server { listen 81; }"})

    assert ("web", None) == (layout.worker_user, layout.link_path("shop"))
    with pytest.raises(ReconcileError, match=r"includes neither sites-enabled/ nor conf.d/"):
        layout.file_path("shop")


def test_an_include_within_an_included_file_counts() -> None:
    layout = layout_of("http { include more; }", more="include conf.d/*.conf;")

    assert "conf.d" == layout.style


def test_what_the_configuration_leaves_out_is_as_nginx_was_built() -> None:
    build = Build(prefix="/opt/n", pid_path="/opt/n/pid", error_log="stderr", user="web")

    layout = layout_of("http { include conf.d/*.conf; }", build)

    assert ("web", "/opt/n/pid", "stderr") == (
        layout.worker_user,
        layout.pid_path,
        layout.error_log,
    )


def test_the_error_log_is_the_first_that_is_a_file() -> None:
    logs = "error_log stderr; error_log syslog:server=a; error_log logs/e.log info;"

    layout = layout_of(f"{logs} http {{ include conf.d/*.conf; }}", Build(prefix="/opt/n"))

    assert "/opt/n/logs/e.log" == layout.error_log


def test_every_listen_is_listed_and_a_server_without_one_has_port_80() -> None:
    servers = "server { listen 8080 default_server; listen [::]:443 ssl; } server { }"

    layout = layout_of(f"http {{ include conf.d/*.conf; {servers} }}")

    assert [("0.0.0.0:8080", True), ("[::]:443", False), ("0.0.0.0:80", False)] == [
        (str(listen.address), listen.default_server) for listen in layout.listens
    ]


@pytest.mark.parametrize(
    ("written", "addresses"),
    [
        ("80", [Address("0.0.0.0", 80)]),
        ("*:81", [Address("0.0.0.0", 81)]),
        ("8000-8002", [Address("0.0.0.0", port) for port in (8000, 8001, 8002)]),
        ("127.0.0.1", [Address("127.0.0.1", 80)]),
        ("127.0.0.1:8080", [Address("127.0.0.1", 8080)]),
        ("localhost:8080", [Address("localhost", 8080)]),
        ("[::]", [Address("::", 80)]),
        ("[0:0::1]:443", [Address("::1", 443)]),
        ("unix:/run/a.sock", [Address("unix:/run/a.sock", 0)]),
    ],
)
def test_an_address_is_read_as_nginx_reads_it(written: str, addresses: list[Address]) -> None:
    assert tuple(addresses) == parse_addresses(written)


def test_a_build_without_options_has_the_defaults_of_nginx() -> None:
    text = "nginx version: nginx/1.31.3\nconfigure arguments: --prefix=/opt/n --user=web\n"

    build = Build.parse(text)

    assert ((1, 31, 3), "/opt/n/logs/nginx.pid", "/opt/n/conf/nginx.conf", "web") == (
        build.version,
        build.pid_path,
        build.config_path,
        build.user,
    )
