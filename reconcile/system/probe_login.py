"""The login of our own probes on sites with a password: random, and readable by root alone."""

from __future__ import annotations

import base64
import os
import re
from hashlib import sha1, sha256
from typing import TYPE_CHECKING

from reconcile.filesystem.host_error import HostError

if TYPE_CHECKING:
    from reconcile.system import Host

NAME = "probe-login"
USER = "reconcile-probe"
_LINE = re.compile(rb"^reconcile-probe:[^\n]*\n?", re.MULTILINE)
_PASSWORD = re.compile(r"[0-9a-f]{64}")


def read_password(host: Host) -> str | None:
    """The password; None where there is none yet, or for this user. Errors: none."""
    try:
        data = host.state.read(NAME)
    except HostError:
        return None
    text = (data or b"").decode("ascii", "replace").strip()
    return text if _PASSWORD.fullmatch(text) else None


def made_password(host: Host) -> str:
    """The password, created where there is none. Errors: HostError."""
    known = read_password(host)
    if known is None:
        known = os.urandom(32).hex()
        host.state.write(NAME, f"{known}\n".encode())
    return known


def authorization(password: str) -> str:
    """The header with which a probe logs in."""
    return "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()


def login_line(password: str) -> bytes:
    """The line of an htpasswd, always the same one.

    A slow hash protects what people choose; this password cannot be guessed.
    Source: ngx_http_auth_basic_module, the scheme SSHA of RFC 2307.
    """
    salt = sha256(password.encode()).digest()[:8]
    hashed = sha1(password.encode() + salt, usedforsecurity=False).digest()
    return b"%s:{SSHA}%s\n" % (USER.encode(), base64.b64encode(hashed + salt))


def without_login(content: bytes) -> bytes:
    """An htpasswd without our line."""
    return _LINE.sub(b"", content)


def with_login(content: bytes, password: str) -> bytes:
    """An htpasswd with our line at its end."""
    lines = without_login(content)
    return lines + (b"" if lines.endswith(b"\n") or not lines else b"\n") + login_line(password)
