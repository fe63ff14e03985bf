"""Checks that visitors get what the app saves: a canary file, written as the app's user."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconcile.config.probes import UploadDirectoryProbe
from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.system.canary import Canary, create, remove
from reconcile.system.processes import NotRoot
from reconcile.verify.evaluate import evaluate
from reconcile.verify.http_probe import ProbeClient, check_name

if TYPE_CHECKING:
    from reconcile.system import Host


def create_canary(
    probe: UploadDirectoryProbe, host: Host, canary: Canary, beside: Collection[Canary] = ()
) -> Check | None:
    """Write the canary to the upload directory; a failed or unknown check if that is impossible.

    Those `beside` it are in use, perhaps in the same directory.
    """
    try:
        create(host, probe.dir, canary, mode=probe.mode, writer=probe.writer, beside=beside)
    except NotRoot as error:
        detail = f"could not write to {probe.dir} as {_writer(probe)}: {error.why}. {error.fix}"
        return Check(probe.name, "unknown", detail)
    except (OSError, ReconcileError) as error:
        detail = f"{_writer(probe)} cannot write to {probe.dir}: {_reason(error)}"
        return Check(probe.name, "fail", detail)
    return None


def remove_canary(probe: UploadDirectoryProbe, host: Host, canary: Canary) -> Check | None:
    """Remove the canary; a failed check if that is impossible."""
    try:
        remove(host, probe.dir, canary, writer=probe.writer)
    except (OSError, ReconcileError) as error:
        detail = f"could not remove {probe.dir}/{canary.name}: {_reason(error)}"
        return Check(f"{probe.name} removed", "fail", detail)
    return None


def check_upload_directory(
    probe: UploadDirectoryProbe, canary: Canary, client: ProbeClient
) -> tuple[Check, ...]:
    """One check for each address: the canary is served unchanged, the one with a dot is not."""
    return tuple(
        client.retry_until_ok(partial(_check_address, probe, canary, client, address))
        for address in probe.endpoint.addresses
    )


def _check_address(
    probe: UploadDirectoryProbe, canary: Canary, client: ProbeClient, address: str
) -> Check:
    name = check_name(probe.name, address)
    response = client.get(probe.endpoint, address, probe.prefix + canary.name)
    served = evaluate(name, response, replace(probe.expect, body=canary.content.decode()))
    if served.status != "pass":
        return served
    response = client.get(probe.endpoint, address, probe.prefix + canary.hidden_name)
    hidden = evaluate(name, response, probe.hidden)
    if canary.content in response.body:
        hidden = Check(name, "fail", hidden.detail or "it is served")
    if hidden.status != "pass":
        return replace(hidden, detail=f"a file whose name begins with a dot: {hidden.detail}")
    return replace(served, detail=f"{served.detail}, for a file written as {_writer(probe)}")


def _writer(probe: UploadDirectoryProbe) -> str:
    return probe.writer or "this user"


def _reason(error: OSError | ReconcileError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{error.what}: {error.why}"
