"""A folder and a container as hosts, and a program that is installed once for each content."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import images
from tests.lab.fixtures import require_hosts
from tests.support.command import COMMAND

pytestmark = [pytest.mark.host, pytest.mark.nightly]

ANSWER = '{"format_version": "1.0", "in_sync": true}'
# What each command does to the host: the deb's and the file's program name themselves.
PROGRAM = f"""\
#!/bin/sh
[ "$1" = --version ] && exec echo "reconcile 9.0"
cat >/var/log/asked; echo '{ANSWER}'
"""
ARCHIVE = f"""
import sys
if sys.argv[1] == "--version":
    sys.exit(print("reconcile 9.0"))
open("/var/log/asked", "w").write(sys.stdin.read())
print('{ANSWER}')
"""
POSTINST = "#!/bin/sh\necho installed >>/var/log/installs\ntouch /etc/of-the-package\n"
# As far as pyinfra asks it; nothing on the machine of a test may need a daemon.
DOCKER = """\
#!/bin/sh
case "$1 $2" in
  "container inspect") echo '[{"State": {"Running": true}}]' ;;
  "exec -i") shift 3; exec chroot ROOT "$@" ;;
  cp*) exec cp "$2" "ROOT/${3#*:}" ;;
esac
"""
MOUNTED = """
mount -t overlay overlay -o "lowerdir=$below,upperdir=$folder/changes,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
exec "$@"
"""


@dataclass(frozen=True)
class Box:
    """A Debian in a folder, mounted for each command anew."""

    folder: Path

    def fleet(self, host: str, install: str) -> dict[str, Any]:
        """The answer of `drift` for one host."""
        text = f"version: 1\nhosts: {{box: {{{host}}}}}\nconfig: ./site.yaml\ninstall: {install}\n"
        (self.folder / "fleet.yaml").write_text(text)
        command = ["unshare", "--mount", "--propagation=private", "sh", "-euc", MOUNTED, "sh"]
        done = subprocess.run(
            [*command, *COMMAND, "fleet", "drift", "--json"],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "HOME": str(self.folder),
                "below": str(images.layers()[-1]),
                "folder": str(self.folder),
                "root": str(self.folder / "root"),
            },
            capture_output=True,
            text=True,
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)["hosts"]["box"]
        return answer

    def read(self, path: str) -> str | None:
        """What the host has changed there."""
        file = self.folder / f"changes/{path}"
        return file.read_text() if file.exists() else None


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    require_hosts()
    for name in ("changes", "work", "root"):
        (tmp_path / name).mkdir()
    (tmp_path / "changes").chmod(0o755)
    (tmp_path / "site.yaml").write_text("version: 1\n")
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.replace("ROOT", str(tmp_path / "root")))
    docker.chmod(0o755)
    yield Box(tmp_path)
    subprocess.run(["rm", "-rf", "--one-file-system", tmp_path / "work"], check=True)


def package(folder: Path, version: str) -> Path:
    """A package with that program, which counts how often it is installed."""
    tree = folder / f"tree-{version}"
    for path, content in {"DEBIAN/postinst": POSTINST, "usr/bin/reconcile": PROGRAM}.items():
        file = tree / path
        file.parent.mkdir(parents=True)
        file.write_text(content)
        file.chmod(0o755)
    control = f"Package: reconcile\nVersion: {version}\nArchitecture: all\nMaintainer: none\n"
    (tree / "DEBIAN/control").write_text(f"{control}Description: none\n")
    built = folder / f"{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, built], check=True)
    return built


def test_a_package_is_installed_once_for_each_content(box: Box) -> None:
    host = f"chroot: {box.folder}/root"
    first, second = package(box.folder, "1.0"), package(box.folder, "2.0")

    for deb, installs in ((first, 1), (first, 1), (second, 2)):
        answer = box.fleet(host, f"{{deb: {deb}}}")

        assert "in_sync" == answer["state"], answer["problem"]
        assert "installed\n" * installs == box.read("var/log/installs")
    assert 0o644 == (box.folder / "changes/etc/of-the-package").stat().st_mode & 0o777
    assert "version: 1\n" == box.read("var/log/asked")
    assert [] == [*(box.folder / "changes/tmp").glob("*")]


def test_a_file_is_put_there_once_and_again_where_it_went(box: Box) -> None:
    archive = box.folder / "reconcile.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", ARCHIVE)
    there = box.folder / "changes/usr/local/lib/reconcile-fleet/reconcile.pyz"
    inodes = []

    for is_removed in (False, False, True):
        if is_removed:
            there.unlink()
        answer = box.fleet("docker: box", "{file: ./reconcile.pyz}")

        assert "in_sync" == answer["state"], answer["problem"]
        inodes.append(there.stat().st_mtime_ns)
    assert inodes[0] == inodes[1] < inodes[2]
    assert 0o755 == there.stat().st_mode & 0o777
