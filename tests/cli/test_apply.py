"""Plan, apply, verify and drift on a real small host: real nginx, real Gunicorn."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconcile.cli.demo.demo_host import DemoHost
from reconcile.system.lock import lock
from tests.cli.terminal import on_a_terminal
from tests.support.command import COMMAND, Run

pytestmark = pytest.mark.process

SCHEMAS = Path(__file__).parents[2] / "schemas"
# What running processes write, and what an apply keeps for itself.
OWN = ("log", "run", "state", "state-protected", "tmp")

EVERY_COPY_IS_LONG = """
import sys
from reconcile.filesystem.sync import copy_progress
copy_progress.QUIET_S = 0
from reconcile.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def applied(demo: DemoHost, run: Run) -> DemoHost:
    done = run("apply", "--auto-approve", cwd=demo.root)
    assert 0 == done.returncode, done.stdout + done.stderr
    return demo


def manifest(demo: DemoHost) -> dict[str, tuple[int, int, int, str]]:
    """Owner, mode and content of everything that is neither a log nor state of reconcile."""
    found = {}
    for folder, _, names in os.walk(demo.root):
        if os.path.relpath(folder, demo.root).split("/")[0] in OWN:
            continue
        for path in (folder, *(f"{folder}/{name}" for name in names)):
            st = os.lstat(path)
            plain = os.path.isfile(path) and not path.endswith(".pyc")
            digest = hashlib.sha256(Path(path).read_bytes()).hexdigest() if plain else ""
            found[path] = (st.st_uid, st.st_gid, st.st_mode, digest)
    return {path: what for path, what in found.items() if "__pycache__" not in path}


