"""-f - and --files: a host is given its YAML and the files that it names, and nothing else."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.command import COMMAND

pytestmark = pytest.mark.process

NGINX = "pid {root}/pid;\nevents {{}}\nhttp {{ include {root}/conf.d/*.conf; }}\n"
YAML = """\
version: 1
host: {{service_manager: process, state_dir: {root}/state, nginx: {{config: {root}/nginx.conf}}}}
paths: {{{root}/out/a.txt: {{source: ./in/a.txt}}}}
"""


class Sandbox:
    """A host below a folder, and its YAML, which only standard input brings there."""

    def __init__(self, root: Path) -> None:
        root.joinpath("conf.d").mkdir()
        root.joinpath("nginx.conf").write_text(NGINX.format(root=root))
        self.root, self.yaml = root, YAML.format(root=root)

    def pack(self, content: str) -> str:
        with tarfile.open(self.root / "files.tar", "w") as archive:
            member = tarfile.TarInfo("./in/a.txt")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
        return str(self.root / "files.tar")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=self.yaml,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root)},
            text=True,
            capture_output=True,
            cwd=self.root,
            timeout=120,
        )


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


def test_what_is_packed_is_planned_saved_and_applied(sandbox: Sandbox) -> None:
    given = ("-f", "-", "--files", sandbox.pack("new"))

    planned = sandbox.run("plan", *given, "--out", "saved")
    applied = sandbox.run("apply", "saved", *given)
    again = sandbox.run("plan", *given, "--detailed-exitcode")

    assert (0, 0, 0) == (planned.returncode, applied.returncode, again.returncode), applied.stderr
    assert "new" == (sandbox.root / "out/a.txt").read_text()


@pytest.mark.parametrize("change", ["files", "yaml"])
def test_a_saved_plan_is_bound_to_the_yaml_and_to_the_files(sandbox: Sandbox, change: str) -> None:
    given = ("-f", "-", "--files", sandbox.pack("new"))
    sandbox.run("plan", *given, "--out", "saved")

    if change == "files":
        sandbox.pack("other")
    else:
        sandbox.yaml += "# other\n"
    applied = sandbox.run("apply", "saved", *given)

    assert 5 == applied.returncode
    assert "changed since the plan was made" in applied.stderr
    assert not (sandbox.root / "out").exists()


def test_a_saved_plan_asks_for_the_same_input_again(sandbox: Sandbox) -> None:
    sandbox.run("plan", "-f", "-", "--files", sandbox.pack("new"), "--out", "saved")

    applied = sandbox.run("apply", "saved")

    assert (1, True) == (applied.returncode, "Use -f" in applied.stderr)


def test_errors_name_positions_of_standard_input(sandbox: Sandbox) -> None:
    done = sandbox.run("validate", "-f", "-", "--json")

    assert [("<stdin>", 3)] == [
        (one["file"], one["line"]) for one in json.loads(done.stdout)["diagnostics"]
    ]


def test_an_argument_that_is_called_files_is_another_one(sandbox: Sandbox) -> None:
    done = sandbox.run("report", "-f", "-", "--files", sandbox.pack("new"), "--html", "page.html")

    assert 0 == done.returncode, done.stderr
    assert (sandbox.root / "page.html").exists()


def test_files_without_standard_input_are_refused(sandbox: Sandbox) -> None:
    (sandbox.root / "reconcile.yaml").write_text(sandbox.yaml)

    done = sandbox.run("plan", "--files", sandbox.pack("new"))

    assert (1, True) == (done.returncode, "-f -" in done.stderr)
