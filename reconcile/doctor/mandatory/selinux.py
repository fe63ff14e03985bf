"""What SELinux's policy lets nginx do, by the type of a file, and what changes that.

Source: httpd_selinux(8) of the reference policy; Red Hat's targeted policy has the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from shlex import quote

from reconcile.doctor.mandatory.audit import Avc

DOMAIN = "httpd_t"
"""The domain of nginx where the policy knows it."""
READ, WRITE = "httpd_sys_content_t", "httpd_sys_rw_content_t"
CONNECT = "httpd_can_network_connect"
_READABLE = re.compile(r"httpd_\w+_t|public_content(?:_rw)?_t|usr_t|etc_t|cert_t|lib_t|fonts_t")
_CLOSED = {
    # Folders in these may be passed, or nothing works at all; files in them may not be read.
    **dict.fromkeys(("var_t", "var_lib_t", "mnt_t", "tmp_t", "home_root_t"), "file"),
    **dict.fromkeys(
        (
            "default_t",
            "unlabeled_t",
            "admin_home_t",
            "user_tmp_t",
            "container_file_t",
            "svirt_sandbox_file_t",
            "samba_share_t",
            "var_log_t",
            "initrc_tmp_t",
        ),
        "all",
    ),
}
_BY_BOOLEAN = {
    "user_home_t": "httpd_read_user_content",
    "user_home_dir_t": "httpd_enable_homedirs",
    "nfs_t": "httpd_use_nfs",
    "cifs_t": "httpd_use_cifs",
    "fusefs_t": "httpd_use_fusefs",
}
_WRITES = frozenset(["write", "create", "add_name", "append", "unlink", "remove_name", "rename"])
_FILES = ("file", "dir", "lnk_file")
_USUAL = re.compile(r"/var/www(?:/|$)|/usr/share/nginx/html(?:/|$)")

Boolean = Callable[[str], bool | None]


def refused(type_: str, kind: str, boolean: Boolean) -> bool | None:
    """Whether nginx may not read a `kind` (`file`, `directory`) of that type; None: not known."""
    if _READABLE.fullmatch(type_):
        return False
    if type_ in _BY_BOOLEAN:
        return not boolean(_BY_BOOLEAN[type_])
    if type_ in _CLOSED:
        return _CLOSED[type_] == "all" or kind == "file"
    return None


def relabel(folder: str, type_: str) -> str:
    """The commands that give a folder, and what will be in it, this type for good."""
    again = f"restorecon -Rv {quote(folder)}"
    # There the policy has it so already, and what is wrong was moved in with its old label.
    if _USUAL.match(folder) and type_ == READ:
        return again
    return f"semanage fcontext -a -t {type_} {quote(f'{folder}(/.*)?')} && {again}"


def remedy(denied: Avc, folder: str) -> str:
    """The smallest change of the policy that lets it through; `folder` is ours, or ""."""
    if "name_connect" in denied.wants:
        return f"setsebool -P {CONNECT} 1"
    if "name_bind" in denied.wants:
        return f"semanage port -a -t http_port_t -p tcp {denied.port}"
    if denied.kind == "sock_file":
        top = folder or denied.path.rpartition("/")[0] or "/run/APP"
        return relabel(top, "httpd_var_run_t")
    if denied.kind in _FILES and (folder or denied.path.startswith("/")):
        if boolean := _BY_BOOLEAN.get(denied.target):
            return f"setsebool -P {boolean} 1  # better: keep these files below /var/www"
        top = folder or denied.path
        return relabel(top, WRITE if _WRITES & denied.wants else READ)
    name = f"reconcile-{denied.comm}"
    return (
        f"ausearch -m AVC -c {quote(denied.comm)} --raw | audit2allow -M {quote(name)}"
        f" && semodule -i {quote(name + '.pp')}  # read the .te file first"
    )


def is_mended(denied: Avc, present_type: str, boolean: Boolean) -> bool:
    """Whether what was denied has been changed since: the label, or the boolean."""
    if "name_connect" in denied.wants:
        return boolean(CONNECT) is True
    if boolean(_BY_BOOLEAN.get(denied.target, "")) is True:
        return True
    return bool(present_type) and present_type != denied.target
