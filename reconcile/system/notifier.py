"""Sends notifications by mail, chat or webhook (Apprise)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reconcile.errors import ReconcileError
from reconcile.extras import how_to_add


class NotSent(ReconcileError):
    """A notification could not be sent."""


def send(urls: Sequence[str], title: str, body: str) -> None:
    """Send one message to each of `urls`, in Apprise's format.

    Errors: NotSent. URLs contain passwords, so errors name only their scheme.
    """
    try:
        # Costs 0.3 s to import.
        from apprise import Apprise
    except ImportError:
        raise NotSent(
            "No notification was sent: the package apprise is not installed",
            "",
            how_to_add("notify"),
        ) from None
    for url in urls:
        with _silence():
            service = Apprise()
            known = service.add(url)
            sent = known and service.notify(title=title, body=body)
        if not sent:
            raise _not_sent(url, known=bool(known))


def _not_sent(url: str, *, known: bool) -> NotSent:
    scheme = url.partition("://")[0] if "://" in url else "this URL"
    if not known:
        return NotSent(
            f"No notification was sent by {scheme}",
            "it is not a URL that Apprise supports",
            "See the list of services in Apprise's documentation.",
        )
    return NotSent(
        f"No notification was sent by {scheme}",
        "the service is unreachable, or rejected the message",
        "The next check will retry.",
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
