"""What a unit's sandbox lets its program write, whatever the modes of files say.

Source: systemd.exec(5), "Sandboxing".
"""

from __future__ import annotations

from collections.abc import Iterable

from reconcile.doctor.units import UnitView

_FULL = {
    "yes": ("/usr", "/boot", "/efi"),
    "true": ("/usr", "/boot", "/efi"),
    "full": ("/usr", "/boot", "/efi", "/etc"),
}
_KERNEL = ("/dev", "/proc", "/sys")
_HOMES = ("/home", "/root", "/run/user")
_OWN = {
    "StateDirectory": "/var/lib",
    "RuntimeDirectory": "/run",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
}


def blocking_setting(unit: UnitView, folder: str) -> str:
    """The setting that keeps the unit from writing to `folder`, "" where none does."""
    if _within(folder, unit.words("InaccessiblePaths")):
        return "InaccessiblePaths= hides it"
    if private := hiding_setting(unit, folder):
        return private
    if _is_exempt(unit, folder):
        return ""
    if _within(folder, unit.words("ReadOnlyPaths")):
        return "ReadOnlyPaths= makes it read-only"
    protect = "strict" if unit.is_on("DynamicUser") else unit.said.get("ProtectSystem", "no")
    if protect == "strict" and not _within(folder, (*_KERNEL, *_temporary(unit))):
        return "ProtectSystem=strict, and no ReadWritePaths= names it"
    if _within(folder, _FULL.get(protect, ())):
        return f"ProtectSystem={protect} makes it read-only"
    if unit.said.get("ProtectHome") == "read-only" and _within(folder, _HOMES):
        return "ProtectHome=read-only"
    return ""


def hiding_setting(unit: UnitView, folder: str) -> str:
    """The setting by which the unit sees another folder of that name than nginx does."""
    home = unit.said.get("ProtectHome", "no")
    is_home = home in ("yes", "true", "tmpfs") and _within(folder, _HOMES)
    if is_home and not _is_exempt(unit, folder):
        return f"ProtectHome={home} hides it"
    if _within(folder, _temporary(unit)):
        return "PrivateTmp=yes: the unit has a /tmp of its own"
    return ""


def _temporary(unit: UnitView) -> tuple[str, ...]:
    private = unit.is_on("PrivateTmp") or unit.is_on("DynamicUser")
    return ("/tmp", "/var/tmp") if private else ()  # noqa: S108  the folders that are meant


def _is_exempt(unit: UnitView, folder: str) -> bool:
    """Whether ReadWritePaths= or a directory of the unit's own covers it, nearest setting wins."""
    own = (f"{top}/{name}" for key, top in _OWN.items() for name in unit.words(key))
    bound = (pair.split(":")[1] for pair in unit.words("BindPaths") if ":" in pair)
    writable = (*unit.words("ReadWritePaths"), *own, *bound)
    longest = max((len(path) for path in writable if _within(folder, (path,))), default=-1)
    closed = (path for path in unit.words("ReadOnlyPaths") if _within(folder, (path,)))
    return longest > max(map(len, closed), default=-1)


def _within(folder: str, tops: Iterable[str]) -> bool:
    return any(f"{folder}/".startswith(top.rstrip("/") + "/") for top in tops)
