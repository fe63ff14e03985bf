"""Durations, sizes and modes: written as people write them, plain numbers inside."""

from __future__ import annotations

import re
from typing import Annotated, Any

from reconcile.config.values.written import Octal, UnfitError, Written, describe, quoted, text

SECONDS = {
    "s": 1,
    "m": 60,
    "h": 3_600,
    "d": 86_400,
    "w": 7 * 86_400,
    "y": 365 * 86_400,
}
BYTES = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}

# RFC 9111, section 1.2.2: a cache may take anything longer for this.
LONGEST_S = 2**31 - 1
LARGEST_BYTES = 2**40

_DURATIONS = "write 30s, 10m, 1h, 7d, 2w or 1y"
_SIZES = "write 512KB, 20MB or 1GB"
_DURATION = re.compile(r"(0|[1-9]\d{0,9})([smhdwy])", re.ASCII)
_SIZE = re.compile(r"([1-9]\d{0,9})(KB|MB|GB)", re.ASCII)
_MODE = re.compile(r"[0-7]{3,4}", re.ASCII)


def parse_duration(value: Any) -> int:
    """Seconds of `7d`, `1h`, `1y` (365 days)."""
    written = text(value, "a duration", _DURATIONS)
    found = _DURATION.fullmatch(written)
    if not found:
        raise UnfitError(f"{quoted(written)} is not a duration", _DURATIONS)
    seconds = int(found[1]) * SECONDS[found[2]]
    if seconds > LONGEST_S:
        raise UnfitError(f"{quoted(written)} is longer than 68 years")
    return seconds


def parse_size(value: Any) -> int:
    """Bytes of `20MB`; a KB is 1024 bytes, as nginx counts."""
    written = text(value, "a size", _SIZES)
    found = _SIZE.fullmatch(written)
    if not found:
        raise UnfitError(f"{quoted(written)} is not a size", _SIZES)
    size = int(found[1]) * BYTES[found[2]]
    if size > LARGEST_BYTES:
        raise UnfitError(f"{quoted(written)} is more than 1024GB")
    return size


def parse_dirs_mode(value: Any) -> int:
    """The mode of directories: their owner has to be able to work in them."""
    mode = _mode(value, example="0755")
    if mode & 0o4000:
        raise UnfitError("setuid means nothing on a directory", 'write "0755"')
    if mode & 0o700 != 0o700:
        raise UnfitError(
            f'"{mode:04o}" shuts the owner out of the directory', 'write "0755" or "0750"'
        )
    if mode & 0o002 and not mode & 0o1000:
        raise UnfitError(
            f'"{mode:04o}" lets everyone delete and replace what is in it', 'write "0755" or "0775"'
        )
    return mode


def parse_files_mode(value: Any) -> int:
    """The mode of files: readable for their owner, never setuid, never for all to write."""
    mode = _mode(value, example="0644")
    if mode & 0o7000:
        raise UnfitError(
            f'"{mode:04o}" sets setuid, setgid or sticky bits on files', 'write "0644"'
        )
    if not mode & 0o400:
        raise UnfitError(f'"{mode:04o}" does not let the owner read', 'write "0644" or "0640"')
    if mode & 0o002:
        raise UnfitError(f'"{mode:04o}" lets everyone change the files', 'write "0644" or "0664"')
    return mode


def _mode(value: Any, example: str) -> int:
    if isinstance(value, Octal) or (isinstance(value, int) and not isinstance(value, bool)):
        raise UnfitError(
            f"an unquoted {value} is another number to every YAML reader",
            f'quote it: "{str(value).removeprefix("0o").zfill(4)}"',
        )
    if not isinstance(value, str):
        raise UnfitError(f"expected a mode, got {describe(value)}", f'write "{example}"')
    if not _MODE.fullmatch(value):
        raise UnfitError(f"{quoted(value)} is not a mode", f'write octal digits, as in "{example}"')
    return int(value, 8)


Duration = Annotated[
    int,
    Written(
        parse_duration,
        {
            "type": "string",
            "pattern": r"^(?:0|[1-9][0-9]{0,9})[smhdwy]$",
            "examples": ["1h", "1d", "7d", "1y"],
        },
    ),
]
Size = Annotated[
    int,
    Written(
        parse_size,
        {
            "type": "string",
            "pattern": r"^[1-9][0-9]{0,9}(?:KB|MB|GB)$",
            "examples": ["20MB", "1GB"],
        },
    ),
]
DirsMode = Annotated[
    int,
    Written(
        parse_dirs_mode,
        {
            "type": "string",
            "pattern": r"^(?:[02]?7[0-7][0145]|[13]7[0-7][0-7])$",
            "examples": ["0755", "0750", "2775"],
        },
    ),
]
FilesMode = Annotated[
    int,
    Written(
        parse_files_mode,
        {
            "type": "string",
            "pattern": r"^0?[4-7][0-7][0145]$",
            "examples": ["0644", "0640"],
        },
    ),
]
