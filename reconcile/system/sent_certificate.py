"""The certificate that a server sends, and what a browser would have against it."""

from __future__ import annotations

import ssl
import time
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import (
    DNSName,
    ExtensionNotFound,
    SubjectAlternativeName,
    load_der_x509_certificate,
    load_pem_x509_certificate,
)

from reconcile.dataclass import dataclass
from reconcile.system.http import Deadline, HttpTarget, connected_socket

SELF_SIGNED = 18
"""Source: X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT of OpenSSL."""


@dataclass(frozen=True)
class SentCertificate:
    """Its bytes (DER) and times, in UTC; `problem` is OpenSSL's, "" where it is trusted."""

    der: bytes
    valid_from: datetime
    valid_until: datetime
    problem: str = ""
    is_self_signed: bool = False


def sent_certificate(target: HttpTarget, *, timeout_s: float) -> SentCertificate:
    """Ask `target` for its certificate, and check it for the name of its host as browsers do.

    Errors: OSError where no TLS connection comes about.
    """
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    der = _handshake(target, unchecked, timeout_s)
    problem, code = "", 0
    try:
        _handshake(target, ssl.create_default_context(), timeout_s)
    except ssl.SSLCertVerificationError as error:
        problem, code = error.verify_message, error.verify_code
    found = load_der_x509_certificate(der)
    return SentCertificate(
        der,
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        problem.rstrip("."),
        code == SELF_SIGNED,
    )


def _handshake(target: HttpTarget, context: ssl.SSLContext, timeout_s: float) -> bytes:
    deadline = Deadline(time.monotonic() + timeout_s)
    with connected_socket(target, deadline) as sock:
        sock.settimeout(deadline.left_s())
        with context.wrap_socket(sock, server_hostname=target.host) as encrypted:
            return encrypted.getpeercert(binary_form=True) or b""


def first_certificate(pem: bytes) -> bytes:
    """The first certificate of a PEM file, as DER. Errors: ValueError."""
    return load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def dns_names(pem: bytes) -> frozenset[str]:
    """The host names that the first certificate of a PEM file covers; none for what is none."""
    try:
        extensions = load_pem_x509_certificate(pem).extensions
        names = extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ValueError, ExtensionNotFound):
        return frozenset()
    return frozenset(names.get_values_for_type(DNSName))
