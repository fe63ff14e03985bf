"""Where the sandbox of a unit lets its program write, whatever the modes of files allow.

Source: systemd.exec(5), "Sandboxing".
"""

from __future__ import annotations

from collections.abc import Iterable

from reconcile.doctor.units import UnitView
from reconcile.filesystem.path import is_inside

_FULL = {
    "yes": ("/usr", "/boot", "/efi"),
    "true": ("/usr", "/boot", "/efi"),
    "full": ("/usr", "/boot", "/efi", "/etc"),
}
_KERNEL = ("/dev", "/proc", "/sys")
_HOMES = ("/home", "/root", "/run/user")
_MANAGED_FOLDERS = {
    "StateDirectory": "/var/lib",
    "RuntimeDirectory": "/run",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
}


def blocking_setting(unit: UnitView, folder: str) -> str:
    """The setting that prevents the unit from writing to `folder`; "" if none does."""
    if _is_in(folder, unit.words("InaccessiblePaths")):
        return "InaccessiblePaths= hides it"
    if setting := hiding_setting(unit, folder):
        return setting
    if _is_exempt(unit, folder):
        return ""
    if _is_in(folder, unit.words("ReadOnlyPaths")):
        return "ReadOnlyPaths= makes it read-only"
    protect = "strict" if unit.is_on("DynamicUser") else unit.properties.get("ProtectSystem", "no")
    if protect == "strict" and not _is_in(folder, (*_KERNEL, *_temporary(unit))):
        return "ProtectSystem=strict, and no ReadWritePaths= covers it"
    if _is_in(folder, _FULL.get(protect, ())):
        return f"ProtectSystem={protect} makes it read-only"
    if unit.properties.get("ProtectHome") == "read-only" and _is_in(folder, _HOMES):
        return "ProtectHome=read-only"
    return ""


def hidden_by(unit: UnitView, path: str) -> str:
    """The setting because of which the unit does not have `path` as others have it; "" if none."""
    bound = (
        word.split(":") for key in ("BindPaths", "BindReadOnlyPaths") for word in unit.words(key)
    )
    if _is_in(path, (parts[min(1, len(parts) - 1)] for parts in bound)):
        return ""
    if setting := hiding_setting(unit, path):
        return setting
    for key in ("InaccessiblePaths", "TemporaryFileSystem"):
        tops = [word.partition(":")[0] for word in unit.words(key)]
        if found := next((top for top in tops if is_inside(path, top)), ""):
            return f"{key}={found} hides it"
    for key in ("RootDirectory", "RootImage"):
        if value := unit.properties.get(key):
            return f"{key}={value}: the unit has another root"
    return ""


def hiding_setting(unit: UnitView, folder: str) -> str:
    """The setting that gives the unit another folder of that name than nginx has; "" if none."""
    home = unit.properties.get("ProtectHome", "no")
    is_home = home in ("yes", "true", "tmpfs") and _is_in(folder, _HOMES)
    if is_home and not _is_exempt(unit, folder):
        return f"ProtectHome={home} hides it"
    if _is_in(folder, _temporary(unit)):
        return "PrivateTmp=yes: the unit has a private /tmp"
    return ""


def _temporary(unit: UnitView) -> tuple[str, ...]:
    private = unit.is_on("PrivateTmp") or unit.is_on("DynamicUser")
    return ("/tmp", "/var/tmp") if private else ()  # noqa: S108  these very folders


def _is_exempt(unit: UnitView, folder: str) -> bool:
    """Whether a writable path of the unit covers it; the most specific setting wins."""
    managed = (f"{top}/{name}" for key, top in _MANAGED_FOLDERS.items() for name in unit.words(key))
    bound = (pair.split(":")[1] for pair in unit.words("BindPaths") if ":" in pair)
    writable = (*unit.words("ReadWritePaths"), *managed, *bound)
    longest = max((len(path) for path in writable if _is_in(folder, (path,))), default=-1)
    read_only = (path for path in unit.words("ReadOnlyPaths") if _is_in(folder, (path,)))
    return longest > max(map(len, read_only), default=-1)


def _is_in(folder: str, tops: Iterable[str]) -> bool:
    return any(is_inside(folder, top) for top in tops)
