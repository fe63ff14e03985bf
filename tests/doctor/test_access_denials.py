"""SELinux and AppArmor: what their tools print, as real systems did.

No kernel with SELinux is at hand: programs of the test's own stand for its tools.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from reconcile.doctor.access_denials import check_denials, denial_in
from reconcile.doctor.apparmor_profile import profile_fix
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, RuleResult
from reconcile.engine.model import Finding
from reconcile.system.commands import Commands, CompletedCommand, TooMuchOutput
from reconcile.system.selinux import SELinux
from tests.doctor.single_rule import configured

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
    f' comm="nginx" path="/srv/shop/a.css" dev="dm-1" ino=8715722 {HTTPD}'
    " tcontext=unconfined_u:object_r:var_t:s0 tclass=file"
)
READ = (
    "type=AVC msg=audit(1726664658.821:492): avc:  denied  { read } for  pid=1142"
    f' comm="nginx" name="a.css" dev="sda1" ino=12 {HTTPD}'
    " tcontext=unconfined_u:object_r:default_t:s0 tclass=file permissive=0"
)
APPARMOR = (
    "Feb 15 14:29:52 web1 kernel: [132.57] audit: type=1400 audit(1455571792.565:32):"
    ' apparmor="DENIED" operation="open" profile="/usr/sbin/nginx" name="/srv/static/a.css"'
    ' pid=3176 comm="nginx" requested_mask="r" denied_mask="r" fsuid=33 ouid=0'
)
RELABEL = (
    "Would relabel {root}/static/a.css from unconfined_u:object_r:user_home_t:s0"
    " to unconfined_u:object_r:httpd_sys_content_t:s0"
)


class Tools(Commands):
    """The platform's tools; each prints what the test gives it, or is not installed."""

    def __init__(self, **outputs: str) -> None:
        super().__init__()
        self.outputs, self.asked = outputs, list[tuple[str, ...]]()

    def find(self, program: str) -> str | None:
        if program in ("ausearch", "journalctl", "restorecon"):
            return f"/usr/sbin/{program}" if program in self.outputs else None
        return super().find(program)

    def run(self, argv: Sequence[str], **options: Any) -> CompletedCommand:
        if argv[0] not in self.outputs:
            return super().run(argv, **options)
        self.asked.append(tuple(argv))
        return CompletedCommand(tuple(argv), 0, self.outputs[argv[0]], "")


Asked = Callable[..., list[RuleResult]]


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    def ask(tools: Tools, *, enforce: str = "1", connect: str = "1 1") -> list[RuleResult]:
        (tmp_path / "selinux/booleans").mkdir(parents=True)
        (tmp_path / "selinux/enforce").write_text(enforce)
        (tmp_path / "selinux/booleans/httpd_can_network_connect").write_text(connect)
        host = configured(tmp_path, HTTP.format(root=tmp_path))
        host.commands = tools
        return [*check_denials(HostInspection(host), SELinux(str(tmp_path / "selinux")))]

    return ask


def only(results: list[RuleResult]) -> Finding:
    [finding] = results
    assert isinstance(finding, Finding)
    return finding


def test_selinux_sandbox_is_silent_where_nothing_is_denied(asked: Asked) -> None:
    tools = Tools(ausearch="<no matches>\n", restorecon="")

    assert [] == asked(tools)
    assert ["restorecon", "restorecon", "ausearch"] == [argv[0] for argv in tools.asked]
    assert all("-n" in argv for argv in tools.asked if argv[0] == "restorecon")


def test_selinux_sandbox_reports_labels_that_the_policy_does_not_give(
    asked: Asked, tmp_path: Path
) -> None:
    line = RELABEL.format(root=tmp_path)

    found = asked(Tools(ausearch="", restorecon=f"{line}\n"))

    first = found[0]
    assert isinstance(first, Finding)
    assert line == first.evidence[0]
    assert f"restorecon -Rv {tmp_path}/static" == first.fix


