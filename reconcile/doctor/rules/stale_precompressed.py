"""`gzip_static on`: nginx sends app.css.gz to most browsers, be it empty, broken or old."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, note, warning
from reconcile.filesystem.inode import Stat
from reconcile.verify.compare_bytes import DECODERS
from reconcile.wording import counted, first_few

MAX_BYTES, MAX_TOTAL = 8 << 20, 64 << 20
"""Of one file, and of all that are unpacked below one folder; beyond that the age decides."""
DIRECTIVES = {".gz": "gzip_static", ".br": "brotli_static", ".zst": "zstd_static"}
"""Suffix → the directive that lets nginx send such a file instead of the original."""
_ENCODINGS = {".gz": "gzip", ".br": "br", ".zst": "zstd"}


@dataclass(frozen=True)
class _BadCopy:
    """A compressed file that is not a copy of its original, and why."""

    path: str
    problem: str
    is_broken: bool = False

    @property
    def suffix(self) -> str:
        """Its suffix, which names its format."""
        return "." + self.path.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for broken copies that nginx sends, a warning for others, else a note."""
    for mapping in inspection.mappings:
        bad = list(_bad_copies(inspection, mapping))
        if bad:
            yield _finding(inspection, mapping, bad)


def _bad_copies(inspection: HostInspection, mapping: LocationMapping) -> Iterator[_BadCopy]:
    found, unpacked = inspection.inventory(mapping.path), 0
    files = {item.path: item.stat for item in found.of_kind("file")} if found else {}
    for path, copy, original in _copies(files):
        unpacked += copy.size + original.size
        is_small = max(copy.size, original.size) <= MAX_BYTES and unpacked <= MAX_TOTAL
        bad = _compared(inspection, mapping, path) if is_small else None
        is_older = copy.mtime_ns < original.mtime_ns
        if bad is None and is_older and not (is_small and _decoder(path)):
            bad = _BadCopy(path, "is older than its original")
        if bad:
            yield bad


def _copies(files: Mapping[str, Stat]) -> Iterator[tuple[str, Stat, Stat]]:
    """Each compressed file with its original."""
    for path, copy in files.items():
        for suffix in DIRECTIVES:
            original = files.get(path.removesuffix(suffix)) if path.endswith(suffix) else None
            if original:
                yield path, copy, original


def _decoder(path: str) -> bool:
    return _ENCODINGS["." + path.rpartition(".")[2]] in DECODERS


def _compared(inspection: HostInspection, mapping: LocationMapping, path: str) -> _BadCopy | None:
    """What is wrong with the content of a copy; None where it is right, or cannot be unpacked."""
    files = inspection.host.files
    data = files.read(f"{mapping.path}/{path}", MAX_BYTES)
    encoding = _ENCODINGS["." + path.rpartition(".")[2]]
    if not data:
        return _BadCopy(path, f"is not a {encoding} file (0 bytes)", is_broken=True)
    if encoding not in DECODERS:
        return None
    original = files.read(f"{mapping.path}/{path.rpartition('.')[0]}", MAX_BYTES)
    try:
        is_same = DECODERS[encoding](data, len(original) + 1) == original
    except ValueError:
        return _BadCopy(
            path, f"is not a complete {encoding} file ({len(data)} bytes)", is_broken=True
        )
    return None if is_same else _BadCopy(path, "has other content than its original")


def _is_fixed_by_apply(
    inspection: HostInspection, mapping: LocationMapping, bad: list[_BadCopy]
) -> bool:
    """Whether an apply renews them all: not those that the source itself has."""
    source = mapping.declared.source if mapping.declared else None
    files = inspection.host.files
    return source is not None and all(
        files.stat(f"{source}/{one.path.rpartition('.')[0]}")
        and not files.stat(f"{source}/{one.path}")
        for one in bad
    )


def _finding(
    inspection: HostInspection, mapping: LocationMapping, bad: list[_BadCopy]
) -> RuleResult:
    sent = [one for one in bad if mapping.scope.argument(DIRECTIVES[one.suffix], "off") != "off"]
    reported = sent or bad
    what = f"{counted(len(reported), 'compressed file')} in {mapping.path} differ from the original"
    evidence = first_few([str(one) for one in reported])
    if not sent:
        return note(f"{what}; nginx does not send them.", evidence)
    directives = sorted({DIRECTIVES[one.suffix] for one in sent})
    return (error if any(one.is_broken for one in sent) else warning)(
        f"{what}; nginx sends them to browsers, and not to curl.",
        evidence,
        f"{mapping.place}: {' and '.join(directives)} is on",
        fix=f"rm {' '.join(quote(f'{mapping.path}/{one.path}') for one in sent)}"
        "  # and create them at each deployment, or declare `precompress`",
        apply_fixes=_is_fixed_by_apply(inspection, mapping, sent),
    )


RULE = Rule(
    id="stale-precompressed",
    summary="Compressed copies are broken, or differ from their originals.",
    severity="error",
    help=(
        "Browsers that accept compression get the old content, or none at all, others the "
        "new. Compress the files again, or remove the copies."
    ),
    reads=("configuration", "files"),
    check=check,
)