def documents(text: str, name: str) -> list[dict[str, Any]]:
    """Every line of `text`, each as its published schema wants it."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    found = [json.loads(line) for line in text.splitlines()]
    for document in found:
        jsonschema.validate(document, schema)
    return found


def add_probe(demo: DemoHost, probe: str) -> None:
    with open(demo.file, "a") as file:
        file.write(f"      - {probe}\n")


def test_a_plan_shows_what_is_missing_and_changes_nothing(demo: DemoHost, run: Run) -> None:
    before = manifest(demo)

    plain = run("plan", cwd=demo.root)
    detailed = run("plan", "--detailed-exitcode", "--summary", cwd=demo.root)

    assert (0, 2) == (plain.returncode, detailed.returncode)
    assert f"  + file:{demo.root}/nginx/sites-available/demo.conf  " in plain.stdout
    assert "Plan: 7 to add, 1 to change, 0 to destroy.\n" in detailed.stdout
    assert before == manifest(demo)
    assert not os.path.exists(f"{demo.root}/state")


def test_json_and_text_agree_on_a_plan(demo: DemoHost, run: Run, tmp_path: Path) -> None:
    beside = tmp_path / "plan.json"

    done = run("plan", "--json-into", str(beside), cwd=demo.root)
    [document] = documents(beside.read_text(), "plan")

    added = document["summary"]["add"]
    assert f"Plan: {added} to add, " in done.stdout
    assert "planned" == document["result"]


def test_an_apply_makes_the_plan_empty_and_a_second_one_does_nothing(
    applied: DemoHost, run: Run
) -> None:
    again = run("apply", "--auto-approve", "--detailed-exitcode", cwd=applied.root)
    plan = run("plan", "--detailed-exitcode", cwd=applied.root)
    full = run("plan", "--full", cwd=applied.root)

    assert (0, 0) == (again.returncode, plan.returncode)
    assert "No changes. The host matches the configuration.\n" == plan.stdout
    assert "Unchanged:" in full.stdout


def test_apply_prints_each_step_and_a_summary_as_json(demo: DemoHost, run: Run) -> None:
    done = run("apply", "--auto-approve", "--json", "--detailed-exitcode", cwd=demo.root)

    lines = documents(done.stdout, "apply")
    types = [line["type"] for line in lines]
    assert {"planned_change", "apply_start", "apply_complete", "check", "summary"} == set(types)
    assert types.count("planned_change") == types.count("apply_complete") == 8
    assert ("applied", 2, 2) == (lines[-1]["result"], lines[-1]["exit_code"], done.returncode)


def test_without_anyone_to_ask_nothing_is_applied(demo: DemoHost, run: Run) -> None:
    before = manifest(demo)

    done = run("apply", cwd=demo.root)

    assert 1 == done.returncode
    assert "--auto-approve" in done.stderr
    assert before == manifest(demo)


@pytest.mark.parametrize("answer", ["no\n", "y\n", "YES\n", "\n", "\x04"])
def test_only_yes_is_yes(demo: DemoHost, answer: str) -> None:
    before = manifest(demo)

    screen = on_a_terminal("apply", cwd=demo.root, types=answer, env={"NO_COLOR": "1"})

    assert 1 == screen.code
    assert "Error: This plan was not approved; nothing was changed\n" in screen.text
    assert before == manifest(demo)


def test_an_error_begins_a_line_of_its_own_where_the_question_got_no_answer(
    demo: DemoHost,
) -> None:
    screen = on_a_terminal("apply", cwd=demo.root, types="\x04", env={"NO_COLOR": "1"})

    assert "\nError: This plan was not approved" in screen.text


def test_yes_applies_what_was_shown(demo: DemoHost) -> None:
    screen = on_a_terminal("apply", cwd=demo.root, types="yes\n")

    assert 0 == screen.code, screen.text
    assert "Apply complete!" in screen.text
    assert "\x1b[" in screen.text


def test_a_long_copy_shows_how_many_files_are_done(demo: DemoHost) -> None:
    for number in range(1_000):
        Path(demo.root, f"app/static/{number:03}.txt").touch()

    screen = on_a_terminal(
        "apply",
        "--auto-approve",
        cwd=demo.root,
        columns=200,
        env={"NO_COLOR": "1"},
        program=("-c", EVERY_COPY_IS_LONG),
    )

    assert 0 == screen.code, screen.text
    [total] = set(re.findall(r"assets:\S+: [\d,]+ of ([\d,]+) files", screen.text))
    assert 1_000 < int(total.replace(",", "")) < 1_100


def test_no_color_holds_on_a_terminal(demo: DemoHost) -> None:
    screen = on_a_terminal("plan", "--summary", cwd=demo.root, env={"NO_COLOR": "1"})

    assert "\x1b" not in screen.text


def test_prose_is_wrapped_on_a_narrow_terminal(demo: DemoHost) -> None:
    screen = on_a_terminal("apply", "--site", "x" * 30, cwd=demo.root, columns=40)

    assert max(map(len, screen.text.splitlines())) <= 60


def test_a_probe_that_fails_rolls_everything_back(demo: DemoHost, run: Run) -> None:
    add_probe(demo, "{get: /none, expect: {status: 200}}")
    before = manifest(demo)

    done = run("apply", "--auto-approve", cwd=demo.root)

    assert 3 == done.returncode
    assert "GET /none" in done.stderr
    assert "expected 200, got 404" in done.stderr
    assert "Rolled back. The host is as it was before." in done.stdout
    assert before == manifest(demo)
    assert not demo.host.services.status("nginx.service").active


def break_app(demo: DemoHost) -> None:
    """Its front page is an error of its own, and only what every app is asked asks for it."""
    code, yaml = Path(f"{demo.root}/app/app.py"), Path(demo.file)
    code.write_text(code.read_text().replace("return render_template", "return 1 / 0 or abort"))
    yaml.write_text("".join(x for x in yaml.read_text().splitlines(True) if "get: /," not in x))


def test_an_app_that_comes_up_with_an_error_rolls_everything_back(demo: DemoHost, run: Run) -> None:
    break_app(demo)
    before = manifest(demo)

    done = run("apply", "--auto-approve", cwd=demo.root)

    assert 3 == done.returncode, done.stdout + done.stderr
    assert "the app answers over IPv4 and IPv6: expected no 5xx, got 500" in done.stderr
    assert before == manifest(demo)


def test_an_app_that_needs_long_to_start_is_waited_for(demo: DemoHost, run: Run) -> None:
    app = Path(demo.root, "app/app.py")
    app.write_text("import time\ntime.sleep(11)\n" + app.read_text())

    applied = run("apply", "--auto-approve", cwd=demo.root)

    assert 0 == applied.returncode, applied.stderr


def test_an_app_that_answered_with_an_error_before_does_not_stop_an_apply(
    applied: DemoHost, run: Run
) -> None:
    break_app(applied)
    applied.host.services.restart("demo.service")
    os.chmod(f"{applied.root}/www/media", 0o700)

    done = run("apply", "--auto-approve", cwd=applied.root)
    drifted = run("drift", "--json", cwd=applied.root)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "Applied; 2 checks failed before and still do: " in done.stdout
    assert "FAIL    probe:demo the app answers over IPv4 and IPv6: " in done.stdout
    assert "Verified" not in done.stdout
    [document] = documents(drifted.stdout, "drift")
    assert (3, True, False) == (drifted.returncode, document["in_sync"], document["healthy"])


def test_an_app_that_nginx_did_not_reach_before_does_not_stop_an_apply(
    applied: DemoHost, run: Run
) -> None:
    applied.host.services.stop("demo.service")
    applied.host.services.stop("demo.socket")
    add_probe(applied, "{get: /static/css/app.css, expect: {status: 200}}")
    os.chmod(f"{applied.root}/www/media", 0o700)

    done = run("apply", "--auto-approve", "--json", "--exclude", "service:*", cwd=applied.root)

    lines = documents(done.stdout, "apply")
    checks = lines[-1]["checks"]
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "applied" == lines[-1]["result"]
    assert {"fail"} == {check["before_apply"] for check in checks if check["status"] == "fail"}
    assert {None} == {check["before_apply"] for check in checks if check["status"] == "pass"}


def test_a_check_that_passed_before_rolls_the_apply_back_though_others_had_failed(
    applied: DemoHost, run: Run
) -> None:
    break_app(applied)
    applied.host.services.restart("demo.service")
    add_probe(applied, "{get: /none, expect: {status: 200}}")
    os.chmod(f"{applied.root}/www/media", 0o700)

    done = run("apply", "--auto-approve", cwd=applied.root)

    assert 3 == done.returncode
    assert "GET /none" in done.stderr
    assert "the app answers" not in done.stderr
    assert "Still failing" not in done.stdout


def add_failing_site(demo: DemoHost) -> None:
    """A site that shares the folders of the first one, and whose probe fails."""
    yaml = Path(demo.file)
    port = re.search(r"listen: \[.*?\]", yaml.read_text())
    assert port
    site = (
        f"  other:\n    server_names: [other.localhost]\n    {port[0]}\n"
        f"    locations:\n      /files/: {{role: static, dir: {demo.root}/www/other}}\n"
        "    probes: [{get: /none, expect: {status: 200}}]\n"
    )
    yaml.write_text(yaml.read_text() + site)


def test_an_apply_of_one_site_verifies_that_site_alone(demo: DemoHost, run: Run) -> None:
    add_failing_site(demo)

    one = run("apply", "--auto-approve", "--site", "demo", cwd=demo.root)
    other = run("apply", "--auto-approve", "--site", "other", cwd=demo.root)

    assert 0 == one.returncode, one.stdout + one.stderr
    assert 3 == other.returncode
    assert "GET /none" in other.stderr
    assert "probe:demo" not in other.stdout + other.stderr


def test_a_site_that_failed_before_does_not_stop_a_change_of_another(
    demo: DemoHost, run: Run
) -> None:
    add_failing_site(demo)
    applied = run("apply", "--auto-approve", "--no-verify", cwd=demo.root)
    change_the_site(demo, 30)

    done = run("apply", "--auto-approve", cwd=demo.root)

    assert (0, 0) == (applied.returncode, done.returncode), done.stdout + done.stderr
    assert "Applied; 2 checks failed before and still do: " in done.stdout


def test_an_empty_configuration_needs_allow_empty(applied: DemoHost, run: Run) -> None:
    text = Path(applied.file).read_text()
    Path(applied.file).write_text(text.partition("sites:")[0])

    refused = run("apply", "--auto-approve", cwd=applied.root)
    done = run("apply", "--auto-approve", "--allow-empty", cwd=applied.root)

    assert (1, 0) == (refused.returncode, done.returncode), done.stderr
    assert "The configuration declares nothing." in refused.stderr
    assert not os.path.exists(f"{applied.root}/nginx/sites-enabled/demo.conf")


def test_read_failures_are_also_shown_with_the_plan(demo: DemoHost, run: Run) -> None:
    os.rename(f"{demo.root}/app/static", f"{demo.root}/app/elsewhere")

    shown = run("plan", cwd=demo.root)
    listed = run("plan", "--json", cwd=demo.root)

    assert (1, 1) == (shown.returncode, listed.returncode)
    assert shown.stderr.startswith("Error: A part of the host could not be read.\n  why: assets:")
    assert f"{demo.root}/app/static" in shown.stderr
    assert "  fix: " in shown.stderr
    assert shown.stderr == listed.stderr
    assert 1 == len(documents(listed.stdout, "plan"))


def test_a_failed_check_is_no_drift(applied: DemoHost, run: Run) -> None:
    add_probe(applied, "{get: /none, expect: {status: 200}}")

    verified = run("verify", "--json", cwd=applied.root)
    drifted = run("drift", "--json", cwd=applied.root)

    [health], [drift] = documents(verified.stdout, "verify"), documents(drifted.stdout, "drift")
    assert (3, False) == (verified.returncode, health["healthy"])
    assert (3, True, False) == (drifted.returncode, drift["in_sync"], drift["healthy"])


def test_drift_is_reported_and_silence_means_none(applied: DemoHost, run: Run) -> None:
    clean = run("drift", "--quiet", cwd=applied.root)
    os.chmod(f"{applied.root}/www/static/css/app.css", 0o600)
    drifted = run("drift", "--quiet", cwd=applied.root)

    assert (0, "", "") == (clean.returncode, clean.stdout, clean.stderr)
    assert 2 == drifted.returncode
    assert "css/app.css" in drifted.stdout


def test_whoever_holds_the_lock_is_waited_for_or_named(applied: DemoHost, run: Run) -> None:
    with lock(applied.host, "a long apply", timeout_s=0):
        done = run("apply", "--auto-approve", "--lock-timeout", "0.2", cwd=applied.root)

    assert 4 == done.returncode
    assert "a long apply" in done.stderr


def test_ctrl_c_rolls_everything_back(demo: DemoHost) -> None:
    before = manifest(demo)
    with started(demo, "apply", "--auto-approve", "--json") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if b'"apply_complete"' in line)

        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert 130 == process.returncode
    assert "rolled_back" == json.loads(rest.splitlines()[-1])["result"]
    assert before == manifest(demo)


def test_an_apply_continues_when_its_output_is_closed(demo: DemoHost, run: Run) -> None:
    with started(demo, "apply", "--auto-approve") as process:
        noise = without_reader(process)

    assert (0, b"") == (process.returncode, noise)
    assert 0 == run("plan", "--detailed-exitcode", cwd=demo.root).returncode


def test_a_closed_pipe_makes_no_noise(demo: DemoHost) -> None:
    with started(demo, "plan") as process:
        assert b"" == without_reader(process)


def started(demo: DemoHost, *arguments: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *arguments], cwd=demo.root, stdout=pipe, stderr=pipe)


def without_reader(process: subprocess.Popen[bytes]) -> bytes:
    """What comes on stderr when stdout is closed at once."""
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    return process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--site", "dem"], "Did you mean demo?"),
        (["--target", "file:/none"], "file:/none"),
        (["--exclude", "x"], "No site or resource named x."),
    ],
)
def test_a_selection_of_nothing_is_refused(
    demo: DemoHost, run: Run, arguments: list[str], message: str
) -> None:
    done = run("plan", *arguments, cwd=demo.root)

    assert 1 == done.returncode
    assert message in done.stderr


def test_a_mistyped_site_is_not_verified_as_fine(demo: DemoHost, run: Run) -> None:
    done = run("verify", "--site", "dem", cwd=demo.root)

    assert 1 == done.returncode
    assert "Sites in the file: demo." in done.stderr


def test_a_rollback_undoes_the_last_apply(demo: DemoHost, run: Run) -> None:
    before = manifest(demo)
    run("apply", "--auto-approve", cwd=demo.root)

    done = run("rollback", "--auto-approve", cwd=demo.root)

    assert 0 == done.returncode, done.stderr
    assert done.stdout.endswith("Rolled back. The host is as it was before.\n")
    assert before == manifest(demo)
    assert not demo.host.services.status("demo.service").active


def test_a_rollback_shows_what_it_will_do_before_it_asks(applied: DemoHost) -> None:
    before = manifest(applied)

    screen = on_a_terminal(
        "rollback", cwd=applied.root, types="no\n", columns=200, env={"NO_COLOR": "1"}
    )

    shown, _, rest = screen.text.partition("Only 'yes' approves")
    assert 1 == screen.code
    assert "Rollback will undo apply #1 of " in shown
    assert "(reconcile apply --auto-approve):\n  ~ restore   - remove again\n" in shown
    assert f"  - file:{applied.root}/nginx/sites-available/demo.conf\n" in shown
    assert "Warning: the site demo will be removed.\n" in shown
    assert "was not approved; nothing was changed" in rest
    assert before == manifest(applied)


@pytest.mark.parametrize(
    ("option", "shown"), [("--full", "\n      +server {\n"), ("--summary", "/demo.conf\n")]
)
def test_apply_shows_as_much_of_its_plan_as_it_is_asked_to(
    demo: DemoHost, run: Run, option: str, shown: str
) -> None:
    done = run("apply", "--auto-approve", option, cwd=demo.root)

    assert 0 == done.returncode, done.stderr
    assert shown in done.stdout
    assert "lines, --full shows them" not in done.stdout


def change_the_site(demo: DemoHost, megabytes: int) -> None:
    yaml = Path(demo.file)
    yaml.write_text(re.sub(r"\d+MB", f"{megabytes}MB", yaml.read_text()))


def test_a_rollback_goes_back_several_applies_and_verifies_what_it_returns_to(
    applied: DemoHost, run: Run
) -> None:
    first = manifest(applied)
    for megabytes in (30, 40):
        change_the_site(applied, megabytes)
        assert 0 == run("apply", "--auto-approve", cwd=applied.root).returncode

    done = run("rollback", "--auto-approve", "--to", "1", cwd=applied.root)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "Rollback will undo 2 applies, the last one first:\n  apply #3 of " in done.stdout
    assert "Rollback: 0 to bring back, 2 to restore, 0 to remove again.\n" in done.stdout
    assert "Verified: " in done.stdout
    change_the_site(applied, 20)
    assert first == manifest(applied)


def test_after_a_rollback_the_checks_are_those_of_the_state_that_it_returned_to(
    applied: DemoHost, run: Run
) -> None:
    add_probe(applied, "{get: /none, expect: {status: 404}}")
    os.chmod(f"{applied.root}/www/media", 0o700)
    assert 0 == run("apply", "--auto-approve", cwd=applied.root).returncode

    done = run("rollback", "--auto-approve", "--json", cwd=applied.root)

    names = {line["check"]["name"] for line in documents(done.stdout, "apply") if "check" in line}
    assert 0 == done.returncode, done.stdout + done.stderr
    assert any("the app answers" in name for name in names)
    assert not any("GET /none" in name for name in names)


def test_what_failed_before_a_rollback_is_reported_with_it(applied: DemoHost, run: Run) -> None:
    change_the_site(applied, 30)
    assert 0 == run("apply", "--auto-approve", cwd=applied.root).returncode
    applied.host.services.stop("demo.service")
    applied.host.services.stop("demo.socket")

    done = run("rollback", "--auto-approve", cwd=applied.root)

    assert "failed before and still do" in done.stdout
    assert 0 == done.returncode, done.stdout


def test_a_second_rollback_goes_further_back_and_warns_of_the_site_that_goes(
    applied: DemoHost, run: Run
) -> None:
    change_the_site(applied, 30)
    run("apply", "--auto-approve", cwd=applied.root)

    once = run("rollback", "--auto-approve", cwd=applied.root)
    twice = run("rollback", "--auto-approve", "--json", cwd=applied.root)

    assert "Warning" not in once.stdout
    notes = [line["message"] for line in documents(twice.stdout, "apply") if line["type"] == "note"]
    assert ["Warning: the site demo will be removed."] == notes
    assert 0 == twice.returncode


def test_rollback_does_not_prompt_when_there_is_nothing_to_undo(demo: DemoHost) -> None:
    screen = on_a_terminal("rollback", cwd=demo.root, types="yes\n")

    assert 1 == screen.code
    assert "No apply can be rolled back" in screen.text
    assert "approves" not in screen.text


def test_the_history_shows_who_did_what(demo: DemoHost, run: Run) -> None:
    run("apply", "--auto-approve", cwd=demo.root)
    run("rollback", "--auto-approve", cwd=demo.root)

    listed = run("history", cwd=demo.root)
    [document] = documents(run("history", "--json", cwd=demo.root).stdout, "history")

    assert ["applied", "rolled_back"] == [entry["result"] for entry in document["entries"]]
    assert "applied (8 changes)" in listed.stdout
    assert "rolled back (8 changes)" in listed.stdout
    assert "reconcile rollback --auto-approve" in listed.stdout
    assert [] == document["problems"]


def test_the_graph_is_the_same_as_json(demo: DemoHost, run: Run) -> None:
    [document] = documents(run("graph", "--json", cwd=demo.root).stdout, "graph")

    requires = {item["address"]: item["requires"] for item in document["resources"]}
    assert f"unit:{demo.root}/state/units/demo.service" in requires["service:demo.service"]
    assert {address for above in requires.values() for address in above} <= requires.keys()


@pytest.mark.parametrize(
    ("options", "edge"), [((), '"service:demo.service" -> "unit:'), (("--mermaid",), " --> ")]
)
def test_the_graph_shows_what_requires_what(
    demo: DemoHost, run: Run, options: tuple[str, ...], edge: str
) -> None:
    done = run("graph", *options, cwd=demo.root)

    assert 0 == done.returncode
    assert edge in done.stdout


def test_a_new_site_is_not_excused_by_an_error_of_the_default_server(
    demo: DemoHost, run: Run
) -> None:
    break_app(demo)
    port = re.search(r"listen: \[(\d+)\]", Path(demo.file).read_text())
    assert port
    enabled = Path(f"{demo.root}/nginx/sites-enabled")
    enabled.mkdir(exist_ok=True)
    dead = f"server {{ listen {port[1]}; listen [::]:{port[1]}; return 502; }}"
    (enabled / "another.conf").write_text(dead)
    demo.host.services.start("nginx.service")

    done = run("apply", "--auto-approve", cwd=demo.root)

    assert 3 == done.returncode, done.stdout + done.stderr
    assert "the app answers over IPv4 and IPv6: expected no 5xx, got 500" in done.stderr


def test_a_site_that_is_added_to_a_running_nginx_is_reloaded_in_the_same_apply(
    applied: DemoHost, run: Run
) -> None:
    change_the_site(applied, 30)
    assert 0 == run("apply", "--auto-approve", cwd=applied.root).returncode
    add_failing_site(applied)
    yaml = Path(applied.file)
    yaml.write_text(
        yaml.read_text().replace("get: /none, expect: {status: 200}", "get: /files/health.txt")
    )

    done = run("apply", "--auto-approve", cwd=applied.root)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "nginx_live:" in done.stdout
