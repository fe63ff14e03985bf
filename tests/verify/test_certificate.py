"""The certificate that visitors get is valid, for some time yet, and under every name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reconcile.config.probes import CertificateProbe, Endpoint
from reconcile.engine.model import Check
from reconcile.system import Host, HostSettings
from reconcile.verify.run_probes import run_probes
from tests.support.ports import free_port
from tests.verify.conftest import APP_USER, MAIN, listening, nginx_binary, running

pytestmark = pytest.mark.process

CONFIG = (
    MAIN
    + """
    access_log off;
    include {root}/conf.d/*.conf;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem;
    }}
}}
"""
)
DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Site:
    root: Path
    port: int
    start: Callable[[], None]
    monkeypatch: pytest.MonkeyPatch

    def certificate(
        self,
        *,
        days: float = 60,
        age: float = 30,
        names: tuple[str, ...] = ("shop.example",),
        is_trusted: bool = True,
        is_self_signed: bool = False,
    ) -> None:
        """Put a certificate in place; its authority is known to OpenSSL if `is_trusted`."""
        authority, own = key(), key()
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
        if is_self_signed:
            authority, issuer = own, subject
        leaf = _builder(subject, issuer, own, NOW - age * DAY, NOW + days * DAY).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        root = _builder(issuer, issuer, authority, NOW - DAY, NOW + DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        pem = serialization.Encoding.PEM
        signed = leaf.sign(authority, hashes.SHA256())
        (self.root / "cert.pem").write_bytes(signed.public_bytes(pem))
        (self.root / "key.pem").write_bytes(
            own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        known = root.sign(authority, hashes.SHA256()).public_bytes(pem) if is_trusted else b""
        (self.root / "authorities.pem").write_bytes(known)
        self.monkeypatch.setenv("SSL_CERT_FILE", str(self.root / "authorities.pem"))
        self.monkeypatch.setenv("SSL_CERT_DIR", str(self.root / "none"))

    def check(self, *names: str) -> Check:
        endpoint = Endpoint("https", "shop.example", self.port, ("127.0.0.1",))
        probe = CertificateProbe(
            "certificate:shop",
            "shop",
            endpoint,
            names or ("shop.example",),
            f"{self.root}/cert.pem",
        )
        settings = HostSettings(
            nginx_config=f"{self.root}/nginx.conf", state_dir=f"{self.root}/state"
        )
        [check] = run_probes([probe], Host(settings), retry_s=0)
        return check


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    own: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer, subject, own.public_key(), x509.random_serial_number(), begins, ends
    )


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="reconcile-certificate-"))
    root.chmod(0o755)
    (root / "conf.d").mkdir()
    port = free_port()
    (root / "nginx.conf").write_text(CONFIG.format(root=root, port=port, user=APP_USER))
    with ExitStack() as stack:

        def start() -> None:
            command = [nginx_binary(), "-c", str(root / "nginx.conf")]
            stack.enter_context(running(command, lambda: listening(port)))

        yield Site(root, port, start, monkeypatch)
    shutil.rmtree(root)


def test_a_good_one_passes_and_shows_how_long_it_is_valid(site: Site) -> None:
    site.certificate(days=60)
    site.start()

    check = site.check()

    assert ("pass", False) == (check.status, check.warning), check
    assert "expires in 59 days" in check.detail
    assert f"{NOW + 60 * DAY:%Y-%m-%dT%H:%M:%S}+00:00" == check.expires


@pytest.mark.parametrize(
    ("given", "status", "warning", "what"),
    [
        ({"days": -1}, "fail", False, "it expired on"),
        ({"days": 9, "age": -5}, "fail", False, "it is not valid before"),
        ({"days": 20, "age": 60}, "pass", True, "was not renewed"),
        ({"days": 4, "age": 2}, "pass", False, "expires in 3 days"),
        ({"names": ("other.example",)}, "pass", True, "Hostname mismatch"),
        ({"is_trusted": False}, "pass", True, "unable to get local issuer certificate"),
        ({"is_self_signed": True, "is_trusted": False}, "pass", False, "self-signed, expires"),
    ],
    ids=["expired", "too early", "soon", "short-lived", "name", "chain", "self-signed"],
)
def test_what_browsers_have_against_it_is_reported(
    site: Site, given: dict[str, object], status: str, warning: bool, what: str
) -> None:
    site.certificate(**given)
    site.start()

    check = site.check()

    assert (status, warning) == (check.status, check.warning), check
    assert what in check.detail


def test_each_name_is_asked_for(site: Site) -> None:
    site.certificate(names=("shop.example", "*.shop.example"))
    site.start()

    assert not site.check("shop.example", "*.shop.example").warning
    assert "browsers refuse it for www.example" in site.check("shop.example", "www.example").detail


def test_a_renewed_one_that_is_not_loaded_is_reported(site: Site) -> None:
    site.certificate(days=25)
    site.start()
    authorities = (site.root / "authorities.pem").read_bytes()
    site.certificate(days=85)
    (site.root / "authorities.pem").write_bytes(authorities)

    check = site.check()

    assert check.warning
    assert f"it is not that of {site.root}/cert.pem: systemctl reload nginx" == check.detail


def test_without_tls_it_fails(site: Site) -> None:
    assert "no TLS connection" in site.check().detail
