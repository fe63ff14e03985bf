"""What lets a profile of AppArmor allow one more thing. Source: apparmor.d(5)."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from posixpath import join
from shlex import quote

PROFILES = "/etc/apparmor.d"
MAX_BYTES = 1 << 20
_MASK = str.maketrans("cda", "www")
"""A rule's letters for those of the log: create, delete and append are w."""
_UNSAFE = re.compile(r'[\s"*?\[\]{}^\\]')


def profile_fix(profile: str, target: str, mask: str, folder: str = PROFILES) -> str:
    """The commands that add what was denied to the profile, and load it."""
    name, text = _file_of(profile, folder)
    rule = f"{_pattern(target)} {''.join(dict.fromkeys(mask.translate(_MASK)))},"
    path = join(folder, name)
    load = f"apparmor_parser -r {quote(path)}"
    local = re.search(r"^\s*#?include\s+(?:if exists\s+)?<(local/[^>]+)>", text, re.MULTILINE)
    if text and local is None:
        return f"Add this line before the last brace of {path}: {rule} Then: {load}"
    addition = join(folder, local[1] if local else f"local/{name}")
    return f"mkdir -p {folder}/local && printf '%s\\n' {quote(rule)} >>{quote(addition)} && {load}"


def _file_of(profile: str, folder: str) -> tuple[str, str]:
    """The name and text of the file that has the profile; by convention where none is found."""
    usual = profile.lstrip("/").replace("/", ".") or "PROFILE"
    is_head = re.compile(
        rf"^(?:profile\s+)?\"?{re.escape(profile)}\"?\s+(?:\S+\s+)?.*\{{", re.MULTILINE
    )
    names = sorted(_files(folder), key=lambda name: (name != usual, name))
    for name in names:
        text = _profile_text(join(folder, name))
        if is_head.search(text):
            return name, text
    return usual, ""


def _files(folder: str) -> list[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return []


def _profile_text(path: str) -> str:
    with suppress(OSError), open(path, "rb") as file:
        return file.read(MAX_BYTES).decode("utf-8", "replace")
    return ""


def _pattern(path: str) -> str:
    """A path as a rule has it: it matches itself alone."""
    escaped = re.sub(r"([*?\[\]{}^\\\"])", r"\\\1", path)
    return f'"{escaped}"' if _UNSAFE.search(path) else path
