"""The state of SELinux on this machine. Source: selinuxfs (/sys/fs/selinux)."""

from __future__ import annotations

from contextlib import suppress


class SELinux:
    """`selinuxfs` is where the kernel shows SELinux's state."""

    def __init__(self, selinuxfs: str = "/sys/fs/selinux") -> None:
        self._selinuxfs = selinuxfs

    def is_enforcing(self) -> bool:
        """Whether SELinux keeps anybody from anything here."""
        return _read_text(f"{self._selinuxfs}/enforce").strip() == "1"

    def boolean(self, name: str) -> bool | None:
        """A switch of the policy as it is now; None where the policy has none of that name."""
        # Source: sel_read_bool, "present pending".
        present, *_ = [*_read_text(f"{self._selinuxfs}/booleans/{name}").split(), ""]
        return present == "1" if present else None


def _read_text(path: str) -> str:
    # A kernel without that module, or a process that is gone: there is nothing to say.
    with suppress(OSError), open(path, "rb") as file:
        return file.read(4096).decode("utf-8", "surrogateescape")
    return ""
