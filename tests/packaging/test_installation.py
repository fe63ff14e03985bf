"""Every way of installing, from the built artefacts, on a bare Debian, as root and with sudo."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import DebianHost, Lab
from tests.lab.cache import cache_folder
from tests.lab.images import bare_debian, layer_with
from tests.packaging.artefacts import NEWER, OLDER, SUITES, Artefacts

pytestmark = [pytest.mark.nightly, pytest.mark.host]

KEPT_STATES = sorted((Path(__file__).parents[1] / "engine/kept_state").iterdir())
APT_OPTIONS = "--yes --quiet -o Dir::Cache::archives=/mnt/archives"
APT_GET = f"DEBIAN_FRONTEND=noninteractive apt-get {APT_OPTIONS}"
LEAN = f"{APT_GET} install --no-install-recommends"
PREPARE = """
SUITE={}
export PATH=/usr/local/bin:$PATH
apt-get --quiet update
"""
REPOSITORY = """
install -D -m 644 /mnt/apt/reconcile.gpg /etc/apt/keyrings/reconcile.gpg
echo "deb [signed-by=/etc/apt/keyrings/reconcile.gpg] file:/mnt/apt $SUITE main" \\
  >/etc/apt/sources.list.d/reconcile.list
"""
PIP = "export PIP_NO_INDEX=1 PIP_FIND_LINKS=/mnt/wheels"
UV = "UV_TOOL_DIR=/opt/uv UV_TOOL_BIN_DIR=/usr/local/bin /mnt/uv tool"
PIPX = "PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx"
WAYS = {
    "apt": f"{REPOSITORY} apt-get --quiet update; {APT_GET} install reconcile",
    "pip": f"""{LEAN} python3-venv; {PIP}
        python3 -m venv /opt/reconcile
        /opt/reconcile/bin/pip install --quiet reconcile-host
        ln -s /opt/reconcile/bin/reconcile /usr/local/bin/reconcile""",
    "pipx": f"{LEAN} pipx python3-venv; {PIP}; {PIPX} install reconcile-host",
    "uv": f"""{LEAN} python3; export UV_NO_CACHE=1
        {UV} install --python /usr/bin/python3 --no-index --find-links /mnt/wheels \\
          reconcile-host""",
    "file": f"{LEAN} python3; install /mnt/reconcile.pyz /usr/local/bin/reconcile",
}
REMOVAL = {
    "apt": "apt-get --yes --quiet purge reconcile",
    "pip": "rm -r /opt/reconcile /usr/local/bin/reconcile",
    "pipx": f"{PIPX} uninstall reconcile-host",
    "uv": "rm -r /opt/uv /usr/local/bin/reconcile",
    "file": "rm /usr/local/bin/reconcile",
}
# What the demo asks for is what it then runs with, and what the app below needs.
DEMO_NEEDS = f"""
cd /
if reconcile demo >/root/demo 2>&1; then exit 1; fi
needed=$(sed -n 's/.*sudo apt-get install //p' /root/demo)
test -n "$needed" || {{ cat /root/demo; exit 1; }}
{APT_GET} install $needed
"""
USER = """
useradd --create-home --shell /bin/bash --groups sudo ada
echo 'ada ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ada
"""
APP = """from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return "hello"
"""


@dataclass(frozen=True)
class Caller:
    """Who runs the commands: root, or a user with sudo."""

    host: DebianHost
    user: str

    def reconcile(self, *arguments: str, as_root: bool = True, exit_code: int = 0) -> str:
        """Run a command in the app's folder and return what it prints."""
        sudo = ("sudo",) if as_root and self.user != "root" else ()
        command = (*sudo, "reconcile", *arguments)
        home = "/root" if self.user == "root" else f"/home/{self.user}"
        done = self.host.run(
            *command,
            user=self.user,
            env={"HOME": home},
            cwd="/srv/app",
            check=False,
            timeout_s=300,
        )
        assert exit_code == done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module", params=SUITES)
def artefacts(request: pytest.FixtureRequest) -> Iterator[Artefacts]:
    """Those of a release ($RECONCILE_TEST_ARTEFACTS, a folder for each Debian), or new ones."""
    if given := os.environ.get("RECONCILE_TEST_ARTEFACTS"):
        yield Artefacts(Path(given) / request.param, request.param)
        return
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        built = Artefacts(Path(folder), request.param)
        built.build()
        yield built


Boot = Callable[[str], DebianHost]


@pytest.fixture(scope="module")
def installed(artefacts: Artefacts) -> Iterator[Callable[[str], list[Path]]]:
    """The layers of a host on which a script ran, each script once."""
    base = bare_debian(artefacts.suite)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        made: dict[str, Path] = {}

        def layers(install: str) -> list[Path]:
            if install not in made:
                layer = Path(folder) / secrets.token_hex(8)
                script = f"{PREPARE.format(artefacts.suite)}{install}"
                layer_with(script, layer, [base], artefacts.folder)
                made[install] = layer
            return [made[install], base]

        yield layers


@pytest.fixture
def boot(installed: Callable[[str], list[Path]]) -> Iterator[Boot]:
    """A host on which a way of installing was followed."""
    with ExitStack() as labs:

        def booted(install: str) -> DebianHost:
            lab = Lab(installed(install))
            labs.callback(lab.close)
            return lab.boot()

        yield booted


