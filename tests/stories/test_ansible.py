"""The Ansible collection: check mode changes nothing, a second run neither, failures are ours."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from reconcile.cli.demo.demo_host import DemoHost

EXAMPLE = Path(__file__).parents[2] / "examples/ansible"
COLLECTION = EXAMPLE / "ansible_collections/reconcile/host"
PROGRAM = f"{os.path.dirname(sys.executable)}/reconcile"
VERSIONS = ["ansible-core==2.14.*", "ansible-core"]

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shared() -> ModuleType:
    """What the modules of the collection share; it needs no Ansible."""
    path = COLLECTION / "plugins/module_utils/command_line.py"
    spec = importlib.util.spec_from_file_location("command_line", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_variables_and_the_file_are_passed_as_arguments(shared: ModuleType) -> None:
    params = {"executable": "reconcile", "file": "/r.yaml", "vars": {"b": 2, "a": "x y"}}

    line = shared.arguments("apply", params, ["--auto-approve"])

    assert ["reconcile", "apply", "--json", "-f", "/r.yaml"] == line[:5]
    assert ["--var", "a=x y", "--var", "b=2", "--auto-approve"] == line[5:]


def test_a_failure_has_the_commands_own_words(shared: ModuleType) -> None:
    error = {"what": "The plan is refused", "why": "3 files would go", "fix": "Use --max-deletes."}

    text = shared.error_message({"error": error})

    assert "The plan is refused: 3 files would go\nUse --max-deletes." == text


def test_a_plan_that_would_be_refused_fails_with_the_reason_and_what_to_do(
    shared: ModuleType,
) -> None:
    finding = {
        "severity": "error",
        "what": "shop.service cannot be started",
        "evidence": ["its Python does not exist"],
        "fix": "Make it.",
    }
    note = {**finding, "severity": "note", "what": "nothing"}

    text = shared.refusal_message({"unknown": [], "conflicts": [], "findings": [finding, note]})

    assert "shop.service cannot be started: its Python does not exist\nMake it." == text


def test_a_difference_shows_texts_on_lines_of_their_own(shared: ModuleType) -> None:
    values = {"before": None, "after": {"content": "a\nb\n", "mode": "0644"}}

    [shown] = shared.differences([{"address": "file:/x", "change": values}])

    assert ("", 'content:\n  a\n  b\nmode: "0644"\n') == (shown["before"], shown["after"])


@pytest.fixture(params=VERSIONS, scope="module")
def playbook_program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """That version of Ansible, in an environment of its own."""
    folder = tmp_path_factory.mktemp("ansible")
    venv.create(folder, with_pip=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", request.param]
    if subprocess.run(pip, capture_output=True).returncode:
        pytest.skip(f"{request.param} cannot be installed")
    return folder / "bin/ansible-playbook"


@pytest.fixture
def play(playbook_program: Path, demo: DemoHost, tmp_path: Path) -> Play:
    """Run the three modules on the demo's host."""
    common = f"{{file: {demo.file}, executable: {PROGRAM}}}"
    tasks = [f"    - reconcile.host.{name}: {common}\n" for name in ("plan", "apply", "drift")]
    tasks[2] += "      when: not ansible_check_mode\n"
    book = tmp_path / "book.yml"
    head = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
    book.write_text(head + "".join(tasks))

    def run_play(*options: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "ANSIBLE_COLLECTIONS_PATH": str(EXAMPLE),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        command = [playbook_program, "-i", "localhost,", book, *options]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )

    return run_play


def counts(done: subprocess.CompletedProcess[str]) -> tuple[int, int]:
    """How many tasks changed something, and how many failed."""
    found = re.search(r"changed=(\d+).*?failed=(\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    return int(found[1]), int(found[2])


@pytest.mark.nightly
@pytest.mark.process
def test_check_changes_nothing_and_a_second_run_neither(demo: DemoHost, play: Play) -> None:
    checked = play("--check", "--diff")
    is_untouched = not os.path.exists(f"{demo.root}/state")
    first, second = play(), play()

    assert (1, 0) == counts(checked)
    assert "+++ after: file:" in checked.stdout
    assert is_untouched
    assert (1, 0) == counts(first)
    assert (0, 0) == counts(second)


@pytest.mark.nightly
@pytest.mark.process
def test_a_task_fails_with_our_text(demo: DemoHost, play: Play) -> None:
    Path(demo.file).write_text("version: 1\nnonsense: 3\n")

    done = play()

    assert (0, 1) == counts(done)
    found = re.search(r"fatal: .*?=> (\{.*\})", done.stdout, re.S)
    text = found[1] if found else done.stdout + done.stderr
    assert "reconcile.yaml has 1 error" in text
    assert "reconcile.yaml:2:1" in json.dumps(text)
