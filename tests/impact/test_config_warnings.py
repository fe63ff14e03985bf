"""What is not ours and touches our sites is told with its fix, and never touched."""

from __future__ import annotations

import pytest

from reconcile.engine.model import Finding
from tests.impact.conftest import GuidesHost

pytestmark = pytest.mark.process


def found(guide: GuidesHost, rule: str) -> list[Finding]:
    return [finding for finding in guide.plan().findings if finding.rule == rule]


def shown(guide: GuidesHost, text: str) -> str:
    return text.replace(str(guide.root), "ROOT")


def test_another_site_with_our_name_that_comes_first_is_an_error(guide: GuidesHost) -> None:
    guide.write("nginx/sites-enabled/a-rival", "server { listen 80; server_name example.com; }")

    [clash] = found(guide, "dup-server")

    assert (
        "error",
        "Another server already answers for example.com; nginx would ignore this site.",
    ) == (
        clash.severity,
        clash.what,
    )
    assert "ROOT/nginx/sites-enabled/a-rival:1: answers on 0.0.0.0:80" == shown(
        guide, clash.evidence[0]
    )
    assert "a-rival:1" in clash.fix


def test_a_name_taken_from_another_site_is_a_warning(guide: GuidesHost) -> None:
    rival = guide.write(
        "nginx/sites-enabled/z-rival", "server { listen 80; server_name example.com; }"
    )
    before = rival.read_bytes()

    [clash] = found(guide, "dup-server")
    guide.apply()

    assert ("warning", True) == (clash.severity, "z-rival:1" in clash.fix)
    assert before == rival.read_bytes()


def test_a_server_on_one_address_that_captures_our_name_is_a_warning(guide: GuidesHost) -> None:
    guide.write(
        "nginx/sites-enabled/panel", "server { listen 10.0.0.5:80 default_server; return 444; }"
    )

    [capture] = found(guide, "default-server-capture")

    assert "Another server answers for example.com on 10.0.0.5:80." == capture.what
    assert "sites-enabled/panel:1" in capture.evidence[1]


def test_a_server_of_another_port_captures_nothing(guide: GuidesHost) -> None:
    guide.write("nginx/sites-enabled/panel", "server { listen 10.0.0.5:81; return 444; }")

    assert [] == found(guide, "default-server-capture")


@pytest.mark.parametrize("name", ["myapp.conf~", "old.bak", "x.dpkg-dist", "#x#"])
def test_a_leftover_that_nginx_reads_is_reported(guide: GuidesHost, name: str) -> None:
    guide.write(f"nginx/sites-enabled/{name}", "server { listen 81; }")

    [stray] = found(guide, "sites-enabled-hygiene")

    assert f"ROOT/nginx/sites-enabled/{name} looks like a leftover, but nginx reads it." == shown(
        guide, stray.what
    )


@pytest.mark.parametrize(
    ("data", "called"),
    [
        (b"\n\xef\xbb\xbfserver { listen 81; }", "a byte order mark"),
        (b"# caf\xc3\xa9\nserver { listen\xc2\xa081; }", "a no-break space"),
    ],
)
def test_an_invisible_byte_is_reported_with_its_line(
    guide: GuidesHost, data: bytes, called: str
) -> None:
    guide.write("nginx/sites-enabled/pasted", data)

    [stray] = found(guide, "sites-enabled-hygiene")

    assert f"ROOT/nginx/sites-enabled/pasted:2 contains {called}." == shown(guide, stray.what)


def test_such_a_byte_in_a_comment_does_no_harm(guide: GuidesHost) -> None:
    guide.write("nginx/sites-enabled/pasted", b"# no\xc2\xa0break\nserver { listen 81; }")

    assert [] == found(guide, "sites-enabled-hygiene")


def test_a_link_that_leads_to_nothing_is_reported_with_its_fix(guide: GuidesHost) -> None:
    dangling = guide.root / "nginx/sites-enabled/gone"
    dangling.symlink_to("/nowhere")

    [unpredicted] = [one for one in guide.plan().findings if one.rule == "foresight"]

    assert f"{dangling} is a broken symlink: remove it." == unpredicted.fix


def test_a_site_without_rivals_has_no_findings(guide: GuidesHost) -> None:
    assert () == guide.plan().findings
