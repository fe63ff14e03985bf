"""The action and the component for CI: what they run, run in a repository with hostile names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command import COMMAND

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[2] / "examples/gitops"
HOSTILE = "x$(touch${IFS}pwned);`touch${IFS}pwned`&'\""
FOLDER = "a b$(touch pwned)"
YAML = """\
version: 1
sites:
  shop:
    server_names: [{}]
    app: {{upstream: "http://127.0.0.1:8000"}}
"""
PROGRAMS = {
    "sudo": 'exec "$@"',
    "reconcile": f'exec {" ".join(COMMAND)} "$@"',
    # One comment of an earlier run is there, where a test says so.
    "gh": 'case "$*" in "api --paginate "*) printf "$COMMENTS" ;; *) echo "gh $*" ;; esac',
    "curl": 'echo "curl $*"',
}
Script = Callable[..., subprocess.CompletedProcess[str]]


def action_steps() -> dict[str, str]:
    """The scripts of the composite action by the names of their steps."""
    action = yaml.safe_load((EXAMPLES / "github/action/action.yml").read_text())
    return {step["name"]: step["run"] for step in action["runs"]["steps"]}


def component_job(name: str) -> dict[str, Any]:
    _, jobs = yaml.safe_load_all((EXAMPLES / "gitlab/templates/reconcile.yml").read_text())
    job: dict[str, Any] = jobs[name]
    return job


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """The programs that a runner has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone on a branch with a hostile name, whose last commit renames a site."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    git(tmp_path, "init", "-q", "-b", "main", str(origin))
    (origin / FOLDER).mkdir()
    commit(origin, "old.example")
    git(origin, "checkout", "-q", "-b", HOSTILE)
    commit(origin, "new.example")
    git(tmp_path, "clone", "-q", "-b", HOSTILE, str(origin), str(clone))
    return clone


def commit(repository: Path, server_name: str) -> None:
    (repository / FOLDER / "reconcile.yaml").write_text(YAML.format(server_name))
    git(repository, "add", "-A")
    author = ("-c", "user.name=$(touch pwned)", "-c", "user.email=a@b")
    git(repository, *author, "commit", "-q", "-m", server_name)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def script(checkout: Path, tools: Path, tmp_path: Path) -> Script:
    """Run a script of CI in the clone, with the variables that both systems set."""

    def run_script(text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        base = git(checkout, "rev-parse", "origin/main")
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_HEAD_REF": HOSTILE,
            "CI_COMMIT_REF_NAME": HOSTILE,
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
            "CI_PROJECT_DIR": str(checkout),
            "BASE": base,
            "FILE": f"{FOLDER}/reconcile.yaml",
            **variables,
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
            cwd=checkout,
            env=environment,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )

    return run_script


def test_the_action_comments_what_a_pull_request_changes(
    script: Script, checkout: Path, tmp_path: Path
) -> None:
    steps = action_steps()

    compared = script(steps["Compare"], MODE="review")
    commented = script(steps["Comment"], NUMBER="7", GH_REPO="a/b")
    again = script(steps["Comment"], NUMBER="7", GH_REPO="a/b", COMMENTS="11\n42\n")
    gate = script(steps["Gate"], MODE="review", CODE="2")

    assert (0, 0, 0) == (compared.returncode, commented.returncode, gate.returncode), compared
    assert "exit-code=2" in (tmp_path / "output").read_text()
    assert "+    server_name new.example;" in (tmp_path / "summary.md").read_text()
    assert "gh pr comment 7 --body-file" in commented.stdout
    assert "--method PATCH repos/a/b/issues/comments/42" in again.stdout
    assert [] == list(tmp_path.rglob("pwned"))
    assert 1 == len(git(checkout, "worktree", "list").splitlines())


def test_the_action_comments_the_errors_of_a_file(
    script: Script, checkout: Path, tmp_path: Path
) -> None:
    (checkout / FOLDER / "reconcile.yaml").write_text("version: 1\nsite: {}\n")
    steps = action_steps()

    compared = script(steps["Compare"], MODE="review")
    gate = script(steps["Gate"], MODE="review", CODE="1")

    assert (0, 1) == (compared.returncode, gate.returncode), compared.stderr
    assert "reconcile.yaml:2" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize("code", ["1", "2", "3"])
def test_the_action_fails_where_a_host_drifted(script: Script, code: str) -> None:
    assert int(code) == script(action_steps()["Gate"], MODE="drift", CODE=code).returncode


def test_the_component_comments_what_a_merge_request_changes(
    script: Script, checkout: Path, tmp_path: Path
) -> None:
    job = component_job("reconcile-review")

    done = script("\n".join(job["script"]), CI_API_V4_URL="https://x", API_TOKEN="t")
    ended = script("\n".join(job["after_script"]))

    assert (0, 0) == (done.returncode, ended.returncode), done.stderr
    assert "+    server_name new.example;" in (checkout / "plan.md").read_text()
    assert "body@plan.md" in done.stdout
    assert not (checkout / ".reconcile-base").exists()
    assert [] == list(tmp_path.rglob("pwned"))


def test_no_text_of_other_people_is_part_of_a_script() -> None:
    scripts = [*action_steps().values(), *component_job("reconcile-drift")["script"]]
    scripts += component_job("reconcile-review")["script"]
    for name in ("plan.yml", "drift.yml", "review.yml"):
        jobs = yaml.safe_load((EXAMPLES / "github" / name).read_text())["jobs"].values()
        scripts += [step.get("run", "") for job in jobs for step in job["steps"]]

    assert [] == [text for text in scripts if "${{" in text or "$[[" in text]
