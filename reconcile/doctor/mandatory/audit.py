"""Lines of the audit log and of the kernel's, read into what was denied to whom.

Source: the kernel's avc_audit_pre_callback and aa_audit_msg; a value that holds a blank, a quote
or a byte above 126 stands there in hex.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_STAMP = re.compile(r"audit\((\d+\.\d+):|^(\d{9,}\.\d+) ")
_AVC = re.compile(r"avc:\s+denied\s+\{ ([^}]*) \}\s+for\s+(.*)")
_APPARMOR = re.compile(r'apparmor="DENIED" (.*)')
_FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_TEXTS = ("path", "name", "comm", "profile")


class Avc(NamedTuple):
    """What SELinux denied: `source` and `target` are types, `port` of a TCP connection or listen.

    `path` is whole, or only a name where the kernel did not know more.
    """

    line: str
    at: float | None
    wants: frozenset[str]
    comm: str
    pid: int
    source: str
    target: str
    kind: str
    path: str
    inode: int
    port: int


class Refusal(NamedTuple):
    """What AppArmor denied."""

    line: str
    at: float | None
    profile: str
    comm: str
    operation: str
    path: str
    mask: str


def avcs(lines: Iterable[str]) -> Iterator[Avc]:
    """What SELinux denied. Where it was only permissive, nobody was kept from anything."""
    for line in lines:
        found = _AVC.search(line)
        fields = _fields(found[2]) if found else {}
        if found and fields.get("permissive") != "1" and "tclass" in fields:
            yield Avc(
                line=line,
                at=_at(line),
                wants=frozenset(found[1].split()),
                comm=fields.get("comm", ""),
                pid=_number(fields, "pid"),
                source=type_of(fields.get("scontext", "")),
                target=type_of(fields.get("tcontext", "")),
                kind=fields["tclass"],
                path=fields.get("path") or fields.get("name", ""),
                inode=_number(fields, "ino"),
                port=_number(fields, "dest") or _number(fields, "src"),
            )


def refusals(lines: Iterable[str]) -> Iterator[Refusal]:
    """What AppArmor denied; in complain mode it says ALLOWED, and denies nothing."""
    for line in lines:
        if found := _APPARMOR.search(line):
            fields = _fields(found[1])
            yield Refusal(
                line=line,
                at=_at(line),
                profile=fields.get("profile", ""),
                comm=fields.get("comm", ""),
                operation=fields.get("operation", ""),
                path=fields.get("name", ""),
                mask=fields.get("denied_mask", ""),
            )


def type_of(label: str) -> str:
    """The type in `user:role:type:level`, "" where it is no label."""
    parts = label.split(":")
    return parts[2] if len(parts) > 2 else ""


def _fields(text: str) -> dict[str, str]:
    return {name: _value(name, value) for name, value in _FIELD.findall(text)}


def _value(name: str, value: str) -> str:
    if value.startswith('"'):
        return value[1:-1]
    if name in _TEXTS and _HEX.fullmatch(value):
        return bytes.fromhex(value).decode("utf-8", "surrogateescape")
    return value


def _number(fields: dict[str, str], name: str) -> int:
    value = fields.get(name, "")
    return int(value) if value.isdigit() else 0


def _at(line: str) -> float | None:
    found = _STAMP.search(line)
    return float(found[1] or found[2]) if found else None
