"""The state of SELinux on this machine, by selinuxfs."""

from __future__ import annotations

from contextlib import suppress


class SELinux:
    """SELinux, as the kernel reports it below `selinuxfs`."""

    def __init__(self, selinuxfs: str = "/sys/fs/selinux") -> None:
        self._selinuxfs = selinuxfs

    def is_enforcing(self) -> bool:
        """Whether SELinux denies access, rather than only log it."""
        return _read_text(f"{self._selinuxfs}/enforce").strip() == "1"

    def boolean(self, name: str) -> bool | None:
        """The present value of a boolean of the policy; None where it has none of that name."""
        # Source: sel_read_bool, "present pending".
        present, *_ = [*_read_text(f"{self._selinuxfs}/booleans/{name}").split(), ""]
        return present == "1" if present else None


def _read_text(path: str) -> str:
    # The file is absent in a kernel without SELinux.
    with suppress(OSError), open(path, "rb") as file:
        return file.read(4096).decode("utf-8", "surrogateescape")
    return ""
