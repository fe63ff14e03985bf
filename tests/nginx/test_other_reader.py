"""Another reader of nginx's files sees the same tree; it lives in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.model.config_tree import Directive
from tests.support import generated_nginx as generated

pytestmark = pytest.mark.nightly

READER = """
import crossplane, json, sys
def tree(block):
    return [[d["directive"], d["args"], d["line"], tree(d["block"]) if "block" in d else None]
            for d in block]
for path in sys.stdin.read().splitlines():
    found = crossplane.parse(path, single=True, check_ctx=False, check_args=False)
    print(json.dumps(tree(found["config"][0]["parsed"]) if found["status"] == "ok" else None))
"""

Tree = list[list[object]]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has ngxparse, which installs the package name `crossplane`."""
    folder = tmp_path_factory.mktemp("reader")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "ngxparse==0.5.16"], check=True)
    return python


def read_by(reader: Path, paths: Iterable[Path]) -> Iterator[Tree | None]:
    names = "\n".join(map(str, paths))
    done = subprocess.run(
        [reader, "-c", READER], input=names, capture_output=True, text=True, check=True
    )
    return map(json.loads, done.stdout.splitlines())


def tree(directives: Iterable[Directive]) -> Tree:
    return [
        [d.name, list(_args(d)), d.line, None if d.block is None else tree(d.block)]
        for d in directives
    ]


def _args(directive: Directive) -> Iterable[str]:
    """The other reader takes the parentheses off an `if`."""
    if directive.name != "if":
        return directive.args
    words = list(directive.args)
    words[0] = words[0].removeprefix("(")
    words[-1] = words[-1].removesuffix(")")
    return [word for word in words if word]


def test_debians_files_read_alike(reader: Path) -> None:
    paths = [
        Path("/etc/nginx", name)
        for name in ("nginx.conf", "mime.types", "sites-available/default", "fastcgi.conf")
    ]

    for path, theirs in zip(paths, read_by(reader, paths), strict=True):
        assert theirs == tree(parse(path.read_bytes(), str(path)).directives), path


@settings(
    max_examples=3,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(servers=st.lists(generated.servers(), min_size=20, max_size=20))
def test_generated_files_read_alike(reader: Path, tmp_path: Path, servers: list[str]) -> None:
    paths = [tmp_path / f"{number}.conf" for number in range(len(servers))]
    for path, server in zip(paths, servers, strict=True):
        path.write_text(f"http {{ server {{\n{server}\n}} }}\n")

    for path, theirs in zip(paths, read_by(reader, paths), strict=True):
        assert theirs == tree(parse(path.read_bytes(), str(path)).directives), path.read_text()
