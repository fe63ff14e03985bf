"""One cause is one finding: it names the cause, and lists what else it leads to."""

from __future__ import annotations

import pytest

from reconcile.doctor.shared_causes import MOST_EFFECTS, with_one_finding_per_cause
from reconcile.engine.model import Finding
from reconcile.output.findings import Diagnosis
from tests.doctor.on_hosts import ON_HOSTS
from tests.doctor.throwaway import Diagnosed, diagnose_hosts

SITE = """
#: static /srv/shop/static
#: media /srv/shop/media deploy
#: cert shop.example
{shell}
server {{
    listen 80;
    server_name shop.example;
    location /static/ {{ alias /srv/shop/static/; }}
    location /media/ {{ alias /srv/shop/media/; }}
    location ~ /\\. {{ return 404; }}
    location / {{
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto $scheme;
    }}
}}
{other}
"""
APP = "app 127.0.0.1:8000 deploy /srv/shop/media"
LINEAGE = "/etc/letsencrypt/live/shop.example"
TLS = f"listen 443 ssl; ssl_certificate {LINEAGE}/fullchain.pem;" + (
    f" ssl_certificate_key {LINEAGE}/privkey.pem; return 404;"
)
ASKS = "; ".join(
    f"curl -s -o /dev/null -H 'Host: shop.example' http://127.0.0.1{path}"
    for path in ("/static/css/app.css", "/static/js/app.js", "/media/2024/photo.jpg", "/page")
)


def site(*shell: str, other: str = "") -> str:
    return SITE.format(shell="\n".join(f"#: {line}" for line in shell), other=other)


HOSTS = {
    "a healthy twin": site(APP, f"later {ASKS}"),
    "a closed folder": site(APP, "chmod 700 /srv/shop", f"later {ASKS}"),
    "closed files": site(APP, "chmod 600 /srv/shop/static/*/*", f"later {ASKS}"),
    "a missing folder": site(APP, "later rm -r /srv/shop"),
    "a dead app": site(
        f"later {ASKS}",
        other="server { listen 80; server_name b.example;"
        " location / { proxy_pass http://127.0.0.1:8000; } }",
    ),
    "a missing certificate": site(
        APP,
        f"later rm -r {LINEAGE}",
        other=f"server {{ server_name shop.example; {TLS} }}\n"
        f"server {{ server_name b.example; {TLS} }}",
    ),
}
CAUSES = {
    "a closed folder": ("nginx-read", "cannot enter /srv/shop: "),
    "closed files": ("nginx-read", "cannot read 3 files in /srv/shop/static."),
    "a missing folder": ("alias-target", "/srv/shop/static, served by"),
    "a dead app": ("socket-chain", "nothing listens on 127.0.0.1:8000"),
    "a missing certificate": ("tls-certificate", f"{LINEAGE}/fullchain.pem does not exist"),
}


@pytest.fixture(scope="module")
def diagnosed() -> dict[str, Diagnosed]:
    return diagnose_hosts(HOSTS)


def problems(found: Diagnosed) -> list[dict[str, str]]:
    return [one for one in found["findings"] if one["severity"] != "note"]


class TestOnHosts:
    pytestmark = ON_HOSTS

    @pytest.mark.parametrize("host", CAUSES)
    def test_a_cause_is_one_finding(self, diagnosed: dict[str, Diagnosed], host: str) -> None:
        [finding] = problems(diagnosed[host])

        rule, what = CAUSES[host]
        assert rule == finding["rule"]
        assert what in finding["what"]
        assert [line for line in finding["evidence"] if line.startswith("also: ")]

    def test_a_host_without_the_cause_has_no_finding(self, diagnosed: dict[str, Diagnosed]) -> None:
        assert [] == problems(diagnosed["a healthy twin"])

    def test_a_closed_folder_lists_everybody_who_is_denied(
        self, diagnosed: dict[str, Diagnosed]
    ) -> None:
        [finding] = problems(diagnosed["a closed folder"])

        effects = "\n".join(finding["evidence"])
        for what in ("location /media/", "user deploy) cannot write", "/static/js/app.js of"):
            assert what in effects
        assert (
            "setfacl -m u:www-data:x /srv/shop && setfacl -m u:deploy:x /srv/shop"
            == (finding["fix"])
        )


def folded(*findings: Finding) -> tuple[Finding, ...]:
    return with_one_finding_per_cause(Diagnosis("host", findings, (), 1)).findings


def test_findings_of_different_causes_stay_apart() -> None:
    findings = (Finding("a", "error", "A", cause="x"), Finding("b", "note", "B"))

    assert findings == folded(*findings)


def test_the_finding_of_a_cause_is_as_severe_as_its_worst_effect() -> None:
    symptom = Finding("a", "error", "It fails.", cause="x", is_symptom=True)

    [found] = folded(symptom, Finding("b", "note", "It is closed.", cause="x"))

    assert ("b", "error", ("also: It fails.",)) == (found.rule, found.severity, found.evidence)


def test_a_symptom_without_its_cause_stays() -> None:
    symptom = Finding("a", "error", "It fails.", fix="Look.", cause="x", is_symptom=True)

    assert (symptom,) == folded(symptom)


def test_only_some_of_many_effects_are_listed() -> None:
    many = [Finding("a", "error", f"Site: {n} fails.", cause="x") for n in range(30)]

    [found] = folded(*many)

    assert ("also: 1 fails.", f"also: {29 - MOST_EFFECTS} more like these") == (
        found.evidence[0],
        found.evidence[-1],
    )


def test_one_fix_does_what_all_did() -> None:
    fixes = (
        "setfacl -m u:a:x /srv /srv/b  # or move it",
        "setfacl -m u:a:x /srv",
        "mkdir -p /x && systemctl restart nginx",
        "mkdir -p /y && systemctl restart nginx",
    )

    [found] = folded(
        *(Finding("a", "error", f"{n}", fix=f, cause="x") for n, f in enumerate(fixes))
    )

    expected = (
        "setfacl -m u:a:x /srv /srv/b && mkdir -p /x && mkdir -p /y && systemctl restart nginx"
    )
    assert expected == found.fix


def test_an_apply_fixes_a_cause_only_if_it_fixes_all_of_it() -> None:
    one = Finding("a", "error", "A", apply_fixes=True, cause="x")

    [found] = folded(one, Finding("b", "error", "B", cause="x"))

    assert not found.apply_fixes


def test_a_finding_covers_the_rows_of_the_guide_that_its_effects_did() -> None:
    one = Finding("a", "error", "A", source="Checklist: files; Checklist: users", cause="x")
    two = Finding("b", "error", "B", source="Checklist: requests; Checklist: files", cause="x")

    [found] = folded(one, two)

    assert "Checklist: files; Checklist: users; Checklist: requests" == found.source
