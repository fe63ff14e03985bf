"""Starting quickly, being misused, and trusting no folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconcile import __version__
from reconcile.cli.main import trusted
from tests.cli.conftest import Run

HEAVY = ("pydantic", "rich", "yaml", "jinja2", "deepdiff", "ssl", "http.client", "asyncio")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(run: Run, option: str) -> None:
    done = run(option)

    assert (0, f"reconcile {__version__}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_help_names_every_command(run: Run) -> None:
    done = run("-h")

    commands = {
        line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line
    }
    assert {"init", "validate", "plan", "apply", "verify", "drift", "schema", "demo"} <= commands


@pytest.mark.parametrize(
    "command", ["init", "validate", "plan", "apply", "verify", "drift", "demo"]
)
def test_every_command_has_help(run: Run, command: str) -> None:
    done = run(command, "-h")

    assert 0 == done.returncode
    assert f"reconcile {command}" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "reconcile", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert set() == imported & set(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["plan", "--bogus"], ["plan", "extra"], ["apply", "--max-deletes", "x"]],
)
def test_a_mistyped_command_never_looks_like_drift(run: Run, arguments: list[str]) -> None:
    """The parser's own exit code for misuse is 2, which says "changes" here."""
    done = run(*arguments)

    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("Error: ")
    assert "--help." in done.stderr


def test_a_path_from_the_environment_or_the_folder_one_stands_in_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    entries = ["", "/usr/lib/python3", "/from/env", str(tmp_path), "relative"]

    kept = trusted(entries, "/from/env:relative")

    assert ["/usr/lib/python3"] == kept


def test_a_module_left_in_a_folder_is_never_roots_code(run: Run, tmp_path: Path) -> None:
    for name in ("typer", "yaml", "pydantic", "jinja2", "deepdiff"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")

    done = run("validate", "-f", "none.yaml", env={"PYTHONPATH": f":{tmp_path}"})

    assert "none.yaml cannot be read" in done.stderr
    assert not (tmp_path / "ran").exists()
