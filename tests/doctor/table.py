"""Generates docs/doctor/README.md from the rules: `python -m tests.doctor.table`."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from reconcile.doctor.guide_rows import BEYOND, SECTIONS
from reconcile.doctor.rules import load_rules
from tests.doctor.faults import FAULTS

PROJECT = Path(__file__).parents[2]
PAGES = PROJECT / "docs/doctor"
HERE = "tests/doctor"
BY_FAULT = f"{HERE}/test_rules.py::test_a_rule_reports_its_fault"
HEAD = """# Doctor

`reconcile doctor` checks a host against the rules below, with a reconcile.yaml or without one.
Each rule has a page with the symptom, the cause, how the rule detects it, when it is silent, the
fix, and the tests. On [ordinary hosts](../doctor-corpus.md) that work it has no problems to report.

- `reconcile doctor --list` lists the rules with the worst severity that each reports; with `--only
  RULE` it also shows what the fault means and what the rule reads.
- `--only RULE` runs one rule alone, `--skip RULE` leaves one out; both may be repeated.

The exit code is 2 for errors and warnings, 0 for notes alone, and 1 where a rule could not check
something.

What has one cause is one finding: a folder that is closed to nginx is reported once, and `also: …`
in its evidence lists the locations, the app and the requests that fail because of it.

A finding that is known is ignored in the YAML, with a reason: `doctor:RULE` ignores all of a rule,
`doctor:RULE:SUBJECT` those that name the subject, a path, a server name or a location; `*` and `?`
match anything. It is still shown, apart from the others. After the day `until` it counts again.

```yaml
ignore:
  - {ref: "doctor:tls-certificate:/etc/ssl/own.pem", reason: "own authority", until: 2027-01-31}
```

`reconcile doctor --bundle FILE` writes what somebody needs who helps from elsewhere, as a .tar.gz:
versions, findings, the YAML, nginx's configuration, the end of its error log and the last applies.
It lists the files first. Values of `environment`, sensitive contents, private keys, password
hashes, queries of URLs and what stands behind names like `secret` are redacted; read it before you
send it.

To add a rule:

1. Write `reconcile/doctor/rules/my_rule.py`, with a `RULE` that declares what it is.
2. Add its id to `IDS` in `reconcile/doctor/rules/__init__.py`.
3. Add a fault and its harmless twin to `tests/doctor/faults.py`. Notes do not count there: test a
   rule that only reports notes in `test_my_rule_…`.
4. Write its page `docs/doctor/my-rule.md`, and generate this one: `python -m tests.doctor.table`.
"""


def proofs(rule: str) -> list[str]:
    """The tests of a rule: its faults, and every test that is named after it."""
    named = f"test_{rule.replace('-', '_')}_"
    by_name = [test for test in _tests() if test.partition("::")[2].startswith(named)]
    return [f"{BY_FAULT}[{fault.id}]" for fault in FAULTS if fault.rule == rule] + by_name


def _proof(rule: str) -> str:
    """The first of them. Errors: SystemExit for a rule that nothing proves."""
    if found := proofs(rule):
        return found[0]
    raise SystemExit(f"{rule} has neither a fault nor a test: see the steps in docs/doctor")


@cache
def _tests() -> list[str]:
    return [
        f"{HERE}/{path.name}::{node.name}"
        for path in sorted((PROJECT / HERE).glob("test_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]


def text() -> str:
    rules = load_rules()
    lines = [HEAD, "## Rules", "", "| rule | severity | summary |", "|---|---|---|"]
    lines += [f"| {_link(rule.id)} | {rule.severity} | {rule.summary} |" for rule in rules]
    lines.append("")
    for section, rows in SECTIONS.items():
        lines += [f"## {section}", "", "| row | rule | test |", "|---|---|---|"]
        for key, row in rows.items():
            covering = [rule.id for rule in rules if key in rule.guide_rows]
            links = ", ".join(map(_link, covering))
            tests = "<br>".join(f"`{_proof(name)}`" for name in covering)
            lines.append(f"| {row} | {links} | {tests} |")
        lines.append("")
    lines += [f"## {BEYOND.capitalize()}", "", "| rule | test |", "|---|---|"]
    lines += [f"| {_link(r.id)} | `{_proof(r.id)}` |" for r in rules if not r.guide_rows]
    return "\n".join(lines) + "\n"


def _link(name: str) -> str:
    return f"[{name}]({name}.md)"


if __name__ == "__main__":
    (PAGES / "README.md").write_text(text())
