"""How much was tried in a run, told at its end: the figures of docs/safety.md.

What a test counts is summed over the processes that share the tests.
"""

from __future__ import annotations

from collections import Counter

import pytest

TALLY: Counter[str] = Counter()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker counted to who started it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = dict(TALLY)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    # A worker that crashed has handed nothing over.
    TALLY.update(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY:
        terminalreporter.section("what was tried")
    for what, count in sorted(TALLY.items()):
        terminalreporter.write_line(f"{count:>10,} {what}")
