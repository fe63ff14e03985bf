"""`gzip_static on`: nginx sends app.css.gz, which is older than app.css, to most browsers."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.filesystem.inventory import Inventory
from reconcile.wording import counted, first_few

MAX_BYTES = 8 << 20
DIRECTIVES = {".gz": "gzip_static", ".br": "brotli_static", ".zst": "zstd_static"}
"""Suffix → the directive that lets nginx send such a file instead of the original."""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for stale compressed files that nginx sends, a note for others."""
    for mapping in inspection.mappings:
        found = inspection.inventory(mapping.path)
        older = _older(found) if found else ()
        stale = [path for path in older if _differs(inspection, mapping, path)]
        if stale:
            yield _stale_files(inspection, mapping, stale)


def _older(found: Inventory) -> Iterator[str]:
    """Compressed files that are older than their originals."""
    files = {item.path: item.stat for item in found.of_kind("file")}
    for path, compressed in files.items():
        for suffix in DIRECTIVES:
            original = files.get(path.removesuffix(suffix)) if path.endswith(suffix) else None
            if original and original.mtime_ns > compressed.mtime_ns:
                yield path


def _differs(inspection: HostInspection, mapping: LocationMapping, path: str) -> bool:
    """Whether a .gz has other content than its original; other kinds are compared by age only."""
    if not path.endswith(".gz"):
        return True
    files = inspection.host.files
    original = files.read(f"{mapping.path}/{path.removesuffix('.gz')}", MAX_BYTES)
    compressed = files.read(f"{mapping.path}/{path}", MAX_BYTES)
    try:
        with gzip.open(io.BytesIO(compressed)) as unpacked:
            return unpacked.read(len(original) + 1) != original
    except (OSError, EOFError, zlib.error):
        return True


def _is_fixed_by_apply(
    inspection: HostInspection, mapping: LocationMapping, stale: list[str]
) -> bool:
    """Whether an apply renews them all: not those that the source itself has."""
    source = mapping.declared.source if mapping.declared else None
    files = inspection.host.files
    return source is not None and all(
        files.stat(f"{source}/{path.rpartition('.')[0]}") and not files.stat(f"{source}/{path}")
        for path in stale
    )


def _stale_files(
    inspection: HostInspection, mapping: LocationMapping, stale: list[str]
) -> RuleResult:
    sent = [path for path in stale if mapping.scope.argument(_directive(path), "off") != "off"]
    reported = sent or stale
    what = f"{mapping.path} has {counted(len(reported), 'compressed file')} older than the original"
    evidence = f"content differs from the original: {first_few(reported)}"
    if not sent:
        return note(f"{what}; nginx does not send them.", evidence)
    directives = sorted({_directive(path) for path in sent})
    return warning(
        f"{what}; nginx sends them.",
        evidence,
        f"{mapping.place}: {' and '.join(directives)} is on",
        fix=f"rm {' '.join(quote(f'{mapping.path}/{path}') for path in sent)}"
        "  # and create them at each deployment, or declare `precompress`",
        apply_fixes=_is_fixed_by_apply(inspection, mapping, sent),
    )


def _directive(path: str) -> str:
    return DIRECTIVES["." + path.rpartition(".")[2]]


RULE = Rule(
    id="stale-precompressed",
    summary="Compressed copies are older than their originals.",
    severity="warning",
    help=(
        "Browsers that accept compression get the old content, others the new. Compress "
        "the files again, or remove the copies."
    ),
    reads=("configuration", "files"),
    check=check,
)
