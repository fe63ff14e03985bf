"""Starting quickly, being misused, and trusting no folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from reconcile import __version__
from reconcile.cli.app import COMMANDS
from reconcile.cli.demo.demo_host import DemoHost
from reconcile.cli.main import without_untrusted
from tests.support.command import COMMAND, Run

pytestmark = pytest.mark.process

HEAVY = ("pydantic", "rich", "yaml", "jinja2", "deepdiff", "ssl", "http.client", "asyncio")
NEVER_FOR_NOTHING = {
    *("asyncio", "concurrent.futures", "deepdiff", "http.client", "idna", "jinja2", "logging"),
    *("multiprocessing", "pickle", "pydantic", "rich", "secrets", "ssl", "yaml"),
    *("reconcile.config.compile", "reconcile.config.config", "reconcile.config.load"),
    *("reconcile.doctor", "reconcile.engine.apply", "reconcile.nginx.routing.router"),
    *(
        "reconcile.nginx.running.config_test",
        "reconcile.filesystem.forked_worker",
        "reconcile.output.json",
        "reconcile.system.http",
        "reconcile.system.services.systemd",
        "reconcile.verify.run_probes",
    ),
}
IMPORTS = """
import sys
from reconcile.cli.main import main
code = main()
sys.stderr.write(" ".join(sys.modules))
sys.exit(code)
"""


def imports_of(*arguments: str, cwd: str | Path) -> set[str]:
    """Every module that `reconcile ARGUMENTS` imports until it has ended well."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], capture_output=True, text=True, cwd=cwd
    )
    assert 0 == done.returncode, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(run: Run, option: str) -> None:
    done = run(option)

    assert (0, f"reconcile {__version__}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_help_lists_every_command_of_the_table_in_full(run: Run) -> None:
    section = run("-h").stdout.partition("Commands:\n")[2].partition("\n\n")[0]

    listed = dict(line.split(maxsplit=1) for line in section.splitlines())
    assert COMMANDS == listed


@pytest.mark.parametrize("command", ["apply", "schema"])
def test_an_optional_argument_is_shown_in_one_pair_of_brackets(run: Run, command: str) -> None:
    usage = run(command, "-h").stdout.splitlines()[0]

    assert re.search(r" \[[A-Z]+\]$", usage), usage


def test_without_a_command_the_help_ends_with_what_to_do_next(run: Run) -> None:
    bare, asked = run(), run("--help")

    usage, _, step = bare.stdout.rpartition("\n\n")
    assert (0, asked.stdout.strip(), "") == (bare.returncode, usage.strip(), bare.stderr)
    assert step.startswith("Next: reconcile ")


@pytest.mark.parametrize("arguments", [("state",), ("schedule",)])
def test_naming_no_command_is_asking_for_help(run: Run, arguments: tuple[str, ...]) -> None:
    bare, asked = run(*arguments), run(*arguments, "--help")

    assert (0, asked.stdout.strip(), "") == (bare.returncode, bare.stdout.strip(), bare.stderr)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    imported = imports_of("--help", cwd=tmp_path)

    assert "typer" in imported
    assert set() == imported & set(HEAVY)


@pytest.mark.parametrize("command", ["init", "apply", "doctor"])
def test_a_command_brings_no_other_one(command: str, tmp_path: Path) -> None:
    imported = imports_of(command, "--help", cwd=tmp_path)

    assert f"reconcile.cli.{command}" in imported
    assert {"reconcile.cli.demo", "reconcile.cli.graph"} & imported == set()


def test_a_plan_with_nothing_to_do_imports_only_what_it_needs(run: Run, demo: DemoHost) -> None:
    applied = run("apply", "--auto-approve", "-f", demo.file)

    imported = imports_of("plan", "--detailed-exitcode", "-f", demo.file, cwd=demo.root)

    assert 0 == applied.returncode, applied.stderr
    assert "reconcile.resources.nginx_live" in imported
    assert set() == imported & NEVER_FOR_NOTHING


def test_an_apply_with_nothing_to_do_imports_what_a_plan_does(run: Run, demo: DemoHost) -> None:
    applied = run("apply", "--auto-approve", "--no-verify", "-f", demo.file)

    imported = imports_of("apply", "--auto-approve", "-f", demo.file, cwd=demo.root)

    assert 0 == applied.returncode, applied.stderr
    assert {"reconcile.engine.apply"} == imported & NEVER_FOR_NOTHING


def test_an_apply_of_nothing_keeps_what_was_compiled_for_the_next_plan(
    run: Run, demo: DemoHost
) -> None:
    run("apply", "--auto-approve", "--no-verify", "-f", demo.file)
    cache = Path(demo.root, "state/cache")
    names = {"compiled.json", "renderings.json"}
    for name in names:
        cache.joinpath(name).unlink()

    again = run("apply", "--auto-approve", "--no-verify", "-f", demo.file)

    assert (0, names) == (again.returncode, {one.name for one in cache.iterdir()}), again.stderr


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["plan", "--bogus"], ["plan", "extra"], ["apply", "--max-deletes", "x"]],
)
def test_a_mistyped_command_never_exits_as_drift_does(run: Run, arguments: list[str]) -> None:
    """The parser's own exit code for misuse is 2, which says "changes" here."""
    done = run(*arguments)

    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("Error: ")
    assert "--help." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["plann"], "Did you mean 'plan'"),
        (["state", "lst"], "Did you mean 'list'"),
        (["plan", "--detailed-exitcod"], "--detailed-exitcode"),
    ],
    ids=" ".join,
)
def test_a_mistyped_name_gets_the_nearest_one(
    run: Run, arguments: list[str], suggestion: str
) -> None:
    done = run(*arguments)

    assert (1, True) == (done.returncode, suggestion in done.stderr)


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $R is `reconcile`."""
    command = " ".join(map(shlex.quote, COMMAND))
    return subprocess.run(
        ["bash", "-c", script.replace("$R", command)],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("$R --version >&-", 0),
        ("$R --help >&-", 0),
        ("$R history <&- >&- 2>&-", 0),
        ("$R plan 2>&-", 1),
        ("$R --version >/dev/full", 1),
        ("$R --help >/dev/full", 1),
        ("$R --help | head -1; exit ${PIPESTATUS[1]}", 0),
        ("$R schema | head -1; exit ${PIPESTATUS[1]}", 0),
        ("$R --version | true; exit ${PIPESTATUS[1]}", 0),
        ("mkdir gone && cd gone && rmdir ../gone && $R --version", 0),
        ("mkdir gone && cd gone && rmdir ../gone && $R --help", 0),
        ("mkdir gone && cd gone && rmdir ../gone && $R plan", 1),
        ("mkdir gone && cd gone && rmdir ../gone && $R init", 1),
    ],
)
def test_missing_streams_and_folders_end_without_a_traceback(
    tmp_path: Path, script: str, code: int
) -> None:
    done = shell(script, tmp_path)

    assert code == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    assert "Internal error" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_removed_working_directory_is_named_as_the_cause(tmp_path: Path) -> None:
    done = shell("mkdir gone && cd gone && rmdir ../gone && $R init", tmp_path)

    assert done.stderr.startswith("Error: The working directory no longer exists\n")


def test_a_file_never_gets_the_descriptor_of_a_closed_stream(tmp_path: Path) -> None:
    done = shell("$R init >&- 2>&-", tmp_path)

    assert 0 == done.returncode
    assert (tmp_path / "reconcile.yaml").read_text().startswith("#")
    assert "Wrote" not in (tmp_path / "reconcile.yaml").read_text()


def test_neither_the_environments_path_nor_the_working_directory_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    entries = ["", "/usr/lib/python3", "/from/env", str(tmp_path), "relative"]

    kept = without_untrusted(entries, "/from/env:relative")

    assert ["/usr/lib/python3"] == kept


def test_a_module_left_in_a_folder_is_never_roots_code(run: Run, tmp_path: Path) -> None:
    for name in ("typer", "yaml", "pydantic", "jinja2", "deepdiff"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")

    done = run("validate", "-f", "none.yaml", env={"PYTHONPATH": f":{tmp_path}"})

    assert "cannot read none.yaml" in done.stderr
    assert not (tmp_path / "ran").exists()
