"""The certificates that nginx uses: their keys, names, dates and issuers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    AuthorityInformationAccess,
    Certificate,
    DNSName,
    ExtensionNotFound,
    IPAddress,
    SubjectAlternativeName,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import AuthorityInformationAccessOID
from idna import IDNAError, encode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from reconcile.doctor.inspection import HostInspection
    from reconcile.nginx.model.config_tree import Directive
    from reconcile.nginx.routing.servers import Server

MAX_BYTES = 1 << 20
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\s", re.DOTALL)
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class CertificateKeyPair:
    """One `ssl_certificate` of a server with its key; both as absolute paths."""

    server: Server
    directive: Directive
    certificate: str
    key: str
    passphrases: str = ""
    """The file of `ssl_password_file`; "" where there is none."""

    @property
    def evidence(self) -> str:
        """The directive with its file and line."""
        return f"{self.directive.place}: ssl_certificate {self.certificate};"


def certificate_pairs(inspection: HostInspection) -> Iterator[CertificateKeyPair]:
    """Every certificate of a server with a TLS port; variables and engines are left out."""
    for server in inspection.servers:
        if not any(listen.ssl for listen in server.listens):
            continue
        certificates = server.scope.inherited("ssl_certificate")
        keys = server.scope.inherited("ssl_certificate_key")
        for directive, key in zip(certificates, keys, strict=False):
            paths = (directive.args[0], key.args[0])
            if not any("$" in path or path.startswith(("data:", "engine:")) for path in paths):
                files = (_absolute(inspection, path) for path in (*paths, *_passphrases(server)))
                yield CertificateKeyPair(server, directive, *files)


def _passphrases(server: Server) -> Iterator[str]:
    yield from (one.args[0] for one in server.scope.inherited("ssl_password_file")[:1])


def _absolute(inspection: HostInspection, path: str) -> str:
    """These paths are relative to the configuration file."""
    return normpath(join(dirname(inspection.host.settings.nginx_config), path))


def parse_chain(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file, in its order. Errors: ValueError."""
    return tuple(load_pem_x509_certificates(data))


class EncryptedKey(Exception):
    """The key needs a passphrase, and none of the known ones fits."""


def key_matches(certificate: Certificate, key: bytes, passphrases: Iterable[bytes] = ()) -> bool:
    """Whether the key belongs to the certificate. Errors: ValueError; EncryptedKey."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = _private(key, passphrases).public_key()
    return public.public_bytes(*form) == certificate.public_key().public_bytes(*form)


def _private(key: bytes, passphrases: Iterable[bytes]) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(key, None)
    except TypeError:
        pass
    for passphrase in passphrases:
        try:
            return load_pem_private_key(key, passphrase)
        except ValueError:
            continue
    raise EncryptedKey


def certified_names(certificate: Certificate) -> frozenset[str]:
    """The names it covers, in lower case; the common name does not count (RFC 6125)."""
    try:
        found = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return frozenset()
    addresses = map(str, found.get_values_for_type(IPAddress))
    return frozenset(name.lower() for name in (*found.get_values_for_type(DNSName), *addresses))


def browser_names(server_names: Iterable[str]) -> Iterator[str]:
    """The names that visitors may type, in the form a browser compares; `*.` is kept.

    A regex, or a name that ends with `*`, can be any name and is left out.
    """
    for name in map(str.lower, server_names):
        if name.startswith("."):
            yield from map(_ascii, (name[1:], f"*{name}"))
        elif "." in name and not name.startswith("~") and not name.endswith("*"):
            yield _ascii(name)


def is_address(name: str) -> bool:
    """Whether a server_name is an IP address."""
    with suppress(ValueError):
        return bool(ip_address(name.strip("[]")))
    return False


def _ascii(name: str) -> str:
    """An internationalized name as a browser encodes it; an invalid one as it is."""
    labels = name.removeprefix("*.")
    try:
        return name if labels.isascii() else name.replace(labels, encode(labels).decode())
    except IDNAError:
        return name


def covers_name(name: str, certified: frozenset[str]) -> bool:
    """Whether a browser accepts a certificate with these names for `name`.

    A `*.` in `name` is nginx's, and matches any number of labels. Source: RFC 6125, section 6.4.
    """
    if name in certified:
        return True
    return not is_address(name) and "*." + name.partition(".")[2] in certified


def is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether `issuer` has signed it."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def ends_at_trusted_root(last: Certificate, authorities: bytes) -> bool:
    """Whether an authority that this machine trusts has issued the last certificate of a chain."""
    return any(
        is_issued_by(last, root) for root in _roots(authorities) if root.subject == last.issuer
    )


def issuer_url(certificate: Certificate) -> str:
    """Where the issuer's certificate is published, "" where that is not written in it."""
    try:
        found = certificate.extensions.get_extension_for_class(AuthorityInformationAccess).value
    except (ExtensionNotFound, ValueError):
        return ""
    issuers = (
        str(one.access_location.value)
        for one in found
        if one.access_method == AuthorityInformationAccessOID.CA_ISSUERS
    )
    return next((url for url in issuers if url.startswith("http")), "")


def _roots(authorities: bytes) -> Iterator[Certificate]:
    """Some trusted roots are malformed, which is no problem of this host."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in _BLOCK.findall(authorities):
            with suppress(ValueError):
                yield from parse_chain(block)


def days_left(certificate: Certificate) -> float:
    """The days until it expires; negative once it has."""
    return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86_400


def renewal_days(certificate: Certificate) -> float:
    """The days before expiry at which it should be renewed: 14, or a sixth of its lifetime."""
    whole = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return min(14.0, whole.total_seconds() / 86_400 / 6)
