"""What somebody who helps from elsewhere needs of a host, without its secrets."""

from __future__ import annotations

import io
import json
import platform
import tarfile
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from reconcile import __version__
from reconcile.doctor.redaction import redact, redact_values, secrets_of
from reconcile.engine.history import rows_backwards
from reconcile.errors import ReconcileError
from reconcile.system import logs

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.doctor.inspection import HostInspection

LOG_LINES_BYTES = 200_000
MOST_APPLIES = 20
OS_RELEASE = "/etc/os-release"


def bundle_texts(
    inspection: HostInspection, diagnosis: Mapping[str, Any], config: Config | None
) -> dict[str, str]:
    """Name → text: versions, findings, configurations, nginx's error log and the history.

    `diagnosis`: the findings as a JSON object. What cannot be read is an entry with the reason.
    """
    secrets = secrets_of(config.model_dump(mode="json")) if config else frozenset[str]()
    values = {"about": _about(inspection), "doctor": diagnosis, "history": _history(inspection)}
    texts = {
        **({"reconcile.yaml": config.data.decode(errors="replace")} if config else {}),
        **dict(_nginx_files(inspection)),
        "nginx-error.log": _error_log(inspection),
    }
    return {
        **{
            f"{name}.json": json.dumps(redact_values(value, secrets), indent=2)
            for name, value in values.items()
        },
        **{name: redact(text, secrets) for name, text in texts.items()},
    }


def archive(texts: Mapping[str, str]) -> bytes:
    """The texts as a .tar.gz, in a folder of their own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in texts.items():
            data = text.encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(f"reconcile-bundle/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _about(inspection: HostInspection) -> dict[str, Any]:
    host = inspection.host
    found = host.files.content(OS_RELEASE)
    release = found[1].decode(errors="replace") if found else ""
    names = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return {
        "reconcile": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "os": names.get("PRETTY_NAME", "").strip('"'),
        "service_manager": host.settings.service_manager,
        "root": host.privileged,
        "nginx": _nginx_build(inspection),
    }


def _nginx_build(inspection: HostInspection) -> str:
    try:
        build = inspection.nginx.installation.build
    except ReconcileError as error:
        return str(error)
    return f"{'.'.join(map(str, build.version))} {' '.join(build.arguments)}"


def _nginx_files(inspection: HostInspection) -> Iterator[tuple[str, str]]:
    try:
        contents = inspection.nginx.installation.tree.contents()
    except ReconcileError as error:
        yield "nginx.conf", f"# not read: {error}\n"
        return
    for path, data in sorted(contents.items()):
        yield f"nginx{path}", data.decode("utf-8", "surrogateescape")


def _error_log(inspection: HostInspection) -> str:
    try:
        log = inspection.nginx.installation.layout.error_log
        return "\n".join(logs.tail(log, LOG_LINES_BYTES))
    except (ReconcileError, OSError) as error:
        return f"not read: {error}"


def _history(inspection: HostInspection) -> list[dict[str, str]]:
    rows = rows_backwards(inspection.host.state)
    entries = [row.entry for row in islice(rows, MOST_APPLIES)]
    return [{"at": one.at, "result": one.result, "error": one.error} for one in entries]
