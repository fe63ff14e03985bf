"""An upload through the app's own endpoint comes back through nginx."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from reconcile.engine.model import Check
from reconcile.system.canary import Canary, clear_upload, may_clear
from reconcile.system.http import HttpAnswer, multipart
from reconcile.verify.asking import Asker
from reconcile.verify.judge import judged
from reconcile.verify.model import Expectation, UploadProbe

ACCEPTED = frozenset({*range(200, 300), 302, 303})
"""A form that was taken: an answer, or the way to a page that shows it."""
_KEY = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SHOWN_BYTES = 60


def upload_check(probe: UploadProbe, asker: Asker) -> Check:
    """Post a canary, load it, compare, and remove it where it can be found."""
    if probe.dir is not None and not may_clear(probe.dir):
        why = f"nothing uploaded: it could not be removed from {probe.dir} again"
        return Check(probe.name, "unknown", f"{why}. Run it with sudo.")
    canary = Canary.new()
    posted = _Posted()
    seen = asker.settled(lambda: posted.judge(probe, canary, asker))
    if seen.status != "pass":
        # An app may save first and fail then.
        _removed(probe, canary, probe.then_get.replace("{filename}", canary.name))
        return seen
    path = _filled(probe.then_get, {"filename": canary.name} | posted.answer_keys())
    if path is None:
        told = posted.body[:_SHOWN_BYTES]
        return Check(probe.name, "fail", f"{probe.then_get} needs more than the app told: {told!r}")
    return _loaded_and_removed(probe, canary, path, asker)


class _Posted:
    """The last answer to the form."""

    def __init__(self) -> None:
        self.body = b""

    def judge(self, probe: UploadProbe, canary: Canary, asker: Asker) -> Check:
        form = multipart(probe.field, canary.name, canary.content)
        answer = asker.post(probe.endpoint, probe.endpoint.addresses[0], probe.path, form)
        self.body = answer.body
        return _with_hint(judged(probe.name, answer, Expectation(status=ACCEPTED)), probe, answer)

    def answer_keys(self) -> dict[str, Any]:
        try:
            told = json.loads(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}


def _with_hint(check: Check, probe: UploadProbe, answer: HttpAnswer) -> Check:
    if check.status == "pass" or not answer.status:
        return check
    wanted = f"POST {probe.path} was answered {answer.status} instead of 2xx"
    return Check(check.name, check.status, f"{wanted}: {answer.body[:_SHOWN_BYTES]!r}")


def _filled(template: str, keys: Mapping[str, Any]) -> str | None:
    """`template` with every `{key}` as URL text; None where a key is missing or no plain value."""
    wanted = {match[1] for match in _KEY.finditer(template)}
    plain = {key: keys[key] for key in wanted if isinstance(keys.get(key), str | int)}
    if wanted - plain.keys():
        return None
    return _KEY.sub(lambda match: quote(str(plain[match[1]])), template)


def _loaded_and_removed(probe: UploadProbe, canary: Canary, path: str, asker: Asker) -> Check:
    expect = Expectation(status=frozenset({200}), body=canary.content.decode())
    address = probe.endpoint.addresses[0]
    try:
        seen = asker.settled(
            lambda: judged(probe.name, asker.get(probe.endpoint, address, path), expect)
        )
    finally:
        left = _removed(probe, canary, path)
    if left:
        return Check(probe.name, "fail", left)
    if seen.status != "pass":
        return Check(probe.name, seen.status, f"uploaded, but {path}: {seen.detail}")
    return Check(probe.name, "pass", f"POST {probe.path}, then 200 from {path}")


def _removed(probe: UploadProbe, canary: Canary, path: str) -> str:
    """Remove the uploaded canary where a media location tells its directory; why it had to stay."""
    if probe.dir is None or probe.prefix is None or not path.startswith(probe.prefix):
        return ""
    relative = unquote(path.removeprefix(probe.prefix))
    try:
        clear_upload(probe.dir, relative, canary)
    except OSError as problem:
        return f"{probe.dir}/{relative} could not be removed: {problem.strerror}"
    return ""
