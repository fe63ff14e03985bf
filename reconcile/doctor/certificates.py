"""Certificates as nginx is given them: whose they are, until when, and who vouches for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from reconcile.doctor.snapshot import Snapshot
    from reconcile.nginx.config.tree import Directive
    from reconcile.nginx.routing.servers import Server

LARGEST = 1 << 20
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Pair:
    """One `ssl_certificate` of a server with its key; both as absolute paths."""

    server: Server
    directive: Directive
    certificate: str
    key: str

    @property
    def evidence(self) -> str:
        return f"{self.directive.place}: ssl_certificate {self.certificate};"


def pairs(snapshot: Snapshot) -> Iterator[Pair]:
    """Every certificate that a server with a TLS port uses; variables and engines left out."""
    for server in snapshot.servers:
        if not any(listen.ssl for listen in server.listens):
            continue
        certificates = server.scope.inherited("ssl_certificate")
        keys = server.scope.inherited("ssl_certificate_key")
        for directive, key in zip(certificates, keys, strict=False):
            paths = (directive.args[0], key.args[0])
            if not any("$" in path or path.startswith(("data:", "engine:")) for path in paths):
                yield Pair(server, directive, *(_absolute(snapshot, path) for path in paths))


def _absolute(snapshot: Snapshot, path: str) -> str:
    """nginx looks for these beside its configuration file."""
    from posixpath import dirname, join, normpath

    return normpath(join(dirname(snapshot.host.settings.nginx_config), path))


def chain(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file in its order. Errors: ValueError."""
    from cryptography.x509 import load_pem_x509_certificates

    return tuple(load_pem_x509_certificates(data))


def fits(certificate: Certificate, key: bytes) -> bool | None:
    """Whether the key is the certificate's; None for an encrypted one. Errors: ValueError."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        private = load_pem_private_key(key, None)
    except TypeError:
        return None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def names(certificate: Certificate) -> frozenset[str]:
    """The DNS names it is for, lower case. The common name has not counted since RFC 6125."""
    from cryptography.x509 import DNSName, ExtensionNotFound, SubjectAlternativeName

    try:
        found = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    except ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in found.value.get_values_for_type(DNSName))


def is_named(name: str, certified: frozenset[str]) -> bool:
    """Whether a browser takes a certificate with these names for `name`; RFC 6125, section 6.4.

    A `*.` in `name` is one of nginx's: it stands for any number of labels.
    """
    own = name.lower()
    if own.startswith("*."):
        return own in certified
    return own in certified or "*." + own.partition(".")[2] in certified


def is_issued(certificate: Certificate, by: Certificate) -> bool:
    """Whether `by` signed it."""
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_vouched_for(last: Certificate, authorities: bytes) -> bool:
    """Whether a chain that ends with `last` ends at an authority that this machine trusts."""
    return any(is_issued(last, root) for root in chain(authorities) if root.subject == last.issuer)


def left_days(certificate: Certificate) -> float:
    """Until it ends; negative for one that has ended."""
    return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86_400


def renewal_days(certificate: Certificate) -> float:
    """With how many days left it should have been renewed: two weeks, less for a short one."""
    whole = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return min(14.0, whole.total_seconds() / 86_400 / 6)
