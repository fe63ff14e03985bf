"""A private key that another user than root can read, or that nginx serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from shlex import quote

from reconcile.doctor.certificates import CertificateKeyPair, certificate_pairs
from reconcile.doctor.evidence import namei
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, note, warning
from reconcile.filesystem.acl import GROUP, USER
from reconcile.filesystem.path import is_inside
from reconcile.system.accounts import STRANGER, Account


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a finding for each key that is served, or readable by another user."""
    for pair in {pair.key: pair for pair in certificate_pairs(inspection)}.values():
        yield from _served(inspection, pair)
        if inspection.host.managing_account.uid == 0:
            yield from _readable(inspection, pair)


def _served(inspection: HostInspection, pair: CertificateKeyPair) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        if is_inside(inspection.real_path(pair.key), mapping.path):
            yield error(
                f"The private key {pair.key} is in the folder that {mapping.prefix} serves.",
                mapping.evidence,
                fix="Move it out of the folder, and get a new certificate with a new key.",
            )
            return


def _readable(inspection: HostInspection, pair: CertificateKeyPair) -> Iterator[RuleResult]:
    """nginx reads keys as root, before its workers drop their privileges."""
    apps = (app.account for app in inspection.apps_behind(pair.server))
    own = (inspection.nginx.worker, *apps)
    accounts = [STRANGER, *_accounts_of_acl(inspection, pair.key), *own]
    for account in accounts:
        walk = inspection.access(pair.key, account)
        if account.uid != 0 and walk.can_read:
            severity = note if account in own else warning
            yield severity(
                f"{account.name} can read the private key {pair.key}.",
                *namei(walk, inspection.host.accounts),
                fix=f"chown root:root {quote(pair.key)} && chmod 0600 {quote(pair.key)}",
            )
            return


def _accounts_of_acl(inspection: HostInspection, path: str) -> Iterator[Account]:
    """The users and groups that the ACL of the key names."""
    last = inspection.access(path, STRANGER).last
    accounts = inspection.host.accounts
    for entry in last.acl if last else ():
        if entry.tag == USER:
            yield accounts.user(accounts.user_name(entry.id))
        elif entry.tag == GROUP:
            name = f"the group {accounts.group_name(entry.id)}"
            yield replace(STRANGER, name=name, groups=frozenset({entry.id}))


RULE = Rule(
    id="tls-key",
    summary="A private key is served, or readable by another user than root.",
    severity="error",
    help=(
        "Whoever reads the private key can impersonate the site. nginx reads it as root, "
        "so no other user has to."
    ),
    reads=("configuration", "certificates", "files"),
    check=check,
)