@pytest.mark.parametrize("enforce", ["0", ""])
def test_selinux_sandbox_is_silent_where_nothing_is_enforced(asked: Asked, enforce: str) -> None:
    tools = Tools(restorecon="Would relabel x", journalctl="")

    assert [] == asked(tools, enforce=enforce, connect="0 0")


def test_selinux_sandbox_without_its_tools_is_unknown(asked: Asked) -> None:
    results = asked(Tools())

    assert ["SELinux labels", "SELinux denials"] == [
        one.what for one in results if isinstance(one, Inconclusive)
    ]


def test_selinux_sandbox_reports_a_port_and_its_boolean_once(asked: Asked) -> None:
    denied = f"{CONNECT}\n{CONNECT}\n"

    finding = only(asked(Tools(ausearch=denied, restorecon=""), connect="0 0"))

    assert "SELinux denied nginx name_connect on port 8000, 2 times" in finding.what
    assert "setsebool -P httpd_can_network_connect 1" == finding.fix


def test_selinux_sandbox_notes_a_boolean_that_is_off_until_it_denies(asked: Asked) -> None:
    finding = only(asked(Tools(ausearch="", restorecon=""), connect="0 0"))

    assert "note" == finding.severity
    assert "127.0.0.1:8000" in finding.what


def test_selinux_sandbox_ignores_a_denial_that_a_boolean_allows_now(asked: Asked) -> None:
    assert [] == asked(Tools(ausearch=CONNECT, restorecon=""))


def test_selinux_sandbox_reads_the_kernels_journal_where_auditd_is_not_installed(
    asked: Asked,
) -> None:
    finding = only(asked(Tools(journalctl=f"{APPARMOR}\n"), enforce="0"))

    assert "AppArmor denied nginx open on /srv/static/a.css, 1 time" in finding.what
    assert "'/srv/static/a.css r,' >>/etc/apparmor.d/local/usr.sbin.nginx" in finding.fix


def test_selinux_sandbox_finds_in_the_journal_what_ausearch_passes_over(asked: Asked) -> None:
    at = "4000000000.823000 web1"
    journal = (
        f'{at} audit[314]: AVC apparmor="STATUS" operation="profile_load" profile="unconfined"'
        ' name="/usr/sbin/cupsd" pid=314 comm="apparmor_parser"\n'
        f'{at} audit[327]: AVC apparmor="DENIED" operation="open" profile="/usr/sbin/nginx"'
        ' name="/srv/static/a.css" pid=327 comm="nginx" requested_mask="r" denied_mask="r"\n'
        f"{at} audit[355]: {CONNECT.partition(' ')[2]}\n"
    )

    finding = only(asked(Tools(ausearch="<no matches>\n", journalctl=journal), enforce="0"))

    assert "AppArmor denied nginx open on /srv/static/a.css, 1 time" in finding.what


def test_selinux_sandbox_reports_a_log_that_is_too_long(
    asked: Asked,
) -> None:
    class Flooded(Tools):
        def run(self, argv: Sequence[str], **options: Any) -> CompletedCommand:
            if argv[0] == "ausearch":
                raise TooMuchOutput(options["max_bytes"])
            return super().run(argv, **options)

    with pytest.raises(TooMuchOutput):
        asked(Flooded(ausearch=""), enforce="0")


OTHERS = {
    "permissive mode": f"{CONNECT} permissive=1",
    "another program": OPEN.replace('comm="nginx"', 'comm="sshd"'),
    "Apache in the same domain": CONNECT.replace('comm="nginx"', 'comm="httpd"'),
    "no denial": 'type=AVC msg=audit(1.0:1): avc:  granted  { open } for  pid=1 comm="nginx"',
    "complain mode": APPARMOR.replace("DENIED", "ALLOWED"),
    "a profile is loaded": APPARMOR.replace("DENIED", "STATUS"),
    "another confined program": APPARMOR.replace('comm="nginx"', 'comm="cupsd"'),
}


@pytest.mark.parametrize("line", OTHERS.values(), ids=OTHERS)
def test_selinux_sandbox_is_silent_on_what_nginx_was_not_denied(asked: Asked, line: str) -> None:
    assert [] == asked(Tools(ausearch=line), enforce="0")


