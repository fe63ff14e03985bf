"""Parts of the doctor that need no host: sandboxes, log lines, settings, and failing rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.guide_rows import ROWS
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.nginx_error_log import parse_error_log
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note
from reconcile.doctor.unit_sandbox import blocking_setting, hiding_setting
from reconcile.doctor.units import UnitView
from reconcile.doctor.upload_settings import settings_from_environment, settings_from_source
from reconcile.engine.model import Finding
from reconcile.errors import ReconcileError
from reconcile.output.findings import Diagnosis, doctor_markdown, doctor_text
from reconcile.output.sarif import sarif_text
from reconcile.output.style import Style
from reconcile.system import Host


@pytest.mark.parametrize(
    ("settings", "folder", "word"),
    [
        ({}, "/var/www/media", ""),
        ({"ProtectSystem": "no"}, "/usr/share/media", ""),
        ({"ProtectSystem": "yes"}, "/usr/share/media", "ProtectSystem=yes"),
        ({"ProtectSystem": "yes"}, "/etc/media", ""),
        ({"ProtectSystem": "full"}, "/etc/media", "ProtectSystem=full"),
        ({"ProtectSystem": "full"}, "/var/www/media", ""),
        ({"ProtectSystem": "strict"}, "/var/www/media", "ProtectSystem=strict"),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/var/www"}, "/var/www/media", ""),
        ({"ProtectSystem": "strict", "ReadWritePaths": "-/var/www"}, "/var/www/media", ""),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/var/w"}, "/var/www/media", "strict"),
        ({"ProtectSystem": "strict", "StateDirectory": "shop"}, "/var/lib/shop/media", ""),
        ({"ReadOnlyPaths": "/var/www"}, "/var/www/media", "ReadOnlyPaths"),
        ({"ReadOnlyPaths": "/var/www", "ReadWritePaths": "/var/www/media"}, "/var/www/media", ""),
        ({"ReadWritePaths": "/var", "ReadOnlyPaths": "/var/www"}, "/var/www/m", "ReadOnlyPaths"),
        ({"InaccessiblePaths": "/var/www"}, "/var/www/media", "InaccessiblePaths"),
        ({"ProtectHome": "yes"}, "/home/shop/media", "ProtectHome=yes"),
        ({"ProtectHome": "read-only"}, "/home/shop/media", "ProtectHome=read-only"),
        ({"ProtectHome": "yes"}, "/homestead/media", ""),
        ({"PrivateTmp": "yes"}, "/tmp/media", "PrivateTmp"),
        ({"PrivateTmp": "yes"}, "/var/tmp/media", "PrivateTmp"),
        ({"DynamicUser": "yes"}, "/var/www/media", "ProtectSystem=strict"),
    ],
)
def test_a_sandbox_denies_what_systemd_documents(
    settings: dict[str, str], folder: str, word: str
) -> None:
    why = blocking_setting(UnitView("shop.service", settings), folder)

    assert word in why
    assert bool(word) == bool(why)


def test_a_private_tmp_hides_a_socket_and_a_read_only_system_does_not() -> None:
    assert hiding_setting(UnitView("a.service", {"PrivateTmp": "yes"}), "/tmp/a.sock")
    assert not hiding_setting(UnitView("a.service", {"ProtectSystem": "strict"}), "/run/a.sock")


def test_lines_of_an_error_log_give_their_path_and_number() -> None:
    text = (
        '2026/11/22 10:00:00 [error] 7#7: *3 open() "/srv/a b/x.css" failed'
        " (13: Permission denied), client: 127.0.0.1"
    )

    (line,) = parse_error_log("/var/log/nginx/error.log", [text, "no line of nginx"])

    assert ("open()", "/srv/a b/x.css", 13) == (line.call, line.path, line.errno)


@pytest.mark.parametrize(
    ("source", "folders"),
    [
        ('app.config["UPLOAD_FOLDER"] = "/srv/media"', ["/srv/media"]),
        ('ROOT = "/srv"\napp.config["UPLOAD_FOLDER"] = os.path.join(ROOT, "up")', ["/srv/up"]),
        ('app.config["UPLOAD_FOLDER"] = "/a"\napp.config["UPLOAD_FOLDER"] = "/b"', ["/b"]),
        ('app.config["UPLOAD_FOLDER"] = os.environ["X"]', []),
        ('app.config["UPLOAD_FOLDER"] = "uploads"', []),
        ('MEDIA_ROOT = "/never/used"', []),
        ("this is no Python", []),
        ("\0", []),
    ],
)
def test_the_source_of_an_app_is_read_and_never_run(source: str, folders: list[str]) -> None:
    assert folders == [
        setting.folder for setting in settings_from_source("app.py", source.encode())
    ]


def test_the_environment_of_a_unit_may_name_the_folder() -> None:
    environment = {"FLASK_UPLOAD_FOLDER": "/srv/up", "UPLOAD_FOLDER": "relative", "HOME": "/root"}

    assert ["/srv/up"] == [
        one.folder for one in settings_from_environment("a.service", environment)
    ]


Check = Callable[[HostInspection], Iterator[RuleResult]]


def a_rule(check: Check, rule_id: str, *guide_rows: str) -> Rule:
    return Rule(
        id=rule_id,
        summary="A summary.",
        severity="error",
        help="What to do.",
        reads=("files",),
        guide_rows=guide_rows,
        check=check,
    )


def broken(_: HostInspection) -> Iterator[RuleResult]:
    yield error("found before it failed", "evidence", fix="fix")
    raise ReconcileError("the disk cannot be read", "input/output error")


def faulty(_: HostInspection) -> Iterator[RuleResult]:
    raise KeyError("a bug")
    yield note("never")


def half_blind(_: HostInspection) -> Iterator[RuleResult]:
    yield Inconclusive("/srv/secret", "permission denied")
    yield note("a note")


def fine(_: HostInspection) -> Iterator[RuleResult]:
    yield error("something else", "evidence", fix="fix")


def test_a_rule_that_fails_is_unknown_and_hides_neither_itself_nor_another() -> None:
    rules = [a_rule(check, check.__name__) for check in (broken, faulty, half_blind, fine)]

    found = diagnose(HostInspection(Host()), rules)

    assert ["broken", "fine", "half_blind"] == [finding.rule for finding in found.findings]
    assert ["broken", "faulty", "half_blind"] == [unknown.ref.name for unknown in found.unknown]
    assert 1 == found.exit_code()


@pytest.mark.parametrize(
    ("check", "code"), [(lambda _: iter(()), 0), (lambda _: iter([note("n")]), 0), (fine, 2)]
)
def test_only_what_is_serious_changes_the_exit_code(check: Check, code: int) -> None:
    found = diagnose(HostInspection(Host()), [a_rule(check, "rule", "CC1")])

    assert code == found.exit_code()
    assert all(finding.source == ROWS["CC1"] for finding in found.findings)


HOSTILE = "/srv/\x1b[2J`<img src=x>|\n# heading"


def test_text_from_the_host_writes_on_no_terminal_and_is_no_markup() -> None:
    rule = a_rule(lambda _: iter([error(HOSTILE, HOSTILE, fix=HOSTILE)]), "rule")
    found = diagnose(HostInspection(Host()), [rule])

    text = doctor_text(found)
    markdown = doctor_markdown(found)
    sarif = json.loads(sarif_text(found))

    assert "\x1b" not in text + markdown + json.dumps(sarif)
    assert "\n# heading" not in text + markdown
    assert "<img" not in markdown.replace("\\<img", "").replace("'<img", "")


@pytest.mark.parametrize(
    ("bind", "is_it"),
    [
        ("unix:/srv/shop/app.sock", True),
        ("unix:app.sock", True),
        ("unix:./app.sock", True),
        ("unix:run/app.sock", False),
        ("unix:other.sock", False),
        ("127.0.0.1:8000", False),
    ],
)
def test_a_unit_binds_the_socket_that_its_command_names_be_it_beside_its_folder(
    bind: str, is_it: bool
) -> None:
    command = f"{{ path=/usr/bin/gunicorn ; argv[]=/usr/bin/gunicorn -b {bind} app:app ; }}"
    unit = UnitView("a.service", {"ExecStart": command, "WorkingDirectory": "/srv/shop"})

    assert is_it == unit.binds("/srv/shop/app.sock")


@pytest.mark.parametrize(
    "fix",
    [
        "setfacl -m u:www-data:x /srv/very/long && setfacl -m u:www-data:x /srv/very/long/path",
        "/etc/nginx/sites-enabled/shop.conf:12: location ^~ /static/ { alias /srv/static/; }",
    ],
)
def test_what_is_pasted_is_never_wrapped(fix: str) -> None:
    finding = Finding("a-rule", "error", "It is so.", ("x",), fix)

    text = doctor_text(Diagnosis("web1", (finding,), (), rules=1), Style(width=60))

    assert f"fix: {fix}\n" in text


@pytest.mark.parametrize(("rules", "shown"), [(1, "1 rule"), (2, "2 rules")])
def test_the_verdict_counts_rules(rules: int, shown: str) -> None:
    text = doctor_text(Diagnosis("web1", (), (), rules=rules), Style(width=60))

    assert text.rstrip().splitlines()[-1].startswith(f"{shown} on web1: no problems")
