"""Browsers reject a certificate: its key, dates, names or chain are wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from shlex import quote
from typing import TYPE_CHECKING

from reconcile.doctor import certificates as tls
from reconcile.doctor.acme_challenge import Renewal, check_challenges, renewal_of
from reconcile.doctor.certificates import CertificateKeyPair
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, caused, error, note, warning
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.nginx.certbot import WEBROOT
from reconcile.wording import first_few

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


_LIVE = re.compile(r"/etc/letsencrypt/live/([^/]+)/")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Check key, dates, names and chain of each certificate that nginx uses."""
    for pair in tls.certificate_pairs(inspection):
        try:
            yield from _check_pair(inspection, pair)
        except ReconcileError as failure:
            yield Inconclusive(pair.certificate, in_one_line(failure))
        except ValueError as failure:
            yield Inconclusive(pair.certificate, str(failure))


def _check_pair(inspection: HostInspection, pair: CertificateKeyPair) -> Iterator[RuleResult]:
    found = inspection.host.files.content(pair.certificate, tls.MAX_BYTES)
    if found is None:
        missing = error(
            f"The certificate {pair.certificate} does not exist: nginx cannot start.",
            pair.evidence,
            fix="Create it, or remove the TLS port from the server block.",
        )
        yield caused(missing, f"missing {pair.certificate}")
        return
    chain = tls.parse_chain(found[1])
    yield from _check_key(inspection, pair, chain[0])
    yield from _check_dates(pair, chain[0])
    yield from _check_names(inspection, pair, chain[0])
    yield from check_challenges(inspection, pair)
    yield from _check_intermediates(pair, chain)
    yield from _check_chain(inspection, pair, chain)


def _check_key(
    inspection: HostInspection, pair: CertificateKeyPair, leaf: Certificate
) -> Iterator[RuleResult]:
    found = inspection.host.files.content(pair.key, tls.MAX_BYTES)
    if found is None:
        return
    try:
        if tls.key_matches(leaf, found[1], _passphrases(inspection, pair)):
            return
    except tls.EncryptedKey:
        yield _needs_passphrase(pair)
        return
    yield error(
        f"{pair.key} is not the key of {pair.certificate}: nginx cannot start.",
        pair.evidence,
        f"the first certificate in the file is of {leaf.subject.rfc4514_string()}",
        fix="Put the site's own certificate first in the file, the intermediate ones after it;"
        " or use the key that belongs to it.",
    )


def _passphrases(inspection: HostInspection, pair: CertificateKeyPair) -> list[bytes]:
    found = pair.passphrases and inspection.host.files.content(pair.passphrases, tls.MAX_BYTES)
    return found[1].splitlines() if found else []


def _needs_passphrase(pair: CertificateKeyPair) -> RuleResult:
    missing = f" that is not in {pair.passphrases}" if pair.passphrases else ""
    return error(
        f"{pair.key} needs a passphrase{missing}: nginx cannot start unattended.",
        pair.evidence,
        fix=f"openssl pkey -in {quote(pair.key)} -out NEW, then replace it by NEW with mode"
        " 0600; or set ssl_password_file to a file with the passphrase.",
    )


def _check_dates(pair: CertificateKeyPair, leaf: Certificate) -> Iterator[RuleResult]:
    left, until = tls.days_left(leaf), f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    renew = "Renew it (certbot renew), then: systemctl reload nginx"
    if left < 0:
        yield error(f"{pair.certificate} expired on {until}.", pair.evidence, fix=renew)
    elif leaf.not_valid_before_utc > datetime.now(UTC):
        begins = f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield error(
            f"{pair.certificate} is not valid before {begins}.",
            pair.evidence,
            fix="Correct the machine's clock (timedatectl), or wait until then.",
        )
    elif left < tls.renewal_days(leaf):
        yield warning(
            f"{pair.certificate} expires in {int(left)} days, on {until}, and was not renewed yet.",
            pair.evidence,
            fix="Find out why the renewal fails: certbot renew --dry-run",
        )


