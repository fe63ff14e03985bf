"""What to do where the key of a host is not known, or has changed."""

from __future__ import annotations

OWN_FIX = "\nfix: "
"""What begins the fix in the problem of a host."""
_FIXES = {
    "No host key for": (
        "Compare the host's key with its own, then add it to known_hosts: ssh-keyscan HOST."
    ),
    "Host key for": (
        "Somebody may have taken its place. If you know why the key changed, remove the old one:"
        " ssh-keygen -R HOST, and add the new one."
    ),
}


def with_host_key_fix(why: str) -> str:
    """The error of a connection, with what to do about a host key, if it is about one."""
    fix = next((fix for start, fix in _FIXES.items() if start in why), "")
    return f"{why}{OWN_FIX}{fix}" if fix else why
