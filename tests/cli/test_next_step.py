"""`reconcile` alone says what to do next on this host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from reconcile.cli import next_step
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_loader import load


class OneFile:
    """A reader of a configuration of one file."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, path: str) -> bytes:
        return self.text.encode()

    def glob(self, pattern: str) -> list[str]:
        return []


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECONCILE_FILE", raising=False)
    return tmp_path


def serve(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    servers = "".join(f"server {{ server_name {name}; }}" for name in names)
    tree = load("/etc/nginx/nginx.conf", OneFile(f"events {{ }} http {{ {servers} }}"))
    monkeypatch.setattr(next_step, "discover", lambda _host: SimpleNamespace(tree=tree))


def test_with_a_yaml_it_is_to_plan(empty_folder: Path) -> None:
    (empty_folder / "reconcile.yaml").write_text("version: 1\n")

    assert "Next: reconcile plan" in next_step.next_step()


def test_with_a_site_that_nginx_serves_it_is_to_adopt(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, "example.com www.example.com")

    assert (
        "Next: reconcile adopt -o reconcile.yaml"
        " (Nginx serves example.com, www.example.com here)." == next_step.next_step()
    )


@pytest.mark.parametrize("name", ["_", "localhost", '""', "~^www"])
def test_a_server_that_anyone_has_is_no_site(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    serve(monkeypatch, name)

    assert "Next: reconcile init" in next_step.next_step()


def test_without_nginx_it_is_to_init(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_host: object) -> object:
        raise ReconcileError("nginx is not installed", "", "")

    monkeypatch.setattr(next_step, "discover", missing)

    assert "Next: reconcile init" in next_step.next_step()