@pytest.mark.parametrize("user", ["root", "ada"])
@pytest.mark.parametrize("way", WAYS)
def test_each_way_serves_an_app_and_goes_without_a_trace_of_damage(
    boot: Boot, way: str, user: str
) -> None:
    host = boot(WAYS[way] + DEMO_NEEDS + USER)
    caller = Caller(host, user)
    host.write("/srv/app/app.py", APP)
    host.write("/srv/app/static/app.css", "body {}")

    assert "stopped and removed" in caller.reconcile("demo", as_root=False)
    caller.reconcile("init", "--server-name", "shop.example")
    assert "to add" in caller.reconcile("plan")
    assert "Apply complete!" in caller.reconcile("apply", "--auto-approve")
    assert "No changes" in caller.reconcile("plan")
    assert_units_run_this_program(caller)

    host.run("sh", "-euc", REMOVAL[way])

    assert not host.exists("/usr/local/bin/reconcile")
    assert not host.exists("/usr/bin/reconcile")
    assert not host.exists("/usr/lib/reconcile")
    assert host.exists("/var/lib/reconcile/history")
    for path, body in {"/": b"hello", "/static/app.css": b"body {}"}.items():
        assert body == host.http("GET", path, host="shop.example").body


def assert_units_run_this_program(caller: Caller) -> None:
    """The drift check by its timer, and a roll back that nobody confirms."""
    host = caller.host
    caller.reconcile("schedule", "install", "--every", "hourly")
    host.run("systemctl", "start", "reconcile-drift.service")
    host.run("sed", "-i", "s/workers: 3/workers: 2/", "/srv/app/reconcile.yaml")
    caller.reconcile("apply", "--auto-approve", "--confirm", "10m")
    host.run("systemctl", "is-active", "reconcile-confirm.service")
    caller.reconcile("confirm")
    caller.reconcile("schedule", "remove")


def units_of(host: DebianHost) -> str:
    # It exits with 1 where it lists none.
    return host.run("systemctl", "list-unit-files", "reconcile*", "--no-legend", check=False).stdout


def test_the_package_brings_pages_completions_and_nothing_that_runs(boot: Boot) -> None:
    host = boot(WAYS["apt"])

    units = units_of(host)
    files = host.run("dpkg", "--listfiles", "reconcile").stdout.splitlines()

    assert "" == units
    assert {
        "/etc/reconcile",
        "/usr/share/bash-completion/completions/reconcile",
        "/usr/share/doc/reconcile/THIRD-PARTY.md.gz",
        "/usr/share/fish/vendor_completions.d/reconcile.fish",
        "/usr/share/zsh/vendor-completions/_reconcile",
    } <= set(files)
    host.run("dpkg", "--verify", "reconcile")


OF_OLDER = WAYS["apt"].removesuffix("reconcile") + f"reconcile={OLDER}" + DEMO_NEEDS
STATE = "/var/lib/reconcile"
PURGE = ("apt-get", "--yes", "--quiet", "purge", "reconcile")


def install_version(host: DebianHost, artefacts: Artefacts, version: str) -> None:
    package = f"/root/{version}.deb"
    if not host.exists(package):
        host.write(package, artefacts.of_version(version).read_bytes())
    host.run("dpkg", "--install", package, timeout_s=300)


def test_an_upgrade_and_a_downgrade_keep_the_state(boot: Boot, artefacts: Artefacts) -> None:
    host = boot(OF_OLDER)
    caller = Caller(host, "root")
    host.write("/srv/app/app.py", APP)
    host.write("/srv/app/static/app.css", "body {}")
    caller.reconcile("init", "--server-name", "shop.example")
    caller.reconcile("apply", "--auto-approve")
    caller.reconcile("schedule", "install")

    for version in (NEWER, OLDER):
        install_version(host, artefacts, version)
        assert "No changes" in caller.reconcile("plan")
        assert "apply" in caller.reconcile("history")
        host.run("systemctl", "is-active", "reconcile-drift.timer")
    host.run(*PURGE, timeout_s=300)
    assert "" == units_of(host)
    install_version(host, artefacts, NEWER)

    assert "No changes" in caller.reconcile("plan")
    caller.reconcile("rollback", "--auto-approve")
    host.run("env", "RECONCILE_PURGE_STATE=yes", *PURGE, timeout_s=300)
    assert not host.exists(STATE)


def test_a_package_that_has_to_roll_back_is_not_removed(boot: Boot) -> None:
    host = boot(WAYS["apt"] + DEMO_NEEDS)
    caller = Caller(host, "root")
    host.write("/srv/app/app.py", APP)
    host.write("/srv/app/static/app.css", "body {}")
    caller.reconcile("init", "--server-name", "shop.example")
    caller.reconcile("apply", "--auto-approve", "--confirm", "20m")

    refused = host.run(*PURGE, check=False, timeout_s=300)
    caller.reconcile("confirm")
    host.run(*PURGE, timeout_s=300)

    assert refused.returncode
    # apt prints what dpkg writes to either output on its own standard output.
    assert "Run reconcile confirm, or reconcile rollback" in refused.stdout + refused.stderr
    assert b"hello" == host.http("GET", "/", host="shop.example").body


@pytest.mark.parametrize("kept", KEPT_STATES, ids=[path.name for path in KEPT_STATES])
def test_state_of_an_earlier_format_outlives_upgrade_downgrade_and_purge(
    boot: Boot, artefacts: Artefacts, kept: Path
) -> None:
    host = boot(OF_OLDER)
    host.put_tree(kept, STATE)
    host.run("chmod", "-R", "go=", STATE)
    host.run("mkdir", "/srv/app")
    ledger, caller = host.read(f"{STATE}/ledger.json"), Caller(host, "root")

    for version in (NEWER, OLDER):
        install_version(host, artefacts, version)
        assert "nginx_live:" in caller.reconcile("state", "list")
        assert 2 == caller.reconcile("history").count("applied")
        caller.reconcile("history", "show", "2", "--diff")
    host.run(*PURGE, timeout_s=300)

    assert ledger == host.read(f"{STATE}/ledger.json")
