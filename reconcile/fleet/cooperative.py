"""Makes blocking calls of the standard library cooperative, as pyinfra needs it to ask many."""

from __future__ import annotations

from gevent import monkey


def make_cooperative() -> None:
    """Patch this process, before anything is imported that asks hosts."""
    monkey.patch_all()
