"""The guide's ten boxes: what ticks one, and what opens it again on a real host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconcile.config.load import load_bytes
from reconcile.config.probes import Endpoint, HttpProbe, Probe, UploadDirectoryProbe, UploadProbe
from reconcile.doctor.guide_rows import CHECKLIST
from reconcile.doctor.read_declaration import declaration
from reconcile.doctor.rule import error, note, warning
from reconcile.doctor.site_checklist import (
    NOT_APPLICABLE,
    checklist_item,
    checks_by_row,
    probe_evidence,
    rule_evidence,
)
from reconcile.engine.model import Check, Finding, Unknown
from reconcile.engine.resource import Ref
from reconcile.output.checklist import checklist_text
from reconcile.output.findings import Diagnosis
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site
from tests.support.guide_site import EXAMPLE

PASS, FAIL = Check("probe:shop a over v4", "pass", "200"), Check("probe:shop b", "fail", "403")
DARK, SKIPPED = Check("probe:shop c", "unknown", "?"), Check("probe:shop d over v6", "skipped", "")
UNREAD = Unknown(Ref("rule", "nginx-read"), "refused")


@pytest.mark.parametrize(
    ("findings", "unknown", "checks", "status", "told"),
    [
        ((), (), (PASS,), "pass", "shop a over v4: 200"),
        ((), (), (PASS, SKIPPED), "pass", "shop a over v4: 200"),
        ((note("so so"),), (), (PASS,), "pass", "shop a over v4: 200"),
        ((error("shut", fix=""),), (), (PASS,), "fail", "shut"),
        ((warning("ajar", fix=""),), (), (PASS,), "fail", "ajar"),
        ((error("shut.", fix=""), error("ajar.", fix="")), (), (), "fail", "shut; ajar."),
        ((), (), (PASS, FAIL), "fail", "shop b: 403"),
        ((error("shut", fix=""),), (UNREAD,), (FAIL,), "fail", "shut; shop b: 403"),
        ((), (UNREAD,), (PASS,), "unknown", "nginx-read: refused"),
        ((), (), (PASS, DARK), "unknown", "shop c: ?"),
        ((), (), (SKIPPED,), "skipped", NOT_APPLICABLE),
        ((), (), (), "skipped", NOT_APPLICABLE),
    ],
)
def test_a_box_is_ticked_by_evidence_alone(
    findings: tuple[Finding, ...],
    unknown: tuple[Unknown, ...],
    checks: tuple[Check, ...],
    status: str,
    told: str,
) -> None:
    said = rule_evidence(Diagnosis("web1", findings, unknown, 1))

    ticked = checklist_item("shop", "CL5", said + probe_evidence(checks))

    assert ("checklist:shop:5", status, told) == (
        ticked.check.name,
        ticked.check.status,
        ticked.check.detail,
    )


AT = Endpoint("http", "shop.test", 80, ("127.0.0.1",))
CANARY = UploadDirectoryProbe("probe:shop m", "shop", AT, "/media/", "/srv/media", "www-data")
UPLOAD = UploadProbe("probe:shop u", "shop", AT, "/upload", "file", "/media/{filename}")
HEALTH = HttpProbe("probe:shop h", "shop", AT, "/static/health.txt")
OTHER = HttpProbe("probe:shop o", "shop", AT, "/")
YAML = b"""
version: 1
sites:
  shop:
    server_names: [shop.test]
    locations:
      /static/: {role: static, dir: /srv/static}
      /media/: {role: media, dir: /srv/media}
  blog:
    server_names: [blog.test]
    locations:
      /files/: {role: media, dir: /srv/files}
