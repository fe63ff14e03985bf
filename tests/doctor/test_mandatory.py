"""SELinux and AppArmor: labels that are really there, denials as real systems wrote them.

No SELinux kernel is at hand: the folder that stands for its filesystem is the test's own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.mandatory.apparmor import is_mended as no_longer_confined
from reconcile.doctor.mandatory.apparmor import remedy as rule_for
from reconcile.doctor.mandatory.audit import avcs, refusals, type_of
from reconcile.doctor.mandatory.by_apparmor import by_apparmor
from reconcile.doctor.mandatory.by_selinux import by_selinux
from reconcile.doctor.mandatory.log import Logged
from reconcile.doctor.mandatory.selinux import is_mended, refused, relabel, remedy
from reconcile.doctor.rule import Inconclusive
from reconcile.engine.model import Finding
from reconcile.system.lsm import Security
from tests.doctor.asked import configured

pytestmark = pytest.mark.process

HTTP = """
server {{
    listen 127.0.0.1:8099;
    server_name shop.test;
    location /static/ {{ alias {root}/static/; }}
    location /media/ {{ alias {root}/media/; }}
    location / {{ proxy_pass http://127.0.0.1:8000; }}
}}
"""
HTTPD = "scontext=system_u:system_r:httpd_t:s0"
CONNECT = (
    "type=AVC msg=audit(1446028612.391:2138): avc:  denied  { name_connect } for  pid=3355"
    f' comm="nginx" dest=8000 {HTTPD} tcontext=system_u:object_r:soundd_port_t:s0 tclass=tcp_socket'
)
BIND = (
    "type=AVC msg=audit(1678025251.063:850): avc:  denied  { name_bind } for  pid=2914"
    f' comm="nginx" src=4881 {HTTPD} tcontext=system_u:object_r:unreserved_port_t:s0'
    " tclass=tcp_socket permissive=0"
)
OPEN = (
    "type=AVC msg=audit(1449488430.096:52911): avc:  denied  { open } for  pid=2866"
    f' comm="nginx" path="{{path}}" dev="dm-1" ino=8715722 {HTTPD}'
    " tcontext=unconfined_u:object_r:var_t:s0 tclass=file"
)
READ = (
    "type=AVC msg=audit(1726664658.821:492): avc:  denied  {{ read }} for  pid=1142"
    f' comm="nginx" name="{{name}}" dev="sda1" ino={{inode}} {HTTPD}'
    " tcontext=unconfined_u:object_r:default_t:s0 tclass=file permissive=0"
)
SOCKET = (
    "type=AVC msg=audit(1377542938.307:248364): avc:  denied  { write } for  pid=2597"
    f' comm="nginx" name="shop.sock" dev="vda1" ino=1180273 {HTTPD}'
    " tcontext=system_u:object_r:httpd_sys_content_t:s0 tclass=sock_file"
)
CONNECTTO = (
    "type=AVC msg=audit(1377542938.307:248364): avc:  denied  { connectto } for  pid=2597"
    f' comm="nginx" path="/home/git/tmp/shop.sock" {HTTPD}'
    " tcontext=system_u:system_r:initrc_t:s0 tclass=unix_stream_socket"
)
KERNEL = (
    "Nov 22 10:00:00 web1 kernel: [1234.5] audit: type=1400 audit(1763805600.1:12): avc:  denied "
    f' {{ getattr }} for  pid=7 comm="nginx" path=2F7372762F6120622E637373 {HTTPD}'
    " tcontext=system_u:object_r:default_t:s0 tclass=file permissive=0"
)
OTHERS = {
    "permissive mode": CONNECT + " permissive=1",
    "Apache in the same domain": CONNECT.replace('comm="nginx"', 'comm="httpd"'),
    "another domain": CONNECT.replace("httpd_t", "container_t"),
    "another program": OPEN.replace("httpd_t", "sshd_t").replace('comm="nginx"', 'comm="sshd"'),
    "no denial": 'type=AVC msg=audit(1.0:1): avc:  granted  { open } for  pid=1 comm="nginx"',
}
APPARMOR = (
    "Feb 15 14:29:52 web1 kernel: [132.57] audit: type=1400 audit(1455571792.565:32):"
    ' apparmor="DENIED" operation="open" profile="/usr/sbin/nginx" name="/srv/static/a.css"'
    ' pid=3176 comm="nginx" requested_mask="r" denied_mask="r" fsuid=33 ouid=0'
)


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that every user reaches, with static and media below, labelled as they should be."""
    root = Path(tempfile.mkdtemp(dir="/srv"))
    root.chmod(0o755)
    for name, type_ in (("static", "httpd_sys_content_t"), ("media", "httpd_sys_rw_content_t")):
        (root / name).mkdir()
        (root / name / "a.css").write_text("a")
        for path in (root / name, root / name / "a.css"):
            plant(path, type_)
    plant(root, "var_t")
    yield root
    shutil.rmtree(root)


def plant(path: Path, type_: str) -> None:
    os.setxattr(path, "security.selinux", f"system_u:object_r:{type_}:s0\0".encode())


def selinux(root: Path, *, enforce: str = "1", **booleans: str) -> Security:
    """What stands for selinuxfs, with these switches on or off."""
    (root / "selinux/booleans").mkdir(parents=True)
    (root / "selinux/enforce").write_text(enforce)
    for name, value in {"httpd_can_network_connect": "1 1", **booleans}.items():
        (root / "selinux/booleans" / name).write_text(value)
    return Security(str(root / "selinux"))


def asked(
    root: Path, security: Security, *lines: str, since_s: float | None = None
) -> list[Finding]:
    """What is said, notes included; everything has to have been looked at."""
    snapshot = HostInspection(configured(root, HTTP.format(root=root)))
    logged = [Logged("audit.log", lines, since_s)]
    said = [*by_selinux(snapshot, security, logged), *by_apparmor(snapshot, security, logged)]
    assert not [one for one in said if isinstance(one, Inconclusive)]
    return [one for one in said if isinstance(one, Finding)]


def test_selinux_sandbox_is_silent_where_every_label_is_right(root: Path) -> None:
    assert [] == asked(root, selinux(root))


@pytest.mark.parametrize(
    "type_", ["user_home_t", "default_t", "unlabeled_t", "var_t", "tmp_t", "user_tmp_t"]
)
def test_selinux_sandbox_names_a_file_by_its_really_planted_label(root: Path, type_: str) -> None:
    plant(root / "static/a.css", type_)

    [finding] = asked(root, selinux(root))

    assert f"{root}/static/a.css: {type_}" in finding.evidence
    assert f"semanage fcontext -a -t httpd_sys_content_t '{root}/static(/.*)?'" in finding.fix
    assert f"restorecon -Rv {root}/static" in finding.fix


def test_selinux_sandbox_names_a_folder_on_the_way(root: Path) -> None:
    plant(root, "admin_home_t")

    found = asked(root, selinux(root))

    assert 2 == len(found)
    assert all(f"{root}: admin_home_t" in finding.evidence for finding in found)


def test_selinux_sandbox_gives_media_a_label_that_can_be_written(root: Path) -> None:
    plant(root / "media", "default_t")

    [finding] = asked(root, selinux(root))

    assert "httpd_sys_rw_content_t" in finding.fix


@pytest.mark.parametrize("enforce", ["0", ""])
def test_selinux_sandbox_is_silent_where_nothing_is_enforced(root: Path, enforce: str) -> None:
    plant(root / "static/a.css", "default_t")

    assert [] == asked(root, selinux(root, enforce=enforce), CONNECT)


def test_selinux_sandbox_is_silent_where_a_boolean_lets_nginx_read_homes(root: Path) -> None:
    plant(root / "static/a.css", "user_home_t")

    assert [] == asked(root, selinux(root, httpd_read_user_content="1 1"))


def test_selinux_sandbox_tells_of_a_port_and_of_its_boolean(root: Path) -> None:
    [finding] = asked(root, selinux(root, httpd_can_network_connect="0 0"), CONNECT, CONNECT)

    assert "nginx name_connect on port 8000 (soundd_port_t), 2 times" in finding.what
    assert "setsebool -P httpd_can_network_connect 1" == finding.fix


def test_selinux_sandbox_takes_a_boolean_that_is_off_for_a_note_until_it_denies(root: Path) -> None:
    [finding] = asked(root, selinux(root, httpd_can_network_connect="0 0"))

    assert "note" == finding.severity
    assert "127.0.0.1:8000" in finding.what


def test_selinux_sandbox_takes_what_a_boolean_has_mended_for_history(root: Path) -> None:
    assert [] == asked(root, selinux(root), CONNECT)


def test_selinux_sandbox_finds_the_folder_of_a_whole_path(root: Path) -> None:
    path = f"{root}/static/gone.css"

    [finding] = asked(root, selinux(root), OPEN.replace("{path}", path))

    assert finding.fix.endswith(f"restorecon -Rv {root}/static")


def test_selinux_sandbox_finds_the_folder_of_a_bare_name_by_its_inode(root: Path) -> None:
    inode = (root / "media/a.css").stat().st_ino

    [finding] = asked(root, selinux(root), READ.format(name="a.css", inode=inode))

    assert finding.fix.endswith(f"restorecon -Rv {root}/media")


def test_selinux_sandbox_takes_a_label_that_was_mended_for_history(root: Path) -> None:
    line = OPEN.replace("{path}", f"{root}/static/a.css")

    assert [] == asked(root, selinux(root), line)


def test_selinux_sandbox_takes_what_came_before_the_workers_for_history(root: Path) -> None:
    off = selinux(root, httpd_can_network_connect="0 0")

    assert ["note"] == [one.severity for one in asked(root, off, CONNECT, since_s=2e9)]


@pytest.mark.parametrize("line", OTHERS.values(), ids=OTHERS)
def test_selinux_sandbox_is_silent_on_what_nginx_was_not_kept_from(root: Path, line: str) -> None:
    off = selinux(root, httpd_can_network_connect="0 0")

    assert ["note"] == [one.severity for one in asked(root, off, line)]


@pytest.mark.parametrize(
    ("line", "folder", "fix"),
    [
        (CONNECT, "", "setsebool -P httpd_can_network_connect 1"),
        (BIND, "", "semanage port -a -t http_port_t -p tcp 4881"),
        (SOCKET, "/srv/run", "httpd_var_run_t '/srv/run(/.*)?'"),
        (CONNECTTO, "", "audit2allow -M reconcile-nginx"),
        (OPEN.replace("{path}", "/srv/a"), "/srv", "httpd_sys_content_t '/srv(/.*)?'"),
        (OPEN.replace("{ open }", "{ write }"), "/srv", "httpd_sys_rw_content_t '/srv(/.*)?'"),
        (OPEN.replace("var_t", "user_home_t"), "/home/a", "setsebool -P httpd_read_user_content 1"),
        (OPEN.replace("{path}", "/var/www/a"), "/var/www/a", "restorecon -Rv /var/www/a"),
    ],
)
def test_each_denial_has_its_own_remedy(line: str, folder: str, fix: str) -> None:
    [denied] = avcs([line])

    assert fix in remedy(denied, folder)


def test_a_line_of_the_kernels_own_log_is_read_with_its_hex() -> None:
    [denied] = avcs([KERNEL])

    assert ("/srv/a b.css", "default_t", 1763805600.1) == (denied.path, denied.target, denied.at)


@pytest.mark.parametrize(
    ("type_", "kind", "answer"),
    [
        ("httpd_sys_content_t", "file", False),
        ("public_content_t", "file", False),
        ("usr_t", "file", False),
        ("var_t", "directory", False),
        ("var_t", "file", True),
        ("default_t", "directory", True),
        ("nfs_t", "file", True),
        ("shop_content_t", "file", None),
        ("", "file", None),
    ],
)
def test_what_nginx_may_read_goes_by_the_type(type_: str, kind: str, answer: bool | None) -> None:
    assert answer is refused(type_, kind, lambda _: None)


def test_a_label_that_the_policy_gives_by_itself_is_only_restored() -> None:
    assert "restorecon -Rv /var/www/shop" == relabel("/var/www/shop", "httpd_sys_content_t")


def test_a_denial_is_history_where_the_file_has_another_type_now() -> None:
    [denied] = avcs([OPEN])

    assert not is_mended(denied, "var_t", lambda _: None)
    assert not is_mended(denied, "", lambda _: None)
    assert is_mended(denied, "httpd_sys_content_t", lambda _: None)


@pytest.mark.parametrize(
    ("label", "type_"), [("u:r:t:s0-s0:c0.c1023", "t"), ("u:r:t", "t"), ("none", ""), ("", "")]
)
def test_the_type_is_the_third_part_of_a_label(label: str, type_: str) -> None:
    assert type_ == type_of(label)


def test_selinux_sandbox_tells_the_rule_that_a_profile_of_apparmor_lacks(root: Path) -> None:
    [finding] = asked(root, selinux(root, enforce="0"), APPARMOR, APPARMOR)

    assert (
        "denied nginx open on /srv/static/a.css (profile /usr/sbin/nginx), 2 times" in finding.what
    )
    assert "/etc/apparmor.d/local/usr.sbin.nginx: /srv/static/a.css r," in finding.fix


@pytest.mark.parametrize(
    "line",
    [
        APPARMOR.replace("DENIED", "ALLOWED"),
        APPARMOR.replace("DENIED", "AUDIT"),
        APPARMOR.replace("nginx", "cupsd"),
        APPARMOR.replace("DENIED", "STATUS"),
    ],
    ids=["complain mode", "audit mode", "another program", "a profile is loaded"],
)
def test_selinux_sandbox_is_silent_on_what_apparmor_only_notes(root: Path, line: str) -> None:
    assert [] == asked(root, selinux(root, enforce="0"), line)


@pytest.mark.parametrize(
    ("confinement", "is_free"),
    [
        ("/usr/sbin/nginx (enforce)", False),
        ("/usr/sbin/nginx (complain)", True),
        ("unconfined", True),
        ("", False),
    ],
)
def test_a_profile_in_complain_mode_denies_nothing_any_more(
    confinement: str, is_free: bool
) -> None:
    assert is_free is no_longer_confined(confinement)


@pytest.mark.parametrize(
    ("mask", "rule"), [("r", "r,"), ("wc", "w,"), ("rwk", "rwk,"), ("d", "w,")]
)
def test_a_mask_of_the_log_becomes_the_letters_of_a_rule(mask: str, rule: str) -> None:
    [refusal] = refusals([APPARMOR.replace('denied_mask="r"', f'denied_mask="{mask}"')])

    assert f"/srv/static/a.css {rule}" in rule_for(refusal)
