"""Every file of Debian's nginx packages, and of our examples, writes back from its tree."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.config.compile import compile_config
from reconcile.config.load import load
from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.model.lexer import NginxSyntaxError
from reconcile.resources.file import File
from tests.nginx.conftest import Judge
from tests.support.host_facts import HOST
from tests.support.overlay import rebuilt

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/reconcile.yaml"))
PACKAGES = r"^(nginx-common|nginx-core|libnginx-mod-.*)$"
MODSECURITY = {"modsecurity.conf", "modsecurity_includes.conf", "unicode.mapping"}
"""In ModSecurity's own language; only its module reads them."""
LEAST = 40
"""Files of Debian 12's packages: fewer would mean that they were not found."""


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the packages put below /etc/nginx, and the modules' files that it links to."""
    folder = tmp_path_factory.mktemp("packages")
    search = ["apt-cache", "search", "--names-only", PACKAGES]
    found = subprocess.run(search, capture_output=True, text=True, check=True).stdout
    names = [line.split()[0] for line in found.splitlines() if not line.split()[0].endswith("-dev")]
    download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names]
    subprocess.run(download, cwd=folder, capture_output=True, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True)
    return sorted(_files(folder / "root"))


def _files(root: Path) -> Iterator[Path]:
    for folder in ("etc/nginx", "usr/share/nginx/modules-available"):
        yield from (path for path in (root / folder).rglob("*") if path.is_file())


@pytest.mark.process
def test_every_file_of_debians_packages_writes_back_byte_for_byte(debian: list[Path]) -> None:
    read = [path for path in debian if path.name not in MODSECURITY]

    differing = [p for p in read if p.read_bytes() != rebuilt(parse(p.read_bytes(), str(p)))]

    assert len(read) >= LEAST
    assert [] == differing


@pytest.mark.process
def test_what_is_no_configuration_of_nginx_is_refused_by_nginx_too(
    debian: list[Path], judge: Judge
) -> None:
    for path in (path for path in debian if path.name in MODSECURITY):
        with pytest.raises(NginxSyntaxError):
            parse(path.read_bytes(), str(path))

        verdict = judge.of({"nginx.conf": b"include other;", "other": path.read_bytes()})

        assert not verdict.accepted


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_file_of_an_example_writes_back_byte_for_byte(example: Path) -> None:
    config = load(str(example))
    sources = {path: Path(path).read_bytes() for path in config.file_sources()}
    declared = compile_config(config, replace(HOST, sources=sources)).declared
    rendered = [
        item.resource.content
        for item in declared
        if isinstance(item.resource, File) and item.resource.path.startswith("/etc/nginx/sites")
    ]

    assert rendered
    assert rendered == [rebuilt(parse(data or b"", "site.conf")) for data in rendered]
