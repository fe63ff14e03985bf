"""Runs inside a host, fed to its Python: prints everything below some folders as JSON."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import stat
import subprocess


def main(asked: str) -> None:
    """Print the manifest that `asked` (JSON) describes."""
    wanted = json.loads(asked)
    entries: dict[str, object] = {}
    for root in wanted["roots"]:
        for path in everything_below(root, frozenset(wanted["exclude"])):
            entries[path] = entry(path, wanted["mtimes"])
    for unit in wanted["units"]:
        entries[f"unit:{unit}"] = unit_state(unit)
    print(json.dumps(entries))


def everything_below(root: str, exclude: frozenset[str]) -> list[str]:
    if root in exclude or not os.path.lexists(root):
        return []
    found = [root]
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in exclude]
        found += [os.path.join(folder, name) for name in folders + files]
    return [path for path in found if path not in exclude]


def entry(path: str, mtimes: bool) -> dict[str, object]:
    at = os.lstat(path)
    known: dict[str, object] = {
        "kind": stat.filemode(at.st_mode)[0],
        "mode": f"{stat.S_IMODE(at.st_mode):04o}",
        "user": user_name(at.st_uid),
        "group": group_name(at.st_gid),
        "xattrs": extended(path),
    }
    if stat.S_ISLNK(at.st_mode):
        known["target"] = os.readlink(path)
    if stat.S_ISREG(at.st_mode):
        known["sha256"] = digest(path)
        known.update({"mtime_ns": at.st_mtime_ns} if mtimes else {})
    return known


def extended(path: str) -> dict[str, str]:
    names = os.listxattr(path, follow_symlinks=False)
    return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in sorted(names)}


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def unit_state(unit: str) -> dict[str, str]:
    shown = "LoadState,ActiveState,SubState,UnitFileState,FragmentPath,NeedDaemonReload"
    command = ["/usr/bin/systemctl", "show", unit, "--property", shown]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(sorted(line.split("=", 1) for line in text.splitlines()))
