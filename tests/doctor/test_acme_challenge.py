"""A certificate that certbot renews by a folder: nginx has to answer its challenge from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.doctor import acme_challenge
from reconcile.doctor.acme_challenge import check_challenges, renewal_of
from reconcile.doctor.certificates import certificate_pairs
from reconcile.doctor.inspection import HostInspection
from reconcile.engine.model import Finding
from tests.doctor.single_rule import configured

pytestmark = pytest.mark.process

RENEWAL = """
version = 2.1.0
cert = /etc/letsencrypt/live/shop.test/cert.pem
[renewalparams]
account = 0123
authenticator = {authenticator}
webroot_path = {root}/challenges,
[[webroot_map]]
shop.test = {root}/challenges
"""
TLS = """
server {{
    listen 443 ssl;
    server_name shop.test;
    ssl_certificate /etc/letsencrypt/live/shop.test/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/shop.test/privkey.pem;
    {secure}
}}
server {{
    listen 80;
    server_name shop.test;
    {plain}
}}
"""
PROXY = "location / { proxy_pass http://127.0.0.1:8000; }"
FOLDER = "location /.well-known/acme-challenge/ { root ROOT/challenges; }"


@pytest.fixture(autouse=True)
def renewals(public: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = public / "renewal"
    folder.mkdir()
    monkeypatch.setattr(acme_challenge, "RENEWAL", str(folder))
    return folder


def found(
    root: Path, plain: str, secure: str = PROXY, *, authenticator: str = "webroot"
) -> list[Finding]:
    """What is reported of a site with these lines on port 80, and on port 443."""
    text = RENEWAL.format(root=root, authenticator=authenticator)
    (root / "renewal/shop.test.conf").write_text(text)
    http = TLS.format(plain=plain, secure=secure).replace("ROOT", str(root))
    inspection = HostInspection(configured(root, http))
    [pair] = certificate_pairs(inspection)
    return [one for one in check_challenges(inspection, pair) if isinstance(one, Finding)]


@pytest.mark.parametrize(
    ("plain", "secure"),
    [
        (f"{FOLDER} {PROXY}", PROXY),
        ("root ROOT/challenges;", PROXY),
        ("location ^~ /.well-known/ { root ROOT/challenges; try_files $uri =404; }", PROXY),
        ("return 301 https://$host$request_uri;", f"{FOLDER} {PROXY}"),
        (
            "location /.well-known/acme-challenge/ {"
            " alias ROOT/challenges/.well-known/acme-challenge/; }",
            PROXY,
        ),
    ],
    ids=["its location", "the root", "try_files", "a redirect to TLS", "an alias"],
)
def test_a_challenge_that_reaches_the_folder_is_fine(public: Path, plain: str, secure: str) -> None:
    assert [] == found(public, plain, secure)


@pytest.mark.parametrize(
    ("plain", "secure", "what"),
    [
        (PROXY, PROXY, "nginx passes it to the app"),
        ("return 301 https://$host$request_uri;", PROXY, "nginx passes it to the app"),
        (FOLDER.replace("/challenges;", "/other;"), PROXY, "nginx looks for it at"),
        (f"{FOLDER} location ~ /\\. {{ deny all; }}", PROXY, "nginx answers 403"),
        ("return 444;", PROXY, "nginx answers 444"),
        ("return 301 https://other.test/;", PROXY, "nginx answers 301"),
    ],
    ids=["the app", "the app behind TLS", "another folder", "dotfiles", "closed", "elsewhere"],
)
def test_a_challenge_that_is_answered_from_elsewhere_is_reported(
    public: Path, plain: str, secure: str, what: str
) -> None:
    [finding] = found(public, plain, secure)

    assert ("warning", True) == (finding.severity, what in finding.what)
    block = f"location ^~ /.well-known/acme-challenge/ {{ root {public}/challenges; }}"
    assert finding.fix.endswith((f": add {block}", f": make it {block}"))
    assert ("acme-challenge" in plain) == ("make it" in finding.fix)


@pytest.mark.parametrize("authenticator", ["nginx", "dns-cloudflare", "standalone"])
def test_another_way_of_renewal_needs_no_folder(public: Path, authenticator: str) -> None:
    assert [] == found(public, PROXY, authenticator=authenticator)


def test_a_renewal_without_a_map_has_one_folder_for_all(public: Path) -> None:
    found(public, PROXY)
    path = public / "renewal/shop.test.conf"
    path.write_text(path.read_text().partition("[[")[0])
    inspection = HostInspection(configured(public, "server { listen 80; }"))

    renewal = renewal_of(inspection, "/etc/letsencrypt/live/shop.test/fullchain.pem")

    assert renewal is not None
    assert {"": f"{public}/challenges"} == renewal.webroots
