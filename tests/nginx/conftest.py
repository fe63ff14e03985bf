"""A private nginx for each question: nothing of the host's own nginx is read or touched."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.real_nginx import MAIN, NGINX, DiskReader


@dataclass(frozen=True)
class Verdict:
    """What `nginx -t` said."""

    accepted: bool
    message: str


@dataclass(frozen=True)
class Judge:
    """`nginx -t` over configurations of our own below `prefix`."""

    prefix: Path

    def write(self, files: dict[str, bytes]) -> Path:
        for name, data in files.items():
            path = self.prefix / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.prefix / "nginx.conf"

    def main(self) -> bytes:
        return MAIN.format(prefix=self.prefix).encode()

    def of_http(self, data: bytes) -> Verdict:
        """The verdict over `data` as a file included in the http block."""
        return self.of({"nginx.conf": self.main(), "http.conf": data})

    def of(self, files: dict[str, bytes]) -> Verdict:
        config = self.write(files)
        done = subprocess.run(
            [NGINX, "-t", "-p", f"{self.prefix}/", "-c", str(config), "-e", "stderr"],
            capture_output=True,
            timeout=30,
            check=False,
        )
        return Verdict(done.returncode == 0, done.stderr.decode("utf-8", "surrogateescape"))


@pytest.fixture(scope="session")
def disk() -> DiskReader:
    return DiskReader()


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(tmp_path_factory.mktemp("judge"))
