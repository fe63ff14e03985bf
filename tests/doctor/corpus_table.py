"""Generates docs/doctor-corpus.md from the hosts in corpus/: `python -m tests.doctor.corpus_table`.

Run it as root: each host is made, started and diagnosed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.doctor.throwaway import Diagnosed, diagnose_hosts

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs/doctor-corpus.md"
HEAD = """# Ordinary hosts and the doctor

Sites that work, written after the forms of public guides. For each, files, certificates and an app
are made, `nginx -t` and nginx run, and all rules check it. The exit code has to be 0: an error or a
warning is what visitors or data suffer from; what could be better is a note.

The hosts are in `tests/doctor/corpus`; `tests/doctor/test_corpus.py` checks this table.

| host | form | exit code | notes |
|---|---|---|---|
"""


def forms() -> dict[str, str]:
    """Every host of the corpus by its name, in the order of the names."""
    paths = sorted((PROJECT / "tests/doctor/corpus").glob("*.conf"))
    return {path.stem: path.read_text() for path in paths}


def text(diagnosed: Mapping[str, Diagnosed]) -> str:
    """The page."""
    rows = [_row(name, form, diagnosed[name]) for name, form in forms().items()]
    return HEAD + "".join(rows)


def _row(name: str, form: str, found: Diagnosed) -> str:
    about = form.splitlines()[0].removeprefix("# ")
    notes = sorted({one["rule"] for one in found["findings"] if one["severity"] == "note"})
    return f"| {name} | {about} | {found['exit_code']} | {', '.join(notes)} |\n"


if __name__ == "__main__":
    PAGE.write_text(text(diagnose_hosts(forms())))
