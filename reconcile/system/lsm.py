"""What the kernel's security modules say of this machine; nothing is changed.

Source: selinuxfs (/sys/fs/selinux), the attribute security.selinux, /proc/PID/attr in proc(5).
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from reconcile.filesystem.attributes import ABSENT, by_descriptor
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.safe_path import entry

LABEL = "security.selinux"


class Security:
    """`selinuxfs` is where the kernel shows SELinux's state."""

    def __init__(self, selinuxfs: str = "/sys/fs/selinux") -> None:
        self._selinuxfs = selinuxfs

    def is_enforcing(self) -> bool:
        """Whether SELinux keeps anybody from anything here."""
        return _read(f"{self._selinuxfs}/enforce").strip() == "1"

    def boolean(self, name: str) -> bool | None:
        """A switch of the policy as it is now; None where the policy has none of that name."""
        # Source: sel_read_bool, "present pending".
        present, *_ = [*_read(f"{self._selinuxfs}/booleans/{name}").split(), ""]
        return present == "1" if present else None

    def label(self, path: str) -> str:
        """The label of what `path` is, no symlink followed; "" where it has none.

        Errors: HostError where we may not look.
        """
        with explained(f"the label of {path} cannot be read"), entry(path) as at:
            pin = at.pin()
            try:
                return _decoded(os.getxattr(by_descriptor(pin), LABEL))
            except OSError as error:
                if error.errno in ABSENT:
                    return ""
                raise
            finally:
                os.close(pin)

    def domain(self, pid: int) -> str:
        """The SELinux label or AppArmor profile that `pid` runs in; "" where there is neither."""
        for name in ("apparmor/current", "current"):
            if said := _read(f"/proc/{pid}/attr/{name}").strip("\0\n"):
                return said
        return ""


def label_at(fd: int, name: str) -> str:
    """The label of a name in a directory that is open; a link is not followed."""
    try:
        return _decoded(os.getxattr(f"{by_descriptor(fd)}/{name}", LABEL, follow_symlinks=False))
    except OSError as error:
        if error.errno in {*ABSENT, errno.ENOENT}:
            return ""
        raise


def _decoded(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _read(path: str) -> str:
    # A kernel without that module, or a process that is gone: there is nothing to say.
    with suppress(OSError), open(path, "rb") as file:
        return file.read(4096).decode("utf-8", "surrogateescape")
    return ""
