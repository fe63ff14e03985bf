"""A disk of its own whose power can be cut: ext4 on a loop device, shut down by the kernel."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconcile.system.kernel import CLONE_NEWNS, MS_PRIVATE, MS_REC, Kernel
from tests.faults.dying import EFFECTS

EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
"""As when the power fails: what the journal has not written yet is lost."""
SIZE = 24 << 20


@contextmanager
def own_mounts() -> Iterator[None]:
    """Mounts that no process outside takes a copy of, which would keep a dead disk alive."""
    kernel, here, outside = Kernel(), os.getcwd(), os.open("/proc/self/ns/mnt", os.O_RDONLY)
    kernel.unshare(CLONE_NEWNS)
    kernel.mount("none", "/", "none", MS_REC | MS_PRIVATE)
    try:
        yield
    finally:
        assert 0 == ctypes.CDLL(None).setns(outside, CLONE_NEWNS)
        os.close(outside)
        os.chdir(here)


class Disk:
    """Errors: CalledProcessError where the machine has no loop device or no ext4."""

    def __init__(self, folder: Path, options: str) -> None:
        self.image, self.mount_point, self._options = folder / "image", folder / "disk", options
        self.mount_point.mkdir()
        self.image.touch()
        os.truncate(self.image, SIZE)
        _run("mkfs.ext4", "-q", "-F", self.image)
        # One device for all mounts: a second one would not see what the first still holds.
        self._device = _run("losetup", "--find", "--show", self.image).strip()
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", self._options, self._device, self.mount_point)

    def unmount(self) -> None:
        _run("umount", self.mount_point)

    def remove(self) -> None:
        self.unmount()
        _run("losetup", "--detach", self._device)

    def cut_power(self) -> None:
        fd = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def restart(self) -> None:
        """What a boot does: the journal is replayed, as far as it reached the disk."""
        self.unmount()
        self.mount()

    def check(self) -> None:
        """Errors: CalledProcessError where the filesystem itself is damaged."""
        self.unmount()
        _run("e2fsck", "-fn", self._device)
        self.mount()


def cut_at(number: int, disk: Disk, act: Callable[[], object]) -> bool:
    """Run `act` in a child; before its effect of that number the power goes. False if none is."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _watch(number, disk)
            act()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFSIGNALED(status)


def _watch(number: int, disk: Disk) -> None:
    left = number

    def watched(name: str) -> Callable[..., object]:
        effect = getattr(os, name)

        def call(*args: object, **named: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                left = sys.maxsize  # the cut itself opens a file
                disk.cut_power()
                os.kill(os.getpid(), signal.SIGKILL)
            return effect(*args, **named)

        return call

    for name in (*EFFECTS, "fsync"):
        setattr(os, name, watched(name))


def _run(*argv: object) -> str:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(
        list(map(str, argv)), check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout
