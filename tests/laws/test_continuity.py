"""A URL that is valid before and after an apply is answered no worse at any moment in between."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.lab import DebianHost
from tests.support import continuity_site as site
from tests.support.tally import TALLY
from tests.support.wait import wait_for

pytestmark = pytest.mark.host

RATE = 50
NIGHTLY_STEPS = 25
SHOWN = 30


@dataclass
class Period:
    """From one moment to another, these states are allowed to answer."""

    start: float
    end: float
    states: tuple[site.State, ...]
    what: str

    def valid(self) -> dict[site.URL, set[str]]:
        """The URLs that all of the states answer, with the digests of their answers."""
        known = [state.answers() for state in self.states]
        urls = set.intersection(*map(set, known))
        return {url: {one[url] for one in known} for url in urls}


@dataclass
class Periods:
    """What was allowed when."""

    all: list[Period] = field(default_factory=list)

    def add(self, end: float, states: tuple[site.State, ...], what: str) -> None:
        """One more period, since the last one."""
        self.all.append(Period(self.all[-1].end if self.all else 0.0, end, states, what))

    def during(self, start: float, end: float) -> list[Period]:
        """The periods that a request was in."""
        return [period for period in self.all if period.start <= end and start <= period.end]


@contextmanager
def visited(host: DebianHost, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Visitors come, from inside of the host's network, until the end."""
    asked = {"address": host.address, "rate": RATE, "visitors": site.visitors()}
    inside = ["nsenter", "--target", str(host.leader), "--net"]
    program = Path(site.__file__).with_name("visitors.py")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*inside, sys.executable, "-I", str(program), json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=output,
        ) as process,
    ):
        yield process
        assert process.poll() is None
        process.communicate()


def faults(log: Path, periods: Periods) -> Iterator[str]:
    """Each answer that is worse than those of all the states that were allowed then."""
    for line in log.read_text().splitlines():
        answer = json.loads(line)
        TALLY["requests while configurations changed"] += 1
        if fault := _fault(answer, periods.during(answer["start"], answer["end"])):
            what = " | ".join(
                period.what for period in periods.during(answer["start"], answer["end"])
            )
            yield f"{fault}: {answer} [{what}]"


def _fault(answer: dict[str, Any], periods: list[Period]) -> str:
    url = (answer["host"], answer["url"])
    allowed = [period.valid().get(url) for period in periods]
    if not allowed or None in allowed:
        return ""
    if "error" in answer:
        return "no answer"
    if answer["status"] != 200:
        return f"status {answer['status']}"
    if answer["sha256"] not in set.union(*(one for one in allowed if one)):
        return "other content"
    return ""


def walk(host: DebianHost, log: Path, states: Sequence[site.State]) -> list[str]:
    """Apply one state after the other while visitors come; the faults."""
    site.deploy(host)
    states[0].lay_source(host)
    host.write(site.YAML, states[0].yaml())
    host.reconcile("apply", "--auto-approve", check=True)
    periods = Periods()
    with visited(host, log):
        wait_for(lambda: log.stat().st_size, "the first visitors")
        for before, after in pairwise(states):
            if after.version != before.version:
                after.lay_source(host)
            host.write(site.YAML, after.yaml())
            periods.add(time.monotonic(), (before,), "before")
            command = ("/usr/local/bin/reconcile", "apply", "--auto-approve")
            done = host.run(*command, cwd="/etc/reconcile", check=False)
            periods.add(time.monotonic(), (before, after), site.changes(before, after))
            assert 0 == done.returncode, (
                site.changes(before, after) + "\n" + done.stdout + done.stderr
            )
            planned = host.reconcile("plan", "--detailed-exitcode")
            assert 0 == planned.returncode, planned.stdout + planned.stderr
            TALLY["configurations applied under load"] += 1
        periods.add(time.monotonic(), (states[-1],), "after")
    return [*faults(log, periods)]


def test_no_visitor_notices_an_apply(debian_host: DebianHost, tmp_path: Path) -> None:
    found = walk(debian_host, tmp_path / "answers.jsonl", [*site.chosen()])

    assert [] == found[:SHOWN], f"{len(found)} faults"


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 9))
def test_no_visitor_notices_any_of_many_applies(
    debian_host: DebianHost, tmp_path: Path, seed: int
) -> None:
    states = [*islice(site.random_walk(seed), NIGHTLY_STEPS + 1)]

    found = walk(debian_host, tmp_path / "answers.jsonl", states)

    assert [] == found[:SHOWN], f"{len(found)} faults"
