"""What TLS clients get of two sites on one address, as sslscan and OpenSSL find it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.config.context import CompileContext
from reconcile.config.load import load_bytes
from tests.nginx.running.conftest import Nginx
from tests.support.host_facts import HOST
from tests.support.ports import free_port
from tests.support.wait import wait_for

pytestmark = pytest.mark.process

KEYS = {"rsa": ["rsa:2048"], "ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
NAMES = ("rsa.test", "ecdsa.test", "www.rsa.test", "unknown.test")
"""The site of each certificate, one of its redirects, and what the default server answers."""
CIPHERS = {
    *("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
    *("ECDHE-AES128-GCM-SHA256", "ECDHE-AES256-GCM-SHA384", "ECDHE-CHACHA20-POLY1305"),
}
"""Mozilla's intermediate profile for both kinds of keys, without DHE, which needs parameters."""

OTHER_CIPHERS = "ALL:!ECDHE+AESGCM:!ECDHE+CHACHA20:@SECLEVEL=0"


@dataclass(frozen=True)
class Server:
    """Two sites with TLS on one port."""

    port: int

    def scan(self, name: str, *options: str) -> ET.Element:
        """What sslscan finds."""
        command = ["sslscan", "--xml=-", "--no-colour", *options, f"--sni-name={name}"]
        done = subprocess.run(
            [*command, f"127.0.0.1:{self.port}"], capture_output=True, timeout=120, check=True
        )
        found = ET.fromstring(done.stdout).find("ssltest")
        assert found is not None, done.stdout
        return found

    def connect(self, name: str, *options: str) -> str:
        """What `openssl s_client` shows of a connection that is made again five times."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", name]
        done = subprocess.run(
            [*command, *options], input="", capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr


def make_certificates(folder: Path) -> None:
    for kind, algorithm in KEYS.items():
        files = ["-keyout", folder / f"{kind}.key", "-out", folder / f"{kind}.pem"]
        subject = ["-subj", f"/CN={kind}.test", "-addext", f"subjectAltName=DNS:{kind}.test"]
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", *algorithm, *files, *subject],
            check=True,
            capture_output=True,
        )


@contextmanager
def serving(root: Path, **extra: str) -> Iterator[Server]:
    """Both sites, each with a redirect; `extra` is by the site's name."""
    nginx, port = Nginx(root / "nginx"), free_port()
    nginx.lay_out()
    make_certificates(root)
    sites = "".join(
        f"  {kind}:\n"
        f"    server_names: [{kind}.test]\n"
        f"    redirect_from: [www.{kind}.test]\n"
        f"    listen: ['127.0.0.1:{port} ssl']\n"
        f"    default_server: {'true' if kind == 'ecdsa' else 'false'}\n"
        f"    tls: {{certificate: {root}/{kind}.pem, key: {root}/{kind}.key}}\n"
        f"    locations: {{/static/: {{role: static, dir: {root}/static}}}}\n"
        f"    extra: '{extra.get(kind, '')}'\n"
        for kind in KEYS
    )
    config = load_bytes(f"version: 1\nsites:\n{sites}".encode(), f"{root}/reconcile.yaml")
    for name, site in CompileContext(config, HOST).sites.items():
        nginx.site(name, site.nginx_content)
    nginx.start()
    try:
        yield Server(port)
    finally:
        nginx.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as found:
        yield found


def kind_of(name: str) -> str:
    """Whose certificate a name gets; the default server's where it is no site's."""
    return "RSA" if name.endswith("rsa.test") and "ecdsa" not in name else "ECDSA"


def protocols(found: ET.Element) -> set[str]:
    return {
        f"{one.get('type')}{one.get('version')}"
        for one in found.iter("protocol")
        if one.get("enabled") == "1"
    }


@pytest.mark.skipif(not shutil.which("sslscan"), reason="sslscan is installed for the nightly")
@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_sslscan_finds_mozillas_intermediate_profile(server: Server, name: str) -> None:
    found = server.scan(name, "--show-certificate")

    assert {"tls1.2", "tls1.3"} == protocols(found)
    ciphers = {one.get("cipher", "") for one in found.iter("cipher")}
    assert CIPHERS == {one.replace(f"ECDHE-{kind_of(name)}-", "ECDHE-") for one in ciphers}
    assert {"0"} == {one.get("vulnerable") for one in found.iter("heartbleed")}
    assert {"0"} == {one.get("supported") for one in found.iter("compression")} | {"0"}
    assert all(int(one.get("bits", "0")) >= 112 for one in found.iter("group"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["-tls1", "-tls1_1"])
def test_protocols_of_the_past_are_refused(server: Server, name: str, protocol: str) -> None:
    found = server.connect(name, protocol, "-cipher", "ALL:@SECLEVEL=0")

    assert "alert protocol version" in found


@pytest.mark.parametrize("name", NAMES)
def test_every_other_cipher_is_refused(server: Server, name: str) -> None:
    found = server.connect(name, "-tls1_2", "-cipher", OTHER_CIPHERS)

    assert "Cipher is (NONE)" in found
    assert "handshake failure" in found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["-tls1_2", "-tls1_3"])
def test_each_name_gets_its_certificate(server: Server, name: str, protocol: str) -> None:
    assert f"subject=CN = {kind_of(name).lower()}.test" in server.connect(name, protocol)


@pytest.mark.parametrize("name", NAMES)
def test_sessions_are_resumed_without_tickets_and_no_ocsp_is_stapled(
    server: Server, name: str
) -> None:
    def reconnected() -> str:
        return server.connect(name, "-tls1_2", "-reconnect", "-status")

    found = reconnected()

    assert "TLS session ticket" not in found
    assert "OCSP response: no response sent" in found
    # A worker stores a session after its last message: the next connection may be earlier.
    wait_for(lambda: reconnected().count("Reused, TLSv1.2") == 5, "five sessions that are resumed")


def test_extra_wins_on_every_server_of_its_site(public: Path) -> None:
    with serving(public, ecdsa="ssl_protocols TLSv1.3; ssl_session_tickets on;") as strict:
        for name in ("ecdsa.test", "www.ecdsa.test"):
            assert "Cipher is (NONE)" in strict.connect(name, "-tls1_2")
            assert "New, TLSv1.3" in strict.connect(name, "-tls1_3")
