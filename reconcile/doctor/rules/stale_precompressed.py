"""A .gz, .br or .zst beside a file that has changed since: most browsers get the old one."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.evidence import counted, examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.filesystem.inventory import Inventory

MOST_BYTES = 8 << 20
SENT_BY = {".gz": "gzip_static", ".br": "brotli_static", ".zst": "zstd_static"}
"""Ending → the directive that has nginx send such a file in place of the one asked for."""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        found = inspection.inventory(mapping.path)
        stale = (
            [path for path in _older(found) if _differs(inspection, mapping, path)] if found else []
        )
        if stale:
            yield _told(inspection, mapping, stale)


def _older(found: Inventory) -> Iterator[str]:
    """Compressed files that are older than what they were made of."""
    files = {item.path: item.stat for item in found.of_kind("file")}
    for path, packed in files.items():
        for ending in SENT_BY:
            plain = files.get(path.removesuffix(ending)) if path.endswith(ending) else None
            if plain and plain.mtime_ns > packed.mtime_ns:
                yield path


def _differs(inspection: HostInspection, mapping: LocationMapping, path: str) -> bool:
    """Whether a .gz holds another content; of the others their age has to tell."""
    import gzip
    import io
    import zlib

    if not path.endswith(".gz"):
        return True
    files = inspection.host.files
    plain = files.read(f"{mapping.path}/{path.removesuffix('.gz')}", MOST_BYTES)
    packed = files.read(f"{mapping.path}/{path}", MOST_BYTES)
    try:
        with gzip.open(io.BytesIO(packed)) as unpacked:
            return unpacked.read(len(plain) + 1) != plain
    except (OSError, EOFError, zlib.error):
        return True


def _is_renewed(inspection: HostInspection, mapping: LocationMapping, stale: list[str]) -> bool:
    """Whether an apply mends all: what lies in the source with its compressed form, it copies."""
    source = mapping.declared.source if mapping.declared else None
    files = inspection.host.files
    return source is not None and all(
        files.stat(f"{source}/{path.rpartition('.')[0]}") and not files.stat(f"{source}/{path}")
        for path in stale
    )


def _told(inspection: HostInspection, mapping: LocationMapping, stale: list[str]) -> RuleResult:
    sent = [path for path in stale if mapping.scope.argument(_directive(path), "off") != "off"]
    told = sent or stale
    what = f"{mapping.path} has {counted(told, 'compressed file')} older than the original"
    evidence = f"other content than beside it: {examples(told)}"
    if not sent:
        return note(f"{what}, which nginx does not send.", evidence)
    directives = sorted({_directive(path) for path in sent})
    return warning(
        f"{what}, which nginx sends.",
        evidence,
        f"{mapping.place}: {' and '.join(directives)} is on",
        fix=f"rm {' '.join(quote(f'{mapping.path}/{path}') for path in sent)}"
        "  # and make them anew at each deploy, or declare `precompress`",
        by_apply=_is_renewed(inspection, mapping, sent),
    )


def _directive(path: str) -> str:
    return SENT_BY["." + path.rpartition(".")[2]]


RULE = Rule("stale-precompressed", (), check)