"""


@pytest.mark.parametrize(
    ("probe", "name", "rows"),
    [
        (CANARY, "probe:shop m", {"CL6": "fail", "CL9": "unknown"}),
        (CANARY, "probe:shop m over v4", {"CL6": "pass", "CL9": "fail"}),
        (UPLOAD, "probe:shop u", {"CL4": "fail"}),
        (HEALTH, "probe:shop h over v4", {"CL8": "fail"}),
        (OTHER, "probe:shop o over v4", {}),
    ],
)
def test_a_failed_probe_opens_the_box_that_it_proves(
    probe: Probe, name: str, rows: dict[str, str]
) -> None:
    declared = declaration(load_bytes(YAML, "reconcile.yaml"))

    found = checks_by_row([probe], [Check(name, "fail", "no")], declared)

    assert rows == {row: check.status for row, checks in found.items() for check in checks}


def test_static_files_that_the_yaml_leaves_to_the_app_are_no_failure() -> None:
    said = rule_evidence(Diagnosis("web1", (error("/static/ reaches the app.", fix=""),), (), 1))

    item = checklist_item("shop", "CL8", said, is_declared=False)

    assert ("skipped", "/static/ reaches the app; Add /static/ to sites.shop.locations") == (
        item.check.status,
        item.check.detail.partition(" to let")[0],
    )


def test_the_boxes_of_a_site_are_about_its_own_locations() -> None:
    own = declaration(load_bytes(YAML, "reconcile.yaml")).of_site("blog")

    assert (["/files/"], {"blog": ("blog.test",)}) == (
        [one.prefix for one in own.locations],
        own.sites,
    )


def test_the_boxes_are_printed_as_people_tick_them() -> None:
    boxes = [
        (status, Check("checklist:shop:1", status, "seen"))
        for status in ("pass", "fail", "unknown", "skipped")
    ]

    assert [
        "shop",
        *("  [x] pass", "         seen"),
        *("  [ ] fail", "         seen"),
        *("  [?] unknown", "         seen"),
        *("  [-] skipped", "         seen"),
    ] == checklist_text("shop", boxes).splitlines()


@pytest.fixture(scope="module")
def built(module_hosts: Boot) -> DebianHost:
    """The example, applied as its header says."""
    host = module_hosts("ticked")
    host.put_tree(EXAMPLE, "/srv/myapp")
    host.run("ln", "-s", "/opt/apps-venv", "/srv/myapp/.venv")
    host.reconcile("apply", "--auto-approve", cwd="/srv/myapp", check=True)
    return host


def ticked(host: DebianHost) -> tuple[int, dict[int, str]]:
    """The exit code, and the status of each box."""
    done = host.reconcile("verify", "--json", cwd="/srv/myapp")
    checks: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    boxes = {
        int(check["name"].removeprefix("checklist:myapp:")): str(check["status"])
        for check in checks
        if check["name"].startswith("checklist:")
    }
    return done.returncode, boxes


@pytest.mark.host
def test_a_host_that_apply_built_has_ten_ticks(built: DebianHost) -> None:
    done = built.reconcile("verify", cwd="/srv/myapp")

    lines = [line for line in done.stdout.splitlines() if line.startswith("  [")]
    assert 0 == done.returncode, done.stdout + done.stderr
    assert [f"  [x] {n}. {title}" for n, title in enumerate(CHECKLIST.values(), 1)] == lines


@pytest.mark.host
def test_a_parent_that_is_closed_to_all_unchecks_its_items_and_no_others(built: DebianHost) -> None:
    built.run(
        "sh",
        "-c",
        "mkdir /srv/shut && mv /var/www/myapp/media /srv/shut/media"
        " && sed -i s,/var/www/myapp/media,/srv/shut/media,"
        " /srv/myapp/reconcile.yaml /srv/myapp/app/app.py",
    )
    built.reconcile("apply", "--auto-approve", cwd="/srv/myapp", check=True)
    before = ticked(built)
    built.run("chmod", "0700", "/srv/shut")

    code, boxes = ticked(built)

    assert (0, dict.fromkeys(range(1, 11), "pass")) == before
    assert 3 == code
    assert {4: "fail", 5: "fail", 6: "fail", 9: "unknown"} == {
        n: status for n, status in boxes.items() if status != "pass"
    }


SECOND = """
  blog:
    server_names: [blog.test]
    locations:
      /static/: {role: static, dir: /var/www/blog/static}
      /media/: {role: media, dir: /var/www/blog/media}
"""


@pytest.mark.host
def test_what_sites_share_is_read_once_for_all_of_them(module_hosts: Boot) -> None:
    host = module_hosts("shared")
    site.deploy(host, site.SMALLEST + SECOND)
    site.apply(host)

    host.run(
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=execve",
        "-o",
        "/root/calls",
        "reconcile",
        "verify",
        "-f",
        "/etc/reconcile/reconcile.yaml",
    )

    calls = host.read("/root/calls").decode()
    asked = (
        '"/usr/sbin/nginx", "-t"',
        '"show", "--no-pager", "--all"',
    )
    assert dict.fromkeys(asked, 1) == {what: calls.count(what) for what in asked}
