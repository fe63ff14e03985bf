"""Certificates and keys, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

CONFIG = """
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = keyCertSign,cRLSign
[site]
subjectAltName = {names}
[public]
subjectAltName = {names}
authorityInfoAccess = caIssuers;URI:http://authority.test/between.crt
[req]
distinguished_name = anything
[anything]
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = named
unique_subject = no
[named]
commonName = supplied
"""


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


class Pki:
    """An authority, one that it has certified, and what that one issues."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key("root")
        self._config("x.test")
        words = "req -new -x509 -key root.key -subj /CN=Root -days 3650 -out root.pem"
        openssl(folder, *words.split(), "-config", "x.cnf", "-extensions", "authority")
        self.issue("between", "/CN=Between", by="root", extensions="authority")

    def key(self, name: str, kind: str = "EC") -> Path:
        path = self.folder / f"{name}.key"
        size = {"EC": "ec_paramgen_curve:P-256", "RSA": "rsa_keygen_bits:2048"}[kind]
        openssl(self.folder, "genpkey", "-algorithm", kind, "-pkeyopt", size, "-out", path.name)
        path.chmod(0o600)
        return path

    def issue(
        self,
        name: str,
        subject: str = "",
        *,
        by: str = "between",
        names: str = "shop.test",
        begins: str = "",
        ends: str = "",
        extensions: str = "site",
        kind: str = "EC",
    ) -> Path:
        """A certificate with a key of its own; days from now, `-1` was yesterday."""
        self.key(name, kind)
        self._config(names)
        openssl(
            self.folder,
            "req",
            "-new",
            "-key",
            f"{name}.key",
            "-subj",
            subject or "/CN=shop.test",
            "-out",
            f"{name}.csr",
            "-config",
            "x.cnf",
        )
        (self.folder / "index.txt").write_text("")
        openssl(
            self.folder,
            "ca",
            "-batch",
            "-config",
            "x.cnf",
            "-in",
            f"{name}.csr",
            "-cert",
            f"{by}.pem",
            "-keyfile",
            f"{by}.key",
            "-out",
            f"{name}.pem",
            "-notext",
            "-startdate",
            _date(begins or "-1"),
            "-enddate",
            _date(ends or "89"),
            "-extensions",
            extensions,
        )
        return self.folder / f"{name}.pem"

    def chain(self, file: str, *names: str) -> Path:
        path = self.folder / file
        path.write_text("".join((self.folder / f"{name}.pem").read_text() for name in names))
        return path

    def _config(self, names: str) -> None:
        listed = ",".join(
            name if name.startswith("IP:") else f"DNS:{name}" for name in names.split()
        )
        (self.folder / "x.cnf").write_text(CONFIG.format(names=listed, folder=self.folder))


def _date(days: str) -> str:
    from datetime import UTC, datetime, timedelta

    return f"{datetime.now(UTC) + timedelta(days=float(days)):%Y%m%d%H%M%SZ}"
