"""docs/doctor/README.md, made from the rules: `python -m tests.doctor.table`."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from reconcile.doctor import registry
from reconcile.doctor.guide_rows import BEYOND, SECTIONS
from tests.doctor.faults import FAULTS

PROJECT = Path(__file__).parents[2]
PAGES = PROJECT / "docs/doctor"
HERE = "tests/doctor"
BY_FAULT = f"{HERE}/test_rules.py::test_a_rule_speaks_on_its_fault"
HEAD = """# Doctor

`reconcile doctor` holds a host against the rules below, with a reconcile.yaml or without one. Each
has a page: the symptom, its cause, how it is found, the fix, and the tests that prove it. A rule
is one file in `reconcile/doctor/rules/` and a line in `reconcile/doctor/registry.py`.

This page is made from the rules: `python -m tests.doctor.table`.
"""


def proofs(rule: str) -> list[str]:
    """The tests of a rule: its faults, and every test that is named after it."""
    named = f"test_{rule.replace('-', '_')}_"
    by_name = [test for test in _tests() if test.partition("::")[2].startswith(named)]
    return [f"{BY_FAULT}[{fault.id}]" for fault in FAULTS if fault.rule == rule] + by_name


@cache
def _tests() -> list[str]:
    return [
        f"{HERE}/{path.name}::{node.name}"
        for path in sorted((PROJECT / HERE).glob("test_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]


def text() -> str:
    rules = registry.load()
    lines = [HEAD]
    for section, rows in SECTIONS.items():
        lines += [f"## {section}", "", "| row | rule | test |", "|---|---|---|"]
        for key, row in rows.items():
            covering = [rule.id for rule in rules if key in rule.guide_rows]
            links = ", ".join(map(_link, covering))
            tests = "<br>".join(f"`{proofs(name)[0]}`" for name in covering)
            lines.append(f"| {row} | {links} | {tests} |")
        lines.append("")
    lines += [f"## {BEYOND.capitalize()}", "", "| rule | test |", "|---|---|"]
    lines += [f"| {_link(r.id)} | `{proofs(r.id)[0]}` |" for r in rules if not r.guide_rows]
    return "\n".join(lines) + "\n"


def _link(name: str) -> str:
    return f"[{name}]({name}.md)"


if __name__ == "__main__":
    (PAGES / "README.md").write_text(text())
