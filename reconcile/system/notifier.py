"""Telling people elsewhere: mail, chat, webhooks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reconcile.errors import ReconcileError


class NotSent(ReconcileError):
    """A message did not go out; never a reason for what it tells to be less true."""


def send(urls: Sequence[str], title: str, body: str) -> None:
    """Send one message to each of `urls`, in Apprise's notation.

    Errors: NotSent. URLs hold passwords, so no more of them than the scheme is ever told.
    """
    try:
        # Costs 0.3 s to import.
        from apprise import Apprise
    except ImportError:
        raise NotSent(
            "Nobody was notified: the package apprise is not installed",
            "",
            "pip install 'reconcile-host[notify]'",
        ) from None
    for url in urls:
        with _silence():
            service = Apprise()
            known = service.add(url)
            sent = known and service.notify(title=title, body=body)
        if not sent:
            raise _not_sent(url, known=bool(known))


def _not_sent(url: str, *, known: bool) -> NotSent:
    scheme = url.partition("://")[0] if "://" in url else "that"
    if not known:
        return NotSent(
            f"Nobody was notified by {scheme}",
            "it is no address that Apprise understands",
            "See the list of services in Apprise's documentation.",
        )
    return NotSent(
        f"Nobody was notified by {scheme}",
        "the service cannot be reached, or refused the message",
        "The next check tries again.",
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Libraries log whole URLs when something goes wrong."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
