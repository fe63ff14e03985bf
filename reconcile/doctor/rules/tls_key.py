"""A private key that others than root can read, or that visitors can get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from shlex import quote

from reconcile.doctor.certificates import CertificateKeyPair, certificate_pairs
from reconcile.doctor.evidence import namei
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.filesystem.access_check import GROUP, USER
from reconcile.system.accounts import Account

_NOBODY = Account("any user of this machine", 0xFFFF_FFFD, 0xFFFF_FFFD, frozenset())


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for pair in {pair.key: pair for pair in certificate_pairs(inspection)}.values():
        yield from _served(inspection, pair)
        if inspection.host.managing_account.uid == 0:
            yield from _readable(inspection, pair)


def _served(inspection: HostInspection, pair: CertificateKeyPair) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        if f"{inspection.real_path(pair.key)}/".startswith(f"{mapping.path.rstrip('/')}/"):
            yield error(
                f"The private key {pair.key} lies in what {mapping.prefix} serves.",
                mapping.evidence,
                fix="Take it out of there, and get a new certificate with a new key.",
            )
            return


def _readable(inspection: HostInspection, pair: CertificateKeyPair) -> Iterator[RuleResult]:
    """nginx reads keys as root, before its workers give root up."""
    apps = (app.account for app in inspection.apps_behind(pair.server))
    who = [_NOBODY, inspection.worker, *apps, *_listed(inspection, pair.key)]
    for account in who:
        walk = inspection.access(pair.key, account)
        if account.uid != 0 and walk.can_read:
            yield warning(
                f"{account.name} can read the private key {pair.key}.",
                *namei(walk, inspection.host.accounts),
                fix=f"chown root:root {quote(pair.key)} && chmod 0600 {quote(pair.key)}",
            )
            return


def _listed(inspection: HostInspection, path: str) -> Iterator[Account]:
    """Whom the key's access list names; each is asked for by itself."""
    last = inspection.access(path, _NOBODY).last
    accounts = inspection.host.accounts
    for entry in last.acl if last else ():
        if entry.tag == USER:
            yield accounts.user(accounts.user_name(entry.id))
        elif entry.tag == GROUP:
            name = f"the group {accounts.group_name(entry.id)}"
            yield replace(_NOBODY, name=name, groups=frozenset({entry.id}))


RULE = Rule("tls-key", (), check)