def _check_names(
    inspection: HostInspection, pair: CertificateKeyPair, leaf: Certificate
) -> Iterator[RuleResult]:
    certified = tls.certified_names(leaf)
    # Few authorities certify an address, and visitors type names.
    names = [one for one in tls.browser_names(pair.server.names) if not tls.is_address(one)]
    missing = [name for name in names if not tls.covers_name(name, certified)]
    if missing:
        yield error(
            f"{pair.certificate} does not cover {', '.join(missing)}: browsers reject it there.",
            pair.evidence,
            f"it covers {first_few(sorted(certified)) or 'no name'}",
            fix=widen_command(pair, names, renewal_of(inspection, pair.certificate)),
        )


def widen_command(
    pair: CertificateKeyPair, names: list[str], renewal: Renewal | None = None
) -> str:
    """The command that gets a certificate for all of these names, as the present one was got."""
    domains = " ".join(f"-d {quote(name)}" for name in names)
    live = _LIVE.match(pair.certificate)
    if renewal is not None and live and renewal.authenticator != "webroot":
        return f"certbot certonly --{renewal.authenticator} --cert-name {live[1]} {domains}"
    folders = [*(renewal.webroots.values() if renewal is not None else ()), WEBROOT]
    options = f"-w {quote(folders[0])} --cert-name {live[1]}" if live else "--expand"
    return f"Get one with all names: certbot certonly --webroot {options} {domains}"


def _check_intermediates(
    pair: CertificateKeyPair, chain: tuple[Certificate, ...]
) -> Iterator[RuleResult]:
    """Intermediate certificates that have expired; self-signed ones do not count."""
    for number, one in enumerate(chain[1:], 1):
        if one.subject != one.issuer and tls.days_left(one) < 0:
            # Further up, browsers may know another path.
            severity = error if number == 1 else warning
            yield severity(
                f"The chain in {pair.certificate} has a certificate that expired on"
                f" {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC.",
                f"the certificate of {one.subject.rfc4514_string()}",
                pair.evidence,
                fix="Replace it by the issuer's current one, or let certbot do it:"
                " certbot renew --force-renewal",
            )


def _check_chain(
    inspection: HostInspection, pair: CertificateKeyPair, chain: tuple[Certificate, ...]
) -> Iterator[RuleResult]:
    for own, issuer in pairwise(chain):
        if not tls.is_issued_by(own, issuer):
            yield warning(
                f"The chain in {pair.certificate} is broken: a certificate is not followed by"
                " its issuer's.",
                f"{own.subject.rfc4514_string()} was issued by {own.issuer.rfc4514_string()},"
                f" and {issuer.subject.rfc4514_string()} follows",
                fix="Put the site's certificate first, then its issuer's, and so on.",
            )
            return
    last = chain[-1]
    if last.subject == last.issuer:
        if len(chain) == 1:
            yield note(f"{pair.certificate} is self-signed: no browser trusts it.", pair.evidence)
        return
    known = inspection.host.files.content(tls.AUTHORITIES)
    if known and not tls.ends_at_trusted_root(last, known[1]):
        is_alone = len(chain) == 1
        # An authority that publishes its certificates is none of a house.
        if is_alone and (place := tls.issuer_url(last)):
            yield warning(
                f"{pair.certificate} has no intermediate certificate: programs, and browsers that"
                " do not know its issuer, reject it.",
                f"it was issued by {last.issuer.rfc4514_string()}, see {place}",
                pair.evidence,
                fix="Use fullchain.pem, not cert.pem: the site's certificate and its issuer's.",
            )
            return
        yield note(
            f"The chain in {pair.certificate} does not end at an authority that this machine"
            f" trusts: {'an' if is_alone else 'another'} intermediate certificate is missing, or"
            " the authority is private.",
            f"the last certificate was issued by {last.issuer.rfc4514_string()}",
            fix="Use fullchain.pem, not cert.pem." if is_alone else "",
        )


RULE = Rule(
    id="tls-certificate",
    summary="Browsers reject a certificate, or will soon.",
    severity="error",
    help=(
        "Browsers show a warning instead of the site, or nginx cannot start. Renew the "
        "certificate, or get one for all names."
    ),
    reads=("configuration", "certificates"),
    check=check,
)
