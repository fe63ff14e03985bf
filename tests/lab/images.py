"""What hosts boot from: Debian, Python's dependencies and the tool itself, a cached layer each."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.cache import built_once, prune

CHECKOUT = Path(__file__).parents[2]

PYTHON_VERSIONS = {"bookworm": "3.11", "trixie": "3.13"}
# The nightly boots newer hosts as well.
SUITE = os.environ.get("RECONCILE_TEST_DEBIAN", "bookworm")
PYTHON_VERSION = PYTHON_VERSIONS[SUITE]
BARE_PACKAGES = ("ca-certificates", "dbus", "sudo", "systemd", "systemd-sysv")
PACKAGES = (
    *("acl", "attr", "ca-certificates", "certbot", "curl", "dbus", "e2fsprogs", "git", "gunicorn"),
    *("iproute2", "nginx-light", "pebble", "procps", "python3", "python3-certbot-nginx"),
    # python3-cryptography asks for it by a virtual name, and debootstrap knows none.
    "python3-cffi-backend",
    *("python3-flask", "python3-venv", "strace", "sudo", "systemd", "systemd-sysv"),
)

# Timers would change hosts behind the tests' back; the network is the lab's.
FINISH_BASE = """
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
for unit in apt-daily.timer apt-daily-upgrade.timer certbot.timer dpkg-db-backup.timer \
            e2scrub_all.timer fstrim.timer systemd-networkd.service systemd-resolved.service; do
  ln -sf /dev/null "/etc/systemd/system/$unit"
