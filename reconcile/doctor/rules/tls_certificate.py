"""A certificate that browsers refuse: key, dates, names or chain are not right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from shlex import quote
from typing import TYPE_CHECKING

from reconcile.doctor import certificates as tls
from reconcile.doctor.certificates import CertificateKeyPair
from reconcile.doctor.evidence import examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note, warning
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.nginx.certbot import WEBROOT

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


_LIVE = re.compile(r"/etc/letsencrypt/live/([^/]+)/")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for pair in tls.certificate_pairs(inspection):
        try:
            yield from _pair(inspection, pair)
        except ReconcileError as failed:
            yield Inconclusive(pair.certificate, in_one_line(failed))
        except ValueError as failed:
            yield Inconclusive(pair.certificate, str(failed))


def _pair(inspection: HostInspection, pair: CertificateKeyPair) -> Iterator[RuleResult]:
    found = inspection.host.files.content(pair.certificate, tls.MAX_BYTES)
    if found is None:
        yield error(
            f"The certificate {pair.certificate} is not there: nginx cannot start.",
            pair.evidence,
            fix="Put it there, or take the TLS port off the server block.",
        )
        return
    chain = tls.parse_chain(found[1])
    yield from _key(inspection, pair, chain[0])
    yield from _dates(pair, chain[0])
    yield from _names(pair, chain[0])
    yield from _between(pair, chain)
    yield from _chain(inspection, pair, chain)


def _key(
    inspection: HostInspection, pair: CertificateKeyPair, leaf: Certificate
) -> Iterator[RuleResult]:
    found = inspection.host.files.content(pair.key, tls.MAX_BYTES)
    if found is None:
        return
    try:
        if tls.key_matches(leaf, found[1], _passphrases(inspection, pair)):
            return
    except tls.EncryptedKey:
        yield _encrypted(pair)
        return
    yield error(
        f"{pair.key} is not the key of {pair.certificate}: nginx cannot start.",
        pair.evidence,
        f"the file begins with the certificate of {leaf.subject.rfc4514_string()}",
        fix="Put the site's own certificate first in the file, the intermediate ones after it;"
        " or name the key that belongs to it.",
    )


def _passphrases(inspection: HostInspection, pair: CertificateKeyPair) -> list[bytes]:
    found = pair.passphrases and inspection.host.files.content(pair.passphrases, tls.MAX_BYTES)
    return found[1].splitlines() if found else []


def _encrypted(pair: CertificateKeyPair) -> RuleResult:
    missing = f" that is not in {pair.passphrases}" if pair.passphrases else ""
    return error(
        f"{pair.key} asks for a passphrase{missing}: nginx cannot start by itself.",
        pair.evidence,
        fix=f"openssl pkey -in {quote(pair.key)} -out NEW, and put NEW there with mode 0600;"
        " or name a file with the passphrase: ssl_password_file.",
    )


def _dates(pair: CertificateKeyPair, leaf: Certificate) -> Iterator[RuleResult]:
    left, until = tls.days_left(leaf), f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    renew = "Renew it (certbot renew), then: systemctl reload nginx"
    if left < 0:
        yield error(f"{pair.certificate} ended on {until}.", pair.evidence, fix=renew)
    elif leaf.not_valid_before_utc > datetime.now(UTC):
        begins = f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield error(
            f"{pair.certificate} is not valid before {begins}.",
            pair.evidence,
            fix="Set the machine's clock right (timedatectl), or wait until then.",
        )
    elif left < tls.renewal_days(leaf):
        yield warning(
            f"{pair.certificate} ends in {int(left)} days, on {until}, and was not renewed yet.",
            pair.evidence,
            fix="See why the renewal fails: certbot renew --dry-run",
        )


def _names(pair: CertificateKeyPair, leaf: Certificate) -> Iterator[RuleResult]:
    certified = tls.certified_names(leaf)
    asked = list(tls.browser_names(pair.server.names))
    missing = [name for name in asked if not tls.covers_name(name, certified)]
    if missing:
        yield error(
            f"{pair.certificate} is not for {', '.join(missing)}: browsers refuse it there.",
            pair.evidence,
            f"it is for {examples(sorted(certified)) or 'no name at all'}",
            fix=widen_command(pair, asked),
        )


def widen_command(pair: CertificateKeyPair, asked: list[str]) -> str:
    """How to get a certificate for all the names that are asked for."""
    names = " ".join(f"-d {quote(name)}" for name in asked)
    of_certbot = _LIVE.match(pair.certificate)
    which = f"-w {WEBROOT} --cert-name {of_certbot[1]}" if of_certbot else "--expand"
    return f"Get one with all names: certbot certonly --webroot {which} {names}"


def _between(pair: CertificateKeyPair, chain: tuple[Certificate, ...]) -> Iterator[RuleResult]:
    """Intermediate certificates that have ended; what is signed by itself needs no dates."""
    for number, one in enumerate(chain[1:], 1):
        if one.subject != one.issuer and tls.days_left(one) < 0:
            say = error if number == 1 else warning
            yield say(
                f"The chain in {pair.certificate} holds a certificate that ended on"
                f" {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC.",
                f"the one of {one.subject.rfc4514_string()}",
                pair.evidence,
                fix="Put the newer one of that issuer in its place; certbot does so by itself:"
                " certbot renew --force-renewal",
            )


def _chain(
    inspection: HostInspection, pair: CertificateKeyPair, chain: tuple[Certificate, ...]
) -> Iterator[RuleResult]:
    for own, issuer in pairwise(chain):
        if not tls.is_issued_by(own, issuer):
            yield warning(
                f"The chain in {pair.certificate} is broken: not every certificate is followed"
                " by its issuer's.",
                f"{own.subject.rfc4514_string()} was issued by {own.issuer.rfc4514_string()},"
                f" and {issuer.subject.rfc4514_string()} follows",
                fix="Put the site's certificate first, then its issuer's, then that one's.",
            )
            return
    last = chain[-1]
    if last.subject == last.issuer:
        if len(chain) == 1:
            yield note(
                f"{pair.certificate} is signed by itself: no browser knows it.", pair.evidence
            )
        return
    known = inspection.host.files.content(tls.AUTHORITIES)
    if known and not tls.ends_at_trusted_root(last, known[1]):
        is_alone = len(chain) == 1
        yield note(
            f"The chain in {pair.certificate} ends at nobody whom this machine trusts:"
            f" {'an' if is_alone else 'a further'} intermediate certificate is missing, or its"
            " authority is a private one.",
            f"the last was issued by {last.issuer.rfc4514_string()}",
            fix="Use fullchain.pem, not cert.pem." if is_alone else "",
        )


RULE = Rule("tls-certificate", (), check)
