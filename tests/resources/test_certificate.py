"""A certificate of certbot's: nothing is asked of an authority before the proof is served."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.resources import certificate
from reconcile.resources.certificate import CertbotFailed, Certificate, ChallengeNotServed
from reconcile.system import Host
from reconcile.system.commands import CompletedCommand
from reconcile.system.http import HttpAnswer, HttpTarget

WANTED = Certificate(
    certificate="shop.test", names=("shop.test", "www.shop.test"), email="ann@shop.test"
)
REFUSED = """
Certbot failed to authenticate some domains (authenticator: webroot).
  Domain: www.shop.test
  Type:   dns
  Detail: no such name
Ask for help or search for solutions at https://community.letsencrypt.org.
"""


@dataclass
class Web:
    """What nginx answers: what lies in the webroot, but for the names of others."""

    webroot: Path
    elsewhere: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    def request(self, target: HttpTarget, path: str) -> HttpAnswer:
        self.asked.append(target.host)
        if target.host in self.elsewhere:
            return HttpAnswer(status=404)
        file = Path(f"{self.webroot}{path}")
        assert 0o644 == file.stat().st_mode & 0o777
        assert 0o755 == file.parent.stat().st_mode & 0o777
        return HttpAnswer(status=200, body=file.read_bytes())


@dataclass
class Certbot:
    """Programs of the host: certbot alone."""

    status: int = 0
    output: str = ""
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout_s: float) -> CompletedCommand:
        assert timeout_s >= 60
        self.ran.append(tuple(argv))
        return CompletedCommand(tuple(argv), self.status, self.output, "")


@pytest.fixture
def web(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    webroot = tmp_path / "webroot"
    webroot.mkdir()
    monkeypatch.setattr(certificate, "WEBROOT", str(webroot))
    web = Web(webroot)
    vars(host)["http"] = web
    return web


@pytest.fixture
def certbot(host: Host) -> Certbot:
    certbot = Certbot()
    vars(host)["commands"] = certbot
    return certbot


def test_certbot_runs_once_every_name_has_served_a_proof(
    host: Host, web: Web, certbot: Certbot
) -> None:
    WANTED.apply(host, None)

    assert ["shop.test", "www.shop.test"] == web.asked
    [argv] = certbot.ran
    assert ("certbot", "certonly", "--non-interactive", "--agree-tos") == argv[:4]
    assert {"--cert-name=shop.test", "--domain=www.shop.test", "--email=ann@shop.test"} <= {*argv}
    assert [] == os.listdir(web.webroot)


def test_without_an_email_certbot_registers_without_one(
    host: Host, web: Web, certbot: Certbot
) -> None:
    replace(WANTED, email=None).apply(host, None)

    assert "--register-unsafely-without-email" in certbot.ran[0]
    assert web.asked


def test_certbot_is_not_run_for_a_name_that_another_server_answers(
    host: Host, web: Web, certbot: Certbot
) -> None:
    web.elsewhere = ("www.shop.test",)

    with pytest.raises(ChallengeNotServed, match=r"http://www\.shop\.test/\.well-known"):
        WANTED.apply(host, None)

    assert [] == certbot.ran
    assert [] == os.listdir(web.webroot)


def test_proofs_of_others_stay(host: Host, web: Web, certbot: Certbot) -> None:
    theirs = web.webroot / ".well-known/acme-challenge/theirs"
    theirs.parent.mkdir(parents=True)
    theirs.parent.chmod(0o755)
    theirs.write_text("proof")

    WANTED.apply(host, None)

    assert ["theirs"] == os.listdir(theirs.parent)
    assert certbot.ran


def test_a_failure_has_the_authoritys_own_words(host: Host, web: Web, certbot: Certbot) -> None:
    certbot.status, certbot.output = 1, REFUSED

    with pytest.raises(CertbotFailed) as failed:
        WANTED.apply(host, None)

    assert "Domain: www.shop.test\nType:   dns\nDetail: no such name" == failed.value.why
    assert web.asked


def test_another_failure_has_the_end_of_what_certbot_prints(
    host: Host, web: Web, certbot: Certbot
) -> None:
    certbot.status, certbot.output = 1, "\nAnother instance of Certbot is already running.\n"

    with pytest.raises(ReconcileError, match="Another instance of Certbot is already running"):
        WANTED.apply(host, None)

    assert web.asked
