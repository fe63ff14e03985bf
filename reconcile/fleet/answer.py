"""The answer of a host: what it is in terms of the fleet, or unknown; a host may be hostile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from reconcile.dataclass import dataclass
from reconcile.errors import ExitCode
from reconcile.fleet.host_json import read_object
from reconcile.fleet.rollout import Outcome
from reconcile.output.escape import printable

State = Literal[
    "in_sync",
    "drift",
    "applied",
    "failed",
    "stale",
    "locked",
    "error",
    "unknown",
    "unreachable",
    "skipped",
    "silent",
]
FORMAT = "1."
"""The formats of documents that are understood."""
EXIT_CODES: Mapping[State, int] = {
    "drift": ExitCode.CHANGES,
    "failed": ExitCode.VERIFICATION_FAILED,
    "stale": ExitCode.STALE_PLAN,
    **dict.fromkeys(("locked", "error", "unknown", "unreachable", "silent"), ExitCode.ERROR),
}
_STATES: Mapping[int, State] = {
    0: "in_sync",
    1: "error",
    2: "drift",
    3: "failed",
    4: "locked",
    5: "stale",
    6: "locked",
}
_OUTCOMES: Mapping[State, Outcome] = {
    "in_sync": "succeeded",
    "applied": "succeeded",
    "failed": "failed",
    "error": "failed",
    "unknown": "failed",
    "unreachable": "unreachable",
}


@dataclass(frozen=True)
class HostAnswer:
    """How a command ended on one host; `problem` is why it did not succeed."""

    state: State
    exit_code: int | None = None
    document: Mapping[str, Any] | None = None
    text: str = ""
    saved_plan: bytes = b""
    problem: str = ""
    elapsed_s: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """How it counts in a rollout."""
        return _OUTCOMES.get(self.state, "other")

    def after(self, elapsed_s: float) -> HostAnswer:
        """The same, which took that long."""
        return replace(self, elapsed_s=round(elapsed_s, 3))


def silent_since(answer: HostAnswer, oldest: datetime) -> HostAnswer:
    """The same, or silent where its newest reading is from before `oldest`."""
    at = str((answer.document or {}).get("timestamp", ""))
    try:
        is_old = datetime.fromisoformat(at) < oldest
    except (TypeError, ValueError):
        return answer
    problem = f"its last reading is of {at}"
    return replace(answer, state="silent", problem=problem) if is_old else answer


def unreachable(why: str) -> HostAnswer:
    """A host that was not asked."""
    return HostAnswer("unreachable", problem=_plain(why))


def unknown(why: str) -> HostAnswer:
    """A host whose answer cannot be relied on."""
    return HostAnswer("unknown", problem=_plain(why))


def read_answer(command: str, parts: Mapping[str, str]) -> HostAnswer:
    """The answer of `command`, by the parts of its script's output."""
    if "code" not in parts:
        return unknown(_why_no_code(parts))
    code = _whole_number(parts["code"])
    if code is None:
        return unknown("the exit code is not a number")
    errors = _plain(parts.get("err", "")[-4000:]).strip()
    if code not in _STATES:
        return unknown(errors or f"reconcile ended with {code}; 124 and 137 mean a timeout")
    document = _document(parts.get("document" if command == "plan" else "out", ""))
    if document is not None and not str(document.get("format_version", FORMAT)).startswith(FORMAT):
        return unknown(f"the host answers in format {document['format_version']!s:.20}")
    if command == "status":
        document = newest_reading(parts.get("readings", "")) or document
    if document is None and code not in (1, 4, 5, 6):
        return unknown(errors or "the answer is not JSON")
    saved_plan = parts.get("saved.plan", "").strip()
    state = _state(command, code, document)
    is_good = state in ("in_sync", "drift", "applied")
    problem = _held(document) if is_good else errors or _error_of(document)
    return HostAnswer(
        state,
        code,
        document,
        _plain(parts.get("out", "")) if command == "plan" else "",
        saved_plan.encode() + b"\n" if saved_plan else b"",
        problem,
    )


def as_applied_before(answer: HostAnswer, history: str, saved_plan: bytes) -> HostAnswer:
    """The answer of a host whose plan an interrupted rollout had carried out already.

    A saved plan is applied once, so that asking again is safe: the host refuses, and its history
    shows how that apply ended. `answer` itself where it never ran.
    """
    plan, rows = json.loads(saved_plan), (_document(history) or {}).get("entries")
    for row in reversed(rows if isinstance(rows, list) else []):
        if not isinstance(row, dict) or row.get("fingerprint") != plan["fingerprint"]:
            continue
        number, result = row.get("number"), str(row.get("result"))
        if isinstance(number, int) and number > plan["serial"]:
            if result == "applied":
                return replace(answer, state="applied", exit_code=0, document=row, problem="")
            return replace(answer, state="failed", exit_code=3, problem=_plain(result))
    return answer


def _state(command: str, code: int, document: Mapping[str, Any] | None) -> State:
    if command == "plan" and code in (0, ExitCode.HELD) and document:
        return "drift" if document.get("resource_changes") else "in_sync"
    if command == "apply" and code == 0 and document and document.get("result") == "applied":
        return "applied"
    if command == "status" and code == 0 and document and "entries" not in document:
        reading = document.get("exit_code")
        return _STATES.get(reading, "error") if isinstance(reading, int) else "error"
    return _STATES[code]


def _why_no_code(parts: Mapping[str, str]) -> str:
    if "install" in parts:
        return "reconcile could not be installed"
    if "files" in parts:
        return "its files did not all arrive, or its /tmp is full or read-only"
    if "refused" in parts:
        return (
            "the script did not run as root: allow passwordless sudo for the login, or log in as"
            " root"
        )
    return "there is no answer"


def newest_reading(lines: str) -> Mapping[str, Any] | None:
    """The reading that the host left last, None where it leaves none."""
    found = [one for line in lines.splitlines() if (one := _document(line)) is not None]
    return max(found, key=lambda one: str(one.get("timestamp", "")), default=None)


def _error_of(document: Mapping[str, Any] | None) -> str:
    """What went wrong, as a document has it."""
    error = (document or {}).get("error")
    if not isinstance(error, dict):
        return ""
    return _plain("\n".join(str(error[key]) for key in ("what", "why", "fix") if error.get(key)))


def _held(document: Mapping[str, Any] | None) -> str:
    """Who holds the host, where its plan notes that: apply would not start."""
    findings = (document or {}).get("findings")
    for one in findings if isinstance(findings, list) else []:
        if isinstance(one, dict) and one.get("rule") == "hold":
            return _plain(str(one.get("what")))
    return ""


def _whole_number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else None


def _document(text: str) -> Mapping[str, Any] | None:
    """The JSON object of a text, or that on its last line."""
    return read_object(text) or read_object(text.strip().rpartition("\n")[2])


def _plain(text: str) -> str:
    return printable(text, keep="\n")
