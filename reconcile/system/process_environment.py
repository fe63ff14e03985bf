"""What a process was given when it was started."""

from __future__ import annotations

from contextlib import suppress

# What systemd hands over by descriptor or address is for that one process.
_SYSTEMD_ONLY = ("LISTEN_", "NOTIFY_", "WATCHDOG_", "INVOCATION_", "JOURNAL_", "MAINPID")


def environment_of(pid: int) -> dict[str, str]:
    """The environment that `pid` began with; empty where it is gone, or not ours to read."""
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        lines = file.read().decode("utf-8", "surrogateescape").split("\0")
        pairs = (line.split("=", 1) for line in lines if "=" in line)
        return {name: value for name, value in pairs if not name.startswith(_SYSTEMD_ONLY)}
    return {}
