"""Under any permissions and any sandbox, the predicted status is the one that a worker gives."""

from __future__ import annotations

import http.client
import subprocess
from pathlib import Path

import pytest

from reconcile.nginx.explanation import explain
from reconcile.nginx.routing.url import parse_url
from reconcile.nginx.running.discover import discover
from reconcile.output.url_explanation import explain_text
from reconcile.system import Host
from tests.nginx.comparisons import compared
from tests.nginx.running.conftest import Nginx, World, host_with
from tests.nginx.running.worker_world import LOCATIONS, WorkerWorld
from tests.support.needs_root import needs_root
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.process,
    needs_root("gives files away and mounts"),
]
URIS = 20
NIGHTLY = pytest.mark.nightly
LONG = range(6, 250)


def start_in_sandbox(
    nginx: Nginx, mounts: list[str], *, bounding: str = "", namespaces: tuple[str, ...] = ()
) -> None:
    """Start nginx in a mount namespace of its own, as systemd does for a sandboxed unit."""
    drop = ["setpriv", f"--bounding-set={bounding}"] if bounding else []
    script = " && ".join([*mounts, 'exec "$@"'])
    command = ["unshare", "--mount", *namespaces, "sh", "-c", script, "sh", *drop, nginx.binary]
    done = subprocess.run(
        [*command, "-c", str(nginx.config)], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    nginx.started = True
    nginx.wait_for_pid()


def differing(nginx: Nginx, world: WorkerWorld, port: int) -> dict[str, tuple[str, int]]:
    """URI → predicted answer and real status, of those that are not equal."""
    host = host_with(nginx)
    installation = discover(host)
    found = {}
    for uri in world.uris(URIS):
        request = parse_url(f"http://127.0.0.1:{port}{uri}")
        answer = explain(installation, request).route.answer
        is_unknown = answer.kind == "unknown"
        compared(f"answers under permissions{' said to be unknown' if is_unknown else ''}")
        real = status(port, uri)
        if answer.kind != "unknown" and answer.status != real:
            found[uri] = (f"{answer.kind} {answer.status} {answer.path} {answer.reason}", real)
    return found


def status(port: int, uri: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", uri)
    answer = connection.getresponse().status
    connection.close()
    return answer


def serve(nginx: Nginx, world: WorkerWorld, *, user: str = "www-data") -> int:
    port = free_port()
    world.make()
    config = nginx.config.read_text().replace("user www-data;", f"user {user};")
    nginx.config.write_text(config.replace("autoindex on;", "", 1).replace("expires 1h;", ""))
    locations = LOCATIONS.format(top=world.top)
    nginx.site("tree", f"server {{ listen {port}; absolute_redirect off; {locations} }}")
    return port


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(n, marks=NIGHTLY) for n in LONG)])
def test_the_status_is_the_predicted_one(place: Path, nginx: Nginx, seed: int) -> None:
    world = WorkerWorld(place / "tree", seed)
    port = serve(nginx, world)
    start_in_sandbox(nginx, world.mounts())

    assert {} == differing(nginx, world, port)


@pytest.mark.parametrize("bounding", ["-dac_override,-dac_read_search", "-dac_override", "+all"])
def test_a_worker_that_is_root_has_what_its_capabilities_allow(
    place: Path, nginx: Nginx, bounding: str
) -> None:
    world = WorkerWorld(place / "tree", 100 + len(bounding))
    port = serve(nginx, world, user="root")
    start_in_sandbox(nginx, [], bounding=bounding)

    assert {} == differing(nginx, world, port)


def test_a_root_that_is_no_other_user_overrides_the_modes_of_its_own_files_alone(
    place: Path, nginx: Nginx
) -> None:
    world = WorkerWorld(place / "tree", 107)
    port = serve(nginx, world, user="root")
    start_in_sandbox(nginx, [], namespaces=("--user", "--map-root-user"))

    assert {} == differing(nginx, world, port)


@pytest.mark.parametrize(
    ("hides", "is_reported"),
    [
        ("mount -t tmpfs -o mode=755 tmpfs {}/static", True),
        ("mount --bind {}/media {}/static", True),
        ("mount -t tmpfs -o mode=755 tmpfs {}/media", False),
        ("mount --bind {}/static {}/static && mount -o remount,ro,bind {}/static", False),
    ],
)
def test_a_file_that_the_sandbox_hides_is_reported_as_hidden(
    world: World, host: Host, hides: str, is_reported: bool
) -> None:
    world.write()
    start_in_sandbox(world.nginx, [hides.replace("{}", str(world.root))])

    found = explain(
        discover(host), parse_url(f"http://example.com:{world.port}/static/css/app.css")
    )

    assert (404 if is_reported else 200) == found.route.answer.status
    assert is_reported == bool(found.hidden)
    assert is_reported == ("hides it from nginx" in explain_text("x", found))


def test_a_folder_that_the_sandbox_closes_is_not_opened_by_chmod(world: World, host: Host) -> None:
    closed = world.root / "closed"
    mounts = [f"mkdir -m 0 {closed}", f"mount --bind {closed} {world.root}/static"]
    world.write()
    start_in_sandbox(world.nginx, mounts)

    found = explain(
        discover(host), parse_url(f"http://example.com:{world.port}/static/css/app.css")
    )

    assert (403, True) == (found.route.answer.status, "systemctl edit" in found.fix)
