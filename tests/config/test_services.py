"""What runs beside the web process: its units, and what cannot be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.resources.directory import Directory
from reconcile.resources.service import Service
from reconcile.resources.unit import Unit
from reconcile.system.services.process.unit_file import parse
from tests.support.host_facts import HOST, IMAGE, SANDBOX, compile_text, desired
from tests.support.yaml_examples import errors_in

EXAMPLES = Path(__file__).parents[2] / "examples/services"
WORKER = "command: [/srv/a/.venv/bin/celery, -A, app, worker], code: /srv/a"


def services(*lines: str) -> str:
    """A file with these services."""
    return "version: 1\nservices:\n" + "".join(f"  {line}\n" for line in lines)


def unit(text: str, name: str) -> str:
    found = desired(text)[f"unit:/etc/systemd/system/{name}"]
    assert isinstance(found, Unit)
    return str(found.content)


def service(text: str, name: str) -> Service:
    found = desired(text)[f"service:{name}"]
    assert isinstance(found, Service)
    return found


def test_a_worker_is_enabled_and_runs_always_as_the_owner_of_uploads() -> None:
    text = services(f"w: {{{WORKER}}}")

    worker, lines = service(text, "w.service"), unit(text, "w.service").splitlines()

    assert (True, True, "worker") == (worker.enabled, worker.active, worker.role)
    assert worker.runs is not None
    assert {
        "ExecStart=/srv/a/.venv/bin/celery -A app worker",
        "User=www-data",
        "WorkingDirectory=/srv/a",
        "Restart=always",
        "ProtectSystem=strict",
        "WantedBy=multi-user.target",
    } <= {*lines}


def test_a_schedule_is_kept_by_a_timer_which_alone_is_enabled() -> None:
    text = services('n: {command: [/bin/true], schedule: "Mon..Fri 03:30"}')

    timer, job = service(text, "n.timer"), service(text, "n.service")

    assert (True, True, "timer") == (timer.enabled, timer.active, timer.role)
    assert (False, None, None, "job") == (job.enabled, job.active, job.runs, job.role)
    assert "OnCalendar=Mon..Fri 03:30" in unit(text, "n.timer").splitlines()
    assert "Type=oneshot" in unit(text, "n.service").splitlines()


def test_the_code_and_the_virtual_environment_of_a_worker_are_watched() -> None:
    worker = service(services(f"w: {{{WORKER}, writable: [/srv/a/var, /srv/else]}}"), "w.service")

    assert ((), "/srv/a") == (worker.code, worker.code_folder)
    assert (("/srv/a/var",), ("/srv/a/.venv",)) == (
        worker.code_excluded,
        worker.code_environments,
    )


def test_words_and_variables_reach_the_program_literally() -> None:
    text = services(
        """w: {command: [/bin/echo, "a b", '$HOME', "100%", ";", 'say "x"'],"""
        """ environment: {A: "1 $B %h"}}"""
    )

    program = parse("w.service", unit(text, "w.service"), runtime_root="/run")

    assert ("/bin/echo", "a b", "$HOME", "100%", ";", 'say "x"') == program.command
    assert {"A": "1 $B %h"} == program.environment


def test_what_it_may_write_is_made_for_its_user_and_nothing_else_is_writable() -> None:
    text = services(f"w: {{{WORKER}, user: daemon, writable: [/var/lib/a/x]}}")

    folder = desired(text)["directory:/var/lib/a/x"]

    assert isinstance(folder, Directory)
    assert ("daemon", True) == (folder.user, folder.protected)
    assert "ReadWritePaths=/var/lib/a/x" in unit(text, "w.service").splitlines()
    assert "directory:/var/lib/a/x" in service(text, "w.service").needs


def test_a_file_of_roots_reaches_the_program_as_a_credential_too() -> None:
    head = services(f"w: {{{WORKER}, environment_file: /etc/a/app.env}}")
    owned = '  /etc/a/app.env: {owner: {user: root, group: root, files: "0600"}, content: "A=1"}\n'

    lines = unit(head + "paths:\n" + owned, "w.service").splitlines()

    assert {"EnvironmentFile=/etc/a/app.env", "LoadCredential=app.env:/etc/a/app.env"} <= {*lines}
    assert "file:/etc/a/app.env" in service(head + "paths:\n" + owned, "w.service").needs
    assert "LoadCredential" not in unit(head, "w.service")


def test_a_variable_that_looks_like_a_secret_is_noted() -> None:
    found = compile_text(services(f"w: {{{WORKER}, environment: {{API_TOKEN: x}}}}")).findings

    assert ["readable-secret"] == [one.rule for one in found]


def test_the_process_manager_keeps_no_schedule_and_that_is_noted() -> None:
    text = services("n: {command: [/bin/true], schedule: daily}", f"w: {{{WORKER}}}")

    assert {"service:w.service", "unit:/home/me/state/units/w.service"} == {
        ref for ref in desired(text, SANDBOX) if not ref.startswith("directory:")
    }
    assert ["no-timers"] == [one.rule for one in compile_text(text, SANDBOX).findings]


def test_in_an_image_services_are_enabled_and_not_started() -> None:
    found = desired(services(f"w: {{{WORKER}}}"), IMAGE)["service:w.service"]

    assert isinstance(found, Service)
    assert (True, None, None, None) == (found.enabled, found.active, found.runs, found.code)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"w.service: {{{WORKER}}}", "has the type of a unit"),
        (f"w@: {{{WORKER}}}", "is not the name of a service"),
        (f'"../w": {{{WORKER}}}', "is not the name of a service"),
        (f'"a b": {{{WORKER}}}', "is not the name of a service"),
        (f"nginx: {{{WORKER}}}", "is a unit of the host's own"),
        (f"systemd-journald: {{{WORKER}}}", "is a unit of the host's own"),
        (f"reconcile-drift: {{{WORKER}}}", "is a unit of the host's own"),
        ("w: {}", "command"),
        ("w: {command: []}", "the command is empty"),
        ("w: {command: [celery]}", "is not an absolute path"),
        ('w: {command: [/bin/sh, "a\\nb"]}', "is not an argument"),
        ("w: {command: [/bin/true], schedule: dayly}", "is not a schedule"),
        ("w: {command: [/bin/true], code: /usr/lib}", "belongs to the system"),
        ("w: {command: [/bin/true], writable: [/etc]}", "belongs to the system"),
        (f"w: {{{WORKER}, writable: [/srv]}}", "belongs to the system"),
        ("w: {command: [/srv/a/run], writable: [/srv/a]}", "contains `command`"),
        ("w: {command: [/bin/true], environment: {LD_PRELOAD: x}}", "belongs to the unit"),
    ],
)
def test_what_cannot_be_a_service_is_refused(line: str, message: str) -> None:
    errors = errors_in(services(line))

    assert any(message in error for error in errors), errors


def test_a_service_cannot_have_the_unit_of_an_app_or_of_a_path() -> None:
    site = (
        "sites: {shop: {server_names: [a.test], app: {service: w.service,"
        ' upstream: "http://127.0.0.1:8000"}}}\n'
    )
    path = 'paths: {/etc/systemd/system/w.service: {content: "x"}}\n'

    assert any("is the app of" in one for one in errors_in(services(f"w: {{{WORKER}}}") + site))
    assert any("`paths` declares" in one for one in errors_in(services(f"w: {{{WORKER}}}") + path))


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_valid_and_compiles_to_units(example: Path) -> None:
    text = example.read_text()

    assert [] == errors_in(text)
    assert {"unit", "service"} <= {one.resource.kind for one in compile_text(text, HOST).declared}
