"""Fixes done as they are written: commands in a shell, directives typed into nginx's files."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

from tests.doctor.typed_edits import type_edit

ROOTS = ("/srv", "/home", "/var/www", "/root/www", "/etc/letsencrypt")
READERS = ("www-data", "nobody", "deploy")
HOST = "shop.example"
_EDIT = re.compile(r"^(/[^:]+):(\d+): (.*)$", re.DOTALL)
_COMMAND = re.compile(
    r"^(?:cd|chgrp|chmod|chown|cp|find|gzip|install|mkdir|mv|nginx|printf|rm|setfacl|systemctl"
    r"|touch) "
)


def paste(fix: str) -> bool:
    """Do what a fix says; False where it is neither a command nor an edit."""
    if _COMMAND.match(fix):
        subprocess.run(["sh", "-eu", "-c", fix], check=True, stdout=2, stdin=subprocess.DEVNULL)
        return True
    edit = _EDIT.match(fix)
    if edit is None:
        return False
    type_edit(edit[1], int(edit[2]), edit[3])
    return True


def readable() -> dict[str, set[str]]:
    """Reader → every file and folder below the roots that it can read or enter."""
    return {reader: set(_as(reader)) for reader in READERS}


def _as(reader: str) -> list[str]:
    account = pwd.getpwnam(reader)
    # The names come from root: a folder that can be entered may not be listed.
    names = [
        (os.path.join(top, name), os.R_OK if name in files else os.X_OK)
        for root in ROOTS
        for top, folders, files in os.walk(root)
        for name in (*folders, *files)
    ]
    groups = os.getgroups()
    os.setgroups([account.pw_gid])
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        return [path for path, bits in names if os.access(path, bits, effective_ids=True)]
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def served(prefixes: Iterable[str]) -> dict[str, str]:
    """URL → the file below the roots whose content a visitor gets there."""
    found: dict[str, str] = {}
    for root in ROOTS[:2]:
        for top, _, names in os.walk(root):
            for name in names:
                path = os.path.join(top, name)
                content = Path(path).read_bytes() if os.path.isfile(path) else b""
                for uri in _candidates(path, prefixes):
                    if content and uri not in found and _get(uri) == content:
                        found[uri] = path
    return found


def _candidates(path: str, prefixes: Iterable[str]) -> Iterable[str]:
    parts = path.split("/")
    for start in range(1, len(parts)):
        tail = "/".join(parts[start:])
        yield f"/{tail}"
        yield from (f"{prefix}{tail}" for prefix in prefixes)
        yield from (f"{prefix}../{tail}" for prefix in prefixes)


def _get(uri: str) -> bytes | None:
    connection = HTTPConnection("127.0.0.1", 80, timeout=5)
    try:
        connection.request("GET", quote(os.fsencode(uri)), headers={"Host": HOST})
        answer = connection.getresponse()
        body = answer.read()
        return body if answer.status == 200 else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
