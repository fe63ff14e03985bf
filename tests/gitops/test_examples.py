"""The examples for CI and monitoring are valid, and their shell parts do what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import COMMAND, Run

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/gitops"


def read(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / name).read_text())


def steps(name: str) -> Iterator[str]:
    """The shell parts of a workflow of GitHub's."""
    for job in read(name)["jobs"].values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


@pytest.fixture
def shell(demo: DemoHost, tmp_path: Path) -> Any:
    """Run a script of CI in the demo's folder, with the tools that a runner has."""
    tools = tmp_path / "bin"
    tools.mkdir()
    command = " ".join(COMMAND)
    programs = {"sudo": 'exec "$@"', "reconcile": f'exec {command} "$@"', "gh": 'echo "gh $*"'}
    for name, text in programs.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)

    def run_script(script: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
            "NUMBER": "7",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=demo.root,
            env=environment,
            text=True,
            capture_output=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run_script


def test_the_plan_of_a_pull_request_becomes_a_comment_and_then_an_apply(
    demo: DemoHost, shell: Any
) -> None:
    plan, comment, apply = steps("github/plan.yml")

    planned, commented, applied = shell(plan), shell(comment), shell(apply)

    assert (0, 0, 0) == (planned.returncode, commented.returncode, applied.returncode)
    assert "### reconcile plan for" in Path(demo.root, "plan.md").read_text()
    assert "--body-file plan.md" in commented.stdout
    assert "Apply complete!" in applied.stdout


def test_the_nightly_job_fails_on_drift_and_shows_it_in_its_summary(
    demo: DemoHost, run: Run, shell: Any, tmp_path: Path
) -> None:
    run("apply", "--auto-approve", cwd=demo.root)
    [drift] = steps("github/drift.yml")
    clean = shell(drift)
    os.chmod(f"{demo.root}/www/static/css/app.css", 0o600)

    drifted = shell(drift)

    assert (0, 2) == (clean.returncode, drifted.returncode)
    assert "css/app.css" in (tmp_path / "summary.md").read_text()


def test_gitlab_applies_what_it_has_planned(demo: DemoHost, shell: Any) -> None:
    jobs = read("gitlab/.gitlab-ci.yml")

    applied = shell("\n".join(jobs["apply"]["script"]))
    drifted = shell("\n".join(jobs["drift"]["script"]))

    assert (0, 0) == (applied.returncode, drifted.returncode), applied.stderr
    assert "" == drifted.stdout


def test_the_command_of_the_crontab_is_silent_on_a_clean_host(
    demo: DemoHost, run: Run, shell: Any
) -> None:
    run("apply", "--auto-approve", cwd=demo.root)
    [line] = re.findall(r"^17 .* root (.*)$", (EXAMPLES / "crontab").read_text(), re.MULTILINE)

    done = shell(line.replace("/etc/reconcile/reconcile.yaml", demo.file))

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


OF_TLS = {"reconcile_certificate_expiry_timestamp_seconds"}
"""Written where a site has a certificate, as test_forms.py shows; the demo has none."""


def test_alerts_and_dashboard_ask_for_metrics_that_are_written(
    demo: DemoHost, run: Run, tmp_path: Path
) -> None:
    run("drift", "--metrics-file", str(tmp_path / "a.prom"), cwd=demo.root)
    written = set(re.findall(r"^reconcile_\w+", (tmp_path / "a.prom").read_text(), re.MULTILINE))
    [group] = read("alerts.yml")["groups"]
    questions = [rule["expr"] for rule in group["rules"]] + dashboard_questions()

    asked = {name for question in questions for name in re.findall(r"reconcile_\w+", question)}

    assert len(asked) >= 9
    assert set() == asked - written - OF_TLS


def dashboard_questions() -> list[str]:
    """What the panels ask of Prometheus."""
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_prometheus_accepts_the_alerts() -> None:
    assert "SUCCESS" in promtool_of(EXAMPLES / "alerts.yml")


def test_prometheus_accepts_what_the_dashboard_asks(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{at}", "expr": question}
        for at, question in enumerate(dashboard_questions())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"SUCCESS: {len(rules)} rules found" in promtool_of(file)


def promtool_of(rules: Path) -> str:
    """What promtool says of the rules: SUCCESS, or what is wrong."""
    done = subprocess.run(
        ["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_hook_of_pre_commit_checks_each_file(run: Run, tmp_path: Path) -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (tmp_path / "reconcile.yaml").write_text("version: 2\n")

    done = run(*hook["entry"].split()[1:], "reconcile.yaml")

    assert re.search(hook["files"], "hosts/web1/reconcile.yaml")
    assert (1, True) == (done.returncode, "reconcile.yaml:1" in done.stderr)