@pytest.mark.parametrize(
    ("line", "target", "fix"),
    [
        (CONNECT, "port 8000", "setsebool -P httpd_can_network_connect 1"),
        (BIND, "port 4881", "semanage port -a -t http_port_t -p tcp 4881"),
        (OPEN, "/srv/shop/a.css", "restorecon -v /srv/shop/a.css"),
        (READ, "a.css", "ausearch -m AVC -c nginx --raw | audit2why"),
        (APPARMOR, "/srv/static/a.css", "apparmor_parser -r /etc/apparmor.d/usr.sbin.nginx"),
    ],
)
def test_each_denial_has_its_fix(line: str, target: str, fix: str) -> None:
    denial = denial_in(line)

    assert denial is not None
    assert target == denial.target
    assert fix in denial.fix


@pytest.mark.parametrize(
    ("mask", "rule"), [("r", "r,"), ("wc", "w,"), ("rwk", "rwk,"), ("d", "w,")]
)
def test_a_mask_of_the_log_becomes_the_letters_of_a_rule(mask: str, rule: str) -> None:
    denial = denial_in(APPARMOR.replace('denied_mask="r"', f'denied_mask="{mask}"'))

    assert denial is not None
    assert f"/srv/static/a.css {rule}" in denial.fix


PROFILE = "profile web /usr/sbin/nginx flags=(attach_disconnected) {\n  /srv/** r,\n"


@pytest.mark.parametrize(
    ("include", "fix"),
    [
        ("  include if exists <local/web>\n", "'/a b r,' >>"),
        ("  #include <local/web>\n", "'/a b r,' >>"),
        ("", "Add this line before the last brace of {}/own-web: "),
    ],
)
def test_a_line_goes_to_the_file_that_the_profile_includes(
    tmp_path: Path, include: str, fix: str
) -> None:
    (tmp_path / "other").write_text("profile webmail {\n}\n")
    (tmp_path / "own-web").write_text(f"{PROFILE}{include}}}\n")

    found = profile_fix("web", "/a b", "r", str(tmp_path))

    assert fix.format(tmp_path).replace("/a b", '"/a b"') in found
    assert f"apparmor_parser -r {tmp_path}/own-web" in found
    assert not include or f"{tmp_path}/local/web" in found


def test_a_denial_from_before_its_profile_was_loaded_is_history(asked: Asked) -> None:
    loaded = (
        'audit: type=1400 audit(1455571799.1:40): apparmor="STATUS" operation="profile_replace"'
        ' info="same as current profile, skipping" profile="unconfined" name="/usr/sbin/nginx"'
    )

    assert [] == asked(Tools(ausearch=f"{APPARMOR}\n{loaded}\n"), enforce="0")


@pytest.fixture
def decisions(tmp_path: Path) -> Path:
    """A folder like selinuxfs, in which `access` answers what a test writes."""
    top = tmp_path / "fs"
    (top / "class/file/perms").mkdir(parents=True)
    (top / "class/file/index").write_text("6\n")
    for bit, name in enumerate(("ioctl", "read", "write", "getattr"), start=1):
        (top / f"class/file/perms/{name}").write_text(f"{bit}\n")
    return top


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("a ffffffff 0 ffffffff 9 0", frozenset()),
        ("2 ffffffff 0 ffffffff 9 0", {"getattr"}),
        ("0 ffffffff 0 ffffffff 9 0", {"getattr", "read"}),
        ("0 ffffffff 0 ffffffff 9 1", frozenset()),
        ("", None),
    ],
    ids=["allowed", "one of two", "denied", "a permissive domain", "no answer"],
)
def test_the_kernel_decides_what_a_label_allows(
    decisions: Path, monkeypatch: pytest.MonkeyPatch, answer: str, expected: object
) -> None:
    (decisions / "access").write_text("")
    monkeypatch.setattr("os.read", lambda fd, size: answer.encode())

    found = SELinux(str(decisions)).denied("a:b:c", "d:e:f", "file", ("read", "getattr"))

    assert expected == found
    assert "a:b:c d:e:f 6" == (decisions / "access").read_text()
