"""nginx under the process manager: a real one, with a configuration of the test's own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.system import Host
from reconcile.system.processes import children, identity, wait_until, workers
from reconcile.system.services import ServiceFailed
from reconcile.system.services.process.nginx import pid_path
from tests.support.ports import free_port
from tests.support.process_manager import Journal

pytestmark = pytest.mark.process


@pytest.fixture
def port() -> int:
    return free_port()


def configure(folder: Path, port: int, *, top: str = "", body: str = "return 200;") -> None:
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"# pid /wrong/commented.pid;\n{top}\npid {folder}/nginx.pid;\n"
        f"error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{ access_log off;\n{temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ {body} }} }} }}\n"
    )


@pytest.mark.parametrize("top", ["", "daemon off;"])
def test_nginx_is_up_when_start_returns(host: Host, tmp_path: Path, port: int, top: str) -> None:
    configure(tmp_path, port, top=top)

    host.services.start("nginx.service")

    status = host.services.status("nginx.service")
    assert (True, True) == (status.loaded, status.active)
    assert int((tmp_path / "nginx.pid").read_text()) == status.main_pid
    socket.create_connection(("127.0.0.1", port), timeout=60).close()


def test_a_stopped_nginx_is_gone_with_its_workers(host: Host, tmp_path: Path, port: int) -> None:
    configure(tmp_path, port)
    host.services.start("nginx.service")
    master = host.services.status("nginx.service").main_pid
    processes = (master, *children(master))

    host.services.stop("nginx.service")

    assert not host.services.status("nginx.service").active
    assert [None] * len(processes) == [identity(pid) for pid in processes]


def test_a_reload_gives_other_workers_under_the_same_master(
    host: Host, tmp_path: Path, port: int
) -> None:
    configure(tmp_path, port)
    host.services.start("nginx.service")
    master = host.services.status("nginx.service").main_pid
    before = set(workers(master))

    host.services.reload("nginx.service")

    assert before
    assert wait_until(lambda: bool(now := set(workers(master))) and not now & before, timeout_s=60)
    assert master == host.services.status("nginx.service").main_pid


def test_the_reason_why_nginx_refuses_its_configuration_is_reported(
    host: Host, tmp_path: Path, port: int
) -> None:
    configure(tmp_path, port, body="nonsense on;")

    with pytest.raises(ServiceFailed) as failed:
        host.services.start("nginx.service")

    assert 'unknown directive "nonsense"' in failed.value.why
    assert not host.services.status("nginx.service").active


def test_a_taken_port_is_reported(host: Host, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        configure(tmp_path, taken.getsockname()[1])

        with pytest.raises(ServiceFailed) as failed:
            host.services.start("nginx.service")

    assert "Address already in use" in failed.value.why


def test_a_stale_pid_file_is_no_running_nginx(host: Host, tmp_path: Path, port: int) -> None:
    configure(tmp_path, port)
    (tmp_path / "nginx.pid").write_text("1\n")

    assert not host.services.status("nginx.service").active


def test_a_rollback_stops_an_nginx_that_was_started(
    host: Host, tmp_path: Path, port: int, journal: Journal
) -> None:
    configure(tmp_path, port)
    host.services.start("nginx.service")

    journal.roll_back(host)

    assert not host.services.status("nginx.service").active


def test_without_a_pid_directive_the_compiled_default_counts(host: Host, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\n")

    assert "/run/nginx.pid" == pid_path(host)

    (tmp_path / "nginx.conf").unlink()


def test_a_relative_pid_path_is_refused(host: Host, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("pid nginx.pid;\n")

    with pytest.raises(ReconcileError, match="The pid file of nginx is unknown"):
        host.services.status("nginx.service")

    (tmp_path / "nginx.conf").unlink()