done
printf '127.0.0.1 localhost\\n::1 localhost ip6-localhost\\n' >/etc/hosts
"""
APPS = ("flask>=3.0", "gunicorn>=23.0")
INSTALL_DEPENDENCIES = """
python3 -m venv /opt/reconcile
/opt/reconcile/bin/python -m pip install --quiet --no-index --find-links /mnt -r /mnt/tool.txt
python3 -m venv /opt/apps-venv
/opt/apps-venv/bin/python -m pip install --quiet --no-index --find-links /mnt -r /mnt/apps.txt
"""
INSTALL_PROJECT = """
/opt/reconcile/bin/python -m pip install --quiet --no-index --no-deps /mnt/*.whl
ln -s /opt/reconcile/bin/reconcile /usr/local/bin/reconcile
"""
# A mount namespace of its own: nothing stays mounted, however this ends.
IN_CHROOT = """
mount -t overlay overlay -o "lowerdir=$below,upperdir=$layer,workdir=$work" "$root"
mount --bind "$mnt" "$root/mnt"
mount -t proc proc "$root/proc"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root \
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 \
  ${http_proxy:+http_proxy="$http_proxy"} \
  chroot "$root" /bin/sh -euc "$script"
"""


def layers() -> list[Path]:
    """The lower directories of a host, topmost first; what is missing is built now."""
    base = _base()
    dependencies = _dependencies(base)
    project = _project(dependencies, base)
    prune("project", unused_days=2)
    prune("dependencies", unused_days=30)
    prune("base", unused_days=90)
    return [project / "layer", dependencies / "layer", base / "layer"]


def bare_debian(suite: str) -> Path:
    """A Debian with systemd and sudo, and nothing that reconcile needs."""

    def build(folder: Path) -> None:
        _debootstrap(folder / "layer", suite, BARE_PACKAGES)
        _checked(["chroot", str(folder / "layer"), "/bin/sh", "-euc", FINISH_BASE])

    return built_once(f"bare-{digest_of(suite, *BARE_PACKAGES, FINISH_BASE)}", build) / "layer"


def layer_with(script: str, layer: Path, below: Sequence[Path], mnt: Path) -> None:
    """Run `script` on top of `below` with this machine's network; what it changes is `layer`."""
    proxy = apt_proxy()
    _run_in_chroot(script, layer, below, mnt, {"http_proxy": proxy} if proxy else {})


def _base() -> Path:
    def build(folder: Path) -> None:
        print(f"tests: building a Debian {SUITE} for test hosts, once (about a minute)", flush=True)
        _debootstrap(folder / "layer", SUITE, PACKAGES)
        _checked(["chroot", str(folder / "layer"), "/bin/sh", "-euc", FINISH_BASE])

    return built_once(f"base-{digest_of(SUITE, *PACKAGES, FINISH_BASE)}", build)


def _dependencies(base: Path) -> Path:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    tool = [*project["dependencies"], *project["optional-dependencies"]["notify"]]

    def build(folder: Path) -> None:
        wheels = folder / "wheels"
        wheels.mkdir()
        (wheels / "tool.txt").write_text("\n".join(tool))
        (wheels / "apps.txt").write_text("\n".join(APPS))
        _download(wheels, *tool)
        _download(wheels, *APPS)
        _run_in_chroot(INSTALL_DEPENDENCIES, folder / "layer", [base / "layer"], wheels)

    key = digest_of(base.name, INSTALL_DEPENDENCIES, *tool, *APPS)
    return built_once(f"dependencies-{key}", build)


def _project(dependencies: Path, base: Path) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        wheel = _build_wheel(Path(folder))

        def build(target: Path) -> None:
            below = [dependencies / "layer", base / "layer"]
            _run_in_chroot(INSTALL_PROJECT, target / "layer", below, wheel.parent)

        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return built_once(f"project-{digest_of(dependencies.name, INSTALL_PROJECT, digest)}", build)


def digest_of(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _debootstrap(target: Path, suite: str, packages: Sequence[str]) -> None:
    """Install Debian into `target`, from the mirror and through the proxy that apt here uses."""
    proxy = apt_proxy()
    environment = {**os.environ, **({"http_proxy": proxy} if proxy else {})}
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}"]
    # debootstrap mounts /proc in its target; in a namespace of its own that can't be left behind.
    isolated = ["unshare", "--mount", "--propagation=private"]
    _checked([*isolated, *command, suite, str(target), mirror(suite)], env=environment)


def mirror(suite: str) -> str:
    """The mirror of `suite` that apt here knows, or else one that has another release."""
    listing = ["apt-get", "indextargets", "--no-release-info", "Created-By: Packages"]
    lines = _checked([*listing, "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"]).splitlines()
    known = dict(line.split()[::2] for line in lines if line.split()[1] == "main")
    found = known.get(suite) or next((known[one] for one in PYTHON_VERSIONS if one in known), None)
    if found is None:
        raise RuntimeError(f"apt on this machine knows no mirror of Debian's {suite} main")
    return found


def apt_proxy() -> str:
    """The proxy of apt's configuration, "" where it has none."""
    return _checked(["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"]).strip()


def _download(wheels: Path, *requirements: str) -> None:
    """Fetch wheels for the hosts' Python by the pip of this machine and its configuration."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    for_host = ["--only-binary=:all:", f"--python-version={PYTHON_VERSION}"]
    _checked([*pip, *for_host, f"--dest={wheels}", *requirements])


def _build_wheel(folder: Path) -> Path:
    _checked([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)])
    return next(folder.glob("*.whl"))


def _run_in_chroot(
    script: str,
    layer: Path,
    below: Sequence[Path],
    mnt: Path,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run `script` as root on top of `below`, with `mnt` at /mnt; what it changes is `layer`."""
    layer.mkdir(mode=0o755)
    with tempfile.TemporaryDirectory(dir=layer.parent) as work, tempfile.TemporaryDirectory() as at:
        variables = {
            "below": ":".join(map(str, below)),
            "layer": str(layer),
            "work": work,
            "root": at,
            "mnt": str(mnt),
            "script": script,
        }
        isolated = ["unshare", "--mount", "--propagation=private", "sh", "-euc", IN_CHROOT]
        _checked(isolated, env={**os.environ, **variables, **(environment or {})})


def _checked(argv: Sequence[str], env: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, cwd=CHECKOUT, env=env, capture_output=True, text=True)
    if done.returncode:
        output = (done.stdout + done.stderr)[-4000:]
        raise RuntimeError(f"{argv[0]} failed ({done.returncode}) building a test host:\n{output}")
    return done.stdout
