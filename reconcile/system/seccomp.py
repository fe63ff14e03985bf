"""A filter of system calls: no sockets, no keyrings, for this process and all that it starts.

Source: seccomp(2); linux/seccomp.h, linux/audit.h, and the call numbers of each machine.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NUMBER_AT, _MACHINE_AT = 0, 4
# The same kernel takes calls of another table by these numbers; they would pass the filter.
_OTHER_TABLE = 0x40000000

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {
    # A socket of the file system is reachable from every network namespace, hence the filter.
    "socket": ({"x86_64": 41, "aarch64": 198}, errno.ENETUNREACH),
    "io_uring_setup": ({"x86_64": 425, "aarch64": 425}, errno.ENOSYS),
    "add_key": ({"x86_64": 248, "aarch64": 217}, errno.EPERM),
    "request_key": ({"x86_64": 249, "aarch64": 218}, errno.EPERM),
    "keyctl": ({"x86_64": 250, "aarch64": 219}, errno.EPERM),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.c_char_p)]


def refuse_sockets(library: ctypes.CDLL) -> None:
    """From now on `socket` is "Network is unreachable"; pairs of sockets can still be made.

    The process must not be able to gain privileges any more (PR_SET_NO_NEW_PRIVS).
    Errors: OSError, also on a machine whose calls are not known here.
    """
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no filter of system calls is known for {machine}")
    filters = _filters(machine)
    program = _Program(len(filters) // 8, filters)
    if library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _filters(machine: str) -> bytes:
    told = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_IF_EQUAL, 1, 0, _MACHINES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_AT_LEAST, 0, 1, _OTHER_TABLE),
        (_RETURN, 0, 0, _KILL),
    ]
    for numbers, error in _CALLS.values():
        told += [(_IF_EQUAL, 0, 1, numbers[machine]), (_RETURN, 0, 0, _REFUSE | error)]
    told.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *one) for one in told)
