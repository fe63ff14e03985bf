"""Checks that a file uploaded through the app's own form is served by nginx."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

from reconcile.config.probes import Expectation, UploadProbe
from reconcile.engine.model import Check
from reconcile.system.canary import Canary, can_remove_from, remove_upload
from reconcile.system.http import HttpAnswer, multipart
from reconcile.verify.evaluate import evaluate, excerpt
from reconcile.verify.http_probe import ProbeClient

ACCEPTED = frozenset({*range(200, 300), 302, 303})
"""The app took the form: a response, or a redirect to the page that shows the result."""
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def check_form_upload(probe: UploadProbe, client: ProbeClient) -> Check:
    """Upload a canary, request it, compare, and remove it where its directory is known."""
    if probe.dir is not None and not can_remove_from(probe.dir):
        reason = f"nothing uploaded, as this user could not remove it from {probe.dir}"
        return Check(probe.name, "unknown", f"{reason}. Run it with sudo.")
    canary = Canary.new()
    form = _FormResponse()
    posted = client.retry_until_ok(lambda: form.post(probe, canary, client))
    if posted.status != "pass":
        # An app may save the file first and fail then.
        _remove_upload(probe, canary, probe.then_get.replace("{filename}", canary.name))
        return posted
    path = _fill_template(probe.then_get, {"filename": canary.name} | form.json_keys())
    if path is None:
        detail = f"the app's response lacks a key of {probe.then_get}: {excerpt(form.body)}"
        return Check(probe.name, "fail", detail)
    return _check_served(probe, canary, path, client)


class _FormResponse:
    """The last response to the form."""

    def __init__(self) -> None:
        self.body = b""

    def post(self, probe: UploadProbe, canary: Canary, client: ProbeClient) -> Check:
        """Whether the app takes the form."""
        form = multipart(probe.field, canary.name, canary.content)
        response = client.post(probe.endpoint, probe.endpoint.addresses[0], probe.path, form)
        self.body = response.body
        expect = Expectation(status=ACCEPTED, refusals=probe.refusals)
        return _with_excerpt(evaluate(probe.name, response, expect), probe, response)

    def json_keys(self) -> dict[str, Any]:
        """The keys of a JSON object, none where the body is anything else."""
        try:
            keys = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return keys if isinstance(keys, dict) else {}


def _with_excerpt(check: Check, probe: UploadProbe, response: HttpAnswer) -> Check:
    if check.status != "fail" or not response.status:
        return check
    detail = f"POST {probe.path}: expected 2xx, got {response.status}"
    return replace(check, detail=f"{detail}: {excerpt(response.body)}")


def _fill_template(template: str, keys: Mapping[str, Any]) -> str | None:
    """`template` with every `{key}` as URL text; None where one is missing or no plain value."""
    wanted = {match[1] for match in _PLACEHOLDER.finditer(template)}
    values = {key: keys[key] for key in wanted if isinstance(keys.get(key), str | int)}
    if wanted - values.keys():
        return None
    return _PLACEHOLDER.sub(lambda match: quote(str(values[match[1]])), template)


def _check_served(probe: UploadProbe, canary: Canary, path: str, client: ProbeClient) -> Check:
    expect = Expectation(
        status=frozenset({200}), body=canary.content.decode(), refusals=probe.refusals
    )
    address = probe.endpoint.addresses[0]
    try:
        served = client.retry_until_ok(
            lambda: evaluate(probe.name, client.get(probe.endpoint, address, path), expect)
        )
    finally:
        failure = _remove_upload(probe, canary, path)
    if failure:
        return Check(probe.name, "fail", failure)
    if served.status != "pass":
        return replace(served, detail=f"uploaded, but {path}: {served.detail}")
    return replace(served, detail=f"POST {probe.path}, then 200 from {path}")


def _remove_upload(probe: UploadProbe, canary: Canary, path: str) -> str:
    """Remove the canary where a media location serves `path`; why it could not be removed."""
    if probe.dir is None or probe.prefix is None or not path.startswith(probe.prefix):
        return ""
    relative = unquote(path.removeprefix(probe.prefix))
    try:
        remove_upload(probe.dir, relative, canary)
    except OSError as error:
        return f"could not remove {probe.dir}/{relative}: {error.strerror}"
    return ""
