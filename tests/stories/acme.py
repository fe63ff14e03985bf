"""An authority on the host itself, which certbot talks to as it talks to Let's Encrypt."""

from __future__ import annotations

import json

from tests.lab import DebianHost
from tests.lab.debian import Completed
from tests.support.wait import wait_for

FOLDER = "/opt/authority"
DIRECTORY = "https://localhost:14000/dir"
CONFIG = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": f"{FOLDER}/cert.pem",
    "privateKey": f"{FOLDER}/key.pem",
    "httpPort": 80,
    "tlsPort": 443,
}
# Every name is proven anew, at once, and no request is refused for the sake of a test of clients.
SETTINGS = ("PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
TRUSTED = {"REQUESTS_CA_BUNDLE": CONFIG["certificate"]}


def found(host: DebianHost, *names: str) -> None:
    """Start Pebble; `names` lead to the host, whose port 80 it really asks for the proofs."""
    host.write(f"{FOLDER}/pebble.json", json.dumps({"pebble": CONFIG}))
    host.run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-batch",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        f"{FOLDER}/key.pem",
        "-out",
        f"{FOLDER}/cert.pem",
    )
    host.run("sh", "-c", f"echo 127.0.0.1 {' '.join(names)} >>/etc/hosts")
    settings = (f"--setenv={setting}" for setting in SETTINGS)
    pebble = ("/usr/bin/pebble", "-config", f"{FOLDER}/pebble.json")
    host.run("systemd-run", "--unit=authority", *settings, *pebble)
    asked = ("curl", "--silent", "--cacert", f"{FOLDER}/cert.pem", DIRECTORY)
    wait_for(lambda: host.run(*asked, check=False).returncode == 0, "the authority")


def certbot(host: DebianHost, *words: str) -> Completed:
    """certbot as a person runs it, but for its questions and the authority."""
    answers = ("--non-interactive", "--agree-tos", "--register-unsafely-without-email")
    ask = ("--server", DIRECTORY)
    return host.run("certbot", *words, *answers, *ask, env=TRUSTED)


def renew(host: DebianHost) -> Completed:
    """What certbot's timer runs, before its time has come."""
    return host.run(
        "certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew", env=TRUSTED
    )


def served_serial(host: DebianHost, name: str) -> str:
    """The serial number of the certificate that nginx answers with."""
    asked = f"openssl s_client -connect 127.0.0.1:443 -servername {name} </dev/null 2>/dev/null"
    return host.run("sh", "-c", f"{asked} | openssl x509 -noout -serial").stdout


def kept_serial(host: DebianHost, name: str) -> str:
    """That of the newest certificate that certbot has."""
    live = f"/etc/letsencrypt/live/{name}/fullchain.pem"
    return host.run("openssl", "x509", "-noout", "-serial", "-in", live).stdout
