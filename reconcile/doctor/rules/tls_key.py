"""A private key that others than root can read, or that visitors can get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconcile.doctor.certificates import Pair, pairs
from reconcile.doctor.evidence import namei, quoted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.filesystem.access import GROUP, USER
from reconcile.system.accounts import Account

_NOBODY = Account("any user of this machine", 0xFFFF_FFFD, 0xFFFF_FFFD, frozenset())


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for pair in {pair.key: pair for pair in pairs(snapshot)}.values():
        yield from _served(snapshot, pair)
        if snapshot.host.managing_account.uid == 0:
            yield from _readable(snapshot, pair)


def _served(snapshot: HostInspection, pair: Pair) -> Iterator[RuleResult]:
    for mapped in snapshot.mapped:
        if f"{snapshot.real(pair.key)}/".startswith(f"{mapped.path.rstrip('/')}/"):
            yield error(
                f"The private key {pair.key} lies in what {mapped.prefix} serves.",
                f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
                fix="Take it out of there, and get a new certificate with a new key.",
            )
            return


def _readable(snapshot: HostInspection, pair: Pair) -> Iterator[RuleResult]:
    """nginx reads keys as root, before its workers give root up."""
    apps = (app.account for app in snapshot.apps_of(pair.server))
    who = [_NOBODY, snapshot.worker, *apps, *_listed(snapshot, pair.key)]
    for account in who:
        walk = snapshot.walk(pair.key, account)
        if account.uid != 0 and walk.can_read:
            yield warning(
                f"{account.name} can read the private key {pair.key}.",
                *namei(walk, snapshot.host.accounts),
                fix=f"chown root:root {quoted(pair.key)} && chmod 0600 {quoted(pair.key)}",
            )
            return


def _listed(snapshot: HostInspection, path: str) -> Iterator[Account]:
    """Whom the key's access list names; each is asked for by itself."""
    last = snapshot.walk(path, _NOBODY).last
    accounts = snapshot.host.accounts
    for entry in last.acl if last else ():
        if entry.tag == USER:
            yield accounts.user(accounts.user_name(entry.id))
        elif entry.tag == GROUP:
            name = f"the group {accounts.group_name(entry.id)}"
            yield replace(_NOBODY, name=name, groups=frozenset({entry.id}))


RULE = Rule("tls-key", (), look)
