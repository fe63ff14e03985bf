"""What a release ships, built from this checkout for one release of Debian."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cache import cache_folder
from tests.lab.images import PYTHON_VERSIONS, apt_proxy, mirror

PACKAGING = Path(__file__).parents[2] / ".packaging"
SUITES = tuple(PYTHON_VERSIONS)
TOOLS = ("shiv", "uv")
PIP_INSTALL = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
# `version` of another package with the same content.
REPACK = """
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb --raw-extract "$1" "$work/package"
sed -i "s/^Version: .*/Version: $2/" "$work/package/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/package" "$3" >/dev/null
"""
WHEELS = """
here=$1 checkout=$(dirname "$1") python=$2
. "$1/wheels.sh"
fetch_wheels "$3" "$4"
"$python" -m pip download --quiet --disable-pip-version-check --dest "$4" pip setuptools wheel
"""
KEY = """
export GNUPGHOME=$1
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key packages@example.com \\
  ed25519 sign never
"""
OLDER, NEWER = "0.0.1-1", "99.0-1"
KEY_ID = "packages@example.com"


@dataclass(frozen=True)
class Artefacts:
    """A folder that is laid at /mnt of the hosts: apt/, wheels/, reconcile.pyz, uv."""

    folder: Path
    suite: str

    @property
    def deb(self) -> Path:
        """The package that build-deb made."""
        return next((self.folder / "deb").glob("*.deb"))

    def of_version(self, version: str) -> Path:
        """The same package as OLDER or NEWER; an index leaves out a name without architecture."""
        return self.folder / f"reconcile_{version}_{self.deb.stem.rpartition('_')[2]}.deb"

    @property
    def archive(self) -> Path:
        """The one file that build-file made."""
        return self.folder / "reconcile.pyz"

    def build(self) -> None:
        """Build all of them. Errors: CalledProcessError."""
        self.folder.chmod(0o755)
        (self.folder / "archives/partial").mkdir(parents=True)
        self.build_programs()
        self._shell(WHEELS, PACKAGING, sys.executable, self.suite, self.folder / "wheels")
        self._run("cp", Path(sys.executable).parent / "uv", self.folder / "uv")
        for version in (OLDER, NEWER):
            self._shell(REPACK, self.deb, version, self.of_version(version))
        self._make_repository()

    def build_programs(self) -> None:
        """Build the package and the one file alone. Errors: CalledProcessError."""
        subprocess.run([*PIP_INSTALL, *TOOLS], check=True)
        self._run(PACKAGING / "build-file", self.suite, self.archive)
        self._run(PACKAGING / "build-deb", self.suite, self.folder / "deb")

    def _make_repository(self) -> None:
        keys = self.folder / "keys"
        keys.mkdir(mode=0o700)
        self._shell(KEY, keys)
        packages = [self.deb, *map(self.of_version, (OLDER, NEWER))]
        command = [PACKAGING / "build-apt", self.folder / "apt", KEY_ID]
        self._run(*command, *(f"{self.suite}={path}" for path in packages))

    def _shell(self, script: str, *arguments: object) -> None:
        self._run("bash", "-euc", script, "bash", *arguments)

    def _run(self, *command: object) -> None:
        proxy = apt_proxy()
        environment = {
            **os.environ,
            "PYTHON": sys.executable,
            "CACHE": str(_cache()),
            "MIRROR": mirror(self.suite),
            "GNUPGHOME": str(self.folder / "keys"),
            **({"http_proxy": proxy} if proxy else {}),
        }
        subprocess.run([str(part) for part in command], env=environment, check=True)


def _cache() -> Path:
    folder = cache_folder() / "packaging"
    folder.mkdir(exist_ok=True)
    return folder
